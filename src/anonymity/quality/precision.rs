//! Metrics that look at levels: precision and height.

use super::balance::Balance;
use super::{Aggregate, GeneralizedTable, Hierarchy, LevelTable, QualityMetric, Score};
use crate::error::Result;
use crate::policy::Quality;

/// How far up its hierarchy a column went: for level t of the height h, t/h·g. The variant that counts suppressed rows puts u in place of it for
/// them and takes the mean over rows: ((N − n)·t/h·g + n·u) / N with n of N rows suppressed. The factors g and u come from the gs-factor as in
/// [`Loss`](super::Loss).
///
/// # References
/// Sweeney, *Achieving k-anonymity privacy protection using generalization and suppression* (2002), section 4 (there 1 minus this). Factors and
/// suppression as in ARX 3.9.
#[derive(Debug, Clone, PartialEq)]
pub struct Precision {
    balance: Balance,
    aggregate: Aggregate,
    counts_suppression: bool,
}

impl Precision {
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
    /// As for [`Precision::new`].
    pub fn monotone(quality: &Quality, columns: &[&str]) -> Result<Self> {
        Ok(Self { counts_suppression: false, ..Self::new(quality, columns)? })
    }

    /// The value of every column.
    ///
    /// # Errors
    /// The table has another number of columns.
    pub fn of_columns(&self, table: &GeneralizedTable<'_>) -> Result<Vec<f64>> {
        self.aggregate.check(table.hierarchies.len())?;
        let generalized = self.generalized(table.hierarchies, table.levels);
        let suppressed = if self.counts_suppression { table.suppressed_rows() } else { 0 };
        if suppressed == 0 {
            return Ok(generalized.collect());
        }
        #[expect(clippy::cast_precision_loss, reason = "shares of rows")]
        let (kept, suppressed, rows) = ((table.rows - suppressed) as f64, suppressed as f64, table.rows as f64);
        Ok(generalized.map(|value| (kept * value + suppressed * self.balance.suppression) / rows).collect())
    }

    #[expect(clippy::cast_precision_loss, reason = "hierarchies have few levels")]
    fn generalized(&self, hierarchies: &[Hierarchy], levels: &[usize]) -> impl Iterator<Item = f64> {
        let shares = hierarchies.iter().zip(levels).map(|(hierarchy, &level)| level as f64 / hierarchy.height().max(1) as f64);
        shares.map(|share| share * self.balance.generalization)
    }
}

impl QualityMetric for Precision {
    fn score(&self, table: &GeneralizedTable<'_>) -> Result<Score> {
        Ok(self.aggregate.combine(&self.of_columns(table)?))
    }

    /// Without suppression the value grows with the level. A suppressed row costs u instead, so with it no row costs less than the smaller of
    /// the two; a mean of them is rounded three times.
    fn lower_bound(&self, table: &LevelTable<'_>) -> Result<Option<Score>> {
        self.aggregate.check(table.levels.len())?;
        let generalized = self.generalized(table.hierarchies, table.levels);
        let values: Vec<f64> = if self.counts_suppression {
            generalized.map(|value| value.min(self.balance.suppression) * (1.0 - 8.0 * f64::EPSILON)).collect()
        } else {
            generalized.collect()
        };
        Ok(Some(self.aggregate.bound(&values)))
    }

    fn is_monotone(&self) -> bool {
        !self.counts_suppression
    }
}

/// The level of every column.
///
/// # References
/// Samarati, *Protecting respondents' identities in microdata release* (2001), section 4: the height of a node in the lattice, with the sum as
/// aggregate.
#[derive(Debug, Clone, PartialEq)]
pub struct Height {
    aggregate: Aggregate,
}

impl Height {
    /// For these quasi-identifiers.
    ///
    /// # Errors
    /// A weight is wrong, or a gs-factor is declared.
    pub fn new(quality: &Quality, columns: &[&str]) -> Result<Self> {
        Balance::refuse(quality)?;
        Ok(Self { aggregate: Aggregate::new(quality, columns)? })
    }

    #[expect(clippy::cast_precision_loss, reason = "hierarchies have few levels")]
    fn values(&self, levels: &[usize]) -> Result<Vec<f64>> {
        self.aggregate.check(levels.len())?;
        Ok(levels.iter().map(|&level| level as f64).collect())
    }
}

impl QualityMetric for Height {
    fn score(&self, table: &GeneralizedTable<'_>) -> Result<Score> {
        Ok(self.aggregate.combine(&self.values(table.levels)?))
    }

    fn lower_bound(&self, table: &LevelTable<'_>) -> Result<Option<Score>> {
        Ok(Some(self.aggregate.bound(&self.values(table.levels)?)))
    }

    fn is_monotone(&self) -> bool {
        true
    }
}
