//! Products as training data.

use super::interactions::Interactions;
use super::listening::Items;
use super::text_table::{TextTable, read_columns};
use crate::error::{Error, Result};
use crate::io::Source;
use crate::policy::ProductKind;
use std::sync::Arc;

/// What a product gives to train on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ProductData {
    /// Rows are people, or stand for them.
    People(Interactions),
    /// Rows are groups or pieces of people.
    Groups(Interactions),
    /// Entries of an item × item matrix.
    Pairs(Vec<(u32, u32, f64)>),
    /// Popularity by item code, and nothing else.
    Popularity(Vec<f64>),
}

/// A product that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingProduct {
    /// What can be trained on.
    pub data: ProductData,
    /// Distinct items in the product.
    pub items: usize,
    /// Those that the original data has as well; only these count.
    pub matched_items: usize,
}

/// Columns of the products that the policy names; those of the other kinds are fixed.
#[derive(Debug, Clone, Copy)]
pub struct ProductColumns<'a> {
    /// The column of the items, in products that are tables of events.
    pub item: &'a str,
    /// The column that says which rows belong to one person: the token, or the subject of synthetic histories.
    pub subject: &'a str,
}

impl TrainingProduct {
    /// Reads a product. `Ok(Err(reason))` if a product of this kind or with these columns cannot train a recommender.
    ///
    /// | kind | columns |
    /// |---|---|
    /// | records, synthetic-histories | those named by `columns`; every (person, item) counts once |
    /// | cohorts | `cohort_id`, `size`, `item`, `members`: rows of members, scaled by size^(−1/2) |
    /// | fragments | `fragment_id`, `item`; a fragment is a row |
    /// | catalogue | `item`, `subjects` (or else `plays`): popularity only |
    /// | co-listening | `item_a`, `item_b`, `value` |
    ///
    /// # Errors
    /// The file cannot be read; a column has another type; a cohort has several sizes; a size or a number of members is not above 0.
    pub fn read(
        kind: ProductKind,
        sources: &[Arc<dyn Source>],
        columns: ProductColumns<'_>,
        items: &Items,
    ) -> Result<std::result::Result<Self, String>> {
        let has = |name: &str| sources.iter().all(|source| source.schema().column_with_name(name).is_some());
        let missing = |names: &[&str]| names.iter().find(|name| !has(name)).map(|name| format!("has no column {name}"));
        let reading = match kind {
            ProductKind::Records | ProductKind::SyntheticHistories => {
                if !has(columns.subject) {
                    return Ok(Err(format!("no column {} says which rows belong to one person", columns.subject)));
                }
                if !has(columns.item) {
                    return Ok(Err(format!("has no column {} with the items", columns.item)));
                }
                Self::rows(sources, columns.subject, columns.item, items)?
            }
            ProductKind::Cohorts => match missing(&["cohort_id", "size", "item", "members"]) {
                Some(reason) => return Ok(Err(reason)),
                None => Self::cohorts(&read_columns(sources, &["cohort_id", "item"], &["size", "members"], &[])?, items)?,
            },
            ProductKind::Fragments => match missing(&["fragment_id", "item"]) {
                Some(reason) => return Ok(Err(reason)),
                None => {
                    let read = Self::rows(sources, "fragment_id", "item", items)?;
                    match read.data {
                        ProductData::People(rows) => Self { data: ProductData::Groups(rows), ..read },
                        _ => read,
                    }
                }
            },
            ProductKind::Catalogue => {
                let count = if has("subjects") { "subjects" } else { "plays" };
                match missing(&["item", count]) {
                    Some(reason) => return Ok(Err(reason)),
                    None => Self::catalogue(&read_columns(sources, &["item"], &[count], &[])?, items),
                }
            }
            ProductKind::CoListening => match missing(&["item_a", "item_b", "value"]) {
                Some(reason) => return Ok(Err(reason)),
                None => Self::pairs(&read_columns(sources, &["item_a", "item_b"], &["value"], &[])?, items),
            },
            ProductKind::Histogram => return Ok(Err("a histogram says nothing about which items go together".to_owned())),
            ProductKind::SyntheticProfiles => return Ok(Err("profiles say nothing about items".to_owned())),
        };
        if reading.matched_items == 0 && reading.items > 0 {
            return Ok(Err(format!(
                "none of its {} items is an item of the originals: they were replaced or generalized, or another column is meant",
                reading.items
            )));
        }
        Ok(Ok(reading))
    }

