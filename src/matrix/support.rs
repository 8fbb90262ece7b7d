//! How many people have each item.

use super::chunks::{PairChunks, check_count, code_out_of_range, same_length};
use crate::error::Result;
use crate::io::table::NULL_CODE;
use std::ops::Range;

/// Number of distinct subjects of every item, exact.
///
/// The rows are distributed by subject, then each subject's items are counted once with the help of a stamp per item: no hashing.
/// Rows with a missing subject or item count for nothing.
///
/// The pairs are visited once to size the work, and once more for every range of subjects whose rows fit into `memory_bytes`
/// (4 bytes a row; a subject that alone exceeds them is counted without storing its rows). Beside that the function holds 8 bytes a subject and 8 bytes an item.
///
/// # Errors
/// A code is not below `subjects` or `items`, or the pairs cannot be visited.
///
/// # Guarantee
/// The counts are of people, never of rows: repeating rows changes nothing.
///
/// ```
/// use backmask::matrix::item_support;
/// let (subjects, items) = ([0, 0, 1, 1, 2], [7, 7, 7, 3, 7]);
/// let support = item_support(&(&subjects[..], &items[..]), 3, 8, 1 << 20)?;
/// assert_eq!((support[7], support[3], support[0]), (3, 1, 0));
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn item_support(pairs: &(impl PairChunks + ?Sized), subjects: usize, items: usize, memory_bytes: usize) -> Result<Vec<u32>> {
    check_count("items", items)?;
    // (subject that was counted last, number of subjects): together, so that a row touches one cache line.
    let mut stamped: Vec<(u32, u32)> = vec![(NULL_CODE, 0); items];
    visit_by_subject(pairs, subjects, items, memory_bytes, &mut |subject, items| {
        for &item in items {
            let (stamp, support) = &mut stamped[item as usize];
            if *stamp != subject {
                *stamp = subject;
                // Cannot overflow: there are fewer than 2³² subjects.
                *support += 1;
            }
        }
        Ok(())
    })?;
    Ok(stamped.into_iter().map(|(_, support)| support).collect())
}

/// Calls `visit` with each subject's items: subjects in ascending order, items with repetitions and in no order. All calls for one subject follow each other.
pub(super) fn visit_by_subject(
    pairs: &(impl PairChunks + ?Sized),
    subjects: usize,
    items: usize,
    memory_bytes: usize,
    visit: &mut dyn FnMut(u32, &[u32]) -> Result<()>,
) -> Result<()> {
    check_count("subjects", subjects)?;
    let counts = rows_per_subject(pairs, subjects, items)?;
    let limit = u32::try_from(memory_bytes / 4).unwrap_or(u32::MAX);
    for range in subject_ranges(&counts, u64::from(limit)) {
        if let [rows] = counts[range.clone()]
            && rows > u64::from(limit)
        {
            visit_one(pairs, range.start, visit)?;
        } else {
            visit_range(pairs, range, &counts, visit)?;
        }
    }
    Ok(())
}

/// Rows of every subject that name an item. Checks every code.
fn rows_per_subject(pairs: &(impl PairChunks + ?Sized), subjects: usize, items: usize) -> Result<Vec<u64>> {
    let mut counts = vec![0_u64; subjects];
    pairs.for_each(&mut |chunk_subjects, chunk_items| {
        same_length(chunk_subjects.len(), chunk_items.len())?;
        for (&subject, &item) in chunk_subjects.iter().zip(chunk_items) {
            if subject == NULL_CODE || item == NULL_CODE {
                continue;
            }
            if item as usize >= items {
                return Err(code_out_of_range("items", items));
            }
            *counts.get_mut(subject as usize).ok_or_else(|| code_out_of_range("subjects", subjects))? += 1;
        }
        Ok(())
    })?;
    Ok(counts)
}

/// Cuts the subjects into ranges of at most `limit` rows; a subject with more is a range of its own. Subjects without rows at the ends are left out.
fn subject_ranges(counts: &[u64], limit: u64) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut rows) = (0, 0_u64);
    for (subject, &count) in counts.iter().enumerate() {
        if rows > 0 && rows.saturating_add(count) > limit {
            ranges.push(start..subject);
            (start, rows) = (subject, 0);
        }
        if rows == 0 && count == 0 {
            start = subject + 1;
        } else if rows == 0 {
            start = subject;
        }
        rows += count;
    }
    if rows > 0 {
        ranges.push(start..counts.len());
    }
    // A range that starts with an oversized subject holds nothing else, because the next subject with rows opened a new one; empty ones behind it do no harm.
    ranges.into_iter().map(|range| trim(range, counts)).collect()
}

/// Drops subjects without rows from the end of a range.
fn trim(range: Range<usize>, counts: &[u64]) -> Range<usize> {
    let last = counts[range.clone()].iter().rposition(|&count| count > 0).unwrap_or(0);
    range.start..range.start + last + 1
}

/// Streams the items of one subject that is too large to be stored.
fn visit_one(pairs: &(impl PairChunks + ?Sized), subject: usize, visit: &mut dyn FnMut(u32, &[u32]) -> Result<()>) -> Result<()> {
    let mut own = Vec::new();
    pairs.for_each(&mut |subjects, items| {
        own.clear();
        own.extend(subjects.iter().zip(items).filter(|&(&s, &item)| s as usize == subject && item != NULL_CODE).map(|(_, &item)| item));
        if own.is_empty() { Ok(()) } else { visit(code(subject), &own) }
    })
}

/// Distributes the items of a range of subjects by counting sort.
fn visit_range(
    pairs: &(impl PairChunks + ?Sized),
    range: Range<usize>,
    counts: &[u64],
    visit: &mut dyn FnMut(u32, &[u32]) -> Result<()>,
) -> Result<()> {
    let mut cursors = Vec::with_capacity(range.len());
    let mut total = 0_usize;
    for &count in &counts[range.clone()] {
        cursors.push(code(total));
        total += usize::try_from(count).unwrap_or(usize::MAX);
    }
    let mut sorted = vec![0_u32; total];
    pairs.for_each(&mut |subjects, items| {
        same_length(subjects.len(), items.len())?;
        for (&subject, &item) in subjects.iter().zip(items) {
            // Subjects below the range wrap around and fail the test as well; so does a missing subject.
            if let Some(cursor) = cursors.get_mut((subject as usize).wrapping_sub(range.start))
                && item != NULL_CODE
                && let Some(slot) = sorted.get_mut(*cursor as usize)
            {
                *slot = item;
                *cursor += 1;
            }
        }
        Ok(())
    })?;
    let mut start = 0;
    for (subject, &end) in range.zip(&cursors) {
        let end = end as usize;
        if end > start {
            visit(code(subject), &sorted[start..end])?;
        }
        start = end;
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "the callers have checked that codes and rows of a range fit 32 bits")]
fn code(index: usize) -> u32 {
    index as u32
}
