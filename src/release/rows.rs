//! The rows of a table as the algorithms want to see them: chunks of codes that can be visited again.

use super::columns::is_released;
use crate::error::{Error, Result};
use crate::io::table::{CodedTable, NULL_CODE};
use crate::keys::{Domain, Key};
use crate::matrix::{CodeChunks, JointCodes, PairChunks, PriorityChunks, content_hashes};
use std::cell::RefCell;

/// What is called with the number, the subject codes and the codes of every column of a chunk.
pub(super) type RowVisitor<'a> = &'a mut dyn FnMut(usize, &[u32], &[Vec<u32>]) -> Result<()>;
/// What is called with the number, the subject codes and the joint codes of every level of a chunk.
type LevelVisitor<'a> = &'a mut dyn FnMut(usize, &[u32], &[&[u32]]) -> Result<()>;
/// What is called with the number, the subject codes and the priorities of a chunk.
type PriorityVisitor<'a> = &'a mut dyn FnMut(usize, &[u32], &[u64]) -> Result<()>;

/// The released rows of a table. Rows that are not released appear with a missing subject, so that they count for nobody.
#[derive(Debug)]
pub(super) struct ReleasedRows<'a> {
    pub(super) table: &'a CodedTable,
    pub(super) marks: &'a [Vec<u8>],
    /// None: every row is a different person.
    pub(super) subject: Option<usize>,
}

impl ReleasedRows<'_> {
    /// Number of subject codes.
    pub(super) fn subjects(&self) -> Result<usize> {
        match self.subject {
            Some(subject) => self.table.distinct(subject),
            None => Ok(self.table.rows()),
        }
    }

    /// Subject codes of a chunk whose first row has the number `first_row`.
    fn subject_codes(&self, chunk: usize, first_row: usize, codes: &mut Vec<u32>) -> Result<()> {
        codes.clear();
        if let Some(subject) = self.subject {
            self.table.codes(chunk, subject, codes)?;
        } else {
            let rows = first_row..first_row + self.table.chunk_rows(chunk);
            if u32::try_from(rows.end).is_err() {
                return Err(Error::policy(
                    "subject",
                    "a table without a subject column has more than 2³² rows",
                    "name the column of the person under [subject]",
                ));
            }
            #[expect(clippy::cast_possible_truncation, reason = "checked above")]
            codes.extend(rows.map(|row| row as u32));
        }
        for (code, &mark) in codes.iter_mut().zip(&self.marks[chunk]) {
            if !is_released(mark) {
                *code = NULL_CODE;
            }
        }
        Ok(())
    }

    /// Calls `visit` with the number, the subject codes and the codes of `columns` of every chunk.
    pub(super) fn visit(&self, columns: &[usize], visit: RowVisitor<'_>) -> Result<()> {
        let mut subjects = Vec::new();
        let mut codes = vec![Vec::new(); columns.len()];
        let mut first_row = 0;
        for chunk in 0..self.table.chunks() {
            self.subject_codes(chunk, first_row, &mut subjects)?;
            first_row += self.table.chunk_rows(chunk);
            for (codes, &column) in codes.iter_mut().zip(columns) {
                codes.clear();
                self.table.codes(chunk, column, codes)?;
            }
            visit(chunk, &subjects, &codes)?;
        }
        Ok(())
    }
}

/// Item columns of the released rows, one joint code a level, finest first.
#[derive(Debug)]
pub(super) struct ItemRows<'a> {
    pub(super) rows: &'a ReleasedRows<'a>,
    /// Columns by level; what is released at level l is the combination of all columns from level l on.
    levels: Vec<Vec<usize>>,
    joint: RefCell<JointCodes>,
}

impl<'a> ItemRows<'a> {
    pub(super) fn new(rows: &'a ReleasedRows<'a>, levels: Vec<Vec<usize>>) -> Result<Self> {
        let columns = levels.iter().map(Vec::len).sum();
        let result = Self { rows, levels, joint: RefCell::new(JointCodes::new(columns)) };
        // One pass numbers all combinations; later passes find the same numbers.
        result.visit_levels(&mut |_, _, _| Ok(()))?;
        Ok(result)
    }

    /// Number of codes of every level.
    pub(super) fn counts(&self) -> Vec<usize> {
        let counts = self.joint.borrow().counts();
        self.first_columns().map(|column| counts[column]).collect()
    }

    /// Positions, in the list of all columns, at which a level begins.
    fn first_columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.levels.iter().scan(0, |next, level| {
            let first = *next;
            *next += level.len();
            Some(first)
        })
    }

    /// Calls `visit` with the number, the subject codes and the joint codes of every level of every chunk.
    pub(super) fn visit_levels(&self, visit: LevelVisitor<'_>) -> Result<()> {
        let columns: Vec<usize> = self.levels.iter().flatten().copied().collect();
        self.rows.visit(&columns, &mut |chunk, subjects, codes| {
            let codes: Vec<&[u32]> = codes.iter().map(Vec::as_slice).collect();
            let joint = self.joint.borrow_mut().extend(&codes)?;
            let levels: Vec<&[u32]> = self.first_columns().map(|column| joint[column].as_slice()).collect();
            visit(chunk, subjects, &levels)
        })
    }
}

