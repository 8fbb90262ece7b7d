//! Known answers on the Adult data set: figures of ARX 3.9.2.

use super::{Fitted, fit};
use crate::real_data::real_data;
use arrow::array::{ArrayRef, Int64Array, StringArray};
use backmask::anonymity::classes::TupleBuilder;
use backmask::anonymity::models::{
    DistinctLDiversity, KAnonymity, Linkability, Models, Reference, ReidentificationRisk, RiskClass, TCloseness,
};
use backmask::anonymity::quality::{Loss, Score};
use backmask::anonymity::search::{Found, Problem, Transformation, exhaustive, fixed, optimal};
use backmask::arrow;
use backmask::policy::{AggregateFunction, HierarchySpec, LevelLimits, Quality};
use backmask::units::{K, Risk, Share};
use std::sync::Arc;

const COLUMNS: [&str; 9] =
    ["sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation", "salary-class"];

/// Adult with the given quasi-identifiers; `None` where the data is absent.
pub(super) fn adult(test: &str, columns: &[&str]) -> Option<Fitted> {
    let path = real_data(test, "adult/adult.csv")?;
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_path(&path).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 30_162);
    let fitted: Vec<_> = columns
        .iter()
        .map(|name| {
            let index = COLUMNS.iter().position(|column| column == name).unwrap();
            let values = rows.iter().map(|row| &row[index]);
            let array: ArrayRef = if *name == "age" {
                Arc::new(values.map(|age| Some(age.parse::<i64>().unwrap())).collect::<Int64Array>())
            } else {
                Arc::new(StringArray::from_iter_values(values))
            };
            let file = path.with_file_name(format!("adult_hierarchy_{name}.csv"));
            (*name, array, Some(HierarchySpec::File { path: file.to_string_lossy().into_owned(), delimiter: ';' }))
        })
        .collect();
    Some(fit(&fitted, None))
}

/// Adult with eight quasi-identifiers, and occupation as a sensitive column: its distribution comes with it.
fn adult_with_occupation(test: &str) -> Option<(Fitted, Arc<Reference>)> {
    let nine = adult(test, &COLUMNS)?;
    let occupation = 7;
    let mut builder = TupleBuilder::with_sensitive(8, 1);
    for tuple in 0..nine.tuples.len() {
        let codes = nine.tuples.codes(tuple);
        let rows = usize::try_from(nine.tuples.rows()[tuple]).unwrap();
        let columns: Vec<Vec<u32>> = (0..9).filter(|&column| column != occupation).map(|column| vec![codes[column]; rows]).collect();
        let columns: Vec<&[u32]> = columns.iter().map(Vec::as_slice).collect();
        builder.extend_with(&columns, &[&vec![codes[occupation]; rows]], None).unwrap();
    }
    let tuples = builder.finish().unwrap();
    let people = tuples.distribution(0).iter().map(|count| count.people).collect();
    let reference = Reference::new(people, tuples.subjects()).unwrap();
    let mut hierarchies = nine.hierarchies;
    hierarchies.remove(occupation);
    Some((Fitted { hierarchies, tuples }, Arc::new(reference)))
}

fn eight() -> Vec<&'static str> {
    COLUMNS.into_iter().filter(|&name| name != "occupation").collect()
}

fn five_anonymity() -> Models {
    Models::new().and(KAnonymity { k: K::new(5).unwrap(), linkability: Linkability::Unlinked })
}

fn quality(aggregate: AggregateFunction, gs_factor: f64, weights: &[(&str, f64)]) -> Quality {
    let weights = weights.iter().map(|&(name, weight)| (name.to_owned(), weight)).collect();
    Quality { aggregate, gs_factor, weights, ..Quality::default() }
}

fn transformation(found: Found) -> Transformation {
    match found {
        Found::Transformation(transformation) => transformation,
        Found::Nothing(miss) => panic!("no transformation: {miss:?}"),
    }
}

fn assert_close(score: &Score, expected: &[f64], tolerance: f64) {
    let values = match score {
        Score::Number(value) => vec![*value],
        Score::Ranked(values) => values.clone(),
    };
    assert_eq!(values.len(), expected.len());
    for (value, expected) in values.iter().zip(expected) {
        assert!((value - expected).abs() <= tolerance, "{values:?} is not {expected}");
    }
}

