//! Many sources as one stream, decoded by several threads, given in order.

mod pool;

use self::pool::{BUDGET, Budget, Pool};
use super::formats::guarded;
use super::source::{BatchStream, LeftOut, ReadOptions, Source};
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::fmt::Debug;
use std::sync::Arc;

/// A batch and where it came from.
#[derive(Debug, Clone)]
pub struct Tagged {
    /// Position of the source in the list that was read, from 0.
    pub source: usize,
    /// The rows.
    pub batch: RecordBatch,
}

/// Reads all sources as one stream, strictly in order: source by source, split by split, row by row.
///
/// Up to `options.threads` threads decode splits ahead of the consumer, within a budget of about 64 MiB of decoded batches beyond the split
/// being consumed. With one thread everything happens in the calling thread. Neither changes what is given. Threads stop when the stream is
/// dropped. The first error, in the order of the rows, ends the stream.
///
/// # Errors
/// There is no source; the sources have different columns or types (where they differ only in how text is represented, it is given as
/// `Utf8`); a wanted column is not in them.
///
/// # Examples
/// ```
/// use backmask::io::{MemorySource, ReadOptions, Source, read};
/// use arrow::array::{Int64Array, RecordBatch};
/// use std::sync::Arc;
///
/// let batch = RecordBatch::try_from_iter([("plays", Arc::new(Int64Array::from(vec![1, 2, 3])) as _)])?;
/// let source: Arc<dyn Source> = Arc::new(MemorySource::new("memory", batch.schema(), vec![batch])?);
/// let mut rows = 0;
/// for batch in read(&[Arc::clone(&source), source], &ReadOptions::default())? {
///     rows += batch?.num_rows();
/// }
/// assert_eq!(rows, 6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(sources: &[Arc<dyn Source>], options: &ReadOptions) -> Result<BatchStream> {
    let stream = read_tagged(sources, options)?;
    let (schema, left_out) = (stream.schema(), stream.left_out());
    Ok(BatchStream::new(schema, stream.map(|tagged| tagged.map(|tagged| tagged.batch))).with_left_out(left_out))
}

/// Like [`read`], with the position of the source beside each batch, so that a caller can count rows per source.
///
/// # Errors
/// Those of [`read`].
pub fn read_tagged(sources: &[Arc<dyn Source>], options: &ReadOptions) -> Result<TaggedStream> {
    read_within(BUDGET, sources, options)
}

fn read_within(budget: Budget, sources: &[Arc<dyn Source>], options: &ReadOptions) -> Result<TaggedStream> {
    let schema = joint_schema(sources, options)?;
    let jobs: Vec<(usize, usize)> =
        sources.iter().enumerate().flat_map(|(index, source)| (0..source.splits()).map(move |split| (index, split))).collect();
    let plan = Arc::new(Plan { sources: sources.to_vec(), jobs, options: options.clone(), schema, left_out: Arc::default() });
    let threads = options.threads.min(plan.jobs.len());
    // One split on many threads still gains from being decoded while the consumer works.
    let inner = if options.threads > 1 && threads > 0 {
        Inner::Threads(Pool::start(&plan, threads, budget)?)
    } else {
        Inner::Here(Here::default())
    };
    Ok(TaggedStream { plan, inner, ended: false })
}

/// A stream of [`Tagged`] batches of one schema.
pub struct TaggedStream {
    plan: Arc<Plan>,
    inner: Inner,
    ended: bool,
}

impl TaggedStream {
    /// Schema of the batches.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.plan.schema)
    }

    /// What the readers left out, summed over all sources; complete when the stream has ended.
    #[must_use]
    pub fn left_out(&self) -> Arc<LeftOut> {
        Arc::clone(&self.plan.left_out)
    }
}

impl Debug for TaggedStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaggedStream").field("schema", &self.plan.schema).finish_non_exhaustive()
    }
}

impl Iterator for TaggedStream {
    type Item = Result<Tagged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = match &mut self.inner {
            Inner::Here(here) => here.next(&self.plan),
            Inner::Threads(pool) => pool.next(&self.plan),
        };
        if !matches!(item, Some(Ok(_))) {
            self.ended = true;
            // Dropping the pool stops its threads.
            self.inner = Inner::Here(Here::default());
        }
        item
    }
}

enum Inner {
    Here(Here),
    Threads(Pool),
}

