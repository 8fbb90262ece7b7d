<<<<<<< HEAD
//! Values from their canonical encodings: the way back of [`visit_canonical`](crate::pipeline::visit_canonical).

use crate::error::{Error, Result};
use crate::pipeline::{UNNAMED, check_canonical};
use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryBuilder, BinaryViewBuilder, BooleanBuilder, Date32Array, Date64Array, Decimal128Array,
    FixedSizeBinaryBuilder, LargeBinaryBuilder, LargeStringBuilder, PrimitiveArray, PrimitiveBuilder, StringBuilder, StringViewBuilder,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, new_null_array,
};
=======
//! Canonical encodings back to columns.

use super::faults::Faults;
use super::text::{bytes_column, text_column};
use crate::error::{Error, Result};
use crate::pipeline::{CanonicalKind, UNNAMED};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, new_null_array};
use arrow::buffer::{Buffer, NullBuffer};
>>>>>>> kernels
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use std::sync::Arc;

<<<<<<< HEAD
/// The array of type `data_type` whose values have these encodings, in order; `None` is a missing value.
///
/// # Errors
/// The type has no canonical encoding, or encodings are not those of values of the type.
pub(super) fn restore<'a>(encodings: impl Iterator<Item = Option<&'a [u8]>>, data_type: &DataType) -> Result<ArrayRef> {
    check_canonical(data_type)?;
    let mut values = Values { encodings, unfit: 0, first: None };
    let array = values.build(data_type)?;
    match values.first {
        Some(first) => Err(Error::rows(
            UNNAMED,
            values.unfit,
            "holds values that the wanted type cannot hold exactly",
            "name the type that the column had, or none",
        )
        .first_at(first)),
        None => Ok(array),
    }
}

struct Values<I> {
    encodings: I,
    unfit: u64,
    first: Option<usize>,
}

