//! Bounds against counts that are worked out by hand.

use super::*;
use arrow::array::{
    BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int8Array, Int32Array,
    Int64Array, LargeStringArray, StringArray, StringViewArray, Time32SecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray,
};
use arrow::datatypes::Int32Type;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn estimate(array: &dyn Array) -> InputSpaceEstimate {
    let mut fit = InputSpace::new("c");
    fit.observe_array(array).unwrap();
    fit.finish().unwrap()
}

fn of_text(values: &[&str]) -> u128 {
    estimate(&StringArray::from(values.to_vec())).count.unwrap()
}

#[test]
fn text_is_counted_by_lengths_and_classes() {
    assert_eq!(of_text(&["12", "98"]), 100);
    assert_eq!(of_text(&["12", "7"]), 110);
    assert_eq!(of_text(&["", "7"]), 11);
    assert_eq!(of_text(&[""]), 1);
    assert_eq!(of_text(&["0a", "b1"]), 16 * 16, "hexadecimal");
    assert_eq!(of_text(&["0A", "B1"]), 16 * 16);
    assert_eq!(of_text(&["a"]), 6);
    assert_eq!(of_text(&["a", "z"]), 26);
    assert_eq!(of_text(&["a", "z", "Q", "A", "5"]), 62);
    assert_eq!(of_text(&["a", "z", "Q", "A", "5", "-", "_", ".", ":", "@", " ", "/"]), 128);
    assert_eq!(of_text(&["é"]), 1_111_936, "one character, not two bytes");
    assert_eq!(of_text(&["user_001", "user_999"]), 20 * 20 * 6 * 20 * 1_000);
    assert_eq!(of_text(&["2026-03-05"]), 100_000_000);
    let uuid = estimate(&StringArray::from(vec![
        "3f2b8c1a-9d4e-4f60-8a7b-0123456789ab",
        "c0ffee00-dead-4bad-9bad-aaaaaaaaaaa0",
        "00000000-aaaa-4aaa-aaaa-ffffffffffff",
    ]));
    assert!(uuid.bits > 100.0 && uuid.bits <= 128.0 && !uuid.enumerable, "{}", uuid.bits);
}

#[test]
fn long_text_shares_its_last_places() {
    let digits = |length: usize| "7".repeat(length);
    assert_eq!(of_text(&[&digits(38)]), 10_u128.pow(38));
    let long = estimate(&StringArray::from(vec![digits(1_000)]));
    assert_eq!(long.count, None);
    assert!((long.bits - 1_000.0 * 10_f64.log2()).abs() < 1e-9);
    let mixed = estimate(&StringArray::from(vec![digits(64) + "ag"]));
    assert!((mixed.bits - 64.0 * 10_f64.log2() - 2.0 * 26_f64.log2()).abs() < 1e-9);
}

#[test]
fn numbers_and_times_are_counted_by_their_range() {
    assert_eq!(estimate(&Int64Array::from(vec![Some(-3), None, Some(6)])).count, Some(10));
    assert_eq!(estimate(&Int64Array::from(vec![i64::MIN, i64::MAX])).count, Some(1 << 64));
    let widest = Decimal128Array::from(vec![i128::MIN, i128::MAX]).with_precision_and_scale(38, 0).unwrap();
    let widest = estimate(&widest);
    assert!(widest.count.is_none() && (widest.bits - 128.0).abs() < 1e-9);
    assert_eq!(estimate(&BooleanArray::from(vec![true])).count, Some(2));
    assert_eq!(estimate(&Float64Array::from(vec![1.0, -2.0])).count, Some(4));
    assert_eq!(estimate(&Float64Array::from(vec![1.0, 2.5])).count, Some(1 << 64));
    assert_eq!(estimate(&Float64Array::from(vec![f64::NAN])).count, Some(1 << 64));
    assert_eq!(estimate(&Date32Array::from(vec![-365, 364])).count, Some(730));
    let day = 86_400;
    assert_eq!(estimate(&TimestampSecondArray::from(vec![-day, 9 * day])).count, Some(11), "days");
    assert_eq!(estimate(&TimestampSecondArray::from(vec![-day, 9 * day, 3_600])).count, Some(241), "hours");
    assert_eq!(estimate(&TimestampSecondArray::from(vec![0, 120])).count, Some(3), "minutes");
    assert_eq!(estimate(&TimestampMillisecondArray::from(vec![-1, 1])).count, Some(3));
    assert_eq!(estimate(&TimestampSecondArray::from(vec![i64::MIN, i64::MAX])).count, Some(1 << 64));
}

