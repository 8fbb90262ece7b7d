//! What is asked of a ledger, and what it writes down about it.

use super::decimal::Decimal;
use crate::dp::event::PrivacyEvent;
use crate::error::{Error, Result};
use crate::units::{Delta, Epsilon};
use serde::{Deserialize, Serialize};

/// What a product is going to spend: all mechanisms that it will run on the pool, and the (ε, δ) that they cost together at most.
///
/// ```
/// use backmask::dp::event::PrivacyEvent;
/// use backmask::dp::ledger::Spending;
/// use backmask::units::{Delta, Epsilon};
///
/// let events = vec![PrivacyEvent::Pure { epsilon: 0.5, count: 1 }];
/// let spending = Spending::new("hours", "weekly-2026", events, Epsilon::new(0.5)?, Delta::new(0.0)?)?;
/// assert_eq!(spending.product(), "hours");
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Spending {
    pub(super) product: String,
    pub(super) policy: String,
    pub(super) events: Vec<PrivacyEvent>,
    pub(super) epsilon: Epsilon,
    pub(super) delta: Delta,
}

impl Spending {
    /// A spending of `product` of the policy with the name `policy`.
    ///
    /// # Errors
    /// No events, a name that is no single line of at most 200 characters, or an event with a parameter outside its domain.
    pub fn new(
        product: impl Into<String>,
        policy: impl Into<String>,
        events: Vec<PrivacyEvent>,
        epsilon: Epsilon,
        delta: Delta,
    ) -> Result<Self> {
        let (product, policy) = (product.into(), policy.into());
        check_name("product", &product)?;
        check_name("policy", &policy)?;
        if events.is_empty() {
            return Err(Error::Parameter { name: "events", problem: "must name at least one mechanism".to_owned() });
        }
        for event in &events {
            event.check()?;
        }
        Ok(Self { product, policy, events, epsilon, delta })
    }

    /// The product.
    #[must_use]
    pub fn product(&self) -> &str {
        &self.product
    }

    /// The name of the policy.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The mechanisms.
    #[must_use]
    pub fn events(&self) -> &[PrivacyEvent] {
        &self.events
    }

    /// What they cost at most.
    #[must_use]
    pub fn declared(&self) -> (Epsilon, Delta) {
        (self.epsilon, self.delta)
    }
}

/// A name that fits into one line.
pub(super) fn check_name(name: &'static str, text: &str) -> Result<()> {
    if text.trim().is_empty() || text.chars().count() > 200 || text.chars().any(char::is_control) {
        return Err(Error::Parameter { name, problem: "must be one line of 1 to 200 characters".to_owned() });
    }
    Ok(())
}

/// What a Gaussian budget is charged: μ, and the probability with which a mechanism is not Gaussian.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gaussian {
    pub(super) mu: f64,
    pub(super) delta: f64,
}

/// A reservation as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Debit {
    pub(super) product: String,
    pub(super) policy: String,
    pub(super) epsilon: Epsilon,
    pub(super) delta: Delta,
    /// Set if it is charged to the Gaussian budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gaussian: Option<Gaussian>,
    pub(super) events: Vec<PrivacyEvent>,
}

impl Debit {
    pub(super) fn new(spending: &Spending, gaussian: Option<Gaussian>) -> Self {
        let Spending { product, policy, events, epsilon, delta } = spending.clone();
        Self { product, policy, epsilon, delta, gaussian, events }
    }

    /// Whether a ledger can have written it.
    pub(super) fn is_sound(&self) -> bool {
        let numbers = self.gaussian.is_none_or(|gaussian| Decimal::of(gaussian.mu).is_some() && (0.0..1.0).contains(&gaussian.delta));
        numbers && !self.events.is_empty() && self.events.iter().all(|event| event.check().is_ok())
    }
}
