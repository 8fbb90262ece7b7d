//! Exact non-negative rational numbers: the parameters of noise.
//!
//! A noise scale that was rounded to a float on its way to the sampler is another mechanism than the one that was accounted for. So scales are read as what was
//! written: `0.1` in a text is one tenth, `2/3` is two thirds, and an `f64` is the dyadic number that it holds.

use crate::error::{Error, Result};
use dashu_int::UBig;
use dashu_int::ops::{BitTest, DivRem, Gcd};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Longest text of a number, and largest power of ten in it: enough for every `f64`, too little to exhaust the memory.
const LONGEST_TEXT: usize = 1_200;
const LARGEST_EXPONENT: i64 = 1_100;

/// An exact rational number ≥ 0 in lowest terms.
///
/// ```
/// use backmask::dp::rational::Rational;
///
/// let tenth: Rational = "0.1".parse()?;
/// assert_eq!(tenth, Rational::from_ratio(1, 10)?);
/// assert_ne!(tenth, Rational::try_from(0.1)?, "the float is only near");
/// assert_eq!("2.5e-3".parse::<Rational>()?.to_string(), "0.0025");
/// assert_eq!("4/6".parse::<Rational>()?.to_string(), "2/3");
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Rational {
    numerator: UBig,
    denominator: UBig,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rounding {
    Down,
    Up,
    Nearest,
}

impl Rational {
    /// `numerator / denominator`.
    ///
    /// # Errors
    /// The denominator is 0.
    pub fn from_ratio(numerator: u64, denominator: u64) -> Result<Self> {
        if denominator == 0 {
            return Err(Error::Parameter { name: "denominator", problem: "must not be 0".to_owned() });
        }
        Ok(Self::reduced(UBig::from(numerator), UBig::from(denominator)))
    }

    /// The shortest decimal number that is read as this `f64`: 0.1 becomes one tenth. `Rational::try_from` gives the dyadic number that the float holds.
    ///
    /// # Errors
    /// Negative, infinite or not a number.
    pub fn from_shortest_decimal(value: f64) -> Result<Self> {
        check_float(value)?;
        format!("{value:e}").parse()
    }

    /// In lowest terms; the denominator must not be 0.
    pub(crate) fn reduced(numerator: UBig, denominator: UBig) -> Self {
        let divisor = (&numerator).gcd(&denominator);
        if divisor.is_one() {
            return Self { numerator, denominator };
        }
        Self { numerator: numerator / &divisor, denominator: denominator / divisor }
    }

    pub(crate) fn numerator(&self) -> &UBig {
        &self.numerator
    }

    pub(crate) fn denominator(&self) -> &UBig {
        &self.denominator
    }

    /// Whether the number is 0.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.numerator.is_zero()
    }

    /// 1 / self.
    ///
    /// # Errors
    /// The number is 0.
    pub fn reciprocal(&self) -> Result<Self> {
        if self.is_zero() {
            return Err(Error::Parameter { name: "number", problem: "0 has no reciprocal".to_owned() });
        }
        Ok(Self { numerator: self.denominator.clone(), denominator: self.numerator.clone() })
    }

    /// self · other.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        Self::reduced(&self.numerator * &other.numerator, &self.denominator * &other.denominator)
    }

    /// self · 2^`power`.
    #[must_use]
    pub fn times_power_of_two(&self, power: i32) -> Self {
        let shift = power.unsigned_abs() as usize;
        if power >= 0 {
            Self::reduced(&self.numerator << shift, self.denominator.clone())
        } else {
            Self::reduced(self.numerator.clone(), &self.denominator << shift)
        }
    }

    /// The largest integer that is not above the number, or `None` if it does not fit.
    #[must_use]
    pub fn floor(&self) -> Option<u64> {
        u64::try_from(&self.numerator / &self.denominator).ok()
    }

    /// The largest k with 2^k ≤ self; `None` for 0.
    pub(crate) fn floor_log2(&self) -> Option<i64> {
        if self.is_zero() {
            return None;
        }
        let length = |number: &UBig| i64::try_from(number.bit_len()).unwrap_or(i64::MAX);
        let guess = length(&self.numerator) - length(&self.denominator);
        // 2^(guess − 1) < self < 2^(guess + 1)
        let shift = usize::try_from(guess.unsigned_abs()).unwrap_or(usize::MAX);
        let reaches =
            if guess >= 0 { self.numerator >= (&self.denominator << shift) } else { (&self.numerator << shift) >= self.denominator };
        Some(if reaches { guess } else { guess - 1 })
    }

    /// The largest `f64` that is not above the number.
    #[must_use]
    pub fn to_f64_down(&self) -> f64 {
        self.to_float(Rounding::Down)
    }

    /// The smallest `f64` that is not below the number (infinity if there is none).
    #[must_use]
    pub fn to_f64_up(&self) -> f64 {
        self.to_float(Rounding::Up)
    }

    /// The nearest `f64`, of two the even one; `f64::MAX` for larger numbers.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.to_float(Rounding::Nearest)
    }

    fn to_float(&self, rounding: Rounding) -> f64 {
        let Some(exponent) = self.floor_log2() else { return 0.0 };
        if exponent > 1023 {
            return if rounding == Rounding::Up { f64::INFINITY } else { f64::MAX };
        }
        // 53 digits of a normal number, fewer of a subnormal one: mantissa = ⌊self / 2^unit⌋.
        let unit = (exponent - 52).max(-1074);
        let shift = usize::try_from(unit.unsigned_abs()).unwrap_or(usize::MAX);
        let (dividend, divisor) = if unit >= 0 {
            (self.numerator.clone(), &self.denominator << shift)
        } else {
            (&self.numerator << shift, self.denominator.clone())
        };
        let (mantissa, rest) = dividend.div_rem(&divisor);
        let mantissa = u64::try_from(mantissa).unwrap_or(0);
        let goes_up = match rounding {
            Rounding::Down => false,
            Rounding::Up => !rest.is_zero(),
            Rounding::Nearest => match (rest << 1).cmp(&divisor) {
                Ordering::Less => false,
                Ordering::Equal => mantissa % 2 == 1,
                Ordering::Greater => true,
            },
        };
        let mantissa = mantissa + u64::from(goes_up);
        #[expect(clippy::cast_precision_loss, reason = "at most 2^53, which a float holds exactly")]
        let mantissa = mantissa as f64;
        // Two steps, because 2^unit alone may be out of the range of normal numbers; the mantissa has no more digits than the result can hold, so both are exact.
        let half = i32::try_from(unit / 2).unwrap_or(0);
        let other = i32::try_from(unit - unit / 2).unwrap_or(0);
        mantissa * 2f64.powi(half) * 2f64.powi(other)
    }
}

