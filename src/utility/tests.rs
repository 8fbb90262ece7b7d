//! The measurement against figures that were computed elsewhere, by hand, or by brute force.

use super::gram::by_popularity;
use super::*;
use crate::units::{Confidence, Share};
use proptest::prelude::*;

const ITEMS: usize = 60;

fn person(n: u32) -> Vec<u32> {
    let mut items: Vec<u32> = (0..6 + n % 4).map(|i| (n * 7 + i * (n % 5 + 1) * 3 + i * i * (1 + n % 2)) % 60).collect();
    items.sort_unstable();
    items.dedup();
    items
}

fn train() -> Interactions {
    Interactions::from_lists(&(0..80).map(person).collect::<Vec<_>>(), ITEMS).unwrap()
}

fn test_people() -> FoldIn {
    let every_other = |n: u32, from: usize| person(n).into_iter().skip(from).step_by(2).collect();
    FoldIn::given(&(100..118).map(|n| (every_other(n, 0), every_other(n, 1))).collect::<Vec<_>>(), ITEMS).unwrap()
}

fn options() -> EvaluationOptions {
    EvaluationOptions { top_items: 40, lambda: Some(2.0), neighbours: 5, threads: 2, ..EvaluationOptions::default() }
}

fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

/// Recall, NDCG and tail recall.
fn figures(usefulness: &Usefulness, model: &str) -> [f64; 3] {
    let named = usefulness[model].by_name();
    ["recall@20", "ndcg@100", "tail_recall@20"].map(|name| named.get(name).copied().unwrap_or(f64::NAN))
}

/// Expected: `NumPy` 2.4 with double precision, scores compared in single precision and stable sorts, by a program that shares nothing with this one (`numpy.linalg.inv`, dense matrices).
#[test]
fn figures_equal_those_of_numpy() {
    let evaluation = Evaluation::new(&train(), test_people(), options()).unwrap();
    for (model, expected) in [
        ("ease", [0.680_555_555_555_555_6, 0.640_277_839_538_939_9, 0.615_740_740_740_740_8]),
        ("popularity", [0.476_851_851_851_851_85, 0.367_544_632_046_005_24, 0.402_777_777_777_777_73]),
        ("item-knn", [0.532_407_407_407_407_4, 0.513_754_830_616_537_8, 0.523_148_148_148_148_1]),
    ] {
        figures(evaluation.original(), model).into_iter().zip(expected).for_each(|(found, expected)| assert_near(found, expected));
    }
    let coverage = |model: &str| evaluation.original()[model].by_name()["coverage@20"];
    assert_near(coverage("ease"), 40.0 / 60.0);
    assert_near(coverage("popularity"), 25.0 / 60.0);
    assert_near(coverage("item-knn"), 39.0 / 60.0);
}

/// Cohorts of four consecutive people, items of two at least, rows scaled by 4^(−1/2); expected by the same program.
#[test]
fn cohorts_equal_those_of_numpy() {
    let rows: Vec<Vec<(u32, f32)>> = (0..20)
        .map(|cohort| {
            let mut counts = vec![0_u8; ITEMS];
            (cohort * 4..cohort * 4 + 4).flat_map(person).for_each(|item| counts[item as usize] += 1);
            (0_u32..).zip(counts).filter(|(_, count)| *count >= 2).map(|(item, count)| (item, f32::from(count))).collect()
        })
        .collect();
    let cohorts = Interactions::from_rows(&rows, ITEMS).unwrap().scaled(vec![0.5; 20]).unwrap();
    let evaluation = Evaluation::new(&train(), test_people(), options()).unwrap();
    let found = evaluation.product(&ProductData::Groups(cohorts)).unwrap();
    assert_near(figures(&found, "ease")[0], 0.361_111_111_111_111_1);
    assert_near(figures(&found, "ease")[1], 0.263_442_501_907_598_9);
    let lift = found["ease"].lift.unwrap();
    assert_near(lift.value, (0.263_442_501_907_598_9 - 0.367_544_632_046_005_24) / (0.640_277_839_538_939_9 - 0.367_544_632_046_005_24));
    assert!(lift.low < lift.value && lift.value < lift.high);
}

