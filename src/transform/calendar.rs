//! Calendar arithmetic on days since 1970-01-01, in the proleptic Gregorian calendar.
//!
//! The calendar repeats every 146,097 days (400 years), so the place inside that era decides how far back the start of the month, quarter or year lies.
//! Years are counted from 1 March, which puts the leap day last. Days may be as far from 1970 as a count of seconds in 64 bits reaches.
//!
//! # References
//! C. Neri, L. Schneider, "Euclidean affine functions and their application to calendar algorithms", Software: Practice and Experience 53 (2023), section 6.

const DAYS_OF_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// A day's place in the year that starts on 1 March.
struct Place {
    /// Year of the era, 0…399.
    year: u32,
    /// Day of the year, 0…365.
    day_of_year: u32,
    /// Day of the month, from 0.
    day_of_month: u32,
}

#[inline]
fn place(day: i64) -> Place {
    #[expect(clippy::cast_possible_truncation, reason = "a remainder of 146,097 fits")]
    let day_of_era = (day + EPOCH).rem_euclid(DAYS_OF_ERA) as u32;
    let centuries = 4 * day_of_era + 3;
    let (century, day_of_century) = (centuries / 146_097, centuries % 146_097 / 4);
    let years = 2_939_745 * u64::from(4 * day_of_century + 3);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the product are taken apart")]
    let (year_of_century, rest) = ((years >> 32) as u32, years as u32);
    let day_of_year = rest / 2_939_745 / 4;
    let months = 2_141 * day_of_year + 197_913;
    Place { year: 100 * century + year_of_century, day_of_year, day_of_month: (months & 0xffff) / 2_141 }
}

impl Place {
    /// Days from 1 January to 1 March of the calendar year that 1 March lies in. Without branches: dates come in no order that a processor could guess.
    #[inline]
    #[expect(clippy::needless_bitwise_bool, reason = "`&&` is a branch")]
    fn before_march(&self) -> i64 {
        // Year 0 of an era is divisible by 400.
        let leap = self.year.is_multiple_of(4) & (!self.year.is_multiple_of(100) | (self.year == 0));
        59 + i64::from(leap)
    }
}

/// Days from the first of the month to `day`: 0…30.
#[inline]
pub(super) fn days_into_month(day: i64) -> i64 {
    i64::from(place(day).day_of_month)
}

/// Days from the first of the quarter to `day`: 0…91.
#[inline]
pub(super) fn days_into_quarter(day: i64) -> i64 {
    let place = place(day);
    let day_of_year = i64::from(place.day_of_year);
    // April, July, October and January start 31, 122, 214 and 306 days after 1 March; each step adds the length of a quarter.
    let started = |at: i64, length: i64| i64::from(day_of_year >= at) * length;
    let start = started(31, 31) + started(122, 91) + started(214, 92) + started(306, 92);
    day_of_year - start + i64::from(day_of_year < 31) * place.before_march()
}

/// Days from 1 January to `day`: 0…365.
#[inline]
pub(super) fn days_into_year(day: i64) -> i64 {
    let place = place(day);
    let day_of_year = i64::from(place.day_of_year);
    // From 306 days after 1 March on it is the next calendar year.
    let next = i64::from(day_of_year >= 306);
    day_of_year + (1 - next) * place.before_march() - next * 306
}

/// Days from Monday to `day`: 0…6.
#[inline]
pub(super) fn days_into_week(day: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    (day.rem_euclid(7) + 3) % 7
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Datelike, Days, NaiveDate};

    #[test]
    fn every_day_of_two_eras_agrees_with_chrono() {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        for day in -DAYS_OF_ERA - 800..DAYS_OF_ERA + 800 {
            let date = if day < 0 {
                epoch.checked_sub_days(Days::new(day.unsigned_abs()))
            } else {
                epoch.checked_add_days(Days::new(day.unsigned_abs()))
            }
            .unwrap();
            assert_eq!(days_into_month(day), i64::from(date.day0()), "{date}");
            assert_eq!(days_into_year(day), i64::from(date.ordinal0()), "{date}");
            assert_eq!(days_into_week(day), i64::from(date.weekday().num_days_from_monday()), "{date}");
            let quarter = NaiveDate::from_ymd_opt(date.year(), date.month0() / 3 * 3 + 1, 1).unwrap();
            assert_eq!(days_into_quarter(day), date.signed_duration_since(quarter).num_days(), "{date}");
        }
    }

    #[test]
    fn the_calendar_repeats_at_the_far_ends() {
        for day in
            [i64::MIN / 86_400 - 1, i64::MIN / 86_400, i64::MAX / 86_400, i64::MAX / 86_400 - 77, i64::from(i32::MIN), i64::from(i32::MAX)]
        {
            let near = day % DAYS_OF_ERA;
            assert_eq!(days_into_month(day), days_into_month(near));
            assert_eq!(days_into_quarter(day), days_into_quarter(near));
            assert_eq!(days_into_year(day), days_into_year(near));
            // 146,097 is a multiple of 7.
            assert_eq!(days_into_week(day), days_into_week(near));
        }
    }
}
