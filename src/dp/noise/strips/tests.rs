//! The law of small samplers, computed completely: every word, every branch, against a second way to compute the density.
//!
//! Nothing here is statistical. [`law`] returns the first disagreement; the broken variants at the end must have one.

#![expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "small numbers of tests; the law is one list"
)]

use super::super::enclosure::tests::exp_neg_by_powers;
use super::verdict::{Digits, Place, exp_neg_fixed};
use super::*;
use crate::dp::rational::Rational;
use dashu_int::ops::BitTest;
use rand::rand_core::TryRng;
use rand::{CryptoRng, SeedableRng, TryCryptoRng, rngs::ChaCha12Rng};
use std::collections::HashMap;
use std::convert::Infallible;

/// 8 strips with the tail, 8 + 9 bits in a word: 131,072 proposals.
type Tiny = Strips<8, 3, 9>;
/// 16 strips, 6 + 10 bits in a word: hardly more weight than strips.
type Small = Strips<6, 4, 10>;

const PRECISION: usize = 160;

/// A generator that says what it is told, and then zeros.
struct Script(Vec<u64>);

impl TryRng for Script {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.pop().unwrap_or(0))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for Script {}

fn rational(text: &str) -> Rational {
    text.parse().unwrap()
}

/// Bounds of f(y) = exp(−y / scale) or exp(−y² / 2 scale²) for y = numerator / denominator, by powers of (1 ± x): not the way of the sampler, not its strips, not its rate.
fn density(decay: Decay, scale: &Rational, numerator: &UBig, denominator: &UBig) -> (UBig, UBig) {
    let (n, d) = (numerator * scale.denominator(), denominator * scale.numerator());
    let (n, d) = match decay {
        Decay::Exponential => (n, d),
        Decay::Gaussian => (n.sqr(), d.sqr() * 2_u8),
    };
    exp_neg_by_powers(&n, &d, PRECISION)
}

/// Bounds of r = f(y) / (c · share) in units of 2^−`PRECISION`, with y in units of 2^−`fraction`. Certified bounds, about 2^−55 of the value apart.
fn oracle<const W: u32, const C: u32, const L: u32>(
    strips: &Strips<W, C, L>,
    scale: &Rational,
    y: &UBig,
    fraction: i32,
    weight: u64,
    halved: bool,
) -> (UBig, UBig) {
    let shift = fraction.unsigned_abs() as usize;
    let (numerator, denominator) = if fraction >= 0 { (y.clone(), UBig::ONE << shift) } else { (y << shift, UBig::ONE) };
    let (lower, upper) = density(strips.decay, scale, &numerator, &denominator);
    let whole = (&strips.constant * UBig::from(weight)) << usize::from(halved);
    ((lower << CONSTANT_BITS) / &whole, (upper << CONSTANT_BITS) / whole + 1_u8)
}

/// Whether two intervals overlap.
fn overlap(a: &(UBig, UBig), b: &(UBig, UBig)) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

