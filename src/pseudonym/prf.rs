//! The keyed functions behind the tokens.

use crate::error::{Error, Result};
use crate::keys::Key;
use crate::policy::PseudonymMethod;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// 128 bits.
pub(super) type Token = [u8; 16];

/// A pseudorandom function of byte strings.
pub(super) enum Prf {
    /// BLAKE3 in keyed mode.
    Blake3(Key),
    /// HMAC-SHA-256 with the key already absorbed, so a value costs two compressions less. Boxed: it is wiped on drop and should not be moved about.
    HmacSha256(Box<Hmac<Sha256>>),
}

impl Prf {
    pub(super) fn new(method: PseudonymMethod, key: Key) -> Result<Self> {
        match method {
            PseudonymMethod::Blake3 => Ok(Self::Blake3(key)),
            PseudonymMethod::HmacSha256 => {
                let keyed = Hmac::new_from_slice(key.expose());
                Ok(Self::HmacSha256(Box::new(
                    keyed.map_err(|_| Error::Key { problem: "not usable for HMAC".to_owned(), remedy: "use a 256-bit key".to_owned() })?,
                )))
            }
            PseudonymMethod::AesSiv => Err(unsupported("aes-siv")),
            PseudonymMethod::AesBlock => Err(unsupported("aes-block")),
            PseudonymMethod::Ff1 => Err(unsupported("ff1")),
            PseudonymMethod::Dense => Err(unsupported("dense")),
        }
    }

    /// The first 128 bits of the output.
    pub(super) fn token(&self, input: &[u8]) -> Token {
        match self {
            Self::Blake3(key) => first_half(blake3::keyed_hash(key.expose(), input).as_bytes()),
            Self::HmacSha256(keyed) => {
                let mut mac = Hmac::<Sha256>::clone(keyed);
                mac.update(input);
                first_half(&mac.finalize().into_bytes().into())
            }
        }
    }
}

fn first_half(output: &[u8; 32]) -> Token {
    let mut token = [0; 16];
    token.copy_from_slice(&output[..16]);
    token
}

fn unsupported(method: &str) -> Error {
    Error::unsupported("pseudonym.method", format!("the method {method}"))
}
