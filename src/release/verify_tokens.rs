//! Checking the tokens of a release: what they are said to be is what the file shows.

use super::records::TOKEN;
use super::report::Pseudonym;
use super::verify::{Check, check, texts};
use crate::error::Result;
use crate::io::{ReadOptions, read};
use crate::policy::{Policy, PseudonymMethod, PseudonymSpec, RecordsProduct, Role, TokenFormat, Treatment};
use hashbrown::{HashMap, HashSet};
use std::path::Path;

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
    Ok(())
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
