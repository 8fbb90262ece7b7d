//! Columns of integers and UUIDs under one AES block each.
//!
//! The block of an integer is its 128-bit two's complement, little-endian: of a 64-bit integer the upper half is all zeros or all ones, and that is what reversal checks.
//! The block of a missing value in row r is 2¹²⁷ − 1 − r; no integer and no `Decimal128` of 38 digits comes near it. The block of a UUID is its 16 bytes.

use super::block::BlockCipher;
use super::faults::Faults;
use super::hashed::{Missing, TOKEN_BYTES, Tokens, fixed, texts_of_one_length};
use super::prf::Token;
use super::restore::{Canonical, restore};
use super::text::{bytes, texts};
use super::values::{plain, present};
use super::{base32, hex, uuid};
use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use crate::pipeline::UNNAMED;
use crate::policy::TokenFormat;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, FixedSizeBinaryArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use std::sync::Arc;

/// Blocks that are filled and then encrypted while they are in the first-level cache.
const BATCH: usize = 1_024;
/// The first power of ten that no `Decimal128` reaches.
const DECIMALS: u128 = 10_u128.pow(38);
/// Blocks from here on stand for missing values.
const FIRST_MISSING: i128 = i128::MAX - u64::MAX as i128;

/// One AES block a value, under a key that is derived for it.
pub(super) struct Blocks {
    cipher: Box<BlockCipher>,
}

/// What is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Uuid,
}

impl Kind {
    fn of(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::FixedSizeBinary(TOKEN_BYTES) | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(Self::Uuid),
            DataType::Decimal128(_, 0) => Some(Self::Integer),
            other => other.is_integer().then_some(Self::Integer),
        }
    }

    fn needed(data_type: &DataType) -> Result<Self> {
        Self::of(data_type).ok_or_else(|| {
            Error::column(
                UNNAMED,
                "is neither of integers nor of UUIDs (16 bytes, or text), which are all that aes-block takes",
                "use aes-siv for tokens that can be turned back, or cast the column",
            )
        })
    }
}

impl Blocks {
    pub(super) fn new(key: &Key) -> Self {
        Self { cipher: Box::new(BlockCipher::new(key.derive(&Domain::of("aes-block")).expose())) }
    }

    pub(super) fn output_type(input: &DataType, format: Option<TokenFormat>) -> Result<DataType> {
        Ok(match (Kind::needed(input)?, format) {
            (Kind::Integer, Some(TokenFormat::Input)) => {
                return Err(Error::policy(
                    "pseudonym.format",
                    "a token of aes-block has 128 bits and does not fit the type of an integer",
                    "use hex, base32 or binary, or the methods ff1 or dense",
                ));
            }
            (_, Some(TokenFormat::Binary)) => DataType::FixedSizeBinary(TOKEN_BYTES),
            (Kind::Uuid, None | Some(TokenFormat::Input)) => input.clone(),
            _ => DataType::Utf8,
        })
    }

    /// The tokens of an array that is no dictionary.
    pub(super) fn apply(&self, array: &dyn Array, format: Option<TokenFormat>, first_row: u64, missing: Missing) -> Result<ArrayRef> {
        let output = Self::output_type(array.data_type(), format)?;
        let (blocks, present) = self.blocks(array, first_row, missing)?;
        let rows = blocks.len();
        match (Kind::needed(array.data_type())?, format) {
            (Kind::Uuid, None | Some(TokenFormat::Input)) if output != DataType::FixedSizeBinary(TOKEN_BYTES) => {
                let text: Vec<[u8; 36]> = match &present {
                    None => blocks.iter().map(uuid::of_token).collect(),
                    Some(present) => blocks.iter().zip(present).filter(|(_, is)| *is).map(|(block, _)| uuid::of_token(block)).collect(),
                };
                let text = texts_of_one_length(text, present, rows)?;
                if output == DataType::Utf8 {
                    return Ok(Arc::new(text));
                }
                cast(&text, &output).map_err(|e| Error::arrow("writing tokens", &e))
            }
            (Kind::Uuid, None | Some(TokenFormat::Input)) => Ok(Arc::new(fixed(blocks, present)?)),
            (_, format) => Tokens::of_rows(blocks, present).column(format.unwrap_or(TokenFormat::Hex)),
        }
    }

    /// The tokens as 16 bytes.
    pub(super) fn tokens(&self, array: &dyn Array) -> Result<FixedSizeBinaryArray> {
        let (blocks, present) = self.blocks(plain(array)?.as_ref(), 0, Missing::Stays)?;
        fixed(blocks, present)
    }

