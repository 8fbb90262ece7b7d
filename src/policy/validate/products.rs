//! Products: their names, their class, and what each kind needs.

pub(in crate::policy) use super::records::{check_columns, check_generalization};

use super::header::check_line;
use super::{histories, records};
use crate::error::{Error, Result};
use crate::policy::bind::in_list;
use crate::policy::{Policy, Product, Role, Table};

/// Names of files that a release writes itself.
const RESERVED: [&str; 3] = ["report", "policy", "transformation"];

pub(super) fn check(policy: &Policy) -> Result<()> {
    if policy.products.is_empty() {
        return Err(Error::policy("products", "nothing is released", "add at least one [[products]] with a name and a kind"));
    }
    for (index, product) in policy.products.iter().enumerate() {
        let key = format!("products[{index}]");
        check_name(&format!("{key}.name"), product.name())?;
        // Some file systems do not tell large from small letters.
        let folded = product.name().to_lowercase();
        if policy.products.iter().take(index).any(|other| other.name().to_lowercase() == folded) {
            return Err(Error::policy(
                format!("{key}.name"),
                format!("another product is already called {}", product.name()),
                "give each product its own name; large and small letters count as the same",
            ));
        }
    }
    check_class(policy)?;
    for (index, product) in policy.products.iter().enumerate() {
        match product {
            Product::Records(product) => records::check(policy, index, product)?,
            Product::Cohorts(product) => histories::check_cohorts(policy, index, product)?,
            Product::Fragments(product) => histories::check_fragments(policy, index, product)?,
            // The rest is differentially private and refused as a whole by `check_supported`.
            _ => {}
        }
    }
    Ok(())
}

fn check_name(key: &str, name: &str) -> Result<()> {
    let problem = if name.is_empty() {
        "it is empty"
    } else if name.contains(['/', '\\']) || name.contains("..") {
        "it holds a path separator or \"..\""
    } else if name.starts_with('.') {
        "it begins with a dot"
    } else if name.contains(|c: char| c.is_control() || matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')) {
        "it holds a character that file names must not have"
    } else if name.trim() != name || name.ends_with('.') {
        "it begins or ends with a blank or a dot"
    } else if name.len() > 100 {
        "it is longer than 100 bytes"
    } else if RESERVED.contains(&name.to_lowercase().as_str()) {
        "the release writes a file of this name itself"
    } else {
        return Ok(());
    };
    Err(Error::policy(
        key,
        format!("the name of a product is the name of its file, and {problem}"),
        "choose another name, for example \"people\"",
    ))
}

/// A differentially private product says nothing about the pool but what its ledger paid for; a syntactic one beside it would.
fn check_class(policy: &Policy) -> Result<()> {
    let private = |product: &Product| product.kind().is_differentially_private();
    let Some(first) = policy.products.first() else { return Ok(()) };
    let Some(index) = policy.products.iter().position(|product| private(product) != private(first)) else { return Ok(()) };
    let of_class = |wanted: bool| in_list(policy.products.iter().filter(|product| private(product) == wanted).map(Product::name));
    Err(Error::policy(
        format!("products[{index}].kind"),
        format!(
            "a policy holds syntactic or differentially private products, never both (syntactic: {}; differentially private: {})",
            of_class(false),
            of_class(true)
        ),
        "write a policy for each class",
    ))
}

pub(super) fn check_item(policy: &Policy, key: &str, item: Option<&str>) -> Result<()> {
    if let Some(item) = item {
        let is_item = policy.declaration(Table::Events, item).is_some_and(|column| column.role == Role::Item);
        if !is_item {
            return Err(Error::policy(
                format!("{key}.item"),
                format!("{item} is not declared as an item"),
                "name a column of role \"item\"",
            ));
        }
    }
    Ok(())
}

pub(super) fn at_least(key: &str, value: u64, minimum: u64) -> Result<()> {
    if value < minimum {
        return Err(Error::policy(key, format!("{value} is too small"), format!("give at least {minimum}")));
    }
    Ok(())
}

pub(super) fn check_reason(key: &str, reason: Option<&str>) -> Result<()> {
    let Some(text) = reason else { return Ok(()) };
    let key = format!("{key}.accept_risk");
    if text.trim().is_empty() {
        return Err(Error::policy(key, "the reason is empty", "say why the product is published over the limit, or remove accept_risk"));
    }
    // It is the first line of the reports.
    check_line(&key, text)
}
