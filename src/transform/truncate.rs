//! Times cut down to the start of their calendar unit.

use super::calendar::{days_into_month, days_into_quarter, days_into_week, days_into_year};
use super::numbers::try_map;
use crate::error::{Error, Result};
use crate::pipeline::{Kernel, UNNAMED, apply_once};
use crate::policy::TimeUnit;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, TimeUnit as Unit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use std::sync::Arc;

/// Cuts times down to the start of their calendar unit, in UTC. Weeks start on Monday.
///
/// Takes timestamps of every unit, with or without a time zone, and dates; gives the same type. A time zone decides how a timestamp is shown, not where its
/// month starts: that is always the month in UTC. Times before 1970 are cut down as well, never up. Dates have no hours, so minutes and hours leave `Date32` as it is.
///
/// ```
/// use backmask::arrow::array::{TimestampMillisecondArray, cast::AsArray, types::TimestampMillisecondType};
/// use backmask::{pipeline::Kernel, policy::TimeUnit, transform::Truncate};
///
/// let times = TimestampMillisecondArray::from(vec![1_700_000_000_000]); // 2023-11-14 22:13:20
/// let months = Truncate::new(TimeUnit::Month).apply(&times)?;
/// assert_eq!(months.as_primitive::<TimestampMillisecondType>().value(0), 1_698_796_800_000); // 2023-11-01 00:00:00
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// The column holds no times, or the start of a unit lies before the earliest time that the type can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncate {
    unit: TimeUnit,
}

impl Truncate {
    /// Truncation to `unit`.
    #[must_use]
    pub fn new(unit: TimeUnit) -> Self {
        Self { unit }
    }

    /// `PER_SECOND` is a constant so that divisions by it become multiplications.
    fn timestamps<T: ArrowPrimitiveType<Native = i64>, const PER_SECOND: i64>(self, array: &dyn Array) -> Result<ArrayRef> {
        let per_day = const { 86_400 * PER_SECOND };
        let times = array.as_primitive::<T>();
        let start = |time: i64, days_into: fn(i64) -> i64| {
            let day = time.div_euclid(per_day);
            (day - days_into(day)).checked_mul(per_day)
        };
        let truncated = match self.unit {
            TimeUnit::Minute => try_map::<T, T>(times, |time| time.checked_sub(time.rem_euclid(const { 60 * PER_SECOND }))),
            TimeUnit::Hour => try_map(times, |time| time.checked_sub(time.rem_euclid(const { 3_600 * PER_SECOND }))),
            TimeUnit::Day => try_map(times, |time| time.checked_sub(time.rem_euclid(per_day))),
            TimeUnit::Week => try_map(times, |time| start(time, days_into_week)),
            TimeUnit::Month => try_map(times, |time| start(time, days_into_month)),
            TimeUnit::Quarter => try_map(times, |time| start(time, days_into_quarter)),
            TimeUnit::Year => try_map(times, |time| start(time, days_into_year)),
        };
        Ok(Arc::new(truncated.map_err(too_early)?.with_data_type(array.data_type().clone())))
    }

    fn dates(self, array: &dyn Array) -> Result<ArrayRef> {
        let dates = array.as_primitive::<Date32Type>();
        let into: fn(i64) -> i64 = match self.unit {
            TimeUnit::Minute | TimeUnit::Hour | TimeUnit::Day => return Ok(Arc::new(dates.clone())),
            TimeUnit::Week => days_into_week,
            TimeUnit::Month => days_into_month,
            TimeUnit::Quarter => days_into_quarter,
            TimeUnit::Year => days_into_year,
        };
        let start = |day: i32| i32::try_from(i64::from(day) - into(i64::from(day))).ok();
        Ok(Arc::new(try_map::<Date32Type, Date32Type>(dates, start).map_err(too_early)?))
    }
}

fn too_early(rows: u64) -> Error {
    Error::rows(
        UNNAMED,
        rows,
        "the start of the calendar unit lies before the earliest time of the column's type",
        "mend or drop these times, or use a coarser timestamp unit",
    )
}

impl Kernel for Truncate {
    fn output_type(&self, input: &DataType) -> Result<DataType> {
        match input {
            DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64 => Ok(input.clone()),
            _ => Err(super::times::no_times("truncated")),
        }
    }