/// Recommends one list, whatever is known.
#[derive(Debug)]
struct Fixed(Vec<u32>);

impl Recommender for Fixed {
    fn recommend(&self, _: &[u32], length: usize) -> Vec<u32> {
        self.0.iter().copied().take(length).collect()
    }
}

#[test]
fn recall_and_ndcg_equal_those_by_hand() {
    let items = 200;
    let hidden = |list: Vec<u32>| FoldIn::given(&[(vec![199], list)], items).unwrap();
    let of = |list: Vec<u32>, test: &FoldIn| Measured::of(&Fixed(list), test, &vec![true; items], 1).unwrap();
    // Hits at ranks 1, 3 and 21 of four hidden items.
    let mut list: Vec<u32> = (0..100).collect();
    list.swap(20, 150 - 130);
    let found = of(list.clone(), &hidden(vec![0, 2, 20, 150]));
    assert_near(found.recall_at_20[0], 2.0 / 4.0);
    let (gain, ideal) = (1.0 + 0.5 + 1.0 / 22_f64.log2(), 1.0 + 1.0 / 3_f64.log2() + 0.5 + 1.0 / 5_f64.log2());
    assert_near(found.ndcg_at_100[0], gain / ideal);
    // More hidden items than places: only the places count, so a perfect list is perfect.
    let found = of(list.clone(), &hidden((0..150).collect()));
    assert_near(found.recall_at_20[0], 1.0);
    assert_near(found.ndcg_at_100[0], 1.0);
    // An ideal list that is not cut at 100 would say less: the variant that the line above catches.
    let untruncated: f64 = (0..150).map(|rank| 1.0 / (f64::from(rank) + 2.0).log2()).sum();
    let cut: f64 = (0..100).map(|rank| 1.0 / (f64::from(rank) + 2.0).log2()).sum();
    assert!(cut / untruncated < 0.8);
    // Nothing found.
    let found = of(vec![], &hidden(vec![3]));
    assert_eq!((found.recall_at_20[0], found.ndcg_at_100[0], found.coverage_at_20), (0.0, 0.0, 0.0));
}

#[test]
fn the_tail_is_what_the_most_popular_tenth_leaves() {
    let popularity: Vec<f64> = (0..30_u32).map(|item| f64::from(30 - item)).collect();
    let tail = tail_items(&popularity);
    assert_eq!(tail.iter().filter(|tail| !**tail).count(), 3);
    let test = FoldIn::given(&[(vec![9], vec![0, 5]), (vec![9], vec![1])], 30).unwrap();
    let found = Measured::of(&Fixed(vec![0, 1]), &test, &tail, 1).unwrap();
    assert_eq!(found.tail_recall_at_20, [0.0], "only one person has a hidden item of the tail, and it was not found");
    assert_eq!(found.recall_at_20, [0.5, 1.0]);
}

#[test]
fn equal_scores_are_ordered_by_item_code() {
    let people = Interactions::from_lists(&[vec![4, 1], vec![3, 0], vec![2]], 6).unwrap();
    let gram = Gram::of_rows(&people, 10, 1).unwrap();
    assert_eq!(gram.items(), [0, 1, 2, 3, 4]);
    assert_eq!(Popularity::new(gram.popularity()).recommend(&[], 9), [0, 1, 2, 3, 4]);
    assert_eq!(Ease::fit(&gram, 1.0, 1).unwrap().recommend(&[2], 9), [0, 1, 3, 4], "item 2 goes with nothing; nobody has item 5");
    assert_eq!(ItemKnn::fit(&gram, 2, 1).recommend(&[4], 9), [1, 0, 2, 3]);
    assert!(Ease::fit(&gram, 1.0, 1).unwrap().recommend(&[2], 0).is_empty());
    // Items outside the matrix come last.
    let narrow = Ease::fit(&Gram::of_rows(&people, 2, 1).unwrap(), 1.0, 1).unwrap();
    assert_eq!(narrow.recommend(&[], 9), [0, 1, 2, 3, 4]);
    assert_eq!(narrow.recommend(&[1], 2), [0, 2]);
}