impl CodeChunks for ItemRows<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&[u32], &[&[u32]]) -> Result<()>) -> Result<()> {
        self.visit_levels(&mut |_, subjects, levels| visit(subjects, levels))
    }
}

impl PairChunks for ItemRows<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&[u32], &[u32]) -> Result<()>) -> Result<()> {
        self.visit_levels(&mut |_, subjects, levels| visit(subjects, levels[0]))
    }
}

/// The released rows with a keyed priority each, which depends on nothing but the content of the row.
#[derive(Debug)]
pub(super) struct PrioritizedRows<'a> {
    rows: &'a ReleasedRows<'a>,
    columns: Vec<ColumnHashes>,
    /// Rows of people who need no priority have 0.
    over: Vec<bool>,
}

/// How the values of a column are hashed.
#[derive(Debug)]
enum ColumnHashes {
    /// A hash of every distinct value.
    Coded { column: usize, hashes: Vec<u64>, of_missing: u64 },
    /// Values that are hashed row by row.
    Plain { column: usize, key: Key },
}

impl<'a> PrioritizedRows<'a> {
    /// Priorities over all columns of the table, for people with more than `max` rows.
    pub(super) fn new(rows: &'a ReleasedRows<'a>, max: u64, key: &Key) -> Result<Self> {
        let mut counts = vec![0_u64; rows.subjects()?];
        rows.visit(&[], &mut |_, subjects, _| {
            for &subject in subjects {
                if let Some(count) = counts.get_mut(subject as usize) {
                    *count += 1;
                }
            }
            Ok(())
        })?;
        let schema = rows.table.schema();
        let columns = (0..schema.fields().len())
            .map(|column| {
                let key = key.derive(&Domain { column: schema.field(column).name(), ..Domain::of("row-priority") });
                if rows.table.is_coded(column) {
                    let hashes = content_hashes(&[rows.table.values(column)?], key.expose())?;
                    let missing = arrow::array::new_null_array(schema.field(column).data_type(), 1);
                    let of_missing = content_hashes(&[missing], key.expose())?.first().copied().unwrap_or_default();
                    Ok(ColumnHashes::Coded { column, hashes, of_missing })
                } else {
                    Ok(ColumnHashes::Plain { column, key })
                }
            })
            .collect::<Result<_>>()?;
        Ok(Self { rows, columns, over: counts.into_iter().map(|count| count > max).collect() })
    }

    /// Calls `visit` with the number, the subject codes and the priorities of every chunk.
    pub(super) fn visit(&self, visit: PriorityVisitor<'_>) -> Result<()> {
        let mut priorities: Vec<u64> = Vec::new();
        let mut codes = Vec::new();
        self.rows.visit(&[], &mut |chunk, subjects, _| {
            priorities.clear();
            priorities.resize(subjects.len(), 0);
            let is_over = |row: usize| self.over.get(subjects[row] as usize) == Some(&true);
            if (0..subjects.len()).any(is_over) {
                for column in &self.columns {
                    match column {
                        ColumnHashes::Coded { column, hashes, of_missing } => {
                            codes.clear();
                            self.rows.table.codes(chunk, *column, &mut codes)?;
                            for (priority, &code) in priorities.iter_mut().zip(&codes) {
                                *priority = mix(*priority, hashes.get(code as usize).copied().unwrap_or(*of_missing));
                            }
                        }
                        ColumnHashes::Plain { column, key } => {
                            // Only the rows that need a priority are hashed.
                            let needed: Vec<u32> = (0_u32..).take(subjects.len()).filter(|&row| is_over(row as usize)).collect();
                            let array = self.rows.table.array(chunk, *column)?;
                            let indices = arrow::array::UInt32Array::from(needed.clone());
                            let array = arrow::compute::take(&array, &indices, None).map_err(|e| Error::arrow("choosing rows", &e))?;
                            for (row, hash) in needed.into_iter().zip(content_hashes(&[array], key.expose())?) {
                                priorities[row as usize] = mix(priorities[row as usize], hash);
                            }
                        }
                    }
                }
            }
            visit(chunk, subjects, &priorities)
        })
    }
}

impl PriorityChunks for PrioritizedRows<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&[u32], &[u64]) -> Result<()>) -> Result<()> {
        self.visit(&mut |_, subjects, priorities| visit(subjects, priorities))
    }
}

/// Joins the hash of one more column. The hashes are keyed and uniform; a product modulo a Mersenne-like fold keeps them so and depends on the order of the columns.
fn mix(state: u64, hash: u64) -> u64 {
    let product = u128::from(state ^ 0x9e37_79b9_7f4a_7c15) * u128::from(hash | 1);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are folded")]
    let folded = (product >> 64) as u64 ^ product as u64;
    folded.rotate_left(29) ^ hash
}
