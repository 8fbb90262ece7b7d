//! Models against their definitions, term by term.

#![expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "the counts of tests are small")]

use backmask::anonymity::classes::{ClassStatistics, ClassView, ValueCount};
use backmask::anonymity::models::{
    BetaLikeness, CellSizes, DeltaDisclosure, DeltaPresence, DistinctLDiversity, EntropyLDiversity, EstimatedKMap, KAnonymity, KMap,
    Linkability, ModelContext, Models, PrivacyModel, RecursiveClDiversity, Reference, SensitiveColumn, TCloseness, TableModel,
    population_k, sample_k,
};
use backmask::policy::{Distance, EntropyEstimator, Model};
use backmask::units::{K, Share};
use proptest::prelude::*;
use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whether the model lets a class pass whose people have these values: `people[value]`, one value each unless `subjects` says otherwise.
fn passes(model: &dyn PrivacyModel, people: &[u64], subjects: u64) -> bool {
    let values: Vec<ValueCount> =
        (0_u32..).zip(people).filter(|&(_, &people)| people > 0).map(|(value, &people)| ValueCount { value, people }).collect();
    let statistics = ClassStatistics { rows: subjects, subjects, max_rows_of_a_subject: 1 };
    model.holds(&ClassView { statistics, sensitive: &[&values], population: None })
}

fn reference(people: &[u64]) -> Arc<Reference> {
    Arc::new(Reference::new(people.to_vec(), people.iter().sum()).unwrap())
}

/// The cheapest way to move `from[i]` units to where `to[j]` units are missing: successive shortest paths, found by Bellman and Ford.
pub(super) fn transport(from: &[u64], to: &[u64], cost: &dyn Fn(usize, usize) -> i64) -> i64 {
    let (sources, sinks) = (from.len(), to.len());
    let (mut left, mut missing) = (from.to_vec(), to.to_vec());
    let mut flow = vec![vec![0_u64; sinks]; sources];
    let mut total = 0;
    while left.iter().any(|&units| units > 0) {
        let mut distance: Vec<Option<i64>> = (0..sources + sinks).map(|node| (node < sources && left[node] > 0).then_some(0)).collect();
        let mut before = vec![usize::MAX; sources + sinks];
        for _ in 0..sources + sinks {
            for one in 0..sources {
                for other in 0..sinks {
                    if let Some(here) = distance[one]
                        && distance[sources + other].is_none_or(|there| here + cost(one, other) < there)
                    {
                        (distance[sources + other], before[sources + other]) = (Some(here + cost(one, other)), one);
                    }
                    if flow[one][other] > 0
                        && let Some(there) = distance[sources + other]
                        && distance[one].is_none_or(|here| there - cost(one, other) < here)
                    {
                        (distance[one], before[one]) = (Some(there - cost(one, other)), sources + other);
                    }
                }
            }
        }
        let end = (0..sinks).filter(|&sink| missing[sink] > 0).min_by_key(|&sink| distance[sources + sink].unwrap()).unwrap();
        // One unit at a time.
        let mut node = sources + end;
        while before[node] != usize::MAX {
            let last = before[node];
            if node >= sources {
                flow[last][node - sources] += 1;
            } else {
                flow[node][last - sources] -= 1;
            }
            node = last;
        }
        left[node] -= 1;
        missing[end] -= 1;
        total += distance[sources + end].unwrap();
    }
    total
}

/// Histograms of a table and of a class of it.
fn histograms() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
    prop::collection::vec((0_u64..4, 0_u64..3), 1..6).prop_map(|pairs| {
        let class: Vec<u64> = pairs.iter().map(|pair| pair.0).collect();
        let table = pairs.iter().map(|pair| pair.0 + pair.1).collect();
        (table, class)
    })
}

/// A tree over six leaves: {0, 1}, {2}, {3, 4, 5}, then {0, 1, 2}, {3, 4, 5}, then all.
const TREE: [[u32; 6]; 3] = [[0, 0, 1, 2, 2, 2], [0, 0, 0, 1, 1, 1], [0; 6]];

