//! Reading the sensitive values of a released table, and the population beside it.

use super::achieved::ModelReport;
use super::counter::{ClassCounter, NOBODY, People, column};
use super::identity::{Identity, identities};
use crate::error::{Error, Result};
use crate::pipeline::Fit;
use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, Int32Array, LargeStringArray, RecordBatch, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, UInt64Type};
use hashbrown::HashMap;
use std::sync::Arc;

/// What was counted, in a state.
const CLASSES: i32 = -1;
const POPULATION: i32 = -2;

/// (class, sensitive column, value, person)
type Entry = (Identity, usize, Option<String>, Identity);

/// Counts classes as [`ClassCounter`] does, the people with every sensitive value in them, and the people of a population. Memory grows with distinct
/// (class, value, person).
///
/// ```
/// use backmask::anonymity::verify::{Basis, ModelCounter, People};
/// use backmask::arrow::array::{ArrayRef, RecordBatch, StringArray};
/// use backmask::pipeline::Fit;
/// use backmask::policy::Model;
/// use std::sync::Arc;
///
/// let birth: ArrayRef = Arc::new(StringArray::from(vec!["1980s", "1980s", "1990s", "1990s"]));
/// let mood: ArrayRef = Arc::new(StringArray::from(vec!["calm", "wild", "calm", "calm"]));
/// let mut counter = ModelCounter::new(["birth"], ["mood"], People::OneRowEach);
/// counter.observe(&RecordBatch::try_from_iter([("birth", birth), ("mood", mood)])?)?;
/// let report = counter.finish()?;
/// let model = Model::DistinctLDiversity { column: "mood".to_owned(), l: 2 };
/// let found = report.check(&model, &Basis::default())?;
/// assert_eq!((found.achieved, found.holds), (Some(1.0), false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ModelCounter {
    quasi_identifiers: Vec<String>,
    sensitive: Vec<String>,
    people: People,
    classes: ClassCounter,
    values: HashMap<Entry, u64>,
    population: HashMap<Identity, u64>,
    /// Whether the values of each sensitive column are numbers.
    numbers: Vec<bool>,
}

impl ModelCounter {
    /// For these quasi-identifiers and sensitive columns.
    pub fn new(
        quasi_identifiers: impl IntoIterator<Item = impl Into<String>>,
        sensitive: impl IntoIterator<Item = impl Into<String>>,
        people: People,
    ) -> Self {
        let quasi_identifiers: Vec<String> = quasi_identifiers.into_iter().map(Into::into).collect();
        let sensitive: Vec<String> = sensitive.into_iter().map(Into::into).collect();
        Self {
            classes: ClassCounter::new(quasi_identifiers.iter().cloned(), people.clone()),
            numbers: vec![false; sensitive.len()],
            quasi_identifiers,
            sensitive,
            people,
            values: HashMap::new(),
            population: HashMap::new(),
        }
    }

    /// Counts rows of the population, one a person, generalized in the same way as the release.
    ///
    /// # Errors
    /// A quasi-identifier is missing or cannot be compared.
    pub fn observe_population(&mut self, batch: &RecordBatch) -> Result<()> {
        let names: Vec<&str> = self.quasi_identifiers.iter().map(String::as_str).collect();
        let columns = names.iter().map(|name| column(batch, name)).collect::<Result<Vec<_>>>()?;
        for class in identities(&names, &columns, batch.num_rows())? {
            add(&mut self.population, class, 1)?;
        }
        Ok(())
    }
}

fn add<T: Eq + std::hash::Hash>(counts: &mut HashMap<T, u64>, key: T, rows: u64) -> Result<()> {
    let count = counts.entry(key).or_insert(0);
    *count = count.checked_add(rows).ok_or_else(|| Error::Parameter { name: "rows", problem: "are more than 2^64 - 1".to_owned() })?;
    Ok(())
}

fn value_type(data_type: &DataType) -> &DataType {
    if let DataType::Dictionary(_, values) = data_type { values } else { data_type }
}

impl Fit for ModelCounter {
    type Output = ModelReport;

    fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        self.classes.observe(batch)?;
        if self.sensitive.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = self.quasi_identifiers.iter().map(String::as_str).collect();
        let columns = names.iter().map(|name| column(batch, name)).collect::<Result<Vec<_>>>()?;
        let classes = identities(&names, &columns, batch.num_rows())?;
        let people = match self.people.column() {
            None => vec![NOBODY; batch.num_rows()],
            Some(name) => identities(&[name], &[column(batch, name)?], batch.num_rows())?,
        };
        for (index, name) in self.sensitive.iter().enumerate() {
            let array = column(batch, name)?;
            self.numbers[index] |= value_type(array.data_type()).is_numeric();
            let texts = cast(array, &DataType::LargeUtf8).map_err(|e| Error::arrow(format!("reading column {name}"), &e))?;
            let texts = texts.as_string::<i64>();
            for (row, (class, person)) in classes.iter().zip(&people).enumerate() {
                let text = texts.is_valid(row).then(|| texts.value(row).to_owned());
                add(&mut self.values, (*class, index, text, *person), 1)?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        if self.sensitive != other.sensitive {
            return Err(Error::Parameter { name: "other", problem: "was made for other columns".to_owned() });
        }
        self.classes.merge(other.classes)?;
        other.values.into_iter().try_for_each(|(entry, rows)| add(&mut self.values, entry, rows))?;
        other.population.into_iter().try_for_each(|(class, rows)| add(&mut self.population, class, rows))?;
        self.numbers.iter_mut().zip(other.numbers).for_each(|(one, other)| *one |= other);
        Ok(())
    }

    /// Six arrays: what (−1 class, −2 population, else the number of the sensitive column), class (32 bytes), person (32 bytes), value, rows, and whether the
    /// value is a number (0 or 1).
    fn state(&self) -> Result<Vec<ArrayRef>> {
        let (mut what, mut ids, mut people, mut texts, mut rows, mut numbers) = (vec![], vec![], vec![], vec![], vec![], vec![]);
        let mut push = |kind: i32, class: &[u8], person: &[u8], text: Option<&str>, count: u64, number: bool| {
            what.push(kind);
            ids.extend_from_slice(class);
            people.extend_from_slice(person);
            texts.push(text.map(str::to_owned));
            rows.push(count);
            numbers.push(i32::from(number));
        };
        let classes = self.classes.state()?;
        let (class, person, count) =
            (classes[0].as_fixed_size_binary(), classes[1].as_fixed_size_binary(), classes[2].as_primitive::<UInt64Type>());
        for row in 0..count.len() {
            push(CLASSES, class.value(row), person.value(row), None, count.value(row), false);
        }
        for ((class, index, text, person), &count) in &self.values {
            let column = i32::try_from(*index).map_err(|_| wrong())?;
            push(column, class, person, text.as_deref(), count, self.numbers[*index]);
        }
        for (class, &count) in &self.population {
            push(POPULATION, class, &NOBODY, None, count, false);
        }
        let binary = |bytes: Vec<u8>| -> Result<ArrayRef> {
            Ok(Arc::new(FixedSizeBinaryArray::try_new(32, bytes.into(), None).map_err(|e| Error::arrow("writing the state", &e))?))
        };
        Ok(vec![
            Arc::new(Int32Array::from(what)),
            binary(ids)?,
            binary(people)?,
            Arc::new(LargeStringArray::from(texts)),
            Arc::new(UInt64Array::from(rows)),
            Arc::new(Int32Array::from(numbers)),
        ])
    }

    fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()> {
        let [what, classes, people, texts, rows, numbers] = state else { return Err(wrong()) };
        let (Some(what), Some(classes), Some(people), Some(texts), Some(rows), Some(numbers)) = (
            what.as_primitive_opt::<Int32Type>(),
            classes.as_fixed_size_binary_opt(),
            people.as_fixed_size_binary_opt(),
            texts.as_string_opt::<i64>(),
            rows.as_primitive_opt::<UInt64Type>(),
            numbers.as_primitive_opt::<Int32Type>(),
        ) else {
            return Err(wrong());
        };
        let length = what.len();
        if [classes.len(), people.len(), texts.len(), rows.len(), numbers.len()].iter().any(|&other| other != length) {
            return Err(wrong());
        }
        let mut counted = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..length {
            let class: Identity = classes.value(row).try_into().map_err(|_| wrong())?;
            let person: Identity = people.value(row).try_into().map_err(|_| wrong())?;
            match what.value(row) {
                CLASSES => {
                    counted.0.extend_from_slice(&class);
                    counted.1.extend_from_slice(&person);
                    counted.2.push(rows.value(row));
                }
                POPULATION => add(&mut self.population, class, rows.value(row))?,
                column => {
                    let index = usize::try_from(column).ok().filter(|&index| index < self.sensitive.len()).ok_or_else(wrong)?;
                    self.numbers[index] |= numbers.value(row) == 1;
                    let text = texts.is_valid(row).then(|| texts.value(row).to_owned());
                    add(&mut self.values, (class, index, text, person), rows.value(row))?;
                }
            }
        }
        let binary =
            |bytes: Vec<u8>| FixedSizeBinaryArray::try_new(32, bytes.into(), None).map_err(|e| Error::arrow("reading the state", &e));
        self.classes.merge_state(&[Arc::new(binary(counted.0)?), Arc::new(binary(counted.1)?), Arc::new(UInt64Array::from(counted.2))])
    }

    fn finish(self) -> Result<ModelReport> {
        let sensitive = self.sensitive.into_iter().zip(self.numbers).collect();
        ModelReport::new(self.classes, &self.people, sensitive, self.values, self.population)
    }
}

fn wrong() -> Error {
    Error::Parameter { name: "state", problem: "is not a state of this counter".to_owned() }
}
