//! Events as dominating pairs.

use super::compose::Part;
use super::pair::{Base, Direction, Pair};
use crate::dp::event::PrivacyEvent;

/// What all runs of all events are, in few parts.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    pub(super) all: Vec<Part>,
    /// Whether every event has a dominating pair, so that the parts bound the whole from above.
    pub(super) dominated: bool,
    /// μ if all events are Gaussian or μ-GDP: then the bound from above has a closed form.
    pub(super) only_gaussian: Option<f64>,
}

fn pair(base: Base, rate: f64) -> Pair {
    Pair { base, rate, direction: Direction::Remove }
}

/// One Gaussian of the given μ, run at `rate`.
pub(super) fn gaussian(mu: f64, rate: f64) -> Pair {
    pair(Base::Gaussian { components: vec![(1.0, mu)] }, rate)
}

/// The pair of any (ε, δ)-differentially private mechanism.
///
/// # References
/// Kairouz, Oh and Viswanath, "The composition theorem for differential privacy", ICML 2015, section 3.
pub(super) fn approximate(epsilon: f64, delta: f64) -> Pair {
    let rest = 1.0 - delta;
    let truth = 1.0 / (1.0 + (-epsilon).exp());
    let lie = (-epsilon).exp() * truth;
    let atoms = if epsilon > 0.0 { vec![(epsilon, rest * lie), (-epsilon, rest * truth)] } else { vec![(0.0, rest)] };
    pair(Base::Finite { atoms, infinite: delta }, 1.0)
}

impl Parts {
    pub(super) fn new(events: &[PrivacyEvent]) -> Self {
        let mut found = Self { dominated: true, ..Self::default() };
        let (mut above, mut below) = (0.0, 0.0);
        let mut only_gaussian = true;
        for event in events {
            let count = event.count();
            #[expect(clippy::cast_precision_loss, reason = "counts are at most 10^9")]
            let runs = count as f64;
            let pair = match *event {
                PrivacyEvent::Gaussian { noise_multiplier, sampling_rate, .. } => {
                    let mu = 1.0 / noise_multiplier;
                    if sampling_rate >= 1.0 {
                        above += runs * mu * mu;
                        below += runs * mu * mu;
                        continue;
                    }
                    gaussian(mu, sampling_rate)
                }
                PrivacyEvent::Gdp { mu, .. } => {
                    above += runs * mu * mu;
                    below += runs * mu * mu;
                    continue;
                }
                PrivacyEvent::RoundedGaussian { sigma, sensitivity, .. } => {
                    let mu = sensitivity / sigma;
                    above += runs * mu * mu;
                    let whole = sensitivity.floor();
                    if whole >= 1.0 {
                        found.add(None, Some(pair(Base::RoundedGaussian { sigma, sensitivity: whole }, 1.0)), count);
                    }
                    continue;
                }
                PrivacyEvent::Zcdp { rho, .. } => {
                    // A Gaussian of μ² = 2ρ is one of those mechanisms.
                    below += runs * 2.0 * rho;
                    found.dominated = false;
                    continue;
                }
                PrivacyEvent::Laplace { scale, sampling_rate, .. } => pair(Base::Laplace { epsilon: 1.0 / scale }, sampling_rate),
                PrivacyEvent::DiscreteLaplace { scale, sensitivity, .. } => pair(Base::DiscreteLaplace { scale, sensitivity }, 1.0),
                PrivacyEvent::DiscreteGaussian { sigma, sensitivity, .. } => pair(Base::DiscreteGaussian { sigma, sensitivity }, 1.0),
                PrivacyEvent::RandomizedResponse { epsilon, .. } | PrivacyEvent::Pure { epsilon, .. } => approximate(epsilon, 0.0),
                PrivacyEvent::Approximate { epsilon, delta, .. } => approximate(epsilon, delta),
                PrivacyEvent::TruncatedGeometric { epsilon, delta, max_items, .. } => {
                    #[expect(clippy::cast_precision_loss, reason = "at most 10^6")]
                    let items = max_items as f64;
                    only_gaussian = false;
                    let each = approximate(epsilon / items, delta / items);
                    found.add(Some(each.clone()), Some(each), count.saturating_mul(max_items));
                    continue;
                }
            };
            only_gaussian = false;
            found.add(Some(pair.clone()), Some(pair), count);
        }
        let gaussian = |square: f64| (square > 0.0).then(|| gaussian(square.sqrt(), 1.0));
        if above > 0.0 || below > 0.0 {
            found.add(gaussian(above), gaussian(below), 1);
        }
        found.only_gaussian = (only_gaussian && found.dominated).then(|| above.sqrt());
        found
    }

    fn add(&mut self, above: Option<Pair>, below: Option<Pair>, count: u64) {
        match self.all.iter_mut().find(|part| part.above == above && part.below == below) {
            Some(part) => part.count = part.count.saturating_add(count),
            None => self.all.push(Part { above, below, count }),
        }
    }

    /// Directions that must be looked at.
    pub(super) fn directions(&self) -> &'static [Direction] {
        let symmetric = |pair: &Option<Pair>| pair.as_ref().is_none_or(Pair::is_symmetric);
        if self.all.iter().all(|part| symmetric(&part.above) && symmetric(&part.below)) {
            &[Direction::Remove]
        } else {
            &[Direction::Remove, Direction::Add]
        }
    }
}
