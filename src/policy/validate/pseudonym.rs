//! Pseudonyms: which method goes with which scope, format and option.

use crate::error::{Error, Result};
use crate::policy::{Period, Policy, Product, PseudonymMethod, PseudonymSpec, Role, Scope, Table, TokenFormat};

/// Longest gap inside a session, in minutes: a week.
const LONGEST_GAP: u32 = 7 * 24 * 60;

/// Longest period, in days.
const LONGEST_PERIOD: u32 = 36_500;

pub(super) fn check(policy: &Policy) -> Result<()> {
    for (key, spec) in policy.pseudonyms() {
        check_scope(policy, &key, spec)?;
        check_time(policy, &key, spec)?;
        check_method(&key, spec)?;
    }
    check_products(policy)
}

fn check_scope(policy: &Policy, key: &str, spec: &PseudonymSpec) -> Result<()> {
    let key = format!("{key}.scope");
    let (method, scope) = (spec.method.name(), spec.scope.name());
    if spec.scope == Scope::Recipient && policy.recipient.trim().is_empty() {
        return Err(Error::policy(
            key,
            "the tokens are those of a recipient, but the policy names none",
            "give `recipient`, or choose the scope \"product\"",
        ));
    }
    if spec.scope == Scope::Fragment && policy.products.iter().any(|product| matches!(product, Product::Records(_))) {
        return Err(Error::policy(
            key,
            "fragments belong to products of the kind \"fragments\", and this policy has one of the kind \"records\"",
            "choose the scope \"product\", \"period\" or \"session\"",
        ));
    }
    let possible = match spec.scope {
        Scope::Product | Scope::Release | Scope::None => true,
        Scope::Recipient => spec.method != PseudonymMethod::Dense,
        Scope::Period => !matches!(spec.method, PseudonymMethod::Ff1 | PseudonymMethod::Dense),
        Scope::Session | Scope::Fragment => matches!(spec.method, PseudonymMethod::Blake3 | PseudonymMethod::HmacSha256),
    };
    if !possible {
        let (problem, remedy) = match (spec.method, spec.scope) {
            (PseudonymMethod::Dense, Scope::Recipient) => (
                "the numbers of dense are those of the people in one release; the next release has other people".to_owned(),
                "choose the scope \"product\" or \"release\", or the method \"blake3\"",
            ),
            (_, Scope::Period) => (
                format!("the method {method} has no tokens by period"),
                "choose \"blake3\", \"hmac-sha256\", \"aes-siv\" or \"aes-block\", or the scope \"product\"",
            ),
            _ => (format!("the method {method} has no tokens by {scope}"), "choose \"blake3\" or \"hmac-sha256\", or another scope"),
        };
        return Err(Error::policy(key, problem, remedy));
    }
    if spec.irreversible && spec.scope == Scope::Recipient {
        return Err(Error::policy(
            key,
            "irreversible tokens cannot be made again, so the next release to the recipient would have others",
            "choose the scope \"product\" or \"release\", or remove irreversible",
        ));
    }
    Ok(())
}

/// `period`, `session_gap` and `time`.
fn check_time(policy: &Policy, key: &str, spec: &PseudonymSpec) -> Result<()> {
    let only = |name: &str, scopes: &str| {
        let problem = format!("{name} is for {scopes}, and the scope is \"{}\"", spec.scope.name());
        Err(Error::policy(format!("{key}.{name}"), problem, format!("remove it, or choose {scopes}")))
    };
    match (spec.scope, &spec.period) {
        (Scope::Period, None) => {
            return Err(Error::policy(
                format!("{key}.period"),
                "tokens by period need to know how long a period is",
                "give period = \"day\", \"week\", \"month\" or { days = … }",
            ));
        }
        (Scope::Period, Some(Period::Days(days))) if !(1..=LONGEST_PERIOD).contains(days) => {
            return Err(Error::policy(
                format!("{key}.period.days"),
                format!("{days} days are out of range"),
                format!("give 1 to {LONGEST_PERIOD} days"),
            ));
        }
        (Scope::Period, _) | (_, None) => {}
        (_, Some(_)) => return only("period", "the scope \"period\""),
    }
    match (spec.scope, spec.session_gap) {
        (Scope::Session, None) => {
            return Err(Error::policy(
                format!("{key}.session_gap"),
                "tokens by session need to know which gap ends a session",
                "give session_gap = 30 (minutes)",
            ));
        }
        (Scope::Session, Some(gap)) if !(1..=LONGEST_GAP).contains(&gap) => {
            return Err(Error::policy(
                format!("{key}.session_gap"),
                format!("{gap} minutes are out of range"),
                format!("give 1 to {LONGEST_GAP} minutes"),
            ));
        }
        (Scope::Session, _) | (_, None) => {}
        (_, Some(_)) => return only("session_gap", "the scope \"session\""),
    }
    let Some(time) = &spec.time else { return Ok(()) };
    if !matches!(spec.scope, Scope::Period | Scope::Session) {
        return only("time", "the scopes \"period\" and \"session\"");
    }
    if !policy.declared().any(|(_, name, column)| name == time && column.role == Role::Time) {
        let problem = match policy.declared().find(|(_, name, _)| name == time) {
            Some((_, _, column)) => format!("column {time} has the role {}", column.role),
            None => format!("column {time} is not declared"),
        };
        return Err(Error::policy(format!("{key}.time"), problem, "name a column of role \"time\" (it may be dropped)"));
    }
    Ok(())
}

