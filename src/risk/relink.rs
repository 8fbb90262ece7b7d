//! The attacker puts the fragments of a person together again.

use super::result::AttackOptions;
use super::seed::stream_seed;
use crate::error::{Error, Result};
use crate::history::fragments::Pieces;
use crate::matrix::{Postings, SubjectItems};
use crate::numeric::{clopper_pearson_upper, real};
use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng};
use serde::{Deserialize, Serialize};

/// What an attacker achieves who links fragments by taste.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RelinkResult {
    /// Fragments that were attacked, drawn uniformly from those whose owner has another one.
    pub trials: u64,
    /// Probability that another fragment of the same person scores above one of somebody else, ties half: 0.5 is a blind guess.
    pub auc: f64,
    /// Upper confidence bound of `auc`.
    pub auc_upper: f64,
    /// Probability that the fragment with the highest score is the same person's; among several with the highest score one is guessed.
    pub precision: f64,
    /// Upper confidence bound of `precision`.
    pub precision_upper: f64,
    /// `precision` of a blind guess: the mean share of all other fragments that are the same person's.
    pub baseline: f64,
}

/// Links fragments of the same person by the co-listening of their items.
///
/// The score of two fragments is the mean, over an item of one and an item of the other, of people with both / √(people with the one · people with the other), counted in `reference`: whatever lists the attacker has. The lists of the pool
/// itself make the strongest attacker; the fragments themselves ([`SubjectItems::from_lists`]) one who has nothing else. Two fragments with an item in common are not one person's, and the attacker knows it;
/// for sessions this is not so: then set `disjoint` to false.
///
/// `owners` are codes, one for each fragment. Fragments are drawn by their places in the release, so codes do not matter. Work: for each trial the lists of the people in `reference` who have an item of the fragment, and all fragments.
///
/// # Errors
/// There is not one owner for each fragment, an item is beyond `reference`, or there are no trials.
///
/// ```
/// use backmask::{history::fragments::Pieces, matrix::SubjectItems, policy::Gate, risk::{AttackOptions, attack_seed, relink}};
/// // Two people whose items nobody else has: their fragments fit each other.
/// let lists = SubjectItems::from_lists(&[[0, 1], [2, 3]], 4)?;
/// let (offsets, items) = ([0, 1, 2, 3, 4], [0, 2, 1, 3]);
/// let options = AttackOptions::new(&Gate::default(), attack_seed(&[b"example"]));
/// let result = relink(&Pieces::new(&offsets, &items)?, &[0, 1, 0, 1], &lists, true, &options)?;
/// assert_eq!((result.auc, result.precision), (1.0, 1.0));
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn relink(
    pieces: &Pieces<'_>,
    owners: &[u32],
    reference: &SubjectItems,
    disjoint: bool,
    options: &AttackOptions,
) -> Result<RelinkResult> {
    if owners.len() != pieces.len() {
        return Err(Error::Parameter { name: "owners", problem: format!("needs one for each of {} fragments", pieces.len()) });
    }
    if pieces.iter().flatten().any(|&item| item as usize >= reference.items()) {
        return Err(Error::Parameter { name: "reference", problem: "does not know an item of the fragments".to_owned() });
    }
    if options.trials == 0 {
        return Err(Error::Parameter { name: "trials", problem: "must be at least 1".to_owned() });
    }
    let mut by_owner: Vec<(u32, usize)> = owners.iter().copied().zip(0..).collect();
    by_owner.sort_unstable();
    let siblings_of = |owner: u32| {
        let start = by_owner.partition_point(|own| own.0 < owner);
        let end = by_owner.partition_point(|own| own.0 <= owner);
        &by_owner[start..end]
    };
    let targets: Vec<usize> = (0..owners.len()).filter(|&fragment| siblings_of(owners[fragment]).len() > 1).collect();
    let strangers = targets.iter().any(|&target| siblings_of(owners[target]).len() < owners.len());
    if targets.is_empty() || !strangers {
        return Ok(RelinkResult { auc: 0.5, auc_upper: 0.5, ..RelinkResult::default() });
    }
    let mut scorer = Scorer {
        reference,
        postings: reference.postings(),
        sums: vec![0; reference.items()],
        counts: vec![0; reference.items()],
        touched: Vec::new(),
    };
    let (mut wins, mut found, mut baseline) = (0.0, 0.0, 0.0);
    let mut trials = 0_u64;
    for trial in 0..options.trials {
        let mut rng = ChaCha20Rng::from_seed(stream_seed(&options.seed, "relink", &[trial]));
        let target = targets[draw(&mut rng, targets.len())];
        let siblings = siblings_of(owners[target]);
        if siblings.len() == owners.len() {
            continue;
        }
        let own = pieces.items_of(target);
        scorer.learn(own);
        let score = |fragment: usize| {
            let items = pieces.items_of(fragment);
            if items.is_empty() || (disjoint && items.iter().any(|item| own.contains(item))) { None } else { Some(scorer.score(items)) }
        };
        let sibling = loop {
            let (_, sibling) = siblings[draw(&mut rng, siblings.len())];
            if sibling != target {
                break sibling;
            }
        };
        let stranger = loop {
            let stranger = draw(&mut rng, owners.len());
            if owners[stranger] != owners[target] {
                break stranger;
            }
        };
        let (same, other) = (score(sibling).unwrap_or(-1.0), score(stranger).unwrap_or(-1.0));
        wins += if same > other {
            1.0
        } else if same < other {
            0.0
        } else {
            0.5
        };
        let (mut best, mut ties, mut right) = (-1.0, 0_u64, 0_u64);
        for fragment in (0..owners.len()).filter(|&fragment| fragment != target) {
            let Some(score) = score(fragment) else { continue };
            if score > best {
                (best, ties, right) = (score, 0, 0);
            }
            if score >= best {
                ties += 1;
                right += u64::from(owners[fragment] == owners[target]);
            }
        }
        found += real(right) / real(ties.max(1));
        baseline += real(siblings.len() as u64 - 1) / real(owners.len() as u64 - 1);
        trials += 1;
    }
    let bound = |sum: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of trials")]
        let successes = ((sum - 1e-9).ceil().max(0.0) as u64).min(trials);
        clopper_pearson_upper(successes, trials, options.confidence)
    };
    if trials == 0 {
        return Ok(RelinkResult { auc: 0.5, auc_upper: 1.0, precision_upper: 1.0, ..RelinkResult::default() });
    }
    let count = real(trials);
    Ok(RelinkResult {
        trials,
        auc: wins / count,
        auc_upper: bound(wins)?,
        precision: found / count,
        precision_upper: bound(found)?,
        baseline: baseline / count,
    })
}

