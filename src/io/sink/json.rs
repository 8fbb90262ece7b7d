//! JSON as a sink.

use super::output::Output;
use super::parquet::failed_before;
use super::plain::Plain;
use super::text::Texts;
use super::{Sink, SinkFormat, Written};
use crate::error::{Error, Result};
use arrow::array::RecordBatch;

/// A JSON file in the making.
#[derive(Debug)]
pub(super) struct JsonSink {
    output: Output,
    plan: Plain,
    array: bool,
    line: Vec<u8>,
    rows: u64,
    failed: bool,
}

impl JsonSink {
    pub(super) fn new(mut output: Output, plan: Plain, format: SinkFormat) -> Result<Self> {
        let array = format == SinkFormat::JsonArray;
        if array {
            output.put(b"[")?;
        }
        Ok(Self { output, plan, array, line: Vec::new(), rows: 0, failed: false })
    }

    fn write_checked(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = self.plan.apply(batch)?;
        let columns = Texts::of(&batch)?;
        let names: Vec<Vec<u8>> = columns.iter().map(|column| quoted(column.name())).collect::<Result<_>>()?;
        let mut buffer = String::new();
        for row in 0..batch.num_rows() {
            self.line.clear();
            if self.array {
                self.line.extend_from_slice(if self.rows == 0 { b"\n" } else { b",\n" });
            }
            self.line.push(b'{');
            for (index, (column, name)) in columns.iter().zip(&names).enumerate() {
                if index > 0 {
                    self.line.push(b',');
                }
                self.line.extend_from_slice(name);
                self.line.push(b':');
                match column.get(row, &mut buffer)? {
                    None => self.line.extend_from_slice(b"null"),
                    // JSON has no infinity and no NaN; both are spelled with letters first.
                    Some(text) if column.is_float() && text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_alphabetic()) => {
                        self.line.extend_from_slice(b"null");
                    }
                    Some(text) if column.is_bare() => self.line.extend_from_slice(text.as_bytes()),
                    Some(text) => quote(&mut self.line, text)?,
                }
            }
            self.line.push(b'}');
            if !self.array {
                self.line.push(b'\n');
            }
            self.output.put(&self.line)?;
            self.rows += 1;
        }
        Ok(())
    }
}

fn quote(line: &mut Vec<u8>, text: &str) -> Result<()> {
    serde_json::to_writer(line, text).map_err(|_| Error::Arrow { context: "writing JSON".to_owned(), kind: "out of memory".to_owned() })
}

fn quoted(text: &str) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    quote(&mut line, text)?;
    Ok(line)
}

impl Sink for JsonSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.failed {
            return Err(failed_before(self.output.path()));
        }
        let result = self.write_checked(batch);
        self.failed = result.is_err();
        result
    }

    fn finish(mut self: Box<Self>) -> Result<Written> {
        if self.failed {
            return Err(failed_before(self.output.path()));
        }
        if self.array {
            self.output.put(if self.rows == 0 { b"]\n" } else { b"\n]\n" })?;
        }
        self.output.finish(self.rows)
    }
}
