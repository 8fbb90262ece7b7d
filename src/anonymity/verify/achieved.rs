//! What a released table achieves under every model, from its values alone.

use super::counter::{ClassCounter, People};
use super::figures::{Shares, beta_gain, disclosure, distance, entropy_l, fill};
use super::identity::Identity;
use super::report::{Claim, ClassReport};
use crate::error::{Error, Result};
use crate::numeric::population::{PopulationModel, SampleClasses, population_uniques};
use crate::numeric::real;
use crate::pipeline::Fit;
use crate::policy::{Distance, Model};
use hashbrown::HashMap;
use serde::Serialize;
use std::collections::BTreeMap;

/// With what sensitive values are compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Reference {
    /// The released rows themselves.
    #[default]
    Released,
    /// The table at fit time: people with every value (missing values under `None`) and people in all.
    Fit {
        /// People by value.
        people: BTreeMap<Option<String>, u64>,
        /// Distinct people.
        total: u64,
    },
}

/// What a check needs besides the file.
#[derive(Debug, Clone, Default)]
pub struct Basis {
    /// What t-closeness, δ-disclosure and β-likeness compare with.
    pub reference: Reference,
    /// The tree of the hierarchical distance: one row a value, the value first (as text; `None` is missing), then its ancestors up to the root.
    pub tree: Vec<Vec<Option<String>>>,
    /// People of the data who are not in the file, where everybody has one row: δ-presence asks how likely somebody who fits no released class is one of them.
    /// `None` if it is not known; then nobody of the population may fit no class if presence has a lower bound.
    pub suppressed: Option<u64>,
}

/// What counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// Distinct people.
    People,
    /// Rows, because the table does not tell people apart. They bound nothing in people.
    Rows,
}

/// Which distribution was compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceUsed {
    /// The released rows.
    Released,
    /// The table at fit time.
    Fit,
}

/// What was found for one model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Found {
    /// The worst class: fewest distinct values, smallest l, largest ratio, distance, gain, …; `None` without rows. For δ-presence the largest share.
    pub achieved: Option<f64>,
    /// The smallest share of δ-presence.
    pub smallest: Option<f64>,
    /// Whether the declared bound is met. Without rows it is.
    pub holds: bool,
    /// What was counted.
    pub counted: Counted,
    /// For models that compare with a distribution.
    pub reference: Option<ReferenceUsed>,
    /// People of the population who fit no released class, for models with a population.
    pub absent: Option<u64>,
}

/// One class: its people, and the people with every value of every sensitive column.
#[derive(Debug, Default)]
struct Class {
    subjects: u64,
    values: Vec<BTreeMap<Option<String>, u64>>,
}

/// A released table, recounted with its sensitive values.
#[derive(Debug)]
pub struct ModelReport {
    /// What the classes show.
    pub classes: ClassReport,
    counted: Counted,
    /// Names, and whether values are numbers.
    sensitive: Vec<(String, bool)>,
    all: HashMap<Identity, Class>,
    /// People of the whole release with every value.
    released: Vec<BTreeMap<Option<String>, u64>>,
    population: HashMap<Identity, u64>,
}

impl ModelReport {
    pub(super) fn new(
        classes: ClassCounter,
        people: &People,
        sensitive: Vec<(String, bool)>,
        values: HashMap<(Identity, usize, Option<String>, Identity), u64>,
        population: HashMap<Identity, u64>,
    ) -> Result<Self> {
        let owned = people.column().is_some();
        let mut all: HashMap<Identity, Class> = HashMap::new();
        for (class, rows) in classes.pairs() {
            let class = all.entry(class).or_default();
            class.subjects += if owned { 1 } else { rows };
            class.values.resize_with(sensitive.len(), BTreeMap::new);
        }
        let mut released = vec![BTreeMap::new(); sensitive.len()];
        let mut seen: hashbrown::HashSet<(usize, Option<String>, Identity)> = hashbrown::HashSet::new();
        for ((class, column, value, person), rows) in values {
            let count = if owned { 1 } else { rows };
            if !owned || seen.insert((column, value.clone(), person)) {
                *released[column].entry(value.clone()).or_insert(0) += count;
            }
            *all.entry(class).or_default().values[column].entry(value).or_insert(0) += count;
        }
        let counted = if people == &People::Unknown { Counted::Rows } else { Counted::People };
        Ok(Self { classes: classes.finish()?, counted, sensitive, all, released, population })
    }