pub(super) fn tree_distance(one: usize, other: usize) -> i64 {
    if one == other { 0 } else { 1 + TREE.iter().take_while(|level| level[one] != level[other]).count() as i64 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn closeness_is_the_cost_of_transport((table, class) in histograms(), turned in any::<bool>()) {
        let (all, people): (u64, u64) = (table.iter().sum(), class.iter().sum());
        prop_assume!(people > 0);
        let known = reference(&table);
        let count = table.len() as u32;
        let ranks: Vec<u32> = (0..count).map(|code| if turned { count - 1 - code } else { code }).collect();
        let levels: Vec<Vec<u32>> = TREE.iter().map(|level| level[..table.len()].to_vec()).collect();
        let levels: Vec<&[u32]> = levels.iter().map(Vec::as_slice).collect();
        let (from, to): (Vec<u64>, Vec<u64>) = (class.iter().map(|f| f * all).collect(), table.iter().map(|f| f * people).collect());
        let whole = (people * all) as f64;
        let check = |cost: &dyn Fn(usize, usize) -> i64, longest: f64, model: &dyn Fn(f64) -> TCloseness| {
            let work = transport(&from, &to, cost) as f64;
            let holds = |work: f64| passes(&model(work / whole / longest), &class, people);
            assert!(holds(work + 0.5), "{table:?} {class:?}: {work}");
            assert!(work == 0.0 || !holds(work - 0.5), "{table:?} {class:?}: {work}");
        };
        check(&|i, j| i64::from(i != j), 1.0, &|t| TCloseness::equal(0, t, Arc::clone(&known)));
        let apart = |i: usize, j: usize| (i64::from(ranks[i]) - i64::from(ranks[j])).abs();
        if count > 1 {
            check(&apart, f64::from(count - 1), &|t| TCloseness::ordered(0, t, Arc::clone(&known), &ranks).unwrap());
        }
        check(&tree_distance, 3.0, &|t| TCloseness::hierarchical(0, t, Arc::clone(&known), &levels).unwrap());
    }

    #[test]
    fn diversity_is_its_definition(class in prop::collection::vec(0_u64..5, 1..6), l in 1_u64..6, c in 1_u64..30) {
        let people: u64 = class.iter().sum();
        prop_assume!(people > 0);
        let mut sorted: Vec<u64> = class.iter().copied().filter(|&count| count > 0).collect();
        sorted.sort_unstable_by(|one, other| other.cmp(one));
        let distinct = sorted.len() as u64;
        prop_assert_eq!(passes(&DistinctLDiversity { column: 0, l }, &class, people), distinct >= l);
        // H ≥ ln l ⟺ n^n ≥ l^n Π f^f, in whole numbers.
        let power = |base: u64, exponent: u64| u128::from(base).pow(exponent as u32);
        let right = sorted.iter().try_fold(power(l, people), |product, &f| product.checked_mul(power(f, f)));
        let entropy = EntropyLDiversity { column: 0, l: l as f64, estimator: EntropyEstimator::Shannon };
        prop_assert_eq!(passes(&entropy, &class, people), distinct >= l && right.is_some_and(|right| power(people, people) >= right));
        // c in tenths: f₁ < c (f_l + … + f_m).
        let rest: u64 = sorted.iter().skip(l as usize - 1).sum();
        let recursive = RecursiveClDiversity { column: 0, c: c as f64 / 10.0, l };
        prop_assert_eq!(passes(&recursive, &class, people), distinct >= l && 10 * sorted[0] < c * rest);
    }

    #[test]
    fn gains_are_their_definitions((table, class) in histograms(), beta in 1_u64..40) {
        let (all, people): (u64, u64) = (table.iter().sum(), class.iter().sum());
        prop_assume!(people > 0);
        let known = reference(&table);
        let present = || class.iter().zip(&table).filter(|pair| *pair.0 > 0);
        // p ≤ (1 + β) q with β in tenths.
        let basic = BetaLikeness { column: 0, beta: beta as f64 / 10.0, enhanced: false, reference: Arc::clone(&known) };
        let expected = present().all(|(f, q)| 10 * f * all <= (10 + beta) * q * people);
        prop_assert_eq!(passes(&basic, &class, people), expected);
        let enhanced = BetaLikeness { enhanced: true, ..basic };
        let surprise = present().all(|(&f, &q)| {
            let (p, q) = (f as f64 / people as f64, q as f64 / all as f64);
            (p - q) / q <= -q.ln() + 1e-12
        });
        prop_assert_eq!(passes(&enhanced, &class, people), expected && surprise);
        // |log₂(p/q)| < d with d = beta / 10: the tenth power of p/q lies between 2^-beta and 2^beta.
        let disclosure = DeltaDisclosure { column: 0, d: beta as f64 / 10.0, reference: known };
        let expected = present().all(|(&f, &q)| {
            let (up, down) = (u128::from(f * all).pow(10), u128::from(q * people).pow(10));
            let two = 1_u128.checked_shl(beta as u32).unwrap();
            down.checked_mul(two).is_none_or(|right| up < right) && up.checked_mul(two).is_none_or(|right| down < right)
        });
        prop_assert_eq!(passes(&disclosure, &class, people), expected);
    }

    /// Everybody is one of their values: however they are chosen, the class is diverse if the model lets it pass.
    #[test]
    fn people_with_several_values_are_not_more_diverse(people in prop::collection::vec(1_u8..16, 1..6), l in 1_u64..4) {
        let subjects = people.len() as u64;
        let counts: Vec<u64> = (0..4).map(|value| people.iter().filter(|set| *set & (1 << value) > 0).count() as u64).collect();
        let models: [Box<dyn PrivacyModel>; 3] = [
            Box::new(DistinctLDiversity { column: 0, l }),
            Box::new(EntropyLDiversity { column: 0, l: l as f64, estimator: EntropyEstimator::Shannon }),
            Box::new(RecursiveClDiversity { column: 0, c: 1.5, l }),
        ];
        for model in models {
            if passes(model.as_ref(), &counts, subjects) {
                for choice in 0..4_u64.pow(people.len() as u32) {
                    let chosen: Vec<u64> = (0..people.len()).map(|person| choice / 4_u64.pow(person as u32) % 4).collect();
                    if people.iter().zip(&chosen).all(|(set, value)| set & (1 << value) > 0) {
                        let counts: Vec<u64> = (0..4).map(|value| chosen.iter().filter(|&&other| other == value).count() as u64).collect();
                        prop_assert!(passes(model.as_ref(), &counts, subjects), "{} {:?} {:?}", model.name(), people, chosen);
                    }
                }
            }
        }
    }
}

#[test]
fn classes_exactly_at_the_threshold_pass() {
    // p = (3/5, 2/5), q = (2/5, 3/5): 1/5 apart.
    let known = reference(&[2, 3]);
    assert!(passes(&TCloseness::equal(0, 0.2, Arc::clone(&known)), &[3, 2], 5));
    assert!(!passes(&TCloseness::equal(0, 0.199_999_999, Arc::clone(&known)), &[3, 2], 5));
    // p = 3/10, q = 1/10: a gain of 2 exactly, which (p − q) / q rounds up.
    let known = reference(&[1, 9]);
    assert!(passes(&BetaLikeness { column: 0, beta: 2.0, enhanced: false, reference: known }, &[3, 7], 10));
    for l in 1..200_u64 {
        for f in [1, 3, 7, 1_000_003] {
            let entropy = EntropyLDiversity { column: 0, l: l as f64, estimator: EntropyEstimator::Shannon };
            let values = vec![f; l as usize];
            assert!(passes(&entropy, &values, f * l), "{l} values of {f} people");
            assert!(l == 1 || !passes(&EntropyLDiversity { l: l as f64 * (1.0 + 1e-9), ..entropy }, &values, f * l));
        }
    }
    // q = 1: nothing to gain, nothing to lose.
    let certain = reference(&[7]);
    assert!(passes(&BetaLikeness { column: 0, beta: 0.1, enhanced: true, reference: Arc::clone(&certain) }, &[2], 2));
    assert!(passes(&TCloseness::equal(0, 0.0, Arc::clone(&certain)), &[2], 2));
    assert!(passes(&TCloseness::ordered(0, 0.0, Arc::clone(&certain), &[0]).unwrap(), &[2], 2));
    assert!(passes(&TCloseness::hierarchical(0, 0.0, certain, &[]).unwrap(), &[2], 2));
    // Twice as frequent is one bit, and "less than d" excludes it.
    let known = reference(&[1, 3]);
    assert!(!passes(&DeltaDisclosure { column: 0, d: 1.0, reference: Arc::clone(&known) }, &[1, 1], 2));
    assert!(passes(&DeltaDisclosure { column: 0, d: 1.000_001, reference: known }, &[1, 1], 2));
}

/// Li, Li, Venkatasubramanian (2007), section 4: nine salaries from 3k to 11k; {3k, 4k, 5k} is 0.375 away and {6k, 8k, 11k} is 0.167.
#[test]
fn the_example_of_the_paper_comes_out() {
    let known = reference(&[1; 9]);
    let ranks: Vec<u32> = (0..9).collect();
    let holds = |t: f64, class: &[u64]| passes(&TCloseness::ordered(0, t, Arc::clone(&known), &ranks).unwrap(), class, 3);
    let (low, spread) = ([1, 1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 1, 0, 0, 1]);
    assert!(holds(0.375, &low) && !holds(0.374_999, &low));
    assert!(holds(0.166_667, &spread) && !holds(0.166_666, &spread));
}

/// Grassberger's G, from ψ(x) = −γ − 1/x + Σ (1/i − 1/(i + x)).
#[test]
fn grassbergers_estimate_is_its_definition() {
    let digamma = |x: f64| {
        let sum: f64 = (1..400_000).map(f64::from).map(|i| x / i / (i + x)).sum();
        // The rest of the series is about x / 400,000.
        -0.577_215_664_901_532_9 - 1.0 / x + sum + x / 399_999.5
    };
    let g = |n: u64| {
        let x = n as f64;
        let sign = if n.is_multiple_of(2) { 0.5 } else { -0.5 };
        digamma(x) + sign * (digamma(f64::midpoint(x, 1.0)) - digamma(x / 2.0))
    };
    for class in [vec![1, 1, 1], vec![4, 2, 1], vec![3, 3, 5, 1], vec![10, 7, 2, 2]] {
        let people: u64 = class.iter().sum();
        let entropy = (people as f64).ln() - class.iter().map(|&f| f as f64 * g(f)).sum::<f64>() / people as f64;
        let holds = |l: f64| passes(&EntropyLDiversity { column: 0, l, estimator: EntropyEstimator::Grassberger }, &class, people);
        // There must be as many values as well.
        let limit = entropy.exp().min(class.len() as f64);
        assert!(holds(limit * 0.9999) && !holds(limit * 1.0001), "{class:?}: {limit}");
    }
}

/// A class in which everybody has one value, and every second person one of many others besides.
#[test]
fn a_value_that_everybody_has_is_caught() {
    let counts = [10, 1, 1, 1, 1, 1];
    let known = Arc::new(Reference::new(vec![20, 40, 40, 40, 40, 40], 100).unwrap());
    let models: Vec<Box<dyn PrivacyModel>> = vec![
        Box::new(DistinctLDiversity { column: 0, l: 2 }),
        Box::new(EntropyLDiversity { column: 0, l: 1.5, estimator: EntropyEstimator::Shannon }),
        Box::new(EntropyLDiversity { column: 0, l: 1.5, estimator: EntropyEstimator::Grassberger }),
        Box::new(RecursiveClDiversity { column: 0, c: 3.0, l: 2 }),
        Box::new(TCloseness::equal(0, 0.6, Arc::clone(&known))),
        Box::new(TCloseness::ordered(0, 0.6, Arc::clone(&known), &[0, 1, 2, 3, 4, 5]).unwrap()),
        Box::new(TCloseness::hierarchical(0, 0.6, Arc::clone(&known), &[&[0; 6]]).unwrap()),
        Box::new(BetaLikeness { column: 0, beta: 3.0, enhanced: false, reference: Arc::clone(&known) }),
        Box::new(DeltaDisclosure { column: 0, d: 2.0, reference: known }),
    ];
    for model in models {
        assert!(!passes(model.as_ref(), &counts, 10), "{}", model.name());
    }
    // The broken variant takes shares of (person, value) pairs: the same counts as if there were 15 people.
    assert!(passes(&RecursiveClDiversity { column: 0, c: 3.0, l: 2 }, &counts, 15));
    assert!(passes(&EntropyLDiversity { column: 0, l: 1.5, estimator: EntropyEstimator::Shannon }, &counts, 15));
}

#[test]
fn what_cannot_be_judged_does_not_pass() {
    let known = reference(&[5, 5]);
    let models: Vec<Box<dyn PrivacyModel>> = vec![
        Box::new(DistinctLDiversity { column: 0, l: 1 }),
        Box::new(EntropyLDiversity { column: 0, l: 1.0, estimator: EntropyEstimator::Shannon }),
        Box::new(EntropyLDiversity { column: 0, l: f64::NAN, estimator: EntropyEstimator::Shannon }),
        Box::new(RecursiveClDiversity { column: 0, c: 1e9, l: 1 }),
        Box::new(TCloseness::equal(0, 1.0, Arc::clone(&known))),
        Box::new(BetaLikeness { column: 0, beta: 1e9, enhanced: false, reference: Arc::clone(&known) }),
        Box::new(DeltaDisclosure { column: 0, d: 1e9, reference: Arc::clone(&known) }),
        Box::new(KMap { k: K::new(2).unwrap() }),
        Box::new(DeltaPresence { min: 0.0, max: 1.0 }),
    ];
    for model in &models {
        let statistics = ClassStatistics { rows: 5, subjects: 5, max_rows_of_a_subject: 1 };
        assert!(!model.holds(&statistics.into()), "{}: the class has no such column", model.name());
        assert!(!passes(model.as_ref(), &[], 0), "{}: no values", model.name());
    }
    // A value that the table does not have.
    assert!(!passes(&BetaLikeness { column: 0, beta: 1e9, enhanced: false, reference: Arc::clone(&known) }, &[1, 1, 1], 3));
    assert!(!passes(&DeltaDisclosure { column: 0, d: 1e9, reference: Arc::clone(&known) }, &[1, 1, 1], 3));
    // Counts near the largest number.
    let huge = Arc::new(Reference::new(vec![1 << 63, (1 << 63) - 1], u64::MAX).unwrap());
    for model in [
        TCloseness::equal(0, 1e-18, Arc::clone(&huge)),
        TCloseness::ordered(0, 1e-18, Arc::clone(&huge), &[1, 0]).unwrap(),
        TCloseness::hierarchical(0, 1e-18, Arc::clone(&huge), &[&[0, 0]]).unwrap(),
    ] {
        let _ = passes(&model, &[1 << 63, (1 << 63) - 1], u64::MAX);
        assert!(!passes(&model, &[u64::MAX, 0], u64::MAX));
    }
    assert!(Reference::new(vec![5], 4).is_err() && Reference::new(vec![1, 1], 3).is_err());
    assert!(
        TCloseness::ordered(0, 0.1, Arc::clone(&known), &[0, 0]).is_err() && TCloseness::ordered(0, 0.1, Arc::clone(&known), &[0]).is_err()
    );
    for levels in [[[0, 1], [1, 1]].as_slice(), &[[0, 1], [0, 1]], &[[0, 0], [0, 1]], &[[u32::MAX, u32::MAX]]] {
        let levels: Vec<&[u32]> = levels.iter().map(<[u32; 2]>::as_slice).collect();
        assert_eq!(TCloseness::hierarchical(0, 0.1, Arc::clone(&known), &levels).is_ok(), levels == [[0, 1], [1, 1]], "{levels:?}");
    }
}

/// Models on a sensitive column with three values, with thresholds at which classes pass and fail.
fn claims() -> Vec<Box<dyn PrivacyModel>> {
    let known = reference(&[9, 5, 4]);
    let mut all: Vec<Box<dyn PrivacyModel>> = Vec::new();
    for l in [2, 3] {
        all.push(Box::new(DistinctLDiversity { column: 0, l }));
        all.push(Box::new(RecursiveClDiversity { column: 0, c: 1.3, l }));
        for estimator in [EntropyEstimator::Shannon, EntropyEstimator::Grassberger] {
            all.push(Box::new(EntropyLDiversity { column: 0, l: l as f64 - 0.4, estimator }));
        }
    }
    for t in [0.1, 0.3] {
        all.push(Box::new(TCloseness::equal(0, t, Arc::clone(&known))));
        all.push(Box::new(TCloseness::ordered(0, t, Arc::clone(&known), &[2, 0, 1]).unwrap()));
        all.push(Box::new(TCloseness::hierarchical(0, t, Arc::clone(&known), &[&[0, 1, 1], &[0, 0, 0]]).unwrap()));
        all.push(Box::new(DeltaDisclosure { column: 0, d: 5.0 * t, reference: Arc::clone(&known) }));
        for enhanced in [false, true] {
            all.push(Box::new(BetaLikeness { column: 0, beta: 2.0 * t, enhanced, reference: Arc::clone(&known) }));
        }
    }
    all.push(Box::new(KAnonymity { k: K::new(4).unwrap(), linkability: Linkability::Unlinked }));
    all.push(Box::new(KMap { k: K::new(9).unwrap() }));
    all.push(Box::new(DeltaPresence { min: 0.2, max: 0.5 }));
    all
}

/// Two classes that pass, whose union fails.
fn counterexample(model: &dyn PrivacyModel) -> Option<[[u64; 4]; 2]> {
    let holds = |class: &[u64; 4]| {
        let people = class[..3].iter().sum();
        let values: Vec<ValueCount> =
            (0..).zip(&class[..3]).filter(|pair| *pair.1 > 0).map(|(value, &people)| ValueCount { value, people }).collect();
        let statistics = ClassStatistics { rows: people, subjects: people, max_rows_of_a_subject: 1 };
        people > 0 && model.holds(&ClassView { statistics, sensitive: &[&values], population: Some(people + class[3]) })
    };
    let mut random = ChaCha20Rng::seed_from_u64(7);
    let mut passing: Vec<[u64; 4]> = Vec::new();
    for _ in 0..600 {
        let class = std::array::from_fn(|_| random.random_range(0..8_u64));
        if holds(&class) {
            passing.push(class);
        }
    }
    let pairs = passing.iter().flat_map(|one| passing.iter().map(move |other| [*one, *other]));
    pairs.into_iter().find(|[one, other]| !holds(&std::array::from_fn(|place| one[place] + other[place])))
}

#[test]
fn models_that_call_themselves_monotone_are() {
    for model in claims() {
        if model.is_monotone() {
            assert_eq!(counterexample(model.as_ref()), None, "{model:?}");
        }
    }
    let honest: BTreeSet<&str> = claims().iter().filter(|model| !model.is_monotone()).map(|model| model.name()).collect();
    assert_eq!(honest, BTreeSet::from(["delta-disclosure", "entropy-l-diversity"]));
}

/// Claims what is not true of it.
#[derive(Debug)]
struct Boasts<M>(M);

impl<M: PrivacyModel> PrivacyModel for Boasts<M> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn is_monotone(&self) -> bool {
        true
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        self.0.holds(class)
    }
}

