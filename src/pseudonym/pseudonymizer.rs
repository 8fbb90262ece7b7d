//! Columns of values to columns of tokens.

use super::hex;
use super::prf::{Prf, Token};
use crate::error::{Error, Result};
use crate::keys::{Key, KeyOrigin};
use crate::pipeline::{Kernel, check_canonical, map_canonical};
use crate::policy::PseudonymMethod;
use arrow::array::{Array, ArrayRef, FixedSizeBinaryArray, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use std::fmt;
use std::sync::Arc;

const TOKEN_BYTES: i32 = 16;

/// Replaces values by keyed 128-bit tokens, written as 32 lowercase hexadecimal digits.
///
/// A token is the first half of the method's 256-bit output for the value's [canonical encoding](crate::pipeline::visit_canonical): a tag byte (1 text, 2 bytes, 3 integer, …) and
/// the value. So the same text has the same token in `Utf8`, `LargeUtf8`, `Utf8View` and dictionaries, and the same integer in every width; but the text `42` and the integer 42 have
/// different tokens. Missing values stay missing; the empty text is a value. Tokens of a key never change between versions of this crate.
///
/// ```
/// use backmask::arrow::array::{Int64Array, UInt16Array};
/// use backmask::{keys::Key, pipeline::Kernel, policy::PseudonymMethod, pseudonym::Pseudonymizer};
///
/// let tokens = Pseudonymizer::new(PseudonymMethod::HmacSha256, Key::from_bytes([7; 32]))?;
/// assert_eq!(&tokens.apply(&Int64Array::from(vec![42]))?, &tokens.apply(&UInt16Array::from(vec![42]))?);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Security
/// See [the module](super). Give every domain its own key: [`subject_key`](super::subject_key).
///
/// # References
/// J. O'Connor, J.-P. Aumasson, S. Neves, Z. Wilcox-O'Hearn, "BLAKE3: one function, fast everywhere", 2020, section 2.3 (keyed mode). RFC 2104 and FIPS 198-1 (HMAC), FIPS 180-4
/// (SHA-256); cutting an HMAC to its left half: RFC 2104, section 5.
pub struct Pseudonymizer {
    method: PseudonymMethod,
    origin: KeyOrigin,
    prf: Prf,
}

impl fmt::Debug for Pseudonymizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pseudonymizer").field("method", &self.method).field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Pseudonymizer {
    /// Tokens by `method` under `key`.
    ///
    /// # Errors
    /// This version does not have the method: it has `blake3` and `hmac-sha256`.
    pub fn new(method: PseudonymMethod, key: Key) -> Result<Self> {
        Ok(Self { method, origin: key.origin().clone(), prf: Prf::new(method, key)? })
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> PseudonymMethod {
        self.method
    }

    /// Where the key came from. Tokens are irreversible only for [`KeyOrigin::Forgotten`].
    #[must_use]
    pub fn key_origin(&self) -> &KeyOrigin {
        &self.origin
    }

    /// The tokens of an array as 16 bytes each. A value of a dictionary and a run of equal rows are worked once.
    ///
    /// ```
    /// use backmask::arrow::array::{Array, StringArray};
    /// use backmask::{keys::Key, policy::PseudonymMethod, pseudonym::Pseudonymizer};
    ///
    /// let tokens = Pseudonymizer::new(PseudonymMethod::Blake3, Key::forgotten()?)?;
    /// let raw = tokens.tokens(&StringArray::from(vec![Some("ann"), None, Some("")]))?;
    /// assert_eq!((raw.value_length(), raw.null_count()), (16, 1));
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// The values have no canonical encoding (nested types, durations, times of day).
    pub fn tokens(&self, array: &dyn Array) -> Result<FixedSizeBinaryArray> {
        let tokens = self.of_rows(array)?;
        let mut bytes = Vec::with_capacity(tokens.len() * 16);
        tokens.iter().for_each(|token| bytes.extend_from_slice(&token.unwrap_or_default()));
        let nulls = NullBuffer::from_iter(tokens.iter().map(Option::is_some));
        let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
        FixedSizeBinaryArray::try_new_with_len(TOKEN_BYTES, Buffer::from_vec(bytes), nulls, tokens.len())
            .map_err(|e| Error::arrow("writing tokens", &e))
    }

    fn of_rows(&self, array: &dyn Array) -> Result<Vec<Option<Token>>> {
        map_canonical(array, None, |value| Some(self.prf.token(value)))
    }
}

impl Kernel for Pseudonymizer {
    fn output_type(&self, input: &DataType) -> Result<DataType> {
        check_canonical(input)?;
        Ok(DataType::Utf8)
    }

    fn apply(&self, array: &dyn Array) -> Result<ArrayRef> {
        let tokens = self.of_rows(array)?;
        let mut text = Vec::with_capacity(tokens.iter().flatten().count() * 32);
        let mut offsets = Vec::with_capacity(tokens.len() + 1);
        offsets.push(0_i32);
        for token in &tokens {
            if let Some(token) = token {
                hex::append(&mut text, token);
            }
            offsets.push(i32::try_from(text.len()).map_err(|_| Error::Arrow {
                context: "writing tokens".to_owned(),
                kind: "more than 67 million rows in one batch; read smaller batches".to_owned(),
            })?);
        }
        let nulls = NullBuffer::from_iter(tokens.iter().map(Option::is_some));
        let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let column = StringArray::try_new(offsets, Buffer::from_vec(text), nulls).map_err(|e| Error::arrow("writing tokens", &e))?;
        Ok(Arc::new(column))
    }
}

/// Probability that at least two of `n` different values have the same 128-bit token, from above: min(1, n(n − 1) / 2¹²⁹).
///
/// A collision merges two people into one, which hides them but falsifies counts of people. A billion values collide with probability 1.5 × 10⁻²¹.
///
/// ```
/// assert!(backmask::pseudonym::collision_probability(1_000_000_000) < 1.5e-21);
/// ```
#[must_use]
pub fn collision_probability(n: u64) -> f64 {
    // n(n − 1) < 2^128 fits; the quotient is at most 1/2 in this range, so no minimum is needed.
    let pairs = u128::from(n) * u128::from(n.saturating_sub(1)) / 2;
    #[expect(clippy::cast_precision_loss, reason = "a probability to 16 digits")]
    let pairs = pairs as f64;
    pairs / 2_f64.powi(128)
}
