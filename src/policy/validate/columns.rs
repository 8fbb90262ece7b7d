//! Roles, treatments and item hierarchies of columns.

use super::hierarchy;
use crate::error::{Error, Result};
use crate::policy::parse::is_file_name;
use crate::policy::{Column, Policy, Role, Table, Treatment};

pub(super) fn check(policy: &Policy) -> Result<()> {
    for (key, name, column) in policy.declared() {
        if name.is_empty() {
            return Err(Error::policy(key, "the name of the column is empty", "name the column"));
        }
        check_subject_role(policy, &key, name, column)?;
        if let Some(treatment) = &column.treatment {
            check_treatment(policy, &format!("{key}.treatment"), column.role, treatment)?;
        }
        hierarchy::check(&key, column)?;
    }
    for (key, name, column) in policy.declared() {
        check_generalize_to(policy, &key, name, column)?;
    }
    Ok(())
}

fn check_subject_role(policy: &Policy, key: &str, name: &str, column: &Column) -> Result<()> {
    if column.role != Role::Subject {
        return Ok(());
    }
    let named = policy.subject.as_ref().map(|subject| subject.column.as_str());
    if named != Some(name) {
        return Err(Error::policy(
            format!("{key}.role"),
            "the role subject may only repeat subject.column",
            format!("write [subject] with column = {name:?}, or choose another role (identifier, other, …)"),
        ));
    }
    if column.treatment.is_some() {
        return Err(Error::policy(
            format!("{key}.treatment"),
            "the column that names the person has its treatment in [subject]",
            "remove it; give subject.pseudonym (scope = \"none\" drops the column)",
        ));
    }
    Ok(())
}

fn check_treatment(policy: &Policy, key: &str, role: Role, treatment: &Treatment) -> Result<()> {
    let allowed = match treatment {
        Treatment::Drop => true,
        Treatment::Keep => role != Role::Identifier,
        Treatment::Relative | Treatment::Truncate(_) | Treatment::Shift { .. } => role == Role::Time,
        Treatment::Buckets(_) | Treatment::Round(_) | Treatment::Clamp(_, _) => {
            matches!(role, Role::Measure | Role::QuasiIdentifier | Role::Sensitive | Role::Other)
        }
        Treatment::Pseudonym(_) => role == Role::Identifier,
    };
    if !allowed {
        let remedy = match role {
            Role::Identifier => "an identifier may only be dropped or pseudonymized",
            Role::Time => "a time may be dropped, kept, truncated, shifted or made relative",
            Role::Item => "an item may only be dropped or kept",
            Role::Subject => "remove it; give subject.pseudonym",
            Role::Measure | Role::QuasiIdentifier | Role::Sensitive | Role::Other => {
                "it may be dropped, kept, put into buckets, rounded or clamped; pseudonyms are for identifiers, the rest for times"
            }
        };
        return Err(Error::policy(key, format!("the treatment {} does not fit the role {role}", treatment.name()), remedy));
    }
    match treatment {
        Treatment::Relative | Treatment::Shift { .. } if policy.subject.is_none() => Err(Error::policy(
            key,
            format!("the treatment {} works person by person, but no column names the person", treatment.name()),
            "add [subject]",
        )),
        Treatment::Shift { days } if !(1..=36_500).contains(days) => {
            Err(Error::policy(format!("{key}.shift.days"), format!("{days} days are out of range"), "give 1 to 36500 days"))
        }
        Treatment::Buckets(bounds) => check_buckets(&format!("{key}.buckets"), bounds),
        Treatment::Round(to) if !(to.is_finite() && *to > 0.0) => {
            Err(Error::policy(format!("{key}.round"), "the multiple must be a positive, finite number", "give for example round = 1000"))
        }
        Treatment::Clamp(low, high) if !(low.is_finite() && high.is_finite() && low <= high) => Err(Error::policy(
            format!("{key}.clamp"),
            "the bounds must be finite and in order",
            "give clamp = [low, high] with low at most high",
        )),
        _ => Ok(()),
    }
}

fn check_buckets(key: &str, bounds: &[f64]) -> Result<()> {
    if bounds.is_empty() {
        return Err(Error::policy(key, "the list is empty", "give at least one bound, for example [30000, 120000]"));
    }
    for (index, bound) in bounds.iter().enumerate() {
        if !bound.is_finite() {
            return Err(Error::policy(
                format!("{key}[{index}]"),
                "a bound must be a finite number",
                "correct it; the outermost buckets are open",
            ));
        }
    }
    for (index, pair) in bounds.windows(2).enumerate() {
        let [low, high] = pair else { continue };
        if low >= high {
            return Err(Error::policy(
                format!("{key}[{}]", index + 1),
                "the bounds are not strictly increasing",
                "sort them and give each once",
            ));
        }
    }
    Ok(())
}

fn check_generalize_to(policy: &Policy, key: &str, name: &str, column: &Column) -> Result<()> {
    let Some(target) = &column.generalize_to else { return Ok(()) };
    let key = format!("{key}.generalize_to");
    if column.role != Role::Item {
        return Err(Error::policy(
            key,
            format!("a column of role {} has no item hierarchy", column.role),
            "give it role = \"item\", or a hierarchy if it is a quasi-identifier",
        ));
    }
    let tables = tables_of(policy, name, column);
    let declared: Vec<Column> = tables.iter().filter_map(|table| policy.declaration(*table, target)).collect();
    if declared.is_empty() {
        // A file is refused by `check_supported`.
        return if is_file_name(target) {
            Ok(())
        } else {
            Err(Error::policy(
                key,
                format!("no column {target} is declared"),
                format!("declare {target} with role = \"item\", or correct the name"),
            ))
        };
    }
    if let Some(other) = declared.iter().find(|other| other.role != Role::Item) {
        return Err(Error::policy(key, format!("column {target} has the role {}", other.role), format!("give {target} the role item")));
    }
    for table in tables {
        let chain = policy.item_chain(table, name);
        let next = chain.last().and_then(|last| policy.declaration(table, last)).and_then(|last| last.generalize_to);
        if next.is_some() {
            return Err(Error::policy(
                key,
                format!("the item hierarchy runs in a circle: {}", chain.join(", ")),
                "remove generalize_to from one of them",
            ));
        }
    }
    Ok(())
}

/// The tables for which this declaration counts.
fn tables_of(policy: &Policy, name: &str, column: &Column) -> Vec<Table> {
    [Table::Events, Table::Profiles]
        .into_iter()
        .filter(|table| policy.column(*table, name).is_some_and(|effective| std::ptr::eq(effective, column)))
        .collect()
}
