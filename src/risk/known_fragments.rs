//! The attacker knows some items of a person, and the release holds pieces of histories.

use super::known_items::{EXACT_SETS, Sizes, combinations, draw, for_each_subset};
use super::owners::Person;
use super::result::{AttackOptions, AttackResult};
use super::seed::stream_seed;
use super::target::{DECILES, Tally, check_deciles, choose, tallies};
use crate::error::{Error, Result};
use crate::matrix::{Postings, SubjectItems, deciles, rarity};
use crate::policy::AttackName;
use hashbrown::HashMap;
use rand::{SeedableRng, rngs::ChaCha20Rng};

/// Unicity of pieces: the attacker knows p items of a person, drawn uniformly from all that the release shows of them in any piece, and looks for the pieces that hold most of the known items.
///
/// The match set are the owners of these pieces; a success is a match set of exactly one person, who is the target. Whenever one piece holds everything that is known, this is the search for
/// pieces with all known items; when none does, an attacker goes by the best partial match instead of giving up, so the rate is at least that of the search for complete matches.
/// Deciles are those of [`rarity`] of what the release shows of a person, unless [`KnownFragmentItems::with_deciles`] sets others.
///
/// People, items and seed play the parts that they play in [`KnownItems`](super::KnownItems).
///
/// # References
/// de Montjoye et al., "Unique in the crowd", Scientific Reports 3 (2013); Narayanan and Shmatikov, "Robust de-anonymization of large sparse datasets", IEEE S&P (2008), for going by the best match.
///
/// ```
/// use backmask::{matrix::SubjectItems, policy::Gate, risk::{AttackOptions, KnownFragmentItems, attack_seed}};
/// // Three people with two pieces each. Items 0 and 1 stand together in a piece of the first person only.
/// let pieces = SubjectItems::from_lists(&[vec![0, 1], vec![2], vec![0, 2], vec![1], vec![1, 2], vec![0]], 3)?;
/// let attack = KnownFragmentItems::new(&pieces, &[0, 0, 1, 1, 2, 2], &[10, 11, 12], &[20, 21, 22])?;
/// let options = AttackOptions::new(&Gate::default(), attack_seed(&[b"example"]));
/// assert_eq!(attack.run(1, &options)?.rate, 0.0);
/// // Each pair stands in one person's piece, but it is known of all three.
/// assert!((attack.run(2, &options)?.rate - 1.0 / 3.0).abs() < 1e-9);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct KnownFragmentItems<'a> {
    pieces: Postings,
    owners: &'a [u32],
    /// What the release shows of each person.
    lists: SubjectItems,
    item_ids: &'a [u64],
    people: Vec<Person>,
}

impl<'a> KnownFragmentItems<'a> {
    /// An attack on pieces: the rows of `pieces`, of which `owners` tells whose each is by a code below the number of `subject_ids`. Ids name people and items independently of codes.
    ///
    /// # Errors
    /// There is not one owner for each piece or one id for each item, or an owner has no id.
    pub fn new(pieces: &SubjectItems, owners: &'a [u32], subject_ids: &[u64], item_ids: &'a [u64]) -> Result<Self> {
        let mistake = |name, problem: &str| Err(Error::Parameter { name, problem: problem.to_owned() });
        if owners.len() != pieces.subjects() || owners.iter().any(|&owner| owner as usize >= subject_ids.len()) {
            return mistake("owners", "needs one with an id for each piece");
        }
        if item_ids.len() != pieces.items() {
            return mistake("item_ids", "needs one for each item");
        }
        let mut lists: Vec<Vec<u32>> = vec![Vec::new(); subject_ids.len()];
        for (piece, &owner) in (0_u32..).zip(owners) {
            lists[owner as usize].extend_from_slice(pieces.items_of(piece));
        }
        let lists = SubjectItems::from_lists(&lists, pieces.items())?;
        let mut people: Vec<Person> =
            (0..).zip(subject_ids).filter(|&(person, _)| !lists.items_of(person).is_empty()).map(|(person, &id)| (person, id, 0)).collect();
        let all = rarity(&lists, &lists.support(), people.len() as u64);
        let scores: Vec<f64> = people.iter().map(|&(person, ..)| all.get(person as usize).copied().unwrap_or_default()).collect();
        let ids: Vec<u64> = people.iter().map(|&(_, id, _)| id).collect();
        for (person, decile) in people.iter_mut().zip(deciles(&scores, &ids)?) {
            person.2 = decile;
        }
        Ok(Self { pieces: pieces.postings(), owners, lists, item_ids, people })
    }

