//! The same work on several parts.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What `work` gives for 0, 1, … below `count`, in this order, whatever the number of threads.
pub(super) fn in_parallel<T: Send>(count: usize, threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    if threads < 2 || count < 2 {
        return (0..count).map(work).collect();
    }
    let (next, work) = (AtomicUsize::new(0), &work);
    let mut done: Vec<(usize, T)> = std::thread::scope(|scope| {
        let take = || std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&part| part < count));
        let handles: Vec<_> =
            (0..threads.min(count)).map(|_| scope.spawn(move || take().map(|part| (part, work(part))).collect::<Vec<_>>())).collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, _>| match handle.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        handles.into_iter().flat_map(join).collect()
    });
    done.sort_unstable_by_key(|entry| entry.0);
    done.into_iter().map(|entry| entry.1).collect()
}

#[cfg(test)]
mod tests {
    use super::in_parallel;

    #[test]
    fn the_order_is_that_of_the_parts() {
        for threads in [1, 2, 5] {
            for count in [0, 1, 2, 97] {
                assert_eq!(in_parallel(count, threads, |part| part * part), (0..count).map(|part| part * part).collect::<Vec<_>>());
            }
        }
    }
}
