//! Keys: where they come from, how subkeys are derived, and how they are kept from leaking.

mod derive;
mod file;
mod key;
mod provider;

pub use derive::Domain;
pub use key::{Key, KeyOrigin};
pub use provider::KeyProvider;
