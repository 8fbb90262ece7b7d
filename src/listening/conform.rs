//! Every part of a pool in one schema: canonical types for canonical names, missing columns as nulls, other columns as they are.

use super::schema::canonical_schema;
use super::text::{SKIP, day_of, parse_long_date, parse_time, seconds_to_ms};
use crate::error::{Error, Result};
use crate::io::{BatchStream, LeftOut, ReadOptions, Source};
use crate::pipeline::value_type;
use crate::policy::Table;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, RecordBatch, RecordBatchOptions, TimestampMillisecondArray,
    new_null_array,
};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A part of a pool before it has the pool's schema.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) source: Arc<dyn Source>,
    /// Names of the source's columns in the pool, in their order.
    pub(super) names: Vec<String>,
    /// Whether the rows were built by this crate: then no subject is missing and every type is canonical.
    pub(super) built: bool,
}

/// Gives all parts one schema: their columns in order of first appearance.
///
/// # Errors
/// A column that is not canonical has different types in two files.
pub(super) fn conform(parts: &[Part], table: Table, skip_malformed: bool) -> Result<Vec<Arc<dyn Source>>> {
    let schema = union(parts, table)?;
    Ok(parts
        .iter()
        .map(|part| {
            let inner = part.source.schema();
            let origins: Vec<Origin> = schema
                .fields()
                .iter()
                .map(|field| match part.names.iter().position(|name| name == field.name()) {
                    Some(index) => {
                        let strict = !part.built && is_fallible(inner.field(index).data_type(), field.data_type());
                        Origin::Column { index, required: !part.built && field.name() == "subject_id", strict }
                    }
                    // One row of an event log is one play.
                    None if field.name() == "plays" && part.names.iter().any(|name| name == "started_at") => Origin::One,
                    None => Origin::Missing,
                })
                .collect();
            Arc::new(Conformed { inner: Arc::clone(&part.source), schema: Arc::clone(&schema), origins, skip_malformed }) as Arc<dyn Source>
        })
        .collect())
}

/// The same sources with every canonical column, in canonical order; the ones they lack are null. Other columns follow.
///
/// # Errors
/// The sources do not have one schema, or no column names the person.
///
/// ```
/// use backmask::listening::{complete, event_schema, open};
/// use backmask::policy::{Input, Table};
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("user_artists.dat");
/// std::fs::write(&file, "userID\tartistID\tweight\n2\t51\t13883\n")?;
/// let pool = complete(&open(&[file], Table::Events, &Input::default())?, Table::Events)?;
/// assert_eq!(pool[0].schema(), event_schema());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn complete(sources: &[Arc<dyn Source>], table: Table) -> Result<Vec<Arc<dyn Source>>> {
    let Some(first) = sources.first().map(|source| source.schema()) else { return Ok(Vec::new()) };
    if let Some(other) = sources.iter().find(|source| source.schema() != first) {
        return Err(Error::data(other.name(), None, "has another schema than the first file", "open the files as one pool"));
    }
    if first.index_of("subject_id").is_err() {
        return Err(Error::column("subject_id", "is not in the input", "name the column that holds it under [input.columns]"));
    }
    let canonical = canonical_schema(table);
    let others = first.fields().iter().filter(|field| canonical.field_with_name(field.name()).is_err()).cloned();
    let schema: SchemaRef = Arc::new(Schema::new(canonical.fields().iter().cloned().chain(others).collect::<Vec<_>>()));
    let origins: Vec<Origin> = schema
        .fields()
        .iter()
        .map(|field| match first.index_of(field.name()) {
            Ok(index) => Origin::Column { index, required: false, strict: false },
            Err(_) if field.name() == "plays" && first.index_of("started_at").is_ok() => Origin::One,
            Err(_) => Origin::Missing,
        })
        .collect();
    let complete = |inner: &Arc<dyn Source>| -> Arc<dyn Source> {
        Arc::new(Conformed { inner: Arc::clone(inner), schema: Arc::clone(&schema), origins: origins.clone(), skip_malformed: false })
    };
    Ok(sources.iter().map(complete).collect())
}

