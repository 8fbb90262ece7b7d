//! What a privacy loss means for an attack.
//!
//! Every test that tells two neighbouring pools apart has a rate of false positives α and a rate of true positives of at most 1 − f(α), where f is the trade-off
//! function of the mechanism. Membership inference is such a test. Reconstruction of one of several candidates, which a blind guess hits with probability κ, succeeds with
//! probability at most 1 − f(κ).
//!
//! # References
//! Wasserman and Zhou, JASA 105 (2010); Dong, Roth and Su, "Gaussian differential privacy", JRSS B 84 (2022); Kaissis, Hayes, Ziller and Rueckert, "Bounding data
//! reconstruction attacks with the hypothesis testing interpretation of differential privacy", 2023.

use super::gaussian::true_positives;
use super::normal::central;
use crate::dp::event::{between, domain};
use crate::error::Result;
use crate::units::{Delta, Epsilon};

/// A bound of what tests can do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TradeOff {
    /// That of (ε, δ)-differential privacy, f(α) = max(0, 1 − δ − e^ε α, e^(−ε) (1 − δ − α)).
    Approximate {
        /// ε.
        epsilon: Epsilon,
        /// δ.
        delta: Delta,
    },
    /// That of μ-GDP, f(α) = Φ(Φ⁻¹(1 − α) − μ).
    Gaussian {
        /// μ, at least 0.
        mu: f64,
    },
}

impl TradeOff {
    /// The most true positives at a rate α of false positives: 1 − f(α).
    ///
    /// # Errors
    /// `false_positives` lies outside \[0, 1\], or μ is not a number of at least 0.
    ///
    /// ```
    /// use backmask::dp::accounting::tradeoff::TradeOff;
    /// let most = TradeOff::Gaussian { mu: 1.0 }.true_positives(0.1)?;
    /// assert!((most - 0.389_14).abs() < 1e-5);
    /// # Ok::<(), backmask::Error>(())
    /// ```
    pub fn true_positives(self, false_positives: f64) -> Result<f64> {
        if !(0.0..=1.0).contains(&false_positives) {
            return Err(domain("false_positives", "a number from 0 to 1"));
        }
        match self {
            Self::Approximate { epsilon, delta } => Ok(approximate(epsilon.get(), delta.get(), false_positives)),
            Self::Gaussian { mu } => {
                between("mu", mu, 0.0, 1e4)?;
                Ok(true_positives(false_positives, mu))
            }
        }
    }

    /// The largest difference between the rates of true and of false positives.
    ///
    /// # Errors
    /// μ is not a number of at least 0.
    pub fn advantage(self) -> Result<f64> {
        match self {
            Self::Approximate { epsilon, delta } => {
                let half = 0.5 * epsilon.get();
                Ok((half.tanh() + delta.get() * (1.0 - half.tanh())).min(1.0))
            }
            Self::Gaussian { mu } => {
                between("mu", mu, 0.0, 1e4)?;
                Ok(central(0.5 * mu))
            }
        }
    }

    /// The most that an attack reconstructs the right one of several candidates with, if a blind guess succeeds with probability `blind` (1/N, or the largest prior).
    /// Under a skewed prior look at the difference to `blind` too.
    ///
    /// # Errors
    /// As [`TradeOff::true_positives`].
    pub fn reconstruction(self, blind: f64) -> Result<f64> {
        self.true_positives(blind)
    }
}

/// The largest belief that someone took part, for whoever believed it with probability `prior` before, under ε-differential privacy. Under (ε, δ) it is exceeded with a
/// probability of about δ.
///
/// # Errors
/// `prior` lies outside \[0, 1\].
///
/// ```
/// use backmask::{dp::accounting::tradeoff::posterior, units::Epsilon};
/// assert!((posterior(0.5, Epsilon::new(1.0)?)? - 0.731).abs() < 1e-3);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn posterior(prior: f64, epsilon: Epsilon) -> Result<f64> {
    if !(0.0..=1.0).contains(&prior) {
        return Err(domain("prior", "a number from 0 to 1"));
    }
    // π e^ε / (1 + π (e^ε − 1)), divided by e^ε.
    let rest = (1.0 - prior) * (-epsilon.get()).exp();
    Ok(if prior == 0.0 { 0.0 } else { prior / (prior + rest) })
}

