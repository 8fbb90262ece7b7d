//! Several releases of one pool, so that comparing them singles out nobody.
//!
//! Two releases that each hold groups of at least k people can still betray one person: whoever is in a cohort of the first and not in that of the second is the difference of the two. The steward
//! therefore keeps a [`Register`]: an encrypted file that says which person was in which group of which release. From it a later release is [planned](Register::plan):
//!
//! - a group all of whose members are still in the pool is **frozen**: it is released again as it was, with the content it had;
//! - a group of which somebody withdrew is **dropped** as a whole; those who stay wait, for releasing them again without the others would single those out;
//! - people who were in no group yet are **newcomers** and form groups among themselves.
//!
//! Whatever the plan, [`Register::record`] refuses a release after which some combination of groups holds 1…k−1 people ([`JointPartition`]).
//!
//! What the buyer of an earlier release has, nobody can take back: a withdrawal keeps a person out of what is released from then on.

mod joint;
mod plan;
mod register;
#[cfg(test)]
mod tests;

pub use joint::{ABSENT, JointPartition};
pub use plan::Plan;
pub use register::{PersonTag, Register, Release, person_tags};
