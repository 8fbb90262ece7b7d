//! The rule that refuses to publish.

use super::records::default_confidence;
use crate::units::{Confidence, Risk, Share};
use serde::{Deserialize, Serialize};

/// When a release is refused, and how that is found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Largest risk that is published.
    #[serde(default = "nine_percent")]
    pub max_risk: Risk,
    /// Whose risk counts.
    #[serde(default)]
    pub on: GateOn,
    /// Share of people set aside as a control group, by keyed hash.
    #[serde(default = "nobody")]
    pub control: Share,
    /// Attacks to run; all that apply if absent, none if empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attacks: Option<Vec<AttackName>>,
    /// How many items the attacker knows.
    #[serde(default = "some_items")]
    pub known_items: Vec<usize>,
    /// People attacked, a curve point.
    #[serde(default = "two_thousand")]
    pub trials: u64,
    /// Coverage of the upper bounds.
    #[serde(default = "default_confidence")]
    pub confidence: Confidence,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            max_risk: nine_percent(),
            on: GateOn::default(),
            control: nobody(),
            attacks: None,
            known_items: some_items(),
            trials: two_thousand(),
            confidence: default_confidence(),
        }
    }
}

/// Whose risk counts at the gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateOn {
    /// That of the worst decile of people.
    #[default]
    WorstDecile,
    /// The mean.
    Mean,
}

/// Attacks by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AttackName {
    /// Linking demographics.
    Demographics,
    /// Knowing some items of a person.
    KnownItems,
    /// Knowing some values of a person.
    KnownValues,
    /// Scoring records against noisy knowledge.
    Scoreboard,
    /// Linking pieces of one person.
    Linkage,
    /// Inferring an attribute.
    Attribute,
    /// Inferring membership.
    Membership,
    /// Isolating with a predicate.
    SinglingOut,
}

impl AttackName {
    /// Name in policies and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Demographics => "demographics",
            Self::KnownItems => "known-items",
            Self::KnownValues => "known-values",
            Self::Scoreboard => "scoreboard",
            Self::Linkage => "linkage",
            Self::Attribute => "attribute",
            Self::Membership => "membership",
            Self::SinglingOut => "singling-out",
        }
    }
}

fn nine_percent() -> Risk {
    #[expect(clippy::unwrap_used, reason = "0.09 lies in (0, 1]")]
    Risk::new(0.09).unwrap()
}

fn nobody() -> Share {
    #[expect(clippy::unwrap_used, reason = "0 is a share")]
    Share::new(0.0).unwrap()
}

fn some_items() -> Vec<usize> {
    vec![1, 2, 3, 4, 8]
}

fn two_thousand() -> u64 {
    2000
}
