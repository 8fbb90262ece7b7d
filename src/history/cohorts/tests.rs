use super::mdav::mdav;
use super::people::People;
use super::points::Points;
use super::*;
use crate::numeric::real;
use crate::units::{K, Share};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng, seq::SliceRandom};
use std::collections::{BTreeMap, BTreeSet};

fn key(byte: u8) -> Key {
    Key::from_bytes([byte; 32])
}

fn options(k: u64) -> CohortOptions {
    CohortOptions::new(K::new(k).unwrap()).with_threads(2)
}

/// Ids that look like hashes.
fn ids(count: usize) -> Vec<u64> {
    (1..=count as u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
}

/// People of four tastes, each with a few items of its own and one that all have.
fn pool(people: usize, seed: u64) -> Vec<Vec<u32>> {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    (0..people)
        .map(|person| {
            let taste = u32::try_from(person % 4).unwrap() * 20;
            let items: BTreeSet<u32> = (0..random.random_range(1..14)).map(|_| taste + random.random_range(0..22)).chain([99]).collect();
            items.into_iter().collect()
        })
        .collect()
}

fn formed(lists: &[Vec<u32>], options: &CohortOptions) -> Cohorts {
    let matrix = SubjectItems::from_lists(lists, 120).unwrap();
    form(&matrix, &ids(lists.len()), &ids(120), options, &key(1)).unwrap()
}

/// Counts everything again, person by person.
fn assert_true(cohorts: &Cohorts, lists: &[Vec<u32>], options: &CohortOptions) {
    let k = usize::try_from(options.k.get()).unwrap();
    let mut placed: Vec<u32> = Vec::new();
    let (mut pairs, mut dropped, mut capped) = (0_u64, 0_u64, 0_u64);
    for cohort in 0..cohorts.len() {
        let members = cohorts.members(cohort);
        assert!(members.len() >= k && members.len() < 2 * k, "{} people", members.len());
        placed.extend(members);
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        for &member in members {
            for &item in &lists[member as usize] {
                *counts.entry(item).or_default() += 1;
            }
        }
        pairs += counts.values().sum::<u64>();
        let most = (0..=members.len())
            .rev()
            .find(|&most| real(most as u64) <= options.max_share.get() * real(members.len() as u64) + 1e-9)
            .unwrap() as u64;
        let expected: BTreeMap<u32, u32> = counts
            .iter()
            .filter(|&(_, &count)| count >= options.min_members)
            .map(|(&item, &count)| (item, u32::try_from(count.min(most)).unwrap()))
            .collect();
        dropped += counts.values().filter(|&&count| count < options.min_members).sum::<u64>();
        capped += counts.values().filter(|&&count| count >= options.min_members).map(|&count| count.saturating_sub(most)).sum::<u64>();
        let shown: BTreeMap<u32, u32> = cohorts.items(cohort).iter().copied().zip(cohorts.shown(cohort).iter().copied()).collect();
        assert_eq!(shown, expected);
        assert_eq!(shown.len(), cohorts.items(cohort).len());
    }
    placed.sort_unstable();
    let with_items: Vec<u32> = (0..).zip(lists).filter(|(_, list)| !list.is_empty()).map(|(person, _)| person).collect();
    assert_eq!(placed, with_items, "everybody with an item is in one cohort");
    let summary = cohorts.summary();
    assert_eq!((summary.pairs, summary.pairs_dropped, summary.pairs_capped), (pairs, dropped, capped));
    assert_eq!(summary.pairs - dropped - capped, cohorts.rows().map(|row| u64::from(row.members)).sum::<u64>());
    assert_eq!(summary.cells, cohorts.cells() as u64);
    assert!(cohorts.checked(options).holds());
    assert_eq!(cohorts.ids().iter().collect::<BTreeSet<_>>().len(), cohorts.len());
    assert!(cohorts.ids().iter().all(|&id| id < 1 << 53));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cells_and_sizes_equal_brute_force(
        people in 6_usize..90, seed: u64, k in 2_u64..7, min_members in 1_u64..4, share in prop_oneof![Just(1.0), 0.6..1.0], dimensions in 1_u32..9,
    ) {
        let options = options(k).with_min_members(min_members.min(k)).with_max_share(Share::new(share).unwrap()).with_dimensions(dimensions).with_block_size(24);
        prop_assume!(options.most_shown(k) >= options.min_members);
        let lists = pool(people, seed);
        assert_true(&formed(&lists, &options), &lists, &options);
    }
}

#[test]
fn as_many_cohorts_as_fit() {
    for (people, cohorts) in [(5, 1), (9, 1), (10, 2), (14, 2), (15, 3)] {
        assert_eq!(formed(&pool(people, 3), &options(5)).len(), cohorts, "{people} people");
    }
}

#[test]
fn too_few_people_are_refused_and_people_without_items_do_not_count() {
    let mut lists = pool(4, 1);
    lists.extend(vec![Vec::new(); 30]);
    let matrix = SubjectItems::from_lists(&lists, 120).unwrap();
    let refused = form(&matrix, &ids(34), &ids(120), &options(5), &key(1)).unwrap_err().to_string();
    assert!(refused.contains("4 people") && refused.contains("lower k"), "{refused}");
    lists.push(vec![3]);
    let cohorts = formed(&lists, &options(5));
    assert_eq!((cohorts.len(), cohorts.summary().people, cohorts.summary().people_without_items), (1, 5, 30));
    assert_eq!(cohorts.cohort_of(35).iter().flatten().count(), 5);
    let nobody = SubjectItems::from_lists(&Vec::<Vec<u32>>::new(), 3).unwrap();
    assert!(form(&nobody, &[], &ids(3), &options(2), &key(1)).is_err());
    assert!(form(&matrix, &ids(33), &ids(120), &options(2), &key(1)).is_err());
    assert!(form(&matrix, &ids(34), &ids(119), &options(2), &key(1)).is_err());
}

#[test]
fn people_who_are_all_alike() {
    let lists = vec![vec![1, 5, 7]; 57];
    for share in [1.0, 0.8] {
        let options = options(10).with_block_size(40).with_max_share(Share::new(share).unwrap());
        let cohorts = formed(&lists, &options);
        assert_true(&cohorts, &lists, &options);
        // With a cap no number says that all members share an item.
        let all = cohorts.rows().filter(|row| row.members == row.size).count();
        assert_eq!(all, if share < 1.0 { 0 } else { cohorts.cells() });
    }
    // Nothing in common at all: no cell.
    let lists: Vec<Vec<u32>> = (0..30).map(|person| vec![person]).collect();
    let cohorts = formed(&lists, &options(10));
    assert_eq!((cohorts.len(), cohorts.cells(), cohorts.summary().cohorts_without_cells), (3, 0, 3));
}

#[test]
fn one_person_with_a_hundred_thousand_items() {
    let mut lists = pool(60, 8);
    lists.push((0..100_000).collect());
    let matrix = SubjectItems::from_lists(&lists, 100_000).unwrap();
    for limit in [None, Some(50)] {
        let options = options(5).with_max_items_per_subject(limit);
        let cohorts = form(&matrix, &ids(61), &ids(100_000), &options, &key(1)).unwrap();
        assert!(cohorts.checked(&options).holds());
        // Nearly all of the items are that person's alone.
        assert!(cohorts.cells() < 60 * 15);
        assert_eq!(cohorts.summary().pairs_over_limit, limit.map_or(0, |_| 99_950));
    }
}

/// The rows with stable names, in the order of the release.
fn named(cohorts: &Cohorts, item_ids: &[u64]) -> Vec<(u64, u32, u64, u32)> {
    cohorts.rows().map(|row| (row.cohort_id, row.size, item_ids[row.item as usize], row.members)).collect()
}

#[test]
fn the_same_cohorts_for_any_numbering_order_and_number_of_threads() {
    let lists = pool(150, 4);
    let options = options(5).with_block_size(32).with_max_items_per_subject(Some(8));
    let (subject_ids, item_ids) = (ids(150), ids(120));
    let matrix = SubjectItems::from_lists(&lists, 120).unwrap();
    let expected = named(&form(&matrix, &subject_ids, &item_ids, &options, &key(1)).unwrap(), &item_ids);
    let mut random = ChaCha20Rng::seed_from_u64(5);
    for threads in [1, 3, 8] {
        let (mut people, mut items): (Vec<usize>, Vec<u32>) = ((0..150).collect(), (0..120).collect());
        people.shuffle(&mut random);
        items.shuffle(&mut random);
        let moved: Vec<Vec<u32>> = people.iter().map(|&person| lists[person].iter().map(|&item| items[item as usize]).collect()).collect();
        let moved_people: Vec<u64> = people.iter().map(|&person| subject_ids[person]).collect();
        let mut moved_items = vec![0; 120];
        for (item, &place) in items.iter().enumerate() {
            moved_items[place as usize] = item_ids[item];
        }
        let matrix = SubjectItems::from_lists(&moved, 120).unwrap();
        let found = form(&matrix, &moved_people, &moved_items, &options.clone().with_threads(threads), &key(1)).unwrap();
        assert_eq!(named(&found, &moved_items), expected);
    }
    // Another key gives other ids, in another order.
    let other = named(&form(&matrix, &subject_ids, &item_ids, &options, &key(2)).unwrap(), &item_ids);
    assert!(other.iter().all(|row| !expected.iter().any(|known| known.0 == row.0)));
}

#[test]
fn the_order_within_a_cohort_tells_nothing() {
    let lists = pool(400, 6);
    let cohorts = formed(&lists, &options(10));
    let (mut ascending, mut rising, mut pairs) = (0, 0, 0);
    for cohort in 0..cohorts.len() {
        ascending += cohorts.items(cohort).windows(2).filter(|pair| pair[0] < pair[1]).count();
        rising += cohorts.shown(cohort).windows(2).filter(|pair| pair[0] < pair[1]).count();
        rising += cohorts.shown(cohort).windows(2).filter(|pair| pair[0] == pair[1]).count() / 2;
        pairs += cohorts.items(cohort).len() - 1;
    }
    // Half of the neighbours ascend; 5 standard deviations of dependent neighbours are below 0.1 for these sizes.
    for count in [ascending, rising] {
        assert!((real(count as u64) / real(pairs as u64) - 0.5).abs() < 0.1, "{count} of {pairs}");
    }
}

#[test]
fn a_bound_on_items_is_a_uniform_choice() {
    // 600 people with the same 20 items, of which 5 count: every item about 150 times, standard deviation 10.6.
    let lists = vec![(0..20).collect::<Vec<u32>>(); 600];
    let matrix = SubjectItems::from_lists(&lists, 20).unwrap();
    let bounded = options(5).with_max_items_per_subject(Some(5));
    let people = People::new(&matrix, &ids(600), &ids(20), &bounded, &key(3)).unwrap();
    let mut counts = [0_u32; 20];
    for person in 0..600 {
        assert_eq!(people.items_of(person).len(), 5);
        for &item in people.items_of(person) {
            counts[item as usize] += 1;
        }
    }
    assert!(counts.iter().all(|&count| (100..200).contains(&count)), "{counts:?}");
    assert_eq!(people.over_limit(), 600 * 15);
    let all = People::new(&matrix, &ids(600), &ids(20), &options(5), &key(3)).unwrap();
    assert_eq!((all.pairs(), all.over_limit()), (12_000, 0));
}

#[test]
fn similar_people_come_together() {
    let lists = pool(400, 7);
    let kept = |cohorts: &Cohorts| cohorts.rows().map(|row| f64::from(row.members)).sum::<f64>() / real(cohorts.summary().pairs);
    let cohorts = formed(&lists, &options(10));
    let of_one_taste = (0..cohorts.len())
        .filter(|&cohort| cohorts.members(cohort).iter().map(|member| member % 4).collect::<BTreeSet<_>>().len() == 1)
        .count();
    assert!(of_one_taste * 10 >= cohorts.len() * 8, "{of_one_taste} of {}", cohorts.len());
    // Cohorts of people in the order of their ids, a broken variant, keep much less.
    let matrix = SubjectItems::from_lists(&lists, 120).unwrap();
    let people = People::new(&matrix, &ids(400), &ids(120), &options(10), &key(1)).unwrap();
    let groups: Vec<Vec<u32>> = (0..400).collect::<Vec<u32>>().chunks(10).map(<[u32]>::to_vec).collect();
    let careless = cells::cells(&people, &groups, &options(10), &key(1));
    assert!(kept(&cohorts) > kept(&careless) + 0.15, "{} {}", kept(&cohorts), kept(&careless));
}

/// The definition, read out: sorted lists, no incremental means.
fn plain_mdav(numbers: &[Vec<f64>], k: usize) -> Vec<Vec<u32>> {
    let distance = |one: &[f64], two: &[f64]| one.iter().zip(two).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
    let mean = |left: &[usize]| -> Vec<f64> {
        (0..numbers[0].len()).map(|at| left.iter().map(|&person| numbers[person][at]).sum::<f64>() / real(left.len() as u64)).collect()
    };
    let farthest = |left: &[usize], from: &[f64]| {
        let mut sorted = left.to_vec();
        sorted.sort_by(|&a, &b| distance(&numbers[b], from).total_cmp(&distance(&numbers[a], from)));
        sorted[0]
    };
    let take = |left: &mut Vec<usize>, center: usize| {
        let mut sorted = left.clone();
        sorted.sort_by(|&a, &b| distance(&numbers[a], &numbers[center]).total_cmp(&distance(&numbers[b], &numbers[center])));
        sorted.truncate(k);
        left.retain(|person| !sorted.contains(person));
        sorted.sort_unstable();
        sorted.into_iter().map(|person| u32::try_from(person).unwrap()).collect::<Vec<u32>>()
    };
    let mut left: Vec<usize> = (0..numbers.len()).collect();
    let mut groups = Vec::new();
    while left.len() >= 3 * k {
        let one = farthest(&left, &mean(&left));
        groups.push(take(&mut left, one));
        let two = farthest(&left, &numbers[one]);
        groups.push(take(&mut left, two));
    }
    if left.len() >= 2 * k {
        let one = farthest(&left, &mean(&left));
        groups.push(take(&mut left, one));
    }
    groups.push(left.into_iter().map(|person| u32::try_from(person).unwrap()).collect());
    groups
}

#[test]
fn mdav_is_its_definition() {
    let mut random = ChaCha20Rng::seed_from_u64(9);
    for case in 0..60 {
        let (count, width, k) = (random.random_range(2..70), random.random_range(1..12), random.random_range(2..6));
        // Numbers that are exact in 32 bits; the last cases have many equal points.
        let range = if case < 40 { 4096 } else { 3 };
        let numbers: Vec<Vec<f64>> =
            (0..count).map(|_| (0..width).map(|_| f64::from(random.random_range(0..range)) / 64.0).collect()).collect();
        #[expect(clippy::cast_possible_truncation, reason = "exact")]
        let flat: Vec<f32> = numbers.iter().flatten().map(|&number| number as f32).collect();
        let found = mdav(&Points::new(&flat, width), k);
        if case < 40 {
            assert_eq!(found, plain_mdav(&numbers, k), "case {case}");
        }
        assert!(found.iter().all(|group| (group.len() >= k || found.len() == 1) && group.len() < 2 * k));
        let mut all: Vec<u32> = found.into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (0..u32::try_from(count).unwrap()).collect::<Vec<_>>());
    }
}

