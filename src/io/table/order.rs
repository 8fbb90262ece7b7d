//! Rows in a new order, in bounded memory.
//!
//! Every kept row is sent to one of a fixed number of bins; then each bin is put in order by itself. For a shuffle the bin is drawn uniformly
//! and the rows of a bin are permuted uniformly, which together is a uniform permutation. For an order by token the bin is a range of
//! tokens. Bins do not depend on how the table was cut into chunks, so neither does the result.

use super::coded::{Chunk, CodedTable};
use super::packed::Packed;
use super::spill::{SpillFile, Stored};
use crate::error::{Error, Result};
use crate::pipeline::{Kernel, apply_once};
use arrow::array::{ArrayRef, AsArray};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Int64Type};
use rand::{Rng, RngExt, SeedableRng, rngs::ChaCha20Rng};
use std::path::Path;
use std::sync::Arc;

/// Rows in a bin on average.
const BIN_ROWS: usize = 1 << 17;

/// The order in which rows leave.
#[derive(Debug)]
pub enum RowOrder<'a> {
    /// Uniformly random, from a secret seed.
    Shuffled {
        /// The seed.
        seed: [u8; 32],
    },
    /// By a 64-bit rank of the subject (the head of the token), then by a number, then at random.
    Ranked {
        /// Column of the subject.
        subject: usize,
        /// Rank of every code of that column.
        ranks: &'a [u64],
        /// What orders the rows of a subject.
        then: Option<Then>,
        /// Seed for rows that are equal in both.
        seed: [u8; 32],
    },
}

/// A column of numbers or times that orders rows by what is released of it.
#[derive(Debug, Clone)]
pub struct Then {
    /// The column.
    pub column: usize,
    /// What is done to its values before they are compared.
    pub kernel: Option<Arc<dyn Kernel>>,
}

/// The kept rows of a table, sorted into bins.
#[derive(Debug)]
pub struct OrderedRows<'a> {
    table: &'a CodedTable,
    order: RowOrder<'a>,
    chunks: Vec<Chunk>,
    /// For every chunk, where each bin begins.
    starts: Vec<Vec<u32>>,
    spill: Option<SpillFile>,
    bins: usize,
    rows: usize,
}

/// One bin of [`OrderedRows`], in its final order.
#[derive(Debug)]
pub struct Bin<'a> {
    ordered: &'a OrderedRows<'a>,
    permutation: Vec<u32>,
    number: usize,
}

impl<'a> OrderedRows<'a> {
    /// Orders the rows of `table` for which `keep(chunk)` says yes. `marks(chunk)` gives one small number a row that travels with it.
    ///
    /// # Errors
    /// A temporary file cannot be written or read.
    pub fn new(
        table: &'a CodedTable,
        columns: &[usize],
        marks: &[Vec<u8>],
        keep: impl Fn(u8) -> bool,
        order: RowOrder<'a>,
        memory: usize,
        folder: &Path,
    ) -> Result<Self> {
        Self::with_numbers(table, columns, marks, None, keep, order, memory, folder)
    }

