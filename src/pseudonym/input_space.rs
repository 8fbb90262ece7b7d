//! How many values a column could hold.

mod form;

use crate::error::{Error, Result};
use crate::pipeline::{Fit, column_index, map_canonical, name_column};
use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryBuilder, RecordBatch, UInt8Array, UInt32Array, UInt64Array};
use arrow::datatypes::{UInt8Type, UInt32Type, UInt64Type};
use form::{Forms, Size};
use std::fmt;
use std::sync::Arc;

/// Hashes that one graphics card computes in a second, for [`InputSpaceEstimate::seconds_to_enumerate`]: 10¹⁰.
///
/// This is careful: for one card of 2022 some 10¹⁰ SHA-256, 4 × 10¹⁰ SHA-1 and 10¹¹ MD5 a second are reported.
pub const HASHES_PER_SECOND: f64 = 1e10;

/// Fewer values can all be tried: so many take 31 hours at [`HASHES_PER_SECOND`].
const ENUMERABLE: u128 = 1 << 50;

/// Bounds from above how many values have the form of those in a column: the work of somebody who undoes a plain hash by trying them all.
///
/// | values | form | number |
/// |---|---|---|
/// | integers, whole floats | smallest and largest | all between |
/// | dates | first and last | days between |
/// | timestamps | first and last; the coarsest of day, hour, minute, second, milli-, micro- and nanosecond that all are multiples of | such units between |
/// | text | lengths; the classes of characters at each of the first 64 places, and behind | product of the sizes of the alphabets at each length, summed over lengths |
/// | bytes | as text if all bytes are printable ASCII; else lengths, and places where all are zero | 256 for each byte that is not always zero |
/// | booleans | – | 2 |
/// | other floats | – | 2⁶⁴ |
///
/// Classes of characters: digits (10), `a`–`f` and `A`–`F` (6 each), the other lowercase and uppercase ASCII letters (20 each), each of `-`, `_`, `.`, `:`, `@` and space (1),
/// the other ASCII characters (60), all others (1,111,936). Digit strings and hexadecimal ones are recognized by that.
///
/// ```
/// use backmask::arrow::array::StringArray;
/// use backmask::{pipeline::Fit, pseudonym::InputSpace};
///
/// let mut fit = InputSpace::new("phone");
/// fit.observe_array(&StringArray::from(vec!["07700900461", "07700900982"]))?;
/// let estimate = fit.finish()?;
/// assert_eq!(estimate.count, Some(100_000_000_000)); // eleven digits
/// assert_eq!(estimate.seconds_to_enumerate, 10.0);
/// assert!(estimate.enumerable && estimate.warning().unwrap().contains("10 seconds"));
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// More rows never make the bound smaller, and it is the same in every Arrow representation. It bounds the number of values *of the form seen*; values that were not seen may have another form.
///
/// # Security
/// A large number proves nothing. Real lists of names are far shorter than what their form allows, and are tried first. Neither the estimate nor its texts hold a value; the state holds smallest and
/// largest integers and times.
#[derive(Clone, Default)]
pub struct InputSpace {
    column: String,
    rows: u64,
    integers: Range,
    dates: Range,
    instants: Range,
    /// Place in [`UNITS`] of the coarsest unit that all instants share.
    unit: usize,
    booleans: bool,
    whole_floats: Range,
    other_floats: bool,
    texts: Forms,
    /// Bytes, by whether a place is always zero.
    bytes: Forms,
    /// Bytes that are printable ASCII, as text.
    printable: Forms,
    unprintable: bool,
}

/// Nanoseconds of units, coarsest first; each is a multiple of the next.
const UNITS: [i128; 7] = [86_400_000_000_000, 3_600_000_000_000, 60_000_000_000, 1_000_000_000, 1_000_000, 1_000, 1];

/// Smallest and largest of some numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Range(Option<(i128, i128)>);

impl Range {
    fn add(&mut self, low: i128, high: i128) {
        self.0 = Some(self.0.map_or((low, high), |(least, most)| (least.min(low), most.max(high))));
    }

