//! What an attacker achieves against a release.
//!
//! Every attack names what the attacker knows, plays it against the released data, and gives an [`AttackResult`]: how often a person was singled out, the upper
//! confidence bound, the same for each tenth of the people, and the number that the gate compares with its limit. Attacks measure; they prove nothing about other attacks.
//!
//! - [`KnownItems`]: the attacker knows some items of a person (unicity).
//! - [`KnownValues`]: the attacker knows one to three columns of a row.
//! - [`relink`]: the attacker puts the fragments of a person together again.
//! - [`attack_seed`]: randomness that cannot be rolled again.

mod known_items;
mod known_values;
mod owners;
mod relink;
mod result;
mod seed;
mod target;

pub use known_items::KnownItems;
pub use known_values::KnownValues;
pub use relink::{RelinkResult, relink};
pub use result::{AttackOptions, AttackResult, Combination, DecileRate, MatchSets};
pub use seed::attack_seed;
