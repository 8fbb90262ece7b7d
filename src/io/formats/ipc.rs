//! Arrow IPC as a source.

use super::guard::{Guarded, guarded};
use super::positioned::SharedFile;
use crate::error::{Error, Result};
use crate::io::content::{Content, first_bytes, random_access};
use crate::io::rebuild::rebuilt_schema;
use crate::io::source::{BatchStream, ReadOptions, Source, project, slices};
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Record batches of a file in one split.
const SPLIT_BATCHES: usize = 16;
/// What ends a stream: a continuation mark and a length of zero.
const END: [u8; 8] = [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];

/// An Arrow IPC file or stream, told apart by its first bytes. Delta dictionaries and buffers compressed with lz4 or zstd are read.
/// Metadata of the schema and of the fields is left out.
///
/// A file falls into splits of 16 record batches; with dictionaries, or as a stream, it is one split.
///
/// # Examples
/// ```
/// use backmask::io::{IpcSource, PlainFile, ReadOptions, SinkFormat, SinkOptions, Source, create_sink};
/// use arrow::array::{Int64Array, RecordBatch};
/// use std::sync::Arc;
///
/// let batch = RecordBatch::try_from_iter([("plays", Arc::new(Int64Array::from(vec![3, 5])) as _)])?;
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("plays.arrow");
/// let mut sink = create_sink(&path, SinkFormat::IpcFile, batch.schema(), &SinkOptions::default())?;
/// sink.write(&batch)?;
/// sink.finish()?;
/// let source = IpcSource::open(Arc::new(PlainFile::new(path)))?;
/// for read in source.open_split(0, &ReadOptions::default())? {
///     assert_eq!(read?, batch);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct IpcSource {
    content: Arc<dyn Content>,
    /// Present for the file format.
    file: Option<SharedFile>,
    schema: SchemaRef,
    batches: usize,
    batches_in_split: usize,
}

impl IpcSource {
    /// Opens the content and reads its schema.
    ///
    /// # Errors
    /// The content is not Arrow IPC or not complete.
    pub fn open(content: Arc<dyn Content>) -> Result<Self> {
        let name = content.name().to_owned();
        let head = first_bytes(content.as_ref(), 6)?;
        guarded(&name, || {
            if head.starts_with(b"ARROW1") {
                let file = SharedFile::new(random_access(content.as_ref())?).map_err(|e| Error::io(&name, e))?;
                let reader = FileReader::try_new(BufReader::new(file.at(0)), None).map_err(|e| error(&name, e))?;
                let schema = rebuilt_schema(&reader.schema());
                let batches = reader.num_batches();
                let coded = schema.flattened_fields().iter().any(|field| matches!(field.data_type(), DataType::Dictionary(_, _)));
                let batches_in_split = if coded { batches.max(1) } else { SPLIT_BATCHES };
                Ok(Self { content, file: Some(file), schema, batches, batches_in_split })
            } else {
                let reader = StreamReader::try_new(BufReader::new(content.open()?), None).map_err(|e| error(&name, e))?;
                let schema = rebuilt_schema(&reader.schema());
                Ok(Self { content, file: None, schema, batches: 1, batches_in_split: 1 })
            }
        })
    }
}

impl Source for IpcSource {
    fn name(&self) -> &str {
        self.content.name()
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn splits(&self) -> usize {
        self.batches.div_ceil(self.batches_in_split)
    }

    fn open_split(&self, split: usize, options: &ReadOptions) -> Result<BatchStream> {
        if split >= self.splits() {
            return Err(Error::Parameter { name: "split", problem: format!("must be below {}", self.splits()) });
        }
        let indices = project(&self.schema, options.columns.as_deref())?;
        let schema = self.read_schema(options)?;
        let name = self.name().to_owned();
        let batches: Box<dyn Iterator<Item = Result<RecordBatch>> + Send> = guarded(&name, || {
            let name = name.clone();
            Ok(if let Some(file) = &self.file {
                let mut reader = FileReader::try_new(BufReader::new(file.at(0)), Some(indices)).map_err(|e| error(&name, e))?;
                let first = split * self.batches_in_split;
                let count = self.batches_in_split.min(self.batches - first);
                reader.set_index(first).map_err(|e| error(&name, e))?;
                Box::new(reader.take(count).map(move |batch| batch.map_err(|e| error(&name, e)))) as Box<_>
            } else {
                let ending = Ending { reader: self.content.open()?, last: Arc::default() };
                let last = Arc::clone(&ending.last);
                let reader = StreamReader::try_new(BufReader::new(ending), Some(indices)).map_err(|e| error(&name, e))?;
                Box::new(Stream { reader: Some(reader), last, name }) as Box<_>
            })
        })?;
        let (given, rows) = (Arc::clone(&schema), options.batch_rows);
        let cut = batches.flat_map(move |batch| -> Box<dyn Iterator<Item = Result<RecordBatch>> + Send> {
            match batch.and_then(|batch| renamed(&batch, &given)) {
                Ok(batch) => Box::new(slices(&batch, rows).map(Ok).collect::<Vec<_>>().into_iter()),
                Err(error) => Box::new(std::iter::once(Err(error))),
            }
        });
        Ok(BatchStream::new(schema, Guarded::new(name, cut)))
    }
}

/// The batch under the schema without metadata.
fn renamed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &options)
        .map_err(|e| Error::arrow("reading Arrow IPC", &e))
}

fn damaged(name: &str) -> Error {
    Error::data(name, None, "not a valid or not a complete Arrow IPC file or stream", "copy the file again or have it written again")
}

fn error(name: &str, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, cause) if !matches!(cause.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) => {
            Error::io(name, cause)
        }
        _ => damaged(name),
    }
}

/// Batches of a stream, which must end with its mark: a stream that was cut between two batches looks complete otherwise.
struct Stream<R> {
    reader: Option<StreamReader<R>>,
    last: Arc<Mutex<[u8; 8]>>,
    name: String,
}

impl<R: Read> Iterator for Stream<R> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.reader.as_mut()?;
        if let Some(batch) = reader.next() {
            return Some(batch.map_err(|e| error(&self.name, e)));
        }
        self.reader = None;
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        (last != END).then(|| Err(damaged(&self.name)))
    }
}

/// A reader that remembers the last eight bytes it gave.
struct Ending<R> {
    reader: R,
    last: Arc<Mutex<[u8; 8]>>,
}

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        for &byte in buffer.get(length.saturating_sub(8)..length).unwrap_or_default() {
            last.rotate_left(1);
            if let Some(end) = last.last_mut() {
                *end = byte;
            }
        }
        Ok(length)
    }
}
