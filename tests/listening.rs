//! Tests of `listening` from outside the crate.

#![expect(clippy::unwrap_used, reason = "a failed step fails its test, in helpers too")]
#![expect(clippy::cast_precision_loss, reason = "the counts of tests are small")]

#[path = "listening/archives.rs"]
mod archives;
#[path = "listening/formats.rs"]
mod formats;
#[path = "listening/real.rs"]
mod real;
#[path = "listening/simulated.rs"]
mod simulated;
#[path = "listening/spotify.rs"]
mod spotify;

use backmask::arrow::array::{Array, RecordBatch};
use backmask::arrow::compute::concat_batches;
use backmask::arrow::datatypes::SchemaRef;
use backmask::arrow::util::display::{ArrayFormatter, FormatOptions};
use backmask::io::{ReadOptions, Source};
use backmask::listening::open;
use backmask::policy::{Input, Table};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A pool read to its end: one batch, and what was left out.
fn read(sources: &[Arc<dyn Source>], options: &ReadOptions) -> backmask::Result<(RecordBatch, BTreeMap<&'static str, u64>)> {
    let mut left_out = BTreeMap::new();
    let mut batches = Vec::new();
    let mut schema = None;
    for source in sources {
        assert_eq!(source.schema(), sources[0].schema(), "all sources of a pool have one schema");
        for split in 0..source.splits() {
            let mut stream = source.open_split(split, options)?;
            schema.get_or_insert(stream.schema());
            for batch in stream.by_ref() {
                let batch = batch?;
                assert!(batch.num_rows() > 0 && batch.num_rows() <= options.batch_rows);
                assert_eq!(batch.schema(), stream_schema(schema.as_ref()));
                batches.push(batch);
            }
            for (reason, rows) in stream.left_out().counts() {
                *left_out.entry(reason).or_default() += rows;
            }
        }
    }
    Ok((concat_batches(&stream_schema(schema.as_ref()), &batches).unwrap(), left_out))
}

fn stream_schema(schema: Option<&SchemaRef>) -> SchemaRef {
    Arc::clone(schema.unwrap())
}

fn pool(paths: &[&Path], input: &Input) -> backmask::Result<(RecordBatch, BTreeMap<&'static str, u64>)> {
    read(&open_all(paths, Table::Events, input)?, &ReadOptions::default())
}

fn open_all(paths: &[&Path], table: Table, input: &Input) -> backmask::Result<Vec<Arc<dyn Source>>> {
    open(&paths.iter().map(|path| path.to_path_buf()).collect::<Vec<_>>(), table, input)
}

/// A cell as text; `None` if it is null.
fn cell(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let array = batch.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
    if array.is_null(row) {
        return None;
    }
    Some(ArrayFormatter::try_new(array.as_ref(), &FormatOptions::default()).unwrap().value(row).to_string())
}

/// All rows as texts, with column names in the order of the alphabet, sorted.
fn rows(batch: &RecordBatch) -> Vec<String> {
    let mut names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    names.sort();
    let mut rows: Vec<String> = (0..batch.num_rows())
        .map(|row| names.iter().map(|name| format!("{name}={:?}", cell(batch, name, row))).collect::<Vec<_>>().join(" "))
        .collect();
    rows.sort();
    rows
}

fn distinct(batch: &RecordBatch, column: &str) -> usize {
    (0..batch.num_rows()).filter_map(|row| cell(batch, column, row)).collect::<std::collections::HashSet<_>>().len()
}

fn names(batch: &RecordBatch) -> Vec<String> {
    batch.schema().fields().iter().map(|field| field.name().clone()).collect()
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    path
}

/// A zip with these members.
fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
