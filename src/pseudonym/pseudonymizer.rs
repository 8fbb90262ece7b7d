//! Columns of values to columns of tokens.

use super::PseudonymDomain;
use super::alphabet::Alphabet;
use super::cipher::Cipher;
use super::hashed::{Missing, Tokens};
use crate::error::{Error, Result};
use crate::keys::{Key, KeyOrigin, KeyProvider};
use crate::pipeline::Kernel;
use crate::policy::{PseudonymMethod, TokenFormat};
use arrow::array::{Array, ArrayRef, FixedSizeBinaryArray};
use arrow::datatypes::DataType;
use std::fmt;

/// Replaces values by tokens under a secret key.
///
/// | method | formats (the default first) | values | turns back |
/// |---|---|---|---|
/// | `blake3`, `hmac-sha256` | `hex`, `base32`, `binary` (`FixedSizeBinary(16)`) | all | no |
/// | `aes-siv` | `base32`, `hex`, `binary` (`Binary`) | all | yes |
/// | `aes-block` | integers: `hex`, `base32`, `binary` (`FixedSizeBinary(16)`); UUIDs: `input`, and these | integers; UUIDs as `FixedSizeBinary(16)` or lowercase text | yes |
/// | `ff1` | `input` | texts of one alphabet, of at most 10,000 characters; integers of 32 and 64 bits | yes |
///
/// A token of a hash method is the first half of the 256-bit output for the value's [canonical encoding](crate::pipeline::visit_canonical): a tag byte (1 text, 2 bytes, 3 integer, …) and
/// the value. So the same text has the same token in `Utf8`, `LargeUtf8`, `Utf8View` and dictionaries, and the same integer in every width; but the text `42` and the integer 42 have
/// different tokens. Missing values stay missing, unless [`Pseudonymizer::with_random_nulls`] asks for more; the empty text is a value. Tokens of a key never change between versions of
/// this crate. [The module](super) says what each method hides.
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
/// See [the module](super). Give every domain its own key: [`Pseudonymizer::in_domain`].
///
/// # References
/// J. O'Connor, J.-P. Aumasson, S. Neves, Z. Wilcox-O'Hearn, "BLAKE3: one function, fast everywhere", 2020, section 2.3 (keyed mode). RFC 2104 and FIPS 198-1 (HMAC), FIPS 180-4
/// (SHA-256); cutting an HMAC to its left half: RFC 2104, section 5. RFC 5297 (AES-SIV). FIPS 197 (AES). NIST SP 800-38G Rev. 1 (FF1). RFC 4648 (Base32).
pub struct Pseudonymizer {
    method: PseudonymMethod,
    origin: KeyOrigin,
    cipher: Cipher,
    format: Option<TokenFormat>,
    random_nulls: bool,
}

