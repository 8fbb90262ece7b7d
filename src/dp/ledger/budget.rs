//! What may be spent in all, and by which rule spending adds up.

use super::decimal::Decimal;
use super::loss;
use super::spending::{Debit, Spending};
use crate::error::{Error, Result};
use crate::units::{Delta, Epsilon, Share};
use serde::{Deserialize, Serialize};

/// How the losses of reservations add up to the loss of the pool. It is fixed when the ledger is made, because a rule that could be chosen afterwards, by looking at
/// which one still has room, would guarantee nothing.
///
/// Within one reservation all mechanisms are declared before any of them runs, so the [accountant](crate::dp::accounting) composes them; the rule is about what
/// comes after: who asks for the next reservation has seen the earlier outputs.
///
/// # References
/// Rogers, Roth, Ullman, Vadhan, *Privacy odometers and filters* (2016); Smith and Thakurta, *Fully adaptive composition for Gaussian differential privacy* (2022);
/// Whitehouse, Ramdas, Rogers, Wu, *Fully-adaptive composition in differential privacy* (2023).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// The ε add up, and the δ add up.
    ///
    /// # Guarantee
    /// (ε, δ)-differential privacy for everything that is ever released, however the later reservations depend on earlier outputs.
    #[default]
    Sums,
    /// A part of ε, and half of δ, is set apart as a Gaussian budget μ. In it the μ² of reservations add up; what is not Gaussian or finds no room there
    /// is charged to the other part as with [`Self::Sums`]. For pools with many releases of Gaussian mechanisms, whose ε would add up too fast.
    ///
    /// # Guarantee
    /// As that of [`Self::Sums`].
    Gaussian {
        /// The part of ε, more than 0.
        share: Share,
    },
    /// The accountant composes all mechanisms of all reservations: the tightest rule.
    ///
    /// # Guarantee
    /// (ε, δ)-differential privacy if the noise of every mechanism and the number of reservations were settled without looking at an output, as in a plan.
    /// For parameters that depend on earlier outputs no theorem is known that backs the composition of privacy loss distributions.
    Planned,
}

/// The (ε, δ) that everything ever released from a pool must stay within.
///
/// ```
/// use backmask::dp::ledger::{Budget, Rule};
/// use backmask::units::{Delta, Epsilon};
///
/// let budget = Budget::new(Epsilon::new(3.0)?, Delta::new(1e-6)?);
/// assert_eq!(budget.rule(), Rule::Sums);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Table")]
pub struct Budget {
    epsilon: Epsilon,
    delta: Delta,
    rule: Rule,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    epsilon: Epsilon,
    delta: Delta,
    rule: Rule,
}

impl TryFrom<Table> for Budget {
    type Error = Error;

    fn try_from(Table { epsilon, delta, rule }: Table) -> Result<Self> {
        Self::new(epsilon, delta).with_rule(rule)
    }
}

impl Budget {
    /// A budget under [`Rule::Sums`].
    #[must_use]
    pub fn new(epsilon: Epsilon, delta: Delta) -> Self {
        Self { epsilon, delta, rule: Rule::Sums }
    }

    /// The same budget under another rule.
    ///
    /// # Errors
    /// [`Rule::Gaussian`] without a share or without δ: a Gaussian mechanism is not differentially private with δ = 0.
    pub fn with_rule(self, rule: Rule) -> Result<Self> {
        if let Rule::Gaussian { share } = rule {
            if share.get() <= 0.0 {
                return Err(Error::Parameter { name: "gaussian share", problem: "must lie in (0, 1]".to_owned() });
            }
            if self.delta.get() <= 0.0 {
                return Err(Error::Parameter { name: "delta", problem: "must be more than 0 for a Gaussian budget".to_owned() });
            }
        }
        Ok(Self { rule, ..self })
    }

    /// ε in all.
    #[must_use]
    pub fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// δ in all.
    #[must_use]
    pub fn delta(&self) -> Delta {
        self.delta
    }

    /// How spending adds up.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// What each of the sums may reach.
    fn caps(&self) -> Result<Sums> {
        let (epsilon, delta) = (exact(self.epsilon.get())?, exact(self.delta.get())?);
        let Rule::Gaussian { share } = self.rule else { return Ok(Sums { epsilon, delta, mu_squared: 0.0 }) };
        // The part is rounded up to a number, and what is left is exact: together they are no more than ε.
        let part = (self.epsilon.get() * share.get()).min(self.epsilon.get());
        let mu = loss::largest_mu(part, (self.delta.get() / 2.0).next_down())?;
        Ok(Sums { epsilon: epsilon.minus(&exact(part)?), delta: delta.half(), mu_squared: (mu * mu).next_down().max(0.0) })
    }
}

