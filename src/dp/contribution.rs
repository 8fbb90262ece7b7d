//! Statistics to which no person contributes more than declared.
//!
//! Noise protects a person only if what the person adds to a statistic is bounded. An [`Accumulator`] takes the whole contribution of one person at a time, checks it against the declared
//! [`ContributionBound`], and refuses whatever exceeds it or names a person twice; only so does a [`Bounded`] statistic come about, and only a bounded one can be given noise.

use crate::error::{Error, Result};
use crate::numeric::real;

/// What one person may add to a vector of integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContributionBound {
    /// At most `entries` entries (L0) of at most `per_entry` each in absolute value (L∞).
    Entries {
        /// L0.
        entries: u64,
        /// L∞.
        per_entry: u64,
    },
    /// A Euclidean norm (ℓ2) of at most the root of `norm_squared`.
    Euclidean {
        /// Square of the ℓ2 norm, in squared units of the integers.
        norm_squared: u128,
    },
}

impl ContributionBound {
    /// Largest ℓ1 distance between the statistics of two pools that differ by one person: L0 · L∞; `None` where only the Euclidean norm is bounded (or the product passes 2⁶⁴).
    #[must_use]
    pub fn l1(&self) -> Option<u64> {
        match *self {
            Self::Entries { entries, per_entry } => entries.checked_mul(per_entry),
            Self::Euclidean { .. } => None,
        }
    }

    /// Square of the largest ℓ2 distance: L0 · L∞²; `None` if it passes 2¹²⁸.
    #[must_use]
    pub fn l2_squared(&self) -> Option<u128> {
        match *self {
            Self::Entries { entries, per_entry } => {
                u128::from(per_entry).checked_mul(u128::from(per_entry)).and_then(|square| square.checked_mul(u128::from(entries)))
            }
            Self::Euclidean { norm_squared } => Some(norm_squared),
        }
    }

    /// Largest ℓ∞ distance; `None` if it passes 2⁶⁴.
    #[must_use]
    pub fn largest_entry(&self) -> Option<u64> {
        match *self {
            Self::Entries { per_entry, .. } => Some(per_entry),
            Self::Euclidean { norm_squared } => u64::try_from(norm_squared.isqrt()).ok(),
        }
    }

    /// Whether a contribution keeps to the bound. Entries of value 0 count for nothing.
    #[must_use]
    pub fn allows(&self, contribution: &[(u32, i64)]) -> bool {
        let present = contribution.iter().map(|&(_, value)| value.unsigned_abs()).filter(|&value| value > 0);
        match *self {
            Self::Entries { entries, per_entry } => {
                let mut count = 0_u64;
                for value in present {
                    count += 1;
                    if value > per_entry || count > entries {
                        return false;
                    }
                }
                true
            }
            Self::Euclidean { norm_squared } => {
                let square = |value: u64| u128::from(value) * u128::from(value);
                let sum = present.map(square).try_fold(0_u128, u128::checked_add);
                sum.is_some_and(|sum| sum <= norm_squared)
            }
        }
    }

    fn check(self) -> Result<Self> {
        if self.l2_squared().is_none_or(|squared| squared == 0) {
            return Err(Error::Parameter {
                name: "contribution bound",
                problem: "must be more than 0, and its square less than 2^128".to_owned(),
            });
        }
        Ok(self)
    }
}

/// Adds up what people contribute to a vector of `dimension` integers.
///
/// Accumulators over disjoint people can be [merged](Accumulator::merge); the result does not depend on the order of people or on how they were divided.
///
/// Memory: 8 bytes an entry and 1 bit a person.
///
/// ```
/// use backmask::dp::contribution::{Accumulator, ContributionBound};
///
/// let bound = ContributionBound::Entries { entries: 2, per_entry: 10 };
/// let mut listeners = Accumulator::new(3, bound)?;
/// listeners.add(0, &[(0, 4), (2, 10)])?;
/// listeners.add(1, &[(2, 1)])?;
/// assert!(listeners.add(2, &[(0, 1), (1, 1), (2, 1)]).is_err()); // three entries
/// assert!(listeners.add(1, &[(0, 1)]).is_err()); // the person was there already
/// let bounded = listeners.finish();
/// assert_eq!(bounded.exact_for_the_steward(), [4, 0, 11]);
/// assert_eq!(bounded.bound().l2_squared(), Some(200));
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Accumulator {
    sums: Vec<i64>,
    bound: ContributionBound,
    people: People,
}

impl Accumulator {
    /// An accumulator of zeros.
    ///
    /// # Errors
    /// The bound is 0, or its square is not below 2¹²⁸.
    pub fn new(dimension: usize, bound: ContributionBound) -> Result<Self> {
        Ok(Self { sums: vec![0; dimension], bound: bound.check()?, people: People::default() })
    }

