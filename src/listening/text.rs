//! Lines, fields and times of text files.

use super::rows::Fault;
use crate::error::{Error, Result};
use crate::io::{Content, read_failed};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use std::io::{BufRead, BufReader, Read};

/// Bytes of one record at most. No real record comes near it; without a limit a file without line ends would be read into memory.
pub(super) const MAX_RECORD: usize = 16 << 20;

/// What to do about a record that cannot be read.
pub(super) const SKIP: &str = "mend the file, or set `skip_malformed = true` under [input] to leave such records out and count them";

/// Reads a text file line by line, whatever its line ends.
pub(super) struct Lines {
    name: String,
    reader: BufReader<Box<dyn Read + Send>>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    pub(super) fn open(content: &dyn Content) -> Result<Self> {
        let reader = BufReader::with_capacity(64 << 10, content.open()?);
        Ok(Self { name: content.name().to_owned(), reader, line: Vec::new(), number: 0 })
    }

    /// The error for the line read last.
    pub(super) fn malformed(&self, problem: &str) -> Fault {
        Fault::Malformed(Error::data(&self.name, Some(self.number), problem, SKIP))
    }

    /// The line gone to last, without its end.
    pub(super) fn line(&self) -> &str {
        std::str::from_utf8(&self.line).unwrap_or_default()
    }

    /// Goes to the next line that is not empty; `false` at the end.
    pub(super) fn next(&mut self) -> Result<bool, Fault> {
        loop {
            self.line.clear();
            let limit = MAX_RECORD as u64;
            let read =
                (&mut self.reader).take(limit).read_until(b'\n', &mut self.line).map_err(|e| Fault::Fatal(read_failed(&self.name, e)))?;
            if read == 0 {
                return Ok(false);
            }
            self.number += 1;
            if read >= MAX_RECORD && self.line.last() != Some(&b'\n') {
                return Err(Fault::Fatal(Error::data(
                    &self.name,
                    Some(self.number),
                    "the line is longer than 16 MiB",
                    "check that the file is what its name says",
                )));
            }
            if self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            while matches!(self.line.last(), Some(b'\n' | b'\r')) {
                self.line.pop();
            }
            if !self.line.is_empty() {
                break;
            }
        }
        if std::str::from_utf8(&self.line).is_err() {
            return Err(self.malformed("the line is not UTF-8"));
        }
        Ok(true)
    }
}

/// Splits a line at tabs into exactly `N` fields.
pub(super) fn fields<const N: usize>(line: &str) -> Option<[&str; N]> {
    let mut fields = [""; N];
    let mut parts = line.split('\t');
    for field in &mut fields {
        *field = parts.next()?;
    }
    parts.next().is_none().then_some(fields)
}

/// A field, or nothing where it is empty.
pub(super) fn present(field: &str) -> Option<&str> {
    (!field.is_empty()).then_some(field)
}

/// Milliseconds since 1970 of a time in UTC: `2021-05-01T12:30:00Z`, `2021-05-01 12:30`, and what lies between; an offset is taken into account.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let bare = text.strip_suffix('Z').or_else(|| text.strip_suffix(" UTC")).unwrap_or(text);
    if let Some(ms) = parse_bare(bare) {
        return Some(ms);
    }
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis())
}

fn parse_bare(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| -> Option<u32> {
        bytes.get(range)?.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
    };
    if bytes.get(4) != Some(&b'-')
        || bytes.get(7) != Some(&b'-')
        || !matches!(bytes.get(10), Some(b'T' | b' '))
        || bytes.get(13) != Some(&b':')
    {
        return None;
    }
    let (seconds, millis) = match bytes.get(16..)? {
        [] => (0, 0),
        [b':', _, _] => (digits(17..19)?, 0),
        [b':', _, _, b'.', fraction @ ..] if !fraction.is_empty() && fraction.len() <= 9 && fraction.iter().all(u8::is_ascii_digit) => {
            let millis = fraction.iter().chain(b"00").take(3).fold(0, |value, byte| value * 10 + i64::from(byte - b'0'));
            (digits(17..19)?, millis)
        }
        _ => return None,
    };
    let date = NaiveDate::from_ymd_opt(i32::try_from(digits(0..4)?).ok()?, digits(5..7)?, digits(8..10)?)?;
    let time: NaiveDateTime = date.and_hms_opt(digits(11..13)?, digits(14..16)?, seconds)?;
    time.and_utc().timestamp_millis().checked_add(millis)
}

/// Days since 1970 of a date like `Aug 13, 2006`.
pub(super) fn parse_long_date(text: &str) -> Option<i32> {
    days(NaiveDate::parse_from_str(text.trim(), "%b %d, %Y").ok()?)
}

/// Days since 1970 of a time in milliseconds.
pub(super) fn day_of(milliseconds: i64) -> Option<i32> {
    i32::try_from(milliseconds.div_euclid(86_400_000)).ok()
}

/// Days since 1970.
pub(super) fn days(date: NaiveDate) -> Option<i32> {
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// Milliseconds of a whole or broken number of seconds.
pub(super) fn seconds_to_ms(seconds: f64) -> Option<i64> {
    let ms = (seconds * 1000.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked; years beyond 280,000 are refused")]
    (ms.abs() < 9e15).then_some(ms as i64)
}

/// A fixed 128-bit hash of what identifies an event. It finds repetitions, and never leaves the process.
pub(super) fn digest(time: i64, texts: &[Option<&str>]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&time.to_le_bytes());
    for text in texts {
        let text = text.unwrap_or_default();
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    let mut half = [0; 16];
    half.copy_from_slice(hasher.finalize().as_bytes().get(..16).unwrap_or(&[0; 16]));
    u128::from_le_bytes(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_every_form() {
        let expected = Some(1_619_872_200_000);
        for text in [
            "2021-05-01T12:30:00Z",
            "2021-05-01 12:30",
            "2021-05-01 12:30:00 UTC",
            "2021-05-01T14:30:00+02:00",
            "2021-05-01 12:30:00.000000",
        ] {
            assert_eq!(parse_time(text), expected, "{text}");
        }
        assert_eq!(parse_time("2021-05-01T12:30:00.25Z"), Some(1_619_872_200_250));
        for text in ["", "2021-13-01 12:30", "2021-05-01", "2021-05-01T25:00:00Z", "2021-05-01 12:3x", "２０２１-05-01 12:30"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn dates_and_days() {
        assert_eq!(parse_long_date("Aug 13, 2006"), Some(13_373));
        assert_eq!(parse_long_date("May 4, 2006"), Some(13_272));
        assert_eq!(parse_long_date("4 May 2006"), None);
        assert_eq!(day_of(-1), Some(-1));
        assert_eq!(day_of(i64::MAX), None);
        assert_eq!(seconds_to_ms(1.5), Some(1500));
        assert_eq!((seconds_to_ms(f64::NAN), seconds_to_ms(1e300)), (None, None));
    }

    #[test]
    fn fields_are_counted() {
        assert_eq!(fields::<3>("a\t\tc"), Some(["a", "", "c"]));
        assert_eq!(fields::<3>("a\tb"), None);
        assert_eq!(fields::<3>("a\tb\tc\td"), None);
    }
}
