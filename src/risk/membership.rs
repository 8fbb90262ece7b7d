//! The attacker knows all items of a person and asks whether the person is in the pool.

use super::controlled::{Compared, Controlled, Label, Outcome, excess, result};
use super::result::{AttackOptions, AttackResult};
use super::target::DECILES;
use crate::error::{Error, Result};
use crate::numeric::{binomial_cdf, clopper_pearson_upper, real};
use crate::policy::AttackName;
use crate::units::{Confidence, Share};

/// How many people's worth of common taste is mixed into a record's own.
const PRIOR: f64 = 5.0;
/// Least probability of not seeing an item of a member: records may leave things out for other reasons.
const LEAST_HIDDEN: f64 = 0.1;

/// Room of one thread.
#[derive(Debug, Default)]
struct Room {
    /// For each record what the items add that it shows.
    gains: Vec<f64>,
    /// For each record the last list that it showed something of.
    lists: Vec<u64>,
    list: u64,
    touched: Vec<u32>,
    /// For each size of record the score of one that shows nothing of the list.
    nothing: Vec<f64>,
    /// For each size of record how many show something of the list.
    showing: Vec<usize>,
}

/// The sizes of records.
#[derive(Debug)]
struct Sizes {
    /// Each size, ascending, with the number of its records.
    distinct: Vec<(f64, usize)>,
    /// For each record the place of its size.
    place_of: Vec<u32>,
}

impl Sizes {
    fn new(sizes: &[f64]) -> Self {
        let mut sorted = sizes.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let distinct: Vec<(f64, usize)> =
            sorted.chunk_by(|one, two| one.total_cmp(two).is_eq()).map(|same| (same[0], same.len())).collect();
        let place = |&size: &f64| u32::try_from(distinct.partition_point(|&(other, _)| other < size)).unwrap_or(u32::MAX);
        let place_of = sizes.iter().map(place).collect();
        Self { distinct, place_of }
    }
}

/// The score of the best record, and its lead over the next.
pub(super) type Scores = [f64; 2];

