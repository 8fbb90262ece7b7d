//! Levels of generalization of one column.
//!
//! Level 0 is the value itself, the last level says nothing any more (`*`). Levels are nested: values that share a label at one level
//! share their label at every higher level. That is what lets a search move through levels without reading the data again.
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
mod scheme;
mod text;
mod tree;

pub use dates::Dates;
pub use file::FileLevels;
pub use intervals::Intervals;
pub use kernel::Generalize;
pub use mask::Mask;
pub use scheme::{Rule, SUPPRESSED, Scheme};
pub use tree::{Hierarchy, Level};
