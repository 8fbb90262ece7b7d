//! The bytes of a file are a function of rows, schema and options.

use super::{FORMATS, Outcome, table, write};
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use backmask::io::{SinkOptions, sha256_file};
use std::sync::Arc;

#[test]
fn batch_size_and_threads_do_not_change_the_bytes() -> Outcome {
    let folder = tempfile::tempdir()?;
    let full = table(8500)?;
    let narrow = full.project(&[0, 7, 12, 14, 15, 20])?;
    for (format, extension) in FORMATS {
        let path = folder.path().join(format!("t.{extension}"));
        let digest = |batch: &RecordBatch, rows: usize, threads: usize| -> Outcome<String> {
            let pieces: Vec<RecordBatch> =
                (0..batch.num_rows()).step_by(rows).map(|start| batch.slice(start, rows.min(batch.num_rows() - start))).collect();
            write(&path, format, &pieces, &SinkOptions { threads, row_group_rows: 8192, ..SinkOptions::default() })?;
            Ok(sha256_file(&path)?)
        };
        let whole = [digest(&full, 8500, 1)?, digest(&narrow, 8500, 1)?];
        assert_ne!(whole.first(), whole.last());
        // Batches of few rows cost most and are tried on fewer columns.
        for (batch, rows, threads) in [(&full, 8500, 2), (&full, 8192, 2), (&full, 1000, 4), (&narrow, 7, 2), (&narrow, 1, 1)] {
            assert!(whole.contains(&digest(batch, rows, threads)?), "{format:?}, {rows} rows, {threads} threads");
        }
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
