//! At most so many rows a person.

use super::chunks::{check_count, code_out_of_range, same_length};
use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;
use std::collections::BinaryHeap;

/// What [`PriorityChunks`] calls with the subject codes and the priorities of a chunk.
pub type VisitPriorities<'a> = &'a mut dyn FnMut(&[u32], &[u64]) -> Result<()>;

/// Rows of (subject code, priority) that can be visited as often as needed.
pub trait PriorityChunks {
    /// Calls `visit` with the subject codes and the priorities of every chunk.
    ///
    /// # Errors
    /// The rows cannot be read again, or `visit` failed.
    fn for_each(&self, visit: VisitPriorities<'_>) -> Result<()>;
}

impl<T: PriorityChunks + ?Sized> PriorityChunks for &T {
    fn for_each(&self, visit: VisitPriorities<'_>) -> Result<()> {
        (**self).for_each(visit)
    }
}

impl PriorityChunks for (&[u32], &[u64]) {
    fn for_each(&self, visit: VisitPriorities<'_>) -> Result<()> {
        visit(self.0, self.1)
    }
}

impl PriorityChunks for [(Vec<u32>, Vec<u64>)] {
    fn for_each(&self, visit: VisitPriorities<'_>) -> Result<()> {
        self.iter().try_for_each(|(subjects, priorities)| visit(subjects, priorities))
    }
}

impl PriorityChunks for Vec<(Vec<u32>, Vec<u64>)> {
    fn for_each(&self, visit: VisitPriorities<'_>) -> Result<()> {
        self.as_slice().for_each(visit)
    }
}

/// Which rows of a person stay: those below `threshold`, and `ties` of those equal to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) threshold: u64,
    pub(super) ties: u64,
}

impl Limit {
    /// From the `max` smallest priorities of a person.
    pub(super) fn of(smallest: &BinaryHeap<u64>) -> Option<Self> {
        let threshold = *smallest.peek()?;
        Some(Self { threshold, ties: smallest.iter().filter(|&&priority| priority == threshold).count() as u64 })
    }
}

/// Which rows a cap on each person's rows keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cap {
    /// For each subject the place of its limit, or `UNLIMITED`.
    places: Vec<u32>,
    limits: Vec<Limit>,
    rows: u64,
    kept: u64,
}

const UNLIMITED: u32 = u32::MAX;

/// Keeps at most `max` rows of every subject: those with the smallest priorities.
///
/// With priorities from [`row_priorities`](super::row_priorities) the choice depends on the content of the rows alone, never on their order or on the files they came in.
/// Of rows with equal priority, which are identical rows, as many stay as fit. The choice is uniform over a person's *distinct* contents: a content that
/// stands in many rows comes with all of them, up to the cap.
///
/// The rows are visited once to count, and once more for every range of subjects whose queues (8 bytes × `max` for each subject over the cap)
/// fit into `memory_bytes`; there is always room for one. Rows without a subject are not kept: there is nobody to count them for.
///
/// # Errors
/// `max` is 0, a code is not below `subjects`, or the rows cannot be visited.
///
/// # Guarantee
/// No subject keeps more than `max` rows, and exactly min(`max`, own rows).
///
/// ```
/// use backmask::matrix::cap;
/// let (subjects, priorities) = ([0, 0, 0, 1], [30, 10, 20, 99]);
/// let cap = cap(&(&subjects[..], &priorities[..]), 2, 2, 1 << 20)?;
/// let keep = cap.keeper().keep(&subjects, &priorities)?;
/// assert_eq!(keep.iter().collect::<Vec<_>>(), [false, true, true, true]);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn cap(rows: &(impl PriorityChunks + ?Sized), subjects: usize, max: u64, memory_bytes: usize) -> Result<Cap> {
    check_count("subjects", subjects)?;
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    if max == 0 {
        return Err(Error::Parameter {
            name: "max",
            problem: "a cap of 0 rows a person keeps nothing; leave the product out instead".to_owned(),
        });
    }
    let mut counts = vec![0_u64; subjects];
    rows.for_each(&mut |chunk_subjects, priorities| {
        same_length(chunk_subjects.len(), priorities.len())?;
        for &subject in chunk_subjects.iter().filter(|&&subject| subject != NULL_CODE) {
            *counts.get_mut(subject as usize).ok_or_else(|| code_out_of_range("subjects", subjects))? += 1;
        }
        Ok(())
    })?;
    let mut cap = Cap { places: vec![UNLIMITED; subjects], limits: Vec::new(), rows: 0, kept: 0 };
    let mut over = Vec::new();
    for (subject, (&count, place)) in counts.iter().zip(&mut cap.places).enumerate() {
        cap.rows += count;
        cap.kept += count.min(max as u64);
        if count > max as u64 {
            *place = index(over.len());
            over.push(subject);
        }
    }
    let group = (memory_bytes / max.saturating_mul(8)).max(1);
    for (start, group) in (0..).step_by(group).zip(over.chunks(group)) {
        let mut heaps: Vec<BinaryHeap<u64>> = vec![BinaryHeap::new(); group.len()];
        rows.for_each(&mut |subjects, priorities| {
            same_length(subjects.len(), priorities.len())?;
            for (&subject, &priority) in subjects.iter().zip(priorities) {
                // Unlimited subjects, missing ones and those of other groups lie outside.
                let place = cap.places.get(subject as usize).map_or(usize::MAX, |&place| (place as usize).wrapping_sub(start));
                if let Some(heap) = heaps.get_mut(place) {
                    push_smallest(heap, priority, max);
                }
            }
            Ok(())
        })?;
        cap.limits.extend(heaps.iter().filter_map(Limit::of));
    }
    Ok(cap)
}

