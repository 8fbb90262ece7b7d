//! One column of one chunk, in as few bytes as its values need.

use super::interner::canonical_word;
use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use arrow::array::{Array, ArrayData, ArrayRef, AsArray, StringArray, make_array};
use arrow::buffer::{Buffer, MutableBuffer, NullBuffer, ScalarBuffer};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, UInt32Type};

/// Integers of one width. The largest value of the width stands for a missing one.
#[derive(Debug, Clone)]
pub(super) enum Integers {
    One(ScalarBuffer<u8>),
    Two(ScalarBuffer<u16>),
    Four(ScalarBuffer<u32>),
}

/// A column of a chunk.
#[derive(Debug, Clone)]
pub(super) enum Packed {
    /// Value = `base` + `unit` · integer.
    Scaled { integers: Integers, base: i64, unit: i64 },
    /// Numbers that need all of their eight bytes.
    Wide { numbers: ScalarBuffer<i64>, nulls: Option<NullBuffer> },
    /// Text with about as many distinct values as rows.
    Text(StringArray),
}

/// Applies an expression to the buffer inside an [`Integers`].
macro_rules! each_width {
    ($integers:expr, $buffer:ident => $body:expr) => {
        match $integers {
            Integers::One($buffer) => $body,
            Integers::Two($buffer) => $body,
            Integers::Four($buffer) => $body,
        }
    };
}

impl Integers {
    /// Packs values that are at most `largest` or missing.
    fn pack(values: impl Iterator<Item = Option<u32>>, largest: u32) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the widths were chosen by the largest value")]
        if largest < u32::from(u8::MAX) {
            Self::One(values.map(|v| v.map_or(u8::MAX, |v| v as u8)).collect::<Vec<_>>().into())
        } else if largest < u32::from(u16::MAX) {
            Self::Two(values.map(|v| v.map_or(u16::MAX, |v| v as u16)).collect::<Vec<_>>().into())
        } else {
            Self::Four(values.map(|v| v.unwrap_or(u32::MAX)).collect::<Vec<_>>().into())
        }
    }

    fn len(&self) -> usize {
        each_width!(self, buffer => buffer.len())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        each_width!(self, buffer => buffer.inner().as_slice())
    }

    pub(super) fn width(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Two(_) => 2,
            Self::Four(_) => 4,
        }
    }

    pub(super) fn from_bytes(bytes: Buffer, width: usize) -> Self {
        let length = bytes.len() / width;
        match width {
            1 => Self::One(ScalarBuffer::new(bytes, 0, length)),
            2 => Self::Two(ScalarBuffer::new(bytes, 0, length)),
            _ => Self::Four(ScalarBuffer::new(bytes, 0, length)),
        }
    }

    /// Appends the integers as 32-bit codes.
    pub(super) fn codes(&self, output: &mut Vec<u32>) {
        match self {
            Self::One(b) => output.extend(b.iter().map(|&v| if v == u8::MAX { NULL_CODE } else { u32::from(v) })),
            Self::Two(b) => output.extend(b.iter().map(|&v| if v == u16::MAX { NULL_CODE } else { u32::from(v) })),
            Self::Four(b) => output.extend_from_slice(b),
        }
    }

    fn gather(&self, positions: &[u32]) -> Self {
        match self {
            Self::One(b) => Self::One(positions.iter().map(|&p| b[p as usize]).collect::<Vec<_>>().into()),
            Self::Two(b) => Self::Two(positions.iter().map(|&p| b[p as usize]).collect::<Vec<_>>().into()),
            Self::Four(b) => Self::Four(positions.iter().map(|&p| b[p as usize]).collect::<Vec<_>>().into()),
        }
    }

    fn slice(&self, start: usize, length: usize) -> Self {
        match self {
            Self::One(b) => Self::One(b.slice(start, length)),
            Self::Two(b) => Self::Two(b.slice(start, length)),
            Self::Four(b) => Self::Four(b.slice(start, length)),
        }
    }
}

