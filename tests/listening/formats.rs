//! The other formats, and pools of several.

use super::{cell, distinct, names, open_all, pool, read, rows, write, zip_of};
use backmask::arrow::array::{Int64Array, ListArray, RecordBatch, UInt8Array, UInt16Array, UInt32Array};
use backmask::arrow::datatypes::{DataType, Field, Int32Type, Schema};
use backmask::io::ReadOptions;
use backmask::listening::{event_schema, profile_schema};
use backmask::parquet::arrow::ArrowWriter;
use backmask::policy::{Format, Input, Table};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn profiles(paths: &[&Path], input: &Input) -> backmask::Result<RecordBatch> {
    Ok(read(&open_all(paths, Table::Profiles, input)?, &ReadOptions::default())?.0)
}

fn parquet(folder: &Path, name: &str, batch: &RecordBatch) -> PathBuf {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    write(folder, name, writer.into_inner().unwrap())
}

/// Every column that has a canonical name has the canonical type.
fn assert_canonical(batch: &RecordBatch, table: Table) {
    let canonical = if table == Table::Events { event_schema() } else { profile_schema() };
    for field in batch.schema().fields() {
        if let Ok(expected) = canonical.field_with_name(field.name()) {
            assert_eq!(field.data_type(), expected.data_type(), "{}", field.name());
        }
    }
}

const LISTEN: &str = r#"{"listened_at":1619872200.25,"inserted_at":1619872999,"user_id":7,"user_name":"clear name","track_metadata":{"artist_name":"A & B","track_name":"T","release_name":"R","recording_msid":"msid-1","mbid_mapping":{"recording_mbid":"mbid-1","artist_mbids":["artist-1","artist-2"],"caa_id":3},"additional_info":{"origin_url":"http://private.example/x","tags":["x"],"recording_mbid":17,"ms_played":1234}}}"#;

#[test]
fn listenbrainz_dump() {
    let folder = tempfile::tempdir().unwrap();
    let plain = r#"{"listened_at":1619872201,"user_name":"other","track_metadata":{"artist_name":"C","track_name":"U","recording_msid":"msid-2","mbid_mapping":null,"additional_info":{"artist_mbids":["artist-3"]}}}"#;
    let submitted = r#"{"listened_at":"1619872201","user_name":"other","track_metadata":{}}"#;
    let path = write(folder.path(), "dump/listens/2021/5.listens", format!("{LISTEN}\n{plain}\n\n"));
    let (batch, _) = pool(&[&folder.path().join("dump")], &Input::default()).unwrap();
    assert_canonical(&batch, Table::Events);
    let value = |column, row| cell(&batch, column, row).unwrap_or_default();
    assert_eq!((value("subject_id", 0), value("subject_id", 1)), ("7".into(), "other".into()));
    assert_eq!((value("track_id", 0), value("track_id", 1)), ("mbid-1".into(), "msid-2".into()));
    assert_eq!((value("artist_id", 0), value("artist_id", 1)), ("artist-1".into(), "artist-3".into()));
    assert_eq!((value("started_at", 0), value("ms_played", 0)), ("2021-05-01T12:30:00.250Z".into(), "1234".into()));
    let all = rows(&batch).join("");
    assert!(!all.contains("private.example") && !all.contains("clear name"));
    let path =
        write(path.parent().unwrap(), "6.listens", format!("{submitted}\n{{\"listened_at\":1,\"track_metadata\":{{}}}}\nnonsense\n"));
    for record in [1, 2, 3] {
        let text = std::fs::read_to_string(&path).unwrap();
        let line = text.lines().nth(record - 1).unwrap();
        let one = write(folder.path(), "one.listens", line);
        assert!(pool(&[&one], &Input::default()).unwrap_err().to_string().contains("record 1"));
    }
    let (batch, left_out) = pool(&[&folder.path().join("dump")], &Input { skip_malformed: true, ..Input::default() }).unwrap();
    assert_eq!((batch.num_rows(), left_out.get("malformed")), (2, Some(&3)));
}

