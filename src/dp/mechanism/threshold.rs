//! Which items may be named, with a noisy count beside each: noise and a threshold.

use super::laplace::noisy;
use super::number::{at_least_one, exact, over, positive, square_root_up, told_down, told_up};
use super::sensitivity::L2Sensitivity;
use crate::dp::event::PrivacyEvent;
use crate::dp::noise::{self, Noise};
use crate::dp::rational::Rational;
use crate::error::{Error, Result};
use crate::numeric::real;
use crate::units::{Delta, Epsilon};
use rand::CryptoRng;
use statrs::function::erf::erfc_inv;

/// Tails are known to about 13 digits; they are taken to be larger by this.
const MARGIN: f64 = 1e-10;

/// The probability that an item of a single person passes, rounded up.
fn passes(law: &dyn Noise, threshold: i64) -> f64 {
    // 1 + X ≥ T; the law is symmetric.
    let least = threshold.saturating_sub(1);
    let p = if least > 0 { law.tail(least.unsigned_abs()) / 2.0 } else { 1.0 - law.tail(least.unsigned_abs().saturating_add(1)) / 2.0 };
    (p * (1.0 + MARGIN)).min(1.0)
}

/// The probability that any of `items` independent ones happens, of probability `each`, rounded up.
fn any_of(each: f64, items: u64) -> f64 {
    (-(real(items) * (-each).ln_1p()).exp_m1() * (1.0 + MARGIN)).min(1.0)
}

/// 1 − (1 − δ)^(1 / items): what each of `items` independent ones may have.
fn each_of(delta: f64, items: u64) -> f64 {
    -((-delta).ln_1p() / real(items)).exp_m1()
}

/// The least threshold at which the items that only one person has are named with probability at most δ together.
fn least_threshold(law: &dyn Noise, delta: f64, items: u64) -> Result<i64> {
    let low_enough = |threshold| any_of(passes(law, threshold), items) <= delta;
    let (mut low, mut high) = (-1_i64, 1_i64);
    while !low_enough(high) {
        high = high
            .checked_mul(2)
            .filter(|high| *high < 1 << 61)
            .ok_or_else(|| Error::Parameter { name: "delta", problem: "is too small for noise of this size".to_owned() })?;
    }
    while low_enough(low) && low > -(1 << 61) {
        low *= 2;
    }
    // low is not low enough, high is.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if low_enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high)
}

/// The noisy counts that reach the threshold, of items that somebody has.
fn select(law: &dyn Noise, threshold: i64, people: &[u64], rng: &mut dyn CryptoRng) -> Vec<Option<i64>> {
    let counts: Vec<i64> = people.iter().map(|people| i64::try_from(*people).unwrap_or(i64::MAX)).collect();
    let noisy = noisy(law, &counts, rng);
    noisy.into_iter().zip(people).map(|(count, people)| (*people > 0 && count >= threshold).then_some(count)).collect()
}

fn check(delta: Delta, max_items: u64) -> Result<()> {
    at_least_one("max_items", max_items)?;
    if delta.get() > 0.0 { Ok(()) } else { Err(Error::Parameter { name: "delta", problem: "must lie in (0, 1)".to_owned() }) }
}

/// Adds discrete Laplace noise to the number of people of every item, and names those that reach a threshold, with the noisy number.
///
/// ```
/// use backmask::dp::mechanism::LaplaceThreshold;
/// use backmask::units::{Delta, Epsilon};
/// use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
///
/// let mechanism = LaplaceThreshold::new(Epsilon::new(1.0)?, Delta::new(1e-6)?, 1)?;
/// assert_eq!(mechanism.threshold(), 15);
/// let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("random bits");
/// let named = mechanism.select(&[0, 500], &mut rng);
/// assert!(named[0].is_none() && named[1].is_some());
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// Promised to every person who has at most `max_items` items and counts once in each: the named items with their numbers are (ε, δ)-differentially private; δ is the
/// probability that any item is named that nobody else has. Only items that somebody has may be asked about.
///
/// # References
/// Korolova, Kenthapadi, Mishra, Ntoulas, *Releasing search queries and clicks privately* (2009); Desfontaines, Voss, Gipson, Mandayam, *Differentially private partition selection*
/// (2022), section 5.
#[derive(Debug, Clone)]
pub struct LaplaceThreshold {
    law: noise::DiscreteLaplace,
    epsilon: Rational,
    delta: f64,
    max_items: u64,
    threshold: i64,
}

