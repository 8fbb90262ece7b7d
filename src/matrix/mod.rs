//! Who listened to what: the subject × item matrix, item support and contribution caps, counted in people.
//!
//! The functions work on dense codes: subjects and items are numbered 0, 1, 2, … (see [`crate::io::table::ColumnInterner`]),
//! [`crate::io::table::NULL_CODE`] stands for a missing value. Data comes as chunks that can be visited again ([`PairChunks`], [`CodeChunks`]), so nothing
//! has to hold all rows. [`ItemSupportFit`] and [`CapFit`] do the same for record batches.
//!
//! - [`item_support`]: how many people have each item.
//! - [`generalize_items`]: which rows may show their item, and which only a coarser one.
//! - [`cap`]: at most so many rows a person, chosen by content.
//! - [`SubjectItems`], [`Postings`]: the matrix by person and by item.
//! - [`rarity`], [`deciles`]: how unusual a person's items are.

mod cap;
mod cap_fit;
mod chunks;
mod code_set;
mod content;
mod csr;
mod levels;
mod rarity;
mod support;
mod support_fit;

pub use cap::{Cap, CapKeeper, PriorityChunks, VisitPriorities, cap};
pub use cap_fit::{CapEvents, CapFit, CapPass};
pub use chunks::{CodeChunks, PairChunks, VisitCodes, VisitPairs};
pub use code_set::CodeSet;
pub use content::{content_hashes, row_priorities};
pub use csr::{Postings, SubjectItems};
pub use levels::{JointCodes, SUPPRESSED, SupportedItems, generalize_items};
pub use rarity::{deciles, rarity};
pub(crate) use rarity::{mean_surprise, surprise};
pub use support::item_support;
pub use support_fit::{ItemSupportFit, SupportedRows};
