//! Tests of `matrix` from outside the crate.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use backmask::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, StringViewArray};
use backmask::arrow::compute::{cast, concat_batches};
use backmask::arrow::datatypes::DataType;
use backmask::keys::Key;
use backmask::matrix::{CapFit, ItemSupportFit, JointCodes, SUPPRESSED, generalize_items};
use backmask::pipeline::{Fit, Transform};
use backmask::policy::Otherwise;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Subject, track, artist, genre; missing where `None`.
type Row = [Option<u8>; 4];
const COLUMNS: [&str; 4] = ["subject_id", "track", "artist", "genre"];
const ITEMS: [&str; 3] = ["track", "artist", "genre"];

fn text(value: Option<u8>) -> Option<String> {
    value.map(|value| format!("value number {value}"))
}

/// The rows as a batch; column c has the representation (c + shift) of four.
fn batch(rows: &[Row], shift: usize) -> RecordBatch {
    let types =
        [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View, DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8))];
    let columns = COLUMNS.iter().enumerate().map(|(c, name)| {
        let plain = StringArray::from(rows.iter().map(|row| text(row[c])).collect::<Vec<_>>());
        (*name, cast(&plain, &types[(c + shift) % 4]).unwrap(), true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// The values of a batch, whatever their representation.
fn values(batch: &RecordBatch) -> Vec<Vec<Option<String>>> {
    let columns: Vec<ArrayRef> = batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap()).collect();
    (0..batch.num_rows())
        .map(|row| {
            let cell = |column: &ArrayRef| column.is_valid(row).then(|| column.as_string::<i32>().value(row).to_owned());
            columns.iter().map(cell).collect()
        })
        .collect()
}

fn sorted(batch: &RecordBatch) -> Vec<Vec<Option<String>>> {
    let mut rows = values(batch);
    rows.sort_unstable();
    rows
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let cell = |below: u8| prop_oneof![9 => (0..below).prop_map(Some), 1 => Just(None)];
    proptest::collection::vec((cell(6), cell(8), cell(4), cell(2)).prop_map(|(s, t, a, g)| [s, t, a, g]), 0..50)
}

fn support(min: u64, otherwise: Otherwise) -> ItemSupportFit {
    ItemSupportFit::new("subject_id", ITEMS, min, otherwise).unwrap()
}

/// The fewest people of any combination of item columns, missing values included.
fn fewest_people(batch: &RecordBatch) -> usize {
    let mut people: HashMap<Vec<Option<String>>, HashSet<Option<String>>> = HashMap::new();
    for row in values(batch) {
        people.entry(row[1..].to_vec()).or_default().insert(row[0].clone());
    }
    people.values().map(HashSet::len).min().unwrap_or(usize::MAX)
}

proptest! {
    /// What was observed in pieces of different representation, merged directly or as arrays, gives the same as one batch.
    #[test]
    fn item_support_holds_and_depends_on_nothing_else(rows in rows(), cut in 0_usize..50, min in 2_u64..4, generalize in any::<bool>()) {
        let otherwise = if generalize { Otherwise::Generalize } else { Otherwise::Suppress };
        let (left, right) = rows.split_at(cut.min(rows.len()));
        let mut whole = support(min, otherwise);
        whole.observe(&batch(&rows, 0)).unwrap();
        let whole = whole.finish().unwrap();
        let released = whole.apply(&batch(&rows, 0)).unwrap();
        prop_assert!(fewest_people(&released) as u64 >= min);
        prop_assert_eq!(released.schema(), whole.output_schema(batch(&rows, 0).schema_ref()).unwrap());

        let (mut first, mut second, mut third) = (support(min, otherwise), support(min, otherwise), support(min, otherwise));
        first.observe(&batch(right, 1)).unwrap();
        second.observe(&batch(left, 2).slice(left.len() / 2, left.len() - left.len() / 2)).unwrap();
        third.observe(&batch(&left[..left.len() / 2], 3)).unwrap();
        third.observe(&batch(&left[..left.len() / 2], 3)).unwrap();
        first.merge(second).unwrap();
        first.merge_state(&third.state().unwrap()).unwrap();
        let merged = first.finish().unwrap();
        for shift in 0..4 {
            prop_assert_eq!(sorted(&merged.apply(&batch(&rows, shift)).unwrap()), sorted(&released));
        }
        let pieces = [merged.apply(&batch(left, 0)).unwrap(), merged.apply(&batch(right, 0)).unwrap()];
        let together = concat_batches(pieces[0].schema_ref(), &pieces).unwrap();
        prop_assert_eq!(sorted(&together), sorted(&released));
    }

    /// Record batches and codes give the same levels.
    #[test]
    fn item_support_equals_that_of_joint_codes(rows in rows(), min in 1_u64..4) {
        let rows: Vec<Row> = rows.into_iter().filter(|row| row[0].is_some()).collect();
        let mut fit = support(min, Otherwise::Generalize);
        fit.observe(&batch(&rows, 0)).unwrap();
        let released = fit.finish().unwrap().apply(&batch(&rows, 0)).unwrap();

        let code = |value: Option<u8>| value.map_or(u32::MAX, u32::from);
        let columns: Vec<Vec<u32>> = (0..4).map(|c| rows.iter().map(|row| code(row[c])).collect()).collect();
        let mut joint = JointCodes::new(3);
        let levels = joint.extend(&[&columns[1], &columns[2], &columns[3]]).unwrap();
        let levels: Vec<&[u32]> = levels.iter().map(Vec::as_slice).collect();
        let supported = generalize_items(&(columns[0].as_slice(), levels.as_slice()), 6, &joint.counts(), min, 0).unwrap();
        let mut assigned = Vec::new();
        supported.assign(&levels, &mut assigned).unwrap();
        let expected: Vec<Vec<Option<String>>> = rows
            .iter()
            .zip(&assigned)
            .filter(|(_, level)| **level != SUPPRESSED)
            .map(|(row, &level)| row.iter().enumerate().map(|(c, &cell)| text(cell.filter(|_| c == 0 || c > usize::from(level)))).collect())
            .collect();
        prop_assert_eq!(values(&released), expected);
    }

    /// Everybody keeps min(cap, own rows), the same rows for any order, representation and split.
    #[test]
    fn caps_hold_and_depend_on_content_alone(rows in rows(), cut in 0_usize..50, max in 1_u64..6) {
        let fit = || CapFit::new("subject_id", ITEMS, max, Key::from_bytes([3; 32])).unwrap();
        let mut whole = fit();
        whole.observe(&batch(&rows, 0)).unwrap();
        let events = whole.finish().unwrap();
        let kept = events.pass().apply(&batch(&rows, 0)).unwrap();
        let count = |batch: &RecordBatch| {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for row in values(batch) {
                if let Some(subject) = &row[0] {
                    *counts.entry(subject.clone()).or_default() += 1;
                }
            }
            counts
        };
        let mut expected = count(&batch(&rows, 0));
        for count in expected.values_mut() {
            *count = (*count).min(max);
        }
        prop_assert_eq!(count(&kept), expected);
        prop_assert!(values(&kept).iter().all(|row| row[0].is_some()));

        let (left, right) = rows.split_at(cut.min(rows.len()));
        let mut first = fit();
        let (mut second, mut third) = (first.fork(), first.fork());
        first.observe(&batch(&right.iter().rev().copied().collect::<Vec<_>>(), 1)).unwrap();
        second.observe(&batch(&left[..left.len() / 2], 2)).unwrap();
        third.observe(&batch(left, 3).slice(left.len() / 2, left.len() - left.len() / 2)).unwrap();
        first.merge(second).unwrap();
        first.merge_state(&third.state().unwrap()).unwrap();
        let merged = first.finish().unwrap();
        // One pass over two batches in the other order; identical rows may be in both.
        let pass = merged.pass();
        let pieces = [pass.apply(&batch(right, 0)).unwrap(), pass.apply(&batch(left, 0)).unwrap()];
        let together = concat_batches(pieces[0].schema_ref(), &pieces).unwrap();
        prop_assert_eq!(sorted(&together), sorted(&kept));
        // A new pass starts anew.
        prop_assert_eq!(sorted(&merged.pass().apply(&batch(&rows, 2)).unwrap()), sorted(&kept));
        // Showing the same rows twice to one pass must not let more through.
        prop_assert_eq!(pass.apply(&batch(&rows, 0)).unwrap().num_rows() <= kept.num_rows(), true);
    }
}

#[test]
fn the_choice_differs_between_people_and_keys() {
    let items: Vec<i64> = (0..40).flat_map(|_| 0..20).collect();
    let people: Vec<i64> = (0..40).flat_map(|person| std::iter::repeat_n(person, 20)).collect();
    let batch = RecordBatch::try_from_iter([
        ("subject_id", Arc::new(Int64Array::from(people)) as ArrayRef),
        ("item", Arc::new(Int64Array::from(items)) as ArrayRef),
    ])
    .unwrap();
    let kept = |key: u8| {
        let mut fit = CapFit::new("subject_id", ["item"], 5, Key::from_bytes([key; 32])).unwrap();
        fit.observe(&batch).unwrap();
        let events = fit.finish().unwrap();
        assert_eq!(events.capped_subjects(), 40);
        let kept = events.pass().apply(&batch).unwrap();
        kept.column(1).as_primitive::<backmask::arrow::datatypes::Int64Type>().values().to_vec()
    };
    let items = kept(1);
    assert_ne!(items, kept(2));
    // 200 of 800 rows: each of the 20 items is expected 10 times. The chance that one of them is missing or kept by more than 24 people is below 10⁻³; the keys are fixed.
    for item in 0..20 {
        let count = items.iter().filter(|&&kept| kept == item).count();
        assert!((1..=24).contains(&count), "item kept {count} times");
    }
}

#[test]
fn empty_batches_missing_columns_and_foreign_states() {
    let none = batch(&[], 0);
    let mut fit = support(2, Otherwise::Generalize);
    fit.observe(&none).unwrap();
    assert_eq!(fit.state().unwrap().iter().map(Array::len).sum::<usize>(), 0);
    assert_eq!(fit.finish().unwrap().apply(&none).unwrap().num_rows(), 0);

    let other = RecordBatch::try_from_iter([("subject_id", Arc::new(StringViewArray::from(vec!["a"])) as ArrayRef)]).unwrap();
    assert!(support(2, Otherwise::Suppress).observe(&other).unwrap_err().to_string().contains("column track"));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    assert!(support(2, Otherwise::Suppress).merge_state(&[Arc::clone(&numbers), numbers]).is_err());
    assert!(support(2, Otherwise::Suppress).merge(support(3, Otherwise::Suppress)).is_err());
    assert!(ItemSupportFit::new("s", ["s"], 2, Otherwise::Suppress).is_err());
    assert!(ItemSupportFit::new("s", ["a", "a"], 2, Otherwise::Suppress).is_err());
    assert!(ItemSupportFit::new("s", Vec::<String>::new(), 2, Otherwise::Suppress).is_err());

    let key = || Key::from_bytes([0; 32]);
    let mut cap = CapFit::new("subject_id", ITEMS, 1, key()).unwrap();
    assert!(cap.observe(&other).is_err());
    assert!(cap.merge(CapFit::new("subject_id", ITEMS, 2, key()).unwrap()).is_err());
    assert!(CapFit::new("subject_id", ITEMS, 0, key()).is_err());
    let cap = CapFit::new("subject_id", ITEMS, 1, key()).unwrap().finish().unwrap();
    assert!(cap.pass().output_schema(other.schema_ref()).is_err());
    assert_eq!(cap.pass().apply(&none).unwrap().num_rows(), 0);
}

/// Messages never carry values, not even of the columns they complain about.
#[test]
fn messages_carry_no_values() {
    let list =
        backmask::arrow::array::ListArray::from_iter_primitive::<backmask::arrow::datatypes::Int32Type, _, _>(vec![Some(vec![Some(
            77_777,
        )])]);
    let batch = RecordBatch::try_from_iter([
        ("subject_id", Arc::new(StringArray::from(vec!["secret"])) as ArrayRef),
        ("track", Arc::new(list) as ArrayRef),
    ])
    .unwrap();
    let mut fit = ItemSupportFit::new("subject_id", ["track"], 2, Otherwise::Suppress).unwrap();
    let message = fit.observe(&batch).unwrap_err().to_string();
    assert!(message.contains("column track") && !message.contains("secret") && !message.contains("77777"), "{message}");
}
