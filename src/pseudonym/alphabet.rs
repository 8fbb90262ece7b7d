//! Alphabets of texts whose form is preserved.

use crate::error::{Error, Result};
use std::collections::HashMap;
use std::str::FromStr;

const DIGITS: &str = "0123456789";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The characters of texts, in order. The radix is their number.
///
/// ```
/// use backmask::pseudonym::Alphabet;
///
/// assert_eq!(Alphabet::parse("alphanumeric")?.radix(), 62);
/// assert_eq!(Alphabet::parse("αβγδ")?.radix(), 4);
/// assert!(Alphabet::parse("abca").is_err());
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alphabet {
    characters: Vec<char>,
    /// Numbers of the ASCII characters; [`Self::NONE`] for those that are not in it.
    ascii: [u32; 128],
    others: HashMap<char, u16>,
}

impl Alphabet {
    const NONE: u32 = u32::MAX;

    /// The alphabet called `digits`, `lower`, `upper`, `letters` (upper, then lower), `alphanumeric` (digits, upper, lower) or `hex` (lowercase); any other text is the characters
    /// themselves, in their order.
    ///
    /// # Errors
    /// Fewer than 2 or more than 65,536 characters, one of them twice, or a control character among them.
    pub fn parse(text: &str) -> Result<Self> {
        let characters: Vec<char> = match text {
            "digits" => DIGITS.chars().collect(),
            "lower" => LOWER.chars().collect(),
            "upper" => UPPER.chars().collect(),
            "letters" => UPPER.chars().chain(LOWER.chars()).collect(),
            "alphanumeric" => DIGITS.chars().chain(UPPER.chars()).chain(LOWER.chars()).collect(),
            "hex" => "0123456789abcdef".chars().collect(),
            other => other.chars().collect(),
        };
        let refuse = |problem: &str| {
            let remedy = "name one of digits, lower, upper, letters, alphanumeric, hex, or write 2 to 65536 different characters";
            Err(Error::policy("pseudonym.alphabet", problem, remedy))
        };
        if !(2..=65_536).contains(&characters.len()) {
            return refuse("must have 2 to 65536 characters");
        }
        let (mut ascii, mut others) = ([Self::NONE; 128], HashMap::new());
        for (number, &character) in (0_u16..=u16::MAX).zip(&characters) {
            if character.is_control() {
                return refuse("has a control character");
            }
            let known = match ascii.get_mut(character as usize) {
                Some(place) => std::mem::replace(place, u32::from(number)) != Self::NONE,
                None => others.insert(character, number).is_some(),
            };
            if known {
                return refuse("has a character twice");
            }
        }
        Ok(Self { characters, ascii, others })
    }

    /// The ten digits.
    #[must_use]
    pub fn digits() -> Self {
        let mut ascii = [Self::NONE; 128];
        for (number, character) in (0..).zip(DIGITS.bytes()) {
            ascii[usize::from(character)] = number;
        }
        Self { characters: DIGITS.chars().collect(), ascii, others: HashMap::new() }
    }

    /// How many characters there are.
    #[must_use]
    pub fn radix(&self) -> u32 {
        // At most 65,536 were let in.
        u32::try_from(self.characters.len()).unwrap_or_default()
    }

    /// Appends the number of every character; `false` if one is not in the alphabet.
    pub(super) fn numbers(&self, text: &str, numbers: &mut Vec<u16>) -> bool {
        let mut known = true;
        if text.is_ascii() {
            numbers.extend(text.bytes().map(|character| {
                let number = self.ascii.get(usize::from(character)).copied().unwrap_or(Self::NONE);
                known &= number != Self::NONE;
                low(number)
            }));
            return known;
        }
        for character in text.chars() {
            let number = match self.ascii.get(character as usize) {
                Some(&number) => (number != Self::NONE).then(|| low(number)),
                None => self.others.get(&character).copied(),
            };
            known &= number.is_some();
            numbers.push(number.unwrap_or_default());
        }
        known
    }

    /// Whether every character is one byte.
    pub(super) fn is_ascii(&self) -> bool {
        self.others.is_empty()
    }

    /// Appends the characters of numbers below the radix.
    pub(super) fn write(&self, numbers: &[u16], text: &mut Vec<u8>) {
        if self.is_ascii() {
            text.extend(numbers.iter().map(|&number| self.characters[usize::from(number)] as u8));
            return;
        }
        let mut bytes = [0; 4];
        for &number in numbers {
            text.extend_from_slice(self.characters[usize::from(number)].encode_utf8(&mut bytes).as_bytes());
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a number of a character, or its absence, which the caller notices")]
fn low(number: u32) -> u16 {
    number as u16
}

impl Default for Alphabet {
    fn default() -> Self {
        Self::digits()
    }
}

impl FromStr for Alphabet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_characters() {
        for (text, radix) in [
            ("digits", 10),
            ("lower", 26),
            ("upper", 26),
            ("letters", 52),
            ("alphanumeric", 62),
            ("hex", 16),
            ("01", 2),
            ("é\u{10ffff}x", 3),
        ] {
            assert_eq!(Alphabet::parse(text).unwrap().radix(), radix, "{text}");
        }
        assert_eq!(Alphabet::parse("0123456789").unwrap(), Alphabet::digits());
        let widest: String = ('\u{4000}'..).take(65_537).collect();
        for bad in ["", "a", "aa", "abcb", "éxé", "a\n", "a\u{85}", "a\0", &widest] {
            assert!(Alphabet::parse(bad).is_err(), "{}", bad.len());
        }
        let end = widest.char_indices().nth(65_536).unwrap().0;
        assert_eq!(Alphabet::parse(&widest[..end]).unwrap().radix(), 65_536);
    }

    #[test]
    fn texts_become_numbers_and_back() {
        for (alphabet, text, expected) in [("hex", "0f9", vec![0, 15, 9]), ("xé€", "€xé", vec![2, 0, 1]), ("upper", "", vec![])] {
            let alphabet = Alphabet::parse(alphabet).unwrap();
            let (mut numbers, mut back) = (vec![], vec![]);
            assert!(alphabet.numbers(text, &mut numbers));
            assert_eq!(numbers, expected);
            alphabet.write(&numbers, &mut back);
            assert_eq!(back, text.as_bytes());
        }
        for (alphabet, text) in [("hex", "0F"), ("digits", "1٣"), ("xé", "x\u{65}\u{301}"), ("lower", "a b")] {
            assert!(!Alphabet::parse(alphabet).unwrap().numbers(text, &mut vec![]), "{text}");
        }
    }
}
