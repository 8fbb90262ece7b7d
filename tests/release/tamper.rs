//! `verify` believes nothing that a release says about itself.

use super::support::{Run, batch, files, numbers, texts};
use arrow::array::RecordBatch;
use backmask::io::SinkFormat;
use backmask::keys::Key;
use backmask::release::{Anonymizer, verify};
use std::path::{Path, PathBuf};

const POLICY: &str = "
    version = 1
    name = 'tampering'
    purpose = 'tests'
    subject = { column = 'subject_id' }
    [events.columns]
    artist_id = { role = 'item' }
    [profiles.columns]
    age = { role = 'quasi-identifier', hierarchy = { intervals = [10, 20] } }
    region = { role = 'quasi-identifier' }
    [[products]]
    name = 'people'
    kind = 'records'
    source = 'profiles'
    models = [{ name = 'k-anonymity', k = 12 }]
    suppression_limit = 0.5
    [[products]]
    name = 'log'
    kind = 'records'
    item_support = { min_subjects = 3, otherwise = 'suppress' }
    accept_risk = 'enclave'
    [gate]
    trials = 50
";

fn pool() -> (RecordBatch, RecordBatch) {
    let people: Vec<String> = (0..60).map(|i| format!("p{i}")).collect();
    let listeners: Vec<&str> = (0..300).map(|i| people[i % 60].as_str()).collect();
    let artists: Vec<String> = (0..300).map(|i| format!("a{}", (i * i + i / 60) % 13)).collect();
    let events = batch([("subject_id", texts(listeners)), ("artist_id", texts(artists.iter().map(String::as_str)))]);
    let profiles = batch([
        ("subject_id", texts(people.iter().map(String::as_str))),
        ("age", numbers((0..60).map(|i| 20 + i % 40))),
        ("region", texts((0..60).map(|i| ["north", "south"][i % 2]))),
    ]);
    (events, profiles)
}

fn published(format: SinkFormat) -> (Run, PathBuf) {
    let run = Run::new();
    let (events, profiles) = pool();
    super::support::write_parquet(&run.path("events.parquet"), &events);
    super::support::write_parquet(&run.path("profiles.parquet"), &profiles);
    let made = Anonymizer::new(super::support::policy(POLICY)).input([run.path("events.parquet")]).profiles([run.path("profiles.parquet")]);
    let outcome = made.output(run.out()).key(super::support::key()).format(format).run().expect("published");
    (run, outcome.release)
}

/// What `verify` says: true only for a release in which everything is as stated.
fn accepted(release: &Path) -> bool {
    verify(release, &[], None).is_ok_and(|verification| verification.holds)
}

#[test]
fn an_honest_release_is_verified_in_every_format() {
    for format in
        [SinkFormat::Parquet, SinkFormat::IpcFile, SinkFormat::IpcStream, SinkFormat::Csv, SinkFormat::JsonLines, SinkFormat::JsonArray]
    {
        let (_run, release) = published(format);
        let verification = verify(&release, &[], None).expect("a release");
        let wrong: Vec<_> = verification.checks.iter().filter(|check| check.holds == Some(false)).collect();
        assert!(verification.holds && wrong.is_empty(), "{format:?}: {wrong:?}");
    }
}

#[test]
fn originals_and_key_open_the_commitment() {
    let (run, release) = published(SinkFormat::Parquet);
    let originals = [run.path("events.parquet"), run.path("profiles.parquet")];
    let commitment = |originals: &[PathBuf], key: Key| verify(&release, originals, Some(&key)).expect("a release").checks[0].holds;
    assert_eq!(commitment(&originals, super::support::key()), Some(true));
    assert_eq!(commitment(&originals, Key::from_bytes([9; 32])), Some(false));
    assert_eq!(commitment(&originals[..1], super::support::key()), Some(false));
    // Without the key nobody can test a guess of the inputs.
    assert_eq!(verify(&release, &originals, None).expect("a release").checks[0].holds, None);
}

