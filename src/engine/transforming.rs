//! Running transforms over streams.

use crate::error::{Error, Result};
use crate::io::BatchStream;
use crate::pipeline::Transform;
use arrow::array::RecordBatch;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The stream with every batch transformed, one at a time, when it is asked for.
///
/// ```
/// use backmask::arrow::array::{Int64Array, RecordBatch};
/// use backmask::{engine, io::BatchStream, transform::DropColumns};
/// use std::sync::Arc;
///
/// let column = || Arc::new(Int64Array::from(vec![1])) as _;
/// let batch = RecordBatch::try_from_iter([("plays", column()), ("secret", column())])?;
/// let stream = BatchStream::new(batch.schema(), [Ok(batch)].into_iter());
/// let released = engine::transform(stream, DropColumns::new(["secret"]))?;
/// assert_eq!(released.schema().fields().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The stream's schema does not fit the transform. Errors of batches come out of the stream.
pub fn transform(stream: BatchStream, step: impl Transform + 'static) -> Result<BatchStream> {
    let schema = step.output_schema(&stream.schema())?;
    let left_out = stream.left_out();
    let batches = stream.map(move |batch| batch.and_then(|batch| step.apply(&batch)));
    Ok(BatchStream::new(schema, until_error(batches)).with_left_out(left_out))
}

/// [`transform`] on `threads` threads. The batches come out in the order in which they went in; a few are worked on ahead of the reader.
///
/// # Errors
/// As for [`transform`].
pub fn transform_on(stream: BatchStream, step: impl Transform + 'static, threads: usize) -> Result<BatchStream> {
    if threads <= 1 {
        return transform(stream, step);
    }
    let schema = step.output_schema(&stream.schema())?;
    let left_out = stream.left_out();
    let (jobs, queue) = sync_channel::<Job>(threads);
    let (step, queue): (Arc<dyn Transform>, _) = (Arc::new(step), Arc::new(Mutex::new(queue)));
    for _ in 0..threads {
        let (step, queue) = (Arc::clone(&step), Arc::clone(&queue));
        // Ends when `InTurn`, and with it the only sender, is dropped.
        thread::spawn(move || {
            while let Some((batch, result)) = next_job(&queue) {
                // Nobody listens any more if the reader was dropped early.
                let _ = result.send(step.apply(&batch));
            }
        });
    }
    let batches = InTurn { stream: Some(stream), jobs, pending: VecDeque::new(), ahead: 2 * threads };
    Ok(BatchStream::new(schema, until_error(batches)).with_left_out(left_out))
}

type Job = (RecordBatch, SyncSender<Result<RecordBatch>>);

fn next_job(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Results in the order of the batches, whichever thread made them.
struct InTurn {
    /// `None` after its end.
    stream: Option<BatchStream>,
    jobs: SyncSender<Job>,
    pending: VecDeque<Pending>,
    /// How many batches may be under way.
    ahead: usize,
}

enum Pending {
    Result(Receiver<Result<RecordBatch>>),
    Failed(Error),
}

impl Iterator for InTurn {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.pending.len() < self.ahead
            && let Some(stream) = &mut self.stream
        {
            match stream.next() {
                Some(Ok(batch)) => {
                    let (result, receiver) = sync_channel(1);
                    match self.jobs.send((batch, result)) {
                        Ok(()) => self.pending.push_back(Pending::Result(receiver)),
                        Err(_) => self.pending.push_back(Pending::Failed(stopped())),
                    }
                }
                Some(Err(error)) => {
                    self.stream = None;
                    self.pending.push_back(Pending::Failed(error));
                }
                None => self.stream = None,
            }
        }
        Some(match self.pending.pop_front()? {
            Pending::Result(receiver) => receiver.recv().unwrap_or_else(|_| Err(stopped())),
            Pending::Failed(error) => Err(error),
        })
    }
}

fn stopped() -> Error {
    Error::Arrow { context: "transforming a batch".to_owned(), kind: "a worker thread stopped".to_owned() }
}

/// Ends after the first error.
fn until_error(batches: impl Iterator<Item = Result<RecordBatch>>) -> impl Iterator<Item = Result<RecordBatch>> {
    batches.scan(false, |failed, batch| {
        let ended = *failed;
        *failed = batch.is_err();
        (!ended).then_some(batch)
    })
}
