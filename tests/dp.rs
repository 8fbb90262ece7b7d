//! Differential privacy from outside the crate.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod accounting;
mod audit;
mod ledger;
mod noise;
