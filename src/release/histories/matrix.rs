//! From the events of the pool to the matrix of people and items.

use super::HistoryWorkshop;
use crate::error::{Error, Result};
use crate::history::items::{CanonicalItems, ItemMapping, NameVotes, normalized};
use crate::io::table::{NULL_CODE, gather_values};
use crate::keys::{Domain, Key};
use crate::matrix::{PairChunks, SubjectItems, content_hashes, item_support};
use crate::policy::{Canonical, HistoryColumns, Table};
use crate::release::budget::Budget;
use crate::release::columns::{HELD_OUT, NOBODY, RELEASED};
use crate::release::pool::PoolTable;
use crate::release::rows::ReleasedRows;
use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use std::sync::Arc;

/// The histories of the people of a product.
#[derive(Debug)]
pub(super) struct Histories {
    /// People and their items; those that count, where the policy bounds them.
    pub(super) matrix: SubjectItems,
    /// People and all of their items, where that is another matrix.
    all: Option<SubjectItems>,
    /// The people of the control group and their items, under the same codes.
    pub(super) control: SubjectItems,
    /// Names of people and items that do not depend on codes.
    pub(super) subject_ids: Vec<u64>,
    pub(super) item_ids: Vec<u64>,
    /// The value of every item code.
    pub(super) values: ArrayRef,
    /// The column of items, and which of its values are the same.
    item: usize,
    same: CanonicalItems,
    /// What was left out before anything was formed, in rows of the events, by reason.
    pub(super) left_out: Vec<(&'static str, u64)>,
    /// People of the control group.
    pub(super) control_people: u64,
}

impl Histories {
    /// People and all of their items.
    pub(super) fn all(&self) -> &SubjectItems {
        self.all.as_ref().unwrap_or(&self.matrix)
    }

    /// People who have an item.
    pub(super) fn people(&self) -> u64 {
        people_with_items(&self.matrix)
    }

    /// The same people with more items, which nobody here has.
    pub(super) fn with_items(self, values: ArrayRef, extra: &ArrayRef, key: &Key) -> Result<Self> {
        let wider = |matrix: &SubjectItems| {
            let lists: Vec<&[u32]> = (0_u32..).take(matrix.subjects()).map(|person| matrix.items_of(person)).collect();
            SubjectItems::from_lists(&lists, values.len())
        };
        let mut item_ids = self.item_ids;
        item_ids.extend(content_hashes(&[Arc::clone(extra)], key.derive(&Domain::of("history-items")).expose())?);
        Ok(Self {
            matrix: wider(&self.matrix)?,
            all: self.all.as_ref().map(wider).transpose()?,
            control: wider(&self.control)?,
            item_ids,
            values,
            ..self
        })
    }

    /// The text of every item code, as files in text formats have it.
    pub(super) fn texts(&self) -> Result<StringArray> {
        let text = cast(&self.values, &DataType::Utf8).map_err(|e| Error::arrow("writing items as text", &e))?;
        Ok(text.as_string::<i32>().clone())
    }
}

/// Number of people who have an item.
pub(super) fn people_with_items(matrix: &SubjectItems) -> u64 {
    (0..u32::try_from(matrix.subjects()).unwrap_or(u32::MAX)).filter(|&person| !matrix.items_of(person).is_empty()).count() as u64
}

/// (person, canonical item) of the rows.
struct ItemPairs<'a> {
    rows: &'a ReleasedRows<'a>,
    item: usize,
    same: &'a CanonicalItems,
}

impl PairChunks for ItemPairs<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&[u32], &[u32]) -> Result<()>) -> Result<()> {
        let mut items = Vec::new();
        self.rows.visit(&[self.item], &mut |_, subjects, codes| {
            items.clear();
            items.extend(codes[0].iter().map(|&item| self.same.code_of(item)));
            visit(subjects, &items)
        })
    }
}

