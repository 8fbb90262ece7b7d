//! One quasi-identifier as local recoding sees it: its distinct values in an order in which they can be cut.

use crate::anonymity::classes::Tuples;
use crate::anonymity::hierarchy::Hierarchy;
use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// How the values of a column belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DimensionKind {
    /// Numbers, dates, times, or text in lexical order: cut at a value, released as `[20, 29]`.
    Ordered,
    /// Values without order: cut into two sets, released as `{DE, FR}`.
    Categories,
    /// Values with a hierarchy: cut into the children of a node, released as the label of the lowest common node.
    Tree,
}

/// The domain of one column: distinct values, ranked.
///
/// Ranks are numbered from 0 by value, whatever the order of codes: numbers by size, others by text; leaves of a hierarchy so that those below one node lie
/// together. A missing value has the last rank. 0 and −0 are the same number.
#[derive(Debug, Clone)]
pub struct Dimension {
    column: String,
    kind: DimensionKind,
    /// Distinct values as they were read; only where they are needed.
    values: Option<ArrayRef>,
    /// Rank of every code.
    ranks: Vec<u32>,
    /// A code of every rank, without that of missing values.
    codes: Vec<u32>,
    /// Text of every rank, without that of missing values.
    texts: Vec<String>,
    /// Ordered: distance of every rank from the lowest value.
    positions: Vec<f64>,
    /// Ordered: the numbers themselves, if they are.
    numbers: Vec<f64>,
    exact: Option<Vec<Key>>,
    /// Tree: node of every rank at every level, and its label.
    levels: Vec<TreeLevel>,
    missing: Option<u32>,
}

#[derive(Debug, Clone)]
struct TreeLevel {
    nodes: Vec<u32>,
    labels: Vec<String>,
    sizes: Vec<u64>,
}

/// Numbers that can be compared without rounding.
enum Numbers {
    Whole(Vec<i128>),
    Real(Vec<f64>),
}

impl Numbers {
    fn key(&self, code: u32) -> Key {
        match self {
            Self::Whole(numbers) => Key::Whole(numbers[code as usize]),
            Self::Real(numbers) => Key::Real(numbers[code as usize]),
        }
    }
}

/// A value as regions keep it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Key {
    /// In digits, as not every reader of JSON takes 64 bits.
    Whole(#[serde(with = "digits")] i128),
    Real(f64),
    Text(String),
}

mod digits {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(number: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

// Numbers are finite, and 0 has one form.
impl Eq for Key {}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        match self {
            Self::Whole(number) => number.hash(state),
            Self::Real(number) => number.to_bits().hash(state),
            Self::Text(text) => text.hash(state),
        }
    }
}

impl Key {
    /// The order of two values of one kind.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => Some(one.cmp(two)),
            (Self::Real(one), Self::Real(two)) => one.partial_cmp(two),
            (Self::Text(one), Self::Text(two)) => Some(one.cmp(two)),
            _ => None,
        }
    }
}

/// Distinct values as regions keep them.
pub(super) fn keys_of(column: &str, values: &ArrayRef, kind: DimensionKind) -> Result<Vec<Key>> {
    let numbers = if kind == DimensionKind::Ordered { numbers(column, values)? } else { None };
    Ok(match numbers {
        Some(Numbers::Whole(numbers)) => numbers.into_iter().map(Key::Whole).collect(),
        Some(Numbers::Real(numbers)) => numbers.into_iter().map(Key::Real).collect(),
        None => {
            let flat = Hierarchy::flat(column, values, false)?;
            flat.level(0)?.labels().iter().map(|text| Key::Text(text.unwrap_or_default().to_owned())).collect()
        }
    })
}

impl Dimension {
    /// For the column of `hierarchy`, whose distinct values are `values` in the order of codes. Numbers, dates and times are ordered; other values form a
    /// tree if the hierarchy has a level between the value and `*`, else they are categories.
    ///
    /// # Errors
    /// The values are not those of the hierarchy, or a number is infinite or not a number.
    pub fn new(hierarchy: &Hierarchy, values: &ArrayRef) -> Result<Self> {
        let kind = match values.data_type() {
            data_type if data_type.is_numeric() || data_type.is_temporal() => DimensionKind::Ordered,
            _ if hierarchy.height() > 1 => DimensionKind::Tree,
            _ => DimensionKind::Categories,
        };
        Self::with_kind(hierarchy, values, kind)
    }

