//! Apache Parquet as a sink: the columns of a row group are encoded on several threads.

use super::output::{Failure, Output};
use super::pieces::{PIECE_ROWS, Pieces};
use super::plain::Plain;
use super::{Compression, Sink, SinkOptions, Written};
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression as PageCompression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Bytes of arrays that may wait to be encoded.
const WAITING_BYTES: usize = 64 << 20;
/// A column is worth a turn of a thread from this many waiting bytes on.
const TURN_BYTES: usize = 1 << 18;

/// The writer's properties for these options.
pub(super) fn properties(options: &SinkOptions) -> Result<WriterProperties> {
    let compression = match options.compression {
        Compression::None => PageCompression::UNCOMPRESSED,
        Compression::Snappy => PageCompression::SNAPPY,
        Compression::Lz4 => PageCompression::LZ4_RAW,
        Compression::Zstd(level) => PageCompression::ZSTD(
            ZstdLevel::try_new(level)
                .map_err(|_| Error::Parameter { name: "compression", problem: "zstd has the levels 1 to 22".to_owned() })?,
        ),
    };
    Ok(WriterProperties::builder()
        .set_compression(compression)
        .set_created_by(format!("backmask {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(None)
        .set_statistics_enabled(if options.statistics { EnabledStatistics::Page } else { EnabledStatistics::None })
        .set_offset_index_disabled(!options.statistics)
        .build())
}

/// A Parquet file in the making.
#[derive(Debug)]
pub(super) struct ParquetSink {
    writer: SerializedFileWriter<Output>,
    factory: ArrowRowGroupWriterFactory,
    encoders: Encoders,
    plan: Plain,
    pieces: Pieces,
    /// Rows of the row group that is being encoded.
    group_rows: usize,
    max_group_rows: usize,
    rows: u64,
    path: PathBuf,
    failure: Failure,
    failed: bool,
}

impl ParquetSink {
    pub(super) fn new(output: Output, plan: Plain, properties: WriterProperties, options: &SinkOptions) -> Result<Self> {
        let (path, failure) = (output.path().to_owned(), output.failure());
        let schema = plan.schema();
        let descriptor = ArrowSchemaConverter::new().convert(&schema).map_err(|e| error(&path, &failure, &e))?;
        let writer = SerializedFileWriter::new(output, descriptor.root_schema_ptr(), Arc::new(properties))
            .map_err(|e| error(&path, &failure, &e))?;
        let factory = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&schema));
        let encoders = Encoders::start(schema, options.threads, WAITING_BYTES);
        let max_group_rows = options.row_group_rows.max(1).div_ceil(PIECE_ROWS).saturating_mul(PIECE_ROWS);
        Ok(Self {
            writer,
            factory,
            encoders,
            plan,
            pieces: Pieces::default(),
            group_rows: 0,
            max_group_rows,
            rows: 0,
            path,
            failure,
            failed: false,
        })
    }

    fn encode(&mut self, piece: &RecordBatch) -> Result<()> {
        if self.group_rows == 0 {
            let group = self.writer.flushed_row_groups().len();
            self.encoders.begin(self.factory.create_column_writers(group).map_err(|e| error(&self.path, &self.failure, &e))?);
        }
        self.encoders.push(piece).map_err(|e| error(&self.path, &self.failure, &e))?;
        self.group_rows += piece.num_rows();
        if self.group_rows >= self.max_group_rows { self.end_group() } else { Ok(()) }
    }

    fn end_group(&mut self) -> Result<()> {
        if self.group_rows == 0 {
            return Ok(());
        }
        self.group_rows = 0;
        let at = |e| error(&self.path, &self.failure, &e);
        let chunks = self.encoders.end().map_err(at)?;
        let mut group = self.writer.next_row_group().map_err(at)?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group).map_err(at)?;
        }
        group.close().map_err(at)?;
        Ok(())
    }

    fn write_checked(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = self.plan.apply(batch)?;
        for piece in self.pieces.push(&batch)? {
            self.encode(&piece)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}

impl Sink for ParquetSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.failed {
            return Err(failed_before(&self.path));
        }
        let result = self.write_checked(batch);
        self.failed = result.is_err();
        result
    }

    fn finish(mut self: Box<Self>) -> Result<Written> {
        if self.failed {
            return Err(failed_before(&self.path));
        }
        if let Some(piece) = self.pieces.rest()? {
            self.encode(&piece)?;
        }
        self.end_group()?;
        let Self { writer, path, failure, rows, .. } = *self;
        writer.into_inner().map_err(|e| error(&path, &failure, &e))?.finish(rows)
    }
}

