//! A secret key.

use super::derive::Domain;
use rand::{CryptoRng, TryRng, rngs::SysRng};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A 256-bit secret. It cannot be copied, printed or serialized, and its memory is wiped when it is dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Key {
    bytes: [u8; 32],
    #[zeroize(skip)]
    origin: KeyOrigin,
}

/// Where a key came from; decides what the report may claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyOrigin {
    /// From a key file with this id: tokens can be reproduced by its holder.
    File {
        /// The id.
        id: String,
    },
    /// From random bits that are used and forgotten: tokens cannot be reproduced by anybody.
    Forgotten,
    /// Given by the caller as bytes.
    Given,
}

impl Key {
    /// A key from given bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes, origin: KeyOrigin::Given }
    }

    /// A key from the operating system's random bits, to be used once and forgotten.
    ///
    /// # Errors
    /// The system has no random bits.
    pub fn forgotten() -> crate::Result<Self> {
        let mut bytes = [0; 32];
        SysRng
            .try_fill_bytes(&mut bytes)
            .map_err(|_| crate::Error::Key { problem: "the system gave no random bits".to_owned(), remedy: "try again".to_owned() })?;
        Ok(Self { bytes, origin: KeyOrigin::Forgotten })
    }

    /// A key from a random generator of the caller's.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self { bytes, origin: KeyOrigin::Given }
    }

    /// The same key with its origin stated.
    #[must_use]
    pub(crate) fn with_origin(mut self, origin: KeyOrigin) -> Self {
        self.origin = origin;
        self
    }

    /// Where it came from.
    #[must_use]
    pub fn origin(&self) -> &KeyOrigin {
        &self.origin
    }

    /// The key of a domain: different domains give independent keys.
    #[must_use]
    pub fn derive(&self, domain: &Domain<'_>) -> Self {
        Self { bytes: domain.expand(&self.bytes), origin: self.origin.clone() }
    }

    /// The secret itself, for the kernels that use it.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("origin", &self.origin).finish_non_exhaustive()
    }
}
