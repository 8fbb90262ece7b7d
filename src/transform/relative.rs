//! Times since the first event of a person.

use super::shift::with_type;
use super::times::{TickUnit, ticks};
use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use crate::pipeline::{Fit, Transform, UNNAMED, assemble, check_canonical, column_index, map_canonical, name_column, unpack, value_type};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, LargeBinaryArray, RecordBatch, UInt8Array};
use arrow::datatypes::{DataType, Int64Type, Schema, SchemaRef, UInt8Type};
use hashbrown::HashMap;
use std::fmt;
use std::sync::Arc;

const WHAT: &str = "made relative";

/// First times by subject, in canonical encoding.
#[derive(Clone, Default)]
struct FirstTimes {
    slots: HashMap<Box<[u8]>, usize>,
    /// By slot; `None` for a subject without a time so far.
    times: Vec<Option<i64>>,
}

impl FirstTimes {
    fn slot(&mut self, subject: &[u8]) -> usize {
        if let Some(&slot) = self.slots.get(subject) {
            return slot;
        }
        let slot = self.times.len();
        self.slots.insert(subject.into(), slot);
        self.times.push(None);
        slot
    }

    fn learn(&mut self, slot: usize, time: i64) {
        if let Some(first) = self.times.get_mut(slot) {
            *first = Some(first.map_or(time, |known| known.min(time)));
        }
    }

    fn learn_of(&mut self, subject: &[u8], time: i64) {
        let slot = self.slot(subject);
        self.learn(slot, time);
    }

    fn get(&self, subject: &[u8]) -> Option<i64> {
        self.slots.get(subject).and_then(|&slot| self.times.get(slot).copied().flatten())
    }

    /// Subjects that have a time, in no particular order.
    fn iter(&self) -> impl Iterator<Item = (&[u8], i64)> {
        self.slots.iter().filter_map(|(subject, &slot)| Some((subject.as_ref(), self.times.get(slot).copied().flatten()?)))
    }

    fn len(&self) -> usize {
        self.times.iter().flatten().count()
    }
}

/// Learns the time of the first event of every subject, and finishes into the [`Relative`] that subtracts it.
///
/// Subjects are told apart by value, not by Arrow representation (see [`visit_canonical`](crate::pipeline::visit_canonical)). Rows without a subject or a time teach nothing.
/// Memory grows with the number of subjects.
///
/// ```
/// use backmask::arrow::array::{Int64Array, RecordBatch, StringArray, TimestampSecondArray};
/// use backmask::{pipeline::{Fit, Transform}, transform::RelativeFit};
/// use std::sync::Arc;
///
/// let batch = RecordBatch::try_from_iter([
///     ("subject_id", Arc::new(StringArray::from(vec!["ann", "bob", "ann"])) as _),
///     ("started_at", Arc::new(TimestampSecondArray::from(vec![90, 10, 60])) as _),
/// ])?;
/// let mut fit = RelativeFit::new("subject_id", "started_at");
/// fit.observe(&batch)?;
/// let relative = fit.finish()?.apply(&batch)?;
/// assert_eq!(relative["started_at"].as_ref(), &Int64Array::from(vec![30_000, 0, 0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RelativeFit {
    subject: String,
    time: String,
    unit: Option<TickUnit>,
    first: FirstTimes,
}

impl fmt::Debug for RelativeFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelativeFit")
            .field("subject", &self.subject)
            .field("time", &self.time)
            .field("subjects", &self.first.len())
            .finish_non_exhaustive()
    }
}

impl RelativeFit {
    /// For the subjects in the column `subject` and the times in the column `time`.
    pub fn new(subject: impl Into<String>, time: impl Into<String>) -> Self {
        Self { subject: subject.into(), time: time.into(), unit: None, first: FirstTimes::default() }
    }

    /// How many distinct subjects have an event so far.
    #[must_use]
    pub fn subjects(&self) -> usize {
        self.first.len()
    }

    fn set_unit(&mut self, unit: TickUnit) -> Result<()> {
        match *self.unit.get_or_insert(unit) {
            known if known != unit => Err(Error::column(&self.time, "comes in two time units", "cast all inputs to one timestamp type")),
            _ => Ok(()),
        }
    }
}

