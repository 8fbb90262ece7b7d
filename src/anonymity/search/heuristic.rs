//! A good node within a time limit.

use super::crew::{Crew, Task};
use super::optimal::{LARGEST_OPTIMAL, Search, transformation};
use super::outcome::{Candidate, Found, NearestMiss, Outcome};
use super::{Lattice, Problem};
use crate::anonymity::quality::Score;
use crate::error::Result;
use hashbrown::HashSet;
use std::time::{Duration, Instant};

/// Finds a good node of a lattice that may be far too large for [`optimal`](super::optimal), of any number of columns.
///
/// 1. Binary search along two paths from the lowest to the highest node, one along the smallest bounds and one column after the other.
/// 2. Local search: as long as a node becomes better with one column higher or lower, or one higher and another lower, go there. Nodes with the
///    smallest bounds are tried first; what a bound or a known node closes is not tried.
/// 3. If the lattice has at most [`LARGEST_OPTIMAL`] nodes, the exact search goes on from there. If it ends in time, the result is
///    [proved](Outcome::optimal). In larger lattices the local search starts again from changed copies of the best node.
///
/// If the highest node is anonymous, an anonymous node is found, even in no time. If the lattice is small and the search ends in time, so is any other
/// that exists.
///
/// The nodes that are looked at are a fixed sequence, which depends neither on chance nor on the number of [threads](Problem::threads). The time
/// limit decides only where it is cut off (at the end of a batch of a few nodes); so more time never makes the result worse, and two runs that both end
/// before the limit have the same result.
///
/// # Errors
/// Tuples and hierarchies do not fit each other.
///
/// # References
/// Prasser, Bild, Eicher, Spengler, Kuhn, *Lightning: utility-driven anonymization of high-dimensional data* (2016), for the setting: best-first by
/// utility under a time limit. Lourenço, Martin, Stützle, *Iterated local search* (2003), for the rest.
pub fn heuristic(problem: &Problem<'_>, time_limit: Duration) -> Result<Outcome> {
    let deadline = Instant::now().checked_add(time_limit);
    let mut walk = Walk::new(problem, deadline)?;
    walk.begin()?;
    let nodes = problem.lattice.nodes();
    let mut optimal = false;
    if nodes <= LARGEST_OPTIMAL && !walk.out_of_time() {
        let mut search = Search::after(problem, walk.best.clone(), deadline)?;
        optimal = search.run()?;
        walk.checked += search.checked();
        walk.best = search.take_best();
    } else if walk.best.is_some() {
        walk.start_again_and_again()?;
    }
    let found = if let Some(best) = walk.best.take() {
        Found::Transformation(transformation(problem, best.levels)?)
    } else {
        // Proved above: there is none. The nearest is known of the nodes that were looked at.
        let (suppressed, levels) = walk.nearest()?;
        optimal = false;
        Found::Nothing(NearestMiss::new(problem, levels, suppressed))
    };
    Ok(Outcome { found, nodes, checked: walk.checked, optimal })
}

/// Nodes that are looked at together. Fixed, so that the number of threads changes nothing.
const BATCH: usize = 8;

/// Changed copies of the best node in a row that lead to nothing better, until the search gives up.
const FRUITLESS: usize = 64;

/// Nodes that prove something about all nodes below, kept at most.
const MOST_TOO_LOW: usize = 512;

struct Walk<'a> {
    problem: &'a Problem<'a>,
    crew: Crew<'a>,
    deadline: Option<Instant>,
    best: Option<Candidate>,
    checked: u64,
    seen: HashSet<Vec<usize>>,
    /// Nodes below which none is anonymous.
    too_low: Vec<Vec<usize>>,
    draws: u64,
}

impl<'a> Walk<'a> {
    fn new(problem: &'a Problem<'a>, deadline: Option<Instant>) -> Result<Self> {
        Ok(Self {
            problem,
            crew: Crew::new(problem)?,
            deadline,
            best: None,
            checked: 0,
            seen: HashSet::new(),
            too_low: Vec::new(),
            draws: 0,
        })
    }

