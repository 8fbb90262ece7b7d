//! Zero-concentrated differential privacy: D_α ≤ ρ α for all orders α > 1.

use super::gaussian::first;
use crate::dp::event::{PrivacyEvent, between};
use crate::error::{Error, Result};
use crate::units::Delta;

/// The smallest δ that ρ-zCDP is known to imply at `epsilon`: min over α of exp((α − 1)(α ρ − ε)) / (α − 1) · (1 − 1/α)^α.
///
/// # Errors
/// `rho` lies outside \[10⁻⁴⁰, 10⁸\] or `epsilon` is negative.
///
/// # References
/// Canonne, Kamath and Steinke, "The discrete Gaussian for differential privacy", NeurIPS 2020, Corollary 13; the notion is of Bun and Steinke, TCC 2016.
///
/// ```
/// let delta = backmask::dp::accounting::zcdp::delta(0.1, 1.0)?;
/// assert!((delta - 0.008_933_245_771_818_362).abs() < 1e-12);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn delta(rho: f64, epsilon: f64) -> Result<f64> {
    between("rho", rho, 1e-40, 1e8)?;
    if epsilon.is_nan() || epsilon < 0.0 {
        return Err(Error::Parameter { name: "epsilon", problem: "must be at least 0".to_owned() });
    }
    Ok(delta_of(rho, epsilon))
}

/// The smallest ε ≥ 0 that ρ-zCDP is known to imply at δ: infinite for δ = 0.
///
/// # Errors
/// `rho` lies outside \[10⁻⁴⁰, 10⁸\].
pub fn epsilon(rho: f64, delta: Delta) -> Result<f64> {
    between("rho", rho, 1e-40, 1e8)?;
    Ok(epsilon_of(rho, delta.get()))
}

pub(super) fn delta_of(rho: f64, epsilon: f64) -> f64 {
    let value = |u: f64| {
        let more = u.exp();
        let alpha = 1.0 + more;
        more * (alpha * rho - epsilon) + log_factor(more)
    };
    let high = (epsilon / rho).max(1.0).ln() + 50.0;
    least(value, -40.0, high).1.exp().min(1.0) * (1.0 + 1e-13)
}

pub(super) fn epsilon_of(rho: f64, delta: f64) -> f64 {
    if delta <= 0.0 {
        return f64::INFINITY;
    }
    let high = rho + 2.0 * (rho * -delta.ln()).max(0.0).sqrt() + 1e-9;
    first(0.0, high, |epsilon| delta_of(rho, epsilon) <= delta)
}

/// ln((1 − 1/α)^α / (α − 1)) for α − 1 = `more`.
pub(super) fn log_factor(more: f64) -> f64 {
    let alpha = 1.0 + more;
    if more < 1.0 { more * more.ln() - alpha * more.ln_1p() } else { -more.ln() - alpha * (1.0 / more).ln_1p() }
}

/// The place and the value of the least of a function with one minimum, by golden sections.
pub(super) fn least(value: impl Fn(f64) -> f64, low: f64, high: f64) -> (f64, f64) {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let (mut low, mut high) = (low, high);
    let (mut left, mut right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut at_left, mut at_right) = (value(left), value(right));
    for _ in 0..90 {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - GOLDEN * (high - low);
            at_left = value(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + GOLDEN * (high - low);
            at_right = value(right);
        }
    }
    if at_left <= at_right { (left, at_left) } else { (right, at_right) }
}

/// ρ of an ε-differentially private mechanism, ε (e^ε − 1) / (e^ε + 1): the Kullback–Leibler divergence of randomized response.
pub(super) fn rho_of_pure(epsilon: f64) -> f64 {
    epsilon * (0.5 * epsilon).tanh()
}

/// ρ of the Laplace mechanism, ε − 1 + e^(−ε): its Kullback–Leibler divergence.
pub(super) fn rho_of_laplace(epsilon: f64) -> f64 {
    if epsilon < 0.01 {
        return epsilon * epsilon * (0.5 - epsilon * (1.0 / 6.0 - epsilon * (1.0 / 24.0 - epsilon / 120.0)));
    }
    epsilon + (-epsilon).exp_m1()
}

/// ρ of all events; `None` where one has none, or none that is worth stating.
///
/// References: Bun and Steinke 2016 for Gaussians; Canonne, Kamath and Steinke 2020, Theorem 4, for discrete Gaussians; for the others D_α / α is largest in the limit
/// α → 1 (Harrison and Manurangsi, "Exact zCDP characterizations for fundamental differentially private mechanisms", 2025), which the tests check.
pub(super) fn rho(events: &[PrivacyEvent]) -> Option<f64> {
    let mut sum = 0.0;
    for event in events {
        #[expect(clippy::cast_precision_loss, reason = "counts are at most 10^9")]
        let count = event.count() as f64;
        let each = match *event {
            PrivacyEvent::Gaussian { noise_multiplier, sampling_rate, .. } if sampling_rate >= 1.0 => {
                0.5 / (noise_multiplier * noise_multiplier)
            }
            PrivacyEvent::DiscreteGaussian { sigma, sensitivity, .. } | PrivacyEvent::RoundedGaussian { sigma, sensitivity, .. } => {
                0.5 * (sensitivity / sigma) * (sensitivity / sigma)
            }
            PrivacyEvent::Gdp { mu, .. } => 0.5 * mu * mu,
            PrivacyEvent::Zcdp { rho, .. } => rho,
            PrivacyEvent::Laplace { scale, sampling_rate, .. } if sampling_rate >= 1.0 => rho_of_laplace(1.0 / scale),
            PrivacyEvent::DiscreteLaplace { scale, sensitivity, .. } => rho_of_pure(sensitivity / scale),
            PrivacyEvent::Pure { epsilon, .. } | PrivacyEvent::RandomizedResponse { epsilon, .. } => rho_of_pure(epsilon),
            PrivacyEvent::Approximate { epsilon, delta, .. } if delta <= 0.0 => rho_of_pure(epsilon),
            _ => return None,
        };
        sum += count * each;
    }
    Some(sum * (1.0 + 1e-13))
}
