//! The canonical schemas of events and profiles, and a builder of their rows.

use crate::error::{Error, Result};
use crate::policy::Table;
use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Int32Builder, Int64Builder, RecordBatch, RecordBatchOptions, StringBuilder,
    TimestampMillisecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// Type of `started_at`: milliseconds since 1970, UTC.
#[must_use]
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// The canonical schema of events: one row for one play, or for `plays` plays of an aggregated source.
///
/// ```
/// let schema = backmask::listening::event_schema();
/// assert_eq!(schema.field(0).name(), "subject_id");
/// assert_eq!(schema.field(1).data_type(), &backmask::listening::time_type());
/// ```
#[must_use]
pub fn event_schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        text("subject_id"),
        Field::new("started_at", time_type(), true),
        text("track_id"),
        text("track_name"),
        text("artist_id"),
        text("artist_name"),
        text("album_name"),
        Field::new("ms_played", DataType::Int64, true),
        Field::new("plays", DataType::Int64, true),
        text("country"),
        text("platform"),
        text("reason_start"),
        text("reason_end"),
        Field::new("shuffle", DataType::Boolean, true),
        Field::new("skipped", DataType::Boolean, true),
    ]))
}

/// The canonical schema of profiles: one row for one subject.
#[must_use]
pub fn profile_schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        text("subject_id"),
        Field::new("birth_year", DataType::Int32, true),
        Field::new("age", DataType::Int32, true),
        text("gender"),
        text("country"),
        text("postal_code"),
        Field::new("registered_at", DataType::Date32, true),
    ]))
}

/// The canonical schema of a table.
#[must_use]
pub fn canonical_schema(table: Table) -> SchemaRef {
    match table {
        Table::Events => event_schema(),
        Table::Profiles => profile_schema(),
    }
}

/// Fields of a format: canonical columns by name, and others that pass through.
pub(super) fn fields(table: Table, canonical: &[&str], others: &[(&str, DataType)]) -> SchemaRef {
    let schema = canonical_schema(table);
    let known = canonical.iter().filter_map(|name| schema.field_with_name(name).ok().cloned());
    let others = others.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    Arc::new(Schema::new(known.chain(others).collect::<Vec<_>>()))
}

/// Builds record batches row by row.
///
/// Columns are addressed by their index in the schema given to [`RowBuilder::new`]. A row is complete when every column got one value and
/// [`RowBuilder::end_row`] was called. Values for columns outside the projection are accepted and dropped.
#[derive(Debug)]
pub struct RowBuilder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    rows: usize,
    bytes: usize,
}

#[derive(Debug)]
enum ColumnBuilder {
    Left,
    Text(StringBuilder),
    Int64(Int64Builder),
    Int32(Int32Builder),
    Flag(BooleanBuilder),
    Time(TimestampMillisecondBuilder),
    Date(Date32Builder),
}

/// Text in one batch at most, in bytes: far below what 32-bit offsets can address.
const MAX_TEXT: usize = 256 << 20;

impl RowBuilder {
    /// A builder for `schema`, of which only the columns `wanted` (indices in ascending order) are built.
    ///
    /// # Errors
    /// A column has a type that no canonical column has.
    pub fn new(schema: &Schema, wanted: &[usize]) -> Result<Self> {
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (index, field) in schema.fields().iter().enumerate() {
            columns.push(if wanted.contains(&index) { ColumnBuilder::new(field)? } else { ColumnBuilder::Left });
        }
        let schema = schema.project(wanted).map_err(|e| Error::arrow("projecting", &e))?;
        Ok(Self { schema: Arc::new(schema), columns, rows: 0, bytes: 0 })
    }

    /// Schema of the batches.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Complete rows since the last batch.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether no more text should be added before [`RowBuilder::finish`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes >= MAX_TEXT
    }

    /// Appends a text.
    pub fn text(&mut self, column: usize, value: Option<&str>) {
        if let Some(ColumnBuilder::Text(builder)) = self.columns.get_mut(column) {
            self.bytes += value.map_or(0, str::len);
            builder.append_option(value);
        }
    }

    /// Appends a number to a 64-bit or 32-bit column. What does not fit 32 bits becomes missing.
    pub fn number(&mut self, column: usize, value: Option<i64>) {
        match self.columns.get_mut(column) {
            Some(ColumnBuilder::Int64(builder)) => builder.append_option(value),
            Some(ColumnBuilder::Int32(builder)) => builder.append_option(value.and_then(|value| i32::try_from(value).ok())),
            _ => {}
        }
    }

    /// Appends a truth value.
    pub fn flag(&mut self, column: usize, value: Option<bool>) {
        if let Some(ColumnBuilder::Flag(builder)) = self.columns.get_mut(column) {
            builder.append_option(value);
        }
    }

    /// Appends a time, in milliseconds since 1970, UTC.
    pub fn time(&mut self, column: usize, value: Option<i64>) {
        if let Some(ColumnBuilder::Time(builder)) = self.columns.get_mut(column) {
            builder.append_option(value);
        }
    }

    /// Appends a date, in days since 1970.
    pub fn date(&mut self, column: usize, value: Option<i32>) {
        if let Some(ColumnBuilder::Date(builder)) = self.columns.get_mut(column) {
            builder.append_option(value);
        }
    }

    /// Ends a row.
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// The rows so far as a batch; the builder is empty afterwards.
    ///
    /// # Errors
    /// A row was ended before every column got a value of its type.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().filter_map(ColumnBuilder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        self.bytes = 0;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options).map_err(|e| Error::arrow("assembling a batch", &e))
    }
}

impl ColumnBuilder {
    fn new(field: &Field) -> Result<Self> {
        Ok(match field.data_type() {
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::Int64 => Self::Int64(Int64Builder::new()),
            DataType::Int32 => Self::Int32(Int32Builder::new()),
            DataType::Boolean => Self::Flag(BooleanBuilder::new()),
            DataType::Date32 => Self::Date(Date32Builder::new()),
            found if found == &time_type() => Self::Time(TimestampMillisecondBuilder::new().with_timezone("UTC")),
            other => {
                return Err(Error::column(field.name(), format!("has the type {other}, which rows cannot be built of"), "cast it first"));
            }
        })
    }

    fn finish(&mut self) -> Option<ArrayRef> {
        Some(match self {
            Self::Left => return None,
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Int64(builder) => Arc::new(builder.finish()),
            Self::Int32(builder) => Arc::new(builder.finish()),
            Self::Flag(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_outside_the_projection_are_dropped() {
        let schema = profile_schema();
        let mut builder = RowBuilder::new(&schema, &[0, 2]).unwrap();
        builder.text(0, Some("a"));
        builder.number(1, Some(1990));
        builder.number(2, Some(i64::MAX));
        builder.end_row();
        let batch = builder.finish().unwrap();
        assert_eq!((batch.num_rows(), batch.num_columns(), batch.column(1).null_count()), (1, 2, 1));
        let mut nothing = RowBuilder::new(&schema, &[]).unwrap();
        nothing.text(0, Some("a"));
        nothing.end_row();
        assert_eq!(nothing.finish().unwrap().num_rows(), 1);
    }

    #[test]
    fn an_incomplete_row_is_an_error_and_not_a_shifted_column() {
        let mut builder = RowBuilder::new(&profile_schema(), &[0, 3]).unwrap();
        builder.text(0, Some("a"));
        builder.end_row();
        assert!(builder.finish().is_err());
    }
}
