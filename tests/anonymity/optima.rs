//! Known answers: the optima of the k-anonymity family on Adult, as ARX 3.9.2 finds them.
//!
//! Debug builds look at the optimal node of every row of the file; release builds also search for it.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the counts of tests are small")]

use super::intern;
use crate::real_data::real_data;
use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use backmask::anonymity::classes::{TupleBuilder, Tuples};
use backmask::anonymity::hierarchy::Hierarchy;
use backmask::anonymity::models::{Linkability, ModelContext, Models, Reference, SensitiveColumn, SizeDistribution, TableModel};
use backmask::anonymity::quality::{Score, from_policy};
use backmask::anonymity::search::{Found, Problem, optimal};
use backmask::arrow;
use backmask::policy::{AggregateFunction, ClassSizeEstimator, Distance, EntropyEstimator, HierarchySpec, Metric, Model, Quality};
use backmask::units::{K, Share};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

const SENSITIVE: &str = "occupation";

/// Rows that are not reproduced, and why.
const EXCEPTIONS: [(&str, &str); 5] = [
    ("Inclusion", "which rows are included is not known"),
    // Suppressed rows count as one more class there, shares are of all rows, and classes are suppressed in the order of what that costs.
    ("-sample-uniqueness", "suppression of further classes is by size, and shares are of the released people"),
    ("-population-uniqueness", "the same, and the estimator of SNB has a misplaced bracket there"),
    (
        "(0.05,0.15)-presence & 5-anonymity at 0.0;",
        "24 people of the population fit no row: it is certain that they are absent, below the lower bound",
    ),
    // At a limit of 0 its other row is reproduced.
    ("grassberger-entropy-5.0-diversity", "the estimator there is not the formula of the paper"),
];

fn read(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_path(path).unwrap();
    let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
    (header, reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect())
}

/// Adult, or its research subset with Adult as the population.
struct Table {
    hierarchies: Vec<Hierarchy>,
    tuples: Tuples,
    context: ModelContext,
}

impl Table {
    fn new(path: &Path, columns: &[String], subset: bool) -> Self {
        let (header, population) = read(path);
        let rows = if subset { read(&path.with_file_name("adult_subset.csv")).1 } else { population.clone() };
        let coded = |column: &str| {
            let index = header.iter().position(|name| name == column).unwrap();
            // The population first: all of its values have codes.
            let array: ArrayRef = Arc::new(StringArray::from_iter_values(population.iter().chain(&rows).map(|row| &row[index])));
            let (values, codes) = intern(column, array.as_ref());
            let file = path.with_file_name(format!("adult_hierarchy_{column}.csv")).to_string_lossy().into_owned();
            let hierarchy = Hierarchy::build(column, &HierarchySpec::File { path: file, delimiter: ';' }, values.as_ref(), false).unwrap();
            let (all, own) = codes.split_at(population.len());
            (hierarchy, values, all.to_vec(), own.to_vec())
        };
        let quasi: Vec<_> = columns.iter().map(|column| coded(column)).collect();
        let (hierarchy, values, _, sensitive) = coded(SENSITIVE);
        let mut builder = TupleBuilder::with_sensitive(columns.len(), 1);
        builder.extend_with(&quasi.iter().map(|column| column.3.as_slice()).collect::<Vec<_>>(), &[&sensitive], None).unwrap();
        if subset {
            builder.extend_population(&quasi.iter().map(|column| column.2.as_slice()).collect::<Vec<_>>()).unwrap();
        }
        let mut people = vec![0; values.len()];
        for &code in &sensitive {
            people[code as usize] += 1;
        }
        let texts = arrow::compute::cast(values.as_ref(), &arrow::datatypes::DataType::Utf8).unwrap();
        let texts = texts.as_string::<i32>();
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&code| texts.value(code));
        let ranks = (0..texts.len()).map(|code| order.iter().position(|&other| other == code).unwrap() as u32).collect();
        let levels = hierarchy.levels()[1..].iter().map(|level| level.codes().to_vec()).collect();
        let reference = Arc::new(Reference::new(people, rows.len() as u64).unwrap());
        let column = SensitiveColumn { index: 0, reference, ranks: Some(ranks), levels: Some(levels) };
        let (people, sensitive) = (rows.len() as u64, [(SENSITIVE.to_owned(), column)].into());
        let context = ModelContext { one_row_each: true, sensitive, population: subset, people };
        Self { hierarchies: quasi.into_iter().map(|column| column.0).collect(), tuples: builder.finish().unwrap(), context }
    }
}

/// In ARX nobody may fit no row of the data, and it is only looked at where no other model asks for a size of classes, because of the order in which models are
/// tried there. By the definition these people and those who fit suppressed classes look alike; so this is asked beside it.
#[derive(Debug)]
struct NobodyAbsent;

