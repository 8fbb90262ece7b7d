//! Tables in, tables out.

use crate::options::Options;
use crate::receipt::Receipt;
use backmask::arrow::datatypes::DataType;
use backmask::io::{CsvOptions, CsvSource, PlainFile, SinkFormat, Source, open_table, recognize};
use backmask::policy::Format;
use backmask::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows that are worked at a time: enough for ciphers that take many values together.
pub(crate) const BATCH_ROWS: usize = 65_536;

/// Opens the input, unless the output would take the place of it or of another file that the run needs: then a mistake could not be undone.
///
/// Of a CSV only the `typed` columns are numbers and times where they look like them; all others pass letter by letter. So do columns to be replaced whose numbers are
/// not whole or that hold times: they come back as they were written.
pub(crate) fn open(options: &Options, typed: Vec<String>) -> Result<Arc<dyn Source>> {
    let output = place(&options.output);
    let described = |table: &Path| place(&Receipt::path(table));
    let taken = [
        (Some(place(&options.input)), "the input itself"),
        (options.key_file.as_deref().map(place), "the key file"),
        (options.codebook.as_deref().map(place), "the codebook"),
        (options.audit_file().as_deref().map(place), "the audit file"),
        (Some(described(&options.input)), "the description beside the input"),
    ];
    if let Some((_, what)) = taken.iter().find(|(path, _)| path.as_ref() == Some(&output)) {
        return Err(Error::policy("--output", format!("is {what}"), "write to another file"));
    }
    if !options.reverse && options.codebook.as_deref().map(place) == Some(described(&options.output)) {
        return Err(Error::policy("--codebook", "has the name of the description beside the table", "choose another name"));
    }
    let content = Arc::new(PlainFile::new(&options.input));
    match recognize(content.as_ref())? {
        Format::Csv => {
            let open = |typed| CsvSource::open(Arc::clone(&content) as _, &CsvOptions { typed: Some(typed), ..CsvOptions::default() });
            let mut source = open(typed.clone())?;
            // Two writings of one number or time, or times that differ by less than a millisecond, would become one value.
            let loses = |name: &String| {
                let schema = source.schema();
                let field = schema.field_with_name(name);
                field.is_ok_and(|field| matches!(field.data_type(), DataType::Float64 | DataType::Timestamp(_, _)))
            };
            let (texts, exact): (Vec<String>, Vec<String>) =
                typed.into_iter().partition(|name| options.column.contains(name) && loses(name));
            if !texts.is_empty() {
                source = open(exact)?;
            }
            Ok(Arc::new(source))
        }
        format => open_table(content, Some(format), None, None),
    }
}

/// Where a file is or would be, behind all links.
fn place(path: &Path) -> PathBuf {
    let beside = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(folder.canonicalize().ok()?.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(beside).unwrap_or_else(|| path.to_owned())
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
