//! Losses against the accountant and closed forms, and parameters at their limits.

use super::*;
use crate::dp::accounting::account;
use crate::dp::event::PrivacyEvent;
use crate::dp::rational::Rational;
use crate::units::{Delta, Epsilon};
use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{CryptoRng, SeedableRng};

fn epsilon(value: f64) -> Epsilon {
    Epsilon::new(value).unwrap()
}

fn number(text: &str) -> Rational {
    text.parse().unwrap()
}

fn rng() -> impl CryptoRng {
    ChaCha8Rng::seed_from_u64(11)
}

/// The accountant's ε at δ = 0 of one event.
fn accounted(event: PrivacyEvent) -> f64 {
    account(&[event]).unwrap().epsilon(Delta::new(0.0).unwrap()).upper
}

#[test]
fn pure_losses_are_those_asked_for() {
    for asked in [0.1, 0.3, 1.0, 3.0] {
        for sensitivity in [1, 3, 7] {
            let laplace = DiscreteLaplaceMechanism::from_epsilon(epsilon(asked), L1Sensitivity::new(sensitivity).unwrap()).unwrap();
            assert_eq!(laplace.epsilon(L1Sensitivity::new(sensitivity).unwrap()).unwrap(), number(&asked.to_string()), "exactly");
            assert_eq!(
                laplace.list_event(L1Sensitivity::new(sensitivity).unwrap()).unwrap(),
                PrivacyEvent::Pure { epsilon: asked, count: 1 }
            );
            let alone = accounted(laplace.event(sensitivity).unwrap());
            assert!((alone / asked - 1.0).abs() < 1e-9, "{asked} {sensitivity}: {alone}");
            // Twice the change, twice the loss.
            assert!((accounted(laplace.event(2 * sensitivity).unwrap()) / (2.0 * asked) - 1.0).abs() < 1e-9);
        }
        for method in [Method::Exponential, Method::PermuteAndFlip] {
            let choice = Choice::new(method, epsilon(asked), 2, Direction::Any).unwrap();
            assert!((accounted(choice.event().unwrap()) - asked).abs() < 1e-9);
            assert_eq!(choice.concentrated_event().is_some(), method == Method::Exponential);
        }
        let sparse = AboveThreshold::new(epsilon(asked), epsilon(2.0 * asked), 4, 2, Direction::Any).unwrap();
        assert_eq!(sparse.event().unwrap(), PrivacyEvent::Pure { epsilon: told(3, asked), count: 1 });
        assert_eq!(RandomizedResponse::new(3, epsilon(asked)).unwrap().event().unwrap(), PrivacyEvent::Pure { epsilon: asked, count: 1 });
    }
}

/// A multiple of a decimal, as a decimal.
fn told(times: u64, value: f64) -> f64 {
    let product = number(&value.to_string()).times(&Rational::from(times));
    product.to_string().parse().unwrap()
}

/// Known answers of the analytic Gaussian mechanism at δ = 10⁻⁶, for sensitivity 1; others scale.
#[test]
fn gaussian_noise_is_the_least_that_suffices() {
    for (asked, sigma) in [(0.1, 36.3047), (0.5, 8.0576), (1.0, 4.2247), (2.0, 2.2305), (3.0, 1.5439), (8.0, 0.6529), (10.0, 0.5411)] {
        for square in [1, 2, 100] {
            let (sensitivity, delta) = (L2Sensitivity::from_square(square).unwrap(), Delta::new(1e-6).unwrap());
            let made = RoundedGaussianMechanism::from_epsilon(epsilon(asked), delta, sensitivity).unwrap();
            let norm = crate::numeric::real(square).sqrt();
            assert!((made.sigma().to_f64() / norm - sigma).abs() < 6e-5, "{asked}: {}", made.sigma().to_f64() / norm);
            let spent = account(&[made.event(sensitivity).unwrap()]).unwrap().epsilon(delta);
            assert!(spent.upper <= asked * (1.0 + 1e-6) && spent.lower <= spent.upper, "{asked}: {spent:?}");
            // The lower bound is that of one coordinate; the closed form says that no noise is wasted.
            let mu = norm / made.sigma().to_f64();
            assert!(crate::dp::accounting::gaussian::epsilon(delta, mu).unwrap() > asked * (1.0 - 1e-6), "{asked}: {mu}");
        }
    }
    let made = DiscreteGaussianMechanism::from_rho(&number("0.125"), L2Sensitivity::from_square(9).unwrap()).unwrap();
    assert_eq!(made.sigma(), &number("6"));
    assert_eq!(made.list_event(L2Sensitivity::from_square(9).unwrap()).unwrap(), PrivacyEvent::Zcdp { rho: 0.125, count: 1 });
    // Rounded up where the root is irrational: never more loss than asked for.
    for square in [2, 3, 5, 1_000_003] {
        let sensitivity = L2Sensitivity::from_square(square).unwrap();
        let made = DiscreteGaussianMechanism::from_rho(&number("0.3"), sensitivity).unwrap();
        let rho = made.rho(sensitivity).unwrap();
        assert!(rho <= number("0.3") && rho > number("0.29999999999999999"), "{square}");
        let made = RoundedGaussianMechanism::from_mu(&number("0.7"), sensitivity).unwrap();
        let squared = made.mu_squared(sensitivity).unwrap();
        assert!(squared <= number("0.49") && squared > number("0.48999999999999999"), "{square}");
    }
}

