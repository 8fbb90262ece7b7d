//! Known answers: variances and probabilities computed elsewhere, with 60 digits, or by brute force here.

use super::{gaussian, geometric, laplace, rational, rng, rounded};
use backmask::Error;
use backmask::arrow::array::{Array, Int64Array};
use backmask::dp::noise::{
    DiscreteGaussian, DiscreteLaplace, Geometric, Noise, RoundedGaussian, Staircase, add_noise, bernoulli, bernoulli_exp, uniform_below,
};

#[track_caller]
fn near(got: f64, expected: f64, relative: f64) {
    assert!((got - expected).abs() <= relative * expected.abs(), "{got} is not {expected}");
}

#[test]
fn variances() {
    // mpmath, 60 digits.
    for (sigma, expected) in [("0.5", 0.215_012_675_088_138_5), ("1", 0.999_999_788_767_728_1), ("3", 9.0), ("10", 100.0)] {
        near(gaussian(sigma).variance(), expected, 1e-14);
    }
    for (scale, expected) in [
        ("0.5", 0.362_030_830_483_155_2),
        ("1", 1.841_347_188_415_584_6),
        ("10", 199.833_416_633_609_45),
        ("1000", 1_999_999.833_333_341_7),
    ] {
        near(laplace(scale).variance(), expected, 1e-13);
    }
}

/// Sums over the probabilities themselves.
fn agrees_with_its_sums(law: &dyn Noise, reach: i64) {
    let probabilities: Vec<(f64, f64)> = (-reach..=reach).map(|x| (x as f64, law.ln_pmf(x).exp())).collect();
    let mass: f64 = probabilities.iter().map(|(_, p)| p).sum();
    near(mass, 1.0, 1e-12);
    let mean: f64 = probabilities.iter().map(|(x, p)| x * p).sum();
    let variance: f64 = probabilities.iter().map(|(x, p)| (x - mean).powi(2) * p).sum();
    near(law.variance(), variance, 1e-11);
    for t in [0, 1, 2, 3, 7, reach / 8] {
        let tail: f64 = probabilities.iter().filter(|(x, _)| x.abs() >= t as f64).map(|(_, p)| p).sum();
        assert!((law.tail(t as u64) - tail).abs() < 1e-12 + 1e-9 * tail, "{} tail {t}: {} {tail}", law.name(), law.tail(t as u64));
    }
}

#[test]
fn probabilities_add_up() {
    for scale in ["0.01", "0.3", "1", "7", "50"] {
        agrees_with_its_sums(&laplace(scale), 3_000);
        agrees_with_its_sums(&geometric(scale), 3_000);
        agrees_with_its_sums(&gaussian(scale), 3_000);
        agrees_with_its_sums(&rounded(scale), 3_000);
    }
    for (epsilon, sensitivity, step) in [("0.5", 1, 1), ("1", 5, 2), ("2", 7, 7), ("0.1", 30, 9)] {
        agrees_with_its_sums(&Staircase::new(&rational(epsilon), sensitivity, step).unwrap(), 30_000);
    }
    // Beyond σ = 10,000 the tail is no sum any more.
    for t in [1, 50, 20_004, 60_000] {
        let sum: f64 = (t..200_000).map(|x| 2.0 * gaussian_ln_pmf_10001(x).exp()).sum();
        near(gaussian("10001").tail(t as u64), sum, 1e-11);
    }
}

fn gaussian_ln_pmf_10001(x: i64) -> f64 {
    let z = x as f64 / 10_001.0;
    -0.5 * z * z - (10_001.0 * (2.0 * std::f64::consts::PI).sqrt()).ln()
}

#[test]
fn ratios_of_probabilities_are_the_privacy_loss() {
    // (a, b) of neighbours: the ratio of the discrete Laplace law is at most exp(1 / b), with equality on one side.
    let law = laplace("4");
    for x in -20..20 {
        assert!((law.ln_pmf(x) - law.ln_pmf(x + 1)).abs() <= 0.25 + 1e-12);
    }
    let law = Staircase::new(&rational("0.7"), 6, 2).unwrap();
    for x in -40..40 {
        for shift in 1..=6 {
            assert!((law.ln_pmf(x) - law.ln_pmf(x + shift)).abs() <= 0.7 + 1e-12, "{x} {shift}");
        }
    }
}

#[test]
fn the_best_staircase_is_found() {
    for (epsilon, sensitivity) in [("0.1", 10), ("1", 10), ("3", 40), ("8", 25), ("0.5", 1), ("2", 2)] {
        let size = |step| Staircase::new(&rational(epsilon), sensitivity, step).unwrap().expected_size();
        let least = (1..=sensitivity).map(size).fold(f64::INFINITY, f64::min);
        let best = Staircase::with_least_size(&rational(epsilon), sensitivity).unwrap();
        near(best.expected_size(), least, 1e-12);
        // No worse than discrete Laplace noise of the same loss.
        let other = laplace(&rational(epsilon).reciprocal().unwrap().times(&(sensitivity).into()).to_string());
        let laplace_size: f64 = (1..20_000_i64).map(|x| 2.0 * x as f64 * other.ln_pmf(x).exp()).sum();
        assert!(least <= laplace_size * (1.0 + 1e-9), "{epsilon} {sensitivity}: {least} {laplace_size}");
    }
}

