//! The steward's transformation.json on new rows.

use super::support::{Written, batch, maybe_texts, numbers, run, texts};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use backmask::anonymity::hierarchy::{self, Unknown};
use backmask::pipeline::Transform;
use backmask::policy::Policy;
use backmask::release::{LeftOutRows, Outcome, Outside, Recoding, Scheme, verify_table};
use std::collections::BTreeMap;
use std::path::PathBuf;

const POLICY: &str = "
    version = 1
    name = 'people'
    [columns.age]
    role = 'quasi-identifier'
    treatment = { clamp = [0, 90] }
    hierarchy = { intervals = [10, 30] }
    levels = { min = 1, max = 1 }
    [columns.city]
    role = 'quasi-identifier'
    hierarchy = { ordered = ['Aachen', 'Bonn', 'Calw', 'Dorf'], sizes = [2] }
    levels = { min = 1, max = 1 }
    [columns.mood]
    role = 'sensitive'
    [columns.minutes]
    role = 'measure'
    treatment = { round = 10 }
    [columns.phone]
    role = 'identifier'
    [[products]]
    name = 'p'
    kind = 'records'
    suppression_limit = 1.0
    models = [{ name = 'k-anonymity', k = 3 }, { name = 't-closeness', column = 'mood', t = 0.6, distance = 'equal' }]
    [gate]
    max_risk = 0.5
    attacks = []
";

fn rows(rows: &[(i64, &str, &str, i64)]) -> RecordBatch {
    batch([
        ("age", numbers(rows.iter().map(|row| row.0))),
        ("city", texts(rows.iter().map(|row| row.1))),
        ("mood", texts(rows.iter().map(|row| row.2))),
        ("minutes", numbers(rows.iter().map(|row| row.3))),
        ("phone", texts(rows.iter().map(|_| "0171"))),
    ])
}

/// Sixty people in large classes, one alone in the thirties.
fn pool() -> RecordBatch {
    let mut people: Vec<(i64, &str, &str, i64)> = (0..60)
        .map(|i| {
            (
                20 + i % 10 + 30 * (i % 2),
                match i % 4 {
                    0 => "Aachen",
                    1 => "Bonn",
                    2 => "Calw",
                    _ => "Dorf",
                },
                if i / 4 % 2 == 0 { "calm" } else { "wild" },
                i,
            )
        })
        .collect();
    people.push((33, "Aachen", "calm", 7));
    people.push((240, "Aachen", "calm", 7));
    rows(&people)
}

fn released() -> (super::support::Run, Outcome) {
    let (run, outcome) = run(POLICY, &pool());
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
    (run, outcome)
}

fn scheme_text(outcome: &Outcome) -> String {
    std::fs::read_to_string(outcome.release.parent().expect("a folder").join("steward/transformation.json")).expect("the steward's file")
}

fn recoding(text: &str) -> Recoding {
    Scheme::from_json(text).expect("a scheme").recoding(&policy(), "p").expect("a recoding")
}

fn policy() -> Policy {
    Policy::from_toml(POLICY).expect("a policy")
}

/// Rows as text, counted.
fn counted(batches: &[RecordBatch]) -> BTreeMap<Vec<Option<String>>, usize> {
    let mut all = BTreeMap::new();
    for batch in batches {
        let columns: Vec<ArrayRef> = batch.columns().iter().map(|column| cast(column, &DataType::Utf8).expect("text")).collect();
        for row in 0..batch.num_rows() {
            let values = columns.iter().map(AsArray::as_string::<i32>).map(|c| c.is_valid(row).then(|| c.value(row).to_owned())).collect();
            *all.entry(values).or_insert(0) += 1;
        }
    }
    all
}

#[test]
fn the_original_pool_comes_out_as_it_was_released() {
    let (_run, outcome) = released();
    let written = Written::of(&outcome, "p");
    let mut expected: BTreeMap<Vec<Option<String>>, usize> = BTreeMap::new();
    for row in &written.rows {
        *expected.entry(row.clone()).or_insert(0) += 1;
    }
    let recoding = recoding(&scheme_text(&outcome));
    let pool = pool();
    let suppressed = outcome.product("p").expect("p").transformation.as_ref().expect("one").suppressed_rows;
    assert_eq!(suppressed, 2);
    for size in [1, 7, 62] {
        let batches: Vec<_> = (0..pool.num_rows())
            .step_by(size)
            .map(|first| recoding.recode(&pool.slice(first, size.min(pool.num_rows() - first))).expect("recoded"))
            .collect();
        let mut left_out = LeftOutRows::default();
        for (_, rows) in &batches {
            left_out.merge(rows);
        }
        assert_eq!(counted(&batches.into_iter().map(|(batch, _)| batch).collect::<Vec<_>>()), expected, "batches of {size}");
        // They were suppressed then, and are left out now.
        assert_eq!((left_out.no_class, left_out.rows()), (2, 2));
    }
    let schema = recoding.output_schema(&pool.schema()).expect("a schema");
    assert_eq!(schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), written.columns);
    assert_eq!(recoding.apply(&pool).expect("applied").schema(), schema);
    assert_eq!(recoding.left_out().rows(), 2);
}