fn union(parts: &[Part], table: Table) -> Result<SchemaRef> {
    let canonical = canonical_schema(table);
    let mut names: Vec<String> = Vec::new();
    let mut types: BTreeMap<String, (DataType, usize)> = BTreeMap::new();
    for (at, part) in parts.iter().enumerate() {
        for (name, field) in part.names.iter().zip(part.source.schema().fields()) {
            if let Ok(field) = canonical.field_with_name(name) {
                if types.insert(name.clone(), (field.data_type().clone(), at)).is_none() {
                    names.push(name.clone());
                }
                continue;
            }
            match types.get_mut(name) {
                None => {
                    types.insert(name.clone(), (field.data_type().clone(), at));
                    names.push(name.clone());
                }
                Some((known, first)) => {
                    let Some(both) = common_type(known, field.data_type()) else {
                        let (one, other) = (parts.get(*first).map_or("", |part| part.source.name()), part.source.name());
                        return Err(Error::column(
                            name,
                            format!("is {known} in {one} and {} in {other}", field.data_type()),
                            "give it one type in all files, or read the files as separate pools",
                        ));
                    };
                    *known = both;
                }
            }
        }
    }
    let fields: Vec<Field> = names
        .into_iter()
        .filter_map(|name| {
            let (data_type, _) = types.get(&name)?.clone();
            Some(Field::new(name, data_type, true))
        })
        .collect();
    Ok(Arc::new(Schema::new(fields)))
}

/// The type that holds both without changing a value.
fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    let is_text = |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (DataType::Null, other) | (other, DataType::Null) => Some(other.clone()),
        _ => match (value_type(a), value_type(b)) {
            (x, y) if is_text(x) && is_text(y) => Some(DataType::Utf8),
            (x, y) if x == y => Some(x.clone()),
            _ => None,
        },
    }
}

/// Whether a value may fail to become one of type `to`.
fn is_fallible(from: &DataType, to: &DataType) -> bool {
    let from = value_type(from);
    !(from == to
        || from == &DataType::Null
        || to == &DataType::Utf8
            && !matches!(from, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_))
        || to == &DataType::Int64 && from.is_integer() && from != &DataType::UInt64)
}

/// Where a column of the pool comes from.
#[derive(Debug, Clone)]
enum Origin {
    Column {
        index: usize,
        /// A missing value makes the row malformed.
        required: bool,
        /// A value may not fit the type: then the column is read whether it is wanted or not, so that the rows do not depend on the projection.
        strict: bool,
    },
    One,
    Missing,
}

#[derive(Debug)]
struct Conformed {
    inner: Arc<dyn Source>,
    schema: SchemaRef,
    origins: Vec<Origin>,
    skip_malformed: bool,
}

impl Source for Conformed {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn splits(&self) -> usize {
        self.inner.splits()
    }

    fn read_schema(&self, options: &ReadOptions) -> Result<SchemaRef> {
        let wanted = crate::io::project(&self.schema, options.columns.as_deref())?;
        let inner = self.inner.read_schema(&ReadOptions { columns: Some(self.inner_columns(&wanted)), ..options.clone() })?;
        Ok(self.schema_of(&wanted, &inner))
    }

    fn open_split(&self, split: usize, options: &ReadOptions) -> Result<BatchStream> {
        let wanted = crate::io::project(&self.schema, options.columns.as_deref())?;
        let inner_options = ReadOptions { columns: Some(self.inner_columns(&wanted)), ..options.clone() };
        let schema = self.schema_of(&wanted, self.inner.read_schema(&inner_options)?.as_ref());
        let stream = self.inner.open_split(split, &inner_options)?;
        let left_out = stream.left_out();
        let batches = Batches {
            stream,
            file: self.inner.name().to_owned(),
            inner: self.inner.schema(),
            pool: Arc::clone(&self.schema),
            schema: Arc::clone(&schema),
            origins: self.origins.clone(),
            wanted,
            left_out: Arc::clone(&left_out),
            skip_malformed: self.skip_malformed,
            records: (self.inner.splits() == 1).then_some(0),
            failed: false,
        };
        Ok(BatchStream::new(schema, batches).with_left_out(left_out))
    }
}

