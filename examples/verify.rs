//! Recomputes every guarantee and hash of a release from its files.

mod common;

use backmask::keys;
use backmask::release::{verify, verify_with_keys};
use clap::Parser;
use common::{Output, Summary};
use std::path::PathBuf;
use std::process::ExitCode;

/// Check a release from outside
///
/// Counts every guarantee again and compares every hash, from the files alone. Exit codes: 0 everything that could be checked is true,
/// 1 the files cannot be read, 2 bad usage or key, 3 something that the release states is not true.
#[derive(Debug, Parser)]
#[command(name = "verify", version)]
struct Arguments {
    /// The folder release/ of a run
    #[arg(long, value_name = "DIR")]
    release: PathBuf,
    /// The files it was made from; together with the key file they must give the commitment in the report
    #[arg(long, value_name = "PATH", num_args = 1..)]
    original: Vec<PathBuf>,
    /// The key file or key ring it was made with
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    console: Output,
}

fn main() -> ExitCode {
    common::run(
        |arguments: &Arguments| arguments.console,
        |arguments, _| {
            let verification = match &arguments.key_file {
                Some(file) => verify_with_keys(&arguments.release, &arguments.original, &keys::open(file)?)?,
                None => verify(&arguments.release, &arguments.original, None)?,
            };
            let lines: Vec<String> = verification
                .checks
                .iter()
                .map(|check| {
                    let verdict = match check.holds {
                        Some(true) => "true        ",
                        Some(false) => "NOT TRUE    ",
                        None => "unverifiable",
                    };
                    let product = check.product.as_deref().map_or_else(String::new, |product| format!("{product}: "));
                    format!("{verdict}  {product}{} [{}]", check.statement, check.found)
                })
                .collect();
            let json = common::to_json(&verification)?;
            let untrue = verification.checks.iter().filter(|check| check.holds == Some(false)).count();
            if untrue > 0 {
                let text = format!(
                    "{}\nerror: not everything that this release states is true ({untrue} of {} checks failed); do not use it",
                    lines.join("\n"),
                    lines.len()
                );
                return Ok(Summary::new(text, json).ends_with(3));
            }
            Ok(Summary::new(lines.join("\n"), json))
        },
    )
}
