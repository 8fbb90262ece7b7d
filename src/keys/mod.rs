//! Keys: where they come from, how subkeys are derived, how they are retired and erased, and how they are kept from leaking.

mod audit;
mod codec;
mod derive;
mod disk;
mod file;
mod key;
mod open;
mod provider;
mod ring;

#[cfg(test)]
#[cfg(target_os = "linux")]
mod traces;

pub use audit::{AuditCheck, AuditEntry, AuditLog};
pub use derive::Domain;
pub(crate) use disk::sync_folder;
pub use key::{Key, KeyOrigin};
pub use open::{KeyFile, open};
pub use provider::KeyProvider;
pub use ring::{KeyEntry, KeyRing, KeyState, Readiness};
