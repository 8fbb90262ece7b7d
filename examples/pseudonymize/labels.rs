//! What makes the tokens of a column change inside a table: periods, sessions, fragments.

use crate::options::Options;
use backmask::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use backmask::arrow::compute::{interleave, take};
use backmask::arrow::datatypes::{Int32Type, Schema};
use backmask::io::table::ColumnInterner;
use backmask::io::{ReadOptions, Source, read};
use backmask::pipeline::Fit;
use backmask::policy::{Period, Scope};
use backmask::pseudonym::{PseudonymDomain, Pseudonymizer, SessionFit, Sessions, period_labels};
use backmask::{Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The domain of a column under the options.
pub(crate) fn domain<'a>(options: &'a Options, column: &'a str, period: &'a str) -> PseudonymDomain<'a> {
    PseudonymDomain {
        scope: options.scope,
        recipient: &options.recipient,
        release: &options.release,
        product: &options.product,
        column,
        // The key of these scopes is that of the column; the session or fragment goes into the token itself.
        period: match options.scope {
            Scope::Session | Scope::Fragment => "of a row",
            _ => period,
        },
    }
}

/// A column of the table by its name.
pub(crate) fn index_of(schema: &Schema, column: &str) -> Result<usize> {
    // The names are not listed: of a text without a header they may be the values of its first row.
    let remedy = || format!("name one of its {} columns, letter by letter", schema.fields().len());
    schema.index_of(column).map_err(|_| Error::column(column, "is not in the table", remedy()))
}

/// Makes the pseudonymizer of a period.
pub(crate) type Make<'a> = Box<dyn Fn(&str) -> Result<Pseudonymizer> + Send + Sync + 'a>;

/// One pseudonymizer a period, made when the period is first met.
pub(crate) struct ByPeriod<'a> {
    period: Period,
    time: usize,
    time_name: String,
    make: Make<'a>,
    made: Mutex<HashMap<String, Arc<Pseudonymizer>>>,
}

impl<'a> ByPeriod<'a> {
    pub(crate) fn new(period: Period, schema: &Schema, time: &str, make: Make<'a>) -> Result<Self> {
        let index = index_of(schema, time)?;
        let found = Self { period, time: index, time_name: time.to_owned(), make, made: Mutex::default() };
        found.labels(&backmask::arrow::array::new_empty_array(schema.field(index).data_type()))?;
        Ok(found)
    }

    fn labels(&self, times: &ArrayRef) -> Result<backmask::arrow::array::DictionaryArray<Int32Type>> {
        period_labels(times.as_ref(), self.period).map_err(|error| named(error, &self.time_name))
    }

    fn pseudonymizer(&self, label: &str) -> Result<Arc<Pseudonymizer>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(label) {
            return Ok(Arc::clone(known));
        }
        let pseudonymizer = Arc::new((self.make)(label)?);
        made.insert(label.to_owned(), Arc::clone(&pseudonymizer));
        Ok(pseudonymizer)
    }

    /// The pseudonymizer of one period or another, for what is the same in all of them.
    pub(crate) fn any(&self) -> Result<Arc<Pseudonymizer>> {
        self.pseudonymizer("any")
    }

    /// Works the rows of every period with its own pseudonymizer. Row numbers in errors are those of the array.
    pub(crate) fn apply(
        &self,
        batch: &RecordBatch,
        values: &ArrayRef,
        work: impl Fn(&Pseudonymizer, &ArrayRef) -> Result<ArrayRef>,
    ) -> Result<ArrayRef> {
        let labels = self.labels(batch.column(self.time))?;
        let mut rows_of: Vec<Vec<u32>> = vec![Vec::new(); labels.values().len()];
        let (mut missing, mut first_missing) = (0, None);
        for (row, key) in (0_u32..).zip(labels.keys()) {
            match key.and_then(|key| rows_of.get_mut(usize::try_from(key).ok()?)) {
                Some(rows) => rows.push(row),
                None if values.is_null(row as usize) => rows_of.first_mut().map_or((), |rows| rows.push(row)),
                None => {
                    missing += 1;
                    first_missing.get_or_insert(row as usize);
                }
            }
        }
        if let Some(first) = first_missing {
            let error = Error::rows(&self.time_name, missing, "has no time to tell the period by", "fill it in, or leave these rows out");
            return Err(error.first_at(first));
        }
        let texts = labels.values().as_string::<i32>();
        let mut parts: Vec<ArrayRef> = Vec::new();
        let mut places = vec![(0_usize, 0_usize); values.len()];
        for (label, rows) in texts.iter().zip(&rows_of) {
            if rows.is_empty() {
                continue;
            }
            let picked = take(values, &UInt32Array::from(rows.clone()), None).map_err(|e| Error::arrow("picking a period", &e))?;
            for (place, &row) in rows.iter().enumerate() {
                if let Some(target) = places.get_mut(row as usize) {
                    *target = (parts.len(), place);
                }
            }
            let part = work(self.pseudonymizer(label.unwrap_or_default())?.as_ref(), &picked);
            parts.push(part.map_err(|error| at_row_of(error, rows))?);
        }
        if parts.is_empty() {
            return work(self.any()?.as_ref(), values);
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        interleave(&parts, &places).map_err(|e| Error::arrow("putting periods together", &e))
    }
}

