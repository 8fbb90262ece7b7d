//! Random draws: uniform, normal, and from a finite law in constant time.

use rand::Rng;

/// A finite law, drawn from in constant time by Walker's alias method.
///
/// # References
/// Vose, "A linear algorithm for generating random numbers with a given distribution", IEEE TSE 17(9), 1991.
#[derive(Debug, Clone)]
pub(super) struct Alias {
    /// For each outcome: below this threshold it is itself, else its alias.
    cells: Vec<(u32, u32)>,
}

impl Alias {
    /// The law proportional to `weights`, which are positive and at most 2³² − 1 in number.
    pub(super) fn new(weights: &[f64]) -> Self {
        let length = weights.len();
        let total: f64 = weights.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "a catalogue has far fewer than 2^53 entries")]
        let mut scaled: Vec<f64> = weights.iter().map(|weight| weight / total * length as f64).collect();
        #[expect(clippy::cast_possible_truncation, reason = "a catalogue has fewer than 2^32 entries")]
        let mut cells: Vec<(u32, u32)> = (0..length).map(|index| (u32::MAX, index as u32)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..length).partition(|&index| scaled[index] < 1.0);
        while let (Some(less), Some(more)) = (small.pop(), large.pop()) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share below 1 becomes a 32-bit threshold")]
            let threshold = (scaled[less] * f64::from(u32::MAX)) as u32;
            #[expect(clippy::cast_possible_truncation, reason = "a catalogue has fewer than 2^32 entries")]
            let alias = more as u32;
            cells[less] = (threshold, alias);
            scaled[more] -= 1.0 - scaled[less];
            if scaled[more] < 1.0 { small.push(more) } else { large.push(more) }
        }
        Self { cells }
    }

    /// One outcome.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> usize {
        let word = rng.next_u64();
        let index = below(word >> 32, self.cells.len());
        match self.cells.get(index) {
            #[expect(clippy::cast_possible_truncation, reason = "the low half decides between the outcome and its alias")]
            Some(&(threshold, alias)) if word as u32 > threshold => alias as usize,
            _ => index,
        }
    }
}

/// A 32-bit word as a number below `length`.
fn below(word: u64, length: usize) -> usize {
    usize::try_from((word * length as u64) >> 32).unwrap_or(0)
}

/// A uniform number below `length`, which is at most 2³².
pub(super) fn uniform_below(rng: &mut impl Rng, length: usize) -> usize {
    below(u64::from(rng.next_u32()), length)
}

/// A uniform number in [0, 1).
pub(super) fn uniform(rng: &mut impl Rng) -> f64 {
    f64::from(rng.next_u32()) / 4_294_967_296.0
}

/// Whether an event of this probability happens.
pub(super) fn happens(rng: &mut impl Rng, probability: f64) -> bool {
    uniform(rng) < probability
}

/// A standard normal number (Box and Muller, 1958).
pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(rng)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(rng)).cos()
}

/// An exponential number with this mean.
pub(super) fn exponential(rng: &mut impl Rng, mean: f64) -> f64 {
    -mean * (1.0 - uniform(rng)).ln()
}

/// Zipf's weights of ranks 0…n−1: 1/(rank + 1)^exponent.
pub(super) fn zipf(length: usize, exponent: f64) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a catalogue has far fewer than 2^53 entries")]
    (0..length).map(|rank| (rank as f64 + 1.0).powf(-exponent)).collect()
}

/// `length` random characters of base 62, appended.
pub(super) fn base62(rng: &mut impl Rng, length: usize, text: &mut String) {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for _ in 0..length {
        text.push(char::from(DIGITS[uniform_below(rng, 62)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    #[test]
    fn the_alias_method_has_the_law_it_was_given() {
        // Pearson's statistic over 6 outcomes, 5 degrees of freedom: above 25.7 once in 10,000 runs.
        let weights = [5.0, 0.01, 1.0, 1.0, 0.5, 2.49];
        let law = Alias::new(&weights);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let draws = 200_000;
        let mut counts = [0_u32; 6];
        for _ in 0..draws {
            counts[law.draw(&mut rng)] += 1;
        }
        let statistic: f64 = weights
            .iter()
            .zip(counts)
            .map(|(weight, count)| {
                let expected = weight / 10.0 * f64::from(draws);
                (f64::from(count) - expected).powi(2) / expected
            })
            .sum();
        assert!(statistic < 25.7, "{statistic}");
        assert_eq!(Alias::new(&[3.0]).draw(&mut rng), 0);
    }

    #[test]
    fn normal_and_exponential_moments() {
        // 200,000 draws: the mean is off by more than 5 standard errors once in a million runs.
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let n = 200_000;
        let (mut sum, mut squares, mut waits) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let z = normal(&mut rng);
            sum += z;
            squares += z * z;
            waits += exponential(&mut rng, 3.0);
        }
        let n = f64::from(n);
        assert!((sum / n).abs() < 0.0112 && (squares / n - 1.0).abs() < 0.0159 && (waits / n - 3.0).abs() < 0.034);
    }
}
