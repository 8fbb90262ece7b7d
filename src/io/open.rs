//! Which format a file has.

use super::content::{Content, first_bytes, random_access};
use super::formats::{CsvOptions, CsvSource, IpcSource, JsonSource, ParquetSource};
use super::source::Source;
use crate::error::{Error, Result};
use crate::policy::Format;
use std::path::Path;
use std::sync::Arc;

/// Opens a table whose columns are those of the file.
///
/// The format is told by the first bytes (Parquet, Arrow IPC file or stream, JSON), then by the extension (`.csv` `.tsv` `.txt` `.dat`, `.json`
/// `.jsonl` `.ndjson`, `.parquet`, `.arrow` `.ipc` `.feather`), unless `format` says it. `delimiter` and `header` are for separated text; see
/// [`CsvSource::open`] for how they are found out when absent. A table inside an archive that needs random access is first
/// copied to a temporary file that has no name and vanishes with the process.
///
/// # Errors
/// The format cannot be told, is not one of a plain table, or the content is damaged.
///
/// # Examples
/// ```
/// use backmask::io::{PlainFile, open_table};
/// use std::sync::Arc;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("people.csv");
/// std::fs::write(&path, "user;born\na;1984\nb;1990\n")?;
/// let table = open_table(Arc::new(PlainFile::new(path)), None, None, None)?;
/// assert_eq!(table.schema().field(1).name(), "born");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open_table(
    content: Arc<dyn Content>,
    format: Option<Format>,
    delimiter: Option<char>,
    header: Option<bool>,
) -> Result<Arc<dyn Source>> {
    let format = match format {
        Some(format) => format,
        None => recognize(content.as_ref())?,
    };
    Ok(match format {
        Format::Parquet => Arc::new(ParquetSource::from_file(content.name(), random_access(content.as_ref())?)?),
        Format::Ipc => Arc::new(IpcSource::open(content)?),
        Format::Csv => Arc::new(CsvSource::open(content, &CsvOptions { delimiter, header, ..CsvOptions::default() })?),
        Format::Json => Arc::new(JsonSource::open(content)?),
        _ => {
            return Err(Error::policy(
                "input.format",
                "is not the format of a plain table",
                "give parquet, ipc, csv or json, or leave it out",
            ));
        }
    })
}

/// The format of a plain table by content, then by name.
///
/// # Errors
/// The content cannot be read, or neither it nor the name tells the format.
pub fn recognize(content: &dyn Content) -> Result<Format> {
    let head = first_bytes(content, 4096)?;
    if head.starts_with(b"PAR1") {
        return Ok(Format::Parquet);
    }
    if head.starts_with(b"ARROW1") || head.starts_with(&[0xFF; 4]) {
        return Ok(Format::Ipc);
    }
    let extension = Path::new(content.name()).extension().and_then(|text| text.to_str()).unwrap_or_default().to_ascii_lowercase();
    let by_name = match extension.as_str() {
        "csv" | "tsv" | "txt" | "dat" => Some(Format::Csv),
        "json" | "jsonl" | "ndjson" => Some(Format::Json),
        "parquet" => Some(Format::Parquet),
        "arrow" | "ipc" | "feather" => Some(Format::Ipc),
        _ => None,
    };
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head);
    // A separated text may begin with a bracket too; there the name decides.
    let json = matches!(text.trim_ascii_start().first(), Some(b'[' | b'{'));
    match by_name {
        Some(Format::Csv) => Ok(Format::Csv),
        _ if json => Ok(Format::Json),
        Some(format) => Ok(format),
        None => Err(Error::data(
            content.name(),
            None,
            "its format cannot be told by content or extension",
            "say which it is with input.format, or give it an extension such as .csv, .json, .parquet or .arrow",
        )),
    }
}
