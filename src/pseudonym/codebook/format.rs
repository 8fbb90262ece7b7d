//! What stands in front of the values.
//!
//! A codebook is a title line; a header of JSON; an authentication tag of title and header; and chunks. Header and chunks follow their lengths (4 bytes, little-endian). A chunk is the sealed form of
//! up to 4,096 canonical encodings in the order of their numbers, each after its length (4 bytes, little-endian); its associated data are title, header, its number (8 bytes, little-endian) and whether
//! it is the last.

use crate::error::{Error, Result};
use crate::keys::{Key, KeyOrigin};
use arrow::datatypes::DataType;
use rand::{TryRng, rngs::SysRng};
use serde::{Deserialize, Serialize};

pub(super) const TITLE: &[u8] = b"backmask codebook, version 1\n";

/// More bytes are no header, whatever their length says: it is read before its tag can be checked.
pub(super) const LONGEST_HEADER: usize = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// Random, so that no two files can exchange chunks.
    pub(super) id: String,
    pub(super) column: String,
    pub(super) method: String,
    /// How the numbers were given out.
    pub(super) order: String,
    pub(super) key_id: Option<String>,
    /// Tells keys apart without showing them.
    pub(super) key_check: String,
    pub(super) values: u64,
    pub(super) values_per_chunk: u64,
    /// The Arrow type of the column.
    pub(super) original: String,
}

impl Header {
    pub(super) fn new(column: &str, values: u64, key: &Key, key_check: String, original: &DataType) -> Result<Self> {
        let mut id = [0; 16];
        SysRng
            .try_fill_bytes(&mut id)
            .map_err(|_| Error::Key { problem: "the system gave no random bits".to_owned(), remedy: "try again".to_owned() })?;
        Ok(Self {
            id: format!("{:032x}", u128::from_be_bytes(id)),
            column: column.to_owned(),
            method: "dense".to_owned(),
            order: "keyed BLAKE3, first 128 bits".to_owned(),
            key_id: match key.origin() {
                KeyOrigin::File { id } => Some(id.clone()),
                _ => None,
            },
            key_check,
            values,
            values_per_chunk: u64::from(super::VALUES_PER_CHUNK),
            original: original.to_string(),
        })
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let bytes = serde_json::to_vec(self).ok().filter(|bytes| bytes.len() <= LONGEST_HEADER);
        bytes.ok_or_else(|| Error::Parameter { name: "codebook", problem: "its header cannot be written".to_owned() })
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let header: Self = serde_json::from_slice(bytes).ok()?;
        (header.values_per_chunk > 0 && header.values < u64::from(u32::MAX)).then_some(header)
    }
}

/// How many chunks hold so many values; one is there always, for its mark of the end.
pub(super) fn chunk_count(values: u64, values_per_chunk: u64) -> u64 {
    values.div_ceil(values_per_chunk).max(1)
}

/// A length in 4 bytes.
pub(super) fn padded(length: usize) -> Result<[u8; 4]> {
    let length = u32::try_from(length)
        .map_err(|_| Error::Parameter { name: "codebook", problem: "4,096 values of more than 4 GiB together".to_owned() })?;
    Ok(length.to_le_bytes())
}
