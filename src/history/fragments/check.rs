//! Combinations counted again, by code that shares nothing with the cut.

use super::pieces::{Order, Pieces};
use crate::error::{Error, Result};
use crate::matrix::{Postings, SubjectItems};
use crate::units::K;
use std::collections::BTreeMap;

/// What a count of the combinations found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// For combinations of 1, 2, … m items.
    pub sizes: Vec<SizeCheck>,
    /// Items of the longest fragment.
    pub longest: u64,
    /// Fragments in which an item stands twice. In sets that is a defect; in sequences the item follows itself, and that is a combination like others.
    pub with_repeated_items: u64,
    /// (person, item) that stand in more than one fragment of the person; only where the owners are known. Where it is 0, fragments that share a combination belong to
    /// different people, and counting fragments is counting people.
    pub items_in_several_fragments: Option<u64>,
    order: Order,
}

/// Combinations of one size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SizeCheck {
    /// Items in a combination.
    pub size: u64,
    /// Different combinations.
    pub combinations: u64,
    /// How many of them fewer than k people hold.
    pub below: u64,
    /// Support of the rarest; absent if there are no combinations.
    pub smallest: Option<u64>,
    /// Item codes of one of the rarest.
    pub rarest: Vec<u32>,
}

impl Check {
    /// Whether every combination is held by at least k people, and no set has an item twice.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.sizes.iter().all(|size| size.below == 0) && (self.order == Order::Sequences || self.with_repeated_items == 0)
    }

    /// The support of the rarest combination of any size.
    #[must_use]
    pub fn achieved(&self) -> Option<u64> {
        self.sizes.iter().filter_map(|size| size.smallest).min()
    }
}

/// Counts in how many people's fragments every combination of 1 … `m` items stands.
///
/// With `owners`, one code for each fragment, people are counted, once each. Without, fragments are counted, as if each were another person's: that is the number of people if nobody has an item in
/// two fragments, which holds for what [`cut`](super::cut) and [`cut_ordered`](super::cut_ordered) make and does not for sessions. The file alone cannot show it.
///
/// Time grows with the number of combinations in fragments, memory is bounded by 16 bytes × 2²⁴ for each thread and the largest item's share.
///
/// # Errors
/// `m` is not 1, 2 or 3, or there is not one owner for each fragment.
///
/// ```
/// use backmask::{history::fragments::{Order, Pieces, check}, units::K};
/// let (offsets, items) = ([0, 2, 4, 5], [7, 8, 7, 8, 8]);
/// let pieces = Pieces::new(&offsets, &items)?;
/// let counted = check(&pieces, None, Order::Sets, 2, K::new(2)?)?;
/// assert!(counted.holds());
/// assert_eq!((counted.sizes[0].smallest, counted.sizes[1].smallest), (Some(2), Some(2)));
/// // Both pairs are the same person's.
/// assert!(!check(&pieces, Some(&[0, 0, 1]), Order::Sets, 2, K::new(2)?)?.holds());
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn check(pieces: &Pieces<'_>, owners: Option<&[u32]>, order: Order, m: usize, k: K) -> Result<Check> {
    let owner = owner_of(pieces, owners)?;
    let sizes = count(pieces, order, m, &owner, &mut |combinations, size| {
        for same in combinations.chunk_by(|a, b| a >> 32 == b >> 32) {
            size.add(same[0] >> 32, same.len() as u64, k);
        }
    })?;
    Ok(summary(pieces, owners, order, sizes))
}

/// Counts how many people of the pool have every combination of 1 … `m` items that stands in a fragment. In sequences, a person has those whose items are theirs in the same order:
/// `positions` then gives the place of each item in the person's list, one for each pair of `matrix` in its order.
///
/// # Errors
/// `m` is not 1, 2 or 3, or there is not one position for each pair of the matrix.
pub fn check_pool(pieces: &Pieces<'_>, matrix: &SubjectItems, positions: Option<&[u64]>, m: usize, k: K) -> Result<Check> {
    if positions.is_some_and(|positions| positions.len() != matrix.pairs()) {
        return Err(Error::Parameter { name: "positions", problem: format!("needs one for each of {} pairs", matrix.pairs()) });
    }
    let order = if positions.is_some() { Order::Sequences } else { Order::Sets };
    let mut pool = Pool::new(matrix, positions);
    let sizes = count(pieces, order, m, &|_| 0, &mut |combinations, size| {
        for group in combinations.chunk_by(|a, b| a >> 64 == b >> 64) {
            pool.count(group, size, k);
        }
    })?;
    Ok(summary(pieces, None, order, sizes))
}

