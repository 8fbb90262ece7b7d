//! Which items of a person count.

use crate::dp::contribution::{Accumulator, Bounded, ContributionBound};
use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use crate::matrix::SubjectItems;

/// Which items count of a person who has more than may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Keep {
    /// Any, chosen by a keyed hash of person and item: counts keep their proportions.
    #[default]
    Uniform,
    /// Those with the most rows, ties by the same hash: closer to taste, and popular items gain.
    Top,
}

/// The items of every person of a pool, with stable names of people and items, so that what is sampled does not depend on codes, order or division of the input.
#[derive(Debug, Clone, Copy)]
pub struct Contributions<'a> {
    matrix: &'a SubjectItems,
    subject_ids: &'a [u64],
    item_ids: &'a [u64],
    threads: usize,
}

impl<'a> Contributions<'a> {
    /// The pool as a matrix of *all* that each person did; `subject_ids` and `item_ids` are hashes of the people's and the items' values
    /// ([`content_hashes`](crate::matrix::content_hashes)).
    ///
    /// # Errors
    /// There is not one id for each subject and each item.
    pub fn new(matrix: &'a SubjectItems, subject_ids: &'a [u64], item_ids: &'a [u64]) -> Result<Self> {
        if subject_ids.len() != matrix.subjects() || item_ids.len() != matrix.items() {
            return Err(Error::Parameter { name: "ids", problem: "needs one for each subject and one for each item".to_owned() });
        }
        Ok(Self { matrix, subject_ids, item_ids, threads: 1 })
    }

    /// Threads; one if not set. The result does not depend on it.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads: threads.max(1), ..self }
    }

    /// Number of items, whether or not anybody has them.
    #[must_use]
    pub fn items(&self) -> usize {
        self.matrix.items()
    }

    /// Stable names of the items.
    #[must_use]
    pub fn item_ids(&self) -> &'a [u64] {
        self.item_ids
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// At most `limit` items of every person, of those that `open` has `true` for. `purpose` tells samples of the same pool apart.
    ///
    /// # Errors
    /// `limit` is 0, or `open` is not one flag an item.
    pub fn sample(&self, limit: usize, keep: Keep, open: Option<&[bool]>, key: &Key, purpose: &str) -> Result<Sampled> {
        if limit == 0 {
            return Err(Error::Parameter { name: "max_items_per_subject", problem: "must be at least 1".to_owned() });
        }
        if open.is_some_and(|open| open.len() != self.matrix.items()) {
            return Err(Error::Parameter { name: "open", problem: "must be one flag an item".to_owned() });
        }
        let key = key.derive(&Domain { product: purpose, ..Domain::of("contribution sample") });
        let word = key.expose().first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let people = u32::try_from(self.matrix.subjects()).unwrap_or(u32::MAX);
        let parts = in_parallel(people, self.threads, |range| {
            let mut part = Sampled { first: range.start, ends: Vec::new(), items: Vec::new(), rows: Vec::new(), cut: 0 };
            let mut own: Vec<(u32, u64, u32)> = Vec::new();
            for person in range {
                let (items, rows) = (self.matrix.items_of(person), self.matrix.rows_of(person));
                let name = self.subject_ids[person as usize] ^ word;
                own.clear();
                let allowed = items.iter().zip(rows).filter(|(item, _)| open.is_none_or(|open| open[**item as usize]));
                own.extend(allowed.map(|(&item, &rows)| (item, mixed(name, self.item_ids[item as usize]), rows)));
                if own.len() > limit {
                    part.cut += (own.len() - limit) as u64;
                    match keep {
                        Keep::Uniform => own.select_nth_unstable_by_key(limit, |&(item, priority, _)| (priority, item)),
                        Keep::Top => own.select_nth_unstable_by_key(limit, |&(item, priority, rows)| (u32::MAX - rows, priority, item)),
                    };
                    own.truncate(limit);
                    own.sort_unstable_by_key(|entry| entry.0);
                }
                part.items.extend(own.iter().map(|entry| entry.0));
                part.rows.extend(own.iter().map(|entry| entry.2));
                part.ends.push(part.items.len());
            }
            Ok(part)
        })?;
        let mut all = Sampled::default();
        for part in parts {
            let before = all.items.len();
            all.ends.extend(part.ends.iter().map(|end| end + before));
            all.items.extend(part.items);
            all.rows.extend(part.rows);
            all.cut += part.cut;
        }
        Ok(all)
    }
}

