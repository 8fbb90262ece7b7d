//! Writes a pool of people who do not exist: `events.parquet` and `profiles.parquet` in the canonical schemas.
//!
//! ```text
//! cargo run --release --example simulate -- --subjects 2000 --events 1000000 --seed 1 --output pool
//! ```
//!
//! The same numbers give the same files. With `--json`: `{"events": {"output", "rows"}, "profiles": {"output", "rows"}, "seconds"}`.

mod common;

use backmask::io::{ReadOptions, SinkFormat, SinkOptions, create_sink, read};
use backmask::listening::simulate::Simulation;
use backmask::{Error, Result};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Simulate a pool of listeners
#[derive(Debug, clap::Parser)]
#[command(name = "simulate", version)]
struct Options {
    /// Number of people
    #[arg(long, value_name = "N")]
    subjects: u64,
    /// Number of events of all people together
    #[arg(long, value_name = "M")]
    events: u64,
    /// Same seed, same pool
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The folder to write to; it is made if it does not exist
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    common: common::Output,
}

fn main() -> ExitCode {
    common::run(|options: &Options| options.common, |options, console| simulate(&options, console))
}

fn simulate(options: &Options, console: &common::Console) -> Result<common::Summary> {
    let start = Instant::now();
    let simulation = Simulation::new(options.subjects, options.events, options.seed)?;
    std::fs::create_dir_all(&options.output).map_err(|e| Error::io(&options.output, e))?;
    let source = simulation.source()?;
    let file = |name: &str| options.output.join(name);
    let mut events = create_sink(file("events.parquet"), SinkFormat::Parquet, source.schema(), &SinkOptions::default())?;
    let progress = console.progress("simulating", Some(options.events));
    for batch in read(&[source], &ReadOptions::default())? {
        let batch = batch?;
        events.write(&batch)?;
        progress.advance(batch.num_rows() as u64);
    }
    drop(progress);
    let people = simulation.profiles()?;
    let mut profiles = create_sink(file("profiles.parquet"), SinkFormat::Parquet, people.schema(), &SinkOptions::default())?;
    profiles.write(&people)?;
    // Neither file has its name before both are complete.
    let profiles = profiles.finish()?;
    let events = events.finish().inspect_err(|_| {
        let _removed = std::fs::remove_file(&profiles.path);
    })?;
    let text = format!("{} events of {} people written to {}", events.rows, profiles.rows, options.output.display());
    let report = json!({
        "events": { "output": events.path.display().to_string(), "rows": events.rows },
        "profiles": { "output": profiles.path.display().to_string(), "rows": profiles.rows },
        "seconds": start.elapsed().as_secs_f64(),
    });
    Ok(common::Summary::new(text, report))
}