    fn lattice(&self) -> &'a Lattice {
        &self.problem.lattice
    }

    fn out_of_time(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Steps 1 and 2.
    fn begin(&mut self) -> Result<()> {
        self.look(vec![self.lattice().highest().to_vec()])?;
        for path in [self.path_of_bounds()?, self.path_of_columns()] {
            if self.out_of_time() {
                return Ok(());
            }
            self.search_along(&path)?;
        }
        let Some(best) = self.best.clone() else { return Ok(()) };
        self.improve(best)?;
        Ok(())
    }

    /// From the lowest node upwards, each time along the smallest bound; without bounds one column after the other.
    fn path_of_bounds(&self) -> Result<Vec<Vec<usize>>> {
        let mut levels = self.lattice().lowest().to_vec();
        let mut path = vec![levels.clone()];
        loop {
            let mut next: Option<(Option<Score>, usize)> = None;
            for column in 0..levels.len() {
                if levels[column] < self.lattice().highest()[column] {
                    levels[column] += 1;
                    let bound = self.crew.leader().bound(&levels)?;
                    levels[column] -= 1;
                    if next.as_ref().is_none_or(|(smallest, _)| bound < *smallest) {
                        next = Some((bound, column));
                    }
                }
            }
            let Some((_, column)) = next else { return Ok(path) };
            levels[column] += 1;
            path.push(levels.clone());
        }
    }

    /// From the lowest node upwards: columns with most values first.
    fn path_of_columns(&self) -> Vec<Vec<usize>> {
        let mut columns: Vec<usize> = (0..self.problem.hierarchies.len()).collect();
        columns.sort_by_key(|&column| std::cmp::Reverse(self.problem.hierarchies[column].leaves()));
        let mut levels = self.lattice().lowest().to_vec();
        let mut path = vec![levels.clone()];
        for column in columns {
            while levels[column] < self.lattice().highest()[column] {
                levels[column] += 1;
                path.push(levels.clone());
            }
        }
        path
    }

    fn search_along(&mut self, path: &[Vec<usize>]) -> Result<()> {
        let (mut low, mut high) = (0, path.len());
        while low < high && !self.out_of_time() {
            let middle = usize::midpoint(low, high);
            let anonymous = self.look(vec![path[middle].clone()])?.is_some();
            if anonymous { high = middle } else { low = middle + 1 }
        }
        Ok(())
    }

    /// Looks at nodes. Gives the best of them that are anonymous.
    fn look(&mut self, nodes: Vec<Vec<usize>>) -> Result<Option<Candidate>> {
        self.checked += nodes.len() as u64;
        self.seen.extend(nodes.iter().cloned());
        let tasks = nodes.into_iter().map(|levels| Task { levels }).collect();
        let (looks, stone) = self.crew.look(tasks, self.problem.allowed, true)?;
        self.checked += u64::from(stone.is_some());
        let mut best: Option<Candidate> = None;
        for look in looks {
            let levels = look.classes.levels().to_vec();
            if look.none_below && self.too_low.len() < MOST_TOO_LOW {
                self.too_low.push(levels.clone());
            }
            let Some((suppressed, score)) = look.anonymous else { continue };
            let candidate = Candidate { score, suppressed, sum: levels.iter().sum(), levels };
            if best.as_ref().is_none_or(|best| candidate < *best) {
                best = Some(candidate);
            }
        }
        if let Some(found) = &best
            && self.best.as_ref().is_none_or(|best| found < best)
        {
            self.best = Some(found.clone());
        }
        Ok(best)
    }

    /// Goes from neighbour to neighbour as long as they are better.
    fn improve(&mut self, mut here: Candidate) -> Result<Candidate> {
        'moves: loop {
            let mut neighbours = Vec::new();
            for levels in self.neighbours(&here.levels) {
                let bound = self.crew.leader().bound(&levels)?;
                if bound.as_ref().is_none_or(|bound| *bound <= here.score) && self.is_new(&levels) {
                    neighbours.push((bound, levels));
                }
            }
            neighbours.sort();
            for batch in neighbours.chunks(BATCH) {
                if self.out_of_time() {
                    return Ok(here);
                }
                // Earlier batches may have closed some.
                let batch: Vec<Vec<usize>> = batch.iter().map(|(_, levels)| levels.clone()).filter(|levels| self.is_new(levels)).collect();
                if batch.is_empty() {
                    continue;
                }
                if let Some(found) = self.look(batch)?.filter(|found| *found < here) {
                    here = found;
                    continue 'moves;
                }
            }
            return Ok(here);
        }
    }

    fn is_new(&self, levels: &[usize]) -> bool {
        let below = |high: &Vec<usize>| levels.iter().zip(high).all(|(level, high)| level <= high);
        !self.seen.contains(levels) && !self.too_low.iter().any(below)
    }

    /// One column lower or higher, or one lower and another one higher; of the pairs a few.
    fn neighbours(&mut self, levels: &[usize]) -> Vec<Vec<usize>> {
        let (lowest, highest) = (self.lattice().lowest(), self.lattice().highest());
        let mut all = Vec::new();
        for column in 0..levels.len() {
            let mut push = |level: usize| {
                let mut neighbour = levels.to_vec();
                neighbour[column] = level;
                all.push(neighbour);
            };
            if levels[column] > lowest[column] {
                push(levels[column] - 1);
            }
            if levels[column] > lowest[column] + 1 {
                push(lowest[column]);
            }
            if levels[column] < highest[column] {
                push(levels[column] + 1);
            }
        }
        for _ in 0..4 * levels.len() {
            let (down, up) = (self.draw(levels.len()), self.draw(levels.len()));
            if down != up && levels[down] > lowest[down] && levels[up] < highest[up] {
                let mut neighbour = levels.to_vec();
                neighbour[down] -= 1;
                neighbour[up] += 1;
                all.push(neighbour);
            }
        }
        all.sort();
        all.dedup();
        all
    }

    /// Step 3 in large lattices.
    fn start_again_and_again(&mut self) -> Result<()> {
        let mut fruitless = 0;
        while fruitless < FRUITLESS && !self.out_of_time() {
            let Some(best) = self.best.clone() else { return Ok(()) };
            let mut levels = best.levels.clone();
            for _ in 0..=self.draw(3) {
                let column = self.draw(levels.len());
                if let Some(level) = levels.get_mut(column) {
                    let (low, high) = (self.problem.lattice.lowest()[column], self.problem.lattice.highest()[column]);
                    *level = low + self.draw(high - low + 1);
                }
            }
            if self.is_new(&levels)
                && let Some(found) = self.look(vec![levels])?
            {
                self.improve(found)?;
            }
            fruitless = if self.best.as_ref() == Some(&best) { fruitless + 1 } else { 0 };
        }
        Ok(())
    }

    /// A number below `bound`, from a fixed sequence.
    #[expect(clippy::cast_possible_truncation, reason = "below a usize")]
    fn draw(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.draws;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        ((u128::from(word) * bound as u128) >> 64) as usize
    }

    /// The node that suppresses fewest rows of the highest node and some that were looked at.
    fn nearest(&mut self) -> Result<(u64, Vec<usize>)> {
        let mut nearest: Option<(u64, usize, Vec<usize>)> = None;
        let mut nodes: Vec<Vec<usize>> = self.seen.iter().cloned().collect();
        nodes.sort_by_key(|levels| (std::cmp::Reverse(levels.iter().sum::<usize>()), levels.clone()));
        for levels in nodes.into_iter().take(BATCH) {
            let (looks, _) = self.crew.look(vec![Task { levels: levels.clone() }], u64::MAX, false)?;
            let suppressed = looks.first().and_then(|look| look.anonymous.as_ref()).map_or(u64::MAX, |found| found.0);
            let miss = (suppressed, levels.iter().sum(), levels);
            if nearest.as_ref().is_none_or(|nearest| miss < *nearest) {
                nearest = Some(miss);
            }
        }
        let everything = || (self.problem.tuples.total_rows(), self.lattice().highest().to_vec());
        Ok(nearest.map_or_else(everything, |(suppressed, _, levels)| (suppressed, levels)))
    }
}