impl Conformed {
    /// Columns to read of the source: the wanted ones, those that decide whether a record is malformed, and at least one, to count the rows.
    fn inner_columns(&self, wanted: &[usize]) -> Vec<String> {
        let inner = self.inner.schema();
        let name_of = |index: usize| inner.fields().get(index).map(|field| field.name().clone());
        let mut columns: Vec<String> = self
            .origins
            .iter()
            .enumerate()
            .filter_map(|(at, origin)| match origin {
                Origin::Column { index, required, strict } if *required || *strict || wanted.contains(&at) => name_of(*index),
                _ => None,
            })
            .collect();
        if columns.is_empty() {
            columns.extend(name_of(0));
        }
        columns
    }

    /// The wanted columns. Texts that the source gives as a dictionary stay one.
    fn schema_of(&self, wanted: &[usize], read: &Schema) -> SchemaRef {
        let inner = self.inner.schema();
        let fields: Vec<Field> = wanted
            .iter()
            .filter_map(|&at| {
                let field = self.schema.fields().get(at)?;
                let coded = match self.origins.get(at) {
                    Some(Origin::Column { index, .. }) if field.data_type() == &DataType::Utf8 => inner
                        .fields()
                        .get(*index)
                        .and_then(|inner| read.field_with_name(inner.name()).ok())
                        .map(Field::data_type)
                        .filter(|found| matches!(found, DataType::Dictionary(_, values) if values.as_ref() == &DataType::Utf8)),
                    _ => None,
                };
                Some(Field::new(field.name(), coded.unwrap_or(field.data_type()).clone(), true))
            })
            .collect();
        Arc::new(Schema::new(fields))
    }
}

