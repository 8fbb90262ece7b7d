//! Local recoding by policies: classes of the written file are counted again, and their labels are compared with the rows that went in.

use super::support::{Draws, Row, Run, Written, batch, guarantee, key, numbers, policy, rows_of, run, texts, write_parquet};
use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take;
use backmask::Error;
use backmask::io::SinkFormat;
use backmask::policy::Policy;
use backmask::release::report::Unit;
use backmask::release::{Anonymizer, Outcome, verify};
use std::collections::BTreeMap;

const SEARCHES: [&str; 4] = ["mondrian", "mondrian-relaxed", "microaggregation", "local"];
const ROWS: usize = 240;

fn table(seed: u64) -> RecordBatch {
    let mut draws = Draws(seed);
    let people: Vec<String> = (0..ROWS).map(|row| format!("p{row}")).collect();
    let age: Vec<i64> = (0..ROWS).map(|_| 18 + i64::try_from(draws.below(50)).expect("small")).collect();
    let town: Vec<&str> = (0..ROWS).map(|_| ["Aachen", "Bonn", "Calw", "Daun"][draws.below(4)]).collect();
    let mood: Vec<&str> = (0..ROWS).map(|_| ["calm", "glad", "sad", "wild"][draws.below(4)]).collect();
    batch([("subject_id", texts(people.iter().map(String::as_str))), ("age", numbers(age)), ("town", texts(town)), ("mood", texts(mood))])
}

fn declared(search: &str, models: &str, more: &str) -> String {
    format!(
        "
        version = 1
        name = 'r'
        [subject]
        column = 'subject_id'
        pseudonym = {{ scope = 'none' }}
        [columns.age]
        role = 'quasi-identifier'
        hierarchy = {{ intervals = [5, 10, 20] }}
        [columns.town]
        role = 'quasi-identifier'
        [columns.mood]
        role = 'sensitive'
        [[products]]
        name = 'p'
        kind = 'records'
        search = '{search}'
        models = [{models}]
        {more}
        [gate]
        max_risk = 1.0
        attacks = []
        "
    )
}

const K: &str = "{ name = 'k-anonymity', k = 5 }";

fn moods_by_class(outcome: &Outcome) -> BTreeMap<Row, Vec<String>> {
    let written = Written::of(outcome, "p");
    let (age, town, mood) = (written.index("age"), written.index("town"), written.index("mood"));
    let mut classes: BTreeMap<Row, Vec<String>> = BTreeMap::new();
    for row in &written.rows {
        classes.entry(vec![row[age].clone(), row[town].clone()]).or_default().push(row[mood].clone().expect("a mood"));
    }
    classes
}

#[test]
fn classes_of_every_search_are_large_and_diverse_enough() {
    for search in SEARCHES {
        for models in [K.to_owned(), format!("{K}, {{ name = 'distinct-l-diversity', column = 'mood', l = 3 }}")] {
            let (_run, outcome) = run(&declared(search, &models, "suppression_limit = 0.1"), &table(3));
            let outcome = outcome.unwrap_or_else(|error| panic!("{search}: {error}"));
            let classes = moods_by_class(&outcome);
            let product = outcome.product("p").expect("p");
            let smallest = classes.values().map(Vec::len).min().expect("classes");
            let claim = guarantee(product, "k-anonymity");
            assert_eq!((claim.unit, claim.holds), (Unit::Subject, true), "{search}");
            assert!(smallest >= 5 && claim.achieved == Some(f64::from(u32::try_from(smallest).expect("small"))), "{search}: {claim:?}");
            if models.contains("diversity") {
                let fewest = classes.values().map(|moods| moods.iter().collect::<std::collections::BTreeSet<_>>().len()).min();
                assert!(fewest >= Some(3), "{search}");
            }
            let transformation = product.transformation.as_ref().expect("one");
            assert!(transformation.levels.is_empty());
            assert_eq!(transformation.equivalence_classes, classes.len() as u64);
            let kept: usize = classes.values().map(Vec::len).sum();
            assert_eq!(kept as u64 + transformation.suppressed_rows, ROWS as u64, "{search}");
            assert!(classes.len() > 4, "{search} makes {} classes of {ROWS} rows", classes.len());
            let quality = product.quality.as_ref().expect("quality");
            assert!(quality.value.as_f64().is_some_and(|loss| loss > 0.0 && loss < 1.0), "{search}: {quality:?}");
            let verification = verify(&outcome.release, &[], None).expect("a release");
            assert!(verification.holds, "{search}: {:?}", verification.checks);
        }
    }
}

