//! People while rows are collected.

use super::builder::Counted;
use super::people::{Visit, add, too_many};
use crate::error::Result;
use hashbrown::{HashMap, HashSet};

/// Numbers by subject, in pages that are made when they are needed: codes of subjects need not be dense.
#[derive(Debug, Default)]
struct Pages(Vec<Option<Box<[u32]>>>);

const PAGE: usize = 1 << 14;

impl Pages {
    fn get(&self, subject: u32) -> u32 {
        let page = self.0.get(subject as usize / PAGE).and_then(Option::as_ref);
        page.map_or(0, |page| page[subject as usize % PAGE])
    }

    fn set(&mut self, subject: u32, number: u32) {
        let index = subject as usize / PAGE;
        if self.0.len() <= index {
            self.0.resize_with(index + 1, || None);
        }
        let page = self.0[index].get_or_insert_with(|| vec![0; PAGE].into_boxed_slice());
        page[subject as usize % PAGE] = number;
    }

    /// Subjects with a number other than 0.
    fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        let pages = self.0.iter().enumerate().filter_map(|(index, page)| Some((index, page.as_ref()?)));
        pages.flat_map(|(index, page)| {
            let numbers = page.iter().enumerate().filter(|&(_, &number)| number != 0);
            #[expect(clippy::cast_possible_truncation, reason = "set by a subject's code, which is a u32")]
            numbers.map(move |(offset, &number)| ((index * PAGE + offset) as u32, number))
        })
    }
}

/// Mark of a person with several rows; other numbers are those of their only row's tuple, plus 1.
const SEVERAL: u32 = u32::MAX;

/// Named people. Somebody with one row is their tuple and their values; somebody with more is a set of tuples and a set of values in each.
#[derive(Debug)]
pub(super) struct Subjects {
    homes: Pages,
    /// One a sensitive column.
    home_values: Vec<Pages>,
    count: u64,
    /// Rows by (subject, tuple), of people with several rows.
    visits: HashMap<(u32, u32), u64>,
    /// One a sensitive column: (subject, tuple, value), of people with several rows.
    values: Vec<HashSet<(u32, u32, u32)>>,
}

/// People by (tuple, value), one map a sensitive column.
type ValueCounts = [HashMap<(u32, u32), u64>];

/// What is known of one person in one tuple.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) subject: u32,
    pub(super) tuple: u32,
    pub(super) rows: u64,
    /// One a sensitive column: values, ascending.
    pub(super) values: Vec<Vec<u32>>,
}

impl Subjects {
    pub(super) fn new(sensitive: usize) -> Self {
        Self {
            homes: Pages::default(),
            home_values: (0..sensitive).map(|_| Pages::default()).collect(),
            count: 0,
            visits: HashMap::new(),
            values: vec![HashSet::new(); sensitive],
        }
    }

    /// Different people.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether somebody has several rows.
    pub(super) fn has_repeated(&self) -> bool {
        !self.visits.is_empty()
    }

    pub(super) fn add_row(&mut self, subject: u32, tuple: u32, values: &[u32], counts: &mut ValueCounts) -> Result<()> {
        match self.homes.get(subject) {
            0 => {
                self.count += 1;
                self.homes.set(subject, tuple + 1);
                for ((home, &value), counts) in self.home_values.iter_mut().zip(values).zip(counts) {
                    home.set(subject, value);
                    add(counts.entry((tuple, value)).or_default(), 1)?;
                }
                return Ok(());
            }
            SEVERAL => {}
            _ => self.leave_home(subject, counts)?,
        }
        add(self.visits.entry((subject, tuple)).or_default(), 1)?;
        for (all, &value) in self.values.iter_mut().zip(values) {
            all.insert((subject, tuple, value));
        }
        Ok(())
    }

    /// Somebody turns out to have several rows.
    fn leave_home(&mut self, subject: u32, counts: &mut ValueCounts) -> Result<()> {
        let home = self.homes.get(subject);
        if home == SEVERAL {
            return Ok(());
        }
        self.homes.set(subject, SEVERAL);
        let Some(tuple) = home.checked_sub(1) else {
            self.count += 1;
            return Ok(());
        };
        add(self.visits.entry((subject, tuple)).or_default(), 1)?;
        for ((home, all), counts) in self.home_values.iter().zip(&mut self.values).zip(counts) {
            let value = home.get(subject);
            all.insert((subject, tuple, value));
            if let Some(people) = counts.get_mut(&(tuple, value)) {
                *people -= 1;
            }
        }
        Ok(())
    }