#[test]
fn listenbrainz_export_of_one_user() {
    let folder = tempfile::tempdir().unwrap();
    let listen = LISTEN.replace(r#""user_id":7,"user_name":"clear name","#, "");
    let other = listen.replace("1619872200.25", "1640995200");
    let path = write(
        folder.path(),
        "q.zip",
        zip_of(&[
            ("user.json", br#"{"user_id":7,"username":"clear name"}"#),
            ("listens/2021/5.jsonl", format!("{listen}\n{listen}\n").as_bytes()),
            ("listens/2022/1.jsonl", other.as_bytes()),
            ("feedback.jsonl", b"broken"),
            ("pinned_recording.jsonl", b"broken"),
        ]),
    );
    let (batch, left_out) = pool(&[&path], &Input::default()).unwrap();
    assert_eq!((batch.num_rows(), distinct(&batch, "subject_id"), left_out.get("duplicate")), (2, 1, Some(&1)));
    assert_eq!(cell(&batch, "subject_id", 0).unwrap(), "q");
    assert!(!rows(&batch).join("").contains("clear name"));
}

#[test]
fn lastfm_1k_and_360k() {
    let folder = tempfile::tempdir().unwrap();
    let events = "user_1\t2009-05-04T23:08:57Z\tmbid\tDeep \"Dish\"\t\tTrack\nuser_1\t2009-05-04T13:54:10Z\t\t坂本龍一\tt2\t'x\r\n";
    write(folder.path(), "1k/userid-timestamp-artid-artname-traid-traname.tsv", events);
    write(
        folder.path(),
        "1k/userid-profile.tsv",
        "#id\tgender\tage\tcountry\tregistered\nuser_1\tm\t\tJapan\tAug 13, 2006\nuser_2\t\t24\t\t\n",
    );
    let path = folder.path().join("1k");
    let (batch, _) = pool(&[&path], &Input::default()).unwrap();
    assert_canonical(&batch, Table::Events);
    assert_eq!(names(&batch), ["subject_id", "started_at", "track_id", "track_name", "artist_id", "artist_name"]);
    assert_eq!(
        (cell(&batch, "artist_name", 0).unwrap(), cell(&batch, "track_id", 0), cell(&batch, "track_name", 1).unwrap()),
        ("Deep \"Dish\"".into(), None, "'x".into())
    );
    let people = profiles(&[&path], &Input::default()).unwrap();
    assert_canonical(&people, Table::Profiles);
    assert_eq!(
        (cell(&people, "registered_at", 0).unwrap(), cell(&people, "age", 0), cell(&people, "gender", 1)),
        ("2006-08-13".into(), None, None)
    );

    write(folder.path(), "360k/usersha1-artmbid-artname-plays.tsv", "00a\tmbid\tBand\t17\n00b\t\tBand\t3\n");
    write(folder.path(), "360k/usersha1-profile.tsv", "00a\tf\t-1337\tGermany\tFeb 1, 2007\n");
    let path = folder.path().join("360k");
    let (batch, _) = pool(&[&path], &Input::default()).unwrap();
    assert_eq!((cell(&batch, "plays", 0).unwrap(), cell(&batch, "artist_id", 1)), ("17".into(), None));
    assert_eq!(cell(&profiles(&[&path], &Input::default()).unwrap(), "age", 0), None);
    for bad in ["00a\tmbid\tBand\t1.5", "00a\tmbid\tBand", "\tmbid\tBand\t1", "00a\tm\tBand\t-3"] {
        let file = write(folder.path(), "usersha1-artmbid-artname-plays.tsv", format!("00a\tm\tBand\t1\n{bad}\n"));
        let message = pool(&[&file], &Input::default()).unwrap_err().to_string();
        assert!(message.contains("record 2") && !message.contains("Band"), "{message}");
        let (batch, left_out) = pool(&[&file], &Input { skip_malformed: true, ..Input::default() }).unwrap();
        assert_eq!((batch.num_rows(), left_out["malformed"]), (1, 1));
    }
    // An explicit format reads files of any name.
    let odd = write(folder.path(), "x.txt", events);
    let input = Input { format: Some(Format::Lastfm1k), ..Input::default() };
    assert_eq!(pool(&[&odd], &input).unwrap().0.num_rows(), 2);
}

#[test]
fn hetrec_names_artists_only_if_it_is_given_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "h/user_artists.dat", "userID\tartistID\tweight\r\n2\t51\t13883\r\n2\t52\t1\r\n");
    write(folder.path(), "h/artists.dat", "id\tname\turl\tpictureURL\n51\tDuran Duran\thttp://x\thttp://y\n");
    write(folder.path(), "h/tags.dat", b"tagID\ttagValue\n1\tcaf\xe9\n");
    let (batch, _) = pool(&[&file], &Input::default()).unwrap();
    assert_eq!(names(&batch), ["subject_id", "artist_id", "plays"]);
    let (batch, _) = pool(&[&folder.path().join("h")], &Input::default()).unwrap();
    assert_eq!(names(&batch), ["subject_id", "artist_id", "artist_name", "plays"]);
    assert_eq!((cell(&batch, "artist_name", 0).unwrap(), cell(&batch, "artist_name", 1)), ("Duran Duran".into(), None));
}

