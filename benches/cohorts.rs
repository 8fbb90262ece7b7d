//! Benchmarks: cohorts and the attacks on them. 10,000 people with up to 50 items each; `BACKMASK_PEOPLE` sets another number.

use backmask::history::cohorts::{CohortOptions, check, form};
use backmask::keys::Key;
use backmask::matrix::SubjectItems;
use backmask::numeric::svd::{SvdOptions, WeightedPattern, randomized_svd};
use backmask::policy::Gate;
use backmask::risk::{AttackOptions, Controlled, Records, attack_seed};
use backmask::units::{K, Share};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng};
use std::hint::black_box;

const ITEMS: u32 = 20_000;

/// People of 64 tastes, with items of a Zipf law in each.
fn people(count: usize, seed: u8) -> Vec<Vec<u32>> {
    let mut random = ChaCha20Rng::from_seed([seed; 32]);
    (0..count)
        .map(|_| {
            let tastes: [u32; 2] = [random.random_range(0..64), random.random_range(0..64)];
            let mut items: Vec<u32> = (0..50)
                .map(|at| {
                    let rank = (f64::from(ITEMS) / 64.0).powf(random.random::<f64>());
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and the number of items")]
                    let rank = rank as u32;
                    (rank * 64 + if at % 8 == 0 { random.random_range(0..64) } else { tastes[at % 2] }) % ITEMS
                })
                .collect();
            items.sort_unstable();
            items.dedup();
            items
        })
        .collect()
}

fn ids(count: usize) -> Vec<u64> {
    (1..=count as u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
}

fn benchmarks(criterion: &mut Criterion) {
    let count = std::env::var("BACKMASK_PEOPLE").ok().and_then(|people| people.parse().ok()).unwrap_or(10_000);
    let lists = people(count, 1);
    let Ok(matrix) = SubjectItems::from_lists(&lists, ITEMS as usize) else { return };
    let Ok(control) = SubjectItems::from_lists(&people(1000, 2), ITEMS as usize) else { return };
    let (subject_ids, control_ids, item_ids) = (ids(count), ids(1000), ids(ITEMS as usize));
    let Ok(options) = K::new(10).map(CohortOptions::new) else { return };
    let key = Key::from_bytes([1; 32]);

    let mut group = criterion.benchmark_group("cohorts");
    group.sample_size(10);
    group.bench_function("form, k = 10", |bencher| {
        bencher.iter(|| form(black_box(&matrix), &subject_ids, &item_ids, &options, &key));
    });
    let mut starts = vec![0];
    let columns: Vec<u32> = lists.iter().flatten().copied().collect();
    for list in &lists {
        starts.push(starts.last().copied().unwrap_or(0) + list.len());
    }
    let weights = vec![1.0; ITEMS as usize];
    group.bench_function("randomized_svd, 32 dimensions", |bencher| {
        let pattern = WeightedPattern::new(&starts, &columns, &weights, 2);
        bencher.iter(|| pattern.as_ref().map(|pattern| randomized_svd(pattern, 32, &SvdOptions::new([1; 32]))));
    });
    let Ok(cohorts) = form(&matrix, &subject_ids, &item_ids, &options, &key) else { return };
    let rows: Vec<_> = cohorts.rows().collect();
    let (record, size): (Vec<u64>, Vec<u64>) = rows.iter().map(|row| (row.cohort_id, u64::from(row.size))).unzip();
    let (item, members): (Vec<u32>, Vec<u64>) = rows.iter().map(|row| (row.item, u64::from(row.members))).unzip();
    let wide: Vec<u64> = item.iter().map(|&item| u64::from(item)).collect();
    group.bench_function("check", |bencher| bencher.iter(|| check(&record, &size, black_box(&wide), &members, &options)));
    let Ok(records) = Records::from_cells(&record, &size, &item, &members, ITEMS as usize) else { return };
    let Ok(attack) = Controlled::new(&records, &matrix, &subject_ids, &control, &control_ids, &item_ids) else { return };
    let trials = AttackOptions::new(&Gate::default(), attack_seed(&[b"benchmark"]));
    group.bench_function("inference, 2,000 trials", |bencher| bencher.iter(|| attack.inference(4, 10, black_box(&trials))));
    let Ok(five_percent) = Share::new(0.05) else { return };
    group.bench_function("membership, 2,000 trials", |bencher| bencher.iter(|| attack.membership(five_percent, black_box(&trials))));
    group.finish();
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
