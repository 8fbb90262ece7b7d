//! Apache Parquet as a source.

use super::guard::{Guarded, guarded};
use super::positioned::{PositionedRead, SharedFile};
use crate::error::{Error, Result};
use crate::io::source::{BatchStream, ReadOptions, Source, project};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes around a page header that one system call fetches.
const HEADER_READ: usize = 4096;

/// A Parquet file. Its splits are its row groups.
///
/// Texts are given as `Utf8` whatever text type the writer noted, dictionaries of texts as `Dictionary(Int32, Utf8)`; metadata of the schema
/// and of the fields is left out.
///
/// # Examples
/// ```
/// use backmask::io::{ParquetSource, ReadOptions, SinkFormat, SinkOptions, Source, create_sink};
/// use arrow::array::{Int64Array, RecordBatch};
/// use std::sync::Arc;
///
/// let batch = RecordBatch::try_from_iter([("plays", Arc::new(Int64Array::from(vec![3, 5])) as _)])?;
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("plays.parquet");
/// let mut sink = create_sink(&path, SinkFormat::Parquet, batch.schema(), &SinkOptions::default())?;
/// sink.write(&batch)?;
/// sink.finish()?;
///
/// let source = ParquetSource::open(&path)?;
/// for batch in source.open_split(0, &ReadOptions::default())? {
///     assert_eq!(batch?.num_rows(), 2);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ParquetSource {
    file: NamedFile,
    plain: ArrowReaderMetadata,
    /// The same with dictionaries for the columns that are stored as such throughout.
    coded: ArrowReaderMetadata,
}

impl ParquetSource {
    /// Opens the file and reads its footer.
    ///
    /// # Errors
    /// The file is absent, or is not a complete Parquet file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        Self::from_file(path.display().to_string(), file)
    }

    /// The same for a file that is open already; `name` is for messages.
    ///
    /// # Errors
    /// The file is not a complete Parquet file.
    pub fn from_file(name: impl Into<String>, file: File) -> Result<Self> {
        let name: Arc<str> = name.into().into();
        let shared = SharedFile::new(file).map_err(|e| Error::io(&*name, e))?;
        let file = NamedFile { name, file: shared };
        guarded(&Arc::clone(&file.name), move || {
            // Page indexes are not used; the default skips them.
            let read = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| file.error(&e, None))?;
            let fields: Vec<Field> = read.schema().fields().iter().map(|field| plain_field(field)).collect();
            let coded: Vec<Field> = fields
                .iter()
                .enumerate()
                .map(|(index, field)| if stored_as_dictionary(&read, index, field) { dictionary_field(field) } else { field.clone() })
                .collect();
            let plain = file.with_schema(&read, fields)?;
            let coded = file.with_schema(&read, coded)?;
            Ok(Self { file, plain, coded })
        })
    }

    /// Rows in the file, by its footer.
    ///
    /// # Errors
    /// The footer holds a negative number.
    pub fn rows(&self) -> Result<u64> {
        u64::try_from(self.plain.metadata().file_metadata().num_rows()).map_err(|_| self.file.damaged(None))
    }

    fn metadata(&self, options: &ReadOptions) -> &ArrowReaderMetadata {
        if options.dictionaries { &self.coded } else { &self.plain }
    }
}

impl Source for ParquetSource {
    fn name(&self) -> &str {
        &self.file.name
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(self.plain.schema())
    }

    fn read_schema(&self, options: &ReadOptions) -> Result<SchemaRef> {
        let schema = self.metadata(options).schema();
        let indices = project(schema, options.columns.as_deref())?;
        Ok(Arc::new(schema.project(&indices).map_err(|e| Error::arrow("projecting", &e))?))
    }

    fn splits(&self) -> usize {
        self.plain.metadata().num_row_groups()
    }

    fn open_split(&self, split: usize, options: &ReadOptions) -> Result<BatchStream> {
        let metadata = self.metadata(options);
        let indices = project(metadata.schema(), options.columns.as_deref())?;
        let schema = self.read_schema(options)?;
        let mask = ProjectionMask::roots(metadata.parquet_schema(), indices);
        let reader = guarded(&self.file.name, || {
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), metadata.clone())
                .with_row_groups(vec![split])
                .with_projection(mask)
                .with_batch_size(options.batch_rows.max(1))
                .build()
                .map_err(|e| self.file.error(&e, Some(split)))
        })?;
        let file = self.file.clone();
        let given = Arc::clone(&schema);
        let batches = reader.map(move |batch| {
            let batch = batch.map_err(|e| file.arrow_error(&e, split))?;
            if batch.schema_ref() == &given {
                return Ok(batch);
            }
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            RecordBatch::try_new_with_options(Arc::clone(&given), batch.columns().to_vec(), &options)
                .map_err(|e| file.arrow_error(&e, split))
        });
        Ok(BatchStream::new(schema, Guarded::new(&*self.file.name, batches)))
    }
}