/// 1 − f(α) of (ε, δ).
pub(super) fn approximate(epsilon: f64, delta: f64, false_positives: f64) -> f64 {
    // e^ε may be infinite.
    let low = if false_positives > 0.0 { delta + epsilon.exp() * false_positives } else { delta };
    let high = 1.0 - (-epsilon).exp() * (1.0 - delta - false_positives);
    low.min(high).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approximate(epsilon: f64, delta: f64) -> TradeOff {
        TradeOff::Approximate { epsilon: Epsilon::new(epsilon).unwrap(), delta: Delta::new(delta).unwrap() }
    }

    #[test]
    fn figures_of_the_table() {
        // ε | posterior from 1 %, 50 % | advantage | TPR at FPR 0.1 % | one of 10,000 | μ at δ = 1e-6 | the same three of μ. Rounded as printed.
        let rows = [
            (0.1, 0.0110, 0.525, 0.050, 0.0011, 0.00011, 0.028, 0.011, 0.0011, 0.00011),
            (0.5, 0.0164, 0.622, 0.245, 0.0016, 0.00016, 0.124, 0.049, 0.0015, 0.00016),
            (1.0, 0.0267, 0.731, 0.462, 0.0027, 0.00027, 0.237, 0.094, 0.0022, 0.00025),
            (2.0, 0.0695, 0.881, 0.762, 0.0074, 0.00074, 0.448, 0.177, 0.0041, 0.00054),
            (3.0, 0.169, 0.953, 0.905, 0.0201, 0.00201, 0.648, 0.254, 0.0073, 0.00107),
            (5.0, 0.600, 0.993, 0.987, 0.148, 0.0148, 1.02, 0.390, 0.0192, 0.00348),
            (8.0, 0.968, 1.00, 0.999, 0.9997, 0.298, 1.53, 0.556, 0.0595, 0.0144),
            (10.0, 0.996, 1.0, 1.0, 1.0, 1.0, 1.85, 0.645, 0.107, 0.0307),
            (14.0, 0.9999, 1.0, 1.0, 1.0, 1.0, 2.44, 0.777, 0.257, 0.0999),
        ];
        // Three printed digits, or two for small figures.
        let near = |found: f64, printed: f64| {
            (found - printed).abs() <= 5.1e-3 * printed
                || (found - printed).abs() <= 5.1e-4 && printed > 0.01
                || (found - printed).abs() <= 0.05 * printed && printed < 0.01
        };
        for (epsilon, low, half, advantage, positives, one, mu, gauss, gauss_positives, gauss_one) in rows {
            let unit = Epsilon::new(epsilon).unwrap();
            assert!(near(posterior(0.01, unit).unwrap(), low) && near(posterior(0.5, unit).unwrap(), half), "{epsilon}");
            let pure = approximate(epsilon, 0.0);
            assert!(near(pure.advantage().unwrap(), advantage), "{epsilon}");
            assert!(near(pure.true_positives(1e-3).unwrap(), positives) && near(pure.reconstruction(1e-4).unwrap(), one), "{epsilon}");
            let found = super::super::gaussian::mu(unit, Delta::new(1e-6).unwrap()).unwrap();
            assert!(near(found, mu), "{epsilon}: {found}");
            let gaussian = TradeOff::Gaussian { mu: found };
            assert!(near(gaussian.advantage().unwrap(), gauss), "{epsilon}");
            assert!(near(gaussian.true_positives(1e-3).unwrap(), gauss_positives), "{epsilon} {:?}", gaussian.true_positives(1e-3));
            assert!(near(gaussian.reconstruction(1e-4).unwrap(), gauss_one), "{epsilon} {:?}", gaussian.reconstruction(1e-4));
        }
        // The reporting points of LiRA, with more digits.
        for (rate, most) in [(1e-5, 0.000_547_5), (1e-10, 4.1303e-8)] {
            assert!((TradeOff::Gaussian { mu: 1.0 }.true_positives(rate).unwrap() / most - 1.0).abs() < 1e-3);
        }
    }

    #[test]
    fn curves_are_never_below_the_diagonal_and_end_at_one() {
        for epsilon in [1e-6, 0.3, 4.0, 800.0] {
            for delta in [0.0, 1e-9, 0.2] {
                let curve = approximate(epsilon, delta);
                let mut before = 0.0;
                for step in 0..=50 {
                    let rate = f64::from(step) / 50.0;
                    let most = curve.true_positives(rate).unwrap();
                    assert!(most >= rate - 1e-15 && most >= before && most <= 1.0);
                    assert!(most - rate <= curve.advantage().unwrap() + 1e-12);
                    before = most;
                }
                assert!((curve.true_positives(0.0).unwrap() - delta).abs() < 1e-15 && before >= 1.0);
            }
        }
        assert!(approximate(1.0, 0.0).true_positives(f64::NAN).is_err() && posterior(1.5, Epsilon::new(1.0).unwrap()).is_err());
        assert!(TradeOff::Gaussian { mu: -1.0 }.advantage().is_err());
    }
}
