//! Transforms one after the other.

use super::Transform;
use crate::error::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatchReader;
use std::sync::Arc;

/// Transforms applied in order. It is a [`Transform`] itself.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    steps: Vec<Arc<dyn Transform>>,
}

impl Chain {
    /// A chain that changes nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step at the end.
    #[must_use]
    pub fn then(mut self, step: impl Transform + 'static) -> Self {
        self.steps.push(Arc::new(step));
        self
    }

    /// Applies the chain to every batch of a reader.
    ///
    /// # Errors
    /// The reader's schema does not fit the chain.
    pub fn read<R: RecordBatchReader>(self, reader: R) -> Result<TransformedReader<R>> {
        let schema = self.output_schema(&reader.schema())?;
        Ok(TransformedReader { reader, chain: self, schema })
    }
}

impl Transform for Chain {
    fn output_schema(&self, input: &Schema) -> Result<SchemaRef> {
        self.steps.iter().try_fold(Arc::new(input.clone()), |schema, step| step.output_schema(&schema))
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.steps.iter().try_fold(batch.clone(), |batch, step| step.apply(&batch))
    }
}

/// A reader whose batches went through a [`Chain`].
#[derive(Debug)]
pub struct TransformedReader<R> {
    reader: R,
    chain: Chain,
    schema: SchemaRef,
}

impl<R: RecordBatchReader> Iterator for TransformedReader<R> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.and_then(|batch| self.chain.apply(&batch).map_err(|e| ArrowError::ExternalError(Box::new(e)))))
    }
}

impl<R: RecordBatchReader> RecordBatchReader for TransformedReader<R> {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
