//! Collects distinct combinations of quasi-identifier codes.

use super::people::{Counts, Lists, People, Values, Visit, add, too_many};
use super::subjects::Subjects;
use super::tuples::{Totals, Tuples};
use super::view::ValueCount;
use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use std::hash::BuildHasher;

/// Collects tuples from batches of codes. Memory grows with distinct tuples and their sensitive values; if people are named, with 4 bytes a person
/// (and 4 a sensitive column), and with distinct (tuple, person) pairs of those who have several rows. It never grows with rows.
#[derive(Debug)]
pub struct TupleBuilder {
    pub(super) columns: usize,
    /// Codes of the tuples, one tuple after the other.
    codes: Vec<u32>,
    pub(super) rows: Vec<u64>,
    /// As long as `rows`, or empty as long as no population was seen.
    pub(super) population: Vec<u64>,
    pub(super) table: HashTable<u32>,
    pub(super) hasher: DefaultHashBuilder,
    /// One a sensitive column: people by (tuple, value), without those who have several rows.
    pub(super) values: Vec<HashMap<(u32, u32), u64>>,
    pub(super) owners: Owners,
}

/// Who the rows belong to.
#[derive(Debug)]
pub(super) enum Owners {
    /// No row was seen yet.
    Unknown,
    /// Every row belongs to a different subject.
    OneEach,
    /// The subjects are named.
    Named(Subjects),
}

