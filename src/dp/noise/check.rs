//! The permitted range of scales.

use crate::dp::rational::Rational;
use crate::error::{Error, Result};

/// The logarithms to base 2 of the smallest and the largest permitted scale.
pub(super) const SMALLEST_LOG2: i64 = -20;
pub(super) const LARGEST_LOG2: i64 = 50;

/// A scale must lie in [2⁻²⁰, 2⁵⁰].
pub(super) fn scale(name: &'static str, scale: &Rational) -> Result<()> {
    let inside = match scale.floor_log2() {
        None => false,
        Some(log) if log == LARGEST_LOG2 => *scale == Rational::from(1 << LARGEST_LOG2),
        Some(log) => (SMALLEST_LOG2..LARGEST_LOG2).contains(&log),
    };
    if inside {
        Ok(())
    } else {
        Err(Error::Parameter { name, problem: "must lie between 2^-20 (9.53674316e-7) and 2^50 (1125899906842624)".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_closed() {
        for good in ["1", "0.3", "1125899906842624", "1/1048576", "0.00000095367431640625", "1e12"] {
            assert!(scale("scale", &good.parse().unwrap()).is_ok(), "{good}");
        }
        for bad in ["0", "1125899906842624.01", "1e300", "1/1048577", "1e-300", "9e-7"] {
            let error = scale("sigma", &bad.parse().unwrap()).unwrap_err().to_string();
            assert!(error.starts_with("sigma: must lie between 2^-20") && error.contains("2^50"), "{error}");
        }
    }
}
