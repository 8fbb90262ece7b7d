//! FF1 at any length, numeral by numeral. The time grows with the square of the length.

use super::super::block::Permutation;
use super::{ROUNDS, Shape, chain};
use zeroize::{Zeroize, Zeroizing};

/// Encrypts or decrypts one string in place. Its numerals must be less than the radix.
///
/// The standard exchanges the halves after every round. Here they stay where they are, and even rounds change the left half, odd rounds the right one.
pub(super) fn apply<const ENCRYPT: bool, C>(cipher: &C, shape: &Shape, numerals: &mut [u16])
where
    C: Permutation,
{
    let (left, right) = numerals.split_at_mut(shape.left);
    for step in 0..ROUNDS {
        let round = if ENCRYPT { step } else { ROUNDS - 1 - step };
        if round.is_multiple_of(2) {
            let mut output = pseudorandom(cipher, shape, round, right);
            add::<ENCRYPT>(shape.radix, left, &mut output);
        } else {
            let mut output = pseudorandom(cipher, shape, round, left);
            add::<ENCRYPT>(shape.radix, right, &mut output);
        }
    }
}

/// The first `output_bytes` bytes of the pseudorandom function of a round and the half that the round does not change (S).
fn pseudorandom<C>(cipher: &C, shape: &Shape, round: u8, half: &[u16]) -> Zeroizing<Vec<u8>>
where
    C: Permutation,
{
    let mut input = Zeroizing::new(vec![0; shape.head.len() + 1 + shape.bytes]);
    input[..shape.head.len()].copy_from_slice(&shape.head);
    input[shape.head.len()] = round;
    to_bytes(shape.radix, half, &mut input[shape.head.len() + 1..]);
    let (blocks, _) = input.as_chunks::<16>();
    let first = blocks.iter().fold(shape.state, |state, block| chain(cipher, state, block));

    let length = shape.output_bytes();
    let mut output = Zeroizing::new(Vec::with_capacity(length.next_multiple_of(16)));
    output.extend_from_slice(&first);
    let mut number = 1_u128;
    while output.len() < length {
        output.extend_from_slice(&chain(cipher, first, &number.to_be_bytes()));
        number += 1;
    }
    output[length..].zeroize();
    output.truncate(length);
    output
}

/// Writes a string of numerals as a number, the most significant byte first (NUM). The number must fit.
fn to_bytes(radix: u32, numerals: &[u16], bytes: &mut [u8]) {
    bytes.fill(0);
    for &numeral in numerals {
        let mut carry = u32::from(numeral);
        for byte in bytes.iter_mut().rev() {
            let [low, high @ ..] = (u32::from(*byte) * radix + carry).to_le_bytes();
            *byte = low;
            carry = u32::from_le_bytes([high[0], high[1], high[2], 0]);
        }
    }
}

/// Adds a number to a string of numerals, or subtracts it, modulo the number of such strings. Consumes the number.
fn add<const FORWARD: bool>(radix: u32, numerals: &mut [u16], bytes: &mut [u8]) {
    let mut carry = 0;
    for numeral in numerals.iter_mut().rev() {
        let digit = divide(bytes, radix) + carry;
        // Both lie in 0…2·radix − 1.
        let sum = u32::from(*numeral) + if FORWARD { digit } else { radix - digit };
        let (rest, over) = if sum >= radix { (sum - radix, 1) } else { (sum, 0) };
        carry = if FORWARD { over } else { 1 - over };
        let [low, high, ..] = rest.to_le_bytes();
        *numeral = u16::from_le_bytes([low, high]);
    }
}

/// Divides a number by the radix and returns the remainder.
fn divide(bytes: &mut [u8], radix: u32) -> u32 {
    let mut remainder = 0;
    for byte in bytes {
        let dividend = (remainder << 8) | u32::from(*byte);
        // Less than 256, because the remainder is less than the radix.
        [*byte, ..] = (dividend / radix).to_le_bytes();
        remainder = dividend % radix;
    }
    remainder
}

/// How many bytes the numbers below `radix` to the power of `length` fill. In integers, because a logarithm in floating point can miss by one.
pub(super) fn byte_length(radix: u32, length: usize) -> usize {
    // The largest of them, the least significant byte first.
    let mut bytes: Vec<u8> = Vec::new();
    for _ in 0..length {
        let mut carry = radix - 1;
        for byte in &mut bytes {
            let [low, high @ ..] = (u32::from(*byte) * radix + carry).to_le_bytes();
            *byte = low;
            carry = u32::from_le_bytes([high[0], high[1], high[2], 0]);
        }
        while carry > 0 {
            let [low, ..] = carry.to_le_bytes();
            bytes.push(low);
            carry >>= 8;
        }
    }
    bytes.len()
}
