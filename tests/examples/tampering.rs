//! A release that was changed after it was made: `verify` says which statement is not true.

use super::support::{Ran, Scratch, policy_with_tokens, read_json};
use backmask::io::{ReadOptions, SinkFormat, SinkOptions, contents, create_sink, open_table, read, sha256_file};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A release with tokens, made with a key file.
fn released() -> Scratch {
    release_of(&policy_with_tokens())
}

fn release_of(policy: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("policy.toml", policy);
    scratch.run("keygen", &["--output", "k", "--quiet"]).ends(0);
    scratch.release(&["--key-file", "k"]);
    scratch.verify(&[]).ends(0);
    scratch
}

/// Statements that are not true.
#[track_caller]
fn untrue(scratch: &Scratch) -> Vec<String> {
    let ran = scratch.verify(&["--json", "--quiet"]).ends(3);
    ran.says(&["NOT TRUE"]);
    let answer = ran.json();
    assert_eq!(answer["holds"], false);
    answer["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter(|check| check["holds"] == false)
        .map(|check| format!("{}: {}", check["product"].as_str().unwrap_or("release"), check["statement"].as_str().expect("a statement")))
        .collect()
}

#[track_caller]
fn change_report(scratch: &Scratch, change: impl FnOnce(&mut Value)) {
    let path = scratch.path("out/release/report.json");
    let mut report = read_json(&path);
    change(&mut report);
    fs::write(path, serde_json::to_vec_pretty(&report).expect("JSON")).expect("written");
}

/// Writes a product again with the rows from `first` on, and makes the report's hash fit.
fn without_rows(scratch: &Scratch, first: usize) {
    let path = scratch.path("out/release/people.parquet");
    let source = open_table(contents(&path).expect("a product").remove(0), None, None, None).expect("a table");
    let batches: Vec<_> = read(&[source], &ReadOptions::default()).expect("a stream").collect::<Result<_, _>>().expect("batches");
    let mut sink = create_sink(&path, SinkFormat::Parquet, batches[0].schema(), &SinkOptions::default()).expect("a sink");
    for (index, batch) in batches.iter().enumerate() {
        let from = if index == 0 { first } else { 0 };
        sink.write(&batch.slice(from, batch.num_rows() - from)).expect("written");
    }
    sink.finish().expect("a file");
    rewrite_hash(scratch, &path);
}

fn rewrite_hash(scratch: &Scratch, product: &Path) {
    let hash = sha256_file(product).expect("a hash");
    change_report(scratch, |report| report["products"][0]["sha256"] = hash.into());
}

#[test]
fn one_flipped_byte() {
    let scratch = released();
    let path = scratch.path("out/release/people.parquet");
    let whole = fs::read(&path).expect("a product");
    for at in [0, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).expect("written");
        assert_eq!(untrue(&scratch), ["people: has this SHA-256"]);
    }
    // With the hash rewritten too, the file is either unreadable or its rows do not fit the report.
    let mut bytes = whole.clone();
    bytes[whole.len() - 1] ^= 1;
    fs::write(&path, bytes).expect("written");
    rewrite_hash(&scratch, &path);
    scratch.verify(&[]).ends(1).says(&["people.parquet"]);
}

#[test]
fn rows_that_were_removed() {
    let scratch = released();
    without_rows(&scratch, 1);
    let found = untrue(&scratch);
    assert!(found.contains(&"people: has 400 rows".to_owned()) && found.contains(&"people: holds 400 people".to_owned()), "{found:?}");
    // The saboteur corrects these numbers as well; the smallest class may have lost a person, which one row alone need not show.
    let scratch = released();
    without_rows(&scratch, 200);
    change_report(&scratch, |report| {
        report["products"][0]["rows"] = 200.into();
        report["products"][0]["subjects"] = 200.into();
    });
    let found = untrue(&scratch);
    assert!(found.iter().any(|statement| statement.starts_with("people: k-anonymity")), "{found:?}");
}

/// Without tokens people cannot be counted, but a class never has more people than rows.
#[test]
fn rows_that_were_removed_where_no_token_counts_people() {
    let scratch = release_of(super::support::POLICY);
    without_rows(&scratch, 250);
    change_report(&scratch, |report| report["products"][0]["rows"] = 150.into());
    let found = untrue(&scratch);
    assert!(found.contains(&"people: holds 400 people".to_owned()), "{found:?}");
    assert!(found.iter().any(|statement| statement.starts_with("people: k-anonymity")), "{found:?}");
}

