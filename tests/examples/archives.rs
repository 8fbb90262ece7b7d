//! Personal exports: whole folders of them, and archives made to do harm.

use super::support::{Ran, SECRET, Scratch, people};
use serde_json::json;
use std::io::{Cursor, Write};
use std::time::{Duration, Instant};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A policy for Spotify's extended streaming history, with nothing but artists and no token.
const POLICY: &str = r#"
version = 1
name = "exports"
[subject]
column = "subject_id"
[columns.artist_name]
role = "item"
[columns]
track_id = { role = "item", treatment = "drop" }
track_name = { role = "item", treatment = "drop" }
album_name = { role = "item", treatment = "drop" }
started_at = { role = "time", treatment = "drop" }
ms_played = { role = "measure", treatment = "drop" }
country = { role = "quasi-identifier", treatment = "drop" }
platform = { role = "other", treatment = "drop" }
reason_start = { role = "other", treatment = "drop" }
reason_end = { role = "other", treatment = "drop" }
shuffle = { role = "other", treatment = "drop" }
skipped = { role = "other", treatment = "drop" }
[[products]]
name = "artists"
kind = "records"
columns = ["artist_name"]
item_support = { min_subjects = 12, otherwise = "suppress" }
"#;

const MEMBER: &str = "Spotify Extended Streaming History/Streaming_History_Audio_2023.json";

fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive.start_file(*name, SimpleFileOptions::default()).expect("a member");
        archive.write_all(bytes).expect("bytes");
    }
    archive.finish().expect("an archive").into_inner()
}

fn history(person: u32) -> Vec<u8> {
    let records: Vec<_> = (0..30)
        .map(|play| {
            // Ten artists that everybody hears, and one of their own.
            let artist = if play < 20 { format!("Band {}", play % 10) } else { format!("{SECRET} {person}") };
            json!({
                "ts": format!("2023-05-{:02}T12:30:00Z", play % 28 + 1), "platform": "android", "ms_played": 180_000, "conn_country": "DE", "ip_addr": "10.1.2.3",
                "master_metadata_track_name": format!("Song {play}"), "master_metadata_album_artist_name": artist, "master_metadata_album_album_name": "Album",
                "spotify_track_uri": format!("spotify:track:{play:022}"), "episode_name": null, "episode_show_name": null, "spotify_episode_uri": null,
                "reason_start": "trackdone", "reason_end": "trackdone", "shuffle": false, "skipped": false, "offline": false, "offline_timestamp": null,
                "incognito_mode": play == 29
            })
        })
        .collect();
    serde_json::to_vec(&records).expect("JSON")
}

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("policy.toml", POLICY);
    scratch
}

fn anonymize(scratch: &Scratch) -> Ran {
    scratch.run("anonymize", &["--policy", "policy.toml", "--input", "exports", "--output", "out", "--json"])
}

#[track_caller]
fn refuses(scratch: &Scratch, words: &[&str]) {
    let start = Instant::now();
    let ran = anonymize(scratch).ends(1);
    ran.says(words);
    // Also where names are under the control of a stranger, none of them is repeated as a path of ours.
    assert!(!scratch.path("evil.json").exists() && !scratch.path("../evil.json").exists());
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    scratch.nothing_published();
}

#[test]
fn a_folder_of_fifty_exports_becomes_a_release() {
    let scratch = scratch();
    for person in 0..50 {
        scratch.write(
            &format!("exports/{SECRET}-{person}.zip"),
            zip_of(&[
                (MEMBER, &history(person)),
                ("Spotify Extended Streaming History/ReadMeFirst.pdf", b"%PDF"),
                ("Spotify Account Data/Userdata.json", b"{\"username\": \"sesame\"}"),
            ]),
        );
    }
    let ran = anonymize(&scratch).ends(0);
    assert!(!ran.stderr.contains(SECRET), "{}", ran.stderr);
    let report = &ran.json()["report"];
    assert_eq!(report["inputs"].as_array().expect("inputs").len(), 50);
    for input in report["inputs"].as_array().expect("inputs") {
        assert_eq!((&input["subjects"], &input["rows"]), (&json!(1), &json!(29)));
        assert_eq!(input["sha256"].as_str().expect("a hash").len(), 64);
    }
    assert_eq!(report["excluded"], json!([{ "reason": "incognito", "rows": 50 }]));
    let product = &report["products"][0];
    assert_eq!((&product["rows"], &product["subjects"]), (&json!(50 * 20), &json!(50)));
    scratch.verify(&[]).ends(0);
    // Nothing of what only one person heard, of names or of paths is in what is handed over.
    for file in std::fs::read_dir(scratch.path("out/release")).expect("a folder") {
        let bytes = std::fs::read(file.expect("an entry").path()).expect("a file");
        assert!(!String::from_utf8_lossy(&bytes).to_lowercase().contains(SECRET));
    }
    // The same exports as one canonical table.
    let ran = scratch.run("import", &["--input", "exports", "--output", "events.parquet", "--json"]).ends(0).json();
    assert_eq!((&ran["rows"], &ran["subjects"]), (&json!(50 * 29), &json!(50)));
}

