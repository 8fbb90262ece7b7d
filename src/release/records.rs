//! The `records` product: the table itself, pseudonymized, generalized and suppressed.

use super::budget::Budget;
use super::columns::{CAPPED, Maker, NOBODY, OUTLIER, OutputColumn, RELEASED, UNSUPPORTED, is_released, schema};
use super::generalize::{self, Generalized};
use super::guarantees::Evidence;
use super::pool::PoolTable;
use super::report::{ProductReport, Pseudonym};
use super::rows::{ItemRows, PrioritizedRows, ReleasedRows};
use super::scheme::ClassesWritten;
use super::units::UNIT;
use crate::error::{Error, Result};
use crate::io::table::{CodedTable, CodedTableBuilder, NULL_CODE, OrderedRows, RowOrder, TableOptions, Then};
use crate::io::{SinkFormat, SinkOptions, create_sink, write_all};
use crate::keys::{Domain, Key};
use crate::matrix::{cap, content_hashes, generalize_items};
use crate::policy::{Column, Order, Otherwise, Policy, ProductKind, PseudonymSpec, RecordsProduct, Role, Scope, TokenFormat, Treatment};
use crate::transform;
use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Name of the column that holds the tokens of people.
pub(super) const TOKEN: &str = "token";

/// Name of the column that holds the owners of rows while a product whose tokens are not people is recounted.
pub(super) const OWNER: &str = "\u{0}owner";

/// What a product is made with.
#[derive(Debug)]
pub(super) struct Workshop<'a> {
    pub(super) policy: &'a Policy,
    pub(super) product: &'a RecordsProduct,
    pub(super) pool: &'a PoolTable,
    pub(super) key: &'a Key,
    /// Makes tokens that nobody can make again; forgotten with the run.
    pub(super) irreversible: &'a Key,
    /// Chooses the rows under a cap.
    pub(super) selection: &'a Key,
    pub(super) memory: usize,
    pub(super) threads: usize,
    pub(super) folder: &'a Path,
}

/// A product that was written, with what is known about it from the making.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) path: PathBuf,
    pub(super) report: ProductReport,
    pub(super) shape: Shape,
    /// Fitted hierarchies, for the steward.
    pub(super) fitted: Value,
    /// What of them the release shows, for the recipient.
    pub(super) shown: Value,
    pub(super) pseudonyms: Vec<Pseudonym>,
    /// What the recount of the models needs besides the file.
    pub(super) evidence: Evidence,
    /// The written rows with their owners, for a product whose rows cannot be told apart by person without the pool.
    pub(super) owned: Option<CodedTable>,
    /// Columns that the attack on known values did best with.
    pub(super) worst_columns: Option<Vec<String>>,
    /// Time spent on caps, support and search.
    pub(super) fit_seconds: f64,
}

/// Which columns of a written product play which part.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    /// The column of tokens that stand for people: it joins all rows of a person.
    pub(super) token: Option<String>,
    /// Whether there are tokens that stand for periods or sessions of people: [`UNIT`] joins what such a token joins.
    pub(super) split: bool,
    /// Whether tokens of another identifier join all rows of a person, whatever their own token does.
    pub(super) joined: bool,
    /// Whether something joins the rows of a person: the token, or the tokens of another identifier.
    pub(super) linked: bool,
    /// Item columns by level, finest first.
    pub(super) items: Vec<Vec<String>>,
    pub(super) quasi_identifiers: Vec<String>,
    /// All columns but the token of people.
    pub(super) columns: Vec<String>,
}

