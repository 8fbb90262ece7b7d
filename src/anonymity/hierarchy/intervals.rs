//! Half-open intervals of growing width.

use super::SUPPRESSED;
use super::scheme::Unknown;
use crate::error::{Error, Result};
use arrow::array::{Array, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use serde::{Deserialize, Serialize};

/// Beyond 2⁵³ a float no longer tells neighbouring intervals apart.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;
/// Widths, origins and floats must be smaller, so that 128 bits hold them with all decimals.
const LARGEST: f64 = 1e18;
/// Widths and origins may have this many decimals.
const MOST_DECIMALS: u32 = 15;

/// Intervals `[low, high)` whose bounds are `origin` plus multiples of a width; each width is a multiple of the one before.
///
/// Widths and origin are decimals and are worked with as such: with width 0.1 the number 0.3 lies in `[0.3, 0.4)`. Integers, including
/// those at the ends of the 64-bit range, are placed without rounding.
///
/// A bottom code and a top code put together what lies below and above them, where few people are: from level 1 on all values below `bottom` are
/// `< bottom`, all that reach `top` are `≥ top`, and intervals end there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "IntervalsForm", into = "IntervalsForm")]
pub struct Intervals {
    /// As declared.
    form: IntervalsForm,
    /// Widths in units of 10^-decimals.
    widths: Vec<i128>,
    origin: i128,
    bottom: Option<i128>,
    top: Option<i128>,
    decimals: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IntervalsForm {
    widths: Vec<f64>,
    origin: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bottom: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    top: Option<f64>,
}

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Below,
    /// The interval of the finest width.
    Inside(i128),
    Above,
    /// No interval holds the value.
    Nowhere,
}

impl TryFrom<IntervalsForm> for Intervals {
    type Error = String;

    fn try_from(form: IntervalsForm) -> Result<Self, String> {
        let decimals = form
            .widths
            .iter()
            .chain([&form.origin])
            .chain(&form.bottom)
            .chain(&form.top)
            .map(|&number| decimals(number))
            .max()
            .unwrap_or(0);
        if decimals > MOST_DECIMALS {
            return Err(format!("widths, origin, bottom and top may have at most {MOST_DECIMALS} decimals"));
        }
        let origin = scaled(form.origin, decimals).ok_or("the origin must be a finite number below 10^18")?;
        let code = |code: Option<f64>| {
            code.map(|code| scaled(code, decimals).ok_or("bottom and top must be finite numbers below 10^18")).transpose()
        };
        let (bottom, top) = (code(form.bottom)?, code(form.top)?);
        if let (Some(bottom), Some(top)) = (bottom, top)
            && bottom >= top
        {
            return Err("bottom must be below top".to_owned());
        }
        let mut widths: Vec<i128> = Vec::with_capacity(form.widths.len());
        for &width in &form.widths {
            let width = scaled(width, decimals).filter(|&width| width > 0).ok_or("every width must be a positive number below 10^18")?;
            if widths.last().is_some_and(|before| width % before != 0) {
                return Err("every width must be a multiple of the one before".to_owned());
            }
            widths.push(width);
        }
        if widths.is_empty() {
            return Err("at least one width is needed".to_owned());
        }
        Ok(Self { form, widths, origin, bottom, top, decimals })
    }
}

impl From<Intervals> for IntervalsForm {
    fn from(intervals: Intervals) -> Self {
        intervals.form
    }
}

impl Intervals {
    /// Intervals of the given widths, one level each.
    ///
    /// # Errors
    /// A width is not a positive number or not a multiple of the one before, or a number has more than 15 decimals.
    pub fn new(column: &str, widths: &[f64], origin: f64) -> Result<Self> {
        Self::bounded(column, widths, origin, None, None)
    }

    /// Intervals between a bottom code and a top code.
    ///
    /// # Errors
    /// As for [`Intervals::new`], or `bottom` is not below `top`.
    pub fn bounded(column: &str, widths: &[f64], origin: f64, bottom: Option<f64>, top: Option<f64>) -> Result<Self> {
        IntervalsForm { widths: widths.to_vec(), origin, bottom, top }.try_into().map_err(|problem: String| {
            Error::policy(
                format!("columns.{column}.hierarchy.intervals"),
                problem,
                "for example { intervals = [5, 10, 20], origin = 1900 }",
            )
        })
    }

    pub(super) fn levels(&self) -> usize {
        self.widths.len()
    }

    /// Labels at `level`, which is one of 1..=[`Intervals::levels`].
    pub(super) fn labels(&self, column: &str, level: usize, values: &dyn Array, unknown: Unknown) -> Result<StringArray> {
        let finest = self.widths[0];
        let wide = self.widths[level - 1];
        // Every level is derived from the finest one, so that levels are nested whatever the rounding of floats.
        let ratio = wide / finest;
        let text = |number| decimal(number, self.decimals);
        let label = |place| match place {
            Place::Inside(index) => {
                let low = self.origin + index.div_euclid(ratio) * wide;
                let high = self.top.map_or(low + wide, |top| top.min(low + wide));
                format!("[{}, {})", text(self.bottom.map_or(low, |bottom| bottom.max(low))), text(high))
            }
            Place::Below => format!("< {}", text(self.bottom.unwrap_or(self.origin))),
            Place::Above => format!("≥ {}", text(self.top.unwrap_or(self.origin))),
            Place::Nowhere => SUPPRESSED.to_owned(),
        };
        let places = self.places(column, values)?;
        let outside = places.iter().filter(|place| matches!(place, Some(Place::Nowhere))).count();
        unknown.check(
            column,
            outside,
            "that are not numbers, infinite, or too large for intervals of this width",
            "clean or clamp the column first",
        )?;
        Ok(places.into_iter().map(|place| place.map(label)).collect())
    }

    /// Where every value lies; nothing for a missing one.
    fn places(&self, column: &str, values: &dyn Array) -> Result<Vec<Option<Place>>> {
        let failed = |e| Error::arrow("reading numbers", &e);
        match values.data_type() {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
                let numbers = cast(values, &DataType::Int64).map_err(failed)?;
                let numbers = numbers.as_primitive::<Int64Type>();
                Ok(numbers.iter().map(|number| number.map(|number| self.of_integer(number.into()))).collect())
            }
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                let numbers = cast(values, &DataType::UInt64).map_err(failed)?;
                let numbers = numbers.as_primitive::<UInt64Type>();
                Ok(numbers.iter().map(|number| number.map(|number| self.of_integer(number.into()))).collect())
            }
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                let numbers = cast(values, &DataType::Float64).map_err(failed)?;
                let numbers = numbers.as_primitive::<Float64Type>();
                Ok(numbers.iter().map(|number| number.map(|number| self.of_float(number))).collect())
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Err(Error::column(
                column,
                "was read as text, so at least one value is not a number (or there are no values), and text has no intervals",
                "mend the values that are not numbers, or use a hierarchy of another kind (dates, mask, file)",
            )),
            other => Err(Error::column(
                column,
                format!("has the type {other}, which has no intervals"),
                "convert it to a number, or use a hierarchy of another kind (dates, mask, file)",
            )),
        }
    }

    fn of_integer(&self, number: i128) -> Place {
        // 2^64 · 10^15 fits 128 bits with room to spare.
        let number = number * 10_i128.pow(self.decimals);
        if self.bottom.is_some_and(|bottom| number < bottom) {
            Place::Below
        } else if self.top.is_some_and(|top| number >= top) {
            Place::Above
        } else {
            Place::Inside((number - self.origin).div_euclid(self.widths[0]))
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "the index is checked to be below 2^53; bounds are rounded once, like the number itself"
    )]
    fn of_float(&self, number: f64) -> Place {
        let unit = 10_f64.powi(self.decimals.cast_signed());
        if self.bottom.is_some_and(|bottom| number < bottom as f64 / unit) {
            return Place::Below;
        }
        if self.top.is_some_and(|top| number >= top as f64 / unit) {
            return Place::Above;
        }
        let (width, origin) = (self.widths[0] as f64 / unit, self.origin as f64 / unit);
        let estimate = ((number - origin) / width).floor();
        if !estimate.is_finite() || estimate.abs() >= LARGEST_EXACT || number.abs() >= LARGEST || number.abs() / width >= LARGEST_EXACT {
            return Place::Nowhere;
        }
        let bound = |index: i128| (self.origin + index * self.widths[0]) as f64 / unit;
        // The division may be off by one; the printed bounds decide.
        let mut index = estimate as i128;
        if number < bound(index) {
            index -= 1;
        } else if number >= bound(index + 1) {
            index += 1;
        }
        if bound(index) <= number && number < bound(index + 1) { Place::Inside(index) } else { Place::Nowhere }
    }
}

