//! Privacy models: predicates on a released table.

use super::tagged::{self, Tagged};
use crate::units::K;
use serde::{Deserialize, Deserializer, Serialize};

/// A privacy model with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Model {
    /// Every class holds at least k people.
    KAnonymity {
        /// People in a class.
        k: K,
    },
    /// Every class has at least l different sensitive values.
    DistinctLDiversity {
        /// The sensitive column.
        column: String,
        /// Different values.
        l: u64,
    },
    /// The entropy of the sensitive values of every class is at least log l.
    EntropyLDiversity {
        /// The sensitive column.
        column: String,
        /// A real number from 1.
        l: f64,
        /// How the entropy is estimated.
        estimator: EntropyEstimator,
    },
    /// The most frequent value is rarer than c times the rest from the l-th on.
    RecursiveClDiversity {
        /// The sensitive column.
        column: String,
        /// The factor.
        c: f64,
        /// The rank.
        l: u64,
    },
    /// The sensitive values of every class are distributed as in the whole table, up to t.
    TCloseness {
        /// The sensitive column.
        column: String,
        /// The largest distance.
        t: f64,
        /// How distance is measured.
        distance: Distance,
    },
    /// No sensitive value is more or less frequent in a class than in the table by the factor 2^d.
    DeltaDisclosure {
        /// The sensitive column.
        column: String,
        /// The exponent.
        d: f64,
    },
    /// No sensitive value gains more than beta relative frequency in a class.
    BetaLikeness {
        /// The sensitive column.
        column: String,
        /// The largest gain.
        beta: f64,
        /// Whether the bound also grows no faster than −ln q.
        enhanced: bool,
    },
    /// Every class matches at least k people of a population: of one that is given, or, as an estimate, of one of which only the size is known.
    KMap {
        /// People of the population.
        k: K,
        /// File with the population.
        #[serde(skip_serializing_if = "Option::is_none")]
        population: Option<String>,
        /// In place of the file: people in the population.
        #[serde(skip_serializing_if = "Option::is_none")]
        population_size: Option<u64>,
        /// The law by which the data is taken for a sample; Poisson if nothing is said.
        #[serde(skip_serializing_if = "Option::is_none")]
        estimator: Option<ClassSizeEstimator>,
        /// Probability of taking a class of k people in the population for a larger one; [`Model::SIGNIFICANCE`] if nothing is said.
        #[serde(skip_serializing_if = "Option::is_none")]
        significance: Option<f64>,
    },
    /// The share of the population that is in the data lies in [min, max] in every class.
    DeltaPresence {
        /// Smallest share.
        min: f64,
        /// Largest share.
        max: f64,
        /// File with the population.
        population: String,
    },
    /// The mean risk of re-identification.
    AverageRisk {
        /// Largest value.
        threshold: f64,
    },
    /// The share of people who are unique in the data.
    SampleUniqueness {
        /// Largest value.
        threshold: f64,
    },
    /// The estimated share of people who are unique in the population.
    PopulationUniqueness {
        /// Largest value.
        threshold: f64,
        /// People in the population.
        population_size: u64,
        /// The estimator.
        #[serde(skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
}

impl Model {
    /// The significance of an estimated k-map if the policy says nothing.
    pub const SIGNIFICANCE: f64 = 0.05;

    /// k-map of the population in a file.
    #[must_use]
    pub fn k_map(k: K, population: impl Into<String>) -> Self {
        Self::KMap { k, population: Some(population.into()), population_size: None, estimator: None, significance: None }
    }

    /// k-map as an estimate, by the default law and significance.
    #[must_use]
    pub fn estimated_k_map(k: K, population_size: u64) -> Self {
        Self::KMap { k, population: None, population_size: Some(population_size), estimator: None, significance: None }
    }

    /// Whether it estimates something about people outside the data. An estimate is never a promise.
    #[must_use]
    pub fn is_estimate(&self) -> bool {
        matches!(self, Self::PopulationUniqueness { .. } | Self::KMap { population_size: Some(_), .. })
    }