#[test]
fn blocks_are_balanced_and_cut_where_people_differ() {
    let mut random = ChaCha20Rng::seed_from_u64(10);
    // Two far clouds of the same size.
    let flat: Vec<f32> =
        (0..200).flat_map(|person| [if person % 2 == 0 { 0.0 } else { 50.0 }, random.random::<f32>(), random.random::<f32>()]).collect();
    let points = Points::new(&flat, 3);
    let two = blocks::blocks(&points, (0..200).collect(), 100, 1);
    assert_eq!(two, [(0..200).step_by(2).collect::<Vec<u32>>(), (1..200).step_by(2).collect()]);
    let many = blocks::blocks(&points, (0..200).collect(), 16, 4);
    assert_eq!(many, blocks::blocks(&points, (0..200).collect(), 16, 1));
    assert!(many.iter().all(|block| block.len() <= 16 && block.len() >= 8));
    assert_eq!(many.iter().flatten().collect::<BTreeSet<_>>().len(), 200);
    // All in one place.
    let same = blocks::blocks(&Points::new(&[1.0; 99], 1), (0..99).collect(), 16, 2);
    assert!(same.iter().all(|block| block.len() <= 16 && block.len() >= 8));
}

#[test]
fn broken_releases_are_caught() {
    let options = options(4).with_max_share(Share::new(0.8).unwrap());
    let broken = |id: &[u64], size: &[u64], item: &[u64], members: &[u64]| check(id, size, item, members, &options);
    let good = broken(&[1, 1, 2], &[5, 5, 4], &[7, 8, 7], &[2, 4, 3]);
    assert!(good.holds());
    assert_eq!((good.cohorts, good.people, good.cells, good.smallest_cohort, good.largest_cohort, good.fewest_members), (2, 9, 3, 4, 5, 2));
    assert_eq!(broken(&[1], &[3], &[7], &[2]).cohorts_too_small, 1, "k − 1 people");
    assert_eq!(broken(&[1], &[8], &[7], &[2]).cohorts_too_large, 1, "2k people");
    assert_eq!(broken(&[1], &[4], &[7], &[1]).cells_too_small, 1, "t − 1 members");
    assert_eq!(broken(&[1], &[5], &[7], &[5]).cells_over_cap, 1, "all members");
    assert_eq!(broken(&[1, 1], &[5, 4], &[7, 8], &[2, 2]).cohorts_of_two_sizes, 1);
    assert_eq!(broken(&[1, 2, 1], &[5, 5, 5], &[7, 7, 7], &[2, 2, 3]).cells_repeated, 1);
    assert_eq!(broken(&[1, 1], &[5, 5], &[7, 8], &[2]).rows_incomplete, 1);
    for found in [
        broken(&[1], &[3], &[7], &[2]),
        broken(&[1], &[4], &[7], &[1]),
        broken(&[1, 1], &[5, 4], &[7, 8], &[2, 2]),
        broken(&[1, 1], &[5, 5], &[7, 7], &[2, 2]),
        broken(&[1, 1], &[5, 5], &[7, 8], &[2]),
    ] {
        assert!(!found.holds());
    }
    let nothing = broken(&[], &[], &[], &[]);
    assert!(nothing.holds());
    assert_eq!((nothing.cohorts, nothing.smallest_cohort), (0, 0));
}

