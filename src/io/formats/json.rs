//! JSON as a source.

use super::guard::Guarded;
use super::objects::{Flaw, Objects};
use crate::error::{Error, Result};
use crate::io::content::Content;
use crate::io::source::{BatchStream, ReadOptions, Source, project};
use arrow::array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, UInt64Builder};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

/// Records in a split of a plain file.
const SPLIT_RECORDS: u64 = 1 << 16;
/// Integers beyond this have neighbours that a 64-bit float cannot tell from them.
const EXACT_IN_FLOAT: u64 = 1 << 53;

/// Flat JSON objects: one array of them, or one after the other (JSON lines). It is streamed; only one object is in memory at a time.
///
/// The columns, in the order of their first appearance, and their types come from a first pass over the whole text: `Boolean`, `Int64` (`UInt64`
/// if a value needs it), `Float64` for numbers with and without fractions, `Utf8`. A key that an object lacks is null.
///
/// # Examples
/// ```
/// use backmask::io::{JsonSource, PlainFile, Source};
/// use std::sync::Arc;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("plays.jsonl");
/// std::fs::write(&path, "{\"user\": \"a\", \"plays\": 3}\n{\"user\": \"b\"}\n")?;
/// let source = JsonSource::open(Arc::new(PlainFile::new(path)))?;
/// assert_eq!(source.schema().fields().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct JsonSource {
    content: Arc<dyn Content>,
    schema: SchemaRef,
    names: Arc<Names>,
    splits: Vec<Split>,
}

#[derive(Debug, Clone, Copy)]
struct Split {
    offset: u64,
    /// Records before it.
    before: u64,
    records: u64,
}

impl JsonSource {
    /// Opens the text and passes over it once.
    ///
    /// # Errors
    /// The text is not JSON of this form or not complete; an object has a key twice; a column holds lists or objects, or values of
    /// different kinds (numbers and texts, say). The message names the record, from 1, and the column.
    pub fn open(content: Arc<dyn Content>) -> Result<Self> {
        let mut objects = Objects::new(content.open()?);
        let mut survey = Survey::default();
        let (mut object, mut number, mut splits) = (Vec::new(), 0, Vec::<Split>::new());
        let name = content.name();
        while let Some(offset) = objects.read(&mut object).map_err(|flaw| flaw_error(name, flaw, number + 1))? {
            match splits.last_mut() {
                Some(split) if content.path().is_none() || split.records < SPLIT_RECORDS => split.records += 1,
                _ => splits.push(Split { offset, before: number, records: 1 }),
            }
            number += 1;
            parse(&object, &mut survey).map_err(|problem| problem.error(name, number, &survey.names))?;
        }
        let schema = survey.schema(name)?;
        Ok(Self { schema, names: Arc::new(survey.names), splits, content })
    }

    /// Records in the text.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.splits.iter().map(|split| split.records).sum()
    }
}

