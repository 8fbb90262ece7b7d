//! The table itself, and how it is built from a stream of batches.

use super::interner::{ColumnInterner, NULL_CODE};
use super::packed::Packed;
use super::spill::{SpillFile, Stored};
use crate::error::{Error, Result};
use crate::pipeline::{column_index, value_type};
use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How a [`CodedTable`] is held.
#[derive(Debug, Clone)]
pub struct TableOptions {
    /// Bytes of rows that are kept in memory; more go to a temporary file.
    pub memory: usize,
    /// Folder of the temporary file.
    pub folder: PathBuf,
    /// Threads that encode columns.
    pub threads: usize,
    /// Rows in a chunk.
    pub chunk_rows: usize,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self {
            memory: 512 << 20,
            folder: std::env::temp_dir(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            chunk_rows: 1 << 17,
        }
    }
}

/// How a column is stored.
#[derive(Debug)]
pub(super) enum Encoding {
    /// Every distinct value once. Text that turns out to have about as many values as rows is stored as it is from then on.
    Coded(Box<ColumnInterner>),
    /// Numbers packed by chunk.
    Numbers,
}

/// A column of the table.
#[derive(Debug)]
pub(super) struct StoredColumn {
    pub(super) encoding: Encoding,
    /// Whether the column must have codes for every row.
    pub(super) must_code: bool,
    /// Whether new chunks are stored as plain text.
    pub(super) plain: bool,
    pub(super) values: OnceLock<ArrayRef>,
}

/// Rows of the table.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) rows: usize,
    pub(super) columns: Vec<Stored>,
}

/// A table in memory (or in a temporary file, when it is larger than allowed), with every distinct value stored once.
///
/// Reading an export twice costs twice its parsing; reading it once into this costs a few bytes a row. Passes after the first work on
/// small integers, and a function of a value is computed once a distinct value.
#[derive(Debug)]
pub struct CodedTable {
    pub(super) schema: SchemaRef,
    pub(super) columns: Vec<Arc<StoredColumn>>,
    pub(super) chunks: Vec<Chunk>,
    pub(super) spill: Option<SpillFile>,
    rows: usize,
}

impl CodedTable {
    /// Names and types of the columns, dictionaries resolved.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Rows of the table.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of chunks.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Rows of a chunk.
    #[must_use]
    pub fn chunk_rows(&self, chunk: usize) -> usize {
        self.chunks[chunk].rows
    }

    /// Index of a column.
    ///
    /// # Errors
    /// There is no such column.
    pub fn column(&self, name: &str) -> Result<usize> {
        column_index(&self.schema, name)
    }

    /// Whether every row of the column has a code.
    #[must_use]
    pub fn is_coded(&self, column: usize) -> bool {
        matches!(self.columns[column].encoding, Encoding::Coded(_)) && !self.columns[column].plain
    }

    /// Whether the column holds numbers that are packed chunk by chunk, without codes.
    #[must_use]
    pub fn is_packed(&self, column: usize) -> bool {
        matches!(self.columns[column].encoding, Encoding::Numbers)
    }

    /// Distinct values of a coded column, in the order of their codes.
    ///
    /// # Errors
    /// The column is not coded, or its values do not fit one array.
    pub fn values(&self, column: usize) -> Result<ArrayRef> {
        let stored = &self.columns[column];
        let Encoding::Coded(interner) = &stored.encoding else { return Err(self.not_coded(column)) };
        if let Some(values) = stored.values.get() {
            return Ok(Arc::clone(values));
        }
        let values = interner.values()?;
        Ok(Arc::clone(stored.values.get_or_init(|| values)))
    }

    /// Number of distinct values of a coded column.
    ///
    /// # Errors
    /// The column is not coded.
    pub fn distinct(&self, column: usize) -> Result<usize> {
        match &self.columns[column].encoding {
            Encoding::Coded(interner) => Ok(interner.len()),
            Encoding::Numbers => Err(self.not_coded(column)),
        }
    }