impl Controlled<'_> {
    /// Membership inference: the attacker knows the full list of a person and accuses those who fit a record better than at most a share `fpr` of the people who are not in the pool.
    ///
    /// How well a list fits a record that stands for s people is a log-likelihood ratio that leaves the person out. An item that c members are shown to have counts
    /// ln((c / s) / ((c − 1 + 5q) / (s − 1 + 5))), where q is the share of the pool that has it: what the person would have added, over what the others show. An item that is not shown counts
    /// ln(P[at most t − 2 of s − 1 have it] / P[at most t − 1 of s have it]), where t is the smallest number that any cell shows, at least ln 0.1. For a record of one person this is
    /// the logarithm of how rare the items are. Two statistics are tried, the score of the best record and its lead over the next, and the stronger is reported.
    ///
    /// `rate` is the true-positive rate at a false-positive rate of `fpr`, `baseline` is `fpr`, `upper` the upper bound of the rate and `excess_upper` that of (rate − fpr) / (1 − fpr), which is the
    /// gate's number. `known` is 0: all items are. The tenths have one threshold, that of all people.
    ///
    /// # Guarantee
    /// `upper` holds at the confidence asked for: the threshold is lowered to an order statistic of the control scores which at most `fpr` of such people exceed only with half of the
    /// error (binomial), and the members above it have a Clopper–Pearson bound with the other half. Taking the larger of two bounds needs no correction. With few control people the threshold is
    /// lowered much: the bound is that of a false-positive rate of about 14 % for 50 of them, 8 % for 400, where 5 % was asked for.
    ///
    /// # Errors
    /// `fpr` is 0 or 1, or the options have no trials.
    ///
    /// # References
    /// Homer et al., "Resolving individuals contributing trace amounts of DNA", 2008, for the question; Carlini et al., "Membership inference attacks from first principles", IEEE S&P 2022, for the measure.
    ///
    /// ```
    /// use backmask::{matrix::SubjectItems, policy::Gate, risk::{AttackOptions, Controlled, Records, attack_seed}, units::Share};
    /// let lists = |first: u32| (0..90).map(|person| (0..6).map(|item| (first + person * 7 + item * item * 3) % 400).collect()).collect::<Vec<Vec<u32>>>();
    /// let (members, control) = (SubjectItems::from_lists(&lists(0), 400)?, SubjectItems::from_lists(&lists(3), 400)?);
    /// let raw = Records::from_matrix(&members);
    /// let (ids, items): (Vec<u64>, Vec<u64>) = ((0..90).collect(), (0..400).collect());
    /// let attack = Controlled::new(&raw, &members, &ids, &control, &ids, &items)?;
    /// let result = attack.membership(Share::new(0.05)?, &AttackOptions::new(&Gate::default(), attack_seed(&[b"example"])))?;
    /// assert!(result.rate > 0.9, "raw data tell all");
    /// # Ok::<(), backmask::Error>(())
    /// ```
    pub fn membership(&self, fpr: Share, options: &AttackOptions) -> Result<AttackResult> {
        if !(fpr.get() > 0.0 && fpr.get() < 1.0) || options.trials == 0 {
            return Err(Error::Parameter { name: "fpr", problem: "must lie in (0, 1), and an attack needs at least one trial".to_owned() });
        }
        let anybody = |items: &[u32]| !items.is_empty();
        let people = self.eligible(anybody);
        let sizes = Sizes::new(self.records.sizes());
        let fewest = self.records.fewest_members();
        let attempt = |items: &[u32], _: u64, _: u64, room: &mut Room| self.scores(items, &sizes, fewest, room);
        let members = self.play(true, options, anybody, attempt);
        let control = self.play(false, options, anybody, attempt);
        let of = |outcomes: &[Outcome<Scores>], statistic: usize| -> Vec<Outcome<f64>> {
            outcomes.iter().map(|outcome| outcome.with(outcome.value[statistic])).collect()
        };
        let one = judge(&people, &of(&members, 0), &of(&control, 0), fpr.get(), options)?;
        let two = judge(&people, &of(&members, 1), &of(&control, 1), fpr.get(), options)?;
        let (mut stronger, other) = if two.rate > one.rate { (two, one) } else { (one, two) };
        stronger.upper = stronger.upper.max(other.upper);
        stronger.excess_upper = stronger.excess_upper.zip(other.excess_upper).map(|(one, two)| one.max(two));
        stronger.gate_value = stronger.gate_value.max(other.gate_value);
        Ok(stronger)
    }

    /// The scores of one list.
    #[cfg(test)]
    pub(super) fn membership_scores(&self, items: &[u32]) -> Scores {
        self.scores(items, &Sizes::new(self.records.sizes()), self.records.fewest_members(), &mut Room::default())
    }

    /// How well a list fits the best record, and its lead over the next.
    fn scores(&self, items: &[u32], sizes: &Sizes, fewest: f64, room: &mut Room) -> Scores {
        let population = real(self.member_people());
        room.gains.resize(self.records.len(), 0.0);
        room.lists.resize(self.records.len(), 0);
        room.list += 1;
        room.touched.clear();
        room.nothing.clear();
        room.nothing.resize(sizes.distinct.len(), 0.0);
        room.showing.clear();
        room.showing.resize(sizes.distinct.len(), 0);
        for &item in items {
            let share = (real(u64::from(self.support[item as usize])) + 0.5) / (population + 1.0);
            let hidden: Vec<f64> = sizes.distinct.iter().map(|&(size, _)| hidden_ratio(fewest, size, share)).collect();
            room.nothing.iter_mut().zip(&hidden).for_each(|(sum, ratio)| *sum += ratio);
            for (record, members) in self.records.showing(item) {
                let place = record as usize;
                if room.lists[place] != room.list {
                    room.lists[place] = room.list;
                    room.gains[place] = 0.0;
                    room.touched.push(record);
                }
                let size = self.records.size(record);
                let others = (members - 1.0 + PRIOR * share) / (size - 1.0 + PRIOR);
                room.gains[place] += (members / size / others).ln() - hidden[sizes.place_of[place] as usize];
            }
        }
        let (mut best, mut next) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        let mut see = |score: f64| {
            if score > best {
                (best, next) = (score, best);
            } else {
                next = next.max(score);
            }
        };
        for &record in &room.touched {
            let place = sizes.place_of[record as usize] as usize;
            see(room.gains[record as usize] + room.nothing[place]);
            room.showing[place] += 1;
        }
        // Records that show nothing of the list: two of a size are enough to be best and next.
        for ((&(_, count), &showing), &nothing) in sizes.distinct.iter().zip(&room.showing).zip(&room.nothing) {
            (0..count.saturating_sub(showing).min(2)).for_each(|_| see(nothing));
        }
        // Without a second record its lead is its score; without any there is nothing to tell people by.
        if best == f64::NEG_INFINITY {
            [0.0; 2]
        } else if next == f64::NEG_INFINITY {
            [best; 2]
        } else {
            [best, best - next]
        }
    }
}