impl LaplaceThreshold {
    /// The least noise, of scale `max_items` / ε, and the least threshold for (ε, δ).
    ///
    /// # Errors
    /// δ or `max_items` is 0, or a scale outside [2⁻²⁰, 2⁵⁰].
    pub fn new(epsilon: Epsilon, delta: Delta, max_items: u64) -> Result<Self> {
        check(delta, max_items)?;
        let epsilon = exact(epsilon)?;
        let law = noise::DiscreteLaplace::new(&over(&Rational::from(max_items), &epsilon)?)?;
        let threshold = least_threshold(&law, delta.get(), max_items)?;
        Ok(Self { law, epsilon, delta: delta.get(), max_items, threshold })
    }

    /// Noise and a threshold that are given.
    ///
    /// # Errors
    /// `max_items` is 0, a scale outside [2⁻²⁰, 2⁵⁰], or a threshold that a single person always reaches.
    pub fn from_threshold(scale: &Rational, threshold: i64, max_items: u64) -> Result<Self> {
        at_least_one("max_items", max_items)?;
        let law = noise::DiscreteLaplace::new(scale)?;
        let delta = any_of(passes(&law, threshold), max_items);
        let epsilon = over(&Rational::from(max_items), scale)?;
        let made = Self { law, epsilon, delta, max_items, threshold };
        made.events().map(|_| made)
    }

    /// The least noisy number that is named.
    #[must_use]
    pub fn threshold(&self) -> i64 {
        self.threshold
    }

    /// The threshold that continuous Laplace noise would need: 1 − b ln(2 δ′) with δ′ = 1 − (1 − δ)^(1 / `max_items`). For comparison with other libraries.
    #[must_use]
    pub fn continuous_threshold(&self) -> f64 {
        let (scale, each) = (self.law.scale().to_f64(), each_of(self.delta, self.max_items));
        if each <= 0.5 { 1.0 - scale * (2.0 * each).ln() } else { 1.0 + scale * (2.0 * (1.0 - each)).ln() }
    }

    /// The scale of the noise.
    #[must_use]
    pub fn scale(&self) -> &Rational {
        self.law.scale()
    }

    /// The probability that any item of a person is named that nobody else has, rounded up.
    #[must_use]
    pub fn delta(&self) -> f64 {
        self.delta
    }

    /// What it costs: ε, and δ.
    ///
    /// # Errors
    /// The accountant does not know these numbers.
    pub fn events(&self) -> Result<Vec<PrivacyEvent>> {
        checked(vec![
            PrivacyEvent::Pure { epsilon: told_up(&self.epsilon), count: 1 },
            PrivacyEvent::Approximate { epsilon: 0.0, delta: self.delta, count: 1 },
        ])
    }

    /// The noisy number of every item that is named; none for the others. `people` are the numbers of different people that have each item.
    #[must_use]
    pub fn select(&self, people: &[u64], rng: &mut dyn CryptoRng) -> Vec<Option<i64>> {
        select(&self.law, self.threshold, people, rng)
    }
}

fn checked(events: Vec<PrivacyEvent>) -> Result<Vec<PrivacyEvent>> {
    events.iter().try_for_each(PrivacyEvent::check)?;
    Ok(events)
}

/// Adds rounded Gaussian noise to the number of people of every item, and names those that reach a threshold, with the noisy number. Where a person has many items it needs
/// far less noise than [`LaplaceThreshold`].
///
/// ```
/// use backmask::dp::mechanism::GaussianThreshold;
/// use backmask::units::Delta;
///
/// let mechanism = GaussianThreshold::new(&"0.25".parse()?, Delta::new(5e-7)?, 100)?;
/// assert_eq!((mechanism.sigma().to_string().as_str(), mechanism.threshold()), ("40", 231));
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// Promised to every person who has at most `max_items` items and counts once in each: but for an event of probability at most δ, the named items with their numbers are
/// μ-Gaussian differentially private; the event is that any item is named that nobody else has. Only items that somebody has may be asked about.
///
/// # References
/// Gopi, Gulhane, Kulkarni, Shen, Shokouhi, Yekhanin, *Differentially private set union* (2020), section 5; Dong, Roth, Su, *Gaussian differential privacy* (2022).
#[derive(Debug, Clone)]
pub struct GaussianThreshold {
    law: noise::RoundedGaussian,
    delta: f64,
    max_items: u64,
    threshold: i64,
}

