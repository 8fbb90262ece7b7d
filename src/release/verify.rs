//! Checking a release from outside, from its files alone.

use super::measure::{k_anonymity, recount};
use super::pool::{commitment, file_of};
use super::remake::check_with_pool;
use super::report::{Audience, Guarantee, ProductReport, Pseudonym, Report, Unit, Verified, html};
use super::verify_histories::{check_fresh_ids, check_histories};
use super::verify_table::check_model;
use super::verify_tokens::{check_tokens, check_tokens_with_pool};
use crate::anonymity::verify::People;
use crate::error::{Error, Result};
use crate::io::{ReadOptions, contents, read, sha256_file};
use crate::keys::{Key, KeyFile, KeyState};
use crate::listening::open;
use crate::pipeline::value_type;
use crate::policy::{Model, Policy, Product, RecordsProduct, Role, Table};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use hashbrown::{HashMap, HashSet};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// What was checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The product; none for what concerns the whole release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// What the release states.
    pub statement: String,
    /// From what it was checked.
    pub verified: Verified,
    /// Whether it is true; absent where it could not be checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
    /// What was found.
    pub found: String,
}

/// The result of [`verify()`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Whether everything that could be checked is true.
    pub holds: bool,
    /// The checks, in the order of the report.
    pub checks: Vec<Check>,
}

/// Recomputes every guarantee and hash of a release from its files, and says of each how it could be checked.
///
/// From the release alone: hashes, rows, tokens, columns, levels, and every guarantee that the files can tell (unit `release`), recounted by code that shares nothing with the
/// code that made them. People in a product without tokens, and what attacks achieved, cannot be told from the files: such statements are returned with
/// `holds: None`, unverifiable. Attack figures enter the check of the gate as they are stated.
///
/// With the original files and the key file, the commitment to the inputs is checked, and the products are made again: if a file comes out with the same bytes, its
/// people, attacks and class sizes are compared as well (unit `release+pool`), and every token is looked for among those of the originals' values (not for numbers, sessions and
/// irreversible tokens). That needs originals which fit the released policy without its `[input]`, and no hierarchy files.
///
/// # Errors
/// The folder holds no release, or a file of it cannot be read. A statement that is not true is no error: see [`Verification::holds`].
///
/// # Examples
/// ```no_run
/// let verification = backmask::release::verify("out/release".as_ref(), &[], None)?;
/// assert!(verification.holds);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn verify(release: &Path, originals: &[PathBuf], key: Option<&Key>) -> Result<Verification> {
    let (report, text) = read_report(release)?;
    let (policy, policy_text) = read_policy(release)?;
    let mut checks = vec![check_commitment(&policy, &report, originals, key)?];
    checks.push(check_report(release, &text, &report)?);
    checks.push(check_policy(&policy, &policy_text, &report)?);
    let shown = transformations(release)?;
    checks.push(check("", "transformation.json speaks of the products", Some(speaks_of(&shown, &report)), "names of products".to_owned()));
    for product in &report.products {
        let shown = shown.get("products").and_then(|products| products.get(&product.name));
        match policy.products.iter().find(|declared| declared.name() == product.name) {
            Some(Product::Records(declared)) => {
                if let Some(path) = check_file(release, product, &mut checks)? {
                    check_product(&path, &policy, declared, (product, &report.pseudonyms), shown, &mut checks)?;
                }
            }
            Some(declared) if declared.of_histories().is_some() => {
                if let Some(path) = check_file(release, product, &mut checks)? {
                    check_histories(&path, &policy, declared, product, shown, &mut checks)?;
                }
            }
            _ => checks.push(check(&product.name, "is declared in policy.toml", Some(false), "it is not".to_owned())),
        }
    }
    if let (Some(key), false) = (key, originals.is_empty()) {
        check_with_pool(&policy, &report, originals, key, &mut checks);
        check_tokens_with_pool(release, &policy, &report, originals, key, &mut checks)?;
    }
    checks.extend(check_fresh_ids(release, &policy, &report)?);
    checks.push(check_files(release, &report)?);
    checks.push(check_gate(&policy, &report));
    Ok(Verification { holds: checks.iter().all(|check| check.holds != Some(false)), checks })
}

