//! The accounting as a whole against published figures and exact formulas.

use super::account::account;
use super::calibrate::{Goal, Mechanism, calibrate, smallest};
use super::compose::{Part, Precision, Target, compose};
use super::finite::Losses;
use super::grid::{Grid, from_below};
use super::pair::{Base, Direction, Pair, discrete_gaussian_total};
use super::selection::{each_delta, laplace_tail, laplace_threshold, truncated_geometric};
use super::{gaussian, rdp, zcdp};
use crate::dp::event::PrivacyEvent as E;
use crate::units::{Delta, Epsilon};

fn delta(value: f64) -> Delta {
    Delta::new(value).unwrap()
}

fn sampled(noise_multiplier: f64, sampling_rate: f64, count: u64) -> E {
    E::Gaussian { noise_multiplier, sampling_rate, count }
}

fn laplace(scale: f64, sampling_rate: f64, count: u64) -> E {
    E::Laplace { scale, sampling_rate, count }
}

fn pair(base: Base, rate: f64, direction: Direction) -> Pair {
    Pair { base, rate, direction }
}

/// An account on a coarse grid.
fn coarse(events: &[E]) -> super::Account {
    account(events).unwrap().with_precision(Precision { relative: 3e-4, points: 1 << 17 })
}

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected} ± {tolerance:e}");
}

#[test]
fn one_run_has_its_published_delta() {
    use Direction::{Add, Remove};
    let one = |mu: f64| Base::Gaussian { components: vec![(1.0, mu)] };
    // Google's tests state ADD and REMOVE the other way round for q < 1 only where it matters; both directions are named here as P with the person or without.
    for (base, rate, epsilon, expected) in [
        (one(3.0), 1.0, 1.0, 0.787_600_74),
        (one(1.0), 0.8, 1.0, 0.023_136_210_409_089_9),
        (one(3.0), 0.7, 1.0, 0.535_629_879_326_240_4),
        (Base::Laplace { epsilon: 2.0 }, 1.0, 0.5, 0.527_633_45),
        (Base::Laplace { epsilon: 2.0 }, 0.8, 0.5, 0.324_360_649_723_424_6),
        (Base::Laplace { epsilon: 1.0 }, 0.6, 0.2, 0.174_199_210_206_008_6),
        (Base::DiscreteLaplace { scale: 2.0, sensitivity: 4.0 }, 1.0, 1.0, 0.393_469_34),
        (Base::DiscreteLaplace { scale: 2.0, sensitivity: 4.0 }, 0.6, 1.0, 0.178_181_891_763_215),
        (truncated_gaussian(10.0, 3, 5), 1.0, 1.0, 0.263_672_394),
        (truncated_gaussian(5.0, 3, 5), 0.4, 0.1, 0.104_486_937),
    ] {
        let found = [Remove, Add].map(|direction| pair(base.clone(), rate, direction).delta(epsilon));
        assert!(found.iter().any(|found| (found - expected).abs() <= 5e-8), "{base:?} {rate}: {found:?} {expected}");
    }
}

/// Discrete Gaussian laws on [−bound, bound], `sensitivity` apart.
fn truncated_gaussian(sigma: f64, sensitivity: i32, bound: i32) -> Base {
    let weight = |x: i32| if x.abs() <= bound { (-0.5 * f64::from(x * x) / (sigma * sigma)).exp() } else { 0.0 };
    let total: f64 = (-bound..=bound).map(weight).sum();
    let mut atoms = Vec::new();
    let mut infinite = 0.0;
    for x in (-bound..=bound + sensitivity).rev() {
        let (without, with) = (weight(x) / total, weight(x - sensitivity) / total);
        if without > 0.0 {
            atoms.push(((with / without).ln(), without));
        } else {
            infinite += with;
        }
    }
    Base::Finite { atoms, infinite }
}

#[test]
fn a_truncated_discrete_gaussian_has_its_published_losses() {
    let found = pair(truncated_gaussian(1.0, 1, 2), 1.0, Direction::Remove);
    let mut losses = Vec::new();
    let infinite = found.atoms(0.0, |mass, loss| losses.push((loss, mass)));
    close(infinite, 0.054_488_68, 5e-8);
    for ((loss, mass), (place, expected)) in
        losses.iter().zip([(1.5, 0.244_201_34), (0.5, 0.402_619_95), (-0.5, 0.244_201_34), (-1.5, 0.054_488_68)])
    {
        close(*loss, place, 1e-12);
        close(*mass, expected, 5e-8);
    }
    // Its standard deviation for σ = 3 within ±2.
    let Base::Finite { atoms, .. } = truncated_gaussian(3.0, 1, 2) else { unreachable!() };
    let variance: f64 = atoms.iter().rev().zip(-2..).map(|((_, mass), x)| mass * f64::from(x * x)).sum();
    close(variance.sqrt(), 1.358_922_6, 5e-8);
}

