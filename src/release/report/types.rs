//! What `report.json` holds, as plain data.
//!
//! A number that does not apply is absent, never zero. Names are fixed: scripts of stewards and recipients read them.

pub(super) use super::guarantee::{Guarantee, ReferenceUsed, Unit, Verified};
use super::measured::{Attack, ClassSizes, Losses, PopulationRisk, UnicityPoint};
use crate::policy::{AggregateFunction, GateOn, Metric, Period, ProductKind, PseudonymMethod, Role, Scope, TokenFormat};
use crate::units::Risk;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Version of the report's structure.
pub const SCHEMA: u32 = 1;

/// The whole report. As built it is the steward's; [`Report::for_recipient`] makes the one that is handed over.
///
/// The reasons for accepted risks come first, so that nobody reads a figure before them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The steward's reasons, word for word, for products that are published although they are over the gate's limit.
    pub accepted_risks: Vec<String>,
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Name of the release.
    pub name: String,
    /// What the data is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// Who receives it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub recipient: String,
    /// When the release was made (RFC 3339).
    pub created: String,
    /// Version of this crate.
    pub version: String,
    /// Whether the run was seeded by the caller, so that its random choices can be repeated.
    pub reproducible: bool,
    /// Whether the products were compared with those of earlier releases in the steward's register, and hold nothing that singles somebody out together with them.
    #[serde(default)]
    pub registered: bool,
    /// Plain sentences, made by [`Report::with_statements`] from the fields below.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<String>,
    /// What is not protected, in plain sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// The input files. Steward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Vec<InputFile>>,
    /// One keyed commitment over all inputs: binds the release to them and tells nothing about them.
    #[serde(default)]
    pub input_commitment: String,
    /// Rows that were left out before anything else, by reason. Steward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Vec<Excluded>>,
    /// How names of people and other identifiers were replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pseudonyms: Vec<Pseudonym>,
    /// What is released.
    pub products: Vec<ProductReport>,
    /// What the whole release spent; differentially private releases only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy_loss: Option<ReleaseLoss>,
    /// The gate's verdict.
    pub gate: GateVerdict,
    /// How often this pool was refused before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusals: Option<u64>,
    /// Wall time of the parts of the run. Steward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<Seconds>,
}

impl Report {
    /// An empty report of this version of the crate, with a gate that has decided nothing.
    ///
    /// ```
    /// use backmask::{release::report::Report, units::Risk};
    ///
    /// let report = Report::new("artist-preferences", "2026-11-24T09:30:00Z", Risk::new(0.09)?);
    /// assert!(!report.gate.passed, "a gate that nobody asked stays shut");
    /// # Ok::<(), backmask::Error>(())
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, created: impl Into<String>, max_risk: Risk) -> Self {
        Self {
            accepted_risks: Vec::new(),
            schema: SCHEMA,
            name: name.into(),
            purpose: String::new(),
            recipient: String::new(),
            created: created.into(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            reproducible: false,
            registered: false,
            statements: Vec::new(),
            limits: Vec::new(),
            inputs: None,
            input_commitment: String::new(),
            excluded: None,
            pseudonyms: Vec::new(),
            products: Vec::new(),
            privacy_loss: None,
            gate: GateVerdict { max_risk: max_risk.get(), on: GateOn::default(), confidence: None, passed: false, reasons: Vec::new() },
            refusals: None,
            seconds: None,
        }
    }

    /// Names of the products over the gate's limit, whether or not a risk was accepted: found from the figures of the report, not from the verdict.
    #[must_use]
    pub fn over_limit(&self) -> Vec<&str> {
        self.products
            .iter()
            .filter(|product| product.gated_risk().is_some_and(|risk| risk > self.gate.max_risk))
            .map(|product| product.name.as_str())
            .collect()
    }

    /// Whether a product of this release is differentially private. A policy never mixes the two classes.
    #[must_use]
    pub fn is_differentially_private(&self) -> bool {
        self.products.iter().any(|product| product.kind.is_differentially_private())
    }
}

/// One input file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// Its path, as given.
    pub path: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Rows in it.
    pub rows: u64,
    /// Distinct people in it.
    pub subjects: u64,
}

/// Rows left out for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// Why.
    pub reason: String,
    /// How many.
    pub rows: u64,
}

