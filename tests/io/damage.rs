//! Damaged inputs and full or closed disks are errors, without values in their messages and without partial files.

use super::{FORMATS, Outcome, entries, load, open, options, table, write};
use backmask::io::{
    Compression, CsvOptions, CsvSource, Encoding, PlainFile, ReadOptions, SinkFormat, SinkOptions, create_sink, open_table, read,
};
use std::path::Path;
use std::sync::Arc;

/// Exit code and message of what goes wrong when a file is opened and read, if anything does.
fn failure(path: &Path) -> Option<(u8, String)> {
    let outcome = (|| -> backmask::Result<usize> {
        let mut rows = 0;
        for batch in read(&[open(path)?], &ReadOptions::default())? {
            rows += batch?.num_rows();
        }
        Ok(rows)
    })();
    outcome.err().map(|e| (e.exit_code(), e.to_string()))
}

#[test]
fn cut_files_are_errors() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(3000)?.project(&[0, 7, 12])?;
    for (format, extension) in FORMATS {
        let path = folder.path().join(format!("t.{extension}"));
        for compression in [Compression::None, Compression::Zstd(1)] {
            write(&path, format, std::slice::from_ref(&batch), &options(compression, 1))?;
            let whole = std::fs::read(&path)?;
            assert_eq!(failure(&path), None);
            // Where a text is cut between two rows nobody can tell; the lengths avoid that.
            let lengths = [whole.len() / 3, whole.len() / 2, whole.len() - 9, whole.len() - 4, 11];
            for length in lengths {
                std::fs::write(&path, whole.get(..length).ok_or("short")?)?;
                let text = matches!(format, SinkFormat::Csv);
                match failure(&path) {
                    Some((code, message)) => assert!(code == 1 && !message.contains("Sigur"), "{message}"),
                    None => assert!(text, "{format:?} cut to {length} of {} bytes was read", whole.len()),
                }
            }
        }
    }
    Ok(())
}

#[test]
fn flipped_bytes_never_panic() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(40)?;
    for (format, extension) in FORMATS.into_iter().take(3) {
        let path = folder.path().join(format!("t.{extension}"));
        write(&path, format, std::slice::from_ref(&batch), &options(Compression::None, 1))?;
        let whole = std::fs::read(&path)?;
        // The data may read differently; what matters is that it ends as rows or as an error.
        for position in (0..whole.len()).step_by(whole.len() / 40 + 1) {
            let mut damaged = whole.clone();
            if let Some(byte) = damaged.get_mut(position) {
                *byte ^= 0x15;
            }
            std::fs::write(&path, &damaged)?;
            if let Some((code, _)) = failure(&path) {
                assert_eq!(code, 1);
            }
        }
    }
    Ok(())
}

/// Opens a text and gives the message of what goes wrong.
fn text_failure(name: &str, text: &[u8]) -> Outcome<String> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(name);
    std::fs::write(&path, text)?;
    let (code, message) = failure(&path).ok_or("it was read")?;
    assert_eq!(code, 1);
    assert!(message.contains(name), "names the file: {message}");
    assert!(!message.contains("secret"), "quotes a value: {message}");
    Ok(message)
}

#[test]
fn a_bad_csv_row_is_named_by_record_and_line() -> Outcome {
    let rows = (0..700).map(|row| format!("{row},secret{row}\n")).collect::<Vec<_>>().concat();
    let message = text_failure("a.csv", format!("id,name\n{rows}secret\n700,x\n").as_bytes())?;
    assert!(message.contains("record 701") && message.contains("line 702") && message.contains("1 fields instead of 2"), "{message}");
    let message = text_failure("b.csv", b"id,name\n1,\"a\nsecret\"\n2,secret,3\n")?;
    assert!(message.contains("record 2") && message.contains("line 4"), "{message}");
    let message = text_failure("c.csv", b"id,name\n1,secret\n2,se\xFFcret\n")?;
    assert!(message.contains("record 2") && message.contains("line 3") && message.contains("field 2"), "{message}");
    let message = text_failure("d.csv", b"id,name\n1,\"secret\n")?;
    assert!(message.contains("record 1") && message.contains("quotes"), "{message}");
    let message = text_failure("e.csv", b"id,name\n1,\"secret\"secret\n")?;
    assert!(message.contains("record 1") && message.contains("line 2"), "{message}");
    // Two bytes that are one character only if the fields stood together.
    text_failure("f.csv", b"a,b\n\xC3,\xA9\n")?;
    text_failure("g.csv", b"")?;
    text_failure("h.csv", b"\xFF\xFEa\0,\0b\0\n\0")?;
    assert!(text_failure("i.csv", b"a,a\n1,2\n").is_err(), "without a usable header the line is a row");
    Ok(())
}

