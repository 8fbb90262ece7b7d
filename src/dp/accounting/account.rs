//! The account of a list of events.

use super::Bounds;
use super::compose::{Curve, Curves, Precision, Target, compose, directed};
use super::gaussian;
use super::pair::Direction;
use super::parts::Parts;
use super::{rdp, zcdp};
use crate::dp::event::PrivacyEvent;
use crate::error::{Error, Result};
use crate::units::Delta;

/// What a list of events costs together. Made by [`account`].
#[derive(Debug, Clone)]
pub struct Account {
    events: Vec<PrivacyEvent>,
    parts: Parts,
    precision: Precision,
}

/// The account of `events`, all on the same pool, chosen in advance. The order does not matter; without events nothing is lost.
///
/// # Guarantee
/// If everything that was computed from a pool is what the events say (and what follows from it without the pool), then for any δ the whole is (ε, δ)-differentially
/// private with the upper ε, for pools that differ by one person. Events whose parameters depend on the results of earlier ones are not covered by the theorem that
/// is used for sampled and heterogeneous events unless the list of parameters is fixed in advance: let a ledger that stops at a limit decide.
///
/// The lower bound belongs to the worst mechanism that the events describe: no better statement can be made from the events alone.
///
/// # Errors
/// A parameter of an event lies outside its domain.
///
/// # References
/// Koskela, Jälkö, Prediger and Honkela, "Tight differential privacy for discrete-valued mechanisms and for the subsampled Gaussian mechanism using FFT", AISTATS 2021;
/// Doroshenko, Ghazi, Kamath, Kumar and Manurangsi, "Connect the dots: tighter discrete approximations of privacy loss distributions", PETS 2022; Gopi, Lee and
/// Wutschitz, "Numerical composition of differential privacy", `NeurIPS` 2021; Zhu, Dong and Wang, "Optimal accounting of differential privacy via characteristic
/// function", AISTATS 2022.
///
/// ```
/// use backmask::{dp::{accounting::account, event::PrivacyEvent}, units::Delta};
/// let sgd = PrivacyEvent::Gaussian { noise_multiplier: 1.0, sampling_rate: 0.01, count: 10_000 };
/// let epsilon = account(&[sgd])?.epsilon(Delta::new(1e-6)?);
/// assert!(6.90 < epsilon.lower && epsilon.lower <= epsilon.upper && epsilon.upper < 6.91);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn account(events: &[PrivacyEvent]) -> Result<Account> {
    events.iter().try_for_each(PrivacyEvent::check)?;
    Ok(Account { events: events.to_vec(), parts: Parts::new(events), precision: Precision::default() })
}

/// What is exact but for rounding.
const EXACT: f64 = 4e-13;

impl Account {
    /// The smallest ε ≥ 0 at δ, between bounds. Infinite where no ε is enough; δ = 0 has a finite ε for bounded losses only.
    #[must_use]
    pub fn epsilon(&self, delta: Delta) -> Bounds {
        let delta = delta.get();
        let pure = self.pure(delta);
        let (mut upper, mut lower) = (0.0_f64, 0.0_f64);
        if self.parts.all.is_empty() && self.parts.dominated {
            return Bounds { upper, lower };
        }
        if delta <= 0.0 {
            let upper = if self.parts.dominated { pure.unwrap_or(f64::INFINITY) } else { f64::INFINITY };
            let lower = if pure.is_some() { upper * (1.0 - 2.0 * EXACT) } else { f64::INFINITY };
            return Bounds { upper, lower };
        }
        for &direction in self.parts.directions() {
            let [above, below] = self.epsilon_towards(delta, direction);
            upper = upper.max(above);
            lower = lower.max(below);
        }
        if let Some(mu) = self.parts.only_gaussian {
            upper = gaussian::epsilon_of(delta * (1.0 - EXACT), mu);
        }
        if let Some(pure) = pure {
            upper = upper.min(pure);
        }
        // Where every event has a dominating pair, Rényi divergences add nothing.
        if !self.parts.dominated {
            upper = rdp::epsilon(&self.events, delta).map_or(f64::INFINITY, |found| found.0);
        }
        Bounds { upper, lower: lower.min(upper) }
    }