impl Source for JsonSource {
    fn name(&self) -> &str {
        self.content.name()
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn splits(&self) -> usize {
        self.splits.len()
    }

    fn open_split(&self, split: usize, options: &ReadOptions) -> Result<BatchStream> {
        let Some(split) = self.splits.get(split).copied() else {
            return Err(Error::Parameter { name: "split", problem: format!("must be below {}", self.splits.len()) });
        };
        let indices = project(&self.schema, options.columns.as_deref())?;
        let schema = self.read_schema(options)?;
        let objects = match self.content.path() {
            Some(path) => {
                let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
                file.seek(SeekFrom::Start(split.offset)).map_err(|e| Error::io(path, e))?;
                Objects::resume(Box::new(file) as Box<dyn Read + Send>)
            }
            None => Objects::new(self.content.open()?),
        };
        let rows = Rows {
            content: Arc::clone(&self.content),
            objects,
            names: Arc::clone(&self.names),
            number: split.before,
            remaining: split.records,
            limit: options.batch_rows.max(1),
            full: Arc::clone(&self.schema),
            indices,
            schema: Arc::clone(&schema),
        };
        Ok(BatchStream::new(schema, Guarded::new(self.name(), rows)))
    }
}

fn flaw_error(file: &str, flaw: Flaw, record: u64) -> Error {
    match flaw {
        Flaw::Io(source) => Error::io(file, source),
        Flaw::NotAnObject => Error::data(
            file,
            Some(record),
            "something else stands where a JSON object should",
            "give one array of flat objects, or one object a line",
        ),
        Flaw::Truncated => Error::data(file, Some(record), "the JSON text ends too early", "check that the file is complete"),
        Flaw::TooLong => Error::data(file, Some(record), "the JSON object is longer than 16 MiB", "check for a quote that never closes"),
    }
}

/// A value without parts.
#[derive(Debug, Clone, Copy)]
enum Scalar<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Beyond `i64`.
    Large(u64),
    Float(f64),
    Text(&'a str),
}

/// What can be wrong with an object, without its values.
#[derive(Debug, Clone, Copy)]
enum Problem {
    Syntax,
    Nested(usize),
    Twice(usize),
    /// Not what the first pass saw.
    Changed,
}

impl Problem {
    fn error(self, file: &str, record: u64, names: &Names) -> Error {
        let at = |column: Option<usize>, problem: &str, remedy: &str| Error::Data {
            file: file.to_owned(),
            record: Some(record),
            column: column.and_then(|index| names.order.get(index).cloned()),
            problem: problem.to_owned(),
            remedy: remedy.to_owned(),
        };
        match self {
            Self::Syntax => at(None, "not a valid JSON object", "mend the record or export the file again"),
            Self::Nested(column) => at(Some(column), "the value is a list or an object", "flatten the column first, or leave it out"),
            Self::Twice(column) => at(Some(column), "the object has this key twice", "keep one of them"),
            Self::Changed => at(None, "the text changed while it was read", "run again when nobody writes to it"),
        }
    }
}

/// Names of the columns and their positions.
#[derive(Debug, Default)]
struct Names {
    order: Vec<String>,
    positions: HashMap<String, usize>,
}

impl Names {
    /// Position of a column; most objects have their keys in the same order, so the one after the last is tried first.
    fn position(&self, name: &str, expected: usize) -> Option<usize> {
        if self.order.get(expected).is_some_and(|next| next == name) { Some(expected) } else { self.positions.get(name).copied() }
    }

    fn add(&mut self, name: &str) -> usize {
        let position = self.order.len();
        self.order.push(name.to_owned());
        self.positions.insert(name.to_owned(), position);
        position
    }
}

/// Takes the values of an object.
trait Take {
    /// Position of the column; `expected` is the one after the last.
    fn column(&mut self, name: &str, expected: usize) -> Result<usize, Problem>;
    fn value(&mut self, column: usize, value: Scalar<'_>) -> Result<(), Problem>;
}

fn parse(object: &[u8], take: &mut impl Take) -> Result<(), Problem> {
    let mut problem = None;
    let mut deserializer = serde_json::Deserializer::from_slice(object);
    let result = deserializer.deserialize_map(Object { take, problem: &mut problem }).and_then(|()| deserializer.end());
    // The library's message may quote values and is dropped.
    result.map_err(|_| problem.unwrap_or(Problem::Syntax))
}

struct Object<'a, T> {
    take: &'a mut T,
    problem: &'a mut Option<Problem>,
}

impl<'de, T: Take> Visitor<'de> for Object<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { take, problem } = self;
        let mut expected = 0;
        while let Some(column) = map.next_key_seed(Key { take: &mut *take, problem: &mut *problem, expected })? {
            map.next_value_seed(Value { take: &mut *take, problem: &mut *problem, column })?;
            expected = column + 1;
        }
        Ok(())
    }
}

fn note<T, E: serde::de::Error>(result: Result<T, Problem>, slot: &mut Option<Problem>) -> Result<T, E> {
    result.map_err(|problem| {
        *slot = Some(problem);
        E::custom("")
    })
}

struct Key<'a, T> {
    take: &'a mut T,
    problem: &'a mut Option<Problem>,
    expected: usize,
}

impl<'de, T: Take> DeserializeSeed<'de> for Key<'_, T> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T: Take> Visitor<'_> for Key<'_, T> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<usize, E> {
        note(self.take.column(name, self.expected), self.problem)
    }
}

struct Value<'a, T> {
    take: &'a mut T,
    problem: &'a mut Option<Problem>,
    column: usize,
}

impl<T: Take> Value<'_, T> {
    fn give<E: serde::de::Error>(self, value: Scalar<'_>) -> Result<(), E> {
        note(self.take.value(self.column, value), self.problem)
    }
}

