//! The population that the data was drawn from, for k-map and δ-presence.

use crate::error::{Error, Result};
use crate::io::ReadOptions;
use crate::io::table::{CodedTable, CodedTableBuilder};
use crate::policy::{Format, Input, Model, Policy, RecordsProduct};
use crate::release::budget::Budget;
use crate::release::pool::table_options;
use crate::release::records::Workshop;
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use std::path::PathBuf;

/// What is called with the codes of every column of a chunk.
type ChunkVisitor<'a> = &'a mut dyn FnMut(Vec<Vec<u32>>) -> Result<()>;

/// One row a person of the population, with the quasi-identifiers of the product.
#[derive(Debug)]
pub(in crate::release) struct Population {
    table: CodedTable,
}

/// The file of the population, if a model of the product needs one.
pub(in crate::release) fn population_file(product: &RecordsProduct) -> Option<&str> {
    product.models.iter().find_map(Model::population)
}

/// The population of the product as it is, if a model needs one.
pub(in crate::release) fn population_of(policy: &Policy, product: &RecordsProduct) -> Result<Option<Vec<RecordBatch>>> {
    let Some(file) = population_file(product) else { return Ok(None) };
    let sources = crate::listening::open(&[PathBuf::from(file)], product.source, &input(policy))?;
    crate::io::read(&sources, &ReadOptions { threads: 1, ..ReadOptions::default() })?.collect::<Result<Vec<_>>>().map(Some)
}

impl Population {
    /// Reads the population of the product, if a model needs one. The file is read as the input is, and has its columns.
    pub(super) fn read(workshop: &Workshop<'_>, quasi_identifiers: &[&str]) -> Result<Option<Self>> {
        let Some(file) = population_file(workshop.product) else { return Ok(None) };
        let sources = crate::listening::open(&[PathBuf::from(file)], workshop.product.source, &input(workshop.policy))?;
        let schema = sources.first().map(|source| source.schema());
        if let Some(missing) = quasi_identifiers.iter().find(|name| schema.as_ref().is_none_or(|schema| schema.index_of(name).is_err())) {
            return Err(Error::column(
                *missing,
                "is a quasi-identifier that the file of the population does not have",
                "add the column to the population, or leave it out of the product",
            ));
        }
        let options = ReadOptions {
            columns: Some(quasi_identifiers.iter().map(|&name| name.to_owned()).collect()),
            threads: workshop.threads,
            dictionaries: true,
            ..ReadOptions::default()
        };
        let stream = crate::io::read(&sources, &options)?;
        let options = table_options(Budget::new(workshop.memory).table(), workshop.threads, workshop.folder);
        let mut builder = CodedTableBuilder::new(&stream.schema(), quasi_identifiers, options)?;
        for batch in stream {
            builder.push(&batch?)?;
        }
        Ok(Some(Self { table: builder.finish()? }))
    }

    /// Distinct values of a column, in the type of the input.
    pub(super) fn values(&self, name: &str, data_type: &DataType) -> Result<ArrayRef> {
        let values = self.table.values(self.table.column(name)?)?;
        if values.data_type() == data_type {
            return Ok(values);
        }
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(&values, data_type, &strict).map_err(|_| {
            Error::column(
                name,
                format!("is {} in the population and {data_type} in the input", values.data_type()),
                "write it alike in both files",
            )
        })
    }

    /// Whether somebody of the population has no value in a column.
    pub(super) fn has_missing(&self, name: &str) -> Result<bool> {
        self.table.has_missing(self.table.column(name)?)
    }

    /// Calls `visit` with the codes of the columns of every chunk.
    pub(super) fn visit(&self, names: &[&str], visit: ChunkVisitor<'_>) -> Result<()> {
        let columns = names.iter().map(|name| self.table.column(name)).collect::<Result<Vec<_>>>()?;
        for chunk in 0..self.table.chunks() {
            let mut codes = vec![Vec::new(); columns.len()];
            for (codes, &column) in codes.iter_mut().zip(&columns) {
                self.table.codes(chunk, column, codes)?;
            }
            visit(codes)?;
        }
        Ok(())
    }
}

/// How the population is read: as the input, except that an export of a listening service has no population of its own form.
fn input(policy: &Policy) -> Input {
    let declared = policy.input.clone().unwrap_or_default();
    let plain = declared.format.is_none_or(|format| matches!(format, Format::Csv | Format::Parquet | Format::Ipc | Format::Json));
    // The file says its format itself: a population may be Parquet where the input is text.
    if plain { Input { format: None, ..declared } } else { Input::default() }
}