impl Packed {
    /// Packs codes.
    pub(super) fn of_codes(codes: &[u32]) -> Self {
        let largest = codes.iter().copied().filter(|&code| code != NULL_CODE).max().unwrap_or(0);
        let integers = Integers::pack(codes.iter().map(|&code| (code != NULL_CODE).then_some(code)), largest);
        Self::Scaled { integers, base: 0, unit: 1 }
    }

    /// Packs an array of numbers: the distance to the smallest, in the largest of a few units that divides all of them.
    pub(super) fn of_numbers(array: &dyn Array) -> Result<Self> {
        let numbers = to_words(array)?;
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        let present =
            || numbers.iter().enumerate().filter(|(row, _)| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row))).map(|(_, &v)| v);
        let (Some(smallest), Some(largest)) = (present().min(), present().max()) else {
            return Ok(Self::Scaled { integers: Integers::pack(numbers.iter().map(|_| None), 0), base: 0, unit: 1 });
        };
        let range = i128::from(largest) - i128::from(smallest);
        let unit = [86_400_000, 60_000, 1000]
            .into_iter()
            .find(|&unit| {
                range >= i128::from(unit) && present().all(|v| (v.wrapping_sub(smallest)) % unit == 0 && v.checked_sub(smallest).is_some())
            })
            .unwrap_or(1);
        match u32::try_from(range / i128::from(unit)) {
            Ok(steps) if steps < u32::MAX => {
                let step = |v: i64| u32::try_from((v - smallest) / unit).unwrap_or(u32::MAX);
                let integers = Integers::pack(
                    numbers.iter().enumerate().map(|(row, &v)| nulls.as_ref().is_none_or(|n| n.is_valid(row)).then(|| step(v))),
                    steps,
                );
                Ok(Self::Scaled { integers, base: smallest, unit })
            }
            _ => Ok(Self::Wide { numbers: numbers.into(), nulls }),
        }
    }

    /// Keeps an array of text as it is.
    pub(super) fn of_text(array: &dyn Array) -> Result<Self> {
        let text = cast(array, &DataType::Utf8).map_err(|e| Error::arrow("storing text", &e))?;
        Ok(Self::Text(text.as_string::<i32>().clone()))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Scaled { integers, .. } => integers.len(),
            Self::Wide { numbers, .. } => numbers.len(),
            Self::Text(text) => text.len(),
        }
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Scaled { integers, .. } => integers.bytes().len(),
            Self::Wide { numbers, .. } => numbers.len() * 8 + numbers.len() / 8,
            Self::Text(text) => text.get_buffer_memory_size(),
        }
    }

    /// The rows at `positions`.
    pub(super) fn gather(&self, positions: &[u32]) -> Result<Self> {
        Ok(match self {
            Self::Scaled { integers, base, unit } => Self::Scaled { integers: integers.gather(positions), base: *base, unit: *unit },
            Self::Wide { numbers, nulls } => Self::Wide {
                numbers: positions.iter().map(|&p| numbers[p as usize]).collect::<Vec<_>>().into(),
                nulls: nulls.as_ref().map(|nulls| positions.iter().map(|&p| nulls.is_valid(p as usize)).collect()),
            },
            Self::Text(text) => {
                let indices = arrow::array::PrimitiveArray::<UInt32Type>::from(positions.to_vec());
                let taken = take(text, &indices, None).map_err(|e| Error::arrow("gathering text", &e))?;
                Self::Text(taken.as_string::<i32>().clone())
            }
        })
    }

    /// The rows from `start` on.
    pub(super) fn slice(&self, start: usize, length: usize) -> Self {
        match self {
            Self::Scaled { integers, base, unit } => Self::Scaled { integers: integers.slice(start, length), base: *base, unit: *unit },
            Self::Wide { numbers, nulls } => {
                Self::Wide { numbers: numbers.slice(start, length), nulls: nulls.as_ref().map(|nulls| nulls.slice(start, length)) }
            }
            Self::Text(text) => Self::Text(text.slice(start, length)),
        }
    }

    /// Appends the codes of a coded column.
    pub(super) fn codes(&self, output: &mut Vec<u32>) {
        if let Self::Scaled { integers, .. } = self {
            integers.codes(output);
        }
    }

    /// The values of a column that is not coded, as an array of its own type.
    pub(super) fn to_array(&self, data_type: &DataType) -> Result<ArrayRef> {
        match self {
            Self::Text(text) => cast(text, data_type).map_err(|e| Error::arrow("restoring text", &e)),
            Self::Wide { numbers, nulls } => from_words(numbers, nulls.clone(), data_type),
            Self::Scaled { integers, base, unit } => {
                let mut codes = Vec::with_capacity(integers.len());
                integers.codes(&mut codes);
                let nulls = codes.contains(&NULL_CODE).then(|| codes.iter().map(|&code| code != NULL_CODE).collect());
                let words: Vec<i64> = codes.iter().map(|&code| if code == NULL_CODE { 0 } else { base + unit * i64::from(code) }).collect();
                from_words(&words, nulls, data_type)
            }
        }
    }
}

