//! The methods behind one interface.

use super::alphabet::Alphabet;
use super::blocks::Blocks;
use super::distinct::Distinct;
use super::hashed::{Missing, TOKEN_BYTES, Tokens};
use super::preserving::Preserving;
use super::prf::Prf;
use super::sealed::Sealing;
use super::values::{Values, Visitor, plain, present, visit};
use crate::error::{Error, Result};
use crate::keys::Key;
use crate::pipeline::check_canonical;
use crate::policy::{PseudonymMethod, TokenFormat};
use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::DataType;

/// A method with its key.
pub(super) enum Cipher {
    /// `blake3` or `hmac-sha256`.
    Hash(Prf),
    Siv(Sealing),
    Block(Blocks),
    Ff1(Box<Preserving>),
}

impl Cipher {
    /// The AES methods get keys that are derived for them, so that no key is used in two ways.
    pub(super) fn new(method: PseudonymMethod, key: Key, associated_data: &[&[u8]]) -> Result<Self> {
        Ok(match method {
            PseudonymMethod::Blake3 => Self::Hash(Prf::blake3(key)),
            PseudonymMethod::HmacSha256 => Self::Hash(Prf::hmac_sha256(&key)),
            PseudonymMethod::AesSiv => Self::Siv(Sealing::new(&key, associated_data)),
            PseudonymMethod::AesBlock => Self::Block(Blocks::new(&key)),
            PseudonymMethod::Ff1 => Self::Ff1(Box::new(Preserving::new(&key, Alphabet::digits())?)),
            PseudonymMethod::Dense => {
                return Err(Error::unsupported(
                    "pseudonym.method",
                    "the method dense as a function of one value (its numbers are dealt when all values are known: use DenseFit)",
                ));
            }
        })
    }

    pub(super) fn with_alphabet(self, alphabet: Alphabet) -> Result<Self> {
        match self {
            Self::Ff1(preserving) => Ok(Self::Ff1(Box::new(preserving.with_alphabet(alphabet)?))),
            _ => Err(Error::policy("pseudonym.alphabet", "only texts under ff1 have an alphabet", "leave it out, or use the method ff1")),
        }
    }

    pub(super) fn is_reversible(&self) -> bool {
        !matches!(self, Self::Hash(_))
    }

    /// Tokens of 16 bytes.
    pub(super) fn tokens(&self, array: &dyn Array) -> Result<FixedSizeBinaryArray> {
        match self {
            Self::Hash(prf) => Tokens::new(prf, array, Missing::Stays)?.bytes(),
            Self::Block(blocks) => blocks.tokens(array),
            Self::Siv(_) | Self::Ff1(_) => Err(Error::policy(
                "pseudonym.method",
                "tokens of aes-siv and ff1 are not 16 bytes long",
                "take them as a column (Pseudonymizer::apply_from), or use another method",
            )),
        }
    }

    pub(super) fn output_type(&self, input: &DataType, format: Option<TokenFormat>) -> Result<DataType> {
        match self {
            Self::Hash(_) => {
                check_canonical(input)?;
                Ok(if format == Some(TokenFormat::Binary) { DataType::FixedSizeBinary(TOKEN_BYTES) } else { DataType::Utf8 })
            }
            Self::Siv(_) => {
                check_canonical(input)?;
                Ok(if format == Some(TokenFormat::Binary) { DataType::Binary } else { DataType::Utf8 })
            }
            Self::Block(_) => Blocks::output_type(input, format),
            Self::Ff1(_) => Preserving::output_type(input),
        }
    }

    pub(super) fn apply(&self, array: &dyn Array, format: Option<TokenFormat>, first_row: u64, random_nulls: bool) -> Result<ArrayRef> {
        if let Some(dictionary) = array.as_any_dictionary_opt() {
            if !random_nulls
                && dictionary.values().len() <= array.len()
                && let Ok(tokens) = self.apply(dictionary.values().as_ref(), format, 0, false)
            {
                return take(&tokens, dictionary.keys(), None).map_err(|e| Error::arrow("gathering dictionary values", &e));
            }
            return self.apply(plain(array)?.as_ref(), format, first_row, random_nulls);
        }
        let missing = if random_nulls { Missing::Numbered(first_row) } else { Missing::Stays };
        match self {
            Self::Hash(prf) => Tokens::new(prf, array, missing)?.column(format.unwrap_or(TokenFormat::Hex)),
            Self::Siv(sealing) => {
                let format = format.unwrap_or(TokenFormat::Base32);
                match missing {
                    Missing::Stays => once(array, |array| sealing.apply(array, format, missing)),
                    Missing::Numbered(_) => sealing.apply(array, format, missing),
                }
            }
            Self::Block(blocks) => blocks.apply(array, format, first_row, missing),
            Self::Ff1(preserving) => once(array, |array| preserving.apply(array, first_row)),
        }
    }

    pub(super) fn reverse(
        &self,
        tokens: &dyn Array,
        format: Option<TokenFormat>,
        original: Option<&DataType>,
        first_row: u64,
    ) -> Result<ArrayRef> {
        match self {
            Self::Hash(_) => Err(Error::policy(
                "pseudonym.method",
                "tokens of a hash cannot be turned back",
                "for tokens that can be, use aes-siv, aes-block, ff1 or dense",
            )),
            Self::Siv(sealing) => sealing.reverse(tokens, format.unwrap_or(TokenFormat::Base32), original, first_row),
            Self::Block(blocks) => blocks.reverse(tokens, format, original, first_row),
            Self::Ff1(preserving) => preserving.reverse(tokens, original, first_row),
        }
    }
}

/// Works the values of a column in which many repeat once each. If that fails, all rows are worked: they are what an error must count.
fn once(array: &dyn Array, work: impl Fn(&dyn Array) -> Result<ArrayRef>) -> Result<ArrayRef> {
    let present = present(array);
    let distinct = visit(array, Looking { rows: array.len(), present: present.as_ref() })?;
    if let Some(Distinct { firsts, of_row }) = distinct
        && !firsts.is_empty()
    {
        let gather = |values: &dyn Array, rows: UInt32Array| take(values, &rows, None).map_err(|e| Error::arrow("gathering values", &e));
        if let Ok(worked) = work(gather(array, UInt32Array::from(firsts))?.as_ref()) {
            return gather(&worked, UInt32Array::new(of_row.into(), present));
        }
    }
    work(array)
}

struct Looking<'a> {
    rows: usize,
    present: Option<&'a NullBuffer>,
}

impl Visitor for Looking<'_> {
    type Output = Option<Distinct>;

    fn visit<V: Values>(self, values: &V) -> Option<Distinct> {
        Distinct::find(values, self.rows, self.present)
    }
}
