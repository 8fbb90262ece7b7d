//! A file that gets its name when it is complete.

use super::Written;
use crate::error::{Error, Result};
use crate::io::staging::{random_suffix, sync_folder};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

const BUFFER: usize = 1 << 20;
const INFIX: &str = ".partial-";

/// A file under a temporary name. It remembers the system's own error, because the format writers wrap errors in their own texts.
#[derive(Debug)]
pub(super) struct Output {
    writer: BufWriter<Recorder>,
    place: Place,
}

/// Where the file is and is to be. Dropped, it removes the temporary file.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    temporary: PathBuf,
    done: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.done {
            // There is nobody to tell an error to.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[derive(Debug)]
struct Recorder {
    file: File,
    bytes: u64,
    failure: Failure,
}

/// The first error of the system, if there was one.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<io::Error>>>);

impl Failure {
    /// The system's error as an error about `path`, else `other`.
    pub(super) fn or(&self, path: &Path, other: Error) -> Error {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(other, |cause| Error::io(path, cause))
    }
}

impl Output {
    /// Makes the temporary file beside `path`. Temporary files for the same path that a killed run left are removed.
    pub(super) fn create(path: &Path, private: bool) -> Result<Self> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Error::io(path, io::Error::from(io::ErrorKind::InvalidFilename)));
        };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(name);
        prefix.push(INFIX);
        remove_stale(folder, &prefix);
        let mut temporary = prefix;
        temporary.push(random_suffix().map_err(|e| Error::io(path, e))?);
        let temporary = folder.join(temporary);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if private {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        #[cfg(not(unix))]
        let _ = private;
        let file = options.open(&temporary).map_err(|e| Error::io(path, e))?;
        // Tells other runs that this one is alive. A file system without locks only loses the tidying.
        let _ = file.try_lock();
        Ok(Self::over(file, path.to_owned(), temporary))
    }

    fn over(file: File, path: PathBuf, temporary: PathBuf) -> Self {
        let recorder = Recorder { file, bytes: 0, failure: Failure::default() };
        Self { writer: BufWriter::with_capacity(BUFFER, recorder), place: Place { path, temporary, done: false } }
    }

    /// An output on a device that is always full.
    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn full() -> io::Result<Self> {
        let file = OpenOptions::new().write(true).open("/dev/full")?;
        Ok(Self::over(file, PathBuf::from("/dev/full"), PathBuf::from("/nonexistent/temporary")))
    }

    pub(super) fn path(&self) -> &Path {
        &self.place.path
    }

    pub(super) fn failure(&self) -> Failure {
        self.writer.get_ref().failure.clone()
    }

    /// Writes bytes; for the formats that are written here.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).map_err(|e| Error::io(&self.place.path, e))
    }

    /// Brings everything to disk and gives the file its name.
    pub(super) fn finish(mut self, rows: u64) -> Result<Written> {
        let path = self.place.path.clone();
        let at = |e| Error::io(&path, e);
        self.writer.flush().map_err(at)?;
        let recorder = self.writer.get_ref();
        recorder.file.sync_all().map_err(at)?;
        let bytes = recorder.bytes;
        if recorder.file.metadata().map_err(at)?.len() != bytes {
            return Err(at(io::Error::from(io::ErrorKind::WriteZero)));
        }
        fs::rename(&self.place.temporary, &path).map_err(at)?;
        self.place.done = true;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Err(error) = sync_folder(folder) {
            // Not on disk for sure: take it back.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Written { path, rows, bytes })
    }
}

fn remove_stale(folder: &Path, prefix: &std::ffi::OsStr) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name
            .as_encoded_bytes()
            .strip_prefix(prefix.as_encoded_bytes())
            .is_some_and(|rest| rest.len() == 16 && rest.iter().all(u8::is_ascii_hexdigit));
        if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let free = OpenOptions::new().write(true).open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
            if free {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.writer.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Write for Recorder {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let result = self.file.write(buffer);
        match &result {
            Ok(length) => self.bytes += *length as u64,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                let copy = error.raw_os_error().map_or_else(|| io::Error::from(error.kind()), io::Error::from_raw_os_error);
                self.failure.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(copy);
            }
            Err(_) => {}
        }
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
