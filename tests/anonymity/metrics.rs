//! Every metric against a second implementation over rows and labels, and its bound against every node above.

use super::fit;
use arrow::array::{ArrayRef, AsArray, Int32Array, StringArray};
use backmask::anonymity::classes::{Classes, Grouper, Tuples};
use backmask::anonymity::hierarchy::Hierarchy;
use backmask::anonymity::quality::{GeneralizedTable, LevelTable, Marginals, OutputQuality, QualityMetric, Score, all, from_policy};
use backmask::arrow;
use backmask::error::Result;
use backmask::pipeline::Kernel;
use backmask::policy::{AggregateFunction, Direction, HierarchySpec, Metric, Quality};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

const NAMES: [&str; 3] = ["age", "place", "genre"];
/// More leaves than the data has.
const GENRES: [(&str, &str); 6] =
    [("rock", "guitar"), ("metal", "guitar"), ("jazz", "horn"), ("ska", "horn"), ("punk", "guitar"), ("folk", "voice")];
const MISSING: &str = "\u{0}missing";

const METRICS: [Metric; 12] = [
    Metric::Loss,
    Metric::NonUniformEntropy,
    Metric::NonUniformEntropyMonotone,
    Metric::NormalizedEntropy,
    Metric::Precision,
    Metric::PrecisionMonotone,
    Metric::Height,
    Metric::Discernibility,
    Metric::DiscernibilityMonotone,
    Metric::AverageClassSize,
    Metric::Ambiguity,
    Metric::KlDivergence,
];

#[derive(Debug, Clone)]
struct Table {
    rows: Vec<(Option<i32>, Option<&'static str>, &'static str)>,
    /// Bits decide which classes are suppressed.
    chance: u64,
    quality: Quality,
}

fn has_factor(metric: Metric) -> bool {
    !matches!(metric, Metric::Height | Metric::Discernibility | Metric::DiscernibilityMonotone | Metric::Ambiguity | Metric::KlDivergence)
}

fn has_columns(metric: Metric) -> bool {
    has_factor(metric) && metric != Metric::AverageClassSize || metric == Metric::Height
}

fn tables() -> impl Strategy<Value = Table> {
    let place = prop::sample::select(vec![None, Some("AA"), Some("AB"), Some("B"), Some("BA")]);
    let genre = prop::sample::select(vec!["rock", "metal", "jazz", "ska"]);
    let row = (prop::option::weighted(0.9, 18..40_i32), place, genre);
    let aggregate = prop::sample::select(vec![
        AggregateFunction::Sum,
        AggregateFunction::Maximum,
        AggregateFunction::ArithmeticMean,
        AggregateFunction::GeometricMean,
        AggregateFunction::Rank,
    ]);
    let factor = prop::sample::select(vec![0.0, 0.1, 0.25, 0.5, 0.66, 0.75, 1.0]);
    let weights = prop::option::of((0.0..3.0_f64, 0.1..3.0_f64));
    (prop::collection::vec(row, 0..20), any::<u64>(), prop::sample::select(METRICS.to_vec()), aggregate, factor, weights).prop_map(
        |(rows, chance, metric, aggregate, factor, weights)| {
            let mut quality = Quality { metric, aggregate, ..Quality::default() };
            if has_factor(metric) {
                quality.gs_factor = factor;
            }
            if let (true, Some((age, place))) = (has_columns(metric), weights) {
                quality.weights = [("age".to_owned(), age), ("place".to_owned(), place)].into();
            }
            Table { rows, chance, quality }
        },
    )
}

struct Prepared {
    hierarchies: Vec<Hierarchy>,
    tuples: Tuples,
    /// Labels of every row by column and level.
    labels: Vec<Vec<Vec<String>>>,
}

struct Node {
    levels: Vec<usize>,
    classes: Classes,
    outliers: Vec<bool>,
}