    /// As [`OrderedRows::new`]; `numbers(chunk)` gives one more number a row that travels with it.
    ///
    /// # Errors
    /// As for [`OrderedRows::new`].
    #[expect(clippy::too_many_arguments, reason = "as many things travel with a row")]
    pub fn with_numbers(
        table: &'a CodedTable,
        columns: &[usize],
        marks: &[Vec<u8>],
        numbers: Option<&[Vec<u32>]>,
        keep: impl Fn(u8) -> bool,
        order: RowOrder<'a>,
        memory: usize,
        folder: &Path,
    ) -> Result<Self> {
        let rows: usize = marks.iter().flatten().filter(|&&mark| keep(mark)).count();
        let bins = rows.div_ceil(BIN_ROWS).clamp(1, 1 << 16);
        let mut random = match &order {
            RowOrder::Shuffled { seed } | RowOrder::Ranked { seed, .. } => ChaCha20Rng::from_seed(*seed),
        };
        let mut result = Self { table, order, chunks: Vec::new(), starts: Vec::new(), spill: None, bins, rows };
        let mut used = 0;
        for (number, marks) in marks.iter().enumerate() {
            let bins_of_rows = result.bins_of(number, marks, &keep, &mut random)?;
            let mut starts = vec![0_u32; bins + 1];
            for &(bin, _) in &bins_of_rows {
                starts[bin as usize + 1] += 1;
            }
            for bin in 0..bins {
                starts[bin + 1] += starts[bin];
            }
            let mut next = starts.clone();
            let mut positions = vec![0_u32; bins_of_rows.len()];
            for &(bin, row) in &bins_of_rows {
                positions[next[bin as usize] as usize] = row;
                next[bin as usize] += 1;
            }
            let mut stored = Vec::with_capacity(table.columns.len() + 2);
            for column in 0..table.columns.len() {
                let packed = if columns.contains(&column) {
                    table.chunks[number].columns[column].load(table.spill.as_ref(), 0, marks.len())?.gather(&positions)?
                } else {
                    Packed::of_codes(&[])
                };
                stored.push(Stored::Memory(packed));
            }
            let marks: Vec<u32> = positions.iter().map(|&row| u32::from(marks[row as usize])).collect();
            stored.push(Stored::Memory(Packed::of_codes(&marks)));
            if let Some(numbers) = numbers.and_then(|numbers| numbers.get(number)) {
                let numbers: Vec<u32> = positions.iter().map(|&row| numbers[row as usize]).collect();
                stored.push(Stored::Memory(Packed::of_codes(&numbers)));
            }
            let mut chunk = Chunk { rows: positions.len(), columns: stored };
            used += chunk.columns.iter().map(Stored::memory).sum::<usize>();
            if used > memory {
                if result.spill.is_none() {
                    result.spill = Some(SpillFile::new(folder)?);
                }
                if let Some(file) = &result.spill {
                    for column in &mut chunk.columns {
                        used -= column.memory();
                        column.spill(file)?;
                    }
                }
            }
            result.chunks.push(chunk);
            result.starts.push(starts);
        }
        Ok(result)
    }

    /// Bin and position of every kept row of a chunk.
    fn bins_of(&self, chunk: usize, marks: &[u8], keep: &impl Fn(u8) -> bool, random: &mut ChaCha20Rng) -> Result<Vec<(u32, u32)>> {
        let kept = marks.iter().enumerate().filter(|&(_, &mark)| keep(mark));
        #[expect(clippy::cast_possible_truncation, reason = "chunks and bins are smaller than 2³²")]
        Ok(match &self.order {
            RowOrder::Shuffled { .. } => kept.map(|(row, _)| (random.random_range(0..self.bins as u32), row as u32)).collect(),
            RowOrder::Ranked { subject, ranks, .. } => {
                let mut codes = Vec::with_capacity(marks.len());
                self.table.codes(chunk, *subject, &mut codes)?;
                let bins = self.bins as u128;
                kept.map(|(row, _)| (((u128::from(rank(ranks, codes[row])) * bins) >> 64) as u32, row as u32)).collect()
            }
        })
    }

    /// Number of bins; bin after bin gives the order.
    #[must_use]
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// Kept rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// One bin.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn bin(&'a self, bin: usize) -> Result<Bin<'a>> {
        let rows: usize = self.starts.iter().map(|starts| (starts[bin + 1] - starts[bin]) as usize).sum();
        let mut permutation: Vec<u32> = (0..u32::try_from(rows).map_err(|_| too_large())?).collect();
        let seed = match &self.order {
            RowOrder::Shuffled { seed } | RowOrder::Ranked { seed, .. } => seed,
        };
        let mut random = ChaCha20Rng::from_seed(*seed);
        // Stream 0 drew the bins.
        random.set_stream(bin as u64 + 1);
        let mut unordered = Bin { ordered: self, permutation: Vec::new(), number: bin };
        match &self.order {
            RowOrder::Shuffled { .. } => shuffle(&mut permutation, &mut random),
            RowOrder::Ranked { subject, ranks, then, .. } => {
                unordered.permutation.clone_from(&permutation);
                let codes = unordered.codes(*subject)?;
                let numbers = match then {
                    Some(then) => unordered.numbers(then)?,
                    None => vec![0; rows],
                };
                let ties: Vec<u64> = (0..rows).map(|_| random.next_u64()).collect();
                permutation.sort_unstable_by_key(|&row| {
                    let row = row as usize;
                    (rank(ranks, codes[row]), codes[row], numbers[row], ties[row])
                });
            }
        }
        Ok(Bin { ordered: self, permutation, number: bin })
    }

    /// The pieces of a column that lie in a bin, in input order.
    fn pieces(&self, bin: usize, column: usize) -> impl Iterator<Item = Result<Packed>> + '_ {
        self.chunks.iter().zip(&self.starts).filter_map(move |(chunk, starts)| {
            let (start, end) = (starts[bin] as usize, starts[bin + 1] as usize);
            (start < end).then(|| chunk.columns[column].load(self.spill.as_ref(), start, end - start))
        })
    }
}

