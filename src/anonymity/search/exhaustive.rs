//! Looking at every node: slow, but beyond doubt.

use super::outcome::{Candidate, Found, NearestMiss, Outcome, Transformation};
use super::{Evaluation, Problem};
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anonymity::classes::{TupleBuilder, Tuples};
    use crate::anonymity::hierarchy::Hierarchy;
    use crate::anonymity::models::{KAnonymity, Linkability, Models};
    use crate::anonymity::quality::Loss;
    use crate::anonymity::quality::Score;
    use crate::policy::{Direction, HierarchySpec, LevelLimits, Quality};
    use crate::units::{K, Share};
    use arrow::array::StringArray;

    /// Two columns with the values a and b.
    fn table(rows: &[(u32, u32)]) -> (Tuples, [Hierarchy; 2]) {
        let (one, two): (Vec<u32>, Vec<u32>) = rows.iter().copied().unzip();
        let mut builder = TupleBuilder::new(2);
        builder.extend(&[&one, &two], None).unwrap();
        let values = StringArray::from(vec!["a", "b"]);
        (builder.finish().unwrap(), ["x", "y"].map(|column| Hierarchy::flat(column, &values, false).unwrap()))
    }

    fn k_anonymity(k: u64) -> Models {
        Models::new().and(KAnonymity { k: K::new(k).unwrap(), linkability: Linkability::Unlinked })
    }

    fn levels(found: Found) -> Vec<usize> {
        match found {
            Found::Transformation(transformation) => transformation.levels,
            Found::Nothing(miss) => panic!("{miss:?}"),
        }
    }

    #[test]
    fn ties_go_to_fewer_suppressed_rows_then_lower_levels_then_the_first() {
        // Either column may be given up; both cost the same.
        let (tuples, hierarchies) = table(&[(0, 0), (0, 1), (1, 0), (1, 1)]);
        let (models, metric) = (k_anonymity(2), Loss::new(&Quality::default(), &["x", "y"]).unwrap());
        let problem = Problem::new(&tuples, &hierarchies, &models, &metric, Share::new(0.0).unwrap()).unwrap();
        assert_eq!(levels(exhaustive(&problem).unwrap().found), [0, 1]);
        // With the gs-factor 1 only suppression costs: all nodes that suppress nothing score 0.
        let (tuples, hierarchies) = table(&[(0, 0), (0, 0), (1, 1)]);
        let metric = Loss::new(&Quality { gs_factor: 1.0, ..Quality::default() }, &["x", "y"]).unwrap();
        let problem = Problem::new(&tuples, &hierarchies, &models, &metric, Share::new(1.0).unwrap()).unwrap();
        assert_eq!(levels(exhaustive(&problem).unwrap().found), [1, 1], "no row suppressed");
    }

    #[test]
    fn the_nearest_miss_says_which_limit_would_pass() {
        let (tuples, hierarchies) = table(&[(0, 0), (0, 0), (1, 1)]);
        let (models, metric) = (k_anonymity(2), Loss::new(&Quality::default(), &["x", "y"]).unwrap());
        let top = LevelLimits { min: None, max: Some(0) };
        let problem = |limit: f64| {
            Problem::new(&tuples, &hierarchies, &models, &metric, Share::new(limit).unwrap())
                .unwrap()
                .limit(0, top)
                .unwrap()
                .limit(1, top)
                .unwrap()
        };
        let Found::Nothing(miss) = exhaustive(&problem(0.1)).unwrap().found else { panic!("a row is alone") };
        assert_eq!((miss.suppressed_rows, miss.levels.clone()), (1, vec![0, 0]));
        assert!((miss.passing_limit.get() - 0.333_334).abs() < 1e-12);
        assert_eq!(levels(exhaustive(&problem(miss.passing_limit.get())).unwrap().found), [0, 0]);
        let message = miss.into_error("people").to_string();
        assert!(message.contains("x = 0") && message.contains("1 of 3 rows") && message.contains("0.333334"), "{message}");
        assert!(
            matches!(fixed(&problem(0.1), &[1, 1]).unwrap().found, Found::Transformation(_)),
            "fixed levels may lie outside the limits"
        );
        assert!(fixed(&problem(0.1), &[2, 0]).is_err());
    }

    #[test]
    fn no_rows_need_no_generalization() {
        let (tuples, hierarchies) = table(&[]);
        let (models, metric) = (k_anonymity(2), Loss::new(&Quality::default(), &["x", "y"]).unwrap());
        let problem = Problem::new(&tuples, &hierarchies, &models, &metric, Share::new(0.0).unwrap()).unwrap();
        let Found::Transformation(best) = exhaustive(&problem).unwrap().found else { panic!("nothing to suppress") };
        assert_eq!((best.levels, best.rows, best.score), (vec![0, 0], 0, Score::Number(0.0)));
    }

    #[test]
    fn lattices_beyond_reach_are_refused_with_the_remedy() {
        let long = StringArray::from(vec!["x".repeat(3_000)]);
        let hierarchies = ["x", "y"].map(|column| Hierarchy::build(column, &HierarchySpec::Mask(Direction::Right), &long, false).unwrap());
        let tuples = TupleBuilder::new(2).finish().unwrap();
        let (models, metric) = (k_anonymity(2), Loss::new(&Quality::default(), &["x", "y"]).unwrap());
        let problem = Problem::new(&tuples, &hierarchies, &models, &metric, Share::new(0.0).unwrap()).unwrap();
        assert_eq!(problem.lattice().nodes(), 3_001 * 3_001);
        assert!(exhaustive(&problem).unwrap_err().to_string().contains("limit the levels"));
    }
}
