//! Calendar units.

use super::SUPPRESSED;
use super::scheme::Unknown;
use crate::error::{Error, Result};
use crate::policy::DateUnit;
use arrow::array::{Array, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Date64Type, Int64Type, TimeUnit};
use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

/// Days from the first day of our era to 1970-01-01.
const DAYS_TO_1970: i64 = 719_163;
const SECONDS_A_DAY: i64 = 86_400;

/// Calendar units, finest first; each must be made of whole units of the one before. A week belongs to no single month, quarter or year, so
/// nothing but `*` may follow it.
///
/// Labels: day `2006-08-13`, week `2006-W32` (ISO 8601), month `2006-08`, quarter `2006-Q3`, year `2006`, decade `2000s`. Timestamps are read in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<DateUnit>", into = "Vec<DateUnit>")]
pub struct Dates {
    units: Vec<DateUnit>,
}

impl TryFrom<Vec<DateUnit>> for Dates {
    type Error = String;

    fn try_from(units: Vec<DateUnit>) -> Result<Self, String> {
        if units.is_empty() {
            return Err("at least one unit is needed".to_owned());
        }
        for pair in units.windows(2) {
            if pair[0] >= pair[1] {
                return Err("units must grow from level to level".to_owned());
            }
            if pair[0] == DateUnit::Week {
                return Err("a week lies in no single month, quarter or year, so no unit may follow it".to_owned());
            }
        }
        Ok(Self { units })
    }
}

impl From<Dates> for Vec<DateUnit> {
    fn from(dates: Dates) -> Self {
        dates.units
    }
}

impl Dates {
    /// One level for each unit.
    ///
    /// # Errors
    /// The units do not nest.
    pub fn new(column: &str, units: &[DateUnit]) -> Result<Self> {
        units.to_vec().try_into().map_err(|problem: String| {
            Error::policy(
                format!("columns.{column}.hierarchy.dates"),
                problem,
                "for example { dates = [\"month\", \"quarter\", \"year\"] }",
            )
        })
    }

    pub(super) fn levels(&self) -> usize {
        self.units.len()
    }

    pub(super) fn labels(&self, column: &str, level: usize, values: &dyn Array, unknown: Unknown) -> Result<StringArray> {
        let unit = self.units[level - 1];
        let dates: Vec<Option<Option<NaiveDate>>> = days(column, values)?
            .into_iter()
            .map(|day| day.map(|day| i32::try_from(day + DAYS_TO_1970).ok().and_then(NaiveDate::from_num_days_from_ce_opt)))
            .collect();
        let outside = dates.iter().filter(|date| matches!(date, Some(None))).count();
        unknown.check(column, outside, "outside the calendar", "clean the column first")?;
        let label = |date: Option<NaiveDate>| date.map_or_else(|| SUPPRESSED.to_owned(), |date| label(date, unit));
        Ok(dates.into_iter().map(|date| date.map(label)).collect())
    }
}

fn label(date: NaiveDate, unit: DateUnit) -> String {
    let year = date.year();
    match unit {
        DateUnit::Day => format!("{year:04}-{:02}-{:02}", date.month(), date.day()),
        DateUnit::Week => format!("{:04}-W{:02}", date.iso_week().year(), date.iso_week().week()),
        DateUnit::Month => format!("{year:04}-{:02}", date.month()),
        DateUnit::Quarter => format!("{year:04}-Q{}", date.month0() / 3 + 1),
        DateUnit::Year => format!("{year:04}"),
        DateUnit::Decade => format!("{:04}s", year.div_euclid(10) * 10),
    }
}

/// Days since 1970-01-01.
fn days(column: &str, values: &dyn Array) -> Result<Vec<Option<i64>>> {
    match values.data_type() {
        DataType::Date32 => Ok(values.as_primitive::<Date32Type>().iter().map(|day| day.map(i64::from)).collect()),
        DataType::Date64 => {
            Ok(values.as_primitive::<Date64Type>().iter().map(|time| time.map(|time| time.div_euclid(SECONDS_A_DAY * 1000))).collect())
        }
        DataType::Timestamp(unit, _) => {
            let ticks = SECONDS_A_DAY
                * match unit {
                    TimeUnit::Second => 1,
                    TimeUnit::Millisecond => 1_000,
                    TimeUnit::Microsecond => 1_000_000,
                    TimeUnit::Nanosecond => 1_000_000_000,
                };
            let times = cast(values, &DataType::Int64).map_err(|e| Error::arrow("reading times", &e))?;
            Ok(times.as_primitive::<Int64Type>().iter().map(|time| time.map(|time| time.div_euclid(ticks))).collect())
        }
        other => Err(Error::column(
            column,
            format!("has the type {other}, which has no calendar units"),
            "convert it to a date or a timestamp, or use a hierarchy of another kind",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, Date64Array, Int32Array, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray};

    fn one(unit: DateUnit, values: &dyn Array) -> String {
        Dates::new("c", &[unit]).unwrap().labels("c", 1, values, Unknown::Error).unwrap().value(0).to_owned()
    }

    #[test]
    fn every_unit_has_its_label() {
        // 2006-08-13, a Sunday.
        let day = Date32Array::from(vec![13_373]);
        let expected = [
            (DateUnit::Day, "2006-08-13"),
            (DateUnit::Week, "2006-W32"),
            (DateUnit::Month, "2006-08"),
            (DateUnit::Quarter, "2006-Q3"),
            (DateUnit::Year, "2006"),
            (DateUnit::Decade, "2000s"),
        ];
        for (unit, label) in expected {
            assert_eq!(one(unit, &day), label);
        }
        // 2006-08-14 is a Monday; 2021-01-01 lies in the last week of 2020.
        assert_eq!(one(DateUnit::Week, &Date32Array::from(vec![13_374])), "2006-W33");
        assert_eq!(one(DateUnit::Week, &Date32Array::from(vec![18_628])), "2020-W53");
    }

    #[test]
    fn times_are_cut_down_never_up() {
        let before = -1;
        assert_eq!(one(DateUnit::Day, &TimestampSecondArray::from(vec![before])), "1969-12-31");
        assert_eq!(one(DateUnit::Day, &TimestampMillisecondArray::from(vec![before]).with_timezone("UTC")), "1969-12-31");
        assert_eq!(one(DateUnit::Decade, &TimestampNanosecondArray::from(vec![i64::MIN])), "1670s");
        assert_eq!(one(DateUnit::Year, &Date64Array::from(vec![before])), "1969");
    }

    #[test]
    fn missing_stays_missing_and_the_impossible_is_counted() {
        let dates = Dates::new("c", &[DateUnit::Year]).unwrap();
        assert!(dates.labels("c", 1, &Date32Array::from(vec![None, Some(0)]), Unknown::Error).unwrap().is_null(0));
        let error = dates.labels("c", 1, &TimestampSecondArray::from(vec![i64::MAX, i64::MIN, 0]), Unknown::Error).unwrap_err().to_string();
        assert!(error.contains("2 distinct values"), "{error}");
        assert!(dates.labels("c", 1, &Int32Array::from(vec![1]), Unknown::Error).is_err());
    }

    #[test]
    fn units_must_nest() {
        use DateUnit::{Day, Decade, Month, Quarter, Week, Year};
        for good in [&[Day, Week][..], &[Month, Quarter, Year, Decade], &[Day, Decade]] {
            assert!(Dates::new("c", good).is_ok(), "{good:?}");
        }
        for bad in [&[][..], &[Week, Month], &[Week, Decade], &[Year, Month], &[Month, Month]] {
            assert!(Dates::new("c", bad).is_err(), "{bad:?}");
        }
    }
}
