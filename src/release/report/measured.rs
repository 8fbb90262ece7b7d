//! What was measured on a product: attacks, class sizes, unicity.

use crate::policy::AttackName;
use crate::risk::{AttackResult, Combination, DecileRate, MatchSets};
use serde::{Deserialize, Serialize};

/// One attack on a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attack {
    /// Its name.
    pub name: AttackName,
    /// Why it was not run; then no other field is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_run: Option<String>,
    /// How the attacker came by the knowledge: "uniform", "popular", "surviving", ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<String>,
    /// Items, values or columns known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<u64>,
    /// The column concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Columns that the attacker knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// People in the product, all of whom are possible targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<u64>,
    /// Attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<u64>,
    /// Attempts that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successes: Option<u64>,
    /// Share of attempts that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Upper confidence bound of the rate; the rate itself if `exact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<f64>,
    /// Every person and every knowledge set was tried: there is no sampling error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
    /// What the same attack achieves on people who are not in the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// What is left of the rate above the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excess: Option<f64>,
    /// Upper confidence bound of the excess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excess_upper: Option<f64>,
    /// Rate of the same attack on the raw pool. Steward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_rate: Option<f64>,
    /// The same for each tenth of the people, from the most ordinary to the rarest, fixed before the attack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deciles: Vec<DecileRate>,
    /// What the gate compares with its limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate_value: Option<f64>,
    /// How many people fit what the attacker knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_sets: Option<MatchSets>,
    /// All combinations of columns that were tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub combinations: Vec<Combination>,
    /// How many combinations there are, tried or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combinations_possible: Option<u64>,
}

impl Attack {
    /// An attack with no result yet.
    #[must_use]
    pub fn new(name: AttackName) -> Self {
        Self {
            name,
            not_run: None,
            knowledge: None,
            known: None,
            column: None,
            columns: Vec::new(),
            people: None,
            trials: None,
            successes: None,
            rate: None,
            upper: None,
            exact: false,
            baseline: None,
            excess: None,
            excess_upper: None,
            original_rate: None,
            deciles: Vec::new(),
            gate_value: None,
            match_sets: None,
            combinations: Vec::new(),
            combinations_possible: None,
        }
    }

    /// An attack that was not run, with the reason.
    #[must_use]
    pub fn not_run(name: AttackName, reason: impl Into<String>) -> Self {
        Self { not_run: Some(reason.into()), ..Self::new(name) }
    }
}

impl From<AttackResult> for Attack {
    fn from(result: AttackResult) -> Self {
        let AttackResult {
            name,
            known,
            trials,
            successes,
            rate,
            upper,
            baseline,
            excess,
            excess_upper,
            original_rate,
            deciles,
            gate_value,
            people,
            exact,
            match_sets,
            columns,
            combinations,
            combinations_possible,
        } = result;
        Self {
            known: Some(known),
            columns,
            people: Some(people),
            trials: Some(trials),
            successes: Some(successes),
            rate: Some(rate),
            upper: Some(upper),
            exact,
            baseline: Some(baseline),
            excess: Some(excess),
            excess_upper,
            original_rate,
            deciles,
            gate_value: Some(gate_value),
            match_sets,
            combinations,
            combinations_possible,
            ..Self::new(name)
        }
    }
}

/// Sizes of equivalence classes: pairs of size (people) and number of classes, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassSizes {
    /// In the pool. Steward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Vec<(u64, u64)>>,
    /// In the released file.
    pub after: Vec<(u64, u64)>,
}

/// Probabilities of re-identification by the sizes of classes in the release and in the population.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PopulationRisk {
    /// The limit of the gate.
    pub threshold: f64,
    /// Who knows that the target is in the release: for the person at highest risk.
    pub prosecutor_highest: f64,
    /// On average.
    pub prosecutor_average: f64,
    /// Share of released people above the threshold.
    pub prosecutor_at_risk: f64,
    /// Who knows that the target is in the population: for the person at highest risk.
    pub journalist_highest: f64,
    /// On average.
    pub journalist_average: f64,
    /// Share of released people above the threshold.
    pub journalist_at_risk: f64,
    /// Expected share of right guesses of who matches everybody with the population.
    pub marketer: f64,
}

/// Share of people whom `known` items single out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct UnicityPoint {
    /// Number of items known.
    pub known: u64,
    /// In the pool. Steward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<f64>,
    /// In the release; absent where nothing in it links the items of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<f64>,
    /// Upper confidence bound of `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_upper: Option<f64>,
}

/// What a product of whole histories does not show of the pool. Steward only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// What was left out, by reason.
    pub reasons: Vec<Loss>,
    /// What was kept of each tenth of the (person, item) pairs, from the rarest items to the most popular. Items with equally many people are in one tenth, so there may be fewer.
    pub popularity: Vec<PopularityLoss>,
}

/// What was left out for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Why, with what is counted: "rows name no item", "pairs of a person and an item: …".
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// What was kept of items of about equal popularity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PopularityLoss {
    /// Items.
    pub items: u64,
    /// People who have the most popular of them.
    pub most_people: u64,
    /// Pairs of a person and one of the items, in the pool.
    pub rows: u64,
    /// Of those, the pairs that the product shows.
    pub kept: u64,
}