/// As [`verify()`], with a key file or key ring: of a ring the key is taken whose commitment to the originals is that of the release.
///
/// # Errors
/// As for [`verify()`]; [`Error::Key`] if no key of the ring gives the commitment and some were erased, or the ring has no active key to try.
pub fn verify_with_keys(release: &Path, originals: &[PathBuf], file: &KeyFile) -> Result<Verification> {
    let Some(ring) = file.ring() else { return verify(release, originals, Some(&file.active()?)) };
    if originals.is_empty() {
        return verify(release, originals, None);
    }
    let (report, _) = read_report(release)?;
    let (policy, _) = read_policy(release)?;
    for key in file.keys() {
        if check_commitment(&policy, &report, originals, Some(key))?.holds == Some(true) {
            return verify(release, originals, Some(key));
        }
    }
    if ring.entries().any(|entry| entry.state == KeyState::Erased) {
        return Err(Error::Key {
            problem: "no key that the ring still has gives the commitment of the release, and some were erased".to_owned(),
            remedy: "give the ring or key file that the release was made with, and the originals it was made from".to_owned(),
        });
    }
    verify(release, originals, Some(&file.active()?))
}

fn read_report(release: &Path) -> Result<(Report, Vec<u8>)> {
    let path = release.join("report.json");
    let text = fs::read(&path).map_err(|e| Error::io(&path, e))?;
    let report = serde_json::from_slice(&text).map_err(|e| {
        Error::data(path.display().to_string(), Some(e.line() as u64), "is not a report of a release", "give the folder release/ of a run")
    })?;
    Ok((report, text))
}

fn read_policy(release: &Path) -> Result<(Policy, String)> {
    let path = release.join("policy.toml");
    let text = fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
    Ok((Policy::from_toml(&text)?, text))
}

pub(super) fn check(product: &str, statement: &str, holds: Option<bool>, found: String) -> Check {
    let verified = if holds.is_some() { Verified::Release } else { Verified::Unverifiable };
    Check { product: (!product.is_empty()).then(|| product.to_owned()), statement: statement.to_owned(), verified, holds, found }
}

fn check_commitment(policy: &Policy, report: &Report, originals: &[PathBuf], key: Option<&Key>) -> Result<Check> {
    let statement = "was made from inputs with this commitment";
    let (Some(key), false) = (key, originals.is_empty()) else {
        return Ok(check("", statement, None, "needs the original files and the key file".to_owned()));
    };
    let mut same = false;
    for files in input_candidates(policy, originals)? {
        let digests = files.iter().map(|file| sha256_file(file)).collect::<Result<Vec<_>>>()?;
        same = commitment(&digests, key) == report.input_commitment;
        if same {
            break;
        }
    }
    let text = if same {
        "the originals and the key give the same commitment"
    } else {
        "the originals and the key give another commitment: these are other files, or this is another key"
    };
    Ok(Check { verified: Verified::ReleaseAndPool, ..check("", statement, Some(same), text.to_owned()) })
}

/// Which files of the given folders and archives the run may have read: all of them, those with events, or those with events and those with profiles. A
/// commitment that one of these gives binds the release to these files.
fn input_candidates(policy: &Policy, originals: &[PathBuf]) -> Result<Vec<Vec<PathBuf>>> {
    let mut all = Vec::new();
    for path in originals {
        all.extend(contents(path)?.iter().map(|content| PathBuf::from(file_of(content.name()))));
    }
    let mut candidates = vec![distinct(all)];
    let input = policy.input.clone().unwrap_or_default();
    // What does not read as the one or the other was not read as it.
    let recognized = |table| {
        let sources = open(originals, table, &input).unwrap_or_default();
        distinct(sources.iter().map(|source| PathBuf::from(file_of(source.name()))).collect())
    };
    let (events, profiles) = (recognized(Table::Events), recognized(Table::Profiles));
    candidates.push([events.clone(), profiles].concat());
    candidates.push(events);
    Ok(candidates)
}

