//! Rows that cannot be worked: how many, and the first.

use crate::error::{Error, Result};
use crate::pipeline::UNNAMED;

/// Counts rows. Rows are numbered from 0; the caller says which number the first row of an array has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    count: u64,
    first: u64,
}

impl Faults {
    pub(super) fn note(&mut self, row: u64) {
        if self.count == 0 || row < self.first {
            self.first = row;
        }
        self.count += 1;
    }

    /// # Errors
    /// Rows were noted: the column does not fit its use.
    pub(super) fn check(self, problem: &str, remedy: &str) -> Result<()> {
        match self {
            Self { count: 0, .. } => Ok(()),
            Self { count, first } => Err(Error::rows(UNNAMED, count, format!("{problem}, first in row {first} (counted from 0)"), remedy)),
        }
    }

    /// # Errors
    /// Rows were noted: their tokens were not made with this key.
    pub(super) fn check_key(self, rows: usize, hint: &str) -> Result<()> {
        match self {
            Self { count: 0, .. } => Ok(()),
            Self { count, first } => Err(Error::Key {
                problem: format!(
                    "{count} of {rows} tokens were altered, or made with another key or for another domain, first in row {first} (counted from 0)"
                ),
                remedy: format!(
                    "take the key file and name the recipient, release, product, scope and column that the tokens were made with{hint}"
                ),
            }),
        }
    }
}
