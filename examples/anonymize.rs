//! The main job: a pool and a policy in, a release with a report out. Without arguments it shows itself on a simulated pool.

mod common;

use backmask::io::{Sink, SinkFormat, SinkOptions, create_sink};
use backmask::keys;
use backmask::listening::simulate::Simulation;
use backmask::policy::Policy;
use backmask::release::report::Report;
use backmask::release::{Anonymizer, Outcome, Stage, demo_policy};
use backmask::{Error, Result};
use clap::Parser;
use common::{Console, Output, Summary};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Turn a pool of listening histories into a release
///
/// Without --policy it shows itself: 2,000 people are simulated and released into target/demo/ with the built-in policy.
/// Nothing is published unless the gate passes: no error, refusal or kill leaves a product behind.
#[derive(Debug, Parser)]
#[command(name = "anonymize", version, after_help = ENDS)]
struct Arguments {
    /// The policy: what each column is, what is released, which risk is too much (start from examples/policies/)
    #[arg(long, value_name = "FILE", requires = "input")]
    policy: Option<PathBuf>,
    /// Files, folders and archives with events, or with a plain table
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "policy")]
    input: Vec<PathBuf>,
    /// Files with one row of attributes a person
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "policy")]
    profiles: Vec<PathBuf>,
    /// Folder in which release/ (handed over) and steward/ (stays) appear; it must hold neither
    #[arg(long, value_name = "DIR", requires = "policy")]
    output: Option<PathBuf>,
    /// Files with people who are not in the pool, as a baseline (not in this version)
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "policy")]
    control: Vec<PathBuf>,
    /// Key file (see keygen) or key ring, whose active key is used; without one a key is made, used and forgotten
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Budget of the pool, for differentially private products (not in this version)
    #[arg(long, value_name = "FILE", requires = "policy")]
    ledger: Option<PathBuf>,
    /// Sealed register of the releases of this pool: keeps several releases from singling people out together; made if there is none, needs --key-file, stays with you
    #[arg(long, value_name = "FILE", requires = "policy")]
    register: Option<PathBuf>,
    /// Format of the products
    #[arg(long, default_value = "parquet", value_parser = ["parquet", "ipc", "csv"])]
    format: String,
    /// Memory to use, beside distinct people and values
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = memory)]
    memory: usize,
    /// Threads; all processors by default
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Measure and decide, publish nothing; needs no --output
    #[arg(long, requires = "policy")]
    assess_only: bool,
    #[command(flatten)]
    console: Output,
}

const ENDS: &str = "Exit codes: 0 done, 1 failed (files, data), 2 bad usage, policy or key, 3 refused.";

fn main() -> ExitCode {
    common::run(
        |arguments: &Arguments| arguments.console,
        |arguments, console| match &arguments.policy {
            Some(policy) => release(&arguments, policy, console),
            None => demo(&arguments, console),
        },
    )
}

/// `512MiB`, `2GiB`, `800MB`, or a number of bytes.
fn memory(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: usize = match &text[digits.len()..] {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return Err("give a number and B, kB, KiB, MB, MiB, GB or GiB".to_owned()),
    };
    let number: usize = digits.parse().map_err(|_| "give a whole number and a unit".to_owned())?;
    number.checked_mul(factor).filter(|&bytes| bytes >= 16 << 20).ok_or_else(|| "give between 16MiB and what the machine has".to_owned())
}