/// Every file once, also if it is reached on two ways.
fn distinct(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    files.retain(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    files
}

/// The file of a product, if it is the one that the report names.
fn check_file(release: &Path, stated: &ProductReport, checks: &mut Vec<Check>) -> Result<Option<PathBuf>> {
    let name = &stated.name;
    let Some(file) = &stated.file else {
        checks.push(check(name, "has a file", Some(false), "the report names none".to_owned()));
        return Ok(None);
    };
    let path = release.join(file);
    // A name that leads out of the folder is not a file of the release.
    if Path::new(file).components().count() != 1 || !path.is_file() {
        checks.push(check(name, "has a file", Some(false), "it is not in the folder".to_owned()));
        return Ok(None);
    }
    let digest = sha256_file(&path)?;
    let same = Some(&digest) == stated.sha256.as_ref();
    checks.push(check(
        name,
        "has this SHA-256",
        Some(same),
        if same { "the same".to_owned() } else { "another: the file was changed after the release".to_owned() },
    ));
    Ok(same.then_some(path))
}

fn check_product(
    path: &Path,
    policy: &Policy,
    declared: &RecordsProduct,
    (stated, pseudonyms): (&ProductReport, &[Pseudonym]),
    shown: Option<&Value>,
    checks: &mut Vec<Check>,
) -> Result<()> {
    let name = &stated.name;
    let shown_token = policy.keeps_subject(declared).then_some(super::records::TOKEN);
    // Tokens by period or session are not people.
    let split = policy.splits_tokens(declared);
    let token = shown_token.filter(|_| !split).map(str::to_owned);
    let counted = Counted::count(policy, declared, path, shown_token)?;
    checks.push(check(name, &format!("has {} rows", stated.rows), Some(counted.rows == stated.rows), format!("{} rows", counted.rows)));
    if let Some(subjects) = stated.subjects {
        let statement = format!("holds {subjects} people");
        checks.push(match (&token, policy.subject.is_none()) {
            (Some(_), _) => check(name, &statement, Some(counted.tokens == subjects), format!("{} tokens", counted.tokens)),
            // Every person has a token, or a row without one.
            _ if split && counted.tokens + counted.alone < subjects => {
                check(name, &statement, Some(false), format!("{} tokens and {} rows without one", counted.tokens, counted.alone))
            }
            _ if split => {
                check(name, &statement, None, format!("{} tokens, of which a person may have several; needs the pool", counted.tokens))
            }
            (None, true) => {
                check(name, &statement, Some(counted.rows == subjects), format!("{} rows, each a different person", counted.rows))
            }
            (None, false) if counted.rows < subjects => check(name, &statement, Some(false), format!("{} rows", counted.rows)),
            (None, false) => check(name, &statement, None, "no token tells people apart; needs the pool".to_owned()),
        });
    }
    check_columns(stated, &counted, checks);
    check_tokens(policy, declared, path, (name, pseudonyms), checks)?;
    checks.push(check_declared(policy, declared, stated));
    checks.push(check_levels(path, stated, shown)?);
    for guarantee in &stated.guarantees {
        checks.push(check_guarantee(policy, declared, stated, guarantee, path, &counted, token.as_deref())?);
    }
    Ok(())
}

/// Every column of the file is one that the report describes, and none that it calls dropped.
fn check_columns(stated: &ProductReport, counted: &Counted, checks: &mut Vec<Check>) {
    let described = |name: &String| {
        name == super::records::TOKEN || stated.columns.iter().any(|column| column.name == *name && !column.became.starts_with("dropped"))
    };
    let unknown: Vec<&String> = counted.columns.iter().filter(|name| !described(name)).collect();
    let found = if unknown.is_empty() {
        format!("{} columns", counted.columns.len())
    } else {
        format!("{} columns that the report does not describe", unknown.len())
    };
    checks.push(check(&stated.name, "has only the described columns", Some(unknown.is_empty()), found));
}

fn check_guarantee(
    policy: &Policy,
    declared: &RecordsProduct,
    stated: &ProductReport,
    guarantee: &Guarantee,
    path: &Path,
    counted: &Counted,
    token: Option<&str>,
) -> Result<Check> {
    let achieved = guarantee.achieved.map_or_else(String::new, |achieved| format!(", achieved {achieved}"));
    let statement = format!("{} ({}{achieved})", guarantee.model, unit_name(guarantee.unit));
    if guarantee.model == "item-support" {
        let wanted = declared.item_support.as_ref().map_or(u64::MAX, |support| support.min_subjects);
        return Ok(match counted.smallest_support {
            Some(rows) if token.is_none() && policy.subject.is_some() && !bounds(rows, guarantee.achieved) => {
                check(&stated.name, &statement, Some(false), format!("the rarest item has {rows} rows"))
            }
            _ if token.is_none() && policy.subject.is_some() => {
                check(&stated.name, &statement, None, "no token tells people apart; needs the pool".to_owned())
            }
            Some(smallest) => {
                let holds = smallest >= wanted && guarantee.achieved.is_none_or(|achieved| same_count(achieved, smallest));
                check(&stated.name, &statement, Some(holds), format!("the rarest item has {smallest} people"))
            }
            None => check(&stated.name, &statement, Some(guarantee.achieved.is_none()), "no items".to_owned()),
        });
    }
    let stated_model = |model: &&Model| Guarantee::of(model, Unit::Row, Verified::Unverifiable).parameters == guarantee.parameters;
    let model = declared.models.iter().find(|model| model.name() == guarantee.model && stated_model(model));
    let Some(model) = model else {
        return Ok(check(&stated.name, &statement, Some(false), "the policy declares no such model".to_owned()));
    };
    let people = match (token, policy.subject.is_none()) {
        (Some(token), _) => People::Token(token.to_owned()),
        (None, true) => People::OneRowEach,
        (None, false) => People::Unknown,
    };
    let quasi: Vec<String> = stated
        .columns
        .iter()
        .filter(|column| column.role == Role::QuasiIdentifier && counted.columns.contains(&column.name))
        .map(|column| column.name.clone())
        .collect();
    let Model::KAnonymity { k } = model else {
        let (holds, found) = check_model(policy, declared, (model, guarantee), path, &quasi, people)?;
        return Ok(check(&stated.name, &statement, holds, found));
    };
    let classes = recount(path, &quasi, &people, 1)?;
    let found = k_anonymity(model, classes.claim(k.get()), k.get(), Verified::Release);
    if found.verified == Verified::Unverifiable {
        let rows = classes.smallest_rows.unwrap_or_default();
        // More people than rows cannot be.
        if classes.smallest_rows.is_some_and(|rows| !bounds(rows, guarantee.achieved)) {
            return Ok(check(&stated.name, &statement, Some(false), format!("the smallest class has {rows} rows")));
        }
        return Ok(check(
            &stated.name,
            &statement,
            None,
            format!("no token tells people apart; the smallest class has {rows} rows, counting people needs the pool"),
        ));
    }
    // A value that was counted with the pool is stated as the declared bound: a file without rows is within it.
    let achieved = found.achieved == guarantee.achieved || guarantee.stated_as_bound && found.achieved.is_none();
    // The class figures of the report are those of the file.
    let figures = stated.transformation.as_ref().is_none_or(|stated| {
        stated.equivalence_classes == classes.classes
            && (stated.average_class_size - classes.average_class_size).abs() < 1e-9 * classes.average_class_size.max(1.0)
    }) && stated.class_sizes.as_ref().is_none_or(|sizes| sizes.after == classes.class_size_histogram);
    let holds = found.holds && found.unit == guarantee.unit && achieved && figures;
    let text = format!(
        "recounted: {} {}",
        unit_name(found.unit),
        found.achieved.map_or_else(|| "of no rows".to_owned(), |achieved| achieved.to_string())
    );
    Ok(check(&stated.name, &statement, Some(holds), text))
}

pub(super) fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Subject => "people",
        Unit::SubjectPerRow => "people per row",
        Unit::Row => "rows",
        Unit::Item => "items",
        Unit::Value => "values",
        Unit::Ratio => "ratio",
    }
}