    fn rows(sources: &[Arc<dyn Source>], row: &str, item: &str, items: &Items) -> Result<Self> {
        let table = read_columns(sources, &[row, item], &[], &[])?;
        let codes = items.codes_of(&table.texts[1].values);
        let mut lists = vec![Vec::new(); table.texts[0].values.len()];
        for (&row, &item) in table.texts[0].codes.iter().zip(&table.texts[1].codes) {
            if let (Some(list), Some(Some(code))) = (lists.get_mut(row as usize), codes.get(item as usize)) {
                list.push(*code);
            }
        }
        Ok(Self::of(ProductData::People(Interactions::from_lists(&lists, items.len())?), &codes))
    }

    fn cohorts(table: &TextTable, items: &Items) -> Result<Self> {
        let (cohorts, codes) = (&table.texts[0], items.codes_of(&table.texts[1].values));
        let mut rows: Vec<Vec<(u32, f32)>> = vec![Vec::new(); cohorts.values.len()];
        let mut sizes = vec![f64::NAN; cohorts.values.len()];
        for (row, (&cohort, &item)) in cohorts.codes.iter().zip(&table.texts[1].codes).enumerate() {
            let (size, members) = (table.numbers[0][row], table.numbers[1][row]);
            let Some(known) = sizes.get_mut(cohort as usize) else { continue };
            if !(size.is_finite() && size > 0.0 && members.is_finite() && members > 0.0) {
                return Err(Error::rows("members", 1, "size and members must be numbers above 0", "give the file as it was released").first_at(row));
            }
            if !known.is_nan() && known.to_bits() != size.to_bits() {
                return Err(Error::rows("size", 1, "a cohort has two sizes", "give the file as it was released").first_at(row));
            }
            *known = size;
            if let Some(Some(code)) = codes.get(item as usize) {
                #[expect(clippy::cast_possible_truncation, reason = "a number of people in one cohort")]
                rows[cohort as usize].push((*code, members as f32));
            }
        }
        let scales = sizes.iter().map(|size| size.sqrt().recip()).collect();
        Ok(Self::of(ProductData::Groups(Interactions::from_rows(&rows, items.len())?.scaled(scales)?), &codes))
    }

    fn catalogue(table: &TextTable, items: &Items) -> Self {
        let codes = items.codes_of(&table.texts[0].values);
        let mut popularity = vec![0.0; items.len()];
        for (&item, &count) in table.texts[0].codes.iter().zip(&table.numbers[0]) {
            if let Some(Some(code)) = codes.get(item as usize) {
                // Noise may have left less than nothing of an item that exists.
                popularity[*code as usize] = if count.is_finite() { count.max(f64::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
            }
        }
        Self::of(ProductData::Popularity(popularity), &codes)
    }

    fn pairs(table: &TextTable, items: &Items) -> Self {
        let [a, b] = [0, 1].map(|column| items.codes_of(&table.texts[column].values));
        let rows = table.texts[0].codes.iter().zip(&table.texts[1].codes).zip(&table.numbers[0]);
        let pairs = rows.filter_map(|((&first, &second), &value)| {
            Some((a.get(first as usize).copied().flatten()?, b.get(second as usize).copied().flatten()?, value))
        });
        let mut texts: Vec<&String> = table.texts[0].values.iter().chain(&table.texts[1].values).collect();
        texts.sort_unstable();
        texts.dedup();
        let matched_items = texts.iter().filter(|text| items.code(text).is_some()).count();
        Self { data: ProductData::Pairs(pairs.collect()), items: texts.len(), matched_items }
    }

    fn of(data: ProductData, codes: &[Option<u32>]) -> Self {
        Self { data, items: codes.len(), matched_items: codes.iter().flatten().count() }
    }
}

