//! The values behind the hashes, for a codebook.

use super::hashes::{SortedHashes, ValueHash, tie};
use crate::error::Result;
use hashbrown::HashTable;

/// Byte strings end to end.
#[derive(Clone, Default)]
struct Strings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Strings {
    fn push(&mut self, string: &[u8]) {
        self.bytes.extend_from_slice(string);
        self.ends.push(self.bytes.len());
    }

    fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(index).and_then(|end| self.bytes.get(start..*end)).unwrap_or_default()
    }
}

/// Values in the order of their first sight, each with its hash.
#[derive(Clone, Default)]
pub(super) struct KeptValues {
    hashes: Vec<ValueHash>,
    places: HashTable<u32>,
    strings: Strings,
}

impl KeptValues {
    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ValueHash, &[u8])> {
        self.hashes.iter().enumerate().map(|(index, hash)| (*hash, self.strings.get(index)))
    }

    /// Adds a value. A value with a hash that another one has is refused.
    pub(super) fn insert(&mut self, column: &str, hash: ValueHash, value: &[u8]) -> Result<()> {
        let Self { hashes, places, strings } = self;
        if let Some(&place) = places.find(hash.slot(), |&place| hashes.get(place as usize) == Some(&hash)) {
            return if strings.get(place as usize) == value { Ok(()) } else { Err(tie(column)) };
        }
        let place = u32::try_from(hashes.len()).map_err(|_| super::hashes::too_many(column))?;
        hashes.push(hash);
        strings.push(value);
        places.insert_unique(hash.slot(), place, |&place| hashes.get(place as usize).map_or(0, ValueHash::slot));
        Ok(())
    }

    pub(super) fn into_sorted(self) -> (SortedHashes, Values) {
        let Self { hashes, places, strings } = self;
        drop(places);
        let mut ranked: Vec<(ValueHash, u32)> = hashes.into_iter().zip(0..).collect();
        ranked.sort_unstable();
        let places = ranked.iter().map(|(_, place)| *place).collect();
        (SortedHashes::new(ranked.into_iter().map(|(hash, _)| hash).collect()), Values { strings, places })
    }
}

/// Canonical encodings of values by their numbers.
pub(in crate::pseudonym) struct Values {
    strings: Strings,
    places: Vec<u32>,
}

impl Values {
    pub(in crate::pseudonym) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|place| self.strings.get(*place as usize))
    }
}
