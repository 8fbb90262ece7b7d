//! A co-listening matrix from its budget to its noise.

use super::matrix::CoListening;
use super::statistic::{BoundedTriangle, Normalization};
use crate::aggregates::{Catalogue, Contributions, Keep};
use crate::dp::accounting::gaussian;
use crate::dp::event::PrivacyEvent;
use crate::dp::ledger::{Reservation, Spending};
use crate::dp::noise::{Noise, RoundedGaussian};
use crate::dp::rational::Rational;
use crate::error::{Error, Result};
use crate::keys::Key;
use crate::numeric::{SquareMatrix, real};
use crate::units::{Delta, Epsilon};
use rand::CryptoRng;

/// Items that a matrix can have at most: it then takes 800 MB.
pub const MAX_CO_LISTENING_ITEMS: usize = 10_000;

/// Denominator of the standard deviation.
const FRACTIONS: u64 = 1 << 10;

/// An item is worth its row if its noisy count times √rank is so many times the noise of a cell of counts; see [`CoListeningPlan::choose_items`].
const WORTH: f64 = 10.0;

/// How a [`CoListening`] matrix is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CoListeningOptions {
    /// Items of one person that count: L.
    pub max_items: u64,
    /// Which of a person's items count.
    pub keep: Keep,
    /// What a person adds to the cells of their pairs.
    pub normalization: Normalization,
    /// Items of the matrix at most, however many are worth their row: at most [`MAX_CO_LISTENING_ITEMS`].
    pub most_rows: usize,
}

impl CoListeningOptions {
    /// A uniform sample of at most `max_items` items of each person, everybody with the same weight, and at most 2,000 items in the matrix.
    #[must_use]
    pub fn new(max_items: u64) -> Self {
        Self { max_items, keep: Keep::Uniform, normalization: Normalization::Normed, most_rows: 2_000 }
    }
}

/// A co-listening matrix, planned from its budget: what will be spent, with what noise, before anything of the pool was seen.
///
/// Of every person at most L items count, x ∈ {0, 1}^M; they add w·xxᵀ, of which the upper triangle with its diagonal is summed. A person with d ≤ L items has d(d+1)/2 cells there, so the
/// sum changes by at most √(L(L+1)/2) if w = 1, and by at most 1 if w = 1/√(d(d+1)/2) (rounded down to a multiple of 2⁻²⁰). Each cell gets one draw of rounded Gaussian noise, and the lower half is a copy.
///
/// # Guarantee
/// To every person with everything they did (neighbours: one person added or removed): the matrix is (ε, δ)-differentially private for the budget of [`CoListeningPlan::new`], given items that are
/// released anyway, if the ledger was debited and the generator is seeded from the operating system: integers with a Euclidean sensitivity Δ and Gaussian noise that is rounded are μ-GDP
/// exactly, μ = Δ/σ. With the items of a catalogue of the same pool the losses add up as μ² does, which [`CoListeningPlan::beside`] plans for.
///
/// # References
/// F. `McSherry`, I. Mironov, *Differentially private recommender systems*, KDD 2009 (noise on the covariance of items); C. Dwork, K. Talwar, A. Thakurta, L. Zhang, *Analyze Gauss*, STOC 2014 (a symmetric
/// matrix of Gaussian noise); J. Dong, A. Roth, W. J. Su, *Gaussian differential privacy*, JRSS B 2022.
///
/// ```
/// use backmask::aggregates::co_listening::{CoListeningOptions, CoListeningPlan, Denoised};
/// use backmask::aggregates::{CatalogueOptions, CataloguePlan, Contributions};
/// use backmask::dp::ledger::{Budget, Ledger, Rule};
/// use backmask::units::{Delta, Epsilon};
/// use backmask::{keys::Key, matrix::SubjectItems};
/// use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
///
/// // Two tastes: 1,000 people have the items 0 to 9, another 1,000 those from 10 to 19.
/// let lists: Vec<Vec<u32>> = (0..2_000).map(|person| (0..10).map(|item| person % 2 * 10 + item).collect()).collect();
/// let pool = SubjectItems::from_lists(&lists, 20)?;
/// let (people, items): (Vec<u64>, Vec<u64>) = ((0..2_000).collect(), (0..20).collect());
/// let contributions = Contributions::new(&pool, &people, &items)?;
///
/// let (epsilon, delta) = (Epsilon::new(4.0)?, Delta::new(1e-6)?);
/// let catalogue = CataloguePlan::new(Epsilon::new(2.0)?, Delta::new(5e-7)?, &CatalogueOptions::new(10))?;
/// let plan = CoListeningPlan::beside(&catalogue.events(), epsilon, delta, &CoListeningOptions::new(10))?;
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("pool.ledger");
/// let mut ledger = Ledger::create(&path, "listeners-2026", Budget::new(Epsilon::new(4.01)?, delta).with_rule(Rule::Planned)?)?;
/// let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("the system has random numbers");
/// let key = Key::forgotten()?;
/// let reservation = ledger.reserve(&catalogue.spending("artists", "weekly")?)?;
/// let catalogue = catalogue.run(&contributions, &key, &reservation, &mut rng)?;
/// ledger.commit(reservation)?;
///
/// let chosen = plan.choose_items(&catalogue);
/// let reservation = ledger.reserve(&plan.spending("together", "weekly")?)?;
/// let released = plan.run(&contributions, &chosen, &key, &reservation, &mut rng)?;
/// ledger.commit(reservation)?;
/// let Denoised::Structure(structure) = released.denoise(1)? else { panic!("there is a signal, nearly always") };
/// let weights = structure.ease(None, 1)?;
/// let place = |item| structure.items().iter().position(|&code| code == item).expect("all are popular");
/// assert!(weights.get(place(0), place(1)) > weights.get(place(0), place(11)));
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CoListeningPlan {
    epsilon: Epsilon,
    delta: Delta,
    mu: f64,
    options: CoListeningOptions,
    norm_squared: u128,
    sigma: Rational,
    law: RoundedGaussian,
}