#[test]
fn the_order_of_rows_and_the_number_of_threads_change_nothing() {
    let rows: Vec<Vec<(u32, f32)>> =
        (0..90_u16).map(|n| person(u32::from(n)).into_iter().map(|item| (item, 0.1 + f32::from(n % 7))).collect()).collect();
    let scales: Vec<f64> = (0..90_u32).map(|n| 1.0 / f64::from(1 + n % 9).sqrt()).collect();
    let of = |order: &[usize], threads: usize| {
        let data = Interactions::from_rows(&order.iter().map(|&at| rows[at].clone()).collect::<Vec<_>>(), ITEMS).unwrap();
        let data = data.scaled(order.iter().map(|&at| scales[at]).collect()).unwrap();
        let held_out = Interactions::from_lists(&order.iter().map(|&at| person(at as u32 + 500)).collect::<Vec<_>>(), ITEMS).unwrap();
        let test = FoldIn::random(&held_out, Share::new(0.8).unwrap(), 5);
        let evaluation = Evaluation::new(&data, test, EvaluationOptions { lambda: None, threads, ..options() }).unwrap();
        let groups = evaluation.product(&ProductData::Groups(data)).unwrap();
        (evaluation.original().clone(), groups)
    };
    let forward: Vec<usize> = (0..90).collect();
    let mixed: Vec<usize> = (0..90).map(|at| at * 37 % 90).collect();
    assert_eq!(of(&forward, 1), of(&mixed, 3));
}

/// Training on the people who are tested is what the measurement must never do: their own rows raise the figures.
#[test]
fn training_on_the_test_people_is_noticed() {
    let people: Vec<Vec<u32>> = (100..118).map(person).collect();
    let clean = Evaluation::new(&train(), test_people(), options()).unwrap();
    let rows: Vec<Vec<u32>> = (0..80).map(person).chain(people.iter().flat_map(|row| vec![row.clone(); 20])).collect();
    let broken = clean.people(&Interactions::from_lists(&rows, ITEMS).unwrap()).unwrap();
    assert!(figures(&broken, "ease")[1] > figures(clean.original(), "ease")[1] + 0.1);
    assert!(broken["ease"].by_name()["lift_retained"] > 1.2, "a lift above that of the original data tells of contamination");
}

#[test]
fn an_item_that_is_known_and_hidden_is_refused() {
    assert!(FoldIn::given(&[(vec![1, 2], vec![2])], 5).is_err());
    assert!(FoldIn::given(&[(vec![5], vec![])], 5).is_err());
}

#[test]
fn random_fold_in_hides_a_fifth_and_depends_on_the_person_alone() {
    let share = Share::new(0.8).unwrap();
    let lists: Vec<Vec<u32>> = (0..12).map(|n| (0..n).collect()).collect();
    let all = FoldIn::random(&Interactions::from_lists(&lists, 20).unwrap(), share, 3);
    for (known, hidden) in all.iter() {
        let items = known.len() + hidden.len();
        assert_eq!(known.len(), if items == 0 { 0 } else { (items * 4 / 5).max(1) }, "{items} items");
        let mut both = [known, hidden].concat();
        both.sort_unstable();
        assert_eq!(both, (0..items as u32).collect::<Vec<_>>());
    }
    let alone = FoldIn::random(&Interactions::from_lists(&lists[11..], 20).unwrap(), share, 3);
    assert!(alone.iter().all(|own| all.iter().any(|person| person == own)));
    let other = FoldIn::random(&Interactions::from_lists(&lists, 20).unwrap(), share, 4);
    assert_ne!(all, other, "another seed hides other items");
}