/// ln(P[at most t − 2 of s − 1 have it] / P[at most t − 1 of s have it]), at least ln 0.1: what an item tells that a record does not show.
pub(super) fn hidden_ratio(fewest: f64, size: f64, share: f64) -> f64 {
    let member = at_most(fewest - 2.0, size - 1.0, share);
    let stranger = at_most(fewest - 1.0, size, share);
    if stranger > 0.0 { (member / stranger).clamp(LEAST_HIDDEN, 1.0).ln() } else { LEAST_HIDDEN.ln() }
}

/// P[X ≤ most] for a binomial X of `trials` with probability `share` below 1.
pub(super) fn at_most(most: f64, trials: f64, share: f64) -> f64 {
    if most < 0.0 || trials < 0.0 {
        return 0.0;
    }
    let mut term = (1.0 - share).powf(trials);
    let mut sum = term;
    let mut successes = 0.0;
    while successes < most.min(trials) {
        term *= (trials - successes) / (successes + 1.0) * share / (1.0 - share);
        successes += 1.0;
        sum += term;
    }
    sum.min(1.0)
}

/// True-positive rates at a false-positive rate, for all and for the tenths, from scores.
fn judge(
    people: &[u64; DECILES],
    members: &[Outcome<f64>],
    control: &[Outcome<f64>],
    fpr: f64,
    options: &AttackOptions,
) -> Result<AttackResult> {
    let mut scores: Vec<f64> = control.iter().map(|outcome| outcome.value).collect();
    scores.sort_unstable_by(|one, two| two.total_cmp(one));
    let threshold = Threshold::new(&scores, fpr);
    let half = Confidence::new(f64::midpoint(1.0, options.confidence.get()))?;
    let lowered = lowered(&scores, fpr, half)?;
    let compared = |own: &[f64]| -> Result<Compared> {
        let accused = own.iter().filter(|&&score| lowered.is_none_or(|lowered| score >= lowered)).count() as u64;
        let upper = clopper_pearson_upper(accused, own.len() as u64, half)?;
        Ok((threshold.rate(own), upper, fpr, excess(upper, fpr)))
    };
    let mut tenths = Vec::with_capacity(DECILES);
    for (decile, &people) in (0_u8..).zip(people) {
        let own: Vec<f64> = members.iter().filter(|outcome| outcome.decile == decile).map(|outcome| outcome.value).collect();
        tenths.push((people, own.len() as u64, compared(&own)?));
    }
    let all: Vec<f64> = members.iter().map(|outcome| outcome.value).collect();
    let whole = (people.iter().sum(), all.len() as u64, compared(&all)?);
    Ok(result(Label { name: AttackName::Membership, known: 0 }, whole, &tenths, options))
}

/// A threshold that a share of the control scores exceeds; of those equal to it, a part is accused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Threshold {
    score: f64,
    part: f64,
}

impl Threshold {
    /// From scores in descending order. Without any, everybody is accused: nobody knows better.
    pub(super) fn new(scores: &[f64], fpr: f64) -> Self {
        let allowed = fpr * real(scores.len() as u64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
        let Some(&score) = scores.get(allowed as usize) else { return Self { score: f64::NEG_INFINITY, part: 1.0 } };
        let above = scores.partition_point(|&other| other > score);
        let equal = scores.partition_point(|&other| other >= score) - above;
        Self { score, part: (allowed - real(above as u64)) / real(equal as u64) }
    }

    pub(super) fn rate(&self, scores: &[f64]) -> f64 {
        if scores.is_empty() {
            return 0.0;
        }
        let above = scores.iter().filter(|&&score| score > self.score).count() as u64;
        let equal = scores.iter().filter(|&&score| score >= self.score).count() as u64 - above;
        (real(above) + self.part * real(equal)) / real(scores.len() as u64)
    }
}

/// The largest order statistic of the (descending) control scores that a share of at least `fpr` of such people reaches, at this confidence: none if there are too few.
pub(super) fn lowered(scores: &[f64], fpr: f64, confidence: Confidence) -> Result<Option<f64>> {
    let count = scores.len() as u64;
    for (rank, &score) in (0_u64..).zip(scores) {
        // The share that reaches the score of this rank is below fpr only if more than `rank` people of `count` lie in a region of probability fpr.
        if 1.0 - binomial_cdf(rank, count, fpr)? <= 1.0 - confidence.get() {
            return Ok(Some(score));
        }
    }
    Ok(None)
}