#[test]
fn bytes_are_counted_by_lengths() {
    let random = |byte: u8| *blake3::hash(&[byte]).as_bytes();
    let uuids = FixedSizeBinaryArray::try_from_iter((0..20).map(|i| random(i)[..16].to_vec())).unwrap();
    let estimate_of_uuids = estimate(&uuids);
    assert_eq!(estimate_of_uuids.count, None);
    assert!((estimate_of_uuids.bits - 128.0).abs() < 1e-9 && !estimate_of_uuids.enumerable);
    // Small numbers in wide fields.
    let padded = FixedSizeBinaryArray::try_from_iter((1..20_u128).map(|i| (i << 8).to_be_bytes())).unwrap();
    assert_eq!(estimate(&padded).count, Some(256));
    assert_eq!(estimate(&BinaryArray::from(vec![&b"12"[..], b"\x80"])).count, Some(65_536 + 256));
    assert_eq!(estimate(&BinaryArray::from(vec![&b"12"[..], b"7"])).count, Some(110), "bytes that are text");
}

#[test]
fn representations_agree() {
    let values = vec![Some("ann"), None, Some("Bob7"), Some("ann"), Some("é")];
    let plain = estimate(&StringArray::from(values.clone()));
    assert_eq!(plain.rows, 4);
    let mut dictionary: DictionaryArray<Int32Type> = values.clone().into_iter().collect();
    assert_eq!(estimate(&LargeStringArray::from(values.clone())), plain);
    assert_eq!(estimate(&StringViewArray::from(values)), plain);
    assert_eq!(estimate(&dictionary), plain);
    dictionary = dictionary.slice(0, 1);
    assert_eq!(estimate(&dictionary), estimate(&StringArray::from(vec!["ann"])), "unused slots are no values");
    assert_eq!(estimate(&Int8Array::from(vec![-1, 5])), estimate(&Int64Array::from(vec![-1, 5])));
    assert_eq!(
        estimate(&TimestampSecondArray::from(vec![0, 86_400]).with_timezone("Asia/Tokyo")),
        estimate(&TimestampNanosecondArray::from(vec![0, 86_400_000_000_000]))
    );
}

