//! A window that moves over a text.

use std::io::{self, Read};

const BYTES: usize = 1 << 17;

/// The bytes of a reader, a piece at a time.
#[derive(Debug)]
pub(super) struct Window<R> {
    reader: R,
    buffer: Vec<u8>,
    position: usize,
    filled: usize,
    /// Offset in the text of the buffer's first byte.
    before: u64,
}

impl<R: Read> Window<R> {
    /// For a reader whose next byte has this offset in the text.
    pub(super) fn new(reader: R, offset: u64) -> Self {
        Self { reader, buffer: Vec::new(), position: 0, filled: 0, before: offset }
    }

    /// Offset in the text of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.position as u64
    }

    /// The bytes that are there, at least one; empty only at the end of the text.
    pub(super) fn bytes(&mut self) -> io::Result<&[u8]> {
        if self.position >= self.filled {
            self.before += self.filled as u64;
            (self.position, self.filled) = (0, 0);
            self.buffer.resize(BYTES, 0);
            self.filled = loop {
                match self.reader.read(&mut self.buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => break result?,
                }
            };
        }
        Ok(self.buffer.get(self.position..self.filled).unwrap_or_default())
    }

    /// The next byte; `None` at the end of the text.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.bytes()?.first().copied())
    }

    /// Goes on by this many of the bytes that are there.
    pub(super) fn take(&mut self, bytes: usize) {
        self.position += bytes;
    }

    /// Leaves out the byte order mark of UTF-8. False if there is only a part of one.
    pub(super) fn skip_mark(&mut self) -> io::Result<bool> {
        for (index, expected) in b"\xEF\xBB\xBF".iter().enumerate() {
            if self.peek()? != Some(*expected) {
                return Ok(index == 0);
            }
            self.take(1);
        }
        Ok(true)
    }
}

/// Gives one byte at a time, so that every boundary is crossed.
#[cfg(test)]
pub(super) struct Dribble<'a>(pub(super) &'a [u8]);

#[cfg(test)]
impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.len().min(buffer.len()).min(1);
        let (now, rest) = self.0.split_at(length);
        buffer.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
        self.0 = rest;
        Ok(length)
    }
}
