//! What becomes of each column of a product: tokens, generalized values, treated values.

use super::columns::{Maker, OutputColumn, first_times};
use super::generalize::Generalized;
use super::records::{TOKEN, Workshop};
use super::report::{ColumnReport, ProductReport, Pseudonym};
use super::tokens::Tokens;
use crate::error::{Error, Result};
use crate::keys::Domain;
use crate::pipeline::apply_once;
use crate::policy::{Column, PseudonymMethod, PseudonymSpec, Role, Scope, Treatment};
use crate::transform::{self, DayShift};
use arrow::array::Array;
use arrow::datatypes::DataType;
use std::sync::Arc;

impl Workshop<'_> {
    #[expect(clippy::too_many_arguments, reason = "what a column becomes is said in three places: file, report, pseudonyms")]
    pub(super) fn outputs(
        &self,
        columns: &[(&String, &Column)],
        keeps_token: bool,
        items: &[Vec<usize>],
        generalized: &Generalized,
        marks: &[Vec<u8>],
        report: &mut ProductReport,
        pseudonyms: &mut Vec<Pseudonym>,
    ) -> Result<Vec<OutputColumn>> {
        let table = &self.pool.table;
        let mut outputs = Vec::new();
        let split = self.split_subject(keeps_token, marks)?;
        for (name, column) in columns {
            let index = table.column(name)?;
            let data_type = table.schema().field(index).data_type().clone();
            let is_subject = Some(index) == self.pool.subject;
            if is_subject {
                if !keeps_token {
                    report.columns.push(became(name, column, "dropped: rows are not joined".to_owned()));
                    continue;
                }
                let spec = self.subject().unwrap_or_default();
                let tokens = match &split {
                    Some(tokens) => tokens.clone(),
                    None => self.tokens(name, &spec, index, marks)?,
                };
                report.columns.push(became(name, column, format!("{TOKEN}: {}", token_text(&spec))));
                pseudonyms.push(tokens.report);
                outputs.insert(
                    0,
                    OutputColumn {
                        name: TOKEN.to_owned(),
                        data_type: tokens.values.data_type().clone(),
                        maker: Maker::Values { column: tokens.column, values: tokens.values },
                        item_level: None,
                    },
                );
                continue;
            }
            let item_level = items.iter().position(|level| level.contains(&index)).and_then(|level| u8::try_from(level).ok());
            if let Some(made) = generalized.column(name)? {
                report.columns.push(made.report);
                outputs.push(OutputColumn { name: (*name).clone(), data_type: made.data_type, maker: made.maker, item_level });
                continue;
            }
            let (maker, output_type, text) = self.treated(name, column, index, data_type, marks, split.as_ref(), pseudonyms)?;
            report.columns.push(became(name, column, text));
            outputs.push(OutputColumn { name: (*name).clone(), data_type: output_type, maker, item_level });
        }
        for (name, column) in &self.pool.columns {
            if column.is_dropped() && column.role != Role::Subject {
                report.columns.push(became(name, column, "dropped".to_owned()));
            }
        }
        if outputs.is_empty() {
            return Err(Error::policy(format!("products.{}", self.product.name), "has no columns left", "keep at least one column"));
        }
        Ok(outputs)
    }

    /// The tokens of the people's periods or sessions, if the product shows such.
    fn split_subject(&self, keeps_token: bool, marks: &[Vec<u8>]) -> Result<Option<Tokens>> {
        let (Some(subject), true, true) = (self.pool.subject, keeps_token, self.pool.units.is_some()) else { return Ok(None) };
        let name = self.pool.table.schema().field(subject).name().clone();
        self.split_tokens(&name, &self.subject().unwrap_or_default(), subject, marks).map(Some)
    }

    #[expect(clippy::too_many_arguments, reason = "what a column becomes is said in three places: file, report, pseudonyms")]
    fn treated(
        &self,
        name: &str,
        column: &Column,
        index: usize,
        data_type: DataType,
        marks: &[Vec<u8>],
        split: Option<&Tokens>,
        pseudonyms: &mut Vec<Pseudonym>,
    ) -> Result<(Maker, DataType, String)> {
        let table = &self.pool.table;
        let treatment = column.effective_treatment();
        let text = describe(treatment);
        let need_subject = || {
            self.pool.subject.ok_or_else(|| Error::policy(format!("columns.{name}.treatment"), "needs to know the person", "add [subject]"))
        };
        Ok(match treatment {
            Treatment::Pseudonym(spec) => {
                let tokens = self.tokens(name, spec, index, marks)?;
                pseudonyms.push(tokens.report);
                let data_type = tokens.values.data_type().clone();
                (Maker::Values { column: index, values: tokens.values }, data_type, text)
            }
            Treatment::Shift { days } => {
                // One shift for all tokens of a person would tell which belong together: it shows where their periods begin.
                let (subject, whose) = match split {
                    Some(tokens) => (tokens.column, Arc::clone(&tokens.values)),
                    None => need_subject().and_then(|subject| Ok((subject, table.values(subject)?)))?,
                };
                let key = self.key.derive(&Domain {
                    recipient: &self.policy.recipient,
                    release: &self.policy.name,
                    product: &self.product.name,
                    column: name,
                    ..Domain::of("day-shift")
                });
                let days = DayShift::new(&key, *days).days(whose.as_ref())?;
                let text = if split.is_some() { text.replace("each person", "each token") } else { text };
                (Maker::Shifted { time: index, subject, days }, data_type, text)
            }
            Treatment::Relative => {
                let subject = split.map_or_else(need_subject, |tokens| Ok(tokens.column))?;
                let first = first_times(table, marks, subject, index)?;
                let text = if split.is_some() { text.replace("the person's", "the token's") } else { text };
                (Maker::Relative { time: index, subject, first }, DataType::Int64, text)
            }
            other => match transform::kernel(other)? {
                None => (self.untouched(index)?, data_type, text),
                Some(kernel) => {
                    let output_type = kernel.output_type(&data_type)?;
                    let maker = if table.is_coded(index) {
                        Maker::Values { column: index, values: apply_once(kernel.as_ref(), table.values(index)?.as_ref())? }
                    } else {
                        Maker::Mapped { column: index, kernel: Some(kernel) }
                    };
                    (maker, output_type, text)
                }
            },
        })
    }

    fn untouched(&self, column: usize) -> Result<Maker> {
        Ok(if self.pool.table.is_coded(column) {
            Maker::Values { column, values: self.pool.table.values(column)? }
        } else {
            Maker::Mapped { column, kernel: None }
        })
    }
}