impl HistoryWorkshop<'_> {
    /// The histories of everybody who is not set aside. Rows that name no person or no item are left out and counted.
    pub(super) fn histories(&self, columns: &HistoryColumns, key: &Key) -> Result<Histories> {
        let events = self.pool.table(Table::Events)?;
        let table = &events.table;
        let subject = events.subject.ok_or_else(|| Error::policy("subject", "no column names the person", "add [subject]"))?;
        let item = table.column(&columns.item)?;
        let marks = events.marks()?;
        let rows = ReleasedRows { table, marks: &marks, subject: Some(subject) };
        let (same, values) = self.same_items(&rows, columns, item, key)?;
        let memory = Budget::new(self.memory).algorithm();
        let people = table.distinct(subject)?;
        let matrix = SubjectItems::build(&ItemPairs { rows: &rows, item, same: &same }, people, same.len(), memory)?;
        let set_aside: Vec<Vec<u8>> =
            marks.iter().map(|marks| marks.iter().map(|&mark| if mark == HELD_OUT { RELEASED } else { HELD_OUT }).collect()).collect();
        let aside = ReleasedRows { table, marks: &set_aside, subject: Some(subject) };
        let control = SubjectItems::build(&ItemPairs { rows: &aside, item, same: &same }, people, same.len(), memory)?;
        let subject_ids = people_ids(events, subject, key)?;
        let item_ids = content_hashes(&[Arc::clone(&values)], key.derive(&Domain::of("history-items")).expose())?;
        let mut left_out = left_out(&rows, item, &same, &marks)?;
        let merged = same.merged() as u64;
        if merged > 0 {
            left_out.push(("items were counted with another one that is the same", merged));
        }
        let control_people = events.held_out.iter().filter(|&&held| held).count() as u64;
        let (matrix, all) = match self.product.max_items_per_subject {
            Some(most) => (bounded(&matrix, most, &subject_ids, &item_ids, key)?, Some(matrix)),
            None => (matrix, None),
        };
        Ok(Histories { matrix, all, control, subject_ids, item_ids, values, item, same, left_out, control_people })
    }

    /// Which items are the same, and the value of each canonical code. An empty text is no item: text formats cannot tell it from a missing one.
    fn same_items(&self, rows: &ReleasedRows<'_>, columns: &HistoryColumns, item: usize, key: &Key) -> Result<(CanonicalItems, ArrayRef)> {
        let values = rows.table.values(item)?;
        let empty = empty_text(&values).unwrap_or(NULL_CODE);
        let different = CanonicalItems::all_different(values.len())?;
        let Some(declared) = self.product.items else { return Ok((different.without(empty), values)) };
        let memory = Budget::new(self.memory).algorithm();
        let people = item_support(&ItemPairs { rows, item, same: &different }, rows.subjects()?, values.len(), memory)?;
        let ids = content_hashes(&[Arc::clone(&values)], key.derive(&Domain::of("history-same-items")).expose())?;
        match &declared.canonical {
            Canonical::File { path, delimiter } => {
                let mapping = ItemMapping::read(path, *delimiter)?;
                let text = cast(&values, &DataType::Utf8).map_err(|e| Error::arrow("looking items up in the mapping", &e))?;
                let keys: Vec<Option<&str>> = text.as_string::<i32>().iter().map(|text| text.map(|text| mapping.canonical(text))).collect();
                let same = CanonicalItems::of_keys(&keys, &people, &ids)?;
                let canonical: StringArray =
                    same.representatives().iter().map(|&item| keys.get(item as usize).copied().flatten()).collect();
                Ok((same.without(empty), Arc::new(canonical)))
            }
            Canonical::Name => {
                let mut keys = keys_by_name(rows, item, &columns.names)?;
                if let Some(key) = keys.get_mut(empty as usize) {
                    *key = None;
                }
                let same = CanonicalItems::of_keys(&keys, &people, &ids)?;
                let canonical = gather_values(&values, same.representatives())?;
                Ok((same.without(empty), canonical))
            }
        }
    }

    /// The order in which each person first listened to the items: the place of each, from 0, one for each pair of the matrix, in its order. Items without a time come last.
    pub(super) fn first_times(&self, histories: &Histories, time: &str) -> Result<Vec<u64>> {
        let events = self.pool.table(Table::Events)?;
        let marks = events.marks()?;
        let rows = ReleasedRows { table: &events.table, marks: &marks, subject: events.subject };
        let time = events.table.column(time)?;
        let matrix = &histories.matrix;
        let mut starts = Vec::with_capacity(matrix.subjects());
        let mut total = 0_usize;
        for person in 0..u32::try_from(matrix.subjects()).unwrap_or(u32::MAX) {
            starts.push(total);
            total += matrix.items_of(person).len();
        }
        let mut first = vec![u64::MAX; total];
        rows.visit(&[histories.item], &mut |chunk, subjects, codes| {
            let times = cast(&events.table.array(chunk, time)?, &DataType::Int64).map_err(|e| Error::arrow("reading times", &e))?;
            let times = times.as_primitive::<Int64Type>();
            for (row, (&person, &item)) in subjects.iter().zip(&codes[0]).enumerate() {
                if person != NULL_CODE
                    && times.is_valid(row)
                    && let Ok(place) = matrix.items_of(person).binary_search(&histories.same.code_of(item))
                    && let Some(slot) = starts.get(person as usize).and_then(|start| first.get_mut(start + place))
                {
                    *slot = (*slot).min(ordered(times.value(row)));
                }
            }
            Ok(())
        })?;
        Ok(places_in_time(matrix, &first, &histories.item_ids))
    }
}

