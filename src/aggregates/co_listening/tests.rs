use super::plan::norm;
use super::statistic::{UNIT, pairs};
use super::*;
use crate::aggregates::contributions::Sampled;
use crate::aggregates::{CatalogueOptions, CataloguePlan, Contributions, Keep};
use crate::dp::accounting::{account, gaussian};
use crate::dp::audit::TwoWorlds;
use crate::dp::ledger::{Budget, Ledger, Reservation};
use crate::error::{Error, Result};
use crate::keys::Key;
use crate::matrix::SubjectItems;
use crate::numeric::{SquareMatrix, ease_weights, real, symmetric_eigen};
use crate::units::{Confidence, Delta, Epsilon};
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::ChaCha20Rng};

fn key() -> Key {
    Key::from_bytes([5; 32])
}

fn ids(count: usize) -> Vec<u64> {
    (0..count as u64).map(|id| (id + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
}

fn units(epsilon: f64, delta: f64) -> (Epsilon, Delta) {
    (Epsilon::new(epsilon).unwrap(), Delta::new(delta).unwrap())
}

fn plan(max_items: u64, normalization: Normalization) -> CoListeningPlan {
    let (epsilon, delta) = units(1.0, 1e-6);
    CoListeningPlan::new(epsilon, delta, &CoListeningOptions { normalization, ..CoListeningOptions::new(max_items) }).unwrap()
}

fn reservation(plan: &CoListeningPlan) -> Reservation {
    let folder = tempfile::tempdir().unwrap();
    let (epsilon, delta) = units(50.0, 0.1);
    let mut ledger = Ledger::create(folder.path().join("ledger"), "pool", Budget::new(epsilon, delta)).unwrap();
    ledger.reserve(&plan.spending("together", "test").unwrap()).unwrap()
}

/// The triangle of people (lists and their names) over `items`.
fn triangle(plan: &CoListeningPlan, people: &[(u64, Vec<u32>)], codes: usize, items: &[u32], threads: usize) -> BoundedTriangle {
    let lists: Vec<&[u32]> = people.iter().map(|person| person.1.as_slice()).collect();
    let pool = SubjectItems::from_lists(&lists, codes).unwrap();
    let names: Vec<u64> = people.iter().map(|person| person.0).collect();
    let item_ids = ids(codes);
    plan.count(&Contributions::new(&pool, &names, &item_ids).unwrap().with_threads(threads), items, &key()).unwrap()
}

/// The ℓ2 norm that a neighbour may move the triangle by, in its cells.
fn limit(triangle: &BoundedTriangle) -> f64 {
    norm(triangle.norm_squared())
}

const BOTH: [Normalization; 2] = [Normalization::Fixed, Normalization::Normed];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    /// Removing any one person moves the triangle by no more than the bound, whoever it is.
    #[test]
    fn one_person_moves_the_triangle_by_at_most_the_bound(
        lists in prop::collection::vec(prop::collection::vec(0_u32..25, 0..60), 1..8),
        max_items in 1_u64..12,
        keep_top: bool,
        rows in 1_usize..25,
        removed in any::<prop::sample::Index>(),
    ) {
        let people: Vec<(u64, Vec<u32>)> = ids(lists.len()).into_iter().zip(lists).collect();
        let items: Vec<u32> = (0..25).rev().take(rows).collect();
        for normalization in BOTH {
            let keep = if keep_top { Keep::Top } else { Keep::Uniform };
            let (epsilon, delta) = units(1.0, 1e-6);
            let options = CoListeningOptions { keep, normalization, ..CoListeningOptions::new(max_items) };
            let plan = CoListeningPlan::new(epsilon, delta, &options).unwrap();
            let with = triangle(&plan, &people, 25, &items, 1);
            let mut fewer = people.clone();
            fewer.remove(removed.index(people.len()));
            let without = triangle(&plan, &fewer, 25, &items, 2);
            let distance = with.distance(&without).unwrap();
            prop_assert!(distance <= limit(&with) * (1.0 + 1e-12), "{distance} {}", limit(&with));
        }
    }

    /// The same people and items under other codes and in another order, with other threads: the same cells.
    #[test]
    fn codes_order_and_threads_do_not_matter(lists in prop::collection::vec(prop::collection::btree_set(0_u32..40, 0..40), 1..40), max_items in 1_u64..20) {
        let people: Vec<(u64, Vec<u32>)> = ids(lists.len()).into_iter().zip(lists).map(|(name, list)| (name, list.into_iter().collect())).collect();
        let turned: Vec<(u64, Vec<u32>)> = people.iter().rev().map(|(name, list)| (*name, list.iter().rev().map(|item| 39 - item).collect())).collect();
        let count = |people: &[(u64, Vec<u32>)], item_ids: &[u64], items: &[u32], threads| {
            let lists: Vec<&[u32]> = people.iter().map(|person| person.1.as_slice()).collect();
            let names: Vec<u64> = people.iter().map(|person| person.0).collect();
            let pool = SubjectItems::from_lists(&lists, 40).unwrap();
            let contributions = Contributions::new(&pool, &names, item_ids).unwrap().with_threads(threads);
            plan(max_items, Normalization::Normed).count(&contributions, items, &key()).unwrap()
        };
        let item_ids = ids(40);
        let turned_ids: Vec<u64> = item_ids.iter().rev().copied().collect();
        let items: Vec<u32> = (0..35).collect();
        let turned_items: Vec<u32> = items.iter().map(|item| 39 - item).collect();
        prop_assert!(count(&people, &item_ids, &items, 1) == count(&turned, &turned_ids, &turned_items, 3));
    }

    /// Against a sum written down as in the definition.
    #[test]
    fn cells_are_sums_of_outer_products(lists in prop::collection::vec(prop::collection::btree_set(0_u32..90, 0..30), 0..12)) {
        let people: Vec<(u64, Vec<u32>)> = ids(lists.len()).into_iter().zip(&lists).map(|(name, list)| (name, list.iter().copied().collect())).collect();
        // More rows than one band, in an order of their own.
        let items: Vec<u32> = (0..80).map(|row| (row * 7) % 80).collect();
        for normalization in BOTH {
            let found = triangle(&plan(90, normalization), &people, 90, &items, 2);
            let mut cells = found.exact_for_the_steward().iter();
            for row in 0..80 {
                for column in row..80 {
                    let expected: u64 = lists.iter().filter(|list| list.contains(&items[row]) && list.contains(&items[column]))
                        .map(|list| normalization.weight(list.iter().filter(|item| **item < 80).count() as u64)).sum();
                    prop_assert_eq!(*cells.next().unwrap(), i64::try_from(expected).unwrap());
                }
            }
            prop_assert!(cells.next().is_none());
        }
    }
}

/// Person by person, list by list uphill: the largest distance that is found stays within the bound and comes close to it.
#[test]
fn neighbours_that_were_searched_for_reach_the_bound_and_no_more() {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let items: Vec<u32> = (0..30).collect();
    for normalization in BOTH {
        let plan = plan(8, normalization);
        let others: Vec<(u64, Vec<u32>)> = ids(6).into_iter().map(|name| (name, (0..12).map(|_| rng.next_u32() % 30).collect())).collect();
        let without = triangle(&plan, &others, 30, &items, 1);
        let distance = |list: &[u32]| {
            let mut people = others.clone();
            people.push((77, list.to_vec()));
            triangle(&plan, &people, 30, &items, 1).distance(&without).unwrap()
        };
        let mut best: Vec<u32> = vec![0];
        let mut height = distance(&best);
        for _ in 0..250 {
            let mut next = best.clone();
            match rng.next_u32() % 3 {
                0 => next.push(rng.next_u32() % 30),
                1 if next.len() > 1 => drop(next.remove(rng.next_u32() as usize % best.len())),
                _ => next.extend(best.iter().copied()),
            }
            next.truncate(200);
            let found = distance(&next);
            if found >= height {
                (best, height) = (next, found);
            }
        }
        assert!(height <= limit(&without) * (1.0 + 1e-12), "{height}");
        assert!(height >= 0.999 * limit(&without), "{height} {}", limit(&without));
    }
}

#[test]
fn the_worst_person_is_one_with_as_many_items_as_count() {
    for max_items in [1, 2, 3, 10, 100, 400] {
        for normalization in BOTH {
            let all: Vec<u32> = (0..u32::try_from(max_items).unwrap()).collect();
            let items = all.clone();
            let plan = plan(max_items, normalization);
            let one = triangle(&plan, &[(1, all.clone())], items.len(), &items, 1);
            let nobody = triangle(&plan, &[], items.len(), &items, 1);
            let share = one.distance(&nobody).unwrap() / limit(&one);
            assert!((0.999..=1.0 + 1e-12).contains(&share), "{max_items}: {share}");
            // Somebody with one item: 1 cell, all of the norm where everybody has the same.
            let single = triangle(&plan, &[(1, vec![0])], items.len(), &items, 1).distance(&nobody).unwrap();
            let expected = if normalization == Normalization::Fixed { 1.0 } else { real(UNIT) };
            assert!((single - expected).abs() < 1e-9);
        }
    }
}

#[test]
fn weights_never_pass_the_norm() {
    for items in 1..10_000 {
        let square = u128::from(Normalization::Normed.weight(items)).pow(2) * pairs(items);
        assert!(square <= u128::from(UNIT).pow(2), "{items}");
        assert!(items > 1_000 || square > u128::from(UNIT).pow(2) * 998 / 1000, "{items}");
    }
}

/// Three mistakes of the trade, which the statistic refuses or the tests above would notice.
#[test]
fn wrong_sensitivities_and_bounds_for_each_batch_are_caught() {
    let items: Vec<u32> = (0..10).collect();
    let fixed = plan(10, Normalization::Fixed);
    let (one, nobody) = (triangle(&fixed, &[(1, items.clone())], 10, &items, 1), triangle(&fixed, &[], 10, &items, 1));
    let moved = one.distance(&nobody).unwrap();
    // The norm of the full matrix instead of the triangle's is L: the person never reaches 0.999 of it.
    assert!(moved < 0.75 * 10.0, "{moved}");
    // One count for each cell is passed.
    assert!(moved > 7.0);
    // Bounding batch by batch: the same person in two of them, as if they were two people.
    let batches = [(1, (0..5).collect::<Vec<u32>>()), (1, (5..10).collect())];
    let limited = plan(5, Normalization::Normed);
    let twice = triangle(&limited, &batches, 10, &items, 1);
    assert!(twice.distance(&triangle(&limited, &[], 10, &items, 1)).unwrap() > 1.4 * limit(&twice), "the test of sensitivity notices");
    // A weight that does not fit the bound is refused before anything is added.
    let pool = SubjectItems::from_lists(std::slice::from_ref(&items), 10).unwrap();
    let (people, item_ids) = (ids(1), ids(10));
    let sample = Contributions::new(&pool, &people, &item_ids).unwrap().sample(10, Keep::Uniform, None, &key(), "test").unwrap();
    let place: Vec<u32> = (0..10).collect();
    let of = |sample: &Sampled, norm_squared, weight: fn(u64) -> u64| BoundedTriangle::of(sample, &place, 10, norm_squared, 1, weight);
    assert!(of(&sample, 55, |_| 1).is_ok());
    assert!(of(&sample, 54, |_| 1).is_err());
    assert!(of(&sample, u128::MAX, |_| u64::MAX).is_err());
    let same_row = [0_u32; 10];
    assert!(BoundedTriangle::of(&sample, &same_row, 10, u128::MAX, 1, |_| 1).is_err());
}

#[test]
fn the_plan_spends_its_budget_and_the_rest_of_one() {
    for (epsilon, delta, max_items) in [(1.0, 1e-6, 100), (3.0, 1e-6, 64), (0.1, 1e-9, 1), (8.0, 1e-5, 10_000)] {
        for normalization in BOTH {
            let (epsilon, delta) = units(epsilon, delta);
            let options = CoListeningOptions { normalization, ..CoListeningOptions::new(max_items) };
            let plan = CoListeningPlan::new(epsilon, delta, &options).unwrap();
            let spent = account(&plan.events()).unwrap().epsilon(delta);
            assert!(spent.upper <= epsilon.get() && spent.upper > 0.999 * epsilon.get(), "{spent:?} for {epsilon:?}");
            drop(reservation(&plan));
        }
    }
    let (whole, delta) = units(1.0, 1e-6);
    for (epsilon, own) in [(0.5, 5e-7), (0.447_719_665, 5e-7), (0.9, 9e-7)] {
        let (part, own) = units(epsilon, own);
        let catalogue = CataloguePlan::new(part, own, &CatalogueOptions::new(100)).unwrap();
        let plan = CoListeningPlan::beside(&catalogue.events(), whole, delta, &CoListeningOptions::new(100)).unwrap();
        let events: Vec<_> = catalogue.events().into_iter().chain(plan.events()).collect();
        let spent = account(&events).unwrap().epsilon(delta);
        assert!(spent.lower <= 1.0 && spent.upper > 0.999 && spent.upper < 1.000_1, "{spent:?}");
        // A ledger takes both as they were declared.
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::create(folder.path().join("ledger"), "pool", Budget::new(units(5.0, 1e-5).0, units(5.0, 1e-5).1)).unwrap();
        let _ = ledger.reserve(&catalogue.spending("artists", "test").unwrap()).unwrap();
        let _ = ledger.reserve(&plan.spending("together", "test").unwrap()).unwrap();
        assert!(CoListeningPlan::beside(&events, whole, delta, &CoListeningOptions::new(100)).is_err(), "nothing is left");
    }
    let pure = [crate::dp::event::PrivacyEvent::Pure { epsilon: 0.1, count: 1 }];
    assert!(CoListeningPlan::beside(&pure, whole, delta, &CoListeningOptions::new(100)).is_err());
}

#[test]
fn bad_parameters_and_foreign_reservations_are_refused() {
    let (epsilon, delta) = units(1.0, 1e-6);
    let base = CoListeningOptions::new(10);
    for options in [
        CoListeningOptions::new(0),
        CoListeningOptions::new(u64::MAX),
        CoListeningOptions { most_rows: 0, ..base },
        CoListeningOptions { most_rows: MAX_CO_LISTENING_ITEMS + 1, ..base },
    ] {
        assert!(matches!(CoListeningPlan::new(epsilon, delta, &options), Err(Error::Parameter { .. })));
    }
    assert!(CoListeningPlan::new(epsilon, Delta::new(0.0).unwrap(), &base).is_err());
    let plan = plan(10, Normalization::Normed);
    let other = CoListeningPlan::new(Epsilon::new(2.0).unwrap(), delta, &base).unwrap();
    let pool = SubjectItems::from_lists(&[vec![0_u32, 1]], 3).unwrap();
    let (people, item_ids) = (ids(1), ids(3));
    let contributions = Contributions::new(&pool, &people, &item_ids).unwrap();
    let run =
        |items: &[u32], reservation: &Reservation| plan.run(&contributions, items, &key(), reservation, &mut ChaCha20Rng::seed_from_u64(1));
    assert!(run(&[0, 1], &reservation(&other)).is_err());
    let own = reservation(&plan);
    // A mistake costs nothing; the right to draw is used once.
    assert!(run(&[0, 0], &own).is_err() && run(&[3], &own).is_err());
    assert!(run(&[0, 1], &own).is_ok());
    assert!(run(&[0, 1], &own).is_err());
}

/// Mean and spread of the noise, and its mirror: false-alarm rate 1e-6.
#[test]
fn noise_has_the_stated_deviation_and_is_mirrored() {
    for normalization in BOTH {
        let plan = plan(20, normalization);
        let items: Vec<u32> = (0..200).collect();
        let nobody = triangle(&plan, &[], 200, &items, 1);
        let noisy = plan.add_noise(&nobody, &items, &mut ChaCha20Rng::seed_from_u64(4)).unwrap();
        let deviation = plan.cell_deviation();
        let (mut sum, mut square) = (0.0, 0.0);
        for row in 0..200 {
            for column in row..200 {
                let value = noisy.matrix().get(row, column) / deviation;
                assert_eq!(value.to_bits(), (noisy.matrix().get(column, row) / deviation).to_bits());
                sum += value;
                square += value * value;
            }
        }
        // 20,100 draws; a normal quantile of 4.9, and the variance of a square is 2.
        let count = 20_100_f64;
        assert!(sum.abs() < 4.9 * count.sqrt(), "{sum}");
        assert!((square - count).abs() < 4.9 * (2.0 * count).sqrt(), "{square}");
    }
}

/// An audit by the worst person, told from nobody by the sum of the cells: the claim is not refuted, and the audit comes near enough to it to refute half the noise. Confidence 99.9 %.
#[test]
fn the_claim_survives_an_audit_and_half_the_noise_does_not() {
    let (epsilon, delta) = units(3.0, 1e-5);
    let items: Vec<u32> = (0..3).collect();
    for normalization in BOTH {
        let plan = CoListeningPlan::new(epsilon, delta, &CoListeningOptions { normalization, ..CoListeningOptions::new(3) }).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(21);
        let mut outputs = |people: &[(u64, Vec<u32>)]| -> Vec<i64> {
            let exact = triangle(&plan, people, 3, &items, 1);
            let mut output = || {
                let noisy = plan.add_noise(&exact, &items, &mut rng).unwrap();
                let sum: f64 = (0..3).flat_map(|row| noisy.matrix().row(row)[row..].to_vec()).sum();
                #[expect(clippy::cast_possible_truncation, reason = "a hundred units of σ")]
                let whole = (sum / plan.cell_deviation() * 100.0).round() as i64;
                whole
            };
            (0..10_000).map(|_| output()).collect()
        };
        let (nobody, one, two) = (outputs(&[]), outputs(&[(1, items.clone())]), outputs(&[(1, items.clone()), (2, items.clone())]));
        let refuted =
            |present: &[i64]| TwoWorlds::from_outputs(&nobody, present).unwrap().refute(delta, Confidence::new(0.999).unwrap()).unwrap().mu;
        let (claimed, broken) = (refuted(&one), refuted(&two));
        let limit = gaussian::mu(epsilon, delta).unwrap();
        assert!(claimed > 0.8 * limit && claimed <= limit, "{claimed} {limit}");
        assert!(broken > limit, "{broken} {limit}");
    }
}

fn released(matrix: SquareMatrix, deviation: f64) -> CoListening {
    CoListening::new((0..u32::try_from(matrix.size()).unwrap()).collect(), matrix, deviation).unwrap()
}

/// A symmetric matrix of noise (sums of four uniform numbers, with variance 1) around what `signal` has above and on the diagonal.
fn with_noise(size: usize, seed: u64, signal: impl Fn(usize, usize) -> f64) -> CoListening {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut normal = || ((0..4).map(|_| f64::from(rng.next_u32()) / f64::from(u32::MAX)).sum::<f64>() - 2.0) * 3_f64.sqrt();
    let mut matrix = SquareMatrix::zeros(size).unwrap();
    for row in 0..size {
        for column in row..size {
            matrix.row_mut(row)[column] = signal(row, column) + normal();
        }
    }
    released(matrix, 1.0)
}

/// Popularity and noise, nothing else: about 1 of 100 matrices may seem to have structure. Of 200, more than 9 have then a probability below 1e-4.
#[test]
fn noise_is_no_structure() {
    let popularity = |item: usize| 400.0 / real(item as u64 + 3).sqrt();
    for with_popularity in [false, true] {
        let found = (0..200)
            .filter(|&seed| {
                let signal = |a: usize, b: usize| match (with_popularity, a == b) {
                    (false, _) => 0.0,
                    (true, true) => popularity(a),
                    (true, false) => popularity(a) * popularity(b) / 1_000.0,
                };
                matches!(with_noise(40, seed, signal).denoise(1).unwrap(), Denoised::Structure(_))
            })
            .count();
        assert!(found <= 9, "{found} of 200");
    }
}

/// A threshold at the edge of the noise instead of at a quantile is passed too often: the test above would notice.
#[test]
fn a_threshold_at_the_edge_is_too_low() {
    let found = (0..200)
        .filter(|&seed| {
            let noise = with_noise(40, seed, |_, _| 0.0);
            symmetric_eigen(noise.matrix()).unwrap().values()[0] > noise.noise_edge()
        })
        .count();
    assert!(found > 9, "{found}");
}

/// Two planted directions beyond popularity.
fn planted(a: usize, b: usize) -> f64 {
    let sign = |item: usize, period: usize| if item % (2 * period) < period { 1.0 } else { -1.0 };
    let popular = if a == b { 300.0 } else { 90.0 };
    popular + 0.9 * sign(a, 1) * sign(b, 1) + 0.5 * sign(a, 2) * sign(b, 2)
}

#[test]
fn planted_structure_is_recovered() {
    let size = 120;
    let noisy = with_noise(size, 3, planted);
    let Denoised::Structure(structure) = noisy.denoise(2).unwrap() else { panic!("refused") };
    assert_eq!(
        structure,
        match noisy.denoise(1).unwrap() {
            Denoised::Structure(structure) => structure,
            Denoised::Popularity(_) => panic!("refused"),
        }
    );
    assert_eq!(structure.spectrum().len(), 3, "{:?}", structure.spectrum());
    // Far less error than the noise, beside the diagonal.
    let error = |matrix: &SquareMatrix| {
        let squares = (0..size).flat_map(|a| (0..a).map(move |b| (matrix.get(a, b) - planted(a, b)).powi(2)));
        squares.sum::<f64>().sqrt()
    };
    let (before, after) = (error(noisy.matrix()), error(structure.matrix()));
    assert!(after < 0.4 * before, "{after} {before}");
    // Without shrinking, eigenvalues are too large by σ²M/λ.
    for (found, planted) in structure.spectrum().iter().zip([90.0 * 120.0, 0.9 * 120.0, 0.5 * 120.0]) {
        assert!((found / planted - 1.0).abs() < 0.12, "{found} {planted}");
    }
    assert!(structure.ease(None, 1).is_ok());
    // Items of one sign of both directions are closer in the embedding than others.
    let places = structure.embeddings(16);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    assert_eq!(places[0].len(), 3);
    assert!(dot(&places[0][1..], &places[4][1..]) > 0.8 && dot(&places[0][1..], &places[3][1..]) < -0.8);
    assert_eq!(structure.embeddings(1)[0].len(), 1);
    // The matrix has no negative eigenvalue, and the table every pair once.
    let eigen = symmetric_eigen(structure.matrix()).unwrap();
    assert!(*eigen.values().last().unwrap() > -1e-9);
    assert_eq!(structure.table().count(), size * (size + 1) / 2);
    assert!(noisy.denoise(1).unwrap().signal_to_noise() > 1.0);
    let direct = ease_weights(structure.matrix().clone(), structure.default_lambda(), 1).unwrap();
    assert_eq!(structure.ease(None, 1).unwrap(), direct);
}

/// A direction that is hardly larger than the noise: of all factors of its part, the one that was taken has the least error, over 12 matrices. Not to shrink it, or to its true size, is worse.
#[test]
fn eigenvalues_are_shrunk_by_the_best_factor() {
    let size = 100;
    let sign = |item: usize| if item.is_multiple_of(2) { 1.0 } else { -1.0 };
    // ℓ = 1.5 σ√M: λ is about 1.44 ℓ, and the best factor 0.56 ℓ.
    let signal = |a: usize, b: usize| if a == b { 300.0 } else { 90.0 + 0.15 * sign(a) * sign(b) };
    let factors = [0.0, 0.5, 1.0, 1.0 / 0.556, 1.444 / 0.556];
    let mut errors = [0.0; 5];
    for seed in 0..12 {
        let Denoised::Structure(structure) = with_noise(size, 100 + seed, signal).denoise(1).unwrap() else { continue };
        let places = structure.embeddings(2);
        for a in 0..size {
            for b in 0..a {
                let part = f64::from(places[a][1] * places[b][1]);
                for (error, factor) in errors.iter_mut().zip(factors) {
                    *error += (structure.matrix().get(a, b) + (factor - 1.0) * part - signal(a, b)).powi(2);
                }
            }
        }
    }
    let least = errors.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(least > 0.0 && errors[2] <= least, "{errors:?}");
}

/// Empty pools, one item, none, and people who are all the same: no failure, and no structure, as there is none.
#[test]
fn small_and_uniform_pools() {
    let cases: [(Vec<Vec<u32>>, usize); 4] =
        [(vec![], 5), (vec![vec![0]; 50], 1), (vec![vec![]; 9], 0), (vec![(0..12).collect(); 2_000], 12)];
    for (lists, rows) in cases {
        let pool = SubjectItems::from_lists(&lists, 12).unwrap();
        let (people, item_ids) = (ids(lists.len()), ids(12));
        let contributions = Contributions::new(&pool, &people, &item_ids).unwrap();
        let items: Vec<u32> = (0..u32::try_from(rows).unwrap()).collect();
        for normalization in BOTH {
            let plan = plan(12, normalization);
            let noisy = plan.run(&contributions, &items, &key(), &reservation(&plan), &mut ChaCha20Rng::seed_from_u64(8)).unwrap();
            let denoised = noisy.denoise(1).unwrap();
            let Denoised::Popularity(only) = &denoised else { panic!("structure in {rows} items of {} people", lists.len()) };
            assert_eq!(only.popularity.len(), rows);
            assert!(denoised.signal_to_noise() <= 1.0);
        }
    }
}

#[test]
fn rows_are_chosen_by_noisy_counts() -> Result<()> {
    let lists: Vec<Vec<u32>> = (0..3_000_u32).map(|person| (0..60).filter(|item| person % (item + 1) == 0).collect()).collect();
    let pool = SubjectItems::from_lists(&lists, 60)?;
    let (people, item_ids) = (ids(3_000), ids(60));
    let contributions = Contributions::new(&pool, &people, &item_ids)?;
    let (epsilon, delta) = units(4.0, 1e-5);
    let catalogue = CataloguePlan::new(epsilon, delta, &CatalogueOptions::new(20))?;
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::create(folder.path().join("ledger"), "pool", Budget::new(units(50.0, 0.1).0, units(50.0, 0.1).1))?;
    let reservation = ledger.reserve(&catalogue.spending("artists", "test")?)?;
    let catalogue = catalogue.run(&contributions, &key(), &reservation, &mut ChaCha20Rng::seed_from_u64(2))?;
    let chosen = |epsilon: f64, most_rows| {
        let options = CoListeningOptions { most_rows, ..CoListeningOptions::new(20) };
        CoListeningPlan::new(Epsilon::new(epsilon).unwrap(), delta, &options).unwrap().choose_items(&catalogue)
    };
    let (few, many) = (chosen(1.0, 2_000), chosen(30.0, 2_000));
    assert!(few.len() < many.len() && !many.is_empty(), "{} {}", few.len(), many.len());
    assert!(many.starts_with(&few));
    assert_eq!(chosen(30.0, 3), many[..3]);
    let counts: Vec<i64> =
        many.iter().map(|item| catalogue.subjects()[catalogue.items().iter().position(|code| code == item).unwrap()]).collect();
    assert!(counts.is_sorted_by(|a, b| a >= b));
    Ok(())
}

#[test]
fn what_is_no_matrix_is_refused() {
    let two = || SquareMatrix::zeros(2).unwrap();
    assert!(CoListening::new(vec![1], two(), 1.0).is_err());
    for deviation in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(CoListening::new(vec![1, 2], two(), deviation).is_err());
    }
    let mut bad = two();
    bad.row_mut(0)[1] = f64::NAN;
    assert!(CoListening::new(vec![1, 2], bad, 1.0).is_err());
}
