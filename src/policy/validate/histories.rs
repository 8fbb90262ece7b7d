//! The products that are made from whole histories.

use super::products::{at_least, check_item, check_reason};
use crate::error::{Error, Result};
use crate::policy::history_columns::HistoryProduct;
use crate::policy::{Canonical, CohortsProduct, Column, FragmentOrder, FragmentsProduct, Policy, Role, Table};
use crate::units::Share;

/// Longest gap inside a session, in minutes: a week.
const LONGEST_GAP: u32 = 7 * 24 * 60;

/// Most items of a fragment.
const LONGEST_FRAGMENT: u64 = 64;

/// Most items of a combination whose people are counted.
const LARGEST_COMBINATION: u64 = 3;

fn at_most(key: &str, value: u64, maximum: u64, because: &str) -> Result<()> {
    if value > maximum {
        return Err(Error::policy(key, format!("{value} is too large: {because}"), format!("give at most {maximum}")));
    }
    Ok(())
}

pub(super) fn check_cohorts(policy: &Policy, index: usize, product: &CohortsProduct) -> Result<()> {
    let key = format!("products[{index}]");
    check_common(policy, &key, &product.common())?;
    at_least(&format!("{key}.min_members"), product.min_members, 1)?;
    if product.min_members > product.k.get() {
        return Err(Error::policy(
            format!("{key}.min_members"),
            format!("{} is more than the {} people of a small cohort", product.min_members, product.k.get()),
            "give at most k, for example 2 or 3",
        ));
    }
    let shown = shown_of(product.k.get(), product.max_share);
    if shown < product.min_members {
        return Err(Error::policy(
            format!("{key}.max_share"),
            format!(
                "of {} people at most {shown} would be shown, fewer than min_members = {}, so a cohort would show nothing",
                product.k.get(),
                product.min_members
            ),
            "raise max_share, or lower min_members",
        ));
    }
    check_attributes(policy, &key, product)?;
    check_reason(&key, product.accept_risk.as_deref())
}

/// The most people of `k` that may be shown to share an item.
fn shown_of(k: u64, share: Share) -> u64 {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and k")]
    let shown = (share.get() * k as f64 + 1e-9).floor() as u64;
    shown.min(k)
}

pub(super) fn check_fragments(policy: &Policy, index: usize, product: &FragmentsProduct) -> Result<()> {
    let key = format!("products[{index}]");
    check_common(policy, &key, &product.common())?;
    at_least(&format!("{key}.max_items"), product.max_items, 1)?;
    at_most(&format!("{key}.max_items"), product.max_items, LONGEST_FRAGMENT, "longer pieces are histories again")?;
    at_least(&format!("{key}.m"), product.m, 1)?;
    at_most(&format!("{key}.m"), product.m, LARGEST_COMBINATION, "larger combinations are not counted")?;
    if product.m > product.max_items {
        return Err(Error::policy(
            format!("{key}.m"),
            format!("combinations of {} items do not fit into fragments of {}", product.m, product.max_items),
            "lower m, or raise max_items",
        ));
    }
    if let Some(sessions) = product.sessions
        && !(1..=LONGEST_GAP).contains(&sessions.gap_minutes)
    {
        return Err(Error::policy(
            format!("{key}.sessions.gap_minutes"),
            format!("{} minutes are out of range", sessions.gap_minutes),
            format!("give 1 to {LONGEST_GAP} minutes"),
        ));
    }
    if let Some(time) = &product.time {
        let key = format!("{key}.time");
        if product.sessions.is_none() && product.order == FragmentOrder::Shuffled {
            return Err(Error::policy(key, "nothing of this product needs times", "remove it, or give order = \"kept\" or sessions"));
        }
        check_role(policy, &key, time, &[Role::Time], "name a column of role \"time\" (it may be dropped)")?;
    }
    check_reason(&key, product.accept_risk.as_deref())
}

