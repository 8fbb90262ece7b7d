//! A person is protected as a whole: how many people share all that is known of them.
//!
//! If a token links the rows of a person, an adversary who knows the person sees every class that the person visits and how often. What protects
//! them is not the size of one class but the number of people with the same multiset of classes.

use super::grouper::Classes;
use super::tuples::{Incidence, Tuples};

/// How people share their multisets of classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multisets {
    /// People with at least one kept row.
    pub subjects: u64,
    /// Different multisets among them.
    pub distinct: u64,
    /// The k of the whole-person statement: people who share the rarest multiset. `None` without people.
    pub smallest: Option<u64>,
}

/// Groups subjects by their whole multiset of classes. Only classes with `kept` count: rows of the others are not released, and a person without
/// any kept row is not in the release.
///
/// Multisets are compared entry by entry, as sorted lists of (class, rows); nothing is estimated or hashed.
///
/// # Guarantee
/// With `smallest` = k, every person's set of linked rows fits at least k people: an adversary who knows all quasi-identifiers of all rows of a
/// person finds k candidates. It implies that every kept class has at least k subjects.
///
/// # References
/// The k^m and "sequence as a quasi-identifier" setting: Terrovitis, Mamoulis, Kalnis, *Privacy-preserving anonymization of set-valued data*
/// (VLDB 2008); here with m unbounded.
#[must_use]
pub fn multisets(tuples: &Tuples, classes: &Classes, kept: impl Fn(usize) -> bool) -> Multisets {
    let mut sizes = match tuples.incidence() {
        // A single row: the multiset is the class.
        Incidence::OneRowEach => {
            classes.statistics().iter().enumerate().filter(|&(class, _)| kept(class)).map(|(_, class)| class.subjects).collect()
        }
        Incidence::Lists { offsets, owners, rows, subjects } => {
            let mut visits: Vec<(u32, u32, u64)> = Vec::new();
            for (tuple, &class) in classes.of_tuples().iter().enumerate() {
                if kept(class as usize) {
                    visits.extend((offsets[tuple]..offsets[tuple + 1]).map(|entry| (owners[entry], class, rows[entry])));
                }
            }
            shared(visits, *subjects as usize)
        }
    };
    sizes.sort_unstable();
    Multisets { subjects: sizes.iter().sum(), distinct: sizes.len() as u64, smallest: sizes.first().copied() }
}

/// Numbers of people for every different multiset, from (subject, class, rows).
fn shared(mut visits: Vec<(u32, u32, u64)>, subjects: usize) -> Vec<u64> {
    visits.sort_unstable();
    // Several tuples of one person may have become one class.
    visits.dedup_by(|next, first| {
        let same = (next.0, next.1) == (first.0, first.1);
        if same {
            first.2 += next.2;
        }
        same
    });
    let mut people: Vec<&[(u32, u32, u64)]> = Vec::with_capacity(subjects);
    people.extend(visits.chunk_by(|one, other| one.0 == other.0));
    let multiset = |person: &[(u32, u32, u64)]| person.iter().map(|&(_, class, rows)| (class, rows)).collect::<Vec<_>>();
    people.sort_unstable_by(|one, other| {
        one.iter().map(|&(_, class, rows)| (class, rows)).cmp(other.iter().map(|&(_, class, rows)| (class, rows)))
    });
    people.chunk_by(|one, other| one.len() == other.len() && multiset(one) == multiset(other)).map(|group| group.len() as u64).collect()
}
