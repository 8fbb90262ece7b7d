//! What models see of a class.

use super::ClassStatistics;

/// People of a class who have one value of a sensitive column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueCount {
    /// Code of the value; a missing value has a code of its own.
    pub value: u32,
    /// Distinct people who have it in the class.
    pub people: u64,
}

/// One class with everything that a model may ask about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassView<'a> {
    /// Rows and people.
    pub statistics: ClassStatistics,
    /// One a sensitive column of the [tuples](super::Tuples), in their order: the values that occur, ascending by code.
    pub sensitive: &'a [&'a [ValueCount]],
    /// People of the population with the generalized values of the class; `None` if no population was given.
    pub population: Option<u64>,
}

impl From<ClassStatistics> for ClassView<'_> {
    fn from(statistics: ClassStatistics) -> Self {
        Self { statistics, ..Self::default() }
    }
}
