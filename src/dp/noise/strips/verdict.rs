//! The acceptance test beyond the first word: fixed point first, then any precision.

use super::super::enclosure::{divide_up, exp_neg};
use super::super::exact::geometric;
use super::build::{fall, slope};
use super::{BUILD_BITS, CONSTANT_BITS, Decay, FIXED_BITS, POSITION_BITS, Proposal, Strips, Support};
use dashu_int::UBig;
use rand::CryptoRng;

/// A number of [0, 1) by its first binary digits: known · 2^−bits, and what is not yet known behind them.
#[derive(Debug, Clone)]
pub(super) struct Digits {
    pub(super) known: UBig,
    pub(super) bits: usize,
    /// There are no more digits: the number is known.
    pub(super) complete: bool,
}

impl Digits {
    fn extend(&mut self, rng: &mut dyn CryptoRng) {
        if !self.complete {
            self.known = (std::mem::take(&mut self.known) << 64) + rng.next_u64();
            self.bits += 64;
        }
    }
}

/// Where a proposal lies.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Strip(usize),
    /// So many strips behind the first strip of the tail.
    Tail(UBig),
}

impl<const WORD: u32, const CELL: u32, const LOW: u32> Strips<WORD, CELL, LOW> {
    /// Accepts a proposal and gives its draw, or refuses it.
    pub(super) fn judge(&self, proposal: &Proposal, rng: &mut dyn CryptoRng) -> Option<i64> {
        if proposal.strip == Self::TAIL {
            return self.judge_tail(proposal, rng);
        }
        let Proposal { strip, negative, offset, test } = *proposal;
        if self.refuses_minus_zero() && negative && strip == 0 && offset == 0 {
            return None;
        }
        let accepted = test < self.quick[strip] || {
            // V and, of a real number, the position go on with 64 digits more each.
            let test = u128::from(test) << 64 | u128::from(rng.next_u64());
            let test_bits = self.test_bits() + 64;
            let more = if self.support == Support::Rounded { 64 } else { 0 };
            let offset = u128::from(offset) << more | if more == 0 { 0 } else { u128::from(rng.next_u64()) };
            let offset_bits = self.position + more;
            self.verdict_fixed(strip, first_digits(offset, offset_bits, POSITION_BITS), first_digits(test, test_bits, FIXED_BITS))
                .unwrap_or_else(|| {
                    let mut position = Digits { known: UBig::from(offset), bits: offset_bits as usize, complete: more == 0 };
                    let mut test = Digits { known: UBig::from(test), bits: test_bits as usize, complete: false };
                    self.decide(&Place::Strip(strip), &mut position, &mut test, rng)
                })
        };
        accepted.then(|| self.value(strip as u64, offset, negative))
    }

    fn judge_tail(&self, proposal: &Proposal, rng: &mut dyn CryptoRng) -> Option<i64> {
        let slope = slope(self.decay, &self.rate, Self::TAIL);
        // P(j) ∝ exp(−slope · j): the scale is 1 / slope.
        let behind = geometric(slope.denominator(), slope.numerator(), rng);
        let strip = u64::try_from(&behind).ok().and_then(|behind| behind.checked_add(Self::TAIL as u64)).unwrap_or(u64::MAX);
        let mut position =
            Digits { known: UBig::from(proposal.offset), bits: self.position as usize, complete: self.support != Support::Rounded };
        let mut test = Digits { known: UBig::ZERO, bits: 0, complete: false };
        test.extend(rng);
        self.decide(&Place::Tail(behind), &mut position, &mut test, rng).then(|| self.value(strip, proposal.offset, proposal.negative))
    }

    /// Whether V < r, with as many digits as that takes.
    fn decide(&self, place: &Place, position: &mut Digits, test: &mut Digits, rng: &mut dyn CryptoRng) -> bool {
        let mut precision = 128;
        loop {
            if let Some(verdict) = self.verdict(place, position, test, precision) {
                return verdict;
            }
            test.extend(rng);
            position.extend(rng);
            precision += 64;
        }
    }

    /// The second test: V in [test, test + 1) · 2^−60 against r in the strip at [position, position + 1) · 2^−50. `None` if the two may overlap.
    ///
    /// r = edge · exp(−d) with d = rate · u or rate · u (2h + u), where h is the strip and u the position in it, and d ≤ 1.
    /// All errors together are below `slack` units: see `docs/exactness.md`.
    pub(super) fn verdict_fixed(&self, strip: usize, position: u64, test: u64) -> Option<bool> {
        let (lower, upper) = self.edge[strip];
        let distance = self.distance(strip, position);
        let factor = if distance == 0 { 1 << FIXED_BITS } else { exp_neg_fixed(distance) };
        let product = |edge: u64| (u128::from(edge) * u128::from(factor)) >> FIXED_BITS;
        if u128::from(test) + 1 + u128::from(self.slack) <= product(lower) {
            return Some(true);
        }
        if u128::from(test) >= product(upper) + u128::from(self.slack) {
            return Some(false);
        }
        None
    }

