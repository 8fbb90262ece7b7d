//! What every sink does with a batch first: check it, rebuild it, replace dictionaries by their values.

use super::SinkFormat;
use crate::error::{Error, Result};
use crate::io::rebuild::{rebuild, rebuilt_schema};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::collections::HashSet;
use std::sync::Arc;

/// From the batches that come to the batches that are written.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    input: SchemaRef,
    output: SchemaRef,
}

impl Plain {
    pub(super) fn new(schema: &SchemaRef, format: SinkFormat) -> Result<Self> {
        let input = rebuilt_schema(schema);
        let mut names = HashSet::new();
        let mut fields = Vec::with_capacity(input.fields().len());
        for field in input.fields() {
            if !names.insert(field.name()) {
                return Err(Error::column(field.name(), "two columns have this name", "rename one of them"));
            }
            let data_type = written_type(field.data_type(), format).ok_or_else(|| {
                Error::column(
                    field.name(),
                    format!("its type {} cannot be written in this format", field.data_type()),
                    "flatten or cast the column first, or leave it out",
                )
            })?;
            fields.push(Field::new(field.name(), data_type, field.is_nullable()).with_metadata(field.metadata().clone()));
        }
        let output = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
        Ok(Self { input, output })
    }

    /// Schema of what is written.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.output)
    }

    /// The batch as it is to be written.
    pub(super) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.check(batch)?;
        // Gathering the values of a dictionary copies the used ones only; rebuilding then clears what is under nulls.
        let unpacked: Vec<ArrayRef> = batch.columns().iter().map(unpack).collect::<Result<_>>()?;
        let fields: Vec<Field> = self
            .input
            .fields()
            .iter()
            .zip(&unpacked)
            .map(|(field, array)| Field::new(field.name(), array.data_type().clone(), field.is_nullable() || array.null_count() > 0))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let made = |schema, columns| {
            RecordBatch::try_new_with_options(schema, columns, &options).map_err(|e| Error::arrow("preparing a batch for writing", &e))
        };
        let rebuilt = rebuild(&made(Arc::new(Schema::new(fields)), unpacked)?)?;
        let columns: Vec<ArrayRef> = rebuilt
            .columns()
            .iter()
            .zip(self.output.fields())
            .map(|(array, field)| {
                if array.data_type() == field.data_type() {
                    return Ok(Arc::clone(array));
                }
                let options = CastOptions { safe: false, ..CastOptions::default() };
                cast_with_options(array, field.data_type(), &options).map_err(|_| {
                    Error::column(field.name(), "a time lies outside what the format can hold", "cast the column to another unit first")
                })
            })
            .collect::<Result<_>>()?;
        made(Arc::clone(&self.output), columns)
    }

    fn check(&self, batch: &RecordBatch) -> Result<()> {
        let theirs = batch.schema_ref().fields();
        let same = theirs.len() == self.input.fields().len()
            && theirs.iter().zip(self.input.fields()).all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type());
        if same {
            return Ok(());
        }
        let column = self
            .input
            .fields()
            .iter()
            .enumerate()
            .find(|(index, field)| theirs.get(*index).is_none_or(|a| a.name() != field.name() || a.data_type() != field.data_type()))
            .map_or_else(|| theirs.last().map_or("", |field| field.name()), |(_, field)| field.name());
        Err(Error::column(column, "the batch to be written has another schema than the file", "cast the batch first"))
    }
}

fn unpack(array: &ArrayRef) -> Result<ArrayRef> {
    match array.as_any_dictionary_opt() {
        Some(dictionary) => take(dictionary.values(), dictionary.keys(), None).map_err(|e| Error::arrow("gathering dictionary values", &e)),
        None => Ok(Arc::clone(array)),
    }
}

/// The type that is written for a column; `None` where the format has no place for it.
fn written_type(data_type: &DataType, format: SinkFormat) -> Option<DataType> {
    use DataType as T;
    let parquet = format == SinkFormat::Parquet;
    let text = matches!(format, SinkFormat::Csv | SinkFormat::JsonLines | SinkFormat::JsonArray);
    Some(match data_type {
        T::Dictionary(_, values) => match values.as_ref() {
            T::Dictionary(_, _) => return None,
            values => return written_type(values, format),
        },
        T::Timestamp(TimeUnit::Second, zone) if parquet => T::Timestamp(TimeUnit::Millisecond, zone.clone()),
        T::Time32(TimeUnit::Second) if parquet => T::Time32(TimeUnit::Millisecond),
        T::Date64 if parquet => T::Date32,
        // Parquet has no name for them, so they would come back as plain integers; as text they have no agreed form.
        T::Duration(_) | T::Interval(_) if parquet || text => return None,
        other if other.is_nested() => return None,
        other => other.clone(),
    })
}