#[test]
fn lfm_1b_and_2b() {
    let folder = tempfile::tempdir().unwrap();
    let users = write(
        folder.path(),
        "LFM-1b_users.txt",
        "user_id\tcountry\tage\tgender\tplaycount\tregistered_unixtime\n384\tUK\t35\tm\t42139\t1035849600\n1206\t\t-1\tn\t33103\t1035849600\n2622\t\t-1\t\t2030\t1037404800\n",
    );
    let events = write(folder.path(), "LFM-1b_LEs.txt", "384\t11\t12\t13\t1385212958\n");
    let (batch, _) = pool(&[&users], &Input::default()).unwrap();
    assert_eq!(names(&batch), ["subject_id", "country", "age", "gender", "registered_at", "playcount"]);
    assert_eq!(
        (cell(&batch, "registered_at", 0).unwrap(), cell(&batch, "age", 1), cell(&batch, "gender", 1).unwrap()),
        ("2002-10-29".into(), None, "n".into())
    );
    assert_eq!((cell(&batch, "gender", 2), cell(&batch, "country", 2), cell(&batch, "playcount", 2).unwrap()), (None, None, "2030".into()));
    assert_eq!(rows(&profiles(&[&users], &Input::default()).unwrap()), rows(&batch));
    let (batch, _) = pool(&[&events], &Input::default()).unwrap();
    assert_eq!(
        rows(&batch),
        [r#"album_id=Some("12") artist_id=Some("11") started_at=Some("2013-11-23T13:22:38Z") subject_id=Some("384") track_id=Some("13")"#]
    );
    assert!(pool(&[&events, &users], &Input::default()).unwrap_err().to_string().contains("profiles"));
    assert!(profiles(&[&events], &Input::default()).unwrap_err().to_string().contains("events"));

    write(folder.path(), "2b/listening-events.tsv", "user_id\ttrack_id\talbum_id\ttimestamp\n1\t2\t3\t2019-01-02 03:04:05\n");
    write(folder.path(), "2b/users.tsv", "user_id\tcountry\tage\tgender\tcreation_time\n1\tDE\t-1\tm\t2009-01-02 03:04:05\n");
    let path = folder.path().join("2b");
    assert_eq!(cell(&pool(&[&path], &Input::default()).unwrap().0, "started_at", 0).unwrap(), "2019-01-02T03:04:05Z");
    assert_eq!(cell(&profiles(&[&path], &Input::default()).unwrap(), "registered_at", 0).unwrap(), "2009-01-02");
    let counts = write(folder.path(), "2b/listening-counts.tsv", "user_id\ttrack_id\tcount\n1\t2\t9\n");
    assert!(pool(&[&path], &Input::default()).unwrap_err().to_string().contains("both files"));
    assert_eq!(cell(&pool(&[&counts], &Input::default()).unwrap().0, "plays", 0).unwrap(), "9");
    let packed = write(folder.path(), "listening-events.tsv.bz2", b"BZh9");
    assert!(pool(&[&packed], &Input::default()).unwrap_err().to_string().contains("unpack"));
}

fn yambda() -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("uid", DataType::UInt32, false),
        Field::new("timestamp", DataType::UInt32, false),
        Field::new("item_id", DataType::UInt32, false),
        Field::new("is_organic", DataType::UInt8, false),
        Field::new("played_ratio_pct", DataType::UInt16, false),
        Field::new("track_length_seconds", DataType::UInt32, false),
    ]);
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(UInt32Array::from(vec![100, 100])),
            Arc::new(UInt32Array::from(vec![39_420, 39_425])),
            Arc::new(UInt32Array::from(vec![8_326_270, u32::MAX])),
            Arc::new(UInt8Array::from(vec![0, 1])),
            Arc::new(UInt16Array::from(vec![100, 230])),
            Arc::new(UInt32Array::from(vec![170, 105])),
        ],
    )
    .unwrap()
}

