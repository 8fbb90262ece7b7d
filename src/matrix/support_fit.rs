//! Item support, for record batches.

use super::content::{ColumnContent, check_type, columns_of};
use crate::error::{Error, Result};
use crate::pipeline::{Fit, Transform, column_index};
use crate::policy::Otherwise;
use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{Field, Schema, SchemaRef};
use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

/// Learns which rows may show their item: those whose item at least `min_subjects` people share.
///
/// Item columns are given finest first (track, artist, genre). What has to be shared is the combination of the item columns that a row would show. A row whose
/// combination has too few people is left out ([`Otherwise::Suppress`]) or loses its finest item, and is then counted with the other rows that lost theirs
/// ([`Otherwise::Generalize`]); see [`generalize_items`](super::generalize_items). Rows without a subject are left out.
///
/// Memory grows with the distinct pairs of subject and item combination. For data that does not fit use [`generalize_items`](super::generalize_items) on codes.
///
/// # Guarantee
/// After the transform, every combination of item columns that occurs (missing values included) belongs to at least `min_subjects` distinct subjects, in the rows that were observed.
/// This is item support, not k-anonymity: several common items together may still single a person out.
///
/// ```
/// # use std::sync::Arc;
/// use backmask::arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
/// use backmask::{matrix::ItemSupportFit, pipeline::{Fit, Transform}, policy::Otherwise};
/// let column = |values: [&str; 5]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
/// let batch = RecordBatch::try_from_iter([
///     ("subject_id", column(["ann", "bob", "ann", "bob", "ann"])),
///     ("track", column(["t1", "t1", "t2", "t3", "t4"])),
///     ("artist", column(["a1", "a1", "a1", "a1", "a2"])),
/// ])?;
/// let mut fit = ItemSupportFit::new("subject_id", ["track", "artist"], 2, Otherwise::Generalize)?;
/// fit.observe(&batch)?;
/// let released = fit.finish()?.apply(&batch)?;
/// assert_eq!(released.num_rows(), 4); // t1 twice as it is, t2 and t3 as "some track of a1", t4 not at all
/// assert_eq!(released.column(1).null_count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ItemSupportFit {
    columns: Arc<ItemColumns>,
    subjects: HashMap<Vec<u8>, u32>,
    /// Combinations of all item columns, each with its subjects.
    items: HashMap<Vec<u8>, HashSet<u32>>,
}

#[derive(Debug, PartialEq, Eq)]
struct ItemColumns {
    subject: String,
    items: Vec<String>,
    min_subjects: u64,
    otherwise: Otherwise,
}

impl ItemSupportFit {
    /// Counts distinct values of the column `subject` for the item columns `items`, finest first.
    ///
    /// # Errors
    /// No item column is named, one is named twice, or the subject is one of them.
    pub fn new<S: Into<String>>(
        subject: impl Into<String>,
        items: impl IntoIterator<Item = S>,
        min_subjects: u64,
        otherwise: Otherwise,
    ) -> Result<Self> {
        let (subject, items): (String, Vec<String>) = (subject.into(), items.into_iter().map(Into::into).collect());
        let distinct = items.iter().chain([&subject]).collect::<HashSet<_>>().len();
        if items.is_empty() || distinct != items.len() + 1 {
            return Err(Error::Parameter {
                name: "items",
                problem: "needs one or more different columns, none of them the subject".to_owned(),
            });
        }
        let columns = Arc::new(ItemColumns { subject, items, min_subjects, otherwise });
        Ok(Self { columns, subjects: HashMap::new(), items: HashMap::new() })
    }

    fn add(&mut self, subject: &[u8], items: &[u8]) -> Result<()> {
        let next = u32::try_from(self.subjects.len())
            .map_err(|_| Error::Parameter { name: "subjects", problem: "more people than 32-bit codes can name".to_owned() })?;
        let subject = *self.subjects.entry_ref(subject).or_insert(next);
        self.items.entry_ref(items).or_default().insert(subject);
        Ok(())
    }
}