    /// Takes one person's rows in one tuple into account.
    pub(super) fn add_record(&mut self, record: &Record, counts: &mut ValueCounts) -> Result<()> {
        if record.rows == 1 {
            let values: Vec<u32> = record.values.iter().filter_map(|values| values.first().copied()).collect();
            return self.add_row(record.subject, record.tuple, &values, counts);
        }
        self.leave_home(record.subject, counts)?;
        add(self.visits.entry((record.subject, record.tuple)).or_default(), record.rows)?;
        for (all, values) in self.values.iter_mut().zip(&record.values) {
            all.extend(values.iter().map(|&value| (record.subject, record.tuple, value)));
        }
        Ok(())
    }

    /// `tuples`: the numbers here of the tuples of `other`.
    pub(super) fn merge(&mut self, other: &Self, tuples: &[u32], counts: &mut ValueCounts) -> Result<()> {
        for mut record in other.records() {
            record.tuple = tuples[record.tuple as usize];
            self.add_record(&record, counts)?;
        }
        Ok(())
    }

    /// Everybody's rows, those of people with one row first.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let one = self.homes.iter().filter(|&(_, number)| number != SEVERAL).map(|(subject, number)| Record {
            subject,
            tuple: number - 1,
            rows: 1,
            values: self.home_values.iter().map(|home| vec![home.get(subject)]).collect(),
        });
        let mut of_visits: HashMap<(u32, u32), Vec<Vec<u32>>> = HashMap::new();
        for (column, all) in self.values.iter().enumerate() {
            for &(subject, tuple, value) in all {
                let columns = of_visits.entry((subject, tuple)).or_insert_with(|| vec![Vec::new(); self.values.len()]);
                columns[column].push(value);
            }
        }
        let several = self.visits.iter().map(move |(&(subject, tuple), &rows)| {
            let mut values = of_visits.get(&(subject, tuple)).cloned().unwrap_or_default();
            for values in &mut values {
                values.sort_unstable();
            }
            Record { subject, tuple, rows, values }
        });
        one.chain(several)
    }

    /// Settles people. `moved` gives the final numbers of tuples, `rows` their rows.
    pub(super) fn finish(self, rows: &[u64], moved: impl Fn(u32) -> u32) -> Result<Counted> {
        let mut visits: Vec<(u32, u32, u64)> =
            self.visits.into_iter().map(|((subject, tuple), rows)| (subject, moved(tuple), rows)).collect();
        visits.sort_unstable();
        let mut values: Vec<Vec<(u32, u32, u32)>> = Vec::with_capacity(self.values.len());
        for all in self.values {
            let mut of_column: Vec<_> = all.into_iter().map(|(subject, tuple, value)| (subject, moved(tuple), value)).collect();
            of_column.sort_unstable();
            values.push(of_column);
        }
        let mut counted = Counted {
            settled: rows.to_vec(),
            most: Vec::new(),
            visits: Vec::new(),
            numbers: 0,
            repeated: Vec::new(),
            settled_values: vec![Vec::new(); values.len()],
            spread_values: vec![Vec::new(); values.len()],
        };
        // Rows of people with one row are what is left.
        for &(_, tuple, rows) in &visits {
            counted.settled[tuple as usize] -= rows;
        }
        counted.most = counted.settled.iter().map(|&people| people.min(1)).collect();
        let mut repeated: HashMap<(u32, u64), u64> = HashMap::new();
        let mut next: Vec<usize> = vec![0; values.len()];
        for person in visits.chunk_by(|one, other| one.0 == other.0) {
            let number = if let &[(_, tuple, rows)] = person {
                counted.settled[tuple as usize] += 1;
                counted.most[tuple as usize] = counted.most[tuple as usize].max(rows);
                *repeated.entry((tuple, rows)).or_default() += 1;
                None
            } else {
                let number = counted.numbers;
                counted.numbers = number.checked_add(1).ok_or_else(too_many)?;
                counted.visits.extend(person.iter().map(|&(_, tuple, rows)| (tuple, Visit { person: number, rows })));
                Some(number)
            };
            // Both lists are ordered by subject.
            for (column, all) in values.iter().enumerate() {
                while let Some(&(_, tuple, value)) = all.get(next[column]).filter(|entry| entry.0 == person[0].0) {
                    next[column] += 1;
                    match number {
                        None => counted.settled_values[column].push((tuple, value, 1)),
                        Some(number) => counted.spread_values[column].push((tuple, (value, number))),
                    }
                }
            }
        }
        counted.visits.sort_unstable();
        counted.repeated = repeated.into_iter().map(|((tuple, rows), people)| (tuple, rows, people)).collect();
        counted.repeated.sort_unstable();
        Ok(counted)
    }
}
