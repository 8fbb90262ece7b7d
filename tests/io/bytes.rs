//! The bytes of a file are a function of rows, schema and options.

use super::{FORMATS, Outcome, table, write};
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use backmask::io::{SinkOptions, sha256_file};
use std::sync::Arc;

#[test]
fn batch_size_and_threads_do_not_change_the_bytes() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(9000)?;
    for (format, extension) in FORMATS {
        let mut digests = Vec::new();
        // Batches of one row cost most; one of the thread counts is enough for them.
        for (rows, threads) in [(9000, 1), (9000, 2), (8192, 2), (1000, 4), (7, 2), (1, 1)] {
            let columns: Vec<usize> = if rows == 1 || rows == 7 { vec![0, 7, 12, 14, 15, 20] } else { (0..batch.num_columns()).collect() };
            let part = batch.project(&columns)?;
            let pieces: Vec<RecordBatch> =
                (0..part.num_rows()).step_by(rows).map(|start| part.slice(start, rows.min(part.num_rows() - start))).collect();
            let options = SinkOptions { threads, row_group_rows: 8192, ..SinkOptions::default() };
            let path = folder.path().join(format!("t.{extension}"));
            write(&path, format, &pieces, &options)?;
            let found = sha256_file(&path)?;
            write(&path, format, std::slice::from_ref(&part), &SinkOptions { threads: 1, ..options })?;
            assert_eq!(found, sha256_file(&path)?, "{format:?}, {rows} rows, {threads} threads");
            digests.push(found);
        }
        digests.dedup();
        assert_eq!(digests.len(), 2, "two tables were written, full and narrow");
    }
    Ok(())
}

#[test]
fn dictionaries_and_their_order_do_not_change_the_bytes() -> Outcome {
    let folder = tempfile::tempdir()?;
    let plain = table(500)?.project(&[12])?;
    let coded = |order: &[usize]| -> Outcome<RecordBatch> {
        // The same texts behind dictionaries of another order and with values in surplus.
        let texts = plain.column(0).as_string::<i32>();
        let mut values: Vec<&str> = order.iter().map(|&row| texts.value(row)).collect();
        values.push("surplus");
        values.extend(texts.iter().flatten());
        let dictionary = arrow::array::StringArray::from(values.clone());
        let keys: arrow::array::Int16Array = texts
            .iter()
            .map(|text| text.and_then(|text| values.iter().position(|v| v == &text)).and_then(|position| i16::try_from(position).ok()))
            .collect();
        let array = arrow::array::DictionaryArray::try_new(keys, Arc::new(dictionary))?;
        Ok(RecordBatch::try_from_iter([("text", Arc::new(array) as ArrayRef)])?)
    };
    for (format, extension) in FORMATS {
        let mut digests = Vec::new();
        for batch in [plain.clone(), coded(&[])?, coded(&[30, 4, 17])?, coded(&[499])?] {
            let path = folder.path().join(format!("t.{extension}"));
            write(&path, format, std::slice::from_ref(&batch), &SinkOptions::default())?;
            digests.push(sha256_file(&path)?);
        }
        digests.dedup();
        assert_eq!(digests.len(), 1, "{format:?}");
    }
    Ok(())
}
