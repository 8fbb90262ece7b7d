//! How each column of a product is made from the pool.

use crate::error::{Error, Result};
use crate::io::table::{Bin, CodedTable, NULL_CODE, gather_values};
use crate::pipeline::{Kernel, apply_once};
use crate::transform::{self, add_days, since_first};
use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, StringArray};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

/// Mark of a row that is released with all of its items. Higher marks below [`NOT_RELEASED`] are the level to which its items were generalized.
pub(super) const RELEASED: u8 = 0;
/// Marks from here on are rows that are not released.
pub(super) const NOT_RELEASED: u8 = 200;
/// The row names no person.
pub(super) const NOBODY: u8 = 251;
/// The row's item has too few people at every level.
pub(super) const UNSUPPORTED: u8 = 252;
/// The row's class is too small.
pub(super) const OUTLIER: u8 = 253;
/// The person has more events than count.
pub(super) const CAPPED: u8 = 254;
/// The person was set aside as a control.
pub(super) const HELD_OUT: u8 = 255;

/// Whether a row with this mark is released.
pub(super) fn is_released(mark: u8) -> bool {
    mark < NOT_RELEASED
}

/// One column of a product.
#[derive(Debug)]
pub(super) struct OutputColumn {
    pub(super) name: String,
    pub(super) data_type: DataType,
    pub(super) maker: Maker,
    /// Level of an item column: rows generalized beyond it show nothing here.
    pub(super) item_level: Option<u8>,
}

/// Where the values of a column come from.
#[derive(Debug)]
pub(super) enum Maker {
    /// A coded column, with its values already replaced.
    Values { column: usize, values: ArrayRef },
    /// A column of the table, with a function applied to each value.
    Mapped { column: usize, kernel: Option<Arc<dyn Kernel>> },
    /// A value for every class of a local recoding.
    Classes { values: ArrayRef },
    /// The same text in every row.
    Constant(&'static str),
    /// Times moved by a number of days for each person.
    Shifted { time: usize, subject: usize, days: Int64Array },
    /// Times since the first released event of each person, in milliseconds.
    Relative { time: usize, subject: usize, first: Vec<Option<i64>> },
}

impl OutputColumn {
    /// Columns of the table that the maker reads.
    pub(super) fn sources(&self) -> Vec<usize> {
        match &self.maker {
            Maker::Constant(_) | Maker::Classes { .. } => Vec::new(),
            Maker::Values { column, .. } | Maker::Mapped { column, .. } => vec![*column],
            Maker::Shifted { time, subject, .. } | Maker::Relative { time, subject, .. } => vec![*time, *subject],
        }
    }

    /// The column for the rows of a bin.
    pub(super) fn make(&self, bin: &Bin<'_>, marks: &[u8]) -> Result<ArrayRef> {
        let array = match &self.maker {
            Maker::Values { column, values } => gather_values(values, &bin.codes(*column)?)?,
            Maker::Classes { values } => gather_values(values, &bin.numbers_of_rows()?)?,
            Maker::Constant(text) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, bin.rows()))),
            Maker::Mapped { column, kernel: None } => bin.array(*column)?,
            Maker::Mapped { column, kernel: Some(kernel) } => apply_once(kernel.as_ref(), bin.array(*column)?.as_ref())?,
            Maker::Shifted { time, subject, days } => {
                let days: Int64Array = bin
                    .codes(*subject)?
                    .into_iter()
                    .map(|code| ((code as usize) < days.len() && days.is_valid(code as usize)).then(|| days.value(code as usize)))
                    .collect();
                add_days(bin.array(*time)?.as_ref(), &days)?
            }
            Maker::Relative { time, subject, first } => Arc::new(since_first(bin.array(*time)?.as_ref(), &bin.codes(*subject)?, first)?),
        };
        match self.item_level {
            Some(level) if marks.iter().any(|&mark| mark > level) => {
                let hidden: BooleanArray = marks.iter().map(|&mark| Some(mark > level)).collect();
                nullif(&array, &hidden).map_err(|e| Error::arrow("hiding items", &e))
            }
            _ => Ok(array),
        }
    }
}

/// Schema of a file with these columns.
pub(super) fn schema(columns: &[OutputColumn]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|column| Field::new(&column.name, column.data_type.clone(), true)).collect::<Vec<_>>()))
}

/// Smallest released time of every person, in the unit of the column.
pub(super) fn first_times(table: &CodedTable, marks: &[Vec<u8>], subject: usize, time: usize) -> Result<Vec<Option<i64>>> {
    let people = table.distinct(subject)?;
    let mut first: Vec<Option<i64>> = vec![None; people];
    let mut codes = Vec::new();
    for (chunk, marks) in marks.iter().enumerate() {
        codes.clear();
        table.codes(chunk, subject, &mut codes)?;
        for (code, &mark) in codes.iter_mut().zip(marks) {
            if !is_released(mark) {
                *code = NULL_CODE;
            }
        }
        let of_chunk = transform::first_times(table.array(chunk, time)?.as_ref(), &codes, people)?;
        for (first, own) in first.iter_mut().zip(of_chunk) {
            *first = match (*first, own) {
                (Some(known), Some(own)) => Some(known.min(own)),
                (known, own) => known.or(own),
            };
        }
    }
    Ok(first)
}
