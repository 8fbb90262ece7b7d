//! What a release is still good for, in figures.

use super::{GeneralizedTable, Hierarchy, Loss, Marginals, NormalizedEntropy, Precision, Score, from_policy};
use crate::anonymity::classes::{Grouper, Tuples};
use crate::anonymity::hierarchy::SUPPRESSED;
use crate::error::{Error, Result};
use crate::policy::{AggregateFunction, Metric, Quality};
use arrow::array::Array;
use serde::Serialize;
use std::collections::BTreeMap;

/// One generalized table, described by everything that metrics can say of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutputQuality {
    /// All rows, the suppressed ones too.
    pub rows: u64,
    /// Rows that are not released.
    pub suppressed_rows: u64,
    /// One a quasi-identifier.
    pub columns: Vec<ColumnQuality>,
    /// Sizes of the classes of the raw values in rows, each with the number of classes of that size, ascending.
    pub class_sizes_before: Vec<(u64, u64)>,
    /// Sizes of the classes that are released.
    pub class_sizes_after: Vec<(u64, u64)>,
    /// Value of every metric, by its name in policies. Metrics of columns are put together by the aggregate of the policy; a rank, which is no
    /// number, by the arithmetic mean.
    pub metrics: BTreeMap<&'static str, f64>,
}

/// One quasi-identifier. Suppressed rows count as fully generalized, whatever the gs-factor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnQuality {
    /// Name of the column.
    pub column: String,
    /// Share of the detail that is lost: [`Loss`] of the column, between 0 and 1.
    pub loss: f64,
    /// Share of the detail that is left: 1 − loss.
    pub granularity: f64,
    /// How far up the hierarchy values went on average, between 0 and 1: [`Precision`] of the column.
    pub generalization_intensity: f64,
    /// Share of the column's information that is lost, between 0 and 1: [`NormalizedEntropy`] of the column.
    pub entropy: f64,
    /// Share of rows whose value says nothing: it is missing or `*`, or the row is suppressed.
    pub missing: f64,
}

/// Names and values of all metrics. The metric of the policy has the policy's gs-factor and weights; so have others that can have them.
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

impl OutputQuality {
    /// Describes the table that `levels` make of the tuples; `suppressed` says of each tuple whether its class is not released.
    ///
    /// ```
    /// use backmask::anonymity::classes::TupleBuilder;
    /// use backmask::anonymity::hierarchy::Hierarchy;
    /// use backmask::anonymity::quality::OutputQuality;
    /// use backmask::arrow::array::StringArray;
    /// use backmask::policy::Quality;
    ///
    /// // Three rows from DE (code 0) and one from FR (code 1), which is suppressed.
    /// let mut builder = TupleBuilder::new(1);
    /// builder.extend(&[&[0, 0, 0, 1]], None)?;
    /// let tuples = builder.finish()?;
    /// let country = Hierarchy::flat("country", &StringArray::from(vec!["DE", "FR"]), false)?;
    /// let output = OutputQuality::at(&tuples, &[country], &[0], |tuple| tuple == 1, &Quality::default())?;
    /// assert_eq!((output.rows, output.suppressed_rows), (4, 1));
    /// assert_eq!(output.metrics["discernibility"], 9.0 + 4.0);
    /// assert_eq!(output.columns[0].missing, 0.25);
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// The parts do not fit each other, a class is suppressed in part, or the declaration is wrong.
    pub fn at(
        tuples: &Tuples,
        hierarchies: &[Hierarchy],
        levels: &[usize],
        suppressed: impl Fn(usize) -> bool,
        quality: &Quality,
    ) -> Result<Self> {
        let mut grouper = Grouper::new(tuples, hierarchies)?;
        let classes = grouper.group(levels)?;
        let outliers: Vec<bool> = classes.first_tuples().iter().map(|&tuple| suppressed(tuple as usize)).collect();
        if classes.of_tuples().iter().enumerate().any(|(tuple, &class)| suppressed(tuple) != outliers[class as usize]) {
            return Err(Error::Parameter { name: "suppressed", problem: "must be the same for all tuples of a class".to_owned() });
        }
        let marginals = Marginals::new(tuples, hierarchies, &grouper)?;
        Self::of(&GeneralizedTable::new(tuples, hierarchies, &grouper, &marginals, levels, &classes, &outliers)?, quality)
    }

    /// Describes a table. `quality` is what the policy declares: its aggregate, weights and gs-factor are used where a metric has them, so that the
    /// value of the declared metric is the score of the search.
    ///
    /// # Errors
    /// The declaration is wrong, or does not fit the table.
    pub fn of(table: &GeneralizedTable<'_>, quality: &Quality) -> Result<Self> {
        let names: Vec<&str> = table.hierarchies.iter().map(Hierarchy::column).collect();
        let mut metrics = BTreeMap::new();
        for metric in METRICS {
            if let Score::Number(value) = from_policy(&declared(metric, quality), &names)?.score(table)? {
                metrics.insert(metric.name(), value);
            }
        }
        Ok(Self {
            rows: table.rows,
            suppressed_rows: table.suppressed_rows(),
            columns: columns(table, &names)?,
            class_sizes_before: histogram(table.tuple_rows.iter().copied()),
            class_sizes_after: histogram(table.pick(false).into_iter().map(|class| class.rows)),
            metrics,
        })
    }

