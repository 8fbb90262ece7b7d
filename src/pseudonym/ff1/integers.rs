//! FF1 with the halves of the strings as machine words, many strings at a time.

use super::super::block::Permutation;
use super::reciprocal::{Reciprocal, WideReciprocal};
use super::{ROUNDS, Shape};
use std::hint::select_unpredictable;
use zeroize::Zeroize;

/// How many strings go through the rounds together: as many blocks as the widest processors take at once.
const LANES: usize = 64;

/// Strings of one length whose halves fit 64 bits.
pub(super) struct Integers<'a, C> {
    cipher: &'a C,
    shape: &'a Shape,
    /// The only block of a round that depends on the string, without the number of the round and the half, chained to the blocks before it.
    block: u128,
    left: Modulus,
    right: Modulus,
}

impl<'a, C: Permutation> Integers<'a, C> {
    /// Nothing where a half does not fit.
    pub(super) fn new(cipher: &'a C, shape: &'a Shape) -> Option<Self> {
        let wide = shape.output_bytes() > 8;
        let left = Modulus::new(shape.radix, shape.left, wide)?;
        let right = Modulus::new(shape.radix, shape.right, wide)?;
        let mut block = [0; 16];
        // Halves of at most 8 bytes leave 7 bytes or more of one block.
        block[..shape.head.len()].copy_from_slice(&shape.head);
        Some(Self { cipher, shape, block: u128::from_be_bytes(shape.state) ^ u128::from_be_bytes(block), left, right })
    }

    /// The numerals must be less than the radix and fill whole strings.
    pub(super) fn apply_to_numerals<const ENCRYPT: bool>(&self, numerals: &mut [u16]) {
        let radix = Reciprocal::new(u64::from(self.shape.radix));
        let length = self.shape.left + self.shape.right;
        let mut lanes = Lanes::new(numerals.len() / length);
        for strings in numerals.chunks_mut(length * LANES) {
            let count = strings.len() / length;
            for (string, (left, right)) in strings.chunks_exact(length).zip(lanes.left.iter_mut().zip(&mut lanes.right)) {
                let (upper, lower) = string.split_at(self.shape.left);
                *left = join(radix, upper);
                *right = join(radix, lower);
            }
            self.rounds::<ENCRYPT>(&mut lanes, count);
            for (string, (left, right)) in strings.chunks_exact_mut(length).zip(lanes.left.iter().zip(&lanes.right)) {
                let (upper, lower) = string.split_at_mut(self.shape.left);
                split(radix, *left, upper);
                split(radix, *right, lower);
            }
        }
    }

    /// The radix must be 2, and the words must have no more bits than the strings have numerals.
    pub(super) fn apply_to_words<const ENCRYPT: bool>(&self, words: &mut [u64]) {
        let bits = self.shape.right;
        let mut lanes = Lanes::new(words.len());
        for words in words.chunks_mut(LANES) {
            for (word, (left, right)) in words.iter().zip(lanes.left.iter_mut().zip(&mut lanes.right)) {
                *left = word >> bits;
                *right = word & ((1 << bits) - 1);
            }
            self.rounds::<ENCRYPT>(&mut lanes, words.len());
            for (word, (left, right)) in words.iter_mut().zip(lanes.left.iter().zip(&lanes.right)) {
                *word = left << bits | right;
            }
        }
    }

    /// All rounds of the first `count` lanes. The halves stay where they are, and even rounds change the left ones, odd rounds the right ones.
    fn rounds<const ENCRYPT: bool>(&self, lanes: &mut Lanes, count: usize) {
        let Lanes { left, right, blocks, .. } = lanes;
        let (left, right, blocks) = (&mut left[..count], &mut right[..count], &mut blocks[..count]);
        for step in 0..ROUNDS {
            let round = if ENCRYPT { step } else { ROUNDS - 1 - step };
            let (modulus, changed, read) =
                if round.is_multiple_of(2) { (&self.left, &mut *left, &*right) } else { (&self.right, &mut *right, &*left) };
            let block = self.block ^ (u128::from(round) << (8 * self.shape.bytes));
            for (target, half) in blocks.iter_mut().zip(read) {
                *target = (block ^ u128::from(*half)).to_be_bytes();
            }
            self.cipher.permute_all(blocks);
            modulus.add::<ENCRYPT>(changed, blocks);
        }
    }
}

/// The strings that go through the rounds together.
struct Lanes {
    left: [u64; LANES],
    right: [u64; LANES],
    blocks: [[u8; 16]; LANES],
    /// How many of them are ever used, and have to be wiped.
    used: usize,
}