#[test]
fn a_false_claim_is_caught() {
    let disclosure = DeltaDisclosure { column: 0, d: 1.0, reference: reference(&[9, 5, 4]) };
    let found = counterexample(&Boasts(disclosure));
    assert!(found.is_some());
    let grassberger = EntropyLDiversity { column: 0, l: 2.6, estimator: EntropyEstimator::Grassberger };
    assert!(counterexample(&Boasts(grassberger)).is_some());
}

fn declared() -> Vec<Model> {
    let column = "mood".to_owned();
    vec![
        Model::KAnonymity { k: K::new(2).unwrap() },
        Model::DistinctLDiversity { column: column.clone(), l: 2 },
        Model::EntropyLDiversity { column: column.clone(), l: 1.5, estimator: EntropyEstimator::Shannon },
        Model::RecursiveClDiversity { column: column.clone(), c: 3.0, l: 2 },
        Model::TCloseness { column: column.clone(), t: 0.3, distance: Distance::Equal },
        Model::TCloseness { column: column.clone(), t: 0.3, distance: Distance::Ordered },
        Model::TCloseness { column: column.clone(), t: 0.3, distance: Distance::Hierarchical },
        Model::DeltaDisclosure { column: column.clone(), d: 1.0 },
        Model::BetaLikeness { column, beta: 1.0, enhanced: true },
        Model::k_map(K::new(4).unwrap(), "people.csv"),
        Model::DeltaPresence { min: 0.1, max: 0.5, population: "people.csv".into() },
        Model::AverageRisk { threshold: 0.5 },
        Model::SampleUniqueness { threshold: 0.1 },
        Model::PopulationUniqueness { threshold: 0.1, population_size: 1000, model: Some("zayatz".into()) },
    ]
}

