//! Columns of a file: texts as codes, numbers as numbers.

use crate::error::{Error, Result};
use crate::io::table::{ColumnInterner, NULL_CODE};
use crate::io::{ReadOptions, Source, read};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use std::sync::Arc;

/// A column of texts: for each row the code of its text, [`NULL_CODE`] where there is none. Codes ascend with the texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    pub(super) codes: Vec<u32>,
    pub(super) values: Vec<String>,
}

/// Columns that were read.
#[derive(Debug, Default)]
pub(super) struct TextTable {
    pub(super) texts: Vec<Texts>,
    /// NaN where there is no number.
    pub(super) numbers: Vec<Vec<f64>>,
    /// Milliseconds; `None` where there is no time.
    pub(super) times: Vec<Vec<Option<i64>>>,
}

/// Reads columns by name.
pub(super) fn read_columns(sources: &[Arc<dyn Source>], texts: &[&str], numbers: &[&str], times: &[&str]) -> Result<TextTable> {
    for source in sources {
        let schema = source.schema();
        if let Some(missing) = texts.iter().chain(numbers).chain(times).find(|name| schema.column_with_name(name).is_none()) {
            let has: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            return Err(Error::column(
                *missing,
                format!("is not in {}, whose columns are {}", source.name(), has.join(", ")),
                "name the column that is meant, or rename it with input.columns of the policy",
            ));
        }
    }
    let wanted = texts.iter().chain(numbers).chain(times).map(|&name| name.to_owned()).collect();
    let mut stream = read(sources, &ReadOptions { columns: Some(wanted), dictionaries: true, ..ReadOptions::default() })?;
    let schema = stream.schema();
    let type_of = |name: &str| schema.field_with_name(name).map_or(DataType::Utf8, |field| field.data_type().clone());
    let mut interners = texts.iter().map(|name| ColumnInterner::new(name, &type_of(name))).collect::<Result<Vec<_>>>()?;
    let mut table = TextTable {
        texts: vec![Texts::default(); texts.len()],
        numbers: vec![Vec::new(); numbers.len()],
        times: vec![Vec::new(); times.len()],
    };
    for batch in &mut stream {
        let batch = batch?;
        for ((name, interner), column) in texts.iter().zip(&mut interners).zip(&mut table.texts) {
            interner.extend(column_of(&batch, name)?.as_ref(), &mut column.codes)?;
        }
        for (name, column) in numbers.iter().zip(&mut table.numbers) {
            let values = converted(&batch, name, &DataType::Float64)?;
            column.extend(values.as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN)));
        }
        for (name, column) in times.iter().zip(&mut table.times) {
            let values = converted(&batch, name, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
            let values = cast(&values, &DataType::Int64).map_err(|e| Error::arrow("reading times", &e))?;
            column.extend(values.as_primitive::<Int64Type>().iter());
        }
    }
    for (interner, column) in interners.iter().zip(&mut table.texts) {
        let values = cast(&interner.values()?, &DataType::Utf8).map_err(|e| Error::arrow("reading texts", &e))?;
        sort(column, values.as_string::<i32>().iter().map(|value| value.unwrap_or_default().to_owned()).collect());
    }
    Ok(table)
}

/// Gives the values codes in their order, so that nothing depends on the order of the rows.
fn sort(column: &mut Texts, values: Vec<String>) {
    let mut order: Vec<(String, usize)> = values.into_iter().zip(0..).collect();
    order.sort_unstable();
    let mut renumbered = vec![NULL_CODE; order.len()];
    for (code, (_, old)) in (0_u32..).zip(&order) {
        renumbered[*old] = code;
    }
    for code in &mut column.codes {
        *code = renumbered.get(*code as usize).copied().unwrap_or(NULL_CODE);
    }
    column.values = order.into_iter().map(|(value, _)| value).collect();
}

fn column_of<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Arc<dyn Array>> {
    batch.column_by_name(name).ok_or_else(|| Error::column(name, "is missing from a batch", "check the column names of the files"))
}

fn converted(batch: &RecordBatch, name: &str, to: &DataType) -> Result<Arc<dyn Array>> {
    cast(column_of(batch, name)?, to)
        .map_err(|_| Error::column(name, "holds something else than its use needs", "give a column of numbers or of times"))
}
