//! New rows under a fitted scheme.

use super::Fitted;
use super::classes::{Labels, labels};
use crate::anonymity::hierarchy;
use crate::error::{Error, Result};
use crate::io::table::{ColumnInterner, NULL_CODE};
use crate::pipeline::{Kernel, Transform, apply_once, name_column, unpack, value_type};
use crate::policy::{Model, Policy, RecordsProduct, Role, Search, Table, Treatment};
use crate::release::records::TOKEN;
use crate::transform;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringArray, new_empty_array, new_null_array};
use arrow::compute::{concat, filter_record_batch, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What becomes of new rows that the release has no place for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outside {
    /// They are left out, and counted.
    #[default]
    LeaveOut,
    /// They are an error that counts them.
    Error,
}

/// New rows that were left out, by reason. A row is counted once, under the first reason that applies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOutRows {
    /// Rows with a value that the hierarchy of the column does not know.
    pub unknown: BTreeMap<String, u64>,
    /// Rows without a value in a column where that is an error.
    pub missing: BTreeMap<String, u64>,
    /// Rows whose class was not released: nobody had it, or too few had and it was suppressed.
    pub no_class: u64,
}

impl LeftOutRows {
    /// All of them.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.unknown.values().chain(self.missing.values()).fold(self.no_class, |sum, &rows| sum.saturating_add(rows))
    }

    /// Adds what was left out of other rows.
    pub fn merge(&mut self, other: &Self) {
        for (name, &rows) in &other.unknown {
            let sum = self.unknown.entry(name.clone()).or_insert(0);
            *sum = sum.saturating_add(rows);
        }
        for (name, &rows) in &other.missing {
            let sum = self.missing.entry(name.clone()).or_insert(0);
            *sum = sum.saturating_add(rows);
        }
        self.no_class = self.no_class.saturating_add(other.no_class);
    }
}

/// The fitted scheme of one product: what the release made of a row, it makes of new rows. Treatments come first, then the hierarchies at the levels of
/// the release. It is a [`Transform`]; what comes out does not depend on how rows are split into batches.
///
/// # Guarantee
/// A new row is released only in a class that the release has. So, **if every person has one row in the release and the new rows together, and the release
/// satisfied its models**, releasing the new rows beside the old ones
///
/// - keeps k-anonymity, k-map, distinct l-diversity, the average risk and the uniqueness in the data: classes grow, none is added, and no sensitive value leaves a class;
/// - may break entropy and recursive l-diversity, t-closeness, δ-disclosure, β-likeness, δ-presence and estimates of uniqueness in the population: they compare
///   shares, and new rows move them. [`Recoding::to_recheck`] names these models. Count them over old and new rows together before anything is handed over:
///   [`verify_table`](crate::release::verify_table) takes both files as one table, and is the recheck.
///
/// Where people have several rows, nothing follows from the new rows alone; recheck everything. People who are in the release already must not be among
/// the new rows: whoever knows that two rows are one person intersects their classes. New rows alone, without the old ones, promise nothing. A class that the
/// new rows would make, however large, is left out: to release it, make the release anew.
///
/// At a level where everything is `*` any value is known.
///
/// ```
/// use backmask::arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use backmask::pipeline::Transform;
/// use backmask::{policy::Policy, release::Scheme};
/// use std::sync::Arc;
///
/// let policy = Policy::from_toml(r#"
///     version = 1
///     name = "births"
///     [columns.year]
///     role = "quasi-identifier"
///     hierarchy = { intervals = [10] }
///     [[products]]
///     name = "people"
///     kind = "records"
///     models = [{ name = "k-anonymity", k = 2 }]
/// "#)?;
/// // In practice: Scheme::from_path("out/steward/transformation.json")?
/// let scheme = Scheme::from_json(r#"{ "schema": 1, "products": { "people": {
///     "columns": { "year": { "level": 1, "scheme": { "column": "year", "rule": { "intervals": { "widths": [10.0], "origin": 0.0 } }, "height": 2 } } },
///     "classes": { "columns": ["year"], "labels": [["[1980, 1990)"]], "rows": [3] } } } }"#)?;
/// let recoding = scheme.recoding(&policy, "people")?;
/// let years: ArrayRef = Arc::new(Int64Array::from(vec![1984, 2001]));
/// let (released, left_out) = recoding.recode(&RecordBatch::try_from_iter([("year", years)])?)?;
/// assert_eq!((released.num_rows(), left_out.no_class), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recoding {
    quasi_identifiers: BTreeMap<String, QuasiIdentifier>,
    classes: HashMap<Labels, u64>,
    models: Vec<Model>,
    policy: Policy,
    table: Table,
    /// The columns that the product lists.
    listed: Option<Vec<String>>,
    keeps_subject: bool,
    tokens: Option<Arc<dyn Kernel>>,
    outside: Outside,
    left_out: Mutex<LeftOutRows>,
}

