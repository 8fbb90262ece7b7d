//! Columns: their role, their treatment, their hierarchy.

use super::subject::PseudonymSpec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Columns of one table, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    /// The columns.
    #[serde(default)]
    pub columns: BTreeMap<String, Column>,
}

impl Columns {
    /// Whether nothing is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

/// What is declared about a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// What the column is.
    pub role: Role,
    /// What is done to its values before everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub treatment: Option<Treatment>,
    /// Levels of generalization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hierarchy: Option<HierarchySpec>,
    /// Limits of the search over levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<LevelLimits>,
    /// For an item: the column (or hierarchy file) that is its next level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generalize_to: Option<String>,
}

impl Column {
    /// A column of `role` that is otherwise left alone.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self { role, treatment: None, hierarchy: None, levels: None, generalize_to: None }
    }
}

/// What a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Names the person protected.
    Subject,
    /// Identifies directly; dropped unless pseudonymized.
    Identifier,
    /// Known to an adversary from elsewhere.
    QuasiIdentifier,
    /// Must not be learned about a person.
    Sensitive,
    /// What is listened to.
    Item,
    /// When.
    Time,
    /// How much.
    Measure,
    /// None of these; kept as it is.
    Other,
}

/// What is done to a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TreatmentForm", into = "TreatmentForm")]
#[non_exhaustive]
pub enum Treatment {
    /// Leave the column out.
    Drop,
    /// Keep it as it is.
    Keep,
    /// Times since the first event of the subject.
    Relative,
    /// Times cut down to the start of their unit, in UTC.
    Truncate(TimeUnit),
    /// All times of a subject moved by one keyed, uniform number of whole days in −days…days.
    Shift {
        /// Largest shift in days.
        days: u32,
    },
    /// Numbers replaced by the half-open interval between the given bounds that they lie in.
    Buckets(Vec<f64>),
    /// Numbers rounded to the nearest multiple.
    Round(f64),
    /// Numbers moved into [lo, hi].
    Clamp(f64, f64),
    /// Values replaced by keyed tokens.
    Pseudonym(PseudonymSpec),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum TreatmentForm {
    Word(String),
    Table(TreatmentTable),
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TreatmentTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    truncate: Option<TimeUnit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shift: Option<ShiftTable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    buckets: Option<Vec<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    round: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clamp: Option<(f64, f64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pseudonym: Option<PseudonymSpec>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShiftTable {
    days: u32,
}

impl TryFrom<TreatmentForm> for Treatment {
    type Error = String;

    fn try_from(form: TreatmentForm) -> Result<Self, String> {
        let table = match form {
            TreatmentForm::Word(word) => {
                return match word.as_str() {
                    "drop" => Ok(Self::Drop),
                    "keep" => Ok(Self::Keep),
                    "relative" => Ok(Self::Relative),
                    _ => Err(format!(
                        "unknown treatment `{word}`: give \"drop\", \"keep\" or \"relative\", or a table with truncate, shift, buckets, round, clamp or pseudonym"
                    )),
                };
            }
            TreatmentForm::Table(table) => table,
        };
        let mut given = [
            table.truncate.map(Self::Truncate),
            table.shift.map(|shift| Self::Shift { days: shift.days }),
            table.buckets.map(Self::Buckets),
            table.round.map(Self::Round),
            table.clamp.map(|(low, high)| Self::Clamp(low, high)),
            table.pseudonym.map(Self::Pseudonym),
        ]
        .into_iter()
        .flatten();
        match (given.next(), given.next()) {
            (Some(one), None) => Ok(one),
            _ => Err("a treatment table holds exactly one of truncate, shift, buckets, round, clamp, pseudonym".to_owned()),
        }
    }
}

impl From<Treatment> for TreatmentForm {
    fn from(treatment: Treatment) -> Self {
        let mut table = TreatmentTable::default();
        match treatment {
            Treatment::Drop => return Self::Word("drop".to_owned()),
            Treatment::Keep => return Self::Word("keep".to_owned()),
            Treatment::Relative => return Self::Word("relative".to_owned()),
            Treatment::Truncate(unit) => table.truncate = Some(unit),
            Treatment::Shift { days } => table.shift = Some(ShiftTable { days }),
            Treatment::Buckets(bounds) => table.buckets = Some(bounds),
            Treatment::Round(to) => table.round = Some(to),
            Treatment::Clamp(low, high) => table.clamp = Some((low, high)),
            Treatment::Pseudonym(spec) => table.pseudonym = Some(spec),
        }
        Self::Table(table)
    }
}

/// Calendar units to which times are truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeUnit {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A calendar month.
    Month,
    /// A quarter.
    Quarter,
    /// A year.
    Year,
}

/// Calendar units of a date hierarchy, finest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateUnit {
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A calendar month.
    Month,
    /// A quarter.
    Quarter,
    /// A year.
    Year,
    /// A decade.
    Decade,
}

/// From which side a value is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The first character goes first.
    Left,
    /// The last character goes first.
    Right,
}