impl Table {
    fn prepare(&self) -> Prepared {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for (leaf, parent) in GENRES {
            writeln!(file, "{leaf};{parent};*").unwrap();
        }
        let path = file.path().to_string_lossy().into_owned();
        let columns: Vec<(&str, ArrayRef, Option<HierarchySpec>)> = vec![
            (
                "age",
                Arc::new(self.rows.iter().map(|row| row.0).collect::<Int32Array>()),
                Some(HierarchySpec::Intervals { widths: vec![5.0, 10.0], origin: 0.0 }),
            ),
            ("place", Arc::new(self.rows.iter().map(|row| row.1).collect::<StringArray>()), Some(HierarchySpec::Mask(Direction::Right))),
            (
                "genre",
                Arc::new(self.rows.iter().map(|row| Some(row.2)).collect::<StringArray>()),
                Some(HierarchySpec::File { path, delimiter: ';' }),
            ),
        ];
        let fitted = fit(&columns, None);
        let labels = columns.iter().zip(&fitted.hierarchies).map(|((_, array, _), hierarchy)| {
            let of_level = |level| {
                let labels = hierarchy.kernel(level).unwrap().apply(array.as_ref()).unwrap();
                let labels = arrow::compute::cast(&labels, &arrow::datatypes::DataType::Utf8).unwrap();
                labels.as_string::<i32>().iter().map(|label| label.unwrap_or(MISSING).to_owned()).collect()
            };
            (0..=hierarchy.height()).map(of_level).collect()
        });
        Prepared { labels: labels.collect(), hierarchies: fitted.hierarchies, tuples: fitted.tuples }
    }

    /// Some classes are suppressed, whatever the reason.
    fn node(&self, prepared: &Prepared, grouper: &mut Grouper<'_>, levels: Vec<usize>) -> Node {
        let classes = grouper.group(&levels).unwrap();
        let outliers = classes.statistics().iter().enumerate().map(|(index, class)| match self.chance % 4 {
            0 => false,
            1 => class.rows < 3,
            _ => (self.chance >> ((index + levels.iter().sum::<usize>()) % 61)) & 1 == 1,
        });
        let outliers = outliers.collect();
        let _ = prepared;
        Node { levels, classes, outliers }
    }
}

impl Prepared {
    fn lattice(&self) -> Vec<Vec<usize>> {
        let mut nodes = vec![vec![]];
        for hierarchy in &self.hierarchies {
            nodes = nodes.iter().flat_map(|node| (0..=hierarchy.height()).map(|level| [node.clone(), vec![level]].concat())).collect();
        }
        nodes
    }

