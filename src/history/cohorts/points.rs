//! Where people stand in the space of tastes.

use super::options::CohortOptions;
use super::people::People;
use crate::error::Result;
use crate::keys::{Domain, Key};
use crate::numeric::real;
use crate::numeric::svd::{SvdOptions, WeightedPattern, randomized_svd};

/// Numbers that are added up side by side.
const LANES: usize = 8;

/// People who teach the space at most. More would not change it, and it keeps memory and time bounded.
const TEACHERS: usize = 100_000;

/// Weight of an item: its number of people to minus this power.
const DAMPING: f64 = 0.75;

/// People at least who have an item that counts.
const LEAST_SUPPORT: u32 = 5;

/// The number of an item that does not count.
const UNCOUNTED: u32 = u32::MAX;

/// A point for every person.
#[derive(Debug)]
pub(super) struct Points {
    /// Numbers of a point, a multiple of `LANES`.
    width: usize,
    numbers: Vec<f32>,
}

impl Points {
    /// From rows of `width` numbers, which are filled up with zeros.
    #[cfg(test)]
    pub(super) fn new(rows: &[f32], width: usize) -> Self {
        let padded = width.max(1).next_multiple_of(LANES);
        let mut numbers = vec![0.0; rows.len() / width.max(1) * padded];
        for (point, row) in numbers.chunks_exact_mut(padded).zip(rows.chunks_exact(width.max(1))) {
            point[..row.len()].copy_from_slice(row);
        }
        Self { width: padded, numbers }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Number of points.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.numbers.len() / self.width).unwrap_or(u32::MAX)
    }

    pub(super) fn of(&self, person: u32) -> &[f32] {
        &self.numbers[person as usize * self.width..(person as usize + 1) * self.width]
    }

    /// The points of some people, in their order.
    pub(super) fn select(&self, people: &[u32]) -> Self {
        let mut numbers = Vec::with_capacity(people.len() * self.width);
        for &person in people {
            numbers.extend_from_slice(self.of(person));
        }
        Self { width: self.width, numbers }
    }
}

/// Squared distance of two points of equal width, a multiple of [`LANES`].
pub(super) fn distance(one: &[f32], two: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for (one, two) in one.chunks_exact(LANES).zip(two.chunks_exact(LANES)) {
        for lane in 0..LANES {
            let difference = one[lane] - two[lane];
            sums[lane] += difference * difference;
        }
    }
    sums.iter().sum()
}

/// Places people by what they have: a truncated singular value decomposition of the person × item matrix with rare items raised, X·diag(support^−¾) ≈ U·S·Vᵀ, where a person stands at
/// the row of X·diag(support^−¾)·V.
///
/// Items of fewer than five people (or `min_members`) do not count: they can hardly be shown, and would be directions of their own. The space is taught by at most [`TEACHERS`] people, chosen by keyed hashes of their ids.
pub(super) fn points(people: &People, options: &CohortOptions, key: &Key) -> Result<Points> {
    let mut support = vec![0_u32; people.item_count()];
    for person in 0..people.count() {
        for &item in people.items_of(person) {
            support[item as usize] += 1;
        }
    }
    // In a pool where no item has so many people, those count that can be shown at all.
    let enough = |least: u32| support.iter().any(|&support| support >= least);
    let least = u32::try_from(options.min_members).unwrap_or(u32::MAX);
    let least = if enough(least.max(LEAST_SUPPORT)) { least.max(LEAST_SUPPORT) } else { least };
    // Items that count are numbered anew, so that the others cost nothing.
    let mut weights = Vec::new();
    let numbers: Vec<u32> = support
        .iter()
        .map(|&support| {
            if support < least {
                return UNCOUNTED;
            }
            weights.push(real(u64::from(support)).powf(-DAMPING));
            u32::try_from(weights.len() - 1).unwrap_or(UNCOUNTED)
        })
        .collect();
    let counted = |person: u32| people.items_of(person).iter().map(|&item| numbers[item as usize]).filter(|&number| number != UNCOUNTED);
    let key = key.derive(&Domain::of("cohort space"));
    let (mut starts, mut columns) = (vec![0], Vec::new());
    for person in teachers(people, TEACHERS, &key) {
        columns.extend(counted(person));
        starts.push(columns.len());
    }
    let matrix = WeightedPattern::new(&starts, &columns, &weights, options.threads)?;
    let svd = randomized_svd(&matrix, options.dimensions as usize, &SvdOptions::new(*key.expose()))?;
    let width = svd.values.len();
    // The weights are folded into the vectors: a person stands at the sum of the items' rows.
    let mut places = svd.right;
    for (row, weight) in places.chunks_exact_mut(width.max(1)).zip(&weights) {
        for number in row {
            *number *= weight;
        }
    }
    let padded = width.max(1).next_multiple_of(LANES);
    let mut numbers = vec![0.0; people.len() * padded];
    let stretch = people.len().div_ceil(options.threads).max(1);
    std::thread::scope(|scope| {
        for (part, first) in numbers.chunks_mut(stretch * padded).zip((0..people.count()).step_by(stretch)) {
            let (places, counted) = (&places, &counted);
            scope.spawn(move || {
                let mut sums = vec![0.0; width];
                for (point, person) in part.chunks_exact_mut(padded).zip(first..) {
                    sums.fill(0.0);
                    for item in counted(person) {
                        let row = &places[item as usize * width..(item as usize + 1) * width];
                        sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
                    }
                    for (number, &sum) in point.iter_mut().zip(&sums) {
                        #[expect(clippy::cast_possible_truncation, reason = "a place needs no more than 24 bits")]
                        let rounded = sum as f32;
                        *number = rounded;
                    }
                }
            });
        }
    });
    Ok(Points { width: padded, numbers })
}

/// At most `count` people, in their order.
fn teachers(people: &People, count: usize, key: &Key) -> Vec<u32> {
    if people.len() <= count {
        return (0..people.count()).collect();
    }
    let rank = |person| {
        let mut word = [0; 8];
        word.copy_from_slice(&blake3::keyed_hash(key.expose(), &people.id(person).to_le_bytes()).as_bytes()[..8]);
        (u64::from_le_bytes(word), person)
    };
    let mut ranked: Vec<(u64, u32)> = (0..people.count()).map(rank).collect();
    ranked.select_nth_unstable(count);
    let mut chosen: Vec<u32> = ranked[..count].iter().map(|entry| entry.1).collect();
    chosen.sort_unstable();
    chosen
}
