//! The part of a hierarchy that outlives the data it was fitted on.

use super::{Dates, FileLevels, Intervals, Mask, Ordered, Priority, table};
use crate::error::{Error, Result};
use crate::io::table::{ColumnInterner, NULL_CODE};
use crate::policy::Missing;
use arrow::array::{Array, ArrayRef, StringArray, UInt32Array, make_array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The label that says nothing any more.
pub const SUPPRESSED: &str = "*";

/// How the values of one column are generalized. It can be written to a file (with serde) and applied to new data.
///
/// A scheme from a hierarchy file holds that file's leaves, one by priority how frequent values are, a mask the length of the longest value: keep it
/// with the steward.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SchemeForm", into = "SchemeForm")]
pub struct Scheme {
    column: String,
    rule: Rule,
    height: usize,
    missing: Missing,
    unknown: Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemeForm {
    column: String,
    rule: Rule,
    height: usize,
    #[serde(default, skip_serializing_if = "Missing::is_own_leaf")]
    missing: Missing,
    #[serde(default, skip_serializing_if = "Unknown::is_error")]
    unknown: Unknown,
}

/// What becomes of values of new data that a hierarchy does not know: values that are not among its leaves, that are no numbers or lie outside the
/// calendar. They are never given the label of a known value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// An error that counts them.
    #[default]
    Error,
    /// `*` at every level from 1 on. At level 0 all values pass as they are.
    Suppress,
}

impl Unknown {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_error(&self) -> bool {
        *self == Self::Error
    }

    /// `which` describes the values: "that are not in …".
    pub(super) fn check(self, column: &str, count: usize, which: &str, remedy: &str) -> Result<()> {
        if count == 0 || self == Self::Suppress {
            return Ok(());
        }
        Err(Error::column(column, format!("has {count} distinct values {which}"), remedy))
    }
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
    /// Groups of consecutive values.
    Ordered(Ordered),
    /// Values of few people become `other`.
    Priority(Priority),
    /// Labels that a function gave to the values of the data.
    Function(FileLevels),
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
            Self::File(table) | Self::Function(table) => table.levels(),
            Self::Ordered(ordered) => ordered.table().levels(),
            Self::Priority(priority) => priority.levels(),
        }
    }

    /// Labels that are written out for every leaf, whether the data has it or not.
    pub(super) fn table(&self) -> Option<&FileLevels> {
        match self {
            Self::File(table) | Self::Function(table) => Some(table),
            Self::Ordered(ordered) => Some(ordered.table()),
            _ => None,
        }
    }

    /// Whether `*` comes last whatever the labels of the last level: they depend on the values.
    pub(super) fn always_ends_with_star(&self) -> bool {
        matches!(self, Self::Flat | Self::Mask(_) | Self::Priority(_))
    }

    fn labels(&self, column: &str, level: usize, values: &dyn Array, unknown: Unknown) -> Result<StringArray> {
        match self {
            Self::Flat => Err(no_level(column, level, 1)),
            Self::Intervals(intervals) => intervals.labels(column, level, values, unknown),
            Self::Mask(mask) => mask.labels(column, level, values),
            Self::Dates(dates) => dates.labels(column, level, values, unknown),
            Self::File(file) => file.labels(column, level, values, unknown),
            Self::Ordered(ordered) => ordered.labels(column, level, values, unknown),
            Self::Priority(priority) => priority.labels(column, level, values, unknown),
            Self::Function(known) => table::labels(known, "the values that the function was asked for", column, level, values, unknown),
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
        Ok(Self { column: form.column, rule: form.rule, height: form.height, missing: form.missing, unknown: form.unknown })
    }
}

impl From<Scheme> for SchemeForm {
    fn from(scheme: Scheme) -> Self {
        let Scheme { column, rule, height, missing, unknown } = scheme;
        Self { column, rule, height, missing, unknown }
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
        Self { column: column.to_owned(), rule, height, missing: Missing::OwnLeaf, unknown: Unknown::Error }
    }

    /// What missing values of the data are.
    #[must_use]
    pub fn with_missing(self, missing: Missing) -> Self {
        Self { missing, ..self }
    }

    /// What values are that the hierarchy does not know.
    #[must_use]
    pub fn with_unknown(self, unknown: Unknown) -> Self {
        Self { unknown, ..self }
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
    /// There is no such level; the column has a type that the hierarchy cannot take; a value is not among the leaves, not a finite number or
    /// outside the calendar, unless such values are suppressed; values are missing and that is an error.
    pub fn generalize(&self, level: usize, array: &dyn Array) -> Result<ArrayRef> {
        self.check_level(level)?;
        let missing = array.logical_null_count() as u64;
        if missing > 0 && self.missing == Missing::Error {
            return Err(Error::rows(&self.column, missing, "is missing", "fill the gaps, or let missing values be their own leaf"));
        }
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
        self.rule.labels(&self.column, level, values, self.unknown)
    }
}
