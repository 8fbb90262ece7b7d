//! Iterated weighted Gaussian set union.

use crate::aggregates::{Contributions, Keep};
use crate::dp::contribution::{Bounded, ContributionBound};
use crate::dp::event::PrivacyEvent;
use crate::dp::noise::{Noise, RoundedGaussian};
use crate::dp::rational::Rational;
use crate::error::{Error, Result};
use crate::keys::Key;
use crate::numeric::real;
use rand::CryptoRng;
use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::erf::erfc;

/// Units of one: weights are whole numbers of 2⁻¹². Rounding them down only lowers the norm.
const UNIT: u64 = 1 << 12;

/// How items are selected.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SetUnionOptions {
    /// Items of one person that count in each round: L0.
    pub max_items: u64,
    /// Which of a person's items count.
    pub keep: Keep,
    /// Rounds. One is the weighted Gaussian threshold of the textbook.
    pub rounds: u32,
    /// Each round gets so many times the budget (as μ²) of the one before.
    pub growth: f64,
}

impl SetUnionOptions {
    /// Three rounds, each with three times the budget of the one before, and a uniform sample of items.
    #[must_use]
    pub fn new(max_items: u64) -> Self {
        Self { max_items, keep: Keep::Uniform, rounds: 3, growth: 3.0 }
    }
}

/// One round of a [`SetUnion`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Round {
    /// Standard deviation of the noise in units of 2⁻¹².
    pub sigma: Rational,
    /// Noisy weight from which on an item is named, in units of 2⁻¹².
    pub threshold: i64,
    /// Probability at most that an item of one person alone is named.
    pub delta: f64,
}

impl Round {
    /// The threshold as a weight: a person with one item adds 1 to it.
    #[must_use]
    pub fn threshold_weight(&self) -> f64 {
        signed(self.threshold) / real(UNIT)
    }

    /// Probability that an item is named to which `people` people each add 1/√`items`.
    #[must_use]
    pub fn keep_probability(&self, people: u64, items: u64) -> f64 {
        let weight = real(weight(items.max(1))) * real(people);
        upper_tail((signed(self.threshold) - 0.5 - weight) / self.sigma.to_f64())
    }
}

/// Selects items that enough people have, with differential privacy: DP-SIPS.
///
/// In every round each person divides a vector of norm 1 evenly over at most L0 of their items that are not selected yet; Gaussian noise is added to the weight of every item that
/// somebody has, and items at or over the round's threshold are selected. Later rounds have more budget and, as the items of everybody are out of the way, more weight on each of the rest.
///
/// # Guarantee
/// To every person with everything they did (neighbours: one person added or removed): the selection is, with μ and δ as given to [`SetUnion::new`], the adaptive composition of μᵢ-GDP
/// mechanisms, Σ μᵢ² ≤ μ², with events of probability δᵢ in all at most δ. So it is (ε, δ(μ, ε) + δ)-differentially private for every ε. The events are [`SetUnion::events`]. This assumes that the
/// ledger was debited, the generator's bits are uniform, and nothing is published about how long it took.
///
/// # References
/// M. Swanberg, D. Desfontaines, S. Haney, *DP-SIPS: A simpler, more scalable mechanism for differentially private partition selection*, Proceedings on Privacy Enhancing Technologies 2023; S. Gopi et al., *Differentially private set
/// union*, ICML 2020, section 5 (the threshold); J. Dong, A. Roth, W. J. Su, *Gaussian differential privacy*, JRSS B 2022 (composition).
///
/// ```
/// use backmask::aggregates::{Contributions, selection::{SetUnion, SetUnionOptions}};
/// use backmask::{keys::Key, matrix::SubjectItems};
/// use rand::{SeedableRng, rngs::ChaCha20Rng};
///
/// // 300 people have items 0 and 1; one of them has item 2 too.
/// let lists: Vec<Vec<u32>> = (0..300).map(|person| if person == 0 { vec![0, 1, 2] } else { vec![0, 1] }).collect();
/// let pool = SubjectItems::from_lists(&lists, 3)?;
/// let (people, items): (Vec<u64>, Vec<u64>) = ((0..300).collect(), (0..3).collect());
///
/// let selection = SetUnion::new(1.0, 1e-7, &SetUnionOptions::new(10))?;
/// // Debit the ledger with selection.events(), then:
/// let mut rng = ChaCha20Rng::from_seed([1; 32]); // a real release seeds it from the operating system
/// let selected = selection.select(&Contributions::new(&pool, &people, &items)?, &Key::forgotten()?, &mut rng)?;
/// assert_eq!(selected.items(), [0, 1]);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SetUnion {
    options: SetUnionOptions,
    rounds: Vec<Round>,
    noises: Vec<RoundedGaussian>,
}

