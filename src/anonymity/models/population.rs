//! Models that compare the data with the population that it was drawn from.

use super::exact::Decimal;
use super::table::{SizeDistribution, TableModel};
use super::{Monotonicity, PrivacyModel};
use crate::anonymity::classes::ClassView;
use crate::error::{Error, Result};
use crate::numeric::real;
use crate::policy::ClassSizeEstimator;
use crate::units::{K, Share};
use statrs::function::gamma::gamma_lr;

/// Every class fits at least k people of a population that is known.
///
/// # Guarantee
/// An adversary who knows the quasi-identifiers of a person, but not whether the person is in the data, finds at least k people who fit. Against an adversary
/// who knows that the person is in the data it says nothing: use [`KAnonymity`](super::KAnonymity).
///
/// # References
/// Sweeney, *Computational disclosure control* (doctoral thesis, MIT 2001), section 4.3; El Emam, Dankar, *Protecting privacy using k-anonymity*, JAMIA 15 (2008).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KMap {
    /// People of the population.
    pub k: K,
}

impl PrivacyModel for KMap {
    fn name(&self) -> &'static str {
        "k-map"
    }

    /// Everybody of the population who fits a class fits its unions.
    fn is_monotone(&self) -> bool {
        true
    }

    fn monotonicity(&self, _one_row_each: bool) -> Monotonicity {
        Monotonicity::Supersets
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        class.population.is_some_and(|people| people >= self.k.get())
    }
}

/// Laws of the number of people in the data among the k people of a class of the population.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellSizes {
    /// Poisson.
    Poisson,
    /// Poisson without 0: classes that the data does not show are not looked at.
    ZeroTruncatedPoisson,
}

impl From<ClassSizeEstimator> for CellSizes {
    fn from(estimator: ClassSizeEstimator) -> Self {
        match estimator {
            ClassSizeEstimator::Poisson => Self::Poisson,
            ClassSizeEstimator::ZeroTruncatedPoisson => Self::ZeroTruncatedPoisson,
        }
    }
}

impl CellSizes {
    /// P(X ≥ `people`) for one person at least, where X has the mean `mean` before truncation. It falls with `people` and grows with `mean`.
    fn tail(self, people: u64, mean: f64) -> f64 {
        let shown = match self {
            Self::Poisson => 1.0,
            Self::ZeroTruncatedPoisson => -(-mean).exp_m1(),
        };
        // P(X ≥ m) of a Poisson law is the regularized lower gamma function at (m, mean).
        gamma_lr(real(people), mean) / shown
    }
}

/// The number of people that a class of the data must have to reject, at the significance level `alpha`, that its class in the population has k people: the
/// smallest m with P(X ≥ m) ≤ `alpha` for X of mean k · `fraction`; at most k. An estimate, not a guarantee: it assumes a simple random sample.
///
/// # Errors
/// `alpha` or `fraction` are 0.
///
/// # References
/// El Emam, Dankar (2008), estimators D3 and D4; Pannekoek, *Statistical methods for some simple disclosure limitation rules*, Statistica Neerlandica 53 (1999).
///
/// ```
/// use backmask::anonymity::models::{CellSizes, sample_k};
/// use backmask::units::{K, Share};
///
/// // One person in a hundred of the population is in the data.
/// let k = sample_k(K::new(100)?, Share::new(0.01)?, Share::new(0.05)?, CellSizes::Poisson)?;
/// assert_eq!(k, 4);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn sample_k(k: K, fraction: Share, alpha: Share, law: CellSizes) -> Result<u64> {
    let mean = real(k.get()) * fraction.get();
    if mean <= 0.0 || alpha.get() <= 0.0 {
        return Err(Error::Parameter { name: "fraction and alpha", problem: "must be above 0".to_owned() });
    }
    let rejected = |people: u64| law.tail(people, mean) <= alpha.get();
    let (mut accepted, mut enough) = (0, k.get());
    while enough - accepted > 1 {
        let middle = accepted + (enough - accepted) / 2;
        if rejected(middle) { enough = middle } else { accepted = middle }
    }
    Ok(enough)
}

/// The largest k for which a class of `people` people in the data is enough by [`sample_k`]: a lower confidence limit, at the level 1 − `alpha`, of the people of
/// its class in the population. At least `people`.
///
/// # Errors
/// `alpha` or `fraction` are 0.
///
/// ```
/// use backmask::anonymity::models::{CellSizes, population_k};
/// use backmask::units::Share;
///
/// // P(X ≥ 4) is 0.0500 for the mean 1.3663.
/// assert_eq!(population_k(4, Share::new(0.01)?, Share::new(0.05)?, CellSizes::Poisson)?, 136);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn population_k(people: u64, fraction: Share, alpha: Share, law: CellSizes) -> Result<u64> {
    if fraction.get() <= 0.0 || alpha.get() <= 0.0 {
        return Err(Error::Parameter { name: "fraction and alpha", problem: "must be above 0".to_owned() });
    }
    if people == 0 {
        return Ok(0);
    }
    let enough = |k: u64| k <= people || law.tail(people, real(k) * fraction.get()) <= alpha.get();
    let mut beyond = people;
    while enough(beyond) {
        let Some(next) = beyond.checked_mul(2) else { return Ok(beyond) };
        beyond = next;
    }
    let mut found = beyond / 2;
    while beyond - found > 1 {
        let middle = found + (beyond - found) / 2;
        if enough(middle) { found = middle } else { beyond = middle }
    }
    Ok(found)
}

