//! What a written product shows: recounted from its file, then attacked.

use super::attacks::{Items, entry, entry_of_rows, known_items, known_rows, known_values};
use super::budget::Budget;
use super::guarantees::{Recount, Rows};
use super::records::{Made, OWNER, Shape, Workshop};
use super::report::{Attack, ClassSizes, Guarantee, ProductReport, UnicityPoint, Unit, Verified};
use super::rows::ReleasedRows;
use super::units::UNIT;
use crate::anonymity::verify::{Claim, ClassCounter, ClassReport, People};
use crate::error::Result;
use crate::io::table::{CodedTable, CodedTableBuilder, TableOptions};
use crate::io::{PlainFile, ReadOptions, Source, open_table, read};
use crate::matrix::item_support;
use crate::pipeline::Fit;
use crate::policy::{AttackName, Model, Policy, RecordsProduct, Role};
use arrow::datatypes::{DataType, Field, Schema};
use std::path::Path;
use std::sync::Arc;

/// What is measured, and with what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measurement<'a> {
    pub(super) policy: &'a Policy,
    pub(super) product: &'a RecordsProduct,
    pub(super) seed: [u8; 32],
    pub(super) memory: usize,
    pub(super) threads: usize,
    pub(super) folder: &'a Path,
}

/// Released rows, held as codes, with the column that tells people apart.
struct Measured {
    table: CodedTable,
    marks: Vec<Vec<u8>>,
    subject: Option<usize>,
    /// What tokens link, where they do not stand for people.
    unit: Option<usize>,
}

impl Measured {
    fn new(table: CodedTable, shape: &Shape) -> Result<Self> {
        let marks = (0..table.chunks()).map(|chunk| vec![0; table.chunk_rows(chunk)]).collect();
        let schema = table.schema();
        let subject = match &shape.token {
            Some(token) => Some(table.column(token)?),
            None => schema.index_of(OWNER).ok(),
        };
        // Where a telephone number joins all rows of a person, that their token changes does not help.
        let unit = schema.index_of(UNIT).ok().filter(|_| !shape.joined);
        Ok(Self { table, marks, subject, unit })
    }

    /// The rows as tokens link them, and the column of people if that is another one.
    fn linked(&self) -> (ReleasedRows<'_>, Option<usize>) {
        let rows = ReleasedRows { table: &self.table, marks: &self.marks, subject: self.unit.or(self.subject) };
        (rows, self.subject.filter(|_| self.unit.is_some()))
    }

    fn rows(&self) -> ReleasedRows<'_> {
        ReleasedRows { table: &self.table, marks: &self.marks, subject: self.subject }
    }
}

/// Whether a file of the release has no rows and, as JSON, no columns either.
pub(super) fn names_no_columns(source: &Arc<dyn Source>) -> bool {
    source.schema().fields().is_empty()
}

/// Reads columns of a table of the release as codes.
fn load(path: &Path, columns: &[String], memory: usize, threads: usize, folder: &Path) -> Result<CodedTable> {
    let source = open(path)?;
    let table = TableOptions { memory, threads, folder: folder.to_owned(), ..TableOptions::default() };
    let coded: Vec<&str> = columns.iter().map(String::as_str).collect();
    if names_no_columns(&source) {
        let fields: Vec<Field> = columns.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        return CodedTableBuilder::new(&Schema::new(fields), &coded, table)?.finish();
    }
    let options = ReadOptions { columns: Some(columns.to_vec()), threads, dictionaries: true, ..ReadOptions::default() };
    let stream = read(&[source], &options)?;
    let mut builder = CodedTableBuilder::new(&stream.schema(), &coded, table)?;
    for batch in stream {
        builder.push(&batch?)?;
    }
    builder.finish()
}

pub(super) fn open(path: &Path) -> Result<Arc<dyn Source>> {
    open_table(Arc::new(PlainFile::new(path)), None, None, Some(true))
}

/// Counts classes in the file itself.
pub(super) fn recount(path: &Path, quasi_identifiers: &[String], people: &People, threads: usize) -> Result<ClassReport> {
    let mut columns = quasi_identifiers.to_vec();
    if let People::Token(token) = people {
        columns.push(token.clone());
    }
    let options = ReadOptions { columns: Some(columns), threads, ..ReadOptions::default() };
    let source = open(path)?;
    if names_no_columns(&source) {
        return ClassCounter::new(quasi_identifiers.iter().cloned(), people.clone()).finish();
    }
    crate::engine::fit(&[source], &options, || ClassCounter::new(quasi_identifiers.iter().cloned(), people.clone()))?.finish()
}

