//! One encoding of a value for all its Arrow representations.
//!
//! Whatever is keyed or looked up by value must not care whether a text came as `Utf8`, `LargeUtf8`, `Utf8View` or in a dictionary, or an integer in 32 or 64 bits.
//! The encoding is one tag byte and a payload:
//!
//! | tag | value | payload |
//! |---|---|---|
//! | `01` | text (`Utf8`, `LargeUtf8`, `Utf8View`) | its UTF-8 bytes |
//! | `02` | bytes (`Binary`, `LargeBinary`, `BinaryView`, `FixedSizeBinary`) | the bytes |
//! | `03` | integer of any width, signed or not; `Decimal128` of scale 0 | 16 bytes, two's complement, little-endian |
//! | `04` | boolean | `00` or `01` |
//! | `05` | float of any width | the 8 bytes of the double, little-endian; −0 as +0, every NaN as `7ff8000000000000` |
//! | `06` | date (`Date32`; `Date64` at midnight) | days since 1970-01-01, as an integer |
//! | `07` | timestamp of any unit and zone; `Date64` at another time of day | nanoseconds since 1970-01-01 UTC, as an integer |
//!
//! Two values have the same encoding exactly if they are the same value of the same kind. A text `42` and an integer 42 are different.

use super::kernel::unpack;
use super::{UNNAMED, value_type};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};

/// The kind of a value: the tag byte of its encoding. No value has the tag 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum CanonicalKind {
    Text = 1,
    Bytes = 2,
    Integer = 3,
    Boolean = 4,
    Float = 5,
    Date = 6,
    Instant = 7,
}

const TEXT: u8 = CanonicalKind::Text as u8;
const BYTES: u8 = CanonicalKind::Bytes as u8;
const INTEGER: u8 = CanonicalKind::Integer as u8;
const BOOLEAN: u8 = CanonicalKind::Boolean as u8;
const FLOAT: u8 = CanonicalKind::Float as u8;
const DATE: u8 = CanonicalKind::Date as u8;
const INSTANT: u8 = CanonicalKind::Instant as u8;

const MILLISECONDS_A_DAY: i64 = 86_400_000;

