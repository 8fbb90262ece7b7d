//! How a sensitive column is distributed in the whole table.

use crate::anonymity::classes::ValueCount;
use crate::error::{Error, Result};

/// People of the whole table by their sensitive value, counted when the table was fitted.
///
/// ```
/// use backmask::anonymity::models::Reference;
///
/// // Three people with the value 0, one with the value 1.
/// let reference = Reference::new(vec![3, 1], 4)?;
/// assert_eq!((reference.people(0), reference.people(1), reference.people(9)), (3, 1, 0));
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    people: Vec<u64>,
    /// Distinct people.
    total: u64,
    /// (person, value) pairs.
    pairs: u128,
}

impl Reference {
    /// `people[code]` distinct people have the value; `total` distinct people are in the table. Someone with several values counts for each of them.
    ///
    /// # Errors
    /// More people have a value than are in the table, or someone has none.
    pub fn new(people: Vec<u64>, total: u64) -> Result<Self> {
        let pairs = people.iter().map(|&count| u128::from(count)).sum();
        if people.iter().any(|&count| count > total) || pairs < u128::from(total) {
            let problem = "must count everyone at least once, and nobody twice for one value".to_owned();
            return Err(Error::Parameter { name: "reference", problem });
        }
        Ok(Self { people, total, pairs })
    }

    /// People with the value of this code; 0 for a code that was not seen.
    #[must_use]
    pub fn people(&self, value: u32) -> u64 {
        self.people.get(value as usize).copied().unwrap_or(0)
    }

    /// Distinct people in the table.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// People by the code of their value.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.people
    }

    /// (person, value) pairs.
    pub(super) fn pairs(&self) -> u128 {
        self.pairs
    }

    /// Whether everyone has one value in the table and in the class, and the class has no value that the table has not.
    pub(super) fn is_distribution_with(&self, values: &[ValueCount], subjects: u64) -> bool {
        self.pairs == u128::from(self.total)
            && pairs(values) == u128::from(subjects)
            && values.iter().all(|count| (count.value as usize) < self.people.len())
    }
}

/// (person, value) pairs of a class.
pub(super) fn pairs(values: &[ValueCount]) -> u128 {
    values.iter().map(|count| u128::from(count.people)).sum()
}