impl SetUnion {
    /// A selection that spends at most μ (as Gaussian differential privacy) and δ.
    ///
    /// # Errors
    /// μ is not in [10⁻⁶, 1000], δ not in (0, 1), or an option is out of its range: `max_items` 1 to 2²⁰, `rounds` 1 to 20, `growth` 1 to 100.
    pub fn new(mu: f64, delta: f64, options: &SetUnionOptions) -> Result<Self> {
        let check = |name, fits: bool, problem: &str| {
            if fits { Ok(()) } else { Err(Error::Parameter { name, problem: problem.to_owned() }) }
        };
        check("mu", (1e-6..=1e3).contains(&mu), "must lie in [1e-6, 1000]")?;
        check("delta", delta > 0.0 && delta < 1.0, "must lie in (0, 1)")?;
        check("max_items_per_subject", (1..=1 << 20).contains(&options.max_items), "must lie in [1, 1048576]")?;
        check("rounds", (1..=20).contains(&options.rounds), "must lie in [1, 20]")?;
        check("growth", (1.0..=100.0).contains(&options.growth), "must lie in [1, 100]")?;
        let powers: Vec<f64> = (0..options.rounds).map(|round| options.growth.powi(i32::try_from(round).unwrap_or(0))).collect();
        let total: f64 = powers.iter().sum();
        let rounds = powers
            .iter()
            .map(|power| {
                let share = power / total;
                // σ upwards and δ downwards: what is spent is never more than what was given.
                let sigma = (real(UNIT) / (mu * share.sqrt())).ceil();
                let delta = delta * share * (1.0 - 1e-12);
                Ok(Round { sigma: Rational::try_from(sigma)?, threshold: threshold(sigma, delta, options.max_items), delta })
            })
            .collect::<Result<Vec<Round>>>()?;
        let noises = rounds.iter().map(|round| RoundedGaussian::new(&round.sigma)).collect::<Result<Vec<_>>>()?;
        Ok(Self { options: *options, rounds, noises })
    }

    /// The rounds, first to last.
    #[must_use]
    pub fn rounds(&self) -> &[Round] {
        &self.rounds
    }

    /// What the ledger is to be debited with.
    #[must_use]
    pub fn events(&self) -> Vec<PrivacyEvent> {
        let of_round = |round: &Round| {
            let noise = PrivacyEvent::RoundedGaussian { sigma: round.sigma.to_f64_down(), sensitivity: real(UNIT), count: 1 };
            [noise, PrivacyEvent::Approximate { epsilon: 0.0, delta: round.delta, count: 1 }]
        };
        self.rounds.iter().flat_map(of_round).collect()
    }

    /// Selects items of the pool. `key` chooses the items that count of people who have more than L0.
    ///
    /// # Errors
    /// None in practice: every contribution keeps to the bound.
    pub fn select(&self, contributions: &Contributions<'_>, key: &Key, rng: &mut dyn CryptoRng) -> Result<Selected> {
        // Noise goes to items in the order of their names, so that codes play no part.
        let mut order: Vec<u32> = (0..u32::try_from(contributions.items()).unwrap_or(u32::MAX)).collect();
        order.sort_unstable_by_key(|&item| (contributions.item_ids()[item as usize], item));
        let mut open = vec![true; contributions.items()];
        let mut selected = Vec::new();
        let mut noise = Vec::new();
        for (number, (round, law)) in (1..).zip(self.rounds.iter().zip(&self.noises)) {
            let sums = self.weigh(contributions, &open, number, key)?;
            let sums = sums.exact_for_the_steward();
            let present: Vec<u32> = order.iter().copied().filter(|&item| sums[item as usize] > 0).collect();
            noise.clear();
            noise.resize(present.len(), 0);
            law.fill(rng, &mut noise);
            for (&item, noise) in present.iter().zip(&noise) {
                if sums[item as usize].saturating_add(*noise) >= round.threshold {
                    open[item as usize] = false;
                    selected.push((item, number));
                }
            }
        }
        selected.sort_unstable_by_key(|&(item, _)| (contributions.item_ids()[item as usize], item));
        Ok(Selected { items: selected.iter().map(|entry| entry.0).collect(), rounds: selected.iter().map(|entry| entry.1).collect() })
    }

