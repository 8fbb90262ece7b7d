//! Roots of functions of one variable.

/// A root of `function` between `low` and `high`, at which it has different signs: false position (Illinois), with a bisection whenever the interval did not
/// halve. `None` if the signs are equal, or a value is not a number.
///
/// # References
/// Dowell, Jarratt, *A modified regula falsi method for computing the root of an equation*, BIT 11 (1971).
pub(super) fn root(function: impl Fn(f64) -> f64, low: f64, high: f64) -> Option<f64> {
    const STEPS: usize = 400;
    let (mut low, mut high) = (low, high);
    let (mut at_low, mut at_high) = (function(low), function(high));
    if at_low == 0.0 {
        return Some(low);
    }
    if at_high == 0.0 {
        return Some(high);
    }
    if at_low.is_nan() || at_high.is_nan() || (at_low > 0.0) == (at_high > 0.0) {
        return None;
    }
    let (mut weight_low, mut weight_high) = (at_low, at_high);
    let mut bisect = at_low.is_infinite() || at_high.is_infinite();
    for _ in 0..STEPS {
        let width = high - low;
        let secant = low - weight_low * width / (weight_high - weight_low);
        let middle = f64::midpoint(low, high);
        let next = if bisect || !(secant > low && secant < high) { middle } else { secant };
        if next <= low || next >= high || width <= 4.0 * f64::EPSILON * low.abs().max(high.abs()) {
            return Some(next);
        }
        let value = function(next);
        if value.is_nan() {
            return None;
        }
        if value == 0.0 {
            return Some(next);
        }
        if (value > 0.0) == (at_low > 0.0) {
            (low, at_low, weight_low) = (next, value, value);
            weight_high = if bisect { at_high } else { weight_high / 2.0 };
        } else {
            (high, at_high, weight_high) = (next, value, value);
            weight_low = if bisect { at_low } else { weight_low / 2.0 };
        }
        bisect = high - low > width / 2.0 || at_low.is_infinite() || at_high.is_infinite();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_found_or_refused() {
        assert!((root(|x| x * x - 2.0, 0.0, 2.0).unwrap() - 2.0_f64.sqrt()).abs() < 1e-14);
        // Very flat, very steep, and a pole at the end.
        assert!((root(|x| (x - 0.3).powi(9), -1.0, 1.0).unwrap() - 0.3).abs() < 1e-2);
        assert!((root(|x| (1e6 * (x - 0.7)).tanh(), 0.0, 1.0).unwrap() - 0.7).abs() < 1e-13);
        assert!((root(|x| 1.0 / x - 4.0, 0.0, 1.0).unwrap() - 0.25).abs() < 1e-13);
        assert_eq!(root(|x| x, 0.0, 1.0), Some(0.0));
        assert_eq!(root(|x| x * x + 1.0, -1.0, 1.0), None);
        assert_eq!(root(|_| f64::NAN, -1.0, 1.0), None);
    }
}
