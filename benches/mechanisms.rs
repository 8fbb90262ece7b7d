//! Benchmarks: mechanisms on ten thousand items, and one debit of a ledger of some length.

use backmask::dp::event::PrivacyEvent;
use backmask::dp::ledger::{Budget, Ledger, Spending};
use backmask::dp::mechanism::{
    AboveThreshold, Choice, Direction, DiscreteLaplaceMechanism, GaussianThreshold, L1Sensitivity, L2Sensitivity, LaplaceThreshold, Method,
    OptimizedUnaryEncoding, RandomizedResponse, RoundedGaussianMechanism, TruncatedGeometric,
};
use backmask::units::{Delta, Epsilon};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::{SeedableRng, rngs::ChaCha20Rng};
use std::hint::black_box;

const ITEMS: u64 = 10_000;

fn epsilon(value: f64) -> Epsilon {
    Epsilon::new(value).expect("ε")
}

fn delta(value: f64) -> Delta {
    Delta::new(value).expect("δ")
}

fn mechanisms(criterion: &mut Criterion) {
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    // Few items have many people.
    let people: Vec<u64> = (1..=ITEMS).map(|rank| 1 + 5000 / rank).collect();
    let counts: Vec<i64> = people.iter().map(|people| i64::try_from(*people).expect("small")).collect();
    let mut group = criterion.benchmark_group("mechanisms");
    group.throughput(Throughput::Elements(ITEMS)).sample_size(20);
    let laplace = DiscreteLaplaceMechanism::from_epsilon(epsilon(1.0), L1Sensitivity::of_cells(50, 1).expect("Δ")).expect("a mechanism");
    group.bench_function("discrete Laplace", |bench| bench.iter(|| black_box(laplace.release(&counts, &mut rng))));
    let gaussian =
        RoundedGaussianMechanism::from_mu(&"0.25".parse().expect("μ"), L2Sensitivity::of_cells(50, 1).expect("Δ")).expect("a mechanism");
    group.bench_function("rounded Gaussian", |bench| bench.iter(|| black_box(gaussian.release(&counts, &mut rng))));
    let rule = TruncatedGeometric::new(epsilon(1.0), delta(1e-6), 50).expect("a rule");
    group.bench_function("truncated geometric", |bench| bench.iter(|| black_box(rule.select(&people, &mut rng))));
    let threshold = LaplaceThreshold::new(epsilon(1.0), delta(1e-6), 50).expect("a mechanism");
    group.bench_function("Laplace threshold", |bench| bench.iter(|| black_box(threshold.select(&people, &mut rng))));
    let threshold = GaussianThreshold::new(&"0.25".parse().expect("μ"), delta(1e-6), 50).expect("a mechanism");
    group.bench_function("Gaussian threshold", |bench| bench.iter(|| black_box(threshold.select(&people, &mut rng))));
    for (name, method) in [("exponential", Method::Exponential), ("permute and flip", Method::PermuteAndFlip)] {
        let choice = Choice::new(method, epsilon(1.0), 1, Direction::Monotonic).expect("a choice");
        // Scores near each other, so that many are candidates.
        let scores: Vec<i64> = (0..10_000).map(|at| at % 10).collect();
        group.bench_function(name, |bench| bench.iter(|| black_box(choice.choose(&scores, &mut rng))));
    }
    let sparse = AboveThreshold::new(epsilon(0.3), epsilon(0.7), 5, 1, Direction::Monotonic).expect("a mechanism");
    group.bench_function("sparse vector", |bench| {
        bench.iter(|| {
            let mut run = sparse.start(100_000, &mut rng);
            counts.iter().filter(|count| run.ask(**count, &mut rng).unwrap_or(false)).count()
        });
    });
    let response = RandomizedResponse::new(100, epsilon(1.0)).expect("a mechanism");
    group.bench_function("randomized response", |bench| {
        bench.iter(|| (0..10_000).map(|person| response.answer(person % 100, &mut rng).unwrap_or(0)).sum::<usize>());
    });
    let unary = OptimizedUnaryEncoding::new(10_000, epsilon(1.0)).expect("a mechanism");
    group.bench_function("optimized unary encoding", |bench| bench.iter(|| black_box(unary.answer(17, &mut rng))));
    group.finish();
    criterion.bench_function("prepare a truncated geometric rule", |bench| {
        bench.iter(|| black_box(TruncatedGeometric::new(epsilon(1.0), delta(1e-6), 50)));
    });
}

fn ledger(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ledger");
    group.sample_size(10);
    for entries in [10, 1000] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("l");
        let mut ledger = Ledger::create(&path, "pool", Budget::new(epsilon(10_000.0), delta(0.0))).expect("a ledger");
        let events = vec![PrivacyEvent::Pure { epsilon: 0.001, count: 1 }];
        let spending = Spending::new("hours", "policy", events, epsilon(0.001), delta(0.0)).expect("a spending");
        for _ in 0..entries {
            drop(ledger.reserve(&spending).expect("room"));
        }
        group.bench_function(format!("reserve after {entries}"), |bench| bench.iter(|| drop(ledger.reserve(&spending))));
        group.bench_function(format!("statement after {entries}"), |bench| bench.iter(|| black_box(ledger.statement())));
    }
    group.finish();
}

criterion_group!(benches, mechanisms, ledger);
criterion_main!(benches);