    /// Everything that is one number, by name: metrics as in policies, `<figure>.<column>` for every column, and sizes of released classes in rows.
    /// Classes of the raw values are left out, so that the numbers can stand in the recipient's report.
    #[must_use]
    pub fn numbers(&self) -> BTreeMap<String, f64> {
        let mut numbers: BTreeMap<String, f64> = self.metrics.iter().map(|(&name, &value)| (name.to_owned(), value)).collect();
        for column in &self.columns {
            let figures = [
                ("loss", column.loss),
                ("granularity", column.granularity),
                ("generalization-intensity", column.generalization_intensity),
                ("normalized-entropy", column.entropy),
                ("missing", column.missing),
            ];
            numbers.extend(figures.map(|(figure, value)| (format!("{figure}.{}", column.column), value)));
        }
        let sizes = &self.class_sizes_after;
        if let (Some(&(smallest, _)), Some(&(largest, _))) = (sizes.first(), sizes.last()) {
            #[expect(clippy::cast_precision_loss, reason = "counts in a report")]
            let figures = [("smallest-class", smallest as f64), ("median-class", median(sizes)), ("largest-class", largest as f64)];
            numbers.extend(figures.map(|(figure, value)| (figure.to_owned(), value)));
        }
        numbers
    }
}

/// All numbers of [`OutputQuality`], for the report.
///
/// # Errors
/// As for [`OutputQuality::of`].
pub fn all(table: &GeneralizedTable<'_>, quality: &Quality) -> Result<BTreeMap<String, f64>> {
    Ok(OutputQuality::of(table, quality)?.numbers())
}

/// `metric` with what the policy declares, as far as the metric has it.
fn declared(metric: Metric, quality: &Quality) -> Quality {
    let mut declared = Quality { metric, ..quality.clone() };
    if declared.aggregate == AggregateFunction::Rank {
        declared.aggregate = AggregateFunction::ArithmeticMean;
    }
    if !metric.has_columns() {
        declared.weights.clear();
    }
    if !metric.has_gs_factor() {
        declared.gs_factor = Quality::default().gs_factor;
    }
    declared
}

fn columns(table: &GeneralizedTable<'_>, names: &[&str]) -> Result<Vec<ColumnQuality>> {
    let even = Quality::default();
    let loss = Loss::new(&even, names)?.of_columns(table)?;
    let intensity = Precision::new(&even, names)?.of_columns(table)?;
    let entropy = NormalizedEntropy::new(&even, names)?.of_columns(table)?;
    let (kept, suppressed) = (table.pick(false), table.suppressed_rows());
    let figures = loss.into_iter().zip(intensity).zip(entropy);
    names
        .iter()
        .zip(figures)
        .enumerate()
        .map(|(column, (&name, ((loss, intensity), entropy)))| {
            let level = table.level(column)?;
            let star = table.hierarchies[column].scheme().is_star(table.levels[column]);
            let labels = level.labels();
            let says = |code: usize| labels.is_valid(code) && labels.value(code) != SUPPRESSED;
            let silent = |tuple| star || !table.code(level, column, tuple).is_some_and(|code| says(code as usize));
            let missing: u64 = kept.iter().filter(|class| silent(class.tuple)).map(|class| class.rows).sum();
            #[expect(clippy::cast_precision_loss, reason = "a share")]
            let missing = if table.rows == 0 { 0.0 } else { (missing + suppressed) as f64 / table.rows as f64 };
            Ok(ColumnQuality {
                column: name.to_owned(),
                loss,
                granularity: 1.0 - loss,
                generalization_intensity: intensity,
                entropy,
                missing,
            })
        })
        .collect()
}

fn histogram(sizes: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut counts = BTreeMap::new();
    for size in sizes {
        *counts.entry(size).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

/// The size of the middle class; of the mean of both if there are two.
#[expect(clippy::cast_precision_loss, reason = "counts in a report")]
fn median(sizes: &[(u64, u64)]) -> f64 {
    let classes: u64 = sizes.iter().map(|(_, classes)| classes).sum();
    let at = |rank: u64| {
        let mut before = 0;
        let found = sizes.iter().find(|(_, classes)| {
            before += classes;
            before > rank
        });
        found.map_or(0, |&(size, _)| size) as f64
    };
    if classes == 0 { 0.0 } else { f64::midpoint(at((classes - 1) / 2), at(classes / 2)) }
}