/// A 64-bit range, so that all platforms draw the same.
fn draw(rng: &mut ChaCha20Rng, count: usize) -> usize {
    usize::try_from(rng.random_range(0..count as u64)).unwrap_or(0)
}

/// Affinities of all items to those of a fragment.
struct Scorer<'a> {
    reference: &'a SubjectItems,
    postings: Postings,
    /// In units of 2⁻³², so that sums do not depend on the order of items.
    sums: Vec<u64>,
    counts: Vec<u32>,
    touched: Vec<u32>,
}

impl Scorer<'_> {
    fn learn(&mut self, own: &[u32]) {
        self.sums.fill(0);
        for &item in own {
            let people = self.postings.subjects_of(item);
            for &person in people {
                for &other in self.reference.items_of(person) {
                    if self.counts[other as usize] == 0 {
                        self.touched.push(other);
                    }
                    self.counts[other as usize] += 1;
                }
            }
            for other in self.touched.drain(..) {
                let both = std::mem::take(&mut self.counts[other as usize]);
                let product = real(people.len() as u64) * real(self.postings.subjects_of(other).len() as u64);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an affinity lies between 0 and 1")]
                let affinity = (f64::from(both) / product.sqrt() * UNIT) as u64;
                self.sums[other as usize] += affinity;
            }
        }
    }

    fn score(&self, items: &[u32]) -> f64 {
        real(items.iter().map(|&item| self.sums[item as usize]).sum::<u64>()) / real(items.len() as u64)
    }
}

