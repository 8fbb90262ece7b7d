//! Somebody who tries it for the first time.

use super::support::{Scratch, assert_complete, files, read_json};

#[test]
fn without_arguments_a_simulated_pool_is_released_and_again() {
    let scratch = Scratch::new();
    let first = scratch.run("anonymize", &["--json"]).ends(0);
    first.says(&["Simulated 2,000 people", "target/demo/release/report.html", "target/demo/steward/report.html"]);
    let demo = scratch.path("target/demo");
    assert_complete(&demo);
    let answer = first.json();
    assert_eq!(answer["release"], "target/demo/release");
    assert_eq!(answer["steward"], "target/demo/steward");
    let report = &answer["report"];
    assert_eq!(report["schema"], 1);
    for key in ["name", "created", "version", "reproducible", "inputs", "input_commitment", "products", "gate", "seconds"] {
        assert!(!report[key].is_null(), "{key} is missing");
    }
    assert_eq!(report["gate"]["passed"], true);
    assert_eq!(report["gate"]["max_risk"], 0.09);
    let products = report["products"].as_array().expect("a list");
    assert_eq!(
        products.iter().map(|product| product["name"].as_str().expect("a name")).collect::<Vec<_>>(),
        ["people", "listens", "tastes", "pieces"]
    );
    for product in products {
        for key in ["kind", "file", "sha256", "rows", "subjects", "guarantees", "attacks"] {
            assert!(!product[key].is_null(), "{key} is missing");
        }
        let of_histories = product["kind"] != "records";
        assert_eq!((product["transformation"].is_null(), product["losses"].is_null()), (of_histories, !of_histories));
        assert!(product["rows"].as_u64() > Some(1000), "a demonstration of nothing");
    }
    // What the steward sees on the screen is what is in the file.
    assert_eq!(&read_json(&demo.join("steward/report.json")), report);
    // Of the pool the recipient sees neither files nor times.
    let recipient = read_json(&demo.join("release/report.json"));
    for key in ["inputs", "excluded", "seconds"] {
        assert!(recipient[key].is_null(), "{key} is in the recipient's report");
    }
    assert!(recipient["products"].as_array().expect("a list").iter().all(|product| product["losses"].is_null()));

    let verified = scratch.run("verify", &["--release", "target/demo/release", "--json"]).ends(0).json();
    assert_eq!(verified["holds"], true);
    assert!(verified["checks"].as_array().expect("checks").iter().any(|check| check["holds"] == true && check["product"] == "people"));

    let before = files(&demo);
    let second = scratch.run("anonymize", &["--json", "--quiet", "--format", "csv"]).ends(0);
    assert_eq!(second.stderr, "");
    assert_eq!(second.json()["report"]["products"][0]["file"], "people.csv");
    let renamed: Vec<_> =
        before.iter().map(|name| if name.starts_with("release/") { name.replace(".parquet", ".csv") } else { name.clone() }).collect();
    let mut after = files(&demo);
    after.sort();
    let mut renamed = renamed;
    renamed.sort();
    assert_eq!(after, renamed);
}

#[test]
fn options_that_mean_nothing_without_a_policy_are_refused_and_the_last_demonstration_stays() {
    let scratch = Scratch::new();
    scratch.write("target/demo/release/mine", "mine");
    for option in ["--assess-only", "--profiles=p", "--control=c", "--ledger=l", "--output=o", "--input=people.csv"] {
        let ran = scratch.run("anonymize", &[option]).ends(2);
        ran.says(&["--policy"]);
    }
    // A key file that cannot be used is noticed before anything is removed.
    scratch.run("anonymize", &["--key-file", "none"]).ends(2).says(&["none", "keygen"]);
    assert!(scratch.path("target/demo/release/mine").exists());
}

#[test]
fn help_and_version_are_no_errors() {
    let scratch = Scratch::new();
    for example in ["anonymize", "assess", "import", "keygen", "simulate", "verify"] {
        let help = scratch.run(example, &["--help"]).ends(0);
        assert!(help.stdout.contains("--json") && help.stdout.contains("--quiet") && help.stdout.contains(example), "{}", help.stdout);
        assert!(help.stderr.is_empty());
        let version = scratch.run(example, &["--version"]).ends(0);
        assert_eq!(version.stdout.trim(), format!("{example} {}", env!("CARGO_PKG_VERSION")));
        scratch.run(example, &["--no-such-option"]).ends(2);
        // Also bad usage is one JSON object for programs.
        let ran = scratch.run(example, &["--no-such-option", "--json"]).ends(2);
        assert_eq!(ran.json()["exit"], 2);
    }
}

#[test]
fn without_a_terminal_there_is_no_progress_and_quiet_is_silent() {
    let scratch = Scratch::new();
    let ran = scratch.release(&[]);
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\r'), "{:?}", ran.stderr);
    assert_eq!(ran.stdout, "");
    ran.says(&["people: 400 rows, 400 people", "out/release/report.html"]);
    std::fs::rename(scratch.path("out"), scratch.path("first")).expect("moved");
    let quiet = scratch.release(&["--quiet"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    // An error is not silenced.
    let quiet = scratch.anonymize(&["--quiet"]).ends(2);
    quiet.says(&["--output", "already holds a release"]);
}