    /// Codes of a coded column in a chunk, appended to `codes`.
    ///
    /// # Errors
    /// The column is not coded, or a temporary file cannot be read.
    pub fn codes(&self, chunk: usize, column: usize, codes: &mut Vec<u32>) -> Result<()> {
        if !self.is_coded(column) {
            return Err(self.not_coded(column));
        }
        let rows = self.chunks[chunk].rows;
        self.chunks[chunk].columns[column].load(self.spill.as_ref(), 0, rows)?.codes(codes);
        Ok(())
    }

    /// Whether some row has no value in a coded column.
    ///
    /// # Errors
    /// The column is not coded, or a temporary file cannot be read.
    pub fn has_missing(&self, column: usize) -> Result<bool> {
        let mut codes = Vec::new();
        for chunk in 0..self.chunks.len() {
            codes.clear();
            self.codes(chunk, column, &mut codes)?;
            if codes.contains(&NULL_CODE) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Values of a column in a chunk.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn array(&self, chunk: usize, column: usize) -> Result<ArrayRef> {
        let packed = self.chunks[chunk].columns[column].load(self.spill.as_ref(), 0, self.chunks[chunk].rows)?;
        self.to_array(column, &packed)
    }

    /// Values of a column in some rows of a chunk, in the order given.
    ///
    /// # Errors
    /// A row is not in the chunk, or a temporary file cannot be read.
    pub fn array_at(&self, chunk: usize, column: usize, rows: &[u32]) -> Result<ArrayRef> {
        let length = self.chunks[chunk].rows;
        if rows.iter().any(|&row| row as usize >= length) {
            return Err(Error::Parameter { name: "rows", problem: format!("must be below the {length} rows of the chunk") });
        }
        let packed = self.chunks[chunk].columns[column].load(self.spill.as_ref(), 0, length)?;
        self.to_array(column, &packed.gather(rows)?)
    }

    /// The same table with one more coded column, whose values are the numbers from 0 to `distinct` − 1; `codes` gives those of a chunk. Rows beyond `memory` go to a file in `folder`.
    ///
    /// # Errors
    /// A code is not below `distinct`, there is not one for each row, or the temporary file cannot be written.
    pub fn with_codes(
        mut self,
        name: &str,
        distinct: u32,
        memory: usize,
        folder: &Path,
        mut codes: impl FnMut(&Self, usize) -> Result<Vec<u32>>,
    ) -> Result<Self> {
        let mut interner = ColumnInterner::new(name, &DataType::UInt32)?;
        interner.extend(&UInt32Array::from_iter_values(0..distinct), &mut Vec::new())?;
        for chunk in 0..self.chunks.len() {
            let codes = codes(&self, chunk)?;
            if codes.len() != self.chunks[chunk].rows || codes.iter().any(|&code| code >= distinct && code != NULL_CODE) {
                return Err(Error::Parameter { name: "codes", problem: format!("needs one below {distinct} for each row") });
            }
            let mut stored = Stored::Memory(Packed::of_codes(&codes));
            if self.memory() > memory {
                if self.spill.is_none() {
                    self.spill = Some(SpillFile::new(folder)?);
                }
                if let Some(file) = &self.spill {
                    stored.spill(file)?;
                }
            }
            self.chunks[chunk].columns.push(stored);
        }
        let mut fields = self.schema.fields().to_vec();
        fields.push(Arc::new(Field::new(name, DataType::UInt32, true)));
        self.schema = Arc::new(Schema::new(fields));
        let column = StoredColumn { encoding: Encoding::Coded(Box::new(interner)), must_code: true, plain: false, values: OnceLock::new() };
        self.columns.push(Arc::new(column));
        Ok(self)
    }

    pub(super) fn to_array(&self, column: usize, packed: &Packed) -> Result<ArrayRef> {
        let data_type = self.schema.field(column).data_type();
        match (&self.columns[column].encoding, packed) {
            (Encoding::Coded(_), Packed::Scaled { .. }) => {
                let mut codes = Vec::with_capacity(packed.len());
                packed.codes(&mut codes);
                gather_values(&self.values(column)?, &codes)
            }
            _ => packed.to_array(data_type),
        }
    }

    fn not_coded(&self, column: usize) -> Error {
        Error::Arrow { context: format!("column {}", self.schema.field(column).name()), kind: "its values are not coded".to_owned() }
    }

    /// Bytes of memory held by rows and distinct values.
    #[must_use]
    pub fn memory(&self) -> usize {
        let rows: usize = self.chunks.iter().flat_map(|chunk| &chunk.columns).map(Stored::memory).sum();
        rows + dictionary_memory(&self.columns)
    }
}

fn dictionary_memory(columns: &[Arc<StoredColumn>]) -> usize {
    columns
        .iter()
        .map(|column| match &column.encoding {
            Encoding::Coded(interner) => interner.memory(),
            Encoding::Numbers => 0,
        })
        .sum()
}

/// The values that `codes` name.
///
/// # Errors
/// The values do not fit one array.
pub fn gather_values(values: &ArrayRef, codes: &[u32]) -> Result<ArrayRef> {
    let indices = if codes.contains(&NULL_CODE) {
        codes.iter().map(|&code| (code != NULL_CODE).then_some(code)).collect::<UInt32Array>()
    } else {
        UInt32Array::from(codes.to_vec())
    };
    take(values, &indices, None).map_err(|e| Error::arrow("gathering values", &e))
}

/// Builds a [`CodedTable`] batch by batch.
#[derive(Debug)]
pub struct CodedTableBuilder {
    schema: SchemaRef,
    columns: Vec<StoredColumn>,
    chunks: Vec<Chunk>,
    spill: Option<SpillFile>,
    spilled_chunks: usize,
    memory: usize,
    rows: usize,
    pending: Vec<RecordBatch>,
    pending_rows: usize,
    options: TableOptions,
}

impl CodedTableBuilder {
    /// A builder for batches of `schema`. The columns named in `coded` get a code for every row; other text is coded as long as that pays, other numbers are packed.
    ///
    /// # Errors
    /// A column has a nested type, or a name in `coded` is not in the schema.
    pub fn new(schema: &Schema, coded: &[&str], options: TableOptions) -> Result<Self> {
        for name in coded {
            column_index(schema, name)?;
        }
        let columns = schema
            .fields()
            .iter()
            .map(|field| {
                let must_code = coded.contains(&field.name().as_str());
                let data_type = value_type(field.data_type());
                let is_number = data_type.primitive_width().is_some_and(|width| width <= 8);
                let encoding = if is_number && !must_code {
                    Encoding::Numbers
                } else {
                    Encoding::Coded(Box::new(ColumnInterner::new(field.name(), data_type)?))
                };
                Ok(StoredColumn { encoding, must_code, plain: false, values: OnceLock::new() })
            })
            .collect::<Result<_>>()?;
        let fields: Vec<_> =
            schema.fields().iter().map(|f| Arc::new(Field::new(f.name(), plain_type(value_type(f.data_type())), true))).collect();
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            columns,
            chunks: Vec::new(),
            spill: None,
            spilled_chunks: 0,
            memory: 0,
            rows: 0,
            pending: Vec::new(),
            pending_rows: 0,
            options,
        })
    }

