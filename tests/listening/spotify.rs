//! Spotify's exports with every quirk they are known for.

use super::{cell, names, open_all, pool, read, rows, write, zip_of};
use backmask::io::ReadOptions;
use backmask::policy::{Format, Input, Table};
use std::collections::BTreeMap;

/// One record of the current extended history, with changes.
fn record(changes: &[(&str, serde_json::Value)]) -> serde_json::Value {
    let mut record = serde_json::json!({
        "ts": "2023-05-01T12:30:00Z", "platform": "android", "ms_played": 180_000, "conn_country": "DE", "ip_addr": "10.1.2.3",
        "master_metadata_track_name": "Song", "master_metadata_album_artist_name": "Band", "master_metadata_album_album_name": "Album",
        "spotify_track_uri": "spotify:track:0123456789abcdefghijkl", "episode_name": null, "episode_show_name": null, "spotify_episode_uri": null,
        "audiobook_title": null, "audiobook_uri": null, "audiobook_chapter_uri": null, "audiobook_chapter_title": null,
        "reason_start": "trackdone", "reason_end": "trackdone", "shuffle": false, "skipped": false, "offline": false,
        "offline_timestamp": 1_631_479_291_529_i64, "incognito_mode": false
    });
    for (key, value) in changes {
        record[*key] = value.clone();
    }
    record
}

fn json(records: &[serde_json::Value]) -> Vec<u8> {
    serde_json::to_vec_pretty(&records).unwrap()
}

