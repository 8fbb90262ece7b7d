//! The example binaries, run as a newcomer, a steward and a saboteur would.

mod archives;
mod assessing;
mod evaluating;
mod failures;
mod histories;
mod kills;
mod newcomer;
mod noise;
mod policies;
mod pseudonymizing;
mod pseudonyms;
mod several;
pub(crate) mod support;
mod tampering;
mod tools;
mod verifying;