/// A combination of up to three items and an owner in one number: the owner in the lowest 32 bits, the last item above it. Items are moved up by one, so that combinations of different sizes differ.
fn pack(items: &[u32], owner: u32) -> u128 {
    items.iter().fold(0_u128, |packed, &item| (packed << 32) | u128::from(item)) << 32 | u128::from(owner)
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest 32 bits are meant")]
fn unpack(combination: u128, size: u64) -> Vec<u32> {
    (0..size).rev().map(|place| (combination >> (32 * place)) as u32).collect()
}

impl SizeCheck {
    fn add(&mut self, combination: u128, support: u64, k: K) {
        self.combinations += 1;
        self.below += u64::from(support < k.get());
        let candidate = || unpack(combination, self.size);
        match self.smallest {
            Some(smallest) if smallest < support => {}
            Some(smallest) if smallest == support && self.rarest <= candidate() => {}
            _ => (self.smallest, self.rarest) = (Some(support), candidate()),
        }
    }
}

/// Combinations that are sorted at once.
const ROOM: usize = 1 << 24;

/// Shows all combinations, sorted and each once for an owner, in groups that do not split a first item.
fn count(
    pieces: &Pieces<'_>,
    order: Order,
    m: usize,
    owner: &dyn Fn(usize) -> u32,
    visit: &mut dyn FnMut(&[u128], &mut SizeCheck),
) -> Result<Vec<SizeCheck>> {
    if m == 0 || m > 3 {
        return Err(Error::Parameter { name: "m", problem: "must lie between 1 and 3".to_owned() });
    }
    let mut sizes = Vec::new();
    for size in 1..=m {
        let mut result = SizeCheck { size: size as u64, ..SizeCheck::default() };
        let total: usize = pieces.iter().map(|items| combinations(items.len(), size)).fold(0, usize::saturating_add);
        let parts = u32::try_from(total.div_ceil(ROOM).max(1)).unwrap_or(u32::MAX);
        let mut found = Vec::new();
        let mut own = Vec::new();
        for part in 0..parts {
            found.clear();
            for (fragment, items) in pieces.iter().enumerate() {
                own.clear();
                own.extend_from_slice(items);
                if order == Order::Sets {
                    own.sort_unstable();
                    own.dedup();
                }
                let owner = owner(fragment);
                for_each(&own, size, &mut |combination| {
                    if combination[0] % parts == part {
                        found.push(pack(combination, owner));
                    }
                });
            }
            found.sort_unstable();
            found.dedup();
            visit(&found, &mut result);
        }
        sizes.push(result);
    }
    Ok(sizes)
}

/// Calls `visit` with every subsequence of `size` items.
fn for_each(items: &[u32], size: usize, visit: &mut dyn FnMut(&[u32])) {
    for (i, &a) in items.iter().enumerate() {
        if size == 1 {
            visit(&[a]);
            continue;
        }
        for (j, &b) in items.iter().enumerate().skip(i + 1) {
            if size == 2 {
                visit(&[a, b]);
                continue;
            }
            for &c in &items[j + 1..] {
                visit(&[a, b, c]);
            }
        }
    }
}

fn combinations(items: usize, size: usize) -> usize {
    (0..size).fold(1, |product: usize, i| product.saturating_mul(items.saturating_sub(i)) / (i + 1))
}

fn owner_of<'a>(pieces: &Pieces<'_>, owners: Option<&'a [u32]>) -> Result<impl Fn(usize) -> u32 + use<'a>> {
    if let Some(owners) = owners
        && owners.len() != pieces.len()
    {
        return Err(Error::Parameter { name: "owners", problem: format!("needs one for each of {} fragments", pieces.len()) });
    }
    if u32::try_from(pieces.len()).is_err() {
        return Err(Error::Parameter { name: "fragments", problem: "there are more than 2³² − 1".to_owned() });
    }
    #[expect(clippy::cast_possible_truncation, reason = "there are no more than 2³² fragments")]
    Ok(move |fragment: usize| owners.map_or(fragment as u32, |owners| owners.get(fragment).copied().unwrap_or(u32::MAX)))
}

fn summary(pieces: &Pieces<'_>, owners: Option<&[u32]>, order: Order, sizes: Vec<SizeCheck>) -> Check {
    let longest = pieces.iter().map(<[u32]>::len).max().unwrap_or(0) as u64;
    let with_repeated_items = pieces
        .iter()
        .filter(|items| {
            let mut own = items.to_vec();
            own.sort_unstable();
            own.windows(2).any(|window| window[0] == window[1])
        })
        .count() as u64;
    let items_in_several_fragments = owners.map(|owners| {
        let mut rows: Vec<(u32, u32, usize)> = owners
            .iter()
            .enumerate()
            .flat_map(|(fragment, &owner)| pieces.items_of(fragment).iter().map(move |&item| (owner, item, fragment)))
            .collect();
        rows.sort_unstable();
        rows.dedup();
        rows.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).filter(|same| same.len() > 1).count() as u64
    });
    Check { sizes, longest, with_repeated_items, items_in_several_fragments, order }
}

