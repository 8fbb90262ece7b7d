//! Pairs of items that enough people hold.

use super::lists::{END, Lists};
use crate::error::{Error, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Pairs (first, second) in the order in which they stand in lists, by first item, with their affinity, and a count that the plan keeps.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// The pairs of first item `a` are at `starts[a]..starts[a + 1]`.
    starts: Vec<usize>,
    /// Second items, ascending for each first item.
    seconds: Vec<u32>,
    /// People with both items / √(people with the one · people with the other).
    affinities: Vec<f32>,
    /// People in whose fragments the pair stands.
    pub(super) counts: Vec<AtomicU32>,
    /// Pairs that enough people hold, considered or not.
    pub(super) supported: u64,
}

/// Bytes of a pair.
const PAIR: usize = 12;
/// Bins of affinity, from 0 to 1, for choosing what fits the memory.
const BINS: usize = 4096;
/// How many second items are read in the time of one search.
const LOOKUP: usize = 16;
/// First items that a thread takes at once.
const STEP: usize = 64;

impl Pairs {
    /// Counts all pairs of items of all lists and keeps those of at least `k` lists; if they are more than `memory` bytes hold, those of the largest affinity.
    ///
    /// Pairs are counted one first item after the other, into one counter for each second item: no pair is stored that is not kept, and each first item is counted by one thread, so
    /// the result does not depend on their number.
    pub(super) fn count(lists: &Lists, k: u64, memory: usize, threads: usize) -> Result<Self> {
        let (offsets, places) = lists.postings();
        let room = (memory / PAIR).min(u32::MAX as usize);
        let items = lists.codes.len();
        let most = (lists.pairs() / k.max(1)).min((items as u64).saturating_mul(items as u64));
        let mut least = 0;
        if most > room as u64 {
            let histogram = Mutex::new(vec![0_u64; BINS]);
            visit(lists, &offsets, &places, k, threads, &|_, row| {
                if let Ok(mut histogram) = histogram.lock() {
                    for &(_, affinity) in row {
                        histogram[bin(affinity)] += 1;
                    }
                }
            })?;
            let histogram = histogram.into_inner().unwrap_or_default();
            let mut kept = 0_u64;
            least = BINS;
            while least > 0 && kept + histogram[least - 1] <= room as u64 {
                least -= 1;
                kept += histogram[least];
            }
        }
        let rows = Mutex::new(Vec::new());
        let supported = AtomicUsize::new(0);
        visit(lists, &offsets, &places, k, threads, &|first, row| {
            supported.fetch_add(row.len(), Ordering::Relaxed);
            let (seconds, affinities): (Vec<u32>, Vec<f32>) = row.iter().copied().filter(|&(_, affinity)| bin(affinity) >= least).unzip();
            if !seconds.is_empty()
                && let Ok(mut rows) = rows.lock()
            {
                rows.push((first, seconds, affinities));
            }
        })?;
        let mut rows = rows.into_inner().unwrap_or_default();
        rows.sort_unstable_by_key(|row| row.0);
        let mut pairs = Self { starts: vec![0], supported: supported.into_inner() as u64, ..Self::default() };
        for (first, seconds, affinities) in rows {
            pairs.starts.resize(first + 1, pairs.seconds.len());
            pairs.seconds.extend(seconds);
            pairs.affinities.extend(affinities);
        }
        pairs.starts.resize(items + 1, pairs.seconds.len());
        pairs.counts = pairs.seconds.iter().map(|_| AtomicU32::new(0)).collect();
        Ok(pairs)
    }

    /// No pair at all.
    pub(super) fn none(lists: &Lists) -> Self {
        Self { starts: vec![0; lists.codes.len() + 1], ..Self::default() }
    }

    /// The place of a pair, if it is considered.
    pub(super) fn find(&self, first: u32, second: u32) -> Option<usize> {
        let (start, end) = (self.starts[first as usize], self.starts[first as usize + 1]);
        self.seconds[start..end].binary_search(&second).ok().map(|place| start + place)
    }

