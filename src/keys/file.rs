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

use super::key::{Key, KeyOrigin, random_bytes};
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const TITLE: &str = "backmask key file, version ";
const VERSION: &str = "1";
/// A key file has about 200 bytes; more is something else.
const MAX_BYTES: usize = 1024;

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
        let key = Self::from_random_bytes(&random_bytes()?, KeyOrigin::File { id: id.to_string() });
        let created = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let digits = hexadecimal(key.expose());
        let head = head(VERSION, &id, &created, &digits);
        let checksum = hexadecimal(&checksum(&head));
        // One allocation of the full size: a growing one would leave copies of the key in freed memory.
        let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES));
        text.push_str(&head);
        text.push_str("checksum: ");
        text.push_str(&checksum);
        text.push('\n');

        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                mistake(path, "the file exists already", "choose another name; a key is never overwritten")
            }
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
        // Opening a pipe would wait for its other end, so the kind of file is looked at first. Links are followed.
        let missing = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                mistake(path, "there is no such file", "make one with the example `keygen`, or correct the path")
            }
            _ => Error::io(path, error),
        };
        if !std::fs::metadata(path).map_err(missing)?.is_file() {
            return Err(mistake(path, "it is not a file", "give the path of a key file"));
        }
        let mut file = File::open(path).map_err(missing)?;
        check_access(path, &file)?;

        let mut buffer = Zeroizing::new([0; MAX_BYTES]);
        let mut length = 0;
        while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match file.read(rest) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(path, error)),
            }
        }
        if length == MAX_BYTES {
            return Err(mistake(path, "it is too long for a key file", "give a file made by the example `keygen`"));
        }
        let text = buffer.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
        parse(text.unwrap_or_default()).map_err(|damage| mistake(path, damage.problem(), damage.remedy()))
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
    let (id, created, digits, stated) = (field("id: ")?, field("created: ")?, field("key: ")?, field("checksum: ")?);
    if lines.next().is_some() {
        return Err(Damage::Lines);
    }
    let expected = checksum(&head(version, id, created, digits));
    let stated = bytes_of::<16>(stated).ok_or(Damage::Checksum)?;
    if !bool::from(stated.ct_eq(&expected)) {
        return Err(Damage::Checksum);
    }
    if bytes_of::<8>(id).is_none() {
        return Err(Damage::Digits);
    }
    let bytes = bytes_of::<32>(digits).ok_or(Damage::Digits)?;
    Ok(Key::from_random_bytes(&bytes, KeyOrigin::File { id: id.to_owned() }))
}

/// The lines under the checksum.
fn head(version: &str, id: &str, created: &str, digits: &str) -> Zeroizing<String> {
    // Room for a whole file, so that the text is never moved while it grows.
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES));
    for part in [TITLE, version, "\nid: ", id, "\ncreated: ", created, "\nkey: ", digits, "\n"] {
        text.push_str(part);
    }
    text
}

fn checksum(head: &str) -> [u8; 16] {
    let mut checksum = [0; 16];
    blake3::Hasher::new().update(head.as_bytes()).finalize_xof().fill(&mut checksum);
    checksum
}

/// Lower-case hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> Zeroizing<String> {
    let mut digits = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for nibble in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        digits.push(char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }));
    }
    digits
}

/// The bytes of exactly 2·N lower-case hexadecimal digits.
fn bytes_of<const N: usize>(digits: &str) -> Option<Zeroizing<[u8; N]>> {
    if digits.len() != 2 * N {
        return None;
    }
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = Zeroizing::new([0; N]);
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

fn mistake(path: &Path, problem: &str, remedy: &str) -> Error {
    Error::Key { problem: format!("{}: {problem}", path.display()), remedy: remedy.to_owned() }
}

/// Refuses a file that anybody but its owner has a right to. The open file is asked, so that it cannot be exchanged in between.
#[cfg(unix)]
fn check_access(path: &Path, file: &File) -> Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().map_err(|error| Error::io(path, error))?.permissions());
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
fn check_access(_path: &Path, _file: &File) -> Result<()> {
    Ok(())
}

/// Makes the new name of a file durable.
#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
fn sync_folder(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key file with a checksum that matches.
    fn sealed(version: &str, id: &str, created: &str, digits: &str) -> String {
        let head = head(version, id, created, digits);
        format!("{}checksum: {}\n", *head, *hexadecimal(&checksum(&head)))
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

    #[test]
    fn digits_are_the_inverse_of_bytes() {
        let bytes: Vec<u8> = (0..=255).collect();
        for part in bytes.chunks_exact(16) {
            assert_eq!(bytes_of::<16>(&hexadecimal(part)).unwrap().as_slice(), part);
        }
        assert_eq!(*hexadecimal(&[0, 0x9f, 0xa0, 0xff]), "009fa0ff");
    }
}
