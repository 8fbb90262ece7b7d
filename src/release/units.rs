//! Tokens that live for a period or a session: to which one each row belongs.

use crate::error::{Error, Result};
use crate::io::table::{CodedTable, NULL_CODE};
use crate::pipeline::{Fit, name_column};
use crate::policy::{Period, PseudonymSpec, Scope};
use crate::pseudonym::{SessionFit, Sessions, period_labels};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, UInt32Array};
use hashbrown::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Name of the column that holds the unit of every row.
pub(super) const UNIT: &str = "\u{0}unit";

/// The units of a table: pairs of a person and a period or session, each of which gets a token of its own. Their codes are in the column [`UNIT`] of the table.
///
/// A row without a time belongs to no period, and gets no token: nothing joins it to another row.
#[derive(Debug)]
pub(super) struct Units {
    /// Index of the column of codes.
    pub(super) column: usize,
    /// Person (by code of the subject column) and label of every unit.
    pairs: Vec<(u32, i64)>,
    /// The labels of periods, by number.
    periods: Vec<String>,
    is_session: bool,
}

impl Units {
    /// Cuts the rows of every person by the raw times in column `time`, and adds the codes to the table.
    ///
    /// Sessions are those of all rows of the person in the pool, whether or not they are released.
    pub(super) fn add(
        table: CodedTable,
        subject: usize,
        time: usize,
        spec: &PseudonymSpec,
        memory: usize,
        folder: &Path,
    ) -> Result<(CodedTable, Self)> {
        let name = table.schema().field(time).name().clone();
        let rows = Rows { subject, time, name: &name };
        let mut cut = match (spec.scope, spec.period, spec.session_gap) {
            (Scope::Period, Some(period), _) => Cut::Period(period, HashMap::new(), Vec::new()),
            (Scope::Session, _, Some(minutes)) => Cut::Session(rows.sessions(&table, minutes)?),
            _ => return Err(Error::policy("subject.pseudonym", "does not say how tokens are cut", "give `period` or `session_gap`")),
        };
        let mut codes: HashMap<(u32, i64), u32> = HashMap::new();
        for chunk in 0..table.chunks() {
            let (people, labels) = rows.labels(&table, chunk, &mut cut)?;
            for (&person, label) in people.values().iter().zip(&labels) {
                if let Some(label) = label {
                    let next = u32::try_from(codes.len()).unwrap_or(NULL_CODE);
                    codes.entry((person, *label)).or_insert(next);
                }
            }
        }
        let distinct = u32::try_from(codes.len()).ok().filter(|&count| count < NULL_CODE).ok_or_else(|| {
            Error::column(&name, "cuts the rows into 2³² periods or sessions of people, too many to be numbered", "choose longer ones")
        })?;
        let table = table.with_codes(UNIT, distinct, memory, folder, |table, chunk| {
            let (people, labels) = rows.labels(table, chunk, &mut cut)?;
            let code = |person: u32, label: Option<i64>| label.and_then(|label| codes.get(&(person, label)).copied()).unwrap_or(NULL_CODE);
            Ok(people.values().iter().zip(labels).map(|(&person, label)| code(person, label)).collect())
        })?;
        let mut pairs = vec![(NULL_CODE, 0); codes.len()];
        for (unit, code) in codes {
            pairs[code as usize] = unit;
        }
        let (is_session, periods) = match cut {
            Cut::Session(_) => (true, Vec::new()),
            Cut::Period(_, _, texts) => (false, texts),
        };
        let column = table.column(UNIT)?;
        Ok((table, Self { column, pairs, periods, is_session }))
    }

    /// The codes of the people of some units.
    pub(super) fn people(&self, used: &[u32]) -> Vec<u32> {
        used.iter().map(|&unit| self.pairs[unit as usize].0).collect()
    }

    /// The instant at which each of some sessions begins, in nanoseconds since 1970-01-01; none if units are periods.
    pub(super) fn session_starts(&self, used: &[u32]) -> Option<ArrayRef> {
        let starts = || Arc::new(Int64Array::from_iter_values(used.iter().map(|&unit| self.pairs[unit as usize].1))) as ArrayRef;
        self.is_session.then(starts)
    }

    /// The label of the period of a unit.
    pub(super) fn period(&self, unit: u32) -> &str {
        let number = usize::try_from(self.pairs[unit as usize].1).unwrap_or(usize::MAX);
        self.periods.get(number).map_or("", String::as_str)
    }
}

/// How the rows of a person are cut.
enum Cut {
    /// Periods, with the numbers of the labels found so far and their texts.
    Period(Period, HashMap<String, i64>, Vec<String>),
    Session(Sessions),
}

/// Where people and times are found.
struct Rows<'a> {
    subject: usize,
    time: usize,
    name: &'a str,
}

impl Rows<'_> {
    /// People and times of a chunk; people are missing where either is.
    fn of(&self, table: &CodedTable, chunk: usize) -> Result<(UInt32Array, ArrayRef)> {
        let mut people = Vec::new();
        table.codes(chunk, self.subject, &mut people)?;
        let times = table.array(chunk, self.time)?;
        let missing = times.logical_nulls();
        let is_there = |row: usize| missing.as_ref().is_none_or(|missing| missing.is_valid(row));
        let people = people.into_iter().enumerate().map(|(row, person)| (person != NULL_CODE && is_there(row)).then_some(person)).collect();
        Ok((people, times))
    }

    fn sessions(&self, table: &CodedTable, minutes: u32) -> Result<Sessions> {
        let mut fit = SessionFit::new("", self.name, minutes)?;
        for chunk in 0..table.chunks() {
            let (people, times) = self.of(table, chunk)?;
            fit.observe_arrays(&people, times.as_ref())?;
        }
        fit.finish()
    }

    /// People of a chunk, and what tells the unit of each row from the person's others.
    fn labels(&self, table: &CodedTable, chunk: usize, cut: &mut Cut) -> Result<(UInt32Array, Vec<Option<i64>>)> {
        let (people, times) = self.of(table, chunk)?;
        let labels = match cut {
            Cut::Session(sessions) => {
                let starts = sessions.starts(&people, times.as_ref())?;
                starts.iter().zip(&people).map(|(start, person)| start.filter(|_| person.is_some())).collect()
            }
            Cut::Period(period, numbers, texts) => {
                let labels = period_labels(times.as_ref(), *period).map_err(|e| name_column(e, self.name))?;
                let of_key: Vec<i64> = labels
                    .values()
                    .as_string::<i32>()
                    .iter()
                    .map(|text| {
                        let (text, next) = (text.unwrap_or_default(), texts.len());
                        *numbers.entry_ref(text).or_insert_with(|| {
                            texts.push(text.to_owned());
                            i64::try_from(next).unwrap_or(i64::MAX)
                        })
                    })
                    .collect();
                let number = |key: Option<i32>| key.and_then(|key| usize::try_from(key).ok()).and_then(|key| of_key.get(key).copied());
                labels.keys().iter().zip(&people).map(|(key, person)| number(key).filter(|_| person.is_some())).collect()
            }
        };
        Ok((people, labels))
    }
}
