//! The content of rows: one encoding for equal values in any Arrow representation, and keyed hashes of it.

use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use crate::pipeline::column_index;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_empty_array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, UInt64Type};

/// Keyed 64-bit hashes of the rows' content: the values of the columns, in the order given.
///
/// Equal values have equal hashes in any Arrow representation: strings of all three layouts, dictionaries, integers of any width, floats of any width (−0 equals 0, all NaN are equal),
/// dates and timestamps of any unit. A missing value is a content of its own.
///
/// # Errors
/// The columns differ in length, or one has a type that cannot be compared by value (nested types, decimals, intervals).
///
/// # Security
/// BLAKE3 in keyed mode, cut to 64 bits: without the key nothing can be said about the order of the hashes. They serve for choosing, not for naming: two contents
/// of a pool of 10⁹ share a hash with probability 3 %.
pub fn content_hashes(columns: &[ArrayRef], key: &[u8; 32]) -> Result<Vec<u64>> {
    let rows = columns.first().map_or(0, Array::len);
    if columns.iter().any(|column| column.len() != rows) {
        return Err(Error::Parameter { name: "columns", problem: "differ in length".to_owned() });
    }
    let encoders = columns.iter().map(|column| ColumnContent::new("", column.as_ref())).collect::<Result<Vec<_>>>()?;
    Ok(hash_rows(&encoders, rows, key))
}

/// Keyed 64-bit priorities of the rows of a batch, from the values of the columns named: what [`cap`](super::cap) chooses by.
///
/// Name the subject column too. Without it a content has the same priority for everybody, so that some items survive for all people and others for none.
/// See [`content_hashes`] for what counts as equal.
///
/// # Errors
/// A column is missing or has a type that cannot be compared by value.
///
/// ```
/// # use std::sync::Arc;
/// use backmask::arrow::array::{ArrayRef, DictionaryArray, RecordBatch, StringArray, types::Int8Type};
/// use backmask::{keys::Key, matrix::row_priorities};
/// let key = Key::from_bytes([7; 32]);
/// let plain: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a"]));
/// let dictionary: ArrayRef = Arc::new(vec!["a", "b", "a"].into_iter().collect::<DictionaryArray<Int8Type>>());
/// let plain = row_priorities(&RecordBatch::try_from_iter([("item", plain)])?, &["item"], &key)?;
/// assert_eq!(plain, row_priorities(&RecordBatch::try_from_iter([("item", dictionary)])?, &["item"], &key)?);
/// assert!(plain[0] == plain[2] && plain[0] != plain[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn row_priorities<S: AsRef<str>>(batch: &RecordBatch, columns: &[S], key: &Key) -> Result<Vec<u64>> {
    let key = key.derive(&Domain::of("contribution-cap"));
    let encoders = columns_of(batch, columns)?;
    Ok(hash_rows(&encoders, batch.num_rows(), key.expose()))
}

fn hash_rows(encoders: &[ColumnContent<'_>], rows: usize, key: &[u8; 32]) -> Vec<u64> {
    let mut content = Vec::new();
    (0..rows)
        .map(|row| {
            content.clear();
            for encoder in encoders {
                encoder.append(row, &mut content);
            }
            let mut hash = [0; 8];
            hash.copy_from_slice(&blake3::keyed_hash(key, &content).as_bytes()[..8]);
            u64::from_le_bytes(hash)
        })
        .collect()
}

/// Encoders of the columns named.
pub(super) fn columns_of<'a, S: AsRef<str>>(batch: &'a RecordBatch, columns: &[S]) -> Result<Vec<ColumnContent<'a>>> {
    columns
        .iter()
        .map(|name| ColumnContent::new(name.as_ref(), batch.column(column_index(batch.schema_ref(), name.as_ref())?).as_ref()))
        .collect()
}

/// Fails unless columns of this type can be compared by value.
pub(super) fn check_type(name: &str, data_type: &DataType) -> Result<()> {
    ColumnContent::new(name, new_empty_array(data_type).as_ref()).map(|_| ())
}

/// Encodes the values of one column. The encoding is the same for equal values of any representation, and no encoding is a prefix of another,
/// so encodings of several columns can be put behind each other.
#[derive(Debug)]
pub(super) struct ColumnContent<'a> {
    values: Values<'a>,
    nulls: Option<NullBuffer>,
}

