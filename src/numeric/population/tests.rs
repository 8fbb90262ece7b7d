//! Estimators against published figures and against each other.

use super::*;
use rand::rngs::ChaCha20Rng;
use rand::{Rng, RngExt, SeedableRng};
use std::collections::BTreeMap;

fn sample(sizes: &[(u64, u64)]) -> SampleClasses {
    SampleClasses::new(sizes.iter().copied()).unwrap()
}

const ALL: [PopulationModel; 4] = [PopulationModel::Zayatz, PopulationModel::Pitman, PopulationModel::Snb, PopulationModel::Dankar];

/// Class sizes of the Adult data with all nine columns, coarsened to the first 20 sizes.
fn skewed() -> SampleClasses {
    sample(&[(1, 155), (2, 20), (3, 7), (4, 4), (5, 2), (7, 2), (11, 1), (20, 1)])
}

fn choose(n: u64, k: u64) -> f64 {
    (0..k).map(|i| real(n - i) / real(i + 1)).product()
}

/// P(a sample of n from N shows exactly one of i), from binomial coefficients.
fn shows_one(all: u64, people: u64, size: u64) -> f64 {
    if people == 0 || size - 1 > all - people {
        return 0.0;
    }
    real(size) * choose(all - size, people - 1) / choose(all, people)
}

#[test]
fn zayatz_is_its_definition() {
    for population in [52, 60, 120, 300] {
        let data = sample(&[(1, 9), (2, 5), (3, 4), (7, 3)]);
        assert_eq!(data.people(), 52);
        let classes = real(data.classes());
        let weighted: f64 = data.sizes().map(|(size, count)| real(count) / classes * shows_one(population, 52, size)).sum();
        let given = 9.0 / classes * shows_one(population, 52, 1) / weighted;
        let expected = 9.0 * given / (52.0 / real(population));
        let found = population_uniques(PopulationModel::Zayatz, &data, population).unwrap();
        assert!((found - expected).abs() < 1e-9 * expected, "{population}: {found} {expected}");
    }
}

/// The log-likelihood of Pitman's formula, term by term.
fn likelihood(data: &SampleClasses, theta: f64, alpha: f64) -> f64 {
    let classes: f64 = (1..data.classes()).map(|i| (theta + real(i) * alpha).ln()).sum();
    let people: f64 = (1..data.people()).map(|i| (theta + real(i)).ln()).sum();
    let sizes: f64 = data.sizes().map(|(size, count)| real(count) * (1..size).map(|j| (real(j) - alpha).ln()).sum::<f64>()).sum();
    classes - people + sizes
}

#[test]
fn pitman_is_the_most_likely() {
    let few = sample(&[(1, 4), (2, 9), (6, 11), (30, 4)]);
    let heavy = sample(&[(1, 60), (2, 3), (500, 1), (4000, 1)]);
    for data in [skewed(), few, heavy, sample(&[(1, 1), (40, 1)]), sample(&[(1, 500), (2, 1)])] {
        let found = Pitman::fit(&data).unwrap();
        assert!(found.theta > -found.alpha && (0.0..1.0).contains(&found.alpha), "{found:?}");
        let best = likelihood(&data, found.theta, found.alpha);
        let mut alphas: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0).collect();
        alphas.extend([-1e-4, 1e-4].map(|step| (found.alpha + step).clamp(0.0, 0.999_999)));
        for alpha in alphas {
            for exponent in -80..=80 {
                let theta = (found.theta + found.alpha) * (f64::from(exponent) / 8.0).exp2() - alpha;
                if theta > -alpha {
                    assert!(likelihood(&data, theta, alpha) <= best + 1e-7 * best.abs().max(1.0), "{found:?} {theta} {alpha}");
                }
            }
        }
    }
}

#[test]
fn ewens_is_the_border_of_pitman() {
    // Few classes, all large: the best α is 0.
    let data = sample(&[(1, 1), (10, 1), (12, 1), (15, 1)]);
    let found = Pitman::fit(&data).unwrap();
    assert_eq!(found.alpha, 0.0);
    let expected: f64 = (0..data.people()).map(|i| found.theta / (found.theta + real(i))).sum();
    assert!((expected - 4.0).abs() < 1e-9, "J of Ewens's formula is Σ θ / (θ + i)");
    assert!((found.uniques(1000) - found.theta).abs() < 1e-12);
}

