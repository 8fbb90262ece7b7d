//! All times of a person moved by one secret number of days.

use super::times::{TickUnit, no_times};
use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use crate::pipeline::{Transform, UNNAMED, assemble, check_canonical, column_index, map_canonical, name_column, unpack, value_type};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray, RecordBatch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use std::sync::Arc;

/// A keyed, uniform number of whole days in −days…days for every subject.
///
/// The number depends on the key and on the value of the subject, not on its Arrow representation: the same text in `Utf8`, `LargeUtf8`, `Utf8View` or a dictionary, and the same
/// integer in any width, have the same number (see [`visit_canonical`](crate::pipeline::visit_canonical)). It is the first 64-bit word below the largest multiple of 2·days + 1
/// in the BLAKE3 output stream, keyed with a key derived for this purpose, so every number is equally likely, exactly.
///
/// ```
/// use backmask::arrow::array::{Array, StringArray, TimestampSecondArray, UInt32Array, cast::AsArray};
/// use backmask::arrow::compute::take;
/// use backmask::{keys::Key, transform::{DayShift, add_days}};
///
/// // An engine that holds subjects as codes asks once a person …
/// let people = StringArray::from(vec!["ann", "bob"]);
/// let days = DayShift::new(&Key::forgotten()?, 14).days(&people)?;
/// // … and gathers by code.
/// let codes = UInt32Array::from(vec![1, 0, 1]);
/// let times = TimestampSecondArray::from(vec![1_700_000_000, 1_700_000_060, 1_700_000_120]);
/// let shifted = add_days(&times, take(&days, &codes, None)?.as_primitive())?;
/// assert_eq!(shifted.len(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Security
/// A shift hides the dates of a person's events from somebody who knows some of them in absolute time. It keeps everything relative: the spans between events, the time of day, and up to the
/// shift the season. Somebody who knows two events and their distance is not stopped. A person whose shifted history reaches beyond the period that the pool covers reveals a bound on
/// the shift. Use another key for every release: two releases with different keys and otherwise equal events tell the difference of the two shifts.
///
/// # References
/// G. Hripcsak et al., "Preserving temporal relations in clinical data while maintaining privacy", JAMIA 23(6), 2016.
#[derive(Debug)]
pub struct DayShift {
    key: Key,
    days: u32,
}

impl DayShift {
    /// Shifts of at most `days` days in either direction. The key is derived from `key` for this purpose, so `key` may serve others too.
    #[must_use]
    pub fn new(key: &Key, days: u32) -> Self {
        Self { key: key.derive(&Domain::of("day-shift")), days }
    }

    /// The number of days of every subject in `subjects`, missing for a missing subject.
    ///
    /// # Errors
    /// The type of the subjects cannot be compared by value.
    pub fn days(&self, subjects: &dyn Array) -> Result<Int64Array> {
        let days = map_canonical(subjects, None, |value| Some(self.of_value(value)))?;
        Ok(days.into_iter().collect())
    }

    fn of_value(&self, value: &[u8]) -> i64 {
        let choices = 2 * u64::from(self.days) + 1;
        // A number below 2^33.
        let accept = |word: &[u8; 8]| Some(remainder(u64::from_le_bytes(*word), choices)?.cast_signed() - i64::from(self.days));
        // The hash is the start of the stream, and the first word is nearly always accepted.
        let hash = blake3::keyed_hash(self.key.expose(), value);
        if let Some(days) = hash.as_bytes().first_chunk().and_then(accept) {
            return days;
        }
        let mut stream = blake3::Hasher::new_keyed(self.key.expose()).update(value).finalize_xof();
        loop {
            let mut word = [0; 8];
            stream.fill(&mut word);
            if let Some(days) = accept(&word) {
                return days;
            }
        }
    }
}

/// `word` mod `choices`, or `None` for a word at or above the largest multiple of `choices`: such words would favour the small remainders.
fn remainder(word: u64, choices: u64) -> Option<u64> {
    let bound = u64::MAX - u64::MAX % choices;
    (word < bound).then(|| word % choices)
}