    /// The file of the population that the model compares with, if it compares with one.
    #[must_use]
    pub fn population(&self) -> Option<&str> {
        match self {
            Self::KMap { population, .. } => population.as_deref(),
            Self::DeltaPresence { population, .. } => Some(population),
            _ => None,
        }
    }

    /// Name of the model in policies and reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::KAnonymity { .. } => "k-anonymity",
            Self::DistinctLDiversity { .. } => "distinct-l-diversity",
            Self::EntropyLDiversity { .. } => "entropy-l-diversity",
            Self::RecursiveClDiversity { .. } => "recursive-cl-diversity",
            Self::TCloseness { .. } => "t-closeness",
            Self::DeltaDisclosure { .. } => "delta-disclosure",
            Self::BetaLikeness { .. } => "beta-likeness",
            Self::KMap { .. } => "k-map",
            Self::DeltaPresence { .. } => "delta-presence",
            Self::AverageRisk { .. } => "average-risk",
            Self::SampleUniqueness { .. } => "sample-uniqueness",
            Self::PopulationUniqueness { .. } => "population-uniqueness",
        }
    }

    /// The sensitive column that the model speaks of, if it speaks of one.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::DistinctLDiversity { column, .. }
            | Self::EntropyLDiversity { column, .. }
            | Self::RecursiveClDiversity { column, .. }
            | Self::TCloseness { column, .. }
            | Self::DeltaDisclosure { column, .. }
            | Self::BetaLikeness { column, .. } => Some(column),
            _ => None,
        }
    }
}

/// The table of a [`Model`], seen as an externally tagged enum.
#[derive(Deserialize)]
#[serde(remote = "Model", rename_all = "kebab-case", deny_unknown_fields)]
enum ModelTable {
    KAnonymity {
        k: K,
    },
    DistinctLDiversity {
        column: String,
        l: u64,
    },
    EntropyLDiversity {
        column: String,
        l: f64,
        #[serde(default)]
        estimator: EntropyEstimator,
    },
    RecursiveClDiversity {
        column: String,
        c: f64,
        l: u64,
    },
    TCloseness {
        column: String,
        t: f64,
        distance: Distance,
    },
    DeltaDisclosure {
        column: String,
        d: f64,
    },
    BetaLikeness {
        column: String,
        beta: f64,
        #[serde(default)]
        enhanced: bool,
    },
    KMap {
        k: K,
        #[serde(default)]
        population: Option<String>,
        #[serde(default)]
        population_size: Option<u64>,
        #[serde(default)]
        estimator: Option<ClassSizeEstimator>,
        #[serde(default)]
        significance: Option<f64>,
    },
    DeltaPresence {
        min: f64,
        max: f64,
        population: String,
    },
    AverageRisk {
        threshold: f64,
    },
    SampleUniqueness {
        threshold: f64,
    },
    PopulationUniqueness {
        threshold: f64,
        population_size: u64,
        #[serde(default)]
        model: Option<String>,
    },
}

impl<'de> Tagged<'de> for Model {
    const TAG: &'static str = "name";
    const EXPECTED: &'static str = "a table with the name and the parameters of a privacy model";

    fn external<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ModelTable::deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        tagged::deserialize(deserializer)
    }
}

/// Estimators of entropy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntropyEstimator {
    /// The plug-in estimate.
    #[default]
    Shannon,
    /// Grassberger's bias-corrected estimate.
    Grassberger,
}

/// Laws of the number of people in the data among those of one class of the population.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassSizeEstimator {
    /// Poisson.
    #[default]
    Poisson,
    /// Poisson without 0, as classes of which nobody is in the data are not seen.
    ZeroTruncatedPoisson,
}

/// Distances between distributions of a sensitive column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// All values are equally far apart.
    Equal,
    /// Values are as far apart as their ranks.
    Ordered,
    /// Values are as far apart as in the hierarchy of the column.
    Hierarchical,
}
