//! Lengths of strings and the classes of characters at their places.

use crate::numeric::real;
use std::collections::BTreeMap;

/// A number of values: exactly as long as it fits, and its binary logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    exact: Option<u128>,
    /// −∞ for none.
    bits: f64,
}

impl Size {
    pub(super) const NONE: Self = Self { exact: Some(0), bits: f64::NEG_INFINITY };
    const ONE: Self = Self { exact: Some(1), bits: 0.0 };

    pub(super) fn of(exact: u128) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a logarithm to 16 digits")]
        let bits = (exact as f64).log2();
        Self { exact: Some(exact), bits }
    }

    fn or_logarithm(exact: Option<u128>, bits: f64) -> Self {
        exact.map_or(Self { exact: None, bits }, Self::of)
    }

    pub(super) fn and_one(self) -> Self {
        self.plus(Self::ONE)
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let (less, more) = if self.bits < other.bits { (self.bits, other.bits) } else { (other.bits, self.bits) };
        let bits = if less == f64::NEG_INFINITY { more } else { more + (less - more).exp2().ln_1p() / std::f64::consts::LN_2 };
        Self::or_logarithm(self.exact.zip(other.exact).and_then(|(one, other)| one.checked_add(other)), bits)
    }

    /// Times `alphabet` to the power of `places`.
    fn times(self, alphabet: u32, places: u64) -> Self {
        let power = u32::try_from(places).ok().and_then(|places| u128::from(alphabet).checked_pow(places));
        let exact = self.exact.zip(power).and_then(|(size, power)| size.checked_mul(power));
        Self::or_logarithm(exact, self.bits + f64::from(alphabet).log2() * real(places))
    }

    pub(super) fn exact(self) -> Option<u128> {
        self.exact
    }

    /// 0 for none.
    pub(super) fn bits(self) -> f64 {
        self.bits.max(0.0)
    }

    pub(super) fn real(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a time to 16 digits")]
        self.exact.map_or(self.bits.exp2(), |exact| exact as f64)
    }
}

/// Sizes of the classes of characters, by bit.
const CLASSES: [u32; 13] = [10, 6, 20, 6, 20, 1, 1, 1, 1, 1, 1, 60, 1_111_936];
const NOT_ASCII: u16 = 1 << 12;
const ZERO: u16 = 1;
const NOT_ZERO: u16 = 2;

/// The class of every ASCII character.
const CLASS_OF: [u16; 128] = {
    let mut table = [1 << 11; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        let class = match byte {
            b'0'..=b'9' => 0,
            b'a'..=b'f' => 1,
            b'g'..=b'z' => 2,
            b'A'..=b'F' => 3,
            b'G'..=b'Z' => 4,
            b'-' => 5,
            b'_' => 6,
            b'.' => 7,
            b':' => 8,
            b'@' => 9,
            b' ' => 10,
            _ => 11,
        };
        table[byte as usize] = 1 << class;
        byte += 1;
    }
    table
};

/// So many places have classes of their own; those behind share one.
const PLACES: usize = 64;

/// For each length, the classes seen at each place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Forms(BTreeMap<u64, Vec<u16>>);

impl Forms {
    fn of_length(&mut self, length: usize) -> &mut Vec<u16> {
        self.0.entry(length as u64).or_insert_with(|| vec![0; length.min(PLACES + 1)])
    }

    fn add(&mut self, length: usize, classes: impl Iterator<Item = u16>) {
        let form = self.of_length(length);
        for (place, class) in classes.enumerate() {
            if let Some(place) = form.get_mut(place.min(PLACES)) {
                *place |= class;
            }
        }
    }

    /// Adds UTF-8.
    pub(super) fn add_text(&mut self, text: &[u8]) {
        if text.is_ascii() {
            self.add(text.len(), text.iter().map(|byte| CLASS_OF.get(usize::from(*byte)).copied().unwrap_or(NOT_ASCII)));
        } else {
            let text = String::from_utf8_lossy(text);
            let class = |character: char| CLASS_OF.get(character as usize).copied().unwrap_or(NOT_ASCII);
            self.add(text.chars().count(), text.chars().map(class));
        }
    }

    pub(super) fn add_bytes(&mut self, bytes: &[u8]) {
        self.add(bytes.len(), bytes.iter().map(|byte| if *byte == 0 { ZERO } else { NOT_ZERO }));
    }

    /// Length, place and classes; the empty string has a place without classes.
    pub(super) fn cells(&self) -> impl Iterator<Item = (u64, u32, u16)> {
        self.0.iter().flat_map(|(length, form)| {
            let empty = form.is_empty().then_some((*length, 0, 0));
            (0..).zip(form).map(|(place, classes)| (*length, place, *classes)).chain(empty)
        })
    }

    pub(super) fn add_classes(&mut self, length: u64, place: u32, classes: u16) -> Option<()> {
        let form = self.of_length(usize::try_from(length).ok()?);
        match form.get_mut(place as usize) {
            Some(place) => *place |= classes,
            None if length == 0 && place == 0 && classes == 0 => {}
            None => return None,
        }
        Some(())
    }

    fn size(&self, alphabet: impl Fn(u16) -> u32) -> Size {
        let of_form = |(length, form): (&u64, &Vec<u16>)| {
            form.iter().enumerate().fold(Size::ONE, |size, (place, classes)| {
                let places = if place < PLACES { 1 } else { length.saturating_sub(PLACES as u64) };
                size.times(alphabet(*classes), places)
            })
        };
        self.0.iter().map(of_form).fold(Size::NONE, Size::plus)
    }

    pub(super) fn size_of_text(&self) -> Size {
        self.size(|classes| CLASSES.iter().enumerate().filter(|(bit, _)| classes & (1 << bit) != 0).map(|(_, size)| size).sum())
    }

    pub(super) fn size_of_bytes(&self) -> Size {
        self.size(|classes| if classes & NOT_ZERO == 0 { 1 } else { 256 })
    }
}
