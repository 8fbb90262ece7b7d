//! Privacy models: predicates on a class. A class that fails any of them is an outlier, and its rows are not released.
//!
//! | models | what must hold |
//! |---|---|
//! | [`KAnonymity`] | enough people share the quasi-identifiers |
//! | [`DistinctLDiversity`], [`EntropyLDiversity`], [`RecursiveClDiversity`] | their sensitive values differ |
//! | [`TCloseness`], [`DeltaDisclosure`], [`BetaLikeness`] | their sensitive values are distributed as in the whole table ([`Reference`]) |
//! | [`EstimatedKMap`] | enough people of a population are estimated to fit; no promise |
//! | [`KMap`], [`DeltaPresence`] | enough people of a population fit; few enough of them are in the data |
//! | [`AverageRisk`], [`SampleUniqueness`], [`PopulationUniqueness`], [`UnreleasedPresence`], [`CompletePresence`] | the whole table ([`TableModel`]); [`enforce`] suppresses until it does |
//!
//! [`ReidentificationRisk`] says what adversaries achieve, whatever was asked for.
//!
//! ```
//! use backmask::anonymity::classes::ClassStatistics;
//! use backmask::anonymity::models::{KAnonymity, Linkability, PrivacyModel};
//! use backmask::units::K;
//!
//! let model = KAnonymity { k: K::new(3)?, linkability: Linkability::Unlinked };
//! assert!(model.holds(&ClassStatistics { rows: 6, subjects: 3, max_rows_of_a_subject: 2 }.into()));
//! // Five rows, but only two people.
//! assert!(!model.holds(&ClassStatistics { rows: 5, subjects: 2, max_rows_of_a_subject: 4 }.into()));
//! // Three people, one of whom owns half of the rows.
//! assert!(!model.holds(&ClassStatistics { rows: 6, subjects: 3, max_rows_of_a_subject: 3 }.into()));
//! # Ok::<(), backmask::Error>(())
//! ```

mod closeness;
mod context;
mod diversity;
mod exact;
mod ground;
mod k_anonymity;
mod population;
mod reference;
mod risk;
mod table;

pub use closeness::{BetaLikeness, DeltaDisclosure, TCloseness};
pub use context::{ModelContext, SensitiveColumn};
pub use diversity::{DistinctLDiversity, EntropyLDiversity, RecursiveClDiversity};
pub use k_anonymity::{KAnonymity, Linkability};
pub use population::{
    CellSizes, CompletePresence, DeltaPresence, EstimatedKMap, KMap, UnreleasedPresence, population_k, sample_k, sampling_fraction,
};
pub use reference::Reference;
pub use risk::{AdversaryRisk, ReidentificationRisk, RiskClass};
pub use table::{AverageRisk, ClassTable, PopulationUniqueness, SampleUniqueness, SizeDistribution, TableModel, enforce};

use super::classes::ClassView;
use std::fmt::Debug;
use std::sync::Arc;

/// A predicate on one class.
pub trait PrivacyModel: Debug + Send + Sync {
    /// Name of the model in policies and reports.
    fn name(&self) -> &'static str;

    /// Whether the class may be released.
    fn holds(&self, class: &ClassView<'_>) -> bool;

    /// Whether the model holds on every union of classes on which it holds, where everybody has one row. The search leaves out nodes by it, so a model that is
    /// not sure says no. On people with several rows only [`KAnonymity`] and [`KMap`] keep it; [`Models::from_policy`] takes care of that.
    fn is_monotone(&self) -> bool {
        false
    }

    /// What follows for classes that become one. `one_row_each`: everybody has one row; without that, [`is_monotone`](PrivacyModel::is_monotone)
    /// says nothing.
    fn monotonicity(&self, one_row_each: bool) -> Monotonicity {
        if one_row_each && self.is_monotone() { Monotonicity::Unions } else { Monotonicity::Unknown }
    }
}

/// On which larger classes a model holds, if it holds on smaller ones. The search leaves out nodes by it, so a model that is not sure says less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Monotonicity {
    /// Nothing is known.
    Unknown,
    /// On every union of classes on all of which it holds. That is of use where no row may be suppressed: a diverse class may become uniform by the
    /// rows of a class that was suppressed before.
    Unions,
    /// On every class that contains a class on which it holds, whatever else is in it. Only then the suppressed rows of a more general table are
    /// among those of a less general one.
    Supersets,
}

/// Models that must all hold.
#[derive(Debug, Clone, Default)]
pub struct Models {
    models: Vec<Arc<dyn PrivacyModel>>,
    tables: Vec<Arc<dyn TableModel>>,
}

impl Models {
    /// No model: every class may be released.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a model.
    #[must_use]
    pub fn and(mut self, model: impl PrivacyModel + 'static) -> Self {
        self.models.push(Arc::new(model));
        self
    }

    /// Adds a model of the whole table.
    #[must_use]
    pub fn and_table(mut self, model: impl TableModel + 'static) -> Self {
        self.tables.push(Arc::new(model));
        self
    }

    /// Whether the class passes every model.
    #[must_use]
    pub fn hold(&self, class: &ClassView<'_>) -> bool {
        self.models.iter().all(|model| model.holds(class))
    }

    /// Suppresses classes until the models of the whole table hold, and says whether they do: see [`enforce`].
    pub fn enforce(&self, table: &ClassTable<'_>, outliers: &mut [bool], allowed_rows: u64) -> bool {
        let models: Vec<&dyn TableModel> = self.tables().collect();
        enforce(&models, table, outliers, allowed_rows)
    }

    /// The models of the whole table one by one.
    pub fn tables(&self) -> impl Iterator<Item = &dyn TableModel> {
        self.tables.iter().map(AsRef::as_ref)
    }

    /// The models of classes one by one.
    pub fn iter(&self) -> impl Iterator<Item = &dyn PrivacyModel> {
        self.models.iter().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anonymity::classes::ClassStatistics;
    use crate::policy::Model;
    use crate::units::K;

    #[test]
    fn all_models_must_hold() {
        let k = |k| KAnonymity { k: K::new(k).unwrap(), linkability: Linkability::Linked };
        let class = ClassStatistics { rows: 3, subjects: 3, max_rows_of_a_subject: 1 }.into();
        assert!(Models::new().hold(&class));
        assert!(Models::new().and(k(2)).and(k(3)).hold(&class));
        assert!(!Models::new().and(k(2)).and(k(4)).hold(&class));
        assert_eq!(Models::new().and(k(2)).iter().map(PrivacyModel::name).collect::<Vec<_>>(), ["k-anonymity"]);
    }

    #[test]
    fn models_of_the_policy_are_built_or_refused_by_name() {
        let made = |model| Models::from_policy(&[model], Linkability::Linked, &ModelContext::default());
        let built = made(Model::KAnonymity { k: K::new(5).unwrap() }).unwrap();
        assert!(!built.hold(&ClassStatistics { rows: 4, subjects: 4, max_rows_of_a_subject: 1 }.into()));
        assert_eq!(
            made(Model::AverageRisk { threshold: 0.1 }).unwrap().tables().map(TableModel::name).collect::<Vec<_>>(),
            ["average-risk"]
        );
        for (model, words) in [
            (Model::DistinctLDiversity { column: "mood".into(), l: 2 }, "mood"),
            (
                Model::KMap { k: K::new(5).unwrap(), population: None, population_size: None, estimator: None, significance: None },
                "population",
            ),
            (Model::PopulationUniqueness { threshold: 0.1, population_size: 9, model: Some("oracle".into()) }, "pitman"),
        ] {
            let error = made(model).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
