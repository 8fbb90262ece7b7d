//! Makes the ledger of a pool's privacy budget, and shows where one stands.
//!
//! ```text
//! cargo run --example ledger -- init --pool listeners-2026 --epsilon 3 --delta 1e-6 --output pool.ledger
//! cargo run --example ledger -- init --pool listeners-2026 --epsilon 3 --delta 1e-6 --gaussian-share 0.5 --output pool.ledger
//! cargo run --example ledger -- show pool.ledger
//! cargo run --example ledger -- show pool.ledger --expect-head 2:0123…
//! ```
//!
//! With `--json`:
//!
//! | call | answer |
//! |---|---|
//! | `init` | `{"output", "pool", "id", "budget": {"epsilon", "delta", "rule"}, "head"}` |
//! | `show` | `{"pool", "id", "created", "sealed", "budget", "spent": {"epsilon", "delta"}, "remaining": {"epsilon", "delta"}, "accountant_epsilon", "reservations": [{"number", "time", "product", "policy", "epsilon", "delta", "committed", "events"}], "head"}`; `mu` beside ε and δ where a Gaussian budget is set apart |
//!
//! Exit codes: 0 done · 1 the file cannot be read or written · 2 bad usage, a ledger that is damaged, changed, set back or of another pool, or a file that exists already.

mod common;

use backmask::dp::ledger::{Amounts, Budget, Head, Ledger, Rule, Statement};
use backmask::keys::Key;
use backmask::units::{Delta, Epsilon, Share};
use backmask::{Error, Result};
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Make or show the privacy budget of a pool (mode 0600)
#[derive(Debug, clap::Parser)]
#[command(name = "ledger", version)]
struct Options {
    #[command(subcommand)]
    call: Call,
}

#[derive(Debug, clap::Subcommand)]
enum Call {
    /// Make a ledger
    Init(Init),
    /// Show what was spent and what remains
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Init {
    /// Name of the pool
    #[arg(long, value_name = "ID")]
    pool: String,
    /// ε that everything ever released from the pool stays within
    #[arg(long, value_name = "E")]
    epsilon: f64,
    /// δ that everything ever released from the pool stays within
    #[arg(long, value_name = "D")]
    delta: f64,
    /// The ledger to write; it must not exist
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Set this part of ε apart for Gaussian mechanisms, whose μ² add up
    #[arg(long, value_name = "SHARE", conflicts_with = "planned")]
    gaussian_share: Option<f64>,
    /// Let the accountant compose all mechanisms: only where their noise is settled before the first release
    #[arg(long)]
    planned: bool,
    /// Seal the ledger with this key: nobody without it can change the ledger unnoticed
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    common: common::Output,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The ledger
    #[arg(value_name = "FILE")]
    ledger: PathBuf,
    /// The key that it is sealed with
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Name of the pool that it must belong to
    #[arg(long, value_name = "ID")]
    pool: Option<String>,
    /// A head that was noted earlier: fails if the ledger was set back since
    #[arg(long, value_name = "HEAD")]
    expect_head: Option<String>,
    #[command(flatten)]
    common: common::Output,
}

fn main() -> ExitCode {
    common::run(
        |options: &Options| match &options.call {
            Call::Init(init) => init.common,
            Call::Show(show) => show.common,
        },
        |options, _console| match &options.call {
            Call::Init(init) => make(init),
            Call::Show(options) => show(options),
        },
    )
}

/// A number of the command line, under the name that it has there.
fn option<T>(name: &str, value: Result<T>) -> Result<T> {
    value.map_err(|error| match error {
        Error::Parameter { problem, .. } => Error::policy(name, problem, "correct it"),
        other => other,
    })
}

fn make(options: &Init) -> Result<common::Summary> {
    let (epsilon, delta) = (option("--epsilon", Epsilon::new(options.epsilon))?, option("--delta", Delta::new(options.delta))?);
    let rule = match (options.gaussian_share, options.planned) {
        (Some(share), _) => Rule::Gaussian { share: option("--gaussian-share", Share::new(share))? },
        (None, true) => Rule::Planned,
        (None, false) => Rule::Sums,
    };
    let budget = option("--gaussian-share", Budget::new(epsilon, delta).with_rule(rule))?;
    let ledger = match &options.key_file {
        Some(key) => Ledger::create_sealed(&options.output, &options.pool, budget, &Key::from_file(key)?),
        None => Ledger::create(&options.output, &options.pool, budget),
    }?;
    let statement = ledger.statement()?;
    let output = options.output.display().to_string();
    let text = format!(
        "ledger of pool {} written to {output}: ε = {}, δ = {}\na copy of this file is a second budget, and an older state of it a forgotten debit: keep one, keep it safe, and note its head elsewhere",
        statement.pool, options.epsilon, options.delta
    );
    let json = json!({ "output": output, "pool": statement.pool, "id": statement.id, "budget": statement.budget, "head": statement.head });
    Ok(common::Summary::new(text, json))
}

fn open(path: &Path, key: Option<&Path>) -> Result<Ledger> {
    match key {
        Some(key) => Ledger::open_sealed(path, &Key::from_file(key)?),
        None => Ledger::open(path),
    }
}

fn show(options: &Show) -> Result<common::Summary> {
    let mut ledger = open(&options.ledger, options.key_file.as_deref())?;
    if let Some(pool) = &options.pool {
        ledger = ledger.expect_pool(pool)?;
    }
    if let Some(head) = &options.expect_head {
        ledger = ledger.expect_head(option("--expect-head", head.parse::<Head>())?)?;
    }
    let statement = ledger.statement()?;
    let json = serde_json::to_value(&statement).map_err(|error| Error::io(&options.ledger, error.into()))?;
    Ok(common::Summary::new(told(&statement), json))
}

/// The statement for people.
fn told(statement: &Statement) -> String {
    let amounts = |amounts: Amounts| {
        let mu = amounts.mu.map(|mu| format!(", Gaussian μ = {mu:.4}")).unwrap_or_default();
        format!("ε = {}, δ = {}{mu}", amounts.epsilon, amounts.delta)
    };
    let budget = statement.budget;
    let mut text = format!(
        "pool {}, ledger {} of {}\nbudget: ε = {}, δ = {}\nspent: {}\nremaining: {}\n",
        statement.pool,
        statement.id,
        statement.created,
        budget.epsilon().get(),
        budget.delta().get(),
        amounts(statement.spent),
        amounts(statement.remaining),
    );
    for line in &statement.reservations {
        let state = if line.committed { "" } else { ", never finished: spent all the same" };
        // Writing to a text cannot fail.
        let _written = writeln!(
            text,
            "{:>6} {} {} of {}: ε = {}, δ = {}{state}",
            line.number, line.time, line.product, line.policy, line.epsilon, line.delta
        );
    }
    text + &format!("head: {}", statement.head)
}
