//! Reads listening histories of any supported format and writes them as one Parquet file in the canonical schema of events.
//!
//! ```text
//! cargo run --release --example import -- --input my_spotify_data.zip --output events.parquet
//! ```
//!
//! Columns that the input lacks are null, other columns of the input follow the canonical ones. Events in private mode, podcasts, audiobooks and videos are left out
//! unless asked for, and whatever is left out is counted. The file is as personal as its input: this is no release.
//!
//! With `--json`: `{"output", "rows", "subjects", "left_out": {reason: rows}, "seconds"}`.

mod common;

use backmask::io::table::ColumnInterner;
use backmask::io::{ReadOptions, SinkFormat, SinkOptions, create_sink, read};
use backmask::listening::{complete, open};
use backmask::policy::{Input, Policy, Table};
use backmask::{Error, Result};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Read listening histories and write them in the canonical schema
#[derive(Debug, clap::Parser)]
#[command(name = "import", version)]
struct Options {
    /// Files, folders and zip archives; together they are one pool
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    input: Vec<PathBuf>,
    /// The Parquet file to write
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// A policy whose [input] says how to read
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Leave malformed records out and count them
    #[arg(long)]
    skip_malformed: bool,
    /// Keep events that a listener had in private mode
    #[arg(long)]
    keep_incognito: bool,
    /// Keep podcasts, audiobooks and videos
    #[arg(long)]
    keep_spoken: bool,
    #[command(flatten)]
    common: common::Output,
}

fn main() -> ExitCode {
    common::run(|options: &Options| options.common, |options, console| import(&options, console))
}

fn import(options: &Options, console: &common::Console) -> Result<common::Summary> {
    let start = Instant::now();
    if !options.output.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet")) {
        return Err(Error::Parameter { name: "output", problem: "must end in .parquet".to_owned() });
    }
    let input = how_to_read(options)?;
    let sources = complete(&open(&options.input, Table::Events, &input)?, Table::Events)?;
    let stream = read(&sources, &ReadOptions::default())?;
    let (schema, left_out) = (stream.schema(), stream.left_out());
    let subject = schema.index_of("subject_id").map_err(|e| Error::arrow("looking for the subject", &e))?;
    let mut subjects = ColumnInterner::new("subject_id", schema.field(subject).data_type())?;
    let mut sink = create_sink(&options.output, SinkFormat::Parquet, schema, &SinkOptions::default())?;
    let progress = console.progress("reading", None);
    let mut codes = Vec::new();
    for batch in stream {
        let batch = batch?;
        codes.clear();
        subjects.extend(batch.column(subject), &mut codes)?;
        sink.write(&batch)?;
        progress.advance(batch.num_rows() as u64);
    }
    drop(progress);
    let written = sink.finish()?;
    let (seconds, left_out) = (start.elapsed().as_secs_f64(), left_out.counts());
    let mut lines = vec![format!("{} events of {} people written to {}", written.rows, subjects.len(), written.path.display())];
    lines.extend(left_out.iter().map(|(reason, rows)| format!("left out: {rows} ({reason})")));
    let report = json!({ "output": written.path.display().to_string(), "rows": written.rows, "subjects": subjects.len(), "left_out": left_out, "seconds": seconds });
    Ok(common::Summary::new(lines.join("\n"), report))
}

fn how_to_read(options: &Options) -> Result<Input> {
    let mut input = match &options.policy {
        Some(path) => Policy::from_toml(&text_of(path)?)?.input.unwrap_or_default(),
        None => Input::default(),
    };
    input.skip_malformed |= options.skip_malformed;
    input.keep_incognito |= options.keep_incognito;
    input.keep_spoken |= options.keep_spoken;
    Ok(input)
}

fn text_of(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| Error::io(path, e))
}
