//! How many people are unique in a population of which only a sample is seen.
//!
//! | estimator | idea |
//! |---|---|
//! | [Zayatz](PopulationModel::Zayatz) | classes of the population have the sizes of those of the sample |
//! | [Pitman](PopulationModel::Pitman) | Pitman's sampling formula ([`Pitman`]); for small sampling fractions |
//! | [SNB](PopulationModel::Snb) | slide negative binomial ([`SlideNegativeBinomial`]); for large ones |
//! | [Dankar](PopulationModel::Dankar) | picks one of them |
//!
//! All of them are estimates under a model and of a simple random sample. At small sampling fractions they err upwards by factors; nothing is promised by
//! them. What holds for every population, at the stated confidence and for a random sample, is the upper bound of [`PopulationEstimate`].
//!
//! ```
//! use backmask::numeric::population::{PopulationModel, SampleClasses, estimate};
//! use backmask::units::Confidence;
//!
//! // 80 people alone, 40 pairs, 10 classes of 4, in a sample of 200 from 2,000 people.
//! let sample = SampleClasses::new([(1, 80), (2, 40), (4, 10)])?;
//! let found = estimate(PopulationModel::Zayatz, &sample, 2_000, Confidence::new(0.95)?)?;
//! assert!(found.uniques > 0.0 && found.uniques < found.high && found.high <= 2_000.0);
//! # Ok::<(), backmask::Error>(())
//! ```

mod individual;
mod pitman;
mod sample;
mod snb;
mod zayatz;

pub use individual::individual_risk;
pub use pitman::Pitman;
pub use sample::SampleClasses;
pub use snb::SlideNegativeBinomial;

use super::{binomial_cdf, real};
use crate::error::{Error, Result};
use crate::units::Confidence;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// An estimator of population uniqueness.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PopulationModel {
    /// Zayatz (1991).
    Zayatz,
    /// Pitman's sampling formula (Hoshino 2001).
    Pitman,
    /// Slide negative binomial (Chen, Keller-McNulty 1998).
    Snb,
    /// The decision rule of Dankar and others (2012): up to a sampling fraction of 0.1 Pitman, above the smaller of SNB and Zayatz; Zayatz where the other finds no
    /// solution.
    #[default]
    Dankar,
}

impl PopulationModel {
    /// Its name in policies and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zayatz => "zayatz",
            Self::Pitman => "pitman",
            Self::Snb => "snb",
            Self::Dankar => "dankar",
        }
    }
}

impl fmt::Display for PopulationModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PopulationModel {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::Zayatz, Self::Pitman, Self::Snb, Self::Dankar].into_iter().find(|model| model.name() == name).ok_or_else(|| {
            Error::policy(
                "products.models.model",
                "there is no such estimator of population uniqueness",
                "write zayatz, pitman, snb or dankar",
            )
        })
    }
}

/// What is said of the uniques of a population.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PopulationEstimate {
    /// The estimator that was used: what [`PopulationModel::Dankar`] picked.
    pub estimator: PopulationModel,
    /// Estimated people who are unique in the population.
    pub uniques: f64,
    /// Their share of the population.
    pub share: f64,
    /// 0, or the number itself where the sample is the whole population.
    pub low: f64,
    /// Upper bound of the number of uniques that needs no model: a population unique in the sample is a sample unique.
    pub high: f64,
}

/// Estimated people who are unique in a population of `population` people.
///
/// # Errors
/// There are more people in the sample than in the population, or the estimator has no solution.
///
/// # References
/// Dankar, El Emam, Neisa, Roffey, *Estimating the re-identification risk of clinical data sets*, BMC Medical Informatics and Decision Making 12:66 (2012), and the
/// papers named at the estimators.
pub fn population_uniques(model: PopulationModel, sample: &SampleClasses, population: u64) -> Result<f64> {
    picked(model, sample, population).map(|(_, uniques)| uniques)
}

fn picked(model: PopulationModel, sample: &SampleClasses, population: u64) -> Result<(PopulationModel, f64)> {
    if sample.people() > population {
        return Err(Error::Parameter { name: "population", problem: "must have at least the people of the sample".to_owned() });
    }
    if sample.uniques() == 0 || sample.people() == population {
        return Ok((model, real(sample.uniques())));
    }
    let solved = |uniques: Option<f64>| {
        let good = uniques.filter(|uniques| uniques.is_finite() && (0.0..=real(population)).contains(uniques));
        good.ok_or_else(|| Error::Parameter {
            name: "model",
            problem: format!("{model} finds no solution for these class sizes; use another estimator"),
        })
    };
    let zayatz = || solved(Some(zayatz::zayatz(sample, population)));
    let pitman = || solved(Pitman::fit(sample).map(|fitted| fitted.uniques(population)));
    let snb = || solved(SlideNegativeBinomial::fit(sample, population).map(|fitted| fitted.uniques()));
    match model {
        PopulationModel::Zayatz => Ok((model, zayatz()?)),
        PopulationModel::Pitman => Ok((model, pitman()?)),
        PopulationModel::Snb => Ok((model, snb()?)),
        // n / N ≤ 1 / 10
        PopulationModel::Dankar if u128::from(sample.people()) * 10 <= u128::from(population) => match pitman() {
            Ok(uniques) => Ok((PopulationModel::Pitman, uniques)),
            Err(_) => Ok((PopulationModel::Zayatz, zayatz()?)),
        },
        PopulationModel::Dankar => {
            let other = zayatz()?;
            Ok(match snb() {
                Ok(uniques) if uniques <= other => (PopulationModel::Snb, uniques),
                _ => (PopulationModel::Zayatz, other),
            })
        }
    }
}

/// An estimate with a bound.
///
/// # Guarantee
/// If the sample was drawn at random, `high` is below the true number of population uniques with a probability of at most 1 − `confidence`: each of U of them is
/// in the sample with the probability π, and is a sample unique there. Draws without replacement vary less than the independent ones that are assumed (Hoeffding,
/// JASA 58, 1963). Volunteers are not a random sample.
///
/// # Errors
/// As [`population_uniques`].
pub fn estimate(model: PopulationModel, sample: &SampleClasses, population: u64, confidence: Confidence) -> Result<PopulationEstimate> {
    let (estimator, uniques) = picked(model, sample, population)?;
    let exact = sample.people() == population;
    let high = if exact { real(sample.uniques()) } else { upper(sample, population, confidence)? };
    let share = if population == 0 { 0.0 } else { uniques / real(population) };
    Ok(PopulationEstimate { estimator, uniques, share, low: if exact { uniques } else { 0.0 }, high })
}

/// The largest U of which at most the sample's uniques are drawn with a probability of at least 1 − confidence.
fn upper(sample: &SampleClasses, population: u64, confidence: Confidence) -> Result<f64> {
    if sample.people() == 0 {
        return Ok(real(population));
    }
    let fraction = real(sample.people()) / real(population);
    let possible = |uniques: u64| Ok::<_, Error>(binomial_cdf(sample.uniques(), uniques, fraction)? >= 1.0 - confidence.get());
    if possible(population)? {
        return Ok(real(population));
    }
    let (mut low, mut high) = (sample.uniques(), population);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if possible(middle)? { low = middle } else { high = middle }
    }
    Ok(real(low))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "figures without rounding")]
mod tests;
