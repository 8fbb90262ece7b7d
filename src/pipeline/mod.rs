//! Fit, then transform.
//!
//! Whatever must look at the data first is a [`Fit`]: a mergeable accumulator that observes batches and finishes into
//! something immutable. What is applied afterwards is a [`Transform`]: it knows its output schema before it sees data and maps one batch to
//! one batch. A [`Kernel`] is the smallest transform: a function of one value, applied to a whole array (and to the
//! values of a dictionary only once).

mod chain;
mod kernel;

pub use chain::{Chain, TransformedReader};
pub use kernel::{Kernel, MapColumn, apply_once};
pub(crate) use kernel::{column_index, value_type};

use crate::error::Result;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use std::fmt::Debug;

/// A mergeable accumulator: the part of an algorithm that looks at the data.
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

    /// The accumulated state as arrays of one length, for shipping to another process.
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
