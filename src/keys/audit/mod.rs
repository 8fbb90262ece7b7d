//! A record of who reversed tokens and why.

mod line;

use super::disk::{identity, mistake, private, sync_folder};
use super::{KeyProvider, codec};
use crate::error::{Error, Result};
use line::{Line, MAX_LINE, START, hash_of};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file to which every reversal of tokens appends one line of JSON, before it happens.
///
/// A line has the time (RFC 3339), the user's name as the environment gives it (`USER` or `LOGNAME`; nobody checks it), the reason, the columns, the input, the number
/// of rows and the id of the key. It carries the BLAKE3 hash of the line before it, and a seal: keyed BLAKE3 of the whole line, hash included, under a subkey of the
/// key that reversed (purpose `audit log`).
///
/// ```
/// use backmask::keys::{AuditEntry, AuditLog, Key};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("reversals.jsonl");
/// # let key = Key::forgotten()?;
/// let log = AuditLog::open(&path)?;
/// let entry = AuditEntry {
///     reason: "a person asked for the rows about them, request 17".to_owned(),
///     columns: vec!["subject_id".to_owned()],
///     input: "people.parquet".to_owned(),
///     rows: 3,
/// };
/// assert_eq!(log.append(&key, &entry)?, 1); // from here on the tokens may be reversed
///
/// assert_eq!(log.verify(&[&key])?.lines, 1);
/// let changed = std::fs::read_to_string(&path).unwrap().replace("request 17", "request 18");
/// std::fs::write(&path, changed).unwrap();
/// assert!(log.verify(&[&key]).is_err());
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// When [`append`](Self::append) returns, the line is on the disk. Lines of several threads or processes come one after the other. Whoever does not have the keys
/// cannot change, remove, swap or insert a line before the last one without [`verify`](Self::verify) finding it.
///
/// # Security
/// Lines removed *from the end* are noticed only by somebody who remembers how many there were (and the hash of the last one, [`AuditCheck::last`]): note both where
/// the log's user cannot write. The same holds for a log that is removed altogether. Whoever has the keys can write the whole log anew, and whoever can reverse tokens
/// can do so without this crate: the log keeps honest people's records, it binds nobody. Lines of erased keys are still held by the seal of a later line.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
}

/// What is recorded of a reversal, beside time, user and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Why: one line of 1 to 1000 characters.
    pub reason: String,
    /// The columns whose tokens are reversed.
    pub columns: Vec<String>,
    /// The input, as the user named it.
    pub input: String,
    /// Number of its rows.
    pub rows: u64,
}

/// What [`AuditLog::verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditCheck {
    /// Number of lines. Fewer than remembered: lines were removed from the end.
    pub lines: u64,
    /// How many of them have a seal that could not be checked, because their key was not given. Only 0 says that nobody without the keys wrote any of them.
    pub unsealed: u64,
    /// BLAKE3 of the last line: 64 hexadecimal digits.
    pub last: String,
}

