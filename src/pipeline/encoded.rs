//! Functions of one value on arrays that stay encoded.

use super::Kernel;
use super::kernel::unpack;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, UInt64Array, downcast_dictionary_array};
use arrow::compute::take;
use arrow::datatypes::{ArrowDictionaryKeyType, ArrowNativeType, DataType};

/// Applies `kernel` to any array, and leaves a dictionary a dictionary: the keys are kept, and each value that a row uses is worked once. Other arrays are worked by the kernel.
///
/// A value that no row uses becomes missing: what was made from it would tell of rows that are not there. Equal values at two places of the dictionary are worked twice.
///
/// ```
/// use backmask::arrow::array::{Array, AsArray, DictionaryArray, types::Int32Type};
/// use backmask::pipeline::apply_encoded;
/// use backmask::{keys::Key, policy::PseudonymMethod, pseudonym::Pseudonymizer};
///
/// let tokens = Pseudonymizer::new(PseudonymMethod::Blake3, Key::from_bytes([7; 32]))?;
/// let column: DictionaryArray<Int32Type> = ["ann", "bob", "ann"].into_iter().collect();
/// let encoded = apply_encoded(&tokens, &column)?;
/// let encoded = encoded.as_dictionary::<Int32Type>();
/// assert_eq!((encoded.keys(), encoded.values().len()), (column.keys(), 2));
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// Those of the kernel, counted in rows. A value that only an unused place of the dictionary holds is no error.
pub fn apply_encoded(kernel: &dyn Kernel, array: &dyn Array) -> Result<ArrayRef> {
    let Some(dictionary) = array.as_any_dictionary_opt() else { return kernel.apply(array) };
    let values = dictionary.values();
    let worked = match used_places(array, values.len()) {
        None => kernel.apply(values.as_ref()),
        Some(used) => apply_to(kernel, values.as_ref(), &used),
    };
    match worked {
        Ok(worked) => Ok(dictionary.with_values(worked)),
        // The rows are what the error must count.
        Err(error) => Err(kernel.apply(unpack(array)?.as_ref()).err().unwrap_or(error)),
    }
}

/// The type that [`apply_encoded`] returns.
pub(super) fn encoded_type(kernel: &dyn Kernel, input: &DataType) -> Result<DataType> {
    Ok(match input {
        DataType::Dictionary(keys, values) => DataType::Dictionary(keys.clone(), Box::new(kernel.output_type(values)?)),
        other => kernel.output_type(other)?,
    })
}

/// Works the values at the places in use and puts them where they were.
fn apply_to(kernel: &dyn Kernel, values: &dyn Array, used: &[bool]) -> Result<ArrayRef> {
    let places = UInt64Array::from_iter_values((0..).zip(used).filter(|(_, used)| **used).map(|(place, _)| place));
    let gather =
        |values: &dyn Array, places: &UInt64Array| take(values, places, None).map_err(|e| Error::arrow("gathering dictionary values", &e));
    let worked = kernel.apply(gather(values, &places)?.as_ref())?;
    let mut next = 0;
    let back: UInt64Array = used
        .iter()
        .map(|used| {
            used.then(|| {
                next += 1;
                next - 1
            })
        })
        .collect();
    gather(worked.as_ref(), &back)
}

/// Which places of a dictionary the rows use; `None` if all.
fn used_places(array: &dyn Array, places: usize) -> Option<Vec<bool>> {
    downcast_dictionary_array!(
        array => used_in(array, places),
        _ => None
    )
}

/// Rows looked at before it is asked whether all places have been seen.
const STRIDE: usize = 1 << 16;

fn used_in<K: ArrowDictionaryKeyType>(array: &DictionaryArray<K>, places: usize) -> Option<Vec<bool>> {
    let keys = array.keys();
    let mut used = vec![false; places];
    if keys.null_count() > 0 {
        // Under a missing key anything may stand.
        keys.iter().flatten().for_each(|key| mark(&mut used, key));
    } else {
        for keys in keys.values().chunks(STRIDE) {
            for &key in keys {
                mark(&mut used, key);
            }
            if used.iter().all(|used| *used) {
                return None;
            }
        }
    }
    (!used.iter().all(|used| *used)).then_some(used)
}

