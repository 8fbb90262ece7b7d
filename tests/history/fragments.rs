//! Fragments against brute force.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use backmask::history::fragments::{Check, FragmentOptions, Fragments, Order, Pieces, check, check_pool, cut, cut_ordered};
use backmask::keys::Key;
use backmask::matrix::SubjectItems;
use backmask::policy::Support;
use backmask::units::K;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Lists without repetition, in the order of the person.
type Lists = Vec<Vec<u32>>;
const ITEMS: u32 = 9;

fn id(code: u64, salt: u64) -> u64 {
    (code + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn ids(count: usize, salt: u64) -> Vec<u64> {
    (0..count as u64).map(|code| id(code, salt)).collect()
}

fn k(k: u64) -> K {
    K::new(k).unwrap()
}

fn positions(lists: &Lists, matrix: &SubjectItems) -> Vec<u64> {
    (0_u32..)
        .zip(lists)
        .flat_map(|(person, list)| matrix.items_of(person).iter().map(|item| list.iter().position(|own| own == item).unwrap() as u64))
        .collect()
}

fn run(lists: &Lists, items: u32, order: Order, options: &FragmentOptions, seed: u8) -> backmask::Result<Fragments> {
    let matrix = SubjectItems::from_lists(lists, items as usize)?;
    let (subject_ids, item_ids) = (ids(lists.len(), 7), ids(items as usize, 1 << 40));
    let key = Key::from_bytes([seed; 32]);
    match order {
        Order::Sets => cut(&matrix, &subject_ids, &item_ids, options, &key),
        Order::Sequences => cut_ordered(&matrix, &positions(lists, &matrix), &subject_ids, &item_ids, options, &key),
    }
}

/// All subsequences of 1 … m items.
fn combinations(list: &[u32], m: usize, order: Order) -> BTreeSet<Vec<u32>> {
    (1_u32..1 << list.len())
        .filter(|mask| mask.count_ones() as usize <= m)
        .map(|mask| {
            let mut chosen: Vec<u32> = list.iter().enumerate().filter(|(place, _)| mask >> place & 1 == 1).map(|(_, &item)| item).collect();
            if order == Order::Sets {
                chosen.sort_unstable();
            }
            chosen
        })
        .collect()
}

/// People by combination.
fn holders<'a>(lists: impl Iterator<Item = (u32, &'a [u32])>, m: usize, order: Order) -> BTreeMap<Vec<u32>, BTreeSet<u32>> {
    let mut people: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
    for (person, list) in lists {
        for combination in combinations(list, m, order) {
            people.entry(combination).or_default().insert(person);
        }
    }
    people
}

fn released(fragments: &Fragments) -> impl Iterator<Item = (u32, &[u32])> {
    fragments.owners().iter().copied().zip(fragments.pieces().iter())
}

