//! Known answers: values of metrics at single transformations of Adult, as ARX 3.9 computes them.
//!
//! Which classes are outliers is decided here, by brute force over rows and labels; only the metrics are under test.

use super::intern;
use crate::real_data::real_data;
use arrow::array::{ArrayRef, StringArray};
use backmask::anonymity::classes::{Grouper, TupleBuilder, Tuples};
use backmask::anonymity::hierarchy::Hierarchy;
use backmask::anonymity::quality::{GeneralizedTable, Marginals, Score, from_policy};
use backmask::arrow;
use backmask::policy::{AggregateFunction, HierarchySpec, Metric, Quality};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

const SENSITIVE: &str = "occupation";

/// The whole table, and which rows belong to the research subset.
struct Adult {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    in_subset: Vec<bool>,
}

fn read(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_path(path).unwrap();
    let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    (header, rows)
}

impl Adult {
    fn read(path: &Path) -> Self {
        let (header, rows) = read(path);
        let (_, subset) = read(&path.with_file_name("adult_subset.csv"));
        let mut wanted: HashMap<&Vec<String>, usize> = HashMap::new();
        for row in &subset {
            *wanted.entry(row).or_default() += 1;
        }
        let in_subset =
            rows.iter().map(|row| wanted.get_mut(row).is_some_and(|left| left.checked_sub(1).map(|less| *left = less).is_some()));
        let in_subset: Vec<bool> = in_subset.collect();
        assert_eq!(in_subset.iter().filter(|&&member| member).count(), subset.len());
        Self { header, rows, in_subset }
    }
}

/// A row of the file of known answers.
struct Known {
    columns: Vec<String>,
    models: Vec<String>,
    quality: Quality,
    levels: Vec<usize>,
    expected: Vec<f64>,
}

impl Known {
    fn parse(row: &HashMap<String, String>) -> Self {
        let aggregate = match row["aggregate_function"].as_str() {
            "Sum" => AggregateFunction::Sum,
            "Rank" => AggregateFunction::Rank,
            "Arithmetric mean" => AggregateFunction::ArithmeticMean,
            "null" => AggregateFunction::default(),
            other => panic!("unknown aggregate {other}"),
        };
        let metric = match row["metric"].as_str() {
            "Average equivalence class size" => Metric::AverageClassSize,
            "Non-monotonic non-uniform entropy" => Metric::NonUniformEntropy,
            "Non-monotonic discernability" => Metric::Discernibility,
            "Monotonic discernability (DM*)" => Metric::DiscernibilityMonotone,
            "Height" => Metric::Height,
            "Loss (0.5/1.0/1.0)" => Metric::Loss,
            "Non-monotonic precision" => Metric::Precision,
            "Monotonic precision" => Metric::PrecisionMonotone,
            other => panic!("unknown metric {other}"),
        };
        let numbers = |text: &str| -> Vec<f64> {
            text.trim_matches(['[', ']']).split([',', ';']).map(|number| number.trim().parse().unwrap()).collect()
        };
        Self {
            columns: row["quasi_identifiers"].split(' ').map(str::to_owned).collect(),
            models: row["privacy_models"].split(" & ").map(str::to_owned).collect(),
            quality: Quality { metric, aggregate, gs_factor: row["gs_factor"].parse().unwrap(), ..Quality::default() },
            levels: row["transformation"].trim_matches(['[', ']']).split(',').map(|level| level.trim().parse().unwrap()).collect(),
            expected: numbers(&row["expected_value"]),
        }
    }

    fn has_subset(&self) -> bool {
        self.models.iter().any(|model| model.ends_with("-presence"))
    }
}

/// Labels of every value at every level, numbered; read here, not by the library.
struct Labels {
    of_value: HashMap<String, usize>,
    /// By level and value.
    numbers: Vec<Vec<u64>>,
}

impl Labels {
    fn read(data: &Path, column: &str) -> Self {
        let path = data.with_file_name(format!("adult_hierarchy_{column}.csv"));
        let mut reader = csv::ReaderBuilder::new().delimiter(b';').has_headers(false).from_path(path).unwrap();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let numbers = (0..rows[0].len()).map(|level| {
            let mut known: HashMap<String, u64> = HashMap::new();
            let number = |row: &csv::StringRecord| {
                let next = known.len() as u64;
                *known.entry(row[level].to_owned()).or_insert(next)
            };
            rows.iter().map(number).collect()
        });
        let numbers = numbers.collect();
        Self { of_value: rows.iter().enumerate().map(|(index, row)| (row[0].to_owned(), index)).collect(), numbers }
    }
}

/// The rows that are released (all, or the subset), and what the library made of them.
struct Prepared<'a> {
    adult: &'a Adult,
    labels: Vec<Labels>,
    /// Values of every row by column, numbered as in `labels`.
    values: Vec<Vec<usize>>,
    sensitive: Vec<usize>,
    sensitive_labels: Labels,
    /// The tuple of every released row.
    tuple_of_row: Vec<Option<usize>>,
    hierarchies: Vec<Hierarchy>,
    tuples: Tuples,
    columns: Vec<String>,
}

