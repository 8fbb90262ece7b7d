//! The part of a hierarchy that outlives the data it was fitted on.

use super::{Dates, FileLevels, Intervals, Mask};
use crate::error::{Error, Result};
use crate::io::table::{ColumnInterner, NULL_CODE};
use arrow::array::{Array, ArrayRef, StringArray, UInt32Array, make_array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The label that says nothing any more.
pub const SUPPRESSED: &str = "*";

/// How the values of one column are generalized. It can be written to a file (with serde) and applied to new data.
///
/// A scheme from a hierarchy file holds that file's leaves, a mask the length of the longest value: keep it with the steward.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SchemeForm", into = "SchemeForm")]
pub struct Scheme {
    column: String,
    rule: Rule,
    height: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemeForm {
    column: String,
    rule: Rule,
    height: usize,
}

/// The kinds of hierarchies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// The value or `*`.
    Flat,
    /// Half-open intervals.
    Intervals(Intervals),
    /// One more masked character a level.
    Mask(Mask),
    /// Calendar units.
    Dates(Dates),
    /// Leaves and labels from a file.
    File(FileLevels),
}

impl Rule {
    /// Number of levels between the value and the `*` that is added to them.
    #[must_use]
    pub fn levels(&self) -> usize {
        match self {
            Self::Flat => 0,
            Self::Intervals(intervals) => intervals.levels(),
            Self::Mask(mask) => mask.levels(),
            Self::Dates(dates) => dates.levels(),
            Self::File(file) => file.levels(),
        }
    }

    fn labels(&self, column: &str, level: usize, values: &dyn Array) -> Result<StringArray> {
        match self {
            Self::Flat => Err(no_level(column, level, 1)),
            Self::Intervals(intervals) => intervals.labels(column, level, values),
            Self::Mask(mask) => mask.labels(column, level, values),
            Self::Dates(dates) => dates.labels(column, level, values),
            Self::File(file) => file.labels(column, level, values),
        }
    }
}

impl TryFrom<SchemeForm> for Scheme {
    type Error = String;

    fn try_from(form: SchemeForm) -> Result<Self, String> {
        let given = form.rule.levels();
        let Some(with_star) = given.checked_add(1) else { return Err("has too many levels".to_owned()) };
        if form.height != with_star && (form.height != given || given == 0) {
            return Err("the height does not fit the rule".to_owned());
        }
        Ok(Self { column: form.column, rule: form.rule, height: form.height })
    }
}

impl From<Scheme> for SchemeForm {
    fn from(scheme: Scheme) -> Self {
        Self { column: scheme.column, rule: scheme.rule, height: scheme.height }
    }
}

fn no_level(column: &str, level: usize, height: usize) -> Error {
    Error::policy(
        format!("levels.{column}"),
        format!("there is no level {level}"),
        format!("the hierarchy of this column has levels 0 to {height}"),
    )
}

impl Scheme {
    /// `star`: whether `*` comes above the levels of the rule.
    pub(super) fn new(column: &str, rule: Rule, star: bool) -> Self {
        let height = rule.levels() + usize::from(star);
        Self { column: column.to_owned(), rule, height }
    }

    /// Name of the column.
    #[must_use]
    pub fn column(&self) -> &str {
        &self.column
    }

    /// The kind of hierarchy.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The last level.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Whether `level` is the one where everything, missing values too, is `*`.
    #[must_use]
    pub fn is_star(&self, level: usize) -> bool {
        level > self.rule.levels()
    }

    /// # Errors
    /// There is no such level.
    pub(super) fn check_level(&self, level: usize) -> Result<()> {
        if level <= self.height { Ok(()) } else { Err(no_level(&self.column, level, self.height)) }
    }

    /// Type of what [`Scheme::generalize`] returns for values of type `input`.
    ///
    /// # Errors
    /// There is no such level.
    pub fn output_type(&self, level: usize, input: &DataType) -> Result<DataType> {
        self.check_level(level)?;
        Ok(if level == 0 { input.clone() } else { DataType::Utf8 })
    }

    /// The values at `level`: unchanged at level 0, labels above. Missing stays missing below `*`.
    ///
    /// # Errors
    /// There is no such level; the column has a type that the hierarchy cannot take; a value is not in the hierarchy file, not a finite number
    /// or outside the calendar.
    pub fn generalize(&self, level: usize, array: &dyn Array) -> Result<ArrayRef> {
        self.check_level(level)?;
        if level == 0 {
            return Ok(make_array(array.to_data()));
        }
        if self.is_star(level) {
            return Ok(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(SUPPRESSED, array.len()))));
        }
        // Every distinct value is worked once.
        let mut interner = ColumnInterner::new(&self.column, array.data_type())?;
        let mut codes = Vec::new();
        interner.extend(array, &mut codes)?;
        let labels = self.labels(level, interner.values()?.as_ref())?;
        let indices: UInt32Array = codes.iter().map(|&code| (code != NULL_CODE).then_some(code)).collect();
        take(&labels, &indices, None).map_err(|e| Error::arrow("gathering labels", &e))
    }

    /// Labels of distinct values at a level of the rule.
    pub(super) fn labels(&self, level: usize, values: &dyn Array) -> Result<StringArray> {
        self.rule.labels(&self.column, level, values)
    }
}