/// What the token of a person is, in a few words for the report.
fn token_text(spec: &PseudonymSpec) -> String {
    let token = if spec.method == PseudonymMethod::Dense { "a number" } else { "a keyed token" };
    match spec.scope {
        Scope::Period => format!("{token} for each period"),
        Scope::Session => format!("{token} for each session"),
        _ => token.to_owned(),
    }
}

/// What a treatment does, in a few words for the report.
fn describe(treatment: &Treatment) -> String {
    match treatment {
        Treatment::Drop => "dropped".to_owned(),
        Treatment::Keep => "kept as it is".to_owned(),
        Treatment::Relative => "milliseconds since the person's first released event".to_owned(),
        Treatment::Truncate(unit) => format!("cut down to the {unit:?}").to_lowercase(),
        Treatment::Shift { days } => format!("moved by a secret number of days for each person, at most {days}"),
        Treatment::Buckets(bounds) => format!("put into {} buckets", bounds.len() + 1),
        Treatment::Round(to) => format!("rounded to multiples of {to}"),
        Treatment::Clamp(low, high) => format!("moved into [{low}, {high}]"),
        Treatment::Pseudonym(spec) if spec.method == PseudonymMethod::Dense => "replaced by a number".to_owned(),
        Treatment::Pseudonym(_) => "replaced by a keyed token".to_owned(),
    }
}

fn became(name: &str, column: &Column, text: String) -> ColumnReport {
    ColumnReport { name: name.to_owned(), role: column.role, became: text, level: None, highest: None }
}