impl GaussianThreshold {
    /// The least noise, σ = √`max_items` / μ, and the least threshold for δ.
    ///
    /// # Errors
    /// μ, δ or `max_items` is 0, or σ outside [2⁻²⁰, 2⁵⁰].
    pub fn new(mu: &Rational, delta: Delta, max_items: u64) -> Result<Self> {
        positive("mu", mu)?;
        check(delta, max_items)?;
        let law = noise::RoundedGaussian::new(&square_root_up(&over(&Rational::from(max_items), &mu.times(mu))?))?;
        let threshold = least_threshold(&law, delta.get(), max_items)?;
        Ok(Self { law, delta: delta.get(), max_items, threshold })
    }

    /// Noise and a threshold that are given.
    ///
    /// # Errors
    /// `max_items` is 0, σ outside [2⁻²⁰, 2⁵⁰], or a threshold that a single person always reaches.
    pub fn from_threshold(sigma: &Rational, threshold: i64, max_items: u64) -> Result<Self> {
        at_least_one("max_items", max_items)?;
        let law = noise::RoundedGaussian::new(sigma)?;
        let delta = any_of(passes(&law, threshold), max_items);
        let made = Self { law, delta, max_items, threshold };
        made.events().map(|_| made)
    }

    /// The least noisy number that is named.
    #[must_use]
    pub fn threshold(&self) -> i64 {
        self.threshold
    }

    /// The threshold that continuous Gaussian noise without rounding would need: 1 + σ Φ⁻¹((1 − δ)^(1 / `max_items`)). For comparison with other libraries.
    #[must_use]
    pub fn continuous_threshold(&self) -> f64 {
        1.0 + self.law.sigma().to_f64() * std::f64::consts::SQRT_2 * erfc_inv(2.0 * each_of(self.delta, self.max_items))
    }

    /// σ before rounding.
    #[must_use]
    pub fn sigma(&self) -> &Rational {
        self.law.sigma()
    }

    /// The probability that any item of a person is named that nobody else has, rounded up.
    #[must_use]
    pub fn delta(&self) -> f64 {
        self.delta
    }

    /// What it costs: μ, and δ.
    ///
    /// # Errors
    /// The accountant does not know these numbers.
    pub fn events(&self) -> Result<Vec<PrivacyEvent>> {
        let norm = square_root_up(&Rational::from(L2Sensitivity::of_cells(self.max_items, 1)?.squared()));
        checked(vec![
            PrivacyEvent::RoundedGaussian { sigma: told_down(self.law.sigma()), sensitivity: told_up(&norm), count: 1 },
            PrivacyEvent::Approximate { epsilon: 0.0, delta: self.delta, count: 1 },
        ])
    }