#[test]
fn a_repeated_column_name_is_an_error_where_a_header_is_said() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "a,a\n1,2\n")?;
    let opened = open_table(Arc::new(PlainFile::new(&path)), None, None, Some(true));
    assert!(opened.err().is_some_and(|e| e.exit_code() == 1));
    Ok(())
}

#[test]
fn malformed_records_can_be_left_out_and_are_counted() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.csv");
    std::fs::write(&path, b"id,name\n1,a\n2\n3,\xFF\n4,d\n")?;
    let options = CsvOptions { skip_malformed: true, ..CsvOptions::default() };
    let source = CsvSource::open(Arc::new(PlainFile::new(&path)), &options)?;
    for threads in [1, 2] {
        let mut stream = read(&[Arc::new(source.clone())], &ReadOptions { threads, ..ReadOptions::default() })?;
        let rows: usize = stream.by_ref().map(|batch| batch.map(|batch| batch.num_rows())).sum::<backmask::Result<_>>()?;
        assert_eq!(rows, 2);
        assert_eq!(stream.left_out().counts().get("malformed"), Some(&2));
    }
    // As Latin-1 one of them is well-formed.
    let latin = CsvOptions { encoding: Encoding::Latin1, ..options };
    let stream = read(&[Arc::new(CsvSource::open(Arc::new(PlainFile::new(&path)), &latin)?)], &ReadOptions::default())?;
    assert_eq!(stream.map(|batch| batch.map(|batch| batch.num_rows())).sum::<backmask::Result<usize>>()?, 3);
    Ok(())
}

