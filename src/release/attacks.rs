//! Attacks on the rows of a table: what is known, of whom, and how people and things are named so that verdicts do not depend on chance.

use super::budget::Budget;
use super::records::Shape;
use super::report::Attack;
use super::rows::{ItemRows, ReleasedRows};
use crate::error::Result;
use crate::io::table::NULL_CODE;
use crate::matrix::{CodeChunks, PairChunks, SubjectItems, content_hashes};
use crate::policy::{AttackName, Gate};
use crate::risk::{AttackOptions, AttackResult, KnownItems, KnownValues};

/// Unicity for every number of known items of the gate. With `owner`, the column of people, the subjects of the rows are what tokens link.
pub(super) fn known_items(
    rows: &ReleasedRows<'_>,
    owner: Option<usize>,
    shape: &Shape,
    gate: &Gate,
    seed: &[u8; 32],
    memory: usize,
) -> Result<Vec<AttackResult>> {
    unicity(&Items::new(rows, shape)?, owner, gate, seed, memory, 1)
}

/// Rows up to which the combination of all columns is tried.
const JOINT_ROWS: usize = 4_000_000;

/// Several rows of a person: for every number of known rows, the column (or all columns together) whose values single out most people.
///
/// Where a token joins the rows of a person (or, with `owner`, some of them), knowing what a few of the rows say in one column is like knowing a few items: days are as good as artists.
pub(super) fn known_rows(
    rows: &ReleasedRows<'_>,
    owner: Option<usize>,
    columns: &[String],
    gate: &Gate,
    seed: &[u8; 32],
    memory: usize,
) -> Result<Vec<AttackResult>> {
    let mut sets: Vec<Vec<String>> = columns.iter().map(|column| vec![column.clone()]).collect();
    if columns.len() > 1 && rows.table.rows() <= JOINT_ROWS {
        sets.push(columns.to_vec());
    }
    let mut worst: Vec<AttackResult> = Vec::new();
    for set in sets {
        for mut result in unicity(&Items::joint(rows, &set)?, owner, gate, seed, memory, 2)? {
            result.name = AttackName::KnownValues;
            result.columns.clone_from(&set);
            match worst.iter_mut().find(|other| other.known == result.known) {
                Some(other) if (result.gate_value, result.rate) > (other.gate_value, other.rate) => *other = result,
                Some(_) => {}
                None => worst.push(result),
            }
        }
    }
    Ok(worst)
}

/// The attack with every number of known things from `least` on.
fn unicity(
    items: &Items<'_>,
    owner: Option<usize>,
    gate: &Gate,
    seed: &[u8; 32],
    memory: usize,
    least: usize,
) -> Result<Vec<AttackResult>> {
    let matrix = SubjectItems::build(items, items.rows.rows.subjects()?, items.count(), Budget::new(memory).algorithm())?;
    let item_ids = items.ids(seed)?;
    // People are named by what they have, so that choices depend neither on tokens nor on the order of rows.
    let subject_ids: Vec<u64> = (0..u32::try_from(matrix.subjects()).unwrap_or(u32::MAX))
        .map(|subject| matrix.items_of(subject).iter().fold(0_u64, |sum, &item| sum.wrapping_add(item_ids[item as usize])))
        .collect();
    let attack = match owner {
        None => KnownItems::new(&matrix, &subject_ids, &item_ids)?,
        Some(owner) => KnownItems::of_units(&matrix, &subject_ids, &item_ids, &items.rows.rows.owners(owner)?)?,
    };
    let options = AttackOptions::new(gate, *seed);
    gate.known_items.iter().filter(|&&known| known >= least).map(|&known| attack.run(known, &options)).collect()
}

/// The worst combination of one to three columns.
pub(super) fn known_values(
    rows: &ReleasedRows<'_>,
    columns: &[String],
    gate: &Gate,
    seed: &[u8; 32],
    memory: usize,
) -> Result<AttackResult> {
    let indices = columns.iter().map(|name| rows.table.column(name)).collect::<Result<Vec<_>>>()?;
    let values = ValueRows { rows, columns: indices };
    let ids = values.subject_ids(seed)?;
    KnownValues::new(&values, columns.iter().cloned(), rows.subjects()?, &ids)?
        .with_memory(Budget::new(memory).algorithm())
        .run(&AttackOptions::new(gate, *seed))
}

/// An entry of the report.
pub(super) fn entry(result: AttackResult, knowledge: &str) -> Attack {
    Attack { knowledge: Some(knowledge.to_owned()), ..Attack::from(result) }
}

/// An entry of the report for an attack that knows several rows.
pub(super) fn entry_of_rows(result: AttackResult, split: bool) -> Attack {
    let whose = if split { "one token" } else { "the person" };
    let knowledge = format!("in {} rows of {whose}, by what tells most", result.known);
    entry(result, &knowledge)
}