/// Checks everything from which the law follows.
fn law<const W: u32, const C: u32, const L: u32>(strips: &Strips<W, C, L>, scale: &Rational) -> Result<(), String> {
    let tail = (1_usize << C) - 1;
    if strips.weights.iter().sum::<u64>() != 1 << W || strips.is_wide() {
        return Err("the weights do not add up, or the test is made for one word".into());
    }
    // 1. Every (strip, position, sign, V) comes from as many words as the strip weighs.
    let mut seen: HashMap<(usize, u64, bool, u32), u64> = HashMap::new();
    for word in 0..1_u64 << (W + L) {
        let proposal = strips.parse(word, word);
        *seen.entry((proposal.strip, proposal.offset, proposal.negative, proposal.test)).or_default() += 1;
    }
    let signs = if strips.is_signed() { 2 } else { 1 };
    if seen.len() != (tail + 1) * (signs << (strips.position + strips.test_bits())) {
        return Err("not every proposal occurs".into());
    }
    if let Some((proposal, _)) = seen.iter().find(|(proposal, count)| **count != strips.weights[proposal.0] * (2 / signs as u64)) {
        return Err(format!("the weight of strip {} is not what it says", proposal.0));
    }
    // The width divides the unit of the draw: 2^width · 2^−position is the unit of positions.
    let unit = strips.position as i32 - strips.width;
    let bits = strips.test_bits() as usize;
    for strip in 0..tail {
        for offset in 0..1_u64 << strips.position {
            let y = UBig::from(((strip as u64) << strips.position) | offset);
            let halved = strips.halves_zero && strip == 0;
            // 2. The ratio is the density over c and the weight, and at most 1.
            let position = |known: u64, bits: u32| Digits {
                known: UBig::from(known),
                bits: bits as usize,
                complete: strips.support != Support::Rounded,
            };
            let place = Place::Strip(strip);
            let at_edge = oracle(strips, scale, &y, unit, strips.weights[strip], halved);
            let (lower, upper) = strips.ratio(&place, &position(offset, strips.position), PRECISION);
            let next = oracle(strips, scale, &(&y + 1_u8), unit, strips.weights[strip], halved);
            let agrees = if strips.support == Support::Rounded {
                // The bounds are those of both ends of the known digits.
                overlap(&(lower.clone(), &lower + 4_u8), &next) && overlap(&(upper.clone(), upper.clone()), &at_edge)
            } else {
                overlap(&(lower.clone(), upper.clone()), &at_edge)
            };
            if !agrees {
                return Err(format!("the ratio in strip {strip} is not the density"));
            }
            if at_edge.0 > UBig::ONE << PRECISION {
                return Err(format!("the ratio in strip {strip} is above 1"));
            }
            // 3. The draw is the nearest integer of every y that begins with these digits.
            let half_up =
                |y: &UBig| if unit >= 0 { ((y << 1) + (UBig::ONE << unit as usize)) >> (unit as usize + 1) } else { y << (-unit) as usize };
            let size = i64::try_from(half_up(&y)).unwrap();
            let inside = if strips.support == Support::Rounded {
                // The last of 2^20 finer positions.
                let fine = unit as usize + 20;
                i64::try_from((((((&y + 1_u8) << 20) - 1_u8) << 1) + (UBig::ONE << fine)) >> (fine + 1)).unwrap()
            } else {
                size
            };
            if (strips.value(strip as u64, offset, false), strips.value(strip as u64, offset, true)) != (size, -size) || inside != size {
                return Err(format!("a draw of strip {strip} is not the nearest integer"));
            }
            // 4. Every V ends as it must, by the word, by 60 digits or by more.
            let further = [0, 1 << 63, u64::MAX, 0x1234_5678_9abc_def0];
            let ratios = further.map(|more: u64| {
                let (y, unit) =
                    if strips.support == Support::Rounded { ((&y << 64) + more.rotate_left(17), unit + 64) } else { (y.clone(), unit) };
                oracle(strips, scale, &y, unit, strips.weights[strip], halved)
            });
            for test in 0..1_u32 << bits {
                for negative in [false, true] {
                    let proposal = Proposal { strip, negative, offset, test };
                    let quick = test < strips.quick[strip];
                    if quick && (UBig::from(test + 1) << PRECISION) > &lower << bits {
                        return Err(format!("a word is accepted too soon in strip {strip}"));
                    }
                    let minus_zero = strips.support == Support::Integers && !strips.halves_zero && negative && y.is_zero();
                    for (more, ratio) in further.iter().zip(&ratios) {
                        // V first, then (of a real number) the position; a script is read from its end.
                        let accepted = strips.judge(&proposal, &mut Script(vec![more.rotate_left(17), *more])).is_some();
                        let expected = match compare(ratio, &((UBig::from(test) << 64) + *more), bits + 64) {
                            _ if minus_zero => false,
                            _ if quick => true,
                            Some(expected) => expected,
                            // Not to be told with the digits of the oracle.
                            None => continue,
                        };
                        if accepted != expected {
                            return Err(format!("a draw of strip {strip} ends wrongly"));
                        }
                    }
                }
            }
        }
    }
    // 5. The tail: a geometric number of strips, so that w (1 − a) a^j r = f / c.
    for behind in 0..12_u64 {
        for offset in 0..1_u64 << strips.position {
            let position = Digits { known: UBig::from(offset), bits: strips.position as usize, complete: true };
            let (lower, upper) = strips.ratio(&Place::Tail(UBig::from(behind)), &position, PRECISION);
            let slope = super::build::slope(strips.decay, &strips.rate, tail);
            let power = exp_neg_by_powers(&(slope.numerator() * behind), slope.denominator(), PRECISION);
            let once = exp_neg_by_powers(slope.numerator(), slope.denominator(), PRECISION);
            let unity = UBig::ONE << PRECISION;
            let product = |ratio: UBig, power: UBig, rest: UBig| (ratio * power * rest) >> (2 * PRECISION);
            let mine = (product(lower, power.0, &unity - once.1), product(upper.clone(), power.1, &unity - once.0) + 1_u8);
            let y = UBig::from(((tail as u64 + behind) << strips.position) | offset);
            if !overlap(&mine, &oracle(strips, scale, &y, unit, strips.weights[tail], false)) {
                return Err("the tail is not the density".into());
            }
            if upper > unity + 4_u8 {
                return Err("the ratio in the tail is above 1".into());
            }
        }
    }
    Ok(())
}

