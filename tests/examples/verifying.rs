//! `verify --table`: any table under any policy, whoever made it.

use super::support::{POLICY, Ran, Scratch, policy_with_tokens};
use std::fmt::Write;

const TABLE: &str = "
version = 1
name = 'moods'
[columns.year]
role = 'quasi-identifier'
hierarchy = { intervals = [10] }
[columns.mood]
role = 'sensitive'
[columns.phone]
role = 'identifier'
[[products]]
name = 'p'
kind = 'records'
search = 'fixed'
levels = { year = 1 }
models = [
  { name = 'k-anonymity', k = 6 },
  { name = 'distinct-l-diversity', column = 'mood', l = 2 },
  { name = 't-closeness', column = 'mood', t = 0.3, distance = 'equal' },
]
[gate]
max_risk = 0.5
attacks = []
";

/// Two classes of six, half calm and half wild.
fn rows() -> Vec<[&'static str; 2]> {
    let class = |year| [[year, "calm"], [year, "wild"], [year, "calm"], [year, "wild"], [year, "calm"], [year, "wild"]];
    [class("[1980, 1990)"), class("[1990, 2000)")].concat()
}

fn csv(rows: &[[&str; 2]]) -> String {
    rows.iter().fold("year,mood\n".to_owned(), |mut text, [year, mood]| {
        writeln!(text, "\"{year}\",{mood}").expect("text");
        text
    })
}

fn check(scratch: &Scratch, rows: &[[&str; 2]], more: &[&str]) -> Ran {
    scratch.write("moods.toml", TABLE);
    scratch.write("moods.csv", csv(rows));
    scratch.run("verify", &[&["--table", "moods.csv", "--policy", "moods.toml", "--json"], more].concat())
}

