//! Pitman's sampling formula.

use super::SampleClasses;
use crate::numeric::roots::root;
use crate::numeric::special::{digamma_step, ln_gamma_step};
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
    /// The maximum of ℓ(θ, α) = Σ_{i<J} ln(θ + iα) − Σ_{i<n} ln(θ + i) + the sum over all classes of Σ_{j<f} ln(j − α): θ is solved for every α, and α for the profile. `None`
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
        let slope = |alpha: f64| above(sample, alpha).map_or(f64::NAN, |above| slope(sample, above, alpha));
        // At α = 0 the likelihood may already fall.
        let alpha = if slope(0.0) <= 0.0 { 0.0 } else { root(slope, 0.0, 1.0 - f64::EPSILON)? };
        Some(Self { theta: above(sample, alpha)? - alpha, alpha })
    }

    /// Expected classes of one person in a population: Γ(θ + 1) / Γ(θ + α) · N^α, for large N (Hoshino 2001).
    #[must_use]
    pub fn uniques(&self, population: u64) -> f64 {
        (ln_gamma_step(self.theta, self.alpha) + self.alpha * real(population).ln()).exp()
    }
}

/// Σ_{0<i<J} 1 / (θ + iα), from θ + α.
fn classes_sum(sample: &SampleClasses, above: f64, alpha: f64) -> f64 {
    let others = real(sample.classes()) - 1.0;
    if alpha == 0.0 { others / above } else { digamma_step(above / alpha, others) / alpha }
}

/// The θ + α > 0 at which the likelihood is largest for this α. Where α is almost 1, θ alone would lose it.
fn above(sample: &SampleClasses, alpha: f64) -> Option<f64> {
    let slope = |x: f64| {
        let above = x.exp();
        classes_sum(sample, above, alpha) - digamma_step(above + (1.0 - alpha), real(sample.people()) - 1.0)
    };
    root(slope, -40.0, 60.0).map(f64::exp)
}

/// ∂ℓ/∂α.
fn slope(sample: &SampleClasses, above: f64, alpha: f64) -> f64 {
    let classes = real(sample.classes());
    let gained = if alpha == 0.0 {
        classes * (classes - 1.0) / 2.0 / above
    } else if alpha < 1e-2 {
        // The closed form loses its digits here.
        (1..sample.classes()).map(|i| real(i) / (above + (real(i) - 1.0) * alpha)).sum()
    } else {
        (classes - 1.0 - (above - alpha) * classes_sum(sample, above, alpha)) / alpha
    };
    let first = digamma(1.0 - alpha);
    gained - sample.sizes().map(|(size, classes)| real(classes) * (digamma(real(size) - alpha) - first)).sum::<f64>()
}
