//! Key rings: several keys of one pool, of which one makes tokens.

mod format;
mod update;

pub(super) use format::TITLE;

use super::codec::shown;
use super::disk::{Secret, mistake};
use super::key::Key;
use crate::error::{Error, Result};
use std::fmt;
use std::path::{Path, PathBuf};

/// The keys of a pool over time, in a file that only its owner can read.
///
/// At most one key is active: it makes new tokens. When it is followed by another one it is retired: tokens that it made can still be reversed and made again. When
/// it is erased, nobody can do that any more; its id stays, so that a refusal can say why.
///
/// ```
/// use backmask::keys::{KeyRing, KeyState, Readiness};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("pool.ring");
/// let mut ring = KeyRing::create(&path)?;
/// let first = ring.active()?.origin().id().unwrap().to_owned();
/// let second = ring.rotate()?;
/// assert_eq!(ring.entries().map(|entry| entry.state).collect::<Vec<_>>(), [KeyState::Retired, KeyState::Active]);
/// ring.key(&first)?; // for tokens of former releases
///
/// assert_eq!(ring.erase(&first)?, Readiness::Ready { active: second.clone() });
/// assert!(ring.key(&first).unwrap_err().to_string().contains("was erased"));
/// assert_eq!(ring.retire(&second)?, Readiness::NeedsRotation, "nothing is left to make tokens with");
/// assert!(ring.active().is_err());
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// The file is exchanged as a whole: a reader sees the former ring or the new one, also after a crash. Updates from several threads or processes happen one after
/// the other, each on top of what the others wrote (a lock on the file `.NAME.lock` beside the ring), so no key is lost. After [`erase`](Self::erase) the file and
/// its folder hold nothing of the secret, and the bytes of the former file were overwritten where the file system does that in place.
///
/// # Security
/// Copies know nothing of an erasure: backups, snapshots, a file system or a disk that writes elsewhere instead of over, a process that still has the key. Keep rings
/// out of backups, or count a key as erased when the last backup is gone.
///
/// A ring cannot be cloned, nor printed, serialized or compared:
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// let ring = backmask::keys::KeyRing::create(folder.path().join("ring")).unwrap();
/// let copy = ring.entries().cloned().collect::<Vec<_>>();
/// ```
/// ```compile_fail,E0599
/// # let folder = tempfile::tempdir().unwrap();
/// let ring = backmask::keys::KeyRing::create(folder.path().join("ring")).unwrap();
/// let copy = ring.clone();
/// ```
pub struct KeyRing {
    /// The file itself, behind all links.
    path: PathBuf,
    entries: Vec<Entry>,
}

/// A key and what is known of it.
struct Entry {
    entry: KeyEntry,
    /// `None` if it was erased.
    key: Option<Key>,
}

/// What is known of a key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyEntry {
    /// 16 hexadecimal digits.
    pub id: String,
    /// Date and time of its creation, RFC 3339.
    pub created: String,
    /// What it may be used for.
    pub state: KeyState,
    /// When it was retired, RFC 3339.
    pub retired: Option<String>,
    /// When it was erased, RFC 3339.
    pub erased: Option<String>,
}

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Making tokens, reversing them and making them again.
    Active,
    /// Reversing tokens and making them again, for releases that it was used for before.
    Retired,
    /// Nothing: its secret is gone.
    Erased,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Erased => "erased",
        })
    }
}

/// Whether new tokens can be made with a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a ring without an active key makes no tokens until it is rotated"]
pub enum Readiness {
    /// With its active key.
    Ready {
        /// The id of the active key.
        active: String,
    },
    /// Not before [`KeyRing::rotate`]: the last active key was retired or erased.
    NeedsRotation,
}

