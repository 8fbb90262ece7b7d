//! What metrics see.

use super::{Classes, Hierarchy, Level, Marginals};
use crate::anonymity::classes::{Grouper, Tuples};
use crate::error::{Error, Result};

/// A table at given levels, as metrics see it.
#[derive(Debug, Clone, Copy)]
pub struct GeneralizedTable<'a> {
    /// One a column.
    pub hierarchies: &'a [Hierarchy],
    /// One a column.
    pub levels: &'a [usize],
    /// The classes at these levels.
    pub classes: &'a Classes,
    /// Whether each class is suppressed.
    pub outliers: &'a [bool],
    /// All rows, the suppressed ones too.
    pub rows: u64,
    /// Counts of every column on its own.
    pub marginals: &'a Marginals,
    /// Rows of every distinct tuple.
    pub tuple_rows: &'a [u64],
    leaves: &'a [Vec<u32>],
}

/// Levels before anything is grouped, as bounds see them.
#[derive(Debug, Clone, Copy)]
pub struct LevelTable<'a> {
    /// One a column.
    pub hierarchies: &'a [Hierarchy],
    /// One a column.
    pub levels: &'a [usize],
    /// All rows.
    pub rows: u64,
    /// Counts of every column on its own.
    pub marginals: &'a Marginals,
}

/// One class, for the sums of metrics.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picked {
    pub(super) tuple: u32,
    pub(super) rows: u64,
}

impl<'a> GeneralizedTable<'a> {
    /// What `grouper` counted at `levels`, with `outliers` saying of each class whether it is suppressed.
    ///
    /// # Errors
    /// The parts do not fit each other.
    pub fn new(
        tuples: &'a Tuples,
        hierarchies: &'a [Hierarchy],
        grouper: &'a Grouper<'_>,
        marginals: &'a Marginals,
        levels: &'a [usize],
        classes: &'a Classes,
        outliers: &'a [bool],
    ) -> Result<Self> {
        let (leaves, columns) = (grouper.leaves(), hierarchies.len());
        let fits = levels.len() == columns
            && leaves.len() == columns
            && leaves.iter().all(|column| column.len() == tuples.len())
            && classes.levels() == levels
            && classes.tuples() == tuples.len()
            && outliers.len() == classes.len();
        if !fits {
            return Err(Error::Parameter { name: "table", problem: "has parts that do not fit each other".to_owned() });
        }
        Ok(Self { hierarchies, levels, classes, outliers, rows: tuples.total_rows(), marginals, tuple_rows: tuples.rows(), leaves })
    }

    /// The level of one column.
    ///
    /// # Errors
    /// There is no such column or level.
    pub fn level(&self, column: usize) -> Result<&'a Level> {
        match (self.hierarchies.get(column), self.levels.get(column)) {
            (Some(hierarchy), Some(&level)) => hierarchy.level(level),
            _ => Err(Error::Parameter { name: "column", problem: "must be one of the table".to_owned() }),
        }
    }

    /// The leaf of one column in one tuple of every class. All leaves of a class have the same generalized code.
    pub fn leaves(&self, column: usize) -> impl Iterator<Item = u32> {
        self.classes.first_tuples().iter().filter_map(move |&tuple| self.leaves.get(column)?.get(tuple as usize).copied())
    }

    /// Rows that are suppressed.
    #[must_use]
    pub fn suppressed_rows(&self) -> u64 {
        self.pick(true).iter().map(|class| class.rows).sum()
    }

    /// The outlier classes, or the others.
    pub(super) fn pick(&self, outliers: bool) -> Vec<Picked> {
        let classes = self.classes.first_tuples().iter().zip(self.classes.statistics()).zip(self.outliers);
        classes.filter(|&(_, &outlier)| outlier == outliers).map(|((&tuple, class), _)| Picked { tuple, rows: class.rows }).collect()
    }

    pub(super) fn outliers_are_fewer(&self) -> bool {
        2 * self.outliers.iter().filter(|&&outlier| outlier).count() <= self.outliers.len()
    }

    /// The generalized code of one tuple in one column.
    pub(super) fn code(&self, level: &Level, column: usize, tuple: u32) -> Option<u32> {
        let leaf = *self.leaves.get(column)?.get(tuple as usize)?;
        level.codes().get(leaf as usize).copied()
    }

    /// How many leaves of the domain the value of one tuple stands for in one column.
    pub(super) fn size(&self, level: &Level, column: usize, tuple: u32) -> u64 {
        self.code(level, column, tuple).and_then(|code| level.sizes().get(code as usize)).copied().unwrap_or(0)
    }
}
