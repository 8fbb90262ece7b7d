//! Deliberately broken variants: each must be caught by the check that the real one passes.

use super::fit;
use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use backmask::anonymity::classes::ClassView;
use backmask::anonymity::models::{KAnonymity, Linkability, Models, PrivacyModel};
use backmask::anonymity::quality::Loss;
use backmask::anonymity::search::{Found, Problem, exhaustive};
use backmask::anonymity::verify::{Claim, ClassCounter, ClassReport, People};
use backmask::arrow;
use backmask::pipeline::{Fit, Kernel};
use backmask::policy::{Direction, HierarchySpec, Quality};
use backmask::units::{K, Share};
use std::collections::HashMap;
use std::sync::Arc;

const K_ASKED: u64 = 3;

/// (place, person). Places of the A kind are visited by one busy person and few others.
const ROWS: [(&str, &str); 14] = [
    ("AA", "busy"),
    ("AA", "busy"),
    ("AA", "busy"),
    ("AA", "busy"),
    ("AB", "ann"),
    ("AB", "bob"),
    ("BA", "ann"),
    ("BA", "bob"),
    ("BA", "cem"),
    ("BB", "dee"),
    ("BB", "eva"),
    ("BB", "fay"),
    ("CA", "gus"),
    ("CA", "hal"),
];

/// Searches with `models`, writes the table, and gives it with the owners of its rows.
fn release(models: &Models) -> RecordBatch {
    let places: ArrayRef = Arc::new(StringArray::from_iter_values(ROWS.iter().map(|row| row.0)));
    let people: ArrayRef = Arc::new(StringArray::from_iter_values(ROWS.iter().map(|row| row.1)));
    let fitted = fit(&[("place", Arc::clone(&places), Some(HierarchySpec::Mask(Direction::Right)))], Some(people.as_ref()));
    let metric = Loss::new(&Quality::default(), &["place"]).unwrap();
    let problem = Problem::new(&fitted.tuples, &fitted.hierarchies, models, &metric, Share::new(0.5).unwrap()).unwrap();
    let Found::Transformation(best) = exhaustive(&problem).unwrap().found else { panic!("nothing found") };
    let kernel = fitted.hierarchies[0].kernel(best.levels[0]).unwrap();
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let kept: BooleanArray = ROWS
        .iter()
        .map(|row| {
            let next = u32::try_from(numbers.len()).unwrap();
            let code = *numbers.entry(row.0).or_insert(next);
            Some(!best.is_suppressed(fitted.tuples.find(&[code]).unwrap()))
        })
        .collect();
    let table = RecordBatch::try_from_iter([("place", kernel.apply(places.as_ref()).unwrap()), ("person", people)]).unwrap();
    filter_record_batch(&table, &kept).unwrap()
}

fn recount(table: &RecordBatch, people: People) -> ClassReport {
    let mut counter = ClassCounter::new(["place"], people);
    counter.observe(table).unwrap();
    counter.finish().unwrap()
}

fn owner() -> People {
    People::Owner("person".into())
}

/// Takes rows for people.
#[derive(Debug)]
struct CountsRows;

impl PrivacyModel for CountsRows {
    fn name(&self) -> &'static str {
        "k-anonymity"
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        class.statistics.rows >= K_ASKED
    }
}

/// Counts people, but lets one of them own a class.
#[derive(Debug)]
struct IgnoresOwnership;

impl PrivacyModel for IgnoresOwnership {
    fn name(&self) -> &'static str {
        "k-anonymity"
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        class.statistics.subjects >= K_ASKED
    }
}

fn k_anonymity() -> Models {
    Models::new().and(KAnonymity { k: K::new(K_ASKED).unwrap(), linkability: Linkability::Unlinked })
}

#[test]
fn counting_rows_instead_of_people_is_caught() {
    let check = |models: &Models| recount(&release(models), owner()).smallest_subjects >= Some(K_ASKED);
    assert!(check(&k_anonymity()));
    assert!(!check(&Models::new().and(CountsRows)));
}

#[test]
fn one_person_owning_a_class_is_caught() {
    // Guess the owner of a random row of each class: the best guess is the largest owner.
    let guess = |table: &RecordBatch| {
        let mut owned: HashMap<(&str, &str), usize> = HashMap::new();
        let mut rows: HashMap<&str, usize> = HashMap::new();
        for (place, person) in table.column(0).as_string::<i32>().iter().zip(table.column(1).as_string::<i32>()) {
            *owned.entry((place.unwrap(), person.unwrap())).or_default() += 1;
            *rows.entry(place.unwrap()).or_default() += 1;
        }
        owned.into_iter().map(|((place, _), count)| count as f64 / rows[place] as f64).fold(0.0, f64::max)
    };
    let check = |models: &Models| {
        let table = release(models);
        let claimed = recount(&table, owner()).claim(K_ASKED);
        let caught_by_claim = !matches!(claimed, Claim::Subject { achieved } if achieved >= K_ASKED);
        let caught_by_attack = guess(&table) > 1.0 / K_ASKED as f64 + 1e-12;
        assert_eq!(caught_by_claim, caught_by_attack);
        !caught_by_claim
    };
    assert!(check(&k_anonymity()));
    assert!(!check(&Models::new().and(IgnoresOwnership)));
}

#[test]
fn ignoring_the_whole_multiset_is_caught() {
    // Every class has three people, but each person's pair of classes is theirs alone.
    let rows = [
        ("a", "1"),
        ("b", "1"),
        ("b", "2"),
        ("c", "2"),
        ("a", "3"),
        ("c", "3"),
        ("a", "4"),
        ("a", "4"),
        ("b", "5"),
        ("b", "5"),
        ("c", "6"),
        ("c", "6"),
    ];
    let place: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)));
    let person: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1)));
    let table = RecordBatch::try_from_iter([("place", place), ("person", person)]).unwrap();
    let report = recount(&table, People::Token("person".into()));
    // The attack: who is the only one with these classes?
    let mut histories: HashMap<&str, Vec<&str>> = HashMap::new();
    for (place, person) in rows {
        histories.entry(person).or_default().push(place);
    }
    for places in histories.values_mut() {
        places.sort_unstable();
    }
    let alone = histories.values().filter(|one| histories.values().filter(|other| one == other).count() == 1).count();
    assert_eq!(alone, 6);
    let broken = |report: &ClassReport| report.smallest_subjects >= Some(3);
    assert!(broken(&report), "the broken variant would call this 3-anonymous");
    assert_eq!(report.claim(3), Claim::SubjectPerRow { achieved: 3 });
}
