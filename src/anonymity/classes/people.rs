//! Whose rows lie in which parts of a table.
//!
//! A *part* is a tuple or a class. A person is *settled* if all their rows lie in one part: then they count there and nowhere else, and numbers
//! are enough. A person is *spread* if they have rows in several parts: such people are listed by name, because parts that become one share
//! them. The more general the levels, the fewer people are spread.

use super::ClassStatistics;
use super::view::ValueCount;
use crate::error::{Error, Result};
use std::borrow::Cow;

/// Everything that is counted in parts, ready to be added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Rows of every part.
    pub(super) rows: Vec<u64>,
    /// People of the population in every part, if a population was given.
    pub(super) population: Option<Vec<u64>>,
    pub(super) people: People,
    /// One a sensitive column.
    pub(super) sensitive: Vec<Values>,
}

/// People of every part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum People {
    /// Every person has one row in the whole table, so rows are people.
    #[default]
    OneRowEach,
    /// Some people have several rows.
    Counted {
        /// Settled people of every part.
        settled: Vec<u64>,
        /// Rows of the settled person who has most of them; 0 without settled people.
        most: Vec<u64>,
        /// Spread people, with their rows in the part.
        spread: Lists<Visit>,
        /// Spread people in the whole table are numbered below this.
        numbers: u32,
    },
}

/// Rows of one spread person in one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Visit {
    pub(super) person: u32,
    pub(super) rows: u64,
}

/// Values of one sensitive column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Values {
    /// Settled people by value, ascending.
    pub(super) settled: Lists<ValueCount>,
    /// (value, spread person), ascending, each pair once in a part.
    pub(super) spread: Lists<(u32, u32)>,
}

/// One list a part: that of part p is `entries[offsets[p]..offsets[p + 1]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lists<T> {
    offsets: Vec<usize>,
    entries: Vec<T>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { offsets: vec![0], entries: Vec::new() }
    }
}

impl<T> Lists<T> {
    fn with_capacity(parts: usize, entries: usize) -> Self {
        let mut offsets = Vec::with_capacity(parts + 1);
        offsets.push(0);
        Self { offsets, entries: Vec::with_capacity(entries) }
    }

    /// From (part, entry) pairs, ordered by part.
    pub(super) fn from_ordered(parts: usize, pairs: impl IntoIterator<Item = (u32, T)>) -> Self {
        let mut lists = Self::with_capacity(parts, 0);
        for (part, entry) in pairs {
            while lists.offsets.len() <= part as usize {
                lists.close();
            }
            lists.entries.push(entry);
        }
        while lists.offsets.len() <= parts {
            lists.close();
        }
        lists
    }

    fn close(&mut self) {
        self.offsets.push(self.entries.len());
    }

    /// The list of one part; empty if there is no such part.
    pub(super) fn of(&self, part: usize) -> &[T] {
        match (self.offsets.get(part), self.offsets.get(part + 1)) {
            (Some(&start), Some(&end)) => &self.entries[start..end],
            _ => &[],
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The lists of some parts, in their order.
    fn chosen(&self, parts: &[u32]) -> Self
    where
        T: Clone,
    {
        let mut lists = Self::with_capacity(parts.len(), 0);
        for &part in parts {
            lists.entries.extend_from_slice(self.of(part as usize));
            lists.close();
        }
        lists
    }

    fn bytes(&self) -> usize {
        self.offsets.len() * size_of::<usize>() + self.entries.len() * size_of::<T>()
    }
}

impl Lists<ValueCount> {
    /// Adds people up by class and value, where a table of `classes` times `width` values is small.
    fn sum_in_table(&self, of_parts: &[u32], classes: usize, width: usize, scratch: &mut Scratch) -> Self {
        let table = &mut scratch.table;
        table.clear();
        table.resize(classes * width, 0);
        for (&class, bounds) in of_parts.iter().zip(self.offsets.windows(2)) {
            let row = &mut table[class as usize * width..(class as usize + 1) * width];
            for entry in &self.entries[bounds[0]..bounds[1]] {
                row[entry.value as usize] += entry.people;
            }
        }
        let mut sums = Self::with_capacity(classes, table.len().min(self.entries.len()));
        for row in table.chunks_exact(width.max(1)).take(classes) {
            sums.entries.extend((0_u32..).zip(row).filter(|&(_, &people)| people > 0).map(|(value, &people)| ValueCount { value, people }));
            sums.close();
        }
        while sums.offsets.len() <= classes {
            sums.close();
        }
        sums
    }
}

/// Room that is used again from one addition to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// By person: number of the class in which they were seen last, plus 1, and where.
    seen: Vec<(u32, usize)>,
    /// By person: classes in which they have rows.
    classes: Vec<u32>,
    /// By sensitive value, for small values.
    people: Vec<u64>,
    values: Vec<u32>,
    /// By class and value.
    table: Vec<u64>,
}

/// Values below this are counted in an array, others in a sorted list.
const SMALL_VALUES: u32 = 1 << 16;

impl Counts {
    /// Adds parts up: part p becomes a part of class `of_parts[p]`, of which there are `classes`.
    pub(super) fn add_up(&self, of_parts: &[u32], classes: usize, scratch: &mut Scratch) -> Self {
        let sum = |counts: &[u64]| {
            let mut sums = vec![0_u64; classes];
            for (&class, &count) in of_parts.iter().zip(counts) {
                // Bounded by all rows or people, which fit.
                sums[class as usize] += count;
            }
            sums
        };
        let (rows, population) = (sum(&self.rows), self.population.as_deref().map(sum));
        let has_lists = !self.sensitive.is_empty() || matches!(&self.people, People::Counted { spread, .. } if !spread.is_empty());
        let order = if has_lists { Order::new(of_parts, classes) } else { Order::default() };
        let (people, settling) = match &self.people {
            People::OneRowEach => (People::OneRowEach, Settling::Nobody),
            People::Counted { settled, most, spread, numbers } => {
                let mut most_rows = vec![0_u64; classes];
                for (&class, &rows) in of_parts.iter().zip(most) {
                    most_rows[class as usize] = most_rows[class as usize].max(rows);
                }
                let mut settled = sum(settled);
                let mut kept = Lists::default();
                let mut settling = Settling::Nobody;
                if !spread.is_empty() {
                    let merged = merge_visits(spread, &order, classes, *numbers, scratch);
                    kept = Lists::with_capacity(classes, merged.entries.len());
                    for class in 0..classes {
                        for visit in merged.of(class) {
                            if scratch.classes[visit.person as usize] == 1 {
                                settled[class] += 1;
                                most_rows[class] = most_rows[class].max(visit.rows);
                            } else {
                                kept.entries.push(*visit);
                            }
                        }
                        kept.close();
                    }
                    settling = Settling::Some;
                }
                (People::Counted { settled, most: most_rows, spread: kept, numbers: *numbers }, settling)
            }
        };
        let sensitive = self.sensitive.iter().map(|values| values.add_up(of_parts, &order, classes, &settling, scratch)).collect();
        Self { rows, population, people, sensitive }
    }