#[test]
fn bad_parameters_are_named_with_their_domain() {
    let (one, two) = (L1Sensitivity::new(1).unwrap(), L2Sensitivity::from_square(1).unwrap());
    let zero = Rational::from(0);
    let refused = |error: crate::Error, name: &str| {
        let text = error.to_string();
        assert!(text.starts_with(name) && error.exit_code() == 2, "{name}: {text}");
    };
    refused(DiscreteLaplaceMechanism::from_scale(&zero).unwrap_err(), "scale");
    refused(DiscreteGaussianMechanism::from_sigma(&zero).unwrap_err(), "sigma");
    refused(DiscreteGaussianMechanism::from_rho(&zero, two).unwrap_err(), "rho");
    refused(RoundedGaussianMechanism::from_sigma(&number("1e300")).unwrap_err(), "sigma");
    refused(RoundedGaussianMechanism::from_mu(&zero, two).unwrap_err(), "mu");
    refused(RoundedGaussianMechanism::from_epsilon(epsilon(1.0), Delta::new(0.0).unwrap(), two).unwrap_err(), "delta");
    refused(Choice::new(Method::Exponential, epsilon(1.0), 0, Direction::Any).unwrap_err(), "sensitivity");
    refused(AboveThreshold::new(epsilon(1.0), epsilon(1.0), 0, 1, Direction::Any).unwrap_err(), "positives");
    refused(AboveThreshold::new(epsilon(1.0), epsilon(1.0), 1, 0, Direction::Any).unwrap_err(), "sensitivity");
    refused(RandomizedResponse::new(1, epsilon(1.0)).unwrap_err(), "answers");
    refused(OptimizedUnaryEncoding::new(0, epsilon(1.0)).unwrap_err(), "answers");
    let mut rng = rng();
    refused(RandomizedResponse::new(2, epsilon(1.0)).unwrap().answer(2, &mut rng).unwrap_err(), "answer");
    refused(OptimizedUnaryEncoding::new(2, epsilon(1.0)).unwrap().answer(2, &mut rng).unwrap_err(), "answer");
    refused(RandomizedResponse::new(2, epsilon(1.0)).unwrap().estimate(&[1]).unwrap_err(), "counts");
    refused(OptimizedUnaryEncoding::new(2, epsilon(1.0)).unwrap().estimate(&[1, 5], 4).unwrap_err(), "counts");
    let choice = Choice::new(Method::Exponential, epsilon(1.0), 1, Direction::Any).unwrap();
    refused(choice.choose(&[], &mut rng).unwrap_err(), "scores");
    refused(choice.choose_several(&[1, 2], 3, &mut rng).unwrap_err(), "count");
    refused(choice.choose_several(&[1, 2], 0, &mut rng).unwrap_err(), "count");
    refused(DiscreteLaplaceMechanism::from_epsilon(epsilon(1.0), one).unwrap().event(1 << 40).unwrap_err(), "sensitivity");
}

/// Numbers at the ends of their range do not wrap, and certain answers are certain.
#[test]
fn extremes_stay_in_range() {
    let mut rng = rng();
    let laplace = DiscreteLaplaceMechanism::from_scale(&number("1e9")).unwrap();
    for noisy in laplace.release(&[i64::MAX; 200], &mut rng) {
        assert!(noisy > i64::MAX / 2);
    }
    for noisy in laplace.release(&[i64::MIN; 200], &mut rng) {
        assert!(noisy < i64::MIN / 2);
    }
    assert!(laplace.release(&[], &mut rng).is_empty());
    for method in [Method::Exponential, Method::PermuteAndFlip] {
        let choice = Choice::new(method, epsilon(1.0), 1, Direction::Any).unwrap();
        assert_eq!(choice.choose(&[i64::MIN, i64::MAX, 0], &mut rng).unwrap(), 1);
        assert_eq!(choice.choose(&[i64::MIN], &mut rng).unwrap(), 0);
        let mut all = choice.choose_several(&[5; 6], 6, &mut rng).unwrap();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
    }
    let sparse = AboveThreshold::new(epsilon(1.0), epsilon(1.0), 2, 1, Direction::Any).unwrap();
    let mut run = sparse.start(i64::MAX, &mut rng);
    assert!(!run.ask(i64::MIN, &mut rng).unwrap());
    let mut run = sparse.start(i64::MIN, &mut rng);
    assert!(run.ask(i64::MAX, &mut rng).unwrap() && run.ask(i64::MAX, &mut rng).unwrap());
    assert!(run.left() == 0 && run.ask(0, &mut rng).is_err());
    assert!(!format!("{:?}", sparse.start(1234, &mut rng)).contains("threshold"), "the noisy threshold is a secret");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is asked for, the event never tells less than the exact loss.
    #[test]
    fn events_never_tell_less(scale in 1_u64..1_000_000, part in 1_u64..1_000, sensitivity in 1_u64..1_000) {
        let scale = Rational::from_ratio(scale, part).unwrap();
        let made = DiscreteLaplaceMechanism::from_scale(&scale).unwrap();
        let sensitivity = L1Sensitivity::new(sensitivity).unwrap();
        if let Ok(PrivacyEvent::Pure { epsilon, .. }) = made.list_event(sensitivity) {
            prop_assert!(Rational::from_shortest_decimal(epsilon).unwrap() >= made.epsilon(sensitivity).unwrap());
        }
        if let Ok(PrivacyEvent::DiscreteLaplace { scale: told, .. }) = made.event(1) {
            prop_assert!(Rational::from_shortest_decimal(told).unwrap() <= scale);
        }
    }
}
