//! What was run on a pool, as plain data that can be stored and accounted for.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// One mechanism that was run, `count` times, on the same pool. Neighbouring pools differ by the addition or removal of one person.
///
/// The JSON form has the field `mechanism` with the kebab-case name, and unknown fields are refused. `sampling_rate` (1 when absent) is the probability with
/// which each person takes part in a run, independently (Poisson); `count` is 1 when absent. A value is checked by [`PrivacyEvent::check`], which
/// [`account`](crate::dp::accounting::account()) does first.
///
/// ```
/// use backmask::dp::event::PrivacyEvent;
/// let text = r#"[{"mechanism": "gaussian", "noise_multiplier": 1.0, "sampling_rate": 0.01, "count": 10000}]"#;
/// let events: Vec<PrivacyEvent> = serde_json::from_str(text)?;
/// assert_eq!(events, [PrivacyEvent::Gaussian { noise_multiplier: 1.0, sampling_rate: 0.01, count: 10_000 }]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mechanism", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PrivacyEvent {
    /// Continuous Gaussian noise of standard deviation `noise_multiplier` × L2 sensitivity on a vector.
    Gaussian {
        /// Standard deviation in units of the L2 sensitivity.
        noise_multiplier: f64,
        /// Probability that a person takes part.
        #[serde(default = "always")]
        sampling_rate: f64,
        /// Number of runs.
        #[serde(default = "once")]
        count: u64,
    },
    /// Continuous Laplace noise of scale b on one number with sensitivity 1.
    Laplace {
        /// Scale b in units of the sensitivity.
        scale: f64,
        /// Probability that a person takes part.
        #[serde(default = "always")]
        sampling_rate: f64,
        /// Number of runs.
        #[serde(default = "once")]
        count: u64,
    },
    /// Discrete Laplace noise, P(x) ∝ exp(−|x| / scale), on one whole number.
    DiscreteLaplace {
        /// Scale b.
        scale: f64,
        /// The most that one person changes the number by, a whole number.
        #[serde(default = "unit")]
        sensitivity: f64,
        /// Number of runs.
        #[serde(default = "once")]
        count: u64,
    },
    /// Discrete Gaussian noise, P(x) ∝ exp(−x² / (2 sigma²)), on one whole number. On vectors only its zCDP bound holds: use [`PrivacyEvent::Zcdp`].
    DiscreteGaussian {
        /// The parameter σ.
        sigma: f64,
        /// The most that one person changes the number by, a whole number.
        #[serde(default = "unit")]
        sensitivity: f64,
        /// Number of runs.
        #[serde(default = "once")]
        count: u64,
    },
    /// Continuous Gaussian noise rounded to whole numbers, on a vector: post-processing of a Gaussian, so μ-GDP with μ = sensitivity / sigma.
    RoundedGaussian {
        /// Standard deviation before rounding.
        sigma: f64,
        /// L2 sensitivity of the vector.
        #[serde(default = "unit")]
        sensitivity: f64,
        /// Number of runs.
        #[serde(default = "once")]
        count: u64,
    },
    /// A bit that is told truly with probability e^ε / (1 + e^ε).
    RandomizedResponse {
        /// ε.
        epsilon: f64,
        /// Number of runs.
        #[serde(default = "once")]
        count: u64,
    },
    /// Any ε-differentially private mechanism.
    Pure {
        /// ε.
        epsilon: f64,
        /// Number of runs.
        #[serde(default = "once")]
        count: u64,
    },
    /// Any (ε, δ)-differentially private mechanism. With ε = 0 it is an event of probability at most δ, such as a noisy threshold that a single person passes.
    Approximate {
        /// ε, 0 allowed.
        epsilon: f64,
        /// δ.
        delta: f64,
        /// Number of runs.
        #[serde(default = "once")]
        count: u64,
    },
    /// Any ρ-zCDP mechanism.
    Zcdp {
        /// ρ.
        rho: f64,
        /// Number of runs.
        #[serde(default = "once")]
        count: u64,
    },
    /// Any μ-GDP mechanism.
    Gdp {
        /// μ.
        mu: f64,
        /// Number of runs.
        #[serde(default = "once")]
        count: u64,
    },
    /// Selection of items by the optimal truncated geometric rule, of which one person holds at most `max_items`: together (ε, δ).
    TruncatedGeometric {
        /// ε over all items of a person.
        epsilon: f64,
        /// δ over all items of a person.
        delta: f64,
        /// The most items that a person holds.
        max_items: u64,
        /// Number of runs.
        #[serde(default = "once")]
        count: u64,
    },
}

fn always() -> f64 {
    1.0
}

fn unit() -> f64 {
    1.0
}

fn once() -> u64 {
    1
}

