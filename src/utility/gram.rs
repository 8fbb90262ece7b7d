//! How often items occur together.

use super::interactions::Interactions;
use crate::error::{Error, Result};
use crate::numeric::{SquareMatrix, in_parallel};
use std::collections::BTreeMap;

/// Items that a dense model can hold at most: a matrix of them takes 800 MB, and three are needed.
pub const MAX_MODEL_ITEMS: usize = 10_000;

/// Rows of the matrix that one thread fills at a time.
const BAND: usize = 64;

/// The Gram matrix `XᵀX` of the most popular items, and the popularity of all: all that EASE, item neighbourhoods and popularity need to know of a release.
///
/// ```
/// use backmask::utility::{Gram, Interactions};
///
/// let people = Interactions::from_lists(&[vec![0, 2], vec![2], vec![1, 2]], 4)?;
/// let gram = Gram::of_rows(&people, 2, 1)?;
/// assert_eq!(gram.items(), [2, 0]); // the most popular first, ties by code
/// assert_eq!(gram.matrix().row(0), [3.0, 1.0]);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gram {
    items: Vec<u32>,
    matrix: SquareMatrix,
    popularity: Vec<f64>,
}

impl Gram {
    /// Counts together what stands in one row, for the `top` most popular items (all that occur if there are no more). Weights are multiplied by the scale of their row.
    ///
    /// The sums are the same for any order of the rows and any number of threads. Memory: 8 bytes for each pair of the top items, and 16 an entry.
    ///
    /// # Errors
    /// More than [`MAX_MODEL_ITEMS`] items would be needed.
    pub fn of_rows(rows: &Interactions, top: usize, threads: usize) -> Result<Self> {
        let popularity = rows.popularity();
        let items = most_popular(&popularity, top)?;
        let position = positions(&items, popularity.len());
        // The rows in terms of the matrix, ascending.
        let mut head: Vec<(u32, f64)> = Vec::with_capacity(rows.entries());
        let mut offsets = vec![0];
        for row in rows.canonical_order() {
            let start = head.len();
            let (items, weights, scale) = (rows.items_of(row), rows.weights_of(row), rows.scale_of(row));
            let known = items.iter().zip(weights).map(|(&item, &weight)| (position[item as usize], f64::from(weight) * scale));
            head.extend(known.filter(|entry| entry.0 != NOWHERE));
            head[start..].sort_unstable_by_key(|entry| entry.0);
            offsets.push(head.len());
        }
        let mut matrix = SquareMatrix::zeros(items.len())?;
        let size = items.len();
        in_parallel(matrix.bands_mut(BAND).into_iter().enumerate().collect(), threads, |(index, band)| {
            let (first, last) = (index * BAND, index * BAND + band.len() / size);
            for window in offsets.windows(2) {
                let entries = &head[window[0]..window[1]];
                let start = entries.partition_point(|entry| (entry.0 as usize) < first);
                for (at, &(item, weight)) in entries.iter().enumerate().skip(start).take_while(|(_, entry)| (entry.0 as usize) < last) {
                    let own = &mut band[(item as usize - first) * size..][..size];
                    for &(other, other_weight) in &entries[at..] {
                        own[other as usize] += weight * other_weight;
                    }
                }
            }
        });
        matrix.mirror_upper();
        Ok(Self { items, matrix, popularity })
    }

    /// From the entries of a matrix that was released: (item, item, value), each pair once or in both orders. Pairs that are not given are 0. Popularity is the
    /// diagonal where it is given, else the sum of the positive values of the item; [`Gram::with_popularity`] replaces it.
    ///
    /// # Errors
    /// An item is not below `items`; a value is not finite; a pair is given twice with different values; more than [`MAX_MODEL_ITEMS`] items would be needed.
    pub fn of_pairs(pairs: &[(u32, u32, f64)], items: usize, top: usize) -> Result<Self> {
        let mut values: BTreeMap<(u32, u32), f64> = BTreeMap::new();
        for &(a, b, value) in pairs {
            if a as usize >= items || b as usize >= items || !value.is_finite() {
                return Err(Error::Parameter { name: "pairs", problem: format!("must hold item codes below {items} and finite values") });
            }
            if values.insert((a.min(b), a.max(b)), value).is_some_and(|known| known.to_bits() != value.to_bits()) {
                return Err(Error::Parameter { name: "pairs", problem: "the same pair of items has two values".to_owned() });
            }
        }
        let (mut diagonal, mut sums) = (vec![None; items], vec![0.0; items]);
        for (&(a, b), &value) in &values {
            if a == b {
                diagonal[a as usize] = Some(value.max(0.0));
            } else {
                sums[a as usize] += value.max(0.0);
                sums[b as usize] += value.max(0.0);
            }
        }
        let popularity: Vec<f64> = diagonal.into_iter().zip(sums).map(|(own, sum)| own.unwrap_or(sum)).collect();
        let items = most_popular(&popularity, top)?;
        let position = positions(&items, popularity.len());
        let mut matrix = SquareMatrix::zeros(items.len())?;
        for ((a, b), value) in values {
            let (a, b) = (position[a as usize], position[b as usize]);
            if a != NOWHERE && b != NOWHERE {
                matrix.row_mut(a as usize)[b as usize] = value;
                matrix.row_mut(b as usize)[a as usize] = value;
            }
        }
        Ok(Self { items, matrix, popularity })
    }

    /// The same with another popularity, for example from a catalogue that was released beside the matrix.
    ///
    /// # Errors
    /// There is not one finite number ≥ 0 for each item.
    pub fn with_popularity(self, popularity: Vec<f64>) -> Result<Self> {
        if popularity.len() != self.popularity.len() || popularity.iter().any(|value| !(value.is_finite() && *value >= 0.0)) {
            return Err(Error::Parameter { name: "popularity", problem: "must be one finite number ≥ 0 for each item".to_owned() });
        }
        Ok(Self { popularity, ..self })
    }

    /// Codes of the items of the matrix, in its order: the most popular first, ties by code.
    #[must_use]
    pub fn items(&self) -> &[u32] {
        &self.items
    }

    /// The matrix, symmetric.
    #[must_use]
    pub fn matrix(&self) -> &SquareMatrix {
        &self.matrix
    }

    /// Popularity of every item code; 0 for an item that the release lacks.
    #[must_use]
    pub fn popularity(&self) -> &[f64] {
        &self.popularity
    }
}

/// Place of an item that is not in a matrix.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Place of every item code in a list of items.
pub(super) fn positions(items: &[u32], item_count: usize) -> Vec<u32> {
    let mut position = vec![NOWHERE; item_count];
    for (place, &item) in (0_u32..).zip(items) {
        position[item as usize] = place;
    }
    position
}

/// The codes with positive popularity, the most popular first, ties by code.
pub(super) fn by_popularity(popularity: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0_u32..).zip(popularity).filter(|(_, popularity)| **popularity > 0.0).map(|(item, _)| item).collect();
    order.sort_by(|&a, &b| popularity[b as usize].total_cmp(&popularity[a as usize]));
    order
}

fn most_popular(popularity: &[f64], top: usize) -> Result<Vec<u32>> {
    let mut items = by_popularity(popularity);
    items.truncate(top);
    if items.len() > MAX_MODEL_ITEMS {
        return Err(Error::Parameter {
            name: "top_items",
            problem: format!("a model of {} items would need too much memory; ask for at most {MAX_MODEL_ITEMS}", items.len()),
        });
    }
    Ok(items)
}
