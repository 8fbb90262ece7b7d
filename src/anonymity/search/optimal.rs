//! The best node, with proof.

use super::crew::{Crew, Task};
use super::look::Look;
use super::outcome::{Candidate, Found, NearestMiss, Outcome, Transformation};
use super::{Evaluation, Problem};
use crate::anonymity::quality::Score;
use crate::error::{Error, Result};
use std::time::Instant;

/// Nodes that [`optimal`] takes on at most.
pub const LARGEST_OPTIMAL: u64 = 1 << 26;

/// Finds what [`exhaustive`](super::exhaustive) finds, looking at as few nodes as it can prove to be enough.
///
/// 1. *Paths*: from the lowest node that is still open a path leads upwards along the smallest bounds; binary search finds where it becomes
///    anonymous. A few paths give a good node to compare with.
/// 2. *Border*: the highest nodes that are still open are looked at, until none is open.
/// 3. *Sweep*: if that closes few nodes below, because models allow no conclusion, the open nodes are looked at from the lowest on, each rolled up
///    from the one before.
///
/// A node is closed when it was looked at, when a node at or below it has a bound that is no better than the best node known
/// ([`lower_bound`](crate::anonymity::quality::QualityMetric::lower_bound); scores themselves if the metric
/// [is monotone](crate::anonymity::quality::QualityMetric::is_monotone)), or when a node above it proves that it suppresses too many rows. That
/// proof needs models that hold on [supersets](crate::anonymity::models::Monotonicity::Supersets), or, if no row may be suppressed, on
/// [unions](crate::anonymity::models::Monotonicity::Unions). Other models allow no such conclusion, and with them every node is looked
/// at that no bound closes. Classes are rolled up from those of the smallest table below the node that is still kept.
///
/// The result is the same for every number of [threads](Problem::threads), and so is the number of nodes looked at. If there is no anonymous node,
/// a second search finds the one that suppresses fewest rows.
///
/// # Errors
/// The lattice has more than [`LARGEST_OPTIMAL`] nodes, or tuples and hierarchies do not fit each other.
///
/// # References
/// Kohlmayer, Prasser, Eckert, Kemper, Kuhn, *Flash: efficient, stable and optimal k-anonymity* (2012), for paths and binary search; El Emam et al.,
/// *A globally optimal k-anonymity method for the de-identification of health data* (2009), and `LeFevre`, `DeWitt`, Ramakrishnan, *Incognito* (2005), for
/// roll-up and predictive tagging. Bounds without grouping are not in them.
pub fn optimal(problem: &Problem<'_>) -> Result<Outcome> {
    let nodes = problem.lattice.nodes();
    if nodes > LARGEST_OPTIMAL {
        return Err(Error::policy(
            "columns.levels",
            format!("the hierarchies have more than {LARGEST_OPTIMAL} combinations of levels"),
            "limit the levels of some columns (levels = { min = 1, max = 2 }), give them coarser hierarchies, or use search = \"heuristic\"",
        ));
    }
    let mut search = Search::new(problem, Goal::Score)?;
    search.run()?;
    let found = if let Some(best) = search.best.take() {
        Found::Transformation(transformation(problem, best.levels)?)
    } else {
        search.begin_again(Goal::Suppression)?;
        search.run()?;
        let nearest = search.best.take();
        let (levels, suppressed) =
            nearest.map_or_else(|| (problem.lattice.lowest().to_vec(), problem.tuples.total_rows()), |best| (best.levels, best.suppressed));
        Found::Nothing(NearestMiss::new(problem, levels, suppressed))
    };
    Ok(Outcome { found, nodes, checked: search.checked(), optimal: true })
}

/// A node that was found, looked at once more from the tuples.
pub(super) fn transformation(problem: &Problem<'_>, levels: Vec<usize>) -> Result<Transformation> {
    let evaluation: Evaluation = problem.evaluator()?.evaluate(&levels)?;
    Ok(Transformation::new(problem, levels, &evaluation))
}

