//! Benchmarks: item support, the matrix, caps. One million rows; `BACKMASK_ROWS` sets another number.

use backmask::matrix::{SubjectItems, cap, generalize_items, item_support};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng};
use std::hint::black_box;

struct Log {
    subjects: Vec<u32>,
    tracks: Vec<u32>,
    artists: Vec<u32>,
    priorities: Vec<u64>,
}

const SUBJECTS: usize = 20_000;
const TRACKS: usize = 500_000;
const ARTISTS: usize = 50_000;

/// A log with long tails: a cubed uniform number favours small codes.
fn log(rows: usize) -> Log {
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let mut skewed = |count: usize| {
        let place = rng.random::<f64>().powi(3) * f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the count")]
        (place as u32)
    };
    let subjects: Vec<u32> = (0..rows).map(|_| skewed(SUBJECTS)).collect();
    let tracks: Vec<u32> = (0..rows).map(|_| skewed(TRACKS)).collect();
    let artists = tracks.iter().map(|track| track / 10).collect();
    let mut rng = ChaCha20Rng::from_seed([6; 32]);
    Log { subjects, tracks, artists, priorities: (0..rows).map(|_| rng.random()).collect() }
}

fn benchmarks(criterion: &mut Criterion) {
    let rows = std::env::var("BACKMASK_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let log = log(rows);
    let pairs = (log.subjects.as_slice(), log.tracks.as_slice());
    let mut group = criterion.benchmark_group("support");
    group.throughput(Throughput::Elements(rows as u64)).sample_size(10);
    for (name, memory) in [("one pass", usize::MAX), ("a quarter of the memory", rows)] {
        group.bench_function(format!("item_support, {name}"), |bencher| {
            bencher.iter(|| item_support(black_box(&pairs), SUBJECTS, TRACKS, memory));
        });
    }
    let levels = [log.tracks.as_slice(), log.artists.as_slice()];
    group.bench_function("generalize_items, two levels", |bencher| {
        bencher.iter(|| generalize_items(black_box(&(log.subjects.as_slice(), &levels[..])), SUBJECTS, &[TRACKS, ARTISTS], 20, usize::MAX));
    });
    group.bench_function("SubjectItems::build", |bencher| {
        bencher.iter(|| SubjectItems::build(black_box(&pairs), SUBJECTS, TRACKS, usize::MAX));
    });
    group.bench_function("SubjectItems::postings", |bencher| {
        let matrix = SubjectItems::build(&pairs, SUBJECTS, TRACKS, usize::MAX);
        bencher.iter_batched(|| matrix.as_ref(), |matrix| matrix.map(SubjectItems::postings), BatchSize::LargeInput);
    });
    group.bench_function("cap", |bencher| {
        bencher.iter(|| cap(black_box(&(log.subjects.as_slice(), log.priorities.as_slice())), SUBJECTS, 50, usize::MAX));
    });
    group.finish();
}

criterion_group!(support, benchmarks);
criterion_main!(support);
