//! Mechanisms: randomized algorithms that know their privacy loss.
//!
//! | | releases | loss |
//! |---|---|---|
//! | [`DiscreteLaplaceMechanism`] | counts | ε |
//! | [`DiscreteGaussianMechanism`] | counts | ρ-zCDP |
//! | [`RoundedGaussianMechanism`] | counts, also many of a person | μ-GDP |
//! | [`TruncatedGeometric`] | which items there are | (ε, δ), optimal |
//! | [`LaplaceThreshold`], [`GaussianThreshold`] | which items there are, with counts | ε or μ, and δ |
//! | [`Choice`] | the best of some candidates, or several: exponential mechanism, permute-and-flip, report-noisy-max | ε |
//! | [`AboveThreshold`] | which of many numbers are large: sparse vector | ε |
//! | [`RandomizedResponse`], [`OptimizedUnaryEncoding`] | one answer of one person, noisy before it is collected | ε, local |
//!
//! Each is made from a privacy parameter or from a noise parameter, and gives the [event](crate::dp::event::PrivacyEvent) that the accountant and the
//! [ledger](crate::dp::ledger) want. Inputs are whole numbers and parameters are exact, so that a [sensitivity](L1Sensitivity) is what it says; [`largest_change`] measures it in
//! tests. Noise is drawn from the generator that the caller hands in: for a release that of [`release_rng`].

mod choose;
mod gaussian;
mod geometric;
mod laplace;
mod local;
mod number;
mod random;
mod sensitivity;
mod sparse;
#[cfg(test)]
mod tests;
mod threshold;

pub use choose::{Choice, Direction, Method};
pub use gaussian::{DiscreteGaussianMechanism, RoundedGaussianMechanism};
pub use geometric::TruncatedGeometric;
pub use laplace::DiscreteLaplaceMechanism;
pub use local::{OptimizedUnaryEncoding, RandomizedResponse};
pub use random::{release_rng, reproducible_rng};
pub use sensitivity::{Change, L1Sensitivity, L2Sensitivity, change_between, largest_change};
pub use sparse::{AboveThreshold, AboveThresholdRun};
pub use threshold::{GaussianThreshold, LaplaceThreshold};