impl Fit for RelativeFit {
    type Output = Relative;

    fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        let subject = batch.column(column_index(batch.schema_ref(), &self.subject)?);
        let times = unpack(batch.column(column_index(batch.schema_ref(), &self.time)?))?;
        let unit = TickUnit::of(times.data_type(), WHAT).map_err(|e| name_column(e, &self.time))?;
        self.set_unit(unit)?;
        let times = ticks(&times, WHAT)?;
        let Self { first, .. } = self;
        let slots = map_canonical(subject, None, |value| Some(first.slot(value))).map_err(|e| name_column(e, &self.subject))?;
        for (slot, time) in slots.into_iter().zip(&times) {
            if let (Some(slot), Some(time)) = (slot, time) {
                self.first.learn(slot, time);
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        if (&self.subject, &self.time) != (&other.subject, &other.time) {
            return Err(Error::Parameter { name: "relative", problem: "accumulators of different columns cannot be merged".to_owned() });
        }
        if let Some(unit) = other.unit {
            self.set_unit(unit)?;
        }
        for (subject, first) in other.first.iter() {
            self.first.learn_of(subject, first);
        }
        Ok(())
    }

    /// Three arrays: the subjects in canonical encoding, ascending; their first times; the time unit.
    fn state(&self) -> Result<Vec<ArrayRef>> {
        let mut rows: Vec<(&[u8], i64)> = self.first.iter().collect();
        rows.sort_unstable();
        let unit = self.unit.unwrap_or(TickUnit::Millisecond) as u8;
        Ok(vec![
            Arc::new(LargeBinaryArray::from_iter_values(rows.iter().map(|(subject, _)| subject))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|&(_, first)| first))),
            Arc::new(UInt8Array::from_value(unit, rows.len())),
        ])
    }

    fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()> {
        let wrong = || Error::Arrow { context: "merging first times".to_owned(), kind: "the arrays are not such a state".to_owned() };
        let [subjects, first, units] = state else { return Err(wrong()) };
        let subjects = subjects.as_binary_opt::<i64>().ok_or_else(wrong)?;
        let first = first.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
        let units = units.as_primitive_opt::<UInt8Type>().ok_or_else(wrong)?;
        if subjects.len() != first.len() || subjects.len() != units.len() {
            return Err(wrong());
        }
        for ((subject, first), unit) in subjects.iter().zip(first).zip(units) {
            let (Some(subject), Some(first), Some(unit)) = (subject, first, unit.and_then(TickUnit::from_code)) else {
                return Err(wrong());
            };
            self.set_unit(unit)?;
            self.first.learn_of(subject, first);
        }
        Ok(())
    }

    fn finish(self) -> Result<Relative> {
        Ok(Relative { subject: self.subject, time: self.time, unit: self.unit, first: self.first })
    }
}

/// Replaces times by the whole milliseconds since the first event of the row's subject, as `Int64`. Made by [`RelativeFit`].
///
/// The output is a number and not a `Duration`, because CSV has no durations and Parquet readers disagree about them. Fractions of a millisecond are cut off.
/// Rows without a subject have no relative time.
///
/// # Security
/// The absolute time of the first event is gone, and with it all absolute times. The spans between the events of a person are kept to the millisecond; they single people out as well as
/// dates do for somebody who knows two events. The state of the accumulator and this transform hold raw subjects and times: they belong to the steward.
#[derive(Clone)]
pub struct Relative {
    subject: String,
    time: String,
    unit: Option<TickUnit>,
    first: FirstTimes,
}

impl fmt::Debug for Relative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relative")
            .field("subject", &self.subject)
            .field("time", &self.time)
            .field("subjects", &self.first.len())
            .finish_non_exhaustive()
    }
}

impl Relative {
    fn unit_of(&self, data_type: &DataType) -> Result<TickUnit> {
        let unit = TickUnit::of(value_type(data_type), WHAT).map_err(|e| name_column(e, &self.time))?;
        if self.unit.is_some_and(|fitted| fitted != unit) {
            return Err(Error::column(
                &self.time,
                "has another time unit than the data that was fitted",
                "cast all inputs to one timestamp type",
            ));
        }
        Ok(unit)
    }
}

