//! Columns: their role, their treatment, their hierarchy.

use super::subject::{PseudonymSpec, Scope};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

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
    /// What missing values of a quasi-identifier are.
    #[serde(default, skip_serializing_if = "Missing::is_own_leaf")]
    pub missing: Missing,
    /// For an item: the column (or hierarchy file) that is its next level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generalize_to: Option<String>,
}

impl Column {
    /// A column of `role` that is otherwise left alone.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self { role, treatment: None, hierarchy: None, levels: None, missing: Missing::OwnLeaf, generalize_to: None }
    }

    /// What is done to the column: its treatment if one is declared, else [`Treatment::Drop`] for an identifier and [`Treatment::Keep`] for
    /// every other role. A pseudonym of scope [`Scope::None`] is a drop.
    ///
    /// ```
    /// use backmask::policy::{Column, Role, Treatment};
    ///
    /// assert_eq!(*Column::new(Role::Identifier).effective_treatment(), Treatment::Drop);
    /// assert_eq!(*Column::new(Role::Measure).effective_treatment(), Treatment::Keep);
    /// ```
    #[must_use]
    pub fn effective_treatment(&self) -> &Treatment {
        match &self.treatment {
            Some(Treatment::Pseudonym(PseudonymSpec { scope: Scope::None, .. })) => &Treatment::Drop,
            Some(treatment) => treatment,
            None if self.role == Role::Identifier => &Treatment::Drop,
            None => &Treatment::Keep,
        }
    }

    /// Whether the column is left out of every product.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        *self.effective_treatment() == Treatment::Drop
    }

    /// The level of generalization, if the limits leave only one.
    #[must_use]
    pub fn only_level(&self) -> Option<usize> {
        let limits = self.levels?;
        limits.max.filter(|max| *max == limits.min.unwrap_or(0))
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

impl Role {
    /// Name in policies and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Identifier => "identifier",
            Self::QuasiIdentifier => "quasi-identifier",
            Self::Sensitive => "sensitive",
            Self::Item => "item",
            Self::Time => "time",
            Self::Measure => "measure",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is done to a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(into = "TreatmentForm")]
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

impl Treatment {
    /// Name in policies and reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Keep => "keep",
            Self::Relative => "relative",
            Self::Truncate(_) => "truncate",
            Self::Shift { .. } => "shift",
            Self::Buckets(_) => "buckets",
            Self::Round(_) => "round",
            Self::Clamp(_, _) => "clamp",
            Self::Pseudonym(_) => "pseudonym",
        }
    }
}

/// How a [`Treatment`] is written.
#[derive(Serialize)]
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

impl TryFrom<TreatmentTable> for Treatment {
    type Error = &'static str;

    fn try_from(table: TreatmentTable) -> Result<Self, &'static str> {
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
            (None, _) => Err("the treatment is empty; give one of truncate, shift, buckets, round, clamp, pseudonym"),
            _ => Err("several treatments are given; keep one of truncate, shift, buckets, round, clamp, pseudonym"),
        }
    }
}

impl<'de> Deserialize<'de> for Treatment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreatmentVisitor)
    }
}

struct TreatmentVisitor;

