//! Sessions against counting by hand.

use super::cut;
use crate::history::fragments::{FragmentOptions, Fragments, Order, Pieces, check};
use crate::keys::Key;
use crate::policy::Support;
use crate::units::K;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Given = Vec<(u32, Vec<u32>)>;

fn ids(count: u64, salt: u64) -> Vec<u64> {
    (0..count).map(|code| (code + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect()
}

fn run(given: &Given, order: Order, options: &FragmentOptions) -> crate::Result<Fragments> {
    let mut offsets = vec![0];
    let mut items = Vec::new();
    for (_, session) in given {
        items.extend_from_slice(session);
        offsets.push(items.len());
    }
    let owners: Vec<u32> = given.iter().map(|session| session.0).collect();
    cut(&Pieces::new(&offsets, &items)?, &owners, &ids(9, 1), &ids(7, 99), order, options, &Key::from_bytes([3; 32]))
}

/// People by pair, of sequences or sets.
fn pairs<'a>(lists: impl Iterator<Item = (u32, &'a [u32])>, order: Order) -> BTreeMap<(u32, u32), BTreeSet<u32>> {
    let mut people: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
    for (owner, items) in lists {
        for (i, &a) in items.iter().enumerate() {
            people.entry((a, u32::MAX)).or_default().insert(owner);
            for &b in &items[i + 1..] {
                if order == Order::Sequences || a != b {
                    let pair = if order == Order::Sets { (a.min(b), a.max(b)) } else { (a, b) };
                    people.entry(pair).or_default().insert(owner);
                }
            }
        }
    }
    people
}

proptest! {
    #[test]
    fn all_pairs_are_supported(
        given in proptest::collection::vec((0_u32..9, proptest::collection::vec(0_u32..7, 0..9)), 0..40),
        k in 2_u64..5, c in 1_usize..5, ordered: bool, pool: bool, threads in 1_usize..4,
    ) {
        let order = if ordered { Order::Sequences } else { Order::Sets };
        let support = if pool { Support::Pool } else { Support::Released };
        let options = FragmentOptions::new(K::new(k).unwrap(), c, 2).unwrap().with_support(support).with_threads(threads);
        let people: BTreeSet<u32> = given.iter().filter(|session| !session.1.is_empty()).map(|session| session.0).collect();
        let result = run(&given, order, &options);
        prop_assert_eq!(result.is_err(), (people.len() as u64) < k);
        let Ok(result) = result else { return Ok(()) };
        let released = pairs(result.owners().iter().copied().zip(result.pieces().iter()), order);
        let held = if pool { pairs(given.iter().map(|(owner, items)| (*owner, items.as_slice())), order) } else { released.clone() };
        for pair in released.keys() {
            prop_assert!(held[pair].len() as u64 >= k, "{:?}", pair);
        }
        prop_assert!(result.pieces().iter().all(|items| !items.is_empty() && items.len() <= c));
        if !pool {
            prop_assert!(check(&result.pieces(), Some(result.owners()), order, 2, K::new(k).unwrap()).unwrap().holds());
        }
        // Every event whose item k people have is there, in sequences as often as it was.
        if ordered {
            let mut expected: BTreeMap<(u32, u32), usize> = BTreeMap::new();
            let all = pairs(given.iter().map(|(owner, items)| (*owner, items.as_slice())), order);
            for (owner, items) in &given {
                for &item in items.iter().filter(|&&item| all[&(item, u32::MAX)].len() as u64 >= k) {
                    *expected.entry((*owner, item)).or_default() += 1;
                }
            }
            let mut found: BTreeMap<(u32, u32), usize> = BTreeMap::new();
            for (owner, items) in result.owners().iter().zip(result.pieces().iter()) {
                for &item in items {
                    *found.entry((*owner, item)).or_default() += 1;
                }
            }
            prop_assert_eq!(found, expected);
        }
        // Neither the order of the sessions nor the number of threads shows.
        let mut reversed = given;
        reversed.reverse();
        prop_assert_eq!(run(&reversed, order, &options.with_threads(1)).unwrap(), result);
    }
}

/// A person who repeats a pair counts once: counting pieces instead of people would let it pass.
#[test]
fn repetition_is_not_support() {
    let given = vec![(0, vec![0, 1]), (0, vec![0, 1]), (0, vec![0, 1]), (1, vec![0]), (1, vec![1])];
    let options = FragmentOptions::new(K::new(2).unwrap(), 3, 2).unwrap();
    let result = run(&given, Order::Sequences, &options).unwrap();
    assert!(result.pieces().iter().all(|items| items.len() == 1));
    let broken = Pieces::new(&[0, 2, 4, 6], &[0, 1, 0, 1, 0, 1]).unwrap();
    assert!(check(&broken, None, Order::Sequences, 2, K::new(2).unwrap()).unwrap().holds());
    assert!(!check(&broken, Some(&[0, 0, 0]), Order::Sequences, 2, K::new(2).unwrap()).unwrap().holds());
}

#[test]
fn shared_sessions_stay_whole_and_triples_are_refused() {
    let given: Given = (0..4).map(|person| (person, vec![3, 1, 2, 1])).collect();
    let options = FragmentOptions::new(K::new(4).unwrap(), 4, 2).unwrap();
    let result = run(&given, Order::Sequences, &options).unwrap();
    assert_eq!(result.pieces().iter().collect::<Vec<_>>(), [&[3, 1, 2, 1][..]; 4]);
    assert!(run(&given, Order::Sets, &FragmentOptions::new(K::new(4).unwrap(), 4, 3).unwrap()).is_err());
    let chunks = run(&given, Order::Sequences, &FragmentOptions::new(K::new(4).unwrap(), 3, 1).unwrap()).unwrap();
    assert!(chunks.pieces().iter().all(|items| items.len() <= 3) && chunks.counts().rows_kept == 16);
}
