//! Tables of which every row counts on its own.

use crate::anonymity::classes::{TupleBuilder, Tuples};
use crate::error::{Error, Result};
use hashbrown::HashMap;

/// Rows with their quasi-identifiers, owners and sensitive values, for recodings that may give equal rows different classes.
///
/// Among rows with the same quasi-identifiers, *keys* decide who goes where: numbers that say nothing about the rest of the row, for example keyed hashes
/// of row numbers or random numbers. With the same keys the order of rows does not matter. Rows with the same key go in the order in which they were given.
///
/// ```
/// use backmask::anonymity::local::RowTable;
///
/// let mut rows = RowTable::new(1, 0);
/// rows.extend(&[&[0, 0, 1]], &[], None, &[17, 4, 9])?;
/// assert_eq!(rows.finish()?.len(), 3);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug)]
pub struct RowTable {
    builder: TupleBuilder,
    columns: usize,
    keys: Vec<u64>,
    subjects: Vec<u32>,
}

impl RowTable {
    /// For rows of `columns` quasi-identifiers and `sensitive` sensitive columns.
    #[must_use]
    pub fn new(columns: usize, sensitive: usize) -> Self {
        // A tuple a row: the number of the row is one of its codes.
        Self { builder: TupleBuilder::with_sensitive(columns + 1, sensitive), columns, keys: Vec::new(), subjects: Vec::new() }
    }

    /// Takes rows into account, as [`TupleBuilder::extend_with`] does, with one key a row.
    ///
    /// # Errors
    /// As for [`TupleBuilder::extend_with`], or there are not as many keys as rows.
    pub fn extend(&mut self, columns: &[&[u32]], sensitive: &[&[u32]], subjects: Option<&[u32]>, keys: &[u64]) -> Result<()> {
        if columns.len() != self.columns || columns.iter().any(|column| column.len() != keys.len()) {
            return Err(Error::Parameter {
                name: "columns",
                problem: "are not as many as announced, or not as long as the keys".to_owned(),
            });
        }
        let first = u32::try_from(self.keys.len()).ok();
        let last = u32::try_from(self.keys.len() + keys.len()).ok().filter(|&last| last < u32::MAX - 1);
        let (Some(first), Some(last)) = (first, last) else {
            return Err(Error::Parameter { name: "rows", problem: "are more than 2^32 − 3".to_owned() });
        };
        let numbers: Vec<u32> = (first..last).collect();
        let with_numbers: Vec<&[u32]> = columns.iter().copied().chain([numbers.as_slice()]).collect();
        self.builder.extend_with(&with_numbers, sensitive, subjects)?;
        self.keys.extend_from_slice(keys);
        self.subjects.extend_from_slice(subjects.unwrap_or_default());
        Ok(())
    }

    /// The rows.
    ///
    /// # Errors
    /// As for [`TupleBuilder::finish`].
    pub fn finish(self) -> Result<Rows> {
        Ok(Rows { tuples: self.builder.finish()?, columns: self.columns, keys: self.keys, subjects: self.subjects })
    }
}

/// Rows that were collected by a [`RowTable`].
#[derive(Debug)]
pub struct Rows {
    /// One a row, in their order; the last code is the number of the row.
    tuples: Tuples,
    columns: usize,
    keys: Vec<u64>,
    /// Codes of the owners; empty if every row is a different person.
    subjects: Vec<u32>,
}

impl Rows {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Quasi-identifiers.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Distinct subjects.
    #[must_use]
    pub fn subjects(&self) -> u64 {
        self.tuples.subjects()
    }

    pub(super) fn tuples(&self) -> &Tuples {
        &self.tuples
    }

    /// Rows of every person, each list and the lists themselves in the order of `order`.
    pub(super) fn of_people(&self, order: &[u32]) -> Vec<Vec<u32>> {
        if self.subjects.is_empty() {
            return order.iter().map(|&row| vec![row]).collect();
        }
        let mut place: HashMap<u32, usize> = HashMap::new();
        let mut people: Vec<Vec<u32>> = Vec::new();
        for &row in order {
            let person = *place.entry(self.subjects[row as usize]).or_insert(people.len());
            if person == people.len() {
                people.push(Vec::new());
            }
            people[person].push(row);
        }
        people
    }

    pub(super) fn keys(&self) -> &[u64] {
        &self.keys
    }
}
