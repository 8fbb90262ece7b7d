//! Tokens back to values.

use crate::common;
use crate::files::{BATCH_ROWS, format_of, open};
use crate::labels::{ByPeriod, Make, domain, index_of, named};
use crate::options::Options;
use crate::receipt::Receipt;
use crate::replace::{check_value, numbers_key, pseudonymizer};
use backmask::arrow::array::{Array, ArrayRef, RecordBatch};
use backmask::arrow::compute::concat_batches;
use backmask::arrow::datatypes::{DataType, Field, Schema};
use backmask::io::{BatchStream, ReadOptions, SinkOptions, Source, create_sink, read, write_all};
use backmask::keys::{self, AuditEntry, AuditLog, Key, KeyFile, KeyProvider};
use backmask::policy::{PseudonymMethod, Scope};
use backmask::pseudonym::{Codebook, Pseudonymizer, subject_key};
use backmask::{Error, Result};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// A column and what turns it back.
struct Restoration<'a> {
    name: &'a str,
    index: usize,
    /// The type of the values, if the description beside the table has it.
    original: Option<DataType>,
    how: How<'a>,
}

enum How<'a> {
    Always(Pseudonymizer),
    Period(ByPeriod<'a>),
    Numbers(Box<Codebook>),
}

pub(crate) fn run(options: &Options, console: &common::Console) -> Result<common::Summary> {
    let clock = Instant::now();
    check(options)?;
    let format = format_of(&options.output)?;
    let receipt = Receipt::of(&options.input)?;
    let mut options = options.clone();
    if let Some(receipt) = &receipt {
        receipt.check(&options)?;
        receipt.complete(&mut options);
    }
    let options = &options;
    // Numbers of a codebook are numbers; every other token is a text, whatever it looks like.
    let typed = if options.method == PseudonymMethod::Dense { options.column.clone() } else { Vec::new() };
    let source = open(options, typed.into_iter().chain(options.time.clone()).collect())?;
    let key = key_of(options, receipt.as_ref())?;
    let restorations = options
        .column
        .iter()
        .map(|column| Restoration::new(options, receipt.as_ref(), &source, column, &key))
        .collect::<Result<Vec<_>>>()?;
    let log = write_reason(options, &key, count_rows(&source, options)?)?;
    let read_options = ReadOptions { batch_rows: BATCH_ROWS, threads: options.threads, ..ReadOptions::default() };
    let stream = read(&[Arc::clone(&source)], &read_options)?;
    let tables = if restorations.iter().all(|restoration| restoration.original.is_some()) {
        stream
    } else {
        // The types of the values are found out from all tokens of a column, so the table is held as a whole.
        let schema = stream.schema();
        let batches = stream.collect::<Result<Vec<_>>>()?;
        let whole = concat_batches(&schema, &batches).map_err(|e| Error::arrow("putting the table together", &e))?;
        BatchStream::new(schema, std::iter::once(Ok(whole)))
    };
    let progress = console.progress("turning back", None);
    let mut first_row = 0;
    let mut restored = tables
        .map(|batch| {
            let batch = batch?;
            progress.advance(batch.num_rows() as u64);
            let restored = restore(&batch, &restorations, first_row);
            first_row += batch.num_rows() as u64;
            restored
        })
        .peekable();
    let schema = match restored.peek() {
        Some(Ok(first)) => first.schema(),
        Some(Err(_)) => source.schema(),
        None => restore(&RecordBatch::new_empty(source.schema()), &restorations, 0)?.schema(),
    };
    if let Some(Err(error)) = restored.next_if(Result::is_err) {
        return Err(error);
    }
    let sink_options = SinkOptions { threads: options.threads, private: true, ..SinkOptions::default() };
    let mut sink = create_sink(&options.output, format, Arc::clone(&schema), &sink_options)?;
    write_all(sink.as_mut(), restored, options.threads)?;
    drop(progress);
    let written = sink.finish()?;
    Receipt::remove(&options.output)?;
    let columns: Vec<_> = restorations
        .iter()
        .filter_map(|restoration| {
            Some(json!({ "column": restoration.name, "type": schema.fields().get(restoration.index)?.data_type().to_string() }))
        })
        .collect();
    let text = format!(
        "{} rows written to {}, {} turned back\nthe reason is in {}\nthis file names people: keep it as the original",
        written.rows,
        written.path.display(),
        options.column.join(", "),
        log.display()
    );
    let report = json!({
        "output": written.path.display().to_string(),
        "rows": written.rows,
        "columns": columns,
        "key_id": key.origin().id(),
        "audit": log.display().to_string(),
        "seconds": clock.elapsed().as_secs_f64(),
    });
    Ok(common::Summary::new(text, report))
}

/// Refuses what cannot be turned back at all.
fn check(options: &Options) -> Result<()> {
    let refuse = |problem: &str, remedy: &str| Err(Error::policy("--reverse", problem, remedy));
    if options.reason.as_ref().is_none_or(|reason| reason.trim().is_empty() || reason.chars().any(char::is_control)) {
        return Err(Error::policy(
            "--reason",
            "is empty or not one line of plain text",
            "say in one line why the tokens have to be turned back",
        ));
    }
    match (options.method, options.scope) {
        (PseudonymMethod::Blake3 | PseudonymMethod::HmacSha256, _) => refuse(
            "hashes cannot be turned back, with the key or without",
            "make tokens with aes-siv, aes-block or ff1 if they may have to be",
        ),
        (PseudonymMethod::Dense, _) if options.codebook.is_none() => refuse(
            "dense numbers can only be turned back with the codebook that was written with them",
            "give it with --codebook; if none was asked for, nobody can turn them back",
        ),
        (_, Scope::Session | Scope::Fragment) => {
            refuse("tokens of sessions and fragments cannot be turned back", "use the table that they were made from")
        }
        _ => Ok(()),
    }
}

