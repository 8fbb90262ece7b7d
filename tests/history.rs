//! Tests of `history` from outside the crate.

mod cohorts;
//! Listening histories as products.

mod fragments;
