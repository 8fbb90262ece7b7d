//! Benchmarks: counting what people have together, noise, and taking it out again. 10,000 people with about 70 of 20,000 items each; `BACKMASK_PEOPLE` sets another number of people.

use backmask::Result;
use backmask::aggregates::Contributions;
use backmask::aggregates::co_listening::{CoListeningOptions, CoListeningPlan};
use backmask::dp::ledger::{Budget, Ledger, Reservation};
use backmask::keys::Key;
use backmask::matrix::SubjectItems;
use backmask::units::{Delta, Epsilon};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng};

const ITEMS: u32 = 20_000;

fn skewed(rng: &mut ChaCha20Rng) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of items")]
    ((f64::from(ITEMS + 1).powf(rng.random::<f64>()) - 1.0) as u32).min(ITEMS - 1)
}

fn benchmarks(criterion: &mut Criterion) {
    let people: u64 = std::env::var("BACKMASK_PEOPLE").ok().and_then(|people| people.parse().ok()).unwrap_or(10_000);
    let mut rng = ChaCha20Rng::from_seed([8; 32]);
    let lists: Vec<Vec<u32>> = (0..people).map(|_| (0..100).map(|_| skewed(&mut rng)).collect()).collect();
    let names = |count: u64| -> Vec<u64> { (1..=count).map(|id| id.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect() };
    let (people, items) = (names(people), names(u64::from(ITEMS)));
    let (Ok(epsilon), Ok(delta), Ok(most)) = (Epsilon::new(1.0), Delta::new(1e-6), Epsilon::new(10_000.0)) else { return };
    let (Ok(pool), Ok(plan)) =
        (SubjectItems::from_lists(&lists, ITEMS as usize), CoListeningPlan::new(epsilon, delta, &CoListeningOptions::new(100)))
    else {
        return;
    };
    let (Ok(folder), Ok(spending)) = (tempfile::tempdir(), plan.spending("together", "bench")) else { return };
    let Ok(failing) = Delta::new(0.5) else { return };
    let Ok(mut ledger) = Ledger::create(folder.path().join("ledger"), "bench", Budget::new(most, failing)) else { return };
    let Ok(contributions) = Contributions::new(&pool, &people, &items) else { return };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let key = Key::from_bytes([3; 32]);

    let mut group = criterion.benchmark_group("co-listening");
    group.sample_size(10);
    // Once each, without optimization, it is only tried out.
    let sizes: &[u32] = if cfg!(debug_assertions) { &[100] } else { &[500, 2_000] };
    for &rows in sizes {
        let chosen: Vec<u32> = (0..rows).collect();
        for threads in [1, threads] {
            let contributions = contributions.with_threads(threads);
            group.bench_function(format!("CoListeningPlan::run, {rows} items, {threads} threads"), |bencher| {
                // A reservation pays for one matrix.
                let run = |reservation: Result<Reservation>| plan.run(&contributions, &chosen, &key, &reservation?, &mut rng);
                bencher.iter_batched(|| ledger.reserve(&spending), run, BatchSize::PerIteration);
            });
        }
        let Ok(reservation) = ledger.reserve(&spending) else { return };
        let Ok(noisy) = plan.run(&contributions, &chosen, &key, &reservation, &mut rng) else { return };
        group.bench_function(format!("CoListening::denoise, {rows} items"), |bencher| bencher.iter(|| noisy.denoise(threads)));
    }
    group.finish();
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