    /// As [`Dimension::new`], with a kind of the caller's choice.
    ///
    /// # Errors
    /// As for [`Dimension::new`].
    pub fn with_kind(hierarchy: &Hierarchy, values: &ArrayRef, kind: DimensionKind) -> Result<Self> {
        if values.len() + usize::from(hierarchy.missing().is_some()) != hierarchy.leaves() || values.null_count() > 0 {
            return Err(Error::Parameter { name: "values", problem: "must be those that the hierarchy was fitted on".to_owned() });
        }
        Self::ranked(hierarchy, Some(values), kind)
    }

    /// The leaves of a hierarchy as they are, as a tree.
    pub(super) fn of_hierarchy(hierarchy: &Hierarchy) -> Result<Self> {
        Self::ranked(hierarchy, None, DimensionKind::Tree)
    }

    fn ranked(hierarchy: &Hierarchy, values: Option<&ArrayRef>, kind: DimensionKind) -> Result<Self> {
        let column = hierarchy.column().to_owned();
        let labels = hierarchy.level(0)?.labels();
        let count = hierarchy.leaves() - usize::from(hierarchy.missing().is_some());
        let texts: Vec<&str> = labels.iter().take(count).map(Option::unwrap_or_default).collect();
        let numbers = match values {
            Some(values) if kind == DimensionKind::Ordered => numbers(&column, values)?,
            _ => None,
        };
        let paths: Vec<Vec<&str>> = if kind == DimensionKind::Tree { paths(hierarchy, count) } else { Vec::new() };
        let compare = |one: &u32, two: &u32| {
            let (one, two) = (*one as usize, *two as usize);
            let by_path = if kind == DimensionKind::Tree { paths[one].cmp(&paths[two]) } else { Ordering::Equal };
            by_path.then_with(|| match &numbers {
                Some(Numbers::Whole(numbers)) => numbers[one].cmp(&numbers[two]),
                Some(Numbers::Real(numbers)) => numbers[one].total_cmp(&numbers[two]),
                None => texts[one].cmp(texts[two]),
            })
        };
        let mut order: Vec<u32> = (0_u32..).take(count).collect();
        order.sort_unstable_by(|one, two| compare(one, two).then(one.cmp(two)));
        let mut ranks = vec![0; count];
        let mut codes: Vec<u32> = Vec::with_capacity(count);
        for &code in &order {
            if codes.last().is_none_or(|last| compare(last, &code) != Ordering::Equal) {
                codes.push(code);
            }
            ranks[code as usize] = u32::try_from(codes.len() - 1).unwrap_or(u32::MAX);
        }
        let text = |&code: &u32| match (&numbers, texts[code as usize]) {
            (Some(Numbers::Real(_)), "-0") => "0".to_owned(),
            (_, text) => text.to_owned(),
        };
        let levels = if kind == DimensionKind::Tree { tree(hierarchy, &codes) } else { Vec::new() };
        Ok(Self {
            positions: if kind == DimensionKind::Ordered { positions(numbers.as_ref(), &codes) } else { Vec::new() },
            numbers: plain_numbers(numbers.as_ref(), &codes),
            exact: numbers.as_ref().map(|numbers| codes.iter().map(|&code| numbers.key(code)).collect()),
            texts: codes.iter().map(text).collect(),
            missing: hierarchy.missing().map(|_| u32::try_from(codes.len()).unwrap_or(u32::MAX)),
            values: values.map(ArrayRef::clone),
            column,
            kind,
            ranks,
            codes,
            levels,
        })
    }

    /// Name of the column.
    #[must_use]
    pub fn column(&self) -> &str {
        &self.column
    }

    /// How the values belong together.
    #[must_use]
    pub fn kind(&self) -> DimensionKind {
        self.kind
    }

    /// Distinct values; one more if values are missing.
    #[must_use]
    pub fn domain(&self) -> usize {
        self.codes.len() + usize::from(self.missing.is_some())
    }

    /// Values by their rank, without missing ones.
    pub(super) fn keys(&self) -> Vec<Key> {
        match &self.exact {
            Some(keys) => keys.clone(),
            None => self.texts.iter().cloned().map(Key::Text).collect(),
        }
    }