fn context() -> ModelContext {
    let column = SensitiveColumn { index: 0, reference: reference(&[3, 3]), ranks: Some(vec![0, 1]), levels: Some(vec![vec![0, 0]]) };
    ModelContext { one_row_each: true, sensitive: [("mood".to_owned(), column)].into(), population: true, people: 6 }
}

#[test]
fn every_declared_model_is_built_and_works() {
    let models = Models::from_policy(&declared(), Linkability::Unlinked, &context()).unwrap();
    assert_eq!(models.iter().count(), 11);
    let tables: Vec<&str> = models.tables().map(TableModel::name).collect();
    assert_eq!(tables, ["delta-presence", "average-risk", "sample-uniqueness", "population-uniqueness"]);
    let hold = |values: [u64; 2], population| {
        let values = [ValueCount { value: 0, people: values[0] }, ValueCount { value: 1, people: values[1] }];
        let subjects = values[0].people + values[1].people;
        let statistics = ClassStatistics { rows: subjects, subjects, max_rows_of_a_subject: 1 };
        models.hold(&ClassView { statistics, sensitive: &[&values], population })
    };
    assert!(hold([3, 3], Some(20)) && hold([3, 2], Some(20)));
    assert!(!hold([5, 1], Some(20)) && !hold([3, 3], Some(10)) && !hold([3, 3], None));
    let monotone: Vec<bool> = models.iter().map(PrivacyModel::is_monotone).collect();
    assert_eq!(monotone.iter().filter(|&&monotone| !monotone).count(), 1, "only δ-disclosure");
    // Without an order, a hierarchy, a column, a population.
    for (place, change) in [
        (5, (|c| c.sensitive.get_mut("mood").unwrap().ranks = None) as fn(&mut ModelContext)),
        (6, |c| c.sensitive.get_mut("mood").unwrap().levels = None),
        (1, |c| c.sensitive.clear()),
        (9, |c| c.population = false),
        (10, |c| c.population = false),
    ] {
        let mut poorer = context();
        change(&mut poorer);
        let error = Models::from_policy(&declared()[place..=place], Linkability::Unlinked, &poorer).unwrap_err().to_string();
        assert!(error.contains(declared()[place].name()), "{error}");
    }
}

