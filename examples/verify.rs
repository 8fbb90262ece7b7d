//! Recomputes every guarantee and hash of a release from its files.

mod common;

use backmask::Error;
use backmask::keys::Key;
use backmask::release::verify;
use clap::Parser;
use common::{Output, Summary};
use std::path::PathBuf;
use std::process::ExitCode;

/// Checks a release from outside: exit code 3 if something that it states is not true.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder release/ of a run
    #[arg(long)]
    release: PathBuf,
    /// The files it was made from
    #[arg(long, num_args = 1..)]
    original: Vec<PathBuf>,
    /// The key file it was made with
    #[arg(long)]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    console: Output,
}

fn main() -> ExitCode {
    common::run(
        |arguments: &Arguments| arguments.console,
        |arguments, _| {
            let key = arguments.key_file.as_ref().map(Key::from_file).transpose()?;
            let verification = verify(&arguments.release, &arguments.original, key.as_ref())?;
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
            if !verification.holds {
                let reasons = verification
                    .checks
                    .iter()
                    .filter(|check| check.holds == Some(false))
                    .map(|check| {
                        format!(
                            "{}{}: {}",
                            check.product.as_deref().map_or_else(String::new, |p| format!("{p}: ")),
                            check.statement,
                            check.found
                        )
                    })
                    .collect();
                return Err(Error::Refused { reasons });
            }
            Ok(Summary::new(lines.join("\n"), common::to_json(&verification)?))
        },
    )
}
