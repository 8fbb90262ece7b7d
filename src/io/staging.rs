//! The folder in which a release is made before it is published.

use crate::error::{Error, Result};
use rand::TryRng;
use rand::rngs::SysRng;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Staging folders begin with this, followed by random characters.
const PREFIX: &str = ".staging-";
/// Held locked as long as the run lives; the system releases it when the process ends, however it ends.
const LOCK: &str = "lock";
/// Present from just before the first rename: the run was publishing.
const PUBLISHING: &str = "publishing";
const RELEASE: &str = "release";
const STEWARD: &str = "steward";

/// A hidden folder, readable by its owner only, in which the two folders of a release are filled. [`Staging::publish`] moves them into the
/// output folder at the end. Dropped before that, it removes everything.
///
/// # Guarantee
/// `output/release` appears in one step, complete and on disk, and never without `output/steward`. A run that fails or is killed leaves no
/// `output/release`; what a killed run left in staging is removed by the next [`Staging::new`] on the same output.
///
/// # Examples
/// ```
/// let folder = tempfile::tempdir()?;
/// let staging = backmask::io::Staging::new(folder.path())?;
/// std::fs::write(staging.release().join("people.csv"), "id\n1\n")?;
/// std::fs::write(staging.steward().join("report.json"), "{}")?;
/// assert!(!folder.path().join("release").exists());
/// staging.publish()?;
/// assert!(folder.path().join("release/people.csv").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Staging {
    output: PathBuf,
    folder: PathBuf,
    /// Keeps the lock.
    lock: Option<File>,
    /// Held while the output folder is changed.
    guard: Option<File>,
    /// The output folder did not exist before.
    made_output: bool,
}

impl Staging {
    /// Makes the staging folder inside `output`, which is made too if it does not exist.
    ///
    /// # Errors
    /// The output already has a release; the folder cannot be written.
    pub fn new(output: &Path) -> Result<Self> {
        let made_output = !output.exists();
        if !made_output && !output.is_dir() {
            return Err(Error::policy("--output", "there is a file of this name", "name a folder, an empty or a new one"));
        }
        let guard = make_and_guard(output)?;
        remove_stale(output)?;
        if exists(&output.join(RELEASE))? || exists(&output.join(STEWARD))? {
            return Err(Error::policy(
                "--output",
                "the folder already holds a release",
                "give an empty or new folder, or move its folders release and steward away",
            ));
        }
        // From here on, dropping `staging` cleans up.
        let folder = output.join(format!("{PREFIX}{}", random_suffix().map_err(|e| Error::io(output, e))?));
        let mut staging = Self { output: output.to_owned(), folder, lock: None, guard, made_output };
        make_private_folder(&staging.folder)?;
        let path = staging.folder.join(LOCK);
        let lock = OpenOptions::new().write(true).create_new(true).open(&path).map_err(|e| Error::io(&path, e))?;
        lock.lock().map_err(|e| Error::io(&path, e))?;
        staging.lock = Some(lock);
        // Protected by the folder it is in; once published it has the rights that the user's mask gives.
        fs::create_dir(staging.release()).map_err(|e| Error::io(staging.release(), e))?;
        make_private_folder(&staging.steward())?;
        staging.guard = None;
        Ok(staging)
    }

    /// Where what is handed over is to be written.
    #[must_use]
    pub fn release(&self) -> PathBuf {
        self.folder.join(RELEASE)
    }

    /// Where what stays with the steward is to be written.
    #[must_use]
    pub fn steward(&self) -> PathBuf {
        self.folder.join(STEWARD)
    }

    /// Makes sure that all files are on disk, then moves the steward's folder and lastly the release into the output folder.
    ///
    /// # Errors
    /// A file cannot be brought to disk or a folder cannot be moved; then nothing is published.
    pub fn publish(mut self) -> Result<()> {
        sync_tree(&self.release())?;
        sync_tree(&self.steward())?;
        self.guard = guard(&self.output);
        let (release, steward) = (self.output.join(RELEASE), self.output.join(STEWARD));
        if exists(&release)? || exists(&steward)? {
            return Err(published_meanwhile());
        }
        let mark = self.folder.join(PUBLISHING);
        File::create(&mark).and_then(|file| file.sync_all()).map_err(|e| Error::io(&mark, e))?;
        sync_folder(&self.folder)?;
        let published = rename(&self.steward(), &steward)
            .and_then(|()| sync_folder(&self.output))
            .and_then(|()| rename(&self.release(), &release))
            .and_then(|()| sync_folder(&self.output));
        if published.is_err() {
            // Back in the opposite order, so that dropping `self` removes both. A folder that was not moved yet cannot be moved back.
            let _ = fs::rename(&release, self.release());
            let _ = fs::rename(&steward, self.steward());
        }
        published
    }
}