/// A release of groups that are too small is caught from the outside.
#[test]
fn a_broken_grouping_is_caught() {
    let lists = pool(40, 2);
    let matrix = SubjectItems::from_lists(&lists, 120).unwrap();
    let options = options(5);
    let people = People::new(&matrix, &ids(40), &ids(120), &options, &key(1)).unwrap();
    let groups: Vec<Vec<u32>> = (0..40).collect::<Vec<u32>>().chunks(4).map(<[u32]>::to_vec).collect();
    assert_eq!(cells::cells(&people, &groups, &options, &key(1)).checked(&options).cohorts_too_small, 10);
    let shown = cells::cells(&people, &groups, &options.clone().with_min_members(1), &key(1));
    assert!(shown.checked(&options).cells_too_small > 0);
}

#[test]
fn impossible_options_are_errors() {
    let matrix = SubjectItems::from_lists(&pool(40, 2), 120).unwrap();
    let run = |options: &CohortOptions| form(&matrix, &ids(40), &ids(120), options, &key(1));
    assert!(run(&options(5)).is_ok());
    for wrong in [
        options(5).with_min_members(0),
        options(5).with_min_members(6),
        options(5).with_max_share(Share::new(0.3).unwrap()),
        options(5).with_max_items_per_subject(Some(0)),
        options(5).with_dimensions(0),
        options(5).with_dimensions(257),
        options(5).with_threads(0),
    ] {
        assert!(matches!(run(&wrong), Err(Error::Parameter { .. })), "{wrong:?}");
    }
    // A block always has room for four cohorts.
    assert_eq!(run(&options(5).with_block_size(0)).unwrap(), run(&options(5).with_block_size(20)).unwrap());
    // More dimensions than items or people.
    assert!(run(&options(5).with_dimensions(256)).is_ok());
    // ⌊0.7 · 10⌋ is 7, though 0.7 · 10 is not in binary.
    assert_eq!(options(10).with_max_share(Share::new(0.7).unwrap()).most_shown(10), 7);
    assert_eq!(options(10).with_max_share(Share::new(0.29).unwrap()).most_shown(100), 29);
}

