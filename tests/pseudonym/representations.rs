//! The same values give the same tokens in every representation, slice, batch and thread.

use super::{everyone, keyed, plain};
use backmask::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, DictionaryArray, FixedSizeBinaryArray, Int8Array, Int16Array, Int32Array,
    Int64Array, LargeBinaryArray, LargeStringArray, NullArray, StringArray, StringViewArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array,
};
use backmask::arrow::compute::{cast, concat};
use backmask::arrow::datatypes::{DataType, Int8Type, Int16Type, UInt32Type};
use backmask::pipeline::{Kernel, apply_encoded, apply_once};
use backmask::policy::{PseudonymMethod, TokenFormat};
use backmask::pseudonym::{Pseudonymizer, apply_parallel};
use std::collections::HashSet;
use std::sync::Arc;

/// Missing and empty values, repeated ones, long ones, and others.
fn names() -> Vec<Option<String>> {
    let mut names = vec![Some("ann".to_owned()), None, Some(String::new()), Some("ann".to_owned()), Some("Żółć".to_owned()), None];
    names.extend((0..400).map(|i| (i % 7 != 0).then(|| "x".repeat(i))));
    names
}

fn text_representations(names: &[Option<String>]) -> Vec<ArrayRef> {
    let texts = || names.iter().map(Option::as_deref);
    let plain = texts().collect::<StringArray>();
    let mut widened: Vec<Option<&str>> = vec![Some("before")];
    widened.extend(texts());
    widened.push(None);
    // A dictionary with a missing value, one used, one not, a value twice, and missing keys.
    let mut values: Vec<Option<&str>> = vec![None, Some("unused!"), Some("ann")];
    values.extend(texts());
    let keys: Int16Array = texts().zip(3_i16..).map(|(text, at)| if text.is_none() && at % 2 == 0 { None } else { Some(at) }).collect();
    vec![
        Arc::new(texts().collect::<LargeStringArray>()),
        Arc::new(texts().collect::<StringViewArray>()),
        Arc::new(widened.into_iter().collect::<StringArray>().slice(1, names.len())),
        cast(&plain, &DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::LargeUtf8))).unwrap(),
        Arc::new(DictionaryArray::<Int16Type>::new(keys, Arc::new(values.into_iter().collect::<StringArray>()))),
        Arc::new(plain),
    ]
}

fn check(tokens: &Pseudonymizer, representations: &[ArrayRef]) {
    let expected = plain(&tokens.apply(representations.last().unwrap()).unwrap());
    for array in representations {
        let what = format!("{tokens:?} {}", array.data_type());
        let rows = array.len();
        assert_eq!(plain(&tokens.apply(array).unwrap()), expected, "{what}");
        assert_eq!(plain(&apply_once(tokens, array).unwrap()), expected, "{what}");
        let encoded = apply_encoded(tokens, array).unwrap();
        encoded.to_data().validate_full().unwrap();
        assert_eq!(plain(&encoded), expected, "{what}");
        if let Some(dictionary) = array.as_any_dictionary_opt() {
            assert_eq!(encoded.as_any_dictionary().keys().to_data(), dictionary.keys().to_data());
        } else {
            assert_eq!(encoded.data_type(), &tokens.output_type(array.data_type()).unwrap(), "{what}");
        }
        for (start, length) in [(0, 0), (1, 1), (2, 3), (rows / 2, rows - rows / 2)] {
            assert_eq!(plain(&tokens.apply(&array.slice(start, length)).unwrap()), expected[start..start + length], "{what}");
        }
    }
}

#[test]
fn texts() {
    let arrays = text_representations(&names());
    for tokens in everyone() {
        if matches!(tokens.method(), PseudonymMethod::Blake3 | PseudonymMethod::HmacSha256 | PseudonymMethod::AesSiv) {
            check(&tokens, &arrays);
        }
    }
    let uuids: Vec<_> =
        (0..300_u32).map(|i| (i % 5 != 3).then(|| format!("{:08x}-0000-4000-8000-00000000000{:x}", (i % 100) * 77_777, i % 16))).collect();
    let digits: Vec<_> =
        (0..300_u32).map(|i| (i % 5 != 3).then(|| format!("{:0width$}", i % 100, width = 6 + (i % 40) as usize))).collect();
    // The text that no row uses is no UUID and has no digits.
    check(&keyed(PseudonymMethod::AesBlock), &text_representations(&uuids)[..4]);
    check(&keyed(PseudonymMethod::Ff1), &text_representations(&digits)[..4]);
    let [uuid_dictionary, digit_dictionary] = [&uuids, &digits].map(|texts| Arc::clone(&text_representations(texts)[4]));
    for (method, dictionary, texts) in
        [(PseudonymMethod::AesBlock, uuid_dictionary, &uuids), (PseudonymMethod::Ff1, digit_dictionary, &digits)]
    {
        let (tokens, expected) = (keyed(method), texts.iter().map(Option::as_deref).collect::<StringArray>());
        assert_eq!(plain(&apply_encoded(&tokens, &dictionary).unwrap()), plain(&tokens.apply(&expected).unwrap()));
        assert_eq!(plain(&apply_once(&tokens, &dictionary).unwrap()), plain(&tokens.apply(&expected).unwrap()));
    }
}