#[test]
fn new_rows_are_released_only_in_classes_that_exist() {
    let (_run, outcome) = released();
    let text = scheme_text(&outcome);
    let recoding = recoding(&text);
    let new = rows(&[
        (25, "Bonn", "odd", 44),
        (25, "Essen", "calm", 1), // no value of the hierarchy
        (33, "Bonn", "calm", 1),  // its class was suppressed
        (85, "Calw", "calm", 1),  // nobody is in this class
        (59, "Dorf", "wild", 1),
    ]);
    let (made, left_out) = recoding.recode(&new).expect("recoded");
    let expected = [["[20, 30)", "Aachen – Bonn", "odd", "40"], ["[50, 60)", "Calw – Dorf", "wild", "0"]];
    let expected: BTreeMap<Vec<Option<String>>, usize> =
        expected.iter().map(|row| (row.iter().map(|v| Some((*v).to_owned())).collect(), 1)).collect();
    assert_eq!(counted(&[made]), expected);
    assert_eq!((left_out.unknown["city"], left_out.no_class, left_out.rows()), (1, 2, 3));
    // Other types of the same values.
    let mut columns: Vec<(String, ArrayRef)> =
        new.schema().fields().iter().map(|f| f.name().clone()).zip(new.columns().iter().cloned()).collect();
    columns[0].1 = cast(&new["age"], &DataType::Int32).expect("32 bits");
    columns[1].1 = cast(&new["city"], &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))).expect("a dictionary");
    let other = RecordBatch::try_from_iter(columns).expect("a batch");
    let (made, rows) = recoding.recode(&other).expect("recoded");
    assert_eq!((counted(&[made]), rows), (expected, left_out));
    let strict = Scheme::from_json(&text).expect("a scheme").recoding(&policy(), "p").expect("one").outside(Outside::Error);
    let error = strict.recode(&new).expect_err("three rows have no place").to_string();
    assert!(error.contains("column city (1 row)") && !error.contains("Essen"), "{error}");
    assert!(strict.recode(&new.slice(0, 1)).is_ok());
    assert_eq!(recoding.to_recheck().iter().map(|model| model.name()).collect::<Vec<_>>(), ["t-closeness"]);
    assert_eq!(recoding.recode(&new.slice(0, 0)).expect("no rows").0.num_rows(), 0);
}

/// Whether a value that the hierarchy does not know ends in a row of the release.
fn leaks(labels: &dyn Array, classes: &[&str]) -> bool {
    labels.as_string::<i32>().iter().flatten().any(|label| classes.contains(&label))
}

/// A hierarchy that has `*` among its labels, so that `*` is a released class: who generalizes what is unknown to `*` releases it.
#[test]
fn an_unknown_value_is_not_released_as_a_star() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("city.csv");
    std::fs::write(&file, "Aachen;*\nBonn;*\nCalw;south\n").expect("written");
    let text = format!(
        "version = 1\nname = 'n'\n[columns.city]\nrole = 'quasi-identifier'\nhierarchy = {{ file = '{}', delimiter = ';' }}\nlevels = {{ min = 1, max = 1 }}\n\
         [[products]]\nname = 'p'\nkind = 'records'\nmodels = [{{ name = 'k-anonymity', k = 2 }}]\n[gate]\nmax_risk = 0.5\nattacks = []\n",
        file.display()
    );
    let (_run, outcome) = run(&text, &batch([("city", texts(["Aachen", "Bonn", "Bonn", "Calw", "Calw"]))]));
    let steward = scheme_text(&outcome.expect("released"));
    let new = batch([("city", texts(["Essen", "Bonn"]))]);
    let policy = Policy::from_toml(&text).expect("a policy");
    // Also a file that asks for it does not get it.
    let asks = steward.replace("\"height\": 2", "\"height\": 2, \"unknown\": \"suppress\"");
    assert_ne!(asks, steward);
    for text in [&steward, &asks] {
        let (made, left_out) =
            Scheme::from_json(text).expect("a scheme").recoding(&policy, "p").expect("one").recode(&new).expect("recoded");
        assert_eq!((made.num_rows(), left_out.unknown["city"]), (1, 1));
    }
    // The broken variant: the scheme of the column alone, told to suppress. The check sees it.
    let value: serde_json::Value = serde_json::from_str(&steward).expect("JSON");
    let scheme: hierarchy::Scheme = serde_json::from_value(value["products"]["p"]["columns"]["city"]["scheme"].clone()).expect("a scheme");
    let broken = scheme.with_unknown(Unknown::Suppress).generalize(1, texts(["Essen"]).as_ref()).expect("silently");
    assert!(leaks(broken.as_ref(), &["*"]));
}