/// Whether so many rows can belong to as many people as stated.
fn bounds(rows: u64, stated: Option<f64>) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "counts of rows and people in a report")]
    let rows = rows as f64;
    stated.is_none_or(|stated| stated <= rows)
}

fn same_count(stated: f64, found: u64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "counts of people in a report")]
    let found = found as f64;
    (stated - found).abs() < 0.5
}

/// The page is made from the report, and the report holds what a recipient may read: its sentences follow from its figures.
fn check_report(release: &Path, text: &[u8], report: &Report) -> Result<Check> {
    let path = release.join("report.html");
    let page = fs::read(&path).map_err(|e| Error::io(&path, e))?;
    let mut written = serde_json::to_vec_pretty(report).unwrap_or_default();
    written.push(b'\n');
    let (sentences, same, page) =
        (report.for_recipient() == *report, written == text, html(report, Audience::Recipient).as_bytes() == page);
    let found = match (sentences && same, page) {
        (true, true) => "both say the same",
        (true, false) => "the page does not follow from report.json",
        (false, _) => "report.json was changed, or holds what only the steward may read",
    };
    Ok(check("", "report.json and report.html belong together", Some(sentences && same && page), found.to_owned()))
}

/// The policy is the one that the report is about.
fn check_policy(policy: &Policy, text: &str, report: &Report) -> Result<Check> {
    let gate = (policy.gate.max_risk.get().to_bits(), policy.gate.on, Some(policy.gate.confidence.get().to_bits()));
    let stated = (report.gate.max_risk.to_bits(), report.gate.on, report.gate.confidence.map(f64::to_bits));
    let products: Vec<&str> = policy.products.iter().map(Product::name).collect();
    let same = policy.normalized()? == text
        && (&policy.name, &policy.purpose, &policy.recipient) == (&report.name, &report.purpose, &report.recipient)
        && gate == stated
        && products == report.products.iter().map(|product| product.name.as_str()).collect::<Vec<_>>();
    let found = if same { "it is" } else { "name, purpose, recipient, gate or products differ, or the text was changed" };
    Ok(check("", "policy.toml is the policy of the report", Some(same), found.to_owned()))
}

