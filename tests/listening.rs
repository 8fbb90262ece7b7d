//! Tests of `listening` from outside the crate.
