//! The recount of models, against the models themselves, against transport, and on tables that were tampered with.

#![expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "the counts of tests are small")]

use super::models::{transport, tree_distance};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat;
use backmask::anonymity::classes::{ClassStatistics, ClassView, ValueCount};
use backmask::anonymity::models::{ClassTable, Linkability, ModelContext, Models, Reference as TableReference, SensitiveColumn};
use backmask::anonymity::verify::{Basis, Counted, Found, ModelCounter, ModelReport, People, Reference, ReferenceUsed};
use backmask::arrow;
use backmask::pipeline::Fit;
use backmask::policy::{Distance, EntropyEstimator, Model};
use backmask::units::K;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// (class, value, person)
type Row = (u8, u8, u8);

fn table(rows: &[Row]) -> RecordBatch {
    let class: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("c{}", row.0))));
    let value: ArrayRef = Arc::new(rows.iter().map(|row| Some(i64::from(row.1) * 5)).collect::<Int64Array>());
    let person: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("p{}", row.2))));
    RecordBatch::try_from_iter([("class", class), ("value", value), ("person", person)]).unwrap()
}

fn counter(people: People) -> ModelCounter {
    ModelCounter::new(["class"], ["value"], people)
}

fn recount(rows: &[Row], people: People, population: &[u8]) -> ModelReport {
    let mut counter = counter(people);
    counter.observe(&table(rows)).unwrap();
    let rows: Vec<Row> = population.iter().map(|&class| (class, 0, 0)).collect();
    counter.observe_population(&table(&rows)).unwrap();
    counter.finish().unwrap()
}

/// A tree over the values 0, 5, …, 25.
const TREE: [[u32; 6]; 3] = [[0, 0, 1, 2, 2, 2], [0, 0, 0, 1, 1, 1], [0; 6]];

fn tree() -> Vec<Vec<Option<String>>> {
    let path = |value: usize| {
        let nodes = TREE.iter().enumerate().map(|(level, nodes)| Some(format!("n{level}-{}", nodes[value])));
        std::iter::once(Some((value * 5).to_string())).chain(nodes).collect()
    };
    (0..6).map(path).collect()
}

fn declared() -> Vec<Model> {
    let column = || "value".to_owned();
    let mut all = Vec::new();
    for step in 1..6_u32 {
        let x = f64::from(step);
        all.push(Model::KAnonymity { k: K::new(u64::from(step) + 1).unwrap() });
        all.push(Model::DistinctLDiversity { column: column(), l: u64::from(step) });
        for estimator in [EntropyEstimator::Shannon, EntropyEstimator::Grassberger] {
            all.push(Model::EntropyLDiversity { column: column(), l: 1.0 + x / 2.0, estimator });
        }
        all.push(Model::RecursiveClDiversity { column: column(), c: 0.7 * x, l: 1 + u64::from(step % 3) });
        for distance in [Distance::Equal, Distance::Ordered, Distance::Hierarchical] {
            all.push(Model::TCloseness { column: column(), t: x / 10.0, distance });
        }
        all.push(Model::DeltaDisclosure { column: column(), d: x / 3.0 });
        for enhanced in [false, true] {
            all.push(Model::BetaLikeness { column: column(), beta: x / 4.0, enhanced });
        }
        all.push(Model::k_map(K::new(u64::from(step) + 1).unwrap(), "p.csv"));
        all.push(Model::DeltaPresence { min: 0.0, max: x / 5.0, population: "p.csv".into() });
        all.push(Model::AverageRisk { threshold: x / 6.0 });
        all.push(Model::SampleUniqueness { threshold: x / 20.0 });
    }
    all
}