impl<'de, T: Take> DeserializeSeed<'de> for Value<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Take> Visitor<'de> for Value<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.give(Scalar::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.give(Scalar::Boolean(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.give(Scalar::Integer(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.give(i64::try_from(value).map_or(Scalar::Large(value), Scalar::Integer))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.give(Scalar::Float(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.give(Scalar::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        // Read to its end: broken syntax inside is the first thing to say.
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        *self.problem = Some(Problem::Nested(self.column));
        Err(A::Error::custom(""))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        *self.problem = Some(Problem::Nested(self.column));
        Err(A::Error::custom(""))
    }
}

/// The first pass: which columns there are and what they hold.
#[derive(Debug, Default)]
struct Survey {
    names: Names,
    kinds: Vec<Kinds>,
    record: u64,
}

/// What was seen in a column.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one kind of value that was seen, in any combination")]
struct Kinds {
    boolean: bool,
    integer: bool,
    negative: bool,
    /// An integer beyond `i64`.
    large: bool,
    /// An integer beyond what a float holds exactly.
    inexact: bool,
    float: bool,
    text: bool,
    last_record: u64,
}

impl Take for Survey {
    fn column(&mut self, name: &str, expected: usize) -> Result<usize, Problem> {
        if expected == 0 {
            self.record += 1;
        }
        let position = self.names.position(name, expected).unwrap_or_else(|| {
            self.kinds.push(Kinds::default());
            self.names.add(name)
        });
        match self.kinds.get_mut(position) {
            Some(kinds) if kinds.last_record < self.record => kinds.last_record = self.record,
            _ => return Err(Problem::Twice(position)),
        }
        Ok(position)
    }

    fn value(&mut self, column: usize, value: Scalar<'_>) -> Result<(), Problem> {
        let Some(kinds) = self.kinds.get_mut(column) else { return Err(Problem::Changed) };
        match value {
            Scalar::Null => {}
            Scalar::Boolean(_) => kinds.boolean = true,
            Scalar::Integer(value) => {
                kinds.integer = true;
                kinds.negative |= value < 0;
                kinds.inexact |= value.unsigned_abs() > EXACT_IN_FLOAT;
            }
            Scalar::Large(_) => (kinds.integer, kinds.large, kinds.inexact) = (true, true, true),
            Scalar::Float(_) => kinds.float = true,
            Scalar::Text(_) => kinds.text = true,
        }
        Ok(())
    }
}

impl Survey {
    fn schema(&self, file: &str) -> Result<SchemaRef> {
        let fields: Vec<Field> = self
            .names
            .order
            .iter()
            .zip(&self.kinds)
            .map(|(name, kinds)| {
                let data_type = kinds.data_type().map_err(|problem| Error::Data {
                    file: file.to_owned(),
                    record: None,
                    column: Some(name.clone()),
                    problem: problem.to_owned(),
                    remedy: "write all its values as text, or all as numbers of one kind".to_owned(),
                })?;
                Ok(Field::new(name, data_type, true))
            })
            .collect::<Result<_>>()?;
        Ok(Arc::new(Schema::new(fields)))
    }
}

impl Kinds {
    fn data_type(&self) -> Result<DataType, &'static str> {
        match (self.boolean, self.integer || self.float, self.text) {
            (false, false, _) => Ok(DataType::Utf8),
            (true, false, false) => Ok(DataType::Boolean),
            (false, true, false) if self.float && self.inexact => {
                Err("it holds fractions and integers that are too large to stand beside them")
            }
            (false, true, false) if self.float => Ok(DataType::Float64),
            (false, true, false) if self.large && self.negative => Err("it holds negative integers and integers beyond 64 bits with sign"),
            (false, true, false) if self.large => Ok(DataType::UInt64),
            (false, true, false) => Ok(DataType::Int64),
            _ => Err("it holds values of different kinds"),
        }
    }
}

/// Batches of one split.
struct Rows {
    content: Arc<dyn Content>,
    objects: Objects<Box<dyn Read + Send>>,
    names: Arc<Names>,
    number: u64,
    remaining: u64,
    /// Rows in a batch at most.
    limit: usize,
    full: SchemaRef,
    indices: Vec<usize>,
    schema: SchemaRef,
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.remaining > 0).then(|| self.batch())
    }
}

