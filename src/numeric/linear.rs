//! Dense square matrices, and the inverse of those that are positive definite.

use crate::error::{Error, Result};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltRegularization, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Accum, Mat, MatMut, MatRef, Par, Spec};
use std::sync::{Mutex, PoisonError};

/// Columns that are worked at once. Fixed, so that the sums are the same for any number of threads.
const BLOCK: usize = 128;

/// A dense square matrix of `f64`, row by row.
///
/// ```
/// use backmask::numeric::SquareMatrix;
///
/// let mut matrix = SquareMatrix::zeros(2)?;
/// matrix.row_mut(0)[1] = 5.0;
/// assert_eq!(matrix.get(0, 1), 5.0);
/// assert_eq!(matrix.row(1), [0.0, 0.0]);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SquareMatrix {
    size: usize,
    values: Vec<f64>,
}

impl SquareMatrix {
    /// `size` × `size` zeros.
    ///
    /// # Errors
    /// The matrix would be larger than the address space.
    pub fn zeros(size: usize) -> Result<Self> {
        let length = size.checked_mul(size).filter(|length| length.checked_mul(8).is_some_and(|bytes| isize::try_from(bytes).is_ok()));
        let length = length.ok_or_else(|| Error::Parameter { name: "size", problem: "the matrix would not fit into memory".to_owned() })?;
        Ok(Self { size, values: vec![0.0; length] })
    }

    /// Number of rows, which is that of columns.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The entry of a row and a column.
    ///
    /// # Panics
    /// One of them is not below the size.
    #[must_use]
    pub fn get(&self, row: usize, column: usize) -> f64 {
        self.row(row)[column]
    }

    /// One row.
    ///
    /// # Panics
    /// It is not below the size.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.size..][..self.size]
    }

    /// One row, to be written.
    ///
    /// # Panics
    /// It is not below the size.
    pub fn row_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.values[row * self.size..][..self.size]
    }

    /// Bands of `rows` consecutive rows, to be written by several threads; the last may have fewer.
    pub(crate) fn bands_mut(&mut self, rows: usize) -> Vec<&mut [f64]> {
        self.values.chunks_mut((rows * self.size).max(1)).collect()
    }

    /// Copies the entries above the diagonal to below it.
    pub(crate) fn mirror_upper(&mut self) {
        for row in 1..self.size {
            let (above, own) = self.values.split_at_mut(row * self.size);
            for (column, value) in own[..row].iter_mut().enumerate() {
                *value = above[column * self.size + row];
            }
        }
    }

    /// As faer sees it. The rows are its columns: the transpose.
    pub(super) fn columns_mut(&mut self) -> MatMut<'_, f64> {
        MatMut::from_column_major_slice_mut(&mut self.values, self.size, self.size)
    }

    pub(super) fn columns(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.values, self.size, self.size)
    }
}

