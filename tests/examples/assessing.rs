//! Measuring without publishing.

use super::support::{POLICY, Scratch, files, policy_with_tokens};
use std::fmt::Write;

#[test]
fn a_raw_pool_is_assessed_and_nothing_is_written() {
    let scratch = Scratch::new();
    scratch.run("simulate", &["--subjects", "100", "--events", "5000", "--output", "pool"]).ends(0);
    let before = files(&scratch.path(""));
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policies/simulated-raw.toml");
    let ran = scratch.run("assess", &["--input", "pool/events.parquet", "--policy", policy]).ends(0);
    let report = ran.json();
    assert_eq!(report["gate"]["passed"], false);
    let attacks = report["products"][0]["attacks"].as_array().expect("attacks");
    let worst = attacks.iter().filter_map(|attack| attack["gate_value"].as_f64()).fold(0.0, f64::max);
    assert!(worst > 0.5, "four artists single out most people of a raw log, found {worst}");
    assert_eq!(files(&scratch.path("")), before);
    // The same seed for the same question: the same answer.
    let again = scratch.run("assess", &["--input", "pool/events.parquet", "--policy", policy, "--quiet"]).ends(0);
    assert_eq!(again.json()["products"][0]["attacks"], report["products"][0]["attacks"]);
    assert_eq!(again.stderr, "");
}

#[test]
fn a_released_product_is_assessed_as_it_is() {
    let scratch = Scratch::new();
    scratch.write("policy.toml", policy_with_tokens());
    scratch.release(&[]);
    // What a recipient knows of it: the columns of the file, the token as the person.
    scratch.write("seen.toml", POLICY.replace("subject_id", "token").replace("hierarchy = { intervals = [5, 10, 20] }\n", ""));
    let released = scratch.run("assess", &["--input", "out/release/people.parquet", "--policy", "seen.toml"]).ends(0).json();
    let raw = scratch.run("assess", &["--input", "people.csv", "--policy", "policy.toml"]).ends(0).json();
    let k = |report: &serde_json::Value| report["products"][0]["guarantees"][0]["achieved"].clone();
    assert!(k(&raw).as_u64() < k(&released).as_u64(), "{} {}", k(&raw), k(&released));
    assert!(k(&released).is_number());
    assert_eq!(k(&released), k(&super::support::read_json(&scratch.path("out/release/report.json"))));
    assert_eq!(released["gate"]["passed"], true, "{}", released["gate"]);
}

#[test]
fn every_model_about_the_table_is_measured() {
    let scratch = Scratch::new();
    // Two classes by city; a person's mood is one of three in Aachen, and the same for everybody in Bergen.
    let mut text = "city,mood\n".to_owned();
    for person in 0..60 {
        if person % 2 == 0 {
            writeln!(text, "Aachen,{}", person % 3).expect("text");
        } else {
            text.push_str("Bergen,7\n");
        }
    }
    scratch.write("moods.csv", text);
    let policy = r#"
version = 1
name = "moods"
[columns.city]
role = "quasi-identifier"
[columns.mood]
role = "sensitive"
[[products]]
name = "people"
kind = "records"
models = [
  { name = "k-anonymity", k = 30 },
  { name = "distinct-l-diversity", column = "mood", l = 2 },
  { name = "t-closeness", column = "mood", t = 0.6, distance = "equal" },
  { name = "population-uniqueness", threshold = 0.1, population_size = 1000 },
]
[gate]
attacks = []
"#;
    scratch.write("moods.toml", policy);
    let report = scratch.run("assess", &["--input", "moods.csv", "--policy", "moods.toml"]).ends(0).json();
    let found: Vec<_> = report["products"][0]["guarantees"]
        .as_array()
        .expect("guarantees")
        .iter()
        .map(|found| {
            (
                found["model"].as_str().expect("a name"),
                found["achieved"].as_f64().expect("a figure"),
                found["holds"].as_bool().expect("an answer"),
            )
        })
        .collect();
    // In Bergen one mood has the share 1 where the table has 1/2.
    assert_eq!(found, [("k-anonymity", 30.0, true), ("distinct-l-diversity", 1.0, false), ("t-closeness", 0.5, true)]);
}

#[test]
fn assess_only_publishes_nothing_and_says_what_the_gate_would_do() {
    let scratch = Scratch::new();
    let before = files(&scratch.path(""));
    for more in [&[][..], &["--output", "out"]] {
        let call = [&["--policy", "policy.toml", "--input", "people.csv", "--assess-only", "--json"], more].concat();
        let report = scratch.run("anonymize", &call).ends(0).json();
        assert_eq!(report["gate"]["passed"], true);
        assert_eq!(report["products"][0]["rows"], 400);
        assert_eq!(files(&scratch.path("")), before);
        assert!(!scratch.path("out").exists());
    }
    // What would be refused is no error here, and no refusal is logged: nobody asked to publish.
    scratch.write("policy.toml", POLICY.replace("k = 12", "k = 2") + "[gate]\nmax_risk = 0.02\n");
    let ran = scratch.run("anonymize", &["--policy", "policy.toml", "--input", "people.csv", "--assess-only", "--json"]).ends(0);
    ran.says(&["raise k to 50"]);
    assert_eq!(ran.json()["gate"]["passed"], false);
    assert_eq!(files(&scratch.path("")), before);
}

#[test]
fn failures_of_assess() {
    let scratch = Scratch::new();
    scratch.run("assess", &["--input", "none.csv", "--policy", "policy.toml"]).ends(1).says(&["none.csv"]);
    scratch.run("assess", &["--input", "people.csv", "--policy", "none.toml"]).ends(2).says(&["none.toml"]);
    let ran = scratch.run("assess", &["--input", "people.csv"]).ends(2);
    ran.says(&["--policy"]);
}
