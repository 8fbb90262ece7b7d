//! Attributes of people, for cohorts.

use super::HistoryWorkshop;
use super::matrix::{Histories, people_ids};
use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use crate::keys::{Domain, Key};
use crate::matrix::content_hashes;
use crate::policy::Table;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use hashbrown::HashMap;
use std::sync::Arc;

/// One attribute: a code for every person of the events, and the value of every code.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) table: Table,
    pub(super) codes: Vec<u32>,
    pub(super) values: ArrayRef,
    pub(super) ids: Vec<u64>,
}

impl HistoryWorkshop<'_> {
    /// The value of an attribute for every person: that of most of their rows, of equally frequent ones the one with the smallest keyed hash. An empty text is no value.
    pub(super) fn attribute(&self, histories: &Histories, table: Table, name: &str, key: &Key) -> Result<Attribute> {
        let source = self.pool.table(table)?;
        let column = source.table.column(name)?;
        let values = source.table.values(column)?;
        let ids = content_hashes(&[Arc::clone(&values)], key.derive(&Domain { column: name, ..Domain::of("history-attribute") }).expose())?;
        let subject = source.subject.ok_or_else(|| Error::policy("subject", "no column names the person", "add [subject]"))?;
        let text = cast(&values, &DataType::Utf8).map_err(|e| Error::arrow("reading attributes", &e))?;
        let text = text.as_string::<i32>();
        let present = |code: u32| text.is_valid(code as usize) && !text.value(code as usize).is_empty();
        // People have other codes in the profiles.
        let known: HashMap<u64, u32> = histories.subject_ids.iter().copied().zip(0_u32..).collect();
        let person_of: Vec<u32> = people_ids(source, subject, key)?.iter().map(|id| known.get(id).copied().unwrap_or(NULL_CODE)).collect();
        let mut rows: HashMap<(u32, u32), u64> = HashMap::new();
        let (mut people, mut codes) = (Vec::new(), Vec::new());
        for chunk in 0..source.table.chunks() {
            people.clear();
            codes.clear();
            source.table.codes(chunk, subject, &mut people)?;
            source.table.codes(chunk, column, &mut codes)?;
            for (&person, &code) in people.iter().zip(&codes) {
                let person = person_of.get(person as usize).copied().unwrap_or(NULL_CODE);
                if person != NULL_CODE && code != NULL_CODE && present(code) {
                    *rows.entry((person, code)).or_default() += 1;
                }
            }
        }
        let mut best: Vec<Option<(u64, std::cmp::Reverse<u64>, u32)>> = vec![None; histories.subject_ids.len()];
        for ((person, code), count) in rows {
            let own = (count, std::cmp::Reverse(ids.get(code as usize).copied().unwrap_or_default()), code);
            if let Some(best) = best.get_mut(person as usize) {
                *best = (*best).max(Some(own));
            }
        }
        let codes = best.into_iter().map(|best| best.map_or(NULL_CODE, |(_, _, code)| code)).collect();
        Ok(Attribute { name: name.to_owned(), table, codes, values, ids })
    }
}
