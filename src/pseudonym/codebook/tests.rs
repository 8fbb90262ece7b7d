//! Codebooks: there and back, and every kind of damage.

use super::super::dense::DenseFit;
use super::*;
use crate::pipeline::{Fit, Kernel};
use arrow::array::{
    AsArray, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Float64Array,
    Int8Array, Int16Array, Int64Array, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{Int32Type, UInt64Type};

fn key(byte: u8) -> Key {
    Key::from_bytes([byte; 32])
}

fn numbers(array: &dyn Array, key: Key) -> Dense {
    let mut fit = DenseFit::new("c", key).keeping_values();
    fit.observe_array(array).unwrap();
    fit.finish().unwrap()
}

fn people(count: usize) -> StringArray {
    StringArray::from_iter_values((0..count).map(|i| format!("secret-{i}")))
}

/// A codebook of some people in a new folder.
fn written(count: usize) -> (tempfile::TempDir, PathBuf, Dense) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.codebook");
    let dense = numbers(&people(count), key(7));
    Codebook::write(&path, &dense, &key(7), &DataType::Utf8).unwrap();
    (folder, path, dense)
}

/// Arrays of every type that has values with a canonical encoding, each with a missing value.
fn samples() -> Vec<ArrayRef> {
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

#[test]
fn values_of_every_type_come_back_exactly() {
    let folder = tempfile::tempdir().unwrap();
    for (index, array) in samples().into_iter().enumerate() {
        let path = folder.path().join(format!("{index}.codebook"));
        let dense = numbers(array.as_ref(), key(7));
        Codebook::write(&path, &dense, &key(7), array.data_type()).unwrap();
        let codebook = Codebook::open(&path, &key(7)).unwrap();
        assert_eq!((codebook.original_type(), codebook.len()), (array.data_type(), dense.len() as u64));
        let back = codebook.reverse(crate::pipeline::apply_once(&dense, array.as_ref()).unwrap().as_ref(), None).unwrap();
        assert_eq!(back.data_type(), array.data_type());
        assert_eq!(back.logical_nulls(), array.logical_nulls(), "{}", array.data_type());
        let [mut expected, mut found] = [Vec::new(), Vec::new()];
        crate::pipeline::visit_canonical(array.as_ref(), |value| expected.push(value.map(<[u8]>::to_vec))).unwrap();
        crate::pipeline::visit_canonical(back.as_ref(), |value| found.push(value.map(<[u8]>::to_vec))).unwrap();
        assert_eq!(found, expected);
    }
}

#[test]
fn many_values_come_back_from_many_chunks() {
    let (_folder, path, dense) = written(10_000);
    let codebook = Codebook::open(&path, &key(7)).unwrap();
    assert_eq!((codebook.column(), codebook.len(), codebook.key_id()), ("c", 10_000, None));
    let all = people(10_000);
    let tokens = dense.apply(&all).unwrap();
    assert_eq!(codebook.reverse(tokens.as_ref(), None).unwrap().as_string::<i32>(), &all);
    // In any order, several times, in batches, of any integer type.
    let rows: Vec<usize> = (0..500).map(|i| (i * 7_919) % 10_000).collect();
    for batch in rows.chunks(60) {
        let some: Vec<Option<u64>> = batch.iter().map(|row| Some(tokens.as_primitive::<UInt64Type>().value(*row))).chain([None]).collect();
        let expected: StringArray = batch.iter().map(|row| Some(all.value(*row))).chain([None]).collect();
        let wide = UInt64Array::from(some);
        for data_type in
            [DataType::UInt64, DataType::Int64, DataType::Int16, DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Int32))]
        {
            let narrow = arrow::compute::cast(&wide, &data_type).unwrap();
            assert_eq!(codebook.reverse(narrow.as_ref(), None).unwrap().as_string::<i32>(), &expected);
        }
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let back = codebook.reverse(&wide, Some(&dictionary)).unwrap();
        assert_eq!(
            back.as_dictionary::<Int32Type>().downcast_dict::<StringArray>().unwrap().into_iter().collect::<Vec<_>>(),
            expected.iter().collect::<Vec<_>>()
        );
    }
}

#[test]
fn numbers_of_others_and_wrong_types_are_refused() {
    let (_folder, path, _) = written(10);
    let codebook = Codebook::open(&path, &key(7)).unwrap();
    let message = codebook.reverse(&Int64Array::from(vec![Some(3), None, Some(-1), Some(10)]), None).unwrap_err().to_string();
    assert!(message.contains("column c (2 rows, the first is row 3)"), "{message}");
    assert!(codebook.reverse(&StringArray::from(vec!["3"]), None).is_err());
    assert!(codebook.reverse(&Int16Array::from(vec![3]), Some(&DataType::Int64)).unwrap_err().to_string().contains("column c"));
    assert_eq!(codebook.reverse(&Int64Array::new_null(2), None).unwrap().null_count(), 2);
    assert_eq!(codebook.reverse(&Int64Array::from(Vec::<i64>::new()), None).unwrap().len(), 0);
}

#[test]
fn an_empty_codebook_is_one_too() {
    let (_folder, path, _) = written(0);
    let codebook = Codebook::open(&path, &key(7)).unwrap();
    assert!(codebook.is_empty() && codebook.reverse(&Int64Array::from(vec![0]), None).is_err());
}

