//! Writing the rows of a product of whole histories, in an order that says nothing.

use crate::error::{Error, Result};
use crate::io::{SinkFormat, SinkOptions, create_sink, write_all};
use crate::keys::Key;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use std::path::Path;
use std::sync::Arc;

/// Rows that are made at a time.
const BATCH: usize = 1 << 16;

/// Where a row comes from: a cohort or fragment, and the place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) group: u32,
    pub(super) place: u32,
}

/// All places of groups of these sizes, in a keyed random order.
pub(super) fn shuffled(sizes: impl Iterator<Item = usize>, key: &Key) -> Vec<Place> {
    let mut places: Vec<([u8; 16], Place)> = Vec::new();
    for (group, size) in (0_u32..).zip(sizes) {
        for place in (0_u32..).take(size) {
            let mut hash = [0; 16];
            let content = [group.to_le_bytes(), place.to_le_bytes()].concat();
            hash.copy_from_slice(&blake3::keyed_hash(key.expose(), &content).as_bytes()[..16]);
            places.push((hash, Place { group, place }));
        }
    }
    places.sort_unstable_by_key(|entry| entry.0);
    places.into_iter().map(|entry| entry.1).collect()
}

/// Random names of groups: 32 hexadecimal digits each. The key is that of one product, so no other product has them.
pub(super) fn group_ids(groups: usize, key: &Key) -> Vec<String> {
    (0..groups as u64).map(|group| blake3::keyed_hash(key.expose(), &group.to_le_bytes()).to_hex()[..32].to_owned()).collect()
}

/// Writes rows in the order of `places`; `columns` makes the arrays of some of them.
pub(super) fn write_rows(
    path: &Path,
    format: SinkFormat,
    threads: usize,
    fields: Vec<(String, DataType)>,
    places: &[Place],
    columns: impl Fn(&[Place]) -> Result<Vec<ArrayRef>> + Send + Sync,
) -> Result<()> {
    let fields: Vec<Field> = fields.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let options = SinkOptions { threads, ..SinkOptions::default() };
    let mut sink = create_sink(path, format, Arc::clone(&schema), &options)?;
    let batches = places
        .chunks(BATCH)
        .map(|places| RecordBatch::try_new(Arc::clone(&schema), columns(places)?).map_err(|e| Error::arrow("assembling rows", &e)));
    write_all(sink.as_mut(), batches, threads)?;
    sink.finish()?;
    Ok(())
}
