//! Which items are the same: one recording under several codes counts once.
//!
//! A recording that was re-released, or sold in several countries, has several codes (URIs). Counted one by one, each of them has too few people, and somebody who has all of them looks
//! like somebody with many different items: k is then wrong in both directions. So items are put together *before* people are counted.
//!
//! - [`normalized`]: a name without case, accents, punctuation and blanks.
//! - [`ItemMapping`]: a file that says which items are the same.
//! - [`CanonicalItems`]: groups of item codes with the same key, each with the code that stands for it.

mod mapping;
mod names;

pub use mapping::ItemMapping;
pub use names::{NameVotes, normalized};

use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use hashbrown::HashMap;
use std::hash::Hash;

/// Item codes put together: the canonical code of every item, and the item that stands for every canonical code.
///
/// ```
/// use backmask::history::items::CanonicalItems;
/// // Items 0 and 2 have one name; item 1 has none and stays alone. Item 2 has more people.
/// let same = CanonicalItems::of_keys(&[Some("yesterday"), None, Some("yesterday")], &[3, 9, 5], &[70, 71, 72])?;
/// assert_eq!((same.len(), same.merged()), (2, 1));
/// assert_eq!(same.code_of(0), same.code_of(2));
/// assert_eq!(same.representative(same.code_of(0)), Some(2));
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalItems {
    codes: Vec<u32>,
    representatives: Vec<u32>,
}

impl CanonicalItems {
    /// Every item is another one.
    ///
    /// # Errors
    /// There are 2³² − 1 items or more.
    pub fn all_different(items: usize) -> Result<Self> {
        let count = u32::try_from(items).ok().filter(|&count| count < NULL_CODE).ok_or_else(too_many)?;
        Ok(Self { codes: (0..count).collect(), representatives: (0..count).collect() })
    }

    /// Items with equal keys are the same; an item without a key is like no other. The item with the most people (`people`, one number for each item) stands for the others; of equal ones
    /// that with the smallest id (`ids`, names of the items that do not depend on codes).
    ///
    /// # Errors
    /// There is not one key, number and id for each item, or there are 2³² − 1 items or more.
    pub fn of_keys<K: Hash + Eq>(keys: &[Option<K>], people: &[u32], ids: &[u64]) -> Result<Self> {
        if people.len() != keys.len() || ids.len() != keys.len() {
            return Err(Error::Parameter { name: "keys", problem: "needs one key, number of people and id for each item".to_owned() });
        }
        u32::try_from(keys.len()).ok().filter(|&count| count < NULL_CODE).ok_or_else(too_many)?;
        let mut of_key: HashMap<&K, u32> = HashMap::new();
        let mut codes = Vec::with_capacity(keys.len());
        let mut representatives: Vec<u32> = Vec::new();
        for (item, key) in (0_u32..).zip(keys) {
            let next = u32::try_from(representatives.len()).unwrap_or(NULL_CODE);
            let code = key.as_ref().map_or(next, |key| *of_key.entry(key).or_insert(next));
            if code == next {
                representatives.push(item);
            } else if let Some(known) = representatives.get_mut(code as usize) {
                let rank = |item: u32| (std::cmp::Reverse(people[item as usize]), ids[item as usize]);
                if rank(item) < rank(*known) {
                    *known = item;
                }
            }
            codes.push(code);
        }
        Ok(Self { codes, representatives })
    }

    /// The same without an item, which is none: its code becomes [`NULL_CODE`].
    #[must_use]
    pub fn without(mut self, item: u32) -> Self {
        if let Some(code) = self.codes.get_mut(item as usize) {
            *code = NULL_CODE;
        }
        self
    }

    /// Number of canonical codes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.representatives.len()
    }

    /// Whether there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.representatives.is_empty()
    }

    /// How many items have another one that stands for them.
    #[must_use]
    pub fn merged(&self) -> usize {
        self.codes.len() - self.representatives.len()
    }

    /// The canonical code of an item; [`NULL_CODE`] for none and for a code beyond the items.
    #[must_use]
    pub fn code_of(&self, item: u32) -> u32 {
        self.codes.get(item as usize).copied().unwrap_or(NULL_CODE)
    }

    /// The item that stands for a canonical code.
    #[must_use]
    pub fn representative(&self, code: u32) -> Option<u32> {
        self.representatives.get(code as usize).copied()
    }

    /// The items that stand for the canonical codes, in their order.
    #[must_use]
    pub fn representatives(&self) -> &[u32] {
        &self.representatives
    }
}

fn too_many() -> Error {
    Error::Parameter { name: "items", problem: "there are 2³² − 1 items or more".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn items_without_keys_stay_alone() {
        let same = CanonicalItems::of_keys::<u8>(&[None, None, None], &[1, 1, 1], &[1, 1, 1]).unwrap();
        assert_eq!((same.len(), same.merged(), same.code_of(3), same.code_of(NULL_CODE)), (3, 0, NULL_CODE, NULL_CODE));
        assert_eq!(same, CanonicalItems::all_different(3).unwrap());
        let fewer = same.without(1).without(7);
        assert_eq!((fewer.code_of(0), fewer.code_of(1), fewer.code_of(2)), (0, NULL_CODE, 2));
        assert!(CanonicalItems::of_keys(&[Some(1)], &[], &[1]).is_err());
        assert!(CanonicalItems::of_keys::<u8>(&[], &[], &[]).unwrap().is_empty());
    }

    proptest! {
        /// The partition is that of the keys, and who stands for a group depends on neither codes nor order.
        #[test]
        fn groups_are_those_of_the_keys(items in proptest::collection::vec((proptest::option::of(0_u8..6), 0_u32..4), 0..30)) {
            let keys: Vec<_> = items.iter().map(|item| item.0).collect();
            let people: Vec<_> = items.iter().map(|item| item.1).collect();
            let ids: Vec<u64> = (0..items.len() as u64).map(|id| id.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
            let same = CanonicalItems::of_keys(&keys, &people, &ids).unwrap();
            let distinct = keys.iter().flatten().collect::<BTreeSet<_>>().len() + keys.iter().filter(|key| key.is_none()).count();
            prop_assert_eq!(same.len(), distinct);
            let mut best: BTreeMap<u8, (std::cmp::Reverse<u32>, u64)> = BTreeMap::new();
            for (place, key) in keys.iter().enumerate() {
                let Some(key) = key else { continue };
                let own = (std::cmp::Reverse(people[place]), ids[place]);
                let entry = best.entry(*key).or_insert(own);
                *entry = own.min(*entry);
            }
            for (place, key) in keys.iter().enumerate() {
                let standing = same.representative(same.code_of(u32::try_from(place).unwrap())).unwrap() as usize;
                if let Some(key) = key {
                    prop_assert_eq!(ids[standing], best[key].1);
                } else {
                    prop_assert_eq!(standing, place);
                }
            }
        }
    }
}
