//! Real-valued answers as multiples of a power of two.

use crate::dp::rational::Rational;
use crate::error::{Error, Result};

/// The multiples of 2^k. A real-valued answer is released as an integer number of such units, with integer noise: the positions of a float then say nothing about the data.
///
/// k must be declared before the data is looked at, and is part of what is released.
///
/// # References
/// Mironov: *On Significance of the Least Significant Bits for Differential Privacy* (CCS 2012). Casacuberta, Shoemate, Vadhan, Wagaman: *Widespread Underestimation of Sensitivity
/// in Differentially Private Libraries and How to Fix It* (CCS 2022).
///
/// ```
/// use backmask::dp::noise::Grid;
///
/// let grid = Grid::new(-10)?;
/// assert_eq!(grid.round(0.1)?, 102);
/// assert_eq!(grid.value(102), 0.099_609_375);
/// // Answers that differ by at most 1/2 differ by at most 512 units, and rounding adds one.
/// assert_eq!(grid.sensitivity(&"0.5".parse()?), Some(513));
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    exponent: i32,
}

impl Grid {
    /// The multiples of 2^`exponent`.
    ///
    /// # Errors
    /// Outside −1022 … 960: there a float could not hold the units.
    pub fn new(exponent: i32) -> Result<Self> {
        if (-1022..=960).contains(&exponent) {
            Ok(Self { exponent })
        } else {
            Err(Error::Parameter { name: "grid", problem: "the power of two must lie in -1022 to 960".to_owned() })
        }
    }

    /// k of the unit 2^k.
    #[must_use]
    pub fn exponent(self) -> i32 {
        self.exponent
    }

    /// The nearest multiple, in units; ties go to the even one. Values beyond the range of `i64` become its ends, so that no error depends on the data.
    ///
    /// # Errors
    /// Not a number. Remove or replace such values by a rule that treats every person alike.
    pub fn round(self, value: f64) -> Result<i64> {
        if value.is_nan() {
            return Err(Error::Parameter { name: "value", problem: "must be a number".to_owned() });
        }
        // Exact: a power of two scales a float without loss unless it under- or overflows, and both round to the right end.
        let half = self.exponent / 2;
        let scaled = value * 2f64.powi(-half) * 2f64.powi(half - self.exponent);
        #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates, as is promised")]
        Ok(scaled.round_ties_even() as i64)
    }

    /// The multiple as a float: exact up to 2^53 units, else the nearest float.
    #[must_use]
    pub fn value(self, units: i64) -> f64 {
        super::moments::real(units) * 2f64.powi(self.exponent)
    }

    /// How far two rounded answers can lie apart, in units, if the answers lie at most `sensitivity` apart: ⌊sensitivity / 2^k⌋ + 1. `None` if that is too large for an `i64`.
    ///
    /// For a vector rounded in each of d coordinates, L1 sensitivity grows by at most d units and L2 sensitivity by at most √d; or round each person's contribution *before*
    /// summing integers, where only the clamped contribution counts ([`Grid::contribution`]).
    #[must_use]
    pub fn sensitivity(self, sensitivity: &Rational) -> Option<u64> {
        sensitivity.times_power_of_two(-self.exponent).floor()?.checked_add(1).filter(|&units| i64::try_from(units).is_ok())
    }

    /// The largest size in units that a contribution of at most `bound` has after rounding: ⌊bound / 2^k + ½⌋. Sums of rounded contributions are exact, so nothing else is added.
    #[must_use]
    pub fn contribution(self, bound: &Rational) -> Option<u64> {
        // ⌊x + ½⌋ = ⌊(⌊2x⌋ + 1) / 2⌋
        bound
            .times_power_of_two(1 - self.exponent)
            .floor()?
            .checked_add(1)
            .map(|twice| twice / 2)
            .filter(|&units| i64::try_from(units).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn extremes() {
        assert!(Grid::new(-1023).is_err() && Grid::new(961).is_err());
        let grid = Grid::new(0).unwrap();
        assert_eq!((grid.round(0.5).unwrap(), grid.round(1.5).unwrap(), grid.round(-2.5).unwrap()), (0, 2, -2));
        assert_eq!(grid.round(f64::INFINITY).unwrap(), i64::MAX);
        assert_eq!(grid.round(-1e300).unwrap(), i64::MIN);
        assert!(grid.round(f64::NAN).is_err());
        for exponent in [-1022, -1000, 0, 900, 960] {
            let grid = Grid::new(exponent).unwrap();
            assert_eq!(grid.round(grid.value(12_345)).unwrap(), 12_345, "{exponent}");
        }
        assert_eq!(grid.sensitivity(&"1e30".parse().unwrap()), None);
        assert_eq!(Grid::new(2).unwrap().contribution(&"6".parse().unwrap()), Some(2));
        assert_eq!(Grid::new(2).unwrap().contribution(&"5.9".parse().unwrap()), Some(1));
    }

    proptest! {
        #[test]
        fn rounding_adds_at_most_what_is_said(a in -1e6..1e6, difference in -50.0..50.0, exponent in -12..4) {
            let grid = Grid::new(exponent).unwrap();
            let b: f64 = a + difference;
            let apart = grid.round(a).unwrap().abs_diff(grid.round(b).unwrap());
            prop_assert!(apart <= grid.sensitivity(&Rational::try_from((b - a).abs()).unwrap()).unwrap());
            prop_assert!(grid.round(difference).unwrap().unsigned_abs() <= grid.contribution(&Rational::try_from(difference.abs()).unwrap()).unwrap());
        }
    }
}
