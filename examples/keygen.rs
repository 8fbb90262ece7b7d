//! Makes a key file, or makes and changes a key ring, that only its owner can read.
//!
//! ```text
//! cargo run --example keygen -- --output pool.key
//! cargo run --example keygen -- --ring pool.ring
//! cargo run --example keygen -- --ring pool.ring --rotate
//! cargo run --example keygen -- --ring pool.ring --retire 0123456789abcdef
//! cargo run --example keygen -- --ring pool.ring --erase 0123456789abcdef
//! cargo run --example keygen -- --ring pool.ring --list
//! ```
//!
//! With `--json`:
//!
//! | call | answer |
//! |---|---|
//! | `--output K` | `{"output": "pool.key", "id": "16 hexadecimal digits"}` |
//! | `--ring R` | `{"ring": "pool.ring", "done": "created", "id": id of the new key, "active": the same}` |
//! | `--rotate` | `{"ring", "done": "rotated", "id": id of the new key, "active": the same}` |
//! | `--retire ID` | `{"ring", "done": "retired", "id": ID, "active": id or null}` |
//! | `--erase ID` | `{"ring", "done": "erased", "id": ID, "active": id or null}` |
//! | `--list` | `{"ring", "done": "listed", "active": id or null, "keys": [{"id", "created", "state", "retired", "erased"}]}`: the oldest first; dates after RFC 3339 or null |
//!
//! `"active": null` says that the ring makes no tokens until `--rotate`. Keys themselves are never printed. An existing file is never overwritten by a new one.

mod common;

use backmask::keys::{Key, KeyRing, Readiness};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Make a key file, or make and change a key ring (mode 0600)
#[derive(Debug, clap::Parser)]
#[command(name = "keygen", version)]
#[command(group(clap::ArgGroup::new("file").required(true).args(["output", "ring"])))]
#[command(group(clap::ArgGroup::new("change").conflicts_with("output").args(["rotate", "retire", "erase", "list"])))]
struct Options {
    /// The key file to write; it must not exist
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The key ring; without another option it is made and must not exist
    #[arg(long, value_name = "FILE")]
    ring: Option<PathBuf>,
    /// Make a new active key; the former one is retired
    #[arg(long)]
    rotate: bool,
    /// Make no new tokens with this key
    #[arg(long, value_name = "ID")]
    retire: Option<String>,
    /// Erase the secret of this key: its tokens can never be reversed or made again
    #[arg(long, value_name = "ID")]
    erase: Option<String>,
    /// Show ids, dates and states
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    common: common::Output,
}

fn main() -> ExitCode {
    common::run(
        |options: &Options| options.common,
        |options, _console| match (&options.output, &options.ring) {
            (Some(path), _) => key_file(path),
            (None, Some(path)) => key_ring(path, &options),
            (None, None) => Err(backmask::Error::policy("--output", "is missing", "say which file to make")),
        },
    )
}

fn key_file(path: &Path) -> backmask::Result<common::Summary> {
    let key = Key::create_file(path)?;
    let id = key.origin().id().unwrap_or_default();
    let path = path.display().to_string();
    Ok(common::Summary::new(
        format!("key {id} written to {path}\nwhoever has this file can recompute the tokens: keep it apart from every release"),
        json!({ "output": path, "id": id }),
    ))
}

fn key_ring(path: &Path, options: &Options) -> backmask::Result<common::Summary> {
    let shown = path.display().to_string();
    if let Some(id) = &options.retire {
        let readiness = KeyRing::from_file(path)?.retire(id)?;
        let text = format!("key {id} is retired: it makes no new tokens");
        return Ok(changed(&shown, "retired", id, &text, readiness));
    }
    if let Some(id) = &options.erase {
        let readiness = KeyRing::from_file(path)?.erase(id)?;
        let text = format!(
            "key {id} is erased: its tokens can never be reversed or made again\ncopies of the ring still have it: remove them too"
        );
        return Ok(changed(&shown, "erased", id, &text, readiness));
    }
    if options.rotate {
        let mut ring = KeyRing::from_file(path)?;
        let id = ring.rotate()?;
        return Ok(changed(&shown, "rotated", &id, &format!("key {id} is active; the former one is retired"), ring.readiness()));
    }
    if options.list {
        return Ok(listed(&shown, &KeyRing::from_file(path)?));
    }
    let ring = KeyRing::create(path)?;
    let id = active(ring.readiness()).unwrap_or_default();
    let text =
        format!("ring with key {id} written to {shown}\nwhoever has this file can recompute the tokens: keep it apart from every release");
    Ok(changed(&shown, "created", &id, &text, ring.readiness()))
}

fn active(readiness: Readiness) -> Option<String> {
    match readiness {
        Readiness::Ready { active } => Some(active),
        Readiness::NeedsRotation => None,
    }
}

fn changed(ring: &str, done: &str, id: &str, text: &str, readiness: Readiness) -> common::Summary {
    let active = active(readiness);
    let warning = if active.is_none() { "\nthe ring has no active key and makes no tokens until --rotate" } else { "" };
    common::Summary::new(format!("{text}{warning}"), json!({ "ring": ring, "done": done, "id": id, "active": active }))
}

fn listed(path: &str, ring: &KeyRing) -> common::Summary {
    let lines: Vec<String> = ring.entries().map(|entry| format!("{} {} {}", entry.id, entry.created, entry.state)).collect();
    let keys: Vec<Value> = ring
        .entries()
        .map(|entry| {
            json!({
                "id": entry.id,
                "created": entry.created,
                "state": entry.state.to_string(),
                "retired": entry.retired,
                "erased": entry.erased,
            })
        })
        .collect();
    common::Summary::new(lines.join("\n"), json!({ "ring": path, "done": "listed", "active": active(ring.readiness()), "keys": keys }))
}
