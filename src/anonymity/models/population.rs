//! Models that compare the data with the population that it was drawn from.

use super::exact::Decimal;
use super::table::{SizeDistribution, TableModel};
use super::{Monotonicity, PrivacyModel};
use crate::anonymity::classes::ClassView;
use crate::error::{Error, Result};
use crate::numeric::real;
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
    let shown = match law {
        CellSizes::Poisson => 1.0,
        CellSizes::ZeroTruncatedPoisson => -(-mean).exp_m1(),
    };
    // P(X ≥ m) of a Poisson law is the regularized lower gamma function at (m, mean); it falls with m.
    let rejected = |people: u64| gamma_lr(real(people), mean) / shown <= alpha.get();
    let (mut accepted, mut enough) = (0, k.get());
    while enough - accepted > 1 {
        let middle = accepted + (enough - accepted) / 2;
        if rejected(middle) { enough = middle } else { accepted = middle }
    }
    Ok(enough)
}

/// The share of the population that is in the data lies in \[min, max\] in every class.
///
/// # Guarantee
/// An adversary who knows that a person is in the population learns about their presence in the data a probability of at most `max`, and of at least `min`.
/// The lower bound concerns people of classes that are not released too: [`CompletePresence`] checks it.
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

/// With a lower bound of presence above 0, nobody of the population may fit no class of the release: of such a person one would know that they are absent, or,
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
