//! Checking the tokens of a release: what they are said to be is what the file shows.

use super::records::TOKEN;
use super::remake::tables;
use super::report::{Pseudonym, Report, Verified};
use super::verify::{Check, check, texts};
use crate::error::{Error, Result};
use crate::io::{ReadOptions, read};
use crate::keys::Key;
use crate::pipeline::Kernel;
use crate::policy::{Policy, Product, PseudonymMethod, PseudonymSpec, RecordsProduct, Role, Scope, Table, TokenFormat, Treatment};
use crate::pseudonym::{Alphabet, PseudonymDomain, Pseudonymizer, period_labels};
use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Schema};
use hashbrown::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The columns of tokens of a product: the name of the original column, of the column in the file, and what the policy says.
fn declared_tokens(policy: &Policy, declared: &RecordsProduct, file: &[String]) -> Vec<(String, String, PseudonymSpec)> {
    let subject = policy.subject.as_ref().filter(|_| policy.keeps_subject(declared));
    let people = subject.map(|subject| (subject.column.clone(), TOKEN.to_owned(), subject.pseudonym.clone()));
    let others = file.iter().filter_map(|name| {
        let column = policy.declaration(declared.source, name).filter(|column| column.role == Role::Identifier)?;
        match column.effective_treatment() {
            Treatment::Pseudonym(spec) => Some((name.clone(), name.clone(), spec.clone())),
            _ => None,
        }
    });
    people.into_iter().chain(others).collect()
}

/// Every column of tokens has one entry in the report, which says what the policy says and claims no more than it may; the file has the stated number of tokens, in the stated form.
pub(super) fn check_tokens(
    policy: &Policy,
    declared: &RecordsProduct,
    path: &Path,
    (product, pseudonyms): (&str, &[Pseudonym]),
    checks: &mut Vec<Check>,
) -> Result<()> {
    let source = super::measure::open(path)?;
    let file: Vec<String> = source.schema().fields().iter().map(|field| field.name().clone()).collect();
    let stated: Vec<&Pseudonym> = pseudonyms.iter().filter(|stated| stated.product.as_deref() == Some(product)).collect();
    if super::measure::names_no_columns(&source) {
        return Ok(());
    }
    let expected = declared_tokens(policy, declared, &file);
    let described = stated.len() == expected.len()
        && expected.iter().all(|(name, _, spec)| stated.iter().any(|stated| stated.column == *name && agrees(stated, spec)));
    let found = if described { "they are" } else { "method, scope, format or claims differ from policy.toml" };
    checks.push(check(product, "pseudonyms are those of the policy", Some(described), found.to_owned()));
    for (name, column, spec) in &expected {
        let Some(stated) = stated.iter().find(|stated| stated.column == *name) else { continue };
        let shown = Shown::read(path, column)?;
        let same = stated.distinct.is_none_or(|distinct| distinct == shown.rows_of.len() as u64);
        let statement = format!("column {column} holds {} different tokens", stated.distinct.unwrap_or_default());
        checks.push(check(product, &statement, Some(same), format!("{} different tokens", shown.rows_of.len())));
        checks.push(check_form(product, column, spec, &shown));
    }
    if policy.splits_tokens(declared) {
        checks.extend(check_periods(policy, declared, path, &file, product)?);
    }
    Ok(())
}

/// Where the raw times are in the file, no token of the scope `period` is in two periods, and every row with a time has one.
fn check_periods(policy: &Policy, declared: &RecordsProduct, path: &Path, file: &[String], product: &str) -> Result<Option<Check>> {
    let Some((subject, period)) = policy.subject.as_ref().and_then(|subject| Some((subject, subject.pseudonym.period?))) else {
        return Ok(None);
    };
    let times: Vec<&String> = file
        .iter()
        .filter(|name| policy.declaration(declared.source, name).is_some_and(|column| column.role == Role::Time))
        .filter(|name| subject.pseudonym.time.as_ref().is_none_or(|time| time == *name))
        .collect();
    let [time] = times.as_slice() else { return Ok(None) };
    let kept = policy.declaration(declared.source, time).is_some_and(|column| matches!(column.effective_treatment(), Treatment::Keep));
    if !kept {
        return Ok(None);
    }
    let mut period_of: HashMap<String, String> = HashMap::new();
    let mut wrong = 0_u64;
    let options = ReadOptions { columns: Some(vec![TOKEN.to_owned(), (*time).clone()]), threads: 1, ..ReadOptions::default() };
    for batch in read(&[super::measure::open(path)?], &options)? {
        let batch = batch?;
        let index = batch.schema().index_of(time).map_err(|e| Error::arrow("reading a product", &e))?;
        let Ok(labels) = period_labels(batch.column(index).as_ref(), period) else { return Ok(None) };
        let labels = cast(&labels, &DataType::Utf8).map_err(|e| Error::arrow("reading periods", &e))?;
        for (token, label) in texts(&batch, TOKEN)?.into_iter().zip(labels.as_string::<i32>()) {
            wrong += u64::from(match (token, label) {
                (Some(token), Some(label)) => period_of.entry(token).or_insert_with(|| label.to_owned()) != label,
                (None, None) => false,
                _ => true,
            });
        }
    }
    let found = if wrong == 0 { "none is".to_owned() } else { format!("{wrong} rows have a token of another period, or none") };
    Ok(Some(check(product, "no token is in two periods", Some(wrong == 0), found)))
}