/// Calls `visit` with the canonical encoding of every value of `array`, in order; `None` for a missing one.
///
/// The encoding is a tag byte and a payload: 1 text, 2 bytes, 3 integer (16 bytes little-endian), 4 boolean, 5 float, 6 date, 7 timestamp.
/// Equal values of one kind have equal encodings in every Arrow representation, and different values have different ones.
///
/// ```
/// use backmask::arrow::array::{Int32Array, StringViewArray};
/// use backmask::pipeline::visit_canonical;
///
/// let mut seen = Vec::new();
/// visit_canonical(&StringViewArray::from(vec![Some("ann"), None]), |value| seen.push(value.map(<[u8]>::to_vec)))?;
/// assert_eq!(seen, [Some(b"\x01ann".to_vec()), None]);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// Nested types, times of day, durations, intervals and fractional decimals have no encoding.
pub fn visit_canonical(array: &dyn Array, mut visit: impl FnMut(Option<&[u8]>)) -> Result<()> {
    match array.data_type() {
        DataType::Utf8 => of_bytes(TEXT, array.as_string::<i32>().iter().map(|v| v.map(str::as_bytes)), visit),
        DataType::LargeUtf8 => of_bytes(TEXT, array.as_string::<i64>().iter().map(|v| v.map(str::as_bytes)), visit),
        DataType::Utf8View => of_bytes(TEXT, array.as_string_view().iter().map(|v| v.map(str::as_bytes)), visit),
        DataType::Binary => of_bytes(BYTES, array.as_binary::<i32>().iter(), visit),
        DataType::LargeBinary => of_bytes(BYTES, array.as_binary::<i64>().iter(), visit),
        DataType::BinaryView => of_bytes(BYTES, array.as_binary_view().iter(), visit),
        DataType::FixedSizeBinary(_) => of_bytes(BYTES, array.as_fixed_size_binary().iter(), visit),
        DataType::Boolean => {
            for value in array.as_boolean() {
                match value {
                    Some(value) => visit(Some(&[BOOLEAN, u8::from(value)])),
                    None => visit(None),
                }
            }
        }
        DataType::Int8 => of_integers::<Int8Type>(array, visit),
        DataType::Int16 => of_integers::<Int16Type>(array, visit),
        DataType::Int32 => of_integers::<Int32Type>(array, visit),
        DataType::Int64 => of_integers::<Int64Type>(array, visit),
        DataType::UInt8 => of_integers::<UInt8Type>(array, visit),
        DataType::UInt16 => of_integers::<UInt16Type>(array, visit),
        DataType::UInt32 => of_integers::<UInt32Type>(array, visit),
        DataType::UInt64 => of_integers::<UInt64Type>(array, visit),
        DataType::Decimal128(_, 0) => of_integers::<Decimal128Type>(array, visit),
        DataType::Float16 => of_floats(array.as_primitive::<Float16Type>(), <Float16Type as ArrowPrimitiveType>::Native::to_f64, visit),
        DataType::Float32 => of_floats(array.as_primitive::<Float32Type>(), f64::from, visit),
        DataType::Float64 => of_floats(array.as_primitive::<Float64Type>(), |v| v, visit),
        DataType::Date32 => of_words(array.as_primitive::<Date32Type>(), |days| (DATE, i128::from(days)), visit),
        DataType::Date64 => of_words(
            array.as_primitive::<Date64Type>(),
            |milliseconds| {
                if milliseconds % MILLISECONDS_A_DAY == 0 {
                    (DATE, i128::from(milliseconds / MILLISECONDS_A_DAY))
                } else {
                    (INSTANT, i128::from(milliseconds) * 1_000_000)
                }
            },
            visit,
        ),
        DataType::Timestamp(TimeUnit::Second, _) => of_instants::<TimestampSecondType>(array, 1_000_000_000, visit),
        DataType::Timestamp(TimeUnit::Millisecond, _) => of_instants::<TimestampMillisecondType>(array, 1_000_000, visit),
        DataType::Timestamp(TimeUnit::Microsecond, _) => of_instants::<TimestampMicrosecondType>(array, 1_000, visit),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => of_instants::<TimestampNanosecondType>(array, 1, visit),
        DataType::Dictionary(_, _) => return visit_canonical(unpack(array)?.as_ref(), visit),
        DataType::Null => (0..array.len()).for_each(|_| visit(None)),
        other => return Err(no_encoding(other)),
    }
    Ok(())
}

/// Applies `work` to the canonical encoding (see [`visit_canonical`]) of every value and returns one result a row, `missing` for a missing value.
///
/// `work` must be a function of the encoding alone: it is called once for each value of a dictionary that some row uses, and once for a run of equal rows.
///
/// ```
/// use backmask::arrow::array::StringArray;
/// use backmask::pipeline::map_canonical;
///
/// let mut calls = 0;
/// let lengths = map_canonical(&StringArray::from(vec![Some("ann"), Some("ann"), None]), 0, |value| {
///     calls += 1;
///     value.len() - 1
/// })?;
/// assert_eq!((lengths, calls), (vec![3, 3, 0], 1));
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// The type has no canonical encoding.
pub fn map_canonical<T: Copy>(array: &dyn Array, missing: T, mut work: impl FnMut(&[u8]) -> T) -> Result<Vec<T>> {
    if let Some(dictionary) = array.as_any_dictionary_opt()
        && (1..=array.len()).contains(&dictionary.values().len())
    {
        let keys = dictionary.normalized_keys();
        let mut used = vec![false; dictionary.values().len()];
        for (row, &key) in keys.iter().enumerate() {
            if array.is_valid(row)
                && let Some(used) = used.get_mut(key)
            {
                *used = true;
            }
        }
        let mut of_values = Vec::with_capacity(used.len());
        visit_canonical(dictionary.values().as_ref(), |value| {
            let used = used.get(of_values.len()).copied().unwrap_or(false);
            of_values.push(match value {
                Some(value) if used => work(value),
                _ => missing,
            });
        })?;
        let gather =
            |(row, &key): (usize, &usize)| if array.is_valid(row) { of_values.get(key).copied().unwrap_or(missing) } else { missing };
        return Ok(keys.iter().enumerate().map(gather).collect());
    }
    let mut results = Vec::with_capacity(array.len());
    // Tables sorted by person are runs of one value.
    let mut last: Option<(Vec<u8>, T)> = None;
    visit_canonical(array, |value| {
        results.push(match (value, &mut last) {
            (None, _) => missing,
            (Some(value), Some((known, result))) if known == value => *result,
            (Some(value), last) => {
                let result = work(value);
                let mut known = last.take().map(|(known, _)| known).unwrap_or_default();
                known.clear();
                known.extend_from_slice(value);
                *last = Some((known, result));
                result
            }
        });
    })?;
    Ok(results)
}

