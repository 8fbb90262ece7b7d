use super::*;
use crate::dp::accounting::account;
use crate::dp::ledger::{Budget, Ledger};
use crate::matrix::SubjectItems;
use proptest::prelude::*;
use rand::{SeedableRng, rngs::ChaCha20Rng};

fn key() -> Key {
    Key::from_bytes([5; 32])
}

fn ids(count: usize) -> Vec<u64> {
    (0..count as u64).map(|id| id.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
}

fn units(epsilon: f64, delta: f64) -> (Epsilon, Delta) {
    (Epsilon::new(epsilon).unwrap(), Delta::new(delta).unwrap())
}

fn reservation(plan: &CataloguePlan) -> Reservation {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::create(folder.path().join("ledger"), "pool", Budget::new(plan.epsilon, plan.delta)).unwrap();
    ledger.reserve(&plan.spending("artists", "test").unwrap()).unwrap()
}

/// The accountant, which knows nothing of the plan but its events, agrees that the budget is kept and hardly anything of it left.
#[test]
fn the_plan_spends_its_budget() {
    for (epsilon, delta, max_plays) in [(1.0, 1e-6, None), (3.0, 1e-6, Some(50)), (0.1, 1e-9, Some(1)), (8.0, 1e-5, None)] {
        let (epsilon, delta) = units(epsilon, delta);
        let plan = CataloguePlan::new(epsilon, delta, &CatalogueOptions { max_plays, ..CatalogueOptions::new(100) }).unwrap();
        let spent = account(&plan.events()).unwrap().epsilon(delta);
        assert!(spent.lower <= epsilon.get(), "{spent:?}");
        assert!(spent.upper <= epsilon.get() * 1.001 && spent.upper > 0.97 * epsilon.get(), "{spent:?} for {epsilon:?}");
    }
}

#[test]
fn bad_parameters_are_named() {
    let (epsilon, delta) = units(1.0, 1e-6);
    let base = CatalogueOptions::new(10);
    for options in [
        CatalogueOptions { max_plays: Some(0), ..base },
        CatalogueOptions { max_plays: Some(u64::MAX), ..base },
        CatalogueOptions { split: Split { selection: 0.0, ..base.split }, ..base },
        CatalogueOptions { split: Split { subjects: f64::NAN, ..base.split }, ..base },
        CatalogueOptions::new(0),
    ] {
        assert!(matches!(CataloguePlan::new(epsilon, delta, &options), Err(Error::Parameter { .. })));
    }
    assert!(CataloguePlan::new(epsilon, Delta::new(0.0).unwrap(), &base).is_err());
}

#[test]
fn a_reservation_for_something_else_is_refused() {
    let (epsilon, delta) = units(1.0, 1e-6);
    let plan = CataloguePlan::new(epsilon, delta, &CatalogueOptions::new(10)).unwrap();
    let other = CataloguePlan::new(epsilon, delta, &CatalogueOptions::new(11)).unwrap();
    let pool = SubjectItems::from_lists(&[vec![0_u32]], 1).unwrap();
    let (people, items) = (ids(1), ids(1));
    let contributions = Contributions::new(&pool, &people, &items).unwrap();
    let run = |reservation: &Reservation| plan.run(&contributions, &key(), reservation, &mut ChaCha20Rng::seed_from_u64(1));
    assert!(run(&reservation(&other)).is_err());
    let paid = reservation(&plan);
    assert!(run(&paid).is_ok());
    assert!(run(&paid).unwrap_err().to_string().contains("used already"), "a second catalogue for the price of one");
}

/// Mean and spread of the counts of one item over many runs: false-alarm rate 1e-6.
#[test]
fn counts_are_unbiased_with_the_stated_deviation() {
    let lists: Vec<Vec<u32>> = (0..600).map(|_| vec![0, 0, 0, 1]).collect();
    let pool = SubjectItems::from_lists(&lists, 2).unwrap();
    let (people, items) = (ids(600), ids(2));
    let contributions = Contributions::new(&pool, &people, &items).unwrap();
    let (epsilon, delta) = units(4.0, 1e-5);
    let plan = CataloguePlan::new(epsilon, delta, &CatalogueOptions { max_plays: Some(2), ..CatalogueOptions::new(3) }).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let mut errors = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let catalogue = plan.run(&contributions, &key(), &reservation(&plan), &mut rng).unwrap();
        let place = catalogue.items().iter().position(|&item| item == 0).unwrap();
        errors.0.push(real(catalogue.subjects()[place].unsigned_abs()) - 600.0);
        errors.1.push(real(catalogue.plays().unwrap()[place].unsigned_abs()) - 1200.0);
    }
    for (errors, deviation) in [(errors.0, plan.subjects_deviation()), (errors.1, plan.plays_deviation().unwrap())] {
        let mean = errors.iter().sum::<f64>() / 200.0;
        let variance = errors.iter().map(|error| error * error).sum::<f64>() / 200.0;
        assert!(mean.abs() < 4.9 * deviation / 200_f64.sqrt(), "{mean} {deviation}");
        // Quantiles of χ² with 200 degrees at 5e-7 on either side.
        assert!((0.56..1.60).contains(&(variance / deviation.powi(2))), "{variance} {deviation}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Neighbours with the same selection: √L0 for people, √L0 · L∞ for plays, reached by a person with as many items.
    #[test]
    fn one_person_moves_the_counts_by_at_most_the_bound(
        lists in prop::collection::vec(prop::collection::vec(0_u32..20, 0..60), 1..8),
        limit in 1_u64..8,
        max in 1_u64..5,
    ) {
        let (epsilon, delta) = units(1.0, 1e-6);
        let plan = CataloguePlan::new(epsilon, delta, &CatalogueOptions { max_plays: Some(max), ..CatalogueOptions::new(limit) }).unwrap();
        let everybody = SubjectItems::from_lists(&[(0..20).collect::<Vec<u32>>()], 20).unwrap();
        let (one, items) = (ids(1), ids(20));
        // A selection that both pools may have: nearly everything passes at such a budget.
        let generous = SetUnion::new(900.0, 0.5, &SetUnionOptions::new(20)).unwrap();
        let selected = generous.select(&Contributions::new(&everybody, &one, &items).unwrap(), &key(), &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        let count = |lists: &[Vec<u32>]| {
            let pool = SubjectItems::from_lists(lists, 20).unwrap();
            let people = ids(lists.len());
            plan.count(&Contributions::new(&pool, &people, &items).unwrap(), &selected, &key()).unwrap()
        };
        let (with, without) = (count(&lists), count(&lists[..lists.len() - 1]));
        let distance = |a: &[i64], b: &[i64]| a.iter().zip(b).map(|(a, b)| real(a.abs_diff(*b)).powi(2)).sum::<f64>().sqrt();
        let (people, plays) = (distance(&with.subjects, &without.subjects), distance(&with.plays.unwrap(), &without.plays.unwrap()));
        let root = real(limit).sqrt();
        prop_assert!(people <= root + 1e-9 && plays <= root * real(max) + 1e-9, "{people} {plays}");
    }
}
