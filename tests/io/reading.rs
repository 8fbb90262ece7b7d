//! Formats found out, types found out, columns chosen, order kept.

use super::{FORMATS, Outcome, load, open, options, table, write};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use backmask::io::{
    Compression, Content, CsvOptions, CsvSource, Encoding, PlainFile, ReadOptions, SinkFormat, SinkOptions, open_table, read, read_tagged,
};
use std::io::Read;
use std::sync::Arc;

/// Bytes without a path, like a member of an archive.
#[derive(Debug)]
struct Member(String, Vec<u8>);

impl Content for Member {
    fn name(&self) -> &str {
        &self.0
    }

    fn open(&self) -> backmask::Result<Box<dyn Read + Send>> {
        Ok(Box::new(std::io::Cursor::new(self.1.clone())))
    }
}

fn csv(text: &[u8], options: &CsvOptions) -> Outcome<RecordBatch> {
    let source = CsvSource::open(Arc::new(Member("a.zip!a.csv".to_owned(), text.to_vec())), options)?;
    let stream = read(&[Arc::new(source)], &ReadOptions::default())?;
    let schema = stream.schema();
    Ok(arrow::compute::concat_batches(&schema, &stream.collect::<backmask::Result<Vec<_>>>()?)?)
}

fn types(batch: &RecordBatch) -> Vec<(String, DataType)> {
    batch.schema().fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
}

#[test]
fn formats_are_told_by_content_whatever_the_name_and_without_a_path() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(300)?.project(&[0, 7, 12])?;
    for (format, extension) in FORMATS {
        let path = folder.path().join(format!("t.{extension}"));
        write(&path, format, std::slice::from_ref(&batch), &SinkOptions::default())?;
        let expected = load(&path, &ReadOptions::default())?;
        let name = if format == SinkFormat::Csv { "a.zip!T.TXT" } else { "a.zip!table" };
        let member = Arc::new(Member(name.to_owned(), std::fs::read(&path)?));
        let source = open_table(member, None, None, None)?;
        assert_eq!(source.name(), name);
        for _ in 0..2 {
            let batches: Vec<RecordBatch> = read(&[Arc::clone(&source)], &ReadOptions::default())?.collect::<backmask::Result<_>>()?;
            assert_eq!(arrow::compute::concat_batches(&source.schema(), &batches)?, expected, "{format:?}");
        }
    }
    Ok(())
}

#[test]
fn csv_types_are_those_of_the_whole_file() -> Outcome {
    let mut lines = vec!["int,late_float,late_text,zip,date,time,flag,empty,mixed".to_owned()];
    for row in 0..3000 {
        let (float, word) = if row == 2999 { ("0.5", "x") } else { ("7", "7") };
        let mixed = if row % 2 == 0 { "1" } else { "true" };
        lines.push(format!("{row},{float},{word},0{row:04},2020-01-01,2020-01-01T00:00:00Z,true,,{mixed}"));
    }
    let text = lines.join("\n");
    let batch = csv(text.as_bytes(), &CsvOptions::default())?;
    let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let expected = [
        ("int", DataType::Int64),
        ("late_float", DataType::Float64),
        ("late_text", DataType::Utf8),
        ("zip", DataType::Utf8),
        ("date", DataType::Date32),
        ("time", utc),
        ("flag", DataType::Boolean),
        ("empty", DataType::Utf8),
        ("mixed", DataType::Utf8),
    ];
    assert_eq!(types(&batch), expected.map(|(name, data_type)| (name.to_owned(), data_type)));
    assert_eq!(batch.column(7).null_count(), 3000);
    Ok(())
}

