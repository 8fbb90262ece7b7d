//! A quasi-identifier of a product: its values, its hierarchy and the level that was chosen.

use super::population::Population;
use super::rows::{missing_rows, people_of_values};
use crate::anonymity::hierarchy::{Hierarchy, Rule};
use crate::error::{Error, Result};
use crate::io::table::{ColumnInterner, NULL_CODE, gather_values};
use crate::pipeline::apply_once;
use crate::policy::{Column, HierarchySpec, LevelLimits, Missing, Role};
use crate::release::columns::Maker;
use crate::release::records::Workshop;
use crate::release::report::ColumnReport;
use crate::transform;
use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::DataType;
use std::sync::Arc;

/// A generalized column for the file, and what the report says of it.
#[derive(Debug)]
pub(in crate::release) struct MadeColumn {
    pub(in crate::release) maker: Maker,
    pub(in crate::release) data_type: DataType,
    pub(in crate::release) report: ColumnReport,
}

/// A quasi-identifier of the product.
#[derive(Debug)]
pub(super) struct QuasiIdentifier {
    pub(super) name: String,
    pub(super) index: usize,
    /// Values after the treatment, each once.
    values: ArrayRef,
    /// Code of the treated value, by code of the value in the table.
    recoded: Vec<u32>,
    /// The same for the population.
    population: Vec<u32>,
    pub(super) hierarchy: Hierarchy,
    pub(super) limits: LevelLimits,
    /// The level that the search chose.
    pub(super) level: usize,
}

impl QuasiIdentifier {
    /// Fits the hierarchy on the values of the rows, and of the population if there is one.
    pub(super) fn fit(
        workshop: &Workshop<'_>,
        name: &str,
        column: &Column,
        population: Option<&Population>,
        marks: &[Vec<u8>],
    ) -> Result<Self> {
        let table = &workshop.pool.table;
        let index = table.column(name)?;
        let kernel = transform::kernel(column.effective_treatment())?;
        let treated = |values: ArrayRef| match &kernel {
            Some(kernel) => apply_once(kernel.as_ref(), values.as_ref()),
            None => Ok(values),
        };
        let raw = table.values(index)?;
        let values = treated(Arc::clone(&raw))?;
        // A treatment may map values to one, and to missing: they are numbered anew.
        let mut interner = ColumnInterner::new(name, values.data_type())?;
        let mut recoded = Vec::with_capacity(values.len());
        interner.extend(values.as_ref(), &mut recoded)?;
        let mut has_nulls = recoded.contains(&NULL_CODE) || table.has_missing(index)?;
        let mut of_population = Vec::new();
        if let Some(population) = population {
            let values = treated(population.values(name, raw.data_type())?)?;
            interner.extend(values.as_ref(), &mut of_population)?;
            has_nulls |= of_population.contains(&NULL_CODE) || population.has_missing(name)?;
        }
        let values = interner.values()?;
        if has_nulls && column.missing == Missing::Error {
            let missing = missing_rows(workshop, index, &recoded, marks)?;
            if missing > 0 {
                return Err(Error::rows(name, missing, "is missing", "fill the gaps, or use missing = \"own-leaf\""));
            }
            if of_population.contains(&NULL_CODE) || population.is_some_and(|population| population.has_missing(name).unwrap_or(true)) {
                return Err(Error::column(name, "has gaps in the population", "fill them, or use missing = \"own-leaf\""));
            }
            // Only rows that are not released have gaps.
            has_nulls = false;
        }
        let hierarchy = match &column.hierarchy {
            Some(spec @ HierarchySpec::Priority(_)) => {
                let people = people_of_values(workshop, index, &recoded, values.len(), marks)?;
                Hierarchy::build_with_people(name, spec, values.as_ref(), &people, has_nulls)?
            }
            Some(spec) => Hierarchy::build(name, spec, values.as_ref(), has_nulls)?,
            None => Hierarchy::flat(name, values.as_ref(), has_nulls)?,
        }
        .with_missing(column.missing)?;
        Ok(Self {
            name: name.to_owned(),
            index,
            values,
            recoded,
            population: of_population,
            hierarchy,
            limits: column.levels.unwrap_or_default(),
            level: 0,
        })
    }

    pub(super) fn fixed_level(&self) -> Option<usize> {
        self.limits.min.filter(|_| self.limits.min == self.limits.max)
    }

    pub(super) fn recode(&self, codes: &mut [u32]) {
        for code in codes {
            *code = self.recoded.get(*code as usize).copied().unwrap_or(NULL_CODE);
        }
    }

    /// The last level, unless it was read off the pool: a mask has as many levels as its longest value has characters.
    pub(super) fn declared_height(&self) -> Option<usize> {
        (!matches!(self.hierarchy.scheme().rule(), Rule::Mask(_))).then(|| self.hierarchy.height())
    }

    /// As [`QuasiIdentifier::recode`], for codes of the population.
    pub(super) fn recode_population(&self, codes: &mut [u32]) {
        for code in codes {
            *code = self.population.get(*code as usize).copied().unwrap_or(NULL_CODE);
        }
    }

    /// Values after the treatment, each once.
    pub(super) fn values(&self) -> &ArrayRef {
        &self.values
    }

    /// Values of the column at the chosen level, by recoded value.
    pub(super) fn labels(&self) -> Result<ArrayRef> {
        match self.level {
            0 => Ok(Arc::clone(&self.values)),
            level => apply_once(&self.hierarchy.kernel(level)?, self.values.as_ref()),
        }
    }

    /// The column of the population as it would be released.
    pub(super) fn released_population(&self, codes: &[u32]) -> Result<ArrayRef> {
        if self.is_star() {
            return Ok(Arc::new(StringArray::from_iter_values(std::iter::repeat_n("*", codes.len()))));
        }
        let mut codes = codes.to_vec();
        self.recode_population(&mut codes);
        gather_values(&self.labels()?, &codes)
    }

    fn is_star(&self) -> bool {
        self.hierarchy.scheme().is_star(self.level)
    }

    /// The column as it is released.
    pub(super) fn make(&self, role: Role) -> Result<MadeColumn> {
        let text = match self.level {
            0 => "kept at level 0: as it is".to_owned(),
            _ if self.is_star() => "generalized to * (nothing is left)".to_owned(),
            level => match self.declared_height() {
                Some(height) => format!("generalized to level {level} of {height}"),
                None => format!("{level} characters of the longest value masked"),
            },
        };
        let report = ColumnReport { name: self.name.clone(), role, became: text, level: Some(self.level), highest: self.declared_height() };
        if self.is_star() {
            return Ok(MadeColumn { maker: Maker::Constant("*"), data_type: DataType::Utf8, report });
        }
        let values = gather_values(&self.labels()?, &self.recoded)?;
        Ok(MadeColumn { data_type: values.data_type().clone(), maker: Maker::Values { column: self.index, values }, report })
    }

    /// Labels that the release shows: distinct values at the chosen level that some released row has.
    pub(super) fn shown(&self, used: &[bool]) -> Result<Vec<String>> {
        if self.is_star() {
            return Ok(if used.contains(&true) { vec!["*".to_owned()] } else { Vec::new() });
        }
        let level = self.hierarchy.level(self.level)?;
        let mut shown: Vec<String> = Vec::new();
        for (&code, &used) in level.codes().iter().zip(used) {
            let labels: &StringArray = level.labels();
            if used && labels.is_valid(code as usize) {
                shown.push(labels.value(code as usize).to_owned());
            }
        }
        shown.sort_unstable();
        shown.dedup();
        Ok(shown)
    }
}
