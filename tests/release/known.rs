//! Known answers through the whole of a release: figures that ARX 3.9.2 has for Adult, found again by policies and read in the report.
//!
//! Rows with a research subset take the subset as the input and Adult as its population. ARX counts the classes of the whole file there, so some rows
//! have no counterpart: [`not_reproduced`] says why.

use super::support::key;
use crate::real_data::real_data;
use backmask::Error;
use backmask::policy::Policy;
use backmask::release::report::{ProductReport, Report};
use backmask::release::{Anonymizer, verify};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// People of the United States, as ARX has them.
const USA: u64 = 317_238_626;

/// One line of a file of known answers.
struct Line {
    quasi_identifiers: Vec<String>,
    models: String,
    limit: f64,
    metric: &'static str,
    aggregate: Option<&'static str>,
    gs_factor: f64,
    weights: Vec<(String, f64)>,
    expected: Vec<f64>,
    levels: Option<Vec<usize>>,
    suppressed: Option<u64>,
    classes: Option<u64>,
}

/// Where Adult and the known answers are; `None` where they are absent.
struct Files {
    adult: PathBuf,
    answers: PathBuf,
}

impl Files {
    fn find(test: &str, answers: &str) -> Option<Self> {
        let adult = real_data(test, "adult/adult.csv")?;
        let answers = real_data(test, &format!("../known-answers/{answers}"))?;
        Some(Self { adult, answers })
    }

    fn lines(&self) -> Vec<Line> {
        let mut reader = csv::Reader::from_path(&self.answers).expect("known answers");
        let names = reader.headers().expect("a header").clone();
        let at = |record: &csv::StringRecord, name: &str| {
            names.iter().position(|other| other == name).and_then(|index| record.get(index)).map(str::to_owned)
        };
        let records: Vec<_> = reader.records().map(|record| record.expect("a record")).collect();
        records
            .iter()
            .filter(|record| at(record, "practical_monotonicity").is_none_or(|practical| practical == "false"))
            .map(|record| {
                let text = |name: &str| at(record, name).unwrap_or_default();
                let vector =
                    |name: &str| text(name).trim_matches(['[', ']']).split(", ").map(str::parse).collect::<Result<Vec<_>, _>>().ok();
                let pairs = text("attribute_weights");
                let weights = pairs.trim_matches(['{', '}']).split(", ").filter_map(|pair| pair.split_once('='));
                let expected = text("expected_loss") + &text("expected_value");
                Line {
                    quasi_identifiers: text("quasi_identifiers").split(' ').map(str::to_owned).collect(),
                    models: text("privacy_models"),
                    limit: text("suppression_limit").parse().expect("a limit"),
                    metric: metric(&text("metric")),
                    aggregate: aggregate(&(text("aggregate_function"))),
                    gs_factor: text("gs_factor").parse().expect("a factor"),
                    weights: weights.map(|(name, weight)| (name.to_owned(), weight.parse().expect("a weight"))).collect(),
                    expected: numbers(&expected),
                    levels: vector("expected_transformation").or_else(|| vector("transformation")),
                    suppressed: text("suppressed_records").parse().ok(),
                    classes: text("num_classes_excl_suppressed").parse().ok(),
                }
            })
            .collect()
    }
}

/// All numbers in a text.
fn numbers(text: &str) -> Vec<f64> {
    text.split(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | 'E' | 'e'))).filter_map(|part| part.parse().ok()).collect()
}

fn metric(name: &str) -> &'static str {
    match name {
        "Non-uniform entropy" => "non-uniform-entropy-monotone",
        "Non-monotonic non-uniform entropy" => "non-uniform-entropy",
        "Monotonic discernability (DM*)" => "discernibility-monotone",
        "Non-monotonic discernability" => "discernibility",
        "Average equivalence class size" => "average-class-size",
        "Monotonic precision" => "precision-monotone",
        "Non-monotonic precision" => "precision",
        "Height" => "height",
        loss if loss.starts_with("Loss") => "loss",
        other => panic!("unknown metric {other}"),
    }
}

fn aggregate(name: &str) -> Option<&'static str> {
    match name {
        "Sum" => Some("sum"),
        "Rank" => Some("rank"),
        "Geometric mean" => Some("geometric-mean"),
        "Arithmetric mean" => Some("arithmetic-mean"),
        _ => None,
    }
}

