//! Classes of nodes that were looked at, to roll up others from.

use crate::anonymity::classes::Classes;
use std::sync::Arc;

/// Keeps classes within a limit of memory. What is kept depends only on the order of the calls.
#[derive(Debug)]
pub(super) struct Snapshots {
    kept: Vec<Snapshot>,
    bytes: usize,
    limit: usize,
    clock: u64,
    /// Classes that only one roll-up in a few would use are not worth the search for them.
    most: usize,
}

#[derive(Debug)]
struct Snapshot {
    classes: Arc<Classes>,
    bytes: usize,
    used: u64,
}

/// Snapshots that are kept at most, whatever their size.
const MOST: usize = 256;

impl Snapshots {
    pub(super) fn new(limit: usize) -> Self {
        Self { kept: Vec::new(), bytes: 0, limit, clock: 0, most: MOST }
    }

    /// The smallest snapshot from which these levels can be rolled up.
    pub(super) fn source(&mut self, levels: &[usize]) -> Option<Arc<Classes>> {
        self.clock += 1;
        let fits = |snapshot: &&mut Snapshot| snapshot.classes.levels().iter().zip(levels).all(|(from, to)| from <= to);
        let best = self.kept.iter_mut().filter(fits).min_by_key(|snapshot| snapshot.classes.parts())?;
        best.used = self.clock;
        Some(Arc::clone(&best.classes))
    }

    /// Keeps classes that were rolled up from `source` parts, if they are so much smaller that they are worth it.
    pub(super) fn keep(&mut self, classes: &Arc<Classes>, source: usize) {
        let bytes = classes.bytes();
        if classes.parts() * 10 > source * 9 || bytes > self.limit {
            return;
        }
        if self.kept.iter().any(|snapshot| snapshot.classes.levels() == classes.levels()) {
            return;
        }
        self.clock += 1;
        self.bytes += bytes;
        self.kept.push(Snapshot { classes: Arc::clone(classes), bytes, used: self.clock });
        while self.bytes > self.limit || self.kept.len() > self.most {
            let Some((oldest, _)) = self.kept.iter().enumerate().min_by_key(|(_, snapshot)| snapshot.used) else { break };
            self.bytes -= self.kept.swap_remove(oldest).bytes;
        }
    }
}
