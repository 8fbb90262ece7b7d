//! Sums of declared numbers, exact: ten times 0.1 is 1, and 0.1 and 0.2 are 0.3.

use dashu_int::UBig;

/// Places behind the point: every finite `f64` written as the shortest decimal that means it has at most 324 + 17.
const PLACES: usize = 344;

/// A number that is not negative, as the decimal that its shortest text is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Decimal(UBig);

impl Decimal {
    /// The decimal that a number is written as; none if it is negative, infinite or no number.
    pub(super) fn of(number: f64) -> Option<Self> {
        if !(number.is_finite() && number >= 0.0) {
            return None;
        }
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: UBig = format!("{whole}{part}").parse().ok()?;
        let places = i64::try_from(PLACES).ok()? + exponent.parse::<i64>().ok()? - i64::try_from(part.len()).ok()?;
        Some(Self(digits * UBig::from(10_u8).pow(usize::try_from(places).ok()?)))
    }

    /// The nearest `f64`.
    pub(super) fn to_f64(&self) -> f64 {
        // Parsing a decimal is correctly rounded.
        format!("{}e-{PLACES}", self.0).parse().unwrap_or(f64::INFINITY)
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        Self(&self.0 + &other.0)
    }

    /// The difference, 0 if it is negative.
    pub(super) fn minus(&self, other: &Self) -> Self {
        if self.0 > other.0 { Self(&self.0 - &other.0) } else { Self::default() }
    }

    pub(super) fn times(&self, count: u64) -> Self {
        Self(&self.0 * UBig::from(count))
    }

    /// Half of it. The last places of every number are zeros, so it is exact.
    pub(super) fn half(&self) -> Self {
        Self(&self.0 / UBig::from(2_u8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sums_are_those_of_the_decimals() {
        let sum = |numbers: &[f64]| numbers.iter().fold(Decimal::default(), |sum, number| sum.plus(&Decimal::of(*number).unwrap()));
        assert_eq!(sum(&[0.1, 0.2]), Decimal::of(0.3).unwrap());
        assert_eq!(sum(&[0.1; 10]), Decimal::of(1.0).unwrap());
        assert_eq!(sum(&[1e-300, 1.0]).minus(&Decimal::of(1.0).unwrap()), Decimal::of(1e-300).unwrap());
        assert!(sum(&[0.3, f64::from_bits(1)]) > Decimal::of(0.3).unwrap(), "nothing is too small to count");
        for x in [1e-6, 0.3, f64::MAX, f64::from_bits(1)] {
            assert_eq!(Decimal::of(x).unwrap().half().plus(&Decimal::of(x).unwrap().half()), Decimal::of(x).unwrap());
        }
        assert_eq!(sum(&[]), Decimal::of(0.0).unwrap());
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Decimal::of(bad), None);
        }
        assert_eq!(Decimal::of(1.0).unwrap().minus(&Decimal::of(2.0).unwrap()), Decimal::default());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn numbers_come_back(bits: u64, other: u64) {
            let (x, y) = (f64::from_bits(bits).abs(), f64::from_bits(other).abs());
            prop_assume!(x.is_finite() && y.is_finite());
            prop_assert_eq!(Decimal::of(x).unwrap().to_f64().to_bits(), x.to_bits());
            prop_assert_eq!(Decimal::of(x) < Decimal::of(y), x < y);
        }
    }
}
