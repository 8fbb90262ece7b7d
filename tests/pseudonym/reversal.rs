//! Tokens that turn back: exactly, only with the key, and never with a word about a value.

use super::{domains, keyed, plain};
use backmask::Error;
use backmask::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, FixedSizeBinaryArray,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, LargeBinaryArray, LargeStringArray, NullArray, StringArray,
    StringViewArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};
use backmask::arrow::compute::cast;
use backmask::arrow::datatypes::{DataType, TimeUnit};
use backmask::keys::Key;
use backmask::pipeline::Kernel;
use backmask::policy::{PseudonymMethod, TokenFormat};
use backmask::pseudonym::{Alphabet, Pseudonymizer};
use proptest::prelude::*;
use std::sync::Arc;

const FORMATS: [TokenFormat; 3] = [TokenFormat::Hex, TokenFormat::Base32, TokenFormat::Binary];

fn siv(format: TokenFormat) -> Pseudonymizer {
    keyed(PseudonymMethod::AesSiv).with_format(format).unwrap()
}

/// Applies, turns back into the type of the column, and compares bit by bit.
#[track_caller]
fn round_trip(tokens: &Pseudonymizer, array: &dyn Array) {
    let released = tokens.apply(array).unwrap();
    let back = tokens.reverse(&released, Some(array.data_type())).unwrap();
    assert_eq!(back.data_type(), array.data_type());
    assert_eq!(plain(&back), plain(array), "{tokens:?} {}", array.data_type());
    back.to_data().validate_full().unwrap();
    assert_eq!(back.logical_null_count(), array.logical_null_count());
}

fn every_kind() -> Vec<(ArrayRef, DataType)> {
    let utc = DataType::Timestamp(TimeUnit::Nanosecond, Some(Arc::from("UTC")));
    let day = 86_400_000;
    vec![
        (Arc::new(StringArray::from(vec![Some("ann"), None, Some(""), Some("Żółć"), Some("\u{0}")])), DataType::Utf8),
        (Arc::new(LargeStringArray::from(vec![Some("ann"), None])), DataType::Utf8),
        (Arc::new(StringViewArray::from(vec![Some("a name of more than twelve bytes"), None])), DataType::Utf8),
        (Arc::new(BinaryArray::from(vec![Some(&b"\x80\x00"[..]), None, Some(b""), Some(&[0; 40])])), DataType::Binary),
        (Arc::new(LargeBinaryArray::from(vec![Some(&b"x"[..]), None])), DataType::Binary),
        (Arc::new(BinaryViewArray::from(vec![Some(&b"x"[..]), None])), DataType::Binary),
        (
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some([1_u8, 0]), None, Some([0, 0])].into_iter(), 2).unwrap()),
            DataType::Binary,
        ),
        (Arc::new(Int8Array::from(vec![Some(i8::MIN), None, Some(i8::MAX)])), DataType::Int64),
        (Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(i16::MAX)])), DataType::Int64),
        (Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)])), DataType::Int64),
        (Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX), Some(0)])), DataType::Int64),
        (Arc::new(UInt8Array::from(vec![Some(0), None, Some(u8::MAX)])), DataType::Int64),
        (Arc::new(UInt16Array::from(vec![Some(0), None, Some(u16::MAX)])), DataType::Int64),
        (Arc::new(UInt32Array::from(vec![Some(0), None, Some(u32::MAX)])), DataType::Int64),
        (Arc::new(UInt64Array::from(vec![Some(0), None, Some(u64::MAX), Some(1 << 63)])), DataType::UInt64),
        (
            Arc::new(
                Decimal128Array::from(vec![Some(10_i128.pow(38) - 1), None, Some(1 - 10_i128.pow(38))])
                    .with_precision_and_scale(38, 0)
                    .unwrap(),
            ),
            DataType::Decimal128(38, 0),
        ),
        (Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])), DataType::Boolean),
        (Arc::new(Float32Array::from(vec![Some(0.1), None, Some(f32::NAN), Some(-0.0), Some(f32::NEG_INFINITY)])), DataType::Float64),
        (Arc::new(Float64Array::from(vec![Some(0.1), None, Some(f64::NAN), Some(f64::MIN_POSITIVE / 3.0)])), DataType::Float64),
        (cast(&Float32Array::from(vec![Some(0.5), None, Some(65_504.0)]), &DataType::Float16).unwrap(), DataType::Float64),
        (Arc::new(Date32Array::from(vec![Some(i32::MIN), None, Some(19_000)])), DataType::Date32),
        (Arc::new(Date64Array::from(vec![Some(-3 * day), None, Some(0)])), DataType::Date32),
        (Arc::new(TimestampSecondArray::from(vec![Some(-7), None, Some(1_700_000_000)])), utc.clone()),
        (Arc::new(TimestampMillisecondArray::from(vec![Some(-7), None]).with_timezone("Europe/Berlin")), utc.clone()),
        (Arc::new(TimestampMicrosecondArray::from(vec![Some(-7), None])), utc.clone()),
        (Arc::new(TimestampNanosecondArray::from(vec![Some(i64::MIN), None, Some(i64::MAX)])), utc),
        (Arc::new(NullArray::new(3)), DataType::Utf8),
        (Arc::new(StringArray::from(Vec::<&str>::new())), DataType::Utf8),
    ]
}

