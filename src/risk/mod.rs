//! What an attacker achieves against a release.
//!
//! Every attack names what the attacker knows, plays it against the released data, and gives an [`AttackResult`]: how often a person was singled out, the upper
//! confidence bound, the same for each tenth of the people, and the number that the gate compares with its limit. Attacks measure; they prove nothing about other attacks.
//!
//! - [`KnownItems`]: the attacker knows some items of a person (unicity).
//! - [`KnownFragmentItems`]: the same where the release holds pieces of histories.
//! - [`KnownValues`]: the attacker knows one to three columns of a row.
//! - [`Controlled`], [`Records`]: what can be inferred about people in the release, beyond what can be said about people who are not in it: further items, and that they took part.
//! - [`relink`]: the attacker puts the fragments of a person together again.
//! - [`attack_seed`]: randomness that cannot be rolled again.

mod controlled;
#[cfg(test)]
mod controlled_tests;
mod inference;
mod known_fragments;
mod known_items;
mod known_values;
mod membership;
mod owners;
mod records;
mod relink;
mod result;
mod seed;
mod target;

pub use controlled::Controlled;
pub use known_fragments::KnownFragmentItems;
pub use known_items::KnownItems;
pub use known_values::KnownValues;
pub use records::Records;
pub use relink::{RelinkResult, relink};
pub use result::{AttackOptions, AttackResult, Combination, DecileRate, MatchSets};
pub use seed::attack_seed;
