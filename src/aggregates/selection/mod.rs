//! Which items may be named: selection from a domain that nobody declared.
//!
//! That an item is in a catalogue says that somebody has it. [`SetUnion`] names only items with so much support, after noise, that no single person's presence decides.

mod set_union;
#[cfg(test)]
mod tests;

pub use set_union::{Round, Selected, SetUnion, SetUnionOptions};
