//! From declared models to predicates.

use super::{
    AverageRisk, BetaLikeness, CompletePresence, DeltaDisclosure, DeltaPresence, DistinctLDiversity, EntropyLDiversity, EstimatedKMap,
    KAnonymity, KMap, Linkability, Models, Monotonicity, PopulationUniqueness, PrivacyModel, RecursiveClDiversity, Reference,
    SampleUniqueness, TCloseness, UnreleasedPresence,
};
use crate::anonymity::classes::ClassView;
use crate::error::{Error, Result};
use crate::numeric::population::PopulationModel;
use crate::policy::{Distance, Model};
use crate::units::Share;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What models must know of the table that they are used on.
#[derive(Debug, Clone, Default)]
pub struct ModelContext {
    /// Whether everybody has one row. Only then most models are [monotone](PrivacyModel::is_monotone).
    pub one_row_each: bool,
    /// Sensitive columns by name.
    pub sensitive: BTreeMap<String, SensitiveColumn>,
    /// Whether classes come with the people of a population.
    pub population: bool,
    /// People of the table, for models that take it for a sample.
    pub people: u64,
}

/// What models must know of a sensitive column.
#[derive(Debug, Clone)]
pub struct SensitiveColumn {
    /// Place in [`ClassView::sensitive`].
    pub index: usize,
    /// Its values in the whole table.
    pub reference: Arc<Reference>,
    /// Rank of every value in the order of the column's data type, for the ordered distance.
    pub ranks: Option<Vec<u32>>,
    /// Node of every value at every level of the column's hierarchy from level 1 on, for the hierarchical distance.
    pub levels: Option<Vec<Vec<u32>>>,
}

impl ModelContext {
    fn column(&self, model: &Model, name: &str) -> Result<&SensitiveColumn> {
        self.sensitive.get(name).ok_or_else(|| {
            Error::policy(
                "products.models",
                format!("{} speaks of column {name}, whose values are not counted", model.name()),
                "name a column of role \"sensitive\" that the product releases",
            )
        })
    }

    fn needs_population(&self, model: &Model) -> Result<()> {
        if self.population {
            return Ok(());
        }
        Err(Error::policy(
            "products.models",
            format!("{} needs the population that the data was drawn from", model.name()),
            "name its file with population = \"…\"",
        ))
    }
}

impl Models {
    /// The models that a policy declares, in the order of the policy.
    ///
    /// # Errors
    /// A model speaks of a column or a population that the context does not have, or of an estimator that does not exist.
    pub fn from_policy(models: &[Model], linkability: Linkability, context: &ModelContext) -> Result<Self> {
        models.iter().try_fold(Self::new(), |all, model| all.declared(model, linkability, context))
    }

    fn declared(self, model: &Model, linkability: Linkability, context: &ModelContext) -> Result<Self> {
        let index = |column: &str| Ok::<_, Error>(context.column(model, column)?.index);
        let reference = |column: &str| Ok::<_, Error>(Arc::clone(&context.column(model, column)?.reference));
        let one = context.one_row_each;
        Ok(match model {
            Model::KAnonymity { k } => self.and(KAnonymity { k: *k, linkability }),
            Model::DistinctLDiversity { column, l } => self.and_for(one, DistinctLDiversity { column: index(column)?, l: *l }),
            Model::EntropyLDiversity { column, l, estimator } => {
                self.and_for(one, EntropyLDiversity { column: index(column)?, l: *l, estimator: *estimator })
            }
            Model::RecursiveClDiversity { column, c, l } => {
                self.and_for(one, RecursiveClDiversity { column: index(column)?, c: *c, l: *l })
            }
            Model::TCloseness { column, t, distance } => {
                self.and_for(one, closeness(model, context.column(model, column)?, *t, *distance)?)
            }
            Model::DeltaDisclosure { column, d } => {
                self.and_for(one, DeltaDisclosure { column: index(column)?, d: *d, reference: reference(column)? })
            }
            Model::BetaLikeness { column, beta, enhanced } => {
                let model = BetaLikeness { column: index(column)?, beta: *beta, enhanced: *enhanced, reference: reference(column)? };
                self.and_for(one, model)
            }
            Model::KMap { k, population_size: Some(size), estimator, significance, .. } => {
                let alpha = Share::new(significance.unwrap_or(Model::SIGNIFICANCE))?;
                self.and(EstimatedKMap::new(*k, context.people, *size, alpha, estimator.unwrap_or_default().into())?)
            }
            Model::KMap { k, .. } => {
                context.needs_population(model)?;
                self.and(KMap { k: *k })
            }
            Model::DeltaPresence { min, max, .. } => {
                context.needs_population(model)?;
                let all = self.and_for(one, DeltaPresence { min: *min, max: *max });
                match (one, *min > 0.0) {
                    (true, _) => all.and_table(UnreleasedPresence { min: *min, max: *max }),
                    (false, true) => all.and_table(CompletePresence),
                    (false, false) => all,
                }
            }
            Model::AverageRisk { threshold } => self.and_table(AverageRisk { threshold: *threshold }),
            Model::SampleUniqueness { threshold } => self.and_table(SampleUniqueness { threshold: *threshold }),
            Model::PopulationUniqueness { threshold, population_size, model } => {
                let estimator = match model {
                    None => PopulationModel::default(),
                    Some(name) => name.parse()?,
                };
                self.and_table(PopulationUniqueness { threshold: *threshold, population: *population_size, estimator })
            }
        })
    }

    fn and_for(self, one_row_each: bool, model: impl PrivacyModel + 'static) -> Self {
        if one_row_each { self.and(model) } else { self.and(SeveralRows(model)) }
    }
}

fn closeness(model: &Model, column: &SensitiveColumn, t: f64, distance: Distance) -> Result<TCloseness> {
    let reference = Arc::clone(&column.reference);
    let missing = |what: &str, remedy: &str| Error::policy("products.models", format!("{} needs {what}", model.name()), remedy);
    match distance {
        Distance::Equal => Ok(TCloseness::equal(column.index, t, reference)),
        Distance::Ordered => {
            let ranks = column.ranks.as_deref();
            let ranks = ranks.ok_or_else(|| missing("values that have an order", "write distance = \"equal\" or \"hierarchical\""))?;
            TCloseness::ordered(column.index, t, reference, ranks)
        }
        Distance::Hierarchical => {
            let levels = column.levels.as_ref();
            let levels = levels.ok_or_else(|| {
                missing("a hierarchy of the sensitive column", "give the column a hierarchy, or write distance = \"equal\"")
            })?;
            TCloseness::hierarchical(column.index, t, reference, &levels.iter().map(Vec::as_slice).collect::<Vec<_>>())
        }
    }
}

/// A model on people who have several rows: somebody may be in several classes with several values, and the people of a union are not those of its classes
/// added up. So nothing follows for the union.
#[derive(Debug)]
struct SeveralRows<M>(M);

impl<M: PrivacyModel> PrivacyModel for SeveralRows<M> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn monotonicity(&self, _one_row_each: bool) -> Monotonicity {
        self.0.monotonicity(false)
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        self.0.holds(class)
    }
}
