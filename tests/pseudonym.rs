//! Tokens: in every representation, back, and across domains.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod frozen;
mod refusals;
mod representations;
mod reversal;

use backmask::arrow::array::{Array, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray};
use backmask::keys::{Domain, Key};
use backmask::pipeline::{MapColumn, Transform, visit_canonical};
use backmask::policy::{PseudonymMethod, Scope, TokenFormat};
use backmask::pseudonym::{PseudonymDomain, Pseudonymizer, subject_key};
use std::collections::HashSet;
use std::sync::Arc;

/// The methods whose tokens of an integer are 16 bytes.
const METHODS: [PseudonymMethod; 3] = [PseudonymMethod::Blake3, PseudonymMethod::HmacSha256, PseudonymMethod::AesBlock];

fn keyed(method: PseudonymMethod) -> Pseudonymizer {
    Pseudonymizer::new(method, Key::from_bytes([7; 32])).unwrap()
}

/// Every method in every format that it has, chosen and not.
fn everyone() -> Vec<Pseudonymizer> {
    use PseudonymMethod::{AesBlock, AesSiv, Blake3, Ff1, HmacSha256};
    use TokenFormat::{Base32, Binary, Hex, Input, Int64, Uint64};
    let mut everyone = Vec::new();
    for method in [Blake3, HmacSha256, AesSiv, AesBlock, Ff1] {
        everyone.push(keyed(method));
        everyone
            .extend([Hex, Base32, Binary, Int64, Uint64, Input].into_iter().filter_map(|format| keyed(method).with_format(format).ok()));
    }
    // 1 + 3 for both hashes and AES-SIV, 1 + 4 for AES blocks, 1 + 1 for FF1.
    assert_eq!(everyone.len(), 3 * 4 + 5 + 2);
    everyone
}

/// The values of any array, by their canonical encodings.
fn plain(array: &dyn Array) -> Vec<Option<Vec<u8>>> {
    let mut values = Vec::new();
    visit_canonical(array, |value| values.push(value.map(<[u8]>::to_vec))).unwrap();
    values
}

/// Domains that differ in one part each, and pairs that a careless concatenation of the parts would confuse.
fn domains() -> Vec<PseudonymDomain<'static>> {
    let base = PseudonymDomain { scope: Scope::Product, recipient: "r", release: "e", product: "p", column: "c", period: "2026-03" };
    vec![
        base,
        PseudonymDomain { recipient: "r2", ..base },
        PseudonymDomain { release: "e2", ..base },
        PseudonymDomain { product: "p2", ..base },
        PseudonymDomain { column: "c2", ..base },
        PseudonymDomain { recipient: "", ..base },
        PseudonymDomain { recipient: "re", release: "p", product: "c", column: "c", ..base },
        PseudonymDomain { recipient: "r", release: "ep", product: "c", column: "c", ..base },
        PseudonymDomain { scope: Scope::Release, ..base },
        PseudonymDomain { scope: Scope::Recipient, ..base },
        PseudonymDomain { scope: Scope::Period, ..base },
        PseudonymDomain { scope: Scope::Period, period: "2026-04", ..base },
        PseudonymDomain { scope: Scope::Session, ..base },
        PseudonymDomain { scope: Scope::Fragment, ..base },
    ]
}

fn tokens(key: Key, method: PseudonymMethod, values: &dyn Array) -> FixedSizeBinaryArray {
    Pseudonymizer::new(method, key).unwrap().tokens(values).unwrap()
}

fn equal_bits(left: &FixedSizeBinaryArray, right: &FixedSizeBinaryArray) -> u32 {
    left.iter().zip(right.iter()).map(|(l, r)| l.unwrap().iter().zip(r.unwrap()).map(|(l, r)| (l ^ r).count_zeros()).sum::<u32>()).sum()
}

#[test]
fn tokens_of_different_domains_are_unrelated() {
    let master = Key::from_bytes([42; 32]);
    let values = Int64Array::from_iter_values(0..500);
    let columns: Vec<FixedSizeBinaryArray> = METHODS
        .iter()
        .flat_map(|&method| domains().into_iter().map(move |domain| (method, domain)))
        .map(|(method, domain)| tokens(subject_key(&master, &domain).unwrap(), method, &values))
        .collect();
    let all: HashSet<&[u8]> = columns.iter().flat_map(|column| column.iter().flatten()).collect();
    assert_eq!(all.len(), columns.len() * values.len(), "a token occurs twice");
    // Of 64,000 bits of unrelated tokens 32,000 ± 126.5 (one standard deviation) agree. 861 pairs of columns beyond 5.5 deviations each: false alarm 3.3e-5.
    let bound = 5.5 * (64_000.0_f64 / 4.0).sqrt();
    for (i, left) in columns.iter().enumerate() {
        for right in &columns[..i] {
            assert!((f64::from(equal_bits(left, right)) - 32_000.0).abs() < bound);
        }
    }
    // The test would notice tokens that differ but are related: here by one flipped half.
    let related = FixedSizeBinaryArray::try_from_iter(columns[0].iter().map(|token| {
        let mut token = token.unwrap().to_vec();
        token[..7].iter_mut().for_each(|byte| *byte = !*byte);
        token
    }))
    .unwrap();
    assert!((f64::from(equal_bits(&columns[0], &related)) - 32_000.0).abs() > bound);
}

