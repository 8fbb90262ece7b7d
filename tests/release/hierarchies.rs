//! Hierarchies and metrics of the policy, from the declaration to the written rows.

use super::support::{Written, batch, maybe_texts, numbers, policy, run, texts};
use arrow::array::RecordBatch;
use backmask::policy::{HierarchySpec, Policy};
use std::collections::BTreeSet;

const POLICY: &str = "
    version = 1
    name = 'people'
    [subject]
    column = 'subject_id'
    pseudonym = { scope = 'none' }
    [columns.age]
    role = 'quasi-identifier'
    hierarchy = { intervals = [10, 20], bottom = 20, top = 60 }
    levels = { min = 1, max = 1 }
    [columns.listens]
    role = 'quasi-identifier'
    hierarchy = { ordered = ['never', 'monthly', 'weekly', 'daily'], sizes = [2] }
    levels = { min = 1, max = 1 }
    [columns.city]
    role = 'quasi-identifier'
    hierarchy = { priority = [3, 6] }
    levels = { min = 1, max = 2 }
    [[products]]
    name = 'p'
    kind = 'records'
    suppression_limit = 1.0
    models = [{ name = 'k-anonymity', k = 2 }]
    quality = { metric = 'METRIC', aggregate = 'arithmetic-mean' }
    [gate]
    max_risk = 0.5
    attacks = []
";

/// Six people of Aachen, three of Bonn, two of Calw (one of them with many rows), all alike but for that.
fn table() -> RecordBatch {
    let people = ["a1", "a2", "a3", "a4", "a5", "a6", "b1", "b2", "b3", "c1", "c2", "c2", "c2", "c2"];
    let city = |person: &&str| match person.as_bytes()[0] {
        b'a' => "Aachen",
        b'b' => "Bonn",
        _ => "Calw",
    };
    batch([
        ("subject_id", texts(people)),
        ("age", numbers((0..14).map(|row| if row % 2 == 0 { 64 } else { 17 }))),
        ("listens", texts((0..14).map(|row| if row % 2 == 0 { "daily" } else { "never" }))),
        ("city", texts(people.iter().map(city))),
    ])
}

#[test]
fn labels_of_every_kind_are_written_and_every_metric_is_searched() {
    let metrics = [
        "loss",
        "non-uniform-entropy",
        "non-uniform-entropy-monotone",
        "normalized-entropy",
        "precision",
        "precision-monotone",
        "height",
        "discernibility",
        "discernibility-monotone",
        "average-class-size",
        "ambiguity",
        "kl-divergence",
    ];
    for metric in metrics {
        let (_run, outcome) = run(&POLICY.replace("METRIC", metric), &table());
        let outcome = outcome.unwrap_or_else(|error| panic!("{metric}: {error}"));
        let written = Written::of(&outcome, "p");
        let seen = |column: &str| -> BTreeSet<String> {
            let index = written.columns.iter().position(|name| name == column).expect("the column");
            written.rows.iter().map(|row| row[index].clone().expect("a label")).collect()
        };
        let allowed = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect::<BTreeSet<_>>();
        assert!(seen("age").is_subset(&allowed(&["< 20", "≥ 60"])), "{:?}", seen("age"));
        assert!(seen("listens").is_subset(&allowed(&["never – monthly", "weekly – daily"])), "{:?}", seen("listens"));
        // Calw has four rows, but two people.
        assert!(seen("city").is_subset(&allowed(&["Aachen", "Bonn", "other"])), "{:?}", seen("city"));
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(outcome.release.join("report.json")).expect("a report")).expect("JSON");
        let quality = &report["products"][0]["quality"];
        assert_eq!(quality["metric"], metric);
        assert_eq!(quality["all"][metric], quality["value"], "{metric}");
        for name in metrics.iter().copied().chain(["granularity.age", "missing.city", "smallest-class"]) {
            assert!(quality["all"][name].is_number(), "{name} in {quality}");
        }
        // What priority knows of every value stays with the steward.
        let read = |path: &std::path::Path| std::fs::read_to_string(path.join("transformation.json")).expect("a transformation");
        assert!(!read(&outcome.release).contains("Calw"));
        assert!(read(&outcome.steward).contains("Calw"));
    }
}

#[test]
fn missing_values_may_be_an_error() {
    let events = batch([("subject_id", texts(["a", "b", "c", "d"])), ("place", maybe_texts([Some("x"), Some("x"), None, None]))]);
    let text = "
        version = 1
        name = 'n'
        [subject]
        column = 'subject_id'
        pseudonym = { scope = 'none' }
        [columns.place]
        role = 'quasi-identifier'
        MISSING
        [[products]]
        name = 'p'
        kind = 'records'
        models = [{ name = 'k-anonymity', k = 2 }]
        [gate]
        max_risk = 0.5
        attacks = []
    ";
    let (_run, outcome) = run(&text.replace("MISSING", "missing = 'own-leaf'"), &events);
    assert_eq!(Written::of(&outcome.expect("two and two"), "p").rows.len(), 4);
    let (_run, outcome) = run(&text.replace("MISSING", "missing = 'error'"), &events);
    let error = outcome.expect_err("two rows have no place");
    assert!(error.exit_code() == 2 && error.to_string().contains("place (2 rows)"), "{error}");
}

#[test]
fn declarations_are_read_and_written_alike() {
    let declared = policy(&POLICY.replace("METRIC", "loss"));
    let spec = |name: &str| declared.columns[name].hierarchy.clone().expect("declared");
    assert_eq!(spec("age"), HierarchySpec::BoundedIntervals { widths: vec![10.0, 20.0], origin: 0.0, bottom: Some(20.0), top: Some(60.0) });
    assert_eq!(spec("city"), HierarchySpec::Priority(vec![3, 6]));
    assert!(matches!(spec("listens"), HierarchySpec::Ordered { values, sizes } if values.len() == 4 && sizes == [2]));
    let text = toml::to_string(&declared).expect("a policy can be written");
    assert_eq!(policy(&text), declared);
    let good = POLICY.replace("METRIC", "loss");
    for (from, to) in [
        ("bottom = 20, top = 60", "bottom = 60, top = 60"),
        ("bottom = 20, top = 60", "bottom = 60, top = inf"),
        ("bottom = 20, top = 60", "sizes = [2]"),
        ("intervals = [10, 20], bottom", "bottom"),
        ("sizes = [2]", "sizes = [3, 4]"),
        ("sizes = [2]", "sizes = []"),
        ("sizes = [2]", "origin = 3"),
        ("'weekly', 'daily'", "'weekly', 'weekly'"),
        ("priority = [3, 6]", "priority = [3, 3]"),
        ("priority = [3, 6]", "priority = [1]"),
        ("priority = [3, 6]", "priority = []"),
        ("priority = [3, 6]", "priority = [3, 6], mask = 'left'"),
        ("levels = { min = 1, max = 2 }", "levels = { max = 4 }"),
        ("aggregate = 'arithmetic-mean'", "gs_factor = 1.1"),
        ("'loss', aggregate = 'arithmetic-mean'", "'height', gs_factor = 0.7"),
        ("'loss', aggregate = 'arithmetic-mean'", "'ambiguity', weights = { age = 2.0 }"),
    ] {
        assert!(good.contains(from), "{from}");
        let error = Policy::from_toml(&good.replace(from, to)).expect_err(to);
        assert_eq!(error.exit_code(), 2, "{error}");
    }
}