#[test]
fn attributes_are_shown_under_their_conditions() {
    use crate::io::table::NULL_CODE;
    // One cohort of ten.
    let lists = vec![vec![0]; 10];
    let cohorts = formed(&lists, &options(10));
    let show = |values: &[u32], options: &AttributeOptions| {
        attributes(&cohorts, values, &ids(5), options).unwrap()[0].map(|shown| (shown.value, shown.members))
    };
    let share = |share: f64| Share::new(share).unwrap();
    let plain = AttributeOptions { min_members: 3, max_share: share(0.8), sensitive: None };
    assert_eq!(show(&[1, 1, 1, 2, 2, 0, 0, 3, 4, NULL_CODE], &plain), Some((1, 3)));
    assert_eq!(show(&[1, 1, 0, 2, 2, 0, 4, 3, 4, NULL_CODE], &plain), None, "two members are too few");
    assert_eq!(show(&[1; 10], &plain), Some((1, 8)), "that all share it is not said");
    assert_eq!(show(&[NULL_CODE; 10], &plain), None);
    let sensitive = |l, closeness| AttributeOptions { sensitive: Some(SensitiveOptions { l, closeness }), ..plain };
    assert_eq!(show(&[1, 1, 1, 1, 1, 1, 1, 2, 2, 2], &sensitive(2, None)), Some((1, 7)));
    assert_eq!(show(&[1, 1, 1, 1, 1, 1, 1, 2, 2, 2], &sensitive(3, None)), None, "two values are not three");
    assert_eq!(show(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 2], &sensitive(2, None)), None, "nine of ten are too many");
    // Equal counts go to the smaller id, whatever the codes.
    let tie = [2, 2, 2, 2, 2, 4, 4, 4, 4, 4];
    assert_eq!(attributes(&cohorts, &tie, &[0, 0, 9, 0, 8], &plain).unwrap()[0].unwrap().value, 4);
    assert!(attributes(&cohorts, &[1; 9], &ids(5), &plain).is_err());
    assert!(attributes(&cohorts, &[5; 10], &ids(5), &plain).is_err());
    // Closeness: two cohorts of one value each are 1/2 away from all people; mixed ones are not.
    let lists: Vec<Vec<u32>> = (0..20).map(|person| vec![u32::from(person >= 10); 1]).collect();
    let cohorts = formed(&lists, &options(10));
    let by_taste: Vec<u32> = (0..20).map(|person| u32::from(person >= 10)).collect();
    let mixed: Vec<u32> = (0..20).map(|person| person % 2).collect();
    let close =
        AttributeOptions { min_members: 2, max_share: share(1.0), sensitive: Some(SensitiveOptions { l: 1, closeness: Some(share(0.4)) }) };
    let shown = |values: &[u32]| attributes(&cohorts, values, &ids(2), &close).unwrap().into_iter().flatten().count();
    assert_eq!((shown(&by_taste), shown(&mixed)), (0, 2));
    let far = AttributeOptions { sensitive: Some(SensitiveOptions { l: 1, closeness: Some(share(0.5)) }), ..close };
    assert_eq!(attributes(&cohorts, &by_taste, &ids(2), &far).unwrap().into_iter().flatten().count(), 2);
}

