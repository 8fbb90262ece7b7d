//! 256-bit names of rows: equal exactly where all values are equal.

use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, UInt64Type};

/// The name of a combination of values. Two different combinations share a name with a probability of about 2^-256 per pair.
pub(super) type Identity = [u8; 32];

/// The identities of the rows of some columns. The type a file happens to store a value in does not matter: text is text in every
/// representation, a dictionary is its values, an integer is a number. Missing equals missing and nothing else.
pub(super) fn identities(names: &[&str], columns: &[&dyn Array], rows: usize) -> Result<Vec<Identity>> {
    let plain = names.iter().zip(columns).map(|(name, column)| Plain::new(name, *column)).collect::<Result<Vec<_>>>()?;
    let mut buffer = Vec::new();
    Ok((0..rows)
        .map(|row| {
            buffer.clear();
            for column in &plain {
                column.write(row, &mut buffer);
            }
            blake3::hash(&buffer).into()
        })
        .collect())
}

/// A column in one of few types.
enum Plain {
    Bytes(u8, ArrayRef),
    Signed(u8, ArrayRef),
    Unsigned(ArrayRef),
    Float(ArrayRef),
    Truth(ArrayRef),
}

impl Plain {
    fn new(name: &str, array: &dyn Array) -> Result<Self> {
        let to = |data_type: DataType| cast(array, &data_type).map_err(|e| Error::arrow(format!("reading column {name}"), &e));
        let value_type = match array.data_type() {
            DataType::Dictionary(_, values) => values.as_ref(),
            other => other,
        };
        match value_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Ok(Self::Bytes(1, cast(&to(DataType::LargeUtf8)?, &DataType::LargeBinary).map_err(|e| Error::arrow("reading text", &e))?))
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Ok(Self::Bytes(2, to(DataType::LargeBinary)?)),
            DataType::FixedSizeBinary(_) => {
                let bytes = to(DataType::Binary)?;
                Ok(Self::Bytes(2, cast(&bytes, &DataType::LargeBinary).map_err(|e| Error::arrow("reading bytes", &e))?))
            }
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Ok(Self::Signed(3, to(DataType::Int64)?)),
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => Ok(Self::Unsigned(to(DataType::UInt64)?)),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Ok(Self::Float(to(DataType::Float64)?)),
            DataType::Boolean => Ok(Self::Truth(to(DataType::Boolean)?)),
            DataType::Date32 => {
                let days = to(DataType::Int32)?;
                Ok(Self::Signed(7, cast(&days, &DataType::Int64).map_err(|e| Error::arrow("reading dates", &e))?))
            }
            DataType::Date64 => Ok(Self::Signed(8, to(DataType::Int64)?)),
            // Ticks of different length are different values; zones do not change the moment.
            DataType::Timestamp(TimeUnit::Second, _) => Ok(Self::Signed(9, to(DataType::Int64)?)),
            DataType::Timestamp(TimeUnit::Millisecond, _) => Ok(Self::Signed(10, to(DataType::Int64)?)),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Ok(Self::Signed(11, to(DataType::Int64)?)),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => Ok(Self::Signed(12, to(DataType::Int64)?)),
            other => Err(Error::column(name, format!("has the type {other}, which cannot be compared by value"), "write it as text")),
        }
    }

    /// Appends a code of the value that no other value is a prefix of.
    fn write(&self, row: usize, buffer: &mut Vec<u8>) {
        let (tag, array) = match self {
            Self::Bytes(tag, array) | Self::Signed(tag, array) => (*tag, array),
            Self::Unsigned(array) => (4, array),
            Self::Float(array) => (5, array),
            Self::Truth(array) => (6, array),
        };
        if array.is_null(row) {
            buffer.push(0);
            return;
        }
        match self {
            Self::Bytes(..) => {
                let bytes = array.as_binary::<i64>().value(row);
                buffer.push(tag);
                buffer.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
                buffer.extend_from_slice(bytes);
            }
            Self::Signed(..) => {
                buffer.push(tag);
                buffer.extend_from_slice(&array.as_primitive::<Int64Type>().value(row).to_le_bytes());
            }
            Self::Unsigned(_) => {
                // Files differ in whether a whole number is stored with a sign.
                let number = array.as_primitive::<UInt64Type>().value(row);
                buffer.push(if i64::try_from(number).is_ok() { 3 } else { tag });
                buffer.extend_from_slice(&number.to_le_bytes());
            }
            Self::Float(_) => {
                buffer.push(tag);
                buffer.extend_from_slice(&array.as_primitive::<Float64Type>().value(row).to_bits().to_le_bytes());
            }
            Self::Truth(_) => buffer.extend_from_slice(&[tag, u8::from(array.as_boolean().value(row))]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        BinaryArray, BooleanArray, Date32Array, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int8Array, Int64Array,
        LargeStringArray, StringArray, StringViewArray, TimestampMicrosecondArray, TimestampSecondArray, UInt64Array,
    };
    use arrow::datatypes::Int32Type;
    use std::sync::Arc;

    fn of(array: &dyn Array) -> Vec<Identity> {
        identities(&["c"], &[array], array.len()).unwrap()
    }

    #[test]
    fn the_representation_of_text_does_not_matter() {
        let values = vec![Some("a"), None, Some("b"), Some("")];
        let plain = of(&StringArray::from(values.clone()));
        let dictionary: DictionaryArray<Int32Type> = values.iter().copied().collect();
        assert_eq!(plain, of(&LargeStringArray::from(values.clone())));
        assert_eq!(plain, of(&StringViewArray::from(values.clone())));
        assert_eq!(plain, of(&dictionary));
        assert_eq!(plain[1..3], of(&dictionary.slice(1, 2)));
        assert_eq!(plain.iter().collect::<std::collections::HashSet<_>>().len(), 4, "missing is not the empty text");
    }

    #[test]
    fn numbers_of_different_width_are_equal_and_other_kinds_are_not() {
        assert_eq!(of(&Int8Array::from(vec![7])), of(&UInt64Array::from(vec![7])));
        assert_ne!(of(&Int64Array::from(vec![-1])), of(&UInt64Array::from(vec![u64::MAX])));
        let kinds: [ArrayRef; 5] = [
            Arc::new(StringArray::from(vec!["1"])),
            Arc::new(BinaryArray::from(vec![&b"1"[..]])),
            Arc::new(Int64Array::from(vec![1])),
            Arc::new(Float64Array::from(vec![1.0])),
            Arc::new(BooleanArray::from(vec![true])),
        ];
        let all: std::collections::HashSet<_> = kinds.iter().map(|array| of(array.as_ref())[0]).collect();
        assert_eq!(all.len(), 5);
        assert_ne!(of(&Date32Array::from(vec![5])), of(&Int64Array::from(vec![5])));
        let (micro, second) = (TimestampMicrosecondArray::from(vec![i64::MIN]), TimestampSecondArray::from(vec![i64::MIN]));
        assert_ne!(of(&micro), of(&second));
        assert_eq!(of(&micro), of(&micro.clone().with_timezone("Europe/Berlin")));
        assert_eq!(of(&FixedSizeBinaryArray::try_from_iter([[49_u8]].iter()).unwrap()), of(&BinaryArray::from(vec![&b"1"[..]])));
        assert!(identities(&["c"], &[&arrow::array::NullArray::new(1)], 1).is_err());
    }

    #[test]
    fn values_do_not_run_into_their_neighbours() {
        let pair = |one: &str, two: &str| {
            let (one, two) = (StringArray::from(vec![one]), StringArray::from(vec![two]));
            identities(&["a", "b"], &[&one, &two], 1).unwrap()
        };
        assert_ne!(pair("ab", "c"), pair("a", "bc"));
        assert_ne!(pair("", "x"), pair("x", ""));
    }
}