    /// Values of the columns, or the one of the table, from rows and labels alone.
    #[expect(clippy::too_many_lines, reason = "one formula after the other")]
    fn oracle(&self, quality: &Quality, levels: &[usize], suppressed: &[bool]) -> Vec<f64> {
        let rows = suppressed.len();
        let all = rows as f64;
        let label = |column: usize, row: usize| self.labels[column][levels[column]][row].as_str();
        let raw = |column: usize, row: usize| self.labels[column][0][row].as_str();
        let out = suppressed.iter().filter(|&&gone| gone).count() as f64;
        let factor = quality.gs_factor;
        let (generalized, gone) = if factor <= 0.5 { (1.0, 2.0 * factor) } else { (2.0 - 2.0 * factor, 1.0) };
        let log2 = |x: f64| x.ln() / 2_f64.ln();
        // Leaves of the domain below every label.
        let leaves = |column: usize| -> BTreeMap<String, f64> {
            let mut below: BTreeMap<String, f64> = BTreeMap::new();
            if NAMES[column] == "genre" {
                for (leaf, parent) in GENRES {
                    *below.entry([leaf, parent, "*"][levels[column]].to_owned()).or_default() += 1.0;
                }
                return below;
            }
            let pairs: BTreeMap<&str, &str> = (0..rows).map(|row| (raw(column, row), label(column, row))).collect();
            for (_, label) in pairs {
                *below.entry(label.to_owned()).or_default() += 1.0;
            }
            below
        };
        let leaves: Vec<_> = (0..3).map(leaves).collect();
        let domain: Vec<f64> = leaves.iter().map(|below| below.values().sum()).collect();
        let count = |same: &dyn Fn(usize) -> bool| (0..rows).filter(|&row| same(row)).count() as f64;
        let class = |row: usize| (0..3).map(|column| label(column, row)).collect::<Vec<_>>();
        let tuple = |row: usize| (0..3).map(|column| raw(column, row)).collect::<Vec<_>>();
        let entropy = |column: usize, counts: bool| -> f64 {
            let bits: f64 = (0..rows)
                .map(|row| {
                    -log2(
                        count(&|other| raw(column, other) == raw(column, row)) / count(&|other| label(column, other) == label(column, row)),
                    )
                })
                .sum();
            let lost = (0..rows)
                .filter(|&row| suppressed[row])
                .map(|row| -log2(count(&|other| suppressed[other] && label(column, other) == label(column, row)) / out));
            generalized * bits + if counts { gone * lost.sum::<f64>() } else { 0.0 }
        };
        let of_columns = |value: &dyn Fn(usize) -> f64| (0..3).map(value).collect::<Vec<_>>();
        let kept_classes = || {
            let mut classes: Vec<_> = (0..rows).filter(|&row| !suppressed[row]).map(class).collect();
            classes.sort();
            classes.dedup();
            classes.len() as f64
        };
        let level = |column: usize| levels[column] as f64 / self.hierarchies[column].height() as f64;
        match quality.metric {
            Metric::Loss => of_columns(&|column| {
                let share = |row| leaves[column][label(column, row)] / domain[column];
                let lost: f64 = (0..rows)
                    .map(|row| {
                        if suppressed[row] {
                            if gone < 1.0 { share(row) + gone * (1.0 - share(row)) } else { 1.0 }
                        } else {
                            generalized * share(row)
                        }
                    })
                    .sum();
                let least = generalized * all / domain[column];
                if all == 0.0 || (all - least).abs() < 1e-9 { 0.0 } else { ((lost - least) / (all - least)).max(0.0) }
            }),
            Metric::NonUniformEntropy => of_columns(&|column| entropy(column, true)),
            Metric::NonUniformEntropyMonotone => of_columns(&|column| entropy(column, false)),
            Metric::NormalizedEntropy => of_columns(&|column| {
                let most: f64 = (0..rows).map(|row| -log2(count(&|other| raw(column, other) == raw(column, row)) / all)).sum();
                if most < 1e-9 { 0.0 } else { entropy(column, true) / most }
            }),
            Metric::Precision => of_columns(&|column| {
                if rows == 0 { generalized * level(column) } else { ((all - out) * level(column) * generalized + out * gone) / all }
            }),
            Metric::PrecisionMonotone => of_columns(&|column| generalized * level(column)),
            Metric::Height => of_columns(&|column| levels[column] as f64),
            Metric::Discernibility => {
                vec![(0..rows).map(|row| if suppressed[row] { all } else { count(&|other| class(other) == class(row)) }).sum()]
            }
            Metric::DiscernibilityMonotone => vec![(0..rows).map(|row| count(&|other| class(other) == class(row))).sum()],
            Metric::AverageClassSize => {
                let classes = gone * kept_classes() + if out > 0.0 { generalized } else { 0.0 };
                vec![if rows == 0 { 0.0 } else { (all / classes).min(f64::MAX) }]
            }
            Metric::Ambiguity => vec![
                (0..rows)
                    .map(|row| {
                        (0..3)
                            .map(|column| if suppressed[row] { domain[column] } else { leaves[column][label(column, row)] })
                            .product::<f64>()
                    })
                    .sum(),
            ],
            Metric::KlDivergence => vec![
                (0..rows)
                    .map(|row| {
                        let share = count(&|other| tuple(other) == tuple(row)) / all;
                        let believed = if suppressed[row] {
                            out / all / domain.iter().product::<f64>()
                        } else {
                            let area: f64 = (0..3).map(|column| leaves[column][label(column, row)]).product();
                            count(&|other| class(other) == class(row)) / all / area
                        };
                        share * log2(share / believed)
                    })
                    .sum(),
            ],
            _ => unreachable!("a new metric needs its oracle"),
        }
    }

