//! Benchmarks: cutting lists into fragments, counting them again. 2,000 people with lists of 40 items; `BACKMASK_PEOPLE` sets another number.

use backmask::history::fragments::{FragmentOptions, Order, check, cut};
use backmask::keys::Key;
use backmask::matrix::SubjectItems;
use backmask::policy::Support;
use backmask::units::K;
use criterion::{Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng};
use std::hint::black_box;

const ITEMS: usize = 5_000;
const TASTES: u32 = 40;

/// Items of a person: three in four near the person's taste, popular ones more often.
fn list(rng: &mut ChaCha20Rng, person: u32) -> Vec<u32> {
    let mut own: Vec<u32> = (0..40)
        .map(|_| {
            let skewed = rng.random::<f64>().powi(3);
            let among = if rng.random_bool(0.75) { 125.0 } else { 5_000.0 };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of items")]
            let place = (skewed * among) as u32;
            if among < 1_000.0 { person % TASTES * 125 + place } else { place }
        })
        .collect();
    own.sort_unstable();
    own.dedup();
    own
}

fn benchmarks(criterion: &mut Criterion) {
    let people: u32 = std::env::var("BACKMASK_PEOPLE").ok().and_then(|people| people.parse().ok()).unwrap_or(2_000);
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let lists: Vec<Vec<u32>> = (0..people).map(|person| list(&mut rng, person)).collect();
    let (subject_ids, item_ids): (Vec<u64>, Vec<u64>) = ((0..u64::from(people)).collect(), (0..ITEMS as u64).collect());
    let key = Key::from_bytes([7; 32]);
    let (Ok(matrix), Ok(k)) = (SubjectItems::from_lists(&lists, ITEMS), K::new(12)) else { return };
    let mut group = criterion.benchmark_group("fragments");
    group.sample_size(10);
    for (name, m, support) in [("released", 2, Support::Released), ("pool", 2, Support::Pool), ("released, m = 3", 3, Support::Released)] {
        let Ok(options) = FragmentOptions::new(k, 5, m) else { return };
        let options = options.with_support(support);
        group.bench_function(format!("cut, {name}"), |bencher| {
            bencher.iter(|| cut(black_box(&matrix), &subject_ids, &item_ids, &options, &key));
        });
    }
    let fragments = FragmentOptions::new(k, 5, 2).and_then(|options| cut(&matrix, &subject_ids, &item_ids, &options, &key));
    if let Ok(fragments) = fragments {
        group.bench_function("check", |bencher| {
            bencher.iter(|| check(&black_box(&fragments).pieces(), Some(fragments.owners()), Order::Sets, 2, k));
        });
    }
    group.finish();
}

criterion_group!(fragments, benchmarks);
criterion_main!(fragments);
