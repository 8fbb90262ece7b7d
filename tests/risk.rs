//! Tests of `risk` from outside the crate.
