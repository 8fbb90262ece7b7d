//! From values of columns to one score.

use super::Score;
use crate::error::{Error, Result};
use crate::policy::{AggregateFunction, Quality};

/// Weighs the values of columns and puts them together.
///
/// Weights are divided by the largest of them, so only their ratios matter. With w the weights so scaled and d columns, the score is Σ vw,
/// max vw, Σ vw / d, Π(vw + 1)^(1/d) − 1, or the list of vw in descending order.
///
/// # References
/// The definitions of ARX 3.9 (Prasser, Kohlmayer, *Putting statistical disclosure control into practice: the ARX data anonymization tool*, 2015).
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    function: AggregateFunction,
    weights: Vec<f64>,
}

impl Aggregate {
    /// For these columns; a column without a weight has weight 1.
    ///
    /// # Errors
    /// A weight is negative, not finite or of a column that is no quasi-identifier, or all weights are 0.
    pub fn new(quality: &Quality, columns: &[&str]) -> Result<Self> {
        const KEY: &str = "products.quality.weights";
        if let Some(unknown) = quality.weights.keys().find(|name| !columns.contains(&name.as_str())) {
            return Err(Error::policy(format!("{KEY}.{unknown}"), "is not a quasi-identifier of this product", "remove the weight"));
        }
        if quality.weights.values().any(|&weight| !weight.is_finite() || weight < 0.0) {
            return Err(Error::policy(KEY, "weights must be finite and not negative", "use for example 2.0"));
        }
        let given = columns.iter().map(|&column| quality.weights.get(column).copied().unwrap_or(1.0));
        let largest = given.clone().fold(0.0, f64::max);
        if largest <= 0.0 && !columns.is_empty() {
            return Err(Error::policy(
                KEY,
                "all weights are 0, so every transformation would be as good as any other",
                "give one column a weight",
            ));
        }
        Ok(Self { function: quality.aggregate, weights: given.map(|weight| weight / largest).collect() })
    }

    /// # Errors
    /// The table has another number of columns.
    pub(super) fn check(&self, columns: usize) -> Result<()> {
        if columns == self.weights.len() {
            return Ok(());
        }
        Err(Error::Parameter { name: "table", problem: "has other columns than the metric was made for".to_owned() })
    }

    /// The score of values of columns that are at least these, or less. All functions grow with every value, and so do float sums, products and
    /// quotients; only the root may be rounded the wrong way.
    pub(super) fn bound(&self, values: &[f64]) -> Score {
        match self.combine(values) {
            Score::Number(value) if self.function == AggregateFunction::GeometricMean => {
                Score::Number(value - 4.0 * f64::EPSILON * (value + 1.0))
            }
            score => score,
        }
    }

    /// The score of one value a column.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a table has far fewer than 2^53 columns")]
    pub fn combine(&self, values: &[f64]) -> Score {
        let weighed = values.iter().zip(&self.weights).map(|(value, weight)| value * weight);
        let columns = values.len().max(1) as f64;
        Score::Number(match self.function {
            AggregateFunction::Sum => weighed.sum(),
            AggregateFunction::Maximum => weighed.fold(0.0, f64::max),
            AggregateFunction::ArithmeticMean => weighed.sum::<f64>() / columns,
            AggregateFunction::GeometricMean => weighed.map(|value| value + 1.0).product::<f64>().powf(1.0 / columns) - 1.0,
            AggregateFunction::Rank => {
                let mut list: Vec<f64> = weighed.collect();
                list.sort_by(|one, other| other.total_cmp(one));
                return Score::Ranked(list);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combine(function: AggregateFunction, weights: &[(&str, f64)]) -> Score {
        let quality = Quality {
            aggregate: function,
            weights: weights.iter().map(|&(name, weight)| (name.to_owned(), weight)).collect(),
            ..Quality::default()
        };
        Aggregate::new(&quality, &["a", "b"]).unwrap().combine(&[0.25, 0.5])
    }

    #[test]
    fn every_function_as_defined() {
        use AggregateFunction::{ArithmeticMean, GeometricMean, Maximum, Rank, Sum};
        assert_eq!(combine(Sum, &[]), Score::Number(0.75));
        assert_eq!(combine(Maximum, &[]), Score::Number(0.5));
        assert_eq!(combine(ArithmeticMean, &[]), Score::Number(0.375));
        assert_eq!(combine(GeometricMean, &[]), Score::Number((1.25_f64 * 1.5).powf(0.5) - 1.0));
        assert_eq!(combine(Rank, &[]), Score::Ranked(vec![0.5, 0.25]));
        // Weights 4 and 1 are 1 and 1/4; then the first column is the heavier one.
        assert_eq!(combine(Rank, &[("a", 4.0)]), Score::Ranked(vec![0.25, 0.125]));
        assert_eq!(combine(Sum, &[("a", 0.0)]), Score::Number(0.5));
    }

    #[test]
    fn weights_that_mean_nothing_are_refused() {
        for weights in [&[("c", 1.0)][..], &[("a", -1.0)], &[("a", f64::NAN)], &[("a", f64::INFINITY)], &[("a", 0.0), ("b", 0.0)]] {
            let weights = weights.iter().map(|&(name, weight)| (name.to_owned(), weight)).collect();
            assert!(Aggregate::new(&Quality { weights, ..Quality::default() }, &["a", "b"]).is_err());
        }
    }
}
