//! Rényi differential privacy: the divergences D_α of neighbours, which add up over runs.

use super::pair::ln_mixture;
use super::quadrature::{TEN, nodes};
use super::zcdp::{epsilon_of as zcdp_epsilon, least, log_factor, rho, rho_of_laplace, rho_of_pure};
use crate::dp::event::{PrivacyEvent, between, domain};
use crate::error::Result;

/// A sum of exponentials by its logarithm.
#[derive(Debug, Clone, Copy)]
struct LogSum {
    top: f64,
    sum: f64,
}

impl LogSum {
    const fn new() -> Self {
        Self { top: f64::NEG_INFINITY, sum: 0.0 }
    }

    /// Adds weight · e^exponent.
    fn add(&mut self, weight: f64, exponent: f64) {
        if exponent == f64::NEG_INFINITY || weight == 0.0 {
            return;
        }
        if exponent > self.top {
            self.sum *= (self.top - exponent).exp();
            self.top = exponent;
        }
        self.sum += weight * (exponent - self.top).exp();
    }

    fn ln(self) -> f64 {
        self.top + self.sum.ln()
    }
}

fn order(alpha: f64) -> Result<()> {
    if alpha > 1.0 && alpha <= 1e6 { Ok(()) } else { Err(domain("alpha", "greater than 1 and at most 1e6")) }
}

/// D_α of one run of the Gaussian mechanism with the given noise multiplier on a Poisson sample, at any real order, the larger of both directions.
///
/// The moment E[(1 − q + q e^{(2x − 1)/(2σ²)})^α] over x ~ N(0, σ²) is a sum of positive terms by the trapezoidal rule, which converges exponentially here: there is no
/// alternating series at fractional orders.
///
/// # Errors
/// A parameter outside its domain.
///
/// # References
/// Mironov, Talwar and Zhang, "Rényi differential privacy of the sampled Gaussian mechanism", arXiv 1908.10530, section 3.
///
/// ```
/// let divergence = backmask::dp::accounting::rdp::poisson_gaussian(2.5, 0.01, 2.5)?;
/// assert!((50.0 * divergence / 0.001_085_487_1 - 1.0).abs() < 1e-4);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn poisson_gaussian(noise_multiplier: f64, sampling_rate: f64, alpha: f64) -> Result<f64> {
    PrivacyEvent::Gaussian { noise_multiplier, sampling_rate, count: 1 }.check()?;
    order(alpha)?;
    between("alpha / noise_multiplier", alpha / noise_multiplier, 0.0, MOST_SHIFT)?;
    Ok(sampled_gaussian(1.0 / noise_multiplier, sampling_rate, alpha))
}

/// The furthest that a tilted Gaussian is followed.
const MOST_SHIFT: f64 = 2e3;

fn sampled_gaussian(mu: f64, rate: f64, alpha: f64) -> f64 {
    if rate >= 1.0 {
        return 0.5 * alpha * mu * mu;
    }
    let step = (0.5 / mu).min(0.25);
    let moment = |power: f64, low: f64, high: f64| {
        let mut sum = LogSum::new();
        let count = ((high - low) / step).ceil();
        let mut done = 0.0;
        while done <= count {
            let x = low + done * step;
            sum.add(1.0, -0.5 * x * x + power * ln_mixture(rate, mu * (x - 0.5 * mu)));
            done += 1.0;
        }
        sum.ln() + (step * super::normal::PEAK).ln()
    };
    let remove = moment(alpha, -39.0, alpha * mu + 39.0);
    let add = moment(1.0 - alpha, (1.0 - alpha) * mu - 39.0, 39.0);
    // Rounding in the sum of a few thousand terms.
    ((remove.max(add) + 1e-14) / (alpha - 1.0)).max(0.0)
}

fn laplace(epsilon: f64, rate: f64, alpha: f64) -> f64 {
    if rate >= 1.0 {
        if epsilon < 1e-3 {
            return alpha * rho_of_laplace(epsilon);
        }
        let mut sum = LogSum::new();
        sum.add(alpha / (2.0 * alpha - 1.0), (alpha - 1.0) * epsilon);
        sum.add((alpha - 1.0) / (2.0 * alpha - 1.0), -alpha * epsilon);
        return ((sum.ln() + 1e-15) / (alpha - 1.0)).max(0.0);
    }
    let moment = |power: f64| {
        let mut sum = LogSum::new();
        sum.add(0.5, power * ln_mixture(rate, -epsilon));
        sum.add(0.5, -epsilon + power * ln_mixture(rate, epsilon));
        let panels = (epsilon * (1.0 + 2.0 * power.abs())).ceil().max(1.0);
        let mut done = 0.0;
        while done < panels {
            nodes(TEN, done / panels, (done + 1.0) / panels, |x, weight| {
                sum.add(0.5 * epsilon * weight, -epsilon * x + power * ln_mixture(rate, epsilon * (2.0 * x - 1.0)));
            });
            done += 1.0;
        }
        sum.ln()
    };
    ((moment(alpha).max(moment(1.0 - alpha)) + 1e-14) / (alpha - 1.0)).max(0.0)
}

