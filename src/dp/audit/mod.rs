//! Statistical audits that try to refute what a mechanism claims.
//!
//! | | gives |
//! |---|---|
//! | [`TwoWorlds::refute`] | lower bounds on ε and μ, from many runs with and without a person |
//! | [`TwoWorlds::hockey_stick`] | a lower bound on δ(ε), for any outputs that can be counted |
//! | [`one_run`] | a lower bound on ε, from one run over many people of whom each is present or not by a coin |
//!
//! A lower bound above what a mechanism claims refutes it, at the stated confidence. A bound below it proves nothing: it is as near as these runs, this pair of pools and this test
//! could come. The chapter "Mechanisms and the ledger" of `docs/theory.md` says how far that is.

mod one_run;
mod two_worlds;

#[cfg(test)]
mod tests;

pub use one_run::one_run;
pub use two_worlds::{Refutation, TwoWorlds};