#[inline]
fn mark(used: &mut [bool], key: impl ArrowNativeType) {
    if let Some(used) = used.get_mut(key.as_usize()) {
        *used = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::pipeline::{MapColumn, Transform, UNNAMED, apply_once};
    use arrow::array::{Int8Array, Int64Array, RecordBatch, StringArray};
    use arrow::datatypes::{Int8Type, Int64Type, UInt16Type};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// The length of a text; texts with `!` are refused. Counts the values it sees.
    #[derive(Debug, Default)]
    struct Length(AtomicUsize);

    impl Kernel for Length {
        fn output_type(&self, _: &DataType) -> Result<DataType> {
            Ok(DataType::Int64)
        }
        fn apply(&self, array: &dyn Array) -> Result<ArrayRef> {
            let array = array.as_string::<i32>();
            self.0.fetch_add(array.len(), Ordering::Relaxed);
            let bad = array.iter().flatten().filter(|value| value.contains('!')).count();
            if bad > 0 {
                return Err(Error::rows(UNNAMED, bad as u64, "has a mark", "drop it"));
            }
            Ok(Arc::new(array.iter().map(|value| value.map(|value| i64::try_from(value.len()).unwrap())).collect::<Int64Array>()))
        }
    }

    fn dictionary(keys: Vec<Option<i8>>, values: Vec<Option<&str>>) -> DictionaryArray<Int8Type> {
        DictionaryArray::new(Int8Array::from(keys), Arc::new(StringArray::from(values)))
    }

    fn unpacked(array: &dyn Array) -> Vec<Option<i64>> {
        unpack(array).unwrap().as_primitive::<Int64Type>().iter().collect()
    }

    #[test]
    fn keys_stay_and_only_used_values_are_worked() {
        let cases = [
            (dictionary(vec![Some(0), Some(1), None, Some(0)], vec![Some("a"), Some("bc")]), 2),
            (dictionary(vec![Some(3), None, Some(1)], vec![Some("!"), None, Some("!!"), Some("abcd"), Some("!")]), 2),
            (dictionary(vec![None, None], vec![Some("!")]), 0),
            (dictionary(vec![], vec![Some("!")]), 0),
            (dictionary(vec![], vec![]), 0),
        ];
        for (array, worked) in cases {
            let kernel = Length::default();
            let encoded = apply_encoded(&kernel, &array).unwrap();
            assert_eq!(kernel.0.load(Ordering::Relaxed), worked);
            assert_eq!(encoded.as_dictionary::<Int8Type>().keys(), array.keys());
            assert_eq!(unpacked(&encoded), unpacked(&apply_once(&kernel, &array).unwrap()));
            encoded.to_data().validate_full().unwrap();
        }
    }

    #[test]
    fn slices_and_missing_keys_with_values_beneath() {
        let array = dictionary(vec![Some(0), Some(1), Some(0), Some(2)], vec![Some("!"), Some("bc"), Some("d")]);
        assert_eq!(unpacked(&apply_encoded(&Length::default(), &array.slice(1, 1)).unwrap()), [Some(2)]);
        // Key 0 stands under the missing row.
        let keys = Int8Array::new(vec![0, 1].into(), Some(vec![false, true].into()));
        let array = DictionaryArray::new(keys, Arc::clone(array.values()));
        assert_eq!(unpacked(&apply_encoded(&Length::default(), &array).unwrap()), [None, Some(2)]);
    }

    #[test]
    fn errors_count_rows_and_not_values() {
        let array = dictionary(vec![Some(0), Some(1), Some(0), None], vec![Some("!"), Some("b"), Some("!unused")]);
        let message = apply_encoded(&Length::default(), &array).unwrap_err().to_string();
        assert!(message.contains("(2 rows)"), "{message}");
    }

    #[test]
    fn columns_say_which_type_they_will_have() {
        let long: DictionaryArray<UInt16Type> = (0..70_000).map(|row| ["a", "bc", "def"][row % 3]).collect();
        let batch =
            RecordBatch::try_from_iter([("x", Arc::new(long) as ArrayRef), ("y", Arc::new(StringArray::from(vec!["z"; 70_000])) as _)])
                .unwrap();
        for column in ["x", "y"] {
            let kept = MapColumn::new(column, Arc::new(Length::default())).keeping_dictionaries();
            let output = kept.apply(&batch).unwrap();
            assert_eq!(output.schema(), kept.output_schema(batch.schema_ref()).unwrap());
            let plain = MapColumn::new(column, Arc::new(Length::default())).apply(&batch).unwrap();
            assert_eq!(unpacked(&output[column]), unpacked(&plain[column]));
        }
        let kept = MapColumn::new("x", Arc::new(Length::default())).keeping_dictionaries().output_schema(batch.schema_ref()).unwrap();
        assert_eq!(kept.field(0).data_type(), &DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Int64)));
    }
}