fn transformations(release: &Path) -> Result<Value> {
    let path = release.join("transformation.json");
    let text = fs::read(&path).map_err(|e| Error::io(&path, e))?;
    let shown: Value = serde_json::from_slice(&text)
        .map_err(|e| Error::data(path.display().to_string(), Some(e.line() as u64), "is not JSON", "give the folder release/ of a run"))?;
    let mut written = serde_json::to_vec_pretty(&shown).unwrap_or_default();
    written.push(b'\n');
    // Text between the values, or a key that stands twice, says something that was not checked.
    Ok(if written == text { shown } else { Value::Null })
}

/// Schema and one entry for every product, and nothing else.
fn speaks_of(shown: &Value, report: &Report) -> bool {
    let (Some(all), Some(products)) = (shown.as_object(), shown.get("products").and_then(Value::as_object)) else { return false };
    let stated: BTreeSet<&str> = report.products.iter().map(|product| product.name.as_str()).collect();
    all.len() == 2 && shown.get("schema") == Some(&Value::from(1)) && products.keys().map(String::as_str).eq(stated)
}

/// What the policy declares is what the report states: roles, models and their parameters, the accepted risk.
fn check_declared(policy: &Policy, declared: &RecordsProduct, stated: &ProductReport) -> Check {
    let roles = stated.columns.iter().all(|column| declaration(policy, declared.source, &column.name) == Some(column.role));
    // An estimate is no guarantee.
    let mut promised = declared.models.iter().filter(|model| !model.is_estimate());
    let models = promised.all(|model| {
        let wanted = Guarantee::of(model, Unit::Row, Verified::Unverifiable).parameters;
        stated.guarantees.iter().any(|guarantee| guarantee.model == model.name() && guarantee.parameters == wanted)
    });
    let support = declared.item_support.as_ref().is_none_or(|support| {
        let wanted = Some(&Value::from(support.min_subjects));
        stated.guarantees.iter().any(|guarantee| guarantee.model == "item-support" && guarantee.parameters.get("min_subjects") == wanted)
    });
    let same = roles && models && support && declared.accept_risk == stated.accepted_risk;
    let found = if same { "they are" } else { "roles, models or the accepted risk differ from policy.toml" };
    check(&stated.name, "roles, models and accepted risk are those of the policy", Some(same), found.to_owned())
}

