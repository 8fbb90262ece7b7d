use super::set_union::{threshold, weight};
use super::*;
use crate::aggregates::Contributions;
use crate::keys::Key;
use crate::matrix::SubjectItems;
use crate::numeric::clopper_pearson_lower;
use crate::units::Confidence;
use proptest::prelude::*;
use rand::{SeedableRng, rngs::ChaCha20Rng};

const UNIT: f64 = 4096.0;

fn key() -> Key {
    Key::from_bytes([5; 32])
}

fn ids(count: usize) -> Vec<u64> {
    (0..count as u64).map(|id| id.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
}

/// Thresholds of Gopi et al. with σ for half of δ = 1e-6 and the other half for the threshold: figures of the literature's formula, computed apart.
#[test]
fn thresholds_are_those_of_the_formula() {
    for (epsilon_sigma, rows) in
        [(4.380_0, [(1, 22.35), (30, 24.29), (100, 25.12), (300, 25.87)]), (1.592_7, [(1, 8.77), (30, 8.95), (100, 9.20), (300, 9.45)])]
    {
        for (items, expected) in rows {
            #[expect(clippy::cast_precision_loss, reason = "a threshold")]
            let found = threshold(epsilon_sigma * UNIT, 5e-7, items) as f64 / UNIT;
            assert!((found - expected).abs() < 0.01 + 0.01 * expected, "{items}: {found} {expected}");
        }
    }
}

#[test]
fn weights_never_pass_the_norm_and_waste_little_of_it() {
    for items in (1..3_000).chain([1 << 20]) {
        let square = u128::from(weight(items)).pow(2) * u128::from(items);
        assert!(square <= 1 << 24, "{items}");
        assert!(items > 2_000 || square > (1 << 24) * 9 / 10, "{items}");
    }
}

#[test]
fn rounds_spend_what_was_given() {
    let selection = SetUnion::new(0.7, 1e-6, &SetUnionOptions::new(100)).unwrap();
    let mu_squared: f64 = selection.rounds().iter().map(|round| (UNIT / round.sigma.to_f64()).powi(2)).sum();
    assert!(mu_squared <= 0.49 && mu_squared > 0.489, "{mu_squared}");
    let delta: f64 = selection.rounds().iter().map(|round| round.delta).sum();
    assert!(delta <= 1e-6 && delta > 0.999e-6);
    assert_eq!(selection.events().len(), 6);
    for (mu, delta, max_items, rounds, growth) in [
        (0.0, 1e-6, 1, 1, 1.0),
        (f64::NAN, 1e-6, 1, 1, 1.0),
        (f64::INFINITY, 1e-6, 1, 1, 1.0),
        (1.0, 0.0, 1, 1, 1.0),
        (1.0, 1.0, 1, 1, 1.0),
        (1.0, 1e-6, 0, 1, 1.0),
        (1.0, 1e-6, u64::MAX, 1, 1.0),
        (1.0, 1e-6, 1, 0, 1.0),
        (1.0, 1e-6, 1, 1, 0.5),
    ] {
        let options = SetUnionOptions { rounds, growth, ..SetUnionOptions::new(max_items) };
        assert!(SetUnion::new(mu, delta, &options).is_err());
    }
}

/// How often, of `trials`, some item of a person whose items nobody else has is named. `shift` is taken from the threshold.
fn singleton_releases(items: u64, shift: i64, trials: u64) -> u64 {
    let lists: Vec<Vec<u32>> = vec![(0..u32::try_from(items).unwrap()).collect()];
    let pool = SubjectItems::from_lists(&lists, lists[0].len()).unwrap();
    let (people, item_ids) = (ids(1), ids(lists[0].len()));
    let contributions = Contributions::new(&pool, &people, &item_ids).unwrap();
    let mut selection = SetUnion::new(1.0, 0.02, &SetUnionOptions { rounds: 1, ..SetUnionOptions::new(items) }).unwrap();
    selection.lower_thresholds(shift);
    let mut rng = ChaCha20Rng::seed_from_u64(items);
    (0..trials).filter(|_| !selection.select(&contributions, &key(), &mut rng).unwrap().items().is_empty()).count() as u64
}

/// False-alarm rate 1e-6 a case: the lower confidence bound of the rate is at most δ, and a threshold of a third of a σ less is caught.
#[test]
fn items_of_one_person_are_named_with_probability_at_most_delta() {
    let confidence = Confidence::new(1.0 - 1e-6).unwrap();
    for items in [1, 7] {
        let found = singleton_releases(items, 0, 3_000);
        assert!(clopper_pearson_lower(found, 3_000, confidence).unwrap() <= 0.02, "{items} items: {found}");
        let broken = singleton_releases(items, 2_700, 3_000);
        assert!(clopper_pearson_lower(broken, 3_000, confidence).unwrap() > 0.02, "{items} items: {broken}");
    }
}

#[test]
fn what_everybody_has_is_named_and_later_rounds_find_more() {
    // 400 people: 30 items of all, and 40 items of a tenth of them each.
    let lists: Vec<Vec<u32>> =
        (0..400_u32).map(|person| (0..30).chain((30..70).filter(|item| (item + person) % 10 == 0)).collect()).collect();
    let pool = SubjectItems::from_lists(&lists, 100).unwrap();
    let (people, items) = (ids(400), ids(100));
    let contributions = Contributions::new(&pool, &people, &items).unwrap().with_threads(2);
    let named = |rounds| {
        let selection = SetUnion::new(2.0, 1e-6, &SetUnionOptions { rounds, ..SetUnionOptions::new(10) }).unwrap();
        selection.select(&contributions, &key(), &mut ChaCha20Rng::seed_from_u64(1)).unwrap()
    };
    let (one, three) = (named(1), named(3));
    assert!(three.items().len() > one.items().len(), "{} {}", three.items().len(), one.items().len());
    assert!((0..30).all(|item| three.items().contains(&item)));
    // Items 70 to 99 nobody has.
    assert!(three.items().iter().all(|&item| item < 70));
    assert!(three.rounds().iter().any(|&round| round > 1));
    assert!(three.flags(100).iter().filter(|&&flag| flag).count() == three.items().len());
    // In the order of ids.
    assert!(three.items().is_sorted_by_key(|&item| items[item as usize]));
}

#[test]
fn an_empty_pool_names_nothing() {
    let pool = SubjectItems::from_lists::<Vec<u32>>(&[], 5).unwrap();
    let items = ids(5);
    let contributions = Contributions::new(&pool, &[], &items).unwrap();
    let selection = SetUnion::new(5.0, 0.1, &SetUnionOptions::new(3)).unwrap();
    assert!(selection.select(&contributions, &key(), &mut ChaCha20Rng::seed_from_u64(1)).unwrap().items().is_empty());
}

proptest! {
    /// The weights of neighbouring pools differ by at most 1, and a person with L0 items of their own makes it 1.
    #[test]
    fn one_person_moves_the_weights_by_at_most_one(lists in prop::collection::vec(prop::collection::btree_set(0_u32..30, 0..25), 1..8), limit in 1_u64..12) {
        let lists: Vec<Vec<u32>> = lists.into_iter().map(|list| list.into_iter().collect()).collect();
        let sums = |lists: &[Vec<u32>]| {
            let pool = SubjectItems::from_lists(lists, 30).unwrap();
            // People keep their names when another leaves.
            let (people, items) = (ids(lists.len()), ids(30));
            let contributions = Contributions::new(&pool, &people, &items).unwrap();
            SetUnion::new(1.0, 1e-6, &SetUnionOptions::new(limit)).unwrap().weights(&contributions, &key()).unwrap()
        };
        let distance = sums(&lists).distance(&sums(&lists[..lists.len() - 1])).unwrap() / UNIT;
        prop_assert!(distance <= 1.0 + 1e-12, "{distance}");
        let own = lists[lists.len() - 1].len();
        prop_assert!(own == 0 || distance > 0.99, "{distance}");
    }

    #[test]
    fn codes_order_and_threads_do_not_matter(lists in prop::collection::vec(prop::collection::btree_set(0_u32..20, 0..20), 1..60)) {
        let lists: Vec<Vec<u32>> = lists.into_iter().map(|list| list.into_iter().collect()).collect();
        let (people, items) = (ids(lists.len()), ids(20));
        let select = |lists: &[Vec<u32>], people: &[u64], items: &[u64], threads| {
            let pool = SubjectItems::from_lists(lists, 20).unwrap();
            let contributions = Contributions::new(&pool, people, items).unwrap().with_threads(threads);
            let selection = SetUnion::new(8.0, 0.2, &SetUnionOptions::new(4)).unwrap();
            let selected = selection.select(&contributions, &key(), &mut ChaCha20Rng::seed_from_u64(3)).unwrap();
            selected.items().iter().map(|&item| items[item as usize]).collect::<Vec<_>>()
        };
        let turned: Vec<Vec<u32>> = lists.iter().rev().map(|list| list.iter().rev().map(|item| 19 - item).collect()).collect();
        let (people_turned, items_turned): (Vec<u64>, Vec<u64>) = (people.iter().rev().copied().collect(), items.iter().rev().copied().collect());
        prop_assert_eq!(select(&lists, &people, &items, 1), select(&turned, &people_turned, &items_turned, 3));
    }
}