/// Every token of the file is the token of a value in the originals, made here with the key and nothing else.
///
/// Numbers depend on who is released, sessions on whole histories, irreversible tokens on bits that nobody has: these are left to the making of the same file again.
pub(super) fn check_tokens_with_pool(
    release: &Path,
    policy: &Policy,
    report: &Report,
    originals: &[PathBuf],
    key: &Key,
    checks: &mut Vec<Check>,
) -> Result<()> {
    // If the originals do not fit the policy, that was said already.
    let Ok((events, profiles)) = tables(policy, originals) else { return Ok(()) };
    for product in &policy.products {
        let Product::Records(declared) = product else { continue };
        let Some(file) = report.products.iter().find(|stated| stated.name == declared.name).and_then(|stated| stated.file.as_ref()) else {
            continue;
        };
        let path = release.join(file);
        if Path::new(file).components().count() != 1 || !path.is_file() {
            continue;
        }
        let source = super::measure::open(&path)?;
        let names: Vec<String> = source.schema().fields().iter().map(|field| field.name().clone()).collect();
        for (name, column, spec) in declared_tokens(policy, declared, &names) {
            if spec.irreversible || spec.method == PseudonymMethod::Dense || matches!(spec.scope, Scope::Session | Scope::Fragment) {
                continue;
            }
            let domain = PseudonymDomain {
                scope: spec.scope,
                recipient: &policy.recipient,
                release: &policy.name,
                product: &declared.name,
                column: &name,
                period: "",
            };
            let paths = if declared.source == Table::Events { &events } else { &profiles };
            let statement = format!("tokens of column {column} are those of the originals");
            let verdict = match made_of(policy, declared.source, paths, &spec, &domain, key) {
                Ok(made) => {
                    let shown = Shown::read(&path, &column)?;
                    let strange = shown.rows_of.keys().filter(|token| !made.contains(*token)).count();
                    (Some(strange == 0), format!("{strange} of {} tokens are not", shown.rows_of.len()))
                }
                // A value that is not released may not fit the method.
                Err(_) => (None, "they cannot all be made".to_owned()),
            };
            let verified = if verdict.0.is_some() { Verified::ReleaseAndPool } else { Verified::Unverifiable };
            checks.push(Check { verified, ..check(&declared.name, &statement, verdict.0, verdict.1) });
        }
    }
    Ok(())
}

/// The tokens of all values of a column of the originals.
fn made_of(
    policy: &Policy,
    table: Table,
    paths: &[PathBuf],
    spec: &PseudonymSpec,
    domain: &PseudonymDomain<'_>,
    key: &Key,
) -> Result<HashSet<String>> {
    let kernel = |period: &str| -> Result<Pseudonymizer> {
        let mut kernel = Pseudonymizer::in_domain(spec.method, key, &PseudonymDomain { period, ..*domain })?;
        if let Some(alphabet) = &spec.alphabet {
            kernel = kernel.with_alphabet(Alphabet::parse(alphabet)?)?;
        }
        kernel.with_format(spec.written_format())
    };
    let sources = crate::listening::open(paths, table, &policy.input.clone().unwrap_or_default())?;
    let schema = sources.first().map_or_else(|| Arc::new(Schema::empty()), |source| source.schema());
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let time = (spec.scope == Scope::Period).then(|| policy.time_of_tokens(table, &names)).transpose()?;
    let columns = [Some(domain.column.to_owned()), time.clone()].into_iter().flatten().collect();
    let options = ReadOptions { columns: Some(columns), threads: 1, ..ReadOptions::default() };
    let mut made = HashSet::new();
    let mut kernels: HashMap<String, Pseudonymizer> = HashMap::new();
    for batch in read(&sources, &options)? {
        let batch = batch?;
        let of = |name: &str| {
            batch.column_by_name(name).cloned().ok_or_else(|| Error::column(name, "is not in the originals", "give them as they were"))
        };
        let values = of(domain.column)?;
        let mut by_period: HashMap<String, Vec<u32>> = HashMap::new();
        match &time {
            Some(time) => {
                let labels = period_labels(of(time)?.as_ref(), spec.period.unwrap_or(crate::policy::Period::Day))?;
                let labels = cast(&labels, &DataType::Utf8).map_err(|e| Error::arrow("reading periods", &e))?;
                for (row, label) in (0_u32..).zip(labels.as_string::<i32>()) {
                    if let Some(label) = label {
                        by_period.entry_ref(label).or_default().push(row);
                    }
                }
            }
            None => {
                by_period.insert(String::new(), (0..u32::try_from(values.len()).unwrap_or(u32::MAX)).collect());
            }
        }
        for (period, rows) in by_period {
            let own = take(&values, &UInt32Array::from(rows), None).map_err(|e| Error::arrow("reading originals", &e))?;
            if !kernels.contains_key(&period) {
                kernels.insert(period.clone(), kernel(&period)?);
            }
            let Some(kernel) = kernels.get(&period) else { continue };
            let tokens =
                RecordBatch::try_from_iter([(TOKEN, kernel.apply(own.as_ref())?)]).map_err(|e| Error::arrow("making tokens", &e))?;
            made.extend(texts(&tokens, TOKEN)?.into_iter().flatten());
        }
    }
    Ok(made)
}

