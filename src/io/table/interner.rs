//! Distinct values of a column, numbered 0, 1, 2, … in order of first appearance.

use crate::error::{Error, Result};
use crate::pipeline::value_type;
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, FixedSizeBinaryArray, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Code of a missing value.
pub const NULL_CODE: u32 = u32::MAX;

/// Numbers the distinct values of a column.
///
/// Takes strings, binaries, integers, floats (−0 as 0 and every NaN as one, as [`visit_canonical`](crate::pipeline::visit_canonical) does), booleans, dates and timestamps in every Arrow representation; the values of a dictionary are looked up once a batch.
/// Missing values have the code [`NULL_CODE`]. Codes depend on the order in which values appear: nothing that leaves the house may depend on them.
#[derive(Debug)]
pub struct ColumnInterner {
    /// The column's type without dictionary encoding.
    data_type: DataType,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Bytes(Bytes),
    Words(Words),
}

impl ColumnInterner {
    /// For a column of `data_type`.
    ///
    /// # Errors
    /// Nested types are not supported.
    pub fn new(column: &str, data_type: &DataType) -> Result<Self> {
        let data_type = value_type(data_type).clone();
        let values =
            if data_type.is_primitive() && data_type.primitive_width().is_some_and(|width| width <= 8) || data_type == DataType::Boolean {
                Values::Words(Words::default())
            } else {
                match &data_type {
                    DataType::Utf8
                    | DataType::LargeUtf8
                    | DataType::Utf8View
                    | DataType::Binary
                    | DataType::LargeBinary
                    | DataType::BinaryView
                    | DataType::FixedSizeBinary(_) => Values::Bytes(Bytes::default()),
                    other => {
                        return Err(Error::column(
                            column,
                            format!("has the type {other}, which cannot be compared by value"),
                            "drop the column or cast it to text",
                        ));
                    }
                }
            };
        Ok(Self { data_type, values })
    }

    /// Type of the values.
    #[must_use]
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Number of distinct values so far; missing is not one of them.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Bytes(bytes) => bytes.len(),
            Values::Words(words) => words.distinct.len(),
        }
    }

    /// Whether no value was seen yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn memory(&self) -> usize {
        match &self.values {
            Values::Bytes(bytes) => bytes.data.capacity() + bytes.ends.capacity() * 4 + bytes.table.capacity() * 10,
            Values::Words(words) => words.distinct.capacity() * 8 + words.table.capacity() * 10,
        }
    }

    /// Codes of the values of `array`, appended to `codes`; new values get the next codes.
    ///
    /// # Errors
    /// The array has another type than the column, or the column has more than 2³² − 1 distinct values (or 4 GiB of them).
    pub fn extend(&mut self, array: &dyn Array, codes: &mut Vec<u32>) -> Result<()> {
        if let DataType::Dictionary(_, _) = array.data_type() {
            let dictionary = array.as_any_dictionary();
            if dictionary.values().is_empty() {
                codes.extend(std::iter::repeat_n(NULL_CODE, array.len()));
                return Ok(());
            }
            // A batch may carry a dictionary much larger than itself; then only the values in use are looked up.
            if dictionary.values().len() > array.len() {
                let plain = cast(array, &self.data_type).map_err(|e| Error::arrow("unpacking a dictionary", &e))?;
                return self.extend(plain.as_ref(), codes);
            }
            let mut of_values = Vec::with_capacity(dictionary.values().len());
            // Values that no row uses must not become values of the table.
            let used = used_values(dictionary.values().len(), &dictionary.normalized_keys(), array);
            let values = arrow::compute::filter(dictionary.values(), &BooleanArray::from(used.clone()))
                .map_err(|e| Error::arrow("compacting a dictionary", &e))?;
            let mut of_used = Vec::with_capacity(values.len());
            self.extend(values.as_ref(), &mut of_used)?;
            let mut next = of_used.into_iter();
            of_values.extend(used.iter().map(|&used| if used { next.next().unwrap_or(NULL_CODE) } else { NULL_CODE }));
            let keys = dictionary.normalized_keys();
            codes.extend(keys.iter().enumerate().map(|(row, &key)| if array.is_null(row) { NULL_CODE } else { of_values[key] }));
            return Ok(());
        }
        if array.data_type() != &self.data_type {
            return Err(Error::Arrow {
                context: "numbering the values of a column".to_owned(),
                kind: format!("expected {}, found {}", self.data_type, array.data_type()),
            });
        }
        codes.reserve(array.len());
        match &mut self.values {
            Values::Words(words) => words.extend(array, codes),
            Values::Bytes(bytes) => match &self.data_type {
                DataType::Utf8 => bytes.extend(array.as_string::<i32>().iter().map(|v| v.map(str::as_bytes)), codes),
                DataType::LargeUtf8 => bytes.extend(array.as_string::<i64>().iter().map(|v| v.map(str::as_bytes)), codes),
                DataType::Utf8View => bytes.extend(array.as_string_view().iter().map(|v| v.map(str::as_bytes)), codes),
                DataType::Binary => bytes.extend(array.as_binary::<i32>().iter(), codes),
                DataType::LargeBinary => bytes.extend(array.as_binary::<i64>().iter(), codes),
                DataType::BinaryView => bytes.extend(array.as_binary_view().iter(), codes),
                _ => bytes.extend(array.as_fixed_size_binary().iter(), codes),
            },
        }
    }

    /// The distinct values in the order of their codes. Large and view types come back as plain `Utf8` or `Binary`.
    ///
    /// # Errors
    /// The values do not fit one array.
    pub fn values(&self) -> Result<ArrayRef> {
        match &self.values {
            Values::Words(words) => words.to_array(&self.data_type),
            Values::Bytes(bytes) => bytes.to_array(&self.data_type),
        }
    }
}