#[test]
fn yambda_keeps_its_own_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = parquet(folder.path(), "listens.parquet", &yambda());
    let (batch, _) = pool(&[&path], &Input::default()).unwrap();
    assert_canonical(&batch, Table::Events);
    assert_eq!(names(&batch), ["subject_id", "started_at", "track_id", "is_organic", "played_ratio_pct", "track_length_seconds"]);
    assert_eq!(
        (cell(&batch, "started_at", 0).unwrap(), cell(&batch, "track_id", 1).unwrap()),
        ("1970-01-01T10:57:00Z".into(), "4294967295".into())
    );
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
    let fields = ["uid", "timestamp", "item_id"].map(|name| Field::new(name, lists.value_type(), true));
    let fields = fields.map(|field| Field::new_list(field.name(), Field::new_list_field(DataType::Int32, true), true));
    let column: Arc<dyn backmask::arrow::array::Array> = Arc::new(lists);
    let sequential =
        RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), vec![Arc::clone(&column), Arc::clone(&column), column]).unwrap();
    let path = parquet(folder.path(), "sequential.parquet", &sequential);
    assert!(pool(&[&path], &Input { format: Some(Format::Yambda), ..Input::default() }).unwrap_err().to_string().contains("flat layout"));
}

#[test]
fn a_pool_of_several_formats_has_one_schema() {
    let folder = tempfile::tempdir().unwrap();
    let extended = r#"[{"ts":"2023-05-01T12:30:00Z","ms_played":1000,"spotify_track_uri":"spotify:track:x","master_metadata_album_artist_name":"Band"}]"#;
    let a = write(folder.path(), "p1.zip", zip_of(&[("endsong_0.json", extended.as_bytes())]));
    let b = write(folder.path(), "user_artists.dat", "userID\tartistID\tweight\n2\t51\t13\n");
    let c = write(folder.path(), "more.csv", "subject_id,started_at,artist_id,mood\nz,2023-01-01T00:00:00Z,9,calm\n");
    let (batch, _) = pool(&[&a, &b, &c], &Input::default()).unwrap();
    assert_canonical(&batch, Table::Events);
    assert_eq!(batch.num_rows(), 3);
    let plays: Vec<_> = (0..3).map(|row| cell(&batch, "plays", row)).collect();
    assert_eq!(plays, [Some("1".into()), Some("13".into()), Some("1".into())]);
    assert_eq!((cell(&batch, "mood", 0), cell(&batch, "mood", 2).unwrap(), cell(&batch, "started_at", 1)), (None, "calm".into(), None));
    assert_eq!(rows(&pool(&[&c, &b, &a], &Input::default()).unwrap().0), rows(&batch));
    // Only columns that a part does not have: the number of rows is still right.
    let sources = open_all(&[&a, &b, &c], Table::Events, &Input::default()).unwrap();
    let options = ReadOptions { columns: Some(vec!["mood".into()]), ..ReadOptions::default() };
    assert_eq!(read(&sources, &options).unwrap().0.num_rows(), 3);

    let d = write(folder.path(), "other.csv", "subject_id,mood\nz,7\n");
    let message = pool(&[&c, &d], &Input::default()).unwrap_err().to_string();
    assert!(message.contains("mood") && message.contains("more.csv") && message.contains("other.csv"), "{message}");
}