    /// Rows so far.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows + self.pending_rows
    }

    /// Adds a batch.
    ///
    /// # Errors
    /// The batch has other columns than the schema, or the temporary file cannot be written.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut start = 0;
        while start < batch.num_rows() {
            let take = (batch.num_rows() - start).min(self.options.chunk_rows - self.pending_rows);
            self.pending.push(batch.slice(start, take));
            self.pending_rows += take;
            start += take;
            if self.pending_rows == self.options.chunk_rows {
                self.encode()?;
            }
        }
        Ok(())
    }

    /// Encodes the pending rows as one chunk, columns in parallel.
    fn encode(&mut self) -> Result<()> {
        if self.pending_rows == 0 {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.pending_rows);
        let batches = std::mem::take(&mut self.pending);
        let total = self.rows;
        let next = AtomicUsize::new(0);
        let count = self.columns.len();
        let slots: Vec<Mutex<Slot<'_>>> = self.columns.iter_mut().map(|column| Mutex::new((column, None))).collect();
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(slot) = slots.get(index) else { break };
                let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                let packed = encode_column(slot.0, &batches, index, total, rows);
                slot.1 = Some(packed);
            }
        };
        let threads = self.options.threads.clamp(1, count.max(1));
        if threads == 1 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 1..threads {
                    scope.spawn(work);
                }
                work();
            });
        }
        let mut columns = Vec::with_capacity(count);
        for slot in slots {
            let (_, packed) = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
            let packed = packed
                .ok_or_else(|| Error::Arrow { context: "encoding a chunk".to_owned(), kind: "a column was left out".to_owned() })??;
            self.memory += packed.memory();
            columns.push(Stored::Memory(packed));
        }
        self.rows += rows;
        self.chunks.push(Chunk { rows, columns });
        self.spill_if_needed()
    }

    fn spill_if_needed(&mut self) -> Result<()> {
        while self.memory > self.options.memory && self.spilled_chunks < self.chunks.len() {
            if self.spill.is_none() {
                self.spill = Some(SpillFile::new(&self.options.folder)?);
            }
            let Some(file) = &self.spill else { break };
            for column in &mut self.chunks[self.spilled_chunks].columns {
                self.memory -= column.memory();
                column.spill(file)?;
            }
            self.spilled_chunks += 1;
        }
        Ok(())
    }

    /// Ends the table.
    ///
    /// # Errors
    /// As for [`CodedTableBuilder::push`].
    pub fn finish(mut self) -> Result<CodedTable> {
        self.encode()?;
        Ok(CodedTable {
            schema: self.schema,
            columns: self.columns.into_iter().map(Arc::new).collect(),
            chunks: self.chunks,
            spill: self.spill,
            rows: self.rows,
        })
    }
}

