//! Which calendar period a row falls in.

use crate::error::{Error, Result};
use crate::pipeline::{UNNAMED, unpack};
use crate::policy::Period;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, DictionaryArray, Int32Array, PrimitiveArray, StringArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Int32Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use hashbrown::HashMap;
use std::sync::Arc;

/// The label of the calendar period, in UTC, of every time: the part of a [`PseudonymDomain`](super::PseudonymDomain) that makes tokens change from period to period.
///
/// | period | label | example |
/// |---|---|---|
/// | [`Period::Day`] | date | `2026-03-05` |
/// | [`Period::Week`] | ISO year and week | `2026-W10` |
/// | [`Period::Month`] | year and month | `2026-03` |
/// | [`Period::Days`] | first day since 1970-01-01, and length | `day 20510+14` |
///
/// Takes dates and timestamps of every unit and zone; an instant has the same label in every zone. Years before 0 and after 9999 have a sign (`+12026-03`). A missing time has no label.
/// The dictionary holds the labels that occur, in the order of their first rows, each once.
///
/// ```
/// use backmask::arrow::array::{Array, TimestampSecondArray};
/// use backmask::{policy::Period, pseudonym::period_labels};
///
/// let times = TimestampSecondArray::from(vec![Some(1_772_668_800), None, Some(1_772_668_799)]).with_timezone("Europe/Berlin");
/// let labels = period_labels(&times, Period::Day)?;
/// let labels: Vec<_> = labels.downcast_dict::<backmask::arrow::array::StringArray>().unwrap().into_iter().collect();
/// assert_eq!(labels, [Some("2026-03-05"), None, Some("2026-03-04")]);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// The array does not hold dates or timestamps, or the period is no days long.
///
/// # References
/// ISO 8601-1:2019, sections 5.2.2 and 5.2.3 (calendar dates and week dates).
pub fn period_labels(times: &dyn Array, period: Period) -> Result<DictionaryArray<Int32Type>> {
    if period == Period::Days(0) {
        return Err(Error::Parameter { name: "period", problem: "must be at least one day long".to_owned() });
    }
    if times.as_any_dictionary_opt().is_some() {
        return period_labels(unpack(times)?.as_ref(), period);
    }
    match times.data_type() {
        DataType::Date32 => label(times.as_primitive::<Date32Type>(), period, i64::from),
        DataType::Date64 => label(times.as_primitive::<Date64Type>(), period, |t| t.div_euclid(86_400_000)),
        DataType::Timestamp(TimeUnit::Second, _) => label(times.as_primitive::<TimestampSecondType>(), period, |t| t.div_euclid(86_400)),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            label(times.as_primitive::<TimestampMillisecondType>(), period, |t| t.div_euclid(86_400_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            label(times.as_primitive::<TimestampMicrosecondType>(), period, |t| t.div_euclid(86_400_000_000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            label(times.as_primitive::<TimestampNanosecondType>(), period, |t| t.div_euclid(86_400_000_000_000))
        }
        _ => Err(Error::column(UNNAMED, "does not hold times and has no calendar periods", "cast the column to a timestamp or a date")),
    }
}

/// `day` maps a time to its day since 1970-01-01.
fn label<T: ArrowPrimitiveType>(
    times: &PrimitiveArray<T>,
    period: Period,
    day: impl Fn(T::Native) -> i64,
) -> Result<DictionaryArray<Int32Type>> {
    let mut labels = Labels::new(period);
    let nulls = times.nulls().filter(|nulls| nulls.null_count() > 0);
    let days = || times.values().iter().map(|time| day(*time));
    let present = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
    // What stands in a missing row is no time, but may be anything; it only makes the table larger.
    let (first, last) = days().fold((i64::MAX, i64::MIN), |(first, last), day| (first.min(day), last.max(day)));
    let span = usize::try_from(i128::from(last) - i128::from(first) + 1).unwrap_or(usize::MAX);
    let mut keys = Vec::with_capacity(times.len());
    if first <= last && span <= MOST_DAYS.max(times.len()) {
        // One look-up in a table of days for each row.
        let mut table = vec![UNKNOWN; span];
        for (row, day) in days().enumerate() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the day lies in the span")]
            let place = (day - first) as usize;
            let mut key = table.get(place).copied().unwrap_or(UNKNOWN);
            if key == UNKNOWN {
                key = if present(row) { labels.key(day)? } else { 0 };
                if present(row)
                    && let Some(place) = table.get_mut(place)
                {
                    *place = key;
                }
            }
            keys.push(key);
        }
    } else {
        for (row, day) in days().enumerate() {
            keys.push(if present(row) { labels.key(day)? } else { 0 });
        }
    }
    let keys = Int32Array::try_new(keys.into(), nulls.cloned()).map_err(|e| Error::arrow("numbering periods", &e))?;
    let values: ArrayRef = Arc::new(StringArray::from_iter_values(labels.texts));
    DictionaryArray::try_new(keys, values).map_err(|e| Error::arrow("labelling periods", &e))
}

const UNKNOWN: i32 = -1;
/// A table of so many days (179 years) is never too large.
const MOST_DAYS: usize = 1 << 16;

/// The labels made so far.
struct Labels {
    period: Period,
    /// By the period's number, which is of no meaning beside others of the same kind.
    keys: HashMap<i64, i32>,
    texts: Vec<String>,
}

impl Labels {
    fn new(period: Period) -> Self {
        Self { period, keys: HashMap::new(), texts: Vec::new() }
    }

    fn key(&mut self, day: i64) -> Result<i32> {
        let number = match self.period {
            Period::Day => day,
            Period::Week => monday(day),
            Period::Month => {
                let date = Date::of(day);
                date.year * 12 + date.month
            }
            Period::Days(length) => day.div_euclid(i64::from(length)),
        };
        let next = i32::try_from(self.texts.len())
            .map_err(|_| Error::Parameter { name: "period", problem: "gives more than 2^31 labels in one batch".to_owned() })?;
        let key = *self.keys.entry(number).or_insert(next);
        if key == next {
            self.texts.push(text(day, self.period));
        }
        Ok(key)
    }
}

fn text(day: i64, period: Period) -> String {
    match period {
        Period::Day => {
            let Date { year, month, day } = Date::of(day);
            format!("{}-{month:02}-{day:02}", year_text(year))
        }
        Period::Week => {
            // An ISO week belongs to the year of its Thursday.
            let thursday = monday(day) + 3;
            let year = Date::of(thursday).year;
            let week = (thursday - first_of_year(year)) / 7 + 1;
            format!("{}-W{week:02}", year_text(year))
        }
        Period::Month => {
            let Date { year, month, .. } = Date::of(day);
            format!("{}-{month:02}", year_text(year))
        }
        Period::Days(length) => {
            let first = i128::from(day.div_euclid(i64::from(length))) * i128::from(length);
            format!("day {first}+{length}")
        }
    }
}

/// With a sign outside of 0000…9999, as ISO 8601 asks for.
fn year_text(year: i64) -> String {
    if (0..=9999).contains(&year) { format!("{year:04}") } else { format!("{year:+05}") }
}

/// The Monday of a day's week. 1970-01-01 was a Thursday.
fn monday(day: i64) -> i64 {
    day - (day + 3).rem_euclid(7)
}

/// A date of the proleptic Gregorian calendar.
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// Of a day since 1970-01-01; years are counted from 1 March, which puts the leap day last.
    fn of(day: i64) -> Self {
        let shifted = day + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self { year: era * 400 + year_of_era + i64::from(month <= 2), month, day: day_of_year - (153 * month_from_march + 2) / 5 + 1 }
    }
}

/// The day of 1 January.
fn first_of_year(year: i64) -> i64 {
    let before = year - 1;
    365 * before + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 719_162
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        Date32Array, Date64Array, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
    };
    use chrono::{DateTime, Datelike, Utc};
    use proptest::prelude::*;

    const PERIODS: [Period; 6] = [Period::Day, Period::Week, Period::Month, Period::Days(1), Period::Days(14), Period::Days(u32::MAX)];

    fn texts(labels: &DictionaryArray<Int32Type>) -> Vec<Option<String>> {
        let values = labels.downcast_dict::<StringArray>().unwrap();
        (0..labels.len())
            .map(|row| labels.is_valid(row).then(|| values.values().value(usize::try_from(labels.keys().value(row)).unwrap()).to_owned()))
            .collect()
    }

    /// By chrono, one instant at a time.
    fn expected(seconds: i64, period: Period) -> String {
        let instant: DateTime<Utc> = DateTime::from_timestamp(seconds, 0).unwrap();
        match period {
            Period::Day => instant.format("%Y-%m-%d").to_string(),
            Period::Week => {
                let week = instant.iso_week();
                let sign = if (0..=9999).contains(&week.year()) { format!("{:04}", week.year()) } else { format!("{:+05}", week.year()) };
                format!("{sign}-W{:02}", week.week())
            }
            Period::Month => instant.format("%Y-%m").to_string(),
            Period::Days(length) => {
                let day = i64::from(instant.num_days_from_ce()) - 719_163;
                format!("day {}+{length}", day.div_euclid(i64::from(length)) * i64::from(length))
            }
        }
    }

    proptest! {
        #[test]
        fn labels_agree_with_chrono(
            seconds in prop::collection::vec(prop::option::weighted(0.9, prop_oneof![-3_000_000_000_i64..5_000_000_000, -8_000_000_000_000_i64..8_000_000_000_000]), 0..50),
            offset in 0_usize..5,
        ) {
            for period in PERIODS {
                let times = TimestampSecondArray::from(seconds.clone()).with_timezone("Asia/Tokyo");
                let times = times.slice(offset.min(times.len()), times.len() - offset.min(times.len()));
                let labels = period_labels(&times, period).unwrap();
                let wanted: Vec<_> = times.iter().map(|time| time.map(|time| expected(time, period))).collect();
                prop_assert_eq!(texts(&labels), &wanted[..]);
                let distinct: std::collections::BTreeSet<_> = wanted.iter().flatten().collect();
                prop_assert_eq!(labels.values().len(), distinct.len());
                // Cutting down toward zero, a classic mistake, is caught by the negative times.
                let toward_zero = |time: i64| expected(time / 86_400 * 86_400, period);
                if period == Period::Day && times.iter().flatten().any(|time| time < 0 && time % 86_400 != 0) {
                    prop_assert_ne!(times.iter().map(|time| time.map(toward_zero)).collect::<Vec<_>>(), wanted);
                }
            }
        }
    }

    #[test]
    fn every_day_of_four_centuries_agrees_with_chrono() {
        let days = Date32Array::from_iter_values(-75_000..75_000);
        for period in [Period::Day, Period::Week, Period::Month] {
            let labels = texts(&period_labels(&days, period).unwrap());
            for (day, label) in days.values().iter().zip(labels) {
                assert_eq!(label.unwrap(), expected(i64::from(*day) * 86_400, period), "{day}");
            }
        }
    }

    #[test]
    fn units_and_representations_agree() {
        let seconds = [-1_i64, 0, 86_399, 86_400, 1_772_668_800, -62_135_596_801];
        for period in PERIODS {
            let wanted: Vec<_> = seconds.iter().map(|time| Some(expected(*time, period))).collect();
            let nanoseconds = seconds.map(|time| time.checked_mul(1_000_000_000));
            let arrays: [ArrayRef; 4] = [
                Arc::new(TimestampSecondArray::from(seconds.to_vec())),
                Arc::new(TimestampMillisecondArray::from(seconds.map(|time| time * 1_000 + 999).to_vec())),
                Arc::new(TimestampMicrosecondArray::from(seconds.map(|time| time * 1_000_000 + 1).to_vec())),
                Arc::new(Date64Array::from(seconds.map(|time| time * 1_000).to_vec())),
            ];
            for array in arrays {
                assert_eq!(texts(&period_labels(&array, period).unwrap()), wanted, "{}", array.data_type());
                let dictionary = DictionaryArray::new(Int32Array::from(vec![Some(4), None, Some(0)]), array);
                let labels = texts(&period_labels(&dictionary, period).unwrap());
                assert_eq!(labels, [wanted[4].clone(), None, wanted[0].clone()]);
            }
            let nanoseconds = TimestampNanosecondArray::from(nanoseconds.to_vec());
            assert_eq!(texts(&period_labels(&nanoseconds, period).unwrap())[..5], wanted[..5]);
        }
    }

    #[test]
    fn the_far_ends_of_time_have_labels() {
        for period in PERIODS {
            let times = TimestampSecondArray::from(vec![Some(i64::MIN), Some(i64::MAX), None, Some(0)]);
            assert_eq!(period_labels(&times, period).unwrap().values().len(), 3);
            assert_eq!(period_labels(&Date32Array::from(vec![i32::MIN, i32::MAX]), period).unwrap().len(), 2);
            assert_eq!(period_labels(&TimestampSecondArray::new_null(3), period).unwrap().null_count(), 3);
            assert_eq!(period_labels(&times.slice(0, 0), period).unwrap().len(), 0);
        }
        let label = |day, period| texts(&period_labels(&Date32Array::from(vec![day]), period).unwrap())[0].clone().unwrap();
        assert_eq!(label(3_652_059 - 719_162, Period::Day), "+10000-01-01");
        assert_eq!(label(-719_529, Period::Month), "-0001-12");
        assert_eq!(label(-719_528, Period::Month), "0000-01");
        assert_eq!(label(-1, Period::Days(14)), "day -14+14");
        assert_eq!(label(20_517, Period::Days(14)), "day 20510+14");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        assert!(period_labels(&Int32Array::from(vec![1]), Period::Day).is_err());
        assert!(period_labels(&Date32Array::from(vec![1]), Period::Days(0)).is_err());
    }
}