#[test]
fn compositions_have_their_published_epsilon() {
    // Upper bounds of a pessimistic PLD with interval 1e-4, or intervals that hold the true value: (events, δ, largest, smallest, tolerance).
    let rows: Vec<(Vec<E>, f64, f64, f64)> = vec![
        (vec![sampled(1.0, 0.01, 1000)], 1e-5, 1.828_243_646_119_462_2, 1e-3),
        (vec![sampled(1.1, 256.0 / 60_000.0, 14_062)], 1e-5, 2.381_686_003_230_260_3, 1e-3),
        (vec![laplace(1.0, 0.01, 1000)], 1e-6, 1.286_423_937_683_702, 1e-3),
        (vec![sampled(10.0, 1.0, 100)], 1e-6, 4.886_55, 1e-3),
        (vec![laplace(20.0, 1.0, 1000)], 1e-6, 8.204_44, 1e-3),
        (vec![laplace(0.5, 0.2, 3)], 1e-14, 2.469_64, 1e-3),
    ];
    for (events, at, expected, tolerance) in rows {
        let found = coarse(&events).epsilon(delta(at));
        // Their value is an upper bound too: ours may be smaller, and neither may be below the lower bound.
        assert!((found.upper - expected).abs() <= tolerance * expected.max(1.0), "{events:?} {found:?} {expected}");
        assert!(
            found.lower <= expected + 1e-5 && found.lower <= found.upper && found.upper - found.lower <= 2e-3 * found.upper,
            "{events:?} {found:?}"
        );
    }
    let intervals = [
        (vec![sampled(1.1, 256.0 / 60_000.0, 14_062)], 1e-5, 2.371_455_506_610_298_7, 2.391_743_703_694_993),
        (
            vec![sampled(0.8, 0.005, 100), sampled(8.0, 1.0, 200), laplace(10.0, 1.0, 100)],
            1e-6,
            11.053_344_634_069_598,
            11.253_428_016_806_996,
        ),
        (vec![sampled(1.0, 0.01, 10_000)], 1e-6, 6.90, 6.91),
    ];
    for (events, at, low, high) in intervals {
        let found = coarse(&events).epsilon(delta(at));
        assert!(low <= found.lower && found.upper <= high && found.upper - found.lower <= 2e-3 * found.upper, "{events:?} {found:?}");
    }
    let found = account(&[sampled(0.5, 0.2, 3)]).unwrap().delta(1.0).unwrap();
    close(found.upper, 0.155_94, 1e-3);
    assert!(found.lower <= found.upper);
    let two =
        account(&[E::Approximate { epsilon: 1.0, delta: 0.1, count: 1 }, E::Approximate { epsilon: 2.0, delta: 0.2, count: 1 }]).unwrap();
    close(two.delta(3.0).unwrap().upper, 0.28, 1e-9);
}

#[test]
fn mixtures_of_gaussians_have_their_published_epsilon() {
    let mixture = |scale: f64, parts: [(f64, f64); 3], count| {
        let components = parts.map(|(weight, shift)| (weight, shift / scale)).to_vec();
        let base = pair(Base::Gaussian { components }, 1.0, Direction::Remove);
        Part { above: Some(base.clone()), below: Some(base), count }
    };
    let parts = [mixture(1.0, [(0.2, 0.0), (0.6, 1.0), (0.2, 2.0)], 3), mixture(2.0, [(0.33, 0.0), (0.34, 2.0), (0.33, 3.0)], 2)];
    let precision = Precision { relative: 1e-6, points: 1 << 17 };
    let expected = 17.193_115;
    let mut largest = (0.0_f64, 0.0_f64);
    for direction in [Direction::Remove, Direction::Add] {
        let curves = compose(&parts, direction, Target::Delta(1e-6), precision).unwrap();
        let at = |curve: &super::compose::Curve| gaussian::first(0.0, curve.reach(), |epsilon| curve.delta(epsilon) <= 1e-6);
        largest = (largest.0.max(at(&curves.above)), largest.1.max(at(&curves.below)));
    }
    assert!(largest.1 <= expected && expected <= largest.0 && largest.0 - largest.1 < 2e-5, "{largest:?}");
    // Both errors are of second order and nearly cancel.
    close(f64::midpoint(largest.0, largest.1), expected, 1e-6);
}