#[test]
fn every_kind_of_value_comes_back() {
    for (array, natural) in every_kind() {
        for format in FORMATS {
            let tokens = siv(format);
            round_trip(&tokens, &array);
            let released = tokens.apply(&array).unwrap();
            let back = tokens.reverse(&released, None).unwrap();
            assert_eq!(back.data_type(), &natural, "{}", array.data_type());
            assert_eq!(plain(&back), plain(&array));
        }
        if natural != DataType::Utf8 {
            let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(array.data_type().clone()));
            if let Ok(encoded) = cast(&array, &dictionary) {
                round_trip(&siv(TokenFormat::Hex), &encoded);
            }
        }
    }
    // A Date64 holds dates and instants: its kinds differ, so it must be named.
    let mixed = Date64Array::from(vec![Some(86_400_000), Some(1), None, Some(-1)]);
    round_trip(&siv(TokenFormat::Hex), &mixed);
    let released = siv(TokenFormat::Hex).apply(&mixed).unwrap();
    assert!(siv(TokenFormat::Hex).reverse(&released, None).unwrap_err().to_string().contains("several kinds"));
    // Seconds that nanoseconds cannot count.
    let far = TimestampSecondArray::from(vec![i64::MAX]);
    round_trip(&siv(TokenFormat::Hex), &far);
    let released = siv(TokenFormat::Hex).apply(&far).unwrap();
    assert!(siv(TokenFormat::Hex).reverse(&released, None).unwrap_err().to_string().contains("another unit"));
}

#[test]
fn integers_and_uuids_come_back_from_blocks() {
    for (array, natural) in every_kind() {
        if !array.data_type().is_integer() && !matches!(array.data_type(), DataType::Decimal128(..)) {
            continue;
        }
        for format in FORMATS {
            let tokens = keyed(PseudonymMethod::AesBlock).with_format(format).unwrap();
            round_trip(&tokens, &array);
            if array.data_type().is_integer() {
                let back = tokens.reverse(&tokens.apply(&array).unwrap(), None).unwrap();
                assert_eq!((back.data_type(), plain(&back)), (&natural, plain(&array)));
            }
        }
        round_trip(&keyed(PseudonymMethod::AesBlock), &array);
    }
    let texts = StringArray::from(vec![Some("919108f7-52d1-4320-9bac-f847db4148a8"), None, Some("00000000-0000-0000-0000-000000000000")]);
    let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some([7_u8; 16]), None, Some([255; 16])].into_iter(), 16).unwrap();
    let arrays: [ArrayRef; 4] =
        [cast(&texts, &DataType::LargeUtf8).unwrap(), cast(&texts, &DataType::Utf8View).unwrap(), Arc::new(texts), Arc::new(fixed)];
    for array in arrays {
        let mut all = vec![keyed(PseudonymMethod::AesBlock)];
        all.extend(
            [TokenFormat::Hex, TokenFormat::Base32, TokenFormat::Binary, TokenFormat::Input]
                .map(|f| keyed(PseudonymMethod::AesBlock).with_format(f).unwrap()),
        );
        for tokens in all {
            round_trip(&tokens, &array);
        }
        let tokens = keyed(PseudonymMethod::AesBlock);
        let released = tokens.apply(&array).unwrap();
        assert_eq!(released.data_type(), array.data_type());
        assert_eq!(plain(&tokens.reverse(&released, None).unwrap()), plain(&array));
    }
}