    /// The encrypted blocks, zeros for missing values.
    fn blocks(&self, array: &dyn Array, first_row: u64, missing: Missing) -> Result<(Vec<Token>, Option<NullBuffer>)> {
        macro_rules! integers {
            ($type:ty) => {
                self.integers(
                    array.as_primitive::<$type>().values().iter().map(|&v| <$type as ArrowPrimitiveType>::Native::into(v)),
                    array,
                    missing,
                )
            };
        }
        Ok(match array.data_type() {
            DataType::Int8 => integers!(Int8Type),
            DataType::Int16 => integers!(Int16Type),
            DataType::Int32 => integers!(Int32Type),
            DataType::Int64 => integers!(Int64Type),
            DataType::UInt8 => integers!(UInt8Type),
            DataType::UInt16 => integers!(UInt16Type),
            DataType::UInt32 => integers!(UInt32Type),
            DataType::UInt64 => integers!(UInt64Type),
            DataType::Decimal128(_, 0) => {
                let mut faults = Faults::default();
                for (row, value) in array.as_primitive::<Decimal128Type>().iter().enumerate() {
                    if value.is_some_and(|value| value.unsigned_abs() >= DECIMALS) {
                        faults.note(first_row.wrapping_add(row as u64));
                    }
                }
                faults.check("has more than 38 digits, which Decimal128 cannot have", "make the column again")?;
                integers!(Decimal128Type)
            }
            _ => self.uuids(array, first_row, missing)?,
        })
    }

    fn integers(
        &self,
        mut values: impl ExactSizeIterator<Item = i128>,
        array: &dyn Array,
        missing: Missing,
    ) -> (Vec<Token>, Option<NullBuffer>) {
        let present = present(array);
        let rows = values.len();
        let mut blocks: Vec<Token> = Vec::with_capacity(rows);
        for start in (0..rows).step_by(BATCH) {
            let end = (start + BATCH).min(rows);
            blocks.extend(values.by_ref().take(end - start).map(i128::to_le_bytes));
            if let (Some(present), Missing::Numbered(first_row)) = (&present, missing) {
                for row in (start..end).filter(|&row| present.is_null(row)) {
                    blocks[row] = (i128::MAX - i128::from(first_row.wrapping_add(row as u64))).to_le_bytes();
                }
            }
            self.cipher.encrypt(&mut blocks[start..]);
        }
        if matches!(missing, Missing::Numbered(_)) {
            return (blocks, None);
        }
        clear_missing(&mut blocks, present.as_ref());
        (blocks, present)
    }

    fn uuids(&self, array: &dyn Array, first_row: u64, missing: Missing) -> Result<(Vec<Token>, Option<NullBuffer>)> {
        Kind::needed(array.data_type())?;
        if matches!(missing, Missing::Numbered(_)) {
            return Err(Error::policy(
                "pseudonym.method",
                "every block is the token of some UUID, so missing UUIDs cannot have tokens",
                "use blake3, hmac-sha256 or aes-siv, or leave missing values missing",
            ));
        }
        let present = present(array);
        let is_present = |row| present.as_ref().is_none_or(|present: &NullBuffer| present.is_valid(row));
        let mut blocks = vec![Token::default(); array.len()];
        if let Some(texts) = texts(array) {
            let mut faults = Faults::default();
            for (row, block) in blocks.iter_mut().enumerate().filter(|(row, _)| is_present(*row)) {
                match uuid::decode(texts(row).as_bytes()) {
                    Some(uuid) => *block = uuid,
                    None => faults.note(first_row.wrapping_add(row as u64)),
                }
            }
            faults.check(
                "is not a UUID of lowercase digits with hyphens",
                "write UUIDs in lowercase, or use aes-siv, which takes all texts",
            )?;
        } else if let Some(bytes) = bytes(array) {
            for (row, block) in blocks.iter_mut().enumerate() {
                block.copy_from_slice(bytes(row));
            }
        }
        self.cipher.encrypt(&mut blocks);
        clear_missing(&mut blocks, present.as_ref());
        Ok((blocks, present))
    }

    /// The values of tokens.
    pub(super) fn reverse(
        &self,
        tokens: &dyn Array,
        format: Option<TokenFormat>,
        original: Option<&DataType>,
        first_row: u64,
    ) -> Result<ArrayRef> {
        let tokens = plain(tokens)?;
        let present = tokens.logical_nulls();
        let is_present = |row| present.as_ref().is_none_or(|present: &NullBuffer| present.is_valid(row));
        let form = Form::of(tokens.as_ref(), format, (0..tokens.len()).find(|&row| is_present(row)))?;
        let mut blocks = vec![Token::default(); tokens.len()];
        let mut malformed = Faults::default();
        for (row, block) in blocks.iter_mut().enumerate().filter(|(row, _)| is_present(*row)) {
            match form.decode(row) {
                Some(token) => *block = token,
                None => malformed.note(first_row.wrapping_add(row as u64)),
            }
        }
        malformed.check("not a token of aes-block in the format of the column", "name the format that the tokens were written in")?;
        self.cipher.decrypt(&mut blocks);
        let kind = match original {
            Some(DataType::Dictionary(_, values)) => Kind::needed(values)?,
            Some(original) => Kind::needed(original)?,
            None => form.kind(format),
        };
        match kind {
            Kind::Uuid => {
                clear_missing(&mut blocks, present.as_ref());
                self::uuids(blocks, present, original.unwrap_or_else(|| form.uuid_type()))
            }
            Kind::Integer => self::integers(&blocks, is_present, original, first_row),
        }
    }
}

