//! Aggregates from outside the crate.

mod co_listening;
