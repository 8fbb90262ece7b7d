//! Attacks that are measured against people who are not in the pool.

use super::owners::Person;
use super::records::Records;
use super::result::{AttackOptions, AttackResult, DecileRate};
use super::target::{DECILES, Target, check_deciles, choose};
use crate::error::{Error, Result};
use crate::matrix::{SubjectItems, deciles, rarity};
use crate::numeric::{excess_upper, mean_upper, real};
use crate::policy::{AttackName, GateOn};
use crate::units::Confidence;

/// Released records, the people who are in them, and a control group who are not: what both have in common is no fault of the release.
///
/// [`Controlled::inference`] asks what can be learned about people of whom some items are known, [`Controlled::membership`] whether somebody took part.
/// Results depend on the seed and on the stable ids of people and items, not on codes, order or threads.
#[derive(Debug, Clone)]
pub struct Controlled<'a> {
    pub(super) records: &'a Records,
    pub(super) members: &'a SubjectItems,
    pub(super) control: &'a SubjectItems,
    pub(super) item_ids: &'a [u64],
    /// How many members have each item: what is popular is common knowledge.
    pub(super) support: Vec<u32>,
    /// A number for what each record shows.
    pub(super) names: Vec<u64>,
    people: Vec<Person>,
    control_people: Vec<Person>,
}

/// What an attack gave against one person.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome<V> {
    pub(super) value: V,
    pub(super) decile: u8,
    pub(super) attempts: u64,
}

impl<V> Outcome<V> {
    /// The same person with another value.
    pub(super) fn with<W>(&self, value: W) -> Outcome<W> {
        Outcome { value, decile: self.decile, attempts: self.attempts }
    }
}

impl<'a> Controlled<'a> {
    /// `members` are the original lists of the people whose data went into `records`, `control` those of people like them whose data did not; all three have the same item codes.
    /// The ids name people and items independently of their codes ([`content_hashes`](crate::matrix::content_hashes)).
    ///
    /// Deciles are those of the [`rarity`] of a person's items among the members, for control people among themselves.
    ///
    /// # Errors
    /// There is not one id for each person and item, or the item codes differ in number.
    pub fn new(
        records: &'a Records,
        members: &'a SubjectItems,
        member_ids: &[u64],
        control: &'a SubjectItems,
        control_ids: &[u64],
        item_ids: &'a [u64],
    ) -> Result<Self> {
        let items = item_ids.len();
        if member_ids.len() != members.subjects() || control_ids.len() != control.subjects() {
            return Err(Error::Parameter { name: "ids", problem: "needs one for each person".to_owned() });
        }
        if records.items() != items || members.items() != items || control.items() != items {
            return Err(Error::Parameter {
                name: "item_ids",
                problem: "needs one for each item, and all tables the same items".to_owned(),
            });
        }
        let support = members.support();
        let people = people(members, member_ids, &support, None)?;
        let control_people = self::people(control, control_ids, &support, Some(people.len() as u64))?;
        let names = records.names(item_ids);
        Ok(Self { records, members, control, item_ids, support, names, people, control_people })
    }

    /// The same attacks with other deciles of the members, one for each: fixed before the attack by another declared score.
    ///
    /// # Errors
    /// There is not one decile from 0 to 9 for each member.
    pub fn with_deciles(mut self, deciles: &[u8]) -> Result<Self> {
        check_deciles(deciles, self.members.subjects())?;
        for person in &mut self.people {
            person.2 = deciles.get(person.0 as usize).copied().unwrap_or_default();
        }
        Ok(self)
    }

    /// Number of members who have an item.
    pub(super) fn member_people(&self) -> u64 {
        self.people.len() as u64
    }

