//! Records of separated text.

use super::window::Window;
use std::io::{self, Read};

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

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
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

    /// Whether there is nothing in it yet, not even an empty field.
    fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.bytes.is_empty()
    }

    /// Takes the `\r` of a line end off the field that is not ended yet.
    fn drop_return(&mut self) {
        if self.open_field().ends_with(b"\r") {
            self.bytes.pop();
        }
    }

    /// Bytes of the field that is not ended yet.
    fn open_field(&self) -> &[u8] {
        self.bytes.get(self.ends.last().copied().unwrap_or(0)..).unwrap_or_default()
    }
}

/// Reads records one after the other. Lines end with `\n` or `\r\n`; lines without any character are no records.
#[derive(Debug)]
pub(super) struct Records<R> {
    window: Window<R>,
    dialect: Dialect,
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
    /// After the record.
    End,
}

impl<R: Read> Records<R> {
    pub(super) fn new(reader: R, dialect: Dialect) -> Self {
        Self::resume(reader, dialect, 0, 1)
    }

    /// For a reader that was set to a record's beginning, at this offset and line of the text.
    pub(super) fn resume(reader: R, dialect: Dialect, offset: u64, line: u64) -> Self {
        Self { window: Window::new(reader, offset), dialect, line }
    }

    /// Offset in the text of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// Line of the next byte, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Leaves out the byte order mark of UTF-8, if the text begins with it.
    pub(super) fn skip_mark(&mut self) -> Result<(), Flaw> {
        // A part of one is not valid UTF-8 and is found as such.
        self.window.skip_mark()?;
        Ok(())
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
            let Some(byte) = self.window.peek()? else { return end_of_text(record, at) };
            at = match at {
                At::FieldStart if self.dialect.quoting && byte == b'"' => self.step(At::Quoted),
                At::FieldStart | At::Plain => self.plain(record)?,
                At::Quoted => self.quoted(record)?,
                At::Closed(0) if byte == b'"' => {
                    record.bytes.push(byte);
                    self.step(At::Quoted)
                }
                At::Closed(0) | At::ClosedReturn if byte == b'\n' => {
                    self.line += 1;
                    record.end_field();
                    self.step(At::End)
                }
                At::Closed(0) if byte == b'\r' => self.step(At::ClosedReturn),
                At::Closed(matched) if self.dialect.delimiter.get(matched) == Some(&byte) => {
                    if matched + 1 == self.dialect.delimiter.len() {
                        record.end_field();
                        self.step(At::FieldStart)
                    } else {
                        self.step(At::Closed(matched + 1))
                    }
                }
                At::Closed(_) | At::ClosedReturn => return Err(Flaw::AfterQuote),
                At::End => At::End,
            };
            if at == At::End {
                return Ok(true);
            }
        }
    }

    /// Takes a byte.
    fn step(&mut self, next: At) -> At {
        self.window.take(1);
        next
    }

    /// Takes what is there of a field without quotes.
    fn plain(&mut self, record: &mut Record) -> Result<At, Flaw> {
        let last = self.dialect.delimiter.last().copied();
        let bytes = self.window.bytes()?;
        let length = bytes.iter().take_while(|&&byte| byte != b'\n' && Some(byte) != last).count();
        record.bytes.extend_from_slice(bytes.get(..length).unwrap_or_default());
        let stop = bytes.get(length).copied();
        self.window.take(length);
        let Some(stop) = stop else { return Ok(At::Plain) };
        self.window.take(1);
        if stop == b'\n' {
            self.line += 1;
            record.drop_return();
            if !record.is_empty() {
                record.end_field();
            }
            return Ok(At::End);
        }
        record.bytes.push(stop);
        let delimiter = &self.dialect.delimiter;
        if !record.open_field().ends_with(delimiter) {
            return Ok(At::Plain);
        }
        record.bytes.truncate(record.bytes.len() - delimiter.len());
        record.end_field();
        Ok(At::FieldStart)
    }

    /// Takes what is there of a field inside quotes.
    fn quoted(&mut self, record: &mut Record) -> Result<At, Flaw> {
        let bytes = self.window.bytes()?;
        let length = bytes.iter().take_while(|&&byte| byte != b'"').count();
        let closed = bytes.len() > length;
        let text = bytes.get(..length).unwrap_or_default();
        record.bytes.extend_from_slice(text);
        self.line += text.split(|&byte| byte == b'\n').skip(1).count() as u64;
        self.window.take(length + usize::from(closed));
        Ok(if closed { At::Closed(0) } else { At::Quoted })
    }
}

