//! What was written comes back.

use super::{FORMATS, Outcome, load, open, options, table, write};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use backmask::io::{Compression, ReadOptions, SinkFormat, SinkOptions, create_sink, rebuild};
use std::sync::Arc;

/// The column as the format is documented to give it back.
fn expected(column: &ArrayRef, format: SinkFormat) -> Outcome<ArrayRef> {
    let plain = match column.data_type() {
        DataType::Dictionary(_, values) => cast(column, values)?,
        _ => Arc::clone(column),
    };
    Ok(match (format, plain.data_type()) {
        (SinkFormat::Parquet, DataType::LargeUtf8 | DataType::Utf8View) => cast(&plain, &DataType::Utf8)?,
        (SinkFormat::Parquet, DataType::LargeBinary | DataType::BinaryView) => cast(&plain, &DataType::Binary)?,
        _ => plain,
    })
}

#[test]
fn binary_formats_give_back_every_type() -> Outcome {
    let folder = tempfile::tempdir()?;
    for rows in [0, 1, 2, 1000] {
        let batch = table(rows)?;
        for (format, extension) in FORMATS.into_iter().take(3) {
            for compression in [Compression::None, Compression::Zstd(1), Compression::Lz4] {
                let path = folder.path().join(format!("t.{extension}"));
                let written = write(&path, format, std::slice::from_ref(&batch), &options(compression, 2))?;
                assert_eq!(written.rows, rows as u64);
                assert_eq!(written.bytes, std::fs::metadata(&path)?.len());
                let back = load(&path, &ReadOptions::default())?;
                assert_eq!(back.num_rows(), rows);
                for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                    let found = back.column_by_name(field.name()).ok_or("missing")?;
                    assert_eq!(found, &expected(column, format)?, "{} {format:?} {rows}", field.name());
                }
            }
        }
    }
    Ok(())
}

#[test]
fn snappy_is_for_parquet_only() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(100)?;
    write(&folder.path().join("t.parquet"), SinkFormat::Parquet, std::slice::from_ref(&batch), &options(Compression::Snappy, 1))?;
    assert_eq!(load(&folder.path().join("t.parquet"), &ReadOptions::default())?.num_rows(), 100);
    assert!(create_sink(folder.path().join("t.arrow"), SinkFormat::IpcFile, batch.schema(), &options(Compression::Snappy, 1)).is_err());
    assert_eq!(super::entries(folder.path())?, ["t.parquet"], "a refused sink leaves nothing");
    Ok(())
}

/// What a text format can carry: its types are found again from the texts.
fn text_columns(batch: &RecordBatch, csv: bool) -> Outcome<RecordBatch> {
    let columns: Vec<(&str, ArrayRef, bool)> =
        ["int64", "extreme", "uint32", "float64", "boolean", "date", "utc", "text", "view_text", "coded_text", "few"]
            .into_iter()
            .map(|name| {
                let column = batch.column_by_name(name).ok_or("missing")?;
                let to = match (name, csv) {
                    ("uint32", _) => DataType::Int64,
                    ("date" | "utc", false) | ("text" | "view_text" | "coded_text" | "few", _) => DataType::Utf8,
                    ("utc", true) => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
                    _ => column.data_type().clone(),
                };
                Ok((name, cast(column, &to)?, true))
            })
            .collect::<Outcome<_>>()?;
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

/// In CSV an empty text and a null are the same.
fn without_empty(column: &ArrayRef) -> ArrayRef {
    match column.as_string_opt::<i32>() {
        Some(texts) => Arc::new(texts.iter().map(|text| text.filter(|text| !text.is_empty())).collect::<arrow::array::StringArray>()),
        None => Arc::clone(column),
    }
}

#[test]
fn text_formats_give_back_values_and_types() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(1000)?;
    for (format, extension) in FORMATS.into_iter().skip(3) {
        let csv = format == SinkFormat::Csv;
        let want = text_columns(&batch, csv)?;
        let names: Vec<usize> =
            want.schema().fields().iter().map(|field| batch.schema().index_of(field.name())).collect::<Result<_, _>>()?;
        let path = folder.path().join(format!("t.{extension}"));
        write(&path, format, &[batch.project(&names)?], &SinkOptions::default())?;
        let back = load(&path, &ReadOptions::default())?;
        for (field, column) in want.schema().fields().iter().zip(want.columns()) {
            let found = back.column_by_name(field.name()).ok_or("missing")?;
            if csv {
                assert_eq!(&without_empty(found), &without_empty(column), "{}", field.name());
            } else if field.name() == "utc" {
                let times = cast(found, &DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())))?;
                assert_eq!(&times, batch.column_by_name("utc").ok_or("missing")?);
            } else {
                assert_eq!(found, column, "{} {format:?}", field.name());
            }
        }
    }
    Ok(())
}

