//! The `records` product: a table, pseudonymized, generalized and suppressed.

use super::model::Model;
use crate::units::{Confidence, Share};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A released table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordsProduct {
    /// Stem of the file name.
    pub name: String,
    /// The table it is made from.
    #[serde(default)]
    pub source: Table,
    /// Columns in it; all that are not dropped if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// Privacy models that must all hold.
    #[serde(default)]
    pub models: Vec<Model>,
    /// Share of rows that may be suppressed.
    #[serde(default)]
    pub suppression_limit: SuppressionLimit,
    /// How the levels of generalization are found.
    #[serde(default)]
    pub search: Search,
    /// Levels for `search = "fixed"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: BTreeMap<String, usize>,
    /// Seconds after which a heuristic search stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<f64>,
    /// What the search minimizes.
    #[serde(default)]
    pub quality: Quality,
    /// How many people at least must share an item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_support: Option<ItemSupport>,
    /// Events of one person that may count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_events_per_subject: Option<u64>,
    /// Order of the rows in the file.
    #[serde(default)]
    pub order: Order,
    /// Why a product over the gate's limit is published all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_risk: Option<String>,
}

/// Share of rows that may be suppressed; 0 by default.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SuppressionLimit(pub Share);

impl Default for SuppressionLimit {
    fn default() -> Self {
        #[expect(clippy::unwrap_used, reason = "0 is a share")]
        Self(Share::new(0.0).unwrap())
    }
}

/// A table of the pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Table {
    /// Whatever the main input holds: listening events, or a plain table.
    #[default]
    Events,
    /// One row of attributes a person.
    Profiles,
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Table {
    /// The word for it in policies and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Profiles => "profiles",
        }
    }
}

/// How the levels of generalization are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Search {
    /// The best full-domain transformation, with proof.
    #[default]
    Optimal,
    /// A good full-domain transformation within a time limit.
    Heuristic,
    /// Levels that the policy gives.
    Fixed,
    /// Strict Mondrian.
    Mondrian,
    /// Relaxed Mondrian.
    MondrianRelaxed,
    /// MDAV microaggregation.
    Microaggregation,
    /// Full-domain generalization, then again for what was suppressed.
    Local,
}

impl Search {
    /// Whether every class is generalized in its own way, so that columns have no level.
    #[must_use]
    pub fn is_local(self) -> bool {
        matches!(self, Self::Mondrian | Self::MondrianRelaxed | Self::Microaggregation | Self::Local)
    }

    /// Name in policies and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Optimal => "optimal",
            Self::Heuristic => "heuristic",
            Self::Fixed => "fixed",
            Self::Mondrian => "mondrian",
            Self::MondrianRelaxed => "mondrian-relaxed",
            Self::Microaggregation => "microaggregation",
            Self::Local => "local",
        }
    }
}

/// What the search minimizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// The metric.
    #[serde(default)]
    pub metric: Metric,
    /// How columns are put together.
    #[serde(default)]
    pub aggregate: AggregateFunction,
    /// Balance between generalization (0) and suppression (1).
    #[serde(default = "half")]
    pub gs_factor: f64,
    /// Weights of columns; 1 where absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, f64>,
}

fn half() -> f64 {
    0.5
}

impl Default for Quality {
    fn default() -> Self {
        Self { metric: Metric::default(), aggregate: AggregateFunction::default(), gs_factor: half(), weights: BTreeMap::new() }
    }
}

/// Metrics of lost information.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Metric {
    /// Share of its domain that a value was generalized to.
    #[default]
    Loss,
    /// Non-uniform entropy, counting suppressed rows.
    NonUniformEntropy,
    /// Non-uniform entropy, monotone.
    NonUniformEntropyMonotone,
    /// Normalized entropy.
    NormalizedEntropy,
    /// Precision, counting suppressed rows.
    Precision,
    /// Precision, monotone.
    PrecisionMonotone,
    /// Sum of levels.
    Height,
    /// Discernibility, counting suppressed rows.
    Discernibility,
    /// Discernibility, monotone.
    DiscernibilityMonotone,
    /// Average size of a class.
    AverageClassSize,
    /// Ambiguity.
    Ambiguity,
    /// Kullback–Leibler divergence.
    KlDivergence,
}

impl Metric {
    /// Whether it has a value for every column, which are weighed and put together; else it has one for the table.
    #[must_use]
    pub fn has_columns(self) -> bool {
        !matches!(self, Self::Discernibility | Self::DiscernibilityMonotone | Self::AverageClassSize | Self::Ambiguity | Self::KlDivergence)
    }

    /// Whether it weighs generalization against suppression by the gs-factor.
    #[must_use]
    pub fn has_gs_factor(self) -> bool {
        self == Self::AverageClassSize || (self.has_columns() && self != Self::Height)
    }

    /// Name in policies and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::NonUniformEntropy => "non-uniform-entropy",
            Self::NonUniformEntropyMonotone => "non-uniform-entropy-monotone",
            Self::NormalizedEntropy => "normalized-entropy",
            Self::Precision => "precision",
            Self::PrecisionMonotone => "precision-monotone",
            Self::Height => "height",
            Self::Discernibility => "discernibility",
            Self::DiscernibilityMonotone => "discernibility-monotone",
            Self::AverageClassSize => "average-class-size",
            Self::Ambiguity => "ambiguity",
            Self::KlDivergence => "kl-divergence",
        }
    }
}

/// How the values of columns are put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AggregateFunction {
    /// Their sum.
    Sum,
    /// Their maximum.
    Maximum,
    /// Their mean.
    ArithmeticMean,
    /// Π(v + 1)^(1/d) − 1.
    #[default]
    GeometricMean,
    /// The list, descending, compared in order.
    Rank,
}

impl AggregateFunction {
    /// Name in policies and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Maximum => "maximum",
            Self::ArithmeticMean => "arithmetic-mean",
            Self::GeometricMean => "geometric-mean",
            Self::Rank => "rank",
        }
    }
}

/// How many people at least must share an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemSupport {
    /// The item column, where several columns are items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Distinct people.
    pub min_subjects: u64,
    /// What becomes of rows whose item has fewer.
    #[serde(default)]
    pub otherwise: Otherwise,
}

/// What becomes of rows whose item has too little support.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// The next level of the item hierarchy stands for it; suppressed when there is none left.
    Generalize,
    /// The row is left out.
    #[default]
    Suppress,
}

/// Order of the rows in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Keyed and random.
    #[default]
    Shuffled,
    /// By token, then by time.
    SubjectTime,
}

/// A confidence level that defaults to 95 %.
#[must_use]
pub(crate) fn default_confidence() -> Confidence {
    #[expect(clippy::unwrap_used, reason = "0.95 lies in (0, 1)")]
    Confidence::new(0.95).unwrap()
}
