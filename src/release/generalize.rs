//! Levels of generalization of a product: found by the search, applied to the rows.

use super::columns::{Maker, NOT_RELEASED, OUTLIER, UNSUPPORTED, is_released};
use super::records::Workshop;
use super::report::{ClassSizes, ColumnReport, ProductReport, QualityReport, SearchReport, TransformationReport};
use super::rows::RowVisitor;
use crate::anonymity::classes::{TupleBuilder, Tuples};
use crate::anonymity::hierarchy::{Hierarchy, Rule};
use crate::anonymity::models::{Linkability, ModelContext, Models};
use crate::anonymity::quality::{self, OutputQuality, Score};
use crate::anonymity::search::{Found, Problem, Transformation, fixed, heuristic, optimal};
use crate::error::{Error, Result};
use crate::io::table::{ColumnInterner, NULL_CODE, gather_values};
use crate::pipeline::apply_once;
use crate::policy::{Column, HierarchySpec, LevelLimits, Missing, Role, Search};
use crate::transform;
use crate::units::Share;
use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a heuristic search may take if the policy says nothing.
const HEURISTIC_TIME: Duration = Duration::from_secs(30);

/// A quasi-identifier of the product.
#[derive(Debug)]
struct QuasiIdentifier {
    name: String,
    index: usize,
    /// Values after the treatment, each once.
    values: ArrayRef,
    /// Code of the treated value, by code of the value in the table.
    recoded: Vec<u32>,
    hierarchy: Hierarchy,
    limits: LevelLimits,
    /// The level that the search chose.
    level: usize,
}

/// The fitted generalization of a product.
#[derive(Debug)]
pub(super) struct Generalized {
    columns: Vec<QuasiIdentifier>,
    models: Models,
    nodes: u64,
    checked: u64,
    optimal: bool,
    seconds: f64,
    score: Option<Score>,
    /// Values of all metrics, and figures of columns.
    figures: BTreeMap<String, f64>,
    rows_at_fit: u64,
    suppressed_rows: u64,
    suppressed_subjects: u64,
    before: Vec<(u64, u64)>,
    /// Rows at fit time by value of every sensitive column: the reference of later comparisons.
    sensitive: BTreeMap<String, BTreeMap<String, u64>>,
}

/// A generalized column for the file, and what the report says of it.
#[derive(Debug)]
pub(super) struct MadeColumn {
    pub(super) maker: Maker,
    pub(super) data_type: DataType,
    pub(super) report: ColumnReport,
}

/// Finds the levels, and marks the rows that are suppressed.
pub(super) fn search(workshop: &Workshop<'_>, columns: &[(&String, &Column)], linked: bool, marks: &mut [Vec<u8>]) -> Result<Generalized> {
    let product = workshop.product;
    let mut quasi = columns
        .iter()
        .filter(|(_, column)| column.role == Role::QuasiIdentifier)
        .map(|(name, column)| QuasiIdentifier::fit(workshop, name, column, marks))
        .collect::<Result<Vec<_>>>()?;
    let key = || format!("products.{}", product.name);
    if quasi.is_empty() && !product.models.is_empty() {
        return Err(Error::policy(key(), "has models but no quasi-identifier", "declare the role of the columns that others may know"));
    }
    let linkability = if linked { Linkability::Linked } else { Linkability::Unlinked };
    let mut generalized = Generalized {
        columns: Vec::new(),
        models: Models::from_policy(&product.models, linkability, &ModelContext::default())?,
        nodes: 0,
        checked: 0,
        optimal: false,
        seconds: 0.0,
        score: None,
        figures: BTreeMap::new(),
        rows_at_fit: 0,
        suppressed_rows: 0,
        suppressed_subjects: 0,
        before: Vec::new(),
        sensitive: BTreeMap::new(),
    };
    generalized.sensitive = distributions(workshop, columns, marks)?;
    if quasi.is_empty() {
        return Ok(generalized);
    }
    let clock = Instant::now();
    let tuples = collect(workshop, &quasi, marks)?;
    let names: Vec<&str> = quasi.iter().map(|q| q.name.as_str()).collect();
    let hierarchies: Vec<Hierarchy> = quasi.iter().map(|q| q.hierarchy.clone()).collect();
    let metric = quality::from_policy(&product.quality, &names)?;
    let mut problem = Problem::new(&tuples, &hierarchies, &generalized.models, metric.as_ref(), product.suppression_limit.0)?;
    if let Some(threads) = NonZeroUsize::new(workshop.threads) {
        problem = problem.threads(threads);
    }
    for (column, q) in quasi.iter().enumerate() {
        problem = problem.limit(column, q.limits)?;
    }
    let outcome = match product.search {
        Search::Fixed => {
            let levels = names
                .iter()
                .zip(&quasi)
                .map(|(&name, q)| {
                    product.levels.get(name).copied().or(q.fixed_level()).ok_or_else(|| {
                        Error::policy(
                            format!("{}.levels.{name}", key()),
                            "is missing",
                            "search = \"fixed\" needs a level for every quasi-identifier",
                        )
                    })
                })
                .collect::<Result<Vec<_>>>()?;
            fixed(&problem, &levels)?
        }
        Search::Optimal => optimal(&problem)?,
        Search::Heuristic => heuristic(&problem, product.time_limit.map_or(HEURISTIC_TIME, Duration::from_secs_f64))?,
        _ => return Err(Error::unsupported(format!("{}.search", key()), "this search")),
    };
    let transformation = match outcome.found {
        Found::Transformation(transformation) => transformation,
        Found::Nothing(miss) => return Err(miss.into_error(&product.name)),
    };
    generalized.before = class_sizes_before(&problem, quasi.len())?;
    let suppressed = |tuple| transformation.is_suppressed(tuple);
    generalized.figures = OutputQuality::at(&tuples, &hierarchies, &transformation.levels, suppressed, &product.quality)?.numbers();
    for (q, &level) in quasi.iter_mut().zip(&transformation.levels) {
        q.level = level;
    }
    mark_suppressed(workshop, &quasi, &tuples, &transformation, marks)?;
    generalized.nodes = outcome.nodes;
    generalized.checked = outcome.checked;
    generalized.optimal = outcome.optimal;
    generalized.seconds = clock.elapsed().as_secs_f64();
    generalized.score = Some(transformation.score);
    generalized.rows_at_fit = transformation.rows;
    generalized.suppressed_rows = transformation.suppressed_rows;
    generalized.columns = quasi;
    Ok(generalized)
}