/// `alphabet`, `codebook`, `irreversible` and `format`.
fn check_method(key: &str, spec: &PseudonymSpec) -> Result<()> {
    let method = spec.method.name();
    if spec.alphabet.is_some() && spec.method != PseudonymMethod::Ff1 {
        return Err(Error::policy(
            format!("{key}.alphabet"),
            format!("an alphabet is for the method \"ff1\", and the method is \"{method}\""),
            "remove it, or choose \"ff1\"",
        ));
    }
    if spec.codebook && spec.method != PseudonymMethod::Dense {
        return Err(Error::policy(
            format!("{key}.codebook"),
            format!("a codebook is for the method \"dense\", and the method is \"{method}\""),
            "remove it: tokens of the other reversible methods are turned back with the key file alone",
        ));
    }
    if spec.codebook && spec.irreversible {
        return Err(Error::policy(
            format!("{key}.codebook"),
            "a codebook turns the numbers back, and irreversible says that nobody can",
            "remove one of the two",
        ));
    }
    if spec.scope == Scope::None {
        let named = [("format", spec.format.is_some()), ("irreversible", spec.irreversible), ("codebook", spec.codebook)];
        if let Some((name, _)) = named.into_iter().find(|(_, given)| *given) {
            return Err(Error::policy(
                format!("{key}.{name}"),
                "the scope \"none\" drops the column, so there are no tokens",
                "remove it, or choose another scope",
            ));
        }
    }
    if let Some(format) = spec.format
        && !formats(spec.method).contains(&format)
    {
        let possible: Vec<String> = formats(spec.method).iter().map(|format| format!("\"{}\"", format.name())).collect();
        return Err(Error::policy(
            format!("{key}.format"),
            format!("the method {method} does not write tokens as {}", format.name()),
            format!("give one of {}, or leave it out", possible.join(", ")),
        ));
    }
    Ok(())
}

/// How each method can write its tokens.
fn formats(method: PseudonymMethod) -> &'static [TokenFormat] {
    use TokenFormat::{Base32, Binary, Hex, Input, Int64, Uint64};
    match method {
        PseudonymMethod::Blake3 | PseudonymMethod::HmacSha256 | PseudonymMethod::AesSiv => &[Hex, Base32, Binary],
        PseudonymMethod::AesBlock => &[Hex, Base32, Binary, Input],
        PseudonymMethod::Ff1 => &[Input],
        PseudonymMethod::Dense => &[Uint64, Int64],
    }
}

/// Tokens by period and session belong to people, in products made from events.
fn check_products(policy: &Policy) -> Result<()> {
    for (index, product) in policy.products.iter().enumerate() {
        let Product::Records(records) = product else { continue };
        if !policy.splits_tokens(records) {
            continue;
        }
        if records.source != Table::Events {
            return Err(Error::policy(
                format!("products[{index}].columns"),
                format!("tokens by period or session need events, and product {} is made from profiles", records.name),
                "list its columns without the subject, or choose the scope \"product\"",
            ));
        }
        // A column that is declared for both tables may be missing in one: then the data decides.
        if policy.subject.as_ref().is_some_and(|subject| subject.pseudonym.time.is_none()) {
            let own = policy.own_columns(Table::Events);
            let times = |columns: &std::collections::BTreeMap<String, crate::policy::Column>| {
                columns.iter().filter(|(_, column)| column.role == Role::Time).map(|(name, _)| name.clone()).collect::<Vec<_>>()
            };
            let (certain, common) = (times(own), times(&policy.columns));
            if certain.len() > 1 || certain.is_empty() && common.is_empty() {
                let names: Vec<&str> = certain.iter().map(String::as_str).collect();
                policy.time_of_tokens(Table::Events, &names)?;
            }
        }
    }
    Ok(())
}
