//! Tables in, tables out.

use backmask::io::{CsvOptions, CsvSource, PlainFile, SinkFormat, Source, open_table, recognize};
use backmask::policy::Format;
use backmask::{Error, Result};
use std::path::Path;
use std::sync::Arc;

/// Rows that are worked at a time: enough for ciphers that take many values together.
pub(crate) const BATCH_ROWS: usize = 65_536;

/// Opens the input, unless it is also the output: then a mistake could not be undone.
///
/// Of a CSV only the `typed` columns are numbers and times where they look like them; all others pass letter by letter.
pub(crate) fn open(input: &Path, output: &Path, typed: Vec<String>) -> Result<Arc<dyn Source>> {
    let same = || Some(input.canonicalize().ok()? == output.canonicalize().ok()?);
    if same() == Some(true) {
        return Err(Error::policy("--output", "is the input itself", "write to another file"));
    }
    let content = Arc::new(PlainFile::new(input));
    match recognize(content.as_ref())? {
        Format::Csv => Ok(Arc::new(CsvSource::open(content, &CsvOptions { typed: Some(typed), ..CsvOptions::default() })?)),
        format => open_table(content, Some(format), None, None),
    }
}

/// The format that the name of the output asks for.
pub(crate) fn format_of(output: &Path) -> Result<SinkFormat> {
    let extension = output.extension().and_then(|text| text.to_str()).unwrap_or_default().to_ascii_lowercase();
    Ok(match extension.as_str() {
        "parquet" => SinkFormat::Parquet,
        "arrow" | "ipc" | "feather" => SinkFormat::IpcFile,
        "csv" => SinkFormat::Csv,
        "json" => SinkFormat::JsonArray,
        "jsonl" | "ndjson" => SinkFormat::JsonLines,
        _ => {
            return Err(Error::policy(
                "--output",
                "its extension names no format",
                "end it in .parquet, .arrow, .ipc, .feather, .csv, .json, .jsonl or .ndjson",
            ));
        }
    })
}
