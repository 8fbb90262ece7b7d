//! The smallest noise for a target.

use super::account::account;
use super::gaussian::{first, hockey_stick, mu_of};
use super::pair::{Base, Direction, Pair};
use super::selection::{
    discrete_laplace_threshold, each_delta, gaussian_tail, gaussian_threshold, laplace_tail, laplace_threshold, truncated_geometric,
};
use crate::dp::event::{PrivacyEvent, between, domain};
use crate::error::{Error, Result};
use crate::units::{Delta, Epsilon};
use serde::{Deserialize, Serialize};

/// What can be calibrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// Continuous Gaussian noise on a vector of L2 sensitivity S: the analytic calibration.
    Gaussian,
    /// Continuous Laplace noise on a number.
    Laplace,
    /// Discrete Laplace noise on a whole number.
    DiscreteLaplace,
    /// Discrete Gaussian noise on one whole number.
    DiscreteGaussian,
    /// Rounded Gaussian noise on a vector of L2 sensitivity S.
    RoundedGaussian,
    /// Laplace noise on the counts of all keys and a threshold below which keys are not shown.
    LaplaceThreshold,
    /// Gaussian noise on the counts of all keys and a threshold; half of δ goes to each.
    GaussianThreshold,
    /// Selection of keys with the largest possible probabilities.
    TruncatedGeometric,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Gaussian,
        Self::Laplace,
        Self::DiscreteLaplace,
        Self::DiscreteGaussian,
        Self::RoundedGaussian,
        Self::LaplaceThreshold,
        Self::GaussianThreshold,
        Self::TruncatedGeometric,
    ];

    /// The name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gaussian => "gaussian",
            Self::Laplace => "laplace",
            Self::DiscreteLaplace => "discrete-laplace",
            Self::DiscreteGaussian => "discrete-gaussian",
            Self::RoundedGaussian => "rounded-gaussian",
            Self::LaplaceThreshold => "laplace-threshold",
            Self::GaussianThreshold => "gaussian-threshold",
            Self::TruncatedGeometric => "truncated-geometric",
        }
    }

    /// Whether it selects keys, and needs to know of how many a person may have.
    #[must_use]
    pub fn selects(self) -> bool {
        matches!(self, Self::LaplaceThreshold | Self::GaussianThreshold | Self::TruncatedGeometric)
    }
}

/// What is asked of a mechanism.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// The most that one person changes a value by; L2 for vectors; of one key for the mechanisms that select keys.
    pub sensitivity: f64,
    /// ε.
    pub epsilon: Epsilon,
    /// δ.
    pub delta: Delta,
    /// The most keys of one person; 1 for mechanisms that select none.
    pub max_items: u64,
}

/// The smallest noise for a goal.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// b of the Laplace laws, σ of the Gaussian ones.
    pub parameter: Option<f64>,
    /// Keys whose noisy count (continuous law) is at least this are shown.
    pub threshold: Option<f64>,
    /// The same for whole numbers: discrete Laplace noise, or rounded Gaussian noise.
    pub threshold_discrete: Option<f64>,
    /// Probability that a key with 1, 2, … people is shown, up to 1,000 or until it is 1.
    pub keep_probability: Vec<f64>,
}

/// The most people for whom a probability is stated.
const MOST_PEOPLE: usize = 1000;