#[derive(Debug)]
struct QuasiIdentifier {
    level: usize,
    scheme: hierarchy::Scheme,
    treatment: Option<Arc<dyn Kernel>>,
    refuses_missing: bool,
}

/// What becomes of one column.
enum Part<'a> {
    Token(&'a dyn Kernel),
    Generalized(&'a QuasiIdentifier),
    Treated(Arc<dyn Kernel>),
    Kept,
}

impl Recoding {
    pub(super) fn new(policy: &Policy, product: &RecordsProduct, fitted: &Fitted) -> Result<Self> {
        let key = |field: &str| format!("products.{}.{field}", product.name);
        let anew = "depends on more than single rows, so new rows cannot be added to the product; make the release anew";
        if product.item_support.is_some() {
            return Err(Error::policy(key("item_support"), "counts the people of the whole pool", anew));
        }
        if product.max_events_per_subject.is_some() {
            return Err(Error::policy(key("max_events_per_subject"), "counts the rows of a person in the whole pool", anew));
        }
        if !matches!(product.search, Search::Optimal | Search::Heuristic | Search::Fixed) {
            return Err(Error::policy(key("search"), "recodes rows by their neighbours in the pool", anew));
        }
        let Some(classes) = fitted.classes.clone() else {
            return Err(Error::data(
                "transformation.json",
                None,
                format!("product {}: does not say which classes were released", product.name),
                "make the release anew with this version",
            ));
        };
        let mut quasi_identifiers = BTreeMap::new();
        for (name, (level, scheme)) in &fitted.columns {
            let column = policy.declaration(product.source, name).filter(|column| column.role == Role::QuasiIdentifier);
            let column = column.ok_or_else(|| {
                Error::policy(
                    format!("columns.{name}"),
                    "is no quasi-identifier in the policy, and one in transformation.json",
                    "give the policy of the release",
                )
            })?;
            // Of a null column only its missing values are looked at.
            let refuses_missing = scheme.generalize(0, new_null_array(&DataType::Utf8, 1).as_ref()).is_err();
            let treatment = transform::kernel(column.effective_treatment())?;
            quasi_identifiers.insert(name.clone(), QuasiIdentifier { level: *level, scheme: scheme.clone(), treatment, refuses_missing });
        }
        Ok(Self {
            quasi_identifiers,
            classes,
            models: product.models.clone(),
            policy: policy.clone(),
            table: product.source,
            listed: product.columns.clone(),
            keeps_subject: policy.keeps_subject(product),
            tokens: None,
            outside: Outside::default(),
            left_out: Mutex::default(),
        })
    }

    /// What becomes of rows that the release has no place for.
    #[must_use]
    pub fn outside(self, outside: Outside) -> Self {
        Self { outside, ..self }
    }

    /// What makes the tokens of people, for a product that shows them: a [`Pseudonymizer`](crate::pseudonym::Pseudonymizer) with the key and domain of the
    /// release, or with others if the new rows shall not be joined to the old ones.
    #[must_use]
    pub fn tokens(self, kernel: impl Kernel + 'static) -> Self {
        Self { tokens: Some(Arc::new(kernel)), ..self }
    }

    /// How many classes the release has.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes.len()
    }

    /// Models of the product that new rows may break although every class keeps growing: they must be counted again over old and new rows together.
    #[must_use]
    pub fn to_recheck(&self) -> Vec<&Model> {
        let keeps = |model: &Model| {
            matches!(
                model,
                Model::KAnonymity { .. }
                    | Model::KMap { .. }
                    | Model::DistinctLDiversity { .. }
                    | Model::AverageRisk { .. }
                    | Model::SampleUniqueness { .. }
            )
        };
        self.models.iter().filter(|model| !keeps(model)).collect()
    }

    /// What [`Transform::apply`] left out so far, of all batches and on all threads.
    #[must_use]
    pub fn left_out(&self) -> LeftOutRows {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The rows of a batch as they are released, and what was left out of it.
    ///
    /// # Errors
    /// As for [`Transform::apply`].
    pub fn recode(&self, batch: &RecordBatch) -> Result<(RecordBatch, LeftOutRows)> {
        let schema = self.output_schema(&batch.schema())?;
        let mut rows = Placing::new(batch.num_rows());
        let (mut arrays, mut shown): (Vec<ArrayRef>, BTreeMap<&str, ArrayRef>) = (Vec::new(), BTreeMap::new());
        for (name, index, part) in self.parts(&batch.schema())? {
            let array = batch.column(index);
            arrays.push(match part {
                Part::Kept => unpack(array.as_ref())?,
                Part::Treated(kernel) => apply_once(kernel.as_ref(), array.as_ref()).map_err(|e| name_column(e, name))?,
                Part::Token(kernel) => apply_once(kernel, array.as_ref()).map_err(|e| name_column(e, name))?,
                Part::Generalized(column) => {
                    let array = column.generalize(name, array, &mut rows)?;
                    shown.insert(self.quasi_identifiers.get_key_value(name).map_or("", |(name, _)| name), Arc::clone(&array));
                    array
                }
            });
        }
        if !self.quasi_identifiers.is_empty() {
            let columns: Vec<&dyn Array> = shown.values().map(AsRef::as_ref).collect();
            for (row, class) in labels(&columns, batch.num_rows())?.iter().enumerate() {
                if rows.kept[row] && !self.classes.contains_key(class) {
                    rows.kept[row] = false;
                    rows.left_out.no_class += 1;
                }
            }
        }
        if self.outside == Outside::Error && rows.left_out.rows() > 0 {
            return Err(rows.error());
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let made = RecordBatch::try_new_with_options(schema, arrays, &options).map_err(|e| Error::arrow("assembling rows", &e))?;
        let kept = filter_record_batch(&made, &BooleanArray::from(rows.kept)).map_err(|e| Error::arrow("leaving rows out", &e))?;
        Ok((kept, rows.left_out))
    }

    /// The quasi-identifiers of rows of a population, generalized as those of the release. A value that the hierarchies do not know fits no class.
    pub(in crate::release) fn population(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut rows = Placing::new(batch.num_rows());
        let columns = self
            .quasi_identifiers
            .iter()
            .map(|(name, column)| {
                let array = batch.column_by_name(name).ok_or_else(|| {
                    Error::column(name, "is a quasi-identifier that the file of the population does not have", "add it to the population")
                })?;
                Ok((name, column.generalize(name, array, &mut rows)?, true))
            })
            .collect::<Result<Vec<_>>>()?;
        let made = RecordBatch::try_from_iter_with_nullable(columns).map_err(|e| Error::arrow("generalizing the population", &e))?;
        filter_record_batch(&made, &BooleanArray::from(rows.kept)).map_err(|e| Error::arrow("generalizing the population", &e))
    }

    /// Names of the quasi-identifiers.
    pub(in crate::release) fn quasi_identifiers(&self) -> impl Iterator<Item = &str> {
        self.quasi_identifiers.keys().map(String::as_str)
    }

    /// What becomes of the columns of a batch, in the order of the product: the token first, the others as they come.
    fn parts<'a>(&'a self, input: &'a Schema) -> Result<Vec<(&'a str, usize, Part<'a>)>> {
        let mut parts = Vec::new();
        for (index, field) in input.fields().iter().enumerate() {
            let name = field.name().as_str();
            let column = self
                .policy
                .declaration(self.table, name)
                .ok_or_else(|| Error::column(name, "has no role in the policy", "give it one, or leave it out of the new rows"))?;
            if column.role == Role::Subject {
                if !self.keeps_subject {
                    continue;
                }
                let kernel = self.tokens.as_deref().ok_or_else(|| {
                    Error::column(
                        name,
                        "becomes the tokens of people, and nothing was given that makes them",
                        "give Recoding::tokens a pseudonymizer",
                    )
                })?;
                parts.insert(0, (name, index, Part::Token(kernel)));
                continue;
            }
            let listed = self.listed.as_ref().is_none_or(|listed| listed.iter().any(|listed| listed == name));
            if column.is_dropped() || !listed {
                continue;
            }
            let part = match (self.quasi_identifiers.get(name), column.role, column.effective_treatment()) {
                (Some(known), _, _) => Part::Generalized(known),
                (None, Role::QuasiIdentifier, _) => {
                    return Err(Error::column(
                        name,
                        "is a quasi-identifier that transformation.json does not have",
                        "leave it out of the new rows",
                    ));
                }
                (None, _, Treatment::Pseudonym(_) | Treatment::Shift { .. } | Treatment::Relative) => {
                    return Err(Error::column(
                        name,
                        "is treated by a key or by the other rows of the person, which a fitted scheme does not have",
                        "leave it out of the new rows and of the product, or make the release anew",
                    ));
                }
                (None, _, treatment) => transform::kernel(treatment)?.map_or(Part::Kept, Part::Treated),
            };
            parts.push((name, index, part));
        }
        if let Some(missing) = self.quasi_identifiers.keys().find(|name| input.index_of(name).is_err()) {
            return Err(Error::column(missing, "is a quasi-identifier of the release that the new rows do not have", "add the column"));
        }
        let shown = |name: &&String| {
            let column = self.policy.declaration(self.table, name);
            column.is_some_and(|column| !column.is_dropped() && (column.role != Role::Subject || self.keeps_subject))
        };
        if let Some(missing) = self.listed.iter().flatten().filter(shown).find(|name| input.index_of(name).is_err()) {
            return Err(Error::column(missing, "is in the product and not in the new rows", "add the column"));
        }
        Ok(parts)
    }
}

impl Transform for Recoding {
    fn output_schema(&self, input: &Schema) -> Result<SchemaRef> {
        let fields = self.parts(input)?.into_iter().map(|(name, index, part)| {
            let kind = value_type(input.field(index).data_type()).clone();
            let (name, kind) = match part {
                Part::Kept => (name, kind),
                Part::Treated(kernel) => (name, kernel.output_type(&kind).map_err(|e| name_column(e, name))?),
                Part::Token(kernel) => (TOKEN, kernel.output_type(&kind).map_err(|e| name_column(e, name))?),
                Part::Generalized(column) => (name, column.output_type(name, &kind)?),
            };
            Ok(Field::new(name, kind, true))
        });
        Ok(Arc::new(Schema::new(fields.collect::<Result<Vec<_>>>()?)))
    }

    /// The rows that the release has a place for; the others are counted in [`Recoding::left_out`], or an error.
    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let (made, left_out) = self.recode(batch)?;
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner).merge(&left_out);
        Ok(made)
    }
}

