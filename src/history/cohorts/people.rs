//! The matrix in an order of its own: the same for any codes and order of the input.

use super::options::CohortOptions;
use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use crate::matrix::SubjectItems;

/// People who have an item, in the order of their ids, with their items numbered in the order of *their* ids and bounded in number.
#[derive(Debug)]
pub(super) struct People {
    starts: Vec<usize>,
    items: Vec<u32>,
    /// Subject code and stable id of every person.
    subjects: Vec<(u64, u32)>,
    /// Item code and stable id of every number.
    numbers: Vec<(u64, u32)>,
    without_items: u64,
    over_limit: u64,
}

impl People {
    pub(super) fn new(matrix: &SubjectItems, subject_ids: &[u64], item_ids: &[u64], options: &CohortOptions, key: &Key) -> Result<Self> {
        if subject_ids.len() != matrix.subjects() || item_ids.len() != matrix.items() {
            return Err(Error::Parameter { name: "ids", problem: "needs one for each subject and one for each item".to_owned() });
        }
        let key = key.derive(&Domain::of("cohort items"));
        let mut subjects: Vec<(u64, u32)> = (0..).zip(subject_ids).map(|(code, &id)| (id, code)).collect();
        subjects.retain(|&(_, code)| !matrix.items_of(code).is_empty());
        subjects.sort_unstable();
        let mut numbers: Vec<(u64, u32)> = (0..).zip(item_ids).map(|(code, &id)| (id, code)).collect();
        numbers.sort_unstable();
        let mut number_of = vec![0_u32; numbers.len()];
        for (number, &(_, code)) in (0..).zip(&numbers) {
            number_of[code as usize] = number;
        }
        let limit = options.max_items_per_subject.map_or(usize::MAX, |max| max as usize);
        let (mut starts, mut items) = (vec![0], Vec::new());
        let mut over_limit = 0;
        for &(id, code) in &subjects {
            let begin = items.len();
            items.extend(matrix.items_of(code).iter().map(|&item| number_of[item as usize]));
            let own = items.len() - begin;
            if own > limit {
                over_limit += (own - limit) as u64;
                keep_some(&mut items, begin, limit, &|item| priority(&key, id, numbers[item as usize].0));
            }
            items[begin..].sort_unstable();
            starts.push(items.len());
        }
        let without_items = (matrix.subjects() - subjects.len()) as u64;
        Ok(Self { starts, items, subjects, numbers, without_items, over_limit })
    }

    pub(super) fn len(&self) -> usize {
        self.subjects.len()
    }

    /// The same number as a code: subjects have 32-bit codes.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.subjects.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn pairs(&self) -> usize {
        self.items.len()
    }

    pub(super) fn item_count(&self) -> usize {
        self.numbers.len()
    }

    pub(super) fn items_of(&self, person: u32) -> &[u32] {
        &self.items[self.starts[person as usize]..self.starts[person as usize + 1]]
    }

    pub(super) fn id(&self, person: u32) -> u64 {
        self.subjects[person as usize].0
    }

    pub(super) fn code(&self, person: u32) -> u32 {
        self.subjects[person as usize].1
    }

    pub(super) fn item_id(&self, item: u32) -> u64 {
        self.numbers[item as usize].0
    }

    pub(super) fn item_code(&self, item: u32) -> u32 {
        self.numbers[item as usize].1
    }

    pub(super) fn without_items(&self) -> u64 {
        self.without_items
    }

    pub(super) fn over_limit(&self) -> u64 {
        self.over_limit
    }
}

/// Keeps of the items from `begin` on those `limit` with the smallest priorities.
fn keep_some(items: &mut Vec<u32>, begin: usize, limit: usize, priority: &dyn Fn(u32) -> u64) {
    let mut ranked: Vec<(u64, u32)> = items[begin..].iter().map(|&item| (priority(item), item)).collect();
    ranked.select_nth_unstable(limit);
    items.truncate(begin);
    items.extend(ranked[..limit].iter().map(|entry| entry.1));
}

fn priority(key: &Key, subject: u64, item: u64) -> u64 {
    let mut content = [0; 16];
    content[..8].copy_from_slice(&subject.to_le_bytes());
    content[8..].copy_from_slice(&item.to_le_bytes());
    let mut word = [0; 8];
    word.copy_from_slice(&blake3::keyed_hash(key.expose(), &content).as_bytes()[..8]);
    u64::from_le_bytes(word)
}
