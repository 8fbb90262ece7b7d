//! Sets of keyed hashes in little memory.

use crate::error::{Error, Result};
use hashbrown::HashTable;

/// The first 160 bits of a value's keyed hash as big-endian words, so that hashes are ordered like their bytes. The first 128 bits order values; the rest tells values apart whose first
/// 128 bits are equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ValueHash([u32; 5]);

impl ValueHash {
    pub(super) const BYTES: usize = 20;

    /// Keyed BLAKE3 of a canonical encoding.
    pub(super) fn of(key: &[u8; 32], value: &[u8]) -> Self {
        let output = blake3::keyed_hash(key, value);
        let mut words = [0; 5];
        for (word, bytes) in words.iter_mut().zip(output.as_bytes().chunks_exact(4)) {
            *word = bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
        }
        Self(words)
    }

    #[cfg(test)]
    pub(super) fn from_words(words: [u32; 5]) -> Self {
        Self(words)
    }

    /// Reads 20 bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut words = [0; 5];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
        }
        (bytes.len() == Self::BYTES).then_some(Self(words))
    }

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (bytes, word) in bytes.chunks_exact_mut(4).zip(self.0) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    /// The 128 bits that order values.
    fn order(&self) -> [u32; 4] {
        let [a, b, c, d, _] = self.0;
        [a, b, c, d]
    }

    /// For hash tables: nobody without the key can choose it, so it needs no second hash.
    pub(super) fn slot(&self) -> u64 {
        u64::from(self.0[1]) << 32 | u64::from(self.0[2])
    }
}

/// Hashes in ascending order, with a directory of their leading bits: a look-up touches one entry of it and a few hashes.
#[derive(Clone, Default)]
pub(super) struct SortedHashes {
    hashes: Vec<ValueHash>,
    /// How many leading bits the directory tells apart.
    bits: u32,
    /// Number of hashes below each value of the leading bits, and of all.
    starts: Vec<u32>,
}

impl SortedHashes {
    /// `hashes` are in ascending order and different.
    pub(super) fn new(hashes: Vec<ValueHash>) -> Self {
        let bits = (hashes.len() / 4).checked_ilog2().unwrap_or(0);
        let mut sorted = Self { hashes, bits, starts: Vec::with_capacity((1 << bits) + 1) };
        for (rank, hash) in (0..).zip(&sorted.hashes) {
            while sorted.starts.len() <= sorted.bucket(hash) {
                sorted.starts.push(rank);
            }
        }
        let all = u32::try_from(sorted.hashes.len()).unwrap_or(u32::MAX);
        sorted.starts.resize((1 << bits) + 1, all);
        sorted
    }

