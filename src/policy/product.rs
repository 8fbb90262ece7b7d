//! Products of every kind.

use super::dp::{CatalogueProduct, CoListeningProduct, HistogramProduct, SyntheticProduct};
use super::histories::{CohortsProduct, FragmentsProduct};
use super::records::RecordsProduct;
use super::tagged::{self, Tagged};
use serde::{Deserialize, Deserializer, Serialize};

/// One thing that is released.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Product {
    /// The table itself.
    Records(RecordsProduct),
    /// Taste profiles of groups.
    Cohorts(CohortsProduct),
    /// Short unlinkable pieces of histories.
    Fragments(FragmentsProduct),
    /// Which items exist and how many listeners they have.
    Catalogue(CatalogueProduct),
    /// Counts, sums, means, quantiles.
    Histogram(HistogramProduct),
    /// Item × item matrix.
    CoListening(CoListeningProduct),
    /// Events of people who do not exist.
    SyntheticHistories(SyntheticProduct),
    /// Profiles of people who do not exist.
    SyntheticProfiles(SyntheticProduct),
}

/// The table of a [`Product`], seen as an externally tagged enum.
#[derive(Deserialize)]
#[serde(remote = "Product", rename_all = "kebab-case")]
enum ProductTable {
    Records(RecordsProduct),
    Cohorts(CohortsProduct),
    Fragments(FragmentsProduct),
    Catalogue(CatalogueProduct),
    Histogram(HistogramProduct),
    CoListening(CoListeningProduct),
    SyntheticHistories(SyntheticProduct),
    SyntheticProfiles(SyntheticProduct),
}

impl<'de> Tagged<'de> for Product {
    const TAG: &'static str = "kind";
    const EXPECTED: &'static str = "a table with the kind, the name and the parameters of a product";

    fn external<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ProductTable::deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for Product {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        tagged::deserialize(deserializer)
    }
}

/// Kinds of products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are those of the variants of Product")]
pub enum ProductKind {
    Records,
    Cohorts,
    Fragments,
    Catalogue,
    Histogram,
    CoListening,
    SyntheticHistories,
    SyntheticProfiles,
}

impl ProductKind {
    /// Name of the kind in policies and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Cohorts => "cohorts",
            Self::Fragments => "fragments",
            Self::Catalogue => "catalogue",
            Self::Histogram => "histogram",
            Self::CoListening => "co-listening",
            Self::SyntheticHistories => "synthetic-histories",
            Self::SyntheticProfiles => "synthetic-profiles",
        }
    }

    /// Whether products of this kind are differentially private; a policy holds one class only.
    #[must_use]
    pub fn is_differentially_private(self) -> bool {
        !matches!(self, Self::Records | Self::Cohorts | Self::Fragments)
    }
}

impl Product {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ProductKind {
        match self {
            Self::Records(_) => ProductKind::Records,
            Self::Cohorts(_) => ProductKind::Cohorts,
            Self::Fragments(_) => ProductKind::Fragments,
            Self::Catalogue(_) => ProductKind::Catalogue,
            Self::Histogram(_) => ProductKind::Histogram,
            Self::CoListening(_) => ProductKind::CoListening,
            Self::SyntheticHistories(_) => ProductKind::SyntheticHistories,
            Self::SyntheticProfiles(_) => ProductKind::SyntheticProfiles,
        }
    }

    /// Its name, the stem of its file.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Records(p) => &p.name,
            Self::Cohorts(p) => &p.name,
            Self::Fragments(p) => &p.name,
            Self::Catalogue(p) => &p.name,
            Self::Histogram(p) => &p.name,
            Self::CoListening(p) => &p.name,
            Self::SyntheticHistories(p) | Self::SyntheticProfiles(p) => &p.name,
        }
    }

    /// Why it is published over the gate's limit, if the policy says so.
    #[must_use]
    pub fn accept_risk(&self) -> Option<&str> {
        match self {
            Self::Records(p) => p.accept_risk.as_deref(),
            Self::Cohorts(p) => p.accept_risk.as_deref(),
            Self::Fragments(p) => p.accept_risk.as_deref(),
            _ => None,
        }
    }
}
