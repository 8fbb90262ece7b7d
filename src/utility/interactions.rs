//! Who (or what group) has which items, with weights.

use crate::error::{Error, Result};
use crate::matrix::SubjectItems;
use std::cmp::Ordering;

/// A sparse matrix of rows × items in compressed rows: what a recommender is trained on.
///
/// A row is a person, a cohort or a fragment; its items ascend, each once, with a weight > 0 (1 where only presence counts, the members of a cohort who have the item). A
/// row may also have a scale (1 if not given): the Gram matrix is made of weights × scale, popularity of the weights alone.
///
/// ```
/// use backmask::utility::Interactions;
///
/// let cohorts = Interactions::from_rows(&[vec![(2, 5.0), (0, 4.0)], vec![]], 3)?.scaled(vec![0.5, 1.0])?;
/// assert_eq!(cohorts.items_of(0), [0, 2]);
/// assert_eq!(cohorts.weights_of(0), [4.0, 5.0]);
/// assert_eq!(cohorts.popularity(), [4.0, 0.0, 5.0]);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Interactions {
    offsets: Vec<usize>,
    items: Vec<u32>,
    weights: Vec<f32>,
    scales: Vec<f64>,
    item_count: usize,
}

impl Interactions {
    /// From the items of each row, in any order; of an item that a row has several times the weights are added.
    ///
    /// # Errors
    /// An item is not below `items`, or a weight is not finite and above 0.
    pub fn from_rows<R: AsRef<[(u32, f32)]>>(rows: &[R], items: usize) -> Result<Self> {
        let mut made = Self::empty(items);
        let mut own: Vec<(u32, f32)> = Vec::new();
        for row in rows {
            own.clear();
            own.extend_from_slice(row.as_ref());
            own.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            if own.last().is_some_and(|last| last.0 as usize >= items) {
                return Err(Error::Parameter { name: "rows", problem: format!("an item code is not below the {items} items declared") });
            }
            for same in own.chunk_by(|a, b| a.0 == b.0) {
                let weight: f32 = same.iter().map(|pair| pair.1).sum();
                if !(weight.is_finite() && same.iter().all(|pair| pair.1 > 0.0)) {
                    return Err(Error::Parameter { name: "rows", problem: "every weight must be a finite number > 0".to_owned() });
                }
                made.items.push(same[0].0);
                made.weights.push(weight);
            }
            made.close_row(1.0);
        }
        Ok(made)
    }

    /// From the items of each row, in any order, all with the weight 1; repetitions count once.
    ///
    /// # Errors
    /// An item is not below `items`.
    pub fn from_lists<R: AsRef<[u32]>>(rows: &[R], items: usize) -> Result<Self> {
        Ok(Self::from(&SubjectItems::from_lists(rows, items)?))
    }

    fn empty(item_count: usize) -> Self {
        Self { offsets: vec![0], items: Vec::new(), weights: Vec::new(), scales: Vec::new(), item_count }
    }

    fn close_row(&mut self, scale: f64) {
        self.offsets.push(self.items.len());
        self.scales.push(scale);
    }

    /// The same with a scale for each row. Cohorts take size^(−1/2), so that a cohort of k people weighs in the Gram matrix about as much as its people would.
    ///
    /// # Errors
    /// There is not one scale for each row, or one is not finite and above 0.
    pub fn scaled(self, scales: Vec<f64>) -> Result<Self> {
        if scales.len() != self.rows() || scales.iter().any(|scale| !(scale.is_finite() && *scale > 0.0)) {
            return Err(Error::Parameter { name: "scales", problem: "must be one finite number > 0 for each row".to_owned() });
        }
        Ok(Self { scales, ..self })
    }

    /// Number of rows, empty ones included.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.scales.len()
    }

    /// Number of item codes.
    #[must_use]
    pub fn items(&self) -> usize {
        self.item_count
    }

    /// Number of entries.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.items.len()
    }

    /// Items of a row, ascending; nothing for a row beyond the last.
    #[must_use]
    pub fn items_of(&self, row: usize) -> &[u32] {
        &self.items[self.range(row)]
    }

    /// Weights of the items of a row, in the order of [`Interactions::items_of`].
    #[must_use]
    pub fn weights_of(&self, row: usize) -> &[f32] {
        &self.weights[self.range(row)]
    }

    /// Scale of a row; 1 for a row beyond the last.
    #[must_use]
    pub fn scale_of(&self, row: usize) -> f64 {
        self.scales.get(row).copied().unwrap_or(1.0)
    }

    /// Sum of the weights of every item.
    #[must_use]
    pub fn popularity(&self) -> Vec<f64> {
        let mut popularity = vec![0.0; self.item_count];
        // Weights that are whole numbers add up exactly in any order; others are added in the order of the content.
        for row in self.canonical_order() {
            for (&item, &weight) in self.items_of(row).iter().zip(self.weights_of(row)) {
                popularity[item as usize] += f64::from(weight);
            }
        }
        popularity
    }

    /// The rows that `keep` picks, in the same order.
    #[must_use]
    pub fn select(&self, keep: impl Fn(usize) -> bool) -> Self {
        let mut selected = Self::empty(self.item_count);
        for row in (0..self.rows()).filter(|&row| keep(row)) {
            selected.push(self, row);
        }
        selected
    }

    fn push(&mut self, from: &Self, row: usize) {
        self.items.extend_from_slice(from.items_of(row));
        self.weights.extend_from_slice(from.weights_of(row));
        self.close_row(from.scale_of(row));
    }

    /// Numbers of the rows, ordered by their content, so that sums over them are the same for any order of the data.
    pub(super) fn canonical_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows()).collect();
        order.sort_unstable_by(|&a, &b| self.compare(a, b));
        order
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        let bits = |row: usize| self.weights_of(row).iter().map(|weight| weight.to_bits());
        let scales = self.scale_of(a).total_cmp(&self.scale_of(b));
        self.items_of(a).cmp(self.items_of(b)).then_with(|| bits(a).cmp(bits(b))).then(scales)
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        match self.offsets.get(row..) {
            Some([start, end, ..]) => *start..*end,
            _ => 0..0,
        }
    }
}

/// Presence: every distinct item of a subject has the weight 1.
impl From<&SubjectItems> for Interactions {
    fn from(matrix: &SubjectItems) -> Self {
        let mut made = Self::empty(matrix.items());
        for subject in 0..u32::try_from(matrix.subjects()).unwrap_or(u32::MAX) {
            made.items.extend_from_slice(matrix.items_of(subject));
            made.weights.resize(made.items.len(), 1.0);
            made.close_row(1.0);
        }
        made
    }
}
