//! What local recoding gives.

use super::cell::Cell;
use super::dimension::Dimension;
use crate::anonymity::classes::multiset::Multisets;
use crate::anonymity::classes::{ClassStatistics, Tuples};
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use std::sync::Arc;

/// A recoding, or why there is none.
#[derive(Debug, Clone)]
pub enum Found {
    /// Classes that satisfy the models.
    Recoding(Box<LocalRecoding>),
    /// There are none.
    Nothing(Shortfall),
}

/// How far the most general table, in which all rows look the same, is from what is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// The class of all rows.
    pub whole: ClassStatistics,
    /// Models that fail on it, or on the table as a whole.
    pub failing: Vec<&'static str>,
    /// Rows that would have to be suppressed, and those that may be; where models of the whole table fail.
    pub suppressed: Option<(u64, u64)>,
}

impl Shortfall {
    /// The error that refuses a product for this.
    #[must_use]
    pub fn into_error(self, product: impl Into<String>) -> Error {
        let ClassStatistics { rows, subjects, max_rows_of_a_subject } = self.whole;
        let models = self.failing.join(", ");
        let nearest = match self.suppressed {
            Some((needed, allowed)) => format!(
                "{models} would take {needed} suppressed rows of {rows} where {allowed} are allowed; raise suppression_limit or ask for less"
            ),
            None => format!(
                "even one class of all {rows} rows of {subjects} subjects, one of whom owns {max_rows_of_a_subject}, fails {models}; ask for less, or limit the rows of a subject"
            ),
        };
        Error::NoSolution { product: product.into(), nearest }
    }
}

/// What the labels of one column are.
#[derive(Debug, Clone)]
pub(super) struct ClassLabels {
    /// Place in `distinct` of every class's label.
    pub(super) keys: Vec<u32>,
    /// Labels, each once.
    pub(super) distinct: ArrayRef,
    /// Whether they say which values are in the class.
    pub(super) of_cells: bool,
}

/// Classes with a label for every quasi-identifier. Each class satisfies the models, no two classes have the same labels.
///
/// A *unit* is what was put into classes: a tuple of the [`Tuples`] for strict Mondrian and repeated full-domain recoding, a row for relaxed Mondrian and
/// microaggregation.
#[derive(Debug, Clone)]
pub struct LocalRecoding {
    pub(super) dimensions: Arc<[Dimension]>,
    /// One a column.
    pub(super) labels: Vec<ClassLabels>,
    /// One a column, one entry a class; what new rows are compared to.
    pub(super) cells: Vec<Vec<Cell>>,
    /// One a column, one entry a class.
    pub(super) penalties: Vec<Vec<f64>>,
    pub(super) statistics: Vec<ClassStatistics>,
    /// Class of every unit; [`LocalRecoding::SUPPRESSED`] without one.
    pub(super) of_units: Vec<u32>,
    pub(super) rows: u64,
    pub(super) suppressed_subjects: u64,
    pub(super) multisets: Multisets,
    pub(super) within: Option<f64>,
    pub(super) rounds: Vec<super::Round>,
}

impl LocalRecoding {
    /// Stands for the class of a unit that is not released.
    pub const SUPPRESSED: u32 = u32::MAX;