#[test]
fn texts_and_integers_come_back_from_ff1() {
    let digits = StringArray::from(vec![Some("0123456789"), None, Some("000000"), Some("999999999999999999999999999999999999999999")]);
    let greek = StringArray::from(vec![Some("αβγδ€αβγδ€"), None, Some("€€€€€€€€€")]);
    let ff1 = || keyed(PseudonymMethod::Ff1);
    let of_greek = ff1().with_alphabet(Alphabet::parse("αβγδ€").unwrap()).unwrap();
    for (tokens, array) in [(ff1(), &digits), (of_greek, &greek)] {
        for data_type in [
            DataType::Utf8,
            DataType::LargeUtf8,
            DataType::Utf8View,
            DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        ] {
            let array = cast(array, &data_type).unwrap();
            round_trip(&tokens, &array);
            let released = plain(&tokens.apply(&array).unwrap());
            for (token, value) in released.iter().zip(plain(&array)) {
                let characters = |text: Option<&Vec<u8>>| text.map(|text| String::from_utf8(text.clone()).unwrap().chars().count());
                assert_eq!(characters(token.as_ref()), characters(value.as_ref()));
                assert!(token.is_none() || *token != value);
            }
        }
    }
    for (array, _) in every_kind() {
        if matches!(array.data_type(), DataType::Int32 | DataType::UInt32 | DataType::Int64 | DataType::UInt64) {
            round_trip(&ff1(), &array);
            assert_eq!(plain(&ff1().reverse(&ff1().apply(&array).unwrap(), None).unwrap()), plain(&array));
        }
    }
    // A text format that knows one width of integers only: the original type says in which the tokens were made.
    let narrow = Int32Array::from(vec![Some(5), None, Some(i32::MIN)]);
    let widened = cast(&ff1().apply(&narrow).unwrap(), &DataType::Int64).unwrap();
    assert_eq!(plain(&ff1().reverse(&widened, Some(&DataType::Int32)).unwrap()), plain(&narrow));
    assert_ne!(plain(&ff1().reverse(&widened, None).unwrap()), plain(&narrow));
    let too_wide = Int64Array::from(vec![i64::MAX]);
    assert!(ff1().reverse(&too_wide, Some(&DataType::Int32)).is_err());
    assert!(ff1().reverse(&too_wide, Some(&DataType::Utf8)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_column_comes_back(
        texts in proptest::collection::vec(proptest::option::of(".{0,40}"), 0..90),
        integers in proptest::collection::vec(proptest::option::of(any::<i64>()), 0..90),
        digits in proptest::collection::vec(proptest::option::of("[0-9]{6,30}"), 0..90),
        words in proptest::collection::vec(proptest::option::of("[a-z]{5,12}"), 0..90),
        uuids in proptest::collection::vec(any::<u128>(), 0..90),
    ) {
        let texts = StringArray::from(texts);
        let integers = Int64Array::from(integers);
        for format in FORMATS {
            round_trip(&siv(format), &texts);
            round_trip(&siv(format), &integers);
            round_trip(&keyed(PseudonymMethod::AesBlock).with_format(format).unwrap(), &integers);
        }
        round_trip(&keyed(PseudonymMethod::Ff1), &StringArray::from(digits));
        round_trip(&keyed(PseudonymMethod::Ff1), &integers);
        let lower = keyed(PseudonymMethod::Ff1).with_alphabet(Alphabet::parse("lower").unwrap()).unwrap();
        round_trip(&lower, &StringArray::from(words));
        let uuids = FixedSizeBinaryArray::try_from_sparse_iter_with_size(uuids.iter().map(|uuid| Some(uuid.to_be_bytes())), 16).unwrap();
        round_trip(&keyed(PseudonymMethod::AesBlock), &uuids);
    }

    /// One to one: equal tokens exactly for equal values.
    #[test]
    fn tokens_are_one_to_one(left in ".{0,20}", right in ".{0,20}", labels in (".{0,6}", ".{0,6}"), integers in any::<(i64, i64)>()) {
        let texts = StringArray::from(vec![left.clone(), right.clone()]);
        let numbers = Int64Array::from(vec![integers.0, integers.1]);
        for tokens in super::everyone() {
            for (array, equal) in [(&texts as &dyn Array, left == right), (&numbers, integers.0 == integers.1)] {
                if let Ok(tokens) = tokens.apply(array) {
                    let tokens = plain(&tokens);
                    prop_assert_eq!(tokens[0] == tokens[1], equal);
                }
            }
        }
        let labelled = keyed(PseudonymMethod::Blake3).apply_labelled(&texts, &StringArray::from(vec![labels.0.clone(), labels.1.clone()])).unwrap();
        let labelled = plain(&labelled);
        prop_assert_eq!(labelled[0] == labelled[1], left == right && labels.0 == labels.1);
    }
}

#[test]
fn labels_and_values_cannot_flow_into_each_other() {
    let column = |texts: &[&str]| StringArray::from(texts.to_vec());
    let (labels, values) = (column(&["a", "ab", "", "abc\u{1}", "ab\u{1}c"]), column(&["bc", "c", "abc", "", ""]));
    let tokens = keyed(PseudonymMethod::HmacSha256);
    let all = plain(&tokens.apply_labelled(&values, &labels).unwrap());
    assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), 5);
    // Written one after the other without a length, they could not be told apart.
    let joined: std::collections::HashSet<String> =
        labels.iter().zip(&values).map(|(label, value)| label.unwrap().replace('\u{1}', "") + value.unwrap()).collect();
    assert_eq!(joined.len(), 1);
    // A labelled token is no token without a label, nor one of the same label of another type.
    let integers = tokens.apply_labelled(&column(&["x"]), &Int8Array::from(vec![1])).unwrap();
    let wider = tokens.apply_labelled(&column(&["x"]), &Int64Array::from(vec![1])).unwrap();
    let text = tokens.apply_labelled(&column(&["x"]), &column(&["1"])).unwrap();
    assert_eq!(plain(&integers), plain(&wider));
    assert_ne!(plain(&integers), plain(&text));
    assert_ne!(plain(&integers), plain(&tokens.apply(&column(&["x"])).unwrap()));
}

