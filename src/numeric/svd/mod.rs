//! The largest singular values and vectors of a matrix that is only seen through products.

mod pattern;

pub use pattern::WeightedPattern;

use crate::error::{Error, Result};
use faer::Mat;
use rand::{RngExt, SeedableRng, rngs::ChaCha20Rng};

/// A matrix that is only seen through products with blocks of vectors. Blocks are row-major: `width` numbers for each row.
pub trait LinearOperator {
    /// Number of rows.
    fn rows(&self) -> usize;
    /// Number of columns.
    fn columns(&self) -> usize;
    /// Writes A·B into `product` (rows × width), where `block` is B (columns × width).
    fn multiply(&self, block: &[f64], width: usize, product: &mut [f64]);
    /// Writes Aᵀ·B into `product` (columns × width), where `block` is B (rows × width).
    fn multiply_transposed(&self, block: &[f64], width: usize, product: &mut [f64]);
}

/// How [`randomized_svd`] works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SvdOptions {
    /// Vectors beyond the rank asked for.
    pub oversampling: usize,
    /// Multiplications with A·Aᵀ that sharpen the subspace.
    pub iterations: usize,
    /// Seed of the random start.
    pub seed: [u8; 32],
}

impl SvdOptions {
    /// Ten vectors more and four iterations.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self { oversampling: 10, iterations: 4, seed }
    }
}

/// The largest singular values, in descending order, and their vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct TruncatedSvd {
    /// Singular values.
    pub values: Vec<f64>,
    /// Left singular vectors, row-major: rows × number of values.
    pub left: Vec<f64>,
    /// Right singular vectors, row-major: columns × number of values.
    pub right: Vec<f64>,
}

/// The `rank` largest singular values and vectors of `matrix`, or all if it has fewer rows or columns: randomized subspace iteration with orthonormalization at each step.
///
/// The same seed gives the same answer; two kinds of processor may differ in the last bits.
///
/// # Errors
/// `rank` is 0, or the matrix holds a number that is not finite.
///
/// # References
/// Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 53 (2011), algorithms 4.4 and 5.1.
///
/// ```
/// use backmask::numeric::svd::{SvdOptions, WeightedPattern, randomized_svd};
/// // Two rows with column 0, one with column 1: singular values √2 and 1.
/// let matrix = WeightedPattern::new(&[0, 1, 2, 3], &[0, 0, 1], &[1.0, 1.0], 1)?;
/// let svd = randomized_svd(&matrix, 2, &SvdOptions::new([1; 32]))?;
/// assert!((svd.values[0] - 2.0_f64.sqrt()).abs() < 1e-12 && (svd.values[1] - 1.0).abs() < 1e-12);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn randomized_svd(matrix: &impl LinearOperator, rank: usize, options: &SvdOptions) -> Result<TruncatedSvd> {
    if rank == 0 {
        return Err(Error::Parameter { name: "rank", problem: "must be at least 1".to_owned() });
    }
    let (rows, columns) = (matrix.rows(), matrix.columns());
    let width = rank.saturating_add(options.oversampling).min(rows).min(columns);
    let rank = rank.min(width);
    if width == 0 {
        return Ok(TruncatedSvd { values: Vec::new(), left: Vec::new(), right: Vec::new() });
    }
    let mut of_columns = gaussian(columns * width, &options.seed);
    let mut of_rows = vec![0.0; rows * width];
    matrix.multiply(&of_columns, width, &mut of_rows);
    for _ in 0..options.iterations {
        orthonormalize(&mut of_rows, width)?;
        matrix.multiply_transposed(&of_rows, width, &mut of_columns);
        orthonormalize(&mut of_columns, width)?;
        matrix.multiply(&of_columns, width, &mut of_rows);
    }
    orthonormalize(&mut of_rows, width)?;
    matrix.multiply_transposed(&of_rows, width, &mut of_columns);
    // A ≈ Q·B, Bᵀ = P·R, R = U·S·Vᵀ: so A ≈ (Q·V)·S·(P·U)ᵀ.
    let qr = column_major(&of_columns, width).qr();
    let small = qr.thin_R().to_owned().thin_svd().map_err(|_| not_finite())?;
    let values: Vec<f64> = (0..rank).map(|at| small.S()[at]).collect();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(not_finite());
    }
    let left = column_major(&of_rows, width) * small.V().get(.., ..rank);
    let right = qr.compute_thin_Q() * small.U().get(.., ..rank);
    Ok(TruncatedSvd { values, left: row_major(&left), right: row_major(&right) })
}

/// Replaces the columns of a block by an orthonormal basis of what they span.
fn orthonormalize(block: &mut [f64], width: usize) -> Result<()> {
    let basis = column_major(block, width).qr().compute_thin_Q();
    for (row, numbers) in block.chunks_exact_mut(width).enumerate() {
        for (column, number) in numbers.iter_mut().enumerate() {
            *number = basis[(row, column)];
        }
    }
    if block.iter().all(|number| number.is_finite()) { Ok(()) } else { Err(not_finite()) }
}

fn not_finite() -> Error {
    Error::Parameter { name: "matrix", problem: "holds a number that is not finite".to_owned() }
}

fn column_major(block: &[f64], width: usize) -> Mat<f64> {
    Mat::from_fn(block.len() / width, width, |row, column| block[row * width + column])
}

fn row_major(matrix: &Mat<f64>) -> Vec<f64> {
    let mut block = Vec::with_capacity(matrix.nrows() * matrix.ncols());
    for row in 0..matrix.nrows() {
        block.extend((0..matrix.ncols()).map(|column| matrix[(row, column)]));
    }
    block
}

/// Normal numbers by the transformation of Box and Muller.
fn gaussian(count: usize, seed: &[u8; 32]) -> Vec<f64> {
    let mut random = ChaCha20Rng::from_seed(*seed);
    let mut numbers = Vec::with_capacity(count + 1);
    while numbers.len() < count {
        // 1 − u lies in (0, 1].
        let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * random.random::<f64>()).sin_cos();
        numbers.extend([radius * cosine, radius * sine]);
    }
    numbers.truncate(count);
    numbers
}

#[cfg(test)]
mod tests;