    /// The same attack with other deciles, one for each person: fixed before the attack by another declared score.
    ///
    /// # Errors
    /// There is not one decile from 0 to 9 for each person.
    pub fn with_deciles(mut self, deciles: &[u8]) -> Result<Self> {
        check_deciles(deciles, self.lists.subjects())?;
        for person in &mut self.people {
            person.2 = deciles.get(person.0 as usize).copied().unwrap_or_default();
        }
        Ok(self)
    }

    /// Runs the attack with `known` items.
    ///
    /// # Errors
    /// `known` is 0, or the options have no trials.
    pub fn run(&self, known: usize, options: &AttackOptions) -> Result<AttackResult> {
        options.check(known)?;
        let mut tallies = tallies(&self.people);
        let mut sizes = Sizes::default();
        let sets =
            self.people.iter().map(|&(person, ..)| combinations(self.lists.items_of(person).len(), known)).fold(0, u64::saturating_add);
        let exact = known == 1 || sets <= EXACT_SETS;
        let mut search = Search { overlap: vec![0; self.owners.len()], touched: Vec::new(), found: Vec::new() };
        if exact {
            self.try_all(known, &mut search, &mut tallies, &mut sizes);
        } else {
            self.try_some(known, options, &mut search, &mut tallies, &mut sizes);
        }
        let mut result = AttackResult::from_tallies(AttackName::KnownItems, known as u64, &tallies, exact, options)?;
        result.match_sets = sizes.summary();
        Ok(result)
    }

    /// All people, all knowledge sets.
    fn try_all(&self, known: usize, search: &mut Search, tallies: &mut [Tally; DECILES], sizes: &mut Sizes) {
        let mut knowledge = Vec::new();
        // What one known item gives does not depend on whose it is, apart from the target.
        let of_item: Option<Vec<(u64, Option<u32>)>> = (known == 1)
            .then(|| (0..u32::try_from(self.pieces.items()).unwrap_or(u32::MAX)).map(|item| self.match_set(&[item], search)).collect());
        for &(person, _, decile) in &self.people {
            let items = self.lists.items_of(person);
            let sets = combinations(items.len(), known);
            let weight = (1 << 40) / u128::from(sets);
            let mut successes = 0;
            for_each_subset(items, known.min(items.len()), &mut knowledge, &mut |knowledge| {
                let cached = of_item.as_ref().and_then(|sets| sets.get(*knowledge.first()? as usize)).copied();
                let (size, only) = cached.unwrap_or_else(|| self.match_set(knowledge, search));
                successes += u64::from(only == Some(person));
                sizes.add(size, weight);
            });
            tallies[usize::from(decile)].add(successes, sets);
        }
    }