#[test]
fn every_type_can_be_written_as_text() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(50)?;
    for (format, extension) in FORMATS.into_iter().skip(3) {
        let path = folder.path().join(format!("t.{extension}"));
        write(&path, format, std::slice::from_ref(&batch), &SinkOptions { delimiter: '§', ..SinkOptions::default() })?;
    }
    let lines = std::fs::read_to_string(folder.path().join("t.jsonl"))?;
    for line in lines.lines() {
        let value: serde_json::Value = serde_json::from_str(line)?;
        assert_eq!(value.as_object().map(serde_json::Map::len), Some(batch.num_columns()));
    }
    let array: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(folder.path().join("t.json"))?)?;
    assert_eq!(array.as_array().map(Vec::len), Some(50));
    Ok(())
}

#[test]
fn text_of_floats_and_single_columns() -> Outcome {
    let folder = tempfile::tempdir()?;
    let floats = arrow::array::Float64Array::from(vec![Some(1.0), Some(f64::NAN), None, Some(f64::INFINITY), Some(-0.0), Some(5e-324)]);
    let batch = RecordBatch::try_from_iter([("x", Arc::new(floats) as ArrayRef)])?;
    let path = folder.path().join("f.jsonl");
    write(&path, SinkFormat::JsonLines, std::slice::from_ref(&batch), &SinkOptions::default())?;
    assert_eq!(std::fs::read_to_string(&path)?, "{\"x\":1.0}\n{\"x\":null}\n{\"x\":null}\n{\"x\":null}\n{\"x\":-0.0}\n{\"x\":5e-324}\n");
    // A null in the only column is a row all the same.
    let path = folder.path().join("f.csv");
    let nulls = arrow::array::Int64Array::from(vec![Some(1), None, Some(3)]);
    write(&path, SinkFormat::Csv, &[RecordBatch::try_from_iter([("x", Arc::new(nulls) as ArrayRef)])?], &SinkOptions::default())?;
    assert_eq!(std::fs::read_to_string(&path)?, "x\n1\n\"\"\n3\n");
    let back = load(&path, &ReadOptions::default())?;
    assert_eq!((back.num_rows(), back.column(0).null_count()), (3, 1));
    Ok(())
}

#[test]
fn zero_rows_keep_the_columns() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(0)?;
    for (format, extension) in FORMATS {
        let path = folder.path().join(format!("t.{extension}"));
        let written = create_sink(&path, format, batch.schema(), &SinkOptions::default())?.finish()?;
        assert_eq!(written.rows, 0);
        let back = load(&path, &ReadOptions::default())?;
        let columns = if matches!(format, SinkFormat::JsonLines | SinkFormat::JsonArray) { 0 } else { batch.num_columns() };
        assert_eq!((back.num_rows(), back.num_columns()), (0, columns), "{format:?}");
    }
    Ok(())
}

#[test]
fn seconds_and_long_dates_are_widened_for_parquet_and_refused_when_they_do_not_fit() -> Outcome {
    use arrow::array::{Date64Array, DurationSecondArray, Time32SecondArray, TimestampSecondArray};
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("t.parquet");
    let batch = RecordBatch::try_from_iter([
        ("zoned", Arc::new(TimestampSecondArray::from(vec![1, 2]).with_timezone("Europe/Berlin")) as ArrayRef),
        ("time", Arc::new(Time32SecondArray::from(vec![1, 2]))),
        ("date", Arc::new(Date64Array::from(vec![86_400_000, 0]))),
    ])?;
    write(&path, SinkFormat::Parquet, std::slice::from_ref(&batch), &SinkOptions::default())?;
    let back = load(&path, &ReadOptions::default())?;
    // The instant is kept, not the name of the zone.
    assert_eq!(back.column(0).data_type(), &DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())));
    assert_eq!(back.column(0).as_primitive::<arrow::datatypes::TimestampMillisecondType>().values(), &[1000, 2000]);
    assert_eq!(back.column(1).data_type(), &DataType::Time32(TimeUnit::Millisecond));
    assert_eq!(back.column(2).as_primitive::<arrow::datatypes::Date32Type>().values(), &[1, 0]);

    let far = RecordBatch::try_from_iter([("far", Arc::new(TimestampSecondArray::from(vec![i64::MAX])) as ArrayRef)])?;
    let error = write(&path, SinkFormat::Parquet, &[far], &SinkOptions::default()).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(error.contains("far") && !error.contains("922337"), "{error}");
    let duration = RecordBatch::try_from_iter([("d", Arc::new(DurationSecondArray::from(vec![1])) as ArrayRef)])?;
    assert!(create_sink(&path, SinkFormat::Parquet, duration.schema(), &SinkOptions::default()).is_err());
    Ok(())
}