impl TableModel for NobodyAbsent {
    fn name(&self) -> &'static str {
        "delta-presence"
    }

    fn holds(&self, sizes: &SizeDistribution) -> bool {
        sizes.absent_population() == Some(0)
    }
}

/// A row of the file.
struct Known {
    line: usize,
    columns: Vec<String>,
    models: Vec<String>,
    limit: f64,
    quality: Quality,
    practical: bool,
    expected: Vec<f64>,
    levels: Option<Vec<usize>>,
    suppressed: u64,
}

impl Known {
    fn parse(line: usize, row: &HashMap<String, String>) -> Self {
        let list = |text: &str| text.trim_matches(['[', ']']).split(',').map(|number| number.trim().to_owned()).collect::<Vec<_>>();
        let metric = match row["metric"].as_str() {
            "Average equivalence class size" => Metric::AverageClassSize,
            "Monotonic discernability (DM*)" => Metric::DiscernibilityMonotone,
            "Non-monotonic non-uniform entropy" => Metric::NonUniformEntropy,
            "Non-uniform entropy" => Metric::NonUniformEntropyMonotone,
            loss if loss.starts_with("Loss (") => Metric::Loss,
            other => panic!("unknown metric {other}"),
        };
        let aggregate = match row["aggregate_function"].as_str() {
            "Rank" => AggregateFunction::Rank,
            "Geometric mean" => AggregateFunction::GeometricMean,
            "Sum" => AggregateFunction::Sum,
            "null" => AggregateFunction::default(),
            other => panic!("unknown aggregate {other}"),
        };
        let columns: Vec<String> = row["quasi_identifiers"].split(' ').map(str::to_owned).collect();
        let weights: BTreeMap<String, f64> = row["attribute_weights"]
            .trim_matches(['{', '}'])
            .split(',')
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| columns.iter().any(|column| column == name))
            .map(|(name, weight)| (name.to_owned(), weight.parse().unwrap()))
            .collect();
        let levels = &row["expected_transformation"];
        Self {
            line,
            models: row["privacy_models"].split(" & ").map(str::to_owned).collect(),
            limit: row["suppression_limit"].parse().unwrap(),
            quality: Quality { metric, aggregate, gs_factor: row["gs_factor"].parse().unwrap(), weights },
            practical: row["practical_monotonicity"] == "true",
            expected: list(&row["expected_loss"]).iter().filter_map(|value| value.parse().ok()).collect(),
            levels: (levels != "null").then(|| list(levels).iter().map(|level| level.parse().unwrap()).collect()),
            suppressed: row["suppressed_records"].parse().unwrap_or_default(),
            columns,
        }
    }

    /// Whether the table is the research subset.
    fn subset(&self) -> bool {
        self.models.iter().any(|model| model.ends_with("-presence") || model.ends_with(")-map"))
    }

    fn models(&self, context: &ModelContext) -> Models {
        let column = || SENSITIVE.to_owned();
        let number = |text: &str| text.chars().filter(|sign| sign.is_ascii_digit() || ".E-".contains(*sign)).collect::<String>();
        let mut declared = Vec::new();
        let mut present = false;
        for text in &self.models {
            let first = || text.split(['-', ' ']).next().unwrap().trim_matches(['(', ')']).parse::<f64>().unwrap();
            let k = |text: &str| K::new(text.parse().unwrap()).unwrap();
            let pair = |text: &str| {
                let inside = text.split(['(', ')']).nth(1).unwrap();
                let (one, other) = inside.split_once(',').unwrap();
                (one.parse::<f64>().unwrap(), other.parse::<f64>().unwrap())
            };
            declared.push(if text == "Inclusion" {
                continue;
            } else if let Some(number) = text.strip_suffix("-anonymity") {
                Model::KAnonymity { k: k(number) }
            } else if text.starts_with("(1000)-map estimated") {
                Model::KMap {
                    k: k("1000"),
                    population: None,
                    // The United States, as ARX has them.
                    population_size: Some(317_238_626),
                    estimator: Some(ClassSizeEstimator::ZeroTruncatedPoisson),
                    significance: Some(0.01),
                }
            } else if let Some(number) = text.strip_suffix("-map") {
                Model::k_map(k(number.trim_matches(['(', ')'])), "")
            } else if text.ends_with("-presence") {
                let (min, max) = pair(text);
                present |= min > 0.0;
                Model::DeltaPresence { min, max, population: String::new() }
            } else if text.starts_with("recursive") {
                let (c, l) = pair(text);
                Model::RecursiveClDiversity { column: column(), c, l: l as u64 }
            } else if text.contains("-entropy-5.0") {
                let estimator = if text.starts_with("shannon") { EntropyEstimator::Shannon } else { EntropyEstimator::Grassberger };
                Model::EntropyLDiversity { column: column(), l: 5.0, estimator }
            } else if text.contains("-closeness") {
                let distance = match text {
                    text if text.contains("ordered") => Distance::Ordered,
                    text if text.contains("equal") => Distance::Equal,
                    _ => Distance::Hierarchical,
                };
                Model::TCloseness { column: column(), t: first(), distance }
            } else if let Some(rest) = text.strip_prefix("basic-") {
                let beta = rest.split('-').next().unwrap().parse().unwrap();
                Model::BetaLikeness { column: column(), beta, enhanced: false }
            } else if text.contains("-sample-uniqueness") {
                Model::SampleUniqueness { threshold: number("0.01").parse().unwrap() }
            } else if text.contains("-population-uniqueness") {
                let model = Some(if text.contains("snb") { "snb" } else { "zayatz" }.to_owned());
                Model::PopulationUniqueness { threshold: 1e-4, population_size: 320_000_000, model }
            } else {
                panic!("unknown model {text}")
            });
        }
        let models = Models::from_policy(&declared, Linkability::Unlinked, context).unwrap();
        let sized = self.models.iter().any(|model| model.ends_with("-anonymity") || model.starts_with("recursive"));
        if present && !sized { models.and_table(NobodyAbsent) } else { models }
    }

    fn check(&self, table: &Table) -> Result<(), String> {
        let names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let metric = from_policy(&self.quality, &names).unwrap();
        let models = self.models(&table.context);
        let limit = Share::new(self.limit).unwrap();
        let problem = Problem::new(&table.tuples, &table.hierarchies, &models, metric.as_ref(), limit).unwrap();
        let close = |score: &Score| {
            let found = match score {
                Score::Number(value) => vec![*value],
                Score::Ranked(values) => values.clone(),
            };
            let same = |pair: (&f64, &f64)| (pair.0 - pair.1).abs() <= 1e-8 * pair.1.abs().max(1.0);
            found.len() == self.expected.len() && found.iter().zip(&self.expected).all(same)
        };
        if let Some(levels) = &self.levels {
            let node = problem.evaluator().unwrap().evaluate(levels).unwrap();
            let beside = if self.subset() { 30_162 - table.tuples.total_rows() } else { 0 };
            // ARX counts a table that is generalized completely, and rows beside the subset, as suppressed.
            let suppressed =
                self.suppressed == node.suppressed_rows || self.suppressed == node.suppressed_rows + beside || self.suppressed == 0;
            if !(node.anonymous && close(&node.score) && (suppressed || self.practical)) {
                return Err(format!(
                    "{levels:?}: {:?} for {:?}, {} rows for {}, {}",
                    node.score, self.expected, node.suppressed_rows, self.suppressed, node.anonymous
                ));
            }
        }
        if cfg!(debug_assertions) || self.practical {
            return Ok(());
        }
        match (optimal(&problem).unwrap().found, &self.levels) {
            (Found::Nothing(_), None) => Ok(()),
            (Found::Transformation(found), Some(_)) if close(&found.score) => Ok(()),
            (Found::Transformation(found), _) => Err(format!("found {:?} with {:?} for {:?}", found.levels, found.score, self.expected)),
            (Found::Nothing(_), Some(_)) => Err("nothing found".to_owned()),
        }
    }
}

