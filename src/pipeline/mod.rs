//! Fit, then transform.
//!
//! Whatever must look at the data first is a [`Fit`]: a mergeable accumulator that observes batches and finishes into
//! something immutable. What is applied afterwards is a [`Transform`]: it knows its output schema before it sees data and maps one batch to
//! one batch. A [`Kernel`] is the smallest transform: a function of one value, applied to a whole array (and to the
//! values of a dictionary only once).
//!
//! Both fuse. Transforms that follow each other are one [`Chain`]: a batch passes through all of them while it is in the cache.
//! Accumulators that need the same pass are one tuple (or one `Vec`), which is a [`Fit`] again.
//!
//! ```
//! use backmask::arrow::array::{Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
//! use backmask::pipeline::{Chain, Fit, Transform};
//! use backmask::transform::{DropColumns, RelativeFit};
//! use std::sync::Arc;
//!
//! let batch = RecordBatch::try_from_iter([
//!     ("subject_id", Arc::new(StringArray::from(vec!["ann", "bob", "ann"])) as _),
//!     ("started_at", Arc::new(TimestampMillisecondArray::from(vec![9_000, 5_000, 4_000])) as _),
//!     ("ip_addr", Arc::new(StringArray::from(vec!["192.0.2.1"; 3])) as _),
//! ])?;
//! let mut first = RelativeFit::new("subject_id", "started_at");
//! first.observe(&batch)?;
//! let chain = Chain::new().then(first.finish()?).then(DropColumns::new(["ip_addr"]));
//! let released = chain.apply(&batch)?;
//! assert_eq!(released["started_at"].as_ref(), &Int64Array::from(vec![5_000, 0, 0]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod canonical;
mod chain;
mod encoded;
mod kernel;
mod together;

pub(crate) use canonical::{CanonicalKind, check_canonical};
pub use canonical::{map_canonical, visit_canonical};
pub use chain::{Chain, TransformedReader};
pub use encoded::apply_encoded;
pub use kernel::{Kernel, MapColumn, apply_once};
pub(crate) use kernel::{UNNAMED, assemble, column_index, name_column, unpack, value_type};

use crate::error::Result;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use std::fmt::Debug;
use std::sync::Arc;

/// A mergeable accumulator: the part of an algorithm that looks at the data.
///
/// Tuples and vectors of accumulators are accumulators: one pass serves them all.
///
/// # Guarantee
/// Implementations give the same output for any batch size, row order and split of the rows over accumulators that are merged.
pub trait Fit: Send + Sized {
    /// What was learned.
    type Output;

    /// Takes one batch into account.
    ///
    /// # Errors
    /// A column is missing or has a type that the accumulator cannot read.
    fn observe(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Takes everything into account that `other` observed.
    ///
    /// # Errors
    /// The two were not made with the same parameters.
    fn merge(&mut self, other: Self) -> Result<()>;

    /// The accumulated state as arrays of one length, for shipping to another process. Their number and types depend on the parameters only,
    /// not on what was observed, so the states of several accumulators can be appended to each other.
    ///
    /// # Errors
    /// The state does not fit Arrow's index types.
    fn state(&self) -> Result<Vec<ArrayRef>>;

    /// Merges a state made by [`Fit::state`], possibly of several accumulators appended to each other.
    ///
    /// # Errors
    /// The arrays are not such a state.
    fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()>;

    /// Ends the pass.
    ///
    /// # Errors
    /// What was observed does not determine an output.
    fn finish(self) -> Result<Self::Output>;
}

/// An immutable map from batches to batches.
pub trait Transform: Send + Sync + Debug {
    /// Schema of what [`Transform::apply`] returns for batches of schema `input`.
    ///
    /// # Errors
    /// A column that the transform needs is missing or has a type it cannot take.
    fn output_schema(&self, input: &Schema) -> Result<SchemaRef>;

    /// Transforms one batch.
    ///
    /// # Errors
    /// As for [`Transform::output_schema`], or a value that the transform cannot take.
    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch>;
}

impl<T: Transform + ?Sized> Transform for Arc<T> {
    fn output_schema(&self, input: &Schema) -> Result<SchemaRef> {
        (**self).output_schema(input)
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        (**self).apply(batch)
    }
}