/// Whether an entry of the report says what the policy says, and does not claim that tokens cannot be turned back where the method turns them back with a key that exists.
fn agrees(stated: &Pseudonym, spec: &PseudonymSpec) -> bool {
    let same = (stated.method, stated.scope, stated.format, stated.period, stated.session_gap)
        == (spec.method, spec.scope, Some(spec.written_format()), spec.period, spec.session_gap);
    let turns_back = match spec.method {
        PseudonymMethod::Blake3 | PseudonymMethod::HmacSha256 => false,
        PseudonymMethod::Dense => spec.codebook,
        _ => true,
    };
    same && (!spec.irreversible || stated.irreversible)
        && stated.irreversible != stated.reproducible
        && stated.reversible == (turns_back && !stated.irreversible)
}

/// The distinct tokens of a column, with how many rows have each.
#[derive(Debug, Default)]
struct Shown {
    rows_of: HashMap<String, u64>,
}

impl Shown {
    fn read(path: &Path, column: &str) -> Result<Self> {
        let options = ReadOptions { columns: Some(vec![column.to_owned()]), threads: 1, ..ReadOptions::default() };
        let mut shown = Self::default();
        for batch in read(&[super::measure::open(path)?], &options)? {
            for token in texts(&batch?, column)?.into_iter().flatten() {
                *shown.rows_of.entry(token).or_default() += 1;
            }
        }
        Ok(shown)
    }
}

