//! Models of the whole table: predicates on the sizes of the classes that are released.
//!
//! A class cannot fail them alone. [`enforce`] suppresses further classes, the smallest first, until they hold.

use super::exact::Decimal;
use crate::anonymity::classes::ClassStatistics;
use crate::error::{Error, Result};
use crate::numeric::population::{PopulationModel, SampleClasses, population_uniques};
use crate::numeric::real;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// A predicate on the sizes of all released classes.
pub trait TableModel: Debug + Send + Sync {
    /// Name of the model in policies and reports.
    fn name(&self) -> &'static str;

    /// Whether the table may be released.
    fn holds(&self, sizes: &SizeDistribution) -> bool;

    /// Whether the model still holds when the smallest classes are suppressed in addition. A model that is not sure says no.
    fn is_monotone(&self) -> bool {
        false
    }
}

/// How many released classes have how many people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SizeDistribution {
    sizes: BTreeMap<u64, u64>,
    classes: u64,
    people: u128,
    suppressed_rows: u128,
    suppressed_people: u128,
    absent_population: Option<u64>,
    suppressed_population: Option<u128>,
}

impl SizeDistribution {
    /// The classes of `table` that are not outliers.
    #[must_use]
    pub fn new(table: &ClassTable<'_>, outliers: &[bool]) -> Self {
        let mut all =
            Self { absent_population: table.absent_population, suppressed_population: table.populations.map(|_| 0), ..Self::default() };
        for (index, class) in table.classes.iter().enumerate() {
            *all.sizes.entry(class.subjects).or_insert(0) += 1;
            all.classes += 1;
            all.people += u128::from(class.subjects);
            if outliers.get(index).is_some_and(|&outlier| outlier) {
                all.suppress(class, table.population(index));
            }
        }
        all
    }

    fn suppress(&mut self, class: &ClassStatistics, population: Option<u64>) {
        if let Some(classes) = self.sizes.get_mut(&class.subjects) {
            *classes -= 1;
            if *classes == 0 {
                self.sizes.remove(&class.subjects);
            }
        }
        self.classes -= 1;
        self.people -= u128::from(class.subjects);
        self.suppressed_rows += u128::from(class.rows);
        self.suppressed_people += u128::from(class.subjects);
        self.suppressed_population = self.suppressed_population.zip(population).map(|(sum, people)| sum + u128::from(people));
    }

    /// (people, classes with so many), ascending.
    pub fn sizes(&self) -> impl Iterator<Item = (u64, u64)> {
        self.sizes.iter().map(|(&people, &classes)| (people, classes))
    }

    /// Classes released.
    #[must_use]
    pub fn classes(&self) -> u64 {
        self.classes
    }

    /// People in them. Somebody with rows in several classes counts in each.
    #[must_use]
    pub fn people(&self) -> u128 {
        self.people
    }

    /// Classes of one person.
    #[must_use]
    pub fn uniques(&self) -> u64 {
        self.sizes.get(&1).copied().unwrap_or(0)
    }

    /// Rows suppressed.
    #[must_use]
    pub fn suppressed_rows(&self) -> u128 {
        self.suppressed_rows
    }

    /// People of the suppressed classes. Somebody with rows in several of them counts in each.
    #[must_use]
    pub fn suppressed_people(&self) -> u128 {
        self.suppressed_people
    }

    /// People of the population who fit no row of the data; `None` without a population.
    #[must_use]
    pub fn absent_population(&self) -> Option<u64> {
        self.absent_population
    }

    /// People of the population who fit suppressed classes only; `None` without a population.
    #[must_use]
    pub fn suppressed_population(&self) -> Option<u128> {
        self.suppressed_population
    }
}

/// All classes of a table, with what is known of the population.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClassTable<'a> {
    /// The classes, suppressed or not.
    pub classes: &'a [ClassStatistics],
    /// People of the population in each of them.
    pub populations: Option<&'a [u64]>,
    /// People of the population who are in none of them.
    pub absent_population: Option<u64>,
}

impl<'a> ClassTable<'a> {
    /// Without a population.
    #[must_use]
    pub fn new(classes: &'a [ClassStatistics]) -> Self {
        Self { classes, ..Self::default() }
    }

    fn population(&self, class: usize) -> Option<u64> {
        self.populations.and_then(|people| people.get(class)).copied()
    }
}