fn clear_missing(blocks: &mut [Token], present: Option<&NullBuffer>) {
    for (block, present) in blocks.iter_mut().zip(present.into_iter().flatten()) {
        if !present {
            *block = Token::default();
        }
    }
}

/// How tokens are written.
enum Form<'a> {
    Hex(super::text::ValueOfRow<'a, str>),
    Base32(super::text::ValueOfRow<'a, str>),
    Uuid(super::text::ValueOfRow<'a, str>),
    Bytes(super::text::ValueOfRow<'a, [u8]>),
}

impl<'a> Form<'a> {
    /// `first` is the first row with a token.
    fn of(tokens: &'a dyn Array, format: Option<TokenFormat>, first: Option<usize>) -> Result<Self> {
        match (texts(tokens), bytes(tokens), format) {
            (Some(texts), _, Some(TokenFormat::Base32)) => Ok(Self::Base32(texts)),
            (Some(texts), _, Some(TokenFormat::Input)) => Ok(Self::Uuid(texts)),
            (Some(texts), _, None) if first.is_some_and(|row| texts(row).len() == 36) => Ok(Self::Uuid(texts)),
            (Some(texts), _, None | Some(TokenFormat::Hex)) => Ok(Self::Hex(texts)),
            (_, Some(bytes), None | Some(TokenFormat::Binary | TokenFormat::Input)) => Ok(Self::Bytes(bytes)),
            _ => Err(Error::column(
                UNNAMED,
                "has a type that tokens of aes-block in this format do not have",
                "name the format of the tokens",
            )),
        }
    }

    fn decode(&self, row: usize) -> Option<Token> {
        match self {
            Self::Hex(texts) => hex::to_token(texts(row).as_bytes().try_into().ok()?),
            Self::Base32(texts) => {
                let mut bytes = Vec::new();
                base32::decode(texts(row).as_bytes(), &mut bytes).then_some(bytes)?.try_into().ok()
            }
            Self::Uuid(texts) => uuid::decode(texts(row).as_bytes()),
            Self::Bytes(bytes) => bytes(row).try_into().ok(),
        }
    }

    /// What the tokens stand for where nobody says it.
    fn kind(&self, format: Option<TokenFormat>) -> Kind {
        match (self, format) {
            (Self::Uuid(_), _) | (Self::Bytes(_), None | Some(TokenFormat::Input)) => Kind::Uuid,
            _ => Kind::Integer,
        }
    }

    fn uuid_type(&self) -> &'static DataType {
        if matches!(self, Self::Bytes(_)) { &DataType::FixedSizeBinary(TOKEN_BYTES) } else { &DataType::Utf8 }
    }
}

fn uuids(blocks: Vec<Token>, present: Option<NullBuffer>, data_type: &DataType) -> Result<ArrayRef> {
    let present = present.filter(|present| present.null_count() > 0);
    let rows = blocks.len();
    let is_fixed = matches!(data_type, DataType::FixedSizeBinary(_))
        || matches!(data_type, DataType::Dictionary(_, values) if matches!(**values, DataType::FixedSizeBinary(_)));
    let array: ArrayRef = if is_fixed {
        Arc::new(fixed(blocks, present)?)
    } else {
        let is_present = |row| present.as_ref().is_none_or(|present: &NullBuffer| present.is_valid(row));
        let text = blocks.iter().enumerate().filter(|(row, _)| is_present(*row)).map(|(_, block)| uuid::of_token(block)).collect();
        Arc::new(texts_of_one_length(text, present, rows)?)
    };
    if array.data_type() == data_type {
        return Ok(array);
    }
    cast(&array, data_type).map_err(|e| Error::arrow("writing UUIDs", &e))
}

fn integers(blocks: &[Token], is_present: impl Fn(usize) -> bool, original: Option<&DataType>, first_row: u64) -> Result<ArrayRef> {
    let is_decimal = match original {
        Some(DataType::Dictionary(_, values)) => matches!(**values, DataType::Decimal128(..)),
        Some(original) => matches!(original, DataType::Decimal128(..)),
        None => false,
    };
    let (mut altered, mut values) = (Faults::default(), Canonical::with_capacity(blocks.len()));
    for (row, block) in blocks.iter().enumerate() {
        let integer = i128::from_le_bytes(*block);
        if !is_present(row) || integer >= FIRST_MISSING {
            values.push(&[]);
        } else {
            values.push_integer(integer);
            let possible = if is_decimal {
                integer.unsigned_abs() < DECIMALS
            } else {
                (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&integer)
            };
            if !possible {
                altered.note(first_row.wrapping_add(row as u64));
            }
        }
    }
    altered.check_key(blocks.len(), "; if they stand for UUIDs or decimals, name that type")?;
    restore(&values, original, first_row)
}