impl Measurement<'_> {
    /// Recounts every guarantee of a written product and runs the attacks of the gate.
    pub(super) fn measure(&self, made: &mut Made) -> Result<()> {
        let shape = made.shape.clone();
        let attacks = self.attacks();
        let needs_all = attacks.contains(&AttackName::KnownValues);
        let mut columns: Vec<String> = shape.token.iter().chain(shape.items.iter().flatten()).cloned().collect();
        columns.dedup();
        if needs_all {
            columns = shape.token.iter().chain(&shape.columns).cloned().collect();
        } else if columns.is_empty() {
            columns = shape.columns.first().cloned().into_iter().collect();
        }
        let table = match made.owned.take() {
            Some(owned) => owned,
            None => load(&made.path, &columns, Budget::new(self.memory).table(), self.threads, self.folder)?,
        };
        let measured = Measured::new(table, &shape)?;
        let report = &mut made.report;
        report.rows = measured.table.rows() as u64;
        report.subjects = match measured.subject {
            Some(subject) => Some(measured.table.distinct(subject)? as u64),
            None => Some(report.rows),
        };
        self.count_classes(made, &measured)?;
        let report = &mut made.report;
        self.count_support(&shape, &measured, report)?;
        let (attacks, worst_columns) = self.attack(&attacks, &shape, &measured, report)?;
        report.attacks = Some(attacks);
        made.worst_columns = worst_columns;
        Ok(())
    }

    /// The attacks that the policy asks for; all that exist if it does not say.
    fn attacks(&self) -> Vec<AttackName> {
        self.policy.gate.attacks.clone().unwrap_or_else(|| vec![AttackName::KnownItems, AttackName::KnownValues])
    }

    fn count_classes(&self, made: &mut Made, measured: &Measured) -> Result<()> {
        let shape = made.shape.clone();
        if shape.quasi_identifiers.is_empty() {
            return Ok(());
        }
        let (people, verified, rows) = match &shape.token {
            Some(token) => (People::Token(token.clone()), Verified::Release, Rows::File(&made.path)),
            None if measured.subject.is_none() => (People::OneRowEach, Verified::Release, Rows::File(&made.path)),
            None => {
                // Tokens of another identifier may join all rows of a person; then the owner is what everybody can see.
                let people = if shape.linked { People::Token(OWNER.to_owned()) } else { People::Owner(OWNER.to_owned()) };
                (people, Verified::ReleaseAndPool, Rows::Owned(&measured.table))
            }
        };
        let recount = Recount {
            product: self.product,
            shape: &shape,
            evidence: &made.evidence,
            people,
            verified,
            confidence: self.policy.gate.confidence,
            limit: self.policy.gate.max_risk,
            threads: self.threads,
        };
        let report = &mut made.report;
        let classes = recount.run(&rows, report)?;
        if let Some(transformation) = &mut report.transformation {
            transformation.equivalence_classes = classes.classes;
            transformation.average_class_size = classes.average_class_size;
        }
        report.class_sizes.get_or_insert_with(ClassSizes::default).after = classes.class_size_histogram;
        Ok(())
    }

    fn count_support(&self, shape: &Shape, measured: &Measured, report: &mut ProductReport) -> Result<()> {
        let Some(support) = &self.product.item_support else { return Ok(()) };
        let rows = measured.rows();
        let items = Items::new(&rows, shape)?;
        let counts = item_support(&items, rows.subjects()?, items.count(), Budget::new(self.memory).algorithm())?;
        let smallest = counts.iter().copied().filter(|&count| count > 0).min();
        let verified = if shape.token.is_some() || measured.subject.is_none() { Verified::Release } else { Verified::ReleaseAndPool };
        let mut guarantee = Guarantee::new("item-support", Unit::SubjectPerRow, verified).parameter("min_subjects", support.min_subjects);
        guarantee = match smallest {
            Some(smallest) => guarantee.found(f64::from(smallest), u64::from(smallest) >= support.min_subjects),
            None => Guarantee { holds: true, ..guarantee },
        };
        report.guarantees.push(guarantee);
        Ok(())
    }

    /// Columns of which an attacker may know several values of a person: not tokens, and not the items that their own attack covers.
    fn knowable(&self, columns: &[String], shape: &Shape) -> Vec<String> {
        let role = |name: &str| self.policy.declaration(self.product.source, name).map(|column| column.role);
        let only_item = match shape.items.as_slice() {
            [level] => level.first().filter(|_| level.len() == 1),
            _ => None,
        };
        let known: Vec<String> = columns.iter().filter(|name| role(name) != Some(Role::Identifier)).cloned().collect();
        if known.len() == 1 && known.first() == only_item { Vec::new() } else { known }
    }

    fn attack(
        &self,
        attacks: &[AttackName],
        shape: &Shape,
        measured: &Measured,
        report: &mut ProductReport,
    ) -> Result<(Vec<Attack>, Option<Vec<String>>)> {
        let mut results = Vec::new();
        let mut worst_columns = None;
        for &attack in attacks {
            match attack {
                AttackName::KnownItems => {
                    if let Some(reason) = reason_against_known_items(shape) {
                        results.push(Attack::not_run(attack, reason));
                        continue;
                    }
                    let (rows, owner) = measured.linked();
                    let found = known_items(&rows, owner, shape, &self.policy.gate, &self.seed, self.memory)?;
                    report.unicity = found
                        .iter()
                        .map(|r| UnicityPoint { known: r.known, before: None, after: Some(r.rate), after_upper: Some(r.upper) })
                        .collect();
                    let knowledge =
                        if shape.split && !shape.joined { "surviving items of one token, uniform" } else { "surviving items, uniform" };
                    results.extend(found.into_iter().map(|result| entry(result, knowledge)));
                }
                AttackName::KnownValues => {
                    let columns: Vec<String> = shape.columns.clone();
                    let result = known_values(&measured.rows(), &columns, &self.policy.gate, &self.seed, self.memory)?;
                    let out_of = result.combinations_possible.filter(|&possible| possible > result.combinations.len() as u64);
                    let tried = format!(
                        "one row of the person; worst of {} combinations{}",
                        result.combinations.len(),
                        out_of.map_or_else(String::new, |possible| format!(" out of {possible}"))
                    );
                    worst_columns = Some(result.columns.clone());
                    results.push(entry(result, &tried));
                    if shape.linked {
                        let known = self.knowable(&columns, shape);
                        let (rows, owner) = measured.linked();
                        let found = known_rows(&rows, owner, &known, &self.policy.gate, &self.seed, self.memory)?;
                        results.extend(found.into_iter().map(|result| entry_of_rows(result, shape.split && !shape.joined)));
                    }
                }
                other => results.push(Attack::not_run(other, "not available in this version")),
            }
        }
        Ok((results, worst_columns))
    }
}

