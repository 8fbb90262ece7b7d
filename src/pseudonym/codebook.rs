//! The way back from dense numbers.

mod format;

use super::dense::Dense;
use super::restore::{Canonical, restore};
use super::siv::{OVERHEAD, Siv};
use crate::error::{Error, Result};
use crate::keys::{Domain, Key, KeyOrigin, sync_folder};
use crate::pipeline::{map_canonical, name_column};
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use format::{Header, LONGEST_HEADER, TITLE, chunk_count, padded};
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// Values sealed together.
const VALUES_PER_CHUNK: u32 = 4096;
/// So many bytes of opened chunks are kept for the next batch.
const CACHE_BYTES: usize = 32 << 20;

/// An encrypted file that holds the values of a column in the order of their [dense numbers](super::DenseFit): the only way back from these.
///
/// It is opened with the key that the numbers were made with, and read in pieces: values are decrypted where they are asked for, 4,096 at a time, and 32 MiB of them are kept at most.
///
/// ```
/// use backmask::arrow::array::{StringArray, UInt64Array, cast::AsArray};
/// use backmask::{keys::Key, pipeline::{Fit, Kernel}, pseudonym::{Codebook, DenseFit}};
///
/// let key = || Key::from_bytes([7; 32]);
/// let people = StringArray::from(vec!["ann", "bob", "eve"]);
/// let mut fit = DenseFit::new("subject_id", key()).keeping_values();
/// fit.observe_array(&people)?;
/// let numbers = fit.finish()?;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("subject_id.codebook");
/// Codebook::write(&path, &numbers, &key(), &backmask::arrow::datatypes::DataType::Utf8)?;
/// let codebook = Codebook::open(&path, &key())?;
/// assert_eq!(codebook.reverse(numbers.apply(&people)?.as_ref(), None)?.as_string::<i32>(), &people);
/// assert!(Codebook::open(&path, &Key::from_bytes([8; 32])).is_err());
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Security
/// Header and values are sealed with AES-256-SIV under subkeys of `key`. A file that was cut, extended, put together from pieces of others or changed in any bit is refused, at the latest when
/// a value in the changed piece is asked for; no value of such a piece is returned. The header (column, number of values, type) and the lengths of chunks can be read without the key.
/// Who has the file *and* the key knows everybody: keep them apart.
///
/// # References
/// RFC 5297 (AES-SIV). Pieces bound to their place, and a mark on the last one: V. T. Hoang, R. Reyhanitabar, P. Rogaway, D. Vizár, "Online authenticated-encryption and its nonce-reuse
/// misuse-resistance", CRYPTO 2015 (the construction STREAM).
pub struct Codebook {
    path: PathBuf,
    header: Header,
    original: DataType,
    /// The header as it is in the file.
    head: Vec<u8>,
    key: Zeroizing<[u8; 64]>,
    /// Where each sealed chunk begins, and where the last ends.
    places: Vec<u64>,
    open: Mutex<Opened>,
}

/// The file and the chunks opened last.
struct Opened {
    file: File,
    chunks: VecDeque<(u64, Arc<Chunk>)>,
    bytes: usize,
}

/// Canonical encodings.
struct Chunk {
    bytes: Zeroizing<Vec<u8>>,
    /// Where each encoding begins and ends.
    ranges: Vec<(usize, usize)>,
}

impl fmt::Debug for Codebook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codebook")
            .field("path", &self.path)
            .field("column", &self.header.column)
            .field("values", &self.header.values)
            .finish_non_exhaustive()
    }
}

/// The keys that authenticate and encrypt.
fn siv_key(key: &Key) -> Zeroizing<[u8; 64]> {
    let mut both = Zeroizing::new([0; 64]);
    let (authentication, encryption) = both.split_at_mut(32);
    authentication.copy_from_slice(key.derive(&Domain::of("codebook authentication")).expose());
    encryption.copy_from_slice(key.derive(&Domain::of("codebook encryption")).expose());
    both
}

