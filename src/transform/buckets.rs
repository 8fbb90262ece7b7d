//! Numbers replaced by intervals.

use super::numbers::{Numbers, label, with_integer};
use crate::error::{Error, Result};
use crate::pipeline::{Kernel, apply_once};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, DictionaryArray, Int32Array, PrimitiveArray, StringArray};
use arrow::datatypes::{ArrowNativeTypeOp, DataType, Float16Type, Float32Type, Float64Type, Int32Type};
use std::sync::Arc;

/// Replaces numbers by the half-open interval between the given bounds that they lie in.
///
/// The bounds 30000 and 120000 make the labels `< 30000`, `[30000, 120000)` and `>= 120000`. Bounds are printed without decimals where they are whole.
/// Integers are compared with the bounds exactly, also where a double could not hold them. NaN stands for a missing value and becomes one.
///
/// The output is `Dictionary(Int32, Utf8)` with the same dictionary, all labels in ascending order, for every batch: rows cost four bytes and no text is built for them.
///
/// ```
/// use backmask::arrow::array::{Int64Array, cast::AsArray};
/// use backmask::{pipeline::Kernel, transform::Buckets};
///
/// let played = Int64Array::from(vec![29_999, 30_000, 5_984_871]);
/// let buckets = Buckets::new(&[30_000.0, 120_000.0])?.apply(&played)?;
/// let labels = backmask::arrow::compute::cast(&buckets, &backmask::arrow::datatypes::DataType::Utf8)?;
/// assert_eq!(labels.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["< 30000", "[30000, 120000)", ">= 120000"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets {
    bounds: Vec<f64>,
    labels: Arc<StringArray>,
}

impl Buckets {
    /// Intervals between `bounds`.
    ///
    /// # Errors
    /// There is no bound, or they are not finite and strictly ascending.
    pub fn new(bounds: &[f64]) -> Result<Self> {
        let parameter = |problem: &str| Error::Parameter { name: "buckets", problem: problem.to_owned() };
        let (Some(first), Some(last)) = (bounds.first(), bounds.last()) else { return Err(parameter("needs at least one bound")) };
        if bounds.iter().any(|bound| !bound.is_finite()) || bounds.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(parameter("bounds must be finite and strictly ascending"));
        }
        if i32::try_from(bounds.len()).is_err() {
            return Err(parameter("has more bounds than a dictionary has keys"));
        }
        // Negative zero would print as -0.
        let text = |bound: f64| label(bound + 0.0);
        let labels = std::iter::once(format!("< {}", text(*first)))
            .chain(bounds.windows(2).map(|pair| format!("[{}, {})", text(pair[0]), text(pair[1]))))
            .chain(std::iter::once(format!(">= {}", text(*last))));
        Ok(Self { bounds: bounds.to_vec(), labels: Arc::new(labels.map(Some).collect()) })
    }

    /// All labels, in ascending order of their intervals.
    #[must_use]
    pub fn labels(&self) -> &StringArray {
        &self.labels
    }

    /// Keys into the labels: how many thresholds a value has reached.
    fn keys<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, thresholds: &[T::Native]) -> Int32Array {
        #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "the number of bounds was checked against i32")]
        let by_search = |value: T::Native| thresholds.partition_point(|&threshold| threshold <= value) as i32;
        // For few bounds counting beats searching: it has no branches.
        let by_counting = |value: T::Native| thresholds.iter().map(|&threshold| i32::from(threshold <= value)).sum();
        if thresholds.len() <= 16 { array.unary(by_counting) } else { array.unary(by_search) }
    }

    /// An integer reaches a bound exactly if it reaches the next integer above it.
    fn of_integers<T: ArrowPrimitiveType<Native: TryFrom<i128>>>(&self, array: &PrimitiveArray<T>) -> Int32Array
    where
        i128: From<T::Native>,
    {
        #[expect(clippy::cast_possible_truncation, reason = "saturates, and what saturates is out of reach of every integer type")]
        let thresholds = self.bounds.iter().map(|bound| bound.ceil() as i128);
        let (least, most) = (i128::from(T::Native::MIN_TOTAL_ORDER), i128::from(T::Native::MAX_TOTAL_ORDER));
        // A bound above the type's range is never reached, one below it always.
        let thresholds: Vec<_> = thresholds
            .take_while(|&threshold| threshold <= most)
            .filter_map(|threshold| T::Native::try_from(threshold.max(least)).ok())
            .collect();
        Self::keys(array, &thresholds)
    }

    fn of_floats<T: ArrowPrimitiveType>(&self, array: &PrimitiveArray<T>, widen: impl Fn(T::Native) -> f64) -> Int32Array {
        let numbers: PrimitiveArray<Float64Type> = array.unary_opt(|value| Some(widen(value)).filter(|value| !value.is_nan()));
        Self::keys(&numbers, &self.bounds)
    }
}