/// transformation.json states the levels of the report, and labels that the file shows.
fn check_levels(path: &Path, stated: &ProductReport, shown: Option<&Value>) -> Result<Check> {
    let statement = "levels and labels in transformation.json are those of the file";
    let answer = |same: bool| {
        let found = if same { "they are" } else { "they differ" };
        Ok(check(&stated.name, statement, Some(same), found.to_owned()))
    };
    let levels = stated.transformation.as_ref().map(|transformation| transformation.levels.clone()).unwrap_or_default();
    let Some(columns) = shown.and_then(|shown| shown.get("columns")).and_then(Value::as_object) else { return answer(false) };
    let described = |name: &String| stated.columns.iter().find(|column| column.name == *name);
    let mut same = shown.and_then(Value::as_object).is_some_and(|shown| shown.len() == 1) && columns.len() == levels.len();
    for (name, level) in &levels {
        let Some(entry) = columns.get(name).and_then(Value::as_object) else { return answer(false) };
        let labels = entry.get("values").and_then(Value::as_array);
        let described = described(name);
        same &= entry.len() == 3
            && entry.get("level") == Some(&Value::from(*level))
            && described.and_then(|column| column.level) == Some(*level)
            && entry.get("highest").and_then(Value::as_u64) == described.and_then(|column| column.highest).map(|highest| highest as u64);
        let labels: Option<BTreeSet<&str>> = labels.map(|labels| labels.iter().filter_map(Value::as_str).collect());
        let Some(labels) = labels else { return answer(false) };
        let source = super::measure::open(path)?;
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut is_text = *level > 0 || matches!(path.extension().and_then(OsStr::to_str), Some("parquet" | "arrow" | "arrows"));
        if !super::measure::names_no_columns(&source) {
            let options = ReadOptions { columns: Some(vec![name.clone()]), threads: 1, ..ReadOptions::default() };
            for batch in read(&[source], &options)? {
                let batch = batch?;
                is_text &= matches!(value_type(batch.column(0).data_type()), DataType::Utf8);
                seen.extend(texts(&batch, name)?.into_iter().flatten());
            }
        }
        // Numbers and times may be written in another way than as labels; a text table cannot tell the empty text from a missing one.
        let shown = labels.iter().copied().filter(|label| !label.is_empty());
        same &= !is_text || shown.eq(seen.iter().map(String::as_str).filter(|label| !label.is_empty()));
    }
    answer(same)
}

/// Products and papers, and nothing else.
fn check_files(release: &Path, report: &Report) -> Result<Check> {
    let mut known: HashSet<String> = ["report.json", "report.html", "policy.toml", "transformation.json"].map(str::to_owned).into();
    known.extend(report.products.iter().filter_map(|product| product.file.clone()));
    let mut unknown = 0;
    for entry in fs::read_dir(release).map_err(|e| Error::io(release, e))? {
        let entry = entry.map_err(|e| Error::io(release, e))?;
        unknown += usize::from(!entry.file_name().to_str().is_some_and(|name| known.contains(name)));
    }
    let found = if unknown == 0 { "nothing else".to_owned() } else { format!("{unknown} files that the report does not name") };
    Ok(check("", "the folder holds the products and their papers only", Some(unknown == 0), found))
}

/// The stated verdict follows from the stated figures.
fn check_gate(policy: &Policy, report: &Report) -> Check {
    let decision = super::gate::decide(&policy.gate, &report.products);
    // Figures counted with the pool are stated as bounds, so the sentences may differ in their numbers; the reasons may not.
    let stated = |product: &ProductReport, reason: &String| {
        let beginning = format!("product {}: {reason}", product.name);
        report.accepted_risks.iter().any(|risk| risk.starts_with(&beginning))
    };
    let reasons: Vec<bool> = report.products.iter().filter_map(|p| p.accepted_risk.as_ref().map(|reason| stated(p, reason))).collect();
    let accepted = reasons.len() == report.accepted_risks.len() && reasons.iter().all(|&stated| stated);
    let same = decision.verdict.passed && report.gate.passed && accepted;
    let found = if same {
        "follows from the stated figures; attacks cannot be repeated without the steward's seed"
    } else {
        "does not follow from the stated figures"
    };
    check("", "the gate passed", Some(same), found.to_owned())
}