/// What is to be read: a job is one split of one source.
struct Plan {
    sources: Vec<Arc<dyn Source>>,
    jobs: Vec<(usize, usize)>,
    options: ReadOptions,
    schema: SchemaRef,
    left_out: Arc<LeftOut>,
}

impl Plan {
    fn source_of(&self, job: usize) -> usize {
        self.jobs.get(job).map_or(0, |(source, _)| *source)
    }

    fn name_of(&self, job: usize) -> &str {
        self.sources.get(self.source_of(job)).map_or("input", |source| source.name())
    }

    /// Opens a job; `None` after the last.
    fn open(&self, job: usize) -> Option<Result<BatchStream>> {
        let (source, split) = self.jobs.get(job)?;
        let source = self.sources.get(*source)?;
        Some(guarded(source.name(), || source.open_split(*split, &self.options)))
    }

    /// The next batch of an opened job, in the joint schema; counts what was left out at its end.
    fn next(&self, job: usize, stream: &mut BatchStream) -> Option<Result<RecordBatch>> {
        loop {
            match guarded(self.name_of(job), || stream.next().transpose()).transpose() {
                None => {
                    for (reason, rows) in stream.left_out().counts() {
                        self.left_out.add(reason, rows);
                    }
                    return None;
                }
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(batch) => return Some(batch.and_then(|batch| conform(&batch, &self.schema, self.name_of(job)))),
            }
        }
    }
}

/// Reading in the calling thread.
#[derive(Default)]
struct Here {
    job: usize,
    stream: Option<BatchStream>,
}

