//! Groups of consecutive values.

use super::scheme::Unknown;
use super::{FileLevels, table};
use crate::error::{Error, Result};
use arrow::array::{Array, StringArray};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Values in a given order, put together in groups of consecutive ones: level l has groups of `sizes[l − 1]`, counted from the first value. Each size
/// is a multiple of the one before, so that levels are nested; the last group of a level may be smaller.
///
/// A group is called by its first and last value, `low – high`, and by the value if it is alone. Values are matched by their plain text, as in
/// a hierarchy file; all declared values count for the domain, those that the data does not have too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "OrderedForm", into = "OrderedForm")]
pub struct Ordered {
    form: OrderedForm,
    table: FileLevels,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderedForm {
    values: Vec<String>,
    sizes: Vec<usize>,
}

impl TryFrom<OrderedForm> for Ordered {
    type Error = String;

    fn try_from(form: OrderedForm) -> Result<Self, String> {
        if form.values.is_empty() || form.sizes.is_empty() {
            return Err("at least one value and one size are needed".to_owned());
        }
        let nested = form.sizes.windows(2).all(|pair| pair[0] > 0 && pair[0] < pair[1] && pair[1] % pair[0] == 0);
        if !nested || form.sizes[0] < 2 {
            return Err("sizes must be 2 at least, and each a larger multiple of the one before".to_owned());
        }
        let mut leaves: BTreeMap<String, Vec<String>> = form.values.iter().map(|value| (value.clone(), Vec::new())).collect();
        if leaves.len() < form.values.len() {
            return Err("a value stands twice".to_owned());
        }
        for (level, &size) in form.sizes.iter().enumerate() {
            let mut names = BTreeMap::new();
            for (group, members) in form.values.chunks(size).enumerate() {
                let name = name(members);
                if names.insert(name.clone(), group).is_some() {
                    return Err(format!("two groups of level {} would have the same name", level + 1));
                }
                for value in members {
                    leaves.entry(value.clone()).or_default().push(name.clone());
                }
            }
        }
        Ok(Self { table: leaves.try_into()?, form })
    }
}

fn name(members: &[String]) -> String {
    match members {
        [first, .., last] => format!("{first} – {last}"),
        [only] => only.clone(),
        [] => String::new(),
    }
}

impl From<Ordered> for OrderedForm {
    fn from(ordered: Ordered) -> Self {
        ordered.form
    }
}

impl Ordered {
    /// One level for each size.
    ///
    /// # Errors
    /// A value stands twice, sizes do not nest, or two groups would have the same name.
    pub fn new(column: &str, values: &[String], sizes: &[usize]) -> Result<Self> {
        OrderedForm { values: values.to_vec(), sizes: sizes.to_vec() }.try_into().map_err(|problem: String| {
            Error::policy(
                format!("columns.{column}.hierarchy.ordered"),
                problem,
                "for example { ordered = [\"none\", \"low\", \"high\", \"top\"], sizes = [2] }",
            )
        })
    }

    pub(super) fn table(&self) -> &FileLevels {
        &self.table
    }

    pub(super) fn labels(&self, column: &str, level: usize, values: &dyn Array, unknown: Unknown) -> Result<StringArray> {
        table::labels(&self.table, "the ordered list", column, level, values, unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int32Array;

    fn ordered(values: &[&str], sizes: &[usize]) -> Result<Ordered> {
        Ordered::new("c", &values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>(), sizes)
    }

    #[test]
    fn neighbours_share_a_group() {
        let ordered = ordered(&["5", "4", "3", "2", "1"], &[2, 4]).unwrap();
        let labels = |level| {
            let values = Int32Array::from(vec![Some(1), Some(2), None, Some(5)]);
            let labels = ordered.labels("c", level, &values, Unknown::Error).unwrap();
            labels.iter().map(|label| label.unwrap_or("?").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(labels(1), ["1", "3 – 2", "?", "5 – 4"]);
        assert_eq!(labels(2), ["1", "5 – 2", "?", "5 – 2"]);
        let stored: Ordered = serde_json::from_str(&serde_json::to_string(&ordered).unwrap()).unwrap();
        assert_eq!(stored, ordered);
    }

    #[test]
    fn what_cannot_be_grouped_is_refused_without_its_values() {
        for (values, sizes) in [
            (&["secret", "secret"][..], &[2][..]),
            (&["secret"], &[]),
            (&[], &[2]),
            (&["secret", "b"], &[1]),
            (&["secret", "b"], &[0]),
            (&["secret", "b"], &[2, 3]),
            (&["secret", "b"], &[2, 2]),
            // Groups `a – b – c` of two different pairs.
            (&["a", "b – c", "a – b", "c"], &[2]),
        ] {
            let error = ordered(values, sizes).unwrap_err();
            assert!(error.exit_code() == 2 && !error.to_string().contains("secret"), "{error}");
        }
        let error =
            ordered(&["a", "b"], &[2]).unwrap().labels("c", 1, &StringArray::from(vec!["a", "secret"]), Unknown::Error).unwrap_err();
        assert!(error.to_string().contains("1 distinct value") && !error.to_string().contains("secret"), "{error}");
        assert!(serde_json::from_str::<Ordered>(r#"{"values": ["a"], "sizes": [0]}"#).is_err());
    }
}