/// The inverse of a symmetric positive definite matrix, by its Cholesky factor: `A = LLᵀ`, `A⁻¹ = L⁻ᵀL⁻¹`. Only the entries with row ≤ column are read.
///
/// Blocks of columns are worked by up to `threads` threads; the result does not depend on their number. Memory: twice the matrix. Time: the cube of its size.
///
/// # Errors
/// The matrix is not positive definite (as far as rounding lets see), or has an entry that is not finite.
///
/// ```
/// use backmask::numeric::{SquareMatrix, inverse_positive_definite};
///
/// let mut matrix = SquareMatrix::zeros(2)?;
/// matrix.row_mut(0).copy_from_slice(&[2.0, 1.0]);
/// matrix.row_mut(1).copy_from_slice(&[1.0, 2.0]);
/// let inverse = inverse_positive_definite(matrix, 1)?;
/// assert!((inverse.get(0, 0) - 2.0 / 3.0).abs() < 1e-15 && (inverse.get(1, 0) + 1.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # References
/// Golub, Van Loan, *Matrix Computations* (4th edition, 2013), section 4.2 (block Cholesky).
pub fn inverse_positive_definite(mut matrix: SquareMatrix, threads: usize) -> Result<SquareMatrix> {
    let size = matrix.size;
    if matrix.values.iter().any(|value| !value.is_finite()) {
        return Err(Error::Parameter { name: "matrix", problem: "has an entry that is not finite".to_owned() });
    }
    factor(matrix.columns_mut(), threads)?;
    let mut lower_inverse = SquareMatrix::zeros(size)?;
    let factor = matrix.columns();
    in_parallel(blocks(lower_inverse.columns_mut()), threads, |(start, mut block)| {
        for column in 0..block.ncols() {
            block[(start + column, column)] = 1.0;
        }
        let rows = size - start;
        let below = block.as_mut().submatrix_mut(start, 0, rows, block_width(size, start));
        solve_lower_triangular_in_place(factor.submatrix(start, start, rows, rows), below, Par::Seq);
    });
    let inverse_of_lower = lower_inverse.columns();
    in_parallel(blocks(matrix.columns_mut()), threads, |(start, mut block)| {
        let width = block_width(size, start);
        for top in (start..size).step_by(BLOCK) {
            let (height, depth) = (block_width(size, top), size - top);
            matmul(
                block.as_mut().submatrix_mut(top, 0, height, width),
                Accum::Replace,
                inverse_of_lower.submatrix(top, top, depth, height).transpose(),
                inverse_of_lower.submatrix(top, start, depth, width),
                1.0,
                Par::Seq,
            );
        }
    });
    // What faer has below the diagonal of its columns stands above that of our rows.
    matrix.mirror_upper();
    if matrix.values.iter().any(|value| !value.is_finite()) {
        return Err(not_positive_definite());
    }
    Ok(matrix)
}

/// Writes the Cholesky factor below and on the diagonal of the columns; what stands above is left.
fn factor(mut matrix: MatMut<'_, f64>, threads: usize) -> Result<()> {
    let size = matrix.nrows();
    for start in (0..size).step_by(BLOCK) {
        let width = block_width(size, start);
        let next = start + width;
        let (done, rest) = matrix.as_mut().split_at_col_mut(next);
        let (mut diagonal, below) = done.submatrix_mut(start, start, size - start, width).split_at_row_mut(width);
        let mut memory = MemBuffer::new(cholesky_in_place_scratch::<f64>(width, Par::Seq, Spec::default()));
        cholesky_in_place(diagonal.as_mut(), LltRegularization::default(), Par::Seq, MemStack::new(&mut memory), Spec::default())
            .map_err(|_| not_positive_definite())?;
        let diagonal = diagonal.as_ref();
        let mut below = below;
        let mut strips = Vec::new();
        let mut remaining = below.as_mut();
        while remaining.nrows() > 0 {
            let height = remaining.nrows().min(BLOCK);
            let (strip, others) = remaining.split_at_row_mut(height);
            strips.push(strip);
            remaining = others;
        }
        // Each strip S becomes S·L⁻ᵀ: its transpose is solved by L.
        in_parallel(strips, threads, |mut strip| {
            let mut solved: Mat<f64> = strip.as_ref().transpose().to_owned();
            solve_lower_triangular_in_place(diagonal, solved.as_mut(), Par::Seq);
            strip.copy_from(solved.as_ref().transpose());
        });
        let below = below.as_ref();
        in_parallel(blocks(rest), threads, |(offset, block)| {
            let width = block.ncols();
            let rows = size - next - offset;
            matmul(
                block.submatrix_mut(next + offset, 0, rows, width),
                Accum::Add,
                below.submatrix(offset, 0, rows, below.ncols()),
                below.submatrix(offset, 0, width, below.ncols()).transpose(),
                -1.0,
                Par::Seq,
            );
        });
    }
    Ok(())
}

