//! Classes at given levels.

use super::keys::{Layout, Step};
use super::people::{Counts, Scratch};
use super::statistics::ClassStatistics;
use super::tuples::Tuples;
use super::view::{ClassView, ValueCount};
use crate::anonymity::hierarchy::Hierarchy;
use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

/// The classes at one vector of levels, in the order of their first tuples.
#[derive(Debug, Clone)]
pub struct Classes {
    levels: Vec<usize>,
    keys: Vec<u64>,
    /// The first tuple of every class; classes that only the population has come last.
    firsts: Vec<u32>,
    counts: Counts,
    statistics: Vec<ClassStatistics>,
    base: Arc<Base>,
    of_tuples: OnceLock<Vec<u32>>,
}

impl Classes {
    /// Number of classes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.statistics.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statistics.is_empty()
    }

    /// One level a column.
    #[must_use]
    pub fn levels(&self) -> &[usize] {
        &self.levels
    }

    /// Number of tuples that were grouped.
    #[must_use]
    pub fn tuples(&self) -> usize {
        self.base.populated
    }

    /// Class of every tuple. It is worked out when it is first asked for.
    #[must_use]
    pub fn of_tuples(&self) -> &[u32] {
        self.of_tuples.get_or_init(|| self.base.number(&self.levels))
    }

    /// Sizes of every class.
    #[must_use]
    pub fn statistics(&self) -> &[ClassStatistics] {
        &self.statistics
    }

    /// The first tuple of every class.
    #[must_use]
    pub fn first_tuples(&self) -> &[u32] {
        &self.firsts[..self.statistics.len()]
    }

    /// People of the population in every class; `None` if no population was given.
    #[must_use]
    pub fn populations(&self) -> Option<&[u64]> {
        self.counts.population.as_ref().map(|people| &people[..self.statistics.len()])
    }

    /// People of the population who fit no row; `None` if no population was given.
    #[must_use]
    pub fn absent_population(&self) -> Option<u64> {
        self.counts.population.as_ref().map(|people| people[self.statistics.len()..].iter().sum())
    }

    /// Calls `visit` with the number of every class and everything that models may ask about it.
    pub fn for_each_view(&self, mut visit: impl FnMut(usize, &ClassView<'_>)) {
        let _ = self.visit_views(|class, view| {
            visit(class, view);
            ControlFlow::Continue(())
        });
    }

    pub(in crate::anonymity) fn visit_views(&self, mut visit: impl FnMut(usize, &ClassView<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        let mut lists: Vec<Cow<'_, [ValueCount]>> = Vec::with_capacity(self.counts.sensitive.len());
        for (class, &statistics) in self.statistics.iter().enumerate() {
            let population = self.counts.population.as_ref().map(|people| people[class]);
            lists.clear();
            lists.extend(self.counts.sensitive.iter().map(|values| values.of(class)));
            match lists.as_slice() {
                [] => visit(class, &ClassView { statistics, sensitive: &[], population })?,
                [list] => visit(class, &ClassView { statistics, sensitive: &[list], population })?,
                lists => {
                    let sensitive: Vec<&[ValueCount]> = lists.iter().map(|list| &**list).collect();
                    visit(class, &ClassView { statistics, sensitive: &sensitive, population })?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Classes with those that only the population has.
    pub(in crate::anonymity) fn parts(&self) -> usize {
        self.firsts.len()
    }

    /// About so many bytes are held.
    pub(in crate::anonymity) fn bytes(&self) -> usize {
        let of_tuples = self.of_tuples.get().map_or(0, Vec::len);
        8 * self.keys.len() + 4 * (self.firsts.len() + of_tuples) + 24 * self.statistics.len() + self.counts.bytes()
    }
}

/// Groups tuples into classes at any levels, or classes into more general ones.
///
/// A tuple's generalized codes are packed into words of 64 bits.
#[derive(Debug)]
pub struct Grouper<'a> {
    tuples: &'a Tuples,
    hierarchies: &'a [Hierarchy],
    base: Arc<Base>,
    scratch: Scratch,
    slots: Vec<u32>,
}

/// Leaves of the tuples, column by column.
pub(in crate::anonymity) type Leaves = Vec<Vec<u32>>;

/// The tuples at level 0.
#[derive(Debug)]
struct Base {
    layout: Layout,
    /// Of the tuples with rows.
    leaves: Leaves,
    /// Of all tuples.
    keys: Vec<u64>,
    /// By column and level: the code one level higher of every code.
    parents: Vec<Vec<Vec<u32>>>,
    /// By column and level: number of codes.
    codes: Vec<Vec<usize>>,
    populated: usize,
}

impl Base {
    /// The codes at `to` of a column's codes at `from`.
    fn raise(&self, column: usize, from: usize, to: usize) -> Cow<'_, [u32]> {
        let parents = &self.parents[column];
        match &parents[from..to] {
            [] => Cow::Borrowed(&[]),
            [one] => Cow::Borrowed(one),
            [first, rest @ ..] => {
                Cow::Owned(first.iter().map(|&code| rest.iter().fold(code, |code, parents| parents[code as usize])).collect())
            }
        }
    }

    /// Class of every tuple with rows.
    fn number(&self, levels: &[usize]) -> Vec<u32> {
        if self.populated == 0 {
            return Vec::new();
        }
        let words = self.layout.words();
        let steps = self.steps(&vec![0; levels.len()], levels);
        self.layout.number(&self.keys[..words * self.populated], &steps, self.most(levels), &mut Vec::new()).of_keys
    }

    fn steps(&self, from: &[usize], to: &[usize]) -> Vec<Step<'_>> {
        let changed = from.iter().zip(to).enumerate().filter(|(_, (from, to))| from != to);
        changed
            .map(|(column, (&from, &to))| {
                let table = if self.codes[column][to] <= 1 { Cow::Borrowed(&[] as &[u32]) } else { self.raise(column, from, to) };
                self.layout.step(column, table)
            })
            .collect()
    }

    /// There are at most so many classes.
    fn most(&self, levels: &[usize]) -> usize {
        levels.iter().enumerate().fold(1, |most: usize, (column, &level)| most.saturating_mul(self.codes[column][level].max(1)))
    }
}

impl<'a> Grouper<'a> {
    /// For these tuples, one hierarchy a column.
    ///
    /// # Errors
    /// The number of columns differs, or a tuple has a code that the hierarchy of its column was not fitted on.
    pub fn new(tuples: &'a Tuples, hierarchies: &'a [Hierarchy]) -> Result<Self> {
        Self::with_words(tuples, hierarchies, u64::BITS)
    }

    /// `word`: bits that are used of a word.
    pub(super) fn with_words(tuples: &'a Tuples, hierarchies: &'a [Hierarchy], word: u32) -> Result<Self> {
        if hierarchies.len() != tuples.columns() {
            return Err(Error::Parameter { name: "hierarchies", problem: "must be one for each column of the tuples".to_owned() });
        }
        let mut leaves =
            hierarchies.iter().enumerate().map(|(column, hierarchy)| leaves(tuples, column, hierarchy)).collect::<Result<Leaves>>()?;
        let layout = Layout::new(hierarchies, word);
        let keys = layout.pack(&leaves, tuples.parts());
        for column in &mut leaves {
            column.truncate(tuples.len());
        }
        let parents = hierarchies.iter().map(parents).collect();
        let codes = hierarchies.iter().map(|hierarchy| hierarchy.levels().iter().map(|level| level.sizes().len()).collect()).collect();
        let base = Base { layout, leaves, keys, parents, codes, populated: tuples.len() };
        Ok(Self { tuples, hierarchies, base: Arc::new(base), scratch: Scratch::default(), slots: Vec::new() })
    }

    /// Another one for the same tuples, for another thread.
    pub(in crate::anonymity) fn another(&self) -> Self {
        Self {
            tuples: self.tuples,
            hierarchies: self.hierarchies,
            base: Arc::clone(&self.base),
            scratch: Scratch::default(),
            slots: Vec::new(),
        }
    }

    pub(in crate::anonymity) fn leaves(&self) -> &Leaves {
        &self.base.leaves
    }

    /// The classes at `levels`, one level a column.
    ///
    /// # Errors
    /// There are not as many levels as columns, or a hierarchy has no such level.
    pub fn group(&mut self, levels: &[usize]) -> Result<Classes> {
        self.check(levels)?;
        let base = Arc::clone(&self.base);
        Ok(self.add_up(&vec![0; levels.len()], levels, &base.keys, None, self.tuples.counts()))
    }

    /// The classes at `levels`, from classes of this grouper at levels of which none is higher: the same as from the tuples, only faster.
    ///
    /// # Errors
    /// As for [`Grouper::group`], or a level is lower than that of the classes.
    pub fn roll_up(&mut self, classes: &Classes, levels: &[usize]) -> Result<Classes> {
        self.check(levels)?;
        if !Arc::ptr_eq(&self.base, &classes.base) || classes.levels.iter().zip(levels).any(|(from, to)| from > to) {
            return Err(Error::Parameter {
                name: "classes",
                problem: "must be of the same tuples, at levels of which none is higher".to_owned(),
            });
        }
        Ok(self.add_up(&classes.levels, levels, &classes.keys, Some(&classes.firsts), &classes.counts))
    }

    fn check(&self, levels: &[usize]) -> Result<()> {
        if levels.len() != self.hierarchies.len() {
            return Err(Error::Parameter { name: "levels", problem: "must be one for each column".to_owned() });
        }
        self.hierarchies.iter().zip(levels).try_for_each(|(hierarchy, &level)| hierarchy.level(level).map(|_| ()))
    }

    fn add_up(&mut self, from: &[usize], to: &[usize], keys: &[u64], firsts: Option<&[u32]>, counts: &Counts) -> Classes {
        let base = Arc::clone(&self.base);
        let mut numbered = base.layout.number(keys, &base.steps(from, to), base.most(to), &mut self.slots);
        if let Some(firsts) = firsts {
            numbered.firsts.iter_mut().for_each(|first| *first = firsts[*first as usize]);
        }
        let counts = counts.add_up(&numbered.of_keys, numbered.firsts.len(), &mut self.scratch);
        // Tuples with rows come first, and so do their classes.
        let populated = counts.rows.partition_point(|&rows| rows > 0);
        let statistics = (0..populated).map(|class| counts.statistics(class)).collect();
        Classes { levels: to.to_vec(), keys: numbered.keys, firsts: numbered.firsts, counts, statistics, base, of_tuples: OnceLock::new() }
    }
}

/// By level below the last: the code one level higher of every code.
fn parents(hierarchy: &Hierarchy) -> Vec<Vec<u32>> {
    let pairs = hierarchy.levels().windows(2);
    pairs
        .map(|pair| {
            let mut parents = vec![0; pair[0].sizes().len()];
            for (&code, &parent) in pair[0].codes().iter().zip(pair[1].codes()) {
                parents[code as usize] = parent;
            }
            parents
        })
        .collect()
}

/// Leaves of one column of all tuples: missing values get the number of their leaf.
fn leaves(tuples: &Tuples, column: usize, hierarchy: &Hierarchy) -> Result<Vec<u32>> {
    let mut unknown = 0_u64;
    let values = hierarchy.leaves() - usize::from(hierarchy.missing().is_some());
    let of_tuples = (0..tuples.parts())
        .map(|tuple| {
            let code = tuples.codes(tuple)[column];
            let leaf = if code == NULL_CODE { hierarchy.missing() } else { Some(code).filter(|&code| (code as usize) < values) };
            unknown += if leaf.is_none() { tuples.counts().rows[tuple].max(1) } else { 0 };
            leaf.unwrap_or(0)
        })
        .collect();
    if unknown > 0 {
        return Err(Error::rows(
            hierarchy.column(),
            unknown,
            "has values that its hierarchy was not fitted on",
            "fit the hierarchy on all values",
        ));
    }
    Ok(of_tuples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anonymity::classes::TupleBuilder;
    use crate::policy::HierarchySpec;
    use arrow::array::Int32Array;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Two columns with the values 0..6 in intervals of 2 and 4, missing values too.
    fn hierarchies() -> [Hierarchy; 2] {
        let values = Int32Array::from(vec![0, 1, 2, 3, 4, 5]);
        let spec = HierarchySpec::Intervals { widths: vec![2.0, 4.0], origin: 0.0 };
        ["x", "y"].map(|column| Hierarchy::build(column, &spec, &values, true).unwrap())
    }

    proptest! {
        #[test]
        fn every_kind_of_key_counts_like_sets_of_people(
            rows in prop::collection::vec((0..7_u32, 0..7_u32, 0..5_u32), 0..40),
            walk in prop::collection::vec((0..=3_usize, 0..=3_usize), 1..6),
        ) {
            let hierarchies = hierarchies();
            let code = |value| if value == 6 { NULL_CODE } else { value };
            let column = |pick: fn(&(u32, u32, u32)) -> u32| rows.iter().map(pick).collect::<Vec<_>>();
            let (x, y): (Vec<_>, Vec<_>) = rows.iter().map(|row| (code(row.0), code(row.1))).unzip();
            let mut builder = TupleBuilder::new(2);
            builder.extend(&[&x, &y], Some(&column(|row| row.2))).unwrap();
            let tuples = builder.finish().unwrap();
            let mut groupers: Vec<_> =
                [64, 4, 1].map(|word| Grouper::with_words(&tuples, &hierarchies, word).unwrap()).into();
            // One grouper for the whole walk: nothing of earlier levels must leak into later ones.
            for (one, two) in walk {
                let mut expected: BTreeMap<(u32, u32), BTreeMap<u32, u64>> = BTreeMap::new();
                for row in &rows {
                    let class = (hierarchies[0].levels()[one].codes()[row.0 as usize], hierarchies[1].levels()[two].codes()[row.1 as usize]);
                    *expected.entry(class).or_default().entry(row.2).or_default() += 1;
                }
                let mut expected: Vec<_> = expected
                    .values()
                    .map(|people| ClassStatistics {
                        rows: people.values().sum(),
                        subjects: people.keys().collect::<BTreeSet<_>>().len() as u64,
                        max_rows_of_a_subject: people.values().copied().max().unwrap_or(0),
                    })
                    .collect();
                expected.sort();
                for grouper in &mut groupers {
                    let classes = grouper.group(&[one, two]).unwrap();
                    let mut found = classes.statistics().to_vec();
                    found.sort();
                    prop_assert_eq!(&found, &expected);
                    prop_assert_eq!(classes.of_tuples().len(), tuples.len());
                }
            }
        }
    }

    #[test]
    fn codes_that_no_hierarchy_knows_are_counted_and_refused() {
        let hierarchies = hierarchies();
        let mut builder = TupleBuilder::new(2);
        builder.extend(&[&[0, 6, 6], &[0, 0, 0]], None).unwrap();
        let tuples = builder.finish().unwrap();
        let error = Grouper::new(&tuples, &hierarchies).unwrap_err().to_string();
        assert!(error.contains("column x (2 rows)"), "{error}");
        assert!(Grouper::new(&tuples, &hierarchies[..1]).is_err());
        let mut builder = TupleBuilder::new(1);
        builder.extend(&[&[NULL_CODE]], None).unwrap();
        let values = Int32Array::from(vec![0]);
        let without_missing = [Hierarchy::flat("x", &values, false).unwrap()];
        assert!(Grouper::new(&builder.finish().unwrap(), &without_missing).is_err());
    }

    #[test]
    fn without_columns_all_rows_are_one_class() {
        let mut builder = TupleBuilder::new(0);
        builder.extend(&[], Some(&[1, 1, 2])).unwrap();
        let tuples = builder.finish().unwrap();
        let classes = Grouper::new(&tuples, &[]).unwrap().group(&[]).unwrap();
        assert_eq!(classes.statistics(), [ClassStatistics { rows: 3, subjects: 2, max_rows_of_a_subject: 2 }]);
    }

    #[test]
    fn levels_must_exist() {
        let hierarchies = hierarchies();
        let tuples = TupleBuilder::new(2).finish().unwrap();
        let mut grouper = Grouper::new(&tuples, &hierarchies).unwrap();
        assert!(grouper.group(&[0]).is_err());
        assert!(grouper.group(&[0, 4]).is_err());
        assert!(grouper.group(&[3, 3]).unwrap().is_empty());
    }
}
