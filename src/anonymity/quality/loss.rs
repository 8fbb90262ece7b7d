//! Loss: the share of its domain that a value was generalized to.

use super::{Aggregate, GeneralizedTable, QualityMetric, Score};
use crate::error::{Error, Result};
use crate::policy::Quality;

/// The loss metric, per column between 0 (all values as they are) and 1 (nothing left), then aggregated.
///
/// With N rows, a domain of h leaves, share(v) the part of the domain that the generalized value v stands for, and the factors g and u below, a
/// column has
///
/// S = Σ over kept rows of g·share + Σ over suppressed rows of (share + u(1 − share)), or of 1 if u = 1,
/// value = max(0, (S − g·N/h) / (N − g·N/h)), cut after 10 decimals.
///
/// The gs-factor x balances generalization against suppression: g = 1 for x ≤ ½, else 1 − 2(x − ½); u = 2x for x < ½, else 1. A column whose
/// domain is a single leaf has nothing to lose and the value 0 (as long as g = 1).
///
/// # References
/// Iyengar, *Transforming data to satisfy privacy constraints* (2002), section 2; normalized and with the gs-factor as in ARX 3.9.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    generalization: f64,
    suppression: f64,
    aggregate: Aggregate,
    columns: usize,
}

impl Loss {
    /// For these quasi-identifiers.
    ///
    /// # Errors
    /// The gs-factor lies outside [0, 1], or a weight is wrong.
    pub fn new(quality: &Quality, columns: &[&str]) -> Result<Self> {
        let factor = quality.gs_factor;
        if !(0.0..=1.0).contains(&factor) {
            return Err(Error::policy("products.quality.gs_factor", "lies outside [0, 1]", "use 0.5 for an even balance"));
        }
        Ok(Self {
            generalization: if factor <= 0.5 { 1.0 } else { 1.0 - 2.0 * (factor - 0.5) },
            suppression: if factor < 0.5 { 2.0 * factor } else { 1.0 },
            aggregate: Aggregate::new(quality, columns)?,
            columns: columns.len(),
        })
    }

    /// The value of every column.
    ///
    /// # Errors
    /// The table has another number of columns.
    pub fn of_columns(&self, table: &GeneralizedTable<'_>) -> Result<Vec<f64>> {
        if table.hierarchies.len() != self.columns {
            return Err(Error::Parameter { name: "table", problem: "has other columns than the metric was made for".to_owned() });
        }
        (0..self.columns).map(|column| self.of_column(table, column)).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "sums are exact integers; beyond 2^53 one rounding is far below the 10 decimals kept")]
    fn of_column(&self, table: &GeneralizedTable<'_>, column: usize) -> Result<f64> {
        let level = table.level(column)?;
        // In units of 1/h: sums are integers and do not depend on the order of classes.
        let (mut kept, mut suppressed, mut suppressed_rows) = (0_u128, 0_u128, 0_u128);
        for ((leaf, class), &outlier) in table.leaves(column).zip(table.classes.statistics()).zip(table.outliers) {
            let size = level.codes().get(leaf as usize).and_then(|&code| level.sizes().get(code as usize)).copied().unwrap_or(0);
            let weight = u128::from(class.rows) * u128::from(size);
            if outlier {
                suppressed += weight;
                suppressed_rows += u128::from(class.rows);
            } else {
                kept += weight;
            }
        }
        let domain = u128::from(table.hierarchies.get(column).map_or(1, super::Hierarchy::domain));
        let (g, u) = (self.generalization, self.suppression);
        let whole = (suppressed_rows * domain) as f64;
        let lost = if u < 1.0 { suppressed as f64 + u * (whole - suppressed as f64) } else { whole };
        let least = g * table.rows as f64;
        let value = (g * kept as f64 + lost - least) / ((u128::from(table.rows) * domain) as f64 - least);
        // 0/0: no rows, or a domain of one leaf.
        Ok(if value.is_finite() { cut(value.max(0.0)) } else { 0.0 })
    }
}

impl QualityMetric for Loss {
    fn score(&self, table: &GeneralizedTable<'_>) -> Result<Score> {
        Ok(self.aggregate.combine(&self.of_columns(table)?))
    }
}

/// Cuts after the tenth decimal.
fn cut(value: f64) -> f64 {
    (value * 1e10).floor() / 1e10
}
