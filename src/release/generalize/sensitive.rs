//! The sensitive columns of a product: their released values, their distribution when the levels were chosen, and how far values are apart.

use super::population::population_file;
use crate::anonymity::classes::Tuples;
use crate::anonymity::hierarchy::Hierarchy;
use crate::anonymity::models::{ModelContext, Reference, SensitiveColumn};
use crate::error::{Error, Result};
use crate::io::table::{ColumnInterner, NULL_CODE};
use crate::pipeline::apply_once;
use crate::policy::{Column, Distance, HierarchySpec, Model, RecordsProduct, Role};
use crate::release::columns::is_released;
use crate::release::records::Workshop;
use crate::transform;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{SortOptions, cast, sort_to_indices};
use arrow::datatypes::DataType;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A sensitive column that a model speaks of.
#[derive(Debug)]
pub(super) struct Sensitive {
    pub(super) name: String,
    pub(super) index: usize,
    /// Values after the treatment, each once. Rows without a value have the next code.
    values: ArrayRef,
    /// Code of the treated value, by code of the value in the table.
    recoded: Vec<u32>,
    /// Whether rows without a value may be released.
    has_missing: bool,
    hierarchy: Option<Hierarchy>,
}

/// People by value of a sensitive column when the levels were chosen, and the tree of its values.
#[derive(Debug, Clone, Default)]
pub(in crate::release) struct FitDistribution {
    /// People by value as text; missing values under `None`.
    pub(in crate::release) people: BTreeMap<Option<String>, u64>,
    /// Distinct people.
    pub(in crate::release) total: u64,
    /// One row a value, the value first, then its ancestors; empty without a hierarchy.
    pub(in crate::release) tree: Vec<Vec<Option<String>>>,
}

impl Sensitive {
    /// The sensitive columns that the models of the product speak of.
    pub(super) fn of_models(workshop: &Workshop<'_>, columns: &[(&String, &Column)], marks: &[Vec<u8>]) -> Result<Vec<Self>> {
        let spoken_of = |name: &str| workshop.product.models.iter().any(|model| model.column() == Some(name));
        columns
            .iter()
            .filter(|(name, column)| column.role == Role::Sensitive && spoken_of(name))
            .map(|(name, column)| Self::fit(workshop, name, column, marks))
            .collect()
    }

    fn fit(workshop: &Workshop<'_>, name: &str, column: &Column, marks: &[Vec<u8>]) -> Result<Self> {
        let table = &workshop.pool.table;
        let index = table.column(name)?;
        let values = treated(workshop, index, column)?;
        let mut used = vec![false; values.len() + 1];
        workshop.rows(marks).visit(&[index], &mut |chunk, _, codes| {
            for (&code, &mark) in codes[0].iter().zip(&marks[chunk]) {
                used[(code as usize).min(values.len())] |= is_released(mark);
            }
            Ok(())
        })?;
        // Only values that may be released are values: a scale that others stretch would make distances look smaller.
        let mut interner = ColumnInterner::new(name, values.data_type())?;
        let mut recoded = Vec::with_capacity(values.len());
        for (code, &used) in used[..values.len()].iter().enumerate() {
            if used {
                interner.extend(values.slice(code, 1).as_ref(), &mut recoded)?;
            } else {
                recoded.push(NULL_CODE);
            }
        }
        let has_missing = used.iter().enumerate().any(|(code, &used)| used && recoded.get(code).is_none_or(|&code| code == NULL_CODE));
        let values = interner.values()?;
        let hierarchy = match &column.hierarchy {
            Some(spec @ HierarchySpec::Priority(_)) => {
                let people = super::rows::people_of_values(workshop, index, &recoded, values.len(), marks)?;
                Some(Hierarchy::build_with_people(name, spec, values.as_ref(), &people, has_missing)?)
            }
            Some(spec) => Some(Hierarchy::build(name, spec, values.as_ref(), has_missing)?),
            None => None,
        };
        Ok(Self { name: name.to_owned(), index, values, recoded, has_missing, hierarchy })
    }

    /// The code of rows without a value.
    fn missing(&self) -> u32 {
        u32::try_from(self.values.len()).unwrap_or(NULL_CODE)
    }

    pub(super) fn recode(&self, codes: &mut [u32]) {
        let missing = self.missing();
        for code in codes {
            *code = self.recoded.get(*code as usize).copied().filter(|&code| code != NULL_CODE).unwrap_or(missing);
        }
    }

    /// People by code.
    fn people(&self, place: usize, tuples: &Tuples) -> Vec<u64> {
        let mut people = vec![0; self.values.len() + usize::from(self.has_missing)];
        for count in tuples.distribution(place) {
            if let Some(slot) = people.get_mut(count.value as usize) {
                *slot = count.people;
            }
        }
        people
    }

