//! Levels of generalization of a product: found by the search, applied to the rows.

mod population;
mod quasi;
mod recode;
mod rows;
mod sensitive;

pub(super) use population::{population_file, population_of};
pub(super) use sensitive::FitDistribution;

use self::population::Population;
use self::quasi::{MadeColumn, QuasiIdentifier};
use self::recode::{Material, Recoded};
use self::rows::{collect, mark_suppressed, visit};
use self::sensitive::Sensitive;
use super::columns::{NOT_RELEASED, OUTLIER, UNSUPPORTED, is_released};
use super::records::Workshop;
use super::report::{ClassSizes, ProductReport, QualityReport, SearchReport, TransformationReport};
use crate::anonymity::hierarchy::Hierarchy;
use crate::anonymity::models::{Linkability, Models};
use crate::anonymity::quality::{self, OutputQuality, Score};
use crate::anonymity::search::{Found, Outcome, Problem, fixed, heuristic, optimal};
use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use crate::policy::{Column, Role, Search};
use crate::units::Share;
use arrow::array::RecordBatch;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

/// How long a heuristic search may take if the policy says nothing.
const HEURISTIC_TIME: Duration = Duration::from_secs(30);

/// The fitted generalization of a product.
#[derive(Debug, Default)]
pub(super) struct Generalized {
    columns: Vec<QuasiIdentifier>,
    sensitive: Vec<Sensitive>,
    population: Option<Population>,
    /// Classes that are generalized each in its own way, in place of levels.
    recoded: Option<Recoded>,
    models: Models,
    nodes: u64,
    checked: u64,
    optimal: bool,
    seconds: f64,
    score: Option<Score>,
    /// Values of all metrics, and figures of columns.
    figures: BTreeMap<String, f64>,
    rows_at_fit: u64,
    people_at_fit: u64,
    suppressed_rows: u64,
    suppressed_subjects: u64,
    before: Vec<(u64, u64)>,
    /// Rows at fit time by value of every sensitive column: the reference of later comparisons.
    distributions: BTreeMap<String, BTreeMap<String, u64>>,
    /// People at fit time by value of the sensitive columns that models speak of.
    references: BTreeMap<String, FitDistribution>,
}

