//! The file of a key ring.
//!
//! Lines of text. After the title come the keys, the oldest first, and a checksum:
//!
//! ```text
//! backmask key ring, version 1
//! id: 16 hexadecimal digits
//! created: date and time, RFC 3339
//! state: active, retired or erased
//! retired: date and time, if it was ever retired
//! erased: date and time, if it was erased
//! key: 64 hexadecimal digits, unless it was erased
//! checksum: 32 hexadecimal digits
//! ```
//!
//! The checksum is BLAKE3 of all lines before, each ended by a line feed, cut to 128 bits. It finds damage; it does not prove who wrote the file.

use super::super::codec::{bytes_of, checksum, is_id, push_hexadecimal};
use super::super::key::{Key, KeyOrigin};
use super::super::{disk, file};
use super::{Entry, KeyEntry, KeyState};
use std::collections::HashSet;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub(in super::super) const TITLE: &str = "backmask key ring, version ";
const VERSION: &str = "1";
/// An entry has about 200 bytes.
const ENTRY_BYTES: usize = 256;

/// What can be wrong with the text of a key ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    NoKeyRing,
    KeyFile,
    Version,
    Checksum,
    Lines,
    Digits,
    Dates,
    State,
    Duplicate,
    TwoActive,
    Empty,
    Full,
}

impl Damage {
    pub(super) fn problem(self) -> &'static str {
        match self {
            Self::NoKeyRing => "it is not a key ring",
            Self::KeyFile => "it is a key file with a single key, not a key ring",
            Self::Version => "its version of the format is not known",
            Self::Checksum => "its checksum is missing or does not match: the ring was changed or damaged",
            Self::Lines => "lines of the ring are missing, changed or added",
            Self::Digits => "an id or a key does not have the right number of hexadecimal digits",
            Self::Dates => "a date of the ring is not one of RFC 3339",
            Self::State => "the state of a key does not go with its dates, or a key is missing or left over",
            Self::Duplicate => "two keys of the ring have the same id",
            Self::TwoActive => "two keys of the ring are active",
            Self::Empty => "the ring has no keys",
            Self::Full => "the ring is full",
        }
    }

    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::NoKeyRing => "give a file made by `keygen --ring`",
            Self::KeyFile => "open it with `keys::open` or `Key::from_file`, or make a ring with `keygen --ring`",
            Self::Version => "use the release of backmask that wrote it, or a newer one",
            Self::Full => "make a new ring, and keep this one for tokens of former releases",
            _ => {
                "restore it from a copy (which may bring erased keys back: erase them again), or make a new ring (tokens will then be different ones)"
            }
        }
    }
}

/// The text of a ring.
pub(super) fn write(entries: &[Entry]) -> Result<Zeroizing<String>, Damage> {
    // One allocation of the full size: a growing one would leave copies of the keys in freed memory.
    let mut text = Zeroizing::new(String::with_capacity(entries.len().saturating_add(1).saturating_mul(ENTRY_BYTES)));
    let capacity = text.capacity();
    let mut line = |parts: [&str; 2]| {
        for part in parts {
            text.push_str(part);
        }
        text.push('\n');
    };
    line([TITLE, VERSION]);
    for Entry { entry, key } in entries {
        line(["id: ", &entry.id]);
        line(["created: ", &entry.created]);
        line(["state: ", &entry.state.to_string()]);
        for (name, date) in [("retired: ", &entry.retired), ("erased: ", &entry.erased)] {
            if let Some(date) = date {
                line([name, date]);
            }
        }
        if let Some(key) = key {
            let mut digits = Zeroizing::new(String::with_capacity(64));
            push_hexadecimal(&mut digits, key.expose());
            line(["key: ", &digits]);
        }
    }
    let checksum = checksum(text.lines());
    text.push_str("checksum: ");
    push_hexadecimal(&mut text, &checksum);
    text.push('\n');
    debug_assert_eq!(text.capacity(), capacity, "the text has moved");
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > disk::MAX_BYTES { Err(Damage::Full) } else { Ok(text) }
}

/// The keys of a ring. The checksum comes before all that it protects.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, Damage> {
    let mut lines = text.lines();
    let title = lines.next().unwrap_or_default();
    if title.starts_with(file::TITLE) {
        return Err(Damage::KeyFile);
    }
    match title.strip_prefix(TITLE) {
        None => return Err(Damage::NoKeyRing),
        Some(VERSION) => {}
        Some(_) => return Err(Damage::Version),
    }
    let stated = lines.next_back().and_then(|line| line.strip_prefix("checksum: ")).and_then(bytes_of::<16>).ok_or(Damage::Checksum)?;
    let expected = checksum(std::iter::once(title).chain(lines.clone()));
    if !bool::from(stated.ct_eq(&expected)) {
        return Err(Damage::Checksum);
    }
    let mut lines = lines.peekable();
    let mut entries = Vec::new();
    while lines.peek().is_some() {
        entries.push(entry(&mut lines)?);
    }
    check(&entries)?;
    Ok(entries)
}

