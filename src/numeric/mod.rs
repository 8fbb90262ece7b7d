//! Numerical methods that the other modules share.
//!
//! - [`clopper_pearson`], [`clopper_pearson_upper`], [`clopper_pearson_lower`]: exact bounds of a success probability.
//! - [`wilson`], [`wilson_upper`]: Wilson's score bounds.
//! - [`mean_upper`], [`mean_lower`], [`excess_upper`]: bounds of means of numbers in [0, 1], and of how far one is above another.
//! - [`beta_regularized`], [`binomial_cdf`]: the functions behind them.
//! - [`digamma`]: the derivative of the logarithm of the gamma function.
//! - [`inverse_positive_definite`]: the inverse of a dense matrix, on all processors.
//! - [`ease_weights`]: the item-to-item weights of the linear recommender EASE, in closed form.
//! - [`svd`]: the largest singular values and vectors of a sparse matrix.
//! - [`symmetric_eigen`]: eigenvalues and eigenvectors of a symmetric matrix.
//! - [`population`]: how many people are unique in a population of which a sample is seen.

mod binomial;
mod ease;
mod eigen;
mod linear;
mod mean_bound;
pub mod population;
mod roots;
mod special;
pub mod svd;

pub use binomial::{
    Interval, beta_regularized, binomial_cdf, clopper_pearson, clopper_pearson_lower, clopper_pearson_upper, wilson, wilson_upper,
};
pub use ease::ease_weights;
pub use eigen::{SymmetricEigen, symmetric_eigen};
pub(crate) use linear::in_parallel;
pub use linear::{SquareMatrix, inverse_positive_definite};
pub use mean_bound::{excess_upper, mean_lower, mean_upper};
pub use special::digamma;

/// A count as a real number.
#[expect(clippy::cast_precision_loss, reason = "shares and means need no more than 53 bits")]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}
