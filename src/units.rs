//! Validated numbers: a value of one of these types is inside its domain.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

macro_rules! real_unit {
    ($(#[$doc:meta])* $name:ident, $label:literal, $domain:literal, $test:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            #[doc = concat!("Checks that `value` lies in ", $domain, ".\n\n# Errors\nOutside that domain, or not a number.")]
            pub fn new(value: f64) -> Result<Self> {
                let test: fn(f64) -> bool = $test;
                if test(value) {
                    Ok(Self(value))
                } else {
                    Err(Error::Parameter { name: $label, problem: concat!("must lie in ", $domain).to_owned() })
                }
            }

            /// The number itself.
            #[must_use]
            pub fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = Error;
            fn try_from(value: f64) -> Result<Self> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(value: $name) -> f64 {
                value.0
            }
        }
    };
}

real_unit!(
    /// Privacy loss ε of (ε, δ)-differential privacy.
    Epsilon, "epsilon", "(0, 10000]", |x| x > 0.0 && x <= 10_000.0
);
real_unit!(
    /// Failure probability δ of (ε, δ)-differential privacy.
    Delta, "delta", "[0, 1)", |x| (0.0..1.0).contains(&x)
);
real_unit!(
    /// A probability of re-identification that is allowed or was measured.
    Risk, "risk", "(0, 1]", |x| x > 0.0 && x <= 1.0
);
real_unit!(
    /// A part of a whole.
    Share, "share", "[0, 1]", |x| (0.0..=1.0).contains(&x)
);
real_unit!(
    /// Coverage of a confidence bound.
    Confidence, "confidence", "(0, 1)", |x| x > 0.0 && x < 1.0
);

/// How many people at least share what is known: the k of k-anonymity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct K(u64);

impl K {
    /// Checks that `k` is at least 2: with 1 nothing is promised.
    ///
    /// # Errors
    /// `k` is 0 or 1.
    pub fn new(k: u64) -> Result<Self> {
        if k >= 2 { Ok(Self(k)) } else { Err(Error::Parameter { name: "k", problem: "must be at least 2".to_owned() }) }
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for K {
    type Error = Error;
    fn try_from(k: u64) -> Result<Self> {
        Self::new(k)
    }
}

impl From<K> for u64 {
    fn from(k: K) -> u64 {
        k.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_enforced() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1.01] {
            assert!(Risk::new(bad).is_err(), "{bad}");
        }
        assert!(Risk::new(1.0).is_ok());
        assert!(Share::new(0.0).is_ok() && Share::new(f64::NAN).is_err());
        assert!(Delta::new(1.0).is_err() && Delta::new(0.0).is_ok());
        assert!(K::new(1).is_err() && K::new(2).is_ok());
    }
}
