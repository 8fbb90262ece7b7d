//! Several releases of one pool, as a steward makes them.

use super::support::{Scratch, assert_complete, files, read_json};
use backmask::history::releases::{ABSENT, Register};
use backmask::keys;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

const POLICY: &str = r#"
version = 1
name = "tastes-of-a-pool"
[subject]
column = "subject_id"
[columns]
track_id = { role = "item" }
[[products]]
name = "tastes"
kind = "cohorts"
k = 12
[gate]
attacks = []
"#;

/// Listening events of these people; every value holds the word that must be in no message.
fn events(people: impl Iterator<Item = u32>) -> String {
    let mut text = "subject_id,track_id\n".to_owned();
    for person in people {
        for item in 0..6 {
            writeln!(text, "sesame-{person},sesame:{}", (person % 3) * 4 + (person / 3 + item * item) % 7).expect("text");
        }
    }
    text
}

const RELEASE: [&str; 10] =
    ["--policy", "policy.toml", "--input", "people.csv", "--key-file", "key", "--register", "pool.register", "--format", "csv"];

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("policy.toml", POLICY);
    scratch.write("people.csv", events(0..60));
    scratch.run("keygen", &["--output", "key", "--quiet"]).ends(0);
    scratch
}

/// The smallest cell of all releases in the register, by its definition.
fn smallest_cell(scratch: &Scratch) -> Option<usize> {
    let key = keys::open(scratch.path("key")).and_then(|keys| keys.active()).expect("the key");
    let register = Register::open(&scratch.path("pool.register"), &key).expect("whole, whatever was killed");
    let rows: Vec<Vec<u32>> = (0..register.releases().len()).map(|release| register.groups(release)).collect();
    let mut cells: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
    for person in 0..register.people().len() {
        *cells.entry(rows.iter().map(|row| row[person]).collect()).or_default() += 1;
    }
    cells.into_iter().filter(|(cell, _)| cell.iter().any(|&group| group != ABSENT)).map(|(_, size)| size).min()
}

#[test]
fn a_second_release_keeps_the_cohorts_of_the_first() {
    let scratch = scratch();
    let register = scratch.path("pool.register");
    let run = |more: &[&str]| scratch.run("anonymize", &[&RELEASE[..], more].concat());
    // Measuring leaves nothing behind.
    run(&["--assess-only", "--quiet"]).ends(0);
    assert!(!register.exists() && !scratch.path("pool.register.lock").exists());
    run(&["--output", "first"]).ends(0);
    let first = std::fs::read(&register).expect("the register");
    assert!(!String::from_utf8_lossy(&first).contains("sesame"), "a value stands open in the register");

    scratch.write("people.csv", events((0..75).filter(|&person| person != 7)));
    let ran = run(&["--output", "second", "--json"]).ends(0);
    assert!(ran.json()["report"]["registered"] == true);
    for out in ["first", "second"] {
        assert_complete(&scratch.path(out));
        assert!(files(&scratch.path(out)).iter().all(|file| !file.contains("register")));
    }
    assert!(smallest_cell(&scratch).is_some_and(|people| people >= 12));
    let notes = read_json(&scratch.path("second/steward/report.json"))["products"][0]["steward_notes"].to_string();
    assert!(notes.contains("Compared with earlier releases: 1."), "{notes}");
    assert!(read_json(&scratch.path("second/release/report.json"))["products"][0].get("steward_notes").is_none());
    let checked = scratch.run("verify", &["--release", "second/release", "--original", "people.csv", "--key-file", "key"]);
    checked.ends(0).says(&["earlier releases decide"]);

    let without = |gone: &str| {
        let at = RELEASE.iter().position(|word| *word == gone).expect("an option");
        [&RELEASE[..at], &RELEASE[at + 2..], &["--output", "third"]].concat()
    };
    scratch.run("anonymize", &without("--key-file")).ends(2).says(&["register", "--key-file"]);
    let inside = [&without("--register")[..], &["--register", "third/release/pool.register"]].concat();
    scratch.run("anonymize", &inside).ends(2).says(&["--register", "outside of --output"]);
    scratch.run("keygen", &["--output", "other", "--quiet"]).ends(0);
    let wrong = [&without("--key-file")[..], &["--key-file", "other"]].concat();
    scratch.run("anonymize", &wrong).ends(2).says(&["register of releases was written with"]);
    scratch.write("pool.register", &first[..first.len() - 3]);
    run(&["--output", "third"]).ends(1).says(&["pool.register"]);
    assert!(!scratch.path("third/release").exists());
}

#[test]
fn kills_leave_a_register_that_the_next_run_can_use() {
    let scratch = scratch();
    let arguments = |out: &'static str| [&RELEASE[..], &["--output", out, "--quiet"]].concat();
    let begun = Instant::now();
    scratch.run("anonymize", &arguments("whole")).ends(0);
    let whole = begun.elapsed();
    for number in 1..=10_u32 {
        scratch.write("people.csv", events((0..60 + 13 * number).filter(|person| person % 29 != number)));
        let mut child = scratch
            .command("anonymize", &arguments("out"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the example starts");
        // Most of the time goes by before the gate: the kills are spread over the end.
        std::thread::sleep(whole.mul_f64(0.7 + 0.05 * f64::from(number)).max(Duration::from_millis(1)));
        let _ended = child.kill();
        child.wait().expect("the child ended");
        // What a kill leaves beside it, the next run removes.
        assert!(!scratch.path("out/release").exists() || scratch.path("out/release/report.json").is_file());
        let _absent = std::fs::remove_dir_all(scratch.path("out"));
        assert!(smallest_cell(&scratch).is_some_and(|people| people >= 12), "kill {number}");
    }
    scratch.run("anonymize", &arguments("out")).ends(0);
    assert!(smallest_cell(&scratch).is_some_and(|people| people >= 12));
}