impl fmt::Debug for Pseudonymizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pseudonymizer")
            .field("method", &self.method)
            .field("format", &self.format)
            .field("random_nulls", &self.random_nulls)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Pseudonymizer {
    /// Tokens by `method` under `key`.
    ///
    /// `aes-siv` has no associated data then, and `ff1` the alphabet of the ten digits.
    ///
    /// # Errors
    /// The method is `dense`, which must see all values first: see `DenseFit`.
    pub fn new(method: PseudonymMethod, key: Key) -> Result<Self> {
        Self::with_associated_data(method, key, &[])
    }

    /// Tokens by `method` in a domain, under the key that `master` gives for it. With `aes-siv` the names of the scope and of the column are associated data, so that a token
    /// that was moved to another column does not turn back, whatever the keys.
    ///
    /// ```
    /// use backmask::{keys::Key, policy::{PseudonymMethod, Scope}, pseudonym::{PseudonymDomain, Pseudonymizer}};
    ///
    /// let domain = PseudonymDomain { scope: Scope::Recipient, recipient: "Example AI Inc.", release: "", product: "", column: "subject_id", period: "" };
    /// let tokens = Pseudonymizer::in_domain(PseudonymMethod::Blake3, &Key::forgotten()?, &domain)?;
    /// # let _ = tokens;
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Pseudonymizer::new`] and [`PseudonymDomain::key_domain`]; or `master` does not give the key.
    pub fn in_domain(method: PseudonymMethod, master: &dyn KeyProvider, domain: &PseudonymDomain<'_>) -> Result<Self> {
        let key = master.derive(&domain.key_domain()?)?;
        Self::with_associated_data(method, key, &[domain.scope.name().as_bytes(), domain.column.as_bytes()])
    }

    fn with_associated_data(method: PseudonymMethod, key: Key, associated_data: &[&[u8]]) -> Result<Self> {
        let origin = key.origin().clone();
        Ok(Self { method, origin, cipher: Cipher::new(method, key, associated_data)?, format: None, random_nulls: false })
    }

    /// Writes tokens in `format`.
    ///
    /// # Errors
    /// The method does not have it. Hashes cannot be cut to 64-bit integers: among a billion values two would share a token with probability 2.7 %.
    pub fn with_format(mut self, format: TokenFormat) -> Result<Self> {
        let available: &[TokenFormat] = match self.method {
            PseudonymMethod::AesBlock => &[TokenFormat::Hex, TokenFormat::Base32, TokenFormat::Binary, TokenFormat::Input],
            PseudonymMethod::Ff1 => &[TokenFormat::Input],
            _ => &[TokenFormat::Hex, TokenFormat::Base32, TokenFormat::Binary],
        };
        if !available.contains(&format) {
            let names: Vec<&str> = available.iter().map(|format| format.name()).collect();
            let mut problem = format!("tokens of the method {} cannot be written as {}", self.method.name(), format.name());
            let mut remedy = format!("use {}", names.join(", "));
            if matches!(format, TokenFormat::Int64 | TokenFormat::Uint64) {
                if matches!(self.method, PseudonymMethod::Blake3 | PseudonymMethod::HmacSha256) {
                    problem.push_str(
                        ": cut to 64 bits, two of a billion values share a token with probability 2.7 %, two of 5 billion with 50 %",
                    );
                }
                remedy.push_str(", or the method dense (or ff1 for integers), whose integers are one to one");
            }
            return Err(Error::policy("pseudonym.format", problem, remedy));
        }
        self.format = Some(format);
        Ok(self)
    }

    /// The alphabet of the texts of `ff1`.
    ///
    /// # Errors
    /// The method is not `ff1`.
    pub fn with_alphabet(mut self, alphabet: Alphabet) -> Result<Self> {
        self.cipher = self.cipher.with_alphabet(alphabet)?;
        Ok(self)
    }

    /// Gives every missing value a token of its own, so that tokens do not show which values are missing, and missing values do not look like one person.
    ///
    /// The token of a missing value in row r is that of "missing, in row r", which no value has. Rows must be numbered through a whole column, so a pseudonymizer with this
    /// option is applied by [`Pseudonymizer::apply_from`], which is told the number of the first row; [`Kernel::apply`], which is not, refuses to work.
    ///
    /// # Security
    /// Two tables under one key have the same tokens for values that are missing in the same row. Who sees both may take them for one person, or guess that they are missing: give every table a
    /// domain of its own.
    ///
    /// # Errors
    /// The method is `ff1`: every token of it is the token of some value.
    pub fn with_random_nulls(mut self) -> Result<Self> {
        if self.method == PseudonymMethod::Ff1 {
            return Err(Error::policy(
                "pseudonym.method",
                "with ff1 every token stands for a value, so missing values cannot have tokens",
                "use blake3, hmac-sha256, aes-siv or aes-block, or leave missing values missing",
            ));
        }
        self.random_nulls = true;
        Ok(self)
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

    /// The format that was chosen; `None` for the method's default.
    #[must_use]
    pub fn format(&self) -> Option<TokenFormat> {
        self.format
    }

    /// Whether the holder of the key can compute values from tokens. (Whoever holds the key can try all values in any case.)
    #[must_use]
    pub fn is_reversible(&self) -> bool {
        self.cipher.is_reversible()
    }

    /// The tokens of an array as 16 bytes each, in whatever format the columns are; for the methods whose tokens are 16 bytes. A repeated value is worked once.
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
    /// The values have no canonical encoding (nested types, durations, times of day), or the tokens of the method are not 16 bytes long.
    pub fn tokens(&self, array: &dyn Array) -> Result<FixedSizeBinaryArray> {
        self.refuse_random_nulls()?;
        self.cipher.tokens(array)
    }

    /// The tokens of an array whose first row has the number `first_row` in its column (counted from 0). Errors number rows from 1, from the start of that column.
    ///
    /// ```
    /// use backmask::arrow::array::{Array, AsArray, StringArray};
    /// use backmask::{keys::Key, policy::PseudonymMethod, pseudonym::Pseudonymizer};
    ///
    /// let tokens = Pseudonymizer::new(PseudonymMethod::Blake3, Key::forgotten()?)?.with_random_nulls()?;
    /// let names = StringArray::from(vec![None, Some("ann"), None]);
    /// let whole = tokens.apply_from(&names, 0)?;
    /// assert_ne!(whole.as_string::<i32>().value(0), whole.as_string::<i32>().value(2));
    /// assert_eq!(&tokens.apply_from(&names.slice(1, 2), 1)?, &whole.slice(1, 2));
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// The type or a value does not fit the method.
    pub fn apply_from(&self, array: &dyn Array, first_row: u64) -> Result<ArrayRef> {
        self.cipher.apply(array, self.format, first_row, self.random_nulls)
    }

    /// Tokens that change with a label: each row gets the token of its value *and* its label, for the scopes `session` and `fragment`. Any type with a canonical encoding can be a label.
    ///
    /// ```
    /// use backmask::arrow::array::{AsArray, Int64Array, StringArray};
    /// use backmask::{keys::Key, policy::PseudonymMethod, pseudonym::Pseudonymizer};
    ///
    /// let tokens = Pseudonymizer::new(PseudonymMethod::Blake3, Key::forgotten()?)?;
    /// let sessions = Int64Array::from(vec![0, 0, 1]);
    /// let column = tokens.apply_labelled(&StringArray::from(vec!["ann", "ann", "ann"]), &sessions)?;
    /// let column = column.as_string::<i32>();
    /// assert!(column.value(0) == column.value(1) && column.value(1) != column.value(2));
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// The method is not `blake3` or `hmac-sha256`, a type has no canonical encoding, the lengths differ, or a value has no label.
    pub fn apply_labelled(&self, array: &dyn Array, labels: &dyn Array) -> Result<ArrayRef> {
        self.refuse_random_nulls()?;
        self.labelled(array, labels, Missing::Stays)
    }

    /// As [`Pseudonymizer::apply_labelled`], for an array whose first row has the number `first_row`.
    ///
    /// # Errors
    /// As for [`Pseudonymizer::apply_labelled`].
    pub fn apply_labelled_from(&self, array: &dyn Array, labels: &dyn Array, first_row: u64) -> Result<ArrayRef> {
        self.labelled(array, labels, if self.random_nulls { Missing::Numbered(first_row) } else { Missing::Stays })
    }

    fn labelled(&self, array: &dyn Array, labels: &dyn Array, missing: Missing) -> Result<ArrayRef> {
        let Cipher::Hash(prf) = &self.cipher else {
            return Err(Error::policy(
                "pseudonym.method",
                "tokens that change with the session or fragment cannot be turned back",
                "use blake3 or hmac-sha256",
            ));
        };
        Tokens::labelled(prf, array, labels, missing)?.column(self.format.unwrap_or(TokenFormat::Hex))
    }

    /// The values that tokens stand for, exactly as they were (but for floats: −0 comes back as 0, and every NaN as one): of the type `original`, or without it as text `Utf8`, bytes `Binary`, integers `Int64` (`UInt64` or `Decimal128(38, 0)` where
    /// the column needs it), booleans, `Float64`, `Date32`, or `Timestamp(ns, UTC)`. For `aes-block` and `ff1` the type is in part that of the tokens. Missing tokens stay missing, and tokens of
    /// missing values become missing again.
    ///
    /// ```
    /// use backmask::arrow::array::{Array, StringArray};
    /// use backmask::{keys::Key, pipeline::Kernel, policy::PseudonymMethod, pseudonym::Pseudonymizer};
    ///
    /// let tokens = Pseudonymizer::new(PseudonymMethod::AesSiv, Key::from_bytes([7; 32]))?;
    /// let names = StringArray::from(vec![Some("ann"), None]);
    /// let released = tokens.apply(&names)?;
    /// assert_eq!(tokens.reverse(&released, None)?.to_data(), names.to_data());
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// The method cannot be turned back, a row holds no token of the format, or a value does not fit the type `original`. [`Error::Key`] if tokens were altered or
    /// made with another key: `aes-siv` notices this but for a chance of 2⁻¹²⁸ a token, `aes-block` on integers of 64 bits but for 2⁻⁶³; `aes-block` on UUIDs and `ff1` cannot notice it, for every
    /// token of theirs stands for some value under every key.
    pub fn reverse(&self, tokens: &dyn Array, original: Option<&DataType>) -> Result<ArrayRef> {
        self.reverse_from(tokens, original, 0)
    }

    /// As [`Pseudonymizer::reverse`]; `first_row` rows precede the array in its column, and errors count them too.
    ///
    /// # Errors
    /// As for [`Pseudonymizer::reverse`].
    pub fn reverse_from(&self, tokens: &dyn Array, original: Option<&DataType>, first_row: u64) -> Result<ArrayRef> {
        self.cipher.reverse(tokens, self.format, original, first_row)
    }

    /// Whether missing values have tokens of their own.
    pub(super) fn numbers_missing_rows(&self) -> bool {
        self.random_nulls
    }

    /// Without the number of the first row, all batches would share the tokens of their missing rows.
    fn refuse_random_nulls(&self) -> Result<()> {
        if self.random_nulls {
            return Err(Error::Parameter {
                name: "random nulls",
                problem: "need the number of the first row of each batch: call Pseudonymizer::apply_from or apply_labelled_from".to_owned(),
            });
        }
        Ok(())
    }
}

impl Kernel for Pseudonymizer {
    fn output_type(&self, input: &DataType) -> Result<DataType> {
        self.cipher.output_type(input, self.format)
    }

    fn apply(&self, array: &dyn Array) -> Result<ArrayRef> {
        self.refuse_random_nulls()?;
        self.apply_from(array, 0)
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

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        AsArray, BinaryArray, BooleanArray, Date32Array, DictionaryArray, Float32Array, Int8Array, Int64Array, LargeStringArray,
        StringArray, StringViewArray, TimestampSecondArray, UInt32Array, new_empty_array,
    };
    use arrow::datatypes::{Int16Type, TimeUnit};
    use std::sync::Arc;

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
