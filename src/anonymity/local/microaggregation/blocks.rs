//! Blocks of people, grouped one by one.

use super::mdav::mdav;
use super::points::Points;
use crate::anonymity::local::judge::Judge;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Blocks that cannot be cut become one group beyond so many times the wanted size.
const LARGEST_BLOCK: usize = 16;

/// People to be grouped.
#[derive(Debug)]
pub(super) struct Grouping<'a> {
    pub(super) points: &'a Points<'a>,
    /// Rows of every person.
    pub(super) people: &'a [Vec<u32>],
    pub(super) k: usize,
    pub(super) block: usize,
}

impl Grouping<'_> {
    /// Groups of people. The models hold on all people together.
    pub(super) fn groups(&self, judge: &mut Judge<'_>, threads: usize) -> Vec<Vec<u32>> {
        let all: Vec<u32> = (0_u32..).take(self.people.len()).collect();
        if all.is_empty() {
            return Vec::new();
        }
        let blocks = self.blocks(all, judge);
        if threads < 2 || blocks.len() < 2 {
            return blocks.iter().flat_map(|block| self.of_block(block, judge)).collect();
        }
        // Every thread takes the next block that nobody has taken.
        let next = AtomicUsize::new(0);
        let mut judges: Vec<Judge<'_>> = (0..threads).map(|_| judge.another()).collect();
        let mut done: Vec<(usize, Vec<Vec<u32>>)> = std::thread::scope(|scope| {
            let (next, blocks) = (&next, &blocks);
            let handles: Vec<_> = judges
                .iter_mut()
                .map(|judge| {
                    scope.spawn(move || {
                        let mut done = Vec::new();
                        loop {
                            let index = next.fetch_add(1, Ordering::Relaxed);
                            let Some(block) = blocks.get(index) else { return done };
                            done.push((index, self.of_block(block, judge)));
                        }
                    })
                })
                .collect();
            let joined = handles.into_iter().map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            joined.flatten().collect()
        });
        done.sort_unstable_by_key(|&(index, _)| index);
        done.into_iter().flat_map(|(_, groups)| groups).collect()
    }

    /// Halves people along the axis on which they differ most, until there are few enough or the models do not hold in a half.
    fn blocks(&self, all: Vec<u32>, judge: &mut Judge<'_>) -> Vec<Vec<u32>> {
        let mut blocks = Vec::new();
        let mut left = vec![all];
        while let Some(mut people) = left.pop() {
            let half = people.len() / 2;
            // Below 2k people a half would be no group.
            let axis = if people.len() > self.block && half >= self.k { self.points.widest(&people) } else { None };
            let Some(axis) = axis else {
                blocks.push(people);
                continue;
            };
            // Missing coordinates come last; people are numbered in their order.
            people.sort_unstable_by(|&one, &two| self.points.of(one)[axis].total_cmp(&self.points.of(two)[axis]).then(one.cmp(&two)));
            let mut upper = people.split_off(half);
            if judge.hold(&self.rows(&people)) && judge.hold(&self.rows(&upper)) {
                left.push(upper);
                left.push(people);
            } else {
                people.append(&mut upper);
                blocks.push(people);
            }
        }
        for block in &mut blocks {
            block.sort_unstable();
        }
        blocks
    }

    fn rows(&self, people: &[u32]) -> Vec<u32> {
        people.iter().flat_map(|&person| &self.people[person as usize]).copied().collect()
    }

    fn of_block(&self, block: &[u32], judge: &mut Judge<'_>) -> Vec<Vec<u32>> {
        if block.len() > self.block.saturating_mul(LARGEST_BLOCK) {
            return vec![block.to_vec()];
        }
        self.merge(mdav(self.points, block, self.k), judge)
    }

    /// Joins every group on which a model fails with the one whose centre is nearest, until the models hold. The models hold on the block.
    fn merge(&self, groups: Vec<Vec<u32>>, judge: &mut Judge<'_>) -> Vec<Vec<u32>> {
        let mut holds: Vec<bool> = groups.iter().map(|group| judge.hold(&self.rows(group))).collect();
        let mut centers: Vec<Vec<f64>> = groups.iter().map(|group| self.points.centroid(group)).collect();
        let mut groups: Vec<Option<Vec<u32>>> = groups.into_iter().map(Some).collect();
        for index in 0..groups.len() {
            while !holds[index] {
                let others = groups.iter().enumerate().filter(|&(other, group)| other != index && group.is_some());
                let nearest = others
                    .map(|(other, _)| (self.points.distance(&centers[index], &centers[other]), other))
                    .min_by(|one, two| one.0.total_cmp(&two.0).then(one.1.cmp(&two.1)));
                let Some((_, other)) = nearest else { break };
                if let Some(group) = groups[other].take()
                    && let Some(mine) = &mut groups[index]
                {
                    mine.extend(group);
                    mine.sort_unstable();
                    holds[index] = judge.hold(&self.rows(mine));
                    centers[index] = self.points.centroid(mine);
                    // What was there has nothing left that could fail.
                    holds[other] = true;
                }
            }
        }
        groups.into_iter().flatten().collect()
    }
}
