//! Where a ledger is kept: the few operations of a file system that durability is built from.

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// A ledger of this size has some hundred thousand entries: more is something else.
const MAX_BYTES: u64 = 256 << 20;

/// The operations of a file system that a ledger needs. What is not synchronized may be lost, whole or in part and in any order, when the machine stops.
pub(super) trait Storage: Debug + Send + Sync {
    /// Waits for the exclusive right to change the ledger at `path`. It ends with the returned value, or with the process.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Debug>>;
    /// The content of a file, as the last finished rename left it.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Makes a file that must not exist. It is not durable yet.
    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()>;
    /// Makes the content of a file durable.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name, in place of the file that had it. It is not durable yet.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file another name, which must be free. It is not durable yet.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in the folder of `path` durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// A hidden file beside `path`: `.name.suffix`.
pub(super) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

/// Whether a name must be free or may be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Former {
    /// There must be none.
    Absent,
    /// It is replaced.
    Replaced,
}

/// Writes the file, whole or not at all, and returns when it is durable. The caller holds the lock.
///
/// The order is what makes it safe: the content is durable before it gets the name, so the name never stands for half a file; and the name is durable before this
/// returns, so nothing is drawn against an entry that a power failure could take back.
pub(super) fn write(storage: &dyn Storage, path: &Path, content: &[u8], former: Former) -> Result<()> {
    let draft = sibling(path, "new");
    let failed = |error| Error::io(path, error);
    // An interrupted write leaves its draft behind.
    match storage.remove(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io(&draft, error)),
        _ => {}
    }
    let named = storage.create(&draft, content).and_then(|()| storage.sync(&draft)).and_then(|()| match former {
        Former::Absent => storage.rename_new(&draft, path),
        Former::Replaced => storage.rename(&draft, path),
    });
    if let Err(error) = named {
        // The draft is of no use; if it cannot be removed either, the next write does.
        let _removed = storage.remove(&draft);
        return Err(failed(error));
    }
    storage.sync_folder(path).map_err(failed)
}

/// The file system of the machine.
#[derive(Debug)]
pub(super) struct Disk;

/// Options for a file that only its owner can read and write.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

impl Storage for Disk {
    /// The lock is on a file of its own, because the ledger itself is exchanged by every entry. It is never removed: whoever waits for it would then wait for another
    /// file than whoever comes next.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Debug>> {
        let file = private().create(true).truncate(false).open(sibling(path, "lock"))?;
        file.lock()?;
        Ok(Box::new(file))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // Opening a pipe would wait for its other end, so the kind of file is looked at first.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidData, "it is not a file"));
        }
        let file = File::open(path)?;
        check_writers(&file)?;
        let mut content = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut content)?;
        if content.len() as u64 > MAX_BYTES {
            return Err(io::Error::new(ErrorKind::InvalidData, "it is too long for a ledger"));
        }
        Ok(content)
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        private().create_new(true).open(path)?.write_all(content)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        check_one_name(to)?;
        std::fs::rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        tempfile::TempPath::try_from_path(from)?.persist_noclobber(to).map_err(|error| error.error)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        crate::keys::sync_folder(path)
    }
}

/// Refuses a ledger that others than its owner may write.
#[cfg(unix)]
fn check_writers(file: &File) -> io::Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata()?.permissions());
    if mode & 0o022 != 0 {
        return Err(io::Error::new(ErrorKind::InvalidData, "others than its owner may write it"));
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
fn check_writers(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Refuses a ledger with a second name: under it the former entries would stay, and could be spent from once more.
#[cfg(unix)]
fn check_one_name(path: &Path) -> io::Result<()> {
    if std::os::unix::fs::MetadataExt::nlink(&std::fs::metadata(path)?) > 1 {
        return Err(io::Error::new(ErrorKind::InvalidData, "it has a second name (a hard link); `find -samefile` finds it, remove it"));
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
fn check_one_name(_path: &Path) -> io::Result<()> {
    Ok(())
}