    /// Chosen people, drawn knowledge sets.
    fn try_some(&self, known: usize, options: &AttackOptions, search: &mut Search, tallies: &mut [Tally; DECILES], sizes: &mut Sizes) {
        let ids: HashMap<u32, u64> = self.people.iter().map(|&(person, id, _)| (person, id)).collect();
        let (mut knowledge, mut items) = (Vec::new(), Vec::new());
        for target in choose(&self.people, options.trials, &options.seed) {
            let id = ids.get(&target.subject).copied().unwrap_or_default();
            items.clear();
            items.extend_from_slice(self.lists.items_of(target.subject));
            items.sort_unstable_by_key(|&item| self.item_ids.get(item as usize));
            let mut successes = 0;
            for attempt in 0..target.attempts {
                let mut rng = ChaCha20Rng::from_seed(stream_seed(&options.seed, "known-fragment-items", &[id, attempt]));
                draw(&items, known, &mut rng, &mut knowledge);
                let (size, only) = self.match_set(&knowledge, search);
                successes += u64::from(only == Some(target.subject));
                sizes.add(size, 1);
            }
            tallies[usize::from(target.decile)].add(successes, target.attempts);
        }
    }

    /// Number of owners of the pieces that hold most of `items`, and the owner if it is one.
    fn match_set(&self, items: &[u32], search: &mut Search) -> (u64, Option<u32>) {
        search.touched.clear();
        for &item in items {
            for &piece in self.pieces.subjects_of(item) {
                let overlap = &mut search.overlap[piece as usize];
                if *overlap == 0 {
                    search.touched.push(piece);
                }
                *overlap += 1;
            }
        }
        let most = search.touched.iter().map(|&piece| search.overlap[piece as usize]).max().unwrap_or(0);
        search.found.clear();
        for &piece in &search.touched {
            if std::mem::take(&mut search.overlap[piece as usize]) == most {
                search.found.push(self.owners[piece as usize]);
            }
        }
        search.found.sort_unstable();
        search.found.dedup();
        let only = if search.found.len() == 1 { search.found.first().copied() } else { None };
        (search.found.len() as u64, only)
    }
}

/// Room for a search.
#[derive(Debug)]
struct Search {
    /// Known items in each piece; all 0 between searches.
    overlap: Vec<u32>,
    touched: Vec<u32>,
    found: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Gate;
    use crate::risk::{KnownItems, attack_seed};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn options() -> AttackOptions {
        AttackOptions::new(&Gate::default(), attack_seed(&[b"test"]))
    }

    /// The rate by definition: every person, every set of known items, every piece looked at.
    fn brute_force(pieces: &[BTreeSet<u32>], owners: &[u32], people: u32, known: usize) -> f64 {
        let (mut sum, mut counted) = (0.0, 0.0);
        for person in 0..people {
            let list: BTreeSet<u32> =
                pieces.iter().zip(owners).filter(|(_, owner)| **owner == person).flat_map(|(piece, _)| piece.iter().copied()).collect();
            if list.is_empty() {
                continue;
            }
            let list: Vec<u32> = list.into_iter().collect();
            let (mut successes, mut sets) = (0.0, 0.0);
            for_each_subset(&list, known.min(list.len()), &mut Vec::new(), &mut |set| {
                let overlap = |piece: &BTreeSet<u32>| set.iter().filter(|item| piece.contains(item)).count();
                let most = pieces.iter().map(overlap).max().unwrap();
                let found: BTreeSet<u32> =
                    pieces.iter().zip(owners).filter(|(piece, _)| overlap(piece) == most).map(|(_, owner)| *owner).collect();
                successes += f64::from(u8::from(found == BTreeSet::from([person])));
                sets += 1.0;
            });
            sum += successes / sets;
            counted += 1.0;
        }
        if counted == 0.0 { 0.0 } else { sum / counted }
    }

