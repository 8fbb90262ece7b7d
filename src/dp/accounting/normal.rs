//! The standard normal law, with full relative accuracy in both tails.

use super::quadrature::{TEN, integral};
use statrs::function::erf::erfc_inv;
use std::f64::consts::SQRT_2;

/// 1 / √(2π).
pub(super) const PEAK: f64 = 0.398_942_280_401_432_7;

/// The density φ.
pub(super) fn density(x: f64) -> f64 {
    PEAK * (-0.5 * x * x).exp()
}

/// Φ(x).
pub(super) fn cdf(x: f64) -> f64 {
    if x.is_nan() {
        f64::NAN
    } else if x <= 0.0 {
        mills(-x) * density(x)
    } else {
        1.0 - mills(x) * density(x)
    }
}

/// Φ(x) − Φ(−x) for x ≥ 0.
pub(super) fn central(x: f64) -> f64 {
    if x > 1.0 {
        return 1.0 - 2.0 * cdf(-x);
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term > 1e-18 * sum {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    2.0 * density(x) * sum
}

/// Φ⁻¹(p) for p in [0, 1].
pub(super) fn quantile(p: f64) -> f64 {
    if p.is_nan() {
        return f64::NAN;
    }
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    let mut x = -SQRT_2 * erfc_inv(2.0 * p);
    // One or two steps of Halley's method with the residual relative to the density.
    for _ in 0..2 {
        let step = (cdf(x) - p) / density(x);
        let next = x - step / (1.0 + 0.5 * x * step);
        if !next.is_finite() {
            break;
        }
        x = next;
    }
    x
}

/// Mills' ratio Φ(−x) / φ(x) for x ≥ 0: ∫ exp(−x t − t²/2) dt over t ≥ 0, far out by its asymptotic series.
pub(super) fn mills(x: f64) -> f64 {
    if x < 25.0 {
        let reach = 80.0 / (x + (x * x + 80.0).sqrt());
        let panels = (0.3 * x * reach).max(1.2 * reach).ceil();
        let (width, mut sum, mut done) = (reach / panels, 0.0, 0.0);
        while done < panels {
            sum += integral(TEN, done * width, (done + 1.0) * width, |t| (-t * (x + 0.5 * t)).exp());
            done += 1.0;
        }
        return sum;
    }
    let (square, mut term, mut sum) = (1.0 / (x * x), 1.0, 1.0);
    for odd in [1.0, 3.0, 5.0, 7.0, 9.0, 11.0] {
        term *= -odd * square;
        sum += term;
    }
    sum / x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_full_relative_accuracy() {
        // mpmath, 40 digits.
        for (x, exact) in [
            (-37.0, 5.725_571_222_524_577e-300),
            (-10.0, 7.619_853_024_160_527e-24),
            (-3.0, 0.001_349_898_031_630_094_5),
            (-0.1, 0.460_172_162_722_971),
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (8.0, 0.999_999_999_999_999_4),
        ] {
            assert!((cdf(x) / exact - 1.0).abs() < 4e-14, "{x}: {}", cdf(x) / exact - 1.0);
            if x < 2.0 {
                assert!((quantile(exact) - x).abs() < 1e-14 * (1.0 + x.abs() * x.abs()), "{x}: {}", quantile(exact) - x);
            }
        }
        for (x, exact) in [
            (5.0, 0.192_808_104_715_315_76),
            (24.99, 0.039_952_234_918_958_876),
            (25.01, 0.039_920_387_298_687_24),
            (1e5, 9.999_999_999e-6),
        ] {
            assert!((mills(x) / exact - 1.0).abs() < 1e-13, "{x}: {}", mills(x) / exact - 1.0);
        }
        for (x, exact) in [
            (1e-9, 7.978_845_608_028_654e-10),
            (0.3, 0.235_822_844_377_905_28),
            (0.99, 0.677_825_880_978_338_2),
            (2.0, 0.954_499_736_103_641_6),
        ] {
            assert!((central(x) / exact - 1.0).abs() < 1e-14, "{x}: {}", central(x) / exact - 1.0);
        }
        assert!(quantile(0.0) == f64::NEG_INFINITY && quantile(1.0) == f64::INFINITY && quantile(f64::NAN).is_nan());
    }
}
