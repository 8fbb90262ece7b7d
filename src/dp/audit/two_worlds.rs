//! Audits from many runs on two neighbouring pools.

use crate::error::{Error, Result};
use crate::numeric::{clopper_pearson_lower, clopper_pearson_upper, real};
use crate::units::{Confidence, Delta};
use statrs::function::erf::erfc_inv;
use std::collections::BTreeMap;

/// Thresholds that are tried; more would not be nearer to the best.
const MOST_THRESHOLDS: usize = 64;

/// Outputs of a mechanism on two pools that differ by one person, as whole numbers: the output itself, or any function of it, such as how well it fits to that person.
///
/// ```
/// use backmask::dp::audit::TwoWorlds;
/// use backmask::dp::mechanism::{DiscreteLaplaceMechanism, L1Sensitivity};
/// use backmask::units::{Confidence, Delta, Epsilon};
/// use rand::{SeedableRng, rngs::ChaCha20Rng};
///
/// let mechanism = DiscreteLaplaceMechanism::from_epsilon(Epsilon::new(1.0)?, L1Sensitivity::new(1)?)?;
/// let mut rng = ChaCha20Rng::seed_from_u64(7); // an audit, no release
/// let worlds = TwoWorlds::from_outputs(mechanism.release(&[10; 20_000], &mut rng), mechanism.release(&[11; 20_000], &mut rng))?;
/// let found = worlds.refute(Delta::new(0.0)?, Confidence::new(0.999)?)?;
/// assert!(found.epsilon > 0.8 && found.epsilon <= 1.0, "close, and not refuted");
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # References
/// Jagielski, Ullman, Oprea, *Auditing differentially private machine learning: how private is private SGD?* (2020), section 4; Ding, Wang, Wang, Zhang, Kifer, *Detecting violations of
/// differential privacy* (2018); Dong, Roth, Su, *Gaussian differential privacy* (2022) for μ.
#[derive(Debug, Clone)]
pub struct TwoWorlds {
    absent: Runs,
    present: Runs,
}

/// The first quarter chooses a test, the rest is what it is tried on.
#[derive(Debug, Clone)]
struct Runs {
    choosing: BTreeMap<i64, u64>,
    trying: BTreeMap<i64, u64>,
    sizes: (u64, u64),
}

impl Runs {
    fn new(outputs: &[i64]) -> Result<Self> {
        if outputs.len() < 2 {
            return Err(Error::Parameter { name: "outputs", problem: "must be at least 2 for each pool".to_owned() });
        }
        let count = |part: &[i64]| {
            part.iter().fold(BTreeMap::new(), |mut counts, output| {
                *counts.entry(*output).or_insert(0) += 1;
                counts
            })
        };
        let (first, second) = outputs.split_at(outputs.len().div_ceil(4));
        Ok(Self { choosing: count(first), trying: count(second), sizes: (first.len() as u64, second.len() as u64) })
    }
}

fn count(counts: &BTreeMap<i64, u64>, inside: impl Fn(i64) -> bool) -> u64 {
    counts.iter().filter(|(output, _)| inside(**output)).map(|(_, count)| count).sum()
}

/// Lower bounds on what a mechanism spends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refutation {
    /// ε at the δ that was given.
    pub epsilon: f64,
    /// μ of Gaussian differential privacy.
    pub mu: f64,
}

/// How often a test says "present", in runs where the person was absent and where present.
#[derive(Debug, Clone, Copy)]
struct Rates {
    absent: (u64, u64),
    present: (u64, u64),
}

impl Rates {
    fn swapped(self) -> Self {
        let other = |(hits, runs): (u64, u64)| (runs - hits, runs);
        Self { absent: other(self.absent), present: other(self.present) }
    }

    /// Bounds that hold together at the confidence: false positives are at most, true positives at least.
    fn bounds(self, confidence: Confidence) -> Result<(f64, f64)> {
        let each = Confidence::new(1.0 - (1.0 - confidence.get()) / 2.0)?;
        Ok((clopper_pearson_upper(self.absent.0, self.absent.1, each)?, clopper_pearson_lower(self.present.0, self.present.1, each)?))
    }

    fn epsilon(self, delta: f64, confidence: Confidence) -> Result<f64> {
        let (false_positives, true_positives) = self.bounds(confidence)?;
        let ratio = |more: f64, less: f64| if more > delta { ((more - delta) / less).ln() } else { 0.0 };
        Ok(ratio(true_positives, false_positives).max(ratio(1.0 - false_positives, 1.0 - true_positives)).max(0.0))
    }

    fn mu(self, confidence: Confidence) -> Result<f64> {
        let (false_positives, true_positives) = self.bounds(confidence)?;
        let quantile = |p: f64| -std::f64::consts::SQRT_2 * erfc_inv(2.0 * p);
        let mu = quantile(true_positives) - quantile(false_positives);
        Ok(if mu.is_finite() { mu.max(0.0) } else { 0.0 })
    }
}

