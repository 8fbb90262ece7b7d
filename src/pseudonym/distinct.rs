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
            // Two places beside each other keep the last two values that belong there.
            let place = low_bits(values.fingerprint(row) >> shift) & !1;
            let [newer, older] = [recent[place], recent[place + 1]];
            let known = [newer, older].into_iter().find(|[first, _]| *first != u32::MAX && values.same(*first as usize, row));
            let slot = known.map_or(number(self.firsts.len()), |[_, slot]| slot);
            if known.is_none() {
                self.firsts.push(number(row));
                recent[place + 1] = newer;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pseudonym::values::{Visitor, present, visit};
    use arrow::array::{Array, ArrayRef, StringArray, UInt64Array};
    use std::collections::HashSet;
    use std::sync::Arc;

    struct Find(usize, Option<NullBuffer>);

    impl Visitor for Find {
        type Output = Option<Distinct>;
        fn visit<V: Values>(self, values: &V) -> Option<Distinct> {
            Distinct::find(values, self.0, self.1.as_ref())
        }
    }

    fn find(array: &dyn Array) -> Option<Distinct> {
        visit(array, Find(array.len(), present(array))).unwrap()
    }

    /// `distinct` different values in `rows` rows, some missing.
    fn column(rows: u64, distinct: u64) -> Vec<Option<u64>> {
        (0..rows).map(|row| (row % 19 != 3).then_some(row.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) % distinct)).collect()
    }

    #[test]
    fn every_row_finds_its_own_value() {
        for (rows, distinct) in [(64, 1), (100, 5), (5_000, 700), (60_000, 2), (60_000, 20_000)] {
            let values = column(rows, distinct);
            let texts = values.iter().map(|value| value.map(|value| format!("listener-{value}"))).collect::<StringArray>();
            let arrays: [ArrayRef; 2] = [Arc::new(UInt64Array::from(values.clone())), Arc::new(texts)];
            for array in arrays {
                let found = find(&array).unwrap();
                assert_eq!(found.of_row.len(), values.len());
                for (value, &place) in values.iter().zip(&found.of_row) {
                    if value.is_some() {
                        assert_eq!(&values[found.firsts[place as usize] as usize], value);
                    }
                }
                // The table is small and forgets, but not much: at most an eighth of the values is worked twice.
                let different = values.iter().flatten().collect::<HashSet<_>>().len();
                assert!((different..=different * 9 / 8).contains(&found.firsts.len()), "{rows} {distinct} {}", found.firsts.len());
            }
        }
    }

    #[test]
    fn where_few_values_repeat_nothing_is_kept() {
        assert_eq!(find(&UInt64Array::from_iter_values(0..100_000)), None);
        assert_eq!(find(&UInt64Array::from_iter_values(0..10)), None);
        assert_eq!(find(&UInt64Array::from(vec![7; 63])), None);
        assert_eq!(find(&UInt64Array::from(Vec::<u64>::new())), None);
    }

    #[test]
    fn a_column_that_repeats_only_at_first_is_still_right() {
        let values: Vec<Option<u64>> =
            (0..200_000).map(|row| (row % 23 != 1).then_some(if row < 50_000 { row % 10 } else { row })).collect();
        let found = find(&UInt64Array::from(values.clone())).unwrap();
        for (value, &place) in values.iter().zip(&found.of_row) {
            if value.is_some() {
                assert_eq!(&values[found.firsts[place as usize] as usize], value);
            }
        }
        assert!(found.firsts.iter().all(|&row| values[row as usize].is_some()));
    }

    #[test]
    fn nothing_but_missing_values() {
        let found = find(&UInt64Array::from(vec![None; 1_000])).unwrap();
        assert_eq!((found.firsts.len(), found.of_row), (0, vec![0; 1_000]));
    }
}
