//! Differentially private products: declared here, built by a later version, refused until then.

use crate::units::{Delta, Epsilon};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

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
#[serde(untagged, try_from = "HistogramKeyTable")]
pub enum HistogramKey {
    /// A column.
    Column {
        /// Its name.
        column: String,
        /// Its values, where they are public.
        #[serde(skip_serializing_if = "Option::is_none")]
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistogramKeyTable {
    column: Option<String>,
    domain: Option<Vec<String>>,
    hour_of: Option<String>,
    day_of: Option<String>,
}

impl TryFrom<HistogramKeyTable> for HistogramKey {
    type Error = &'static str;

    fn try_from(table: HistogramKeyTable) -> Result<Self, &'static str> {
        match table {
            HistogramKeyTable { column: Some(column), domain, hour_of: None, day_of: None } => Ok(Self::Column { column, domain }),
            HistogramKeyTable { hour_of: Some(hour_of), column: None, domain: None, day_of: None } => Ok(Self::HourOf { hour_of }),
            HistogramKeyTable { day_of: Some(day_of), column: None, domain: None, hour_of: None } => Ok(Self::DayOf { day_of }),
            _ => Err(
                "the keys do not describe one key of a histogram; give one of { column = \"…\", domain = […] }, { hour_of = \"…\" }, { day_of = \"…\" }",
            ),
        }
    }
}

/// One aggregate of a histogram.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Aggregate {
    /// `"subjects"` or `"count"`.
    Count(String),
    /// Quantiles of a column.
    Quantiles(Quantiles),
    /// Sum, mean or variance of a column.
    Moment(ClampedColumn),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AggregateTable {
    sum: Option<String>,
    mean: Option<String>,
    variance: Option<String>,
    quantiles: Option<Vec<f64>>,
    column: Option<String>,
    clamp: (f64, f64),
}

impl TryFrom<AggregateTable> for Aggregate {
    type Error = &'static str;

    fn try_from(table: AggregateTable) -> Result<Self, &'static str> {
        let AggregateTable { sum, mean, variance, quantiles, column, clamp } = table;
        match (quantiles, column, [&sum, &mean, &variance].into_iter().flatten().count()) {
            (Some(quantiles), Some(column), 0) => Ok(Self::Quantiles(Quantiles { quantiles, column, clamp })),
            (None, None, 1) => Ok(Self::Moment(ClampedColumn { sum, mean, variance, clamp })),
            _ => Err("the keys do not describe one aggregate; give one of sum, mean, variance, or quantiles with column, and clamp"),
        }
    }
}

impl<'de> Deserialize<'de> for Aggregate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AggregateVisitor)
    }
}

struct AggregateVisitor;

impl<'de> Visitor<'de> for AggregateVisitor {
    type Value = Aggregate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"subjects\", \"count\", or a table with sum, mean, variance or quantiles")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Aggregate, E> {
        match word {
            "subjects" | "count" => Ok(Aggregate::Count(word.to_owned())),
            _ => Err(E::unknown_variant(word, &["subjects", "count"])),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Aggregate, M::Error> {
        let table = AggregateTable::deserialize(MapAccessDeserializer::new(map))?;
        Aggregate::try_from(table).map_err(M::Error::custom)
    }
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
