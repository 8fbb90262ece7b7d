//! What is refused, and that the messages say where and what to do, and no value.

use super::{keyed, plain};
use backmask::Error;
use backmask::arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Int8Array, Int64Array, LargeStringArray, StringArray, StringViewArray,
};
use backmask::arrow::datatypes::DataType;
use backmask::keys::Key;
use backmask::pipeline::Kernel;
use backmask::policy::{PseudonymMethod, Scope, TokenFormat};
use backmask::pseudonym::{Alphabet, PseudonymDomain, Pseudonymizer};
use std::sync::Arc;

const ALL: [PseudonymMethod; 5] =
    [PseudonymMethod::Blake3, PseudonymMethod::HmacSha256, PseudonymMethod::AesSiv, PseudonymMethod::AesBlock, PseudonymMethod::Ff1];

/// A message of a usage error that has all of `parts`.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, parts: &[&str]) {
    let error = result.unwrap_err();
    let message = error.to_string();
    assert_eq!(error.exit_code(), 2, "{message}");
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    assert!(!message.contains("secret"), "{message}");
}

#[test]
fn formats_that_a_method_does_not_have() {
    use TokenFormat::{Binary, Hex, Input, Int64, Uint64};
    for method in ALL {
        for format in [Int64, Uint64] {
            refused(keyed(method).with_format(format), &["pseudonym.format", method.name(), format.name(), "dense"]);
        }
    }
    for method in [PseudonymMethod::Blake3, PseudonymMethod::HmacSha256] {
        refused(keyed(method).with_format(Uint64), &["share a token", "2.7 %"]);
    }
    for method in ALL.into_iter().filter(|&method| !matches!(method, PseudonymMethod::AesBlock | PseudonymMethod::Ff1)) {
        refused(keyed(method).with_format(Input), &["pseudonym.format", "hex"]);
    }
    for format in [Hex, Binary] {
        refused(keyed(PseudonymMethod::Ff1).with_format(format), &["pseudonym.format", "use input"]);
    }
    // Integers do not fit.
    let block = keyed(PseudonymMethod::AesBlock).with_format(Input).unwrap();
    refused(block.output_type(&DataType::Int64), &["pseudonym.format", "128 bits", "ff1"]);
    refused(block.apply(&Int64Array::from(vec![1])), &["pseudonym.format"]);
}

#[test]
fn the_figures_of_collisions_are_right() {
    // n²/2⁶⁵ for a billion values; for five billion 1 − exp(−n²/2⁶⁵).
    let rate = |n: f64| 1.0 - (-n * n / 2_f64.powi(65)).exp();
    assert!((rate(1e9) - 0.027).abs() < 5e-4 && (rate(5e9) - 0.5).abs() < 0.01);
}

#[test]
fn methods_and_options_that_do_not_go_together() {
    let dense = Pseudonymizer::new(PseudonymMethod::Dense, Key::from_bytes([7; 32]));
    assert!(matches!(&dense, Err(Error::Unsupported { .. })));
    refused(dense, &["DenseFit"]);
    refused(keyed(PseudonymMethod::Ff1).with_random_nulls(), &["ff1"]);
    let uuids = StringArray::from(vec![None, Some("919108f7-52d1-4320-9bac-f847db4148a8")]);
    refused(keyed(PseudonymMethod::AesBlock).with_random_nulls().unwrap().apply_from(&uuids, 0), &["UUID"]);
    for method in ALL.into_iter().filter(|&method| method != PseudonymMethod::Ff1) {
        refused(keyed(method).with_alphabet(Alphabet::digits()), &["pseudonym.alphabet", "ff1"]);
        // Batches that do not know where they stand would all begin with row 0.
        let numbered = keyed(method).with_random_nulls().unwrap();
        refused(numbered.apply(&Int64Array::from(vec![None, Some(1)])), &["apply_from"]);
        refused(numbered.tokens(&Int64Array::from(vec![None, Some(1)])), &["apply_from"]);
        refused(numbered.apply_labelled(&Int64Array::from(vec![None]), &Int64Array::from(vec![1])), &["apply_labelled_from"]);
    }
    for method in [PseudonymMethod::AesSiv, PseudonymMethod::AesBlock, PseudonymMethod::Ff1] {
        assert!(keyed(method).is_reversible());
        refused(
            keyed(method).apply_labelled(&Int64Array::from(vec![1]), &Int64Array::from(vec![1])),
            &["tokens that change with the session", "cannot be turned back", "use blake3"],
        );
    }
    for method in [PseudonymMethod::Blake3, PseudonymMethod::HmacSha256] {
        assert!(!keyed(method).is_reversible());
        let tokens = keyed(method).apply(&Int64Array::from(vec![1])).unwrap();
        refused(keyed(method).reverse(&tokens, None), &["cannot be turned back", "aes-siv"]);
    }
    for method in [PseudonymMethod::AesSiv, PseudonymMethod::Ff1] {
        refused(keyed(method).tokens(&Int64Array::from(vec![1])), &["not 16 bytes"]);
    }
    let nowhere = PseudonymDomain { scope: Scope::None, recipient: "r", release: "e", product: "p", column: "c", period: "" };
    refused(Pseudonymizer::in_domain(PseudonymMethod::AesSiv, &Key::from_bytes([7; 32]), &nowhere), &["scope"]);
}