#[test]
fn figures_that_were_changed_in_the_report() {
    let scratch = released();
    let k = read_json(&scratch.path("out/release/report.json"))["products"][0]["guarantees"][0]["achieved"].as_f64().expect("k");
    change_report(&scratch, |report| report["products"][0]["guarantees"][0]["achieved"] = (k + 1.0).into());
    let found = untrue(&scratch);
    assert!(found.iter().any(|statement| statement.starts_with("people: k-anonymity")), "{found:?}");

    let scratch = released();
    change_report(&scratch, |report| report["products"][0]["guarantees"][0]["parameters"]["k"] = 200.into());
    let found = untrue(&scratch);
    assert!(found.iter().any(|statement| statement.starts_with("people: roles, models")), "{found:?}");

    // A guarantee that the policy declares is not in the report.
    let scratch = released();
    change_report(&scratch, |report| report["products"][0]["guarantees"] = Value::Array(Vec::new()));
    assert!(!untrue(&scratch).is_empty());

    // The policy is changed so that the k that was reached would not have been enough.
    let scratch = released();
    let policy = fs::read_to_string(scratch.path("out/release/policy.toml")).expect("a policy");
    assert!(policy.contains("k = 12"));
    fs::write(scratch.path("out/release/policy.toml"), policy.replace("k = 12", "k = 200")).expect("written");
    assert!(!untrue(&scratch).is_empty());

    // A product vanishes from the report: its file is then one that nobody names.
    let scratch = released();
    change_report(&scratch, |report| report["products"] = Value::Array(Vec::new()));
    assert!(untrue(&scratch).iter().any(|statement| statement.starts_with("release: ")));

    let scratch = released();
    change_report(&scratch, |report| report["gate"]["passed"] = false.into());
    assert!(untrue(&scratch).contains(&"release: the gate passed".to_owned()));
}

#[test]
fn files_that_were_added_removed_or_swapped() {
    let scratch = released();
    scratch.write("out/release/original.csv", "sesame");
    assert_eq!(untrue(&scratch), ["release: the folder holds the products and their papers only"]);
    fs::remove_file(scratch.path("out/release/original.csv")).expect("removed");
    scratch.write("out/release/.hidden/x", "sesame");
    assert_eq!(untrue(&scratch), ["release: the folder holds the products and their papers only"]);

    // The product of another release of the same pool, in the same format.
    let scratch = released();
    let other = released();
    fs::copy(other.path("out/release/people.parquet"), scratch.path("out/release/people.parquet")).expect("copied");
    assert_eq!(untrue(&scratch), ["people: has this SHA-256"]);

    // The raw pool in place of the product, with its hash: the columns are none of the release, or k is not reached.
    let scratch = released();
    fs::copy(scratch.path("people.csv"), scratch.path("out/release/people.csv")).expect("copied");
    fs::remove_file(scratch.path("out/release/people.parquet")).expect("removed");
    change_report(&scratch, |report| report["products"][0]["file"] = "people.csv".into());
    rewrite_hash(&scratch, &scratch.path("out/release/people.csv"));
    let found = scratch.verify(&[]);
    assert!(matches!(found.code, Some(1 | 3)), "{found:?}");

    let scratch = released();
    fs::remove_file(scratch.path("out/release/people.parquet")).expect("removed");
    assert_eq!(untrue(&scratch), ["people: has a file"]);
}

#[test]
fn a_folder_that_holds_no_release() {
    let scratch = Scratch::new();
    scratch.run("verify", &["--release", "none"]).ends(1).says(&["none"]);
    fs::create_dir(scratch.path("empty")).expect("a folder");
    scratch.run("verify", &["--release", "empty"]).ends(1).says(&["report.json"]);
    scratch.write("broken/report.json", "{\"sesame\": ");
    scratch.run("verify", &["--release", "broken"]).ends(1).says(&["broken/report.json", "release/"]);
}

#[test]
fn the_originals_and_the_key_give_the_commitment() {
    let scratch = released();
    let check = |more: &[&str]| -> (Ran, Value) {
        let ran = scratch.verify(&[more, &["--json"]].concat());
        let answer = ran.json();
        let check = answer["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .find(|check| check["statement"].as_str().expect("text").contains("commitment"))
            .expect("a check")
            .clone();
        (ran, check)
    };
    let (ran, found) = check(&["--original", "people.csv", "--key-file", "k"]);
    ran.ends(0);
    assert_eq!((&found["holds"], &found["verified"]), (&true.into(), &"release+pool".into()));

    scratch.run("keygen", &["--output", "other", "--quiet"]).ends(0);
    let (ran, found) = check(&["--original", "people.csv", "--key-file", "other"]);
    let ran = ran.ends(3);
    assert_eq!(found["holds"], false);
    ran.says(&["NOT TRUE", "commitment", "another key"]);

    scratch.write("changed.csv", super::support::people(399));
    check(&["--original", "changed.csv", "--key-file", "k"]).0.ends(3);
    check(&["--original", "people.csv", "people.csv", "--key-file", "k"]).0.ends(0);

    // Without both, it is not claimed to be checked.
    for more in [&[][..], &["--key-file", "k"], &["--original", "people.csv"]] {
        let (ran, found) = check(more);
        ran.ends(0);
        assert!(found["holds"].is_null() && found["verified"] == "unverifiable", "{found}");
    }
    scratch.verify(&["--original", "none.csv", "--key-file", "k"]).ends(1).says(&["none.csv"]);
}

#[test]
fn originals_are_found_in_their_folder_among_other_files() {
    let scratch = Scratch::new();
    scratch.run("keygen", &["--output", "k", "--quiet"]).ends(0);
    fs::create_dir(scratch.path("pool")).expect("a folder");
    fs::rename(scratch.path("people.csv"), scratch.path("pool/people.csv")).expect("moved");
    scratch.write("pool/cover.png", "no data");
    scratch.write("pool/.hidden", "no data");
    scratch.run("anonymize", &["--policy", "policy.toml", "--input", "pool", "--output", "out", "--key-file", "k"]).ends(0);
    scratch.verify(&["--original", "pool", "--key-file", "k"]).ends(0).says(&["the same commitment"]);
}