/// Suppresses classes until all models hold, and says whether they do.
///
/// The classes that are not outliers yet are suppressed from the one with fewest people on; ties go to fewer rows, then to the first in `table`. The shortest
/// such list after which all models hold is taken, if it suppresses no more than `allowed_rows` rows together with the outliers that were there; it is found by
/// bisection. With a model that is not [monotone](TableModel::is_monotone) the list need not be the shortest, and one may be missed; that all models hold at its
/// end is always checked. `outliers` stay as they were where the answer is no.
///
/// ```
/// use backmask::anonymity::classes::ClassStatistics;
/// use backmask::anonymity::models::{AverageRisk, ClassTable, enforce};
///
/// let class = |people| ClassStatistics { rows: people, subjects: people, max_rows_of_a_subject: 1 };
/// let classes = [class(8), class(1), class(2)];
/// let mut outliers = [false; 3];
/// // 3 / 11 is too much, 2 / 10 is not.
/// assert!(enforce(&[&AverageRisk { threshold: 0.2 }], &ClassTable::new(&classes), &mut outliers, 1));
/// assert_eq!(outliers, [false, true, false]);
/// ```
pub fn enforce(models: &[&dyn TableModel], table: &ClassTable<'_>, outliers: &mut [bool], allowed_rows: u64) -> bool {
    if models.is_empty() {
        return true;
    }
    let start = SizeDistribution::new(table, outliers);
    let hold = |sizes: &SizeDistribution| models.iter().all(|model| model.holds(sizes));
    if hold(&start) {
        return true;
    }
    let mut order: Vec<usize> = (0..table.classes.len()).filter(|&class| outliers.get(class).is_some_and(|&outlier| !outlier)).collect();
    order.sort_by_key(|&class| (table.classes[class].subjects, table.classes[class].rows));
    let mut rows = start.suppressed_rows;
    let longest = order
        .iter()
        .take_while(|&&class| {
            rows += u128::from(table.classes[class].rows);
            rows <= u128::from(allowed_rows)
        })
        .count();
    let after = |length: usize| {
        let mut sizes = start.clone();
        for &class in &order[..length] {
            sizes.suppress(&table.classes[class], table.population(class));
        }
        sizes
    };
    if longest == 0 || !hold(&after(longest)) {
        return false;
    }
    // All models hold after `enough` classes, and not after `few`.
    let (mut few, mut enough) = (0, longest);
    while enough - few > 1 {
        let middle = few + (enough - few) / 2;
        if hold(&after(middle)) { enough = middle } else { few = middle }
    }
    for &class in &order[..enough] {
        outliers[class] = true;
    }
    true
}

/// The mean probability of guessing a released person's row right is at most the threshold: classes / people.
///
/// # Guarantee
/// For an adversary who knows that the person is in the release (prosecutor), on average over the release. Single people may be at any risk: combine it with
/// [`KAnonymity`](super::KAnonymity).
///
/// # References
/// El Emam, *Guide to the de-identification of personal health information* (2013), chapter 16 (Rc).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AverageRisk {
    /// Largest value.
    pub threshold: f64,
}

impl TableModel for AverageRisk {
    fn name(&self) -> &'static str {
        "average-risk"
    }

    /// Without its smallest classes the mean size grows.
    fn is_monotone(&self) -> bool {
        true
    }

    fn holds(&self, sizes: &SizeDistribution) -> bool {
        Decimal::new(self.threshold).allows(u128::from(sizes.classes()), sizes.people())
    }
}

/// The share of released people who are alone in their class is at most the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleUniqueness {
    /// Largest value.
    pub threshold: f64,
}

impl TableModel for SampleUniqueness {
    fn name(&self) -> &'static str {
        "sample-uniqueness"
    }

    /// The smallest classes are those of one person, as long as there are any: (u − 1) / (n − 1) ≤ u / n.
    fn is_monotone(&self) -> bool {
        true
    }

    fn holds(&self, sizes: &SizeDistribution) -> bool {
        Decimal::new(self.threshold).allows(u128::from(sizes.uniques()), sizes.people())
    }
}

/// The estimated share of the population that is unique in it is at most the threshold.
///
/// An estimate bounds nothing: this model chooses a transformation and is reported under `estimates`. Where the estimator finds no solution, it does not hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PopulationUniqueness {
    /// Largest value.
    pub threshold: f64,
    /// People in the population.
    pub population: u64,
    /// The estimator.
    pub estimator: PopulationModel,
}

impl PopulationUniqueness {
    /// The estimated share.
    ///
    /// # Errors
    /// There are more people than in the population, or the estimator finds no solution.
    pub fn share(&self, sizes: &SizeDistribution) -> Result<f64> {
        if self.population == 0 {
            return Err(Error::Parameter { name: "population", problem: "is empty".to_owned() });
        }
        let sample = SampleClasses::new(sizes.sizes())?;
        Ok(population_uniques(self.estimator, &sample, self.population)? / real(self.population))
    }
}

impl TableModel for PopulationUniqueness {
    fn name(&self) -> &'static str {
        "population-uniqueness"
    }

    fn holds(&self, sizes: &SizeDistribution) -> bool {
        self.share(sizes).is_ok_and(|share| share <= self.threshold)
    }
}
