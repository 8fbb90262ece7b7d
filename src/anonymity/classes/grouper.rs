//! Classes at given levels.

use super::statistics::ClassStatistics;
use super::tuples::{Incidence, Tuples};
use crate::anonymity::hierarchy::Hierarchy;
use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher, Hash};

/// The classes at one vector of levels. The order of classes means nothing.
#[derive(Debug, Clone, Default)]
pub struct Classes {
    of_tuples: Vec<u32>,
    statistics: Vec<ClassStatistics>,
    first_tuples: Vec<u32>,
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

    /// Class of every tuple.
    #[must_use]
    pub fn of_tuples(&self) -> &[u32] {
        &self.of_tuples
    }

    /// Sizes of every class.
    #[must_use]
    pub fn statistics(&self) -> &[ClassStatistics] {
        &self.statistics
    }

    /// One tuple of every class.
    #[must_use]
    pub fn first_tuples(&self) -> &[u32] {
        &self.first_tuples
    }
}

/// Groups tuples into classes at any levels.
///
/// A tuple's generalized codes are packed into one number where the product of the columns' leaves fits 64 or 128 bits; else they are hashed as
/// a list. Keys of the leading columns are kept from one call to the next, so that walking levels in lexicographic order is cheap.
#[derive(Debug)]
pub struct Grouper<'a> {
    tuples: &'a Tuples,
    hierarchies: &'a [Hierarchy],
    leaves: Leaves,
    keys: Keys,
    hasher: DefaultHashBuilder,
    scratch: Scratch,
}

/// Leaves of the tuples, column by column.
pub(in crate::anonymity) type Leaves = Vec<Vec<u32>>;

#[derive(Debug)]
enum Keys {
    Narrow(Prefixes<u64>),
    Wide(Prefixes<u128>),
    Lists,
}

/// Keys of the columns 0..=i for every i, at the levels of the last call.
#[derive(Debug)]
struct Prefixes<K> {
    levels: Vec<usize>,
    keys: Vec<Vec<K>>,
    table: HashTable<(K, u32)>,
}

#[derive(Debug, Default)]
struct Scratch {
    /// Last class in which a subject was seen, plus 1.
    seen: Vec<u32>,
    /// Rows of a subject in that class.
    rows: Vec<u64>,
}

trait Key: Copy + Eq + Hash + From<u32> {
    fn shift(self, radix: u64, digit: u32) -> Self;
}

impl Key for u64 {
    fn shift(self, radix: u64, digit: u32) -> Self {
        self * radix + Self::from(digit)
    }
}

impl Key for u128 {
    fn shift(self, radix: u64, digit: u32) -> Self {
        self * Self::from(radix) + Self::from(digit)
    }
}

/// How keys are made; chosen by the size of the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Narrow,
    Wide,
    Lists,
}

impl<'a> Grouper<'a> {
    /// For these tuples, one hierarchy a column.
    ///
    /// # Errors
    /// The number of columns differs, or a tuple has a code that the hierarchy of its column was not fitted on.
    pub fn new(tuples: &'a Tuples, hierarchies: &'a [Hierarchy]) -> Result<Self> {
        let domain = hierarchies.iter().try_fold(1_u128, |product, hierarchy| product.checked_mul(hierarchy.leaves().max(1) as u128));
        let kind = match domain {
            Some(domain) if domain <= u128::from(u64::MAX) => KeyKind::Narrow,
            Some(_) => KeyKind::Wide,
            None => KeyKind::Lists,
        };
        Self::with_keys(tuples, hierarchies, kind)
    }

    pub(super) fn with_keys(tuples: &'a Tuples, hierarchies: &'a [Hierarchy], kind: KeyKind) -> Result<Self> {
        if hierarchies.len() != tuples.columns() {
            return Err(Error::Parameter { name: "hierarchies", problem: "must be one for each column of the tuples".to_owned() });
        }
        let leaves =
            hierarchies.iter().enumerate().map(|(column, hierarchy)| leaves(tuples, column, hierarchy)).collect::<Result<Leaves>>()?;
        let keys = match kind {
            KeyKind::Narrow => Keys::Narrow(Prefixes::new(hierarchies.len())),
            KeyKind::Wide => Keys::Wide(Prefixes::new(hierarchies.len())),
            KeyKind::Lists => Keys::Lists,
        };
        let subjects = match tuples.incidence() {
            Incidence::OneRowEach => 0,
            Incidence::Lists { subjects, .. } => *subjects as usize,
        };
        let scratch = Scratch { seen: vec![0; subjects], rows: vec![0; subjects] };
        Ok(Self { tuples, hierarchies, leaves, keys, hasher: DefaultHashBuilder::default(), scratch })
    }

