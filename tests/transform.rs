//! Treatments, accumulators and drivers over whole pools: results must not depend on batches, order, splits or threads.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use backmask::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt32Array};
use backmask::arrow::compute::{cast, concat_batches, take_record_batch};
use backmask::arrow::datatypes::{DataType, Int32Type, Int64Type, SchemaRef};
use backmask::engine;
use backmask::io::{BatchStream, LeftOut, MemorySource, ReadOptions, Source};
use backmask::keys::Key;
use backmask::pipeline::{Chain, Fit, MapColumn, Transform};
use backmask::policy::{PseudonymMethod, TimeUnit};
use backmask::pseudonym::Pseudonymizer;
use backmask::transform::{Buckets, Clamp, DropColumns, RelativeFit, Shift, Truncate};
use backmask::{Error, Result};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// A pool of 3,000 events of up to 40 people, with gaps in every column.
fn pool() -> RecordBatch {
    let mut state = 1_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let rows: Vec<(Option<String>, Option<i64>, Option<i64>)> = (0..3_000)
        .map(|_| {
            let subject = (next(50) > 0).then(|| format!("person {}", next(40)));
            let time = (next(60) > 0).then(|| i64::try_from(next(3_000_000_000_000)).unwrap() - 1_000_000_000_000);
            (subject, time, (next(30) > 0).then(|| i64::try_from(next(400_000)).unwrap() - 1_000))
        })
        .collect();
    RecordBatch::try_from_iter_with_nullable([
        ("subject_id", Arc::new(rows.iter().map(|row| row.0.as_deref()).collect::<StringArray>()) as ArrayRef, true),
        ("started_at", Arc::new(rows.iter().map(|row| row.1).collect::<TimestampMillisecondArray>().with_timezone("UTC")), true),
        ("ms_played", Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>()), true),
        ("ip_addr", Arc::new(StringArray::from(vec!["192.0.2.7"; rows.len()])), true),
    ])
    .unwrap()
}

fn chain() -> Chain {
    Chain::new()
        .then(Shift::new("subject_id", "started_at", 14, &Key::from_bytes([3; 32])))
        .then(MapColumn::new("started_at", Arc::new(Truncate::new(TimeUnit::Week))))
        .then(MapColumn::new("ms_played", Arc::new(Clamp::new(0.0, 360_000.0).unwrap())))
        .then(MapColumn::new("ms_played", Arc::new(Buckets::new(&[30_000.0, 120_000.0]).unwrap())))
        .then(DropColumns::new(["ip_addr"]))
        .then(MapColumn::new("subject_id", Arc::new(Pseudonymizer::new(PseudonymMethod::Blake3, Key::from_bytes([4; 32])).unwrap())))
}

fn sources(batch: &RecordBatch, cuts: &[usize]) -> Vec<Arc<dyn Source>> {
    let ends = cuts.iter().copied().chain([batch.num_rows()]);
    let mut start = 0;
    ends.map(|end| {
        let part = batch.slice(start, end - start);
        start = end;
        Arc::new(MemorySource::new("part", batch.schema(), vec![part]).unwrap()) as Arc<dyn Source>
    })
    .collect()
}

fn stream(batch: &RecordBatch, rows: usize) -> BatchStream {
    let options = ReadOptions { batch_rows: rows, ..ReadOptions::default() };
    MemorySource::new("pool", batch.schema(), vec![batch.clone()]).unwrap().open_split(0, &options).unwrap()
}

fn shuffled(batch: &RecordBatch, seed: u64) -> RecordBatch {
    let mut order: Vec<u32> = (0..u32::try_from(batch.num_rows()).unwrap()).collect();
    order.shuffle(&mut ChaCha20Rng::seed_from_u64(seed));
    take_record_batch(batch, &UInt32Array::from(order)).unwrap()
}

fn relative() -> RelativeFit {
    RelativeFit::new("subject_id", "started_at")
}

#[test]
fn a_fit_gives_the_same_for_any_batches_order_split_and_threads() {
    let pool = pool();
    let mut whole = relative();
    whole.observe(&pool).unwrap();
    let expected = whole.state().unwrap();
    for (seed, cuts, batch_rows, threads) in
        [(1, vec![], 8_192, 1), (2, vec![], 7, 4), (3, vec![1_000, 1_000, 2_999], 64, 3), (4, (1..300).map(|i| 10 * i).collect(), 1, 8)]
    {
        let options = ReadOptions { batch_rows, threads, ..ReadOptions::default() };
        let fitted = engine::fit(&sources(&shuffled(&pool, seed), &cuts), &options, || (relative(), vec![relative(), relative()])).unwrap();
        assert_eq!(fitted.0.state().unwrap(), expected, "{threads} threads, {batch_rows} rows");
        assert_eq!(fitted.1[1].state().unwrap(), expected);
        let streamed = engine::fit_stream(stream(&pool, batch_rows), threads, relative).unwrap();
        assert_eq!(streamed.state().unwrap(), expected);
    }
    let nothing = engine::fit(&[], &ReadOptions::default(), relative).unwrap();
    assert_eq!(nothing.subjects(), 0);
}

