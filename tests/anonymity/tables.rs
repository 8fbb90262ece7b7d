//! Models of the whole table, and the suppression that makes them hold.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the counts of tests are small")]

use super::Fitted;
use super::adult::adult;
use crate::real_data::real_data;
use backmask::anonymity::classes::{ClassStatistics, Grouper};
use backmask::anonymity::models::{
    AverageRisk, ClassTable, CompletePresence, PopulationUniqueness, ReidentificationRisk, RiskClass, SampleUniqueness, SizeDistribution,
    TableModel, UnreleasedPresence, enforce,
};
use backmask::numeric::population::{Pitman, PopulationModel, SampleClasses, population_uniques};
use backmask::units::Risk;
use chrono::{DateTime, Datelike};
use proptest::prelude::*;
use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};
use std::collections::HashMap;

fn class(rows: u64, subjects: u64) -> ClassStatistics {
    ClassStatistics { rows, subjects, max_rows_of_a_subject: 1 }
}

/// The shortest list, tried length by length.
fn by_hand(models: &[&dyn TableModel], classes: &[ClassStatistics], outliers: &[bool], allowed: u64) -> Option<Vec<bool>> {
    let mut order: Vec<usize> = (0..classes.len()).filter(|&place| !outliers[place]).collect();
    order.sort_by_key(|&place| (classes[place].subjects, classes[place].rows, place));
    let before: u64 = classes.iter().zip(outliers).filter(|pair| *pair.1).map(|pair| pair.0.rows).sum();
    let mut marks = outliers.to_vec();
    let mut rows = before;
    for next in order.into_iter().map(Some).chain([None]) {
        // What is over the limit already is not our doing.
        if models.iter().all(|model| model.holds(&SizeDistribution::new(&ClassTable::new(classes), &marks))) {
            return Some(marks);
        }
        let place = next?;
        rows += classes[place].rows;
        if rows > allowed {
            return None;
        }
        marks[place] = true;
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_shortest_list_is_suppressed(
        sizes in prop::collection::vec((1_u64..5, 0_u64..3, any::<bool>()), 0..14),
        average in 0_u32..11, unique in 0_u32..11, allowed in 0_u64..30,
    ) {
        let classes: Vec<ClassStatistics> = sizes.iter().map(|&(people, more, _)| class(people + more, people)).collect();
        let outliers: Vec<bool> = sizes.iter().map(|size| size.2).collect();
        let (risk, uniques) = (AverageRisk { threshold: f64::from(average) / 10.0 }, SampleUniqueness { threshold: f64::from(unique) / 10.0 });
        let models: [&dyn TableModel; 2] = [&risk, &uniques];
        let mut marks = outliers.clone();
        let held = enforce(&models, &ClassTable::new(&classes), &mut marks, allowed);
        match by_hand(&models, &classes, &outliers, allowed) {
            Some(expected) => prop_assert!(held && marks == expected, "{marks:?} {expected:?}"),
            None => prop_assert!(!held && marks == outliers),
        }
        // What the models say, from their definitions.
        let kept: Vec<u64> = classes.iter().zip(&marks).filter(|pair| !pair.1).map(|pair| pair.0.subjects).collect();
        let people: u64 = kept.iter().sum();
        let alone = kept.iter().filter(|&&size| size == 1).count() as u64;
        prop_assert_eq!(held, 10 * kept.len() as u64 <= u64::from(average) * people && 10 * alone <= u64::from(unique) * people);
    }

    /// Removing the smallest classes never breaks a model that calls itself monotone.
    #[test]
    fn smaller_classes_may_go(mut sizes in prop::collection::vec(1_u64..6, 1..14), threshold in 0_u32..11) {
        sizes.sort_unstable();
        let threshold = f64::from(threshold) / 10.0;
        let models: [Box<dyn TableModel>; 3] =
            [Box::new(AverageRisk { threshold }), Box::new(SampleUniqueness { threshold }), Box::new(CompletePresence)];
        for model in models.iter().filter(|model| model.is_monotone()) {
            let classes: Vec<ClassStatistics> = sizes.iter().map(|&size| class(size, size)).collect();
            let mut held = false;
            for removed in 0..=classes.len() {
                let holds = model.holds(&SizeDistribution::new(&ClassTable::new(&classes[removed..]), &[]));
                prop_assert!(holds || !held, "{} {:?} {}", model.name(), sizes, removed);
                held = holds;
            }
        }
    }
}

/// Takes the largest classes first.
#[test]
fn suppressing_the_largest_classes_first_is_caught() {
    let classes = [class(9, 9), class(1, 1), class(1, 1), class(5, 5)];
    let model = SampleUniqueness { threshold: 0.1 };
    let mut marks = [false; 4];
    assert!(enforce(&[&model], &ClassTable::new(&classes), &mut marks, 2));
    assert_eq!(marks, [false, true, false, false]);
    let broken: Vec<bool> = [true, false, false, false].to_vec();
    assert!(!model.holds(&SizeDistribution::new(&ClassTable::new(&classes), &broken)));
}

#[test]
fn nothing_is_left_to_judge_where_all_is_suppressed() {
    let classes = [class(1, 1), class(1, 1)];
    let models: [&dyn TableModel; 3] = [
        &AverageRisk { threshold: 0.1 },
        &SampleUniqueness { threshold: 0.0 },
        &PopulationUniqueness { threshold: 0.0, population: 10, estimator: PopulationModel::Dankar },
    ];
    let mut marks = [false; 2];
    assert!(!enforce(&models, &ClassTable::new(&classes), &mut marks, 1));
    assert_eq!(marks, [false; 2]);
    assert!(enforce(&models, &ClassTable::new(&classes), &mut marks, 2));
    assert_eq!(marks, [true; 2]);
    assert!(enforce(&models, &ClassTable::default(), &mut [], 0));
    assert!(enforce(&[], &ClassTable::new(&classes), &mut [false; 2], 0));
    // A population smaller than the data, and an estimator without a solution.
    for (population, estimator) in [(1, PopulationModel::Zayatz), (0, PopulationModel::Zayatz), (10, PopulationModel::Pitman)] {
        let model = PopulationUniqueness { threshold: 1.0, population, estimator };
        assert!(!model.holds(&SizeDistribution::new(&ClassTable::new(&classes), &[])));
    }
}

#[test]
fn who_fits_no_class_is_as_present_as_the_others() {
    let classes = [class(2, 2), class(3, 3), class(1, 1)];
    let holds = |(min, max), populations: Option<&[u64]>, absent, outliers: &[bool]| {
        let table = ClassTable { classes: &classes, populations, absent_population: absent };
        UnreleasedPresence { min, max }.holds(&SizeDistribution::new(&table, outliers))
    };
    let (people, bounds): (&[u64], _) = (&[20, 30, 2], (0.05, 0.15));
    assert!(holds(bounds, Some(people), Some(0), &[false, false, false]), "everybody fits a class");
    // 1 of 2, then 1 of 2 + 8.
    assert!(!holds(bounds, Some(people), Some(0), &[false, false, true]) && holds(bounds, Some(people), Some(8), &[false, false, true]));
    // 0 of 8 is certain; 1 of 2 + 40 is too little; without a lower bound both may be.
    assert!(!holds(bounds, Some(people), Some(8), &[false, false, false]) && !holds(bounds, Some(people), Some(40), &[false, false, true]));
    assert!(holds((0.0, 0.15), Some(people), Some(8), &[false; 3]) && holds((0.0, 0.15), Some(people), Some(40), &[false, false, true]));
    // The upper bound holds for them too: suppressing the class of too many does not hide them.
    assert!(!holds((0.0, 0.15), Some(people), Some(0), &[false, false, true]));
    assert!(holds((0.0, 0.15), None, None, &[false; 3]) && !holds((0.0, 0.15), None, None, &[false, false, true]));
    assert!(!holds(bounds, None, None, &[false; 3]));
}

#[test]
fn nobody_of_the_population_may_be_missing() {
    let classes = [class(2, 2), class(3, 3)];
    let complete = |populations: Option<&[u64]>, absent, outliers: &[bool]| {
        CompletePresence.holds(&SizeDistribution::new(&ClassTable { classes: &classes, populations, absent_population: absent }, outliers))
    };
    assert!(complete(Some(&[20, 30]), Some(0), &[false, false]));
    assert!(!complete(Some(&[20, 30]), Some(1), &[false, false]), "a person without a row");
    assert!(!complete(Some(&[20, 30]), Some(0), &[true, false]), "people whose class was suppressed");
    assert!(!complete(None, Some(0), &[false, false]) && !complete(Some(&[20, 30]), None, &[false, false]));
    assert!(!complete(Some(&[20]), Some(0), &[false, true]), "a class without a count");
}

fn sizes(fitted: &Fitted, levels: &[usize]) -> Vec<u64> {
    let mut grouper = Grouper::new(&fitted.tuples, &fitted.hierarchies).unwrap();
    grouper.group(levels).unwrap().statistics().iter().map(|class| class.subjects).collect()
}

/// Figures of ARX 3.9.2 (`TestRiskMetrics`).
#[test]
fn adult_has_its_known_risks() {
    let columns = ["sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation", "salary-class"];
    let Some(fitted) = adult("adult_has_its_known_risks", &columns) else { return };
    let raw = sizes(&fitted, &[0; 9]);
    let risk = |sizes: &[u64]| {
        let classes = sizes.iter().map(|&people| RiskClass { people, population: None });
        ReidentificationRisk::new(classes, Risk::new(0.2).unwrap()).unwrap().prosecutor
    };
    assert!((risk(&raw).average - 0.646_575_160_798_355_5).abs() < 1e-15);
    assert!((risk(&raw).highest - 1.0).abs() < 1e-15);
    let sample = SampleClasses::new(raw.iter().map(|&size| (size, 1))).unwrap();
    assert_eq!((sample.people(), sample.classes(), sample.uniques()), (30_162, 19_502, 15_512));
    let share = |model, fraction: f64| {
        let population = (30_162.0 / fraction).round();
        population_uniques(model, &sample, population as u64).unwrap() / population
    };
    for (model, fraction, expected) in [
        (PopulationModel::Dankar, 0.1, 0.276_849_938_836_535_97),
        (PopulationModel::Pitman, 0.1, 0.276_849_938_836_535_97),
        (PopulationModel::Zayatz, 0.1, 0.320_740_239_346_618_9),
        (PopulationModel::Dankar, 0.2, 0.357_709_923_482_912_5),
        (PopulationModel::Dankar, 0.01, 0.144_608_353_116_738_4),
        (PopulationModel::Dankar, 1.0, 0.514_289_503_348_584_4),
    ] {
        let found = share(model, fraction);
        assert!((found - expected).abs() < 1e-9, "{model} {fraction}: {found}");
    }
}

/// A person of LFM-1b: what is known of them.
type Listener<'a> = (&'a str, &'a str, &'a str, Option<(i32, u32)>);

