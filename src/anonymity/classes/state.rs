//! What a [`TupleBuilder`] has collected, as arrays that can be sent to another one.

use super::builder::{Owners, TupleBuilder};
use super::people::add;
use super::subjects::Record;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, ListArray, ListBuilder, UInt32Array, UInt32Builder, UInt64Array, UInt64Builder};
use arrow::datatypes::{UInt32Type, UInt64Type};
use std::sync::Arc;

/// One entry of the state: a tuple, or what one person has of it.
#[derive(Debug, Default)]
struct Entry {
    tuple: usize,
    subject: Option<u32>,
    rows: u64,
    population: Option<u64>,
    /// One a sensitive column.
    values: Vec<Vec<(u32, u64)>>,
}

impl TupleBuilder {
    /// Everything that was collected: for each column the codes, then `UInt32` subjects (missing where every row is a person), `UInt64` rows,
    /// `UInt64` people of the population (missing without one), and for each sensitive column lists of `UInt32` values and `UInt64` people. States
    /// can be put one after the other, and [`TupleBuilder::merge_state`] takes them.
    #[must_use]
    pub fn state(&self) -> Vec<ArrayRef> {
        let entries = self.entries();
        let mut arrays: Vec<ArrayRef> = (0..self.columns)
            .map(|column| Arc::new(entries.iter().map(|entry| Some(self.tuple(entry.tuple)[column])).collect::<UInt32Array>()) as ArrayRef)
            .collect();
        arrays.push(Arc::new(entries.iter().map(|entry| entry.subject).collect::<UInt32Array>()));
        arrays.push(Arc::new(entries.iter().map(|entry| Some(entry.rows)).collect::<UInt64Array>()));
        arrays.push(Arc::new(entries.iter().map(|entry| entry.population).collect::<UInt64Array>()));
        for column in 0..self.values.len() {
            let (mut values, mut people) = (ListBuilder::new(UInt32Builder::new()), ListBuilder::new(UInt64Builder::new()));
            for entry in &entries {
                for &(value, count) in entry.values.get(column).map_or(&[][..], Vec::as_slice) {
                    values.values().append_value(value);
                    people.values().append_value(count);
                }
                values.append(true);
                people.append(true);
            }
            arrays.push(Arc::new(values.finish()));
            arrays.push(Arc::new(people.finish()));
        }
        arrays
    }

    fn entries(&self) -> Vec<Entry> {
        let columns = self.values.len();
        let population = |tuple: usize| self.population.get(tuple).copied();
        match &self.owners {
            Owners::Named(named) => {
                let people = named.records().map(|record| Entry {
                    tuple: record.tuple as usize,
                    subject: Some(record.subject),
                    rows: record.rows,
                    population: None,
                    values: record.values.into_iter().map(|values| values.into_iter().map(|value| (value, 1)).collect()).collect(),
                });
                let others = (0..self.population.len()).map(|tuple| Entry { tuple, population: population(tuple), ..Entry::default() });
                people.chain(others).collect()
            }
            Owners::Unknown | Owners::OneEach => {
                let all = self.rows.iter().enumerate();
                let mut entries: Vec<Entry> = all
                    .map(|(tuple, &rows)| Entry {
                        tuple,
                        subject: None,
                        rows,
                        population: population(tuple),
                        values: vec![Vec::new(); columns],
                    })
                    .collect();
                for (column, counts) in self.values.iter().enumerate() {
                    for (&(tuple, value), &people) in counts {
                        entries[tuple as usize].values[column].push((value, people));
                    }
                }
                entries
            }
        }
    }

