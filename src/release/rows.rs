//! The rows of a table as the algorithms want to see them: chunks of codes that can be visited again.

use super::columns::is_released;
use crate::error::{Error, Result};
use crate::io::table::{CodedTable, NULL_CODE};
use crate::keys::{Domain, Key};
use crate::matrix::{CodeChunks, JointCodes, PairChunks, PriorityChunks, content_hashes};
use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
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

    /// The owner of every code of the subject column, where that is not the column of people; `owner` is.
    pub(super) fn owners(&self, owner: usize) -> Result<Vec<u32>> {
        let mut owners = vec![0; self.subjects()?];
        self.visit(&[owner], &mut |_, units, people| {
            for (&unit, &person) in units.iter().zip(&people[0]) {
                if let Some(slot) = owners.get_mut(unit as usize) {
                    *slot = person;
                }
            }
            Ok(())
        })?;
        Ok(owners)
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
        let columns: usize = levels.iter().map(Vec::len).sum();
        let result = Self { rows, levels, joint: RefCell::new(JointCodes::new(columns)) };
        if result.only_column().is_none() {
            // One pass numbers all combinations; later passes find the same numbers.
            result.visit_levels(&mut |_, _, _| Ok(()))?;
        }
        Ok(result)
    }

    /// The item column, if there is only one: its own codes serve.
    fn only_column(&self) -> Option<usize> {
        match self.levels.as_slice() {
            [level] => match level.as_slice() {
                [column] => Some(*column),
                _ => None,
            },
            _ => None,
        }
    }

    /// Number of codes of every level.
    pub(super) fn counts(&self) -> Result<Vec<usize>> {
        if let Some(column) = self.only_column() {
            return Ok(vec![self.rows.table.distinct(column)?]);
        }
        let counts = self.joint.borrow().counts();
        Ok(self.first_columns().map(|column| counts[column]).collect())
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
        if self.only_column().is_some() {
            return self.rows.visit(&columns, &mut |chunk, subjects, codes| visit(chunk, subjects, &[&codes[0]]));
        }
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
    /// Numbers are hashed together, row by row.
    numbers: Vec<usize>,
    key: Key,
    /// Rows of people who need no priority have 0.
    over: Vec<bool>,
    /// Priorities of the rows that need one, chunk by chunk, if there is room for them.
    kept: Option<Vec<Vec<u64>>>,
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
    pub(super) fn new(rows: &'a ReleasedRows<'a>, max: u64, key: &Key, memory: usize) -> Result<Self> {
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
        // What the run added is numbered by the order of the rows, so it says nothing about the content of one.
        let own = (0..schema.fields().len()).filter(|&column| !schema.field(column).name().starts_with('\0'));
        let (numbers, others): (Vec<usize>, Vec<usize>) = own.partition(|&column| rows.table.is_packed(column));
        let columns = others
            .into_iter()
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
        let needed: u64 = counts.iter().filter(|&&count| count > max).sum();
        let over = counts.into_iter().map(|count| count > max).collect();
        let key = key.derive(&Domain::of("row-priority"));
        let mut result = Self { rows, columns, numbers, key, over, kept: None };
        if needed.saturating_mul(8) <= memory as u64 {
            let mut kept = Vec::with_capacity(rows.table.chunks());
            rows.visit(&[], &mut |chunk, subjects, _| {
                kept.push(result.hash(chunk, &result.needed(subjects))?);
                Ok(())
            })?;
            result.kept = Some(kept);
        }
        Ok(result)
    }

    /// Rows of a chunk that need a priority.
    fn needed(&self, subjects: &[u32]) -> Vec<u32> {
        (0_u32..).zip(subjects).filter(|&(_, &subject)| self.over.get(subject as usize) == Some(&true)).map(|(row, _)| row).collect()
    }

    /// Priorities of some rows of a chunk.
    fn hash(&self, chunk: usize, rows: &[u32]) -> Result<Vec<u64>> {
        let mut priorities = vec![0_u64; rows.len()];
        if rows.is_empty() {
            return Ok(priorities);
        }
        let table = self.rows.table;
        let indices = UInt32Array::from(rows.to_vec());
        let chosen = |column: usize| -> Result<ArrayRef> {
            take(&table.array(chunk, column)?, &indices, None).map_err(|e| Error::arrow("choosing rows", &e))
        };
        let mut codes = Vec::new();
        for column in &self.columns {
            match column {
                ColumnHashes::Coded { column, hashes, of_missing } => {
                    codes.clear();
                    table.codes(chunk, *column, &mut codes)?;
                    for (priority, &row) in priorities.iter_mut().zip(rows) {
                        *priority = mix(*priority, hashes.get(codes[row as usize] as usize).copied().unwrap_or(*of_missing));
                    }
                }
                ColumnHashes::Plain { column, key } => join(&mut priorities, &content_hashes(&[chosen(*column)?], key.expose())?),
            }
        }
        if !self.numbers.is_empty() {
            let arrays = self.numbers.iter().map(|&column| chosen(column)).collect::<Result<Vec<_>>>()?;
            join(&mut priorities, &content_hashes(&arrays, self.key.expose())?);
        }
        Ok(priorities)
    }

    /// Calls `visit` with the number, the subject codes and the priorities of every chunk.
    pub(super) fn visit(&self, visit: PriorityVisitor<'_>) -> Result<()> {
        let mut priorities: Vec<u64> = Vec::new();
        self.rows.visit(&[], &mut |chunk, subjects, _| {
            let needed = self.needed(subjects);
            priorities.clear();
            priorities.resize(subjects.len(), 0);
            let hashed;
            let of_needed = if let Some(kept) = &self.kept {
                &kept[chunk]
            } else {
                hashed = self.hash(chunk, &needed)?;
                &hashed
            };
            for (&row, &priority) in needed.iter().zip(of_needed) {
                priorities[row as usize] = priority;
            }
            visit(chunk, subjects, &priorities)
        })
    }
}

fn join(priorities: &mut [u64], hashes: &[u64]) {
    for (priority, &hash) in priorities.iter_mut().zip(hashes) {
        *priority = mix(*priority, hash);
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