fn check_common(policy: &Policy, key: &str, product: &HistoryProduct<'_>) -> Result<()> {
    if policy.subject.is_none() {
        return Err(Error::policy(
            "subject",
            format!("product {} is made from the histories of people, and no column names the person", product.name),
            "add [subject] with the column that names the person",
        ));
    }
    check_item(policy, key, product.item)?;
    if let Some(item) = product.item
        && policy.declaration(Table::Events, item).is_some_and(|column| column.is_dropped())
    {
        return Err(Error::policy(
            format!("{key}.item"),
            format!("column {item} is dropped, and the product would release it"),
            "remove treatment = \"drop\" from the column (products of the kind records list their `columns`), or name another item",
        ));
    }
    if let Some(most) = product.max_items_per_subject {
        at_least(&format!("{key}.max_items_per_subject"), most, 1)?;
    }
    let Some(items) = product.items else { return Ok(()) };
    match (&items.canonical, &items.names) {
        (Canonical::File { delimiter, .. }, _) if !delimiter.is_ascii() || matches!(delimiter, '"' | '\n' | '\r') => Err(Error::policy(
            format!("{key}.items.canonical.delimiter"),
            "the separator must be an ASCII character other than a quote or a line break",
            "use for example \";\" or \",\"",
        )),
        (Canonical::File { .. }, Some(_)) => Err(Error::policy(
            format!("{key}.items.names"),
            "a file says which items are the same, so names are not compared",
            "remove names, or write canonical = \"name\"",
        )),
        (Canonical::Name, Some(names)) if names.is_empty() => {
            Err(Error::policy(format!("{key}.items.names"), "the list is empty", "name columns of texts, or leave the key out"))
        }
        (Canonical::Name, Some(names)) => names.iter().enumerate().try_for_each(|(place, name)| {
            let key = format!("{key}.items.names[{place}]");
            check_role(policy, &key, name, &[Role::Item, Role::Other], "name columns of role \"item\" or \"other\" (they may be dropped)")
        }),
        _ => Ok(()),
    }
}

fn check_role(policy: &Policy, key: &str, name: &str, roles: &[Role], remedy: &str) -> Result<()> {
    match policy.declaration(Table::Events, name) {
        Some(column) if roles.contains(&column.role) => Ok(()),
        Some(column) => Err(Error::policy(key, format!("column {name} has the role {}", column.role), remedy)),
        None => Err(Error::policy(key, format!("column {name} is not declared for the events table"), remedy)),
    }
}

fn check_attributes(policy: &Policy, key: &str, product: &CohortsProduct) -> Result<()> {
    if let Some(sensitive) = product.sensitive {
        at_least(&format!("{key}.sensitive.l"), sensitive.l, 2)?;
        at_most(&format!("{key}.sensitive.l"), sensitive.l, product.k.get(), "a cohort may have no more people")?;
        let any = product.attributes.iter().any(|name| policy.is_sensitive_attribute(name));
        if !any {
            return Err(Error::policy(
                format!("{key}.sensitive"),
                "none of the attributes has the role sensitive",
                "name such a column in attributes, or remove the key",
            ));
        }
    }
    for (place, name) in product.attributes.iter().enumerate() {
        let key = format!("{key}.attributes[{place}]");
        if product.attributes.iter().take(place).any(|other| other == name) {
            return Err(Error::policy(key, format!("{name} is named twice"), "name each column once"));
        }
        if ["cohort_id", "size", "item", "members"].contains(&name.as_str()) {
            return Err(Error::policy(
                key,
                format!("{name} is the name of a column of every cohorts product"),
                "rename the column with [input.columns]",
            ));
        }
        let Some(column) = policy.attribute(name) else {
            return Err(Error::policy(key, format!("column {name} is not declared"), "declare its role, or remove it from the list"));
        };
        if !matches!(column.role, Role::QuasiIdentifier | Role::Sensitive | Role::Other) {
            return Err(Error::policy(
                key,
                format!("column {name} has the role {}", column.role),
                "name columns of role \"quasi-identifier\", \"sensitive\" or \"other\"",
            ));
        }
        if column.is_dropped() {
            return Err(Error::policy(
                key,
                format!("column {name} is dropped"),
                "remove it from the list, or change what is declared about it",
            ));
        }
    }
    Ok(())
}

impl Policy {
    /// The declaration of an attribute of cohorts: that of the profiles, else that of the events.
    fn attribute(&self, name: &str) -> Option<Column> {
        [Table::Profiles, Table::Events].into_iter().find_map(|table| self.declaration(table, name))
    }

    /// Whether an attribute of cohorts is declared sensitive, for whichever table.
    pub(crate) fn is_sensitive_attribute(&self, name: &str) -> bool {
        let sensitive = |table| self.declaration(table, name).is_some_and(|column| column.role == Role::Sensitive);
        [Table::Profiles, Table::Events].into_iter().any(sensitive)
    }
}