impl Workshop<'_> {
    /// Makes the product and writes it to `path`.
    pub(super) fn make(&self, path: &Path, format: SinkFormat) -> Result<Made> {
        let clock = Instant::now();
        let table = &self.pool.table;
        let columns = self.columns()?;
        let subject = self.subject();
        let keeps_token = subject.is_some_and(|spec| spec.scope != Scope::None) && self.keeps_subject(&columns);
        let mut marks = self.pool.marks()?;
        self.check_models(&columns)?;
        self.check_rows_are_people(&columns)?;
        self.cap(&mut marks)?;
        let item_levels = item_levels(self.product, &columns, table)?;
        // A telephone number tells the rows of a person together as well as the person's token, also when it is a token itself.
        let joined = self.pool.subject.is_some() && columns.iter().any(|(_, column)| is_token_of_identifier(column));
        let linked = self.pool.subject.is_some() && (keeps_token || joined);
        let mut generalized = self.generalize(&columns, linked, &mut marks, &item_levels)?;
        generalized.settle(self, &marks)?;
        let fit_seconds = clock.elapsed().as_secs_f64();
        let mut report = ProductReport::new(&self.product.name, ProductKind::Records);
        report.accepted_risk.clone_from(&self.product.accept_risk);
        let mut pseudonyms = Vec::new();
        let outputs = self.outputs(&columns, keeps_token, &item_levels, &generalized, &marks, &mut report, &mut pseudonyms)?;
        let order = self.order_key(&pseudonyms);
        let (owned, classes) = self.write(path, format, &outputs, (keeps_token, order), (&marks, generalized.classes()))?;
        self.describe(&marks, &mut report);
        generalized.describe(self, &mut report)?;
        let split = keeps_token && self.pool.units.is_some();
        let shape = Shape {
            token: (keeps_token && !split).then(|| TOKEN.to_owned()),
            split,
            joined,
            linked,
            items: item_levels
                .iter()
                .map(|level| level.iter().map(|&column| table.schema().field(column).name().clone()).collect())
                .collect(),
            quasi_identifiers: columns
                .iter()
                .filter(|(_, column)| column.role == Role::QuasiIdentifier)
                .map(|(name, _)| (*name).clone())
                .collect(),
            columns: outputs.iter().map(|output| output.name.clone()).filter(|name| !keeps_token || name != TOKEN).collect(),
        };
        Ok(Made {
            path: path.to_owned(),
            report,
            shape,
            fitted: with_classes(generalized.fitted(), classes),
            shown: generalized.shown(self, &marks)?,
            pseudonyms,
            evidence: Evidence::new(&generalized)?,
            owned,
            worst_columns: None,
            fit_seconds,
        })
    }

    /// Declared columns of the product, without those that are dropped, in the order of the input.
    fn columns(&self) -> Result<Vec<(&String, &Column)>> {
        let schema = self.pool.table.schema();
        let listed = |name: &String| self.product.columns.as_ref().is_none_or(|listed| listed.contains(name));
        let columns: Vec<_> = schema
            .fields()
            .iter()
            .filter_map(|field| self.pool.columns.get_key_value(field.name()))
            .filter(|(name, column)| listed(name) && (!column.is_dropped() || column.role == Role::Subject))
            .collect();
        if columns.iter().any(|(name, _)| name.as_str() == TOKEN) && self.pool.subject.is_some() {
            return Err(Error::column(
                TOKEN,
                "is the name that the tokens of people get",
                "rename the column of the input with [input.columns]",
            ));
        }
        if self.pool.columns.contains_key(OWNER) || self.pool.columns.contains_key(UNIT) {
            return Err(Error::column("(owner)", "has a name that is needed for counting people", "rename the column of the input"));
        }
        Ok(columns)
    }

    pub(super) fn subject(&self) -> Option<PseudonymSpec> {
        self.pool.subject.and(self.policy.subject.as_ref()).map(|subject| subject.pseudonym.clone())
    }

    fn keeps_subject(&self, columns: &[(&String, &Column)]) -> bool {
        let name = self.pool.subject.map(|index| self.pool.table.schema().field(index).name().clone());
        name.is_some_and(|name| columns.iter().any(|(column, _)| **column == name))
    }

    /// Where every row is said to be a different person, an identifier that names two rows says otherwise, and no count of people is to be trusted.
    fn check_rows_are_people(&self, columns: &[(&String, &Column)]) -> Result<()> {
        if self.pool.subject.is_some() {
            return Ok(());
        }
        let table = &self.pool.table;
        for (name, _) in columns.iter().filter(|(_, column)| is_token_of_identifier(column)) {
            let index = table.column(name)?;
            let (mut named, mut codes) = (0, Vec::new());
            for chunk in 0..table.chunks() {
                codes.clear();
                table.codes(chunk, index, &mut codes)?;
                named += codes.iter().filter(|&&code| code != NULL_CODE).count();
            }
            let again = named.saturating_sub(table.distinct(index)?);
            if again > 0 {
                return Err(Error::rows(
                    *name,
                    again as u64,
                    "have an identifier that another row has too, but without [subject] every row is a different person",
                    "name the column of the person under [subject], or drop this one",
                ));
            }
        }
        Ok(())
    }

    /// A quasi-identifier that nothing protects is refused, even if the policy's own check had let it pass.
    fn check_models(&self, columns: &[(&String, &Column)]) -> Result<()> {
        let has_models = !self.product.models.is_empty();
        for (name, column) in columns {
            let fixed = self.product.levels.contains_key(*name) || column.only_level().is_some();
            if column.role == Role::QuasiIdentifier && !has_models && !fixed {
                return Err(Error::policy(
                    format!("products.{}", self.product.name),
                    format!("holds the quasi-identifier {name} and no model"),
                    "add a model, fix the level of the column, or leave it out",
                ));
            }
        }
        Ok(())
    }

    pub(super) fn rows<'b>(&'b self, marks: &'b [Vec<u8>]) -> ReleasedRows<'b> {
        ReleasedRows { table: &self.pool.table, marks, subject: self.pool.subject }
    }

    /// Marks the events beyond the cap.
    fn cap(&self, marks: &mut [Vec<u8>]) -> Result<()> {
        let Some(max) = self.product.max_events_per_subject else { return Ok(()) };
        let before = marks.to_vec();
        let rows = self.rows(&before);
        let key = self.selection.derive(&Domain {
            recipient: &self.policy.recipient,
            release: &self.policy.name,
            product: &self.product.name,
            ..Domain::of("contribution-cap")
        });
        let prioritized = PrioritizedRows::new(&rows, max, &key, Budget::new(self.memory).algorithm())?;
        let cap = cap(&prioritized, rows.subjects()?, max, Budget::new(self.memory).algorithm())?;
        let mut keeper = cap.keeper();
        prioritized.visit(&mut |chunk, subjects, priorities| {
            for ((mark, keep), was) in marks[chunk].iter_mut().zip(&keeper.keep(subjects, priorities)?).zip(&before[chunk]) {
                if !keep && is_released(*was) {
                    *mark = CAPPED;
                }
            }
            Ok(())
        })
    }

    /// Finds levels of generalization and marks rows, until item support and models hold together.
    fn generalize(&self, columns: &[(&String, &Column)], linked: bool, marks: &mut [Vec<u8>], items: &[Vec<usize>]) -> Result<Generalized> {
        self.support(marks, items)?;
        let mut generalized = generalize::search(self, columns, linked, marks)?;
        // Suppressing a row can take support from an item, and the other way round; each round suppresses more, so this ends.
        loop {
            let before = released(marks);
            self.support(marks, items)?;
            if released(marks) == before {
                return Ok(generalized);
            }
            generalized.apply(self, marks)?;
        }
    }

    /// Marks rows whose item too few people share, or the level at which enough do.
    fn support(&self, marks: &mut [Vec<u8>], items: &[Vec<usize>]) -> Result<()> {
        let Some(support) = &self.product.item_support else { return Ok(()) };
        if items.is_empty() {
            return Err(Error::policy(
                format!("products.{}.item_support", self.product.name),
                "the product has no item column",
                "give a column the role item",
            ));
        }
        let before = marks.to_vec();
        let rows = self.rows(&before);
        let items = ItemRows::new(&rows, items.to_vec())?;
        let counts = items.counts()?;
        let levels = match support.otherwise {
            Otherwise::Generalize => counts.len(),
            Otherwise::Suppress => 1,
        };
        let supported =
            generalize_items(&items, rows.subjects()?, &counts[..levels], support.min_subjects, Budget::new(self.memory).algorithm())?;
        let mut assigned = Vec::new();
        items.visit_levels(&mut |chunk, _, codes| {
            assigned.clear();
            supported.assign(&codes[..levels], &mut assigned)?;
            for (mark, &level) in marks[chunk].iter_mut().zip(&assigned) {
                if is_released(*mark) {
                    *mark = if level == crate::matrix::SUPPRESSED { UNSUPPORTED } else { level };
                }
            }
            Ok(())
        })
    }

    /// The key of the order of rows. Where tokens are irreversible, the order is too: whoever could shuffle the pool in the same way again would see whose row has which token.
    fn order_key(&self, pseudonyms: &[Pseudonym]) -> &Key {
        if pseudonyms.iter().any(|pseudonym| pseudonym.irreversible) { self.irreversible } else { self.key }
    }

    /// Writes the released rows in their final order, which follows the key `order`.
    fn write(
        &self,
        path: &Path,
        format: SinkFormat,
        outputs: &[OutputColumn],
        (keeps_token, order): (bool, &Key),
        (marks, classes): (&[Vec<u8>], Option<&[Vec<u32>]>),
    ) -> Result<(Option<CodedTable>, Value)> {
        let table = &self.pool.table;
        let seed = *order
            .derive(&Domain {
                recipient: &self.policy.recipient,
                release: &self.policy.name,
                product: &self.product.name,
                ..Domain::of("row-order")
            })
            .expose();
        let ranks = self.ranks(outputs, keeps_token, order)?;
        // The column whose codes the tokens follow: people, or their periods or sessions.
        let units = self.pool.units.as_ref().map(|units| units.column).filter(|_| keeps_token);
        let order = match (self.product.order, units.or(self.pool.subject), &ranks) {
            (Order::SubjectTime, Some(subject), Some(ranks)) => RowOrder::Ranked { subject, ranks, then: self.time_column(outputs)?, seed },
            _ => RowOrder::Shuffled { seed },
        };
        let mut sources: Vec<usize> = outputs.iter().flat_map(OutputColumn::sources).collect();
        if let RowOrder::Ranked { subject, then, .. } = &order {
            sources.push(*subject);
            sources.extend(then.as_ref().map(|then| then.column));
        }
        // Rows whose tokens are not people can only be counted in people with the help of the pool.
        let owner = self.pool.subject.filter(|_| !keeps_token || units.is_some());
        sources.extend(owner);
        let memory = Budget::new(self.memory).ordering();
        let ordered = OrderedRows::with_numbers(table, &sources, marks, classes, is_released, order, memory, self.folder)?;
        let schema = schema(outputs);
        let options = SinkOptions { threads: self.threads, ..SinkOptions::default() };
        let mut sink = create_sink(path, format, Arc::clone(&schema), &options)?;
        let first = usize::from(units.is_some());
        let mut with_owners = owner.map(|_| self.owned_rows(&schema, units.is_some())).transpose()?;
        let mut alone = u32::try_from(units.map_or(Ok(0), |units| table.distinct(units))?).unwrap_or(NULL_CODE);
        let is_quasi = |name: &str| self.pool.columns.get(name).is_some_and(|column| column.role == Role::QuasiIdentifier);
        let mut written = ClassesWritten::new(outputs.iter().map(|output| (output.name.as_str(), output.data_type.clone())), is_quasi)?;
        let batches = (0..ordered.bins()).map(|bin| {
            let bin = ordered.bin(bin)?;
            let marks = bin.marks()?;
            let arrays = outputs.iter().map(|output| output.make(&bin, &marks)).collect::<Result<Vec<_>>>()?;
            written.observe(&arrays)?;
            if let (Some(owner), Some((builder, schema))) = (owner, &mut with_owners) {
                // The token itself comes first; its unit stands for it.
                let mut arrays = arrays[first..].to_vec();
                if let Some(units) = units {
                    arrays.push(Arc::new(units_of_rows(&bin.codes(units)?, &mut alone)?));
                }
                arrays.push(Arc::new(UInt32Array::from(bin.codes(owner)?)));
                builder.push(&RecordBatch::try_new(Arc::clone(schema), arrays).map_err(|e| Error::arrow("recounting rows", &e))?)?;
            }
            RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|e| Error::arrow("assembling rows", &e))
        });
        write_all(sink.as_mut(), batches, self.threads)?;
        sink.finish()?;
        Ok((with_owners.map(|(builder, _)| builder.finish()).transpose()?, written.finish()?))
    }

    /// A table for the written rows and their owners.
    fn owned_rows(&self, schema: &Schema, split: bool) -> Result<(CodedTableBuilder, SchemaRef)> {
        let mut fields = schema.fields()[usize::from(split)..].to_vec();
        if split {
            fields.push(Arc::new(Field::new(UNIT, DataType::UInt32, true)));
        }
        fields.push(Arc::new(Field::new(OWNER, DataType::UInt32, true)));
        let schema = Arc::new(Schema::new(fields));
        let coded: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let options = TableOptions {
            memory: Budget::new(self.memory).table(),
            threads: self.threads,
            folder: self.folder.to_owned(),
            ..TableOptions::default()
        };
        Ok((CodedTableBuilder::new(&schema, &coded, options)?, Arc::clone(&schema)))
    }

    /// Rank of every person in the order of tokens.
    fn ranks(&self, outputs: &[OutputColumn], keeps_token: bool, order: &Key) -> Result<Option<Vec<u64>>> {
        if self.product.order != Order::SubjectTime {
            return Ok(None);
        }
        let Some(OutputColumn { maker: Maker::Values { values, .. }, .. }) = outputs.first().filter(|_| keeps_token) else {
            return Err(Error::policy(
                format!("products.{}.order", self.product.name),
                "needs tokens of people in the product",
                "keep the subject column, or shuffle",
            ));
        };
        // The head of a token in hexadecimal digits is a uniform number already. Other tokens may be small numbers or have few characters, and the order needs ranks that are spread evenly.
        if self.subject().is_some_and(|spec| spec.written_format() == TokenFormat::Hex)
            && let Some(tokens) = values.as_string_opt::<i32>()
        {
            let head = |token: &str| token.get(..16).and_then(|head| u64::from_str_radix(head, 16).ok());
            return Ok(Some(tokens.iter().map(|token| token.and_then(head).unwrap_or(u64::MAX)).collect()));
        }
        let key = order.derive(&Domain {
            recipient: &self.policy.recipient,
            release: &self.policy.name,
            product: &self.product.name,
            ..Domain::of("token-order")
        });
        let mut ranks = content_hashes(&[Arc::clone(values)], key.expose())?;
        for (_, rank) in ranks.iter_mut().enumerate().filter(|&(row, _)| values.is_null(row)) {
            *rank = u64::MAX;
        }
        Ok(Some(ranks))
    }

    /// The released time column and what its treatment makes of it: an order by the raw times would tell what the treatment hides.
    fn time_column(&self, outputs: &[OutputColumn]) -> Result<Option<Then>> {
        let released = outputs.iter().find_map(|output| {
            let (name, column) = self.pool.columns.get_key_value(&output.name).filter(|(_, column)| column.role == Role::Time)?;
            Some((self.pool.table.column(name), column.effective_treatment()))
        });
        let Some((column, treatment)) = released else { return Ok(None) };
        Ok(Some(Then { column: column?, kernel: transform::kernel(treatment)? }))
    }

    /// Counts of what was left out, for the steward.
    fn describe(&self, marks: &[Vec<u8>], report: &mut ProductReport) {
        let mut counts = [0_u64; 256];
        for &mark in marks.iter().flatten() {
            counts[usize::from(mark)] += 1;
        }
        let mut note = |mark: u8, what: &str| {
            if counts[usize::from(mark)] > 0 {
                report.steward_notes.push(format!("{} rows {what}", counts[usize::from(mark)]));
            }
        };
        note(NOBODY, "were left out because they name no person");
        note(CAPPED, "beyond the cap on events of one person were left out");
        note(UNSUPPORTED, "were left out because too few people share their item at every level");
        note(OUTLIER, "were suppressed because a model does not hold for their class");
        for level in RELEASED + 1..=8 {
            note(level, &format!("show their item generalized by {level} level(s)"));
        }
        let held_out = self.pool.held_out.iter().filter(|&&held| held).count() as u64;
        report.control_people = (held_out > 0).then_some(held_out);
    }
}

