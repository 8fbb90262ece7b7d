//! Tests of `release` from outside the crate.