/// Somebody with rows in two classes has one value in each; the union then has people with both.
#[test]
fn people_with_several_rows_leave_nothing_monotone() {
    let models = Models::from_policy(&declared(), Linkability::Unlinked, &ModelContext { one_row_each: false, ..context() }).unwrap();
    let monotone: Vec<&str> = models.iter().filter(|model| model.is_monotone()).map(PrivacyModel::name).collect();
    assert_eq!(monotone, ["k-anonymity", "k-map"]);
    // Ann has 0 here and 1 there, Bob the other way round: two values in both classes, and everybody has both in their union.
    let distinct = DistinctLDiversity { column: 0, l: 2 };
    assert!(passes(&distinct, &[1, 1], 2) && !passes(&distinct, &[2, 2], 2));
}

#[test]
fn an_estimated_k_map_asks_for_people_of_the_sample() {
    let share = |value| Share::new(value).unwrap();
    for law in [CellSizes::Poisson, CellSizes::ZeroTruncatedPoisson] {
        for (fraction, alpha) in [(1e-4, 0.05), (0.01, 0.01), (0.2, 0.1), (1.0, 0.05)] {
            for k in [2, 5, 100, 1_000] {
                let enough = sample_k(K::new(k).unwrap(), share(fraction), share(alpha), law).unwrap();
                // What is enough for k is not enough for more than population_k says, and one person less is not enough for k.
                assert!(population_k(enough, share(fraction), share(alpha), law).unwrap() >= k);
                assert!(enough == 1 || population_k(enough - 1, share(fraction), share(alpha), law).unwrap() < k, "{law:?} {fraction} {k}");
            }
        }
        assert_eq!(population_k(0, share(0.1), share(0.05), law).unwrap(), 0);
        assert!(population_k(3, share(0.0), share(0.05), law).is_err());
    }
    // ARX: the United States, 30,162 people, α = 0.01.
    let map = EstimatedKMap::new(K::new(1_000).unwrap(), 30_162, 317_238_626, share(0.01), CellSizes::ZeroTruncatedPoisson).unwrap();
    assert_eq!(map.people(), 3);
    assert!(EstimatedKMap::new(K::new(5).unwrap(), 11, 10, share(0.01), CellSizes::Poisson).is_err());
    let declared = [Model::estimated_k_map(K::new(100).unwrap(), 600)];
    assert!(declared[0].is_estimate() && declared[0].population().is_none());
    let models = Models::from_policy(&declared, Linkability::Unlinked, &context()).unwrap();
    let at = |people| {
        let statistics = ClassStatistics { rows: people, subjects: people, max_rows_of_a_subject: 1 };
        models.hold(&ClassView { statistics, sensitive: &[], population: None })
    };
    // 6 of 600 people: mean 1, P(X ≥ 4) = 0.019, P(X ≥ 3) = 0.08.
    assert!(at(4) && !at(3));
}

