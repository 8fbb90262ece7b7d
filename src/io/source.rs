//! The source trait and the streams it gives.

use crate::error::{Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatchReader;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

/// How a source is to be read.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Columns to read, in any order; `None` reads all. Names that the source does not have are errors.
    pub columns: Option<Vec<String>>,
    /// Rows in a batch at most.
    pub batch_rows: usize,
    /// Threads that may decode at the same time. With 1 the calling thread decodes.
    pub threads: usize,
    /// Give text columns as `Dictionary(Int32, Utf8)` where the file stores them so throughout. A text column with few distinct values
    /// is then decoded without copying its texts, and its values can be worked once. See [`Source::read_schema`].
    pub dictionaries: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { columns: None, batch_rows: 8192, threads: std::thread::available_parallelism().map_or(1, usize::from), dictionaries: false }
    }
}

/// A table that can be read from its start as often as needed.
pub trait Source: Debug + Send + Sync {
    /// What it is called in messages and in the steward's report: a path, with `!member` inside an archive.
    fn name(&self) -> &str;

    /// Schema of all its columns.
    fn schema(&self) -> SchemaRef;

    /// Schema of the batches that [`Source::open_split`] gives for these options, the same for every split: the wanted columns in the
    /// order of the file.
    ///
    /// # Errors
    /// A wanted column is not in the source.
    fn read_schema(&self, options: &ReadOptions) -> Result<SchemaRef> {
        let schema = self.schema();
        let indices = project(&schema, options.columns.as_deref())?;
        Ok(Arc::new(schema.project(&indices).map_err(|e| Error::arrow("projecting", &e))?))
    }

    /// Into how many pieces it falls that can be decoded independently (row groups of a Parquet file). They are numbered in file order.
    fn splits(&self) -> usize {
        1
    }

    /// Opens one piece.
    ///
    /// # Errors
    /// The file is gone or damaged, or a wanted column is not in it.
    fn open_split(&self, split: usize, options: &ReadOptions) -> Result<BatchStream>;
}

/// Rows that a reader left out on purpose, counted by reason (for example `incognito`).
#[derive(Debug, Default)]
pub struct LeftOut(Mutex<BTreeMap<&'static str, u64>>);

impl LeftOut {
    /// Counts `rows` more rows under `reason`.
    pub fn add(&self, reason: &'static str, rows: u64) {
        if rows > 0 {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += rows;
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A stream of record batches of one schema.
pub struct BatchStream {
    schema: SchemaRef,
    batches: Box<dyn Iterator<Item = Result<RecordBatch>> + Send>,
    left_out: Arc<LeftOut>,
}

impl BatchStream {
    /// A stream of `batches`, which must all have `schema`.
    pub fn new(schema: SchemaRef, batches: impl Iterator<Item = Result<RecordBatch>> + Send + 'static) -> Self {
        Self { schema, batches: Box::new(batches), left_out: Arc::default() }
    }

    /// The same stream, with its counter of rows that were left out.
    #[must_use]
    pub fn with_left_out(mut self, left_out: Arc<LeftOut>) -> Self {
        self.left_out = left_out;
        self
    }

    /// Schema of the batches.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What was left out so far; complete when the stream has ended.
    #[must_use]
    pub fn left_out(&self) -> Arc<LeftOut> {
        Arc::clone(&self.left_out)
    }

    /// The stream as Arrow's own reader trait, for code that expects one.
    #[must_use]
    pub fn into_reader(self) -> Box<dyn RecordBatchReader + Send> {
        Box::new(ArrowReader(self))
    }
}

impl Debug for BatchStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchStream").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Iterator for BatchStream {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }
}

struct ArrowReader(BatchStream);

impl Iterator for ArrowReader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|batch| batch.map_err(|e| ArrowError::ExternalError(Box::new(e))))
    }
}

impl RecordBatchReader for ArrowReader {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }
}

/// Batches in memory as a source: for tests, and for users who already hold their data.
#[derive(Debug, Clone)]
pub struct MemorySource {
    name: String,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl MemorySource {
    /// A source of `batches`, which must all have `schema`.
    ///
    /// # Errors
    /// A batch has another schema.
    pub fn new(name: impl Into<String>, schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<Self> {
        let name = name.into();
        if batches.iter().any(|batch| batch.schema_ref() != &schema) {
            return Err(Error::data(name, None, "a batch has another schema than the source", "cast the batches first"));
        }
        Ok(Self { name, schema, batches })
    }
}

impl Source for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn open_split(&self, _split: usize, options: &ReadOptions) -> Result<BatchStream> {
        let indices = project(&self.schema, options.columns.as_deref())?;
        let schema = Arc::new(self.schema.project(&indices).map_err(|e| Error::arrow("projecting", &e))?);
        let batches: Vec<RecordBatch> = self
            .batches
            .iter()
            .flat_map(|batch| slices(batch, options.batch_rows))
            .map(|batch| batch.project(&indices).map_err(|e| Error::arrow("projecting", &e)))
            .collect::<Result<_>>()?;
        Ok(BatchStream::new(schema, batches.into_iter().map(Ok)))
    }
}

/// Cuts a batch into slices of at most `rows` rows.
pub(crate) fn slices(batch: &RecordBatch, rows: usize) -> impl Iterator<Item = RecordBatch> + '_ {
    let rows = rows.max(1);
    (0..batch.num_rows()).step_by(rows).map(move |start| batch.slice(start, rows.min(batch.num_rows() - start)))
}

/// Indices of the wanted columns, in the order of the schema.
pub(crate) fn project(schema: &arrow::datatypes::Schema, columns: Option<&[String]>) -> Result<Vec<usize>> {
    let Some(columns) = columns else { return Ok((0..schema.fields().len()).collect()) };
    let mut indices: Vec<usize> = columns.iter().map(|name| crate::pipeline::column_index(schema, name)).collect::<Result<_>>()?;
    indices.sort_unstable();
    indices.dedup();
    Ok(indices)
}
