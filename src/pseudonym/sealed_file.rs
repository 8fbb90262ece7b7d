//! Whole files under AES-SIV.

use super::siv::{OVERHEAD, Siv};
use crate::error::{Error, Result};
use crate::keys::{Domain, Key, KeyOrigin, sync_folder};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// Bytes of the key check after the title.
const CHECK: usize = 16;

/// A kind of file that is sealed as a whole: the line it begins with, and the purpose of its keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SealedFile {
    /// First line, with the version and the line end.
    pub(crate) title: &'static [u8],
    /// What the keys are for; no other kind of file has the same.
    pub(crate) purpose: &'static str,
    /// What the file is called in messages.
    pub(crate) name: &'static str,
}

impl SealedFile {
    fn keys(&self, key: &Key) -> (Zeroizing<[u8; 64]>, [u8; CHECK]) {
        let part = |product: &'static str| key.derive(&Domain { product, ..Domain::of(self.purpose) });
        let mut both = Zeroizing::new([0; 64]);
        let (authentication, encryption) = both.split_at_mut(32);
        authentication.copy_from_slice(part("authentication").expose());
        encryption.copy_from_slice(part("encryption").expose());
        let mut check = [0; CHECK];
        check.copy_from_slice(&part("check").expose()[..CHECK]);
        (both, check)
    }

    /// Writes `plain` sealed, in place of what was there: after a crash the file is the old one or the new one. Readable by its owner only (Unix).
    pub(crate) fn write(&self, path: &Path, key: &Key, plain: &[u8]) -> Result<()> {
        if *key.origin() == KeyOrigin::Forgotten {
            return Err(Error::Key {
                problem: format!("{} under a forgotten key could never be opened", self.name),
                remedy: "give a key file".to_owned(),
            });
        }
        let (keys, check) = self.keys(key);
        let mut bytes = [self.title, &check].concat();
        Siv::new(&keys, &[self.title, &check]).seal(plain, &mut bytes);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(|e| Error::io(path, e))?;
        temporary.write_all(&bytes).and_then(|()| temporary.as_file().sync_all()).map_err(|e| Error::io(path, e))?;
        temporary.persist(path).map_err(|e| Error::io(path, e.error))?;
        sync_folder(path).map_err(|e| Error::io(path, e))
    }

    /// Reads and opens the file; `None` if there is none.
    pub(crate) fn read(&self, path: &Path, key: &Key) -> Result<Option<Zeroizing<Vec<u8>>>> {
        match std::fs::metadata(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(path, e)),
            // Opening a pipe would wait for its other end.
            Ok(found) if !found.is_file() => return Err(self.damaged(path, "is not a file")),
            Ok(_) => {}
        }
        let mut bytes = Vec::new();
        File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(|e| Error::io(path, e))?;
        let (keys, check) = self.keys(key);
        let Some(rest) = bytes.strip_prefix(self.title) else { return Err(self.damaged(path, "has another beginning")) };
        let Some((stated, sealed)) = rest.split_at_checked(CHECK) else { return Err(self.damaged(path, "is cut")) };
        if stated != check {
            return Err(Error::Key {
                problem: format!("it is not the one that {} was written with", self.name),
                remedy: "take the key file of this pool".to_owned(),
            });
        }
        let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len().saturating_sub(OVERHEAD)));
        if !Siv::new(&keys, &[self.title, &check]).open(sealed, &mut plain) {
            return Err(self.damaged(path, "was cut or altered"));
        }
        Ok(Some(plain))
    }

    pub(crate) fn damaged(&self, path: &Path, problem: &str) -> Error {
        Error::data(
            path.display().to_string(),
            None,
            format!("{} {problem}", self.name),
            "take the file as it was written last, from a copy",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: SealedFile = SealedFile { title: b"backmask test, version 1\n", purpose: "test file", name: "the test file" };

    #[test]
    fn any_changed_byte_is_noticed_and_nothing_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealed");
        let key = || Key::from_bytes([3; 32]);
        assert!(KIND.read(&path, &key()).unwrap().is_none());
        KIND.write(&path, &key(), b"who is where").unwrap();
        assert_eq!(KIND.read(&path, &key()).unwrap().unwrap().as_slice(), b"who is where");
        assert!(matches!(KIND.read(&path, &Key::from_bytes([4; 32])), Err(Error::Key { .. })));
        let whole = std::fs::read(&path).unwrap();
        assert!(!whole.windows(3).any(|window| window == b"who"));
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert!(KIND.read(&path, &key()).is_err(), "byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(KIND.read(&path, &key()).is_err(), "cut at {at}");
        }
        assert!(matches!(KIND.write(&path, &Key::forgotten().unwrap(), b""), Err(Error::Key { .. })));
    }
}
