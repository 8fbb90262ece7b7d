//! Sums that do not depend on the order of their terms.

/// Binary digits after the point.
const FRACTION: i32 = 60;

/// A sum of floats in fixed point: every term is rounded once, to a multiple of 2⁻⁶⁰, and integers are added. So the order of classes, which means
/// nothing, does not show in the result. Sums stay exact up to 2⁶⁷.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FixedSum(i128);

impl FixedSum {
    #[expect(clippy::cast_possible_truncation, reason = "saturates: sums over more than 2^60 rows do not occur")]
    pub(super) fn add(&mut self, term: f64) {
        self.0 = self.0.saturating_add((term * 2_f64.powi(FRACTION)).round() as i128);
    }

    /// `self` − `other`.
    pub(super) fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    #[expect(clippy::cast_precision_loss, reason = "rounded once")]
    pub(super) fn value(self) -> f64 {
        self.0 as f64 * 2_f64.powi(-FRACTION)
    }
}

/// n log₂ n, and 0 for n = 0.
#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are rounded once")]
pub(super) fn weighted_logarithm(count: u64) -> f64 {
    if count == 0 { 0.0 } else { count as f64 * (count as f64).log2() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_terms_does_not_show() {
        let terms: Vec<f64> = (1..2000_u64).map(|n| weighted_logarithm(n * n) / 7.0).collect();
        let sum = |terms: &mut dyn Iterator<Item = f64>| {
            let mut sum = FixedSum::default();
            terms.for_each(|term| sum.add(term));
            sum
        };
        let (forward, back) = (sum(&mut terms.iter().copied()), sum(&mut terms.iter().rev().copied()));
        assert_eq!(forward, back);
        let plain = |terms: &mut dyn Iterator<Item = f64>| terms.sum::<f64>();
        assert!(
            plain(&mut terms.iter().copied()).to_bits() != plain(&mut terms.iter().rev().copied()).to_bits(),
            "floats are not so lucky"
        );
        let expected = terms.iter().sum::<f64>();
        assert!((forward.value() - expected).abs() < 1e-12 * expected);
        assert!(forward.less(back).value().abs() <= 0.0);
    }
}