impl QuasiIdentifier {
    fn fit(workshop: &Workshop<'_>, name: &str, column: &Column, marks: &[Vec<u8>]) -> Result<Self> {
        let table = &workshop.pool.table;
        let index = table.column(name)?;
        let mut values = table.values(index)?;
        if let Some(kernel) = transform::kernel(column.effective_treatment())? {
            values = apply_once(kernel.as_ref(), values.as_ref())?;
        }
        // A treatment may map values to one, and to missing: they are numbered anew.
        let mut interner = ColumnInterner::new(name, values.data_type())?;
        let mut recoded = Vec::with_capacity(values.len());
        interner.extend(values.as_ref(), &mut recoded)?;
        let values = interner.values()?;
        let mut has_nulls = recoded.contains(&NULL_CODE) || workshop.pool.table.has_missing(index)?;
        if has_nulls && column.missing == Missing::Error {
            let missing = missing_rows(workshop, index, &recoded, marks)?;
            if missing > 0 {
                return Err(Error::rows(name, missing, "is missing", "fill the gaps, or use missing = \"own-leaf\""));
            }
            // Only rows that are not released have gaps.
            has_nulls = false;
        }
        let hierarchy = match &column.hierarchy {
            Some(spec @ HierarchySpec::Priority(_)) => {
                let people = people_of_values(workshop, index, &recoded, values.len(), marks)?;
                Hierarchy::build_with_people(name, spec, values.as_ref(), &people, has_nulls)?
            }
            Some(spec) => Hierarchy::build(name, spec, values.as_ref(), has_nulls)?,
            None => Hierarchy::flat(name, values.as_ref(), has_nulls)?,
        }
        .with_missing(column.missing)?;
        Ok(Self { name: name.to_owned(), index, values, recoded, hierarchy, limits: column.levels.unwrap_or_default(), level: 0 })
    }

    fn fixed_level(&self) -> Option<usize> {
        self.limits.min.filter(|_| self.limits.min == self.limits.max)
    }

    fn recode(&self, codes: &mut [u32]) {
        for code in codes {
            *code = self.recoded.get(*code as usize).copied().unwrap_or(NULL_CODE);
        }
    }

    /// The last level, unless it was read off the pool: a mask has as many levels as its longest value has characters.
    fn declared_height(&self) -> Option<usize> {
        (!matches!(self.hierarchy.scheme().rule(), Rule::Mask(_))).then(|| self.hierarchy.height())
    }

    fn is_star(&self) -> bool {
        self.hierarchy.scheme().is_star(self.level)
    }

