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
        for token in &tokens {
            bytes.extend_from_slice(&token.unwrap_or_default());
        }
        let nulls = present(&tokens);
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
        let nulls = present(&tokens);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let column = StringArray::try_new(offsets, Buffer::from_vec(text), nulls).map_err(|e| Error::arrow("writing tokens", &e))?;
        Ok(Arc::new(column))
    }
}

/// Which rows have a token; `None` if all have.
fn present(tokens: &[Option<Token>]) -> Option<NullBuffer> {
    let present: NullBuffer = tokens.iter().map(Option::is_some).collect();
    (present.null_count() > 0).then_some(present)
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

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        AsArray, BinaryArray, BooleanArray, Date32Array, DictionaryArray, Float32Array, Int8Array, Int64Array, LargeStringArray,
        StringViewArray, TimestampSecondArray, UInt32Array, new_empty_array,
    };
    use arrow::datatypes::{Int16Type, TimeUnit};

    fn pseudonymizer(method: PseudonymMethod) -> Pseudonymizer {
        Pseudonymizer::new(method, Key::from_bytes([7; 32])).unwrap()
    }

    fn texts(array: &dyn Array, method: PseudonymMethod) -> Vec<Option<String>> {
        pseudonymizer(method).apply(array).unwrap().as_string::<i32>().iter().map(|token| token.map(str::to_owned)).collect()
    }

    #[test]
    fn tokens_never_change_between_versions() {
        // Computed by independent implementations of BLAKE3 and HMAC.
        let arrays: [(ArrayRef, &str, &str); 10] = [
            (Arc::new(StringArray::from(vec!["ann"])), "647b3a660bc49aa4d89777b1e2af148d", "b4b73dfff123fc51ae514d9a6cc9cb23"),
            (Arc::new(StringArray::from(vec![""])), "1249389052bd5bd34f1e97b15a59f4df", "3d8b2fa2a2537fdcdda46e704966a105"),
            (Arc::new(StringArray::from(vec!["Żółć"])), "5827f564eb923b49502643b042d82d48", "6818c67687ecbf6907920bd22161ad6d"),
            (Arc::new(UInt32Array::from(vec![42])), "ee0029a8ad0e7f90ab25fa88a0062442", "8b8bb5a6e5d2c309ccbeba0a02413132"),
            (Arc::new(Int8Array::from(vec![-1])), "434f50110c839902493f1c7454a6a6e4", "887d8b56e1308a1d23e625b057fdbae9"),
            (Arc::new(BinaryArray::from(vec![&b"ann"[..]])), "816927e7da4619b0cc3ad5628645087c", "66528ef840dda4102d901b670bff12fc"),
            (Arc::new(BooleanArray::from(vec![true])), "32a38cdfbc7a45171d63b6d3f15ba4ec", "eb7fc161f0e04ed96562a0ed69b473b1"),
            (Arc::new(Float32Array::from(vec![0.5])), "625ec82ca33de45bfbffd20a5758b311", "17845e77d7e46b34d68ae8b266320054"),
            (Arc::new(Date32Array::from(vec![19_000])), "614192b4671c866ec4119ad45e6469a6", "69d42d205efbad50a68701060bdf7663"),
            (
                Arc::new(TimestampSecondArray::from(vec![1_700_000_000])),
                "7597f6147e4090a4f104770242b2cb71",
                "1b73c36f318eb76f810c135969addfda",
            ),
        ];
        for (array, blake3, hmac) in arrays {
            assert_eq!(texts(&array, PseudonymMethod::Blake3), [Some(blake3.to_owned())], "{}", array.data_type());
            assert_eq!(texts(&array, PseudonymMethod::HmacSha256), [Some(hmac.to_owned())], "{}", array.data_type());
        }
    }

    #[test]
    fn representations_slices_and_missing_values() {
        let values = vec![Some("ann"), None, Some(""), Some("ann"), Some("bob")];
        for method in [PseudonymMethod::Blake3, PseudonymMethod::HmacSha256] {
            let plain = texts(&StringArray::from(values.clone()), method);
            assert_eq!(plain[0], plain[3]);
            assert!(plain[1].is_none() && plain[2].is_some() && plain[4] != plain[0]);
            let dictionary: DictionaryArray<Int16Type> = values.clone().into_iter().collect();
            let others: [ArrayRef; 3] =
                [Arc::new(LargeStringArray::from(values.clone())), Arc::new(StringViewArray::from(values.clone())), Arc::new(dictionary)];
            for other in others {
                assert_eq!(texts(&other, method), plain);
                assert_eq!(texts(&other.slice(1, 3), method), plain[1..4]);
                assert_eq!(texts(&other.slice(2, 0), method), Vec::<Option<String>>::new());
            }
        }
    }

    #[test]
    fn raw_tokens_are_the_same_bits() {
        let array = Int64Array::from(vec![Some(i64::MIN), None, Some(0), Some(i64::MAX)]);
        let raw = pseudonymizer(PseudonymMethod::Blake3).tokens(&array).unwrap();
        for (row, text) in texts(&array, PseudonymMethod::Blake3).into_iter().enumerate() {
            let number = raw.is_valid(row).then(|| u128::from_be_bytes(raw.value(row).try_into().unwrap()));
            assert_eq!(number.map(|number| format!("{number:032x}")), text);
        }
        assert_eq!(pseudonymizer(PseudonymMethod::Blake3).tokens(&array.slice(0, 0)).unwrap().len(), 0);
    }

    #[test]
    fn types_are_refused_before_data_is_seen() {
        let tokens = pseudonymizer(PseudonymMethod::Blake3);
        let time = DataType::Time32(TimeUnit::Second);
        assert!(tokens.output_type(&time).is_err());
        assert!(tokens.apply(new_empty_array(&time).as_ref()).is_err());
        assert_eq!(tokens.output_type(&DataType::LargeBinary).unwrap(), DataType::Utf8);
    }

    #[test]
    fn debug_output_has_no_key() {
        let text = format!("{:?} {:?}", pseudonymizer(PseudonymMethod::Blake3), pseudonymizer(PseudonymMethod::HmacSha256));
        assert!(!text.contains("7, 7") && !text.contains("0707"), "{text}");
    }

    #[test]
    fn collisions_follow_the_birthday_bound() {
        assert_eq!(collision_probability(0).to_bits(), 0);
        assert_eq!(collision_probability(1).to_bits(), 0);
        let two = 2_f64.powi(-128);
        assert!((collision_probability(2) / two - 1.0).abs() < 1e-15);
        assert!((collision_probability(u64::MAX) - 0.5).abs() < 1e-12);
        assert!((collision_probability(1_000_000_000) / 1.469_367_938_527_859e-21 - 1.0).abs() < 1e-8);
    }
}
