//! Privacy models: predicates on a class. A class that fails any of them is an outlier, and its rows are not released.
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

mod k_anonymity;

pub use k_anonymity::{KAnonymity, Linkability};

use super::classes::ClassView;
use crate::error::{Error, Result};
use crate::policy::Model;
use std::fmt::Debug;
use std::sync::Arc;

/// A predicate on one class.
pub trait PrivacyModel: Debug + Send + Sync {
    /// Name of the model in policies and reports.
    fn name(&self) -> &'static str;

    /// Whether the class may be released.
    fn holds(&self, class: &ClassView<'_>) -> bool;

    /// Whether the model holds on every union of classes on which it holds. The search leaves out nodes by it, so a model that is not sure says no.
    fn is_monotone(&self) -> bool {
        false
    }

    /// Whether the model holds on every class that contains a class on which it holds, whatever else is in it. This is stronger than
    /// [`is_monotone`](PrivacyModel::is_monotone): a diverse class may become uniform by the rows of a class that would have been suppressed.
    /// Only with this property the suppressed rows of a more general table are among those of a less general one; the search leaves out nodes by
    /// it where rows may be suppressed. `one_row_each`: every person has exactly one row.
    fn holds_on_supersets(&self, one_row_each: bool) -> bool {
        let _ = one_row_each;
        false
    }
}

/// Models that must all hold.
#[derive(Debug, Clone, Default)]
pub struct Models {
    models: Vec<Arc<dyn PrivacyModel>>,
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

    /// The models that a policy declares.
    ///
    /// # Errors
    /// A model is not available in this version.
    pub fn from_policy(models: &[Model], linkability: Linkability) -> Result<Self> {
        models.iter().try_fold(Self::new(), |all, model| match model {
            Model::KAnonymity { k } => Ok(all.and(KAnonymity { k: *k, linkability })),
            other => Err(Error::unsupported("products.models", other.name())),
        })
    }

    /// Whether the class passes every model.
    #[must_use]
    pub fn hold(&self, class: &ClassView<'_>) -> bool {
        self.models.iter().all(|model| model.holds(class))
    }

    /// The models one by one.
    pub fn iter(&self) -> impl Iterator<Item = &dyn PrivacyModel> {
        self.models.iter().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anonymity::classes::ClassStatistics;
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
        let built = Models::from_policy(&[Model::KAnonymity { k: K::new(5).unwrap() }], Linkability::Linked).unwrap();
        assert!(!built.hold(&ClassStatistics { rows: 4, subjects: 4, max_rows_of_a_subject: 1 }.into()));
        let error = Models::from_policy(&[Model::AverageRisk { threshold: 0.1 }], Linkability::Linked).unwrap_err();
        assert!(error.to_string().contains("average-risk"));
    }
}