    fn found(&self, achieved: Option<f64>, holds: bool) -> Found {
        let holds = holds || self.all.is_empty();
        Found { achieved, smallest: None, holds, counted: self.counted, reference: None, absent: None }
    }

    fn column(&self, name: &str) -> Result<usize> {
        let place = self.sensitive.iter().position(|(column, _)| column == name);
        place.ok_or_else(|| Error::column(name, "was not counted as a sensitive column", "name it when the counter is made"))
    }

    /// Recomputes what `model` claims.
    ///
    /// # Errors
    /// The model speaks of a column that was not counted, the reference lacks people, or the tree lacks a value.
    pub fn check(&self, model: &Model, basis: &Basis) -> Result<Found> {
        let classes = || self.all.values();
        match model {
            Model::KAnonymity { k } => Ok(match self.classes.claim(k.get()) {
                Claim::Subject { achieved } => self.found(Some(real(achieved)), achieved >= k.get()),
                Claim::SubjectPerRow { achieved } => self.found(Some(real(achieved)), false),
                Claim::NeedsPool { smallest_rows } => self.found(Some(real(smallest_rows)), false),
                Claim::Empty => self.found(None, true),
            }),
            Model::DistinctLDiversity { column, l } => {
                let column = self.column(column)?;
                let fewest = classes().map(|class| fill(class.values[column].values().copied(), class.subjects).len() as u64).min();
                Ok(self.found(fewest.map(real), fewest.is_none_or(|fewest| fewest >= *l)))
            }
            Model::EntropyLDiversity { column, l, estimator } => {
                let column = self.column(column)?;
                let smallest = classes()
                    .map(|class| entropy_l(&fill(class.values[column].values().copied(), class.subjects), *estimator))
                    .reduce(f64::min);
                Ok(self.found(smallest, smallest.is_none_or(|smallest| smallest >= l * (1.0 - 1e-12))))
            }
            Model::RecursiveClDiversity { column, c, l } => {
                let column = self.column(column)?;
                let rank = usize::try_from(l.saturating_sub(1)).unwrap_or(usize::MAX);
                let largest = classes()
                    .map(|class| {
                        let filled = fill(class.values[column].values().copied(), class.subjects);
                        let rest: u64 = filled.iter().skip(rank).sum();
                        real(filled.first().copied().unwrap_or(0)) / real(rest)
                    })
                    .reduce(f64::max);
                // Without a rest there is no c.
                Ok(self.found(largest.filter(|largest| largest.is_finite()), largest.is_none_or(|largest| largest < *c)))
            }
            Model::TCloseness { column, t, distance } => self.closeness(column, *t, *distance, basis),
            Model::DeltaDisclosure { column, d } => {
                let largest = self.compare(column, basis, |class, table| Ok(disclosure(class, table)))?;
                Ok(self.compared(largest, basis, largest.is_none_or(|largest| largest < *d)))
            }
            Model::BetaLikeness { column, beta, enhanced } => {
                let mut holds = true;
                let largest = self.compare(column, basis, |class, table| {
                    let (gain, within) = beta_gain(class, table, *beta, *enhanced);
                    holds &= within;
                    Ok(gain)
                })?;
                Ok(self.compared(largest, basis, holds))
            }
            Model::KMap { population_size: Some(_), .. } => {
                Err(Error::Parameter { name: "model", problem: "is an estimate, which no file achieves; population_k gives it".to_owned() })
            }
            Model::KMap { k, .. } => {
                let smallest = self.all.keys().map(|class| self.population.get(class).copied().unwrap_or(0)).min();
                let found = self.found(smallest.map(real), smallest.is_none_or(|smallest| smallest >= k.get()));
                Ok(Found { counted: Counted::People, absent: Some(self.absent()), ..found })
            }
            Model::DeltaPresence { min, max, .. } => Ok(self.presence(*min, *max, basis.suppressed)),
            Model::AverageRisk { threshold } => {
                let risk = (!self.all.is_empty()).then(|| real(self.all.len() as u64) / self.people());
                Ok(self.found(risk, risk.is_none_or(|risk| risk <= threshold * (1.0 + 1e-12))))
            }
            Model::SampleUniqueness { threshold } => {
                let alone = self.all.values().filter(|class| class.subjects == 1).count() as u64;
                let share = (!self.all.is_empty()).then(|| real(alone) / self.people());
                Ok(self.found(share, share.is_none_or(|share| share <= threshold * (1.0 + 1e-12))))
            }
            Model::PopulationUniqueness { threshold, population_size, model } => {
                let estimator = model.as_deref().map_or(Ok(PopulationModel::default()), str::parse)?;
                let sample = SampleClasses::new(self.all.values().map(|class| (class.subjects, 1)))?;
                let share = population_uniques(estimator, &sample, *population_size)? / real((*population_size).max(1));
                Ok(self.found(Some(share), share <= *threshold))
            }
        }
    }

