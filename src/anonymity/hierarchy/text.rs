//! Values as plain text: how hierarchy files and masks see numbers, dates and truth values.

use crate::error::{Error, Result};
use arrow::array::{Array, AsArray, StringArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::DataType;
use std::fmt::Write;

/// The values of `array` as text: integers in digits, floats in the shortest form without exponent (`35`, not `35.0`), dates as `2006-08-13`,
/// truth values as `true` and `false`, bytes as the text that they spell or else as `0x…`. Missing stays missing.
pub(super) fn plain_text(column: &str, array: &dyn Array) -> Result<StringArray> {
    let unprintable =
        || Error::column(column, "holds values that cannot be written as text", "drop the column or convert it to text first");
    match array.data_type() {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => floats(array).ok_or_else(unprintable),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            let plain = cast(array, &DataType::Binary).map_err(|_| unprintable())?;
            Ok(plain.as_binary::<i32>().iter().map(|bytes| bytes.map(spell)).collect())
        }
        _ => {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            let text = cast_with_options(array, &DataType::Utf8, &options).map_err(|_| unprintable())?;
            Ok(text.as_string::<i32>().clone())
        }
    }
}

/// Single-precision numbers are printed from their own type: widened first, 0.1 would come out as 0.10000000149011612.
fn floats(array: &dyn Array) -> Option<StringArray> {
    if array.data_type() == &DataType::Float64 {
        let numbers = array.as_primitive_opt::<arrow::datatypes::Float64Type>()?;
        return Some(numbers.iter().map(|number| number.map(|number| number.to_string())).collect());
    }
    let single = cast(array, &DataType::Float32).ok()?;
    let numbers = single.as_primitive_opt::<arrow::datatypes::Float32Type>()?;
    Some(numbers.iter().map(|number| number.map(|number| number.to_string())).collect())
}

fn spell(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int64Array, StringViewArray, UInt64Array,
    };
    use std::sync::Arc;

    #[test]
    fn every_type_has_a_plain_form() {
        let cases: Vec<(ArrayRef, Vec<Option<&str>>)> = vec![
            (Arc::new(Int64Array::from(vec![Some(i64::MIN), None])), vec![Some("-9223372036854775808"), None]),
            (Arc::new(UInt64Array::from(vec![u64::MAX])), vec![Some("18446744073709551615")]),
            (Arc::new(Float64Array::from(vec![35.0, -0.5, 1e21])), vec![Some("35"), Some("-0.5"), Some("1000000000000000000000")]),
            (Arc::new(Float32Array::from(vec![0.1])), vec![Some("0.1")]),
            (Arc::new(BooleanArray::from(vec![true, false])), vec![Some("true"), Some("false")]),
            (Arc::new(Date32Array::from(vec![13_373])), vec![Some("2006-08-13")]),
            (Arc::new(StringViewArray::from(vec![Some("ü"), None])), vec![Some("ü"), None]),
            (Arc::new(BinaryArray::from(vec![&b"DE"[..], &[0xff, 0x00][..]])), vec![Some("DE"), Some("0xff00")]),
        ];
        for (array, expected) in cases {
            assert_eq!(plain_text("c", array.as_ref()).unwrap(), StringArray::from(expected));
        }
    }

    #[test]
    fn a_date_outside_the_calendar_is_refused_without_its_value() {
        let error = plain_text("day", &Date32Array::from(vec![i32::MAX])).unwrap_err().to_string();
        assert!(error.contains("day") && !error.contains("2147483647"), "{error}");
    }
}
