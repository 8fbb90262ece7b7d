//! FF1: format-preserving encryption. A string of numerals becomes another string of as many numerals of the same radix.
//!
//! Strings whose halves fit a machine word go through `integers`, many strings at a time; all others through `digits`, which works at any length.

mod digits;
mod integers;
mod reciprocal;
#[cfg(test)]
mod tests;

use super::block::Permutation;
use crate::error::{Error, Result};
use aes::Aes256Enc;
use aes::cipher::{Array, KeyInit};
use integers::Integers;
use std::fmt::{self, Debug, Formatter};

/// How many strings a domain must have at least, so that it cannot be searched by encrypting all of them.
const SMALLEST_DOMAIN: u64 = 1_000_000;

/// Rounds of the Feistel network.
const ROUNDS: u8 = 10;

/// FF1 over AES-256 for the numerals of one radix.
///
/// # Security
/// FF1 is a permutation of all strings of one length: without the key an image says whether two strings are equal under one tweak, and how long they are.
/// It authenticates nothing: every string decrypts to something. Domains of fewer than a million strings are refused, as revision 1 of the standard
/// demands; just above that limit, whoever knows most strings of a domain with their images can tell the few that are left.
///
/// # References
/// M. Dworkin, *Methods for Format-Preserving Encryption*, NIST SP 800-38G, 2016, section 5.1 and algorithms 7 and 8; draft revision 1, 2019, section 5.1.
pub(super) struct Ff1 {
    mode: Mode<Aes256Enc>,
}

impl Ff1 {
    /// Expands the key; it is wiped on drop.
    ///
    /// # Errors
    /// The radix does not lie in 2…65,536.
    pub(super) fn new(key: &[u8; 32], radix: u32) -> Result<Self> {
        Ok(Self { mode: Mode::new(Aes256Enc::new(Array::cast_from_core(key)), radix)? })
    }

    /// The shortest strings that can be encrypted: there must be a million of them, and they must have two halves.
    pub(super) fn minimum_length(&self) -> usize {
        self.mode.minimum_length
    }

    /// Encrypts one string in place.
    ///
    /// # Errors
    /// The string is too short or too long, or a numeral is not less than the radix.
    pub(super) fn encrypt(&self, tweak: &[u8], numerals: &mut [u16]) -> Result<()> {
        self.mode.apply::<true>(tweak, numerals.len(), numerals)
    }

    /// Undoes [`encrypt`](Self::encrypt).
    ///
    /// # Errors
    /// As there.
    pub(super) fn decrypt(&self, tweak: &[u8], numerals: &mut [u16]) -> Result<()> {
        self.mode.apply::<false>(tweak, numerals.len(), numerals)
    }

    /// Encrypts many strings of `length` numerals, one after the other in `numerals`, in place. Nothing is changed on an error.
    ///
    /// # Errors
    /// The length is too short or too long or does not divide the number of numerals, or a numeral is not less than the radix.
    pub(super) fn encrypt_all(&self, tweak: &[u8], length: usize, numerals: &mut [u16]) -> Result<()> {
        self.mode.apply::<true>(tweak, length, numerals)
    }

    /// Undoes [`encrypt_all`](Self::encrypt_all).
    ///
    /// # Errors
    /// As there.
    pub(super) fn decrypt_all(&self, tweak: &[u8], length: usize, numerals: &mut [u16]) -> Result<()> {
        self.mode.apply::<false>(tweak, length, numerals)
    }

    /// Encrypts integers of `bits` bits as strings of that many binary numerals, the most significant first. Nothing is changed on an error.
    ///
    /// # Errors
    /// The radix is not 2, `bits` does not lie in 20…64, or a word has more bits.
    pub(super) fn encrypt_words(&self, tweak: &[u8], bits: u32, words: &mut [u64]) -> Result<()> {
        self.mode.apply_to_words::<true>(tweak, bits, words)
    }

    /// Undoes [`encrypt_words`](Self::encrypt_words).
    ///
    /// # Errors
    /// As there.
    pub(super) fn decrypt_words(&self, tweak: &[u8], bits: u32, words: &mut [u64]) -> Result<()> {
        self.mode.apply_to_words::<false>(tweak, bits, words)
    }
}

impl Debug for Ff1 {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ff1").field("radix", &self.mode.radix).finish_non_exhaustive()
    }
}

/// FF1 over a block cipher of 128 bits.
struct Mode<C> {
    cipher: C,
    radix: u32,
    minimum_length: usize,
}

