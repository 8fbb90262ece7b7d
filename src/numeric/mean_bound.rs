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
    check(values)?;
    let needed = -(1.0 - confidence.get()).ln();
    let stakes = stakes(values, needed);
    // The capital grows with the mean that is bet against: every factor does.
    Ok(smallest_refuted(|mean| {
        let largest = LARGEST_STAKE / (1.0 - mean);
        reaches(values.iter().zip(&stakes).map(|(value, stake)| stake.min(largest) * (mean - value)), needed)
    }))
}

/// A lower confidence bound of the mean of independent numbers in [0, 1]; see [`mean_upper`]. 0 without numbers.
///
/// # Errors
/// A value lies outside [0, 1].
pub fn mean_lower(values: &[f64], confidence: Confidence) -> Result<f64> {
    let mirrored: Vec<f64> = values.iter().map(|value| 1.0 - value).collect();
    Ok(1.0 - mean_upper(&mirrored, confidence)?)
}

/// An upper confidence bound of the excess (a − b) / (1 − b) of one mean of independent numbers in [0, 1] over another, at least 0; 1 without numbers on either side.
///
/// The excess is at least e exactly if the mean of x − e − (1 − e)·y is at least 0, where x and y are averages of a stretch of the one and of the other, so for each e there is one bet
/// against it, and no error has to be shared between two bounds. There are as many stretches as there are values on the shorter side.
///
/// # Guarantee
/// As of [`mean_upper`]: it is below the excess with probability at most 1 − `confidence`, if the values of each side are independent with the same mean.
///
/// # Errors
/// A value lies outside [0, 1].
///
/// ```
/// use backmask::{numeric::excess_upper, units::Confidence};
/// let (members, others): (Vec<f64>, Vec<f64>) = ((0..2000).map(|i| f64::from(i % 5) / 4.0).collect(), (0..500).map(|i| f64::from(i % 3) / 4.0).collect());
/// let upper = excess_upper(&members, &others, Confidence::new(0.95)?)?;
/// assert!(upper > 1.0 / 3.0 && upper < 0.4);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn excess_upper(rates: &[f64], baselines: &[f64], confidence: Confidence) -> Result<f64> {
    check(rates)?;
    check(baselines)?;
    let count = rates.len().min(baselines.len());
    let averages = |values: &[f64]| -> Vec<f64> {
        (0..count)
            .map(|stretch| {
                let own = &values[stretch * values.len() / count..(stretch + 1) * values.len() / count];
                own.iter().sum::<f64>() / real(own.len() as u64)
            })
            .collect()
    };
    let pairs: Vec<(f64, f64)> = averages(rates).into_iter().zip(averages(baselines)).collect();
    let needed = -(1.0 - confidence.get()).ln();
    // The differences as they would be at the excess of the values before, so that the stakes suit the bets that decide.
    let (mut rate_sum, mut baseline_sum, mut seen) = (0.5, 0.5, 1.0);
    let differences: Vec<f64> = pairs
        .iter()
        .map(|(rate, baseline)| {
            let excess: f64 = (rate_sum - baseline_sum) / (seen - baseline_sum);
            rate_sum += rate;
            baseline_sum += baseline;
            seen += 1.0;
            f64::midpoint(1.0, rate - (1.0 - excess.clamp(0.0, 1.0)) * baseline)
        })
        .collect();
    // Stakes for numbers in [0, 1] of half the spread.
    let stakes: Vec<f64> = stakes(&differences, needed).iter().map(|stake| stake / 2.0).collect();
    let refuted = |excess: f64| {
        // No gain is below e − 1; all gains and factors grow with e.
        let largest = LARGEST_STAKE / (1.0 - excess);
        let gains = pairs.iter().map(|(rate, baseline)| excess + (1.0 - excess) * baseline - rate);
        reaches(gains.zip(&stakes).map(|(gain, stake)| stake.min(largest) * gain), needed)
    };
    Ok(if refuted(0.0) { 0.0 } else { smallest_refuted(refuted) })
}

fn check(values: &[f64]) -> Result<()> {
    if values.iter().all(|value| (0.0..=1.0).contains(value)) {
        Ok(())
    } else {
        Err(Error::Parameter { name: "values", problem: "must lie in [0, 1]".to_owned() })
    }
}

/// Whether a capital that is multiplied by 1 + gain again and again reaches e to the power of `needed` at some time.
fn reaches(gains: impl Iterator<Item = f64>, needed: f64) -> bool {
    let mut capital = 0.0_f64;
    gains.into_iter().any(|gain| {
        capital += gain.ln_1p();
        capital >= needed
    })
}

/// The smallest number in [0, 1] that is refuted, rounded up, where all larger ones are too.
fn smallest_refuted(refuted: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if refuted(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
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

    /// The same for the excess, with 3 members to a control person: 36 of 400 at most may miss. The excess itself misses half of the time.
    #[test]
    fn covers_the_excess() {
        let mut random = ChaCha20Rng::seed_from_u64(13);
        let (mut widths, mut widths_of_two) = (0.0, 0.0);
        for (rate, baseline) in [(0.5, 0.4), (0.1, 0.1), (0.9, 0.2)] {
            let mut draw = |mean: f64, count: usize| -> Vec<f64> {
                (0..count)
                    .map(|_| f64::from((0..10).filter(|_| random.random::<f64>() < mean).fold(0_u8, |count, _| count + 1)) / 10.0)
                    .collect()
            };
            let (mut misses, mut broken, mut width, mut of_two) = (0, 0, 0.0, 0.0);
            let truth = (rate - baseline) / (1.0 - baseline);
            for _ in 0..400 {
                let (members, control) = (draw(rate, 300), draw(baseline, 100));
                let upper = excess_upper(&members, &control, confidence()).unwrap();
                misses += u32::from(upper < truth);
                let mean = |values: &[f64]| values.iter().sum::<f64>() / real(values.len() as u64);
                let estimate = (mean(&members) - mean(&control)) / (1.0 - mean(&control));
                broken += u32::from(estimate < truth);
                width += (upper - estimate) / 400.0;
                // One bet is narrower than two bounds at half of the error each, if not everywhere.
                let half = Confidence::new(0.975).unwrap();
                let (above, below) = (mean_upper(&members, half).unwrap(), mean_lower(&control, half).unwrap());
                of_two += ((above - below) / (1.0 - below) - estimate) / 400.0;
            }
            assert!(misses <= 36 && broken > 100, "{misses} {broken}");
            widths += width;
            widths_of_two += of_two;
        }
        assert!(widths < widths_of_two, "{widths} {widths_of_two}");
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
        assert!((excess_upper(&[], &[0.5], confidence()).unwrap() - 1.0).abs() < 1e-9);
        assert!((excess_upper(&[0.5], &[], confidence()).unwrap() - 1.0).abs() < 1e-9);
        assert!(
            (excess_upper(&[1.0; 90], &[1.0; 30], confidence()).unwrap() - 1.0).abs() < 1e-9,
            "nothing is known where strangers lose all"
        );
        assert!(excess_upper(&[0.0; 90], &[0.5; 300], confidence()).unwrap().abs() < 1e-9);
        for value in [-0.1, 1.1, f64::NAN] {
            assert!(mean_upper(&[value], confidence()).is_err());
            assert!(excess_upper(&[value], &[0.5], confidence()).is_err() && excess_upper(&[0.5], &[value], confidence()).is_err());
        }
    }
}
