//! From a policy to a release: products, measurements, gate, publication, report, verification.
//!
//! [`Anonymizer`] is the main job; [`assess`] measures a table as it is; [`verify()`] checks a release from outside.

mod anonymizer;
mod assess;
mod attacks;
mod budget;
mod columns;
mod gate;
mod generalize;
mod guarantees;
mod histories;
mod measure;
mod outputs;
mod pool;
mod publish;
mod records;
mod remake;
pub mod report;
mod rows;
mod scheme;
mod sequence;
mod tokens;
mod units;
mod verify;
mod verify_histories;
mod verify_table;
mod verify_tokens;

pub use anonymizer::{Anonymizer, Outcome, Stage};
pub use assess::assess;
pub use scheme::{LeftOutRows, Outside, Recoding, Scheme};
pub use verify::{Check, Verification, verify, verify_with_keys};
pub use verify_table::{TableVerification, verify_table};

use crate::error::Result;
use crate::policy::Policy;

/// The policy of the demonstration: k-anonymous profiles (k = 12), unlinked plays, cohorts and fragments of a pool with the canonical columns.
///
/// # Errors
/// Never, as long as the tests of this crate pass.
pub fn demo_policy() -> Result<Policy> {
    Policy::from_toml(include_str!("demo.toml"))
}
