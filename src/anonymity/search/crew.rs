//! Looks at several nodes at once.

use super::Problem;
use super::look::{Look, Looker};
use super::snapshots::Snapshots;
use crate::anonymity::classes::Classes;
use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A node to look at.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) levels: Vec<usize>,
}

/// Threads with what they share.
#[derive(Debug)]
pub(super) struct Crew<'a> {
    lookers: Vec<Looker<'a>>,
    snapshots: Snapshots,
    tuples: usize,
}

/// Bytes of classes that are kept to roll up others from.
const SNAPSHOT_BYTES: usize = 64 << 20;

/// Parts from which starting threads is worth it.
const PARTS_FOR_THREADS: usize = 200_000;

/// Parts from which a common source is worth it.
const PARTS_FOR_STONE: usize = 512;

impl<'a> Crew<'a> {
    pub(super) fn new(problem: &'a Problem<'a>) -> Result<Self> {
        let leader = Looker::new(problem)?;
        let mut lookers: Vec<Looker<'a>> = (1..problem.threads).map(|_| leader.another()).collect();
        lookers.insert(0, leader);
        Ok(Self { lookers, snapshots: Snapshots::new(SNAPSHOT_BYTES), tuples: problem.tuples.len() })
    }

    pub(super) fn leader(&self) -> &Looker<'a> {
        &self.lookers[0]
    }

    /// Looks at the nodes. Also gives the levels of a node that was grouped only to roll up the others from.
    pub(super) fn look(&mut self, tasks: Vec<Task>, allowed: u64, scored: bool) -> Result<(Vec<Look>, Option<Vec<usize>>)> {
        let stone = self.stone(&tasks)?;
        let tasks: Vec<(Task, Option<Arc<Classes>>)> = tasks
            .into_iter()
            .map(|task| {
                let source = self.snapshots.source(&task.levels);
                (task, source)
            })
            .collect();
        let parts = |source: &Option<Arc<Classes>>| source.as_ref().map_or(self.tuples, |source| source.parts());
        let all: usize = tasks.iter().map(|(_, source)| parts(source)).sum();
        let looks = if self.lookers.len() > 1 && tasks.len() > 1 && all >= PARTS_FOR_THREADS {
            in_threads(&mut self.lookers, &tasks, allowed, scored)?
        } else {
            let looker = &mut self.lookers[0];
            tasks.iter().map(|(task, source)| one(looker, task, source.as_ref(), allowed, scored)).collect::<Result<_>>()?
        };
        for ((_, source), look) in tasks.iter().zip(&looks) {
            let parts = source.as_ref().map_or(self.tuples, |source| source.parts());
            self.snapshots.keep(&look.classes, parts);
        }
        Ok((looks, stone))
    }

    /// Groups the highest node that lies below all of the tasks, if that makes it cheaper to look at them.
    fn stone(&mut self, tasks: &[Task]) -> Result<Option<Vec<usize>>> {
        let [first, rest @ ..] = tasks else { return Ok(None) };
        if rest.is_empty() {
            return Ok(None);
        }
        let mut levels = first.levels.clone();
        for task in rest {
            for (level, &other) in levels.iter_mut().zip(&task.levels) {
                *level = (*level).min(other);
            }
        }
        let source = self.snapshots.source(&levels);
        let parts = source.as_ref().map_or(self.tuples, |source| source.parts());
        if parts < PARTS_FOR_STONE || source.as_ref().is_some_and(|source| source.levels() == levels) {
            return Ok(None);
        }
        let classes = Arc::new(self.lookers[0].group(source.as_deref(), &levels)?);
        self.snapshots.keep(&classes, parts);
        Ok(Some(levels))
    }
}

fn one(looker: &mut Looker<'_>, task: &Task, source: Option<&Arc<Classes>>, allowed: u64, scored: bool) -> Result<Look> {
    let classes = match source {
        Some(source) if source.levels() == task.levels => Arc::clone(source),
        _ => Arc::new(looker.group(source.map(AsRef::as_ref), &task.levels)?),
    };
    looker.judge(classes, allowed, scored)
}

type Sourced = (Task, Option<Arc<Classes>>);

/// Every thread takes the next task that nobody has taken. Results are put in the order of tasks.
fn in_threads(lookers: &mut [Looker<'_>], tasks: &[Sourced], allowed: u64, scored: bool) -> Result<Vec<Look>> {
    let next = AtomicUsize::new(0);
    let work = |looker: &mut Looker<'_>| {
        let mut done = Vec::new();
        while let Some((index, (task, source))) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|index| Some((index, tasks.get(index)?)))
        {
            done.push((index, one(looker, task, source.as_ref(), allowed, scored)));
        }
        done
    };
    let panicked = || Error::Parameter { name: "threads", problem: "did not end as they should".to_owned() };
    let done = std::thread::scope(|scope| {
        let handles: Vec<_> = lookers.iter_mut().map(|looker| scope.spawn(|| work(looker))).collect();
        handles.into_iter().map(|handle| handle.join().map_err(|_| panicked())).collect::<Result<Vec<_>>>()
    })?;
    let mut all: Vec<_> = done.into_iter().flatten().collect();
    all.sort_by_key(|&(index, _)| index);
    all.into_iter().map(|(_, look)| look).collect()
}