#[derive(Debug)]
enum Values<'a> {
    Missing,
    Boolean(&'a BooleanArray),
    Integer(Vec<i64>),
    Unsigned(Vec<u64>),
    Float(Vec<f64>),
    /// A point or span of time: its kind, its ticks, and nanoseconds in a tick.
    Time(u8, Vec<i64>, i128),
    Bytes(u8, Bytes<'a>),
    Dictionary(Vec<usize>, Box<ColumnContent<'a>>),
}

#[derive(Debug)]
enum Bytes<'a> {
    Text(&'a arrow::array::StringArray),
    LargeText(&'a arrow::array::LargeStringArray),
    TextView(&'a arrow::array::StringViewArray),
    Binary(&'a arrow::array::BinaryArray),
    LargeBinary(&'a arrow::array::LargeBinaryArray),
    BinaryView(&'a arrow::array::BinaryViewArray),
    Fixed(&'a arrow::array::FixedSizeBinaryArray),
}

impl Bytes<'_> {
    fn value(&self, row: usize) -> &[u8] {
        match self {
            Self::Text(array) => array.value(row).as_bytes(),
            Self::LargeText(array) => array.value(row).as_bytes(),
            Self::TextView(array) => array.value(row).as_bytes(),
            Self::Binary(array) => array.value(row),
            Self::LargeBinary(array) => array.value(row),
            Self::BinaryView(array) => array.value(row),
            Self::Fixed(array) => array.value(row),
        }
    }
}

const MISSING: u8 = 0;
const BOOLEAN: u8 = 1;
const INTEGER: u8 = 2;
const LARGE_UNSIGNED: u8 = 3;
const FLOAT: u8 = 4;
const INSTANT: u8 = 5;
const TIME_OF_DAY: u8 = 6;
const DURATION: u8 = 7;
const TEXT: u8 = 8;
const BINARY: u8 = 9;

impl<'a> ColumnContent<'a> {
    /// For the column called `name`.
    pub(super) fn new(name: &str, array: &'a dyn Array) -> Result<Self> {
        let values = match array.data_type() {
            DataType::Null => Values::Missing,
            DataType::Boolean => Values::Boolean(array.as_boolean()),
            DataType::UInt64 => Values::Unsigned(array.as_primitive::<UInt64Type>().values().to_vec()),
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => Values::Integer(ticks(array)?),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                let floats = cast(array, &DataType::Float64).map_err(|e| Error::arrow("reading a column of floats", &e))?;
                Values::Float(floats.as_primitive::<Float64Type>().values().to_vec())
            }
            DataType::Date32 => Values::Time(INSTANT, ticks(array)?, 86_400_000_000_000),
            DataType::Date64 => Values::Time(INSTANT, ticks(array)?, 1_000_000),
            DataType::Timestamp(unit, _) => Values::Time(INSTANT, ticks(array)?, nanoseconds(*unit)),
            DataType::Time32(unit) | DataType::Time64(unit) => Values::Time(TIME_OF_DAY, ticks(array)?, nanoseconds(*unit)),
            DataType::Duration(unit) => Values::Time(DURATION, ticks(array)?, nanoseconds(*unit)),
            DataType::Utf8 => Values::Bytes(TEXT, Bytes::Text(array.as_string())),
            DataType::LargeUtf8 => Values::Bytes(TEXT, Bytes::LargeText(array.as_string())),
            DataType::Utf8View => Values::Bytes(TEXT, Bytes::TextView(array.as_string_view())),
            DataType::Binary => Values::Bytes(BINARY, Bytes::Binary(array.as_binary())),
            DataType::LargeBinary => Values::Bytes(BINARY, Bytes::LargeBinary(array.as_binary())),
            DataType::BinaryView => Values::Bytes(BINARY, Bytes::BinaryView(array.as_binary_view())),
            DataType::FixedSizeBinary(_) => Values::Bytes(BINARY, Bytes::Fixed(array.as_fixed_size_binary())),
            DataType::Dictionary(_, _) => {
                let dictionary = array.as_any_dictionary();
                let inner = Self::new(name, dictionary.values().as_ref())?;
                // With no values every row is missing, and there are no keys to normalize.
                let keys = if dictionary.values().is_empty() { vec![0; array.len()] } else { dictionary.normalized_keys() };
                Values::Dictionary(keys, Box::new(inner))
            }
            other => {
                return Err(Error::column(
                    name,
                    format!("has the type {other}, which cannot be compared by value"),
                    "drop the column or cast it to text",
                ));
            }
        };
        Ok(Self { values, nulls: array.nulls().cloned() })
    }

    /// Length of the first encoding in `bytes`; `None` if there is none.
    pub(super) fn encoded_length(bytes: &[u8]) -> Option<usize> {
        Some(match *bytes.first()? {
            MISSING => 1,
            BOOLEAN => 2,
            INTEGER | LARGE_UNSIGNED | FLOAT => 9,
            TEXT | BINARY => usize::try_from(u64::from_le_bytes(bytes.get(1..9)?.try_into().ok()?)).ok()?.checked_add(9)?,
            _ => 17,
        })
    }

    /// Whether the first encoding in `bytes` is that of a missing value.
    pub(super) fn is_missing_encoding(bytes: &[u8]) -> bool {
        bytes.first() == Some(&MISSING)
    }

    /// Whether the value is missing.
    pub(super) fn is_missing(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
            || match &self.values {
                Values::Missing => true,
                Values::Dictionary(keys, inner) => inner.is_missing(keys[row]),
                _ => false,
            }
    }

    /// Appends the encoding of a value.
    pub(super) fn append(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_missing(row) {
            out.push(MISSING);
            return;
        }
        match &self.values {
            Values::Missing => out.push(MISSING),
            Values::Boolean(array) => out.extend([BOOLEAN, u8::from(array.value(row))]),
            Values::Integer(values) => append_tagged(INTEGER, &values[row].to_le_bytes(), out),
            Values::Unsigned(values) => match i64::try_from(values[row]) {
                Ok(value) => append_tagged(INTEGER, &value.to_le_bytes(), out),
                Err(_) => append_tagged(LARGE_UNSIGNED, &values[row].to_le_bytes(), out),
            },
            Values::Float(values) => {
                let value = values[row];
                // Adding 0 turns −0 into 0.
                let bits = if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() };
                append_tagged(FLOAT, &bits.to_le_bytes(), out);
            }
            Values::Time(tag, ticks, nanoseconds) => append_tagged(*tag, &(i128::from(ticks[row]) * nanoseconds).to_le_bytes(), out),
            Values::Bytes(tag, bytes) => {
                let value = bytes.value(row);
                append_tagged(*tag, &(value.len() as u64).to_le_bytes(), out);
                out.extend_from_slice(value);
            }
            Values::Dictionary(keys, inner) => inner.append(keys[row], out),
        }
    }
}

fn append_tagged(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

/// The stored numbers of an integer or time column, widened to 64 bits.
fn ticks(array: &dyn Array) -> Result<Vec<i64>> {
    // Times of day of 32 bits only cast to integers of 32 bits.
    let narrow = match array.data_type() {
        DataType::Time32(_) | DataType::Date32 => {
            cast(array, &DataType::Int32).map_err(|e| Error::arrow("reading a column of times", &e))?
        }
        _ => arrow::array::make_array(array.to_data()),
    };
    let wide = cast(&narrow, &DataType::Int64).map_err(|e| Error::arrow("reading a column of integers", &e))?;
    Ok(wide.as_primitive::<Int64Type>().values().to_vec())
}

fn nanoseconds(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        BinaryArray, BinaryViewArray, Date32Array, Date64Array, DurationSecondArray, FixedSizeBinaryArray, Float32Array, Float64Array,
        Int8Array, Int64Array, LargeBinaryArray, LargeStringArray, NullArray, StringArray, StringViewArray, Time32SecondArray,
        Time64NanosecondArray, TimestampMillisecondArray, TimestampSecondArray, UInt64Array,
    };
    use std::collections::HashSet;
    use std::sync::Arc;

    fn hashes(array: impl Array + 'static) -> Vec<u64> {
        content_hashes(&[Arc::new(array)], &[1; 32]).unwrap()
    }

    #[test]
    fn equal_values_have_equal_hashes_in_any_representation() {
        let text = vec![Some("a"), None, Some(""), Some("a long text that no view inlines")];
        let plain = hashes(StringArray::from(text.clone()));
        assert_eq!(plain.iter().collect::<HashSet<_>>().len(), 4);
        assert_eq!(hashes(LargeStringArray::from(text.clone())), plain);
        assert_eq!(hashes(StringViewArray::from(text.clone())), plain);
        let dictionary: ArrayRef =
            cast(&StringArray::from(text), &DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::LargeUtf8))).unwrap();
        assert_eq!(content_hashes(&[Arc::clone(&dictionary)], &[1; 32]).unwrap(), plain);
        assert_eq!(content_hashes(&[dictionary.slice(1, 3)], &[1; 32]).unwrap(), plain[1..]);

        let bytes: Vec<&[u8]> = vec![b"ab", b"cd"];
        let binary = hashes(BinaryArray::from(bytes.clone()));
        assert_eq!(hashes(LargeBinaryArray::from(bytes.clone())), binary);
        assert_eq!(hashes(BinaryViewArray::from(bytes.clone())), binary);
        assert_eq!(hashes(FixedSizeBinaryArray::try_from_iter(bytes.into_iter()).unwrap()), binary);

        let integers = hashes(Int64Array::from(vec![5, -1]));
        assert_eq!(hashes(Int8Array::from(vec![5, -1])), integers);
        assert_eq!(hashes(UInt64Array::from(vec![5, u64::MAX]))[0], integers[0]);
        assert_ne!(hashes(UInt64Array::from(vec![u64::MAX]))[0], integers[1]);
        assert_ne!(hashes(Int64Array::from(vec![i64::MIN])), hashes(Int64Array::from(vec![i64::MAX])));

        assert_eq!(hashes(Float64Array::from(vec![-0.0, f64::NAN, 0.5])), hashes(Float32Array::from(vec![0.0, -f32::NAN, 0.5])));
        assert_eq!(hashes(Date32Array::from(vec![1])), hashes(Date64Array::from(vec![86_400_000])));
        assert_eq!(hashes(TimestampSecondArray::from(vec![i64::MAX, -1])).len(), 2);
        assert_eq!(
            hashes(TimestampSecondArray::from(vec![-2]).with_timezone("UTC")),
            hashes(TimestampMillisecondArray::from(vec![-2000]).with_timezone("UTC"))
        );
        assert_eq!(hashes(Time32SecondArray::from(vec![3])), hashes(Time64NanosecondArray::from(vec![3_000_000_000])));
        assert_ne!(hashes(DurationSecondArray::from(vec![3])), hashes(Time32SecondArray::from(vec![3])));
        assert_eq!(hashes(NullArray::new(1)), hashes(Int64Array::from(vec![None])));
        assert_eq!(hashes(BooleanArray::from(vec![true, false])).iter().collect::<HashSet<_>>().len(), 2);
    }

    #[test]
    fn columns_do_not_run_into_each_other() {
        let rows = |a: &str, b: &str| {
            let columns: [ArrayRef; 2] = [Arc::new(StringArray::from(vec![a])), Arc::new(StringArray::from(vec![b]))];
            content_hashes(&columns, &[1; 32]).unwrap()[0]
        };
        assert_ne!(rows("ab", "c"), rows("a", "bc"));
        assert_ne!(rows("", "a"), rows("a", ""));
        assert_ne!(hashes(StringArray::from(vec!["a"])), content_hashes(&[Arc::new(StringArray::from(vec!["a"]))], &[2; 32]).unwrap());
    }

    #[test]
    fn dictionaries_with_missing_values_and_without_values() {
        let dictionary = arrow::array::DictionaryArray::<arrow::datatypes::Int8Type>::new(
            Int8Array::from(vec![Some(0), Some(1), None]),
            Arc::new(StringArray::from(vec![Some("x"), None])),
        );
        let found = hashes(dictionary);
        assert_eq!(found, hashes(StringArray::from(vec![Some("x"), None, None])));
        let empty = arrow::array::DictionaryArray::<arrow::datatypes::Int8Type>::new(
            Int8Array::from(vec![None, None]),
            Arc::new(StringArray::from(Vec::<&str>::new())),
        );
        assert_eq!(hashes(empty), [found[1], found[1]]);
    }

    #[test]
    fn nothing_and_nested_types() {
        assert!(content_hashes(&[], &[0; 32]).unwrap().is_empty());
        assert!(hashes(StringArray::from(Vec::<&str>::new())).is_empty());
        let list = arrow::array::ListArray::from_iter_primitive::<arrow::datatypes::Int32Type, _, _>(vec![Some(vec![Some(1)])]);
        assert!(content_hashes(&[Arc::new(list)], &[0; 32]).is_err());
        let ragged: [ArrayRef; 2] = [Arc::new(Int8Array::from(vec![1])), Arc::new(Int8Array::from(vec![1, 2]))];
        assert!(content_hashes(&ragged, &[0; 32]).is_err());
    }
}