impl CoListeningPlan {
    /// Plans a matrix for a budget.
    ///
    /// # Errors
    /// δ is 0, or an option is out of its range: `max_items` 1 to 10,000, `most_rows` 1 to [`MAX_CO_LISTENING_ITEMS`].
    pub fn new(epsilon: Epsilon, delta: Delta, options: &CoListeningOptions) -> Result<Self> {
        Self::with_mu(gaussian::mu(epsilon, delta)?, epsilon, delta, options)
    }

    /// Plans a matrix for what a budget leaves beside mechanisms that are planned already (such as [`CataloguePlan::events`](crate::aggregates::CataloguePlan::events)): Gaussian noise on
    /// vectors, and events of small probability. Together they then keep to the budget. The plan's own ε and δ, which its [`spending`](Self::spending) declares, are those of the rest: the part of
    /// δ that no event uses, and the ε that fits.
    ///
    /// # Errors
    /// As for [`CoListeningPlan::new`]; the events need all of the budget; or an event is of another kind.
    pub fn beside(events: &[PrivacyEvent], epsilon: Epsilon, delta: Delta, options: &CoListeningOptions) -> Result<Self> {
        let (mut mu_squared, mut used) = (0.0, 0.0);
        for event in events {
            event.check()?;
            match *event {
                PrivacyEvent::RoundedGaussian { sigma, sensitivity, count } => mu_squared += real(count) * (sensitivity / sigma).powi(2),
                PrivacyEvent::Gdp { mu, count } => mu_squared += real(count) * mu * mu,
                PrivacyEvent::Approximate { epsilon, delta, count } if epsilon <= 0.0 => used += real(count) * delta,
                _ => {
                    let problem = "must be Gaussian noise on vectors or thresholds; give the matrix a budget of its own".to_owned();
                    return Err(Error::Parameter { name: "events", problem });
                }
            }
        }
        let nothing_left = || Error::Parameter { name: "epsilon", problem: "the other mechanisms need all of it".to_owned() };
        let left = Delta::new(delta.get() - used * (1.0 + 1e-12)).map_err(|_| nothing_left())?;
        let rest = gaussian::mu(epsilon, left)?.powi(2) - mu_squared * (1.0 + 1e-12);
        if rest <= 0.0 {
            return Err(nothing_left());
        }
        let mu = rest.sqrt() * (1.0 - 1e-12);
        Self::with_mu(mu, Epsilon::new(gaussian::epsilon(left, mu)?)?, left, options)
    }

