//! Values from their canonical encodings: the way back of [`visit_canonical`](crate::pipeline::visit_canonical).

use crate::error::{Error, Result};
use crate::pipeline::{UNNAMED, check_canonical};
use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryBuilder, BinaryViewBuilder, BooleanBuilder, Date32Array, Date64Array, Decimal128Array,
    FixedSizeBinaryBuilder, LargeBinaryBuilder, LargeStringBuilder, PrimitiveArray, PrimitiveBuilder, StringBuilder, StringViewBuilder,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use std::sync::Arc;

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
        })
    }
}

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