/// Adds a number of days to every time; missing where either is missing. Takes timestamps of every unit and dates, gives the same type.
///
/// ```
/// use backmask::arrow::array::{Date32Array, Int64Array, cast::AsArray, types::Date32Type};
/// use backmask::transform::add_days;
///
/// let moved = add_days(&Date32Array::from(vec![19_000, 19_000]), &Int64Array::from(vec![-3, 14]))?;
/// assert_eq!(moved.as_primitive::<Date32Type>().values(), &[18_997, 19_014]);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// The arrays have different lengths, `times` holds no times, or a moved time lies outside the type.
pub fn add_days(times: &dyn Array, days: &Int64Array) -> Result<ArrayRef> {
    fn add<T: ArrowPrimitiveType>(
        times: &dyn Array,
        days: &Int64Array,
        add: impl Fn(T::Native, i64) -> Option<T::Native>,
    ) -> Result<ArrayRef> {
        let mut rows = 0_u64;
        let moved: PrimitiveArray<T> = times
            .as_primitive::<T>()
            .iter()
            .zip(days)
            .map(|pair| match pair {
                (Some(time), Some(days)) => {
                    let moved = add(time, days);
                    rows += u64::from(moved.is_none());
                    moved
                }
                _ => None,
            })
            .collect();
        if rows > 0 {
            return Err(Error::rows(
                UNNAMED,
                rows,
                "the shifted time lies outside the range of the column's type",
                "mend or drop these times, or shift by fewer days",
            ));
        }
        Ok(Arc::new(moved.with_data_type(times.data_type().clone())))
    }
    if times.len() != days.len() {
        return Err(Error::Parameter { name: "days", problem: "must be as many as there are times".to_owned() });
    }
    let times = unpack(times)?;
    let per_day = TickUnit::of(times.data_type(), "shifted")?.per_day();
    let ticks = |time: i64, days: i64| days.checked_mul(per_day).and_then(|ticks| time.checked_add(ticks));
    match times.data_type() {
        DataType::Date32 => {
            add::<Date32Type>(&times, days, |time, days| i64::from(time).checked_add(days).and_then(|day| i32::try_from(day).ok()))
        }
        DataType::Date64 => add::<Date64Type>(&times, days, ticks),
        DataType::Timestamp(TimeUnit::Second, _) => add::<TimestampSecondType>(&times, days, ticks),
        DataType::Timestamp(TimeUnit::Millisecond, _) => add::<TimestampMillisecondType>(&times, days, ticks),
        DataType::Timestamp(TimeUnit::Microsecond, _) => add::<TimestampMicrosecondType>(&times, days, ticks),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => add::<TimestampNanosecondType>(&times, days, ticks),
        _ => Err(no_times("shifted")),
    }
}

/// Moves all times of a subject by the subject's own number of days: [`DayShift`] on a batch. Rows without a subject lose their time.
///
/// ```
/// use backmask::arrow::array::{Date32Array, RecordBatch, StringArray, cast::AsArray, types::Date32Type};
/// use backmask::{keys::Key, pipeline::Transform, transform::Shift};
/// use std::sync::Arc;
///
/// let batch = RecordBatch::try_from_iter([
///     ("subject_id", Arc::new(StringArray::from(vec!["ann", "ann"])) as _),
///     ("started_at", Arc::new(Date32Array::from(vec![19_000, 19_007])) as _),
/// ])?;
/// let shifted = Shift::new("subject_id", "started_at", 14, &Key::forgotten()?).apply(&batch)?;
/// let days = shifted["started_at"].as_primitive::<Date32Type>().values();
/// assert_eq!(days[1] - days[0], 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Shift {
    subject: String,
    time: String,
    by: DayShift,
}

impl Shift {
    /// Moves the column `time` by at most `days` days in either direction, by the values of the column `subject`.
    pub fn new(subject: impl Into<String>, time: impl Into<String>, days: u32, key: &Key) -> Self {
        Self { subject: subject.into(), time: time.into(), by: DayShift::new(key, days) }
    }
}

