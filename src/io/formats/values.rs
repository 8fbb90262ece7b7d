//! Which texts are numbers, truth values, dates and times; and what type a column of texts has.

use arrow::datatypes::{DataType, TimeUnit};

/// Integers beyond this have neighbours that a 64-bit float cannot tell from them.
const EXACT_IN_FLOAT: u64 = 1 << 53;
const DAY_MILLISECONDS: i64 = 86_400_000;

/// An integer in its canonical form, so that writing it gives the same text: no plus, no leading zeros, no `-0`.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        [b'0'] if digits.len() == text.len() => Some(0),
        [b'1'..=b'9', rest @ ..] if rest.len() < 19 && rest.iter().all(u8::is_ascii_digit) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// A finite number with a fraction or an exponent. Long digit strings without either are identifiers, not floats.
pub(super) fn fraction(text: &[u8]) -> Option<f64> {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, rest) = split_digits(unsigned);
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with(b"0")) || rest.is_empty() {
        return None;
    }
    let rest = match rest.strip_prefix(b".") {
        Some(after) => {
            let (digits, rest) = split_digits(after);
            if digits.is_empty() {
                return None;
            }
            rest
        }
        None => rest,
    };
    if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        let exponent = exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
        if exponent.is_empty() || !exponent.iter().all(u8::is_ascii_digit) {
            return None;
        }
    } else if !rest.is_empty() {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse::<f64>().ok().filter(|value| value.is_finite())
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

/// Either kind of number.
pub(super) fn float(text: &[u8]) -> Option<f64> {
    // A float column only takes integers that a float holds exactly.
    #[expect(clippy::cast_precision_loss, reason = "the integers of float columns are at most 2^53")]
    fraction(text).or_else(|| integer(text).map(|value| value as f64))
}

/// `true` or `false`.
pub(super) fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// Days since 1970-01-01 of `YYYY-MM-DD`.
pub(super) fn date(text: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let year = i32::try_from(number(&[*y1, *y2, *y3, *y4])?).ok()?;
    let date = chrono::NaiveDate::from_ymd_opt(year, number(&[*m1, *m2])?, number(&[*d1, *d2])?)?;
    i32::try_from(date.signed_duration_since(chrono::NaiveDate::default()).num_days()).ok()
}

/// Milliseconds since 1970-01-01T00:00:00Z of an RFC 3339 time. Finer fractions are cut off; leap seconds are not times.
pub(super) fn timestamp(text: &[u8]) -> Option<i64> {
    let (day, time) = text.split_at_checked(10)?;
    let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = time else { return None };
    let (hour, minute, second) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?, number(&[*s1, *s2])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (mut milliseconds, mut rest) = (0, rest);
    if let Some(after) = rest.strip_prefix(b".") {
        let (digits, zone) = split_digits(after);
        if digits.is_empty() {
            return None;
        }
        for place in 0..3 {
            milliseconds = milliseconds * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0'));
        }
        rest = zone;
    }
    let offset_minutes = match rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = i64::from(hours * 60 + minutes);
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let clock = i64::from(hour * 3600 + minute * 60 + second) * 1000 + milliseconds - offset_minutes * 60_000;
    Some(i64::from(date(day)?) * DAY_MILLISECONDS + clock)
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |value, digit| digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0')))
}

/// The type of RFC 3339 columns.
pub(super) fn utc_milliseconds() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// What the texts of a column may still be. Empty texts are nulls and say nothing.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one type that the column may still have")]
pub(super) struct Guess {
    seen: bool,
    number: bool,
    integer: bool,
    /// An integer that a float cannot hold exactly was seen.
    large: bool,
    boolean: bool,
    date: bool,
    timestamp: bool,
}

impl Guess {
    pub(super) fn new() -> Self {
        Self { seen: false, number: true, integer: true, large: false, boolean: true, date: true, timestamp: true }
    }

    pub(super) fn observe(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        self.seen = true;
        if self.number {
            if let Some(value) = integer(text) {
                self.large |= value.unsigned_abs() > EXACT_IN_FLOAT;
                self.only_numbers();
                return;
            }
            self.integer = false;
            if fraction(text).is_some() {
                self.only_numbers();
                return;
            }
            self.number = false;
        }
        self.boolean = self.boolean && boolean(text).is_some();
        self.date = self.date && date(text).is_some();
        self.timestamp = self.timestamp && timestamp(text).is_some();
    }

    fn only_numbers(&mut self) {
        (self.boolean, self.date, self.timestamp) = (false, false, false);
    }

    /// The type that takes all texts seen.
    pub(super) fn data_type(&self) -> DataType {
        match self {
            Self { seen: false, .. } => DataType::Utf8,
            Self { number: true, integer: true, .. } => DataType::Int64,
            Self { number: true, large: false, .. } => DataType::Float64,
            Self { boolean: true, .. } => DataType::Boolean,
            Self { date: true, .. } => DataType::Date32,
            Self { timestamp: true, .. } => utc_milliseconds(),
            _ => DataType::Utf8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn guess(texts: &[&str]) -> DataType {
        let mut guess = Guess::new();
        for text in texts {
            guess.observe(text.as_bytes());
        }
        guess.data_type()
    }

    #[test]
    fn only_canonical_texts_are_integers() {
        for (text, value) in [("0", 0), ("-1", -1), ("9223372036854775807", i64::MAX), ("-9223372036854775808", i64::MIN)] {
            assert_eq!(integer(text.as_bytes()), Some(value));
        }
        for text in ["", "-", "00", "02139", "+1", "-0", " 1", "1 ", "1.0", "9223372036854775808", "99999999999999999999", "1_000", "٣"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn columns_have_the_narrowest_type_that_keeps_every_text_apart() {
        assert_eq!(guess(&["1", "", "-3"]), DataType::Int64);
        assert_eq!(guess(&["1", "2.5"]), DataType::Float64);
        assert_eq!(guess(&["2.5", "9007199254740993"]), DataType::Utf8, "2^53 + 1 is not a float");
        assert_eq!(guess(&["1", "02139"]), DataType::Utf8);
        assert_eq!(guess(&["18446744073709551615"]), DataType::Utf8);
        assert_eq!(guess(&["true", "false"]), DataType::Boolean);
        assert_eq!(guess(&["true", "1"]), DataType::Utf8);
        assert_eq!(guess(&["1", "true"]), DataType::Utf8);
        assert_eq!(guess(&["True"]), DataType::Utf8);
        assert_eq!(guess(&["2020-02-29"]), DataType::Date32);
        assert_eq!(guess(&["2021-02-29"]), DataType::Utf8);
        assert_eq!(guess(&["2020-02-29", "2020-02-29T00:00:00Z"]), DataType::Utf8);
        assert_eq!(guess(&["2009-05-04T23:08:57Z", "2009-05-04T23:08:57.5+02:00"]), utc_milliseconds());
        assert_eq!(guess(&["NaN"]), DataType::Utf8);
        assert_eq!(guess(&["1e999"]), DataType::Utf8);
        assert_eq!(guess(&["", ""]), DataType::Utf8);
        assert_eq!(guess(&[]), DataType::Utf8);
    }

    #[test]
    fn times_follow_rfc_3339() {
        for text in
            ["2009-05-04T23:08:57", "2009-05-04T24:00:00Z", "2009-05-04T23:08:60Z", "2009-05-04T23:08:57.Z", "2009-13-04T23:08:57Z", "x"]
        {
            assert_eq!(timestamp(text.as_bytes()), None, "{text}");
        }
        assert_eq!(timestamp(b"1970-01-01T00:00:00.0019Z"), Some(1));
        assert_eq!(timestamp(b"1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(timestamp(b"1969-12-31 23:59:59.999z"), Some(-1));
    }

    proptest! {
        #[test]
        fn integers_agree_with_the_standard_library(value: i64) {
            prop_assert_eq!(integer(value.to_string().as_bytes()), Some(value));
        }

        #[test]
        fn integers_write_back_to_their_text(text in "[-+]?[0-9]{1,20}") {
            if let Some(value) = integer(text.as_bytes()) {
                prop_assert_eq!(value.to_string(), text);
            }
        }

        #[test]
        fn floats_agree_with_the_standard_library(value: f64) {
            let text = format!("{value:?}");
            if value.is_finite() {
                prop_assert_eq!(fraction(text.as_bytes()).map(f64::to_bits), Some(value.to_bits()));
            } else {
                prop_assert_eq!(fraction(text.as_bytes()), None);
            }
        }

        #[test]
        fn times_agree_with_chrono(milliseconds in -62_167_219_200_000i64..253_402_300_799_999, minutes in -1439i32..1440) {
            use chrono::{DateTime, FixedOffset, SecondsFormat};
            let zone = FixedOffset::east_opt(minutes * 60).ok_or_else(|| TestCaseError::fail("offset"))?;
            let time = DateTime::from_timestamp_millis(milliseconds).ok_or_else(|| TestCaseError::fail("time"))?.with_timezone(&zone);
            let text = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            if text.len() <= 29 && !text.starts_with(['-', '+']) {
                prop_assert_eq!(timestamp(text.as_bytes()), Some(milliseconds));
                prop_assert_eq!(timestamp(text.as_bytes()), DateTime::parse_from_rfc3339(&text).ok().map(|t| t.timestamp_millis()));
            }
        }
    }
}
