//! Numbers rounded to multiples.

use super::numbers::{Numbers, try_map, with_integer};
use crate::error::{Error, Result};
use crate::pipeline::{Kernel, UNNAMED, apply_once};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use std::sync::Arc;

/// Doubles from here on are whole numbers, and so far apart that rounding has nothing left to do.
const NO_FRACTIONS: f64 = 4_503_599_627_370_496.0; // 2^52

/// Rounds numbers to the nearest multiple of a step; halfway between two multiples the even multiple wins.
///
/// Integers stay integers of their type if the step is whole, else they become doubles. Floats keep their type (`Float16` becomes `Float32`).
/// A result of zero is never negative zero: its sign would tell from which side the number came. NaN stands for a missing value and becomes one.
/// Steps that divide 1 into whole parts, such as 0.1, give the double that is nearest to the multiple: 0.3, not 0.30000000000000004.
///
/// ```
/// use backmask::arrow::array::{Int32Array, cast::AsArray, types::Int32Type};
/// use backmask::{pipeline::Kernel, transform::Round};
///
/// let rounded = Round::new(10.0)?.apply(&Int32Array::from(vec![14, 15, 25, -15]))?;
/// assert_eq!(rounded.as_primitive::<Int32Type>().values(), &[10, 20, 20, -20]);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// The column holds no numbers, or the nearest multiple lies outside the column's type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    step: f64,
    /// 1 / step, if that is whole.
    parts: Option<f64>,
}

impl Round {
    /// Rounds to multiples of `step`.
    ///
    /// # Errors
    /// `step` is not positive and finite.
    pub fn new(step: f64) -> Result<Self> {
        if !(step > 0.0 && step.is_finite()) {
            return Err(Error::Parameter { name: "round", problem: "the step must be positive and finite".to_owned() });
        }
        let parts = (1.0 / step).round();
        #[expect(clippy::float_cmp, reason = "asks whether the step is exactly the double nearest to one part")]
        let parts = (step < 1.0 && parts < NO_FRACTIONS && 1.0 / parts == step).then_some(parts);
        Ok(Self { step, parts })
    }

    /// The step as an integer, if it is one. A step beyond every integer type saturates: then all multiples but zero are out of reach.
    fn whole_step(&self) -> Option<i128> {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number, or saturated")]
        (self.step.fract() == 0.0).then_some(self.step as i128)
    }

    /// The nearest multiple, ties to the even one.
    fn float(&self, value: f64) -> f64 {
        let multiples = match self.parts {
            Some(parts) => value * parts,
            None => value / self.step,
        };
        if multiples.abs() >= NO_FRACTIONS {
            // No multiple of the step is nearer than the next double. (Also for infinities, which stay.)
            return value;
        }
        let multiples = multiples.round_ties_even();
        let rounded = match self.parts {
            Some(parts) => multiples / parts,
            None => multiples * self.step,
        };
        rounded + 0.0
    }

    fn floats<T: ArrowPrimitiveType>(
        &self,
        array: &PrimitiveArray<T>,
        widen: impl Fn(T::Native) -> f64,
        narrow: impl Fn(f64) -> T::Native,
    ) -> Result<ArrayRef> {
        let rounded: PrimitiveArray<T> =
            array.unary_opt(|value| Some(widen(value)).filter(|value| !value.is_nan()).map(|value| narrow(self.float(value))));
        let infinite = |value: Option<T::Native>| value.is_some_and(|value| widen(value).is_infinite());
        let rows = rounded.iter().zip(array).filter(|(after, before)| infinite(*after) && !infinite(*before)).count();
        if rows > 0 { Err(out_of_range(rows as u64)) } else { Ok(Arc::new(rounded)) }
    }

    fn integers<T: ArrowPrimitiveType<Native: TryFrom<i128>>>(&self, array: &PrimitiveArray<T>) -> Result<ArrayRef>
    where
        i128: From<T::Native>,
        i64: TryFrom<T::Native>,
        T::Native: TryFrom<i64>,
    {
        let Some(step) = self.whole_step() else {
            // The nearest double to the integer is rounded; integers beyond 2^53 are not exact here.
            let doubles = cast(array, &DataType::Float64).map_err(|e| Error::arrow("widening integers", &e))?;
            return self.floats(doubles.as_primitive::<Float64Type>(), |value| value, |value| value);
        };
        let wide = |value: T::Native| <T::Native as TryFrom<i128>>::try_from(nearest(i128::from(value), step)).ok();
        let rounded = match <i64 as TryFrom<i128>>::try_from(step) {
            Ok(step) => try_map::<T, T>(array, |value| match <i64 as TryFrom<T::Native>>::try_from(value) {
                Ok(small) => <T::Native as TryFrom<i64>>::try_from(nearest_word(small, step)?).ok(),
                Err(_) => wide(value),
            }),
            Err(_) => try_map::<T, T>(array, wide),
        };
        Ok(Arc::new(rounded.map_err(out_of_range)?))
    }
}