/// Values of at most eight bytes as signed words: signed types keep their value, others their bits. Floats lose the sign of zero and the payload of NaN.
fn to_words(array: &dyn Array) -> Result<Vec<i64>> {
    let mut words = plain_words(array)?;
    if array.data_type().is_floating() {
        for word in &mut words {
            *word = canonical_word(array.data_type(), word.cast_unsigned()).cast_signed();
        }
    }
    Ok(words)
}

fn plain_words(array: &dyn Array) -> Result<Vec<i64>> {
    let data = array.to_data();
    let Some(width) = data.data_type().primitive_width().filter(|&width| width <= 8) else {
        return Err(Error::Arrow { context: "storing numbers".to_owned(), kind: format!("{} is not a number", array.data_type()) });
    };
    let bytes = &data.buffers()[0].as_slice()[data.offset() * width..(data.offset() + data.len()) * width];
    Ok(match width {
        8 => bytes.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect(),
        4 if is_signed(array.data_type()) => bytes.as_chunks::<4>().0.iter().map(|b| i64::from(i32::from_le_bytes(*b))).collect(),
        4 => bytes.as_chunks::<4>().0.iter().map(|b| i64::from(u32::from_le_bytes(*b))).collect(),
        2 if is_signed(array.data_type()) => bytes.as_chunks::<2>().0.iter().map(|b| i64::from(i16::from_le_bytes(*b))).collect(),
        2 => bytes.as_chunks::<2>().0.iter().map(|b| i64::from(u16::from_le_bytes(*b))).collect(),
        _ if is_signed(array.data_type()) => bytes.iter().map(|&b| i64::from(b.cast_signed())).collect(),
        _ => bytes.iter().map(|&b| i64::from(b)).collect(),
    })
}

fn is_signed(data_type: &DataType) -> bool {
    data_type.is_signed_integer() || data_type.is_temporal()
}

