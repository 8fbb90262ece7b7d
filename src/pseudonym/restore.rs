//! Canonical encodings back to columns.

use super::faults::Faults;
use super::text::{bytes_column, text_column};
use crate::error::{Error, Result};
use crate::pipeline::{CanonicalKind, UNNAMED};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, new_null_array};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use std::sync::Arc;

const MILLISECONDS_A_DAY: i128 = 86_400_000;
const NANOSECONDS_A_MILLISECOND: i128 = 1_000_000;

/// Encodings of rows; an empty one, or one with the tag 0, is a missing value.
#[derive(Debug)]
pub(super) struct Canonical {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Canonical {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self { bytes: Vec::new(), ends: Vec::with_capacity(rows) }
    }

    pub(super) fn push(&mut self, encoding: &[u8]) {
        self.bytes.extend_from_slice(encoding);
        self.ends.push(self.bytes.len());
    }

    /// Adds an integer.
    pub(super) fn push_integer(&mut self, integer: i128) {
        self.bytes.push(CanonicalKind::Integer as u8);
        self.push(&integer.to_le_bytes());
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    /// Tag and payload of every row; `None` for a missing value.
    fn rows(&self) -> impl Iterator<Item = Option<(u8, &[u8])>> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let (&tag, payload) = self.bytes[std::mem::replace(&mut start, end)..end].split_first()?;
            (tag != 0).then_some((tag, payload))
        })
    }
}

/// A column of the values: of type `original`, or of the widest type of their kind.
///
/// # Errors
/// The values are not all of one kind, or one does not fit `original` exactly.
pub(super) fn restore(values: &Canonical, original: Option<&DataType>, first_row: u64) -> Result<ArrayRef> {
    match original {
        Some(DataType::Dictionary(_, plain)) => {
            let plain = as_type(values, plain, first_row)?;
            // `original` is there: this arm matched it.
            cast(&plain, original.unwrap_or(plain.data_type())).map_err(|e| Error::arrow("encoding a dictionary", &e))
        }
        Some(original) => as_type(values, original, first_row),
        None => as_type(values, &natural(values)?, first_row),
    }
}

/// The type of values whose original type nobody names.
fn natural(values: &Canonical) -> Result<DataType> {
    let mut tags = [false; 256];
    let (mut low, mut high) = (0, 0);
    for (tag, payload) in values.rows().flatten() {
        tags[usize::from(tag)] = true;
        if tag == CanonicalKind::Integer as u8
            && let Some(integer) = integer(payload)
        {
            (low, high) = (integer.min(low), integer.max(high));
        }
    }
    let mut found = (0..=255_u8).filter(|&tag| tags[usize::from(tag)]);
    let tag = found.next();
    if found.next().is_some() {
        return Err(Error::column(UNNAMED, "the tokens stand for values of several kinds", "name the original type of the column"));
    }
    let is = |kind: CanonicalKind| tag == Some(kind as u8);
    Ok(if is(CanonicalKind::Bytes) {
        DataType::Binary
    } else if is(CanonicalKind::Integer) {
        if low >= i128::from(i64::MIN) && high <= i128::from(i64::MAX) {
            DataType::Int64
        } else if low >= 0 && high <= i128::from(u64::MAX) {
            DataType::UInt64
        } else {
            DataType::Decimal128(38, 0)
        }
    } else if is(CanonicalKind::Boolean) {
        DataType::Boolean
    } else if is(CanonicalKind::Float) {
        DataType::Float64
    } else if is(CanonicalKind::Date) {
        DataType::Date32
    } else if is(CanonicalKind::Instant) {
        DataType::Timestamp(TimeUnit::Nanosecond, Some(Arc::from("UTC")))
    } else {
        DataType::Utf8
    })
}

