//! No removed value survives in a file: unique markers are hidden wherever Arrow can hide bytes, and every written file is scanned for them,
//! as it is and with all its pages and buffers decompressed.

use super::{FORMATS, Outcome, options, write};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    StringArray, StringViewArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{Field, Int32Type, Schema};
use backmask::io::{Compression, SinkFormat, SinkOptions, rebuild};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

/// What is visible in the rows that are written; the scan must find it, or it would prove nothing.
const VISIBLE: &str = "VISIBLE-VALUE-7c1d";
/// Eight bytes each, so that they fit into numbers too. Every marker says where it was hidden.
const MARKERS: [&str; 14] = [
    "dictMARK", "dicnMARK", "nullMARK", "cutfMARK", "cutbMARK", "viewMARK", "vwnuMARK", "int8MARK", "fltnMARK", "fixnMARK", "fmetMARK",
    "smetMARK", "colsMARK", "binnMARK",
];

fn number(marker: &str) -> i64 {
    i64::from_le_bytes(<[u8; 8]>::try_from(marker.as_bytes()).unwrap_or_default())
}

/// Three visible rows (the last one null) out of five, full of hidden markers.
fn booby_trapped() -> Outcome<RecordBatch> {
    let nulls = || Some(NullBuffer::from(vec![true, true, true, false, true]));
    // A dictionary with a value that no row uses, one that only a cut-off row uses, and a null row whose key still points at one.
    let values = StringArray::from(vec![VISIBLE, "dictMARK", "cutbMARK", "dicnMARK"]);
    let keys = arrow::array::PrimitiveArray::<Int32Type>::new(ScalarBuffer::from(vec![0, 0, 0, 3, 2]), nulls());
    let coded = DictionaryArray::try_new(keys, Arc::new(values))?;
    // Texts with bytes beneath a null and in rows that are cut off.
    let parts = ["cutfMARK", VISIBLE, "b", "nullMARK", "cutbMARK"];
    let offsets = OffsetBuffer::<i32>::from_lengths(parts.iter().map(|part| part.len()));
    let large = OffsetBuffer::<i64>::from_lengths(parts.iter().map(|part| part.len()));
    let bytes = || Buffer::from_vec(parts.concat().into_bytes());
    let text = StringArray::new(offsets.clone(), bytes(), nulls());
    let large_text = LargeStringArray::new(large, bytes(), nulls());
    let binary = BinaryArray::new(offsets, Buffer::from_vec(parts.concat().replace("nullMARK", "binnMARK").into_bytes()), nulls());
    // Views into a buffer that holds more than they show.
    let mut builder = arrow::array::builder::StringViewBuilder::new();
    let block = builder.append_block(Buffer::from_vec(format!("viewMARK-{VISIBLE}-viewMARK-vwnuMARK-vwnuMARK").into_bytes()));
    let length = u32::try_from(VISIBLE.len())?;
    for _ in 0..3 {
        builder.try_append_view(block, 9, length)?;
    }
    builder.try_append_view(block, 9 + length + 10, 17)?;
    builder.try_append_view(block, 0, 13)?;
    let whole = builder.finish();
    let view = StringViewArray::new(whole.views().clone(), whole.data_buffers().to_vec(), nulls());
    // Numbers beneath nulls.
    let integers = Int64Array::new(vec![number("cutfMARK"), 1, 2, number("int8MARK"), number("cutbMARK")].into(), nulls());
    let marked = f64::from_le_bytes(number("fltnMARK").to_le_bytes());
    let floats = Float64Array::new(vec![0.0, 1.0, 2.0, marked, 0.0].into(), nulls());
    let fixed = FixedSizeBinaryArray::try_new(8, Buffer::from_vec(b"cutfMARKaaaaaaaabbbbbbbbfixnMARKcutbMARK".to_vec()), nulls())?;
    let dropped = StringArray::from(vec!["colsMARK"; 5]);

    let columns: Vec<(&str, ArrayRef)> = vec![
        ("coded", Arc::new(coded)),
        ("text", Arc::new(text)),
        ("large_text", Arc::new(large_text)),
        ("binary", Arc::new(binary)),
        ("view", Arc::new(view)),
        ("integers", Arc::new(integers)),
        ("floats", Arc::new(floats)),
        ("fixed", Arc::new(fixed)),
        ("dropped", Arc::new(dropped)),
    ];
    let metadata = |marker: &str| HashMap::from([(format!("{marker}-key"), marker.to_owned())]);
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true).with_metadata(metadata("fmetMARK")))
        .collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata("smetMARK")));
    let batch = RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect())?;
    Ok(batch.slice(1, 3).project(&(0..8).collect::<Vec<_>>())?)
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    // CSV and JSON write binary in hexadecimal.
    let hex = needle.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let decimal = <[u8; 8]>::try_from(needle.as_bytes()).map(|bytes| i64::from_le_bytes(bytes).to_string()).unwrap_or(hex.clone());
    [needle, &hex, &decimal].iter().any(|form| haystack.windows(form.len()).any(|window| window == form.as_bytes()))
}

/// All bytes of a file: as they are, and what its pages and buffers hold decompressed.
fn all_bytes(path: &Path, format: SinkFormat) -> Outcome<Vec<u8>> {
    let mut bytes = std::fs::read(path)?;
    let file = std::fs::File::open(path)?;
    match format {
        SinkFormat::Parquet => {
            // The Arrow schema, which may be hidden in the footer in another encoding.
            let schema = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())?;
            bytes.extend_from_slice(format!("{:?}", schema.schema()).as_bytes());
            let reader = SerializedFileReader::new(file)?;
            for group in 0..reader.num_row_groups() {
                let group = reader.get_row_group(group)?;
                for column in 0..group.num_columns() {
                    let mut pages = group.get_column_page_reader(column)?;
                    while let Some(page) = pages.get_next_page()? {
                        bytes.extend_from_slice(page.buffer());
                    }
                }
            }
        }
        SinkFormat::IpcFile => {
            for batch in arrow::ipc::reader::FileReader::try_new(file, None)? {
                batch?.columns().iter().for_each(|column| append(&column.to_data(), &mut bytes));
            }
        }
        SinkFormat::IpcStream => {
            for batch in arrow::ipc::reader::StreamReader::try_new(file, None)? {
                batch?.columns().iter().for_each(|column| append(&column.to_data(), &mut bytes));
            }
        }
        _ => {}
    }
    Ok(bytes)
}