/// Whether [`visit_canonical`] takes values of this type.
///
/// # Errors
/// It does not.
pub(crate) fn check_canonical(data_type: &DataType) -> Result<()> {
    visit_canonical(arrow::array::new_empty_array(value_type(data_type)).as_ref(), |_| {})
}

fn no_encoding(data_type: &DataType) -> Error {
    Error::column(
        UNNAMED,
        format!("has the type {}, which cannot be compared by value", kind(data_type)),
        "cast the column to text or integers first",
    )
}

/// The kind of a type without its parameters: field names inside a nested type are data.
fn kind(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Time32(_) | DataType::Time64(_) => "time of day",
        DataType::Duration(_) => "duration",
        DataType::Interval(_) => "interval",
        DataType::RunEndEncoded(..) => "run-end encoded",
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => "decimal",
        _ => "nested",
    }
}

fn of_bytes<'a>(tag: u8, values: impl Iterator<Item = Option<&'a [u8]>>, mut visit: impl FnMut(Option<&[u8]>)) {
    let mut encoded = vec![tag];
    for value in values {
        match value {
            Some(value) => {
                encoded.truncate(1);
                encoded.extend_from_slice(value);
                visit(Some(&encoded));
            }
            None => visit(None),
        }
    }
}

fn of_words<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    word: impl Fn(T::Native) -> (u8, i128),
    mut visit: impl FnMut(Option<&[u8]>),
) {
    let mut encoded = [0; 17];
    for value in array {
        match value {
            Some(value) => {
                let (tag, word) = word(value);
                encoded[0] = tag;
                encoded[1..].copy_from_slice(&word.to_le_bytes());
                visit(Some(&encoded));
            }
            None => visit(None),
        }
    }
}

fn of_integers<T: ArrowPrimitiveType<Native: Into<i128>>>(array: &dyn Array, visit: impl FnMut(Option<&[u8]>)) {
    of_words(array.as_primitive::<T>(), |value| (INTEGER, value.into()), visit);
}

fn of_instants<T: ArrowPrimitiveType<Native = i64>>(array: &dyn Array, nanoseconds: i128, visit: impl FnMut(Option<&[u8]>)) {
    of_words(array.as_primitive::<T>(), |value| (INSTANT, i128::from(value) * nanoseconds), visit);
}