/// The lines of the next key.
fn entry<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> Result<Entry, Damage> {
    let mut optional = |name: &str| lines.next_if(|line| line.starts_with(name)).and_then(|line| line.strip_prefix(name));
    let (Some(id), Some(created), Some(state)) = (optional("id: "), optional("created: "), optional("state: ")) else {
        return Err(Damage::Lines);
    };
    let (retired, erased, digits) = (optional("retired: "), optional("erased: "), optional("key: "));
    if !is_id(id) {
        return Err(Damage::Digits);
    }
    if [Some(created), retired, erased].into_iter().flatten().any(|date| chrono::DateTime::parse_from_rfc3339(date).is_err()) {
        return Err(Damage::Dates);
    }
    // A key may be erased without ever having been retired.
    let state = match (state, retired, erased, digits) {
        ("active", None, None, Some(_)) => KeyState::Active,
        ("retired", Some(_), None, Some(_)) => KeyState::Retired,
        ("erased", _, Some(_), None) => KeyState::Erased,
        _ => return Err(Damage::State),
    };
    let key = digits
        .map(|digits| {
            let bytes = bytes_of::<32>(digits).ok_or(Damage::Digits)?;
            Ok(Key::copy_of(&bytes, KeyOrigin::File { id: id.to_owned() }))
        })
        .transpose()?;
    let entry = KeyEntry {
        id: id.to_owned(),
        created: created.to_owned(),
        state,
        retired: retired.map(str::to_owned),
        erased: erased.map(str::to_owned),
    };
    Ok(Entry { entry, key })
}