#[test]
fn missing_values_with_tokens_become_missing_again() {
    let texts = StringArray::from(vec![None, Some("ann"), None, Some("")]);
    for format in FORMATS {
        let tokens = siv(format).with_random_nulls().unwrap();
        let released = tokens.apply_from(&texts, 1 << 40).unwrap();
        assert_eq!(released.null_count(), 0);
        assert_eq!(plain(&tokens.reverse(&released, None).unwrap()), plain(&texts));
        let tokens = keyed(PseudonymMethod::AesBlock).with_format(format).unwrap().with_random_nulls().unwrap();
        for (array, data_type) in [
            (Arc::new(Int64Array::from(vec![None, Some(i64::MIN), None, Some(i64::MAX)])) as ArrayRef, None),
            (Arc::new(UInt64Array::from(vec![None, Some(u64::MAX), None, Some(0)])), Some(DataType::UInt64)),
            (Arc::clone(&every_kind()[15].0), Some(DataType::Decimal128(38, 0))),
        ] {
            for first_row in [0, 1, u64::MAX - 3] {
                let released = tokens.apply_from(&array, first_row).unwrap();
                assert_eq!(released.null_count(), 0);
                assert_eq!(plain(&tokens.reverse(&released, data_type.as_ref()).unwrap()), plain(&array));
            }
        }
    }
}

/// The error of a wrong key or an altered token: exit code 2, how many rows, the first of them, and no value.
#[track_caller]
fn key_error(result: Result<ArrayRef, Error>, count: &str, row: &str) {
    let error = result.unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, Error::Key { .. }) && error.exit_code() == 2, "{message}");
    assert!(message.contains(count) && message.contains(row) && !message.contains("listener"), "{message}");
}

