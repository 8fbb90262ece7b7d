//! Tests of `matrix` from outside the crate.