    /// The column as it is released.
    fn make(&self, role: Role) -> Result<MadeColumn> {
        let text = match self.level {
            0 => "kept at level 0: as it is".to_owned(),
            _ if self.is_star() => "generalized to * (nothing is left)".to_owned(),
            level => match self.declared_height() {
                Some(height) => format!("generalized to level {level} of {height}"),
                None => format!("{level} characters of the longest value masked"),
            },
        };
        let report = ColumnReport { name: self.name.clone(), role, became: text, level: Some(self.level), highest: self.declared_height() };
        if self.is_star() {
            return Ok(MadeColumn { maker: Maker::Constant("*"), data_type: DataType::Utf8, report });
        }
        let labels =
            if self.level == 0 { Arc::clone(&self.values) } else { apply_once(&self.hierarchy.kernel(self.level)?, self.values.as_ref())? };
        let values = gather_values(&labels, &self.recoded)?;
        Ok(MadeColumn { data_type: values.data_type().clone(), maker: Maker::Values { column: self.index, values }, report })
    }

    /// Labels that the release shows: distinct values at the chosen level that some released row has.
    fn shown(&self, used: &[bool]) -> Result<Vec<String>> {
        if self.is_star() {
            return Ok(if used.contains(&true) { vec!["*".to_owned()] } else { Vec::new() });
        }
        let level = self.hierarchy.level(self.level)?;
        let mut shown: Vec<String> = Vec::new();
        for (&code, &used) in level.codes().iter().zip(used) {
            let labels: &StringArray = level.labels();
            if used && labels.is_valid(code as usize) {
                shown.push(labels.value(code as usize).to_owned());
            }
        }
        shown.sort_unstable();
        shown.dedup();
        Ok(shown)
    }
}

/// How many people have each value of a column, in the rows that may be released.
fn people_of_values(workshop: &Workshop<'_>, index: usize, recoded: &[u32], values: usize, marks: &[Vec<u8>]) -> Result<Vec<u64>> {
    let mut people = vec![0_u64; values];
    let mut seen = HashSet::new();
    let has_subjects = workshop.pool.subject.is_some();
    workshop.rows(marks).visit(&[index], &mut |chunk, subjects, codes| {
        for ((&code, &subject), &mark) in codes[0].iter().zip(subjects).zip(&marks[chunk]) {
            let value = recoded.get(code as usize).copied().unwrap_or(NULL_CODE);
            if let Some(count) = people.get_mut(value as usize)
                && is_released(mark)
                && (!has_subjects || seen.insert((value, subject)))
            {
                *count += 1;
            }
        }
        Ok(())
    })?;
    Ok(people)
}

/// Rows that may be released and have no value after the treatment.
fn missing_rows(workshop: &Workshop<'_>, index: usize, recoded: &[u32], marks: &[Vec<u8>]) -> Result<u64> {
    let mut missing = 0;
    workshop.rows(marks).visit(&[index], &mut |chunk, _, codes| {
        let released = codes[0].iter().zip(&marks[chunk]).filter(|&(_, &mark)| is_released(mark));
        missing += released.filter(|&(&code, _)| recoded.get(code as usize).is_none_or(|&code| code == NULL_CODE)).count() as u64;
        Ok(())
    })?;
    Ok(missing)
}

/// Calls `visit` with the number, the subject codes and the recoded quasi-identifiers of every chunk.
fn visit(workshop: &Workshop<'_>, quasi: &[QuasiIdentifier], marks: &[Vec<u8>], visit: RowVisitor<'_>) -> Result<()> {
    let columns: Vec<usize> = quasi.iter().map(|q| q.index).collect();
    workshop.rows(marks).visit(&columns, &mut |chunk, subjects, codes| {
        let mut codes = codes.to_vec();
        for (q, codes) in quasi.iter().zip(&mut codes) {
            q.recode(codes);
        }
        visit(chunk, subjects, &codes)
    })
}

/// Distinct tuples of the released rows.
fn collect(workshop: &Workshop<'_>, quasi: &[QuasiIdentifier], marks: &[Vec<u8>]) -> Result<Tuples> {
    let mut builder = TupleBuilder::new(quasi.len());
    let has_subjects = workshop.pool.subject.is_some();
    visit(workshop, quasi, marks, &mut |chunk, subjects, codes| {
        let released: Vec<usize> = marks[chunk].iter().enumerate().filter(|&(_, &mark)| is_released(mark)).map(|(row, _)| row).collect();
        let picked: Vec<Vec<u32>> = codes.iter().map(|codes| released.iter().map(|&row| codes[row]).collect()).collect();
        let owners: Vec<u32> = released.iter().map(|&row| subjects[row]).collect();
        let columns: Vec<&[u32]> = picked.iter().map(Vec::as_slice).collect();
        builder.extend(&columns, has_subjects.then_some(owners.as_slice()))
    })?;
    builder.finish()
}

