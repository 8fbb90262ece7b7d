//! Histories from files, and the items that they are about.

use super::interactions::Interactions;
use super::text_table::{Texts, read_columns};
use crate::error::{Error, Result};
use crate::io::Source;
use crate::io::table::NULL_CODE;
use hashbrown::HashMap;
use std::sync::Arc;

/// The items of the original data, numbered in the order of their texts. Items of a release are matched with them by text.
///
/// ```
/// use backmask::utility::Items;
///
/// let items = Items::new(["b".to_owned(), "a".to_owned(), "b".to_owned()]);
/// assert_eq!((items.len(), items.code("b"), items.code("c")), (2, Some(1), None));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Items {
    codes: HashMap<String, u32>,
}

impl Items {
    /// From their texts, in any order; each counts once.
    #[must_use]
    pub fn new(texts: impl IntoIterator<Item = String>) -> Self {
        let mut texts: Vec<String> = texts.into_iter().collect();
        texts.sort_unstable();
        texts.dedup();
        Self { codes: texts.into_iter().zip(0_u32..).collect() }
    }

    /// Number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Code of an item.
    #[must_use]
    pub fn code(&self, text: &str) -> Option<u32> {
        self.codes.get(text).copied()
    }

    /// Code of each of some texts.
    pub(super) fn codes_of(&self, texts: &[String]) -> Vec<Option<u32>> {
        texts.iter().map(|text| self.code(text)).collect()
    }
}

/// Who listened to what and when, as a file has it.
#[derive(Debug, Clone, Default)]
pub struct Histories {
    /// Names of the people, ascending.
    subjects: Vec<String>,
    items: Vec<String>,
    /// Person, item, milliseconds; in the order of the file.
    events: Vec<(u32, u32, Option<i64>)>,
}

impl Histories {
    /// Reads the columns that name the person, the item and, if it is given, the time. Rows without person or item are left out.
    ///
    /// # Errors
    /// A column is missing or has another type, or nothing can be read.
    ///
    /// ```
    /// use backmask::{policy::{Input, Table}, utility::Histories};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let file = folder.path().join("pool.tsv");
    /// std::fs::write(&file, "user\tartist\nann\tx\nann\ty\nbob\ty\n")?;
    /// let sources = backmask::listening::open(&[file], Table::Events, &Input::default())?;
    /// let histories = Histories::read(&sources, "user", "artist", None)?;
    /// let items = histories.items();
    /// assert_eq!(histories.interactions(&items)?.popularity(), [1.0, 2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(sources: &[Arc<dyn Source>], subject: &str, item: &str, time: Option<&str>) -> Result<Self> {
        if subject == item {
            return Err(Error::column(item, "names the person and cannot be the item too", "name the column of the items"));
        }
        let table = read_columns(sources, &[subject, item], &[], &time.into_iter().collect::<Vec<_>>())?;
        let [subjects, items]: [Texts; 2] = table.texts.try_into().unwrap_or_default();
        let times = table.times.into_iter().next();
        let at = |row: usize| times.as_ref().and_then(|times| times.get(row).copied().flatten());
        let rows = subjects.codes.iter().zip(&items.codes).enumerate();
        let named = rows.filter(|(_, (subject, item))| **subject != NULL_CODE && **item != NULL_CODE);
        let events = named.map(|(row, (&subject, &item))| (subject, item, at(row))).collect();
        Ok(Self { subjects: subjects.values, items: items.values, events })
    }

    /// The distinct items of these people.
    #[must_use]
    pub fn items(&self) -> Items {
        Items::new(self.used().into_iter().cloned())
    }

    fn used(&self) -> Vec<&String> {
        let mut used = vec![false; self.items.len()];
        self.events.iter().for_each(|event| used[event.1 as usize] = true);
        self.items.iter().zip(used).filter(|(_, used)| *used).map(|(item, _)| item).collect()
    }

    /// Number of people.
    #[must_use]
    pub fn people(&self) -> usize {
        self.subjects.len()
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.events.len()
    }

    /// Number of people whose name is that of one of `other`'s people.
    #[must_use]
    pub fn same_names(&self, other: &Self) -> usize {
        self.subjects.iter().filter(|name| other.subjects.binary_search(name).is_ok()).count()
    }

    /// Number of distinct items, and of those among them that are in `items`.
    #[must_use]
    pub fn matched_items(&self, items: &Items) -> (usize, usize) {
        let used = self.used();
        (used.len(), used.into_iter().filter(|item| items.code(item).is_some()).count())
    }

    /// Splits the people in two by a keyed hash of their names: those for whom it lies in the first `tenths` tenths, and the others.
    #[must_use]
    pub fn split(&self, seed: u64, tenths: u8) -> (Self, Self) {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let is_first: Vec<bool> = self
            .subjects
            .iter()
            .map(|name| u32::from(blake3::keyed_hash(&key, name.as_bytes()).as_bytes()[0]) * 10 < u32::from(tenths) * 256)
            .collect();
        let part = |first: bool| {
            let mut renumbered = vec![NULL_CODE; self.subjects.len()];
            let mut subjects = Vec::new();
            for (old, name) in self.subjects.iter().enumerate().filter(|(old, _)| is_first[*old] == first) {
                renumbered[old] = u32::try_from(subjects.len()).unwrap_or(NULL_CODE);
                subjects.push(name.clone());
            }
            let events = self.events.iter().map(|&(subject, item, time)| (renumbered[subject as usize], item, time));
            Self { subjects, items: self.items.clone(), events: events.filter(|event| event.0 != NULL_CODE).collect() }
        };
        (part(true), part(false))
    }

    /// The distinct items of every person, among `items`; people are in the order of their names.
    ///
    /// # Errors
    /// There are too many items.
    pub fn interactions(&self, items: &Items) -> Result<Interactions> {
        let codes = items.codes_of(&self.items);
        let mut lists = vec![Vec::new(); self.subjects.len()];
        for &(subject, item, _) in &self.events {
            if let Some(code) = codes.get(item as usize).copied().flatten() {
                lists[subject as usize].push(code);
            }
        }
        Interactions::from_lists(&lists, items.len())
    }

    /// The events of every person as (milliseconds, item), among `items`; people are in the order of their names. Events without a time are left out.
    #[must_use]
    pub fn timed(&self, items: &Items) -> Vec<Vec<(i64, u32)>> {
        let codes = items.codes_of(&self.items);
        let mut lists = vec![Vec::new(); self.subjects.len()];
        for &(subject, item, time) in &self.events {
            if let (Some(time), Some(code)) = (time, codes.get(item as usize).copied().flatten()) {
                lists[subject as usize].push((time, code));
            }
        }
        lists
    }
}