    /// How many multiples of `unit` it spans.
    fn size(self, unit: i128) -> Size {
        match self.0 {
            Some((low, high)) => Size::of(high.div_euclid(unit).wrapping_sub(low.div_euclid(unit)).cast_unsigned()).and_one(),
            None => Size::NONE,
        }
    }
}

impl fmt::Debug for InputSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputSpace").field("column", &self.column).field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Kinds of cells of the state.
mod kind {
    pub(super) const ROWS: u8 = 0;
    pub(super) const INTEGERS: u8 = 1;
    pub(super) const DATES: u8 = 2;
    pub(super) const INSTANTS: u8 = 3;
    pub(super) const UNIT: u8 = 4;
    pub(super) const BOOLEANS: u8 = 5;
    pub(super) const WHOLE_FLOATS: u8 = 6;
    pub(super) const OTHER_FLOATS: u8 = 7;
    pub(super) const TEXTS: u8 = 8;
    pub(super) const BYTES: u8 = 9;
    pub(super) const PRINTABLE: u8 = 10;
    pub(super) const UNPRINTABLE: u8 = 11;
}

/// One fact of the state: a range, a count, a flag or the classes at a place of the values of one length.
struct Cell {
    kind: u8,
    length: u64,
    place: u32,
    low: i128,
    high: i128,
}

impl InputSpace {
    /// For the column of this name.
    pub fn new(column: impl Into<String>) -> Self {
        Self { column: column.into(), ..Self::default() }
    }

    /// Takes the values of an array into account.
    ///
    /// # Errors
    /// The values have no canonical encoding (nested types, durations, times of day).
    pub fn observe_array(&mut self, array: &dyn Array) -> Result<()> {
        let present = map_canonical(array, false, |value| {
            self.add(value);
            true
        })
        .map_err(|e| name_column(e, &self.column))?;
        self.rows += present.iter().filter(|present| **present).count() as u64;
        Ok(())
    }

    /// Adds the canonical encoding of a value.
    fn add(&mut self, value: &[u8]) {
        let Some((tag, payload)) = value.split_first() else { return };
        let number = || payload.try_into().map(i128::from_le_bytes).unwrap_or_default();
        match tag {
            1 => self.texts.add_text(payload),
            2 => {
                self.bytes.add_bytes(payload);
                if payload.iter().all(|byte| (0x20..0x7f).contains(byte)) {
                    self.printable.add_text(payload);
                } else {
                    self.unprintable = true;
                }
            }
            3 => self.integers.add(number(), number()),
            4 => self.booleans = true,
            5 => self.add_float(payload.try_into().map_or(f64::NAN, f64::from_le_bytes)),
            6 => self.dates.add(number(), number()),
            _ => {
                let instant = number();
                while UNITS.get(self.unit).is_some_and(|unit| !is_multiple(instant, *unit)) {
                    self.unit += 1;
                }
                self.instants.add(instant, instant);
            }
        }
    }

