//! From sets of units to released classes.

use super::cell::Cell;
use super::dimension::Dimension;
use super::judge::Judge;
use super::recoding::{ClassLabels, Found, LocalRecoding, Shortfall};
use super::threads::in_parallel;
use crate::anonymity::classes::{ClassStatistics, Tuples};
use crate::anonymity::models::{ClassTable, Models};
use arrow::array::{ArrayRef, StringArray};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Sets that a thread looks at in one go.
const SETS_OF_A_PART: usize = 4_096;

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
    let (sets, alone) = (units.len(), alone(&judge, &units, threads));
    let hasher = DefaultHashBuilder::default();
    // Classes by their labels.
    let mut known: HashTable<usize> = HashTable::with_capacity(units.len());
    let mut of_classes: Vec<u64> = Vec::with_capacity(units.len());
    // Sets that become classes, by the number of their first set, ascending.
    let mut firsts: Vec<usize> = Vec::with_capacity(units.len());
    let mut members: Vec<Vec<u32>> = Vec::with_capacity(units.len());
    let mut statistics: Vec<ClassStatistics> = Vec::with_capacity(units.len());
    let mut key: Vec<u32> = Vec::with_capacity(labels.len());
    for (set, (of_set, alone)) in units.into_iter().zip(alone).enumerate() {
        key.clear();
        key.extend(labels.iter().map(|column| column.keys[set]));
        let hash = hasher.hash_one(&key);
        let same = |&class: &usize| labels.iter().zip(&key).all(|(column, key)| column.keys[firsts[class]] == *key);
        if let Some(&class) = known.find(hash, same) {
            let mut union = members[class].clone();
            union.extend_from_slice(&of_set);
            // Otherwise the later set is left out.
            if let Some(joined) = judge.class(&union) {
                members[class] = union;
                statistics[class] = joined;
                for (column, dimension) in cells.iter_mut().zip(dimensions.iter()) {
                    column[firsts[class]] = column[firsts[class]].join(&column[set], dimension);
                }
            }
        } else if let Some(alone) = alone {
            of_classes.push(hash);
            known.insert_unique(hash, members.len(), |&class| of_classes[class]);
            firsts.push(set);
            members.push(of_set);
            statistics.push(alone);
        }
    }
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
    let mut chosen = vec![false; sets];
    for &class in &kept {
        chosen[firsts[class]] = true;
    }
    let cells: Vec<Vec<Cell>> = cells.into_iter().map(|column| pick(column, &chosen)).collect();
    let penalties = in_parallel(cells.len(), threads, |column| match &penalties[column] {
        Some(given) => pick(given.clone(), &chosen),
        None => cells[column].iter().map(|cell| cell.penalty(&dimensions[column])).collect(),
    });
    let labels = labels.into_iter().map(|column| ClassLabels { keys: pick(column.keys, &chosen), ..column }).collect();
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

/// What is chosen, in its order.
fn pick<T>(mut all: Vec<T>, chosen: &[bool]) -> Vec<T> {
    if !chosen.iter().all(|&chosen| chosen) {
        let mut next = chosen.iter();
        all.retain(|_| next.next().is_some_and(|&chosen| chosen));
    }
    all
}

/// Which sets may be classes of their own, and what is in them.
fn alone(judge: &Judge<'_>, units: &[Vec<u32>], threads: usize) -> Vec<Option<ClassStatistics>> {
    let parts: Vec<&[Vec<u32>]> = units.chunks(SETS_OF_A_PART).collect();
    let of_part = |part: usize| {
        let mut judge = judge.another();
        parts[part].iter().map(|units| judge.class(units)).collect::<Vec<_>>()
    };
    in_parallel(parts.len(), threads, of_part).into_iter().flatten().collect()
}

/// Labels of all columns.
fn labels_of(dimensions: &[Dimension], cells: &[Vec<Cell>], mut given: Vec<Option<ClassLabels>>, threads: usize) -> Vec<ClassLabels> {
    let made = in_parallel(cells.len(), threads, |column| given[column].is_none().then(|| labels(&dimensions[column], &cells[column])));
    made.into_iter().zip(&mut given).filter_map(|(made, given)| made.or_else(|| given.take())).collect()
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