impl ItemColumns {
    /// The levels that may be shown: all with generalization, the first without.
    fn levels(&self) -> usize {
        match self.otherwise {
            Otherwise::Generalize => self.items.len(),
            Otherwise::Suppress => 1,
        }
    }

    /// Calls `visit` with row number, subject and item combination of every row that has a subject.
    fn for_each(&self, batch: &RecordBatch, mut visit: impl FnMut(usize, &[u8], &[u8]) -> Result<()>) -> Result<()> {
        let subjects = columns_of(batch, std::slice::from_ref(&self.subject))?;
        let items = columns_of(batch, &self.items)?;
        let (mut subject, mut combination) = (Vec::new(), Vec::new());
        for row in 0..batch.num_rows() {
            if subjects.iter().any(|column| column.is_missing(row)) {
                continue;
            }
            subject.clear();
            combination.clear();
            for column in &subjects {
                column.append(row, &mut subject);
            }
            for column in &items {
                column.append(row, &mut combination);
            }
            visit(row, &subject, &combination)?;
        }
        Ok(())
    }
}

/// The combination of the coarser columns: `items` without the encoding of its first column. `None` if there is no further column.
fn coarser(items: &[u8]) -> Option<&[u8]> {
    items.get(ColumnContent::encoded_length(items)?..)
}

/// Whether the finest column of a combination has a value.
fn is_shown(items: &[u8]) -> bool {
    !items.is_empty() && !ColumnContent::is_missing_encoding(items)
}

impl Fit for ItemSupportFit {
    type Output = SupportedRows;

    fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = Arc::clone(&self.columns);
        columns.for_each(batch, |_, subject, items| self.add(subject, items))
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        if self.columns != other.columns {
            return Err(Error::Parameter { name: "items", problem: "accumulators with different parameters cannot be merged".to_owned() });
        }
        let mut names = vec![&[][..]; other.subjects.len()];
        for (name, &code) in &other.subjects {
            names[code as usize] = name;
        }
        for (items, subjects) in &other.items {
            subjects.iter().try_for_each(|&subject| self.add(names[subject as usize], items))?;
        }
        Ok(())
    }

    /// Two arrays: the subject and the item combination (both encoded) of every distinct pair.
    fn state(&self) -> Result<Vec<ArrayRef>> {
        let mut names = vec![&[][..]; self.subjects.len()];
        for (name, &code) in &self.subjects {
            names[code as usize] = name;
        }
        let bytes: usize = self.items.iter().map(|(items, subjects)| items.len() * subjects.len()).sum();
        if i32::try_from(bytes).is_err() {
            return Err(Error::Parameter {
                name: "state",
                problem: "more than 2 GiB of item combinations; use fewer rows an accumulator".to_owned(),
            });
        }
        let (mut subjects, mut combinations) = (BinaryBuilder::new(), BinaryBuilder::new());
        for (items, people) in &self.items {
            for &subject in people {
                subjects.append_value(names[subject as usize]);
                combinations.append_value(items);
            }
        }
        Ok(vec![Arc::new(subjects.finish()), Arc::new(combinations.finish())])
    }

    fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()> {
        let [subjects, items] = state else { return Err(not_a_state()) };
        let (Some(subjects), Some(items)) = (subjects.as_binary_opt::<i32>(), items.as_binary_opt::<i32>()) else {
            return Err(not_a_state());
        };
        if subjects.len() != items.len() || subjects.null_count() + items.null_count() > 0 {
            return Err(not_a_state());
        }
        subjects.iter().flatten().zip(items.iter().flatten()).try_for_each(|(subject, items)| self.add(subject, items))
    }

    fn finish(self) -> Result<SupportedRows> {
        let mut remaining: Vec<(&[u8], &HashSet<u32>)> = self.items.iter().map(|(items, people)| (items.as_slice(), people)).collect();
        let mut supported = Vec::with_capacity(self.columns.levels());
        for _ in 0..self.columns.levels() {
            let mut people: HashMap<&[u8], HashSet<u32>> = HashMap::new();
            for (items, own) in remaining.iter().filter(|(items, _)| is_shown(items)) {
                people.entry(items).or_default().extend(own.iter());
            }
            people.retain(|_, people| people.len() as u64 >= self.columns.min_subjects);
            remaining.retain(|(items, _)| !people.contains_key(items));
            supported.push(people.into_keys().map(<[u8]>::to_vec).collect());
            remaining = remaining.into_iter().filter_map(|(items, people)| Some((coarser(items)?, people))).collect();
        }
        Ok(SupportedRows { columns: self.columns, supported })
    }
}

