//! Arrays made anew from what is visible in them.

use crate::error::{Error, Result};
use arrow::array::builder::{BooleanBufferBuilder, GenericByteBuilder, GenericByteViewBuilder};
use arrow::array::types::{ArrowDictionaryKeyType, ArrowPrimitiveType, ByteArrayType, ByteViewType};
use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, AsArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray, GenericByteArray,
    GenericByteViewArray, NullArray, PrimitiveArray, RecordBatch, RecordBatchOptions, UInt64Array, downcast_integer, downcast_primitive,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{self as t, ArrowNativeType, DataType, Field, Schema, SchemaRef};
use std::collections::HashMap;
use std::sync::Arc;

/// Keys of schema and field metadata that a rebuilt batch may keep. None yet.
pub const KEPT_METADATA: &[&str] = &[];

/// Room beyond the values that an allocation may have and still be passed on: builders round up to it.
const PADDING: usize = 64;

/// The same batch, in buffers that hold what is visible in it and nothing else.
///
/// Arrow arrays carry more than they show: values of a dictionary that no row uses, bytes under nulls, rows outside a slice, texts that no
/// view points to, metadata. Writers copy much of that into files. Here
/// * dictionaries keep the values in use, in the order of their first use;
/// * slots under nulls are zero, texts under nulls empty;
/// * slices are copied, offsets begin at 0, views get buffers of their own;
/// * metadata that [`KEPT_METADATA`] does not name is dropped.
///
/// Types, names, nullability and values stay the same. A buffer that holds exactly its array's values is shared, not copied.
///
/// # Guarantee
/// Every byte that an Arrow or Parquet writer can reach from the result is a function of the visible values and the schema's names and types.
///
/// # Errors
/// A column is nested (list, struct, map, union), run-end encoded, or a dictionary of dictionaries.
///
/// # Examples
/// ```
/// use arrow::array::{Array, AsArray, DictionaryArray, RecordBatch, types::Int32Type};
/// use std::sync::Arc;
///
/// let all: DictionaryArray<Int32Type> = ["alice", "bob"].into_iter().collect();
/// let batch = RecordBatch::try_from_iter([("user", Arc::new(all) as _)])?.slice(1, 1);
/// let rebuilt = backmask::io::rebuild(&batch)?;
/// let values = rebuilt.column(0).as_dictionary::<Int32Type>().values().clone();
/// assert_eq!(values.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("bob")]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn rebuild(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = rebuilt_schema(batch.schema_ref());
    let columns: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(array, field)| rebuild_array(array).ok_or_else(|| refuse(field)))
        .collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, columns, &options).map_err(|e| Error::arrow("rebuilding a batch", &e))
}

fn refuse(field: &Field) -> Error {
    Error::column(field.name(), format!("its type {} cannot be written", field.data_type()), "flatten the column first, or leave it out")
}

/// The schema of rebuilt batches: the same names, types and nullability, and only allowed metadata.
pub(super) fn rebuilt_schema(schema: &SchemaRef) -> SchemaRef {
    let kept = |metadata: &HashMap<String, String>| -> HashMap<String, String> {
        metadata.iter().filter(|(key, _)| KEPT_METADATA.contains(&key.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    if schema.metadata().is_empty() && schema.fields().iter().all(|field| field.metadata().is_empty()) {
        return Arc::clone(schema);
    }
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), field.data_type().clone(), field.is_nullable()).with_metadata(kept(field.metadata())))
        .collect();
    Arc::new(Schema::new_with_metadata(fields, kept(schema.metadata())))
}

/// `None` for a type that is refused.
pub(super) fn rebuild_array(array: &ArrayRef) -> Option<ArrayRef> {
    macro_rules! primitive {
        ($t:ty) => {
            Some(Arc::new(rebuild_primitive(array.as_primitive::<$t>())))
        };
    }
    macro_rules! dictionary {
        ($t:ty) => {
            rebuild_dictionary(array.as_dictionary::<$t>())
        };
    }
    downcast_primitive! {
        array.data_type() => (primitive),
        DataType::Null => Some(Arc::new(NullArray::new(array.len()))),
        DataType::Boolean => Some(Arc::new(rebuild_boolean(array.as_boolean()))),
        DataType::Utf8 => Some(Arc::new(rebuild_bytes(array.as_bytes::<t::Utf8Type>()))),
        DataType::LargeUtf8 => Some(Arc::new(rebuild_bytes(array.as_bytes::<t::LargeUtf8Type>()))),
        DataType::Binary => Some(Arc::new(rebuild_bytes(array.as_bytes::<t::BinaryType>()))),
        DataType::LargeBinary => Some(Arc::new(rebuild_bytes(array.as_bytes::<t::LargeBinaryType>()))),
        DataType::Utf8View => Some(Arc::new(rebuild_views(array.as_byte_view::<t::StringViewType>()))),
        DataType::BinaryView => Some(Arc::new(rebuild_views(array.as_byte_view::<t::BinaryViewType>()))),
        DataType::FixedSizeBinary(_) => rebuild_fixed(array.as_fixed_size_binary()),
        DataType::Dictionary(keys, values) if !matches!(values.as_ref(), DataType::Dictionary(_, _)) => downcast_integer! {
            keys.as_ref() => (dictionary),
            _ => None,
        },
        _ => None,
    }
}

