//! A cap on each person's rows, for record batches.

use super::cap::{Limit, push_smallest};
use super::content::{check_type, columns_of, row_priorities};
use crate::error::{Error, Result};
use crate::keys::Key;
use crate::pipeline::{Fit, Transform, column_index};
use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray, RecordBatch, UInt64Builder};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef, UInt64Type};
use hashbrown::HashMap;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, PoisonError};

/// Learns which rows a cap of `max` rows a person keeps.
///
/// Rows are chosen by the keyed hash of their content (the subject column and `columns`), so the choice is the same for any order, batch size and
/// split of the rows; see [`cap`](super::cap) for what is uniform about it. Name every column that is released: rows that agree in all of them are interchangeable.
/// Rows without a subject are left out.
///
/// Memory: 8 bytes × (`max` + 1) for each subject at most. For data that does not fit use [`cap`](super::cap) on codes.
///
/// ```
/// # use std::sync::Arc;
/// use backmask::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use backmask::{keys::Key, matrix::CapFit, pipeline::{Fit, Transform}};
/// let subject: ArrayRef = Arc::new(StringArray::from(vec!["ann", "ann", "ann", "bob"]));
/// let item: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 1]));
/// let batch = RecordBatch::try_from_iter([("subject_id", subject), ("item", item)])?;
/// let mut fit = CapFit::new("subject_id", ["item"], 2, Key::from_bytes([7; 32]))?;
/// fit.observe(&batch)?;
/// let events = fit.finish()?;
/// assert_eq!(events.pass().apply(&batch)?.num_rows(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CapFit {
    choice: Arc<Choice>,
    max: usize,
    /// Up to one more than the cap: then the subject is over it.
    smallest: HashMap<Vec<u8>, BinaryHeap<u64>>,
}

/// What a row is chosen by.
#[derive(Debug)]
struct Choice {
    subject: String,
    columns: Vec<String>,
    key: Key,
}

impl Choice {
    /// Calls `visit` with row number, subject and priority of every row that has a subject.
    fn for_each(&self, batch: &RecordBatch, mut visit: impl FnMut(usize, &[u8], u64)) -> Result<()> {
        let priorities = row_priorities(batch, &self.columns, &self.key)?;
        let subjects = columns_of(batch, std::slice::from_ref(&self.subject))?;
        let mut subject = Vec::new();
        for (row, &priority) in priorities.iter().enumerate() {
            if subjects.iter().any(|column| column.is_missing(row)) {
                continue;
            }
            subject.clear();
            for column in &subjects {
                column.append(row, &mut subject);
            }
            visit(row, &subject, priority);
        }
        Ok(())
    }
}

impl CapFit {
    /// Keeps at most `max` rows of every value of the column `subject`, chosen by it and `columns`.
    ///
    /// # Errors
    /// `max` is 0.
    pub fn new<S: Into<String>>(subject: impl Into<String>, columns: impl IntoIterator<Item = S>, max: u64, key: Key) -> Result<Self> {
        if max == 0 {
            return Err(Error::Parameter { name: "max", problem: "must be at least 1".to_owned() });
        }
        let subject = subject.into();
        let columns = std::iter::once(subject.clone()).chain(columns.into_iter().map(Into::into).filter(|name| *name != subject)).collect();
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        Ok(Self { choice: Arc::new(Choice { subject, columns, key }), max, smallest: HashMap::new() })
    }

    /// An empty accumulator with the same parameters, for another part of the data.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { choice: Arc::clone(&self.choice), max: self.max, smallest: HashMap::new() }
    }

    fn push(&mut self, subject: &[u8], priority: u64) {
        push_smallest(self.smallest.entry_ref(subject).or_default(), priority, self.max.saturating_add(1));
    }
}

impl Fit for CapFit {
    type Output = CapEvents;

    fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        let choice = Arc::clone(&self.choice);
        choice.for_each(batch, |_, subject, priority| self.push(subject, priority))
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        let same = self.max == other.max
            && self.choice.subject == other.choice.subject
            && self.choice.columns == other.choice.columns
            && self.choice.key.expose() == other.choice.key.expose();
        if !same {
            return Err(Error::Parameter { name: "cap", problem: "accumulators with different parameters cannot be merged".to_owned() });
        }
        for (subject, priorities) in other.smallest {
            for priority in priorities {
                self.push(&subject, priority);
            }
        }
        Ok(())
    }

    /// Two arrays: the subject (encoded) and one of its smallest priorities.
    fn state(&self) -> Result<Vec<ArrayRef>> {
        let (mut subjects, mut priorities) = (BinaryBuilder::new(), UInt64Builder::new());
        for (subject, smallest) in &self.smallest {
            for &priority in smallest {
                subjects.append_value(subject);
                priorities.append_value(priority);
            }
        }
        Ok(vec![Arc::new(subjects.finish()), Arc::new(priorities.finish())])
    }

    fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()> {
        let [subjects, priorities] = state else { return Err(not_a_state()) };
        let (Some(subjects), Some(priorities)) = (subjects.as_binary_opt::<i32>(), priorities.as_primitive_opt::<UInt64Type>()) else {
            return Err(not_a_state());
        };
        if subjects.len() != priorities.len() || subjects.null_count() + priorities.null_count() > 0 {
            return Err(not_a_state());
        }
        for (subject, &priority) in subjects.iter().flatten().zip(priorities.values()) {
            self.push(subject, priority);
        }
        Ok(())
    }

    fn finish(self) -> Result<CapEvents> {
        let limits = self.smallest.into_iter().filter_map(|(subject, mut smallest)| {
            if smallest.len() <= self.max {
                return None;
            }
            smallest.pop();
            Limit::of(&smallest).map(|limit| (subject, limit))
        });
        Ok(CapEvents { limits: Arc::new(limits.collect()), choice: self.choice })
    }
}

fn not_a_state() -> Error {
    Error::Parameter { name: "state", problem: "is not that of a cap: needs encoded subjects and their priorities".to_owned() }
}

/// What a cap keeps. Take a [`CapEvents::pass`] for each pass over the data.
#[derive(Debug, Clone)]
pub struct CapEvents {
    choice: Arc<Choice>,
    limits: Arc<HashMap<Vec<u8>, Limit>>,
}

impl CapEvents {
    /// People who have more rows than the cap allows.
    #[must_use]
    pub fn capped_subjects(&self) -> usize {
        self.limits.len()
    }

    /// A transform for one pass over the data that was observed.
    #[must_use]
    pub fn pass(&self) -> CapPass {
        CapPass { events: self.clone(), taken: Arc::default() }
    }
}

/// Leaves out the rows over the cap, in one pass over the data that was observed.
///
/// Of identical rows only a number of them may stay, and they may come in different batches. So the pass remembers how many it has let through; clones share that memory.
/// Which of the identical rows they are makes no difference to the output as a set of rows.
#[derive(Debug, Clone)]
pub struct CapPass {
    events: CapEvents,
    taken: Arc<Mutex<HashMap<Vec<u8>, u64>>>,
}

impl Transform for CapPass {
    fn output_schema(&self, input: &Schema) -> Result<SchemaRef> {
        for column in &self.events.choice.columns {
            check_type(column, input.field(column_index(input, column)?).data_type())?;
        }
        Ok(Arc::new(input.clone()))
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut keep = vec![false; batch.num_rows()];
        self.events.choice.for_each(batch, |row, subject, priority| {
            keep[row] = match self.events.limits.get(subject) {
                Some(limit) if priority == limit.threshold => {
                    let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
                    let taken = taken.entry_ref(subject).or_default();
                    *taken += 1;
                    *taken <= limit.ties
                }
                Some(limit) => priority < limit.threshold,
                None => true,
            };
        })?;
        filter_record_batch(batch, &BooleanArray::from(keep)).map_err(|e| Error::arrow("leaving out rows over the cap", &e))
    }
}