    /// The counts of some parts, in their order, without the population.
    pub(super) fn chosen(&self, parts: &[u32]) -> Self {
        let pick = |counts: &[u64]| parts.iter().map(|&part| counts[part as usize]).collect();
        Self {
            rows: pick(&self.rows),
            population: None,
            people: match &self.people {
                People::OneRowEach => People::OneRowEach,
                // Somebody who is spread may be left with one part; adding parts up settles them.
                People::Counted { settled, most, spread, numbers } => {
                    People::Counted { settled: pick(settled), most: pick(most), spread: spread.chosen(parts), numbers: *numbers }
                }
            },
            sensitive: self
                .sensitive
                .iter()
                .map(|values| Values { settled: values.settled.chosen(parts), spread: values.spread.chosen(parts) })
                .collect(),
        }
    }

    /// Rows and people of one part.
    pub(super) fn statistics(&self, part: usize) -> ClassStatistics {
        let rows = self.rows[part];
        match &self.people {
            People::OneRowEach => ClassStatistics { rows, subjects: rows, max_rows_of_a_subject: rows.min(1) },
            People::Counted { settled, most, spread, .. } => {
                let visits = spread.of(part);
                let most_of_spread = visits.iter().map(|visit| visit.rows).max().unwrap_or(0);
                ClassStatistics {
                    rows,
                    subjects: settled[part] + visits.len() as u64,
                    max_rows_of_a_subject: most[part].max(most_of_spread),
                }
            }
        }
    }

    /// About so many bytes.
    pub(super) fn bytes(&self) -> usize {
        let word = size_of::<u64>();
        let people = match &self.people {
            People::OneRowEach => 0,
            People::Counted { settled, most, spread, .. } => word * (settled.len() + most.len()) + spread.bytes(),
        };
        let sensitive: usize = self.sensitive.iter().map(|values| values.settled.bytes() + values.spread.bytes()).sum();
        word * (self.rows.len() + self.population.as_ref().map_or(0, Vec::len)) + people + sensitive
    }
}

/// Whether spread people may have become settled.
enum Settling {
    Nobody,
    Some,
}

/// Parts ordered by class.
#[derive(Debug, Default)]
struct Order {
    parts: Vec<u32>,
    starts: Vec<usize>,
}

impl Order {
    fn new(of_parts: &[u32], classes: usize) -> Self {
        let mut starts = vec![0_usize; classes + 1];
        for &class in of_parts {
            starts[class as usize + 1] += 1;
        }
        for class in 0..classes {
            starts[class + 1] += starts[class];
        }
        let mut next = starts.clone();
        let mut parts = vec![0_u32; of_parts.len()];
        for (part, &class) in (0_u32..).zip(of_parts) {
            parts[next[class as usize]] = part;
            next[class as usize] += 1;
        }
        Self { parts, starts }
    }

