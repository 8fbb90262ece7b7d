//! The risk of one class under a negative binomial population.

use crate::error::{Error, Result};
use crate::numeric::real;

/// Expected 1 / F of a class that has `people` people in the sample and an estimated `population` in the population (a sum of weights): F is negative binomial,
/// at least `people`, with success probability p = people / population.
///
/// # Errors
/// No people, or fewer in the population than in the sample.
///
/// # References
/// Benedetti, Franconi, *Statistical and technological solutions for controlled data dissemination* (1998); Franconi, Polettini, *Individual risk estimation in
/// μ-Argus*, PSD 2004. (pᶠ / f) ₂F₁(f, f; f + 1; 1 − p) is summed as (p / f) ₂F₁(1, 1; f + 1; 1 − p) (Euler's transformation), whose terms are positive and fall.
///
/// ```
/// let risk = backmask::numeric::population::individual_risk(1, 2.0)?;
/// // p = ½: ½ / ½ · ln 2
/// assert!((risk - std::f64::consts::LN_2).abs() < 1e-14);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn individual_risk(people: u64, population: f64) -> Result<f64> {
    if people == 0 || population.is_nan() || population < real(people) {
        return Err(Error::Parameter {
            name: "population",
            problem: "must have at least the people of the sample, and those at least one".to_owned(),
        });
    }
    if population.is_infinite() {
        return Ok(0.0);
    }
    let p = real(people) / population;
    let q = (population - real(people)) / population;
    if q < 1e-12 {
        return Ok(1.0 / real(people));
    }
    // With so few in the sample the series is long, and the integral has a closed form.
    match people {
        1 => Ok(p / q * -p.ln()),
        2 if q > 0.1 => Ok(p / (q * q) * (p * p.ln() + q)),
        _ => {
            let (mut term, mut sum, mut k) = (1.0, 0.0, 0.0);
            loop {
                sum += term;
                k += 1.0;
                term *= k / (real(people) + k) * q;
                // The rest is at most a geometric series in q, or a sum of falling powers of k.
                if term * k.min(1.0 / p) < 1e-16 * sum {
                    return Ok(p / real(people) * sum);
                }
            }
        }
    }
}
