//! A person is protected as a whole: how many people share all that is known of them.
//!
//! If a token links the rows of a person, an adversary who knows the person sees every class that the person visits and how often. What protects
//! them is not the size of one class but the number of people with the same multiset of classes.

use super::grouper::Classes;
use super::people::People;
use super::tuples::Tuples;
use hashbrown::HashMap;

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
    let kept: Vec<bool> = (0..classes.len()).map(kept).collect();
    if let People::OneRowEach = &tuples.counts().people {
        // A single row: the multiset is the class.
        let sizes = classes.statistics().iter().zip(kept).filter(|&(_, kept)| kept).map(|(class, _)| class.subjects).collect();
        return of_sizes(sizes);
    }
    let of_tuples: Vec<Option<u32>> = classes.of_tuples().iter().map(|&class| Some(class).filter(|&class| kept[class as usize])).collect();
    multisets_of(tuples, &of_tuples)
}

/// For any classes: `of_tuples` is the class of every tuple with rows, `None` if it is suppressed.
pub(super) fn multisets_of(tuples: &Tuples, of_tuples: &[Option<u32>]) -> Multisets {
    // People whose rows are all in one class, by (class, rows).
    let mut single: HashMap<(u32, u64), u64> = HashMap::new();
    match &tuples.counts().people {
        People::OneRowEach => {
            let classes = of_tuples.iter().flatten().max().map_or(0, |&last| last as usize + 1);
            let mut sizes = vec![0; classes];
            for (&class, &rows) in of_tuples.iter().zip(tuples.rows()) {
                if let Some(class) = class {
                    sizes[class as usize] += rows;
                }
            }
            sizes.retain(|&people| people > 0);
            of_sizes(sizes)
        }
        People::Counted { settled, spread, numbers, .. } => {
            let mut repeated = vec![0_u64; of_tuples.len()];
            for &(tuple, rows, people) in tuples.repeated() {
                repeated[tuple as usize] += people;
                if let Some(class) = of_tuples[tuple as usize] {
                    *single.entry((class, rows)).or_default() += people;
                }
            }
            let mut visits: Vec<(u32, u32, u64)> = Vec::new();
            for (tuple, &class) in of_tuples.iter().enumerate() {
                if let Some(class) = class {
                    let people_with_one_row = settled[tuple] - repeated[tuple];
                    if people_with_one_row > 0 {
                        *single.entry((class, 1)).or_default() += people_with_one_row;
                    }
                    visits.extend(spread.of(tuple).iter().map(|visit| (visit.person, class, visit.rows)));
                }
            }
            let mut sizes = shared(visits, *numbers as usize, &mut single);
            sizes.extend(single.into_values());
            of_sizes(sizes)
        }
    }
}

fn of_sizes(mut sizes: Vec<u64>) -> Multisets {
    sizes.sort_unstable();
    Multisets { subjects: sizes.iter().sum(), distinct: sizes.len() as u64, smallest: sizes.first().copied() }
}

/// Numbers of people for every different multiset of several entries, from (subject, class, rows). Multisets of one entry are added to `single`.
fn shared(mut visits: Vec<(u32, u32, u64)>, subjects: usize, single: &mut HashMap<(u32, u64), u64>) -> Vec<u64> {
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
    for person in visits.chunk_by(|one, other| one.0 == other.0) {
        match person {
            &[(_, class, rows)] => *single.entry((class, rows)).or_default() += 1,
            _ => people.push(person),
        }
    }
    people.sort_unstable_by(|one, other| multiset(one).cmp(multiset(other)));
    people.chunk_by(|one, other| multiset(one).eq(multiset(other))).map(|group| group.len() as u64).collect()
}

fn multiset(person: &[(u32, u32, u64)]) -> impl Iterator<Item = (u32, u64)> {
    person.iter().map(|&(_, class, rows)| (class, rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anonymity::classes::{Grouper, TupleBuilder};
    use crate::anonymity::hierarchy::Hierarchy;
    use arrow::array::StringArray;

    /// One column with the values 0..3; rows are (value, subject).
    fn smallest(rows: &[(u32, u32)], level: usize, kept: impl Fn(usize) -> bool) -> Multisets {
        let (values, subjects): (Vec<u32>, Vec<u32>) = rows.iter().copied().unzip();
        let mut builder = TupleBuilder::new(1);
        builder.extend(&[&values], Some(&subjects)).unwrap();
        let tuples = builder.finish().unwrap();
        let hierarchies = [Hierarchy::flat("v", &StringArray::from(vec!["a", "b", "c"]), false).unwrap()];
        let classes = Grouper::new(&tuples, &hierarchies).unwrap().group(&[level]).unwrap();
        multisets(&tuples, &classes, kept)
    }

    #[test]
    fn classes_can_be_large_while_a_person_is_alone() {
        // Classes a, b and c have two people each, but each person visits another pair.
        let rows = [(0, 1), (1, 1), (1, 2), (2, 2), (0, 3), (2, 3)];
        assert_eq!(smallest(&rows, 0, |_| true), Multisets { subjects: 3, distinct: 3, smallest: Some(1) });
        assert_eq!(smallest(&rows, 1, |_| true), Multisets { subjects: 3, distinct: 1, smallest: Some(3) });
    }

    #[test]
    fn how_often_a_class_is_visited_counts() {
        let rows = [(0, 1), (0, 1), (0, 2), (0, 3), (0, 3)];
        assert_eq!(smallest(&rows, 0, |_| true).smallest, Some(1));
        // Merged tuples of one person add up: {a, b} and {a, a} both become {*, *}.
        let rows = [(0, 1), (1, 1), (0, 2), (0, 2)];
        assert_eq!(smallest(&rows, 1, |_| true), Multisets { subjects: 2, distinct: 1, smallest: Some(2) });
    }

    #[test]
    fn what_is_suppressed_is_not_seen() {
        // Without class b (the second in order of appearance) persons 1 and 2 look alike, and person 3 is gone.
        let rows = [(0, 1), (1, 1), (0, 2), (1, 3), (1, 3)];
        assert_eq!(smallest(&rows, 0, |_| true).smallest, Some(1));
        assert_eq!(smallest(&rows, 0, |class| class != 1), Multisets { subjects: 2, distinct: 1, smallest: Some(2) });
        assert_eq!(smallest(&rows, 0, |_| false), Multisets { subjects: 0, distinct: 0, smallest: None });
    }

    #[test]
    fn with_one_row_each_the_class_is_the_multiset() {
        assert_eq!(
            smallest(&[(0, 1), (0, 2), (1, 3), (1, 4), (1, 5)], 0, |_| true),
            Multisets { subjects: 5, distinct: 2, smallest: Some(2) }
        );
    }
}