#[test]
fn warnings_say_what_it_means_and_hold_no_value() {
    let small = estimate(&StringArray::from(vec!["secret9", "another"]));
    let warning = small.warning().unwrap();
    for part in ["Column c", "whoever has the key can do the same", "upper bound", "far shorter", "less than a second"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    let text = format!("{warning} {small:?}");
    assert!(!text.contains("secret9") && !text.contains("another"));
    let mut fit = InputSpace::new("c");
    fit.observe_array(&Int64Array::from(vec![424_242])).unwrap();
    assert!(!format!("{fit:?}").contains("4242"));
    assert_eq!(estimate(&StringArray::from(vec!["0123456789abcdef", "ffffffff00000000"])).warning(), None);
    let nothing = estimate(&StringArray::new_null(3));
    assert_eq!((nothing.rows, nothing.count, nothing.warning()), (0, Some(0), None));
    assert_eq!(nothing.bits.to_bits(), 0);
    assert_eq!(duration(0.2), "less than a second");
    assert_eq!(duration(99.6), "100 seconds");
    assert_eq!(duration(150.0), "2.5 minutes");
    assert_eq!(duration(112_590.0), "31 hours");
}

#[test]
fn the_limit_of_enumeration() {
    assert!(estimate(&Int64Array::from(vec![1, (1 << 50) - 1])).enumerable);
    assert!(!estimate(&Int64Array::from(vec![1, 1 << 50])).enumerable);
}

#[test]
fn other_states_and_types_are_refused() {
    let mut fit = InputSpace::new("c");
    fit.observe_array(&StringArray::from(vec!["a"])).unwrap();
    let state = fit.state().unwrap();
    assert!(InputSpace::new("c").merge_state(&state[1..]).is_err());
    assert!(InputSpace::new("c").merge(InputSpace::new("d")).is_err());
    let rows = state[0].len();
    let with = |index: usize, array: ArrayRef| {
        let mut state = state.clone();
        state[index] = array;
        InputSpace::new("c").merge_state(&state)
    };
    assert!(with(0, Arc::new(UInt8Array::from_value(200, rows))).is_err());
    assert!(with(2, Arc::new(UInt32Array::from_value(9, rows))).is_err());
    assert!(with(1, Arc::new(Int32Array::from_value(9, rows))).is_err());
    let message = fit.observe_array(&Time32SecondArray::from(vec![1])).unwrap_err().to_string();
    assert!(message.contains("column c"), "{message}");
}

/// Counts text by writing out the alphabets as sets of characters.
fn by_alphabets(values: &BTreeSet<String>) -> f64 {
    let groups = ["0123456789", "abcdef", "ghijklmnopqrstuvwxyz", "ABCDEF", "GHIJKLMNOPQRSTUVWXYZ", "-", "_"];
    let lengths: BTreeSet<usize> = values.iter().map(|value| value.chars().count()).collect();
    let size = |length: usize| {
        let alphabet = |place: usize| {
            let seen: BTreeSet<char> = values.iter().filter(|v| v.chars().count() == length).filter_map(|v| v.chars().nth(place)).collect();
            let all: usize = groups.iter().filter(|group| group.chars().any(|c| seen.contains(&c))).map(|group| group.len()).sum();
            f64::from(u32::try_from(all).unwrap())
        };
        (0..length).map(alphabet).product::<f64>()
    };
    lengths.into_iter().map(size).sum()
}

proptest! {
    #[test]
    fn merging_is_observing_all_and_more_rows_never_shrink(
        one in prop::collection::vec("[0-9a-gZ_-]{0,5}", 0..12),
        two in prop::collection::vec("[0-9a-gZ_-]{0,5}", 0..12),
        numbers in prop::collection::vec(any::<i64>(), 0..6),
        instants in prop::collection::vec(prop::sample::select(vec![0, 60, 3_600, 86_400, 61, -7_200]), 0..6),
        bytes in prop::collection::vec(prop::collection::vec(prop::sample::select(vec![0_u8, 49, 200]), 0..4), 0..6),
    ) {
        let observe = |fit: &mut InputSpace, first: bool| {
            fit.observe_array(&StringArray::from(if first { one.clone() } else { two.clone() })).unwrap();
            let half = |length: usize| if first { 0..length / 2 } else { length / 2..length };
            fit.observe_array(&Int64Array::from(numbers[half(numbers.len())].to_vec())).unwrap();
            fit.observe_array(&TimestampSecondArray::from(instants[half(instants.len())].to_vec())).unwrap();
            fit.observe_array(&BinaryArray::from_iter_values(&bytes[half(bytes.len())])).unwrap();
        };
        let (mut whole, mut left, mut right) = (InputSpace::new("c"), InputSpace::new("c"), InputSpace::new("c"));
        observe(&mut left, true);
        observe(&mut right, false);
        observe(&mut whole, true);
        let less = whole.clone().finish().unwrap();
        observe(&mut whole, false);
        let mut shipped = InputSpace::new("c");
        let (a, b) = (left.state().unwrap(), right.state().unwrap());
        let appended: Vec<ArrayRef> = a.iter().zip(&b).map(|(a, b)| arrow::compute::concat(&[b, a]).unwrap()).collect();
        shipped.merge_state(&appended).unwrap();
        right.merge(left).unwrap();
        let whole = whole.finish().unwrap();
        prop_assert_eq!(&right.finish().unwrap(), &whole);
        prop_assert_eq!(&shipped.finish().unwrap(), &whole);
        prop_assert!(less.bits <= whole.bits && less.count <= whole.count && less.rows <= whole.rows);
        // Text alone against the alphabets.
        let texts: BTreeSet<String> = one.iter().chain(&two).cloned().collect();
        let text = estimate(&StringArray::from_iter_values(&texts));
        prop_assert!((text.seconds_to_enumerate * HASHES_PER_SECOND - by_alphabets(&texts)).abs() <= 1e-9 * by_alphabets(&texts));
    }
}
