//! Differentially private products: declared here, built by a later version, refused until then.

use crate::units::{Delta, Epsilon};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Privacy budget of a product, and how it is split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// ε.
    pub epsilon: Epsilon,
    /// δ; absent for pure differential privacy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Delta>,
    /// Shares of the parts of the product.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub split: BTreeMap<String, f64>,
}

/// Which items exist, with listeners and plays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueProduct {
    /// Stem of the file name.
    pub name: String,
    /// The item column, where several are items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// ε.
    pub epsilon: Epsilon,
    /// δ.
    pub delta: Delta,
    /// Items of one person that count: L0.
    pub max_items_per_subject: u64,
    /// Plays of one item that count: L∞.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_plays_per_item: Option<u64>,
    /// Shares of ε.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub split: BTreeMap<String, f64>,
}

/// Aggregates over groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistogramProduct {
    /// Stem of the file name.
    pub name: String,
    /// What is grouped by.
    pub keys: Vec<HistogramKey>,
    /// What is computed.
    pub aggregates: Vec<Aggregate>,
    /// Groups of one person that count.
    pub max_groups_per_subject: u64,
    /// Rows of one person in a group that count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rows_per_group: Option<u64>,
    /// ε.
    pub epsilon: Epsilon,
    /// δ; needed when a key has no domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Delta>,
    /// Shares of ε.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub split: BTreeMap<String, f64>,
}

/// One key of a histogram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum HistogramKey {
    /// A column.
    Column {
        /// Its name.
        column: String,
        /// Its values, where they are public.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<Vec<String>>,
    },
    /// Hour of the day of a time.
    HourOf {
        /// The time column.
        hour_of: String,
    },
    /// Day of the week of a time.
    DayOf {
        /// The time column.
        day_of: String,
    },
}

/// One aggregate of a histogram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Aggregate {
    /// `"subjects"` or `"count"`.
    Count(String),
    /// Quantiles of a column.
    Quantiles(Quantiles),
    /// Sum, mean or variance of a column.
    Moment(ClampedColumn),
}

/// Sum, mean or variance of a clamped column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClampedColumn {
    /// Column to sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
    /// Column to average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<String>,
    /// Column whose variance is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variance: Option<String>,
    /// Bounds of one value.
    pub clamp: (f64, f64),
}

/// Quantiles of a clamped column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// Which quantiles.
    pub quantiles: Vec<f64>,
    /// Of which column.
    pub column: String,
    /// Bounds of one value.
    pub clamp: (f64, f64),
}

/// Item × item matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoListeningProduct {
    /// Stem of the file name.
    pub name: String,
    /// Name of the catalogue product whose items are used.
    pub items: String,
    /// ε.
    pub epsilon: Epsilon,
    /// δ.
    pub delta: Delta,
    /// Items of one person that count.
    pub max_items_per_subject: u64,
}

/// Synthetic people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticProduct {
    /// Stem of the file name.
    pub name: String,
    /// ε.
    pub epsilon: Epsilon,
    /// δ.
    pub delta: Delta,
    /// People to make; as many as a private count says if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<u64>,
}
