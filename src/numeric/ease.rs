//! The closed form of EASE.

use super::linear::{SquareMatrix, inverse_positive_definite};
use crate::error::{Error, Result};

/// Item-to-item weights B of EASE (embarrassingly shallow autoencoder) from a Gram matrix `G = XᵀX`: the B with zero diagonal that minimizes
/// ‖X − XB‖² + λ‖B‖².
///
/// With P = (G + λI)⁻¹ it is B = I − P·diag(1 / diag P). Row i holds what a known item i adds to the score of every item: the scores of a person with the row x are xB.
/// Only the entries of `gram` with row ≤ column are read; its unit is that of `lambda`. Time is the cube of the number of items, memory twice the matrix; the result does not
/// depend on `threads`.
///
/// # Errors
/// `lambda` is negative or not finite, or G + λI is not positive definite: then a larger λ is needed. A Gram matrix of rows is positive definite with any λ > 0; one with
/// noise need not be.
///
/// ```
/// use backmask::numeric::{SquareMatrix, ease_weights};
///
/// // Two items that everybody of 3 people has together.
/// let mut gram = SquareMatrix::zeros(2)?;
/// gram.row_mut(0).copy_from_slice(&[3.0, 3.0]);
/// gram.row_mut(1).copy_from_slice(&[3.0, 3.0]);
/// let weights = ease_weights(gram, 1.0, 1)?;
/// assert!((weights.get(0, 1) - 0.75).abs() < 1e-12); // 3 / (3 + λ)
/// assert_eq!(weights.get(0, 0), 0.0);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # References
/// Steck, *Embarrassingly shallow autoencoders for sparse data*, WWW 2019, equation 8.
pub fn ease_weights(mut gram: SquareMatrix, lambda: f64, threads: usize) -> Result<SquareMatrix> {
    if !(lambda >= 0.0 && lambda.is_finite()) {
        return Err(Error::Parameter { name: "lambda", problem: "must be a number ≥ 0".to_owned() });
    }
    let size = gram.size();
    for item in 0..size {
        gram.row_mut(item)[item] += lambda;
    }
    let mut weights = inverse_positive_definite(gram, threads)?;
    let diagonal: Vec<f64> = (0..size).map(|item| weights.get(item, item)).collect();
    for row in 0..size {
        let values = weights.row_mut(row);
        for (value, diagonal) in values.iter_mut().zip(&diagonal) {
            *value /= -diagonal;
        }
        values[row] = 0.0;
    }
    Ok(weights)
}

#[cfg(test)]
#[expect(clippy::needless_range_loop, reason = "matrices are written as in the formulas")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gram(rows: &[Vec<f64>], items: usize) -> SquareMatrix {
        let mut gram = SquareMatrix::zeros(items).unwrap();
        for row in rows {
            for a in 0..items {
                for b in 0..items {
                    gram.row_mut(a)[b] += row[a] * row[b];
                }
            }
        }
        gram
    }

    /// Solves by Gauss with pivoting.
    fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
        let size = right.len();
        for column in 0..size {
            let pivot = (column..size).max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs())).unwrap();
            matrix.swap(column, pivot);
            right.swap(column, pivot);
            let pivot = matrix[column].clone();
            for row in column + 1..size {
                let factor = matrix[row][column] / pivot[column];
                matrix[row].iter_mut().zip(&pivot).for_each(|(value, pivot)| *value -= factor * pivot);
                right[row] -= factor * right[column];
            }
        }
        for row in (0..size).rev() {
            let sum: f64 = (row + 1..size).map(|k| matrix[row][k] * right[k]).sum();
            right[row] = (right[row] - sum) / matrix[row][row];
        }
        right
    }

    /// Column j of B is the ridge regression of item j on all others: the zero of the diagonal is enforced by leaving item j out.
    fn brute_force(gram: &SquareMatrix, lambda: f64) -> Vec<Vec<f64>> {
        let size = gram.size();
        let mut weights = vec![vec![0.0; size]; size];
        for target in 0..size {
            let others: Vec<usize> = (0..size).filter(|&item| item != target).collect();
            let matrix =
                others.iter().map(|&a| others.iter().map(|&b| gram.get(a, b) + if a == b { lambda } else { 0.0 }).collect()).collect();
            let right = others.iter().map(|&a| gram.get(a, target)).collect();
            for (&item, weight) in others.iter().zip(solve(matrix, right)) {
                weights[item][target] = weight;
            }
        }
        weights
    }

    fn differs(weights: &SquareMatrix, expected: &[Vec<f64>]) -> bool {
        (0..weights.size()).any(|a| (0..weights.size()).any(|b| (weights.get(a, b) - expected[a][b]).abs() > 1e-8))
    }

    proptest! {
        #[test]
        fn equals_the_regression_of_each_item_on_the_others(
            rows in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(0.0), Just(1.0), 0.1_f64..5.0], 6), 0..15),
            lambda in 0.05_f64..50.0,
        ) {
            let gram = gram(&rows, 6);
            prop_assert!(!differs(&ease_weights(gram.clone(), lambda, 1).unwrap(), &brute_force(&gram, lambda)));
        }
    }

    /// Ridge regression without the constraint copies each item to itself; the comparison above must notice.
    #[test]
    fn a_diagonal_that_is_not_zero_is_caught() {
        let rows = [vec![1.0, 1.0, 0.0], vec![1.0, 0.0, 1.0], vec![0.0, 1.0, 1.0], vec![1.0, 1.0, 1.0]];
        let gram = gram(&rows, 3);
        let expected = brute_force(&gram, 1.0);
        assert!(!differs(&ease_weights(gram.clone(), 1.0, 1).unwrap(), &expected));
        let mut shifted = gram.clone();
        (0..3).for_each(|item| shifted.row_mut(item)[item] += 1.0);
        let mut broken = inverse_positive_definite(shifted, 1).unwrap();
        for row in 0..3 {
            for column in 0..3 {
                let identity = if row == column { 1.0 } else { 0.0 };
                broken.row_mut(row)[column] = identity - broken.get(row, column);
            }
        }
        assert!(differs(&broken, &expected));
    }

    #[test]
    fn no_items_and_one_item_have_no_weights() {
        assert_eq!(ease_weights(SquareMatrix::zeros(0).unwrap(), 1.0, 1).unwrap().size(), 0);
        let mut one = SquareMatrix::zeros(1).unwrap();
        one.row_mut(0)[0] = 4.0;
        assert_eq!(ease_weights(one, 1.0, 1).unwrap().row(0), [0.0]);
    }

    #[test]
    fn a_lambda_that_cannot_be_is_an_error() {
        for lambda in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(ease_weights(SquareMatrix::zeros(1).unwrap(), lambda, 1).is_err());
        }
        assert!(ease_weights(SquareMatrix::zeros(1).unwrap(), 0.0, 1).is_err(), "nothing to invert");
    }
}
