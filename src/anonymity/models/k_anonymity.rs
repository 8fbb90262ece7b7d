//! k-anonymity, counted in people.

use super::{Monotonicity, PrivacyModel};
use crate::anonymity::classes::ClassView;
use crate::units::K;

/// Whether rows of one person can be told to belong together in the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Linkability {
    /// A token survives. If people have several rows, class sizes then protect a row, not a person: see
    /// [`multisets`](crate::anonymity::classes::multiset::multisets).
    Linked,
    /// No token survives.
    Unlinked,
}

/// Every class holds at least k distinct people.
///
/// # Guarantee
/// An adversary who knows the quasi-identifiers of one row of a person finds at least k people who fit. Without tokens, rows cannot be attributed to people, and an
/// adversary guesses by rows; so no person may own more than 1/k of a class's rows, or the guess would be right more often than once in k.
///
/// # References
/// Samarati, Sweeney, *Protecting privacy when disclosing information* (1998); Sweeney, *k-anonymity* (2002), section 3. Both take a row for a person;
/// here people are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KAnonymity {
    /// People in a class.
    pub k: K,
    /// Whether rows of one person can be linked.
    pub linkability: Linkability,
}

impl PrivacyModel for KAnonymity {
    fn name(&self) -> &'static str {
        "k-anonymity"
    }

    /// A person who owns at most 1/k of the rows of each class owns at most 1/k of the rows of their union.
    fn is_monotone(&self) -> bool {
        true
    }

    /// Rows that are added may belong to one person, who then owns too many of them; not if nobody has a second row.
    fn monotonicity(&self, one_row_each: bool) -> Monotonicity {
        if one_row_each || self.linkability == Linkability::Linked { Monotonicity::Supersets } else { Monotonicity::Unions }
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        let class = class.statistics;
        let k = self.k.get();
        let owned = match self.linkability {
            Linkability::Linked => true,
            Linkability::Unlinked => u128::from(class.max_rows_of_a_subject) * u128::from(k) <= u128::from(class.rows),
        };
        class.subjects >= k && owned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anonymity::classes::ClassStatistics;

    #[test]
    fn extreme_counts_do_not_overflow() {
        let model = KAnonymity { k: K::new(u64::MAX).unwrap(), linkability: Linkability::Unlinked };
        assert!(!model.holds(&ClassStatistics { rows: u64::MAX, subjects: u64::MAX, max_rows_of_a_subject: u64::MAX }.into()));
        assert!(model.holds(&ClassStatistics { rows: u64::MAX, subjects: u64::MAX, max_rows_of_a_subject: 1 }.into()));
    }

    #[test]
    fn ownership_matters_only_without_tokens() {
        let class = ClassStatistics { rows: 10, subjects: 5, max_rows_of_a_subject: 3 };
        let with = |linkability| KAnonymity { k: K::new(5).unwrap(), linkability }.holds(&class.into());
        assert!(with(Linkability::Linked));
        assert!(!with(Linkability::Unlinked));
    }
}
