//! The person protected and the tokens that stand for them.

use serde::{Deserialize, Serialize};

/// Which column names the person, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The column.
    pub column: String,
    /// How its values are replaced.
    #[serde(default)]
    pub pseudonym: PseudonymSpec,
}

/// How values are replaced by tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PseudonymSpec {
    /// The method.
    #[serde(default)]
    pub method: PseudonymMethod,
    /// Where the same value gets the same token.
    #[serde(default)]
    pub scope: Scope,
}

/// Methods of pseudonymization.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PseudonymMethod {
    /// Keyed BLAKE3, 128 bits.
    #[default]
    Blake3,
    /// HMAC-SHA-256, cut to 128 bits.
    HmacSha256,
    /// AES-SIV, deterministic and reversible.
    AesSiv,
    /// One AES block, for integers and UUIDs.
    AesBlock,
    /// FF1, format-preserving.
    Ff1,
    /// Random one-to-one integers 0…n−1.
    Dense,
}

/// Where the same value gets the same token; tokens of different scopes cannot be joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scope {
    /// Within one product.
    #[default]
    Product,
    /// Within one release.
    Release,
    /// In all releases to one recipient.
    Recipient,
    /// Within a calendar period.
    Period,
    /// Within a session.
    Session,
    /// Within a fragment.
    Fragment,
    /// Nowhere: the column is dropped.
    None,
}
