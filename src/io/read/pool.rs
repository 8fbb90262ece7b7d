//! Threads that decode ahead of the consumer.

use super::{Plan, Tagged};
use crate::error::{Error, Result};
use arrow::array::{Array, RecordBatch};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// How many bytes of decoded batches may wait. One batch may always wait, whatever its size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Of the splits after the one that is being consumed, together.
    pub(super) ahead: usize,
    /// Of the split that is being consumed.
    pub(super) current: usize,
}

pub(super) const BUDGET: Budget = Budget { ahead: 64 << 20, current: 32 << 20 };

/// Threads that decode jobs in order, each into its own queue.
pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    budget: Budget,
    state: Mutex<State>,
    /// Told when a queue gains a batch or ends.
    filled: Condvar,
    /// Told when the consumer took a batch, went on to the next job, or left.
    drained: Condvar,
}

#[derive(Default)]
struct State {
    /// Queues of the jobs `current..next`.
    queues: VecDeque<Queue>,
    current: usize,
    next: usize,
    /// Bytes waiting in the queues after the first.
    ahead: usize,
    stopped: bool,
}

#[derive(Default)]
struct Queue {
    batches: VecDeque<(Result<RecordBatch>, usize)>,
    bytes: usize,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next job; `None` when all are taken or the consumer has left.
    fn take_job(&self, jobs: usize) -> Option<usize> {
        let mut state = self.lock();
        if state.stopped || state.next >= jobs {
            return None;
        }
        let job = state.next;
        state.next += 1;
        state.queues.push_back(Queue::default());
        Some(job)
    }

    /// Hands over a batch, waiting for room first. False when the consumer has left.
    ///
    /// The job being consumed waits only for its own queue, which the consumer empties; jobs are taken in order, so it always has a thread.
    /// Jobs after it wait for the consumer to come nearer. Hence nobody waits for ever.
    fn put(&self, job: usize, item: Result<RecordBatch>) -> bool {
        let bytes = item.as_ref().map_or(0, visible_bytes);
        let mut state = self.lock();
        loop {
            if state.stopped {
                return false;
            }
            let current = state.current == job;
            let waiting = if current { state.queues.front().map_or(0, |queue| queue.bytes) } else { state.ahead };
            if waiting == 0 || waiting.saturating_add(bytes) <= if current { self.budget.current } else { self.budget.ahead } {
                let position = job.saturating_sub(state.current);
                if let Some(queue) = state.queues.get_mut(position) {
                    queue.batches.push_back((item, bytes));
                    queue.bytes += bytes;
                }
                if !current {
                    state.ahead += bytes;
                }
                drop(state);
                self.filled.notify_one();
                return true;
            }
            state = self.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end(&self, job: usize) {
        let mut state = self.lock();
        let position = job.saturating_sub(state.current);
        if let Some(queue) = state.queues.get_mut(position) {
            queue.ended = true;
        }
        drop(state);
        self.filled.notify_one();
    }

    fn work(&self, plan: &Plan) {
        while let Some(job) = self.take_job(plan.jobs.len()) {
            match plan.open(job) {
                Some(Ok(mut stream)) => {
                    while let Some(batch) = plan.next(job, &mut stream) {
                        let failed = batch.is_err();
                        if !self.put(job, batch) || failed {
                            break;
                        }
                    }
                }
                Some(Err(error)) => {
                    self.put(job, Err(error));
                }
                None => {}
            }
            self.end(job);
        }
    }
}

/// Bytes of what the batch shows; of a slice only its part.
fn visible_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|array| array.to_data().get_slice_memory_size().unwrap_or_default()).sum()
}

impl Pool {
    pub(super) fn start(plan: &Arc<Plan>, threads: usize, budget: Budget) -> Result<Self> {
        let shared = Arc::new(Shared { budget, state: Mutex::default(), filled: Condvar::new(), drained: Condvar::new() });
        let mut pool = Self { shared: Arc::clone(&shared), threads: Vec::new() };
        for _ in 0..threads {
            let (shared, plan) = (Arc::clone(&shared), Arc::clone(plan));
            // Where the system gives fewer threads than wanted, those that run do the work; on an error the pool's drop stops them.
            match thread::Builder::new().name("backmask-read".to_owned()).spawn(move || shared.work(&plan)) {
                Ok(handle) => pool.threads.push(handle),
                Err(_) if !pool.threads.is_empty() => break,
                Err(error) => return Err(Error::io("starting a thread", error)),
            }
        }
        Ok(pool)
    }

    pub(super) fn next(&mut self, plan: &Plan) -> Option<Result<Tagged>> {
        let mut state = self.shared.lock();
        loop {
            if state.current >= plan.jobs.len() {
                return None;
            }
            if let Some(queue) = state.queues.front_mut() {
                if let Some((item, bytes)) = queue.batches.pop_front() {
                    queue.bytes = queue.bytes.saturating_sub(bytes);
                    let source = plan.source_of(state.current);
                    drop(state);
                    self.shared.drained.notify_all();
                    return Some(item.map(|batch| Tagged { source, batch }));
                }
                if queue.ended {
                    state.queues.pop_front();
                    state.current += 1;
                    let bytes = state.queues.front().map_or(0, |queue| queue.bytes);
                    state.ahead = state.ahead.saturating_sub(bytes);
                    self.shared.drained.notify_all();
                    continue;
                }
            }
            state = self.shared.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.drained.notify_all();
        for thread in self.threads.drain(..) {
            // A thread cannot panic: the decoders are guarded.
            let _ = thread.join();
        }
    }
}
