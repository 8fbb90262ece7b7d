//! Tokens that live for a period or a session: to which one each row belongs.

use crate::error::{Error, Result};
use crate::io::table::{CodedTable, NULL_CODE};
use crate::pipeline::unpack;
use crate::policy::{Period, PseudonymSpec, Scope};
use crate::pseudonym::period_labels;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use hashbrown::HashMap;
use std::path::Path;

/// Name of the column that holds the unit of every row.
pub(super) const UNIT: &str = "\u{0}unit";

/// The units of a table: pairs of a person and a period or session, each of which gets a token of its own. Their codes are in the column [`UNIT`] of the table.
///
/// A row without a time belongs to no period, and gets no token: nothing joins it to another row.
#[derive(Debug)]
pub(super) struct Units {
    /// Index of the column of codes.
    pub(super) column: usize,
    /// Person of every unit, by code of the subject column.
    pub(super) people: Vec<u32>,
    /// What tells the units of a person apart.
    pub(super) labels: StringArray,
}

/// How the rows of a person are cut.
enum Cut {
    Period(Period),
    /// A longer gap than so many milliseconds starts a new session.
    Session(i64),
}

/// A stretch of a person's numbers: person, first number, last number.
type Span = (u32, i64, i64);

impl Units {
    /// Cuts the rows of every person by the raw times in column `time`, and adds the codes to the table.
    ///
    /// Sessions are those of all rows of the person in the pool, whether or not they are released.
    pub(super) fn add(
        table: CodedTable,
        subject: usize,
        time: usize,
        spec: &PseudonymSpec,
        memory: usize,
        folder: &Path,
    ) -> Result<(CodedTable, Self)> {
        let cut = match (spec.scope, spec.period, spec.session_gap) {
            (Scope::Period, Some(period), _) => Cut::Period(period),
            (Scope::Session, _, Some(minutes)) => Cut::Session(i64::from(minutes) * 60_000),
            _ => return Err(Error::policy("subject.pseudonym", "says not how tokens are cut", "give `period` or `session_gap`")),
        };
        let name = table.schema().field(time).name().clone();
        let mut numbers = Numbers { cut, names: HashMap::new(), texts: Vec::new() };
        let gap = if let Cut::Session(gap) = numbers.cut { gap } else { 0 };
        let mut spans = Runs { runs: Vec::new(), gap };
        for chunk in 0..table.chunks() {
            let (people, numbers) = of_chunk(&table, subject, time, chunk, &mut numbers).map_err(|e| named(e, &name))?;
            let mut found: Vec<Span> = people
                .iter()
                .zip(numbers.iter())
                .filter_map(|(&person, n)| n.filter(|_| person != NULL_CODE).map(|n| (person, n, n)))
                .collect();
            found.sort_unstable();
            spans.push(join(found, gap));
        }
        let spans = spans.finish();
        let distinct = u32::try_from(spans.len()).ok().filter(|&count| count < NULL_CODE - 1).ok_or_else(|| {
            Error::column(
                &name,
                "cuts the rows into more than 2³² periods or sessions of people",
                "choose longer ones, or the scope \"product\"",
            )
        })?;
        let labels = spans.iter().map(|&(_, first, _)| Some(numbers.text(first))).collect();
        let people = spans.iter().map(|&(person, ..)| person).collect();
        let table = table.with_codes(UNIT, distinct, memory, folder, |table, chunk| {
            let (people, numbers) = of_chunk(table, subject, time, chunk, &mut numbers)?;
            Ok(people
                .iter()
                .zip(numbers.iter())
                .map(|(&person, number)| number.map_or(NULL_CODE, |number| unit(&spans, person, number)))
                .collect())
        })?;
        let column = table.column(UNIT)?;
        Ok((table, Self { column, people, labels }))
    }

    /// The codes of people and their labels for some units.
    pub(super) fn pairs(&self, used: &[u32]) -> Result<(UInt32Array, ArrayRef)> {
        let people = UInt32Array::from_iter_values(used.iter().map(|&unit| self.people[unit as usize]));
        let labels = arrow::compute::take(&self.labels, &UInt32Array::from(used.to_vec()), None)
            .map_err(|e| Error::arrow("labelling tokens", &e))?;
        Ok((people, labels))
    }
}

/// The unit of a person's number. Every number that was observed lies in a span.
fn unit(spans: &[Span], person: u32, number: i64) -> u32 {
    let after = spans.partition_point(|&(other, first, _)| (other, first) <= (person, number));
    match after.checked_sub(1).and_then(|place| spans.get(place).map(|span| (place, span))) {
        Some((place, &(owner, _, last))) if owner == person && number <= last => u32::try_from(place).unwrap_or(NULL_CODE),
        _ => NULL_CODE,
    }
}