impl Rows {
    fn batch(&mut self) -> Result<RecordBatch> {
        let name = self.content.name();
        let mut columns: Vec<Option<Builder>> = self.full.fields().iter().map(|_| None).collect();
        for &index in &self.indices {
            if let Some(slot) = columns.get_mut(index) {
                *slot = Some(Builder::new(self.full.field(index).data_type()));
            }
        }
        let mut row = Row { names: &self.names, columns, rows: 0 };
        let mut object = Vec::new();
        while row.rows < self.limit && self.remaining > 0 {
            self.number += 1;
            self.remaining -= 1;
            if self.objects.read(&mut object).map_err(|flaw| flaw_error(name, flaw, self.number))?.is_none() {
                return Err(Problem::Changed.error(name, self.number, &self.names));
            }
            parse(&object, &mut row).map_err(|problem| problem.error(name, self.number, &self.names))?;
            row.end();
        }
        let options = RecordBatchOptions::new().with_row_count(Some(row.rows));
        let arrays: Vec<ArrayRef> = row.columns.into_iter().flatten().map(Builder::finish).collect();
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options).map_err(|e| Error::arrow("reading JSON", &e))
    }
}

struct Row<'a> {
    names: &'a Names,
    columns: Vec<Option<Builder>>,
    /// Rows that are complete.
    rows: usize,
}

impl Row<'_> {
    /// Ends a row: keys that it lacked are null.
    fn end(&mut self) {
        self.rows += 1;
        for builder in self.columns.iter_mut().flatten() {
            if builder.len() < self.rows {
                builder.append_null();
            }
        }
    }
}

impl Take for Row<'_> {
    fn column(&mut self, name: &str, expected: usize) -> Result<usize, Problem> {
        self.names.position(name, expected).ok_or(Problem::Changed)
    }

    fn value(&mut self, column: usize, value: Scalar<'_>) -> Result<(), Problem> {
        match self.columns.get_mut(column) {
            Some(Some(builder)) if builder.len() == self.rows => builder.push(value).ok_or(Problem::Changed),
            Some(Some(_)) => Err(Problem::Twice(column)),
            _ => Ok(()),
        }
    }
}

/// A column in the making.
enum Builder {
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Large(UInt64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
}

impl Builder {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int64 => Self::Integer(Int64Builder::new()),
            DataType::UInt64 => Self::Large(UInt64Builder::new()),
            DataType::Float64 => Self::Float(Float64Builder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    fn len(&self) -> usize {
        use arrow::array::builder::ArrayBuilder;
        match self {
            Self::Boolean(builder) => builder.len(),
            Self::Integer(builder) => builder.len(),
            Self::Large(builder) => builder.len(),
            Self::Float(builder) => builder.len(),
            Self::Text(builder) => builder.len(),
        }
    }

    fn append_null(&mut self) {
        match self {
            Self::Boolean(builder) => builder.append_null(),
            Self::Integer(builder) => builder.append_null(),
            Self::Large(builder) => builder.append_null(),
            Self::Float(builder) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
        }
    }

    /// Adds a value; `None` if the first pass saw others.
    fn push(&mut self, value: Scalar<'_>) -> Option<()> {
        #[expect(clippy::cast_precision_loss, reason = "the integers of float columns are at most 2^53")]
        match (self, value) {
            (builder, Scalar::Null) => builder.append_null(),
            (Self::Boolean(builder), Scalar::Boolean(value)) => builder.append_value(value),
            (Self::Integer(builder), Scalar::Integer(value)) => builder.append_value(value),
            (Self::Large(builder), Scalar::Integer(value)) => builder.append_value(u64::try_from(value).ok()?),
            (Self::Large(builder), Scalar::Large(value)) => builder.append_value(value),
            (Self::Float(builder), Scalar::Float(value)) => builder.append_value(value),
            (Self::Float(builder), Scalar::Integer(value)) => builder.append_value(value as f64),
            (Self::Text(builder), Scalar::Text(value)) => builder.append_value(value),
            _ => return None,
        }
        Some(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Boolean(mut builder) => Arc::new(builder.finish()),
            Self::Integer(mut builder) => Arc::new(builder.finish()),
            Self::Large(mut builder) => Arc::new(builder.finish()),
            Self::Float(mut builder) => Arc::new(builder.finish()),
            Self::Text(mut builder) => Arc::new(builder.finish()),
        }
    }
}
