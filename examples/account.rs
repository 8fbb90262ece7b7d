//! Accounts for a list of events: what they cost together.
//!
//! ```text
//! cargo run --release --example account -- --events EVENTS.json --delta 1e-6 --json
//! cargo run --release --example account -- --events EVENTS.json --epsilon 1
//! ```
//!
//! `EVENTS.json` is a list of [`PrivacyEvent`]s, for example `[{"mechanism": "gaussian", "noise_multiplier": 1.0, "sampling_rate": 0.01, "count": 10000}]`.
//! Neighbouring pools differ by the addition or removal of one person. Without `--delta` and `--epsilon`, δ = 1e-6.
//!
//! With `--json`: `{"epsilon": {"upper", "lower"}, "delta": {"upper", "lower"}, "rdp": {"epsilon", "order", "delta"}, "zcdp": {"rho", "epsilon", "delta"}, "gdp": {"mu"}, "seconds"}`.
//! What was asked for stands in `epsilon` (with `--delta`) or `delta` (with `--epsilon`), and what was given is repeated in the other as both bounds. `null` says that there
//! is no finite number, or that it does not apply. `seconds` is the time of the bounds and of nothing else.

mod common;

use backmask::dp::accounting::{Account, Bounds, account, zcdp};
use backmask::dp::event::PrivacyEvent;
use backmask::units::Delta;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Account for a list of events
#[derive(Debug, clap::Parser)]
#[command(name = "account", version)]
struct Options {
    /// A list of events as JSON
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// Find epsilon at this delta, from 0 to less than 1
    #[arg(long, value_name = "D", conflicts_with = "epsilon", allow_negative_numbers = true)]
    delta: Option<f64>,
    /// Find delta at this epsilon, at least 0
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    epsilon: Option<f64>,
    #[command(flatten)]
    common: common::Output,
}

fn main() -> ExitCode {
    common::run(|options: &Options| options.common, |options, _console| run(&options))
}

fn run(options: &Options) -> backmask::Result<common::Summary> {
    let account = account(&read(&options.events)?)?;
    match options.epsilon {
        Some(epsilon) => at_epsilon(&account, epsilon),
        None => at_delta(&account, Delta::new(options.delta.unwrap_or(1e-6))?),
    }
}

fn read(path: &Path) -> backmask::Result<Vec<PrivacyEvent>> {
    let text = std::fs::read_to_string(path).map_err(|error| backmask::Error::io(path, error))?;
    serde_json::from_str(&text).map_err(|error| {
        backmask::Error::policy("--events", format!("not a list of events: {error}"), "see the documentation of PrivacyEvent for the names")
    })
}

fn at_delta(account: &Account, delta: Delta) -> backmask::Result<common::Summary> {
    let start = Instant::now();
    let epsilon = account.epsilon(delta);
    let seconds = start.elapsed().as_secs_f64();
    let renyi = account.rdp_epsilon(delta);
    let rho = account.zcdp_rho();
    let concentrated = rho.map(|rho| if rho > 0.0 { zcdp::epsilon(rho, delta) } else { Ok(0.0) }).transpose()?;
    let text = format!("epsilon {} at delta {:e}", between(epsilon), delta.get());
    let answer = json!({
        "epsilon": bounds(epsilon),
        "delta": bounds(Bounds { upper: delta.get(), lower: delta.get() }),
        "rdp": { "epsilon": renyi.map(|found| number(found.0)), "order": renyi.map(|found| number(found.1)), "delta": delta.get() },
        "zcdp": { "rho": rho.map(number), "epsilon": concentrated.map(number), "delta": delta.get() },
        "gdp": { "mu": account.gdp_mu().map(number) },
        "seconds": seconds,
    });
    Ok(common::Summary::new(summary(account, text), answer))
}

fn at_epsilon(account: &Account, epsilon: f64) -> backmask::Result<common::Summary> {
    let start = Instant::now();
    let delta = account.delta(epsilon)?;
    let seconds = start.elapsed().as_secs_f64();
    let rho = account.zcdp_rho();
    let concentrated = rho.map(|rho| if rho > 0.0 { zcdp::delta(rho, epsilon) } else { Ok(0.0) }).transpose()?;
    let text = format!("delta {} at epsilon {epsilon}", between(delta));
    let answer = json!({
        "epsilon": bounds(Bounds { upper: epsilon, lower: epsilon }),
        "delta": bounds(delta),
        "rdp": { "epsilon": epsilon, "delta": account.rdp_delta(epsilon).map(number) },
        "zcdp": { "rho": rho.map(number), "epsilon": epsilon, "delta": concentrated.map(number) },
        "gdp": { "mu": account.gdp_mu().map(number) },
        "seconds": seconds,
    });
    Ok(common::Summary::new(summary(account, text), answer))
}

fn summary(account: &Account, first: String) -> String {
    let rho = account.zcdp_rho().map(|rho| format!("rho {rho} (zCDP)"));
    let mu = account.gdp_mu().map(|mu| format!("mu {mu} (GDP)"));
    std::iter::once(first).chain(rho).chain(mu).collect::<Vec<_>>().join("\n")
}

fn between(found: Bounds) -> String {
    format!("at most {} (and at least {})", found.upper, found.lower)
}

fn bounds(found: Bounds) -> Value {
    json!({ "upper": number(found.upper), "lower": number(found.lower) })
}

/// A number, or null for infinity.
fn number(value: f64) -> Value {
    json!(value.is_finite().then_some(value))
}
