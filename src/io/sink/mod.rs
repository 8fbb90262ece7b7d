//! Sinks: where record batches become files.

mod ahead;
mod csv;
mod ipc;
mod json;
mod output;
mod parquet;
mod pieces;
mod plain;
mod text;

pub use ahead::write_all;

use crate::error::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

/// A file in the making. Batches are written in order; nothing has the file's name until [`Sink::finish`]. A sink that is dropped
/// before that removes what it wrote.
///
/// # Guarantee
/// Every batch goes through [`rebuild`](super::rebuild) first, so no value that the batches do not show gets into the file. The bytes depend on
/// the rows, the schema and the options, not on how the rows were cut into batches nor on the number of threads.
pub trait Sink: Debug + Send {
    /// Writes a batch.
    ///
    /// # Errors
    /// The batch has another schema than the sink, or cannot be written.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Ends the file, brings it to disk and gives it its name, replacing a file that had it.
    ///
    /// # Errors
    /// The file cannot be written completely; then nothing is left of it.
    fn finish(self: Box<Self>) -> Result<Written>;
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// Rows in it.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Formats of output files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SinkFormat {
    /// Apache Parquet. Types that it lacks are widened: seconds to milliseconds, `Date64` to `Date32`.
    Parquet,
    /// Arrow IPC file (random access; also called Feather).
    IpcFile,
    /// Arrow IPC stream.
    IpcStream,
    /// Separated text by RFC 4180, with a header and `\n` line ends. A null is an empty field; binary is hexadecimal; times are RFC 3339.
    Csv,
    /// One JSON object a line. Nulls are written out; binary and times as in CSV; a float that is not finite is null.
    JsonLines,
    /// One JSON array of objects, written as for [`SinkFormat::JsonLines`].
    JsonArray,
}

/// How pages and buffers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// Zstandard at this level, 1 to 22.
    Zstd(i32),
    /// LZ4.
    Lz4,
    /// Snappy (Parquet only).
    Snappy,
}

/// How a file is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkOptions {
    /// Of Parquet pages and IPC buffers; texts are never compressed.
    pub compression: Compression,
    /// Smallest and largest value and number of nulls of each Parquet row group and page.
    pub statistics: bool,
    /// Rows in a Parquet row group. Rounded up to a multiple of 8,192.
    pub row_group_rows: usize,
    /// Threads that may encode at the same time, the calling one included.
    pub threads: usize,
    /// Separator of CSV.
    pub delimiter: char,
    /// Whether only the file's owner may read it (mode 0600 on Unix); else the system's rule for new files decides.
    pub private: bool,
}

impl Default for SinkOptions {
    fn default() -> Self {
        Self {
            compression: Compression::Zstd(1),
            statistics: false,
            row_group_rows: 1 << 20,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            delimiter: ',',
            private: false,
        }
    }
}

/// Begins a file at `path` for rows of `schema`. Dictionaries are written as the values they stand for.
///
/// While it is written the file is called `.name.partial-…` in the same folder.
///
/// # Errors
/// The folder cannot be written; the format cannot take a column's type or an option; two columns have the same name.
///
/// # Examples
/// ```
/// use backmask::io::{SinkFormat, SinkOptions, create_sink};
/// use arrow::array::{RecordBatch, StringArray};
/// use std::sync::Arc;
///
/// let batch = RecordBatch::try_from_iter([("artist", Arc::new(StringArray::from(vec!["Nina Simone"])) as _)])?;
/// let folder = tempfile::tempdir()?;
/// let mut sink = create_sink(&folder.path().join("artists.csv"), SinkFormat::Csv, batch.schema(), &SinkOptions::default())?;
/// sink.write(&batch)?;
/// assert_eq!(sink.finish()?.rows, 1);
/// assert_eq!(std::fs::read_to_string(folder.path().join("artists.csv"))?, "artist\nNina Simone\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[expect(clippy::needless_pass_by_value, reason = "a schema is a shared pointer and callers have one at hand")]
pub fn create_sink(path: impl AsRef<Path>, format: SinkFormat, schema: SchemaRef, options: &SinkOptions) -> Result<Box<dyn Sink>> {
    begin(|| output::Output::create(path.as_ref(), options.private), format, &schema, options)
}

/// Options are looked at before `output` is made.
fn begin(
    output: impl FnOnce() -> Result<output::Output>,
    format: SinkFormat,
    schema: &SchemaRef,
    options: &SinkOptions,
) -> Result<Box<dyn Sink>> {
    let plan = plain::Plain::new(schema, format)?;
    Ok(match format {
        SinkFormat::Parquet => {
            let properties = parquet::properties(options)?;
            Box::new(parquet::ParquetSink::new(output()?, plan, properties, options)?)
        }
        SinkFormat::IpcFile | SinkFormat::IpcStream => {
            let settings = ipc::settings(options)?;
            Box::new(ipc::IpcSink::new(output()?, plan, settings, format)?)
        }
        SinkFormat::Csv => {
            csv::check_delimiter(options.delimiter)?;
            Box::new(csv::CsvSink::new(output()?, plan, options.delimiter)?)
        }
        SinkFormat::JsonLines | SinkFormat::JsonArray => Box::new(json::JsonSink::new(output()?, plan, format)?),
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::error::Error;
    use arrow::array::{ArrayRef, StringArray};
    use std::io::ErrorKind;
    use std::sync::Arc;

    #[test]
    fn a_full_disk_is_an_error_of_the_system_while_writing_and_at_the_end() -> Result<()> {
        let formats = [
            SinkFormat::Parquet,
            SinkFormat::IpcFile,
            SinkFormat::IpcStream,
            SinkFormat::Csv,
            SinkFormat::JsonLines,
            SinkFormat::JsonArray,
        ];
        for format in formats {
            // A few rows fit into the buffer and fail when it is flushed at the end; many fail on the way.
            for rows in [1, 60_000] {
                let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("{row:050}"))));
                let batch = RecordBatch::try_from_iter([("text", texts)]).map_err(|e| Error::arrow("test", &e))?;
                let options = SinkOptions { compression: Compression::None, threads: 2, row_group_rows: 8192, ..SinkOptions::default() };
                let full = || output::Output::full().map_err(|e| Error::io("/dev/full", e));
                let mut sink = begin(full, format, &batch.schema(), &options)?;
                let written = sink.write(&batch);
                assert_eq!(written.is_ok(), rows == 1, "{format:?}");
                let error = match written {
                    Ok(()) => sink.finish().err(),
                    Err(error) => {
                        assert!(sink.write(&batch).is_err() && sink.finish().is_err(), "a failed sink stays failed");
                        Some(error)
                    }
                };
                assert!(
                    matches!(&error, Some(Error::Io { source, .. }) if source.kind() == ErrorKind::StorageFull),
                    "{format:?}: {error:?}"
                );
            }
        }
        Ok(())
    }
}
