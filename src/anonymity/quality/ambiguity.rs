//! Ambiguity: how many raw tuples a row may stand for.

use super::balance::{Balance, refuse_weights};
use super::{GeneralizedTable, LevelTable, QualityMetric, Score};
use crate::error::Result;
use crate::policy::Quality;

/// Σ over rows of the number of combinations of leaves that the row may stand for: the product over columns of the leaves under its value, or of
/// the whole domain if the row is suppressed.
///
/// # References
/// Goldberger, Tassa, *Efficient anonymizations with enhanced utility* (2010), section 3; suppression as in ARX 3.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ambiguity(());

impl Ambiguity {
    /// As declared.
    ///
    /// # Errors
    /// A gs-factor or weights are declared.
    pub fn new(quality: &Quality) -> Result<Self> {
        Balance::refuse(quality)?;
        refuse_weights(quality)?;
        Ok(Self(()))
    }

    /// The value.
    ///
    /// # Errors
    /// The parts of the table do not fit each other.
    pub fn value(self, table: &GeneralizedTable<'_>) -> Result<f64> {
        let levels = (0..table.hierarchies.len()).map(|column| table.level(column)).collect::<Result<Vec<_>>>()?;
        let kept = table.pick(false);
        let sizes = |tuple| levels.iter().enumerate().map(move |(column, level)| table.size(level, column, tuple));
        let domain = || table.hierarchies.iter().map(super::Hierarchy::domain);
        // Whole numbers, as long as they fit.
        let exact = || {
            let mut sum = 0_u128;
            for class in &kept {
                sum = sum.checked_add(product(class.rows, sizes(class.tuple))?)?;
            }
            sum.checked_add(product(table.suppressed_rows(), domain())?)
        };
        #[expect(clippy::cast_precision_loss, reason = "rounded once")]
        if let Some(sum) = exact() {
            return Ok(sum as f64);
        }
        #[expect(clippy::cast_precision_loss, reason = "beyond 2^128 digits do not matter")]
        let rough = |rows: u64, sizes: &mut dyn Iterator<Item = u64>| sizes.fold(rows as f64, |product, size| product * size as f64);
        let mut terms: Vec<f64> = kept.iter().map(|class| rough(class.rows, &mut sizes(class.tuple))).collect();
        terms.push(rough(table.suppressed_rows(), &mut domain()));
        // In ascending order, so that the order of classes does not show.
        terms.sort_by(f64::total_cmp);
        Ok(terms.into_iter().sum::<f64>().min(f64::MAX))
    }
}

fn product(rows: u64, mut sizes: impl Iterator<Item = u64>) -> Option<u128> {
    if rows == 0 {
        return Some(0);
    }
    sizes.try_fold(u128::from(rows), |product, size| product.checked_mul(size.into()))
}

impl QualityMetric for Ambiguity {
    fn score(&self, table: &GeneralizedTable<'_>) -> Result<Score> {
        Ok(Score::Number(self.value(table)?))
    }

    /// The mean of products is at least the product of geometric means (Jensen: E exp Y ≥ exp E Y for Y = Σ ln size), and E ln size of a column is
    /// known from its marginals. Sizes grow with the levels, and a suppressed row stands for more than a kept one.
    fn lower_bound(&self, table: &LevelTable<'_>) -> Result<Option<Score>> {
        if table.rows == 0 {
            return Ok(Some(Score::Number(0.0)));
        }
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let rows = table.rows as f64;
        let mut exponent = 0.0;
        for (column, &level) in table.levels.iter().enumerate() {
            exponent += table.marginals.get(column, level)?.logarithms_of_leaves.value() / rows;
        }
        // Roundings of logarithms grow with the exponent.
        let least = rows * (exponent * (1.0 - 1e-12)).exp2() * (1.0 - 1e-12);
        Ok(Some(Score::Number(least.min(f64::MAX))))
    }
}
