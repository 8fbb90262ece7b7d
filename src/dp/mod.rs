//! Differential privacy: exact noise, mechanisms, accounting, and the ledger of what was spent.

pub mod accounting;
pub mod audit;
pub mod contribution;
pub mod event;
pub mod ledger;
pub mod mechanism;
pub mod noise;
pub mod rational;
