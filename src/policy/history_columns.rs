//! Which columns a product of whole histories needs: items, their names, times, attributes.

use super::bind::in_list;
use super::{Canonical, CohortsProduct, FragmentOrder, FragmentsProduct, Policy, Product, Role, SameItems, Table};
use crate::error::{Error, Result};

/// What the products of whole histories have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HistoryProduct<'a> {
    pub(crate) name: &'a str,
    pub(crate) item: Option<&'a str>,
    pub(crate) items: Option<&'a SameItems>,
    pub(crate) k: u64,
    pub(crate) max_items_per_subject: Option<u64>,
    /// Whether times are needed.
    pub(crate) needs_time: bool,
    /// The column that is named for them.
    pub(crate) time: Option<&'a str>,
    pub(crate) attributes: &'a [String],
}

impl CohortsProduct {
    pub(crate) fn common(&self) -> HistoryProduct<'_> {
        HistoryProduct {
            name: &self.name,
            item: self.item.as_deref(),
            items: self.items.as_ref(),
            k: self.k.get(),
            max_items_per_subject: self.max_items_per_subject,
            needs_time: false,
            time: None,
            attributes: &self.attributes,
        }
    }
}

impl FragmentsProduct {
    pub(crate) fn common(&self) -> HistoryProduct<'_> {
        let needs_time = self.order == FragmentOrder::Kept || self.sessions.is_some();
        HistoryProduct {
            name: &self.name,
            item: self.item.as_deref(),
            items: self.items.as_ref(),
            k: self.k.get(),
            max_items_per_subject: self.max_items_per_subject,
            needs_time,
            time: self.time.as_deref(),
            attributes: &[],
        }
    }
}

impl Product {
    /// What the product has in common with others that are made from whole histories; none for other kinds.
    pub(crate) fn of_histories(&self) -> Option<HistoryProduct<'_>> {
        match self {
            Self::Cohorts(product) => Some(product.common()),
            Self::Fragments(product) => Some(product.common()),
            _ => None,
        }
    }
}

/// The columns of a product of whole histories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HistoryColumns {
    /// The items.
    pub(crate) item: String,
    /// Columns whose texts make up the name of an item; none unless items with the same name are the same.
    pub(crate) names: Vec<String>,
    /// The times, where they are needed.
    pub(crate) time: Option<String>,
    /// Attributes of people, with the table that has them.
    pub(crate) attributes: Vec<(Table, String)>,
}

impl Policy {
    /// The columns that a product of whole histories needs, given the names of the columns of both tables.
    ///
    /// # Errors
    /// [`Error::Policy`] if one is not there, or it is not clear which it is.
    pub(crate) fn history_columns(
        &self,
        key: &str,
        product: &HistoryProduct<'_>,
        events: &[&str],
        profiles: Option<&[&str]>,
    ) -> Result<HistoryColumns> {
        let item = self.history_item(key, product, events)?;
        let names = match product.items {
            Some(SameItems { canonical: Canonical::Name, names }) => names_of_items(key, &item, names.as_deref(), events)?,
            _ => Vec::new(),
        };
        let time = product.needs_time.then(|| self.history_time(key, product.time, events)).transpose()?;
        let attributes = product
            .attributes
            .iter()
            .enumerate()
            .map(|(place, name)| {
                if profiles.is_some_and(|columns| columns.contains(&name.as_str())) {
                    Ok((Table::Profiles, name.clone()))
                } else if events.contains(&name.as_str()) {
                    Ok((Table::Events, name.clone()))
                } else {
                    Err(Error::policy(
                        format!("{key}.attributes[{place}]"),
                        format!("neither the profiles nor the events have a column {name}"),
                        "correct the name, give the profiles with --profiles, or remove it from the list",
                    ))
                }
            })
            .collect::<Result<_>>()?;
        Ok(HistoryColumns { item, names, time, attributes })
    }

    fn history_item(&self, key: &str, product: &HistoryProduct<'_>, events: &[&str]) -> Result<String> {
        let key = format!("{key}.item");
        if let Some(named) = product.item {
            if !events.contains(&named) {
                return Err(Error::policy(
                    key,
                    format!("the events table has no column {named}"),
                    "name one of its columns of role \"item\"",
                ));
            }
            return Ok(named.to_owned());
        }
        let items: Vec<&str> = events
            .iter()
            .copied()
            .filter(|name| self.declaration(Table::Events, name).is_some_and(|column| column.role == Role::Item && !column.is_dropped()))
            .collect();
        match (items.as_slice(), self.finest_item(Table::Events, &items)) {
            ([], _) => Err(Error::policy(
                key,
                format!("product {} needs items, and the events table has none", product.name),
                "give a column role = \"item\" (not dropped)",
            )),
            (_, Some(finest)) => Ok(finest.to_owned()),
            (several, None) => Err(Error::policy(
                key,
                format!("several columns are items and do not form one hierarchy: {}", in_list(several.iter().copied())),
                "say which one with item = \"…\"",
            )),
        }
    }

    fn history_time(&self, key: &str, named: Option<&str>, events: &[&str]) -> Result<String> {
        let key = format!("{key}.time");
        let is_time = |name: &str| self.declaration(Table::Events, name).is_some_and(|column| column.role == Role::Time);
        let times: Vec<&str> = events.iter().copied().filter(|name| is_time(name)).collect();
        match (named, times.as_slice()) {
            (Some(named), _) if times.contains(&named) => Ok(named.to_owned()),
            (Some(named), _) => Err(Error::policy(
                key,
                format!("the events table has no column {named} of role time"),
                "name a column of role \"time\" (it may be dropped)",
            )),
            (None, [only]) => Ok((*only).to_owned()),
            (None, []) => Err(Error::policy(
                key,
                "order and sessions need times, and the events table has no column of role time",
                "give a column role = \"time\" (it may be dropped), or remove order and sessions",
            )),
            (None, several) => Err(Error::policy(
                key,
                format!("the events table has several columns of role time: {}", in_list(several.iter().copied())),
                "name one of them with time = \"…\"",
            )),
        }
    }
}

/// The columns of names that were listed, or those that belong to the item column: `artist_name` to `artist_id`, `track_name` and `artist_name` to `track_id`.
fn names_of_items(key: &str, item: &str, listed: Option<&[String]>, events: &[&str]) -> Result<Vec<String>> {
    let key = format!("{key}.items.names");
    let missing = |name: &str| {
        Error::policy(
            &key,
            format!("the events table has no column {name}, which would tell the items of {item} that are the same"),
            "list the columns of names with names = […], or give a mapping with canonical = { file = \"…\" }",
        )
    };
    if let Some(listed) = listed {
        return match listed.iter().find(|name| !events.contains(&name.as_str())) {
            Some(name) => Err(missing(name)),
            None => Ok(listed.to_vec()),
        };
    }
    let own = format!("{}_name", item.strip_suffix("_id").unwrap_or(item));
    if !events.contains(&own.as_str()) {
        return Err(missing(&own));
    }
    let of_artist = own != "artist_name" && events.contains(&"artist_name");
    Ok(std::iter::once(own).chain(of_artist.then(|| "artist_name".to_owned())).collect())
}