/// The multiple of `step` nearest to `value`, ties to the even multiple.
fn nearest(value: i128, step: i128) -> i128 {
    let (quotient, rest) = (value.div_euclid(step), value.rem_euclid(step));
    // Not `2 * rest > step`: the doubled rest could overflow for a saturated step.
    let up = match rest.cmp(&(step - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => quotient % 2 != 0,
    };
    value - rest + if up { step } else { 0 }
}

/// [`nearest`] in 64 bits, which is several times as fast.
fn nearest_word(value: i64, step: i64) -> Option<i64> {
    let (quotient, rest) = (value.div_euclid(step), value.rem_euclid(step));
    let above = step - rest;
    let up = rest > above || (rest == above && quotient % 2 != 0);
    if up { value.checked_add(above) } else { value.checked_sub(rest) }
}

fn out_of_range(rows: u64) -> Error {
    Error::rows(
        UNNAMED,
        rows,
        "the nearest multiple lies outside the range of the column's type",
        "clamp the column first, or cast it to a wider type",
    )
}

impl Kernel for Round {
    fn output_type(&self, input: &DataType) -> Result<DataType> {
        Ok(match (Numbers::of(input, "rounded")?, input) {
            (Numbers::Integers, _) if self.whole_step().is_none() => DataType::Float64,
            (Numbers::Floats, DataType::Float16) => DataType::Float32,
            _ => input.clone(),
        })
    }

    fn apply(&self, array: &dyn Array) -> Result<ArrayRef> {
        if let DataType::Dictionary(_, _) = array.data_type() {
            return apply_once(self, array);
        }
        #[expect(clippy::cast_possible_truncation, reason = "to the nearest float of the column's type")]
        let narrow = |value: f64| value as f32;
        match (Numbers::of(array.data_type(), "rounded")?, array.data_type()) {
            (Numbers::Integers, _) => with_integer!(array, self.integers),
            (Numbers::Floats, DataType::Float64) => self.floats::<Float64Type>(array.as_primitive(), |value| value, |value| value),
            (Numbers::Floats, DataType::Float32) => self.floats::<Float32Type>(array.as_primitive(), f64::from, narrow),
            (Numbers::Floats, _) => {
                let wider = cast(array, &DataType::Float32).map_err(|e| Error::arrow("widening floats", &e))?;
                self.floats::<Float32Type>(wider.as_primitive(), f64::from, narrow)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float32Array, Float64Array, Int8Array, Int64Array, UInt8Array, UInt64Array};
    use arrow::datatypes::{Int8Type, Int64Type, UInt64Type};
    use proptest::prelude::*;

    fn round64(step: f64, values: Vec<i64>) -> Vec<i64> {
        let got = Round::new(step).unwrap().apply(&Int64Array::from(values)).unwrap();
        got.as_primitive::<Int64Type>().values().to_vec()
    }

    fn round_floats(step: f64, values: Vec<f64>) -> Vec<f64> {
        let got = Round::new(step).unwrap().apply(&Float64Array::from(values)).unwrap();
        got.as_primitive::<Float64Type>().values().to_vec()
    }

    #[test]
    fn ties_go_to_the_even_multiple_on_both_sides_of_zero() {
        assert_eq!(round64(10.0, vec![5, 15, 25, -5, -15, -25, 4, 6, -4, -6, 0]), [0, 20, 20, 0, -20, -20, 0, 10, 0, -10, 0]);
        assert_eq!(round_floats(10.0, vec![5.0, 15.0, 25.0, -5.0, -15.0, -25.0]), [0.0, 20.0, 20.0, 0.0, -20.0, -20.0]);
        assert_eq!(round64(7.0, vec![3, 4, -3, -4]), [0, 7, 0, -7]);
        assert_eq!(round64(1.0, vec![i64::MIN, -1, i64::MAX]), [i64::MIN, -1, i64::MAX]);
    }

    #[test]
    fn zero_has_no_sign_and_tenths_are_clean() {
        let got = round_floats(1.0, vec![-0.3, 0.3, -0.0, -0.5]);
        assert!(got.iter().all(|value| value.to_bits() == 0), "{got:?}");
        assert_eq!(round_floats(0.1, vec![0.29, 0.31, 0.3]), [0.3; 3]);
        assert_eq!(round_floats(0.25, vec![0.37, 0.38]), [0.25, 0.5]);
        assert_eq!(round_floats(0.7, vec![2.0]), [0.7 * 3.0]);
        assert_eq!(round_floats(1e-300, vec![1e300, -2.5]), [1e300, -2.5]);
        assert_eq!(round_floats(1e300, vec![1.0, f64::MAX, f64::INFINITY]), [0.0, (f64::MAX / 1e300).round() * 1e300, f64::INFINITY]);
    }

    #[test]
    fn overflow_is_counted() {
        let round = Round::new(200.0).unwrap();
        let message = round.apply(&Int8Array::from(vec![Some(127), Some(99), None, Some(101)])).unwrap_err().to_string();
        assert!(message.contains("2 rows") && !message.contains("127"), "{message}");
        assert_eq!(round.apply(&Int8Array::from(vec![100, -100])).unwrap().as_primitive::<Int8Type>().values(), &[0, 0]);
        assert!(Round::new(10.0).unwrap().apply(&Int64Array::from(vec![i64::MAX])).is_err());
        assert!(Round::new(10.0).unwrap().apply(&Int64Array::from(vec![i64::MIN])).is_err());
        assert!(Round::new(16.0).unwrap().apply(&UInt8Array::from(vec![255])).is_err());
        assert!(Round::new(1e308).unwrap().apply(&Float64Array::from(vec![1.7e308])).is_err());
        assert!(Round::new(2e38).unwrap().apply(&Float32Array::from(vec![3.3e38])).is_err());
        assert_eq!(round64(1e20, vec![i64::MIN, i64::MAX]), [0, 0]);
        assert_eq!(round64(1e300, vec![i64::MIN, i64::MAX]), [0, 0]);
        let huge = Round::new(3.0).unwrap().apply(&UInt64Array::from(vec![u64::MAX, u64::MAX - 1])).unwrap();
        assert_eq!(huge.as_primitive::<UInt64Type>().values(), &[u64::MAX; 2]);
    }

    #[test]
    fn not_a_number_is_missing() {
        let got = Round::new(1.0).unwrap().apply(&Float64Array::from(vec![Some(f64::NAN), None, Some(1.2)])).unwrap();
        assert_eq!(got.as_primitive::<Float64Type>(), &Float64Array::from(vec![None, None, Some(1.0)]));
    }

    #[test]
    fn output_types_are_as_announced() {
        for step in [0.5, 2.0] {
            let round = Round::new(step).unwrap();
            for data_type in [DataType::Int8, DataType::UInt64, DataType::Int64, DataType::Float16, DataType::Float32, DataType::Float64] {
                let array = cast(&Int64Array::from(vec![Some(3), None]), &data_type).unwrap();
                let got = round.apply(&array).unwrap();
                assert_eq!(got.data_type(), &round.output_type(&data_type).unwrap(), "{step} {data_type}");
                let expected = Float64Array::from(vec![Some(if step < 1.0 { 3.0 } else { 4.0 }), None]);
                assert_eq!(cast(&got, &DataType::Float64).unwrap().as_primitive::<Float64Type>(), &expected);
            }
        }
        assert!(Round::new(2.0).unwrap().output_type(&DataType::Boolean).is_err());
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Round::new(bad).is_err());
        }
    }

    proptest! {
        #[test]
        fn the_short_way_equals_the_long_way(value: i64, step in 1..i64::MAX) {
            let long = i64::try_from(nearest(i128::from(value), i128::from(step))).ok();
            prop_assert_eq!(nearest_word(value, step), long);
        }

        #[test]
        fn small_numbers_are_rounded_to_the_nearest(value in -1_000_000..1_000_000_i64, step in 1..5_000_i64) {
            let got = nearest_word(value, step).unwrap();
            prop_assert_eq!(got % step, 0);
            prop_assert!((got - value).abs() * 2 <= step);
            if (got - value).abs() * 2 == step {
                prop_assert_eq!(got / step % 2, 0);
            }
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let (float, expected) = (Round::new(step as f64).unwrap().float(value as f64), got as f64);
            prop_assert_eq!(float.to_bits(), expected.to_bits());
        }
    }
}