fn mark_suppressed(
    workshop: &Workshop<'_>,
    quasi: &[QuasiIdentifier],
    tuples: &Tuples,
    transformation: &Transformation,
    marks: &mut [Vec<u8>],
) -> Result<()> {
    if transformation.suppressed_tuples.is_empty() {
        return Ok(());
    }
    let before = marks.to_vec();
    let mut tuple = Vec::with_capacity(quasi.len());
    visit(workshop, quasi, &before, &mut |chunk, _, codes| {
        for (row, mark) in marks[chunk].iter_mut().enumerate() {
            if is_released(*mark) {
                tuple.clear();
                tuple.extend(codes.iter().map(|codes| codes[row]));
                if tuples.find(&tuple).is_none_or(|index| transformation.is_suppressed(index)) {
                    *mark = OUTLIER;
                }
            }
        }
        Ok(())
    })
}

/// How the released values of the sensitive columns are distributed over the rows. A missing value is counted as the empty text.
fn distributions(
    workshop: &Workshop<'_>,
    columns: &[(&String, &Column)],
    marks: &[Vec<u8>],
) -> Result<BTreeMap<String, BTreeMap<String, u64>>> {
    let mut all = BTreeMap::new();
    for (name, column) in columns.iter().filter(|(_, column)| column.role == Role::Sensitive) {
        let table = &workshop.pool.table;
        let index = table.column(name)?;
        let mut values = table.values(index)?;
        if let Some(kernel) = transform::kernel(column.effective_treatment())? {
            values = apply_once(kernel.as_ref(), values.as_ref())?;
        }
        let texts = cast(&values, &DataType::Utf8).map_err(|e| Error::arrow("writing sensitive values as text", &e))?;
        let texts = texts.as_string::<i32>();
        let text = |code: usize| if code < texts.len() && texts.is_valid(code) { texts.value(code).to_owned() } else { String::new() };
        let mut counts = vec![0_u64; texts.len() + 1];
        workshop.rows(marks).visit(&[index], &mut |chunk, _, codes| {
            for (&code, &mark) in codes[0].iter().zip(&marks[chunk]) {
                if is_released(mark) {
                    counts[(code as usize).min(texts.len())] += 1;
                }
            }
            Ok(())
        })?;
        let mut distribution = BTreeMap::new();
        for (code, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            *distribution.entry(text(code)).or_insert(0) += count;
        }
        all.insert((*name).clone(), distribution);
    }
    Ok(all)
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
        let tuples = collect(workshop, &self.columns, marks)?;
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

    /// The released form of a quasi-identifier.
    pub(super) fn column(&self, name: &str) -> Result<Option<MadeColumn>> {
        self.columns.iter().find(|q| q.name == name).map(|q| q.make(Role::QuasiIdentifier)).transpose()
    }

    /// Adds what was found to the report. Class counts come later, from the written file.
    pub(super) fn describe(&self, workshop: &Workshop<'_>, report: &mut ProductReport) {
        report.transformation = Some(TransformationReport {
            levels: self.columns.iter().map(|q| (q.name.clone(), q.level)).collect(),
            suppressed_rows: self.suppressed_rows,
            suppressed_subjects: self.suppressed_subjects,
            ..TransformationReport::default()
        });
        let Some(score) = &self.score else { return };
        let quality = &workshop.product.quality;
        let all = self.figures.clone();
        report.quality = Some(QualityReport { metric: quality.metric, aggregate: quality.aggregate, value: json!(score), all });
        report.search = Some(SearchReport { nodes: self.nodes, checked: self.checked, optimal: self.optimal, seconds: Some(self.seconds) });
        report.class_sizes = Some(ClassSizes { before: Some(self.before.clone()), after: Vec::new() });
    }

    /// All that was fitted, for the steward: it can be applied to new data.
    pub(super) fn fitted(&self) -> Value {
        let columns: serde_json::Map<String, Value> =
            self.columns.iter().map(|q| (q.name.clone(), json!({ "level": q.level, "scheme": q.hierarchy.scheme() }))).collect();
        json!({ "columns": columns, "rows": self.rows_at_fit, "sensitive": self.sensitive })
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
            .columns
            .iter()
            .zip(&used)
            .map(|(q, used)| Ok((q.name.clone(), json!({ "level": q.level, "highest": q.declared_height(), "values": q.shown(used)? }))))
            .collect::<Result<serde_json::Map<String, Value>>>()?;
        Ok(json!({ "columns": columns }))
    }
}