#[test]
fn temporal_fold_in_hides_what_came_last() {
    let share = Share::new(0.8).unwrap();
    let events = vec![(50, 1), (10, 2), (20, 3), (30, 2), (40, 4)];
    let split = FoldIn::temporal(&[events.clone(), vec![(1, 0)], vec![]], 5, share).unwrap();
    let people: Vec<_> = split.iter().collect();
    assert_eq!(people, [(&[][..], &[][..]), (&[0][..], &[][..]), (&[2, 3, 4][..], &[1][..])]);
    // What was heard before is not new when it is heard again.
    let again = FoldIn::temporal(&[vec![(1, 0), (2, 1), (3, 2), (4, 3), (5, 0)]], 5, share).unwrap();
    assert_eq!(again.predictable(), 0);
    // One moment for all: four fifths of ten events lie before 9.
    let global = FoldIn::global_temporal(&[(1..=9).map(|t| (t, t as u32 % 5)).collect(), vec![(100, 4)]], 5, share).unwrap();
    let people: Vec<_> = global.iter().collect();
    assert_eq!(people, [(&[][..], &[][..]), (&[0, 1, 2, 3, 4][..], &[][..])]);
    assert!(FoldIn::temporal(&[vec![(0, 9)]], 5, share).is_err());
}

#[test]
fn zero_people_one_item_and_one_person_are_no_panics() {
    let nobody = Interactions::from_lists::<Vec<u32>>(&[], 3).unwrap();
    let empty_test = FoldIn::random(&nobody, Share::new(0.8).unwrap(), 1);
    assert!(Evaluation::new(&train(), empty_test.clone(), options()).is_err(), "other item codes");
    assert!(Evaluation::new(&nobody, empty_test, options()).unwrap_err().to_string().contains("nobody has an item to predict"));
    let test = FoldIn::given(&[(vec![0], vec![1]), (vec![2], vec![])], 3).unwrap();
    // Trained on nothing: nothing is recommended, there is no lift.
    let evaluation = Evaluation::new(&nobody, test.clone(), options()).unwrap();
    assert_eq!(figures(evaluation.original(), "ease")[..2], [0.0, 0.0]);
    assert!(evaluation.original()["ease"].lift.is_none());
    // One item, one person.
    let one = Interactions::from_lists(&[vec![1]], 3).unwrap();
    let evaluation = Evaluation::new(&one, test, EvaluationOptions { lambda: None, ..options() }).unwrap();
    assert_eq!(figures(evaluation.original(), "ease")[0], 1.0);
    assert_eq!(evaluation.original()["ease"].lambda, Some(DEFAULT_LAMBDA), "too few people to choose on");
    assert!(evaluation.original()["ease"].lift.is_none(), "popularity is as good");
}

#[test]
fn options_out_of_their_domain_are_errors() {
    for top_items in [0, MAX_MODEL_ITEMS + 1] {
        assert!(Evaluation::new(&train(), test_people(), EvaluationOptions { top_items, ..options() }).is_err());
    }
    for lambda in [-1.0, f64::NAN] {
        assert!(Evaluation::new(&train(), test_people(), EvaluationOptions { lambda: Some(lambda), ..options() }).is_err());
    }
    for weight in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(Interactions::from_rows(&[vec![(0, weight)]], 1).is_err());
    }
    assert!(Interactions::from_rows(&[vec![(0, f32::MAX), (0, f32::MAX)]], 1).is_err(), "the sum is infinite");
    assert!(train().scaled(vec![1.0]).is_err() && train().scaled(vec![0.0; 80]).is_err());
}