/// What of every person counts: distinct items in ascending order of their codes, with their rows.
#[derive(Debug, Clone, Default)]
pub struct Sampled {
    first: u32,
    ends: Vec<usize>,
    items: Vec<u32>,
    rows: Vec<u32>,
    cut: u64,
}

impl Sampled {
    /// Number of people, with those who have no item.
    #[must_use]
    pub fn people(&self) -> usize {
        self.ends.len()
    }

    /// Items of a person and their rows.
    ///
    /// # Panics
    /// The person is not below [`Sampled::people`].
    #[must_use]
    pub fn of(&self, person: u32) -> (&[u32], &[u32]) {
        let person = (person - self.first) as usize;
        let start = if person == 0 { 0 } else { self.ends[person - 1] };
        (&self.items[start..self.ends[person]], &self.rows[start..self.ends[person]])
    }

    /// Items of people that do not count because of the limit. It is private data.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// Adds up a function of each person's items and rows: `contribution(items, rows, entries)` fills `entries`, in ascending order, with what the person adds to a vector of `dimension` integers.
    ///
    /// # Errors
    /// A contribution exceeds `bound`: see [`Accumulator::add`].
    pub fn sum(
        &self,
        dimension: usize,
        bound: ContributionBound,
        threads: usize,
        contribution: impl Fn(&[u32], &[u32], &mut Vec<(u32, i64)>) + Sync,
    ) -> Result<Bounded> {
        let people = u32::try_from(self.people()).unwrap_or(u32::MAX);
        let parts = in_parallel(people, threads, |range| {
            let mut accumulator = Accumulator::new(dimension, bound)?;
            let mut entries = Vec::new();
            for person in range {
                entries.clear();
                let (items, rows) = self.of(person);
                contribution(items, rows, &mut entries);
                accumulator.add(person, &entries)?;
            }
            Ok(accumulator)
        })?;
        let mut all = Accumulator::new(dimension, bound)?;
        for part in &parts {
            all.merge(part)?;
        }
        Ok(all.finish())
    }
}