/// Tells keys apart without showing them.
fn key_check(key: &Key) -> String {
    let check = key.derive(&Domain::of("codebook check"));
    format!("{:016x}", check.expose().first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
}

/// The cipher of a chunk, or of the header (which has no chunk).
fn cipher(key: &[u8; 64], head: &[u8], chunk: Option<u64>, chunks: u64) -> Siv {
    match chunk {
        None => Siv::new(key, &[TITLE, head]),
        Some(chunk) => Siv::new(key, &[TITLE, head, &chunk.to_le_bytes(), &[u8::from(chunk + 1 == chunks)]]),
    }
}

impl Codebook {
    /// Writes the codebook of `numbers` for a column of the type `original`. `key` is the one given to [`DenseFit::new`](super::DenseFit::new), which must have kept the values.
    ///
    /// # Errors
    /// The values were not kept or do not fit the type; the key is another one, or one that nobody will have again; the file exists or cannot be written.
    ///
    /// # Guarantee
    /// An existing file is never changed. When this returns, the file is on the disk, readable by its owner only (Unix); when it fails, there is none.
    pub fn write(path: impl AsRef<Path>, numbers: &Dense, key: &Key, original: &DataType) -> Result<()> {
        let path = path.as_ref();
        if *key.origin() == KeyOrigin::Forgotten {
            return Err(Error::Key {
                problem: "a codebook under a forgotten key could never be opened".to_owned(),
                remedy: "use a key file, or write no codebook".to_owned(),
            });
        }
        if !numbers.is_of(key) {
            return Err(other_key("is not the one that the numbers were made with"));
        }
        let values = numbers.values().ok_or_else(|| {
            Error::column(
                numbers.column(),
                "its values were not kept, so there is no way back from its numbers",
                "fit it with keeping_values",
            )
        })?;
        let header = Header::new(numbers.column(), numbers.len() as u64, key, key_check(key), original)?;
        let head = header.to_bytes()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(|e| Error::io(path, e))?;
        let mut file = BufWriter::new(temporary.as_file_mut());
        let key = siv_key(key);
        let chunks = chunk_count(header.values, header.values_per_chunk);
        let mut write = |bytes: &[u8]| file.write_all(bytes).map_err(|e| Error::io(path, e));
        let mut sealed = Vec::new();
        cipher(&key, &head, None, chunks).seal(&[], &mut sealed);
        write(TITLE)?;
        write(&padded(head.len())?)?;
        write(&head)?;
        write(&sealed)?;
        let mut values = values.iter();
        for chunk in 0..chunks {
            let own: Vec<&[u8]> = values.by_ref().take(VALUES_PER_CHUNK as usize).collect();
            let mut encodings = Canonical::with_capacity(own.len());
            for value in &own {
                encodings.push(value);
            }
            restore(&encodings, Some(original), 0).map_err(|e| name_column(e, numbers.column()))?;
            let mut plain = Zeroizing::new(Vec::with_capacity(own.iter().map(|value| value.len() + 4).sum()));
            for value in own {
                plain.extend_from_slice(&padded(value.len())?);
                plain.extend_from_slice(value);
            }
            sealed.clear();
            cipher(&key, &head, Some(chunk), chunks).seal(&plain, &mut sealed);
            write(&padded(sealed.len())?)?;
            write(&sealed)?;
        }
        file.flush().map_err(|e| Error::io(path, e))?;
        drop(file);
        temporary.as_file().sync_all().map_err(|e| Error::io(path, e))?;
        temporary.persist_noclobber(path).map_err(|e| match e.error.kind() {
            ErrorKind::AlreadyExists => Error::data(
                path.display().to_string(),
                None,
                "the file exists already",
                "choose another name; a codebook is never overwritten",
            ),
            _ => Error::io(path, e.error),
        })?;
        sync_folder(path).map_err(|e| Error::io(path, e))
    }

    /// Opens a codebook with the key that the numbers were made with.
    ///
    /// # Errors
    /// [`Error::Key`] if it was made with another key; [`Error::Data`] if it is no whole, unaltered codebook of version 1; [`Error::Io`] if it cannot be read.
    pub fn open(path: impl AsRef<Path>, key: &Key) -> Result<Self> {
        let path = path.as_ref();
        // Opening a pipe would wait for its other end.
        if !std::fs::metadata(path).map_err(|e| Error::io(path, e))?.is_file() {
            return Err(damaged(path, "is not a file"));
        }
        let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
        let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
        let mut reader = Reader { path, file: BufReader::new(&mut file), left: length };
        if reader.take(TITLE.len())? != TITLE {
            return Err(damaged(path, "is no codebook of version 1"));
        }
        let head_length = reader.take_length()?;
        if head_length > LONGEST_HEADER {
            return Err(damaged(path, "has a header that cannot be read"));
        }
        let head = reader.take(head_length)?;
        let tag = reader.take(OVERHEAD)?;
        let header = Header::from_bytes(&head).ok_or_else(|| damaged(path, "has a header that cannot be read"))?;
        if header.key_check != key_check(key) {
            return Err(other_key("is not the one that the codebook was made with"));
        }
        let siv = siv_key(key);
        let chunks = chunk_count(header.values, header.values_per_chunk);
        if !cipher(&siv, &head, None, chunks).open(&tag, &mut Vec::new()) {
            return Err(damaged(path, "has a header that was altered"));
        }
        let original: DataType = header.original.parse().map_err(|_| damaged(path, "names an unknown type"))?;
        let mut places = vec![length - reader.left];
        for _ in 0..chunks {
            let sealed = reader.take_length()?;
            reader.skip(sealed)?;
            places.push(length - reader.left);
        }
        if reader.left > 0 {
            return Err(damaged(path, "goes on after its end"));
        }
        drop(reader);
        let open = Mutex::new(Opened { file, chunks: VecDeque::new(), bytes: 0 });
        Ok(Self { path: path.to_owned(), header, original, head, key: siv, places, open })
    }

    /// The column whose values it holds.
    #[must_use]
    pub fn column(&self) -> &str {
        &self.header.column
    }

    /// How many values it holds; their numbers are 0 to one less.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.header.values
    }

    /// Whether it holds no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.header.values == 0
    }

    /// The type that the column had.
    #[must_use]
    pub fn original_type(&self) -> &DataType {
        &self.original
    }

    /// The id of the key file that opens it, if there was one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.key_id.as_deref()
    }

    /// The values that numbers (integers of any width, or a dictionary of them) stand for, of the type `original` or else of that which the column had. A missing number stays missing.
    ///
    /// Whole columns are turned back fastest in large batches: of each batch, every chunk is opened once.
    ///
    /// # Errors
    /// A number is none of this codebook's, the array does not hold integers, a value does not fit the type, or the file was altered; then no value is returned.
    pub fn reverse(&self, numbers: &dyn Array, original: Option<&DataType>) -> Result<ArrayRef> {
        const MISSING: u64 = u64::MAX;
        const NO_NUMBER: u64 = u64::MAX - 1;
        let number = |encoding: &[u8]| match encoding.split_first() {
            Some((3, payload)) => payload.try_into().ok().map(i128::from_le_bytes).and_then(|number| u64::try_from(number).ok()),
            _ => None,
        };
        let known = |number: &u64| *number < self.header.values;
        let numbers = map_canonical(numbers, MISSING, |encoding| number(encoding).filter(known).unwrap_or(NO_NUMBER))
            .map_err(|e| name_column(e, self.column()))?;
        if let Some(first) = numbers.iter().position(|number| *number == NO_NUMBER) {
            let count = numbers.iter().filter(|number| **number == NO_NUMBER).count() as u64;
            let problem = "holds what is no number of this codebook";
            return Err(Error::rows(self.column(), count, problem, "take the codebook of this release, product and column").first_at(first));
        }
        // Rows in the order of their numbers, so that every chunk is opened once.
        let mut order: Vec<usize> = (0..numbers.len()).filter(|row| numbers.get(*row).is_some_and(|number| *number != MISSING)).collect();
        order.sort_unstable_by_key(|row| numbers.get(*row).copied());
        let mut bytes: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::new());
        let mut ranges: Vec<Option<(usize, usize)>> = vec![None; numbers.len()];
        let mut current: Option<(u64, Arc<Chunk>)> = None;
        for row in order {
            let number = numbers.get(row).copied().unwrap_or_default();
            let (place, within) = (number / self.header.values_per_chunk, number % self.header.values_per_chunk);
            let chunk = match &current {
                Some((open, chunk)) if *open == place => chunk,
                _ => &current.insert((place, self.chunk(place)?)).1,
            };
            let range = usize::try_from(within).ok().and_then(|within| chunk.ranges.get(within)).copied();
            let encoding =
                range.and_then(|(start, end)| chunk.bytes.get(start..end)).ok_or_else(|| damaged(&self.path, "lacks a value"))?;
            let start = bytes.len();
            bytes.extend_from_slice(encoding);
            if let Some(range) = ranges.get_mut(row) {
                *range = Some((start, bytes.len()));
            }
        }
        let mut encodings = Canonical::with_capacity(numbers.len());
        for range in ranges {
            encodings.push(range.and_then(|(start, end)| bytes.get(start..end)).unwrap_or_default());
        }
        restore(&encodings, Some(original.unwrap_or(&self.original)), 0).map_err(|e| name_column(e, self.column()))
    }

    /// Opens a chunk, or takes it from those opened last.
    fn chunk(&self, place: u64) -> Result<Arc<Chunk>> {
        // A thread that panicked left the file somewhere and the chunks whole.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, chunk)) = open.chunks.iter().find(|(known, _)| *known == place) {
            return Ok(Arc::clone(chunk));
        }
        let altered = || damaged(&self.path, &format!("was altered in chunk {place} (from 0)"));
        let index = usize::try_from(place).map_err(|_| altered())?;
        let (Some(start), Some(end)) = (self.places.get(index), self.places.get(index + 1)) else { return Err(altered()) };
        // Before a sealed chunk stands its length.
        let (start, length) = (start + 4, usize::try_from(end - start - 4).map_err(|_| altered())?);
        let mut sealed = vec![0; length];
        let read = open.file.seek(SeekFrom::Start(start)).and_then(|_| open.file.read_exact(&mut sealed));
        read.map_err(|e| Error::io(&self.path, e))?;
        let chunks = chunk_count(self.header.values, self.header.values_per_chunk);
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        if !cipher(&self.key, &self.head, Some(place), chunks).open(&sealed, &mut bytes) {
            return Err(altered());
        }
        let mut ranges = Vec::new();
        let mut at = 0;
        while let Some(prefix) = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>) {
            let end = at + 4 + u32::from_le_bytes(*prefix) as usize;
            ranges.push((at + 4, end));
            at = end;
        }
        let chunk = Arc::new(Chunk { bytes, ranges });
        open.bytes += chunk.bytes.len();
        open.chunks.push_back((place, Arc::clone(&chunk)));
        while open.bytes > CACHE_BYTES
            && let Some((_, oldest)) = open.chunks.pop_front()
        {
            open.bytes -= oldest.bytes.len();
        }
        Ok(chunk)
    }
}

/// Reads from the beginning, and never more than there is.
struct Reader<'a> {
    path: &'a Path,
    file: BufReader<&'a mut File>,
    left: u64,
}

impl Reader<'_> {
    fn spend(&mut self, count: usize) -> Result<()> {
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| damaged(self.path, "is cut"))?;
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>> {
        self.spend(count)?;
        let mut bytes = vec![0; count];
        self.file.read_exact(&mut bytes).map_err(|e| Error::io(self.path, e))?;
        Ok(bytes)
    }

    fn take_length(&mut self) -> Result<usize> {
        let bytes = self.take(4)?;
        Ok(bytes.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize))
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        self.spend(count)?;
        self.file.seek_relative(i64::try_from(count).unwrap_or(i64::MAX)).map_err(|e| Error::io(self.path, e))
    }
}

fn damaged(path: &Path, problem: &str) -> Error {
    Error::data(path.display().to_string(), None, format!("the codebook {problem}"), "take the file as it was written, from a copy")
}

fn other_key(problem: &str) -> Error {
    Error::Key {
        problem: format!("it {problem}"),
        remedy: "take the key file of this pool, and name the recipient, release, product, scope and column of the numbers".to_owned(),
    }
}

#[cfg(test)]
mod tests;
