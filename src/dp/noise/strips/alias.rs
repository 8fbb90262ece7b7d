//! Walker's alias method over integer weights: exact, because nothing is rounded.
//!
//! # References
//! Walker: *An Efficient Method for Generating Discrete Random Variables with General Distributions* (ACM TOMS 3, 1977). Vose: *A Linear Algorithm for Generating Random
//! Numbers with a Given Distribution* (IEEE TSE 17, 1991).

/// Values below `cut` are the cell's own outcome, the others its alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) cut: u32,
    pub(super) alias: u32,
}

/// One cell for each weight, each holding `capacity` values; the sum of the weights must be the number of cells times the capacity.
pub(super) fn table(weights: &[u64], capacity: u64) -> Box<[Cell]> {
    let full = u32::try_from(capacity).unwrap_or(u32::MAX);
    let mut cells: Vec<Cell> = (0..weights.len()).map(|own| Cell { cut: full, alias: u32::try_from(own).unwrap_or(0) }).collect();
    let mut left = weights.to_vec();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..weights.len()).partition(|&outcome| left[outcome] < capacity);
    while let (Some(poor), Some(rich)) = (small.pop(), large.pop()) {
        cells[poor] = Cell { cut: u32::try_from(left[poor]).unwrap_or(full), alias: u32::try_from(rich).unwrap_or(0) };
        left[rich] -= capacity - left[poor];
        if left[rich] < capacity { small.push(rich) } else { large.push(rich) }
    }
    cells.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_outcome_has_its_weight(raw in proptest::collection::vec(0..100_u64, 8)) {
            // The last weight fills up to the next multiple of the number of cells.
            let sum: u64 = raw.iter().sum();
            let mut weights = raw;
            weights[3] += (sum / 8 + 1) * 8 - sum;
            let capacity = weights.iter().sum::<u64>() / 8;
            let mut seen = vec![0_u64; 8];
            for (own, cell) in table(&weights, capacity).iter().enumerate() {
                prop_assert!(u64::from(cell.cut) <= capacity);
                seen[own] += u64::from(cell.cut);
                seen[cell.alias as usize] += capacity - u64::from(cell.cut);
            }
            prop_assert_eq!(seen, weights);
        }
    }
}
