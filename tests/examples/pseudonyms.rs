//! Key rings, codebooks and tokens by period, through the binaries.

use super::support::{Scratch, files};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

const POLICY: &str = r#"
version = 1
name = "log"
[subject]
column = "user"
pseudonym = { PSEUDONYM }
[columns.artist]
role = "item"
[columns.at]
role = "time"
treatment = "drop"
[[products]]
name = "log"
kind = "records"
accept_risk = "enclave"
[gate]
trials = 20
known_items = [1]
"#;

fn scratch(pseudonym: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("policy.toml", POLICY.replace("PSEUDONYM", pseudonym));
    let mut text = "user,artist,at\n".to_owned();
    for row in 0..300 {
        let _ = writeln!(text, "sesame-{},a{},2026-0{}-1{}T12:00:00Z", row % 20, row % 5, 1 + row % 3, row % 7);
    }
    scratch.write("people.csv", text);
    scratch
}

#[test]
fn a_ring_makes_tokens_with_its_active_key_and_verifies_with_the_one_they_were_made_with() {
    let scratch = scratch("method = \"hmac-sha256\", scope = \"period\", period = \"month\"");
    let first = scratch.run("keygen", &["--ring", "pool.ring", "--json"]).ends(0).json()["id"].as_str().expect("an id").to_owned();
    scratch.release(&["--key-file", "pool.ring"]);
    let steward = fs::read_to_string(scratch.path("out/steward/report.json")).expect("a report");
    assert!(steward.contains(&first));
    assert!(!fs::read_to_string(scratch.path("out/release/report.json")).expect("a report").contains(&first));
    let original = ["--original", "people.csv", "--key-file", "pool.ring"];
    scratch.verify(&original).ends(0);
    // Another key is active now; the release is still verified with its own.
    scratch.run("keygen", &["--ring", "pool.ring", "--rotate"]).ends(0);
    scratch.verify(&original).ends(0);
    scratch.run("verify", &["--release", "out/release", "--original", "policy.toml", "--key-file", "pool.ring"]).ends(3);
    // An erased key verifies nothing, and a ring without an active key makes nothing.
    scratch.run("keygen", &["--ring", "pool.ring", "--erase", &first]).ends(0);
    scratch.verify(&original).ends(2).says(&["erased"]);
    let list = scratch.run("keygen", &["--ring", "pool.ring", "--list", "--json"]).ends(0).json();
    let active = list["active"].as_str().expect("an active key").to_owned();
    scratch.run("keygen", &["--ring", "pool.ring", "--retire", &active]).ends(0);
    let before = files(&scratch.path("out"));
    scratch.run("anonymize", &["--policy", "policy.toml", "--input", "people.csv", "--output", "new", "--key-file", "pool.ring"]).ends(2);
    assert!(!scratch.path("new").join("release").exists() && files(&scratch.path("out")) == before);
    // The files alone can always be checked.
    scratch.verify(&[]).ends(0);
}

#[test]
fn a_codebook_needs_a_key_file_and_stays() {
    let scratch = scratch("method = \"dense\", codebook = true");
    scratch.anonymize(&[]).ends(2).says(&["subject.pseudonym.codebook", "--key-file"]);
    scratch.nothing_published();
    scratch.run("keygen", &["--output", "pool.key"]).ends(0);
    scratch.anonymize(&["--key-file", "pool.key"]).ends(0);
    assert!(scratch.path("out/steward/codebooks/log.user.codebook").is_file());
    assert!(!files(&scratch.path("out/release")).iter().any(|file| file.contains("codebook")));
    scratch.verify(&["--original", "people.csv", "--key-file", "pool.key"]).ends(0);
    // Assessing writes nothing.
    let arguments = ["--policy", "policy.toml", "--input", "people.csv", "--assess-only", "--key-file", "pool.key"];
    let before = files(&scratch.path(""));
    scratch.run("anonymize", &arguments).ends(0);
    assert_eq!(files(&scratch.path("")), before);
}

#[test]
fn the_people_of_a_release_are_turned_back_under_the_name_of_their_column() {
    for (method, more) in [("aes-siv", &[][..]), ("dense", &["--codebook", "out/steward/codebooks/log.user.codebook"])] {
        let scratch = scratch(&format!("method = \"{method}\", codebook = {}", method == "dense"));
        scratch.run("keygen", &["--output", "pool.key"]).ends(0);
        scratch.release(&["--key-file", "pool.key", "--format", "csv"]);
        let named = ["--input", "out/release/log.csv", "--output", "back.csv", "--column", "token", "--release", "log", "--product", "log"];
        let reverse = ["--key-file", "pool.key", "--method", method, "--reverse", "--reason", "ticket 17"];
        let back = |made_as: &[&str]| scratch.run("pseudonymize", &[&named[..], &reverse, more, made_as].concat());
        back(&[]).ends(2).says(&["key"]);
        back(&["--made-as", "other"]).ends(2).says(&["key"]);
        back(&["--made-as", "user"]).ends(0);
        let people = |file: &str| -> BTreeSet<String> {
            let text = fs::read_to_string(scratch.path(file)).expect("a table");
            text.lines().skip(1).filter_map(|line| Some(line.split(',').next()?.to_owned())).collect()
        };
        assert_eq!(people("back.csv"), people("people.csv"), "{method}");
    }
}

#[test]
fn irreversible_tokens_are_verified_as_far_as_that_can_be() {
    let scratch = scratch("method = \"aes-siv\", irreversible = true");
    scratch.run("keygen", &["--output", "pool.key"]).ends(0);
    scratch.release(&["--key-file", "pool.key"]);
    let ran = scratch.verify(&["--original", "people.csv", "--key-file", "pool.key"]).ends(0);
    ran.says(&["unverifiable", "irreversible tokens cannot be made again"]);
    let report = fs::read_to_string(scratch.path("out/release/report.html")).expect("a page");
    assert!(report.contains("random bits of the key were used and forgotten"));
}

#[test]
fn a_released_token_that_was_changed_is_found() {
    let scratch = scratch("method = \"blake3\", scope = \"session\", session_gap = 30");
    scratch.run("keygen", &["--output", "pool.key"]).ends(0);
    scratch.release(&["--key-file", "pool.key", "--format", "csv"]);
    let path = scratch.path("out/release/log.csv");
    let text = fs::read_to_string(&path).expect("a product");
    let token = text.lines().nth(1).and_then(|line| line.split(',').next()).expect("a token").to_owned();
    assert_eq!(token.len(), 32);
    fs::write(&path, text.replace(&token, &"0".repeat(32))).expect("written");
    scratch.verify(&[]).ends(3);
}
