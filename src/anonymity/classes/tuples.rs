//! Distinct combinations of quasi-identifier codes.

use super::people::{Counts, People};
use super::union::UnionCounter;
use super::view::ValueCount;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::collections::BTreeMap;
use std::hash::BuildHasher;

/// Distinct combinations of quasi-identifier codes, with rows, owners and sensitive values. The order of tuples means nothing.
#[derive(Debug)]
pub struct Tuples {
    columns: usize,
    codes: Vec<u32>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Of all tuples; those that only the population has come last.
    counts: Counts,
    totals: Totals,
}

/// Counts of the whole table.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) rows: u64,
    pub(super) subjects: u64,
    /// Tuples with rows.
    pub(super) populated: usize,
    /// (tuple, rows, people) of people whose rows are several and all in one tuple.
    pub(super) repeated: Vec<(u32, u64, u64)>,
}

impl Tuples {
    pub(super) fn new(
        columns: usize,
        codes: Vec<u32>,
        index: (HashTable<u32>, DefaultHashBuilder),
        counts: Counts,
        totals: Totals,
    ) -> Self {
        Self { columns, codes, table: index.0, hasher: index.1, counts, totals }
    }

    /// Number of distinct tuples with rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.totals.populated
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.totals.populated == 0
    }

    /// Codes in a tuple.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Sensitive columns.
    #[must_use]
    pub fn sensitive(&self) -> usize {
        self.counts.sensitive.len()
    }

    /// The codes of one tuple, as they were given.
    ///
    /// # Panics
    /// `index` is not below [`Tuples::len`].
    #[must_use]
    pub fn codes(&self, index: usize) -> &[u32] {
        &self.codes[index * self.columns..(index + 1) * self.columns]
    }

    /// Rows of every tuple.
    #[must_use]
    pub fn rows(&self) -> &[u64] {
        &self.counts.rows[..self.totals.populated]
    }

    /// All rows.
    #[must_use]
    pub fn total_rows(&self) -> u64 {
        self.totals.rows
    }

    /// Distinct subjects.
    #[must_use]
    pub fn subjects(&self) -> u64 {
        self.totals.subjects
    }

    /// Whether every subject has exactly one row.
    #[must_use]
    pub fn one_row_each(&self) -> bool {
        matches!(self.counts.people, People::OneRowEach)
    }

    /// People of the population; `None` if no population was given.
    #[must_use]
    pub fn population(&self) -> Option<u64> {
        self.counts.population.as_ref().map(|people| people.iter().sum())
    }

    /// Distinct people of the whole table by value of one sensitive column, ascending; empty if there is no such column.
    #[must_use]
    pub fn distribution(&self, sensitive: usize) -> Vec<ValueCount> {
        let Some(values) = self.counts.sensitive.get(sensitive) else { return Vec::new() };
        let mut people: BTreeMap<u32, u64> = BTreeMap::new();
        let mut spread = Vec::new();
        for part in 0..self.parts() {
            for entry in values.settled.of(part) {
                *people.entry(entry.value).or_default() += entry.people;
            }
            spread.extend_from_slice(values.spread.of(part));
        }
        spread.sort_unstable();
        spread.dedup();
        for (value, _) in spread {
            *people.entry(value).or_default() += 1;
        }
        people.into_iter().map(|(value, people)| ValueCount { value, people }).collect()
    }

    /// The index of a tuple with these codes and with rows.
    #[must_use]
    pub fn find(&self, codes: &[u32]) -> Option<usize> {
        if codes.len() != self.columns {
            return None;
        }
        let index = self.table.find(self.hasher.hash_one(codes), |&index| self.codes(index as usize) == codes);
        index.map(|&index| index as usize).filter(|&index| index < self.totals.populated)
    }

    /// Some tuples with rows, in this order, without the population.
    pub(super) fn chosen(&self, chosen: &[u32]) -> Self {
        let codes: Vec<u32> = chosen.iter().flat_map(|&tuple| self.codes(tuple as usize)).copied().collect();
        let counts = self.counts.chosen(chosen);
        let hasher = DefaultHashBuilder::default();
        let of = |index: u32| &codes[index as usize * self.columns..(index as usize + 1) * self.columns];
        let mut table = HashTable::with_capacity(chosen.len());
        for (number, _) in (0_u32..).zip(chosen) {
            table.insert_unique(hasher.hash_one(of(number)), number, |&index| hasher.hash_one(of(index)));
        }
        let mut new = vec![u32::MAX; self.parts()];
        for (number, &tuple) in (0_u32..).zip(chosen) {
            new[tuple as usize] = number;
        }
        let repeated = self.totals.repeated.iter().map(|&(tuple, rows, people)| (new[tuple as usize], rows, people));
        let totals = Totals {
            rows: counts.rows.iter().sum(),
            subjects: UnionCounter::new(self).view(chosen, |class| class.statistics.subjects),
            populated: chosen.len(),
            repeated: repeated.filter(|&(tuple, ..)| tuple != u32::MAX).collect(),
        };
        Self { columns: self.columns, codes, table, hasher, counts, totals }
    }

    /// Tuples with those that only the population has.
    pub(super) fn parts(&self) -> usize {
        self.counts.rows.len()
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) fn repeated(&self) -> &[(u32, u64, u64)] {
        &self.totals.repeated
    }
}

