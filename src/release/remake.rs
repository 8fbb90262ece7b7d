//! Making a release again from its originals, to count what the files alone cannot tell.

use super::anonymizer::Anonymizer;
use super::report::{Guarantee, ProductReport, Report, Verified};
use super::verify::Check;
use super::verify_histories::COUNTS;
use crate::error::{Error, Result};
use crate::io::SinkFormat;
use crate::keys::Key;
use crate::policy::{Policy, Product, Table};
use std::path::PathBuf;

/// Checks with the pool what could not be checked without it: the products are made again with the same key, and if a file comes out byte for byte the
/// same, what was counted in people while it was made speaks of the released file too.
pub(super) fn check_with_pool(policy: &Policy, report: &Report, originals: &[PathBuf], key: &Key, checks: &mut Vec<Check>) {
    let again = match remake(policy, report, originals, key) {
        Ok(again) => again.for_recipient(),
        Err(reason) => {
            let found = format!("cannot be made again from the originals: {reason}");
            checks.push(note(None, "the products can be made again", None, found));
            return;
        }
    };
    for stated in &report.products {
        let made = again.products.iter().find(|made| made.name == stated.name);
        let same = made.is_some_and(|made| made.sha256.is_some() && made.sha256 == stated.sha256);
        let irreversible =
            report.pseudonyms.iter().any(|pseudonym| pseudonym.irreversible && pseudonym.product.as_ref() == Some(&stated.name));
        let named = policy.products.iter().any(|product| product.name() == stated.name && product.of_histories().is_some());
        let irreversible = irreversible || named && policy.subject.as_ref().is_some_and(|subject| subject.pseudonym.irreversible);
        let found = match (same, irreversible) {
            (true, _) => "the same bytes",
            (false, true) if named => "its irreversible ids cannot be made again, so its bytes cannot",
            (false, true) => "its irreversible tokens cannot be made again, so its bytes cannot",
            (false, false) => "other bytes: from other originals, with another key or by another version",
        };
        // Another version may write the same rows in other bytes.
        let verdict = if same || (report.version == env!("CARGO_PKG_VERSION") && !irreversible) { Some(same) } else { None };
        checks.push(note(Some(&stated.name), "the file can be made again", verdict, found.to_owned()));
        if let Some(made) = made.filter(|_| same) {
            for check in checks.iter_mut().filter(|check| check.product.as_ref() == Some(&stated.name) && check.holds.is_none()) {
                upgrade(check, stated, made);
            }
            let figures = made.attacks == stated.attacks && made.unicity == stated.unicity && made.class_sizes == stated.class_sizes;
            let found = if figures { "the same when measured again" } else { "others when measured again" };
            checks.push(note(Some(&stated.name), "attacks and class sizes are as stated", Some(figures), found.to_owned()));
        }
    }
}

fn note(product: Option<&str>, statement: &str, holds: Option<bool>, found: String) -> Check {
    let verified = if holds.is_some() { Verified::ReleaseAndPool } else { Verified::Unverifiable };
    Check { product: product.map(str::to_owned), statement: statement.to_owned(), verified, holds, found }
}

/// Answers a check from what was counted while the same file was made again.
fn upgrade(check: &mut Check, stated: &ProductReport, made: &ProductReport) {
    if check.statement.starts_with("holds ") {
        check.holds = Some(made.subjects == stated.subjects);
        check.found = format!("{} people when made again", made.subjects.unwrap_or_default());
    } else if check.statement == COUNTS {
        check.holds = Some(made.guarantees.iter().all(|guarantee| guarantee.holds));
        "the numbers are those of the people when the same file was made again".clone_into(&mut check.found);
    } else if let Some(guarantee) =
        stated.guarantees.iter().find(|guarantee| check.statement.starts_with(&format!("{} (", guarantee.model)))
    {
        let same = |other: &&Guarantee| other.model == guarantee.model && other.parameters == guarantee.parameters;
        let Some(counted) = made.guarantees.iter().find(same) else { return };
        check.holds = Some(counted == guarantee && counted.holds);
        "counted in people when the same file was made again".clone_into(&mut check.found);
    } else {
        return;
    }
    check.verified = Verified::ReleaseAndPool;
}

fn remake(policy: &Policy, report: &Report, originals: &[PathBuf], key: &Key) -> Result<Report> {
    let file = report.products.iter().find_map(|product| product.file.as_deref()).unwrap_or_default();
    let format = match file.rsplit('.').next() {
        Some("arrow") => SinkFormat::IpcFile,
        Some("csv") => SinkFormat::Csv,
        Some("parquet") => SinkFormat::Parquet,
        _ => return Err(Error::policy("products", "are in a format that a run does not write", "check them without the originals")),
    };
    let (events, profiles) = tables(policy, originals)?;
    Anonymizer::new(policy.clone()).input(events).profiles(profiles).key(key.duplicate()).format(format).assess()
}

/// Which of the originals are which table: those whose columns the policy declares for it.
pub(super) fn tables(policy: &Policy, originals: &[PathBuf]) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let of_records = |table| policy.products.iter().any(|product| matches!(product, Product::Records(product) if product.source == table));
    let of_histories = |table| {
        let products = || policy.products.iter().filter_map(Product::of_histories);
        products().any(|product| table == Table::Events || !product.attributes.is_empty())
    };
    let wants = |table| of_records(table) || of_histories(table);
    let input = policy.input.clone().unwrap_or_default();
    let fits = |path: &PathBuf, table| -> bool {
        let Ok(sources) = crate::listening::open(std::slice::from_ref(path), table, &input) else { return false };
        sources.first().is_some_and(|source| {
            let schema = source.schema();
            let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            policy.bind(table, &names).is_ok()
        })
    };
    let (mut events, mut profiles) = (Vec::new(), Vec::new());
    for path in originals {
        let (as_events, as_profiles) =
            (wants(Table::Events) && fits(path, Table::Events), wants(Table::Profiles) && fits(path, Table::Profiles));
        if !as_events && !as_profiles {
            return Err(Error::policy(
                "--original",
                "one of the originals does not have the columns of the released policy (which says nothing of [input])",
                "give the files as the library's canonical tables",
            ));
        }
        // Attributes may come from the events: a table that can be both is read once.
        if as_profiles && (!as_events || of_records(Table::Profiles)) {
            profiles.push(path.clone());
        }
        if as_events {
            events.push(path.clone());
        }
    }
    Ok((events, profiles))
}
