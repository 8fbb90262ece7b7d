//! Products as training data.

use super::gram::Gram;
use super::interactions::Interactions;
use super::listening::Items;
use super::models::Ease;
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

impl ProductData {
    /// Popularity by item code, for `items` codes: the weights of the rows, or what stands for it in a matrix (see [`Gram::of_pairs`]).
    ///
    /// # Errors
    /// Pairs that are no matrix.
    pub fn popularity(&self, items: usize) -> Result<Vec<f64>> {
        Ok(match self {
            Self::People(rows) | Self::Groups(rows) => rows.popularity(),
            Self::Pairs(pairs) => Gram::of_pairs(pairs, items, 0)?.popularity().to_vec(),
            Self::Popularity(popularity) => popularity.clone(),
        })
    }
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

/// Whether a product can train a recommender.
#[derive(Debug, Clone, PartialEq)]
pub enum Trainable {
    /// It can.
    Product(TrainingProduct),
    /// Why not.
    No(String),
}

impl TrainingProduct {
    /// Reads a product, if one of its kind and with its columns can train a recommender.
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
    pub fn read(kind: ProductKind, sources: &[Arc<dyn Source>], columns: ProductColumns<'_>, items: &Items) -> Result<Trainable> {
        let has = |name: &str| sources.iter().all(|source| source.schema().column_with_name(name).is_some());
        let count = if has("subjects") { "subjects" } else { "plays" };
        let needed: &[&str] = match kind {
            ProductKind::Records | ProductKind::SyntheticHistories => &[columns.subject, columns.item],
            ProductKind::Cohorts => &["cohort_id", "item", "size", "members"],
            ProductKind::Fragments => &["fragment_id", "item"],
            ProductKind::Catalogue => &["item", count],
            ProductKind::CoListening => &["item_a", "item_b", "value"],
            ProductKind::Histogram => return Ok(Trainable::No("a histogram says nothing about which items go together".to_owned())),
            ProductKind::SyntheticProfiles => return Ok(Trainable::No("profiles say nothing about items".to_owned())),
        };
        if let Some(missing) = needed.iter().find(|name| !has(name)) {
            let use_of = if *missing == columns.subject { "says which rows belong to one person" } else { "holds what it needs" };
            return Ok(Trainable::No(format!("no column {missing} {use_of}")));
        }
        let read = match kind {
            ProductKind::Cohorts => Self::cohorts(&read_columns(sources, &needed[..2], &needed[2..], &[])?, items)?,
            ProductKind::Catalogue => Self::catalogue(&read_columns(sources, &needed[..1], &needed[1..], &[])?, items),
            ProductKind::CoListening => Self::pairs(&read_columns(sources, &needed[..2], &needed[2..], &[])?, items),
            _ => {
                let (rows, codes) = rows(&read_columns(sources, needed, &[], &[])?, items)?;
                let data = if kind == ProductKind::Fragments { ProductData::Groups(rows) } else { ProductData::People(rows) };
                Self::of(data, &codes)
            }
        };
        if read.matched_items == 0 && read.items > 0 {
            return Ok(Trainable::No(format!(
                "none of its {} items is an item of the originals: they were replaced or generalized, or another column is meant",
                read.items
            )));
        }
        Ok(Trainable::Product(read))
    }

    /// Reads the weights of an EASE model that was released beside a co-listening matrix: `item_a` (known), `item_b` (recommended), `weight`. Weights from or to items that the originals do
    /// not have are left out.
    ///
    /// # Errors
    /// A column is missing or has another type, or the weights are none of EASE: see [`Ease::from_weights`].
    pub fn read_weights(sources: &[Arc<dyn Source>], items: &Items) -> Result<Ease> {
        let table = read_columns(sources, &["item_a", "item_b"], &["weight"], &[])?;
        Ease::from_weights(&pairs(&table, items), items.len())
    }

    fn cohorts(table: &TextTable, items: &Items) -> Result<Self> {
        let (cohorts, codes) = (&table.texts[0], items.codes_of(&table.texts[1].values));
        let mut rows: Vec<Vec<(u32, f32)>> = vec![Vec::new(); cohorts.values.len()];
        let mut sizes = vec![f64::NAN; cohorts.values.len()];
        for (row, (&cohort, &item)) in cohorts.codes.iter().zip(&table.texts[1].codes).enumerate() {
            let (size, members) = (table.numbers[0][row], table.numbers[1][row]);
            let Some(known) = sizes.get_mut(cohort as usize) else { continue };
            if !(size.is_finite() && size > 0.0 && members.is_finite() && members > 0.0) {
                return Err(
                    Error::rows("members", 1, "size and members must be numbers above 0", "give the file as it was released").first_at(row)
                );
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
        let mut texts: Vec<&String> = table.texts[0].values.iter().chain(&table.texts[1].values).collect();
        texts.sort_unstable();
        texts.dedup();
        let matched_items = texts.iter().filter(|text| items.code(text).is_some()).count();
        Self { data: ProductData::Pairs(pairs(table, items)), items: texts.len(), matched_items }
    }

    fn of(data: ProductData, codes: &[Option<u32>]) -> Self {
        Self { data, items: codes.len(), matched_items: codes.iter().flatten().count() }
    }
}

/// The items of every row, each once, and the code of every item of the file.
fn rows(table: &TextTable, items: &Items) -> Result<(Interactions, Vec<Option<u32>>)> {
    let codes = items.codes_of(&table.texts[1].values);
    let mut lists = vec![Vec::new(); table.texts[0].values.len()];
    for (&row, &item) in table.texts[0].codes.iter().zip(&table.texts[1].codes) {
        if let (Some(list), Some(Some(code))) = (lists.get_mut(row as usize), codes.get(item as usize)) {
            list.push(*code);
        }
    }
    Ok((Interactions::from_lists(&lists, items.len())?, codes))
}

/// Two items and a number in every row, among `items`.
fn pairs(table: &TextTable, items: &Items) -> Vec<(u32, u32, f64)> {
    let [a, b] = [0, 1].map(|column| items.codes_of(&table.texts[column].values));
    let rows = table.texts[0].codes.iter().zip(&table.texts[1].codes).zip(&table.numbers[0]);
    let of = |codes: &[Option<u32>], code: u32| codes.get(code as usize).copied().flatten();
    rows.filter_map(|((&first, &second), &value)| Some((of(&a, first)?, of(&b, second)?, value))).collect()
}
