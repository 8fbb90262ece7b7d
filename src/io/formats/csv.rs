//! Separated text as a source.

use super::guard::Guarded;
use super::records::{Dialect, Flaw, Record, Records};
use super::sniff::{self, HEAD_BYTES};
use super::text::Encoding;
use super::values::{self, Guess};
use crate::error::{Error, Result};
use crate::io::content::Content;
use crate::io::source::{BatchStream, LeftOut, ReadOptions, Source, project};
use arrow::array::builder::{BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringBuilder, TimestampMillisecondBuilder};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

/// Records in a split of a plain file.
const SPLIT_RECORDS: u64 = 1 << 16;

/// How a separated text is written. What is `None` is found out from the first 64 KiB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsvOptions {
    /// Separator of fields, any single character.
    pub delimiter: Option<char>,
    /// Whether the first line names the columns. Without names they are called `column_1`, `column_2`, ….
    pub header: Option<bool>,
    /// Whether `"` quotes fields (RFC 4180). If absent: not in tab-separated text, else yes.
    pub quoting: Option<bool>,
    /// How bytes stand for characters.
    pub encoding: Encoding,
    /// Leave out records with a wrong number of fields or bytes that are no text, and count them under `malformed`, instead of an error.
    pub skip_malformed: bool,
    /// The columns whose types are found out, by name; the others are texts, so that `1.50` stays `1.50`. `None`: all columns.
    pub typed: Option<Vec<String>>,
}

/// A separated text. Its types come from a first pass over the whole text, so no later row can contradict them:
/// `Int64` if every text is an integer in canonical form (a postal code `02139` stays text), `Float64` for finite numbers, `Boolean` for
/// `true` and `false`, `Date32` for `YYYY-MM-DD`, `Timestamp(ms, UTC)` for RFC 3339 times, else `Utf8`. An empty field is null.
///
/// A plain file falls into splits of 65,536 records; text inside an archive is one split.
///
/// # Examples
/// ```
/// use arrow::datatypes::DataType;
/// use backmask::io::{CsvOptions, CsvSource, PlainFile, Source};
/// use std::sync::Arc;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("people.csv");
/// std::fs::write(&path, "user,postal_code,plays\na,02139,3\nb,10115,\n")?;
/// let source = CsvSource::open(Arc::new(PlainFile::new(path)), &CsvOptions::default())?;
/// assert_eq!(source.schema().field(1).data_type(), &DataType::Utf8);
/// assert_eq!(source.schema().field(2).data_type(), &DataType::Int64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct CsvSource {
    text: Arc<Text>,
    splits: Vec<Split>,
}

#[derive(Debug)]
struct Text {
    content: Arc<dyn Content>,
    dialect: Dialect,
    encoding: Encoding,
    skip_malformed: bool,
    schema: SchemaRef,
}

/// Where a split begins and how many records it has.
#[derive(Debug, Clone, Copy)]
struct Split {
    offset: u64,
    line: u64,
    /// Records before it.
    before: u64,
    records: u64,
}

impl CsvSource {
    /// Opens the text and passes over it once. The separator and whether there is a header are found out if `options` do not say:
    ///
    /// * The separator is the one of comma, semicolon, tab and bar that gives the same number of fields, more than one, on the first 100 lines; if
    ///   there is none, the one that does so on most lines; else the text has one column.
    /// * The first line is a header if its fields are different, not empty and at most 64 characters long, none is a number, truth value, date or
    ///   time, and either a later line has such a value or none repeats a field of the first line in the same column.
    ///
    /// # Errors
    /// A record has another number of fields than the first; quotes do not close; bytes are no text in the encoding; two columns have the same
    /// name; the text is empty or in UTF-16. The message names the record (numbered from 1, the header not counted) and the line.
    pub fn open(content: Arc<dyn Content>, options: &CsvOptions) -> Result<Self> {
        let name = content.name().to_owned();
        let mut head = Vec::new();
        content.open()?.take(HEAD_BYTES).read_to_end(&mut head).map_err(|e| Error::io(&name, e))?;
        if head.starts_with(&[0xFF, 0xFE]) || head.starts_with(&[0xFE, 0xFF]) {
            return Err(Error::data(name, None, "the text is in UTF-16", "save it as UTF-8"));
        }
        let whole = (head.len() as u64) < HEAD_BYTES;
        let marked = options.encoding == Encoding::Utf8;
        let start = if marked { head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head) } else { &head };
        let delimiter = options.delimiter.or_else(|| sniff::delimiter(start, whole, options.quoting));
        let dialect = Dialect {
            delimiter: delimiter.map_or(Ok(Vec::new()), |character| delimiter_bytes(character, options.encoding))?,
            quoting: options.quoting.unwrap_or(sniff::default_quoting(delimiter)),
        };
        let header = options.header.unwrap_or_else(|| sniff::header(start, whole, &dialect, options.encoding));
        let mut pass = Pass { name, dialect, options: options.clone(), header };
        let seekable = content.path().is_some();
        let (schema, splits) = pass.run(content.open()?, seekable)?;
        let Pass { dialect, .. } = pass;
        let text = Text { content, dialect, encoding: options.encoding, skip_malformed: options.skip_malformed, schema };
        Ok(Self { text: Arc::new(text), splits })
    }

    /// Records in the text, malformed ones included.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.splits.iter().map(|split| split.records).sum()
    }
}