impl<'a> Prepared<'a> {
    fn new(adult: &'a Adult, path: &Path, columns: &[String], subset: bool) -> Self {
        let released: Vec<usize> = (0..adult.rows.len()).filter(|&row| !subset || adult.in_subset[row]).collect();
        let index = |column: &str| adult.header.iter().position(|name| name == column).unwrap();
        let (mut hierarchies, mut codes, mut labels, mut values) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for column in columns {
            let array: ArrayRef = Arc::new(StringArray::from_iter_values(released.iter().map(|&row| &adult.rows[row][index(column)])));
            let (distinct, of_rows) = intern(column, array.as_ref());
            let file = path.with_file_name(format!("adult_hierarchy_{column}.csv")).to_string_lossy().into_owned();
            hierarchies
                .push(Hierarchy::build(column, &HierarchySpec::File { path: file, delimiter: ';' }, distinct.as_ref(), false).unwrap());
            codes.push(of_rows);
            let own = Labels::read(path, column);
            values.push(adult.rows.iter().map(|row| own.of_value[&row[index(column)]]).collect::<Vec<_>>());
            labels.push(own);
        }
        let mut builder = TupleBuilder::new(columns.len());
        builder.extend(&codes.iter().map(Vec::as_slice).collect::<Vec<_>>(), None).unwrap();
        let tuples = builder.finish().unwrap();
        let mut tuple_of_row = vec![None; adult.rows.len()];
        for (at, &row) in released.iter().enumerate() {
            tuple_of_row[row] = tuples.find(&codes.iter().map(|column| column[at]).collect::<Vec<_>>());
        }
        let sensitive_labels = Labels::read(path, SENSITIVE);
        let sensitive = adult.rows.iter().map(|row| sensitive_labels.of_value[&row[index(SENSITIVE)]]).collect();
        Self { adult, labels, values, sensitive, sensitive_labels, tuple_of_row, hierarchies, tuples, columns: columns.to_vec() }
    }

    /// Whether each tuple is in a class that fails a model.
    fn outliers(&self, known: &Known) -> Vec<bool> {
        let mut classes: HashMap<u64, Vec<usize>> = HashMap::new();
        for row in 0..self.adult.rows.len() {
            let columns = self.labels.iter().zip(&self.values).zip(&known.levels);
            let key = columns.fold(0, |key, ((labels, values), &level)| key * 128 + labels.numbers[level][values[row]]);
            classes.entry(key).or_default().push(row);
        }
        let whole: Vec<usize> = (0..self.adult.rows.len()).filter(|&row| self.tuple_of_row[row].is_some()).collect();
        let whole = self.shares(&whole);
        let mut outliers = vec![false; self.tuples.len()];
        for members in classes.values() {
            let released: Vec<usize> = members.iter().copied().filter(|&row| self.tuple_of_row[row].is_some()).collect();
            if !released.is_empty() && !known.models.iter().all(|model| self.holds(model, &released, members.len(), &whole)) {
                for &row in &released {
                    outliers[self.tuple_of_row[row].unwrap()] = true;
                }
            }
        }
        outliers
    }

    fn shares(&self, rows: &[usize]) -> Vec<f64> {
        let mut counts = vec![0.0; self.sensitive_labels.of_value.len()];
        for &row in rows {
            counts[self.sensitive[row]] += 1.0;
        }
        counts.into_iter().map(|count: f64| count / rows.len() as f64).collect()
    }

    fn holds(&self, model: &str, released: &[usize], population: usize, whole: &[f64]) -> bool {
        let shares = self.shares(released);
        if model == "5-anonymity" {
            released.len() >= 5
        } else if model == "(0.05,0.15)-presence" {
            (0.05..=0.15).contains(&(released.len() as f64 / population as f64))
        } else if model.starts_with("recursive-(4.0,5)") {
            let mut counts: Vec<f64> = shares.into_iter().filter(|&share| share > 0.0).map(|share| share * released.len() as f64).collect();
            counts.sort_by(|one, other| other.total_cmp(one));
            counts.len() >= 5 && counts[0] < 4.0 * counts[4..].iter().sum::<f64>()
        } else if model.starts_with("0.2-closeness with hierarchical") {
            self.tree_distance(&shares, whole) <= 0.2
        } else {
            panic!("unknown model {model}")
        }
    }

    /// The earth mover's distance where moving within a subtree of level l costs l / height.
    fn tree_distance(&self, shares: &[f64], whole: &[f64]) -> f64 {
        let levels = &self.sensitive_labels.numbers;
        let mut extra: BTreeMap<u64, f64> = (0..shares.len()).map(|value| (levels[0][value], shares[value] - whole[value])).collect();
        let mut distance = 0.0;
        for level in 1..levels.len() {
            let parent: BTreeMap<u64, u64> = levels[level - 1].iter().copied().zip(levels[level].iter().copied()).collect();
            let mut sides: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
            for (node, extra) in extra {
                let (over, under) = sides.entry(parent[&node]).or_default();
                *(if extra > 0.0 { over } else { under }) += extra.abs();
            }
            distance += sides.values().map(|(over, under)| over.min(*under)).sum::<f64>() * level as f64 / (levels.len() - 1) as f64;
            extra = sides.into_iter().map(|(node, (over, under))| (node, over - under)).collect();
        }
        distance
    }