    fn with_mu(mu: f64, epsilon: Epsilon, delta: Delta, options: &CoListeningOptions) -> Result<Self> {
        let check = |name, range: std::ops::RangeInclusive<usize>, value: usize| {
            if range.contains(&value) {
                return Ok(());
            }
            Err(Error::Parameter { name, problem: format!("must lie in [{}, {}]", range.start(), range.end()) })
        };
        check("max_items_per_subject", 1..=MAX_CO_LISTENING_ITEMS, usize::try_from(options.max_items).unwrap_or(usize::MAX))?;
        check("most_rows", 1..=MAX_CO_LISTENING_ITEMS, options.most_rows)?;
        let norm_squared = options.normalization.norm_squared(options.max_items);
        // σ upwards: the loss is never more than what was given.
        let sigma = norm(norm_squared) / mu * (1.0 + 1e-12);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and the law refuses what is too large")]
        let sigma = Rational::from_ratio((sigma * real(FRACTIONS)).ceil() as u64, FRACTIONS)?;
        Ok(Self { epsilon, delta, mu, options: *options, norm_squared, law: RoundedGaussian::new(&sigma)?, sigma })
    }

    /// The mechanism that will be run.
    #[must_use]
    pub fn events(&self) -> Vec<PrivacyEvent> {
        vec![PrivacyEvent::RoundedGaussian { sigma: self.sigma.to_f64_down(), sensitivity: norm(self.norm_squared), count: 1 }]
    }

    /// What the ledger is asked for.
    ///
    /// # Errors
    /// A name that a ledger does not take: see [`Spending::new`].
    pub fn spending(&self, product: &str, policy: &str) -> Result<Spending> {
        Spending::new(product, policy, self.events(), self.epsilon, self.delta)
    }

    /// Standard deviation of the noise of every cell, in the unit of the cells: people, or shares of a person's norm.
    #[must_use]
    pub fn cell_deviation(&self) -> f64 {
        self.law.variance().sqrt() / self.options.normalization.unit()
    }

    /// Codes of the items that the matrix is to have, of those of a released catalogue: the most popular by its *noisy* numbers of people (ties by the catalogue's order).
    ///
    /// The m-th item is worth its row as long as its noisy number of people, times √m, is at least 10 · √(L(L+1)/2) / μ: a further row raises the edge of the noise, 2σ√m, by σ/√m, and must bring more than that of
    /// signal, which is in proportion to its count. At most [`CoListeningOptions::most_rows`] items. This looks at nothing but the plan and what is published anyway.
    #[must_use]
    pub fn choose_items(&self, catalogue: &Catalogue) -> Vec<u32> {
        let mut ranked: Vec<(i64, u32)> = catalogue.subjects().iter().copied().zip(catalogue.items().iter().copied()).collect();
        ranked.sort_by_key(|&(people, _)| std::cmp::Reverse(people));
        let needed = WORTH * norm(super::statistic::pairs(self.options.max_items)) / self.mu;
        let worth = |rank: usize, people: i64| people > 0 && real(people.unsigned_abs()) * real(rank as u64).sqrt() >= needed;
        // The last item that is worth it: near the top √m grows faster than counts fall.
        let last = (1..).zip(&ranked).filter(|&(rank, &(people, _))| worth(rank, people)).map(|(rank, _)| rank).last().unwrap_or(0);
        ranked.into_iter().map(|(_, item)| item).take(last.min(self.options.most_rows)).collect()
    }

