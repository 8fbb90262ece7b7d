//! A look at one node, as cheap as its purpose allows.

use super::Problem;
use crate::anonymity::classes::{ClassView, Classes, Grouper};
use crate::anonymity::models::{ClassTable, Monotonicity, PrivacyModel};
use crate::anonymity::quality::{GeneralizedTable, LevelTable, Marginals, Score};
use crate::error::Result;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What is known of a node after a look at it.
#[derive(Debug)]
pub(super) struct Look {
    /// To roll up other nodes from.
    pub(super) classes: Arc<Classes>,
    /// Rows suppressed and score; `None` if more rows would be suppressed than may be.
    pub(super) anonymous: Option<(u64, Score)>,
    /// Whether it is proved that every node below suppresses too many rows as well.
    pub(super) none_below: bool,
}

/// The models of a problem, by what may be concluded from them.
///
/// A node suppresses the rows of its outlier classes. Let w lie above v, so that classes of w are unions of classes of v.
///
/// - *Models that hold on supersets*: a class of w that fails has only failing classes of v in it. So the rows that such models suppress at w are
///   among those that they suppress at v: if they are too many at w, they are too many at v, for every limit.
/// - *Models that hold on unions*: a class of w that fails has some failing class of v in it, but maybe not only such. So if v suppresses nothing, w does
///   not: the conclusion from w to v is possible only where no row may be suppressed.
/// - *Other models* allow no conclusion, nor do models of the whole table.
#[derive(Debug, Clone, Default)]
struct Kinds<'a> {
    on_supersets: Vec<&'a dyn PrivacyModel>,
    on_unions: Vec<&'a dyn PrivacyModel>,
    others: Vec<&'a dyn PrivacyModel>,
}

impl<'a> Kinds<'a> {
    fn new(problem: &'a Problem<'_>) -> Self {
        let mut kinds = Self::default();
        for model in problem.models.iter() {
            match model.monotonicity(problem.tuples.one_row_each()) {
                Monotonicity::Supersets => kinds.on_supersets.push(model),
                Monotonicity::Unions => kinds.on_unions.push(model),
                Monotonicity::Unknown => kinds.others.push(model),
            }
        }
        kinds
    }
}

/// Looks at nodes; one for each thread.
#[derive(Debug)]
pub(super) struct Looker<'a> {
    problem: &'a Problem<'a>,
    grouper: Grouper<'a>,
    marginals: Arc<Marginals>,
    kinds: Kinds<'a>,
}

impl<'a> Looker<'a> {
    pub(super) fn new(problem: &'a Problem<'a>) -> Result<Self> {
        let grouper = Grouper::new(problem.tuples, problem.hierarchies)?;
        let marginals = Arc::new(Marginals::new(problem.tuples, problem.hierarchies, &grouper)?);
        Ok(Self { problem, grouper, marginals, kinds: Kinds::new(problem) })
    }

    /// Another one, for another thread.
    pub(super) fn another(&self) -> Self {
        Self { problem: self.problem, grouper: self.grouper.another(), marginals: Arc::clone(&self.marginals), kinds: self.kinds.clone() }
    }

    /// Whether every node that suppresses too many rows proves it for those below it.
    pub(super) fn always_concludes(&self) -> bool {
        let kinds = &self.kinds;
        kinds.others.is_empty()
            && self.problem.models.tables().next().is_none()
            && (kinds.on_unions.is_empty() || self.problem.allowed == 0)
    }

    /// Groups one node, from `source` if there is one below it.
    pub(super) fn group(&mut self, source: Option<&Classes>, levels: &[usize]) -> Result<Classes> {
        match source {
            Some(source) => self.grouper.roll_up(source, levels),
            None => self.grouper.group(levels),
        }
    }

    /// Judges grouped classes. No more than `allowed` rows may be suppressed; the score is worked out if `scored`.
    pub(super) fn judge(&self, classes: Arc<Classes>, allowed: u64, scored: bool) -> Result<Look> {
        let mut outliers = vec![false; classes.len()];
        let mut suppressed = 0;
        let mut too_many = fails(&classes, &self.kinds.on_supersets, allowed, &mut outliers, &mut suppressed);
        let mut none_below = too_many;
        if !too_many {
            too_many = fails(&classes, &self.kinds.on_unions, allowed, &mut outliers, &mut suppressed);
            none_below = too_many && allowed == 0;
        }
        too_many = too_many || fails(&classes, &self.kinds.others, allowed, &mut outliers, &mut suppressed);
        if !too_many {
            // Nearest misses are those of the table without a limit; if not even that is enough, nothing is released.
            let limit = if scored { allowed } else { u64::MAX };
            let released = enforce_tables(self.problem, &classes, &mut outliers, limit);
            suppressed = released.unwrap_or_else(|| self.problem.tuples.total_rows());
            too_many = suppressed > allowed || (scored && released.is_none());
        }
        if too_many {
            return Ok(Look { classes, anonymous: None, none_below });
        }
        let score = if scored {
            let problem = self.problem;
            let table = GeneralizedTable::new(
                problem.tuples,
                problem.hierarchies,
                &self.grouper,
                &self.marginals,
                classes.levels(),
                &classes,
                &outliers,
            )?;
            problem.metric.score(&table)?
        } else {
            Score::Number(0.0)
        };
        Ok(Look { classes, anonymous: Some((suppressed, score)), none_below: false })
    }

    /// What no node at these levels or above can fall below.
    pub(super) fn bound(&self, levels: &[usize]) -> Result<Option<Score>> {
        let problem = self.problem;
        let table = LevelTable { hierarchies: problem.hierarchies, levels, rows: problem.tuples.total_rows(), marginals: &self.marginals };
        problem.metric.lower_bound(&table)
    }

    /// Rows that all nodes of the lattice suppress at least: those that models which hold on supersets suppress at the highest node.
    pub(super) fn suppressed_everywhere(&self, highest: &Classes) -> u64 {
        let (mut outliers, mut suppressed) = (vec![false; highest.len()], 0);
        fails(highest, &self.kinds.on_supersets, u64::MAX, &mut outliers, &mut suppressed);
        suppressed
    }
}

/// Suppresses classes until the models of the whole table hold, no more than `allowed` rows; gives all rows suppressed. `None` if that is not enough.
pub(super) fn enforce_tables(problem: &Problem<'_>, classes: &Classes, outliers: &mut [bool], allowed: u64) -> Option<u64> {
    let table =
        ClassTable { classes: classes.statistics(), populations: classes.populations(), absent_population: classes.absent_population() };
    if !problem.models.enforce(&table, outliers, allowed) {
        return None;
    }
    // Bounded by all rows, which fit.
    Some(classes.statistics().iter().zip(&*outliers).filter(|&(_, &outlier)| outlier).map(|(class, _)| class.rows).sum())
}

/// Adds the classes on which a model fails to the outliers and their rows to `suppressed`. Stops with `true` when these are more than `allowed`.
fn fails(classes: &Classes, models: &[&dyn PrivacyModel], allowed: u64, outliers: &mut [bool], suppressed: &mut u64) -> bool {
    if models.is_empty() {
        return false;
    }
    let visit = |class: usize, view: &ClassView<'_>| {
        if !outliers[class] && !models.iter().all(|model| model.holds(view)) {
            outliers[class] = true;
            // Bounded by all rows, which fit.
            *suppressed += view.statistics.rows;
            if *suppressed > allowed {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    };
    classes.visit_views(visit).is_break()
}
