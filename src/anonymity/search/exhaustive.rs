//! Looking at every node: slow, but beyond doubt.

use super::outcome::{Found, NearestMiss, Outcome, Transformation};
use super::{Evaluation, Problem};
use crate::anonymity::quality::Score;
use crate::error::{Error, Result};

/// Nodes that [`exhaustive`] takes on at most.
pub const LARGEST_EXHAUSTIVE: u64 = 1 << 22;

/// Looks at every node of the lattice.
///
/// # Errors
/// The lattice has more than [`LARGEST_EXHAUSTIVE`] nodes, or tuples and hierarchies do not fit each other.
pub fn exhaustive(problem: &Problem<'_>) -> Result<Outcome> {
    let nodes = problem.lattice.nodes();
    if nodes > LARGEST_EXHAUSTIVE {
        return Err(Error::policy(
            "columns.levels",
            format!("the hierarchies have more than {LARGEST_EXHAUSTIVE} combinations of levels"),
            "limit the levels of some columns (levels = { min = 1, max = 2 }), or give them coarser hierarchies",
        ));
    }
    let mut evaluator = problem.evaluator()?;
    let mut best: Option<Candidate> = None;
    let mut nearest: Option<(u64, usize, Vec<usize>)> = None;
    let mut levels = problem.lattice.lowest().to_vec();
    let mut checked = 0;
    loop {
        let evaluation = evaluator.evaluate(&levels)?;
        checked += 1;
        let sum = levels.iter().sum();
        if evaluation.anonymous {
            let candidate = Candidate { score: evaluation.score, suppressed: evaluation.suppressed_rows, sum, levels: levels.clone() };
            if best.as_ref().is_none_or(|best| candidate < *best) {
                best = Some(candidate);
            }
        } else {
            let miss = (evaluation.suppressed_rows, sum, levels.clone());
            if nearest.as_ref().is_none_or(|nearest| miss < *nearest) {
                nearest = Some(miss);
            }
        }
        if !problem.lattice.advance(&mut levels) {
            break;
        }
    }
    let found = match (best, nearest) {
        (Some(best), _) => {
            let evaluation = evaluator.evaluate(&best.levels)?;
            Found::Transformation(Transformation::new(problem, best.levels, &evaluation))
        }
        (None, Some((suppressed, _, levels))) => Found::Nothing(NearestMiss::new(problem, levels, suppressed)),
        (None, None) => Found::Nothing(NearestMiss::new(problem, problem.lattice.lowest().to_vec(), problem.tuples.total_rows())),
    };
    Ok(Outcome { found, nodes, checked, optimal: true })
}

/// Nodes in the order of preference: fields are compared from the first to the last.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    score: Score,
    suppressed: u64,
    sum: usize,
    levels: Vec<usize>,
}

/// Looks at one node only, inside or outside the limits of the search.
///
/// # Errors
/// A hierarchy has no such level, or tuples and hierarchies do not fit each other.
pub fn fixed(problem: &Problem<'_>, levels: &[usize]) -> Result<Outcome> {
    let evaluation: Evaluation = problem.evaluator()?.evaluate(levels)?;
    let found = if evaluation.anonymous {
        Found::Transformation(Transformation::new(problem, levels.to_vec(), &evaluation))
    } else {
        Found::Nothing(NearestMiss::new(problem, levels.to_vec(), evaluation.suppressed_rows))
    };
    Ok(Outcome { found, nodes: 1, checked: 1, optimal: false })
}
