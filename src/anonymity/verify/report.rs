//! What a released table shows, and what may be said about it.

use super::counter::People;
use super::identity::Identity;
use crate::error::{Error, Result};
use hashbrown::HashMap;
use serde::Serialize;
use std::collections::BTreeMap;

/// Classes of a released table, recounted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassReport {
    /// Rows.
    pub rows: u64,
    /// Distinct people; `None` where the table cannot tell.
    pub subjects: Option<u64>,
    /// Classes.
    pub classes: u64,
    /// Rows of the smallest class.
    pub smallest_rows: Option<u64>,
    /// People in the class with fewest of them.
    pub smallest_subjects: Option<u64>,
    /// Rows of a class on average; 0 without classes.
    pub average_class_size: f64,
    /// Whether every person has exactly one row; `None` where the table cannot tell.
    pub one_row_each: Option<bool>,
    /// People who share the rarest whole multiset of classes; counted where a token links rows.
    pub multiset_k: Option<u64>,
    /// The largest share that one person has in the rows of a class.
    pub largest_share_of_one_subject: Option<f64>,
    /// The largest k such that every class has k people of whom none owns more than 1/k of its rows.
    pub owned_k: Option<u64>,
    /// (people of a class, number of classes of that size), ascending; rows where the table cannot tell people apart.
    pub class_size_histogram: Vec<(u64, u64)>,
    /// Whether a token links the rows of a person.
    pub linked: bool,
}

/// What may be said about k.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "unit")]
pub enum Claim {
    /// Unit "subject": every person as a whole fits at least `achieved` people; guessing succeeds at most once in `achieved`.
    Subject {
        /// People.
        achieved: u64,
    },
    /// Unit "subject-per-row": every class has `achieved` people, but the rows of one person together may fit fewer. No 1/k follows.
    SubjectPerRow {
        /// People in the smallest class.
        achieved: u64,
    },
    /// No token, and nothing known about who owns which rows: the file alone cannot count people. Recount with the pool ([`People::Owner`]).
    NeedsPool {
        /// Rows of the smallest class; people are at most as many.
        smallest_rows: u64,
    },
    /// The table has no rows: nothing to re-identify.
    Empty,
}

/// Sizes of one class while counting.
#[derive(Debug, Default)]
struct Size {
    rows: u64,
    people: u64,
    most: u64,
}

impl ClassReport {
    pub(super) fn new(people: &People, mut counts: Vec<(Identity, Identity, u64)>) -> Result<Self> {
        let overflow = || Error::Parameter { name: "rows", problem: "are more than 2^64 - 1".to_owned() };
        let rows = counts.iter().try_fold(0_u64, |sum, &(_, _, rows)| sum.checked_add(rows)).ok_or_else(overflow)?;
        let mut sizes: HashMap<Identity, Size> = HashMap::new();
        for &(class, _, rows) in &counts {
            let size = sizes.entry(class).or_default();
            size.rows += rows;
            size.people += 1;
            size.most = size.most.max(rows);
        }
        if people == &People::OneRowEach {
            for size in sizes.values_mut() {
                (size.people, size.most) = (size.rows, 1);
            }
        }
        let mut histogram = BTreeMap::new();
        for size in sizes.values() {
            *histogram.entry(if people == &People::Unknown { size.rows } else { size.people }).or_insert(0_u64) += 1;
        }
        let classes = sizes.len() as u64;
        let counted = people != &People::Unknown;
        let (mut subjects, mut one_row_each, mut multiset_k) = (None, None, None);
        match people {
            People::Unknown => {}
            People::OneRowEach => (subjects, one_row_each) = (Some(rows), Some(true)),
            People::Token(_) | People::Owner(_) => {
                // By person, then by class: each person's entries are their multiset in a fixed order.
                counts.sort_unstable_by_key(|&(class, person, _)| (person, class));
                let persons = || counts.chunk_by(|one, other| one.1 == other.1);
                let number = persons().count() as u64;
                (subjects, one_row_each) = (Some(number), Some(number == rows));
                multiset_k = matches!(people, People::Token(_)).then(|| rarest_multiset(persons())).flatten();
            }
        }
        Ok(Self {
            rows,
            subjects,
            classes,
            smallest_rows: sizes.values().map(|size| size.rows).min(),
            smallest_subjects: sizes.values().map(|size| size.people).min().filter(|_| counted),
            average_class_size: ratio(rows, classes),
            one_row_each,
            multiset_k,
            largest_share_of_one_subject: sizes.values().map(|size| ratio(size.most, size.rows)).reduce(f64::max).filter(|_| counted),
            owned_k: sizes.values().map(|size| size.people.min(size.rows / size.most.max(1))).min().filter(|_| counted),
            class_size_histogram: histogram.into_iter().collect(),
            linked: matches!(people, People::Token(_)),
        })
    }

    /// What may be said when `k` is asked for.
    ///
    /// # Guarantee
    /// The unit is "subject" in three cases only: every person has one row, and then the smallest class counts; a token links rows, every
    /// whole multiset is shared by at least `k` people, and then the rarest multiset counts; no token links rows, the owners are known, and then no class
    /// counts for more than what its largest owner leaves.
    #[must_use]
    pub fn claim(&self, k: u64) -> Claim {
        let (Some(smallest_rows), smallest_subjects) = (self.smallest_rows, self.smallest_subjects) else { return Claim::Empty };
        let Some(smallest_subjects) = smallest_subjects else { return Claim::NeedsPool { smallest_rows } };
        if self.one_row_each == Some(true) {
            return Claim::Subject { achieved: smallest_subjects };
        }
        if self.linked {
            return match self.multiset_k {
                Some(shared) if shared >= k => Claim::Subject { achieved: shared },
                _ => Claim::SubjectPerRow { achieved: smallest_subjects },
            };
        }
        self.owned_k.map_or(Claim::NeedsPool { smallest_rows }, |achieved| Claim::Subject { achieved })
    }
}

/// The number of people with the rarest list of (class, rows).
fn rarest_multiset<'a>(persons: impl Iterator<Item = &'a [(Identity, Identity, u64)]>) -> Option<u64> {
    let mut shared: HashMap<Identity, u64> = HashMap::new();
    for person in persons {
        let mut hasher = blake3::Hasher::new();
        for (class, _, rows) in person {
            hasher.update(class);
            hasher.update(&rows.to_le_bytes());
        }
        *shared.entry(hasher.finalize().into()).or_insert(0) += 1;
    }
    shared.into_values().min()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people to read; claims are made from whole numbers")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
