//! What is counted, without noise.

use crate::aggregates::contributions::Sampled;
use crate::error::{Error, Result};
use crate::numeric::{in_parallel, real};

/// Units of one in [`Normalization::Normed`] matrices.
pub(super) const UNIT: u64 = 1 << 20;

/// Rows of the triangle that are filled at a time.
const BAND: usize = 32;

/// What one person adds to the cells of the pairs of their items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Normalization {
    /// 1 to every pair: cells are numbers of people, up to the limit on items of each.
    Fixed,
    /// 1/√(d(d+1)/2) to every pair of a person with d items, so that everybody has the norm 1: people with few items weigh more, and there is far less noise where most people have
    /// fewer items than the limit. Cells are no numbers of people.
    #[default]
    Normed,
}

impl Normalization {
    /// Square of the norm that nobody's contribution passes: L(L+1)/2 counts, or 1 in squared units.
    pub(super) fn norm_squared(self, max_items: u64) -> u128 {
        match self {
            Self::Fixed => pairs(max_items),
            Self::Normed => u128::from(UNIT) * u128::from(UNIT),
        }
    }

    /// What stands for one.
    pub(super) fn unit(self) -> f64 {
        match self {
            Self::Fixed => 1.0,
            Self::Normed => real(UNIT),
        }
    }

    /// What a person with so many items adds to each pair: for [`Normalization::Normed`] the largest w with w² · d(d+1)/2 ≤ 1 in squared units.
    pub(super) fn weight(self, items: u64) -> u64 {
        match self {
            Self::Fixed => 1,
            Self::Normed => u64::try_from((self.norm_squared(0) / pairs(items).max(1)).isqrt()).unwrap_or(UNIT),
        }
    }
}

/// Pairs of so many items, each with itself too: cells of the triangle.
pub(super) fn pairs(items: u64) -> u128 {
    u128::from(items) * (u128::from(items) + 1) / 2
}

/// The upper triangle, with the diagonal, of Σ w xxᵀ over people, without noise: private data.
///
/// # Guarantee
/// Two pools that differ by one person with all that the person did give triangles that differ by at most the root of [`BoundedTriangle::norm_squared`], in the Euclidean norm over the cells of the
/// triangle: every person of a sample is taken once, with distinct items, and w² · d(d+1)/2 was checked against the bound before anything was added.
#[derive(Clone, PartialEq, Eq)]
pub struct BoundedTriangle {
    size: usize,
    cells: Vec<i64>,
    norm_squared: u128,
}

/// Shows no cells: they are private data.
impl std::fmt::Debug for BoundedTriangle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundedTriangle").field("size", &self.size).field("norm_squared", &self.norm_squared).finish_non_exhaustive()
    }
}

impl BoundedTriangle {
    /// Adds up a sample. `place` has for every item code the row of the matrix, or a number that is not below `size`. `weight` is a function of the number of items.
    pub(super) fn of(
        sample: &Sampled,
        place: &[u32],
        size: usize,
        norm_squared: u128,
        threads: usize,
        weight: impl Fn(u64) -> u64,
    ) -> Result<Self> {
        let refused = |problem: &str| Error::Parameter { name: "contribution", problem: problem.to_owned() };
        let people = u32::try_from(sample.people()).map_err(|_| refused("is one of more than 2^32 people"))?;
        let mut rows: Vec<u32> = Vec::new();
        let mut lists: Vec<(usize, i64)> = Vec::with_capacity(sample.people());
        for person in 0..people {
            let start = rows.len();
            let known = sample.of(person).0.iter().filter_map(|&item| place.get(item as usize).copied());
            rows.extend(known.filter(|&row| (row as usize) < size));
            rows[start..].sort_unstable();
            if !rows[start..].is_sorted_by(|a, b| a < b) {
                return Err(refused("has an item twice"));
            }
            let items = (rows.len() - start) as u64;
            let weight = weight(items);
            // At most 2³² people and 2³⁰ of each: no sum passes 2⁶².
            let square = u128::from(weight).checked_mul(u128::from(weight)).and_then(|square| square.checked_mul(pairs(items)));
            if weight > 1 << 30 || square.is_none_or(|square| square > norm_squared) {
                return Err(refused("exceeds the declared bound; bound it over the whole pool before adding it up"));
            }
            lists.push((rows.len(), i64::try_from(weight).unwrap_or(0)));
        }
        let mut cells = vec![0_i64; size * (size + 1) / 2];
        let mut jobs = Vec::new();
        let mut rest = cells.as_mut_slice();
        for first in (0..size).step_by(BAND) {
            let last = (first + BAND).min(size);
            let (band, others) = rest.split_at_mut((first..last).map(|row| size - row).sum());
            jobs.push((first, last, band));
            rest = others;
        }
        in_parallel(jobs, threads, |(first, last, band)| {
            // Where each row of the band begins, less its first column.
            let starts: Vec<usize> = (first..last).map(|row| (first..row).map(|above| size - above).sum::<usize>()).collect();
            let mut begin = 0;
            for &(end, weight) in &lists {
                let own = &rows[begin..end];
                begin = end;
                let from = own.partition_point(|&row| (row as usize) < first);
                for (at, &row) in own.iter().enumerate().skip(from).take_while(|(_, row)| (**row as usize) < last) {
                    let row = row as usize;
                    let cells = &mut band[starts[row - first]..][..size - row];
                    for &column in &own[at..] {
                        cells[column as usize - row] += weight;
                    }
                }
            }
        });
        Ok(Self { size, cells, norm_squared })
    }

    /// Number of rows.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Square of the most that one person changes, in squared units of the cells.
    #[must_use]
    pub fn norm_squared(&self) -> u128 {
        self.norm_squared
    }

    /// The cells row by row, each row from its diagonal on. They are private data: for the steward's eyes, and for tests of sensitivity.
    #[must_use]
    pub fn exact_for_the_steward(&self) -> &[i64] {
        &self.cells
    }

    /// Euclidean distance to another triangle of the same size, for tests of sensitivity; `None` if the sizes differ.
    #[must_use]
    pub fn distance(&self, other: &Self) -> Option<f64> {
        let squares = || self.cells.iter().zip(&other.cells).map(|(a, b)| real(a.abs_diff(*b)).powi(2));
        (self.size == other.size).then(|| squares().sum::<f64>().sqrt())
    }
}
