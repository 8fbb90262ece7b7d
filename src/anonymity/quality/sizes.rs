//! Metrics that look at the sizes of classes: discernibility and average class size.

use super::balance::{Balance, refuse_weights};
use super::{GeneralizedTable, LevelTable, QualityMetric, Score};
use crate::error::Result;
use crate::policy::Quality;

/// Discernibility: with how many rows every row can be confused. Σ over kept classes of n² + Σ over suppressed rows of N, as a suppressed row can be
/// any of the table. The monotone variant, DM*, is Σ n² over all classes.
///
/// # References
/// Bayardo, Agrawal, *Data privacy through optimal k-anonymization* (2005), section 3; DM*: El Emam et al., *A globally optimal k-anonymity method
/// for the de-identification of health data* (2009).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discernibility {
    counts_suppression: bool,
}

impl Discernibility {
    /// The variant that counts suppressed rows.
    ///
    /// # Errors
    /// A gs-factor or weights are declared.
    pub fn new(quality: &Quality) -> Result<Self> {
        Balance::refuse(quality)?;
        refuse_weights(quality)?;
        Ok(Self { counts_suppression: true })
    }

    /// The monotone variant.
    ///
    /// # Errors
    /// As for [`Discernibility::new`].
    pub fn monotone(quality: &Quality) -> Result<Self> {
        Self::new(quality).map(|_| Self { counts_suppression: false })
    }

    /// The value.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an exact integer, rounded once")]
    pub fn value(&self, table: &GeneralizedTable<'_>) -> f64 {
        let classes = table.classes.statistics().iter().zip(table.outliers);
        let confused = classes.map(|(class, &outlier)| {
            let with = if outlier && self.counts_suppression { table.rows } else { class.rows };
            u128::from(class.rows) * u128::from(with)
        });
        confused.sum::<u128>() as f64
    }
}

impl QualityMetric for Discernibility {
    fn score(&self, table: &GeneralizedTable<'_>) -> Result<Score> {
        Ok(Score::Number(self.value(table)))
    }

    /// N rows in at most c classes have Σ n² ≥ N²/c (Cauchy–Schwarz), and suppressed rows count N ≥ n. Going up, c falls.
    fn lower_bound(&self, table: &LevelTable<'_>) -> Result<Option<Score>> {
        let classes = u128::from(table.marginals.most_classes(table.levels)?.max(1));
        #[expect(clippy::cast_precision_loss, reason = "rounding integers is monotone")]
        let least = (u128::from(table.rows) * u128::from(table.rows) / classes) as f64;
        Ok(Some(Score::Number(least)))
    }

    /// Classes that merge have (m + n)² ≥ m² + n².
    fn is_monotone(&self) -> bool {
        !self.counts_suppression
    }
}

/// The average size of a class: N/(u·c + g) where rows are suppressed, which count as one class, else N/(u·c), with c kept classes and the factors g
/// and u of the gs-factor as in [`Loss`](super::Loss) (the factor of suppression weighs kept classes; so it is in ARX, and values stay
/// comparable). Where that would divide by 0, the score is the largest number there is; a table without rows has 0.
///
/// # References
/// `LeFevre`, `DeWitt`, Ramakrishnan, *Mondrian multidimensional k-anonymity* (2006), section 2.3, without the division by k. Suppression as in
/// ARX 3.9.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AverageClassSize {
    balance: Balance,
}

impl AverageClassSize {
    /// As declared.
    ///
    /// # Errors
    /// The gs-factor lies outside [0, 1], or weights are declared.
    pub fn new(quality: &Quality) -> Result<Self> {
        refuse_weights(quality)?;
        Ok(Self { balance: Balance::new(quality)? })
    }

    /// The value.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of classes")]
    pub fn value(&self, table: &GeneralizedTable<'_>) -> f64 {
        let suppressed = table.outliers.iter().filter(|&&outlier| outlier).count();
        let kept = (table.outliers.len() - suppressed) as f64;
        let apart = if suppressed > 0 { self.balance.generalization } else { 0.0 };
        average(table.rows, self.balance.suppression * kept + apart)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn average(rows: u64, classes: f64) -> f64 {
    if rows == 0 { 0.0 } else { (rows as f64 / classes).min(f64::MAX) }
}

impl QualityMetric for AverageClassSize {
    fn score(&self, table: &GeneralizedTable<'_>) -> Result<Score> {
        Ok(Score::Number(self.value(table)))
    }

    /// At most c classes are kept, or c − 1 beside the suppressed ones. Going up, c falls. Products, sums and quotients are rounded as in the score.
    fn lower_bound(&self, table: &LevelTable<'_>) -> Result<Option<Score>> {
        #[expect(clippy::cast_precision_loss, reason = "counts of classes")]
        let most = table.marginals.most_classes(table.levels)?.max(1) as f64;
        let Balance { generalization, suppression } = self.balance;
        let classes = (suppression * most).max(suppression * (most - 1.0) + generalization);
        Ok(Some(Score::Number(average(table.rows, classes))))
    }
}
