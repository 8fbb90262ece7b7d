//! Tests of `keys` from outside the crate.