#[test]
fn values_that_a_method_cannot_take() {
    let texts = vec![Some("123456"), None, Some("secret"), Some("12345"), Some("12345x"), Some("")];
    let representations: [ArrayRef; 3] = [
        Arc::new(StringArray::from(texts.clone())),
        Arc::new(LargeStringArray::from(texts.clone())),
        Arc::new(StringViewArray::from(texts)),
    ];
    for array in representations {
        refused(keyed(PseudonymMethod::Ff1).apply(&array), &["(2 rows", "alphabet", "row 3"]);
        refused(keyed(PseudonymMethod::Ff1).apply_from(&array.slice(3, 3), 1_000), &["(1 row", "alphabet", "row 1002"]);
    }
    // The empty text and others that are too short.
    refused(
        keyed(PseudonymMethod::Ff1).apply(&StringArray::from(vec![Some("123456"), None, Some(""), Some("12345")])),
        &["(2 rows", "shorter than 6 ", "row 3"],
    );
    let binary = keyed(PseudonymMethod::Ff1).with_alphabet(Alphabet::parse("01").unwrap()).unwrap();
    refused(binary.apply(&StringArray::from(vec!["0101010101010101010", "01010101010101010101"])), &["(1 row", "shorter than 20 "]);
    let texts = ["1".repeat(10_001), "1".repeat(100), "1".repeat(1_000_000)];
    refused(keyed(PseudonymMethod::Ff1).apply(&StringArray::from_iter_values(texts)), &["(2 rows", "longer than 10000 ", "row 1"]);
    let uuids = StringArray::from(vec![Some("919108F7-52d1-4320-9bac-f847db4148a8"), None, Some("secret")]);
    refused(keyed(PseudonymMethod::AesBlock).apply(&uuids), &["(2 rows", "UUID", "lowercase", "row 1"]);
    // A Decimal128 array may hold more than its precision says.
    let wide = Decimal128Array::from(vec![0, i128::MAX]).with_data_type(DataType::Decimal128(38, 0));
    refused(keyed(PseudonymMethod::AesBlock).apply(&wide), &["(1 row", "38 digits", "row 2"]);
}

#[test]
fn types_are_refused_before_data_is_seen() {
    for data_type in [DataType::Float64, DataType::Boolean, DataType::Date32, DataType::Binary, DataType::FixedSizeBinary(8)] {
        refused(keyed(PseudonymMethod::AesBlock).output_type(&data_type), &["integers", "UUIDs"]);
        refused(keyed(PseudonymMethod::Ff1).output_type(&data_type), &["texts", "integers"]);
    }
    refused(keyed(PseudonymMethod::Ff1).output_type(&DataType::Int16), &["32 or 64 bits"]);
    refused(keyed(PseudonymMethod::Ff1).apply(&BooleanArray::from(vec![true])), &["32 or 64 bits"]);
    refused(keyed(PseudonymMethod::AesBlock).apply(&BinaryArray::from(vec![&[0_u8; 16][..]])), &["integers", "UUIDs"]);
    for method in [PseudonymMethod::Blake3, PseudonymMethod::AesSiv] {
        refused(keyed(method).output_type(&DataType::new_list(DataType::Int8, true)), &["nested"]);
    }
}

#[test]
fn labels() {
    let tokens = keyed(PseudonymMethod::Blake3);
    let values = StringArray::from(vec![Some("secret"), None, Some("a"), Some("b")]);
    refused(tokens.apply_labelled(&values, &Int8Array::from(vec![1])), &["labels", "1 rows beside 4"]);
    // A missing value needs no label.
    refused(tokens.apply_labelled(&values, &Int8Array::from(vec![None, None, None, Some(1)])), &["(2 rows", "label"]);
    let labelled = tokens.apply_labelled(&values, &Int8Array::from(vec![Some(1), None, Some(1), Some(1)])).unwrap();
    assert_eq!(labelled.null_count(), 1);
    assert!(plain(&labelled).iter().flatten().all(|token| token.len() == 33));
}
