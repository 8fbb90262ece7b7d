//! Where keys come from.

use super::{Domain, Key, KeyOrigin};
use crate::error::Result;
use std::fmt::Debug;

/// Gives the keys of domains: a [`Key`] derives them itself, a key management service answers over its own protocol and keeps the master key to itself.
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
}

impl KeyProvider for Key {
    fn origin(&self) -> KeyOrigin {
        Self::origin(self).clone()
    }

    fn derive(&self, domain: &Domain<'_>) -> Result<Key> {
        Ok(Self::derive(self, domain))
    }
}