#[test]
fn renyi_divergences_are_the_published_ones() {
    for (alpha, expected) in [(2.5, 0.001_085_487_1), (50.0, 0.023_846_037_5)] {
        close(50.0 * rdp::poisson_gaussian(2.5, 0.01, alpha).unwrap() / expected, 1.0, 1e-4);
    }
    close(rdp::exponential_mechanism(1.0, 1.0).unwrap(), 0.123_301_561, 5e-8);
    let response = |buckets: usize, noise: f64, place: usize| {
        let mut law = vec![noise / f64::from(u32::try_from(buckets).unwrap()); buckets];
        law[place] += 1.0 - noise;
        law
    };
    for (alpha, expected) in [(2.5, 1.780_118_247_886_970_4), (50.0, 1.981_451_679_892_310_5)] {
        close(rdp::finite(&response(10, 0.3, 0), &[0.1; 10], alpha).unwrap() / expected, 1.0, 1e-4);
    }
    for (alpha, expected) in [(1.5, 5.850_317_703_374_384), (5.0, 5.930_633_082_131_939)] {
        close(rdp::finite(&response(20, 0.05, 0), &response(20, 0.05, 1), alpha).unwrap() / expected, 1.0, 1e-4);
    }
    for (event, at, expected) in [
        (sampled(10.0, 1.0, 100), 1e-6, 5.221_539_631_154_417_5),
        (sampled(1.0, 1.0, 1), 1e-5, 4.728_507_067_217_623),
        (laplace(10.0, 1.0, 100), 1e-6, 4.984_173_965_049_364),
        (laplace(20.0, 1.0, 1000), 1e-6, 8.732_527_316_723_365),
        (sampled(1.0, 0.01, 10_000), 1e-6, 7.414_10),
        (sampled(1.0, 0.01, 1000), 1e-5, 2.101_37),
        (sampled(1.1, 256.0 / 60_000.0, 14_062), 1e-5, 2.596_56),
        (sampled(0.8, 0.001, 10_000), 1e-6, 1.703_64),
    ] {
        let (found, _) = account(&[event]).unwrap().rdp_epsilon(delta(at)).unwrap();
        // Over all orders it can only be smaller than over a list of them.
        close(found / expected, 1.0, 1e-4);
        assert!(found <= expected * (1.0 + 3e-6), "{found} {expected}");
    }
    let best = (1001..=100_000_u32).map(|order| {
        let alpha = f64::from(order) / 1000.0;
        rdp::at_order(0.5 * alpha / 4.530_877_117_f64.powi(2), alpha, 1e-6)
    });
    close(best.fold(f64::INFINITY, f64::min), 1.0, 5e-8);
    // A binary tree over 1,600 steps: everyone is in 11 sums.
    let tree = account(&[sampled(8.83, 1.0, 11)]).unwrap();
    assert!(tree.rdp_epsilon(delta(1e-6)).unwrap().0 <= 2.04);
}

#[test]
fn integer_and_fractional_orders_agree_with_the_binomial_sum() {
    // Mironov, Talwar and Zhang 2019, equation for integer α: Σ C(α, k) (1 − q)^(α − k) q^k exp(k (k − 1) / 2σ²).
    for (sigma, q) in [(1.0, 0.01), (0.7, 0.3), (5.0, 1e-4)] {
        let mut before = 0.0;
        for alpha in 2..=20_u32 {
            let (mut sum, mut ways) = (0.0, 1.0);
            for k in 0..=alpha {
                let x = f64::from(k);
                sum += ways
                    * (1.0_f64 - q).powi((alpha - k).cast_signed())
                    * q.powi(k.cast_signed())
                    * (x * (x - 1.0) / (2.0 * sigma * sigma)).exp();
                ways *= f64::from(alpha - k) / f64::from(k + 1);
            }
            let exact = sum.ln() / f64::from(alpha - 1);
            let found = rdp::poisson_gaussian(sigma, q, f64::from(alpha)).unwrap();
            assert!(
                found >= exact * (1.0 - 1e-9) - 2e-15 && found <= exact * (1.0 + 1e-9) + 1e-13,
                "{sigma} {q} {alpha}: {found:e} {exact:e}"
            );
            let between = rdp::poisson_gaussian(sigma, q, f64::from(alpha) - 0.5).unwrap();
            assert!(before - 1e-13 <= between && between <= found + 1e-13);
            before = found;
        }
    }
}

#[test]
fn zcdp_has_its_published_deltas() {
    for (rho, epsilon, expected, relative) in [
        (0.1, 1.0, 0.008_933_245_771_818_362, 1e-9),
        (0.01, 0.5, 3.505_878_060_052_391e-5, 1e-9),
        (0.001, 0.2, 1.801_887_758_446_164e-7, 1e-9),
        (0.031_25, 0.0, 0.150_845_784_562_286_2, 1e-11),
        (5e-30, 1e-13, 2.619_676_329_730_047_7e-234, 1e-9),
    ] {
        let found = zcdp::delta(rho, epsilon).unwrap();
        assert!((found / expected - 1.0).abs() <= relative, "{rho} {epsilon}: {:e}", found / expected - 1.0);
        let back = zcdp::epsilon(rho, delta(expected)).unwrap();
        assert!((back - epsilon).abs() <= 1e-9 * epsilon + 1e-9);
    }
}

