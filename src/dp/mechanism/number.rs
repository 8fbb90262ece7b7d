//! Exact numbers on their way into a mechanism, and numbers rounded in the safe direction on their way out.

use crate::dp::rational::Rational;
use crate::error::{Error, Result};
use crate::units::Epsilon;
use dashu_int::UBig;
use dashu_int::ops::{BitTest, SquareRoot};

/// More bits than the number has behind the point after [`square_root_up`].
const ROOT_BITS: usize = 64;

/// The exact number that an ε is written as: 0.1 is one tenth.
pub(super) fn exact(epsilon: Epsilon) -> Result<Rational> {
    Rational::from_shortest_decimal(epsilon.get())
}

/// A parameter that must be more than 0.
pub(super) fn positive(name: &'static str, value: &Rational) -> Result<()> {
    if value.is_zero() { Err(Error::Parameter { name, problem: "must be more than 0".to_owned() }) } else { Ok(()) }
}

/// A whole number that must be at least 1.
pub(super) fn at_least_one(name: &'static str, value: u64) -> Result<()> {
    if value == 0 { Err(Error::Parameter { name, problem: "must be at least 1".to_owned() }) } else { Ok(()) }
}

pub(super) fn plus(a: &Rational, b: &Rational) -> Rational {
    Rational::reduced(a.numerator() * b.denominator() + b.numerator() * a.denominator(), a.denominator() * b.denominator())
}

/// a / b for b > 0.
pub(super) fn over(a: &Rational, b: &Rational) -> Result<Rational> {
    Ok(a.times(&b.reciprocal()?))
}

/// The square root, rounded up in a relative 2⁻⁶⁰; exact where it is rational.
pub(super) fn square_root_up(value: &Rational) -> Rational {
    // √(n/d) = √(n d) / d, with 2·shift more bits under the root.
    let radicand = value.numerator() * value.denominator();
    let root = radicand.sqrt();
    if &root * &root == radicand {
        return Rational::reduced(root, value.denominator().clone());
    }
    let shift = ROOT_BITS.saturating_sub(radicand.bit_len() / 2);
    let root = (radicand << (2 * shift)).sqrt() + 1_u8;
    Rational::reduced(root, value.denominator() << shift)
}

/// The `f64` whose shortest decimal is the number, if there is one; else the next one above. An event that holds it never says less than the mechanism spends.
pub(super) fn told_up(value: &Rational) -> f64 {
    told(value).unwrap_or_else(|| value.to_f64_up().next_up())
}

/// The `f64` whose shortest decimal is the number, if there is one; else one below.
pub(super) fn told_down(value: &Rational) -> f64 {
    told(value).unwrap_or_else(|| value.to_f64_down().next_down().max(0.0))
}

fn told(value: &Rational) -> Option<f64> {
    [value.to_f64_down(), value.to_f64_up()]
        .into_iter()
        .find(|float| Rational::from_shortest_decimal(*float).is_ok_and(|told| told == *value))
}

/// The number as a ratio of two integers, for products that need no reduction.
pub(super) fn whole(value: u64) -> Rational {
    Rational::from(value)
}

/// value · factor.
pub(super) fn scaled(value: &Rational, factor: u64) -> Rational {
    value.times(&Rational::reduced(UBig::from(factor), UBig::ONE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Rational {
        text.parse().unwrap()
    }

    #[test]
    fn roots_are_exact_or_above() {
        for (square, root) in [("0", "0"), ("4", "2"), ("9/4", "1.5"), ("1e-12", "1e-6"), ("1e12", "1e6")] {
            assert_eq!(square_root_up(&number(square)), number(root), "{square}");
        }
        for square in ["2", "0.1", "1e-31", "123456789123456789", "2/3"] {
            let (square, root) = (number(square), square_root_up(&number(square)));
            let above = root.times(&root);
            assert!(above > square && above <= square.times(&number("1.0000000000000001")), "{square}");
        }
    }

    #[test]
    fn what_is_told_is_the_number_or_on_the_safe_side() {
        for text in ["0.1", "0.3", "3", "1e-6", "123.456"] {
            let bits = text.parse::<f64>().unwrap().to_bits();
            assert!(told_up(&number(text)).to_bits() == bits && told_down(&number(text)).to_bits() == bits);
        }
        for text in ["1/3", "2/7", "0.3000000000000000000001"] {
            let value = number(text);
            assert!(Rational::from_shortest_decimal(told_up(&value)).unwrap() > value);
            assert!(Rational::from_shortest_decimal(told_down(&value)).unwrap() < value);
            assert!(told_up(&value) - told_down(&value) < 1e-15);
        }
        assert_eq!(plus(&number("1/3"), &number("1/6")), number("1/2"));
        assert_eq!(over(&number("1"), &number("3")).unwrap(), number("1/3"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn told_numbers_enclose(numerator in 1_u64.., denominator in 1_u64..) {
            let value = Rational::from_ratio(numerator, denominator).unwrap();
            prop_assert!(Rational::from_shortest_decimal(told_up(&value)).unwrap() >= value);
            prop_assert!(Rational::from_shortest_decimal(told_down(&value)).unwrap() <= value);
        }
    }
}
