//! The matrix by person, and by item.

use super::chunks::{PairChunks, check_count, code_out_of_range};
use super::support::visit_by_subject;
use crate::error::{Error, Result};

/// The subject × item matrix in compressed rows: for each subject the distinct items in ascending order, each with its number of rows.
///
/// Memory: 8 bytes a distinct pair, 8 bytes a subject.
///
/// ```
/// use backmask::matrix::SubjectItems;
/// let (subjects, items) = ([1, 0, 1, 1], [5, 2, 5, 0]);
/// let matrix = SubjectItems::build(&(&subjects[..], &items[..]), 2, 6, 1 << 20)?;
/// assert_eq!(matrix.items_of(1), [0, 5]);
/// assert_eq!(matrix.rows_of(1), [1, 2]);
/// assert_eq!(matrix.postings().subjects_of(5), [1]);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectItems {
    /// `offsets[s]..offsets[s + 1]` are the places of subject `s`.
    offsets: Vec<usize>,
    items: Vec<u32>,
    rows: Vec<u32>,
    item_count: usize,
}

impl SubjectItems {
    /// Builds the matrix. Rows with a missing subject or item are left out. At most `memory_bytes` are used beside the result and 12 bytes an item; see
    /// [`item_support`](super::item_support) for the passes over `pairs`.
    ///
    /// # Errors
    /// A code is not below `subjects` or `items`, one subject has more than 2³² − 1 rows of one item, or the pairs cannot be visited.
    pub fn build(pairs: &(impl PairChunks + ?Sized), subjects: usize, items: usize, memory_bytes: usize) -> Result<Self> {
        check_count("items", items)?;
        let mut matrix = Builder { offsets: vec![0], items: Vec::new(), rows: Vec::new() };
        let mut counts = vec![0_u32; items];
        let mut touched: Vec<u32> = Vec::new();
        let mut current = 0;
        visit_by_subject(pairs, subjects, items, memory_bytes, &mut |subject, chunk| {
            if subject != current {
                matrix.close(subject as usize, &mut touched, &mut counts);
                current = subject;
            }
            for &item in chunk {
                let count = &mut counts[item as usize];
                if *count == 0 {
                    touched.push(item);
                }
                *count = count.checked_add(1).ok_or_else(too_many_rows)?;
            }
            Ok(())
        })?;
        matrix.close(subjects, &mut touched, &mut counts);
        Ok(Self { offsets: matrix.offsets, items: matrix.items, rows: matrix.rows, item_count: items })
    }

    /// A matrix from each subject's items; repetitions count as rows.
    ///
    /// # Errors
    /// An item is not below `items`.
    pub fn from_lists<S: AsRef<[u32]>>(lists: &[S], items: usize) -> Result<Self> {
        check_count("items", items)?;
        let mut matrix = Self { offsets: vec![0], items: Vec::new(), rows: Vec::new(), item_count: items };
        for list in lists {
            let mut own = list.as_ref().to_vec();
            own.sort_unstable();
            if own.last().is_some_and(|&item| item as usize >= items) {
                return Err(code_out_of_range("items", items));
            }
            for same in own.chunk_by(|a, b| a == b) {
                matrix.items.push(same[0]);
                matrix.rows.push(u32::try_from(same.len()).map_err(|_| too_many_rows())?);
            }
            matrix.offsets.push(matrix.items.len());
        }
        Ok(matrix)
    }

    /// Number of subjects, those without items included.
    #[must_use]
    pub fn subjects(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of item codes.
    #[must_use]
    pub fn items(&self) -> usize {
        self.item_count
    }

    /// Number of distinct (subject, item) pairs.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.items.len()
    }

    /// Distinct items of a subject, ascending; nothing for a code beyond the matrix.
    #[must_use]
    pub fn items_of(&self, subject: u32) -> &[u32] {
        &self.items[self.range(subject)]
    }

    /// How many rows each item of a subject has, in the order of [`SubjectItems::items_of`].
    #[must_use]
    pub fn rows_of(&self, subject: u32) -> &[u32] {
        &self.rows[self.range(subject)]
    }

    /// Number of distinct subjects of every item.
    #[must_use]
    pub fn support(&self) -> Vec<u32> {
        let mut support = vec![0; self.item_count];
        for &item in &self.items {
            support[item as usize] += 1;
        }
        support
    }