    /// d in units of 2^−60.
    fn distance(&self, strip: usize, position: u64) -> u64 {
        let u = u128::from(position);
        let squared = match self.decay {
            // u · 2^60
            Decay::Exponential => u << (FIXED_BITS - POSITION_BITS),
            // u (2h + u) · 2^100, then · 2^60
            Decay::Gaussian => (u * (((2 * strip as u128) << POSITION_BITS) + u)) >> (2 * POSITION_BITS - FIXED_BITS),
        };
        u64::try_from((squared * u128::from(self.fixed_rate)) >> 64).unwrap_or(u64::MAX)
    }

    /// The last test, with bounds of r in units of 2^−`precision`.
    pub(super) fn verdict(&self, place: &Place, position: &Digits, test: &Digits, precision: usize) -> Option<bool> {
        let (lower, upper) = self.ratio(place, position, precision);
        // V lies in [known, known + 1) · 2^−bits.
        if (&test.known + 1_u8) << precision <= lower << test.bits {
            return Some(true);
        }
        if &test.known << precision >= upper << test.bits {
            return Some(false);
        }
        None
    }

    /// Certified bounds of r over all positions that have these digits.
    pub(super) fn ratio(&self, place: &Place, position: &Digits, precision: usize) -> (UBig, UBig) {
        let exponent = |u: UBig| {
            let h = |strip: UBig| (strip << position.bits) + &u;
            let numerator = match (self.decay, place) {
                (Decay::Exponential, Place::Strip(strip)) => h(UBig::from(*strip)),
                (Decay::Exponential, Place::Tail(_)) => h(UBig::from(Self::TAIL)),
                (Decay::Gaussian, Place::Strip(strip)) => h(UBig::from(*strip)).sqr(),
                // (m + j + u)² − 2mj, without a difference: m² + j² + u² + 2 (m + j) u
                (Decay::Gaussian, Place::Tail(behind)) => {
                    let (tail, all) = (UBig::from(Self::TAIL), UBig::from(Self::TAIL) + behind);
                    ((tail.sqr() + behind.sqr()) << (2 * position.bits)) + u.sqr() + ((all * &u) << (position.bits + 1))
                }
            };
            let scale = match self.decay {
                Decay::Exponential => position.bits,
                Decay::Gaussian => 2 * position.bits,
            };
            exp_neg(&(numerator * self.rate.numerator()), &(self.rate.denominator() << scale), precision)
        };
        let upper = exponent(position.known.clone()).upper;
        let lower = if position.complete { exponent(position.known.clone()).lower } else { exponent(&position.known + 1_u8).lower };
        // c · weight, for the tail times 1 − exp(−slope); halved density for a zero that is a strip of its own.
        let (numerator, denominators) = match place {
            Place::Strip(strip) => {
                let halved = usize::from(self.halves_zero && *strip == 0);
                let weight = (&self.constant * UBig::from(self.weights[*strip])) << halved;
                (CONSTANT_BITS, (weight.clone(), weight))
            }
            Place::Tail(_) => {
                let behind = fall(self.decay, &self.rate, Self::TAIL).complement(BUILD_BITS);
                let weight = &self.constant * UBig::from(self.weights[Self::TAIL]);
                (CONSTANT_BITS + BUILD_BITS, (&weight * behind.lower, weight * behind.upper))
            }
        };
        ((lower << numerator) / denominators.1, divide_up(&(upper << numerator), &denominators.0))
    }
}

/// The first `wanted` of `bits` digits, with zeros behind where there are fewer.
fn first_digits(digits: u128, bits: u32, wanted: u32) -> u64 {
    let shifted = if bits >= wanted { digits >> (bits - wanted) } else { digits << (wanted - bits) };
    u64::try_from(shifted).unwrap_or(u64::MAX)
}

/// exp(−d) in units of 2^−60 for d ≤ 1 in the same units, to within 16 units: 1 − d (1 − d/2 (1 − d/3 (…))).
pub(super) fn exp_neg_fixed(distance: u64) -> u64 {
    const ONE: u64 = 1 << FIXED_BITS;
    let mut value = ONE;
    for term in (1..=20_u64).rev() {
        let product = (u128::from(distance) * u128::from(value)) >> FIXED_BITS;
        value = ONE.saturating_sub(u64::try_from(product).unwrap_or(ONE) / term);
    }
    value
}