impl<'a, I: Iterator<Item = Option<&'a [u8]>>> Values<I> {
    /// Calls `append` with what `read` makes of each encoding; `None` for a missing value and for one that does not fit, which is counted.
    fn each<T>(&mut self, read: impl Fn(u8, &'a [u8]) -> Option<T>, mut append: impl FnMut(Option<T>)) {
        for (row, encoding) in self.encodings.by_ref().enumerate() {
            append(encoding.and_then(|encoding| {
                let value = encoding.split_first().and_then(|(tag, payload)| read(*tag, payload));
                if value.is_none() {
                    self.unfit += 1;
                    self.first = self.first.or(Some(row));
                }
                value
            }));
        }
    }

    fn primitives<T: ArrowPrimitiveType>(&mut self, read: impl Fn(u8, &'a [u8]) -> Option<T::Native>) -> PrimitiveArray<T> {
        let mut builder = PrimitiveBuilder::<T>::new();
        self.each(read, |value| builder.append_option(value));
        builder.finish()
    }

    fn integers<T: ArrowPrimitiveType<Native: TryFrom<i128>>>(&mut self) -> ArrayRef {
        Arc::new(self.primitives::<T>(|tag, payload| T::Native::try_from(word(3, tag, payload)?).ok()))
    }

    fn instants<T: ArrowPrimitiveType<Native = i64>>(&mut self, unit: i128) -> PrimitiveArray<T> {
        self.primitives(|tag, payload| whole(word(7, tag, payload)?, unit))
    }

    fn build(&mut self, data_type: &DataType) -> Result<ArrayRef> {
        macro_rules! strings {
            ($builder:expr, $read:expr) => {{
                let mut builder = $builder;
                self.each($read, |value| builder.append_option(value));
                Arc::new(builder.finish()) as ArrayRef
            }};
        }
        let text = |tag, payload| if tag == 1 { std::str::from_utf8(payload).ok() } else { None };
        let bytes = |tag, payload| (tag == 2).then_some(payload);
        Ok(match data_type {
            DataType::Utf8 => strings!(StringBuilder::new(), text),
            DataType::LargeUtf8 => strings!(LargeStringBuilder::new(), text),
            DataType::Utf8View => strings!(StringViewBuilder::new(), text),
            DataType::Binary => strings!(BinaryBuilder::new(), bytes),
            DataType::LargeBinary => strings!(LargeBinaryBuilder::new(), bytes),
            DataType::BinaryView => strings!(BinaryViewBuilder::new(), bytes),
            DataType::FixedSizeBinary(width) => {
                let mut builder = FixedSizeBinaryBuilder::new(*width);
                let (length, mut outcome) = (usize::try_from(*width).ok(), Ok(()));
                self.each(
                    |tag, payload: &[u8]| (tag == 2 && Some(payload.len()) == length).then_some(payload),
                    |value| match value {
                        Some(value) if outcome.is_ok() => outcome = builder.append_value(value),
                        _ => builder.append_null(),
                    },
                );
                outcome.map_err(|e| Error::arrow("restoring bytes", &e))?;
                Arc::new(builder.finish())
            }
            DataType::Boolean => strings!(BooleanBuilder::new(), |tag, payload| match (tag, payload) {
                (4, [0]) => Some(false),
                (4, [1]) => Some(true),
                _ => None,
            }),
            DataType::Int8 => self.integers::<Int8Type>(),
            DataType::Int16 => self.integers::<Int16Type>(),
            DataType::Int32 => self.integers::<Int32Type>(),
            DataType::Int64 => self.integers::<Int64Type>(),
            DataType::UInt8 => self.integers::<UInt8Type>(),
            DataType::UInt16 => self.integers::<UInt16Type>(),
            DataType::UInt32 => self.integers::<UInt32Type>(),
            DataType::UInt64 => self.integers::<UInt64Type>(),
            DataType::Decimal128(precision, scale) => {
                // An array made here may hold more digits than its type says, as the one that the values came from may.
                let array: Decimal128Array = self.primitives::<Decimal128Type>(|tag, payload| word(3, tag, payload));
                let array = array.with_precision_and_scale(*precision, *scale);
                Arc::new(array.map_err(|e| Error::arrow("restoring decimals", &e))?)
            }
            DataType::Float16 => Arc::new(self.primitives::<Float16Type>(|tag, payload| {
                let double = float(tag, payload)?;
                let half = <Float16Type as ArrowPrimitiveType>::Native::from_f64(double);
                same(half.to_f64(), double).then_some(half)
            })),
            DataType::Float32 => Arc::new(self.primitives::<Float32Type>(|tag, payload| {
                let double = float(tag, payload)?;
                #[expect(clippy::cast_possible_truncation, reason = "compared with the double afterwards")]
                let single = double as f32;
                same(f64::from(single), double).then_some(single)
            })),
            DataType::Float64 => Arc::new(self.primitives::<Float64Type>(float)),
            DataType::Date32 => {
                let array: Date32Array = self.primitives::<Date32Type>(|tag, payload| i32::try_from(word(6, tag, payload)?).ok());
                Arc::new(array)
            }
            DataType::Date64 => {
                let array: Date64Array = self.primitives::<Date64Type>(|tag, payload| match tag {
                    6 => i64::try_from(word(6, tag, payload)?.checked_mul(86_400_000)?).ok(),
                    _ => whole(word(7, tag, payload)?, 1_000_000),
                });
                Arc::new(array)
            }
            DataType::Timestamp(TimeUnit::Second, zone) => {
                let array: TimestampSecondArray = self.instants::<TimestampSecondType>(1_000_000_000);
                Arc::new(array.with_timezone_opt(zone.clone()))
            }
            DataType::Timestamp(TimeUnit::Millisecond, zone) => {
                let array: TimestampMillisecondArray = self.instants::<TimestampMillisecondType>(1_000_000);
                Arc::new(array.with_timezone_opt(zone.clone()))
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                let array: TimestampMicrosecondArray = self.instants::<TimestampMicrosecondType>(1_000);
                Arc::new(array.with_timezone_opt(zone.clone()))
            }
            DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
                let array: TimestampNanosecondArray = self.instants::<TimestampNanosecondType>(1);
                Arc::new(array.with_timezone_opt(zone.clone()))
            }
            DataType::Dictionary(_, values) => {
                let plain = self.build(values)?;
                cast(&plain, data_type).map_err(|e| Error::arrow("encoding a dictionary", &e))?
            }
            other => {
                let mut rows = 0;
                self.each(|_, _| None::<()>, |_| rows += 1);
                new_null_array(other, rows)
            }
=======
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
>>>>>>> kernels
        })
    }
}

<<<<<<< HEAD
/// The number of an encoding with the tag `wanted`.
fn word(wanted: u8, tag: u8, payload: &[u8]) -> Option<i128> {
    if tag == wanted { payload.try_into().ok().map(i128::from_le_bytes) } else { None }
}

/// How many of `unit` a number is, if it is a multiple.
fn whole(number: i128, unit: i128) -> Option<i64> {
    if number % unit == 0 { i64::try_from(number / unit).ok() } else { None }
}

fn float(tag: u8, payload: &[u8]) -> Option<f64> {
    if tag == 5 { payload.try_into().ok().map(f64::from_le_bytes) } else { None }
}

/// Whether two floats are one value.
fn same(one: f64, other: f64) -> bool {
    one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pipeline::visit_canonical;
    use arrow::array::{
        Array, BinaryArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float32Array, Float64Array, Int8Array, Int64Array,
        StringArray, UInt64Array,
    };

    /// Arrays of every type that has values with a canonical encoding, each with a missing value.
    pub(in crate::pseudonym) fn samples() -> Vec<ArrayRef> {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("ann"), None, Some(""), Some("Żółć\u{0}")]));
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), None, Some(b"")]));
        let floats: ArrayRef =
            Arc::new(Float64Array::from(vec![Some(0.5), None, Some(f64::NAN), Some(f64::NEG_INFINITY), Some(0.0), Some(2048.0)]));
        let small: ArrayRef = Arc::new(Int8Array::from(vec![Some(0), None, Some(i8::MAX)]));
        let mut samples: Vec<ArrayRef> = vec![
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some([7_u8; 16]), None].into_iter(), 16).unwrap()),
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            Arc::new(Int8Array::from(vec![Some(i8::MIN), None, Some(i8::MAX)])),
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)])),
            Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(0)])),
            Arc::new(Decimal128Array::from(vec![Some(-(10_i128.pow(37))), None]).with_precision_and_scale(38, 0).unwrap()),
            Arc::new(Date32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)])),
            Arc::new(Date64Array::from(vec![Some(-86_400_000), None, Some(1), Some(i64::MAX)])),
            Arc::new(TimestampSecondArray::from(vec![Some(i64::MIN), None, Some(i64::MAX)]).with_timezone("Europe/Berlin")),
            Arc::new(TimestampMillisecondArray::from(vec![Some(i64::MIN), None, Some(-1)])),
            Arc::new(TimestampMicrosecondArray::from(vec![Some(i64::MIN), None, Some(-1)]).with_timezone("UTC")),
            Arc::new(TimestampNanosecondArray::from(vec![Some(i64::MIN), None, Some(i64::MAX)]).with_timezone("+02:00")),
            Arc::new([Some("b"), None, Some("a"), Some("b")].into_iter().collect::<DictionaryArray<Int32Type>>()),
        ];
        let castings = [
            (&texts, vec![DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View]),
            (&bytes, vec![DataType::Binary, DataType::LargeBinary, DataType::BinaryView]),
            (&floats, vec![DataType::Float16, DataType::Float32, DataType::Float64]),
            (&small, vec![DataType::Int16, DataType::Int32, DataType::UInt8, DataType::UInt16, DataType::UInt32]),
        ];
        for (array, types) in castings {
            samples.extend(types.iter().map(|data_type| cast(array, data_type).unwrap()));
        }
        samples
    }

    fn encodings(array: &dyn Array) -> Vec<Option<Vec<u8>>> {
        let mut encodings = Vec::new();
        visit_canonical(array, |value| encodings.push(value.map(<[u8]>::to_vec))).unwrap();
        encodings
    }

    fn back(array: &dyn Array, data_type: &DataType) -> Result<ArrayRef> {
        restore(encodings(array).iter().map(Option::as_deref), data_type)
    }

    #[test]
    fn every_type_survives_exactly() {
        for array in samples() {
            let restored = back(&array, array.data_type()).unwrap();
            assert_eq!(restored.data_type(), array.data_type());
            assert_eq!(encodings(&restored), encodings(&array), "{}", array.data_type());
            if !matches!(array.data_type(), DataType::Dictionary(..) | DataType::Float16 | DataType::Float32 | DataType::Float64) {
                assert_eq!(&restored, &array);
            }
            assert_eq!(back(array.slice(0, 0).as_ref(), array.data_type()).unwrap().len(), 0);
            assert_eq!(back(array.slice(1, 1).as_ref(), array.data_type()).unwrap().null_count(), 1);
        }
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let refused = |array: &dyn Array, data_type: DataType| {
            let message = back(array, &data_type).unwrap_err().to_string();
            assert!(message.contains("cannot hold exactly"), "{message}");
            message
        };
        let message = refused(&Int64Array::from(vec![Some(1), None, Some(300), Some(301)]), DataType::UInt8);
        assert!(message.contains("2 rows, the first is row 3") && !message.contains("300"), "{message}");
        refused(&Int64Array::from(vec![-1]), DataType::UInt64);
        refused(&Int64Array::from(vec![1]), DataType::Utf8);
        refused(&StringArray::from(vec!["1"]), DataType::Int64);
        refused(&StringArray::from(vec!["1"]), DataType::Null);
        refused(&BinaryArray::from(vec![&b"1"[..]]), DataType::Utf8);
        refused(&BinaryArray::from(vec![&b"1"[..]]), DataType::FixedSizeBinary(2));
        refused(&Float64Array::from(vec![0.1]), DataType::Float32);
        refused(&Float32Array::from(vec![0.1]), DataType::Float16);
        refused(&TimestampNanosecondArray::from(vec![1]), DataType::Timestamp(TimeUnit::Microsecond, None));
        refused(&TimestampSecondArray::from(vec![i64::MAX]), DataType::Timestamp(TimeUnit::Nanosecond, None));
        refused(&Date32Array::from(vec![1]), DataType::Timestamp(TimeUnit::Second, None));
        assert!(back(&StringArray::new_null(1), &DataType::Time32(TimeUnit::Second)).is_err());
        assert!(restore([Some(&b""[..]), Some(b"\x03\x01"), Some(b"\x08x")].into_iter(), &DataType::Int64).is_err());
    }
}
=======
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
    let (mut bytes, mut present) = (Vec::with_capacity(values.len().saturating_mul(length)), Vec::with_capacity(values.len()));
    for (row, value) in numbered(values, first_row) {
        match value.map(|(tag, payload)| of_kind(CanonicalKind::Bytes, tag, payload).filter(|payload| payload.len() == length)) {
            None => bytes.resize(bytes.len() + length, 0),
            Some(Some(payload)) => bytes.extend_from_slice(payload),
            Some(None) => faults.note(row),
        }
        present.push(value.is_some());
    }
    check(faults)?;
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
>>>>>>> kernels
