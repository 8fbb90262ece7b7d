//! How much information a generalization loses.
//!
//! A [`QualityMetric`] gives every generalized table a [`Score`]; the search looks for the smallest. Rows of outlier classes count as suppressed.
//! [`Loss`] is the metric to start with; see [`search`](super::search) for an example.

mod aggregate;
mod loss;
mod score;

pub use aggregate::Aggregate;
pub use loss::Loss;
pub use score::Score;

use super::classes::Classes;
use super::hierarchy::{Hierarchy, Level};
use crate::error::{Error, Result};
use crate::policy::{Metric, Quality};
use std::fmt::Debug;

/// A table at given levels, as metrics see it.
#[derive(Debug, Clone, Copy)]
pub struct GeneralizedTable<'a> {
    /// One a column.
    pub hierarchies: &'a [Hierarchy],
    /// One a column.
    pub levels: &'a [usize],
    /// The classes at these levels.
    pub classes: &'a Classes,
    /// Whether each class is suppressed.
    pub outliers: &'a [bool],
    /// All rows, the suppressed ones too.
    pub rows: u64,
    pub(super) leaves: &'a [Vec<u32>],
}

impl<'a> GeneralizedTable<'a> {
    /// The level of one column.
    ///
    /// # Errors
    /// There is no such column or level.
    pub fn level(&self, column: usize) -> Result<&'a Level> {
        match (self.hierarchies.get(column), self.levels.get(column)) {
            (Some(hierarchy), Some(&level)) => hierarchy.level(level),
            _ => Err(Error::Parameter { name: "column", problem: "must be one of the table".to_owned() }),
        }
    }

    /// The leaf of one column in one tuple of every class. All leaves of a class have the same generalized code.
    pub fn leaves(&self, column: usize) -> impl Iterator<Item = u32> {
        self.classes.first_tuples().iter().filter_map(move |&tuple| self.leaves.get(column)?.get(tuple as usize).copied())
    }
}

/// Information lost by a generalization; smaller is better.
pub trait QualityMetric: Debug + Send + Sync {
    /// The score of one table.
    ///
    /// # Errors
    /// The table has other columns than the metric was made for.
    fn score(&self, table: &GeneralizedTable<'_>) -> Result<Score>;
}

/// The metric that a policy declares for these quasi-identifiers.
///
/// # Errors
/// The metric is not available in this version, or its parameters are wrong.
pub fn from_policy(quality: &Quality, columns: &[&str]) -> Result<Box<dyn QualityMetric>> {
    match quality.metric {
        Metric::Loss => Ok(Box::new(Loss::new(quality, columns)?)),
        // The names of metrics are those of the policy, so serde knows them.
        other => {
            let name = serde_json::to_value(other).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
            Err(Error::unsupported("products.quality.metric", name))
        }
    }
}
