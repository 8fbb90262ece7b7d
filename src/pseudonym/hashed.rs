//! Columns under the hash methods: every value to 16 bytes, and these to columns.

use super::distinct::Distinct;
use super::prf::{Prf, Token, blake3_token};
use super::values::{Encodings, Values, Visitor, plain, present, visit};
use super::{base32, hex};
use crate::error::{Error, Result};
use crate::pipeline::UNNAMED;
use crate::policy::TokenFormat;
use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use std::sync::Arc;

pub(super) const TOKEN_BYTES: i32 = 16;

/// Begins the encoding of a value under a label. No canonical encoding begins so.
const LABELLED: u8 = 8;

/// What becomes of missing values.
#[derive(Debug, Clone, Copy)]
pub(super) enum Missing {
    /// They stay missing.
    Stays,
    /// Each gets the token of its row, counted from this one.
    Numbered(u64),
}

/// The tokens of an array.
#[derive(Debug)]
pub(super) struct Tokens {
    /// One for each value that was worked, or one for each row.
    worked: Vec<Token>,
    /// Where rows share a token: its place.
    of_row: Option<Vec<u32>>,
    /// Which rows have a token; `None` if all have.
    present: Option<NullBuffer>,
    rows: usize,
}

impl Tokens {
    /// Tokens that are there already, one a row.
    pub(super) fn of_rows(worked: Vec<Token>, present: Option<NullBuffer>) -> Self {
        let rows = worked.len();
        Self { worked, of_row: None, present, rows }
    }

    /// The tokens of any array.
    pub(super) fn new(prf: &Prf, array: &dyn Array, missing: Missing) -> Result<Self> {
        if array.as_any_dictionary_opt().is_some() {
            return Self::new(prf, plain(array)?.as_ref(), missing);
        }
        visit(array, Hashing { prf, rows: array.len(), present: present(array), missing })
    }

    /// The tokens of pairs of a value and a label.
    pub(super) fn labelled(prf: &Prf, array: &dyn Array, labels: &dyn Array, missing: Missing) -> Result<Self> {
        if array.len() != labels.len() {
            return Err(Error::Parameter { name: "labels", problem: format!("{} rows beside {} values", labels.len(), array.len()) });
        }
        let (values_present, labels_present) = (present(array), present(labels));
        let unlabelled = (0..array.len()).filter(|&row| {
            labels_present.as_ref().is_some_and(|labels| labels.is_null(row))
                && values_present.as_ref().is_none_or(|values| values.is_valid(row))
        });
        let count = unlabelled.count();
        if count > 0 {
            return Err(Error::rows(UNNAMED, count as u64, "no label says where the token lives", "give every row with a value a label"));
        }
        let (values, labels) = (Encodings::new(array)?, Encodings::new(labels)?);
        let mut both = Encodings::default();
        for row in 0..array.len() {
            let label = labels.get(row);
            both.push([&[LABELLED], &(label.len() as u64).to_le_bytes(), label, values.get(row)]);
        }
        Ok(Hashing { prf, rows: array.len(), present: values_present, missing }.visit(&both))
    }

    /// As a column in the given format.
    pub(super) fn column(self, format: TokenFormat) -> Result<ArrayRef> {
        Ok(match format {
            TokenFormat::Base32 => Arc::new(self.text(base32::of_token)?),
            TokenFormat::Binary => Arc::new(self.bytes()?),
            _ => Arc::new(self.text(hex::of_token)?),
        })
    }

    /// As 16 bytes each; zeros where there is none.
    pub(super) fn bytes(self) -> Result<FixedSizeBinaryArray> {
        let mut tokens = match &self.of_row {
            None => self.worked,
            Some(of_row) => of_row.iter().map(|&at| self.worked.get(at as usize).copied().unwrap_or_default()).collect(),
        };
        if let Some(present) = &self.present {
            for (token, present) in tokens.iter_mut().zip(present) {
                if !present {
                    *token = [0; 16];
                }
            }
        }
        fixed(tokens, self.present)
    }

