//! What mechanisms cost, alone and together. The arguments are in `docs/theory.md`, chapter "Accounting".
//!
//! - [`account()`]: ε at δ and δ at ε of a list of [events](crate::dp::event), from above and from below; Rényi, zCDP and GDP figures.
//! - [`gaussian`]: the Gaussian mechanism in closed form. [`rdp`], [`zcdp`]: divergences and conversions.
//! - [`calibrate`]: the smallest noise for a goal. [`tradeoff`]: what a loss means for an attack.
//!
//! Inside: dominating pairs (`parts`, `pair`), their losses on a grid from both sides (`grid`), sums of losses (`compose`).

mod account;
pub mod calibrate;
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
mod selection;
#[cfg(test)]
mod tests;
pub mod tradeoff;
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