struct Batches {
    stream: BatchStream,
    file: String,
    inner: SchemaRef,
    pool: SchemaRef,
    schema: SchemaRef,
    origins: Vec<Origin>,
    wanted: Vec<usize>,
    left_out: Arc<LeftOut>,
    skip_malformed: bool,
    /// Records so far; unknown when the file is read in pieces.
    records: Option<u64>,
    failed: bool,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let batch = match self.stream.next()? {
                Ok(batch) => self.conform(&batch),
                Err(error) => Err(error),
            };
            match batch {
                Ok(batch) if batch.num_rows() == 0 => {}
                Ok(batch) => return Some(Ok(batch)),
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl Batches {
    fn conform(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let mut fits = vec![true; rows];
        let mut culprit: Option<(usize, &str, &'static str)> = None;
        let mut columns = Vec::with_capacity(self.wanted.len());
        for (at, (origin, field)) in self.origins.iter().zip(self.pool.fields()).enumerate() {
            let is_wanted = self.wanted.contains(&at);
            let column = match origin {
                Origin::Column { index, required, strict } if is_wanted || *required || *strict => {
                    let source = self.inner.fields().get(*index).and_then(|inner| batch.column_by_name(inner.name()));
                    let Some(source) = source else {
                        return Err(Error::column(field.name(), "is not in the batch that was read", "read the file again"));
                    };
                    let target = self.schema.field_with_name(field.name()).map_or(field.data_type(), Field::data_type);
                    let column = convert(source, target)?;
                    let nulls = column.logical_nulls().filter(|nulls| (*required || *strict) && nulls.null_count() > 0);
                    for row in nulls.iter().flat_map(|nulls| (0..rows).filter(|&row| nulls.is_null(row))) {
                        let lost = *strict && is_value(source.as_ref(), row);
                        if lost || *required {
                            if let Some(fits) = fits.get_mut(row) {
                                *fits = false;
                            }
                            if culprit.is_none_or(|(first, _, _)| row < first) {
                                culprit = Some((
                                    row,
                                    field.name(),
                                    if lost { "a value does not fit the type of the column" } else { "the record names no person" },
                                ));
                            }
                        }
                    }
                    column
                }
                _ if !is_wanted => continue,
                Origin::One => Arc::new(Int64Array::from(vec![1; rows])) as ArrayRef,
                _ => new_null_array(field.data_type(), rows),
            };
            if is_wanted {
                columns.push(column);
            }
        }
        let before = self.records;
        self.records = self.records.map(|records| records + rows as u64);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|e| Error::arrow("assembling a batch", &e))?;
        let Some((row, column, problem)) = culprit else { return Ok(batch) };
        if !self.skip_malformed {
            return Err(Error::Data {
                file: self.file.clone(),
                record: before.map(|records| records + row as u64 + 1),
                column: Some(column.to_owned()),
                problem: problem.to_owned(),
                remedy: SKIP.to_owned(),
            });
        }
        self.left_out.add("malformed", fits.iter().filter(|fits| !**fits).count() as u64);
        filter_record_batch(&batch, &BooleanArray::from(fits)).map_err(|e| Error::arrow("leaving out records", &e))
    }
}

/// Whether a value is there. An empty text stands for a missing number, time or truth value.
fn is_value(array: &dyn Array, row: usize) -> bool {
    if array.is_null(row) {
        return false;
    }
    match array.data_type() {
        DataType::Utf8 => !array.as_string::<i32>().value(row).is_empty(),
        DataType::LargeUtf8 => !array.as_string::<i64>().value(row).is_empty(),
        DataType::Utf8View => !array.as_string_view().value(row).is_empty(),
        DataType::Dictionary(_, _) => {
            // The keys of one row, not of all.
            let one = array.slice(row, 1);
            let dictionary = one.as_any_dictionary();
            let key = dictionary.normalized_keys().first().copied();
            key.is_some_and(|key| key < dictionary.values().len() && is_value(dictionary.values().as_ref(), key))
        }
        _ => true,
    }
}

/// The values of `array` as type `to`; those that do not fit are null.
fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let failed = |e| Error::arrow("reading a column in its canonical type", &e);
    let from = value_type(array.data_type()).clone();
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    let plain = if &from == array.data_type() { Arc::clone(array) } else { cast(array, &from).map_err(failed)? };
    let is_text = matches!(from, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    if is_text && matches!(to, DataType::Timestamp(_, _) | DataType::Date32) {
        let texts = cast(&plain, &DataType::Utf8).map_err(failed)?;
        let texts = texts.as_string::<i32>();
        return Ok(if to == &DataType::Date32 {
            Arc::new(texts.iter().map(|text| text.and_then(parse_date)).collect::<Date32Array>())
        } else {
            Arc::new(texts.iter().map(|text| text.and_then(parse_any_time)).collect::<TimestampMillisecondArray>().with_timezone("UTC"))
        });
    }
    if from.is_floating() && to.is_integer() {
        // A broken number is no integer; Arrow would cut it.
        let numbers = cast(&plain, &DataType::Float64).map_err(failed)?;
        let whole: Int64Array = numbers.as_primitive::<Float64Type>().iter().map(|number| number.and_then(whole)).collect();
        return cast(&(Arc::new(whole) as ArrayRef), to).map_err(failed);
    }
    if (from.is_floating() || from.is_integer()) && matches!(to, DataType::Timestamp(_, _) | DataType::Date32) {
        let times: Int64Array = if from.is_floating() {
            let numbers = cast(&plain, &DataType::Float64).map_err(failed)?;
            numbers.as_primitive::<Float64Type>().iter().map(|number| number.and_then(seconds_to_ms)).collect()
        } else {
            let numbers = cast(&plain, &DataType::Int64).map_err(failed)?;
            let days = to == &DataType::Date32;
            numbers.as_primitive::<Int64Type>().iter().map(|number| number.and_then(|number| epoch(number, days))).collect()
        };
        return Ok(if to == &DataType::Date32 {
            Arc::new(times.iter().map(|time| time.and_then(day_of)).collect::<Date32Array>())
        } else {
            Arc::new(times.iter().collect::<TimestampMillisecondArray>().with_timezone("UTC"))
        });
    }
    cast(&plain, to).map_err(failed)
}

/// A number as a time in milliseconds: seconds below 10¹¹ (the year 5138), else milliseconds. Where days are expected, numbers below a million are days.
fn epoch(number: i64, days: bool) -> Option<i64> {
    match number.unsigned_abs() {
        0..1_000_000 if days => number.checked_mul(86_400_000),
        0..100_000_000_000 => number.checked_mul(1000),
        _ => Some(number),
    }
}

fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "only whole numbers below 2^53 are cast")]
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
}

