//! Sparse matrices whose columns hold one number each.

use super::LinearOperator;
use crate::error::{Error, Result};

/// A sparse matrix in compressed rows whose entries are the weights of their columns: rows are people, columns items.
///
/// A product is computed row by row of the result, each by one thread and in the order of the entries, so it does not depend on the number of threads.
/// Memory: 4 bytes an entry and 8 bytes a row and column, beside what is borrowed.
#[derive(Debug, Clone)]
pub struct WeightedPattern<'a> {
    starts: &'a [usize],
    columns: &'a [u32],
    weights: &'a [f64],
    /// The same entries by column.
    column_starts: Vec<usize>,
    rows: Vec<u32>,
    threads: usize,
}

impl<'a> WeightedPattern<'a> {
    /// The matrix whose row `r` has the entries `columns[starts[r]..starts[r + 1]]`, each with the weight of its column.
    ///
    /// # Errors
    /// `starts` does not ascend from 0 to the number of entries, a column has no weight, or there are 2³² rows or more.
    pub fn new(starts: &'a [usize], columns: &'a [u32], weights: &'a [f64], threads: usize) -> Result<Self> {
        let sound = starts.first() == Some(&0)
            && starts.last() == Some(&columns.len())
            && starts.is_sorted()
            && columns.iter().all(|&column| (column as usize) < weights.len());
        let Some(row_count) = u32::try_from(starts.len().saturating_sub(1)).ok().filter(|_| sound) else {
            return Err(Error::Parameter { name: "matrix", problem: "its rows do not fit its entries and columns".to_owned() });
        };
        let mut column_starts = vec![0_usize; weights.len() + 1];
        for &column in columns {
            column_starts[column as usize + 1] += 1;
        }
        for column in 0..weights.len() {
            column_starts[column + 1] += column_starts[column];
        }
        let mut cursors = column_starts.clone();
        let mut rows = vec![0; columns.len()];
        for (row, window) in (0..row_count).zip(starts.windows(2)) {
            for &column in &columns[window[0]..window[1]] {
                let cursor = &mut cursors[column as usize];
                rows[*cursor] = row;
                *cursor += 1;
            }
        }
        Ok(Self { starts, columns, weights, column_starts, rows, threads: threads.max(1) })
    }
}

impl LinearOperator for WeightedPattern<'_> {
    fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    fn columns(&self) -> usize {
        self.weights.len()
    }

    fn multiply(&self, block: &[f64], width: usize, product: &mut [f64]) {
        in_parallel(self.starts, self.threads, width, product, &|row, sums| {
            for &column in &self.columns[self.starts[row]..self.starts[row + 1]] {
                let column = column as usize;
                add(sums, self.weights[column], &block[column * width..(column + 1) * width]);
            }
        });
    }

    fn multiply_transposed(&self, block: &[f64], width: usize, product: &mut [f64]) {
        in_parallel(&self.column_starts, self.threads, width, product, &|column, sums| {
            for &row in &self.rows[self.column_starts[column]..self.column_starts[column + 1]] {
                add(sums, 1.0, &block[row as usize * width..(row as usize + 1) * width]);
            }
            for sum in sums {
                *sum *= self.weights[column];
            }
        });
    }
}

fn add(sums: &mut [f64], weight: f64, numbers: &[f64]) {
    for (sum, &number) in sums.iter_mut().zip(numbers) {
        *sum += weight * number;
    }
}

/// Fills the rows of `product`, `width` numbers each, by `fill`. Threads get stretches with about as many entries.
fn in_parallel(starts: &[usize], threads: usize, width: usize, product: &mut [f64], fill: &(dyn Fn(usize, &mut [f64]) + Sync)) {
    let rows = starts.len() - 1;
    let entries = starts[rows];
    std::thread::scope(|scope| {
        let (mut rest, mut begin) = (product, 0);
        for thread in 1..=threads {
            let end = if thread == threads {
                rows
            } else {
                starts.partition_point(|&start| start < entries / threads * thread).clamp(begin, rows)
            };
            let (mine, others) = rest.split_at_mut((end - begin) * width);
            rest = others;
            let first = begin;
            begin = end;
            let mut work = move || {
                for (row, sums) in (first..).zip(mine.chunks_exact_mut(width)) {
                    sums.fill(0.0);
                    fill(row, sums);
                }
            };
            if thread == threads {
                work();
            } else {
                scope.spawn(work);
            }
        }
    });
}
