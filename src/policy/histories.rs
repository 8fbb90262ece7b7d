//! The products that are made from whole listening histories: cohorts and fragments.

use crate::units::{K, Share};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Taste profiles of groups of people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CohortsProduct {
    /// Stem of the file name.
    pub name: String,
    /// The item column, where several are items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Which items are the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<SameItems>,
    /// People in a cohort.
    pub k: K,
    /// People at least who share a released item of their cohort.
    #[serde(default = "two")]
    pub min_members: u64,
    /// Largest share of a cohort that is shown for an item.
    #[serde(default = "whole")]
    pub max_share: Share,
    /// Items of one person that count; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items_per_subject: Option<u64>,
    /// Columns of the profiles (or of the events) whose values are counted in every cohort as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// What must hold in a cohort before the value of a sensitive attribute is shown; two different values at least if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitive: Option<SensitiveAttributes>,
    /// Why a product over the gate's limit is published all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_risk: Option<String>,
}

/// When the sensitive attributes of a cohort are shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensitiveAttributes {
    /// Different values at least among the members: distinct l-diversity.
    #[serde(default = "two")]
    pub l: u64,
    /// Largest distance between the values of the cohort and those of all people in cohorts: t-closeness with the equal distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t: Option<Share>,
}

impl Default for SensitiveAttributes {
    fn default() -> Self {
        Self { l: two(), t: None }
    }
}

/// Short unlinkable pieces of histories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FragmentsProduct {
    /// Stem of the file name.
    pub name: String,
    /// The item column, where several are items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Which items are the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<SameItems>,
    /// Items in a fragment at most.
    pub max_items: u64,
    /// People who share every combination.
    pub k: K,
    /// Size of the combinations.
    #[serde(default = "two")]
    pub m: u64,
    /// Where the combinations are counted.
    #[serde(default)]
    pub support: Support,
    /// Items of one person that count; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items_per_subject: Option<u64>,
    /// Whether the order of the items of a fragment is released.
    #[serde(default)]
    pub order: FragmentOrder,
    /// Fragments are pieces of sessions, not of whole histories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionCut>,
    /// The column of times that orders items and cuts sessions; the only one of role time if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Why a product over the gate's limit is published all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_risk: Option<String>,
}

/// Where the people who share a combination are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    /// In the released fragments.
    #[default]
    Released,
    /// In the pool.
    Pool,
}

impl Support {
    /// Name in policies and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Pool => "pool",
        }
    }
}

/// Whether the order of the items of a fragment is released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FragmentOrder {
    /// A fragment is a set: no positions.
    #[default]
    Shuffled,
    /// Items have the positions in which they were first listened to.
    Kept,
}

/// How histories are cut into sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionCut {
    /// Minutes without an event after which a session ends.
    pub gap_minutes: u32,
}

/// Which items are the same, so that one recording under several codes counts once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SameItems {
    /// How that is known.
    pub canonical: Canonical,
    /// The columns whose texts make up the name of an item; those that belong to the item column if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
}

/// How it is known that two items are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "CanonicalForm")]
pub enum Canonical {
    /// They have the same name, up to case, accents, punctuation and blanks.
    Name,
    /// A file says so: one row an item, `item;canonical item`.
    File {
        /// Path, relative to the policy file.
        path: String,
        /// The separator.
        delimiter: char,
    },
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum CanonicalForm {
    Word(&'static str),
    Table(CanonicalTable),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CanonicalTable {
    file: String,
    #[serde(default = "semicolon")]
    delimiter: char,
}

impl From<Canonical> for CanonicalForm {
    fn from(canonical: Canonical) -> Self {
        match canonical {
            Canonical::Name => Self::Word("name"),
            Canonical::File { path, delimiter } => Self::Table(CanonicalTable { file: path, delimiter }),
        }
    }
}

impl<'de> Deserialize<'de> for Canonical {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CanonicalVisitor)
    }
}

struct CanonicalVisitor;

impl<'de> Visitor<'de> for CanonicalVisitor {
    type Value = Canonical;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"name\" or { file = \"…\", delimiter = \";\" }")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Canonical, E> {
        if word == "name" { Ok(Canonical::Name) } else { Err(E::unknown_variant(word, &["name", "{ file = … }"])) }
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Canonical, M::Error> {
        let table = CanonicalTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Canonical::File { path: table.file, delimiter: table.delimiter })
    }
}

fn semicolon() -> char {
    ';'
}

fn two() -> u64 {
    2
}

fn whole() -> Share {
    #[expect(clippy::unwrap_used, reason = "1 is a share")]
    Share::new(1.0).unwrap()
}
