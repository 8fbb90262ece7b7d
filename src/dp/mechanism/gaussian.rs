//! Gaussian noise on counts: discrete, and continuous rounded to whole numbers.

use super::laplace::noisy;
use super::number::{over, positive, scaled, square_root_up, told_down, told_up};
use super::sensitivity::L2Sensitivity;
use crate::dp::accounting::gaussian;
use crate::dp::event::PrivacyEvent;
use crate::dp::noise;
use crate::dp::rational::Rational;
use crate::error::Result;
use crate::units::{Delta, Epsilon};
use rand::CryptoRng;

/// Adds discrete Gaussian noise, P(x) ∝ exp(−x² / 2σ²), to whole numbers.
///
/// ```
/// use backmask::dp::mechanism::{DiscreteGaussianMechanism, L2Sensitivity};
///
/// let sensitivity = L2Sensitivity::of_cells(100, 1)?;
/// let mechanism = DiscreteGaussianMechanism::from_rho(&"0.5".parse()?, sensitivity)?;
/// assert_eq!(mechanism.sigma().to_string(), "10");
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// Promised to every person whose presence changes the numbers by at most Δ in L2: ρ-zCDP with ρ = Δ² / 2σ², for lists too. It is not μ-GDP: on a list of numbers use
/// [`RoundedGaussianMechanism`] where the sharper statement is wanted.
///
/// # References
/// Canonne, Kamath, Steinke, *The discrete Gaussian for differential privacy* (2020), theorem 4 and corollary 16.
#[derive(Debug, Clone)]
pub struct DiscreteGaussianMechanism {
    law: noise::DiscreteGaussian,
}

impl DiscreteGaussianMechanism {
    /// Noise with this σ.
    ///
    /// # Errors
    /// σ outside [2⁻²⁰, 2⁵⁰].
    pub fn from_sigma(sigma: &Rational) -> Result<Self> {
        Ok(Self { law: noise::DiscreteGaussian::new(sigma)? })
    }

    /// The least noise that is ρ-zCDP at this sensitivity: σ = Δ / √(2ρ), rounded up.
    ///
    /// # Errors
    /// ρ is 0, or σ lies outside [2⁻²⁰, 2⁵⁰].
    pub fn from_rho(rho: &Rational, sensitivity: L2Sensitivity) -> Result<Self> {
        positive("rho", rho)?;
        Self::from_sigma(&square_root_up(&over(&sensitivity.square(), &scaled(rho, 2))?))
    }

    /// σ.
    #[must_use]
    pub fn sigma(&self) -> &Rational {
        self.law.sigma()
    }

    /// The law of its noise: with it [`add_noise`](crate::dp::noise::add_noise) works on an Arrow array.
    #[must_use]
    pub fn law(&self) -> &noise::DiscreteGaussian {
        &self.law
    }

    /// ρ at this sensitivity, exactly.
    ///
    /// # Errors
    /// Never: σ is more than 0.
    pub fn rho(&self, sensitivity: L2Sensitivity) -> Result<Rational> {
        over(&sensitivity.square(), &scaled(&self.sigma().times(self.sigma()), 2))
    }

    /// What a release of one number costs that a person changes by at most `sensitivity`: the accountant knows its exact loss.
    ///
    /// # Errors
    /// The accountant does not know noise of this σ at this sensitivity.
    pub fn event(&self, sensitivity: u64) -> Result<PrivacyEvent> {
        #[expect(clippy::cast_precision_loss, reason = "the check refuses sensitivities above a million")]
        let event = PrivacyEvent::DiscreteGaussian { sigma: told_down(self.sigma()), sensitivity: sensitivity as f64, count: 1 };
        event.check()?;
        Ok(event)
    }

    /// What a release of a list of numbers costs that a person changes by at most `sensitivity` in L2.
    ///
    /// # Errors
    /// The accountant does not know a ρ of this size.
    pub fn list_event(&self, sensitivity: L2Sensitivity) -> Result<PrivacyEvent> {
        let event = PrivacyEvent::Zcdp { rho: told_up(&self.rho(sensitivity)?), count: 1 };
        event.check()?;
        Ok(event)
    }

    /// The numbers with noise. What leaves the range of `i64` stops at its end.
    #[must_use]
    pub fn release(&self, values: &[i64], rng: &mut dyn CryptoRng) -> Vec<i64> {
        noisy(&self.law, values, rng)
    }
}