/// Sessions of people: `items[offsets[i]..offsets[i + 1]]` are the items of session i in their order, `owners[i]` the code of the person.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    pub(super) offsets: Vec<usize>,
    pub(super) items: Vec<u32>,
    pub(super) owners: Vec<u32>,
    /// Rows without a time, which belong to no session.
    pub(super) without_time: u64,
}

impl HistoryWorkshop<'_> {
    /// The rows of every person in the order of their times, cut where more than `gap_minutes` pass without one. Rows of the same time are in the order of the names of their items.
    pub(super) fn sessions(&self, histories: &Histories, time: &str, gap_minutes: u32) -> Result<Sessions> {
        let events = self.pool.table(Table::Events)?;
        let marks = events.marks()?;
        let rows = ReleasedRows { table: &events.table, marks: &marks, subject: events.subject };
        let time = events.table.column(time)?;
        let mut plays: Vec<(u32, i64, u64, u32)> = Vec::new();
        let mut sessions = Sessions { offsets: vec![0], ..Sessions::default() };
        rows.visit(&[histories.item], &mut |chunk, subjects, codes| {
            let milliseconds = DataType::Timestamp(TimeUnit::Millisecond, None);
            let times = cast(&events.table.array(chunk, time)?, &milliseconds)
                .and_then(|times| cast(&times, &DataType::Int64))
                .map_err(|e| Error::arrow("reading times", &e))?;
            let times = times.as_primitive::<Int64Type>();
            for (row, (&person, &item)) in subjects.iter().zip(&codes[0]).enumerate() {
                let item = histories.same.code_of(item);
                if person == NULL_CODE || histories.matrix.items_of(person).binary_search(&item).is_err() {
                    continue;
                }
                if times.is_valid(row) {
                    plays.push((person, times.value(row), histories.item_ids[item as usize], item));
                } else {
                    sessions.without_time += 1;
                }
            }
            Ok(())
        })?;
        plays.sort_unstable();
        let gap = i64::from(gap_minutes) * 60_000;
        for (place, &(person, at, _, item)) in plays.iter().enumerate() {
            let goes_on = place
                .checked_sub(1)
                .and_then(|before| plays.get(before))
                .is_some_and(|&(other, before, ..)| other == person && at.checked_sub(before).is_some_and(|passed| passed <= gap));
            if !goes_on {
                if !sessions.items.is_empty() {
                    sessions.offsets.push(sessions.items.len());
                }
                sessions.owners.push(person);
            }
            sessions.items.push(item);
        }
        if !sessions.items.is_empty() {
            sessions.offsets.push(sessions.items.len());
        }
        Ok(sessions)
    }
}

/// The place of every item in its person's order of time, one for each pair of the matrix. Items of one time are in the order of their ids, as they are released: combinations are
/// cut and counted in one and the same order.
fn places_in_time(matrix: &SubjectItems, times: &[u64], item_ids: &[u64]) -> Vec<u64> {
    let mut places = Vec::with_capacity(times.len());
    let mut order: Vec<(u64, u64, usize)> = Vec::new();
    for person in 0..u32::try_from(matrix.subjects()).unwrap_or(u32::MAX) {
        let (start, items) = (places.len(), matrix.items_of(person));
        order.clear();
        order.extend(items.iter().zip(&times[start..]).enumerate().map(|(place, (&item, &time))| (time, item_ids[item as usize], place)));
        order.sort_unstable();
        places.resize(start + items.len(), 0);
        for (rank, &(.., place)) in (0_u64..).zip(&order) {
            places[start + place] = rank;
        }
    }
    places
}

/// A time as a number without a sign, in the same order.
fn ordered(time: i64) -> u64 {
    time.cast_unsigned() ^ (1 << 63)
}

