//! Tests of `pseudonym` from outside the crate.