/// Finds the levels, and marks the rows that are suppressed.
pub(super) fn search(workshop: &Workshop<'_>, columns: &[(&String, &Column)], linked: bool, marks: &mut [Vec<u8>]) -> Result<Generalized> {
    let product = workshop.product;
    let of_quasi: Vec<&(&String, &Column)> = columns.iter().filter(|(_, column)| column.role == Role::QuasiIdentifier).collect();
    let names: Vec<&str> = of_quasi.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() && !product.models.is_empty() {
        let key = format!("products.{}", product.name);
        return Err(Error::policy(key, "has models but no quasi-identifier", "declare the role of the columns that others may know"));
    }
    let distributions = sensitive::distributions(workshop, columns, marks)?;
    if names.is_empty() {
        return Ok(Generalized { distributions, ..Generalized::default() });
    }
    let population = Population::read(workshop, &names)?;
    let mut quasi = of_quasi
        .iter()
        .map(|(name, column)| QuasiIdentifier::fit(workshop, name, column, population.as_ref(), marks))
        .collect::<Result<Vec<_>>>()?;
    let sensitive = Sensitive::of_models(workshop, columns, marks)?;
    let clock = Instant::now();
    let tuples = collect(workshop, &quasi, &sensitive, population.as_ref(), marks)?;
    let linkability = if linked { Linkability::Linked } else { Linkability::Unlinked };
    let models = Models::from_policy(&product.models, linkability, &sensitive::context(product, &sensitive, &tuples)?)?;
    let hierarchies: Vec<Hierarchy> = quasi.iter().map(|q| q.hierarchy.clone()).collect();
    let metric = quality::from_policy(&product.quality, &names)?;
    let mut problem = Problem::new(&tuples, &hierarchies, &models, metric.as_ref(), product.suppression_limit.0)?;
    if let Some(threads) = NonZeroUsize::new(workshop.threads) {
        problem = problem.threads(threads);
    }
    for (column, q) in quasi.iter().enumerate() {
        problem = problem.limit(column, q.limits)?;
    }
    let references = sensitive
        .iter()
        .enumerate()
        .map(|(place, column)| Ok((column.name.clone(), column.distribution(place, &tuples)?)))
        .collect::<Result<_>>()?;
    if product.search.is_local() {
        let before = class_sizes_before(&problem, quasi.len())?;
        let material = Material {
            workshop,
            quasi: &quasi,
            sensitive: &sensitive,
            tuples: &tuples,
            hierarchies: &hierarchies,
            models: &models,
            metric: metric.as_ref(),
        };
        let recoded = material.recode(marks)?;
        return Ok(Generalized {
            rows_at_fit: recoded.rows(),
            people_at_fit: tuples.subjects(),
            recoded: Some(recoded),
            columns: quasi,
            sensitive,
            models,
            seconds: clock.elapsed().as_secs_f64(),
            before,
            distributions,
            references,
            ..Generalized::default()
        });
    }
    let outcome = run(workshop, &problem, &quasi)?;
    let transformation = match outcome.found {
        Found::Transformation(transformation) => transformation,
        Found::Nothing(miss) => return Err(miss.into_error(&product.name)),
    };
    let before = class_sizes_before(&problem, quasi.len())?;
    let suppressed = |tuple| transformation.is_suppressed(tuple);
    let figures = OutputQuality::at(&tuples, &hierarchies, &transformation.levels, suppressed, &product.quality)?.numbers();
    for (q, &level) in quasi.iter_mut().zip(&transformation.levels) {
        q.level = level;
    }
    mark_suppressed(workshop, &quasi, &tuples, &transformation, marks)?;
    Ok(Generalized {
        columns: quasi,
        sensitive,
        population,
        models,
        nodes: outcome.nodes,
        checked: outcome.checked,
        optimal: outcome.optimal,
        seconds: clock.elapsed().as_secs_f64(),
        score: Some(transformation.score),
        figures,
        rows_at_fit: transformation.rows,
        people_at_fit: tuples.subjects(),
        suppressed_rows: transformation.suppressed_rows,
        before,
        distributions,
        references,
        ..Generalized::default()
    })
}

/// Runs the search that the policy asks for.
fn run(workshop: &Workshop<'_>, problem: &Problem<'_>, quasi: &[QuasiIdentifier]) -> Result<Outcome> {
    let product = workshop.product;
    let key = format!("products.{}", product.name);
    match product.search {
        Search::Fixed => {
            let level = |q: &QuasiIdentifier| {
                product.levels.get(&q.name).copied().or(q.fixed_level()).ok_or_else(|| {
                    let key = format!("{key}.levels.{}", q.name);
                    Error::policy(key, "is missing", "search = \"fixed\" needs a level for every quasi-identifier")
                })
            };
            fixed(problem, &quasi.iter().map(level).collect::<Result<Vec<_>>>()?)
        }
        Search::Optimal => optimal(problem),
        Search::Heuristic => heuristic(problem, product.time_limit.map_or(HEURISTIC_TIME, Duration::from_secs_f64)),
        _ => Err(Error::unsupported(format!("{key}.search"), "this search")),
    }
}

/// Sizes of the classes of the raw values, in people.
fn class_sizes_before(problem: &Problem<'_>, columns: usize) -> Result<Vec<(u64, u64)>> {
    let evaluation = problem.evaluator()?.evaluate(&vec![0; columns])?;
    let mut sizes = BTreeMap::new();
    for class in evaluation.classes.statistics() {
        *sizes.entry(class.subjects).or_insert(0) += 1;
    }
    Ok(sizes.into_iter().collect())
}

impl Generalized {
    /// Applies the chosen levels again, to rows of which some are no longer released, and suppresses the classes that are now too small.
    pub(super) fn apply(&mut self, workshop: &Workshop<'_>, marks: &mut [Vec<u8>]) -> Result<()> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let tuples = collect(workshop, &self.columns, &self.sensitive, self.population.as_ref(), marks)?;
        let names: Vec<&str> = self.columns.iter().map(|q| q.name.as_str()).collect();
        let hierarchies: Vec<Hierarchy> = self.columns.iter().map(|q| q.hierarchy.clone()).collect();
        let metric = quality::from_policy(&workshop.product.quality, &names)?;
        // The limit was checked when the levels were chosen; what falls now is counted and reported.
        let problem = Problem::new(&tuples, &hierarchies, &self.models, metric.as_ref(), Share::new(1.0)?)?;
        let levels: Vec<usize> = self.columns.iter().map(|q| q.level).collect();
        if let Found::Transformation(transformation) = fixed(&problem, &levels)?.found {
            mark_suppressed(workshop, &self.columns, &tuples, &transformation, marks)?;
        }
        Ok(())
    }