    /// The matrix by item.
    #[must_use]
    pub fn postings(&self) -> Postings {
        let mut offsets = Vec::with_capacity(self.item_count + 1);
        let mut total = 0_usize;
        offsets.push(0);
        for support in self.support() {
            total += support as usize;
            offsets.push(total);
        }
        let mut cursors = offsets.clone();
        let mut subjects = vec![0; total];
        for (subject, window) in (0_u32..).zip(self.offsets.windows(2)) {
            for &item in &self.items[window[0]..window[1]] {
                let cursor = &mut cursors[item as usize];
                subjects[*cursor] = subject;
                *cursor += 1;
            }
        }
        Postings { offsets, subjects }
    }

    /// The matrix without the items that `keep` refuses. Codes stay as they are.
    #[must_use]
    pub fn retain(&self, keep: impl Fn(u32) -> bool) -> Self {
        let mut kept = Self { offsets: vec![0], items: Vec::new(), rows: Vec::new(), item_count: self.item_count };
        for window in self.offsets.windows(2) {
            for place in window[0]..window[1] {
                if keep(self.items[place]) {
                    kept.items.push(self.items[place]);
                    kept.rows.push(self.rows[place]);
                }
            }
            kept.offsets.push(kept.items.len());
        }
        kept
    }

    fn range(&self, subject: u32) -> std::ops::Range<usize> {
        match self.offsets.get(subject as usize..) {
            Some([start, end, ..]) => *start..*end,
            _ => 0..0,
        }
    }
}

struct Builder {
    offsets: Vec<usize>,
    items: Vec<u32>,
    rows: Vec<u32>,
}

impl Builder {
    /// Writes what was counted for the subject that is open, and ends all subjects below `next`.
    fn close(&mut self, next: usize, touched: &mut Vec<u32>, counts: &mut [u32]) {
        touched.sort_unstable();
        self.items.extend_from_slice(touched);
        self.rows.extend(touched.drain(..).map(|item| std::mem::take(&mut counts[item as usize])));
        self.offsets.resize(next + 1, self.items.len());
    }
}

fn too_many_rows() -> Error {
    Error::Parameter { name: "rows", problem: "one person has more than 2³² − 1 rows of one item".to_owned() }
}

/// Posting lists: for each item its subjects in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postings {
    offsets: Vec<usize>,
    subjects: Vec<u32>,
}

impl Postings {
    /// Subjects who have the item, ascending; nothing for a code beyond the matrix.
    #[must_use]
    pub fn subjects_of(&self, item: u32) -> &[u32] {
        match self.offsets.get(item as usize..) {
            Some([start, end, ..]) => &self.subjects[*start..*end],
            _ => &[],
        }
    }