/// Makes the output folder if it does not exist, and takes its guard.
fn make_and_guard(output: &Path) -> Result<Option<File>> {
    // Another run may remove a folder that it made and left empty, until the guard is taken.
    for _ in 0..100 {
        fs::create_dir_all(output).map_err(|e| Error::io(output, e))?;
        let guard = guard(output);
        if output.is_dir() {
            return Ok(guard);
        }
    }
    Err(Error::io(output, io::ErrorKind::NotFound.into()))
}

/// Keeps other runs from changing the output folder until it is dropped: without it, one run could take a staging folder that another is just making
/// or removing for one that a killed run left. Some file systems cannot lock folders; there such a run may fail, but nothing is published by halves.
fn guard(output: &Path) -> Option<File> {
    let folder = File::open(output).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|e| match e.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => published_meanwhile(),
        _ => Error::io(to, e),
    })
}

fn published_meanwhile() -> Error {
    Error::policy("--output", "another run has published there meanwhile", "give another folder")
}

impl Drop for Staging {
    fn drop(&mut self) {
        // There is nobody to tell an error to; the next run on this output removes what is left.
        let _guard = self.guard.take().or_else(|| guard(&self.output));
        let _ = fs::remove_dir_all(&self.folder);
        self.lock = None;
        if self.made_output {
            // Only succeeds when it is empty.
            let _ = fs::remove_dir(&self.output);
        }
    }
}

/// Removes what killed runs left behind. Folders of runs that are alive are locked and left alone.
fn remove_stale(output: &Path) -> Result<()> {
    for entry in fs::read_dir(output).map_err(|e| Error::io(output, e))? {
        let entry = entry.map_err(|e| Error::io(output, e))?;
        let folder = entry.path();
        let ours = entry.file_name().to_str().is_some_and(is_staging_name);
        if !ours || !entry.file_type().map_err(|e| Error::io(&folder, e))?.is_dir() {
            continue;
        }
        let path = folder.join(LOCK);
        let lock = match OpenOptions::new().write(true).open(&path) {
            Ok(lock) => match lock.try_lock() {
                Ok(()) => Some(lock),
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(e)) => return Err(Error::io(&path, e)),
            },
            // Killed before it had a lock, or while it was being removed.
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::io(&path, e)),
        };
        let (release, steward) = (output.join(RELEASE), output.join(STEWARD));
        if exists(&folder.join(PUBLISHING))? && !exists(&release)? && exists(&steward)? {
            // Killed between the two renames: its steward's folder belongs to a release that never appeared.
            fs::remove_dir_all(&steward).map_err(|e| Error::io(&steward, e))?;
        }
        fs::remove_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
        drop(lock);
    }
    Ok(())
}

fn is_staging_name(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn exists(path: &Path) -> Result<bool> {
    // A dangling link counts as present.
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::io(path, e)),
    }
}

fn make_private_folder(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|e| Error::io(path, e))
}

/// Brings a folder and all that is in it to disk.
fn sync_tree(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let entry = entry.map_err(|e| Error::io(folder, e))?;
        let path = entry.path();
        if entry.file_type().map_err(|e| Error::io(&path, e))?.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(&path).and_then(|file| file.sync_all()).map_err(|e| Error::io(&path, e))?;
        }
    }
    sync_folder(folder)
}

/// Brings the entries of a folder to disk, where the system can do that.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(folder).and_then(|file| file.sync_all()).map_err(|e| Error::io(folder, e))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Sixteen random hexadecimal digits for a temporary name.
pub(super) fn random_suffix() -> io::Result<String> {
    let number = SysRng.try_next_u64().map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(format!("{number:016x}"))
}