#[test]
fn earlier_cohorts_come_back_as_they_were() {
    let lists = pool(60, 3);
    let cohorts = formed(&lists, &options(5));
    let frozen = [
        FrozenCohort { members: vec![63, 61, 62], items: vec![7, 119], shown: vec![3, 2] },
        FrozenCohort { members: vec![64, 65], items: vec![], shown: vec![] },
    ];
    let (all, origins) = cohorts.with_frozen(&frozen, &key(1)).unwrap();
    assert_eq!((all.len(), origins.len()), (cohorts.len() + 2, all.len()));
    assert!(all.ids().windows(2).all(|pair| pair[0] < pair[1]), "one order, all ids different");
    let mut new = Vec::new();
    for (cohort, origin) in origins.iter().enumerate() {
        let found = (all.members(cohort), all.items(cohort), all.shown(cohort));
        match origin {
            Some(place) => {
                let mut members = frozen[*place].members.clone();
                members.sort_unstable();
                assert_eq!(found, (members.as_slice(), frozen[*place].items.as_slice(), frozen[*place].shown.as_slice()));
            }
            None => new.push(found),
        }
    }
    assert_eq!(
        new,
        (0..cohorts.len()).map(|cohort| (cohorts.members(cohort), cohorts.items(cohort), cohorts.shown(cohort))).collect::<Vec<_>>()
    );
    // Only earlier ones, and one that does not fit.
    let (alone, origins) = Cohorts::default().with_frozen(&frozen[..1], &key(1)).unwrap();
    assert_eq!((alone.len(), alone.size(0), origins), (1, 3, vec![Some(0)]));
    let wrong = FrozenCohort { members: vec![1], items: vec![1], shown: vec![] };
    assert!(cohorts.with_frozen(&[wrong], &key(1)).is_err());
}
