use super::*;
use crate::error::Error;
use crate::keys::Key;
use arrow::array::{Int32Array, StringArray};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn key() -> Key {
    Key::from_bytes([9; 32])
}

fn tags(people: &[usize]) -> Vec<PersonTag> {
    person_tags(&StringArray::from(people.iter().map(|person| format!("person {person}")).collect::<Vec<_>>()), &key()).unwrap()
}

/// Cells by their definition: people with the same groups everywhere.
fn cells(people: usize, releases: &[Vec<u32>]) -> Vec<u64> {
    let mut counts: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
    for person in 0..people {
        let signature: Vec<u32> = releases.iter().map(|groups| groups.get(person).copied().unwrap_or(ABSENT)).collect();
        if signature.iter().any(|&group| group != ABSENT) {
            *counts.entry(signature).or_default() += 1;
        }
    }
    let mut sizes: Vec<u64> = counts.into_values().collect();
    sizes.sort_unstable();
    sizes
}

/// The smallest set, not empty, that intersections and differences of at most three groups give.
fn smallest_combination(people: usize, releases: &[Vec<u32>]) -> Option<usize> {
    let mut sets: BTreeSet<BTreeSet<usize>> = BTreeSet::new();
    for groups in releases {
        let mut by_group: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
        for (person, &group) in groups.iter().enumerate().take(people).filter(|(_, group)| **group != ABSENT) {
            by_group.entry(group).or_default().insert(person);
        }
        sets.extend(by_group.into_values());
    }
    let basic = sets.clone();
    for _ in 0..2 {
        let known: Vec<_> = sets.iter().cloned().collect();
        for a in &known {
            for b in &basic {
                sets.insert(a & b);
                sets.insert(a - b);
            }
        }
    }
    sets.iter().map(BTreeSet::len).filter(|&size| size > 0).min()
}

proptest! {
    #[test]
    fn the_joint_partition_is_that_of_its_definition(
        people in 1_usize..40,
        releases in prop::collection::vec(prop::collection::vec(prop_oneof![Just(ABSENT), 0_u32..4], 0..40), 0..4),
    ) {
        let releases: Vec<Vec<u32>> = releases.into_iter().map(|mut groups| { groups.truncate(people); groups }).collect();
        let borrowed: Vec<&[u32]> = releases.iter().map(Vec::as_slice).collect();
        let joint = JointPartition::new(people, &borrowed);
        let expected = cells(people, &releases);
        prop_assert_eq!(joint.cells(), expected.len());
        prop_assert_eq!(joint.smallest(), expected.first().copied());
        for k in 1..5 {
            prop_assert_eq!(joint.people_below(k), expected.iter().filter(|&&size| size < k).sum::<u64>());
        }
        // No combination of groups is smaller than the smallest cell.
        if let (Some(cell), Some(combination)) = (joint.smallest(), smallest_combination(people, &releases)) {
            prop_assert!(combination as u64 >= cell);
        }
    }

    /// Releases with arrivals and withdrawals, each as planned: every cell of the joint partition has no or at least k people.
    #[test]
    fn planned_releases_never_leave_a_small_cell(
        presence in prop::collection::vec(prop::collection::vec(prop::bool::weighted(0.8), 60), 3..5),
        k in 2_usize..6,
    ) {
        let mut register = Register::default();
        let mut rows: Vec<Vec<u32>> = Vec::new();
        for present in &presence {
            let people: Vec<usize> = (0..60).filter(|&person| present[person]).collect();
            let named = tags(&people);
            let plan = register.plan("cohorts", &named);
            let mut groups = vec![ABSENT; people.len()];
            for &group in &plan.frozen {
                let members = register.members(group);
                prop_assert!(members.len() >= k && register.content(group) == Some(b"cells".as_slice()));
                for (own, tag) in groups.iter_mut().zip(&named) {
                    if members.contains(tag) {
                        *own = group;
                    }
                }
            }
            let fresh = register.new_groups(plan.newcomers.len() / k).unwrap();
            for (place, &position) in plan.newcomers.iter().enumerate() {
                if !fresh.is_empty() {
                    groups[position] = fresh.start + u32::try_from((place / k).min(fresh.len() - 1)).unwrap();
                }
            }
            register.record(Release::new("cohorts", "r", "tastes", k as u64), &named, &groups, fresh.map(|group| (group, b"cells".to_vec()))).unwrap();
            let mut row = vec![ABSENT; 60];
            for (&person, &group) in people.iter().zip(&groups) {
                row[person] = group;
            }
            rows.push(row);
        }
        prop_assert!(cells(60, &rows).iter().all(|&size| size >= k as u64));
        prop_assert!(smallest_combination(60, &rows).is_none_or(|size| size >= k));
    }

    /// The broken variant: cohorts formed anew from whoever is there. Whatever the register accepts is sound by the definition, and what it refuses is not.
    #[test]
    fn the_register_refuses_exactly_what_singles_out(
        presence in prop::collection::vec(prop::collection::vec(prop::bool::weighted(0.9), 24), 2..4),
        k in 2_u64..5,
    ) {
        let mut register = Register::default();
        let mut rows: Vec<Vec<u32>> = Vec::new();
        for present in &presence {
            let people: Vec<usize> = (0..24).filter(|&person| present[person]).collect();
            let named = tags(&people);
            let fresh = register.new_groups(people.len() / 6).unwrap();
            let mut row = vec![ABSENT; 24];
            let mut groups = vec![ABSENT; people.len()];
            for (place, &person) in people.iter().enumerate() {
                if !fresh.is_empty() {
                    groups[place] = fresh.start + u32::try_from((place / 6).min(fresh.len() - 1)).unwrap();
                    row[person] = groups[place];
                }
            }
            rows.push(row);
            let sound = cells(24, &rows).iter().all(|&size| size >= k);
            let before = register.people().len();
            let recorded = register.record(Release::new("cohorts", "r", "tastes", k), &named, &groups, []);
            prop_assert_eq!(recorded.is_ok(), sound);
            if recorded.is_err() {
                let refused = matches!(recorded, Err(Error::Refused { .. }));
                prop_assert!(refused);
                prop_assert_eq!(register.people().len(), before);
                rows.pop();
            }
        }
    }
}