#[test]
fn scales_outside_the_range_are_refused_by_name() {
    for text in ["0", "1e300", "1e-300", "0.0000009", "1.2e15"] {
        let scale = rational(text);
        for error in [
            DiscreteLaplace::new(&scale).err(),
            Geometric::new(&scale).err(),
            DiscreteGaussian::new(&scale).err(),
            RoundedGaussian::new(&scale).err(),
        ] {
            let error = error.unwrap();
            assert_eq!(error.exit_code(), 2);
            assert!(
                matches!(&error, Error::Parameter { name: "scale" | "sigma", problem } if problem.contains("2^-20") && problem.contains("2^50")),
                "{error}"
            );
        }
    }
    assert!(Staircase::new(&rational("0"), 1, 1).is_err() && Staircase::new(&rational("1"), 0, 1).is_err());
    assert!(Staircase::new(&rational("1"), 3, 4).is_err() && Staircase::new(&rational("1"), 3, 0).is_err());
}

#[test]
fn the_ends_of_the_range_work() {
    let mut rng = rng(1);
    let mut out = vec![0; 3_000];
    for scale in ["1/1048576", "1125899906842624", "0.00001", "999999999999999.999", "355/113"] {
        for law in
            [Box::new(laplace(scale)) as Box<dyn Noise>, Box::new(gaussian(scale)), Box::new(rounded(scale)), Box::new(geometric(scale))]
        {
            law.fill(&mut rng, &mut out);
            let wild = out.iter().filter(|&&x| law.ln_pmf(x) < -70.0).count();
            assert_eq!(wild, 0, "{} {scale}", law.name());
            law.fill(&mut rng, &mut []);
        }
    }
    assert!(draws_all(&laplace("1/1048576"), 0));
}

fn draws_all(law: &dyn Noise, value: i64) -> bool {
    super::draws(law, 100_000, 3).iter().all(|&x| x == value)
}

#[test]
fn coins_and_dice() {
    const N: u32 = 40_000;
    let mut rng = rng(2);
    for (p, q) in [(0, 1), (1, 1), (1, 3), (999, 1000)] {
        let probability = backmask::dp::rational::Rational::from_ratio(p, q).unwrap();
        let heads = (0..N).filter(|_| bernoulli(&probability, &mut rng).unwrap()).count() as f64;
        let p = p as f64 / q as f64;
        assert!((heads - f64::from(N) * p).abs() <= 5.0 * (f64::from(N) * p * (1.0 - p)).sqrt(), "{p}");
    }
    for exponent in ["0", "0.001", "1", "2.5", "1e9"] {
        let heads = (0..N).filter(|_| bernoulli_exp(&rational(exponent), &mut rng)).count() as f64;
        let p = (-rational(exponent).to_f64()).exp();
        assert!((heads - f64::from(N) * p).abs() <= 5.0 * (f64::from(N) * p * (1.0 - p)).sqrt(), "{exponent}");
    }
    assert!(bernoulli(&rational("1.1"), &mut rng).is_err());
    assert!(uniform_below(0, &mut rng).is_err());
    for bound in [1, 2, 3, 7, 64, 1 << 63, u64::MAX] {
        assert!((0..1_000).all(|_| uniform_below(bound, &mut rng).unwrap() < bound));
    }
    let mut counts = [0_u32; 7];
    (0..70_000).for_each(|_| counts[uniform_below(7, &mut rng).unwrap() as usize] += 1);
    assert!(counts.iter().all(|count| count.abs_diff(10_000) < 470), "{counts:?}");
}

#[test]
fn arrays_keep_length_and_nulls_and_hide_what_lies_under_them() {
    let law = laplace("1000");
    let values = Int64Array::from(vec![Some(i64::MAX), None, Some(i64::MIN), Some(0)]);
    let noisy = add_noise(&values, &law, &mut rng(9));
    assert_eq!((noisy.len(), noisy.null_count()), (4, 1));
    assert_eq!(noisy.values()[1], 0);
    let slice = add_noise(&values.slice(1, 3), &law, &mut rng(9));
    assert!(slice.is_null(0) && slice.len() == 3 && slice.is_valid(2));
    assert_eq!(add_noise(&Int64Array::from(Vec::<i64>::new()), &law, &mut rng(9)).len(), 0);
    // The noise is what `fill` gives.
    let zeros = Int64Array::from(vec![0; 1_000]);
    assert_eq!(add_noise(&zeros, &law, &mut rng(4)).values().to_vec(), super::draws(&law, 1_000, 4));
}
