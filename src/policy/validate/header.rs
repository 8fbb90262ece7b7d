//! Version, name, links, `[input]` and `[subject]`.

use crate::error::{Error, Result};
use crate::policy::{Format, Input, Policy, Role};
use std::collections::BTreeMap;

pub(super) fn check(policy: &Policy) -> Result<()> {
    if policy.version != 1 {
        return Err(Error::policy(
            "version",
            format!("version {} of the policy format is not known", policy.version),
            "write version = 1, or use the release of backmask that the policy was written for",
        ));
    }
    check_line("name", &policy.name)?;
    if policy.name.trim().is_empty() {
        return Err(Error::policy("name", "the release has no name", "give one, for example name = \"preferences-2026\""));
    }
    check_line("recipient", &policy.recipient)?;
    if let Some(input) = &policy.input {
        check_input("input", input)?;
    }
    check_subject(policy)?;
    check_links(policy)
}

/// What is printed as one line must be one.
pub(super) fn check_line(key: &str, text: &str) -> Result<()> {
    if text.chars().any(char::is_control) {
        return Err(Error::policy(key, "it holds a line break or another control character", "write it on one line"));
    }
    Ok(())
}

fn check_input(key: &str, input: &Input) -> Result<()> {
    if let Some(delimiter) = input.delimiter {
        check_delimiter(&format!("{key}.delimiter"), delimiter)?;
    }
    // The other formats have a layout of their own and would not look at these keys.
    if !matches!(input.format, None | Some(Format::Csv)) {
        let text_only = [("delimiter", input.delimiter.is_some()), ("header", input.header.is_some())];
        if let Some((name, _)) = text_only.into_iter().find(|(_, given)| *given) {
            return Err(Error::policy(
                format!("{key}.{name}"),
                "only for format = \"csv\" can this be chosen",
                "remove it, or correct the format",
            ));
        }
    }
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    for (canonical, in_file) in &input.columns {
        let key = format!("{key}.columns.{}", crate::policy::quoted_key(canonical));
        if canonical.is_empty() || in_file.is_empty() {
            return Err(Error::policy(key, "a column has an empty name", "write canonical name = \"name in the file\""));
        }
        if let Some(other) = taken.insert(in_file, canonical) {
            return Err(Error::policy(key, format!("{in_file} is already renamed to {other}"), "give each column of the file one name"));
        }
    }
    if let Some(profiles) = &input.profiles {
        if profiles.profiles.is_some() {
            return Err(Error::policy(format!("{key}.profiles.profiles"), "profiles have no profiles of their own", "remove it"));
        }
        check_input(&format!("{key}.profiles"), profiles)?;
    }
    Ok(())
}

/// A separator must be one byte that cannot be mistaken for a quote or the end of a line.
pub(super) fn check_delimiter(key: &str, delimiter: char) -> Result<()> {
    if !delimiter.is_ascii() || matches!(delimiter, '"' | '\n' | '\r' | '\0') {
        return Err(Error::policy(
            key,
            "the separator must be one ASCII character other than the double quote and line breaks",
            "use for example \";\", \",\", \"|\" or \"\\t\"",
        ));
    }
    Ok(())
}

fn check_subject(policy: &Policy) -> Result<()> {
    let Some(subject) = &policy.subject else { return Ok(()) };
    if subject.column.is_empty() {
        return Err(Error::policy("subject.column", "the name is empty", "name the column that tells people apart"));
    }
    for (key, name, column) in policy.declared() {
        if name == subject.column && column.role != Role::Subject {
            return Err(Error::policy(
                format!("{key}.role"),
                format!("the column names the person (subject.column) but has the role {}", column.role),
                "write role = \"subject\", or remove the declaration",
            ));
        }
    }
    Ok(())
}

fn check_links(policy: &Policy) -> Result<()> {
    for (index, name) in policy.link_products.iter().enumerate() {
        let key = format!("link_products[{index}]");
        if !policy.products.iter().any(|product| product.name() == name) {
            return Err(Error::policy(key, format!("there is no product {name}"), "name products of this policy"));
        }
        if policy.link_products.iter().take(index).any(|other| other == name) {
            return Err(Error::policy(key, format!("product {name} is named twice"), "name each product once"));
        }
    }
    if policy.link_products.len() == 1 {
        return Err(Error::policy("link_products", "one product alone cannot be linked", "name two or more products, or none"));
    }
    Ok(())
}