#[test]
fn research_files_are_read_as_they_are() -> Outcome {
    // Tab-separated without header, quotes as characters, Windows line ends and a byte order mark.
    let text = "\u{feff}user_1\t2009-05-04T23:08:57Z\t\"Weird Al\" Yankovic\t\r\nuser_2\t2009-05-04T23:08:58Z\t12\" Mix\t3\r\n";
    let batch = csv(text.as_bytes(), &CsvOptions::default())?;
    assert_eq!(types(&batch).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["column_1", "column_2", "column_3", "column_4"]);
    assert_eq!(batch.column(0).as_string::<i32>().value(0), "user_1");
    assert_eq!(batch.column(2).as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["\"Weird Al\" Yankovic", "12\" Mix"]);
    assert_eq!(batch.column(3).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [None, Some(3)]);
    // With quoting asked for, the same text is an error.
    assert!(csv(text.as_bytes(), &CsvOptions { delimiter: Some('\t'), quoting: Some(true), ..CsvOptions::default() }).is_err());
    // Latin-1.
    let latin = csv(b"name;plays\nSigur R\xF3s;3\n", &CsvOptions { encoding: Encoding::Latin1, ..CsvOptions::default() })?;
    assert_eq!(latin.column(0).as_string::<i32>().value(0), "Sigur Rós");
    Ok(())
}

#[test]
fn delimiter_and_header_can_be_said() -> Outcome {
    let said = |text: &str, delimiter, header| csv(text.as_bytes(), &CsvOptions { delimiter, header, ..CsvOptions::default() });
    let batch = said("a§b\n1§2\n", Some('§'), None)?;
    assert_eq!(types(&batch), [("a".to_owned(), DataType::Int64), ("b".to_owned(), DataType::Int64)]);
    let batch = said("1,2\n3,4\n", None, Some(true))?;
    assert_eq!((batch.num_rows(), batch.schema().field(0).name().as_str()), (1, "1"));
    let batch = said("user,plays\na,1\n", None, Some(false))?;
    assert_eq!((batch.num_rows(), batch.schema().field(0).name().as_str()), (2, "column_1"));
    let batch = said("user,plays\na,1\n", Some(';'), None)?;
    assert_eq!((batch.num_rows(), batch.num_columns()), (1, 1), "the separator that was said counts");
    let batch = said(",user\n0,a\n1,b\n", None, None)?;
    assert_eq!(batch.schema().field(0).name(), "column_1", "row numbers without a name");
    Ok(())
}

#[test]
fn json_columns_come_in_order_of_appearance_with_nulls_for_what_is_missing() -> Outcome {
    let text = r#"[{"b": 1, "a": null}, {"c": "x", "b": 2.5}, {"a": true}, {}, {"big": 18446744073709551615, "n": null}]"#;
    let source = open_table(Arc::new(Member("x".to_owned(), text.as_bytes().to_vec())), None, None, None)?;
    let batches: Vec<RecordBatch> =
        read(&[Arc::clone(&source)], &ReadOptions { batch_rows: 2, ..ReadOptions::default() })?.collect::<backmask::Result<_>>()?;
    assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [2, 2, 1]);
    let batch = arrow::compute::concat_batches(&source.schema(), &batches)?;
    let expected =
        [("b", DataType::Float64), ("a", DataType::Boolean), ("c", DataType::Utf8), ("big", DataType::UInt64), ("n", DataType::Utf8)];
    assert_eq!(types(&batch), expected.map(|(name, data_type)| (name.to_owned(), data_type)));
    assert_eq!(batch.columns().iter().map(Array::null_count).collect::<Vec<_>>(), [3, 4, 4, 4, 5]);
    Ok(())
}

#[test]
fn columns_are_chosen_in_the_order_of_the_file() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(100)?.project(&[0, 7, 12])?;
    let choose =
        |names: &[&str]| ReadOptions { columns: Some(names.iter().map(|name| (*name).to_owned()).collect()), ..ReadOptions::default() };
    for (format, extension) in FORMATS {
        let path = folder.path().join(format!("t.{extension}"));
        write(&path, format, std::slice::from_ref(&batch), &SinkOptions::default())?;
        let all = load(&path, &ReadOptions::default())?;
        let chosen = load(&path, &choose(&["text", "int64", "text"]))?;
        assert_eq!(chosen, all.project(&[0, 2])?, "{format:?}");
        let none = read(&[open(&path)?], &choose(&[]))?.map(|b| b.map(|b| b.num_rows())).sum::<backmask::Result<usize>>()?;
        assert_eq!(none, 100, "rows are counted without columns");
        let error = load(&path, &choose(&["absent"])).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("absent"), "{error}");
    }
    Ok(())
}

