//! μ of Gaussian differential privacy.

use super::finite::Losses;
use super::normal::{PEAK, central, density, quantile};
use crate::dp::event::PrivacyEvent;

/// μ of an ε-differentially private mechanism: the Gaussian trade-off curve through the corner of its own, at (1 / (1 + e^ε), 1 / (1 + e^ε)).
fn of_pure(epsilon: f64) -> f64 {
    if epsilon >= 1.0 {
        return -2.0 * quantile(1.0 / (1.0 + epsilon.exp()));
    }
    // Near one half a quantile loses the digits of a small ε: Φ(μ/2) − Φ(−μ/2) = tanh(ε/2) is solved by Newton's method instead.
    let gap = (0.5 * epsilon).tanh();
    let mut half = 0.5 * gap / PEAK;
    for _ in 0..6 {
        half -= (central(half) - gap) / (2.0 * density(half));
    }
    2.0 * half
}

/// μ of all events; `None` where one has none or none is known.
pub(super) fn mu(events: &[PrivacyEvent]) -> Option<f64> {
    let mut square = 0.0;
    for event in events {
        #[expect(clippy::cast_precision_loss, reason = "counts are at most 10^9")]
        let count = event.count() as f64;
        let each = match *event {
            PrivacyEvent::Gaussian { noise_multiplier, sampling_rate, .. } if sampling_rate >= 1.0 => 1.0 / noise_multiplier,
            PrivacyEvent::RoundedGaussian { sigma, sensitivity, .. } => sensitivity / sigma,
            PrivacyEvent::Gdp { mu, .. } => mu,
            PrivacyEvent::Laplace { scale, sampling_rate, .. } if sampling_rate >= 1.0 => of_pure(1.0 / scale),
            PrivacyEvent::DiscreteLaplace { scale, sensitivity, .. } => of_pure(sensitivity / scale),
            PrivacyEvent::Pure { epsilon, .. } | PrivacyEvent::RandomizedResponse { epsilon, .. } => of_pure(epsilon),
            PrivacyEvent::Approximate { epsilon, delta, .. } if delta <= 0.0 => of_pure(epsilon),
            _ => return None,
        };
        square += count * each * each;
    }
    let mut mu = square.sqrt();
    if let Some(polygon) = Losses::new(events).and_then(|losses| losses.mu()) {
        mu = mu.min(polygon);
    }
    mu.is_finite().then_some(mu * (1.0 + 1e-12))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// −2 Φ⁻¹(1 / (1 + e^ε)) with 40 digits: no μ below it holds.
    #[test]
    fn a_pure_mechanism_is_never_said_to_lose_less() {
        for (epsilon, exact) in [
            (1e-9, 1.253_314_137_315_500_2e-9),
            (20.0, 11.758_418_713_653_101),
            (30.0, 14.715_333_630_017_525),
            (35.0, 15.996_690_579_925_016),
        ] {
            for event in [PrivacyEvent::Pure { epsilon, count: 1 }, PrivacyEvent::RandomizedResponse { epsilon, count: 1 }] {
                let found = mu(&[event]).unwrap();
                assert!((0.0..1e-11).contains(&(found / exact - 1.0)), "{epsilon}: {found:e} for {exact:e}");
            }
        }
        // Two of them: corners at (loss 2ε and loss 0).
        let found = mu(&[PrivacyEvent::Pure { epsilon: 35.0, count: 2 }]).unwrap();
        assert!(found > 15.99, "{found}");
    }
}
