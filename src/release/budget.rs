//! How the memory of a run is shared out.

/// Bytes of memory for the parts of a run. Beside them the run holds distinct people and values, a byte or two a row, and the pages of the row group that is being written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Rows of a table that is held as codes; more go to a temporary file. The pool and one written product are held at a time.
    pub(super) fn table(self) -> usize {
        self.0 / 6
    }

    /// Rows that are being put in order for writing.
    pub(super) fn ordering(self) -> usize {
        self.0 / 8
    }

    /// One algorithm: support, caps, an attack's index.
    pub(super) fn algorithm(self) -> usize {
        self.0 / 10
    }
}
