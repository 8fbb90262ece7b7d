//! Noise from outside the crate: known answers, goodness of fit, independence, frozen draws, and broken variants that the same tests must refuse.
//!
//! Every statistical test has a fixed seed and, for a fresh seed, a false-alarm rate of 10⁻⁶ or less per comparison; about 150 comparisons make 10⁻⁴ in all.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "statistics of tests; the numbers are small"
)]

mod broken;
mod fit;
mod frozen;
mod known;

use backmask::dp::noise::{DiscreteGaussian, DiscreteLaplace, Geometric, Noise, RoundedGaussian};
use backmask::dp::rational::Rational;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

/// Draws of a quick test: enough to see an error of a percent, few enough for an unoptimized build.
const DRAWS: usize = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };

fn rational(text: &str) -> Rational {
    text.parse().unwrap()
}

fn rng(seed: u64) -> ChaCha12Rng {
    ChaCha12Rng::seed_from_u64(seed)
}

fn laplace(scale: &str) -> DiscreteLaplace {
    DiscreteLaplace::new(&rational(scale)).unwrap()
}

fn gaussian(sigma: &str) -> DiscreteGaussian {
    DiscreteGaussian::new(&rational(sigma)).unwrap()
}

fn rounded(sigma: &str) -> RoundedGaussian {
    RoundedGaussian::new(&rational(sigma)).unwrap()
}

fn geometric(scale: &str) -> Geometric {
    Geometric::new(&rational(scale)).unwrap()
}

fn draws(law: &dyn Noise, count: usize, seed: u64) -> Vec<i64> {
    let mut draws = vec![0; count];
    law.fill(&mut rng(seed), &mut draws);
    draws
}