    /// The matrix of the given items (codes of released items, in the order of its rows) under the bounds, without noise: private data, for the steward and for tests of sensitivity.
    ///
    /// # Errors
    /// More than [`MAX_CO_LISTENING_ITEMS`] items; an item is given twice or is none of the pool.
    pub fn count(&self, contributions: &Contributions<'_>, items: &[u32], key: &Key) -> Result<BoundedTriangle> {
        let (open, place) = places(items, contributions.items())?;
        let limit = usize::try_from(self.options.max_items).unwrap_or(usize::MAX);
        let sample = contributions.sample(limit, self.options.keep, Some(&open), key, "co-listening")?;
        let normalization = self.options.normalization;
        BoundedTriangle::of(&sample, &place, items.len(), self.norm_squared, contributions.threads(), |items| normalization.weight(items))
    }

    /// Makes the matrix of the given items: codes of items that are released anyway, such as [`CoListeningPlan::choose_items`] of a catalogue. `key` chooses which items count of people who have
    /// more than L of them.
    ///
    /// # Errors
    /// The reservation is for other mechanisms than [`CoListeningPlan::events`] or was used already, or the items are none for [`CoListeningPlan::count`].
    pub fn run(
        &self,
        contributions: &Contributions<'_>,
        items: &[u32],
        key: &Key,
        reservation: &Reservation,
        rng: &mut dyn CryptoRng,
    ) -> Result<CoListening> {
        let counted = self.count(contributions, items, key)?;
        reservation.begin(&self.events())?;
        self.add_noise(&counted, items, rng)
    }

    /// One draw for every cell of the triangle, mirrored.
    pub(super) fn add_noise(&self, triangle: &BoundedTriangle, items: &[u32], rng: &mut dyn CryptoRng) -> Result<CoListening> {
        let size = triangle.size();
        let unit = self.options.normalization.unit();
        let mut matrix = SquareMatrix::zeros(size)?;
        let mut cells = triangle.exact_for_the_steward();
        let mut noise = Vec::new();
        for row in 0..size {
            let (own, below) = cells.split_at(size - row);
            cells = below;
            noise.clear();
            noise.resize(own.len(), 0);
            self.law.fill(rng, &mut noise);
            for (cell, (exact, noise)) in matrix.row_mut(row)[row..].iter_mut().zip(own.iter().zip(&noise)) {
                *cell = signed(exact.saturating_add(*noise)) / unit;
            }
        }
        matrix.mirror_upper();
        CoListening::new(items.to_vec(), matrix, self.cell_deviation())
    }
}

/// Flags of the items, and for every code its row.
fn places(items: &[u32], codes: usize) -> Result<(Vec<bool>, Vec<u32>)> {
    let wrong = |problem: String| Error::Parameter { name: "items", problem };
    if items.len() > MAX_CO_LISTENING_ITEMS {
        return Err(wrong(format!("a matrix of {} items would need too much memory; at most {MAX_CO_LISTENING_ITEMS}", items.len())));
    }
    let (mut open, mut place) = (vec![false; codes], vec![u32::MAX; codes]);
    for (row, &item) in (0_u32..).zip(items) {
        match open.get_mut(item as usize) {
            Some(open) if !*open => *open = true,
            _ => return Err(wrong(format!("must be different codes below {codes}"))),
        }
        place[item as usize] = row;
    }
    Ok((open, place))
}

/// The root of a square, not below it.
#[expect(clippy::cast_precision_loss, reason = "rounded up afterwards, unless it is a square of a whole number")]
pub(super) fn norm(squared: u128) -> f64 {
    let root = squared.isqrt();
    if root * root == squared { root as f64 } else { (squared as f64).sqrt().next_up() }
}

#[expect(clippy::cast_precision_loss, reason = "53 bits are enough for a noisy count")]
fn signed(value: i64) -> f64 {
    value as f64
}
