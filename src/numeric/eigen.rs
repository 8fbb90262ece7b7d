//! Eigenvalues and eigenvectors of symmetric matrices.

use super::linear::SquareMatrix;
use crate::error::{Error, Result};
use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Par, Spec};

/// The spectral decomposition A = V·diag(λ)·Vᵀ of a symmetric matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct SymmetricEigen {
    values: Vec<f64>,
    /// Row k is the k-th eigenvector.
    vectors: SquareMatrix,
}

impl SymmetricEigen {
    /// The eigenvalues, the largest first, each as often as its multiplicity.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The eigenvector of the k-th largest eigenvalue: of length 1, orthogonal to all others; of its entries the one with the largest absolute value (the first of several) is positive.
    ///
    /// # Panics
    /// k is not below the size of the matrix.
    #[must_use]
    pub fn vector(&self, k: usize) -> &[f64] {
        self.vectors.row(k)
    }
}

/// All eigenvalues and eigenvectors of a symmetric matrix, of which only the entries with row ≤ column are read: Householder's tridiagonal form, then divide and conquer.
///
/// One thread, so that the sums are the same whatever the machine. Time is the cube of the size (about 9 n³ operations), memory four matrices.
///
/// # Errors
/// An entry is not finite, or the iteration did not converge (which no finite matrix is known to bring about).
///
/// # References
/// Golub, Van Loan, *Matrix Computations* (4th edition, 2013), sections 8.3 and 8.4.
///
/// ```
/// use backmask::numeric::{SquareMatrix, symmetric_eigen};
///
/// let mut matrix = SquareMatrix::zeros(2)?;
/// matrix.row_mut(0).copy_from_slice(&[2.0, 1.0]);
/// matrix.row_mut(1).copy_from_slice(&[1.0, 2.0]);
/// let eigen = symmetric_eigen(&matrix)?;
/// assert!((eigen.values()[0] - 3.0).abs() < 1e-12 && (eigen.values()[1] - 1.0).abs() < 1e-12);
/// assert!((eigen.vector(0)[0] - eigen.vector(0)[1]).abs() < 1e-12);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn symmetric_eigen(matrix: &SquareMatrix) -> Result<SymmetricEigen> {
    let size = matrix.size();
    if (0..size).any(|row| matrix.row(row).iter().any(|value| !value.is_finite())) {
        return Err(Error::Parameter { name: "matrix", problem: "has an entry that is not finite".to_owned() });
    }
    let mut values = vec![0.0; size];
    let mut vectors = SquareMatrix::zeros(size)?;
    if size > 0 {
        let scratch = self_adjoint_evd_scratch::<f64>(size, ComputeEigenvectors::Yes, Par::Seq, Spec::default());
        let mut memory = MemBuffer::try_new(scratch)
            .map_err(|_| Error::Parameter { name: "size", problem: "the matrix would not fit into memory".to_owned() })?;
        // faer reads what is below the diagonal of its columns, which is above that of our rows; its columns of eigenvectors become rows.
        self_adjoint_evd(
            matrix.columns(),
            DiagMut::from_slice_mut(&mut values),
            Some(vectors.columns_mut()),
            Par::Seq,
            MemStack::new(&mut memory),
            Spec::default(),
        )
        .map_err(|_| Error::Parameter { name: "matrix", problem: "its eigenvalues did not converge".to_owned() })?;
    }
    // Ascending so far.
    values.reverse();
    for row in 0..size / 2 {
        let upper = vectors.row(row).to_vec();
        let lower = vectors.row(size - 1 - row).to_vec();
        vectors.row_mut(row).copy_from_slice(&lower);
        vectors.row_mut(size - 1 - row).copy_from_slice(&upper);
    }
    for row in 0..size {
        let vector = vectors.row_mut(row);
        let largest = vector.iter().fold(0.0_f64, |largest, value| if value.abs() > largest.abs() { *value } else { largest });
        if largest < 0.0 {
            for value in vector {
                *value = -*value;
            }
        }
    }
    Ok(SymmetricEigen { values, vectors })
}