/// What the models of the search say of the same table.
fn by_models(model: &Model, rows: &[Row], population: &[u8]) -> bool {
    let people = |rows: &mut dyn Iterator<Item = &Row>| rows.map(|row| row.2).collect::<BTreeSet<u8>>().len() as u64;
    let values: BTreeSet<u8> = rows.iter().map(|row| row.1).collect();
    let known: Vec<u64> = values.iter().map(|&value| people(&mut rows.iter().filter(|row| row.1 == value))).collect();
    let reference = Arc::new(TableReference::new(known, people(&mut rows.iter())).unwrap());
    let code = |value: u8| u32::try_from(values.iter().position(|&other| other == value).unwrap()).unwrap();
    let column = SensitiveColumn {
        index: 0,
        reference,
        ranks: Some((0..values.len() as u32).collect()),
        levels: Some(
            TREE.iter()
                .map(|level| {
                    let mut seen: Vec<u32> = values.iter().map(|&value| level[value as usize]).collect();
                    seen.dedup();
                    values.iter().map(|&value| seen.iter().position(|&node| node == level[value as usize]).unwrap() as u32).collect()
                })
                .collect(),
        ),
    };
    let context =
        ModelContext { one_row_each: true, sensitive: [("value".to_owned(), column)].into(), population: true, people: rows.len() as u64 };
    let models = Models::from_policy(std::slice::from_ref(model), Linkability::Unlinked, &context).unwrap();
    let mut statistics = Vec::new();
    let classes: BTreeSet<u8> = rows.iter().map(|row| row.0).collect();
    for &class in &classes {
        let here = || rows.iter().filter(move |row| row.0 == class);
        let owned: BTreeMap<u8, u64> = here().fold(BTreeMap::new(), |mut all, row| {
            *all.entry(row.2).or_default() += 1;
            all
        });
        let size = ClassStatistics {
            rows: here().count() as u64,
            subjects: owned.len() as u64,
            max_rows_of_a_subject: owned.values().copied().max().unwrap_or(0),
        };
        let counts: Vec<ValueCount> = values
            .iter()
            .map(|&value| ValueCount { value: code(value), people: people(&mut here().filter(|row| row.1 == value)) })
            .filter(|count| count.people > 0)
            .collect();
        let population = population.iter().map(|&other| u64::from(other == class)).sum();
        if !models.hold(&ClassView { statistics: size, sensitive: &[&counts], population: Some(population) }) {
            return false;
        }
        statistics.push(size);
    }
    models.enforce(&ClassTable::new(&statistics), &mut vec![false; statistics.len()], 0)
}