    /// Which rows are suppressed at a node: rows of a class have the same labels.
    fn suppressed(&self, node: &Node) -> Vec<bool> {
        let rows = self.labels[0][0].len();
        let raw = |row: usize| (0..3).map(|column| self.labels[column][0][row].as_str()).collect::<Vec<_>>();
        let leaf_labels: Vec<Vec<&str>> = self
            .hierarchies
            .iter()
            .map(|hierarchy| hierarchy.levels()[0].labels().iter().map(|label| label.unwrap_or(MISSING)).collect())
            .collect();
        let of_tuples: BTreeMap<Vec<&str>, bool> = (0..self.tuples.len())
            .map(|tuple| {
                let leaves = self.tuples.codes(tuple).iter().zip(&self.hierarchies).zip(&leaf_labels);
                let labels =
                    leaves.map(
                        |((&code, hierarchy), labels)| {
                            if code == u32::MAX { labels[hierarchy.missing().unwrap() as usize] } else { labels[code as usize] }
                        },
                    );
                (labels.collect(), node.outliers[node.classes.of_tuples()[tuple] as usize])
            })
            .collect();
        (0..rows).map(|row| of_tuples[&raw(row)]).collect()
    }
}

fn aggregate(quality: &Quality, values: &[f64]) -> Vec<f64> {
    if !has_columns(quality.metric) {
        return values.to_vec();
    }
    let weights: Vec<f64> = NAMES.iter().map(|name| quality.weights.get(*name).copied().unwrap_or(1.0)).collect();
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let mut weighed: Vec<f64> = values.iter().zip(weights).map(|(value, weight)| value * weight / largest).collect();
    match quality.aggregate {
        AggregateFunction::Sum => vec![weighed.iter().sum()],
        AggregateFunction::Maximum => vec![weighed.iter().copied().fold(0.0, f64::max)],
        AggregateFunction::ArithmeticMean => vec![weighed.iter().sum::<f64>() / 3.0],
        AggregateFunction::GeometricMean => vec![(weighed.iter().map(|value| (value + 1.0).ln()).sum::<f64>() / 3.0).exp() - 1.0],
        AggregateFunction::Rank => {
            weighed.sort_by(|one, other| other.total_cmp(one));
            weighed
        }
    }
}

fn list(score: &Score) -> Vec<f64> {
    match score {
        Score::Number(value) => vec![*value],
        Score::Ranked(values) => values.clone(),
    }
}

type Visit<'a> = &'a mut dyn FnMut(&Prepared, &Node, Score, Option<Score>);

/// Every node of the table with its score, and the bound that the metric gives.
fn scores(table: &Table, metric: &dyn QualityMetric, visit: Visit<'_>) {
    let prepared = table.prepare();
    let mut grouper = Grouper::new(&prepared.tuples, &prepared.hierarchies).unwrap();
    let marginals = Marginals::new(&prepared.tuples, &prepared.hierarchies, &grouper).unwrap();
    for levels in prepared.lattice() {
        let node = table.node(&prepared, &mut grouper, levels);
        let seen = GeneralizedTable::new(
            &prepared.tuples,
            &prepared.hierarchies,
            &grouper,
            &marginals,
            &node.levels,
            &node.classes,
            &node.outliers,
        );
        let score = metric.score(&seen.unwrap()).unwrap();
        let before = LevelTable {
            hierarchies: &prepared.hierarchies,
            levels: &node.levels,
            rows: prepared.tuples.total_rows(),
            marginals: &marginals,
        };
        let bound = metric.lower_bound(&before).unwrap();
        visit(&prepared, &node, score, bound);
    }
}

