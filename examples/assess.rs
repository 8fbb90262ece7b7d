//! Measures the risk of a table as it is, and changes nothing.

mod common;

use backmask::policy::Policy;
use backmask::release::assess;
use clap::Parser;
use common::{Output, Summary};
use std::path::PathBuf;
use std::process::ExitCode;

/// Measure what an attacker achieves against the inputs as they are
///
/// Changes and publishes nothing; the steward's report goes to standard output as JSON. Exit code 0 whatever the risk is.
#[derive(Debug, Parser)]
#[command(name = "assess", version)]
struct Arguments {
    /// Files, folders and archives with events, or with a plain table
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    input: Vec<PathBuf>,
    /// Files with one row of attributes a person
    #[arg(long, value_name = "PATH", num_args = 1..)]
    profiles: Vec<PathBuf>,
    /// The policy that says what each column is
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The data that the input was made from (not in this version)
    #[arg(long, value_name = "PATH", num_args = 1..)]
    original: Vec<PathBuf>,
    #[command(flatten)]
    console: Output,
}

fn main() -> ExitCode {
    common::run(
        |arguments: &Arguments| Output { json: true, ..arguments.console },
        |arguments, console| {
            if !arguments.original.is_empty() {
                return Err(backmask::Error::unsupported("--original", "comparing with the original data"));
            }
            let policy = Policy::from_path(&arguments.policy)?;
            let progress = console.progress("Measuring", None);
            let report = assess(&policy, &arguments.input, &arguments.profiles, 1 << 30)?;
            drop(progress);
            let verdict = match (report.gate.passed, report.over_limit().is_empty()) {
                (true, true) => "within the limit".to_owned(),
                (true, false) => "over the limit, which the policy accepts".to_owned(),
                (false, _) => report.gate.reasons.join("; "),
            };
            Ok(Summary::new(format!("{}\n{verdict}", report.statements.join("\n")), common::to_json(&report)?))
        },
    )
}
