//! Makes a key file that only its owner can read.
//!
//! ```text
//! cargo run --example keygen -- --output pool.key
//! ```
//!
//! With `--json`: `{"output": "pool.key", "id": "16 hexadecimal digits"}`. The key itself is never printed. An existing file is never overwritten.

mod common;

use backmask::keys::{Key, KeyOrigin};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Make a key file (mode 0600)
#[derive(Debug, clap::Parser)]
#[command(name = "keygen", version)]
struct Options {
    /// The file to write; it must not exist
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    common: common::Output,
}

fn main() -> ExitCode {
    common::run(
        |options: &Options| options.common,
        |options, _console| {
            let key = Key::create_file(&options.output)?;
            let id = match key.origin() {
                KeyOrigin::File { id } => id.as_str(),
                _ => "",
            };
            let path = options.output.display().to_string();
            Ok(common::Summary::new(
                format!("key {id} written to {path}\nwhoever has this file can recompute the tokens: keep it apart from every release"),
                json!({ "output": path, "id": id }),
            ))
        },
    )
}