/// The field without metadata, its text in the one representation that all sources give.
fn plain_field(field: &Field) -> Field {
    let text = |data_type: &DataType| match data_type {
        DataType::LargeUtf8 | DataType::Utf8View | DataType::Utf8 => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    };
    let data_type = match field.data_type() {
        DataType::Dictionary(_, values) => match text(values) {
            DataType::Utf8 => text_dictionary(),
            other => other,
        },
        nested if nested.is_nested() => return field.clone(),
        other => text(other),
    };
    Field::new(field.name(), data_type, field.is_nullable())
}

fn text_dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn dictionary_field(field: &Field) -> Field {
    Field::new(field.name(), text_dictionary(), field.is_nullable())
}

/// Whether all data pages of this text column are dictionary encoded, in every row group, as far as the footer says.
fn stored_as_dictionary(metadata: &ArrowReaderMetadata, index: usize, field: &Field) -> bool {
    if field.data_type() != &DataType::Utf8 {
        return false;
    }
    let parquet = metadata.parquet_schema();
    let mut leaves = (0..parquet.num_columns()).filter(|&leaf| parquet.get_column_root_idx(leaf) == index);
    let (Some(leaf), None) = (leaves.next(), leaves.next()) else { return false };
    let groups = metadata.metadata().row_groups();
    !groups.is_empty() && groups.iter().all(|group| group.columns().get(leaf).is_some_and(is_all_dictionary))
}

fn is_all_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    let only = chunk
        .page_encoding_stats_mask()
        .is_some_and(|mask| mask.is_only(Encoding::RLE_DICTIONARY) || mask.is_only(Encoding::PLAIN_DICTIONARY));
    chunk.column_type() == PhysicalType::BYTE_ARRAY && chunk.dictionary_page_offset().is_some() && only
}

/// The file with its name for messages.
#[derive(Debug, Clone)]
struct NamedFile {
    name: Arc<str>,
    file: SharedFile,
}

impl NamedFile {
    fn with_schema(&self, read: &ArrowReaderMetadata, fields: Vec<Field>) -> Result<ArrowReaderMetadata> {
        let schema = Arc::new(Schema::new(Fields::from(fields)));
        let options = ArrowReaderOptions::new().with_schema(schema);
        ArrowReaderMetadata::try_new(Arc::clone(read.metadata()), options).map_err(|e| self.error(&e, None))
    }

    fn damaged(&self, group: Option<usize>) -> Error {
        let place = group.map(|number| format!(" (row group {number})")).unwrap_or_default();
        Error::data(&*self.name, None, format!("not a valid Parquet file{place}"), "copy the file again or have it written again")
    }

    fn error(&self, error: &ParquetError, group: Option<usize>) -> Error {
        match error {
            ParquetError::External(inner) => match inner.downcast_ref::<io::Error>() {
                Some(cause) if cause.kind() != io::ErrorKind::UnexpectedEof => {
                    let copy = cause.raw_os_error().map_or_else(|| io::Error::from(cause.kind()), io::Error::from_raw_os_error);
                    Error::io(PathBuf::from(&*self.name), copy)
                }
                _ => self.damaged(group),
            },
            ParquetError::NYI(_) => Error::data(
                &*self.name,
                None,
                "the Parquet file uses a feature that this version cannot read",
                "have it written with plain or dictionary encoding and zstd, snappy, gzip, lz4 or no compression",
            ),
            _ => self.damaged(group),
        }
    }

    fn arrow_error(&self, error: &arrow::error::ArrowError, group: usize) -> Error {
        use arrow::error::ArrowError as A;
        match error {
            A::DictionaryKeyOverflowError | A::OffsetOverflowError(_) => {
                Error::data(&*self.name, None, "a column holds too much text for one batch", "read fewer rows in a batch")
            }
            _ => self.damaged(Some(group)),
        }
    }
}

impl Length for NamedFile {
    fn len(&self) -> u64 {
        self.file.length()
    }
}

impl ChunkReader for NamedFile {
    type T = BufReader<PositionedRead>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BufReader::with_capacity(HEADER_READ, self.file.at(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        // A damaged footer may claim any length; nothing is allocated for bytes that are not there.
        let end = u64::try_from(length).ok().and_then(|length| start.checked_add(length));
        if end.is_none_or(|end| end > self.file.length()) {
            return Err(ParquetError::EOF("a page lies outside the file".to_owned()));
        }
        let mut buffer = vec![0; length];
        self.file.at(start).read_exact(&mut buffer)?;
        Ok(buffer.into())
    }
}
