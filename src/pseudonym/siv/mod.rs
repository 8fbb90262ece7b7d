//! AES-SIV: deterministic authenticated encryption.
//!
//! Equal plaintexts have equal sealed values under one key and one list of associated data; that is what a token needs, and all that a sealed value tells
//! besides the length. A sealed value that was not made with the key is refused.

mod batch;
mod s2v;
#[cfg(test)]
mod tests;

use super::block::Permutation;
use aes::Aes256Enc;
use aes::cipher::consts::{U32, U64};
use aes::cipher::{Array, KeyInit};
use s2v::S2v;
use std::fmt::{self, Debug, Formatter};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Bytes of the synthetic initialization vector in front of the ciphertext.
pub(super) const OVERHEAD: usize = 16;

/// AES-256-SIV under one key with one list of associated data.
///
/// # Security
/// A sealed value shows the length of its plaintext, and whether two plaintexts are equal. Somebody without the key cannot make a value that opens, up to
/// the birthday bound of 128-bit blocks: one key should seal far fewer than 2^48 blocks.
///
/// # References
/// D. Harkins, *Synthetic Initialization Vector (SIV) Authenticated Encryption Using the Advanced Encryption Standard (AES)*, RFC 5297, 2008.
pub(super) struct Siv {
    mode: Mode<Aes256Enc>,
}

impl Siv {
    /// Expands the key, whose first half authenticates and whose second half encrypts, and absorbs the associated data (at most 126 parts).
    pub(super) fn new(key: &[u8; 64], associated_data: &[&[u8]]) -> Self {
        let (authentication, encryption) = Array::<u8, U64>::cast_from_core(key).split_ref::<U32>();
        Self { mode: Mode::new(Aes256Enc::new(authentication), Aes256Enc::new(encryption), associated_data) }
    }

    /// Appends the sealed value: 16 bytes of initialization vector and as many bytes of ciphertext as the plaintext has.
    pub(super) fn seal(&self, plaintext: &[u8], out: &mut Vec<u8>) {
        self.mode.seal(plaintext, out);
    }

    /// Appends the plaintext of an authentic value and says `true`; of another value nothing is left.
    #[must_use]
    pub(super) fn open(&self, sealed: &[u8], out: &mut Vec<u8>) -> bool {
        self.mode.open(sealed, out)
    }

    /// Seals every plaintext, many at a time. Appends the sealed values to `out` and to `ends` where in `out` each of them ends.
    pub(super) fn seal_all(&self, plaintexts: &[&[u8]], out: &mut Vec<u8>, ends: &mut Vec<usize>) {
        self.mode.seal_all(plaintexts, out, ends);
    }

    /// Opens every value, many at a time. Appends the plaintexts to `out`, to `ends` where in `out` each of them ends, and to `authentic` whether it was
    /// authentic. Of a value that was not, nothing is left: its plaintext is empty.
    pub(super) fn open_all(&self, sealed: &[&[u8]], out: &mut Vec<u8>, ends: &mut Vec<usize>, authentic: &mut Vec<bool>) {
        self.mode.open_all(sealed, out, ends, authentic);
    }
}

impl Debug for Siv {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("Siv(..)")
    }
}

/// SIV over a block cipher of 128 bits.
struct Mode<C> {
    s2v: S2v<C>,
    counter: C,
}

impl<C: Permutation> Mode<C> {
    fn new(authentication: C, counter: C, associated_data: &[&[u8]]) -> Self {
        Self { s2v: S2v::new(authentication, associated_data), counter }
    }

    fn seal(&self, plaintext: &[u8], out: &mut Vec<u8>) {
        let vector = self.s2v.vector(plaintext);
        out.reserve(OVERHEAD + plaintext.len());
        out.extend_from_slice(&vector);
        let start = out.len();
        out.extend_from_slice(plaintext);
        self.apply_key_stream(vector, &mut out[start..]);
    }

    fn open(&self, sealed: &[u8], out: &mut Vec<u8>) -> bool {
        let Some((vector, ciphertext)) = sealed.split_first_chunk::<OVERHEAD>() else { return false };
        let start = out.len();
        out.extend_from_slice(ciphertext);
        let plaintext = &mut out[start..];
        self.apply_key_stream(*vector, plaintext);
        let authentic = bool::from(self.s2v.vector(plaintext).ct_eq(vector));
        if !authentic {
            plaintext.zeroize();
            out.truncate(start);
        }
        authentic
    }

    /// Counter mode from an initialization vector, in place.
    fn apply_key_stream(&self, vector: [u8; 16], data: &mut [u8]) {
        const BLOCKS: usize = 64;
        let first = first_counter(vector);
        let mut stream = [[0; 16]; BLOCKS];
        let mut number = 0;
        for chunk in data.chunks_mut(16 * BLOCKS) {
            let used = &mut stream[..chunk.len().div_ceil(16)];
            for block in &mut *used {
                *block = first.wrapping_add(number).to_be_bytes();
                number += 1;
            }
            self.counter.permute_all(used);
            for (byte, key) in chunk.iter_mut().zip(used.as_flattened()) {
                *byte ^= key;
            }
        }
        stream[..data.len().div_ceil(16).min(BLOCKS)].as_flattened_mut().zeroize();
    }
}

/// The first counter block: the initialization vector without the two bits that would carry between its 32-bit words.
fn first_counter(vector: [u8; 16]) -> u128 {
    u128::from_be_bytes(vector) & !((1 << 63) | (1 << 31))
}