    /// Rank of missing values.
    pub(super) fn missing(&self) -> Option<u32> {
        self.missing
    }

    /// Rank of a code; `None` for a code that is not one of the values.
    pub(super) fn rank(&self, code: u32) -> Option<u32> {
        if code == NULL_CODE { self.missing } else { self.ranks.get(code as usize).copied() }
    }

    /// Text of a rank that is not missing.
    pub(super) fn text(&self, rank: u32) -> &str {
        self.texts.get(rank as usize).map_or("", String::as_str)
    }

    /// Distinct values as they were read, and the place of each rank among them.
    pub(super) fn values(&self) -> Option<(&ArrayRef, &[u32])> {
        self.values.as_ref().map(|values| (values, self.codes.as_slice()))
    }

    /// Whether the values are numbers, of which a mean makes sense.
    pub(super) fn is_numeric(&self) -> bool {
        self.kind == DimensionKind::Ordered && self.values.as_ref().is_some_and(|values| values.data_type().is_numeric())
    }

    /// The number of a rank, if values are numbers.
    pub(super) fn number(&self, rank: u32) -> Option<f64> {
        self.numbers.get(rank as usize).copied()
    }

    /// Number of the level at which everything is one node.
    pub(super) fn height(&self) -> usize {
        self.levels.len().saturating_sub(1)
    }

    /// Share of the range of an ordered column that lies between two values.
    pub(super) fn extent(&self, low: u32, high: u32) -> f64 {
        let whole = self.positions.last().copied().unwrap_or(0.0);
        if low == high || whole <= 0.0 { 0.0 } else { (self.positions[high as usize] - self.positions[low as usize]) / whole }
    }

    /// Distance of a value of an ordered column from the lowest.
    pub(super) fn position(&self, rank: u32) -> f64 {
        self.positions.get(rank as usize).copied().unwrap_or(0.0)
    }

    /// The level of the lowest node above two leaves; 0 for one leaf.
    pub(super) fn common_level(&self, low: u32, high: u32) -> usize {
        let same = |level: &TreeLevel| level.nodes[low as usize] == level.nodes[high as usize];
        self.levels.iter().position(same).unwrap_or(self.levels.len().saturating_sub(1))
    }

    /// The node of a leaf at a level.
    pub(super) fn node(&self, level: usize, rank: u32) -> u32 {
        self.levels[level].nodes[rank as usize]
    }

    /// Label of the node of a leaf at a level.
    pub(super) fn node_label(&self, level: usize, rank: u32) -> &str {
        &self.levels[level].labels[self.node(level, rank) as usize]
    }

    /// Leaves of the domain below the node of a leaf at a level.
    pub(super) fn node_size(&self, level: usize, rank: u32) -> u64 {
        self.levels[level].sizes[self.node(level, rank) as usize]
    }

    /// Leaves of the domain of a tree, without the one of missing values.
    pub(super) fn tree_leaves(&self) -> u64 {
        self.levels.first().map_or(0, |level| level.sizes.iter().sum())
    }

    /// First and last rank below the node of a leaf at a level.
    pub(super) fn node_range(&self, level: usize, rank: u32) -> (u32, u32) {
        let nodes = &self.levels[level].nodes;
        let node = nodes[rank as usize];
        let (low, high) = (nodes.partition_point(|&other| other < node), nodes.partition_point(|&other| other <= node));
        (u32::try_from(low).unwrap_or(rank), u32::try_from(high - 1).unwrap_or(rank))
    }

    /// Ranks of a column of all tuples, those of the population too.
    pub(super) fn of_tuples(&self, tuples: &Tuples, column: usize) -> Result<Vec<u32>> {
        let ranks: Vec<u32> = (0..tuples.with_population()).map_while(|tuple| self.rank(tuples.codes(tuple)[column])).collect();
        if ranks.len() == tuples.with_population() {
            return Ok(ranks);
        }
        let unknown = |tuple: &usize| self.rank(tuples.codes(*tuple)[column]).is_none();
        let rows = (0..tuples.len()).filter(unknown).map(|tuple| tuples.rows()[tuple]).sum::<u64>().max(1);
        Err(Error::rows(&self.column, rows, "has values that its domain was not fitted on", "fit the domain on all values"))
    }
}

