//! Division without the division instruction: a multiplication by the reciprocal and a correction (Barrett).

use std::hint::select_unpredictable;

/// Divides words by one divisor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reciprocal {
    divisor: u64,
    /// ⌊(2^64 − 1) / divisor⌋, at least 2^64 / divisor − 1.
    inverse: u64,
}

impl Reciprocal {
    /// The divisor must not be 0.
    pub(super) fn new(divisor: u64) -> Self {
        Self { divisor, inverse: u64::MAX / divisor }
    }

    pub(super) fn divisor(self) -> u64 {
        self.divisor
    }

    /// Quotient and remainder.
    #[inline]
    pub(super) fn divide(self, dividend: u64) -> (u64, u64) {
        // The estimate is less than the true quotient by at most dividend / 2^64 < 1, so the whole quotient by at most 1.
        let (_, estimate) = dividend.carrying_mul(self.inverse, 0);
        let rest = dividend.wrapping_sub(estimate.wrapping_mul(self.divisor));
        let (corrected, too_far) = rest.overflowing_sub(self.divisor);
        (estimate + u64::from(!too_far), select_unpredictable(too_far, rest, corrected))
    }

    #[inline]
    pub(super) fn remainder(self, dividend: u64) -> u64 {
        self.divide(dividend).1
    }
}

/// Remainders of numbers of 96 bits by one divisor above 2^32.
#[derive(Clone, Copy, Debug)]
pub(super) struct WideReciprocal {
    divisor: u64,
    /// ⌊2^96 / divisor⌋.
    inverse: u64,
}

impl WideReciprocal {
    /// The divisor must be greater than 2^32.
    pub(super) fn new(divisor: u64) -> Self {
        // Fits, as the divisor is greater than 2^32.
        let inverse = u64::try_from((1_u128 << 96) / u128::from(divisor)).unwrap_or(u64::MAX);
        Self { divisor, inverse }
    }

    pub(super) fn divisor(self) -> u64 {
        self.divisor
    }

    /// The remainder of `upper` · 2^32 + `lower`.
    #[inline]
    pub(super) fn remainder(self, upper: u64, lower: u32) -> u64 {
        // Leaving out the lower bits costs less than 1 of the quotient, as the divisor is greater than 2^32; cutting the inverse costs less than 1.
        let (_, estimate) = upper.carrying_mul(self.inverse, 0);
        let dividend = (u128::from(upper) << 32) | u128::from(lower);
        let divisor = u128::from(self.divisor);
        let mut rest = dividend - u128::from(estimate) * divisor;
        for _ in 0..2 {
            let (corrected, too_far) = rest.overflowing_sub(divisor);
            rest = select_unpredictable(too_far, rest, corrected);
        }
        // Less than the divisor.
        u64::try_from(rest).unwrap_or(0)
    }
}
