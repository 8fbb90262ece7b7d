//! Numbers moved into an interval.

use super::numbers::{Numbers, with_integer};
use crate::error::{Error, Result};
use crate::pipeline::{Kernel, UNNAMED, apply_once};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, new_empty_array};
use arrow::compute::cast;
use arrow::datatypes::{ArrowNativeTypeOp, DataType, Float32Type, Float64Type};
use std::sync::Arc;

/// Moves numbers below `low` up to `low` and numbers above `high` down to `high` (top- and bottom-coding).
///
/// The type stays (`Float16` becomes `Float32`). Integers are clamped to the outermost integers inside the interval, 32-bit floats to the outermost such floats, so the
/// result never lies outside. A bound may be infinite. NaN stands for a missing value and becomes one.
///
/// ```
/// use backmask::arrow::array::{Int32Array, cast::AsArray, types::Int32Type};
/// use backmask::{pipeline::Kernel, transform::Clamp};
///
/// let years = Clamp::new(1935.0, 2007.5)?.apply(&Int32Array::from(vec![1890, 1980, 2012]))?;
/// assert_eq!(years.as_primitive::<Int32Type>().values(), &[1935, 1980, 2007]);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// The column holds no numbers, or no number of its type lies in the interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clamp {
    low: f64,
    high: f64,
}

impl Clamp {
    /// Clamps into [`low`, `high`].
    ///
    /// # Errors
    /// A bound is NaN, `low` is greater than `high`, or both are the same infinity.
    pub fn new(low: f64, high: f64) -> Result<Self> {
        if low <= high && low < f64::INFINITY && high > f64::NEG_INFINITY {
            // Adding zero turns negative zero into zero.
            Ok(Self { low: low + 0.0, high: high + 0.0 })
        } else {
            Err(Error::Parameter { name: "clamp", problem: "the lower bound must not exceed the upper one".to_owned() })
        }
    }

    fn integers<T: ArrowPrimitiveType<Native: TryFrom<i128>>>(&self, array: &PrimitiveArray<T>) -> Result<ArrayRef>
    where
        i128: From<T::Native>,
    {
        let (least, most) = (i128::from(T::Native::MIN_TOTAL_ORDER), i128::from(T::Native::MAX_TOTAL_ORDER));
        #[expect(clippy::cast_possible_truncation, reason = "saturates, and what saturates is out of reach of every integer type")]
        let (low, high) = ((self.low.ceil() as i128).max(least), (self.high.floor() as i128).min(most));
        match (T::Native::try_from(low), T::Native::try_from(high)) {
            (Ok(low), Ok(high)) if low <= high => Ok(Arc::new(array.unary::<_, T>(|value| {
                if value < low {
                    low
                } else if value > high {
                    high
                } else {
                    value
                }
            }))),
            _ => Err(nothing_inside()),
        }
    }

    fn doubles(&self, array: &PrimitiveArray<Float64Type>) -> ArrayRef {
        let clamp = |value: f64| (!value.is_nan()).then(|| value.clamp(self.low, self.high) + 0.0);
        Arc::new(array.unary_opt::<_, Float64Type>(clamp))
    }

    fn floats(&self, array: &PrimitiveArray<Float32Type>) -> Result<ArrayRef> {
        #[expect(clippy::cast_possible_truncation, reason = "what is rounded outwards is moved inwards")]
        let (low, high) = (self.low as f32, self.high as f32);
        let low = if f64::from(low) < self.low { low.next_up() } else { low };
        let high = if f64::from(high) > self.high { high.next_down() } else { high };
        if low > high || low.is_infinite() && low > 0.0 || high.is_infinite() && high < 0.0 {
            return Err(nothing_inside());
        }
        let clamp = |value: f32| (!value.is_nan()).then(|| value.clamp(low, high) + 0.0);
        Ok(Arc::new(array.unary_opt::<_, Float32Type>(clamp)))
    }
}

fn nothing_inside() -> Error {
    Error::column(UNNAMED, "no number of the column's type lies between the bounds of its clamp", "mend the bounds, or cast the column")
}

impl Kernel for Clamp {
    fn output_type(&self, input: &DataType) -> Result<DataType> {
        Numbers::of(input, "clamped")?;
        Ok(self.apply(new_empty_array(input).as_ref())?.data_type().clone())
    }