    fn apply(&self, array: &dyn Array) -> Result<ArrayRef> {
        match array.data_type() {
            DataType::Timestamp(Unit::Second, _) => self.timestamps::<TimestampSecondType, 1>(array),
            DataType::Timestamp(Unit::Millisecond, _) => self.timestamps::<TimestampMillisecondType, 1_000>(array),
            DataType::Timestamp(Unit::Microsecond, _) => self.timestamps::<TimestampMicrosecondType, 1_000_000>(array),
            DataType::Timestamp(Unit::Nanosecond, _) => self.timestamps::<TimestampNanosecondType, 1_000_000_000>(array),
            DataType::Date64 => self.timestamps::<Date64Type, 1_000>(array),
            DataType::Date32 => self.dates(array),
            DataType::Dictionary(_, _) => apply_once(self, array),
            _ => Err(super::times::no_times("truncated")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, Date64Array, StringArray, TimestampNanosecondArray, TimestampSecondArray, new_null_array};
    use arrow::compute::cast;
    use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Timelike, Utc};

    const UNITS: [TimeUnit; 7] =
        [TimeUnit::Minute, TimeUnit::Hour, TimeUnit::Day, TimeUnit::Week, TimeUnit::Month, TimeUnit::Quarter, TimeUnit::Year];

    /// The same by way of chrono's calendar.
    fn oracle(unit: TimeUnit, second: i64) -> i64 {
        let time = DateTime::<Utc>::from_timestamp(second, 0).unwrap().naive_utc();
        let (date, midnight) = (time.date(), NaiveTime::MIN);
        let first = |month| NaiveDate::from_ymd_opt(date.year(), month, 1).unwrap().and_time(midnight);
        let start = match unit {
            TimeUnit::Minute => date.and_hms_opt(time.hour(), time.minute(), 0).unwrap(),
            TimeUnit::Hour => date.and_hms_opt(time.hour(), 0, 0).unwrap(),
            TimeUnit::Day => date.and_time(midnight),
            TimeUnit::Week => date.checked_sub_days(Days::new(date.weekday().num_days_from_monday().into())).unwrap().and_time(midnight),
            TimeUnit::Month => first(date.month()),
            TimeUnit::Quarter => first(date.month0() / 3 * 3 + 1),
            TimeUnit::Year => first(1),
        };
        start.and_utc().timestamp()
    }

    #[test]
    fn all_units_agree_with_chrono_on_both_sides_of_1970() {
        // A step of a prime number of seconds meets every hour of the day and every day of the year.
        let seconds: Vec<i64> = (-40_000..40_000).map(|i| i * 196_613 + i % 61).chain([0, -1, 1, 951_782_400, -86_400, -86_401]).collect();
        let times = TimestampSecondArray::from(seconds.clone());
        for unit in UNITS {
            let kernel = Truncate::new(unit);
            let got = kernel.apply(&times).unwrap();
            let expected: Vec<i64> = seconds.iter().map(|&second| oracle(unit, second)).collect();
            assert!(got.as_primitive::<TimestampSecondType>().values() == expected.as_slice(), "{unit:?}");
            // Nanoseconds reach from 1678 to 2261 only.
            let near = times.slice(20_000, 40_000).with_timezone("UTC");
            for (other, scale) in [(Unit::Millisecond, 1_000), (Unit::Microsecond, 1_000_000), (Unit::Nanosecond, 1_000_000_000)] {
                let data_type = DataType::Timestamp(other, Some("Europe/Berlin".into()));
                let finer = kernel.apply(&cast(&near, &data_type).unwrap()).unwrap();
                assert_eq!(finer.data_type(), &data_type);
                let finer = cast(&finer, &DataType::Int64).unwrap();
                let expected: Vec<i64> = expected[20_000..60_000].iter().map(|start| start * scale).collect();
                assert!(finer.as_primitive::<arrow::datatypes::Int64Type>().values() == expected.as_slice(), "{unit:?} {other:?}");
            }
        }
    }

    #[test]
    fn dates_agree_with_timestamps() {
        let days = Date32Array::from_iter_values((-200_000..200_000).step_by(7));
        let as_times = cast(&days, &DataType::Timestamp(Unit::Second, None)).unwrap();
        for unit in UNITS {
            let kernel = Truncate::new(unit);
            let expected = kernel.apply(&as_times).unwrap();
            let got = kernel.apply(&days).unwrap();
            assert_eq!(&cast(&got, &DataType::Timestamp(Unit::Second, None)).unwrap(), &expected, "{unit:?}");
            let got = kernel.apply(&cast(&days, &DataType::Date64).unwrap()).unwrap();
            assert_eq!(got.data_type(), &DataType::Date64);
            assert_eq!(&cast(&got, &DataType::Timestamp(Unit::Second, None)).unwrap(), &expected, "{unit:?}");
        }
    }

    #[test]
    fn truncation_is_idempotent_and_never_later() {
        let times = TimestampSecondArray::from_iter_values((-3_000..3_000).map(|i| i * 7_919_333));
        for unit in UNITS {
            let once = Truncate::new(unit).apply(&times).unwrap();
            assert_eq!(&Truncate::new(unit).apply(&once).unwrap(), &once);
            assert!(once.as_primitive::<TimestampSecondType>().values().iter().zip(times.values()).all(|(start, time)| start <= time));
        }
    }

    #[test]
    fn the_far_ends_overflow_with_a_count_and_only_where_they_must() {
        let ends = TimestampNanosecondArray::from(vec![Some(i64::MIN), None, Some(i64::MAX), Some(i64::MIN + 1)]);
        for unit in UNITS {
            let message = Truncate::new(unit).apply(&ends).unwrap_err().to_string();
            assert!(message.contains("2 rows") && !message.contains("9223372036854775"), "{message}");
            assert!(Truncate::new(unit).apply(&ends.slice(1, 2)).is_ok());
            // A null slot may hold anything.
            let hidden = TimestampNanosecondArray::new(vec![i64::MIN].into(), Some(vec![false].into()));
            assert!(Truncate::new(unit).apply(&hidden).unwrap().is_null(0));
        }
        assert!(Truncate::new(TimeUnit::Day).apply(&Date32Array::from(vec![i32::MIN, i32::MAX])).is_ok());
        assert!(Truncate::new(TimeUnit::Year).apply(&Date32Array::from(vec![i32::MIN])).is_err());
        assert!(Truncate::new(TimeUnit::Year).apply(&Date64Array::from(vec![i64::MAX])).is_ok());
    }

    #[test]
    fn other_types_are_refused_before_data_is_seen() {
        let kernel = Truncate::new(TimeUnit::Day);
        assert!(kernel.output_type(&DataType::Utf8).is_err());
        assert!(kernel.apply(&StringArray::from(vec!["2024"])).is_err());
        let nulls = new_null_array(&DataType::Date32, 3);
        assert_eq!(&kernel.apply(&nulls).unwrap(), &nulls);
    }
}
