//! Columns of texts and bytes of any representation.

use super::hashed::too_many;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, GenericStringArray, LargeBinaryArray, OffsetSizeTrait};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use std::sync::Arc;

/// A function from rows to their values.
pub(super) type ValueOfRow<'a, T> = Box<dyn Fn(usize) -> &'a T + 'a>;

/// The texts of a plain array; `None` for another type.
pub(super) fn texts(array: &dyn Array) -> Option<ValueOfRow<'_, str>> {
    Some(match array.data_type() {
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            Box::new(|row| array.value(row))
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            Box::new(|row| array.value(row))
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            Box::new(|row| array.value(row))
        }
        _ => return None,
    })
}

/// The bytes of a plain array; `None` for another type.
pub(super) fn bytes(array: &dyn Array) -> Option<ValueOfRow<'_, [u8]>> {
    Some(match array.data_type() {
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            Box::new(|row| array.value(row))
        }
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            Box::new(|row| array.value(row))
        }
        DataType::BinaryView => {
            let array = array.as_binary_view();
            Box::new(|row| array.value(row))
        }
        DataType::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary();
            Box::new(|row| array.value(row))
        }
        _ => return None,
    })
}

/// A column of texts from their bytes and the end of every row.
pub(super) fn text_column(data_type: &DataType, bytes: Vec<u8>, ends: &[usize], present: Option<NullBuffer>) -> Result<ArrayRef> {
    Ok(match data_type {
        DataType::LargeUtf8 => Arc::new(strings::<i64>(bytes, ends, present)?),
        DataType::Utf8View => {
            cast(&strings::<i64>(bytes, ends, present)?, &DataType::Utf8View).map_err(|e| Error::arrow("writing text", &e))?
        }
        _ => Arc::new(strings::<i32>(bytes, ends, present)?),
    })
}

fn strings<O: OffsetSizeTrait>(bytes: Vec<u8>, ends: &[usize], present: Option<NullBuffer>) -> Result<GenericStringArray<O>> {
    GenericStringArray::<O>::try_new(offsets(ends)?, Buffer::from_vec(bytes), present).map_err(|e| Error::arrow("writing text", &e))
}

/// A column of bytes from their ends.
pub(super) fn bytes_column(data_type: &DataType, bytes: Vec<u8>, ends: &[usize], present: Option<NullBuffer>) -> Result<ArrayRef> {
    let failed = |e| Error::arrow("writing bytes", &e);
    let bytes = Buffer::from_vec(bytes);
    Ok(match data_type {
        DataType::Binary => Arc::new(BinaryArray::try_new(offsets(ends)?, bytes, present).map_err(failed)?),
        other => cast(&LargeBinaryArray::try_new(offsets(ends)?, bytes, present).map_err(failed)?, other).map_err(failed)?,
    })
}

fn offsets<O: OffsetSizeTrait>(ends: &[usize]) -> Result<OffsetBuffer<O>> {
    // The ends rise: if the last fits, all do.
    if ends.last().is_some_and(|&end| O::from_usize(end).is_none()) {
        return Err(too_many());
    }
    let offsets: Vec<O> = std::iter::once(0).chain(ends.iter().copied()).map(O::usize_as).collect();
    Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
}
