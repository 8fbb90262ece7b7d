//! A table held as codes: every distinct value once, rows as small integers, in memory or spilled.

mod coded;
mod interner;
mod order;
mod packed;
mod spill;

pub use coded::{CodedTable, CodedTableBuilder, TableOptions, gather_values};
pub use interner::{ColumnInterner, NULL_CODE};
pub use order::{Bin, OrderedRows, RowOrder, Then};