    /// Number of item codes.
    #[must_use]
    pub fn items(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Subjects who have every one of `items`, ascending, written into `found`. Without items it is nobody.
    ///
    /// The shortest list is taken first and the others are searched by galloping, so the work grows with the rarest item.
    pub fn intersect(&self, items: &[u32], found: &mut Vec<u32>) {
        found.clear();
        let mut lists: Vec<&[u32]> = items.iter().map(|&item| self.subjects_of(item)).collect();
        lists.sort_unstable_by_key(|list| list.len());
        let Some((first, rest)) = lists.split_first() else { return };
        found.extend_from_slice(first);
        for list in rest {
            let mut remaining = *list;
            found.retain(|&subject| {
                remaining = &remaining[gallop(remaining, subject)..];
                remaining.first() == Some(&subject)
            });
        }
    }
}

/// Index of the first element that is not below `wanted`, found in steps that double.
fn gallop(list: &[u32], wanted: u32) -> usize {
    let mut step = 1;
    while step < list.len() && list[step - 1] < wanted {
        step *= 2;
    }
    let (low, high) = (step / 2, step.min(list.len()));
    low + list[low..high].partition_point(|&subject| subject < wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::table::NULL_CODE;
    use crate::matrix::item_support;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    type Chunks = Vec<(Vec<u32>, Vec<u32>)>;

    fn chunks(rows: &[(u32, u32)], size: usize) -> Chunks {
        rows.chunks(size.max(1)).map(|chunk| chunk.iter().copied().unzip()).collect()
    }

    fn oracle(rows: &[(u32, u32)], items: usize) -> (BTreeMap<(u32, u32), u32>, Vec<u32>) {
        let mut pairs = BTreeMap::new();
        for &(subject, item) in rows.iter().filter(|&&(s, i)| s != NULL_CODE && i != NULL_CODE) {
            *pairs.entry((subject, item)).or_insert(0) += 1;
        }
        let mut support = vec![0; items];
        for &(_, item) in pairs.keys() {
            support[item as usize] += 1;
        }
        (pairs, support)
    }

    fn listed(matrix: &SubjectItems) -> BTreeMap<(u32, u32), u32> {
        (0..u32::try_from(matrix.subjects()).unwrap())
            .flat_map(|s| matrix.items_of(s).iter().zip(matrix.rows_of(s)).map(move |(&item, &rows)| ((s, item), rows)))
            .collect()
    }

    fn code(below: u32) -> impl Strategy<Value = u32> {
        prop_oneof![9 => 0..below, 1 => Just(NULL_CODE)]
    }

    proptest! {
        #[test]
        fn equals_brute_force_for_any_budget_and_chunking(
            rows in proptest::collection::vec((code(9), code(7)), 0..120),
            size in 1_usize..130,
            memory in prop_oneof![Just(0_usize), 1_usize..200, Just(1 << 20)],
        ) {
            let (pairs, support) = oracle(&rows, 7);
            let data = chunks(&rows, size);
            prop_assert_eq!(item_support(&data, 9, 7, memory).unwrap(), support.clone());
            let matrix = SubjectItems::build(&data, 9, 7, memory).unwrap();
            prop_assert_eq!(matrix.subjects(), 9);
            prop_assert_eq!(matrix.support(), support);
            prop_assert_eq!(listed(&matrix), pairs.clone());
            let postings = matrix.postings();
            for item in 0..7 {
                let expected: Vec<u32> = pairs.keys().filter(|&&(_, i)| i == item).map(|&(s, _)| s).collect();
                prop_assert_eq!(postings.subjects_of(item), expected);
            }
            let mut reversed = rows.clone();
            reversed.reverse();
            prop_assert_eq!(SubjectItems::build(&chunks(&reversed, 3), 9, 7, memory).unwrap(), matrix);
        }

        #[test]
        fn intersections_equal_those_of_sets(lists in proptest::collection::vec(proptest::collection::btree_set(0_u32..40, 0..30), 1..12), wanted in proptest::collection::vec(0_u32..12, 0..5)) {
            let items: Vec<Vec<u32>> = (0..40).map(|s| (0..12).filter(|&i| lists.get(i as usize).is_some_and(|l| l.contains(&s))).collect()).collect();
            let postings = SubjectItems::from_lists(&items, 12).unwrap().postings();
            let mut found = vec![99];
            postings.intersect(&wanted, &mut found);
            let expected = wanted.iter().map(|&i| lists.get(i as usize).cloned().unwrap_or_default()).reduce(|a, b| &a & &b).unwrap_or_else(BTreeSet::new);
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }

    /// A variant that counts rows instead of people must not pass for support.
    #[test]
    fn rows_are_not_people() {
        let rows = [(0, 0), (0, 0), (0, 0), (1, 0), (1, 1)];
        let broken = rows.iter().filter(|row| row.1 == 0).count();
        let support = item_support(&chunks(&rows, 2), 2, 2, 1 << 10).unwrap();
        assert_eq!(support, [2, 1]);
        assert_ne!(support[0] as usize, broken);
    }

    #[test]
    fn codes_beyond_the_declared_number_are_errors() {
        for rows in [[(2, 0)], [(0, 3)]] {
            assert!(item_support(&chunks(&rows, 1), 2, 3, 100).is_err());
            assert!(SubjectItems::build(&chunks(&rows, 1), 2, 3, 100).is_err());
        }
        let ragged: Chunks = vec![(vec![0, 1], vec![0])];
        assert!(item_support(&ragged, 2, 3, 100).is_err());
        assert!(item_support(&Chunks::new(), 0, u32::MAX as usize, 0).is_err());
    }

    #[test]
    fn nothing_in_nothing_out() {
        let empty = Chunks::new();
        assert_eq!(item_support(&empty, 0, 0, 0).unwrap(), Vec::<u32>::new());
        assert_eq!(item_support(&empty, 3, 2, 0).unwrap(), [0, 0]);
        let matrix = SubjectItems::build(&empty, 3, 2, 0).unwrap();
        assert_eq!((matrix.subjects(), matrix.pairs(), matrix.items_of(2).len(), matrix.items_of(9).len()), (3, 0, 0, 0));
        assert_eq!(SubjectItems::build(&empty, 0, 0, 0).unwrap().subjects(), 0);
    }

    #[test]
    fn retaining_items_keeps_codes_and_rows() {
        let matrix = SubjectItems::from_lists(&[vec![0, 1, 1, 2], vec![1], vec![]], 3).unwrap();
        let kept = matrix.retain(|item| item == 1);
        assert_eq!((kept.items_of(0), kept.rows_of(0), kept.items_of(1), kept.subjects()), (&[1][..], &[2][..], &[1][..], 3));
    }
}
