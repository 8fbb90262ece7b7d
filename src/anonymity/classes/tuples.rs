//! Distinct combinations of quasi-identifier codes.

use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::collections::HashMap;
use std::hash::BuildHasher;

/// Collects tuples from batches of codes. Memory grows with distinct (tuple, subject) pairs, never with rows.
#[derive(Debug)]
pub struct TupleBuilder {
    columns: usize,
    /// Codes of the tuples, one tuple after the other.
    codes: Vec<u32>,
    rows: Vec<u64>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    owners: Owners,
}

/// Who the rows belong to.
#[derive(Debug)]
enum Owners {
    /// No row was seen yet.
    Unknown,
    /// Every row belongs to a different subject.
    OneEach,
    /// (tuple, subject, rows).
    Pairs { pairs: Vec<(u32, u32, u64)>, table: HashTable<u32> },
}

impl TupleBuilder {
    /// For tuples of `columns` codes.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self {
            columns,
            codes: Vec::new(),
            rows: Vec::new(),
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            owners: Owners::Unknown,
        }
    }

    /// Takes rows into account: one slice of codes a column, all equally long, missing values as [`NULL_CODE`]. `subjects` are the codes of the
    /// people who own the rows; without them every row is a different person.
    ///
    /// # Errors
    /// Slices of different lengths, rows without a subject, batches with and without subjects, or more than 2³² − 1 tuples or pairs.
    pub fn extend(&mut self, columns: &[&[u32]], subjects: Option<&[u32]>) -> Result<()> {
        let length = columns.first().map(|column| column.len()).or(subjects.map(<[u32]>::len)).unwrap_or(0);
        if columns.len() != self.columns || columns.iter().any(|column| column.len() != length) {
            return Err(shape("columns", "are not as many or as long as announced"));
        }
        if subjects.is_some_and(|subjects| subjects.len() != length) {
            return Err(shape("subjects", "must be as long as the columns"));
        }
        if let Some(subjects) = subjects {
            let without = subjects.iter().filter(|&&subject| subject == NULL_CODE).count();
            if without > 0 {
                return Err(Error::rows(
                    "subject",
                    without as u64,
                    "is missing",
                    "leave out rows without a person: they cannot be counted",
                ));
            }
        }
        if length == 0 {
            return Ok(());
        }
        self.set_mode(subjects.is_some())?;
        let mut tuple = vec![0; self.columns];
        for row in 0..length {
            for (code, column) in tuple.iter_mut().zip(columns) {
                *code = column[row];
            }
            self.add(&tuple, subjects.map(|subjects| subjects[row]), 1)?;
        }
        Ok(())
    }

    /// Takes everything into account that `other` collected. Both must have numbered values and subjects alike.
    ///
    /// # Errors
    /// As for [`TupleBuilder::extend`].
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if other.columns != self.columns {
            return Err(shape("columns", "are not as many as announced"));
        }
        match &other.owners {
            Owners::Unknown => {}
            Owners::OneEach => {
                self.set_mode(false)?;
                for (index, &rows) in other.rows.iter().enumerate() {
                    self.add(other.tuple(index), None, rows)?;
                }
            }
            Owners::Pairs { pairs, .. } => {
                self.set_mode(true)?;
                for &(tuple, subject, rows) in pairs {
                    self.add(other.tuple(tuple as usize), Some(subject), rows)?;
                }
            }
        }
        Ok(())
    }

    fn set_mode(&mut self, with_subjects: bool) -> Result<()> {
        match (&self.owners, with_subjects) {
            (Owners::Unknown, true) => self.owners = Owners::Pairs { pairs: Vec::new(), table: HashTable::new() },
            (Owners::Unknown, false) => self.owners = Owners::OneEach,
            (Owners::OneEach, false) | (Owners::Pairs { .. }, true) => {}
            _ => return Err(shape("subjects", "must be given for all rows or for none")),
        }
        Ok(())
    }

    fn tuple(&self, index: usize) -> &[u32] {
        &self.codes[index * self.columns..(index + 1) * self.columns]
    }

    fn add(&mut self, tuple: &[u32], subject: Option<u32>, rows: u64) -> Result<()> {
        let index = self.intern(tuple)?;
        let total = &mut self.rows[index as usize];
        *total = total.checked_add(rows).ok_or_else(too_many)?;
        let (Owners::Pairs { pairs, table }, Some(subject)) = (&mut self.owners, subject) else { return Ok(()) };
        let hash = self.hasher.hash_one((index, subject));
        let known = |&pair: &u32| {
            let (tuple, owner, _) = pairs[pair as usize];
            (tuple, owner) == (index, subject)
        };
        if let Some(&pair) = table.find(hash, known) {
            let rows_so_far = &mut pairs[pair as usize].2;
            *rows_so_far = rows_so_far.checked_add(rows).ok_or_else(too_many)?;
            return Ok(());
        }
        let next = u32::try_from(pairs.len()).map_err(|_| too_many())?;
        pairs.push((index, subject, rows));
        let hasher = &self.hasher;
        table.insert_unique(hash, next, |&pair| {
            let (tuple, owner, _) = pairs[pair as usize];
            hasher.hash_one((tuple, owner))
        });
        Ok(())
    }

    fn intern(&mut self, tuple: &[u32]) -> Result<u32> {
        let (codes, columns, hasher) = (&self.codes, self.columns, &self.hasher);
        let of = |index: u32| &codes[index as usize * columns..(index as usize + 1) * columns];
        let hash = hasher.hash_one(tuple);
        if let Some(&index) = self.table.find(hash, |&index| of(index) == tuple) {
            return Ok(index);
        }
        let index = u32::try_from(self.rows.len()).ok().filter(|&index| index != u32::MAX).ok_or_else(too_many)?;
        self.codes.extend_from_slice(tuple);
        self.rows.push(0);
        let codes = &self.codes;
        self.table.insert_unique(hash, index, |&index| hasher.hash_one(&codes[index as usize * columns..(index as usize + 1) * columns]));
        Ok(index)
    }

    /// Ends the pass.
    ///
    /// # Errors
    /// More than 2⁶⁴ − 1 rows or 2³² − 1 subjects.
    pub fn finish(self) -> Result<Tuples> {
        let total = self.rows.iter().try_fold(0_u64, |sum, &rows| sum.checked_add(rows)).ok_or_else(too_many)?;
        let incidence = match self.owners {
            Owners::Unknown | Owners::OneEach => Incidence::OneRowEach,
            Owners::Pairs { pairs, .. } => Incidence::from_pairs(&pairs, self.rows.len(), total)?,
        };
        let subjects = match &incidence {
            Incidence::OneRowEach => total,
            Incidence::Lists { subjects, .. } => u64::from(*subjects),
        };
        Ok(Tuples {
            columns: self.columns,
            codes: self.codes,
            rows: self.rows,
            table: self.table,
            hasher: self.hasher,
            incidence,
            total_rows: total,
            subjects,
        })
    }
}