    fn of(&self, class: usize) -> &[u32] {
        &self.parts[self.starts[class]..self.starts[class + 1]]
    }
}

/// Adds up the rows of every spread person in every class; leaves the number of classes of every person in the scratch.
fn merge_visits(spread: &Lists<Visit>, order: &Order, classes: usize, numbers: u32, scratch: &mut Scratch) -> Lists<Visit> {
    scratch.seen.clear();
    scratch.seen.resize(numbers as usize, (0, 0));
    scratch.classes.clear();
    scratch.classes.resize(numbers as usize, 0);
    let mut merged: Lists<Visit> = Lists::with_capacity(classes, spread.entries.len());
    for (mark, class) in (1_u32..).zip(0..classes) {
        for &part in order.of(class) {
            for visit in spread.of(part as usize) {
                let seen = &mut scratch.seen[visit.person as usize];
                if seen.0 == mark {
                    merged.entries[seen.1].rows += visit.rows;
                } else {
                    *seen = (mark, merged.entries.len());
                    scratch.classes[visit.person as usize] += 1;
                    merged.entries.push(*visit);
                }
            }
        }
        merged.close();
    }
    merged
}

impl Values {
    fn add_up(&self, of_parts: &[u32], order: &Order, classes: usize, settling: &Settling, scratch: &mut Scratch) -> Self {
        let width = self.settled.entries.iter().map(|entry| entry.value as usize + 1).max().unwrap_or(0);
        if matches!(settling, Settling::Nobody) && width.saturating_mul(classes) <= 4 * self.settled.entries.len() {
            return Self { settled: self.settled.sum_in_table(of_parts, classes, width, scratch), spread: Lists::default() };
        }
        let mut settled = Lists::with_capacity(classes, self.settled.entries.len().min(classes * 8));
        let mut spread = Lists::with_capacity(classes, 0);
        let (mut pairs, mut newly): (Vec<(u32, u32)>, Vec<ValueCount>) = (Vec::new(), Vec::new());
        for class in 0..classes {
            let parts = order.of(class);
            newly.clear();
            if matches!(settling, Settling::Some) {
                pairs.clear();
                pairs.extend(parts.iter().flat_map(|&part| self.spread.of(part as usize)));
                pairs.sort_unstable();
                // Several parts of one person with one value have become one class.
                pairs.dedup();
                for &(value, person) in &pairs {
                    if scratch.classes[person as usize] == 1 {
                        newly.push(ValueCount { value, people: 1 });
                    } else {
                        spread.entries.push((value, person));
                    }
                }
                spread.close();
            }
            if let ([part], true) = (parts, newly.is_empty()) {
                settled.entries.extend_from_slice(self.settled.of(*part as usize));
            } else {
                let lists = parts.iter().map(|&part| self.settled.of(part as usize)).chain([newly.as_slice()]);
                sum_by_value(lists, &mut settled.entries, scratch);
            }
            settled.close();
        }
        if matches!(settling, Settling::Nobody) {
            spread = Lists::default();
        }
        Self { settled, spread }
    }

    /// People by value in one part, the spread ones too.
    pub(super) fn of(&self, part: usize) -> Cow<'_, [ValueCount]> {
        let (settled, spread) = (self.settled.of(part), self.spread.of(part));
        if spread.is_empty() {
            return Cow::Borrowed(settled);
        }
        let mut all = settled.to_vec();
        all.extend(spread.iter().map(|&(value, _)| ValueCount { value, people: 1 }));
        add_same_values(&mut all);
        Cow::Owned(all)
    }
}

pub(super) fn add_same_values(all: &mut Vec<ValueCount>) {
    all.sort_unstable();
    all.dedup_by(|next, first| {
        let same = next.value == first.value;
        if same {
            first.people += next.people;
        }
        same
    });
}

/// Adds up lists by value and appends the sums, ascending by value.
pub(super) fn sum_by_value<'a>(lists: impl Iterator<Item = &'a [ValueCount]>, sums: &mut Vec<ValueCount>, scratch: &mut Scratch) {
    let start = sums.len();
    scratch.values.clear();
    let mut highest = 0;
    for entry in lists.flatten() {
        if entry.value >= SMALL_VALUES {
            sums.push(*entry);
            continue;
        }
        let index = entry.value as usize;
        if scratch.people.len() <= index {
            scratch.people.resize(index + 1, 0);
        }
        if scratch.people[index] == 0 {
            scratch.values.push(entry.value);
            highest = highest.max(entry.value);
        }
        scratch.people[index] += entry.people;
    }
    let large = sums.len() > start;
    let mut take = |value: u32| {
        let people = std::mem::take(&mut scratch.people[value as usize]);
        if people > 0 {
            sums.push(ValueCount { value, people });
        }
    };
    if (highest as usize) < 8 * scratch.values.len() {
        (0..=highest).for_each(&mut take);
    } else {
        scratch.values.sort_unstable();
        scratch.values.iter().copied().for_each(&mut take);
    }
    if large {
        let mut tail = sums.split_off(start);
        add_same_values(&mut tail);
        sums.append(&mut tail);
    }
}

/// More than counters hold.
pub(super) fn too_many() -> Error {
    Error::Parameter { name: "rows", problem: "are more than the counters can hold".to_owned() }
}

/// Adds one count to another.
pub(super) fn add(total: &mut u64, count: u64) -> Result<()> {
    *total = total.checked_add(count).ok_or_else(too_many)?;
    Ok(())
}