/// In debug builds the search is confined to one level around the expected optimum; release builds search the whole lattice.
fn confine<'a>(mut problem: Problem<'a>, expected: &[usize], columns: &[usize]) -> Problem<'a> {
    if cfg!(debug_assertions) {
        for &column in columns {
            let level = expected[column];
            let max = (level + 1).min(problem.lattice().highest()[column]);
            problem = problem.limit(column, LevelLimits { min: Some(level.saturating_sub(1)), max: Some(max) }).unwrap();
        }
        for column in (0..expected.len()).filter(|column| !columns.contains(column)) {
            let level = Some(expected[column]);
            problem = problem.limit(column, LevelLimits { min: level, max: level }).unwrap();
        }
    }
    problem
}

struct Case {
    gs_factor: f64,
    weighted: bool,
    loss: [f64; 8],
    levels: [usize; 8],
    /// Several nodes have the smallest loss.
    tied: bool,
    suppressed: u64,
    classes: usize,
    smallest: u64,
    largest: u64,
}

/// 5-anonymity, no limit on suppression, aggregate rank.
const CASES: [Case; 5] = [
    Case {
        gs_factor: 0.5,
        weighted: false,
        loss: [
            0.297_248_193,
            0.296_780_55,
            0.129_765_930_6,
            0.129_765_930_6,
            0.129_765_930_6,
            0.129_765_930_6,
            0.129_765_930_6,
            0.129_765_930_6,
        ],
        levels: [0, 3, 0, 0, 1, 0, 0, 0],
        tied: false,
        suppressed: 3914,
        classes: 626,
        smallest: 5,
        largest: 1250,
    },
    Case {
        gs_factor: 0.33,
        weighted: false,
        loss: [
            0.230_034_480_4,
            0.197_614_879_6,
            0.197_614_879_6,
            0.197_614_879_6,
            0.197_614_879_6,
            0.197_614_879_6,
            0.197_614_879_6,
            0.197_614_879_6,
        ],
        levels: [0, 1, 0, 0, 0, 0, 0, 0],
        tied: false,
        suppressed: 9031,
        classes: 987,
        smallest: 5,
        largest: 382,
    },
    Case {
        gs_factor: 1.0,
        weighted: false,
        loss: [0.0; 8],
        levels: [1, 4, 0, 2, 3, 2, 2, 0],
        tied: true,
        suppressed: 0,
        classes: 10,
        smallest: 21,
        largest: 19_094,
    },
    Case {
        gs_factor: 0.0,
        weighted: true,
        loss: [0.0; 8],
        levels: [0, 0, 0, 0, 0, 0, 0, 0],
        tied: true,
        suppressed: 15_353,
        classes: 1035,
        smallest: 5,
        largest: 137,
    },
    Case {
        gs_factor: 0.66,
        weighted: true,
        loss: [
            0.121_769_049_944_444_44,
            0.104_568_662_5,
            0.081_331_181_944_444_46,
            0.069_712_441_666_666_67,
            0.062_872_385_855_555_56,
            0.049_122_326_133_333_33,
            0.046_474_961_111_111_11,
            0.034_856_220_833_333_33,
        ],
        levels: [1, 3, 0, 0, 1, 0, 0, 0],
        tied: false,
        suppressed: 3154,
        classes: 504,
        smallest: 5,
        largest: 1953,
    },
];

/// Of the eight quasi-identifiers; only ratios matter.
const WEIGHTS: [(&str, f64); 8] = [
    ("education", 5.0),
    ("workclass", 7.0),
    ("salary-class", 9.0),
    ("race", 3.0),
    ("native-country", 6.0),
    ("sex", 1.0),
    ("marital-status", 4.0),
    ("age", 2.0),
];

#[test]
fn optima_of_loss_are_the_known_ones() {
    let columns = eight();
    let Some(adult) = adult("optima_of_loss_are_the_known_ones", &columns) else { return };
    let models = five_anonymity();
    for case in &CASES {
        let weights: &[(&str, f64)] = if case.weighted { &WEIGHTS } else { &[] };
        let loss = Loss::new(&quality(AggregateFunction::Rank, case.gs_factor, weights), &columns).unwrap();
        let problem = Problem::new(&adult.tuples, &adult.hierarchies, &models, &loss, Share::new(1.0).unwrap()).unwrap();
        let there = transformation(fixed(&problem, &case.levels).unwrap().found);
        assert_close(&there.score, &case.loss, 1e-9);
        assert_eq!((there.suppressed_rows, there.classes.len()), (case.suppressed, case.classes));
        assert_eq!(there.suppressed_subjects, there.suppressed_rows, "every row is a person here");
        let sizes = || there.classes.iter().map(|class| class.rows);
        assert_eq!((sizes().min(), sizes().max()), (Some(case.smallest), Some(case.largest)));

        let outcome = exhaustive(&confine(problem, &case.levels, &[0, 1, 2, 3, 4])).unwrap();
        assert!(outcome.optimal && outcome.checked == outcome.nodes);
        let best = transformation(outcome.found);
        assert_close(&best.score, &case.loss, 1e-9);
        if !case.tied {
            assert_eq!(best.levels, case.levels);
        }
    }
}

