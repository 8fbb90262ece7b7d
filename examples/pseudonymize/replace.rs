//! Values to tokens.

use crate::common;
use crate::files::{BATCH_ROWS, format_of, open};
use crate::labels::{ByPeriod, BySession, Make, domain, index_of, named};
use crate::options::Options;
use crate::receipt::Receipt;
use backmask::arrow::array::{Array, ArrayRef, RecordBatch};
use backmask::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use backmask::engine;
use backmask::io::{ReadOptions, SinkOptions, Source, create_sink, read, write_all};
use backmask::keys::{self, Domain, Key, KeyOrigin, KeyState};
use backmask::pipeline::{Fit, Kernel, apply_encoded};
use backmask::policy::{PseudonymMethod, Scope};
use backmask::pseudonym::{
    Alphabet, Codebook, Dense, DenseFit, InputSpace, InputSpaceEstimate, Pseudonymizer, collision_probability, subject_key,
};
use backmask::{Error, Result};
use serde_json::json;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A column and what replaces it.
struct Replacement<'a> {
    name: String,
    index: usize,
    data_type: DataType,
    how: How<'a>,
    /// Whether missing values get tokens of their own.
    fills: bool,
    space: Mutex<Observed>,
}

enum How<'a> {
    Always(Pseudonymizer),
    Numbers(Dense),
    Period(ByPeriod<'a>),
    Session(Pseudonymizer, BySession),
    Fragment(Pseudonymizer, usize),
}

/// What was seen of a column.
struct Observed {
    values: u64,
    space: Option<InputSpace>,
}

pub(crate) fn run(options: &Options, console: &common::Console) -> Result<common::Summary> {
    let clock = Instant::now();
    let format = format_of(&options.output)?;
    let typed = if options.method == PseudonymMethod::Ff1 { Vec::new() } else { options.column.clone() };
    let source = open(options, typed.into_iter().chain(options.time.clone()).collect())?;
    let master = master_key(options)?;
    let replacements =
        options.column.iter().map(|column| Replacement::new(options, &source, column, &master)).collect::<Result<Vec<_>>>()?;
    let read_options = ReadOptions { batch_rows: BATCH_ROWS, threads: options.threads, dictionaries: true, ..ReadOptions::default() };
    let stream = read(&[Arc::clone(&source)], &read_options)?;
    let schema = output_schema(&stream.schema(), &replacements)?;
    let mut sink =
        create_sink(&options.output, format, Arc::clone(&schema), &SinkOptions { threads: options.threads, ..SinkOptions::default() })?;
    let progress = console.progress("replacing", None);
    let batches = Groups {
        stream,
        replacements: &replacements,
        schema,
        threads: options.threads.max(1),
        first_row: 0,
        done: VecDeque::new(),
        failed: None,
    };
    write_all(
        sink.as_mut(),
        batches.inspect(|batch| progress.advance(batch.as_ref().map_or(0, |batch| batch.num_rows() as u64))),
        options.threads,
    )?;
    drop(progress);
    let receipt = Receipt::new(options, master.origin().id().map(str::to_owned), check_value(&master), types(&replacements))
        .prepare(&options.output)?;
    // The codebook comes first: a table whose numbers nobody can turn back is not what was asked for.
    let codebook = write_codebook(options, &replacements, &master)?;
    let written = sink.finish()?;
    if let Some(codebook) = codebook {
        codebook.keep();
    }
    let reversible = *master.origin() != KeyOrigin::Forgotten && is_reversible(options);
    if reversible && options.method != PseudonymMethod::Dense {
        receipt.publish()?;
    } else {
        Receipt::remove(&options.output)?;
    }
    summary(options, &replacements, &master, reversible, &written, clock)
}

/// The key that the tokens come from.
fn master_key(options: &Options) -> Result<Key> {
    let Some(path) = &options.key_file else { return Key::forgotten() };
    let file = keys::open(path)?;
    let key = match &options.key_id {
        None => file.active()?,
        Some(id) => {
            let retired = file.ring().is_some_and(|ring| ring.entries().any(|entry| entry.id == *id && entry.state == KeyState::Retired));
            if retired {
                return Err(Error::Key {
                    problem: format!("{}: the key {id} is retired and makes no new tokens", path.display()),
                    remedy: "leave --key-id out to use the active key".to_owned(),
                });
            }
            file.key(id)?
        }
    };
    if options.irreversible { key.irreversible() } else { Ok(key) }
}

pub(crate) fn check_value(master: &Key) -> String {
    format!("{:016x}", u64::from_be_bytes(master.check_value()))
}

