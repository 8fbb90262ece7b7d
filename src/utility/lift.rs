//! How much of what can be learned beyond popularity is left, with the uncertainty of the test people.

use super::metrics::mean;
use crate::error::{Error, Result};
use crate::numeric::real;
use crate::units::Confidence;
use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng};
use serde::Serialize;

/// Lift retained: (release − popularity) / (original − popularity), 1 if the release teaches as much as the original data, 0 if no more than the popularity of items.
///
/// The plain ratio release / original would mislead, as popularity alone gives a third of the recall.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lift {
    /// From the means over all test people.
    pub value: f64,
    /// Lower end of the bootstrap interval.
    pub low: f64,
    /// Upper end of the bootstrap interval.
    pub high: f64,
}

/// How the bootstrap is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Coverage of the two-sided percentile interval.
    pub confidence: Confidence,
    /// How often the people are drawn anew.
    pub resamples: usize,
    /// Seed of the draws: the same seed gives the same interval.
    pub seed: u64,
}

impl Lift {
    /// Compares three recommenders by a metric of the same people, in the same order. People are drawn with replacement and keep their three figures together.
    ///
    /// `None` if the original data teaches nothing beyond popularity (then there is no lift to retain), or if that is so in more than 5 % of the resamples (then the
    /// quotient has no interval).
    ///
    /// # Errors
    /// The lists differ in length.
    ///
    /// ```
    /// use backmask::{units::Confidence, utility::{Bootstrap, Lift}};
    ///
    /// let bootstrap = Bootstrap { confidence: Confidence::new(0.95)?, resamples: 1_000, seed: 1 };
    /// let (release, original, popularity) = ([0.3, 0.2, 0.4], [0.4, 0.3, 0.5], [0.2, 0.1, 0.3]);
    /// let lift = Lift::retained(&release, &original, &popularity, &bootstrap)?.unwrap();
    /// assert!((lift.value - 0.5).abs() < 1e-12);
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # References
    /// Efron, Tibshirani, *An introduction to the bootstrap* (1993), section 13.3 (percentile interval).
    pub fn retained(release: &[f64], original: &[f64], popularity: &[f64], bootstrap: &Bootstrap) -> Result<Option<Self>> {
        let people = release.len();
        if original.len() != people || popularity.len() != people {
            return Err(Error::Parameter {
                name: "release",
                problem: "must have a figure for each person, as original and popularity".to_owned(),
            });
        }
        let Some(value) = quotient(mean(release), mean(original), mean(popularity)) else { return Ok(None) };
        let mut rng = ChaCha20Rng::seed_from_u64(bootstrap.seed);
        let mut drawn = Vec::with_capacity(bootstrap.resamples);
        for _ in 0..bootstrap.resamples {
            let mut sums = [0.0; 3];
            for _ in 0..people {
                let person = rng.random_range(0..people);
                for (sum, figures) in sums.iter_mut().zip([release, original, popularity]) {
                    *sum += figures[person];
                }
            }
            drawn.extend(quotient(sums[0], sums[1], sums[2]));
        }
        if drawn.is_empty() || (bootstrap.resamples - drawn.len()) * 20 > bootstrap.resamples {
            return Ok(None);
        }
        drawn.sort_unstable_by(f64::total_cmp);
        let outside = (1.0 - bootstrap.confidence.get()) / 2.0;
        Ok(Some(Self { value, low: quantile(&drawn, outside), high: quantile(&drawn, 1.0 - outside) }))
    }
}

fn quotient(release: f64, original: f64, popularity: f64) -> Option<f64> {
    let lift = original - popularity;
    (lift > 0.0).then(|| (release - popularity) / lift).filter(|value| value.is_finite())
}

/// The quantile of sorted values, between two of them linearly.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position in a list in memory")]
fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let position = probability * real(sorted.len().saturating_sub(1) as u64);
    let below = position.floor() as usize;
    let low = sorted.get(below).copied().unwrap_or_default();
    let high = sorted.get(below + 1).copied().unwrap_or(low);
    low + (high - low) * (position - position.floor())
}
