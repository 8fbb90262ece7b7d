//! The item-support step on a whole file: read, count people per item, drop rows of rare items, write the rest in input order.
//!
//! `cargo bench --bench whole_file -- EVENTS.parquet SUBJECT ITEM MIN_SUBJECTS OUTPUT.parquet` prints one JSON line with wall and CPU seconds, so that it can be
//! run beside other tools on the same file. Started without arguments it does the same on a small simulated pool.

use backmask::arrow::array::RecordBatch;
use backmask::io::table::{CodedTableBuilder, NULL_CODE, TableOptions};
use backmask::io::{ParquetSource, ReadOptions, Sink, SinkFormat, SinkOptions, Source, create_sink, read, write_all};
use backmask::listening::simulate::Simulation;
use backmask::matrix::{PairChunks, item_support};
use backmask::{Error, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [events, subject, item, min_subjects, output] = arguments.as_slice() {
        let minimum = min_subjects.parse().map_err(|_| Error::policy("MIN_SUBJECTS", "is not a number", "give a whole number"))?;
        let source: Arc<dyn Source> = Arc::new(ParquetSource::open(events)?);
        return step(&source, subject, item, minimum, Path::new(output));
    }
    let folder = tempfile::tempdir().map_err(|e| Error::io(std::env::temp_dir(), e))?;
    step(&Simulation::new(300, 20_000, 1)?.source()?, "subject_id", "track_id", 3, &folder.path().join("kept.parquet"))
}

/// Codes of two columns of a table.
struct Pairs<'a>(&'a backmask::io::table::CodedTable, usize, usize);

impl PairChunks for Pairs<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&[u32], &[u32]) -> Result<()>) -> Result<()> {
        let (mut subjects, mut items) = (Vec::new(), Vec::new());
        for chunk in 0..self.0.chunks() {
            subjects.clear();
            items.clear();
            self.0.codes(chunk, self.1, &mut subjects)?;
            self.0.codes(chunk, self.2, &mut items)?;
            visit(&subjects, &items)?;
        }
        Ok(())
    }
}

fn step(source: &Arc<dyn Source>, subject: &str, item: &str, minimum: u32, output: &Path) -> Result<()> {
    let (clock, cpu) = (Instant::now(), cpu_seconds());
    let options = ReadOptions { dictionaries: true, ..ReadOptions::default() };
    let stream = read(&[Arc::clone(source)], &options)?;
    let schema = stream.schema();
    let mut builder = CodedTableBuilder::new(&schema, &[subject, item], TableOptions::default())?;
    for batch in stream {
        builder.push(&batch?)?;
    }
    let table = builder.finish()?;
    let read_seconds = clock.elapsed().as_secs_f64();
    let (subject, item) = (table.column(subject)?, table.column(item)?);
    let support = item_support(&Pairs(&table, subject, item), table.distinct(subject)?, table.distinct(item)?, 256 << 20)?;
    let support_seconds = clock.elapsed().as_secs_f64();
    let mut sink: Box<dyn Sink> = create_sink(output, SinkFormat::Parquet, table.schema(), &SinkOptions::default())?;
    let mut codes = Vec::new();
    let batches = (0..table.chunks()).map(|chunk| {
        codes.clear();
        table.codes(chunk, item, &mut codes)?;
        let is_kept = |&code: &u32| code != NULL_CODE && support[code as usize] >= minimum;
        let kept: Vec<u32> = (0_u32..).zip(&codes).filter(|(_, code)| is_kept(code)).map(|(row, _)| row).collect();
        let columns = (0..table.schema().fields().len()).map(|column| table.array_at(chunk, column, &kept)).collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(table.schema(), columns).map_err(|e| Error::arrow("assembling rows", &e))
    });
    write_all(sink.as_mut(), batches, SinkOptions::default().threads)?;
    let written = sink.finish()?;
    println!(
        "{{\"s\": {:.3}, \"cpu\": {:.2}, \"read\": {read_seconds:.3}, \"support\": {:.3}, \"rows_in\": {}, \"rows_out\": {}, \"peak_kb\": {}}}",
        clock.elapsed().as_secs_f64(),
        cpu_seconds() - cpu,
        support_seconds - read_seconds,
        table.rows(),
        written.rows,
        peak_kilobytes()
    );
    Ok(())
}

/// CPU time of the process, where the system tells it (Linux).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    (fields.get(11).unwrap_or(&0.0) + fields.get(12).unwrap_or(&0.0)) / 100.0
}

/// Largest resident memory of the process, where the system tells it (Linux).
fn peak_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .and_then(|line| line.split_whitespace().nth(1))
        .and_then(|kb| kb.parse().ok())
        .unwrap_or(0)
}
