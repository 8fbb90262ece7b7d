//! What a class shows of one column.

use super::dimension::{Dimension, DimensionKind};
use crate::anonymity::hierarchy::SUPPRESSED;

/// The text that stands for a missing value among others.
pub const MISSING: &str = "(missing)";

/// The values of one column in one class, as ranks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Cell {
    /// Only missing values.
    Missing,
    /// Ordered columns and trees: the lowest and the highest value, and whether values are missing.
    Range { low: u32, high: u32, missing: bool },
    /// Categories: the values that occur, ascending; the rank of missing values may be among them.
    Set(Box<[u32]>),
    /// Trees: the node of a leaf at a level, whatever of it occurs.
    Node { level: usize, rank: u32 },
}

impl Cell {
    /// What `ranks`, of which there is one at least, have in common.
    pub(super) fn of(dimension: &Dimension, ranks: &[u32]) -> Self {
        let missing_rank = dimension.missing().unwrap_or(u32::MAX);
        if dimension.kind() == DimensionKind::Categories {
            let set = distinct(ranks, dimension.domain());
            return if *set == [missing_rank] { Self::Missing } else { Self::Set(set) };
        }
        let (mut low, mut high, mut missing) = (u32::MAX, 0, false);
        for &rank in ranks {
            if rank == missing_rank {
                missing = true;
            } else {
                (low, high) = (low.min(rank), high.max(rank));
            }
        }
        if low > high { Self::Missing } else { Self::Range { low, high, missing } }
    }

    /// What a value of a tree becomes at a level.
    pub(super) fn at(dimension: &Dimension, level: usize, rank: u32) -> Self {
        match dimension.missing() {
            Some(missing) if missing == rank && (level < dimension.height() || missing == 0) => Self::Missing,
            // Any leaf stands for the node of all.
            Some(missing) if missing == rank => Self::Node { level, rank: 0 },
            _ => Self::Node { level, rank },
        }
    }

    /// Everything that is in either.
    pub(super) fn join(&self, other: &Self, dimension: &Dimension) -> Self {
        if let Self::Node { .. } = self {
            // Nodes with the same label: the higher one.
            return std::cmp::max_by_key(self, other, |cell| if let Self::Node { level, .. } = cell { *level } else { 0 }).clone();
        }
        let ranks: Vec<u32> = self.ends(dimension).into_iter().chain(other.ends(dimension)).collect();
        Self::of(dimension, &ranks)
    }

    fn ends(&self, dimension: &Dimension) -> Vec<u32> {
        match self {
            Self::Missing => dimension.missing().into_iter().collect(),
            Self::Range { low, high, missing } => [*low, *high].into_iter().chain(dimension.missing().filter(|_| *missing)).collect(),
            Self::Set(set) => set.to_vec(),
            Self::Node { rank, .. } => vec![*rank],
        }
    }

    /// Whether the label says that a row of the class may have this value.
    pub(super) fn covers(&self, dimension: &Dimension, rank: u32) -> bool {
        match (self, dimension.kind()) {
            (Self::Missing, _) => dimension.missing() == Some(rank),
            (Self::Range { missing, .. }, _) if dimension.missing() == Some(rank) => *missing,
            (Self::Range { low, high, .. }, DimensionKind::Tree) => {
                let (low, high) = dimension.node_range(dimension.common_level(*low, *high), *low);
                (low..=high).contains(&rank)
            }
            (Self::Range { low, high, .. }, _) => (*low..=*high).contains(&rank),
            (Self::Set(set), _) => set.binary_search(&rank).is_ok(),
            (Self::Node { level, rank: leaf }, _) => {
                if dimension.missing() == Some(rank) {
                    Self::is_star(dimension, *level, *leaf)
                } else {
                    dimension.node(*level, *leaf) == dimension.node(*level, rank)
                }
            }
        }
    }

    /// Whether a node is the one that stands for missing values too.
    fn is_star(dimension: &Dimension, level: usize, rank: u32) -> bool {
        level == dimension.height() && level > 0 && dimension.node_label(level, rank) == SUPPRESSED
    }

