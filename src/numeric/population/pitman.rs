//! Pitman's sampling formula.

use super::SampleClasses;
use crate::numeric::roots::root;
use crate::numeric::special::ln_gamma_step;
use crate::numeric::{digamma, real};

/// The parameters of Pitman's sampling formula that make the sample most likely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pitman {
    /// θ > −α.
    pub theta: f64,
    /// 0 ≤ α < 1. With 0 it is Ewens's formula.
    pub alpha: f64,
}

impl Pitman {
    /// The maximum of ℓ(θ, α) = Σ_{i<J} ln(θ + iα) − Σ_{i<n} ln(θ + i) + Σ_classes Σ_{j<f} ln(j − α): θ is solved for every α, and α for the profile. `None`
    /// where there is none: all people alone, or all in one class.
    ///
    /// # References
    /// Pitman, *Exchangeable and partially exchangeable random partitions*, Probability Theory and Related Fields 102 (1995); Hoshino, *Applying Pitman's
    /// sampling formula to microdata disclosure risk assessment*, Journal of Official Statistics 17 (2001).
    #[must_use]
    pub fn fit(sample: &SampleClasses) -> Option<Self> {
        if sample.classes() < 2 || sample.classes() >= sample.people() {
            return None;
        }
        let slope = |alpha: f64| theta(sample, alpha).map_or(f64::NAN, |theta| slope(sample, theta, alpha));
        // At α = 0 the likelihood may already fall.
        let alpha = if slope(0.0) <= 0.0 { 0.0 } else { root(slope, 0.0, 1.0 - f64::EPSILON)? };
        Some(Self { theta: theta(sample, alpha)?, alpha })
    }

    /// Expected classes of one person in a population: Γ(θ + 1) / Γ(θ + α) · N^α, for large N (Hoshino 2001).
    #[must_use]
    pub fn uniques(&self, population: u64) -> f64 {
        (ln_gamma_step(self.theta, self.alpha) + self.alpha * real(population).ln()).exp()
    }
}

/// Σ_{0<i<J} 1 / (θ + iα).
fn classes_sum(sample: &SampleClasses, theta: f64, alpha: f64) -> f64 {
    let classes = real(sample.classes());
    if alpha == 0.0 {
        return (classes - 1.0) / theta;
    }
    (digamma(theta / alpha + classes) - digamma(theta / alpha + 1.0)) / alpha
}

/// The θ at which the likelihood is largest for this α.
fn theta(sample: &SampleClasses, alpha: f64) -> Option<f64> {
    // θ = e^x − α, so that it never reaches −α.
    let slope = |x: f64| {
        let theta = x.exp() - alpha;
        classes_sum(sample, theta, alpha) - (digamma(theta + real(sample.people())) - digamma(theta + 1.0))
    };
    root(slope, -40.0, 50.0).map(|x| x.exp() - alpha)
}

/// ∂ℓ/∂α.
fn slope(sample: &SampleClasses, theta: f64, alpha: f64) -> f64 {
    let classes = real(sample.classes());
    let gained = if alpha == 0.0 {
        classes * (classes - 1.0) / 2.0 / theta
    } else if alpha < 1e-2 {
        // The closed form loses its digits here.
        (1..sample.classes()).map(|i| real(i) / (theta + real(i) * alpha)).sum()
    } else {
        (classes - 1.0 - theta * classes_sum(sample, theta, alpha)) / alpha
    };
    let first = digamma(1.0 - alpha);
    gained - sample.sizes().map(|(size, classes)| real(classes) * (digamma(real(size) - alpha) - first)).sum::<f64>()
}