    /// Takes what others have collected, as from [`TupleBuilder::state`]. All must have numbered values and subjects alike.
    ///
    /// # Errors
    /// These are not the arrays of such a state, or as for [`TupleBuilder::extend`].
    pub fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()> {
        let columns = self.columns;
        if state.len() != columns + 3 + 2 * self.values.len() {
            return Err(wrong());
        }
        let codes =
            state[..columns].iter().map(|codes| codes.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)).collect::<Result<Vec<_>>>()?;
        let subjects = state[columns].as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
        let rows = state[columns + 1].as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
        let population = state[columns + 2].as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
        let lists = state[columns + 3..].chunks_exact(2).map(Values::new).collect::<Result<Vec<_>>>()?;
        let length = rows.len();
        let as_long = codes.iter().all(|codes| codes.len() == length && codes.null_count() == 0)
            && subjects.len() == length
            && population.len() == length
            && rows.null_count() == 0
            && lists.iter().all(|lists| lists.values.len() == length && lists.people.len() == length);
        if !as_long {
            return Err(wrong());
        }
        let mut tuple = vec![0; columns];
        for entry in 0..length {
            for (code, codes) in tuple.iter_mut().zip(&codes) {
                *code = codes.value(entry);
            }
            let tuple = self.intern(&tuple)?;
            let rows = rows.value(entry);
            add(&mut self.rows[tuple as usize], rows)?;
            if population.is_valid(entry) {
                self.add_population(tuple, population.value(entry))?;
            }
            if rows == 0 {
                continue;
            }
            let values = lists.iter().map(|lists| lists.of(entry)).collect::<Result<Vec<_>>>()?;
            self.set_mode(subjects.is_valid(entry))?;
            if let Owners::Named(named) = &mut self.owners {
                let values = values.into_iter().map(|values| values.into_iter().map(|(value, _)| value).collect()).collect();
                let record = Record { subject: subjects.value(entry), tuple, rows, values };
                named.add_record(&record, &mut self.values)?;
            } else {
                for (counts, values) in self.values.iter_mut().zip(values) {
                    for (value, people) in values {
                        add(counts.entry((tuple, value)).or_default(), people)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn wrong() -> Error {
    Error::Parameter { name: "state", problem: "is not a state of such tuples".to_owned() }
}

/// Values of one sensitive column.
struct Values<'a> {
    values: &'a ListArray,
    people: &'a ListArray,
}

impl<'a> Values<'a> {
    fn new(pair: &'a [ArrayRef]) -> Result<Self> {
        let [values, people] = pair else { return Err(wrong()) };
        let (Some(values), Some(people)) = (values.as_list_opt::<i32>(), people.as_list_opt::<i32>()) else { return Err(wrong()) };
        Ok(Self { values, people })
    }

    /// Values of one entry, with people.
    fn of(&self, entry: usize) -> Result<Vec<(u32, u64)>> {
        let (values, people) = (self.values.value(entry), self.people.value(entry));
        match (values.as_primitive_opt::<UInt32Type>(), people.as_primitive_opt::<UInt64Type>()) {
            (Some(values), Some(people)) if values.len() == people.len() && values.null_count() + people.null_count() == 0 => {
                Ok(values.values().iter().copied().zip(people.values().iter().copied()).collect())
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anonymity::classes::{Grouper, Tuples, ValueCount};
    use crate::anonymity::hierarchy::Hierarchy;
    use arrow::array::StringArray;
    use arrow::compute::concat;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// (value, sensitive value, person).
    type Row = (u32, u32, u32);

    fn collect(rows: &[Row], named: bool, population: &[u32]) -> TupleBuilder {
        let mut builder = TupleBuilder::with_sensitive(1, 1);
        for batch in rows.chunks(3) {
            let column = |pick: fn(&Row) -> u32| batch.iter().map(pick).collect::<Vec<_>>();
            let (values, sensitive, people) = (column(|row| row.0), column(|row| row.1), column(|row| row.2));
            builder.extend_with(&[&values], &[&sensitive], named.then_some(people.as_slice())).unwrap();
        }
        if !population.is_empty() {
            builder.extend_population(&[population]).unwrap();
        }
        builder
    }

    /// Rows, people, most rows of a person, sensitive values and population of every class at a level, ordered.
    type Seen = Vec<(u64, u64, u64, Vec<(u32, u64)>, Option<u64>)>;

    fn seen(tuples: &Tuples, level: usize) -> Seen {
        let hierarchies = [Hierarchy::flat("v", &StringArray::from(vec!["a", "b", "c", "d"]), false).unwrap()];
        let classes = Grouper::new(tuples, &hierarchies).unwrap().group(&[level]).unwrap();
        let mut seen = Vec::new();
        classes.for_each_view(|_, view| {
            let values = view.sensitive[0].iter().map(|&ValueCount { value, people }| (value, people)).collect();
            let class = view.statistics;
            seen.push((class.rows, class.subjects, class.max_rows_of_a_subject, values, view.population));
        });
        seen.sort();
        seen
    }

    /// A second count: sets of people.
    fn expected(rows: &[Row], named: bool, population: &[u32], level: usize) -> Seen {
        let class = |value: u32| if level == 0 { value } else { 0 };
        let mut classes: BTreeMap<u32, Vec<(u32, usize)>> = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            classes.entry(class(row.0)).or_default().push((row.1, if named { row.2 as usize } else { index }));
        }
        let mut seen: Seen = classes
            .into_iter()
            .map(|(class_of, members)| {
                let mut owned: BTreeMap<usize, u64> = BTreeMap::new();
                let mut values: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
                for &(value, person) in &members {
                    *owned.entry(person).or_default() += 1;
                    values.entry(value).or_default().insert(person);
                }
                let everyone = population.iter().filter(|&&value| class(value) == class_of).count() as u64;
                (
                    members.len() as u64,
                    owned.len() as u64,
                    owned.values().copied().max().unwrap_or(0),
                    values.into_iter().map(|(value, people)| (value, people.len() as u64)).collect(),
                    (!population.is_empty()).then_some(everyone),
                )
            })
            .collect();
        seen.sort();
        seen
    }

    proptest! {
        #[test]
        fn merged_builders_and_sent_states_count_sets_of_people(
            rows in prop::collection::vec((0..4_u32, prop::sample::select(vec![0, 1, 2, 70_000, u32::MAX]), 0..6_u32), 0..30),
            population in prop::collection::vec(0..4_u32, 0..10),
            named in any::<bool>(),
            cut in 0..30_usize,
        ) {
            let cut = cut.min(rows.len());
            let (left, right) = (collect(&rows[..cut], named, &population), collect(&rows[cut..], named, &[]));
            let shipped: Vec<ArrayRef> =
                left.state().iter().zip(&right.state()).map(|(one, two)| concat(&[one, two]).unwrap()).collect();
            let mut restored = TupleBuilder::with_sensitive(1, 1);
            restored.merge_state(&shipped).unwrap();
            let mut merged = right;
            merged.merge(&left).unwrap();
            for builder in [collect(&rows, named, &population), merged, restored] {
                let tuples = builder.finish().unwrap();
                for level in [0, 1] {
                    prop_assert_eq!(seen(&tuples, level), expected(&rows, named, &population, level));
                }
                let mut people: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
                for (index, row) in rows.iter().enumerate() {
                    people.entry(row.1).or_default().insert(if named { row.2 as usize } else { index });
                }
                let distribution: Vec<_> = tuples.distribution(0).iter().map(|count| (count.value, count.people)).collect();
                prop_assert_eq!(distribution, people.into_iter().map(|(value, people)| (value, people.len() as u64)).collect::<Vec<_>>());
                prop_assert_eq!(tuples.total_rows(), rows.len() as u64);
                prop_assert_eq!(tuples.population(), (!population.is_empty()).then_some(population.len() as u64));
            }
        }
    }

    #[test]
    fn other_arrays_are_refused() {
        let state = collect(&[(0, 0, 0)], true, &[]).state();
        let mut builder = TupleBuilder::with_sensitive(1, 1);
        assert!(builder.merge_state(&state[1..]).is_err());
        let mut swapped = state.clone();
        swapped.swap(1, 2);
        assert!(builder.merge_state(&swapped).is_err());
        let mut short = state;
        short[0] = short[0].slice(0, 0);
        assert!(builder.merge_state(&short).is_err());
        assert!(TupleBuilder::with_sensitive(1, 1).finish().unwrap().is_empty());
    }
}
