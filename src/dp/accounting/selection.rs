//! Keys that one person alone may bring: at which count they may be shown.

use super::normal::{cdf, quantile};

/// Probabilities with which the optimal selection keeps a key with 1, 2, … people, up to `most` or until it is 1: the largest that are (ε, δ)-differentially private for one
/// key, πₙ = min(e^ε πₙ₋₁ + δ, 1 − e^(−ε) (1 − πₙ₋₁ − δ), 1).
///
/// # References
/// Desfontaines, Voss, Gipson and Mandayam, "Differentially private partition selection", PETS 2022, Theorem 1.
pub(super) fn truncated_geometric(epsilon: f64, delta: f64, most: usize) -> Vec<f64> {
    let mut found = Vec::new();
    let mut keep = 0.0_f64;
    while keep < 1.0 && found.len() < most {
        keep = (epsilon.exp() * keep + delta).min(1.0 - (-epsilon).exp() * (1.0 - keep - delta)).min(1.0);
        found.push(keep);
    }
    found
}

/// The δ of each of `items` keys that together have δ: 1 − (1 − δ)^(1 / items).
pub(super) fn each_delta(delta: f64, items: f64) -> f64 {
    -((-delta).ln_1p() / items).exp_m1()
}

/// The threshold that `start` plus Laplace noise of scale b reaches with probability δ.
pub(super) fn laplace_threshold(start: f64, b: f64, delta: f64) -> f64 {
    if delta <= 0.5 { start - b * (2.0 * delta).ln() } else { start + b * (2.0 * (1.0 - delta)).ln() }
}

/// P(Laplace noise of scale b ≥ x).
pub(super) fn laplace_tail(x: f64, b: f64) -> f64 {
    if x >= 0.0 { 0.5 * (-x / b).exp() } else { 1.0 - 0.5 * (x / b).exp() }
}

/// The smallest whole number that `start` plus discrete Laplace noise of scale b reaches with probability at most δ.
pub(super) fn discrete_laplace_threshold(start: f64, b: f64, delta: f64) -> f64 {
    // P(X ≥ m) = e^(−m/b) / (1 + e^(−1/b)) for m ≥ 0, and 1 − P(X ≥ 1 − m) below.
    let tail = |m: f64| {
        let upper = |m: f64| (-m / b).exp() / (1.0 + (-1.0 / b).exp());
        if m >= 0.0 { upper(m) } else { 1.0 - upper(1.0 - m) }
    };
    let mut m = (laplace_threshold(0.0, b, delta)).floor() - 2.0;
    while tail(m) > delta {
        m += 1.0;
    }
    start + m
}

/// The threshold that none of `items` values `start` plus Gaussian noise reaches with probability 1 − δ.
pub(super) fn gaussian_threshold(start: f64, sigma: f64, delta: f64, items: f64) -> f64 {
    // Φ⁻¹((1 − δ)^(1/items)) from the other tail.
    start - sigma * quantile(each_delta(delta, items))
}

/// P(Gaussian noise ≥ x).
pub(super) fn gaussian_tail(x: f64, sigma: f64) -> f64 {
    cdf(-x / sigma)
}