    /// The noisy number of every item that is named; none for the others. `people` are the numbers of different people that have each item.
    #[must_use]
    pub fn select(&self, people: &[u64], rng: &mut dyn CryptoRng) -> Vec<Option<i64>> {
        select(&self.law, self.threshold, people, rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of google/differential-privacy (C++ tests), for continuous noise.
    #[test]
    fn known_answers_of_continuous_laplace() {
        let ln_3 = 3.0_f64.ln();
        for (delta, items, expected, tolerance) in [
            (1e-32, 1, 67.438, 1e-3),
            (1e-8, 1, 17.1363, 1e-3),
            (0.1, 1, 2.464_97, 1e-3),
            (0.9, 1, -0.464_97, 1e-3),
            (2.089_433_4e-24, 5, 253.325, 0.05),
            (2.089_433_4e-24, 1000, 55288.7, 0.05),
        ] {
            let made = LaplaceThreshold::new(Epsilon::new(ln_3).unwrap(), Delta::new(delta).unwrap(), items).unwrap();
            assert!((made.continuous_threshold() - expected).abs() < tolerance, "{delta:e} {items}: {}", made.continuous_threshold());
        }
        // δ of a threshold; the discrete law differs by a factor known in closed form, 2 / (1 + 1/3).
        for (threshold, expected) in [(5, 0.006_172_839_6), (50, 2.089_433_4e-24)] {
            let made = LaplaceThreshold::from_threshold(&Rational::from_shortest_decimal(1.0 / ln_3).unwrap(), threshold, 1).unwrap();
            assert!((made.delta() / (1.5 * expected) - 1.0).abs() < 1e-6, "{:e}", made.delta());
        }
    }

    /// The threshold is the least: one below, δ is exceeded. The tail is summed from the probabilities, another formula.
    #[test]
    fn thresholds_are_the_least() {
        let summed = |law: &dyn Noise, threshold: i64, items: u64| {
            let each: f64 = (threshold - 1..threshold + 3000).rev().map(|x| law.ln_pmf(x).exp()).sum();
            1.0 - (1.0 - each).powf(real(items))
        };
        for (epsilon, delta, items) in [(1.0, 1e-6, 1), (0.7, 1e-3, 5), (3.0, 0.3, 2), (5.0, 0.9, 1), (1.0, 0.9, 1)] {
            let made = LaplaceThreshold::new(Epsilon::new(epsilon).unwrap(), Delta::new(delta).unwrap(), items).unwrap();
            let (here, below) = (summed(&made.law, made.threshold(), items), summed(&made.law, made.threshold() - 1, items));
            assert!(here <= delta && below > delta, "{epsilon} {delta} {items}: {} {here} {below}", made.threshold());
            let again = LaplaceThreshold::from_threshold(made.scale(), made.threshold(), items).unwrap();
            assert!(again.delta() <= delta && (again.delta() - here).abs() < 1e-9 * delta + 1e-12);
        }
        for (mu, delta, items) in [("1", 1e-6, 1), ("0.5", 1e-3, 20), ("2", 0.4, 3)] {
            let made = GaussianThreshold::new(&mu.parse().unwrap(), Delta::new(delta).unwrap(), items).unwrap();
            let (here, below) = (summed(&made.law, made.threshold(), items), summed(&made.law, made.threshold() - 1, items));
            assert!(here <= delta && below > delta, "{mu} {delta} {items}: {} {here} {below}", made.threshold());
            assert!((made.continuous_threshold() - real(made.threshold().unsigned_abs())).abs() < 2.0);
        }
    }

    #[test]
    fn losses_are_those_of_the_definition() {
        let made = GaussianThreshold::new(&"0.5".parse().unwrap(), Delta::new(1e-6).unwrap(), 25).unwrap();
        let events = made.events().unwrap();
        assert_eq!(
            events,
            [
                PrivacyEvent::RoundedGaussian { sigma: 10.0, sensitivity: 5.0, count: 1 },
                PrivacyEvent::Approximate { epsilon: 0.0, delta: 1e-6, count: 1 }
            ]
        );
        let made = LaplaceThreshold::new(Epsilon::new(0.3).unwrap(), Delta::new(1e-6).unwrap(), 25).unwrap();
        assert_eq!(made.events().unwrap()[0], PrivacyEvent::Pure { epsilon: 0.3, count: 1 });
    }

    #[test]
    fn bad_parameters_are_named() {
        let (epsilon, delta, mu) = (Epsilon::new(1.0).unwrap(), Delta::new(1e-6).unwrap(), Rational::from(1));
        let none = Delta::new(0.0).unwrap();
        for (error, name) in [
            (LaplaceThreshold::new(epsilon, none, 1).unwrap_err(), "delta"),
            (LaplaceThreshold::new(epsilon, delta, 0).unwrap_err(), "max_items"),
            (GaussianThreshold::new(&mu, none, 1).unwrap_err(), "delta"),
            (GaussianThreshold::new(&mu, delta, 0).unwrap_err(), "max_items"),
            (GaussianThreshold::new(&Rational::from(0), delta, 1).unwrap_err(), "mu"),
            (GaussianThreshold::from_threshold(&mu, i64::MIN, 1).unwrap_err(), "delta"),
            (LaplaceThreshold::from_threshold(&mu, i64::MIN, 1).unwrap_err(), "delta"),
        ] {
            assert!(error.to_string().starts_with(name), "{name}: {error}");
        }
    }
}
