//! Benchmarks: the attacks. 200,000 rows of 5,000 people; `BACKMASK_ROWS` sets another number of rows.

use backmask::matrix::SubjectItems;
use backmask::policy::Gate;
use backmask::risk::{AttackOptions, KnownItems, KnownValues, attack_seed};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng};
use std::hint::black_box;

const SUBJECTS: usize = 5_000;
const ITEMS: usize = 20_000;

fn skewed(rng: &mut ChaCha20Rng, count: usize) -> u32 {
    let place = rng.random::<f64>().powi(3) * f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the count")]
    (place as u32)
}

fn benchmarks(criterion: &mut Criterion) {
    let rows = std::env::var("BACKMASK_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(200_000);
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let subjects: Vec<u32> = (0..rows).map(|_| skewed(&mut rng, SUBJECTS)).collect();
    let items: Vec<u32> = (0..rows).map(|_| skewed(&mut rng, ITEMS)).collect();
    let few: Vec<Vec<u32>> = (0..4).map(|_| (0..rows).map(|_| skewed(&mut rng, 30)).collect()).collect();
    let (subject_ids, item_ids): (Vec<u64>, Vec<u64>) = ((0..SUBJECTS as u64).collect(), (0..ITEMS as u64).collect());
    let options = AttackOptions::new(&Gate::default(), attack_seed(&[b"benchmark"]));
    let Ok(matrix) = SubjectItems::build(&(subjects.as_slice(), items.as_slice()), SUBJECTS, ITEMS, usize::MAX) else { return };

    let mut group = criterion.benchmark_group("unicity");
    group.sample_size(10);
    group.bench_function("KnownItems::new", |bencher| {
        bencher.iter(|| KnownItems::new(black_box(&matrix), &subject_ids, &item_ids));
    });
    for known in [1, 4, 8] {
        group.bench_function(format!("KnownItems::run, 2,000 trials, {known} known"), |bencher| {
            let attack = KnownItems::new(&matrix, &subject_ids, &item_ids);
            bencher.iter(|| attack.as_ref().map(|attack| attack.run(known, &options)));
        });
    }
    let columns: Vec<&[u32]> = few.iter().map(Vec::as_slice).collect();
    let table = (subjects.as_slice(), columns.as_slice());
    for (name, exact_rows) in [("everybody", u64::MAX), ("2,000 people", 0)] {
        group.bench_function(format!("KnownValues::run, four columns, {name}"), |bencher| {
            let attack = KnownValues::new(&table, ["a", "b", "c", "d"], SUBJECTS, &subject_ids);
            bencher.iter(|| attack.as_ref().map(|attack| attack.clone().with_exact_rows(exact_rows).run(&options)));
        });
    }
    group.finish();
}

criterion_group!(unicity, benchmarks);
criterion_main!(unicity);
