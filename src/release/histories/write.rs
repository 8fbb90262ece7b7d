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

/// The key by which groups are named and rows are shuffled: it depends on all that the groups hold, each of them told by the stable ids of its people and items and by what is shown of them, in any order.
///
/// The number of a group says something where two releases of nearly the same pool are made with one key. Ids that followed from numbers alone would be the same in both, and join them.
pub(super) fn naming_key(key: &Key, groups: impl Iterator<Item = Vec<u64>>) -> Key {
    let digest = |content: &[u8]| *blake3::keyed_hash(key.expose(), content).as_bytes();
    let mut contents: Vec<[u8; 32]> =
        groups.map(|words| digest(&words.into_iter().flat_map(u64::to_le_bytes).collect::<Vec<u8>>())).collect();
    contents.sort_unstable();
    Key::from_bytes(digest(&contents.concat()))
}

/// Random names of groups: 32 hexadecimal digits each. The key is that of one product and of what it holds, so no other product has them.
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
