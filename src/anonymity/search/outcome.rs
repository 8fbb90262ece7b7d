//! What a search found.

use super::{Evaluation, Problem, allowed_rows};
use crate::anonymity::classes::ClassStatistics;
use crate::anonymity::classes::multiset::{Multisets, multisets};
use crate::anonymity::quality::Score;
use crate::error::Error;
use crate::units::Share;

/// The end of a search.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// A transformation, or how far the search was from one.
    pub found: Found,
    /// Nodes in the lattice.
    pub nodes: u64,
    /// Nodes that were looked at.
    pub checked: u64,
    /// Whether it is proved that no node of the lattice is better.
    pub optimal: bool,
}

/// Nodes in the order of preference: fields are compared from the first to the last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) score: Score,
    pub(super) suppressed: u64,
    pub(super) sum: usize,
    pub(super) levels: Vec<usize>,
}

/// A transformation, or how far the search was from one.
#[derive(Debug, Clone)]
pub enum Found {
    /// Levels that satisfy the models.
    Transformation(Transformation),
    /// There are none.
    Nothing(NearestMiss),
}

/// Levels that satisfy the models, and the table that they give.
#[derive(Debug, Clone)]
pub struct Transformation {
    /// One level a column.
    pub levels: Vec<usize>,
    /// Information lost.
    pub score: Score,
    /// Rows of the input, the suppressed ones too.
    pub rows: u64,
    /// Rows that are not released.
    pub suppressed_rows: u64,
    /// People of whom no row is released.
    pub suppressed_subjects: u64,
    /// Tuples whose rows are not released, ascending.
    pub suppressed_tuples: Vec<usize>,
    /// Classes that are released, smallest first.
    pub classes: Vec<ClassStatistics>,
    /// How people share their multisets of released classes; what counts if a token links their rows.
    pub multisets: Multisets,
}

impl Transformation {
    pub(super) fn new(problem: &Problem<'_>, levels: Vec<usize>, evaluation: &Evaluation) -> Self {
        let kept = |class: usize| evaluation.outliers.get(class) == Some(&false);
        let mut classes: Vec<_> =
            evaluation.classes.statistics().iter().enumerate().filter(|&(class, _)| kept(class)).map(|(_, &class)| class).collect();
        classes.sort_unstable();
        let multisets = multisets(problem.tuples, &evaluation.classes, kept);
        Self {
            levels,
            score: evaluation.score.clone(),
            rows: problem.tuples.total_rows(),
            suppressed_rows: evaluation.suppressed_rows,
            suppressed_subjects: problem.tuples.subjects() - multisets.subjects,
            suppressed_tuples: evaluation
                .classes
                .of_tuples()
                .iter()
                .enumerate()
                .filter(|&(_, &class)| !kept(class as usize))
                .map(|(tuple, _)| tuple)
                .collect(),
            classes,
            multisets,
        }
    }

    /// Whether the rows of a tuple are left out.
    #[must_use]
    pub fn is_suppressed(&self, tuple: usize) -> bool {
        self.suppressed_tuples.binary_search(&tuple).is_ok()
    }

    /// Rows a released class has on average; 0 without classes.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure for people to read")]
    pub fn average_class_size(&self) -> f64 {
        if self.classes.is_empty() { 0.0 } else { (self.rows - self.suppressed_rows) as f64 / self.classes.len() as f64 }
    }

    /// People in the smallest released class.
    #[must_use]
    pub fn smallest_subjects(&self) -> Option<u64> {
        self.classes.iter().map(|class| class.subjects).min()
    }
}

/// The node that came closest: the one that would suppress fewest rows.
#[derive(Debug, Clone, PartialEq)]
pub struct NearestMiss {
    /// One level a column.
    pub levels: Vec<usize>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows that would have to be suppressed.
    pub suppressed_rows: u64,
    /// All rows.
    pub rows: u64,
    /// The limit that was set.
    pub limit: Share,
    /// The smallest limit, of six decimals, with which this node passes.
    pub passing_limit: Share,
}

impl NearestMiss {
    pub(super) fn new(problem: &Problem<'_>, levels: Vec<usize>, suppressed_rows: u64) -> Self {
        let rows = problem.tuples.total_rows();
        Self {
            levels,
            columns: problem.hierarchies.iter().map(|hierarchy| hierarchy.column().to_owned()).collect(),
            suppressed_rows,
            rows,
            limit: problem.suppression_limit,
            passing_limit: passing_limit(suppressed_rows, rows),
        }
    }

    /// The error that refuses a product for this.
    #[must_use]
    pub fn into_error(self, product: impl Into<String>) -> Error {
        let levels: Vec<String> = self.columns.iter().zip(&self.levels).map(|(column, level)| format!("{column} = {level}")).collect();
        let nearest = format!(
            "the nearest ({}) would suppress {} of {} rows where the limit is {}; set suppression_limit to at least {}, allow higher levels or ask for a smaller k",
            levels.join(", "),
            self.suppressed_rows,
            self.rows,
            self.limit.get(),
            self.passing_limit.get()
        );
        Error::NoSolution { product: product.into(), nearest }
    }
}

fn passing_limit(suppressed: u64, rows: u64) -> Share {
    const UNIT: u128 = 1_000_000;
    let least = (u128::from(suppressed) * UNIT).div_ceil(u128::from(rows.max(1)));
    #[expect(clippy::cast_precision_loss, reason = "at most a million and a few")]
    let candidates = (least..=least + 2).map(|millionths| millionths as f64 / UNIT as f64);
    let passing = candidates.filter_map(|limit| Share::new(limit).ok()).find(|&limit| allowed_rows(limit, rows) >= suppressed);
    #[expect(clippy::expect_used, reason = "1 is a share")]
    passing.unwrap_or_else(|| Share::new(1.0).expect("1 is a share"))
}
