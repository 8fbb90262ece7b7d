//! Generalized codes packed into words, and the numbering of equal ones.

use crate::anonymity::hierarchy::Hierarchy;
use hashbrown::DefaultHashBuilder;
use std::borrow::Cow;
use std::hash::BuildHasher;

/// Where the code of each column lies in a key. A key has one word of 64 bits if that is enough; no column lies in two words.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    fields: Vec<Field>,
    words: usize,
    /// Keys that a data set was made to collide for should not collide.
    seed: u64,
}

#[derive(Debug, Clone, Copy)]
struct Field {
    word: usize,
    shift: u32,
    mask: u64,
}

impl Layout {
    /// `word` is the number of bits that are used of a word: 64, or fewer in tests.
    pub(super) fn new(hierarchies: &[Hierarchy], word: u32) -> Self {
        let (mut at, mut used) = (0, 0);
        let fields = hierarchies
            .iter()
            .map(|hierarchy| {
                let codes = hierarchy.levels().iter().map(|level| level.sizes().len()).max().unwrap_or(1).max(1) as u64;
                let bits = u64::BITS - (codes - 1).leading_zeros();
                if used > 0 && used + bits > word {
                    (at, used) = (at + 1, 0);
                }
                let field = Field { word: at, shift: used, mask: (1 << bits) - 1 };
                used += bits;
                field
            })
            .collect();
        Self { fields, words: at + 1, seed: DefaultHashBuilder::default().hash_one(0) }
    }

    /// Words of a key.
    pub(super) fn words(&self) -> usize {
        self.words
    }

    /// Keys of tuples, from the leaves of each column.
    pub(super) fn pack(&self, leaves: &[Vec<u32>], tuples: usize) -> Vec<u64> {
        let mut keys = vec![0; tuples * self.words];
        for (field, leaves) in self.fields.iter().zip(leaves) {
            for (key, &leaf) in keys.chunks_exact_mut(self.words).zip(leaves) {
                key[field.word] |= u64::from(leaf) << field.shift;
            }
        }
        keys
    }

    /// The change that gives the codes of one column new values.
    pub(super) fn step<'a>(&self, column: usize, table: Cow<'a, [u32]>) -> Step<'a> {
        Step { field: self.fields[column], table }
    }
}

/// A change of the codes of one column.
#[derive(Debug)]
pub(super) struct Step<'a> {
    field: Field,
    /// New code of every code; all new codes are 0 if it is empty.
    table: Cow<'a, [u32]>,
}

/// Keys that became equal, numbered in the order in which they come first.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    /// Number of every key.
    pub(super) of_keys: Vec<u32>,
    /// The different keys.
    pub(super) keys: Vec<u64>,
    /// Index of the first key with each number.
    pub(super) firsts: Vec<u32>,
}

impl Layout {
    /// Changes `keys` and numbers the results. `most`: there are at most so many different results. `slots` is room to use again.
    pub(super) fn number(&self, keys: &[u64], steps: &[Step<'_>], most: usize, slots: &mut Vec<u32>) -> Numbered {
        let count = keys.len() / self.words;
        let mut numbered = Numbered { of_keys: Vec::with_capacity(count), ..Numbered::default() };
        let size = (2 * count.min(most).max(1)).next_power_of_two();
        slots.clear();
        slots.resize(size, 0);
        if self.words == 1 {
            self.number_words(keys, steps, slots, &mut numbered);
        } else {
            self.number_lists(keys, steps, slots, &mut numbered);
        }
        numbered
    }

    fn number_words(&self, keys: &[u64], steps: &[Step<'_>], slots: &mut [u32], numbered: &mut Numbered) {
        let kept = steps.iter().fold(u64::MAX, |kept, step| kept & !(step.field.mask << step.field.shift));
        let steps: Vec<(u32, u64, &[u32])> =
            steps.iter().filter(|step| !step.table.is_empty()).map(|step| (step.field.shift, step.field.mask, &*step.table)).collect();
        let last = slots.len() - 1;
        for (index, &key) in (0_u32..).zip(keys) {
            let mut new = key & kept;
            for &(shift, mask, table) in &steps {
                new |= u64::from(table[digit(key, shift, mask)]) << shift;
            }
            let mut slot = slot(new, self.seed) & last;
            let number = loop {
                match slots[slot] {
                    0 => {
                        numbered.keys.push(new);
                        numbered.firsts.push(index);
                        #[expect(clippy::cast_possible_truncation, reason = "there are at most as many numbers as keys, below 2^32 - 1")]
                        let number = numbered.keys.len() as u32;
                        slots[slot] = number;
                        break number;
                    }
                    number if numbered.keys[number as usize - 1] == new => break number,
                    _ => slot = (slot + 1) & last,
                }
            };
            numbered.of_keys.push(number - 1);
        }
    }

    fn number_lists(&self, keys: &[u64], steps: &[Step<'_>], slots: &mut [u32], numbered: &mut Numbered) {
        let words = self.words;
        let mut kept = vec![u64::MAX; words];
        for step in steps {
            kept[step.field.word] &= !(step.field.mask << step.field.shift);
        }
        let mut new = vec![0; words];
        let last = slots.len() - 1;
        for (index, key) in (0_u32..).zip(keys.chunks_exact(words)) {
            for ((new, word), kept) in new.iter_mut().zip(key).zip(&kept) {
                *new = word & kept;
            }
            for Step { field, table } in steps.iter().filter(|step| !step.table.is_empty()) {
                new[field.word] |= u64::from(table[digit(key[field.word], field.shift, field.mask)]) << field.shift;
            }
            let mut slot = new.iter().fold(0, |state, &word| slot(word, self.seed ^ state as u64)) & last;
            let number = loop {
                match slots[slot] {
                    0 => {
                        numbered.keys.extend_from_slice(&new);
                        numbered.firsts.push(index);
                        #[expect(clippy::cast_possible_truncation, reason = "there are at most as many numbers as keys, below 2^32 - 1")]
                        let number = numbered.firsts.len() as u32;
                        slots[slot] = number;
                        break number;
                    }
                    number if numbered.keys[(number as usize - 1) * words..number as usize * words] == new[..] => break number,
                    _ => slot = (slot + 1) & last,
                }
            };
            numbered.of_keys.push(number - 1);
        }
    }
}

/// The code of one column.
#[expect(clippy::cast_possible_truncation, reason = "codes are u32")]
fn digit(word: u64, shift: u32, mask: u64) -> usize {
    (word >> shift & mask) as usize
}

/// Folded multiplication: all bits of the key reach the low bits.
#[expect(clippy::cast_possible_truncation, reason = "the halves of a product")]
fn slot(key: u64, seed: u64) -> usize {
    let product = u128::from(key ^ seed) * 0x9e37_79b9_7f4a_7c15_u128;
    (product as u64 ^ (product >> 64) as u64) as usize
}
