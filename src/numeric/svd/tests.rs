use super::*;
use faer::Side;
use proptest::prelude::*;

/// Rows as lists of columns.
fn sparse(rows: &[Vec<u32>]) -> (Vec<usize>, Vec<u32>) {
    let mut starts = vec![0];
    let mut columns = Vec::new();
    for row in rows {
        columns.extend(row);
        starts.push(columns.len());
    }
    (starts, columns)
}

fn dense(rows: &[Vec<u32>], weights: &[f64]) -> Mat<f64> {
    let mut matrix = Mat::zeros(rows.len(), weights.len());
    for (row, columns) in rows.iter().enumerate() {
        for &column in columns {
            matrix[(row, column as usize)] += weights[column as usize];
        }
    }
    matrix
}

fn rows_of(people: usize, items: u32) -> Vec<Vec<u32>> {
    let mut random = ChaCha20Rng::from_seed([5; 32]);
    // Two tastes and a tail, so that the spectrum decays.
    (0..people)
        .map(|person| {
            let half = items / 2;
            let base = if person % 2 == 0 { 0 } else { half };
            let mut row: Vec<u32> = (0..12).map(|_| base + random.random_range(0..half)).collect();
            row.sort_unstable();
            row.dedup();
            row
        })
        .collect()
}

#[test]
fn agrees_with_the_full_decomposition() {
    let rows = rows_of(80, 40);
    let weights: Vec<f64> = (0..40).map(|item| 1.0 / f64::from(item + 1).sqrt()).collect();
    let (starts, columns) = sparse(&rows);
    let matrix = WeightedPattern::new(&starts, &columns, &weights, 2).unwrap();
    let full = dense(&rows, &weights).thin_svd().unwrap();
    let options = SvdOptions { iterations: 12, ..SvdOptions::new([3; 32]) };
    let svd = randomized_svd(&matrix, 6, &options).unwrap();
    for (at, value) in svd.values.iter().enumerate() {
        assert!((value - full.S()[at]).abs() < 1e-6 * full.S()[0], "{at}: {value} {}", full.S()[at]);
        let product: f64 = (0..40).map(|row| svd.right[row * 6 + at] * full.V()[(row, at)]).sum();
        assert!((product.abs() - 1.0).abs() < 1e-4, "{at}: {product}");
        let product: f64 = (0..80).map(|row| svd.left[row * 6 + at] * full.U()[(row, at)]).sum();
        assert!((product.abs() - 1.0).abs() < 1e-4, "{at}: {product}");
    }
    // No approximation of rank 6 is better than that of the full decomposition, and this one comes near.
    let error: f64 = (0..80)
        .flat_map(|row| (0..40).map(move |column| (row, column)))
        .map(|(row, column)| {
            let near: f64 = (0..6).map(|at| svd.left[row * 6 + at] * svd.values[at] * svd.right[column * 6 + at]).sum();
            (dense(&rows, &weights)[(row, column)] - near).powi(2)
        })
        .sum();
    let best: f64 = (6..40).map(|at| full.S()[at].powi(2)).sum();
    assert!(error >= best - 1e-9 && error <= best * 1.000_01, "{error} {best}");
    // A single random projection without iterations does not pass.
    let rough = randomized_svd(&matrix, 6, &SvdOptions { iterations: 0, oversampling: 0, ..options }).unwrap();
    assert!((rough.values[5] - full.S()[5]).abs() > 1e-3 * full.S()[0]);
}

#[test]
fn squares_of_the_values_are_eigenvalues_of_the_gram_matrix() {
    let rows = rows_of(30, 10);
    let (starts, columns) = sparse(&rows);
    let weights = [1.0; 10];
    let svd = randomized_svd(&WeightedPattern::new(&starts, &columns, &weights, 1).unwrap(), 10, &SvdOptions::new([0; 32])).unwrap();
    let dense = dense(&rows, &weights);
    let mut eigenvalues = (dense.transpose() * &dense).self_adjoint_eigenvalues(Side::Lower).unwrap();
    eigenvalues.reverse();
    for (value, eigenvalue) in svd.values.iter().zip(eigenvalues) {
        assert!((value * value - eigenvalue).abs() < 1e-9 * 300.0);
    }
}

#[test]
fn poor_matrices() {
    // All rows alike: rank 1.
    let rows = vec![vec![0, 2]; 9];
    let (starts, columns) = sparse(&rows);
    let weights = [1.0; 4];
    let svd = randomized_svd(&WeightedPattern::new(&starts, &columns, &weights, 1).unwrap(), 3, &SvdOptions::new([0; 32])).unwrap();
    assert!((svd.values[0] - 18.0_f64.sqrt()).abs() < 1e-12);
    assert!(svd.values[1..].iter().all(|&value| value < 1e-12));
    // Nothing in it, and nothing at all.
    for count in [0, 3] {
        let starts = vec![0; count + 1];
        let matrix = WeightedPattern::new(&starts, &[], &weights, 3).unwrap();
        let svd = randomized_svd(&matrix, 2, &SvdOptions::new([0; 32])).unwrap();
        assert!(svd.values.len() <= 2 && svd.values.iter().all(|&value| value.abs() < 1e-12));
    }
    let infinite = [f64::INFINITY];
    let matrix = WeightedPattern::new(&[0, 1], &[0], &infinite, 1).unwrap();
    assert!(randomized_svd(&matrix, 1, &SvdOptions::new([0; 32])).is_err());
    assert!(randomized_svd(&matrix, 0, &SvdOptions::new([0; 32])).is_err());
    for (starts, columns) in [(&[][..], &[][..]), (&[0, 2][..], &[0][..]), (&[1, 1][..], &[0][..]), (&[0, 1][..], &[1][..])] {
        assert!(WeightedPattern::new(starts, columns, &[1.0], 1).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn products_are_those_of_the_dense_matrix_for_any_number_of_threads(
        rows in proptest::collection::vec(proptest::collection::vec(0_u32..7, 0..6), 0..20), width in 1_usize..4, threads in 1_usize..6,
    ) {
        let weights: Vec<f64> = (0..7).map(|item| f64::from(item) - 2.5).collect();
        let (starts, columns) = sparse(&rows);
        let matrix = WeightedPattern::new(&starts, &columns, &weights, threads).unwrap();
        let dense = dense(&rows, &weights);
        let number = |at: usize| f64::from(u32::try_from(at % 5).unwrap()) - 1.0;
        let of_columns: Vec<f64> = (0..7 * width).map(number).collect();
        let of_rows: Vec<f64> = (0..rows.len() * width).map(number).collect();
        let (mut product, mut transposed) = (vec![9.0; rows.len() * width], vec![9.0; 7 * width]);
        matrix.multiply(&of_columns, width, &mut product);
        matrix.multiply_transposed(&of_rows, width, &mut transposed);
        // Small multiples of one half: exact in any order.
        if !rows.is_empty() {
            prop_assert_eq!(product, row_major(&(&dense * column_major(&of_columns, width))));
            prop_assert_eq!(transposed, row_major(&(dense.transpose() * column_major(&of_rows, width))));
        }
    }
}