/// How far what was achieved is from the bound.
fn margin(model: &Model, found: &Found) -> f64 {
    let bound = match model {
        Model::EntropyLDiversity { l, .. } => *l,
        Model::RecursiveClDiversity { c, .. } => *c,
        Model::TCloseness { t, .. } => *t,
        Model::DeltaDisclosure { d, .. } => *d,
        Model::BetaLikeness { beta, .. } => *beta,
        Model::DeltaPresence { max, .. } => *max,
        Model::AverageRisk { threshold } | Model::SampleUniqueness { threshold } => *threshold,
        _ => return f64::INFINITY,
    };
    found.achieved.map_or(f64::INFINITY, |achieved| (achieved - bound).abs())
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((0..3_u8, 0..5_u8, 0..9_u8), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn the_recount_agrees_with_the_models(rows in rows(), population in prop::collection::vec(0..3_u8, 0..60), single in any::<bool>()) {
        // Everybody has one row, or somebody has several.
        let rows: Vec<Row> = if single { (0_u8..).zip(rows).map(|(person, row)| (row.0, row.1, person)).collect() } else { rows };
        let report = recount(&rows, People::Owner("person".into()), &population);
        let basis = Basis { tree: tree(), ..Basis::default() };
        for model in declared() {
            let found = report.check(&model, &basis).unwrap();
            prop_assert_eq!(found.counted, Counted::People);
            let expected = by_models(&model, &rows, &population);
            // What passes must never be called broken; what fails may only be called good at the very bound.
            prop_assert!(found.holds == expected || !expected && margin(&model, &found) < 1e-9, "{:?} {:?} {}", model, found, expected);
        }
    }

    #[test]
    fn distances_are_the_cost_of_transport(rows in rows()) {
        let rows: Vec<Row> = (0_u8..).zip(rows).map(|(person, row)| (row.0, row.1, person)).collect();
        let report = recount(&rows, People::OneRowEach, &[]);
        let basis = Basis { tree: tree(), ..Basis::default() };
        let values: Vec<u8> = rows.iter().map(|row| row.1).collect::<BTreeSet<_>>().into_iter().collect();
        let count = |class: Option<u8>| -> Vec<u64> {
            values.iter().map(|&value| rows.iter().filter(|row| class.is_none_or(|class| row.0 == class) && row.1 == value).count() as u64).collect()
        };
        let all: u64 = rows.len() as u64;
        let worst = |cost: &dyn Fn(usize, usize) -> i64, longest: f64| {
            let classes: BTreeSet<u8> = rows.iter().map(|row| row.0).collect();
            classes.into_iter().map(|class| {
                let here = count(Some(class));
                let people: u64 = here.iter().sum();
                let (from, to): (Vec<u64>, Vec<u64>) = (here.iter().map(|f| f * all).collect(), count(None).iter().map(|f| f * people).collect());
                transport(&from, &to, cost) as f64 / (people * all) as f64 / longest
            }).fold(0.0, f64::max)
        };
        let ranks = (values.len() as f64 - 1.0).max(1.0);
        for (distance, expected) in [
            (Distance::Equal, worst(&|i, j| i64::from(i != j), 1.0)),
            (Distance::Ordered, worst(&|i, j| i.abs_diff(j) as i64, ranks)),
            (Distance::Hierarchical, worst(&|i, j| tree_distance(values[i] as usize, values[j] as usize), 3.0)),
        ] {
            let found = report.check(&Model::TCloseness { column: "value".into(), t: 0.5, distance }, &basis).unwrap();
            prop_assert!((found.achieved.unwrap() - expected).abs() < 1e-9, "{:?} {:?} {}", distance, found, expected);
        }
    }

    #[test]
    fn splits_and_shipped_states_count_alike(rows in rows(), cut in 0..40_usize, population in prop::collection::vec(0..3_u8, 0..9)) {
        let basis = Basis { tree: tree(), ..Basis::default() };
        let people = || People::Token("person".into());
        let figures = |report: &ModelReport| declared().iter().map(|model| report.check(model, &basis).unwrap()).collect::<Vec<_>>();
        let expected = figures(&recount(&rows, people(), &population));
        let (left, right) = rows.split_at(cut.min(rows.len()));
        let part = |rows: &[Row], population: &[u8]| {
            let mut part = counter(people());
            part.observe(&table(rows)).unwrap();
            let rows: Vec<Row> = population.iter().map(|&class| (class, 0, 0)).collect();
            part.observe_population(&table(&rows)).unwrap();
            part
        };
        let mut merged = part(right, &population);
        merged.merge(part(left, &[])).unwrap();
        prop_assert_eq!(&figures(&merged.finish().unwrap()), &expected);
        let (one, two) = (part(left, &population).state().unwrap(), part(right, &[]).state().unwrap());
        let shipped: Vec<ArrayRef> = one.iter().zip(&two).map(|(one, two)| concat(&[one, two]).unwrap()).collect();
        let mut restored = counter(people());
        restored.merge_state(&shipped).unwrap();
        prop_assert_eq!(&figures(&restored.finish().unwrap()), &expected);
    }
}

#[test]
fn the_reference_in_use_is_named() {
    let rows = [(0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 1, 3)];
    let report = recount(&rows, People::OneRowEach, &[]);
    let model = Model::TCloseness { column: "value".into(), t: 0.1, distance: Distance::Ordered };
    let found = report.check(&model, &Basis::default()).unwrap();
    assert_eq!((found.achieved, found.holds, found.reference), (Some(0.0), true, Some(ReferenceUsed::Released)));
    // At fit time two more people had the value 10, who are suppressed now: (½, ½, 0) against (⅓, ⅓, ⅓), over ranks. 10 comes after 5, not after 0.
    let people = [(Some("0".to_owned()), 2), (Some("5".to_owned()), 2), (Some("10".to_owned()), 2)].into();
    let fit = Basis { reference: Reference::Fit { people, total: 6 }, ..Basis::default() };
    let found = report.check(&model, &fit).unwrap();
    assert!((found.achieved.unwrap() - 0.25).abs() < 1e-12 && !found.holds && found.reference == Some(ReferenceUsed::Fit));
    // A value that the table at fit time does not have is infinitely more frequent.
    let fit = Basis { reference: Reference::Fit { people: [(Some("0".to_owned()), 4)].into(), total: 4 }, ..Basis::default() };
    let found = report.check(&Model::BetaLikeness { column: "value".into(), beta: 9.0, enhanced: false }, &fit).unwrap();
    assert!(!found.holds && found.achieved.is_none());
    let hierarchical = Model::TCloseness { column: "value".into(), t: 0.1, distance: Distance::Hierarchical };
    assert!(report.check(&hierarchical, &Basis::default()).is_err(), "no tree");
    assert!(report.check(&Model::DistinctLDiversity { column: "mood".into(), l: 2 }, &Basis::default()).is_err());
}

#[test]
fn tampering_and_counting_rows_are_caught() {
    let diverse = Model::DistinctLDiversity { column: "value".into(), l: 2 };
    let holds = |rows: &[Row], people| recount(rows, people, &[]).check(&diverse, &Basis::default()).unwrap();
    let good = [(0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 1, 3)];
    assert!(holds(&good, People::Token("person".into())).holds);
    let mut tampered = good;
    tampered[3].1 = 0;
    assert_eq!(holds(&tampered, People::Token("person".into())).achieved, Some(1.0));
    // Two values, but one person has both: the other one's value is certain.
    let one = [(0, 0, 0), (0, 1, 0), (0, 0, 1)];
    assert!(!holds(&one, People::Token("person".into())).holds);
    let rows = holds(&one, People::Unknown);
    assert_eq!((rows.holds, rows.counted), (true, Counted::Rows), "rows alone cannot tell, and say so");
    // Presence: a person of the population who fits no released class.
    let presence = Model::DeltaPresence { min: 0.1, max: 1.0, population: "p.csv".into() };
    let found = |population: &[u8]| recount(&good, People::OneRowEach, population).check(&presence, &Basis::default()).unwrap();
    assert_eq!((found(&[0, 0, 0, 1, 1]).holds, found(&[0, 0, 0, 1, 1]).absent), (true, Some(0)));
    assert_eq!((found(&[0, 0, 0, 1, 1, 2]).holds, found(&[0, 0, 0, 1, 1, 2]).absent), (false, Some(1)));
    assert!(!found(&[0, 0]).holds, "a released class without a population");
    // Two of five people who fit no class are in the data: as they are known to be, 0.4 is between 0.1 and 0.45, and not below 0.35.
    let left_out = |max, suppressed| {
        let presence = Model::DeltaPresence { min: 0.1, max, population: "p.csv".into() };
        let population = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2];
        recount(&good, People::OneRowEach, &population).check(&presence, &Basis { suppressed, ..Basis::default() }).unwrap()
    };
    assert_eq!((left_out(0.45, Some(2)).holds, left_out(0.45, Some(2)).achieved), (true, Some(0.4)));
    assert!(!left_out(0.35, Some(2)).holds && !left_out(0.45, Some(0)).holds && !left_out(0.45, None).holds);
}

#[test]
fn an_empty_release_breaks_no_promise() {
    let report = recount(&[], People::OneRowEach, &[]);
    for model in declared() {
        let found = report.check(&model, &Basis::default()).unwrap();
        assert!(found.holds && found.achieved.is_none(), "{model:?} {found:?}");
    }
}
