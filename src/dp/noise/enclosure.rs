//! Certified fixed-point bounds of exp(−q) for rational q, in integer arithmetic of any precision.

use dashu_int::UBig;
use dashu_int::ops::BitTest;

/// Two integers with lower ≤ x · 2^precision ≤ upper for the number x that is meant; the precision is known to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dp) struct Enclosure {
    pub(in crate::dp) lower: UBig,
    pub(in crate::dp) upper: UBig,
}

impl Enclosure {
    /// The number 1.
    pub(super) fn one(precision: usize) -> Self {
        let one = UBig::ONE << precision;
        Self { lower: one.clone(), upper: one }
    }

    /// Bounds of a product of two numbers that are not negative.
    pub(super) fn times(&self, other: &Self, precision: usize) -> Self {
        Self { lower: (&self.lower * &other.lower) >> precision, upper: shift_up(&self.upper * &other.upper, precision) }
    }

    /// Bounds of 1 − x for x in [0, 1].
    pub(super) fn complement(&self, precision: usize) -> Self {
        let one = UBig::ONE << precision;
        Self { lower: minus(&one, &self.upper), upper: minus(&one, &self.lower) }
    }

    /// The same bounds with fewer digits.
    pub(super) fn coarser(&self, from: usize, to: usize) -> Self {
        Self { lower: &self.lower >> (from - to), upper: shift_up(self.upper.clone(), from - to) }
    }
}

/// ⌈number / 2^shift⌉.
pub(super) fn shift_up(number: UBig, shift: usize) -> UBig {
    let lost = number.trailing_zeros().is_some_and(|zeros| zeros < shift);
    let kept = number >> shift;
    if lost { kept + 1_u8 } else { kept }
}

/// ⌈numerator / denominator⌉.
pub(super) fn divide_up(numerator: &UBig, denominator: &UBig) -> UBig {
    (numerator + denominator - 1_u8) / denominator
}

/// a − b, but not below 0.
fn minus(a: &UBig, b: &UBig) -> UBig {
    if a > b { a - b } else { UBig::ZERO }
}

