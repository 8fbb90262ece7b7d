//! What goes into the two folders beside the products.

use super::report::{Audience, Report, html};
use crate::error::{Error, Result};
use crate::io::Staging;
use crate::policy::Policy;
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

/// Name of the steward's log of refused runs, in the output folder.
const REFUSALS: &str = "refusals.jsonl";

/// What is said of how a product was made.
#[derive(Debug)]
pub(super) struct Transformation {
    /// Name of the product.
    pub(super) product: String,
    /// What was fitted, for the steward.
    pub(super) fitted: Value,
    /// What of it the release shows, for the recipient.
    pub(super) shown: Value,
}

/// Writes reports, policy and transformations into the staging folders.
pub(super) fn write(policy: &Policy, report: &Report, made: &[Transformation], staging: &Staging) -> Result<()> {
    let recipient = report.for_recipient();
    write_report(&recipient, Audience::Recipient, &staging.release())?;
    write_report(report, Audience::Steward, &staging.steward())?;
    write_file(&staging.release().join("policy.toml"), policy.normalized()?.as_bytes())?;
    write_json(&staging.release().join("transformation.json"), &transformations(made, |made| &made.shown))?;
    write_json(&staging.steward().join("transformation.json"), &transformations(made, |made| &made.fitted))
}

fn transformations(made: &[Transformation], part: impl Fn(&Transformation) -> &Value) -> Value {
    let products: serde_json::Map<String, Value> = made.iter().map(|made| (made.product.clone(), part(made).clone())).collect();
    json!({ "schema": 1, "products": products })
}

fn write_report(report: &Report, audience: Audience, folder: &Path) -> Result<()> {
    write_json(&folder.join("report.json"), report)?;
    write_file(&folder.join("report.html"), html(report, audience).as_bytes())
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|_| Error::Arrow { context: path.display().to_string(), kind: "cannot be written as JSON".to_owned() })?;
    text.push(b'\n');
    write_file(path, &text)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create_new(path).map_err(|e| Error::io(path, e))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|e| Error::io(path, e))
}

/// Appends a refusal to the steward's log, counts it in the report, and keeps the steward's report of it.
pub(super) fn record_refusal(output: &Path, report: &mut Report) -> Result<()> {
    log_refusal(output, &report.created, &report.name, &report.gate.reasons)?;
    report.refusals = count_refusals(output)?;
    let folder = output.join("refused");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
    }
    private_folder(&folder)?;
    write_report(report, Audience::Steward, &folder)
}

/// Appends a line to the steward's log of refused runs.
pub(super) fn log_refusal(output: &Path, created: &str, name: &str, reasons: &[String]) -> Result<()> {
    fs::create_dir_all(output).map_err(|e| Error::io(output, e))?;
    let path = output.join(REFUSALS);
    let mut file = private(OpenOptions::new().create(true).append(true)).open(&path).map_err(|e| Error::io(&path, e))?;
    let mut line = json!({ "created": created, "name": name, "reasons": reasons }).to_string();
    line.push('\n');
    file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| Error::io(&path, e))
}

/// What stays with the steward is for the steward's account only, where the system has accounts.
#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

fn private_folder(folder: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|e| Error::io(folder, e))
}

/// Refusals of earlier runs into the same output folder.
pub(super) fn count_refusals(output: &Path) -> Result<Option<u64>> {
    let path = output.join(REFUSALS);
    match File::open(&path) {
        Ok(file) => Ok(Some(BufReader::new(file).lines().count() as u64)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(&path, error)),
    }
}
