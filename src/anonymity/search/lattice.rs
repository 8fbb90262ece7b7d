//! Vectors of levels within limits.

use crate::anonymity::hierarchy::Hierarchy;
use crate::error::{Error, Result};
use crate::policy::LevelLimits;

/// All vectors of levels between a lowest and a highest one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lattice {
    lowest: Vec<usize>,
    highest: Vec<usize>,
}

impl Lattice {
    /// Every level of every hierarchy.
    #[must_use]
    pub fn new(hierarchies: &[Hierarchy]) -> Self {
        Self { lowest: vec![0; hierarchies.len()], highest: hierarchies.iter().map(Hierarchy::height).collect() }
    }

    /// Restricts one column.
    ///
    /// # Errors
    /// The hierarchy has no such level, the lowest is above the highest, or there is no such column.
    pub fn limit(&mut self, hierarchies: &[Hierarchy], column: usize, limits: LevelLimits) -> Result<()> {
        let (Some(hierarchy), Some(lowest), Some(highest)) =
            (hierarchies.get(column), self.lowest.get_mut(column), self.highest.get_mut(column))
        else {
            return Err(Error::Parameter { name: "column", problem: "must be one of the table".to_owned() });
        };
        let height = hierarchy.height();
        let (low, high) = (limits.min.unwrap_or(0), limits.max.unwrap_or(height));
        if low > high || high > height {
            return Err(Error::policy(
                format!("columns.{}.levels", hierarchy.column()),
                format!("levels {low} to {high} are not within the hierarchy"),
                format!("this column has levels 0 to {height}"),
            ));
        }
        (*lowest, *highest) = (low, high);
        Ok(())
    }

    /// Number of nodes; `u64::MAX` if it is larger than that.
    #[must_use]
    pub fn nodes(&self) -> u64 {
        self.lowest.iter().zip(&self.highest).fold(1_u64, |nodes, (low, high)| nodes.saturating_mul((high - low) as u64 + 1))
    }

    /// The lowest node.
    #[must_use]
    pub fn lowest(&self) -> &[usize] {
        &self.lowest
    }

    /// The highest node.
    #[must_use]
    pub fn highest(&self) -> &[usize] {
        &self.highest
    }

    /// The number of a node in lexicographic order. `None` if there are more nodes than a `usize` counts, or it lies outside.
    #[must_use]
    pub fn index(&self, levels: &[usize]) -> Option<usize> {
        let columns = levels.iter().zip(&self.lowest).zip(&self.highest);
        columns.map(|((level, low), high)| (level.checked_sub(*low), high - low)).try_fold(0_usize, |index, (step, size)| {
            let step = step.filter(|&step| step <= size)?;
            index.checked_mul(size + 1)?.checked_add(step)
        })
    }

    /// The levels of the node with this number.
    #[must_use]
    pub fn node(&self, mut index: usize) -> Vec<usize> {
        let mut levels = self.lowest.clone();
        for ((level, low), high) in levels.iter_mut().zip(&self.lowest).zip(&self.highest).rev() {
            *level += index % (high - low + 1);
            index /= high - low + 1;
        }
        levels
    }

    /// By column: how far apart the numbers of nodes are that differ by one level.
    pub(super) fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1_usize; self.lowest.len()];
        for column in (1..strides.len()).rev() {
            strides[column - 1] = strides[column].saturating_mul(self.highest[column] - self.lowest[column] + 1);
        }
        strides
    }

    /// Moves on to the next node in lexicographic order; `false` after the last one.
    pub fn advance(&self, levels: &mut [usize]) -> bool {
        for ((level, &low), &high) in levels.iter_mut().zip(&self.lowest).zip(&self.highest).rev() {
            if *level < high {
                *level += 1;
                return true;
            }
            *level = low;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringArray;

    #[test]
    fn every_node_once_in_order() {
        let column = |name| Hierarchy::flat(name, &StringArray::from(vec!["a", "b"]), false).unwrap();
        let hierarchies = [column("x"), column("y"), column("z")];
        let mut lattice = Lattice::new(&hierarchies);
        lattice.limit(&hierarchies, 1, LevelLimits { min: Some(1), max: None }).unwrap();
        assert_eq!(lattice.nodes(), 4);
        let mut levels = lattice.lowest().to_vec();
        let mut all = vec![levels.clone()];
        while lattice.advance(&mut levels) {
            all.push(levels.clone());
        }
        assert_eq!(all, [[0, 1, 0], [0, 1, 1], [1, 1, 0], [1, 1, 1]]);
        for (index, levels) in all.iter().enumerate() {
            assert_eq!((lattice.index(levels), lattice.node(index)), (Some(index), levels.clone()));
        }
        assert_eq!((lattice.index(&[0, 0, 0]), lattice.index(&[0, 1, 2]), lattice.strides()), (None, None, vec![2, 2, 1]));
        for (min, max) in [(Some(2), None), (Some(1), Some(0)), (None, Some(2))] {
            assert!(lattice.limit(&hierarchies, 0, LevelLimits { min, max }).is_err());
        }
        assert!(lattice.limit(&hierarchies, 3, LevelLimits::default()).is_err());
        assert_eq!(Lattice::new(&[]).nodes(), 1);
    }
}