fn append(data: &arrow::array::ArrayData, bytes: &mut Vec<u8>) {
    data.buffers().iter().for_each(|buffer| bytes.extend_from_slice(buffer));
    data.child_data().iter().for_each(|child| append(child, bytes));
}

fn found(bytes: &[u8]) -> BTreeSet<&'static str> {
    MARKERS.into_iter().filter(|marker| contains(bytes, marker)).collect()
}

#[test]
fn no_marker_survives_in_any_format() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = booby_trapped()?;
    for (format, extension) in FORMATS {
        for compression in [Compression::None, Compression::Zstd(1)] {
            for statistics in [false, true] {
                let path = folder.path().join(format!("t.{extension}"));
                write(&path, format, std::slice::from_ref(&batch), &SinkOptions { statistics, ..options(compression, 2) })?;
                let bytes = all_bytes(&path, format)?;
                assert!(contains(&bytes, VISIBLE), "the scan of {format:?} sees nothing");
                assert_eq!(found(&bytes), BTreeSet::new(), "{format:?} {compression:?} {statistics}");
            }
        }
    }
    Ok(())
}

#[test]
fn no_marker_survives_in_a_rebuilt_batch() -> Outcome {
    let batch = booby_trapped()?;
    let mut before = Vec::new();
    batch.columns().iter().for_each(|column| append(&column.to_data(), &mut before));
    assert!(found(&before).len() >= 8, "the markers are there before");
    let rebuilt = rebuild(&batch)?;
    assert_eq!(rebuilt.columns(), batch.columns());
    let mut after = Vec::new();
    rebuilt.columns().iter().for_each(|column| append(&column.to_data(), &mut after));
    assert_eq!(found(&after), BTreeSet::new());
    assert!(rebuilt.schema().metadata().is_empty() && rebuilt.schema().fields().iter().all(|field| field.metadata().is_empty()));
    let values = rebuilt.column(0).as_dictionary::<Int32Type>().values();
    assert_eq!(values.as_string::<i32>().iter().collect::<Vec<_>>(), [Some(VISIBLE)]);
    Ok(())
}

/// What a writer without `rebuild` lets through: the scan catches each kind.
#[test]
fn the_scan_catches_writers_that_do_not_rebuild() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = booby_trapped()?;
    let path = folder.path().join("broken.arrow");
    let mut writer = arrow::ipc::writer::FileWriter::try_new(std::fs::File::create(&path)?, &batch.schema())?;
    writer.write(&batch)?;
    writer.finish()?;
    let through = found(&all_bytes(&path, SinkFormat::IpcFile)?);
    for marker in
        ["dictMARK", "dicnMARK", "nullMARK", "binnMARK", "viewMARK", "vwnuMARK", "int8MARK", "fltnMARK", "fixnMARK", "fmetMARK", "smetMARK"]
    {
        assert!(through.contains(marker), "{marker}");
    }
    let path = folder.path().join("broken.parquet");
    let mut writer = parquet::arrow::ArrowWriter::try_new(std::fs::File::create(&path)?, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    let through = found(&all_bytes(&path, SinkFormat::Parquet)?);
    assert!(through.contains("smetMARK") && through.contains("fmetMARK"));
    Ok(())
}

#[test]
fn bits_of_cut_off_rows_do_not_survive() -> Outcome {
    // Eight rows of which three are visible: the byte of bits must not say what the others were.
    let make = |others: bool| -> Outcome<RecordBatch> {
        let truth = |row: usize| if (2..5).contains(&row) { Some(row == 3) } else { others.then_some(true) };
        let array = (0..8).map(truth).collect::<arrow::array::BooleanArray>();
        let numbers = (0..8).map(|row| truth(row).map(i64::from)).collect::<Int64Array>();
        let columns: [(&str, ArrayRef, bool); 2] = [("b", Arc::new(array), true), ("n", Arc::new(numbers), true)];
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?.slice(2, 3))
    };
    let folder = tempfile::tempdir()?;
    for (format, extension) in FORMATS {
        let path = folder.path().join(format!("t.{extension}"));
        let mut files = Vec::new();
        for others in [false, true] {
            write(&path, format, &[make(others)?], &options(Compression::None, 1))?;
            files.push(std::fs::read(&path)?);
        }
        assert!(files.first() == files.last(), "{format:?}");
    }
    Ok(())
}

#[test]
fn parquet_files_say_who_wrote_them_and_no_more() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("t.parquet");
    write(&path, SinkFormat::Parquet, &[booby_trapped()?], &SinkOptions::default())?;
    let reader = SerializedFileReader::new(std::fs::File::open(&path)?)?;
    let metadata = reader.metadata();
    assert_eq!(metadata.file_metadata().created_by(), Some(concat!("backmask ", env!("CARGO_PKG_VERSION"))));
    assert!(metadata.file_metadata().key_value_metadata().is_none_or(Vec::is_empty));
    assert!(metadata.row_groups().iter().flat_map(RowGroupMetaData::columns).all(|chunk| chunk.statistics().is_none()));
    assert!(metadata.column_index().is_none());
    Ok(())
}
