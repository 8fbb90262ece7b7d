//! The random bits of a release, and those of an experiment.

use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use rand::SeedableRng;
use rand::rngs::{ChaCha20Rng, SysRng};

/// A `ChaCha20` generator with 256 bits of the operating system as its seed: for releases.
///
/// ```
/// use backmask::dp::mechanism::release_rng;
/// use rand::Rng;
///
/// assert_ne!(release_rng()?.next_u64(), release_rng()?.next_u64());
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// The operating system has no random bits to give.
///
/// # Security
/// A copy of it draws the same noise: it must not be cloned, and a process that is copied in the middle of a release (a snapshot of a virtual machine) must not go on twice.
pub fn release_rng() -> Result<ChaCha20Rng> {
    ChaCha20Rng::try_from_rng(&mut SysRng)
        .map_err(|_| Error::Parameter { name: "random bits", problem: "must come from the operating system, which gave none".to_owned() })
}

/// A generator that draws the same noise again for the same key and label: for tests and experiments on data that is public anyway.
///
/// ```
/// use backmask::dp::mechanism::reproducible_rng;
/// use backmask::keys::Key;
/// use rand::Rng;
///
/// let key = Key::from_bytes([7; 32]);
/// assert_eq!(reproducible_rng(&key, "a").next_u64(), reproducible_rng(&key, "a").next_u64());
/// assert_ne!(reproducible_rng(&key, "a").next_u64(), reproducible_rng(&key, "b").next_u64());
/// ```
///
/// # Security
/// Whoever has the key can subtract the noise; and a second release with the same label, of a pool that has changed, shows the change without noise. A release that is drawn from it
/// is marked as reproducible in its report.
#[must_use]
pub fn reproducible_rng(key: &Key, label: &str) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(*key.derive(&Domain { product: label, ..Domain::of("reproducible noise") }).expose())
}
