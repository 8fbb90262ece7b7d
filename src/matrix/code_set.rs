//! A set of codes as a bitmap.

use crate::io::table::NULL_CODE;

/// A set of codes: one bit for each code below its capacity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeSet {
    words: Vec<u64>,
    count: usize,
}

impl CodeSet {
    /// The empty set, with room for codes below `capacity`.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { words: vec![0; capacity.div_ceil(64)], count: 0 }
    }

    /// Adds a code; codes beyond the capacity enlarge it, [`NULL_CODE`] is ignored.
    pub fn insert(&mut self, code: u32) {
        if code == NULL_CODE {
            return;
        }
        let (word, bit) = (code as usize / 64, 1 << (code % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.count += usize::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    /// Whether the code is in the set. A missing value never is.
    #[must_use]
    pub fn contains(&self, code: u32) -> bool {
        self.words.get(code as usize / 64).is_some_and(|word| word >> (code % 64) & 1 == 1)
    }

    /// How many codes it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The codes in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).zip(&self.words).flat_map(|(index, &word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * 64 + bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_inserted() {
        let mut set = CodeSet::with_capacity(3);
        for code in [0, 63, 64, 1000, 64, NULL_CODE] {
            set.insert(code);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 1000]);
        assert_eq!(set.len(), 4);
        assert!(!set.contains(1) && !set.contains(u32::MAX) && set.contains(1000));
        assert!(CodeSet::default().is_empty());
    }
}
