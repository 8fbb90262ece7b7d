//! Functions of one value, applied to arrays.

use super::Transform;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::fmt::Debug;
use std::sync::Arc;

/// A function of one value, applied to every value of an array. Equal inputs give equal outputs, whatever stands beside them;
/// that is what allows the values of a dictionary to be worked once.
pub trait Kernel: Send + Sync + Debug {
    /// Type of the output for an input of type `input` (never a dictionary: see [`apply_once`]).
    ///
    /// # Errors
    /// The kernel cannot take this type.
    fn output_type(&self, input: &DataType) -> Result<DataType>;

    /// Applies the function to every value. The output is as long as the input.
    ///
    /// # Errors
    /// The type or a value does not fit the kernel.
    fn apply(&self, array: &dyn Array) -> Result<ArrayRef>;
}

/// Applies `kernel` to any array. The values of a dictionary are worked once and then gathered, so the result is a plain array.
///
/// # Errors
/// Those of the kernel.
pub fn apply_once(kernel: &dyn Kernel, array: &dyn Array) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let values = kernel.apply(dictionary.values().as_ref())?;
            take(&values, dictionary.keys(), None).map_err(|e| Error::arrow("gathering dictionary values", &e))
        }
        _ => kernel.apply(array),
    }
}

/// The value type of a column: that of its values for a dictionary.
pub(crate) fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

/// A [`Kernel`] on one named column of a batch.
#[derive(Debug, Clone)]
pub struct MapColumn {
    column: String,
    kernel: Arc<dyn Kernel>,
}

impl MapColumn {
    /// Applies `kernel` to the column called `column`; the others pass unchanged.
    pub fn new(column: impl Into<String>, kernel: Arc<dyn Kernel>) -> Self {
        Self { column: column.into(), kernel }
    }
}

impl Transform for MapColumn {
    fn output_schema(&self, input: &Schema) -> Result<SchemaRef> {
        let index = column_index(input, &self.column)?;
        let output = self.kernel.output_type(value_type(input.field(index).data_type()))?;
        let fields: Vec<_> = input
            .fields()
            .iter()
            .enumerate()
            .map(|(i, field)| if i == index { Arc::new(Field::new(field.name(), output.clone(), true)) } else { Arc::clone(field) })
            .collect();
        Ok(Arc::new(Schema::new(fields)))
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = self.output_schema(batch.schema_ref())?;
        let index = column_index(batch.schema_ref(), &self.column)?;
        let mut columns = batch.columns().to_vec();
        columns[index] = apply_once(self.kernel.as_ref(), columns[index].as_ref())?;
        RecordBatch::try_new(schema, columns).map_err(|e| Error::arrow("assembling a batch", &e))
    }
}

/// Index of a column by name.
pub(crate) fn column_index(schema: &Schema, column: &str) -> Result<usize> {
    schema
        .index_of(column)
        .map_err(|_| Error::column(column, "is not in the data", "check the column names of the input against the policy"))
}