#[test]
fn bad_json_is_named_by_record() -> Outcome {
    for (text, parts) in [
        ("{\"a\": \"secret\"}\n{\"a\": secret}\n", vec!["record 2"]),
        ("[{\"a\": 1}, {\"a\": [\"secret\"]}]", vec!["record 2", "column a", "list"]),
        ("[{\"a\": 1}, {\"a\": {\"secret\": 1}}]", vec!["record 2", "column a"]),
        ("[{\"a\": 1}, {\"a\": 1, \"a\": 2}]", vec!["record 2", "column a", "twice"]),
        ("[{\"a\": 1}, 5]", vec!["record 2", "object"]),
        ("[{\"a\": 1}", vec!["record 2", "early"]),
        ("{\"a\": 1}\n{\"a\": \"secret", vec!["record 2", "early"]),
        ("{\"a\": 1}\n{\"a\": \"secret\"}\n", vec!["column a", "different kinds"]),
        ("{\"a\": 1}\n{\"a\": true}\n", vec!["column a", "different kinds"]),
        ("{\"a\": 0.5}\n{\"a\": 9007199254740993}\n", vec!["column a", "too large"]),
        ("{\"a\": -1}\n{\"a\": 18446744073709551615}\n", vec!["column a", "beyond"]),
        ("{\"a\": \"\u{1}\"}\n", vec!["record 1", "valid"]),
    ] {
        let message = text_failure("x.json", text.as_bytes())?;
        for part in parts {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    text_failure("y.json", b"{\"a\": \"\xFF\"}\n")?;
    Ok(())
}

#[test]
fn unknown_and_unfit_formats_are_errors() -> Outcome {
    text_failure("table.xyz", b"a,b\n1,2\n")?;
    text_failure("table.parquet", b"a,b\n1,2\n")?;
    text_failure("table.parquet", b"PAR1")?;
    text_failure("table.arrow", b"ARROW1")?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.csv");
    assert_eq!(failure(&path).map(|(code, _)| code), Some(1), "absent");
    std::fs::write(&path, "a,b\n1,2\n")?;
    let content = || Arc::new(PlainFile::new(&path));
    let spotify = open_table(content(), Some(backmask::policy::Format::Spotify), None, None);
    assert!(spotify.err().is_some_and(|e| e.exit_code() == 2));
    for bad in ['"', '\n', '\r'] {
        assert!(open_table(content(), None, Some(bad), None).err().is_some_and(|e| e.exit_code() == 2));
        assert!(
            create_sink(
                folder.path().join("b.csv"),
                SinkFormat::Csv,
                table(1)?.schema(),
                &SinkOptions { delimiter: bad, ..SinkOptions::default() }
            )
            .is_err()
        );
    }
    Ok(())
}

#[test]
fn a_dropped_sink_leaves_nothing_and_the_old_file_stays() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(20)?;
    for (format, extension) in FORMATS {
        let path = folder.path().join(format!("t.{extension}"));
        std::fs::write(&path, "old")?;
        let mut sink = create_sink(&path, format, batch.schema(), &SinkOptions::default())?;
        sink.write(&batch)?;
        assert_eq!(entries(folder.path())?.len(), 2, "a temporary file beside the old one");
        drop(sink);
        assert_eq!(entries(folder.path())?, [format!("t.{extension}")]);
        assert_eq!(std::fs::read_to_string(&path)?, "old");
        write(&path, format, std::slice::from_ref(&batch), &SinkOptions::default())?;
        assert_ne!(std::fs::read(&path)?, b"old");
        std::fs::remove_file(&path)?;
    }
    Ok(())
}

#[test]
fn what_a_killed_run_left_is_removed_but_not_what_a_live_one_writes() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(5)?;
    let path = folder.path().join("t.csv");
    std::fs::write(folder.path().join(".t.csv.partial-0123456789abcdef"), "left over")?;
    std::fs::write(folder.path().join(".other.csv.partial-0123456789abcdef"), "not ours")?;
    let live = create_sink(&path, SinkFormat::Csv, batch.schema(), &SinkOptions::default())?;
    assert!(!folder.path().join(".t.csv.partial-0123456789abcdef").exists());
    write(&path, SinkFormat::Csv, std::slice::from_ref(&batch), &SinkOptions::default())?;
    live.finish()?;
    assert_eq!(entries(folder.path())?, [".other.csv.partial-0123456789abcdef", "t.csv"]);
    Ok(())
}

#[test]
fn an_absent_folder_is_an_error() -> Outcome {
    let folder = tempfile::tempdir()?;
    let batch = table(5)?;
    for (format, _) in FORMATS {
        let sink = create_sink(folder.path().join("absent/t"), format, batch.schema(), &SinkOptions::default());
        assert_eq!(sink.err().map(|e| e.exit_code()), Some(1));
        let sink = create_sink(Path::new("/"), format, batch.schema(), &SinkOptions::default());
        assert_eq!(sink.err().map(|e| e.exit_code()), Some(1));
    }
    Ok(())
}

#[test]
fn a_file_that_changes_under_the_reader_is_an_error() -> Outcome {
    let folder = tempfile::tempdir()?;
    for (name, before, after) in
        [("a.csv", "a,b\n1,2\n3,4\n", "a,b\n1,2\nsecret,4\n"), ("a.json", "{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\n{\"a\":\"secret\"}\n")]
    {
        let path = folder.path().join(name);
        std::fs::write(&path, before)?;
        let source = open(&path)?;
        for changed in [after, before.get(..before.len() / 2).unwrap_or_default()] {
            std::fs::write(&path, changed)?;
            let error = read(&[Arc::clone(&source)], &ReadOptions::default())?.find_map(Result::err).ok_or("read")?;
            assert!(error.exit_code() == 1 && !error.to_string().contains("secret"), "{error}");
        }
        std::fs::write(&path, before)?;
        assert_eq!(load(&path, &ReadOptions::default())?.num_rows(), 2);
    }
    Ok(())
}