    pub(in crate::anonymity) fn leaves(&self) -> &Leaves {
        &self.leaves
    }

    /// The classes at `levels`, one level a column.
    ///
    /// # Errors
    /// There are not as many levels as columns, or a hierarchy has no such level.
    pub fn group(&mut self, levels: &[usize]) -> Result<Classes> {
        if levels.len() != self.hierarchies.len() {
            return Err(Error::Parameter { name: "levels", problem: "must be one for each column".to_owned() });
        }
        let maps = self
            .hierarchies
            .iter()
            .zip(levels)
            .map(|(hierarchy, &level)| {
                hierarchy.level(level).map(|level| Digits { radix: hierarchy.leaves() as u64, codes: level.codes() })
            })
            .collect::<Result<Vec<_>>>()?;
        let tuples = self.tuples.len();
        let mut classes = Classes { of_tuples: Vec::with_capacity(tuples), ..Classes::default() };
        match &mut self.keys {
            Keys::Narrow(prefixes) => prefixes.group(levels, &maps, &self.leaves, &self.hasher, tuples, &mut classes),
            Keys::Wide(prefixes) => prefixes.group(levels, &maps, &self.leaves, &self.hasher, tuples, &mut classes),
            Keys::Lists => group_lists(&maps, &self.leaves, &self.hasher, tuples, &mut classes),
        }
        self.count(&mut classes);
        Ok(classes)
    }

    fn count(&mut self, classes: &mut Classes) {
        for (&class, &rows) in classes.of_tuples.iter().zip(self.tuples.rows()) {
            classes.statistics[class as usize].rows += rows;
        }
        match self.tuples.incidence() {
            Incidence::OneRowEach => {
                for class in &mut classes.statistics {
                    class.subjects = class.rows;
                    class.max_rows_of_a_subject = 1;
                }
            }
            Incidence::Lists { offsets, owners, rows, .. } => {
                self.scratch.seen.fill(0);
                let (order, starts) = by_class(&classes.of_tuples, classes.statistics.len());
                for (index, class) in classes.statistics.iter_mut().enumerate() {
                    #[expect(clippy::cast_possible_truncation, reason = "there are at most as many classes as tuples, below 2^32 - 1")]
                    let mark = index as u32 + 1;
                    for &tuple in &order[starts[index]..starts[index + 1]] {
                        for entry in offsets[tuple as usize]..offsets[tuple as usize + 1] {
                            let owner = owners[entry] as usize;
                            if self.scratch.seen[owner] != mark {
                                self.scratch.seen[owner] = mark;
                                self.scratch.rows[owner] = 0;
                                class.subjects += 1;
                            }
                            // Bounded by all rows, which fit.
                            self.scratch.rows[owner] += rows[entry];
                            class.max_rows_of_a_subject = class.max_rows_of_a_subject.max(self.scratch.rows[owner]);
                        }
                    }
                }
            }
        }
    }
}

