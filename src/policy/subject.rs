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

impl Subject {
    /// The person named by `column`, with the default pseudonym: keyed BLAKE3, one token a product.
    #[must_use]
    pub fn new(column: impl Into<String>) -> Self {
        Self { column: column.into(), pseudonym: PseudonymSpec::default() }
    }
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

impl PseudonymMethod {
    /// Name in policies and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3",
            Self::HmacSha256 => "hmac-sha256",
            Self::AesSiv => "aes-siv",
            Self::AesBlock => "aes-block",
            Self::Ff1 => "ff1",
            Self::Dense => "dense",
        }
    }
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

impl Scope {
    /// Name in policies and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Release => "release",
            Self::Recipient => "recipient",
            Self::Period => "period",
            Self::Session => "session",
            Self::Fragment => "fragment",
            Self::None => "none",
        }
    }
}