/// Nodes whose bound, or whose score if the metric calls itself monotone, lies above the score of a node that is as high or higher.
fn violations(table: &Table, metric: &dyn QualityMetric) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut nodes = Vec::new();
    scores(table, metric, &mut |_, node, score, bound| nodes.push((node.levels.clone(), score, bound)));
    let mut wrong = Vec::new();
    for (low, score, bound) in &nodes {
        for (high, above, _) in nodes.iter().filter(|(high, ..)| low.iter().zip(high).all(|(low, high)| low <= high)) {
            if bound.as_ref().is_some_and(|bound| bound > above) || (metric.is_monotone() && score > above) {
                wrong.push((low.clone(), high.clone()));
            }
        }
    }
    wrong
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 300 } else { 3000 }))]

    #[test]
    fn scores_are_those_of_the_second_implementation(table in tables(), pick in any::<prop::sample::Index>()) {
        let metric = from_policy(&table.quality, &NAMES).unwrap();
        let chosen = pick.index(36);
        let mut index = 0;
        let mut found = None;
        scores(&table, metric.as_ref(), &mut |prepared, node, score, _| {
            if index == chosen || node.levels.iter().sum::<usize>() == 0 {
                let values = prepared.oracle(&table.quality, &node.levels, &prepared.suppressed(node));
                let expected = aggregate(&table.quality, &values);
                let score = list(&score);
                let close = score.len() == expected.len()
                    && score.iter().zip(&expected).all(|(score, expected)| (score - expected).abs() <= 2e-9 * expected.abs().max(1.0));
                if !close {
                    found = Some(format!("{:?} at {:?}: {score:?} is not {expected:?}", table.quality, node.levels));
                }
            }
            index += 1;
        });
        prop_assert_eq!(found, None);
    }

    #[test]
    fn bounds_hold_for_the_node_and_all_above(table in tables()) {
        let metric = from_policy(&table.quality, &NAMES).unwrap();
        prop_assert_eq!(violations(&table, metric.as_ref()), Vec::new(), "{:?}", table.quality);
    }

    #[test]
    fn bounds_of_columns_are_tight_without_suppression(table in tables()) {
        if !has_columns(table.quality.metric) {
            return Ok(());
        }
        let table = Table { chance: 0, ..table };
        let metric = from_policy(&table.quality, &NAMES).unwrap();
        let mut loose = Vec::new();
        scores(&table, metric.as_ref(), &mut |_, node, score, bound| {
            let (score, bound) = (list(&score), list(&bound.unwrap()));
            // Precision may always be lowered by suppression, if that is cheaper.
            let cheap = table.quality.metric == Metric::Precision && table.quality.gs_factor < 0.5;
            if !cheap && score.iter().zip(&bound).any(|(score, bound)| (score - bound).abs() > 1e-9 * score.max(1.0)) {
                loose.push((node.levels.clone(), score, bound));
            }
        });
        prop_assert_eq!(loose, Vec::new());
    }

    #[test]
    fn the_order_of_rows_does_not_show(table in tables(), seed in any::<u64>()) {
        let metric = from_policy(&table.quality, &NAMES).unwrap();
        // Which classes are suppressed must not depend on their order here.
        let table = Table { chance: 1, ..table };
        let mut mixed = table.clone();
        mixed.rows.sort_by_key(|row| format!("{row:?}").bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)));
        let of = |table: &Table| {
            let mut all = Vec::new();
            scores(table, metric.as_ref(), &mut |_, _, score, bound| all.push((score, bound)));
            all
        };
        // Masks and intervals have the same levels; bits must be equal, not only values.
        prop_assert_eq!(of(&table), of(&mixed));
    }

    #[test]
    fn all_figures_are_finite_and_agree_with_the_score(table in tables(), pick in any::<prop::sample::Index>()) {
        let prepared = table.prepare();
        let mut grouper = Grouper::new(&prepared.tuples, &prepared.hierarchies).unwrap();
        let marginals = Marginals::new(&prepared.tuples, &prepared.hierarchies, &grouper).unwrap();
        let lattice = prepared.lattice();
        let node = table.node(&prepared, &mut grouper, lattice[pick.index(lattice.len())].clone());
        let suppressed = prepared.suppressed(&node);
        let seen = GeneralizedTable::new(
            &prepared.tuples, &prepared.hierarchies, &grouper, &marginals, &node.levels, &node.classes, &node.outliers,
        ).unwrap();
        let score = from_policy(&table.quality, &NAMES).unwrap().score(&seen).unwrap();
        let figures = all(&seen, &table.quality).unwrap();
        prop_assert!(figures.values().all(|value| value.is_finite()), "{:?}", figures);
        if let Score::Number(value) = score {
            prop_assert_eq!(figures[table.quality.metric.name()].to_bits(), value.to_bits());
        }
        let output = OutputQuality::of(&seen, &table.quality).unwrap();
        let rows = table.rows.len() as u64;
        prop_assert_eq!(output.class_sizes_before.iter().map(|(size, classes)| size * classes).sum::<u64>(), rows);
        prop_assert_eq!(output.class_sizes_after.iter().map(|(size, classes)| size * classes).sum::<u64>() + output.suppressed_rows, rows);
        for (column, quality) in output.columns.iter().enumerate() {
            let silent = |row: usize| suppressed[row] || ["*", MISSING].contains(&prepared.labels[column][node.levels[column]][row].as_str());
            let silent = (0..table.rows.len()).filter(|&row| silent(row)).count();
            prop_assert!((quality.missing * rows as f64 - silent as f64).abs() < 1e-9);
            for share in [quality.loss, quality.granularity, quality.generalization_intensity, quality.entropy, quality.missing] {
                prop_assert!((0.0..=1.0).contains(&share));
            }
        }
    }
}

