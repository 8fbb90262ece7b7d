//! Formats that are read record by record, as sources.

use super::schema::RowBuilder;
use crate::error::{Error, Result};
use crate::io::{BatchStream, LeftOut, ReadOptions, Source};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::fmt::Debug;
use std::sync::Arc;

/// What ends a record early.
#[derive(Debug)]
pub(super) enum Fault {
    /// This record cannot be read; the next one can.
    Malformed(Error),
    /// Nothing more can be read.
    Fatal(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

/// Reads records one after the other.
pub(super) trait Records: Send {
    /// Reads one record. It becomes a row of `rows`, or is counted in `left_out`. `false` at the end.
    ///
    /// An implementation appends to `rows` only after the whole record was understood.
    fn read(&mut self, rows: &mut RowBuilder, left_out: &LeftOut) -> Result<bool, Fault>;
}

/// Something that starts reading from the first record as often as needed.
pub(super) trait Layout: Debug + Send + Sync {
    /// A fresh reader.
    fn open(&self) -> Result<Box<dyn Records>>;
}

/// A source of rows that are built one by one.
#[derive(Debug)]
pub(super) struct RowSource<L> {
    pub(super) name: String,
    pub(super) schema: SchemaRef,
    pub(super) layout: L,
    pub(super) skip_malformed: bool,
}

impl<L: Layout> Source for RowSource<L> {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn open_split(&self, _split: usize, options: &ReadOptions) -> Result<BatchStream> {
        let wanted = crate::io::project(&self.schema, options.columns.as_deref())?;
        let builder = RowBuilder::new(&self.schema, &wanted)?;
        let left_out = Arc::new(LeftOut::default());
        let schema = builder.schema();
        let batches = Batches {
            records: Some(self.layout.open()?),
            builder,
            batch_rows: options.batch_rows.max(1),
            left_out: Arc::clone(&left_out),
            skip_malformed: self.skip_malformed,
        };
        Ok(BatchStream::new(schema, batches).with_left_out(left_out))
    }
}

struct Batches {
    /// `None` once the end or an error was met.
    records: Option<Box<dyn Records>>,
    builder: RowBuilder,
    batch_rows: usize,
    left_out: Arc<LeftOut>,
    skip_malformed: bool,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let records = self.records.as_mut()?;
        while self.builder.rows() < self.batch_rows && !self.builder.is_full() {
            match records.read(&mut self.builder, &self.left_out) {
                Ok(true) => {}
                Ok(false) => {
                    self.records = None;
                    break;
                }
                Err(Fault::Malformed(_)) if self.skip_malformed => self.left_out.add("malformed", 1),
                Err(Fault::Malformed(error) | Fault::Fatal(error)) => {
                    self.records = None;
                    return Some(Err(error));
                }
            }
        }
        (self.builder.rows() > 0).then(|| self.builder.finish())
    }
}
