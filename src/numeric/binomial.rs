//! Confidence bounds of a success probability.

use super::real;
use crate::error::{Error, Result};
use crate::units::Confidence;
use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::gamma::ln_gamma;

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The two-sided Clopper–Pearson interval of a success probability after `successes` in `trials`: each end errs with probability at most (1 − confidence) / 2.
///
/// # Errors
/// More successes than trials.
///
/// # References
/// Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26 (1934).
///
/// ```
/// use backmask::{numeric::clopper_pearson, units::Confidence};
/// let interval = clopper_pearson(0, 10, Confidence::new(0.95)?)?;
/// assert_eq!(interval.low, 0.0);
/// assert!((interval.high - 0.3085).abs() < 1e-4);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn clopper_pearson(successes: u64, trials: u64, confidence: Confidence) -> Result<Interval> {
    check(successes, trials)?;
    let alpha = (1.0 - confidence.get()) / 2.0;
    Ok(Interval { low: lower_end(successes, trials, alpha), high: upper_end(successes, trials, alpha) })
}

/// The one-sided upper Clopper–Pearson bound: the largest probability p with P(at most `successes` of `trials`) ≥ 1 − confidence. 1 without trials.
///
/// # Guarantee
/// The true probability lies above the bound with probability at most 1 − confidence, for independent trials. For confidences of 0.9 and more the same holds for
/// trials of unequal probability and their mean (Hoeffding, Annals of Mathematical Statistics 27, 1956), and for draws without replacement.
///
/// # Errors
/// More successes than trials.
///
/// ```
/// use backmask::{numeric::clopper_pearson_upper, units::Confidence};
/// // The "rule of three": nothing in 2,000 trials means less than 0.15 %.
/// let upper = clopper_pearson_upper(0, 2000, Confidence::new(0.95)?)?;
/// assert!((upper - 0.0015).abs() < 1e-5);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn clopper_pearson_upper(successes: u64, trials: u64, confidence: Confidence) -> Result<f64> {
    check(successes, trials)?;
    Ok(upper_end(successes, trials, 1.0 - confidence.get()))
}

/// The one-sided lower Clopper–Pearson bound; see [`clopper_pearson_upper`]. 0 without trials.
///
/// # Errors
/// More successes than trials.
pub fn clopper_pearson_lower(successes: u64, trials: u64, confidence: Confidence) -> Result<f64> {
    check(successes, trials)?;
    Ok(lower_end(successes, trials, 1.0 - confidence.get()))
}

/// Wilson's two-sided score interval. Shorter than [`clopper_pearson`] and right on average, but not a guarantee: use it to describe, not to promise.
///
/// # Errors
/// More successes than trials.
///
/// # References
/// Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
///
/// ```
/// use backmask::{numeric::wilson, units::Confidence};
/// let interval = wilson(8, 10, Confidence::new(0.95)?)?;
/// assert!((interval.low - 0.4902).abs() < 1e-4 && (interval.high - 0.9433).abs() < 1e-4);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn wilson(successes: u64, trials: u64, confidence: Confidence) -> Result<Interval> {
    check(successes, trials)?;
    let z = normal_quantile(f64::midpoint(1.0, confidence.get()));
    Ok(Interval { low: wilson_end(successes, trials, -z), high: wilson_end(successes, trials, z) })
}

/// Wilson's one-sided upper bound; see [`wilson`].
///
/// # Errors
/// More successes than trials.
pub fn wilson_upper(successes: u64, trials: u64, confidence: Confidence) -> Result<f64> {
    check(successes, trials)?;
    Ok(wilson_end(successes, trials, normal_quantile(confidence.get())))
}

/// P(X ≤ `successes`) for X binomial with `trials` and `probability`.
///
/// # Errors
/// `probability` lies outside \[0, 1\].
pub fn binomial_cdf(successes: u64, trials: u64, probability: f64) -> Result<f64> {
    if !(0.0..=1.0).contains(&probability) {
        return Err(Error::Parameter { name: "probability", problem: "must lie in [0, 1]".to_owned() });
    }
    Ok(at_most(successes, trials, probability))
}

/// The regularized incomplete beta function `I_x(a, b)`, by its continued fraction (modified Lentz) with as many terms as it needs: about √max(a, b).
///
/// # Errors
/// `a` or `b` is not a positive number, or `x` lies outside \[0, 1\].
///
/// # References
/// NIST Digital Library of Mathematical Functions, 8.17.22.
pub fn beta_regularized(a: f64, b: f64, x: f64) -> Result<f64> {
    if a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite() && (0.0..=1.0).contains(&x) {
        Ok(incomplete_beta(a, b, x, 1.0 - x))
    } else {
        Err(Error::Parameter { name: "beta", problem: "needs a, b > 0 and x in [0, 1]".to_owned() })
    }
}