fn not_a_state() -> Error {
    Error::Parameter { name: "state", problem: "is not that of item support: needs encoded subjects and items".to_owned() }
}

/// Leaves out rows whose item too few people share, or blanks their finer items.
#[derive(Debug, Clone)]
pub struct SupportedRows {
    columns: Arc<ItemColumns>,
    /// For each level, finest first, the combinations that may be shown.
    supported: Vec<HashSet<Vec<u8>>>,
}

impl SupportedRows {
    /// Number of item combinations that may be shown at a level (0 is the finest).
    #[must_use]
    pub fn supported(&self, level: usize) -> usize {
        self.supported.get(level).map_or(0, HashSet::len)
    }

    fn level_of(&self, mut items: &[u8]) -> Option<usize> {
        for (level, supported) in self.supported.iter().enumerate() {
            if is_shown(items) && supported.contains(items) {
                return Some(level);
            }
            items = coarser(items)?;
        }
        None
    }
}

impl Transform for SupportedRows {
    fn output_schema(&self, input: &Schema) -> Result<SchemaRef> {
        check_type(&self.columns.subject, input.field(column_index(input, &self.columns.subject)?).data_type())?;
        let mut fields = input.fields().to_vec();
        for (level, name) in self.columns.items.iter().enumerate() {
            let index = column_index(input, name)?;
            check_type(name, input.field(index).data_type())?;
            if level + 1 < self.columns.levels() {
                fields[index] = Arc::new(Field::clone(&fields[index]).with_nullable(true));
            }
        }
        Ok(Arc::new(Schema::new_with_metadata(fields, input.metadata().clone())))
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = self.output_schema(batch.schema_ref())?;
        let mut levels: Vec<Option<usize>> = vec![None; batch.num_rows()];
        self.columns.for_each(batch, |row, _, items| {
            levels[row] = self.level_of(items);
            Ok(())
        })?;
        let keep = BooleanArray::from(levels.iter().map(Option::is_some).collect::<Vec<_>>());
        let kept = filter_record_batch(batch, &keep).map_err(|e| Error::arrow("leaving out rows with rare items", &e))?;
        let levels: Vec<usize> = levels.into_iter().flatten().collect();
        let mut columns = kept.columns().to_vec();
        for (level, name) in self.columns.items.iter().enumerate() {
            if levels.iter().any(|&own| own > level) {
                let index = column_index(&schema, name)?;
                columns[index] = blank(&columns[index], &levels, level)?;
            }
        }
        RecordBatch::try_new(schema, columns).map_err(|e| Error::arrow("assembling a batch", &e))
    }
}

/// The array with nulls where the row's level is coarser than `level`.
fn blank(array: &ArrayRef, levels: &[usize], level: usize) -> Result<ArrayRef> {
    let shown = BooleanArray::from(levels.iter().map(|&own| own <= level).collect::<Vec<_>>());
    let nothing = arrow::array::Scalar::new(new_null_array(array.data_type(), 1));
    zip(&shown, array, &nothing).map_err(|e| Error::arrow("blanking rare items", &e))
}
