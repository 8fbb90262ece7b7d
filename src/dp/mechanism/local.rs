//! Answers that are noisy before they leave a person's device.

use super::number::{exact, told_up};
use crate::dp::event::PrivacyEvent;
use crate::dp::noise::{bernoulli_exp, uniform_below};
use crate::dp::rational::Rational;
use crate::error::{Error, Result};
use crate::numeric::real;
use crate::units::Epsilon;
use rand::CryptoRng;

/// One of k answers, told truly with probability e^ε / (e^ε + k − 1), else one of the others, each as likely.
///
/// ```
/// use backmask::dp::mechanism::RandomizedResponse;
/// use backmask::units::Epsilon;
/// use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
///
/// let mechanism = RandomizedResponse::new(5, Epsilon::new(2.0)?)?;
/// let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("random bits");
/// let mut counts = [0; 5];
/// for _ in 0..1000 {
///     counts[mechanism.answer(3, &mut rng)?] += 1;
/// }
/// let estimate = mechanism.estimate(&counts)?; // unbiased
/// assert!(estimate[3] > 800.0);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// Promised to the person who answers, against everybody who sees the answer: exchanging the true answer for another one changes no probability by more than a factor e^ε (local
/// differential privacy). It hides what was answered, not that there was an answer.
///
/// # References
/// Warner, *Randomized response* (1965); Kairouz, Bonawitz, Ramage, *Discrete distribution estimation under local privacy* (2016), section 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RandomizedResponse {
    answers: usize,
    epsilon: Rational,
}

fn answers_of(answers: usize) -> Result<()> {
    // More than that are no questionnaire, and their number would not fit into a float.
    if (2..=1 << 31).contains(&answers) {
        Ok(())
    } else {
        Err(Error::Parameter { name: "answers", problem: "must lie in [2, 2147483648]".to_owned() })
    }
}

fn known(answer: usize, answers: usize) -> Result<()> {
    if answer < answers { Ok(()) } else { Err(Error::Parameter { name: "answer", problem: format!("must be less than {answers}") }) }
}

fn one_for_each(given: usize, answers: usize) -> Result<()> {
    if given == answers {
        Ok(())
    } else {
        Err(Error::Parameter { name: "counts", problem: format!("must be {answers}, one for each answer") })
    }
}

fn pure(epsilon: &Rational) -> Result<PrivacyEvent> {
    let event = PrivacyEvent::Pure { epsilon: told_up(epsilon), count: 1 };
    event.check()?;
    Ok(event)
}

impl RandomizedResponse {
    /// Among this many answers.
    ///
    /// # Errors
    /// Fewer than 2 answers.
    pub fn new(answers: usize, epsilon: Epsilon) -> Result<Self> {
        answers_of(answers)?;
        Ok(Self { answers, epsilon: exact(epsilon)? })
    }

    /// What one answer costs.
    ///
    /// # Errors
    /// The accountant does not know an ε of this size.
    pub fn event(&self) -> Result<PrivacyEvent> {
        pure(&self.epsilon)
    }

    /// The answer that is told.
    ///
    /// # Errors
    /// The true answer is none of them.
    pub fn answer(&self, truth: usize, rng: &mut dyn CryptoRng) -> Result<usize> {
        known(truth, self.answers)?;
        loop {
            // Any answer, taken for certain if it is true and with probability e^−ε if not.
            let told = usize::try_from(uniform_below(self.answers as u64, rng)?).unwrap_or(usize::MAX);
            if told == truth || bernoulli_exp(&self.epsilon, rng) {
                return Ok(told);
            }
        }
    }

    /// Unbiased estimates of how many people have each answer, from how often each was told.
    ///
    /// # Errors
    /// Not one count for each answer.
    pub fn estimate(&self, counts: &[u64]) -> Result<Vec<f64>> {
        one_for_each(counts.len(), self.answers)?;
        let people: f64 = counts.iter().map(|count| real(*count)).sum();
        let odds = (-self.epsilon.to_f64()).exp();
        let truly = 1.0 / (1.0 + odds * (real(self.answers as u64) - 1.0));
        let falsely = odds * truly;
        Ok(counts.iter().map(|count| (real(*count) - people * falsely) / (truly - falsely)).collect())
    }
}

/// One of k answers as k bits: the bit of the true answer is told as 1 with probability 1/2, every other with probability 1 / (e^ε + 1). For many answers its estimates are
/// sharper than those of [`RandomizedResponse`]: their variance does not grow with k.
///
/// ```
/// use backmask::dp::mechanism::OptimizedUnaryEncoding;
/// use backmask::units::Epsilon;
/// use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
///
/// let mechanism = OptimizedUnaryEncoding::new(100, Epsilon::new(1.0)?)?;
/// let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("random bits");
/// let bits = mechanism.answer(42, &mut rng)?;
/// assert_eq!(bits.len(), 100);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// As that of [`RandomizedResponse`], for all bits together.
///
/// # References
/// Wang, Blocki, Li, Jha, *Locally differentially private protocols for frequency estimation* (2017), section 4.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptimizedUnaryEncoding {
    answers: usize,
    epsilon: Rational,
}

impl OptimizedUnaryEncoding {
    /// Among this many answers.
    ///
    /// # Errors
    /// Fewer than 2 answers.
    pub fn new(answers: usize, epsilon: Epsilon) -> Result<Self> {
        answers_of(answers)?;
        Ok(Self { answers, epsilon: exact(epsilon)? })
    }

    /// What one answer costs.
    ///
    /// # Errors
    /// The accountant does not know an ε of this size.
    pub fn event(&self) -> Result<PrivacyEvent> {
        pure(&self.epsilon)
    }

    /// The bits that are told.
    ///
    /// # Errors
    /// The true answer is none of them.
    pub fn answer(&self, truth: usize, rng: &mut dyn CryptoRng) -> Result<Vec<bool>> {
        known(truth, self.answers)?;
        Ok((0..self.answers).map(|answer| if answer == truth { rng.next_u64() & 1 == 1 } else { self.rare(rng) }).collect())
    }

    /// True with probability 1 / (e^ε + 1): a fair coin, whose heads are kept with probability e^−ε and else thrown again.
    fn rare(&self, rng: &mut dyn CryptoRng) -> bool {
        loop {
            let heads = rng.next_u64() & 1 == 1;
            if !heads || bernoulli_exp(&self.epsilon, rng) {
                return heads;
            }
        }
    }

    /// Unbiased estimates of how many people have each answer, from how many told a 1 for each, out of `people`.
    ///
    /// # Errors
    /// Not one count for each answer, or a count above `people`.
    pub fn estimate(&self, ones: &[u64], people: u64) -> Result<Vec<f64>> {
        one_for_each(ones.len(), self.answers)?;
        if ones.iter().any(|count| *count > people) {
            return Err(Error::Parameter { name: "counts", problem: "must be at most the number of people".to_owned() });
        }
        let falsely = 1.0 / (self.epsilon.to_f64().exp() + 1.0);
        Ok(ones.iter().map(|count| (real(*count) - real(people) * falsely) / (0.5 - falsely)).collect())
    }
}
