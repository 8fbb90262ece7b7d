//! Recursive partitioning: a set of units is cut until no cut is allowed.

use super::cuts::{Cut, Histogram, relaxed, strict};
use super::dimension::{Dimension, DimensionKind};
use super::judge::Judge;
use std::ops::Range;

/// What is divided: units (tuples or rows) with their ranks, column by column. A class is a run of units.
#[derive(Debug)]
pub(super) struct Units {
    /// One a column, one entry a unit.
    pub(super) columns: Vec<Vec<u32>>,
    /// Numbers of the units.
    pub(super) numbers: Vec<u32>,
    /// Rows of the units.
    pub(super) rows: Vec<u64>,
}

/// What may be cut how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) dimensions: &'a [Dimension],
    /// Units of one value may go to different parts.
    pub(super) relaxed: bool,
    /// Labels of different classes must not overlap.
    pub(super) disjoint: bool,
    /// Units up to which all columns are tried and the cut is taken after which least is lost.
    pub(super) look_ahead: usize,
}

/// Units from which a second thread is worth it.
const UNITS_FOR_THREADS: usize = 16_384;
/// Cuts that are tried in one column, where counting people is what decides.
const MOST_COUNTED: usize = 64;
/// Values are counted in an array where there are no more than so many for each unit.
const ENTRIES_A_UNIT: usize = 8;

impl Units {
    /// Divides all units, and gives the lengths of the classes. The order of classes and what is in them do not depend on the number of threads.
    pub(super) fn partition(&mut self, rules: Rules<'_>, judge: &mut Judge<'_>, threads: usize) -> Vec<usize> {
        let all = self.numbers.len();
        if all == 0 {
            return Vec::new();
        }
        let columns = self.columns.iter_mut().map(Vec::as_mut_slice).collect();
        let slice = Slice { columns, numbers: &mut self.numbers, rows: &mut self.rows };
        Worker::new(rules, judge).grow(slice, std::iter::once(0..all).collect(), threads)
    }
}

/// A run of units.
struct Slice<'a> {
    columns: Vec<&'a mut [u32]>,
    numbers: &'a mut [u32],
    rows: &'a mut [u64],
}

impl<'a> Slice<'a> {
    fn split(self, at: usize) -> (Self, Self) {
        let (numbers, other_numbers) = self.numbers.split_at_mut(at);
        let (rows, other_rows) = self.rows.split_at_mut(at);
        let (mut columns, mut others) = (Vec::with_capacity(self.columns.len()), Vec::with_capacity(self.columns.len()));
        for column in self.columns {
            let (one, two): (&'a mut [u32], &'a mut [u32]) = column.split_at_mut(at);
            columns.push(one);
            others.push(two);
        }
        (Self { columns, numbers, rows }, Self { columns: others, numbers: other_numbers, rows: other_rows })
    }
}

/// One thread with its room.
struct Worker<'a, 'b, 'c> {
    rules: Rules<'a>,
    judge: &'b mut Judge<'c>,
    room: Room,
}

#[derive(Default)]
struct Room {
    counts: Vec<(u64, u32)>,
    pairs: Vec<(u32, u64)>,
    parts: Vec<u8>,
    words: Vec<u32>,
    wide: Vec<u64>,
    cuts: Vec<Cut>,
    numbers: Vec<Vec<u32>>,
    histogram: Histogram,
    /// All bits for the units of the second part, none for those of the first.
    masks: Vec<u32>,
    /// Values that were seen.
    seen: Vec<u64>,
}

impl<'a, 'b, 'c> Worker<'a, 'b, 'c> {
    fn new(rules: Rules<'a>, judge: &'b mut Judge<'c>) -> Self {
        Self { rules, judge, room: Room::default() }
    }

