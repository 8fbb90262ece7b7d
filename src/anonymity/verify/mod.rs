//! An independent recount of a written table.
//!
//! Nothing here shares state or code with the rest of [`anonymity`](super): the released values themselves are compared, byte by byte, not the codes and
//! hierarchies that produced them. [`ClassCounter`] reads the table, [`ClassReport`] says what it shows and what can be claimed.
//! [`ModelCounter`] also reads sensitive values and a population, and [`ModelReport`] recomputes what every model of a policy claims.
//!
//! ```
//! use backmask::anonymity::verify::{Claim, ClassCounter, People};
//! use backmask::arrow::array::{ArrayRef, RecordBatch, StringArray};
//! use backmask::pipeline::Fit;
//! use std::sync::Arc;
//!
//! let birth: ArrayRef = Arc::new(StringArray::from(vec!["1980s", "1980s", "1990s", "1990s"]));
//! let token: ArrayRef = Arc::new(StringArray::from(vec!["k3", "q8", "z1", "z1"]));
//! let table = RecordBatch::try_from_iter([("birth", birth), ("token", token)])?;
//! let mut counter = ClassCounter::new(["birth"], People::Token("token".into()));
//! counter.observe(&table)?;
//! let report = counter.finish()?;
//! assert_eq!((report.smallest_rows, report.smallest_subjects), (Some(2), Some(1)));
//! // Two rows in every class, but the second class is one person.
//! assert_eq!(report.claim(2), Claim::SubjectPerRow { achieved: 1 });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod achieved;
mod counter;
mod figures;
mod identity;
mod report;
mod values;

pub use achieved::{Basis, Counted, Found, ModelReport, Reference, ReferenceUsed};
pub use counter::{ClassCounter, People};
pub use report::{Claim, ClassReport};
pub use values::ModelCounter;