fn numbers(column: &str, values: &ArrayRef) -> Result<Option<Numbers>> {
    let failed = |e| Error::arrow("reading numbers", &e);
    Ok(match values.data_type() {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let floats = cast(values, &DataType::Float64).map_err(failed)?;
            // Adding 0 turns -0 into 0.
            let floats: Vec<f64> = floats.as_primitive::<Float64Type>().values().iter().map(|number| number + 0.0).collect();
            let strange = floats.iter().filter(|number| !number.is_finite()).count();
            if strange > 0 {
                let problem = format!("has {strange} distinct values that are infinite or not numbers");
                return Err(Error::column(column, problem, "clean or clamp the column first"));
            }
            Some(Numbers::Real(floats))
        }
        DataType::UInt64 => {
            Some(Numbers::Whole(values.as_primitive::<UInt64Type>().values().iter().map(|&number| number.into()).collect()))
        }
        data_type if data_type.is_integer() || data_type.is_temporal() => match cast(values, &DataType::Int64) {
            Ok(whole) if whole.null_count() == 0 => {
                Some(Numbers::Whole(whole.as_primitive::<Int64Type>().values().iter().map(|&number| number.into()).collect()))
            }
            _ => return Err(Error::column(column, "has a type that cannot be ordered", "convert it to a number, a date or text")),
        },
        data_type if data_type.is_numeric() => {
            return Err(Error::column(column, "has a type that cannot be ordered", "convert it to an integer or a float"));
        }
        _ => None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "distances are for choosing and measuring; order is exact")]
fn positions(numbers: Option<&Numbers>, codes: &[u32]) -> Vec<f64> {
    let first = codes.first().map_or(0, |&code| code as usize);
    match numbers {
        Some(Numbers::Whole(numbers)) => codes.iter().map(|&code| (numbers[code as usize] - numbers[first]) as f64).collect(),
        // Halves, so that the range of all floats is finite.
        Some(Numbers::Real(numbers)) => codes.iter().map(|&code| numbers[code as usize] / 2.0 - numbers[first] / 2.0).collect(),
        None => (0..codes.len()).map(|rank| rank as f64).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "means are floats")]
fn plain_numbers(numbers: Option<&Numbers>, codes: &[u32]) -> Vec<f64> {
    match numbers {
        Some(Numbers::Whole(numbers)) => codes.iter().map(|&code| numbers[code as usize] as f64).collect(),
        Some(Numbers::Real(numbers)) => codes.iter().map(|&code| numbers[code as usize]).collect(),
        None => Vec::new(),
    }
}

/// Labels of every leaf from the highest level down.
fn paths(hierarchy: &Hierarchy, leaves: usize) -> Vec<Vec<&str>> {
    let mut paths = vec![Vec::with_capacity(hierarchy.height()); leaves];
    for level in hierarchy.levels().iter().skip(1).rev() {
        let labels: Vec<Option<&str>> = level.labels().iter().collect();
        for (path, &code) in paths.iter_mut().zip(level.codes()) {
            path.push(labels[code as usize].unwrap_or_default());
        }
    }
    paths
}

fn tree(hierarchy: &Hierarchy, codes: &[u32]) -> Vec<TreeLevel> {
    let levels = hierarchy.levels().iter().enumerate();
    levels
        .map(|(height, level)| {
            let of_codes: Vec<Option<&str>> = level.labels().iter().collect();
            let mut tree = TreeLevel { nodes: Vec::with_capacity(codes.len()), labels: Vec::new(), sizes: Vec::new() };
            let mut last = None;
            let star = hierarchy.scheme().is_star(height);
            for &code in codes {
                let node = level.codes()[code as usize];
                if last != Some(node) {
                    tree.labels.push(of_codes[node as usize].unwrap_or_default().to_owned());
                    // Missing values are a leaf of `*` only.
                    tree.sizes.push(level.sizes()[node as usize] - u64::from(star && hierarchy.missing().is_some()));
                    last = Some(node);
                }
                tree.nodes.push(u32::try_from(tree.labels.len() - 1).unwrap_or(u32::MAX));
            }
            tree
        })
        .collect()
}
