//! Bytes that can be read again: a file, or a member of an archive.

use crate::error::{Error, Result};
use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes under a name that can be read from their start as often as needed.
pub trait Content: Debug + Send + Sync {
    /// What they are called in messages and in the steward's report: a path, with `!member` inside an archive.
    fn name(&self) -> &str;

    /// A fresh reader from the first byte.
    ///
    /// # Errors
    /// The file is gone or not readable.
    fn open(&self) -> Result<Box<dyn Read + Send>>;

    /// The path, if the bytes are a plain file (formats with random access need one).
    fn path(&self) -> Option<&Path> {
        None
    }
}

/// A plain file.
#[derive(Debug, Clone)]
pub struct PlainFile {
    path: PathBuf,
    name: String,
}

impl PlainFile {
    /// The file at `path`; it is not opened yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.display().to_string();
        Self { path, name }
    }
}

impl Content for PlainFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(&self.path).map_err(|e| Error::io(&self.path, e))?))
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }
}

/// The first bytes of a content, fewer if it is shorter.
pub(super) fn first_bytes(content: &dyn Content, length: u64) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    content.open()?.take(length).read_to_end(&mut head).map_err(|e| Error::io(content.name(), e))?;
    Ok(head)
}

/// A file with random access: the plain file itself, or a copy without a name that vanishes with the process.
pub(super) fn random_access(content: &dyn Content) -> Result<File> {
    if let Some(path) = content.path() {
        return File::open(path).map_err(|e| Error::io(path, e));
    }
    let copy = |mut reader: Box<dyn Read + Send>| -> io::Result<File> {
        let mut file = tempfile::tempfile()?;
        io::copy(&mut reader, &mut file)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    };
    copy(content.open()?).map_err(|e| Error::io(content.name(), e))
}