impl TupleBuilder {
    /// For tuples of `columns` codes.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self::with_sensitive(columns, 0)
    }

    /// For tuples of `columns` codes, with counts of the values of `sensitive` other columns.
    #[must_use]
    pub fn with_sensitive(columns: usize, sensitive: usize) -> Self {
        Self {
            columns,
            codes: Vec::new(),
            rows: Vec::new(),
            population: Vec::new(),
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            values: vec![HashMap::new(); sensitive],
            owners: Owners::Unknown,
        }
    }

    /// Takes rows into account: one slice of codes a column, all equally long, missing values as [`NULL_CODE`]. `subjects` are the codes of the
    /// people who own the rows; without them every row is a different person.
    ///
    /// # Errors
    /// Slices of different lengths, rows without a subject, batches with and without subjects, or more than 2³² − 2 tuples.
    pub fn extend(&mut self, columns: &[&[u32]], subjects: Option<&[u32]>) -> Result<()> {
        self.extend_with(columns, &[], subjects)
    }

    /// As [`TupleBuilder::extend`], with one slice of codes a sensitive column. A missing sensitive value counts as a value.
    ///
    /// # Errors
    /// As for [`TupleBuilder::extend`].
    pub fn extend_with(&mut self, columns: &[&[u32]], sensitive: &[&[u32]], subjects: Option<&[u32]>) -> Result<()> {
        let length = columns.first().or(sensitive.first()).map(|column| column.len()).or(subjects.map(<[u32]>::len)).unwrap_or(0);
        if columns.len() != self.columns || columns.iter().any(|column| column.len() != length) {
            return Err(shape("columns", "are not as many or as long as announced"));
        }
        if sensitive.len() != self.values.len() || sensitive.iter().any(|column| column.len() != length) {
            return Err(shape("sensitive columns", "are not as many or as long as announced"));
        }
        if subjects.is_some_and(|subjects| subjects.len() != length) {
            return Err(shape("subjects", "must be as long as the columns"));
        }
        if let Some(subjects) = subjects {
            let without = subjects.iter().filter(|&&subject| subject == NULL_CODE).count();
            if without > 0 {
                return Err(Error::rows(
                    "subject",
                    without as u64,
                    "is missing",
                    "leave out rows without a person: they cannot be counted",
                ));
            }
        }
        if length == 0 {
            return Ok(());
        }
        self.set_mode(subjects.is_some())?;
        let mut codes = vec![0; self.columns];
        let mut values = vec![0; sensitive.len()];
        for row in 0..length {
            for (code, column) in codes.iter_mut().zip(columns) {
                *code = column[row];
            }
            for (value, column) in values.iter_mut().zip(sensitive) {
                *value = column[row];
            }
            let tuple = self.intern(&codes)?;
            add(&mut self.rows[tuple as usize], 1)?;
            match (&mut self.owners, subjects) {
                (Owners::Named(named), Some(subjects)) => named.add_row(subjects[row], tuple, &values, &mut self.values)?,
                _ => {
                    for (counts, &value) in self.values.iter_mut().zip(&values) {
                        add(counts.entry((tuple, value)).or_default(), 1)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes people of the population into account, one row a person. Those who have rows in the table belong to the population too.
    ///
    /// # Errors
    /// Slices of different lengths, or more than 2³² − 2 tuples.
    pub fn extend_population(&mut self, columns: &[&[u32]]) -> Result<()> {
        let length = columns.first().map_or(0, |column| column.len());
        if columns.len() != self.columns || columns.iter().any(|column| column.len() != length) {
            return Err(shape("columns", "are not as many or as long as announced"));
        }
        self.population.resize(self.rows.len(), 0);
        let mut codes = vec![0; self.columns];
        for row in 0..length {
            for (code, column) in codes.iter_mut().zip(columns) {
                *code = column[row];
            }
            let tuple = self.intern(&codes)?;
            self.add_population(tuple, 1)?;
        }
        Ok(())
    }

    pub(super) fn add_population(&mut self, tuple: u32, people: u64) -> Result<()> {
        self.population.resize(self.rows.len(), 0);
        add(&mut self.population[tuple as usize], people)
    }

    /// Takes everything into account that `other` collected. Both must have numbered values and subjects alike.
    ///
    /// # Errors
    /// As for [`TupleBuilder::extend`].
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if other.columns != self.columns || other.values.len() != self.values.len() {
            return Err(shape("columns", "are not as many as announced"));
        }
        match other.owners {
            Owners::Unknown => {}
            Owners::OneEach => self.set_mode(false)?,
            Owners::Named(_) => self.set_mode(true)?,
        }
        let tuples = (0..other.rows.len()).map(|index| self.intern(other.tuple(index))).collect::<Result<Vec<_>>>()?;
        for (&tuple, &rows) in tuples.iter().zip(&other.rows) {
            add(&mut self.rows[tuple as usize], rows)?;
        }
        for (&tuple, &people) in tuples.iter().zip(&other.population) {
            self.add_population(tuple, people)?;
        }
        match (&mut self.owners, &other.owners) {
            (Owners::Named(named), Owners::Named(others)) => named.merge(others, &tuples, &mut self.values)?,
            _ => {
                for (counts, others) in self.values.iter_mut().zip(&other.values) {
                    for (&(tuple, value), &people) in others {
                        add(counts.entry((tuples[tuple as usize], value)).or_default(), people)?;
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn set_mode(&mut self, with_subjects: bool) -> Result<()> {
        match (&self.owners, with_subjects) {
            (Owners::Unknown, true) => self.owners = Owners::Named(Subjects::new(self.values.len())),
            (Owners::Unknown, false) => self.owners = Owners::OneEach,
            (Owners::OneEach, false) | (Owners::Named(_), true) => {}
            _ => return Err(shape("subjects", "must be given for all rows or for none")),
        }
        Ok(())
    }

    pub(super) fn tuple(&self, index: usize) -> &[u32] {
        &self.codes[index * self.columns..(index + 1) * self.columns]
    }

    pub(super) fn intern(&mut self, tuple: &[u32]) -> Result<u32> {
        let hash = self.hasher.hash_one(tuple);
        let (codes, columns) = (&self.codes, self.columns);
        let of = |index: u32| &codes[index as usize * columns..(index as usize + 1) * columns];
        if let Some(&index) = self.table.find(hash, |&index| of(index) == tuple) {
            return Ok(index);
        }
        // The highest numbers are marks.
        let next = u32::try_from(self.rows.len()).ok().filter(|&next| next < u32::MAX - 1).ok_or_else(too_many)?;
        let hasher = &self.hasher;
        self.table.insert_unique(hash, next, |&index| hasher.hash_one(of(index)));
        self.codes.extend_from_slice(tuple);
        self.rows.push(0);
        Ok(next)
    }

    /// The collected tuples.
    ///
    /// # Errors
    /// More rows than a `u64` counts.
    pub fn finish(mut self) -> Result<Tuples> {
        let mut total_rows = 0;
        self.rows.iter().try_for_each(|&rows| add(&mut total_rows, rows))?;
        let has_population = !self.population.is_empty();
        if has_population {
            self.population.resize(self.rows.len(), 0);
            let mut everyone = 0;
            self.population.iter().try_for_each(|&people| add(&mut everyone, people))?;
        }
        let populated = self.rows.iter().filter(|&&rows| rows > 0).count();
        let moved = self.move_unpopulated(populated);
        let parts = self.rows.len();
        let values = std::mem::take(&mut self.values);
        let ordered = values.into_iter().map(|counts| {
            let kept = counts.into_iter().filter(|&(_, people)| people > 0);
            kept.map(|((tuple, value), people)| (moved.of(tuple), value, people)).collect::<Vec<_>>()
        });
        let mut settled: Vec<Vec<(u32, u32, u64)>> = ordered.collect();
        let mut spread_values: Vec<Vec<(u32, (u32, u32))>> = vec![Vec::new(); settled.len()];
        let (mut people, mut repeated, mut subjects) = (People::OneRowEach, Vec::new(), total_rows);
        if let Owners::Named(named) = std::mem::replace(&mut self.owners, Owners::Unknown) {
            subjects = named.count();
            if named.has_repeated() {
                let counted = named.finish(&self.rows, |tuple| moved.of(tuple))?;
                for (all, new) in settled.iter_mut().zip(counted.settled_values) {
                    all.extend(new);
                }
                spread_values = counted.spread_values;
                people = People::Counted {
                    settled: counted.settled,
                    most: counted.most,
                    spread: Lists::from_ordered(parts, counted.visits),
                    numbers: counted.numbers,
                };
                repeated = counted.repeated;
            }
        }
        let sensitive = settled
            .into_iter()
            .zip(spread_values)
            .map(|(mut settled, mut spread)| {
                settled.sort_unstable();
                settled.dedup_by(|next, first| {
                    let same = (next.0, next.1) == (first.0, first.1);
                    if same {
                        first.2 += next.2;
                    }
                    same
                });
                spread.sort_unstable();
                Values {
                    settled: Lists::from_ordered(
                        parts,
                        settled.into_iter().map(|(part, value, people)| (part, ValueCount { value, people })),
                    ),
                    spread: Lists::from_ordered(parts, spread),
                }
            })
            .collect();
        let counts = Counts { rows: self.rows, population: has_population.then_some(self.population), people, sensitive };
        Ok(Tuples::new(
            self.columns,
            self.codes,
            (self.table, self.hasher),
            counts,
            Totals { rows: total_rows, subjects, populated, repeated },
        ))
    }

    /// Moves tuples without rows behind the others.
    fn move_unpopulated(&mut self, populated: usize) -> Moved {
        if populated == self.rows.len() {
            return Moved(None);
        }
        let mut order: Vec<u32> = (0_u32..).take(self.rows.len()).collect();
        order.sort_by_key(|&tuple| self.rows[tuple as usize] == 0);
        let mut to = vec![0_u32; order.len()];
        for (new, &old) in (0_u32..).zip(&order) {
            to[old as usize] = new;
        }
        self.codes = order.iter().flat_map(|&old| self.tuple(old as usize).to_vec()).collect();
        self.rows = order.iter().map(|&old| self.rows[old as usize]).collect();
        self.population = order.iter().map(|&old| self.population.get(old as usize).copied().unwrap_or(0)).collect();
        for index in &mut self.table {
            *index = to[*index as usize];
        }
        Moved(Some(to))
    }
}

/// New numbers of tuples, where they changed.
#[derive(Debug)]
struct Moved(Option<Vec<u32>>);

impl Moved {
    fn of(&self, tuple: u32) -> u32 {
        self.0.as_ref().map_or(tuple, |to| to[tuple as usize])
    }
}

/// What settled and spread people add up to.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) settled: Vec<u64>,
    pub(super) most: Vec<u64>,
    /// Ordered by tuple.
    pub(super) visits: Vec<(u32, Visit)>,
    pub(super) numbers: u32,
    /// (tuple, rows, people) of settled people with several rows, each (tuple, rows) once.
    pub(super) repeated: Vec<(u32, u64, u64)>,
    /// One a sensitive column: (tuple, value, people).
    pub(super) settled_values: Vec<Vec<(u32, u32, u64)>>,
    /// One a sensitive column: (tuple, (value, person)).
    pub(super) spread_values: Vec<Vec<(u32, (u32, u32))>>,
}

pub(super) fn shape(name: &'static str, problem: &str) -> Error {
    Error::Parameter { name, problem: problem.to_owned() }
}
