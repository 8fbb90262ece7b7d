//! Benchmarks: pseudonyms of a million rows; `BACKMASK_ROWS` sets another number. One thread unless the name says otherwise.

use backmask::arrow::array::{Array, ArrayRef, Int64Array, StringArray};
use backmask::arrow::compute::cast;
use backmask::arrow::datatypes::DataType;
use backmask::keys::Key;
use backmask::pipeline::{Kernel, apply_encoded};
use backmask::policy::{PseudonymMethod, TokenFormat};
use backmask::pseudonym::{Pseudonymizer, apply_parallel};
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::hint::black_box;

fn number_of_rows() -> u64 {
    std::env::var("BACKMASK_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000)
}

/// Numbers without a pattern, from 0 to 2⁶⁴ − 1; neighbouring rows differ, so no run of equal values shortens the work.
fn words(rows: u64) -> impl Iterator<Item = u64> {
    (0..rows).map(|row| {
        let word = (row + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (word ^ (word >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    })
}

struct Columns {
    texts: StringArray,
    long_texts: StringArray,
    integers: Int64Array,
    digits: StringArray,
    repeated: StringArray,
    dictionary: ArrayRef,
    long_dictionary: ArrayRef,
}

fn columns(rows: u64) -> Columns {
    let people =
        |people: u64| StringArray::from_iter_values(words(rows).map(move |word| format!("listener-{:013}", (word >> 20) % people)));
    let encoded = |texts: &StringArray| {
        cast(texts, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))).expect("as many keys as people")
    };
    let repeated = people(20_000);
    Columns {
        texts: StringArray::from_iter_values(words(rows).map(|word| format!("listener-{:013}", word >> 24))),
        long_texts: StringArray::from_iter_values(words(rows).map(|word| {
            let text = format!("{word:016x}{:016x}", word.wrapping_mul(0x94d0_49bb_1331_11eb));
            format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
        })),
        integers: words(rows).map(u64::cast_signed).collect::<Vec<_>>().into(),
        digits: StringArray::from_iter_values(words(rows).map(|word| format!("{:012}", word % 1_000_000_000_000))),
        dictionary: encoded(&people(10_000)),
        long_dictionary: encoded(&repeated),
        repeated,
    }
}

fn run(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, tokens: &Pseudonymizer, column: &dyn Array) {
    group.bench_function(name, |b| b.iter(|| tokens.apply(black_box(column)).expect("a column that the method takes")));
}

fn pseudonyms(c: &mut Criterion) {
    let rows = number_of_rows();
    let mut group = c.benchmark_group("pseudonyms");
    group.throughput(Throughput::Elements(rows)).sample_size(10);
    let columns = columns(rows);
    let of = |method| Pseudonymizer::new(method, Key::from_bytes([7; 32])).expect("a method of one value");
    let written = |method, format| of(method).with_format(format).expect("a format of the method");
    for (name, method) in [("blake3", PseudonymMethod::Blake3), ("hmac-sha256", PseudonymMethod::HmacSha256)] {
        let tokens = of(method);
        run(&mut group, &format!("{name}/text of 22 bytes"), &tokens, &columns.texts);
        run(&mut group, &format!("{name}/text of 36 bytes"), &tokens, &columns.long_texts);
        run(&mut group, &format!("{name}/integers"), &tokens, &columns.integers);
        run(&mut group, &format!("{name}/text of 22 bytes as base32"), &written(method, TokenFormat::Base32), &columns.texts);
        run(&mut group, &format!("{name}/text of 20000 people"), &tokens, &columns.repeated);
        run(&mut group, &format!("{name}/dictionary of 10000"), &tokens, &columns.dictionary);
        group.bench_function(format!("{name}/dictionary of 20000 kept"), |b| {
            b.iter(|| apply_encoded(&tokens, black_box(&columns.long_dictionary)).expect("text"));
        });
        group.bench_function(format!("{name}/raw tokens"), |b| b.iter(|| tokens.tokens(black_box(&columns.texts)).expect("text")));
        group.bench_function(format!("{name}/text of 22 bytes on 2 threads"), |b| {
            b.iter(|| apply_parallel(&tokens, black_box(&columns.texts), 2).expect("text"));
        });
    }

    let sealed = of(PseudonymMethod::AesSiv);
    for (name, column) in [
        ("text of 22 bytes", &columns.texts as &dyn Array),
        ("text of 36 bytes", &columns.long_texts),
        ("integers", &columns.integers),
        ("text of 20000 people", &columns.repeated),
    ] {
        run(&mut group, &format!("aes-siv/{name}"), &sealed, column);
    }
    run(&mut group, "aes-siv/text of 22 bytes as bytes", &written(PseudonymMethod::AesSiv, TokenFormat::Binary), &columns.texts);
    let released = sealed.apply(&columns.texts).expect("text");
    group.bench_function("aes-siv/text of 22 bytes back", |b| b.iter(|| sealed.reverse(black_box(&released), None).expect("tokens")));

    run(&mut group, "aes-block/integers as bytes", &written(PseudonymMethod::AesBlock, TokenFormat::Binary), &columns.integers);
    run(&mut group, "aes-block/integers", &of(PseudonymMethod::AesBlock), &columns.integers);
    run(&mut group, "aes-block/UUIDs as text", &of(PseudonymMethod::AesBlock), &columns.long_texts);

    run(&mut group, "ff1/12 digits", &of(PseudonymMethod::Ff1), &columns.digits);
    run(&mut group, "ff1/integers", &of(PseudonymMethod::Ff1), &columns.integers);
    group.finish();
}

/// What other crates take for the same work, one value at a time.
fn baselines(c: &mut Criterion) {
    let rows = number_of_rows();
    let mut group = c.benchmark_group("pseudonyms by other crates");
    group.throughput(Throughput::Elements(rows)).sample_size(10);
    let columns = columns(rows);
    let keyed = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("any length");
    group.bench_function("hmac/text of 22 bytes, first half", |b| {
        b.iter(|| {
            let token = |value: &str| {
                let mut mac = keyed.clone();
                mac.update(&[1]);
                mac.update(value.as_bytes());
                <[u8; 16]>::try_from(&mac.finalize().into_bytes()[..16]).expect("16 bytes")
            };
            black_box(&columns.texts).iter().flatten().map(token).collect::<Vec<_>>()
        });
    });
    let slow = StringArray::from_iter_values(columns.digits.iter().flatten().take(20_000));
    group.throughput(Throughput::Elements(slow.len() as u64));
    let ff1 = fpe::ff1::FF1::<aes::Aes256>::new(&[7; 32], 10).expect("a radix");
    group.bench_function("fpe/12 digits", |b| {
        b.iter(|| {
            let token = |value: &str| {
                let numerals: Vec<u16> = value.bytes().map(|digit| u16::from(digit - b'0')).collect();
                Vec::<u16>::from(ff1.encrypt(&[], &fpe::ff1::FlexibleNumeralString::from(numerals)).expect("digits"))
            };
            black_box(&slow).iter().flatten().map(token).collect::<Vec<_>>()
        });
    });
    group.finish();
}

criterion_group!(benches, pseudonyms, baselines);
criterion_main!(benches);
