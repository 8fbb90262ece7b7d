//! Columns under AES-SIV.
//!
//! What is sealed is the canonical encoding of the value, then the byte `80`, then zeros up to a multiple of 16 bytes (ISO/IEC 7816-4), so that the length of a token tells the
//! length of its value only to within 16 bytes. A missing value that gets a token of its own is the encoding of its row, under a tag that no value has.

use super::faults::Faults;
use super::hashed::{Missing, missing_encoding};
use super::restore::{Canonical, restore};
use super::siv::Siv;
use super::text::{bytes, bytes_column, text_column, texts};
use super::values::{Values, Visitor, plain, present, visit};
use super::{base32, hex};
use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use crate::pipeline::UNNAMED;
use crate::policy::TokenFormat;
use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use zeroize::Zeroizing;

/// Values sealed at a time.
const BATCH: usize = 512;
const BLOCK: usize = 16;

/// AES-SIV with keys that are derived for it.
pub(super) struct Sealing {
    siv: Box<Siv>,
}

impl Sealing {
    pub(super) fn new(key: &Key, associated_data: &[&[u8]]) -> Self {
        let mut both = Zeroizing::new([0; 64]);
        both[..32].copy_from_slice(key.derive(&Domain::of("aes-siv authentication")).expose());
        both[32..].copy_from_slice(key.derive(&Domain::of("aes-siv encryption")).expose());
        Self { siv: Box::new(Siv::new(&both, associated_data)) }
    }

    /// The tokens of an array that is no dictionary.
    pub(super) fn apply(&self, array: &dyn Array, format: TokenFormat, missing: Missing) -> Result<ArrayRef> {
        let present = present(array);
        let Sealed { bytes, ends } = visit(array, Work { siv: &self.siv, rows: array.len(), present: present.as_ref(), missing, format })?;
        let present = if matches!(missing, Missing::Stays) { present } else { None };
        match format {
            TokenFormat::Binary => bytes_column(&DataType::Binary, bytes, &ends, present),
            _ => text_column(&DataType::Utf8, bytes, &ends, present),
        }
    }

    /// The values of tokens.
    pub(super) fn reverse(&self, tokens: &dyn Array, format: TokenFormat, original: Option<&DataType>, first_row: u64) -> Result<ArrayRef> {
        let tokens = plain(tokens)?;
        let (texts, bytes) = (texts(&tokens), bytes(&tokens));
        let decode = |row: usize, sealed: &mut Vec<u8>| match (format, &texts, &bytes) {
            (TokenFormat::Base32, Some(texts), _) => Some(base32::decode(texts(row).as_bytes(), sealed)),
            (TokenFormat::Hex, Some(texts), _) => Some(hex::decode(texts(row).as_bytes(), sealed)),
            (TokenFormat::Binary, _, Some(bytes)) => {
                sealed.extend_from_slice(bytes(row));
                Some(true)
            }
            _ => None,
        };
        let present = tokens.logical_nulls();
        let (mut malformed, mut altered) = (Faults::default(), Faults::default());
        let mut values = Canonical::with_capacity(tokens.len());
        let (mut sealed, mut ends) = (Vec::new(), Vec::new());
        for start in (0..tokens.len()).step_by(BATCH) {
            let rows = start..(start + BATCH).min(tokens.len());
            sealed.clear();
            ends.clear();
            for row in rows.clone() {
                let begin = sealed.len();
                if present.as_ref().is_none_or(|present| present.is_valid(row)) {
                    let sound = decode(row, &mut sealed).ok_or_else(|| wrong_type(format))?;
                    let length = sealed.len() - begin;
                    if !sound || length < 2 * BLOCK || !length.is_multiple_of(BLOCK) {
                        sealed.truncate(begin);
                        malformed.note(first_row.wrapping_add(row as u64));
                    }
                }
                ends.push(sealed.len());
            }
            let parts = parts(&sealed, &ends);
            let (mut opened, mut opened_ends, mut authentic) = (Vec::new(), Vec::new(), Vec::new());
            self.siv.open_all(&parts, &mut opened, &mut opened_ends, &mut authentic);
            let opened = self::parts(&opened, &opened_ends);
            for (((row, sealed), opened), authentic) in rows.zip(&parts).zip(&opened).zip(authentic) {
                let encoding = unpad(opened).filter(|_| authentic);
                if encoding.is_none() && !sealed.is_empty() {
                    altered.note(first_row.wrapping_add(row as u64));
                }
                values.push(encoding.unwrap_or_default());
            }
        }
        malformed
            .check(&format!("not tokens of aes-siv in the format {}", format.name()), "name the format that the tokens were written in")?;
        altered.check_key(tokens.len(), "")?;
        restore(&values, original, first_row)
    }
}

