//! Which columns stay.

use crate::error::{Error, Result};
use crate::pipeline::{Transform, assemble, column_index};
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

/// Leaves columns out. The metadata of the schema goes too: it often describes every column.
///
/// ```
/// use backmask::arrow::array::{RecordBatch, StringArray};
/// use backmask::{pipeline::Transform, transform::DropColumns};
/// use std::sync::Arc;
///
/// let batch = RecordBatch::try_from_iter([
///     ("artist_id", Arc::new(StringArray::from(vec!["a"])) as _),
///     ("ip_addr", Arc::new(StringArray::from(vec!["192.0.2.1"])) as _),
/// ])?;
/// assert!(DropColumns::new(["ip_addr"]).apply(&batch)?.column_by_name("ip_addr").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropColumns {
    columns: Vec<String>,
}

impl DropColumns {
    /// Leaves out the columns with these names. A name that a batch does not have is an error: a misspelt name must not keep a column in.
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect() }
    }

    fn kept(&self, input: &Schema) -> Result<Vec<usize>> {
        self.columns.iter().try_for_each(|name| column_index(input, name).map(drop))?;
        // By name, not by index: of two columns of one name both go.
        Ok((0..input.fields().len()).filter(|&index| !self.columns.contains(input.field(index).name())).collect())
    }
}

impl Transform for DropColumns {
    fn output_schema(&self, input: &Schema) -> Result<SchemaRef> {
        project_schema(input, &self.kept(input)?)
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        project(batch, &self.kept(batch.schema_ref())?)
    }
}

/// Keeps the named columns, in the order given, and leaves all others out, with the metadata of the schema.
///
/// ```
/// use backmask::arrow::array::{RecordBatch, StringArray};
/// use backmask::{pipeline::Transform, transform::KeepColumns};
/// use std::sync::Arc;
///
/// let batch = RecordBatch::try_from_iter([
///     ("artist_id", Arc::new(StringArray::from(vec!["a"])) as _),
///     ("ip_addr", Arc::new(StringArray::from(vec!["192.0.2.1"])) as _),
/// ])?;
/// assert_eq!(KeepColumns::new(["artist_id"]).apply(&batch)?.num_columns(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepColumns {
    columns: Vec<String>,
}

impl KeepColumns {
    /// Keeps the columns with these names.
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect() }
    }

    fn kept(&self, input: &Schema) -> Result<Vec<usize>> {
        self.columns.iter().map(|name| column_index(input, name)).collect()
    }
}

impl Transform for KeepColumns {
    fn output_schema(&self, input: &Schema) -> Result<SchemaRef> {
        project_schema(input, &self.kept(input)?)
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        project(batch, &self.kept(batch.schema_ref())?)
    }
}

fn project_schema(input: &Schema, kept: &[usize]) -> Result<SchemaRef> {
    let projected = input.project(kept).map_err(|e| Error::arrow("leaving columns out", &e))?;
    Ok(Arc::new(Schema::new(projected.fields)))
}

fn project(batch: &RecordBatch, kept: &[usize]) -> Result<RecordBatch> {
    let columns = kept.iter().map(|&index| Arc::clone(batch.column(index))).collect();
    assemble(project_schema(batch.schema_ref(), kept)?, columns, batch.num_rows())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};
    use arrow::datatypes::{DataType, Field};

    fn batch() -> RecordBatch {
        let field = |name: &str| Field::new(name, DataType::Int64, true);
        let schema =
            Schema::new(vec![field("a"), field("b"), field("c")]).with_metadata([("pandas".to_owned(), "names c".to_owned())].into());
        let column = |value| Arc::new(Int64Array::from(vec![value, value])) as ArrayRef;
        RecordBatch::try_new(Arc::new(schema), vec![column(1), column(2), column(3)]).unwrap()
    }

    #[test]
    fn columns_go_and_so_does_what_describes_them() {
        let dropped = DropColumns::new(["c", "a"]).apply(&batch()).unwrap();
        assert_eq!(dropped.schema(), DropColumns::new(["c", "a"]).output_schema(batch().schema_ref()).unwrap());
        assert_eq!(dropped.schema().fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), ["b"]);
        assert!(dropped.schema().metadata().is_empty());
        let kept = KeepColumns::new(["c", "a"]).apply(&batch()).unwrap();
        assert_eq!(kept.schema().fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), ["c", "a"]);
        assert!(kept.schema().metadata().is_empty());
    }

    #[test]
    fn rows_survive_the_loss_of_all_columns() {
        assert_eq!(DropColumns::new(["a", "b", "c"]).apply(&batch()).unwrap().num_rows(), 2);
        assert_eq!(KeepColumns::new([""; 0]).apply(&batch()).unwrap().num_rows(), 2);
    }

    #[test]
    fn a_misspelt_name_is_an_error() {
        assert!(DropColumns::new(["A"]).output_schema(batch().schema_ref()).unwrap_err().to_string().contains("column A"));
        assert!(KeepColumns::new(["d"]).apply(&batch()).is_err());
    }
}