    /// The released label; `None` for a missing value.
    ///
    /// A single value is itself; an interval is closed: `[20, 29]`; sets are in the order of values: `{DE, FR}`; missing values show: `{[20, 29], (missing)}`.
    /// All of a domain of several values is `*`. In sets, commas, braces and backslashes of values are preceded by a backslash, and so is a value that
    /// reads `(missing)`.
    pub(super) fn label(&self, dimension: &Dimension) -> Option<String> {
        let all_missing = dimension.missing().is_some();
        let star = || Some(SUPPRESSED.to_owned());
        match self {
            Self::Missing => None,
            Self::Node { level, rank } => Some(dimension.node_label(*level, *rank).to_owned()),
            Self::Set(set) => {
                if set.len() > 1 && set.len() == dimension.domain() {
                    return star();
                }
                if let [one] = **set {
                    return Some(dimension.text(one).to_owned());
                }
                let texts: Vec<String> = set
                    .iter()
                    .map(|&rank| if dimension.missing() == Some(rank) { MISSING.to_owned() } else { escape(dimension.text(rank)) })
                    .collect();
                Some(format!("{{{}}}", texts.join(", ")))
            }
            Self::Range { low, high, missing } => {
                let values = match dimension.kind() {
                    DimensionKind::Tree => {
                        let level = dimension.common_level(*low, *high);
                        let label = dimension.node_label(level, *low);
                        // It stands for missing values too, whether there are any in the class or not.
                        if Self::is_star(dimension, level, *low) {
                            return star();
                        }
                        label.to_owned()
                    }
                    _ if low == high => dimension.text(*low).to_owned(),
                    _ => {
                        let whole = *low == 0 && *high as usize + 1 + usize::from(all_missing) == dimension.domain();
                        if whole && *missing == all_missing {
                            return star();
                        }
                        format!("[{}, {}]", escape(dimension.text(*low)), escape(dimension.text(*high)))
                    }
                };
                match (missing, low == high) {
                    (false, _) => Some(values),
                    (true, _) if dimension.domain() == 2 => star(),
                    (true, false) if dimension.kind() == DimensionKind::Ordered => Some(format!("{{{values}, {MISSING}}}")),
                    (true, _) => Some(format!("{{{}, {MISSING}}}", escape(&values))),
                }
            }
        }
    }

    /// The normalized certainty penalty: 0 for a single value, 1 for the whole domain.
    ///
    /// | kind | penalty |
    /// |---|---|
    /// | ordered | (highest − lowest) / range of the column; 1 if values are missing too |
    /// | categories | (values in the set − 1) / (values in the domain − 1) |
    /// | tree | (leaves below the node − 1) / (leaves of the domain − 1), a missing value being one more leaf |
    #[expect(clippy::cast_precision_loss, reason = "counts of distinct values")]
    pub(super) fn penalty(&self, dimension: &Dimension) -> f64 {
        let domain = |dimension: &Dimension| (dimension.tree_leaves() + u64::from(dimension.missing().is_some())) as f64;
        let share = |part: f64, whole: f64| if whole > 1.0 { (part - 1.0) / (whole - 1.0) } else { 0.0 };
        match (self, dimension.kind()) {
            (Self::Missing, _) => 0.0,
            (Self::Set(set), _) => share(set.len() as f64, dimension.domain() as f64),
            (Self::Range { low, high, missing }, DimensionKind::Tree) => {
                let level = dimension.common_level(*low, *high);
                let star = Self::is_star(dimension, level, *low) && dimension.missing().is_some();
                let leaves = dimension.node_size(level, *low) + u64::from(*missing || star);
                share(leaves as f64, domain(dimension))
            }
            (Self::Node { level, rank }, _) => {
                let star = Self::is_star(dimension, *level, *rank) && dimension.missing().is_some();
                share((dimension.node_size(*level, *rank) + u64::from(star)) as f64, domain(dimension))
            }
            (Self::Range { missing: true, .. }, _) => 1.0,
            (Self::Range { low, high, .. }, _) => dimension.extent(*low, *high),
        }
    }
}

/// Different ranks of a domain, ascending.
fn distinct(ranks: &[u32], domain: usize) -> Box<[u32]> {
    if domain > 64 {
        let mut set = ranks.to_vec();
        set.sort_unstable();
        set.dedup();
        return set.into();
    }
    let mut seen = ranks.iter().fold(0_u64, |seen, &rank| seen | (1 << rank));
    let mut set = Vec::with_capacity(seen.count_ones() as usize);
    while seen != 0 {
        set.push(seen.trailing_zeros());
        seen &= seen - 1;
    }
    set.into()
}

/// A member of a set.
fn escape(text: &str) -> String {
    if text == MISSING {
        return format!("\\{text}");
    }
    if !text.contains(['\\', ',', '{', '}']) {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len() + 2);
    for character in text.chars() {
        if matches!(character, '\\' | ',' | '{' | '}') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