/// D_α of randomized response, the largest of all ε-differentially private mechanisms.
fn pure(epsilon: f64, alpha: f64) -> f64 {
    if epsilon < 1e-3 {
        return alpha * rho_of_pure(epsilon);
    }
    let mut sum = LogSum::new();
    sum.add(1.0, (alpha - 1.0) * epsilon);
    sum.add(1.0, -alpha * epsilon);
    ((sum.ln() - (-epsilon).exp().ln_1p() + 1e-15) / (alpha - 1.0)).clamp(0.0, epsilon)
}

fn discrete_laplace(scale: f64, sensitivity: f64, alpha: f64) -> f64 {
    let epsilon = sensitivity / scale;
    if sensitivity > 1000.0 || epsilon < 1e-3 {
        return pure(epsilon, alpha);
    }
    let mut sum = LogSum::new();
    let (centre, outside) = ((0.5 / scale).tanh(), 1.0 / -(-1.0 / scale).exp_m1());
    let mut x = 0.0;
    while x <= sensitivity {
        let ends = if x == 0.0 || x >= sensitivity { outside } else { 1.0 };
        // P₀(x) (P₁/P₀)^α, put together so that nothing underflows.
        sum.add(centre * ends, -x / scale + alpha * (2.0 * x - sensitivity) / scale);
        x += 1.0;
    }
    ((sum.ln() + 1e-14) / (alpha - 1.0)).clamp(0.0, epsilon)
}

/// D_α of two laws on finitely many outcomes, in the direction in which it is larger: infinite if an outcome is possible under one of them alone.
///
/// # Errors
/// The laws have different lengths, a probability is negative, or `alpha` is not greater than 1.
pub fn finite(p: &[f64], q: &[f64], alpha: f64) -> Result<f64> {
    order(alpha)?;
    if p.len() != q.len() || !p.iter().chain(q).all(|&x| (0.0..=1.0).contains(&x)) {
        return Err(domain("probabilities", "two lists of the same length with values from 0 to 1"));
    }
    let one = |p: &[f64], q: &[f64]| {
        let mut sum = LogSum::new();
        for (&p, &q) in p.iter().zip(q) {
            if p > 0.0 {
                sum.add(1.0, if q > 0.0 { alpha * p.ln() + (1.0 - alpha) * q.ln() } else { f64::INFINITY });
            }
        }
        sum.ln() / (alpha - 1.0)
    };
    let (there, back) = (one(p, q), one(q, p));
    Ok(if there.is_nan() || back.is_nan() { f64::INFINITY } else { there.max(back).max(0.0) })
}

/// D_α of an exponential mechanism that is ε-bounded-range, for α ≥ 1 (1: the Kullback–Leibler divergence).
///
/// # Errors
/// `epsilon` lies outside \[10⁻⁶, 10³\] or `alpha` is less than 1.
///
/// # References
/// Dong, Durfee and Rogers, "Optimal differential privacy composition for exponential mechanisms", ICML 2020, Lemma 3.4: the worst losses are t and t − ε for some t in
/// \[0, ε\].
pub fn exponential_mechanism(epsilon: f64, alpha: f64) -> Result<f64> {
    between("epsilon", epsilon, 1e-6, 1e3)?;
    if alpha != 1.0 {
        order(alpha)?;
    }
    let divergence = |t: f64| {
        // Q gives the loss t with probability q, so that P sums to 1.
        let q = -(t - epsilon).exp_m1() / (t.exp() - (t - epsilon).exp());
        if alpha == 1.0 {
            return q * t.exp() * t + (1.0 - q) * (t - epsilon).exp() * (t - epsilon);
        }
        let mut sum = LogSum::new();
        sum.add(q, alpha * t);
        sum.add(1.0 - q, alpha * (t - epsilon));
        sum.ln() / (alpha - 1.0)
    };
    Ok(-least(|t| -divergence(t), 0.0, epsilon).1)
}

/// D_α of one run, and the probability that has to be left out for it.
fn run(event: &PrivacyEvent, alpha: f64) -> Option<f64> {
    let (sigma_order, shift) = (alpha, |mu: f64| 0.5 * alpha * mu * mu);
    Some(match *event {
        PrivacyEvent::Gaussian { noise_multiplier, sampling_rate, .. } => {
            if sampling_rate < 1.0 && sigma_order / noise_multiplier > MOST_SHIFT {
                return None;
            }
            sampled_gaussian(1.0 / noise_multiplier, sampling_rate, alpha)
        }
        PrivacyEvent::Laplace { scale, sampling_rate, .. } => {
            if sampling_rate < 1.0 && alpha / scale > MOST_SHIFT {
                return None;
            }
            laplace(1.0 / scale, sampling_rate, alpha)
        }
        PrivacyEvent::DiscreteLaplace { scale, sensitivity, .. } => discrete_laplace(scale, sensitivity, alpha),
        PrivacyEvent::DiscreteGaussian { sigma, sensitivity, .. } | PrivacyEvent::RoundedGaussian { sigma, sensitivity, .. } => {
            shift(sensitivity / sigma)
        }
        PrivacyEvent::RandomizedResponse { epsilon, .. }
        | PrivacyEvent::Pure { epsilon, .. }
        | PrivacyEvent::Approximate { epsilon, .. } => pure(epsilon, alpha),
        PrivacyEvent::Zcdp { rho, .. } => rho * alpha,
        PrivacyEvent::Gdp { mu, .. } => shift(mu),
        PrivacyEvent::TruncatedGeometric { epsilon, max_items, .. } => {
            #[expect(clippy::cast_precision_loss, reason = "at most 10^6")]
            let items = max_items as f64;
            items * pure(epsilon / items, alpha)
        }
    })
}

