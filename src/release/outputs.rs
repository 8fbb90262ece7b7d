//! What becomes of each column of a product: tokens, generalized values, treated values.

use super::columns::{Maker, OutputColumn, first_times};
use super::generalize::Generalized;
use super::records::{TOKEN, Workshop};
use super::report::{ColumnReport, ProductReport, Pseudonym};
use crate::error::{Error, Result};
use crate::keys::{Domain, KeyOrigin};
use crate::pipeline::{Kernel, apply_once};
use crate::policy::{Column, PseudonymSpec, Role, Treatment};
use crate::pseudonym::{PseudonymDomain, Pseudonymizer, subject_key};
use crate::transform::{self, DayShift};
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

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
                let values = self.tokens(name, &spec, index)?;
                report.columns.push(became(name, column, format!("{TOKEN}: a keyed token")));
                pseudonyms.push(self.pseudonym(name, &spec));
                outputs.insert(
                    0,
                    OutputColumn {
                        name: TOKEN.to_owned(),
                        data_type: DataType::Utf8,
                        maker: Maker::Values { column: index, values },
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
            let (maker, output_type, text) = self.treated(name, column, index, data_type, marks, pseudonyms)?;
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

    fn treated(
        &self,
        name: &str,
        column: &Column,
        index: usize,
        data_type: DataType,
        marks: &[Vec<u8>],
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
                pseudonyms.push(self.pseudonym(name, spec));
                (Maker::Values { column: index, values: self.tokens(name, spec, index)? }, DataType::Utf8, text)
            }
            Treatment::Shift { days } => {
                let subject = need_subject()?;
                let key = self.key.derive(&Domain {
                    recipient: &self.policy.recipient,
                    release: &self.policy.name,
                    product: &self.product.name,
                    column: name,
                    ..Domain::of("day-shift")
                });
                let days = DayShift::new(&key, *days).days(table.values(subject)?.as_ref())?;
                (Maker::Shifted { time: index, subject, days }, data_type, text)
            }
            Treatment::Relative => {
                let subject = need_subject()?;
                let first = first_times(table, marks, subject, index)?;
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

    /// Tokens of the distinct values of a column.
    fn tokens(&self, name: &str, spec: &PseudonymSpec, column: usize) -> Result<ArrayRef> {
        let domain = PseudonymDomain {
            scope: spec.scope,
            recipient: &self.policy.recipient,
            release: &self.policy.name,
            product: &self.product.name,
            column: name,
            period: "",
        };
        let key = subject_key(self.key, &domain)?;
        Pseudonymizer::new(spec.method, key)?.apply(self.pool.table.values(column)?.as_ref())
    }

    fn pseudonym(&self, name: &str, spec: &PseudonymSpec) -> Pseudonym {
        let key_id = self.key.origin().id().map(str::to_owned);
        Pseudonym {
            column: name.to_owned(),
            method: spec.method,
            scope: spec.scope,
            reversible: false,
            reproducible: *self.key.origin() != KeyOrigin::Forgotten,
            key_id,
        }
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
        Treatment::Pseudonym(_) => "replaced by a keyed token".to_owned(),
    }
}

fn became(name: &str, column: &Column, text: String) -> ColumnReport {
    ColumnReport { name: name.to_owned(), role: column.role, became: text, level: None, highest: None }
}
