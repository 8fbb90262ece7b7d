//! What lists of mechanisms cost: where declared numbers can be added up exactly, so; else by the accountant, rounded up.

use super::decimal::Decimal;
use super::spending::Gaussian;
use crate::dp::accounting::{account, gaussian as analytic};
use crate::dp::event::PrivacyEvent;
use crate::dp::rational::Rational;
use crate::error::Result;
use crate::units::{Delta, Epsilon};
use dashu_int::UBig;

/// The accountant's closed forms have a relative error below 10⁻¹².
const MARGIN: f64 = 1e-10;

/// The ε and δ of an event that has them, for one run.
fn basic(event: &PrivacyEvent) -> Option<(Rational, Decimal)> {
    let exact = |number: f64| Rational::from_shortest_decimal(number).ok();
    let (epsilon, delta) = match *event {
        PrivacyEvent::Pure { epsilon, .. } | PrivacyEvent::RandomizedResponse { epsilon, .. } => (exact(epsilon)?, 0.0),
        PrivacyEvent::Approximate { epsilon, delta, .. } | PrivacyEvent::TruncatedGeometric { epsilon, delta, .. } => {
            (exact(epsilon)?, delta)
        }
        PrivacyEvent::DiscreteLaplace { scale, sensitivity, .. } => (exact(sensitivity)?.times(&exact(scale)?.reciprocal().ok()?), 0.0),
        _ => return None,
    };
    Some((epsilon, Decimal::of(delta)?))
}

fn plus(a: &Rational, b: &Rational) -> Rational {
    Rational::reduced(a.numerator() * b.denominator() + b.numerator() * a.denominator(), a.denominator() * b.denominator())
}

/// The sums of ε and of δ, if every event has them.
fn sums(events: &[PrivacyEvent]) -> Option<(Rational, Decimal)> {
    events.iter().try_fold((Rational::from(0), Decimal::default()), |(epsilon, delta), event| {
        let (more, failing) = basic(event)?;
        let runs = Rational::reduced(UBig::from(event.count()), UBig::ONE);
        Some((plus(&epsilon, &more.times(&runs)), delta.plus(&failing.times(event.count()))))
    })
}

/// Whether they are (ε, δ)-differentially private together, all of them being settled in advance.
pub(super) fn costs_at_most<'a>(events: impl IntoIterator<Item = &'a PrivacyEvent>, epsilon: f64, delta: f64) -> Result<bool> {
    let events: Vec<PrivacyEvent> = events.into_iter().cloned().collect();
    if let (Some((sum, failing)), Ok(limit), Some(most)) = (sums(&events), Rational::from_shortest_decimal(epsilon), Decimal::of(delta))
        && sum <= limit
        && failing <= most
    {
        return Ok(true);
    }
    // Gaussian but for an event of some probability: the closed form is closer than a grid of losses, and a plan that was made with it must not be refused.
    if let Some(whole) = gaussian(&events)
        && let Ok(found) = analytic::delta(epsilon, whole.mu)
        && (found + whole.delta) * (1.0 + MARGIN) <= delta
    {
        return Ok(true);
    }
    if account(&events)?.delta(epsilon)?.upper <= delta {
        return Ok(true);
    }
    // Beside events that have a ρ only, the accountant composes no δ: they add up.
    let Some((rest, failing)) = without_exceptions(&events) else { return Ok(false) };
    Ok(account(&rest)?.delta(epsilon)?.upper + failing <= delta)
}

/// The events without what happens with probability δ, and the sum of those probabilities, rounded up: outside an event of probability δ an (ε, δ)-differentially private mechanism
/// is ε-differentially private (Kairouz, Oh, Viswanath 2015).
fn without_exceptions(events: &[PrivacyEvent]) -> Option<(Vec<PrivacyEvent>, f64)> {
    let mut failing = Decimal::default();
    let mut rest = Vec::new();
    for event in events {
        match *event {
            PrivacyEvent::Approximate { epsilon, delta, count } | PrivacyEvent::TruncatedGeometric { epsilon, delta, count, .. } => {
                failing = failing.plus(&Decimal::of(delta)?.times(count));
                if epsilon > 0.0 {
                    rest.push(PrivacyEvent::Pure { epsilon, count });
                }
            }
            _ => rest.push(event.clone()),
        }
    }
    let delta = failing.to_f64();
    Some((rest, if Decimal::of(delta)? < failing { delta.next_up() } else { delta }))
}

/// An upper bound on their ε at δ; infinite if there is none.
pub(super) fn epsilon<'a>(events: impl IntoIterator<Item = &'a PrivacyEvent>, delta: f64) -> Result<f64> {
    let events: Vec<PrivacyEvent> = events.into_iter().cloned().collect();
    if events.is_empty() {
        return Ok(0.0);
    }
    let accounted = account(&events)?.epsilon(Delta::new(delta)?).upper;
    let summed = match (sums(&events), Decimal::of(delta)) {
        (Some((sum, failing)), Some(most)) if failing <= most => told(&sum),
        _ => f64::INFINITY,
    };
    Ok(accounted.min(summed))
}

/// The number, or one above.
fn told(number: &Rational) -> f64 {
    let is = |float: &f64| Rational::from_shortest_decimal(*float).is_ok_and(|told| told == *number);
    [number.to_f64_down(), number.to_f64_up()].into_iter().find(is).unwrap_or_else(|| number.to_f64_up().next_up())
}

/// What a Gaussian budget is charged for them: none if one of them is not known to be Gaussian but for a δ, or if none of them gains by it.
pub(super) fn gaussian(events: &[PrivacyEvent]) -> Option<Gaussian> {
    if sums(events).is_some() {
        return None;
    }
    let (rest, delta) = without_exceptions(events)?;
    let mu = account(&rest).ok()?.gdp_mu()? * (1.0 + MARGIN);
    (mu.is_finite() && delta < 1.0).then_some(Gaussian { mu, delta })
}

/// The largest μ that implies (ε, δ)-differential privacy, rounded down.
pub(super) fn largest_mu(epsilon: f64, delta: f64) -> Result<f64> {
    analytic::mu(Epsilon::new(epsilon)?, Delta::new(delta * (1.0 - MARGIN))?)
}