/// The error of picked rows, with its row number in the table that they were picked from.
fn at_row_of(error: Error, rows: &[u32]) -> Error {
    let first = match &error {
        Error::Column { first_row: Some(first), .. } => usize::try_from(first.saturating_sub(1)).ok().and_then(|first| rows.get(first)),
        _ => None,
    };
    match first {
        Some(&row) => error.first_at(row as usize),
        None => error,
    }
}

/// The sessions of the values of a column.
pub(crate) struct BySession {
    time: usize,
    time_name: String,
    sessions: Sessions,
    /// Numbers the values again as in the first pass.
    values: Mutex<ColumnInterner>,
}

impl BySession {
    pub(crate) fn fit(source: &Arc<dyn Source>, options: &Options, column: &str, time: &str, gap: u32) -> Result<Self> {
        let schema = source.schema();
        let index = index_of(&schema, time)?;
        let read_options =
            ReadOptions { columns: Some(vec![column.to_owned(), time.to_owned()]), threads: options.threads, ..ReadOptions::default() };
        let stream = read(&[Arc::clone(source)], &read_options)?;
        let narrow = stream.schema();
        let (value_at, time_at) = (index_of(&narrow, column)?, index_of(&narrow, time)?);
        let mut values = ColumnInterner::new(column, narrow.field(value_at).data_type())?;
        let mut fit = SessionFit::new(column, time, gap)?;
        let mut rows = 0;
        for batch in stream {
            let batch = batch?;
            let subjects = codes(&mut values, batch.column(value_at))?;
            fit.observe_arrays(&subjects, batch.column(time_at)).map_err(|error| named(error, time).after_rows(rows))?;
            rows += batch.num_rows() as u64;
        }
        Ok(Self { time: index, time_name: time.to_owned(), sessions: fit.finish()?, values: Mutex::new(values) })
    }

    /// The start of the session of every row.
    pub(crate) fn labels(&self, batch: &RecordBatch, values: &ArrayRef) -> Result<ArrayRef> {
        let subjects = codes(&mut self.values.lock().unwrap_or_else(PoisonError::into_inner), values)?;
        let starts = self.sessions.starts(&subjects, batch.column(self.time));
        Ok(Arc::new(starts.map_err(|error| named(error, &self.time_name))?))
    }
}

fn codes(interner: &mut ColumnInterner, values: &ArrayRef) -> Result<UInt32Array> {
    let mut codes = Vec::with_capacity(values.len());
    interner.extend(values.as_ref(), &mut codes)?;
    Ok(codes.into_iter().map(|code| Some(code).filter(|&code| code != backmask::io::table::NULL_CODE)).collect())
}

/// The error of an array under the name of its column.
pub(crate) fn named(error: Error, column: &str) -> Error {
    match error {
        Error::Column { column: unnamed, rows, first_row, problem, remedy } if unnamed == "(unnamed)" => {
            Error::Column { column: column.to_owned(), rows, first_row, problem, remedy }
        }
        other => other,
    }
}
