//! From sets of units to released classes.

use super::cell::Cell;
use super::dimension::Dimension;
use super::judge::Judge;
use super::recoding::{ClassLabels, Found, LocalRecoding, Shortfall};
use crate::anonymity::classes::{ClassStatistics, Tuples};
use crate::anonymity::models::{ClassTable, Models};
use arrow::array::{ArrayRef, StringArray};
use hashbrown::HashMap;
use std::sync::Arc;

/// Sets of units with what each shows of every column.
#[derive(Debug)]
pub(super) struct Draft {
    /// Units of every set; sets may be empty of rows only where a population was given.
    pub(super) units: Vec<Vec<u32>>,
    /// One a column, one entry a set.
    pub(super) cells: Vec<Vec<Cell>>,
    /// One a column: the labels of the sets, if they are not those of the cells.
    pub(super) labels: Vec<Option<ClassLabels>>,
    /// Additional penalties of labels that are wider than their cells, one a column and set; else those of the cells.
    pub(super) penalties: Vec<Option<Vec<f64>>>,
}

/// Joins sets whose labels are the same, as nobody could tell them apart; keeps only what satisfies the models then.
pub(super) fn seal(
    tuples: &Tuples,
    dimensions: &Arc<[Dimension]>,
    models: &Models,
    allowed_rows: u64,
    draft: Draft,
    threads: usize,
) -> Found {
    let mut judge = Judge::new(tuples, models);
    let Draft { units, mut cells, labels, penalties } = draft;
    let labels = labels_of(dimensions, &cells, labels, threads);
    let mut known: HashMap<Vec<u32>, usize> = HashMap::with_capacity(units.len());
    // Sets that become classes, by the number of their first set.
    let mut firsts: Vec<usize> = Vec::with_capacity(units.len());
    let mut members: Vec<Vec<u32>> = Vec::with_capacity(units.len());
    for (set, of_set) in units.into_iter().enumerate() {
        let key: Vec<u32> = labels.iter().map(|column| column.keys[set]).collect();
        if let Some(&class) = known.get(&key) {
            let mut union = members[class].clone();
            union.extend_from_slice(&of_set);
            // Otherwise the later set is left out.
            if judge.hold(&union) {
                members[class] = union;
                for (column, dimension) in cells.iter_mut().zip(dimensions.iter()) {
                    column[firsts[class]] = column[firsts[class]].join(&column[set], dimension);
                }
            }
        } else if judge.hold(&of_set) {
            known.insert(key, members.len());
            firsts.push(set);
            members.push(of_set);
        }
    }
    let statistics: Vec<ClassStatistics> = members.iter().map(|units| judge.statistics(units)).collect();
    let mut outliers = vec![false; members.len()];
    let released: u64 = statistics.iter().map(|class| class.rows).sum();
    let lost = tuples.total_rows() - released;
    // Suppressed sets are no classes, so they are taken off what may be suppressed.
    let spare = allowed_rows.saturating_sub(lost);
    let table = ClassTable::new(&statistics);
    if lost > allowed_rows || !models.enforce(&table, &mut outliers, spare) {
        let all = (0_u32..).take(tuples.len()).collect::<Vec<_>>();
        let whole = judge.statistics(&all);
        let mut needed = vec![false; members.len()];
        let enough = models.enforce(&table, &mut needed, u64::MAX);
        let more: u64 = statistics.iter().zip(&needed).filter(|&(_, &outlier)| outlier).map(|(class, _)| class.rows).sum();
        let mut failing: Vec<_> = models.tables().map(crate::anonymity::models::TableModel::name).collect();
        if lost > allowed_rows {
            failing.extend(models.iter().map(crate::anonymity::models::PrivacyModel::name));
        }
        let needed = if enough { lost + more } else { tuples.total_rows() };
        return Found::Nothing(Shortfall { whole, failing, suppressed: Some((needed, allowed_rows)) });
    }
    let kept: Vec<usize> = (0..members.len()).filter(|&class| !outliers[class]).collect();
    let mut of_units = vec![LocalRecoding::SUPPRESSED; tuples.len()];
    for (number, &class) in (0_u32..).zip(&kept) {
        for &unit in &members[class] {
            // Units beyond are of the population only.
            if let Some(of_unit) = of_units.get_mut(unit as usize) {
                *of_unit = number;
            }
        }
    }
    let pick_cells = |column: &Vec<Cell>| kept.iter().map(|&class| column[firsts[class]].clone()).collect::<Vec<_>>();
    let cells: Vec<Vec<Cell>> = cells.iter().map(pick_cells).collect();
    let penalties = penalties.into_iter().zip(&cells).zip(dimensions.iter()).map(|((given, cells), dimension)| match given {
        Some(given) => kept.iter().map(|&class| given[firsts[class]]).collect(),
        None => cells.iter().map(|cell| cell.penalty(dimension)).collect(),
    });
    let penalties = penalties.collect();
    let labels = labels
        .into_iter()
        .map(|column| {
            let keys = kept.iter().map(|&class| column.keys[firsts[class]]).collect();
            ClassLabels { keys, ..column }
        })
        .collect();
    let of_tuples: Vec<Option<u32>> =
        of_units.iter().map(|&class| Some(class).filter(|&class| class != LocalRecoding::SUPPRESSED)).collect();
    let multisets = tuples.multisets(&of_tuples);
    Found::Recoding(Box::new(LocalRecoding {
        dimensions: Arc::clone(dimensions),
        labels,
        cells,
        penalties,
        statistics: kept.iter().map(|&class| statistics[class]).collect(),
        of_units,
        rows: tuples.total_rows(),
        suppressed_subjects: tuples.subjects() - multisets.subjects,
        multisets,
        within: None,
        rounds: Vec::new(),
    }))
}

/// Labels of all columns, those of several columns at once.
fn labels_of(dimensions: &Arc<[Dimension]>, cells: &[Vec<Cell>], mut given: Vec<Option<ClassLabels>>, threads: usize) -> Vec<ClassLabels> {
    let share = cells.len().div_ceil(threads.max(1)).max(1);
    std::thread::scope(|scope| {
        let chunks = dimensions.chunks(share).zip(cells.chunks(share)).zip(given.chunks_mut(share));
        let handles: Vec<_> = chunks
            .map(|((dimensions, cells), given)| {
                scope.spawn(move || {
                    let columns = dimensions.iter().zip(cells).zip(given);
                    columns.map(|((dimension, cells), given)| given.take().unwrap_or_else(|| labels(dimension, cells))).collect::<Vec<_>>()
                })
            })
            .collect();
        handles
            .into_iter()
            .flat_map(|handle| match handle.join() {
                Ok(columns) => columns,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

fn labels(dimension: &Dimension, cells: &[Cell]) -> ClassLabels {
    let mut by_cell: HashMap<&Cell, u32> = HashMap::new();
    let mut by_label: HashMap<Option<String>, u32> = HashMap::new();
    let mut distinct: Vec<Option<String>> = Vec::new();
    let keys = cells
        .iter()
        .map(|cell| {
            *by_cell.entry(cell).or_insert_with(|| {
                let label = cell.label(dimension);
                *by_label.entry(label).or_insert_with_key(|label| {
                    distinct.push(label.clone());
                    u32::try_from(distinct.len() - 1).unwrap_or(u32::MAX)
                })
            })
        })
        .collect();
    ClassLabels { keys, distinct: Arc::new(StringArray::from(distinct)) as ArrayRef, of_cells: true }
}
