//! HMAC-SHA-256 over the compression function, with the key absorbed once.

use super::prf::Token;
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The start of SHA-256 (FIPS 180-4, section 5.3.3).
const START: [u32; 8] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The two states of SHA-256 after the padded key: what is left of a value's work is the value itself and one block. Wiped on drop.
///
/// # References
/// RFC 2104, sections 2 and 4 (the states may be kept in place of the key); FIPS 198-1.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct HmacSha256 {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl HmacSha256 {
    pub(super) fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; 64]);
        if key.len() > 64 {
            block[..32].copy_from_slice(&Sha256::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let absorb = |pad: u8| {
            let mut state = START;
            compress256(&mut state, &[*Zeroizing::new(block.map(|byte| byte ^ pad))]);
            state
        };
        Self { inner: absorb(0x36), outer: absorb(0x5c) }
    }

    /// The left half of the HMAC of `input` (RFC 2104, section 5).
    #[inline]
    pub(super) fn token(&self, input: &[u8]) -> Token {
        let mut state = self.inner;
        let (blocks, rest) = input.as_chunks::<64>();
        if !blocks.is_empty() {
            compress256(&mut state, blocks);
        }
        let mut last = [[0; 64]; 2];
        last[0][..rest.len()].copy_from_slice(rest);
        last[0][rest.len()] = 0x80;
        let count = if rest.len() < 56 { 1 } else { 2 };
        last[count - 1][56..].copy_from_slice(&bits(input.len()));
        compress256(&mut state, &last[..count]);

        let mut block = [0; 64];
        write(&mut block, &state);
        block[32] = 0x80;
        block[56..].copy_from_slice(&bits(32));
        let mut state = self.outer;
        compress256(&mut state, &[block]);
        let mut token = [0; 16];
        write(&mut token, &state);
        token
    }
}

/// Length in bits of the key's block and `length` bytes, as SHA-256 writes it. No array in memory comes near 2⁶⁴ bits.
fn bits(length: usize) -> [u8; 8] {
    ((64 + length as u64) << 3).to_be_bytes()
}

/// As many words as fit.
#[inline]
fn write(bytes: &mut [u8], words: &[u32; 8]) {
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::hmac::{Hmac, KeyInit, Mac};

    #[test]
    fn all_lengths_of_keys_and_values_agree_with_another_implementation() {
        let bytes: Vec<u8> = (0..=255).cycle().take(400).collect();
        for key_length in [0, 1, 16, 31, 32, 33, 63, 64, 65, 100, 131] {
            let keyed = HmacSha256::new(&bytes[3..3 + key_length]);
            for length in 0..300 {
                let mut other = Hmac::<Sha256>::new_from_slice(&bytes[3..3 + key_length]).unwrap();
                other.update(&bytes[7..7 + length]);
                assert_eq!(keyed.token(&bytes[7..7 + length]), other.finalize().into_bytes()[..16], "{key_length} {length}");
            }
        }
    }

    #[test]
    fn wiped_states_are_zero() {
        let mut keyed = HmacSha256::new(&[7; 32]);
        keyed.zeroize();
        assert_eq!((keyed.inner, keyed.outer), ([0; 8], [0; 8]));
    }
}