    /// People of every class, and people of the population who fit it.
    pub fn people_of_classes(&self) -> impl Iterator<Item = (u64, u64)> {
        self.all.iter().map(|(class, found)| (found.subjects, self.population.get(class).copied().unwrap_or(0)))
    }

    fn people(&self) -> f64 {
        self.all.values().map(|class| real(class.subjects)).sum()
    }

    fn absent(&self) -> u64 {
        // A part of what was counted in 64 bits class by class; more than 2^64 people in all are not to be had.
        self.population.iter().filter(|(class, _)| !self.all.contains_key(*class)).fold(0, |sum, (_, people)| sum.saturating_add(*people))
    }

    fn presence(&self, min: f64, max: f64, suppressed: Option<u64>) -> Found {
        let absent = self.absent();
        // Everybody who fits no released class looks alike.
        let beside = suppressed.filter(|&suppressed| suppressed > 0 || absent > 0).map(|suppressed| real(suppressed) / real(absent));
        let of_classes =
            self.all.iter().map(|(class, found)| real(found.subjects) / real(self.population.get(class).copied().unwrap_or(0)));
        let shares: Vec<f64> = of_classes.chain(beside).collect();
        let (smallest, largest) = (shares.iter().copied().reduce(f64::min), shares.iter().copied().reduce(f64::max));
        let within = smallest.is_none_or(|share| share >= min * (1.0 - 1e-12)) && largest.is_none_or(|share| share <= max * (1.0 + 1e-12));
        let holds = within && (min <= 0.0 || absent == 0 || suppressed.is_some());
        Found { smallest, holds, absent: Some(absent), ..self.found(largest.filter(|share| share.is_finite()), holds) }
    }

    fn closeness(&self, column: &str, t: f64, ground: Distance, basis: &Basis) -> Result<Found> {
        let numbers = self.sensitive[self.column(column)?].1;
        let largest = self.compare(column, basis, |class, table| distance(ground, class, table, numbers, &basis.tree))?;
        Ok(self.compared(largest, basis, largest.is_none_or(|largest| largest <= t + 1e-12)))
    }

    /// The largest figure over all classes.
    fn compare(&self, column: &str, basis: &Basis, mut figure: impl FnMut(&Shares<'_>, &Shares<'_>) -> Result<f64>) -> Result<Option<f64>> {
        let index = self.column(column)?;
        let table = match &basis.reference {
            Reference::Released => Shares { people: &self.released[index], total: self.classes.subjects.unwrap_or(self.classes.rows) },
            Reference::Fit { people, total } => Shares { people, total: *total },
        };
        if !self.all.is_empty() && (table.total == 0 || table.people.values().any(|&people| people > table.total)) {
            let problem = "must count everyone at least once, and nobody twice for one value".to_owned();
            return Err(Error::Parameter { name: "reference", problem });
        }
        let mut largest: Option<f64> = None;
        for class in self.all.values() {
            let found = figure(&Shares { people: &class.values[index], total: class.subjects }, &table)?;
            largest = Some(largest.map_or(found, |largest| largest.max(found)));
        }
        Ok(largest)
    }

    fn compared(&self, largest: Option<f64>, basis: &Basis, holds: bool) -> Found {
        let reference = match basis.reference {
            Reference::Released => ReferenceUsed::Released,
            Reference::Fit { .. } => ReferenceUsed::Fit,
        };
        Found { reference: Some(reference), ..self.found(largest.filter(|largest| largest.is_finite()), holds) }
    }
}