impl KeyRing {
    /// Reads a ring.
    ///
    /// # Errors
    /// [`Error::Key`] if there is no such file, others than its owner may read or write it (Unix), or it is not a whole, undamaged key ring of version 1. The
    /// message never holds anything from the file. [`Error::Io`] if it cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        Self::read(path.as_ref(), Self::from_text)
    }

    /// Reads a file of keys and has its text understood. Again, if another file took its name meanwhile: what was read may be wiped.
    pub(super) fn read<T>(path: &Path, understand: impl Fn(&Path, &str) -> Result<T>) -> Result<T> {
        for _ in 0..8 {
            let secret = Secret::read(path)?;
            match understand(path, secret.text()) {
                Err(_) if secret.was_exchanged(path) => {}
                outcome => return outcome,
            }
        }
        Err(mistake(path, "it changed whenever it was read", "wait until nobody changes it, and try again"))
    }

    /// Reads the text of a ring.
    pub(super) fn from_text(path: &Path, text: &str) -> Result<Self> {
        let entries = format::parse(text).map_err(|damage| mistake(path, damage.problem(), damage.remedy()))?;
        // An update must exchange the file and not a link to it, or the former file stays where the link led.
        let path = std::fs::canonicalize(path).map_err(|error| Error::io(path, error))?;
        Ok(Self { path, entries })
    }

    /// The active key, to make tokens with.
    ///
    /// # Errors
    /// [`Error::Key`] if there is none: the last one was retired or erased.
    pub fn active(&self) -> Result<Key> {
        let active = self.entries.iter().find(|entry| entry.entry.state == KeyState::Active);
        active.and_then(|entry| entry.key.as_ref()).map(Key::duplicate).ok_or_else(|| {
            mistake(
                &self.path,
                "the ring has no active key: the last one was retired or erased",
                "make a new one with `KeyRing::rotate` (`keygen --ring FILE --rotate`); tokens will then be different ones",
            )
        })
    }

    /// The key with an id, active or retired, for tokens that it made before: reverse them or make them again.
    ///
    /// # Errors
    /// [`Error::Key`] if the ring never had it, or it was erased.
    pub fn key(&self, id: &str) -> Result<Key> {
        let entry = self.find(id)?;
        entry.key.as_ref().map(Key::duplicate).ok_or_else(|| {
            mistake(
                &self.path,
                &format!("{} was erased on {}", shown(id), entry.entry.erased.as_deref().unwrap_or_default()),
                "its tokens can no longer be reversed or made again; make new ones with the active key",
            )
        })
    }

    /// All keys that are not erased, the oldest first.
    #[must_use]
    pub fn keys(&self) -> Vec<&Key> {
        self.entries.iter().filter_map(|entry| entry.key.as_ref()).collect()
    }

    /// What is known of every key, the oldest first. No secrets.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &KeyEntry> {
        self.entries.iter().map(|entry| &entry.entry)
    }

    /// Whether it has an active key.
    pub fn readiness(&self) -> Readiness {
        let active = self.entries().find(|entry| entry.state == KeyState::Active);
        active.map_or(Readiness::NeedsRotation, |entry| Readiness::Ready { active: entry.id.clone() })
    }

    fn find(&self, id: &str) -> Result<&Entry> {
        self.entries.iter().find(|entry| entry.entry.id == id).ok_or_else(|| {
            mistake(
                &self.path,
                &format!("the ring has no key with {}", shown(id)),
                "take the ring of the pool that the tokens were made from; `keygen --ring FILE --list` shows its ids",
            )
        })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("entries", &self.entries().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A file that another one replaces while it is read is read again; one that stays is not.
    #[cfg(unix)]
    #[test]
    fn a_file_that_is_exchanged_while_it_is_read_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (path, new) = (folder.path().join("ring"), folder.path().join("new"));
        KeyRing::create(&path).unwrap();
        let count = Cell::new(0);
        let read = |exchanges: usize| {
            count.set(0);
            KeyRing::read(&path, |path, text| {
                count.set(count.get() + 1);
                if count.get() <= exchanges {
                    KeyRing::create(&new)?;
                    std::fs::rename(&new, path).unwrap();
                    return KeyRing::from_text(path, "");
                }
                KeyRing::from_text(path, text)
            })
        };
        assert_eq!(read(0).map(|ring| ring.entries.len()).unwrap(), 1);
        assert_eq!(count.get(), 1);
        assert_eq!(read(3).map(|ring| ring.entries.len()).unwrap(), 1);
        assert_eq!(count.get(), 4);
        assert!(read(usize::MAX).unwrap_err().to_string().contains("try again"));
        std::fs::write(&path, "backmask key ring, version 1\n").unwrap();
        assert!(read(0).unwrap_err().to_string().contains("checksum"));
        assert_eq!(count.get(), 1);
    }
}