/// 2³².
const UNIT: f64 = 4_294_967_296.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Gate;
    use crate::risk::attack_seed;

    fn options(trials: u64) -> AttackOptions {
        AttackOptions { trials, ..AttackOptions::new(&Gate::default(), attack_seed(&[b"relink"])) }
    }

    /// Lists of 12 of 40 items; people of two tastes if `taste`, else everything at random. Fragments of three.
    fn pool(taste: bool) -> (Vec<Vec<u32>>, Vec<usize>, Vec<u32>, Vec<u32>) {
        let mut rng = ChaCha20Rng::from_seed([4; 32]);
        let lists: Vec<Vec<u32>> = (0..120_u32)
            .map(|person| {
                let mut items: Vec<u32> = (0..40).filter(|item| !taste || (item % 2 == person % 2)).collect();
                while items.len() > 12 {
                    let place = draw(&mut rng, items.len());
                    items.swap_remove(place);
                }
                items
            })
            .collect();
        let owners = (0..120).flat_map(|person| [person; 4]).collect();
        ((lists.clone()), (0..=480).map(|fragment| fragment * 3).collect(), lists.concat(), owners)
    }

    #[test]
    fn taste_links_and_chance_does_not() {
        let (lists, offsets, items, owners) = pool(true);
        let pieces = Pieces::new(&offsets, &items).unwrap();
        let lists = SubjectItems::from_lists(&lists, 40).unwrap();
        let result = relink(&pieces, &owners, &lists, true, &options(400)).unwrap();
        // Half of the others have the same taste: 3/4 is the most that two tastes give; the person's own list in the reference adds a little.
        assert!((0.7..0.9).contains(&result.auc) && result.auc_upper > result.auc, "{result:?}");
        assert!((result.baseline - 3.0 / 479.0).abs() < 1e-12);
        // An attacker whose reference knows nothing of taste: 400 fair comparisons leave (0.42, 0.58) once in a thousand.
        let (others, ..) = pool(false);
        let blind = SubjectItems::from_lists(&vec![(0..40).collect::<Vec<u32>>(); others.len()], 40).unwrap();
        let result = relink(&pieces, &owners, &blind, false, &options(400)).unwrap();
        assert!((0.42..0.58).contains(&result.auc), "{result:?}");
        assert!((result.precision - result.baseline).abs() < 1e-12, "all scores are equal, so the guess is blind");
    }

    #[test]
    fn unique_tastes_are_linked_for_certain_and_wrong_owners_show() {
        let lists: Vec<Vec<u32>> = (0..30).map(|person| vec![2 * person, 2 * person + 1]).collect();
        let reference = SubjectItems::from_lists(&lists, 60).unwrap();
        let (offsets, items): (Vec<usize>, Vec<u32>) = ((0..=60).collect(), (0..60).collect());
        let pieces = Pieces::new(&offsets, &items).unwrap();
        let owners: Vec<u32> = (0..60).map(|item| item / 2).collect();
        let result = relink(&pieces, &owners, &reference, true, &options(100)).unwrap();
        assert_eq!((result.auc, result.precision, result.precision_upper), (1.0, 1.0, 1.0));
        let wrong: Vec<u32> = (0..60_u32).map(|item| item.div_ceil(2) % 30).collect();
        assert!(relink(&pieces, &wrong, &reference, true, &options(100)).unwrap().precision < 0.1);
    }

    #[test]
    fn nothing_to_link_is_no_success() {
        let reference = SubjectItems::from_lists(&[[0], [0]], 1).unwrap();
        let pieces = Pieces::new(&[0, 1, 2], &[0, 0]).unwrap();
        for owners in [[0, 1], [0, 0]] {
            let result = relink(&pieces, &owners, &reference, true, &options(10)).unwrap();
            assert_eq!((result.trials, result.auc, result.precision), (0, 0.5, 0.0));
        }
        assert!(relink(&pieces, &[0], &reference, true, &options(10)).is_err());
        assert!(relink(&pieces, &[0, 1], &reference, true, &options(0)).is_err());
        assert!(relink(&Pieces::new(&[0, 1], &[5]).unwrap(), &[0], &reference, true, &options(10)).is_err());
    }
}