fn check_float(value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        Ok(())
    } else {
        Err(Error::Parameter { name: "number", problem: "must be finite and at least 0".to_owned() })
    }
}

impl TryFrom<f64> for Rational {
    type Error = Error;

    /// The dyadic number that the float holds, exactly.
    fn try_from(value: f64) -> Result<Self> {
        check_float(value)?;
        let bits = value.abs().to_bits();
        let (field, fraction) = (bits >> 52, bits & ((1 << 52) - 1));
        let mantissa = if field == 0 { fraction } else { fraction | (1 << 52) };
        let exponent = i32::try_from(field.max(1)).unwrap_or(0) - 1075;
        Ok(Self { numerator: UBig::from(mantissa), denominator: UBig::ONE }.times_power_of_two(exponent))
    }
}

impl From<u64> for Rational {
    fn from(value: u64) -> Self {
        Self { numerator: UBig::from(value), denominator: UBig::ONE }
    }
}

impl FromStr for Rational {
    type Err = Error;

    /// A decimal number (`12`, `0.3`, `2.5e-3`) or a fraction of two integers (`p/q`). The text is not repeated in errors.
    fn from_str(text: &str) -> Result<Self> {
        let bad = |problem: &str| Error::Parameter { name: "number", problem: problem.to_owned() };
        let form = || bad("must be a decimal number such as 0.3 or 2.5e-3, or a fraction such as 2/3, and not negative");
        if text.len() > LONGEST_TEXT {
            return Err(bad("has too many digits"));
        }
        let integer = |digits: &str| {
            let good = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            good.then(|| UBig::from_str_radix(digits, 10).ok()).flatten().ok_or_else(form)
        };
        if let Some((numerator, denominator)) = text.split_once('/') {
            let denominator = integer(denominator)?;
            if denominator.is_zero() {
                return Err(bad("must not have the denominator 0"));
            }
            return Ok(Self::reduced(integer(numerator)?, denominator));
        }
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            None => (text, 0),
            Some((digits, exponent)) => {
                let tail = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if tail.is_empty() || !tail.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(form());
                }
                (digits, exponent.parse::<i64>().map_err(|_| bad("has a power of ten that is out of range"))?)
            }
        };
        let digits = digits.strip_prefix('+').unwrap_or(digits);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mantissa = integer(&format!("{whole}{fraction}"))?;
        if exponent.abs() > LARGEST_EXPONENT {
            return Err(bad("has a power of ten that is out of range"));
        }
        let places = exponent - i64::try_from(fraction.len()).unwrap_or(i64::MAX);
        let power = UBig::from(10_u8).pow(usize::try_from(places.unsigned_abs()).unwrap_or(usize::MAX));
        Ok(if places >= 0 { Self { numerator: mantissa * power, denominator: UBig::ONE } } else { Self::reduced(mantissa, power) })
    }
}