/// Gives another bound or another word on monotonicity than the metric behind it.
#[derive(Debug)]
struct Broken {
    metric: Box<dyn QualityMetric>,
    bound: Option<Box<dyn QualityMetric>>,
    monotone: bool,
}

impl QualityMetric for Broken {
    fn score(&self, table: &GeneralizedTable<'_>) -> Result<Score> {
        self.metric.score(table)
    }

    fn lower_bound(&self, table: &LevelTable<'_>) -> Result<Option<Score>> {
        self.bound.as_ref().map_or(Ok(None), |bound| bound.lower_bound(table))
    }

    fn is_monotone(&self) -> bool {
        self.monotone
    }
}

#[test]
fn broken_bounds_and_words_are_caught() {
    let rows = (0..12).zip(0_usize..).map(|(age, row)| (Some(18 + age % 7), Some(["AA", "AB", "B"][row % 3]), ["rock", "ska"][row % 2]));
    let rows: Vec<_> = rows.collect();
    let of = |metric, gs_factor| Quality { metric, gs_factor, aggregate: AggregateFunction::ArithmeticMean, ..Quality::default() };
    let metric = |quality: &Quality| from_policy(quality, &NAMES).unwrap();
    let caught = |quality: Quality, bound: Option<Quality>, monotone: bool| {
        let broken = Broken { metric: metric(&quality), bound: bound.map(|quality| metric(&quality)), monotone };
        let table = |chance| Table { rows: rows.clone(), chance, quality: quality.clone() };
        [1, 2, 0x5a5a_5a5a_5a5a_5a5b].into_iter().any(|chance| !violations(&table(chance), &broken).is_empty())
    };
    // Cheap suppression, but a bound that does not count on it.
    assert!(caught(of(Metric::Precision, 0.1), Some(of(Metric::PrecisionMonotone, 0.1)), false));
    assert!(!caught(of(Metric::Precision, 0.1), Some(of(Metric::Precision, 0.1)), false));
    // The bound of another balance.
    assert!(caught(of(Metric::Loss, 0.9), Some(of(Metric::Loss, 0.5)), false));
    assert!(caught(of(Metric::AverageClassSize, 0.5), Some(of(Metric::AverageClassSize, 0.25)), false));
    // Less suppression higher up makes these fall.
    for quality in [of(Metric::Loss, 0.5), of(Metric::Discernibility, 0.5), of(Metric::AverageClassSize, 0.5), of(Metric::Ambiguity, 0.5)] {
        assert!(caught(quality.clone(), None, true), "{quality:?}");
        assert!(!caught(quality, None, false));
    }
}

#[test]
fn options_that_a_metric_does_not_have_are_refused() {
    let weights: BTreeMap<String, f64> = [("age".to_owned(), 2.0)].into();
    for metric in METRICS {
        let with_factor = Quality { metric, gs_factor: 0.7, ..Quality::default() };
        assert_eq!(from_policy(&with_factor, &NAMES).is_ok(), has_factor(metric), "{metric:?}");
        let with_weights = Quality { metric, weights: weights.clone(), ..Quality::default() };
        assert_eq!(from_policy(&with_weights, &NAMES).is_ok(), has_columns(metric), "{metric:?}");
        let refused = from_policy(&Quality { metric, gs_factor: 1.5, ..Quality::default() }, &NAMES).unwrap_err();
        assert_eq!(refused.exit_code(), 2);
        assert!(from_policy(&Quality { metric, gs_factor: f64::NAN, ..Quality::default() }, &NAMES).is_err());
    }
}
