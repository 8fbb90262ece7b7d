//! Local recoding: rows of a class show what they have in common, and classes are generalized each in its own way.

use super::quasi::{MadeColumn, QuasiIdentifier};
use super::rows::visit;
use super::sensitive::Sensitive;
use crate::anonymity::classes::Tuples;
use crate::anonymity::hierarchy::Hierarchy;
use crate::anonymity::local::{
    Dimension, Found, LocalRecoding, Microaggregation, Resources, RowTable, Rows, local, microaggregate, mondrian, mondrian_relaxed,
};
use crate::anonymity::models::Models;
use crate::anonymity::quality::{Aggregate, QualityMetric, Score};
use crate::anonymity::search::{Problem, optimal};
use crate::error::{Error, Result};
use crate::keys::Domain;
use crate::policy::{Metric, Model, Quality, Role, Search};
use crate::release::budget::Budget;
use crate::release::columns::{Maker, OUTLIER, is_released};
use crate::release::records::Workshop;
use crate::release::report::ColumnReport;
use crate::release::rows::PrioritizedRows;
use crate::units::Share;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;

/// A local recoding of the rows of a product.
#[derive(Debug)]
pub(super) struct Recoded {
    recoding: LocalRecoding,
    /// Class of every row, chunk by chunk.
    classes: Vec<Vec<u32>>,
}

/// What a local recoding is made of.
pub(super) struct Material<'a> {
    pub(super) workshop: &'a Workshop<'a>,
    pub(super) quasi: &'a [QuasiIdentifier],
    pub(super) sensitive: &'a [Sensitive],
    pub(super) tuples: &'a Tuples,
    pub(super) hierarchies: &'a [Hierarchy],
    pub(super) models: &'a Models,
    pub(super) metric: &'a dyn QualityMetric,
}

impl Material<'_> {
    /// Recodes the released rows, and marks those that are suppressed.
    pub(super) fn recode(&self, marks: &mut [Vec<u8>]) -> Result<Recoded> {
        let product = self.workshop.product;
        let resources = Resources {
            suppression_limit: product.suppression_limit.0,
            threads: NonZeroUsize::new(self.workshop.threads).unwrap_or(NonZeroUsize::MIN),
            ..Resources::new()
        };
        let dimensions = self.quasi.iter().map(|q| Dimension::new(&q.hierarchy, q.values())).collect::<Result<Vec<_>>>()?;
        let by_row = matches!(product.search, Search::MondrianRelaxed | Search::Microaggregation);
        let rows = if by_row { Some(self.rows(marks)?) } else { None };
        let found = match (product.search, &rows) {
            (Search::Mondrian, _) => mondrian(self.tuples, &dimensions, self.models, resources)?,
            (Search::MondrianRelaxed, Some(rows)) => mondrian_relaxed(rows, &dimensions, self.models, resources)?,
            (Search::Microaggregation, Some(rows)) => {
                let k = product.models.iter().find_map(|model| if let Model::KAnonymity { k } = model { Some(*k) } else { None });
                let k = k.ok_or_else(|| {
                    let key = format!("products.{}.models", product.name);
                    Error::policy(key, "search = \"microaggregation\" needs the size of its groups", "add k-anonymity to the models")
                })?;
                microaggregate(rows, &dimensions, self.models, &Microaggregation::new(k, &dimensions), resources)?
            }
            (Search::Local, _) => {
                // The first round is free to release only rows that suit the same levels.
                let everything = Share::new(1.0)?;
                local(self.tuples, self.hierarchies, self.models, resources, everything, |tuples, limit| {
                    let mut problem = Problem::new(tuples, self.hierarchies, self.models, self.metric, limit)?.threads(resources.threads);
                    for (column, q) in self.quasi.iter().enumerate() {
                        problem = problem.limit(column, q.limits)?;
                    }
                    optimal(&problem)
                })?
            }
            _ => return Err(Error::unsupported(format!("products.{}.search", product.name), "this search")),
        };
        let recoding = match found {
            Found::Recoding(recoding) => *recoding,
            Found::Nothing(shortfall) => return Err(shortfall.into_error(&product.name)),
        };
        let classes = self.classes(&recoding, by_row, marks)?;
        for (marks, classes) in marks.iter_mut().zip(&classes) {
            for (mark, &class) in marks.iter_mut().zip(classes) {
                if is_released(*mark) && class == LocalRecoding::SUPPRESSED {
                    *mark = OUTLIER;
                }
            }
        }
        Ok(Recoded { recoding, classes })
    }

    /// The released rows one by one, with keys that say nothing of their places.
    fn rows(&self, marks: &[Vec<u8>]) -> Result<Rows> {
        let workshop = self.workshop;
        let released = workshop.rows(marks);
        let key = workshop.selection.derive(&Domain {
            recipient: &workshop.policy.recipient,
            release: &workshop.policy.name,
            product: &workshop.product.name,
            ..Domain::of("local-recoding")
        });
        // Every person has more than no rows, so every row gets its priority.
        let prioritized = PrioritizedRows::new(&released, 0, &key, Budget::new(workshop.memory).algorithm())?;
        let mut priorities: Vec<Vec<u64>> = Vec::with_capacity(marks.len());
        prioritized.visit(&mut |_, _, of_chunk| {
            priorities.push(of_chunk.to_vec());
            Ok(())
        })?;
        let has_subjects = workshop.pool.subject.is_some();
        let columns: Vec<usize> = self.quasi.iter().map(|q| q.index).chain(self.sensitive.iter().map(|s| s.index)).collect();
        let mut table = RowTable::new(self.quasi.len(), self.sensitive.len());
        released.visit(&columns, &mut |chunk, subjects, codes| {
            let mut codes = codes.to_vec();
            let (of_quasi, of_sensitive) = codes.split_at_mut(self.quasi.len());
            self.quasi.iter().zip(of_quasi).for_each(|(q, codes)| q.recode(codes));
            self.sensitive.iter().zip(of_sensitive).for_each(|(s, codes)| s.recode(codes));
            let kept: Vec<usize> = (0..subjects.len()).filter(|&row| is_released(marks[chunk][row])).collect();
            let pick = |column: &[u32]| kept.iter().map(|&row| column[row]).collect::<Vec<u32>>();
            let codes: Vec<Vec<u32>> = codes.iter().map(|column| pick(column)).collect();
            let owners = pick(subjects);
            let keys: Vec<u64> = kept.iter().map(|&row| priorities[chunk][row]).collect();
            let columns: Vec<&[u32]> = codes.iter().map(Vec::as_slice).collect();
            let (of_quasi, of_sensitive) = columns.split_at(self.quasi.len());
            table.extend(of_quasi, of_sensitive, has_subjects.then_some(owners.as_slice()), &keys)
        })?;
        table.finish()
    }

    /// Class of every row, chunk by chunk.
    fn classes(&self, recoding: &LocalRecoding, by_row: bool, marks: &[Vec<u8>]) -> Result<Vec<Vec<u32>>> {
        let mut next = recoding.of_units().iter();
        let mut classes = Vec::with_capacity(marks.len());
        visit(self.workshop, self.quasi, marks, &mut |chunk, subjects, codes| {
            let mut tuple = Vec::with_capacity(codes.len());
            let of_chunk = (0..subjects.len()).map(|row| {
                if !is_released(marks[chunk][row]) {
                    return None;
                }
                if by_row {
                    return next.next().copied();
                }
                tuple.clear();
                tuple.extend(codes.iter().map(|codes| codes[row]));
                self.tuples.find(&tuple).and_then(|tuple| recoding.of_units().get(tuple)).copied()
            });
            classes.push(of_chunk.map(|class| class.unwrap_or(LocalRecoding::SUPPRESSED)).collect());
            Ok(())
        })?;
        Ok(classes)
    }
}

