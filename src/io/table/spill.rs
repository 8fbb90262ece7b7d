//! Chunks in memory, or in an unnamed temporary file when memory is short.

use super::packed::{Integers, Packed};
use crate::error::{Error, Result};
use arrow::array::{Array, StringArray};
use arrow::buffer::{Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A file without a name: the system frees it when the process ends, however it ends. It holds codes and numbers, and text only of
/// columns with about as many distinct values as rows.
#[derive(Debug)]
pub(super) struct SpillFile {
    file: Mutex<File>,
    folder: PathBuf,
}

impl SpillFile {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).map_err(|e| Error::io(folder, e))?;
        Ok(Self { file: Mutex::new(file), folder: folder.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends bytes and says where they begin.
    fn append(&self, bytes: &[u8]) -> Result<u64> {
        let mut file = self.lock();
        let start = file.seek(SeekFrom::End(0)).map_err(|e| Error::io(&self.folder, e))?;
        file.write_all(bytes).map_err(|e| Error::io(&self.folder, e))?;
        Ok(start)
    }

    fn read(&self, start: u64, length: usize) -> Result<Buffer> {
        let mut buffer = MutableBuffer::from_len_zeroed(length);
        let mut file = self.lock();
        file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(buffer.as_slice_mut())).map_err(|e| Error::io(&self.folder, e))?;
        Ok(buffer.into())
    }
}

/// A column of a chunk, wherever it is.
#[derive(Debug)]
pub(super) enum Stored {
    Memory(Packed),
    Scaled { start: u64, width: usize, base: i64, unit: i64 },
    Wide { start: u64, nulls: Option<NullBuffer> },
    Text { offsets: u64, data: u64, nulls: Option<NullBuffer> },
}

impl Stored {
    /// Moves the column to the file.
    pub(super) fn spill(&mut self, file: &SpillFile) -> Result<()> {
        let Self::Memory(packed) = self else { return Ok(()) };
        *self = match packed {
            Packed::Scaled { integers, base, unit } => {
                Self::Scaled { start: file.append(integers.bytes())?, width: integers.width(), base: *base, unit: *unit }
            }
            Packed::Wide { numbers, nulls } => Self::Wide { start: file.append(numbers.inner().as_slice())?, nulls: nulls.clone() },
            Packed::Text(text) => {
                let base = text.value_offsets().first().copied().unwrap_or(0);
                let offsets: Vec<i32> = text.value_offsets().iter().map(|offset| offset - base).collect();
                let end = text.value_offsets().last().copied().unwrap_or(0);
                let offsets_start = file.append(ScalarBuffer::from(offsets).inner().as_slice())?;
                #[expect(clippy::cast_sign_loss, reason = "Arrow offsets are not negative")]
                let data = file.append(&text.value_data()[base as usize..end as usize])?;
                Self::Text { offsets: offsets_start, data, nulls: text.nulls().cloned() }
            }
        };
        Ok(())
    }

    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Memory(packed) => packed.memory(),
            _ => 0,
        }
    }

    /// Rows `start..start + length` of the column.
    pub(super) fn load(&self, file: Option<&SpillFile>, start: usize, length: usize) -> Result<Packed> {
        let spilled =
            || file.ok_or_else(|| Error::Arrow { context: "reading a spilled column".to_owned(), kind: "the file is gone".to_owned() });
        Ok(match self {
            Self::Memory(packed) if start == 0 && length == packed.len() => packed.clone(),
            Self::Memory(packed) => packed.slice(start, length),
            Self::Scaled { start: at, width, base, unit, .. } => {
                let bytes = spilled()?.read(at + (start * width) as u64, length * width)?;
                Packed::Scaled { integers: Integers::from_bytes(bytes, *width), base: *base, unit: *unit }
            }
            Self::Wide { start: at, nulls, .. } => {
                let bytes = spilled()?.read(at + (start * 8) as u64, length * 8)?;
                Packed::Wide { numbers: ScalarBuffer::new(bytes, 0, length), nulls: nulls.as_ref().map(|nulls| nulls.slice(start, length)) }
            }
            Self::Text { offsets, data, nulls, .. } => {
                let file = spilled()?;
                let bytes = file.read(offsets + (start * 4) as u64, (length + 1) * 4)?;
                let absolute: ScalarBuffer<i32> = ScalarBuffer::new(bytes, 0, length + 1);
                let (first, last) = (absolute[0], absolute[length]);
                #[expect(clippy::cast_sign_loss, reason = "Arrow offsets are not negative")]
                let text = file.read(data + first as u64, (last - first) as usize)?;
                let relative: Vec<i32> = absolute.iter().map(|offset| offset - first).collect();
                let nulls = nulls.as_ref().map(|nulls| nulls.slice(start, length));
                Packed::Text(
                    StringArray::try_new(OffsetBuffer::new(relative.into()), text, nulls)
                        .map_err(|e| Error::arrow("reading spilled text", &e))?,
                )
            }
        })
    }
}