/// Runs `work` on equal parts of `0..count`; the results in order.
fn in_parallel<T: Send>(count: u32, threads: usize, work: impl Fn(std::ops::Range<u32>) -> Result<T> + Sync) -> Result<Vec<T>> {
    let threads = u32::try_from(threads).unwrap_or(u32::MAX).clamp(1, count.max(1));
    let bound = |part: u32| u32::try_from(u64::from(count) * u64::from(part) / u64::from(threads)).unwrap_or(count);
    std::thread::scope(|scope| {
        let work = &work;
        let handles: Vec<_> = (0..threads).map(|part| scope.spawn(move || work(bound(part)..bound(part + 1)))).collect();
        handles.into_iter().map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// A well-mixed word of two names. The bound on contributions holds whatever is sampled, so that no secrecy is asked of it, only evenness.
fn mixed(person: u64, item: u64) -> u64 {
    let mut word = person.rotate_left(32) ^ item.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for multiplier in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53, 0xd6e8_feb8_6659_fd93_u64] {
        word = (word ^ (word >> 32)).wrapping_mul(multiplier);
    }
    word ^ (word >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::from_bytes([5; 32])
    }

    #[test]
    fn people_within_the_limit_keep_everything_and_others_exactly_the_limit() {
        let lists = [vec![], vec![3], (0..40).collect(), vec![1, 1, 1, 2, 2, 9]];
        let matrix = SubjectItems::from_lists(&lists, 40).unwrap();
        let (people, items): (Vec<u64>, Vec<u64>) = ((0..4).collect(), (100..140).collect());
        let contributions = Contributions::new(&matrix, &people, &items).unwrap();
        let sampled = contributions.sample(3, Keep::Uniform, None, &key(), "test").unwrap();
        assert_eq!((sampled.people(), sampled.cut()), (4, 37));
        assert_eq!(sampled.of(0).0, [0_u32; 0]);
        assert_eq!(sampled.of(3), ([1, 2, 9].as_slice(), [3, 2, 1].as_slice()));
        assert_eq!(sampled.of(2).0.len(), 3);
        let top = contributions.sample(2, Keep::Top, None, &key(), "test").unwrap();
        assert_eq!(top.of(3).0, [1, 2]);
        let open: Vec<bool> = (0..40).map(|item| item != 1).collect();
        assert_eq!(contributions.sample(2, Keep::Top, Some(&open), &key(), "test").unwrap().of(3).0, [2, 9]);
        assert!(contributions.sample(0, Keep::Top, None, &key(), "test").is_err());
        assert!(Contributions::new(&matrix, &people[1..], &items).is_err());
    }

    #[test]
    fn the_sample_follows_names_and_not_codes_or_threads() {
        let lists: Vec<Vec<u32>> = (0..50_u32).map(|person| (0..60).filter(|item| (item * 7 + person) % 3 > 0).collect()).collect();
        let matrix = SubjectItems::from_lists(&lists, 60).unwrap();
        let (people, items): (Vec<u64>, Vec<u64>) = ((500..550).collect(), (1000..1060).collect());
        let sampled = Contributions::new(&matrix, &people, &items).unwrap().sample(5, Keep::Uniform, None, &key(), "test").unwrap();
        // The same people and items under other codes.
        let turned: Vec<Vec<u32>> = lists.iter().rev().map(|list| list.iter().map(|item| 59 - item).collect()).collect();
        let matrix = SubjectItems::from_lists(&turned, 60).unwrap();
        let (people, items): (Vec<u64>, Vec<u64>) = (people.into_iter().rev().collect(), items.into_iter().rev().collect());
        let again =
            Contributions::new(&matrix, &people, &items).unwrap().with_threads(3).sample(5, Keep::Uniform, None, &key(), "test").unwrap();
        for person in 0..50 {
            let mut mirrored: Vec<u32> = again.of(49 - person).0.iter().map(|item| 59 - item).collect();
            mirrored.sort_unstable();
            assert_eq!(sampled.of(person).0, mirrored);
        }
    }

    /// Every item of a person is as likely to be kept: χ² over 20 items, false-alarm rate 1e-6 (fixed data).
    #[test]
    fn uniform_samples_are_even() {
        let lists: Vec<Vec<u32>> = (0..4_000).map(|_| (0..20).collect()).collect();
        let matrix = SubjectItems::from_lists(&lists, 20).unwrap();
        let (people, items): (Vec<u64>, Vec<u64>) = ((0..4_000).collect(), (0..20).collect());
        let sampled = Contributions::new(&matrix, &people, &items).unwrap().sample(5, Keep::Uniform, None, &key(), "test").unwrap();
        let mut counts = [0_f64; 20];
        for person in 0..4_000 {
            sampled.of(person).0.iter().for_each(|&item| counts[item as usize] += 1.0);
        }
        // Samples are without replacement: the variance of a count is 4000 · ¼ · ¾, and Σ (count − 1000)² / (750 · 20/19) is χ² with 19 degrees.
        let statistic: f64 = counts.iter().map(|count| (count - 1000.0).powi(2) / (750.0 * 20.0 / 19.0)).sum();
        assert!(statistic < 63.0, "{statistic}");
    }
}
