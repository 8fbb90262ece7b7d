//! Probabilities and variances as floats, to about 13 digits: for reports and tests. Nothing that is drawn depends on them.

use std::f64::consts::{LN_2, PI, SQRT_2};

#[expect(clippy::cast_precision_loss, reason = "53 bits of a noise value are enough for a float probability")]
pub(super) fn real(value: i64) -> f64 {
    value as f64
}

/// The complementary error function for x ≥ 0 to 13 digits (statrs has 10): the series of the error function, or the continued fraction from below.
fn erfc(x: f64) -> f64 {
    if x < 2.0 {
        // erf x = 2/√π exp(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!  (DLMF 7.6.2)
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while term > sum * 1e-18 {
            odd += 2.0;
            term *= 2.0 * x * x / odd;
            sum += term;
        }
        return 1.0 - 2.0 / PI.sqrt() * (-x * x).exp() * sum;
    }
    // √π exp(x²) erfc x = 1 / (x + ½ / (x + 1 / (x + 3/2 / …)))  (DLMF 7.9.1)
    let fraction = (1..=120).rev().map(|n| 0.5 * f64::from(n)).fold(x, |below, a| x + a / below);
    (-x * x).exp() / (PI.sqrt() * fraction)
}

/// ln(1 − exp(−x)) for x > 0.
fn ln_one_minus_exp(x: f64) -> f64 {
    if x > LN_2 { (-(-x).exp()).ln_1p() } else { (-(-x).exp_m1()).ln() }
}

/// P(x) = tanh(1 / 2b) exp(−|x| / b).
pub(super) fn laplace_ln_pmf(scale: f64, x: i64) -> f64 {
    (0.5 / scale).tanh().ln() - real(x).abs() / scale
}

/// 1 / (2 sinh²(1 / 2b)).
pub(super) fn laplace_variance(scale: f64) -> f64 {
    let sinh = (0.5 / scale).sinh();
    0.5 / (sinh * sinh)
}

/// P(|X| ≥ t) = 2 exp(−t / b) / (1 + exp(−1 / b)) for t ≥ 1.
pub(super) fn laplace_tail(scale: f64, t: i64) -> f64 {
    if t <= 0 { 1.0 } else { 2.0 * (-real(t) / scale).exp() / (1.0 + (-1.0 / scale).exp()) }
}

/// P(x) = (1 − exp(−1 / b)) exp(−x / b) for x ≥ 0.
pub(super) fn geometric_ln_pmf(scale: f64, x: i64) -> f64 {
    if x < 0 { f64::NEG_INFINITY } else { ln_one_minus_exp(1.0 / scale) - real(x) / scale }
}

/// exp(−1 / b) / (1 − exp(−1 / b))².
pub(super) fn geometric_variance(scale: f64) -> f64 {
    laplace_variance(scale) / 2.0
}

/// P(X ≥ t) = exp(−t / b) for t ≥ 0.
pub(super) fn geometric_tail(scale: f64, t: i64) -> f64 {
    (-real(t) / scale).exp()
}

/// Above this σ the sum over the integers is the integral to 16 digits (Poisson summation: the first harmonic is 2 exp(−2π²σ²)).
const SMOOTH_SIGMA: f64 = 2.0;

/// Σ exp(−x² / 2σ²) over the integers, and Σ x² exp(−x² / 2σ²).
fn gaussian_sums(sigma: f64) -> (f64, f64) {
    if sigma >= SMOOTH_SIGMA {
        let mass = (2.0 * PI).sqrt() * sigma;
        return (mass, mass * sigma * sigma);
    }
    let (mass, square) = (1..=100_i64).rev().map(real).fold((0.0, 0.0), |(mass, square), x| {
        let term = 2.0 * (-0.5 * (x / sigma) * (x / sigma)).exp();
        (mass + term, square + x * x * term)
    });
    (mass + 1.0, square)
}