fn is_reversible(options: &Options) -> bool {
    match options.method {
        PseudonymMethod::AesSiv | PseudonymMethod::AesBlock | PseudonymMethod::Ff1 => true,
        PseudonymMethod::Dense => options.codebook.is_some(),
        _ => false,
    }
}

/// The pseudonymizer of a column as the options ask for it.
pub(crate) fn pseudonymizer(options: &Options, master: &Key, column: &str, period: &str) -> Result<Pseudonymizer> {
    let mut made = Pseudonymizer::in_domain(options.method, master, &domain(options, column, period))?;
    if let Some(alphabet) = &options.alphabet {
        made = made.with_alphabet(Alphabet::parse(alphabet)?)?;
    }
    if let Some(format) = options.format {
        made = made.with_format(format)?;
    }
    if options.random_nulls {
        made = made.with_random_nulls()?;
    }
    Ok(made)
}

impl<'a> Replacement<'a> {
    fn new(options: &'a Options, source: &Arc<dyn Source>, column: &'a str, master: &'a Key) -> Result<Self> {
        let schema = source.schema();
        let index = index_of(&schema, column)?;
        let data_type = schema.field(index).data_type().clone();
        let always = || pseudonymizer(options, master, column, "");
        let how = match (options.method, options.scope) {
            (PseudonymMethod::Dense, _) => How::Numbers(numbers(options, source, column, master)?),
            (_, Scope::Period) => {
                let make: Make<'a> = Box::new(move |period| pseudonymizer(options, master, column, period));
                How::Period(ByPeriod::new(needed(options.period, "--period")?, &schema, needed(options.time.as_deref(), "--time")?, make)?)
            }
            (_, Scope::Session) => {
                let (time, gap) = (needed(options.time.as_deref(), "--time")?, needed(options.session_gap, "--session-gap")?);
                How::Session(labelled(always()?)?, BySession::fit(source, options, column, time, gap)?)
            }
            (_, Scope::Fragment) => {
                How::Fragment(labelled(always()?)?, index_of(&schema, needed(options.fragment.as_deref(), "--fragment")?)?)
            }
            _ => How::Always(always()?),
        };
        let replacement = Self {
            name: column.to_owned(),
            index,
            data_type,
            how,
            fills: options.random_nulls,
            space: Mutex::new(Observed { values: 0, space: Some(InputSpace::new(column)) }),
        };
        replacement.output_type(&replacement.data_type)?;
        Ok(replacement)
    }

    /// The type of the tokens of values of this type.
    fn output_type(&self, values: &DataType) -> Result<DataType> {
        let of = |kernel: &dyn Kernel| kernel.output_type(values);
        match &self.how {
            How::Always(pseudonymizer) | How::Session(pseudonymizer, _) | How::Fragment(pseudonymizer, _) => of(pseudonymizer),
            How::Numbers(dense) => of(dense),
            How::Period(periods) => of(periods.any()?.as_ref()),
        }
        .map_err(|error| named(error, &self.name))
    }

    /// The tokens of a batch, and what may be said about its values.
    fn apply(&self, batch: &RecordBatch, first_row: u64) -> Result<ArrayRef> {
        let values = batch.column(self.index);
        self.observe(values)?;
        let in_table = |error: Error| error.after_rows(first_row);
        match &self.how {
            How::Always(pseudonymizer) => always(pseudonymizer, values, self.fills, first_row),
            How::Numbers(dense) => apply_encoded(dense, values.as_ref()).map_err(in_table),
            How::Period(periods) => {
                periods.apply(batch, values, |pseudonymizer, picked| pseudonymizer.apply(picked.as_ref())).map_err(in_table)
            }
            How::Session(pseudonymizer, sessions) => {
                let labels = sessions.labels(batch, values).map_err(in_table)?;
                pseudonymizer.apply_labelled_from(values.as_ref(), labels.as_ref(), first_row)
            }
            How::Fragment(pseudonymizer, fragment) => {
                pseudonymizer.apply_labelled_from(values.as_ref(), batch.column(*fragment).as_ref(), first_row)
            }
        }
        .map_err(|error| named(error, &self.name))
    }

    fn observe(&self, values: &ArrayRef) -> Result<()> {
        let mut space = InputSpace::new(&self.name);
        space.observe_array(values.as_ref())?;
        let mut observed = self.space.lock().unwrap_or_else(PoisonError::into_inner);
        observed.values += (values.len() - values.logical_null_count()) as u64;
        match &mut observed.space {
            Some(all) => all.merge(space),
            all @ None => {
                *all = Some(space);
                Ok(())
            }
        }
    }

