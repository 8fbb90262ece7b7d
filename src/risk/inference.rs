//! The attacker knows some items of a person and infers others.

use super::controlled::{Controlled, Label, Outcome, compare, result};
use super::result::{AttackOptions, AttackResult};
use super::seed::stream_seed;
use crate::error::{Error, Result};
use crate::numeric::real;
use crate::policy::AttackName;
use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng};
use std::cmp::Reverse;

/// Room of one thread.
#[derive(Debug, Default)]
struct Room {
    scores: Vec<f64>,
    touched: Vec<u32>,
    known: Vec<u32>,
    ranked: Vec<(f64, u32, Reverse<u64>, u32)>,
    predicted: Vec<u32>,
}

impl Controlled<'_> {
    /// Item inference: the attacker knows `known` items of a person, takes the record that fits them best, and predicts `predicted` further items of the person: those that most of the
    /// record's people have. The value of an attempt is the share of predictions that are right, of as many as the person has items left.
    ///
    /// The best record has the largest sum over the known items of (members / size) / ln(support + 2). Equal items are told apart by their popularity, and if the record shows too
    /// few, the most popular items are predicted. The known items are drawn uniformly from the person's *original* list; people with `known` items or fewer are not attacked.
    ///
    /// `rate` is the mean share for members, `baseline` that for control people against the same records: what can be said about people who are not in the data is general knowledge about
    /// taste. `excess` is (rate − baseline) / (1 − baseline), `excess_upper` its upper bound, and the gate's number is that of all people or the worst tenth. `successes` is the share in
    /// numbers of attempts.
    ///
    /// # Guarantee
    /// Bounds hold at the confidence asked for, for people drawn independently from those who are like the members and the control people, whatever the distribution of the shares: they are betting
    /// bounds ([`mean_upper`](crate::numeric::mean_upper), [`excess_upper`](crate::numeric::excess_upper)). They say nothing about stronger attacks.
    ///
    /// # Errors
    /// `known` or `predicted` is 0, or the options have no trials.
    ///
    /// # References
    /// Giomi, Boenisch, Wehmeyer and Tasnádi, "A unified framework for quantifying privacy risk in synthetic data", Proceedings on Privacy Enhancing Technologies 2023 (the excess over a control group).
    ///
    /// ```
    /// use backmask::{matrix::SubjectItems, policy::Gate, risk::{AttackOptions, Controlled, Records, attack_seed}};
    /// let lists = |first: u32| (0..30).map(|person| (0..6).map(|item| (first + person * 7 + item * item) % 60).collect()).collect::<Vec<Vec<u32>>>();
    /// let (members, control) = (SubjectItems::from_lists(&lists(0), 60)?, SubjectItems::from_lists(&lists(3), 60)?);
    /// let raw = Records::from_matrix(&members);
    /// let (ids, items): (Vec<u64>, Vec<u64>) = ((0..30).collect(), (0..60).collect());
    /// let attack = Controlled::new(&raw, &members, &ids, &control, &ids, &items)?;
    /// let result = attack.inference(4, 2, &AttackOptions::new(&Gate::default(), attack_seed(&[b"example"])))?;
    /// assert!(result.rate > 0.9, "raw data tell all");
    /// # Ok::<(), backmask::Error>(())
    /// ```
    pub fn inference(&self, known: usize, predicted: usize, options: &AttackOptions) -> Result<AttackResult> {
        if known == 0 || predicted == 0 || options.trials == 0 {
            return Err(Error::Parameter {
                name: "known_items",
                problem: "an attack needs at least one known item, one predicted item and one trial".to_owned(),
            });
        }
        let eligible = |items: &[u32]| items.len() > known;
        let mut popular: Vec<u32> = (0..u32::try_from(self.item_ids.len()).unwrap_or(u32::MAX)).collect();
        popular.sort_unstable_by_key(|&item| self.popularity(item));
        popular.truncate(known + predicted);
        let attempt = |items: &[u32], id: u64, attempts: u64, room: &mut Room| {
            let mut right = 0.0;
            for number in 0..attempts {
                let mut random = ChaCha20Rng::from_seed(stream_seed(&options.seed, "inference", &[id, number]));
                draw(items, known, &mut random, &mut room.known);
                let wanted = predicted.min(items.len() - known);
                self.predict(wanted, &popular, room);
                let hits = room.predicted.iter().filter(|item| items.contains(item)).count();
                right += real(hits as u64) / real(wanted as u64);
            }
            (right / real(attempts.max(1))).min(1.0)
        };
        let members = self.play(true, options, eligible, attempt);
        let control = self.play(false, options, eligible, attempt);
        let people = self.eligible(eligible);
        let attempts = |outcomes: &[Outcome<f64>]| outcomes.iter().map(|outcome| outcome.attempts).sum::<u64>();
        let mut tenths = Vec::with_capacity(people.len());
        for (decile, &people) in (0_u8..).zip(&people) {
            let of = |outcomes: &[Outcome<f64>]| outcomes.iter().copied().filter(|outcome| outcome.decile == decile).collect::<Vec<_>>();
            let own = of(&members);
            tenths.push((people, attempts(&own), compare(&own, &of(&control), options.confidence)?));
        }
        let whole = (people.iter().sum(), attempts(&members), compare(&members, &control, options.confidence)?);
        Ok(result(Label { name: AttackName::Attribute, known: known as u64 }, whole, &tenths, options))
    }

    /// What is predicted from some known items.
    #[cfg(test)]
    pub(super) fn prediction(&self, known: &[u32], wanted: usize) -> Vec<u32> {
        let mut popular: Vec<u32> = (0..u32::try_from(self.item_ids.len()).unwrap_or(u32::MAX)).collect();
        popular.sort_unstable_by_key(|&item| self.popularity(item));
        let mut room = Room { known: known.to_vec(), ..Room::default() };
        self.predict(wanted, &popular, &mut room);
        room.predicted
    }

    /// The most popular first, equal ones by their ids.
    fn popularity(&self, item: u32) -> (Reverse<u32>, u64, u32) {
        (Reverse(self.support[item as usize]), self.item_ids[item as usize], item)
    }

    /// Writes what the attacker predicts who knows `room.known`.
    fn predict(&self, wanted: usize, popular: &[u32], room: &mut Room) {
        room.scores.resize(self.records.len(), 0.0);
        for &item in &room.known {
            let weight = 1.0 / real(u64::from(self.support[item as usize]) + 2).ln();
            for (record, members) in self.records.showing(item) {
                let score = &mut room.scores[record as usize];
                if *score <= 0.0 {
                    room.touched.push(record);
                }
                *score += weight * members / self.records.size(record);
            }
        }
        let best = room.touched.iter().copied().max_by(|&one, &two| {
            room.scores[one as usize].total_cmp(&room.scores[two as usize]).then(self.names[one as usize].cmp(&self.names[two as usize]))
        });
        for record in room.touched.drain(..) {
            room.scores[record as usize] = 0.0;
        }
        room.ranked.clear();
        room.predicted.clear();
        if let Some(best) = best {
            for (item, members) in self.records.cells(best).filter(|(item, _)| !room.known.contains(item)) {
                room.ranked.push((members, self.support[item as usize], Reverse(self.item_ids[item as usize]), item));
            }
        }
        room.ranked.sort_unstable_by(|one, two| two.0.total_cmp(&one.0).then_with(|| (two.1, two.2, two.3).cmp(&(one.1, one.2, one.3))));
        room.predicted.extend(room.ranked.iter().take(wanted).map(|entry| entry.3));
        for &item in popular {
            if room.predicted.len() < wanted && !room.known.contains(&item) && !room.predicted.contains(&item) {
                room.predicted.push(item);
            }
        }
    }
}

/// Draws `known` different items of more than that.
fn draw(items: &[u32], known: usize, random: &mut ChaCha20Rng, drawn: &mut Vec<u32>) {
    drawn.clear();
    while drawn.len() < known.min(items.len()) {
        // A 64-bit range, so that all platforms draw the same.
        let place = random.random_range(0..items.len() as u64);
        if let Some(item) = usize::try_from(place).ok().and_then(|place| items.get(place))
            && !drawn.contains(item)
        {
            drawn.push(*item);
        }
    }
}
