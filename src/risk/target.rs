//! Who is attacked, and how the attempts are counted.

use super::seed::stream_number;
use crate::error::{Error, Result};
use crate::numeric::real;

/// Tenths of the people.
pub(super) const DECILES: usize = 10;

/// Attempts against the people of one decile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// People, attacked or not.
    pub(super) people: u64,
    pub(super) trials: u64,
    pub(super) successes: u64,
    /// Sum over people of their share of successful attempts, in units of 2⁻⁴⁰ so that the order of adding does not matter.
    shares: u128,
}

impl Tally {
    /// Counts all attempts against one person.
    pub(super) fn add(&mut self, successes: u64, trials: u64) {
        self.trials += trials;
        self.successes += successes;
        if trials > 0 {
            self.shares += (u128::from(successes) << 40).div_ceil(u128::from(trials));
        }
    }

    /// Counts all attempts against the units of one person, each (successes, attempts): the person's share is the mean of the units' shares.
    pub(super) fn add_units(&mut self, units: &[(u64, u64)]) {
        let mut sum = 0;
        for &(successes, trials) in units {
            self.trials += trials;
            self.successes += successes;
            if trials > 0 {
                sum += (u128::from(successes) << 40).div_ceil(u128::from(trials));
            }
        }
        if !units.is_empty() {
            self.shares += sum.div_ceil(units.len() as u128);
        }
    }

    /// Success probability: the mean of the people's own if all were attacked exhaustively, else that of the attempts.
    pub(super) fn rate(&self, exact: bool) -> f64 {
        if self.people == 0 || self.trials == 0 {
            0.0
        } else if exact {
            #[expect(clippy::cast_precision_loss, reason = "a probability needs no more than 53 bits")]
            let sum = self.shares as f64 / (1_u64 << 40) as f64;
            (sum / real(self.people)).min(1.0)
        } else {
            real(self.successes) / real(self.trials)
        }
    }
}

/// A person to be attacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) subject: u32,
    pub(super) decile: u8,
    /// Attempts against this person.
    pub(super) attempts: u64,
}

/// Chooses the targets among people given as (subject code, stable id, decile).
///
/// With no more people than trials everybody is attacked, equally often. Otherwise a tenth of the trials goes to each decile, so that the worst one has a meaningful bound;
/// the people are those with the smallest keyed hashes of their ids: the same people for any order and numbering of the data.
pub(super) fn choose(people: &[(u32, u64, u8)], trials: u64, seed: &[u8; 32]) -> Vec<Target> {
    let count = people.len() as u64;
    if count <= trials {
        let attempts = if count == 0 { 0 } else { trials.div_ceil(count) };
        return people.iter().map(|&(subject, _, decile)| Target { subject, decile, attempts }).collect();
    }
    let quota = usize::try_from(trials.div_ceil(DECILES as u64)).unwrap_or(usize::MAX);
    let mut by_decile: [Vec<(u64, u64, u32)>; DECILES] = std::array::from_fn(|_| Vec::new());
    for &(subject, id, decile) in people {
        if let Some(members) = by_decile.get_mut(usize::from(decile)) {
            members.push((stream_number(seed, "target", &[id]), id, subject));
        }
    }
    let mut targets = Vec::new();
    for (decile, mut members) in (0..).zip(by_decile) {
        members.sort_unstable();
        targets.extend(members.iter().take(quota).map(|&(_, _, subject)| Target { subject, decile, attempts: 1 }));
    }
    targets
}

/// Tallies that know how many people each decile has.
pub(super) fn tallies(people: &[(u32, u64, u8)]) -> [Tally; DECILES] {
    let mut tallies = [Tally::default(); DECILES];
    for &(_, _, decile) in people {
        if let Some(tally) = tallies.get_mut(usize::from(decile)) {
            tally.people += 1;
        }
    }
    tallies
}

/// Checks one number for each subject, deciles below ten.
pub(super) fn check_deciles(deciles: &[u8], subjects: usize) -> Result<()> {
    if deciles.len() == subjects && deciles.iter().all(|&decile| usize::from(decile) < DECILES) {
        Ok(())
    } else {
        Err(Error::Parameter { name: "deciles", problem: format!("needs a number from 0 to 9 for each of {subjects} people") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(count: u32) -> Vec<(u32, u64, u8)> {
        (0..count).map(|s| (s, u64::from(s) * 7919, u8::try_from(s % 10).unwrap())).collect()
    }

    #[test]
    fn everybody_or_a_tenth_of_the_trials_from_each_decile() {
        assert!(choose(&[], 10, &[0; 32]).is_empty());
        assert!(choose(&people(7), 20, &[0; 32]).iter().all(|target| target.attempts == 3));
        let chosen = choose(&people(1000), 95, &[0; 32]);
        assert_eq!(chosen.len(), 100);
        for decile in 0..10 {
            assert_eq!(chosen.iter().filter(|target| target.decile == decile).count(), 10);
        }
        let mut reordered = people(1000);
        reordered.reverse();
        assert_eq!(choose(&reordered, 95, &[0; 32]), chosen);
        assert_ne!(choose(&people(1000), 95, &[1; 32]), chosen);
    }

    #[test]
    fn shares_are_exact_at_the_ends() {
        let mut tally = Tally { people: 3, ..Tally::default() };
        tally.add(3, 3);
        tally.add(0, 7);
        tally.add(1, 2);
        assert!((tally.rate(true) - 0.5).abs() < 1e-11);
        assert!((tally.rate(false) - 4.0 / 12.0).abs() < 1e-15);
        let mut all = Tally { people: 1, ..Tally::default() };
        all.add(9, 9);
        assert!((all.rate(true) - 1.0).abs() < f64::EPSILON);
        // A unit that is always found and one that never is, whatever their numbers of attempts.
        let mut units = Tally { people: 1, ..Tally::default() };
        units.add_units(&[(5, 5), (0, 1000)]);
        assert!((units.rate(true) - 0.5).abs() < 1e-11);
        let mut one = Tally { people: 3, ..Tally::default() };
        one.add_units(&[(3, 3)]);
        one.add_units(&[(0, 7)]);
        one.add_units(&[(1, 2)]);
        assert_eq!(one, tally);
    }
}