fn parse_any_time(text: &str) -> Option<i64> {
    parse_time(text)
        .or_else(|| parse_time(&format!("{} 00:00", text.trim())))
        .or_else(|| text.trim().parse().ok().and_then(|number| epoch(number, false)))
        .or_else(|| text.trim().parse().ok().and_then(seconds_to_ms))
}

fn parse_date(text: &str) -> Option<i32> {
    parse_long_date(text).or_else(|| parse_any_time(text).and_then(day_of))
}

#[cfg(test)]
mod tests {
    use super::super::schema::time_type;
    use super::*;
    use arrow::array::{DictionaryArray, Float64Array, StringArray, UInt64Array};
    use arrow::datatypes::Int32Type;

    fn converted(array: impl Array + 'static, to: &DataType) -> ArrayRef {
        convert(&(Arc::new(array) as ArrayRef), to).unwrap()
    }

    #[test]
    fn numbers_become_times_by_their_size() {
        let found =
            converted(Int64Array::from(vec![Some(0), Some(881_250_949), Some(881_250_949_000), None, Some(i64::MIN)]), &time_type());
        let expected = TimestampMillisecondArray::from(vec![Some(0), Some(881_250_949_000), Some(881_250_949_000), None, Some(i64::MIN)]);
        assert_eq!(found.as_ref(), &expected.with_timezone("UTC") as &dyn Array);
        let found = converted(Int64Array::from(vec![13_373, 1_155_427_200]), &DataType::Date32);
        assert_eq!(found.as_ref(), &Date32Array::from(vec![13_373, 13_373]) as &dyn Array);
    }

    #[test]
    fn texts_become_times_and_dates() {
        let found = converted(StringArray::from(vec![Some("2006-08-13"), Some("Aug 13, 2006"), Some(""), Some("soon")]), &DataType::Date32);
        assert_eq!(found.as_ref(), &Date32Array::from(vec![Some(13_373), Some(13_373), None, None]) as &dyn Array);
        let dictionary: DictionaryArray<Int32Type> = vec![Some("2006-08-13T00:00:00Z"), None, Some("x")].into_iter().collect();
        assert_eq!(converted(dictionary, &time_type()).null_count(), 2);
    }

    #[test]
    fn broken_numbers_are_not_cut() {
        let found = converted(Float64Array::from(vec![3.0, 3.5, f64::NAN, 1e300]), &DataType::Int64);
        assert_eq!(found.as_ref(), &Int64Array::from(vec![Some(3), None, None, None]) as &dyn Array);
        assert!(converted(UInt64Array::from(vec![u64::MAX]), &DataType::Int64).is_null(0));
        assert!(is_fallible(&DataType::UInt64, &DataType::Int64) && !is_fallible(&DataType::UInt32, &DataType::Int64));
    }
}
