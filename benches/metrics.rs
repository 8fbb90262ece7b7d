//! Benchmarks: metrics, beside the grouping that they follow.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first mistake")]

use arrow::array::StringArray;
use backmask::anonymity::classes::{Grouper, TupleBuilder};
use backmask::anonymity::hierarchy::Hierarchy;
use backmask::anonymity::quality::{GeneralizedTable, LevelTable, Marginals, from_policy};
use backmask::arrow;
use backmask::policy::{Direction, HierarchySpec, Metric, Quality};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

const ROWS: usize = 30_000;
const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

/// A number below `bound` for a row, smaller numbers more often.
fn draw(row: usize, stream: u64, bound: u64) -> u32 {
    let mut word = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word ^= word >> 29;
    let (one, two) = ((word >> 32) % bound, (word & 0xffff_ffff) % bound);
    u32::try_from(one * two / bound).unwrap_or(0)
}

/// Nine columns like those of Adult.
fn metrics(criterion: &mut Criterion) {
    let bounds = [2, 72, 5, 7, 16, 41, 8, 14, 2];
    let hierarchies: Vec<Hierarchy> = NAMES
        .iter()
        .zip(bounds)
        .map(|(name, bound)| {
            let values = StringArray::from_iter_values((0..bound).map(|value| format!("{:04}", value * 97)));
            Hierarchy::build(name, &HierarchySpec::Mask(Direction::Right), &values, false).unwrap()
        })
        .collect();
    let columns: Vec<Vec<u32>> =
        bounds.iter().zip(1..).map(|(&bound, stream)| (0..ROWS).map(|row| draw(row, stream, bound)).collect()).collect();
    let mut builder = TupleBuilder::new(bounds.len());
    builder.extend(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>(), None).unwrap();
    let tuples = builder.finish().unwrap();
    let mut grouper = Grouper::new(&tuples, &hierarchies).unwrap();
    let marginals = Marginals::new(&tuples, &hierarchies, &grouper).unwrap();
    let levels = [0, 3, 0, 0, 3, 3, 2, 3, 1];
    let mut group = criterion.benchmark_group("one node");
    group.bench_function("grouping", |bencher| bencher.iter(|| grouper.group(black_box(&levels)).unwrap()));
    let classes = grouper.group(&levels).unwrap();
    let outliers: Vec<bool> = classes.statistics().iter().map(|class| class.rows < 5).collect();
    let table = GeneralizedTable::new(&tuples, &hierarchies, &grouper, &marginals, &levels, &classes, &outliers).unwrap();
    let before = LevelTable { hierarchies: &hierarchies, levels: &levels, rows: tuples.total_rows(), marginals: &marginals };
    println!("{} tuples, {} classes, {} rows suppressed", tuples.len(), classes.len(), table.suppressed_rows());
    for metric in
        [Metric::Loss, Metric::NonUniformEntropy, Metric::Precision, Metric::Discernibility, Metric::Ambiguity, Metric::KlDivergence]
    {
        let built = from_policy(&Quality { metric, ..Quality::default() }, &NAMES).unwrap();
        group.bench_function(format!("score: {}", metric.name()), |bencher| bencher.iter(|| built.score(black_box(&table)).unwrap()));
        group
            .bench_function(format!("bound: {}", metric.name()), |bencher| bencher.iter(|| built.lower_bound(black_box(&before)).unwrap()));
    }
    group.finish();
}

criterion_group!(benches, metrics);
criterion_main!(benches);
