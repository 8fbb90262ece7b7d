//! The persisted record of all spending on a pool, which cannot be overspent.
//!
//! | part | what it is about |
//! |---|---|
//! | [`Budget`], [`Rule`] | what may be spent in all, and how losses add up |
//! | [`Spending`] | what a product asks for |
//! | [`Ledger`] | the file: [`reserve`](Ledger::reserve), then draw the noise, then [`commit`](Ledger::commit) |
//! | [`Statement`], [`Amounts`], [`Reserved`] | where it stands |
//! | [`Head`] | by which a file that was set back is noticed |
//!
//! The format of the file, its durability and the theorems behind the rules are in `docs/theory.md`.

mod budget;
mod decimal;
mod format;
mod loss;
mod persisted;
#[cfg(test)]
mod simulation;
mod spending;
mod storage;
#[cfg(test)]
mod tests;

pub use budget::{Amounts, Budget, Rule};
pub use format::Head;
pub use persisted::{Ledger, Reservation, Reserved, Statement};
pub use spending::Spending;
