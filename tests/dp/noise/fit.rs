//! Goodness of fit and independence.

use super::{DRAWS, draws, gaussian, geometric, laplace, rational, rng, rounded};
use backmask::dp::noise::{Noise, Staircase};

/// A partition of the integers with the probability of each part.
pub(super) struct Cells {
    /// |x| of part j lies in [edges[j], edges[j + 1]); the last part has no end.
    edges: Vec<u64>,
    /// Probabilities of the parts of negative x, then of x ≥ 0, then of 0 if it is a part of its own.
    probabilities: Vec<f64>,
    zero: bool,
}

impl Cells {
    /// At most about a thousand parts of nearly equal probability, and smaller and smaller ones in the tail, each expecting at least 20 of `count` draws. `signs` is 1 for a law without negative values.
    pub(super) fn new(law: &dyn Noise, count: usize, signs: u32) -> Self {
        let fewest = 20.0 * f64::from(signs) / count as f64;
        let mut edges = vec![0_u64];
        loop {
            let from = *edges.last().unwrap();
            let here = law.tail(from);
            let least = (here / 8.0).min(1.0 / 1024.0).max(fewest);
            if here < 2.0 * least {
                break;
            }
            // The first t with enough between.
            let (mut low, mut high) = (from, from + 1);
            while here - law.tail(high) < least {
                (low, high) = (high, high + 2 * (high - from));
            }
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if here - law.tail(middle) < least { low = middle } else { high = middle }
            }
            if law.tail(high) < least {
                break;
            }
            edges.push(high);
        }
        let zero_mass = law.ln_pmf(0).exp();
        let zero = zero_mass * count as f64 >= 20.0 && edges.get(1) != Some(&1);
        let parts: Vec<f64> =
            edges.iter().enumerate().map(|(j, &t)| law.tail(t) - edges.get(j + 1).map_or(0.0, |&t| law.tail(t))).collect();
        let mut probabilities = Vec::new();
        if signs == 1 {
            probabilities.extend(vec![0.0; parts.len()]);
            probabilities.extend(&parts);
        } else {
            probabilities.extend(parts.iter().enumerate().map(|(j, p)| if j == 0 { (p - zero_mass) / 2.0 } else { p / 2.0 }));
            probabilities.extend(parts.iter().enumerate().map(|(j, p)| if j == 0 { (p + zero_mass) / 2.0 } else { p / 2.0 }));
        }
        if zero {
            probabilities[parts.len()] -= zero_mass;
            probabilities.push(zero_mass);
        }
        Self { edges, probabilities, zero }
    }

    pub(super) fn count(&self, draws: &[i64], counts: &mut [u64]) {
        // Most laws have the parts 0, 1, 2, … at first: then the place is the value.
        let direct = self.edges.iter().zip(0_u64..).take_while(|(edge, index)| **edge == *index).count();
        for &x in draws {
            let size = x.unsigned_abs();
            let part = if size + 1 < direct as u64 { size as usize } else { self.edges.partition_point(|&edge| edge <= size) - 1 };
            let index = if self.zero && x == 0 { counts.len() - 1 } else { part + if x < 0 { 0 } else { self.edges.len() } };
            counts[index] += 1;
        }
    }

    pub(super) fn parts(&self) -> usize {
        self.probabilities.len()
    }

    /// χ² in standard deviations of its normal approximation (Wilson–Hilferty): beyond 4.9 once in 2 million times. Infinite if something impossible was drawn.
    pub(super) fn score(&self, counts: &[u64]) -> f64 {
        let total = counts.iter().sum::<u64>() as f64;
        let mut squares = 0.0;
        let mut cells = 0.0;
        for (&seen, &p) in counts.iter().zip(&self.probabilities) {
            if p < 1e-15 {
                if seen > 0 {
                    return f64::INFINITY;
                }
                continue;
            }
            squares += (seen as f64 - total * p).powi(2) / (total * p);
            cells += 1.0;
        }
        let freedom: f64 = cells - 1.0;
        ((squares / freedom).cbrt() - (1.0 - 2.0 / (9.0 * freedom))) / (2.0 / (9.0 * freedom)).sqrt()
    }
}

pub(super) const ALARM: f64 = 4.9;

pub(super) fn score(law: &dyn Noise, draws: &[i64], signs: u32) -> f64 {
    let cells = Cells::new(law, draws.len(), signs);
    let mut counts = vec![0; cells.parts()];
    cells.count(draws, &mut counts);
    cells.score(&counts)
}