    fn text<const N: usize>(self, write: impl Fn(&Token) -> [u8; N]) -> Result<StringArray> {
        let texts: Vec<[u8; N]> = match (&self.of_row, &self.present) {
            (None, None) => self.worked.iter().map(write).collect(),
            (None, Some(present)) => self.worked.iter().zip(present).filter(|(_, is)| *is).map(|(token, _)| write(token)).collect(),
            (Some(of_row), present) => {
                let worked: Vec<[u8; N]> = self.worked.iter().map(write).collect();
                match present {
                    None => of_row.iter().map(|&at| worked[at as usize]).collect(),
                    Some(present) => of_row.iter().zip(present).filter(|(_, is)| *is).map(|(&at, _)| worked[at as usize]).collect(),
                }
            }
        };
        texts_of_one_length(texts, self.present, self.rows)
    }
}

/// A column of 16 bytes a row.
pub(super) fn fixed(tokens: Vec<Token>, present: Option<NullBuffer>) -> Result<FixedSizeBinaryArray> {
    let rows = tokens.len();
    FixedSizeBinaryArray::try_new_with_len(TOKEN_BYTES, Buffer::from_vec(tokens.into_flattened()), present, rows)
        .map_err(|e| Error::arrow("writing tokens", &e))
}

/// A column of texts of one length; the missing ones are not among `texts`.
pub(super) fn texts_of_one_length<const N: usize>(texts: Vec<[u8; N]>, present: Option<NullBuffer>, rows: usize) -> Result<StringArray> {
    let length = i32::try_from(N).ok().filter(|_| i32::try_from(texts.len().saturating_mul(N)).is_ok()).ok_or_else(too_many)?;
    let mut end = 0;
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    match &present {
        None => offsets.extend((0..rows).map(|_| {
            end += length;
            end
        })),
        Some(present) => offsets.extend(present.iter().map(|is| {
            end += if is { length } else { 0 };
            end
        })),
    }
    text_column(offsets, texts.into_flattened(), present)
}

/// A column of texts from their bytes and their ends.
pub(super) fn text_column(offsets: Vec<i32>, text: Vec<u8>, present: Option<NullBuffer>) -> Result<StringArray> {
    StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(text), present)
        .map_err(|e| Error::arrow("writing tokens", &e))
}

pub(super) fn too_many() -> Error {
    Error::Arrow {
        context: "writing tokens".to_owned(),
        kind: "more than 2 GiB of text in one batch, for tokens of 32 digits 67 million rows; read smaller batches".to_owned(),
    }
}

/// The work, for each kind of values.
struct Hashing<'a> {
    prf: &'a Prf,
    rows: usize,
    present: Option<NullBuffer>,
    missing: Missing,
}

impl Visitor for Hashing<'_> {
    type Output = Tokens;

    fn visit<V: Values>(self, values: &V) -> Tokens {
        match self.prf {
            Prf::Blake3(key) => self.work(values, |input| blake3_token(key.expose(), input)),
            Prf::HmacSha256(keyed) => self.work(values, |input| keyed.token(input)),
        }
    }
}

impl Hashing<'_> {
    fn work<V: Values>(self, values: &V, token: impl Fn(&[u8]) -> Token) -> Tokens {
        let Self { rows, present, missing, .. } = self;
        let mut buffer = Vec::with_capacity(64);
        let mut of_value = |row| token(values.encode(row, &mut buffer));
        let (mut worked, mut of_row) = match (Distinct::find(values, rows, present.as_ref()), &present) {
            (Some(distinct), _) => (distinct.firsts.iter().map(|&row| of_value(row as usize)).collect(), Some(distinct.of_row)),
            (None, None) => ((0..rows).map(&mut of_value).collect::<Vec<_>>(), None),
            (None, Some(present)) => {
                ((0..rows).map(|row| if present.is_valid(row) { of_value(row) } else { Token::default() }).collect(), None)
            }
        };
        let Missing::Numbered(first_row) = missing else { return Tokens { worked, of_row, present, rows } };
        for row in present.iter().flat_map(|present| (0..rows).filter(|&row| present.is_null(row))) {
            let of_missing = token(&missing_encoding(first_row.wrapping_add(row as u64)));
            match &mut of_row {
                None => worked[row] = of_missing,
                Some(of_row) => {
                    // Rows number fewer than 2³² where they share tokens, and there is at most one token a row.
                    of_row[row] = u32::try_from(worked.len()).unwrap_or_default();
                    worked.push(of_missing);
                }
            }
        }
        Tokens { worked, of_row, present: None, rows }
    }
}

/// The encoding of "missing, in this row". No value has the tag 0.
pub(super) fn missing_encoding(row: u64) -> [u8; 9] {
    let mut encoding = [0; 9];
    encoding[1..].copy_from_slice(&row.to_le_bytes());
    encoding
}
