//! The staircase law of integers.

use super::Noise;
use super::exact::{coin_exp, uniform_below};
use crate::dp::rational::Rational;
use crate::error::{Error, Result};
use dashu_int::UBig;
use rand::CryptoRng;

/// The discrete staircase law: P(x) = a for |x| < r, a·e^−ε for r ≤ |x| < Δ, and P(x) = e^−ε P(|x| − Δ) beyond, with a = (1 − e^−ε) / (2r + 2 e^−ε (Δ − r) − (1 − e^−ε)).
///
/// # Guarantee
/// Integer answers that differ by at most Δ between neighbours get ε-differential privacy. For the best r the expected size of the noise is the smallest that any
/// ε-differentially private additive noise has.
///
/// # References
/// Geng, Viswanath: *The Optimal Noise-Adding Mechanism in Differential Privacy* (IEEE Transactions on Information Theory 62, 2016), section V.
///
/// ```
/// use backmask::dp::noise::{Noise, Staircase};
///
/// // With Δ = 1 it is the discrete Laplace law.
/// let noise = Staircase::new(&"0.5".parse()?, 1, 1)?;
/// assert!((noise.ln_pmf(3) - noise.ln_pmf(2) + 0.5).abs() < 1e-12);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Staircase {
    epsilon: Rational,
    sensitivity: u64,
    step: u64,
}

impl Staircase {
    /// ε in [2⁻²⁰, 1024], sensitivity Δ in 1 … 2³², step r in 1 … Δ.
    ///
    /// # Errors
    /// Outside these ranges.
    pub fn new(epsilon: &Rational, sensitivity: u64, step: u64) -> Result<Self> {
        let bad = |name, problem: &str| Err(Error::Parameter { name, problem: problem.to_owned() });
        if *epsilon > Rational::from(1024) || *epsilon < Rational::from(1).times_power_of_two(-20) {
            return bad("epsilon", "must lie between 2^-20 and 1024");
        }
        if sensitivity == 0 || sensitivity > 1 << 32 {
            return bad("sensitivity", "must lie between 1 and 2^32");
        }
        if step == 0 || step > sensitivity {
            return bad("step", "must lie between 1 and the sensitivity");
        }
        Ok(Self { epsilon: epsilon.clone(), sensitivity, step })
    }

    /// The step r that minimizes E|X|, looked for around its place in the continuous law, Δ / (1 + exp(ε/2)).
    ///
    /// # Errors
    /// As for [`Staircase::new`].
    pub fn with_least_size(epsilon: &Rational, sensitivity: u64) -> Result<Self> {
        let first = Self::new(epsilon, sensitivity, 1)?;
        let guess = first.real_sensitivity() / (1.0 + (first.epsilon.to_f64() / 2.0).exp());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the sensitivity")]
        let guess = guess as u64;
        let around = guess.saturating_sub(4).max(1)..=(guess + 4).min(sensitivity);
        let size = |step: u64| Self { step, ..first.clone() }.expected_size();
        let best = around.min_by(|&a, &b| size(a).total_cmp(&size(b))).unwrap_or(1);
        Self::new(epsilon, sensitivity, best)
    }

    /// The step r.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.step
    }

    fn real_sensitivity(&self) -> f64 {
        crate::numeric::real(self.sensitivity)
    }

    /// ln a.
    fn ln_top(&self) -> f64 {
        let b = (-self.epsilon.to_f64()).exp();
        let gap = -(-self.epsilon.to_f64()).exp_m1();
        let (step, rest) = (crate::numeric::real(self.step), crate::numeric::real(self.sensitivity - self.step));
        gap.ln() - (2.0 * step + 2.0 * b * rest - gap).ln()
    }

    /// Sums over one stair of 1, x and x², weighted.
    fn stair(&self) -> [f64; 3] {
        let sums = |n: f64| [n, n * (n - 1.0) / 2.0, n * (n - 1.0) * (2.0 * n - 1.0) / 6.0];
        let (b, step, all) = ((-self.epsilon.to_f64()).exp(), sums(crate::numeric::real(self.step)), sums(self.real_sensitivity()));
        std::array::from_fn(|power| step[power] + b * (all[power] - step[power]))
    }

    /// E|X|.
    #[must_use]
    pub fn expected_size(&self) -> f64 {
        let (b, gap) = ((-self.epsilon.to_f64()).exp(), -(-self.epsilon.to_f64()).exp_m1());
        let [mass, first, _] = self.stair();
        2.0 * self.ln_top().exp() * (first / gap + self.real_sensitivity() * mass * b / (gap * gap))
    }
}

impl Noise for Staircase {
    fn name(&self) -> &'static str {
        "staircase"
    }

    /// Exact coins and dice for each draw: hundreds of nanoseconds to microseconds.
    fn fill(&self, rng: &mut dyn CryptoRng, out: &mut [i64]) {
        let (n, d) = (self.epsilon.numerator(), self.epsilon.denominator());
        for slot in out {
            *slot = loop {
                // The number of whole stairs below, and the place on the stair: high with weight 1, low with weight exp(−ε).
                let place = uniform_below(self.sensitivity, rng).unwrap_or(0);
                if place >= self.step && !coin_exp(n, d, rng) {
                    continue;
                }
                let stairs: UBig = super::exact::geometric(d, n, rng);
                let size = i64::try_from(stairs * self.sensitivity + place).unwrap_or(i64::MAX);
                match (rng.next_u64() & 1 == 1, size) {
                    (true, 0) => {}
                    (true, size) => break -size,
                    (false, size) => break size,
                }
            };
        }
    }

    fn ln_pmf(&self, x: i64) -> f64 {
        let (stairs, place) = (x.unsigned_abs() / self.sensitivity, x.unsigned_abs() % self.sensitivity);
        let low = if place < self.step { 0.0 } else { 1.0 };
        self.ln_top() - self.epsilon.to_f64() * (crate::numeric::real(stairs) + low)
    }

    fn variance(&self) -> f64 {
        // Σ over stairs k of e^−kε Σ (kΔ + i)² w(i), with the moments of a geometric law.
        let (b, gap) = ((-self.epsilon.to_f64()).exp(), -(-self.epsilon.to_f64()).exp_m1());
        let [mass, first, second] = self.stair();
        let delta = self.real_sensitivity();
        let (zeroth, mean, square) = (1.0 / gap, b / (gap * gap), b * (1.0 + b) / (gap * gap * gap));
        2.0 * self.ln_top().exp() * (second * zeroth + 2.0 * delta * first * mean + delta * delta * mass * square)
    }

    fn tail(&self, t: u64) -> f64 {
        if t == 0 {
            return 1.0;
        }
        let (b, gap) = ((-self.epsilon.to_f64()).exp(), -(-self.epsilon.to_f64()).exp_m1());
        let (stairs, place) = (t / self.sensitivity, t % self.sensitivity);
        let [mass, ..] = self.stair();
        // The rest of the stair on which t lies, and all stairs beyond.
        let (high, low) = (self.step.saturating_sub(place), self.sensitivity - place.max(self.step));
        let rest = crate::numeric::real(high) + b * crate::numeric::real(low);
        2.0 * (self.ln_top() - self.epsilon.to_f64() * crate::numeric::real(stairs)).exp() * (rest + mass * b / gap)
    }
}