fn wrong_type(format: TokenFormat) -> Error {
    let form = if format == TokenFormat::Binary { "bytes" } else { "text" };
    Error::column(
        UNNAMED,
        format!("tokens in the format {} are {form}, and the column is not", format.name()),
        "name the format of the tokens",
    )
}

/// Pieces of a buffer.
pub(super) fn parts<'a>(bytes: &'a [u8], ends: &[usize]) -> Vec<&'a [u8]> {
    let mut start = 0;
    ends.iter().map(|&end| &bytes[std::mem::replace(&mut start, end)..end]).collect()
}

fn pad(plaintext: &mut Vec<u8>, begin: usize) {
    plaintext.push(0x80);
    let length = plaintext.len() - begin;
    plaintext.resize(begin + length.next_multiple_of(BLOCK), 0);
}

/// The encoding without its padding; `None` if there is no padding or nothing before it.
fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let end = padded.iter().rposition(|&byte| byte != 0)?;
    (padded[end] == 0x80 && end > 0).then(|| &padded[..end])
}

/// What was written, and where each row ends.
struct Sealed {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

struct Work<'a> {
    siv: &'a Siv,
    rows: usize,
    present: Option<&'a NullBuffer>,
    missing: Missing,
    format: TokenFormat,
}

impl Visitor for Work<'_> {
    type Output = Sealed;

    fn visit<V: Values>(self, values: &V) -> Sealed {
        let (mut bytes, mut all_ends) = (Vec::new(), Vec::with_capacity(self.rows));
        let (mut buffer, mut plaintexts, mut ends, mut sealed, mut sealed_ends) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for start in (0..self.rows).step_by(BATCH) {
            let rows = start..(start + BATCH).min(self.rows);
            plaintexts.clear();
            ends.clear();
            let has_token = |row| {
                let missing = self.present.is_some_and(|present| present.is_null(row));
                !missing || matches!(self.missing, Missing::Numbered(_))
            };
            for row in rows.clone() {
                let begin = plaintexts.len();
                match self.missing {
                    _ if self.present.is_none_or(|present| present.is_valid(row)) => {
                        plaintexts.extend_from_slice(values.encode(row, &mut buffer));
                    }
                    Missing::Stays => continue,
                    Missing::Numbered(first_row) => plaintexts.extend_from_slice(&missing_encoding(first_row.wrapping_add(row as u64))),
                }
                pad(&mut plaintexts, begin);
                ends.push(plaintexts.len());
            }
            sealed.clear();
            sealed_ends.clear();
            self.siv.seal_all(&parts(&plaintexts, &ends), &mut sealed, &mut sealed_ends);
            if start == 0 {
                // The first batch says how long tokens are.
                bytes.reserve((sealed.len() * 2).div_ceil(rows.len()).saturating_mul(self.rows));
            }
            let mut tokens = parts(&sealed, &sealed_ends).into_iter();
            for row in rows {
                if has_token(row)
                    && let Some(token) = tokens.next()
                {
                    match self.format {
                        TokenFormat::Binary => bytes.extend_from_slice(token),
                        TokenFormat::Hex => hex::append(&mut bytes, token),
                        _ => base32::append(&mut bytes, token),
                    }
                }
                all_ends.push(bytes.len());
            }
        }
        Sealed { bytes, ends: all_ends }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn padding_turns_back_and_blurs_lengths(value in proptest::collection::vec(any::<u8>(), 1..70), begin in 0_usize..20) {
            let mut padded = vec![0xff; begin];
            padded.extend_from_slice(&value);
            pad(&mut padded, begin);
            prop_assert_eq!((padded.len() - begin) % 16, 0);
            prop_assert!(padded.len() - begin > value.len() && padded.len() - begin <= value.len() + 16);
            prop_assert_eq!(unpad(&padded[begin..]), Some(&value[..]));
        }
    }

    #[test]
    fn what_is_not_padded_is_noticed() {
        for bad in [&[][..], &[0; 16], &[0x80], &[1, 2, 3], &[1, 2, 0]] {
            assert_eq!(unpad(bad), None);
        }
    }
}
