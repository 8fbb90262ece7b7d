//! How often the values of each column occur, whatever the other columns hold.

use super::Hierarchy;
use super::sum::{FixedSum, weighted_logarithm};
use crate::anonymity::classes::{Grouper, Tuples};
use crate::error::{Error, Result};

/// Counts of every column on its own, at every level. They are made once for a table; with them many metrics, and bounds for all of them that
/// have any, are known at every node without grouping.
#[derive(Debug, Clone, PartialEq)]
pub struct Marginals {
    columns: Vec<Vec<Marginal>>,
    tuples: u64,
}

/// One column at one level.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Marginal {
    /// Σ rows · leaves of the domain that the row's value stands for.
    pub(super) leaves: u128,
    /// Σ over generalized values of n log₂ n.
    pub(super) weighted_logarithms: FixedSum,
    /// Σ rows · log₂(leaves that the row's value stands for).
    pub(super) logarithms_of_leaves: FixedSum,
    /// Generalized values that occur.
    pub(super) values: u64,
}

impl Marginals {
    /// Counts the rows of tuples; `grouper` is one that was made for them.
    ///
    /// # Errors
    /// The grouper was made for other tuples or hierarchies.
    pub fn new(tuples: &Tuples, hierarchies: &[Hierarchy], grouper: &Grouper<'_>) -> Result<Self> {
        Self::from_leaves(hierarchies, grouper.leaves(), tuples.rows())
    }

    /// `leaves` are those of the tuples, column by column.
    fn from_leaves(hierarchies: &[Hierarchy], leaves: &[Vec<u32>], rows: &[u64]) -> Result<Self> {
        let wrong = |problem: &str| Error::Parameter { name: "leaves", problem: problem.to_owned() };
        if leaves.len() != hierarchies.len() || leaves.iter().any(|column| column.len() != rows.len()) {
            return Err(wrong("must be one for each column and tuple"));
        }
        let columns = hierarchies
            .iter()
            .zip(leaves)
            .map(|(hierarchy, leaves)| {
                let mut counts = vec![0_u64; hierarchy.leaves()];
                for (&leaf, &rows) in leaves.iter().zip(rows) {
                    *counts.get_mut(leaf as usize).ok_or_else(|| wrong("must be leaves of the hierarchy"))? += rows;
                }
                Ok(of_column(hierarchy, &counts))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { columns, tuples: rows.len() as u64 })
    }

    pub(super) fn get(&self, column: usize, level: usize) -> Result<&Marginal> {
        let found = self.columns.get(column).and_then(|levels| levels.get(level));
        found.ok_or_else(|| Error::Parameter {
            name: "levels",
            problem: "must be one for each column, and levels of its hierarchy".to_owned(),
        })
    }

    /// There are at most so many classes at `levels`, and at all levels above: combinations of values that occur, and distinct tuples.
    pub(super) fn most_classes(&self, levels: &[usize]) -> Result<u64> {
        let mut product = 1_u64;
        for (column, &level) in levels.iter().enumerate() {
            product = product.saturating_mul(self.get(column, level)?.values);
        }
        Ok(product.min(self.tuples))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are rounded once")]
fn of_column(hierarchy: &Hierarchy, counts: &[u64]) -> Vec<Marginal> {
    let mut by_code: Vec<u64> = Vec::new();
    hierarchy
        .levels()
        .iter()
        .map(|level| {
            by_code.clear();
            by_code.resize(level.sizes().len(), 0);
            for (&code, &rows) in level.codes().iter().zip(counts) {
                by_code[code as usize] += rows;
            }
            let mut marginal = Marginal::default();
            for (&rows, &size) in by_code.iter().zip(level.sizes()).filter(|&(&rows, _)| rows > 0) {
                marginal.leaves += u128::from(rows) * u128::from(size);
                marginal.weighted_logarithms.add(weighted_logarithm(rows));
                marginal.logarithms_of_leaves.add(rows as f64 * (size as f64).log2());
                marginal.values += 1;
            }
            marginal
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::HierarchySpec;
    use arrow::array::Int32Array;

    #[test]
    fn every_level_is_counted() {
        let spec = HierarchySpec::Intervals { widths: vec![10.0], origin: 0.0 };
        let hierarchy = [Hierarchy::build("age", &spec, &Int32Array::from(vec![1, 2, 13]), true).unwrap()];
        // Rows: 1 three times, 13 once, missing twice; nobody is 2.
        let marginals = Marginals::from_leaves(&hierarchy, &[vec![0, 2, 3]], &[3, 1, 2]).unwrap();
        let at = |level| *marginals.get(0, level).unwrap();
        assert_eq!((at(0).leaves, at(0).values), (6, 3));
        assert_eq!((at(1).leaves, at(1).values), (3 * 2 + 1 + 2, 3));
        assert_eq!((at(2).leaves, at(2).values), (6 * 4, 1));
        assert!((at(1).logarithms_of_leaves.value() - 3.0).abs() < 1e-12);
        assert!((at(2).weighted_logarithms.value() - 6.0 * 6_f64.log2()).abs() < 1e-12);
        assert_eq!([0, 1, 2].map(|level| marginals.most_classes(&[level]).unwrap()), [3, 3, 1]);
        assert!(marginals.get(0, 3).is_err() && marginals.get(1, 0).is_err());
        assert!(Marginals::from_leaves(&hierarchy, &[vec![4]], &[1]).is_err());
        assert!(Marginals::from_leaves(&hierarchy, &[vec![0]], &[1, 1]).is_err());
        assert!(Marginals::from_leaves(&hierarchy, &[], &[]).is_err());
    }
}