/// V < r for the V that begins with these digits. `None` if the bounds do not tell.
fn compare((lower, upper): &(UBig, UBig), v: &UBig, bits: usize) -> Option<bool> {
    if (v + 1_u8) << PRECISION <= lower << bits {
        return Some(true);
    }
    (v << PRECISION >= upper << bits).then_some(false)
}

fn laws_of_small_samplers() -> Vec<(Tiny, Rational)> {
    use {Decay::*, Support::*};
    [
        (Exponential, Integers, "0.3", 1),
        (Exponential, Integers, "1", 1),
        (Exponential, Integers, "3.7", 5),
        (Exponential, Integers, "10", 1),
        (Exponential, Naturals, "2/3", 1),
        (Exponential, Naturals, "11", 2),
        (Gaussian, Integers, "0.3", 2),
        (Gaussian, Integers, "1", 2),
        (Gaussian, Integers, "2.5", 6),
        (Gaussian, Integers, "10", 2),
        (Gaussian, Integers, "34/3", 2),
        (Gaussian, Rounded, "0.3", 2),
        (Gaussian, Rounded, "1", 2),
        (Gaussian, Rounded, "5.5", 2),
        (Gaussian, Rounded, "0.01", 2),
    ]
    .into_iter()
    .map(|(decay, support, scale, fineness)| (Tiny::new(decay, support, &rational(scale), fineness), rational(scale)))
    .collect()
}

#[test]
fn the_law_of_small_samplers_is_exact() {
    for (sampler, scale) in laws_of_small_samplers() {
        assert_eq!(law(&sampler, &scale), Ok(()), "{sampler:?} {scale}");
    }
    let sampler = Small::new(Decay::Gaussian, Support::Integers, &rational("7"), 2);
    assert_eq!(law(&sampler, &rational("7")), Ok(()));
}

#[test]
fn the_law_is_exact_at_any_scale() {
    let mut rng = ChaCha12Rng::seed_from_u64(11);
    for index in 0..12_u64 {
        // Scales between 1/4 and 8, where the tiny words hold every position.
        let denominator = (rand::Rng::next_u64(&mut rng) >> 40) + 1;
        let scale =
            Rational::from_ratio(denominator + (rand::Rng::next_u64(&mut rng) >> 40) % (denominator * 31), 4 * denominator).unwrap();
        let (decay, support, fineness) = match index % 4 {
            0 => (Decay::Exponential, Support::Integers, 1),
            1 => (Decay::Exponential, Support::Naturals, 2),
            2 => (Decay::Gaussian, Support::Integers, 2),
            _ => (Decay::Gaussian, Support::Rounded, 2),
        };
        assert_eq!(law(&Tiny::new(decay, support, &scale, fineness), &scale), Ok(()), "{decay:?} {support:?} {scale}");
    }
}

#[test]
fn it_stays_exact_where_fixed_point_decides_nothing() {
    // With a huge slack every draw goes on to the bounds of any precision.
    for (mut sampler, scale) in laws_of_small_samplers().into_iter().step_by(3) {
        sampler.slack = 1 << 62;
        assert_eq!(law(&sampler, &scale), Ok(()), "{sampler:?} {scale}");
    }
}