#[test]
fn a_wrong_key_or_domain_is_noticed() {
    let texts = StringArray::from_iter_values((0..1_000).map(|i| format!("listener-{i}")));
    let integers = Int64Array::from_iter_values(0..1_000);
    let master = Key::from_bytes([42; 32]);
    let all = domains();
    for (method, array) in [(PseudonymMethod::AesSiv, &texts as &dyn Array), (PseudonymMethod::AesBlock, &integers)] {
        let released = keyed(method).apply(array).unwrap();
        let mut other = [7; 32];
        other[31] ^= 1;
        let wrong = Pseudonymizer::new(method, Key::from_bytes(other)).unwrap();
        key_error(wrong.reverse(&released, None), "1000 of 1000", "row 1");
        key_error(wrong.reverse_from(&released.slice(10, 5), None, 10_000), "5 of 5", "row 10001");
        for (i, domain) in all.iter().enumerate() {
            let released = Pseudonymizer::in_domain(method, &master, domain).unwrap().apply(&array.slice(0, 20)).unwrap();
            for (j, other) in all.iter().enumerate() {
                let back = Pseudonymizer::in_domain(method, &master, other).unwrap().reverse(&released, None);
                if i == j {
                    assert_eq!(plain(&back.unwrap()), plain(&array.slice(0, 20)));
                } else {
                    key_error(back, "20 of 20", "row 1");
                }
            }
        }
    }
    // UUIDs and FF1 have no room for a check: another key gives other values, and says nothing.
    let digits = StringArray::from_iter_values((0..100).map(|i| format!("{i:08}")));
    let wrong = Pseudonymizer::new(PseudonymMethod::Ff1, Key::from_bytes([8; 32])).unwrap();
    let back = wrong.reverse(&keyed(PseudonymMethod::Ff1).apply(&digits).unwrap(), None).unwrap();
    assert!(plain(&back).iter().zip(plain(&digits)).all(|(left, right)| *left != right));
}

#[test]
fn every_altered_bit_is_noticed() {
    let texts = StringArray::from(vec![Some("listener-1"), None, Some("listener-22"), Some("x")]);
    let tokens = siv(TokenFormat::Binary);
    let released = tokens.apply(&texts).unwrap();
    let released = released.as_binary::<i32>();
    for bit in 0..8 * released.value(2).len() {
        let altered = released
            .iter()
            .enumerate()
            .map(|(row, token)| {
                let mut token = token?.to_vec();
                if row == 2 {
                    token[bit / 8] ^= 1 << (bit % 8);
                }
                Some(token)
            })
            .collect::<BinaryArray>();
        key_error(tokens.reverse(&altered, None), "1 of 4", "row 3");
    }
    let integers = Int64Array::from(vec![Some(1), None, Some(2)]);
    let tokens = keyed(PseudonymMethod::AesBlock).with_format(TokenFormat::Binary).unwrap();
    let released = tokens.apply(&integers).unwrap();
    for bit in 0..128 {
        let altered = released.as_fixed_size_binary().iter().enumerate().map(|(row, token)| {
            let mut token = token?.to_vec();
            if row == 2 {
                token[bit / 8] ^= 1 << (bit % 8);
            }
            Some(token)
        });
        let altered = FixedSizeBinaryArray::try_from_sparse_iter_with_size(altered, 16).unwrap();
        // A changed block becomes an integer of 64 bits with probability 2⁻⁶³.
        key_error(tokens.reverse(&altered, None), "1 of 3", "row 3");
    }
}

