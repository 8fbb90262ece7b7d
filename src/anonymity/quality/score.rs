//! Values of metrics.

use serde::Serialize;
use std::cmp::Ordering;

/// The value of a metric; smaller is better. Lists are compared like words: by their first entries that differ.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Score {
    /// One number.
    Number(f64),
    /// The values of the columns, descending.
    Ranked(Vec<f64>),
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => one.total_cmp(other),
            (Self::Ranked(one), Self::Ranked(other)) => {
                let differing = one.iter().zip(other).map(|(one, other)| one.total_cmp(other)).find(|order| order.is_ne());
                differing.unwrap_or_else(|| one.len().cmp(&other.len()))
            }
            // Scores of one metric are of one kind; any fixed order will do.
            (Self::Number(_), Self::Ranked(_)) => Ordering::Less,
            (Self::Ranked(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Score {}

#[cfg(test)]
mod tests {
    use super::Score::{Number, Ranked};

    #[test]
    fn lists_are_compared_by_the_first_difference() {
        assert!(Ranked(vec![0.5, 0.9]) < Ranked(vec![0.6, 0.0]));
        assert!(Ranked(vec![0.5, 0.1]) < Ranked(vec![0.5, 0.2]));
        assert!(Ranked(vec![0.5]) < Ranked(vec![0.5, 0.0]));
        assert_eq!(Ranked(vec![0.5, 0.1]), Ranked(vec![0.5, 0.1]));
        assert!(Number(0.1) < Number(0.2));
    }

    #[test]
    fn reports_get_a_number_or_a_list() {
        assert_eq!(serde_json::to_string(&Number(0.5)).unwrap(), "0.5");
        assert_eq!(serde_json::to_string(&Ranked(vec![0.5, 0.25])).unwrap(), "[0.5,0.25]");
    }
}
