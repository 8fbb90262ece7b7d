//! Separated text as a sink.

use super::output::Output;
use super::parquet::failed_before;
use super::plain::Plain;
use super::text::Texts;
use super::{Sink, Written};
use crate::error::{Error, Result};
use arrow::array::RecordBatch;

pub(super) fn check_delimiter(delimiter: char) -> Result<()> {
    if matches!(delimiter, '"' | '\n' | '\r' | '\0') {
        return Err(Error::Parameter { name: "delimiter", problem: "must not be a quote, a line end or a null".to_owned() });
    }
    Ok(())
}

/// A CSV file in the making.
#[derive(Debug)]
pub(super) struct CsvSink {
    output: Output,
    plan: Plain,
    delimiter: String,
    line: Vec<u8>,
    rows: u64,
    failed: bool,
}

impl CsvSink {
    pub(super) fn new(output: Output, plan: Plain, delimiter: char) -> Result<Self> {
        let mut sink = Self { output, plan, delimiter: delimiter.to_string(), line: Vec::new(), rows: 0, failed: false };
        let schema = sink.plan.schema();
        for (index, field) in schema.fields().iter().enumerate() {
            sink.separate(index);
            sink.push(field.name());
        }
        sink.end_line(schema.fields().len())?;
        Ok(sink)
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.line.extend_from_slice(self.delimiter.as_bytes());
        }
    }

    /// Appends a field, quoted where RFC 4180 asks for it.
    fn push(&mut self, text: &str) {
        if text.contains(['"', '\n', '\r']) || text.contains(&self.delimiter) {
            self.line.push(b'"');
            for byte in text.bytes() {
                if byte == b'"' {
                    self.line.push(b'"');
                }
                self.line.push(byte);
            }
            self.line.push(b'"');
        } else {
            self.line.extend_from_slice(text.as_bytes());
        }
    }

    fn end_line(&mut self, columns: usize) -> Result<()> {
        // An empty line would be no row at all.
        if columns == 1 && self.line.is_empty() {
            self.line.extend_from_slice(b"\"\"");
        }
        self.line.push(b'\n');
        let written = self.output.put(&self.line);
        self.line.clear();
        written
    }

    fn write_checked(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = self.plan.apply(batch)?;
        let columns = Texts::of(&batch)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            for (index, column) in columns.iter().enumerate() {
                self.separate(index);
                if let Some(text) = column.get(row, &mut text)? {
                    self.push(text);
                }
            }
            self.end_line(columns.len())?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}

impl Sink for CsvSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.failed {
            return Err(failed_before(self.output.path()));
        }
        let result = self.write_checked(batch);
        self.failed = result.is_err();
        result
    }

    fn finish(self: Box<Self>) -> Result<Written> {
        if self.failed {
            return Err(failed_before(self.output.path()));
        }
        self.output.finish(self.rows)
    }
}