fn counts(pairs: &[(&'static str, u64)]) -> BTreeMap<&'static str, u64> {
    pairs.iter().copied().collect()
}

#[test]
fn the_time_is_the_start_and_identifiers_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let old = serde_json::json!({
        "ts": "2016-01-01T00:00:01Z", "username": "secret_user", "platform": "Android OS 7.0 API 24 (motorola, Moto G (4))", "ms_played": 2_500, "conn_country": "ZZ",
        "ip_addr_decrypted": "10.9.8.7", "user_agent_decrypted": "unknown", "city": null, "region": null, "master_metadata_track_name": "Älter \"x\"",
        "master_metadata_album_artist_name": "Band", "master_metadata_album_album_name": null, "spotify_track_uri": "spotify:track:old",
        "reason_start": "clickrow", "reason_end": "fwdbtn", "shuffle": true, "skipped": false, "offline_timestamp": 1_757_456_076.5, "incognito_mode": false,
        "brand_new_key": {"nested": [1, 2]}
    });
    let bytes = zip_of(&[
        ("Spotify Extended Streaming History/Streaming_History_Audio_2016-2023_0.json", &json(&[record(&[]), old])),
        ("Spotify Extended Streaming History/ReadMeFirst_ExtendedStreamingHistory.pdf", b"%PDF"),
        ("Spotify Account Data/Userdata.json", b"{\"username\":\"secret_user\""),
        ("Spotify Account Data/Notes.json", b"not json at all"),
    ]);
    let path = write(folder.path(), "person-7.zip", bytes);
    let (batch, left_out) = pool(&[&path], &Input::default()).unwrap();
    assert_eq!(batch.num_rows(), 2);
    assert_eq!(left_out, counts(&[("unknown-field", 1)]));
    let all = rows(&batch).join("\n");
    for secret in ["secret_user", "10.1.2.3", "10.9.8.7", "motorola", "1631479291", "1757456076"] {
        assert!(!all.contains(secret), "{secret}");
    }
    let value = |column, row| cell(&batch, column, row).unwrap_or_default();
    assert_eq!(value("subject_id", 0), "person-7");
    assert_eq!(value("started_at", 0), "2023-05-01T12:27:00Z");
    assert_eq!(value("started_at", 1), "2015-12-31T23:59:58.500Z");
    assert_eq!(
        (value("track_id", 0), value("platform", 1), value("skipped", 1)),
        ("0123456789abcdefghijkl".into(), "android".into(), "true".into())
    );
    assert_eq!((cell(&batch, "country", 1), value("track_name", 1)), (None, "Älter \"x\"".into()));
    let columns = "subject_id started_at track_id track_name artist_name album_name ms_played country platform reason_start reason_end shuffle skipped";
    assert_eq!(names(&batch).join(" "), columns);
}

#[test]
fn private_spoken_and_video_events_are_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let null = serde_json::Value::Null;
    let spoken = |key: &str, uri: &str| {
        record(&[
            ("spotify_track_uri", null.clone()),
            ("master_metadata_track_name", null.clone()),
            ("master_metadata_album_artist_name", null.clone()),
            (key, "Talk".into()),
            (uri, format!("spotify:{key}:1").into()),
        ])
    };
    let audio = json(&[
        record(&[]),
        record(&[("ts", "2023-05-02T00:00:00Z".into()), ("incognito_mode", true.into())]),
        spoken("episode_name", "spotify_episode_uri"),
        spoken("audiobook_title", "audiobook_uri"),
        // A removed track: nothing is known but that something was played.
        record(&[("ts", "2023-05-03T00:00:00Z".into()), ("spotify_track_uri", null.clone()), ("master_metadata_track_name", null.clone())]),
    ]);
    write(folder.path(), "ann/endsong_0.json", audio);
    write(folder.path(), "ann/Streaming_History_Video_2023.json", json(&[record(&[("ts", "2023-06-01T00:00:00Z".into())])]));
    write(
        folder.path(),
        "ann/StreamingHistory_podcast_0.json",
        r#"[{"endTime":"2023-05-01 10:00","podcastName":"P","episodeName":"E","msPlayed":5}]"#,
    );
    write(
        folder.path(),
        "ann/StreamingHistory_audiobook_0.json",
        r#"[{"endTime":"2023-05-01 10:00","audiobookName":"B","chapterName":"C","msPlayed":5}]"#,
    );
    let path = folder.path().join("ann");
    let (batch, left_out) = pool(&[&path], &Input::default()).unwrap();
    assert_eq!(batch.num_rows(), 2);
    assert_eq!(left_out, counts(&[("audiobook", 2), ("incognito", 1), ("podcast", 2), ("video", 1)]));
    let keep = Input { keep_incognito: true, keep_spoken: true, ..Input::default() };
    let (batch, left_out) = pool(&[&path], &keep).unwrap();
    assert_eq!((batch.num_rows(), left_out), (8, counts(&[])));
    assert!(rows(&batch).iter().any(|row| row.contains("track_name=Some(\"E\")")));
}

#[test]
fn repetitions_are_counted_once_within_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let second = record(&[("ts", "2023-05-01T12:33:10Z".into()), ("ms_played", 190_000.into())]);
    write(folder.path(), "pool/ann/Streaming_History_Audio_2023_1.json", json(&[record(&[]), second.clone(), second.clone()]));
    // An older export that overlaps, and account data of the same days.
    write(folder.path(), "pool/ann/old/endsong_0.json", json(&[record(&[("platform", "Android OS 7".into())])]));
    let account = r#"[{"endTime":"2023-05-01 12:30","artistName":"Band","trackName":"Song","msPlayed":180000},
        {"endTime":"2023-05-01 12:33","artistName":"Band","trackName":"Song","msPlayed":190000},
        {"endTime":"2023-05-09 12:33","artistName":"Band","trackName":"Other","msPlayed":1000},
        {"endTime":"2023-05-09 12:33","artistName":"Band","trackName":"Other","msPlayed":1000}]"#;
    write(folder.path(), "pool/ann/MyData/StreamingHistory0.json", account);
    write(folder.path(), "pool/bob/Streaming_History_Audio_2023_1.json", json(&[record(&[])]));
    let path = folder.path().join("pool");
    let (batch, left_out) = pool(&[&path], &Input::default()).unwrap();
    let subjects: Vec<_> = (0..batch.num_rows()).map(|row| cell(&batch, "subject_id", row).unwrap()).collect();
    assert_eq!(subjects, ["ann", "ann", "ann", "bob"]);
    assert_eq!(left_out, counts(&[("duplicate", 5)]));
    // Whatever the projection, the rows are the same.
    let sources = open_all(&[&path], Table::Events, &Input::default()).unwrap();
    for columns in [vec![], vec!["country".to_owned()], vec!["ms_played".to_owned(), "subject_id".to_owned()]] {
        let width = columns.len();
        let (part, again) = read(&sources, &ReadOptions { columns: Some(columns), batch_rows: 1, ..ReadOptions::default() }).unwrap();
        assert_eq!((part.num_rows(), part.num_columns(), again), (4, width, left_out.clone()));
    }
}