/// Adds to the `max` smallest seen so far.
pub(super) fn push_smallest(heap: &mut BinaryHeap<u64>, priority: u64, max: usize) {
    if heap.len() < max {
        heap.push(priority);
    } else if let Some(mut largest) = heap.peek_mut()
        && priority < *largest
    {
        *largest = priority;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "there are fewer than 2³² subjects")]
fn index(place: usize) -> u32 {
    place as u32
}

impl Cap {
    /// Rows with a subject that were counted.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that stay.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// People who have more rows than the cap allows.
    #[must_use]
    pub fn capped_subjects(&self) -> usize {
        self.limits.len()
    }

    /// Starts a pass over the rows that decides on each.
    #[must_use]
    pub fn keeper(&self) -> CapKeeper<'_> {
        CapKeeper { cap: self, ties: self.limits.iter().map(|limit| limit.ties).collect() }
    }
}

/// One pass over the rows: says of each whether it stays. Every row must be shown exactly once, in chunks of any size and in any order.
#[derive(Debug, Clone)]
pub struct CapKeeper<'a> {
    cap: &'a Cap,
    /// Rows at the threshold that may still be kept.
    ties: Vec<u64>,
}

impl CapKeeper<'_> {
    /// Which rows of a chunk stay.
    ///
    /// # Errors
    /// The chunk's columns differ in length, or a code is not below the number of subjects.
    pub fn keep(&mut self, subjects: &[u32], priorities: &[u64]) -> Result<BooleanBuffer> {
        same_length(subjects.len(), priorities.len())?;
        let mut keep = BooleanBufferBuilder::new(subjects.len());
        for (&subject, &priority) in subjects.iter().zip(priorities) {
            keep.append(subject != NULL_CODE && self.keeps(subject, priority)?);
        }
        Ok(keep.finish())
    }

    fn keeps(&mut self, subject: u32, priority: u64) -> Result<bool> {
        let places = &self.cap.places;
        let place = *places.get(subject as usize).ok_or_else(|| code_out_of_range("subjects", places.len()))? as usize;
        let (Some(limit), Some(ties)) = (self.cap.limits.get(place), self.ties.get_mut(place)) else { return Ok(true) };
        if priority == limit.threshold && *ties > 0 {
            *ties -= 1;
            return Ok(true);
        }
        Ok(priority < limit.threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Chunks = Vec<(Vec<u32>, Vec<u64>)>;

    fn chunks(rows: &[(u32, u64)], size: usize) -> Chunks {
        rows.chunks(size.max(1)).map(|chunk| chunk.iter().copied().unzip()).collect()
    }

    /// Kept (subject, priority) rows, sorted.
    fn kept(rows: &[(u32, u64)], max: u64, size: usize, memory: usize) -> Vec<(u32, u64)> {
        let data = chunks(rows, size);
        let cap = cap(&data, 6, max, memory).unwrap();
        let mut keeper = cap.keeper();
        let mut kept = Vec::new();
        for (subjects, priorities) in &data {
            let keep = keeper.keep(subjects, priorities).unwrap();
            kept.extend(
                subjects.iter().copied().zip(priorities.iter().copied()).zip(keep.iter()).filter(|(_, keep)| *keep).map(|(row, _)| row),
            );
        }
        assert_eq!(kept.len() as u64, cap.kept());
        kept.sort_unstable();
        kept
    }

    fn oracle(rows: &[(u32, u64)], max: usize) -> Vec<(u32, u64)> {
        let mut own: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for &(subject, priority) in rows.iter().filter(|row| row.0 != NULL_CODE) {
            own.entry(subject).or_default().push(priority);
        }
        own.into_iter()
            .flat_map(|(subject, mut priorities)| {
                priorities.sort_unstable();
                priorities.truncate(max);
                priorities.into_iter().map(move |priority| (subject, priority))
            })
            .collect()
    }

    proptest! {
        #[test]
        fn equals_sorting_for_any_order_split_and_budget(
            rows in proptest::collection::vec((prop_oneof![9 => 0_u32..6, 1 => Just(NULL_CODE)], prop_oneof![0_u64..5, Just(u64::MAX), any::<u64>()]), 0..100),
            max in 1_u64..12, size in 1_usize..100, memory in prop_oneof![Just(0_usize), 1_usize..300, Just(1 << 20)],
        ) {
            let expected = oracle(&rows, usize::try_from(max).unwrap());
            prop_assert_eq!(kept(&rows, max, size, memory), expected.clone());
            let mut reversed = rows;
            reversed.reverse();
            prop_assert_eq!(kept(&reversed, max, 3, memory), expected);
        }
    }

    #[test]
    fn identical_rows_fill_the_cap_and_no_more() {
        let rows = vec![(0, 7); 10];
        assert_eq!(kept(&rows, 4, 3, 0), vec![(0, 7); 4]);
        // A keeper that takes every row at the threshold exceeds the cap.
        let broken = rows.iter().filter(|row| row.1 <= 7).count();
        assert!(broken > 4);
    }

    #[test]
    fn impossible_parameters_are_errors() {
        assert!(cap(&Chunks::new(), 1, 0, 100).is_err());
        assert!(cap(&chunks(&[(3, 1)], 1), 3, 1, 100).is_err());
        let none = cap(&Chunks::new(), 0, 1, 0).unwrap();
        assert_eq!((none.rows(), none.kept(), none.capped_subjects()), (0, 0, 0));
        assert!(none.keeper().keep(&[0], &[0]).is_err());
        assert_eq!(kept(&[(0, 1), (0, 2)], u64::MAX, 1, 0).len(), 2);
    }
}
