//! Benchmarks: local recoding. With `BACKMASK_DATA` set, Mondrian on Adult is measured too and its quality printed.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first mistake")]

use arrow::array::{ArrayRef, Int32Array, StringArray};
use arrow::compute::concat_batches;
use backmask::anonymity::classes::{TupleBuilder, Tuples};
use backmask::anonymity::hierarchy::Hierarchy;
use backmask::anonymity::local::{Dimension, Found, LocalRecoding, Resources, RowTable, Rows, mondrian, mondrian_relaxed};
use backmask::anonymity::models::{KAnonymity, Linkability, Models};
use backmask::arrow;
use backmask::io::table::ColumnInterner;
use backmask::units::K;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Arc;

const ROWS: usize = 1_000_000;
const ADULT: [&str; 5] = ["age", "education_num", "marital", "race", "sex"];

/// A number below `bound` for a row: the same on every machine, smaller numbers more often.
fn draw(row: usize, stream: u64, bound: u64) -> u32 {
    let mut word = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^= word >> 31;
    let (one, two) = ((word >> 32) % bound, (word & 0xffff_ffff) % bound);
    u32::try_from(one * two / bound).unwrap_or(0)
}

struct Table {
    dimensions: Vec<Dimension>,
    codes: Vec<Vec<u32>>,
}

impl Table {
    fn new(columns: &[(&str, ArrayRef)]) -> Self {
        let (mut dimensions, mut codes) = (Vec::new(), Vec::new());
        for (name, array) in columns {
            let mut interner = ColumnInterner::new(name, array.data_type()).unwrap();
            let mut of_column = Vec::new();
            interner.extend(array.as_ref(), &mut of_column).unwrap();
            let values = interner.values().unwrap();
            let hierarchy = Hierarchy::flat(name, values.as_ref(), array.null_count() > 0).unwrap();
            dimensions.push(Dimension::new(&hierarchy, &values).unwrap());
            codes.push(of_column);
        }
        Self { dimensions, codes }
    }

    fn slices(&self) -> Vec<&[u32]> {
        self.codes.iter().map(Vec::as_slice).collect()
    }

    fn tuples(&self) -> Tuples {
        let mut builder = TupleBuilder::new(self.codes.len());
        builder.extend(&self.slices(), None).unwrap();
        builder.finish().unwrap()
    }

    fn rows(&self) -> Rows {
        let mut rows = RowTable::new(self.codes.len(), 0);
        let keys: Vec<u64> = (0..self.codes[0].len()).map(|row| draw(row, 99, 1 << 31).into()).collect();
        rows.extend(&self.slices(), &[], None, &keys).unwrap();
        rows.finish().unwrap()
    }
}

fn made_up() -> Table {
    let numbers =
        |stream, bound| Arc::new(Int32Array::from_iter_values((0..ROWS).map(|row| draw(row, stream, bound).cast_signed()))) as ArrayRef;
    let texts =
        |stream, bound| Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| draw(row, stream, bound).to_string()))) as ArrayRef;
    Table::new(&[
        ("birth_year", numbers(1, 80)),
        ("registered", numbers(2, 5_000)),
        ("hours", numbers(3, 60)),
        ("postal_code", numbers(4, 9_000)),
        ("country", texts(5, 150)),
        ("gender", texts(6, 3)),
        ("platform", texts(7, 12)),
        ("plan", texts(8, 5)),
    ])
}

fn adult() -> Option<Table> {
    let path = std::path::PathBuf::from(std::env::var_os("BACKMASK_DATA")?).join("adult/adult_30k.parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).ok()?).unwrap().build().unwrap();
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    let batch = concat_batches(&batches[0].schema(), &batches).unwrap();
    let columns: Vec<_> = ADULT.iter().map(|name| (*name, Arc::clone(batch.column_by_name(name).unwrap()))).collect();
    Some(Table::new(&columns))
}

fn k_anonymity(k: u64) -> Models {
    Models::new().and(KAnonymity { k: K::new(k).unwrap(), linkability: Linkability::Unlinked })
}

fn on(threads: usize) -> Resources {
    Resources { threads: NonZeroUsize::new(threads).unwrap(), ..Resources::new() }
}

fn quick(threads: usize) -> Resources {
    Resources { look_ahead: 0, ..on(threads) }
}

fn recoding(name: &str, found: Found) -> Box<LocalRecoding> {
    let Found::Recoding(recoding) = found else { panic!("{name}: all rows are a class") };
    eprintln!(
        "{name}: GCP {:.4}, {} classes of {:.2} rows, smallest {:?}",
        recoding.certainty_penalty(),
        recoding.len(),
        recoding.average_class_size(),
        recoding.smallest_subjects()
    );
    recoding
}

fn of_adult(criterion: &mut Criterion) {
    let Some(table) = adult() else { return };
    let (tuples, rows, models) = (table.tuples(), table.rows(), k_anonymity(10));
    recoding("Adult, strict", mondrian(&tuples, &table.dimensions, &models, on(1)).unwrap());
    recoding("Adult, relaxed", mondrian_relaxed(&rows, &table.dimensions, &models, on(1)).unwrap());
    let mut group = criterion.benchmark_group("Adult, 30,162 rows, 5 columns, k = 10");
    group.sample_size(20);
    group.bench_function("tuples and strict Mondrian", |bencher| {
        bencher.iter(|| mondrian(&table.tuples(), &table.dimensions, black_box(&models), on(1)).unwrap());
    });
    group.bench_function("rows and relaxed Mondrian", |bencher| {
        bencher.iter(|| mondrian_relaxed(&table.rows(), &table.dimensions, black_box(&models), on(1)).unwrap());
    });
    group.finish();
}

fn million(criterion: &mut Criterion) {
    let table = made_up();
    let (tuples, models) = (table.tuples(), k_anonymity(5));
    eprintln!("{} distinct tuples", tuples.len());
    recoding("million, strict", mondrian(&tuples, &table.dimensions, &models, on(2)).unwrap());
    let mut group = criterion.benchmark_group("1,000,000 rows, 8 columns, k = 5");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    recoding("million, strict, without looking ahead", mondrian(&tuples, &table.dimensions, &models, quick(2)).unwrap());
    for (name, resources) in [("1 thread", quick(1)), ("2 threads", quick(2)), ("2 threads, looking ahead", on(2))] {
        group.bench_function(format!("strict Mondrian, {name}"), |bencher| {
            bencher.iter(|| mondrian(black_box(&tuples), &table.dimensions, &models, resources).unwrap());
        });
    }
    let rows = table.rows();
    recoding("million, relaxed", mondrian_relaxed(&rows, &table.dimensions, &models, on(2)).unwrap());
    group.bench_function("relaxed Mondrian, 2 threads", |bencher| {
        bencher.iter(|| mondrian_relaxed(black_box(&rows), &table.dimensions, &models, on(2)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, of_adult, million);
criterion_main!(benches);