/// Lists of which many are alike, so that there is something to share.
fn lists() -> impl Strategy<Value = Lists> {
    let item_order = Just((0..ITEMS).collect::<Vec<u32>>()).prop_shuffle();
    let list = (item_order, proptest::collection::vec(any::<bool>(), ITEMS as usize), 0_usize..3, any::<bool>()).prop_map(
        |(mut order, chosen, kind, sorted)| {
            order.retain(|&item| match kind {
                0 => chosen[item as usize],
                1 => item < 5 || chosen[item as usize],
                _ => item % 3 != 0,
            });
            if sorted {
                order.sort_unstable();
            }
            order
        },
    );
    proptest::collection::vec(list, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, ..ProptestConfig::default() })]

    #[test]
    fn every_combination_is_supported(
        lists in lists(), k_asked in 2_u64..6, c in 1_usize..7, m in 1_usize..4, pool: bool, ordered: bool, threads in 1_usize..4,
    ) {
        let order = if ordered { Order::Sequences } else { Order::Sets };
        let support = if pool { Support::Pool } else { Support::Released };
        let options = FragmentOptions::new(k(k_asked), c, m).unwrap().with_support(support).with_threads(threads);
        let result = run(&lists, ITEMS, order, &options, 1);
        let people = lists.iter().filter(|list| !list.is_empty()).count() as u64;
        prop_assert_eq!(result.is_err(), people < k_asked);
        let Ok(result) = result else { return Ok(()) };

        let whole = || (0..).zip(lists.iter().map(Vec::as_slice));
        let found = holders(released(&result), m, order);
        let held = holders(whole(), m, order);
        let counted = if pool { &held } else { &found };
        for combination in found.keys() {
            prop_assert!(counted[combination].len() as u64 >= k_asked, "{:?}", combination);
        }
        prop_assert!(result.pieces().iter().all(|items| !items.is_empty() && items.len() <= c));

        // The independent count agrees with brute force, number by number.
        let matrix = SubjectItems::from_lists(&lists, ITEMS as usize).unwrap();
        let places = positions(&lists, &matrix);
        let recount = if pool {
            check_pool(&result.pieces(), &matrix, ordered.then_some(&places[..]), m, k(k_asked)).unwrap()
        } else {
            check(&result.pieces(), None, order, m, k(k_asked)).unwrap()
        };
        prop_assert!(recount.holds());
        for size in &recount.sizes {
            let expected: Vec<u64> =
                found.keys().filter(|own| own.len() as u64 == size.size).map(|own| counted[own].len() as u64).collect();
            prop_assert_eq!(size.combinations, expected.len() as u64);
            prop_assert_eq!(size.smallest, expected.iter().min().copied());
        }
        let owned = check(&result.pieces(), Some(result.owners()), order, m, k(k_asked)).unwrap();
        prop_assert_eq!(owned.items_in_several_fragments, Some(0));

        // Every item of a person is kept once, or deleted because too few have it.
        let mut kept: Vec<(u32, u32)> = released(&result).flat_map(|(person, items)| items.iter().map(move |&item| (person, item))).collect();
        let mut expected: Vec<(u32, u32)> = whole()
            .flat_map(|(person, list)| list.iter().map(move |&item| (person, item)))
            .filter(|&(_, item)| held[&vec![item]].len() as u64 >= k_asked)
            .collect();
        kept.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(&kept, &expected);
        let counts = result.counts();
        prop_assert_eq!(counts.rows_kept, kept.len() as u64);
        prop_assert_eq!(counts.rows_kept + counts.rows_rare_item, lists.iter().map(Vec::len).sum::<usize>() as u64);
        prop_assert_eq!(counts.sizes.iter().sum::<u64>(), result.pieces().len() as u64);
        if m == 2 && c > 1 {
            prop_assert_eq!(counts.pairs_released, found.keys().filter(|own| own.len() == 2).count() as u64);
        }
        // In sequences items keep their order.
        if ordered {
            for (person, items) in released(&result) {
                let list = &lists[person as usize];
                prop_assert!(items.is_sorted_by_key(|item| list.iter().position(|own| own == item)));
            }
        }
        prop_assert_eq!(run(&lists, ITEMS, order, &options.with_threads(1), 1).unwrap(), result);
    }

    /// Other codes for the same people and items, with their ids, give the same fragments in the same order.
    #[test]
    fn codes_do_not_matter(lists in lists(), people in Just((0_u32..24).collect::<Vec<u32>>()).prop_shuffle(), items in Just((0..ITEMS).collect::<Vec<u32>>()).prop_shuffle(), pool: bool) {
        let support = if pool { Support::Pool } else { Support::Released };
        let options = FragmentOptions::new(k(2), 4, 2).unwrap().with_support(support);
        let Ok(result) = run(&lists, ITEMS, Order::Sets, &options, 5) else { return Ok(()) };
        let mut renamed: Lists = vec![Vec::new(); 24];
        let mut subject_ids = vec![0; 24];
        for (person, &code) in people.iter().enumerate() {
            subject_ids[code as usize] = id(person as u64, 7);
            if let Some(list) = lists.get(person) {
                renamed[code as usize] = list.iter().map(|&item| items[item as usize]).collect();
            }
        }
        let mut item_ids = vec![0; ITEMS as usize];
        items.iter().enumerate().for_each(|(item, &code)| item_ids[code as usize] = id(item as u64, 1 << 40));
        let matrix = SubjectItems::from_lists(&renamed, ITEMS as usize).unwrap();
        let other = cut(&matrix, &subject_ids, &item_ids, &options, &Key::from_bytes([5; 32])).unwrap();
        let back = |item: &u32| u32::try_from(items.iter().position(|code| code == item).unwrap()).unwrap();
        let named: Vec<Vec<u32>> = other.pieces().iter().map(|own| own.iter().map(back).collect()).collect();
        prop_assert_eq!(named, result.pieces().iter().map(<[u32]>::to_vec).collect::<Vec<_>>());
    }
}

/// People of `communities` tastes, lists of up to 20 of 60 items.
fn tastes(people: u64) -> Lists {
    (0..people)
        .map(|person| {
            let own: BTreeSet<u32> = (0..20)
                .map(|draw| {
                    let random = id(person * 100 + draw, 3) >> 33;
                    u32::try_from(if random.is_multiple_of(4) { random / 4 % 60 } else { person % 4 * 15 + random / 4 % 15 }).unwrap()
                })
                .collect();
            own.into_iter().collect()
        })
        .collect()
}

