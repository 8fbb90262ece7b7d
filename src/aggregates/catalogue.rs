//! Which items exist, how many people have each, and how often they are played.

use super::contributions::Contributions;
use super::selection::{Round, Selected, SetUnion, SetUnionOptions};
use crate::dp::accounting::gaussian;
use crate::dp::contribution::ContributionBound;
use crate::dp::event::PrivacyEvent;
use crate::dp::ledger::{Reservation, Spending};
use crate::dp::noise::{Noise, RoundedGaussian};
use crate::dp::rational::Rational;
use crate::error::{Error, Result};
use crate::keys::Key;
use crate::numeric::real;
use crate::units::{Delta, Epsilon};
use rand::CryptoRng;

/// Denominator of the standard deviations of counts.
const FRACTIONS: u64 = 1 << 10;

/// How a [`Catalogue`] is made.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct CatalogueOptions {
    /// How items are selected, and how many of one person count.
    pub selection: SetUnionOptions,
    /// Plays of one item by one person that count: L∞. Without it plays are not counted.
    pub max_plays: Option<u64>,
    /// Shares of the budget (as μ²) of selection, people and plays: any positive numbers, in proportion.
    pub split: Split,
}

/// Shares of a budget, in proportion to each other.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Split {
    pub selection: f64,
    pub subjects: f64,
    pub plays: f64,
}

impl CatalogueOptions {
    /// Items and people, at most `max_items` of each person: half of the budget selects, half counts.
    #[must_use]
    pub fn new(max_items: u64) -> Self {
        let split = Split { selection: 0.5, subjects: 0.25, plays: 0.25 };
        Self { selection: SetUnionOptions::new(max_items), max_plays: None, split }
    }
}

/// A law of noise for counts of which one person changes at most L0, each by at most L∞.
#[derive(Debug, Clone)]
struct Counting {
    bound: ContributionBound,
    sigma: Rational,
    law: RoundedGaussian,
}

impl Counting {
    fn new(mu: f64, entries: u64, per_entry: u64) -> Result<Self> {
        let bound = ContributionBound::Entries { entries, per_entry };
        // σ upwards: the loss is never more than what was given.
        let sigma = real(per_entry) * real(entries).sqrt() / mu * (1.0 + 1e-12);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and the law refuses what is too large")]
        let sigma = Rational::from_ratio((sigma * real(FRACTIONS)).ceil() as u64, FRACTIONS)?;
        Ok(Self { bound, law: RoundedGaussian::new(&sigma)?, sigma })
    }

    fn event(&self) -> PrivacyEvent {
        let squared = self.bound.l2_squared().unwrap_or(u128::MAX);
        #[expect(clippy::cast_precision_loss, reason = "rounded up afterwards")]
        let sensitivity = (squared as f64).sqrt().next_up();
        PrivacyEvent::RoundedGaussian { sigma: self.sigma.to_f64_down(), sensitivity, count: 1 }
    }
}

/// A catalogue, planned from its budget: what will be spent, with what noise, before anything of the pool was seen.
///
/// # Guarantee
/// To every person with everything they did (neighbours: one person added or removed): what [`CataloguePlan::run`] returns is (ε, δ)-differentially private for the budget of
/// [`CataloguePlan::new`], if the ledger was debited and the generator is seeded from the operating system. It is the composition of the selection (see [`SetUnion`]) and of Gaussian noise on
/// two vectors of whole numbers with ℓ2 sensitivity √L0 and √L0 · L∞, which is rounded: μ-GDP exactly.
///
/// # References
/// J. Dong, A. Roth, W. J. Su, *Gaussian differential privacy*, JRSS B 2022; B. Balle, Y.-X. Wang, *Improving the Gaussian mechanism*, ICML 2018 (from ε and δ to μ).
///
/// ```
/// use backmask::aggregates::{CatalogueOptions, CataloguePlan, Contributions};
/// use backmask::dp::ledger::{Budget, Ledger};
/// use backmask::units::{Delta, Epsilon};
/// use backmask::{keys::Key, matrix::SubjectItems};
/// use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
///
/// let lists: Vec<Vec<u32>> = (0..500).map(|person| if person == 0 { vec![0, 0, 1, 2] } else { vec![0, 1] }).collect();
/// let pool = SubjectItems::from_lists(&lists, 3)?;
/// let (people, items): (Vec<u64>, Vec<u64>) = ((0..500).collect(), (0..3).collect());
///
/// let (epsilon, delta) = (Epsilon::new(2.0)?, Delta::new(1e-6)?);
/// let plan = CataloguePlan::new(epsilon, delta, &CatalogueOptions::new(10))?;
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("pool.ledger");
/// let mut ledger = Ledger::create(&path, "listeners-2026", Budget::new(epsilon, delta))?;
/// let reservation = ledger.reserve(&plan.spending("artists", "weekly")?)?;
/// let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("the system has random numbers");
/// let catalogue = plan.run(&Contributions::new(&pool, &people, &items)?, &Key::forgotten()?, &reservation, &mut rng)?;
/// ledger.commit(reservation)?;
/// assert_eq!(catalogue.items(), [0, 1]); // nearly always
/// assert!((catalogue.subjects()[0] - 500).abs() < 200);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CataloguePlan {
    epsilon: Epsilon,
    delta: Delta,
    options: CatalogueOptions,
    selection: SetUnion,
    subjects: Counting,
    plays: Option<Counting>,
}

