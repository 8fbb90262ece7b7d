//! Which rows repeat a value, so that it need not be worked again.

use super::values::Values;
use arrow::buffer::NullBuffer;
use std::ops::Range;

/// Rows whose values are worked, and for each row the number of the one that it shares.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Distinct {
    /// A row for each value. A value may occur here more than once.
    pub(super) firsts: Vec<u32>,
    /// For each row the place of its value in `firsts`; 0 for a missing value.
    pub(super) of_row: Vec<u32>,
}

/// Rows looked at before it is decided that looking does not pay, and how often this is decided anew.
const WINDOW: usize = 1 << 14;
/// Less than one repeated row in so many does not pay.
const WORTH: usize = 8;
/// Room for recent values: 2¹⁶ places of 8 bytes stay in the second-level cache.
const PLACES: usize = 1 << 16;

impl Distinct {
    /// Looks for repeated values with a small table of recent ones; `None` where few repeat: then every row is worked by itself.
    pub(super) fn find<V: Values>(values: &V, rows: usize, nulls: Option<&NullBuffer>) -> Option<Self> {
        u32::try_from(rows).ok()?;
        if rows < 64 {
            return None;
        }
        let places = rows.next_power_of_two().min(PLACES);
        let mut recent = vec![[u32::MAX; 2]; places];
        let (mut found, mut of_row) = (Self { firsts: Vec::new(), of_row: Vec::new() }, Vec::new());
        let mut window = (rows / 8).clamp(64, WINDOW);
        let mut start = 0;
        while start < rows {
            let end = (start + window).min(rows);
            let worked = found.firsts.len();
            found.look(values, start..end, nulls, &mut recent, &mut of_row);
            if (found.firsts.len() - worked) + (end - start) / WORTH > end - start {
                if start == 0 {
                    return None;
                }
                // It paid until here; from here on every row is its own.
                found.rest(end..rows, nulls, &mut of_row);
                break;
            }
            if start == 0 {
                of_row.reserve(rows - end);
            }
            start = end;
            window = WINDOW;
        }
        found.of_row = of_row;
        Some(found)
    }

    fn look<V: Values>(
        &mut self,
        values: &V,
        rows: Range<usize>,
        nulls: Option<&NullBuffer>,
        recent: &mut [[u32; 2]],
        of_row: &mut Vec<u32>,
    ) {
        let shift = 64 - recent.len().trailing_zeros();
        for row in rows {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                of_row.push(0);
                continue;
            }
            let place = low_bits(values.fingerprint(row) >> shift);
            let [newer, older] = [place, place ^ 1].map(|place| recent[place]);
            let known = [newer, older].into_iter().find(|[first, _]| *first != u32::MAX && values.same(*first as usize, row));
            let slot = known.map_or(number(self.firsts.len()), |[_, slot]| slot);
            if known.is_none() {
                self.firsts.push(number(row));
                recent[place ^ 1] = newer;
                recent[place] = [number(row), slot];
            }
            of_row.push(slot);
        }
    }

    fn rest(&mut self, rows: Range<usize>, nulls: Option<&NullBuffer>, of_row: &mut Vec<u32>) {
        for row in rows {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                of_row.push(0);
            } else {
                of_row.push(number(self.firsts.len()));
                self.firsts.push(number(row));
            }
        }
    }
}

/// A number of rows that is known to fit.
#[expect(clippy::cast_possible_truncation, reason = "arrays of more rows than 32 bits count are not looked at")]
fn number(row: usize) -> u32 {
    row as u32
}

/// A place in a table of at most [`PLACES`].
#[expect(clippy::cast_possible_truncation, reason = "the word was shifted down to 16 bits or fewer")]
fn low_bits(word: u64) -> usize {
    word as usize
}
