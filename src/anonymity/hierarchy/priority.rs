//! Values by their frequency.

use super::SUPPRESSED;
use super::scheme::Unknown;
use super::text::plain_text;
use crate::error::{Error, Result};
use arrow::array::{Array, StringArray};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The label of values that few people have.
pub const OTHER: &str = "other";

/// Keeps the values that many people have: at level l, every value of fewer than `people[l − 1]` people becomes [`OTHER`]. Numbers grow, so levels
/// are nested. A value that is itself called `other` is one of them from level 1 on.
///
/// # Security
/// Unlike the other kinds this one is fitted on how many people have each value. What is stored is up to which level every value is kept, so it tells
/// of each value of the pool, the rarest too, how frequent it is: it belongs into the steward's folder only. In a release, a value that is kept at level
/// l tells that at least `people[l − 1]` people have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PriorityForm", into = "PriorityForm")]
pub struct Priority {
    form: PriorityForm,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriorityForm {
    people: Vec<u64>,
    /// The highest level at which a value is itself.
    kept: BTreeMap<String, usize>,
}

impl TryFrom<PriorityForm> for Priority {
    type Error = String;

    fn try_from(form: PriorityForm) -> Result<Self, String> {
        if form.people.is_empty() || form.people[0] < 2 || form.people.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err("numbers of people must be 2 at least and grow from level to level".to_owned());
        }
        if form.kept.values().any(|&level| level > form.people.len()) {
            return Err("a value is kept at a level that does not exist".to_owned());
        }
        Ok(Self { form })
    }
}

impl From<Priority> for PriorityForm {
    fn from(priority: Priority) -> Self {
        priority.form
    }
}

impl Priority {
    /// Fits the levels of `values`; `counts` are the people who have each of them.
    ///
    /// # Errors
    /// The numbers of people do not grow, there are not as many counts as values, or the values cannot be written as text.
    pub fn fit(column: &str, people: &[u64], values: &dyn Array, counts: &[u64]) -> Result<Self> {
        if counts.len() != values.len() {
            return Err(Error::Parameter { name: "people", problem: "must be one number for each value".to_owned() });
        }
        let text = plain_text(column, values)?;
        let kept = text.iter().zip(counts).filter_map(|(value, &count)| {
            let level = people.iter().take_while(|&&needed| count >= needed).count();
            Some((value?.to_owned(), level))
        });
        PriorityForm { people: people.to_vec(), kept: kept.collect() }.try_into().map_err(|problem: String| {
            Error::policy(format!("columns.{column}.hierarchy.priority"), problem, "for example { priority = [10, 100] }")
        })
    }

    pub(super) fn levels(&self) -> usize {
        self.form.people.len()
    }

    pub(super) fn labels(&self, column: &str, level: usize, values: &dyn Array, unknown: Unknown) -> Result<StringArray> {
        let text = plain_text(column, values)?;
        let mut outside = 0_usize;
        let mut label = |value| match self.form.kept.get(value) {
            Some(&kept) if kept >= level => value,
            Some(_) => OTHER,
            None => {
                outside += 1;
                SUPPRESSED
            }
        };
        let labels = text.iter().map(|value| value.map(&mut label)).collect();
        unknown.check(column, outside, "that the hierarchy was not fitted on", "fit it again on all values")?;
        Ok(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_values_go_first_and_stay_together() {
        let values = StringArray::from(vec!["pop", "rock", "jazz", "other", "polka"]);
        let priority = Priority::fit("genre", &[5, 50], &values, &[1000, 49, 5, 70, 4]).unwrap();
        let labels = |level| {
            let labels = priority.labels("genre", level, &values, Unknown::Error).unwrap();
            labels.iter().map(|label| label.unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(labels(1), ["pop", "rock", "jazz", "other", "other"]);
        assert_eq!(labels(2), ["pop", "other", "other", "other", "other"]);
        let stored: Priority = serde_json::from_str(&serde_json::to_string(&priority).unwrap()).unwrap();
        assert_eq!(stored, priority);
        let new = StringArray::from(vec![Some("secret"), None, Some("pop")]);
        let error = priority.labels("genre", 1, &new, Unknown::Error).unwrap_err().to_string();
        assert!(error.contains("1 distinct value") && !error.contains("secret"), "{error}");
        let suppressed = priority.labels("genre", 1, &new, Unknown::Suppress).unwrap();
        assert_eq!(suppressed, StringArray::from(vec![Some("*"), None, Some("pop")]));
    }

    #[test]
    fn numbers_of_people_must_grow() {
        let values = StringArray::from(vec!["a"]);
        for bad in [&[][..], &[1], &[5, 5], &[5, 4]] {
            assert!(Priority::fit("c", bad, &values, &[9]).is_err(), "{bad:?}");
        }
        assert!(Priority::fit("c", &[2], &values, &[]).is_err());
        assert!(serde_json::from_str::<Priority>(r#"{"people": [2], "kept": {"a": 2}}"#).is_err());
    }
}
