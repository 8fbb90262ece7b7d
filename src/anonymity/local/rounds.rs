//! Full-domain recoding again and again.

use super::cell::Cell;
use super::dimension::Dimension;
use super::judge::Judge;
use super::mondrian::Resources;
use super::recoding::Found;
use super::seal::{Draft, seal};
use crate::anonymity::classes::{Grouper, Tuples};
use crate::anonymity::hierarchy::Hierarchy;
use crate::anonymity::models::Models;
use crate::anonymity::search::{Found as Searched, Outcome, Transformation, allowed_rows};
use crate::error::{Error, Result};
use crate::units::Share;
use hashbrown::HashMap;
use std::sync::Arc;

/// What one round of [`local`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// One level a column.
    pub levels: Vec<usize>,
    /// Rows that the round released.
    pub rows: u64,
    /// Classes of the round; some may have joined classes of earlier rounds.
    pub classes: u64,
}

/// Repeated full-domain recoding: the rows that a transformation suppresses are a table of their own, for which other levels are best.
///
/// `search` is given a table and the share of its rows that may be suppressed, and says which levels are best: [`optimal`](crate::anonymity::search::optimal) or
/// another search over the same hierarchies and models. The first search is given the whole table and `first_limit`; with 1 it is free to release only the rows
/// that suit the same levels. Later searches are given the rows that are left, of which one at least must be released. It ends when nothing more can be released.
///
/// A class of a later round may have the labels of an earlier one: they are one class of the release, and the later rows are taken only if the models hold on
/// both together. References of models (t-closeness) are those of the whole table, as `models` and `search` have them.
///
/// # Guarantee
/// Every class of the release satisfies every model, counted in people.
///
/// # Errors
/// Tuples and hierarchies do not fit each other, a population was given, or the search fails.
///
/// # References
/// The iterative optimization of ARX: Prasser, Bild, Eicher, Spengler, Kohlmayer, Kuhn, *Lightning: utility-driven anonymization of high-dimensional data*
/// (2016) and the manual of ARX, "local recoding".
pub fn local(
    tuples: &Tuples,
    hierarchies: &[Hierarchy],
    models: &Models,
    resources: Resources,
    first_limit: Share,
    mut search: impl FnMut(&Tuples, Share) -> Result<Outcome>,
) -> Result<Found> {
    if tuples.population().is_some() {
        let problem = "cannot be given for repeated recoding: a person of it may fit classes of several rounds; use strict Mondrian";
        return Err(Error::Parameter { name: "population", problem: problem.to_owned() });
    }
    let dimensions: Arc<[Dimension]> = hierarchies.iter().map(Dimension::of_hierarchy).collect::<Result<_>>()?;
    let mut release = Release {
        tuples,
        dimensions: &dimensions,
        judge: Judge::new(tuples, models),
        sets: Vec::new(),
        cells: Vec::new(),
        known: HashMap::new(),
    };
    let mut left = vec![true; tuples.len()];
    let mut rounds = Vec::new();
    loop {
        let (table, numbers) = tuples.restricted(|tuple| left[tuple]);
        if table.is_empty() {
            break;
        }
        let limit = if rounds.is_empty() { first_limit } else { all_but_one(table.total_rows())? };
        let Searched::Transformation(transformation) = search(&table, limit)?.found else { break };
        let round = release.add(&table, &numbers, hierarchies, &transformation, &mut left)?;
        if round.rows == 0 {
            break;
        }
        rounds.push(round);
    }
    let Release { sets, cells, .. } = release;
    let columns = dimensions.len();
    let by_column = (0..columns).map(|column| cells.iter().map(|cells: &Vec<Cell>| cells[column].clone()).collect()).collect();
    let draft = Draft { units: sets, cells: by_column, labels: vec![None; columns], penalties: vec![None; columns] };
    let allowed = allowed_rows(resources.suppression_limit, tuples.total_rows());
    let mut found = seal(tuples, &dimensions, models, allowed, draft, resources.threads.get());
    if let Found::Recoding(recoding) = &mut found {
        recoding.rounds = rounds;
    }
    Ok(found)
}

/// All rows of a table but one, as a share.
#[expect(clippy::cast_precision_loss, reason = "a share; one row more or less does not matter as long as one is released")]
fn all_but_one(rows: u64) -> Result<Share> {
    let mut most = rows - 1;
    loop {
        let share = Share::new(most as f64 / rows as f64)?;
        if allowed_rows(share, rows) < rows || most == 0 {
            return Ok(share);
        }
        most -= 1;
    }
}

/// Classes so far.
struct Release<'a> {
    tuples: &'a Tuples,
    dimensions: &'a [Dimension],
    judge: Judge<'a>,
    sets: Vec<Vec<u32>>,
    /// One row of cells a set.
    cells: Vec<Vec<Cell>>,
    /// Sets by their labels.
    known: HashMap<Vec<Option<String>>, usize>,
}

impl Release<'_> {
    /// Takes the classes of a round, whose tuples have other `numbers` in the whole table.
    fn add(
        &mut self,
        table: &Tuples,
        numbers: &[u32],
        hierarchies: &[Hierarchy],
        transformation: &Transformation,
        left: &mut [bool],
    ) -> Result<Round> {
        let levels = &transformation.levels;
        let classes = Grouper::new(table, hierarchies)?.group(levels)?;
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); classes.len()];
        for (tuple, &class) in classes.of_tuples().iter().enumerate() {
            if !transformation.is_suppressed(tuple) {
                members[class as usize].push(numbers[tuple]);
            }
        }
        let mut round = Round { levels: levels.clone(), rows: 0, classes: 0 };
        for mut units in members.into_iter().filter(|units| !units.is_empty()) {
            let codes = self.tuples.codes(units[0] as usize);
            let cells: Vec<Cell> = self
                .dimensions
                .iter()
                .zip(codes)
                .zip(levels)
                .map(|((dimension, &code), &level)| dimension.rank(code).map_or(Cell::Missing, |rank| Cell::at(dimension, level, rank)))
                .collect();
            let labels: Vec<Option<String>> = self.dimensions.iter().zip(&cells).map(|(dimension, cell)| cell.label(dimension)).collect();
            let rows: u64 = units.iter().map(|&unit| self.tuples.rows()[unit as usize]).sum();
            let new = units.clone();
            let known = self.known.get(&labels).copied();
            if let Some(set) = known {
                units.extend_from_slice(&self.sets[set]);
            }
            if !self.judge.hold(&units) {
                continue;
            }
            if let Some(set) = known {
                for ((cell, new), dimension) in self.cells[set].iter_mut().zip(cells).zip(self.dimensions) {
                    *cell = cell.join(&new, dimension);
                }
                self.sets[set] = units;
            } else {
                self.known.insert(labels, self.sets.len());
                self.sets.push(units);
                self.cells.push(cells);
            }
            round.rows += rows;
            round.classes += 1;
            for &unit in &new {
                left[unit as usize] = false;
            }
        }
        Ok(round)
    }
}
