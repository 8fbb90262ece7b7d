//! Optimal composition of ε- and (ε, δ)-differentially private mechanisms, in full: every loss that the worst of them can have together, with its probability.

use super::normal::quantile;
use crate::dp::event::PrivacyEvent;

/// All losses that events can have together.
#[derive(Debug, Clone)]
pub(super) struct Losses {
    /// (loss, probability under P), the largest loss first.
    atoms: Vec<(f64, f64)>,
    infinite: f64,
    runs: f64,
}

/// The most losses that are enumerated.
const MOST: u64 = 100_000;

impl Losses {
    /// `None` if an event promises more than (ε, δ), or there are too many losses.
    ///
    /// References: Kairouz, Oh and Viswanath, ICML 2015, Theorem 3.3; Murtagh and Vadhan, TCC 2016, for unequal events.
    pub(super) fn new(events: &[PrivacyEvent]) -> Option<Self> {
        let mut kinds: Vec<(f64, f64, u64)> = Vec::new();
        for event in events {
            let kind = match *event {
                PrivacyEvent::Pure { epsilon, count } | PrivacyEvent::RandomizedResponse { epsilon, count } => (epsilon, 0.0, count),
                PrivacyEvent::Approximate { epsilon, delta, count } => (epsilon, delta, count),
                PrivacyEvent::TruncatedGeometric { epsilon, delta, max_items, count } => {
                    #[expect(clippy::cast_precision_loss, reason = "at most 10^6")]
                    let items = max_items as f64;
                    (epsilon / items, delta / items, count.checked_mul(max_items)?)
                }
                _ => return None,
            };
            kinds.push(kind);
        }
        let mut size = 1_u64;
        for kind in &kinds {
            size = size.checked_mul(kind.2.checked_add(1)?)?;
            if size > MOST {
                return None;
            }
        }
        let (mut atoms, mut finite, mut total) = (vec![(0.0, 0.0)], 0.0, 0.0);
        for (epsilon, delta, count) in kinds {
            #[expect(clippy::cast_precision_loss, reason = "at most 10^5")]
            let runs = count as f64;
            total += runs;
            finite += runs * (-delta).ln_1p();
            let mut next = Vec::with_capacity(atoms.len());
            let truth = -(-epsilon).exp().ln_1p();
            let (mut ways, mut lies) = (0.0_f64, 0.0);
            while lies <= runs {
                let log = ways + runs * truth - lies * epsilon;
                next.extend(atoms.iter().map(|&(loss, before)| (loss + (runs - 2.0 * lies) * epsilon, before + log)));
                ways += ((runs - lies) / (lies + 1.0)).ln();
                lies += 1.0;
            }
            atoms = next;
        }
        atoms.sort_by(|one, other| other.0.total_cmp(&one.0));
        let atoms = atoms.into_iter().map(|(loss, log)| (loss, (log + finite).exp())).collect();
        Some(Self { atoms, infinite: -finite.exp_m1(), runs: total })
    }

    /// δ at any ε: what the composition on a grid is compared with.
    #[cfg(test)]
    pub(super) fn delta(&self, epsilon: f64) -> f64 {
        let finite: f64 =
            self.atoms.iter().take_while(|atom| atom.0 > epsilon).map(|&(loss, mass)| -mass * (epsilon - loss).exp_m1()).sum();
        self.infinite + finite
    }

    /// The smallest μ for which these losses are μ-GDP, rounded up: the trade-off curve is a polygon, and a Gaussian's, which is convex, is below it if it is at its corners.
    pub(super) fn mu(&self) -> Option<f64> {
        if self.infinite > 0.0 {
            return None;
        }
        // What a test misses is summed up from its own end: one minus the rest has no digits where it is small.
        let (mut missed, mut sum) = (vec![0.0; self.atoms.len()], 0.0);
        for (index, atom) in self.atoms.iter().enumerate().rev() {
            missed[index] = sum;
            sum += atom.1;
        }
        let (mut falsely, mut largest) = (0.0, 0.0_f64);
        let mut index = 0;
        while index < self.atoms.len() {
            let loss = self.atoms[index].0;
            // Corners lie between different losses only.
            while index < self.atoms.len() && self.atoms[index].0 >= loss - 1e-12 * loss.abs().max(1.0) {
                let (loss, mass) = self.atoms[index];
                falsely += mass * (-loss).exp();
                index += 1;
            }
            // The polygon is symmetric: beyond one half the other half repeats it.
            if falsely <= 0.5 && index < self.atoms.len() {
                let mu = -quantile(missed[index - 1]) - quantile(falsely);
                if !mu.is_finite() {
                    return None;
                }
                largest = largest.max(mu);
            }
        }
        // Probabilities are exponentials of sums of as many terms as there are runs.
        Some(largest + 1e-15 * (10.0 + self.runs))
    }
}