/// Bits from position 0, zero after the last.
fn rebuild_bits(bits: &BooleanBuffer) -> BooleanBuffer {
    let aligned = bits.sliced();
    let mut bytes = aligned.as_slice().get(..bits.len().div_ceil(8)).unwrap_or_default().to_vec();
    if let (Some(last), rest @ 1..) = (bytes.last_mut(), bits.len() % 8) {
        *last &= (1u8 << rest) - 1;
    }
    BooleanBuffer::new(Buffer::from_vec(bytes), 0, bits.len())
}

fn rebuild_nulls(nulls: Option<&NullBuffer>) -> Option<NullBuffer> {
    nulls.filter(|nulls| nulls.null_count() > 0).map(|nulls| NullBuffer::new(rebuild_bits(nulls.inner())))
}

/// Whether the allocation behind `buffer` holds nothing but it.
fn is_exact(buffer: &Buffer) -> bool {
    buffer.ptr_offset() == 0 && buffer.capacity() < buffer.len().saturating_add(PADDING)
}

fn rebuild_primitive<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> PrimitiveArray<T> {
    let nulls = rebuild_nulls(array.nulls());
    let values: ScalarBuffer<T::Native> = match &nulls {
        None if is_exact(array.values().inner()) => array.values().clone(),
        None => array.values().to_vec().into(),
        Some(nulls) => array.values().iter().zip(nulls).map(|(&value, valid)| if valid { value } else { T::Native::ZERO }).collect(),
    };
    PrimitiveArray::<T>::new(values, nulls).with_data_type(array.data_type().clone())
}

fn rebuild_boolean(array: &BooleanArray) -> BooleanArray {
    let values = match array.nulls() {
        None => rebuild_bits(array.values()),
        Some(nulls) => rebuild_bits(&(array.values() & nulls.inner())),
    };
    BooleanArray::new(values, rebuild_nulls(array.nulls()))
}

fn rebuild_bytes<T: ByteArrayType>(array: &GenericByteArray<T>) -> GenericByteArray<T> {
    let nulls = rebuild_nulls(array.nulls());
    let offsets = array.value_offsets();
    let lengths = offsets.iter().zip(offsets.iter().skip(1));
    if nulls.as_ref().is_some_and(|nulls| lengths.zip(nulls).any(|((start, end), valid)| !valid && start != end)) {
        let mut builder = GenericByteBuilder::<T>::with_capacity(array.len(), array.value_data().len());
        array.iter().for_each(|value| builder.append_option(value));
        return builder.finish();
    }
    let first = offsets.first().copied().unwrap_or_default();
    let last = offsets.last().copied().unwrap_or_default().as_usize();
    let whole = first.as_usize() == 0 && last == array.value_data().len() && is_exact(array.values());
    if whole && is_exact(array.offsets().inner().inner()) && array.nulls().is_none() {
        return array.clone();
    }
    let values = if whole {
        array.values().clone()
    } else {
        Buffer::from_vec(array.value_data().get(first.as_usize()..last).unwrap_or_default().to_vec())
    };
    let offsets = OffsetBuffer::new(offsets.iter().map(|&offset| offset - first).collect());
    GenericByteArray::new(offsets, values, nulls)
}

fn rebuild_views<T: ByteViewType>(array: &GenericByteViewArray<T>) -> GenericByteViewArray<T> {
    let mut builder = GenericByteViewBuilder::<T>::with_capacity(array.len());
    array.iter().for_each(|value| builder.append_option(value));
    builder.finish()
}

fn rebuild_fixed(array: &FixedSizeBinaryArray) -> Option<ArrayRef> {
    let size = usize::try_from(array.value_length()).ok().filter(|&size| size > 0)?;
    let mut bytes = Vec::with_capacity(array.len().saturating_mul(size));
    for value in array {
        match value {
            Some(value) => bytes.extend_from_slice(value),
            None => bytes.resize(bytes.len() + size, 0),
        }
    }
    let rebuilt = FixedSizeBinaryArray::try_new(array.value_length(), Buffer::from_vec(bytes), rebuild_nulls(array.nulls()));
    rebuilt.ok().map(|array| Arc::new(array) as ArrayRef)
}

fn rebuild_dictionary<K: ArrowDictionaryKeyType>(array: &DictionaryArray<K>) -> Option<ArrayRef> {
    let values = array.values();
    let mut positions: Vec<Option<K::Native>> = vec![None; values.len()];
    let mut used: Vec<u64> = Vec::new();
    let mut keys: Vec<K::Native> = Vec::with_capacity(array.len());
    let mut valid = BooleanBufferBuilder::new(array.len());
    for key in array.keys() {
        let index = key.map(ArrowNativeType::as_usize).filter(|&index| values.is_valid(index));
        valid.append(index.is_some());
        let Some(index) = index else {
            keys.push(K::Native::default());
            continue;
        };
        let position = positions.get_mut(index)?;
        if position.is_none() {
            *position = Some(K::Native::from_usize(used.len())?);
            used.push(index as u64);
        }
        keys.extend(*position);
    }
    let nulls = Some(NullBuffer::new(valid.finish())).filter(|nulls| nulls.null_count() > 0);
    let values = rebuild_array(&take(values, &UInt64Array::from(used), None).ok()?)?;
    let rebuilt = DictionaryArray::try_new(PrimitiveArray::<K>::new(keys.into(), nulls), values);
    rebuilt.ok().map(|array| Arc::new(array) as ArrayRef)
}
