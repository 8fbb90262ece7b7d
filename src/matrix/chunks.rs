//! Rows as codes, in chunks that can be visited again.

use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;

/// What [`PairChunks`] calls with the subject codes and the item codes of a chunk.
pub type VisitPairs<'a> = &'a mut dyn FnMut(&[u32], &[u32]) -> Result<()>;

/// What [`CodeChunks`] calls with the subject codes and the columns of codes of a chunk.
pub type VisitCodes<'a> = &'a mut dyn FnMut(&[u32], &[&[u32]]) -> Result<()>;

/// Rows of (subject, item) codes that can be visited as often as needed.
///
/// A code is below the number of subjects or items, or it is [`NULL_CODE`]: then the row counts for nothing.
pub trait PairChunks {
    /// Calls `visit` with the subject codes and the item codes of every chunk.
    ///
    /// # Errors
    /// The rows cannot be read again, or `visit` failed.
    fn for_each(&self, visit: VisitPairs<'_>) -> Result<()>;
}

/// Rows of one subject code and several other codes that can be visited as often as needed.
pub trait CodeChunks {
    /// Calls `visit` with the subject codes and the columns of codes of every chunk. The columns are the same in every chunk.
    ///
    /// # Errors
    /// The rows cannot be read again, or `visit` failed.
    fn for_each(&self, visit: VisitCodes<'_>) -> Result<()>;
}

impl<T: PairChunks + ?Sized> PairChunks for &T {
    fn for_each(&self, visit: VisitPairs<'_>) -> Result<()> {
        (**self).for_each(visit)
    }
}

impl PairChunks for (&[u32], &[u32]) {
    fn for_each(&self, visit: VisitPairs<'_>) -> Result<()> {
        visit(self.0, self.1)
    }
}

impl PairChunks for [(Vec<u32>, Vec<u32>)] {
    fn for_each(&self, visit: VisitPairs<'_>) -> Result<()> {
        self.iter().try_for_each(|(subjects, items)| visit(subjects, items))
    }
}

impl PairChunks for Vec<(Vec<u32>, Vec<u32>)> {
    fn for_each(&self, visit: VisitPairs<'_>) -> Result<()> {
        self.as_slice().for_each(visit)
    }
}

impl<T: CodeChunks + ?Sized> CodeChunks for &T {
    fn for_each(&self, visit: VisitCodes<'_>) -> Result<()> {
        (**self).for_each(visit)
    }
}

impl CodeChunks for (&[u32], &[&[u32]]) {
    fn for_each(&self, visit: VisitCodes<'_>) -> Result<()> {
        visit(self.0, self.1)
    }
}

impl CodeChunks for [(Vec<u32>, Vec<Vec<u32>>)] {
    fn for_each(&self, visit: VisitCodes<'_>) -> Result<()> {
        self.iter().try_for_each(|(subjects, columns)| {
            let columns: Vec<&[u32]> = columns.iter().map(Vec::as_slice).collect();
            visit(subjects, &columns)
        })
    }
}

impl CodeChunks for Vec<(Vec<u32>, Vec<Vec<u32>>)> {
    fn for_each(&self, visit: VisitCodes<'_>) -> Result<()> {
        self.as_slice().for_each(visit)
    }
}

/// Fails unless two columns of a chunk are of one length.
pub(crate) fn same_length(left: usize, right: usize) -> Result<()> {
    if left == right {
        Ok(())
    } else {
        Err(Error::Parameter { name: "chunk", problem: format!("its columns differ in length: {left} and {right} rows") })
    }
}

/// What is said of a code that is not below the declared number of values.
pub(crate) fn code_out_of_range(name: &'static str, count: usize) -> Error {
    Error::Parameter { name, problem: format!("a code is not below the declared number, {count}") }
}

/// Checks the number of codes: [`NULL_CODE`] must not be one of them.
pub(crate) fn check_count(name: &'static str, count: usize) -> Result<()> {
    if u32::try_from(count).is_ok_and(|count| count < NULL_CODE) {
        Ok(())
    } else {
        Err(Error::Parameter { name, problem: format!("{count} values are more than 32-bit codes can name") })
    }
}
