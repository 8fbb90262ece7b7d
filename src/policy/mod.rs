//! What a steward declares: the policy file as plain data.
//!
//! Every type here mirrors a part of the TOML file and can be built in Rust as well. [`Policy::from_toml`] parses and validates;
//! a policy that was built in Rust is validated by [`Policy::validate`]. Unknown keys are errors, and whatever this version cannot do is refused, never ignored.

mod bind;
mod column;
mod dp;
mod gate;
mod histories;
mod history_columns;
mod input;
mod model;
mod parse;
mod product;
mod records;
mod split;
mod subject;
mod supported;
mod tagged;
mod validate;
mod write;

pub use column::{Column, Columns, DateUnit, Direction, HierarchySpec, LevelLimits, Missing, Role, TimeUnit, Treatment};
pub use dp::{Aggregate, CatalogueProduct, ClampedColumn, CoListeningProduct, HistogramKey, HistogramProduct, Quantiles, SyntheticProduct};
pub use gate::{AttackName, Gate, GateOn};
pub use histories::{Canonical, CohortsProduct, FragmentOrder, FragmentsProduct, SameItems, SensitiveAttributes, SessionCut, Support};
pub(crate) use history_columns::{HistoryColumns, HistoryProduct};
pub use input::{Format, Input};
pub use model::{ClassSizeEstimator, Distance, EntropyEstimator, Model};
pub use product::{Product, ProductKind};
pub use records::{AggregateFunction, ItemSupport, Metric, Order, Otherwise, Quality, RecordsProduct, Search, SuppressionLimit, Table};
pub use subject::{Period, PseudonymMethod, PseudonymSpec, Scope, Subject, TokenFormat};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A whole policy file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Version of the file format: 1.
    pub version: u32,
    /// Name of the release.
    pub name: String,
    /// What the data is for; goes into the report.
    #[serde(default)]
    pub purpose: String,
    /// Who receives it; pseudonyms are scoped to it.
    #[serde(default)]
    pub recipient: String,
    /// Products whose tokens may be joined. They are gated as one table.
    #[serde(default)]
    pub link_products: Vec<String>,
    /// How the input is to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// Which column names the person. Absent: every row is a different person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Columns of both tables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Column>,
    /// Columns of the event table only.
    #[serde(default, skip_serializing_if = "Columns::is_empty")]
    pub events: Columns,
    /// Columns of the profile table only.
    #[serde(default, skip_serializing_if = "Columns::is_empty")]
    pub profiles: Columns,
    /// What is released.
    pub products: Vec<Product>,
    /// The rule that refuses to publish.
    #[serde(default)]
    pub gate: Gate,
}

impl Policy {
    /// A policy that declares nothing yet: version 1, the default gate, no columns and no products.
    ///
    /// ```
    /// use backmask::policy::{Column, Policy, Product, RecordsProduct, Role};
    ///
    /// let mut policy = Policy::new("ages");
    /// policy.columns.insert("age".into(), Column::new(Role::Other));
    /// policy.products.push(Product::Records(RecordsProduct { name: "people".into(), ..Default::default() }));
    /// policy.validate()?;
    /// # Ok::<(), backmask::Error>(())
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            version: 1,
            name: name.into(),
            purpose: String::new(),
            recipient: String::new(),
            link_products: Vec::new(),
            input: None,
            subject: None,
            columns: BTreeMap::new(),
            events: Columns::default(),
            profiles: Columns::default(),
            products: Vec::new(),
            gate: Gate::default(),
        }
    }

    /// The declaration of a column of `table`: the table's own if it has one, else the common one.
    #[must_use]
    pub fn column(&self, table: Table, name: &str) -> Option<&Column> {
        let own = match table {
            Table::Events => &self.events,
            Table::Profiles => &self.profiles,
        };
        own.columns.get(name).or_else(|| self.columns.get(name))
    }
}

/// `name` as a TOML key: quoted where it is not bare.
pub(crate) fn quoted_key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { format!("{name:?}") }
}