fn as_type(values: &Canonical, data_type: &DataType, first_row: u64) -> Result<ArrayRef> {
    use CanonicalKind::{Boolean, Bytes, Date, Float, Instant, Integer, Text};
    macro_rules! integers {
        ($type:ty) => {
            primitive::<$type>(values, data_type, first_row, |tag, payload| {
                of_kind(Integer, tag, payload).and_then(integer)?.try_into().ok()
            })
        };
    }
    macro_rules! instants {
        ($type:ty, $nanoseconds:expr) => {
            primitive::<$type>(values, data_type, first_row, |tag, payload| {
                let nanoseconds = of_kind(Instant, tag, payload).and_then(integer)?;
                (nanoseconds % $nanoseconds == 0).then_some(nanoseconds / $nanoseconds)?.try_into().ok()
            })
        };
    }
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => variable(values, data_type, first_row, Text),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => variable(values, data_type, first_row, Bytes),
        DataType::FixedSizeBinary(size) => fixed_size(values, *size, first_row),
        DataType::Int8 => integers!(Int8Type),
        DataType::Int16 => integers!(Int16Type),
        DataType::Int32 => integers!(Int32Type),
        DataType::Int64 => integers!(Int64Type),
        DataType::UInt8 => integers!(UInt8Type),
        DataType::UInt16 => integers!(UInt16Type),
        DataType::UInt32 => integers!(UInt32Type),
        DataType::UInt64 => integers!(UInt64Type),
        DataType::Decimal128(precision, 0) => primitive::<Decimal128Type>(values, data_type, first_row, |tag, payload| {
            let integer = of_kind(Integer, tag, payload).and_then(integer)?;
            (integer.unsigned_abs() < 10_u128.checked_pow(u32::from(*precision))?).then_some(integer)
        }),
        DataType::Boolean => {
            let mut faults = Faults::default();
            let read = |(row, value): (u64, Option<(u8, &[u8])>)| {
                let (tag, payload) = value?;
                let boolean = match of_kind(Boolean, tag, payload) {
                    Some([0]) => Some(false),
                    Some([1]) => Some(true),
                    _ => None,
                };
                if boolean.is_none() {
                    faults.note(row);
                }
                boolean
            };
            let array: BooleanArray = numbered(values, first_row).map(read).collect();
            check(faults)?;
            Ok(Arc::new(array))
        }
        DataType::Float16 => primitive::<Float16Type>(values, data_type, first_row, |tag, payload| {
            let wide = of_kind(Float, tag, payload).and_then(float)?;
            let narrow = <Float16Type as ArrowPrimitiveType>::Native::from_f64(wide);
            same(narrow.to_f64(), wide).then_some(narrow)
        }),
        DataType::Float32 => primitive::<Float32Type>(values, data_type, first_row, |tag, payload| {
            let wide = of_kind(Float, tag, payload).and_then(float)?;
            #[expect(clippy::cast_possible_truncation, reason = "a number that changes is refused")]
            let narrow = wide as f32;
            same(f64::from(narrow), wide).then_some(narrow)
        }),
        DataType::Float64 => {
            primitive::<Float64Type>(values, data_type, first_row, |tag, payload| of_kind(Float, tag, payload).and_then(float))
        }
        DataType::Date32 => primitive::<Date32Type>(values, data_type, first_row, |tag, payload| {
            of_kind(Date, tag, payload).and_then(integer)?.try_into().ok()
        }),
        DataType::Date64 => primitive::<Date64Type>(values, data_type, first_row, |tag, payload| {
            if let Some(days) = of_kind(Date, tag, payload) {
                return integer(days)?.checked_mul(MILLISECONDS_A_DAY)?.try_into().ok();
            }
            let nanoseconds = of_kind(Instant, tag, payload).and_then(integer)?;
            (nanoseconds % NANOSECONDS_A_MILLISECOND == 0).then_some(nanoseconds / NANOSECONDS_A_MILLISECOND)?.try_into().ok()
        }),
        DataType::Timestamp(TimeUnit::Second, _) => instants!(TimestampSecondType, 1_000_000_000),
        DataType::Timestamp(TimeUnit::Millisecond, _) => instants!(TimestampMillisecondType, NANOSECONDS_A_MILLISECOND),
        DataType::Timestamp(TimeUnit::Microsecond, _) => instants!(TimestampMicrosecondType, 1_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            primitive::<TimestampNanosecondType>(values, data_type, first_row, |tag, payload| {
                of_kind(Instant, tag, payload).and_then(integer)?.try_into().ok()
            })
        }
        DataType::Null if values.rows().all(|value| value.is_none()) => Ok(new_null_array(&DataType::Null, values.len())),
        _ => Err(Error::column(UNNAMED, "tokens do not stand for values of the type asked for", "name the original type of the column")),
    }
}

