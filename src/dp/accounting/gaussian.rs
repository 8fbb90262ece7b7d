//! The Gaussian mechanism in closed form.
//!
//! Everything depends on μ = L2 sensitivity / σ alone; k runs with μ₁ … `μ_k` are together one run with μ = √Σ μᵢ².

use super::normal::{PEAK, cdf, central, density, mills, quantile};
use super::quadrature::{TEN, integral};
use crate::dp::event::between;
use crate::error::{Error, Result};
use crate::units::{Delta, Epsilon};

/// The smallest δ for which a μ-GDP mechanism is (ε, δ)-differentially private, δ = Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ), with a relative error below 10⁻¹². `epsilon` may
/// be 0.
///
/// Both terms agree in almost all digits when δ is small. So it is computed from ∂δ/∂μ = φ(ε/μ − μ/2), as an integral of a positive function.
///
/// # Errors
/// `epsilon` is negative or not a number; `mu` lies outside \[10⁻⁹, 10⁴\].
///
/// # References
/// Balle and Wang, "Improving the Gaussian mechanism for differential privacy", ICML 2018, Theorem 8. Dong, Roth and Su, "Gaussian differential privacy", JRSS B 84
/// (2022), Corollary 2.13.
///
/// ```
/// let delta = backmask::dp::accounting::gaussian::delta(1.0, 1.0)?;
/// assert!((delta / 0.126_936_737_506_643_95 - 1.0).abs() < 1e-12);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn delta(epsilon: f64, mu: f64) -> Result<f64> {
    check(epsilon)?;
    between("mu", mu, 1e-9, 1e4)?;
    Ok(hockey_stick(epsilon, mu))
}

/// The smallest ε ≥ 0 for which a μ-GDP mechanism is (ε, δ)-differentially private: infinite for δ = 0.
///
/// # Errors
/// `mu` lies outside \[10⁻⁹, 10⁴\].
pub fn epsilon(delta: Delta, mu: f64) -> Result<f64> {
    between("mu", mu, 1e-9, 1e4)?;
    Ok(epsilon_of(delta.get(), mu))
}

/// The largest μ for which μ-GDP implies (ε, δ)-differential privacy, rounded down: the analytic calibration of Balle and Wang. σ = L2 sensitivity / μ.
///
/// # Errors
/// δ is 0: no amount of Gaussian noise reaches it.
///
/// ```
/// use backmask::{dp::accounting::gaussian, units::{Delta, Epsilon}};
/// let sigma = 1.0 / gaussian::mu(Epsilon::new(0.5)?, Delta::new(1e-6)?)?;
/// assert!((sigma - 8.057_618_480_725_044).abs() < 1e-10);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn mu(epsilon: Epsilon, delta: Delta) -> Result<f64> {
    if delta.get() <= 0.0 {
        return Err(Error::Parameter { name: "delta", problem: "must be greater than 0: Gaussian noise never reaches 0".to_owned() });
    }
    Ok(mu_of(epsilon.get(), delta.get()))
}

fn check(epsilon: f64) -> Result<()> {
    if epsilon >= 0.0 { Ok(()) } else { Err(Error::Parameter { name: "epsilon", problem: "must be at least 0".to_owned() }) }
}

/// δ(ε) for ε ≥ 0.
pub(super) fn hockey_stick(epsilon: f64, mu: f64) -> f64 {
    if epsilon.is_infinite() {
        return 0.0;
    }
    if epsilon <= 0.0 {
        return central(0.5 * mu);
    }
    let low = epsilon / mu - 0.5 * mu;
    if low >= 1.0 {
        return upper_part(epsilon, low);
    }
    if mu >= 0.5 {
        // e^ε φ(b) = φ(a): the second term without overflow.
        return (cdf(-low) - density(low) * mills(epsilon / mu + 0.5 * mu)).max(0.0);
    }
    let (mut sum, mut high) = (0.0, mu);
    while high > 0.0 && epsilon / high - 0.5 * high < 39.0 {
        let next = 0.8 * high;
        sum += integral(TEN, next, high, |m| density(epsilon / m - 0.5 * m));
        high = next;
    }
    sum
}