fn rank(ranks: &[u64], code: u32) -> u64 {
    ranks.get(code as usize).copied().unwrap_or(u64::MAX)
}

/// Fisher–Yates with exactly uniform draws.
fn shuffle(rows: &mut [u32], random: &mut ChaCha20Rng) {
    #[expect(clippy::cast_possible_truncation, reason = "a bin has fewer than 2³² rows")]
    for last in (1..rows.len()).rev() {
        rows.swap(last, random.random_range(0..=last as u32) as usize);
    }
}

fn too_large() -> Error {
    Error::Arrow { context: "ordering rows".to_owned(), kind: "a person has more rows than memory can order".to_owned() }
}

impl Bin<'_> {
    /// Rows of the bin.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.permutation.len()
    }

    /// Codes of a coded column.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn codes(&self, column: usize) -> Result<Vec<u32>> {
        let mut codes = Vec::with_capacity(self.rows());
        for piece in self.ordered.pieces(self.number, column) {
            piece?.codes(&mut codes);
        }
        Ok(self.permutation.iter().map(|&row| codes[row as usize]).collect())
    }

    /// The marks of the rows.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn marks(&self) -> Result<Vec<u8>> {
        let marks = self.codes(self.ordered.table.columns.len())?;
        Ok(marks.into_iter().map(|mark| u8::try_from(mark).unwrap_or(u8::MAX)).collect())
    }

    /// The numbers of the rows; empty if [`OrderedRows::with_numbers`] was given none.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn numbers_of_rows(&self) -> Result<Vec<u32>> {
        let place = self.ordered.table.columns.len() + 1;
        if self.ordered.chunks.iter().any(|chunk| chunk.columns.len() <= place) {
            return Ok(Vec::new());
        }
        self.codes(place)
    }

    /// Values of a column.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn array(&self, column: usize) -> Result<ArrayRef> {
        let arrays = self
            .ordered
            .pieces(self.number, column)
            .map(|piece| piece.and_then(|piece| self.ordered.table.to_array(column, &piece)))
            .collect::<Result<Vec<_>>>()?;
        if arrays.is_empty() {
            return Ok(arrow::array::new_empty_array(self.ordered.table.schema.field(column).data_type()));
        }
        let joined = concat(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>()).map_err(|e| Error::arrow("joining pieces", &e))?;
        let indices = arrow::array::UInt32Array::from(self.permutation.clone());
        arrow::compute::take(&joined, &indices, None).map_err(|e| Error::arrow("ordering rows", &e))
    }

    /// A column of numbers or times as 64-bit integers; missing values are smallest.
    fn numbers(&self, then: &Then) -> Result<Vec<i64>> {
        let mut array = self.array(then.column)?;
        if let Some(kernel) = &then.kernel {
            array = apply_once(kernel.as_ref(), array.as_ref())?;
        }
        let name = self.ordered.table.schema.field(then.column).name();
        let unordered = || {
            Error::column(
                name,
                format!("has the type {}, which has no order in time", array.data_type()),
                "give times, dates or whole numbers, or shuffle",
            )
        };
        if !(array.data_type().is_temporal() || array.data_type().is_integer()) {
            return Err(unordered());
        }
        let words = match array.data_type() {
            DataType::Date32 | DataType::Time32(_) => cast(&array, &DataType::Int32).and_then(|days| cast(&days, &DataType::Int64)),
            _ => cast(&array, &DataType::Int64),
        };
        let words = words.map_err(|_| unordered())?;
        Ok(words.as_primitive::<Int64Type>().iter().map(|value| value.unwrap_or(i64::MIN)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::coded::{CodedTableBuilder, TableOptions};
    use super::*;
    use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
    use arrow::datatypes::Int64Type;
    use std::sync::Arc;

    fn table(rows: i64, chunk_rows: usize) -> CodedTable {
        let subjects = StringArray::from_iter_values((0..rows).map(|i| format!("{}", i % 11)));
        let numbers = Int64Array::from_iter_values((0..rows).map(|i| i * 3));
        let batch = RecordBatch::try_from_iter([("s", Arc::new(subjects) as ArrayRef), ("n", Arc::new(numbers))]).unwrap();
        let mut builder =
            CodedTableBuilder::new(batch.schema_ref(), &["s"], TableOptions { chunk_rows, ..TableOptions::default() }).unwrap();
        builder.push(&batch).unwrap();
        builder.finish().unwrap()
    }

    fn collect(table: &CodedTable, order: RowOrder<'_>, memory: usize) -> Vec<(u32, i64, u8)> {
        let marks: Vec<Vec<u8>> = (0..table.chunks())
            .map(|c| {
                table.array(c, 1).unwrap().as_primitive::<Int64Type>().values().iter().map(|&n| u8::try_from(n % 5).unwrap()).collect()
            })
            .collect();
        let ordered = OrderedRows::new(table, &[0, 1], &marks, |mark| mark != 4, order, memory, &std::env::temp_dir()).unwrap();
        let mut rows = Vec::new();
        for bin in 0..ordered.bins() {
            let bin = ordered.bin(bin).unwrap();
            let numbers = bin.array(1).unwrap();
            let marks = bin.marks().unwrap();
            for (row, code) in bin.codes(0).unwrap().into_iter().enumerate() {
                rows.push((code, numbers.as_primitive::<Int64Type>().value(row), marks[row]));
            }
        }
        rows
    }

    #[test]
    fn a_shuffle_is_a_permutation_that_chunks_and_memory_do_not_change() {
        let rows = 300_000;
        let expected = collect(&table(rows, 1 << 17), RowOrder::Shuffled { seed: [7; 32] }, usize::MAX);
        for (chunk_rows, memory) in [(1000, usize::MAX), (1 << 16, 0)] {
            assert_eq!(collect(&table(rows, chunk_rows), RowOrder::Shuffled { seed: [7; 32] }, memory), expected);
        }
        assert_ne!(collect(&table(rows, 1 << 17), RowOrder::Shuffled { seed: [8; 32] }, usize::MAX), expected);
        let mut sorted: Vec<_> = expected.iter().map(|r| r.1).collect();
        let in_order = sorted.windows(2).filter(|w| w[0] < w[1]).count();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..rows).map(|i| i * 3).filter(|n| n % 5 != 4).collect::<Vec<_>>());
        // Half of all neighbours are in order, up to six standard deviations: false alarm below 1 in 10⁸.
        let n = f64::from(u32::try_from(expected.len()).unwrap());
        assert!((f64::from(u32::try_from(in_order).unwrap()) - n / 2.0).abs() < 6.0 * (n / 12.0).sqrt());
        assert!(expected.iter().all(|&(_, n, mark)| i64::from(mark) == n % 5));
    }

    #[test]
    fn every_permutation_of_few_rows_is_equally_likely() {
        let table = table(4, 2);
        let mut seen = std::collections::HashMap::new();
        for seed in 0..2400_u32 {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&seed.to_le_bytes());
            let marks: Vec<Vec<u8>> = vec![vec![0; 2]; 2];
            let ordered =
                OrderedRows::new(&table, &[1], &marks, |_| true, RowOrder::Shuffled { seed: bytes }, usize::MAX, &std::env::temp_dir())
                    .unwrap();
            let order = ordered.bin(0).unwrap().array(1).unwrap().as_primitive::<Int64Type>().values().to_vec();
            *seen.entry(order).or_insert(0_u32) += 1;
        }
        assert_eq!(seen.len(), 24);
        // χ² with 23 degrees of freedom: false alarm below 1 in 10⁶ at 69.
        let chi: f64 = seen.values().map(|&n| (f64::from(n) - 100.0).powi(2) / 100.0).sum();
        assert!(chi < 69.0, "{chi}");
    }

    #[test]
    fn ranked_rows_are_grouped_and_sorted() {
        let table = table(10_000, 999);
        let ranks: Vec<u64> = (0..11_u64).map(|i| (i * 7 % 11) << 60).collect();
        let rows =
            collect(&table, RowOrder::Ranked { subject: 0, ranks: &ranks, then: Some(Then { column: 1, kernel: None }), seed: [1; 32] }, 0);
        let keys: Vec<_> = rows.iter().map(|r| (ranks[r.0 as usize], r.0, r.1)).collect();
        assert!(keys.windows(2).all(|w| w[0] <= w[1]));
        assert_eq!(rows.len(), 8000);
    }
}