/// Tokens have the form of their method; dense numbers are exactly 0…n−1, so that no gap tells of people who are not in the file.
fn check_form(product: &str, column: &str, spec: &PseudonymSpec, shown: &Shown) -> Check {
    let tokens = || shown.rows_of.keys();
    if spec.method == PseudonymMethod::Dense {
        let numbers: HashSet<u64> = tokens().filter_map(|token| token.parse().ok()).collect();
        let count = tokens().len() as u64;
        let dense = numbers.len() as u64 == count && numbers.iter().all(|&number| number < count);
        let found = if dense { format!("0 to {}", count.saturating_sub(1)) } else { "gaps, or something else than numbers".to_owned() };
        return check(product, &format!("column {column} holds the numbers 0 to n − 1"), Some(dense), found);
    }
    let digits = |token: &String| token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let base32 = |token: &String| token.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
    // A hash and a block have 128 bits; what AES-SIV seals is longer than its 128 bits of authentication.
    let exact = spec.method != PseudonymMethod::AesSiv;
    let length = |token: &String, of_block: usize| if exact { token.len() == of_block } else { token.len() > of_block };
    let form = match spec.written_format() {
        TokenFormat::Hex | TokenFormat::Binary => tokens().all(|token| digits(token) && length(token, 32)),
        TokenFormat::Base32 => tokens().all(|token| base32(token) && length(token, 26)),
        _ => true,
    };
    let found = if form { "they have" } else { "some have another form" };
    let statement = format!("tokens of column {column} have the form {}", spec.written_format().name());
    check(product, &statement, Some(form), found.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(method: PseudonymMethod, format: Option<TokenFormat>, tokens: &[&str]) -> Option<bool> {
        let shown = Shown { rows_of: tokens.iter().map(|token| ((*token).to_owned(), 1)).collect() };
        check_form("p", "token", &PseudonymSpec { method, format, ..PseudonymSpec::default() }, &shown).holds
    }

    #[test]
    fn numbers_with_a_gap_are_found() {
        assert_eq!(form(PseudonymMethod::Dense, None, &["2", "0", "1"]), Some(true));
        assert_eq!(form(PseudonymMethod::Dense, None, &[]), Some(true));
        // Numbers of all people of the pool, of whom one is not released; from one on; and no numbers.
        for wrong in [&["0", "1", "3"][..], &["1", "2", "3"], &["0", "1", "-2"], &["a"]] {
            assert_eq!(form(PseudonymMethod::Dense, None, wrong), Some(false), "{wrong:?}");
        }
    }

    #[test]
    fn tokens_of_another_form_are_found() {
        let hex = "0123456789abcdef0123456789abcdef";
        assert_eq!(form(PseudonymMethod::Blake3, None, &[hex]), Some(true));
        for wrong in ["0123", "ann", "0123456789ABCDEF0123456789ABCDEF", "0123456789abcdef0123456789abcdef00", ""] {
            assert_eq!(form(PseudonymMethod::Blake3, None, &[hex, wrong]), Some(false), "{wrong}");
        }
        assert_eq!(form(PseudonymMethod::HmacSha256, Some(TokenFormat::Base32), &["ABCDEFGHIJKLMNOPQRSTUVWX23"]), Some(true));
        assert_eq!(form(PseudonymMethod::HmacSha256, Some(TokenFormat::Base32), &["ABCDEFGHIJKLMNOPQRSTUVWX01"]), Some(false));
        // What is sealed is longer than its tag.
        assert_eq!(form(PseudonymMethod::AesSiv, Some(TokenFormat::Hex), &[hex]), Some(false));
        assert_eq!(form(PseudonymMethod::AesSiv, Some(TokenFormat::Hex), &[&format!("{hex}00")]), Some(true));
    }

    #[test]
    fn a_token_in_two_periods_is_found() {
        let policy = Policy::from_toml(
            "
            version = 1
            name = 'split'
            subject = { column = 'user', pseudonym = { scope = 'period', period = 'week' } }
            columns = { at = { role = 'time' } }
            products = [{ name = 'log', kind = 'records' }]
            ",
        )
        .unwrap();
        let Product::Records(declared) = &policy.products[0] else { panic!("records") };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let holds = |rows: &str| {
            std::fs::write(&path, format!("token,at\n{rows}")).unwrap();
            check_periods(&policy, declared, &path, &["token".to_owned(), "at".to_owned()], "log").unwrap().unwrap().holds
        };
        // A Monday, the Sunday after it, and the next Monday.
        assert_eq!(holds("a,2026-11-23T00:00:00Z\na,2026-11-29T23:59:59Z\nb,2026-11-30T00:00:00Z\n"), Some(true));
        assert_eq!(holds("a,2026-11-23T00:00:00Z\na,2026-11-30T00:00:00Z\n"), Some(false));
        // A row has a token if and only if it has a time.
        assert_eq!(holds("a,2026-11-23T00:00:00Z\n,\n"), Some(true));
        assert_eq!(holds("a,2026-11-23T00:00:00Z\nb,\n"), Some(false));
        assert_eq!(holds("a,2026-11-23T00:00:00Z\n,2026-11-23T00:00:00Z\n"), Some(false));
    }

    #[test]
    fn a_claim_that_goes_too_far_is_found() {
        let spec = PseudonymSpec { method: PseudonymMethod::AesSiv, ..PseudonymSpec::default() };
        let honest = Pseudonym {
            column: "user".to_owned(),
            product: Some("log".to_owned()),
            method: spec.method,
            scope: spec.scope,
            format: Some(TokenFormat::Base32),
            period: None,
            session_gap: None,
            reversible: true,
            reproducible: true,
            irreversible: false,
            distinct: Some(3),
            collision_probability: None,
            input_space_bits: None,
            warning: None,
            key_id: None,
        };
        assert!(agrees(&honest, &spec));
        let forgotten = Pseudonym { reversible: false, reproducible: false, irreversible: true, ..honest.clone() };
        assert!(agrees(&forgotten, &spec), "without a key file nobody turns them back");
        assert!(!agrees(&honest, &PseudonymSpec { irreversible: true, ..spec.clone() }), "the policy promised more");
        for wrong in [
            Pseudonym { reversible: false, ..honest.clone() },
            Pseudonym { irreversible: true, ..honest.clone() },
            Pseudonym { reproducible: false, ..honest.clone() },
            Pseudonym { reversible: true, ..forgotten },
            Pseudonym { scope: Scope::Recipient, ..honest.clone() },
            Pseudonym { format: None, ..honest.clone() },
            Pseudonym { method: PseudonymMethod::Blake3, ..honest },
        ] {
            assert!(!agrees(&wrong, &spec), "{wrong:?}");
        }
    }
}