/// The smallest noise with which a mechanism is (ε, δ)-differentially private, for pools that differ by one person. Rounded up: the goal holds at the result.
///
/// Laplace and discrete Laplace noise make use of δ where there is one. A discrete Gaussian's δ is not exactly monotone in σ; the result is a place where it
/// falls to the goal, and the goal holds there.
///
/// # Errors
/// A parameter outside its domain, or δ = 0 for a mechanism that needs one.
///
/// # References
/// Balle and Wang, ICML 2018 (Gaussian). Canonne, Kamath and Steinke, `NeurIPS` 2020 (discrete Gaussian). Gopi, Gulhane, Kulkarni, Shen, Shokouhi and Yekhanin,
/// "Differentially private set union", ICML 2020 (thresholds). Desfontaines, Voss, Gipson and Mandayam, PETS 2022 (truncated geometric).
///
/// ```
/// use backmask::{dp::accounting::calibrate::{calibrate, Goal, Mechanism}, units::{Delta, Epsilon}};
/// let goal = Goal { sensitivity: 1.0, epsilon: Epsilon::new(1.0)?, delta: Delta::new(1e-9)?, max_items: 1 };
/// let sigma = calibrate(Mechanism::Gaussian, &goal)?.parameter.unwrap();
/// assert!((sigma - 5.495_266_157).abs() < 1e-8);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn calibrate(mechanism: Mechanism, goal: &Goal) -> Result<Calibration> {
    let (epsilon, delta, sensitivity) = (goal.epsilon.get(), goal.delta.get(), goal.sensitivity);
    between("sensitivity", sensitivity, 1e-9, 1e9)?;
    between("epsilon", epsilon, 1e-6, 1e4)?;
    if mechanism.selects() {
        if !(1..=1_000_000).contains(&goal.max_items) {
            return Err(domain("max_items", "a whole number from 1 to 1000000"));
        }
    } else if goal.max_items != 1 {
        return Err(domain("max_items", "left out for a mechanism that selects no keys"));
    }
    let needs_delta = !matches!(mechanism, Mechanism::Laplace | Mechanism::DiscreteLaplace);
    if needs_delta && delta <= 0.0 {
        return Err(domain("delta", &format!("greater than 0 and less than 1 for {}", mechanism.name())));
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 10^6")]
    let items = goal.max_items as f64;
    let parameter =
        |value: f64| Calibration { parameter: Some(value), threshold: None, threshold_discrete: None, keep_probability: Vec::new() };
    match mechanism {
        Mechanism::Gaussian | Mechanism::RoundedGaussian => Ok(parameter(gaussian_sigma(sensitivity, epsilon, delta))),
        Mechanism::Laplace => Ok(parameter(laplace_scale(sensitivity, epsilon, delta))),
        Mechanism::DiscreteLaplace | Mechanism::DiscreteGaussian => Ok(parameter(discrete(mechanism, sensitivity, epsilon, delta)?)),
        Mechanism::LaplaceThreshold => {
            let b = laplace_scale(items * sensitivity, epsilon, 0.0);
            let each = each_delta(delta, items);
            let threshold = laplace_threshold(sensitivity, b, each);
            let keep = keep(|n| laplace_tail(threshold - n, b));
            let discrete = discrete_laplace_threshold(sensitivity.ceil(), b, each);
            Ok(Calibration { parameter: Some(b), threshold: Some(threshold), threshold_discrete: Some(discrete), keep_probability: keep })
        }
        Mechanism::GaussianThreshold => {
            let sigma = gaussian_sigma(items.sqrt() * sensitivity, epsilon, 0.5 * delta);
            let threshold = gaussian_threshold(sensitivity, sigma, 0.5 * delta, items);
            let keep = keep(|n| gaussian_tail(threshold - n, sigma));
            // A rounded value reaches a whole number where the value itself reaches half less.
            let discrete = (threshold - sensitivity + sensitivity.ceil() + 0.5).ceil();
            Ok(Calibration {
                parameter: Some(sigma),
                threshold: Some(threshold),
                threshold_discrete: Some(discrete),
                keep_probability: keep,
            })
        }
        Mechanism::TruncatedGeometric => {
            if (sensitivity - 1.0).abs() > 0.0 {
                return Err(domain("sensitivity", "1 for truncated-geometric, which counts people"));
            }
            let keep_probability = truncated_geometric(epsilon / items, delta / items, MOST_PEOPLE);
            Ok(Calibration { parameter: None, threshold: None, threshold_discrete: None, keep_probability })
        }
    }
}

/// Probabilities for 1, 2, … people.
fn keep(probability: impl Fn(f64) -> f64) -> Vec<f64> {
    let (mut found, mut n) = (Vec::new(), 0.0);
    while found.len() < MOST_PEOPLE && found.last().is_none_or(|&last| last < 1.0) {
        n += 1.0;
        found.push(probability(n).clamp(0.0, 1.0));
    }
    found
}

/// Margin of δ, more than the accountant's own, so that it confirms what was calibrated.
const MARGIN: f64 = 1e-12;