#[test]
fn broken_variants_are_caught() {
    type Breaker = fn(&mut Tiny);
    let breakers: [(&str, Breaker); 9] = [
        ("a threshold of the first test one too high", |s| s.quick[2] = ((u64::from(s.quick[2]) + 1).min(1 << s.test_bits())) as u32),
        ("the undecided branch dropped", |s| s.quick[1] = 1 << s.test_bits()),
        ("a cut of the alias table one too high", |s| {
            let cell = s.cells.iter().position(|cell| cell.cut > 0 && cell.cut < 32).unwrap();
            s.cells[cell].cut += 1;
        }),
        ("a weight that is not the one drawn", |s| s.weights[3] += 1),
        ("the constant halved", |s| s.constant = &s.constant >> 1),
        ("an edge of the second test too high", |s| s.edge[2] = (s.edge[2].1 + (1 << 56), s.edge[2].1 + (1 << 56))),
        ("half the rate", |s| s.rate = s.rate.times_power_of_two(-1)),
        ("the other treatment of zero", |s| s.halves_zero = !s.halves_zero),
        ("the rate of the second test doubled", |s| {
            s.fixed_rate = s.fixed_rate.saturating_mul(2);
            s.slack = 0;
        }),
    ];
    for (what, breaker) in breakers {
        let caught = laws_of_small_samplers().into_iter().filter_map(|(mut sampler, scale)| {
            if what == "a cut of the alias table one too high" && !sampler.cells.iter().any(|cell| cell.cut > 0 && cell.cut < 32) {
                return None;
            }
            breaker(&mut sampler);
            Some(law(&sampler, &scale).is_err())
        });
        let caught: Vec<bool> = caught.collect();
        assert!(caught.iter().filter(|caught| **caught).count() >= 2, "{what}: {caught:?}");
    }
    // Another scale than the one that was asked for.
    assert!(law(&Tiny::new(Decay::Exponential, Support::Integers, &rational("3"), 1), &rational("1.5")).is_err());
}

#[test]
fn the_sampler_in_use_is_certified_in_every_strip() {
    for (decay, support, scale, fineness) in [
        (Decay::Exponential, Support::Integers, "0.3", 6),
        (Decay::Exponential, Support::Integers, "1000", 6),
        (Decay::Exponential, Support::Naturals, "1e12", 6),
        (Decay::Gaussian, Support::Integers, "1", 7),
        (Decay::Gaussian, Support::Integers, "1e6", 7),
        (Decay::Gaussian, Support::Rounded, "0.000001", 7),
        (Decay::Gaussian, Support::Rounded, "123.456", 7),
        (Decay::Gaussian, Support::Rounded, "1125899906842624", 7),
    ] {
        let scale = rational(scale);
        let sampler = Sampler::new(decay, support, &scale, fineness);
        let unit = sampler.position as i32 - sampler.width;
        let bits = sampler.test_bits() as usize;
        for strip in (0..Sampler::TAIL).step_by(13).chain([0, 1, 2, 3, 1000, Sampler::TAIL - 1]) {
            let halved = sampler.halves_zero && strip == 0;
            let y = UBig::from(strip) << sampler.position as usize;
            let edge = oracle(&sampler, &scale, &y, unit, sampler.weights[strip], halved);
            let last = if sampler.position == 0 && support != Support::Rounded {
                y.clone()
            } else {
                &y + (UBig::ONE << sampler.position as usize)
            };
            let last = oracle(&sampler, &scale, &last, unit, sampler.weights[strip], halved);
            assert!(edge.0 <= UBig::ONE << PRECISION, "{scale} {strip}");
            // The oracle loses about 2^−50 of a value; a word has at most 32 digits.
            assert!(UBig::from(sampler.quick[strip]) << PRECISION <= (&last.1 + (&last.1 >> 50)) << bits, "{scale} {strip}");
            let (lower, upper) = sampler.edge[strip];
            let doubt = (&edge.1 >> 45) + 1_u8;
            assert!(
                UBig::from(lower) << (PRECISION - 60) <= &edge.1 + &doubt
                    && UBig::from(upper) << (PRECISION - 60) >= &edge.0 - doubt.min(edge.0.clone())
            );
            assert!(upper - lower <= 2);
        }
    }
}

#[test]
fn blocks_do_what_single_proposals_do() {
    // The same words through the loop and one by one; whatever is open takes its further words from the same place.
    for (decay, support, scale) in [
        (Decay::Exponential, Support::Integers, "5"),
        (Decay::Exponential, Support::Integers, "700"),
        (Decay::Gaussian, Support::Integers, "1e9"),
        (Decay::Gaussian, Support::Rounded, "40"),
        (Decay::Gaussian, Support::Rounded, "4e5"),
    ] {
        let sampler = Sampler::new(decay, support, &rational(scale), 6);
        for length in [0, 1, 511, 512, 513, 3_000] {
            let mut out = vec![0; length];
            sampler.fill(&mut ChaCha12Rng::seed_from_u64(5), &mut out);
            let mut rng = ChaCha12Rng::seed_from_u64(5);
            let mut expected = Vec::new();
            let words = if sampler.is_wide() { 2 } else { 1 };
            for start in (0..length).step_by(512) {
                let count = 512.min(length - start);
                let mut bytes = vec![0; 8 * words * count];
                rand::Rng::fill_bytes(&mut rng, &mut bytes);
                let word = |at: usize| u64::from_le_bytes(bytes[8 * at..8 * at + 8].try_into().unwrap());
                for index in 0..count {
                    let mut proposal = sampler.parse(word(words * index), word(words * index + words - 1));
                    expected.push(loop {
                        let quick = proposal.test < sampler.quick[proposal.strip];
                        let zero = sampler.refuses_minus_zero() && proposal.negative && proposal.strip == 0 && proposal.offset == 0;
                        let draw = if quick && !zero {
                            Some(sampler.value(proposal.strip as u64, proposal.offset, proposal.negative))
                        } else {
                            sampler.judge(&proposal, &mut rng)
                        };
                        if let Some(draw) = draw {
                            break draw;
                        }
                        let first = rand::Rng::next_u64(&mut rng);
                        let second = if words == 2 { rand::Rng::next_u64(&mut rng) } else { first };
                        proposal = sampler.parse(first, second);
                    });
                }
            }
            assert_eq!(out, expected, "{scale} {length}");
        }
    }
}

