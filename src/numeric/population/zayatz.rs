//! Zayatz's estimator.

use super::SampleClasses;
use crate::numeric::real;

/// Steps from one size of class to the next that are taken one by one.
const PIECES: u64 = 10_000;

/// Estimated population uniques: n₁ P / π, with the estimated probability P that a sample unique is a population unique. Classes of the population are taken
/// to have the sizes of those of the sample; h(i) is the probability that a sample of n from N people shows one of the i people of a class.
///
/// # References
/// Zayatz, *Estimation of the number of unique population elements using a sample*, US Bureau of the Census (1991).
pub(super) fn zayatz(sample: &SampleClasses, population: u64) -> f64 {
    let (people, all) = (real(sample.people()), real(population));
    let (mut shown, mut weighted) = (people / all, 0.0);
    let mut size = 1;
    for (next, classes) in sample.sizes() {
        // h(i + 1) / (i + 1) = h(i) / i · (N − n − i + 1) / (N − i); over long ways a mean factor for every piece.
        let piece = ((next - size) / PIECES).max(1);
        while size < next && shown > 0.0 {
            let steps = piece.min(next - size);
            let middle = real(size) + (real(steps) - 1.0) / 2.0;
            let missed = (all - people - middle + 1.0).max(0.0) / (all - middle);
            shown *= if steps == 1 { missed } else { missed.powf(real(steps)) };
            size += steps;
        }
        weighted += real(classes) * real(next) * shown;
    }
    let uniques = real(sample.uniques());
    // n₁ · (n₁ h(1) / Σ) / π, and h(1) = π.
    uniques * uniques / weighted
}
