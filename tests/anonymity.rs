//! Tests of `anonymity` from outside the crate.
