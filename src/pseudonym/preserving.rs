//! Columns under FF1: texts of one alphabet, integers of 32 and 64 bits.
//!
//! A text becomes a text of as many characters of the same alphabet; an integer becomes an integer of the same type, as a string of 32 or 64 binary digits.

use super::alphabet::Alphabet;
use super::faults::Faults;
use super::ff1::Ff1;
use super::text::{text_column, texts};
use super::values::{plain, present};
use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use crate::pipeline::UNNAMED;
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Int32Type, Int64Type, UInt32Type, UInt64Type};
use std::sync::Arc;

/// Most characters of a text: the work grows with their square, so that a single text could hold up a run for hours.
const LONGEST: usize = 10_000;

/// Texts worked at a time.
const BATCH: usize = 4_096;

/// FF1 under a key that is derived for it.
pub(super) struct Preserving {
    key: Key,
    alphabet: Alphabet,
    /// Whether somebody chose the alphabet.
    chosen: bool,
    text: Box<Ff1>,
    words: Box<Ff1>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forth,
    Back,
}

impl Preserving {
    pub(super) fn new(key: &Key, alphabet: Alphabet) -> Result<Self> {
        Self::of_derived(key.derive(&Domain::of("ff1")), alphabet, false)
    }

    fn of_derived(key: Key, alphabet: Alphabet, chosen: bool) -> Result<Self> {
        let text = Box::new(Ff1::new(key.expose(), alphabet.radix())?);
        let words = Box::new(Ff1::new(key.expose(), 2)?);
        Ok(Self { key, alphabet, chosen, text, words })
    }

    pub(super) fn with_alphabet(self, alphabet: Alphabet) -> Result<Self> {
        Self::of_derived(self.key, alphabet, true)
    }

    /// The type of tokens is that of their values.
    pub(super) fn output_type(input: &DataType) -> Result<DataType> {
        match input {
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Int32
            | DataType::UInt32
            | DataType::Int64
            | DataType::UInt64 => Ok(input.clone()),
            _ => Err(Error::column(
                UNNAMED,
                "is neither of texts nor of integers of 32 or 64 bits, which are all that ff1 takes",
                "cast the column, or use aes-siv",
            )),
        }
    }

    /// The tokens of an array that is no dictionary.
    pub(super) fn apply(&self, array: &dyn Array, first_row: u64) -> Result<ArrayRef> {
        self.work(array, first_row, Direction::Forth)
    }

    /// The values of tokens.
    pub(super) fn reverse(&self, tokens: &dyn Array, original: Option<&DataType>, first_row: u64) -> Result<ArrayRef> {
        let mut tokens = plain(tokens)?;
        let wanted = match original {
            Some(DataType::Dictionary(_, values)) => values.as_ref(),
            Some(original) => original,
            None => tokens.data_type(),
        };
        let wanted = Self::output_type(wanted)?;
        if tokens.data_type() != &wanted && wanted.is_integer() {
            // A file format may have made the integers wider. In the wrong width they would turn back into something else.
            let options = CastOptions { safe: false, ..CastOptions::default() };
            let narrowed = if tokens.data_type().is_integer() { cast_with_options(&tokens, &wanted, &options).ok() } else { None };
            tokens = narrowed.ok_or_else(|| {
                Error::column(UNNAMED, "has values that are no tokens of the type asked for", "name the original type of the column")
            })?;
        }
        let values = self.work(tokens.as_ref(), first_row, Direction::Back)?;
        match original {
            Some(original) if values.data_type() != original => {
                if texts(&values).is_none() && !wanted.is_integer() {
                    return Err(Error::column(UNNAMED, "has tokens that do not stand for texts", "name the original type of the column"));
                }
                cast(&values, original).map_err(|e| Error::arrow("writing values", &e))
            }
            _ => Ok(values),
        }
    }

    fn work(&self, array: &dyn Array, first_row: u64, direction: Direction) -> Result<ArrayRef> {
        if self.chosen && array.data_type().is_integer() {
            return Err(Error::policy(
                "pseudonym.alphabet",
                "has no meaning for a column of integers, which ff1 takes as binary numbers",
                "leave it out, or cast the column to text",
            ));
        }
        match array.data_type() {
            DataType::Int32 => {
                self.integers::<Int32Type>(array, 32, |v| u64::from(v.cast_unsigned()), |w| low_half(w).cast_signed(), direction)
            }
            DataType::UInt32 => self.integers::<UInt32Type>(array, 32, u64::from, low_half, direction),
            DataType::Int64 => self.integers::<Int64Type>(array, 64, i64::cast_unsigned, u64::cast_signed, direction),
            DataType::UInt64 => self.integers::<UInt64Type>(array, 64, |v| v, |w| w, direction),
            other => {
                Self::output_type(other)?;
                self.texts(array, first_row, direction)
            }
        }
    }

