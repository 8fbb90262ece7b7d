//! Special functions that no other crate here has with enough digits.

use statrs::function::gamma::ln_gamma;

/// The digamma function ψ(x) = Γ′(x) / Γ(x) for x > 0, to about 14 digits: the recurrence up to 10, then the asymptotic series.
///
/// # References
/// NIST Digital Library of Mathematical Functions, 5.5.2 and 5.11.2.
///
/// ```
/// // −γ
/// assert!((backmask::numeric::digamma(1.0) + 0.577_215_664_901_532_9).abs() < 1e-14);
/// ```
#[must_use]
pub fn digamma(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return f64::NAN;
    }
    let (mut shifted, mut sum) = (x, 0.0);
    while shifted < 10.0 {
        sum -= 1.0 / shifted;
        shifted += 1.0;
    }
    sum + shifted.ln() - 0.5 / shifted - series(shifted)
}

/// ln x − 1/(2x) − ψ(x) for x ≥ 10.
fn series(x: f64) -> f64 {
    let square = 1.0 / (x * x);
    square
        * (1.0 / 12.0
            - square
                * (1.0 / 120.0 - square * (1.0 / 252.0 - square * (1.0 / 240.0 - square * (1.0 / 132.0 - square * (691.0 / 32_760.0))))))
}

/// ψ(x + d) − ψ(x) for d ≥ 0, the sum of 1 / (x + i) over 0 ≤ i < d, without losing digits where x is large.
pub(super) fn digamma_step(x: f64, d: f64) -> f64 {
    if x < 10.0 {
        return digamma(x + d) - digamma(x);
    }
    (d / x).ln_1p() + 0.5 * d / x / (x + d) - (series(x + d) - series(x))
}

/// ln Γ(x + 1) − ln Γ(x + a) for 0 ≤ a ≤ 1 and x + a > 0, without losing digits where x is large.
pub(super) fn ln_gamma_step(x: f64, a: f64) -> f64 {
    if x > 1e6 {
        // Γ(x + 1) / Γ(x + a) = (x + a/2)^(1 − a) (1 + O(x⁻²)); DLMF 5.11.14.
        return (1.0 - a) * (x + a / 2.0).ln();
    }
    ln_gamma(x + 1.0) - ln_gamma(x + a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digamma_has_its_known_values() {
        const EULER: f64 = 0.577_215_664_901_532_9;
        assert!((digamma(0.5) + EULER + 2.0 * std::f64::consts::LN_2).abs() < 1e-14);
        let mut harmonic = 0.0;
        for n in 1..200_u32 {
            assert!((digamma(f64::from(n)) - harmonic + EULER).abs() < 1e-13, "{n}");
            harmonic += 1.0 / f64::from(n);
        }
        for x in [1e-9, 0.3, 2.7, 9.999, 1e5] {
            assert!((digamma(x + 1.0) - digamma(x) - 1.0 / x).abs() <= 1e-14 * (1.0 / x).max(100.0), "{x}");
        }
        assert!(digamma(0.0).is_nan() && digamma(-1.5).is_nan() && digamma(f64::NAN).is_nan());
    }

    #[test]
    fn steps_of_digamma_are_sums() {
        for x in [0.01, 9.9, 10.0, 1e3, 1e9, 1e20] {
            let sum: f64 = (0..500).map(|i| 1.0 / (x + f64::from(i))).sum();
            assert!((digamma_step(x, 500.0) / sum - 1.0).abs() < 1e-13, "{x}");
        }
    }

    #[test]
    fn ratios_of_gammas_join_at_the_switch() {
        for a in [0.0, 0.3, 0.9, 1.0] {
            let (below, above) = (ln_gamma_step(1e6, a), ln_gamma_step(1e6 + 1.0, a));
            assert!((above - below - (1.0 - a) * 1e-6).abs() < 1e-8, "{a}");
        }
        assert!((ln_gamma_step(2.0, 0.0) - 2.0_f64.ln()).abs() < 1e-13);
    }
}