fn of_chunk(table: &CodedTable, subject: usize, time: usize, chunk: usize, numbers: &mut Numbers) -> Result<(Vec<u32>, Int64Array)> {
    let mut people = Vec::new();
    table.codes(chunk, subject, &mut people)?;
    let numbers = numbers.of(table.array(chunk, time)?.as_ref())?;
    Ok((people, numbers))
}

/// From times to numbers that are cut into spans.
struct Numbers {
    cut: Cut,
    /// Numbers of the labels of periods.
    names: HashMap<String, i64>,
    texts: Vec<String>,
}

impl Numbers {
    /// The number of the period of every time, or the time in milliseconds.
    fn of(&mut self, times: &dyn Array) -> Result<Int64Array> {
        let Cut::Period(period) = self.cut else { return milliseconds(times) };
        let labels = period_labels(times, period)?;
        let texts = labels.values().as_string::<i32>();
        let numbers: Vec<i64> = texts
            .iter()
            .map(|text| {
                let text = text.unwrap_or_default();
                let next = self.names.len() as i64;
                *self.names.entry_ref(text).or_insert_with(|| {
                    self.texts.push(text.to_owned());
                    next
                })
            })
            .collect();
        Ok(labels
            .keys()
            .iter()
            .map(|key| key.and_then(|key| usize::try_from(key).ok()).and_then(|key| numbers.get(key).copied()))
            .collect())
    }

    /// What tells the spans of a person apart, whatever the order of the rows.
    fn text(&self, first: i64) -> String {
        match self.cut {
            Cut::Period(_) => usize::try_from(first).ok().and_then(|number| self.texts.get(number)).cloned().unwrap_or_default(),
            Cut::Session(_) => first.to_string(),
        }
    }
}

/// Milliseconds since 1970, rounded down; the far ends of time are as far as 64 bits reach.
fn milliseconds(times: &dyn Array) -> Result<Int64Array> {
    let times = unpack(times)?;
    let (factor, divisor) = match times.data_type() {
        DataType::Date32 => (86_400_000, 1),
        DataType::Timestamp(TimeUnit::Second, _) => (1000, 1),
        DataType::Date64 | DataType::Timestamp(TimeUnit::Millisecond, _) => (1, 1),
        DataType::Timestamp(TimeUnit::Microsecond, _) => (1, 1000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => (1, 1_000_000),
        other => {
            return Err(Error::column(
                "time",
                format!("has the type {other}, which has no order in time"),
                "give times or dates, or name another column with subject.pseudonym.time",
            ));
        }
    };
    let words = match times.data_type() {
        DataType::Date32 => cast(&cast(&times, &DataType::Int32).map_err(|e| unreadable(&e))?, &DataType::Int64),
        _ => cast(&times, &DataType::Int64),
    }
    .map_err(|e| unreadable(&e))?;
    Ok(words.as_primitive::<Int64Type>().unary(|word: i64| word.saturating_mul(factor).div_euclid(divisor)))
}

fn unreadable(error: &arrow::error::ArrowError) -> Error {
    Error::arrow("reading times", error)
}

/// Names the column of times.
fn named(error: Error, name: &str) -> Error {
    match error {
        Error::Column { problem, remedy, .. } => Error::column(name, problem, remedy),
        other => other,
    }
}

/// Joins sorted spans of one person that are no further apart than `gap`.
fn join(spans: Vec<Span>, gap: i64) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for (person, first, last) in spans {
        match joined.last_mut() {
            Some((owner, _, end)) if *owner == person && first.saturating_sub(*end) <= gap => *end = last.max(*end),
            _ => joined.push((person, first, last)),
        }
    }
    joined
}

/// Sorted lists of spans. Two of about one length are merged at once, so that a number is moved a logarithmic number of times. The end result is the same for any cut
/// into lists: two numbers are in one span if and only if steps of at most `gap` lead from one to the other.
struct Runs {
    runs: Vec<Vec<Span>>,
    gap: i64,
}

impl Runs {
    fn push(&mut self, run: Vec<Span>) {
        self.runs.push(run);
        while let [.., before, last] = self.runs.as_slice()
            && before.len() <= 2 * last.len()
        {
            self.merge_last();
        }
    }

    fn merge_last(&mut self) {
        let (Some(mut last), Some(before)) = (self.runs.pop(), self.runs.pop()) else { return };
        last.extend(before);
        // Two sorted runs: the standard sort finds and merges them.
        last.sort();
        self.runs.push(join(last, self.gap));
    }

    fn finish(mut self) -> Vec<Span> {
        while self.runs.len() > 1 {
            self.merge_last();
        }
        self.runs.pop().unwrap_or_default()
    }
}