    /// Plays `attempt` against chosen people of one side: those who are `eligible`, in an order that depends on the seed and their ids only.
    /// `attempt` gets the person's items in the order of their ids, the person's id and the number of attempts.
    pub(super) fn play<R: Default, V: Send>(
        &self,
        of_members: bool,
        options: &AttackOptions,
        eligible: impl Fn(&[u32]) -> bool,
        attempt: impl Fn(&[u32], u64, u64, &mut R) -> V + Sync,
    ) -> Vec<Outcome<V>> {
        let (matrix, people) = if of_members { (self.members, &self.people) } else { (self.control, &self.control_people) };
        let people: Vec<Person> = people.iter().copied().filter(|&(subject, ..)| eligible(matrix.items_of(subject))).collect();
        let ids: hashbrown::HashMap<u32, u64> = people.iter().map(|&(subject, id, _)| (subject, id)).collect();
        let mut targets: Vec<(u64, u64, Target)> = choose(&people, options.trials, &options.seed)
            .into_iter()
            .map(|target| {
                let id = ids.get(&target.subject).copied().unwrap_or_default();
                (super::seed::stream_number(&options.seed, "order", &[id]), id, target)
            })
            .collect();
        targets.sort_unstable_by_key(|&(order, id, target)| (order, id, target.subject));
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let stretch = targets.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            let attempt = &attempt;
            let workers: Vec<_> = targets
                .chunks(stretch)
                .map(|targets| {
                    scope.spawn(move || {
                        let mut room = R::default();
                        let mut items = Vec::new();
                        targets
                            .iter()
                            .map(|&(_, id, target)| {
                                items.clear();
                                items.extend_from_slice(matrix.items_of(target.subject));
                                items.sort_unstable_by_key(|&item| (self.item_ids.get(item as usize), item));
                                let value = attempt(&items, id, target.attempts, &mut room);
                                Outcome { value, decile: target.decile, attempts: target.attempts }
                            })
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        })
    }

    /// Members of each decile who are `eligible`.
    pub(super) fn eligible(&self, eligible: impl Fn(&[u32]) -> bool) -> [u64; DECILES] {
        let mut counts = [0; DECILES];
        for &(.., decile) in self.people.iter().filter(|&&(subject, ..)| eligible(self.members.items_of(subject))) {
            if let Some(count) = counts.get_mut(usize::from(decile)) {
                *count += 1;
            }
        }
        counts
    }
}

fn people(matrix: &SubjectItems, ids: &[u64], support: &[u32], total: Option<u64>) -> Result<Vec<Person>> {
    let mut people: Vec<Person> =
        (0..).zip(ids).filter(|&(subject, _)| !matrix.items_of(subject).is_empty()).map(|(subject, &id)| (subject, id, 0)).collect();
    let all = rarity(matrix, support, total.unwrap_or(people.len() as u64));
    let scores: Vec<f64> = people.iter().map(|&(subject, ..)| all.get(subject as usize).copied().unwrap_or_default()).collect();
    let own: Vec<u64> = people.iter().map(|&(_, id, _)| id).collect();
    for (person, decile) in people.iter_mut().zip(deciles(&scores, &own)?) {
        person.2 = decile;
    }
    Ok(people)
}

/// Bounds of a success rate and of its baseline: (rate, its upper bound, baseline, upper bound of the excess).
pub(super) type Compared = (f64, f64, f64, f64);

/// Compares the means of two groups of numbers in [0, 1].
pub(super) fn compare(members: &[Outcome<f64>], control: &[Outcome<f64>], confidence: Confidence) -> Result<Compared> {
    let values = |outcomes: &[Outcome<f64>]| outcomes.iter().map(|outcome| outcome.value).collect::<Vec<f64>>();
    let (members, control) = (values(members), values(control));
    let mean = |values: &[f64]| if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / real(values.len() as u64) };
    Ok((mean(&members), mean_upper(&members, confidence)?, mean(&control), excess_upper(&members, &control, confidence)?))
}

/// How much of what the baseline leaves open was achieved, at least 0.
pub(super) fn excess(rate: f64, baseline: f64) -> f64 {
    if baseline < 1.0 { ((rate - baseline) / (1.0 - baseline)).max(0.0) } else { 0.0 }
}

/// What an attack says about its name and its knowledge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label {
    pub(super) name: AttackName,
    pub(super) known: u64,
}

/// Puts the whole and its tenths together: (people, trials, what was compared) for each.
pub(super) fn result(label: Label, whole: (u64, u64, Compared), tenths: &[(u64, u64, Compared)], options: &AttackOptions) -> AttackResult {
    let (people, trials, (rate, upper, baseline, excess_upper)) = whole;
    let successes = |rate: f64, trials: u64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the trials")]
        let successes = (rate * real(trials)).round() as u64;
        successes
    };
    let deciles: Vec<DecileRate> = tenths
        .iter()
        .map(|&(people, trials, (rate, upper, baseline, _))| DecileRate {
            rate,
            upper,
            baseline,
            people,
            trials,
            successes: successes(rate, trials),
        })
        .collect();
    let worst = tenths.iter().filter(|tenth| tenth.0 > 0).map(|tenth| tenth.2.3).fold(0.0, f64::max);
    AttackResult {
        name: label.name,
        known: label.known,
        trials,
        successes: successes(rate, trials),
        rate,
        upper,
        baseline,
        excess: excess(rate, baseline),
        excess_upper: Some(excess_upper),
        original_rate: None,
        deciles,
        gate_value: match options.on {
            GateOn::WorstDecile => worst,
            GateOn::Mean => excess_upper,
        },
        people,
        exact: false,
        match_sets: None,
        columns: Vec::new(),
        combinations: Vec::new(),
        combinations_possible: None,
    }
}