#[test]
fn a_matrix_of_pairs_teaches_what_its_rows_teach() {
    let evaluation = Evaluation::new(&train(), test_people(), EvaluationOptions { top_items: 60, ..options() }).unwrap();
    let gram = Gram::of_rows(&train(), 60, 1).unwrap();
    let mut pairs = Vec::new();
    for (a, &item_a) in gram.items().iter().enumerate() {
        for (b, &item_b) in gram.items().iter().enumerate().skip(a) {
            pairs.push((item_a.max(item_b), item_a.min(item_b), gram.matrix().get(a, b)));
        }
    }
    let found = evaluation.product(&ProductData::Pairs(pairs.clone())).unwrap();
    assert_eq!(found, evaluation.aggregate(&gram).unwrap());
    // Both orders are one pair; two values are not.
    let twice: Vec<_> = pairs.iter().chain(&pairs.iter().map(|&(a, b, v)| (b, a, v)).collect::<Vec<_>>()).copied().collect();
    assert_eq!(Gram::of_pairs(&twice, ITEMS, 60).unwrap(), gram);
    for bad in [(0, 1, 7.5), (0, 60, 1.0), (0, 1, f64::NAN)] {
        assert!(Gram::of_pairs(&[(0, 1, 1.0), bad], ITEMS, 60).is_err(), "{bad:?}");
    }
    // A matrix whose noise outweighs its diagonal needs a larger λ, and the choice finds one.
    let sign = |a: u32, b: u32| f64::from(a.wrapping_mul(0x9E37_79B1).wrapping_add(b).wrapping_mul(0x85EB_CA77) >> 31) * 2.0 - 1.0;
    let noisy: Vec<_> = pairs.iter().map(|&(a, b, v)| (a, b, if a == b { v } else { v + 60.0 * sign(a, b) })).collect();
    assert!(Ease::fit(&Gram::of_pairs(&noisy, ITEMS, 60).unwrap(), 1.0, 1).is_err());
    let more = Interactions::from_lists(&(0..2000).map(person).collect::<Vec<_>>(), ITEMS).unwrap();
    let choosing = Evaluation::new(&more, test_people(), EvaluationOptions { top_items: 60, lambda: None, ..options() }).unwrap();
    assert!(choosing.product(&ProductData::Pairs(noisy)).unwrap()["ease"].lambda.unwrap() >= 500.0);
}

#[test]
fn weights_that_were_released_are_a_model() {
    let gram = Gram::of_rows(&train(), 40, 1).unwrap();
    let weights = crate::numeric::ease_weights(gram.matrix().clone(), 2.0, 1).unwrap();
    let mut pairs = Vec::new();
    for (a, &from) in gram.items().iter().enumerate() {
        pairs.extend(gram.items().iter().enumerate().filter(|(b, _)| *b != a).map(|(b, &to)| (from, to, weights.get(a, b))));
    }
    let evaluation = Evaluation::new(&train(), test_people(), options()).unwrap();
    let released = evaluation.model(&Ease::from_weights(&pairs, ITEMS).unwrap()).unwrap();
    assert_near(released.by_name()["recall@20"], 0.680_555_555_555_555_6);
    assert!(released.lift.is_some());
    for bad in [vec![(0, 0, 1.0)], vec![(0, 1, f64::NAN)], vec![(0, 60, 1.0)], vec![(0, 1, 1.0), (0, 1, 1.0)]] {
        assert!(Ease::from_weights(&bad, ITEMS).is_err(), "{bad:?}");
    }
}

#[test]
fn popularity_alone_retains_nothing_and_the_original_everything() {
    let evaluation = Evaluation::new(&train(), test_people(), options()).unwrap();
    let floor = evaluation.model(&Popularity::new(&train().popularity())).unwrap();
    assert_eq!(floor.lift.unwrap().value, 0.0);
    let all = evaluation.people(&train()).unwrap();
    assert_eq!(all["ease"].lift, Some(Lift { value: 1.0, low: 1.0, high: 1.0 }));
    let catalogue = evaluation.product(&ProductData::Popularity(train().popularity())).unwrap();
    assert_eq!(catalogue.len(), 1);
    assert!(catalogue["popularity"].lift.is_none());
}

