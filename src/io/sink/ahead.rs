//! Making batches on one thread while another encodes them.

use super::Sink;
use crate::error::Result;
use arrow::array::RecordBatch;
use std::sync::mpsc::sync_channel;

/// Batches that may wait for the sink.
const WAITING: usize = 2;

/// Writes all `batches`. With more than one of `threads` they are made on a thread of their own, a few ahead of the sink; the file is the same.
///
/// # Errors
/// The first error of the batches or of the sink; nothing is written after it.
pub fn write_all(sink: &mut dyn Sink, mut batches: impl Iterator<Item = Result<RecordBatch>> + Send, threads: usize) -> Result<()> {
    if threads <= 1 {
        return batches.try_for_each(|batch| sink.write(&batch?));
    }
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        scope.spawn(move || {
            for batch in batches {
                let failed = batch.is_err();
                // A sink that failed no longer listens.
                if sender.send(batch).is_err() || failed {
                    break;
                }
            }
        });
        receiver.into_iter().try_for_each(|batch| sink.write(&batch?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::io::Written;
    use arrow::array::{ArrayRef, Int64Array};
    use std::sync::Arc;

    #[derive(Debug)]
    /// Counts rows; fails at the third batch if it is to.
    struct Counter(usize, bool);

    impl Sink for Counter {
        fn write(&mut self, batch: &RecordBatch) -> Result<()> {
            self.0 += batch.num_rows();
            if self.1 && self.0 >= 3 { Err(Error::data("sink", None, "is full", "empty it")) } else { Ok(()) }
        }

        fn finish(self: Box<Self>) -> Result<Written> {
            Err(Error::data("sink", None, "has no file", "use another"))
        }
    }

    fn batch(number: i64) -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![number])) as ArrayRef)]).unwrap()
    }

    #[test]
    fn all_batches_arrive_and_errors_end_the_writing() {
        let mut sink = Counter(0, false);
        write_all(&mut sink, (0..100).map(|n| Ok(batch(n))), 2).unwrap();
        assert_eq!(sink.0, 100);
        let mut sink = Counter(0, false);
        let failing = (0..100).map(|n| if n == 5 { Err(Error::data("file", None, "is torn", "mend it")) } else { Ok(batch(n)) });
        assert!(write_all(&mut sink, failing, 2).unwrap_err().to_string().contains("torn"));
        assert_eq!(sink.0, 5);
        let mut sink = Counter(0, true);
        assert!(
            write_all(&mut sink, (0..).map(|n| Ok(batch(n))), 2).unwrap_err().to_string().contains("full"),
            "an endless source ends too"
        );
    }
}