/// Counts from one pass over a product, with plain hash maps of text.
#[derive(Debug, Default)]
pub(super) struct Counted {
    rows: u64,
    tokens: u64,
    /// Rows without a token.
    alone: u64,
    columns: Vec<String>,
    pub(super) smallest_support: Option<u64>,
}

impl Counted {
    pub(super) fn count(policy: &Policy, declared: &RecordsProduct, path: &Path, token: Option<&str>) -> Result<Self> {
        let source = super::measure::open(path)?;
        let columns: Vec<String> = source.schema().fields().iter().map(|field| field.name().clone()).collect();
        if super::measure::names_no_columns(&source) {
            return Ok(Self::default());
        }
        let items: Vec<String> = columns
            .iter()
            .filter(|name| declaration(policy, declared.source, name).is_some_and(|role| role == Role::Item))
            .cloned()
            .collect();
        let mut counted = Self { columns, ..Self::default() };
        let mut tokens: HashSet<String> = HashSet::new();
        let mut people: HashMap<String, HashSet<u64>> = HashMap::new();
        let wanted =
            counted.columns.iter().filter(|name| Some(name.as_str()) == token || items.contains(name)).cloned().collect::<Vec<_>>();
        let wanted = if wanted.is_empty() { counted.columns.iter().take(1).cloned().collect() } else { wanted };
        let options = ReadOptions { columns: Some(wanted), threads: 1, ..ReadOptions::default() };
        for batch in read(&[source], &options)? {
            let batch = batch?;
            let owners = token.map(|token| texts(&batch, token)).transpose()?;
            let shown = items.iter().map(|item| texts(&batch, item)).collect::<Result<Vec<_>>>()?;
            for row in 0..batch.num_rows() {
                let person = match owners.as_ref().map(|owners| owners[row].clone()) {
                    Some(None) => {
                        counted.alone += 1;
                        counted.rows + row as u64
                    }
                    Some(Some(owner)) => {
                        let hash = u64::from_le_bytes(first_eight(blake3::hash(owner.as_bytes()).as_bytes()));
                        tokens.insert(owner);
                        hash
                    }
                    None => counted.rows + row as u64,
                };
                if declared.item_support.is_some() && shown.iter().any(|column| column[row].is_some()) {
                    let item: String = shown
                        .iter()
                        .map(|column| column[row].as_deref().map_or_else(|| "-".to_owned(), |text| format!("{}:{text}", text.len())))
                        .collect();
                    people.entry(item).or_default().insert(person);
                }
            }
            counted.rows += batch.num_rows() as u64;
        }
        counted.tokens = tokens.len() as u64;
        counted.smallest_support = people.values().map(|people| people.len() as u64).min();
        Ok(counted)
    }
}

fn first_eight(bytes: &[u8; 32]) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    first
}

fn declaration(policy: &Policy, table: Table, name: &str) -> Option<Role> {
    policy.declaration(table, name).map(|column| column.role)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

pub(super) fn texts(batch: &RecordBatch, column: &str) -> Result<Vec<Option<String>>> {
    let index = batch.schema().index_of(column).map_err(|e| Error::arrow("reading a product", &e))?;
    let column = batch.column(index);
    let failed = |e| Error::arrow("reading a product", &e);
    if matches!(
        value_type(column.data_type()),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
    ) {
        let bytes = cast(column, &DataType::Binary).map_err(failed)?;
        return Ok(bytes.as_binary::<i32>().iter().map(|value| value.map(hex)).collect());
    }
    let text = cast(column, &DataType::Utf8).map_err(failed)?;
    let text = text.as_string::<i32>();
    Ok((0..text.len()).map(|row| text.is_valid(row).then(|| text.value(row).to_owned())).collect())
}