/// Models that do not hold.
#[track_caller]
fn untrue(ran: Ran) -> Vec<String> {
    let answer = ran.ends(3).json();
    assert_eq!(answer["holds"], false);
    let guarantees = answer["guarantees"].as_array().expect("guarantees").iter();
    guarantees
        .filter(|guarantee| guarantee["holds"] == false)
        .map(|guarantee| guarantee["model"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn a_table_that_satisfies_its_policy() {
    let scratch = Scratch::new();
    let answer = check(&scratch, &rows(), &[]).ends(0).json();
    assert_eq!((&answer["holds"], &answer["rows"], &answer["subjects"]), (&true.into(), &12.into(), &12.into()));
    let found: Vec<(&str, f64, &str)> = answer["guarantees"]
        .as_array()
        .expect("guarantees")
        .iter()
        .map(|g| (g["model"].as_str().expect("m"), g["achieved"].as_f64().expect("a"), g["verified"].as_str().expect("v")))
        .collect();
    assert_eq!(found, [("k-anonymity", 6.0, "release"), ("distinct-l-diversity", 2.0, "release"), ("t-closeness", 0.0, "release")]);
    assert_eq!(answer["guarantees"][2]["reference"], "released");
    assert_eq!(answer["guarantees"][0]["parameters"]["k"], 6);
}

#[test]
fn every_change_that_breaks_a_model_is_caught() {
    let scratch = Scratch::new();
    // One cell: that person is alone, and the class has lost one.
    let mut cell = rows();
    cell[0][0] = "[1970, 1980)";
    assert_eq!(untrue(check(&scratch, &cell, &[])), ["k-anonymity", "distinct-l-diversity", "t-closeness"]);
    // A class of k − 1.
    assert_eq!(untrue(check(&scratch, &rows()[1..], &[])), ["k-anonymity"]);
    // Sensitive values change places: as many of each as before.
    let mut swapped = rows();
    for (index, row) in swapped.iter_mut().enumerate() {
        row[1] = if index < 6 { "calm" } else { "wild" };
    }
    assert_eq!(untrue(check(&scratch, &swapped, &[])), ["distinct-l-diversity", "t-closeness"]);
    // One class leans, but both values stay.
    let mut leaning = rows();
    for row in &mut leaning[1..4] {
        row[1] = "calm";
    }
    leaning[11][1] = "calm";
    for row in &mut leaning[6..11] {
        row[1] = "wild";
    }
    assert_eq!(untrue(check(&scratch, &leaning, &[])), ["t-closeness"]);
}

/// All classes move alike: nothing in the table shows it, the distribution at fit time does.
#[test]
fn a_distribution_that_moved_as_a_whole_needs_the_reference() {
    let scratch = Scratch::new();
    scratch.write("raw.toml", TABLE.replace("[columns.phone]\nrole = 'identifier'\n", ""));
    let raw: String = (0..12).fold("year,mood\n".to_owned(), |mut text, i| {
        writeln!(text, "{},{}", 1980 + 10 * (i / 6), if i % 2 == 0 { "calm" } else { "wild" }).expect("text");
        text
    });
    scratch.write("raw.csv", raw);
    scratch.run("anonymize", &["--policy", "raw.toml", "--input", "raw.csv", "--output", "out"]).ends(0);
    let reference = ["--reference", "out/steward/transformation.json"];
    let released =
        scratch.run("verify", &[&["--table", "out/release/p.parquet", "--policy", "raw.toml", "--json"], &reference[..]].concat());
    let answer = released.ends(0).json();
    assert_eq!((&answer["guarantees"][2]["reference"], &answer["guarantees"][2]["verified"]), (&"fit".into(), &"release+pool".into()));
    check(&scratch, &rows(), &reference).ends(0);
    let mut moved = rows();
    for (index, row) in moved.iter_mut().enumerate() {
        row[1] = if index % 6 == 0 { "wild" } else { "calm" };
    }
    check(&scratch, &moved, &[]).ends(0);
    assert_eq!(untrue(check(&scratch, &moved, &reference)), ["t-closeness"]);
    // Not the steward's file, or a damaged one.
    check(&scratch, &rows(), &["--reference", "out/release/transformation.json"]).ends(1).says(&["transformation.json", "recipient"]);
    check(&scratch, &rows(), &["--reference", "moods.csv"]).ends(1).says(&["moods.csv"]);
}

#[test]
fn people_are_counted_by_tokens_or_not_at_all() {
    let scratch = Scratch::new();
    scratch.write("policy.toml", policy_with_tokens());
    scratch.release(&[]);
    let verify = |table: &str| scratch.run("verify", &["--table", table, "--policy", "policy.toml", "--json"]);
    let answer = verify("out/release/people.parquet").ends(0).json();
    assert_eq!((&answer["subjects"], &answer["guarantees"][0]["unit"]), (&400.into(), &"subject".into()));
    // The raw table names its people, and seven of them look alike at most.
    let raw = verify("people.csv").ends(3);
    raw.says(&["NOT TRUE"]);
    assert_eq!(raw.json()["holds"], false);
    // Without tokens a count of rows is no count of people, unless it is too small already.
    scratch.write("policy.toml", POLICY);
    let out = scratch.path("out");
    std::fs::remove_dir_all(out).expect("removed");
    scratch.release(&[]);
    let ran = verify("out/release/people.parquet").ends(3);
    ran.says(&["unverifiable", "needs the pool"]);
    let answer = ran.json();
    assert_eq!((&answer["holds"], &answer["guarantees"][0]["unit"]), (&serde_json::Value::Null, &"row".into()));
}

#[test]
fn what_the_policy_does_not_know_or_does_not_want() {
    let scratch = Scratch::new();
    check(&scratch, &rows(), &["--product", "q"]).ends(2).says(&["no product q"]);
    let text = csv(&rows());
    scratch.write("secret.csv", text.replace("year,mood", "year,shoe"));
    scratch.run("verify", &["--table", "secret.csv", "--policy", "moods.toml"]).ends(2).says(&["column shoe", "no role"]);
    scratch.write("less.csv", "year\n1980\n");
    scratch.run("verify", &["--table", "less.csv", "--policy", "moods.toml"]).ends(2).says(&["column mood"]);
    // An identifier that should have been dropped.
    let phones: String =
        text.lines().enumerate().map(|(i, line)| if i == 0 { format!("{line},phone\n") } else { format!("{line},0171-{i}\n") }).collect();
    scratch.write("phones.csv", phones);
    let ran = scratch.run("verify", &["--table", "phones.csv", "--policy", "moods.toml", "--json"]).ends(3);
    assert_eq!(ran.json()["unexpected_columns"], serde_json::json!(["phone"]));
    scratch.write("bad.toml", "version = 1\n");
    scratch.run("verify", &["--table", "phones.csv", "--policy", "bad.toml"]).ends(2);
    scratch.run("verify", &["--table", "phones.csv"]).ends(2);
    scratch.run("verify", &["--table", "phones.csv", "--policy", "moods.toml", "--release", "out"]).ends(2);
    scratch.run("verify", &["--table", "absent.csv", "--policy", "moods.toml"]).ends(1).says(&["absent.csv"]);
}