    fn estimate(&self) -> Result<(u64, Option<InputSpaceEstimate>)> {
        let mut observed = self.space.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((observed.values, observed.space.take().map(Fit::finish).transpose()?))
    }
}

/// A dictionary's values are worked once, unless its missing rows get tokens of their own.
fn always(pseudonymizer: &Pseudonymizer, values: &ArrayRef, fills: bool, first_row: u64) -> Result<ArrayRef> {
    if fills {
        pseudonymizer.apply_from(values.as_ref(), first_row)
    } else {
        apply_encoded(pseudonymizer, values.as_ref()).map_err(|error| error.after_rows(first_row))
    }
}

/// Refuses at once what would be refused with the first rows.
fn labelled(pseudonymizer: Pseudonymizer) -> Result<Pseudonymizer> {
    let none = backmask::arrow::array::StringArray::from(Vec::<&str>::new());
    pseudonymizer.apply_labelled_from(&none, &none, 0)?;
    Ok(pseudonymizer)
}

fn needed<T>(option: Option<T>, name: &'static str) -> Result<T> {
    option.ok_or_else(|| Error::policy(name, "is missing", "give it"))
}

/// The key of the numbers of a column, which also opens their codebook.
pub(crate) fn numbers_key(column: &Key) -> Key {
    column.derive(&Domain::of("dense"))
}

fn numbers(options: &Options, source: &Arc<dyn Source>, column: &str, master: &Key) -> Result<Dense> {
    let domain = domain(options, column, "");
    let read_options =
        ReadOptions { columns: Some(vec![column.to_owned()]), batch_rows: BATCH_ROWS, threads: options.threads, dictionaries: true };
    let key = subject_key(master, &domain)?;
    let make = || {
        let fit = DenseFit::new(column, numbers_key(&key));
        if options.codebook.is_some() { fit.keeping_values() } else { fit }
    };
    let dense = engine::fit(&[Arc::clone(source)], &read_options, make)?.finish()?;
    match options.format {
        Some(format) => dense.with_format(format),
        None => Ok(dense),
    }
}

/// The type of the values of a column, encoded or not.
fn plain_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        plain => plain,
    }
}

fn types(replacements: &[Replacement<'_>]) -> Vec<(String, DataType)> {
    replacements.iter().map(|replacement| (replacement.name.clone(), replacement.data_type.clone())).collect()
}

fn output_schema(input: &Schema, replacements: &[Replacement<'_>]) -> Result<SchemaRef> {
    let mut fields = input.fields().to_vec();
    for replacement in replacements {
        let Some(field) = fields.get_mut(replacement.index) else { continue };
        let encoded = matches!(replacement.how, How::Always(_) | How::Numbers(_)) && !replacement.fills;
        let output = match field.data_type() {
            DataType::Dictionary(keys, values) if encoded => DataType::Dictionary(keys.clone(), Box::new(replacement.output_type(values)?)),
            DataType::Dictionary(_, values) => replacement.output_type(values)?,
            plain => replacement.output_type(plain)?,
        };
        *field = Arc::new(Field::new(field.name(), output, true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// Batches with their columns replaced, a few at a time on several threads, in the order of the input.
struct Groups<'a> {
    stream: backmask::io::BatchStream,
    replacements: &'a [Replacement<'a>],
    schema: SchemaRef,
    threads: usize,
    first_row: u64,
    done: VecDeque<RecordBatch>,
    /// The first error; the rest of the table is then only looked at to count the rows that do not fit.
    failed: Option<Error>,
}

fn work(replacements: &[Replacement<'_>], schema: &SchemaRef, batch: &RecordBatch, first_row: u64) -> Result<RecordBatch> {
    let mut columns = batch.columns().to_vec();
    for replacement in replacements {
        if let Some(column) = columns.get_mut(replacement.index) {
            *column = replacement.apply(batch, first_row)?;
        }
    }
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| Error::arrow("putting the table together", &e))
}

impl Groups<'_> {
    /// Works the next batches; nothing at the end of the table.
    fn fill(&mut self) -> Result<bool> {
        let mut jobs = Vec::with_capacity(self.threads);
        while jobs.len() < self.threads
            && let Some(batch) = self.stream.next()
        {
            let batch = batch?;
            let rows = batch.num_rows() as u64;
            jobs.push((batch, self.first_row));
            self.first_row += rows;
        }
        let results: Vec<Result<RecordBatch>> = match jobs.as_slice() {
            [] => return Ok(false),
            [(batch, first_row)] => vec![work(self.replacements, &self.schema, batch, *first_row)],
            jobs => std::thread::scope(|scope| {
                let (replacements, schema) = (self.replacements, &self.schema);
                let running: Vec<_> =
                    jobs.iter().map(|(batch, first_row)| scope.spawn(move || work(replacements, schema, batch, *first_row))).collect();
                running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
            }),
        };
        for result in results {
            match (result, self.failed.take()) {
                (Ok(batch), None) => self.done.push_back(batch),
                (Ok(_), failed) => self.failed = failed,
                (Err(error), None) => self.failed = Some(error),
                (Err(error), Some(first)) => self.failed = Some(together(first, &error)),
            }
        }
        Ok(true)
    }
}

/// Two errors of one column are one error of more rows.
fn together(first: Error, second: &Error) -> Error {
    match (first, second) {
        (
            Error::Column { column, rows: Some(rows), first_row, problem, remedy },
            Error::Column { column: other, rows: Some(more), problem: same, .. },
        ) if column == *other && problem == *same => {
            Error::Column { column, rows: Some(rows.saturating_add(*more)), first_row, problem, remedy }
        }
        (first, _) => first,
    }
}

impl Iterator for Groups<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.failed.is_none()
                && let Some(batch) = self.done.pop_front()
            {
                return Some(Ok(batch));
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return self.failed.take().map(Err),
                Err(error) => return Some(Err(self.failed.take().unwrap_or(error))),
            }
        }
    }
}

