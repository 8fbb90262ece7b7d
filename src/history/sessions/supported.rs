//! Pairs of items that enough people have near each other in a session.

use crate::error::Result;
use crate::history::fragments::Order;
use crate::history::fragments::pairs::{affinity, thread_failed};
use hashbrown::HashMap;

/// Sessions with supported items only; those of a person follow each other.
#[derive(Debug)]
pub(super) struct Sessions {
    /// Session `s` is at `starts[s]..starts[s + 1]`.
    pub(super) starts: Vec<usize>,
    /// Ranks of items.
    pub(super) items: Vec<u32>,
    /// Code of the person of each session.
    pub(super) owners: Vec<u32>,
    /// People who have an item, by rank.
    pub(super) support: Vec<u32>,
    pub(super) order: Order,
    pub(super) most: usize,
}

impl Sessions {
    pub(super) fn session(&self, session: usize) -> &[u32] {
        &self.items[self.starts[session]..self.starts[session + 1]]
    }

    /// The name of a pair of items, the first standing before the second; nothing for an item with itself where there is no order.
    pub(super) fn name(&self, first: u32, second: u32) -> Option<u64> {
        let (first, second) = match self.order {
            Order::Sequences => (first, second),
            Order::Sets if first == second => return None,
            Order::Sets => (first.min(second), first.max(second)),
        };
        Some((u64::from(first) << 32) | u64::from(second))
    }

    /// Calls `visit` with all pairs that a piece could hold.
    fn for_each(&self, mut visit: impl FnMut(u32, u64)) {
        for (session, &owner) in self.owners.iter().enumerate() {
            let items = self.session(session);
            for (i, &first) in items.iter().enumerate() {
                for &second in items[i + 1..].iter().take(self.most - 1) {
                    if let Some(name) = self.name(first, second) {
                        visit(owner, name);
                    }
                }
            }
        }
    }
}

/// Supported pairs in the order of their names, with their affinities.
#[derive(Debug, Default)]
pub(super) struct Supported {
    names: Vec<u64>,
    affinities: Vec<f32>,
    /// People who release the pair.
    pub(super) counts: Vec<u32>,
}

/// Bytes of a pair while it is counted.
const PAIR: u64 = 32;

impl Supported {
    /// Counts people. Each thread counts the pairs of some first items at a time, so that all its pairs take at most its part of `memory`.
    pub(super) fn count(sessions: &Sessions, k: u64, memory: usize, threads: usize) -> Result<Self> {
        let mut total = 0_u64;
        sessions.for_each(|_, _| total += 1);
        let room = (memory / threads.max(1)).max(1) as u64;
        let parts = total.saturating_mul(PAIR).div_ceil(room).max(1).next_multiple_of(threads.max(1) as u64);
        let found = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads.max(1) as u64)
                .map(|thread| {
                    scope.spawn(move || {
                        let mut found = Vec::new();
                        for part in (thread..parts).step_by(threads.max(1)) {
                            let mut counts: HashMap<u64, (u32, u32)> = HashMap::new();
                            sessions.for_each(|owner, name| {
                                if (name >> 32) % parts == part {
                                    let (count, last) = counts.entry(name).or_insert((0, u32::MAX));
                                    if *last != owner {
                                        (*count, *last) = (*count + 1, owner);
                                    }
                                }
                            });
                            found.extend(
                                counts.into_iter().filter(|(_, (count, _))| u64::from(*count) >= k).map(|(name, (count, _))| (name, count)),
                            );
                        }
                        found
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().ok()).collect::<Option<Vec<_>>>()
        });
        let mut found = found.ok_or_else(thread_failed)?.concat();
        found.sort_unstable();
        let mut supported = Self::default();
        for (name, count) in found {
            #[expect(clippy::cast_possible_truncation, reason = "the two halves of the name are meant")]
            let (first, second) = ((name >> 32) as usize, name as u32 as usize);
            supported.names.push(name);
            supported.affinities.push(affinity(count, sessions.support[first], sessions.support[second]));
        }
        supported.counts = vec![0; supported.names.len()];
        Ok(supported)
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn find(&self, name: u64) -> Option<usize> {
        self.names.binary_search(&name).ok()
    }

    pub(super) fn affinity(&self, pair: usize) -> f32 {
        self.affinities[pair]
    }
}
