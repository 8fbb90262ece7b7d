//! An audit from a single run.

use crate::error::{Error, Result};
use crate::numeric::real;
use crate::units::{Confidence, Delta};
use statrs::distribution::{Binomial, Discrete, DiscreteCDF};

/// Beyond this no guess is surprising enough.
const LARGEST: f64 = 64.0;

/// A lower bound on ε at this δ, from one run of a mechanism over `canaries` people, each of whom was put into the pool by a fair coin of their own. An attacker saw the output and
/// guessed the coins of `guesses` of them, as they liked, of which `correct` were right.
///
/// ```
/// use backmask::dp::audit::one_run;
/// use backmask::units::{Confidence, Delta};
///
/// // 1000 canaries, 100 guesses, all of them right.
/// let epsilon = one_run(1000, 100, 100, Delta::new(0.0)?, Confidence::new(0.95)?)?;
/// assert!((epsilon - 3.4930).abs() < 1e-4);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// Not correct ≤ guesses ≤ canaries.
///
/// # Guarantee
/// If the mechanism is (ε, δ)-differentially private, the bound is above ε with probability at most 1 − `confidence`.
///
/// # References
/// Steinke, Nasr, Jagielski, *Privacy auditing with one (1) training run* (2023), theorem 5.2 and appendix D.
pub fn one_run(canaries: u64, guesses: u64, correct: u64, delta: Delta, confidence: Confidence) -> Result<f64> {
    if correct > guesses || guesses > canaries {
        return Err(Error::Parameter { name: "correct", problem: "must be at most the guesses, and they at most the canaries".to_owned() });
    }
    let significance = 1.0 - confidence.get();
    let surprising = |epsilon| Ok::<_, Error>(p_value(canaries, guesses, correct, epsilon, delta.get())? < significance);
    if !surprising(0.0)? {
        return Ok(0.0);
    }
    let (mut low, mut high) = (0.0, 1.0);
    while high < LARGEST && surprising(high)? {
        (low, high) = (high, 2.0 * high);
    }
    while high - low > 1e-9 {
        let middle = f64::midpoint(low, high);
        if surprising(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The probability, at most, of so many correct guesses if the mechanism is (ε, δ)-differentially private.
fn p_value(canaries: u64, guesses: u64, correct: u64, epsilon: f64, delta: f64) -> Result<f64> {
    if correct == 0 {
        return Ok(1.0);
    }
    let law = Binomial::new(1.0 / (1.0 + (-epsilon).exp()), guesses)
        .map_err(|_| Error::Parameter { name: "guesses", problem: "must be a number of guesses".to_owned() })?;
    let as_many = law.sf(correct - 1);
    // The largest mean of P(correct − i ≤ X < correct) over i.
    let (mut sum, mut largest) = (0.0, 0.0_f64);
    for fewer in 1..=correct {
        let term = law.pmf(correct - fewer);
        sum += term;
        largest = largest.max(sum / real(fewer));
        // What is left of the tail cannot raise a mean that has begun to fall.
        if term < largest {
            break;
        }
    }
    Ok((as_many + largest * delta * 2.0 * real(canaries)).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(canaries: u64, guesses: u64, correct: u64, delta: f64) -> f64 {
        one_run(canaries, guesses, correct, Delta::new(delta).unwrap(), Confidence::new(0.95).unwrap()).unwrap()
    }

    #[test]
    fn known_answers() {
        for (canaries, guesses, correct, delta, expected) in [
            (1000, 100, 100, 0.0, 3.4930),
            (1000, 100, 100, 1e-6, 3.4902),
            (1000, 100, 100, 1e-5, 3.4654),
            (1000, 100, 90, 0.0, 1.6308),
            (1000, 1000, 650, 0.0, 0.5082),
            (10_000, 1000, 900, 0.0, 2.0212),
            (10_000, 1000, 900, 1e-5, 2.0152),
        ] {
            let found = bound(canaries, guesses, correct, delta);
            assert!((found - expected).abs() < 1.1e-4, "{canaries} {guesses} {correct} {delta}: {found}");
        }
    }

    /// The mean over i that is largest is found without looking at all of them.
    #[test]
    fn the_loop_may_stop_early() {
        let all = |guesses: u64, correct: u64, epsilon: f64| {
            let law = Binomial::new(1.0 / (1.0 + f64::exp(-epsilon)), guesses).unwrap();
            let (mut sum, mut largest) = (0.0, 0.0_f64);
            for fewer in 1..=correct {
                sum += law.pmf(correct - fewer);
                largest = largest.max(sum / real(fewer));
            }
            law.sf(correct - 1) + largest * 0.001
        };
        for (guesses, correct) in [(10, 10), (50, 20), (100, 90), (300, 160)] {
            for epsilon in [0.0, 0.3, 1.0, 3.0] {
                let found = p_value(500, guesses, correct, epsilon, 1e-6).unwrap();
                assert!((found - all(guesses, correct, epsilon).min(1.0)).abs() < 1e-12, "{guesses} {correct} {epsilon}");
            }
        }
    }

    #[test]
    fn extremes() {
        assert!(bound(10, 0, 0, 0.0) <= 0.0 && bound(10, 10, 0, 0.0) <= 0.0 && bound(1000, 1000, 500, 0.0) <= 0.0);
        assert!(bound(1000, 1000, 1000, 0.5) < bound(1000, 1000, 1000, 0.0));
        assert!(one_run(5, 6, 1, Delta::new(0.0).unwrap(), Confidence::new(0.95).unwrap()).is_err());
        assert!(one_run(5, 4, 5, Delta::new(0.0).unwrap(), Confidence::new(0.95).unwrap()).is_err());
    }
}
