//! Noise on Arrow arrays.

use super::Noise;
use arrow::array::{Array, Int64Array};
use rand::CryptoRng;

/// Adds one independent draw to each value. Null stays null; sums beyond `i64` become its ends, which is a function of the exact sum.
///
/// # Guarantee
/// None by itself: the loss follows from the scale and from how far one person moves the values. Length and nulls of the array are passed through and must not depend on a person.
///
/// ```
/// use backmask::arrow::array::{Array, Int64Array};
/// use backmask::dp::noise::{RoundedGaussian, add_noise};
/// use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
///
/// let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("the system has random numbers");
/// let noisy = add_noise(&Int64Array::from(vec![Some(5), None]), &RoundedGaussian::new(&"2.5".parse()?)?, &mut rng);
/// assert!(noisy.is_valid(0) && noisy.is_null(1));
/// # Ok::<(), backmask::Error>(())
/// ```
#[must_use]
pub fn add_noise(values: &Int64Array, noise: &dyn Noise, rng: &mut dyn CryptoRng) -> Int64Array {
    let mut sums = vec![0; values.len()];
    noise.fill(rng, &mut sums);
    // A null slot gets 0, not noise: what lies under it is written to files.
    for (row, sum) in sums.iter_mut().enumerate() {
        *sum = if values.is_null(row) { 0 } else { sum.saturating_add(values.value(row)) };
    }
    Int64Array::new(sums.into(), values.nulls().cloned())
}