/// The pool's lists, by person and by item.
struct Pool<'a> {
    matrix: &'a SubjectItems,
    positions: Option<Vec<&'a [u64]>>,
    postings: Postings,
    holders: Vec<u32>,
}

impl<'a> Pool<'a> {
    fn new(matrix: &'a SubjectItems, positions: Option<&'a [u64]>) -> Self {
        let people = u32::try_from(matrix.subjects()).unwrap_or(u32::MAX);
        let positions = positions.map(|positions| {
            let mut rest = positions;
            (0..people)
                .map(|person| {
                    let (own, others) = rest.split_at(matrix.items_of(person).len().min(rest.len()));
                    rest = others;
                    own
                })
                .collect()
        });
        Self { matrix, positions, postings: matrix.postings(), holders: Vec::new() }
    }

    /// Counts combinations that differ in their last item only.
    fn count(&mut self, group: &[u128], size: &mut SizeCheck, k: K) {
        let Some(&first) = group.first() else { return };
        let mut items = unpack(first >> 32, size.size);
        items.pop();
        if items.is_empty() {
            for &combination in group {
                let support = unpack(combination >> 32, 1).iter().map(|&item| self.postings.subjects_of(item).len()).sum::<usize>();
                size.add(combination >> 32, support as u64, k);
            }
            return;
        }
        let mut counts: BTreeMap<u32, u64> =
            group.iter().flat_map(|&combination| unpack(combination >> 32, 1)).map(|item| (item, 0)).collect();
        self.postings.intersect(&items, &mut self.holders);
        for &person in &self.holders {
            let Some(after) = self.last_position(person, &items) else { continue };
            for (place, item) in self.matrix.items_of(person).iter().enumerate() {
                if after.is_none_or(|after| self.position(person, place) > Some(after))
                    && let Some(count) = counts.get_mut(item)
                {
                    *count += 1;
                }
            }
        }
        for &combination in group {
            let support = unpack(combination >> 32, 1).first().and_then(|item| counts.get(item)).copied().unwrap_or(0);
            size.add(combination >> 32, support, k);
        }
    }

    fn position(&self, person: u32, place: usize) -> Option<u64> {
        self.positions.as_ref()?.get(person as usize)?.get(place).copied()
    }

    /// Where the last of `items` stands in the person's list, `Some(None)` if the order does not matter; nothing if they stand in another order.
    #[expect(clippy::option_option, reason = "the two absences differ")]
    fn last_position(&self, person: u32, items: &[u32]) -> Option<Option<u64>> {
        if self.positions.is_none() {
            return Some(None);
        }
        let mut last = None;
        for item in items {
            let place = self.matrix.items_of(person).binary_search(item).ok()?;
            let position = self.position(person, place);
            if last >= position {
                return None;
            }
            last = position;
        }
        Some(last)
    }
}
