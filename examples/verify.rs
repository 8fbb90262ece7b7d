//! Recomputes every guarantee and hash of a release from its files, or counts the models of a policy in any table.

mod common;

use backmask::Result;
use backmask::keys;
use backmask::policy::Policy;
use backmask::release::report::{Guarantee, Verified};
use backmask::release::{Scheme, TableVerification, Verification, verify, verify_table, verify_with_keys};
use clap::Parser;
use common::{Output, Summary};
use std::path::PathBuf;
use std::process::ExitCode;

/// Check a release, or any table, from outside
///
/// Counts every guarantee again and compares every hash, from the files alone; of a table that is no release, counts every model of a policy. Exit
/// codes: 0 everything that could be checked is true (of a table: every model was checked and holds), 1 the files cannot be read, 2 bad usage, policy or
/// key, 3 something is not true (of a table: or could not be checked).
#[derive(Debug, Parser)]
#[command(name = "verify", version)]
struct Arguments {
    /// The folder release/ of a run
    #[arg(long, value_name = "DIR", required_unless_present = "table", conflicts_with = "table")]
    release: Option<PathBuf>,
    /// The files it was made from; together with the key file they must give the commitment in the report
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "release")]
    original: Vec<PathBuf>,
    /// The key file or key ring it was made with
    #[arg(long, value_name = "FILE", requires = "release")]
    key_file: Option<PathBuf>,
    /// Any table (Parquet, Arrow IPC, CSV, JSON), whoever made it; several files are one table
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "policy")]
    table: Vec<PathBuf>,
    /// The policy whose models the table is counted under
    #[arg(long, value_name = "FILE", requires = "table")]
    policy: Option<PathBuf>,
    /// The product of the policy, if it has several tables
    #[arg(long, value_name = "NAME", requires = "table")]
    product: Option<String>,
    /// The steward's transformation.json: with what sensitive values are compared, and how the population is generalized
    #[arg(long, value_name = "FILE", requires = "table")]
    reference: Option<PathBuf>,
    #[command(flatten)]
    console: Output,
}

fn main() -> ExitCode {
    common::run(
        |arguments: &Arguments| arguments.console,
        |arguments, _| {
            if let Some(policy) = &arguments.policy {
                let policy = Policy::from_path(policy)?;
                let reference = arguments.reference.as_ref().map(Scheme::from_path).transpose()?;
                return of_table(&verify_table(&policy, arguments.product.as_deref(), &arguments.table, reference.as_ref())?);
            }
            let release = arguments.release.unwrap_or_default();
            of_release(&match &arguments.key_file {
                Some(file) => verify_with_keys(&release, &arguments.original, &keys::open(file)?)?,
                None => verify(&release, &arguments.original, None)?,
            })
        },
    )
}

fn of_release(verification: &Verification) -> Result<Summary> {
    let lines: Vec<String> = verification
        .checks
        .iter()
        .map(|check| {
            let product = check.product.as_deref().map_or_else(String::new, |product| format!("{product}: "));
            format!("{}  {product}{} [{}]", verdict(check.holds), check.statement, check.found)
        })
        .collect();
    let json = common::to_json(verification)?;
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
}

fn of_table(found: &TableVerification) -> Result<Summary> {
    let mut lines: Vec<String> = found
        .guarantees
        .iter()
        .map(|guarantee| {
            let holds = (guarantee.holds || guarantee.verified != Verified::Unverifiable).then_some(guarantee.holds);
            format!("{}  {}: {}", verdict(holds), guarantee.model, figures(guarantee))
        })
        .collect();
    lines.extend(found.estimates.iter().map(|estimate| format!("estimate      {}: {:.4}", estimate.model, estimate.value)));
    if !found.unexpected_columns.is_empty() {
        lines.push(format!("NOT TRUE      has columns of the product only: {}", found.unexpected_columns.join(", ")));
    }
    lines.extend(found.notes.iter().map(|note| format!("note          {note}")));
    let json = common::to_json(found)?;
    let refusal = match found.holds {
        Some(true) => return Ok(Summary::new(lines.join("\n"), json)),
        Some(false) => "the table does not satisfy the policy; do not hand it over",
        None => "the table alone cannot show that it satisfies the policy",
    };
    Ok(Summary::new(format!("{}\nerror: {refusal}", lines.join("\n")), json).ends_with(3))
}

fn figures(guarantee: &Guarantee) -> String {
    let declared: Vec<String> = guarantee.parameters.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let achieved = guarantee.achieved.map_or_else(|| "nothing to count".to_owned(), |achieved| format!("found {achieved}"));
    format!("{} [{achieved}]", declared.join(", "))
}

fn verdict(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "true        ",
        Some(false) => "NOT TRUE    ",
        None => "unverifiable",
    }
}