#[test]
fn zcdp_of_bounded_losses_is_the_limit_of_their_divergences() {
    for epsilon in [0.01, 0.3, 1.0, 4.0, 20.0] {
        let all = [
            (E::Pure { epsilon, count: 1 }, zcdp::rho_of_pure(epsilon)),
            (laplace(1.0 / epsilon, 1.0, 1), zcdp::rho_of_laplace(epsilon)),
            (E::DiscreteLaplace { scale: 3.0 / epsilon, sensitivity: 3.0, count: 1 }, zcdp::rho_of_pure(epsilon)),
        ];
        for (event, rho) in all {
            assert!((account(std::slice::from_ref(&event)).unwrap().zcdp_rho().unwrap() / rho - 1.0).abs() < 1e-12);
            for step in 0..60 {
                let alpha = 1.0 + 1.3_f64.powi(step - 40);
                let found = rdp::divergence(std::slice::from_ref(&event), alpha).unwrap();
                // Rounding of the divergence itself is divided by α − 1.
                assert!(found <= rho * alpha * (1.0 + 1e-9) + 3e-14 / (alpha - 1.0), "{event:?} {alpha}: {found} {}", rho * alpha);
            }
        }
    }
}

#[test]
fn calibrations_are_the_published_ones() {
    let goal = |sensitivity: f64, epsilon: f64, at: f64| Goal {
        sensitivity,
        epsilon: Epsilon::new(epsilon).unwrap(),
        delta: delta(at),
        max_items: 1,
    };
    for (epsilon, at, expected) in
        [(0.5, 1e-6, 8.057_618_480_725_044), (1.0, 1e-9, 5.495_266_157_238_296), (8.0, 1e-6, 0.652_935_384_358_215_9)]
    {
        let sigma = calibrate(Mechanism::Gaussian, &goal(1.0, epsilon, at)).unwrap().parameter.unwrap();
        close(sigma / expected, 1.0, 1e-10);
        assert!(gaussian::delta(epsilon, 1.0 / sigma).unwrap() <= at);
    }
    let sigma = calibrate(Mechanism::Gaussian, &goal(1.0, 16.0, 1.016e-5)).unwrap().parameter.unwrap();
    close(sigma, 0.344, 5e-4);
    // Together with sampling, and over several runs.
    let sampled_sigma =
        smallest(|sigma| vec![sampled(sigma / 5.0, 0.75, 1)], (1.0, 20.0), Epsilon::new(2.0).unwrap(), delta(0.008_772_01)).unwrap();
    close(sampled_sigma, 5.0, 5e-4);
    let sigma =
        smallest(|sigma| vec![sampled(sigma / 6.0, 1.0, 25)], (1.0, 200.0), Epsilon::new(1.0).unwrap(), delta(0.787_600_74)).unwrap();
    close(sigma, 10.0, 1e-5);
    let scale = smallest(|scale| vec![laplace(scale / 21.0, 1.0, 10)], (1.0, 500.0), Epsilon::new(3.0).unwrap(), delta(0.0)).unwrap();
    close(scale, 70.0, 0.1);
    let a = 1.0
        / smallest(
            |scale| vec![E::DiscreteLaplace { scale, sensitivity: 2.0, count: 5 }],
            (0.1, 100.0),
            Epsilon::new(3.0).unwrap(),
            delta(0.0),
        )
        .unwrap();
    close(a, 0.3, 1e-3);
}

/// By formulas that lose no digits where δ is small beside ε; and the accountant agrees with what was calibrated.
#[test]
fn calibrated_noise_keeps_its_goal() {
    let goal = |epsilon: f64, delta: f64| Goal {
        sensitivity: 1.0,
        epsilon: Epsilon::new(epsilon).unwrap(),
        delta: Delta::new(delta).unwrap(),
        max_items: 1,
    };
    for epsilon in [0.01, 0.3, 0.7, 1.0, 3.3, 17.0] {
        for delta in [0.0, 3e-17, 1e-16, 7e-16, 1e-9, 0.3, 1.0 - 1e-12] {
            let b = calibrate(Mechanism::Laplace, &goal(epsilon, delta)).unwrap().parameter.unwrap();
            // ε − 1/b, with the rounding of ε b put right.
            let lost = -0.5 * epsilon.mul_add(b, -1.0) / b;
            assert!(lost <= 0.0 || -(-lost).exp_m1() <= delta, "{epsilon} {delta:e}: {b}");
            if delta >= 1e-9 {
                assert!(account(&[laplace(b, 1.0, 1)]).unwrap().delta(epsilon).unwrap().upper <= delta, "{epsilon} {delta:e}: {b}");
                let sigma = calibrate(Mechanism::Gaussian, &goal(epsilon, delta)).unwrap().parameter.unwrap();
                assert!(account(&[sampled(sigma, 1.0, 1)]).unwrap().delta(epsilon).unwrap().upper <= delta, "{epsilon} {delta:e}: {sigma}");
            }
        }
    }
}

