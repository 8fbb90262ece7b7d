//! How much one person can change what a mechanism sees, exactly.

use super::number::at_least_one;
use crate::dp::rational::Rational;
use crate::error::{Error, Result};

/// The most that adding or removing one person changes a list of whole numbers, as the sum of the absolute changes (L1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct L1Sensitivity(u64);

/// The most that adding or removing one person changes a list of whole numbers, as the sum of the squared changes (the square of L2). The square is a whole number where
/// the norm itself is none: 100 counts that change by 1 each have the square 100, 50 of them the square 50.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct L2Sensitivity {
    squared: u64,
}

fn overflow() -> Error {
    Error::Parameter { name: "sensitivity", problem: "must be less than 2^64, and so must its square".to_owned() }
}

impl L1Sensitivity {
    /// The sum of absolute changes is at most this.
    ///
    /// # Errors
    /// 0: what nobody changes needs no noise.
    pub fn new(sum: u64) -> Result<Self> {
        at_least_one("sensitivity", sum)?;
        Ok(Self(sum))
    }

    /// One person counts in at most `max_items` cells (L0), in each with at most `max_per_item` (L∞).
    ///
    /// ```
    /// use backmask::dp::mechanism::{L1Sensitivity, L2Sensitivity};
    ///
    /// assert_eq!(L1Sensitivity::of_cells(100, 5)?.get(), 500);
    /// assert_eq!(L2Sensitivity::of_cells(100, 5)?.squared(), 2500);
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// One of them is 0, or the product does not fit.
    pub fn of_cells(max_items: u64, max_per_item: u64) -> Result<Self> {
        at_least_one("max_items", max_items)?;
        at_least_one("max_per_item", max_per_item)?;
        max_items.checked_mul(max_per_item).map(Self).ok_or_else(overflow)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl L2Sensitivity {
    /// The sum of squared changes is at most this.
    ///
    /// # Errors
    /// 0.
    pub fn from_square(squared: u64) -> Result<Self> {
        at_least_one("sensitivity", squared)?;
        Ok(Self { squared })
    }

    /// One person counts in at most `max_items` cells (L0), in each with at most `max_per_item` (L∞).
    ///
    /// # Errors
    /// One of them is 0, or L0 · L∞² does not fit.
    pub fn of_cells(max_items: u64, max_per_item: u64) -> Result<Self> {
        at_least_one("max_items", max_items)?;
        at_least_one("max_per_item", max_per_item)?;
        max_per_item
            .checked_mul(max_per_item)
            .and_then(|square| square.checked_mul(max_items))
            .map(|squared| Self { squared })
            .ok_or_else(overflow)
    }

    /// The square.
    #[must_use]
    pub fn squared(self) -> u64 {
        self.squared
    }

    pub(super) fn square(self) -> Rational {
        Rational::from(self.squared)
    }
}

/// Sums of absolute and of squared differences between what a statistic gives for two pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Change {
    /// Cells that differ: L0.
    pub cells: u64,
    /// Largest absolute difference: L∞.
    pub largest: u128,
    /// Sum of absolute differences: L1.
    pub sum: u128,
    /// Sum of squared differences: the square of L2.
    pub squares: u128,
}

/// How much two outputs of a statistic without noise differ, exactly.
///
/// ```
/// use backmask::dp::mechanism::change_between;
///
/// let change = change_between(&[3, 0, 7], &[2, 0, 9])?;
/// assert_eq!((change.cells, change.largest, change.sum, change.squares), (2, 2, 3, 5));
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// The lists have different lengths (then the shape itself tells the pools apart), or the sums do not fit into 128 bits.
pub fn change_between(first: &[i64], second: &[i64]) -> Result<Change> {
    if first.len() != second.len() {
        return Err(Error::Parameter { name: "statistic", problem: "must have the same length for every pool".to_owned() });
    }
    let mut change = Change::default();
    for (a, b) in first.iter().zip(second) {
        let difference = u128::from(a.abs_diff(*b));
        change.cells += u64::from(difference > 0);
        change.largest = change.largest.max(difference);
        let squares = difference.checked_mul(difference).and_then(|square| change.squares.checked_add(square));
        (change.sum, change.squares) = change.sum.checked_add(difference).zip(squares).ok_or_else(overflow)?;
    }
    Ok(change)
}

/// The largest change of a statistic, in each norm, over all neighbours of a pool that lack one person: a lower bound on its sensitivity, for tests.
///
/// `statistic` gets the pool (a list of people's data) and gives what would get noise. A test asserts that the result is at most the declared sensitivity for every pool that it
/// can think of, and reaches it for one that is made for it: what is never reached wastes noise, what is exceeded breaks the guarantee.
///
/// ```
/// use backmask::dp::mechanism::largest_change;
///
/// // Each person counts once, in the cell of their age.
/// let ages = |people: &[usize]| {
///     let mut cells = vec![0; 3];
///     people.iter().for_each(|age| cells[*age] += 1);
///     cells
/// };
/// assert_eq!(largest_change(&[0, 2, 2], ages)?.squares, 1);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// As [`change_between`].
pub fn largest_change<Person: Clone>(pool: &[Person], mut statistic: impl FnMut(&[Person]) -> Vec<i64>) -> Result<Change> {
    let whole = statistic(pool);
    let mut most = Change::default();
    for absent in 0..pool.len() {
        let rest: Vec<Person> = pool.iter().enumerate().filter(|(at, _)| *at != absent).map(|(_, person)| person.clone()).collect();
        let change = change_between(&whole, &statistic(&rest))?;
        most.cells = most.cells.max(change.cells);
        most.largest = most.largest.max(change.largest);
        most.sum = most.sum.max(change.sum);
        most.squares = most.squares.max(change.squares);
    }
    Ok(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_checked_and_exact() {
        assert!(L1Sensitivity::new(0).is_err() && L2Sensitivity::from_square(0).is_err());
        assert!(L1Sensitivity::of_cells(u64::MAX, 2).is_err() && L2Sensitivity::of_cells(1, u64::MAX).is_err());
        assert!(L1Sensitivity::of_cells(0, 2).is_err() && L2Sensitivity::of_cells(2, 0).is_err());
        assert_eq!(L2Sensitivity::of_cells(100, 7).unwrap().squared(), 4900);
    }

    #[test]
    fn extreme_differences_do_not_wrap() {
        let change = change_between(&[i64::MIN], &[i64::MAX]).unwrap();
        assert_eq!(change.largest, u128::from(u64::MAX));
        assert!(change_between(&[i64::MIN; 2], &[i64::MAX; 2]).is_err(), "the squares do not fit");
        assert!(change_between(&[1], &[1, 2]).is_err());
    }

    /// The helper finds a bound that is kept per batch instead of per person.
    #[test]
    fn a_bound_per_batch_is_found_out() {
        // A person is a list of batches of items; at most 2 items of a person may count.
        let pool = vec![vec![vec![0, 1], vec![2]], vec![vec![3]]];
        let count = |per_person: bool| {
            move |people: &[Vec<Vec<usize>>]| {
                let mut cells = vec![0; 4];
                for batches in people {
                    let kept: Vec<usize> = if per_person {
                        batches.iter().flatten().copied().take(2).collect()
                    } else {
                        batches.iter().flat_map(|batch| batch.iter().copied().take(2)).collect()
                    };
                    for item in kept {
                        cells[item] += 1;
                    }
                }
                cells
            }
        };
        assert_eq!(largest_change(&pool, count(true)).unwrap().cells, 2);
        assert_eq!(largest_change(&pool, count(false)).unwrap().cells, 3);
    }
}
