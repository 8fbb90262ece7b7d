//! Benchmarks: classes.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first mistake")]

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use backmask::anonymity::classes::{TupleBuilder, Tuples};
use backmask::anonymity::hierarchy::Hierarchy;
use backmask::anonymity::models::{KAnonymity, Linkability, Models};
use backmask::anonymity::quality::Loss;
use backmask::anonymity::search::{Problem, exhaustive, optimal};
use backmask::anonymity::verify::{ClassCounter, People};
use backmask::arrow;
use backmask::pipeline::Fit;
use backmask::policy::{HierarchySpec, Quality};
use backmask::units::{K, Share};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;

const ROWS: usize = 1_000_000;
const BATCH: usize = 65_536;

/// A number below `bound` for a row: the same on every machine, smaller numbers more often.
fn draw(row: usize, stream: u64, bound: u64) -> u32 {
    let mut word = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^= word >> 31;
    let (one, two) = ((word >> 32) % bound, (word & 0xffff_ffff) % bound);
    u32::try_from(one * two / bound).unwrap_or(0)
}

/// Year of birth, country, gender and the person, as codes.
fn codes() -> [Vec<u32>; 4] {
    [80, 150, 3, 50_000].map(|bound| (0..ROWS).map(|row| draw(row, bound, bound)).collect())
}

fn build(columns: &[Vec<u32>; 4], people: bool) -> Tuples {
    let mut builder = TupleBuilder::new(3);
    for start in (0..ROWS).step_by(BATCH) {
        let end = (start + BATCH).min(ROWS);
        let batch: Vec<&[u32]> = columns[..3].iter().map(|column| &column[start..end]).collect();
        builder.extend(&batch, people.then(|| &columns[3][start..end])).unwrap();
    }
    builder.finish().unwrap()
}

fn tuples(criterion: &mut Criterion) {
    let columns = codes();
    let mut group = criterion.benchmark_group("tuples");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    group.bench_function("one row each", |bencher| bencher.iter(|| build(black_box(&columns), false)));
    group.bench_function("many rows a person", |bencher| bencher.iter(|| build(black_box(&columns), true)));
    group.bench_function("one row each, gender sensitive", |bencher| {
        bencher.iter(|| {
            let mut builder = TupleBuilder::with_sensitive(2, 1);
            builder.extend_with(&[&columns[0], &columns[1]], &[&columns[2]], None).unwrap();
            builder.finish().unwrap()
        });
    });
    group.finish();
}

fn search(criterion: &mut Criterion) {
    let columns = codes();
    let intervals = HierarchySpec::Intervals { widths: vec![5.0, 10.0, 20.0, 40.0], origin: 0.0 };
    let text = |bound: i32| StringArray::from_iter_values((0..bound).map(|value| value.to_string()));
    let hierarchies = [
        Hierarchy::build("birth_year", &intervals, &Int32Array::from_iter_values(0..80), false).unwrap(),
        Hierarchy::build("country", &HierarchySpec::Mask(backmask::policy::Direction::Right), &text(150), false).unwrap(),
        Hierarchy::flat("gender", &text(3), false).unwrap(),
    ];
    let models = Models::new().and(KAnonymity { k: K::new(12).unwrap(), linkability: Linkability::Unlinked });
    let metric = Loss::new(&Quality::default(), &["birth_year", "country", "gender"]).unwrap();
    let mut group = criterion.benchmark_group("search, 48 nodes");
    group.sample_size(10);
    for (name, people) in [("one row each", false), ("many rows a person", true)] {
        let tuples = build(&columns, people);
        let problem = Problem::new(&tuples, &hierarchies, &models, &metric, Share::new(0.02).unwrap()).unwrap();
        assert_eq!(problem.lattice().nodes(), 48);
        group.bench_function(format!("exhaustive, {name}"), |bencher| bencher.iter(|| exhaustive(black_box(&problem)).unwrap()));
        group.bench_function(format!("optimal, {name}"), |bencher| bencher.iter(|| optimal(black_box(&problem)).unwrap()));
    }
    group.finish();
}

fn recount(criterion: &mut Criterion) {
    let columns = codes();
    let batches: Vec<RecordBatch> = (0..ROWS)
        .step_by(BATCH)
        .map(|start| {
            let end = (start + BATCH).min(ROWS);
            let text =
                |column: usize| Arc::new(StringArray::from_iter_values(columns[column][start..end].iter().map(u32::to_string))) as ArrayRef;
            RecordBatch::try_from_iter([("birth_year", text(0)), ("country", text(1)), ("gender", text(2)), ("token", text(3))]).unwrap()
        })
        .collect();
    let mut group = criterion.benchmark_group("recount");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    for (name, people) in [("without tokens", People::Unknown), ("with tokens", People::Token("token".into()))] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut counter = ClassCounter::new(["birth_year", "country", "gender"], people.clone());
                for batch in &batches {
                    counter.observe(batch).unwrap();
                }
                counter.finish().unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, tuples, search, recount);
criterion_main!(benches);
