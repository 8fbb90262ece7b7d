//! Tests of `history` from outside the crate.

mod cohorts;
mod fragments;
