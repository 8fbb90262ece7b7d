//! Whether a set of units may be a class.

use crate::anonymity::classes::{ClassStatistics, ClassView, Tuples, UnionCounter};
use crate::anonymity::models::{Models, Monotonicity, PrivacyModel};

/// Asks all models about sets of tuples.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    models: &'a Models,
    tuples: &'a Tuples,
    counter: UnionCounter<'a>,
    /// Where everybody has one row and nothing else is counted, rows say everything.
    rows_suffice: bool,
    /// Whether a class on which the models fail has no part on which they hold.
    supersets: bool,
}

impl<'a> Judge<'a> {
    pub(super) fn new(tuples: &'a Tuples, models: &'a Models) -> Self {
        let one = tuples.one_row_each();
        let rows_suffice = one && tuples.sensitive() == 0 && tuples.population().is_none();
        let supersets = models.iter().all(|model: &dyn PrivacyModel| model.monotonicity(one) == Monotonicity::Supersets);
        Self { models, tuples, counter: UnionCounter::new(tuples), rows_suffice, supersets }
    }

    /// Another one for another thread.
    pub(super) fn another(&self) -> Self {
        Self::new(self.tuples, self.models)
    }

    /// Whether the number of rows decides.
    pub(super) fn rows_suffice(&self) -> bool {
        self.rows_suffice
    }

    /// Whether so many rows of as many people pass.
    pub(super) fn rows_hold(&self, rows: u64) -> bool {
        rows > 0 && self.models.hold(&ClassView::from(ClassStatistics { rows, subjects: rows, max_rows_of_a_subject: rows.min(1) }))
    }

    /// Whether so many rows cannot be cut, whatever the parts.
    pub(super) fn too_few_to_cut(&self, rows: u64) -> bool {
        rows < 2 || (self.rows_suffice && self.supersets && !self.rows_hold(rows / 2))
    }

    /// Whether the tuples may be a class: there must be rows.
    pub(super) fn hold(&mut self, tuples: &[u32]) -> bool {
        let models = self.models;
        self.counter.view(tuples, |class| class.statistics.rows > 0 && models.hold(class))
    }

    pub(super) fn look<T>(&mut self, tuples: &[u32], visit: impl FnOnce(&ClassView<'_>) -> T) -> T {
        self.counter.view(tuples, visit)
    }

    pub(super) fn statistics(&mut self, tuples: &[u32]) -> ClassStatistics {
        self.counter.view(tuples, |class| class.statistics)
    }

    /// What is in a class of these tuples; `None` if they may not be one.
    pub(super) fn class(&mut self, tuples: &[u32]) -> Option<ClassStatistics> {
        let models = self.models;
        self.counter.view(tuples, |class| (class.statistics.rows > 0 && models.hold(class)).then_some(class.statistics))
    }
}
