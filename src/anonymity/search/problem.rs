//! What is searched, and what one node is worth.

use super::Lattice;
use super::look::enforce_tables;
use crate::anonymity::classes::{Classes, Grouper, Tuples};
use crate::anonymity::hierarchy::Hierarchy;
use crate::anonymity::models::Models;
use crate::anonymity::quality::{GeneralizedTable, Marginals, QualityMetric, Score};
use crate::error::{Error, Result};
use crate::policy::LevelLimits;
use crate::units::Share;
use std::num::NonZeroUsize;

/// A table, its hierarchies, and what is asked of its generalization.
#[derive(Debug)]
pub struct Problem<'a> {
    pub(super) tuples: &'a Tuples,
    pub(super) hierarchies: &'a [Hierarchy],
    pub(super) models: &'a Models,
    pub(super) metric: &'a dyn QualityMetric,
    pub(super) lattice: Lattice,
    pub(super) suppression_limit: Share,
    pub(super) allowed: u64,
    pub(super) threads: usize,
}

impl<'a> Problem<'a> {
    /// All levels of all columns; `suppression_limit` is a share of the rows.
    ///
    /// # Errors
    /// There is not one hierarchy for each column of the tuples.
    pub fn new(
        tuples: &'a Tuples,
        hierarchies: &'a [Hierarchy],
        models: &'a Models,
        metric: &'a dyn QualityMetric,
        suppression_limit: Share,
    ) -> Result<Self> {
        if hierarchies.len() != tuples.columns() {
            return Err(Error::Parameter { name: "hierarchies", problem: "must be one for each column of the tuples".to_owned() });
        }
        let allowed = allowed_rows(suppression_limit, tuples.total_rows());
        Ok(Self { tuples, hierarchies, models, metric, lattice: Lattice::new(hierarchies), suppression_limit, allowed, threads: 1 })
    }

    /// Restricts the levels of one column.
    ///
    /// # Errors
    /// The hierarchy has no such levels.
    pub fn limit(mut self, column: usize, limits: LevelLimits) -> Result<Self> {
        self.lattice.limit(self.hierarchies, column, limits)?;
        Ok(self)
    }

    /// How many threads [`optimal`](super::optimal) and [`heuristic`](super::heuristic) use; 1 if it is not said. Results are the same.
    #[must_use]
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = threads.get();
        self
    }

    /// The nodes that are searched.
    #[must_use]
    pub fn lattice(&self) -> &Lattice {
        &self.lattice
    }

    /// Rows that may be suppressed: ⌊limit · N⌋.
    #[must_use]
    pub fn allowed_rows(&self) -> u64 {
        self.allowed
    }

    /// Something that looks at one node after the other.
    ///
    /// # Errors
    /// A tuple has a code that the hierarchy of its column was not fitted on.
    pub fn evaluator(&self) -> Result<Evaluator<'_>> {
        let grouper = Grouper::new(self.tuples, self.hierarchies)?;
        let marginals = Marginals::new(self.tuples, self.hierarchies, &grouper)?;
        Ok(Evaluator { problem: self, grouper, marginals })
    }
}

/// ⌊limit · rows⌋, with the limit taken as the decimal that it is written as: 0.29 of 100 rows are 29.
#[must_use]
pub fn allowed_rows(limit: Share, rows: u64) -> u64 {
    let text = limit.get().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let exact = u32::try_from(fraction.len()).ok().and_then(|decimals| {
        let unit = 10_u128.checked_pow(decimals)?;
        let scaled: u128 = format!("{whole}{fraction}").parse().ok()?;
        u64::try_from(scaled.checked_mul(u128::from(rows))? / unit).ok()
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a share of the rows, rounded down"
    )]
    let rounded = || (limit.get() * rows as f64).floor() as u64;
    // Only limits with very many digits have no exact product; their share is tiny or its error is.
    exact.unwrap_or_else(rounded).min(rows)
}

/// One node after the other.
#[derive(Debug)]
pub struct Evaluator<'a> {
    problem: &'a Problem<'a>,
    grouper: Grouper<'a>,
    marginals: Marginals,
}

/// What one node is worth.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The classes.
    pub classes: Classes,
    /// Whether each of them is suppressed.
    pub outliers: Vec<bool>,
    /// Rows suppressed.
    pub suppressed_rows: u64,
    /// Whether all models hold and no more rows are suppressed than may be.
    pub anonymous: bool,
    /// Information lost, counting outliers as suppressed even where they are too many.
    pub score: Score,
}

impl Evaluator<'_> {
    /// Looks at one node. It need not lie in the lattice, only its levels must exist.
    ///
    /// # Errors
    /// There are not as many levels as columns, or a hierarchy has no such level.
    pub fn evaluate(&mut self, levels: &[usize]) -> Result<Evaluation> {
        let problem = self.problem;
        let classes = self.grouper.group(levels)?;
        let mut outliers = Vec::with_capacity(classes.len());
        classes.for_each_view(|_, class| outliers.push(!problem.models.hold(class)));
        let within = enforce_tables(problem, &classes, &mut outliers, problem.allowed);
        let released = within.or_else(|| enforce_tables(problem, &classes, &mut outliers, u64::MAX));
        let suppressed_rows = released.unwrap_or_else(|| problem.tuples.total_rows());
        if released.is_none() {
            outliers.fill(true);
        }
        let anonymous = within.is_some_and(|rows| rows <= problem.allowed);
        let table =
            GeneralizedTable::new(problem.tuples, problem.hierarchies, &self.grouper, &self.marginals, levels, &classes, &outliers)?;
        let score = problem.metric.score(&table)?;
        Ok(Evaluation { classes, outliers, suppressed_rows, anonymous, score })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_decimals() {
        let allowed = |limit, rows| allowed_rows(Share::new(limit).unwrap(), rows);
        assert_eq!(allowed(0.29, 100), 29, "0.29 * 100 is 28.999999999999996 in binary");
        assert_eq!(allowed(0.05, 30_162), 1_508);
        assert_eq!(allowed(0.1, 9), 0);
        assert_eq!((allowed(0.0, u64::MAX), allowed(1.0, u64::MAX)), (0, u64::MAX));
        assert_eq!(allowed(1e-300, 1_000_000), 0);
        assert_eq!(allowed(0.123_456_789_012_345_68, u64::MAX), 2_277_375_791_072_698_160);
        assert!(allowed(1.0 - f64::EPSILON / 2.0, 1_000) <= 1_000);
    }
}
