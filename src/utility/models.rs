//! Recommenders that are trained in closed form, so that their figures speak of the data and not of luck.

use super::gram::{Gram, MAX_MODEL_ITEMS, NOWHERE, by_popularity, positions};
use crate::error::{Error, Result};
use crate::numeric::{SquareMatrix, ease_weights, in_parallel};
use std::fmt::Debug;

/// Anything that can continue a list of items.
pub trait Recommender: Debug + Sync {
    /// The items that somebody who has the `known` ones (ascending) would like best: `length` of them at most, the best first, none of the known, none twice.
    ///
    /// Equal scores (in single precision) are ordered by item code. Items that the training data lacks are never recommended.
    fn recommend(&self, known: &[u32], length: usize) -> Vec<u32>;
}

/// The most popular items, for everybody: the floor that every other recommender must beat.
///
/// ```
/// use backmask::utility::{Popularity, Recommender};
///
/// let model = Popularity::new(&[3.0, 9.0, 0.0, 9.0]);
/// assert_eq!(model.recommend(&[3], 10), [1, 0]); // nobody has item 2
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Popularity {
    order: Vec<u32>,
}

impl Popularity {
    /// From the popularity of every item code.
    #[must_use]
    pub fn new(popularity: &[f64]) -> Self {
        Self { order: by_popularity(popularity) }
    }
}

impl Recommender for Popularity {
    fn recommend(&self, known: &[u32], length: usize) -> Vec<u32> {
        self.order.iter().copied().filter(|item| known.binary_search(item).is_err()).take(length).collect()
    }
}

/// EASE: the linear item-to-item model with zero diagonal, in closed form; see [`ease_weights`].
///
/// Items outside the Gram matrix are ranked below all others, by code.
///
/// ```
/// use backmask::utility::{Ease, Gram, Interactions, Recommender};
///
/// let people = Interactions::from_lists(&[vec![0, 1], vec![0, 1], vec![2, 3], vec![2, 3], vec![3]], 4)?;
/// let model = Ease::fit(&Gram::of_rows(&people, 2_000, 1)?, 1.0, 1)?;
/// assert_eq!(model.recommend(&[0], 1), [1]); // popularity would say 3
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # References
/// Steck, *Embarrassingly shallow autoencoders for sparse data*, WWW 2019.
#[derive(Debug, Clone)]
pub struct Ease {
    items: Vec<u32>,
    position: Vec<u32>,
    weights: SquareMatrix,
    unscored: Vec<u32>,
}

impl Ease {
    /// Trains on a Gram matrix with the regularization `lambda`.
    ///
    /// # Errors
    /// Those of [`ease_weights`].
    pub fn fit(gram: &Gram, lambda: f64, threads: usize) -> Result<Self> {
        let weights = ease_weights(gram.matrix().clone(), lambda, threads)?;
        Ok(Self::with_weights(gram.items().to_vec(), weights, gram.popularity()))
    }

    /// From weights that were released: (known item, recommended item, weight). Weights that are not given are 0.
    ///
    /// # Errors
    /// An item is not below `items`; a weight is not finite; a pair is given twice; an item has a weight to itself that is not 0; there are more than
    /// [`MAX_MODEL_ITEMS`] items.
    pub fn from_weights(pairs: &[(u32, u32, f64)], items: usize) -> Result<Self> {
        let wrong = |problem: String| Error::Parameter { name: "weights", problem };
        let mut present = vec![0.0; items];
        for &(from, to, weight) in pairs {
            let ends = [from as usize, to as usize];
            if ends.iter().any(|&end| end >= items) || !weight.is_finite() || from == to && weight != 0.0 {
                return Err(wrong(format!("must hold item codes below {items}, finite weights, and nothing from an item to itself")));
            }
            for end in ends {
                present[end] = 1.0;
            }
        }
        let codes = by_popularity(&present);
        if codes.len() > MAX_MODEL_ITEMS {
            return Err(wrong(format!("there are {} items; at most {MAX_MODEL_ITEMS} can be held", codes.len())));
        }
        let position = positions(&codes, items);
        let mut order: Vec<(u32, u32, f64)> = pairs.to_vec();
        order.sort_unstable_by_key(|pair| (pair.0, pair.1));
        if order.windows(2).any(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)) {
            return Err(wrong("the same pair of items is given twice".to_owned()));
        }
        let mut weights = SquareMatrix::zeros(codes.len())?;
        for (from, to, weight) in order {
            weights.row_mut(position[from as usize] as usize)[position[to as usize] as usize] = weight;
        }
        Ok(Self::with_weights(codes, weights, &present))
    }

    fn with_weights(items: Vec<u32>, weights: SquareMatrix, popularity: &[f64]) -> Self {
        let position = positions(&items, popularity.len());
        let beyond = (0_u32..).zip(popularity).filter(|(item, popularity)| **popularity > 0.0 && position[*item as usize] == NOWHERE);
        let unscored = beyond.map(|(item, _)| item).collect();
        Self { items, position, weights, unscored }
    }
}

