//! What an attack achieved.

use super::target::{DECILES, Tally};
use crate::error::{Error, Result};
use crate::numeric::{clopper_pearson_upper, real};
use crate::policy::{AttackName, Gate, GateOn};
use crate::units::Confidence;
use serde::{Deserialize, Serialize};

/// How an attack is run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttackOptions {
    /// Attempts at least, over all people; everybody is attacked when there are no more people than that.
    pub trials: u64,
    /// Coverage of the upper bounds, one-sided.
    pub confidence: Confidence,
    /// Whose risk is the gate's.
    pub on: GateOn,
    /// Seed of all random choices: see [`attack_seed`](super::attack_seed).
    pub seed: [u8; 32],
}

impl AttackOptions {
    /// The options of a policy's gate.
    #[must_use]
    pub fn new(gate: &Gate, seed: [u8; 32]) -> Self {
        Self { trials: gate.trials, confidence: gate.confidence, on: gate.on, seed }
    }

    /// Refuses an attack that knows nothing or tries nothing.
    pub(super) fn check(&self, known: usize) -> Result<()> {
        if known == 0 || self.trials == 0 {
            let problem = "an attack needs at least one known item and one trial".to_owned();
            return Err(Error::Parameter { name: "known_items", problem });
        }
        Ok(())
    }
}

/// What an attack achieved; an entry of `attacks` in a report.
///
/// For attacks that single out, a success is a match set of exactly one person, who is the target. Guessing inside a larger set is what 1/k states, and is no success here.
/// Attacks that are measured against a control group ([`Controlled`](super::Controlled)) say themselves what a success is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttackResult {
    /// Which attack.
    pub name: AttackName,
    /// How many items or columns the attacker knows.
    pub known: u64,
    /// Attempts: knowledge sets that were tried.
    pub trials: u64,
    /// Attempts that singled out their target.
    pub successes: u64,
    /// Probability that a person is singled out, mean over people. Each person counts the same, so it need not be `successes / trials`.
    pub rate: f64,
    /// Upper confidence bound of `rate`, or `rate` itself where it is exact.
    pub upper: f64,
    /// Success of a blind guess: 1 / people.
    pub baseline: f64,
    /// (rate − baseline) / (1 − baseline), at least 0.
    pub excess: f64,
    /// Upper confidence bound of `excess`, for attacks that are compared with a control group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excess_upper: Option<f64>,
    /// `rate` of the same attack on the raw data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_rate: Option<f64>,
    /// The same for each tenth of the people, from the most ordinary to the rarest.
    pub deciles: Vec<DecileRate>,
    /// What the gate compares with its limit: the worst decile's upper bound, or the mean's; of the excess where there is a control group.
    pub gate_value: f64,
    /// People in the release, all of whom are possible targets.
    pub people: u64,
    /// Whether all people were targets and all their knowledge sets were tried; then nothing was estimated.
    pub exact: bool,
    /// Sizes of the match sets in people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_sets: Option<MatchSets>,
    /// Columns that the attacker knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// All combinations of columns that were tried, `columns` being the worst.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub combinations: Vec<Combination>,
    /// How many combinations there are, tried or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combinations_possible: Option<u64>,
}

/// What an attack achieved against a tenth of the people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct DecileRate {
    /// Probability that one of them is singled out.
    pub rate: f64,
    /// Upper confidence bound.
    pub upper: f64,
    /// Success of a blind guess.
    pub baseline: f64,
    /// People in this tenth; the tenths of fewer than ten people are partly empty.
    pub people: u64,
    /// Attempts.
    pub trials: u64,
    /// Successful ones.
    pub successes: u64,
}

/// Sizes of match sets, over the attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MatchSets {
    /// The smallest.
    pub minimum: u64,
    /// A tenth is at most this large.
    pub p10: u64,
    /// Half are at most this large.
    pub median: u64,
    /// Nine tenths are at most this large.
    pub p90: u64,
    /// The largest.
    pub maximum: u64,
    /// Mean of 1 / size: the success of guessing inside the match set.
    pub mean_inverse: f64,
}

/// What a combination of known columns achieved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Combination {
    /// The columns.
    pub columns: Vec<String>,
    /// Probability that a person is singled out.
    pub rate: f64,
    /// Upper confidence bound.
    pub upper: f64,
    /// What the gate compares with its limit.
    pub gate_value: f64,
}

impl AttackResult {
    /// The same result with the rate of the same attack on the raw data.
    #[must_use]
    pub fn with_original_rate(mut self, rate: f64) -> Self {
        self.original_rate = Some(rate);
        self
    }

    /// Puts the tenths together.
    ///
    /// # Guarantee
    /// Every tenth has its own bound at the full confidence. That is enough for the gate: it passes only if *all* bounds are below its limit, so for a tenth whose
    /// true risk is above the limit to pass, that tenth's own bound must have failed (an intersection–union test; no correction for ten looks is needed).
    pub(super) fn from_tallies(
        name: AttackName,
        known: u64,
        tallies: &[Tally; DECILES],
        exact: bool,
        options: &AttackOptions,
    ) -> Result<Self> {
        let people: u64 = tallies.iter().map(|tally| tally.people).sum();
        let baseline = if people == 0 { 0.0 } else { 1.0 / real(people) };
        let mut deciles = Vec::with_capacity(DECILES);
        let mut sum = 0.0;
        for tally in tallies {
            let rate = tally.rate(exact);
            let upper = match (tally.people, exact) {
                (0, _) | (_, true) => rate,
                _ => clopper_pearson_upper(tally.successes, tally.trials, options.confidence)?,
            };
            sum += rate * real(tally.people);
            let (people, trials, successes) = (tally.people, tally.trials, tally.successes);
            deciles.push(DecileRate { rate, upper, baseline, people, trials, successes });
        }
        let rate = if people == 0 { 0.0 } else { (sum / real(people)).min(1.0) };
        let upper = if exact || people == 0 { rate } else { mean_upper(tallies, people, rate, options.confidence)? };
        let worst = deciles.iter().map(|decile| decile.upper).fold(0.0, f64::max);
        Ok(Self {
            name,
            known,
            trials: tallies.iter().map(|tally| tally.trials).sum(),
            successes: tallies.iter().map(|tally| tally.successes).sum(),
            rate,
            upper,
            baseline,
            excess: if baseline < 1.0 { ((rate - baseline) / (1.0 - baseline)).max(0.0) } else { 0.0 },
            excess_upper: None,
            original_rate: None,
            deciles,
            gate_value: match options.on {
                GateOn::WorstDecile => worst,
                GateOn::Mean => upper,
            },
            people,
            exact,
            match_sets: None,
            columns: Vec::new(),
            combinations: Vec::new(),
            combinations_possible: None,
        })
    }
}

/// Upper bound of the mean rate. The tenths are weighted by their people; the bound is that of as many attempts as the tenths could give in proportion to
/// these weights. With equal tenths these are all attempts.
fn mean_upper(tallies: &[Tally; DECILES], people: u64, rate: f64, confidence: Confidence) -> Result<f64> {
    let attempts = tallies
        .iter()
        .filter(|tally| tally.people > 0)
        .map(|tally| u128::from(tally.trials) * u128::from(people) / u128::from(tally.people))
        .min()
        .unwrap_or(0);
    let attempts = u64::try_from(attempts).unwrap_or(u64::MAX);
    // Rounded up, except where rounding errors alone lifted an integer.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of attempts")]
    let successes = (rate * real(attempts) - 1e-6).ceil().max(0.0) as u64;
    clopper_pearson_upper(successes.min(attempts), attempts, confidence)
}