fn check(successes: u64, trials: u64) -> Result<()> {
    if successes <= trials { Ok(()) } else { Err(Error::Parameter { name: "successes", problem: "are more than the trials".to_owned() }) }
}

/// P(X ≤ successes).
fn at_most(successes: u64, trials: u64, p: f64) -> f64 {
    if successes >= trials { 1.0 } else { incomplete_beta(real(trials - successes), real(successes) + 1.0, 1.0 - p, p) }
}

/// P(X ≥ successes).
fn at_least(successes: u64, trials: u64, p: f64) -> f64 {
    if successes == 0 { 1.0 } else { incomplete_beta(real(successes), real(trials - successes) + 1.0, p, 1.0 - p) }
}

/// Smallest number known to lie at or above the solution of P(X ≤ successes) = alpha.
fn upper_end(successes: u64, trials: u64, alpha: f64) -> f64 {
    if successes >= trials {
        return 1.0;
    }
    bisect(real(successes) / real(trials), 1.0, |p| at_most(successes, trials, p) > alpha).1
}

/// Largest number known to lie at or below the solution of P(X ≥ successes) = alpha.
fn lower_end(successes: u64, trials: u64, alpha: f64) -> f64 {
    if successes == 0 {
        return 0.0;
    }
    bisect(0.0, real(successes) / real(trials), |p| at_least(successes, trials, p) <= alpha).0
}

/// Narrows `low..high` to neighbouring numbers around the point where `below` turns false.
fn bisect(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> (f64, f64) {
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return (low, high);
        }
        if below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
}

fn wilson_end(successes: u64, trials: u64, z: f64) -> f64 {
    // At these ends the formula gives 0 and 1 up to rounding.
    if trials == 0 || z > 0.0 && successes == trials || z < 0.0 && successes == 0 {
        return if z > 0.0 { 1.0 } else { 0.0 };
    }
    let (n, p) = (real(trials), real(successes) / real(trials));
    let centre = p + z * z / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((centre + spread) / (1.0 + z * z / n)).clamp(0.0, 1.0)
}

fn normal_quantile(probability: f64) -> f64 {
    Normal::standard().inverse_cdf(probability)
}

/// `I_x(a, b)` with y = 1 − x given too, so that neither end loses digits.
fn incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * y.ln()).exp();
    // The fraction converges fast below the mean; above it the complement is taken.
    let value = if x * (a + b + 2.0) <= a + 1.0 { front * fraction(a, b, x) / a } else { 1.0 - front * fraction(b, a, y) / b };
    value.clamp(0.0, 1.0)
}

