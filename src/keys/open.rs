//! Key files and key rings by the same call.

use super::codec::shown;
use super::disk::mistake;
use super::key::Key;
use super::ring::{KeyRing, TITLE};
use crate::error::Result;
use std::path::{Path, PathBuf};

/// Reads a key file or a key ring, whichever the first line says it is.
///
/// ```
/// use backmask::keys::{self, Key, KeyRing};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let (path, ring_path) = (folder.path().join("pool.key"), folder.path().join("pool.ring"));
/// Key::create_file(&path)?;
/// KeyRing::create(&ring_path)?;
/// for path in [path, ring_path] {
///     let key = keys::open(&path)?.active()?;
///     assert!(keys::open(&path)?.key(key.origin().id().unwrap()).is_ok());
///     assert!(keys::open(&path)?.key("0123456789abcdef").is_err());
/// }
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// As of [`Key::from_file`] and [`KeyRing::from_file`].
pub fn open(path: impl AsRef<Path>) -> Result<KeyFile> {
    KeyRing::read(path.as_ref(), |path, text| {
        Ok(KeyFile(if text.starts_with(TITLE) {
            Content::Ring(KeyRing::from_text(path, text)?)
        } else {
            Content::Single { key: Key::from_text(path, text)?, path: path.to_owned() }
        }))
    })
}

/// An opened key file or key ring.
#[derive(Debug)]
pub struct KeyFile(Content);

#[derive(Debug)]
enum Content {
    Single { key: Key, path: PathBuf },
    Ring(KeyRing),
}

impl KeyFile {
    /// The key to make tokens with: that of the file, or the active one of the ring.
    ///
    /// # Errors
    /// [`Error::Key`](crate::Error::Key) if the ring has no active key.
    pub fn active(&self) -> Result<Key> {
        match &self.0 {
            Content::Single { key, .. } => Ok(key.duplicate()),
            Content::Ring(ring) => ring.active(),
        }
    }

    /// The key that tokens were made with, by its id.
    ///
    /// # Errors
    /// [`Error::Key`](crate::Error::Key) if the file has another key, the ring never had it, or it was erased.
    pub fn key(&self, id: &str) -> Result<Key> {
        match &self.0 {
            Content::Single { key, .. } if key.origin().id() == Some(id) => Ok(key.duplicate()),
            Content::Single { key, path } => Err(mistake(
                path,
                &format!(
                    "this is the key of another pool: the file has {}, the tokens were made with {}",
                    shown(key.origin().id().unwrap_or_default()),
                    shown(id)
                ),
                "give the key file or key ring that the tokens were made with",
            )),
            Content::Ring(ring) => ring.key(id),
        }
    }

    /// All keys that are not erased.
    #[must_use]
    pub fn keys(&self) -> Vec<&Key> {
        match &self.0 {
            Content::Single { key, .. } => vec![key],
            Content::Ring(ring) => ring.keys(),
        }
    }

    /// The ring, if it is one.
    #[must_use]
    pub fn ring(&self) -> Option<&KeyRing> {
        match &self.0 {
            Content::Single { .. } => None,
            Content::Ring(ring) => Some(ring),
        }
    }
}
