//! Finds the smallest noise with which a mechanism is (ε, δ)-differentially private.
//!
//! ```text
//! cargo run --release --example calibrate -- --mechanism gaussian --sensitivity 1 --epsilon 1 --delta 1e-6
//! cargo run --release --example calibrate -- --mechanism truncated-geometric --sensitivity 1 --epsilon 1 --delta 1e-6 --max-items 10 --json
//! ```
//!
//! Mechanisms: gaussian (analytic), laplace, discrete-laplace, discrete-gaussian, rounded-gaussian; with `--max-items`, the most keys of one person:
//! laplace-threshold, gaussian-threshold (half of δ for the noise, half for the threshold), truncated-geometric.
//!
//! With `--json`: `{"mechanism", "parameter", "threshold", "threshold_discrete", "keep_probability": {"1": p, "2": p, …}}`. `parameter` is b or σ, for counts of people
//! where keys are selected; `threshold` is that of the continuous law, `threshold_discrete` that of whole numbers (discrete Laplace, rounded Gaussian); `keep_probability` is that of a key with
//! that many people, up to 1,000 or until it is 1. What does not apply is null.

mod common;

use backmask::dp::accounting::calibrate::{Calibration, Goal, Mechanism, calibrate};
use backmask::units::{Delta, Epsilon};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

/// Find the smallest noise for a target
#[derive(Debug, clap::Parser)]
#[command(name = "calibrate", version)]
struct Options {
    /// What is calibrated
    #[arg(long, value_name = "M", value_parser = mechanism)]
    mechanism: Mechanism,
    /// The most that one person changes a value by
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    sensitivity: f64,
    /// Epsilon
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    epsilon: f64,
    /// Delta
    #[arg(long, value_name = "D", default_value_t = 0.0, allow_negative_numbers = true)]
    delta: f64,
    /// The most keys of one person, for mechanisms that select keys
    #[arg(long, value_name = "L0")]
    max_items: Option<u64>,
    #[command(flatten)]
    common: common::Output,
}

fn mechanism(name: &str) -> Result<Mechanism, String> {
    Mechanism::ALL.into_iter().find(|mechanism| mechanism.name() == name).ok_or_else(|| {
        let names: Vec<_> = Mechanism::ALL.iter().map(|mechanism| mechanism.name()).collect();
        format!("must be one of {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    common::run(|options: &Options| options.common, |options, _console| run(&options))
}

fn run(options: &Options) -> backmask::Result<common::Summary> {
    if options.mechanism.selects() != options.max_items.is_some() {
        let problem = if options.mechanism.selects() { "is missing" } else { "does not apply to this mechanism" };
        return Err(backmask::Error::policy("--max-items", problem, "give it for mechanisms that select keys and for no others"));
    }
    let goal = Goal {
        sensitivity: options.sensitivity,
        epsilon: Epsilon::new(options.epsilon)?,
        delta: Delta::new(options.delta)?,
        max_items: options.max_items.unwrap_or(1),
    };
    let found = calibrate(options.mechanism, &goal)?;
    Ok(common::Summary::new(text(options.mechanism, &found), answer(options.mechanism, &found)))
}

fn text(mechanism: Mechanism, found: &Calibration) -> String {
    let mut lines = vec![mechanism.name().to_owned()];
    if let Some(parameter) = found.parameter {
        lines.push(format!("parameter {parameter}"));
    }
    if let Some(threshold) = found.threshold {
        lines.push(format!("threshold {threshold}"));
    }
    if let Some(threshold) = found.threshold_discrete {
        lines.push(format!("threshold of whole numbers {threshold}"));
    }
    if let Some(half) = found.keep_probability.iter().position(|&keep| keep >= 0.5) {
        lines.push(format!("a key with {} people is kept with probability {}", half + 1, found.keep_probability[half]));
    }
    lines.join("\n")
}

fn answer(mechanism: Mechanism, found: &Calibration) -> Value {
    let keep: Map<String, Value> = found.keep_probability.iter().zip(1_u64..).map(|(keep, n)| (n.to_string(), json!(keep))).collect();
    json!({
        "mechanism": mechanism.name(),
        "parameter": found.parameter,
        "threshold": found.threshold,
        "threshold_discrete": found.threshold_discrete,
        "keep_probability": if keep.is_empty() { Value::Null } else { Value::Object(keep) },
    })
}
