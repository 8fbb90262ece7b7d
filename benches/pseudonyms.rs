//! Benchmarks: pseudonyms of a million rows.

use backmask::arrow::array::{Int64Array, StringArray};
use backmask::arrow::compute::cast;
use backmask::arrow::datatypes::DataType;
use backmask::keys::Key;
use backmask::pipeline::Kernel;
use backmask::policy::PseudonymMethod;
use backmask::pseudonym::Pseudonymizer;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

const ROWS: u64 = 1_000_000;

fn pseudonyms(c: &mut Criterion) {
    let mut group = c.benchmark_group("pseudonyms");
    group.throughput(Throughput::Elements(ROWS)).sample_size(10);
    // Neighbouring rows differ, so no run of equal values shortens the work.
    let rows = || (0..ROWS).map(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
    let texts = StringArray::from_iter_values(rows().map(|row| format!("listener-{row:013}")));
    let integers = Int64Array::from_iter_values(rows().map(|row| i64::try_from(row).unwrap_or_default()));
    let people = StringArray::from_iter_values(rows().map(|row| format!("listener-{:013}", row % 10_000)));
    let dictionary = cast(&people, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))).expect("10,000 people");
    for (name, method) in [("blake3", PseudonymMethod::Blake3), ("hmac-sha256", PseudonymMethod::HmacSha256)] {
        let tokens = Pseudonymizer::new(method, Key::from_bytes([7; 32])).expect("a method of this version");
        group.bench_function(format!("{name}/text of 22 bytes"), |b| b.iter(|| tokens.apply(black_box(&texts)).expect("text")));
        group.bench_function(format!("{name}/integers"), |b| b.iter(|| tokens.apply(black_box(&integers)).expect("integers")));
        group.bench_function(format!("{name}/dictionary of 10000"), |b| b.iter(|| tokens.apply(black_box(&dictionary)).expect("text")));
        group.bench_function(format!("{name}/raw tokens"), |b| b.iter(|| tokens.tokens(black_box(&texts)).expect("text")));
    }
    group.finish();
}

criterion_group!(benches, pseudonyms);
criterion_main!(benches);