fn used_values(length: usize, keys: &[usize], array: &dyn Array) -> Vec<bool> {
    let mut used = vec![false; length];
    for (row, &key) in keys.iter().enumerate() {
        if array.is_valid(row) {
            used[key] = true;
        }
    }
    used
}

/// Distinct byte strings in one buffer.
#[derive(Debug, Default)]
struct Bytes {
    data: Vec<u8>,
    ends: Vec<u32>,
    table: HashTable<(u32, u32)>,
    hasher: DefaultHashBuilder,
}

impl Bytes {
    fn len(&self) -> usize {
        self.ends.len()
    }

    /// Works in blocks, in three rounds: hash, look up, compare. Most of the time goes into waiting for memory, and in each round the waits overlap.
    fn extend<'a>(&mut self, mut values: impl Iterator<Item = Option<&'a [u8]>>, codes: &mut Vec<u32>) -> Result<()> {
        const BLOCK: usize = 64;
        let mut block: Vec<Option<&[u8]>> = Vec::with_capacity(BLOCK);
        let mut hashes = [0_u64; BLOCK];
        let mut candidates = [NULL_CODE; BLOCK];
        loop {
            block.clear();
            block.extend(values.by_ref().take(BLOCK));
            if block.is_empty() {
                return Ok(());
            }
            for (hash, value) in hashes.iter_mut().zip(&block) {
                *hash = value.map_or(0, |value| self.hasher.hash_one(value));
            }
            for ((candidate, &hash), value) in candidates.iter_mut().zip(&hashes).zip(&block) {
                let found = value.and_then(|_| self.table.find(hash, |&(other, _)| other == fingerprint(hash)));
                *candidate = found.map_or(NULL_CODE, |&(_, code)| code);
            }
            for ((&candidate, &hash), &value) in candidates.iter().zip(&hashes).zip(&block) {
                codes.push(match value {
                    None => NULL_CODE,
                    Some(value) if candidate != NULL_CODE && slice(&self.data, &self.ends, candidate) == value => candidate,
                    Some(value) => self.intern(value, hash)?,
                });
            }
        }
    }

    fn intern(&mut self, value: &[u8], hash: u64) -> Result<u32> {
        let (data, ends) = (&self.data, &self.ends);
        let found = self.table.find(hash, |&(other, code)| other == fingerprint(hash) && slice(data, ends, code) == value);
        if let Some(&(_, code)) = found {
            return Ok(code);
        }
        let code = next_code(self.ends.len())?;
        let end = u32::try_from(self.data.len() + value.len()).map_err(|_| too_many())?;
        self.data.extend_from_slice(value);
        self.ends.push(end);
        let (data, ends, hasher) = (&self.data, &self.ends, &self.hasher);
        self.table.insert_unique(hash, (fingerprint(hash), code), |&(_, code)| hasher.hash_one(slice(data, ends, code)));
        Ok(code)
    }

    fn to_array(&self, data_type: &DataType) -> Result<ArrayRef> {
        if let DataType::FixedSizeBinary(width) = data_type {
            return Ok(Arc::new(
                FixedSizeBinaryArray::try_new(*width, Buffer::from(self.data.clone()), None)
                    .map_err(|e| Error::arrow("collecting distinct values", &e))?,
            ));
        }
        let mut offsets = Vec::with_capacity(self.ends.len() + 1);
        offsets.push(0);
        for &end in &self.ends {
            offsets.push(i32::try_from(end).map_err(|_| too_many())?);
        }
        let (offsets, data) = (OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from(self.data.clone()));
        Ok(match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Arc::new(StringArray::try_new(offsets, data, None).map_err(|e| Error::arrow("collecting distinct values", &e))?)
            }
            _ => Arc::new(BinaryArray::try_new(offsets, data, None).map_err(|e| Error::arrow("collecting distinct values", &e))?),
        })
    }
}

