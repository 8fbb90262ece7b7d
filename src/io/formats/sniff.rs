//! Finding out how a separated text is written from its first lines.

use super::records::{Dialect, Flaw, Record, Records};
use super::text::Encoding;
use super::values::{boolean, date, float, timestamp};
use std::collections::HashSet;

/// Lines that are looked at.
const LINES: usize = 100;
/// Bytes that are looked at.
pub(super) const HEAD_BYTES: u64 = 1 << 16;
const CANDIDATES: [char; 4] = [',', ';', '\t', '|'];
const NAME_CHARACTERS: usize = 64;

/// The complete records at the beginning of the head under `dialect`, and whether broken quotes ended them.
fn records(head: &[u8], whole: bool, dialect: &Dialect) -> (Vec<Vec<Vec<u8>>>, bool) {
    let mut reader = Records::new(head, dialect.clone());
    let mut record = Record::default();
    let mut found = Vec::new();
    while found.len() < LINES {
        match reader.read(&mut record) {
            // The last record of a head that was cut is not complete.
            Ok(true) if !whole && reader.offset() >= head.len() as u64 => break,
            Ok(true) => found.push(record.fields().map(<[u8]>::to_vec).collect()),
            Ok(false) => break,
            // The head may have been cut inside quotes.
            Err(Flaw::OpenQuote) if !whole => break,
            Err(_) => return (found, true),
        }
    }
    (found, false)
}

/// Whether `"` quotes fields when the caller does not say: not in tab-separated text, where research data use it as a character.
pub(super) fn default_quoting(delimiter: Option<char>) -> bool {
    delimiter != Some('\t')
}

/// The separator: of `, ; tab |` the one that gives the same number of fields, more than one, on all first lines; if there is none, the one that
/// gives the number of the first line on most lines, if that is at least half of them. Between equals the one with more fields, then the
/// first of the list. Otherwise the text has one column.
pub(super) fn delimiter(head: &[u8], whole: bool, quoting: Option<bool>) -> Option<char> {
    let mut best: Option<(usize, usize, char)> = None;
    for candidate in CANDIDATES {
        let dialect = Dialect { delimiter: vec![candidate as u8], quoting: quoting.unwrap_or(default_quoting(Some(candidate))) };
        let (records, broken) = records(head, whole, &dialect);
        let fields = records.first().map_or(0, Vec::len);
        let same = records.iter().filter(|record| record.len() == fields).count();
        // A record with broken quotes is one that differs.
        let all = records.len() + usize::from(broken);
        if fields < 2 || same * 2 < all {
            continue;
        }
        let score = same * 1000 / all;
        if best.is_none_or(|(best_score, best_fields, _)| (score, fields) > (best_score, best_fields)) {
            best = Some((score, fields, candidate));
        }
    }
    best.map(|(_, _, candidate)| candidate)
}

/// Whether the first line names the columns: its fields are all different and not empty, none is a number, truth value, date or time, and none of them
/// is longer than 64 characters; and either a later line has such a value, or no later line repeats a field of the first in its column.
/// A single line is a header by the same rule.
pub(super) fn header(head: &[u8], whole: bool, dialect: &Dialect, encoding: Encoding) -> bool {
    let (records, _) = records(head, whole, dialect);
    let Some((first, later)) = records.split_first() else { return true };
    let typed = |field: &Vec<u8>| float(field).is_some() || boolean(field).is_some() || date(field).is_some() || timestamp(field).is_some();
    let mut buffer = String::new();
    let mut names = HashSet::new();
    for field in first {
        let Some(name) = encoding.decode(field, &mut buffer) else { return false };
        // A table that was written with its row numbers has no name for them.
        let unnamed_first = name.is_empty() && names.is_empty() && first.len() > 1;
        if (name.trim().is_empty() && !unnamed_first) || name.chars().count() > NAME_CHARACTERS || typed(field) || !names.insert(field) {
            return false;
        }
    }
    let repeated = || later.iter().any(|record| record.iter().zip(first).any(|(field, name)| field == name && !field.is_empty()));
    later.iter().flatten().any(typed) || !repeated()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniffed(text: &str) -> Option<char> {
        delimiter(text.as_bytes(), true, None)
    }

    fn has_header(text: &str, separator: &str) -> bool {
        let dialect = Dialect { delimiter: separator.as_bytes().to_vec(), quoting: separator != "\t" };
        header(text.as_bytes(), true, &dialect, Encoding::Utf8)
    }

    #[test]
    fn the_separator_is_the_consistent_one() {
        assert_eq!(sniffed("a,b\n1,2\n"), Some(','));
        assert_eq!(sniffed("a;b\n1,5;2\n"), Some(';'), "decimal commas are not consistent");
        assert_eq!(sniffed("a\tb\n\"x\t1\n"), Some('\t'), "an open quote in tab-separated text");
        assert_eq!(sniffed("a|b|c\n1|2|3\n"), Some('|'));
        assert_eq!(sniffed("\"a,b\",c\n\"d,e\",f\n"), Some(','));
        assert_eq!(sniffed("a,b\n1,\"2\n"), Some(','), "an open quote does not hide the separator");
        assert_eq!(sniffed("one\ntwo, three\n"), None);
        assert_eq!(sniffed("one\ntwo\n"), None);
        assert_eq!(sniffed(""), None);
        assert_eq!(sniffed("a,b\n1,2\n3\n4,5\n"), Some(','), "a short line does not hide the separator");
    }

    #[test]
    fn headers_are_told_from_rows() {
        assert!(has_header("user,born\na,1984\n", ","));
        assert!(!has_header("a,1984\nb,1990\n", ","));
        assert!(!has_header("a\t2009-05-04T23:08:57Z\n", "\t"));
        assert!(has_header("user,artist\na,b\nc,d\n", ","));
        assert!(!has_header("a,b\na,c\n", ","), "the first line's field comes again");
        assert!(!has_header("x,x\na,1\n", ","), "names differ");
        assert!(!has_header("a,\nb,2\n", ","), "names are not empty");
        assert!(has_header(",user\n0,a\n", ","), "unnamed row numbers");
        assert!(has_header("user,artist\n", ","));
        assert!(!has_header("1,2\n", ","));
    }

    #[test]
    fn a_head_that_was_cut_counts_only_its_complete_lines() {
        assert_eq!(delimiter(b"a,b\n1,2\n3,", false, None), Some(','));
        assert_eq!(delimiter(b"a,b\n1,2\n\"3", false, None), Some(','));
        assert_eq!(delimiter(b"a,b\n1,2\n3", false, None), Some(','));
    }
}