/// Expected class sizes of a Bernoulli sample from a slide negative binomial population.
fn expected_sizes(classes: f64, r: f64, q: f64, fraction: f64) -> (SampleClasses, u64) {
    let mut law = vec![q.powf(r)];
    for x in 0..3_000_u32 {
        law.push(law[x as usize] * (r + f64::from(x)) / f64::from(x + 1) * (1.0 - q));
    }
    let mut sizes: BTreeMap<u64, f64> = BTreeMap::new();
    let mut population = 0.0;
    for (size, share) in (1_u64..).zip(&law) {
        population += classes * share * real(size);
        // Binomial(size, fraction) from its largest term's neighbours upwards.
        let mut term = (1.0 - fraction).powf(real(size));
        for shown in 0..=size.min(400) {
            *sizes.entry(shown).or_default() += classes * share * term;
            term *= real(size - shown) / real(shown + 1) * fraction / (1.0 - fraction);
        }
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "expected counts, rounded")]
    let counts = sizes.into_iter().map(|(size, count)| (size, count.round() as u64));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an expected count, rounded")]
    let population = population.round() as u64;
    (SampleClasses::new(counts).unwrap(), population)
}

#[test]
fn snb_solves_its_equations_and_comes_near_its_own_model() {
    for (r, q, fraction) in [(0.8, 0.15, 0.3), (0.5, 0.1, 0.5), (2.0, 0.4, 0.5), (1.2, 0.3, 0.7)] {
        let (data, population) = expected_sizes(1e7, r, q, fraction);
        let found = SlideNegativeBinomial::fit(&data, population).unwrap();
        // The equations, from the series of the model instead of its generating function.
        let mut law = found.q.powf(found.r);
        let (mut ones, mut twos) = (0.0, 0.0);
        let fraction = real(data.people()) / real(population);
        for size in 1..5_000_u32 {
            let (n, missed) = (f64::from(size), 1.0 - fraction);
            ones += law * n * fraction * missed.powf(n - 1.0);
            twos += law * n * (n - 1.0) / 2.0 * fraction * fraction * missed.powf(n - 2.0);
            law *= (found.r + n - 1.0) / n * (1.0 - found.q);
        }
        for (expected, counted) in [(ones, data.uniques()), (twos, data.of_size(2))] {
            assert!((expected * found.classes / real(counted) - 1.0).abs() < 1e-6, "{found:?}");
        }
        let ratio = found.uniques() / (1e7 * q.powf(r));
        assert!((0.8..1.25).contains(&ratio), "{r} {q} {fraction}: {ratio} {found:?}");
    }
}

/// What the estimator would be with the mistake (1 − π)^i (1 + π)^i − 1 of a well-known implementation.
#[test]
fn a_misplaced_bracket_in_shlossers_estimator_is_caught() {
    let (data, population) = expected_sizes(1e6, 0.5, 0.1, 0.3);
    let fraction = real(data.people()) / real(population);
    let sum = |term: &dyn Fn(f64) -> f64| data.sizes().map(|(size, count)| real(count) * term(real(size))).sum::<f64>();
    let square = fraction * fraction;
    let above = sum(&|i| i * square * (1.0 - square).powf(i - 1.0));
    let missed = sum(&|i| (1.0 - fraction).powf(i)) / sum(&|i| i * fraction * (1.0 - fraction).powf(i - 1.0));
    let broken: f64 = data.sizes().map(|(size, count)| real(count) * (1.0 - square).powf(real(size)) - 1.0).sum();
    let broken = real(data.classes()) + real(data.uniques()) * above / broken * missed * missed;
    let found = SlideNegativeBinomial::fit(&data, population).unwrap().classes;
    assert!((found / 1e6 - 1.0).abs() < 0.1, "{found}");
    assert!((broken / 1e6 - 1.0).abs() > 0.1, "{broken}");
}

#[test]
fn individual_risks_are_means_over_the_negative_binomial() {
    for people in [1, 2, 3, 4, 7, 30] {
        for p in [0.9, 0.5, 0.1, 0.01] {
            let mut term = f64::powf(p, real(people));
            let mut expected = 0.0;
            for missing in 0..200_000_u32 {
                let size = real(people) + f64::from(missing);
                expected += term / size;
                term *= size / f64::from(missing + 1) * (1.0 - p);
            }
            let found = individual_risk(people, real(people) / p).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-9, "{people} {p}: {found} {expected}");
        }
    }
    assert_eq!(individual_risk(4, 4.0).unwrap(), 0.25);
    assert_eq!(individual_risk(1, f64::INFINITY).unwrap(), 0.0);
    assert!(individual_risk(3, 1e15).unwrap() > 0.0);
    for (people, population) in [(0, 5.0), (5, 4.0), (1, f64::NAN)] {
        assert!(individual_risk(people, population).is_err());
    }
}