impl Recommender for Ease {
    fn recommend(&self, known: &[u32], length: usize) -> Vec<u32> {
        let mut scores = vec![0.0; self.items.len()];
        for &item in known {
            if let Some(&place) = self.position.get(item as usize).filter(|place| **place != NOWHERE) {
                for (score, weight) in scores.iter_mut().zip(self.weights.row(place as usize)) {
                    *score += weight;
                }
            }
        }
        best(&scores, &self.items, &self.unscored, known, length)
    }
}

/// The best items by score, ties by code; then those without a score, by code.
fn best(scores: &[f64], items: &[u32], unscored: &[u32], known: &[u32], length: usize) -> Vec<u32> {
    let is_new = |item: &u32| known.binary_search(item).is_err();
    let mut ranked: Vec<(f32, u32)> =
        scores.iter().map(|score| rounded(*score)).zip(items.iter().copied()).filter(|(_, item)| is_new(item)).collect();
    let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if ranked.len() > length && length > 0 {
        ranked.select_nth_unstable_by(length - 1, order);
    }
    ranked.truncate(length);
    ranked.sort_unstable_by(order);
    let rest = length - ranked.len();
    ranked.into_iter().map(|(_, item)| item).chain(unscored.iter().copied().filter(is_new).take(rest)).collect()
}

/// A score as it is compared: in single precision, so that equal scores are equal whatever the last digits of the solver are; 0 and −0 are the same.
#[expect(clippy::cast_possible_truncation, reason = "that is the purpose")]
fn rounded(score: f64) -> f32 {
    score as f32 + 0.0
}

/// Item neighbourhoods: an item scores the sum of its cosine similarities to the known items among its `k` nearest neighbours.
///
/// ```
/// use backmask::utility::{Gram, Interactions, ItemKnn, Recommender};
///
/// let people = Interactions::from_lists(&[vec![0, 1], vec![0, 1], vec![2, 3], vec![3]], 4)?;
/// let model = ItemKnn::fit(&Gram::of_rows(&people, 2_000, 1)?, 100, 1);
/// assert_eq!(model.recommend(&[0], 1), [1]);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # References
/// Sarwar, Karypis, Konstan, Riedl, *Item-based collaborative filtering recommendation algorithms*, WWW 2001; Deshpande, Karypis, *Item-based top-N recommendation
/// algorithms*, ACM TOIS 22(1), 2004.
#[derive(Debug, Clone)]
pub struct ItemKnn {
    items: Vec<u32>,
    position: Vec<u32>,
    /// For each known item: the items that have it among their neighbours, with the similarity.
    reached: Vec<Vec<(u32, f64)>>,
    unscored: Vec<u32>,
}

impl ItemKnn {
    /// Finds the `k` nearest neighbours of every item, by cosine of their columns; only positive similarities count, ties go to the smaller code. An item whose
    /// diagonal is not positive (noise can do that) has no neighbours.
    #[must_use]
    pub fn fit(gram: &Gram, k: usize, threads: usize) -> Self {
        let (items, matrix) = (gram.items(), gram.matrix());
        let norms: Vec<f64> = (0..items.len()).map(|item| matrix.get(item, item).max(0.0).sqrt()).collect();
        let mut nearest: Vec<Vec<(f64, u32)>> = vec![Vec::new(); items.len()];
        in_parallel(nearest.iter_mut().enumerate().collect(), threads, |(item, nearest)| {
            let row = matrix.row(item).iter().zip(&norms).zip(0_u32..);
            let similar = row.map(|((together, norm), other)| (together / (norm * norms[item]), other));
            nearest.extend(similar.filter(|(similarity, other)| *similarity > 0.0 && similarity.is_finite() && *other as usize != item));
            let order = |a: &(f64, u32), b: &(f64, u32)| b.0.total_cmp(&a.0).then(items[a.1 as usize].cmp(&items[b.1 as usize]));
            if nearest.len() > k && k > 0 {
                nearest.select_nth_unstable_by(k - 1, order);
            }
            nearest.truncate(k);
        });
        let mut reached = vec![Vec::new(); items.len()];
        for (item, nearest) in (0_u32..).zip(&nearest) {
            for &(similarity, neighbour) in nearest {
                reached[neighbour as usize].push((item, similarity));
            }
        }
        let position = positions(items, gram.popularity().len());
        let unscored = (0_u32..).zip(gram.popularity()).filter(|(item, p)| **p > 0.0 && position[*item as usize] == NOWHERE);
        let unscored = unscored.map(|(item, _)| item).collect();
        Self { items: items.to_vec(), position, reached, unscored }
    }
}

impl Recommender for ItemKnn {
    fn recommend(&self, known: &[u32], length: usize) -> Vec<u32> {
        let mut scores = vec![0.0; self.items.len()];
        for &item in known {
            if let Some(&place) = self.position.get(item as usize).filter(|place| **place != NOWHERE) {
                for &(other, similarity) in &self.reached[place as usize] {
                    scores[other as usize] += similarity;
                }
            }
        }
        best(&scores, &self.items, &self.unscored, known, length)
    }
}
