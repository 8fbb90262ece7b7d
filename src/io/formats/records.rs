//! Records of separated text.

use std::io::{self, Read};

const BUFFER: usize = 1 << 17;
/// A record longer than this is a mistake, most likely a quote that never closes.
const RECORD_BYTES: usize = 1 << 24;

/// How a separated text is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dialect {
    /// Bytes of the separator; empty for a text of one column.
    pub(super) delimiter: Vec<u8>,
    /// Whether a field that begins with `"` ends at the next single `"` (RFC 4180), or quotes are characters like others.
    pub(super) quoting: bool,
}

/// Why a record cannot be read.
#[derive(Debug)]
pub(super) enum Flaw {
    Io(io::Error),
    /// The text ends inside a quoted field.
    OpenQuote,
    /// A quoted field is followed by something else than a separator.
    AfterQuote,
    TooLong,
}

/// One record: its fields without quotes.
#[derive(Debug, Default)]
pub(super) struct Record {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Record {
    pub(super) fn fields(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let field = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            field
        })
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn end_field(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Bytes of the field that is not ended yet.
    fn open_field(&self) -> &[u8] {
        self.bytes.get(self.ends.last().copied().unwrap_or(0)..).unwrap_or_default()
    }
}

/// Reads records one after the other. Lines end with `\n` or `\r\n`; lines without any character are no records.
#[derive(Debug)]
pub(super) struct Records<R> {
    reader: R,
    dialect: Dialect,
    buffer: Vec<u8>,
    position: usize,
    /// Bytes before the buffer.
    before: u64,
    /// Number of the line that the next byte belongs to, from 1.
    line: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    FieldStart,
    Plain,
    Quoted,
    /// After a closing quote and this many bytes of the separator.
    Closed(usize),
    /// After a closing quote and `\r`.
    ClosedReturn,
}

impl<R: Read> Records<R> {
    pub(super) fn new(reader: R, dialect: Dialect) -> Self {
        Self::resume(reader, dialect, 0, 1)
    }

    /// For a reader that was set to a record's beginning, at this offset and line of the text.
    pub(super) fn resume(reader: R, dialect: Dialect, offset: u64, line: u64) -> Self {
        Self { reader, dialect, buffer: Vec::new(), position: 0, before: offset, line }
    }

    /// Offset in the text of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.position as u64
    }

    /// Line of the next byte, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Leaves out the byte order mark of UTF-8, if the text begins with it.
    pub(super) fn skip_mark(&mut self) -> Result<(), Flaw> {
        while self.buffer.len() < 3 {
            let had = self.buffer.len();
            let mut more = [0; 3];
            let read = read_some(&mut self.reader, more.get_mut(had..).unwrap_or_default())?;
            if read == 0 {
                break;
            }
            self.buffer.extend_from_slice(more.get(had..had + read).unwrap_or_default());
        }
        if self.buffer.starts_with(b"\xEF\xBB\xBF") {
            self.position = 3;
        }
        Ok(())
    }

    /// The bytes that are there; empty at the end of the text.
    fn available(&mut self) -> Result<&[u8], Flaw> {
        if self.position >= self.buffer.len() {
            self.before += self.buffer.len() as u64;
            self.position = 0;
            self.buffer.resize(BUFFER, 0);
            let result = read_some(&mut self.reader, &mut self.buffer);
            self.buffer.truncate(*result.as_ref().unwrap_or(&0));
            result?;
        }
        Ok(self.buffer.get(self.position..).unwrap_or_default())
    }

    /// Reads the next record; false at the end of the text.
    pub(super) fn read(&mut self, record: &mut Record) -> Result<bool, Flaw> {
        loop {
            if !self.read_line(record)? {
                return Ok(false);
            }
            if !record.ends.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Reads a record; it has no fields if its line was empty. False at the end of the text.
    fn read_line(&mut self, record: &mut Record) -> Result<bool, Flaw> {
        record.clear();
        let mut at = At::FieldStart;
        loop {
            if record.bytes.len() > RECORD_BYTES {
                return Err(Flaw::TooLong);
            }
            let quoting = self.dialect.quoting;
            let last = self.dialect.delimiter.last().copied();
            let bytes = self.available()?;
            let Some(&byte) = bytes.first() else {
                return match at {
                    At::FieldStart if record.ends.is_empty() => Ok(false),
                    At::Quoted => Err(Flaw::OpenQuote),
                    At::Closed(1..) => Err(Flaw::AfterQuote),
                    _ => {
                        if at == At::Plain && record.open_field().ends_with(b"\r") {
                            record.bytes.pop();
                        }
                        if record.ends.is_empty() && record.bytes.is_empty() && at == At::Plain {
                            return Ok(false);
                        }
                        record.end_field();
                        Ok(true)
                    }
                };
            };
            match at {
                At::FieldStart if quoting && byte == b'"' => {
                    at = At::Quoted;
                    self.position += 1;
                }
                At::FieldStart | At::Plain => {
                    let length = bytes.iter().take_while(|&&byte| byte != b'\n' && Some(byte) != last).count();
                    record.bytes.extend_from_slice(bytes.get(..length).unwrap_or_default());
                    let stop = bytes.get(length).copied();
                    self.position += length;
                    if at == At::FieldStart && (length > 0 || stop.is_some()) {
                        at = At::Plain;
                    }
                    match stop {
                        None => {}
                        Some(b'\n') => {
                            self.position += 1;
                            self.line += 1;
                            if record.open_field().ends_with(b"\r") {
                                record.bytes.pop();
                            }
                            if !(record.ends.is_empty() && record.bytes.is_empty()) {
                                record.end_field();
                            }
                            return Ok(true);
                        }
                        Some(byte) => {
                            self.position += 1;
                            record.bytes.push(byte);
                            if record.open_field().ends_with(&self.dialect.delimiter) {
                                record.bytes.truncate(record.bytes.len() - self.dialect.delimiter.len());
                                record.end_field();
                                at = At::FieldStart;
                            }
                        }
                    }
                }
                At::Quoted => {
                    let length = bytes.iter().take_while(|&&byte| byte != b'"').count();
                    let text = bytes.get(..length).unwrap_or_default();
                    let lines = text.iter().filter(|&&byte| byte == b'\n').count();
                    record.bytes.extend_from_slice(text);
                    let closed = bytes.len() > length;
                    self.line += lines as u64;
                    self.position += length + usize::from(closed);
                    if closed {
                        at = At::Closed(0);
                    }
                }
                At::Closed(0) if byte == b'"' => {
                    record.bytes.push(byte);
                    self.position += 1;
                    at = At::Quoted;
                }
                At::Closed(0) | At::ClosedReturn if byte == b'\n' => {
                    self.position += 1;
                    self.line += 1;
                    record.end_field();
                    return Ok(true);
                }
                At::Closed(0) if byte == b'\r' => {
                    self.position += 1;
                    at = At::ClosedReturn;
                }
                At::Closed(matched) if self.dialect.delimiter.get(matched) == Some(&byte) => {
                    self.position += 1;
                    at = At::Closed(matched + 1);
                    if matched + 1 == self.dialect.delimiter.len() {
                        record.end_field();
                        at = At::FieldStart;
                    }
                }
                At::Closed(_) | At::ClosedReturn => return Err(Flaw::AfterQuote),
            }
        }
    }
}

fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Flaw> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(Flaw::Io),
        }
    }
}