/// Half of a hash, to tell most values apart without looking at them.
#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn fingerprint(hash: u64) -> u32 {
    hash as u32
}

fn slice<'a>(data: &'a [u8], ends: &[u32], code: u32) -> &'a [u8] {
    let code = code as usize;
    let start = if code == 0 { 0 } else { ends[code - 1] as usize };
    &data[start..ends[code] as usize]
}

/// Distinct values of at most eight bytes.
#[derive(Debug, Default)]
struct Words {
    distinct: Vec<u64>,
    table: HashTable<(u64, u32)>,
    hasher: DefaultHashBuilder,
}

impl Words {
    fn intern(&mut self, word: u64) -> Result<u32> {
        let hash = self.hasher.hash_one(word);
        if let Some(&(_, code)) = self.table.find(hash, |&(other, _)| other == word) {
            return Ok(code);
        }
        let code = next_code(self.distinct.len())?;
        self.distinct.push(word);
        let hasher = &self.hasher;
        self.table.insert_unique(hash, (word, code), |&(word, _)| hasher.hash_one(word));
        Ok(code)
    }

    fn extend(&mut self, array: &dyn Array, codes: &mut Vec<u32>) -> Result<()> {
        if let Some(array) = array.as_boolean_opt() {
            for value in array {
                codes.push(match value {
                    Some(value) => self.intern(u64::from(value))?,
                    None => NULL_CODE,
                });
            }
            return Ok(());
        }
        let data = array.to_data();
        let width = array.data_type().primitive_width().unwrap_or(8);
        let bytes = &data.buffers()[0].as_slice()[data.offset() * width..(data.offset() + data.len()) * width];
        // The last value is remembered: sorted and repetitive columns skip the table.
        let mut last: Option<(u64, u32)> = None;
        for (row, chunk) in bytes.chunks_exact(width).enumerate() {
            if array.is_null(row) {
                codes.push(NULL_CODE);
                continue;
            }
            let mut word = [0; 8];
            word[..width].copy_from_slice(chunk);
            let word = canonical_word(array.data_type(), u64::from_le_bytes(word));
            let code = match last {
                Some((known, code)) if known == word => code,
                _ => self.intern(word)?,
            };
            last = Some((word, code));
            codes.push(code);
        }
        Ok(())
    }

    fn to_array(&self, data_type: &DataType) -> Result<ArrayRef> {
        if data_type == &DataType::Boolean {
            return Ok(Arc::new(self.distinct.iter().map(|&word| Some(word != 0)).collect::<BooleanArray>()));
        }
        let width = data_type.primitive_width().unwrap_or(8);
        let mut bytes = Vec::with_capacity(self.distinct.len() * width);
        for word in &self.distinct {
            bytes.extend_from_slice(&word.to_le_bytes()[..width]);
        }
        let data = arrow::array::ArrayData::builder(data_type.clone())
            .len(self.distinct.len())
            .add_buffer(Buffer::from(bytes))
            .align_buffers(true)
            .build()
            .map_err(|e| Error::arrow("collecting distinct values", &e))?;
        Ok(arrow::array::make_array(data))
    }
}

/// The bits of a float without the sign of zero and the payload of NaN: both are a place to hide something, and would tell equal values apart. Other types are as they are.
pub(super) fn canonical_word(data_type: &DataType, word: u64) -> u64 {
    let (sign, infinity, nan) = match data_type {
        DataType::Float64 => (1 << 63, 0x7ff0_0000_0000_0000, 0x7ff8_0000_0000_0000),
        DataType::Float32 => (1 << 31, 0x7f80_0000, 0x7fc0_0000),
        DataType::Float16 => (1 << 15, 0x7c00, 0x7e00),
        _ => return word,
    };
    match word & !sign {
        0 => 0,
        size if size > infinity => nan,
        _ => word,
    }
}