impl QuasiIdentifier {
    fn output_type(&self, name: &str, input: &DataType) -> Result<DataType> {
        let treated = match &self.treatment {
            Some(kernel) => kernel.output_type(input).map_err(|e| name_column(e, name))?,
            None => input.clone(),
        };
        // No value, so that only the type can be wrong.
        Ok(self.scheme.generalize(self.level, new_empty_array(&treated).as_ref())?.data_type().clone())
    }

    /// The column at the level of the release; rows whose value has no label are no longer kept.
    fn generalize(&self, name: &str, array: &ArrayRef, rows: &mut Placing) -> Result<ArrayRef> {
        let mut array = unpack(array.as_ref())?;
        if let Some(kernel) = &self.treatment {
            array = apply_once(kernel.as_ref(), array.as_ref()).map_err(|e| name_column(e, name))?;
        }
        let missing = array.logical_nulls();
        if self.refuses_missing {
            rows.leave_out(name, |row| missing.as_ref().is_some_and(|missing| missing.is_null(row)), true);
        }
        if self.level == 0 {
            return Ok(array);
        }
        if self.scheme.is_star(self.level) {
            return Ok(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(hierarchy::SUPPRESSED, array.len()))));
        }
        let mut interner = ColumnInterner::new(name, array.data_type())?;
        let mut codes = Vec::with_capacity(array.len());
        interner.extend(array.as_ref(), &mut codes)?;
        let values = interner.values()?;
        // A column of the wrong type is an error; values are not.
        self.scheme.generalize(self.level, values.slice(0, 0).as_ref())?;
        let mut labels = Vec::new();
        let mut known = vec![true; values.len()];
        self.labels(&values, 0, &mut labels, &mut known)?;
        rows.leave_out(name, |row| known.get(codes[row] as usize) == Some(&false), false);
        let labels: Vec<&dyn Array> = labels.iter().map(AsRef::as_ref).collect();
        let labels = if labels.is_empty() {
            new_empty_array(&DataType::Utf8)
        } else {
            concat(&labels).map_err(|e| Error::arrow("joining labels", &e))?
        };
        let indices: arrow::array::UInt32Array = codes.iter().map(|&code| (code != NULL_CODE).then_some(code)).collect();
        take(labels.as_string::<i32>(), &indices, None).map_err(|e| Error::arrow("gathering labels", &e))
    }

    /// Labels of distinct values. A value that has none is found by halving: the hierarchy says only how many there are.
    fn labels(&self, values: &ArrayRef, first: usize, labels: &mut Vec<ArrayRef>, known: &mut [bool]) -> Result<()> {
        match self.scheme.generalize(self.level, values.as_ref()) {
            Ok(found) => labels.push(found),
            Err(Error::Column { .. }) if values.len() == 1 => {
                known[first] = false;
                labels.push(new_null_array(&DataType::Utf8, 1));
            }
            Err(Error::Column { .. }) => {
                let half = values.len() / 2;
                self.labels(&values.slice(0, half), first, labels, known)?;
                self.labels(&values.slice(half, values.len() - half), first + half, labels, known)?;
            }
            Err(other) => return Err(other),
        }
        Ok(())
    }
}

