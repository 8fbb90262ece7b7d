//! Benchmarks: column treatments on a million rows.

use backmask::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use backmask::arrow::compute::cast;
use backmask::arrow::datatypes::DataType;
use backmask::engine;
use backmask::io::{MemorySource, ReadOptions, Source};
use backmask::keys::Key;
use backmask::pipeline::{Chain, Fit, Kernel, MapColumn, Transform, apply_once};
use backmask::policy::TimeUnit;
use backmask::transform::{Buckets, Clamp, DayShift, DropColumns, RelativeFit, Round, Shift, Truncate, first_times, since_first};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;

const ROWS: u64 = 1_000_000;
const PEOPLE: u64 = 10_000;

/// Numbers without a pattern that a branch predictor could learn.
fn mixed(row: u64) -> u64 {
    let word = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (word ^ (word >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 16
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or_default()
}

fn times() -> TimestampMillisecondArray {
    TimestampMillisecondArray::from_iter_values((0..ROWS).map(|row| signed(1_000_000_000_000 + mixed(row) % 700_000_000_000)))
}

fn played() -> Int64Array {
    Int64Array::from_iter_values((0..ROWS).map(|row| signed(mixed(row) % 400_000)))
}

fn person(row: u64) -> u64 {
    mixed(row) % PEOPLE
}

fn pool() -> RecordBatch {
    let columns: [(&str, ArrayRef); 4] = [
        ("subject_id", Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| format!("listener-{:08}", person(row)))))),
        ("started_at", Arc::new(times())),
        ("ms_played", Arc::new(played())),
        ("ip_addr", Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| format!("192.0.2.{}", row % 256))))),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn kernels(c: &mut Criterion) {
    let mut group = c.benchmark_group("treatments");
    group.throughput(Throughput::Elements(ROWS)).sample_size(20);
    let (times, played) = (times(), played());
    let fractions: Float64Array = played.unary(|value| f64::from(i32::try_from(value).unwrap_or_default()) / 7.0);
    for unit in [TimeUnit::Hour, TimeUnit::Week, TimeUnit::Month, TimeUnit::Quarter, TimeUnit::Year] {
        let kernel = Truncate::new(unit);
        group.bench_function(format!("truncate/{unit:?}"), |b| b.iter(|| kernel.apply(black_box(&times)).expect("times")));
    }
    let numeric: [(&str, Arc<dyn Kernel>); 4] = [
        ("buckets/2", Arc::new(Buckets::new(&[30_000.0, 120_000.0]).expect("bounds"))),
        ("buckets/40", Arc::new(Buckets::new(&(1..41).map(|bound| f64::from(bound) * 10_000.0).collect::<Vec<_>>()).expect("bounds"))),
        ("round", Arc::new(Round::new(1_000.0).expect("a step"))),
        ("clamp", Arc::new(Clamp::new(0.0, 300_000.0).expect("bounds"))),
    ];
    for (name, kernel) in numeric {
        group.bench_function(format!("{name}/int64"), |b| b.iter(|| kernel.apply(black_box(&played)).expect("numbers")));
        group.bench_function(format!("{name}/float64"), |b| b.iter(|| kernel.apply(black_box(&fractions)).expect("numbers")));
    }
    let days = Truncate::new(TimeUnit::Day).apply(&times).expect("times");
    let dictionary = cast(&days, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(days.data_type().clone()))).expect("few days");
    let month = Truncate::new(TimeUnit::Month);
    group.bench_function("truncate/Month/dictionary", |b| b.iter(|| apply_once(&month, black_box(&dictionary)).expect("times")));
    group.finish();
}

fn by_subject(c: &mut Criterion) {
    let mut group = c.benchmark_group("treatments by subject");
    group.throughput(Throughput::Elements(ROWS)).sample_size(10);
    let (pool, key) = (pool(), Key::from_bytes([7; 32]));
    let shift = Shift::new("subject_id", "started_at", 14, &key);
    group.bench_function("shift", |b| b.iter(|| shift.apply(black_box(&pool)).expect("a pool")));
    let people = StringArray::from_iter_values((0..PEOPLE).map(|person| format!("listener-{person:08}")));
    let of_people = DayShift::new(&key, 14);
    group.bench_function("shift/10000 people", |b| b.iter(|| of_people.days(black_box(&people)).expect("text")));

    let fitted = |threads| {
        let source: Arc<dyn Source> = Arc::new(MemorySource::new("pool", pool.schema(), vec![pool.clone()]).expect("one schema"));
        engine::fit(&[source], &ReadOptions { threads, ..ReadOptions::default() }, || RelativeFit::new("subject_id", "started_at"))
            .expect("a pool")
    };
    group.bench_function("relative/fit/1 thread", |b| b.iter(|| fitted(1)));
    group.bench_function("relative/fit/2 threads", |b| b.iter(|| fitted(2)));
    let relative = fitted(1).finish().expect("subjects");
    group.bench_function("relative/apply", |b| b.iter(|| relative.apply(black_box(&pool)).expect("a pool")));
    let codes: Vec<u32> = (0..ROWS).map(|row| u32::try_from(person(row)).unwrap_or_default()).collect();
    let times = times();
    group.bench_function("relative/codes", |b| {
        b.iter(|| {
            let first = first_times(black_box(&times), &codes, 10_000).expect("codes below 10,000");
            since_first(&times, &codes, &first).expect("the same times")
        });
    });

    let chain = Chain::new()
        .then(Shift::new("subject_id", "started_at", 14, &key))
        .then(MapColumn::new("started_at", Arc::new(Truncate::new(TimeUnit::Month))))
        .then(MapColumn::new("ms_played", Arc::new(Buckets::new(&[30_000.0, 120_000.0]).expect("bounds"))))
        .then(DropColumns::new(["ip_addr"]));
    for threads in [1, 2] {
        group.bench_function(format!("chain/{threads} thread(s)"), |b| {
            b.iter(|| {
                let source = MemorySource::new("pool", pool.schema(), vec![pool.clone()]).expect("one schema");
                let stream = source.open_split(0, &ReadOptions::default()).expect("in memory");
                engine::transform_on(stream, chain.clone(), threads)
                    .expect("a pool")
                    .map(|batch| batch.expect("a pool").num_rows())
                    .sum::<usize>()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, kernels, by_subject);
criterion_main!(benches);