    /// Adds all that a person (a dense code of the whole pool) contributes: values of entries, every entry once, in ascending order.
    ///
    /// # Errors
    /// The contribution exceeds the bound, the person was added before, the entries are not in ascending order or not below the dimension, or a sum passes 2⁶³. The person then
    /// counts as not added.
    pub fn add(&mut self, person: u32, contribution: &[(u32, i64)]) -> Result<()> {
        if !self.bound.allows(contribution) {
            return Err(refused("exceeds the declared bound; bound it over the whole pool before adding it up"));
        }
        let ascending = contribution.is_sorted_by(|(a, _), (b, _)| a < b);
        if !ascending || contribution.last().is_some_and(|&(entry, _)| entry as usize >= self.sums.len()) {
            return Err(refused("must name entries below the dimension in ascending order, each once"));
        }
        let fits = |&(entry, value): &(u32, i64)| self.sums[entry as usize].checked_add(value).is_some();
        if !contribution.iter().all(fits) {
            return Err(refused("makes a sum pass 2^63; declare a smaller bound for an entry"));
        }
        if !self.people.insert(person) {
            return Err(refused("is a second one of the same person; gather what a person did over all files and batches first"));
        }
        for &(entry, value) in contribution {
            self.sums[entry as usize] += value;
        }
        Ok(())
    }

    /// Adds what another accumulator of the same shape gathered from other people.
    ///
    /// # Errors
    /// Dimension or bound differ, a person is in both, or a sum passes 2⁶³.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.sums.len() != other.sums.len() || self.bound != other.bound {
            return Err(refused("was gathered with another dimension or bound"));
        }
        if self.people.meets(&other.people) {
            return Err(refused("is a second one of the same person; divide the pool by people"));
        }
        let sums = self.sums.iter().zip(&other.sums).map(|(a, b)| a.checked_add(*b)).collect::<Option<Vec<i64>>>();
        self.sums = sums.ok_or_else(|| refused("makes a sum pass 2^63; declare a smaller bound for an entry"))?;
        self.people.extend(&other.people);
        Ok(())
    }

    /// The statistic with its bound.
    #[must_use]
    pub fn finish(self) -> Bounded {
        Bounded { sums: self.sums, bound: self.bound }
    }
}

/// A vector of integers to which no person contributes more than a declared bound.
///
/// # Guarantee
/// Two pools that differ by one person with all that the person did give vectors that differ by at most the bound, in every norm that it speaks of: the only way to make such a statistic is an
/// [`Accumulator`], which checked every contribution and took nobody twice.
#[derive(Clone, PartialEq, Eq)]
pub struct Bounded {
    sums: Vec<i64>,
    bound: ContributionBound,
}

/// Shows no sums: they are private data.
impl std::fmt::Debug for Bounded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bounded").field("dimension", &self.sums.len()).field("bound", &self.bound).finish_non_exhaustive()
    }
}

impl Bounded {
    /// Number of entries.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.sums.len()
    }

    /// What one person can change.
    #[must_use]
    pub fn bound(&self) -> ContributionBound {
        self.bound
    }

    /// The exact sums. They are private data: for the steward's eyes, and for tests of sensitivity.
    #[must_use]
    pub fn exact_for_the_steward(&self) -> &[i64] {
        &self.sums
    }

    /// Euclidean distance to another statistic of the same dimension, for tests of sensitivity; `None` if the dimensions differ.
    #[must_use]
    pub fn distance(&self, other: &Self) -> Option<f64> {
        let squares = || self.sums.iter().zip(&other.sums).map(|(a, b)| real(a.abs_diff(*b)).powi(2));
        (self.sums.len() == other.sums.len()).then(|| squares().sum::<f64>().sqrt())
    }
}

/// A set of dense codes.
#[derive(Debug, Clone, Default)]
struct People {
    words: Vec<u64>,
}

impl People {
    /// Whether the person was not there yet.
    fn insert(&mut self, person: u32) -> bool {
        let (word, bit) = (person as usize / 64, 1_u64 << (person % 64));
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let fresh = self.words[word] & bit == 0;
        self.words[word] |= bit;
        fresh
    }

    fn meets(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(a, b)| a & b != 0)
    }

    fn extend(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }
}

