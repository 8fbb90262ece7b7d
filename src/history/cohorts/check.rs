//! The conditions, recounted from what is released.

use super::options::CohortOptions;
use hashbrown::HashMap;

/// What the released columns show about the conditions of cohorts. Made by [`check`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CohortCheck {
    /// Distinct cohort ids.
    pub cohorts: u64,
    /// Sum of the cohorts' sizes.
    pub people: u64,
    /// Rows.
    pub cells: u64,
    /// Size of the smallest cohort: the k that was reached.
    pub smallest_cohort: u64,
    /// Size of the largest.
    pub largest_cohort: u64,
    /// Fewest members of a cell: the t that was reached.
    pub fewest_members: u64,
    /// Cohorts of fewer than k people.
    pub cohorts_too_small: u64,
    /// Cohorts of more than 2k − 1 people.
    pub cohorts_too_large: u64,
    /// Cohorts whose rows do not agree on their size.
    pub cohorts_of_two_sizes: u64,
    /// Cells of fewer than t members.
    pub cells_too_small: u64,
    /// Cells of more members than ⌊`max_share` · size⌋.
    pub cells_over_cap: u64,
    /// Rows that show an item of a cohort again.
    pub cells_repeated: u64,
    /// Rows beyond the shortest of the columns.
    pub rows_incomplete: u64,
}

impl CohortCheck {
    /// Whether all conditions hold.
    #[must_use]
    pub fn holds(&self) -> bool {
        [
            self.cohorts_too_small,
            self.cohorts_too_large,
            self.cohorts_of_two_sizes,
            self.cells_too_small,
            self.cells_over_cap,
            self.cells_repeated,
            self.rows_incomplete,
        ]
        .iter()
        .all(|&count| count == 0)
    }
}

/// Recounts sizes, cells and caps from the released columns alone: `cohort_id`, `size`, `item` (any code that is the same for the same item) and `members`, one row a cell,
/// in any order. Nothing that formed the cohorts is used, so whoever holds the files can repeat it.
///
/// Sizes and members are what the file says. That they are true can only be checked with the pool.
///
/// ```
/// use backmask::{history::cohorts::{CohortOptions, check}, units::K};
/// let options = CohortOptions::new(K::new(3)?);
/// assert!(check(&[7, 7], &[3, 3], &[0, 1], &[2, 3], &options).holds());
/// assert!(!check(&[7, 7], &[3, 3], &[0, 1], &[1, 3], &options).holds(), "a cell of one member");
/// # Ok::<(), backmask::Error>(())
/// ```
#[must_use]
pub fn check(cohort_id: &[u64], size: &[u64], item: &[u64], members: &[u64], options: &CohortOptions) -> CohortCheck {
    let lengths = [cohort_id.len(), size.len(), item.len(), members.len()];
    let longest = lengths.into_iter().max().unwrap_or(0);
    let shortest = lengths.into_iter().min().unwrap_or(0);
    let mut found = CohortCheck {
        cells: shortest as u64,
        rows_incomplete: (longest - shortest) as u64,
        smallest_cohort: u64::MAX,
        fewest_members: u64::MAX,
        ..CohortCheck::default()
    };
    // Size of each cohort, and whether its rows disagree.
    let mut sizes: HashMap<u64, (u64, bool)> = HashMap::new();
    let mut cells: Vec<(u64, u64)> = Vec::with_capacity(shortest);
    for (((&id, &size), &item), &members) in cohort_id.iter().zip(size).zip(item).zip(members) {
        let known = sizes.entry(id).or_insert((size, false));
        if known.0 != size {
            *known = (known.0.min(size), true);
        }
        cells.push((id, item));
        found.fewest_members = found.fewest_members.min(members);
        found.cells_too_small += u64::from(members < options.min_members);
        found.cells_over_cap += u64::from(members > options.most_shown(size));
    }
    cells.sort_unstable();
    found.cells_repeated = cells.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
    let k = options.k.get();
    for &(size, disagree) in sizes.values() {
        found.cohorts += 1;
        found.people = found.people.saturating_add(size);
        found.smallest_cohort = found.smallest_cohort.min(size);
        found.largest_cohort = found.largest_cohort.max(size);
        found.cohorts_too_small += u64::from(size < k);
        found.cohorts_too_large += u64::from(size > k.saturating_mul(2) - 1);
        found.cohorts_of_two_sizes += u64::from(disagree);
    }
    if found.cells == 0 {
        (found.smallest_cohort, found.fewest_members) = (0, 0);
    }
    found
}
