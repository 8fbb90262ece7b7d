//! The lists to be cut, with people and items numbered by their ids.

use super::options::FragmentOptions;
use super::pieces::CutCounts;
use crate::error::{Error, Result};
use crate::matrix::SubjectItems;
use crate::numeric::real;

/// Items of a list at most. Longer lists are cut beforehand, items of similar support together, so that the work for a person grows with the length of the list and not with its square.
pub(super) const LONGEST: usize = 512;
/// Stands after the last item of every list.
pub(super) const END: u32 = u32::MAX;

/// Lists of supported items. Nothing in here depends on the order of the data: people and items are ranks of their ids.
#[derive(Debug)]
pub(super) struct Lists {
    /// The items of list `l` are at `starts[l]..starts[l + 1] − 1`; [`END`] follows.
    pub(super) starts: Vec<usize>,
    /// Ranks of items, in the order of the list: their own, or ascending.
    pub(super) items: Vec<u32>,
    /// Code of the person of each list.
    pub(super) owners: Vec<u32>,
    /// Code of each item rank.
    pub(super) codes: Vec<u32>,
    /// People who have an item, by rank.
    pub(super) support: Vec<u32>,
}

impl Lists {
    pub(super) fn build(
        matrix: &SubjectItems,
        positions: Option<&[u64]>,
        subject_ids: &[u64],
        item_ids: &[u64],
        options: &FragmentOptions,
        counts: &mut CutCounts,
    ) -> Result<Self> {
        if subject_ids.len() != matrix.subjects() || item_ids.len() != matrix.items() {
            return Err(Error::Parameter { name: "ids", problem: "needs one for each subject and one for each item".to_owned() });
        }
        if positions.is_some_and(|positions| positions.len() != matrix.pairs()) {
            return Err(Error::Parameter { name: "positions", problem: format!("needs one for each of {} pairs", matrix.pairs()) });
        }
        let (people, (codes, ranks)) = (ranked(subject_ids)?.0, ranked(item_ids)?);
        let by_code = matrix.support();
        let support: Vec<u32> = codes.iter().map(|&code| by_code[code as usize]).collect();
        let offsets = offsets(matrix);
        let k = options.k.get();
        counts.items = support.iter().filter(|&&support| support > 0).count() as u64;
        counts.items_kept = support.iter().filter(|&&support| u64::from(support) >= k).count() as u64;
        let mut lists = Self { starts: vec![0], items: Vec::new(), owners: Vec::new(), codes, support };
        let mut own: Vec<(u64, u32)> = Vec::new();
        for person in people {
            let all = matrix.items_of(person);
            if all.is_empty() {
                continue;
            }
            own.clear();
            let start = offsets[person as usize];
            for (place, &code) in all.iter().enumerate() {
                let rank = ranks[code as usize];
                if u64::from(by_code[code as usize]) >= k {
                    own.push((positions.map_or(0, |positions| positions[start + place]), rank));
                }
            }
            counts.subjects += 1;
            counts.rows += all.len() as u64;
            counts.rows_rare_item += (all.len() - own.len()) as u64;
            counts.subjects_lost += u64::from(own.is_empty());
            lists.push(person, &mut own);
        }
        if counts.subjects < k {
            return Err(Error::Parameter {
                name: "k",
                problem: format!("is {k}, and only {} people have items: nothing can be shared by so many", counts.subjects),
            });
        }
        counts.rows_kept = counts.rows - counts.rows_rare_item;
        Ok(lists)
    }

    /// Adds a person's items as one list, or as several if they are too many.
    fn push(&mut self, owner: u32, own: &mut [(u64, u32)]) {
        if own.len() > LONGEST {
            own.sort_unstable_by_key(|&(_, rank)| (std::cmp::Reverse(self.support[rank as usize]), rank));
        }
        for list in own.chunks_mut(LONGEST) {
            list.sort_unstable();
            self.items.extend(list.iter().map(|&(_, rank)| rank));
            self.items.push(END);
            self.starts.push(self.items.len());
            self.owners.push(owner);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.owners.len()
    }

    /// The items of a list, in its order.
    pub(super) fn list(&self, list: usize) -> &[u32] {
        &self.items[self.starts[list]..self.starts[list + 1] - 1]
    }

    /// Share of the pairs of a list that fragments of `most` items can hold, over all lists.
    pub(super) fn together(&self, most: usize) -> f32 {
        let items = self.items.len() - self.len();
        let (held, all) = (real(items as u64) * real(most as u64 - 1) / 2.0, real(self.pairs().max(1)));
        single(held.min(all) / all)
    }

    /// Pairs of items of one list, over all lists.
    pub(super) fn pairs(&self) -> u64 {
        (0..self.len()).map(|list| self.list(list).len() as u64).map(|length| length * length.saturating_sub(1) / 2).sum()
    }

    /// Where each item stands in [`Lists::items`], by item: (offsets, places).
    pub(super) fn postings(&self) -> (Vec<usize>, Vec<usize>) {
        let mut offsets = vec![0; self.codes.len() + 1];
        for &item in self.items.iter().filter(|&&item| item != END) {
            offsets[item as usize + 1] += 1;
        }
        for item in 0..self.codes.len() {
            offsets[item + 1] += offsets[item];
        }
        let mut places = vec![0; self.items.len() - self.len()];
        let mut cursors = offsets.clone();
        for (place, &item) in self.items.iter().enumerate().filter(|&(_, &item)| item != END) {
            let cursor = &mut cursors[item as usize];
            places[*cursor] = place;
            *cursor += 1;
        }
        (offsets, places)
    }
}

/// Where the pairs of each person start in a matrix.
fn offsets(matrix: &SubjectItems) -> Vec<usize> {
    let people = u32::try_from(matrix.subjects()).unwrap_or(u32::MAX);
    let mut offsets = Vec::with_capacity(matrix.subjects());
    let mut total = 0;
    for person in 0..people {
        offsets.push(total);
        total += matrix.items_of(person).len();
    }
    offsets
}

/// Codes in the order of their ids, and the rank of each code.
pub(in crate::history) fn ranked(ids: &[u64]) -> Result<(Vec<u32>, Vec<u32>)> {
    let mut codes: Vec<u32> = (0..).take(ids.len()).collect();
    codes.sort_unstable_by_key(|&code| ids[code as usize]);
    if codes.windows(2).any(|pair| ids[pair[0] as usize] == ids[pair[1] as usize]) {
        return Err(Error::Parameter {
            name: "ids",
            problem: "two subjects or two items have the same; take another key for the hashes".to_owned(),
        });
    }
    let mut ranks = vec![0; ids.len()];
    for (rank, &code) in (0..).zip(&codes) {
        ranks[code as usize] = rank;
    }
    Ok((codes, ranks))
}

#[expect(clippy::cast_possible_truncation, reason = "a share needs no more than 24 bits")]
fn single(share: f64) -> f32 {
    share as f32
}