/// Decimals of the shortest text of `number`.
fn decimals(number: f64) -> u32 {
    let text = number.to_string();
    text.split_once('.').map_or(0, |(_, fraction)| u32::try_from(fraction.len()).unwrap_or(u32::MAX))
}

/// `number` in units of 10^-decimals, exactly as it is written.
fn scaled(number: f64, decimals: u32) -> Option<i128> {
    if !number.is_finite() || number.abs() >= LARGEST {
        return None;
    }
    let text = number.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole}{fraction:0<width$}", width = usize::try_from(decimals).ok()?).parse().ok()
}

/// Text of `number` · 10^-decimals without trailing zeros.
fn decimal(number: i128, decimals: u32) -> String {
    let unit = 10_u128.pow(decimals);
    let (whole, fraction) = (number.unsigned_abs() / unit, number.unsigned_abs() % unit);
    let sign = if number < 0 { "-" } else { "" };
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{fraction:0width$}", width = decimals as usize);
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int8Array, Int64Array, UInt64Array};

    fn labels(widths: &[f64], origin: f64, level: usize, values: &dyn Array) -> Vec<String> {
        let intervals = Intervals::new("c", widths, origin).unwrap();
        intervals.labels("c", level, values, Unknown::Error).unwrap().iter().map(|label| label.unwrap_or("?").to_owned()).collect()
    }

    #[test]
    fn integers_have_integer_bounds() {
        let ages = Int8Array::from(vec![Some(20), Some(24), Some(25), None, Some(-1), Some(0)]);
        assert_eq!(labels(&[5.0, 10.0], 0.0, 1, &ages), ["[20, 25)", "[20, 25)", "[25, 30)", "?", "[-5, 0)", "[0, 5)"]);
        assert_eq!(labels(&[5.0, 10.0], 0.0, 2, &ages), ["[20, 30)", "[20, 30)", "[20, 30)", "?", "[-10, 0)", "[0, 10)"]);
    }

    #[test]
    fn the_ends_of_the_integers_are_safe() {
        let signed = Int64Array::from(vec![i64::MIN, i64::MAX]);
        assert_eq!(
            labels(&[10.0], 0.0, 1, &signed),
            ["[-9223372036854775810, -9223372036854775800)", "[9223372036854775800, 9223372036854775810)"]
        );
        assert_eq!(labels(&[0.5], 0.25, 1, &UInt64Array::from(vec![u64::MAX])), ["[18446744073709551614.75, 18446744073709551615.25)"]);
    }

    #[test]
    fn floats_fall_where_their_decimals_say() {
        let floats = Float64Array::from(vec![0.3, 0.7, 0.1 + 0.2, -0.1, 2.5, -0.0, 0.299_999_999_999_999_93]);
        assert_eq!(
            labels(&[0.1, 0.5], 0.0, 1, &floats),
            ["[0.3, 0.4)", "[0.7, 0.8)", "[0.3, 0.4)", "[-0.1, 0)", "[2.5, 2.6)", "[0, 0.1)", "[0.2, 0.3)"]
        );
        assert_eq!(labels(&[5.0], 0.0, 1, &floats)[4], "[0, 5)");
        // Decimals are those that were written, not those of the nearest binary number.
        assert_eq!(labels(&[0.000_000_1], 123_456_789.1, 1, &Int8Array::from(vec![0])), ["[0, 0.0000001)"]);
    }

    #[test]
    fn what_has_no_interval_is_refused_by_count_only() {
        let intervals = Intervals::new("c", &[5.0], 0.0).unwrap();
        assert!(Intervals::new("c", &[1e17], 1e-15).unwrap().labels("c", 1, &Float64Array::from(vec![1e300]), Unknown::Error).is_err());
        for bad in [f64::NAN, f64::INFINITY, f64::MAX, 1e17] {
            let error = intervals.labels("c", 1, &Float64Array::from(vec![1.0, bad]), Unknown::Error).unwrap_err().to_string();
            assert!(error.contains("1 distinct value") && !error.contains("17"), "{error}");
        }
        assert!(intervals.labels("c", 1, &StringArray::from(vec!["1"]), Unknown::Error).is_err());
    }

    #[test]
    fn bottom_and_top_take_in_what_lies_beyond() {
        let coded = Intervals::bounded("age", &[5.0, 20.0], 0.0, Some(18.0), Some(90.0)).unwrap();
        let ages = Float64Array::from(vec![17.9, 18.0, 19.0, 89.9, 90.0, f64::INFINITY, f64::NEG_INFINITY, 1e300]);
        let labels = |level| {
            let labels = coded.labels("age", level, &ages, Unknown::Error).unwrap();
            labels.iter().map(|label| label.unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(labels(1), ["< 18", "[18, 20)", "[18, 20)", "[85, 90)", "≥ 90", "≥ 90", "< 18", "≥ 90"]);
        assert_eq!(labels(2), ["< 18", "[18, 20)", "[18, 20)", "[80, 90)", "≥ 90", "≥ 90", "< 18", "≥ 90"]);
        let whole = Int64Array::from(vec![i64::MIN, 17, 18, 90, i64::MAX]);
        let labels = coded.labels("age", 1, &whole, Unknown::Error).unwrap();
        assert_eq!(labels, StringArray::from(vec!["< 18", "< 18", "[18, 20)", "≥ 90", "≥ 90"]));
        assert!(coded.labels("age", 1, &Float64Array::from(vec![f64::NAN]), Unknown::Error).is_err(), "not a number lies nowhere");
        let only_top = Intervals::bounded("c", &[10.0], 0.0, None, Some(0.3)).unwrap();
        let floats = Float64Array::from(vec![0.1 + 0.2, 0.3, 0.299_999_999_999_999_93]);
        assert_eq!(only_top.labels("c", 1, &floats, Unknown::Error).unwrap(), StringArray::from(vec!["≥ 0.3", "≥ 0.3", "[0, 0.3)"]));
        for (bottom, top) in [(Some(2.0), Some(2.0)), (Some(3.0), Some(2.0)), (Some(f64::NAN), None), (None, Some(f64::INFINITY))] {
            assert!(Intervals::bounded("c", &[1.0], 0.0, bottom, top).is_err());
        }
        let stored = serde_json::to_string(&coded).unwrap();
        assert_eq!(serde_json::from_str::<Intervals>(&stored).unwrap(), coded);
    }

    #[test]
    fn widths_must_nest() {
        assert!(Intervals::new("c", &[5.0, 12.0], 0.0).is_err());
        assert!(Intervals::new("c", &[0.1, 0.3], 0.0).is_ok(), "decimal multiples although the binary ones are not");
        for bad in [&[][..], &[0.0], &[-5.0], &[f64::NAN], &[f64::INFINITY], &[1e-16], &[1e18]] {
            assert!(Intervals::new("c", bad, 0.0).is_err(), "{bad:?}");
        }
        assert!(Intervals::new("c", &[5.0], f64::NAN).is_err());
    }

    proptest::proptest! {
        #[test]
        fn labels_contain_their_number_and_nest(number in -1e6_f64..1e6, width in 1_u32..400, factor in 1_u32..9, origin in -50_i32..50) {
            let width = f64::from(width) / 8.0;
            let intervals = Intervals::new("c", &[width, width * f64::from(factor)], f64::from(origin)).unwrap();
            let values = Float64Array::from(vec![number]);
            let bounds = |level| {
                let label = intervals.labels("c", level, &values, Unknown::Error).unwrap().value(0).to_owned();
                let (low, high) = label.trim_matches(['[', ')']).split_once(", ").unwrap();
                (low.parse::<f64>().unwrap(), high.parse::<f64>().unwrap())
            };
            let (fine, coarse) = (bounds(1), bounds(2));
            proptest::prop_assert!(fine.0 <= number && number < fine.1);
            proptest::prop_assert!(coarse.0 <= fine.0 && fine.1 <= coarse.1);
        }
    }
}