    fn score(&self, known: &Known, outliers: &[bool]) -> Vec<f64> {
        let mut grouper = Grouper::new(&self.tuples, &self.hierarchies).unwrap();
        let marginals = Marginals::new(&self.tuples, &self.hierarchies, &grouper).unwrap();
        let classes = grouper.group(&known.levels).unwrap();
        let mut of_classes = vec![false; classes.len()];
        for (&class, &outlier) in classes.of_tuples().iter().zip(outliers) {
            of_classes[class as usize] |= outlier;
        }
        assert!(classes.of_tuples().iter().zip(outliers).all(|(&class, &outlier)| of_classes[class as usize] == outlier));
        let table =
            GeneralizedTable::new(&self.tuples, &self.hierarchies, &grouper, &marginals, &known.levels, &classes, &of_classes).unwrap();
        let names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        match from_policy(&known.quality, &names).unwrap().score(&table).unwrap() {
            Score::Number(value) => vec![value],
            Score::Ranked(values) => values,
        }
    }
}

#[test]
fn values_of_metrics_are_the_known_ones() {
    let name = "values_of_metrics_are_the_known_ones";
    let (Some(path), Some(known)) = (real_data(name, "adult/adult.csv"), real_data(name, "../known-answers/metric_values.csv")) else {
        return;
    };
    let adult = Adult::read(&path);
    let mut reader = csv::Reader::from_path(known).unwrap();
    let known: Vec<Known> = reader.deserialize().map(|row| Known::parse(&row.unwrap())).collect();
    assert_eq!(known.len(), 574);
    let mut tables = BTreeMap::new();
    for subset in [false, true] {
        tables.insert(subset, Prepared::new(&adult, &path, &known[0].columns, subset));
    }
    let mut outliers: HashMap<(bool, Vec<String>, Vec<usize>), Vec<bool>> = HashMap::new();
    let mut wrong = Vec::new();
    for (index, known) in known.iter().enumerate() {
        let table = &tables[&known.has_subset()];
        let node = (known.has_subset(), known.models.clone(), known.levels.clone());
        let found = table.score(known, outliers.entry(node).or_insert_with(|| table.outliers(known)));
        let close = found.len() == known.expected.len()
            && found.iter().zip(&known.expected).all(|(found, expected)| (found - expected).abs() <= 1e-8 * expected.abs().max(1.0));
        if !close {
            wrong.push(format!(
                "row {}: {:?} {:?} {:?}: {found:?} is not {:?}",
                index + 2,
                known.quality.metric,
                known.models,
                known.levels,
                known.expected
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} values differ:\n{}", wrong.len(), known.len(), wrong.join("\n"));
}

/// Metrics that do not look at suppression are known at the optima of other models too.
#[test]
fn values_of_monotone_metrics_at_known_optima() {
    let name = "values_of_monotone_metrics_at_known_optima";
    let (Some(path), Some(known)) = (real_data(name, "adult/adult.csv"), real_data(name, "../known-answers/full_domain_optima.csv")) else {
        return;
    };
    let adult = Adult::read(&path);
    let mut tables: BTreeMap<(Vec<String>, bool), Prepared<'_>> = BTreeMap::new();
    let mut compared = 0;
    for row in csv::Reader::from_path(known).unwrap().deserialize() {
        let row: HashMap<String, String> = row.unwrap();
        let metric = match row["metric"].as_str() {
            "Non-uniform entropy" => Metric::NonUniformEntropyMonotone,
            "Monotonic discernability (DM*)" => Metric::DiscernibilityMonotone,
            _ => continue,
        };
        // The subset of these two is another, which is not among the data.
        if row["privacy_models"].contains("Inclusion") {
            continue;
        }
        let columns: Vec<String> = row["quasi_identifiers"].split(' ').map(str::to_owned).collect();
        let subset = ["-map", "-presence"].iter().any(|model| row["privacy_models"].contains(model));
        let known = Known {
            columns: columns.clone(),
            models: Vec::new(),
            quality: Quality { metric, aggregate: AggregateFunction::Sum, ..Quality::default() },
            levels: row["expected_transformation"].trim_matches(['[', ']']).split(',').map(|level| level.trim().parse().unwrap()).collect(),
            expected: vec![row["expected_loss"].parse().unwrap()],
        };
        let table = tables.entry((columns.clone(), subset)).or_insert_with(|| Prepared::new(&adult, &path, &columns, subset));
        let found = table.score(&known, &vec![false; table.tuples.len()]);
        assert!((found[0] - known.expected[0]).abs() <= 1e-8 * known.expected[0], "{found:?} is not {:?}: {row:?}", known.expected);
        compared += 1;
    }
    assert_eq!(compared, 23);
}
