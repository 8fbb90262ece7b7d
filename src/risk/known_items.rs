//! The attacker knows some items of a person.

use super::result::{AttackOptions, AttackResult, MatchSets};
use super::seed::stream_seed;
use super::target::{DECILES, Tally, check_deciles, choose, tallies};
use crate::error::{Error, Result};
use crate::matrix::{Postings, SubjectItems, deciles, rarity};
use crate::numeric::real;
use crate::policy::AttackName;
use hashbrown::HashMap;
use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng};

/// Knowledge sets that are enumerated at most, for more than one known item.
const EXACT_SETS: u64 = 200_000;

/// Unicity: the attacker knows p items of a person, drawn uniformly from the distinct items that the release shows of them, and looks for the people who have them all.
///
/// People with fewer than p items have all of them known. A success is a match set of exactly one person. With one known item, and wherever there are few
/// knowledge sets, all people and all sets are tried: then the rate is exact and needs no bound. Else every person is attacked equally often, or a tenth of the trials goes to each decile.
/// Deciles are those of [`rarity`] in the released data unless [`KnownItems::with_deciles`] sets others.
///
/// Results depend on the seed and on the stable ids of people and items, not on codes, order or threads. For each person the items known at p are among those known at p + 1.
///
/// # References
/// de Montjoye et al., "Unique in the crowd", Scientific Reports 3 (2013); Narayanan and Shmatikov, "Robust de-anonymization of large sparse datasets", IEEE S&P (2008).
///
/// ```
/// use backmask::{matrix::SubjectItems, policy::Gate, risk::{AttackOptions, KnownItems, attack_seed}};
/// // Three people; every item is shared, but items 0 and 2 together are only the third's.
/// let matrix = SubjectItems::from_lists(&[vec![0, 1], vec![1, 2], vec![0, 2]], 3)?;
/// let (people, items) = ([10, 11, 12], [20, 21, 22]);
/// let attack = KnownItems::new(&matrix, &people, &items)?;
/// let options = AttackOptions::new(&Gate::default(), attack_seed(&[b"example"]));
/// assert_eq!(attack.run(1, &options)?.rate, 0.0);
/// assert_eq!(attack.run(2, &options)?.rate, 1.0);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct KnownItems<'a> {
    matrix: &'a SubjectItems,
    postings: Postings,
    item_ids: &'a [u64],
    /// (subject, stable id, decile) of the people who have an item.
    people: Vec<(u32, u64, u8)>,
}

impl<'a> KnownItems<'a> {
    /// An attack on the people of `matrix`, the released subject × item matrix. `subject_ids` and `item_ids` name people and items independently of their codes: keyed
    /// hashes of their values ([`content_hashes`](crate::matrix::content_hashes)). People without items are not in the release and are not attacked.
    ///
    /// # Errors
    /// There is not one id for each subject and item.
    pub fn new(matrix: &'a SubjectItems, subject_ids: &[u64], item_ids: &'a [u64]) -> Result<Self> {
        if subject_ids.len() != matrix.subjects() || item_ids.len() != matrix.items() {
            return Err(Error::Parameter { name: "ids", problem: "needs one for each subject and one for each item".to_owned() });
        }
        let mut people: Vec<(u32, u64, u8)> = (0..)
            .zip(subject_ids)
            .filter(|&(subject, _)| !matrix.items_of(subject).is_empty())
            .map(|(subject, &id)| (subject, id, 0))
            .collect();
        let all = rarity(matrix, &matrix.support(), people.len() as u64);
        let scores: Vec<f64> = people.iter().map(|&(subject, ..)| all.get(subject as usize).copied().unwrap_or_default()).collect();
        let ids: Vec<u64> = people.iter().map(|&(_, id, _)| id).collect();
        for (person, decile) in people.iter_mut().zip(deciles(&scores, &ids)?) {
            person.2 = decile;
        }
        Ok(Self { matrix, postings: matrix.postings(), item_ids, people })
    }

    /// The same attack with other deciles, one for each subject: fixed before the attack by another declared score.
    ///
    /// # Errors
    /// There is not one decile from 0 to 9 for each subject.
    pub fn with_deciles(mut self, deciles: &[u8]) -> Result<Self> {
        check_deciles(deciles, self.matrix.subjects())?;
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
        if known == 0 || options.trials == 0 {
            return Err(Error::Parameter {
                name: "known_items",
                problem: "an attack needs at least one known item and one trial".to_owned(),
            });
        }
        let mut tallies = tallies(&self.people);
        let mut sizes = Sizes::default();
        let exact = known == 1 || self.knowledge_sets(known) <= EXACT_SETS;
        if exact {
            self.try_all(known, &mut tallies, &mut sizes);
        } else {
            self.try_some(known, options, &mut tallies, &mut sizes);
        }
        let mut result = AttackResult::from_tallies(AttackName::KnownItems, known as u64, &tallies, exact, options)?;
        result.match_sets = sizes.summary();
        Ok(result)
    }

    /// Number of knowledge sets of all people, saturating.
    fn knowledge_sets(&self, known: usize) -> u64 {
        let count = |&(subject, ..): &(u32, u64, u8)| combinations(self.matrix.items_of(subject).len(), known);
        self.people.iter().map(count).fold(0, u64::saturating_add)
    }

