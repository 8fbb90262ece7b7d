//! How much information a generalization loses.
//!
//! A [`QualityMetric`] gives every generalized table a [`Score`]; the search looks for the smallest. Rows of outlier classes count as suppressed.
//!
//! | metric | of | counts suppressed rows | bound without grouping | monotone |
//! |---|---|---|---|---|
//! | [`Loss`] | columns | yes | yes | if suppression costs nothing |
//! | [`NonUniformEntropy`] | columns | yes, or not (monotone) | yes | the variant that does not |
//! | [`NormalizedEntropy`] | columns | yes | yes | no |
//! | [`Precision`] | columns | yes, or not (monotone) | yes | the variant that does not |
//! | [`Height`] | columns | no | yes | yes |
//! | [`Discernibility`] | classes | yes, or not (monotone) | yes | the variant that does not |
//! | [`AverageClassSize`] | classes | as one class | yes | no |
//! | [`Ambiguity`] | classes | yes | yes | no |
//! | [`KlDivergence`] | tuples | yes | no | no |
//!
//! Values of columns are put together by an [`Aggregate`]; metrics of classes and tuples have one value for the table. [`OutputQuality`] describes
//! one table by everything that can be said of it.
//!
//! ```
//! use backmask::anonymity::quality::from_policy;
//! use backmask::policy::{AggregateFunction, Metric, Quality};
//!
//! let quality = Quality { metric: Metric::Precision, aggregate: AggregateFunction::ArithmeticMean, ..Quality::default() };
//! let metric = from_policy(&quality, &["birth_year", "country"])?;
//! assert!(!metric.is_monotone(), "less suppression can make a higher level better");
//! # Ok::<(), backmask::Error>(())
//! ```
//!
//! # References
//! The definitions are those of ARX 3.9, so that results can be compared: Prasser, Kohlmayer, *Putting statistical disclosure control into
//! practice: the ARX data anonymization tool* (2015). Each metric names where it comes from.

mod aggregate;
mod ambiguity;
mod balance;
mod divergence;
mod entropy;
mod loss;
mod marginals;
mod output;
mod precision;
mod score;
mod sizes;
mod sum;
mod table;

pub use aggregate::Aggregate;
pub use ambiguity::Ambiguity;
pub use divergence::KlDivergence;
pub use entropy::{NonUniformEntropy, NormalizedEntropy};
pub use loss::Loss;
pub use marginals::Marginals;
pub use output::{ColumnQuality, OutputQuality, all};
pub use precision::{Height, Precision};
pub use score::Score;
pub use sizes::{AverageClassSize, Discernibility};
pub use table::{GeneralizedTable, LevelTable};

use super::classes::Classes;
use super::hierarchy::{Hierarchy, Level};
use crate::error::Result;
use crate::policy::{Metric, Quality};
use std::fmt::Debug;

/// Information lost by a generalization; smaller is better.
pub trait QualityMetric: Debug + Send + Sync {
    /// The score of one table.
    ///
    /// # Errors
    /// The table has other columns than the metric was made for.
    fn score(&self, table: &GeneralizedTable<'_>) -> Result<Score>;

    /// A score that neither these levels nor any levels above them (in every column as high or higher) can fall below, whatever is suppressed.
    /// It is found from the marginals, without grouping. `None` if the metric has no such bound.
    ///
    /// # Errors
    /// The table has other columns than the metric was made for.
    fn lower_bound(&self, table: &LevelTable<'_>) -> Result<Option<Score>> {
        let _ = table;
        Ok(None)
    }

    /// Whether the score never falls when levels rise, whatever is suppressed. The search leaves out nodes by it, so a metric that is not sure
    /// says no.
    fn is_monotone(&self) -> bool {
        false
    }
}

/// The metric that a policy declares for these quasi-identifiers.
///
/// # Errors
/// Parameters are wrong, or are declared for a metric that does not have them.
pub fn from_policy(quality: &Quality, columns: &[&str]) -> Result<Box<dyn QualityMetric>> {
    Ok(match quality.metric {
        Metric::Loss => Box::new(Loss::new(quality, columns)?),
        Metric::NonUniformEntropy => Box::new(NonUniformEntropy::new(quality, columns)?),
        Metric::NonUniformEntropyMonotone => Box::new(NonUniformEntropy::monotone(quality, columns)?),
        Metric::NormalizedEntropy => Box::new(NormalizedEntropy::new(quality, columns)?),
        Metric::Precision => Box::new(Precision::new(quality, columns)?),
        Metric::PrecisionMonotone => Box::new(Precision::monotone(quality, columns)?),
        Metric::Height => Box::new(Height::new(quality, columns)?),
        Metric::Discernibility => Box::new(Discernibility::new(quality)?),
        Metric::DiscernibilityMonotone => Box::new(Discernibility::monotone(quality)?),
        Metric::AverageClassSize => Box::new(AverageClassSize::new(quality)?),
        Metric::Ambiguity => Box::new(Ambiguity::new(quality)?),
        Metric::KlDivergence => Box::new(KlDivergence::new(quality)?),
    })
}

/// Cuts after the tenth decimal.
fn cut(value: f64) -> f64 {
    (value * 1e10).floor() / 1e10
}
