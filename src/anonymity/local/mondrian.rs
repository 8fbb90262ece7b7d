//! Multidimensional partitioning: Mondrian.

use super::cell::Cell;
use super::dimension::Dimension;
use super::judge::Judge;
use super::partition::{Rules, Units};
use super::recoding::{Found, Shortfall};
use super::rows::Rows;
use super::seal::{Draft, seal};
use super::threads::in_parallel;
use crate::anonymity::classes::Tuples;
use crate::anonymity::models::{Models, PrivacyModel};
use crate::anonymity::search::allowed_rows;
use crate::error::{Error, Result};
use crate::units::Share;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// What recodings may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resources {
    /// Share of the rows that may be suppressed. Only models of the whole table and classes with the same labels ever need it.
    pub suppression_limit: Share,
    /// Threads; results are the same for any number.
    pub threads: NonZeroUsize,
    /// Mondrian: sets of up to so many units are cut in the column after which least is lost, not in the widest. With 2,048 labels of the Adult data and of
    /// made-up tables lose a tenth less than with 0, in two to three times the time.
    pub look_ahead: usize,
}

impl Resources {
    /// What [`Resources::new`] looks ahead.
    pub const LOOK_AHEAD: usize = 2_048;

    /// Nothing may be suppressed; one thread.
    ///
    /// # Panics
    /// Never: 0 is a share.
    #[must_use]
    pub fn new() -> Self {
        #[expect(clippy::expect_used, reason = "0 is a share")]
        Self { suppression_limit: Share::new(0.0).expect("0 is a share"), threads: NonZeroUsize::MIN, look_ahead: Self::LOOK_AHEAD }
    }
}

impl Default for Resources {
    fn default() -> Self {
        Self::new()
    }
}

/// Strict Mondrian: rows with the same quasi-identifiers stay together, and classes do not overlap.
///
/// Beginning with all rows, a set of rows is cut in two (at a node of a hierarchy: into its children) as long as every part satisfies all models. The column
/// whose values are spread over the largest share of its domain is tried first, ties in the order of columns; a column is cut nearest to the median at which
/// the models allow it. For small sets ([`Resources::look_ahead`]) all columns are tried, and the cut is taken after which the values of the parts are spread least. What cannot be cut is a class, and its label in each column is what its rows have in common.
///
/// | column | cuts that are tried, in this order |
/// |---|---|
/// | ordered | missing values apart; between two values, the nearest to the median first |
/// | categories | two sets of about as many rows (the most frequent values first, each to the smaller set); each value against the others |
/// | tree | missing values apart; all children of the lowest common node; each child against the others |
///
/// Where people have several rows, or sensitive values or a population are counted, at most 64 cuts a column are tried for each set.
///
/// # Guarantee
/// Every class satisfies every model, counted in people. All rows of a class are alike in all quasi-identifiers.
///
/// # Errors
/// Dimensions do not fit the tuples.
///
/// # References
/// `LeFevre`, `DeWitt`, Ramakrishnan, *Mondrian multidimensional k-anonymity*, ICDE 2006, sections 3 and 4. Differences: people are counted instead of rows;
/// another cut is tried where the one at the median is not allowed; small sets are cut where least is lost; categories without a hierarchy are cut into sets.
pub fn mondrian(tuples: &Tuples, dimensions: &[Dimension], models: &Models, resources: Resources) -> Result<Found> {
    if dimensions.len() != tuples.columns() {
        return Err(Error::Parameter { name: "dimensions", problem: "must be one for each column of the tuples".to_owned() });
    }
    let of_tuples = |column: usize| dimensions[column].of_tuples(tuples, column);
    let columns = in_parallel(dimensions.len(), resources.threads.get(), of_tuples).into_iter().collect::<Result<Vec<_>>>()?;
    let units = tuples.with_population();
    let mut rows = tuples.rows().to_vec();
    rows.resize(units, 0);
    let units = Units { columns, numbers: (0_u32..).take(units).collect(), rows };
    let rules = Rules { dimensions, relaxed: false, disjoint: tuples.population().is_some(), look_ahead: resources.look_ahead };
    Ok(run(tuples, units, rules, models, resources))
}

