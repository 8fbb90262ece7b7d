//! Canonical encodings by row, without a closure call or a copy for each representation.

use crate::error::Result;
use crate::pipeline::{CanonicalKind, visit_canonical};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

/// The values of a plain array.
pub(super) trait Values {
    /// The canonical encoding of a row that is not missing. `buffer` is scratch space that every call may overwrite.
    fn encode<'a>(&'a self, row: usize, buffer: &'a mut Vec<u8>) -> &'a [u8];

    /// A number that equal values share and different ones rarely.
    fn fingerprint(&self, row: usize) -> u64;

    /// Whether two rows hold the same value.
    fn same(&self, left: usize, right: usize) -> bool;
}

/// What is done with the values, for each kind of them compiled anew.
pub(super) trait Visitor {
    type Output;
    fn visit<V: Values>(self, values: &V) -> Self::Output;
}

/// Hands the values of an array that is no dictionary to `visitor`.
///
/// # Errors
/// The type has no canonical encoding.
pub(super) fn visit<W: Visitor>(array: &dyn Array, visitor: W) -> Result<W::Output> {
    macro_rules! slices {
        ($tag:expr, $array:expr) => {{
            let array = $array;
            Ok(visitor.visit(&Slices { tag: $tag, value: |row| AsRef::<[u8]>::as_ref(array.value(row)) }))
        }};
    }
    macro_rules! integers {
        ($type:ty) => {{
            let values = array.as_primitive::<$type>().values();
            Ok(visitor.visit(&Integers { value: |row: usize| <$type as ArrowPrimitiveType>::Native::into(values[row]) }))
        }};
    }
    match array.data_type() {
        DataType::Utf8 => slices!(CanonicalKind::Text, array.as_string::<i32>()),
        DataType::LargeUtf8 => slices!(CanonicalKind::Text, array.as_string::<i64>()),
        DataType::Utf8View => slices!(CanonicalKind::Text, array.as_string_view()),
        DataType::Binary => slices!(CanonicalKind::Bytes, array.as_binary::<i32>()),
        DataType::LargeBinary => slices!(CanonicalKind::Bytes, array.as_binary::<i64>()),
        DataType::BinaryView => slices!(CanonicalKind::Bytes, array.as_binary_view()),
        DataType::FixedSizeBinary(_) => slices!(CanonicalKind::Bytes, array.as_fixed_size_binary()),
        DataType::Int8 => integers!(Int8Type),
        DataType::Int16 => integers!(Int16Type),
        DataType::Int32 => integers!(Int32Type),
        DataType::Int64 => integers!(Int64Type),
        DataType::UInt8 => integers!(UInt8Type),
        DataType::UInt16 => integers!(UInt16Type),
        DataType::UInt32 => integers!(UInt32Type),
        DataType::UInt64 => integers!(UInt64Type),
        DataType::Decimal128(_, 0) => integers!(Decimal128Type),
        _ => Ok(visitor.visit(&Encodings::new(array)?)),
    }
}

/// Text or bytes.
struct Slices<F> {
    tag: CanonicalKind,
    value: F,
}

impl<'v, F: Fn(usize) -> &'v [u8]> Values for Slices<F> {
    #[inline]
    fn encode<'a>(&'a self, row: usize, buffer: &'a mut Vec<u8>) -> &'a [u8] {
        buffer.clear();
        buffer.push(self.tag as u8);
        buffer.extend_from_slice((self.value)(row));
        buffer
    }

    #[inline]
    fn fingerprint(&self, row: usize) -> u64 {
        fingerprint((self.value)(row))
    }

    #[inline]
    fn same(&self, left: usize, right: usize) -> bool {
        (self.value)(left) == (self.value)(right)
    }
}

/// Integers of any width.
struct Integers<F> {
    value: F,
}

impl<F: Fn(usize) -> i128> Values for Integers<F> {
    #[inline]
    fn encode<'a>(&'a self, row: usize, buffer: &'a mut Vec<u8>) -> &'a [u8] {
        buffer.clear();
        buffer.push(CanonicalKind::Integer as u8);
        buffer.extend_from_slice(&(self.value)(row).to_le_bytes());
        buffer
    }

    #[inline]
    fn fingerprint(&self, row: usize) -> u64 {
        let [low, high] = halves((self.value)(row));
        mix(low, high)
    }

    #[inline]
    fn same(&self, left: usize, right: usize) -> bool {
        (self.value)(left) == (self.value)(right)
    }
}

/// Encodings one after the other in one buffer, for all other kinds.
#[derive(Default)]
pub(super) struct Encodings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Encodings {
    /// The encodings of an array; nothing for a missing value.
    pub(super) fn new(array: &dyn Array) -> Result<Self> {
        let mut encodings = Self::default();
        visit_canonical(array, |value| encodings.push([value.unwrap_or_default()]))?;
        Ok(encodings)
    }

    /// Adds a row that consists of `parts`.
    pub(super) fn push<const N: usize>(&mut self, parts: [&[u8]; N]) {
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.ends.push(self.bytes.len());
    }

    pub(super) fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }
}

impl Values for Encodings {
    #[inline]
    fn encode<'a>(&'a self, row: usize, _: &'a mut Vec<u8>) -> &'a [u8] {
        self.get(row)
    }

    #[inline]
    fn fingerprint(&self, row: usize) -> u64 {
        fingerprint(self.get(row))
    }

    #[inline]
    fn same(&self, left: usize, right: usize) -> bool {
        self.get(left) == self.get(right)
    }
}

/// Which rows hold a value; `None` if all do. A key of a dictionary that points at a missing value is a missing value.
pub(super) fn present(array: &dyn Array) -> Option<NullBuffer> {
    array.logical_nulls().filter(|nulls| nulls.null_count() > 0)
}

/// Of long values the beginning, the middle and the end count.
#[inline]
fn fingerprint(value: &[u8]) -> u64 {
    let length = value.len();
    let word = |at: usize| value[at..].first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    if length >= 8 {
        mix(word(0) ^ word(length / 2 - 4).rotate_left(29), word(length - 8) ^ length as u64)
    } else {
        mix(value.iter().fold(0, |word, &byte| (word << 8) | u64::from(byte)), length as u64)
    }
}

/// Spreads two words over 64 bits. Who chooses values that collide here makes the work slower, not wrong.
#[inline]
fn mix(left: u64, right: u64) -> u64 {
    let product = u128::from(left ^ 0x9e37_79b9_7f4a_7c15) * u128::from(right ^ 0xd1b5_4a32_d192_ed03);
    let [low, high] = halves(product.cast_signed());
    low ^ high
}

/// The low and the high 64 bits.
#[inline]
fn halves(word: i128) -> [u64; 2] {
    let bytes = word.to_le_bytes();
    let (words, _) = bytes.as_chunks::<8>();
    [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])]
}

/// An array without its dictionary.
pub(super) fn plain(array: &dyn Array) -> Result<ArrayRef> {
    crate::pipeline::unpack(array)
}