impl PrivacyEvent {
    /// The name of the mechanism, as in JSON.
    #[must_use]
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::Gaussian { .. } => "gaussian",
            Self::Laplace { .. } => "laplace",
            Self::DiscreteLaplace { .. } => "discrete-laplace",
            Self::DiscreteGaussian { .. } => "discrete-gaussian",
            Self::RoundedGaussian { .. } => "rounded-gaussian",
            Self::RandomizedResponse { .. } => "randomized-response",
            Self::Pure { .. } => "pure",
            Self::Approximate { .. } => "approximate",
            Self::Zcdp { .. } => "zcdp",
            Self::Gdp { .. } => "gdp",
            Self::TruncatedGeometric { .. } => "truncated-geometric",
        }
    }

    /// How many times it was run.
    #[must_use]
    pub fn count(&self) -> u64 {
        match *self {
            Self::Gaussian { count, .. }
            | Self::Laplace { count, .. }
            | Self::DiscreteLaplace { count, .. }
            | Self::DiscreteGaussian { count, .. }
            | Self::RoundedGaussian { count, .. }
            | Self::RandomizedResponse { count, .. }
            | Self::Pure { count, .. }
            | Self::Approximate { count, .. }
            | Self::Zcdp { count, .. }
            | Self::Gdp { count, .. }
            | Self::TruncatedGeometric { count, .. } => count,
        }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// A parameter outside its domain; the message names it and says what is permitted.
    pub fn check(&self) -> Result<()> {
        if !(1..=MOST_RUNS).contains(&self.count()) {
            return Err(domain("count", "a whole number from 1 to 1000000000"));
        }
        match *self {
            Self::Gaussian { noise_multiplier, sampling_rate, .. } => {
                between("noise_multiplier", noise_multiplier, 1e-4, 1e9)?;
                rate(sampling_rate)
            }
            Self::Laplace { scale, sampling_rate, .. } => {
                between("scale", scale, 1e-4, 1e9)?;
                rate(sampling_rate)
            }
            Self::DiscreteLaplace { scale, sensitivity, .. } => {
                between("scale", scale, 1e-4, 1e9)?;
                whole(sensitivity)?;
                between("sensitivity / scale", sensitivity / scale, 1e-9, 1e4)
            }
            Self::DiscreteGaussian { sigma, sensitivity, .. } => {
                between("sigma", sigma, 0.01, 1e5)?;
                whole(sensitivity)?;
                between("sensitivity / sigma", sensitivity / sigma, 1e-9, 100.0)
            }
            Self::RoundedGaussian { sigma, sensitivity, .. } => {
                between("sigma", sigma, 1e-4, 1e15)?;
                between("sensitivity", sensitivity, 1e-9, 1e15)?;
                between("sensitivity / sigma", sensitivity / sigma, 1e-9, 1e4)
            }
            Self::RandomizedResponse { epsilon, .. } | Self::Pure { epsilon, .. } => between("epsilon", epsilon, 1e-9, 1e4),
            Self::Approximate { epsilon, delta, .. } => {
                // 0 and numbers that are not distinguishable from it in a sum are different things.
                if epsilon != 0.0 {
                    between("epsilon", epsilon, 1e-9, 1e4)?;
                }
                proper(delta)
            }
            Self::Zcdp { rho, .. } => between("rho", rho, 1e-18, 1e8),
            Self::Gdp { mu, .. } => between("mu", mu, 1e-9, 1e4),
            Self::TruncatedGeometric { epsilon, delta, max_items, .. } => {
                between("epsilon", epsilon, 1e-9, 1e4)?;
                if delta == 0.0 {
                    return Err(domain("delta", "greater than 0 and less than 1"));
                }
                proper(delta)?;
                if (1..=MOST_ITEMS).contains(&max_items) { Ok(()) } else { Err(domain("max_items", "a whole number from 1 to 1000000")) }
            }
        }
    }
}

/// More runs than this are not accounted for.
const MOST_RUNS: u64 = 1_000_000_000;
const MOST_ITEMS: u64 = 1_000_000;

pub(in crate::dp) fn domain(name: &'static str, permitted: &str) -> Error {
    Error::Parameter { name, problem: format!("must be {permitted}") }
}

pub(in crate::dp) fn between(name: &'static str, value: f64, low: f64, high: f64) -> Result<()> {
    if value >= low && value <= high { Ok(()) } else { Err(domain(name, &format!("a number from {low:e} to {high:e}"))) }
}

fn rate(value: f64) -> Result<()> {
    if (1e-12..=1.0).contains(&value) { Ok(()) } else { Err(domain("sampling_rate", "greater than 0 (at least 1e-12) and at most 1")) }
}

fn proper(delta: f64) -> Result<()> {
    if (0.0..1.0).contains(&delta) { Ok(()) } else { Err(domain("delta", "at least 0 and less than 1")) }
}