#[test]
fn archives_folders_and_files_give_the_same_events() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..50)
        .map(|i| record(&[("ts", format!("2023-05-{:02}T12:{:02}:07Z", 1 + i % 28, i).into()), ("ms_played", (1000 * i).into())]))
        .collect();
    let (one, two) = records.split_at(20);
    let zip = write(
        folder.path(),
        "a/p.zip",
        zip_of(&[("MyData/Streaming_History_Audio_2023_0.json", &json(one)), ("MyData/Streaming_History_Audio_2023_1.json", &json(two))]),
    );
    write(folder.path(), "b/p/Streaming_History_Audio_2023_7.json", json(&records));
    let reversed: Vec<_> = records.iter().rev().cloned().collect();
    let single = write(folder.path(), "c/p/Streaming_History_Audio_2023.json", json(&reversed));
    let custom = write(folder.path(), "d/p.json", json(&records));
    let nested = write(folder.path(), "e/p.zip", zip_of(&[("my_spotify_data.zip", &std::fs::read(&zip).unwrap())]));
    let expected = rows(&pool(&[&zip], &Input::default()).unwrap().0);
    assert_eq!(expected.len(), 50);
    for path in [folder.path().join("b/p"), single.clone(), custom, nested] {
        assert_eq!(rows(&pool(&[&path], &Input::default()).unwrap().0), expected, "{}", path.display());
    }
    for batch_rows in [1, 7, 50] {
        let sources = open_all(&[&zip], Table::Events, &Input::default()).unwrap();
        let options = ReadOptions { batch_rows, ..ReadOptions::default() };
        assert_eq!(rows(&read(&sources, &options).unwrap().0), expected);
        assert_eq!(rows(&read(&sources, &options).unwrap().0), expected, "a second pass gives the same");
    }
    // The same file through two paths is one file.
    assert_eq!(pool(&[&single, &folder.path().join("c")], &Input::default()).unwrap().0.num_rows(), 50);
    let named = Input { format: Some(Format::Spotify), ..Input::default() };
    assert_eq!(rows(&pool(&[&zip], &named).unwrap().0), expected);
}