    /// The weight of every item in a round.
    fn weigh(&self, contributions: &Contributions<'_>, open: &[bool], round: u32, key: &Key) -> Result<Bounded> {
        let limit = usize::try_from(self.options.max_items).unwrap_or(usize::MAX);
        let sample = contributions.sample(limit, self.options.keep, Some(open), key, &format!("set union, round {round}"))?;
        let bound = ContributionBound::Euclidean { norm_squared: u128::from(UNIT) * u128::from(UNIT) };
        sample.sum(contributions.items(), bound, contributions.threads(), |items, _, entries| {
            let weight = i64::try_from(weight((items.len() as u64).max(1))).unwrap_or(0);
            entries.extend(items.iter().map(|&item| (item, weight)));
        })
    }

    /// The weights of the first round, without noise.
    #[cfg(test)]
    pub(super) fn weights(&self, contributions: &Contributions<'_>, key: &Key) -> Result<Bounded> {
        self.weigh(contributions, &vec![true; contributions.items()], 1, key)
    }

    /// A broken variant, which tests must catch.
    #[cfg(test)]
    pub(super) fn lower_thresholds(&mut self, by: i64) {
        self.rounds.iter_mut().for_each(|round| round.threshold -= by);
    }
}

/// Items that may be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    items: Vec<u32>,
    rounds: Vec<u32>,
}

impl Selected {
    /// Codes of the items, in the order of their ids (hashes), which says nothing about how many people have them.
    #[must_use]
    pub fn items(&self) -> &[u32] {
        &self.items
    }

    /// For each of them the round, from 1, in which it was selected.
    #[must_use]
    pub fn rounds(&self) -> &[u32] {
        &self.rounds
    }

    /// Whether an item, of `items` in all, was selected.
    #[must_use]
    pub fn flags(&self, items: usize) -> Vec<bool> {
        let mut flags = vec![false; items];
        for &item in &self.items {
            if let Some(flag) = flags.get_mut(item as usize) {
                *flag = true;
            }
        }
        flags
    }
}

/// What a person with so many items adds to each, in units: the largest w with items · w² ≤ 1.
pub(super) fn weight(items: u64) -> u64 {
    (UNIT * UNIT / items).isqrt()
}

/// The smallest threshold at which nobody's items that nobody else has are named with a probability of more than δ.
///
/// The rounded noise is at least T − w exactly if the Gaussian before rounding is at least T − w − ½. Of t items with the weight of t each, one is named with probability 1 − Φ((T − w − ½)/σ)ᵗ.
/// Fewer items at the weight of t are covered by the case of that fewer number, whose weight is larger.
pub(super) fn threshold(sigma: f64, delta: f64, max_items: u64) -> i64 {
    let of_items = |items: u64| {
        let each = -(f64::ln_1p(-delta) / real(items)).exp_m1();
        real(weight(items)) + 0.5 + sigma * upper_quantile(each)
    };
    #[expect(clippy::cast_possible_truncation, reason = "σ is at most 2⁵⁰ units, and the quantile below 40")]
    let whole = (1..=max_items).map(of_items).fold(0.0, f64::max).ceil() as i64;
    whole
}

/// P(Z ≥ z) of the standard normal law.
fn upper_tail(z: f64) -> f64 {
    erfc(z / std::f64::consts::SQRT_2) / 2.0
}

/// A z, hardly larger than the smallest, with P(Z ≥ z) ≤ p.
fn upper_quantile(p: f64) -> f64 {
    let mut z = -Normal::standard().inverse_cdf(p);
    // Both functions round; a billionth on top pays for it.
    let mut step = 1e-9 * (1.0 + z.abs());
    while upper_tail(z) > p * (1.0 - 1e-9) {
        z += step;
        step *= 2.0;
    }
    z
}

#[expect(clippy::cast_precision_loss, reason = "thresholds are far below 2⁵³ unless σ is absurd")]
fn signed(value: i64) -> f64 {
    value as f64
}