fn shape(name: &'static str, problem: &str) -> Error {
    Error::Parameter { name, problem: problem.to_owned() }
}

fn too_many() -> Error {
    Error::Parameter { name: "rows", problem: "are more than the counters can hold".to_owned() }
}

/// Distinct combinations of quasi-identifier codes, with rows and owners. The order of tuples means nothing.
#[derive(Debug)]
pub struct Tuples {
    columns: usize,
    codes: Vec<u32>,
    rows: Vec<u64>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    incidence: Incidence,
    total_rows: u64,
    subjects: u64,
}

/// Which subjects have rows of which tuple.
#[derive(Debug)]
pub(super) enum Incidence {
    /// Every subject has exactly one row, so rows are people.
    OneRowEach,
    /// Entries of tuple t: `offsets[t]..offsets[t + 1]`. Subjects are renumbered 0, 1, ….
    Lists { offsets: Vec<usize>, owners: Vec<u32>, rows: Vec<u64>, subjects: u32 },
}

impl Incidence {
    fn from_pairs(pairs: &[(u32, u32, u64)], tuples: usize, total: u64) -> Result<Self> {
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        let mut offsets = vec![0_usize; tuples + 1];
        for &(tuple, subject, _) in pairs {
            let next = u32::try_from(numbers.len()).ok().filter(|&next| next != u32::MAX).ok_or_else(too_many)?;
            numbers.entry(subject).or_insert(next);
            offsets[tuple as usize + 1] += 1;
        }
        if numbers.len() as u64 == total {
            return Ok(Self::OneRowEach);
        }
        for index in 0..tuples {
            offsets[index + 1] += offsets[index];
        }
        let mut next = offsets.clone();
        let (mut owners, mut rows) = (vec![0; pairs.len()], vec![0; pairs.len()]);
        for &(tuple, subject, count) in pairs {
            let place = &mut next[tuple as usize];
            (owners[*place], rows[*place]) = (numbers[&subject], count);
            *place += 1;
        }
        let subjects = u32::try_from(numbers.len()).map_err(|_| too_many())?;
        Ok(Self::Lists { offsets, owners, rows, subjects })
    }
}

impl Tuples {
    /// Number of distinct tuples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Codes in a tuple.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
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
        &self.rows
    }

    /// All rows.
    #[must_use]
    pub fn total_rows(&self) -> u64 {
        self.total_rows
    }

    /// Distinct subjects.
    #[must_use]
    pub fn subjects(&self) -> u64 {
        self.subjects
    }

    /// Whether every subject has exactly one row.
    #[must_use]
    pub fn one_row_each(&self) -> bool {
        matches!(self.incidence, Incidence::OneRowEach)
    }

    /// The index of a tuple with these codes.
    #[must_use]
    pub fn find(&self, codes: &[u32]) -> Option<usize> {
        if codes.len() != self.columns {
            return None;
        }
        self.table.find(self.hasher.hash_one(codes), |&index| self.codes(index as usize) == codes).map(|&index| index as usize)
    }

    pub(super) fn incidence(&self) -> &Incidence {
        &self.incidence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