fn key_file(options: &Options) -> Result<(KeyFile, &PathBuf)> {
    let path = options
        .key_file
        .as_ref()
        .ok_or_else(|| Error::policy("--key-file", "is missing", "give the key that the tokens were made with"))?;
    Ok((keys::open(path)?, path))
}

/// The key that the tokens were made with: the one that is asked for, the one of the description beside the table, or the active one.
fn key_of(options: &Options, receipt: Option<&Receipt>) -> Result<Key> {
    let (file, path) = key_file(options)?;
    let recorded = receipt.and_then(|receipt| receipt.key_id.as_deref());
    let key = match options.key_id.as_deref().or(recorded) {
        Some(id) => file.key(id)?,
        None => file.active()?,
    };
    if receipt.is_some_and(|receipt| receipt.key_check != check_value(&key)) {
        return Err(Error::Key {
            problem: format!("{}: this key did not make these tokens, by the description beside the table", path.display()),
            remedy: "give the key file or key ring that they were made with".to_owned(),
        });
    }
    Ok(key)
}

/// Rows that are about to be turned back.
fn count_rows(source: &Arc<dyn Source>, options: &Options) -> Result<u64> {
    let read_options =
        ReadOptions { columns: Some(options.column.clone()), batch_rows: BATCH_ROWS, threads: options.threads, dictionaries: true };
    read(&[Arc::clone(source)], &read_options)?.try_fold(0, |rows, batch| Ok(rows + batch?.num_rows() as u64))
}

/// Writes the reason down before anything is turned back. Returns where.
fn write_reason(options: &Options, key: &Key, rows: u64) -> Result<PathBuf> {
    let missing = || Error::policy("--audit", "is missing", "say where reversals are written down");
    let path = options.audit_file().ok_or_else(missing)?;
    let entry = AuditEntry {
        reason: options.reason.clone().unwrap_or_default(),
        columns: options.column.clone(),
        input: options.input.display().to_string(),
        rows,
    };
    let log = AuditLog::open(&path)?;
    let (file, _) = key_file(options)?;
    let keys: Vec<&dyn KeyProvider> = file.keys().into_iter().map(|key| key as &dyn KeyProvider).collect();
    // Nothing is written after a line that somebody changed.
    log.verify(&keys)?;
    log.append(key, &entry)?;
    Ok(path)
}

impl<'a> Restoration<'a> {
    fn new(options: &'a Options, receipt: Option<&Receipt>, source: &Arc<dyn Source>, column: &'a str, key: &'a Key) -> Result<Self> {
        let schema = source.schema();
        let index = index_of(&schema, column)?;
        let made_as = options.made_as.as_deref().unwrap_or(column);
        if receipt.is_some_and(|receipt| !receipt.columns.iter().any(|replaced| replaced.name == made_as)) {
            return Err(Error::column(column, "was not replaced, by the description beside the table", "name a column that was"));
        }
        let how = match (options.method, options.scope) {
            (PseudonymMethod::Dense, _) => {
                let path = options.codebook.as_ref().ok_or_else(|| Error::policy("--codebook", "is missing", "give it"))?;
                let subject = subject_key(key, &domain(options, made_as, ""))?;
                How::Numbers(Box::new(match Codebook::open(path, &numbers_key(&subject)) {
                    // The codebook of a release.
                    Err(Error::Key { .. }) => Codebook::open(path, &subject)?,
                    opened => opened?,
                }))
            }
            (_, Scope::Period) => {
                let make: Make<'a> = Box::new(move |period| pseudonymizer(options, key, made_as, period));
                let (period, time) = (options.period, options.time.as_deref());
                let missing = || Error::policy("--period", "and --time are missing", "give both, as when the tokens were made");
                How::Period(ByPeriod::new(period.ok_or_else(missing)?, &schema, time.ok_or_else(missing)?, make)?)
            }
            _ => How::Always(pseudonymizer(options, key, made_as, "")?),
        };
        let recorded = receipt.and_then(|receipt| receipt.type_of(made_as));
        Ok(Self { name: column, index, original: recorded, how })
    }

    fn apply(&self, table: &RecordBatch, first_row: u64) -> Result<ArrayRef> {
        let tokens = table.column(self.index);
        let original = self.original.as_ref();
        let in_table = |error: Error| error.after_rows(first_row);
        match &self.how {
            How::Always(pseudonymizer) => pseudonymizer.reverse_from(tokens.as_ref(), original, first_row),
            How::Period(periods) => {
                periods.apply(table, tokens, |pseudonymizer, picked| pseudonymizer.reverse(picked.as_ref(), original)).map_err(in_table)
            }
            How::Numbers(codebook) => codebook.reverse(tokens.as_ref(), original).map_err(in_table),
        }
        .map_err(|error| named(error, self.name))
    }
}

fn restore(table: &RecordBatch, restorations: &[Restoration<'_>], first_row: u64) -> Result<RecordBatch> {
    let mut columns = table.columns().to_vec();
    let mut fields = table.schema().fields().to_vec();
    for restoration in restorations {
        let values = restoration.apply(table, first_row)?;
        if let (Some(column), Some(field)) = (columns.get_mut(restoration.index), fields.get_mut(restoration.index)) {
            *field = Arc::new(Field::new(field.name(), values.data_type().clone(), true));
            *column = values;
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|e| Error::arrow("putting the table together", &e))
}