    fn add_float(&mut self, value: f64) {
        // All whole numbers up to here are floats.
        if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
            #[expect(clippy::cast_possible_truncation, reason = "a whole number of 53 bits")]
            let whole = i128::from(value as i64);
            self.whole_floats.add(whole, whole);
        } else {
            self.other_floats = true;
        }
    }

    fn size(&self) -> Size {
        let unit = UNITS.get(self.unit).copied().unwrap_or(1);
        let floats = if self.other_floats { Size::of(1 << 64) } else { self.whole_floats.size(1) };
        let bytes = if self.unprintable { self.bytes.size_of_bytes() } else { self.printable.size_of_text() };
        let booleans = if self.booleans { Size::of(2) } else { Size::NONE };
        [self.integers.size(1), self.dates.size(1), self.instants.size(unit), floats, bytes, booleans, self.texts.size_of_text()]
            .into_iter()
            .fold(Size::NONE, Size::plus)
    }

    fn cells(&self) -> Vec<Cell> {
        let fact = |kind, low, high| Cell { kind, length: 0, place: 0, low, high };
        let mut cells = vec![fact(kind::ROWS, i128::from(self.rows), 0), fact(kind::UNIT, self.unit as i128, 0)];
        let ranges = [
            (kind::INTEGERS, self.integers),
            (kind::DATES, self.dates),
            (kind::INSTANTS, self.instants),
            (kind::WHOLE_FLOATS, self.whole_floats),
        ];
        cells.extend(ranges.into_iter().filter_map(|(kind, range)| range.0.map(|(low, high)| fact(kind, low, high))));
        let flags = [(kind::BOOLEANS, self.booleans), (kind::OTHER_FLOATS, self.other_floats), (kind::UNPRINTABLE, self.unprintable)];
        cells.extend(flags.into_iter().filter(|(_, set)| *set).map(|(kind, _)| fact(kind, 0, 0)));
        for (kind, forms) in [(kind::TEXTS, &self.texts), (kind::BYTES, &self.bytes), (kind::PRINTABLE, &self.printable)] {
            cells.extend(forms.cells().map(|(length, place, classes)| Cell { kind, length, place, low: i128::from(classes), high: 0 }));
        }
        cells
    }

    /// Takes a fact into account; `None` if it is none.
    fn add_cell(&mut self, cell: &Cell) -> Option<()> {
        let forms = match cell.kind {
            kind::ROWS => {
                self.rows = self.rows.checked_add(u64::try_from(cell.low).ok()?)?;
                return Some(());
            }
            kind::UNIT => {
                self.unit = self.unit.max(usize::try_from(cell.low).ok().filter(|unit| *unit < UNITS.len())?);
                return Some(());
            }
            kind::BOOLEANS | kind::OTHER_FLOATS | kind::UNPRINTABLE => {
                let flag = match cell.kind {
                    kind::BOOLEANS => &mut self.booleans,
                    kind::OTHER_FLOATS => &mut self.other_floats,
                    _ => &mut self.unprintable,
                };
                *flag = true;
                return Some(());
            }
            kind::INTEGERS | kind::DATES | kind::INSTANTS | kind::WHOLE_FLOATS => {
                let range = match cell.kind {
                    kind::INTEGERS => &mut self.integers,
                    kind::DATES => &mut self.dates,
                    kind::INSTANTS => &mut self.instants,
                    _ => &mut self.whole_floats,
                };
                return (cell.low <= cell.high).then(|| range.add(cell.low, cell.high));
            }
            kind::TEXTS => &mut self.texts,
            kind::BYTES => &mut self.bytes,
            kind::PRINTABLE => &mut self.printable,
            _ => return None,
        };
        forms.add_classes(cell.length, cell.place, u16::try_from(cell.low).ok()?)
    }
}

fn is_multiple(number: i128, unit: i128) -> bool {
    // Division of 64 bits is much faster, and nearly always enough.
    match (i64::try_from(number), i64::try_from(unit)) {
        (Ok(number), Ok(unit)) => number % unit == 0,
        _ => number % unit == 0,
    }
}

impl Fit for InputSpace {
    type Output = InputSpaceEstimate;

    fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        let index = column_index(batch.schema_ref(), &self.column)?;
        self.observe_array(batch.column(index).as_ref())
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        if self.column != other.column {
            return Err(Error::Parameter { name: "column", problem: "accumulators of different columns cannot be merged".to_owned() });
        }
        other.cells().iter().try_for_each(|cell| self.add_cell(cell)).ok_or_else(not_a_state)
    }

    /// Facts: kind, length, place and two numbers each.
    fn state(&self) -> Result<Vec<ArrayRef>> {
        let cells = self.cells();
        let numbers = |of: fn(&Cell) -> i128| {
            let mut numbers = FixedSizeBinaryBuilder::with_capacity(cells.len(), 16);
            let written = cells.iter().try_for_each(|cell| numbers.append_value(of(cell).to_le_bytes()));
            written.map(|()| Arc::new(numbers.finish()) as ArrayRef).map_err(|e| Error::arrow("writing an input space", &e))
        };
        Ok(vec![
            Arc::new(UInt8Array::from_iter_values(cells.iter().map(|cell| cell.kind))),
            Arc::new(UInt64Array::from_iter_values(cells.iter().map(|cell| cell.length))),
            Arc::new(UInt32Array::from_iter_values(cells.iter().map(|cell| cell.place))),
            numbers(|cell| cell.low)?,
            numbers(|cell| cell.high)?,
        ])
    }

    fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()> {
        let [kinds, lengths, places, low, high] = state else { return Err(not_a_state()) };
        let rows = kinds.len();
        if state.iter().any(|array| array.len() != rows || array.null_count() > 0) {
            return Err(not_a_state());
        }
        let kinds = kinds.as_primitive_opt::<UInt8Type>().ok_or_else(not_a_state)?;
        let lengths = lengths.as_primitive_opt::<UInt64Type>().ok_or_else(not_a_state)?;
        let places = places.as_primitive_opt::<UInt32Type>().ok_or_else(not_a_state)?;
        let low = low.as_fixed_size_binary_opt().ok_or_else(not_a_state)?;
        let high = high.as_fixed_size_binary_opt().ok_or_else(not_a_state)?;
        let number = |bytes: &[u8]| bytes.try_into().map(i128::from_le_bytes).map_err(|_| not_a_state());
        for row in 0..rows {
            let (low, high) = (number(low.value(row))?, number(high.value(row))?);
            let cell = Cell { kind: kinds.value(row), length: lengths.value(row), place: places.value(row), low, high };
            self.add_cell(&cell).ok_or_else(not_a_state)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<InputSpaceEstimate> {
        let size = self.size();
        Ok(InputSpaceEstimate {
            rows: self.rows,
            count: size.exact(),
            bits: size.bits(),
            seconds_to_enumerate: size.real() / HASHES_PER_SECOND,
            enumerable: size.exact().is_some_and(|count| count < ENUMERABLE),
            column: self.column,
        })
    }
}

fn not_a_state() -> Error {
    Error::Parameter {
        name: "state",
        problem: "is not that of an input space: needs kinds, lengths, places and two numbers each".to_owned(),
    }
}

/// How many values have the form of those seen; made by [`InputSpace`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct InputSpaceEstimate {
    /// The column.
    pub column: String,
    /// Rows with a value.
    pub rows: u64,
    /// At most so many values have their form; `None` if that is 2¹²⁸ or more.
    pub count: Option<u128>,
    /// Binary logarithm of that number; 0 if there are no values.
    pub bits: f64,
    /// Time to hash them all at [`HASHES_PER_SECOND`].
    pub seconds_to_enumerate: f64,
    /// Whether they are so few that all can be tried: fewer than 2⁵⁰.
    pub enumerable: bool,
}

impl InputSpaceEstimate {
    /// What the number does not say. It belongs beside every place where the number is shown.
    pub const CAVEAT: &str = "This is an upper bound from the form of the values alone. Real lists of names or addresses are far shorter than their form allows, and whoever has \
        such a list tries it first: a large number proves nothing.";

    /// In plain words, if all values can be tried.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        (self.enumerable && self.rows > 0).then(|| {
            format!(
                "Column {}: at most 2^{:.1} values have the form of those seen. A plain hash of them hides nothing: trying them all takes {} on one graphics card (10^10 hashes a second). \
                 Tokens of backmask resist this only because of the key: whoever has the key can do the same. {}",
                self.column,
                self.bits,
                duration(self.seconds_to_enumerate),
                Self::CAVEAT
            )
        })
    }
}

/// A time in words, to two digits.
fn duration(seconds: f64) -> String {
    let (amount, unit) = match seconds {
        s if s < 1.0 => return "less than a second".to_owned(),
        s if s < 120.0 => (s, "seconds"),
        s if s < 7_200.0 => (s / 60.0, "minutes"),
        s => (s / 3_600.0, "hours"),
    };
    if amount < 9.95 { format!("{amount:.1} {unit}") } else { format!("{amount:.0} {unit}") }
}

#[cfg(test)]
mod tests;
