//! Local recoding.

mod cell;
mod cuts;
mod dimension;
mod judge;
mod mondrian;
mod partition;
mod recoding;
mod rows;
mod seal;

pub use cell::MISSING;
pub use dimension::{Dimension, DimensionKind};
pub use mondrian::{Resources, mondrian, mondrian_relaxed};
pub use recoding::{Found, LocalRecoding, Shortfall};
pub use rows::{RowTable, Rows};

/// What one round of repeated full-domain recoding did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// One level a column.
    pub levels: Vec<usize>,
    /// Rows that the round released.
    pub rows: u64,
    /// Classes that the round made.
    pub classes: u64,
}