#[cfg(test)]
mod tests {
    use crate::anonymity::classes::{TupleBuilder, Tuples};
    use crate::io::table::NULL_CODE;

    fn sorted(tuples: &Tuples) -> Vec<(Vec<u32>, u64)> {
        let mut all: Vec<_> = (0..tuples.len()).map(|index| (tuples.codes(index).to_vec(), tuples.rows()[index])).collect();
        all.sort();
        all
    }

    #[test]
    fn rows_and_people_are_counted_over_batches_and_merges() {
        let mut one = TupleBuilder::new(2);
        one.extend(&[&[0, 0, 1], &[5, 5, NULL_CODE]], Some(&[9, 9, 4])).unwrap();
        let mut two = TupleBuilder::new(2);
        two.extend(&[&[0], &[5]], Some(&[4])).unwrap();
        one.merge(&two).unwrap();
        one.merge(&TupleBuilder::new(2)).unwrap();
        let tuples = one.finish().unwrap();
        assert_eq!(sorted(&tuples), [(vec![0, 5], 3), (vec![1, NULL_CODE], 1)]);
        assert_eq!((tuples.total_rows(), tuples.subjects(), tuples.one_row_each()), (4, 2, false));
        assert!(tuples.find(&[1, NULL_CODE]).is_some() && tuples.find(&[1, 5]).is_none() && tuples.find(&[1]).is_none());
    }

    #[test]
    fn one_row_each_is_recognized() {
        let mut builder = TupleBuilder::new(1);
        builder.extend(&[&[0, 1, 0]], Some(&[30, 10, 20])).unwrap();
        let tuples = builder.finish().unwrap();
        assert!(tuples.one_row_each());
        assert_eq!(tuples.subjects(), 3);
    }

    #[test]
    fn rows_without_a_person_and_mixed_batches_are_refused() {
        let mut builder = TupleBuilder::new(1);
        assert!(builder.extend(&[&[0, 1]], Some(&[NULL_CODE, 1])).unwrap_err().to_string().contains("1 row"));
        builder.extend(&[&[0]], None).unwrap();
        assert!(builder.extend(&[&[0]], Some(&[1])).is_err());
        assert!(builder.extend(&[&[0], &[0]], None).is_err());
        assert!(builder.extend(&[&[0, 1]], Some(&[1])).is_err());
        assert!(builder.merge(&TupleBuilder::new(2)).is_err());
        let mut other = TupleBuilder::new(1);
        other.extend(&[&[0]], Some(&[1])).unwrap();
        assert!(builder.merge(&other).is_err());
    }

    #[test]
    fn nothing_is_nothing() {
        let mut builder = TupleBuilder::new(1);
        builder.extend(&[&[]], Some(&[])).unwrap();
        let tuples = builder.finish().unwrap();
        assert!(tuples.is_empty());
        assert_eq!((tuples.total_rows(), tuples.subjects()), (0, 0));
    }
}