impl<C: Permutation> Mode<C> {
    fn new(cipher: C, radix: u32) -> Result<Self> {
        if !(2..=65_536).contains(&radix) {
            return Err(Error::Parameter { name: "radix", problem: "must lie in 2…65,536".to_owned() });
        }
        let mut domain = u64::from(radix) * u64::from(radix);
        let mut minimum_length = 2;
        while domain < SMALLEST_DOMAIN {
            domain *= u64::from(radix);
            minimum_length += 1;
        }
        Ok(Self { cipher, radix, minimum_length })
    }

    fn apply<const ENCRYPT: bool>(&self, tweak: &[u8], length: usize, numerals: &mut [u16]) -> Result<()> {
        let shape = self.shape(tweak, length)?;
        if !numerals.len().is_multiple_of(length) {
            return Err(Error::Parameter { name: "length", problem: "must divide the number of numerals".to_owned() });
        }
        if !numerals.iter().all(|&numeral| u32::from(numeral) < self.radix) {
            return Err(Error::Parameter { name: "numerals", problem: format!("must be less than the radix {}", self.radix) });
        }
        match Integers::new(&self.cipher, &shape) {
            Some(integers) => integers.apply_to_numerals::<ENCRYPT>(numerals),
            None => numerals.chunks_exact_mut(length).for_each(|string| digits::apply::<ENCRYPT, C>(&self.cipher, &shape, string)),
        }
        Ok(())
    }

    fn apply_to_words<const ENCRYPT: bool>(&self, tweak: &[u8], bits: u32, words: &mut [u64]) -> Result<()> {
        if self.radix != 2 {
            return Err(Error::Parameter { name: "radix", problem: "must be 2 for words".to_owned() });
        }
        let shape = self.shape(tweak, bits as usize)?;
        let too_long = || Error::Parameter { name: "bits", problem: "must be at most 64".to_owned() };
        let excess = 64_u32.checked_sub(bits).ok_or_else(too_long)?;
        if words.iter().any(|&word| word > u64::MAX >> excess) {
            return Err(Error::Parameter { name: "words", problem: format!("must have at most {bits} bits") });
        }
        Integers::new(&self.cipher, &shape).ok_or_else(too_long)?.apply_to_words::<ENCRYPT>(words);
        Ok(())
    }

    /// Everything that is the same for all strings of one length under one tweak.
    fn shape(&self, tweak: &[u8], length: usize) -> Result<Shape> {
        if length < self.minimum_length {
            let problem = format!("must be at least {} in radix {}", self.minimum_length, self.radix);
            return Err(Error::Parameter { name: "length", problem });
        }
        let too_long = |name| Error::Parameter { name, problem: "must be less than 2^32".to_owned() };
        let length_field = u32::try_from(length).map_err(|_| too_long("length"))?.to_be_bytes();
        let tweak_field = u32::try_from(tweak.len()).map_err(|_| too_long("tweak"))?.to_be_bytes();

        let left = length / 2;
        let right = length - left;
        let bytes = digits::byte_length(self.radix, right);

        // P, T and the zeros of Q, up to the number of the round.
        let [_, radix @ ..] = self.radix.to_be_bytes();
        let [left_field, ..] = left.to_le_bytes();
        let mut prefix = vec![1, 2, 1];
        prefix.extend(radix);
        prefix.extend([ROUNDS, left_field]);
        prefix.extend(length_field);
        prefix.extend(tweak_field);
        prefix.extend_from_slice(tweak);
        let filled = prefix.len() + 1 + bytes;
        prefix.resize(filled.next_multiple_of(16) - 1 - bytes, 0);

        let (blocks, head) = prefix.as_chunks::<16>();
        let state = blocks.iter().fold([0; 16], |state, block| chain(&self.cipher, state, block));
        Ok(Shape { radix: self.radix, left, right, bytes, state, head: head.to_vec() })
    }
}

/// Everything that is the same for all strings of one length under one tweak. The names of the standard are given in brackets.
struct Shape {
    radix: u32,
    /// Numerals in the left half (u).
    left: usize,
    /// Numerals in the right half (v).
    right: usize,
    /// Bytes that the right half fills as a number (b).
    bytes: usize,
    /// The chain of the pseudorandom function after all blocks that do not depend on the string.
    state: [u8; 16],
    /// The bytes that follow them, in front of the number of the round.
    head: Vec<u8>,
}

impl Shape {
    /// How many bytes of the pseudorandom function a round takes (d).
    fn output_bytes(&self) -> usize {
        4 * self.bytes.div_ceil(4) + 4
    }
}

/// One step of CBC.
fn chain<C: Permutation>(cipher: &C, state: [u8; 16], block: &[u8; 16]) -> [u8; 16] {
    cipher.permute((u128::from_ne_bytes(state) ^ u128::from_ne_bytes(*block)).to_ne_bytes())
}
