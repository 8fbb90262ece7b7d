//! Cohorts, and what they show.

use super::cells::LARGEST_ID;
use super::options::CohortOptions;
use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use hashbrown::HashSet;

/// Groups of people with their item counts, in random order with random ids.
///
/// Cohorts are numbered 0, 1, … in the order in which they are released. [`Cohorts::members`] says who is in a cohort: that never leaves the steward. What is released
/// is [`Cohorts::rows`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cohorts {
    pub(super) ids: Vec<u64>,
    pub(super) member_starts: Vec<usize>,
    /// Subject codes, ascending in each cohort.
    pub(super) members: Vec<u32>,
    pub(super) cell_starts: Vec<usize>,
    /// Item codes, in random order in each cohort.
    pub(super) items: Vec<u32>,
    /// Members shown, after the cap.
    pub(super) shown: Vec<u32>,
    pub(super) summary: CohortSummary,
}

/// What was kept and what was lost; measured on the raw data, so for the steward only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CohortSummary {
    /// People in cohorts.
    pub people: u64,
    /// People without an item, who are in no cohort.
    pub people_without_items: u64,
    /// Distinct (person, item) pairs of the people in cohorts.
    pub pairs: u64,
    /// Pairs left out by the limit of items a person.
    pub pairs_over_limit: u64,
    /// Pairs in cells with too few members.
    pub pairs_dropped: u64,
    /// Pairs that the cap hides: what capped cells hold beyond what they show.
    pub pairs_capped: u64,
    /// Cells shown.
    pub cells: u64,
    /// Cells with too few members.
    pub cells_dropped: u64,
    /// Shown cells whose members were capped.
    pub cells_capped: u64,
    /// Cohorts that show no cell, so that they do not appear in the release.
    pub cohorts_without_cells: u64,
}

/// A row of the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CohortRow {
    /// Random id of the cohort.
    pub cohort_id: u64,
    /// Number of its people.
    pub size: u32,
    /// Code of the item.
    pub item: u32,
    /// People of the cohort who have the item, at most ⌊`max_share` · size⌋.
    pub members: u32,
}

/// A cohort of an earlier release, which is released again as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrozenCohort {
    /// Codes of its people.
    pub members: Vec<u32>,
    /// Codes of the items that it showed, each once.
    pub items: Vec<u32>,
    /// How many members it showed for each of the items.
    pub shown: Vec<u32>,
}

impl Cohorts {
    /// These cohorts together with earlier ones, all in one random order with random ids, and for each of them its place in `frozen` if it is one of those.
    ///
    /// Nothing of the earlier ones is counted again. That nobody is in two cohorts is up to the caller.
    ///
    /// # Errors
    /// An earlier cohort has not one number for each item.
    pub fn with_frozen(&self, frozen: &[FrozenCohort], key: &Key) -> Result<(Self, Vec<Option<usize>>)> {
        if frozen.iter().any(|cohort| cohort.items.len() != cohort.shown.len()) {
            return Err(Error::Parameter { name: "frozen", problem: "needs one number for each item".to_owned() });
        }
        let key = key.derive(&Domain::of("cohorts of earlier releases"));
        let mut taken: HashSet<u64> = self.ids.iter().copied().collect();
        let mut order: Vec<(u64, Option<usize>, usize)> = self.ids.iter().enumerate().map(|(place, &id)| (id, None, place)).collect();
        let mut number = 0_u64;
        for place in 0..frozen.len() {
            let id = loop {
                let mut word = [0; 8];
                word.copy_from_slice(&blake3::keyed_hash(key.expose(), &number.to_le_bytes()).as_bytes()[..8]);
                number += 1;
                let id = u64::from_le_bytes(word) % LARGEST_ID;
                if taken.insert(id) {
                    break id;
                }
            };
            order.push((id, Some(place), place));
        }
        order.sort_unstable();
        let mut all = Self { member_starts: vec![0], cell_starts: vec![0], summary: self.summary, ..Self::default() };
        let mut origins = Vec::with_capacity(order.len());
        for (id, origin, place) in order {
            let (members, items, shown) = match origin.and_then(|origin| frozen.get(origin)) {
                Some(cohort) => (cohort.members.as_slice(), cohort.items.as_slice(), cohort.shown.as_slice()),
                None => (self.members(place), self.items(place), self.shown(place)),
            };
            all.ids.push(id);
            all.members.extend_from_slice(members);
            let start = all.member_starts.last().copied().unwrap_or_default();
            if let Some(own) = all.members.get_mut(start..) {
                own.sort_unstable();
            }
            all.member_starts.push(all.members.len());
            all.items.extend_from_slice(items);
            all.shown.extend_from_slice(shown);
            all.cell_starts.push(all.items.len());
            if origin.is_some() {
                all.summary.people += members.len() as u64;
                all.summary.cells += items.len() as u64;
            }
            origins.push(origin);
        }
        Ok((all, origins))
    }

