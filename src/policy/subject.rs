//! The person protected and the tokens that stand for them.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

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
    /// How tokens are written; each method has its own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<TokenFormat>,
    /// For `ff1`: the characters of the values, all different, in order; or `digits`, `lower`, `upper`, `letters`, `alphanumeric`, `hex`. Default: digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alphabet: Option<String>,
    /// For the scope `period`: how long tokens live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// For the scope `session`: a longer gap than this many minutes between two events of a person starts a new session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_gap: Option<u32>,
    /// For the scopes `period` and `session`: the column of times. Default: the only column of role time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Mixes 256 random bits into the key that are never written, so that not even the holder of the key file can make the tokens again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub irreversible: bool,
    /// For `dense`: whether the steward's folder gets the encrypted codebook by which the numbers can be turned back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub codebook: bool,
}

impl PseudonymSpec {
    /// How tokens are written: as `format` says, or the method's default.
    #[must_use]
    pub fn written_format(&self) -> TokenFormat {
        self.format.unwrap_or(match self.method {
            PseudonymMethod::Blake3 | PseudonymMethod::HmacSha256 | PseudonymMethod::AesBlock => TokenFormat::Hex,
            PseudonymMethod::AesSiv => TokenFormat::Base32,
            PseudonymMethod::Ff1 => TokenFormat::Input,
            PseudonymMethod::Dense => TokenFormat::Uint64,
        })
    }
}

/// How tokens are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TokenFormat {
    /// Lowercase hexadecimal digits.
    Hex,
    /// Base32 of RFC 4648, uppercase, without padding.
    Base32,
    /// Bytes: 16 a token (`FixedSizeBinary(16)`), or as many as the method gives.
    Binary,
    /// Signed 64-bit integers.
    Int64,
    /// Unsigned 64-bit integers.
    Uint64,
    /// The type and form of the values themselves.
    Input,
}

impl TokenFormat {
    /// Name in policies and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Base32 => "base32",
            Self::Binary => "binary",
            Self::Int64 => "int64",
            Self::Uint64 => "uint64",
            Self::Input => "input",
        }
    }
}

/// How long the tokens of the scope `period` live. Periods are cut in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Period {
    /// A day.
    Day,
    /// An ISO week, from Monday.
    Week,
    /// A calendar month.
    Month,
    /// This many days, counted from 1970-01-01.
    Days(u32),
}

/// `{ days = … }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DaysTable {
    days: u32,
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PeriodVisitor)
    }
}

struct PeriodVisitor;

impl<'de> Visitor<'de> for PeriodVisitor {
    type Value = Period;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"day\", \"week\", \"month\", or { days = … }")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Period, E> {
        match word {
            "day" => Ok(Period::Day),
            "week" => Ok(Period::Week),
            "month" => Ok(Period::Month),
            _ => Err(E::unknown_variant(word, &["day", "week", "month", "{ days = … }"])),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Period, M::Error> {
        DaysTable::deserialize(MapAccessDeserializer::new(map)).map(|table| Period::Days(table.days))
    }
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