impl Line {
    fn has_subset(&self) -> bool {
        ["presence", "-map", "Inclusion"].iter().any(|part| self.models.contains(part)) && !self.models.contains("estimated as")
    }

    /// Whether ARX rejects transformations that the definition allows. With a lower bound of presence, nobody of the population may fit no row there, unless another
    /// model asks for a size of classes; to the definition these people are like those who fit suppressed classes, and a share of them all is what is bounded.
    fn is_stricter_there(&self) -> bool {
        let sized = self.models.contains("-anonymity") || self.models.contains("recursive");
        self.models.contains("(0.05,0.15)-presence") && self.limit > 0.0 && !sized
    }

    fn tables_of_models(&self, population: &Path) -> Vec<String> {
        let first = |model: &str| numbers(model)[0];
        let column = |model: &str| model.split('\'').nth(1).map(|name| format!(", column = '{name}'")).unwrap_or_default();
        let population = format!(", population = '{}'", population.display());
        self.models
            .split(" & ")
            .filter(|model| *model != "Inclusion")
            .map(|model| {
                let of = column(model);
                let value = |text: &str| text.split('-').find_map(|part| part.trim_matches(['(', ')']).parse::<f64>().ok()).unwrap_or(0.0);
                if model.ends_with("-anonymity") {
                    format!("{{ name = 'k-anonymity', k = {} }}", first(&model.replace("-anonymity", "")))
                } else if model.contains("closeness") {
                    let distance = ["hierarchical", "equal", "ordered"].into_iter().find(|name| model.contains(name)).expect("a distance");
                    format!("{{ name = 't-closeness', t = {:?}, distance = '{distance}'{of} }}", value(model))
                } else if model.starts_with("recursive") {
                    format!("{{ name = 'recursive-cl-diversity', c = 4.0, l = 5{of} }}")
                } else if model.contains("entropy") {
                    let estimator = if model.starts_with("shannon") { "shannon" } else { "grassberger" };
                    format!("{{ name = 'entropy-l-diversity', l = {:?}, estimator = '{estimator}'{of} }}", value(model))
                } else if model.contains("likeness") {
                    format!("{{ name = 'beta-likeness', beta = {:?}{of} }}", value(model))
                } else if model.contains("presence") {
                    let bounds = numbers(model.split(')').next().unwrap_or_default());
                    format!("{{ name = 'delta-presence', min = {:?}, max = {:?}{population} }}", bounds[0], bounds[1])
                } else if model.contains("-map estimated as") {
                    let estimator = if model.contains("Zero-truncated") { "zero-truncated-poisson" } else { "poisson" };
                    let k = first(model.split("-map").next().unwrap_or_default());
                    format!("{{ name = 'k-map', k = {k}, population_size = {USA}, estimator = '{estimator}', significance = 0.01 }}")
                } else if model.ends_with("-map") {
                    format!("{{ name = 'k-map', k = {}{population} }}", first(model.trim_end_matches("-map")))
                } else if model.contains("sample-uniqueness") {
                    "{ name = 'sample-uniqueness', threshold = 0.01 }".to_owned()
                } else if model.contains("population-uniqueness") {
                    let estimator = model.split(['(', ')']).rfind(|part| !part.is_empty()).unwrap_or_default();
                    format!("{{ name = 'population-uniqueness', threshold = 1e-4, population_size = {USA}, model = '{estimator}' }}")
                } else {
                    panic!("unknown model {model}")
                }
            })
            .collect()
    }

