//! Kullback–Leibler divergence between the table and what its generalization lets one believe.

use super::balance::{Balance, refuse_weights};
use super::sum::FixedSum;
use super::{GeneralizedTable, QualityMetric, Score};
use crate::error::Result;
use crate::policy::Quality;

/// Σ over rows of p·log₂(p/q). p is the share of rows with the row's raw tuple; q spreads the share of rows in its class evenly over the
/// combinations of leaves that the class stands for. All suppressed rows are one class that stands for the whole domain.
///
/// The sum is over rows, as in ARX 3.9: a tuple of c rows counts c times. Over distinct tuples it would be the divergence itself.
/// [`KlDivergence::divergence`] is that.
///
/// # References
/// Machanavajjhala, Kifer, Gehrke, Venkitasubramaniam, *L-diversity: privacy beyond k-anonymity* (2007), section 6; Kifer, Gehrke, *Injecting utility
/// into anonymized datasets* (2006).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KlDivergence(());

impl KlDivergence {
    /// As declared.
    ///
    /// # Errors
    /// A gs-factor or weights are declared.
    pub fn new(quality: &Quality) -> Result<Self> {
        Balance::refuse(quality)?;
        refuse_weights(quality)?;
        Ok(Self(()))
    }

    /// The value that is searched for: the sum over rows.
    ///
    /// # Errors
    /// The parts of the table do not fit each other.
    pub fn value(self, table: &GeneralizedTable<'_>) -> Result<f64> {
        sum(table, |rows| rows)
    }

    /// The divergence in bits: the sum over distinct tuples.
    ///
    /// # Errors
    /// The parts of the table do not fit each other.
    pub fn divergence(self, table: &GeneralizedTable<'_>) -> Result<f64> {
        sum(table, |_| 1.0)
    }
}

/// Σ over distinct tuples of how often they count · p·log₂(p/q).
#[expect(clippy::cast_precision_loss, reason = "shares of rows")]
fn sum(table: &GeneralizedTable<'_>, times: impl Fn(f64) -> f64) -> Result<f64> {
    let all = table.rows as f64;
    let levels = (0..table.hierarchies.len()).map(|column| table.level(column)).collect::<Result<Vec<_>>>()?;
    let area = |tuple| -> f64 {
        let sizes = levels.iter().enumerate().map(|(column, level)| table.size(level, column, tuple));
        sizes.map(|size| (size as f64).log2()).sum()
    };
    let whole: f64 = table.hierarchies.iter().map(|hierarchy| (hierarchy.domain() as f64).log2()).sum();
    // log₂ of q for every class.
    let spread = |rows: u64, area: f64| (rows as f64).log2() - all.log2() - area;
    let suppressed = spread(table.suppressed_rows(), whole);
    let classes = table.classes.first_tuples().iter().zip(table.classes.statistics()).zip(table.outliers);
    let spread: Vec<f64> =
        classes.map(|((&tuple, class), &outlier)| if outlier { suppressed } else { spread(class.rows, area(tuple)) }).collect();
    let mut sum = FixedSum::default();
    for (&class, &rows) in table.classes.of_tuples().iter().zip(table.tuple_rows) {
        let rows = rows as f64;
        let share = rows / all;
        sum.add(times(rows) * share * (rows.log2() - all.log2() - spread[class as usize]));
    }
    Ok(sum.value())
}

impl QualityMetric for KlDivergence {
    fn score(&self, table: &GeneralizedTable<'_>) -> Result<Score> {
        Ok(Score::Number(self.value(table)?))
    }
}