/// A column that is being encoded, and what came of it.
type Slot<'a> = (&'a mut StoredColumn, Option<Result<Packed>>);

/// Text with more distinct values than this, and more than half as many as rows, is no longer coded.
const PLAIN_TEXT_FROM: usize = 1 << 18;

fn encode_column(column: &mut StoredColumn, batches: &[RecordBatch], index: usize, rows_before: usize, rows: usize) -> Result<Packed> {
    let concatenated = || -> Result<ArrayRef> {
        if let [batch] = batches {
            return Ok(Arc::clone(batch.column(index)));
        }
        let arrays: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(index).as_ref()).collect();
        concat(&arrays).map_err(|e| Error::arrow("joining batches", &e))
    };
    match &mut column.encoding {
        Encoding::Numbers => {
            let array = concatenated()?;
            let array = match array.data_type() {
                DataType::Dictionary(_, values) => {
                    arrow::compute::cast(&array, values).map_err(|e| Error::arrow("unpacking a dictionary", &e))?
                }
                _ => array,
            };
            Packed::of_numbers(array.as_ref())
        }
        Encoding::Coded(_) if column.plain => Packed::of_text(concatenated()?.as_ref()),
        Encoding::Coded(interner) => {
            let mut codes = Vec::with_capacity(rows);
            for batch in batches {
                interner.extend(batch.column(index).as_ref(), &mut codes)?;
            }
            let is_text = matches!(interner.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
            column.plain =
                !column.must_code && is_text && interner.len() > PLAIN_TEXT_FROM && interner.len() > usize::midpoint(rows_before, rows);
            Ok(Packed::of_codes(&codes))
        }
    }
}