/// What was fitted, with the classes that were written, unless rows were recoded by their neighbours: then no levels lead to these classes.
fn with_classes(mut fitted: Value, classes: Value) -> Value {
    let named =
        |columns: &Value| columns.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<_>>();
    let levels: BTreeSet<String> = fitted["columns"].as_object().into_iter().flat_map(|columns| columns.keys().cloned()).collect();
    if let (Some(fitted), true) = (fitted.as_object_mut(), levels == named(&classes["columns"])) {
        fitted.insert("classes".to_owned(), classes);
    }
    fitted
}

/// Whether the column is an identifier of which tokens are released.
pub(super) fn is_token_of_identifier(column: &Column) -> bool {
    column.role == Role::Identifier && !column.is_dropped() && matches!(column.effective_treatment(), Treatment::Pseudonym(_))
}

/// Item columns of the product by level: a column's level is one more than that of the columns that generalize to it.
pub(super) fn item_levels(product: &RecordsProduct, columns: &[(&String, &Column)], table: &CodedTable) -> Result<Vec<Vec<usize>>> {
    let items: BTreeMap<&str, Option<&str>> =
        columns.iter().filter(|(_, c)| c.role == Role::Item).map(|(name, c)| (name.as_str(), c.generalize_to.as_deref())).collect();
    let mut levels: Vec<Vec<usize>> = Vec::new();
    for &name in items.keys() {
        let mut level = 0;
        let mut below: BTreeSet<&str> = BTreeSet::from([name]);
        loop {
            let next: BTreeSet<&str> =
                items.iter().filter(|(_, to)| to.is_some_and(|to| below.contains(to))).map(|(from, _)| *from).collect();
            if next.is_empty() || level > items.len() {
                break;
            }
            level += 1;
            below = next;
        }
        if levels.len() <= level {
            levels.resize(level + 1, Vec::new());
        }
        levels[level].push(table.column(name)?);
    }
    if let Some(item) = product.item_support.as_ref().and_then(|support| support.item.as_deref()) {
        let index = table.column(item)?;
        let finer = levels.iter().position(|level| level.contains(&index)).unwrap_or(0);
        if finer > 0 {
            return Err(Error::policy(
                format!("products.{}.item_support.item", product.name),
                format!("{item} is coarser than another item column of the product, whose rare values would be released"),
                "name the finest item column, or leave the finer ones out of the product",
            ));
        }
    }
    // The column that carries the hierarchy comes first in its level: a row without it has no item at that level, a row without an album still has a track.
    let named = product.item_support.as_ref().and_then(|support| support.item.clone());
    let schema = table.schema();
    let rank = |index: &usize| {
        let name = schema.field(*index).name();
        let carries = items.get(name.as_str()).is_some_and(Option::is_some) || items.values().any(|to| *to == Some(name.as_str()));
        (Some(name) != named.as_ref(), !carries, *index)
    };
    for level in &mut levels {
        level.sort_unstable_by_key(rank);
    }
    Ok(levels)
}

/// Units of rows, each row without one being a unit of its own.
fn units_of_rows(codes: &[u32], alone: &mut u32) -> Result<UInt32Array> {
    let mut units = Vec::with_capacity(codes.len());
    for &code in codes {
        if code == NULL_CODE {
            units.push(*alone);
            *alone = alone
                .checked_add(1)
                .filter(|&next| next < NULL_CODE)
                .ok_or_else(|| Error::column(TOKEN, "has too many rows without a time to be counted", "use the scope \"none\""))?;
        } else {
            units.push(code);
        }
    }
    Ok(units.into())
}

fn released(marks: &[Vec<u8>]) -> u64 {
    marks.iter().flatten().filter(|&&mark| is_released(mark)).count() as u64
}
