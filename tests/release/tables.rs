//! Any table under a policy: the type and the format of a file do not matter, every model is counted, tampering shows.

use super::support::{Run, Written, batch, guarantee, numbers, policy, run, texts, write_csv, write_ipc, write_parquet};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use backmask::release::{Scheme, TableVerification, verify, verify_table};
use std::path::PathBuf;
use std::sync::Arc;

const POLICY: &str = "
    version = 1
    name = 'incomes'
    [columns.year]
    role = 'quasi-identifier'
    levels = { min = 0, max = 0 }
    [columns.income]
    role = 'sensitive'
    hierarchy = { intervals = [5, 10] }
    [[products]]
    name = 'p'
    kind = 'records'
    models = [
        { name = 'k-anonymity', k = 4 },
        { name = 'distinct-l-diversity', column = 'income', l = 3 },
        { name = 'entropy-l-diversity', column = 'income', l = 2.5 },
        { name = 'recursive-cl-diversity', column = 'income', c = 2.0, l = 2 },
        { name = 't-closeness', column = 'income', t = 0.4, distance = 'ordered' },
        { name = 'delta-disclosure', column = 'income', d = 1.5 },
        { name = 'beta-likeness', column = 'income', beta = 2.0 },
        { name = 'average-risk', threshold = 0.3 },
        { name = 'sample-uniqueness', threshold = 0.1 },
    ]
    [gate]
    max_risk = 0.5
    attacks = []
";

/// Two years; 9 and 10 are neighbours as numbers and far apart as texts.
fn table(change: impl Fn(usize, i64) -> i64) -> RecordBatch {
    let incomes = [2, 9, 10, 30, 2, 9, 10, 30, 2, 9, 10, 10];
    batch([
        ("year", numbers((0..12).map(|row| 1980 + row / 8))),
        ("income", numbers(incomes.iter().enumerate().map(|(row, &income)| change(row, income)))),
    ])
}

fn check(run: &Run, name: &str, table: &RecordBatch) -> TableVerification {
    check_with(POLICY, run, name, table)
}

fn check_with(text: &str, run: &Run, name: &str, table: &RecordBatch) -> TableVerification {
    let path: PathBuf = run.path(name);
    match name.rsplit('.').next() {
        Some("csv") => write_csv(&path, table),
        Some("arrow") => write_ipc(&path, table),
        _ => write_parquet(&path, table),
    }
    verify_table(&policy(text), None, &[path], None).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn formats_and_types_do_not_matter() {
    let run = Run::new();
    let plain = table(|_, income| income);
    let expected = check(&run, "a.parquet", &plain);
    assert_eq!(expected.holds, Some(true), "{expected:?}");
    assert_eq!(expected.guarantees.len(), 9);
    let trees = POLICY.replace("distance = 'ordered'", "distance = 'hierarchical'");
    let by_tree = check_with(&trees, &run, "a.parquet", &plain);
    assert_eq!(by_tree.holds, Some(true), "{by_tree:?}");
    let to = |column: &str, kind: DataType| {
        let schema = plain.schema();
        let columns = schema.fields().iter().zip(plain.columns()).map(|(field, array)| {
            let array: ArrayRef = if field.name() == column { cast(array, &kind).expect("cast") } else { Arc::clone(array) };
            (field.name().clone(), array)
        });
        RecordBatch::try_from_iter(columns.collect::<Vec<_>>()).expect("a batch")
    };
    for (name, table) in [
        ("b.csv", plain.clone()),
        ("c.arrow", plain.clone()),
        ("d.parquet", to("year", DataType::Int32)),
        ("e.parquet", to("income", DataType::UInt16)),
        ("f.parquet", to("year", DataType::Utf8)),
        ("g.arrow", to("year", DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)))),
    ] {
        let found = check(&run, name, &table);
        assert_eq!((&found.guarantees, found.holds, found.rows), (&expected.guarantees, Some(true), 12), "{name}");
        assert_eq!(check_with(&trees, &run, name, &table).guarantees, by_tree.guarantees, "{name}");
    }
    // The same rows as two files of different formats.
    write_parquet(&run.path("one.parquet"), &plain.slice(0, 5));
    write_csv(&run.path("two.csv"), &plain.slice(5, 7));
    let both = verify_table(&policy(POLICY), None, &[run.path("one.parquet"), run.path("two.csv")], None).expect("counted");
    assert_eq!((both.guarantees, both.holds), (expected.guarantees, Some(true)));
}

/// Figures by hand.
#[test]
fn figures_are_those_of_pen_and_paper() {
    let found = check(&Run::new(), "a.parquet", &table(|_, income| income));
    let achieved = |name: &str| found.guarantees.iter().find(|g| g.model == name).and_then(|g| g.achieved).expect("a figure");
    let is = |name: &str, value: f64| assert!((achieved(name) - value).abs() < 1e-12, "{name}: {}", achieved(name));
    is("k-anonymity", 4.0);
    is("distinct-l-diversity", 3.0);
    // 1980: four values twice each; 1981: 2, 9 and twice 10. Its entropy is 1.5 bits.
    is("entropy-l-diversity", 1.5_f64.exp2());
    // 1981: 2 of 10 against the other two.
    is("recursive-cl-diversity", 1.0);
    is("average-risk", 2.0 / 12.0);
    is("sample-uniqueness", 0.0);
    // 1981 against the table (3, 3, 4, 2 of 12): after 2: 0, after 9: 0, after 10: 1/6; over three steps.
    is("t-closeness", (1.0 / 6.0) / 3.0);
}

