//! A table held as codes: every distinct value once, rows as small integers.

mod interner;

pub use interner::{ColumnInterner, NULL_CODE};
