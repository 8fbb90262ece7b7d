//! S2V, the pseudorandom function of SIV, and the CMAC on which it stands.
//!
//! Blocks are numbers whose lowest byte is the first of the block (little-endian), so that they are loaded and stored without a change of order.

use super::super::block::Permutation;
use std::array;
use zeroize::Zeroize;

/// S2V with the associated data absorbed. All that it does to a plaintext before the last AES is to XOR a few constants into its last blocks;
/// they depend on the length alone and are made in advance.
pub(super) struct S2v<C> {
    cipher: C,
    /// For a plaintext of fewer than 16 bytes, by its length: what is added to its only block.
    short: [u128; 16],
    /// For a longer plaintext, by the length of its last block less 1: what is added to the last block.
    last: [u128; 16],
    /// The same for the block before the last.
    penultimate: [u128; 16],
}

impl<C: Permutation> S2v<C> {
    pub(super) fn new(cipher: C, associated_data: &[&[u8]]) -> Self {
        debug_assert!(associated_data.len() <= 126, "RFC 5297 allows 126 parts besides the plaintext");
        let key_of_full = double(encrypt(&cipher, 0));
        let key_of_padded = double(key_of_full);
        // CMAC of any string, block by block (NIST SP 800-38B).
        let cmac = |data: &[u8]| {
            let (body, last) = data.split_at(data.len().saturating_sub(1) / 16 * 16);
            let (body, _) = body.as_chunks::<16>();
            let state = body.iter().fold(0, |state, block| encrypt(&cipher, state ^ u128::from_le_bytes(*block)));
            let key = if last.len() == 16 { key_of_full } else { pad(last.len()) ^ key_of_padded };
            encrypt(&cipher, state ^ ending(last) ^ key)
        };
        let absorbed = associated_data.iter().fold(cmac(&[0; 16]), |state, part| double(state) ^ cmac(part));
        let doubled = double(absorbed);
        let short = array::from_fn(|length| doubled ^ pad(length) ^ key_of_full);
        // "xorend": the absorbed data end where the plaintext ends.
        let last = array::from_fn(|less| {
            let end = absorbed >> (8 * (15 - less));
            if less == 15 { end ^ key_of_full } else { end ^ pad(less + 1) ^ key_of_padded }
        });
        let penultimate = array::from_fn(|less| if less == 15 { 0 } else { absorbed << (8 * (less + 1)) });
        Self { cipher, short, last, penultimate }
    }

    /// The synthetic initialization vector of a plaintext.
    pub(super) fn vector(&self, plaintext: &[u8]) -> [u8; 16] {
        let state = (0..block_count(plaintext)).fold(0, |state, number| encrypt(&self.cipher, state ^ self.block(plaintext, number)));
        state.to_le_bytes()
    }

    /// Block `number` of what CMAC sees of a plaintext, with everything that S2V and CMAC add.
    #[inline]
    pub(super) fn block(&self, plaintext: &[u8], number: usize) -> u128 {
        if plaintext.len() < 16 {
            return ending(plaintext) ^ self.short[plaintext.len()];
        }
        let less = (plaintext.len() - 1) % 16;
        let start = 16 * number;
        match plaintext.get(start..).and_then(<[u8]>::first_chunk::<16>) {
            Some(full) if start + 16 < plaintext.len() => {
                u128::from_le_bytes(*full) ^ if start + 32 >= plaintext.len() { self.penultimate[less] } else { 0 }
            }
            _ => ending(plaintext) ^ self.last[less],
        }
    }

    /// The block cipher, for those who run many chains at once.
    pub(super) fn cipher(&self) -> &C {
        &self.cipher
    }
}

impl<C> Drop for S2v<C> {
    fn drop(&mut self) {
        self.short.zeroize();
        self.last.zeroize();
        self.penultimate.zeroize();
    }
}

/// How many blocks CMAC sees of a plaintext.
#[inline]
pub(super) fn block_count(plaintext: &[u8]) -> usize {
    plaintext.len().div_ceil(16).max(1)
}

fn encrypt<C: Permutation>(cipher: &C, block: u128) -> u128 {
    u128::from_le_bytes(cipher.permute(block.to_le_bytes()))
}

/// What a plaintext has in its last block, full or not, followed by zeros.
#[inline]
pub(super) fn ending(plaintext: &[u8]) -> u128 {
    if let Some(bytes) = plaintext.last_chunk::<16>() {
        // The last 16 bytes without those that belong to the block before.
        return u128::from_le_bytes(*bytes) >> (8 * (15 - (plaintext.len() - 1) % 16));
    }
    let mut block = [0; 16];
    block[..plaintext.len()].copy_from_slice(plaintext);
    u128::from_le_bytes(block)
}

/// The bit that ends a string of `length` < 16 bytes.
fn pad(length: usize) -> u128 {
    0x80 << (8 * length)
}

/// Doubling in the field of 2^128 elements, where the first byte is the most significant.
fn double(block: u128) -> u128 {
    let number = block.swap_bytes();
    let carry = if number >> 127 == 1 { 0x87 } else { 0 };
    ((number << 1) ^ carry).swap_bytes()
}
