//! What a product of whole histories does not show of the pool, for the steward.

use crate::matrix::SubjectItems;
use crate::release::report::PopularityLoss;

/// Tenths of the pool.
const TENTHS: u64 = 10;

/// What was kept of each tenth of the (person, item) pairs, from the rarest items to the most popular; `kept` counts for every item the pairs that the product shows.
///
/// An item is in one tenth, that in which its pairs begin, so the tenths are only about equal. Items of equally many people are in the order of their codes, which changes nothing that is summed.
pub(super) fn by_popularity(matrix: &SubjectItems, kept: &[u64]) -> Vec<PopularityLoss> {
    let support = matrix.support();
    let mut items: Vec<usize> = (0..support.len()).filter(|&item| support[item] > 0).collect();
    items.sort_by_key(|&item| support[item]);
    let total = matrix.pairs() as u64;
    let mut tenths = vec![PopularityLoss::default(); if total == 0 { 0 } else { 10 }];
    let mut before = 0_u64;
    // Items of one support stay together, so that nothing depends on their order.
    for same in items.chunk_by(|&a, &b| support[a] == support[b]) {
        let tenth = usize::try_from(before.saturating_mul(TENTHS) / total.max(1)).unwrap_or(0);
        for &item in same {
            let pairs = u64::from(support[item]);
            before += pairs;
            if let Some(tenth) = tenths.get_mut(tenth) {
                tenth.items += 1;
                tenth.rows += pairs;
                tenth.kept += kept.get(item).copied().unwrap_or(0);
                tenth.most_people = tenth.most_people.max(pairs);
            }
        }
    }
    tenths.retain(|tenth| tenth.items > 0);
    tenths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_hold_all_pairs_once() {
        let lists: Vec<Vec<u32>> = (0..30_u32).map(|person| (0..=person % 6).collect()).collect();
        let matrix = SubjectItems::from_lists(&lists, 7).unwrap();
        let kept: Vec<u64> = matrix.support().iter().map(|&support| if support >= 15 { u64::from(support) } else { 0 }).collect();
        let tenths = by_popularity(&matrix, &kept);
        assert_eq!(tenths.iter().map(|tenth| tenth.rows).sum::<u64>(), matrix.pairs() as u64);
        assert_eq!(tenths.iter().map(|tenth| tenth.kept).sum::<u64>(), kept.iter().sum::<u64>());
        assert_eq!(tenths.iter().map(|tenth| tenth.items).sum::<u64>(), 6);
        assert!(tenths.windows(2).all(|pair| pair[0].most_people < pair[1].most_people), "from the rarest to the most popular");
        assert_eq!((tenths[0].kept, tenths.last().unwrap().kept), (0, 30));
        assert!(by_popularity(&SubjectItems::from_lists::<Vec<u32>>(&[], 3).unwrap(), &[]).is_empty());
    }
}