/// What must hold over all keys of a ring.
fn check(entries: &[Entry]) -> Result<(), Damage> {
    if entries.is_empty() {
        return Err(Damage::Empty);
    }
    let mut ids = HashSet::new();
    if !entries.iter().all(|entry| ids.insert(entry.entry.id.as_str())) {
        return Err(Damage::Duplicate);
    }
    if entries.iter().filter(|entry| entry.entry.state == KeyState::Active).count() > 1 {
        return Err(Damage::TwoActive);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    const FIRST: &str = "id: 0123456789abcdef\ncreated: 2026-01-02T03:04:05Z\nstate: retired\nretired: 2026-02-02T03:04:05Z\n";
    const SECOND: &str = "id: 1123456789abcdef\ncreated: 2026-02-02T03:04:05Z\nstate: active\n";
    const THIRD: &str = "id: 2123456789abcdef\ncreated: 2026-01-01T00:00:00Z\nstate: erased\nerased: 2026-03-02T03:04:05+01:00\n";

    /// Puts title and checksum around entries.
    fn sealed(body: &str) -> String {
        let text = format!("{TITLE}{VERSION}\n{body}");
        let sum = blake3::hash(text.as_bytes()).to_hex();
        format!("{text}checksum: {}\n", &sum[..32])
    }

    fn good() -> String {
        sealed(&format!("{FIRST}key: {}\n{SECOND}key: {}\n{THIRD}", "5a".repeat(32), "6b".repeat(32)))
    }

    #[test]
    fn a_ring_of_this_format_stays_readable() {
        // Written out, so that a change of the format or the checksum is noticed.
        let text = "backmask key ring, version 1\nid: 0123456789abcdef\ncreated: 2026-01-02T03:04:05Z\nstate: retired\nretired: 2026-02-02T03:04:05Z\n\
                    key: 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\nid: 1123456789abcdef\ncreated: 2026-02-02T03:04:05Z\n\
                    state: active\nkey: 6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b\nid: 2123456789abcdef\n\
                    created: 2026-01-01T00:00:00Z\nstate: erased\nerased: 2026-03-02T03:04:05+01:00\nchecksum: 0399342fd00886157dddb7120c30eeff\n";
        assert_eq!(good(), text);
        let entries = parse(text).unwrap();
        let states: Vec<_> = entries.iter().map(|entry| entry.entry.state).collect();
        assert_eq!(states, [KeyState::Retired, KeyState::Active, KeyState::Erased]);
        assert_eq!(entries[0].key.as_ref().unwrap().expose(), &[0x5a; 32]);
        assert_eq!(entries[0].entry.retired.as_deref(), Some("2026-02-02T03:04:05Z"));
        assert_eq!(entries[1].key.as_ref().unwrap().origin().id(), Some("1123456789abcdef"));
        assert!(entries[2].key.is_none() && entries[2].entry.retired.is_none());
        assert_eq!(*write(&entries).unwrap(), text, "what is read is written back");
        assert!(parse(&text.replace('\n', "\r\n")).is_ok(), "an editor may change the line ends");
        assert!(parse(text.trim_end()).is_ok());
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_noticed() {
        let text = good();
        for length in 0..text.len() - 1 {
            assert!(parse(&text[..length]).is_err(), "cut to {length} bytes");
        }
        for place in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                // What is not UTF-8 is read as an empty text.
                let changed = String::from_utf8(bytes).unwrap_or_default();
                assert!(parse(&changed).is_err(), "bit {bit} of byte {place}");
            }
        }
    }

    #[test]
    fn damage_is_told_apart() {
        let key = |byte: &str| format!("key: {}\n", byte.repeat(32));
        let active = format!("{SECOND}{}", key("6b"));
        let other = active.replace("1123", "9123");
        for (text, damage) in [
            (String::new(), Damage::NoKeyRing),
            ("PK\u{3}\u{4}".to_owned(), Damage::NoKeyRing),
            ("backmask key file, version 1\n".to_owned(), Damage::KeyFile),
            (good().replace("version 1", "version 2"), Damage::Version),
            (good().replace("version 1", "version "), Damage::Version),
            (good().replace("version 1", "version 1 "), Damage::Version),
            (good().replace("2026", "2025"), Damage::Checksum),
            (good() + "more\n", Damage::Checksum),
            (format!("{TITLE}{VERSION}\n"), Damage::Checksum),
            (sealed(""), Damage::Empty),
            (sealed("\n"), Damage::Lines),
            (sealed(&(active.clone() + "\n" + &other)), Damage::Lines),
            (sealed(&active.replace("created: ", "made: ")), Damage::Lines),
            (sealed(&(active.clone() + "note: x\n")), Damage::Lines),
            (sealed(&(active.clone() + &key("6b"))), Damage::Lines),
            (sealed(&active.replace("1123", "123")), Damage::Digits),
            (sealed(&active.replace("abcdef", "ABCDEF")), Damage::Digits),
            (sealed(&active.replacen("6b", "", 1)), Damage::Digits),
            (sealed(&active.replacen("6b6b", "é6b", 1)), Damage::Digits),
            (sealed(&active.replace("2026-02-02", "2026-02-30")), Damage::Dates),
            (sealed(&active.replace("T03:04:05Z", "")), Damage::Dates),
            (sealed(&(THIRD.replace("erased: 2026-03-02T03:04:05+01:00", "erased: "))), Damage::Dates),
            (sealed(SECOND), Damage::State),
            (sealed(FIRST), Damage::State),
            (sealed(&active.replace("state: active", "state: retired")), Damage::State),
            (sealed(&active.replace("state: active", "state: Active")), Damage::State),
            (sealed(&format!("{}{}", FIRST.replace("state: retired", "state: active"), key("5a"))), Damage::State),
            (sealed(&format!("{THIRD}{}", key("5a"))), Damage::State),
            (sealed(&THIRD.replace("erased: 2026-03-02T03:04:05+01:00\n", "")), Damage::State),
            (sealed(&(active.clone() + &active)), Damage::Duplicate),
            (sealed(&format!("{active}{}", THIRD.replace("2123", "1123"))), Damage::Duplicate),
            (sealed(&(active.clone() + &other)), Damage::TwoActive),
        ] {
            assert_eq!(parse(&text).map(|entries| entries.len()).unwrap_err(), damage, "{text}");
        }
        for text in [active.clone(), THIRD.to_owned(), format!("{active}{THIRD}")] {
            parse(&sealed(&text)).map_err(|damage| panic!("{damage:?}: {text}")).unwrap();
        }
    }

    #[test]
    fn ten_thousand_keys_are_read_and_written() {
        let mut body = String::new();
        for number in 0..10_000 {
            let entry = if number == 9_999 { SECOND } else { FIRST };
            let id = entry.lines().next().unwrap();
            let entry = entry.replace(id, &format!("id: {number:016x}"));
            writeln!(body, "{entry}key: {:064x}", number + 1).unwrap();
        }
        let text = sealed(&body);
        let entries = parse(&text).unwrap();
        assert_eq!(entries.len(), 10_000);
        assert_eq!(*write(&entries).unwrap(), text);
    }

    #[test]
    fn a_ring_that_could_not_be_read_again_is_not_written() {
        let entries: Vec<Entry> = (0..110_000)
            .map(|number| {
                let entry = KeyEntry {
                    id: format!("{number:016x}"),
                    created: "2026-01-02T03:04:05Z".to_owned(),
                    state: KeyState::Retired,
                    retired: Some("2026-01-02T03:04:05Z".to_owned()),
                    erased: None,
                };
                Entry { entry, key: Some(Key::from_bytes([1; 32])) }
            })
            .collect();
        assert_eq!(write(&entries).unwrap_err(), Damage::Full);
        write(&entries[..50_000]).unwrap();
    }
}
