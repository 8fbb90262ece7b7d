//! Replaces columns of a table by pseudonyms, or turns them back.
//!
//! ```text
//! cargo run --release --example keygen -- --output pool.key
//! cargo run --release --example pseudonymize -- --input events.parquet --output tokens.parquet --column subject_id --key-file pool.key --method blake3
//! cargo run --release --example pseudonymize -- --input members.csv --output sealed.csv --column email phone --key-file pool.key --method aes-siv
//! cargo run --release --example pseudonymize -- --input sealed.csv --output members.csv --column email --key-file pool.key --method aes-siv --reverse --reason "ticket 17: deletion request"
//! ```
//!
//! Input and output are Parquet, Arrow IPC, CSV or JSON; the output's format follows its name. Other columns pass as they are: **this is no anonymization**, only the named
//! columns are replaced. Nothing is written unless everything could be replaced.
//!
//! Tokens depend on the key, the column's name and on what `--scope` keeps apart: `--recipient`, `--release`, `--product`, the period, the session, the fragment. Whoever uses the same key
//! and the same words gets the same tokens.
//!
//! For the reversible methods (`aes-siv`, `aes-block`, `ff1`) a small file `OUTPUT.pseudonyms.json` is left beside the output. It holds no secret; `--reverse` finds in it the types of the
//! columns and notices a wrong key. `dense` can be turned back only with the file that `--codebook` asked for.
//!
//! `--reverse` needs a `--reason`. It goes, with time, columns and number of rows, into an append-only audit file beside the key file (or `--audit FILE`) before anything is turned back.
//!
//! With `--json`: `{"output", "rows", "method", "scope", "columns": [{"column", "type", "values", "collision_probability", "input_space": {"bits", "enumerable"}}], "key_id", "reversible",
//! "irreversible", "warnings", "seconds"}`; with `--reverse`: `{"output", "rows", "columns": [{"column", "type"}], "key_id", "audit", "seconds"}`.

#[path = "../common/mod.rs"]
mod common;
mod files;
mod labels;
mod options;
mod receipt;
mod replace;
mod restore;

use options::Options;
use std::process::ExitCode;

fn main() -> ExitCode {
    common::run(
        |options: &Options| options.common,
        |options, console| {
            options.check()?;
            if options.reverse { restore::run(&options, console) } else { replace::run(&options, console) }
        },
    )
}
