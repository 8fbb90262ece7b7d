//! The sparse vector technique: many questions, of which few answers are paid for.

use super::Direction;
use super::number::{at_least_one, exact, over, plus, scaled, told_up, whole};
use crate::dp::event::PrivacyEvent;
use crate::dp::noise::{DiscreteLaplace, Noise};
use crate::dp::rational::Rational;
use crate::error::{Error, Result};
use crate::units::Epsilon;
use rand::CryptoRng;

/// Says of one number after the other whether it is above a threshold, until it has said so `positives` times; however many numbers are not above it, they cost nothing.
///
/// It is algorithm 7 of Lyu, Su and Li without numeric answers: the noise of the threshold is drawn once and kept, the noise of every number has a scale that grows with the
/// number of positive answers, and after the last of them nothing more is said. Leaving out any of the three is the error of a published variant.
///
/// ```
/// use backmask::dp::mechanism::{AboveThreshold, Direction};
/// use backmask::units::Epsilon;
/// use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
///
/// let mechanism = AboveThreshold::new(Epsilon::new(0.5)?, Epsilon::new(0.5)?, 1, 1, Direction::Monotonic)?;
/// let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("random bits");
/// let mut run = mechanism.start(10_000, &mut rng);
/// assert!(!run.ask(3, &mut rng)?);
/// assert!(run.ask(1_000_000, &mut rng)?);
/// assert!(run.ask(1_000_000, &mut rng).is_err(), "one positive answer was paid for");
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// Promised to every person whose presence changes each number by at most Δ: all answers of one run together are (ε₁ + ε₂)-differentially private, whatever the numbers are and
/// however they are chosen by earlier answers. The noisy numbers themselves are not given: each would cost more.
///
/// # References
/// Lyu, Su, Li, *Understanding the sparse vector technique for differential privacy* (2017), algorithm 7, theorems 4 and 5, section 4.2 (how to split ε).
#[derive(Debug, Clone)]
pub struct AboveThreshold {
    epsilon: Rational,
    threshold_noise: DiscreteLaplace,
    number_noise: DiscreteLaplace,
    positives: u64,
}

impl AboveThreshold {
    /// ε₁ for the threshold, ε₂ for the numbers, of which at most `positives` are said to be above, each changed by a person by at most `sensitivity`. The answers are the
    /// sharpest with ε₂ / ε₁ = (2 · positives)^⅔, or positives^⅔ if monotonic.
    ///
    /// # Errors
    /// `positives` or `sensitivity` is 0, or noise outside [2⁻²⁰, 2⁵⁰].
    pub fn new(threshold: Epsilon, numbers: Epsilon, positives: u64, sensitivity: u64, direction: Direction) -> Result<Self> {
        at_least_one("positives", positives)?;
        at_least_one("sensitivity", sensitivity)?;
        let sides = match direction {
            Direction::Any => 2,
            Direction::Monotonic => 1,
        };
        let (first, second) = (exact(threshold)?, exact(numbers)?);
        let sensitivity = whole(sensitivity);
        let threshold_scale = over(&sensitivity, &first)?;
        let number_scale = over(&scaled(&scaled(&sensitivity, positives), sides), &second)?;
        let (threshold_noise, number_noise) = (DiscreteLaplace::new(&threshold_scale)?, DiscreteLaplace::new(&number_scale)?);
        Ok(Self { epsilon: plus(&first, &second), threshold_noise, number_noise, positives })
    }

    /// What one run costs.
    ///
    /// # Errors
    /// The accountant does not know an ε of this size.
    pub fn event(&self) -> Result<PrivacyEvent> {
        let event = PrivacyEvent::Pure { epsilon: told_up(&self.epsilon), count: 1 };
        event.check()?;
        Ok(event)
    }

    /// Begins a run against a threshold that is public.
    pub fn start(&self, threshold: i64, rng: &mut dyn CryptoRng) -> AboveThresholdRun<'_> {
        let noisy = i128::from(threshold) + i128::from(self.threshold_noise.sample(rng));
        AboveThresholdRun { mechanism: self, threshold: noisy, left: self.positives }
    }
}

/// A run of [`AboveThreshold`].
pub struct AboveThresholdRun<'a> {
    mechanism: &'a AboveThreshold,
    /// With its noise: it must not become known.
    threshold: i128,
    left: u64,
}

impl std::fmt::Debug for AboveThresholdRun<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AboveThresholdRun").field("left", &self.left).finish_non_exhaustive()
    }
}

impl AboveThresholdRun<'_> {
    /// Whether the number is above the threshold.
    ///
    /// # Errors
    /// All positive answers that were paid for have been given.
    pub fn ask(&mut self, value: i64, rng: &mut dyn CryptoRng) -> Result<bool> {
        if self.left == 0 {
            let problem = format!("all {} positive answers were given; start another run", self.mechanism.positives);
            return Err(Error::Parameter { name: "positives", problem });
        }
        let above = i128::from(value) + i128::from(self.mechanism.number_noise.sample(rng)) >= self.threshold;
        self.left -= u64::from(above);
        Ok(above)
    }

    /// How many positive answers are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }
}
