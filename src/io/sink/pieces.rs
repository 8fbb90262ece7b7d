//! Batches cut anew into pieces of one size, so that the written bytes do not depend on how the rows came.

use crate::error::{Error, Result};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

/// Rows in a piece.
pub(super) const PIECE_ROWS: usize = 8192;

/// Rows that wait until they fill a piece.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    waiting: Vec<RecordBatch>,
    rows: usize,
}

impl Pieces {
    /// Adds a batch; gives the pieces that are full now.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let mut full = Vec::new();
        let mut start = 0;
        while start < batch.num_rows() {
            let rows = (PIECE_ROWS - self.rows).min(batch.num_rows() - start);
            self.waiting.push(batch.slice(start, rows));
            self.rows += rows;
            start += rows;
            if self.rows == PIECE_ROWS {
                full.extend(self.rest()?);
            }
        }
        Ok(full)
    }

    /// What is left, fewer rows than a piece.
    pub(super) fn rest(&mut self) -> Result<Option<RecordBatch>> {
        self.rows = 0;
        let waiting = std::mem::take(&mut self.waiting);
        match waiting.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            [first, ..] => concat_batches(&first.schema(), &waiting).map(Some).map_err(|e| Error::arrow("joining batches for writing", &e)),
        }
    }
}
