//! Tests of `io` from outside the crate.