#[test]
fn only_the_key_opens_it() {
    let (_folder, path, _) = written(10);
    assert!(matches!(Codebook::open(&path, &key(8)), Err(Error::Key { .. })));
    let sub = key(7).derive(&Domain::of("pseudonym"));
    assert!(matches!(Codebook::open(&path, &sub), Err(Error::Key { .. })));
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(7).any(|window| window == b"secret-"), "values are not in the clear");
    assert!(!format!("{:?}", Codebook::open(&path, &key(7)).unwrap()).contains("key"));
}

#[test]
fn absurd_lengths_and_pipes_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.codebook");
    // A file with holes is longer than the memory that reading its header would take.
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(&[TITLE, &0xf000_0000_u32.to_le_bytes()].concat()).unwrap();
    file.set_len(0xf000_1000).unwrap();
    let message = Codebook::open(&path, &key(7)).unwrap_err().to_string();
    assert!(message.contains("header"), "{message}");
    let message = Codebook::open(folder.path(), &key(7)).unwrap_err().to_string();
    assert!(message.contains("is not a file"), "{message}");
    // A header that could not be read again is not written.
    let mut fit = DenseFit::new("c".repeat(LONGEST_HEADER), key(7)).keeping_values();
    fit.observe_array(&people(3)).unwrap();
    let other = folder.path().join("other.codebook");
    assert!(Codebook::write(&other, &fit.finish().unwrap(), &key(7), &DataType::Utf8).is_err() && !other.exists());
}

#[test]
fn what_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.codebook");
    let dense = numbers(&people(3), key(7));
    assert!(matches!(Codebook::write(&path, &dense, &key(8), &DataType::Utf8), Err(Error::Key { .. })));
    assert!(Codebook::write(&path, &dense, &key(7), &DataType::Int64).unwrap_err().to_string().contains("column c"));
    let mut fit = DenseFit::new("c", key(7));
    fit.observe_array(&people(3)).unwrap();
    assert!(Codebook::write(&path, &fit.finish().unwrap(), &key(7), &DataType::Utf8).unwrap_err().to_string().contains("not kept"));
    let forgotten = Key::forgotten().unwrap();
    let dense_of_forgotten = numbers(&people(3), forgotten.duplicate());
    assert!(matches!(Codebook::write(&path, &dense_of_forgotten, &forgotten, &DataType::Utf8), Err(Error::Key { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    std::fs::write(&path, "mine").unwrap();
    assert!(Codebook::write(&path, &dense, &key(7), &DataType::Utf8).unwrap_err().to_string().contains("exists already"));
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path, _) = written(3);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// What opening the file of these bytes and turning back all numbers gives.
fn read(path: &Path, bytes: &[u8], values: u64) -> Result<ArrayRef> {
    std::fs::write(path, bytes).unwrap();
    Codebook::open(path, &key(7))?.reverse(&UInt64Array::from_iter_values(0..values), None)
}

#[test]
fn every_changed_byte_is_noticed() {
    let (_folder, path, _) = written(5);
    let bytes = std::fs::read(&path).unwrap();
    assert!(read(&path, &bytes, 5).is_ok());
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (place % 8);
        let error = read(&path, &changed, 5).unwrap_err();
        assert!(matches!(error, Error::Data { .. } | Error::Key { .. }) && !error.to_string().contains("secret"), "{place}: {error}");
    }
    for length in 0..bytes.len() {
        assert!(matches!(read(&path, &bytes[..length], 5), Err(Error::Data { .. })), "{length}");
    }
    assert!(read(&path, &[&bytes[..], b"\0"].concat(), 5).is_err());
}

/// Title and header with its tag, and the chunks with their lengths.
fn pieces(bytes: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let length = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut at = TITLE.len() + 4 + length(TITLE.len()) + OVERHEAD;
    let head = bytes[..at].to_vec();
    let mut chunks = Vec::new();
    while at < bytes.len() {
        let end = at + 4 + length(at);
        chunks.push(bytes[at..end].to_vec());
        at = end;
    }
    (head, chunks)
}

#[test]
fn chunks_cannot_be_left_out_swapped_or_taken_from_other_files() {
    let (_folder, path, _) = written(9_000);
    let (_other_folder, other_path, _) = written(9_000);
    let (head, chunks) = pieces(&std::fs::read(&path).unwrap());
    // The same values under the same key, and yet another file.
    let (other_head, others) = pieces(&std::fs::read(&other_path).unwrap());
    let all = |head: &[u8], chunks: [&Vec<u8>; 3]| read(&path, &[head, &chunks.map(Vec::as_slice).concat()].concat(), 9_000);
    assert_eq!(chunks.len(), 3);
    assert!(all(&head, [&chunks[0], &chunks[1], &chunks[2]]).is_ok());
    for order in [[1, 0, 2], [0, 2, 1], [0, 0, 2], [0, 1, 1]] {
        assert!(matches!(all(&head, order.map(|i| &chunks[i])), Err(Error::Data { .. })), "{order:?}");
    }
    assert!(all(&head, [&chunks[0], &others[1], &chunks[2]]).is_err());
    assert!(all(&other_head, [&chunks[0], &chunks[1], &chunks[2]]).is_err());
    // A chunk fewer: the header tells.
    assert!(read(&path, &[&head[..], &chunks[0], &chunks[1]].concat(), 9_000).is_err());
    assert!(read(&path, &[&head[..], &chunks[0], &chunks[2]].concat(), 9_000).is_err());
}