/// How the values of one column were replaced by tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pseudonym {
    /// The column.
    pub column: String,
    /// The product that shows the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The method.
    pub method: PseudonymMethod,
    /// Where the same value has the same token.
    pub scope: Scope,
    /// How tokens are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<TokenFormat>,
    /// How long tokens live, for the scope `period`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Minutes without an event after which a new token begins, for the scope `session`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_gap: Option<u32>,
    /// Whether somebody can compute the value from its token with a key or a codebook that still exists.
    pub reversible: bool,
    /// Whether the holder of a key file can make the same tokens again, and so test guesses.
    pub reproducible: bool,
    /// Whether nobody can make or turn back a token, because bits of the key were forgotten.
    #[serde(default)]
    pub irreversible: bool,
    /// Different tokens in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
    /// Probability that two values share a token, from above; absent where tokens are one to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collision_probability: Option<f64>,
    /// Binary logarithm of how many values there could be, as their form suggests. Steward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_space_bits: Option<f64>,
    /// What a small space of values means. Steward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Id of the key file. Steward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
}

/// One product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductReport {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ProductKind,
    /// The steward's reason for publishing it over the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_risk: Option<String>,
    /// Its file in the release folder; absent when nothing was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// SHA-256 of that file, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Rows in the file.
    pub rows: u64,
    /// Distinct people in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<u64>,
    /// What each column became.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnReport>,
    /// What is promised, and what was found in the written file.
    pub guarantees: Vec<Guarantee>,
    /// What a statistical model says about people outside the data: never a promise.
    pub estimates: Vec<Estimate>,
    /// How the table was generalized and suppressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transformation: Option<TransformationReport>,
    /// How much information was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<QualityReport>,
    /// How the transformation was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchReport>,
    /// What the product spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy_loss: Option<PrivacyLoss>,
    /// What the declared parameters bound, whatever the attacker knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// Attacks on the product; an empty list when the policy asked for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attacks: Option<Vec<Attack>>,
    /// Sizes of the equivalence classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_sizes: Option<ClassSizes>,
    /// What those achieve who know the population, where a model names one. Steward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub population_risk: Option<PopulationRisk>,
    /// Share of people whom some known items single out, by their number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unicity: Vec<UnicityPoint>,
    /// What a product of whole histories does not show of the pool. Steward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub losses: Option<Losses>,
    /// What the product is still good for: figures by model and metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utility: Option<BTreeMap<String, BTreeMap<String, f64>>>,
    /// People set aside as a control group. Steward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_people: Option<u64>,
    /// Remarks that hold nothing measured on the pool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Remarks that may hold measured figures. Steward only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steward_notes: Vec<String>,
}

impl ProductReport {
    /// A product of which nothing is known yet.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: ProductKind) -> Self {
        Self {
            name: name.into(),
            kind,
            accepted_risk: None,
            file: None,
            sha256: None,
            rows: 0,
            subjects: None,
            columns: Vec::new(),
            guarantees: Vec::new(),
            estimates: Vec::new(),
            transformation: None,
            quality: None,
            search: None,
            privacy_loss: None,
            bounds: None,
            attacks: None,
            class_sizes: None,
            population_risk: None,
            unicity: Vec::new(),
            losses: None,
            utility: None,
            control_people: None,
            notes: Vec::new(),
            steward_notes: Vec::new(),
        }
    }

    /// The k of k-anonymity that the product promises to whole people, if it does.
    #[must_use]
    pub fn k(&self) -> Option<u64> {
        self.guarantees
            .iter()
            .filter(|guarantee| guarantee.model == "k-anonymity" && guarantee.unit == Unit::Subject && guarantee.holds)
            .filter_map(|guarantee| guarantee.parameters.get("k").and_then(Value::as_u64))
            .max()
    }

    /// The size of the groups in which people are hidden: the k of k-anonymity or of cohorts that the product promises to whole people, if it does.
    #[must_use]
    pub fn group_size(&self) -> Option<u64> {
        let of_cohorts = self.guarantees.iter().filter(|guarantee| guarantee.model == "cohort-size" && guarantee.holds);
        self.k().or_else(|| of_cohorts.filter_map(|guarantee| guarantee.parameters.get("k").and_then(Value::as_u64)).max())
    }

    /// The promises that the gate counts as 1/k, with the k that was found: k-anonymity, the size of cohorts, kᵐ-anonymity, each in whole people.
    pub(in crate::release) fn promised(&self) -> impl Iterator<Item = (&Guarantee, f64)> {
        self.guarantees
            .iter()
            .filter(|guarantee| {
                matches!(guarantee.model.as_str(), "k-anonymity" | "cohort-size" | "k^m-anonymity") && guarantee.unit == Unit::Subject
            })
            .filter_map(|guarantee| Some((guarantee, guarantee.achieved.filter(|&k| k >= 1.0)?)))
    }

    /// The largest risk of the product that the gate looks at: 1/k of what is promised to whole people, the attacks, or the bound of a
    /// differentially private product, which attacks do not decide on.
    #[must_use]
    pub fn gated_risk(&self) -> Option<f64> {
        if self.kind.is_differentially_private() {
            return self.bounds.as_ref().map(|bounds| bounds.reidentification);
        }
        let attack = self.strongest_attack().and_then(|attack| attack.gate_value);
        let guess = self.promised().map(|(_, k)| 1.0 / k).reduce(f64::max);
        attack.into_iter().chain(guess).reduce(f64::max)
    }

    /// Of the attacks that were run, the one with the largest value at the gate.
    #[must_use]
    pub fn strongest_attack(&self) -> Option<&Attack> {
        let value = |attack: &Attack| attack.gate_value.or(attack.upper).or(attack.rate);
        self.attacks
            .iter()
            .flatten()
            .filter_map(|attack| value(attack).map(|value| (attack, value)))
            .reduce(|best, next| if next.1 > best.1 { next } else { best })
            .map(|(attack, _)| attack)
    }
}

