//! Any set of tuples, seen as one class.

use super::people::{People, Scratch, add_same_values, sum_by_value};
use super::tuples::Tuples;
use super::view::{ClassView, ValueCount};
use super::{ClassStatistics, people::Counts};
use crate::anonymity::classes::multiset::{Multisets, multisets_of};
use hashbrown::HashMap;

/// Counts sets of tuples that are no classes of any levels, as local recoding makes them.
///
/// ```
/// use backmask::anonymity::classes::{TupleBuilder, UnionCounter};
///
/// // Person 7 has rows in two tuples and counts once.
/// let mut builder = TupleBuilder::new(1);
/// builder.extend(&[&[0, 1, 2]], Some(&[7, 7, 8]))?;
/// let tuples = builder.finish()?;
/// let class = UnionCounter::new(&tuples).view(&[0, 1], |class| class.statistics);
/// assert_eq!((class.rows, class.subjects, class.max_rows_of_a_subject), (2, 1, 2));
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug)]
pub struct UnionCounter<'a> {
    counts: &'a Counts,
    /// Rows of spread people in the union, by person.
    visits: HashMap<u32, u64>,
    scratch: Scratch,
}

impl<'a> UnionCounter<'a> {
    /// For sets of these tuples.
    #[must_use]
    pub fn new(tuples: &'a Tuples) -> Self {
        Self { counts: tuples.counts(), visits: HashMap::new(), scratch: Scratch::default() }
    }

    /// Shows the union of `tuples`, each named once, to `visit`.
    ///
    /// # Panics
    /// There is no such tuple.
    pub fn view<T>(&mut self, tuples: &[u32], visit: impl FnOnce(&ClassView<'_>) -> T) -> T {
        let counts = self.counts;
        // Sums are bounded by those of the whole table, which fit.
        let rows: u64 = tuples.iter().map(|&tuple| counts.rows[tuple as usize]).sum();
        let statistics = match &counts.people {
            People::OneRowEach => ClassStatistics { rows, subjects: rows, max_rows_of_a_subject: rows.min(1) },
            People::Counted { settled, most, spread, .. } => {
                self.visits.clear();
                let (mut subjects, mut most_rows) = (0, 0);
                for &tuple in tuples {
                    subjects += settled[tuple as usize];
                    most_rows = most_rows.max(most[tuple as usize]);
                    for visit in spread.of(tuple as usize) {
                        *self.visits.entry(visit.person).or_default() += visit.rows;
                    }
                }
                most_rows = self.visits.values().copied().fold(most_rows, u64::max);
                ClassStatistics { rows, subjects: subjects + self.visits.len() as u64, max_rows_of_a_subject: most_rows }
            }
        };
        let population = counts.population.as_ref().map(|people| tuples.iter().map(|&tuple| people[tuple as usize]).sum());
        let lists: Vec<Vec<ValueCount>> = counts
            .sensitive
            .iter()
            .map(|values| {
                let mut sums = Vec::new();
                sum_by_value(tuples.iter().map(|&tuple| values.settled.of(tuple as usize)), &mut sums, &mut self.scratch);
                let mut pairs: Vec<(u32, u32)> = tuples.iter().flat_map(|&tuple| values.spread.of(tuple as usize)).copied().collect();
                if !pairs.is_empty() {
                    pairs.sort_unstable();
                    // One person with one value in several tuples.
                    pairs.dedup();
                    sums.extend(pairs.into_iter().map(|(value, _)| ValueCount { value, people: 1 }));
                    add_same_values(&mut sums);
                }
                sums
            })
            .collect();
        let sensitive: Vec<&[ValueCount]> = lists.iter().map(Vec::as_slice).collect();
        visit(&ClassView { statistics, sensitive: &sensitive, population })
    }
}

impl Tuples {
    /// Tuples with those that only the population has: these have the numbers from [`Tuples::len`] on.
    #[must_use]
    pub fn with_population(&self) -> usize {
        self.parts()
    }

    /// Distinct people with rows in any of the tuples for which `wanted` says so.
    #[must_use]
    pub fn subjects_of(&self, wanted: impl Fn(usize) -> bool) -> u64 {
        let chosen: Vec<u32> = (0_u32..).zip(0..self.len()).filter(|&(_, tuple)| wanted(tuple)).map(|(number, _)| number).collect();
        UnionCounter::new(self).view(&chosen, |class| class.statistics.subjects)
    }

    /// How people share their multisets of classes, for any classes: `of_tuples` is the class of every tuple with rows, `None` if it is suppressed.
    /// See [`multisets`](super::multiset::multisets).
    #[must_use]
    pub fn multisets(&self, of_tuples: &[Option<u32>]) -> Multisets {
        multisets_of(self, of_tuples)
    }

    /// The same table without the rows of other tuples than those for which `wanted` says so; also the former number of every tuple that is left. Nothing of the
    /// population is left.
    #[must_use]
    pub fn restricted(&self, wanted: impl Fn(usize) -> bool) -> (Self, Vec<u32>) {
        let chosen: Vec<u32> = (0_u32..).zip(0..self.len()).filter(|&(_, tuple)| wanted(tuple)).map(|(number, _)| number).collect();
        (self.chosen(&chosen), chosen)
    }
}