impl Transform for Relative {
    fn output_schema(&self, input: &Schema) -> Result<SchemaRef> {
        let subject = column_index(input, &self.subject)?;
        check_canonical(input.field(subject).data_type()).map_err(|e| name_column(e, &self.subject))?;
        let time = column_index(input, &self.time)?;
        self.unit_of(input.field(time).data_type())?;
        Ok(with_type(input, time, DataType::Int64))
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = self.output_schema(batch.schema_ref())?;
        let time = column_index(batch.schema_ref(), &self.time)?;
        let unit = self.unit_of(batch.column(time).data_type())?;
        let times = ticks(&unpack(batch.column(time))?, WHAT)?;
        let subject = batch.column(column_index(batch.schema_ref(), &self.subject)?);
        // Outer `None`: no subject; inner: a subject without a first event.
        let first = map_canonical(subject, None, |value| Some(self.first.get(value))).map_err(|e| name_column(e, &self.subject))?;
        let relative = subtract(&times, unit, first.into_iter()).map_err(|e| name_column(e, &self.time))?;
        let mut columns = batch.columns().to_vec();
        columns[time] = Arc::new(relative);
        assemble(schema, columns, batch.num_rows())
    }
}

fn subtract(times: &Int64Array, unit: TickUnit, first: impl Iterator<Item = Option<Option<i64>>>) -> Result<Int64Array> {
    let (mut unknown, mut too_long) = (0_u64, 0_u64);
    let relative: Int64Array = times
        .iter()
        .zip(first)
        .map(|(time, first)| {
            let (time, first) = (time?, first?);
            match first {
                Some(first) if first <= time => {
                    let milliseconds = unit.milliseconds_between(first, time);
                    too_long += u64::from(milliseconds.is_none());
                    milliseconds
                }
                _ => {
                    unknown += 1;
                    None
                }
            }
        })
        .collect();
    if unknown > 0 {
        return Err(Error::rows(
            UNNAMED,
            unknown,
            "events of a subject that precede its first known event",
            "fit on the same data that is transformed",
        ));
    }
    if too_long > 0 {
        return Err(Error::rows(UNNAMED, too_long, "spans of more milliseconds than 64 bits hold", "mend or drop these times"));
    }
    Ok(relative)
}

/// The time of the first event of every subject, for an engine that holds subjects as codes 0, 1, …: `subjects[row]` is the code of the row's subject, or
/// [`NULL_CODE`]. The result has one entry a subject, in the unit of `times`; `None` for a subject without a time.
///
/// ```
/// use backmask::arrow::array::TimestampSecondArray;
/// use backmask::transform::{first_times, since_first};
///
/// let (times, subjects) = (TimestampSecondArray::from(vec![90, 10, 60]), [0, 1, 0]);
/// let first = first_times(&times, &subjects, 2)?;
/// assert_eq!(first, [Some(60), Some(10)]);
/// assert_eq!(since_first(&times, &subjects, &first)?.values(), &[30_000, 0, 0]);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// `times` holds no times, there are not as many codes as times, or a code is not below `count`.
pub fn first_times(times: &dyn Array, subjects: &[u32], count: usize) -> Result<Vec<Option<i64>>> {
    let times = ticks(&unpack(times)?, WHAT)?;
    check_codes(times.len(), subjects, count)?;
    let mut first: Vec<Option<i64>> = vec![None; count];
    for (&subject, time) in subjects.iter().zip(&times) {
        if let (Some(first), Some(time)) = (first.get_mut(subject as usize), time) {
            *first = Some(first.map_or(time, |known| known.min(time)));
        }
    }
    Ok(first)
}

/// Whole milliseconds since the first event of the row's subject: [`Relative`] for an engine that holds subjects as codes. See [`first_times`].
///
/// # Errors
/// As for [`first_times`], or an event precedes the first event of its subject.
pub fn since_first(times: &dyn Array, subjects: &[u32], first: &[Option<i64>]) -> Result<Int64Array> {
    let times = unpack(times)?;
    let unit = TickUnit::of(times.data_type(), WHAT)?;
    check_codes(times.len(), subjects, first.len())?;
    subtract(&ticks(&times, WHAT)?, unit, subjects.iter().map(|&subject| first.get(subject as usize).copied()))
}