#[test]
fn tastes_are_found_and_the_key_shuffles() {
    let lists = tastes(200);
    // Tenths of an item that fragments have on average, at least.
    for (m, least) in [(1, 35), (2, 12), (3, 10)] {
        let options = FragmentOptions::new(k(8), 5, m).unwrap();
        let result = run(&lists, 60, Order::Sets, &options, 1).unwrap();
        let (rows, count) = (result.counts().rows_kept, result.pieces().len() as u64);
        assert!(rows * 10 > count * least, "m = {m}: {rows} / {count}");
        let other = run(&lists, 60, Order::Sets, &options, 2).unwrap();
        assert_ne!(other.pieces(), result.pieces());
        let sorted = |fragments: &Fragments| released(fragments).map(|(person, own)| (person, own.to_vec())).collect::<BTreeSet<_>>();
        assert_eq!(sorted(&other), sorted(&result), "the key must choose the order only");
        // Nothing of the order of people shows in the order of release.
        let ascents = result.owners().windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((result.owners().len() * 2 / 5..result.owners().len() * 3 / 5).contains(&ascents), "{ascents} of {count}");
    }
}

#[test]
fn little_memory_makes_fragments_shorter_and_not_weaker() {
    let lists = tastes(200);
    let options = FragmentOptions::new(k(8), 5, 2).unwrap();
    let rich = run(&lists, 60, Order::Sets, &options, 1).unwrap();
    let mut before = rich.pieces().len();
    for memory in [1200, 240, 0] {
        let poor = run(&lists, 60, Order::Sets, &options.with_memory(memory), 1).unwrap();
        assert!(check(&poor.pieces(), Some(poor.owners()), Order::Sets, 2, k(8)).unwrap().holds());
        assert!(poor.pieces().len() >= before, "{memory}");
        before = poor.pieces().len();
    }
    assert_eq!(before as u64, rich.counts().rows_kept, "without memory every item stands alone");
}

#[test]
fn at_k_and_just_below() {
    // Items 0 and 1 are held by exactly three people, the pair (2, 3) by two, item 4 by two.
    let lists = vec![vec![0, 1, 2, 3], vec![0, 1, 2, 3, 4], vec![0, 1, 2, 4], vec![3]];
    let options = FragmentOptions::new(k(3), 5, 2).unwrap();
    for support in [Support::Released, Support::Pool] {
        let result = run(&lists, 5, Order::Sets, &options.with_support(support), 1).unwrap();
        let sizes: Vec<usize> = result.pieces().iter().map(<[u32]>::len).collect();
        assert_eq!(sizes.iter().filter(|&&size| size == 3).count(), 3, "0, 1 and 2 are together for all three");
        assert_eq!((result.counts().rows_rare_item, result.counts().rows_kept, result.counts().items_kept), (2, 12, 4));
        assert_eq!(check(&result.pieces(), None, Order::Sets, 2, k(3)).unwrap().achieved(), Some(3));
    }
}

#[test]
fn people_who_are_all_the_same() {
    let lists = vec![(0..40).collect::<Vec<u32>>(); 12];
    for m in 1..=3 {
        let options = FragmentOptions::new(k(12), 5, m).unwrap();
        let result = run(&lists, 40, Order::Sets, &options, 1).unwrap();
        assert_eq!(result.pieces().len(), 96, "m = {m}: eight fragments of five each");
        assert_eq!(check(&result.pieces(), None, Order::Sets, m, k(12)).unwrap().achieved(), Some(12));
    }
}

#[test]
fn one_person_with_a_hundred_thousand_items() {
    let mut lists = vec![(0..100_000).collect::<Vec<u32>>()];
    lists.extend((0..9).map(|person| (person * 10..person * 10 + 60).collect()));
    let options = FragmentOptions::new(k(3), 5, 2).unwrap();
    let result = run(&lists, 100_000, Order::Sets, &options, 1).unwrap();
    assert_eq!(result.counts().rows, 100_000 + 540);
    assert!(result.counts().rows_rare_item > 99_000 && result.counts().rows_kept > 500);
    assert!(check(&result.pieces(), Some(result.owners()), Order::Sets, 2, k(3)).unwrap().holds());
    assert!(result.pieces().iter().any(|items| items.len() == 5));
}