    /// Checks that the final rows keep within the suppression limit, and counts what is not released.
    pub(super) fn settle(&mut self, workshop: &Workshop<'_>, marks: &[Vec<u8>]) -> Result<()> {
        let outliers = marks.iter().flatten().filter(|&&mark| mark == OUTLIER).count() as u64;
        let allowed = crate::anonymity::search::allowed_rows(workshop.product.suppression_limit.0, self.rows_at_fit);
        if outliers > allowed {
            let nearest = format!(
                "at the levels found, item support and the models together suppress {outliers} of {} rows where {allowed} are allowed; raise suppression_limit or lower item_support.min_subjects",
                self.rows_at_fit
            );
            return Err(Error::NoSolution { product: workshop.product.name.clone(), nearest });
        }
        self.suppressed_rows = marks.iter().flatten().filter(|&&mark| mark == OUTLIER || mark == UNSUPPORTED).count() as u64;
        let rows = workshop.rows(marks);
        let mut seen = vec![0_u8; rows.subjects()?];
        let mut codes = Vec::new();
        let mut row_number = 0_usize;
        for (chunk, marks) in marks.iter().enumerate() {
            codes.clear();
            match workshop.pool.subject {
                Some(subject) => workshop.pool.table.codes(chunk, subject, &mut codes)?,
                None => codes.extend((row_number..row_number + marks.len()).map(|row| u32::try_from(row).unwrap_or(NULL_CODE))),
            }
            row_number += marks.len();
            for (&code, &mark) in codes.iter().zip(marks) {
                if let Some(seen) = seen.get_mut(code as usize) {
                    *seen |= if is_released(mark) { 2 } else { u8::from(mark >= NOT_RELEASED && (mark == OUTLIER || mark == UNSUPPORTED)) };
                }
            }
        }
        self.suppressed_subjects = seen.into_iter().filter(|seen| *seen == 1).count() as u64;
        Ok(())
    }

    /// Class of every row, chunk by chunk, where classes are generalized each in its own way.
    pub(super) fn classes(&self) -> Option<&[Vec<u32>]> {
        self.recoded.as_ref().map(Recoded::classes)
    }

    /// The released form of a quasi-identifier.
    pub(super) fn column(&self, name: &str) -> Result<Option<MadeColumn>> {
        if let (Some(recoded), Some(place)) = (&self.recoded, self.columns.iter().position(|q| q.name == name)) {
            return recoded.column(place, name).map(Some);
        }
        self.columns.iter().find(|q| q.name == name).map(|q| q.make(Role::QuasiIdentifier)).transpose()
    }

    /// Adds what was found to the report. Class counts come later, from the written file.
    pub(super) fn describe(&self, workshop: &Workshop<'_>, report: &mut ProductReport) -> Result<()> {
        report.transformation = Some(TransformationReport {
            levels: self.levels().map(|q| (q.name.clone(), q.level)).collect(),
            suppressed_rows: self.suppressed_rows,
            suppressed_subjects: self.suppressed_subjects,
            ..TransformationReport::default()
        });
        if let Some(recoded) = &self.recoded {
            let names: Vec<&str> = self.columns.iter().map(|q| q.name.as_str()).collect();
            let quality = &workshop.product.quality;
            let (value, all) = recoded.quality(&names, quality)?;
            report.quality = Some(QualityReport { metric: quality.metric, aggregate: quality.aggregate, value, all });
            report.search = Some(SearchReport { seconds: Some(self.seconds), ..SearchReport::default() });
            report.class_sizes = Some(ClassSizes { before: Some(self.before.clone()), after: Vec::new() });
            if recoded.rounds() > 0 {
                report.steward_notes.push(format!("{} rounds of full-domain generalization released rows", recoded.rounds()));
            }
            return Ok(());
        }
        let Some(score) = &self.score else { return Ok(()) };
        let quality = &workshop.product.quality;
        let all = self.figures.clone();
        report.quality = Some(QualityReport { metric: quality.metric, aggregate: quality.aggregate, value: json!(score), all });
        report.search = Some(SearchReport { nodes: self.nodes, checked: self.checked, optimal: self.optimal, seconds: Some(self.seconds) });
        report.class_sizes = Some(ClassSizes { before: Some(self.before.clone()), after: Vec::new() });
        Ok(())
    }

