//! The recount of a written table.

use arrow::array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, StringViewArray};
use arrow::compute::concat;
use arrow::datatypes::Int8Type;
use backmask::anonymity::verify::{Claim, ClassCounter, ClassReport, People};
use backmask::arrow;
use backmask::pipeline::Fit;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn table(rows: &[(&str, u8)]) -> RecordBatch {
    let class: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)));
    let token: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("t{}", row.1))));
    RecordBatch::try_from_iter([("class", class), ("token", token)]).unwrap()
}

fn count(people: People, batches: &[&RecordBatch]) -> ClassReport {
    let mut counter = ClassCounter::new(["class"], people);
    for batch in batches {
        counter.observe(batch).unwrap();
    }
    counter.finish().unwrap()
}

fn token() -> People {
    People::Token("token".into())
}

#[test]
fn the_unit_is_subject_only_where_it_is_true() {
    // One row each.
    let single = table(&[("a", 1), ("a", 2), ("b", 3), ("b", 4)]);
    assert_eq!(count(token(), &[&single]).claim(2), Claim::Subject { achieved: 2 });
    assert_eq!(count(People::OneRowEach, &[&single]).claim(2), Claim::Subject { achieved: 2 });
    assert_eq!(count(People::Unknown, &[&single]).claim(2), Claim::NeedsPool { smallest_rows: 2 });
    // Tokens link rows: two people with the same two classes, and two with others.
    let shared = table(&[("a", 1), ("b", 1), ("a", 2), ("b", 2)]);
    assert_eq!(count(token(), &[&shared]).claim(2), Claim::Subject { achieved: 2 });
    let alone = table(&[("a", 1), ("b", 1), ("b", 2), ("c", 2), ("a", 3), ("c", 3)]);
    let report = count(token(), &[&alone]);
    assert_eq!((report.multiset_k, report.smallest_subjects, report.one_row_each), (Some(1), Some(2), Some(false)));
    assert_eq!(report.claim(2), Claim::SubjectPerRow { achieved: 2 });
    // The same rows without tokens: nobody owns more than half of a class.
    assert_eq!(count(People::Owner("token".into()), &[&alone]).claim(2), Claim::Subject { achieved: 2 });
    // Without tokens, one owner of three of four rows.
    let owned = table(&[("a", 1), ("a", 1), ("a", 1), ("a", 2)]);
    let report = count(People::Owner("token".into()), &[&owned]);
    assert_eq!((report.smallest_subjects, report.largest_share_of_one_subject), (Some(2), Some(0.75)));
    assert_eq!(report.claim(2), Claim::Subject { achieved: 1 });
    assert_eq!(count(token(), &[&table(&[])]).claim(2), Claim::Empty);
    assert_eq!(count(People::Unknown, &[]).claim(2), Claim::Empty);
}

#[test]
fn files_may_store_the_same_values_in_other_ways() {
    let rows = [("a", 1), ("a", 2), ("b", 1), ("b", 2)];
    let plain = table(&rows);
    let classes: DictionaryArray<Int8Type> = rows.iter().map(|row| row.0).collect();
    let tokens: StringViewArray = rows.iter().map(|row| Some(format!("t{}", row.1))).collect();
    let other = RecordBatch::try_from_iter([("class", Arc::new(classes) as ArrayRef), ("token", Arc::new(tokens) as ArrayRef)]).unwrap();
    let report = count(token(), &[&plain.slice(0, 1), &other.slice(1, 2), &plain.slice(3, 1)]);
    assert_eq!(report, count(token(), &[&plain]));
    assert_eq!((report.rows, report.subjects, report.classes, report.average_class_size), (4, Some(2), 2, 2.0));
    assert_eq!(report.class_size_histogram, [(2, 2)]);
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let mut counter = ClassCounter::new(["class", "absent"], token());
    assert!(counter.observe(&table(&[("a", 1)])).is_err());
    let missing: ArrayRef = Arc::new(StringArray::from(vec![Some("t"), None]));
    let class: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX]));
    let batch = RecordBatch::try_from_iter_with_nullable([("class", class, true), ("token", missing, true)]).unwrap();
    let error = ClassCounter::new(["class"], token()).observe(&batch).unwrap_err().to_string();
    assert!(error.contains("1 row"), "{error}");
    assert!(ClassCounter::new(["class"], token()).merge(ClassCounter::new(["class"], People::Unknown)).is_err());
    let mut counter = ClassCounter::new(["class"], People::Unknown);
    assert!(counter.merge_state(&[Arc::new(Int64Array::from(vec![1])) as ArrayRef]).is_err());
    counter.observe(&batch).unwrap();
    assert_eq!(counter.finish().unwrap().classes, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn splits_merges_and_shipped_states_count_alike(rows in prop::collection::vec((prop::sample::select(vec!["a", "b", "c"]), 0..5_u8), 0..30), cut in 0..30_usize) {
        let whole = table(&rows);
        let cut = cut.min(rows.len());
        let (left, right) = (whole.slice(0, cut), whole.slice(cut, rows.len() - cut));
        let expected = count(token(), &[&whole]);
        let counter = |batch: &RecordBatch| {
            let mut counter = ClassCounter::new(["class"], token());
            counter.observe(batch).unwrap();
            counter
        };
        let mut merged = counter(&right);
        merged.merge(counter(&left)).unwrap();
        prop_assert_eq!(&merged.finish().unwrap(), &expected);
        let (one, two) = (counter(&left).state().unwrap(), counter(&right).state().unwrap());
        let shipped: Vec<ArrayRef> = one.iter().zip(&two).map(|(one, two)| concat(&[one, two]).unwrap()).collect();
        let mut restored = ClassCounter::new(["class"], token());
        restored.merge_state(&shipped).unwrap();
        prop_assert_eq!(&restored.finish().unwrap(), &expected);

        // A second formula: sets of strings.
        let mut visits: BTreeMap<u8, BTreeMap<&str, u64>> = BTreeMap::new();
        let mut people: BTreeMap<&str, BTreeSet<u8>> = BTreeMap::new();
        for &(class, person) in &rows {
            *visits.entry(person).or_default().entry(class).or_default() += 1;
            people.entry(class).or_default().insert(person);
        }
        let rarest = visits.values().map(|one| visits.values().filter(|other| one == *other).count() as u64).min();
        prop_assert_eq!(expected.multiset_k, rarest);
        prop_assert_eq!(expected.smallest_subjects, people.values().map(|people| people.len() as u64).min());
        prop_assert_eq!(expected.subjects, Some(visits.len() as u64));
    }
}
