//! Tests of `dp` from outside the crate.

mod accounting;
mod noise;
