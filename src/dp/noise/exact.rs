//! Exact sampling with integers of any length: the law that everything else is held against.
//!
//! Nothing here uses a float, a table or an approximation. It is also what the table samplers fall back to in their tails.
//!
//! # References
//! Canonne, Kamath, Steinke: *The Discrete Gaussian for Differential Privacy* (2020), Algorithms 1–3. Karney: *Sampling Exactly from the Normal Distribution*
//! (ACM Transactions on Mathematical Software 42, 2016), Algorithms N and B.

use super::check;
use crate::dp::rational::Rational;
use crate::error::{Error, Result};
use dashu_int::ops::{BitTest, DivRem};
use dashu_int::{IBig, UBig};
use rand::CryptoRng;
use std::cmp::Ordering;

/// A uniform integer below `bound`.
///
/// # Errors
/// `bound` is 0.
///
/// ```
/// use backmask::dp::noise::{bernoulli, bernoulli_exp, uniform_below};
/// use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
///
/// let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("the system has random numbers");
/// assert!(uniform_below(6, &mut rng)? < 6);
/// assert!(!bernoulli(&"0".parse()?, &mut rng)?, "probability 0");
/// assert!(bernoulli_exp(&"0".parse()?, &mut rng), "probability exp(-0)");
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn uniform_below(bound: u64, rng: &mut dyn CryptoRng) -> Result<u64> {
    if bound == 0 {
        return Err(Error::Parameter { name: "bound", problem: "must be at least 1".to_owned() });
    }
    Ok(below_word(bound, rng))
}

/// True with probability `probability`, exactly.
///
/// # Errors
/// Above 1.
pub fn bernoulli(probability: &Rational, rng: &mut dyn CryptoRng) -> Result<bool> {
    if probability.numerator() > probability.denominator() {
        return Err(Error::Parameter { name: "probability", problem: "must lie in [0, 1]".to_owned() });
    }
    Ok(coin(probability.numerator(), probability.denominator(), rng))
}

/// True with probability exp(−`exponent`), exactly.
pub fn bernoulli_exp(exponent: &Rational, rng: &mut dyn CryptoRng) -> bool {
    coin_exp(exponent.numerator(), exponent.denominator(), rng)
}

/// One draw of the discrete Laplace law P(x) ∝ exp(−|x| / scale).
///
/// # Errors
/// The scale lies outside the permitted range.
pub(super) fn discrete_laplace(scale: &Rational, rng: &mut dyn CryptoRng) -> Result<i64> {
    check::scale("scale", scale)?;
    Ok(saturate(&laplace(scale.numerator(), scale.denominator(), rng)))
}

/// One draw of the law P(x) ∝ exp(−x / scale) on x ≥ 0.
///
/// # Errors
/// The scale lies outside the permitted range.
pub(super) fn one_sided_geometric(scale: &Rational, rng: &mut dyn CryptoRng) -> Result<i64> {
    check::scale("scale", scale)?;
    Ok(saturate(&IBig::from(geometric(scale.numerator(), scale.denominator(), rng))))
}

/// One draw of the discrete Gaussian law P(x) ∝ exp(−x² / 2σ²).
///
/// # Errors
/// σ lies outside the permitted range.
pub(super) fn discrete_gaussian(sigma: &Rational, rng: &mut dyn CryptoRng) -> Result<i64> {
    check::scale("sigma", sigma)?;
    let (n, d) = (sigma.numerator(), sigma.denominator());
    let t = n / d + 1_u8;
    // (|y| − σ²/t)² / 2σ² = (|y| d² t − n²)² / (2 n² d² t²)
    let square = n * n;
    let denominator = UBig::from(2_u8) * &square * d * d * &t * &t;
    loop {
        let y = laplace(&t, &UBig::ONE, rng);
        let distance = IBig::from(magnitude(&y) * d * d * &t) - IBig::from(square.clone());
        let distance = magnitude(&distance);
        if coin_exp(&(&distance * &distance), &denominator, rng) {
            return Ok(saturate(&y));
        }
    }
}

/// One draw of the nearest integer to a normal variable of mean 0 and standard deviation σ.
///
/// # Errors
/// σ lies outside the permitted range.
pub(super) fn rounded_gaussian(sigma: &Rational, rng: &mut dyn CryptoRng) -> Result<i64> {
    check::scale("sigma", sigma)?;
    let (whole, mut fraction, negative) = normal(rng);
    loop {
        // σ (whole + fraction) + ½ in half-open bounds.
        let (digits, bits) = fraction.digits();
        let position = (UBig::from(whole) << bits) + digits;
        let denominator = (sigma.denominator() * UBig::from(2_u8)) << bits;
        let twice = |position: UBig| position * sigma.numerator() * 2_u8 + (sigma.denominator() << bits);
        let low = twice(position.clone()) / &denominator;
        let high = (twice(position + 1_u8) - 1_u8) / &denominator;
        if low == high {
            let value = IBig::from(low);
            return Ok(saturate(&if negative { -value } else { value }));
        }
        fraction.extend(rng);
    }
}

/// A uniform number of [0, 1), as many of its binary digits as were asked for.
#[derive(Debug, Default)]
pub(super) struct Uniform {
    words: Vec<u64>,
}

impl Uniform {
    /// Draws the next 64 digits.
    pub(super) fn extend(&mut self, rng: &mut dyn CryptoRng) {
        self.words.push(rng.next_u64());
    }

    /// The digits drawn as an integer, and how many they are.
    pub(super) fn digits(&self) -> (UBig, usize) {
        (self.words.iter().fold(UBig::ZERO, |sum, word| (sum << 64) + *word), 64 * self.words.len())
    }

