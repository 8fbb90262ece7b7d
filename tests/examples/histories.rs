//! Cohorts and fragments, as a steward makes and checks them.

use super::support::{Scratch, assert_complete, read_json};
use std::fmt::Write;

const POLICY: &str = r#"
version = 1
name = "tastes-of-a-pool"
purpose = "tests"
[subject]
column = "subject_id"
[columns]
track_id = { role = "item" }
track_name = { role = "item", treatment = "drop" }
started_at = { role = "time", treatment = "drop" }
[[products]]
name = "tastes"
kind = "cohorts"
k = 12
min_members = 3
items = { canonical = "name" }
[[products]]
name = "pieces"
kind = "fragments"
max_items = 4
k = 12
order = "kept"
items = { canonical = "name" }
[gate]
trials = 200
"#;

/// Listening events of so many people, in CSV; every value holds the word that must be in no message.
fn events(people: u32) -> String {
    let mut text = "subject_id,track_id,track_name,started_at\n".to_owned();
    for person in 0..people {
        for item in 0..6 {
            let item = (person % 3) * 4 + (person / 3 + item * item) % 7;
            writeln!(text, "sesame-{person},sesame:{item},Sesame {item},2026-01-{:02}T10:00:00Z", 1 + item % 28).expect("text");
        }
    }
    text
}

fn scratch(people: u32) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("policy.toml", POLICY);
    scratch.write("people.csv", events(people));
    scratch
}

#[test]
fn a_pool_becomes_cohorts_and_fragments_that_anybody_can_check() {
    let scratch = scratch(200);
    scratch.run("keygen", &["--output", "key", "--quiet"]).ends(0);
    let ran = scratch.anonymize(&["--json", "--key-file", "key", "--format", "csv"]).ends(0);
    assert_complete(&scratch.path("out"));
    let products = ran.json()["report"]["products"].clone();
    assert_eq!((&products[0]["kind"], &products[1]["kind"]), (&"cohorts".into(), &"fragments".into()));
    let promises = |product: usize| {
        let all = products[product]["guarantees"].as_array().expect("a list").clone();
        all.iter().map(|promise| promise["model"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(promises(0), ["cohort-size", "cell-support"]);
    assert_eq!(promises(1), ["k^m-anonymity", "fragment-size"]);
    assert_eq!(products[1]["guarantees"][0]["parameters"]["support"], "released");
    // The attacks that need a control group say so; the others have figures.
    assert!(
        products[0]["attacks"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|attack| attack["not_run"].as_str().is_some_and(|why| why.contains("control")))
    );
    let known: Vec<_> =
        products[1]["attacks"].as_array().expect("a list").iter().filter(|attack| attack["name"] == "known-items").collect();
    assert_eq!(known.len(), 5);
    assert!(known.iter().all(|attack| attack["gate_value"].as_f64() <= Some(0.09) && attack["original_rate"].is_number()));
    let text = std::fs::read_to_string(scratch.path("out/release/pieces.csv")).expect("text");
    assert!(text.starts_with("fragment_id,item,position\n"));

    let alone = scratch.verify(&["--json"]).ends(0).json();
    assert_eq!(alone["holds"], true);
    let with_pool = scratch.verify(&["--json", "--original", "people.csv", "--key-file", "key"]).ends(0).json();
    let open: Vec<_> = with_pool["checks"].as_array().expect("checks").iter().filter(|check| check["holds"] != true).collect();
    assert!(open.is_empty(), "{open:?}");
    // One row less is found.
    let shorter: Vec<&str> = text.lines().collect();
    scratch.write("out/release/pieces.csv", shorter[..shorter.len() - 1].join("\n") + "\n");
    scratch.verify(&["--json"]).ends(3).says(&["not everything that this release states is true"]);
}

#[test]
fn a_control_group_answers_what_is_learned_of_members() {
    let scratch = scratch(300);
    scratch.write("policy.toml", POLICY.replace("[gate]", "[gate]\nmax_risk = 1.0\ncontrol = 0.3"));
    let report = scratch.anonymize(&["--json"]).ends(0).json()["report"].clone();
    let attacks = report["products"][0]["attacks"].as_array().expect("a list").clone();
    let of = |name: &str| attacks.iter().filter(|attack| attack["name"] == name).cloned().collect::<Vec<_>>();
    let (attribute, membership) = (of("attribute"), of("membership"));
    // Nobody has more than four items.
    assert_eq!(attribute.len(), 5);
    assert!(attribute[4]["not_run"].as_str().expect("a reason").contains("more than 8"));
    for attack in attribute[..3].iter().chain(&membership) {
        for key in ["rate", "upper", "baseline", "excess", "original_rate", "gate_value"] {
            assert!(attack[key].is_number(), "{key}: {attack}");
        }
        assert_eq!(attack["deciles"].as_array().expect("tenths").len(), 10);
    }
    assert_eq!(membership.len(), 1);
    assert_eq!(membership[0]["baseline"], 0.05);
    assert!(report["products"][0]["control_people"].as_u64() > Some(50));
    assert!(read_json(&scratch.path("out/release/report.json"))["products"][0]["control_people"].is_null());
}

#[test]
fn fewer_people_than_k_and_a_small_k_are_refused() {
    let few = scratch(11);
    let ran = few.anonymize(&["--json"]).ends(3);
    assert_eq!(ran.json()["exit"], 3);
    ran.says(&["11 people", "k is 12"]);
    few.nothing_published();
    let small = scratch(200);
    small.write("policy.toml", POLICY.replace("k = 12", "k = 5"));
    let ran = small.anonymize(&[]).ends(3);
    ran.says(&["picking a person out of the smallest cohort succeeds with probability 1/5", "raise k to 12"]);
    small.nothing_published();
    small.write("policy.toml", POLICY.replace("k = 12", "k = 5\naccept_risk = \"enclave\""));
    let accepted = small.anonymize(&["--json"]).ends(0).json();
    assert_eq!(accepted["report"]["accepted_risks"].as_array().expect("a list").len(), 2);
}

#[test]
fn mistakes_end_before_anything_is_read() {
    let scratch = scratch(50);
    for (from, to, words) in [
        ("min_members = 3", "min_members = 13", "13 is more than the 12"),
        ("max_items = 4", "max_items = 0", "too small"),
        ("items = { canonical = \"name\" }", "items = { canonical = { file = \"absent.csv\" } }", "absent.csv is not there"),
        ("items = { canonical = \"name\" }", "items = { canonical = \"name\", names = [\"title\"] }", "not declared"),
        ("[subject]\ncolumn = \"subject_id\"", "", "names the person"),
    ] {
        scratch.write("policy.toml", POLICY.replacen(from, to, 1));
        scratch.anonymize(&[]).ends(2).says(&[words]);
        scratch.nothing_published();
    }
}

#[test]
fn assessing_measures_whole_lists_and_changes_nothing() {
    let scratch = scratch(100);
    let ran = scratch.run("assess", &["--policy", "policy.toml", "--input", "people.csv"]).ends(0);
    let report = ran.json();
    assert_eq!(report["products"][1]["unicity"].as_array().expect("points").len(), 5);
    assert_eq!(report["products"][1]["guarantees"].as_array().expect("a list").len(), 0);
    let only = scratch.run("anonymize", &["--policy", "policy.toml", "--input", "people.csv", "--assess-only", "--json"]).ends(0).json();
    assert_eq!(only["gate"]["passed"], true);
    scratch.nothing_published();
}
