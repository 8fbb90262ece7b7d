//! Pools on disk, runs of a policy, and an independent reader of what was written.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use backmask::keys::Key;
use backmask::policy::Policy;
use backmask::release::report::{Attack, Guarantee, ProductReport};
use backmask::release::{Anonymizer, Outcome};
use backmask::{Error, io::SinkFormat};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One row as text; `None` is missing.
pub(super) type Row = Vec<Option<String>>;

pub(super) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

pub(super) fn policy(text: &str) -> Policy {
    Policy::from_toml(text).unwrap_or_else(|error| panic!("{error}"))
}

pub(super) fn key() -> Key {
    Key::from_bytes([42; 32])
}

pub(super) fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

pub(super) fn maybe_texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

pub(super) fn numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

pub(super) fn times(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

pub(super) fn batch(columns: impl IntoIterator<Item = (&'static str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).expect("a batch")
}

pub(super) fn write_parquet(path: &Path, batch: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(File::create(path).expect("a file"), batch.schema(), None).expect("a writer");
    writer.write(batch).expect("written");
    writer.close().expect("closed");
}

pub(super) fn write_ipc(path: &Path, batch: &RecordBatch) {
    let mut writer = arrow::ipc::writer::FileWriter::try_new(File::create(path).expect("a file"), &batch.schema()).expect("a writer");
    writer.write(batch).expect("written");
    writer.finish().expect("finished");
}

pub(super) fn write_csv(path: &Path, batch: &RecordBatch) {
    let mut writer = csv::Writer::from_path(path).expect("a writer");
    writer.write_record(batch.schema().fields().iter().map(|field| field.name().as_str())).expect("a header");
    for row in rows_of(batch) {
        writer.write_record(row.iter().map(|value| value.as_deref().unwrap_or(""))).expect("a row");
    }
    writer.flush().expect("flushed");
}

/// A run that has the fixed key, one input file and the output folder `out` beside it.
pub(super) struct Run {
    pub(super) folder: tempfile::TempDir,
}

impl Run {
    pub(super) fn new() -> Self {
        Self { folder: folder() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn out(&self) -> PathBuf {
        self.path("out")
    }

    /// Writes the batch as `events.parquet` and runs the policy on it.
    pub(super) fn events(&self, text: &str, events: &RecordBatch) -> Result<Outcome, Error> {
        let path = self.path("events.parquet");
        write_parquet(&path, events);
        Anonymizer::new(policy(text)).input([path]).output(self.out()).key(key()).threads(2).run()
    }

    /// The same with a table of profiles.
    pub(super) fn both(&self, text: &str, events: &RecordBatch, profiles: &RecordBatch) -> Result<Outcome, Error> {
        let (path, other) = (self.path("events.parquet"), self.path("profiles.parquet"));
        write_parquet(&path, events);
        write_parquet(&other, profiles);
        Anonymizer::new(policy(text)).input([path]).profiles([other]).output(self.out()).key(key()).threads(2).run()
    }
}

/// Runs a policy on one table of events in a folder of its own.
pub(super) fn run(text: &str, events: &RecordBatch) -> (Run, Result<Outcome, Error>) {
    let run = Run::new();
    let outcome = run.events(text, events);
    (run, outcome)
}

/// The rows of a written product, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
}

impl Written {
    pub(super) fn of(outcome: &Outcome, product: &str) -> Self {
        let file = outcome.product(product).and_then(|p| p.file.clone()).expect("a file");
        Self::read(&outcome.release.join(file))
    }

    pub(super) fn read(path: &Path) -> Self {
        if path.extension().is_some_and(|e| e == "csv") {
            let mut reader = csv::Reader::from_path(path).expect("a readable file");
            let columns = reader.headers().expect("a header").iter().map(str::to_owned).collect();
            let value = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let rows = reader.records().map(|record| record.expect("a record").iter().map(value).collect()).collect();
            return Self { columns, rows };
        }
        let (schema, batches) = batches(path);
        let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
        Self { columns, rows: batches.iter().flat_map(rows_of).collect() }
    }

    pub(super) fn column(&self, name: &str) -> Vec<Option<String>> {
        let index = self.index(name);
        self.rows.iter().map(|row| row[index].clone()).collect()
    }

    pub(super) fn index(&self, name: &str) -> usize {
        self.columns.iter().position(|column| column == name).unwrap_or_else(|| panic!("no column {name} in {:?}", self.columns))
    }

    /// The rows as a multiset.
    pub(super) fn sorted(&self) -> Vec<Row> {
        let mut rows = self.rows.clone();
        rows.sort();
        rows
    }

    /// Distinct people of every class of these columns.
    pub(super) fn people_by_class(&self, quasi_identifiers: &[&str], person: &str) -> BTreeMap<Row, BTreeSet<String>> {
        let indices: Vec<usize> = quasi_identifiers.iter().map(|name| self.index(name)).collect();
        let person = self.index(person);
        let mut classes: BTreeMap<Row, BTreeSet<String>> = BTreeMap::new();
        for row in &self.rows {
            let class = indices.iter().map(|&index| row[index].clone()).collect();
            classes.entry(class).or_default().insert(row[person].clone().expect("a person"));
        }
        classes
    }

    /// Rows of every class.
    pub(super) fn rows_by_class(&self, columns: &[&str]) -> HashMap<Row, usize> {
        let indices: Vec<usize> = columns.iter().map(|name| self.index(name)).collect();
        let mut classes = HashMap::new();
        for row in &self.rows {
            *classes.entry(indices.iter().map(|&index| row[index].clone()).collect()).or_insert(0) += 1;
        }
        classes
    }
}

pub(super) fn batches(path: &Path) -> (Arc<Schema>, Vec<RecordBatch>) {
    let file = File::open(path).expect("a file");
    if path.extension().is_some_and(|e| e == "arrow") {
        let reader = arrow::ipc::reader::FileReader::try_new(file, None).expect("an IPC file");
        let schema = reader.schema();
        (schema, reader.map(|b| b.expect("a batch")).collect())
    } else {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file").build().expect("a reader");
        let schema = arrow::array::RecordBatchReader::schema(&reader);
        (schema, reader.map(|b| b.expect("a batch")).collect())
    }
}

pub(super) fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let columns: Vec<ArrayRef> = batch.columns().iter().map(|c| cast(c, &DataType::Utf8).expect("text")).collect();
    (0..batch.num_rows())
        .map(|row| {
            columns
                .iter()
                .map(|column| {
                    let column = column.as_string::<i32>();
                    column.is_valid(row).then(|| column.value(row).to_owned())
                })
                .collect()
        })
        .collect()
}

pub(super) fn guarantee<'a>(product: &'a ProductReport, model: &str) -> &'a Guarantee {
    product.guarantees.iter().find(|g| g.model == model).unwrap_or_else(|| panic!("no {model} in {:?}", product.guarantees))
}

/// Attack figures that may not depend on a key.
pub(super) fn figures(attacks: Option<&Vec<Attack>>) -> Vec<String> {
    attacks.into_iter().flatten().map(|attack| serde_json::to_string(attack).expect("JSON")).collect()
}

/// All files below a folder.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub(super) fn extension(format: SinkFormat) -> &'static str {
    match format {
        SinkFormat::Csv => "csv",
        SinkFormat::IpcFile => "arrow",
        _ => "parquet",
    }
}

/// A small deterministic generator, so that pools are the same everywhere.
#[derive(Debug, Clone)]
pub(super) struct Draws(pub(super) u64);

impl Draws {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % bound as u64).expect("small")
    }

    pub(super) fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            let other = self.below(last + 1);
            values.swap(last, other);
        }
    }
}