    /// The smallest δ at `epsilon` ≥ 0, between bounds.
    ///
    /// # Errors
    /// `epsilon` is negative or not a number.
    pub fn delta(&self, epsilon: f64) -> Result<Bounds> {
        if epsilon.is_nan() || epsilon < 0.0 {
            return Err(Error::Parameter { name: "epsilon", problem: "must be at least 0".to_owned() });
        }
        let (mut upper, mut lower) = (0.0_f64, 0.0_f64);
        for &direction in self.parts.directions() {
            let (above, below) = if let Some(delta) = self.alone(direction, epsilon) {
                (delta * (1.0 + EXACT), delta * (1.0 - EXACT))
            } else {
                let curves = self.curves(direction, Target::Epsilon(epsilon));
                (curves.above.delta(epsilon), curves.below.delta(epsilon))
            };
            upper = upper.max(above);
            lower = lower.max(below);
        }
        if !self.parts.dominated {
            upper = rdp::delta(&self.events, epsilon).unwrap_or(1.0);
        }
        if let Some(mu) = self.parts.only_gaussian {
            upper = gaussian::hockey_stick(epsilon, mu) * (1.0 + EXACT);
        }
        if let Some((pure, infinite)) = self.bounded()
            && epsilon >= pure
        {
            upper = upper.min(infinite);
        }
        let upper = upper.clamp(0.0, 1.0);
        Ok(Bounds { upper, lower: lower.clamp(0.0, upper) })
    }

    /// ε of Rényi differential privacy at δ > 0 and the order that gives it; `None` if an event has no Rényi divergence or δ is too small.
    #[must_use]
    pub fn rdp_epsilon(&self, delta: Delta) -> Option<(f64, f64)> {
        rdp::epsilon(&self.events, delta.get())
    }

    /// δ of Rényi differential privacy at `epsilon`.
    #[must_use]
    pub fn rdp_delta(&self, epsilon: f64) -> Option<f64> {
        rdp::delta(&self.events, epsilon)
    }

    /// ρ of zero-concentrated differential privacy; `None` where an event has none (a δ) or none that is worth stating (sampling).
    #[must_use]
    pub fn zcdp_rho(&self) -> Option<f64> {
        zcdp::rho(&self.events)
    }

    /// μ of Gaussian differential privacy; `None` where it does not hold or is not known to (a δ, sampling, discrete Gaussians, zCDP).
    #[must_use]
    pub fn gdp_mu(&self) -> Option<f64> {
        super::gdp::mu(&self.events)
    }

    /// The most true positives that a test of membership can have at a rate of false positives: for every ε it is at most δ(ε) + e^ε α.
    ///
    /// # Errors
    /// `false_positives` lies outside \[0, 1\].
    pub fn true_positives(&self, false_positives: f64) -> Result<f64> {
        if !(0.0..=1.0).contains(&false_positives) {
            return Err(Error::Parameter { name: "false_positives", problem: "must be a number from 0 to 1".to_owned() });
        }
        if self.parts.all.is_empty() && self.parts.dominated {
            return Ok(false_positives);
        }
        if let Some(mu) = self.gdp_mu().filter(|_| self.parts.only_gaussian.is_some()) {
            return Ok(gaussian::true_positives(false_positives, mu));
        }
        // The curve is close near its target: there the two terms are of the same size.
        let target = Target::Delta(false_positives.clamp(1e-30, 0.9));
        let curves: Vec<Curves> = self.parts.directions().iter().map(|&direction| self.curves(direction, target)).collect();
        let delta = |epsilon: f64| {
            if self.parts.dominated {
                curves.iter().map(|curves| curves.above.delta(epsilon)).fold(0.0, f64::max)
            } else {
                rdp::delta(&self.events, epsilon).unwrap_or(1.0)
            }
        };
        let reach = if self.parts.dominated { curves.iter().map(|curves| curves.above.reach()).fold(1.0, f64::max) } else { 100.0 };
        // Convex in e^ε and in e^(−ε): each side has one minimum.
        let low = zcdp::least(|epsilon| delta(epsilon) + epsilon.exp() * false_positives, 0.0, reach).1;
        let high = zcdp::least(|epsilon| 1.0 - (-epsilon).exp() * (1.0 - delta(epsilon) - false_positives), 0.0, reach).1;
        let most = low.min(high).min(delta(0.0) + false_positives).min(1.0);
        Ok(self.gdp_mu().map_or(most, |mu| most.min(gaussian::true_positives(false_positives, mu))))
    }