/// A file whose only column counts from `first`, cut into many small splits.
fn counting(path: &std::path::Path, format: SinkFormat, first: i64, rows: i64) -> Outcome {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + rows));
    let batch = RecordBatch::try_from_iter([("n", numbers)])?;
    // The smallest row group, and pieces of 8,192 rows in Arrow files of which 16 make a split.
    write(path, format, &[batch], &SinkOptions { row_group_rows: 1, ..options(Compression::None, 1) })?;
    Ok(())
}

#[test]
fn rows_come_in_order_whatever_the_threads() -> Outcome {
    let folder = tempfile::tempdir()?;
    for (format, extension) in FORMATS {
        let rows = if format == SinkFormat::IpcFile { 140_000 } else { 66_000 };
        let mut sources = Vec::new();
        for file in 0..3 {
            let path = folder.path().join(format!("{file}.{extension}"));
            counting(&path, format, file * rows, rows)?;
            sources.push(open(&path)?);
        }
        let splits = sources.first().map_or(0, |source| source.splits());
        assert_eq!(
            splits,
            if format == SinkFormat::IpcStream {
                1
            } else if format == SinkFormat::Parquet {
                9
            } else if rows == 300_000 {
                3
            } else {
                2
            }
        );
        for threads in [1, 2, 4] {
            let (mut next, mut per_source) = (0, [0; 3]);
            for tagged in read_tagged(&sources, &ReadOptions { threads, batch_rows: 5000, ..ReadOptions::default() })? {
                let tagged = tagged?;
                assert!(tagged.batch.num_rows() <= 5000);
                for &value in tagged.batch.column(0).as_primitive::<Int64Type>().values() {
                    assert_eq!(value, next);
                    next += 1;
                }
                if let Some(count) = per_source.get_mut(tagged.source) {
                    *count += tagged.batch.num_rows();
                }
            }
            assert_eq!(per_source, [usize::try_from(rows)?; 3], "{format:?}");
        }
    }
    Ok(())
}

#[test]
fn dictionaries_are_given_where_the_whole_file_stores_them() -> Outcome {
    let folder = tempfile::tempdir()?;
    let few = |rows: usize| -> ArrayRef { Arc::new((0..rows).map(|row| ["de", "fr"].get(row % 3).copied()).collect::<StringArray>()) };
    // So many long texts that the dictionary does not fit its page and the writer falls back to plain pages.
    let many = |rows: usize| -> ArrayRef { Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("{row:0200}")))) };
    let path = |name: &str| folder.path().join(name);
    let rows = 20_000;
    let first = RecordBatch::try_from_iter([("few", few(rows)), ("many", many(rows))])?;
    write(
        &path("a.parquet"),
        SinkFormat::Parquet,
        std::slice::from_ref(&first),
        &SinkOptions { row_group_rows: 8192, ..SinkOptions::default() },
    )?;
    write(
        &path("b.parquet"),
        SinkFormat::Parquet,
        &[RecordBatch::try_from_iter([("few", many(rows)), ("many", few(rows))])?],
        &SinkOptions::default(),
    )?;
    let coded = ReadOptions { dictionaries: true, batch_rows: 1000, ..ReadOptions::default() };
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));

    let source = open(&path("a.parquet"))?;
    assert_eq!(source.schema().field(0).data_type(), &DataType::Utf8, "only when asked for");
    let stream = read(&[Arc::clone(&source)], &coded)?;
    assert_eq!(stream.schema().field(0).data_type(), &dictionary);
    // The last row group has few enough texts, the others do not: one schema for all.
    assert_eq!(stream.schema().field(1).data_type(), &DataType::Utf8);
    let back = load(&path("a.parquet"), &coded)?;
    assert_eq!(&arrow::compute::cast(back.column(0), &DataType::Utf8)?, first.column(0));
    assert_eq!(back.column(1), first.column(1));

    // Where the files differ, plain text.
    let both = read(&[source, open(&path("b.parquet"))?], &coded)?;
    assert_eq!(both.schema().field(0).data_type(), &DataType::Utf8);
    assert_eq!(both.map(|b| b.map(|b| b.num_rows())).sum::<backmask::Result<usize>>()?, 2 * rows);
    Ok(())
}

