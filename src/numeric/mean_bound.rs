//! Bounds of the mean of numbers in [0, 1].

use super::real;
use crate::error::{Error, Result};
use crate::units::Confidence;

/// Largest part of the stake that keeps every factor positive; any number below 1 is valid.
const LARGEST_STAKE: f64 = 0.75;

/// An upper confidence bound of the mean of independent numbers in [0, 1], by betting against large means. 1 without numbers.
///
/// The stakes depend on the numbers before, so the bound depends on the order of `values`, which must not depend on the numbers themselves: take a random one.
///
/// # Guarantee
/// If the values are independent with the same mean, the bound is below it with probability at most 1 − `confidence`: for any number of values and any distribution on
/// [0, 1]. It adapts to the variance, which Hoeffding's does not, and has no term that is large for few values, as an empirical Bernstein bound has.
///
/// # Errors
/// A value lies outside [0, 1].
///
/// # References
/// Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", Journal of the Royal Statistical Society B 86 (2024), theorem 3 and equation 26,
/// one-sided.
///
/// ```
/// use backmask::{numeric::mean_upper, units::Confidence};
/// let values: Vec<f64> = (0..1000).map(|i| f64::from(i % 2) / 10.0).collect();
/// let upper = mean_upper(&values, Confidence::new(0.95)?)?;
/// assert!(upper > 0.05 && upper < 0.06);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn mean_upper(values: &[f64], confidence: Confidence) -> Result<f64> {
    if values.iter().any(|value| !(0.0..=1.0).contains(value)) {
        return Err(Error::Parameter { name: "values", problem: "must lie in [0, 1]".to_owned() });
    }
    let needed = -(1.0 - confidence.get()).ln();
    let stakes = stakes(values, needed);
    // The capital grows with the mean that is bet against: every factor does.
    let refuted = |mean: f64| {
        let (mut capital, mut most) = (0.0_f64, 0.0_f64);
        for (value, stake) in values.iter().zip(&stakes) {
            capital += (stake.min(LARGEST_STAKE / (1.0 - mean)) * (mean - value)).ln_1p();
            most = most.max(capital);
        }
        most >= needed
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if refuted(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high)
}

/// A lower confidence bound of the mean of independent numbers in [0, 1]; see [`mean_upper`]. 0 without numbers.
///
/// # Errors
/// A value lies outside [0, 1].
pub fn mean_lower(values: &[f64], confidence: Confidence) -> Result<f64> {
    let mirrored: Vec<f64> = values.iter().map(|value| 1.0 - value).collect();
    Ok(1.0 - mean_upper(&mirrored, confidence)?)
}

/// How much is bet before each value, from the variance of the values before it.
fn stakes(values: &[f64], needed: f64) -> Vec<f64> {
    let total = real(values.len() as u64);
    let (mut sum, mut squares, mut seen) = (0.5, 0.25, 1.0);
    values
        .iter()
        .map(|value| {
            let stake = (2.0 * needed * seen / (squares * total)).sqrt();
            seen += 1.0;
            sum += value;
            let mean = sum / seen;
            squares += (value - mean) * (value - mean);
            stake
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::clopper_pearson_upper;
    use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng};

    fn confidence() -> Confidence {
        Confidence::new(0.95).unwrap()
    }

    /// 400 samples of each of three distributions: at most 5 % may miss. With 20 expected misses more than 36 have a probability below 0.0005 each.
    #[test]
    fn covers_the_mean() {
        let mut random = ChaCha20Rng::seed_from_u64(11);
        for kind in 0..3 {
            let (mut misses, mut missed_below) = (0, 0);
            for _ in 0..400 {
                let values: Vec<f64> = (0..150)
                    .map(|_| match kind {
                        0 => f64::from(u8::from(random.random::<f64>() < 0.1)),
                        1 => random.random::<f64>().powi(2),
                        _ => (f64::from(random.random_range(0..4_u8)) + 2.0) / 10.0,
                    })
                    .collect();
                let mean = [0.1, 1.0 / 3.0, 0.35][kind];
                misses += u32::from(mean_upper(&values, confidence()).unwrap() < mean);
                missed_below += u32::from(mean_lower(&values, confidence()).unwrap() > mean);
            }
            assert!(misses <= 36 && missed_below <= 36, "{kind}: {misses} {missed_below}");
        }
    }

    /// The mean itself as its bound, a broken one, misses half of the time.
    #[test]
    fn the_mean_is_no_bound() {
        let mut random = ChaCha20Rng::seed_from_u64(12);
        let misses = (0..400).filter(|_| (0..150).map(|_| random.random::<f64>()).sum::<f64>() / 150.0 < 0.5).count();
        assert!(misses > 36);
    }

    #[test]
    fn adapts_to_the_variance() {
        let narrow: Vec<f64> = (0..1000).map(|i| 0.4 + 0.01 * f64::from(i % 3)).collect();
        let wide: Vec<f64> = (0..1000).map(|i| f64::from(u8::from(i % 5 < 2))).collect();
        let (narrow, wide) = (mean_upper(&narrow, confidence()).unwrap(), mean_upper(&wide, confidence()).unwrap());
        let hoeffding = 0.4 + (20.0_f64.ln() / 2000.0).sqrt();
        assert!(narrow < 0.42 && narrow > 0.41, "{narrow}");
        // For zeros and ones there is an exact bound, which it may not undercut by more than the difference of the methods, nor exceed by much.
        let exact = clopper_pearson_upper(400, 1000, confidence()).unwrap();
        assert!(wide > exact - 0.005 && wide < hoeffding + 0.005, "{wide} {exact} {hoeffding}");
    }

    #[test]
    fn edges() {
        assert!((mean_upper(&[], confidence()).unwrap() - 1.0).abs() < 1e-9);
        assert!(mean_lower(&[], confidence()).unwrap().abs() < 1e-9);
        assert!(mean_upper(&[1.0; 50], confidence()).unwrap() > 0.999_999);
        let zeros = mean_upper(&[0.0; 100], confidence()).unwrap();
        assert!(zeros > 0.0 && zeros < 0.1, "{zeros}");
        for value in [-0.1, 1.1, f64::NAN] {
            assert!(mean_upper(&[value], confidence()).is_err());
        }
    }
}
