//! The keyed functions behind the tokens of the hash methods.

use super::hmac::HmacSha256;
use crate::keys::Key;

/// 128 bits.
pub(super) type Token = [u8; 16];

/// A pseudorandom function of byte strings.
pub(super) enum Prf {
    /// BLAKE3 in keyed mode.
    Blake3(Key),
    /// HMAC-SHA-256. Boxed: it is wiped on drop and should not be moved about.
    HmacSha256(Box<HmacSha256>),
}

impl Prf {
    pub(super) fn blake3(key: Key) -> Self {
        Self::Blake3(key)
    }

    pub(super) fn hmac_sha256(key: &Key) -> Self {
        Self::HmacSha256(Box::new(HmacSha256::new(key.expose())))
    }

    /// The first 128 bits of the output.
    #[cfg(test)]
    pub(super) fn token(&self, input: &[u8]) -> Token {
        match self {
            Self::Blake3(key) => blake3_token(key.expose(), input),
            Self::HmacSha256(keyed) => keyed.token(input),
        }
    }
}

/// The first half of the keyed BLAKE3 of `input`.
#[inline]
pub(super) fn blake3_token(key: &[u8; 32], input: &[u8]) -> Token {
    let mut token = [0; 16];
    token.copy_from_slice(&blake3::keyed_hash(key, input).as_bytes()[..16]);
    token
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn hex(token: Token) -> String {
        String::from_utf8(super::super::hex::of_token(&token).to_vec()).unwrap()
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn published_blake3_keyed_vectors() {
        // From test_vectors.json of the BLAKE3 project: the input is 0, 1, …, 250, 0, 1, … of the given length.
        let vectors = [
            (0, "92b2b75604ed3c761f9d6f62392c8a92"),
            (1, "6d7878dfff2f485635d39013278ae14f"),
            (1023, "c951ecdf03288d0fcc96ee3413563d8a"),
            (1024, "75c46f6f3d9eb4f55ecaaee480db732e"),
            (1025, "357dc55de0c7e382c900fd6e320acc04"),
            (2048, "879cf1fa2ea0e79126cb1063617a05b6"),
            (3073, "68dede9bef00ba89e43f31a6825f4cf4"),
        ];
        let prf = Prf::blake3(Key::from_bytes(*b"whats the Elvish word for friend"));
        for (length, expected) in vectors {
            let input: Vec<u8> = (0..=250).cycle().take(length).collect();
            assert_eq!(hex(prf.token(&input)), expected, "{length}");
        }
    }

    /// HMAC pads a short key with zeros and hashes a long one (RFC 2104, section 2), so every key of RFC 4231 has an equivalent key of 32 bytes.
    fn key(bytes: &[u8]) -> Key {
        let mut padded = [0; 32];
        match bytes.len() {
            0..=32 => padded[..bytes.len()].copy_from_slice(bytes),
            65.. => padded.copy_from_slice(&Sha256::digest(bytes)),
            _ => unreachable!("no such case in RFC 4231"),
        }
        Key::from_bytes(padded)
    }

    #[test]
    fn rfc_4231_hmac_sha_256_cases() {
        let long_key = "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.";
        let cases: [(Vec<u8>, Vec<u8>, &str); 7] = [
            (vec![0x0b; 20], b"Hi There".to_vec(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (vec![0xaa; 20], vec![0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (
                unhex("0102030405060708090a0b0c0d0e0f10111213141516171819"),
                vec![0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            // Case 5 is the one that RFC 4231 itself cuts to 128 bits.
            (vec![0x0c; 20], b"Test With Truncation".to_vec(), "a3b6167473100ee06e0c796c2955552b"),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (vec![0xaa; 131], long_key.as_bytes().to_vec(), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
        ];
        for (number, (bytes, data, expected)) in cases.into_iter().enumerate() {
            let prf = Prf::hmac_sha256(&key(&bytes));
            assert_eq!(hex(prf.token(&data)), expected[..32], "case {}", number + 1);
            // The keyed state is reused for every value.
            assert_eq!(hex(prf.token(&data)), expected[..32], "case {} again", number + 1);
        }
    }
}