fn gaussian_sigma(sensitivity: f64, epsilon: f64, delta: f64) -> f64 {
    let delta = delta * (1.0 - MARGIN);
    let mut sigma = sensitivity / mu_of(epsilon, delta);
    while hockey_stick(epsilon, sensitivity / sigma) > delta {
        sigma = sigma.next_up();
    }
    sigma
}

/// δ(ε) = 1 − e^((ε − S/b)/2) for ε ≤ S/b.
fn laplace_scale(sensitivity: f64, epsilon: f64, delta: f64) -> f64 {
    let allowed = -(-delta * (1.0 - MARGIN)).ln_1p();
    let mut b = sensitivity / (epsilon + 2.0 * allowed);
    // ε b − S in one rounding: a δ that is small beside ε must not be lost in its digits, and δ = 0 means 0.
    while -0.5 * epsilon.mul_add(b, -sensitivity) / b * (1.0 + 1e-15) > allowed {
        b = b.next_up();
    }
    b
}

fn discrete(mechanism: Mechanism, sensitivity: f64, epsilon: f64, delta: f64) -> Result<f64> {
    if sensitivity.fract() != 0.0 || !(1.0..=1e6).contains(&sensitivity) {
        return Err(domain("sensitivity", "a whole number from 1 to 1000000"));
    }
    let reached = |base: Base| Pair { base, rate: 1.0, direction: Direction::Remove }.delta(epsilon) * (1.0 + 1e-12) <= delta;
    if mechanism == Mechanism::DiscreteLaplace {
        let pure = laplace_scale(sensitivity, epsilon, 0.0);
        if delta <= 0.0 {
            return Ok(pure);
        }
        return Ok(first(1e-4 * pure, pure, |scale| reached(Base::DiscreteLaplace { scale, sensitivity })));
    }
    let guess = gaussian_sigma(sensitivity, epsilon, delta);
    if guess > 5e4 {
        return Err(domain("epsilon", "larger, or sensitivity smaller: sigma would exceed 50000; use rounded-gaussian"));
    }
    let holds = |sigma: f64| reached(Base::DiscreteGaussian { sigma, sensitivity });
    // The two laws differ less the larger σ is.
    let mut high = guess;
    while !holds(high) {
        high *= 1.05;
    }
    let mut low = high;
    while holds(low) && low > 0.02 {
        low *= 0.9;
    }
    // 40 halvings of an interval of a tenth leave a relative width of 10⁻¹³.
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if holds(middle) { high = middle } else { low = middle }
    }
    Ok(high)
}

/// The smallest parameter in \[low, high\] for which `events(parameter)` are together (ε, δ)-differentially private, rounded up, to a relative width of 10⁻⁷. The loss must fall
/// as the parameter grows.
///
/// # Errors
/// An event is refused, or not even `high` is enough.
///
/// ```
/// use backmask::{dp::{accounting::calibrate::smallest, event::PrivacyEvent}, units::{Delta, Epsilon}};
/// let runs = |scale| vec![PrivacyEvent::Laplace { scale, sampling_rate: 1.0, count: 20 }];
/// let scale = smallest(runs, (1.0, 100.0), Epsilon::new(1.0)?, Delta::new(1e-4)?)?;
/// assert!((scale - 13.6).abs() < 0.2);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn smallest(events: impl Fn(f64) -> Vec<PrivacyEvent>, range: (f64, f64), epsilon: Epsilon, delta: Delta) -> Result<f64> {
    let holds = |parameter: f64| -> Result<bool> {
        let account = account(&events(parameter))?;
        Ok(if delta.get() > 0.0 {
            account.delta(epsilon.get())?.upper <= delta.get()
        } else {
            account.epsilon(delta).upper <= epsilon.get()
        })
    };
    let (mut low, mut high) = range;
    if !(low > 0.0 && low < high && high.is_finite()) {
        return Err(domain("range", "two positive numbers, the smaller first"));
    }
    if !holds(high)? {
        return Err(Error::Parameter {
            name: "range",
            problem: "must reach further: its upper end is not enough for this goal".to_owned(),
        });
    }
    if holds(low)? {
        return Ok(low);
    }
    while high / low > 1.0 + 1e-7 {
        let middle = (low * high).sqrt();
        if holds(middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high)
}