/// The plain form of text and binary types, in which an interner gives its values.
fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, Int64Array, StringArray};

    fn batch(rows: std::ops::Range<i64>) -> RecordBatch {
        let subject = rows.clone().map(|i| (i % 7 != 0).then(|| format!("person {}", i % 5))).collect::<StringArray>();
        let time = Int64Array::from_iter_values(rows.clone().map(|i| i * 1000));
        let year = rows.clone().map(|i| i32::try_from(1990 + i % 3).ok()).collect::<Int32Array>();
        let note = StringArray::from_iter_values(rows.map(|i| format!("note {i}")));
        RecordBatch::try_from_iter([
            ("subject", Arc::new(subject) as ArrayRef),
            ("time", Arc::new(time)),
            ("year", Arc::new(year)),
            ("note", Arc::new(note)),
        ])
        .unwrap()
    }

    fn restored(table: &CodedTable) -> RecordBatch {
        let columns = (0..table.schema().fields().len())
            .map(|column| {
                let arrays: Vec<ArrayRef> = (0..table.chunks()).map(|chunk| table.array(chunk, column).unwrap()).collect();
                concat(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap()
            })
            .collect();
        RecordBatch::try_new(table.schema(), columns).unwrap()
    }

    #[test]
    fn rows_come_back_from_memory_and_from_disk() {
        let input = batch(0..1000);
        for (memory, threads, chunk_rows, batch_rows) in [(usize::MAX, 1, 1 << 17, 1000), (0, 2, 64, 7), (1000, 1, 100, 33)] {
            let options = TableOptions { memory, threads, chunk_rows, ..TableOptions::default() };
            let mut builder = CodedTableBuilder::new(input.schema_ref(), &["subject", "year"], options).unwrap();
            for start in (0..1000).step_by(batch_rows) {
                builder.push(&input.slice(start, batch_rows.min(1000 - start))).unwrap();
            }
            let table = builder.finish().unwrap();
            assert_eq!(table.rows(), 1000);
            assert_eq!(table.distinct(0).unwrap(), 5);
            assert!(table.is_coded(2) && !table.is_coded(1));
            let back = restored(&table);
            for (column, expected) in back.columns().iter().zip(input.columns()) {
                assert_eq!(column, expected);
            }
        }
    }

    #[test]
    fn some_rows_of_a_chunk_come_back_in_the_order_asked_for() {
        let input = batch(0..100);
        for memory in [0, usize::MAX] {
            let options = TableOptions { memory, chunk_rows: 60, ..TableOptions::default() };
            let mut builder = CodedTableBuilder::new(input.schema_ref(), &["subject", "year"], options).unwrap();
            builder.push(&input).unwrap();
            let table = builder.finish().unwrap();
            for column in 0..4 {
                let expected = take(input.column(column), &UInt32Array::from(vec![63, 60, 67]), None).unwrap();
                assert_eq!(&table.array_at(1, column, &[3, 0, 7]).unwrap(), &expected);
            }
            assert!(table.array_at(1, 0, &[40]).is_err());
        }
    }

    #[test]
    fn text_without_repetition_is_stored_plain() {
        let schema = Schema::new(vec![arrow::datatypes::Field::new("note", DataType::Utf8, true)]);
        for memory in [0, usize::MAX] {
            let mut builder = CodedTableBuilder::new(&schema, &[], TableOptions { memory, ..TableOptions::default() }).unwrap();
            let mut expected = Vec::new();
            for block in 0..4 {
                let notes = StringArray::from_iter_values((0..100_000).map(|i| format!("{block}/{i}")));
                expected.push(notes.clone());
                builder.push(&RecordBatch::try_from_iter([("note", Arc::new(notes) as ArrayRef)]).unwrap()).unwrap();
            }
            let table = builder.finish().unwrap();
            assert!(!table.is_coded(0));
            let expected = concat(&expected.iter().map(|a| a as &dyn Array).collect::<Vec<_>>()).unwrap();
            assert_eq!(restored(&table).column(0), &expected);
        }
    }

    #[test]
    fn an_empty_table_has_no_chunks() {
        let table = CodedTableBuilder::new(batch(0..1).schema_ref(), &[], TableOptions::default()).unwrap().finish().unwrap();
        assert_eq!((table.rows(), table.chunks()), (0, 0));
    }
}