#[test]
fn optima_are_the_known_ones() {
    let name = "optima_are_the_known_ones";
    let (Some(path), Some(file)) = (real_data(name, "adult/adult.csv"), real_data(name, "../known-answers/full_domain_optima.csv")) else {
        return;
    };
    let mut reader = csv::Reader::from_path(file).unwrap();
    let known: Vec<Known> = reader.deserialize().zip(2..).map(|(row, line)| Known::parse(line, &row.unwrap())).collect();
    assert_eq!(known.len(), 86);
    let mut tables: BTreeMap<(Vec<String>, bool), Table> = BTreeMap::new();
    let (mut wrong, mut excepted) = (Vec::new(), 0);
    for row in &known {
        let table = tables.entry((row.columns.clone(), row.subset())).or_insert_with(|| Table::new(&path, &row.columns, row.subset()));
        let described = format!("{} at {:?};", row.models.join(" & "), row.limit);
        let exception = EXCEPTIONS.iter().find(|(text, _)| described.contains(text));
        match (row.check(table), exception) {
            (Ok(()), _) => {}
            (Err(_), Some(_)) => excepted += 1,
            (Err(problem), None) => wrong.push(format!("line {}: {:?}: {problem}", row.line, row.models)),
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows differ:\n{}", wrong.len(), known.len(), wrong.join("\n"));
    assert!(excepted <= 7, "{excepted}");
}