    fn integers<T: ArrowPrimitiveType>(
        &self,
        array: &dyn Array,
        bits: u32,
        word: impl Fn(T::Native) -> u64,
        integer: impl Fn(u64) -> T::Native,
        direction: Direction,
    ) -> Result<ArrayRef> {
        let array = array.as_primitive::<T>();
        let mut words: Vec<u64> = array.values().iter().map(|&value| word(value)).collect();
        match direction {
            Direction::Forth => self.words.encrypt_words(&[], bits, &mut words)?,
            Direction::Back => self.words.decrypt_words(&[], bits, &mut words)?,
        }
        let present = present(array);
        if let Some(present) = &present {
            // What stood under a missing value must not go out as a token.
            for (word, present) in words.iter_mut().zip(present) {
                *word *= u64::from(present);
            }
        }
        let values = words.into_iter().map(integer).collect();
        Ok(Arc::new(PrimitiveArray::<T>::new(values, present).with_data_type(array.data_type().clone())))
    }

    fn texts(&self, array: &dyn Array, first_row: u64, direction: Direction) -> Result<ArrayRef> {
        let Some(texts) = texts(array) else { return Err(Error::column(UNNAMED, "is not text", "cast the column to text")) };
        let present = present(array);
        let (mut foreign, mut short, mut long) = (Faults::default(), Faults::default(), Faults::default());
        let (mut out, mut out_ends) = (Vec::new(), Vec::with_capacity(array.len()));
        let (mut numbers, mut ends) = (Vec::new(), Vec::with_capacity(BATCH));
        for start in (0..array.len()).step_by(BATCH) {
            let rows = start..(start + BATCH).min(array.len());
            numbers.clear();
            ends.clear();
            for row in rows.clone() {
                if present.as_ref().is_none_or(|present| present.is_valid(row)) {
                    let (begin, number) = (numbers.len(), first_row.wrapping_add(row as u64));
                    if !self.alphabet.numbers(texts(row), &mut numbers) {
                        foreign.note(number);
                        numbers.truncate(begin);
                    } else if numbers.len() - begin < self.text.minimum_length() {
                        short.note(number);
                        numbers.truncate(begin);
                    } else if numbers.len() - begin > LONGEST {
                        long.note(number);
                        numbers.truncate(begin);
                    }
                }
                ends.push(numbers.len());
            }
            self.strings(&mut numbers, &ends, direction)?;
            let mut begin = 0;
            for &end in &ends {
                self.alphabet.write(&numbers[begin..end], &mut out);
                out_ends.push(out.len());
                begin = end;
            }
        }
        foreign.check(
            "has a character that is not in the alphabet of ff1",
            "name the alphabet of the column, or use aes-siv, which takes all texts",
        )?;
        short.check(
            &format!("is shorter than {} characters, so that all values could be tried", self.text.minimum_length()),
            "use aes-siv, which takes all texts",
        )?;
        long.check(&format!("is longer than {LONGEST} characters"), "use aes-siv, which takes all texts")?;
        text_column(array.data_type(), out, &out_ends, present)
    }

    /// Works strings that end at `ends`: those of one length together.
    fn strings(&self, numbers: &mut [u16], ends: &[usize], direction: Direction) -> Result<()> {
        let begins = std::iter::once(0).chain(ends.iter().copied());
        let mut strings: Vec<(usize, usize)> =
            begins.zip(ends).map(|(begin, &end)| (end - begin, begin)).filter(|(length, _)| *length > 0).collect();
        let Some(&(length, _)) = strings.first() else { return Ok(()) };
        if strings.iter().all(|(other, _)| *other == length) {
            return self.of_one_length(length, numbers, direction);
        }
        strings.sort_unstable();
        let mut together = Vec::new();
        for strings in strings.chunk_by(|left, right| left.0 == right.0) {
            together.clear();
            for &(length, begin) in strings {
                together.extend_from_slice(&numbers[begin..begin + length]);
            }
            let length = strings[0].0;
            self.of_one_length(length, &mut together, direction)?;
            for (&(_, begin), string) in strings.iter().zip(together.chunks_exact(length)) {
                numbers[begin..begin + length].copy_from_slice(string);
            }
        }
        Ok(())
    }

    fn of_one_length(&self, length: usize, numbers: &mut [u16], direction: Direction) -> Result<()> {
        match direction {
            Direction::Forth => self.text.encrypt_all(&[], length, numbers),
            Direction::Back => self.text.decrypt_all(&[], length, numbers),
        }
    }
}

/// A word that FF1 over 32 bits made.
#[expect(clippy::cast_possible_truncation, reason = "the word has 32 bits")]
fn low_half(word: u64) -> u32 {
    word as u32
}
