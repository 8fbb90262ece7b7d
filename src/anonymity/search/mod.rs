//! Which levels are safe and lose least.
//!
//! A *node* is a vector of levels, one a quasi-identifier. At a node a class is an outlier if any model fails on it; the rows of outliers are
//! suppressed. A node is *anonymous* if it suppresses at most ⌊limit · N⌋ of the N rows. The optimum is the anonymous node with the smallest
//! score; ties go to the node that suppresses fewest rows, then to the smallest sum of levels, then to the first in lexicographic order.
//!
//! | search | looks at | result |
//! |---|---|---|
//! | [`optimal`] | the nodes that no proof excludes | the optimum, proved |
//! | [`heuristic`] | what the time allows, of any number of columns | an anonymous node, a good one; sometimes proved |
//! | [`exhaustive`] | every node | the optimum, beyond doubt: what the others are tested against |
//! | [`fixed`] | one node | that node, if it is anonymous |
//!
//! ```
//! use backmask::anonymity::classes::TupleBuilder;
//! use backmask::anonymity::hierarchy::Hierarchy;
//! use backmask::anonymity::models::{KAnonymity, Linkability, Models};
//! use backmask::anonymity::quality::Loss;
//! use backmask::anonymity::search::{Found, Problem, optimal};
//! use backmask::arrow::array::Int32Array;
//! use backmask::policy::{HierarchySpec, Quality};
//! use backmask::units::{K, Share};
//!
//! // Ages 31, 34, 38 (codes 0, 1, 2) of four people.
//! let spec = HierarchySpec::Intervals { widths: vec![5.0, 10.0], origin: 0.0 };
//! let hierarchies = [Hierarchy::build("age", &spec, &Int32Array::from(vec![31, 34, 38]), false)?];
//! let mut builder = TupleBuilder::new(1);
//! builder.extend(&[&[0, 1, 2, 2]], None)?;
//! let tuples = builder.finish()?;
//! let models = Models::new().and(KAnonymity { k: K::new(2)?, linkability: Linkability::Unlinked });
//! let metric = Loss::new(&Quality::default(), &["age"])?;
//! let problem = Problem::new(&tuples, &hierarchies, &models, &metric, Share::new(0.0)?)?;
//! let Found::Transformation(best) = optimal(&problem)?.found else { panic!("everything `*` is anonymous here") };
//! assert_eq!(best.levels, [1]); // [30, 35) and [35, 40) with two people each
//! # Ok::<(), backmask::Error>(())
//! ```

mod crew;
mod exhaustive;
mod heuristic;
mod lattice;
mod look;
mod optimal;
mod outcome;
mod problem;
mod snapshots;

pub use exhaustive::{LARGEST_EXHAUSTIVE, exhaustive, fixed};
pub use heuristic::heuristic;
pub use lattice::Lattice;
pub use optimal::{LARGEST_OPTIMAL, optimal};
pub use outcome::{Found, NearestMiss, Outcome, Transformation};
pub use problem::{Evaluation, Evaluator, Problem, allowed_rows};