fn refused(problem: &str) -> Error {
    Error::Parameter { name: "contribution", problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ENTRIES: ContributionBound = ContributionBound::Entries { entries: 3, per_entry: 5 };

    #[test]
    fn norms_of_a_bound() {
        assert_eq!((ENTRIES.l1(), ENTRIES.l2_squared(), ENTRIES.largest_entry()), (Some(15), Some(75), Some(5)));
        let euclidean = ContributionBound::Euclidean { norm_squared: 26 };
        assert_eq!((euclidean.l1(), euclidean.l2_squared(), euclidean.largest_entry()), (None, Some(26), Some(5)));
        let huge = ContributionBound::Entries { entries: u64::MAX, per_entry: u64::MAX };
        assert_eq!((huge.l1(), huge.l2_squared()), (None, None));
        assert!(Accumulator::new(1, huge).is_err());
        assert!(Accumulator::new(1, ContributionBound::Entries { entries: 0, per_entry: 1 }).is_err());
        assert!(Accumulator::new(1, ContributionBound::Euclidean { norm_squared: 0 }).is_err());
    }

    #[test]
    fn what_exceeds_the_bound_is_refused_and_leaves_no_trace() {
        let mut accumulator = Accumulator::new(10, ENTRIES).unwrap();
        for bad in [
            vec![(0, 6)],
            vec![(0, -6)],
            vec![(0, i64::MIN)],
            vec![(0, 1), (1, 1), (2, 1), (3, 1)],
            vec![(1, 1), (1, 1)],
            vec![(2, 1), (1, 1)],
            vec![(10, 1)],
        ] {
            assert!(accumulator.add(0, &bad).is_err(), "{bad:?}");
        }
        accumulator.add(0, &[(0, 5), (4, 0), (7, -5), (8, 0), (9, 5)]).unwrap();
        assert!(accumulator.add(0, &[(1, 1)]).is_err());
        assert_eq!(accumulator.finish().exact_for_the_steward(), [5, 0, 0, 0, 0, 0, 0, -5, 0, 5]);
        let mut euclidean = Accumulator::new(2, ContributionBound::Euclidean { norm_squared: 25 }).unwrap();
        euclidean.add(0, &[(0, 3), (1, -4)]).unwrap();
        assert!(euclidean.add(1, &[(0, 4), (1, 4)]).is_err());
        assert!(euclidean.add(1, &[(0, i64::MIN), (1, i64::MIN)]).is_err());
    }

    #[test]
    fn a_sum_never_wraps() {
        let bound = ContributionBound::Entries { entries: 1, per_entry: u64::MAX >> 1 };
        let mut accumulator = Accumulator::new(1, bound).unwrap();
        accumulator.add(0, &[(0, i64::MAX)]).unwrap();
        assert!(accumulator.add(1, &[(0, 1)]).is_err());
        let mut other = Accumulator::new(1, bound).unwrap();
        other.add(1, &[(0, 1)]).unwrap();
        assert!(accumulator.merge(&other).is_err());
        assert_eq!(accumulator.finish().exact_for_the_steward(), [i64::MAX]);
    }

    proptest! {
        /// Whatever people do, dropping one changes the statistic by no more than the bound; and the division over accumulators does not matter.
        #[test]
        fn neighbours_are_within_the_bound(
            people in prop::collection::vec(prop::collection::btree_map(0_u32..8, -6_i64..7, 0..5), 1..12),
            parts in prop::collection::vec(0_usize..3, 12),
            dropped in any::<prop::sample::Index>(),
            euclidean in any::<bool>(),
        ) {
            let bound = if euclidean { ContributionBound::Euclidean { norm_squared: 40 } } else { ENTRIES };
            let people: Vec<Vec<(u32, i64)>> = people.into_iter().map(|entries| entries.into_iter().collect()).collect();
            let accumulate = |without: Option<usize>, part: Option<usize>| {
                let mut accumulator = Accumulator::new(8, bound).unwrap();
                for (person, contribution) in people.iter().enumerate() {
                    if Some(person) != without && part.is_none_or(|part| parts[person] == part) {
                        prop_assert_eq!(accumulator.add(u32::try_from(person).unwrap(), contribution).is_ok(), bound.allows(contribution));
                    }
                }
                Ok(accumulator)
            };
            let all = accumulate(None, None)?.finish();
            let neighbour = accumulate(Some(dropped.index(people.len())), None)?.finish();
            #[expect(clippy::cast_precision_loss, reason = "a small bound")]
            let limit = (bound.l2_squared().unwrap() as f64).sqrt();
            prop_assert!(all.distance(&neighbour).unwrap() <= limit + 1e-12);
            let mut merged = accumulate(None, Some(2))?;
            merged.merge(&accumulate(None, Some(0))?).unwrap();
            merged.merge(&accumulate(None, Some(1))?).unwrap();
            prop_assert_eq!(merged.finish(), all);
        }
    }

    /// The commonest fatal mistake: a bound for each batch instead of over the pool. A person who comes twice is refused, in one accumulator and in two that are merged.
    #[test]
    fn a_bound_for_each_batch_is_no_bound() {
        let mut first = Accumulator::new(4, ENTRIES).unwrap();
        first.add(7, &[(0, 5), (1, 5), (2, 5)]).unwrap();
        assert!(first.add(7, &[(3, 5)]).is_err());
        let mut second = Accumulator::new(4, ENTRIES).unwrap();
        second.add(7, &[(3, 5)]).unwrap();
        assert!(first.merge(&second).is_err());
    }
}