    /// Number of classes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.statistics.len()
    }

    /// Whether nothing is released.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statistics.is_empty()
    }

    /// Sizes of every class.
    #[must_use]
    pub fn statistics(&self) -> &[ClassStatistics] {
        &self.statistics
    }

    /// Class of every unit, [`LocalRecoding::SUPPRESSED`] for one that is not released.
    #[must_use]
    pub fn of_units(&self) -> &[u32] {
        &self.of_units
    }

    /// Labels of one column, one entry a class: text, or numbers where microaggregation gives means or medians. A class of missing values has a missing label.
    ///
    /// # Errors
    /// There is no such column.
    pub fn labels(&self, column: usize) -> Result<ArrayRef> {
        let labels = self.labels.get(column).ok_or_else(no_column)?;
        take(&labels.distinct, &UInt32Array::from(labels.keys.clone()), None).map_err(|e| Error::arrow("gathering labels", &e))
    }

    /// Labels of one column for rows whose classes are given; missing for suppressed rows.
    ///
    /// # Errors
    /// There is no such column or class.
    pub fn labels_of(&self, column: usize, classes: &[u32]) -> Result<ArrayRef> {
        let labels = self.labels.get(column).ok_or_else(no_column)?;
        let known = |class: u32| class == Self::SUPPRESSED || (class as usize) < self.len();
        if !classes.iter().all(|&class| known(class)) {
            return Err(Error::Parameter { name: "classes", problem: "must be those of this recoding".to_owned() });
        }
        let keys: UInt32Array = classes.iter().map(|&class| labels.keys.get(class as usize).copied()).collect();
        take(&labels.distinct, &keys, None).map_err(|e| Error::arrow("gathering labels", &e))
    }

    /// Class of every row of a batch of codes, where units are tuples.
    ///
    /// # Errors
    /// Slices have different lengths, or a row is not one of the tuples.
    pub fn classes_of(&self, tuples: &Tuples, columns: &[&[u32]]) -> Result<Vec<u32>> {
        let length = columns.first().map_or(0, |column| column.len());
        if self.of_units.len() != tuples.len() || columns.len() != tuples.columns() || columns.iter().any(|column| column.len() != length) {
            return Err(Error::Parameter { name: "columns", problem: "must be those of the tuples that were recoded".to_owned() });
        }
        let mut codes = vec![0; columns.len()];
        let mut classes = Vec::with_capacity(length);
        for row in 0..length {
            for (code, column) in codes.iter_mut().zip(columns) {
                *code = column[row];
            }
            classes.extend(tuples.find(&codes).map(|tuple| self.of_units[tuple]));
        }
        if classes.len() < length {
            return Err(Error::Parameter {
                name: "columns",
                problem: "have rows that were not there when the recoding was made".to_owned(),
            });
        }
        Ok(classes)
    }

    /// All rows, the suppressed ones too.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that are not released.
    #[must_use]
    pub fn suppressed_rows(&self) -> u64 {
        self.rows - self.statistics.iter().map(|class| class.rows).sum::<u64>()
    }

    /// People of whom no row is released.
    #[must_use]
    pub fn suppressed_subjects(&self) -> u64 {
        self.suppressed_subjects
    }

    /// How people share their multisets of classes; what counts if a token links their rows.
    #[must_use]
    pub fn multisets(&self) -> &Multisets {
        &self.multisets
    }

    /// People in the smallest class.
    #[must_use]
    pub fn smallest_subjects(&self) -> Option<u64> {
        self.statistics.iter().map(|class| class.subjects).min()
    }

    /// Rows a class has on average; 0 without classes.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure for people to read")]
    pub fn average_class_size(&self) -> f64 {
        if self.is_empty() { 0.0 } else { (self.rows - self.suppressed_rows()) as f64 / self.len() as f64 }
    }

    /// The normalized certainty penalty (NCP) of one column in every class: 0 for a single value, 1 for the whole domain.
    ///
    /// | kind of column | penalty |
    /// |---|---|
    /// | ordered | (highest − lowest value) / range of the column; 1 if values are missing too |
    /// | categories | (values in the set − 1) / (values in the domain − 1) |
    /// | tree | (leaves below the node − 1) / (leaves of the domain − 1) |
    ///
    /// # Errors
    /// There is no such column.
    ///
    /// # References
    /// Xu, Wang, Pei, Wang, Shi, Fu, *Utility-based anonymization using local recoding*, KDD 2006, section 2; one is taken off the counts so that a
    /// single value costs nothing.
    pub fn penalties(&self, column: usize) -> Result<&[f64]> {
        self.penalties.get(column).map(Vec::as_slice).ok_or_else(no_column)
    }

    /// The global certainty penalty (GCP): the mean of the penalties over rows and columns; a suppressed row costs 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure for people to read")]
    pub fn certainty_penalty(&self) -> f64 {
        let columns = self.penalties.len() as f64;
        let lost: f64 = self
            .statistics
            .iter()
            .enumerate()
            .map(|(class, statistics)| {
                self.penalties.iter().map(|column| column[class]).sum::<f64>() / columns.max(1.0) * statistics.rows as f64
            })
            .sum();
        if self.rows == 0 { 0.0 } else { (lost + self.suppressed_rows() as f64) / self.rows as f64 }
    }

    /// Discernibility: Σ rows² over classes + suppressed rows · all rows.
    ///
    /// # References
    /// Bayardo, Agrawal, *Data privacy through optimal k-anonymization*, ICDE 2005, section 2.
    #[must_use]
    pub fn discernibility(&self) -> u128 {
        let squares: u128 = self.statistics.iter().map(|class| u128::from(class.rows).pow(2)).sum();
        squares + u128::from(self.suppressed_rows()) * u128::from(self.rows)
    }

    /// Whether the labels of a class say that its rows may have these codes.
    ///
    /// # Panics
    /// There is no such class.
    #[must_use]
    pub fn covers(&self, class: usize, codes: &[u32]) -> bool {
        codes.len() == self.cells.len()
            && self
                .dimensions
                .iter()
                .zip(codes)
                .zip(&self.cells)
                .all(|((dimension, &code), cells)| dimension.rank(code).is_some_and(|rank| cells[class].covers(dimension, rank)))
    }

    /// Microaggregation: the sum of squared distances of rows from the means of their classes, over all columns, each in units of its spread.
    #[must_use]
    pub fn within_class_error(&self) -> Option<f64> {
        self.within
    }

    /// Repeated full-domain recoding: what every round did.
    #[must_use]
    pub fn rounds(&self) -> &[super::Round] {
        &self.rounds
    }
}

fn no_column() -> Error {
    Error::Parameter { name: "column", problem: "must be one of the recoding".to_owned() }
}
