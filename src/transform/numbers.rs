//! What the numeric treatments share.

use crate::error::{Error, Result};
use crate::pipeline::UNNAMED;
use arrow::array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow::datatypes::DataType;

/// Applies `work` to every valid value. `Err` is the number of valid values that have no result.
pub(super) fn try_map<T, O>(array: &PrimitiveArray<T>, work: impl Fn(T::Native) -> Option<O::Native>) -> Result<PrimitiveArray<O>, u64>
where
    T: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    let mut failed = false;
    let values: Vec<O::Native> = array
        .values()
        .iter()
        .map(|&value| {
            work(value).unwrap_or_else(|| {
                failed = true;
                O::Native::default()
            })
        })
        .collect();
    if failed {
        // Null slots hold arbitrary values: only valid ones count.
        let rows = array.iter().flatten().filter(|&value| work(value).is_none()).count() as u64;
        if rows > 0 {
            return Err(rows);
        }
    }
    Ok(PrimitiveArray::new(values.into(), array.nulls().cloned()))
}

/// Numbers, by what has to be done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    Integers,
    Floats,
}

impl Numbers {
    /// The kind of numbers of a column.
    pub(super) fn of(data_type: &DataType, what: &str) -> Result<Self> {
        match data_type {
            _ if data_type.is_integer() => Ok(Self::Integers),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Ok(Self::Floats),
            _ => Err(Error::column(
                UNNAMED,
                format!("does not hold numbers and cannot be {what}"),
                "cast the column to integers or floats, or give it another treatment",
            )),
        }
    }
}

/// A bound as it appears in labels: integers without decimals, everything else as the shortest text that reads back as the same number.
pub(super) fn label(bound: f64) -> String {
    if bound.abs() < 1e16 { format!("{bound}") } else { format!("{bound:e}") }
}

/// Calls a generic method with the type of an integer array.
macro_rules! with_integer {
    ($array:expr, $self:ident . $method:ident) => {
        match $array.data_type() {
            arrow::datatypes::DataType::Int8 => $self.$method($array.as_primitive::<arrow::datatypes::Int8Type>()),
            arrow::datatypes::DataType::Int16 => $self.$method($array.as_primitive::<arrow::datatypes::Int16Type>()),
            arrow::datatypes::DataType::Int32 => $self.$method($array.as_primitive::<arrow::datatypes::Int32Type>()),
            arrow::datatypes::DataType::Int64 => $self.$method($array.as_primitive::<arrow::datatypes::Int64Type>()),
            arrow::datatypes::DataType::UInt8 => $self.$method($array.as_primitive::<arrow::datatypes::UInt8Type>()),
            arrow::datatypes::DataType::UInt16 => $self.$method($array.as_primitive::<arrow::datatypes::UInt16Type>()),
            arrow::datatypes::DataType::UInt32 => $self.$method($array.as_primitive::<arrow::datatypes::UInt32Type>()),
            _ => $self.$method($array.as_primitive::<arrow::datatypes::UInt64Type>()),
        }
    };
}
pub(super) use with_integer;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_read_back() {
        assert_eq!(label(30_000.0), "30000");
        assert_eq!(label(-0.25), "-0.25");
        assert_eq!(label(1e300), "1e300");
        for bound in [0.1, 1e15, 1e16, 123_456_789.123, f64::MIN_POSITIVE, f64::MAX, -7.0] {
            assert_eq!(label(bound).parse::<f64>().unwrap().to_bits(), bound.to_bits());
        }
    }
}
