//! Functions of one value, applied to arrays.

use super::Transform;
use super::encoded::{apply_encoded, encoded_type};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, make_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::fmt::Debug;
use std::sync::Arc;

/// A function of one value, applied to every value of an array. Equal inputs give equal outputs, whatever stands beside them;
/// that is what allows the values of a dictionary to be worked once. A missing value stays missing.
pub trait Kernel: Send + Sync + Debug {
    /// Type of the output for an input of type `input`. The input type is that of plain values: a dictionary is asked for by its values, see [`apply_once`].
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

/// Applies `kernel` to any array. The values of a dictionary are worked once and then gathered, so the result is as long as the input
/// and has the kernel's own output type. A dictionary that is longer than its array is unpacked first, so a short slice of a long dictionary costs no more than its rows.
///
/// ```
/// use backmask::arrow::array::{Array, DictionaryArray, cast::AsArray, types::Int32Type};
/// use backmask::pipeline::apply_once;
/// use backmask::{keys::Key, policy::PseudonymMethod, pseudonym::Pseudonymizer};
///
/// let tokens = Pseudonymizer::new(PseudonymMethod::Blake3, Key::from_bytes([7; 32]))?;
/// let column: DictionaryArray<Int32Type> = ["ann", "bob", "ann"].into_iter().collect();
/// let column = apply_once(&tokens, &column)?;
/// assert_eq!(column.as_string::<i32>().value(0), column.as_string::<i32>().value(2));
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// Those of the kernel. A value that only an unused dictionary slot holds is no error.
pub fn apply_once(kernel: &dyn Kernel, array: &dyn Array) -> Result<ArrayRef> {
    let Some(dictionary) = array.as_any_dictionary_opt() else { return kernel.apply(array) };
    if dictionary.values().len() <= array.len()
        && let Ok(values) = kernel.apply(dictionary.values().as_ref())
    {
        return take(&values, dictionary.keys(), None).map_err(|e| Error::arrow("gathering dictionary values", &e));
    }
    // Either the dictionary is mostly unused, or the kernel refused one of its values: then the rows decide, and they are what the error must count.
    kernel.apply(unpack(array)?.as_ref())
}

/// The array with its dictionary encoding undone.
pub(crate) fn unpack(array: &dyn Array) -> Result<ArrayRef> {
    match array.as_any_dictionary_opt() {
        Some(dictionary) => {
            let plain = take(dictionary.values(), dictionary.keys(), None).map_err(|e| Error::arrow("unpacking a dictionary", &e))?;
            unpack(plain.as_ref())
        }
        None => Ok(make_array(array.to_data())),
    }
}

/// How a kernel calls the column of an array that it was given without a name. [`MapColumn`] puts the name in its place.
pub(crate) const UNNAMED: &str = "(unnamed)";

/// The same error with the column's name in it.
pub(crate) fn name_column(error: Error, name: &str) -> Error {
    match error {
        Error::Column { rows, first_row, problem, remedy, .. } => {
            Error::Column { column: name.to_owned(), rows, first_row, problem, remedy }
        }
        other => other,
    }
}

/// The value type of a column: that of its values for a dictionary.
pub(crate) fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

/// A [`Kernel`] on one named column of a batch. Errors of the kernel name that column.
///
/// ```
/// use backmask::arrow::array::{Int64Array, RecordBatch, cast::AsArray, types::Int64Type};
/// use backmask::{pipeline::{MapColumn, Transform}, transform::Clamp};
/// use std::sync::Arc;
///
/// let batch = RecordBatch::try_from_iter([("ms_played", Arc::new(Int64Array::from(vec![-1, 5_984_871])) as _)])?;
/// let batch = MapColumn::new("ms_played", Arc::new(Clamp::new(0.0, 3_600_000.0)?)).apply(&batch)?;
/// assert_eq!(batch["ms_played"].as_primitive::<Int64Type>().values(), &[0, 3_600_000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct MapColumn {
    column: String,
    kernel: Arc<dyn Kernel>,
    keeps_dictionaries: bool,
}

impl MapColumn {
    /// Applies `kernel` to the column called `column`; the others pass unchanged.
    pub fn new(column: impl Into<String>, kernel: Arc<dyn Kernel>) -> Self {
        Self { column: column.into(), kernel, keeps_dictionaries: false }
    }

    /// Keeps the column a dictionary where it is one: see [`apply_encoded`](super::apply_encoded).
    #[must_use]
    pub fn keeping_dictionaries(mut self) -> Self {
        self.keeps_dictionaries = true;
        self
    }
}

impl Transform for MapColumn {
    fn output_schema(&self, input: &Schema) -> Result<SchemaRef> {
        let index = column_index(input, &self.column)?;
        let input_type = input.field(index).data_type();
        let output = if self.keeps_dictionaries {
            encoded_type(self.kernel.as_ref(), input_type)
        } else {
            self.kernel.output_type(value_type(input_type))
        };
        let output = output.map_err(|e| name_column(e, &self.column))?;
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
        let apply = if self.keeps_dictionaries { apply_encoded } else { apply_once };
        columns[index] = apply(self.kernel.as_ref(), columns[index].as_ref()).map_err(|e| name_column(e, &self.column))?;
        assemble(schema, columns, batch.num_rows())
    }
}

/// A batch of the given columns; the number of rows is stated because there may be no columns.
pub(crate) fn assemble(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    RecordBatch::try_new_with_options(schema, columns, &RecordBatchOptions::new().with_row_count(Some(rows)))
        .map_err(|e| Error::arrow("assembling a batch", &e))
}

/// Index of a column by name.
pub(crate) fn column_index(schema: &Schema, column: &str) -> Result<usize> {
    schema
        .index_of(column)
        .map_err(|_| Error::column(column, "is not in the data", "check the column names of the input against the policy"))
}