pub(super) fn gaussian_ln_pmf(sigma: f64, x: i64) -> f64 {
    let z = real(x) / sigma;
    -0.5 * z * z - gaussian_sums(sigma).0.ln()
}

pub(super) fn gaussian_variance(sigma: f64) -> f64 {
    let (mass, square) = gaussian_sums(sigma);
    square / mass
}

/// P(|X| ≥ t): the sum for small σ, else Euler–Maclaurin at t − ½ (DLMF 2.10.1 at the midpoint).
pub(super) fn gaussian_tail(sigma: f64, t: i64) -> f64 {
    if t <= 0 {
        return 1.0;
    }
    let mass = gaussian_sums(sigma).0;
    let density = |x: f64| (-0.5 * (x / sigma) * (x / sigma)).exp() / mass;
    if sigma > 1e4 {
        let a = (real(t) - 0.5) / sigma;
        let (f, s) = (density(a * sigma), sigma);
        let first = -a / s * f;
        let third = (3.0 * a - a * a * a) / (s * s * s) * f;
        return erfc(a / SQRT_2) + 2.0 * (first / 24.0 - 7.0 / 5760.0 * third);
    }
    let mut sum = 0.0;
    for x in t.. {
        let term = density(real(x));
        sum += term;
        if term <= sum * 1e-18 {
            break;
        }
    }
    2.0 * sum
}

/// ln P(Z ≥ a) for a normal Z: from the complementary error function, or its asymptotic series where that vanishes.
fn ln_normal_tail(a: f64) -> f64 {
    if a < 37.0 {
        return (0.5 * erfc(a / SQRT_2)).ln();
    }
    let r = 1.0 / (a * a);
    -0.5 * a * a - (a * (2.0 * PI).sqrt()).ln() + (-r * (1.0 - r * (3.0 - r * (15.0 - r * 105.0)))).ln_1p()
}

/// ln of Φ((x + ½) / σ) − Φ((x − ½) / σ).
pub(super) fn rounded_ln_pmf(sigma: f64, x: i64) -> f64 {
    let x = real(x).abs();
    if x / (sigma * sigma) < 0.1 && sigma > 3.0 {
        // Gauss–Legendre with five nodes over the unit interval.
        const NODES: [(f64, f64); 3] = [
            (0.0, 0.568_888_888_888_888_9),
            (0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
            (0.906_179_845_938_664, 0.236_926_885_056_189_1),
        ];
        let part = |t: f64| (-(2.0 * x * t + t * t) / (2.0 * sigma * sigma)).exp();
        let integral: f64 = NODES
            .iter()
            .map(|&(node, weight)| 0.5 * weight * if node > 0.0 { part(0.5 * node) + part(-0.5 * node) } else { part(0.0) })
            .sum();
        return -0.5 * (x / sigma) * (x / sigma) - ((2.0 * PI).sqrt() * sigma).ln() + integral.ln();
    }
    if x == 0.0 {
        return (-erfc(0.5 / (sigma * SQRT_2))).ln_1p();
    }
    let (near, far) = (ln_normal_tail((x - 0.5) / sigma), ln_normal_tail((x + 0.5) / sigma));
    near + ln_one_minus_exp(near - far)
}

/// E⌊Z + ½⌋²: Σ (2t − 1) P(|X| ≥ t), or σ² + 1/12 where the harmonics are below the digits of a float.
pub(super) fn rounded_variance(sigma: f64) -> f64 {
    if sigma >= SMOOTH_SIGMA {
        return sigma * sigma + 1.0 / 12.0;
    }
    (1..=100_i64).rev().map(|t| (2.0 * real(t) - 1.0) * rounded_tail(sigma, t)).sum()
}

/// P(|X| ≥ t) = erfc((t − ½) / (σ √2)) for t ≥ 1.
pub(super) fn rounded_tail(sigma: f64, t: i64) -> f64 {
    if t <= 0 { 1.0 } else { erfc((real(t) - 0.5) / (sigma * SQRT_2)) }
}