/// Which rows of a batch have a place in the release.
struct Placing {
    kept: Vec<bool>,
    left_out: LeftOutRows,
}

impl Placing {
    fn new(rows: usize) -> Self {
        Self { kept: vec![true; rows], left_out: LeftOutRows::default() }
    }

    fn leave_out(&mut self, name: &str, is_outside: impl Fn(usize) -> bool, missing: bool) {
        let mut rows = 0;
        for (row, kept) in self.kept.iter_mut().enumerate() {
            if *kept && is_outside(row) {
                *kept = false;
                rows += 1;
            }
        }
        if rows > 0 {
            let reason = if missing { &mut self.left_out.missing } else { &mut self.left_out.unknown };
            *reason.entry(name.to_owned()).or_insert(0) += rows;
        }
    }

    fn error(&self) -> Error {
        let remedy = "leave them out, or make the release anew";
        if let Some((name, &rows)) = self.left_out.unknown.iter().next() {
            return Error::rows(name, rows, "has values that the fitted hierarchy does not know", remedy);
        }
        if let Some((name, &rows)) = self.left_out.missing.iter().next() {
            return Error::rows(name, rows, "is missing", remedy);
        }
        let names = "(quasi-identifiers)";
        Error::rows(names, self.left_out.no_class, "lie in no class of the release", remedy)
    }
}