pub(super) fn failed_before(path: &Path) -> Error {
    Error::io(path, std::io::Error::other("an earlier write failed"))
}

fn error(path: &Path, failure: &Failure, _: &ParquetError) -> Error {
    failure.or(path, Error::Arrow { context: "writing Parquet".to_owned(), kind: "the encoder failed".to_owned() })
}

/// Threads that encode columns. A column is encoded piece after piece by one thread at a time, so the bytes do not depend on the threads.
#[derive(Debug)]
struct Encoders {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    schema: SchemaRef,
    /// Bytes of arrays that may wait.
    limit: usize,
    state: Mutex<State>,
    /// Told when there is work, or at the end.
    work: Condvar,
    /// Told when work was done.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    columns: Vec<Column>,
    waiting: usize,
    closing: bool,
    stopped: bool,
    error: Option<ParquetError>,
}

#[derive(Debug, Default)]
struct Column {
    /// Absent while a thread has it, and after it was closed.
    writer: Option<ArrowColumnWriter>,
    queue: VecDeque<ArrayRef>,
    bytes: usize,
    chunk: Option<ArrowColumnChunk>,
}

/// A column that a thread has taken, with all that waits for it.
struct Turn {
    index: usize,
    writer: ArrowColumnWriter,
    arrays: VecDeque<ArrayRef>,
    bytes: usize,
    close: bool,
}

impl Encoders {
    fn start(schema: SchemaRef, threads: usize, limit: usize) -> Self {
        let columns = schema.fields().len();
        let shared = Arc::new(Shared { schema, limit, state: Mutex::default(), work: Condvar::new(), done: Condvar::new() });
        let mut encoders = Self { shared, threads: Vec::new() };
        // The calling thread helps when it has to wait, so it counts as one.
        for _ in 1..threads.min(columns + 1) {
            let shared = Arc::clone(&encoders.shared);
            match thread::Builder::new().name("backmask-write".to_owned()).spawn(move || shared.run()) {
                Ok(handle) => encoders.threads.push(handle),
                // The calling thread does it all if it must.
                Err(_) => break,
            }
        }
        encoders
    }

    /// Begins a row group.
    fn begin(&self, writers: Vec<ArrowColumnWriter>) {
        let mut state = self.shared.lock();
        state.closing = false;
        state.columns = writers.into_iter().map(|writer| Column { writer: Some(writer), ..Column::default() }).collect();
    }

    /// Hands a piece over; helps to encode while too much is waiting.
    fn push(&self, piece: &RecordBatch) -> Result<(), ParquetError> {
        let mut state = self.shared.lock();
        let mut added = 0;
        for (column, array) in state.columns.iter_mut().zip(piece.columns()) {
            let bytes = visible_bytes(array);
            column.queue.push_back(Arc::clone(array));
            column.bytes += bytes;
            added += bytes;
        }
        state.waiting += added;
        self.shared.work.notify_all();
        while state.error.is_none() && state.waiting > self.shared.limit {
            state = self.shared.help(state);
        }
        state.error.take().map_or(Ok(()), Err)
    }

    /// Ends the row group: everything is encoded, helped by the calling thread.
    fn end(&self) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.work.notify_all();
        while state.error.is_none() && state.columns.iter().any(|column| column.chunk.is_none()) {
            state = self.shared.help(state);
        }
        match state.error.take() {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut state.columns).into_iter().filter_map(|column| column.chunk).collect()),
        }
    }
}