/// Ends the record that the text ends with; false if there is none.
fn end_of_text(record: &mut Record, at: At) -> Result<bool, Flaw> {
    match at {
        At::Quoted => return Err(Flaw::OpenQuote),
        At::Closed(1..) => return Err(Flaw::AfterQuote),
        At::Plain => record.drop_return(),
        _ => {}
    }
    // Nothing at all, unless it stood in quotes.
    if record.is_empty() && matches!(at, At::FieldStart | At::Plain) {
        return Ok(false);
    }
    record.end_field();
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::window::Dribble;
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &str, delimiter: &str, quoting: bool) -> Result<Vec<Vec<String>>, Flaw> {
        let mut records = Records::new(Dribble(text.as_bytes()), Dialect { delimiter: delimiter.as_bytes().to_vec(), quoting });
        let (mut found, mut record) = (Vec::new(), Record::default());
        while records.read(&mut record)? {
            found.push(record.fields().map(|field| String::from_utf8_lossy(field).into_owned()).collect());
        }
        assert_eq!(records.offset(), text.len() as u64);
        assert_eq!(records.line(), 1 + text.matches('\n').count() as u64);
        Ok(found)
    }

    fn fields(text: &str, delimiter: &str, quoting: bool) -> Vec<Vec<String>> {
        cut(text, delimiter, quoting).unwrap_or(vec![vec!["flaw".to_owned()]])
    }

    #[test]
    fn fields_are_cut_at_the_separator() {
        assert_eq!(fields("a,b\n,\r\nc,", ",", true), [["a", "b"], ["", ""], ["c", ""]]);
        assert_eq!(fields("a§b\n\"§\"§c\n\"d\"§e", "§", true), [["a", "b"], ["§", "c"], ["d", "e"]]);
        assert_eq!(fields("a,b\nc", "", true), [["a,b"], ["c"]]);
        assert_eq!(fields("\n\r\na\n\n\n\"\"\n", ",", true), [["a"], [""]], "empty lines are no records, an empty quoted field is one");
        assert!(fields("", ",", true).is_empty() && fields("\r\n\r", ",", true).is_empty());
    }

    #[test]
    fn quotes_protect_separators_and_line_ends() {
        assert_eq!(fields("\"a,\n\"\"b\",\"c\"\r\n", ",", true), [["a,\n\"b", "c"]]);
        assert_eq!(fields("a \"b\" c,5\"\n", ",", true), [["a \"b\" c", "5\""]], "quotes inside a field are characters");
        assert_eq!(fields("\"Weird Al\" Yankovic\t1\n\"\t2\n", "\t", false), [["\"Weird Al\" Yankovic", "1"], ["\"", "2"]]);
    }

    #[test]
    fn broken_quotes_are_flaws() {
        assert!(matches!(cut("a,\"b\nc,d\n", ",", true), Err(Flaw::OpenQuote)));
        assert!(matches!(cut("\"a\"b,c\n", ",", true), Err(Flaw::AfterQuote)));
        assert!(matches!(cut("\"a\"\rb", ",", true), Err(Flaw::AfterQuote)));
    }

    #[test]
    fn a_quote_that_never_closes_does_not_fill_the_memory() {
        let endless = std::io::repeat(b'x');
        let mut records = Records::new(b"\"".chain(endless), Dialect { delimiter: b",".to_vec(), quoting: true });
        assert!(matches!(records.read(&mut Record::default()), Err(Flaw::TooLong)));
    }

    /// The `csv` crate's answer; it takes a lone `\r` for a line end, so the inputs have none.
    fn oracle(text: &str, quoting: bool) -> Vec<Vec<String>> {
        let mut reader =
            csv::ReaderBuilder::new().delimiter(b';').quoting(quoting).has_headers(false).flexible(true).from_reader(text.as_bytes());
        reader.records().flatten().map(|record| record.iter().map(str::to_owned).collect()).collect()
    }

    proptest! {
        #[test]
        fn agrees_with_the_csv_crate_on_well_formed_text(rows in prop::collection::vec(prop::collection::vec("[a;\"\n é]{0,5}", 2..4), 0..6), crlf: bool) {
            let mut writer = csv::WriterBuilder::new()
                .delimiter(b';')
                .flexible(true)
                .terminator(if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
                .from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).map_err(|e| TestCaseError::fail(e.to_string()))?;
            }
            let bytes = writer.into_inner().map_err(|e| TestCaseError::fail(e.to_string()))?;
            let text = String::from_utf8(bytes).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(fields(&text, ";", true), rows);
        }

        #[test]
        fn agrees_with_the_csv_crate_on_any_text(text in "[ab;\"\n]{0,24}", quoting: bool) {
            // Where quotes are broken the other parser guesses and this one refuses.
            if let Ok(found) = cut(&text, ";", quoting) {
                prop_assert_eq!(found, oracle(&text, quoting));
            }
        }
    }
}