#[test]
fn json_that_ends_or_breaks_in_the_middle() {
    let scratch = scratch();
    let whole = history(1);
    for bytes in [&whole[..whole.len() / 2], b"[{\"ts\": \"sesame\"", b"not json: sesame", b"{\"sesame\": 1}"] {
        scratch.write("exports/a.zip", zip_of(&[(MEMBER, bytes)]));
        refuses(&scratch, &["exports/a.zip!"]);
    }
    // One export of many: it is named, with the number of the record.
    scratch.write("exports/a.zip", zip_of(&[(MEMBER, &history(1))]));
    let broken = String::from_utf8(history(2)).expect("text").replacen("\"ms_played\":180000", "\"ms_played\":\"sesame\"", 3);
    scratch.write("exports/b.zip", zip_of(&[(MEMBER, broken.as_bytes())]));
    refuses(&scratch, &["exports/b.zip!", "record "]);
}

#[test]
fn archives_that_are_damaged_encrypted_or_lead_out() {
    let scratch = scratch();
    let good = zip_of(&[(MEMBER, &history(1))]);
    scratch.write("exports/a.zip", &good[..good.len() / 2]);
    refuses(&scratch, &["exports/a.zip", "not a readable zip archive"]);

    // The bit that says "encrypted" in the local and in the central header.
    let mut encrypted = good.clone();
    for at in 0..good.len() - 4 {
        match &good[at..at + 4] {
            b"PK\x03\x04" => encrypted[at + 6] |= 1,
            b"PK\x01\x02" => encrypted[at + 8] |= 1,
            _ => {}
        }
    }
    assert_ne!(encrypted, good);
    scratch.write("exports/a.zip", &encrypted);
    refuses(&scratch, &["exports/a.zip", "encrypted", "password"]);

    // A flipped byte of the packed data.
    let mut damaged = good.clone();
    damaged[good.len() / 2] ^= 1;
    scratch.write("exports/a.zip", &damaged);
    refuses(&scratch, &["exports/a.zip"]);

    for name in ["../evil.json", "a/../../evil.json", "/evil.json"] {
        scratch.write("exports/a.zip", zip_of(&[(MEMBER, &history(1)), (name, b"[]")]));
        refuses(&scratch, &["exports/a.zip", "member"]);
    }
}

#[test]
fn archives_that_would_unpack_without_end() {
    let scratch = scratch();
    // Spaces between records are valid JSON, so nothing but the ratio is wrong.
    let mut flat = b"[".to_vec();
    flat.resize(60 << 20, b' ');
    flat.push(b']');
    let bomb = zip_of(&[(MEMBER, &flat)]);
    assert!(flat.len() / bomb.len() > 1000, "no bomb: {} bytes", bomb.len());
    scratch.write("exports/a.zip", &bomb);
    refuses(&scratch, &["exports/a.zip", "1000 times", "do not trust"]);

    // The same inside an archive: packed twice, it is a few hundred bytes.
    let nested = zip_of(&[("inner.zip", &bomb)]);
    scratch.write("exports/a.zip", &nested);
    refuses(&scratch, &["exports/a.zip", "do not trust"]);

    // Archives in archives in archives.
    let deep = zip_of(&[("b.zip", &zip_of(&[("c.zip", &zip_of(&[(MEMBER, &history(1))]))]))]);
    scratch.write("exports/a.zip", &deep);
    refuses(&scratch, &["exports/a.zip", "nested more than one level"]);

    let many: Vec<(String, &[u8])> = (0..100_001).map(|member| (format!("{member}.json"), &b""[..])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    scratch.write("exports/a.zip", zip_of(&many));
    refuses(&scratch, &["exports/a.zip", "100000 members"]);
}

/// Neither memory nor the disk may hold what a bomb unpacks to: a run under tight limits still ends with the right message.
#[cfg(target_os = "linux")]
#[test]
fn a_bomb_is_stopped_within_bounds() {
    let scratch = scratch();
    let flat = vec![b' '; 100 << 20];
    let bomb = zip_of(&[("inner.zip", &zip_of(&[(MEMBER, &flat)]))]);
    assert!(flat.len() / bomb.len() > 100_000, "no bomb: {} bytes", bomb.len());
    scratch.write("exports/a.zip", &bomb);
    let mut shell = std::process::Command::new("sh");
    // 8 MiB of file, 60 MiB of data (the pages that the process writes to).
    shell.current_dir(scratch.path("")).args(["-c", "trap '' XFSZ; ulimit -f 16384; ulimit -d 61440; exec \"$@\"", "sh"]);
    shell.arg(super::support::binary("anonymize")).args(["--policy", "policy.toml", "--input", "exports", "--output", "out"]);
    Ran::new(&shell.output().expect("sh runs")).ends(1).says(&["exports/a.zip", "do not trust"]);
    scratch.nothing_published();
}

#[test]
fn a_folder_may_have_an_exclamation_mark_in_its_name() {
    let scratch = Scratch::new();
    scratch.write("wow!/people.csv", people(400));
    scratch.run("keygen", &["--output", "k", "--quiet"]).ends(0);
    let ran = scratch
        .run("anonymize", &["--policy", "policy.toml", "--input", "wow!/people.csv", "--output", "out", "--key-file", "k", "--json"])
        .ends(0);
    let input = &ran.json()["report"]["inputs"][0];
    assert_eq!(input["sha256"].as_str().expect("a hash").len(), 64, "{input}");
    scratch.verify(&["--original", "wow!/people.csv", "--key-file", "k"]).ends(0);
}