#[test]
fn optima_of_the_arithmetic_mean_with_and_without_suppression() {
    let nine: [(f64, [usize; 9], f64, u64, usize); 2] =
        [(0.05, [0, 3, 0, 0, 2, 1, 1, 2, 0], 0.269_635, 1346, 397), (0.0, [0, 4, 1, 1, 3, 2, 2, 1, 0], 0.635_544, 0, 24)];
    let Some(all) = adult("optima_of_the_arithmetic_mean_with_and_without_suppression", &COLUMNS) else { return };
    let models = five_anonymity();
    let loss = Loss::new(&quality(AggregateFunction::ArithmeticMean, 0.5, &[]), &COLUMNS).unwrap();
    for (limit, levels, expected, suppressed, classes) in nine {
        let problem = Problem::new(&all.tuples, &all.hierarchies, &models, &loss, Share::new(limit).unwrap()).unwrap();
        assert_eq!(problem.lattice().nodes(), 12_960);
        let best = transformation(exhaustive(&confine(problem, &levels, &[1, 3, 5, 7])).unwrap().found);
        assert_eq!(best.levels, levels);
        assert_close(&best.score, &[expected], 1e-6);
        assert_eq!((best.suppressed_rows, best.classes.len()), (suppressed, classes));
    }
    let columns = eight();
    let Some(adult) = adult("optima_of_the_arithmetic_mean_with_and_without_suppression", &columns) else { return };
    let loss = Loss::new(&quality(AggregateFunction::ArithmeticMean, 0.5, &[]), &columns).unwrap();
    let eight: [(f64, [usize; 8], f64, u64, usize); 2] =
        [(0.05, [0, 3, 0, 0, 2, 1, 1, 0], 0.178_339, 1346, 397), (0.0, [0, 4, 1, 2, 3, 2, 0, 0], 0.625_000, 0, 26)];
    for (limit, levels, expected, suppressed, classes) in eight {
        let problem = Problem::new(&adult.tuples, &adult.hierarchies, &models, &loss, Share::new(limit).unwrap()).unwrap();
        let best = transformation(exhaustive(&confine(problem, &levels, &[2, 4, 5, 6])).unwrap().found);
        assert_eq!(best.levels, levels);
        assert_close(&best.score, &[expected], 1e-6);
        assert_eq!((best.suppressed_rows, best.classes.len()), (suppressed, classes));
    }
}

/// `TestRiskMetrics`: risks after 2-anonymity by the ranked loss, nothing suppressed.
#[test]
fn risk_after_two_anonymity_is_the_known_one() {
    let Some(adult) = adult("risk_after_two_anonymity_is_the_known_one", &COLUMNS) else { return };
    let models = Models::new().and(KAnonymity { k: K::new(2).unwrap(), linkability: Linkability::Unlinked });
    let loss = Loss::new(&quality(AggregateFunction::Rank, 0.5, &[]), &COLUMNS).unwrap();
    let problem = Problem::new(&adult.tuples, &adult.hierarchies, &models, &loss, Share::new(0.0).unwrap()).unwrap();
    let outcome = optimal(&problem).unwrap();
    assert!(outcome.optimal);
    let best = transformation(outcome.found);
    let classes = best.classes.iter().map(|class| RiskClass { people: class.subjects, population: None });
    let risk = ReidentificationRisk::new(classes, Risk::new(0.2).unwrap()).unwrap().prosecutor;
    assert!((risk.average - 0.001_922_949_406_538_028).abs() < 1e-15, "{}", risk.average);
    assert!((risk.highest - 0.5).abs() < 1e-15, "{}", risk.highest);
}