fn next_code(length: usize) -> Result<u32> {
    u32::try_from(length).ok().filter(|&code| code != NULL_CODE).ok_or_else(too_many)
}

fn too_many() -> Error {
    Error::Arrow {
        context: "numbering the values of a column".to_owned(),
        kind: "more distinct values than a 32-bit code can name; drop or coarsen the column".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, Float64Array, Int32Array, Int64Array, StringViewArray, TimestampMillisecondArray, UInt8Array};
    use arrow::datatypes::Int32Type;

    fn codes(interner: &mut ColumnInterner, array: &dyn Array) -> Vec<u32> {
        let mut codes = Vec::new();
        interner.extend(array, &mut codes).unwrap();
        codes
    }

    #[test]
    fn strings_in_every_representation_share_codes() {
        let mut plain = ColumnInterner::new("c", &DataType::Utf8).unwrap();
        assert_eq!(codes(&mut plain, &StringArray::from(vec![Some("b"), None, Some("a"), Some("b"), Some("")])), [0, NULL_CODE, 1, 0, 2]);
        let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None, Some("c")].into_iter().collect();
        assert_eq!(codes(&mut plain, &dictionary), [1, NULL_CODE, 3]);
        assert_eq!(plain.values().unwrap().as_ref(), &StringArray::from(vec!["b", "a", "", "c"]) as &dyn Array);
        let mut view = ColumnInterner::new("c", &DataType::Utf8View).unwrap();
        assert_eq!(codes(&mut view, &StringViewArray::from(vec!["x", "a long string that is not inlined", "x"])), [0, 1, 0]);
    }

    #[test]
    fn unused_dictionary_values_do_not_become_values() {
        let dictionary = DictionaryArray::<Int32Type>::new(
            Int32Array::from(vec![2, 2, 2]),
            Arc::new(StringArray::from(vec!["secret", "other", "kept"])),
        );
        let mut interner = ColumnInterner::new("c", dictionary.data_type()).unwrap();
        assert_eq!(codes(&mut interner, &dictionary), [0, 0, 0]);
        assert_eq!(interner.len(), 1);
    }

    #[test]
    fn numbers_come_back_as_they_were() {
        let arrays: [ArrayRef; 5] = [
            Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(0), None, Some(i64::MAX), Some(0)])),
            Arc::new(Float64Array::from(vec![Some(f64::INFINITY), Some(0.5), None, Some(-1.0), Some(0.5)])),
            Arc::new(UInt8Array::from(vec![Some(255), Some(0), None, Some(1), Some(0)])),
            Arc::new(TimestampMillisecondArray::from(vec![Some(1), Some(2), None, Some(3), Some(2)]).with_timezone("UTC")),
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true), Some(false)])),
        ];
        for array in arrays {
            let mut interner = ColumnInterner::new("c", array.data_type()).unwrap();
            let sliced = array.slice(1, 4);
            let mut all = codes(&mut interner, sliced.as_ref());
            all.extend(codes(&mut interner, array.slice(0, 1).as_ref()));
            let values = interner.values().unwrap();
            let indices = all.iter().map(|&code| (code != NULL_CODE).then_some(code)).collect::<arrow::array::UInt32Array>();
            let back = arrow::compute::take(&values, &indices, None).unwrap();
            let expected = arrow::compute::concat(&[sliced.as_ref(), array.slice(0, 1).as_ref()]).unwrap();
            assert_eq!(&back, &expected);
        }
    }

    #[test]
    fn a_dictionary_without_values_has_missing_rows_only() {
        let none = DictionaryArray::<Int32Type>::new(Int32Array::from(vec![None, None]), Arc::new(StringArray::from(Vec::<&str>::new())));
        let mut interner = ColumnInterner::new("c", none.data_type()).unwrap();
        assert_eq!(codes(&mut interner, &none), [NULL_CODE; 2]);
        assert_eq!(codes(&mut interner, &none.slice(1, 0)), Vec::<u32>::new());
        assert!(interner.is_empty());
    }

    #[test]
    fn equal_floats_are_one_value() {
        let mut interner = ColumnInterner::new("c", &DataType::Float64).unwrap();
        let floats = Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN, f64::from_bits(0x7ff8_0000_0000_0001), -1.0]);
        assert_eq!(codes(&mut interner, &floats), [0, 0, 1, 1, 1, 2]);
    }
}