/// Where q is small beside 1, δ(0) = q · δ₀(0) and nothing near it, in both directions.
#[test]
fn rare_sampling_keeps_its_digits() {
    for rate in [1e-12, 3.977_595_975_236_778e-6, 0.01] {
        for base in [Base::Gaussian { components: vec![(1.0, 1.3)] }, Base::Laplace { epsilon: 0.7 }] {
            let whole = pair(base.clone(), 1.0, Direction::Remove).delta(0.0);
            for direction in [Direction::Remove, Direction::Add] {
                let found = pair(base.clone(), rate, direction).delta(0.0);
                assert!((found / (rate * whole) - 1.0).abs() < 1e-13, "{base:?} {rate} {direction:?}: {found:e}");
            }
        }
    }
}

/// One event of (ε, δ) is (ε, δ), and not only a little above.
#[test]
fn a_single_approximate_event_costs_what_it_says() {
    for (epsilon, failing) in [(0.1, 1e-7), (1.0, 1e-6), (3.0, 1e-15), (0.5, 0.3)] {
        let alone = account(&[E::Approximate { epsilon, delta: failing, count: 1 }]).unwrap();
        close(alone.epsilon(delta(failing)).upper, epsilon, 1e-12 * epsilon);
        let beside = account(&[E::Approximate { epsilon, delta: failing, count: 1 }, E::Pure { epsilon: 0.25, count: 2 }]).unwrap();
        assert!(beside.epsilon(delta(failing)).upper <= (epsilon + 0.5) * (1.0 + 1e-12));
        assert!(beside.epsilon(delta(failing * 0.999)).upper.is_infinite());
    }
}

#[test]
fn calibrations_over_runs_are_the_published_ones() {
    let epsilon = Epsilon::new(1.0).unwrap();
    // The δ at the published parameters, and a little beyond.
    let at = |event: E| account(&[event]).unwrap().delta(epsilon.get()).unwrap();
    assert!(at(laplace(6.9 / 0.5, 1.0, 20)).upper <= 1e-4 && at(laplace(6.7 / 0.5, 1.0, 20)).lower > 1e-4);
    let discrete = |a: f64| E::DiscreteLaplace { scale: 1.0 / a, sensitivity: 5.0, count: 20 };
    assert!(at(discrete(0.013)).upper <= 1e-4 && at(discrete(0.015)).lower > 1e-4);
    let published = at(sampled(3.209_565_025_98 / 6.0, 0.001, 25));
    assert!(published.lower <= 1e-5 && 1e-5 <= published.upper * 1.01, "{published:?}");
    close(published.upper, 1e-5, 1e-7);
}

#[test]
fn optimal_composition_is_the_published_one() {
    // The lattice of Kairouz, Oh and Viswanath: (k − 2i) ε.
    let many = |epsilon: f64, at: f64, count: u64| Losses::new(&[E::Approximate { epsilon, delta: at, count }]).unwrap();
    let thirty = many(1.0, 0.001, 30);
    assert!(thirty.delta(20.0) <= 0.1 && thirty.delta(18.0) > 0.1);
    assert!(many(0.25, 0.0, 50).delta(5.0) <= 0.01 && many(5.0 / 18.0, 0.0, 50).delta(5.0) > 0.01);
    let mu = account(&[E::Pure { epsilon: 1.0, count: 1 }, E::Pure { epsilon: 2.0, count: 1 }]).unwrap().gdp_mu().unwrap();
    close(mu, 2.358, 1e-3);
    let three = account(&[sampled(3.0_f64.sqrt(), 1.0, 3)]).unwrap();
    close(three.true_positives(0.1).unwrap(), 0.389_14, 1e-3);
}