#[cfg(test)]
#[expect(clippy::needless_range_loop, reason = "matrices are written as in the formulas")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Cyclic Jacobi rotations: slow, and nothing in common with the method above. Eigenvalues in descending order.
    fn jacobi(matrix: &SquareMatrix) -> Vec<f64> {
        let size = matrix.size();
        let mut a: Vec<Vec<f64>> = (0..size).map(|i| (0..size).map(|j| matrix.get(i.min(j), i.max(j))).collect()).collect();
        for _ in 0..60 {
            for p in 0..size {
                for q in p + 1..size {
                    if a[p][q] == 0.0 {
                        continue;
                    }
                    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                    let tangent = if theta >= 0.0 { 1.0 } else { -1.0 } / (theta.abs() + (theta * theta + 1.0).sqrt());
                    let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
                    let other = tangent * cosine;
                    for k in 0..size {
                        (a[k][p], a[k][q]) = (cosine * a[k][p] - other * a[k][q], other * a[k][p] + cosine * a[k][q]);
                    }
                    for k in 0..size {
                        (a[p][k], a[q][k]) = (cosine * a[p][k] - other * a[q][k], other * a[p][k] + cosine * a[q][k]);
                    }
                }
            }
        }
        let mut values: Vec<f64> = (0..size).map(|i| a[i][i]).collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values
    }

    fn symmetric(size: usize, entries: &[f64]) -> SquareMatrix {
        let mut matrix = SquareMatrix::zeros(size).unwrap();
        let mut entries = entries.iter();
        for row in 0..size {
            for column in row..size {
                matrix.row_mut(row)[column] = *entries.next().unwrap();
            }
        }
        matrix.mirror_upper();
        matrix
    }

    /// The largest entries of A·V − V·Λ and of Vᵀ·V − I.
    fn residuals(matrix: &SquareMatrix, eigen: &SymmetricEigen) -> (f64, f64) {
        let size = matrix.size();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (mut equation, mut orthogonal) = (0.0_f64, 0.0_f64);
        for k in 0..size {
            for row in 0..size {
                equation = equation.max((dot(matrix.row(row), eigen.vector(k)) - eigen.values()[k] * eigen.vector(k)[row]).abs());
                let identity = if k == row { 1.0 } else { 0.0 };
                orthogonal = orthogonal.max((dot(eigen.vector(k), eigen.vector(row)) - identity).abs());
            }
        }
        (equation, orthogonal)
    }

    proptest! {
        #[test]
        fn equals_jacobi_and_satisfies_the_equation(size in 0_usize..9, entries in prop::collection::vec(prop_oneof![Just(0.0), Just(1.0), -50.0..50.0], 45)) {
            let matrix = symmetric(size, &entries);
            let eigen = symmetric_eigen(&matrix).unwrap();
            let (equation, orthogonal) = residuals(&matrix, &eigen);
            prop_assert!(equation < 1e-10 && orthogonal < 1e-12, "{equation} {orthogonal}");
            prop_assert!(eigen.values().is_sorted_by(|a, b| a >= b));
            for (found, expected) in eigen.values().iter().zip(jacobi(&matrix)) {
                prop_assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
        }
    }

    /// Beyond the size at which divide and conquer begins, with eigenvalues that are known: 2 − 2 cos(kπ / (n + 1)) of the second difference.
    #[test]
    fn the_second_difference_has_its_cosines() {
        let size = 300;
        let mut matrix = SquareMatrix::zeros(size).unwrap();
        for row in 0..size {
            matrix.row_mut(row)[row] = 2.0;
            if row + 1 < size {
                matrix.row_mut(row)[row + 1] = -1.0;
                matrix.row_mut(row + 1)[row] = -1.0;
            }
        }
        let eigen = symmetric_eigen(&matrix).unwrap();
        for (k, value) in (0_u32..).zip(eigen.values()) {
            let expected = 2.0 - 2.0 * (f64::from(300 - k) * std::f64::consts::PI / 301.0).cos();
            assert!((value - expected).abs() < 1e-12, "{k}");
        }
        let (equation, orthogonal) = residuals(&matrix, &eigen);
        assert!(equation < 1e-11 && orthogonal < 1e-11);
    }

    #[test]
    fn only_the_upper_half_is_read_and_signs_are_fixed() {
        let matrix = symmetric(3, &[2.0, -1.0, 0.5, 3.0, 0.25, -1.0]);
        let mut upper = matrix.clone();
        upper.row_mut(2)[0] = 77.0;
        let eigen = symmetric_eigen(&matrix).unwrap();
        assert_eq!(eigen, symmetric_eigen(&upper).unwrap());
        for k in 0..3 {
            let largest = eigen.vector(k).iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
            assert!(largest > 0.0);
        }
        // A vector of the wrong eigenvalue does not pass.
        let mut broken = eigen.clone();
        broken.values.swap(0, 1);
        assert!(residuals(&matrix, &broken).0 > 0.1);
    }

    #[test]
    fn what_is_not_finite_is_an_error() {
        for value in [f64::NAN, f64::INFINITY] {
            assert!(symmetric_eigen(&symmetric(2, &[1.0, value, 1.0])).is_err());
        }
    }
}
