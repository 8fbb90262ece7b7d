//! The matrix as it is released, and what is made of it at no further cost.

use crate::error::{Error, Result};
use crate::numeric::{SquareMatrix, ease_weights, in_parallel, real, symmetric_eigen};

/// The 99 % quantile of the Tracy–Widom law of real symmetric matrices.
const TRACY_WIDOM_99: f64 = 2.0234;

/// Rows that a thread works at a time.
const BAND: usize = 32;

/// A differentially private co-listening matrix: for each pair of items how many people have both (or the sum of their weights), with noise of the same deviation in every cell.
///
/// Everything that its methods compute is a function of the released numbers, and costs no privacy.
#[derive(Debug, Clone, PartialEq)]
pub struct CoListening {
    items: Vec<u32>,
    matrix: SquareMatrix,
    cell_deviation: f64,
}

impl CoListening {
    /// A matrix that was released, to be read again: `items` are codes in the order of its rows, and of the matrix only entries with row ≤ column are read.
    ///
    /// # Errors
    /// There is not one item for each row, an entry is not finite, or the deviation is not a finite number above 0.
    pub fn new(items: Vec<u32>, mut matrix: SquareMatrix, cell_deviation: f64) -> Result<Self> {
        if items.len() != matrix.size() {
            return Err(Error::Parameter { name: "items", problem: "needs one for each row of the matrix".to_owned() });
        }
        if (0..matrix.size()).any(|row| matrix.row(row)[row..].iter().any(|value| !value.is_finite())) {
            return Err(Error::Parameter { name: "matrix", problem: "has an entry that is not finite".to_owned() });
        }
        if !(cell_deviation > 0.0 && cell_deviation.is_finite()) {
            return Err(Error::Parameter { name: "cell_deviation", problem: "must be a number above 0".to_owned() });
        }
        matrix.mirror_upper();
        Ok(Self { items, matrix, cell_deviation })
    }

    /// Codes of the items, in the order of the rows.
    #[must_use]
    pub fn items(&self) -> &[u32] {
        &self.items
    }

    /// The matrix with its noise, symmetric. Cells may be less than 0.
    #[must_use]
    pub fn matrix(&self) -> &SquareMatrix {
        &self.matrix
    }

    /// Standard deviation of the noise of every cell.
    #[must_use]
    pub fn cell_deviation(&self) -> f64 {
        self.cell_deviation
    }

    /// What the diagonal says of each item, noise below 0 cut off: popularity, in the unit of the cells.
    #[must_use]
    pub fn popularity(&self) -> Vec<f64> {
        (0..self.items.len()).map(|item| self.matrix.get(item, item).max(0.0)).collect()
    }

    /// 2σ√M: up to here reach the eigenvalues of noise alone.
    #[must_use]
    pub fn noise_edge(&self) -> f64 {
        2.0 * self.cell_deviation * real(self.items.len() as u64).sqrt()
    }

    /// σ(2√M + 2.0234 M^(−1/6)): what the largest eigenvalue of noise alone passes with a probability of about 1 %.
    #[must_use]
    pub fn detection_threshold(&self) -> f64 {
        let size = real(self.items.len() as u64);
        self.cell_deviation * (2.0 * size.sqrt() + TRACY_WIDOM_99 * size.max(1.0).powf(-1.0 / 6.0))
    }

    /// Takes the noise out, as far as it can be told from structure: the diagonal stays, and of the cells beside it the eigenvalues over the [detection threshold](Self::detection_threshold) are
    /// shrunk and the others dropped.
    ///
    /// The diagonal, which is far larger than what is beside it, is no part of the structure: for the decomposition it is replaced by c·dᵢ², where d is the diagonal and c the number that fits
    /// c·dᵢdⱼ best to the other cells. An eigenvalue λ becomes √(λ² − 4σ²M), which is the best choice in the Frobenius norm for a low rank in such noise. The first direction is what
    /// popularity explains. If there is no second one, the matrix tells nothing but popularity, and that is what comes back: as the second eigenvalue of one direction and noise is at most the first of
    /// the noise, a structure is found where there is none in about one of a hundred releases at most.
    ///
    /// Time is the cube of the number of items, on one thread but for the sums.
    ///
    /// # Errors
    /// The matrix does not fit into memory.
    ///
    /// # References
    /// M. Gavish, D. L. Donoho, *Optimal shrinkage of singular values*, IEEE Transactions on Information Theory 63, 2017 (Frobenius loss); C. A. Tracy, H. Widom, *On orthogonal and symplectic matrix
    /// ensembles*, Communications in Mathematical Physics 177, 1996.
    pub fn denoise(&self, threads: usize) -> Result<Denoised> {
        let size = self.items.len();
        let popularity = self.popularity();
        let slope = self.slope(&popularity);
        let mut filled = self.matrix.clone();
        for (row, popularity) in popularity.iter().enumerate() {
            filled.row_mut(row)[row] = slope * popularity * popularity;
        }
        let eigen = symmetric_eigen(&filled)?;
        drop(filled);
        let (edge, threshold) = (self.noise_edge(), self.detection_threshold());
        let signal_to_noise = eigen.values().get(1).map_or(0.0, |second| second.max(0.0) / threshold);
        let rank = eigen.values().iter().take_while(|value| **value > threshold).count();
        if rank < 2 {
            return Ok(Denoised::Popularity(OnlyPopularity { items: self.items.clone(), popularity, signal_to_noise }));
        }
        let spectrum: Vec<f64> = eigen.values()[..rank].iter().map(|value| (value * value - edge * edge).max(0.0).sqrt()).collect();
        let axes: Vec<&[f64]> = (0..rank).map(|k| eigen.vector(k)).collect();
        let mut matrix = SquareMatrix::zeros(size)?;
        let bands = matrix.bands_mut(BAND).into_iter().enumerate().collect();
        in_parallel(bands, threads, |(index, band)| {
            for (row, cells) in (index * BAND..).zip(band.chunks_mut(size)) {
                for (value, axis) in spectrum.iter().zip(&axes) {
                    let weight = value * axis[row];
                    cells.iter_mut().zip(*axis).for_each(|(cell, other)| *cell += weight * other);
                }
                // A diagonal of at least what the low rank has leaves no negative eigenvalue.
                cells[row] = cells[row].max(popularity[row]);
            }
        });
        // The products of rows and columns round differently.
        matrix.mirror_upper();
        let places = (0..size).map(|item| spectrum.iter().zip(&axes).map(|(value, axis)| value.sqrt() * axis[item]).collect()).collect();
        Ok(Denoised::Structure(Structure { items: self.items.clone(), matrix, spectrum, places, signal_to_noise, noise_edge: edge }))
    }