/// Bounds of exp(−numerator / denominator), in units of 2^−`precision`.
///
/// The argument is halved until it is at most 1/16; the alternating Taylor series, whose partial sums lie on the two sides of the limit, is summed with every term rounded
/// down for one bound and up for the other; the result is squared back, again with both roundings. Nothing is estimated: whatever is lost makes the interval wider.
pub(in crate::dp) fn exp_neg(numerator: &UBig, denominator: &UBig, precision: usize) -> Enclosure {
    if numerator.is_zero() {
        return Enclosure::one(precision);
    }
    // exp(−q) < 2^−(precision + 1) if q > (precision + 1) ln 2, and ln 2 < 0.6932.
    if numerator * 10_000_u32 > denominator * (6_932_u32 * (UBig::from(precision) + 1_u8)) {
        return Enclosure { lower: UBig::ZERO, upper: UBig::ONE };
    }
    // numerator / denominator < 2^(difference of the lengths + 1)
    let halvings = (numerator.bit_len() + 5).saturating_sub(denominator.bit_len());
    // Each squaring doubles the error of what is squared; the series has fewer terms than digits.
    let working = precision + 2 * halvings + 24;
    let scaled = numerator << working;
    let divisor = denominator << halvings;
    let argument_lower = &scaled / &divisor;
    let argument_upper = &argument_lower + 1_u8;
    let mut term = Enclosure::one(working);
    let (mut even, mut odd) = (term.clone(), Enclosure { lower: UBig::ZERO, upper: UBig::ZERO });
    let mut index = 0_u32;
    let mut before_last_odd;
    loop {
        index += 1;
        term = Enclosure {
            lower: ((&term.lower * &argument_lower) >> working) / index,
            upper: divide_up(&shift_up(&term.upper * &argument_upper, working), &UBig::from(index)),
        };
        if index.is_multiple_of(2) {
            even.lower += &term.lower;
            even.upper += &term.upper;
            continue;
        }
        before_last_odd = odd.lower.clone();
        odd.lower += &term.lower;
        odd.upper += &term.upper;
        if term.upper <= UBig::ONE {
            break;
        }
    }
    // The sum up to an odd term is below the limit, the sum up to the even term before it is above.
    let mut result = Enclosure { lower: minus(&even.lower, &odd.upper), upper: minus(&even.upper, &before_last_odd) };
    for _ in 0..halvings {
        result = result.times(&result, working);
    }
    let one = UBig::ONE << precision;
    let result = result.coarser(working, precision);
    Enclosure { upper: result.upper.min(one), ..result }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An independent bound of exp(−n/d): (1 − x)^N < exp(−xN) < (1 + x)^−N with x = q/N, for N = 2^60, by repeated squaring of 400-digit numbers.
    /// Its relative error is about q² 2^−60.
    pub(in super::super) fn exp_neg_by_powers(numerator: &UBig, denominator: &UBig, precision: usize) -> (UBig, UBig) {
        let working = precision + 200;
        let one = UBig::ONE << working;
        let x = ((numerator << working) / denominator) >> 60;
        let (mut lower, mut upper) = (&one - &x - 1_u8, (&one << working) / (&one + &x) + 1_u8);
        for _ in 0..60 {
            lower = (&lower * &lower) >> working;
            upper = ((&upper * &upper) >> working) + 1_u8;
        }
        (lower >> 200, (upper >> 200) + 1_u8)
    }

    #[test]
    fn known_digits() {
        // exp(−1) = 0.36787944117144232159552377016146086744581113103176783450783680169746149574489980335714727434591964374662732527…
        let digits: UBig =
            "36787944117144232159552377016146086744581113103176783450783680169746149574489980335714727434591964374".parse().unwrap();
        let scale = UBig::from(10_u8).pow(101);
        let bounds = exp_neg(&UBig::ONE, &UBig::ONE, 300);
        assert!(&bounds.lower * &scale <= (&digits + 1_u8) << 300);
        assert!(&bounds.upper * &scale >= &digits << 300);
        assert!(&bounds.upper - &bounds.lower <= UBig::from(3_u8));
        assert_eq!(exp_neg(&UBig::ZERO, &UBig::ONE, 64), Enclosure::one(64));
        let tiny = exp_neg(&UBig::from(1_000_000_u32), &UBig::ONE, 64);
        assert_eq!((tiny.lower, tiny.upper), (UBig::ZERO, UBig::ONE));
    }

    proptest! {
        #[test]
        fn bounds_hold_and_are_narrow(numerator in 0..1_u64 << 40, denominator in 1..1_u64 << 40, precision in 40..400_usize) {
            let (n, d) = (UBig::from(numerator), UBig::from(denominator));
            let bounds = exp_neg(&n, &d, precision);
            prop_assert!(bounds.lower <= bounds.upper);
            prop_assert!(&bounds.upper - &bounds.lower <= UBig::from(3_u8));
            let finer = exp_neg(&n, &d, precision + 300).coarser(precision + 300, precision);
            prop_assert!(bounds.lower <= finer.lower && finer.upper <= bounds.upper);
            if numerator < denominator * 100 {
                let (lower, upper) = exp_neg_by_powers(&n, &d, precision);
                prop_assert!(bounds.lower <= upper && lower <= bounds.upper);
            }
        }

        #[test]
        fn it_is_a_homomorphism(a in 0..1_u64 << 20, b in 0..1_u64 << 20) {
            let d = UBig::from(1_u64 << 17);
            let product = exp_neg(&a.into(), &d, 200).times(&exp_neg(&b.into(), &d, 200), 200);
            let sum = exp_neg(&(a + b).into(), &d, 200);
            prop_assert!(product.lower <= sum.upper && sum.lower <= product.upper);
        }
    }
}
