//! Released records as an attacker sees them.

use crate::error::{Error, Result};
use crate::matrix::SubjectItems;

/// Released records: each stands for some people and says how many of them have each item. A row of raw data or a fragment stands for one person, a cohort for its size.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    starts: Vec<usize>,
    items: Vec<u32>,
    members: Vec<f64>,
    sizes: Vec<f64>,
    item_count: usize,
    /// For each item the places (record, cell) that show it.
    posting_starts: Vec<usize>,
    postings: Vec<(u32, u32)>,
}

impl Records {
    /// Records from released rows in any order: which record, how many people it stands for, which item (a code below `items`) and how many of the people have it.
    ///
    /// ```
    /// use backmask::risk::Records;
    /// let records = Records::from_cells(&[7, 9, 7], &[10, 12, 10], &[0, 0, 2], &[4, 3, 2], 3)?;
    /// assert_eq!(records.len(), 2);
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// The columns differ in length, an item is not below `items`, a record has two sizes or shows an item twice, or a cell has no member or more than the record.
    pub fn from_cells(record: &[u64], size: &[u64], item: &[u32], members: &[u64], items: usize) -> Result<Self> {
        if [size.len(), item.len(), members.len()].iter().any(|&length| length != record.len()) {
            return Err(mistake("columns differ in length"));
        }
        let mut cells: Vec<(u64, u32, u64, u64)> = Vec::with_capacity(record.len());
        for (((&record, &size), &item), &members) in record.iter().zip(size).zip(item).zip(members) {
            if item as usize >= items || members == 0 || members > size {
                return Err(mistake("an item's code or members are out of range"));
            }
            cells.push((record, item, size, members));
        }
        cells.sort_unstable();
        let (mut starts, mut sizes) = (vec![0], Vec::new());
        for (place, pair) in cells.windows(2).enumerate() {
            if pair[0].0 == pair[1].0 {
                if pair[0].2 != pair[1].2 || pair[0].1 == pair[1].1 {
                    return Err(mistake("a record has two sizes, or shows an item twice"));
                }
            } else {
                starts.push(place + 1);
                sizes.push(crate::numeric::real(pair[0].2));
            }
        }
        if let Some(last) = cells.last() {
            starts.push(cells.len());
            sizes.push(crate::numeric::real(last.2));
        }
        let shown = cells.iter().map(|cell| crate::numeric::real(cell.3)).collect();
        Ok(Self::build(starts, cells.iter().map(|cell| cell.1).collect(), shown, sizes, items))
    }

    /// One record for each subject who has an item, standing for one person: raw data, or fragments by their ids.
    #[must_use]
    pub fn from_matrix(matrix: &SubjectItems) -> Self {
        let (mut starts, mut items) = (vec![0], Vec::with_capacity(matrix.pairs()));
        for subject in 0..u32::try_from(matrix.subjects()).unwrap_or(u32::MAX) {
            if !matrix.items_of(subject).is_empty() {
                items.extend_from_slice(matrix.items_of(subject));
                starts.push(items.len());
            }
        }
        let (members, sizes) = (vec![1.0; items.len()], vec![1.0; starts.len() - 1]);
        Self::build(starts, items, members, sizes, matrix.items())
    }

    fn build(starts: Vec<usize>, items: Vec<u32>, members: Vec<f64>, sizes: Vec<f64>, item_count: usize) -> Self {
        let mut posting_starts = vec![0_usize; item_count + 1];
        for &item in &items {
            posting_starts[item as usize + 1] += 1;
        }
        for item in 0..item_count {
            posting_starts[item + 1] += posting_starts[item];
        }
        let mut cursors = posting_starts.clone();
        let mut postings = vec![(0, 0); items.len()];
        for (record, window) in (0_u32..).zip(starts.windows(2)) {
            for (cell, &item) in (0_u32..).zip(&items[window[0]..window[1]]) {
                let cursor = &mut cursors[item as usize];
                postings[*cursor] = (record, cell);
                *cursor += 1;
            }
        }
        Self { starts, items, members, sizes, item_count, posting_starts, postings }
    }

    /// Number of records that show something.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Whether no record shows anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// Number of item codes.
    #[must_use]
    pub fn items(&self) -> usize {
        self.item_count
    }

    /// People for whom a record stands.
    pub(super) fn size(&self, record: u32) -> f64 {
        self.sizes[record as usize]
    }

    pub(super) fn sizes(&self) -> &[f64] {
        &self.sizes
    }

    /// Fewest members that any cell shows.
    pub(super) fn fewest_members(&self) -> f64 {
        self.members.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// (item, members) of a record.
    pub(super) fn cells(&self, record: u32) -> impl Iterator<Item = (u32, f64)> + '_ {
        let range = self.starts[record as usize]..self.starts[record as usize + 1];
        self.items[range.clone()].iter().copied().zip(self.members[range].iter().copied())
    }

    /// (record, members) that show an item.
    pub(super) fn showing(&self, item: u32) -> impl Iterator<Item = (u32, f64)> + '_ {
        let range = match self.posting_starts.get(item as usize..) {
            Some([start, end, ..]) => *start..*end,
            _ => 0..0,
        };
        self.postings[range].iter().map(|&(record, cell)| (record, self.members[self.starts[record as usize] + cell as usize]))
    }

    /// A number for what each record shows, the same for any numbering of records and items: sums over cells of hashes of the item's id and of the members.
    pub(super) fn names(&self, item_ids: &[u64]) -> Vec<u64> {
        (0..u32::try_from(self.len()).unwrap_or(u32::MAX))
            .map(|record| {
                self.cells(record)
                    .map(|(item, members)| {
                        let id = item_ids.get(item as usize).copied().unwrap_or_default();
                        mix(id ^ mix(members.to_bits()))
                    })
                    .fold(self.size(record).to_bits(), u64::wrapping_add)
            })
            .collect()
    }
}

/// A mixing of all bits, by Steele, Lea and Flood (2014).
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn mistake(problem: &str) -> Error {
    Error::Parameter { name: "records", problem: problem.to_owned() }
}
