//! Tests of `io` from outside the crate.

mod bytes;
mod damage;
mod hidden;
mod publishing;
mod reading;
mod round_trip;

use arrow::array::{
    ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, FixedSizeBinaryArray,
    Float32Array, Float64Array, Int8Array, Int64Array, LargeBinaryArray, LargeStringArray, RecordBatch, StringArray, StringViewArray,
    TimestampMillisecondArray, TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{Int8Type, Int32Type};
use backmask::io::{Compression, PlainFile, ReadOptions, SinkFormat, SinkOptions, Source, Written, create_sink, open_table, read};
use std::path::Path;
use std::sync::Arc;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const FORMATS: [(SinkFormat, &str); 6] = [
    (SinkFormat::Parquet, "parquet"),
    (SinkFormat::IpcFile, "arrow"),
    (SinkFormat::IpcStream, "ipc"),
    (SinkFormat::Csv, "csv"),
    (SinkFormat::JsonLines, "jsonl"),
    (SinkFormat::JsonArray, "json"),
];

/// A table of `rows` rows with a column of nearly every type, nulls in most of them.
fn table(rows: usize) -> Outcome<RecordBatch> {
    let number = |row: usize| i64::try_from(row).unwrap_or_default();
    let some = |row: usize, step: usize| row % step != 1;
    let text = |row: usize| {
        some(row, 5)
            .then(|| ["", "a", "Sigur Rós", "quote \" and, comma", "line\nend\r\n"].get(row % 5).map(|t| format!("{t}{}", row / 50)))
            .flatten()
    };
    let all = || 0..rows;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("int64", Arc::new(all().map(|row| some(row, 3).then(|| number(row) * 1_000_003 - 7)).collect::<Int64Array>())),
        ("extreme", Arc::new(all().map(|row| if row % 2 == 0 { Some(i64::MIN) } else { Some(i64::MAX) }).collect::<Int64Array>())),
        (
            "int8",
            Arc::new(all().map(|row| some(row, 4).then_some(i8::try_from(row % 100).unwrap_or_default() - 50)).collect::<Int8Array>()),
        ),
        (
            "uint32",
            Arc::new(all().map(|row| some(row, 4).then_some(u32::MAX - u32::try_from(row).unwrap_or_default())).collect::<UInt32Array>()),
        ),
        ("uint64", Arc::new(all().map(|row| some(row, 7).then_some(u64::MAX - row as u64)).collect::<UInt64Array>())),
        (
            "float32",
            Arc::new(
                all()
                    .map(|row| some(row, 3).then_some(f32::from(u16::try_from(row % 1000).unwrap_or_default()) / 7.0))
                    .collect::<Float32Array>(),
            ),
        ),
        (
            "float64",
            Arc::new(
                all()
                    .map(|row| some(row, 6).then_some(1.0 / (f64::from(u32::try_from(row).unwrap_or_default()) + 0.5)))
                    .collect::<Float64Array>(),
            ),
        ),
        ("boolean", Arc::new(all().map(|row| some(row, 4).then_some(row % 3 == 0)).collect::<BooleanArray>())),
        ("date", Arc::new(all().map(|row| some(row, 5).then_some(i32::try_from(row).unwrap_or_default() - 30)).collect::<Date32Array>())),
        (
            "utc",
            Arc::new(
                all()
                    .map(|row| some(row, 5).then_some(number(row) * 86_399_977 - 1_000_000))
                    .collect::<TimestampMillisecondArray>()
                    .with_timezone("UTC"),
            ),
        ),
        ("local", Arc::new(all().map(|row| some(row, 5).then_some(number(row) * 1_000_000_007)).collect::<TimestampNanosecondArray>())),
        (
            "decimal",
            Arc::new(
                all()
                    .map(|row| some(row, 3).then_some(i128::from(number(row)) - 5))
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(20, 2)?,
            ),
        ),
        ("text", Arc::new(all().map(text).collect::<StringArray>())),
        ("large_text", Arc::new(all().map(text).collect::<LargeStringArray>())),
        ("view_text", Arc::new(all().map(|row| text(row).map(|t| t.repeat(row % 4))).collect::<StringViewArray>())),
        (
            "coded_text",
            Arc::new(
                all()
                    .map(|row| text(row).filter(|_| row % 50 < 5))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(Option::as_deref)
                    .collect::<DictionaryArray<Int32Type>>(),
            ),
        ),
        (
            "few",
            Arc::new(
                all()
                    .map(|row| some(row, 3).then_some(["de", "fr", "pt"].get(row % 3).copied()).flatten())
                    .collect::<DictionaryArray<Int8Type>>(),
            ),
        ),
        ("binary", Arc::new(all().map(|row| some(row, 3).then(|| row.to_le_bytes().to_vec())).collect::<BinaryArray>())),
        ("large_binary", Arc::new(all().map(|row| some(row, 3).then(|| row.to_le_bytes().to_vec())).collect::<LargeBinaryArray>())),
        (
            "view_binary",
            Arc::new(all().map(|row| some(row, 3).then(|| [row.to_le_bytes(), row.to_be_bytes()].concat())).collect::<BinaryViewArray>()),
        ),
        (
            "fixed",
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                all().map(|row| some(row, 3).then(|| row.to_le_bytes())),
                i32::try_from(size_of::<usize>())?,
            )?),
        ),
        ("nothing", Arc::new(all().map(|_| None::<&str>).collect::<StringArray>())),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))?)
}

fn options(compression: Compression, threads: usize) -> SinkOptions {
    SinkOptions { compression, threads, ..SinkOptions::default() }
}

/// Writes batches to a file.
fn write(path: &Path, format: SinkFormat, batches: &[RecordBatch], options: &SinkOptions) -> Outcome<Written> {
    let first = batches.first().ok_or("no batch")?;
    let mut sink = create_sink(path, format, first.schema(), options)?;
    for batch in batches {
        sink.write(batch)?;
    }
    Ok(sink.finish()?)
}

fn open(path: &Path) -> backmask::Result<Arc<dyn Source>> {
    open_table(Arc::new(PlainFile::new(path)), None, None, None)
}

/// Reads a whole file as one batch.
fn load(path: &Path, options: &ReadOptions) -> Outcome<RecordBatch> {
    let stream = read(&[open(path)?], options)?;
    let schema = stream.schema();
    let batches: Vec<RecordBatch> = stream.collect::<backmask::Result<_>>()?;
    Ok(arrow::compute::concat_batches(&schema, &batches)?)
}

/// Names in a folder, hidden ones too.
fn entries(folder: &Path) -> Outcome<Vec<String>> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<std::io::Result<_>>()?;
    names.sort();
    Ok(names)
}
