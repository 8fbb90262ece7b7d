//! Benchmarks: accounts and calibrations.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first mistake")]

use backmask::dp::accounting::account;
use backmask::dp::accounting::calibrate::{Goal, Mechanism, calibrate};
use backmask::dp::event::PrivacyEvent;
use backmask::units::{Delta, Epsilon};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn accounts(criterion: &mut Criterion) {
    let sampled = |noise_multiplier, sampling_rate, count| PrivacyEvent::Gaussian { noise_multiplier, sampling_rate, count };
    let cases = [
        ("10,000 sampled Gaussians", vec![sampled(1.0, 0.01, 10_000)]),
        ("14,062 sampled Gaussians", vec![sampled(1.1, 256.0 / 60_000.0, 14_062)]),
        ("1,000 Laplace", vec![PrivacyEvent::Laplace { scale: 20.0, sampling_rate: 1.0, count: 1000 }]),
        ("a million discrete Laplace", vec![PrivacyEvent::DiscreteLaplace { scale: 3e5, sensitivity: 1.0, count: 1_000_000 }]),
    ];
    let mut group = criterion.benchmark_group("account");
    group.sample_size(10);
    for (name, events) in cases {
        let delta = Delta::new(1e-6).unwrap();
        let found = account(&events).unwrap().epsilon(delta);
        println!("{name}: epsilon in [{}, {}]", found.lower, found.upper);
        group.bench_function(name, |bencher| bencher.iter(|| account(black_box(&events)).unwrap().epsilon(delta)));
    }
    group.finish();
}

fn calibrations(criterion: &mut Criterion) {
    let goal = Goal { sensitivity: 1.0, epsilon: Epsilon::new(1.0).unwrap(), delta: Delta::new(1e-6).unwrap(), max_items: 1 };
    for mechanism in [Mechanism::Gaussian, Mechanism::DiscreteGaussian] {
        criterion.bench_function(&format!("calibrate {}", mechanism.name()), |bencher| {
            bencher.iter(|| calibrate(mechanism, black_box(&goal)).unwrap());
        });
    }
}

criterion_group!(benches, accounts, calibrations);
criterion_main!(benches);