    fn policy(&self, adult: &Path, fixed: bool) -> Policy {
        let mut text = "version = 1\nname = 'known'\n[input]\ndelimiter = ';'\n".to_owned();
        let all = ["sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation", "salary-class"];
        for name in all {
            let role = if self.quasi_identifiers.iter().any(|quasi| quasi == name) { "quasi-identifier" } else { "sensitive" };
            let file = adult.with_file_name(format!("adult_hierarchy_{name}.csv"));
            let _ = writeln!(text, "[columns.{name}]\nrole = '{role}'\nhierarchy = {{ file = '{}', delimiter = ';' }}", file.display());
        }
        let limit = if fixed { 1.0 } else { self.limit };
        let _ = writeln!(text, "[[products]]\nname = 'p'\nkind = 'records'\nsuppression_limit = {limit:?}");
        let _ = writeln!(text, "models = [{}]", self.tables_of_models(adult).join(", "));
        let mut quality = format!("metric = '{}'", self.metric);
        if let Some(aggregate) = self.aggregate {
            let _ = write!(quality, ", aggregate = '{aggregate}'");
        }
        if !matches!(self.metric, "height" | "discernibility" | "discernibility-monotone") {
            let _ = write!(quality, ", gs_factor = {:?}", self.gs_factor);
        }
        let weights: Vec<String> = self
            .weights
            .iter()
            .filter(|(name, _)| self.quasi_identifiers.contains(name))
            .map(|(name, weight)| format!("{name} = {weight:?}"))
            .collect();
        let _ = writeln!(text, "quality = {{ {quality}, weights = {{ {} }} }}", weights.join(", "));
        if fixed {
            let levels = self.quasi_identifiers.iter().zip(self.levels.iter().flatten()).map(|(name, level)| format!("{name} = {level}"));
            let _ = writeln!(text, "search = 'fixed'\nlevels = {{ {} }}", levels.collect::<Vec<_>>().join(", "));
        }
        text += "[gate]\nmax_risk = 1.0\nattacks = []\n";
        Policy::from_toml(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn run(&self, adult: &Path, fixed: bool) -> Result<Report, Error> {
        let input = if self.has_subset() { adult.with_file_name("adult_subset.csv") } else { adult.to_owned() };
        let folder = tempfile::tempdir().expect("a folder");
        let outcome = Anonymizer::new(self.policy(adult, fixed)).input([input]).output(folder.path().join("out")).key(key()).run()?;
        let verification = verify(&outcome.release, &[], None).expect("a release");
        assert!(verification.holds, "{:?}", verification.checks.iter().filter(|check| check.holds == Some(false)).collect::<Vec<_>>());
        Ok(outcome.report)
    }

    /// Runs the line and compares the figures of the report.
    fn check(&self, adult: &Path, fixed: bool) -> Result<(), String> {
        let name =
            format!("{} · {} · {} · limit {} · gs {}", self.models, self.metric, self.aggregate.unwrap_or("-"), self.limit, self.gs_factor);
        let report = match self.run(adult, fixed) {
            Err(Error::NoSolution { .. }) if self.expected.is_empty() => return Ok(()),
            Err(error) => return Err(format!("{name}: {error}")),
            Ok(report) => report,
        };
        let product: &ProductReport = &report.products[0];
        let quality = product.quality.as_ref().expect("quality");
        let found: Vec<f64> = match &quality.value {
            serde_json::Value::Array(values) => values.iter().map(|value| value.as_f64().expect("a number")).collect(),
            value => vec![value.as_f64().expect("a number")],
        };
        let better = !fixed && self.is_stricter_there();
        let alike = |found: f64, expected: f64| {
            let least = if better { 0.0 } else { expected - 1e-9 * expected.abs().max(1.0) };
            (least..=expected + 1e-9 * expected.abs().max(1.0)).contains(&found)
        };
        let same = found.len() == self.expected.len() && found.iter().zip(&self.expected).all(|(&found, &expected)| alike(found, expected));
        if !same {
            return Err(format!("{name} at {:?}: {found:?} is not {:?}", self.levels, self.expected));
        }
        if let Some(guarantee) = product.guarantees.iter().find(|guarantee| !guarantee.holds) {
            return Err(format!("{name}: {} does not hold", guarantee.model));
        }
        let transformation = product.transformation.as_ref().expect("a transformation");
        let levels: Vec<usize> = self.quasi_identifiers.iter().map(|name| transformation.levels[name]).collect();
        // Where several vectors lose equally little, ARX may have taken another one.
        if self.levels.as_ref() == Some(&levels) && !self.has_subset() {
            let figures = (transformation.suppressed_rows, transformation.equivalence_classes);
            let expected = (self.suppressed.unwrap_or(figures.0), self.classes.unwrap_or(figures.1));
            if figures != expected {
                return Err(format!("{name}: {figures:?} suppressed rows and classes, not {expected:?}"));
            }
        }
        let search = product.search.as_ref().expect("a search");
        if !fixed && !search.optimal {
            return Err(format!("{name}: the optimum is not proved"));
        }
        Ok(())
    }
}

/// Why a line has no counterpart, if so.
fn not_reproduced(line: &Line) -> Option<&'static str> {
    let has = |part: &str| line.models.contains(part);
    if has("Inclusion") {
        Some(
            "which rows are included is not known: at these levels neither the file nor the research subset has so many classes of such sizes",
        )
    } else if has("-uniqueness") {
        Some("suppressed rows are one more class there, shares are of all rows, and what is suppressed next is chosen by its cost")
    } else if has("grassberger") && line.limit > 0.0 {
        Some("the estimator there is not the formula of the paper")
    } else if has("(0.05,0.15)-presence") && has("5-anonymity") && line.limit <= 0.0 {
        Some("24 people of the population fit no row: it is certain that they are absent, below the lower bound")
    } else if has("(0.05,0.15)-presence") && line.suppressed.is_none() {
        Some("of the people who fit no released class, too many or too few are in the data; ARX does not look at them")
    } else {
        None
    }
}

fn check_all(lines: &[&Line], adult: &Path, fixed: bool) {
    let failures: Vec<String> = lines.iter().filter_map(|line| line.check(adult, fixed).err()).collect();
    assert!(failures.is_empty(), "{} of {} lines fail:\n{}", failures.len(), lines.len(), failures.join("\n"));
}

/// One line of each kind of models; of models that are combined, one.
fn one_of_each(lines: &[Line]) -> Vec<&Line> {
    let mut kinds: Vec<String> = Vec::new();
    lines
        .iter()
        .filter(|line| {
            let kind = if line.models.contains(" & ") { "&".to_owned() } else { line.models.replace(|c: char| c.is_ascii_digit(), "") };
            let new = not_reproduced(line).is_none() && !line.expected.is_empty() && !kinds.contains(&kind);
            if new {
                kinds.push(kind);
            }
            new
        })
        .collect()
}

#[test]
fn a_line_of_every_kind_of_models_has_the_known_value_at_its_optimum() {
    let test = "a_line_of_every_kind_of_models_has_the_known_value_at_its_optimum";
    let Some(files) = Files::find(test, "full_domain_optima.csv") else { return };
    let lines = files.lines();
    check_all(&one_of_each(&lines), &files.adult, true);
}

#[test]
fn optima_of_three_models_are_found_in_whole_lattices() {
    let test = "optima_of_three_models_are_found_in_whole_lattices";
    let Some(files) = Files::find(test, "full_domain_optima.csv") else { return };
    let lines = files.lines();
    let wanted = ["5-anonymity", "(10)-map", "recursive-(4.0,5)-diversity for attribute 'occupation'"];
    let chosen: Vec<&Line> = wanted.iter().filter_map(|models| lines.iter().find(|line| line.models == *models)).collect();
    assert_eq!(chosen.len(), wanted.len());
    check_all(&chosen, &files.adult, false);
}

#[test]
#[ignore = "takes minutes without optimization"]
fn slow_tier_all_optima_are_the_known_ones() {
    let Some(files) = Files::find("slow_tier_all_optima_are_the_known_ones", "full_domain_optima.csv") else { return };
    let lines = files.lines();
    let left_out = lines.iter().filter(|line| not_reproduced(line).is_some()).count();
    let kept: Vec<&Line> = lines.iter().filter(|line| not_reproduced(line).is_none()).collect();
    eprintln!("{} lines, {left_out} left out", kept.len());
    check_all(&kept, &files.adult, false);
}

#[test]
#[ignore = "takes minutes without optimization"]
fn slow_tier_all_values_of_single_transformations_are_the_known_ones() {
    let test = "slow_tier_all_values_of_single_transformations_are_the_known_ones";
    let Some(files) = Files::find(test, "metric_values.csv") else { return };
    let lines = files.lines();
    let kept: Vec<&Line> = lines.iter().filter(|line| not_reproduced(line).is_none()).collect();
    check_all(&kept, &files.adult, true);
}