/// `[31, 34]` or `31`.
fn bounds(label: &str) -> (i64, i64) {
    let numbers: Vec<i64> = label.trim_matches(['[', ']']).split(", ").map(|number| number.parse().expect("a number")).collect();
    (numbers[0], numbers[numbers.len() - 1])
}

#[test]
fn labels_of_mondrian_are_true() {
    // One mood for each row, so that rows can be found again.
    let original = rows_of(&table(5));
    let names: Vec<String> = (0..ROWS).map(|row| format!("m{row}")).collect();
    let mut columns: Vec<ArrayRef> = table(5).columns().to_vec();
    columns[3] = texts(names.iter().map(String::as_str));
    let unique = RecordBatch::try_new(table(5).schema(), columns).expect("a batch");
    for search in ["mondrian", "mondrian-relaxed"] {
        let (_run, outcome) = run(&declared(search, K, ""), &unique);
        let mut seen = 0;
        for (class, moods) in moods_by_class(&outcome.expect("released")) {
            let (low, high) = bounds(class[0].as_deref().expect("an age"));
            let town = class[1].clone().expect("a town");
            for mood in moods {
                let row = &original[mood[1..].parse::<usize>().expect("a number")];
                let age: i64 = row[1].as_deref().expect("an age").parse().expect("a number");
                assert!((low..=high).contains(&age) && (town == "*" || town.contains(row[2].as_deref().expect("a town"))), "{search}");
                seen += 1;
            }
        }
        assert_eq!(seen, ROWS);
    }
}

#[test]
fn the_order_of_rows_and_threads_do_not_matter() {
    for search in SEARCHES {
        let text = declared(search, K, "suppression_limit = 0.1");
        let all = table(7);
        let mut order: Vec<u32> = (0..u32::try_from(ROWS).expect("small")).collect();
        Draws(1).shuffle(&mut order);
        let order = UInt32Array::from(order);
        let columns = all.columns().iter().map(|column| take(column, &order, None).expect("taken")).collect();
        let shuffled = RecordBatch::try_new(all.schema(), columns).expect("a batch");
        let rows = |events: &RecordBatch, threads: usize| {
            let place = Run::new();
            write_parquet(&place.path("e.parquet"), events);
            let run = Anonymizer::new(policy(&text)).input([place.path("e.parquet")]).output(place.out()).key(key()).threads(threads).run();
            Written::of(&run.expect("released"), "p").sorted()
        };
        let first = rows(&all, 1);
        assert_eq!(first, rows(&all, 3), "{search}");
        assert_eq!(first, rows(&shuffled, 2), "{search}");
    }
}

#[test]
fn every_format_holds_the_same_classes() {
    for search in SEARCHES {
        for format in [SinkFormat::Csv, SinkFormat::IpcFile] {
            let place = Run::new();
            write_parquet(&place.path("e.parquet"), &table(9));
            let text = declared(search, K, "suppression_limit = 0.1");
            let run = Anonymizer::new(policy(&text)).input([place.path("e.parquet")]).output(place.out()).key(key()).format(format).run();
            let outcome = run.unwrap_or_else(|error| panic!("{search}: {error}"));
            assert!(moods_by_class(&outcome).values().all(|moods| moods.len() >= 5), "{search}");
            assert!(verify(&outcome.release, &[], None).expect("a release").holds);
        }
    }
}

#[test]
fn what_cannot_be_recoded_is_refused() {
    for search in SEARCHES {
        let (_run, outcome) = run(&declared(search, "{ name = 'k-anonymity', k = 241 }", ""), &table(1));
        assert!(matches!(outcome, Err(Error::NoSolution { .. })), "{search}");
        let (_run, outcome) = run(&declared(search, K, ""), &table(1).slice(0, 0));
        assert!(Written::of(&outcome.expect("nothing to protect"), "p").rows.is_empty(), "{search}");
    }
    let refused = |search: &str, models: &str, more: &str, words: &str| {
        let error = Policy::from_toml(&declared(search, models, more)).expect_err(words);
        assert!(error.exit_code() == 2 && error.to_string().contains(words), "{error}");
    };
    refused("mondrian", K, "quality = { metric = 'height' }", "minimizes no metric");
    refused("mondrian", "{ name = 'k-map', k = 5, population = 'p.csv' }", "", "k-map");
    refused("microaggregation", "{ name = 'distinct-l-diversity', column = 'mood', l = 2 }", "", "k-anonymity");
}