fn delimiter_bytes(character: char, encoding: Encoding) -> Result<Vec<u8>> {
    let problem = |problem: &str| Err(Error::policy("input.delimiter", problem, "give another character"));
    match encoding.encode(character) {
        _ if matches!(character, '"' | '\n' | '\r' | '\0') => problem("cannot be a quote, a line end or a null"),
        Some(bytes) => Ok(bytes),
        None => problem("is not a character of the text's encoding"),
    }
}

/// The first pass.
struct Pass {
    name: String,
    dialect: Dialect,
    options: CsvOptions,
    header: bool,
}

impl Pass {
    fn run(&mut self, reader: Box<dyn Read + Send>, seekable: bool) -> Result<(SchemaRef, Vec<Split>)> {
        let mut records = Records::new(reader, self.dialect.clone());
        let encoding = self.options.encoding;
        let at = |flaw, number, line| flaw_error(&self.name, flaw, number, line);
        if encoding == Encoding::Utf8 {
            records.skip_mark().map_err(|flaw| at(flaw, 0, 1))?;
        }
        let mut record = Record::default();
        let mut names: Option<Vec<String>> = None;
        if self.header {
            if !records.read(&mut record).map_err(|flaw| at(flaw, 0, 1))? {
                return Err(Error::data(&self.name, None, "the text is empty", "give a text with at least a line of column names"));
            }
            names = Some(self.names(&record)?);
        }
        let mut guesses: Vec<Guess> = names.iter().flatten().map(|_| Guess::new()).collect();
        let (mut number, mut splits) = (0, Vec::<Split>::new());
        loop {
            let (offset, line) = (records.offset(), records.line());
            if !records.read(&mut record).map_err(|flaw| at(flaw, number + 1, line))? {
                break;
            }
            if names.is_none() {
                names = Some((1..=record.fields().len()).map(|position| format!("column_{position}")).collect());
                guesses = record.fields().map(|_| Guess::new()).collect();
            }
            match splits.last_mut() {
                Some(split) if !seekable || split.records < SPLIT_RECORDS => split.records += 1,
                _ => splits.push(Split { offset, line, before: number, records: 1 }),
            }
            number += 1;
            match check(&record, guesses.len(), encoding) {
                Ok(()) => guesses.iter_mut().zip(record.fields()).for_each(|(guess, field)| guess.observe(field)),
                Err(_) if self.options.skip_malformed => {}
                Err(problem) => return Err(problem.error(&self.name, number, line)),
            }
        }
        let Some(names) = names else {
            return Err(Error::data(&self.name, None, "the text is empty", "give a text with at least one row"));
        };
        let typed = |name: &String| self.options.typed.as_ref().is_none_or(|typed| typed.contains(name));
        let fields: Vec<Field> = names
            .into_iter()
            .zip(&guesses)
            .map(
                |(name, guess)| {
                    if typed(&name) { Field::new(name, guess.data_type(), true) } else { Field::new(name, DataType::Utf8, true) }
                },
            )
            .collect();
        if splits.is_empty() {
            splits.push(Split { offset: records.offset(), line: records.line(), before: 0, records: 0 });
        }
        Ok((Arc::new(Schema::new(fields)), splits))
    }