    /// All people, all knowledge sets.
    fn try_all(&self, known: usize, tallies: &mut [Tally; DECILES], sizes: &mut Sizes) {
        let (mut knowledge, mut found) = (Vec::new(), Vec::new());
        for &(subject, _, decile) in &self.people {
            let items = self.matrix.items_of(subject);
            let sets = combinations(items.len(), known);
            let mut successes = 0;
            for_each_subset(items, known.min(items.len()), &mut knowledge, &mut |knowledge| {
                let size = self.match_set(knowledge, &mut found);
                successes += u64::from(size == 1);
                sizes.add(size, (1 << 40) / u128::from(sets));
            });
            tallies[usize::from(decile)].add(successes, sets);
        }
    }

    /// Chosen people, drawn knowledge sets.
    fn try_some(&self, known: usize, options: &AttackOptions, tallies: &mut [Tally; DECILES], sizes: &mut Sizes) {
        let ids: HashMap<u32, u64> = self.people.iter().map(|&(subject, id, _)| (subject, id)).collect();
        let (mut knowledge, mut found) = (Vec::new(), Vec::new());
        for target in choose(&self.people, options.trials, &options.seed) {
            let id = ids.get(&target.subject).copied().unwrap_or_default();
            let mut items = self.matrix.items_of(target.subject).to_vec();
            items.sort_unstable_by_key(|&item| self.item_ids.get(item as usize));
            let mut successes = 0;
            for attempt in 0..target.attempts {
                let mut rng = ChaCha20Rng::from_seed(stream_seed(&options.seed, "known-items", &[id, attempt]));
                draw(&items, known, &mut rng, &mut knowledge);
                let size = self.match_set(&knowledge, &mut found);
                successes += u64::from(size == 1);
                sizes.add(size, 1);
            }
            tallies[usize::from(target.decile)].add(successes, target.attempts);
        }
    }

    /// Number of people who have all of `items`.
    fn match_set(&self, items: &[u32], found: &mut Vec<u32>) -> u64 {
        if let [item] = items {
            return self.postings.subjects_of(*item).len() as u64;
        }
        self.postings.intersect(items, found);
        found.len() as u64
    }
}

/// Draws `known` different items one after the other, or takes all.
fn draw(items: &[u32], known: usize, rng: &mut ChaCha20Rng, knowledge: &mut Vec<u32>) {
    knowledge.clear();
    if known >= items.len() {
        knowledge.extend_from_slice(items);
        return;
    }
    while knowledge.len() < known {
        // A 64-bit range, so that all platforms draw the same.
        let place = rng.random_range(0..items.len() as u64);
        if let Some(item) = usize::try_from(place).ok().and_then(|place| items.get(place))
            && !knowledge.contains(item)
        {
            knowledge.push(*item);
        }
    }
}

/// Number of subsets of `size` among `count`; one if there are no more than that. Saturating.
fn combinations(count: usize, size: usize) -> u64 {
    if size >= count {
        return 1;
    }
    let size = size.min(count - size) as u128;
    let mut result = 1_u128;
    for i in 0..size {
        result = result * (count as u128 - i) / (i + 1);
        if result > u128::from(u64::MAX) {
            return u64::MAX;
        }
    }
    u64::try_from(result).unwrap_or(u64::MAX)
}

/// Calls `visit` with every subset of `size` items.
fn for_each_subset(items: &[u32], size: usize, chosen: &mut Vec<u32>, visit: &mut dyn FnMut(&[u32])) {
    if size == 0 {
        visit(chosen);
        return;
    }
    for (place, &item) in items.iter().enumerate().take((items.len() + 1).saturating_sub(size)) {
        chosen.push(item);
        for_each_subset(&items[place + 1..], size - 1, chosen, visit);
        chosen.pop();
    }
}

/// Weighted sizes of match sets; integer weights, so that the order of adding does not matter.
#[derive(Debug, Default)]
struct Sizes(HashMap<u64, u128>);

impl Sizes {
    fn add(&mut self, size: u64, weight: u128) {
        *self.0.entry(size).or_default() += weight;
    }

    fn summary(self) -> Option<MatchSets> {
        let mut sizes: Vec<(u64, u128)> = self.0.into_iter().collect();
        sizes.sort_unstable();
        let total: u128 = sizes.iter().map(|&(_, weight)| weight).sum();
        // The smallest size that at least `tenths` tenths of the weight do not exceed.
        let quantile = |tenths: u128| {
            let mut sum = 0;
            sizes.iter().find(|&&(_, weight)| {
                sum += weight;
                sum * 10 >= total * tenths
            })
        };
        #[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
        let mean_inverse = sizes.iter().map(|&(size, weight)| weight as f64 / total as f64 / real(size.max(1))).sum();
        Some(MatchSets {
            minimum: sizes.first()?.0,
            p10: quantile(1)?.0,
            median: quantile(5)?.0,
            p90: quantile(9)?.0,
            maximum: sizes.last()?.0,
            mean_inverse,
        })
    }
}
