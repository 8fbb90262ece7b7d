//! Which items of whom stand together: all people's cuts, agreed in rounds.

use super::clique::{APART, Cutter, Gains, index};
use super::lists::Lists;
use super::pairs::{Pairs, thread_failed};
use super::triples::Triples;
use crate::error::Result;
use std::sync::atomic::Ordering;

/// Parts of the people that are cut one after the other in a round: those in one part do not see what the others of it do.
const PARTS: usize = 64;
/// Passes over a list that move single items.
const PASSES: usize = 3;
/// Gains that are less than this part of a supported pair's are none.
const FAINT: f32 = 0.02;
/// What a pair gains that would fall below k without this person.
const FRAGILE: f32 = 1.0;

/// What a pair is worth to a person who puts it together, by the number of people who have it together, this one included: a factor of its affinity.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::history) enum Worth {
    /// As if of the people who hold a pair this share had it together, before anything is known of the others.
    Expected { k: u32, share: f32 },
    /// Every supported pair may stand together; those that few have together yet are worth more.
    Pool,
    /// Pairs below k are worth (count / k)^(halves / 2), those above the less, the more have them.
    Soft { k: u32, halves: u32 },
    /// Pairs below k are not allowed.
    Hard { k: u32 },
}

impl Worth {
    /// The factor, where `count` people have the pair together and `holders` hold it.
    pub(in crate::history) fn factor(&self, count: u32, holders: f32) -> f32 {
        let ratio = |k: u32| single(count) / single(k);
        match *self {
            Self::Expected { k, share } => {
                let ratio = (holders * share).max(1.0) / single(k);
                ratio.min(1.0 / ratio)
            }
            Self::Pool => 1.0 / single(count).sqrt(),
            Self::Soft { k, .. } | Self::Hard { k } if count >= k => 1.0 / ratio(k),
            Self::Hard { .. } => APART,
            Self::Soft { k, halves } => {
                let root = ratio(k).sqrt();
                let factor = (0..halves).fold(1.0, |power, _| power * root);
                if factor < FAINT { APART } else { factor }
            }
        }
    }