    proptest! {
        #[test]
        fn rates_are_those_of_the_definition(
            cut in proptest::collection::vec((proptest::collection::btree_set(0_u32..7, 1..4), 0_u32..5), 1..14),
            known in 1_usize..5,
        ) {
            let (pieces, owners): (Vec<BTreeSet<u32>>, Vec<u32>) = cut.into_iter().unzip();
            let lists: Vec<Vec<u32>> = pieces.iter().map(|piece| piece.iter().copied().collect()).collect();
            let matrix = SubjectItems::from_lists(&lists, 7).unwrap();
            let items: Vec<u64> = (0..7).collect();
            let attack = KnownFragmentItems::new(&matrix, &owners, &[5, 6, 7, 8, 9], &items).unwrap();
            let result = attack.run(known, &options()).unwrap();
            prop_assert!(result.exact);
            prop_assert!((result.rate - brute_force(&pieces, &owners, 5, known)).abs() < 1e-9);
        }

        /// If every person has one piece that holds everything, this is the attack on whole lists.
        #[test]
        fn whole_lists_give_the_attack_on_lists(lists in proptest::collection::vec(proptest::collection::btree_set(0_u32..9, 1..8), 1..30), known in 1_usize..5) {
            let lists: Vec<Vec<u32>> = lists.into_iter().map(|list| list.into_iter().collect()).collect();
            let matrix = SubjectItems::from_lists(&lists, 9).unwrap();
            let owners: Vec<u32> = (0..u32::try_from(lists.len()).unwrap()).collect();
            let people: Vec<u64> = (0..lists.len() as u64).map(|id| id * 77).collect();
            let items: Vec<u64> = (0..9).map(|id| id * 31).collect();
            let pieces = KnownFragmentItems::new(&matrix, &owners, &people, &items).unwrap().run(known, &options()).unwrap();
            let whole = KnownItems::new(&matrix, &people, &items).unwrap().run(known, &options()).unwrap();
            prop_assert!((pieces.rate - whole.rate).abs() < 1e-9);
            prop_assert_eq!(pieces.deciles, whole.deciles);
        }
    }

    /// Sampling estimates the exact rate, within what 20,000 draws allow (five standard deviations: a false alarm in three million runs).
    #[test]
    fn sampled_rates_agree_with_exact_ones() {
        let lists: Vec<Vec<u32>> = (0..400_u32).map(|piece| vec![piece % 40, (piece * 7 + piece / 40) % 40, (piece * 11) % 40]).collect();
        let matrix = SubjectItems::from_lists(&lists, 40).unwrap();
        let owners: Vec<u32> = (0..400).map(|piece| piece / 8).collect();
        let (people, items): (Vec<u64>, Vec<u64>) = ((0..50).collect(), (0..40).collect());
        let attack = KnownFragmentItems::new(&matrix, &owners, &people, &items).unwrap();
        let options = AttackOptions { trials: 20_000, ..options() };
        let exact = attack.run(2, &options).unwrap();
        assert!(exact.exact && exact.rate > 0.0);
        let mut tallies = tallies(&attack.people);
        let mut search = Search { overlap: vec![0; 400], touched: Vec::new(), found: Vec::new() };
        attack.try_some(2, &options, &mut search, &mut tallies, &mut Sizes::default());
        let sampled = AttackResult::from_tallies(AttackName::KnownItems, 2, &tallies, false, &options).unwrap();
        let deviation = (exact.rate * (1.0 - exact.rate) / 20_000.0).sqrt();
        assert!((sampled.rate - exact.rate).abs() < 5.0 * deviation, "{} {}", sampled.rate, exact.rate);
    }

    #[test]
    fn wrong_lengths_are_errors() {
        let matrix = SubjectItems::from_lists(&[vec![0]], 1).unwrap();
        assert!(KnownFragmentItems::new(&matrix, &[], &[1], &[1]).is_err());
        assert!(KnownFragmentItems::new(&matrix, &[1], &[1], &[1]).is_err());
        assert!(KnownFragmentItems::new(&matrix, &[0], &[1], &[]).is_err());
        let attack = KnownFragmentItems::new(&matrix, &[0], &[1], &[1]).unwrap();
        assert!(attack.run(0, &options()).is_err());
        assert!(attack.clone().with_deciles(&[10]).is_err());
        assert_eq!(attack.with_deciles(&[3]).unwrap().run(1, &options()).unwrap().deciles[3].people, 1);
    }
}
