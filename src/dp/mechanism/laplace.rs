//! Discrete Laplace noise on counts.

use super::number::{exact, over, scaled, told_down, told_up, whole};
use super::sensitivity::L1Sensitivity;
use crate::dp::event::PrivacyEvent;
use crate::dp::noise::{self, Noise};
use crate::dp::rational::Rational;
use crate::error::Result;
use crate::units::Epsilon;
use rand::CryptoRng;

/// Adds discrete Laplace noise, P(x) ∝ exp(−|x| / scale), to whole numbers.
///
/// ```
/// use backmask::dp::mechanism::{DiscreteLaplaceMechanism, L1Sensitivity};
/// use backmask::units::Epsilon;
/// use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
///
/// // 10 items of a person count, once each.
/// let sensitivity = L1Sensitivity::of_cells(10, 1)?;
/// let mechanism = DiscreteLaplaceMechanism::from_epsilon(Epsilon::new(0.1)?, sensitivity)?;
/// assert_eq!(mechanism.scale().to_string(), "100");
/// let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("random bits");
/// let noisy = mechanism.release(&[120, 0, 7], &mut rng);
/// assert_eq!(noisy.len(), 3);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// Promised to every person whose presence changes the numbers by at most Δ in L1: ε-differential privacy with ε = Δ / scale, exactly. Whoever knows all
/// numbers but that person's part learns no more about it than that.
///
/// # References
/// Ghosh, Roughgarden, Sundararajan, *Universally utility-maximizing privacy mechanisms* (2009); Canonne, Kamath, Steinke, *The discrete Gaussian for differential privacy*
/// (2020), section 5.
#[derive(Debug, Clone)]
pub struct DiscreteLaplaceMechanism {
    law: noise::DiscreteLaplace,
}

impl DiscreteLaplaceMechanism {
    /// Noise of this scale.
    ///
    /// # Errors
    /// A scale outside [2⁻²⁰, 2⁵⁰].
    pub fn from_scale(scale: &Rational) -> Result<Self> {
        Ok(Self { law: noise::DiscreteLaplace::new(scale)? })
    }

    /// The least noise that is ε-differentially private at this sensitivity: scale = Δ / ε.
    ///
    /// # Errors
    /// A scale outside [2⁻²⁰, 2⁵⁰].
    pub fn from_epsilon(epsilon: Epsilon, sensitivity: L1Sensitivity) -> Result<Self> {
        Self::from_scale(&over(&whole(sensitivity.get()), &exact(epsilon)?)?)
    }

    /// The scale b.
    #[must_use]
    pub fn scale(&self) -> &Rational {
        self.law.scale()
    }

    /// The law of its noise: with it [`add_noise`](crate::dp::noise::add_noise) works on an Arrow array.
    #[must_use]
    pub fn law(&self) -> &noise::DiscreteLaplace {
        &self.law
    }

    /// ε at this sensitivity, exactly.
    ///
    /// # Errors
    /// Never: a scale is more than 0.
    pub fn epsilon(&self, sensitivity: L1Sensitivity) -> Result<Rational> {
        Ok(scaled(&self.law.scale().reciprocal()?, sensitivity.get()))
    }

    /// What a release of one number costs that a person changes by at most `sensitivity`. Composed by the accountant, many of them cost less than the sum of their ε.
    ///
    /// # Errors
    /// The accountant does not know noise of this scale at this sensitivity.
    pub fn event(&self, sensitivity: u64) -> Result<PrivacyEvent> {
        #[expect(clippy::cast_precision_loss, reason = "the check refuses sensitivities above a million")]
        let event = PrivacyEvent::DiscreteLaplace { scale: told_down(self.law.scale()), sensitivity: sensitivity as f64, count: 1 };
        event.check()?;
        Ok(event)
    }

    /// What a release of a list of numbers costs that a person changes by at most `sensitivity` in L1.
    ///
    /// # Errors
    /// The accountant does not know noise of this scale at this sensitivity.
    pub fn list_event(&self, sensitivity: L1Sensitivity) -> Result<PrivacyEvent> {
        let event = PrivacyEvent::Pure { epsilon: told_up(&self.epsilon(sensitivity)?), count: 1 };
        event.check()?;
        Ok(event)
    }

    /// The numbers with noise. What leaves the range of `i64` stops at its end, which costs nothing.
    #[must_use]
    pub fn release(&self, values: &[i64], rng: &mut dyn CryptoRng) -> Vec<i64> {
        noisy(&self.law, values, rng)
    }
}

/// The numbers with noise of a law.
pub(super) fn noisy(law: &dyn Noise, values: &[i64], rng: &mut dyn CryptoRng) -> Vec<i64> {
    let mut noise = vec![0; values.len()];
    law.fill(rng, &mut noise);
    values.iter().zip(noise).map(|(value, noise)| value.saturating_add(noise)).collect()
}