fn release(arguments: &Arguments, policy: &Path, console: &Console) -> Result<Summary> {
    if !arguments.control.is_empty() {
        return Err(Error::unsupported("--control", "a control group from files (gate.control sets people aside instead)"));
    }
    if arguments.ledger.is_some() {
        return Err(Error::unsupported("--ledger", "a ledger, which belongs to differentially private products"));
    }
    let job = configured(Policy::from_path(policy)?, arguments, console)?
        .input(arguments.input.iter().cloned())
        .profiles(arguments.profiles.iter().cloned());
    let job = match &arguments.register {
        Some(register) => job.register(register),
        None => job,
    };
    if arguments.assess_only {
        let report = job.assess()?;
        return Ok(Summary::new(summary(&report), common::to_json(&report)?));
    }
    let Some(output) = &arguments.output else {
        return Err(Error::policy("--output", "no output folder was given", "name one, or give --assess-only to publish nothing"));
    };
    match job.output(output).run() {
        Ok(outcome) => published(&outcome),
        Err(error @ Error::Refused { .. }) => {
            console.note(&format!("Why, in detail (stays with you): {}", output.join("refused").join("report.html").display()));
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// A run with the options that both ways of calling have.
fn configured(policy: Policy, arguments: &Arguments, console: &Console) -> Result<Anonymizer> {
    let mut job = Anonymizer::new(policy).format(format(&arguments.format)).memory(arguments.memory).observer(observer(console));
    if let Some(file) = &arguments.key_file {
        job = job.key(keys::open(file)?.active()?);
    }
    if let Some(threads) = arguments.threads {
        job = job.threads(threads);
    }
    Ok(job)
}

fn format(name: &str) -> SinkFormat {
    match name {
        "ipc" => SinkFormat::IpcFile,
        "csv" => SinkFormat::Csv,
        _ => SinkFormat::Parquet,
    }
}

/// What a newcomer sees first: a simulated pool, released with the built-in policy.
fn demo(arguments: &Arguments, console: &Console) -> Result<Summary> {
    // What can be wrong with the arguments is found before anything is removed.
    let job = configured(demo_policy()?, arguments, console)?;
    let folder = Path::new("target/demo");
    for part in ["pool", "release", "steward", "refused", "refusals.jsonl"] {
        let path = folder.join(part);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&path, error)),
            _ => {}
        }
    }
    let pool = folder.join("pool");
    simulate(&Simulation::new(2000, 400_000, 1)?, &pool)?;
    let outcome = job.input([pool.join("events.parquet")]).profiles([pool.join("profiles.parquet")]).output(folder).run()?;
    let mut summary = published(&outcome)?;
    summary.text.insert_str(0, "Simulated 2,000 people with 400,000 plays, and released them with the built-in policy.\n");
    Ok(summary)
}

/// Writes a simulated pool in the canonical schema.
fn simulate(simulation: &Simulation, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let options = SinkOptions::default();
    let profiles = simulation.profiles()?;
    let mut sink = create_sink(folder.join("profiles.parquet"), SinkFormat::Parquet, profiles.schema(), &options)?;
    sink.write(&profiles)?;
    sink.finish()?;
    let mut sink: Option<Box<dyn Sink>> = None;
    for batch in simulation.events(8192)? {
        let batch = batch?;
        let sink = match &mut sink {
            Some(sink) => sink,
            none => none.insert(create_sink(folder.join("events.parquet"), SinkFormat::Parquet, batch.schema(), &options)?),
        };
        sink.write(&batch)?;
    }
    sink.map_or(Ok(()), |sink| sink.finish().map(|_| ()))
}

fn observer(console: &Console) -> impl Fn(&Stage) + Send + Sync + 'static {
    let progress = console.progress("Starting", None);
    move |stage| progress.label(describe(stage))
}

fn describe(stage: &Stage) -> String {
    match stage {
        Stage::Reading => "Reading the pool".to_owned(),
        Stage::Making(name) => format!("Making {name}"),
        Stage::Measuring(name) => format!("Measuring {name}"),
        Stage::Publishing => "Publishing".to_owned(),
        _ => "Working".to_owned(),
    }
}

fn summary(report: &Report) -> String {
    let mut lines = vec![format!("Release {}", report.name)];
    lines.extend(report.accepted_risks.iter().map(|reason| format!("  ACCEPTED RISK: {reason}")));
    for product in &report.products {
        let people = product.subjects.map_or_else(String::new, |people| format!(", {people} people"));
        lines.push(format!("  {}: {} rows{people}", product.name, product.rows));
    }
    lines.extend(report.statements.iter().map(|statement| format!("  {statement}")));
    lines.extend(report.gate.reasons.iter().map(|reason| format!("  Gate: {reason}")));
    lines.join("\n")
}

fn published(outcome: &Outcome) -> Result<Summary> {
    let (release, steward) = (outcome.release.join("report.html"), outcome.steward.join("report.html"));
    let text = format!("{}\nHanded over: {}\nStays with you: {}", summary(&outcome.report), release.display(), steward.display());
    let report = common::to_json(&outcome.report)?;
    // A path need not be UTF-8, a text in JSON must.
    Ok(Summary::new(
        text,
        json!({ "release": outcome.release.display().to_string(), "steward": outcome.steward.display().to_string(), "report": report }),
    ))
}