#[test]
fn loss_of_single_transformations() {
    let columns = eight();
    let Some(adult) = adult("loss_of_single_transformations", &columns) else { return };
    let models = five_anonymity();
    let loss = Loss::new(&quality(AggregateFunction::Rank, 0.5, &[]), &columns).unwrap();
    let problem = Problem::new(&adult.tuples, &adult.hierarchies, &models, &loss, Share::new(0.05).unwrap()).unwrap();
    let mut evaluator = problem.evaluator().unwrap();
    let known: [([usize; 8], [f64; 8]); 8] = [
        ([0, 0, 0, 0, 0, 0, 0, 0], [0.509_017_969_6; 8]),
        ([0, 3, 0, 2, 3, 2, 2, 1], [1.0, 1.0, 1.0, 1.0, 1.0, 0.192_401_436_2, 5.967_774e-4, 5.967_774e-4]),
        ([0, 4, 0, 2, 3, 2, 2, 1], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]),
        ([0, 4, 1, 2, 1, 2, 2, 1], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.189_843_732_7, 0.0]),
        ([1, 4, 1, 0, 1, 2, 2, 1], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.189_901_200_1, 6.630_86e-5]),
        (
            [0, 2, 1, 1, 1, 1, 1, 1],
            [1.0, 1.0, 0.444_190_261_4, 0.299_118_095_6, 0.287_697_268, 0.205_786_530_5, 0.107_968_485_3, 0.018_765_333_8],
        ),
        ([1, 1, 1, 0, 1, 0, 1, 1], [1.0, 1.0, 1.0, 0.344_492_123_4, 0.258_026_656, 0.119_368_206_2, 0.082_288_972_8, 0.082_288_972_8]),
        (
            [1, 3, 1, 0, 1, 0, 1, 0],
            [1.0, 1.0, 0.328_080_744_9, 0.239_848_923_5, 0.239_113_232_9, 0.059_313_042_9, 0.059_313_042_9, 0.059_313_042_9],
        ),
    ];
    for (levels, expected) in known {
        assert_close(&evaluator.evaluate(&levels).unwrap().score, &expected, 1e-9);
    }
}

/// What ARX 3.9.2 found in the whole lattice: suppression limit, levels, loss, suppressed rows, classes.
type Known<const N: usize> = (f64, [usize; N], f64, u64, usize);

fn assert_optimum<const N: usize>(
    fitted: &Fitted,
    models: &Models,
    columns: &[&str],
    (limit, levels, loss, suppressed, classes): Known<N>,
) {
    let metric = Loss::new(&quality(AggregateFunction::ArithmeticMean, 0.5, &[]), columns).unwrap();
    let problem = Problem::new(&fitted.tuples, &fitted.hierarchies, models, &metric, Share::new(limit).unwrap()).unwrap();
    let outcome = optimal(&problem).unwrap();
    assert!(outcome.optimal && outcome.checked < outcome.nodes);
    let best = transformation(outcome.found);
    assert_eq!((best.levels.as_slice(), best.suppressed_rows, best.classes.len()), (levels.as_slice(), suppressed, classes));
    assert_close(&best.score, &[loss], 1e-6);
}

#[test]
fn the_quick_search_finds_the_known_optima_in_whole_lattices() {
    let Some(nine) = adult("the_quick_search_finds_the_known_optima_in_whole_lattices", &COLUMNS) else { return };
    assert_optimum(&nine, &five_anonymity(), &COLUMNS, (0.05, [0, 3, 0, 0, 2, 1, 1, 2, 0], 0.269_635, 1346, 397));
    assert_optimum(&nine, &five_anonymity(), &COLUMNS, (0.0, [0, 4, 1, 1, 3, 2, 2, 1, 0], 0.635_544, 0, 24));
}

#[test]
fn the_quick_search_finds_the_known_optima_with_sensitive_values() {
    let Some((eight_columns, reference)) = adult_with_occupation("the_quick_search_finds_the_known_optima_with_sensitive_values") else {
        return;
    };
    let diverse = |l| five_anonymity().and(DistinctLDiversity { column: 0, l });
    let close = five_anonymity().and(TCloseness::equal(0, 0.2, reference));
    let cases: [(&Models, [Known<8>; 2]); 4] = [
        (&five_anonymity(), [(0.05, [0, 3, 0, 0, 2, 1, 1, 0], 0.178_339, 1346, 397), (0.0, [0, 4, 1, 2, 3, 2, 0, 0], 0.625, 0, 26)]),
        (&diverse(2), [(0.05, [0, 3, 0, 0, 2, 1, 1, 0], 0.178_339, 1346, 397), (0.0, [0, 4, 1, 2, 3, 2, 0, 0], 0.625, 0, 26)]),
        (&diverse(3), [(0.05, [0, 3, 0, 0, 2, 1, 1, 0], 0.179_877, 1400, 387), (0.0, [0, 4, 1, 2, 3, 2, 0, 0], 0.625, 0, 26)]),
        (&close, [(0.05, [1, 4, 1, 1, 3, 1, 2, 1], 0.839_694, 235, 6), (0.0, [1, 4, 1, 1, 3, 2, 2, 1], 0.929_145, 0, 2)]),
    ];
    for (models, known) in cases {
        for known in known {
            assert_optimum(&eight_columns, models, &eight(), known);
        }
    }
}