impl Kernel for Buckets {
    fn output_type(&self, input: &DataType) -> Result<DataType> {
        Numbers::of(input, "put into buckets")?;
        Ok(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))
    }

    fn apply(&self, array: &dyn Array) -> Result<ArrayRef> {
        if let DataType::Dictionary(_, _) = array.data_type() {
            return apply_once(self, array);
        }
        let keys = match (Numbers::of(array.data_type(), "put into buckets")?, array.data_type()) {
            (Numbers::Integers, _) => with_integer!(array, self.of_integers),
            (Numbers::Floats, DataType::Float16) => {
                self.of_floats(array.as_primitive::<Float16Type>(), <Float16Type as ArrowPrimitiveType>::Native::to_f64)
            }
            (Numbers::Floats, DataType::Float32) => self.of_floats(array.as_primitive::<Float32Type>(), f64::from),
            (Numbers::Floats, _) => self.of_floats(array.as_primitive::<Float64Type>(), |value| value),
        };
        let labels: ArrayRef = Arc::<StringArray>::clone(&self.labels);
        let buckets = DictionaryArray::<Int32Type>::try_new(keys, labels).map_err(|e| Error::arrow("labelling buckets", &e))?;
        Ok(Arc::new(buckets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float32Array, Float64Array, Int8Array, Int64Array, UInt64Array};
    use arrow::compute::cast;
    use proptest::prelude::*;

    fn labels(bounds: &[f64], array: &dyn Array) -> Vec<Option<String>> {
        let buckets = Buckets::new(bounds).unwrap().apply(array).unwrap();
        let plain = cast(&buckets, &DataType::Utf8).unwrap();
        plain.as_string::<i32>().iter().map(|label| label.map(str::to_owned)).collect()
    }

    fn some(labels: &[&str]) -> Vec<Option<String>> {
        labels.iter().map(|label| Some((*label).to_owned())).collect()
    }

    #[test]
    fn bounds_belong_to_the_interval_above_them() {
        let got = labels(&[30_000.0, 120_000.0], &Int64Array::from(vec![i64::MIN, 29_999, 30_000, 119_999, 120_000, i64::MAX]));
        assert_eq!(got, some(&["< 30000", "< 30000", "[30000, 120000)", "[30000, 120000)", ">= 120000", ">= 120000"]));
        assert_eq!(labels(&[-0.0], &Float64Array::from(vec![-0.0, -1e-300])), some(&[">= 0", "< 0"]));
        assert_eq!(labels(&[0.5, 0.75], &Int8Array::from(vec![0, 1])), some(&["< 0.5", ">= 0.75"]));
    }

    #[test]
    fn missing_and_not_a_number_are_missing() {
        let array = Float64Array::from(vec![Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY)]);
        let got = labels(&[0.0], &array);
        assert_eq!(got, [Some(">= 0".into()), None, None, Some(">= 0".into()), Some("< 0".into())]);
        assert_eq!(labels(&[0.0], &array.slice(1, 2)), [None, None]);
        assert_eq!(labels(&[0.0], &Float32Array::from(Vec::<f32>::new())), Vec::<Option<String>>::new());
    }

    #[test]
    fn integers_beyond_the_precision_of_doubles_are_compared_exactly() {
        let bound = 9_007_199_254_740_992.0; // 2^53
        let got = labels(&[bound], &Int64Array::from(vec![9_007_199_254_740_991, 9_007_199_254_740_992]));
        assert_ne!(got[0], got[1]);
        // As a double, u64::MAX is 2^64 and would reach the bound.
        assert_eq!(
            labels(&[18_446_744_073_709_551_616.0], &UInt64Array::from(vec![u64::MAX]))[0].as_deref(),
            Some("< 1.8446744073709552e19")
        );
        assert_eq!(labels(&[-1e300, 1e300], &UInt64Array::from(vec![0, u64::MAX])), some(&["[-1e300, 1e300)"; 2]));
    }

    #[test]
    fn dictionary_is_the_same_for_every_batch() {
        let buckets = Buckets::new(&[1.0, 2.0]).unwrap();
        for array in [Int64Array::from(vec![0]), Int64Array::from(vec![5; 3]), Int64Array::from(Vec::<i64>::new())] {
            let got = buckets.apply(&array).unwrap();
            assert_eq!(got.as_dictionary::<Int32Type>().values().as_string::<i32>(), buckets.labels());
            assert_eq!(got.data_type(), &buckets.output_type(&DataType::Int64).unwrap());
        }
        assert!(buckets.output_type(&DataType::Utf8).is_err());
    }

    #[test]
    fn unusable_bounds_are_refused() {
        for bad in [&[][..], &[1.0, 1.0], &[2.0, 1.0], &[f64::NAN], &[f64::INFINITY], &[0.0, -0.0]] {
            assert!(Buckets::new(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_number_lies_in_its_interval(mut bounds in prop::collection::vec(-1e6..1e6_f64, 1..40), values in prop::collection::vec(-2_000_000..2_000_000_i64, 1..50)) {
            bounds.sort_by(f64::total_cmp);
            bounds.dedup();
            let buckets = Buckets::new(&bounds).unwrap();
            let got = buckets.apply(&Int64Array::from(values.clone())).unwrap();
            let as_floats = buckets.apply(&cast(&Int64Array::from(values.clone()), &DataType::Float64).unwrap()).unwrap();
            prop_assert_eq!(&got, &as_floats);
            for (&key, value) in got.as_dictionary::<Int32Type>().keys().values().iter().zip(values) {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let (key, value) = (usize::try_from(key).unwrap(), value as f64);
                prop_assert!(key == 0 || bounds[key - 1] <= value);
                prop_assert!(key == bounds.len() || value < bounds[key]);
            }
        }
    }
}
