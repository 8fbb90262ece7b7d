//! Reading a released table.

use super::identity::{Identity, identities};
use super::report::ClassReport;
use crate::error::{Error, Result};
use crate::pipeline::Fit;
use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, UInt64Array};
use arrow::datatypes::UInt64Type;
use hashbrown::HashMap;
use std::sync::Arc;

/// How rows belong to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum People {
    /// A column of the release: rows with the same token belong to one person, and everyone can see it.
    Token(String),
    /// A column that is not released, added from the pool for the count: nobody else can link rows by it.
    Owner(String),
    /// Every row is a different person; declared, for a table without subjects.
    OneRowEach,
    /// No token survives and the pool is not at hand.
    Unknown,
}

impl People {
    pub(super) fn column(&self) -> Option<&str> {
        match self {
            Self::Token(column) | Self::Owner(column) => Some(column),
            Self::OneRowEach | Self::Unknown => None,
        }
    }
}

/// Counts rows of every (class, person) of a table. Memory grows with those pairs.
///
/// # Guarantee
/// Counts are exact up to collisions of 256-bit hashes, and do not depend on order, batches, files, or on how values are represented.
#[derive(Debug)]
pub struct ClassCounter {
    columns: Vec<String>,
    people: People,
    counts: HashMap<(Identity, Identity), u64>,
}

/// Stands for the person where people are not counted.
pub(super) const NOBODY: Identity = [0; 32];

impl ClassCounter {
    /// For these quasi-identifiers.
    pub fn new(columns: impl IntoIterator<Item = impl Into<String>>, people: People) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect(), people, counts: HashMap::new() }
    }

    /// Class and rows of every (class, person).
    pub(super) fn pairs(&self) -> impl Iterator<Item = (Identity, u64)> {
        self.counts.iter().map(|(&(class, _), &rows)| (class, rows))
    }

    fn add(&mut self, pair: (Identity, Identity), rows: u64) -> Result<()> {
        let count = self.counts.entry(pair).or_insert(0);
        *count = count.checked_add(rows).ok_or_else(|| Error::Parameter { name: "rows", problem: "are more than 2^64 - 1".to_owned() })?;
        Ok(())
    }
}

pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a dyn Array> {
    batch
        .column_by_name(name)
        .map(AsRef::as_ref)
        .ok_or_else(|| Error::column(name, "is not in the released table", "check the table against its policy"))
}

impl Fit for ClassCounter {
    type Output = ClassReport;

    fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        let names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let columns = names.iter().map(|name| column(batch, name)).collect::<Result<Vec<_>>>()?;
        let classes = identities(&names, &columns, batch.num_rows())?;
        let people = match self.people.column() {
            None => vec![NOBODY; batch.num_rows()],
            Some(name) => {
                let tokens = column(batch, name)?;
                let missing = tokens.logical_null_count();
                if missing > 0 {
                    return Err(Error::rows(name, missing as u64, "is missing", "every row of the table must belong to a person"));
                }
                identities(&[name], &[tokens], batch.num_rows())?
            }
        };
        for pair in classes.into_iter().zip(people) {
            self.add(pair, 1)?;
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        if (&self.columns, &self.people) != (&other.columns, &other.people) {
            return Err(Error::Parameter { name: "other", problem: "was made for other columns".to_owned() });
        }
        for (pair, rows) in other.counts {
            self.add(pair, rows)?;
        }
        Ok(())
    }

    /// Three arrays: class (32 bytes), person (32 bytes), rows.
    fn state(&self) -> Result<Vec<ArrayRef>> {
        let names = |pick: fn(&(Identity, Identity)) -> &Identity| -> Result<ArrayRef> {
            let bytes: Vec<u8> = self.counts.keys().flat_map(|pair| pick(pair).iter().copied()).collect();
            Ok(Arc::new(FixedSizeBinaryArray::try_new(32, bytes.into(), None).map_err(|e| Error::arrow("writing the state", &e))?))
        };
        Ok(vec![names(|pair| &pair.0)?, names(|pair| &pair.1)?, Arc::new(self.counts.values().copied().collect::<UInt64Array>())])
    }

    fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()> {
        let wrong = || Error::Parameter { name: "state", problem: "is not a state of this counter".to_owned() };
        let [classes, people, rows] = state else { return Err(wrong()) };
        let (Some(classes), Some(people), Some(rows)) =
            (classes.as_fixed_size_binary_opt(), people.as_fixed_size_binary_opt(), rows.as_primitive_opt::<UInt64Type>())
        else {
            return Err(wrong());
        };
        if classes.len() != rows.len() || people.len() != rows.len() {
            return Err(wrong());
        }
        for ((class, person), rows) in classes.iter().zip(people).zip(rows) {
            let (Some(class), Some(person), Some(rows)) = (class, person, rows) else { return Err(wrong()) };
            let pair = (class.try_into().map_err(|_| wrong())?, person.try_into().map_err(|_| wrong())?);
            self.add(pair, rows)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<ClassReport> {
        let counts = self.counts.into_iter().map(|((class, person), rows)| (class, person, rows)).collect();
        ClassReport::new(&self.people, counts)
    }
}