fn reason_against_known_items(shape: &Shape) -> Option<&'static str> {
    if shape.items.is_empty() {
        Some("the product has no item column")
    } else if !shape.linked {
        Some("no token links the items of a person")
    } else {
        None
    }
}

/// What may be claimed about k.
pub(super) fn k_anonymity(model: &Model, claim: Claim, k: u64, verified: Verified) -> Guarantee {
    #[expect(clippy::cast_precision_loss, reason = "a count of people in a report")]
    match claim {
        Claim::Subject { achieved } => Guarantee::of(model, Unit::Subject, verified).found(achieved as f64, achieved >= k),
        Claim::SubjectPerRow { achieved } => Guarantee::of(model, Unit::SubjectPerRow, verified).found(achieved as f64, achieved >= k),
        Claim::NeedsPool { smallest_rows } => Guarantee::of(model, Unit::Row, Verified::Unverifiable).found(smallest_rows as f64, false),
        Claim::Empty => Guarantee { holds: true, ..Guarantee::of(model, Unit::Subject, verified) },
    }
}

/// Adds what the same attacks achieve on the raw pool, for the steward.
pub(super) fn compare_with_pool(measurement: &Measurement<'_>, workshop: &Workshop<'_>, made: &mut Made) -> Result<()> {
    let attacks = measurement.attacks();
    let marks = workshop.pool.marks()?;
    let rows = workshop.rows(&marks);
    if attacks.contains(&AttackName::KnownItems) && !made.shape.items.is_empty() && workshop.pool.subject.is_some() {
        for result in known_items(&rows, None, &made.shape, &measurement.policy.gate, &measurement.seed, measurement.memory)? {
            for attack in
                made.report.attacks.iter_mut().flatten().filter(|a| a.name == AttackName::KnownItems && a.known == Some(result.known))
            {
                attack.original_rate = Some(result.rate);
            }
            if let Some(point) = made.report.unicity.iter_mut().find(|point| point.known == result.known) {
                point.before = Some(result.rate);
                continue;
            }
            // The release links no items of a person; the steward still sees what a log with tokens would have risked.
            made.report.unicity.push(UnicityPoint { known: result.known, before: Some(result.rate), ..UnicityPoint::default() });
            made.report.steward_notes.push(format!(
                "a log with a token for each person would let {} known items single out {:.1} % of people",
                result.known,
                result.rate * 100.0
            ));
        }
    }
    if attacks.contains(&AttackName::KnownValues) {
        for attack in made
            .report
            .attacks
            .iter_mut()
            .flatten()
            .filter(|attack| attack.name == AttackName::KnownValues && !attack.combinations.is_empty())
        {
            let Some(columns) = &made.worst_columns else { continue };
            let coded = columns.iter().all(|name| workshop.pool.table.column(name).is_ok_and(|index| workshop.pool.table.is_coded(index)));
            if coded {
                let result = known_values(&rows, columns, &measurement.policy.gate, &measurement.seed, measurement.memory)?;
                let same = result.combinations.iter().find(|combination| combination.columns.len() == columns.len());
                attack.original_rate = same.map(|combination| combination.rate);
            }
        }
    }
    Ok(())
}
