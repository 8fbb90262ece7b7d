//! Which items people have together.
//!
//! - [`CoListeningPlan`]: from a budget to a noisy matrix; [`CoListeningOptions`], [`Normalization`].
//! - [`CoListening`]: the released matrix; [`CoListening::denoise`] makes a [`Structure`] of it (a matrix without most of the noise, embeddings, weights of EASE) or says
//!   that there is [`OnlyPopularity`].
//! - [`BoundedTriangle`]: the statistic without noise, for the steward.

mod matrix;
mod plan;
mod statistic;
#[cfg(test)]
mod tests;

pub use matrix::{CoListening, Denoised, OnlyPopularity, Structure};
pub use plan::{CoListeningOptions, CoListeningPlan, MAX_CO_LISTENING_ITEMS};
pub use statistic::{BoundedTriangle, Normalization};