    /// Calls `visit` with the places of every two items of a list that are a considered pair, and with the pair. `at` is room: 0 for every item, before and after.
    pub(super) fn for_each(&self, items: &[u32], at: &mut Vec<u16>, mut visit: impl FnMut(usize, usize, usize)) {
        at.resize(self.starts.len(), 0);
        for (place, &item) in (1..).zip(items) {
            at[item as usize] = place;
        }
        for (i, &first) in items.iter().enumerate() {
            let (start, end) = (self.starts[first as usize], self.starts[first as usize + 1]);
            let after = &items[i + 1..];
            if end - start <= after.len().saturating_mul(LOOKUP) {
                for (pair, &second) in (start..end).zip(&self.seconds[start..end]) {
                    let place = usize::from(at[second as usize]);
                    if place > i + 1 {
                        visit(i, place - 1, pair);
                    }
                }
            } else {
                for (j, &second) in (i + 1..).zip(after) {
                    if let Some(pair) = self.find(first, second) {
                        visit(i, j, pair);
                    }
                }
            }
        }
        for &item in items {
            at[item as usize] = 0;
        }
    }

    /// People who hold a pair, as far as its affinity tells.
    pub(super) fn holders(&self, pair: usize, lists: &Lists, first: u32, second: u32) -> f32 {
        holders(self.affinities[pair], lists.support[first as usize], lists.support[second as usize])
    }

    pub(super) fn affinity(&self, pair: usize) -> f32 {
        self.affinities[pair]
    }

    pub(super) fn released(&self, pair: usize) -> u32 {
        self.counts[pair].load(Ordering::Relaxed)
    }

    /// Forgets the pairs whose count `keep` refuses.
    pub(super) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        let mut kept = 0;
        let mut start = 0;
        for first in 0..self.starts.len() - 1 {
            let end = self.starts[first + 1];
            for pair in start..end {
                let count = self.released(pair);
                if keep(count) {
                    self.seconds[kept] = self.seconds[pair];
                    self.affinities[kept] = self.affinities[pair];
                    *self.counts[kept].get_mut() = count;
                    kept += 1;
                }
            }
            start = end;
            self.starts[first + 1] = kept;
        }
        self.seconds.truncate(kept);
        self.affinities.truncate(kept);
        self.counts.truncate(kept);
    }

    /// Pairs that stand in a fragment.
    pub(super) fn in_use(&self) -> u64 {
        self.counts.iter().filter(|count| count.load(Ordering::Relaxed) > 0).count() as u64
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an affinity lies between 0 and 1"
)]
fn bin(affinity: f32) -> usize {
    // Most affinities are small, so the bins are of their square roots.
    ((affinity.sqrt() * BINS as f32) as usize).min(BINS - 1)
}

/// What is done with the supported pairs of a first item: (second, affinity), ascending.
type VisitRow<'a> = &'a (dyn Fn(usize, &[(u32, f32)]) + Sync);

/// Counts the pairs of every first item.
fn visit(lists: &Lists, offsets: &[usize], places: &[usize], k: u64, threads: usize, act: VisitRow<'_>) -> Result<()> {
    let items = lists.codes.len();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut counts = vec![0_u32; items];
        let (mut touched, mut row): (Vec<u32>, Vec<(u32, f32)>) = (Vec::new(), Vec::new());
        loop {
            let start = next.fetch_add(STEP, Ordering::Relaxed);
            if start >= items {
                return;
            }
            for first in start..(start + STEP).min(items) {
                for &place in &places[offsets[first]..offsets[first + 1]] {
                    for &second in &lists.items[place + 1..] {
                        if second == END {
                            break;
                        }
                        let count = &mut counts[second as usize];
                        if *count == 0 {
                            touched.push(second);
                        }
                        *count += 1;
                    }
                }
                row.clear();
                for second in touched.drain(..) {
                    let count = std::mem::take(&mut counts[second as usize]);
                    if u64::from(count) >= k {
                        row.push((second, affinity(count, lists.support[first], lists.support[second as usize])));
                    }
                }
                row.sort_unstable_by_key(|pair| pair.0);
                act(first, &row);
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().all(|worker| worker.join().is_ok())
    })
    .then_some(())
    .ok_or_else(thread_failed)
}

pub(in crate::history) fn thread_failed() -> Error {
    Error::Parameter { name: "threads", problem: "a thread ended early, probably for lack of memory; use fewer threads".to_owned() }
}

#[expect(clippy::cast_possible_truncation, reason = "a weight needs no more than 24 bits")]
pub(in crate::history) fn affinity(both: u32, first: u32, second: u32) -> f32 {
    (f64::from(both) / (f64::from(first) * f64::from(second)).sqrt()) as f32
}

#[expect(clippy::cast_possible_truncation, reason = "an estimate needs no more than 24 bits")]
fn holders(affinity: f32, first: u32, second: u32) -> f32 {
    (f64::from(affinity) * (f64::from(first) * f64::from(second)).sqrt()) as f32
}