/// A codebook that goes away again if its table does not come to be.
struct Book(Option<std::path::PathBuf>);

impl Book {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // It holds nothing without its key; that it stays does no harm.
            let _removed = std::fs::remove_file(path);
        }
    }
}

fn write_codebook(options: &Options, replacements: &[Replacement<'_>], master: &Key) -> Result<Option<Book>> {
    let Some(path) = &options.codebook else { return Ok(None) };
    let [Replacement { how: How::Numbers(dense), name, data_type, .. }] = replacements else {
        return Err(Error::policy("--codebook", "is the codebook of one column", "replace one column at a time"));
    };
    Codebook::write(path, dense, &numbers_key(&subject_key(master, &domain(options, name, ""))?), plain_type(data_type))?;
    Ok(Some(Book(Some(path.clone()))))
}

fn summary(
    options: &Options,
    replacements: &[Replacement<'_>],
    master: &Key,
    reversible: bool,
    written: &backmask::io::Written,
    clock: Instant,
) -> Result<common::Summary> {
    let irreversible = *master.origin() == KeyOrigin::Forgotten;
    let mut columns = Vec::new();
    let mut warnings: Vec<String> = Vec::new();
    if options.scope == Scope::Recipient && options.recipient.is_empty() {
        warnings.push("no --recipient is named: all who get tokens of this scope can join them".to_owned());
    }
    for replacement in replacements {
        let (values, estimate) = replacement.estimate()?;
        let hashed = matches!(options.method, PseudonymMethod::Blake3 | PseudonymMethod::HmacSha256);
        let warning = estimate.as_ref().and_then(InputSpaceEstimate::warning);
        warnings.extend(warning.map(|warning| format!("{}: {warning}", replacement.name)));
        columns.push(json!({
            "column": replacement.name,
            "type": replacement.output_type(plain_type(&replacement.data_type))?.to_string(),
            "values": values,
            // As many different values as rows at most.
            "collision_probability": if hashed { collision_probability(values) } else { 0.0 },
            "input_space": estimate.as_ref().map(|estimate| json!({ "bits": estimate.bits, "enumerable": estimate.enumerable })),
        }));
    }
    let mut lines = vec![format!(
        "{} rows written to {}, {} replaced by {} tokens of scope {}",
        written.rows,
        written.path.display(),
        options.column.join(", "),
        options.method.name(),
        options.scope.name()
    )];
    lines.push(if irreversible {
        "the key was mixed with random bits that are gone: nobody can make or turn back these tokens again".to_owned()
    } else if reversible {
        "whoever has the key can turn these tokens back".to_owned()
    } else {
        "whoever has the key can make these tokens again, and so find out whose they are by trying".to_owned()
    });
    lines.push(
        "the other columns are as they were: by themselves, pseudonyms protect nobody who can be recognized by the rest of a row"
            .to_owned(),
    );
    lines.extend(warnings.iter().cloned());
    let report = json!({
        "output": written.path.display().to_string(),
        "rows": written.rows,
        "method": options.method.name(),
        "scope": options.scope.name(),
        "columns": columns,
        "key_id": master.origin().id(),
        "reversible": reversible,
        "irreversible": irreversible,
        "warnings": warnings,
        "seconds": clock.elapsed().as_secs_f64(),
    });
    Ok(common::Summary::new(lines.join("\n"), report))
}
