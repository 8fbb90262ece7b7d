//! Choosing one candidate, or several, by a score.

use super::number::{at_least_one, exact, scaled, told_up};
use crate::dp::event::PrivacyEvent;
use crate::dp::noise::{bernoulli_exp, uniform_below};
use crate::dp::rational::Rational;
use crate::error::{Error, Result};
use crate::units::Epsilon;
use dashu_int::UBig;
use rand::CryptoRng;

/// How scores change when one person is added or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Some may rise while others fall.
    Any,
    /// All that change, change in the same direction, as counts do. The same ε then buys twice the precision.
    Monotonic,
}

/// How one candidate is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// P(candidate) ∝ exp(ε · score / 2Δ).
    ///
    /// Frank `McSherry` and Kunal Talwar, *Mechanism design via differential privacy* (2007).
    Exponential,
    /// The candidates in a random order, the first whose coin falls, with probability exp(−ε · (best − score) / 2Δ). Never worse in expectation than the exponential
    /// mechanism at the same ε, and up to twice as good. It has the law of report-noisy-max with exponential noise.
    ///
    /// Ryan `McKenna` and Daniel Sheldon, *Permute-and-flip: a new mechanism for differentially private selection* (2020), algorithm 1 and theorem 1; Ding, Kifer et al., *The
    /// permute-and-flip mechanism is identical to report-noisy-max with exponential noise* (2021).
    PermuteAndFlip,
}

/// Chooses the candidate with a high score.
///
/// ```
/// use backmask::dp::mechanism::{Choice, Direction, Method};
/// use backmask::units::Epsilon;
/// use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
///
/// let choice = Choice::new(Method::PermuteAndFlip, Epsilon::new(1.0)?, 1, Direction::Monotonic)?;
/// let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("random bits");
/// assert_eq!(choice.choose(&[3, 1000, 5], &mut rng)?, 1, "but with a probability below 1e-400");
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// Promised to every person whose presence changes each score by at most Δ (and in one direction where that was said): the index is ε-differentially private. Scores are
/// whole numbers and every probability is exact. The number of candidates is public.
///
/// # Security
/// How long a choice takes depends on the scores.
///
/// # References
/// See [`Method`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    method: Method,
    epsilon: Rational,
    /// The exponent of one unit of score.
    rate: Rational,
}

impl Choice {
    /// A choice at ε among scores that a person changes by at most `sensitivity` each.
    ///
    /// # Errors
    /// The sensitivity is 0.
    pub fn new(method: Method, epsilon: Epsilon, sensitivity: u64, direction: Direction) -> Result<Self> {
        at_least_one("sensitivity", sensitivity)?;
        let epsilon = exact(epsilon)?;
        let sides: u64 = match direction {
            Direction::Any => 2,
            Direction::Monotonic => 1,
        };
        let denominator = UBig::from(sensitivity) * UBig::from(sides);
        let rate = epsilon.times(&Rational::reduced(UBig::ONE, denominator));
        Ok(Self { method, epsilon, rate })
    }

    /// ε of one choice.
    #[must_use]
    pub fn epsilon(&self) -> &Rational {
        &self.epsilon
    }

    /// What one choice costs.
    ///
    /// # Errors
    /// The accountant does not know an ε of this size.
    pub fn event(&self) -> Result<PrivacyEvent> {
        let event = PrivacyEvent::Pure { epsilon: told_up(&self.epsilon), count: 1 };
        event.check()?;
        Ok(event)
    }

    /// What one choice of the exponential mechanism costs in zCDP: ρ = ε² / 8, a quarter of what any ε-differentially private mechanism costs, because it is ε-bounded range.
    /// None for permute-and-flip, which is not.
    ///
    /// # References
    /// Cesar and Rogers, *Bounding, concentrating, and truncating: unifying privacy loss composition for data analytics* (2021), lemma 3.2.
    #[must_use]
    pub fn concentrated_event(&self) -> Option<PrivacyEvent> {
        let rho = self.epsilon.times(&self.epsilon).times_power_of_two(-3);
        let event = PrivacyEvent::Zcdp { rho: told_up(&rho), count: 1 };
        (self.method == Method::Exponential && event.check().is_ok()).then_some(event)
    }

    /// Index of the chosen candidate.
    ///
    /// # Errors
    /// There is no candidate.
    pub fn choose(&self, scores: &[i64], rng: &mut dyn CryptoRng) -> Result<usize> {
        self.one_of(scores, &(0..scores.len()).collect::<Vec<_>>(), rng)
    }

    /// Indices of `count` different candidates, chosen one after the other. Together they cost `count` times the event of one choice.
    ///
    /// # Errors
    /// `count` is 0 or larger than the number of candidates.
    ///
    /// # References
    /// Durfee and Rogers, *Practical differentially private top-k selection with pay-what-you-get composition* (2019), section 4: with [`Method::Exponential`] this is the law
    /// of the k largest scores after Gumbel noise.
    pub fn choose_several(&self, scores: &[i64], count: usize, rng: &mut dyn CryptoRng) -> Result<Vec<usize>> {
        if count == 0 || count > scores.len() {
            return Err(Error::Parameter {
                name: "count",
                problem: format!("must lie in [1, {}], the number of candidates", scores.len()),
            });
        }
        let mut left: Vec<usize> = (0..scores.len()).collect();
        let mut chosen = Vec::with_capacity(count);
        for _ in 0..count {
            let next = self.one_of(scores, &left, rng)?;
            left.retain(|candidate| *candidate != next);
            chosen.push(next);
        }
        Ok(chosen)
    }

    /// One of these candidates.
    fn one_of(&self, scores: &[i64], candidates: &[usize], rng: &mut dyn CryptoRng) -> Result<usize> {
        let score = |candidate: usize| scores.get(candidate).copied().unwrap_or(i64::MIN);
        let Some(best) = candidates.iter().map(|candidate| score(*candidate)).max() else {
            return Err(Error::Parameter { name: "scores", problem: "must hold at least one candidate".to_owned() });
        };
        let mut left = candidates.to_vec();
        loop {
            let count = u64::try_from(left.len()).unwrap_or(u64::MAX);
            let at = usize::try_from(uniform_below(count, rng)?).unwrap_or(usize::MAX);
            let candidate = match self.method {
                // Drawn again until it is taken: the law of those taken is the weights'.
                Method::Exponential => left.get(at).copied(),
                // Every candidate comes up once; the best is taken for certain.
                Method::PermuteAndFlip => Some(left.swap_remove(at)),
            };
            let Some(candidate) = candidate else { continue };
            if bernoulli_exp(&scaled(&self.rate, best.abs_diff(score(candidate))), rng) {
                return Ok(candidate);
            }
        }
    }
}