fn listener(line: &str, quarters: bool) -> Listener<'_> {
    let fields: Vec<&str> = line.split('\t').collect();
    let at = |index: usize| fields.get(index).copied().unwrap_or("");
    let registered = at(5).parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    (at(1), at(2), at(3), registered.filter(|_| quarters).map(|time| (time.year(), time.month0() / 3)))
}

fn class_sizes(people: &[Listener<'_>]) -> SampleClasses {
    let mut classes: HashMap<&Listener<'_>, u64> = HashMap::new();
    for person in people {
        *classes.entry(person).or_default() += 1;
    }
    SampleClasses::new(classes.into_values().map(|size| (size, 1))).unwrap()
}

/// LFM-1b: country, age, gender, with and without the quarter of registration, all 120,322 people. The true numbers are known; samples at fractions of them were
/// estimated before, with other samples. So a difference of a few standard errors of the number of uniques in a sample is allowed: 35 % at 1 %, 15 % above.
#[test]
fn samples_of_lfm_are_estimated_as_before() {
    let Some(path) = real_data("samples_of_lfm_are_estimated_as_before", "lfm-1b/LFM-1b_users.txt") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let read = |quarters: bool| -> Vec<Listener<'_>> { text.lines().skip(1).map(|line| listener(line, quarters)).collect() };
    // Uniques of all people in the notes; a few differ by how missing fields are read.
    let plain = [(0.01, 15_484.0, 11_771.0), (0.05, 4_708.0, 5_183.0), (0.1, 2_897.0, 3_648.0), (0.5, 2_223.0, 2_599.0)];
    let with_quarters = [(0.01, 33_941.0, 47_522.0), (0.1, 26_910.0, 27_323.0), (0.5, 16_336.0, 18_489.0)];
    for (people, uniques, known) in [(read(false), 2_251, &plain[..]), (read(true), 15_682, &with_quarters[..])] {
        assert_eq!(people.len(), 120_322);
        assert!(class_sizes(&people).uniques().abs_diff(uniques) < 10);
        let mut random = ChaCha20Rng::seed_from_u64(1);
        for &(fraction, zayatz, pitman) in known {
            let mut shuffled = people.clone();
            let taken = (120_322.0_f64 * fraction).round() as usize;
            for place in 0..taken {
                let other = random.random_range(place..shuffled.len());
                shuffled.swap(place, other);
            }
            let sample = class_sizes(&shuffled[..taken]);
            for (model, expected) in [(PopulationModel::Zayatz, zayatz), (PopulationModel::Pitman, pitman)] {
                let found = population_uniques(model, &sample, 120_322).unwrap();
                let tolerance = if fraction < 0.05 { 0.35 } else { 0.15 };
                assert!((found / expected - 1.0).abs() < tolerance, "{model} {fraction}: {found} {expected}");
            }
            if (fraction - 0.01).abs() < 1e-12 && uniques == 2_251 {
                let fitted = Pitman::fit(&sample).unwrap();
                assert!((fitted.alpha - 0.784).abs() < 0.05, "{fitted:?}");
            }
        }
    }
}
