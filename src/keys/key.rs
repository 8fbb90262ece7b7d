//! A secret key.

use super::derive::Domain;
use rand::{CryptoRng, TryRng, rngs::SysRng};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A 256-bit secret. It cannot be copied, printed or serialized, and its memory is wiped when it is dropped.
///
/// ```
/// use backmask::keys::{Domain, Key};
///
/// let key = Key::forgotten()?;
/// let tokens = key.derive(&Domain { product: "people", ..Domain::of("pseudonym") });
/// assert!(!format!("{tokens:?}").contains("bytes"));
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Security
/// A copy would be one more place to leak from:
/// ```compile_fail,E0599
/// let key = backmask::keys::Key::forgotten().unwrap();
/// let copy = key.clone();
/// ```
/// What is serialized ends up in files that nobody protects:
/// ```compile_fail,E0277
/// let key = backmask::keys::Key::forgotten().unwrap();
/// let text = serde_json::to_string(&key);
/// ```
/// Nor can a key be read as part of a policy:
/// ```compile_fail,E0277
/// let key: backmask::keys::Key = serde_json::from_str("[]").unwrap();
/// ```
/// Comparing keys would take a time that depends on them:
/// ```compile_fail,E0369
/// let key = backmask::keys::Key::forgotten().unwrap();
/// let same = key == key;
/// ```
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
        Ok(Self::from_random_bytes(&random_bytes()?, KeyOrigin::Forgotten))
    }

    /// A key from bytes that their holder wipes.
    pub(super) fn from_random_bytes(bytes: &Zeroizing<[u8; 32]>, origin: KeyOrigin) -> Self {
        Self { bytes: **bytes, origin }
    }

    /// A key from a random generator of the caller's.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self { bytes, origin: KeyOrigin::Given }
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

    /// A second owner of the same secret, for a run inside a run; its memory is wiped too.
    pub(crate) fn duplicate(&self) -> Self {
        Self { bytes: self.bytes, origin: self.origin.clone() }
    }

    /// The secret itself, for the kernels that use it.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

/// Bytes from the operating system's random generator.
pub(super) fn random_bytes<const N: usize>() -> crate::Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    SysRng
        .try_fill_bytes(&mut *bytes)
        .map_err(|_| crate::Error::Key { problem: "the system gave no random bits".to_owned(), remedy: "try again".to_owned() })?;
    Ok(bytes)
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("origin", &self.origin).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn nothing_that_is_printed_shows_the_secret() {
        let key = Key::from_bytes([0xa7; 32]);
        for text in [format!("{key:?}"), format!("{key:#?}"), format!("{:?}", key.derive(&Domain::of("p")))] {
            assert!(text.starts_with("Key") && text.contains("Given"), "{text}");
            assert!(!text.contains("167") && !text.to_lowercase().contains("a7"), "{text}");
        }
    }

    #[test]
    fn random_keys_differ() {
        let keys: HashSet<[u8; 32]> = (0..100).map(|_| *Key::forgotten().unwrap().expose()).collect();
        assert_eq!(keys.len(), 100);
        assert_eq!(Key::forgotten().unwrap().origin(), &KeyOrigin::Forgotten);
    }

    #[test]
    fn a_wiped_key_is_zero() {
        let mut key = Key::from_bytes([0xa7; 32]);
        key.zeroize();
        assert_eq!(key.expose(), &[0; 32]);
    }

    #[test]
    fn a_derived_key_keeps_its_origin() {
        let key = Key::from_bytes([1; 32]);
        assert_eq!(key.derive(&Domain::of("p")).origin(), &KeyOrigin::Given);
        assert_ne!(key.derive(&Domain::of("p")).expose(), key.expose());
    }
}