/// Adds continuous Gaussian noise to whole numbers and rounds the result to the nearest whole number.
///
/// ```
/// use backmask::dp::mechanism::{L2Sensitivity, RoundedGaussianMechanism};
///
/// let mechanism = RoundedGaussianMechanism::from_mu(&"0.5".parse()?, L2Sensitivity::of_cells(100, 1)?)?;
/// assert_eq!(mechanism.sigma().to_string(), "20");
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// Promised to every person whose presence changes the numbers by at most Δ in L2: μ-GDP with μ = Δ / σ, exactly, for lists too: rounding is done after the noise, to a
/// number that is whole before it.
///
/// # References
/// Dong, Roth, Su, *Gaussian differential privacy* (2022), theorem 2.7 and corollary 3.3 (composition).
#[derive(Debug, Clone)]
pub struct RoundedGaussianMechanism {
    law: noise::RoundedGaussian,
}

impl RoundedGaussianMechanism {
    /// Noise with this σ before rounding.
    ///
    /// # Errors
    /// σ outside [2⁻²⁰, 2⁵⁰].
    pub fn from_sigma(sigma: &Rational) -> Result<Self> {
        Ok(Self { law: noise::RoundedGaussian::new(sigma)? })
    }

    /// The least noise that is μ-GDP at this sensitivity: σ = Δ / μ, rounded up.
    ///
    /// # Errors
    /// μ is 0, or σ lies outside [2⁻²⁰, 2⁵⁰].
    pub fn from_mu(mu: &Rational, sensitivity: L2Sensitivity) -> Result<Self> {
        positive("mu", mu)?;
        Self::from_sigma(&square_root_up(&over(&sensitivity.square(), &mu.times(mu))?))
    }

    /// The least noise that is (ε, δ)-differentially private at this sensitivity: the analytic calibration, rounded up.
    ///
    /// ```
    /// use backmask::dp::mechanism::{L2Sensitivity, RoundedGaussianMechanism};
    /// use backmask::units::{Delta, Epsilon};
    ///
    /// let one = L2Sensitivity::from_square(1)?;
    /// let mechanism = RoundedGaussianMechanism::from_epsilon(Epsilon::new(1.0)?, Delta::new(1e-6)?, one)?;
    /// assert!((mechanism.sigma().to_f64() - 4.2247).abs() < 1e-4);
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// δ is 0, or σ lies outside [2⁻²⁰, 2⁵⁰].
    ///
    /// # References
    /// Balle and Wang, *Improving the Gaussian mechanism for differential privacy* (2018), algorithm 1.
    pub fn from_epsilon(epsilon: Epsilon, delta: Delta, sensitivity: L2Sensitivity) -> Result<Self> {
        // The closed form has a relative error below 10⁻¹².
        let mu = gaussian::mu(epsilon, Delta::new(delta.get() * (1.0 - 1e-10))?)?;
        Self::from_mu(&Rational::try_from(mu)?, sensitivity)
    }

    /// σ before rounding.
    #[must_use]
    pub fn sigma(&self) -> &Rational {
        self.law.sigma()
    }

    /// The law of its noise: with it [`add_noise`](crate::dp::noise::add_noise) works on an Arrow array.
    #[must_use]
    pub fn law(&self) -> &noise::RoundedGaussian {
        &self.law
    }

    /// μ² at this sensitivity, exactly.
    ///
    /// # Errors
    /// Never: σ is more than 0.
    pub fn mu_squared(&self, sensitivity: L2Sensitivity) -> Result<Rational> {
        over(&sensitivity.square(), &self.sigma().times(self.sigma()))
    }

    /// What a release costs of numbers that a person changes by at most `sensitivity` in L2.
    ///
    /// # Errors
    /// The accountant does not know noise of this σ at this sensitivity.
    pub fn event(&self, sensitivity: L2Sensitivity) -> Result<PrivacyEvent> {
        let event = PrivacyEvent::RoundedGaussian {
            sigma: told_down(self.sigma()),
            sensitivity: told_up(&square_root_up(&sensitivity.square())),
            count: 1,
        };
        event.check()?;
        Ok(event)
    }

    /// The numbers with noise. What leaves the range of `i64` stops at its end.
    #[must_use]
    pub fn release(&self, values: &[i64], rng: &mut dyn CryptoRng) -> Vec<i64> {
        noisy(&self.law, values, rng)
    }
}
