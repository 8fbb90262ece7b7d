//! Running accumulators over sources.

use crate::error::{Error, Result};
use crate::io::{BatchStream, LeftOut, ReadOptions, Source};
use crate::pipeline::Fit;
use arrow::array::RecordBatch;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Runs one pass of an accumulator over all pieces of all sources, on up to `options.threads` threads, and returns the accumulator before it is finished.
///
/// Every thread has an accumulator of its own, made by `make`. It takes whole pieces (row groups, files) while there are any, and then helps with the batches of the
/// others' pieces, so that one large file keeps all threads busy. The accumulators are merged at the end.
///
/// ```
/// use backmask::arrow::array::{RecordBatch, StringArray, TimestampSecondArray};
/// use backmask::{engine, io::{MemorySource, ReadOptions, Source}, transform::RelativeFit};
/// use std::sync::Arc;
///
/// let batch = RecordBatch::try_from_iter([
///     ("subject_id", Arc::new(StringArray::from(vec!["ann", "bob", "ann"])) as _),
///     ("started_at", Arc::new(TimestampSecondArray::from(vec![90, 10, 60])) as _),
/// ])?;
/// let source: Arc<dyn Source> = Arc::new(MemorySource::new("pool", batch.schema(), vec![batch])?);
/// let fitted = engine::fit(&[source], &ReadOptions::default(), || RelativeFit::new("subject_id", "started_at"))?;
/// assert_eq!(fitted.subjects(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Guarantee
/// The result is the same for any number of threads, batch size and split, because that holds for every [`Fit`]. So is the error: that of the first piece
/// and batch, in the order of the sources, that has one.
///
/// # Errors
/// A source cannot be read, or the accumulator refuses a batch.
pub fn fit<F: Fit>(sources: &[Arc<dyn Source>], options: &ReadOptions, make: impl Fn() -> F + Sync) -> Result<F> {
    fit_counting(sources, options, &LeftOut::default(), make)
}

/// [`fit`], which also adds to `left_out` the rows that the readers left out on purpose, by reason.
///
/// # Errors
/// As for [`fit`].
pub fn fit_counting<F: Fit>(
    sources: &[Arc<dyn Source>],
    options: &ReadOptions,
    left_out: &LeftOut,
    make: impl Fn() -> F + Sync,
) -> Result<F> {
    let pieces = sources.iter().flat_map(|source| (0..source.splits()).map(move |split| (source, split)));
    // The pieces are the parallelism; a reader that started threads of its own on top would only fight for the same cores.
    let single = ReadOptions { threads: 1, ..options.clone() };
    let open = |source: &Arc<dyn Source>, split| {
        let (source, options) = (Arc::clone(source), single.clone());
        move || source.open_split(split, &options)
    };
    let pieces: Vec<_> = pieces.map(|(source, split)| Piece::new(open(source, split))).collect();
    let fitted = run(&pieces, options.threads, &make)?;
    for piece in &pieces {
        if let Progress::Ended(Some(counts)) = &*piece.lock() {
            counts.counts().into_iter().for_each(|(reason, rows)| left_out.add(reason, rows));
        }
    }
    Ok(fitted)
}

/// Runs an accumulator over one stream, on up to `threads` threads that take batches in turn. See [`fit`].
///
/// ```
/// use backmask::arrow::array::{Date32Array, RecordBatch, StringArray};
/// use backmask::{engine, io::BatchStream, transform::RelativeFit};
/// use std::sync::Arc;
///
/// let batch = RecordBatch::try_from_iter([
///     ("who", Arc::new(StringArray::from(vec!["ann", "bob"])) as _),
///     ("when", Arc::new(Date32Array::from(vec![1, 2])) as _),
/// ])?;
/// let stream = BatchStream::new(batch.schema(), [Ok(batch)].into_iter());
/// assert_eq!(engine::fit_stream(stream, 2, || RelativeFit::new("who", "when"))?.subjects(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The stream has an error, or the accumulator refuses a batch.
pub fn fit_stream<F: Fit>(stream: BatchStream, threads: usize, make: impl Fn() -> F + Sync) -> Result<F> {
    run(&[Piece::new(move || Ok(stream))], threads, &make)
}

/// A stream that several threads take batches from.
struct Piece<'a>(Mutex<Progress<'a>>);

enum Progress<'a> {
    Closed(Box<dyn FnOnce() -> Result<BatchStream> + Send + 'a>),
    Open { stream: BatchStream, next: usize },
    Ended(Option<Arc<LeftOut>>),
}

impl<'a> Piece<'a> {
    fn new(open: impl FnOnce() -> Result<BatchStream> + Send + 'a) -> Self {
        Self(Mutex::new(Progress::Closed(Box::new(open))))
    }

    fn lock(&self) -> MutexGuard<'_, Progress<'a>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch with its number inside the piece; an error ends the piece.
    fn next(&self) -> Option<(usize, Result<RecordBatch>)> {
        let mut progress = self.lock();
        if let Progress::Closed(_) = *progress
            && let Progress::Closed(open) = std::mem::replace(&mut *progress, Progress::Ended(None))
        {
            match open() {
                Ok(stream) => *progress = Progress::Open { stream, next: 0 },
                Err(error) => return Some((0, Err(error))),
            }
        }
        let Progress::Open { stream, next } = &mut *progress else { return None };
        let number = *next;
        *next += 1;
        let batch = stream.next();
        if !matches!(batch, Some(Ok(_))) {
            let left_out = stream.left_out();
            *progress = Progress::Ended(Some(left_out));
        }
        batch.map(|batch| (number, batch))
    }
}

/// The first error, by piece and batch. Work behind it is pointless; work before it is still done, because it may hold an earlier error.
#[derive(Default)]
struct FirstError(Mutex<Option<((usize, usize), Error)>>);

impl FirstError {
    fn report(&self, place: (usize, usize), error: Error) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(known, _)| place < *known) {
            *first = Some((place, error));
        }
    }

    fn precedes(&self, place: (usize, usize)) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|(known, _)| *known <= place)
    }
}

fn run<F: Fit>(pieces: &[Piece<'_>], threads: usize, make: &(impl Fn() -> F + Sync)) -> Result<F> {
    let (claimed, first_error) = (AtomicUsize::new(0), FirstError::default());
    let drain = |fit: &mut F, index: usize, piece: &Piece<'_>| {
        while !first_error.precedes((index, 0)) {
            let Some((number, batch)) = piece.next() else { return };
            if first_error.precedes((index, number)) {
                return;
            }
            if let Err(error) = batch.and_then(|batch| fit.observe(&batch)) {
                first_error.report((index, number), error);
                return;
            }
        }
    };
    let work = || {
        let mut fit = make();
        // First whole pieces …
        while let index = claimed.fetch_add(1, Ordering::Relaxed)
            && let Some(piece) = pieces.get(index)
        {
            drain(&mut fit, index, piece);
        }
        // … then what is left of the others'.
        for (index, piece) in pieces.iter().enumerate() {
            drain(&mut fit, index, piece);
        }
        fit
    };
    let mut fits = if threads <= 1 {
        vec![work()]
    } else {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        })
    }
    .into_iter();
    if let Some((_, error)) = first_error.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut all = fits.next().unwrap_or_else(make);
    fits.try_for_each(|fit| all.merge(fit))?;
    Ok(all)
}