#[test]
fn relative_times_agree_with_a_plain_loop() {
    let pool = pool();
    let subjects = pool.column(0).as_string::<i32>();
    let times = cast(pool.column(1), &DataType::Int64).unwrap();
    let times = times.as_primitive::<Int64Type>();
    let mut first: BTreeMap<&str, i64> = BTreeMap::new();
    for (subject, time) in subjects.iter().zip(times) {
        if let (Some(subject), Some(time)) = (subject, time) {
            let known = first.entry(subject).or_insert(time);
            *known = time.min(*known);
        }
    }
    let expected: Int64Array = subjects.iter().zip(times).map(|(subject, time)| Some(time? - first[subject?])).collect();
    let fitted = engine::fit(&sources(&pool, &[123]), &ReadOptions::default(), relative).unwrap().finish().unwrap();
    for representation in
        [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View, DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))]
    {
        let mut columns = pool.columns().to_vec();
        columns[0] = cast(&columns[0], &representation).unwrap();
        let names = ["subject_id", "started_at", "ms_played", "ip_addr"];
        let other =
            RecordBatch::try_from_iter_with_nullable(names.into_iter().zip(columns).map(|(name, column)| (name, column, true))).unwrap();
        assert_eq!(fitted.apply(&other).unwrap().column(1).as_primitive::<Int64Type>(), &expected, "{representation}");
    }
}

#[test]
fn a_chain_gives_identical_rows_for_any_batches_and_threads() {
    let pool = pool();
    let expected = chain().apply(&pool).unwrap();
    assert_eq!(expected.schema(), chain().output_schema(pool.schema_ref()).unwrap());
    for (rows, threads) in [(8_192, 1), (1, 1), (13, 4), (500, 2), (1_000, 16)] {
        let transformed = engine::transform_on(stream(&pool, rows), chain(), threads).unwrap();
        let schema = transformed.schema();
        let batches: Vec<RecordBatch> = transformed.map(Result::unwrap).collect();
        let joined = concat_batches(&schema, &batches).unwrap();
        assert_eq!(joined, expected, "{rows} rows, {threads} threads");
    }
    let read: Vec<RecordBatch> = chain().read(stream(&pool, 100).into_reader()).unwrap().map(|batch| batch.unwrap()).collect();
    assert_eq!(concat_batches(&expected.schema(), &read).unwrap(), expected);
}

#[test]
fn a_chain_gives_the_same_rows_for_any_order() {
    let (pool, order) = (pool(), 9);
    let expected = shuffled(&chain().apply(&pool).unwrap(), order);
    assert_eq!(chain().apply(&shuffled(&pool, order)).unwrap(), expected);
}

#[test]
fn removed_values_are_gone_from_every_output_column() {
    let released = chain().apply(&pool()).unwrap();
    let text = format!("{:?}", released.columns());
    assert!(!text.contains("person") && !text.contains("192.0.2"));
    assert_eq!(released.column(2).as_dictionary::<Int32Type>().values().len(), 3);
}

/// Refuses batches that hold a value above its limit.
#[derive(Debug)]
struct Refusing(i64);

impl Transform for Refusing {
    fn output_schema(&self, input: &backmask::arrow::datatypes::Schema) -> Result<SchemaRef> {
        Ok(Arc::new(input.clone()))
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        match batch.column(0).as_primitive::<Int64Type>().values().iter().filter(|&&value| value > self.0).count() {
            0 => Ok(batch.clone()),
            rows => Err(Error::rows("n", rows as u64, format!("first row {}", batch.column(0).as_primitive::<Int64Type>().value(0)), "")),
        }
    }
}

impl Fit for Refusing {
    type Output = ();
    fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        self.apply(batch).map(drop)
    }
    fn merge(&mut self, _: Self) -> Result<()> {
        Ok(())
    }
    fn state(&self) -> Result<Vec<ArrayRef>> {
        Ok(vec![])
    }
    fn merge_state(&mut self, _: &[ArrayRef]) -> Result<()> {
        Ok(())
    }
    fn finish(self) -> Result<()> {
        Ok(())
    }
}

fn numbers() -> RecordBatch {
    RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from_iter_values(0..1_000)) as ArrayRef)]).unwrap()
}

#[test]
fn the_first_error_wins_whichever_thread_finds_one() {
    let numbers = numbers();
    for threads in [1, 2, 8] {
        for _ in 0..20 {
            let options = ReadOptions { batch_rows: 10, threads, ..ReadOptions::default() };
            let error = engine::fit(&sources(&numbers, &[200, 400, 650]), &options, || Refusing(303)).unwrap_err().to_string();
            assert!(error.contains("(6 rows): first row 300"), "{threads} threads: {error}");
            let mut transformed = engine::transform_on(stream(&numbers, 10), Refusing(303), threads).unwrap();
            assert_eq!(transformed.by_ref().take(30).flatten().count(), 30);
            assert!(transformed.next().unwrap().unwrap_err().to_string().contains("first row 300"));
            assert!(transformed.next().is_none(), "the stream goes on after its error");
        }
    }
}

