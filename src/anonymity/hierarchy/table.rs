//! Looking up labels that are written out for every value.

use super::scheme::Unknown;
use super::text::plain_text;
use super::{FileLevels, SUPPRESSED};
use crate::error::Result;
use arrow::array::{Array, StringArray};

/// The labels of `values` at `level` ≥ 1; `place` is where the labels are written, for messages.
pub(super) fn labels(
    levels: &FileLevels,
    place: &str,
    column: &str,
    level: usize,
    values: &dyn Array,
    unknown: Unknown,
) -> Result<StringArray> {
    let text = plain_text(column, values)?;
    let mut outside = 0_usize;
    let mut label = |value| {
        levels.label(value, level).unwrap_or_else(|| {
            outside += 1;
            SUPPRESSED
        })
    };
    let labels = text.iter().map(|value| value.map(&mut label)).collect();
    unknown.check(column, outside, &format!("that are not in {place}"), "add them to it, or leave out the rows that hold them")?;
    Ok(labels)
}
