//! The joint partition of people by several releases.

use hashbrown::HashMap;

/// The group of a person who is not in a release.
pub const ABSENT: u32 = u32::MAX;

/// How several releases together divide the people of a pool.
///
/// Two people are in the same cell if every release has them in the same group, or has neither. Whatever intersections, unions and differences of groups an attacker
/// takes over the releases, the result is made of whole cells: if no cell holds 1…k−1 people, no such combination does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JointPartition {
    /// Cell of every person; [`ABSENT`] for people who are in no release.
    cells: Vec<u32>,
    /// People in every cell.
    sizes: Vec<u64>,
}

impl JointPartition {
    /// Divides `people` people, numbered from 0, by the releases: for each the group of every person, [`ABSENT`] for those who are not in it. A release that is shorter than `people` has none of the rest.
    ///
    /// Time and memory: linear in the people, for each release.
    ///
    /// ```
    /// use backmask::history::releases::{ABSENT, JointPartition};
    ///
    /// // Three of a cohort of four are released again: the one who left stands alone.
    /// let joint = JointPartition::new(4, &[&[0, 0, 0, 0], &[5, 5, 5, ABSENT]]);
    /// assert_eq!((joint.smallest(), joint.people_below(2)), (Some(1), 1));
    /// ```
    #[must_use]
    pub fn new(people: usize, releases: &[&[u32]]) -> Self {
        let mut cells = vec![ABSENT; people];
        let mut count = 0;
        for release in releases {
            let mut seen: HashMap<(u32, u32), u32> = HashMap::new();
            count = 0;
            for (person, cell) in cells.iter_mut().enumerate() {
                let group = release.get(person).copied().unwrap_or(ABSENT);
                if *cell == ABSENT && group == ABSENT {
                    continue;
                }
                *cell = *seen.entry((*cell, group)).or_insert_with(|| {
                    count += 1;
                    count - 1
                });
            }
        }
        let mut sizes = vec![0_u64; count as usize];
        for &cell in cells.iter().filter(|&&cell| cell != ABSENT) {
            if let Some(size) = sizes.get_mut(cell as usize) {
                *size += 1;
            }
        }
        Self { cells, sizes }
    }

    /// People in the smallest cell; `None` if nobody is in any release.
    #[must_use]
    pub fn smallest(&self) -> Option<u64> {
        self.sizes.iter().copied().min()
    }

    /// Number of cells.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.sizes.len()
    }

    /// People in the cells that hold fewer than `k`.
    #[must_use]
    pub fn people_below(&self, k: u64) -> u64 {
        self.sizes.iter().filter(|&&size| size < k).sum()
    }

    /// Cells that hold fewer than `k` people.
    #[must_use]
    pub fn cells_below(&self, k: u64) -> usize {
        self.sizes.iter().filter(|&&size| size < k).count()
    }

    /// Cell of a person; `None` for somebody who is in no release.
    #[must_use]
    pub fn cell_of(&self, person: usize) -> Option<u32> {
        self.cells.get(person).copied().filter(|&cell| cell != ABSENT)
    }
}