#[test]
fn nested_columns_and_repeated_names_are_refused() -> Outcome {
    use arrow::array::{Int64Array, ListArray};
    use arrow::datatypes::{Field, Int64Type, Schema};
    let folder = tempfile::tempdir()?;
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)])]);
    let nested = RecordBatch::try_from_iter([("list", Arc::new(list) as ArrayRef)])?;
    let numbers = Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    let schema = Schema::new(vec![Field::new("x", DataType::Int64, true), Field::new("x", DataType::Int64, true)]);
    let twice = RecordBatch::try_new(Arc::new(schema), vec![Arc::clone(&numbers), numbers])?;
    assert!(rebuild(&nested).is_err());
    for (format, _) in FORMATS {
        for batch in [&nested, &twice] {
            assert!(create_sink(folder.path().join("t"), format, batch.schema(), &SinkOptions::default()).is_err());
        }
    }
    assert!(super::entries(folder.path())?.is_empty());
    Ok(())
}

#[test]
fn a_batch_of_another_schema_is_refused() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(10)?;
    for (format, extension) in FORMATS {
        let mut sink = create_sink(folder.path().join(format!("t.{extension}")), format, batch.schema(), &SinkOptions::default())?;
        let other = batch.project(&(0..batch.num_columns() - 1).collect::<Vec<_>>())?;
        assert!(sink.write(&other).is_err());
        assert!(sink.finish().is_err(), "a sink that failed does not finish");
    }
    assert!(super::entries(folder.path())?.is_empty());
    Ok(())
}

#[test]
fn rebuilding_keeps_values_and_types() -> Outcome {
    let batch = table(300)?;
    for (start, rows) in [(0, 300), (0, 0), (1, 298), (3, 1), (8, 64), (299, 1), (13, 100)] {
        let slice = batch.slice(start, rows);
        let rebuilt = rebuild(&slice)?;
        assert_eq!(rebuilt, slice);
        assert_eq!(rebuild(&rebuilt)?, slice);
    }
    // What is whole already is not copied.
    let numbers = RecordBatch::try_from_iter([("x", Arc::new(arrow::array::Int64Array::from_iter_values(0..1000)) as ArrayRef)])?;
    let pointer = |batch: &RecordBatch| batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().values().as_ptr();
    assert_eq!(pointer(&rebuild(&numbers)?), pointer(&numbers));
    assert_ne!(pointer(&rebuild(&numbers.slice(0, 500))?), pointer(&numbers));
    Ok(())
}

#[test]
fn sources_can_be_opened_again_and_again() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(200)?.project(&[0, 7, 12])?;
    for (format, extension) in FORMATS {
        let path = folder.path().join(format!("t.{extension}"));
        write(&path, format, std::slice::from_ref(&batch), &SinkOptions::default())?;
        let source = open(&path)?;
        let mut first = source.open_split(0, &ReadOptions { batch_rows: 7, ..ReadOptions::default() })?;
        let piece = first.next().ok_or("empty")??;
        assert_eq!(piece.num_rows(), 7);
        for _ in 0..2 {
            let rows: usize =
                source.open_split(0, &ReadOptions::default())?.map(|b| b.map(|b| b.num_rows())).sum::<backmask::Result<_>>()?;
            assert_eq!(rows, 200);
        }
        assert_eq!(first.map(|b| b.map(|b| b.num_rows())).sum::<backmask::Result<usize>>()?, 193);
        assert!(source.open_split(source.splits(), &ReadOptions::default()).is_err());
    }
    Ok(())
}