#[test]
fn missing_values_and_wrong_columns() {
    let (_run, outcome) = released();
    let recoding = recoding(&scheme_text(&outcome));
    let some = rows(&[(25, "Bonn", "odd", 44)]);
    let without = |names: &[&str]| {
        let kept: Vec<usize> = (0..some.num_columns()).filter(|&i| !names.contains(&some.schema().field(i).name().as_str())).collect();
        some.project(&kept).expect("columns")
    };
    let error = recoding.recode(&without(&["city"])).expect_err("a quasi-identifier is gone").to_string();
    assert!(error.contains("column city"), "{error}");
    assert!(recoding.recode(&without(&["phone"])).is_ok());
    let more = batch([("age", numbers([25])), ("city", maybe_texts([None])), ("secret", texts(["x"]))]);
    let error = recoding.output_schema(&more.schema()).expect_err("nobody declared it").to_string();
    assert!(error.contains("column secret") && error.contains("no role"), "{error}");
    // A missing city is a leaf of its own, and no class of the release has it.
    let (made, left_out) = recoding.recode(&batch([("age", numbers([25])), ("city", maybe_texts([None]))])).expect("recoded");
    assert_eq!((made.num_rows(), left_out.no_class), (0, 1));
    // The wrong type is an error before any data.
    let wrong = batch([("age", texts(["x"])), ("city", texts(["Bonn"]))]);
    assert!(recoding.output_schema(&wrong.schema()).is_err());
    let other = Policy::from_toml(&POLICY.replace("name = 'p'", "name = 'q'")).expect("a policy");
    let scheme = Scheme::from_json(&scheme_text(&outcome)).expect("a scheme");
    assert!(scheme.recoding(&other, "p").is_err() && scheme.recoding(&other, "q").is_err());
    let capped = Policy::from_toml(&POLICY.replace("suppression_limit = 1.0", "suppression_limit = 1.0\nmax_events_per_subject = 3\n"));
    assert!(capped.is_err() || scheme.recoding(&capped.expect("checked"), "p").is_err());
    // The recipient's file is no scheme.
    let error = Scheme::from_path(outcome.release.join("transformation.json")).expect_err("it says less").to_string();
    assert!(error.contains("recipient"), "{error}");
}

/// New rows keep k in the classes that grow, and the recheck over both files finds what they break.
#[test]
fn old_and_new_rows_are_counted_together() {
    let (run, outcome) = released();
    let text = scheme_text(&outcome);
    let (scheme, recoding) = (Scheme::from_json(&text).expect("a scheme"), recoding(&text));
    let old: PathBuf = outcome.release.join(outcome.product("p").and_then(|p| p.file.clone()).expect("a file"));
    let check = |new: &RecordBatch| {
        let (made, _) = recoding.recode(new).expect("recoded");
        let path = run.path("new.parquet");
        super::support::write_parquet(&path, &made);
        verify_table(&policy(), Some("p"), &[old.clone(), path], Some(&scheme)).expect("counted")
    };
    let few = check(&rows(&[(25, "Bonn", "calm", 1), (25, "Bonn", "wild", 1)]));
    assert_eq!(few.holds, Some(true), "{few:?}");
    assert_eq!(few.rows, 62);
    // A hundred people of one mood in one class.
    let many = check(&rows(&vec![(25, "Bonn", "calm", 1); 100]));
    let claim = |name: &str| many.guarantees.iter().find(|guarantee| guarantee.model == name).expect("counted").clone();
    assert!(claim("k-anonymity").holds, "{many:?}");
    assert_eq!(claim("t-closeness").holds, claim("t-closeness").achieved.expect("a distance") <= 0.6);
    let odd = check(&rows(&vec![(25, "Bonn", "odd", 1); 100]));
    assert_eq!(odd.holds, Some(false), "{odd:?}");
}

/// Rows that were recoded by their neighbours have no levels that others could be put to.
#[test]
fn a_locally_recoded_product_is_made_anew() {
    for search in ["mondrian", "microaggregation", "local"] {
        let text = POLICY
            .replace("suppression_limit", &format!("search = '{search}'\n    suppression_limit"))
            .replace("    levels = { min = 1, max = 1 }\n", "")
            .replace(", { name = 't-closeness', column = 'mood', t = 0.6, distance = 'equal' }", "");
        let (run, outcome) = run(&text, &pool());
        let outcome = outcome.unwrap_or_else(|error| panic!("{search}: {error}"));
        let scheme = Scheme::from_json(&scheme_text(&outcome)).unwrap_or_else(|error| panic!("{search}: {error}"));
        let policy = Policy::from_toml(&text).expect("a policy");
        let error = scheme.recoding(&policy, "p").expect_err("no levels").to_string();
        assert!(error.contains("products.p.search") && error.contains("anew"), "{error}");
        // The table itself is counted like any other.
        let written = outcome.release.join(outcome.product("p").and_then(|p| p.file.clone()).expect("a file"));
        let found = verify_table(&policy, None, &[written], Some(&scheme)).expect("counted");
        assert_eq!(found.holds, Some(true), "{search}: {found:?}");
        drop(run);
    }
}