    fn fragile(&self, count: u32) -> f32 {
        match *self {
            Self::Hard { k } if count == k => FRAGILE,
            _ => 0.0,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a weight needs no more than 24 bits")]
fn single(count: u32) -> f32 {
    count as f32
}

/// The cut of all lists as it stands.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) lists: &'a Lists,
    pub(super) pairs: Pairs,
    /// The group of each item of [`Lists::items`], by list.
    pub(super) labels: Vec<u16>,
    most: usize,
    threads: usize,
    pub(super) rounds: u64,
}

/// Room of a thread.
#[derive(Debug, Default)]
struct Desk {
    cutter: Cutter,
    gains: Gains,
    pairs: Vec<(u16, u16, u32)>,
    old: Vec<u16>,
    at: Vec<u16>,
    /// Pairs that come together or apart.
    changes: Vec<(u32, bool)>,
    changed: bool,
}

/// What is done to a list: its number, the groups of its items, room.
type Work<'a> = &'a (dyn Fn(usize, &mut [u16], &mut Desk) + Sync);

impl<'a> Plan<'a> {
    /// Every item alone.
    pub(super) fn new(lists: &'a Lists, pairs: Pairs, most: usize, threads: usize) -> Self {
        let mut labels = vec![0; lists.items.len()];
        for list in 0..lists.len() {
            for (place, label) in labels[lists.starts[list]..lists.starts[list + 1]].iter_mut().enumerate() {
                *label = index(place);
            }
        }
        Self { lists, pairs, labels, most, threads: threads.max(1), rounds: 0 }
    }

    /// Cuts every list again, with what the others do in view.
    pub(super) fn round(&mut self, worth: &Worth) -> Result<()> {
        self.rounds += 1;
        let (lists, most) = (self.lists, self.most);
        let parts = self.lists.len().div_ceil(PARTS).max(1);
        let mut start = 0;
        while start < lists.len() {
            let end = (start + parts).min(lists.len());
            let pairs = &self.pairs;
            run(lists, pairs, &mut self.labels, start..end, self.threads, &|list, labels, desk| {
                let items = lists.list(list);
                desk.gains.reset(items.len());
                desk.pairs.clear();
                let Desk { pairs: own, gains, at, .. } = desk;
                pairs.for_each(items, at, |i, j, pair| {
                    own.push((index(i), index(j), number(pair)));
                    let others = pairs.released(pair) - u32::from(labels[i] == labels[j]);
                    let holders = pairs.holders(pair, lists, items[i], items[j]);
                    let factor = worth.factor(others + 1, holders);
                    if factor > 0.0 {
                        gains.set(i, j, (pairs.affinity(pair) * factor).max(f32::MIN_POSITIVE) + worth.fragile(others + 1));
                    }
                });
                desk.alone(labels);
                desk.cutter.join(&desk.gains, most, labels, None);
                desk.cutter.improve(&desk.gains, most, labels, PASSES);
                desk.note(labels);
            })?;
            start = end;
        }
        Ok(())
    }

    /// Takes apart every fragment that has a combination below `k` and puts its items together again where all combinations are supported, until there is none. Counts only fall.
    pub(super) fn repair(&mut self, k: u32, mut triples: Option<&mut Triples>) -> Result<()> {
        loop {
            self.rounds += 1;
            if let Some(triples) = triples.as_deref_mut() {
                triples.count(self)?;
            }
            let (lists, most, pairs) = (self.lists, self.most, &self.pairs);
            let triples = triples.as_deref();
            let changed = run(lists, pairs, &mut self.labels, 0..lists.len(), self.threads, &|list, labels, desk| {
                let items = lists.list(list);
                let mut broken = vec![false; items.len()];
                for_each_pair(items, |i, j| {
                    if labels[i] == labels[j] && pairs.find(items[i], items[j]).is_none_or(|pair| pairs.released(pair) < k) {
                        broken[usize::from(labels[i])] = true;
                    }
                });
                if let Some(triples) = triples {
                    for_each_group(labels, |label, members| {
                        broken[usize::from(label)] |= !triples.hold(items, members);
                    });
                }
                if !broken.contains(&true) {
                    return;
                }
                desk.changed = true;
                desk.gains.reset(items.len());
                desk.pairs.clear();
                for_each_pair(items, |i, j| {
                    if labels[i] == labels[j]
                        && broken[usize::from(labels[i])]
                        && let Some(pair) = pairs.find(items[i], items[j])
                    {
                        desk.pairs.push((index(i), index(j), number(pair)));
                        if pairs.released(pair) >= k {
                            desk.gains.set(i, j, pairs.affinity(pair).max(f32::MIN_POSITIVE));
                        }
                    }
                });
                desk.old.clear();
                desk.old.extend_from_slice(labels);
                // The others stay as they are: their gains are not known here, and labels hold them together.
                let mut own = vec![u16::MAX; items.len()];
                for (place, label) in own.iter_mut().enumerate() {
                    *label = if broken[usize::from(labels[place])] { index(place) } else { labels[place] };
                }
                separate(labels, &own);
                let allow = |a: &[u16], b: &[u16]| triples.is_none_or(|triples| triples.may_join(items, a, b));
                desk.cutter.join(&desk.gains, most, labels, Some(&allow));
                desk.note(labels);
            })?;
            if !changed {
                return Ok(());
            }
        }
    }

    /// Puts fragments of a person together where all combinations are supported already. Counts only grow.
    pub(super) fn fill(&mut self, k: u32, triples: Option<&Triples>) -> Result<()> {
        self.rounds += 1;
        let (lists, most, pairs) = (self.lists, self.most, &self.pairs);
        run(lists, pairs, &mut self.labels, 0..lists.len(), self.threads, &|list, labels, desk| {
            let items = lists.list(list);
            desk.gains.reset(items.len());
            desk.pairs.clear();
            let Desk { pairs: own, gains, at, .. } = desk;
            pairs.for_each(items, at, |i, j, pair| {
                if pairs.released(pair) >= k {
                    own.push((index(i), index(j), number(pair)));
                    gains.set(i, j, pairs.affinity(pair).max(f32::MIN_POSITIVE));
                }
            });
            desk.old.clear();
            desk.old.extend_from_slice(labels);
            let allow = |a: &[u16], b: &[u16]| triples.is_none_or(|triples| triples.may_join(items, a, b));
            desk.cutter.join(&desk.gains, most, labels, Some(&allow));
            desk.note(labels);
        })?;
        Ok(())
    }

    /// Fragments of any items, each as long as it can be: first fit, the longest first.
    pub(super) fn pack(&mut self) -> Result<()> {
        let (lists, most, pairs) = (self.lists, self.most, &self.pairs);
        run(lists, pairs, &mut self.labels, 0..lists.len(), self.threads, &|_, labels, _| {
            let mut groups: Vec<Vec<u16>> = Vec::new();
            for_each_group(labels, |_, members| groups.push(members.to_vec()));
            groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
            let mut packed: Vec<Vec<u16>> = Vec::new();
            for group in groups {
                match packed.iter_mut().find(|other| other.len() + group.len() <= most) {
                    Some(other) => other.extend(group),
                    None => packed.push(group),
                }
            }
            for (label, group) in packed.iter().enumerate() {
                for &member in group {
                    labels[usize::from(member)] = index(label);
                }
            }
        })?;
        Ok(())
    }
}

impl Desk {
    /// Remembers the groups and dissolves them.
    fn alone(&mut self, labels: &mut [u16]) {
        self.old.clear();
        self.old.extend_from_slice(labels);
        for (place, label) in labels.iter_mut().enumerate() {
            *label = index(place);
        }
    }

    /// Notes which pairs came together or apart.
    fn note(&mut self, labels: &[u16]) {
        for &(i, j, pair) in &self.pairs {
            let (i, j) = (usize::from(i), usize::from(j));
            let (before, after) = (self.old[i] == self.old[j], labels[i] == labels[j]);
            if before != after {
                self.changes.push((pair, after));
            }
        }
    }
}

/// Gives every group a label of its own among the places of the list: that of its first member.
fn separate(labels: &mut [u16], groups: &[u16]) {
    let mut firsts = vec![u16::MAX; labels.len()];
    for (place, (label, &group)) in labels.iter_mut().zip(groups).enumerate() {
        let first = &mut firsts[usize::from(group)];
        if *first == u16::MAX {
            *first = index(place);
        }
        *label = *first;
    }
}

/// Works some lists on several threads; the pairs change their counts when all are done. Tells whether a list was marked as changed.
fn run(lists: &Lists, pairs: &Pairs, labels: &mut [u16], range: std::ops::Range<usize>, threads: usize, work: Work<'_>) -> Result<bool> {
    let share = range.len().div_ceil(threads).max(1);
    let mut rest = &mut labels[lists.starts[range.start]..lists.starts[range.end]];
    let mut tasks = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let end = (start + share).min(range.end);
        let (own, others) = rest.split_at_mut(lists.starts[end] - lists.starts[start]);
        rest = others;
        tasks.push((start, end, own));
        start = end;
    }
    let desks: Option<Vec<Desk>> = std::thread::scope(|scope| {
        let workers: Vec<_> = tasks
            .into_iter()
            .map(|(start, end, own)| {
                scope.spawn(move || {
                    let mut desk = Desk::default();
                    let mut rest = own;
                    for list in start..end {
                        let (labels, others) = rest.split_at_mut(lists.starts[list + 1] - lists.starts[list]);
                        rest = others;
                        let length = labels.len() - 1;
                        work(list, &mut labels[..length], &mut desk);
                    }
                    desk
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().ok()).collect()
    });
    let desks = desks.ok_or_else(thread_failed)?;
    let applied = std::thread::scope(|scope| {
        let workers: Vec<_> = desks
            .iter()
            .map(|desk| {
                scope.spawn(|| {
                    for &(pair, together) in &desk.changes {
                        let count = &pairs.counts[pair as usize];
                        if together {
                            count.fetch_add(1, Ordering::Relaxed)
                        } else {
                            count.fetch_sub(1, Ordering::Relaxed)
                        };
                    }
                })
            })
            .collect();
        workers.into_iter().all(|worker| worker.join().is_ok())
    });
    if applied { Ok(desks.iter().any(|desk| desk.changed)) } else { Err(thread_failed()) }
}

/// Calls `visit` with the places of every two items, in the order of the list.
fn for_each_pair(items: &[u32], mut visit: impl FnMut(usize, usize)) {
    for i in 0..items.len() {
        for j in i + 1..items.len() {
            visit(i, j);
        }
    }
}

/// Calls `visit` with the label and the members of every group, in the order of their first members.
pub(super) fn for_each_group(labels: &[u16], mut visit: impl FnMut(u16, &[u16])) {
    let mut order: Vec<(u16, u16)> = labels.iter().enumerate().map(|(place, &label)| (label, index(place))).collect();
    order.sort_unstable();
    let mut groups: Vec<Vec<u16>> = order.chunk_by(|a, b| a.0 == b.0).map(|group| group.iter().map(|member| member.1).collect()).collect();
    groups.sort_unstable();
    for group in groups {
        visit(labels[usize::from(group[0])], &group);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "no more than 2³² − 1 pairs are considered")]
fn number(pair: usize) -> u32 {
    pair as u32
}
