//! Measuring the risk of a table as it is.

use super::anonymizer::now;
use super::attacks::{entry, entry_of_rows, known_items, known_rows, known_values};
use super::budget::Budget;
use super::gate;
use super::guarantees::{Evidence, Recount, Rows, estimate_of};
use super::histories::{self, HistoryWorkshop};
use super::pool::{self, PoolOptions, PoolTable};
use super::records::{Shape, is_token_of_identifier, item_levels};
use super::report::{Attack, ClassSizes, ProductReport, Report, UnicityPoint, Verified};
use super::rows::ReleasedRows;
use crate::anonymity::verify::People;
use crate::error::{Error, Result};
use crate::keys::Key;
use crate::policy::{AttackName, Distance, Model, Policy, Product, ProductKind, RecordsProduct, Role};
use std::path::PathBuf;

/// Measures what an attacker achieves against the inputs as they are, under the roles that the policy gives to their columns. Nothing is changed and nothing is written.
///
/// Every `records` product of the policy is assessed as if its columns were handed over untreated: the models are tested with level 0 of every hierarchy (those about a
/// population and t-closeness by a hierarchy are not), and the attacks of the gate are run. If the inputs are a release themselves, this is what that release risks.
///
/// # Errors
/// The policy does not fit the inputs, or an input is damaged.
///
/// # Examples
/// ```no_run
/// use backmask::{policy::Policy, release::assess};
///
/// let report = assess(&Policy::from_path("listening.toml")?, &["exports/".into()], &[], 1 << 30)?;
/// println!("{:?}", report.gate.reasons);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn assess(policy: &Policy, inputs: &[PathBuf], profiles: &[PathBuf], memory: usize) -> Result<Report> {
    policy.validate()?;
    let folder = tempfile::tempdir().map_err(|e| Error::io(std::env::temp_dir(), e))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = PoolOptions {
        memory: Budget::new(memory).table(),
        folder: folder.path().to_owned(),
        threads,
        batch_rows: 8192,
        code_everything: true,
    };
    let key = Key::forgotten()?;
    let pool = pool::read(policy, inputs, profiles, &key, &options)?;
    let mut report = Report::new(&policy.name, now(), policy.gate.max_risk);
    report.purpose.clone_from(&policy.purpose);
    report.recipient.clone_from(&policy.recipient);
    report.inputs = Some(pool.inputs.clone());
    report.excluded = Some(pool.excluded.clone());
    let seed = pool.attack_seed(policy)?;
    for product in &policy.products {
        if let Some(common) = product.of_histories() {
            let workshop = HistoryWorkshop { policy, product: common, pool: &pool, key: &key, irreversible: &key, seed, memory, threads };
            report.products.push(histories::assess(&workshop, product)?);
            continue;
        }
        let Product::Records(product) = product else { continue };
        let table = pool.table(product.source)?;
        report.products.push(assess_product(policy, product, table, &seed, memory)?);
    }
    let decision = gate::decide(&policy.gate, &report.products);
    report.gate = decision.verdict;
    report.accepted_risks = decision.accepted;
    Ok(report.with_statements())
}

