//! Labels that suit the rows: not all rows are generalized alike.
//!
//! | function | classes are | labels are |
//! |---|---|---|
//! | [`mondrian`] | boxes, cut at medians; equal rows stay together | intervals, sets, nodes of hierarchies |
//! | [`mondrian_relaxed`] | as above, but rows at a median may go to both sides | the same |
//! | [`microaggregate`] | groups of the nearest k to 2k − 1 people (MDAV) | means, medians, modes or intervals |
//! | [`local`] | full-domain classes; what one round suppresses is recoded again | labels of the hierarchies |
//!
//! All of them ask the models about every class and count people, not rows; all give a [`LocalRecoding`]: labels for every class, and the class of every tuple
//! or row. The result depends on the values (and keys) of rows, not on their order, nor on threads. [`Regions`] keep a recoding for new rows.
//!
//! Labels show bounds and sets of the values that are in a class, so they are as narrow as can be; that the lowest and the highest value of a label occur is
//! what the recipient learns besides.
//!
//! ```
//! use backmask::anonymity::classes::TupleBuilder;
//! use backmask::anonymity::hierarchy::Hierarchy;
//! use backmask::anonymity::local::{Dimension, Found, Resources, mondrian};
//! use backmask::anonymity::models::{KAnonymity, Linkability, Models};
//! use backmask::arrow::array::{ArrayRef, AsArray, Int32Array, StringArray};
//! use backmask::units::K;
//! use std::sync::Arc;
//!
//! // Four people: ages 31, 34, 38, 52 (codes 0 to 3) from DE and FR (codes 0, 1).
//! let ages: ArrayRef = Arc::new(Int32Array::from(vec![31, 34, 38, 52]));
//! let places: ArrayRef = Arc::new(StringArray::from(vec!["DE", "FR"]));
//! let dimensions = [
//!     Dimension::new(&Hierarchy::flat("age", &ages, false)?, &ages)?,
//!     Dimension::new(&Hierarchy::flat("country", &places, false)?, &places)?,
//! ];
//! let mut builder = TupleBuilder::new(2);
//! builder.extend(&[&[0, 1, 2, 3], &[0, 0, 1, 1]], None)?;
//! let models = Models::new().and(KAnonymity { k: K::new(2)?, linkability: Linkability::Unlinked });
//! let Found::Recoding(recoding) = mondrian(&builder.finish()?, &dimensions, &models, Resources::new())? else { panic!("four are enough") };
//! assert_eq!(recoding.len(), 2);
//! assert_eq!(recoding.labels(0)?.as_string::<i32>().value(0), "[31, 34]");
//! assert_eq!(recoding.labels(1)?.as_string::<i32>().value(0), "DE");
//! # Ok::<(), backmask::Error>(())
//! ```

mod cell;
mod cuts;
mod dimension;
mod judge;
mod microaggregation;
mod mondrian;
mod partition;
mod recoding;
mod regions;
mod rounds;
mod rows;
mod seal;
mod threads;

pub use cell::MISSING;
pub use dimension::{Dimension, DimensionKind};
pub use microaggregation::{Microaggregation, Representative, microaggregate};
pub use mondrian::{Resources, mondrian, mondrian_relaxed};
pub use recoding::{Found, LocalRecoding, Shortfall};
pub use regions::Regions;
pub use rounds::{Round, local};
pub use rows::{RowTable, Rows};