    fn word(&mut self, index: usize, rng: &mut dyn CryptoRng) -> u64 {
        while self.words.len() <= index {
            self.extend(rng);
        }
        self.words[index]
    }

    fn is_below(&mut self, other: &mut Self, rng: &mut dyn CryptoRng) -> bool {
        let mut index = 0;
        loop {
            match self.word(index, rng).cmp(&other.word(index, rng)) {
                Ordering::Less => return true,
                Ordering::Greater => return false,
                Ordering::Equal => index += 1,
            }
        }
    }
}

/// Karney's Algorithm N: a standard normal variable as (⌊|z|⌋, |z| − ⌊|z|⌋, z < 0).
fn normal(rng: &mut dyn CryptoRng) -> (u64, Uniform, bool) {
    loop {
        // k with probability exp(−k/2) (1 − exp(−1/2)), kept with probability exp(−k (k − 1) / 2).
        let mut k = 0;
        while half(rng) {
            k += 1;
        }
        if !(0..k * u64::saturating_sub(k, 1)).all(|_| half(rng)) {
            continue;
        }
        // x uniform, kept with probability exp(−x (2k + x) / 2).
        let mut x = Uniform::default();
        if (0..=k).all(|_| keep(k, &mut x, rng)) {
            return (k, x, rng.next_u64() & 1 == 1);
        }
    }
}

/// True with probability exp(−1/2).
fn half(rng: &mut dyn CryptoRng) -> bool {
    coin_exp(&UBig::ONE, &UBig::from(2_u8), rng)
}

/// Karney's Algorithm B: true with probability exp(−x (2k + x) / (2k + 2)), by the length of a falling run.
fn keep(k: u64, x: &mut Uniform, rng: &mut dyn CryptoRng) -> bool {
    let mut run = 0_u64;
    let mut last: Option<Uniform> = None;
    loop {
        let mut z = Uniform::default();
        let falls = match &mut last {
            None => z.is_below(x, rng),
            Some(last) => z.is_below(last, rng),
        };
        // With probability (2k + x) / (2k + 2): 2k cases of 2k + 2, and x of one more.
        let goes_on = falls
            && match below_word(2 * k + 2, rng) {
                0 => false,
                1 => Uniform::default().is_below(x, rng),
                _ => true,
            };
        if !goes_on {
            return run.is_multiple_of(2);
        }
        (last, run) = (Some(z), run + 1);
    }
}

/// Algorithm 2 of Canonne, Kamath and Steinke: scale `t` / `s`.
fn laplace(t: &UBig, s: &UBig, rng: &mut dyn CryptoRng) -> IBig {
    loop {
        let value = IBig::from(geometric(t, s, rng));
        match (rng.next_u64() & 1 == 1, value.is_zero()) {
            (true, true) => {}
            (true, false) => return -value,
            (false, _) => return value,
        }
    }
}

/// P(x) ∝ exp(−x s / t) on x ≥ 0.
pub(super) fn geometric(t: &UBig, s: &UBig, rng: &mut dyn CryptoRng) -> UBig {
    loop {
        let u = below(t, rng);
        if !coin_exp(&u, t, rng) {
            continue;
        }
        let mut v = UBig::ZERO;
        while coin_exp(&UBig::ONE, &UBig::ONE, rng) {
            v += 1_u8;
        }
        return (u + t * v) / s;
    }
}

/// Algorithm 1: true with probability exp(−numerator / denominator).
pub(super) fn coin_exp(numerator: &UBig, denominator: &UBig, rng: &mut dyn CryptoRng) -> bool {
    if numerator > denominator {
        let (whole, rest) = numerator.div_rem(denominator);
        let mut index = UBig::ZERO;
        while index < whole {
            if !coin_exp(&UBig::ONE, &UBig::ONE, rng) {
                return false;
            }
            index += 1_u8;
        }
        return coin_exp(&rest, denominator, rng);
    }
    let mut k = 1_u64;
    while coin(numerator, &(denominator * k), rng) {
        k += 1;
    }
    k % 2 == 1
}

/// True with probability numerator / denominator ≤ 1.
pub(super) fn coin(numerator: &UBig, denominator: &UBig, rng: &mut dyn CryptoRng) -> bool {
    below(denominator, rng) < *numerator
}

/// A uniform integer below `bound` ≥ 1: as many bits as it has, drawn again until they are below.
fn below(bound: &UBig, rng: &mut dyn CryptoRng) -> UBig {
    if let Ok(bound) = u64::try_from(bound) {
        return UBig::from(below_word(bound, rng));
    }
    let bits = bound.bit_len();
    loop {
        let mut draw = (0..bits.div_ceil(64)).fold(UBig::ZERO, |sum, _| (sum << 64) + rng.next_u64());
        draw.clear_high_bits(bits);
        if draw < *bound {
            return draw;
        }
    }
}

fn below_word(bound: u64, rng: &mut dyn CryptoRng) -> u64 {
    let mask = u64::MAX.checked_shr((bound - 1).leading_zeros()).unwrap_or(0);
    loop {
        let draw = rng.next_u64() & mask;
        if draw < bound {
            return draw;
        }
    }
}

fn magnitude(value: &IBig) -> UBig {
    value.clone().into_parts().1
}

fn saturate(value: &IBig) -> i64 {
    let limit = if value < &IBig::ZERO { i64::MIN } else { i64::MAX };
    i64::try_from(value.clone()).unwrap_or(limit)
}