fn from_words(words: &[i64], nulls: Option<NullBuffer>, data_type: &DataType) -> Result<ArrayRef> {
    let width = data_type.primitive_width().unwrap_or(8);
    let mut buffer = MutableBuffer::with_capacity(words.len() * width);
    if width == 8 {
        buffer.extend_from_slice(words);
    } else {
        for word in words {
            buffer.extend_from_slice(&word.to_le_bytes()[..width]);
        }
    }
    let data = ArrayData::builder(data_type.clone())
        .len(words.len())
        .add_buffer(buffer.into())
        .nulls(nulls)
        .build()
        .map_err(|e| Error::arrow("restoring numbers", &e))?;
    Ok(make_array(data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, Float32Array, Float64Array, Int8Array, Int64Array, TimestampMillisecondArray, UInt64Array};
    use std::sync::Arc;

    #[test]
    fn numbers_survive_packing() {
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX), Some(0)])),
            Arc::new(Int64Array::from(vec![Some(-5000), None, Some(5000), Some(0)])),
            Arc::new(Int64Array::from(vec![None, None, None, None])),
            Arc::new(Int64Array::from(vec![Some(254), Some(0), None, Some(255)])),
            Arc::new(Int64Array::from(vec![0, i64::from(u32::MAX), 0, 1])),
            Arc::new(Int64Array::from(vec![0, i64::from(u32::MAX) - 1, 0, 1])),
            Arc::new(UInt64Array::from(vec![u64::MAX, 0, 1, 2])),
            Arc::new(Int8Array::from(vec![-128, 127, 0, -1])),
            Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(0.0), None, Some(1.5)])),
            Arc::new(Float32Array::from(vec![Some(1.0), None, Some(f32::INFINITY), Some(-2.5)])),
            Arc::new(Date32Array::from(vec![-1, 0, 40_000, 3])),
            Arc::new(
                TimestampMillisecondArray::from(vec![1_700_000_000_000, 1_700_000_060_000, 1_600_000_000_000, 0]).with_timezone("UTC"),
            ),
        ];
        for array in arrays {
            let array = array.slice(1, 3);
            let packed = Packed::of_numbers(array.as_ref()).unwrap();
            assert_eq!(packed.len(), 3);
            let back = packed.to_array(array.data_type()).unwrap();
            assert_eq!(back.to_data().nulls().map_or(0, NullBuffer::null_count), array.null_count());
            assert_eq!(format!("{back:?}"), format!("{array:?}"));
            let chosen = packed.gather(&[2, 0]).unwrap().to_array(array.data_type()).unwrap();
            let expected = take(&array, &arrow::array::UInt32Array::from(vec![2, 0]), None).unwrap();
            assert_eq!(format!("{chosen:?}"), format!("{expected:?}"));
        }
    }

    #[test]
    fn whole_units_take_few_bytes() {
        let minutes = Int64Array::from_iter_values((0..200).map(|i| 1_700_000_000_000 + i * 60_000));
        assert_eq!(Packed::of_numbers(&minutes).unwrap().memory(), 200);
    }

    #[test]
    fn codes_survive_packing() {
        for largest in [0, 254, 255, 256, 65_534, 65_535, 65_536, NULL_CODE - 1] {
            let codes = vec![largest, NULL_CODE, 0];
            let mut back = Vec::new();
            Packed::of_codes(&codes).codes(&mut back);
            assert_eq!(back, codes);
        }
    }

    #[test]
    fn signs_of_zero_and_payloads_of_nan_are_not_kept() {
        let hidden = f64::from_bits(0x7ff8_dead_beef_cafe);
        let floats = Float64Array::from(vec![Some(-0.0), Some(hidden), None, Some(-f64::NAN), Some(-1.5), Some(f64::NEG_INFINITY)]);
        let back = Packed::of_numbers(&floats).unwrap().to_array(&DataType::Float64).unwrap();
        let bits: Vec<_> = back.as_primitive::<arrow::datatypes::Float64Type>().iter().map(|v| v.map(f64::to_bits)).collect();
        let nan = Some(0x7ff8_0000_0000_0000);
        assert_eq!(bits, [Some(0), nan, None, nan, Some((-1.5_f64).to_bits()), Some(f64::NEG_INFINITY.to_bits())]);
        let floats = Float32Array::from(vec![-0.0, f32::from_bits(0xffc0_1234), f32::MIN, -f32::INFINITY]);
        let back = Packed::of_numbers(&floats).unwrap().to_array(&DataType::Float32).unwrap();
        let bits: Vec<_> = back.as_primitive::<arrow::datatypes::Float32Type>().values().iter().map(|v| v.to_bits()).collect();
        assert_eq!(bits, [0, 0x7fc0_0000, f32::MIN.to_bits(), (-f32::INFINITY).to_bits()]);
    }
}