fn numbered(values: &Canonical, first_row: u64) -> impl Iterator<Item = (u64, Option<(u8, &[u8])>)> {
    values.rows().enumerate().map(move |(row, value)| (first_row.wrapping_add(row as u64), value))
}

fn check(faults: Faults) -> Result<()> {
    faults.check(
        "the tokens stand for values that do not fit the type asked for",
        "name the original type of the column; a timestamp may need another unit",
    )
}

fn primitive<T: ArrowPrimitiveType>(
    values: &Canonical,
    data_type: &DataType,
    first_row: u64,
    read: impl Fn(u8, &[u8]) -> Option<T::Native>,
) -> Result<ArrayRef> {
    let mut faults = Faults::default();
    let array: PrimitiveArray<T> = numbered(values, first_row)
        .map(|(row, value)| {
            let (tag, payload) = value?;
            let value = read(tag, payload);
            if value.is_none() {
                faults.note(row);
            }
            value
        })
        .collect();
    check(faults)?;
    Ok(Arc::new(array.with_data_type(data_type.clone())))
}

/// Bytes that are all of one length.
fn fixed_size(values: &Canonical, size: i32, first_row: u64) -> Result<ArrayRef> {
    let mut faults = Faults::default();
    let length = usize::try_from(size).unwrap_or_default();
    let mut present = Vec::with_capacity(values.len());
    for (row, value) in numbered(values, first_row) {
        if value.is_some_and(|(tag, payload)| of_kind(CanonicalKind::Bytes, tag, payload).is_none_or(|payload| payload.len() != length)) {
            faults.note(row);
        }
        present.push(value.is_some());
    }
    check(faults)?;
    // The size may come from a file, and missing values take room too.
    let mut bytes: Vec<u8> = Vec::new();
    let fits = values.len().checked_mul(length).is_some_and(|total| bytes.try_reserve_exact(total).is_ok());
    if !fits {
        return Err(Error::column(
            UNNAMED,
            format!("would have {} values of {length} bytes", values.len()),
            "name the original type of the column",
        ));
    }
    for value in values.rows() {
        match value {
            Some((_, payload)) => bytes.extend_from_slice(payload),
            None => bytes.resize(bytes.len() + length, 0),
        }
    }
    let array = FixedSizeBinaryArray::try_new_with_len(size, Buffer::from_vec(bytes), some_missing(present), values.len());
    Ok(Arc::new(array.map_err(|e| Error::arrow("writing bytes", &e))?))
}

fn some_missing(present: Vec<bool>) -> Option<NullBuffer> {
    Some(NullBuffer::from(present)).filter(|present| present.null_count() > 0)
}

/// Texts or bytes.
fn variable(values: &Canonical, data_type: &DataType, first_row: u64, kind: CanonicalKind) -> Result<ArrayRef> {
    let mut faults = Faults::default();
    let (mut bytes, mut ends, mut present) = (Vec::with_capacity(values.bytes.len()), Vec::with_capacity(values.len()), Vec::new());
    for (row, value) in numbered(values, first_row) {
        if let Some((tag, payload)) = value {
            let is_text = kind != CanonicalKind::Text || std::str::from_utf8(payload).is_ok();
            if tag != kind as u8 || !is_text {
                faults.note(row);
            } else {
                bytes.extend_from_slice(payload);
            }
        }
        present.push(value.is_some());
        ends.push(bytes.len());
    }
    check(faults)?;
    let present = some_missing(present);
    if kind == CanonicalKind::Text { text_column(data_type, bytes, &ends, present) } else { bytes_column(data_type, bytes, &ends, present) }
}

fn of_kind(kind: CanonicalKind, tag: u8, payload: &[u8]) -> Option<&[u8]> {
    (tag == kind as u8).then_some(payload)
}

fn integer(payload: &[u8]) -> Option<i128> {
    payload.try_into().ok().map(i128::from_le_bytes)
}

fn float(payload: &[u8]) -> Option<f64> {
    payload.try_into().ok().map(f64::from_le_bytes)
}

fn same(left: f64, right: f64) -> bool {
    left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan())
}