impl PartialOrd for Rational {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rational {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.numerator * &other.denominator).cmp(&(&other.numerator * &self.denominator))
    }
}

impl fmt::Display for Rational {
    /// A decimal number if it has a finite one of at most 60 places, else `p/q`. Reading it gives the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.denominator.is_one() {
            return write!(f, "{}", self.numerator);
        }
        let twos = self.denominator.trailing_zeros().unwrap_or(0);
        let (mut rest, mut fives) = (&self.denominator >> twos, 0_usize);
        while !rest.is_one() && fives <= 60 {
            let (quotient, remainder) = (&rest).div_rem(UBig::from(5_u8));
            if !remainder.is_zero() {
                break;
            }
            (rest, fives) = (quotient, fives + 1);
        }
        let places = twos.max(fives);
        if !rest.is_one() || places > 60 {
            return write!(f, "{}/{}", self.numerator, self.denominator);
        }
        let scaled = &self.numerator * UBig::from(10_u8).pow(places) / &self.denominator;
        let digits = format!("{scaled:0>width$}", scaled = scaled.to_string(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        write!(f, "{whole}.{fraction}")
    }
}

impl fmt::Debug for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rational({self})")
    }
}

impl Serialize for Rational {
    /// As text: the same that `Display` shows.
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rational {
    /// From a text (`"0.1"`, `"2/3"`), an integer, or a number with a point, which is taken as the decimal that was written (up to 17 digits).
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Rational;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number that is not negative, or a text such as \"0.1\" or \"2/3\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<Rational, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> std::result::Result<Rational, E> {
                Ok(Rational::from(value))
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> std::result::Result<Rational, E> {
                u64::try_from(value).map(Rational::from).map_err(|_| E::custom("must not be negative"))
            }
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> std::result::Result<Rational, E> {
                Rational::from_shortest_decimal(value).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Rational {
        text.parse().unwrap()
    }

    #[test]
    fn texts_are_read_exactly() {
        assert_eq!(read("0.30"), Rational::from_ratio(3, 10).unwrap());
        assert_eq!(read("1e6"), Rational::from(1_000_000));
        assert_eq!(read("1.5E+2"), Rational::from(150));
        assert_eq!(read(".5"), read("1/2"));
        assert_eq!(read("5."), Rational::from(5));
        assert_eq!(read("0"), read("0/7"));
        for bad in [
            "",
            "-1",
            "1/0",
            "nan",
            "inf",
            "1e",
            "e5",
            "1e99999999999999999999",
            "1e5000",
            "0x10",
            "1 ",
            "1/-2",
            "1..2",
            "1_000",
            "+-1",
            "1e+-2",
            "/",
        ] {
            assert!(bad.parse::<Rational>().is_err(), "{bad}");
        }
        assert!("9".repeat(5_000).parse::<Rational>().is_err());
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(Rational::try_from(bad).is_err() && Rational::from_shortest_decimal(bad).is_err());
        }
        assert_eq!(Rational::from_shortest_decimal(0.1).unwrap(), read("0.1"));
        assert_eq!(Rational::from_shortest_decimal(1e300).unwrap(), read("1e300"));
    }

    #[test]
    fn logarithms_and_orders() {
        for (text, log) in [("1", 0), ("0.999", -1), ("2", 1), ("3/2", 0), ("1/4", -2), ("7/8", -1), ("1023.9", 9), ("1e-300", -997)] {
            assert_eq!(read(text).floor_log2(), Some(log), "{text}");
        }
        assert_eq!(Rational::from(0).floor_log2(), None);
        assert!(read("1/3") < read("0.34") && read("1/3") > read("0.33"));
        assert!(Rational::from(0).reciprocal().is_err());
        assert_eq!(read("2/3").reciprocal().unwrap(), read("3/2"));
        assert_eq!(read("7/2").floor(), Some(3));
        assert_eq!(read("1e30").floor(), None);
    }

    #[test]
    fn serde_keeps_the_number() {
        for text in ["0.1", "2/3", "12", "0.0000001"] {
            let number = read(text);
            let json = serde_json::to_string(&number).unwrap();
            assert_eq!(serde_json::from_str::<Rational>(&json).unwrap(), number);
        }
        assert_eq!(serde_json::from_str::<Rational>("0.1").unwrap(), read("0.1"));
        assert_eq!(serde_json::from_str::<Rational>("7").unwrap(), read("7"));
        assert!(serde_json::from_str::<Rational>("-7").is_err());
        assert!(serde_json::from_str::<Rational>("\"x\"").is_err());
    }

    proptest! {
        #[test]
        fn floats_go_there_and_back(bits in 0..0x7ff0_0000_0000_0000_u64) {
            let value = f64::from_bits(bits);
            let number = Rational::try_from(value).unwrap();
            prop_assert_eq!(number.to_f64_down().to_bits(), bits);
            prop_assert_eq!(number.to_f64_up().to_bits(), bits);
        }

        #[test]
        fn directed_rounding_encloses(numerator in 1..u64::MAX, denominator in prop_oneof![Just(1_000_000), 1..u64::MAX]) {
            let number = Rational::from_ratio(numerator, denominator).unwrap();
            let (down, up) = (number.to_f64_down(), number.to_f64_up());
            prop_assert!(Rational::try_from(down).unwrap() <= number && number <= Rational::try_from(up).unwrap());
            prop_assert!(up.to_bits() - down.to_bits() <= 1);
            let nearest = number.to_f64();
            prop_assert!(nearest.to_bits() == up.to_bits() || nearest.to_bits() == down.to_bits());
            // The standard library rounds correctly.
            if denominator == 1_000_000 {
                prop_assert_eq!(nearest.to_bits(), number.to_string().parse::<f64>().unwrap().to_bits());
            }
        }

        #[test]
        fn what_is_shown_is_read(numerator in 0..u64::MAX, denominator in 1..u64::MAX) {
            let number = Rational::from_ratio(numerator, denominator).unwrap();
            prop_assert_eq!(number.to_string().parse::<Rational>().unwrap(), number);
        }
    }
}