    /// Cuts runs of units until no cut is allowed; the runs follow each other without gaps.
    fn grow(&mut self, mut slice: Slice<'_>, mut runs: Vec<Range<usize>>, threads: usize) -> Vec<usize> {
        let all = slice.numbers.len();
        if threads < 2 || all < UNITS_FOR_THREADS {
            return self.grow_alone(slice, runs);
        }
        if let [_] = runs[..] {
            runs = self.cut(&mut slice, 0..all);
            if let [_] = runs[..] {
                return vec![all];
            }
        }
        // The run after which the halves differ least.
        let half = (1..runs.len()).min_by_key(|&run| runs[run].start.abs_diff(all / 2)).unwrap_or(1);
        let at = runs[half].start;
        let others: Vec<_> = runs.split_off(half).into_iter().map(|run| run.start - at..run.end - at).collect();
        let (one, two) = slice.split(at);
        let mut judge = self.judge.another();
        let rules = self.rules;
        let (mut lengths, rest) = std::thread::scope(|scope| {
            let handle = scope.spawn(move || Worker::new(rules, &mut judge).grow(two, others, threads - threads / 2));
            let lengths = self.grow(one, runs, threads / 2);
            (lengths, handle.join())
        });
        match rest {
            Ok(rest) => lengths.extend(rest),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        lengths
    }

    fn grow_alone(&mut self, mut slice: Slice<'_>, mut runs: Vec<Range<usize>>) -> Vec<usize> {
        let mut lengths = Vec::new();
        runs.reverse();
        while let Some(run) = runs.pop() {
            let parts = self.cut(&mut slice, run.clone());
            if let [_] = parts[..] {
                lengths.push(run.len());
            } else {
                runs.extend(parts.into_iter().rev());
            }
        }
        lengths
    }

    /// Cuts one run if that is allowed, in the column whose values are spread widest; puts the units of each part together and gives the parts.
    fn cut(&mut self, slice: &mut Slice<'_>, run: Range<usize>) -> Vec<Range<usize>> {
        let rows: u64 = slice.rows[run.clone()].iter().sum();
        if run.len() < 2 || self.judge.too_few_to_cut(rows) {
            return vec![run];
        }
        let mut order: Vec<(f64, usize)> = (0..slice.columns.len())
            .map(|column| (self.spread(&slice.columns[column][run.clone()], column), column))
            .filter(|&(spread, _)| spread > 0.0)
            .collect();
        order.sort_by(|one, two| two.0.total_cmp(&one.0));
        let ahead = run.len() <= self.rules.look_ahead;
        let mut best: Option<(f64, usize, Cut)> = None;
        for (_, column) in order {
            let histogram = self.histogram(slice, &run, column);
            let cut = self.allowed(slice, &run, column, &histogram);
            self.room.histogram = histogram;
            let Some(cut) = cut else { continue };
            if !ahead {
                return self.divide(slice, run, column, &cut);
            }
            let lost = self.lost(slice, &run, column, &cut);
            if best.as_ref().is_none_or(|best| lost < best.0) {
                best = Some((lost, column, cut));
            }
        }
        match best {
            Some((_, column, cut)) => self.divide(slice, run, column, &cut),
            None => vec![run],
        }
    }

    /// What the parts of a cut would still be spread over: the sum over columns, weighted by rows.
    fn lost(&mut self, slice: &Slice<'_>, run: &Range<usize>, column: usize, cut: &Cut) -> f64 {
        if cut.parts() == 2 { self.lost_in_two(slice, run, column, cut) } else { self.lost_in_many(slice, run, column, cut) }
    }

    /// The usual case, which decides how long looking ahead takes: nothing is moved.
    #[expect(clippy::cast_precision_loss, reason = "a measure to choose by")]
    fn lost_in_two(&mut self, slice: &Slice<'_>, run: &Range<usize>, column: usize, cut: &Cut) -> f64 {
        let Room { masks, seen, .. } = &mut self.room;
        masks.clear();
        let ranks = &slice.columns[column][run.clone()];
        if let Cut::After(last) = *cut {
            masks.extend(ranks.iter().map(|&rank| if rank > last { u32::MAX } else { 0 }));
        } else {
            let mut equal = 0;
            masks.extend(ranks.iter().map(|&rank| if cut.part(rank, &mut equal) == 0 { 0 } else { u32::MAX }));
        }
        let (mut first, mut second) = (0, 0);
        for (&mask, &rows) in masks.iter().zip(&slice.rows[run.clone()]) {
            let (first_rows, second_rows) = if mask == 0 { (rows, 0) } else { (0, rows) };
            first += first_rows;
            second += second_rows;
        }
        let mut lost = 0.0;
        for (other, dimension) in self.rules.dimensions.iter().enumerate() {
            let ranks = &slice.columns[other][run.clone()];
            let (one, two) = if dimension.kind() == DimensionKind::Categories {
                let (one, two) = distinct_in_two(ranks, masks, dimension.domain(), seen);
                (share_of_categories(one, dimension), share_of_categories(two, dimension))
            } else {
                let (one, two) = ends_in_two(ranks, masks);
                (share_between(one, dimension), share_between(two, dimension))
            };
            lost += one * first as f64;
            lost += two * second as f64;
        }
        lost
    }

    #[expect(clippy::cast_precision_loss, reason = "a measure to choose by")]
    fn lost_in_many(&mut self, slice: &Slice<'_>, run: &Range<usize>, column: usize, cut: &Cut) -> f64 {
        let mut equal = 0;
        let parts: Vec<usize> = slice.columns[column][run.clone()].iter().map(|&rank| cut.part(rank, &mut equal)).collect();
        let mut of_parts: Vec<Vec<u32>> = vec![Vec::new(); cut.parts()];
        let mut rows = vec![0_u64; cut.parts()];
        parts.iter().zip(&slice.rows[run.clone()]).for_each(|(&part, &of_unit)| rows[part] += of_unit);
        let mut lost = 0.0;
        for other in 0..slice.columns.len() {
            of_parts.iter_mut().for_each(Vec::clear);
            parts.iter().zip(&slice.columns[other][run.clone()]).for_each(|(&part, &rank)| of_parts[part].push(rank));
            for (ranks, &rows) in of_parts.iter().zip(&rows).filter(|(ranks, _)| !ranks.is_empty()) {
                lost += self.spread(ranks, other) * rows as f64;
            }
        }
        lost
    }

    /// Share of its domain over which a column is spread; 0 if all values are equal.
    fn spread(&mut self, ranks: &[u32], column: usize) -> f64 {
        let dimension = &self.rules.dimensions[column];
        if dimension.kind() == DimensionKind::Categories {
            return share_of_categories(distinct(ranks, dimension.domain(), &mut self.room.seen), dimension);
        }
        share_between(ends(ranks), dimension)
    }

    fn histogram(&mut self, slice: &Slice<'_>, run: &Range<usize>, column: usize) -> Histogram {
        let (ranks, rows) = (&slice.columns[column][run.clone()], &slice.rows[run.clone()]);
        let (low, high) = ends(ranks);
        let width = (high - low) as usize + 1;
        let mut histogram = std::mem::take(&mut self.room.histogram);
        histogram.clear();
        if width <= ENTRIES_A_UNIT * ranks.len() {
            let counts = &mut self.room.counts;
            counts.clear();
            counts.resize(width, (0, 0));
            for (&rank, &rows) in ranks.iter().zip(rows) {
                let count = &mut counts[(rank - low) as usize];
                *count = (count.0 + rows, count.1 + 1);
            }
            let seen = (low..=high).zip(&*counts).filter(|(_, count)| count.1 > 0);
            histogram.extend(seen.map(|(rank, count)| (rank, count.0, count.1 as usize)));
        } else {
            let pairs = &mut self.room.pairs;
            pairs.clear();
            pairs.extend(ranks.iter().copied().zip(rows.iter().copied()));
            pairs.sort_unstable();
            for &(rank, rows) in &*pairs {
                match histogram.last_mut() {
                    Some(last) if last.0 == rank => *last = (rank, last.1 + rows, last.2 + 1),
                    _ => histogram.push((rank, rows, 1)),
                }
            }
        }
        histogram
    }

    /// The first cut of a column all of whose parts satisfy the models.
    fn allowed(&mut self, slice: &Slice<'_>, run: &Range<usize>, column: usize, histogram: &Histogram) -> Option<Cut> {
        let dimension = &self.rules.dimensions[column];
        let mut cuts = std::mem::take(&mut self.room.cuts);
        cuts.clear();
        if self.rules.relaxed {
            cuts.extend(relaxed(dimension, histogram));
        }
        strict(dimension, histogram, self.rules.disjoint, &mut cuts);
        let counted = !self.judge.rows_suffice();
        let tries = if counted { MOST_COUNTED } else { usize::MAX };
        let found = cuts
            .iter()
            .take(tries)
            .find(|cut| if counted { self.people_hold(slice, run, column, cut) } else { rows_hold(self.judge, histogram, cut) });
        let found = found.cloned();
        self.room.cuts = cuts;
        found
    }

    fn people_hold(&mut self, slice: &Slice<'_>, run: &Range<usize>, column: usize, cut: &Cut) -> bool {
        let lists = &mut self.room.numbers;
        lists.resize_with(cut.parts().max(lists.len()), Vec::new);
        lists.iter_mut().for_each(Vec::clear);
        let mut equal = 0;
        for (&rank, &number) in slice.columns[column][run.clone()].iter().zip(&slice.numbers[run.clone()]) {
            lists[cut.part(rank, &mut equal)].push(number);
        }
        self.room.numbers.iter().take(cut.parts()).all(|part| self.judge.hold(part))
    }

    /// Puts the units of each part together, in the order in which they were.
    fn divide(&mut self, slice: &mut Slice<'_>, run: Range<usize>, column: usize, cut: &Cut) -> Vec<Range<usize>> {
        let room = &mut self.room;
        let mut ends = vec![0; cut.parts()];
        let mut equal = 0;
        if let (Cut::After(last), true) = (cut, cut.parts() == 2) {
            // The usual case.
            room.parts.clear();
            room.parts.extend(slice.columns[column][run.clone()].iter().map(|rank| u8::from(rank > last)));
            ends[1] = room.parts.iter().map(|&part| usize::from(part)).sum();
            ends[0] = run.len() - ends[1];
            for column in &mut slice.columns {
                two_parts(&mut column[run.clone()], &room.parts, &mut room.words);
            }
            two_parts(&mut slice.numbers[run.clone()], &room.parts, &mut room.words);
            two_parts(&mut slice.rows[run.clone()], &room.parts, &mut room.wide);
        } else {
            let parts: Vec<usize> = slice.columns[column][run.clone()].iter().map(|&rank| cut.part(rank, &mut equal)).collect();
            for &part in &parts {
                ends[part] += 1;
            }
            let mut order: Vec<usize> = (0..run.len()).collect();
            order.sort_by_key(|&unit| parts[unit]);
            for column in &mut slice.columns {
                reorder(&mut column[run.clone()], &order, &mut room.words);
            }
            reorder(&mut slice.numbers[run.clone()], &order, &mut room.words);
            reorder(&mut slice.rows[run.clone()], &order, &mut room.wide);
        }
        let mut start = run.start;
        let ranges = ends.into_iter().filter(|&length| length > 0).map(|length| {
            start += length;
            start - length..start
        });
        ranges.collect()
    }
}

/// The lowest and the highest rank.
fn ends(ranks: &[u32]) -> (u32, u32) {
    ranks.iter().fold((u32::MAX, 0), |(low, high), &rank| (low.min(rank), high.max(rank)))
}

/// The same for each of two parts. Without a branch, which nothing could predict.
fn ends_in_two(ranks: &[u32], masks: &[u32]) -> ((u32, u32), (u32, u32)) {
    let mut ends = ((u32::MAX, 0), (u32::MAX, 0));
    for (&rank, &mask) in ranks.iter().zip(masks) {
        let (one, two) = (&mut ends.0, &mut ends.1);
        *one = (one.0.min(rank | mask), one.1.max(rank & !mask));
        *two = (two.0.min(rank | !mask), two.1.max(rank & mask));
    }
    ends
}

/// Different values of a domain; `seen` is room.
fn distinct(ranks: &[u32], domain: usize, seen: &mut Vec<u64>) -> usize {
    if domain <= 64 {
        return ranks.iter().fold(0_u64, |seen, &rank| seen | (1 << rank)).count_ones() as usize;
    }
    seen.clear();
    if domain.div_ceil(64) > ENTRIES_A_UNIT * ranks.len() {
        seen.extend(ranks.iter().map(|&rank| u64::from(rank)));
        seen.sort_unstable();
        seen.dedup();
        return seen.len();
    }
    seen.resize(domain.div_ceil(64), 0);
    for &rank in ranks {
        seen[rank as usize / 64] |= 1 << (rank % 64);
    }
    seen.iter().map(|word| word.count_ones() as usize).sum()
}

/// The same for each of two parts.
fn distinct_in_two(ranks: &[u32], masks: &[u32], domain: usize, seen: &mut Vec<u64>) -> (usize, usize) {
    let wide = |mask: u32| if mask == 0 { 0 } else { u64::MAX };
    if domain <= 64 {
        let words = ranks.iter().zip(masks).fold((0_u64, 0_u64), |(one, two), (&rank, &mask)| {
            let (bit, mask) = (1 << rank, wide(mask));
            (one | (bit & !mask), two | (bit & mask))
        });
        return (words.0.count_ones() as usize, words.1.count_ones() as usize);
    }
    seen.clear();
    let words = domain.div_ceil(64);
    if words > ENTRIES_A_UNIT * ranks.len() {
        // The part is above the rank.
        seen.extend(ranks.iter().zip(masks).map(|(&rank, &mask)| u64::from(mask) << 32 | u64::from(rank)));
        seen.sort_unstable();
        seen.dedup();
        let first = seen.partition_point(|&value| u32::try_from(value).is_ok());
        return (first, seen.len() - first);
    }
    seen.resize(2 * words, 0);
    for (&rank, &mask) in ranks.iter().zip(masks) {
        seen[words * (mask & 1) as usize + rank as usize / 64] |= 1 << (rank % 64);
    }
    let ones = |words: &[u64]| words.iter().map(|word| word.count_ones() as usize).sum();
    (ones(&seen[..words]), ones(&seen[words..]))
}

#[expect(clippy::cast_precision_loss, reason = "counts of distinct values")]
fn share_of_categories(distinct: usize, dimension: &Dimension) -> f64 {
    if distinct < 2 { 0.0 } else { (distinct as f64 - 1.0) / (dimension.domain() as f64 - 1.0) }
}

/// Ordered columns and trees: the share of the domain between the lowest and the highest rank.
#[expect(clippy::cast_precision_loss, reason = "counts of distinct values")]
fn share_between((low, high): (u32, u32), dimension: &Dimension) -> f64 {
    if low >= high {
        return 0.0;
    }
    if dimension.missing() == Some(high) {
        return 1.0;
    }
    if dimension.kind() == DimensionKind::Tree {
        let leaves = dimension.node_size(dimension.common_level(low, high), low);
        return (leaves as f64 - 1.0) / (dimension.tree_leaves() as f64 - 1.0);
    }
    // Distinct numbers may be too near for a float.
    dimension.extent(low, high).max(f64::MIN_POSITIVE)
}

fn rows_hold(judge: &Judge<'_>, histogram: &Histogram, cut: &Cut) -> bool {
    if let Cut::After(last) = *cut {
        let (mut below, mut above) = (0, 0);
        for &(rank, rows, _) in histogram {
            *if rank > last { &mut above } else { &mut below } += rows;
        }
        return judge.rows_hold(below) && judge.rows_hold(above);
    }
    let mut rows = vec![0_u64; cut.parts()];
    for &(rank, of_rank, units) in histogram {
        match *cut {
            Cut::Within(median, first) if rank == median => {
                // Units are rows here.
                rows[0] += first as u64;
                rows[1] += (units - first) as u64;
            }
            _ => rows[cut.part(rank, &mut 0)] += of_rank,
        }
    }
    rows.iter().all(|&rows| judge.rows_hold(rows))
}

/// Every value is written to both ends, as no branch could be predicted.
fn two_parts<T: Copy + Default>(values: &mut [T], parts: &[u8], room: &mut Vec<T>) {
    room.clear();
    room.resize(values.len(), T::default());
    let (mut kept, mut others) = (0, 0);
    for index in 0..values.len() {
        let (value, part) = (values[index], usize::from(parts[index]));
        values[kept] = value;
        room[others] = value;
        kept += 1 - part;
        others += part;
    }
    values[kept..].copy_from_slice(&room[..others]);
}

fn reorder<T: Copy>(values: &mut [T], order: &[usize], room: &mut Vec<T>) {
    room.clear();
    room.extend(order.iter().map(|&unit| values[unit]));
    values.copy_from_slice(room);
}
