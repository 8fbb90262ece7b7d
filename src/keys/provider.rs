//! Where keys come from.

use super::key::{CHECK, check_value};
use super::{Domain, Key, KeyOrigin};
use crate::error::Result;
use std::fmt::Debug;

/// Gives the keys of domains: a [`Key`] derives them itself, a key management service answers over its own protocol and keeps the master key to itself.
///
/// A service that computes HMAC-SHA-256 is enough. It gets [`Domain::encode`] and the byte 1 as its message: with the pseudorandom key of HKDF as the service's
/// key, its answer is what [`Key::derive`] gives for the master key (RFC 5869, section 2.3, one block of output), so that keys can move into a service later.
///
/// ```
/// use backmask::keys::{Domain, Key, KeyOrigin, KeyProvider};
/// use hmac::{Hmac, KeyInit, Mac};
/// use sha2::Sha256;
///
/// # let master = [7; 32];
/// /// Stands for the service: another process on another machine. Here the master key lives, and nothing but a MAC comes out.
/// struct Service { key: Hmac<Sha256> }
///
/// impl Service {
///     fn mac(&self, message: &[u8]) -> Option<[u8; 32]> {
///         Some(self.key.clone().chain_update(message).finalize().into_bytes().into())
///     }
/// }
///
/// /// What this program has instead of a key.
/// struct Remote { service: Service }
///
/// impl std::fmt::Debug for Remote {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("Remote") }
/// }
///
/// impl KeyProvider for Remote {
///     fn origin(&self) -> KeyOrigin {
///         KeyOrigin::Provider { id: "listening-2026".to_owned() }
///     }
///
///     fn derive(&self, domain: &Domain<'_>) -> backmask::Result<Key> {
///         let message = [domain.encode(), vec![1]].concat();
///         let answer = self.service.mac(&message).ok_or_else(|| backmask::Error::Key {
///             problem: "the key service does not answer".to_owned(),
///             remedy: "try again when it can be reached".to_owned(),
///         })?;
///         Ok(Key::from_provider(answer, "listening-2026"))
///     }
/// }
///
/// # let extracted = Hmac::<Sha256>::new_from_slice(&[0; 32]).unwrap().chain_update(master).finalize().into_bytes();
/// # let service = Service { key: Hmac::new_from_slice(&extracted).unwrap() };
/// let remote = Remote { service };
/// let domain = Domain { product: "people", ..Domain::of("pseudonym") };
/// let subkey = remote.derive(&domain)?;
/// // The same tokens as with the master key in a file.
/// assert_eq!(subkey.check_value(), Key::from_bytes(master).derive(&domain).check_value());
/// # assert_eq!(remote.check_value()?, Key::from_bytes(master).check_value());
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Security
/// Keys of different domains must be independent to everybody who does not have the master key, and the same domain must always give the same key.
pub trait KeyProvider: Debug + Send + Sync {
    /// Where its keys come from; decides what the report may claim.
    fn origin(&self) -> KeyOrigin;

    /// The key of a domain.
    ///
    /// # Errors
    /// The key cannot be had: a service does not answer, or the key was retired.
    fn derive(&self, domain: &Domain<'_>) -> Result<Key>;

    /// What [`Key::check_value`] gives for the master key.
    ///
    /// # Errors
    /// As of [`derive`](Self::derive).
    fn check_value(&self) -> Result<[u8; 8]> {
        Ok(check_value(&self.derive(&Domain::of(CHECK))?))
    }
}

impl KeyProvider for Key {
    fn origin(&self) -> KeyOrigin {
        Self::origin(self).clone()
    }

    fn derive(&self, domain: &Domain<'_>) -> Result<Key> {
        Ok(Self::derive(self, domain))
    }
}