impl CataloguePlan {
    /// Plans a catalogue for a budget. δ is divided between noise and thresholds so that the last threshold is lowest, which depends on nothing but the parameters.
    ///
    /// # Errors
    /// δ is 0, a share is not positive, a limit is out of its range (see [`SetUnion::new`]), or the noise would be larger than 2⁵⁰.
    pub fn new(epsilon: Epsilon, delta: Delta, options: &CatalogueOptions) -> Result<Self> {
        let Split { selection, subjects, plays } = options.split;
        let shares = [selection, subjects, if options.max_plays.is_some() { plays } else { 1.0 }];
        if !shares.iter().all(|share| (1e-6..=1e6).contains(share)) {
            return Err(Error::Parameter { name: "split", problem: "shares must lie in [1e-6, 1e6]".to_owned() });
        }
        if options.max_plays.is_some_and(|max| !(1..=1 << 32).contains(&max)) {
            return Err(Error::Parameter { name: "max_plays_per_item", problem: "must lie in [1, 4294967296]".to_owned() });
        }
        let total = selection + subjects + if options.max_plays.is_some() { plays } else { 0.0 };
        let part = |mu: f64, share: f64| mu * (share / total).sqrt() * (1.0 - 1e-12);
        let best = (1..20).map(|twentieth| real(twentieth) / 20.0).map(|share| {
            let thresholds = delta.get() * share;
            let mu = gaussian::mu(epsilon, Delta::new(delta.get() - thresholds)?)?;
            Ok((mu, SetUnion::new(part(mu, selection), thresholds, &options.selection)?))
        });
        let mut chosen: Option<(f64, SetUnion)> = None;
        for candidate in best {
            let candidate: (f64, SetUnion) = candidate?;
            let last = |union: &SetUnion| union.rounds().last().map_or(f64::INFINITY, Round::threshold_weight);
            if chosen.as_ref().is_none_or(|(_, best)| last(&candidate.1) < last(best)) {
                chosen = Some(candidate);
            }
        }
        let Some((mu, selection)) = chosen else {
            return Err(Error::Parameter { name: "delta", problem: "must be more than 0".to_owned() });
        };
        let entries = options.selection.max_items;
        Ok(Self {
            epsilon,
            delta,
            options: *options,
            selection,
            subjects: Counting::new(part(mu, subjects), entries, 1)?,
            plays: options.max_plays.map(|max| Counting::new(part(mu, plays), entries, max)).transpose()?,
        })
    }

    /// The mechanisms that will be run.
    #[must_use]
    pub fn events(&self) -> Vec<PrivacyEvent> {
        let counts = std::iter::once(&self.subjects).chain(&self.plays).map(Counting::event);
        self.selection.events().into_iter().chain(counts).collect()
    }

    /// What the ledger is asked for.
    ///
    /// # Errors
    /// A name that a ledger does not take: see [`Spending::new`].
    pub fn spending(&self, product: &str, policy: &str) -> Result<Spending> {
        Spending::new(product, policy, self.events(), self.epsilon, self.delta)
    }

    /// How items are selected.
    #[must_use]
    pub fn selection(&self) -> &SetUnion {
        &self.selection
    }

