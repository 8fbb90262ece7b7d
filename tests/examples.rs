//! Tests of `examples` from outside the crate.
