//! Gauss–Legendre quadrature on short intervals, for positive smooth functions: no cancellation, so small integrals keep their relative accuracy.

/// Nodes and weights on [−1, 1], of the positive half; the rule is symmetric.
type Rule = &'static [(f64, f64)];

/// Three nodes.
pub(super) const THREE: Rule = &[(0.0, 0.888_888_888_888_889), (0.774_596_669_241_483_4, 0.555_555_555_555_555_6)];

/// Five nodes.
pub(super) const FIVE: Rule = &[
    (0.0, 0.568_888_888_888_888_9),
    (0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
    (0.906_179_845_938_664, 0.236_926_885_056_189_08),
];

/// Ten nodes.
pub(super) const TEN: Rule = &[
    (0.148_874_338_981_631_22, 0.295_524_224_714_752_9),
    (0.433_395_394_129_247_2, 0.269_266_719_309_996_35),
    (0.679_409_568_299_024_4, 0.219_086_362_515_982_04),
    (0.865_063_366_688_984_5, 0.149_451_349_150_580_6),
    (0.973_906_528_517_171_7, 0.066_671_344_308_688_14),
];

/// Calls `visit` with every node in [low, high] and its weight.
pub(super) fn nodes(rule: Rule, low: f64, high: f64, mut visit: impl FnMut(f64, f64)) {
    let (middle, half) = (f64::midpoint(low, high), 0.5 * (high - low));
    for &(node, weight) in rule {
        if node == 0.0 {
            visit(middle, half * weight);
        } else {
            visit(middle - half * node, half * weight);
            visit(middle + half * node, half * weight);
        }
    }
}

/// The integral of `function` over [low, high].
pub(super) fn integral(rule: Rule, low: f64, high: f64, function: impl Fn(f64) -> f64) -> f64 {
    let mut sum = 0.0;
    nodes(rule, low, high, |x, weight| sum += weight * function(x));
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_exact_for_polynomials_of_their_degree() {
        for (rule, degree) in [(THREE, 5), (FIVE, 9), (TEN, 19)] {
            for power in 0..=degree {
                let found = integral(rule, 1.0, 2.0, |x| x.powi(power));
                let exact = (2.0_f64.powi(power + 1) - 1.0) / f64::from(power + 1);
                assert!((found / exact - 1.0).abs() < 4e-15, "{degree} {power}: {}", found / exact - 1.0);
            }
            let next = integral(rule, -1.0, 1.0, |x| x.powi(degree + 1));
            assert!((next * f64::from(degree + 2) / 2.0 - 1.0).abs() > 1e-6, "the rule is better than it can be");
        }
    }
}