#[test]
fn partitions_are_kept_as_published() {
    let keep = |epsilon: f64, at: f64, n: usize| truncated_geometric(epsilon, at, 1000).get(n - 1).copied().unwrap_or(1.0);
    for (epsilon, at, items, n, expected, relative) in [
        (1.5_f64.ln(), 0.1, 1.0, 1, 0.1, 1e-5),
        (1.5_f64.ln(), 0.1, 1.0, 3, 0.475, 1e-5),
        (1.5_f64.ln(), 0.1, 1.0, 5, 0.877_777_777_778, 1e-5),
        (1.5_f64.ln(), 0.1, 1.0, 7, 1.0, 1e-5),
        (50.0, 1e-200, 1.0, 2, 5.184_706e-179, 1e-6),
        (50.0, 1e-200, 1.0, 9, 5.221_47e-27, 1e-6),
        (50.0, 1e-200, 1.0, 11, 1.0, 1e-6),
        (0.5, 0.02, 1.0, 8, 0.868_070_806_25, 2e-10),
        (1.0, 1e-5, 1.0, 5, 0.000_857_910_248_837_216, 1e-9),
        (1.0, 1e-5, 1.0, 12, 0.760_310_996_922_627, 1e-9),
        (1.0, 1e-5, 1.0, 20, 0.999_925_411_111_902_7, 1e-9),
        (2.0, 1e-6, 10.0, 20, 2.420_843_826_813_107e-5, 1e-9),
        (2.0, 1e-6, 10.0, 70, 0.543_174_481_726_544_3, 1e-9),
        (0.1, 1e-8, 1.0, 50, 1.401_653_249_775_236e-5, 1e-9),
        (0.1, 1e-8, 1.0, 150, 0.310_828_928_023_692_2, 1e-9),
    ] {
        close(keep(epsilon / items, at / items, n) / expected, 1.0, relative);
    }
    // Up to 6 people the first branch holds, up to 11 the second, and beyond everything is kept.
    let law = truncated_geometric(0.5, 0.02, 100);
    let first_branch = |n: usize| ((0.5_f64.exp() * law[n - 2] + 0.02) / law[n - 1] - 1.0).abs() < 1e-12;
    assert!(first_branch(6) && !first_branch(7) && law.len() == 12 && law[11] >= 1.0 && law[10] < 1.0, "{law:?}");
    // Every neighbouring pair is (ε, δ)-indistinguishable, and no larger probability would be.
    for n in 1..law.len() {
        let (less, more) = (law[n - 1], law[n]);
        let slack = (0.5_f64.exp() * less + 0.02 - more).min(0.5_f64.exp() * (1.0 - more) + 0.02 - (1.0 - less));
        assert!(slack >= -1e-15 && (slack < 1e-12 || more >= 1.0), "{n}: {slack}");
    }
}

#[test]
fn thresholds_are_the_published_ones() {
    let epsilon = 3.0_f64.ln();
    for (at, items, expected, tolerance) in [
        (1e-32, 1.0, 67.438, 1e-3),
        (1e-8, 1.0, 17.1363, 1e-3),
        (0.1, 1.0, 2.464_97, 1e-3),
        (0.9, 1.0, -0.464_97, 1e-3),
        (2.089_433_4e-24, 5.0, 253.325, 0.05),
        (2.089_433_4e-24, 1000.0, 55_288.7, 0.05),
    ] {
        close(laplace_threshold(1.0, items / epsilon, each_delta(at, items)), expected, tolerance);
    }
    for (threshold, expected) in [(5.0, 0.006_172_839_6), (50.0, 2.089_433_4e-24)] {
        close(laplace_tail(threshold - 1.0, 1.0 / epsilon) / expected, 1.0, 1e-5);
    }
    // ρ of weights 1/√L₀, which is the threshold of counts over √L₀.
    for (epsilon, items, rho) in [(1.0, 1, 22.35), (1.0, 30, 24.29), (1.0, 100, 25.12), (1.0, 300, 25.87), (3.0, 1, 8.77), (3.0, 300, 9.45)]
    {
        let goal = Goal { sensitivity: 1.0, epsilon: Epsilon::new(epsilon).unwrap(), delta: delta(1e-6), max_items: items };
        let found = calibrate(Mechanism::GaussianThreshold, &goal).unwrap();
        close(found.threshold.unwrap() / f64::from(u32::try_from(items).unwrap()).sqrt(), rho, 6e-3);
    }
}

#[test]
fn discrete_laws_have_their_published_variances() {
    for (sigma, expected) in [(0.5, 0.215_012_675_088_138_5), (1.0, 0.999_999_788_767_728_1), (3.0, 9.0), (10.0, 100.0)] {
        let total = discrete_gaussian_total(sigma);
        let sum: f64 = (1..400).rev().map(|x| 2.0 * f64::from(x * x) * (-0.5 * f64::from(x * x) / (sigma * sigma)).exp()).sum();
        close(sum / total / expected, 1.0, 1e-14);
    }
    for (scale, expected) in
        [(0.5, 0.362_030_830_483_155_2), (1.0, 1.841_347_188_415_584_6), (10.0, 199.833_416_633_609_45), (1000.0, 1_999_999.833_333_341_7)]
    {
        // 2 e^(1/b) / (e^(1/b) − 1)², with P(0) = tanh(1/2b) as the pairs have it.
        let centre = (0.5_f64 / scale).tanh();
        close((1.0 - centre * centre) / (2.0 * centre * centre) / expected, 1.0, 1e-13);
    }
}

/// δ(ε) of k bits told truly with probability e^ε/(1 + e^ε), from the binomial law in full.
fn responses(epsilon: f64, count: u64, at: f64) -> f64 {
    let runs = f64::from(u32::try_from(count).unwrap());
    let truth = 1.0 / (1.0 + (-epsilon).exp());
    let (mut ways, mut sum, mut lies) = (1.0_f64, 0.0, 0.0);
    while lies <= runs {
        let loss = (runs - 2.0 * lies) * epsilon;
        if loss > at {
            sum += ways * truth.powf(runs - lies) * (1.0 - truth).powf(lies) * -(at - loss).exp_m1();
        }
        ways *= (runs - lies) / (lies + 1.0);
        lies += 1.0;
    }
    sum
}

