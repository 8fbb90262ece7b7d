//! Files with secrets: who may read them, how they are read, exchanged and wiped.

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A ring of more than 50,000 keys is something else.
pub(super) const MAX_BYTES: u64 = 16 << 20;

/// An error about the file at `path`.
pub(super) fn mistake(path: &Path, problem: &str, remedy: &str) -> Error {
    Error::Key { problem: format!("{}: {problem}", path.display()), remedy: remedy.to_owned() }
}

/// The content of a file with secrets, and which file it was.
pub(super) struct Secret {
    bytes: Zeroizing<Vec<u8>>,
    identity: (u64, u64),
}

impl Secret {
    /// Reads a whole file that only its owner may read.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let missing = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => mistake(path, "there is no such file", "make one with the example `keygen`, or correct the path"),
            _ => Error::io(path, error),
        };
        // Opening a pipe would wait for its other end, so the kind of file is looked at first. Links are followed.
        if !std::fs::metadata(path).map_err(missing)?.is_file() {
            return Err(mistake(path, "it is not a file", "give the path of a key file or key ring"));
        }
        let mut file = File::open(path).map_err(missing)?;
        // The open file is asked, so that it cannot be exchanged in between.
        let metadata = file.metadata().map_err(|error| Error::io(path, error))?;
        check_access(path, &metadata)?;
        if metadata.len() > MAX_BYTES {
            return Err(mistake(path, "it is too long for a key file or key ring", "give a file made by the example `keygen`"));
        }
        // One allocation of the full size: a growing one would leave copies of the secret in freed memory. One byte more shows that a file grew.
        let mut bytes = Zeroizing::new(vec![0; usize::try_from(metadata.len()).unwrap_or(usize::MAX).saturating_add(1)]);
        let mut length = 0;
        while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match file.read(rest) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(path, error)),
            }
        }
        if length == bytes.len() {
            return Err(mistake(path, "it grew while it was read", "wait until nobody writes it, and try again"));
        }
        bytes.truncate(length);
        Ok(Self { bytes, identity: identity(&metadata) })
    }

    /// The text; empty if it is not UTF-8.
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// Whether another file has taken the name since.
    pub(super) fn was_exchanged(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|metadata| identity(&metadata) != self.identity)
    }
}

/// Which file it is, whatever its name.
#[cfg(unix)]
pub(super) fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

/// Open files cannot be exchanged there.
#[cfg(not(unix))]
pub(super) fn identity(_metadata: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// Refuses a file that anybody but its owner has a right to.
#[cfg(unix)]
fn check_access(path: &Path, metadata: &Metadata) -> Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    if mode & 0o077 != 0 {
        return Err(mistake(
            path,
            &format!("others than its owner have rights on it (mode {:03o})", mode & 0o777),
            &format!("take them away with `chmod 600`, and make a new key if others may have read it: {}", path.display()),
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
fn check_access(_path: &Path, _metadata: &Metadata) -> Result<()> {
    Ok(())
}

/// Refuses a file with a second name: an update would leave the former content under it.
#[cfg(unix)]
pub(super) fn check_one_name(path: &Path) -> Result<()> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    if std::os::unix::fs::MetadataExt::nlink(&metadata) > 1 {
        return Err(mistake(
            path,
            "it has a second name (a hard link), under which the former keys would stay",
            "remove the other name: `find -samefile` finds it",
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
pub(super) fn check_one_name(_path: &Path) -> Result<()> {
    Ok(())
}

/// Options for a new file that only its owner can read.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the new name of a file durable.
#[cfg(unix)]
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
pub(crate) fn sync_folder(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// A hidden file beside `path`: `.name.suffix`.
fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

/// The right to change the file at a path, held by one process and thread at a time.
///
/// The lock is on a file of its own, because the file itself is exchanged by every update. It is never removed: whoever waits for it would then wait for another
/// file than whoever comes next.
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Waits until nobody else has it.
    pub(super) fn on(path: &Path) -> Result<Self> {
        let name = sibling(path, "lock");
        let mut options = private();
        options.create_new(false).create(true).truncate(false);
        let file = options.open(&name).and_then(|file| file.lock().map(|()| file)).map_err(|error| Error::io(&name, error))?;
        Ok(Self { path: path.to_owned(), _file: file })
    }

    /// Writes the file, whole or not at all.
    ///
    /// Whoever opens the path sees the former or the new content. What an interrupted write left behind is wiped first.
    pub(super) fn write(&self, content: &[u8], former: Former) -> Result<()> {
        let name = sibling(&self.path, "new");
        let failed = |error| Error::io(&self.path, error);
        wipe_leftover(&name).map_err(|error| Error::io(&name, error))?;
        // Opened before its name is gone.
        let erased = if former == Former::Wiped { OpenOptions::new().write(true).open(&self.path).ok() } else { None };
        let mut file = private().open(&name).map_err(failed)?;
        // Removes the file unless it gets its name.
        let guard = tempfile::TempPath::try_from_path(&name).map_err(failed)?;
        file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
        drop(file);
        match former {
            Former::None => guard.persist_noclobber(&self.path).map_err(|error| match error.error.kind() {
                ErrorKind::AlreadyExists => exists(&self.path),
                _ => failed(error.error),
            })?,
            Former::Kept | Former::Wiped => guard.persist(&self.path).map_err(|error| failed(error.error))?,
        }
        sync_folder(&self.path).map_err(failed)?;
        if let Some(file) = erased {
            // A second line: the name is gone, and most file systems now forget the bytes too. Where they cannot be overwritten, nothing is lost.
            let _wiped = wipe(file);
        }
        Ok(())
    }
}

/// What becomes of the former content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Former {
    /// There must be none.
    None,
    /// It goes the way of every replaced file.
    Kept,
    /// It is overwritten with zeros.
    Wiped,
}

pub(super) fn exists(path: &Path) -> Error {
    mistake(path, "the file exists already", "choose another name; a key is never overwritten")
}

/// Removes what an interrupted write left behind: it may hold keys that are erased by now.
fn wipe_leftover(path: &Path) -> std::io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) => {
            if metadata.is_file() {
                let _wiped = OpenOptions::new().write(true).open(path).and_then(wipe);
            }
            std::fs::remove_file(path)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Overwrites a file with zeros, in place.
fn wipe(mut file: File) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    std::io::copy(&mut std::io::repeat(0).take(length), &mut file)?;
    file.sync_all()
}