#[test]
fn a_malformed_record_is_an_error_that_quotes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (bad, at) in [
        (r#"{"ts":"yesterday-secret","ms_played":1}"#, 2),
        (r#"{"ts":"2023-01-01T00:00:00Z","ms_played":"secret"}"#, 2),
        (r#"{"ts":"2023-01-01T00:00:00Z","ms_played":-5}"#, 2),
        (r#"{"ts":"2023-01-01T00:00:00Z"}"#, 2),
        (r#"{"ts":"2023-01-01T00:00:00Z","ms_played":1,"shuffle":"secret"}"#, 2),
        (r#""secret""#, 2),
        (r#"{"secret":}"#, 2),
    ] {
        let text = format!("[{},{bad},{}]", record(&[]), record(&[("ts", "2023-05-02T00:00:00Z".into())]));
        let path = write(folder.path(), "p/endsong_0.json", text);
        let error = pool(&[&path], &Input::default()).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        let message = error.to_string();
        assert!(
            message.contains("endsong_0.json") && message.contains(&format!("record {at}")) && !message.contains("secret"),
            "{message}"
        );
        let (batch, left_out) = pool(&[&path], &Input { skip_malformed: true, ..Input::default() }).unwrap();
        assert_eq!((batch.num_rows(), left_out), (2, counts(&[("malformed", 1)])), "{bad}");
    }
    let whole = String::from_utf8(json(&[record(&[]), record(&[])])).unwrap();
    let path = write(folder.path(), "p/endsong_0.json", &whole[..whole.len() - 100]);
    assert!(pool(&[&path], &Input::default()).unwrap_err().to_string().contains("record 2: the file ends in the middle"));
    let (batch, left_out) = pool(&[&path], &Input { skip_malformed: true, ..Input::default() }).unwrap();
    assert_eq!((batch.num_rows(), left_out), (1, counts(&[("malformed", 1)])));
}

#[test]
fn other_files_of_a_package_are_never_opened() {
    // Each is broken JSON: reading one would be an error.
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "ann/StreamingHistory_music_0.json",
        r#"[{"endTime":"2023-05-01 10:00","artistName":"A","trackName":"B","msPlayed":60000}]"#,
    );
    for name in ["Userdata.json", "Identity.json", "Payments.json", "Something_New.json", "Playlist1.json"] {
        write(folder.path(), &format!("ann/{name}"), "[");
    }
    let (batch, _) = pool(&[&folder.path().join("ann")], &Input::default()).unwrap();
    assert_eq!(batch.num_rows(), 1);
    assert_eq!(cell(&batch, "started_at", 0).unwrap(), "2023-05-01T09:59:00Z");
    assert_eq!(cell(&batch, "track_id", 0), None);
    // A package without a history holds nothing for us.
    let empty = write(folder.path(), "no.zip", zip_of(&[("MyData/Userdata.json", b"{"), ("MyData/Inferences.json", b"{")]));
    assert!(pool(&[&empty], &Input::default()).unwrap_err().to_string().contains("no file of events is recognized"));
    let bytes = zip_of(&[("Userdata.json", b"{"), ("Something_New.json", br#"[{"subject_id":"a"}]"#)]);
    let unknown = write(folder.path(), "unknown.zip", bytes);
    assert!(pool(&[&unknown], &Input::default()).unwrap_err().to_string().contains("no file of events is recognized"));
    // A table beside the archives of a pool is part of the pool.
    write(folder.path(), "pool/p.zip", zip_of(&[("endsong.json", &json(&[record(&[])]))]));
    write(folder.path(), "pool/more.json", r#"[{"subject_id":"q","track_id":"t"}]"#);
    let (batch, _) = pool(&[&folder.path().join("pool")], &Input::default()).unwrap();
    assert_eq!((batch.num_rows(), super::distinct(&batch, "subject_id")), (2, 2));
}

/// Three people's downloads keep the name that every download has; the steward collects them in one folder. A person's several packages lie in a folder of theirs.
#[test]
fn downloads_with_the_standard_name_are_a_person_each() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = || zip_of(&[("Spotify Extended Streaming History/Streaming_History_Audio_2023_0.json", &json(&[record(&[])]))]);
    for name in ["my_spotify_data.zip", "my_spotify_data (1).zip", "my_spotify_data (2).zip"] {
        write(folder.path(), name, bytes());
    }
    std::fs::create_dir(folder.path().join("dora")).unwrap();
    write(&folder.path().join("dora"), "my_spotify_data.zip", bytes());
    write(&folder.path().join("dora"), "my_spotify_data (1).zip", bytes());
    let (batch, left_out) = pool(&[folder.path()], &Input::default()).unwrap();
    let people: std::collections::BTreeSet<_> =
        (0..batch.num_rows()).map(|row| cell(&batch, "subject_id", row).unwrap_or_default()).collect();
    assert_eq!(people.len(), 4, "{people:?}");
    assert_eq!(left_out, counts(&[("duplicate", 1)]), "only within the folder of one person");
}