#[test]
fn bytes() {
    let values: Vec<Option<[u8; 16]>> =
        (0..200_u128).map(|i| (i % 9 != 4).then(|| (i % 50).wrapping_mul(0x1234_5678_9abc_def0_1357).to_le_bytes())).collect();
    let slices = || values.iter().map(|value| value.as_ref().map(<[u8; 16]>::as_slice));
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(slices().collect::<BinaryArray>()),
        Arc::new(slices().collect::<LargeBinaryArray>()),
        Arc::new(slices().collect::<BinaryViewArray>()),
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(slices(), 16).unwrap()),
    ];
    for method in [PseudonymMethod::Blake3, PseudonymMethod::HmacSha256, PseudonymMethod::AesSiv] {
        check(&keyed(method), &arrays);
    }
    check(&keyed(PseudonymMethod::AesBlock), &arrays[3..]);
}

#[test]
fn integers_of_every_width() {
    let values: Vec<Option<i64>> = (0..300).map(|i| (i % 11 != 5).then_some(i % 100)).collect();
    let int64 = Int64Array::from(values);
    let mut arrays: Vec<ArrayRef> = [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Decimal128(38, 0),
        DataType::Decimal128(5, 0),
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::UInt16)),
    ]
    .iter()
    .map(|data_type| cast(&int64, data_type).unwrap())
    .collect();
    arrays.push(Arc::new(int64));
    for tokens in everyone() {
        if tokens.method() != PseudonymMethod::Ff1 && tokens.format() != Some(TokenFormat::Input) {
            check(&tokens, &arrays);
        }
    }
    // FF1 permutes the integers of one width.
    let ff1 = keyed(PseudonymMethod::Ff1);
    for (data_type, array) in [DataType::Int32, DataType::UInt32, DataType::Int64, DataType::UInt64].into_iter().zip([2, 5, 10, 6]) {
        assert_eq!(arrays[array].data_type(), &data_type);
        assert_eq!(ff1.apply(&arrays[array]).unwrap().data_type(), &data_type);
        check(&ff1, &arrays[array..=array]);
    }
}

#[test]
fn nothing_and_nothing_but_missing_values() {
    for tokens in everyone() {
        let arrays: [ArrayRef; 4] = [
            Arc::new(Int64Array::from(vec![None; 100])),
            Arc::new(Int64Array::new(vec![7; 100].into(), Some(vec![false; 100].into()))),
            Arc::new(Int64Array::from(Vec::<i64>::new())),
            Arc::new(DictionaryArray::<Int8Type>::new(Int8Array::from(vec![None; 100]), Arc::new(Int64Array::from(vec![7])))),
        ];
        if tokens.format() == Some(TokenFormat::Input) && tokens.method() == PseudonymMethod::AesBlock {
            continue;
        }
        for array in arrays {
            for output in [tokens.apply(&array).unwrap(), apply_encoded(&tokens, &array).unwrap()] {
                assert_eq!((output.len(), output.logical_null_count()), (array.len(), array.len()), "{tokens:?}");
            }
        }
    }
    let tokens = keyed(PseudonymMethod::Blake3).apply(&NullArray::new(3)).unwrap();
    assert_eq!((tokens.len(), tokens.null_count()), (3, 3));
}

#[test]
fn what_stands_under_a_missing_value_does_not_come_out() {
    // Two columns that differ only in what their missing rows hide.
    let column = |hidden: i64| Int64Array::new(vec![1, hidden, 3].into(), Some(vec![true, false, true].into()));
    for tokens in everyone() {
        if tokens.format() == Some(TokenFormat::Input) && tokens.method() == PseudonymMethod::AesBlock {
            continue;
        }
        let [left, right] = [5, 77].map(|hidden| tokens.apply(&column(hidden)).unwrap().to_data());
        for (left, right) in left.buffers().iter().zip(right.buffers()) {
            assert_eq!(left.as_slice(), right.as_slice(), "{tokens:?}");
        }
    }
}

