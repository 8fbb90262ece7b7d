//! Sizes of the classes of a sample.

use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// How many classes of a sample have how many people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SampleClasses {
    sizes: BTreeMap<u64, u64>,
    people: u64,
    classes: u64,
}

impl SampleClasses {
    /// From pairs (people, classes with so many). Empty classes are left out.
    ///
    /// # Errors
    /// More than 2^64 − 1 people.
    pub fn new(sizes: impl IntoIterator<Item = (u64, u64)>) -> Result<Self> {
        let mut all = Self::default();
        let too_many = || Error::Parameter { name: "classes", problem: "hold more than 2^64 - 1 people".to_owned() };
        for (size, classes) in sizes.into_iter().filter(|&(size, classes)| size > 0 && classes > 0) {
            let people = size.checked_mul(classes).ok_or_else(too_many)?;
            all.people = all.people.checked_add(people).ok_or_else(too_many)?;
            // No more classes than people.
            all.classes += classes;
            *all.sizes.entry(size).or_insert(0) += classes;
        }
        Ok(all)
    }

    /// People.
    #[must_use]
    pub fn people(&self) -> u64 {
        self.people
    }

    /// Classes.
    #[must_use]
    pub fn classes(&self) -> u64 {
        self.classes
    }

    /// Classes with so many people.
    #[must_use]
    pub fn of_size(&self, people: u64) -> u64 {
        self.sizes.get(&people).copied().unwrap_or(0)
    }

    /// People who are alone in their class.
    #[must_use]
    pub fn uniques(&self) -> u64 {
        self.of_size(1)
    }

    /// (people, classes), ascending.
    pub fn sizes(&self) -> impl Iterator<Item = (u64, u64)> {
        self.sizes.iter().map(|(&size, &classes)| (size, classes))
    }
}
