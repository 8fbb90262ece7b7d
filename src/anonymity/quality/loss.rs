//! Loss: the share of its domain that a value was generalized to.

use super::balance::Balance;
use super::{Aggregate, GeneralizedTable, LevelTable, QualityMetric, Score, cut};
use crate::error::Result;
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
    balance: Balance,
    aggregate: Aggregate,
}

impl Loss {
    /// For these quasi-identifiers.
    ///
    /// # Errors
    /// The gs-factor lies outside [0, 1], or a weight is wrong.
    pub fn new(quality: &Quality, columns: &[&str]) -> Result<Self> {
        Ok(Self { balance: Balance::new(quality)?, aggregate: Aggregate::new(quality, columns)? })
    }

    /// The value of every column.
    ///
    /// # Errors
    /// The table has another number of columns.
    pub fn of_columns(&self, table: &GeneralizedTable<'_>) -> Result<Vec<f64>> {
        self.aggregate.check(table.hierarchies.len())?;
        // Sums over all rows are known; only the smaller part of the classes is looked at.
        let (suppressed_rows, outliers_are_fewer) = (table.suppressed_rows(), table.outliers_are_fewer());
        let picked = table.pick(outliers_are_fewer);
        (0..table.hierarchies.len())
            .map(|column| {
                let level = table.level(column)?;
                let all = table.marginals.get(column, table.levels[column])?.leaves;
                // In units of 1/h: sums are integers and do not depend on the order of classes.
                let part: u128 = picked
                    .iter()
                    .map(|class| {
                        let size = table.code(level, column, class.tuple).and_then(|code| level.sizes().get(code as usize)).copied();
                        u128::from(class.rows) * u128::from(size.unwrap_or(0))
                    })
                    .sum();
                let rest = all.saturating_sub(part);
                let (kept, suppressed) = if outliers_are_fewer { (rest, part) } else { (part, rest) };
                Ok(self.value(Sums { rows: table.rows, domain: table.hierarchies[column].domain(), kept, suppressed, suppressed_rows }))
            })
            .collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "sums are exact integers; beyond 2^53 one rounding is far below the 10 decimals kept")]
    fn value(&self, sums: Sums) -> f64 {
        let (g, u) = (self.balance.generalization, self.balance.suppression);
        let whole = (u128::from(sums.suppressed_rows) * u128::from(sums.domain)) as f64;
        let lost = if u < 1.0 { sums.suppressed as f64 + u * (whole - sums.suppressed as f64) } else { whole };
        let least = g * sums.rows as f64;
        let value = (g * sums.kept as f64 + lost - least) / (sums.all() - least);
        // 0/0: no rows, or a domain of one leaf.
        if value.is_finite() { cut(value.max(0.0)) } else { 0.0 }
    }

    /// Every row costs g·share at least: suppressed rows cost share + u(1 − share) ≥ share ≥ g·share. Shares grow with the levels, because a
    /// value at a higher level stands for all leaves that it stood for below. So S of the node without outliers is the least that the node or
    /// any node above it can have.
    fn bound(&self, sums: Sums) -> f64 {
        let value = self.value(sums);
        // Integers below 2^53 are exact, one division is monotone. Otherwise four roundings may differ from those of the score.
        let exact = self.balance.generalization >= 1.0 && self.balance.suppression >= 1.0 && sums.all() < 9_007_199_254_740_992.0;
        if exact { value } else { cut((value - 1e-10 - 64.0 * f64::EPSILON).max(0.0)) }
    }
}

/// Sums of one column, in units of 1/h.
#[derive(Debug, Clone, Copy)]
struct Sums {
    rows: u64,
    domain: u64,
    kept: u128,
    suppressed: u128,
    suppressed_rows: u64,
}

impl Sums {
    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 one rounding is far below the 10 decimals kept")]
    fn all(&self) -> f64 {
        (u128::from(self.rows) * u128::from(self.domain)) as f64
    }
}

impl QualityMetric for Loss {
    fn score(&self, table: &GeneralizedTable<'_>) -> Result<Score> {
        Ok(self.aggregate.combine(&self.of_columns(table)?))
    }

    fn lower_bound(&self, table: &LevelTable<'_>) -> Result<Option<Score>> {
        self.aggregate.check(table.levels.len())?;
        let values = table
            .levels
            .iter()
            .zip(table.hierarchies)
            .enumerate()
            .map(|(column, (&level, hierarchy))| {
                let kept = table.marginals.get(column, level)?.leaves;
                Ok(self.bound(Sums { rows: table.rows, domain: hierarchy.domain(), kept, suppressed: 0, suppressed_rows: 0 }))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Some(self.aggregate.bound(&values)))
    }
}