#[test]
fn texts_that_are_no_tokens_are_named_by_their_rows() {
    let texts = StringArray::from(vec!["listener-1", "listener-2", "listener-3"]);
    for method in [PseudonymMethod::AesSiv, PseudonymMethod::AesBlock] {
        let array: ArrayRef =
            if method == PseudonymMethod::AesSiv { Arc::new(texts.clone()) } else { Arc::new(Int64Array::from(vec![1, 2, 3])) };
        for format in [TokenFormat::Hex, TokenFormat::Base32] {
            let tokens = keyed(method).with_format(format).unwrap();
            let released = tokens.apply(&array).unwrap();
            let token = released.as_string::<i32>().value(1);
            let bad = [
                token[1..].to_owned(),
                format!("{token}0"),
                format!("{token}{token}0"),
                token[..token.len() - 8].to_owned(),
                format!("!{}", &token[1..]),
                if format == TokenFormat::Hex { token.to_uppercase() } else { token.to_lowercase() },
                String::new(),
                "secret".to_owned(),
            ];
            for bad in bad {
                let column = StringArray::from(vec![released.as_string::<i32>().value(0), &bad, released.as_string::<i32>().value(2)]);
                let error = tokens.reverse_from(&column, None, 7).unwrap_err();
                let message = error.to_string();
                assert!(message.contains("(1 row") && message.contains("row 9") && !message.contains("secret"), "{message}");
                assert_eq!(error.exit_code(), 2);
            }
        }
        let bytes = keyed(method).with_format(TokenFormat::Binary).unwrap();
        assert!(bytes.reverse(&BinaryArray::from(vec![&[0_u8; 17][..]]), None).unwrap_err().to_string().contains("(1 row"));
        assert!(bytes.reverse(&texts, None).is_err());
        assert!(keyed(method).with_format(TokenFormat::Hex).unwrap().reverse(&Int64Array::from(vec![1]), None).is_err());
    }
    let message = keyed(PseudonymMethod::Ff1).reverse(&StringArray::from(vec!["123456", "12345x"]), None).unwrap_err().to_string();
    assert!(message.contains("row 2"), "{message}");
}

#[test]
fn types_that_values_do_not_fit_are_refused_by_row() {
    let tokens = siv(TokenFormat::Base32);
    let cases: [(ArrayRef, DataType, &str); 9] = [
        (Arc::new(Int64Array::from(vec![Some(1), Some(300), None, Some(-1)])), DataType::UInt8, "(2 rows"),
        (Arc::new(Int64Array::from(vec![1, 100])), DataType::Decimal128(2, 0), "(1 row"),
        (Arc::new(StringArray::from(vec!["1", "2"])), DataType::Int64, "(2 rows"),
        (Arc::new(Float64Array::from(vec![0.1, 0.5])), DataType::Float32, "(1 row"),
        (Arc::new(Float64Array::from(vec![1e9, 0.5])), DataType::Float16, "(1 row"),
        (Arc::new(TimestampMillisecondArray::from(vec![1_000, 1_001])), DataType::Timestamp(TimeUnit::Second, None), "(1 row"),
        (Arc::new(BinaryArray::from(vec![&b"ab"[..], b"abc"])), DataType::FixedSizeBinary(2), "(1 row"),
        (Arc::new(BinaryArray::from(vec![&b"ab"[..]])), DataType::Utf8, "(1 row"),
        (Arc::new(Date32Array::from(vec![1])), DataType::Boolean, "(1 row"),
    ];
    for (array, original, rows) in cases {
        let message = tokens.reverse(&tokens.apply(&array).unwrap(), Some(&original)).unwrap_err().to_string();
        assert!(message.contains(rows) && message.contains("row "), "{message}");
    }
    let released = tokens.apply(&Int64Array::from(vec![1])).unwrap();
    assert!(tokens.reverse(&released, Some(&DataType::new_list(DataType::Int8, true))).is_err());
    assert!(tokens.reverse(&released, Some(&DataType::Null)).is_err());
    // More memory than there is, for values that are not of this length and for missing ones.
    for array in [BinaryArray::from(vec![Some(&b"ab"[..]), None]), BinaryArray::from(vec![None::<&[u8]>; 1 << 20])] {
        assert!(tokens.reverse(&tokens.apply(&array).unwrap(), Some(&DataType::FixedSizeBinary(i32::MAX))).is_err());
    }
    // AES blocks of small integers as a type that is too narrow for one.
    let block = keyed(PseudonymMethod::AesBlock);
    let message = block.reverse(&block.apply(&Int64Array::from(vec![1, 300])).unwrap(), Some(&DataType::UInt8)).unwrap_err().to_string();
    assert!(message.contains("(1 row") && message.contains("row 2"), "{message}");
}
