//! Benchmarks: reading tables of each format and writing Parquet. Throughput is in rows.

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use backmask::io::{ReadOptions, SinkFormat, SinkOptions, Source, create_sink, open_table, read, rebuild};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

const ROWS: usize = 200_000;
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Listening events: few people, many tracks, two columns of few values.
fn events() -> Outcome<RecordBatch> {
    // A fixed linear congruential sequence: the same data in every run.
    let mut state = 7_u64;
    let mut next = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let draws: Vec<[u64; 4]> = (0..ROWS).map(|_| [next(2000), next(50_000), next(5), next(300_000)]).collect();
    let countries = ["DE", "FR", "GB", "PT", "SE"];
    let texts = |text: &dyn Fn(&[u64; 4]) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(draws.iter().map(text))) };
    let time = (0..ROWS).map(|row| i64::try_from(row).unwrap_or_default() * 997 + 1_600_000_000_000);
    Ok(RecordBatch::try_from_iter([
        ("subject_id", texts(&|draw| format!("user_{:06}", draw[0]))),
        ("track_id", texts(&|draw| format!("{:022}", draw[1].wrapping_mul(0x9E37_79B9_7F4A_7C15)))),
        (
            "country",
            texts(&|draw| usize::try_from(draw[2]).ok().and_then(|index| countries.get(index)).copied().unwrap_or_default().to_owned()),
        ),
        ("started_at", Arc::new(TimestampMillisecondArray::from_iter_values(time).with_timezone("UTC")) as ArrayRef),
        ("ms_played", Arc::new(draws.iter().map(|draw| i64::try_from(draw[3]).ok()).collect::<Int64Array>())),
        ("skipped", Arc::new(draws.iter().map(|draw| Some(draw[3] < 30_000)).collect::<BooleanArray>())),
    ])?)
}

fn write(path: &Path, format: SinkFormat, batch: &RecordBatch, options: &SinkOptions) -> Outcome<u64> {
    let mut sink = create_sink(path, format, batch.schema(), options)?;
    for start in (0..batch.num_rows()).step_by(8192) {
        sink.write(&batch.slice(start, 8192.min(batch.num_rows() - start)))?;
    }
    Ok(sink.finish()?.rows)
}

fn open(path: &Path) -> Outcome<Arc<dyn Source>> {
    Ok(open_table(Arc::new(backmask::io::PlainFile::new(path)), None, None, None)?)
}

fn rows(source: &Arc<dyn Source>, options: &ReadOptions) -> Outcome<usize> {
    Ok(read(&[Arc::clone(source)], options)?.map(|batch| batch.map(|batch| batch.num_rows())).sum::<backmask::Result<_>>()?)
}

fn run(criterion: &mut Criterion) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let batch = events()?;
    let formats =
        [(SinkFormat::Parquet, "parquet"), (SinkFormat::IpcFile, "arrow"), (SinkFormat::Csv, "csv"), (SinkFormat::JsonLines, "jsonl")];

    let mut group = criterion.benchmark_group("reading");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    for (format, extension) in formats {
        let path = folder.path().join(format!("events.{extension}"));
        write(&path, format, &batch, &SinkOptions { row_group_rows: 1 << 16, ..SinkOptions::default() })?;
        let source = open(&path)?;
        for threads in [1, 2] {
            let options = ReadOptions { threads, ..ReadOptions::default() };
            group.bench_function(BenchmarkId::new(extension, threads), |b| {
                b.iter(|| assert_eq!(black_box(rows(&source, &options)).ok(), Some(ROWS)));
            });
        }
        if format == SinkFormat::Parquet {
            for dictionaries in [false, true] {
                let columns = Some(vec!["subject_id".to_owned(), "country".to_owned()]);
                let options = ReadOptions { threads: 1, dictionaries, columns, ..ReadOptions::default() };
                let name = BenchmarkId::new("parquet-few-values", if dictionaries { "dictionaries" } else { "texts" });
                group.bench_function(name, |b| b.iter(|| assert_eq!(black_box(rows(&source, &options)).ok(), Some(ROWS))));
            }
        } else {
            // The first pass, which finds out the types.
            group.bench_function(BenchmarkId::new("opening", extension), |b| b.iter(|| assert!(black_box(open(&path)).is_ok())));
        }
    }
    group.finish();

    let mut group = criterion.benchmark_group("writing");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    for (format, extension) in formats {
        for threads in [1, 2] {
            // Only Parquet is encoded on several threads.
            if threads == 1 || format == SinkFormat::Parquet {
                let options = SinkOptions { threads, ..SinkOptions::default() };
                let path = folder.path().join(format!("out.{extension}"));
                group.bench_function(BenchmarkId::new(extension, threads), |b| {
                    b.iter(|| assert!(black_box(write(&path, format, &batch, &options)).is_ok()));
                });
            }
        }
    }
    group.bench_function("rebuild", |b| b.iter(|| assert!(black_box(rebuild(&batch.slice(1, ROWS - 1))).is_ok())));
    group.finish();
    Ok(())
}

fn benchmarks(criterion: &mut Criterion) {
    if let Err(error) = run(criterion) {
        // A benchmark that cannot make its data must not look like one that ran.
        eprintln!("reading: {error}");
        std::process::exit(1);
    }
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