/// What one column became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// What was done to it, in a few words: "dropped", "token", "generalized to 10-year intervals", "kept".
    pub became: String,
    /// The chosen level of its hierarchy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<usize>,
    /// The highest level of its hierarchy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highest: Option<usize>,
}

/// What a model estimates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimator or model.
    pub model: String,
    /// The estimate.
    pub value: f64,
    /// Lower end of its interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// How a table was generalized and suppressed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TransformationReport {
    /// Level of each quasi-identifier, 0 = as it was.
    pub levels: BTreeMap<String, usize>,
    /// Rows that are not in the file.
    pub suppressed_rows: u64,
    /// People of whom no row is in the file.
    pub suppressed_subjects: u64,
    /// Classes in the file.
    pub equivalence_classes: u64,
    /// Rows in a class, on average.
    pub average_class_size: f64,
}

/// How much information was lost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QualityReport {
    /// What the search minimized.
    pub metric: Metric,
    /// How columns were put together.
    pub aggregate: AggregateFunction,
    /// Its value: a number, or the descending list for `rank`.
    pub value: Value,
    /// The other metrics, by name.
    pub all: BTreeMap<String, f64>,
}

/// How the transformation was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchReport {
    /// Transformations inside the policy's limits.
    pub nodes: u64,
    /// Of those, checked on the data.
    pub checked: u64,
    /// Whether the result is proved to be the best.
    pub optimal: bool,
    /// Wall time. Steward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// Privacy loss of a product.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PrivacyLoss {
    /// ε.
    pub epsilon: f64,
    /// δ.
    pub delta: f64,
    /// μ of Gaussian differential privacy; null where it does not apply.
    #[serde(default)]
    pub mu: Option<f64>,
}

/// Privacy loss of the release, and what the pool's ledger says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReleaseLoss {
    /// Sum over the products.
    #[serde(flatten)]
    pub loss: PrivacyLoss,
    /// The ledger after this release.
    pub ledger: LedgerReport,
}

/// What the ledger of a pool says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LedgerReport {
    /// Spent by all releases so far, by parameter.
    pub spent: BTreeMap<String, f64>,
    /// Left.
    pub remaining: BTreeMap<String, f64>,
}

/// What the declared parameters bound, whatever the attacker knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Success of naming one person among those who could be in the pool.
    pub reidentification: f64,
    /// True positives of a membership attack with one false positive in a thousand.
    #[serde(rename = "tpr_at_fpr_0.001")]
    pub tpr_at_fpr: f64,
    /// Belief in membership of an attacker who began at one half.
    #[serde(rename = "posterior_from_0.5")]
    pub posterior: f64,
}

/// The gate's verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateVerdict {
    /// Largest risk that is published.
    pub max_risk: f64,
    /// Whose risk counts.
    #[serde(default)]
    pub on: GateOn,
    /// Coverage of the upper bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Whether every product is within the limit.
    pub passed: bool,
    /// Why not, one sentence each.
    pub reasons: Vec<String>,
}

/// Wall time of the parts of a run, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Reading.
    pub read: f64,
    /// Fitting.
    pub fit: f64,
    /// Writing.
    pub write: f64,
    /// Measuring and attacking.
    pub assess: f64,
}
