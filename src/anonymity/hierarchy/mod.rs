//! Levels of generalization of one column.
//!
//! Level 0 is the value itself, the last level says nothing any more (`*`). Levels are nested: values that share a label at one level
//! share their label at every higher level. That is what lets a search move through levels without reading the data again.
//!
//! | kind | levels | in a policy |
//! |---|---|---|
//! | [`Intervals`] | half-open intervals, each width a multiple of the one before; bottom and top coding | `{ intervals = [5, 10, 20], bottom = 18, top = 90 }` |
//! | [`Ordered`] | groups of consecutive values of a given order | `{ ordered = ["none", "low", "high", "top"], sizes = [2] }` |
//! | [`Mask`] | one more masked character, from the left or the right | `{ mask = "right" }` |
//! | [`Dates`] | day, week, month, quarter, year, decade | `{ dates = ["month", "year"] }` |
//! | [`FileLevels`] | a CSV file with one row a leaf | `{ file = "country.csv", delimiter = ";" }` |
//! | [`Priority`] | values of few people become `other` | `{ priority = [10, 100] }` |
//! | [`Hierarchy::from_fn`] | whatever a function says | – |
//! | [`Hierarchy::flat`] | none but the value and `*` | no hierarchy |
//!
//! A missing value is a leaf of its own, apart from every other below `*`, or an error ([`Hierarchy::with_missing`]). A value of new data that the
//! hierarchy does not know is an error or `*` ([`Scheme::with_unknown`]); it never gets the label of a known one.
//!
//! [`Hierarchy`] is fitted on the distinct values of a column and works on codes; its [`Scheme`] is the part that can be written to a file
//! and applied to new data, by [`Generalize`].
//!
//! ```
//! use backmask::anonymity::hierarchy::Hierarchy;
//! use backmask::arrow::array::{Array, AsArray, Int32Array};
//! use backmask::pipeline::Kernel;
//! use backmask::policy::HierarchySpec;
//!
//! let years = Int32Array::from(vec![1984, 1987, 1991]);
//! let spec = HierarchySpec::Intervals { widths: vec![5.0, 10.0], origin: 1900.0 };
//! let hierarchy = Hierarchy::build("birth_year", &spec, &years, false)?;
//! assert_eq!(hierarchy.height(), 3); // two widths, then `*`
//! let labels = hierarchy.kernel(2)?.apply(&years)?;
//! assert_eq!(labels.as_string::<i32>().value(0), "[1980, 1990)");
//! # Ok::<(), backmask::Error>(())
//! ```

mod dates;
mod file;
mod intervals;
mod kernel;
mod mask;
mod ordered;
mod priority;
mod scheme;
mod table;
mod text;
mod tree;

pub use dates::Dates;
pub use file::FileLevels;
pub use intervals::Intervals;
pub use kernel::Generalize;
pub use mask::Mask;
pub use ordered::Ordered;
pub use priority::{OTHER, Priority};
pub use scheme::{Rule, SUPPRESSED, Scheme, Unknown};
pub use tree::{Hierarchy, Level};