#[test]
fn randomized_response_is_enclosed_exactly() {
    for (epsilon, count) in [(0.3, 40), (1.0, 7), (0.01, 300), (2.0, 2)] {
        let found = account(&[E::RandomizedResponse { epsilon, count }]).unwrap();
        let runs = f64::from(u32::try_from(count).unwrap());
        for share in [0.0, 0.05, 0.21, 0.5, 0.83] {
            let at = share * runs * epsilon;
            let exact = responses(epsilon, count, at);
            let bounds = found.delta(at).unwrap();
            assert!(
                bounds.lower <= exact * (1.0 + 1e-12) && exact <= bounds.upper * (1.0 + 1e-12),
                "{epsilon} {count} {at}: {bounds:?} {exact}"
            );
            assert!(bounds.upper - bounds.lower <= 1e-6 * exact, "{epsilon} {count} {at}: {bounds:?} {exact}");
            let back = found.epsilon(delta(exact.min(0.999)));
            assert!(
                back.lower <= at + 1e-9 && at <= back.upper + 1e-9 && back.upper - back.lower <= 1e-4 * runs * epsilon,
                "{back:?} {at}"
            );
        }
        assert!(found.delta(runs * epsilon * 1.0001).unwrap().upper <= 0.0);
    }
}

#[test]
fn unequal_responses_are_enclosed() {
    let events =
        [E::Pure { epsilon: 0.37, count: 5 }, E::Pure { epsilon: 0.11, count: 9 }, E::Approximate { epsilon: 0.5, delta: 1e-4, count: 3 }];
    let (found, exact) = (coarse(&events), Losses::new(&events).unwrap());
    for at in [0.0, 0.3, 1.1, 2.0, 3.3] {
        let bounds = found.delta(at).unwrap();
        let truth = exact.delta(at);
        assert!(bounds.lower <= truth && truth <= bounds.upper && bounds.upper - bounds.lower <= 5e-2 * truth, "{at}: {bounds:?} {truth}");
    }
}

#[test]
fn gaussians_on_the_grid_enclose_the_closed_form() {
    // A mixture with two equal shifts is the Gaussian itself, but takes the way over the grid.
    for (mu, count) in [(1.0, 1), (0.2, 30), (0.01, 5000)] {
        let base = pair(Base::Gaussian { components: vec![(0.5, mu), (0.5, mu)] }, 1.0, Direction::Remove);
        let parts = [Part { above: Some(base.clone()), below: Some(base), count }];
        let total = mu * f64::from(u32::try_from(count).unwrap()).sqrt();
        for at in [1e-3, 1e-6, 1e-12, 1e-40] {
            let epsilon = gaussian::epsilon(delta(at), total).unwrap();
            let curves = compose(&parts, Direction::Remove, Target::Delta(at), Precision::default()).unwrap();
            let (above, below) = (curves.above.delta(epsilon), curves.below.delta(epsilon));
            assert!(below <= at * (1.0 + 1e-9) && at <= above * (1.0 + 1e-9), "{mu} {count} {at}: {below:e} {above:e}");
            assert!(above - below <= 3e-2 * at, "{mu} {count} {at}: {below:e} {above:e}");
        }
    }
}

#[test]
fn broken_accountants_are_caught() {
    let precision = Precision::default();
    let at = |parts: &[Part], direction, epsilon| {
        let curves = compose(parts, direction, Target::Epsilon(epsilon), precision).unwrap();
        (curves.below.delta(epsilon), curves.above.delta(epsilon))
    };
    // One direction of sampling forgotten: they differ by far more than the bounds.
    let base = pair(Base::Gaussian { components: vec![(1.0, 1.0)] }, 0.1, Direction::Remove);
    let parts = [Part { above: Some(base.clone()), below: Some(base.clone()), count: 20 }];
    let (remove, add) = (at(&parts, Direction::Remove, 1.0), at(&parts, Direction::Add, 1.0));
    assert!(remove.0 > 1.1 * add.1, "{remove:?} {add:?}");
    let whole = account(&[sampled(1.0, 0.1, 20)]).unwrap().delta(1.0).unwrap();
    assert!(whole.upper >= remove.0 && whole.upper > 1.1 * add.1);
    // Optimistic instead of pessimistic rounding: the exact binomial law shows it.
    let lossy = super::parts::approximate(0.3, 0.0);
    let grid = Grid { h: 0.07, tail: 1e-20, pieces: 1 };
    let low = from_below(&lossy, grid, 1.0);
    let once: f64 =
        low.mass.iter().zip(low.first..).map(|(mass, index)| mass * -(0.1 - super::pair::real(index) * 0.07).min(0.0).exp_m1()).sum();
    assert!(once < responses(0.3, 1, 0.1) * 0.999, "{once}");
    // The mass of the tail dropped: an (ε, δ) event would look pure.
    let leak = [E::Approximate { epsilon: 0.1, delta: 1e-3, count: 10 }];
    let honest = account(&leak).unwrap().delta(1.0).unwrap();
    let dropped = account(&[E::Pure { epsilon: 0.1, count: 10 }]).unwrap().delta(1.0).unwrap();
    assert!(honest.lower > 9.9e-3 && dropped.upper < 1e-12);
}