fn whole(sensitivity: f64) -> Result<()> {
    if (1.0..=1e6).contains(&sensitivity) && sensitivity.fract() == 0.0 {
        Ok(())
    } else {
        Err(domain("sensitivity", "a whole number from 1 to 1000000"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_form_of_the_contract() {
        let text = r#"[
            {"mechanism": "gaussian", "noise_multiplier": 1.0, "sampling_rate": 0.01, "count": 10000},
            {"mechanism": "laplace", "scale": 20.0, "sampling_rate": 1, "count": 1000},
            {"mechanism": "discrete-laplace", "scale": 20.0, "sensitivity": 1, "count": 3},
            {"mechanism": "discrete-gaussian", "sigma": 10.0, "sensitivity": 1, "count": 3},
            {"mechanism": "randomized-response", "epsilon": 1.0, "count": 3},
            {"mechanism": "pure", "epsilon": 0.1, "count": 3},
            {"mechanism": "approximate", "epsilon": 0.1, "delta": 1e-7, "count": 3},
            {"mechanism": "rounded-gaussian", "sigma": 3.5, "sensitivity": 1.5},
            {"mechanism": "zcdp", "rho": 0.1}, {"mechanism": "gdp", "mu": 1},
            {"mechanism": "truncated-geometric", "epsilon": 1, "delta": 1e-6, "max_items": 10}
        ]"#;
        let events: Vec<PrivacyEvent> = serde_json::from_str(text).unwrap();
        assert_eq!(events.len(), 11);
        for event in &events {
            event.check().unwrap();
            let written = serde_json::to_value(event).unwrap();
            assert_eq!(written["mechanism"], event.mechanism());
            assert_eq!(&serde_json::from_value::<PrivacyEvent>(written).unwrap(), event);
        }
        for wrong in [
            r#"{"mechanism": "gaussian", "sigma": 1.0}"#,
            r#"{"mechanism": "gaussian", "noise_multiplier": 1.0, "sampling": 0.1}"#,
            r#"{"mechanism": "gauss", "noise_multiplier": 1.0}"#,
            r#"{"mechanism": "pure", "epsilon": 1.0, "count": -1}"#,
            r#"{"mechanism": "pure", "epsilon": 1.0, "count": 1.5}"#,
            r#"{"epsilon": 1.0}"#,
        ] {
            assert!(serde_json::from_str::<PrivacyEvent>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bad_parameters_are_named_with_what_is_permitted() {
        use PrivacyEvent as E;
        let bad = [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300];
        let refuse = |event: E, name: &str| {
            let message = event.check().unwrap_err().to_string();
            assert!(message.contains(name) && message.contains("must be"), "{event:?}: {message}");
        };
        for x in bad {
            refuse(E::Gaussian { noise_multiplier: x, sampling_rate: 1.0, count: 1 }, "noise_multiplier");
            refuse(E::Gaussian { noise_multiplier: 1.0, sampling_rate: x, count: 1 }, "sampling_rate");
            refuse(E::Laplace { scale: x, sampling_rate: 1.0, count: 1 }, "scale");
            refuse(E::DiscreteLaplace { scale: x, sensitivity: 1.0, count: 1 }, "scale");
            refuse(E::DiscreteLaplace { scale: 1.0, sensitivity: x, count: 1 }, "sensitivity");
            refuse(E::DiscreteGaussian { sigma: x, sensitivity: 1.0, count: 1 }, "sigma");
            refuse(E::DiscreteGaussian { sigma: 1.0, sensitivity: x, count: 1 }, "sensitivity");
            refuse(E::RoundedGaussian { sigma: x, sensitivity: 1.0, count: 1 }, "sigma");
            refuse(E::RoundedGaussian { sigma: 1.0, sensitivity: x, count: 1 }, "sensitivity");
            refuse(E::RandomizedResponse { epsilon: x, count: 1 }, "epsilon");
            refuse(E::Pure { epsilon: x, count: 1 }, "epsilon");
            refuse(E::Zcdp { rho: x, count: 1 }, "rho");
            refuse(E::Gdp { mu: x, count: 1 }, "mu");
            refuse(E::TruncatedGeometric { epsilon: x, delta: 1e-6, max_items: 1, count: 1 }, "epsilon");
            refuse(E::TruncatedGeometric { epsilon: 1.0, delta: x, max_items: 1, count: 1 }, "delta");
            if x != 0.0 {
                refuse(E::Approximate { epsilon: x, delta: 1e-6, count: 1 }, "epsilon");
                refuse(E::Approximate { epsilon: 1.0, delta: x, count: 1 }, "delta");
            }
        }
        refuse(E::Approximate { epsilon: 1.0, delta: 1.0, count: 1 }, "delta");
        refuse(E::Pure { epsilon: 1.0, count: 0 }, "count");
        refuse(E::Pure { epsilon: 1.0, count: u64::MAX }, "count");
        refuse(E::TruncatedGeometric { epsilon: 1.0, delta: 1e-6, max_items: 0, count: 1 }, "max_items");
        refuse(E::DiscreteLaplace { scale: 1.0, sensitivity: 1.5, count: 1 }, "sensitivity");
        refuse(E::Gaussian { noise_multiplier: 1.0, sampling_rate: 1.5, count: 1 }, "sampling_rate");
        E::Approximate { epsilon: 0.0, delta: 1e-7, count: 1 }.check().unwrap();
    }
}