impl Recoded {
    /// Class of every row, chunk by chunk.
    pub(super) fn classes(&self) -> &[Vec<u32>] {
        &self.classes
    }

    pub(super) fn rows(&self) -> u64 {
        self.recoding.rows()
    }

    /// The column at `place` as it is released.
    pub(super) fn column(&self, place: usize, name: &str) -> Result<MadeColumn> {
        let values = self.recoding.labels(place)?;
        let became = "recoded locally: every class shows what its rows have in common".to_owned();
        let report = ColumnReport { name: name.to_owned(), role: Role::QuasiIdentifier, became, level: None, highest: None };
        Ok(MadeColumn { data_type: values.data_type().clone(), maker: Maker::Classes { values }, report })
    }

    /// What the metric of the policy says, and all figures. A certainty penalty is the loss of a label: the share of the domain, less one value, that it leaves.
    #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
    pub(super) fn quality(&self, names: &[&str], quality: &Quality) -> Result<(Value, BTreeMap<String, f64>)> {
        let recoding = &self.recoding;
        let rows = recoding.rows().max(1) as f64;
        let mut all: BTreeMap<String, f64> = BTreeMap::new();
        let mut losses = Vec::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            let penalties = recoding.penalties(place)?.iter().zip(recoding.statistics());
            let kept: f64 = penalties.map(|(penalty, class)| penalty * class.rows as f64).sum();
            losses.push((kept + recoding.suppressed_rows() as f64) / rows);
            all.insert(format!("loss.{name}"), losses[place]);
            all.insert(format!("granularity.{name}"), 1.0 - losses[place]);
        }
        let loss = Aggregate::new(&Quality { metric: Metric::Loss, ..quality.clone() }, names)?.combine(&losses);
        if let Score::Number(loss) = &loss {
            all.insert(Metric::Loss.name().to_owned(), *loss);
        }
        all.insert("certainty-penalty".to_owned(), recoding.certainty_penalty());
        all.insert(Metric::Discernibility.name().to_owned(), recoding.discernibility() as f64);
        if let Some(error) = recoding.within_class_error() {
            all.insert("within-class-error".to_owned(), error);
        }
        let value = if quality.metric == Metric::Loss { json!(loss) } else { json!(all.get(quality.metric.name())) };
        Ok((value, all))
    }

    /// The regions of the classes, for the steward; nothing where labels are means, which have none.
    pub(super) fn fitted(&self) -> Value {
        self.recoding.regions().map_or(Value::Null, |regions| json!(regions))
    }

    /// Levels of every round of repeated full-domain recoding.
    pub(super) fn rounds(&self) -> usize {
        self.recoding.rounds().len()
    }
}
