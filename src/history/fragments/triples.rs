//! Combinations of three items.

use super::lists::Lists;
use super::pairs::thread_failed;
use super::plan::{Plan, for_each_group};
use crate::error::Result;
use crate::policy::Support;
use hashbrown::HashMap;

/// How many people hold the triples that stand in a fragment, counted in the fragments or in the lists.
#[derive(Debug)]
pub(super) struct Triples {
    k: u32,
    support: Support,
    counts: HashMap<[u32; 3], u32>,
}

impl Triples {
    pub(super) fn new(k: u32, support: Support) -> Self {
        Self { k, support, counts: HashMap::new() }
    }

    /// Counts them in a plan. In the pool they are counted once: no others come up when fragments are only taken apart.
    pub(super) fn count(&mut self, plan: &Plan<'_>) -> Result<()> {
        if self.support == Support::Pool && !self.counts.is_empty() {
            return Ok(());
        }
        self.counts.clear();
        let lists = plan.lists;
        for list in 0..lists.len() {
            let items = lists.list(list);
            let start = lists.starts[list];
            for_each_group(&plan.labels[start..start + items.len()], |_, members| {
                for_each_triple(items, members, |triple| *self.counts.entry(triple).or_default() += 1);
            });
        }
        if self.support == Support::Pool {
            self.count_pool(lists)?;
        }
        Ok(())
    }

    /// Replaces the counts by those of all lists: for each first item and each list that has it, the triples of that first item are looked up.
    fn count_pool(&mut self, lists: &Lists) -> Result<()> {
        let (offsets, places) = lists.postings();
        let mut triples: Vec<[u32; 3]> = self.counts.drain().map(|entry| entry.0).collect();
        triples.sort_unstable();
        let groups: Vec<&[[u32; 3]]> = triples.chunk_by(|a, b| a[0] == b[0]).collect();
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let share = groups.len().div_ceil(threads).max(1);
        let counted = std::thread::scope(|scope| {
            let workers: Vec<_> = groups
                .chunks(share)
                .map(|groups| {
                    let (offsets, places) = (&offsets, &places);
                    scope.spawn(move || {
                        let mut counts = Vec::new();
                        let mut at = vec![0_usize; lists.codes.len()];
                        for group in groups {
                            let first = group[0][0] as usize;
                            let start = counts.len();
                            counts.extend(group.iter().map(|&triple| (triple, 0_u32)));
                            for &place in &places[offsets[first]..offsets[first + 1]] {
                                let rest = || lists.items[place + 1..].iter().take_while(|&&item| item != super::lists::END);
                                for (after, &item) in (1..).zip(rest()) {
                                    at[item as usize] = after;
                                }
                                for (triple, count) in &mut counts[start..] {
                                    let (second, third) = (at[triple[1] as usize], at[triple[2] as usize]);
                                    *count += u32::from(second > 0 && third > second);
                                }
                                for &item in rest() {
                                    at[item as usize] = 0;
                                }
                            }
                        }
                        counts
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().ok()).collect::<Option<Vec<_>>>()
        });
        self.counts.extend(counted.ok_or_else(thread_failed)?.into_iter().flatten());
        Ok(())
    }

    /// Whether all triples of a fragment have k.
    pub(super) fn hold(&self, items: &[u32], members: &[u16]) -> bool {
        let mut all = true;
        for_each_triple(items, members, |triple| all &= self.has(&triple));
        all
    }

    /// Whether all triples that arise when two groups are put together have k.
    pub(super) fn may_join(&self, items: &[u32], a: &[u16], b: &[u16]) -> bool {
        let mut together = [a, b].concat();
        together.sort_unstable();
        self.hold(items, &together)
    }

    fn has(&self, triple: &[u32; 3]) -> bool {
        self.counts.get(triple).is_some_and(|&count| count >= self.k)
    }
}

/// Calls `visit` with the triples of a group, whose members ascend, in the order of the list.
fn for_each_triple(items: &[u32], members: &[u16], mut visit: impl FnMut([u32; 3])) {
    let item = |member: u16| items[usize::from(member)];
    for (i, &a) in members.iter().enumerate() {
        for (j, &b) in members.iter().enumerate().skip(i + 1) {
            for &c in &members[j + 1..] {
                visit([item(a), item(b), item(c)]);
            }
        }
    }
}
