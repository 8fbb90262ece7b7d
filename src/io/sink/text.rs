//! Values as text, for CSV and JSON.

use crate::error::{Error, Result};
use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::fmt::Write as _;

/// A column whose values are wanted as text. Times are RFC 3339, dates `YYYY-MM-DD`, binary lower-case hexadecimal.
pub(super) struct Texts<'a> {
    array: &'a dyn Array,
    field: &'a Field,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Text(&'a StringArray),
    Formatted(ArrayFormatter<'a>),
}

impl<'a> Texts<'a> {
    /// The columns of a batch.
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Vec<Self>> {
        batch.columns().iter().zip(batch.schema_ref().fields()).map(|(array, field)| Self::new(array.as_ref(), field)).collect()
    }

    fn new(array: &'a dyn Array, field: &'a Field) -> Result<Self> {
        const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_display_error(false);
        let kind = match array.as_string_opt::<i32>() {
            Some(texts) => Kind::Text(texts),
            None => Kind::Formatted(ArrayFormatter::try_new(array, &OPTIONS).map_err(|e| Error::arrow("writing text", &e))?),
        };
        Ok(Self { array, field, kind })
    }

    pub(super) fn name(&self) -> &str {
        self.field.name()
    }

    /// Whether JSON has a type of its own for the values.
    pub(super) fn is_bare(&self) -> bool {
        let data_type = self.array.data_type();
        data_type.is_numeric() || matches!(data_type, DataType::Boolean)
    }

    pub(super) fn is_float(&self) -> bool {
        self.array.data_type().is_floating()
    }

    /// The text of a value, made in `buffer` where it must be made; `None` for a null.
    pub(super) fn get<'b>(&'b self, row: usize, buffer: &'b mut String) -> Result<Option<&'b str>> {
        if self.array.is_null(row) || matches!(self.array.data_type(), DataType::Null) {
            return Ok(None);
        }
        match &self.kind {
            Kind::Text(texts) => Ok(Some(texts.value(row))),
            Kind::Formatted(formatter) => {
                buffer.clear();
                write!(buffer, "{}", formatter.value(row)).map_err(|_| {
                    Error::column(
                        self.field.name(),
                        "a value has no text form, such as a date outside the calendar",
                        "mend or drop the column",
                    )
                })?;
                Ok(Some(buffer))
            }
        }
    }
}