    /// The quasi-identifiers that have a level for the whole table.
    fn levels(&self) -> impl Iterator<Item = &QuasiIdentifier> {
        self.columns.iter().filter(|_| self.recoded.is_none())
    }

    /// All that was fitted, for the steward: it can be applied to new data.
    pub(super) fn fitted(&self) -> Value {
        let columns: serde_json::Map<String, Value> =
            self.levels().map(|q| (q.name.clone(), json!({ "level": q.level, "scheme": q.hierarchy.scheme() }))).collect();
        let references: serde_json::Map<String, Value> = self
            .references
            .iter()
            .map(|(name, reference)| {
                let values: Vec<(&Option<String>, u64)> = reference.people.iter().map(|(value, &people)| (value, people)).collect();
                (name.clone(), json!({ "people": reference.total, "values": values }))
            })
            .collect();
        let mut fitted = json!({
            "columns": columns,
            "rows": self.rows_at_fit,
            "people": self.people_at_fit,
            "sensitive": self.distributions,
            "references": references,
        });
        if let Some(recoded) = &self.recoded {
            fitted["regions"] = recoded.fitted();
        }
        fitted
    }

    /// Rows when the levels were chosen.
    pub(super) fn rows_at_fit(&self) -> u64 {
        self.rows_at_fit
    }

    /// People when the levels were chosen.
    pub(super) fn people_at_fit(&self) -> u64 {
        self.people_at_fit
    }

    /// People by value of the sensitive columns that models speak of, when the levels were chosen.
    pub(super) fn references(&self) -> &BTreeMap<String, FitDistribution> {
        &self.references
    }

    /// The population as it would be released, for the recount; `None` without one.
    pub(super) fn released_population(&self) -> Result<Option<Vec<RecordBatch>>> {
        let Some(population) = &self.population else { return Ok(None) };
        let names: Vec<&str> = self.columns.iter().map(|q| q.name.as_str()).collect();
        let mut batches = Vec::new();
        population.visit(&names, &mut |codes| {
            let arrays = self.columns.iter().zip(&codes).map(|(q, codes)| Ok((&q.name, q.released_population(codes)?)));
            let batch =
                RecordBatch::try_from_iter_with_nullable(arrays.collect::<Result<Vec<_>>>()?.into_iter().map(|(n, a)| (n, a, true)));
            batches.push(batch.map_err(|e| Error::arrow("generalizing the population", &e))?);
            Ok(())
        })?;
        Ok(Some(batches))
    }

    /// Levels and the labels that occur in the release, for the recipient.
    pub(super) fn shown(&self, workshop: &Workshop<'_>, marks: &[Vec<u8>]) -> Result<Value> {
        let mut used: Vec<Vec<bool>> = self.columns.iter().map(|q| vec![false; q.hierarchy.leaves()]).collect();
        visit(workshop, &self.columns, marks, &mut |chunk, _, codes| {
            for ((q, used), codes) in self.columns.iter().zip(&mut used).zip(codes) {
                for (&code, &mark) in codes.iter().zip(&marks[chunk]) {
                    let leaf = if code == NULL_CODE { q.hierarchy.missing() } else { Some(code) };
                    if let (true, Some(used)) = (is_released(mark), leaf.and_then(|leaf| used.get_mut(leaf as usize))) {
                        *used = true;
                    }
                }
            }
            Ok(())
        })?;
        let columns = self
            .levels()
            .zip(&used)
            .map(|(q, used)| Ok((q.name.clone(), json!({ "level": q.level, "highest": q.declared_height(), "values": q.shown(used)? }))))
            .collect::<Result<serde_json::Map<String, Value>>>()?;
        Ok(json!({ "columns": columns }))
    }
}
