//! Microaggregation: groups of near people, of whom all show the same.

mod blocks;
mod mdav;
mod points;
mod representative;

pub use representative::Representative;

use super::cell::Cell;
use super::dimension::Dimension;
use super::judge::Judge;
use super::mondrian::{Resources, canonical_units, shortfall};
use super::recoding::Found;
use super::rows::Rows;
use super::seal::{Draft, seal};
use crate::anonymity::models::Models;
use crate::anonymity::search::allowed_rows;
use crate::error::{Error, Result};
use crate::units::K;
use blocks::Grouping;
use points::Points;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// What microaggregation does.
#[derive(Debug, Clone, PartialEq)]
pub struct Microaggregation {
    /// People in a group at least.
    pub k: K,
    /// What groups show, one a column.
    pub representatives: Vec<Representative>,
    /// More people than this are first cut into blocks of half of it at least.
    pub block: NonZeroUsize,
}

impl Microaggregation {
    /// Blocks of 2,048 to 4,096 people.
    pub const BLOCK: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

    /// Groups of `k` people that show means of numbers, medians of other ordered values and the most frequent of other values.
    #[must_use]
    pub fn new(k: K, dimensions: &[Dimension]) -> Self {
        Self { k, representatives: dimensions.iter().map(Representative::usual).collect(), block: Self::BLOCK }
    }
}

/// Groups of near people, found by MDAV; all rows of a group show the same values.
///
/// A person is a point: numbers are taken in standard deviations, other ordered values by rank, categories are 0 or 1 apart, values of a hierarchy by the level
/// of their lowest common node; of somebody with several rows the mean, or the most frequent value. All rows of a person are in one group. Groups have `k` to 2k − 1
/// people; then each that fails a model joins the nearest group until none does. More people than `block` are first cut at medians into blocks, as Mondrian cuts,
/// because MDAV takes time with the square of their number; blocks are cut only where the models hold in both halves.
///
/// # Guarantee
/// Every class satisfies every model, counted in people, and has at least `k` people. A mean or median is made of the values of a class and may be one of
/// them; as all of its rows show it, it tells them apart no more than an interval does. It is no noise: who knows the values of all others in a class can
/// work out the last one.
///
/// # Errors
/// Dimensions do not fit the rows, or a column cannot have its representative.
///
/// # References
/// Domingo-Ferrer, Mateo-Sanz, *Practical data-oriented microaggregation for statistical disclosure control*, IEEE TKDE 2002; Domingo-Ferrer, Torra, *Ordinal,
/// continuous and heterogeneous k-anonymity through microaggregation*, Data Mining and Knowledge Discovery 2005, section 2: MDAV-generic. The second centre is
/// looked for among those whom the first left.
pub fn microaggregate(
    rows: &Rows,
    dimensions: &[Dimension],
    models: &Models,
    options: &Microaggregation,
    resources: Resources,
) -> Result<Found> {
    let units = canonical_units(rows, dimensions)?;
    if options.representatives.len() != dimensions.len() {
        return Err(Error::Parameter { name: "representatives", problem: "must be one for each column".to_owned() });
    }
    for (representative, dimension) in options.representatives.iter().zip(dimensions) {
        representative.check(dimension)?;
    }
    let tuples = rows.tuples();
    let mut judge = Judge::new(tuples, models);
    let k = usize::try_from(options.k.get()).unwrap_or(usize::MAX);
    // Ranks by the number of the row, so that people can be looked up.
    let ranks: Vec<Vec<u32>> = units
        .columns
        .iter()
        .map(|column| {
            let mut by_row = vec![0; column.len()];
            column.iter().zip(&units.numbers).for_each(|(&rank, &row)| by_row[row as usize] = rank);
            by_row
        })
        .collect();
    let people = rows.of_people(&units.numbers);
    if !rows.is_empty() {
        let short = shortfall(tuples, &mut judge, models);
        if let Some(shortfall) = short {
            return Ok(Found::Nothing(shortfall));
        }
        if people.len() < k {
            let all: Vec<u32> = (0_u32..).take(rows.len()).collect();
            let whole = judge.statistics(&all);
            return Ok(Found::Nothing(super::Shortfall { whole, failing: vec!["microaggregation"], suppressed: None }));
        }
    }
    let points = Points::new(dimensions, &ranks, &people);
    let grouping = Grouping { points: &points, people: &people, k, block: options.block.get() };
    let groups = grouping.groups(&mut judge, resources.threads.get());
    let sets: Vec<Vec<u32>> =
        groups.iter().map(|group| group.iter().flat_map(|&person| &people[person as usize]).copied().collect()).collect();
    let of_set = |column: usize, set: &Vec<u32>| set.iter().map(|&row| ranks[column][row as usize]).collect::<Vec<u32>>();
    let (mut cells, mut labels) = (Vec::with_capacity(ranks.len()), Vec::with_capacity(ranks.len()));
    for (column, (dimension, representative)) in dimensions.iter().zip(&options.representatives).enumerate() {
        cells.push(sets.iter().map(|set| Cell::of(dimension, &of_set(column, set))).collect::<Vec<_>>());
        labels.push(representative.labels(dimension, sets.iter().map(|set| of_set(column, set)))?);
    }
    let penalties = vec![None; cells.len()];
    let allowed = allowed_rows(resources.suppression_limit, tuples.total_rows());
    let draft = Draft { units: sets, cells, labels, penalties };
    let mut found = seal(tuples, &Arc::from(dimensions), models, allowed, draft, resources.threads.get());
    if let Found::Recoding(recoding) = &mut found {
        let singles: Vec<Vec<u32>> = units.numbers.iter().map(|&row| vec![row]).collect();
        recoding.within =
            Some(within(&Points::new(dimensions, &ranks, &singles), &units.numbers, &recoding.of_units, recoding.statistics.len()));
    }
    Ok(found)
}

/// Sum of the squared distances of rows, here points of their own, from the centres of their classes.
fn within(points: &Points<'_>, numbers: &[u32], of_rows: &[u32], classes: usize) -> f64 {
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); classes];
    for (point, &row) in (0_u32..).zip(numbers) {
        if let Some(members) = members.get_mut(of_rows[row as usize] as usize) {
            members.push(point);
        }
    }
    let of_class = |members: &Vec<u32>| {
        let center = points.centroid(members);
        members.iter().map(|&point| points.distance(points.of(point), &center)).sum::<f64>()
    };
    members.iter().map(of_class).sum()
}