#[test]
fn delta_dictionaries_of_arrow_files_are_read() -> Outcome {
    use arrow::array::DictionaryArray;
    use arrow::datatypes::Int32Type;
    use arrow::ipc::writer::{DictionaryHandling, IpcWriteOptions, StreamWriter};
    let batch = |values: Vec<&str>, keys: Vec<i32>| -> Outcome<RecordBatch> {
        let array = DictionaryArray::<Int32Type>::try_new(keys.into(), Arc::new(StringArray::from(values)))?;
        Ok(RecordBatch::try_from_iter([("x", Arc::new(array) as ArrayRef)])?)
    };
    let batches = [batch(vec!["a", "b"], vec![1, 0])?, batch(vec!["a", "b", "c"], vec![2, 0])?];
    let schema = batches.first().ok_or("none")?.schema();
    let settings = IpcWriteOptions::default().with_dictionary_handling(DictionaryHandling::Delta);
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, settings)?;
    for batch in &batches {
        writer.write(batch)?;
    }
    let bytes = writer.into_inner()?;
    let source = open_table(Arc::new(Member("x".to_owned(), bytes)), None, None, None)?;
    let found: Vec<String> = read(&[source], &ReadOptions::default())?
        .map(|batch| {
            let plain = arrow::compute::cast(batch?.column(0), &DataType::Utf8).map_err(|e| backmask::Error::arrow("test", &e))?;
            Ok(plain.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>())
        })
        .collect::<backmask::Result<Vec<_>>>()?
        .concat();
    assert_eq!(found, ["b", "a", "c", "a"]);
    Ok(())
}

#[test]
fn texts_of_other_writers_come_in_one_representation() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("t.parquet");
    let batch = table(50)?;
    let mut writer = parquet::arrow::ArrowWriter::try_new(std::fs::File::create(&path)?, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    let back = load(&path, &ReadOptions::default())?;
    let kind = |name: &str| back.column_by_name(name).map(|column| column.data_type().clone());
    for name in ["text", "large_text", "view_text"] {
        assert_eq!(kind(name), Some(DataType::Utf8), "{name}");
    }
    assert_eq!(kind("coded_text"), Some(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))));
    assert_eq!(kind("view_binary"), Some(DataType::Binary));
    let plain = Arc::new(PlainFile::new(&path));
    assert!(open_table(plain, None, None, None)?.schema().metadata().is_empty());
    Ok(())
}

#[test]
fn published_research_files_are_read_completely() -> Outcome {
    // Rows as their publishers count them.
    let files = [
        ("hetrec2011-lastfm-2k/user_artists.dat", 92_834, vec![DataType::Int64; 3]),
        ("hetrec2011-lastfm-2k/user_friends.dat", 25_434, vec![DataType::Int64; 2]),
        ("hetrec2011-lastfm-2k/artists.dat", 17_632, vec![DataType::Int64, DataType::Utf8, DataType::Utf8, DataType::Utf8]),
        ("ml-100k/u.data", 100_000, vec![DataType::Int64; 4]),
    ];
    for (file, rows, types) in files {
        let Some(path) = crate::real_data::real_data("published_research_files_are_read_completely", file) else { continue };
        let source = open_table(Arc::new(PlainFile::new(path)), Some(backmask::policy::Format::Csv), None, None)?;
        assert_eq!(source.schema().fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>(), types, "{file}");
        let found = read(&[source], &ReadOptions::default())?.map(|b| b.map(|b| b.num_rows())).sum::<backmask::Result<usize>>()?;
        assert_eq!(found, rows, "{file}");
    }
    Ok(())
}