    /// Rank of every code in the order of the data type: numbers by size, text by its bytes, missing values last.
    fn ranks(&self) -> Result<Vec<u32>> {
        let order = sort_to_indices(self.values.as_ref(), Some(SortOptions { descending: false, nulls_first: false }), None)
            .map_err(|e| Error::arrow(format!("ordering the values of {}", self.name), &e))?;
        let mut ranks = vec![0; self.values.len()];
        for (rank, &code) in (0_u32..).zip(order.values()) {
            ranks[code as usize] = rank;
        }
        ranks.extend(self.has_missing.then(|| self.missing()));
        Ok(ranks)
    }

    /// What models must know of the column, at its place among the sensitive columns of the tuples.
    fn column(&self, place: usize, tuples: &Tuples) -> Result<SensitiveColumn> {
        Ok(SensitiveColumn {
            index: place,
            reference: Arc::new(Reference::new(self.people(place, tuples), tuples.subjects())?),
            ranks: Some(self.ranks()?),
            levels: self.hierarchy.as_ref().map(|hierarchy| hierarchy.levels()[1..].iter().map(|level| level.codes().to_vec()).collect()),
        })
    }

    /// The distribution at fit time, for the recount and for the steward.
    pub(super) fn distribution(&self, place: usize, tuples: &Tuples) -> Result<FitDistribution> {
        let texts = texts(&self.values)?;
        let people = self.people(place, tuples).into_iter().enumerate();
        let tree = self.hierarchy.as_ref().map_or_else(Vec::new, |hierarchy| {
            (0..hierarchy.leaves())
                .map(|leaf| {
                    let ancestors = hierarchy.levels()[1..].iter().map(|level| {
                        let code = level.codes()[leaf] as usize;
                        level.labels().is_valid(code).then(|| level.labels().value(code).to_owned())
                    });
                    std::iter::once(texts.get(leaf).cloned()).chain(ancestors).collect()
                })
                .collect()
        });
        Ok(FitDistribution {
            people: people.map(|(code, people)| (texts.get(code).cloned(), people)).collect(),
            total: tuples.subjects(),
            tree,
        })
    }
}

/// What the models of the product must know.
pub(super) fn context(product: &RecordsProduct, sensitive: &[Sensitive], tuples: &Tuples) -> Result<ModelContext> {
    let ordered = |name: &str| {
        product.models.iter().any(|model| matches!(model, Model::TCloseness { column, distance: Distance::Ordered, .. } if column == name))
    };
    let columns = sensitive
        .iter()
        .enumerate()
        .map(|(place, column)| {
            let mut known = column.column(place, tuples)?;
            known.ranks = known.ranks.filter(|_| ordered(&column.name));
            Ok((column.name.clone(), known))
        })
        .collect::<Result<_>>()?;
    Ok(ModelContext {
        one_row_each: tuples.one_row_each(),
        sensitive: columns,
        population: population_file(product).is_some(),
        people: tuples.subjects(),
    })
}

/// How the released values of all sensitive columns are distributed over the rows. A missing value is counted as the empty text.
pub(super) fn distributions(
    workshop: &Workshop<'_>,
    columns: &[(&String, &Column)],
    marks: &[Vec<u8>],
) -> Result<BTreeMap<String, BTreeMap<String, u64>>> {
    let mut all = BTreeMap::new();
    for (name, column) in columns.iter().filter(|(_, column)| column.role == Role::Sensitive) {
        let index = workshop.pool.table.column(name)?;
        let texts = texts(&treated(workshop, index, column)?)?;
        let mut counts = vec![0_u64; texts.len() + 1];
        workshop.rows(marks).visit(&[index], &mut |chunk, _, codes| {
            for (&code, &mark) in codes[0].iter().zip(&marks[chunk]) {
                if is_released(mark) {
                    counts[(code as usize).min(texts.len())] += 1;
                }
            }
            Ok(())
        })?;
        let mut distribution = BTreeMap::new();
        for (code, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            *distribution.entry(texts.get(code).cloned().unwrap_or_default()).or_insert(0) += count;
        }
        all.insert((*name).clone(), distribution);
    }
    Ok(all)
}

/// The distinct values of a column after its treatment, by code of the table.
fn treated(workshop: &Workshop<'_>, index: usize, column: &Column) -> Result<ArrayRef> {
    let values = workshop.pool.table.values(index)?;
    match transform::kernel(column.effective_treatment())? {
        Some(kernel) => apply_once(kernel.as_ref(), values.as_ref()),
        None => Ok(values),
    }
}

/// Values as text; missing ones as the empty text.
fn texts(values: &ArrayRef) -> Result<Vec<String>> {
    let texts = cast(values, &DataType::LargeUtf8).map_err(|e| Error::arrow("writing sensitive values as text", &e))?;
    let texts = texts.as_string::<i64>();
    Ok((0..texts.len()).map(|row| if texts.is_valid(row) { texts.value(row).to_owned() } else { String::new() }).collect())
}