    fn apply(&self, array: &dyn Array) -> Result<ArrayRef> {
        if let DataType::Dictionary(_, _) = array.data_type() {
            return apply_once(self, array);
        }
        match (Numbers::of(array.data_type(), "clamped")?, array.data_type()) {
            (Numbers::Integers, _) => with_integer!(array, self.integers),
            (Numbers::Floats, DataType::Float64) => Ok(self.doubles(array.as_primitive())),
            (Numbers::Floats, _) => {
                let singles = cast(array, &DataType::Float32).map_err(|e| Error::arrow("widening floats", &e))?;
                self.floats(singles.as_primitive())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float32Array, Float64Array, Int8Array, Int64Array, UInt64Array};
    use arrow::datatypes::{Int8Type, Int64Type, UInt64Type};
    use proptest::prelude::*;

    #[test]
    fn integers_end_inside_the_interval() {
        let clamp = Clamp::new(-1.5, 2.5).unwrap();
        let got = clamp.apply(&Int64Array::from(vec![Some(i64::MIN), Some(-1), None, Some(3), Some(i64::MAX)])).unwrap();
        assert_eq!(got.as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(-1), Some(-1), None, Some(2), Some(2)]));
        let got = clamp.apply(&UInt64Array::from(vec![0, u64::MAX])).unwrap();
        assert_eq!(got.as_primitive::<UInt64Type>().values(), &[0, 2]);
        let got = Clamp::new(f64::NEG_INFINITY, 1e300).unwrap().apply(&Int8Array::from(vec![-128, 127])).unwrap();
        assert_eq!(got.as_primitive::<Int8Type>().values(), &[-128, 127]);
    }

    #[test]
    fn an_interval_without_numbers_of_the_type_is_refused_before_data_is_seen() {
        assert!(Clamp::new(0.2, 0.8).unwrap().output_type(&DataType::Int32).is_err());
        assert!(Clamp::new(0.2, 0.8).unwrap().output_type(&DataType::Float32).is_ok());
        assert!(Clamp::new(1000.0, 2000.0).unwrap().output_type(&DataType::Int8).is_err());
        assert!(Clamp::new(-2.0, -1.0).unwrap().output_type(&DataType::UInt16).is_err());
        assert!(Clamp::new(1e300, 1e301).unwrap().output_type(&DataType::Float32).is_err());
        assert!(Clamp::new(0.0, 1.0).unwrap().output_type(&DataType::Utf8).is_err());
    }

    #[test]
    fn floats_end_inside_the_interval_too() {
        let values = vec![f32::NEG_INFINITY, -1.0, -0.0, 0.05, 1.0, f32::INFINITY];
        let got = Clamp::new(0.01, 0.1).unwrap().apply(&Float32Array::from(values)).unwrap();
        assert!(got.as_primitive::<Float32Type>().values().iter().all(|&value| (0.01..=0.1).contains(&f64::from(value))));
        let got = Clamp::new(-0.0, 1.0).unwrap().apply(&Float64Array::from(vec![Some(-0.0), Some(f64::NAN), None, Some(-5.0)])).unwrap();
        let got = got.as_primitive::<Float64Type>();
        assert_eq!((got.value(0).to_bits(), got.value(3).to_bits()), (0, 0));
        assert!(got.is_null(1) && got.is_null(2));
    }

    #[test]
    fn unusable_bounds_are_refused() {
        for (low, high) in
            [(1.0, 0.0), (f64::NAN, 1.0), (0.0, f64::NAN), (f64::INFINITY, f64::INFINITY), (f64::NEG_INFINITY, f64::NEG_INFINITY)]
        {
            assert!(Clamp::new(low, high).is_err());
        }
    }

    proptest! {
        #[test]
        fn integers_and_doubles_agree(values in prop::collection::vec(-1_000..1_000_i64, 1..40), low in -500..0_i32, width in 0..900_i32) {
            let clamp = Clamp::new(low.into(), (low + width).into()).unwrap();
            let array = Int64Array::from(values);
            let as_integers = cast(&clamp.apply(&array).unwrap(), &DataType::Float64).unwrap();
            prop_assert_eq!(&as_integers, &clamp.apply(&cast(&array, &DataType::Float64).unwrap()).unwrap());
        }
    }
}