impl Lanes {
    /// For `count` strings.
    fn new(count: usize) -> Self {
        Self { left: [0; LANES], right: [0; LANES], blocks: [[0; 16]; LANES], used: count.min(LANES) }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.left[..self.used].zeroize();
        self.right[..self.used].zeroize();
        self.blocks[..self.used].as_flattened_mut().zeroize();
    }
}

/// How to add the output of a round, of 8 or 12 bytes, modulo the number of halves.
#[derive(Clone, Copy, Debug)]
enum Modulus {
    /// A power of two, 8 bytes.
    Mask(u64),
    /// A power of two, 12 bytes.
    WideMask(u64),
    /// At most 2^32, 8 bytes.
    Narrow(Reciprocal),
    /// At most 2^32, 12 bytes.
    Twice(Reciprocal),
    /// Above 2^32, 12 bytes.
    Wide(WideReciprocal),
}

impl Modulus {
    /// Nothing where the modulus is greater than 2^64.
    fn new(radix: u32, length: usize, wide: bool) -> Option<Self> {
        let power = u128::from(radix).checked_pow(u32::try_from(length).ok()?)?;
        let largest = u64::try_from(power - 1).ok()?;
        Some(match (largest.checked_add(1), wide) {
            (Some(modulus), _) if !modulus.is_power_of_two() => match wide {
                false => Self::Narrow(Reciprocal::new(modulus)),
                true if modulus < 1 << 32 => Self::Twice(Reciprocal::new(modulus)),
                true => Self::Wide(WideReciprocal::new(modulus)),
            },
            (_, false) => Self::Mask(largest),
            (_, true) => Self::WideMask(largest),
        })
    }

    fn add<const FORWARD: bool>(self, halves: &mut [u64], blocks: &[[u8; 16]]) {
        let lanes = halves.iter_mut().zip(blocks);
        match self {
            Self::Mask(mask) => lanes.for_each(|(half, block)| *half = masked::<FORWARD>(*half, upper(block), mask)),
            Self::WideMask(mask) => lanes.for_each(|(half, block)| *half = masked::<FORWARD>(*half, middle(block), mask)),
            Self::Narrow(reciprocal) => lanes.for_each(|(half, block)| {
                *half = reduced::<FORWARD>(*half, reciprocal.remainder(upper(block)), reciprocal.divisor());
            }),
            Self::Twice(reciprocal) => lanes.for_each(|(half, block)| {
                let rest = reciprocal.remainder(upper(block)) << 32 | u64::from(lower(block));
                *half = reduced::<FORWARD>(*half, reciprocal.remainder(rest), reciprocal.divisor());
            }),
            Self::Wide(reciprocal) => lanes.for_each(|(half, block)| {
                *half = reduced::<FORWARD>(*half, reciprocal.remainder(upper(block), lower(block)), reciprocal.divisor());
            }),
        }
    }
}

#[inline]
fn masked<const FORWARD: bool>(half: u64, number: u64, mask: u64) -> u64 {
    (if FORWARD { half.wrapping_add(number) } else { half.wrapping_sub(number) }) & mask
}

/// Both numbers must be less than the modulus.
#[inline]
fn reduced<const FORWARD: bool>(half: u64, number: u64, modulus: u64) -> u64 {
    let (difference, below_zero) = half.overflowing_sub(if FORWARD { modulus - number } else { number });
    select_unpredictable(below_zero, difference.wrapping_add(modulus), difference)
}

/// Bytes 0…7.
#[inline]
fn upper(block: &[u8; 16]) -> u64 {
    let [bytes @ .., _, _, _, _, _, _, _, _] = *block;
    u64::from_be_bytes(bytes)
}

/// Bytes 4…11.
#[inline]
fn middle(block: &[u8; 16]) -> u64 {
    let [_, _, _, _, bytes @ .., _, _, _, _] = *block;
    u64::from_be_bytes(bytes)
}

/// Bytes 8…11.
#[inline]
fn lower(block: &[u8; 16]) -> u32 {
    let [_, _, _, _, _, _, _, _, bytes @ .., _, _, _, _] = *block;
    u32::from_be_bytes(bytes)
}

#[inline]
fn join(radix: Reciprocal, numerals: &[u16]) -> u64 {
    numerals.iter().fold(0, |number, &numeral| number * radix.divisor() + u64::from(numeral))
}

#[inline]
fn split(radix: Reciprocal, mut number: u64, numerals: &mut [u16]) {
    for numeral in numerals.iter_mut().rev() {
        let (quotient, remainder) = radix.divide(number);
        let [low, high, ..] = remainder.to_le_bytes();
        *numeral = u16::from_le_bytes([low, high]);
        number = quotient;
    }
}
