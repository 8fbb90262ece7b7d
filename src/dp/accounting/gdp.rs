//! μ of Gaussian differential privacy.

use super::finite::Losses;
use super::normal::quantile;
use crate::dp::event::PrivacyEvent;

/// μ of an ε-differentially private mechanism: the Gaussian trade-off curve through the corner of its own, at (1 / (1 + e^ε), 1 / (1 + e^ε)).
fn of_pure(epsilon: f64) -> f64 {
    -2.0 * quantile(1.0 / (1.0 + epsilon.exp()))
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