    fn names(&self, record: &Record) -> Result<Vec<String>> {
        let mut seen = HashSet::new();
        let mut buffer = String::new();
        let mut names = Vec::new();
        for (index, field) in record.fields().enumerate() {
            let problem = |problem: &str| {
                Err(Error::data(&self.name, None, format!("the name of column {} {problem}", index + 1), "mend the line of column names"))
            };
            let Some(name) = self.options.encoding.decode(field, &mut buffer) else { return problem("is not valid text") };
            let name = if name.is_empty() { format!("column_{}", index + 1) } else { name.to_owned() };
            if !seen.insert(name.clone()) {
                return problem("is that of an earlier column");
            }
            names.push(name);
        }
        Ok(names)
    }
}

/// What can be wrong with a record that could be cut into fields.
#[derive(Debug, Clone, Copy)]
enum Malformed {
    Fields { found: usize, expected: usize },
    Encoding { field: usize },
}

impl Malformed {
    fn error(self, file: &str, record: u64, line: u64) -> Error {
        match self {
            Self::Fields { found, expected } => Error::data(
                file,
                Some(record),
                format!("line {line} has {found} fields instead of {expected}"),
                "mend the line, or check the separator and whether quotes are to be taken as characters",
            ),
            Self::Encoding { field } => Error::data(
                file,
                Some(record),
                format!("line {line}, field {field}, is not valid UTF-8"),
                "save the text as UTF-8, or read it as Latin-1",
            ),
        }
    }
}

fn check(record: &Record, columns: usize, encoding: Encoding) -> Result<(), Malformed> {
    let found = record.fields().len();
    if found != columns {
        return Err(Malformed::Fields { found, expected: columns });
    }
    if encoding == Encoding::Utf8 {
        let bad = record.fields().position(|field| std::str::from_utf8(field).is_err());
        return bad.map_or(Ok(()), |index| Err(Malformed::Encoding { field: index + 1 }));
    }
    Ok(())
}

fn flaw_error(file: &str, flaw: Flaw, record: u64, line: u64) -> Error {
    let record = Some(record).filter(|&number| number > 0);
    match flaw {
        Flaw::Io(source) => Error::io(file, source),
        Flaw::OpenQuote => Error::data(
            file,
            record,
            format!("the text ends inside quotes that open at line {line} or after"),
            "check that the file is complete, or read quotes as characters",
        ),
        Flaw::AfterQuote => Error::data(
            file,
            record,
            format!("at line {line} a quoted field goes on after its closing quote"),
            "double the quotes inside quoted fields, or read quotes as characters",
        ),
        Flaw::TooLong => Error::data(
            file,
            record,
            format!("the record that begins at line {line} is longer than 16 MiB"),
            "check for a quote that never closes, or read quotes as characters",
        ),
    }
}

impl Source for CsvSource {
    fn name(&self) -> &str {
        self.text.content.name()
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.text.schema)
    }

    fn splits(&self) -> usize {
        self.splits.len()
    }

    fn open_split(&self, split: usize, options: &ReadOptions) -> Result<BatchStream> {
        let Some(split) = self.splits.get(split).copied() else {
            return Err(Error::Parameter { name: "split", problem: format!("must be below {}", self.splits.len()) });
        };
        let indices = project(&self.text.schema, options.columns.as_deref())?;
        let schema = self.read_schema(options)?;
        let reader: Box<dyn Read + Send> = if let Some(path) = self.text.content.path() {
            let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
            file.seek(SeekFrom::Start(split.offset)).map_err(|e| Error::io(path, e))?;
            Box::new(file)
        } else {
            let mut reader = self.text.content.open()?;
            let skipped = std::io::copy(&mut (&mut reader).take(split.offset), &mut std::io::sink());
            skipped.map_err(|e| Error::io(self.name(), e))?;
            reader
        };
        let left_out = Arc::new(LeftOut::default());
        let rows = Rows {
            text: Arc::clone(&self.text),
            records: Records::resume(reader, self.text.dialect.clone(), split.offset, split.line),
            number: split.before,
            remaining: split.records,
            limit: options.batch_rows.max(1),
            indices,
            schema: Arc::clone(&schema),
            left_out: Arc::clone(&left_out),
        };
        Ok(BatchStream::new(schema, Guarded::new(self.name(), rows)).with_left_out(left_out))
    }
}

