//! Column treatments: what is done to values before anything is counted, generalized or suppressed.
//!
//! | treatment | alone | input | output |
//! |---|---|---|---|
//! | `truncate` | [`Truncate`] | timestamps, dates | the same type |
//! | `buckets` | [`Buckets`] | integers, floats | `Dictionary(Int32, Utf8)` of labels |
//! | `round` | [`Round`] | integers, floats | the same type (integers become doubles if the step is not whole) |
//! | `clamp` | [`Clamp`] | integers, floats | the same type |
//! | `shift` | [`Shift`], or [`DayShift`] and [`add_days`] | subject, timestamps or dates | the same type |
//! | `relative` | [`RelativeFit`], or [`first_times`] and [`since_first`] | subject, timestamps or dates | `Int64` milliseconds |
//! | `drop`, `keep` | [`DropColumns`], [`KeepColumns`] | any | |
//!
//! The first four are functions of one value: a [`Kernel`] that works on one array, and on a batch through [`MapColumn`](crate::pipeline::MapColumn).
//! [`kernel`] makes them from a policy. Missing values stay missing. A value that has no result is an error that counts the rows concerned; it is never replaced silently.

mod buckets;
mod calendar;
mod clamp;
mod columns;
mod numbers;
mod relative;
mod round;
mod shift;
mod times;
mod truncate;

pub use buckets::Buckets;
pub use clamp::Clamp;
pub use columns::{DropColumns, KeepColumns};
pub use relative::{Relative, RelativeFit, first_times, since_first};
pub use round::Round;
pub use shift::{DayShift, Shift, add_days};
pub use truncate::Truncate;

use crate::error::Result;
use crate::pipeline::Kernel;
use crate::policy::Treatment;
use std::sync::Arc;

/// The kernel of a treatment that is a function of one value: truncate, buckets, round, clamp.
///
/// `None` for the others: `keep` and `drop` need no kernel, `shift` and `relative` also need the subject, `pseudonym` also needs a key.
///
/// ```
/// use backmask::arrow::array::{Date32Array, cast::AsArray, types::Date32Type};
/// use backmask::{policy::{TimeUnit, Treatment}, transform::kernel};
///
/// let month = kernel(&Treatment::Truncate(TimeUnit::Month))?.expect("truncation works on single values");
/// let days = month.apply(&Date32Array::from(vec![45]))?; // 15 February 1970
/// assert_eq!(days.as_primitive::<Date32Type>().value(0), 31);
/// assert!(kernel(&Treatment::Relative)?.is_none());
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// A parameter of the treatment lies outside its domain.
pub fn kernel(treatment: &Treatment) -> Result<Option<Arc<dyn Kernel>>> {
    Ok(Some(match treatment {
        Treatment::Truncate(unit) => Arc::new(Truncate::new(*unit)),
        Treatment::Buckets(bounds) => Arc::new(Buckets::new(bounds)?),
        Treatment::Round(to) => Arc::new(Round::new(*to)?),
        Treatment::Clamp(low, high) => Arc::new(Clamp::new(*low, *high)?),
        Treatment::Drop | Treatment::Keep | Treatment::Relative | Treatment::Shift { .. } | Treatment::Pseudonym(_) => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{PseudonymSpec, TimeUnit};

    #[test]
    fn only_functions_of_one_value_have_a_kernel() {
        for treatment in
            [Treatment::Truncate(TimeUnit::Week), Treatment::Buckets(vec![1.0]), Treatment::Round(5.0), Treatment::Clamp(0.0, 1.0)]
        {
            assert!(kernel(&treatment).unwrap().is_some(), "{treatment:?}");
        }
        for treatment in [
            Treatment::Drop,
            Treatment::Keep,
            Treatment::Relative,
            Treatment::Shift { days: 3 },
            Treatment::Pseudonym(PseudonymSpec::default()),
        ] {
            assert!(kernel(&treatment).unwrap().is_none(), "{treatment:?}");
        }
        for bad in [Treatment::Buckets(vec![]), Treatment::Round(0.0), Treatment::Clamp(2.0, 1.0)] {
            assert!(kernel(&bad).is_err(), "{bad:?}");
        }
    }
}