/// χ² of the values modulo 64, which are uniform to many digits if the scale is large.
fn low_bits(draws: &[i64]) -> f64 {
    let mut counts = [0_u64; 64];
    for x in draws {
        counts[x.rem_euclid(64) as usize] += 1;
    }
    let expected = draws.len() as f64 / 64.0;
    let squares: f64 = counts.iter().map(|&seen| (seen as f64 - expected).powi(2) / expected).sum();
    ((squares / 63.0).cbrt() - (1.0 - 2.0 / (9.0 * 63.0))) / f64::sqrt(2.0 / (9.0 * 63.0))
}

pub(super) const LAPLACE: [&str; 10] = ["0.3", "1", "10", "31.9", "64", "127.5", "1000", "1000000", "1e12", "1125899906842624"];
pub(super) const GAUSSIAN: [&str; 9] = ["0.3", "1", "3", "10", "127.9", "128", "1000", "1e6", "1e12"];

fn laws() -> Vec<(Box<dyn Noise>, String, u32)> {
    let mut laws: Vec<(Box<dyn Noise>, String, u32)> = Vec::new();
    for scale in LAPLACE {
        laws.push((Box::new(laplace(scale)), scale.to_owned(), 2));
    }
    for scale in ["0.3", "5", "1e9"] {
        laws.push((Box::new(geometric(scale)), scale.to_owned(), 1));
    }
    for sigma in GAUSSIAN {
        laws.push((Box::new(gaussian(sigma)), sigma.to_owned(), 2));
        laws.push((Box::new(rounded(sigma)), sigma.to_owned(), 2));
    }
    laws
}

#[test]
fn draws_fit_the_law() {
    for (index, (law, scale, signs)) in laws().into_iter().enumerate() {
        let sample = draws(&*law, DRAWS, index as u64);
        let score = score(&*law, &sample, signs);
        assert!(score.abs() < ALARM, "{} {scale}: {score:.2}", law.name());
        let n = sample.len() as f64;
        if signs == 2 {
            let mean = sample.iter().map(|&x| x as f64).sum::<f64>() / n;
            assert!(mean.abs() / (law.variance() / n).sqrt() < ALARM, "{} {scale}: mean {mean}", law.name());
        }
        if law.variance() > 1e10 {
            let bits = low_bits(&sample);
            assert!(bits.abs() < ALARM, "{} {scale}: low bits {bits:.2}", law.name());
        }
    }
}

#[test]
fn the_reference_fits_the_law() {
    // Another algorithm for the same law, so the probabilities that both are held against are not one mistake made twice.
    let count = DRAWS / 40;
    for scale in ["0.3", "1", "10/3", "1000"] {
        let (laplace, gaussian, rounded, geometric) = (laplace(scale), gaussian(scale), rounded(scale), geometric(scale));
        let mut rng = rng(17);
        let sample: Vec<i64> = (0..count).map(|_| laplace.sample_reference(&mut rng).unwrap()).collect();
        assert!(score(&laplace, &sample, 2).abs() < ALARM, "discrete Laplace {scale}");
        let sample: Vec<i64> = (0..count).map(|_| gaussian.sample_reference(&mut rng).unwrap()).collect();
        assert!(score(&gaussian, &sample, 2).abs() < ALARM, "discrete Gaussian {scale}");
        let sample: Vec<i64> = (0..count).map(|_| rounded.sample_reference(&mut rng).unwrap()).collect();
        assert!(score(&rounded, &sample, 2).abs() < ALARM, "rounded Gaussian {scale}");
        let sample: Vec<i64> = (0..count).map(|_| geometric.sample_reference(&mut rng).unwrap()).collect();
        assert!(score(&geometric, &sample, 1).abs() < ALARM, "geometric {scale}");
    }
}

#[test]
fn the_staircase_fits_its_law() {
    for (index, (epsilon, sensitivity, step)) in
        [("0.5", 1, 1), ("1", 5, 2), ("2.5", 7, 1), ("1/3", 12, 12), ("0.01", 3, 1)].into_iter().enumerate()
    {
        let law = Staircase::new(&rational(epsilon), sensitivity, step).unwrap();
        let sample = draws(&law, DRAWS / 10, index as u64);
        let score = score(&law, &sample, 2);
        assert!(score.abs() < ALARM, "ε {epsilon}, Δ {sensitivity}, r {step}: {score:.2}");
    }
}