    /// Standard deviation of the noise on the number of people of an item.
    #[must_use]
    pub fn subjects_deviation(&self) -> f64 {
        self.subjects.law.variance().sqrt()
    }

    /// Standard deviation of the noise on the plays of an item, if plays are counted.
    #[must_use]
    pub fn plays_deviation(&self) -> Option<f64> {
        self.plays.as_ref().map(|plays| plays.law.variance().sqrt())
    }

    /// Makes the catalogue. `key` chooses which items count of people who have more than L0.
    ///
    /// # Errors
    /// The reservation is for other mechanisms than [`CataloguePlan::events`].
    pub fn run(
        &self,
        contributions: &Contributions<'_>,
        key: &Key,
        reservation: &Reservation,
        rng: &mut dyn CryptoRng,
    ) -> Result<Catalogue> {
        if reservation.events() != self.events() {
            return Err(Error::Parameter { name: "reservation", problem: "is for other mechanisms than those of the plan".to_owned() });
        }
        let selected = self.selection.select(contributions, key, rng)?;
        let exact = self.count(contributions, &selected, key)?;
        let mut noisy = |law: &RoundedGaussian, exact: &[i64]| {
            let mut noise = vec![0; exact.len()];
            law.fill(rng, &mut noise);
            exact.iter().zip(&noise).map(|(count, noise)| count.saturating_add(*noise)).collect::<Vec<i64>>()
        };
        let subjects = noisy(&self.subjects.law, &exact.subjects);
        let plays = self.plays.as_ref().zip(exact.plays).map(|(counting, exact)| noisy(&counting.law, &exact));
        Ok(Catalogue { items: selected.items().to_vec(), subjects, plays })
    }

    /// The counts of selected items under the bounds, without noise: private data, for the steward and for tests of sensitivity.
    ///
    /// # Errors
    /// None in practice: every contribution keeps to the bound.
    pub fn count(&self, contributions: &Contributions<'_>, selected: &Selected, key: &Key) -> Result<BoundedCounts> {
        let limit = usize::try_from(self.options.selection.max_items).unwrap_or(usize::MAX);
        let flags = selected.flags(contributions.items());
        let sample = contributions.sample(limit, self.options.selection.keep, Some(&flags), key, "catalogue counts")?;
        let of_selected = |sums: &[i64]| selected.items().iter().map(|&item| sums[item as usize]).collect();
        let threads = contributions.threads();
        let subjects = sample.sum(contributions.items(), self.subjects.bound, threads, |items, _, entries| {
            entries.extend(items.iter().map(|&item| (item, 1)));
        })?;
        let plays = self.plays.as_ref().zip(self.options.max_plays).map(|(counting, max)| {
            let sums = sample.sum(contributions.items(), counting.bound, threads, |items, rows, entries| {
                let clipped = |rows: u32| i64::try_from(u64::from(rows).min(max)).unwrap_or(i64::MAX);
                entries.extend(items.iter().zip(rows).map(|(&item, &rows)| (item, clipped(rows))));
            })?;
            Ok(of_selected(sums.exact_for_the_steward()))
        });
        Ok(BoundedCounts { subjects: of_selected(subjects.exact_for_the_steward()), plays: plays.transpose()? })
    }
}

/// Counts of selected items under the bounds of a plan, without noise: private data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BoundedCounts {
    /// People of every selected item, in the order of the selection.
    pub subjects: Vec<i64>,
    /// Plays, if they are counted.
    pub plays: Option<Vec<i64>>,
}

/// A differentially private catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    items: Vec<u32>,
    subjects: Vec<i64>,
    plays: Option<Vec<i64>>,
}

impl Catalogue {
    /// Codes of the items, in the order of their ids.
    #[must_use]
    pub fn items(&self) -> &[u32] {
        &self.items
    }

    /// For each item how many people have it, with noise: it may be less than 0. People with more than L0 items count for L0 of them only.
    #[must_use]
    pub fn subjects(&self) -> &[i64] {
        &self.subjects
    }

    /// For each item how often it was played, with noise, if plays were counted.
    #[must_use]
    pub fn plays(&self) -> Option<&[i64]> {
        self.plays.as_deref()
    }
}

#[cfg(test)]
mod tests;