#[test]
fn a_release_of_a_larger_k_is_protected_at_that_k() {
    let mut register = Register::default();
    let people: Vec<usize> = (0..8).collect();
    register.record(Release::new("cohorts", "first", "tastes", 8), &tags(&people), &[0; 8], []).unwrap();
    let second = [1, 1, 1, 1, ABSENT, ABSENT, ABSENT, ABSENT];
    let refused = register.record(Release::new("cohorts", "second", "tastes", 4), &tags(&people), &second, []);
    assert!(matches!(refused, Err(Error::Refused { .. })));
    // Another lineage is not compared with it.
    register.record(Release::new("records", "second", "people", 4), &tags(&people), &second, []).unwrap();
    assert_eq!(register.releases().len(), 2);
}

#[test]
fn lists_that_do_not_fit_are_refused_and_change_nothing() {
    let mut register = Register::default();
    let release = || Release::new("cohorts", "r", "tastes", 2);
    register.record(release(), &tags(&[0, 1, 2, 3]), &[0, 0, 1, 1], []).unwrap();
    assert!(register.record(release(), &tags(&[0, 1]), &[0], []).is_err());
    assert!(register.record(release(), &tags(&[5, 5]), &[7, 7], []).is_err());
    // Group 0 with two more members, and with one fewer.
    assert!(matches!(register.record(release(), &tags(&[0, 1, 8, 9]), &[0; 4], []), Err(Error::Parameter { .. })));
    assert!(matches!(register.record(release(), &tags(&[0]), &[0], []), Err(Error::Parameter { .. })));
    assert_eq!((register.people().len(), register.releases().len()), (4, 1));
    assert_eq!(register.new_groups(3).unwrap(), 2..5);
    assert!(register.new_groups(usize::MAX).is_err());
}

#[test]
fn nobody_and_empty_releases_are_fine() {
    let mut register = Register::default();
    assert_eq!(register.plan("cohorts", &[]), Plan::default());
    register.record(Release::new("cohorts", "r", "tastes", 2), &[], &[], []).unwrap();
    assert_eq!(JointPartition::new(0, &[]).smallest(), None);
    assert_eq!(register.plan("cohorts", &tags(&[1])).newcomers, [0]);
}

#[test]
fn numbers_and_texts_name_the_same_person() {
    let number = person_tags(&Int32Array::from(vec![42]), &key()).unwrap();
    let text = person_tags(&StringArray::from(vec!["42"]), &key()).unwrap();
    assert_eq!(number, text);
    assert_ne!(text, person_tags(&StringArray::from(vec!["42"]), &Key::from_bytes([1; 32])).unwrap());
    assert!(person_tags(&Int32Array::from(vec![Some(1), None]), &key()).is_err());
}

#[test]
fn it_is_the_same_after_it_was_written_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("releases.register");
    let mut register = Register::open(&path, &key()).unwrap();
    assert!(register.releases().is_empty());
    let release = Release {
        recipient: "Example AI Inc.".to_owned(),
        created: "2026-11-24T00:00:00Z".to_owned(),
        ..Release::new("cohorts", "r", "tastes", 2)
    };
    register.record(release, &tags(&[0, 1, 2]), &[0, 0, ABSENT], [(0, vec![1, 2, 3])]).unwrap();
    register.record(Release::new("cohorts", "s", "tastes", 2), &tags(&[3, 4]), &[1, 1], [(1, vec![])]).unwrap();
    register.save(&path, &key()).unwrap();
    let again = Register::open(&path, &key()).unwrap();
    assert_eq!(again.releases(), register.releases());
    assert_eq!(again.people(), register.people());
    assert_eq!((again.content(0), again.content(1), again.content(2)), (Some([1, 2, 3].as_slice()), Some([].as_slice()), None));
    let people = tags(&[0, 1, 2, 3, 4, 5]);
    assert_eq!(again.plan("cohorts", &people), register.plan("cohorts", &people));
    assert_eq!(again.clone().new_groups(1).unwrap(), 2..3);
    assert!(matches!(Register::open(&path, &Key::from_bytes([1; 32])), Err(Error::Key { .. })));
    // A copy that a crash left half written does not replace the file, and an altered one is refused.
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(Register::open(&path, &key()), Err(Error::Data { .. })));
}