fn of_floats<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, widen: impl Fn(T::Native) -> f64, mut visit: impl FnMut(Option<&[u8]>)) {
    let mut encoded = [FLOAT; 9];
    for value in array {
        match value {
            Some(value) => {
                let value = widen(value);
                let bits = if value.is_nan() { 0x7ff8_0000_0000_0000 } else { (value + 0.0).to_bits() };
                encoded[1..].copy_from_slice(&bits.to_le_bytes());
                visit(Some(&encoded));
            }
            None => visit(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray, FixedSizeBinaryArray,
        Float32Array, Float64Array, Int8Array, Int32Array, Int64Array, LargeStringArray, NullArray, StringArray, StringViewArray,
        StructArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
    };
    use std::collections::HashSet;
    use std::sync::Arc;

    fn encodings(array: &dyn Array) -> Vec<Option<Vec<u8>>> {
        let mut seen = Vec::new();
        visit_canonical(array, |value| seen.push(value.map(<[u8]>::to_vec))).unwrap();
        seen
    }

    #[test]
    fn representations_of_one_value_agree() {
        let texts: [ArrayRef; 4] = [
            Arc::new(StringArray::from(vec![Some("x"), Some("ann"), None, Some("")]).slice(1, 3)),
            Arc::new(LargeStringArray::from(vec![Some("ann"), None, Some("")])),
            Arc::new(StringViewArray::from(vec![Some("ann"), None, Some("")])),
            Arc::new(vec![Some("ann"), None, Some("")].into_iter().collect::<DictionaryArray<Int32Type>>()),
        ];
        for array in texts {
            assert_eq!(encodings(&array), [Some(b"\x01ann".to_vec()), None, Some(vec![1])]);
        }
        let minus_one = [vec![3], vec![255; 16]].concat();
        assert_eq!(encodings(&Int8Array::from(vec![-1])), [Some(minus_one.clone())]);
        assert_eq!(encodings(&Int64Array::from(vec![-1])), [Some(minus_one.clone())]);
        assert_eq!(encodings(&Decimal128Array::from(vec![-1]).with_precision_and_scale(38, 0).unwrap()), [Some(minus_one.clone())]);
        assert_ne!(encodings(&UInt64Array::from(vec![u64::MAX])), [Some(minus_one)]);
        assert_eq!(encodings(&Float32Array::from(vec![0.5, -0.0, f32::NAN])), encodings(&Float64Array::from(vec![0.5, 0.0, -f64::NAN])));
        assert_eq!(encodings(&Date32Array::from(vec![-3])), encodings(&Date64Array::from(vec![-3 * MILLISECONDS_A_DAY])));
        assert_eq!(
            encodings(&TimestampSecondArray::from(vec![-7]).with_timezone("Europe/Berlin")),
            encodings(&TimestampNanosecondArray::from(vec![-7_000_000_000]))
        );
        assert_eq!(encodings(&NullArray::new(2)), [None, None]);
    }

    #[test]
    fn different_values_differ() {
        let arrays: [ArrayRef; 8] = [
            Arc::new(StringArray::from(vec!["", "1", "\u{1}", "\u{0}"])),
            Arc::new(BinaryArray::from(vec![&b""[..], b"1", b"\x01", b"\x00"])),
            Arc::new(Int64Array::from(vec![0, 1, -1, i64::MIN, i64::MAX])),
            Arc::new(UInt64Array::from(vec![u64::MAX])),
            Arc::new(BooleanArray::from(vec![false, true])),
            Arc::new(Float64Array::from(vec![0.0, 1.0, f64::NAN, f64::INFINITY])),
            Arc::new(Date64Array::from(vec![0, 1, MILLISECONDS_A_DAY])),
            Arc::new(TimestampNanosecondArray::from(vec![0, 1])),
        ];
        let all: Vec<_> = arrays.iter().flat_map(|array| encodings(array)).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn fixed_size_binary_is_bytes_and_nested_types_are_refused() {
        let fixed = FixedSizeBinaryArray::try_from_iter([[7_u8, 8]].into_iter()).unwrap();
        assert_eq!(encodings(&fixed), [Some(vec![2, 7, 8])]);
        let nested = StructArray::new_empty_fields(1, None);
        let message = visit_canonical(&nested, |_| {}).unwrap_err().to_string();
        assert!(message.contains("nested"), "{message}");
        assert!(check_canonical(&DataType::Time32(TimeUnit::Second)).is_err());
        assert!(check_canonical(&DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8))).is_ok());
    }

    #[test]
    fn dictionaries_are_worked_once_and_unused_values_not_at_all() {
        let dictionary = DictionaryArray::<Int32Type>::new(
            Int32Array::from(vec![Some(2), None, Some(1), Some(2)]),
            Arc::new(StringArray::from(vec![Some("unused"), None, Some("used")])),
        );
        let mut worked = Vec::new();
        let lengths = map_canonical(&dictionary, 99, |value| {
            worked.push(value.to_vec());
            value.len()
        })
        .unwrap();
        assert_eq!(lengths, [5, 99, 99, 5]);
        assert_eq!(worked, [b"\x01used".to_vec()]);
        // A dictionary longer than the slice takes the other way and gives the same.
        assert_eq!(map_canonical(&dictionary.slice(2, 2), 99, <[u8]>::len).unwrap(), [99, 5]);
        assert_eq!(map_canonical(&dictionary.slice(0, 0), 99, <[u8]>::len).unwrap(), Vec::<usize>::new());
    }
}
