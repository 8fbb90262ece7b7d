//! Key files.
//!
//! Five lines of text:
//!
//! ```text
//! backmask key file, version 1
//! id: 16 hexadecimal digits
//! created: date and time, RFC 3339
//! key: 64 hexadecimal digits
//! checksum: 32 hexadecimal digits
//! ```
//!
//! The checksum is BLAKE3 of the four lines before, each ended by a line feed, cut to 128 bits. It finds damage; it does not prove who wrote the file.

use super::codec::{bytes_of, checksum, hexadecimal, is_id, now, push_hexadecimal};
use super::disk::{Secret, exists, mistake, private, sync_folder};
use super::key::{Key, KeyOrigin, random_bytes};
use super::ring;
use crate::error::{Error, Result};
use std::io::Write;
use std::path::Path;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub(super) const TITLE: &str = "backmask key file, version ";
const VERSION: &str = "1";
/// A key file has about 200 bytes; more is something else.
const MAX_BYTES: usize = 1023;

impl Key {
    /// Makes a new random key and writes it to a new file that only its owner can read (mode 0600 on Unix).
    ///
    /// ```
    /// use backmask::keys::Key;
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("pool.key");
    /// let key = Key::create_file(&path)?;
    /// assert_eq!(Key::from_file(&path)?.origin(), key.origin());
    /// assert!(Key::create_file(&path).is_err(), "a key file is never overwritten");
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Key`] if the file exists or the system has no random bits; [`Error::Io`] if it cannot be written.
    ///
    /// # Guarantee
    /// An existing file is never changed. When this returns, the file is on the disk; when it fails, no file is left behind.
    ///
    /// # Security
    /// Whoever has the file can recompute every token that was made with it. Keep it apart from releases and backups of releases.
    pub fn create_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let id = hexadecimal(&random_bytes::<8>()?[..]);
        let key = Self::from_system(KeyOrigin::File { id: id.to_string() })?;
        let text = sealed(VERSION, &id, &now(), &hexadecimal(key.expose()));
        let mut file = private().open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => exists(path),
            _ => Error::io(path, error),
        })?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| sync_folder(path));
        if let Err(error) = written {
            drop(file);
            // The file is ours and useless; should even this fail, its checksum will not match.
            let _removed = std::fs::remove_file(path);
            return Err(Error::io(path, error));
        }
        Ok(key)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`Error::Key`] if there is no such file, others than its owner may read or write it (Unix), or it is not a whole, undamaged key file of
    /// version 1. The message never holds anything from the file. [`Error::Io`] if it cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let secret = Secret::read(path)?;
        Self::from_text(path, secret.text())
    }

    /// Reads the text of a key file.
    pub(super) fn from_text(path: &Path, text: &str) -> Result<Self> {
        if text.starts_with(ring::TITLE) {
            return Err(mistake(path, "it is a key ring, which has several keys", "open it with `keys::open` or `KeyRing::from_file`"));
        }
        if text.len() > MAX_BYTES {
            return Err(mistake(path, "it is too long for a key file", "give a file made by the example `keygen`"));
        }
        parse(text).map_err(|damage| mistake(path, damage.problem(), damage.remedy()))
    }
}

/// What can be wrong with the text of a key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    NoKeyFile,
    Version,
    Lines,
    Digits,
    Checksum,
}

impl Damage {
    fn problem(self) -> &'static str {
        match self {
            Self::NoKeyFile => "it is not a key file",
            Self::Version => "its version of the format is not known",
            Self::Lines => "lines are missing, changed or added",
            Self::Digits => "the id or the key does not have the right number of hexadecimal digits",
            Self::Checksum => "its checksum does not match: the file was changed or damaged",
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::NoKeyFile => "give a file made by the example `keygen`",
            Self::Version => "use the release of backmask that wrote it, or a newer one",
            Self::Lines | Self::Digits | Self::Checksum => "restore it from a copy, or make a new key (tokens will then be different ones)",
        }
    }
}

fn parse(text: &str) -> Result<Key, Damage> {
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| line.strip_prefix(TITLE)).ok_or(Damage::NoKeyFile)?;
    if version != VERSION {
        return Err(Damage::Version);
    }
    let mut field = |name: &str| lines.next().and_then(|line| line.strip_prefix(name)).ok_or(Damage::Lines);
    let (id, _created, digits, stated) = (field("id: ")?, field("created: ")?, field("key: ")?, field("checksum: ")?);
    if lines.next().is_some() {
        return Err(Damage::Lines);
    }
    let expected = checksum(text.lines().take(4));
    let stated = bytes_of::<16>(stated).ok_or(Damage::Checksum)?;
    if !bool::from(stated.ct_eq(&expected)) {
        return Err(Damage::Checksum);
    }
    if !is_id(id) {
        return Err(Damage::Digits);
    }
    let bytes = bytes_of::<32>(digits).ok_or(Damage::Digits)?;
    Ok(Key::copy_of(&bytes, KeyOrigin::File { id: id.to_owned() }))
}

/// The text of a key file.
fn sealed(version: &str, id: &str, created: &str, digits: &str) -> Zeroizing<String> {
    // One allocation of the full size: a growing one would leave copies of the key in freed memory.
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES));
    for part in [TITLE, version, "\nid: ", id, "\ncreated: ", created, "\nkey: ", digits, "\n"] {
        text.push_str(part);
    }
    let checksum = checksum(text.lines());
    text.push_str("checksum: ");
    push_hexadecimal(&mut text, &checksum);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(version: &str, id: &str, created: &str, digits: &str) -> String {
        super::sealed(version, id, created, digits).to_string()
    }

    fn good() -> String {
        sealed("1", "0123456789abcdef", "2026-01-02T03:04:05Z", &"5a".repeat(32))
    }

    #[test]
    fn a_file_of_this_format_stays_readable() {
        // Written out, so that a change of the format or the checksum is noticed.
        let text = "backmask key file, version 1\nid: 0123456789abcdef\ncreated: 2026-01-02T03:04:05Z\nkey: \
                    5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\nchecksum: 305aaff7da233523292451bddd8b9fc9\n";
        assert_eq!(good(), text);
        let key = parse(text).unwrap();
        assert_eq!(key.expose(), &[0x5a; 32]);
        assert_eq!(key.origin(), &KeyOrigin::File { id: "0123456789abcdef".to_owned() });
        assert!(parse(&text.replace('\n', "\r\n")).is_ok(), "an editor may change the line ends");
        assert!(parse(text.trim_end()).is_ok());
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool.key");
        let (written, read) = (Key::create_file(&path).unwrap(), Key::from_file(&path).unwrap());
        assert_eq!(written.expose(), read.expose());
        assert_eq!(written.origin(), read.origin());
        assert_ne!(written.expose(), &[0; 32]);
    }

    #[test]
    fn damage_is_told_apart() {
        let id = "0123456789abcdef";
        let digits = "5a".repeat(32);
        for (text, damage) in [
            (String::new(), Damage::NoKeyFile),
            ("PK\u{3}\u{4}".to_owned(), Damage::NoKeyFile),
            (sealed("2", id, "c", &digits), Damage::Version),
            (sealed("", id, "c", &digits), Damage::Version),
            (sealed("1", &id[1..], "c", &digits), Damage::Digits),
            (sealed("1", &id.to_uppercase(), "c", &digits), Damage::Digits),
            (sealed("1", id, "c", &digits[2..]), Damage::Digits),
            (sealed("1", id, "c", &format!("{digits}5a")), Damage::Digits),
            (sealed("1", id, "c", ""), Damage::Digits),
            (sealed("1", id, "c", &digits.replace('a', "g")), Damage::Digits),
            (sealed("1", id, "c", &digits.replacen("5a5a", "é5a", 1)), Damage::Digits),
            (good() + "more", Damage::Lines),
            (good().replace("created: ", "made: "), Damage::Lines),
            (good().replace("created", "checksum"), Damage::Lines),
            (good().trim_end()[..good().len() - 2].to_owned(), Damage::Checksum),
        ] {
            assert_eq!(parse(&text).unwrap_err(), damage, "{text}");
        }
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_noticed() {
        let text = good();
        for length in 0..text.len() - 1 {
            assert!(parse(&text[..length]).is_err(), "cut to {length} bytes");
        }
        for place in 0..text.len() - 1 {
            for bit in 0..7 {
                let mut bytes = text.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(parse(&changed).is_err(), "bit {bit} of byte {place}");
            }
        }
    }
}