#[test]
fn every_change_breaks_the_model_that_it_should() {
    let run = Run::new();
    let untrue = |table: &RecordBatch| -> Vec<String> {
        let found = check(&run, "t.parquet", table);
        assert_eq!(found.holds, Some(false), "{found:?}");
        found.guarantees.iter().filter(|g| !g.holds).map(|g| g.model.clone()).collect()
    };
    // A row less in the small class.
    assert_eq!(untrue(&table(|_, income| income).slice(0, 11))[0], "k-anonymity");
    // A value swapped: 1981 has two values left.
    let swapped = untrue(&table(|row, income| if row == 8 { 10 } else { income }));
    assert!(swapped.contains(&"distinct-l-diversity".to_owned()) && !swapped.contains(&"k-anonymity".to_owned()), "{swapped:?}");
    // 1981 moves to the rich.
    let moved = untrue(&table(|row, income| if row >= 8 { 100 + income } else { income }));
    assert!(moved.contains(&"t-closeness".to_owned()) && !moved.contains(&"distinct-l-diversity".to_owned()), "{moved:?}");
    // One cell of a quasi-identifier: alone.
    let cell = batch([("year", numbers((0..12).map(|row| if row == 0 { 1900 } else { 1980 + row / 8 }))), ("income", numbers([2; 12]))]);
    assert!(untrue(&cell).contains(&"k-anonymity".to_owned()));
}

/// `verify` of a release recounts every model too; the report cannot claim another figure.
#[test]
fn a_release_states_what_is_counted() {
    let (run, outcome) = run(POLICY, &table(|_, income| income));
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
    let verification = verify(&outcome.release, &[], None).expect("a release");
    assert!(verification.holds, "{:?}", verification.checks.iter().filter(|c| c.holds == Some(false)).collect::<Vec<_>>());
    for model in
        ["distinct-l-diversity", "entropy-l-diversity", "recursive-cl-diversity", "delta-disclosure", "average-risk", "sample-uniqueness"]
    {
        let check = verification.checks.iter().find(|check| check.statement.starts_with(model)).expect("a check");
        assert_eq!(check.holds, Some(true), "{check:?}");
    }
    // The table alone says the same as the report.
    let written = outcome.release.join(outcome.product("p").and_then(|p| p.file.clone()).expect("a file"));
    let scheme = Scheme::from_path(run.out().join("steward/transformation.json")).expect("a scheme");
    let product = outcome.product("p").expect("p");
    for reference in [None, Some(&scheme)] {
        let found = verify_table(&policy(POLICY), Some("p"), std::slice::from_ref(&written), reference).expect("counted");
        assert_eq!(found.holds, Some(true), "{found:?}");
        for claim in &product.guarantees {
            let same = found.guarantees.iter().find(|g| g.model == claim.model && g.parameters == claim.parameters).expect("counted");
            assert_eq!((same.achieved, same.unit), (claim.achieved, claim.unit), "{claim:?}");
        }
    }
    // A figure of the report is changed: the check sees it.
    let path = outcome.release.join("report.json");
    let report = std::fs::read_to_string(&path).expect("a report");
    let diversity = guarantee(product, "distinct-l-diversity").achieved.expect("a figure");
    assert!((diversity - 3.0).abs() < 1e-12);
    let mut value: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    for claim in value["products"][0]["guarantees"].as_array_mut().expect("guarantees") {
        if claim["model"] == "distinct-l-diversity" {
            claim["achieved"] = 4.into();
        }
    }
    std::fs::write(&path, serde_json::to_vec_pretty(&value).expect("JSON")).expect("written");
    let verification = verify(&outcome.release, &[], None).expect("a release");
    let check = verification.checks.iter().find(|check| check.statement.starts_with("distinct-l-diversity")).expect("a check");
    assert_eq!(check.holds, Some(false), "{check:?}");
    assert_eq!(Written::of(&outcome, "p").rows.len(), 12);
}

/// k-map needs the population and the steward's scheme, which generalizes it.
#[test]
fn a_population_is_generalized_by_the_reference() {
    let run = Run::new();
    let year = |rows: i64| batch([("year", numbers((0..rows).map(|row| 1980 + row % 20)))]);
    write_parquet(&run.path("population.parquet"), &year(200));
    let text = format!(
        "version = 1\nname = 'm'\n[columns.year]\nrole = 'quasi-identifier'\nhierarchy = {{ intervals = [10] }}\n[[products]]\nname = 'p'\nkind = 'records'\n\
         models = [{{ name = 'k-map', k = 50, population = '{}' }}]\n[gate]\nmax_risk = 0.5\nattacks = []\n",
        run.path("population.parquet").display()
    );
    let outcome = run.events(&text, &year(20)).unwrap_or_else(|error| panic!("{error}"));
    let written = outcome.release.join(outcome.product("p").and_then(|p| p.file.clone()).expect("a file"));
    let alone = verify_table(&policy(&text), None, std::slice::from_ref(&written), None).expect("counted");
    assert_eq!(alone.holds, None, "{alone:?}");
    let scheme = Scheme::from_path(run.out().join("steward/transformation.json")).expect("a scheme");
    let found = verify_table(&policy(&text), None, &[written], Some(&scheme)).expect("counted");
    assert_eq!((found.holds, found.guarantees[0].achieved), (Some(true), Some(100.0)), "{found:?}");
    // A class that nobody of the population has.
    let foreign = batch([("year", texts(["[2090, 2100)"; 60]))]);
    write_parquet(&run.path("foreign.parquet"), &foreign);
    let found = verify_table(&policy(&text), None, &[run.path("foreign.parquet")], Some(&scheme)).expect("counted");
    assert_eq!((found.holds, found.guarantees[0].achieved), (Some(false), Some(0.0)), "{found:?}");
}
