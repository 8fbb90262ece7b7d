//! From a scale to weights, tables and certified constants: integers only.

use super::super::enclosure::{Enclosure, divide_up, exp_neg};
use super::alias;
use super::{BUILD_BITS, CONSTANT_BITS, Decay, FIXED_BITS, POSITION_BITS, Strips, Support};
use crate::dp::rational::Rational;
use dashu_int::UBig;

impl<const WORD: u32, const CELL: u32, const LOW: u32> Strips<WORD, CELL, LOW> {
    /// A sampler of density exp(−y / scale) or exp(−y² / 2 scale²). The width of the strips is the largest power of two with at least `1 << fineness` strips in a scale,
    /// but at least 1 where the draws are integers already.
    pub(in super::super) fn new(decay: Decay, support: Support, scale: &Rational, fineness: u32) -> Self {
        let wanted = scale.floor_log2().unwrap_or(0) - i64::from(fineness);
        let wanted = i32::try_from(wanted).unwrap_or(0);
        let (width, position) = match support {
            Support::Rounded => (wanted, (wanted + 1).max(0)),
            Support::Naturals | Support::Integers => (wanted.max(0), wanted.max(0)),
        };
        let step = scale.reciprocal().unwrap_or_else(|_| Rational::from(1)).times_power_of_two(width);
        let rate = match decay {
            Decay::Exponential => step,
            Decay::Gaussian => step.times(&step).times_power_of_two(-1),
        };
        let halves_zero = support == Support::Integers && width == 0;
        let density = density(decay, &rate, Self::STRIPS);
        let target = |strip: usize| {
            let mut bounds = density[strip].clone();
            if halves_zero && strip == 0 {
                bounds = Enclosure { lower: bounds.lower >> 1, upper: (bounds.upper + 1_u8) >> 1 };
            }
            bounds
        };
        // All further strips together weigh f(tail) / (1 − fall).
        let behind = fall(decay, &rate, Self::TAIL).complement(BUILD_BITS);
        let tail = divide_up(&(&density[Self::TAIL].upper << BUILD_BITS), &behind.lower);
        let wanted: Vec<UBig> = (0..Self::TAIL).map(|strip| target(strip).upper).chain([tail]).collect();
        let weights = weights::<WORD>(&wanted);
        let constant = wanted
            .iter()
            .zip(&weights)
            .map(|(wanted, &weight)| divide_up(wanted, &(UBig::from(weight) << (BUILD_BITS - CONSTANT_BITS))))
            .max()
            .unwrap_or(UBig::ONE);

        let mut strips = Self {
            decay,
            support,
            fixed_rate: u64::try_from((rate.numerator() << 64_usize) / rate.denominator()).unwrap_or(u64::MAX),
            rate,
            width,
            position: position.unsigned_abs(),
            halves_zero,
            cells: alias::table(&weights, 1 << (WORD - CELL)),
            weights,
            constant,
            quick: Box::default(),
            edge: Box::default(),
            slack: 1 << (FIXED_BITS - POSITION_BITS),
        };
        // Integers that are strips of their own have one density; elsewhere it is lowest at the upper edge.
        let last =
            |strip: usize| if width == 0 && support != Support::Rounded { target(strip).lower } else { density[strip + 1].lower.clone() };
        let bits = strips.test_bits() as usize;
        strips.quick = (0..Self::STRIPS)
            .map(
                |strip| {
                    if strip == Self::TAIL { 0 } else { u32::try_from(strips.ratio_down(&last(strip), strip, bits)).unwrap_or(u32::MAX) }
                },
            )
            .collect();
        strips.edge = (0..Self::STRIPS)
            .map(|strip| {
                let bounds = target(strip);
                let lower = strips.ratio_down(&bounds.lower, strip, FIXED_BITS as usize);
                let upper = strips.ratio_down(&bounds.upper, strip, FIXED_BITS as usize) + 1_u8;
                let one = UBig::ONE << FIXED_BITS as usize;
                (u64::try_from(lower.min(one.clone())).unwrap_or(0), u64::try_from(upper.min(one)).unwrap_or(1 << FIXED_BITS))
            })
            .collect();
        strips
    }

    /// ⌊value / (c · weight) · 2^bits⌋ for a value in units of 2^−`BUILD_BITS`.
    fn ratio_down(&self, value: &UBig, strip: usize, bits: usize) -> UBig {
        ((value << (bits + CONSTANT_BITS)) / (&self.constant * UBig::from(self.weights[strip]))) >> BUILD_BITS
    }
}

/// Bounds of f at the lower edge of each strip, by products from strip to strip: every product widens its interval by what it may have lost.
fn density(decay: Decay, rate: &Rational, strips: usize) -> Vec<Enclosure> {
    let mut value = Enclosure::one(BUILD_BITS);
    let mut factor = exp_neg(rate.numerator(), rate.denominator(), BUILD_BITS);
    let growth = factor.times(&factor, BUILD_BITS);
    (0..strips)
        .map(|_| {
            let here = value.clone();
            value = value.times(&factor, BUILD_BITS);
            if decay == Decay::Gaussian {
                // exp(−rate (h + 1)²) = exp(−rate h²) · exp(−rate (2h + 1))
                factor = factor.times(&growth, BUILD_BITS);
            }
            here
        })
        .collect()
}

/// The slope of φ at the lower edge of the tail: f(strip + j) ≤ f(strip) · exp(−slope · j).
pub(super) fn slope(decay: Decay, rate: &Rational, tail: usize) -> Rational {
    match decay {
        Decay::Exponential => rate.clone(),
        Decay::Gaussian => rate.times(&Rational::from(2 * tail as u64)),
    }
}

/// Bounds of exp(−slope).
pub(super) fn fall(decay: Decay, rate: &Rational, tail: usize) -> Enclosure {
    let slope = slope(decay, rate, tail);
    exp_neg(slope.numerator(), slope.denominator(), BUILD_BITS)
}

/// Integer weights ≥ 1 in the proportions that are wanted, with the sum 2^`WORD`. What is left over goes to the first strip.
fn weights<const WORD: u32>(wanted: &[UBig]) -> Vec<u64> {
    let total = UBig::ONE << WORD as usize;
    let sum: UBig = wanted.iter().sum();
    let share = &total - UBig::from(wanted.len());
    let mut weights: Vec<u64> =
        wanted.iter().map(|wanted| u64::try_from(divide_up(&(wanted * &share), &sum)).unwrap_or(1).max(1)).collect();
    weights[0] += (1_u64 << WORD) - weights.iter().sum::<u64>();
    weights
}
