//! The classes that a product shows, counted while it is written.

use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use hashbrown::HashMap;
use serde_json::{Value, json};
use std::sync::Arc;

/// Labels of a class, by the names of the quasi-identifiers; a missing value is `None`.
pub(super) type Labels = Vec<Option<String>>;

/// Rows of every class, by what is written of the quasi-identifiers.
#[derive(Debug)]
pub(in crate::release) struct ClassesWritten {
    /// Names of the quasi-identifiers, sorted, and the places of their arrays.
    columns: Vec<(String, usize)>,
    converter: Option<RowConverter>,
    rows: HashMap<Vec<u8>, u64>,
}

impl ClassesWritten {
    /// For the quasi-identifiers among the columns of the file.
    pub(in crate::release) fn new<'a>(
        names: impl Iterator<Item = (&'a str, DataType)>,
        is_quasi_identifier: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let mut columns: Vec<_> = names
            .enumerate()
            .filter(|(_, (name, _))| is_quasi_identifier(name))
            .map(|(place, (name, kind))| (name.to_owned(), place, kind))
            .collect();
        columns.sort();
        let fields: Vec<SortField> = columns.iter().map(|(_, _, kind)| SortField::new(kind.clone())).collect();
        let converter = if fields.is_empty() { None } else { Some(RowConverter::new(fields).map_err(|e| failed(&e))?) };
        Ok(Self { columns: columns.into_iter().map(|(name, place, _)| (name, place)).collect(), converter, rows: HashMap::new() })
    }

    /// Counts the rows of a batch of the file.
    pub(in crate::release) fn observe(&mut self, arrays: &[ArrayRef]) -> Result<()> {
        let Some(converter) = &self.converter else { return Ok(()) };
        let columns: Vec<ArrayRef> = self.columns.iter().map(|&(_, place)| Arc::clone(&arrays[place])).collect();
        for row in &converter.convert_columns(&columns).map_err(|e| failed(&e))? {
            *self.rows.entry_ref(row.as_ref()).or_insert(0) += 1;
        }
        Ok(())
    }

    /// For `transformation.json`.
    pub(in crate::release) fn finish(self) -> Result<Value> {
        let columns: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        let Some(converter) = &self.converter else { return Ok(json!({ "columns": columns, "labels": [], "rows": [] })) };
        // In the order of the labels, whatever the order of the rows: the same run writes the same file.
        let mut classes: Vec<(Vec<u8>, u64)> = self.rows.into_iter().collect();
        classes.sort_unstable();
        let parser = converter.parser();
        let arrays = converter.convert_rows(classes.iter().map(|(row, _)| parser.parse(row))).map_err(|e| failed(&e))?;
        let labels = labels(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>(), classes.len())?;
        let rows: Vec<u64> = classes.iter().map(|&(_, rows)| rows).collect();
        Ok(json!({ "columns": columns, "labels": labels, "rows": rows }))
    }
}

/// The labels of every row of some columns.
pub(super) fn labels(columns: &[&dyn Array], rows: usize) -> Result<Vec<Labels>> {
    let texts = columns.iter().map(|column| texts(*column)).collect::<Result<Vec<_>>>()?;
    Ok((0..rows).map(|row| texts.iter().map(|texts| texts[row].clone()).collect()).collect())
}

/// Values as text; bytes in hexadecimal digits.
fn texts(array: &dyn Array) -> Result<Vec<Option<String>>> {
    let kind = crate::pipeline::value_type(array.data_type()).clone();
    if matches!(kind, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)) {
        let bytes = cast(array, &DataType::LargeBinary).map_err(|e| failed(&e))?;
        let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        return Ok(bytes.as_binary::<i64>().iter().map(|bytes| bytes.map(hex)).collect());
    }
    let texts = cast(array, &DataType::LargeUtf8).map_err(|e| failed(&e))?;
    Ok(texts.as_string::<i64>().iter().map(|text| text.map(str::to_owned)).collect())
}

fn failed(error: &arrow::error::ArrowError) -> Error {
    Error::arrow("counting classes", error)
}
