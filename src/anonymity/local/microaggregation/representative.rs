//! What a group shows of one column.

use super::points::mean;
use crate::anonymity::local::dimension::{Dimension, DimensionKind};
use crate::anonymity::local::recoding::ClassLabels;
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, Float64Array, UInt32Array};
use arrow::compute::take;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What all rows of a group show in one column instead of their values. Missing values are left out of means and medians; where all are missing, so is
/// the label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Representative {
    /// The mean of numbers, as a float.
    Mean,
    /// The median of ordered values, the lower one of two; it keeps the type of the column.
    Median,
    /// The most frequent value, the first in order of those as frequent; it keeps the type of the column.
    Mode,
    /// The interval, set or node of a hierarchy that holds all values, as Mondrian labels it.
    Interval,
}

impl Representative {
    /// The mean of numbers, the median of other ordered values, the most frequent of other values.
    #[must_use]
    pub fn usual(dimension: &Dimension) -> Self {
        match dimension.kind() {
            _ if dimension.is_numeric() => Self::Mean,
            DimensionKind::Ordered => Self::Median,
            _ => Self::Mode,
        }
    }

    pub(super) fn check(self, dimension: &Dimension) -> Result<()> {
        let fits = match self {
            Self::Mean => dimension.is_numeric(),
            Self::Median => dimension.kind() == DimensionKind::Ordered,
            Self::Mode | Self::Interval => true,
        };
        if fits {
            return Ok(());
        }
        Err(Error::column(
            dimension.column(),
            "has no mean or median, because its values are not numbers or have no order",
            "take the mode or the interval",
        ))
    }

    /// Labels of groups, given the ranks of the rows of each; `None` for intervals.
    pub(super) fn labels(self, dimension: &Dimension, groups: impl Iterator<Item = Vec<u32>>) -> Result<Option<ClassLabels>> {
        let is_missing = |rank: u32| dimension.missing() == Some(rank);
        match self {
            Self::Interval => Ok(None),
            Self::Mean => {
                let means = groups.map(|ranks| {
                    let mean = mean(ranks.iter().filter_map(|&rank| dimension.number(rank)));
                    // 0 and −0 are the same mean.
                    (!mean.is_nan()).then(|| (mean + 0.0).to_bits())
                });
                let (keys, distinct) = numbered(means);
                let distinct: Float64Array = distinct.into_iter().map(|bits| bits.map(f64::from_bits)).collect();
                Ok(Some(ClassLabels { keys, distinct: Arc::new(distinct), of_cells: false }))
            }
            Self::Median | Self::Mode => {
                let chosen = groups.map(|mut ranks| {
                    if self == Self::Median {
                        ranks.retain(|&rank| !is_missing(rank));
                    }
                    ranks.sort_unstable();
                    let rank =
                        if self == Self::Median { ranks.get(ranks.len().saturating_sub(1) / 2).copied() } else { most_frequent(&ranks) };
                    rank.filter(|&rank| !is_missing(rank))
                });
                let (keys, distinct) = numbered(chosen);
                let Some((values, codes)) = dimension.values() else {
                    return Err(Error::Parameter { name: "dimensions", problem: "must have values".to_owned() });
                };
                let codes: UInt32Array = distinct.into_iter().map(|rank| rank.map(|rank| codes[rank as usize])).collect();
                let distinct: ArrayRef = take(values, &codes, None).map_err(|e| Error::arrow("gathering representatives", &e))?;
                Ok(Some(ClassLabels { keys, distinct, of_cells: false }))
            }
        }
    }
}

/// The most frequent of sorted ranks, the first of those as frequent.
fn most_frequent(ranks: &[u32]) -> Option<u32> {
    let mut best: Option<&[u32]> = None;
    for run in ranks.chunk_by(|one, two| one == two) {
        if best.is_none_or(|best| run.len() > best.len()) {
            best = Some(run);
        }
    }
    best.map(|run| run[0])
}

/// Labels numbered in the order in which they come first.
fn numbered<T: Copy + Eq + std::hash::Hash>(labels: impl Iterator<Item = T>) -> (Vec<u32>, Vec<T>) {
    let mut known: HashMap<T, u32> = HashMap::new();
    let mut distinct = Vec::new();
    let keys = labels
        .map(|label| {
            *known.entry(label).or_insert_with(|| {
                distinct.push(label);
                u32::try_from(distinct.len() - 1).unwrap_or(u32::MAX)
            })
        })
        .collect();
    (keys, distinct)
}
