//! Equivalence classes: rows that share all generalized quasi-identifiers, and the people behind them.
//!
//! Data is read once into [`Tuples`]: the distinct combinations of quasi-identifier codes with the number of rows of every subject, and, if
//! models ask for it, with their sensitive values and with the people of a population. From then on classes at any levels are counted from the
//! tuples ([`Grouper::group`]) or from less general classes ([`Grouper::roll_up`]), never from rows. People are counted exactly: somebody who has rows
//! in several classes that become one counts once in it, and once for every value that they have there.
//!
//! ```
//! use backmask::anonymity::classes::{Grouper, TupleBuilder};
//! use backmask::anonymity::hierarchy::Hierarchy;
//! use backmask::arrow::array::StringArray;
//!
//! // Column `country` with the values DE (code 0) and FR (code 1); three rows of two people.
//! let mut builder = TupleBuilder::new(1);
//! builder.extend(&[&[0, 1, 0]], Some(&[7, 7, 8]))?;
//! let tuples = builder.finish()?;
//! let country = Hierarchy::flat("country", &StringArray::from(vec!["DE", "FR"]), false)?;
//! let hierarchies = [country];
//! let mut grouper = Grouper::new(&tuples, &hierarchies)?;
//! let classes = grouper.group(&[1])?; // everything `*`
//! assert_eq!((classes.statistics()[0].rows, classes.statistics()[0].subjects), (3, 2));
//! # Ok::<(), backmask::Error>(())
//! ```

mod builder;
mod grouper;
mod keys;
pub mod multiset;
mod people;
mod state;
mod statistics;
mod subjects;
mod tuples;
mod union;
mod view;

pub use builder::TupleBuilder;
pub use grouper::{Classes, Grouper};
pub use statistics::ClassStatistics;
pub use tuples::Tuples;
pub use union::UnionCounter;
pub use view::{ClassView, ValueCount};