#[test]
fn populations_are_looked_up() {
    let at = |model: &dyn PrivacyModel, subjects, population| {
        let statistics = ClassStatistics { rows: subjects, subjects, max_rows_of_a_subject: 1 };
        model.holds(&ClassView { statistics, sensitive: &[], population })
    };
    let map = KMap { k: K::new(10).unwrap() };
    assert!(at(&map, 1, Some(10)) && !at(&map, 100, Some(9)) && !at(&map, 100, None));
    let presence = DeltaPresence { min: 0.05, max: 0.15 };
    // 3/60 and 3/20 are the bounds themselves.
    assert!(at(&presence, 3, Some(60)) && at(&presence, 3, Some(20)));
    assert!(!at(&presence, 3, Some(61)) && !at(&presence, 3, Some(19)) && !at(&presence, 0, Some(0)) && !at(&presence, 1, None));
}

/// The smallest m with P(X ≥ m) ≤ α, from the terms of the law.
#[test]
fn the_k_of_a_sample_is_the_quantile_of_its_law() {
    for (k, fraction) in [(5, 0.1), (100, 0.01), (1000, 0.5), (50, 1.0), (20, 0.001)] {
        for alpha in [0.01, 0.05, 0.3] {
            for law in [CellSizes::Poisson, CellSizes::ZeroTruncatedPoisson] {
                let mean = f64::from(k) * fraction;
                let mut terms = vec![-mean];
                (1..3_000).for_each(|x| terms.push(terms[x - 1] + (mean / x as f64).ln()));
                let shown = if law == CellSizes::Poisson { 1.0 } else { 1.0 - terms[0].exp() };
                let tail = |m: u32| terms[m as usize..].iter().rev().map(|term| term.exp()).sum::<f64>() / shown;
                let expected = (1..=k).find(|&m| m == k || tail(m) <= alpha).unwrap();
                let found =
                    sample_k(K::new(u64::from(k)).unwrap(), Share::new(fraction).unwrap(), Share::new(alpha).unwrap(), law).unwrap();
                assert_eq!(found, u64::from(expected), "{k} {fraction} {alpha} {law:?}");
            }
        }
    }
    // ARX 3.9.2 on Adult and the population of the USA: 1000-map is 3-anonymity.
    let found =
        sample_k(K::new(1000).unwrap(), Share::new(30_162.0 / 3.2e8).unwrap(), Share::new(0.01).unwrap(), CellSizes::ZeroTruncatedPoisson);
    assert_eq!(found.unwrap(), 3);
    assert!(sample_k(K::new(5).unwrap(), Share::new(0.0).unwrap(), Share::new(0.05).unwrap(), CellSizes::Poisson).is_err());
    let large = sample_k(K::new(1 << 40).unwrap(), Share::new(0.5).unwrap(), Share::new(0.05).unwrap(), CellSizes::Poisson).unwrap();
    assert!((large as f64 / (1_u64 << 39) as f64 - 1.0).abs() < 1e-4, "{large}");
}