/// A 90 % interval of a known lift must cover it in about 90 % of repetitions. 200 repetitions: fewer than 165 or more than 195 covered has a probability below 1 %
/// if the true coverage lies between 86 % and 94 %.
#[test]
fn intervals_cover() {
    let mut state = 9_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1_u64 << 24) as f64
    };
    let bootstrap = Bootstrap { confidence: Confidence::new(0.9).unwrap(), resamples: 400, seed: 11 };
    let covered = (0..200)
        .filter(|_| {
            let mut figures = [Vec::new(), Vec::new(), Vec::new()];
            for _ in 0..150 {
                let taste = uniform();
                // Means .35, .45, .15: the lift is 2/3.
                for (figures, mean) in figures.iter_mut().zip([0.35, 0.45, 0.15]) {
                    figures.push(mean + 0.3 * (taste - 0.5) + 0.4 * (uniform() - 0.5));
                }
            }
            let lift = Lift::retained(&figures[0], &figures[1], &figures[2], &bootstrap).unwrap().unwrap();
            lift.low <= 2.0 / 3.0 && 2.0 / 3.0 <= lift.high
        })
        .count();
    assert!((165..=195).contains(&covered), "{covered} of 200");
    assert!(Lift::retained(&[1.0], &[1.0, 2.0], &[0.0], &bootstrap).is_err());
    assert_eq!(Lift::retained(&[], &[], &[], &bootstrap).unwrap(), None);
    assert_eq!(Lift::retained(&[1.0], &[0.5], &[0.5], &bootstrap).unwrap(), None, "nothing to retain");
}

fn dense(rows: &[Vec<(u32, f32)>], scales: &[f64], items: usize) -> Vec<Vec<f64>> {
    let mut gram = vec![vec![0.0; items]; items];
    for (row, scale) in rows.iter().zip(scales) {
        for &(a, weight_a) in row {
            for &(b, weight_b) in row {
                gram[a as usize][b as usize] += f64::from(weight_a) * f64::from(weight_b) * scale * scale;
            }
        }
    }
    gram
}

proptest! {
    #[test]
    fn gram_equals_the_definition(
        rows in proptest::collection::vec(proptest::collection::vec((0_u32..130, 0.5_f32..4.0), 0..20), 0..25),
        top in 0_usize..140,
        threads in 1_usize..4,
    ) {
        let scales: Vec<f64> = (0..rows.len()).map(|row| 1.0 / (1.0 + row as f64)).collect();
        let data = Interactions::from_rows(&rows, 130).unwrap().scaled(scales.clone()).unwrap();
        let gram = Gram::of_rows(&data, top, threads).unwrap();
        let expected = dense(&rows, &scales, 130);
        prop_assert_eq!(gram.items(), &by_popularity(&data.popularity())[..gram.items().len()]);
        for (a, &item_a) in gram.items().iter().enumerate() {
            for (b, &item_b) in gram.items().iter().enumerate() {
                let expected = expected[item_a as usize][item_b as usize];
                prop_assert!((gram.matrix().get(a, b) - expected).abs() < 1e-6 * (1.0 + expected));
            }
        }
    }

    /// The nearest neighbours by brute force, without cutting lists.
    #[test]
    fn recommendations_are_the_best_by_score(lists in proptest::collection::vec(proptest::collection::vec(0_u32..25, 1..8), 1..30), known in proptest::collection::btree_set(0_u32..25, 0..6), length in 0_usize..30) {
        let data = Interactions::from_lists(&lists, 25).unwrap();
        let gram = Gram::of_rows(&data, 25, 2).unwrap();
        let known: Vec<u32> = known.into_iter().collect();
        let weights = crate::numeric::ease_weights(gram.matrix().clone(), 3.0, 1).unwrap();
        let mut scored: Vec<(f32, u32)> = gram.items().iter().enumerate().filter(|(_, item)| !known.contains(item)).map(|(place, &item)| {
            let from = gram.items().iter().enumerate().filter(|(_, item)| known.contains(item));
            let mut from: Vec<(u32, usize)> = from.map(|(place, &item)| (item, place)).collect();
            from.sort_unstable();
            (from.into_iter().map(|(_, from)| weights.get(from, place)).sum::<f64>() as f32 + 0.0, item)
        }).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let expected: Vec<u32> = scored.into_iter().map(|(_, item)| item).take(length).collect();
        prop_assert_eq!(Ease::fit(&gram, 3.0, 1).unwrap().recommend(&known, length), expected);
    }
}