    fn bucket(&self, hash: &ValueHash) -> usize {
        // A shift by all 32 bits is none of a word of 32.
        hash.0[0].checked_shr(32 - self.bits).unwrap_or(0) as usize
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    pub(super) fn as_slice(&self) -> &[ValueHash] {
        &self.hashes
    }

    /// Rank of a hash, from 0.
    pub(super) fn rank(&self, hash: &ValueHash) -> Option<u32> {
        let bucket = self.bucket(hash);
        let (start, end) = (*self.starts.get(bucket)?, *self.starts.get(bucket + 1)?);
        let within = self.hashes.get(start as usize..end as usize)?.binary_search(hash).ok()?;
        u32::try_from(start as usize + within).ok()
    }

    /// Refuses hashes that agree in the bits that order values.
    pub(super) fn check_ties(&self, column: &str) -> Result<()> {
        let tied = self.hashes.array_windows().any(|[one, next]| one.order() == next.order());
        if tied { Err(tie(column)) } else { Ok(()) }
    }
}

pub(super) fn tie(column: &str) -> Error {
    Error::column(column, "two different values have the same hash under this key, so their order is not defined", "use another key")
}

pub(super) fn too_many(column: &str) -> Error {
    Error::column(column, "has more than 4,294,967,294 distinct values, which dense numbers do not support", "use another method")
}

/// A growing set of hashes: most are sorted, the newest are in a small table.
#[derive(Clone, Default)]
pub(super) struct HashSet {
    sorted: SortedHashes,
    recent: HashTable<ValueHash>,
}

/// So many new hashes are kept in the table at least.
const RECENT: usize = 1 << 16;

impl HashSet {
    pub(super) fn len(&self) -> usize {
        self.sorted.len() + self.recent.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ValueHash> {
        self.sorted.as_slice().iter().chain(&self.recent)
    }

    pub(super) fn insert(&mut self, hash: ValueHash) {
        if self.recent.find(hash.slot(), |known| *known == hash).is_some() || self.sorted.rank(&hash).is_some() {
            return;
        }
        self.recent.insert_unique(hash.slot(), hash, ValueHash::slot);
        if self.recent.len() >= RECENT.max(self.sorted.len() / 8) {
            self.settle();
        }
    }

    /// Merges the table into the sorted hashes, from behind and in place.
    fn settle(&mut self) {
        let mut new: Vec<ValueHash> = self.recent.drain().collect();
        new.sort_unstable();
        let mut hashes = std::mem::take(&mut self.sorted).hashes;
        let Some(last) = new.last().copied() else {
            self.sorted = SortedHashes::new(hashes);
            return;
        };
        let mut old = hashes.len();
        hashes.reserve_exact(new.len());
        hashes.resize(old + new.len(), last);
        let mut place = hashes.len();
        while let Some(&next) = new.last() {
            place -= 1;
            if old > 0 && hashes[old - 1] > next {
                old -= 1;
                hashes[place] = hashes[old];
            } else {
                hashes[place] = next;
                new.pop();
            }
        }
        self.sorted = SortedHashes::new(hashes);
    }

    pub(super) fn into_sorted(mut self) -> SortedHashes {
        self.settle();
        self.recent = HashTable::new();
        self.sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn bytes_and_words_agree() {
        let hash = ValueHash::of(&[7; 32], b"\x01ann");
        assert_eq!(hash.to_bytes(), blake3::keyed_hash(&[7; 32], b"\x01ann").as_bytes()[..20]);
        assert!(ValueHash::from_bytes(&hash.to_bytes()) == Some(hash));
        assert!(ValueHash::from_bytes(&[0; 19]).is_none() && ValueHash::from_bytes(&[0; 24]).is_none());
    }

    #[test]
    fn many_hashes_are_ranked_like_in_a_tree() {
        let hash = |i: u32| ValueHash::of(&[1; 32], &i.to_le_bytes());
        let mut set = HashSet::default();
        // More than one settling, and every hash twice.
        for i in (0..200_000).chain(0..200_000) {
            set.insert(hash(i));
        }
        assert_eq!(set.len(), 200_000);
        let tree: BTreeSet<ValueHash> = (0..200_000).map(hash).collect();
        let sorted = set.into_sorted();
        assert!(tree.iter().copied().eq(sorted.as_slice().iter().copied()));
        assert!((0..).zip(&tree).all(|(rank, hash)| sorted.rank(hash) == Some(rank)));
        assert!((200_000..201_000).all(|i| sorted.rank(&hash(i)).is_none()));
    }

    proptest! {
        /// Hashes that are not uniform at all are found too.
        #[test]
        fn clustered_hashes_are_ranked(words in prop::collection::vec((0_u32..3, prop::sample::select(vec![0, 1, u32::MAX])), 0..60)) {
            let hashes: BTreeSet<ValueHash> = words.iter().map(|&(low, high)| ValueHash([high, low, 0, 0, low])).collect();
            let mut set = HashSet::default();
            for &(low, high) in &words {
                set.insert(ValueHash([high, low, 0, 0, low]));
            }
            prop_assert_eq!(set.len(), hashes.len());
            let sorted = set.into_sorted();
            for (rank, hash) in (0..).zip(&hashes) {
                prop_assert_eq!(sorted.rank(hash), Some(rank));
            }
            prop_assert_eq!(sorted.rank(&ValueHash([7, 0, 0, 0, 0])), None);
        }
    }
}