impl Drop for Encoders {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.lock();
        while !state.stopped {
            state = match state.take_turn(self.limit) {
                Some(turn) => self.encode(state, turn),
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Does one turn in the calling thread, or waits for another thread to end one.
    fn help<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        match state.take_turn(self.limit) {
            Some(turn) => self.encode(state, turn),
            None => self.done.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn encode<'a>(&'a self, state: MutexGuard<'a, State>, turn: Turn) -> MutexGuard<'a, State> {
        drop(state);
        let (index, bytes) = (turn.index, turn.bytes);
        let result = catch_unwind(AssertUnwindSafe(|| turn.run(&self.schema)))
            .unwrap_or_else(|_| Err(ParquetError::General("the encoder failed".to_owned())));
        let mut state = self.lock();
        state.waiting = state.waiting.saturating_sub(bytes);
        match (result, state.columns.get_mut(index)) {
            (Ok((writer, chunk)), Some(column)) => {
                column.writer = writer;
                column.chunk = chunk;
            }
            (Ok(_), None) => {}
            (Err(error), _) => state.error = Some(error),
        }
        self.done.notify_all();
        // The column may have new work for a thread that found it taken.
        self.work.notify_one();
        state
    }
}

impl State {
    /// Takes the free column with most waiting bytes; when the row group is closing any that is not closed.
    fn take_turn(&mut self, limit: usize) -> Option<Turn> {
        let closing = self.closing;
        // Where too much waits, the smallest turn is taken too: nobody may wait for a column that nobody takes.
        let enough = if closing {
            0
        } else if self.waiting > limit {
            1
        } else {
            TURN_BYTES
        };
        let free = self.columns.iter_mut().enumerate().filter(|(_, column)| column.writer.is_some() && column.bytes >= enough);
        let (index, column) = free.max_by_key(|(_, column)| column.bytes)?;
        let writer = column.writer.take()?;
        Some(Turn { index, writer, arrays: std::mem::take(&mut column.queue), bytes: std::mem::take(&mut column.bytes), close: closing })
    }
}

/// Bytes of what the array shows; a slice counts only its part. At least 1, so that what waits counts.
fn visible_bytes(array: &ArrayRef) -> usize {
    array.to_data().get_slice_memory_size().unwrap_or(array.len()).max(1)
}

impl Turn {
    fn run(self, schema: &SchemaRef) -> Result<(Option<ArrowColumnWriter>, Option<ArrowColumnChunk>), ParquetError> {
        let mut writer = self.writer;
        for array in self.arrays {
            for leaf in compute_leaves(schema.field(self.index), &array)? {
                writer.write(&leaf)?;
            }
        }
        if self.close { Ok((None, Some(writer.close()?))) } else { Ok((Some(writer), None)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sink::SinkFormat;
    use arrow::array::{Int64Array, StringArray};
    use std::io::Read as _;

    fn batch(columns: usize, rows: usize) -> Result<RecordBatch> {
        let made = RecordBatch::try_from_iter((0..columns).map(|column| {
            let array: ArrayRef = if column % 2 == 0 {
                Arc::new(Int64Array::from_iter_values((0..rows).map(|row| i64::try_from(row * column).unwrap_or_default())))
            } else {
                Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("text {}", row % (column + 7)))))
            };
            (format!("c{column}"), array)
        }));
        made.map_err(|e| Error::arrow("test", &e))
    }

    /// The file's bytes when no more than `limit` bytes may wait.
    fn written(batch: &RecordBatch, threads: usize, limit: usize) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir().map_err(|e| Error::io("", e))?;
        let path = folder.path().join("f.parquet");
        let options = SinkOptions { threads, row_group_rows: PIECE_ROWS, ..SinkOptions::default() };
        let plan = Plain::new(&batch.schema(), SinkFormat::Parquet)?;
        let mut sink = Box::new(ParquetSink::new(Output::create(&path, false)?, plan, properties(&options)?, &options)?);
        sink.encoders = Encoders::start(batch.schema(), threads, limit);
        sink.write(batch)?;
        sink.finish()?;
        let mut bytes = Vec::new();
        std::fs::File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(|e| Error::io(&path, e))?;
        Ok(bytes)
    }

    #[test]
    fn little_room_and_many_columns_neither_block_nor_change_the_bytes() -> Result<()> {
        let batch = batch(24, 9_000)?;
        let expected = written(&batch, 1, WAITING_BYTES)?;
        for (threads, limit) in [(1, 0), (2, 0), (4, 0), (3, 100_000), (100, WAITING_BYTES)] {
            assert!(written(&batch, threads, limit)? == expected, "{threads} threads, {limit} bytes");
        }
        Ok(())
    }

    #[test]
    fn levels_of_compression_are_checked() {
        assert!(properties(&SinkOptions { compression: Compression::Zstd(0), ..SinkOptions::default() }).is_err());
        assert!(properties(&SinkOptions { compression: Compression::Zstd(23), ..SinkOptions::default() }).is_err());
    }
}
