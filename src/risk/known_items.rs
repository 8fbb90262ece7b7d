//! The attacker knows some items of a person.

use super::owners::{Owners, Person};
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
pub(super) const EXACT_SETS: u64 = 200_000;

/// Unicity: the attacker knows p items of a person, drawn uniformly from the distinct items that the release shows of them, and looks for the people who have them all.
///
/// People with fewer than p items have all of them known. A success is a match set of exactly one person. With one known item, and wherever there are few
/// knowledge sets, all people and all sets are tried: then the rate is exact and needs no bound. Else every person is attacked equally often, or a tenth of the trials goes to each decile.
/// Deciles are those of [`rarity`] in the released data unless [`KnownItems::with_deciles`] sets others.
///
/// Where tokens do not stand for people but for periods or sessions of them, [`KnownItems::of_units`] attacks what a token links.
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
    people: Vec<Person>,
    /// Whose the subjects of the matrix are, if they are not people themselves.
    owners: Option<Owners>,
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
        let mut people: Vec<Person> = (0..)
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
        Ok(Self { matrix, postings: matrix.postings(), item_ids, people, owners: None })
    }

    /// An attack on units that are not people: the rows of `matrix` are what the release links, for example the sessions of a person, each with a token of its own;
    /// `owners` tells whose each is, by codes below the number of units.
    ///
    /// The attacker knows p of the items *of one unit*, drawn uniformly from its distinct items, and looks for the units that have them all. A success is a match set of units that are all
    /// the target's: then everything in it is known to be theirs. The size of a match set is the number of distinct people in it. A person counts once, however many units they
    /// have: the person's risk is the mean over their units, `people`, rates and the baseline are of people, and deciles are those of the rarity of a person's items in all of their units,
    /// by the number of people who have them. Sampled attempts draw the person, then one of their units, then its items.
    ///
    /// If every person has one unit this is the attack of [`KnownItems::new`].
    ///
    /// ```
    /// use backmask::{matrix::SubjectItems, policy::Gate, risk::{AttackOptions, KnownItems, attack_seed}};
    /// // The first person has two sessions, and is the only one with item 1.
    /// let matrix = SubjectItems::from_lists(&[vec![0, 1], vec![0, 1], vec![0]], 2)?;
    /// let options = AttackOptions::new(&Gate::default(), attack_seed(&[b"example"]));
    /// let attack = KnownItems::of_units(&matrix, &[10, 11, 12], &[20, 21], &[0, 0, 1])?;
    /// let result = attack.run(2, &options)?;
    /// assert_eq!((result.people, result.rate), (2, 0.5));
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is not one id for each unit and item, or not one owner for each unit, with a code below their number.
    pub fn of_units(matrix: &'a SubjectItems, unit_ids: &[u64], item_ids: &'a [u64], owners: &[u32]) -> Result<Self> {
        if unit_ids.len() != matrix.subjects() || item_ids.len() != matrix.items() {
            return Err(Error::Parameter { name: "ids", problem: "needs one for each unit and one for each item".to_owned() });
        }
        let postings = matrix.postings();
        let (owners, people) = Owners::new(matrix, &postings, unit_ids, owners)?;
        Ok(Self { matrix, postings, item_ids, people, owners: Some(owners) })
    }

    /// The same attack with other deciles, one for each subject (or owner): fixed before the attack by another declared score.
    ///
    /// # Errors
    /// There is not one decile from 0 to 9 for each subject.
    pub fn with_deciles(mut self, deciles: &[u8]) -> Result<Self> {
        check_deciles(deciles, self.owners.as_ref().map_or(self.matrix.subjects(), Owners::count))?;
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

    /// What the release links of a person: the person's units, or the person.
    fn units_of<'s>(&'s self, subject: &'s u32) -> &'s [u32] {
        self.owners.as_ref().map_or(std::slice::from_ref(subject), |owners| owners.units_of(*subject))
    }

    /// Number of knowledge sets of all people, saturating.
    fn knowledge_sets(&self, known: usize) -> u64 {
        let units = self.people.iter().flat_map(|(subject, ..)| self.units_of(subject));
        units.map(|&unit| combinations(self.matrix.items_of(unit).len(), known)).fold(0, u64::saturating_add)
    }

    /// All people, all knowledge sets.
    fn try_all(&self, known: usize, tallies: &mut [Tally; DECILES], sizes: &mut Sizes) {
        let (mut knowledge, mut found, mut of_units) = (Vec::new(), Found::default(), Vec::new());
        for (subject, _, decile) in &self.people {
            let units = self.units_of(subject);
            of_units.clear();
            for &unit in units {
                let items = self.matrix.items_of(unit);
                let sets = combinations(items.len(), known);
                let weight = (1 << 40) / u128::from(sets) / units.len() as u128;
                let mut successes = 0;
                for_each_subset(items, known.min(items.len()), &mut knowledge, &mut |knowledge| {
                    let size = self.match_set(knowledge, &mut found);
                    successes += u64::from(size == 1);
                    sizes.add(size, weight);
                });
                of_units.push((successes, sets));
            }
            tallies[usize::from(*decile)].add_units(&of_units);
        }
    }

    /// Chosen people, drawn knowledge sets.
    fn try_some(&self, known: usize, options: &AttackOptions, tallies: &mut [Tally; DECILES], sizes: &mut Sizes) {
        let ids: HashMap<u32, u64> = self.people.iter().map(|&(subject, id, _)| (subject, id)).collect();
        let (mut knowledge, mut found, mut items) = (Vec::new(), Found::default(), Vec::new());
        for target in choose(&self.people, options.trials, &options.seed) {
            let id = ids.get(&target.subject).copied().unwrap_or_default();
            let units = self.units_of(&target.subject);
            let mut sorted = None;
            let mut successes = 0;
            for attempt in 0..target.attempts {
                let mut rng = ChaCha20Rng::from_seed(stream_seed(&options.seed, "known-items", &[id, attempt]));
                // The unit is drawn before the items, so that what is known at p is among what is known at p + 1.
                let place = if units.len() > 1 { rng.random_range(0..units.len() as u64) } else { 0 };
                let Some(&unit) = usize::try_from(place).ok().and_then(|place| units.get(place)) else { continue };
                if sorted != Some(unit) {
                    items.clear();
                    items.extend_from_slice(self.matrix.items_of(unit));
                    items.sort_unstable_by_key(|&item| self.item_ids.get(item as usize));
                    sorted = Some(unit);
                }
                draw(&items, known, &mut rng, &mut knowledge);
                let size = self.match_set(&knowledge, &mut found);
                successes += u64::from(size == 1);
                sizes.add(size, 1);
            }
            tallies[usize::from(target.decile)].add(successes, target.attempts);
        }
    }

    /// Number of people who have all of `items`, in one unit where people have several. The target always does, so one person is the target.
    fn match_set(&self, items: &[u32], found: &mut Found) -> u64 {
        match (items, &self.owners) {
            ([item], None) => self.postings.subjects_of(*item).len() as u64,
            ([item], Some(owners)) => u64::from(owners.support_of(*item)),
            (_, None) => {
                self.postings.intersect(items, &mut found.units);
                found.units.len() as u64
            }
            (_, Some(owners)) => {
                self.postings.intersect(items, &mut found.units);
                u64::from(owners.people_among(&found.units, &mut found.people))
            }
        }
    }
}

/// Room for match sets.
#[derive(Debug, Default)]
struct Found {
    units: Vec<u32>,
    people: Vec<u32>,
}

/// Draws `known` different items one after the other, or takes all.
pub(super) fn draw(items: &[u32], known: usize, rng: &mut ChaCha20Rng, knowledge: &mut Vec<u32>) {
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
pub(super) fn combinations(count: usize, size: usize) -> u64 {
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
pub(super) fn for_each_subset(items: &[u32], size: usize, chosen: &mut Vec<u32>, visit: &mut dyn FnMut(&[u32])) {
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
pub(super) struct Sizes(HashMap<u64, u128>);

impl Sizes {
    pub(super) fn add(&mut self, size: u64, weight: u128) {
        *self.0.entry(size).or_default() += weight;
    }

    pub(super) fn summary(self) -> Option<MatchSets> {
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