impl Transform for Shift {
    fn output_schema(&self, input: &Schema) -> Result<SchemaRef> {
        let subject = column_index(input, &self.subject)?;
        check_canonical(input.field(subject).data_type()).map_err(|e| name_column(e, &self.subject))?;
        let time = column_index(input, &self.time)?;
        let output = value_type(input.field(time).data_type()).clone();
        TickUnit::of(&output, "shifted").map_err(|e| name_column(e, &self.time))?;
        Ok(with_type(input, time, output))
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = self.output_schema(batch.schema_ref())?;
        let time = column_index(batch.schema_ref(), &self.time)?;
        let subject = batch.column(column_index(batch.schema_ref(), &self.subject)?);
        let days = self.by.days(subject).map_err(|e| name_column(e, &self.subject))?;
        let mut columns = batch.columns().to_vec();
        columns[time] = add_days(&columns[time], &days).map_err(|e| name_column(e, &self.time))?;
        assemble(schema, columns, batch.num_rows())
    }
}

/// The schema with another type for one column.
pub(super) fn with_type(input: &Schema, index: usize, output: DataType) -> SchemaRef {
    let mut fields = input.fields().to_vec();
    fields[index] = Arc::new(Field::new(input.field(index).name(), output, true));
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        Date32Array, DictionaryArray, Int16Array, LargeStringArray, StringArray, StringViewArray, TimestampMillisecondArray,
        TimestampNanosecondArray, UInt64Array,
    };
    use arrow::datatypes::Int8Type;

    fn shift(days: u32) -> DayShift {
        DayShift::new(&Key::from_bytes([7; 32]), days)
    }

    #[test]
    fn days_depend_on_the_value_only() {
        let shift = shift(1_000);
        let plain = shift.days(&StringArray::from(vec![Some("ann"), None, Some("bob"), Some("ann"), Some("")])).unwrap();
        assert_eq!(plain.value(0), plain.value(3));
        assert!(plain.is_null(1) && plain.is_valid(4));
        let dictionary: DictionaryArray<Int8Type> = vec![Some("ann"), None, Some("bob"), Some("ann"), Some("")].into_iter().collect();
        assert_eq!(shift.days(&dictionary).unwrap(), plain);
        assert_eq!(shift.days(&dictionary.slice(2, 2)).unwrap(), plain.slice(2, 2));
        assert_eq!(shift.days(&LargeStringArray::from(vec!["bob"])).unwrap().value(0), plain.value(2));
        assert_eq!(shift.days(&StringViewArray::from(vec!["bob"])).unwrap().value(0), plain.value(2));
        assert_eq!(shift.days(&Int16Array::from(vec![42])).unwrap(), shift.days(&UInt64Array::from(vec![42])).unwrap());
        assert_eq!(DayShift::new(&Key::from_bytes([7; 32]), 0).days(&UInt64Array::from(vec![1, 2])).unwrap().values(), &[0, 0]);
    }

    #[test]
    fn values_are_stable() {
        // Computed by an independent implementation of HKDF and BLAKE3. They must never change: data released under a key would no longer fit.
        let days = shift(14).days(&StringArray::from(vec!["ann", "bob", "", "carol"])).unwrap();
        assert_eq!(days.values(), &[8, 9, -1, -13]);
        assert_eq!(shift(14).days(&arrow::array::Int64Array::from(vec![0, -1, 42])).unwrap().values(), &[-9, 0, 9]);
    }

    #[test]
    fn every_number_of_days_is_equally_likely() {
        // χ² with 28 degrees of freedom; 75.0 is exceeded with probability 4e-6 by a uniform law.
        let (days, people) = (14, 29_000_u64);
        let mut counts = [0_u32; 29];
        for day in shift(days).days(&UInt64Array::from_iter_values(0..people)).unwrap().values() {
            counts[usize::try_from(day + i64::from(days)).unwrap()] += 1;
        }
        let chi_squared = |counts: &[u32; 29]| counts.iter().map(|&count| (f64::from(count) - 1_000.0).powi(2) / 1_000.0).sum::<f64>();
        assert!(chi_squared(&counts) < 75.0, "{counts:?}");
        // The test would notice a law that leaves out one end, as a half-open range does.
        let mut broken = counts;
        broken[0] += std::mem::take(&mut broken[28]);
        assert!(chi_squared(&broken) > 75.0);
    }

    #[test]
    fn words_that_would_favour_small_numbers_are_rejected() {
        for choices in [1, 3, 29, (1 << 33) - 1, u64::MAX / 2 + 2] {
            // The accepted words are whole rounds of all remainders.
            let accepted = u64::MAX - u64::MAX % choices;
            assert_eq!((remainder(0, choices), remainder(accepted - 1, choices)), (Some(0), Some(choices - 1)));
            assert_eq!((remainder(accepted, choices), remainder(u64::MAX, choices)), (None, None));
        }
    }

    #[test]
    fn the_largest_range_stays_in_range() {
        let days = shift(u32::MAX).days(&UInt64Array::from_iter_values(0..500)).unwrap();
        assert!(days.values().iter().all(|day| u32::try_from(day.unsigned_abs()).is_ok()));
        assert!(days.values().iter().any(|day| day.unsigned_abs() > u64::from(u32::MAX) / 2));
    }

    #[test]
    fn times_of_a_subject_keep_their_distances_in_every_unit() {
        let times = TimestampMillisecondArray::from(vec![Some(-5), None, Some(86_400_000)]).with_timezone("UTC");
        let days = Int64Array::from(vec![Some(3), Some(3), Some(-1)]);
        let moved = add_days(&times, &days).unwrap();
        assert_eq!(moved.data_type(), times.data_type());
        assert_eq!(moved.as_primitive::<TimestampMillisecondType>().iter().collect::<Vec<_>>(), [Some(259_199_995), None, Some(0)]);
        for unit in [TimeUnit::Second, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
            let data_type = DataType::Timestamp(unit, Some("UTC".into()));
            let whole = TimestampMillisecondArray::from(vec![Some(-5_000), None, Some(86_400_000)]).with_timezone("UTC");
            let other = add_days(&arrow::compute::cast(&whole, &data_type).unwrap(), &days).unwrap();
            assert_eq!(&other, &arrow::compute::cast(&add_days(&whole, &days).unwrap(), &data_type).unwrap());
        }
    }

    #[test]
    fn times_that_leave_their_type_are_counted() {
        let times = TimestampNanosecondArray::from(vec![Some(i64::MAX), Some(0), None, Some(i64::MIN)]);
        let message = add_days(&times, &Int64Array::from(vec![1, 1, 1, -1])).unwrap_err().to_string();
        assert!(message.contains("2 rows"), "{message}");
        assert!(add_days(&Date32Array::from(vec![i32::MAX]), &Int64Array::from(vec![1])).is_err());
        assert!(add_days(&Date32Array::from(vec![0]), &Int64Array::from(vec![i64::MAX])).is_err());
        assert!(add_days(&Date32Array::from(vec![0]), &Int64Array::from(vec![1, 2])).is_err());
        assert!(add_days(&StringArray::from(vec![""]), &Int64Array::from(vec![1])).is_err());
    }

    #[test]
    fn batches_keep_their_other_columns_and_errors_name_the_right_one() {
        let batch = RecordBatch::try_from_iter([
            ("who", Arc::new(StringArray::from(vec![Some("ann"), None])) as ArrayRef),
            ("when", Arc::new(Date32Array::from(vec![100, 100]))),
        ])
        .unwrap();
        let step = Shift::new("who", "when", 5, &Key::from_bytes([1; 32]));
        let moved = step.apply(&batch).unwrap();
        assert_eq!(moved.schema(), step.output_schema(batch.schema_ref()).unwrap());
        assert_eq!(moved.column(0), batch.column(0));
        assert!(moved.column(1).is_valid(0) && moved.column(1).is_null(1));
        let wrong = Shift::new("who", "who", 5, &Key::from_bytes([1; 32])).apply(&batch).unwrap_err().to_string();
        assert!(wrong.contains("column who"), "{wrong}");
    }
}
