//! Arrow IPC as a sink.

use super::output::{Failure, Output};
use super::parquet::failed_before;
use super::pieces::Pieces;
use super::plain::Plain;
use super::{Compression, Sink, SinkFormat, SinkOptions, Written};
use crate::error::{Error, Result};
use crate::io::rebuild::rebuild;
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use std::path::PathBuf;

/// The writer's settings for these options.
pub(super) fn settings(options: &SinkOptions) -> Result<IpcWriteOptions> {
    let compression = match options.compression {
        Compression::None => None,
        Compression::Zstd(_) => Some(CompressionType::ZSTD),
        Compression::Lz4 => Some(CompressionType::LZ4_FRAME),
        Compression::Snappy => {
            return Err(Error::Parameter { name: "compression", problem: "Arrow IPC has zstd, lz4 or none".to_owned() });
        }
    };
    let settings = IpcWriteOptions::default().try_with_compression(compression).map_err(|e| Error::arrow("preparing Arrow IPC", &e))?;
    match options.compression {
        Compression::Zstd(level) => settings
            .try_with_compression_level(Some(level))
            .map_err(|_| Error::Parameter { name: "compression", problem: "zstd has the levels 1 to 22".to_owned() }),
        _ => Ok(settings),
    }
}

enum Writer {
    File(FileWriter<Output>),
    Stream(StreamWriter<Output>),
}

/// An Arrow IPC file or stream in the making.
pub(super) struct IpcSink {
    writer: Writer,
    plan: Plain,
    pieces: Pieces,
    rows: u64,
    path: PathBuf,
    failure: Failure,
    failed: bool,
}

impl std::fmt::Debug for IpcSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpcSink").field("path", &self.path).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl IpcSink {
    pub(super) fn new(output: Output, plan: Plain, settings: IpcWriteOptions, format: SinkFormat) -> Result<Self> {
        let (path, failure) = (output.path().to_owned(), output.failure());
        let schema = plan.schema();
        let writer = if format == SinkFormat::IpcFile {
            FileWriter::try_new_with_options(output, &schema, settings).map(Writer::File)
        } else {
            StreamWriter::try_new_with_options(output, &schema, settings).map(Writer::Stream)
        };
        let writer = writer.map_err(|e| failure.or(&path, Error::arrow("writing Arrow IPC", &e)))?;
        Ok(Self { writer, plan, pieces: Pieces::default(), rows: 0, path, failure, failed: false })
    }

    fn error(&self, error: &ArrowError) -> Error {
        self.failure.or(&self.path, Error::arrow("writing Arrow IPC", error))
    }

    fn encode(&mut self, piece: &RecordBatch) -> Result<()> {
        // The piece may be a slice of a batch that was longer: its bit buffers and views would bring the neighbours along.
        let piece = rebuild(piece)?;
        let written = match &mut self.writer {
            Writer::File(writer) => writer.write(&piece),
            Writer::Stream(writer) => writer.write(&piece),
        };
        written.map_err(|e| self.error(&e))
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

impl Sink for IpcSink {
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
        let Self { writer, path, failure, rows, .. } = *self;
        let output = match writer {
            Writer::File(writer) => writer.into_inner(),
            Writer::Stream(writer) => writer.into_inner(),
        };
        output.map_err(|e| failure.or(&path, Error::arrow("writing Arrow IPC", &e)))?.finish(rows)
    }
}
