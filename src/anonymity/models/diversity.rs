//! l-diversity: the sensitive values of a class must differ.
//!
//! Counts are distinct people. Where everybody has one value, they add up to the people of the class and the definitions are those of the papers. Somebody
//! with several rows may have several values; then the counts add up to more, and a class in which *everybody* has one particular value would look diverse.
//! So everybody is represented by one of their values, in the least diverse way that the counts allow: the most frequent value gets all its people, the next
//! as many as are left, and so on. The result majorizes every other choice, so no choice is less diverse. Where everybody has one value it changes nothing.

use super::exact::Decimal;
use super::{Monotonicity, PrivacyModel};
use crate::anonymity::classes::{ClassView, ValueCount};
use crate::numeric::{digamma, real};
use crate::policy::EntropyEstimator;

/// The values of one sensitive column; none if the view lacks the column.
pub(super) fn values<'a>(class: &ClassView<'a>, column: usize) -> &'a [ValueCount] {
    class.sensitive.get(column).copied().unwrap_or_default()
}

/// People by the value that represents them, in descending order.
pub(super) fn represented(values: &[ValueCount], subjects: u64) -> Vec<u64> {
    let mut people: Vec<u64> = values.iter().map(|count| count.people).collect();
    people.sort_unstable_by(|one, other| other.cmp(one));
    let mut left = subjects;
    for count in &mut people {
        *count = left.min(*count);
        left -= *count;
    }
    people.retain(|&count| count > 0);
    people
}

/// Every class has at least l different sensitive values.
///
/// # Guarantee
/// Whoever knows that a person is in a class, and can exclude l − 2 values, cannot be certain of the value. How likely the most frequent value is, is not
/// bounded.
///
/// # References
/// Machanavajjhala, Kifer, Gehrke, Venkitasubramaniam, *l-diversity: privacy beyond k-anonymity*, TKDD 1 (2007), section 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DistinctLDiversity {
    /// Place of the sensitive column in [`ClassView::sensitive`].
    pub column: usize,
    /// Different values.
    pub l: u64,
}

impl PrivacyModel for DistinctLDiversity {
    fn name(&self) -> &'static str {
        "distinct-l-diversity"
    }

    /// A union has the values of all its classes.
    fn is_monotone(&self) -> bool {
        true
    }

    /// Whatever is added takes no value away.
    fn monotonicity(&self, one_row_each: bool) -> Monotonicity {
        if one_row_each { Monotonicity::Supersets } else { Monotonicity::Unknown }
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        represented(values(class, self.column), class.statistics.subjects).len() as u64 >= self.l
    }
}

/// The entropy of the sensitive values of every class is at least ln l, and there are at least l of them.
///
/// # Guarantee
/// On average over the class, a guess of the value is as hard as among l equally frequent ones. A single frequent value is not excluded.
///
/// # References
/// Machanavajjhala and others (2007), definition 4.1. Grassberger, *Entropy estimates from insufficient samplings*, arXiv:physics/0307138 (2003), equation 28:
/// Ĥ = ln n − (1/n) Σ f G(f), with G(f) = ψ(f) + (−1)^f (ψ((f + 1)/2) − ψ(f/2)) / 2. It corrects the bias of the plug-in estimate upwards, so it is the
/// weaker condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EntropyLDiversity {
    /// Place of the sensitive column in [`ClassView::sensitive`].
    pub column: usize,
    /// A real number from 1.
    pub l: f64,
    /// How the entropy is estimated.
    pub estimator: EntropyEstimator,
}

impl PrivacyModel for EntropyLDiversity {
    fn name(&self) -> &'static str {
        "entropy-l-diversity"
    }

    /// Shannon's entropy is concave: that of a mixture is at least the mean of the entropies of its parts. Grassberger's estimate is not: its G jumps between
    /// even and odd counts.
    fn is_monotone(&self) -> bool {
        self.estimator == EntropyEstimator::Shannon
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        let values = represented(values(class, self.column), class.statistics.subjects);
        if values.is_empty() || real(values.len() as u64) < self.l || self.l.is_nan() {
            return false;
        }
        let people = real(values.iter().sum());
        let sum: f64 = values.iter().map(|&count| real(count) * self.logarithm(count)).sum();
        // Not exp(H) ≥ l: l equally frequent values must pass. The two sides of such a tie differ by rounding only.
        people * (people.ln() - self.l.ln()) >= sum - 8.0 * f64::EPSILON * people * people.ln()
    }
}

impl EntropyLDiversity {
    fn logarithm(&self, people: u64) -> f64 {
        match self.estimator {
            EntropyEstimator::Shannon => real(people).ln(),
            EntropyEstimator::Grassberger => grassberger(people),
        }
    }
}

/// Grassberger's G. By the duplication formula of ψ, G of an even number 2m is ψ(m + 1/2) + ln 2, and that of 2m + 1 is the same; G(1) = −γ − ln 2.
fn grassberger(count: u64) -> f64 {
    digamma(real(count / 2) + 0.5) + std::f64::consts::LN_2
}

/// The most frequent value has fewer people than c times the values from the l-th most frequent on: f(1) < c (f(l) + … + f(m)).
///
/// # Guarantee
/// Whoever knows that a person is in a class, and can exclude l − 2 values, still finds the most frequent of the others in less than c / (1 + c) of the rest.
///
/// # References
/// Machanavajjhala and others (2007), definition 4.2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecursiveClDiversity {
    /// Place of the sensitive column in [`ClassView::sensitive`].
    pub column: usize,
    /// The factor.
    pub c: f64,
    /// The rank.
    pub l: u64,
}

impl PrivacyModel for RecursiveClDiversity {
    fn name(&self) -> &'static str {
        "recursive-cl-diversity"
    }

    /// The l − 1 most frequent values of a union have at most as many people as those of its classes together, so the rest is at least the sum of the rests,
    /// and the most frequent value has at most the sum of the most frequent ones.
    fn is_monotone(&self) -> bool {
        true
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        let people = represented(values(class, self.column), class.statistics.subjects);
        let rank = usize::try_from(self.l.max(1)).unwrap_or(usize::MAX);
        let Some(rest) = people.get(rank - 1..) else { return false };
        // Nobody is left if the class has fewer than l values, and then nothing is smaller.
        let rest = rest.iter().map(|&count| u128::from(count)).sum();
        people.first().is_some_and(|&most| Decimal::new(self.c).exceeds(u128::from(most), rest))
    }
}