impl AuditLog {
    /// Opens a log, or makes an empty one (mode 0600 on Unix).
    ///
    /// # Errors
    /// [`Error::Key`] if it is not a file or others than its owner may write it (Unix); [`Error::Io`] if it cannot be opened or made.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        match private().open(path) {
            Ok(file) => file.sync_all().and_then(|()| sync_folder(path)).map_err(|error| Error::io(path, error))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io(path, error)),
        }
        let log = Self { path: path.to_owned() };
        log.file(OpenOptions::new().append(true))?;
        Ok(log)
    }

    /// Records a reversal with `key`, and returns the number of its line, from 1. Do not reverse anything unless it succeeds.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the reason is empty, longer than 1000 characters or not one line of plain text, or the whole line is longer than 1 MiB.
    /// [`Error::Data`] if the last line is damaged or incomplete. [`Error::Io`] if the line cannot be written; what was written of it is taken back.
    /// The errors of the key provider.
    pub fn append(&self, key: &dyn KeyProvider, entry: &AuditEntry) -> Result<u64> {
        check_reason(&entry.reason)?;
        let subkey = line::subkey(key)?;
        let origin = key.origin();
        let mut file = self.locked()?;
        let failed = |error| Error::io(&self.path, error);
        let length = file.metadata().map_err(failed)?.len();
        let (before, previous) = self.last_line(&mut file, length)?;
        let number = before.saturating_add(1);
        let text = Line::new(number, entry, user().as_deref(), origin.id(), &previous).sealed(&subkey)?;
        if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
            // Should this fail too, the incomplete line is found by the next call.
            let _taken_back = file.set_len(length).and_then(|()| file.sync_all());
            return Err(failed(error));
        }
        Ok(number)
    }

    /// Checks every line: that it follows the one before, and its seal if its key is among `keys`. Without keys only accidents are found, because anybody can
    /// compute the hashes anew.
    ///
    /// # Errors
    /// [`Error::Data`] with the number of the first line that is broken; [`Error::Io`]; the errors of a key provider.
    pub fn verify(&self, keys: &[&dyn KeyProvider]) -> Result<AuditCheck> {
        let mut subkeys = Vec::with_capacity(keys.len());
        for key in keys {
            subkeys.push((key.origin().id().map(str::to_owned), line::subkey(*key)?));
        }
        let file = self.file(OpenOptions::new().read(true))?;
        // No line is half written while this holds; writers wait.
        file.lock_shared().map_err(|error| Error::io(&self.path, error))?;
        let mut reader = BufReader::new(&file);
        let (mut check, mut text) = (AuditCheck { lines: 0, unsealed: 0, last: hash_of(START) }, Vec::new());
        loop {
            text.clear();
            let count = (&mut reader).take(MAX_LINE + 1).read_until(b'\n', &mut text).map_err(|error| Error::io(&self.path, error))?;
            if count == 0 {
                return Ok(check);
            }
            check.lines = check.lines.saturating_add(1);
            let broken = |problem: &str| self.broken(Some(check.lines), problem);
            let line = Line::read(&text).map_err(broken)?;
            if line.number != check.lines {
                return Err(broken("its number is not that of its place: lines were removed, added or swapped"));
            }
            if line.previous != check.last {
                return Err(broken("it does not follow the line before: one of the two was changed, or lines were exchanged"));
            }
            // Several keys that were given as bytes have no id; one of them must fit.
            let mut candidates = subkeys.iter().filter(|(id, _)| id.as_deref() == line.key_id.as_deref()).peekable();
            if candidates.peek().is_none() {
                check.unsealed = check.unsealed.saturating_add(1);
            } else if !candidates.any(|(_, subkey)| Line::is_sealed(&text, subkey)) {
                return Err(broken("its seal is not that of its key: it was changed, or written with another key"));
            }
            check.last = hash_of(&text);
        }
    }

    /// The number and the hash of the last line.
    fn last_line(&self, file: &mut File, length: u64) -> Result<(u64, String)> {
        if length == 0 {
            return Ok((0, hash_of(START)));
        }
        // One byte more than a line: the line feed of the line before.
        let window = length.min(MAX_LINE + 1);
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(length - window))
            .and_then(|_| file.take(window).read_to_end(&mut text))
            .map_err(|error| Error::io(&self.path, error))?;
        let body = text.strip_suffix(b"\n").ok_or_else(|| self.broken(None, "the last line is incomplete: its writing was interrupted"))?;
        let start = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let last = text.get(start..).unwrap_or_default();
        let line = Line::read(last).map_err(|problem| self.broken(None, &format!("the last line is damaged: {problem}")))?;
        Ok((line.number, hash_of(last)))
    }

    fn broken(&self, line: Option<u64>, problem: &str) -> Error {
        let remedy = "keep the log as it is, find out who wrote to it, and begin a new one under another name";
        Error::data(self.path.display().to_string(), line, problem, remedy)
    }

    /// The file of the log, to append to, when nobody else does.
    fn locked(&self) -> Result<File> {
        loop {
            let file = self.file(OpenOptions::new().read(true).append(true))?;
            let failed = |error| Error::io(&self.path, error);
            file.lock().map_err(failed)?;
            // While this waited, the log may have been moved away and begun anew.
            let (opened, named) = (file.metadata().map_err(failed)?, std::fs::metadata(&self.path).map_err(failed)?);
            if identity(&opened) == identity(&named) {
                return Ok(file);
            }
        }
    }

    fn file(&self, options: &OpenOptions) -> Result<File> {
        let failed = |error| Error::io(&self.path, error);
        // Opening a pipe would wait for its other end.
        if !std::fs::metadata(&self.path).map_err(failed)?.is_file() {
            return Err(mistake(&self.path, "it is not a file", "give the path of an audit log"));
        }
        let file = options.open(&self.path).map_err(failed)?;
        check_writers(&self.path, &file)?;
        Ok(file)
    }
}

/// Refuses a log that others than its owner may write. Reading is for the steward to allow.
#[cfg(unix)]
fn check_writers(path: &Path, file: &File) -> Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().map_err(|error| Error::io(path, error))?.permissions());
    if mode & 0o022 != 0 {
        return Err(mistake(
            path,
            "others than its owner may write to the log",
            "take the right away with `chmod go-w`, and verify the log",
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
fn check_writers(_path: &Path, _file: &File) -> Result<()> {
    Ok(())
}

/// The name of the user as the environment has it, if it is one.
fn user() -> Option<String> {
    let name = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty() && name.len() <= 256 && !name.chars().any(disturbs));
    name("USER").or_else(|| name("LOGNAME"))
}

/// Characters that would let a text look like another one or like several lines: controls, line and paragraph separators, changes of direction.
fn disturbs(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A reason that says something, in one line.
fn check_reason(reason: &str) -> Result<()> {
    let problem = if reason.trim().is_empty() {
        "must say why, it is empty"
    } else if reason.chars().count() > 1000 {
        "must have at most 1000 characters"
    } else if reason.chars().any(disturbs) {
        "must be one line without control characters"
    } else {
        return Ok(());
    };
    Err(Error::Parameter { name: "reason", problem: problem.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_say_something_in_one_line() {
        for good in ["x", "request 17", "Anfrage – Löschung", &"é".repeat(1000), " padded "] {
            check_reason(good).unwrap();
        }
        let long = "x".repeat(1001);
        for bad in
            ["", " ", "\t", "\u{3000}", "a\nb", "a\rb", "a\u{1b}[2Jb", "a\0", "a\u{85}b", "a\u{2028}b", "a\u{202e}b", "a\u{2066}b", &long]
        {
            let Err(Error::Parameter { name: "reason", problem }) = check_reason(bad) else { panic!("{bad:?} was taken") };
            assert!(bad.trim().is_empty() || !problem.contains(bad));
        }
    }
}