    /// The c ≥ 0 with which c·dᵢdⱼ comes closest to the cells beside the diagonal; 0 if there is no popularity.
    fn slope(&self, popularity: &[f64]) -> f64 {
        let (mut product, mut square) = (0.0, 0.0);
        for (row, own) in popularity.iter().enumerate() {
            for (cell, other) in self.matrix.row(row)[row + 1..].iter().zip(&popularity[row + 1..]) {
                let both = own * other;
                product += cell * both;
                square += both * both;
            }
        }
        if square > 0.0 { (product / square).max(0.0) } else { 0.0 }
    }
}

/// What is left of a matrix when its noise is taken out.
#[derive(Debug, Clone, PartialEq)]
pub enum Denoised {
    /// There is more than popularity.
    Structure(Structure),
    /// Nothing rises above the noise but popularity: a matrix is not worth publishing. More people, a larger ε or fewer items may help.
    Popularity(OnlyPopularity),
}

impl Denoised {
    /// The second eigenvalue of the matrix (the first is popularity), as a multiple of the [detection threshold](CoListening::detection_threshold). More than 1 is a signal.
    #[must_use]
    pub fn signal_to_noise(&self) -> f64 {
        match self {
            Self::Structure(structure) => structure.signal_to_noise,
            Self::Popularity(only) => only.signal_to_noise,
        }
    }
}

/// A refusal: the matrix tells nothing that popularity does not. The popularity is published instead.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OnlyPopularity {
    /// Codes of the items.
    pub items: Vec<u32>,
    /// Popularity of each, in the unit of the cells.
    pub popularity: Vec<f64>,
    /// See [`Denoised::signal_to_noise`].
    pub signal_to_noise: f64,
}

/// A co-listening matrix without most of its noise: popularity, and a few directions of taste.
#[derive(Debug, Clone, PartialEq)]
pub struct Structure {
    items: Vec<u32>,
    matrix: SquareMatrix,
    spectrum: Vec<f64>,
    places: Vec<Vec<f64>>,
    signal_to_noise: f64,
    noise_edge: f64,
}

impl Structure {
    /// Codes of the items, in the order of the rows.
    #[must_use]
    pub fn items(&self) -> &[u32] {
        &self.items
    }

    /// The matrix, symmetric and without negative eigenvalues (up to rounding).
    #[must_use]
    pub fn matrix(&self) -> &SquareMatrix {
        &self.matrix
    }

    /// The shrunk eigenvalues, the largest first: as many as directions were told from noise. The first is popularity.
    #[must_use]
    pub fn spectrum(&self) -> &[f64] {
        &self.spectrum
    }

    /// The matrix in long form, every pair once: code of an item, code of an item that does not come before it in the order of rows, value.
    pub fn table(&self) -> impl Iterator<Item = (u32, u32, f64)> {
        (0..self.items.len()).flat_map(move |row| {
            (row..self.items.len()).map(move |column| (self.items[row], self.items[column], self.matrix.get(row, column)))
        })
    }

    /// For each item a place in at most `rank` dimensions, whose inner products approximate the cells beside the diagonal. The first dimension is popularity; without it the inner products say how
    /// much more or less often than by popularity alone two items occur together. There are no more dimensions than in the [spectrum](Self::spectrum): others would be noise.
    #[must_use]
    pub fn embeddings(&self, rank: usize) -> Vec<Vec<f32>> {
        #[expect(clippy::cast_possible_truncation, reason = "single precision is what is published")]
        let short = |place: &Vec<f64>| place.iter().take(rank).map(|value| *value as f32).collect();
        self.places.iter().map(short).collect()
    }

    /// The λ of [`Structure::ease`] if none is given: σ√M, half of the edge of the noise and so about the size of what was dropped. Results hardly depend on it (`docs/theory.md`).
    #[must_use]
    pub fn default_lambda(&self) -> f64 {
        self.noise_edge / 2.0
    }

    /// Item-to-item weights of the recommender EASE, in the order of the rows; `lambda` in the unit of the cells.
    ///
    /// # Errors
    /// λ is negative or not finite, or too small for an inverse.
    pub fn ease(&self, lambda: Option<f64>, threads: usize) -> Result<SquareMatrix> {
        ease_weights(self.matrix.clone(), lambda.unwrap_or_else(|| self.default_lambda()), threads)
    }
}
