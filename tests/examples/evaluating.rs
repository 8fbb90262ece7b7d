//! What a release is good for, from the command line.

use super::support::{Scratch, files};
use serde_json::Value;
use std::fmt::Write;

const POLICY: &str = r#"
version = 1
name = "tastes"
[subject]
column = "listener"
[columns.song]
role = "item"
[columns.device]
role = "other"
[[products]]
name = "log"
kind = "records"
item_support = { min_subjects = 12, otherwise = "suppress" }
accept_risk = "a test"
[[products]]
name = "loose"
kind = "records"
columns = ["song"]
accept_risk = "a test"
[gate]
attacks = []
"#;

/// Rows of people with one of four tastes: twelve of the 40 songs of their taste (the first more often), and one song that nobody else has.
fn pool(people: std::ops::Range<u32>) -> String {
    let mut text = "listener,song,device\n".to_owned();
    for person in people {
        let mut state = person.wrapping_mul(0x9E37_79B1) ^ 0x5bd1_e995;
        for _ in 0..12 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (a, b) = (state >> 8 & 255, state >> 16 & 255);
            let song = a * b * 40 / 65_536 + person % 4 * 40;
            writeln!(text, "sesame-{person},sesame song {song},{}", if a < 128 { "phone" } else { "radio" }).expect("text");
        }
        writeln!(text, "sesame-{person},sesame rarity {person},phone").expect("text");
    }
    text
}

fn released() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("tastes.toml", POLICY);
    scratch.write("pool.csv", pool(0..400));
    scratch.write("others.csv", pool(1000..1100));
    scratch.run("anonymize", &["--policy", "tastes.toml", "--input", "pool.csv", "--output", "out", "--quiet"]).ends(0);
    scratch
}

fn evaluate(scratch: &Scratch, more: &[&str]) -> super::support::Ran {
    scratch.run("evaluate", &[&["--release", "out/release", "--original", "pool.csv"], more].concat())
}

fn figure(value: &Value, model: &str, name: &str) -> f64 {
    value["utility"][model][name].as_f64().unwrap_or_else(|| panic!("no {name} of {model}: {value}"))
}

#[test]
fn a_release_is_measured_on_people_whom_it_does_not_hold() {
    let scratch = released();
    let before = files(&scratch.path(""));
    let ran = evaluate(&scratch, &["--holdout", "others.csv", "--json"]).ends(0);
    ran.says(&["lift retained", "100 people from files", "loose cannot train a recommender"]);
    let found = ran.json();
    assert_eq!(files(&scratch.path("")), before, "nothing is written");
    assert_eq!(found["people"]["test"], 100);
    assert_eq!(found["contaminated"], false);
    let (original, log) = (&found["original"], &found["products"][0]);
    for metric in ["recall@20", "ndcg@100"] {
        // The tastes are there to be learned: what goes together beats what is popular.
        assert!(figure(original, "ease", metric) > figure(original, "popularity", metric) + 0.1, "{found}");
    }
    assert!((figure(original, "ease", "lift_retained") - 1.0).abs() < 1e-12);
    let lift = figure(log, "ease", "lift_retained");
    assert!(lift > 0.8 && lift < 1.1, "{lift}");
    assert!(figure(log, "ease", "lift_retained_low") <= lift && lift <= figure(log, "ease", "lift_retained_high"));
    // All songs of one person are gone: those of the last deciles.
    let kept = log["distances"]["kept_by_popularity_decile"].as_array().expect("deciles");
    assert_eq!((kept[0].as_f64(), kept[9].as_f64()), (Some(1.0), Some(0.0)));
    assert_eq!(log["matched_items"], log["items"]);
    let device = log["distances"]["one_way_total_variation"]["device"].as_f64().expect("a distance");
    assert!(device < 0.1, "{device}");
    let loose = &found["products"][1];
    assert!(loose["reason"].as_str().is_some_and(|reason| reason.contains("token")) && loose.get("utility").is_none(), "{loose}");
    // The same question, the same answer; quiet says nothing.
    let again = evaluate(&scratch, &["--holdout", "others.csv", "--json", "--quiet"]).ends(0);
    assert_eq!((again.json(), again.stderr.as_str()), (found, ""));
}

#[test]
fn without_people_set_aside_the_figures_are_called_optimistic() {
    let scratch = released();
    let ran = evaluate(&scratch, &["--json", "--lambda", "20"]).ends(0);
    ran.says(&["none:", "optimistic", "--holdout"]);
    let found = ran.json();
    assert!(found["holdout"].as_str().is_some_and(|text| text.starts_with("none: ")));
    assert_eq!(found["contaminated"], true);
    assert_eq!(found["products"][0]["utility"]["ease"]["lambda"], 20.0);
    // People with names of the originals are no stranger to the release either.
    let same = evaluate(&scratch, &["--holdout", "pool.csv", "--json"]).ends(0);
    same.says(&["optimistic"]);
    assert_eq!(same.json()["contaminated"], true);
}

#[test]
fn mistakes_are_named_with_their_remedy() {
    let scratch = released();
    evaluate(&scratch, &["--item", "tune"]).ends(2).says(&["tune", "listener, song, device", "name the column"]);
    evaluate(&scratch, &["--item", "listener"]).ends(2).says(&["listener", "name the column of the items"]);
    scratch.write(
        "strangers.csv",
        pool(1000..1010).replace("song ", "tune ").replace("rarity", "oddity").replace("listener,tune ", "listener,song "),
    );
    evaluate(&scratch, &["--holdout", "strangers.csv"]).ends(2).says(&["song", "no item of the held-out people", "--item"]);
    evaluate(&scratch, &["--holdout", "others.csv", "--split", "temporal"]).ends(2).says(&["--split", "no times", "random"]);
    evaluate(&scratch, &["--holdout", "others.csv", "--top", "10001"]).ends(2).says(&["top_items", "10000"]);
    evaluate(&scratch, &["--holdout", "others.csv", "--lambda", "-3"]).ends(2);
    scratch.run("evaluate", &["--release", "none", "--original", "pool.csv"]).ends(1).says(&["none"]);
    scratch.run("evaluate", &["--release", "out/release"]).ends(2).says(&["--original"]);
    scratch.write("out/release/report.json", "{}");
    evaluate(&scratch, &[]).ends(1).says(&["report.json", "not a report"]);
}
