//! Tests of `transform` from outside the crate.