/// Leaves of one column of all tuples: missing values get the number of their leaf.
fn leaves(tuples: &Tuples, column: usize, hierarchy: &Hierarchy) -> Result<Vec<u32>> {
    let mut unknown = 0_u64;
    let values = hierarchy.leaves() - usize::from(hierarchy.missing().is_some());
    let of_tuples = (0..tuples.len())
        .map(|tuple| {
            let code = tuples.codes(tuple)[column];
            let leaf = if code == NULL_CODE { hierarchy.missing() } else { Some(code).filter(|&code| (code as usize) < values) };
            unknown += if leaf.is_none() { tuples.rows()[tuple] } else { 0 };
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

/// Tuples ordered by class: those of class c are `order[starts[c]..starts[c + 1]]`.
pub(super) fn by_class(of_tuples: &[u32], classes: usize) -> (Vec<u32>, Vec<usize>) {
    let mut starts = vec![0_usize; classes + 1];
    for &class in of_tuples {
        starts[class as usize + 1] += 1;
    }
    for class in 0..classes {
        starts[class + 1] += starts[class];
    }
    let mut next = starts.clone();
    let mut order = vec![0_u32; of_tuples.len()];
    for (tuple, &class) in (0_u32..).zip(of_tuples) {
        order[next[class as usize]] = tuple;
        next[class as usize] += 1;
    }
    (order, starts)
}

/// One column at one level: a digit of the key.
struct Digits<'a> {
    radix: u64,
    codes: &'a [u32],
}

fn number(classes: &mut Classes, tuple: u32) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "there are at most as many classes as tuples, below 2^32 - 1")]
    let class = classes.statistics.len() as u32;
    classes.statistics.push(ClassStatistics::default());
    classes.first_tuples.push(tuple);
    class
}

impl<K: Key> Prefixes<K> {
    fn new(columns: usize) -> Self {
        Self { levels: Vec::new(), keys: vec![Vec::new(); columns], table: HashTable::new() }
    }

    fn group(
        &mut self,
        levels: &[usize],
        maps: &[Digits<'_>],
        leaves: &Leaves,
        hasher: &DefaultHashBuilder,
        tuples: usize,
        classes: &mut Classes,
    ) {
        let kept = self.levels.iter().zip(levels).take_while(|(old, new)| old == new).count();
        for column in kept..levels.len() {
            let Digits { radix, codes } = maps[column];
            let (before, after) = self.keys.split_at_mut(column);
            let keys = &mut after[0];
            keys.clear();
            let digits = leaves[column].iter().map(|&leaf| codes[leaf as usize]);
            match before.last() {
                Some(before) => keys.extend(before.iter().zip(digits).map(|(key, digit)| key.shift(radix, digit))),
                None => keys.extend(digits.map(K::from)),
            }
        }
        self.levels.clear();
        self.levels.extend_from_slice(levels);
        self.table.clear();
        let Some(keys) = self.keys.last() else {
            // Without columns all rows look the same.
            for tuple in 0..tuples.min(1) {
                let class = number(classes, u32::try_from(tuple).unwrap_or(0));
                classes.of_tuples.push(class);
            }
            return;
        };
        for (tuple, &key) in (0_u32..).zip(keys) {
            let hash = hasher.hash_one(key);
            let class = if let Some(&(_, class)) = self.table.find(hash, |&(other, _)| other == key) {
                class
            } else {
                let class = number(classes, tuple);
                self.table.insert_unique(hash, (key, class), |(key, _)| hasher.hash_one(key));
                class
            };
            classes.of_tuples.push(class);
        }
    }
}

fn group_lists(maps: &[Digits<'_>], leaves: &Leaves, hasher: &DefaultHashBuilder, tuples: usize, classes: &mut Classes) {
    let width = maps.len();
    let mut codes: Vec<u32> = Vec::with_capacity(tuples * width);
    for tuple in 0..tuples {
        codes.extend(maps.iter().zip(leaves).map(|(map, leaves)| map.codes[leaves[tuple] as usize]));
    }
    let of = |tuple: u32| &codes[tuple as usize * width..(tuple as usize + 1) * width];
    let mut table: HashTable<(u32, u32)> = HashTable::new();
    for tuple in (0_u32..).take(tuples) {
        let hash = hasher.hash_one(of(tuple));
        let class = if let Some(&(_, class)) = table.find(hash, |&(other, _)| of(other) == of(tuple)) {
            class
        } else {
            let class = number(classes, tuple);
            table.insert_unique(hash, (tuple, class), |&(tuple, _)| hasher.hash_one(of(tuple)));
            class
        };
        classes.of_tuples.push(class);
    }
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
                [KeyKind::Narrow, KeyKind::Wide, KeyKind::Lists].map(|kind| Grouper::with_keys(&tuples, &hierarchies, kind).unwrap()).into();
            // One grouper for the whole walk: kept keys of earlier levels must not leak into later ones.
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
