//! What differential privacy releases of a pool: which items exist, and how many people have them.
//!
//! Everything is user-level: neighbouring pools differ by one person with all that the person did. A product is *planned* from its budget alone; the plan names the
//! [privacy events](crate::dp::event::PrivacyEvent) that the ledger is debited with; only then are the data looked at.
//!
//! - [`Contributions`]: what each person may contribute, sampled over the whole pool.
//! - [`CataloguePlan`]: items, people and plays.
//! - [`co_listening`]: which items people have together.
//! - [`selection`]: which items may be named at all.

mod catalogue;
pub mod co_listening;
mod contributions;
pub mod selection;

pub use catalogue::{BoundedCounts, Catalogue, CatalogueOptions, CataloguePlan, Split};
pub use contributions::{Contributions, Keep, Sampled};
