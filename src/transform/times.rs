//! What the treatments of times share.

use crate::error::{Error, Result};
use crate::pipeline::UNNAMED;
use arrow::array::{Array, ArrowPrimitiveType, AsArray, Int64Array};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};

pub(super) fn no_times(what: &str) -> Error {
    Error::column(
        UNNAMED,
        format!("does not hold times and cannot be {what}"),
        "cast the column to a timestamp or a date, or give it another treatment",
    )
}

/// In what the whole numbers of a time column count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum TickUnit {
    Day = 0,
    Second = 1,
    Millisecond = 2,
    Microsecond = 3,
    Nanosecond = 4,
}

impl TickUnit {
    /// Of a column of this type.
    pub(super) fn of(data_type: &DataType, what: &str) -> Result<Self> {
        Ok(match data_type {
            DataType::Date32 => Self::Day,
            DataType::Timestamp(TimeUnit::Second, _) => Self::Second,
            DataType::Date64 | DataType::Timestamp(TimeUnit::Millisecond, _) => Self::Millisecond,
            DataType::Timestamp(TimeUnit::Microsecond, _) => Self::Microsecond,
            DataType::Timestamp(TimeUnit::Nanosecond, _) => Self::Nanosecond,
            _ => return Err(no_times(what)),
        })
    }

    /// The unit with this number.
    pub(super) fn from_code(code: u8) -> Option<Self> {
        [Self::Day, Self::Second, Self::Millisecond, Self::Microsecond, Self::Nanosecond].get(usize::from(code)).copied()
    }

    /// Ticks of one day.
    pub(super) fn per_day(self) -> i64 {
        match self {
            Self::Day => 1,
            Self::Second => 86_400,
            Self::Millisecond => 86_400_000,
            Self::Microsecond => 86_400_000_000,
            Self::Nanosecond => 86_400_000_000_000,
        }
    }

    /// Whole milliseconds from `start` to `end`, rounded down; `None` if that is more than an `i64` holds.
    pub(super) fn milliseconds_between(self, start: i64, end: i64) -> Option<i64> {
        let ticks = i128::from(end) - i128::from(start);
        let milliseconds = match self {
            Self::Day => ticks * 86_400_000,
            Self::Second => ticks * 1_000,
            Self::Millisecond => ticks,
            Self::Microsecond => ticks.div_euclid(1_000),
            Self::Nanosecond => ticks.div_euclid(1_000_000),
        };
        i64::try_from(milliseconds).ok()
    }
}

/// The whole numbers of a time column (without dictionary encoding).
pub(super) fn ticks(array: &dyn Array, what: &str) -> Result<Int64Array> {
    fn raw<T: ArrowPrimitiveType<Native = i64>>(array: &dyn Array) -> Int64Array {
        array.as_primitive::<T>().reinterpret_cast()
    }
    Ok(match array.data_type() {
        DataType::Date32 => array.as_primitive::<Date32Type>().unary(i64::from),
        DataType::Date64 => raw::<Date64Type>(array),
        DataType::Timestamp(TimeUnit::Second, _) => raw::<TimestampSecondType>(array),
        DataType::Timestamp(TimeUnit::Millisecond, _) => raw::<TimestampMillisecondType>(array),
        DataType::Timestamp(TimeUnit::Microsecond, _) => raw::<TimestampMicrosecondType>(array),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => raw::<TimestampNanosecondType>(array),
        _ => return Err(no_times(what)),
    })
}