    /// The same with a coarser grid: for tests without optimization.
    #[cfg(test)]
    pub(super) fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    fn alone(&self, direction: Direction, epsilon: f64) -> Option<f64> {
        match self.parts.all.as_slice() {
            [part] if part.count == 1 => match (&part.above, &part.below) {
                (Some(above), Some(below)) if above == below => Some(directed(above, direction).delta(epsilon)),
                _ => None,
            },
            _ => None,
        }
    }

    fn curves(&self, direction: Direction, target: Target) -> Curves {
        compose(&self.parts.all, direction, target, self.precision).unwrap_or_else(|| {
            let infinite = self.bounded().map_or(1.0, |(_, infinite)| infinite);
            Curves {
                above: Curve::only_infinite(infinite * (1.0 + EXACT), true),
                below: Curve::only_infinite(infinite * (1.0 - EXACT), false),
            }
        })
    }

    /// ε from above and from below.
    fn epsilon_towards(&self, delta: f64, direction: Direction) -> [f64; 2] {
        if self.alone(direction, 0.0).is_some() {
            let exact = |delta: f64| {
                let reached = |epsilon: f64| self.alone(direction, epsilon).is_some_and(|found| found <= delta);
                let mut high = 1.0;
                while !reached(high) {
                    if high > 1e9 {
                        return f64::INFINITY;
                    }
                    high *= 2.0;
                }
                gaussian::first(0.0, high, reached)
            };
            return [exact(delta * (1.0 - EXACT)), exact(delta * (1.0 + EXACT))];
        }
        let curves = self.curves(direction, Target::Delta(delta));
        let above = if self.parts.dominated && curves.above.infinite() < delta {
            let reach = curves.above.reach().max(0.0);
            let high = std::iter::successors(Some(reach.max(1e-3)), |high| Some(high * 2.0))
                .take(40)
                .find(|&high| curves.above.delta(high) <= delta);
            high.map_or(f64::INFINITY, |high| gaussian::first(0.0, high, |epsilon| curves.above.delta(epsilon) <= delta))
        } else {
            f64::INFINITY
        };
        let below = if curves.below.infinite() > delta {
            f64::INFINITY
        } else {
            let low = |epsilon: f64| curves.below.delta(epsilon) > delta;
            let high = if above.is_finite() { above } else { curves.below.reach().max(0.0) };
            // The bound is close near the answer only, so it is looked for from there down. Wherever it exceeds δ, so does the curve.
            let steps = std::iter::successors(Some(1e-9), |step| Some(2.0 * step)).take(29).map(|step: f64| 1.0 - step);
            let found = steps.chain((1..80).map(|step| 0.75_f64.powi(step))).map(|share| share * high).find(|&epsilon| low(epsilon));
            found.map_or(0.0, |start| gaussian::first(start, high, |epsilon| !low(epsilon)).next_down().max(start))
        };
        [above, below]
    }

    /// The largest finite loss, and the probability of an infinite one, if losses are bounded.
    fn bounded(&self) -> Option<(f64, f64)> {
        if !self.parts.dominated {
            return None;
        }
        let mut largest = 0.0_f64;
        let mut finite = 0.0;
        let mut once = Vec::new();
        for &direction in self.parts.directions() {
            let mut sum = 0.0;
            finite = 0.0;
            once.clear();
            for part in &self.parts.all {
                let pair = directed(part.above.as_ref()?, direction);
                let (high, infinite) = pair.most();
                #[expect(clippy::cast_precision_loss, reason = "rounded up below")]
                let count = part.count as f64;
                sum += count * high;
                finite += count * (-infinite).ln_1p();
                if infinite > 0.0 {
                    once.push((part.count, infinite));
                }
            }
            largest = largest.max(sum);
        }
        let largest = largest * (1.0 + EXACT);
        // The δ of a single run is known as it is, and is enough for itself.
        let infinite = if let [(1, infinite)] = once.as_slice() { *infinite } else { -finite.exp_m1() * (1.0 + EXACT) };
        (largest < f64::INFINITY).then_some((largest, infinite))
    }

    /// ε by pure composition.
    fn pure(&self, delta: f64) -> Option<f64> {
        self.bounded().and_then(|(largest, infinite)| (infinite <= delta).then_some(largest))
    }
}