/// Blocks of columns, each with the number of its first.
fn blocks(matrix: MatMut<'_, f64>) -> Vec<(usize, MatMut<'_, f64>)> {
    let mut blocks = Vec::new();
    let (mut start, mut remaining) = (0, matrix);
    while remaining.ncols() > 0 {
        let width = remaining.ncols().min(BLOCK);
        let (block, others) = remaining.split_at_col_mut(width);
        blocks.push((start, block));
        (start, remaining) = (start + width, others);
    }
    blocks
}

fn block_width(size: usize, start: usize) -> usize {
    (size - start).min(BLOCK)
}

fn not_positive_definite() -> Error {
    Error::Parameter { name: "matrix", problem: "is not positive definite; add more to its diagonal".to_owned() }
}

/// Does every job once, on up to `threads` threads. Which thread does which job is left open, so a job must not depend on another.
pub(crate) fn in_parallel<Job: Send>(jobs: Vec<Job>, threads: usize, work: impl Fn(Job) + Sync) {
    let threads = threads.min(jobs.len());
    if threads <= 1 {
        return jobs.into_iter().for_each(work);
    }
    let waiting = Mutex::new(jobs.into_iter());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = next() {
                    work(job);
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `BBᵀ + shift·I` of pseudorandom B.
    fn definite(size: usize, seed: u64, shift: f64) -> SquareMatrix {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 33).unwrap()) / f64::from(1_u32 << 31) - 0.5
        };
        let factor: Vec<Vec<f64>> = (0..size).map(|_| (0..size).map(|_| next()).collect()).collect();
        let mut matrix = SquareMatrix::zeros(size).unwrap();
        for row in 0..size {
            for column in 0..size {
                let dot: f64 = factor[row].iter().zip(&factor[column]).map(|(a, b)| a * b).sum();
                matrix.row_mut(row)[column] = dot + if row == column { shift } else { 0.0 };
            }
        }
        matrix
    }

    fn largest_error(matrix: &SquareMatrix, inverse: &SquareMatrix) -> f64 {
        let size = matrix.size();
        let mut worst = 0.0_f64;
        for row in 0..size {
            for column in 0..size {
                let dot: f64 = (0..size).map(|k| matrix.get(row, k) * inverse.get(k, column)).sum();
                worst = worst.max((dot - if row == column { 1.0 } else { 0.0 }).abs());
            }
        }
        worst
    }

    #[test]
    fn the_product_with_the_inverse_is_the_identity_at_every_edge_of_a_block() {
        for size in [0, 1, 2, 3, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 5] {
            let matrix = definite(size, 7, 0.5);
            let inverse = inverse_positive_definite(matrix.clone(), 1).unwrap();
            assert!(largest_error(&matrix, &inverse) < 1e-9, "{size}");
            assert_eq!(inverse, inverse_positive_definite(matrix, 3).unwrap(), "{size}: the same bits for any number of threads");
        }
    }

    proptest! {
        #[test]
        fn small_inverses_are_right(size in 1_usize..12, seed: u64) {
            let matrix = definite(size, seed, 0.1);
            let inverse = inverse_positive_definite(matrix.clone(), 2).unwrap();
            prop_assert!(largest_error(&matrix, &inverse) < 1e-8);
        }
    }

    #[test]
    fn only_the_upper_half_is_read() {
        let matrix = definite(5, 3, 1.0);
        let mut upper = matrix.clone();
        for row in 0..5 {
            upper.row_mut(row)[..row].fill(99.0);
        }
        assert_eq!(inverse_positive_definite(upper, 1).unwrap(), inverse_positive_definite(matrix, 1).unwrap());
    }

    #[test]
    fn what_has_no_such_inverse_is_an_error() {
        let of = |values: [f64; 4]| SquareMatrix { size: 2, values: values.to_vec() };
        for values in [[1.0, 2.0, 2.0, 1.0], [0.0; 4], [-1.0, 0.0, 0.0, 1.0], [f64::NAN, 0.0, 0.0, 1.0], [1.0, f64::INFINITY, 0.0, 1.0]] {
            assert!(inverse_positive_definite(of(values), 1).is_err(), "{values:?}");
        }
        assert!(SquareMatrix::zeros(usize::MAX).is_err());
    }
}