/// The continued fraction of `I_x(a, b)`.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let terms = 200.0 + 10.0 * a.max(b).sqrt();
    let mut below = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let (mut above, mut product, mut m) = (1.0, below, 1.0);
    while m < terms {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut factor = 1.0;
        for coefficient in [even, odd] {
            below = 1.0 / away_from_zero(1.0 + coefficient * below);
            above = away_from_zero(1.0 + coefficient / above);
            factor = above * below;
            product *= factor;
        }
        if (factor - 1.0).abs() < 1e-15 {
            break;
        }
        m += 1.0;
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn confidence(value: f64) -> Confidence {
        Confidence::new(value).unwrap()
    }

    /// P(X ≤ successes) summed term by term: no beta function.
    fn tail(successes: u64, trials: u64, p: f64) -> f64 {
        if p >= 1.0 {
            return f64::from(u8::from(successes >= trials));
        }
        let mut term = real(trials) * (1.0 - p).ln();
        let mut sum = term.exp();
        for k in 0..successes {
            term += (real(trials - k) / real(k + 1)).ln() + p.ln() - (1.0 - p).ln();
            sum += term.exp();
        }
        sum
    }

    /// The bound by bisection on the exact tail.
    fn oracle(successes: u64, trials: u64, alpha: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..80 {
            let p = f64::midpoint(low, high);
            if p > 0.0 && tail(successes, trials, p) <= alpha { high = p } else { low = p }
        }
        high
    }

    proptest! {
        #[test]
        fn bounds_solve_the_exact_tail(trials in 1_u64..400, share in 0.0..1.0_f64, level in 0.5..0.999_f64) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the trials")]
            let successes = (share * real(trials)) as u64;
            let upper = clopper_pearson_upper(successes, trials, confidence(level)).unwrap();
            prop_assert!((upper - oracle(successes, trials, 1.0 - level)).abs() < 1e-9);
            // By symmetry the lower bound is one minus the upper bound of the failures.
            let lower = clopper_pearson_lower(successes, trials, confidence(level)).unwrap();
            let mirrored = clopper_pearson_upper(trials - successes, trials, confidence(level)).unwrap();
            prop_assert!((lower - (1.0 - mirrored)).abs() < 1e-9);
            let interval = clopper_pearson(successes, trials, confidence(level)).unwrap();
            prop_assert!(interval.low <= lower && upper <= interval.high && lower <= upper);
            let score = wilson(successes, trials, confidence(level)).unwrap();
            let p = real(successes) / real(trials);
            prop_assert!(score.low <= p + 1e-12 && p <= score.high + 1e-12);
        }

        #[test]
        fn bounds_grow_with_successes_and_confidence(trials in 1_u64..200, successes in 0_u64..200, level in 0.5..0.99_f64) {
            let successes = successes % trials;
            let at = |k, level| clopper_pearson_upper(k, trials, confidence(level)).unwrap();
            prop_assert!(at(successes, level) < at(successes + 1, level));
            prop_assert!(at(successes, level) < at(successes, level + 0.005));
            let score = |k, level| wilson_upper(k, trials, confidence(level)).unwrap();
            prop_assert!(score(successes, level) < score(successes + 1, level) + 1e-15);
        }

        #[test]
        fn agrees_with_statrs_where_that_converges(a in 0.5..300.0_f64, b in 0.5..300.0_f64, x in 0.0..1.0_f64) {
            let expected = statrs::function::beta::beta_reg(a, b, x);
            prop_assert!((beta_regularized(a, b, x).unwrap() - expected).abs() < 1e-10);
        }
    }

    #[test]
    fn known_values() {
        // Tabulated: 0 and n of n have closed forms; 5 of 100 at 95 % two-sided is (0.0164, 0.1128).
        assert!((clopper_pearson_upper(0, 50, confidence(0.95)).unwrap() - (1.0 - 0.05_f64.powf(0.02))).abs() < 1e-12);
        assert!((clopper_pearson_lower(50, 50, confidence(0.95)).unwrap() - 0.05_f64.powf(0.02)).abs() < 1e-12);
        let interval = clopper_pearson(5, 100, confidence(0.95)).unwrap();
        assert!((interval.low - 0.0164).abs() < 5e-5 && (interval.high - 0.1128).abs() < 5e-5, "{interval:?}");
    }

    #[test]
    fn ends_and_empty_samples() {
        for level in [0.5, 0.95, 0.999] {
            let level = confidence(level);
            assert_eq!(clopper_pearson(0, 0, level).unwrap(), Interval { low: 0.0, high: 1.0 });
            assert_eq!(wilson(0, 0, level).unwrap(), Interval { low: 0.0, high: 1.0 });
            for trials in [1, 7, 1000] {
                let exact = (clopper_pearson(0, trials, level).unwrap().low, clopper_pearson(trials, trials, level).unwrap().high);
                let score = (wilson(0, trials, level).unwrap().low, wilson_upper(trials, trials, level).unwrap());
                assert_eq!((exact, score), ((0.0, 1.0), (0.0, 1.0)));
            }
            assert!(clopper_pearson_upper(2, 1, level).is_err() && wilson(2, 1, level).is_err());
        }
        assert!(beta_regularized(0.0, 1.0, 0.5).is_err() && beta_regularized(1.0, 1.0, f64::NAN).is_err());
        assert!(binomial_cdf(1, 2, 1.5).is_err());
        assert!((binomial_cdf(1, 2, 0.5).unwrap() - 0.75).abs() < 1e-14);
        assert_eq!((binomial_cdf(2, 2, 1.0).unwrap(), binomial_cdf(1, 2, 1.0).unwrap(), binomial_cdf(0, 2, 0.0).unwrap()), (1.0, 0.0, 1.0));
    }

    /// A fraction cut at a fixed number of terms is far off here; the normal approximation is not.
    #[test]
    fn large_samples_converge() {
        for trials in [1_000_000, 1_000_000_000_u64] {
            let upper = clopper_pearson_upper(trials / 2, trials, confidence(0.95)).unwrap();
            let normal = 0.5 + 1.644_853_626_951_472 * (0.25 / real(trials)).sqrt();
            assert!((upper - normal).abs() < 3.0 / real(trials), "{trials} {upper} {normal}");
        }
    }

    /// Draws many binomial samples and counts how often the bound lies below the truth. 20,000 samples: a bound that errs in 5 % fails this with probability below 10⁻⁶.
    #[test]
    fn upper_bounds_cover_the_truth() {
        use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng};
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let truth = 0.07;
        let bounds: Vec<f64> = (0..=40).map(|k| clopper_pearson_upper(k, 40, confidence(0.95)).unwrap()).collect();
        let missed = (0..20_000).filter(|_| bounds[(0..40).filter(|_| rng.random::<f64>() < truth).count()] < truth).count();
        assert!(missed <= 1_150, "{missed}");
        // The observed rate itself is no bound: it misses about half of the time.
        let naive = (0..2_000).filter(|_| real((0..40).filter(|_| rng.random::<f64>() < truth).count() as u64) / 40.0 < truth).count();
        assert!(naive > 600);
    }
}