/// Every class is estimated to fit at least k people of a population of which only the size is known: it has as many people in the data as [`sample_k`] asks for.
///
/// An estimate bounds nothing: this model chooses a transformation and is reported under `estimates`. It takes the data for a simple random sample, and looks at
/// each class for itself: among many classes some will be smaller in the population than estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EstimatedKMap {
    people: u64,
}

impl EstimatedKMap {
    /// For a table of `people` people from a population of `population`.
    ///
    /// # Errors
    /// There are more people in the table than in the population, or `alpha` is 0.
    pub fn new(k: K, people: u64, population: u64, alpha: Share, law: CellSizes) -> Result<Self> {
        if people == 0 {
            return Ok(Self { people: k.get() });
        }
        Ok(Self { people: sample_k(k, sampling_fraction(people, population)?, alpha, law)? })
    }

    /// People that a class of the data must have.
    #[must_use]
    pub fn people(&self) -> u64 {
        self.people
    }
}

/// The share of a population that is in the data.
///
/// # Errors
/// There are more people in the data than in the population.
pub fn sampling_fraction(people: u64, population: u64) -> Result<Share> {
    if people > population || population == 0 {
        return Err(Error::policy(
            "products.models.population_size",
            format!("is {population}, below the {people} people of the table"),
            "give the number of people in the population that the table was drawn from",
        ));
    }
    Share::new(real(people) / real(population))
}

impl PrivacyModel for EstimatedKMap {
    fn name(&self) -> &'static str {
        "k-map"
    }

    /// Unions have no fewer people.
    fn is_monotone(&self) -> bool {
        true
    }

    fn monotonicity(&self, _one_row_each: bool) -> Monotonicity {
        Monotonicity::Supersets
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        class.statistics.subjects >= self.people
    }
}

/// The share of the population that is in the data lies in \[min, max\] in every class.
///
/// # Guarantee
/// An adversary who knows that a person is in the population learns about their presence in the data a probability of at most `max`, and of at least `min`. The
/// people who fit no released class are one more class: see [`UnreleasedPresence`].
///
/// # References
/// Nergiz, Atzori, Clifton, *Hiding the presence of individuals from shared databases*, SIGMOD 2007, definition 3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeltaPresence {
    /// Smallest share.
    pub min: f64,
    /// Largest share.
    pub max: f64,
}

impl PrivacyModel for DeltaPresence {
    fn name(&self) -> &'static str {
        "delta-presence"
    }

    /// The share of a union lies between those of its classes.
    fn is_monotone(&self) -> bool {
        true
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        let people = u128::from(class.statistics.subjects);
        class.population.map(u128::from).is_some_and(|population| {
            population > 0 && Decimal::new(self.max).allows(people, population) && Decimal::new(self.min).is_reached_by(people, population)
        })
    }
}

/// δ-presence of the people who fit no released class, where everybody has one row.
///
/// To the definition a suppressed row is one whose values are all generalized to `*`. An adversary who knows the population, the released classes and how many rows
/// were suppressed takes all people of the population who fit no released class for equally likely to own one of them. So the share of the suppressed among these
/// people must lie in \[min, max\] too. If nobody is suppressed and `min` is above 0, nobody of the population may fit no class.
///
/// # References
/// Nergiz, Atzori, Clifton (2007), definition 3: the bounds hold for every tuple of the population.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnreleasedPresence {
    /// Smallest share.
    pub min: f64,
    /// Largest share.
    pub max: f64,
}

impl TableModel for UnreleasedPresence {
    fn name(&self) -> &'static str {
        "delta-presence"
    }

    /// Every class that is suppressed changes the share.
    fn is_monotone(&self) -> bool {
        false
    }

    fn holds(&self, sizes: &SizeDistribution) -> bool {
        let suppressed = sizes.suppressed_people();
        let Some((absent, population)) = sizes.absent_population().zip(sizes.suppressed_population()) else {
            // Nobody is suppressed, and nothing is asked of those who have no row.
            return suppressed == 0 && self.min <= 0.0;
        };
        let beside = u128::from(absent) + population;
        if beside == 0 {
            return suppressed == 0;
        }
        Decimal::new(self.max).allows(suppressed, beside) && Decimal::new(self.min).is_reached_by(suppressed, beside)
    }
}

/// δ-presence of the people who fit no released class, where people have several rows: one suppressed row says little about a person then. With a lower bound of presence above 0, nobody of the population may fit no class of the release: of such a person one would know that they are absent, or,
/// if classes are suppressed for being too present, that they are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompletePresence;

impl TableModel for CompletePresence {
    fn name(&self) -> &'static str {
        "delta-presence"
    }

    /// Every class that is suppressed leaves people without one.
    fn is_monotone(&self) -> bool {
        false
    }

    fn holds(&self, sizes: &SizeDistribution) -> bool {
        sizes.absent_population() == Some(0) && sizes.suppressed_population() == Some(0)
    }
}
