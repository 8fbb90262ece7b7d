//! Non-uniform entropy: the bits that are needed to get the values back.

use super::balance::Balance;
use super::sum::{FixedSum, weighted_logarithm};
use super::{Aggregate, GeneralizedTable, LevelTable, Marginals, QualityMetric, Score, cut};
use crate::error::Result;
use crate::policy::Quality;

/// Non-uniform entropy: how many bits an ideal guesser who knows how often every value occurs lacks to restore a column.
///
/// With c(x) the rows of the value x in the whole table, and gen(x) what it was generalized to, a column has −g·Σ over rows of
/// log₂ (c(x) / c(gen(x))), cut after 10 decimals. The variant that counts suppressed rows adds, with m the suppressed rows of the generalized
/// value w and n the suppressed rows in all, −u·Σ over suppressed rows of log₂ (m / n): what suppression takes on top of generalization. The
/// monotone variant does not look at suppression. The factors g and u come from the gs-factor as in [`Loss`](super::Loss).
///
/// # References
/// De Waal, Willenborg, *Information loss through global recoding and local suppression* (1999); Gionis, Tassa, *k-anonymization with minimal
/// loss of information* (2009), section 4. Factors and suppression as in ARX 3.9.
#[derive(Debug, Clone, PartialEq)]
pub struct NonUniformEntropy {
    balance: Balance,
    aggregate: Aggregate,
    counts_suppression: bool,
}

impl NonUniformEntropy {
    /// The variant that counts suppressed rows, for these quasi-identifiers.
    ///
    /// # Errors
    /// The gs-factor lies outside [0, 1], or a weight is wrong.
    pub fn new(quality: &Quality, columns: &[&str]) -> Result<Self> {
        Ok(Self { balance: Balance::new(quality)?, aggregate: Aggregate::new(quality, columns)?, counts_suppression: true })
    }

    /// The monotone variant.
    ///
    /// # Errors
    /// As for [`NonUniformEntropy::new`].
    pub fn monotone(quality: &Quality, columns: &[&str]) -> Result<Self> {
        Ok(Self { counts_suppression: false, ..Self::new(quality, columns)? })
    }

    /// The value of every column.
    ///
    /// # Errors
    /// The table has another number of columns.
    pub fn of_columns(&self, table: &GeneralizedTable<'_>) -> Result<Vec<f64>> {
        self.aggregate.check(table.hierarchies.len())?;
        let suppressed = if self.counts_suppression { table.pick(true) } else { Vec::new() };
        let rows = suppressed.iter().map(|class| class.rows).sum();
        let mut counts: Vec<u64> = Vec::new();
        (0..table.hierarchies.len())
            .map(|column| {
                let level = table.level(column)?;
                let generalized = generalized(table.marginals, column, table.levels[column])?;
                if suppressed.is_empty() {
                    return Ok(self.value(generalized, 0.0));
                }
                counts.clear();
                counts.resize(level.sizes().len(), 0);
                for class in &suppressed {
                    if let Some(count) = table.code(level, column, class.tuple).and_then(|code| counts.get_mut(code as usize)) {
                        *count += class.rows;
                    }
                }
                let mut sum = FixedSum::default();
                sum.add(weighted_logarithm(rows));
                for &count in counts.iter().filter(|&&count| count > 0) {
                    sum.add(-weighted_logarithm(count));
                }
                Ok(self.value(generalized, sum.value().max(0.0)))
            })
            .collect()
    }

    fn value(&self, generalized: f64, suppressed: f64) -> f64 {
        cut(self.balance.generalization * generalized + self.balance.suppression * suppressed)
    }

    /// The value of every column without suppression, which adds nothing below 0. Merging values of a and b rows adds
    /// (a + b) log₂(a + b) − a log₂ a − b log₂ b ≥ 2 to the sum of a column, so it grows with the levels.
    fn bounds(&self, table: &LevelTable<'_>) -> Result<Vec<f64>> {
        self.aggregate.check(table.levels.len())?;
        let columns = table.levels.iter().enumerate();
        columns.map(|(column, &level)| Ok(self.value(generalized(table.marginals, column, level)?, 0.0))).collect()
    }
}

/// −Σ over rows of log₂(c(x) / c(gen(x))) = Σ over generalized values of c log₂ c − Σ over values of c log₂ c.
fn generalized(marginals: &Marginals, column: usize, level: usize) -> Result<f64> {
    let (high, low) = (marginals.get(column, level)?, marginals.get(column, 0)?);
    Ok(high.weighted_logarithms.less(low.weighted_logarithms).value().max(0.0))
}

impl QualityMetric for NonUniformEntropy {
    fn score(&self, table: &GeneralizedTable<'_>) -> Result<Score> {
        Ok(self.aggregate.combine(&self.of_columns(table)?))
    }

    fn lower_bound(&self, table: &LevelTable<'_>) -> Result<Option<Score>> {
        Ok(Some(self.aggregate.bound(&self.bounds(table)?)))
    }

    fn is_monotone(&self) -> bool {
        !self.counts_suppression
    }
}

/// [`NonUniformEntropy`] that counts suppressed rows, of every column divided by the entropy of its values, −Σ over rows of log₂(c(x) / N): between
/// 0 (all values as they are) and 1 (nothing left). A column with a single value has nothing to lose and the value 0.
///
/// # References
/// As for [`NonUniformEntropy`].
#[derive(Debug, Clone, PartialEq)]
pub struct NormalizedEntropy {
    entropy: NonUniformEntropy,
}

impl NormalizedEntropy {
    /// For these quasi-identifiers.
    ///
    /// # Errors
    /// The gs-factor lies outside [0, 1], or a weight is wrong.
    pub fn new(quality: &Quality, columns: &[&str]) -> Result<Self> {
        Ok(Self { entropy: NonUniformEntropy::new(quality, columns)? })
    }

    /// The value of every column.
    ///
    /// # Errors
    /// The table has another number of columns.
    pub fn of_columns(&self, table: &GeneralizedTable<'_>) -> Result<Vec<f64>> {
        normalized(self.entropy.of_columns(table)?, table.marginals, table.rows)
    }
}

/// Divides by the entropy of the values of each column, which does not depend on levels: what bounds the entropy bounds the quotient.
fn normalized(values: Vec<f64>, marginals: &Marginals, rows: u64) -> Result<Vec<f64>> {
    let mut all = FixedSum::default();
    all.add(weighted_logarithm(rows));
    let columns = values.into_iter().enumerate();
    columns
        .map(|(column, value)| {
            let most = all.less(marginals.get(column, 0)?.weighted_logarithms).value();
            Ok(if most > 0.0 { (value / most).min(1.0) } else { 0.0 })
        })
        .collect()
}

impl QualityMetric for NormalizedEntropy {
    fn score(&self, table: &GeneralizedTable<'_>) -> Result<Score> {
        Ok(self.entropy.aggregate.combine(&self.of_columns(table)?))
    }

    fn lower_bound(&self, table: &LevelTable<'_>) -> Result<Option<Score>> {
        let values = normalized(self.entropy.bounds(table)?, table.marginals, table.rows)?;
        Ok(Some(self.entropy.aggregate.bound(&values)))
    }
}