/// The name of every item without case, accents and punctuation; none where the data gives none.
fn keys_by_name(rows: &ReleasedRows<'_>, item: usize, names: &[String]) -> Result<Vec<Option<String>>> {
    let table = rows.table;
    let columns = names.iter().map(|name| table.column(name)).collect::<Result<Vec<_>>>()?;
    let texts = columns
        .iter()
        .map(|&column| {
            let text = cast(&table.values(column)?, &DataType::Utf8).map_err(|e| Error::arrow("reading names of items", &e))?;
            Ok(text.as_string::<i32>().iter().map(|text| text.map(normalized).unwrap_or_default()).collect())
        })
        .collect::<Result<Vec<Vec<String>>>>()?;
    let mut votes = NameVotes::new();
    let mut own = vec![0_u32; columns.len()];
    let wanted: Vec<usize> = std::iter::once(item).chain(columns).collect();
    rows.visit(&wanted, &mut |_, subjects, codes| {
        for row in (0..subjects.len()).filter(|&row| subjects[row] != NULL_CODE && codes[0][row] != NULL_CODE) {
            own.iter_mut().zip(&codes[1..]).for_each(|(own, codes)| *own = codes[row]);
            votes.add(codes[0][row], &own);
        }
        Ok(())
    })?;
    Ok(votes.keys(table.distinct(item)?, |codes| {
        let parts: Vec<&str> = codes.iter().zip(&texts).map(|(&code, texts)| texts.get(code as usize).map_or("", String::as_str)).collect();
        // A recording without a title is like no other, whoever plays it.
        let has_title = parts.first().is_some_and(|first| !first.is_empty());
        has_title.then(|| parts.iter().fold(String::new(), |key, part| key + &part.len().to_string() + ":" + part))
    }))
}

/// Names of people: numbers in one table and texts in another are the same people.
pub(super) fn people_ids(table: &PoolTable, subject: usize, key: &Key) -> Result<Vec<u64>> {
    let text = cast(&table.table.values(subject)?, &DataType::Utf8).map_err(|e| Error::arrow("naming people", &e))?;
    content_hashes(&[text], key.derive(&Domain::of("history-people")).expose())
}

fn left_out(rows: &ReleasedRows<'_>, item: usize, same: &CanonicalItems, marks: &[Vec<u8>]) -> Result<Vec<(&'static str, u64)>> {
    let count = |wanted: u8| marks.iter().flatten().filter(|&&mark| mark == wanted).count() as u64;
    let mut without_item = 0;
    rows.visit(&[item], &mut |_, subjects, codes| {
        let missing = subjects.iter().zip(&codes[0]).filter(|&(&person, &code)| person != NULL_CODE && same.code_of(code) == NULL_CODE);
        without_item += missing.count() as u64;
        Ok(())
    })?;
    let counts = [
        ("rows name no person", count(NOBODY)),
        ("rows are of people of the control group", count(HELD_OUT)),
        ("rows name no item", without_item),
    ];
    Ok(counts.into_iter().filter(|&(_, rows)| rows > 0).collect())
}

/// At most so many items a person, those with the smallest keyed hashes.
fn bounded(matrix: &SubjectItems, most: u64, subject_ids: &[u64], item_ids: &[u64], key: &Key) -> Result<SubjectItems> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let key = key.derive(&Domain::of("history-bound"));
    let lists: Vec<Vec<u32>> = (0..u32::try_from(matrix.subjects()).unwrap_or(u32::MAX))
        .map(|person| {
            let items = matrix.items_of(person);
            if items.len() <= most {
                return items.to_vec();
            }
            let mut ranked: Vec<([u8; 32], u32)> = items
                .iter()
                .map(|&item| {
                    let content = [subject_ids[person as usize].to_le_bytes(), item_ids[item as usize].to_le_bytes()].concat();
                    (*blake3::keyed_hash(key.expose(), &content).as_bytes(), item)
                })
                .collect();
            ranked.select_nth_unstable(most);
            ranked[..most].iter().map(|entry| entry.1).collect()
        })
        .collect();
    SubjectItems::from_lists(&lists, matrix.items())
}

/// Code of the empty text among the values, if it is there.
fn empty_text(values: &ArrayRef) -> Option<u32> {
    let text = cast(values, &DataType::Utf8).ok()?;
    (0_u32..).zip(text.as_string::<i32>().iter()).find(|(_, text)| *text == Some("")).map(|(code, _)| code)
}