impl TwoWorlds {
    /// From the outputs of runs in which the person was absent, and of runs in which they were present. They must be in an order that says nothing about them: the first quarter
    /// of each chooses the test, the rest counts.
    ///
    /// # Errors
    /// Fewer than two runs of either.
    pub fn from_outputs(absent: impl AsRef<[i64]>, present: impl AsRef<[i64]>) -> Result<Self> {
        Ok(Self { absent: Runs::new(absent.as_ref())?, present: Runs::new(present.as_ref())? })
    }

    /// Runs both worlds `runs` times.
    ///
    /// # Errors
    /// An error of a run, or fewer than two runs.
    pub fn run(runs: usize, mut absent: impl FnMut() -> Result<i64>, mut present: impl FnMut() -> Result<i64>) -> Result<Self> {
        let absent = (0..runs).map(|_| absent()).collect::<Result<Vec<_>>>()?;
        let present = (0..runs).map(|_| present()).collect::<Result<Vec<_>>>()?;
        Self::from_outputs(absent, present)
    }

    /// Lower bounds on ε (at this δ) and on μ, by the best test of the form "the output is at least t" or "is below t".
    ///
    /// # Errors
    /// None in practice: counts are in order.
    ///
    /// # Guarantee
    /// If the mechanism keeps its promise, each of the two bounds is above the true number with probability at most 1 − `confidence`.
    pub fn refute(&self, delta: Delta, confidence: Confidence) -> Result<Refutation> {
        let values: Vec<i64> = self.absent.choosing.keys().chain(self.present.choosing.keys()).copied().collect();
        let mut thresholds = values;
        thresholds.sort_unstable();
        thresholds.dedup();
        let step = thresholds.len().div_ceil(MOST_THRESHOLDS).max(1);
        let mut best = [(f64::NEG_INFINITY, None); 2];
        for threshold in thresholds.iter().step_by(step) {
            for upward in [true, false] {
                let rates = self.rates(*threshold, upward, true);
                for (best, value) in best.iter_mut().zip([rates.epsilon(delta.get(), confidence)?, rates.mu(confidence)?]) {
                    if value > best.0 {
                        *best = (value, Some((*threshold, upward)));
                    }
                }
            }
        }
        let tried = |at: usize| best.get(at).and_then(|(_, test)| *test).map(|(threshold, upward)| self.rates(threshold, upward, false));
        Ok(Refutation {
            epsilon: tried(0).map_or(Ok(0.0), |rates| rates.epsilon(delta.get(), confidence))?,
            mu: tried(1).map_or(Ok(0.0), |rates| rates.mu(confidence))?,
        })
    }

    fn rates(&self, threshold: i64, upward: bool, choosing: bool) -> Rates {
        let of = |world: &Runs| {
            let (counts, runs) = if choosing { (&world.choosing, world.sizes.0) } else { (&world.trying, world.sizes.1) };
            (count(counts, |output| output >= threshold), runs)
        };
        let rates = Rates { absent: of(&self.absent), present: of(&self.present) };
        if upward { rates } else { rates.swapped() }
    }

    /// A lower bound on δ(ε), the larger of the two directions: by the set of outputs that are more than e^ε times as frequent in one world as in the other. Outputs need no order.
    ///
    /// # Errors
    /// A negative ε.
    ///
    /// # Guarantee
    /// If the mechanism keeps its promise, the bound is above the true δ(ε) with probability at most 1 − `confidence`.
    pub fn hockey_stick(&self, epsilon: f64, confidence: Confidence) -> Result<f64> {
        if epsilon.is_nan() || epsilon < 0.0 {
            return Err(Error::Parameter { name: "epsilon", problem: "must be at least 0".to_owned() });
        }
        let grow = epsilon.exp();
        // Two directions, two rates each.
        let each = Confidence::new(1.0 - (1.0 - confidence.get()) / 4.0)?;
        let mut most = 0.0_f64;
        for (more, less) in [(&self.present, &self.absent), (&self.absent, &self.present)] {
            let share = |counts: &BTreeMap<i64, u64>, runs: u64, output: i64| real(counts.get(&output).copied().unwrap_or(0)) / real(runs);
            let inside = |output: i64| share(&more.choosing, more.sizes.0, output) > grow * share(&less.choosing, less.sizes.0, output);
            let low = clopper_pearson_lower(count(&more.trying, inside), more.sizes.1, each)?;
            let high = clopper_pearson_upper(count(&less.trying, inside), less.sizes.1, each)?;
            most = most.max(low - grow * high);
        }
        Ok(most)
    }
}