#[test]
fn columns_are_renamed_and_cast() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "t.csv", "who;when;what;n\n1;881250949;5;2\n2;881250950;6;\n");
    let columns = [("subject_id", "who"), ("started_at", "when"), ("artist_id", "what"), ("plays", "n")];
    let input = Input {
        format: Some(Format::Csv),
        delimiter: Some(';'),
        header: Some(true),
        columns: columns.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect(),
        ..Input::default()
    };
    let (batch, _) = pool(&[&path], &input).unwrap();
    assert_canonical(&batch, Table::Events);
    assert_eq!(
        (cell(&batch, "started_at", 0).unwrap(), cell(&batch, "plays", 1), cell(&batch, "artist_id", 1).unwrap()),
        ("1997-12-04T15:55:49Z".into(), None, "6".into())
    );
    let mut wrong = input.clone();
    wrong.columns.insert("album_name".into(), "absent".into());
    assert!(pool(&[&path], &wrong).unwrap_err().to_string().contains("input.columns.album_name"));
    // A value that does not fit is a malformed record, whatever columns are read.
    let path = write(folder.path(), "t.csv", "who;when;what;n\n1;881250949;5;2\n2;soon;6;1\n;881250950;6;1\n");
    let message = pool(&[&path], &input).unwrap_err().to_string();
    assert!(message.contains("record 2") && message.contains("started_at") && !message.contains("soon"), "{message}");
    let input = Input { skip_malformed: true, ..input };
    let sources = open_all(&[&path], Table::Events, &input).unwrap();
    for columns in [None, Some(vec!["artist_id".to_owned()])] {
        let (batch, left_out) = read(&sources, &ReadOptions { columns, batch_rows: 1, ..ReadOptions::default() }).unwrap();
        assert_eq!((batch.num_rows(), left_out["malformed"]), (1, 2));
    }
}

#[test]
fn broken_lines_of_a_table_are_malformed_records_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "t.csv", "subject_id,plays\na,1\nb\nc,3\n");
    let message = pool(&[&path], &Input::default()).unwrap_err().to_string();
    assert!(message.contains("t.csv") && message.contains("record"), "{message}");
    let (batch, left_out) = pool(&[&path], &Input { skip_malformed: true, ..Input::default() }).unwrap();
    assert_eq!((batch.num_rows(), left_out["malformed"]), (2, 1));
}

#[test]
fn canonical_parquet_with_other_types_is_cast() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::new(vec![Field::new("subject_id", DataType::Int64, true), Field::new("plays", DataType::UInt16, true)]);
    let batch = RecordBatch::try_new(
        Arc::new(schema),
        vec![Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX])), Arc::new(UInt16Array::from(vec![Some(3), None]))],
    )
    .unwrap();
    let path = parquet(folder.path(), "e.parquet", &batch);
    let (batch, _) = pool(&[&path], &Input::default()).unwrap();
    assert_canonical(&batch, Table::Events);
    assert_eq!(
        (cell(&batch, "subject_id", 0).unwrap(), cell(&batch, "plays", 0).unwrap(), cell(&batch, "plays", 1)),
        (i64::MIN.to_string(), "3".into(), None)
    );
}

#[test]
fn what_is_not_recognized_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(pool(&[folder.path()], &Input::default()).unwrap_err().to_string().contains("no file of events is recognized"));
    assert!(pool(&[], &Input::default()).is_err());
    assert!(pool(&[&folder.path().join("absent")], &Input::default()).is_err());
    write(folder.path(), "artists.dat", "id\tname\n1\tx\n");
    assert!(pool(&[folder.path()], &Input::default()).is_err());
}
