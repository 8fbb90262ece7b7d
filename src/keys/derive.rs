//! Subkeys, one for every domain.

use hkdf::Hkdf;
use sha2::Sha256;

/// What a subkey is for. Keys of different domains are independent, so what they make cannot be joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Domain<'a> {
    /// The use, for example `pseudonym` or `row-order`.
    pub purpose: &'a str,
    /// The recipient of the release.
    pub recipient: &'a str,
    /// The release.
    pub release: &'a str,
    /// The product.
    pub product: &'a str,
    /// The column.
    pub column: &'a str,
    /// The period of time.
    pub period: &'a str,
}

impl<'a> Domain<'a> {
    /// The domain of a purpose, with nothing else set.
    #[must_use]
    pub fn of(purpose: &'a str) -> Self {
        Self { purpose, ..Self::default() }
    }

    /// HKDF-SHA-256 (RFC 5869) with every part length-prefixed, so that no two domains have the same encoding.
    pub(super) fn expand(&self, key: &[u8; 32]) -> [u8; 32] {
        let mut info = b"backmask/v1".to_vec();
        for part in [self.purpose, self.recipient, self.release, self.product, self.column, self.period] {
            info.extend_from_slice(&(part.len() as u64).to_le_bytes());
            info.extend_from_slice(part.as_bytes());
        }
        let mut output = [0; 32];
        #[expect(clippy::expect_used, reason = "32 bytes are fewer than HKDF's limit of 255 × 32")]
        Hkdf::<Sha256>::new(None, key).expand(&info, &mut output).expect("32 bytes are within HKDF's limit");
        output
    }
}