#[test]
fn no_input_gives_a_figure_that_is_none() {
    let shapes: [&[(u64, u64)]; 9] = [
        &[],
        &[(1, 1)],
        &[(1, 1000)],
        &[(5, 20)],
        &[(1, 1), (1_000_000, 1)],
        &[(1, 10_000), (2, 1)],
        &[(1, 1), (2, 10_000)],
        &[(1, 3), (3, 3), (9, 3)],
        &[(1, 5), (u64::MAX / 4, 1)],
    ];
    for shape in shapes {
        let data = sample(shape);
        let people = data.people();
        for population in [people, people.saturating_add(1), people.saturating_mul(2), people.saturating_mul(1000), u64::MAX] {
            for model in ALL {
                if let Ok(found) = estimate(model, &data, population, Confidence::new(0.95).unwrap()) {
                    let numbers = [found.uniques, found.share, found.low, found.high];
                    assert!(numbers.iter().all(|number| number.is_finite() && *number >= 0.0), "{shape:?} {population} {found:?}");
                    assert!(found.share <= 1.0 && found.high <= real(population), "{shape:?} {population} {found:?}");
                }
            }
        }
        if people > 0 {
            assert!(estimate(PopulationModel::Zayatz, &data, people - 1, Confidence::new(0.9).unwrap()).is_err());
            assert_eq!(population_uniques(PopulationModel::Snb, &data, people).unwrap(), real(data.uniques()), "a census");
        }
    }
    assert!(SampleClasses::new([(u64::MAX, 2)]).is_err() && SampleClasses::new([(u64::MAX, 1), (1, 1)]).is_err());
    assert_eq!(SampleClasses::new([(0, 7), (3, 0)]).unwrap(), SampleClasses::default());
    assert!(Pitman::fit(&sample(&[(1, 1000)])).is_none() && Pitman::fit(&sample(&[(9, 1)])).is_none());
    assert!("pitman".parse::<PopulationModel>().unwrap() == PopulationModel::Pitman && "Pitman".parse::<PopulationModel>().is_err());
}

#[test]
fn dankars_rule_picks_by_the_sampling_fraction() {
    let data = skewed();
    let confidence = Confidence::new(0.95).unwrap();
    let picked = |population| estimate(PopulationModel::Dankar, &data, population, confidence).unwrap();
    let with = |model, population| population_uniques(model, &data, population);
    let people = data.people();
    assert_eq!(
        (picked(people * 10).estimator, picked(people * 10).uniques),
        (PopulationModel::Pitman, with(PopulationModel::Pitman, people * 10).unwrap())
    );
    let above = people * 10 - 1;
    let smaller = with(PopulationModel::Snb, above).unwrap_or(f64::INFINITY).min(with(PopulationModel::Zayatz, above).unwrap());
    assert_eq!(picked(above).uniques, smaller);
    // All people alone: Pitman has no solution.
    let alone = sample(&[(1, 50)]);
    assert_eq!(estimate(PopulationModel::Dankar, &alone, 5_000, confidence).unwrap().estimator, PopulationModel::Zayatz);
    assert!(population_uniques(PopulationModel::Pitman, &alone, 5_000).is_err());
}

/// 400 samples of 300 from 3,000 people of whom 700 are unique, bound at 90 %: it errs in at most a tenth of them. False-alarm rate: P(X ≥ 63) < 1e-4 for
/// X of 400 trials with probability 0.1.
#[test]
fn the_upper_bound_covers() {
    let mut random = ChaCha20Rng::seed_from_u64(20_261_124);
    let classes: Vec<u32> = (0..700).chain((0..2_300).map(|person| 700 + person / 4)).collect();
    let mut missed = 0;
    for _ in 0..400 {
        let mut people = classes.clone();
        for place in 0..300 {
            let other = random.random_range(place..people.len());
            people.swap(place, other);
        }
        let mut sizes: BTreeMap<u32, u64> = BTreeMap::new();
        people[..300].iter().for_each(|&class| *sizes.entry(class).or_default() += 1);
        let data = SampleClasses::new(sizes.into_values().map(|size| (size, 1))).unwrap();
        missed += u32::from(estimate(PopulationModel::Zayatz, &data, 3_000, Confidence::new(0.9).unwrap()).unwrap().high < 700.0);
    }
    assert!(missed < 63, "{missed}");
    let _ = random.next_u32();
}
