//! Exact sampling at machine speed: strips of a falling density, chosen by an alias table of integers, with a certified acceptance test.
//!
//! The target is the law of |X| with density f(y) = exp(−φ(y)) up to a constant, φ rising and convex, over the integers y ≥ 0 or over the real numbers y ≥ 0 (then rounded).
//! The half-line is cut into strips of width 2^k, strip h = [2^k h, 2^k (h + 1)), and into one tail behind the last strip.
//!
//! 1. **Proposal.** Strip h with probability w(h) / 2^W for *integer* weights whose sum is 2^W, so an alias table of integers draws h from W random bits without any error.
//!    The position inside the strip is uniform: random bits as well.
//! 2. **Acceptance** with probability r = f(y) / (c · w(h)), where c is a rational constant that was computed from certified bounds so that r ≤ 1 everywhere. An accepted
//!    proposal has the law ∝ w(h) · r = f(y) / c: exactly the target, whatever the weights are. Weights decide how often one is refused, never what comes out.
//! 3. **The test** compares r with a uniform number V of which some digits are known. A draw is decided as soon as the interval of V is on one side of the interval of r. First
//!    against a word that is below r everywhere in the strip (over 98 % of draws end there), then against bounds of r in 60-bit fixed point, then against bounds of any
//!    precision. Each step goes on with *the same V and the same y* and adds digits to them: no step draws again because it could not decide.
//! 4. **The tail** is a geometric number of further strips (φ is convex, so f falls at least geometrically), drawn and accepted with integers of any length.
//!
//! The argument in full is in `docs/exactness.md`.

mod alias;
mod build;
mod fill;
#[cfg(test)]
mod tests;
mod verdict;

use crate::dp::rational::Rational;
use dashu_int::UBig;

/// How the density falls: φ in units of strips is `rate` · h or `rate` · h².
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decay {
    Exponential,
    Gaussian,
}

/// What the density is a density of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Support {
    /// The integers ≥ 0: no sign.
    Naturals,
    /// All integers, by a sign.
    Integers,
    /// All real numbers, by a sign; the draw is the nearest integer.
    Rounded,
}

/// Digits of the constant c and of the certified bounds at construction.
const CONSTANT_BITS: usize = 128;
const BUILD_BITS: usize = 192;
/// Digits of the fixed-point bounds of the second test, and of a position in a strip there.
const FIXED_BITS: u32 = 60;
const POSITION_BITS: u32 = 50;

/// A sampler: `WORD` bits choose the strip, `1 << CELL` is the number of strips with the tail, `LOW` bits of the same word are left for the sign, the position and V.
///
/// The numbers are 32, 11 and 32 in use; the tests enumerate all words of smaller samplers.
#[derive(Clone)]
pub(super) struct Strips<const WORD: u32, const CELL: u32, const LOW: u32> {
    decay: Decay,
    support: Support,
    rate: Rational,
    /// log2 of the width of a strip.
    width: i32,
    /// Digits of the position inside a strip that a proposal carries.
    position: u32,
    /// The density of y = 0 is halved, because both signs give 0; otherwise −0 is refused.
    halves_zero: bool,
    /// The weights; the last one is the tail's.
    weights: Vec<u64>,
    /// c · 2^`CONSTANT_BITS`.
    constant: UBig,
    cells: Box<[alias::Cell]>,
    /// V below this word is accepted anywhere in the strip.
    quick: Box<[u32]>,
    /// Bounds of r at the lower edge of each strip, in units of 2^−`FIXED_BITS`.
    edge: Box<[(u64, u64)]>,
    /// ⌊rate · 2^64⌋; used where a strip is wider than an integer, and then the rate is below 1.
    fixed_rate: u64,
    /// Half of the width of the second test's interval, in units of 2^−`FIXED_BITS`.
    slack: u64,
}

/// The sampler in use.
pub(super) type Sampler = Strips<32, 11, 32>;

/// A proposal with the digits that are known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Proposal {
    strip: usize,
    negative: bool,
    /// Position inside the strip: this many 2^−`position`.
    offset: u64,
    /// V: this many 2^−`Strips::test_bits`.
    test: u32,
}

impl<const WORD: u32, const CELL: u32, const LOW: u32> Strips<WORD, CELL, LOW> {
    const STRIPS: usize = 1 << CELL;
    const TAIL: usize = Self::STRIPS - 1;

    /// Whether sign and position need a second word.
    fn is_wide(&self) -> bool {
        self.position + 1 > LOW / 3
    }

    /// Digits of V in a proposal.
    fn test_bits(&self) -> u32 {
        if self.is_wide() { LOW } else { LOW - 1 - self.position }
    }

    fn is_signed(&self) -> bool {
        self.support != Support::Naturals
    }

    /// |x| of y in units of 2^(width − position): y itself for integers, the nearest integer of a real number.
    fn rounding(&self) -> u32 {
        if self.support == Support::Rounded { self.position.saturating_add_signed(-self.width) } else { 0 }
    }
}

impl<const WORD: u32, const CELL: u32, const LOW: u32> std::fmt::Debug for Strips<WORD, CELL, LOW> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Strips")
            .field("decay", &self.decay)
            .field("support", &self.support)
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}