#[test]
fn extremes_are_finite_or_said_not_to_be() {
    assert!(account(&[]).unwrap().epsilon(delta(0.0)).upper <= 0.0);
    assert!(account(&[]).unwrap().delta(0.0).unwrap().upper <= 0.0);
    let pure = account(&[
        E::Pure { epsilon: 0.1, count: 10 },
        laplace(2.0, 1.0, 3),
        E::DiscreteLaplace { scale: 4.0, sensitivity: 2.0, count: 1 },
    ])
    .unwrap();
    let zero = pure.epsilon(delta(0.0));
    close(zero.upper, 3.0, 1e-9);
    assert!(zero.lower <= zero.upper && zero.upper - zero.lower < 1e-9);
    assert!(account(&[sampled(1.0, 1.0, 1)]).unwrap().epsilon(delta(0.0)).upper.is_infinite());
    assert!(account(&[E::Approximate { epsilon: 1.0, delta: 1e-9, count: 1 }]).unwrap().epsilon(delta(1e-10)).lower.is_infinite());
    assert!(
        account(&[sampled(1.0, 1.0, 1)]).unwrap().delta(-1.0).is_err()
            && account(&[sampled(1.0, 1.0, 1)]).unwrap().delta(f64::NAN).is_err()
    );
    // A million runs of almost nothing.
    let million = account(&[E::DiscreteLaplace { scale: 3e5, sensitivity: 1.0, count: 1_000_000 }]).unwrap().epsilon(delta(1e-6));
    assert!(0.0102 < million.lower && million.upper < 0.010_25, "{million:?}");
    let total = account(&[laplace(1.0, 0.5, 2)]).unwrap().delta(0.0).unwrap();
    assert!(total.lower > 0.25 && total.upper < 0.26 && total.upper - total.lower < 5e-3, "{total:?}");
}

mod property {
    use super::*;
    use proptest::prelude::*;

    fn event() -> impl Strategy<Value = E> {
        let count = 1..200_u64;
        prop_oneof![
            (0.3..20.0, 0.001..1.0, count.clone()).prop_map(|(sigma, rate, count)| sampled(sigma, rate, count)),
            (0.3..20.0, count.clone()).prop_map(|(sigma, count)| sampled(sigma, 1.0, count)),
            (0.5..50.0, 0.01..1.0, count.clone()).prop_map(|(scale, rate, count)| laplace(scale, rate, count)),
            (0.5..50.0, 1..5_u8, count.clone()).prop_map(|(scale, s, count)| E::DiscreteLaplace {
                scale,
                sensitivity: f64::from(s),
                count
            }),
            (1.0..30.0, 1..4_u8, count.clone()).prop_map(|(sigma, s, count)| E::DiscreteGaussian {
                sigma,
                sensitivity: f64::from(s),
                count
            }),
            (1.0..30.0, 0.5..4.0, count.clone()).prop_map(|(sigma, sensitivity, count)| E::RoundedGaussian { sigma, sensitivity, count }),
            (0.01..1.0, count.clone()).prop_map(|(epsilon, count)| E::RandomizedResponse { epsilon, count }),
            (0.0..0.5, 1e-9..1e-4, count.clone()).prop_map(|(epsilon, delta, count)| E::Approximate {
                epsilon: epsilon + 1e-3,
                delta,
                count
            }),
            (1e-4..0.1, count).prop_map(|(rho, count)| E::Zcdp { rho, count }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

        #[test]
        fn no_lower_bound_exceeds_an_upper_one(events in proptest::collection::vec(event(), 1..3), at in -12.0..-0.5_f64) {
            let found = coarse(&events);
            let at = delta(at.exp());
            let bounds = found.epsilon(at);
            prop_assert!(bounds.lower <= bounds.upper && bounds.lower >= 0.0 && !bounds.upper.is_nan());
            if bounds.upper.is_finite() {
                let back = found.delta(bounds.upper).unwrap();
                prop_assert!(back.lower <= back.upper && back.upper <= 1.0);
                // δ at the promised ε is no more than what was promised.
                prop_assert!(back.lower <= at.get() * (1.0 + 1e-9), "{:?} {:?} {:?}", events, bounds, back);
            }
            if let Some((renyi, _)) = found.rdp_epsilon(at) {
                prop_assert!(bounds.lower <= renyi * (1.0 + 1e-9), "{events:?} {bounds:?} {renyi}");
            }
        }
    }
}