#[test]
fn too_few_people_and_bad_arguments_are_refused() {
    let options = FragmentOptions::new(k(3), 5, 2).unwrap();
    for lists in [vec![], vec![vec![]; 5], vec![vec![0], vec![0], vec![]]] {
        let message = run(&lists, 1, Order::Sets, &options, 1).unwrap_err().to_string();
        assert!(message.starts_with("k: is 3, and only"), "{message}");
    }
    for (c, m) in [(0, 2), (65, 2), (5, 0), (5, 4)] {
        assert!(FragmentOptions::new(k(3), c, m).is_err());
    }
    let matrix = SubjectItems::from_lists(&[[0], [0], [0]], 1).unwrap();
    let key = Key::from_bytes([1; 32]);
    assert!(cut(&matrix, &[1, 2], &[5], &options, &key).is_err());
    assert!(cut(&matrix, &[1, 2, 2], &[5], &options, &key).is_err(), "two people of one id");
    assert!(cut_ordered(&matrix, &[0, 0], &[1, 2, 3], &[5], &options, &key).is_err());
    assert!(cut(&matrix, &[1, 2, 3], &[5], &options, &key).is_ok());
    assert!(Pieces::new(&[0, 2, 1, 3], &[0, 1, 2]).is_err() && Pieces::new(&[], &[]).is_err());
    assert!(check(&Pieces::new(&[0, 1], &[0]).unwrap(), Some(&[]), Order::Sets, 2, k(2)).is_err());
    assert!(check(&Pieces::new(&[0, 1], &[0]).unwrap(), None, Order::Sets, 4, k(2)).is_err());
}

/// What a fault in the cut or in a file would look like; the count must see each.
#[test]
fn planted_defects_are_caught() {
    let fragments: Vec<Vec<u32>> = vec![vec![0, 1], vec![0, 1], vec![0, 1], vec![2], vec![2], vec![2]];
    let owners = [0, 1, 2, 0, 1, 2];
    let counted = |fragments: &[Vec<u32>], owners: Option<&[u32]>, m: usize| -> Check {
        let offsets: Vec<usize> = (0..=fragments.len()).map(|end| fragments[..end].iter().map(Vec::len).sum()).collect();
        check(&Pieces::new(&offsets, &fragments.concat()).unwrap(), owners, Order::Sets, m, k(3)).unwrap()
    };
    assert!(counted(&fragments, Some(&owners), 2).holds());
    // A pair of k − 1: one person's fragment was cut and the others' were not.
    let mut broken = fragments.clone();
    broken[2] = vec![0];
    broken.push(vec![1]);
    let found = counted(&broken, None, 2);
    assert_eq!(
        (found.holds(), found.sizes[1].below, found.sizes[1].smallest, &found.sizes[1].rarest[..]),
        (false, 1, Some(2), &[0, 1][..])
    );
    assert!(counted(&broken, None, 1).holds(), "one item at a time nothing is missing");
    // A pseudonym used for two fragments makes one of them.
    let mut broken = fragments.clone();
    let second = broken.remove(3);
    broken[0].extend(second);
    let found = counted(&broken, None, 2);
    assert_eq!((found.holds(), found.longest, found.sizes[1].below), (false, 3, 2));
    // An item twice in a fragment.
    let mut broken = fragments.clone();
    broken[5].push(2);
    assert_eq!((counted(&broken, None, 2).holds(), counted(&broken, None, 2).with_repeated_items), (false, 1));
    // The same fragment of a person released twice: fragments seem to be three people's, the owners are two.
    let twice = [0, 1, 1, 0, 1, 2];
    assert!(counted(&fragments, None, 2).holds());
    let found = counted(&fragments, Some(&twice), 2);
    assert_eq!((found.holds(), found.items_in_several_fragments), (false, Some(2)));
    // Pairs that hold and a triple that does not.
    let triangle: Vec<Vec<u32>> = [vec![0, 1], vec![1, 2], vec![0, 2]].into_iter().cycle().take(6).chain([vec![0, 1, 2]]).collect();
    assert!(counted(&triangle, None, 2).holds() && !counted(&triangle, None, 3).holds());
}

/// Pairs counted in rows of a list, with an item repeated, or in the pool where the release must count: both would let too much pass.
#[test]
fn support_in_the_pool_is_not_support_in_the_release() {
    // Five items in a ring; every pair of neighbours is held by two people, and c = 2 lets each person release one of two.
    let lists: Lists = (0..5).map(|start| vec![start, (start + 1) % 5, (start + 2) % 5]).collect();
    let options = FragmentOptions::new(k(2), 2, 2).unwrap();
    let pool = run(&lists, 5, Order::Sets, &options.with_support(Support::Pool), 1).unwrap();
    let matrix = SubjectItems::from_lists(&lists, 5).unwrap();
    assert!(check_pool(&pool.pieces(), &matrix, None, 2, k(2)).unwrap().holds());
    assert!(!check(&pool.pieces(), None, Order::Sets, 2, k(2)).unwrap().holds());
    let released = run(&lists, 5, Order::Sets, &options, 1).unwrap();
    assert!(check(&released.pieces(), None, Order::Sets, 2, k(2)).unwrap().holds());
}
