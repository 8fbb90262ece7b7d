//! Groups of near people, block by block.

use super::mdav::mdav;
use super::points::Points;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Divides every block into groups of at least `k`. The blocks are worked on in any order and put together in theirs.
pub(super) fn groups(points: &Points, blocks: &[Vec<u32>], k: usize, threads: usize) -> Vec<Vec<u32>> {
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, Vec<Vec<u32>>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(blocks.len()).max(1))
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(block) = blocks.get(place) else { return done };
                        let mut groups = mdav(&points.select(block), k);
                        groups.iter_mut().flatten().for_each(|person| *person = block[*person as usize]);
                        done.push((place, groups));
                    }
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().flat_map(|(_, groups)| groups).collect()
}