/// Fails on every batch; the batch that starts with 0 fails last, after another one has.
struct LateFailure(Arc<(Mutex<bool>, Condvar)>);

impl Fit for LateFailure {
    type Output = ();
    fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        let first = batch.column(0).as_primitive::<Int64Type>().value(0);
        let (failed, changed) = &*self.0;
        if first == 0 {
            let limit = Duration::from_secs(10);
            let failed = changed.wait_timeout_while(failed.lock().unwrap(), limit, |failed| !*failed).unwrap();
            drop(failed);
            // The other thread has yet to report what it signalled.
            thread::sleep(Duration::from_millis(100));
        } else {
            *failed.lock().unwrap() = true;
            changed.notify_all();
        }
        Err(Error::column("n", format!("first row {first}"), ""))
    }
    fn merge(&mut self, _: Self) -> Result<()> {
        Ok(())
    }
    fn state(&self) -> Result<Vec<ArrayRef>> {
        Ok(vec![])
    }
    fn merge_state(&mut self, _: &[ArrayRef]) -> Result<()> {
        Ok(())
    }
    fn finish(self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn an_earlier_error_wins_even_if_it_is_found_later() {
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let options = ReadOptions { threads: 2, ..ReadOptions::default() };
    let error = engine::fit(&sources(&numbers(), &[500]), &options, || LateFailure(Arc::clone(&shared))).err().unwrap().to_string();
    assert!(error.contains("first row 0"), "{error}");
}

#[test]
fn an_unreadable_piece_is_an_error_and_an_abandoned_stream_is_not() {
    let numbers = numbers();
    let options = ReadOptions { columns: Some(vec!["missing".to_owned()]), threads: 3, ..ReadOptions::default() };
    assert!(engine::fit(&sources(&numbers, &[500]), &options, || Refusing(5_000)).is_err());
    let mut transformed = engine::transform_on(stream(&numbers, 1), Refusing(5_000), 3).unwrap();
    assert_eq!(transformed.next().unwrap().unwrap().num_rows(), 1);
    drop(transformed);
    let failing =
        BatchStream::new(numbers.schema(), vec![Ok(numbers.slice(0, 3)), Err(Error::data("f", Some(4), "damaged", "mend it"))].into_iter());
    let results: Vec<bool> = engine::transform_on(failing, Refusing(5_000), 2).unwrap().map(|batch| batch.is_ok()).collect();
    assert_eq!(results, [true, false]);
}

/// A source whose reader leaves out the odd rows.
#[derive(Debug)]
struct EvenRows(RecordBatch);

impl Source for EvenRows {
    fn name(&self) -> &'static str {
        "even"
    }
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }
    fn splits(&self) -> usize {
        3
    }
    fn open_split(&self, split: usize, _: &ReadOptions) -> Result<BatchStream> {
        let left_out = Arc::new(LeftOut::default());
        left_out.add("odd", 10 + split as u64);
        Ok(BatchStream::new(self.0.schema(), [Ok(self.0.slice(0, 5))].into_iter()).with_left_out(left_out))
    }
}

#[test]
fn rows_that_readers_leave_out_are_counted_once() {
    let sources: [Arc<dyn Source>; 2] = [Arc::new(EvenRows(numbers())), Arc::new(EvenRows(numbers()))];
    for threads in [1, 5] {
        let left_out = LeftOut::default();
        let options = ReadOptions { threads, ..ReadOptions::default() };
        engine::fit_counting(&sources, &options, &left_out, || Refusing(5_000)).unwrap();
        assert_eq!(left_out.counts(), BTreeMap::from([("odd", 66)]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_split_merges_to_the_same_state(cuts in prop::collection::vec(0_usize..=400, 0..6), seed: u64) {
        let pool = shuffled(&pool(), 5).slice(0, 400);
        let mut whole = relative();
        whole.observe(&pool).unwrap();
        let mut cuts = cuts;
        cuts.sort_unstable();
        let mut parts: Vec<RelativeFit> = sources(&pool, &cuts)
            .iter()
            .map(|source| engine::fit(&[Arc::clone(source)], &ReadOptions::default(), relative).unwrap())
            .collect();
        parts.shuffle(&mut ChaCha20Rng::seed_from_u64(seed));
        let mut by_state = relative();
        for part in &parts {
            by_state.merge_state(&part.state().unwrap()).unwrap();
        }
        let merged = parts.into_iter().reduce(|mut left, right| { left.merge(right).unwrap(); left }).unwrap();
        prop_assert_eq!(merged.state().unwrap(), whole.state().unwrap());
        prop_assert_eq!(by_state.state().unwrap(), whole.state().unwrap());
    }
}