/// What is smallest at the best node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// The score, among anonymous nodes.
    Score,
    /// The rows suppressed, whatever the limit.
    Suppression,
}

/// The node, or one above it, proves that the node suppresses too many rows. So it is for all nodes below.
const TOO_LOW: u8 = 1;
/// The node, or one below it, has a bound that is no better than the best node. So it is for all nodes above.
const TOO_HIGH: u8 = 2;
/// The node was looked at.
const DONE: u8 = 4;
/// The node was grouped, in this search or the one before.
const GROUPED: u8 = 8;
const CLOSED: u8 = TOO_LOW | TOO_HIGH | DONE;

/// Nodes that are looked at together. Fixed, so that the number of threads changes nothing.
const BATCH: usize = 8;

pub(super) struct Search<'a> {
    problem: &'a Problem<'a>,
    goal: Goal,
    crew: Crew<'a>,
    strides: Vec<usize>,
    sizes: Vec<usize>,
    marks: Vec<u8>,
    best: Option<Candidate>,
    /// Rows that every node suppresses at least.
    suppressed_everywhere: u64,
    /// No node with a smaller number is open.
    cursor: usize,
    /// When to stop all the same.
    deadline: Option<Instant>,
    stack: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(problem: &'a Problem<'a>, goal: Goal) -> Result<Self> {
        let lattice = &problem.lattice;
        let nodes =
            usize::try_from(lattice.nodes()).map_err(|_| Error::Parameter { name: "lattice", problem: "is too large".to_owned() })?;
        Ok(Self {
            problem,
            goal,
            crew: Crew::new(problem)?,
            strides: lattice.strides(),
            sizes: lattice.lowest().iter().zip(lattice.highest()).map(|(low, high)| high - low + 1).collect(),
            marks: vec![0; nodes],
            best: None,
            suppressed_everywhere: 0,
            cursor: 0,
            deadline: None,
            stack: Vec::new(),
        })
    }

    /// A search that knows a node already, and stops at a deadline.
    pub(super) fn after(problem: &'a Problem<'a>, best: Option<Candidate>, deadline: Option<Instant>) -> Result<Self> {
        Ok(Self { best, deadline, ..Self::new(problem, Goal::Score)? })
    }

    pub(super) fn take_best(&mut self) -> Option<Candidate> {
        self.best.take()
    }

    fn out_of_time(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn begin_again(&mut self, goal: Goal) -> Result<()> {
        self.goal = goal;
        self.marks.iter_mut().for_each(|marks| *marks &= GROUPED);
        self.cursor = 0;
        let highest = self.problem.lattice.highest().to_vec();
        let looks = self.look(&[self.marks.len() - 1])?;
        let [look] = looks.as_slice() else { return Ok(()) };
        debug_assert_eq!(look.classes.levels(), highest);
        self.suppressed_everywhere = self.crew.leader().suppressed_everywhere(&look.classes);
        Ok(())
    }

    /// Nodes that were grouped.
    pub(super) fn checked(&self) -> u64 {
        self.marks.iter().filter(|&marks| marks & GROUPED != 0).count() as u64
    }

    /// Whether the search came to its end.
    pub(super) fn run(&mut self) -> Result<bool> {
        self.paths()?;
        self.border()
    }

    /// Binary search along paths, until two of them in a row found nothing better.
    fn paths(&mut self) -> Result<()> {
        let mut failures = 0;
        while failures < 2 && !self.out_of_time() {
            let Some(start) = self.next_open(self.cursor)? else { return Ok(()) };
            self.cursor = start;
            let before = self.best.clone();
            let path = self.path(start)?;
            let (mut low, mut high) = (0, path.len());
            while low < high && !self.out_of_time() {
                let middle = usize::midpoint(low, high);
                let node = path[middle];
                let anonymous = if self.marks[node] & CLOSED == 0 {
                    let looks = self.look(&[node])?;
                    looks.first().is_some_and(|look| look.anonymous.is_some())
                } else {
                    self.marks[node] & TOO_LOW == 0
                };
                if anonymous { high = middle } else { low = middle + 1 }
            }
            failures = if before == self.best { failures + 1 } else { 0 };
            if self.marks[start] & CLOSED == 0 && failures > 0 {
                // Nothing can be concluded for the start: leave it to the second phase.
                return Ok(());
            }
        }
        Ok(())
    }

    /// The highest open nodes first.
    fn border(&mut self) -> Result<bool> {
        let always_concludes = self.crew.leader().always_concludes();
        let (mut looks, mut conclusions) = (0, 0);
        let mut nodes: Vec<usize> = Vec::with_capacity(BATCH);
        loop {
            nodes.clear();
            let Some(first) = self.next_open(self.cursor)? else { return Ok(true) };
            if self.out_of_time() {
                return Ok(false);
            }
            self.cursor = first;
            let mut start = Some(first);
            let mut tries = 0;
            while let Some(node) = start.filter(|_| nodes.len() < BATCH && tries < 4 * BATCH) {
                let highest = self.climb(node)?;
                if !nodes.contains(&highest) {
                    nodes.push(highest);
                }
                tries += 1;
                start = self.next_open(node + 1)?;
            }
            let looked = self.look(&nodes)?;
            looks += looked.len();
            conclusions += looked.iter().filter(|look| look.none_below).count();
            if !always_concludes && looks >= 2 * BATCH && 4 * conclusions < looks {
                return self.sweep();
            }
        }
    }

    /// The lowest open nodes first. Where one proves something for those below, the highest nodes above that prove the same are looked for.
    fn sweep(&mut self) -> Result<bool> {
        let mut too_low = true;
        loop {
            let mut nodes = Vec::with_capacity(BATCH);
            let mut next = self.next_open(self.cursor)?;
            let Some(first) = next else { return Ok(true) };
            if self.out_of_time() {
                return Ok(false);
            }
            self.cursor = first;
            if too_low {
                self.prove_too_low(first)?;
                too_low = self.marks[first] & TOO_LOW != 0;
                continue;
            }
            while let Some(node) = next.filter(|_| nodes.len() < BATCH) {
                nodes.push(node);
                next = self.next_open(node + 1)?;
            }
            too_low = self.look(&nodes)?.iter().any(|look| look.none_below);
        }
    }

    /// Binary search along a path from an open node for the highest node that proves something for those below.
    fn prove_too_low(&mut self, start: usize) -> Result<()> {
        let path = self.path(start)?;
        let (mut low, mut high) = (0, path.len());
        while low < high && !self.out_of_time() {
            let middle = usize::midpoint(low, high);
            if self.marks[path[middle]] & CLOSED == 0 {
                self.look(&[path[middle]])?;
            }
            if self.marks[path[middle]] & TOO_LOW != 0 { low = middle + 1 } else { high = middle }
        }
        Ok(())
    }

    /// An open node from which no higher one is open.
    fn climb(&mut self, start: usize) -> Result<usize> {
        Ok(self.path(start)?.pop().unwrap_or(start))
    }

    /// Open nodes upwards from an open one, each time along the smallest bound.
    fn path(&mut self, start: usize) -> Result<Vec<usize>> {
        let mut path = vec![start];
        let mut levels = self.problem.lattice.node(start);
        let mut node = start;
        loop {
            let mut next: Option<(Option<Score>, usize)> = None;
            for column in 0..levels.len() {
                if levels[column] == self.problem.lattice.highest()[column] {
                    continue;
                }
                let above = node + self.strides[column];
                if self.marks[above] & CLOSED != 0 {
                    continue;
                }
                levels[column] += 1;
                let bound = self.crew.leader().bound(&levels)?;
                let closed = self.close_by(above, &levels, bound.as_ref());
                levels[column] -= 1;
                if !closed && next.as_ref().is_none_or(|(smallest, _)| bound < *smallest) {
                    next = Some((bound, column));
                }
            }
            let Some((_, column)) = next else { return Ok(path) };
            levels[column] += 1;
            node += self.strides[column];
            path.push(node);
        }
    }

    /// The first open node from a number on.
    fn next_open(&mut self, from: usize) -> Result<Option<usize>> {
        for node in from..self.marks.len() {
            if self.marks[node] & CLOSED != 0 {
                continue;
            }
            if self.best.is_none() {
                return Ok(Some(node));
            }
            let levels = self.problem.lattice.node(node);
            let bound = self.crew.leader().bound(&levels)?;
            if !self.close_by(node, &levels, bound.as_ref()) {
                return Ok(Some(node));
            }
        }
        Ok(None)
    }

    /// Closes a node and all above it if they cannot be better than the best one; `bound` holds for all of them.
    fn close_by(&mut self, node: usize, levels: &[usize], bound: Option<&Score>) -> bool {
        let Some(best) = &self.best else { return false };
        let sum: usize = levels.iter().sum();
        let order = match self.goal {
            Goal::Score => match bound {
                Some(bound) => bound.cmp(&best.score).then_with(|| (0, sum, levels).cmp(&(best.suppressed, best.sum, &best.levels))),
                None => return false,
            },
            Goal::Suppression => (self.suppressed_everywhere, sum, levels).cmp(&(best.suppressed, best.sum, &best.levels)),
        };
        if order.is_lt() {
            return false;
        }
        self.mark_above(node);
        true
    }

    fn mark_above(&mut self, node: usize) {
        self.spread(node, TOO_HIGH, |step, size| step + 1 < size, |node, stride| node + stride);
    }

    fn mark_below(&mut self, node: usize) {
        self.spread(node, TOO_LOW, |step, _| step > 0, |node, stride| node - stride);
    }

    /// Marks a node and all that are reached from it. What is marked already was spread from before.
    fn spread(&mut self, node: usize, mark: u8, can: impl Fn(usize, usize) -> bool, go: impl Fn(usize, usize) -> usize) {
        if self.marks[node] & mark != 0 {
            return;
        }
        self.marks[node] |= mark;
        self.stack.push(node);
        while let Some(node) = self.stack.pop() {
            for (&stride, &size) in self.strides.iter().zip(&self.sizes) {
                if can(node / stride % size, size) {
                    let next = go(node, stride);
                    if self.marks[next] & mark == 0 {
                        self.marks[next] |= mark;
                        self.stack.push(next);
                    }
                }
            }
        }
    }

    /// Looks at nodes and draws conclusions, in their order.
    fn look(&mut self, nodes: &[usize]) -> Result<Vec<Look>> {
        let allowed = match (self.goal, &self.best) {
            (Goal::Score, _) => self.problem.allowed,
            (Goal::Suppression, Some(best)) => best.suppressed,
            (Goal::Suppression, None) => u64::MAX,
        };
        let tasks: Vec<Task> = nodes.iter().map(|&node| Task { levels: self.problem.lattice.node(node) }).collect();
        let (looks, stone) = self.crew.look(tasks, allowed, self.goal == Goal::Score)?;
        if let Some(node) = stone.and_then(|levels| self.problem.lattice.index(&levels)) {
            self.marks[node] |= GROUPED;
        }
        for (&node, look) in nodes.iter().zip(&looks) {
            self.marks[node] |= DONE | GROUPED;
            if look.none_below {
                self.mark_below(node);
            }
            let Some((suppressed, score)) = &look.anonymous else { continue };
            let levels = look.classes.levels();
            let candidate = Candidate { score: score.clone(), suppressed: *suppressed, sum: levels.iter().sum(), levels: levels.to_vec() };
            if self.best.as_ref().is_none_or(|best| candidate < *best) {
                self.best = Some(candidate);
            }
            if self.goal == Goal::Score && self.problem.metric.is_monotone() {
                self.close_by(node, levels, Some(score));
            }
        }
        Ok(looks)
    }
}