/// ∫ φ(v) m(v) / √(v² + 2ε) dv from a = `low` ≥ 1, where v = ε/m − m/2 was put for m.
fn upper_part(epsilon: f64, low: f64) -> f64 {
    let reach = 90.0 / (low + (low * low + 90.0).sqrt());
    let panels = (0.5 * low * reach).max(2.0 * reach).ceil();
    let width = reach / panels;
    let value = |t: f64| {
        let v = low + t;
        let root = (v * v + 2.0 * epsilon).sqrt();
        (-t * (low + 0.5 * t)).exp() * (2.0 * epsilon / (v + root)) / root
    };
    let (mut sum, mut done) = (0.0, 0.0);
    while done < panels {
        sum += integral(TEN, done * width, (done + 1.0) * width, value);
        done += 1.0;
    }
    PEAK * sum * (-0.5 * low * low).exp()
}

/// δ(ε) for any real ε.
pub(super) fn hockey_stick_any(epsilon: f64, mu: f64) -> f64 {
    if epsilon >= 0.0 { hockey_stick(epsilon, mu) } else { -epsilon.exp_m1() + epsilon.exp() * hockey_stick(-epsilon, mu) }
}

/// The smallest ε ≥ 0 with δ(ε) ≤ δ.
pub(super) fn epsilon_of(delta: f64, mu: f64) -> f64 {
    if delta <= 0.0 {
        return f64::INFINITY;
    }
    if hockey_stick(0.0, mu) <= delta {
        return 0.0;
    }
    let high = 0.5 * mu * mu + mu * (-2.0 * delta.ln()).max(0.0).sqrt() + mu;
    first(0.0, high, |epsilon| hockey_stick(epsilon, mu) <= delta)
}

/// The largest μ with δ(ε) ≤ δ.
pub(super) fn mu_of(epsilon: f64, delta: f64) -> f64 {
    let high = (2.0 * epsilon).sqrt() + 80.0;
    // The last number for which it holds is the one before the first for which it does not.
    let first = first(0.0, high, |mu| mu > 0.0 && hockey_stick(epsilon, mu) > delta);
    first.next_down()
}

/// The first number in [low, high] for which `holds`, when it does from there on; `high` if for none below it.
pub(super) fn first(low: f64, high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (low, high);
    if holds(low) {
        return low;
    }
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return high;
        }
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
}

/// The most true positives that a test with the given rate of false positives can have: Φ(Φ⁻¹(α) + μ).
pub(super) fn true_positives(false_positives: f64, mu: f64) -> f64 {
    cdf(quantile(false_positives) + mu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deltas_have_full_relative_accuracy() {
        // mpmath, 60 digits, of the closed form.
        for (epsilon, mu, exact) in super::super::constants::GAUSSIAN_DELTAS {
            let found = delta(*epsilon, *mu).unwrap();
            assert!((found / exact - 1.0).abs() < 1e-12, "{epsilon} {mu}: {found:e} {:e}", found / exact - 1.0);
        }
    }

    #[test]
    fn epsilon_and_mu_are_inverses_on_the_safe_side() {
        for delta in [1e-12, 1e-6, 1e-2, 0.3] {
            for mu in [1e-6, 0.01, 1.0, 7.0, 60.0] {
                let epsilon = epsilon_of(delta, mu);
                assert!(hockey_stick(epsilon, mu) <= delta);
                if epsilon > 0.0 {
                    assert!(hockey_stick(epsilon * (1.0 - 1e-9), mu) > delta);
                    let back = mu_of(epsilon, delta);
                    assert!((back / mu - 1.0).abs() < 1e-9 && hockey_stick(epsilon, back) <= delta, "{delta} {mu} {back}");
                }
            }
        }
        assert!(epsilon_of(0.0, 1.0).is_infinite());
        assert!((epsilon_of(1e-5, 1.0) / 4.377_178_095_681_225 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn domains_are_checked() {
        for bad in [f64::NAN, -1.0, 0.0, f64::INFINITY] {
            assert!(delta(1.0, bad).is_err());
        }
        assert!(delta(f64::NAN, 1.0).is_err() && delta(-1.0, 1.0).is_err());
        assert!(mu(Epsilon::new(1.0).unwrap(), Delta::new(0.0).unwrap()).is_err());
    }
}
