//! Comparisons of fractions of people with a threshold, without rounding: a class that meets the threshold exactly must pass, and one that misses it by one
//! person must not.

/// A threshold as the decimal that it is written as: `digits / unit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: u128,
    unit: u128,
}

impl Decimal {
    /// The shortest decimal that reads back as `value`. What is not a positive number becomes 0, decimals beyond the 19th are cut off, and very large numbers
    /// become the largest one: a threshold is never raised.
    pub(super) fn new(value: f64) -> Self {
        const LARGEST: u128 = 1 << 64;
        if value.is_nan() || value <= 0.0 {
            return Self { digits: 0, unit: 1 };
        }
        let text = value.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let fraction: String = fraction.chars().take(19).collect();
        let unit = fraction.chars().fold(1_u128, |unit, _| unit * 10);
        let whole = whole.parse::<u128>().unwrap_or(LARGEST).min(LARGEST);
        // At most 2^64 · 10^19 + 10^19, below 2^128.
        Self { digits: whole * unit + fraction.parse::<u128>().unwrap_or(0), unit }
    }

    /// One more.
    pub(super) fn plus_one(self) -> Self {
        Self { digits: self.digits.saturating_add(self.unit), unit: self.unit }
    }

    /// Whether `part` ≤ threshold · `whole`.
    pub(super) fn allows(self, part: u128, whole: u128) -> bool {
        product(part, self.unit) <= product(self.digits, whole)
    }

    /// Whether `part` < threshold · `whole`.
    pub(super) fn exceeds(self, part: u128, whole: u128) -> bool {
        product(part, self.unit) < product(self.digits, whole)
    }

    /// Whether `part` ≥ threshold · `whole`.
    pub(super) fn is_reached_by(self, part: u128, whole: u128) -> bool {
        product(part, self.unit) >= product(self.digits, whole)
    }

    /// `times` as much, as long as it fits.
    pub(super) fn times(self, times: u64) -> Option<Self> {
        Some(Self { digits: self.digits.checked_mul(u128::from(times))?, unit: self.unit })
    }
}

/// The product as (upper, lower) half of 256 bits.
fn product(one: u128, other: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a, b, c, d) = (one >> 64, one & LOW, other >> 64, other & LOW);
    let low = b * d;
    // Two halves below 2^64 each and a carry below 2^64: no overflow.
    let middle = a * d + (low >> 64);
    let (carried, middle) = (middle >> 64, b * c + (middle & LOW));
    (a * c + carried + (middle >> 64), (middle << 64) | (low & LOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_decimals() {
        let fifth = Decimal::new(0.2);
        assert!(fifth.allows(1, 5) && !fifth.exceeds(1, 5) && fifth.is_reached_by(1, 5));
        assert!(!fifth.allows(200_000_000_000_000_001, 1_000_000_000_000_000_000));
        assert!(Decimal::new(0.1).plus_one().allows(11, 10) && !Decimal::new(0.1).plus_one().allows(111, 100));
        assert!(Decimal::new(0.29).allows(29, 100), "0.29 · 100 is 28.999999999999996 in binary");
        assert!(Decimal::new(3.0).times(2).unwrap().allows(6, 1));
    }

    #[test]
    fn odd_thresholds_are_never_raised() {
        for zero in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY, 1e-300, f64::MIN_POSITIVE] {
            assert!(!Decimal::new(zero).allows(1, u128::from(u64::MAX)), "{zero}");
            assert!(Decimal::new(zero).allows(0, 1));
        }
        for large in [f64::MAX, f64::INFINITY, 1e300, 18_446_744_073_709_551_616.0] {
            assert!(Decimal::new(large).allows(1 << 64, 1) && !Decimal::new(large).allows((1 << 64) + 1, 1), "{large}");
        }
    }

    #[test]
    fn products_have_all_bits() {
        assert_eq!(product(u128::MAX, u128::MAX), (u128::MAX - 1, 1));
        assert_eq!(product(u128::MAX, 2), (1, u128::MAX - 1));
        assert_eq!(product(1 << 64, 1 << 64), (1, 0));
        for (one, other) in [(0, 5), (u128::from(u64::MAX), u128::from(u64::MAX)), (123_456_789, 987_654_321)] {
            assert_eq!(product(one, other), (0, one * other));
        }
    }
}