#[test]
fn fixed_point_exponential_is_near_enough() {
    let mut rng = ChaCha12Rng::seed_from_u64(3);
    for index in 0..5_000_u64 {
        let distance = match index {
            0 => 0,
            1 => 1 << 60,
            _ => rand::Rng::next_u64(&mut rng) >> 4,
        };
        let exact = super::super::enclosure::exp_neg(&UBig::from(distance), &(UBig::ONE << 60), 60);
        let got = UBig::from(exp_neg_fixed(distance));
        assert!(&got + 16_u8 >= exact.lower && got <= exact.upper + 16_u8, "{distance}");
    }
}

#[test]
fn the_second_test_is_never_wrong() {
    // Wherever it decides, the bounds of any precision decide alike.
    let mut rng = ChaCha12Rng::seed_from_u64(4);
    for (decay, support, scale) in [
        (Decay::Exponential, Support::Integers, "123456"),
        (Decay::Gaussian, Support::Integers, "98765.4321"),
        (Decay::Gaussian, Support::Rounded, "0.77"),
        (Decay::Gaussian, Support::Rounded, "1e15"),
    ] {
        let fineness = if decay == Decay::Gaussian { 7 } else { 6 };
        let sampler = Sampler::new(decay, support, &rational(scale), fineness);
        let mut decided = 0;
        for _ in 0..2_000 {
            let word = rand::Rng::next_u64(&mut rng);
            let strip = (word % 1500) as usize;
            let complete = support != Support::Rounded;
            let bits = if complete { sampler.position } else { POSITION_BITS };
            let position = word >> 11 >> (53 - bits);
            let digits = Digits { known: UBig::from(position), bits: bits as usize, complete };
            let exact = sampler.ratio(&Place::Strip(strip), &digits, 60);
            // A V within 2^12 units of the border.
            let border = u64::try_from(exact.0.clone()).unwrap();
            let test = (border.saturating_sub(1 << 12) + (rand::Rng::next_u64(&mut rng) >> 51)).min((1 << 60) - 1);
            let v = Digits { known: UBig::from(test), bits: 60, complete: false };
            let fixed = sampler.verdict_fixed(strip, position << (POSITION_BITS - bits), test);
            let more = sampler.verdict(&Place::Strip(strip), &digits, &v, 200);
            if let Some(fixed) = fixed {
                decided += 1;
                assert_eq!(Some(fixed), more.or(Some(fixed)), "{scale} {strip}");
                assert!(more.is_some() || support == Support::Rounded);
            }
        }
        assert!(decided > 1_000);
    }
}

#[test]
fn all_bits_of_a_wide_word_are_in_their_place() {
    let sampler = Sampler::new(Decay::Exponential, Support::Integers, &rational("1e12"), 6);
    assert!(sampler.is_wide());
    let proposal = sampler.parse(0, u64::MAX);
    assert!(proposal.negative && proposal.offset.bit_len() == sampler.position as usize);
    assert!(proposal.offset == (1 << sampler.position) - 1);
    let proposal = sampler.parse(0, u64::MAX >> 1);
    assert!(!proposal.negative && proposal.offset == (1 << sampler.position) - 1);
    let mut rng: Box<dyn CryptoRng> = Box::new(ChaCha12Rng::seed_from_u64(1));
    let mut out = [0; 2_000];
    sampler.fill(&mut *rng, &mut out);
    assert!(out.iter().any(|x| x & 1 == 1) && out.iter().any(|x| *x < 0));
}
