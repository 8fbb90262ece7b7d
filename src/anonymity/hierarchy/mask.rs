//! One more masked character a level.

use super::text::plain_text;
use crate::error::{Error, Result};
use crate::policy::Direction;
use arrow::array::{Array, StringArray};
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};

/// Masks characters (not bytes) with `*` from one side. All labels of one level are equally long: shorter values are filled up with `*` on the
/// masked side, so that level l shows the `length` − l characters on the other side. Level `length` is `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// From which side characters are masked.
    pub direction: Direction,
    /// Characters of the longest value that the hierarchy was fitted on.
    pub length: usize,
}

impl Mask {
    /// Fits the length to the longest of `values`.
    pub(super) fn fit(column: &str, direction: Direction, values: &dyn Array) -> Result<Self> {
        let text = masked_text(column, values)?;
        let length = text.iter().flatten().map(|value| value.chars().count()).max().unwrap_or(0).max(1);
        Ok(Self { direction, length })
    }

    /// Levels between the value and `*`.
    pub(super) fn levels(&self) -> usize {
        self.length.saturating_sub(1)
    }

    pub(super) fn labels(&self, column: &str, level: usize, values: &dyn Array) -> Result<StringArray> {
        let text = masked_text(column, values)?;
        let shown = self.length.saturating_sub(level);
        Ok(text.iter().map(|value| value.map(|value| self.label(value, shown))).collect())
    }

    fn label(&self, value: &str, shown: usize) -> String {
        let characters = value.chars().count();
        let stars = "*".repeat(self.length - shown.min(characters).min(self.length));
        match self.direction {
            Direction::Right => value.chars().take(shown).collect::<String>() + &stars,
            Direction::Left => stars + &value.chars().skip(characters.saturating_sub(shown)).collect::<String>(),
        }
    }
}

fn masked_text(column: &str, values: &dyn Array) -> Result<StringArray> {
    match values.data_type() {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            Err(Error::column(column, "holds bytes, which have no characters to mask", "convert it to text first"))
        }
        _ => plain_text(column, values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{BinaryArray, Int32Array};

    fn all(direction: Direction, values: &dyn Array) -> Vec<Vec<String>> {
        let mask = Mask::fit("c", direction, values).unwrap();
        (1..=mask.levels())
            .map(|level| mask.labels("c", level, values).unwrap().iter().map(|label| label.unwrap_or("?").to_owned()).collect())
            .collect()
    }

    #[test]
    fn the_right_side_goes_first_or_the_left() {
        let codes = StringArray::from(vec![Some("10115"), Some("101"), None, Some("")]);
        let right = all(Direction::Right, &codes);
        assert_eq!(right.len(), 4);
        assert_eq!(right[0], ["1011*", "101**", "?", "*****"]);
        assert_eq!(right[1], ["101**", "101**", "?", "*****"]);
        assert_eq!(right[3], ["1****", "1****", "?", "*****"]);
        let left = all(Direction::Left, &codes);
        assert_eq!(left[0], ["*0115", "**101", "?", "*****"]);
        assert_eq!(left[3], ["****5", "****1", "?", "*****"]);
    }

    #[test]
    fn characters_count_not_bytes_and_numbers_are_text() {
        assert_eq!(all(Direction::Right, &StringArray::from(vec!["Zürich", "東京"]))[0], ["Züric*", "東京****"]);
        assert_eq!(all(Direction::Right, &Int32Array::from(vec![-12, 345]))[0], ["-1*", "34*"]);
    }

    #[test]
    fn values_longer_than_the_fitted_length_show_no_more() {
        let mask = Mask { direction: Direction::Right, length: 3 };
        assert_eq!(mask.labels("c", 1, &StringArray::from(vec!["abcdef"])).unwrap().value(0), "ab*");
        let mask = Mask { direction: Direction::Left, length: 3 };
        assert_eq!(mask.labels("c", 2, &StringArray::from(vec!["abcdef"])).unwrap().value(0), "**f");
    }

    #[test]
    fn no_value_at_all_still_has_a_length() {
        assert_eq!(Mask::fit("c", Direction::Right, &StringArray::from(Vec::<&str>::new())).unwrap().length, 1);
        assert!(Mask::fit("c", Direction::Right, &BinaryArray::from(vec![&b"x"[..]])).is_err());
    }
}
