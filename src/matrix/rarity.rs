//! How unusual a person's items are.

use super::csr::SubjectItems;
use crate::error::{Error, Result};

/// Rarity of every subject: the mean of −ln(support / people) over their distinct items, 0 for a subject without items.
///
/// `support` counts distinct subjects by item, `people` is their number. An item that nobody is counted for counts as one that one person has.
/// The logarithms are summed as integers (2⁻⁴⁰), so the score does not depend on the order of the items or on their codes.
///
/// ```
/// use backmask::matrix::{SubjectItems, rarity};
/// let matrix = SubjectItems::from_lists(&[vec![0], vec![0, 1]], 2)?;
/// let scores = rarity(&matrix, &matrix.support(), 2);
/// assert!(scores[0] < scores[1]);
/// # Ok::<(), backmask::Error>(())
/// ```
#[must_use]
pub fn rarity(matrix: &SubjectItems, support: &[u32], people: u64) -> Vec<f64> {
    let rarities: Vec<u64> = support.iter().map(|&support| surprise(u64::from(support), people)).collect();
    let subjects = u32::try_from(matrix.subjects()).unwrap_or(u32::MAX);
    (0..subjects)
        .map(|subject| {
            let items = matrix.items_of(subject);
            let sum: u128 = items.iter().map(|&item| u128::from(rarities.get(item as usize).copied().unwrap_or_default())).sum();
            mean_surprise(sum, items.len() as u64)
        })
        .collect()
}

/// −ln(support / people) in units of 2⁻⁴⁰.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a logarithm between 0 and 45")]
pub(crate) fn surprise(support: u64, people: u64) -> u64 {
    let share = support.max(1) as f64 / people.max(1) as f64;
    (-share.ln() * UNIT).max(0.0).round() as u64
}

/// Mean of `count` surprises with this sum.
#[expect(clippy::cast_precision_loss, reason = "a score needs no more than 53 bits")]
pub(crate) fn mean_surprise(sum: u128, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum as f64 / count as f64 / UNIT }
}

/// 2⁴⁰.
const UNIT: f64 = 1_099_511_627_776.0;

/// Splits people into tenths by score: 0 has the lowest scores (the most ordinary people), 9 the highest. The sizes differ by at most one.
///
/// Equal scores are ordered by `ids`, which should be keyed hashes of the people's identifiers ([`content_hashes`](super::content_hashes)): then the
/// split depends neither on codes nor on the order of the data. A score that is not a number is ordered above all others.
///
/// # Errors
/// There are not as many ids as scores.
///
/// ```
/// use backmask::matrix::deciles;
/// let scores: Vec<f64> = (0..20).map(f64::from).collect();
/// let ids: Vec<u64> = (0..20).collect();
/// assert_eq!(deciles(&scores, &ids)?[..4], [0, 0, 1, 1]);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn deciles(scores: &[f64], ids: &[u64]) -> Result<Vec<u8>> {
    if scores.len() != ids.len() {
        return Err(Error::Parameter { name: "ids", problem: format!("{} ids for {} scores", ids.len(), scores.len()) });
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // Adding 0 makes −0 equal to 0; the sign of a NaN means nothing.
    let rank = |score: f64| if score.is_nan() { f64::NAN.abs() } else { score + 0.0 };
    order.sort_unstable_by(|&a, &b| rank(scores[a]).total_cmp(&rank(scores[b])).then(ids[a].cmp(&ids[b])));
    let mut deciles = vec![0; scores.len()];
    for (place, &subject) in order.iter().enumerate() {
        deciles[subject] = u8::try_from(place * 10 / scores.len()).unwrap_or(9);
    }
    Ok(deciles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rarity_is_the_mean_of_logarithms() {
        let matrix = SubjectItems::from_lists(&[vec![0, 0, 1], vec![0], vec![], vec![0, 2]], 3).unwrap();
        let scores = rarity(&matrix, &matrix.support(), 4);
        let by_hand = [(-(0.75_f64.ln()) - 0.25_f64.ln()) / 2.0, -(0.75_f64.ln()), 0.0, (-(0.75_f64.ln()) - 0.25_f64.ln()) / 2.0];
        for (score, expected) in scores.iter().zip(by_hand) {
            assert!((score - expected).abs() < 1e-11, "{score} {expected}");
        }
    }

    proptest! {
        #[test]
        fn scores_and_deciles_do_not_depend_on_codes(lists in proptest::collection::vec(proptest::collection::btree_set(0_u32..9, 0..9), 1..40)) {
            let lists: Vec<Vec<u32>> = lists.into_iter().map(|set| set.into_iter().collect()).collect();
            let ids: Vec<u64> = (0..lists.len() as u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
            let people = lists.len() as u64;
            let matrix = SubjectItems::from_lists(&lists, 9).unwrap();
            let scores = rarity(&matrix, &matrix.support(), people);
            let split = deciles(&scores, &ids).unwrap();
            // Items and people renumbered back to front.
            let mirrored: Vec<Vec<u32>> = lists.iter().rev().map(|list| list.iter().map(|item| 8 - item).collect()).collect();
            let matrix = SubjectItems::from_lists(&mirrored, 9).unwrap();
            let mut again = rarity(&matrix, &matrix.support(), people);
            let mut again_split = deciles(&again, &ids.iter().rev().copied().collect::<Vec<_>>()).unwrap();
            again.reverse();
            again_split.reverse();
            prop_assert_eq!(scores, again);
            prop_assert_eq!(&split, &again_split);
            let mut sizes = [0_usize; 10];
            for &decile in &split {
                sizes[usize::from(decile)] += 1;
            }
            prop_assert!(sizes.iter().all(|size| size.abs_diff(lists.len() / 10) <= 1));
        }
    }

    #[test]
    fn strange_scores_are_ordered_all_the_same() {
        assert_eq!(deciles(&[], &[]).unwrap(), Vec::<u8>::new());
        assert_eq!(deciles(&[1.0], &[5]).unwrap(), [0]);
        assert_eq!(deciles(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -f64::NAN], &[1, 2, 3, 0]).unwrap(), [7, 2, 0, 5]);
        assert!(deciles(&[1.0], &[]).is_err());
        assert_eq!(deciles(&[0.0, -0.0], &[2, 1]).unwrap(), [5, 0]);
    }
}
