//! What mechanisms cost, alone and together.

mod account;
mod compose;
#[cfg(test)]
mod constants;
mod finite;
pub mod gaussian;
mod gdp;
mod grid;
mod normal;
mod pair;
mod parts;
mod quadrature;
pub mod rdp;
pub mod zcdp;

pub use account::{Account, account};

/// A number that is known to lie between two others.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Bounds {
    /// What may be promised: the number is at most this.
    pub upper: f64,
    /// The number is at least this.
    pub lower: f64,
}