/// How a column is generalized. Level 0 is the value as it is; `*` is the last level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "HierarchyTable", into = "HierarchyTable")]
#[non_exhaustive]
pub enum HierarchySpec {
    /// Half-open intervals of growing width, aligned to `origin`.
    Intervals {
        /// Widths of levels 1, 2, …; each a multiple of the one before.
        widths: Vec<f64>,
        /// A bound of an interval of every level.
        origin: f64,
    },
    /// One more masked character a level.
    Mask(Direction),
    /// Calendar units.
    Dates(Vec<DateUnit>),
    /// A CSV file: one row a leaf, `leaf;level1;level2;…`.
    File {
        /// Path, relative to the policy file.
        path: String,
        /// The separator.
        delimiter: char,
    },
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HierarchyTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intervals: Option<Vec<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mask: Option<Direction>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dates: Option<Vec<DateUnit>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delimiter: Option<char>,
}

impl TryFrom<HierarchyTable> for HierarchySpec {
    type Error = String;

    fn try_from(table: HierarchyTable) -> Result<Self, String> {
        match table {
            HierarchyTable { intervals: Some(widths), origin, mask: None, dates: None, file: None, delimiter: None } => {
                Ok(Self::Intervals { widths, origin: origin.unwrap_or(0.0) })
            }
            HierarchyTable { mask: Some(direction), intervals: None, origin: None, dates: None, file: None, delimiter: None } => Ok(Self::Mask(direction)),
            HierarchyTable { dates: Some(units), intervals: None, origin: None, mask: None, file: None, delimiter: None } => Ok(Self::Dates(units)),
            HierarchyTable { file: Some(path), delimiter, intervals: None, origin: None, mask: None, dates: None } => {
                Ok(Self::File { path, delimiter: delimiter.unwrap_or(';') })
            }
            _ => Err("a hierarchy is one of { intervals = […], origin = n }, { mask = \"right\" }, { dates = […] }, { file = \"…\", delimiter = \";\" }".to_owned()),
        }
    }
}

impl From<HierarchySpec> for HierarchyTable {
    fn from(spec: HierarchySpec) -> Self {
        let mut table = Self::default();
        match spec {
            HierarchySpec::Intervals { widths, origin } => (table.intervals, table.origin) = (Some(widths), Some(origin)),
            HierarchySpec::Mask(direction) => table.mask = Some(direction),
            HierarchySpec::Dates(units) => table.dates = Some(units),
            HierarchySpec::File { path, delimiter } => (table.file, table.delimiter) = (Some(path), Some(delimiter)),
        }
        table
    }
}

/// Lowest and highest level that the search may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelLimits {
    /// Lowest level; 0 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<usize>,
    /// Highest level; the hierarchy's last if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<usize>,
}