/// (person, item) of the rows. The item of a row is the combination of its item columns from the finest that is not missing.
pub(super) struct Items<'a> {
    rows: ItemRows<'a>,
    columns: Vec<usize>,
    counts: Vec<usize>,
}

impl<'a> Items<'a> {
    pub(super) fn new(rows: &'a ReleasedRows<'a>, shape: &Shape) -> Result<Self> {
        let levels = shape
            .items
            .iter()
            .map(|level| level.iter().map(|name| rows.table.column(name)).collect::<Result<Vec<_>>>())
            .collect::<Result<Vec<_>>>()?;
        Self::of_levels(rows, levels)
    }

    /// The combination of these columns in a row is one thing to know. A column that is never missing leads, so that no row drops out.
    fn joint(rows: &'a ReleasedRows<'a>, columns: &[String]) -> Result<Self> {
        let mut level = columns.iter().map(|name| rows.table.column(name)).collect::<Result<Vec<_>>>()?;
        if level.len() > 1 {
            let complete = level.iter().map(|&column| rows.table.has_missing(column)).collect::<Result<Vec<_>>>()?;
            let leading = complete.iter().position(|missing| !missing).unwrap_or(0);
            level.swap(0, leading);
        }
        Self::of_levels(rows, vec![level])
    }

    fn of_levels(rows: &'a ReleasedRows<'a>, levels: Vec<Vec<usize>>) -> Result<Self> {
        let columns = levels.iter().flatten().copied().collect();
        let items = ItemRows::new(rows, levels)?;
        let counts = items.counts()?;
        Ok(Self { rows: items, columns, counts })
    }

    pub(super) fn count(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Item code of every row.
    fn code(&self, levels: &[&[u32]], row: usize) -> u32 {
        let mut offset = 0;
        for (codes, count) in levels.iter().zip(&self.counts) {
            if codes[row] != NULL_CODE {
                return offset + codes[row];
            }
            offset += u32::try_from(*count).unwrap_or(u32::MAX);
        }
        NULL_CODE
    }

    /// A stable name of every item.
    fn ids(&self, seed: &[u8; 32]) -> Result<Vec<u64>> {
        let table = self.rows.rows.table;
        let hashes = self.columns.iter().map(|&column| content_hashes(&[table.values(column)?], seed)).collect::<Result<Vec<_>>>()?;
        let mut ids = vec![0_u64; self.count()];
        let mut codes: Vec<Vec<u32>> = vec![Vec::new(); self.columns.len()];
        self.rows.visit_levels(&mut |chunk, subjects, levels| {
            for (codes, &column) in codes.iter_mut().zip(&self.columns) {
                codes.clear();
                table.codes(chunk, column, codes)?;
            }
            for row in 0..subjects.len() {
                let code = self.code(levels, row);
                if let Some(id) = ids.get_mut(code as usize).filter(|id| **id == 0) {
                    let parts = hashes.iter().zip(&codes).map(|(hashes, codes)| hashes.get(codes[row] as usize).copied().unwrap_or(1));
                    *id = parts.fold(1, |id: u64, part| (id ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31)) | 1;
                }
            }
            Ok(())
        })?;
        Ok(ids)
    }
}

impl PairChunks for Items<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&[u32], &[u32]) -> Result<()>) -> Result<()> {
        let mut codes = Vec::new();
        self.rows.visit_levels(&mut |_, subjects, levels| {
            codes.clear();
            codes.extend((0..subjects.len()).map(|row| self.code(levels, row)));
            visit(subjects, &codes)
        })
    }
}

/// Columns of the rows, for the attack on known values.
struct ValueRows<'a> {
    rows: &'a ReleasedRows<'a>,
    columns: Vec<usize>,
}

impl ValueRows<'_> {
    /// People named by the content of their rows.
    fn subject_ids(&self, seed: &[u8; 32]) -> Result<Vec<u64>> {
        let hashes =
            self.columns.iter().map(|&column| content_hashes(&[self.rows.table.values(column)?], seed)).collect::<Result<Vec<_>>>()?;
        let mut ids = vec![0_u64; self.rows.subjects()?];
        self.rows.visit(&self.columns, &mut |_, subjects, codes| {
            for (row, &subject) in subjects.iter().enumerate() {
                if let Some(id) = ids.get_mut(subject as usize) {
                    let parts = hashes.iter().zip(codes).map(|(hashes, codes)| hashes.get(codes[row] as usize).copied().unwrap_or(1));
                    *id = id.wrapping_add(parts.fold(1, |id: u64, part| (id ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31)));
                }
            }
            Ok(())
        })?;
        Ok(ids)
    }
}

impl CodeChunks for ValueRows<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&[u32], &[&[u32]]) -> Result<()>) -> Result<()> {
        self.rows.visit(&self.columns, &mut |_, subjects, codes| {
            let columns: Vec<&[u32]> = codes.iter().map(Vec::as_slice).collect();
            visit(subjects, &columns)
        })
    }
}