fn assess_product(policy: &Policy, product: &RecordsProduct, pool: &PoolTable, seed: &[u8; 32], memory: usize) -> Result<ProductReport> {
    let schema = pool.table.schema();
    let available: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let released = policy.released_columns(product, &available);
    let subject = pool.subject.map(|index| schema.field(index).name().clone());
    let keeps_token = policy.keeps_subject(product) && subject.is_some();
    let declared: Vec<_> = released.iter().filter_map(|name| pool.columns.get_key_value(name)).collect();
    let levels = item_levels(product, &declared, &pool.table)?;
    let shape = Shape {
        token: subject.clone().filter(|_| keeps_token),
        split: false,
        joined: false,
        linked: subject.is_some() && (keeps_token || declared.iter().any(|(_, column)| is_token_of_identifier(column))),
        items: levels.iter().map(|level| level.iter().map(|&column| schema.field(column).name().clone()).collect()).collect(),
        quasi_identifiers: declared
            .iter()
            .filter(|(_, column)| column.role == Role::QuasiIdentifier)
            .map(|(name, _)| (*name).clone())
            .collect(),
        columns: released.iter().filter(|name| Some(*name) != subject.as_ref()).cloned().collect(),
    };
    let marks = pool.marks()?;
    let rows = ReleasedRows { table: &pool.table, marks: &marks, subject: pool.subject };
    let mut report = ProductReport::new(&product.name, ProductKind::Records);
    report.rows = pool.table.rows() as u64;
    report.subjects = Some(pool.people()?);
    report.accepted_risk.clone_from(&product.accept_risk);
    if !shape.quasi_identifiers.is_empty() {
        let (estimates, models): (Vec<Model>, Vec<Model>) = product.models.iter().cloned().partition(Model::is_estimate);
        let (measured, left): (Vec<Model>, Vec<Model>) = models.into_iter().partition(needs_only_the_table);
        for model in left {
            report.steward_notes.push(format!("{}: not measured here; it needs more than the table", model.name()));
        }
        let recount = Recount {
            product: &RecordsProduct { models: measured, ..product.clone() },
            shape: &shape,
            evidence: &Evidence::default(),
            people: people(&shape, subject.as_deref()),
            verified: Verified::Release,
            confidence: policy.gate.confidence,
            limit: policy.gate.max_risk,
            threads: 1,
        };
        let classes = recount.run(&Rows::Owned(&pool.table), &mut report)?;
        for model in estimates {
            match estimate_of(&model, &classes, None, policy.gate.confidence) {
                Ok((found, enough)) => {
                    report.estimates.push(found);
                    if !enough {
                        report.steward_notes.push(format!("{}: the estimate is beyond what the policy allows", model.name()));
                    }
                }
                // As the search has it: no estimate, no release.
                Err(error) => report.steward_notes.push(format!("{}: no estimate ({error})", model.name())),
            }
        }
        report.class_sizes = Some(ClassSizes { before: None, after: classes.class_size_histogram });
    }
    let attacks = policy.gate.attacks.clone().unwrap_or_else(|| vec![AttackName::KnownItems, AttackName::KnownValues]);
    let mut results = Vec::new();
    if attacks.contains(&AttackName::KnownItems) {
        if shape.items.is_empty() || pool.subject.is_none() {
            results.push(Attack::not_run(AttackName::KnownItems, "no column of items, or none that names the person"));
        } else {
            let found = known_items(&rows, None, &shape, &policy.gate, seed, memory)?;
            report.unicity = found
                .iter()
                .map(|r| UnicityPoint { known: r.known, before: None, after: Some(r.rate), after_upper: Some(r.upper) })
                .collect();
            results.extend(found.into_iter().map(|result| entry(result, "uniform")));
        }
    }
    if attacks.contains(&AttackName::KnownValues) && !shape.columns.is_empty() {
        results.push(entry(known_values(&rows, &shape.columns, &policy.gate, seed, memory)?, "one row of the person"));
        if shape.linked {
            let found = known_rows(&rows, None, &shape.columns, &policy.gate, seed, memory)?;
            results.extend(found.into_iter().map(|result| entry_of_rows(result, false)));
        }
    }
    report.attacks = Some(results);
    Ok(report)
}

/// Whether a model is a statement about the table alone: not about a population, and not by a hierarchy that is fitted only when levels are chosen.
fn needs_only_the_table(model: &Model) -> bool {
    !matches!(model, Model::KMap { .. } | Model::DeltaPresence { .. } | Model::TCloseness { distance: Distance::Hierarchical, .. })
}

/// How the rows of the table belong to people.
fn people(shape: &Shape, subject: Option<&str>) -> People {
    match (&shape.token, subject) {
        (Some(token), _) => People::Token(token.clone()),
        (None, Some(subject)) if shape.linked => People::Token(subject.to_owned()),
        (None, Some(subject)) => People::Owner(subject.to_owned()),
        (None, None) => People::OneRowEach,
    }
}