/// After this check the only code without a subject is [`NULL_CODE`].
fn check_codes(rows: usize, subjects: &[u32], count: usize) -> Result<()> {
    if rows != subjects.len() || count > NULL_CODE as usize {
        return Err(Error::Parameter { name: "subjects", problem: "must be as many as there are times, and fit 32-bit codes".to_owned() });
    }
    if subjects.iter().any(|&code| code != NULL_CODE && code as usize >= count) {
        return Err(Error::Parameter { name: "subjects", problem: "a code is not below the number of subjects".to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        Date32Array, StringArray, StringViewArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    };
    use arrow::compute::concat;

    fn batch(subjects: ArrayRef, times: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable([("who", subjects, true), ("when", times, true)]).unwrap()
    }

    fn names(names: Vec<Option<&str>>) -> ArrayRef {
        Arc::new(StringArray::from(names))
    }

    fn fitted(batches: &[RecordBatch]) -> RelativeFit {
        let mut fit = RelativeFit::new("who", "when");
        for batch in batches {
            fit.observe(batch).unwrap();
        }
        fit
    }

    #[test]
    fn missing_parts_stay_missing_and_teach_nothing() {
        let batch = batch(
            names(vec![Some("ann"), None, Some("bob"), Some("ann"), Some("bob")]),
            Arc::new(TimestampMillisecondArray::from(vec![Some(-7), Some(-900), None, Some(5), Some(1)])),
        );
        let fit = fitted(std::slice::from_ref(&batch));
        assert_eq!(fit.subjects(), 2);
        let relative = fit.finish().unwrap();
        let got = relative.apply(&batch).unwrap();
        assert_eq!(got.schema(), relative.output_schema(batch.schema_ref()).unwrap());
        assert_eq!(got.column(1).as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(0), None, None, Some(12), Some(0)]));
    }

    #[test]
    fn fractions_of_a_millisecond_are_cut_off() {
        let who = names(vec![Some("ann"); 3]);
        let cases: [(ArrayRef, [i64; 3]); 3] = [
            (Arc::new(TimestampMicrosecondArray::from(vec![-1, 998, 1_000])), [0, 0, 1]),
            (Arc::new(TimestampNanosecondArray::from(vec![-1, 999_998, i64::MAX])), [0, 0, 9_223_372_036_854]),
            (Arc::new(Date32Array::from(vec![i32::MIN, i32::MIN + 1, i32::MAX])), [0, 86_400_000, 4_294_967_295 * 86_400_000]),
        ];
        for (times, expected) in cases {
            let batch = batch(Arc::clone(&who), times);
            let got = fitted(std::slice::from_ref(&batch)).finish().unwrap().apply(&batch).unwrap();
            assert_eq!(got.column(1).as_primitive::<Int64Type>().values(), &expected);
        }
    }

    #[test]
    fn spans_beyond_64_bits_and_unknown_events_are_counted() {
        let who = names(vec![Some("ann"); 3]);
        let wide = batch(who, Arc::new(TimestampMillisecondArray::from(vec![i64::MIN, i64::MAX, 0])));
        let message = fitted(std::slice::from_ref(&wide)).finish().unwrap().apply(&wide).unwrap_err().to_string();
        assert!(message.contains("column when (2 rows)"), "{message}");
        let early = batch(names(vec![Some("ann"), Some("zoe")]), Arc::new(TimestampMillisecondArray::from(vec![4, 4])));
        let late = batch(names(vec![Some("ann")]), Arc::new(TimestampMillisecondArray::from(vec![5])));
        let message = fitted(&[late]).finish().unwrap().apply(&early).unwrap_err().to_string();
        assert!(message.contains("column when (2 rows)") && !message.contains("zoe"), "{message}");
    }

    #[test]
    fn states_round_trip_and_merge_like_the_accumulators() {
        let a = batch(names(vec![Some("ann"), Some("bob")]), Arc::new(TimestampMillisecondArray::from(vec![10, 20])));
        let b = batch(
            Arc::new(StringViewArray::from(vec!["bob", "cid"])),
            Arc::new(TimestampMillisecondArray::from(vec![15, -3]).with_timezone("UTC")),
        );
        let (mut left, right, empty) = (fitted(&[a]), fitted(&[b]), fitted(&[]));
        let states = [left.state().unwrap(), empty.state().unwrap(), right.state().unwrap()];
        let appended: Vec<ArrayRef> =
            (0..3).map(|i| concat(&[states[0][i].as_ref(), states[1][i].as_ref(), states[2][i].as_ref()]).unwrap()).collect();
        let mut shipped = fitted(&[]);
        shipped.merge_state(&appended).unwrap();
        left.merge(right).unwrap();
        assert_eq!(left.state().unwrap(), shipped.state().unwrap());
        let mut again = fitted(&[]);
        again.merge_state(&left.state().unwrap()).unwrap();
        assert_eq!(again.state().unwrap(), left.state().unwrap());
        assert_eq!(left.state().unwrap()[1].as_primitive::<Int64Type>().values(), &[10, 15, -3]);
    }

    #[test]
    fn mixed_units_columns_and_foreign_states_are_refused() {
        let who = || names(vec![Some("ann")]);
        let mut fit = fitted(&[batch(who(), Arc::new(TimestampMillisecondArray::from(vec![1])))]);
        let other = batch(who(), Arc::new(TimestampMicrosecondArray::from(vec![1])));
        assert!(fit.observe(&other).is_err());
        assert!(fit.merge(fitted(std::slice::from_ref(&other))).is_err());
        assert!(fit.merge(RelativeFit::new("who", "ended_at")).is_err());
        assert!(fit.merge_state(&[]).is_err());
        assert!(fit.merge_state(&[who(), who(), who()]).is_err());
        let unknown_unit: [ArrayRef; 3] = [
            Arc::new(LargeBinaryArray::from_iter_values([b"x"])),
            Arc::new(Int64Array::from(vec![1])),
            Arc::new(UInt8Array::from(vec![9])),
        ];
        assert!(fit.merge_state(&unknown_unit).is_err());
        let relative = fitted(&[batch(who(), Arc::new(TimestampMillisecondArray::from(vec![1])))]).finish().unwrap();
        assert!(relative.output_schema(other.schema_ref()).is_err());
        assert!(relative.output_schema(batch(who(), who()).schema_ref()).is_err());
    }

    #[test]
    fn debug_output_names_nobody() {
        let fit = fitted(&[batch(names(vec![Some("ann")]), Arc::new(Date32Array::from(vec![19_123])))]);
        let text = format!("{fit:?}") + &format!("{:?}", fit.finish().unwrap());
        assert!(!text.contains("ann") && !text.contains("19123") && text.contains("subjects: 1"), "{text}");
    }

    #[test]
    fn codes_give_the_same_as_values() {
        let subjects = ["a", "b", "a", "", "c", "b"];
        let times = TimestampMicrosecondArray::from(vec![Some(9_000), Some(5_500), Some(4_000), Some(1), None, Some(7_499)]);
        let who = subjects.iter().map(|name| Some(*name).filter(|name| !name.is_empty())).collect();
        let batch = batch(names(who), Arc::new(times.clone()));
        let expected = fitted(std::slice::from_ref(&batch)).finish().unwrap().apply(&batch).unwrap();
        let codes = [0, 1, 0, NULL_CODE, 2, 1];
        let first = first_times(&times, &codes, 3).unwrap();
        assert_eq!(first, [Some(4_000), Some(5_500), None]);
        assert_eq!(&since_first(&times, &codes, &first).unwrap(), expected.column(1).as_primitive::<Int64Type>());
        assert!(first_times(&times, &codes, 2).is_err());
        assert!(first_times(&times, &codes[1..], 3).is_err());
        assert!(since_first(&times, &codes, &[None; 3]).is_err());
        assert_eq!(first_times(&Date32Array::from(Vec::<i32>::new()), &[], 2).unwrap(), [None, None]);
    }
}