#[test]
fn draws_do_not_depend_on_each_other() {
    for (index, law) in [
        Box::new(laplace("3")) as Box<dyn Noise>,
        Box::new(laplace("1e6")),
        Box::new(gaussian("20")),
        Box::new(rounded("0.8")),
        Box::new(rounded("1e4")),
    ]
    .into_iter()
    .enumerate()
    {
        let sample = draws(&*law, DRAWS, 100 + index as u64);
        let n = sample.len() as f64;
        for lag in [1, 2, 511, 512, 513] {
            // Correlations of values, of sizes, and of the lowest bits; each has the standard deviation 1/√n.
            let limit = ALARM / n.sqrt();
            let correlation = |f: &dyn Fn(i64) -> f64| {
                let mean = sample.iter().map(|&x| f(x)).sum::<f64>() / n;
                let square: f64 = sample.iter().map(|&x| (f(x) - mean).powi(2)).sum();
                let product: f64 = sample.iter().zip(&sample[lag..]).map(|(&x, &y)| (f(x) - mean) * (f(y) - mean)).sum();
                product / square
            };
            for (what, value) in [
                ("values", correlation(&|x| x as f64)),
                ("sizes", correlation(&|x| (x as f64).abs())),
                ("lowest bits", correlation(&|x| (x & 1) as f64)),
                ("signs", correlation(&|x| x.signum() as f64)),
            ] {
                assert!(value.abs() < limit, "{} {what} {lag} apart: {value}", law.name());
            }
        }
    }
}

#[test]
fn sizes_and_signs_do_not_depend_on_each_other() {
    for law in [Box::new(laplace("50")) as Box<dyn Noise>, Box::new(gaussian("500")), Box::new(rounded("5"))] {
        let sample = draws(&*law, DRAWS, 7);
        let median = law.variance().sqrt() * 0.6;
        let mut table = [[0_f64; 2]; 2];
        for &x in sample.iter().filter(|x| **x != 0) {
            table[usize::from(x < 0)][usize::from((x as f64).abs() > median)] += 1.0;
        }
        let rows = table.map(|row| row[0] + row[1]);
        let columns = [table[0][0] + table[1][0], table[0][1] + table[1][1]];
        let z = (table[0][0] * table[1][1] - table[0][1] * table[1][0]) * (rows[0] + rows[1]).sqrt()
            / (rows[0] * rows[1] * columns[0] * columns[1]).sqrt();
        assert!(z.abs() < ALARM, "{} {z}", law.name());
    }
}

mod slow_tier {
    use super::super::rng;
    use super::{ALARM, Cells, GAUSSIAN, LAPLACE, gaussian, laplace, low_bits, rounded};
    use backmask::dp::noise::Noise;

    /// 10⁸ draws in slices of a million.
    fn fits(law: &dyn Noise, scale: &str, seed: u64) {
        const SLICE: usize = 1_000_000;
        const SLICES: usize = 100;
        let cells = Cells::new(law, SLICE * SLICES, 2);
        let mut counts = vec![0; cells.parts()];
        let mut rng = rng(seed);
        let mut slice = vec![0; SLICE];
        for _ in 0..SLICES {
            law.fill(&mut rng, &mut slice);
            cells.count(&slice, &mut counts);
        }
        let score = cells.score(&counts);
        println!("{} {scale}: {} parts, {score:.2} standard deviations", law.name(), cells.parts());
        assert!(score.abs() < ALARM, "{} {scale}: {score:.2}", law.name());
        if law.variance() > 1e14 {
            assert!(low_bits(&slice).abs() < ALARM);
        }
    }

    #[test]
    #[ignore = "10^8 draws for each of 10 scales"]
    fn slow_tier_discrete_laplace_fits() {
        for (index, scale) in LAPLACE.into_iter().enumerate() {
            fits(&laplace(scale), scale, 1_000 + index as u64);
        }
    }

    #[test]
    #[ignore = "10^8 draws for each of 9 scales"]
    fn slow_tier_discrete_gaussian_fits() {
        for (index, sigma) in GAUSSIAN.into_iter().enumerate() {
            fits(&gaussian(sigma), sigma, 2_000 + index as u64);
        }
    }

    #[test]
    #[ignore = "10^8 draws for each of 9 scales"]
    fn slow_tier_rounded_gaussian_fits() {
        for (index, sigma) in GAUSSIAN.into_iter().enumerate() {
            fits(&rounded(sigma), sigma, 3_000 + index as u64);
        }
    }
}