/// D_α of all events, given that no event of the probability of [`left_out`] happens; `None` beyond the orders that are followed.
pub(super) fn divergence(events: &[PrivacyEvent], alpha: f64) -> Option<f64> {
    let mut sum = 0.0;
    for event in events {
        #[expect(clippy::cast_precision_loss, reason = "counts are at most 10^9")]
        let count = event.count() as f64;
        sum += count * run(event, alpha)?;
    }
    Some(sum * (1.0 + 1e-13))
}

/// The probability that one of the δ of approximate events happens.
fn left_out(events: &[PrivacyEvent]) -> f64 {
    let mut finite = 0.0;
    for event in events {
        #[expect(clippy::cast_precision_loss, reason = "counts are at most 10^9")]
        let count = event.count() as f64;
        finite += match *event {
            PrivacyEvent::Approximate { delta, .. } => count * (-delta).ln_1p(),
            PrivacyEvent::TruncatedGeometric { delta, max_items, .. } => {
                #[expect(clippy::cast_precision_loss, reason = "at most 10^6")]
                let items = max_items as f64;
                count * items * (-delta / items).ln_1p()
            }
            _ => 0.0,
        };
    }
    -finite.exp_m1()
}

/// Minimizes over the orders: first a ladder of α − 1, then golden sections around its best step.
fn over_orders(value: impl Fn(f64) -> Option<f64>) -> Option<(f64, f64)> {
    let at = |u: f64| value(1.0 + u.exp()).unwrap_or(f64::INFINITY);
    let ladder = |step: i32| -7.0 + 0.7 * f64::from(step);
    let best =
        (0..=29).map(|step| (step, at(ladder(step)))).filter(|found| found.1.is_finite()).min_by(|one, other| one.1.total_cmp(&other.1))?;
    // Each further step divides the interval by 1.6; the minimum is flat.
    let (mut low, mut high) = (ladder(best.0 - 1), ladder(best.0 + 1));
    let mut found = (ladder(best.0), best.1);
    for _ in 0..18 {
        let (left, right) = (low + 0.382 * (high - low), high - 0.382 * (high - low));
        let (at_left, at_right) = (at(left), at(right));
        for candidate in [(left, at_left), (right, at_right)] {
            if candidate.1 < found.1 {
                found = candidate;
            }
        }
        if at_left <= at_right { high = right } else { low = left }
    }
    Some((found.1, 1.0 + found.0.exp()))
}

/// ε at δ and the order that gives it, by the conversion of Canonne, Kamath and Steinke 2020, Proposition 12 (also Asoodeh, Liao, Calmon, Kosut and Sankar 2020).
pub(super) fn epsilon(events: &[PrivacyEvent], delta: f64) -> Option<(f64, f64)> {
    let out = left_out(events);
    let delta = (delta - out) / (1.0 - out) * (1.0 - 1e-14);
    if delta <= 0.0 {
        return None;
    }
    if let Some(rho) = linear(events) {
        let epsilon = zcdp_epsilon(rho, delta);
        let (_, alpha) = over_orders(|alpha| Some(at_order(rho * alpha, alpha, delta)))?;
        return Some((epsilon, alpha));
    }
    over_orders(|alpha| Some(at_order(divergence(events, alpha)?, alpha, delta)))
}

/// ε of one order.
pub(super) fn at_order(divergence: f64, alpha: f64, delta: f64) -> f64 {
    (divergence + (-1.0 / alpha).ln_1p() - (delta.ln() + alpha.ln()) / (alpha - 1.0)).max(0.0)
}

/// ρ if D_α = ρ α at every order.
fn linear(events: &[PrivacyEvent]) -> Option<f64> {
    let all = events.iter().all(|event| match event {
        PrivacyEvent::Gaussian { sampling_rate, .. } => *sampling_rate >= 1.0,
        PrivacyEvent::DiscreteGaussian { .. }
        | PrivacyEvent::RoundedGaussian { .. }
        | PrivacyEvent::Zcdp { .. }
        | PrivacyEvent::Gdp { .. } => true,
        _ => false,
    });
    if all && !events.is_empty() { rho(events) } else { None }
}

/// δ at ε.
pub(super) fn delta(events: &[PrivacyEvent], epsilon: f64) -> Option<f64> {
    let out = left_out(events);
    let (log, _) = over_orders(|alpha| Some((alpha - 1.0) * (divergence(events, alpha)? - epsilon) + log_factor(alpha - 1.0)))?;
    Some((out + (1.0 - out) * log.exp().min(1.0)).min(1.0) * (1.0 + 1e-12))
}