impl Here {
    fn next(&mut self, plan: &Plan) -> Option<Result<Tagged>> {
        loop {
            if let Some(stream) = &mut self.stream {
                if let Some(batch) = plan.next(self.job, stream) {
                    return Some(batch.map(|batch| Tagged { source: plan.source_of(self.job), batch }));
                }
                self.stream = None;
                self.job += 1;
            }
            match plan.open(self.job)? {
                Ok(stream) => self.stream = Some(stream),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The schema that all sources share.
fn joint_schema(sources: &[Arc<dyn Source>], options: &ReadOptions) -> Result<SchemaRef> {
    let Some((first, others)) = sources.split_first() else {
        return Err(Error::Parameter { name: "sources", problem: "there is nothing to read".to_owned() });
    };
    let mut fields: Vec<Field> = first.read_schema(options)?.fields().iter().map(|field| field.as_ref().clone()).collect();
    for other in others {
        let schema = other.read_schema(options)?;
        let differs = |column: &str, problem: &str| Error::Data {
            file: other.name().to_owned(),
            record: None,
            column: Some(column.to_owned()),
            problem: format!("{problem} {}", first.name()),
            remedy: "give only files of one table, with the same columns in the same order".to_owned(),
        };
        for (position, field) in fields.iter_mut().enumerate() {
            let Some(theirs) = schema.fields().get(position) else {
                return Err(differs(field.name(), "the column is missing here and present in"));
            };
            if theirs.name() != field.name() {
                return Err(differs(theirs.name(), "the column stands elsewhere or is not present in"));
            }
            let data_type = joint_type(field.data_type(), theirs.data_type())
                .ok_or_else(|| differs(field.name(), &format!("the column is {} here and {} in", theirs.data_type(), field.data_type())))?;
            *field = Field::new(field.name(), data_type, field.is_nullable() || theirs.is_nullable());
        }
        if let Some(extra) = schema.fields().get(fields.len()) {
            return Err(differs(extra.name(), "the column is not present in"));
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn joint_type(a: &DataType, b: &DataType) -> Option<DataType> {
    fn is_text(data_type: &DataType) -> bool {
        match data_type {
            DataType::Dictionary(_, values) => is_text(values),
            other => matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
        }
    }
    if a == b {
        Some(a.clone())
    } else if is_text(a) && is_text(b) {
        Some(DataType::Utf8)
    } else {
        None
    }
}

/// The batch in the joint schema: only the representation of text may differ.
fn conform(batch: &RecordBatch, schema: &SchemaRef, name: &str) -> Result<RecordBatch> {
    if Arc::ptr_eq(batch.schema_ref(), schema) {
        return Ok(batch.clone());
    }
    if batch.num_columns() != schema.fields().len() {
        return Err(Error::data(name, None, "a batch has another number of columns than its schema", "have the file written again"));
    }
    let columns: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                Ok(Arc::clone(column))
            } else {
                cast(column, field.data_type()).map_err(|e| Error::arrow("reading text", &e))
            }
        })
        .collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(|e| Error::arrow("joining sources", &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::source::MemorySource;
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Splits of batches of one row; the value says which row of all it is. Opening and decoding is counted.
    #[derive(Debug)]
    struct Numbers {
        splits: usize,
        rows: usize,
        first: usize,
        decoded: Arc<AtomicUsize>,
        fault: Option<(usize, usize, Fault)>,
    }

    #[derive(Debug, Clone, Copy)]
    enum Fault {
        Error,
        Panic,
    }

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
    }

    fn numbers(splits: usize, rows: usize, first: usize, fault: Option<(usize, usize, Fault)>) -> Arc<Numbers> {
        Arc::new(Numbers { splits, rows, first, decoded: Arc::default(), fault })
    }

    impl Source for Numbers {
        fn name(&self) -> &'static str {
            "numbers"
        }

        fn schema(&self) -> SchemaRef {
            schema()
        }

        fn splits(&self) -> usize {
            self.splits
        }

        fn open_split(&self, split: usize, _: &ReadOptions) -> Result<BatchStream> {
            let (first, fault, decoded) = (self.first + split * self.rows, self.fault, Arc::clone(&self.decoded));
            let left_out = Arc::new(LeftOut::default());
            left_out.add("test", 1);
            let batches = (0..self.rows).map(move |row| {
                match fault {
                    Some((s, r, Fault::Error)) if (s, r) == (split, row) => {
                        return Err(Error::data("numbers", Some(1), "broken", "mend it"));
                    }
                    Some((s, r, Fault::Panic)) if (s, r) == (split, row) => panic!("secret-value"),
                    _ => {}
                }
                decoded.fetch_add(1, Ordering::SeqCst);
                let value = i64::try_from(first + row).unwrap_or_default();
                RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(vec![value]))]).map_err(|e| Error::arrow("test", &e))
            });
            Ok(BatchStream::new(schema(), batches).with_left_out(left_out))
        }
    }

    const BUDGETS: [Budget; 3] = [BUDGET, Budget { ahead: 1, current: 1 }, Budget { ahead: 200, current: 1 }];

    fn with_threads(threads: usize) -> ReadOptions {
        ReadOptions { threads, ..ReadOptions::default() }
    }

    fn value(tagged: &Tagged) -> i64 {
        tagged.batch.column(0).as_primitive::<Int64Type>().value(0)
    }

    #[test]
    fn order_and_tags_hold_for_any_threads_and_budget() -> Result<()> {
        let sources: Vec<Arc<dyn Source>> =
            vec![numbers(5, 3, 0, None), numbers(0, 3, 0, None), numbers(1, 4, 15, None), numbers(40, 1, 19, None)];
        for threads in [1, 2, 4, 64] {
            for budget in BUDGETS {
                let stream = read_within(budget, &sources, &with_threads(threads))?;
                let left_out = stream.left_out();
                let all: Vec<Tagged> = stream.collect::<Result<_>>()?;
                assert_eq!(all.iter().map(value).collect::<Vec<_>>(), (0..59).collect::<Vec<_>>());
                let rows = |source| all.iter().filter(|tagged| tagged.source == source).count();
                assert_eq!([rows(0), rows(1), rows(2), rows(3)], [15, 0, 4, 40]);
                assert_eq!(left_out.counts().get("test"), Some(&46), "one for each split");
            }
        }
        Ok(())
    }

    #[test]
    fn an_error_or_a_panic_comes_after_the_rows_before_it_and_ends_the_stream() -> Result<()> {
        for fault in [Fault::Error, Fault::Panic] {
            for threads in [1, 2, 4] {
                for budget in BUDGETS {
                    let sources: Vec<Arc<dyn Source>> = vec![numbers(6, 3, 0, Some((2, 1, fault))), numbers(6, 3, 0, None)];
                    let mut stream = read_within(budget, &sources, &with_threads(threads))?;
                    let before: Vec<i64> = stream.by_ref().map_while(Result::ok).map(|tagged| value(&tagged)).collect();
                    assert_eq!(before, (0..7).collect::<Vec<_>>());
                    assert!(stream.next().is_none());
                    let mut stream = read_within(budget, &sources, &with_threads(threads))?;
                    let error = stream.find_map(Result::err).map(|e| (e.exit_code(), e.to_string())).unwrap_or_default();
                    assert!(error.0 == 1 && error.1.starts_with("numbers") && !error.1.contains("secret"), "{error:?}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn reading_ahead_keeps_to_the_budget() -> Result<()> {
        let source = numbers(50, 1, 0, None);
        let decoded = Arc::clone(&source.decoded);
        let bytes = size_of::<i64>();
        let budget = Budget { ahead: 3 * bytes, current: bytes };
        let mut stream = read_within(budget, &[source as Arc<dyn Source>], &with_threads(4))?;
        assert!(stream.next().is_some());
        std::thread::sleep(std::time::Duration::from_millis(50));
        // One given, one waiting as current, three ahead, and one in the hand of each thread.
        assert!(decoded.load(Ordering::SeqCst) <= 1 + 1 + 3 + 4, "{}", decoded.load(Ordering::SeqCst));
        assert_eq!(stream.count(), 49);
        Ok(())
    }

    #[test]
    fn threads_stop_when_the_stream_is_dropped() -> Result<()> {
        let source = numbers(1000, 10, 0, None);
        let decoded = Arc::clone(&source.decoded);
        let weak = Arc::downgrade(&source);
        let mut stream = read_within(Budget { ahead: 1, current: 1 }, &[source as Arc<dyn Source>], &with_threads(4))?;
        assert!(stream.next().is_some());
        drop(stream);
        assert!(weak.upgrade().is_none(), "no thread holds the source any more");
        assert!(decoded.load(Ordering::SeqCst) < 100);
        Ok(())
    }

    #[test]
    fn one_thread_reads_in_the_calling_thread_and_only_on_demand() -> Result<()> {
        let source = numbers(3, 3, 0, None);
        let decoded = Arc::clone(&source.decoded);
        let mut stream = read_tagged(&[source as Arc<dyn Source>], &with_threads(1))?;
        assert_eq!(decoded.load(Ordering::SeqCst), 0);
        assert!(stream.next().is_some());
        assert_eq!(decoded.load(Ordering::SeqCst), 1);
        Ok(())
    }

    #[test]
    fn different_schemas_are_refused_by_name() -> Result<()> {
        let make = |name: &str, fields: Vec<Field>| -> Result<Arc<dyn Source>> {
            Ok(Arc::new(MemorySource::new(name, Arc::new(Schema::new(fields)), vec![])?))
        };
        let (int, text) = (|name: &str| Field::new(name, DataType::Int64, true), |name: &str| Field::new(name, DataType::Utf8, true));
        let first = make("first", vec![int("a"), text("b")])?;
        for (fields, column) in [
            (vec![int("a"), int("b")], "b"),
            (vec![int("a")], "b"),
            (vec![int("a"), text("b"), text("c")], "c"),
            (vec![text("b"), int("a")], "b"),
        ] {
            let other = make("second", fields)?;
            let error = read(&[Arc::clone(&first), other], &with_threads(1)).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains("first") && error.contains("second") && error.contains(&format!("column {column}")), "{error}");
        }
        assert!(read(&[], &with_threads(1)).is_err());
        Ok(())
    }

    #[test]
    fn representations_of_text_are_joined() -> Result<()> {
        use arrow::array::{ArrayRef, DictionaryArray, LargeStringArray, StringArray, StringViewArray};
        use arrow::datatypes::Int32Type;
        let texts = ["x", "y"];
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(texts)),
            Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>()),
            Arc::new(LargeStringArray::from_iter_values(texts)),
            Arc::new(StringViewArray::from_iter_values(texts)),
        ];
        let sources: Vec<Arc<dyn Source>> = arrays
            .into_iter()
            .map(|array| {
                let batch = RecordBatch::try_from_iter([("t", array)]).map_err(|e| Error::arrow("test", &e))?;
                Ok(Arc::new(MemorySource::new("memory", batch.schema(), vec![batch])?) as Arc<dyn Source>)
            })
            .collect::<Result<_>>()?;
        for threads in [1, 3] {
            let stream = read(&sources, &with_threads(threads))?;
            assert_eq!(stream.schema().field(0).data_type(), &DataType::Utf8);
            let found: Vec<String> = stream
                .map(|batch| batch.map(|batch| batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()))
                .collect::<Result<Vec<_>>>()?
                .concat();
            assert_eq!(found, texts.repeat(4));
        }
        Ok(())
    }
}
