//! Where the values of a column can be cut.

use super::dimension::{Dimension, DimensionKind};

/// A way to divide units by the rank of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cut {
    /// Ranks up to this one, and those above.
    After(u32),
    /// The ranks of a set, ascending, and the others.
    Set(Vec<u32>),
    /// Ranges of ranks that begin here; the first begins at 0.
    Starts(Vec<u32>),
    /// Ranks below, and of those equal to it the first so many units; the others.
    Within(u32, usize),
}

impl Cut {
    pub(super) fn parts(&self) -> usize {
        if let Self::Starts(starts) = self { starts.len() } else { 2 }
    }

    /// The part of a unit. `equal` counts the units of the rank at which [`Cut::Within`] cuts.
    pub(super) fn part(&self, rank: u32, equal: &mut usize) -> usize {
        match self {
            Self::After(last) => usize::from(rank > *last),
            Self::Set(set) => usize::from(set.binary_search(&rank).is_err()),
            Self::Starts(starts) => starts.partition_point(|&start| start <= rank) - 1,
            Self::Within(median, first) => {
                *equal += usize::from(rank == *median);
                usize::from(rank > *median || (rank == *median && *equal > *first))
            }
        }
    }
}

/// Rows by rank in one set of units, ascending, and the number of units.
pub(super) type Histogram = Vec<(u32, u64, usize)>;

/// Cuts of strict partitioning in the order in which they are tried.
pub(super) fn strict(dimension: &Dimension, histogram: &Histogram, disjoint: bool, cuts: &mut Vec<Cut>) {
    if histogram.len() < 2 {
        return;
    }
    match dimension.kind() {
        DimensionKind::Ordered => ordered(dimension, histogram, cuts),
        DimensionKind::Categories => categories(histogram, cuts),
        DimensionKind::Tree => tree(dimension, histogram, disjoint, cuts),
    }
}

/// Missing values apart first; then between two values, the nearest to the median first, the lower of two that are as near.
fn ordered(dimension: &Dimension, histogram: &Histogram, cuts: &mut Vec<Cut>) {
    let rows: u64 = histogram.iter().map(|entry| entry.1).sum();
    let mut last = histogram.len() - 1;
    if let Some(missing) = dimension.missing()
        && histogram[last].0 == missing
    {
        cuts.push(Cut::After(histogram[last - 1].0));
        last -= 1;
    }
    let mut below = 0;
    let between = histogram[..last].iter().map(|entry| {
        below += entry.1;
        ((2 * u128::from(below)).abs_diff(rows.into()), entry.0)
    });
    let between: Vec<(u128, u32)> = between.collect();
    if histogram.iter().any(|entry| entry.1 == 0) {
        let mut between = between;
        between.sort_unstable();
        cuts.extend(between.into_iter().map(|(_, rank)| Cut::After(rank)));
        return;
    }
    // Distances fall up to the median and grow after it.
    let median = between.windows(2).position(|pair| pair[0].0 <= pair[1].0).unwrap_or(between.len().saturating_sub(1));
    let (mut before, mut after) = (median, median);
    while before > 0 || after < between.len() {
        if after == between.len() || (before > 0 && between[before - 1] < between[after]) {
            before -= 1;
            cuts.push(Cut::After(between[before].1));
        } else {
            cuts.push(Cut::After(between[after].1));
            after += 1;
        }
    }
}

/// Two sets of about as many rows: the most frequent values first, each to the set that has fewer rows. Then every value against the others, the most frequent first.
fn categories(histogram: &Histogram, cuts: &mut Vec<Cut>) {
    let mut order: Vec<(u64, u32)> = histogram.iter().map(|entry| (entry.1, entry.0)).collect();
    order.sort_unstable_by(|one, two| two.0.cmp(&one.0).then(one.1.cmp(&two.1)));
    let (mut set, mut rows) = (Vec::new(), (0_u128, 0_u128));
    for &(count, rank) in &order {
        if rows.0 <= rows.1 {
            set.push(rank);
            rows.0 += u128::from(count);
        } else {
            rows.1 += u128::from(count);
        }
    }
    let balanced_is_single = set.len() == 1;
    set.sort_unstable();
    let first = set.clone();
    cuts.push(Cut::Set(set));
    let skip = if balanced_is_single { first.first().copied() } else { None };
    if order.len() > 2 {
        cuts.extend(order.iter().filter(|entry| Some(entry.1) != skip).map(|&(_, rank)| Cut::Set(vec![rank])));
    }
}

/// Missing values apart first; then the children of the lowest common node; then one child against the others, the most frequent first. The others keep the
/// label of the node, so this is left out where classes must not overlap.
fn tree(dimension: &Dimension, histogram: &Histogram, disjoint: bool, cuts: &mut Vec<Cut>) {
    let (mut values, mut last) = (&histogram[..], histogram.len() - 1);
    let missing = dimension.missing().filter(|&missing| histogram[last].0 == missing);
    if missing.is_some() {
        values = &values[..last];
        last -= 1;
        cuts.push(Cut::After(values[last].0));
    }
    let (low, high) = (values[0].0, values[last].0);
    if low == high {
        return;
    }
    let level = dimension.common_level(low, high) - 1;
    let mut children: Vec<(u32, u64)> = Vec::new();
    for &(rank, rows, _) in values {
        match children.last_mut() {
            Some(child) if dimension.node(level, child.0) == dimension.node(level, rank) => child.1 += rows,
            _ => children.push((rank, rows)),
        }
    }
    let mut starts: Vec<u32> = children.iter().map(|child| dimension.node_range(level, child.0).0).collect();
    let ends: Vec<u32> = children.iter().map(|child| dimension.node_range(level, child.0).1).collect();
    let firsts = starts.clone();
    starts[0] = 0;
    starts.extend(missing);
    cuts.push(Cut::Starts(starts));
    if disjoint || (children.len() == 2 && missing.is_none()) {
        return;
    }
    let mut order: Vec<usize> = (0..children.len()).collect();
    order.sort_by_key(|&child| std::cmp::Reverse(children[child].1));
    let occurring = |child: usize| {
        let inside = values.iter().map(|entry| entry.0).filter(|rank| (firsts[child]..=ends[child]).contains(rank));
        Cut::Set(inside.collect())
    };
    cuts.extend(order.into_iter().map(occurring));
}

/// The median cut that divides the units of one value, if a value has rows on both sides of the median. Units are equal in weight here.
pub(super) fn relaxed(dimension: &Dimension, histogram: &Histogram) -> Option<Cut> {
    let has_missing = histogram.last().is_some_and(|last| Some(last.0) == dimension.missing());
    if dimension.kind() != DimensionKind::Ordered || histogram.len() < 2 || has_missing {
        return None;
    }
    let units: usize = histogram.iter().map(|entry| entry.2).sum();
    let mut below = 0;
    for &(rank, _, here) in histogram {
        if below + here > units / 2 {
            let first = units / 2 - below;
            return (first > 0).then_some(Cut::Within(rank, first));
        }
        below += here;
    }
    None
}