fn exact(number: f64) -> Result<Decimal> {
    Decimal::of(number).ok_or_else(|| Error::Parameter { name: "budget", problem: "must be finite and not negative".to_owned() })
}

/// The three sums that a filter watches.
#[derive(Debug, Clone, PartialEq, Default)]
struct Sums {
    epsilon: Decimal,
    delta: Decimal,
    /// Never less than the sum of the squares.
    mu_squared: f64,
}

impl Sums {
    fn of<'a>(debits: impl IntoIterator<Item = &'a Debit>) -> Result<Self> {
        let mut sums = Self::default();
        for debit in debits {
            sums.add(debit)?;
        }
        Ok(sums)
    }

    fn add(&mut self, debit: &Debit) -> Result<()> {
        if let Some(gaussian) = debit.gaussian {
            self.mu_squared =
                if gaussian.mu == 0.0 { self.mu_squared } else { (self.mu_squared + (gaussian.mu * gaussian.mu).next_up()).next_up() };
            self.delta = self.delta.plus(&exact(gaussian.delta)?);
        } else {
            self.epsilon = self.epsilon.plus(&exact(debit.epsilon.get())?);
            self.delta = self.delta.plus(&exact(debit.delta.get())?);
        }
        Ok(())
    }

    fn within(&self, caps: &Self) -> bool {
        self.epsilon <= caps.epsilon && self.delta <= caps.delta && self.mu_squared <= caps.mu_squared
    }
}

/// Amounts of a budget: what is spent of it, or what remains.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Amounts {
    /// ε; under [`Rule::Planned`] that of the accountant at the δ of the budget.
    pub epsilon: f64,
    /// δ.
    pub delta: f64,
    /// μ of the part that is set apart under [`Rule::Gaussian`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mu: Option<f64>,
}

impl Amounts {
    fn of(sums: &Sums, rule: Rule) -> Self {
        let mu = matches!(rule, Rule::Gaussian { .. }).then(|| sums.mu_squared.sqrt());
        Self { epsilon: sums.epsilon.to_f64(), delta: sums.delta.to_f64(), mu }
    }
}

impl Budget {
    /// What is spent, and what remains.
    pub(super) fn balance(&self, debits: &[&Debit]) -> Result<(Amounts, Amounts)> {
        if self.rule == Rule::Planned {
            let spent = loss::epsilon(debits.iter().flat_map(|debit| &debit.events), self.delta.get())?;
            let amounts = |epsilon, delta| Amounts { epsilon, delta, mu: None };
            // The accountant's ε is at the whole δ, so none of it remains beside.
            let used = if debits.is_empty() { 0.0 } else { self.delta.get() };
            return Ok((amounts(spent, used), amounts((self.epsilon.get() - spent).max(0.0), self.delta.get() - used)));
        }
        let (caps, spent) = (self.caps()?, Sums::of(debits.iter().copied())?);
        let remaining = Sums {
            epsilon: caps.epsilon.minus(&spent.epsilon),
            delta: caps.delta.minus(&spent.delta),
            mu_squared: (caps.mu_squared - spent.mu_squared).max(0.0),
        };
        Ok((Amounts::of(&spent, self.rule), Amounts::of(&remaining, self.rule)))
    }

    /// The debit for a spending, if the budget has room for it after these debits.
    pub(super) fn admit(&self, debits: &[&Debit], spending: &Spending) -> Result<Option<Debit>> {
        let plain = Debit::new(spending, None);
        if self.rule == Rule::Planned {
            let events = debits.iter().flat_map(|debit| &debit.events).chain(&spending.events);
            return Ok(loss::costs_at_most(events, self.epsilon.get(), self.delta.get())?.then_some(plain));
        }
        let (caps, spent) = (self.caps()?, Sums::of(debits.iter().copied())?);
        // Where a debit goes depends on declared numbers alone.
        let gaussian = matches!(self.rule, Rule::Gaussian { .. }).then(|| loss::gaussian(&spending.events)).flatten();
        for debit in gaussian.map(|loss| Debit::new(spending, Some(loss))).into_iter().chain([plain]) {
            let mut sums = spent.clone();
            sums.add(&debit)?;
            if sums.within(&caps) {
                return Ok(Some(debit));
            }
        }
        Ok(None)
    }
}