    /// Number of cohorts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none; what [`form`](super::form) gives has at least one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Random ids, different from each other, below 2⁵³ so that every file format and reader keeps them exactly.
    #[must_use]
    pub fn ids(&self) -> &[u64] {
        &self.ids
    }

    /// Number of people in a cohort; 0 beyond the last.
    #[must_use]
    pub fn size(&self, cohort: usize) -> usize {
        self.members(cohort).len()
    }

    /// Codes of the people in a cohort, ascending. For the steward only.
    #[must_use]
    pub fn members(&self, cohort: usize) -> &[u32] {
        &self.members[range(&self.member_starts, cohort)]
    }

    /// Codes of the items that a cohort shows, in random order.
    #[must_use]
    pub fn items(&self, cohort: usize) -> &[u32] {
        &self.items[range(&self.cell_starts, cohort)]
    }

    /// How many members each of [`Cohorts::items`] shows: from `min_members` to ⌊`max_share` · size⌋.
    #[must_use]
    pub fn shown(&self, cohort: usize) -> &[u32] {
        &self.shown[range(&self.cell_starts, cohort)]
    }

    /// Number of rows of the release.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.items.len()
    }

    /// The rows of the release in their order.
    pub fn rows(&self) -> impl Iterator<Item = CohortRow> + '_ {
        (0..self.len()).flat_map(move |cohort| {
            let size = u32::try_from(self.size(cohort)).unwrap_or(u32::MAX);
            let cells = self.items(cohort).iter().zip(self.shown(cohort));
            cells.map(move |(&item, &members)| CohortRow { cohort_id: self.ids[cohort], size, item, members })
        })
    }

    /// Cohort of every subject, `None` for people without items. For the steward only.
    #[must_use]
    pub fn cohort_of(&self, subjects: usize) -> Vec<Option<u32>> {
        let mut found = vec![None; subjects];
        for (cohort, number) in (0..self.len()).zip(0_u32..) {
            for &member in self.members(cohort) {
                if let Some(place) = found.get_mut(member as usize) {
                    *place = Some(number);
                }
            }
        }
        found
    }

    /// What was kept and what was lost. For the steward only.
    #[must_use]
    pub fn summary(&self) -> &CohortSummary {
        &self.summary
    }

    /// The figures that [`check`](super::check) counts, for these cohorts.
    #[must_use]
    pub fn checked(&self, options: &CohortOptions) -> super::CohortCheck {
        let (mut ids, mut sizes, mut items, mut members) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in self.rows() {
            ids.push(row.cohort_id);
            sizes.push(u64::from(row.size));
            items.push(u64::from(row.item));
            members.push(u64::from(row.members));
        }
        super::check(&ids, &sizes, &items, &members, options)
    }
}

fn range(starts: &[usize], at: usize) -> std::ops::Range<usize> {
    match starts.get(at..) {
        Some([start, end, ..]) => *start..*end,
        _ => 0..0,
    }
}
