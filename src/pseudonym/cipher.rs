//! The methods behind one interface.

use super::alphabet::Alphabet;
use super::hashed::{Missing, TOKEN_BYTES, Tokens};
use super::prf::Prf;
use crate::error::{Error, Result};
use crate::keys::Key;
use crate::pipeline::check_canonical;
use crate::policy::{PseudonymMethod, TokenFormat};
use arrow::array::{Array, ArrayRef, FixedSizeBinaryArray};
use arrow::datatypes::DataType;

/// A method with its key.
pub(super) enum Cipher {
    /// `blake3` or `hmac-sha256`.
    Hash(Prf),
}

impl Cipher {
    pub(super) fn new(method: PseudonymMethod, key: Key, associated_data: &[&[u8]]) -> Result<Self> {
        let _ = associated_data;
        match method {
            PseudonymMethod::Blake3 => Ok(Self::Hash(Prf::blake3(key))),
            PseudonymMethod::HmacSha256 => Ok(Self::Hash(Prf::hmac_sha256(&key))),
            PseudonymMethod::Dense => Err(Error::unsupported(
                "pseudonym.method",
                "the method dense as a function of one value (it must see all values first: use DenseFit)",
            )),
            other => Err(Error::unsupported("pseudonym.method", format!("the method {}", other.name()))),
        }
    }

    pub(super) fn with_alphabet(self, _alphabet: Alphabet) -> Result<Self> {
        Err(Error::policy("pseudonym.alphabet", "only texts under ff1 have an alphabet", "leave it out, or use the method ff1"))
    }

    pub(super) fn is_reversible(&self) -> bool {
        !matches!(self, Self::Hash(_))
    }

    pub(super) fn tokens(&self, array: &dyn Array) -> Result<FixedSizeBinaryArray> {
        match self {
            Self::Hash(prf) => Tokens::new(prf, array, Missing::Stays)?.bytes(),
        }
    }

    pub(super) fn output_type(&self, input: &DataType, format: Option<TokenFormat>) -> Result<DataType> {
        match self {
            Self::Hash(_) => {
                check_canonical(input)?;
                Ok(if format == Some(TokenFormat::Binary) { DataType::FixedSizeBinary(TOKEN_BYTES) } else { DataType::Utf8 })
            }
        }
    }

    pub(super) fn apply(&self, array: &dyn Array, format: Option<TokenFormat>, first_row: u64, random_nulls: bool) -> Result<ArrayRef> {
        match self {
            Self::Hash(prf) => {
                let missing = if random_nulls { Missing::Numbered(first_row) } else { Missing::Stays };
                Tokens::new(prf, array, missing)?.column(format.unwrap_or(TokenFormat::Hex))
            }
        }
    }

    pub(super) fn reverse(
        &self,
        _tokens: &dyn Array,
        _format: Option<TokenFormat>,
        _original: Option<&DataType>,
        _first_row: u64,
    ) -> Result<ArrayRef> {
        match self {
            Self::Hash(_) => Err(Error::policy(
                "pseudonym.method",
                "tokens of a hash cannot be turned back",
                "use aes-siv, aes-block, ff1 or dense for tokens that can",
            )),
        }
    }
}
