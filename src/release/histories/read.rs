//! Reading a written product of whole histories back.

use crate::error::{Error, Result};
use crate::io::table::ColumnInterner;
use crate::io::{CsvOptions, CsvSource, PlainFile, ReadOptions, Source, open_table, read};
use crate::pipeline::column_index;
use arrow::array::{Array, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt64Type};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Columns of a written product. Values are read as text, so that all formats give the same.
#[derive(Debug, Default)]
pub(in crate::release) struct ReleasedColumns {
    /// Names of the columns in the file, in its order.
    pub(in crate::release) names: Vec<String>,
    /// Rows.
    pub(in crate::release) rows: usize,
    texts: BTreeMap<String, Texts>,
    numbers: BTreeMap<String, Vec<u64>>,
    /// Fields without a value, or with one that is no count, by column.
    pub(in crate::release) missing: BTreeMap<String, u64>,
}

/// A column of texts: a code for every row, and the text of every code.
#[derive(Debug)]
pub(in crate::release) struct Texts {
    pub(in crate::release) codes: Vec<u32>,
    pub(in crate::release) values: StringArray,
}

/// Opens a product; in separated text only the columns of `numbers` are numbers.
fn open(path: &Path, numbers: &[&str]) -> Result<Arc<dyn Source>> {
    let content = Arc::new(PlainFile::new(path));
    if path.extension().is_some_and(|extension| extension == "csv") {
        let typed = Some(numbers.iter().map(|&name| name.to_owned()).collect());
        return Ok(Arc::new(CsvSource::open(content, &CsvOptions { header: Some(true), typed, ..CsvOptions::default() })?));
    }
    open_table(content, None, None, Some(true))
}

impl ReleasedColumns {
    /// Reads columns of texts and columns of counts. A column that the file does not have has all of its fields missing; a file without rows may not even name its columns.
    pub(in crate::release) fn read(path: &Path, texts: &[&str], numbers: &[&str], threads: usize) -> Result<Self> {
        let source = open(path, numbers)?;
        let names: Vec<String> = source.schema().fields().iter().map(|field| field.name().clone()).collect();
        let mut found = Self { names, ..Self::default() };
        let there = |name: &&&str| found.names.iter().any(|column| column == **name);
        let wanted: Vec<String> = texts.iter().chain(numbers).filter(there).map(|&name| name.to_owned()).collect();
        let mut interners: Vec<(&str, ColumnInterner, Vec<u32>)> =
            texts.iter().map(|&name| Ok((name, ColumnInterner::new(name, &DataType::Utf8)?, Vec::new()))).collect::<Result<_>>()?;
        let mut counts: Vec<(&str, Vec<u64>)> = numbers.iter().map(|&name| (name, Vec::new())).collect();
        if !wanted.is_empty() {
            let options = ReadOptions { columns: Some(wanted), threads, ..ReadOptions::default() };
            for batch in read(&[source], &options)? {
                let batch = batch?;
                let rows = batch.num_rows();
                for (name, interner, codes) in &mut interners {
                    let Ok(index) = column_index(batch.schema_ref(), name) else {
                        codes.resize(codes.len() + rows, crate::io::table::NULL_CODE);
                        continue;
                    };
                    let text = cast(batch.column(index), &DataType::Utf8).map_err(|e| Error::arrow("reading a product", &e))?;
                    interner.extend(text.as_ref(), codes)?;
                }
                for (name, counts) in &mut counts {
                    let Ok(index) = column_index(batch.schema_ref(), name) else {
                        counts.resize(counts.len() + rows, u64::MAX);
                        continue;
                    };
                    // What is no count becomes missing, and is counted as that.
                    let numbers = cast(batch.column(index), &DataType::UInt64).map_err(|e| Error::arrow("reading a product", &e))?;
                    counts.extend(numbers.as_primitive::<UInt64Type>().iter().map(|number| number.unwrap_or(u64::MAX)));
                }
                found.rows += rows;
            }
        }
        for (name, interner, codes) in interners {
            let missing = codes.iter().filter(|&&code| code == crate::io::table::NULL_CODE).count() as u64;
            found.missing.insert(name.to_owned(), missing);
            let values = interner.values()?;
            found.texts.insert(name.to_owned(), Texts { codes, values: values.as_string::<i32>().clone() });
        }
        for (name, counts) in counts {
            found.missing.insert(name.to_owned(), counts.iter().filter(|&&count| count == u64::MAX).count() as u64);
            found.numbers.insert(name.to_owned(), counts);
        }
        Ok(found)
    }

    /// A column of texts that was asked for.
    pub(in crate::release) fn texts(&self, name: &str) -> Result<&Texts> {
        self.texts.get(name).ok_or_else(|| missing(name))
    }

    /// A column of counts that was asked for.
    pub(in crate::release) fn numbers(&self, name: &str) -> Result<&[u64]> {
        self.numbers.get(name).map(Vec::as_slice).ok_or_else(|| missing(name))
    }

    /// Whether every field that should hold something does.
    pub(in crate::release) fn is_complete(&self, columns: &[&str]) -> bool {
        columns.iter().all(|name| self.missing.get(*name) == Some(&0))
    }
}

impl Texts {
    /// The text of every row.
    pub(in crate::release) fn of_rows(&self) -> impl Iterator<Item = Option<&str>> {
        self.codes.iter().map(|&code| ((code as usize) < self.values.len()).then(|| self.values.value(code as usize)))
    }
}

fn missing(name: &str) -> Error {
    Error::column(name, "was not read", "read the column before it is counted")
}
