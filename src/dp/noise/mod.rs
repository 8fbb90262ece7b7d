//! Exact integer-valued noise.
//!
//! | | |
//! |---|---|
//! | [`Noise`] | what all laws can do: fill a slice, variance, probabilities |
//! | [`DiscreteLaplace`], [`DiscreteGaussian`], [`RoundedGaussian`], [`Geometric`] | laws with a rational scale, at tens of millions of draws a second |
//! | [`Staircase`] | the staircase law of integers |
//! | [`bernoulli`], [`bernoulli_exp`], [`uniform_below`] | exact coins and dice |
//! | [`add_noise`] | noise on an Arrow array |
//! | [`Grid`] | real-valued answers as multiples of 2^k |
//!
//! Every draw has *exactly* the law that is named: parameters are rational numbers, thresholds are certified in integer arithmetic, and a draw that a machine word cannot decide
//! is decided by more digits of the same random numbers. No float touches a draw. The argument is in `docs/exactness.md`.
//!
//! ```
//! use backmask::arrow::array::Int64Array;
//! use backmask::dp::noise::{DiscreteLaplace, add_noise};
//! use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
//!
//! let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("the system has random numbers");
//! // Counts that one person changes by at most 3 in all, ε = 1/2: scale 6.
//! let counts = Int64Array::from(vec![120, 45, 7]);
//! let released = add_noise(&counts, &DiscreteLaplace::new(&"6".parse()?)?, &mut rng);
//! assert_eq!(released.len(), 3);
//! # Ok::<(), backmask::Error>(())
//! ```

mod arrays;
mod check;
pub(in crate::dp) mod enclosure;
mod exact;
mod grid;
mod laws;
mod moments;
mod staircase;
mod strips;

pub use arrays::add_noise;
pub use exact::{bernoulli, bernoulli_exp, uniform_below};
pub use grid::Grid;
pub use laws::{DiscreteGaussian, DiscreteLaplace, Geometric, RoundedGaussian};
pub use staircase::Staircase;

use rand::CryptoRng;

/// A law of integer noise.
///
/// # Guarantee
/// Draws are independent and have exactly the law that is named, if the generator's bits are independent and uniform. The only departure is the range of `i64`: values beyond it
/// become its ends, which is a function of the exact draw; with a scale of at most 2⁵⁰ that has a probability below 2⁻¹¹⁰⁰⁰.
///
/// # Security
/// Who can predict the generator can subtract the noise: seed it from the operating system and never use a seed twice. Draws come in blocks of one or two random words each; at
/// most two of a hundred that are not decided at once are finished afterwards, so the *total* time of a block depends on the draws. What it reveals was measured
/// and is stated in `docs/exactness.md`; publish nothing about the time a release took.
pub trait Noise: Send + Sync + std::fmt::Debug {
    /// The name of the law, as in reports.
    fn name(&self) -> &'static str;

    /// Fills a slice with independent draws. How a stream of random bytes becomes draws depends on the length of the slice.
    fn fill(&self, rng: &mut dyn CryptoRng, out: &mut [i64]);

    /// One draw. Many at once are far cheaper by [`Noise::fill`].
    fn sample(&self, rng: &mut dyn CryptoRng) -> i64 {
        let mut out = [0];
        self.fill(rng, &mut out);
        out[0]
    }

    /// ln P(X = x), to about 13 digits.
    fn ln_pmf(&self, x: i64) -> f64;

    /// The variance, to about 13 digits.
    fn variance(&self) -> f64;

    /// P(|X| ≥ t), to about 13 digits.
    fn tail(&self, t: u64) -> f64;
}