#[test]
fn what_a_scope_joins_is_joined() {
    let master = Key::from_bytes([42; 32]);
    let values = StringArray::from(vec!["ann"]);
    let of = |domain: PseudonymDomain<'_>| tokens(subject_key(&master, &domain).unwrap(), PseudonymMethod::Blake3, &values);
    let base = PseudonymDomain { scope: Scope::Product, recipient: "r", release: "e", product: "p", column: "c", period: "" };
    let release = PseudonymDomain { scope: Scope::Release, ..base };
    assert_eq!(of(release), of(PseudonymDomain { product: "q", ..release }));
    let recipient = PseudonymDomain { scope: Scope::Recipient, ..base };
    assert_eq!(of(recipient), of(PseudonymDomain { product: "q", release: "f", ..recipient }));
    assert_eq!(of(base), of(PseudonymDomain { period: "2026-03", ..base }));
    assert_ne!(of(base), of(PseudonymDomain { product: "q", ..base }));
}

#[test]
fn one_bit_of_the_value_or_the_key_changes_half_of_the_token() {
    // 2 × 2,000 tokens of 128 bits: 256,000 bits, standard deviation 253; 6 deviations are exceeded with probability 2e-9.
    let even = Int64Array::from_iter_values((0..2_000).map(|i| 2 * i));
    let odd = Int64Array::from_iter_values((0..2_000).map(|i| 2 * i + 1));
    let mut flipped = [9; 32];
    flipped[31] ^= 1;
    for method in METHODS {
        let base = tokens(Key::from_bytes([9; 32]), method, &even);
        for other in [tokens(Key::from_bytes([9; 32]), method, &odd), tokens(Key::from_bytes(flipped), method, &even)] {
            assert!((f64::from(equal_bits(&base, &other)) - 128_000.0).abs() < 6.0 * 253.0);
        }
    }
}

#[test]
fn derived_keys_follow_rfc_5869_over_the_documented_domain() {
    // Computed by an independent implementation: HKDF-SHA-256 without salt over "backmask/v1" and the six parts, each after its length in 8 bytes, then keyed BLAKE3 of 01 ‖ "ann".
    let domain = PseudonymDomain {
        scope: Scope::Product,
        recipient: "Example AI Inc.",
        release: "artist-preferences-2026-11",
        product: "tastes",
        column: "subject_id",
        period: "",
    };
    let token = tokens(subject_key(&Key::from_bytes([7; 32]), &domain).unwrap(), PseudonymMethod::Blake3, &StringArray::from(vec!["ann"]));
    let expected = [0xfb, 0x44, 0x7d, 0x4d, 0x15, 0x44, 0x6a, 0xf7, 0x2c, 0x11, 0xcd, 0x0a, 0xc2, 0x50, 0xb8, 0x47];
    assert_eq!(token.value(0), expected);
}

#[test]
fn a_shift_cannot_be_computed_from_tokens_of_the_same_key() {
    // Both are keyed BLAKE3. Were the shift's key not derived, its word would be the first half of the token.
    let (key, people) = (Key::from_bytes([5; 32]), Int64Array::from_iter_values(0..3_000));
    let days = backmask::transform::DayShift::new(&key, 14).days(&people).unwrap();
    let tokens = tokens(Key::from_bytes([5; 32]), PseudonymMethod::Blake3, &people);
    let guessed = tokens.iter().zip(days.values()).filter(|(token, days)| {
        let word = u64::from_le_bytes(token.unwrap()[..8].try_into().unwrap());
        i64::try_from(word % 29).unwrap() - 14 == **days
    });
    // 103 right guesses are expected, with standard deviation 10; 163 are exceeded with probability below 1e-7.
    assert!(guessed.count() < 163);
    let unrelated = key.derive(&Domain::of("day-shift"));
    assert_ne!(backmask::transform::DayShift::new(&unrelated, 14).days(&people).unwrap(), days);
}

#[test]
fn errors_name_the_column_and_no_value() {
    let tokens = Arc::new(Pseudonymizer::new(PseudonymMethod::Blake3, Key::from_bytes([1; 32])).unwrap());
    let nested =
        backmask::arrow::array::ListArray::from_iter_primitive::<backmask::arrow::datatypes::Int32Type, _, _>([Some([Some(4711)])]);
    let batch = RecordBatch::try_from_iter([("favourites", Arc::new(nested) as _)]).unwrap();
    let message = MapColumn::new("favourites", tokens).apply(&batch).unwrap_err().to_string();
    assert!(message.contains("column favourites") && !message.contains("4711"), "{message}");
}