/// Relaxed Mondrian: as [`mondrian`], but rows whose value of an ordered column is the median may go to both sides, so that parts are equally large. Which of
/// them go where is decided by their other quasi-identifiers in the order of columns, then by their keys. Classes may overlap in their bounds.
///
/// # Guarantee
/// As for [`mondrian`].
///
/// # Errors
/// Dimensions do not fit the rows.
///
/// # References
/// `LeFevre`, `DeWitt`, Ramakrishnan, *Mondrian multidimensional k-anonymity*, ICDE 2006, section 3.2: relaxed multidimensional partitioning.
pub fn mondrian_relaxed(rows: &Rows, dimensions: &[Dimension], models: &Models, resources: Resources) -> Result<Found> {
    let units = canonical_units(rows, dimensions)?;
    let rules = Rules { dimensions, relaxed: true, disjoint: false, look_ahead: resources.look_ahead };
    Ok(run(rows.tuples(), units, rules, models, resources))
}

/// Rows in an order that says nothing about the order in which they came: by their values, then by their keys.
pub(super) fn canonical_units(rows: &Rows, dimensions: &[Dimension]) -> Result<Units> {
    if dimensions.len() != rows.columns() {
        return Err(Error::Parameter { name: "dimensions", problem: "must be one for each column of the rows".to_owned() });
    }
    let tuples = rows.tuples();
    let columns = (0..dimensions.len()).map(|column| dimensions[column].of_tuples(tuples, column)).collect::<Result<Vec<_>>>()?;
    let mut numbers: Vec<u32> = (0_u32..).take(rows.len()).collect();
    let keys = rows.keys();
    numbers.sort_unstable_by(|&one, &two| {
        let (first, second) = (one as usize, two as usize);
        let by_value = columns.iter().map(|column| column[first].cmp(&column[second])).find(|order| order.is_ne());
        by_value.unwrap_or_else(|| keys[first].cmp(&keys[second])).then(one.cmp(&two))
    });
    let columns = columns.into_iter().map(|column| numbers.iter().map(|&number| column[number as usize]).collect()).collect();
    Ok(Units { columns, rows: vec![1; numbers.len()], numbers })
}

/// Why all rows together are no class; `None` if they are one.
pub(super) fn shortfall(tuples: &Tuples, judge: &mut Judge<'_>, models: &Models) -> Option<Shortfall> {
    let all: Vec<u32> = (0_u32..).take(tuples.with_population()).collect();
    if judge.hold(&all) {
        return None;
    }
    let mut failing = Vec::new();
    let whole = judge.look(&all, |class| {
        failing.extend(models.iter().filter(|model| !model.holds(class)).map(PrivacyModel::name));
        class.statistics
    });
    Some(Shortfall { whole, failing, suppressed: None })
}

fn run(tuples: &Tuples, mut units: Units, rules: Rules<'_>, models: &Models, resources: Resources) -> Found {
    let mut judge = Judge::new(tuples, models);
    let threads = resources.threads.get();
    let allowed = allowed_rows(resources.suppression_limit, tuples.total_rows());
    let lengths = if tuples.is_empty() {
        Vec::new()
    } else {
        if let Some(shortfall) = shortfall(tuples, &mut judge, models) {
            return Found::Nothing(shortfall);
        }
        units.partition(rules, &mut judge, threads)
    };
    let of_column = |column: usize| {
        let (dimension, ranks) = (&rules.dimensions[column], &units.columns[column]);
        let mut start = 0;
        let of_run = |&length: &usize| {
            start += length;
            Cell::of(dimension, &ranks[start - length..start])
        };
        lengths.iter().map(of_run).collect()
    };
    let cells: Vec<Vec<Cell>> = in_parallel(units.columns.len(), threads, of_column);
    let mut start = 0;
    let of_sets = lengths.iter().map(|&length| {
        start += length;
        units.numbers[start - length..start].to_vec()
    });
    let (of_sets, columns) = (of_sets.collect(), cells.len());
    let draft = Draft { units: of_sets, cells, labels: vec![None; columns], penalties: vec![None; columns] };
    seal(tuples, &Arc::from(rules.dimensions), models, allowed, draft, threads)
}