#[test]
fn batches_and_threads_agree_also_on_missing_rows() {
    // More rows than a thread takes at least; the values repeat, so that they are worked once, and then do not.
    let values: Vec<Option<i64>> = (0..40_000).map(|i| (i % 13 != 1).then_some(if i < 20_000 { i % 500 } else { i })).collect();
    let integers: ArrayRef = Arc::new(Int64Array::from(values));
    let texts = cast(&integers, &DataType::Utf8).unwrap();
    let dictionary = cast(&texts, &DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))).unwrap();
    let mut tried = 0;
    for tokens in everyone() {
        if tokens.format().is_some() {
            continue;
        }
        for numbered in [false, true] {
            let tokens = keyed(tokens.method());
            let Ok(tokens) = (if numbered { tokens.with_random_nulls() } else { Ok(tokens) }) else { continue };
            for array in [&integers, &texts, &dictionary] {
                let Ok(whole) = tokens.apply_from(array, 0) else { continue };
                tried += 1;
                assert_eq!(whole.null_count() == 0, numbered);
                let parts: Vec<ArrayRef> = [(0, 1), (1, 63), (64, 20_000), (20_064, 19_936)]
                    .map(|(start, length)| tokens.apply_from(&array.slice(start, length), start as u64).unwrap())
                    .to_vec();
                let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                assert_eq!(&concat(&parts).unwrap(), &whole, "{tokens:?}");
                for threads in [1, 2, 3, 7] {
                    assert_eq!(&apply_parallel(&tokens, array, threads).unwrap(), &whole, "{tokens:?} {threads}");
                }
                if numbered {
                    let distinct: HashSet<_> = plain(&whole).into_iter().collect();
                    let values: HashSet<_> = plain(array).into_iter().flatten().collect();
                    assert_eq!(distinct.len(), array.logical_null_count() + values.len());
                }
            }
        }
    }
    assert!(tried >= 15, "{tried}");
}

#[test]
fn errors_of_several_threads_count_all_rows() {
    let digits: Vec<String> = (0..20_000).map(|i| if i % 1_000 == 7 { "secret".to_owned() } else { format!("{i:09}") }).collect();
    let digits = StringArray::from(digits);
    let ff1 = keyed(PseudonymMethod::Ff1);
    let messages = [apply_parallel(&ff1, &digits, 4), ff1.apply_from(&digits, 0)].map(|result| result.unwrap_err().to_string());
    assert_eq!(messages[0], messages[1]);
    assert!(messages[0].contains("(20 rows") && messages[0].contains("row 8") && !messages[0].contains("secret"), "{}", messages[0]);
    let message = ff1.apply_from(&digits.slice(8, 2_000), 1_000_008).unwrap_err().to_string();
    assert!(message.contains("(2 rows") && message.contains("row 1001008"), "{message}");
}

#[test]
fn rows_of_many_repeated_values_are_told_apart() {
    // Values that repeat in patterns, across the window after which it is decided whether looking for repeats pays.
    for distinct in [1_u64, 3, 200, 20_000, 70_000] {
        let values: Vec<Option<u64>> =
            (0..120_000_u64).map(|i| (i % 17 != 0).then_some(i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(20) % distinct)).collect();
        let integers: ArrayRef = Arc::new(UInt64Array::from(values));
        let texts = cast(&integers, &DataType::Utf8).unwrap();
        for (array, format) in [(&integers, TokenFormat::Hex), (&texts, TokenFormat::Binary)] {
            let tokens = keyed(PseudonymMethod::Blake3).with_format(format).unwrap();
            let whole = plain(&tokens.apply(array).unwrap());
            // Rows one by one know of no repeats.
            for row in (0..array.len()).step_by(997) {
                assert_eq!(plain(&tokens.apply(&array.slice(row, 1)).unwrap())[0], whole[row]);
            }
            let found: HashSet<_> = whole.iter().flatten().collect();
            let values = plain(&cast(array, &DataType::Utf8).unwrap());
            assert_eq!(found.len(), values.iter().flatten().collect::<HashSet<_>>().len());
            let pairs: HashSet<_> = values.iter().zip(&whole).collect();
            assert_eq!(pairs.len(), found.len() + 1, "a value with two tokens");
        }
    }
}

#[test]
fn integers_that_no_cast_made() {
    let direct: [ArrayRef; 6] = [
        Arc::new(Int8Array::from(vec![1])),
        Arc::new(Int16Array::from(vec![1])),
        Arc::new(Int32Array::from(vec![1])),
        Arc::new(UInt8Array::from(vec![1])),
        Arc::new(UInt16Array::from(vec![1])),
        Arc::new(UInt32Array::from(vec![1])),
    ];
    let tokens = keyed(PseudonymMethod::Blake3);
    let expected = plain(&tokens.apply(&UInt64Array::from(vec![1])).unwrap());
    assert!(direct.iter().all(|array| plain(&tokens.apply(array).unwrap()) == expected));
    let keyed: DictionaryArray<UInt32Type> = DictionaryArray::new(UInt32Array::from(vec![0]), Arc::new(UInt64Array::from(vec![1])));
    assert_eq!(plain(&tokens.apply(&keyed).unwrap()), expected);
}
