//! Benchmarks: the closed form of EASE, what it is made from, and recommendations. 2,000 people with 80 of 20,000 items each; `BACKMASK_PEOPLE` sets another number of people.

use backmask::numeric::ease_weights;
use backmask::units::Share;
use backmask::utility::{Ease, FoldIn, Gram, Interactions, ItemKnn, Measured, tail_items};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng};
use std::hint::black_box;

const ITEMS: usize = 20_000;

fn skewed(rng: &mut ChaCha20Rng) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "between 0 and the number of items"
    )]
    ((rng.random::<f64>().powi(3) * ITEMS as f64) as u32)
}

fn benchmarks(criterion: &mut Criterion) {
    let people: usize = std::env::var("BACKMASK_PEOPLE").ok().and_then(|people| people.parse().ok()).unwrap_or(2_000);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut rng = ChaCha20Rng::from_seed([8; 32]);
    let mut lists = |count: usize| -> Vec<Vec<u32>> { (0..count).map(|_| (0..80).map(|_| skewed(&mut rng)).collect()).collect() };
    let (Ok(train), Ok(held_out)) = (Interactions::from_lists(&lists(people), ITEMS), Interactions::from_lists(&lists(200), ITEMS)) else {
        return;
    };
    let Ok(known) = Share::new(0.8) else { return };
    let test = FoldIn::random(&held_out, known, 1);
    let tail = tail_items(&train.popularity());

    let mut group = criterion.benchmark_group("usefulness");
    group.sample_size(10);
    group.bench_function("Gram::of_rows, 2,000 items", |bencher| bencher.iter(|| Gram::of_rows(black_box(&train), 2_000, threads)));
    for items in [500, 2_000] {
        let Ok(gram) = Gram::of_rows(&train, items, threads) else { return };
        for threads in [1, threads] {
            group.bench_function(format!("ease_weights, {items} items, {threads} threads"), |bencher| {
                bencher.iter(|| ease_weights(gram.matrix().clone(), 200.0, threads));
            });
        }
        group.bench_function(format!("ItemKnn::fit, {items} items"), |bencher| bencher.iter(|| ItemKnn::fit(&gram, 100, threads)));
        let Ok(model) = Ease::fit(&gram, 200.0, threads) else { return };
        group.bench_function(format!("Measured::of, {items} items, 200 people"), |bencher| {
            bencher.iter(|| Measured::of(&model, &test, &tail, threads));
        });
    }
    group.finish();
}

criterion_group!(usefulness, benchmarks);
criterion_main!(usefulness);