/// Batches of one split.
struct Rows {
    text: Arc<Text>,
    records: Records<Box<dyn Read + Send>>,
    /// Records read so far, in the whole text.
    number: u64,
    remaining: u64,
    /// Rows in a batch at most.
    limit: usize,
    indices: Vec<usize>,
    schema: SchemaRef,
    left_out: Arc<LeftOut>,
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.remaining > 0).then(|| self.batch())
    }
}

impl Rows {
    fn batch(&mut self) -> Result<RecordBatch> {
        let name = self.text.content.name();
        let columns = self.text.schema.fields().len();
        // For each column of the text the builder that wants it.
        let mut wanted: Vec<Option<Builder>> = (0..columns).map(|_| None).collect();
        for &index in &self.indices {
            if let Some(slot) = wanted.get_mut(index) {
                *slot = Some(Builder::new(self.text.schema.field(index).data_type()));
            }
        }
        let mut record = Record::default();
        let mut buffer = String::new();
        let mut rows = 0;
        while rows < self.limit && self.remaining > 0 {
            let line = self.records.line();
            self.number += 1;
            let (number, changed) = (self.number, || changed(name));
            if !self.records.read(&mut record).map_err(|flaw| flaw_error(name, flaw, number, line))? {
                return Err(changed());
            }
            self.remaining -= 1;
            match check(&record, columns, self.text.encoding) {
                Ok(()) => {}
                Err(_) if self.text.skip_malformed => {
                    self.left_out.add("malformed", 1);
                    continue;
                }
                Err(problem) => return Err(problem.error(name, number, line)),
            }
            for (builder, field) in wanted.iter_mut().zip(record.fields()) {
                if let Some(builder) = builder {
                    builder.push(field, self.text.encoding, &mut buffer).ok_or_else(changed)?;
                }
            }
            rows += 1;
        }
        let arrays: Vec<ArrayRef> = wanted.into_iter().flatten().map(Builder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|e| Error::arrow("reading separated text", &e))
    }
}

fn changed(name: &str) -> Error {
    Error::data(name, None, "the text changed while it was read", "run again when nobody writes to it")
}

/// A column in the making.
enum Builder {
    Integer(Int64Builder),
    Float(Float64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMillisecondBuilder),
    Text(StringBuilder),
}

impl Builder {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Int64 => Self::Integer(Int64Builder::new()),
            DataType::Float64 => Self::Float(Float64Builder::new()),
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Date32 => Self::Date(Date32Builder::new()),
            DataType::Timestamp(_, _) => Self::Timestamp(TimestampMillisecondBuilder::new().with_timezone("UTC")),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    /// Adds a field; `None` if it is not what the first pass saw.
    fn push(&mut self, field: &[u8], encoding: Encoding, buffer: &mut String) -> Option<()> {
        if field.is_empty() {
            match self {
                Self::Integer(builder) => builder.append_null(),
                Self::Float(builder) => builder.append_null(),
                Self::Boolean(builder) => builder.append_null(),
                Self::Date(builder) => builder.append_null(),
                Self::Timestamp(builder) => builder.append_null(),
                Self::Text(builder) => builder.append_null(),
            }
            return Some(());
        }
        match self {
            Self::Integer(builder) => builder.append_value(values::integer(field)?),
            Self::Float(builder) => builder.append_value(values::float(field)?),
            Self::Boolean(builder) => builder.append_value(values::boolean(field)?),
            Self::Date(builder) => builder.append_value(values::date(field)?),
            Self::Timestamp(builder) => builder.append_value(values::timestamp(field)?),
            Self::Text(builder) => builder.append_value(encoding.decode(field, buffer)?),
        }
        Some(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Integer(mut builder) => Arc::new(builder.finish()),
            Self::Float(mut builder) => Arc::new(builder.finish()),
            Self::Boolean(mut builder) => Arc::new(builder.finish()),
            Self::Date(mut builder) => Arc::new(builder.finish()),
            Self::Timestamp(mut builder) => Arc::new(builder.finish()),
            Self::Text(mut builder) => Arc::new(builder.finish()),
        }
    }
}
