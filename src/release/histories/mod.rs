//! The products that are made from whole histories: cohorts and fragments.

mod assess;
mod attack;
mod cohorts;
mod earlier;
mod fragments;
mod losses;
mod matrix;
mod people;
mod read;
mod write;

pub(super) use assess::assess;
pub(super) use cohorts::{is_sensitive, members_of};
pub(super) use earlier::Entry;
pub(super) use fragments::{KM, may_repeat};
pub(super) use read::ReleasedColumns;

use super::pool::Pool;
use super::report::{Guarantee, ProductReport};
use super::sequence::Sequence;
use crate::error::{Error, Result};
use crate::io::SinkFormat;
use crate::keys::{Domain, Key};
use crate::policy::{HistoryColumns, HistoryProduct, Policy, Product, Table};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// What the policy promises of a product of whole histories, with nothing found yet.
pub(super) fn declared_guarantees(product: &Product) -> Vec<Guarantee> {
    match product {
        Product::Cohorts(product) => cohorts::declared_guarantees(product),
        Product::Fragments(product) => fragments::declared_guarantees(product),
        _ => Vec::new(),
    }
}

/// Columns that products of whole histories need of a table.
#[derive(Debug, Clone, Default)]
pub(super) struct Needs {
    /// Columns whose values get codes.
    pub(super) coded: BTreeSet<String>,
    /// Columns of times.
    pub(super) times: BTreeSet<String>,
}

/// What the products of a policy need of the events and of the profiles, whose columns have these names.
pub(super) fn needs(policy: &Policy, events: Option<&[&str]>, profiles: Option<&[&str]>) -> Result<(Needs, Needs)> {
    let (mut of_events, mut of_profiles) = (Needs::default(), Needs::default());
    for (index, product) in policy.products.iter().enumerate() {
        let Some(product) = product.of_histories() else { continue };
        let columns = policy.history_columns(&format!("products[{index}]"), &product, events.unwrap_or_default(), profiles)?;
        of_events.coded.insert(columns.item);
        of_events.coded.extend(columns.names);
        of_events.times.extend(columns.time);
        for (table, name) in columns.attributes {
            match table {
                Table::Events => of_events.coded.insert(name),
                Table::Profiles => of_profiles.coded.insert(name),
            };
        }
    }
    Ok((of_events, of_profiles))
}

/// What a product of whole histories is made and measured with.
#[derive(Debug, Clone, Copy)]
pub(super) struct HistoryWorkshop<'a> {
    pub(super) policy: &'a Policy,
    pub(super) product: HistoryProduct<'a>,
    pub(super) pool: &'a Pool,
    pub(super) key: &'a Key,
    /// Makes ids and orders that nobody can make again; forgotten with the run.
    pub(super) irreversible: &'a Key,
    /// The earlier releases, if the run has a register of them.
    pub(super) sequence: Option<&'a Sequence>,
    /// Seed of all attacks.
    pub(super) seed: [u8; 32],
    pub(super) memory: usize,
    pub(super) threads: usize,
}

/// A product of whole histories that was written and measured.
#[derive(Debug)]
pub(super) struct MadeHistories {
    pub(super) report: ProductReport,
    /// What was fitted, for the steward.
    pub(super) fitted: Value,
    /// What of it the release shows, for the recipient.
    pub(super) shown: Value,
    /// Time spent before anything was written.
    pub(super) fit_seconds: f64,
    /// Time spent writing.
    pub(super) write_seconds: f64,
    /// What the register is to hold of it.
    pub(super) entry: Option<Entry>,
}

impl HistoryWorkshop<'_> {
    /// Makes the product, writes it to `path`, recounts it from the file and attacks it. `measuring` is told when the attacks begin.
    pub(super) fn make(&self, product: &Product, path: &Path, format: SinkFormat, measuring: &dyn Fn()) -> Result<MadeHistories> {
        match product {
            Product::Cohorts(product) => self.cohorts(product, path, format, measuring),
            Product::Fragments(product) => self.fragments(product, path, format, measuring),
            other => Err(Error::unsupported(format!("products.{}", other.name()), format!("the product kind {}", other.kind().name()))),
        }
    }

    /// The key of a domain of this product.
    fn derived(&self, key: &Key, purpose: &str) -> Key {
        key.derive(&Domain {
            recipient: &self.policy.recipient,
            release: &self.policy.name,
            product: self.product.name,
            ..Domain::of(purpose)
        })
    }

    /// The key of ids and of the order of rows: where tokens of people are irreversible, so is what whoever holds pool and key could make again. Ids of one release are none of the next.
    fn naming(&self, purpose: &str) -> Key {
        let irreversible = self.policy.subject.as_ref().is_some_and(|subject| subject.pseudonym.irreversible);
        let key = self.derived(if irreversible { self.irreversible } else { self.key }, purpose);
        match self.sequence {
            Some(sequence) => key.derive(&Domain { column: &sequence.number(), ..Domain::of("one of several releases") }),
            None => key,
        }
    }

    /// The key by which people are grouped and lists are cut. Without a key file it follows from inputs and policy, so that a refused run cannot be rolled again.
    fn forming(&self) -> Key {
        self.derived(self.pool.selection(self.key), "history-forming")
    }

    /// The columns that the product needs.
    fn columns(&self) -> Result<HistoryColumns> {
        fn names(table: &super::pool::PoolTable) -> Vec<&str> {
            table.columns.keys().map(String::as_str).collect()
        }
        let events = names(self.pool.table(Table::Events)?);
        let profiles = self.pool.profiles.as_ref().map(names);
        self.policy.history_columns(&format!("products.{}", self.product.name), &self.product, &events, profiles.as_deref())
    }

    /// Fewer people than k cannot be protected by k.
    fn check_people(&self, people: u64) -> Result<()> {
        if people < self.product.k {
            return Err(Error::NoSolution {
                product: self.product.name.to_owned(),
                nearest: format!(
                    "{people} people have an item, and k is {}; lower k, pool more people, or leave the product out",
                    self.product.k
                ),
            });
        }
        Ok(())
    }
}
