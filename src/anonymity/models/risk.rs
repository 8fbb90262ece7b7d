//! Probabilities of re-identification that follow from the sizes of classes alone.

use crate::error::{Error, Result};
use crate::numeric::real;
use crate::units::Risk;
use serde::Serialize;

/// A released class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RiskClass {
    /// People of the class in the release.
    pub people: u64,
    /// People of the class in the population, if it is known.
    pub population: Option<u64>,
}

/// What one kind of adversary achieves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AdversaryRisk {
    /// Probability of re-identification of the person at highest risk.
    pub highest: f64,
    /// On average.
    pub average: f64,
    /// Share of released people whose probability is above the threshold.
    pub at_risk: f64,
}

/// Risks of re-identification of a release.
///
/// | adversary | knows | highest | average |
/// |---|---|---|---|
/// | prosecutor | that the target is in the release | 1 / min f | J / n |
/// | journalist | that the target is in the population | 1 / min F | max(J / Σ F, Σ f/F / n) |
/// | marketer | the population, and guesses everybody | – | Σ f/F / n |
///
/// f and F are people of a class in the release and in the population, J classes, n people in them.
///
/// # References
/// El Emam, *Guide to the de-identification of personal health information* (2013), chapter 16.
///
/// ```
/// use backmask::anonymity::models::{ReidentificationRisk, RiskClass};
/// use backmask::units::Risk;
///
/// let classes = [2, 8].map(|people| RiskClass { people, population: None });
/// let risk = ReidentificationRisk::new(classes, Risk::new(0.2)?)?;
/// assert_eq!((risk.prosecutor.highest, risk.prosecutor.average, risk.prosecutor.at_risk), (0.5, 0.2, 0.2));
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReidentificationRisk {
    /// Who knows that the target is in the release.
    pub prosecutor: AdversaryRisk,
    /// Who knows that the target is in the population; `None` where the population is not known.
    pub journalist: Option<AdversaryRisk>,
    /// Expected share of right guesses of who guesses everybody; without a known population that of the prosecutor.
    pub marketer: f64,
}

impl ReidentificationRisk {
    /// All figures are 0 without classes.
    ///
    /// # Errors
    /// A class is empty, or has fewer people in the population than in the release.
    pub fn new(classes: impl IntoIterator<Item = RiskClass>, threshold: Risk) -> Result<Self> {
        let (mut number, mut people, mut population) = (0_u64, 0_u128, 0_u128);
        let (mut smallest, mut smallest_population) = (u64::MAX, u64::MAX);
        let (mut at_risk, mut at_risk_population, mut guessed) = (0_u128, 0_u128, 0.0);
        let mut known = true;
        let above = |size: u64| 1.0 / real(size) > threshold.get();
        for class in classes {
            let size = class.population.unwrap_or(class.people);
            if class.people == 0 || size < class.people {
                let problem = "must hold people, and no more than the population";
                return Err(Error::Parameter { name: "classes", problem: problem.to_owned() });
            }
            known &= class.population.is_some();
            number += 1;
            people += u128::from(class.people);
            population += u128::from(size);
            smallest = smallest.min(class.people);
            smallest_population = smallest_population.min(size);
            at_risk += if above(class.people) { u128::from(class.people) } else { 0 };
            at_risk_population += if above(size) { u128::from(class.people) } else { 0 };
            guessed += real(class.people) / real(size);
        }
        if number == 0 {
            let none = AdversaryRisk { highest: 0.0, average: 0.0, at_risk: 0.0 };
            return Ok(Self { prosecutor: none, journalist: None, marketer: 0.0 });
        }
        #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
        let share = |part: u128, whole: u128| part as f64 / whole as f64;
        let classes = u128::from(number);
        let prosecutor = AdversaryRisk { highest: 1.0 / real(smallest), average: share(classes, people), at_risk: share(at_risk, people) };
        if !known {
            return Ok(Self { prosecutor, journalist: None, marketer: prosecutor.average });
        }
        #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
        let marketer = guessed / people as f64;
        let journalist = AdversaryRisk {
            highest: 1.0 / real(smallest_population),
            average: share(classes, population).max(marketer),
            at_risk: share(at_risk_population, people),
        };
        Ok(Self { prosecutor, journalist: Some(journalist), marketer })
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "figures without rounding")]
mod tests {
    use super::*;

    fn risk(classes: &[(u64, Option<u64>)], threshold: f64) -> Result<ReidentificationRisk> {
        ReidentificationRisk::new(
            classes.iter().map(|&(people, population)| RiskClass { people, population }),
            Risk::new(threshold).unwrap(),
        )
    }

    #[test]
    fn figures_follow_from_their_definitions() {
        let found = risk(&[(1, Some(4)), (3, Some(6))], 0.2).unwrap();
        assert_eq!(found.prosecutor, AdversaryRisk { highest: 1.0, average: 0.5, at_risk: 1.0 });
        // 1/4 and 3/6 right guesses of 4; 2 classes of 10 people.
        assert_eq!(found.marketer, 0.1875);
        assert_eq!(found.journalist, Some(AdversaryRisk { highest: 0.25, average: 0.2, at_risk: 0.25 }));
        let whole = risk(&[(2, Some(2)), (3, Some(3))], 0.09).unwrap();
        assert_eq!(whole.journalist, Some(whole.prosecutor), "the data is the population");
        assert_eq!(whole.marketer, whole.prosecutor.average);
    }

    #[test]
    fn one_unknown_population_leaves_the_prosecutor_only() {
        let found = risk(&[(1, Some(4)), (3, None)], 0.2).unwrap();
        assert_eq!((found.journalist, found.marketer), (None, 0.5));
        assert_eq!(risk(&[], 0.2).unwrap().marketer, 0.0);
        assert!(risk(&[(0, None)], 0.2).is_err());
        assert!(risk(&[(2, Some(1))], 0.2).is_err());
        let large = risk(&[(u64::MAX, Some(u64::MAX)), (u64::MAX, Some(u64::MAX))], 0.2).unwrap();
        assert!(large.prosecutor.average > 0.0 && large.prosecutor.at_risk == 0.0);
    }
}