impl<'de> Visitor<'de> for TreatmentVisitor {
    type Value = Treatment;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"drop\", \"keep\", \"relative\", or a table with one of truncate, shift, buckets, round, clamp, pseudonym")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Treatment, E> {
        match word {
            "drop" => Ok(Treatment::Drop),
            "keep" => Ok(Treatment::Keep),
            "relative" => Ok(Treatment::Relative),
            _ => Err(E::unknown_variant(
                word,
                &[
                    "drop",
                    "keep",
                    "relative",
                    "{ truncate = … }",
                    "{ shift = … }",
                    "{ buckets = … }",
                    "{ round = … }",
                    "{ clamp = … }",
                    "{ pseudonym = … }",
                ],
            )),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Treatment, M::Error> {
        let table = TreatmentTable::deserialize(MapAccessDeserializer::new(map))?;
        Treatment::try_from(table).map_err(M::Error::custom)
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

impl TimeUnit {
    /// Name in policies and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
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

impl DateUnit {
    /// Name in policies and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
            Self::Decade => "decade",
        }
    }

    /// Whether every unit of this size lies inside one unit of size `coarser`. A week may lie in two months, so nothing holds whole weeks.
    #[must_use]
    pub fn lies_within(self, coarser: Self) -> bool {
        self == coarser || (self < coarser && self != Self::Week)
    }
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

/// What missing values of a column are to its hierarchy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// A value of their own, apart from every other below `*`.
    #[default]
    OwnLeaf,
    /// An error.
    Error,
}

impl Missing {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(crate) fn is_own_leaf(&self) -> bool {
        *self == Self::OwnLeaf
    }
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
    /// Half-open intervals of growing width between a bottom code and a top code.
    BoundedIntervals {
        /// Widths of levels 1, 2, …; each a multiple of the one before.
        widths: Vec<f64>,
        /// A bound of an interval of every level.
        origin: f64,
        /// All values below it become one from level 1 on.
        bottom: Option<f64>,
        /// All values that reach it become one from level 1 on.
        top: Option<f64>,
    },
    /// Groups of consecutive values.
    Ordered {
        /// All values in their order.
        values: Vec<String>,
        /// Values in a group of levels 1, 2, …; each a multiple of the one before.
        sizes: Vec<usize>,
    },
    /// Values by their frequency: at levels 1, 2, … those of fewer people become `other`.
    Priority(Vec<u64>),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HierarchyTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intervals: Option<Vec<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bottom: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    top: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mask: Option<Direction>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dates: Option<Vec<DateUnit>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delimiter: Option<char>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ordered: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sizes: Option<Vec<usize>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<Vec<u64>>,
}

impl TryFrom<HierarchyTable> for HierarchySpec {
    type Error = &'static str;

    fn try_from(mut table: HierarchyTable) -> Result<Self, &'static str> {
        let spec = if let Some(widths) = table.intervals.take() {
            let origin = table.origin.take().unwrap_or(0.0);
            match (table.bottom.take(), table.top.take()) {
                (None, None) => Some(Self::Intervals { widths, origin }),
                (bottom, top) => Some(Self::BoundedIntervals { widths, origin, bottom, top }),
            }
        } else if let Some(direction) = table.mask.take() {
            Some(Self::Mask(direction))
        } else if let Some(units) = table.dates.take() {
            Some(Self::Dates(units))
        } else if let Some(path) = table.file.take() {
            Some(Self::File { path, delimiter: table.delimiter.take().unwrap_or(';') })
        } else if let (Some(values), Some(sizes)) = (table.ordered.take(), table.sizes.take()) {
            Some(Self::Ordered { values, sizes })
        } else {
            table.priority.take().map(Self::Priority)
        };
        // Whatever is left belongs to another kind.
        spec.filter(|_| table == HierarchyTable::default()).ok_or(
            "the keys do not describe one hierarchy; give one of { intervals = […], origin = n, bottom = n, top = n }, { mask = \"right\" }, { dates = […] }, { file = \"…\", delimiter = \";\" }, { ordered = […], sizes = […] }, { priority = […] }",
        )
    }
}

impl From<HierarchySpec> for HierarchyTable {
    fn from(spec: HierarchySpec) -> Self {
        let mut table = Self::default();
        match spec {
            HierarchySpec::Intervals { widths, origin } => (table.intervals, table.origin) = (Some(widths), Some(origin)),
            HierarchySpec::BoundedIntervals { widths, origin, bottom, top } => {
                (table.intervals, table.origin, table.bottom, table.top) = (Some(widths), Some(origin), bottom, top);
            }
            HierarchySpec::Mask(direction) => table.mask = Some(direction),
            HierarchySpec::Dates(units) => table.dates = Some(units),
            HierarchySpec::File { path, delimiter } => (table.file, table.delimiter) = (Some(path), Some(delimiter)),
            HierarchySpec::Ordered { values, sizes } => (table.ordered, table.sizes) = (Some(values), Some(sizes)),
            HierarchySpec::Priority(people) => table.priority = Some(people),
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