#[test]
fn a_change_in_any_file_is_found() {
    let (_run, release) = published(SinkFormat::Csv);
    assert!(accepted(&release));
    let all = files(&release);
    assert_eq!(all.len(), 6, "{all:?}");
    for file in &all {
        let before = std::fs::read(file).expect("bytes");
        // A space at the end, a byte changed in three places, nothing left, gone.
        let mut changes: Vec<Vec<u8>> = vec![[before.clone(), b" ".to_vec()].concat(), Vec::new()];
        for place in [before.len() / 4, before.len() / 2, before.len() - 3] {
            let mut other = before.clone();
            other[place] = if other[place] == b'7' { b'8' } else { b'7' };
            changes.push(other);
        }
        for (number, change) in changes.into_iter().enumerate() {
            std::fs::write(file, change).expect("changed");
            assert!(!accepted(&release), "change {number} of {} was not found", file.display());
        }
        std::fs::remove_file(file).expect("removed");
        assert!(!accepted(&release), "{} is gone", file.display());
        std::fs::write(file, before).expect("restored");
        assert!(accepted(&release));
    }
    std::fs::write(release.join("notes.txt"), "raw ids").expect("written");
    assert!(!accepted(&release), "a file that the report does not name");
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).expect("text");
    assert!(text.contains(from), "{} does not hold {from}", file.display());
    std::fs::write(file, text.replacen(from, to, 1)).expect("changed");
}

/// Changes a product and puts its new digest into the report, and makes the page anew by hand: what a careful forger does.
fn forge(change: impl Fn(&str) -> String) -> bool {
    let (_run, release) = published(SinkFormat::Csv);
    let path = release.join("people.csv");
    let digest = |path: &Path| backmask::io::sha256_file(path).expect("a digest");
    let before = digest(&path);
    std::fs::write(&path, change(&std::fs::read_to_string(&path).expect("text"))).expect("changed");
    replace(&release.join("report.json"), &before, &digest(&path));
    let report: backmask::release::report::Report =
        serde_json::from_slice(&std::fs::read(release.join("report.json")).expect("a report")).expect("a report");
    let page = backmask::release::report::html(&report, backmask::release::report::Audience::Recipient);
    std::fs::write(release.join("report.html"), page).expect("written");
    accepted(&release)
}

#[test]
fn a_forged_digest_does_not_help() {
    assert!(forge(str::to_owned), "the forger's tools work");
    // One person moved into a class of their own, and a row more, and a column more.
    assert!(!forge(|text| {
        let (head, last) = text.trim_end().rsplit_once('\n').expect("rows");
        let person = last.split(',').next().expect("a token");
        format!("{head}\n{person},[90; 100[,north\n")
    }));
    assert!(!forge(|text| {
        let last = text.trim_end().rsplit('\n').next().expect("a row").to_owned();
        format!("{text}{last}\n")
    }));
    assert!(!forge(|text| {
        let wider: Vec<String> =
            text.lines().enumerate().map(|(i, line)| format!("{line},{}", if i == 0 { "name" } else { "ann" })).collect();
        wider.join("\n") + "\n"
    }));
}

#[test]
fn statements_that_the_policy_does_not_make_are_found() {
    let (_run, release) = published(SinkFormat::Parquet);
    for (file, from, to) in [
        ("policy.toml", "k = 12", "k = 13"),
        ("policy.toml", "enclave", "everybody"),
        ("policy.toml", "max_risk = 0.09", "max_risk = 0.08"),
        ("policy.toml", "tampering", "tempering"),
        ("transformation.json", "north", "norths"),
        ("transformation.json", "\"level\": ", "\"level\": 1"),
        ("report.json", "\"k\": 12", "\"k\": 13"),
        ("report.json", "\"enclave\"", "\"nothing\""),
        ("report.json", "\"holds\": true", "\"holds\": false"),
        ("report.json", "\"unit\": \"subject\"", "\"unit\": \"row\""),
    ] {
        let before = std::fs::read(release.join(file)).expect("bytes");
        replace(&release.join(file), from, to);
        assert!(!accepted(&release), "{from} for {to} in {file}");
        std::fs::write(release.join(file), before).expect("restored");
        assert!(accepted(&release));
    }
}
