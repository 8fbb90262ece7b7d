//! Several accumulators that share one pass: tuples and vectors of [`Fit`]s are [`Fit`]s.

use super::Fit;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, LargeListArray, RecordBatch, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, Fields};
use std::sync::Arc;

/// The state of one accumulator as a single row, so that states of different lengths stand beside each other.
fn pack(state: Vec<ArrayRef>) -> Result<ArrayRef> {
    let length = state.first().map_or(0, Array::len);
    let fields: Fields = state.iter().enumerate().map(|(i, array)| Field::new(i.to_string(), array.data_type().clone(), true)).collect();
    let columns = StructArray::try_new_with_length(fields, state, None, length)
        .map_err(|e| Error::arrow("packing the state of an accumulator", &e))?;
    let item = Arc::new(Field::new_list_field(columns.data_type().clone(), true));
    let packed = LargeListArray::try_new(item, OffsetBuffer::from_lengths([length]), Arc::new(columns), None);
    Ok(Arc::new(packed.map_err(|e| Error::arrow("packing the state of an accumulator", &e))?))
}

/// Merges every packed row into `fit`.
fn unpack_into<F: Fit>(fit: &mut F, packed: Option<&ArrayRef>) -> Result<()> {
    let rows = packed.and_then(|array| array.as_list_opt::<i64>()).ok_or_else(not_a_state)?;
    for row in 0..rows.len() {
        let state = rows.value(row);
        fit.merge_state(state.as_struct_opt().ok_or_else(not_a_state)?.columns())?;
    }
    Ok(())
}

fn not_a_state() -> Error {
    Error::Arrow { context: "merging the state of an accumulator".to_owned(), kind: "the arrays are not such a state".to_owned() }
}

impl<F: Fit> Fit for Vec<F> {
    type Output = Vec<F::Output>;

    fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        self.iter_mut().try_for_each(|fit| fit.observe(batch))
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        if self.len() != other.len() {
            return Err(Error::Parameter { name: "accumulators", problem: "two vectors of different lengths cannot be merged".to_owned() });
        }
        self.iter_mut().zip(other).try_for_each(|(fit, other)| fit.merge(other))
    }

    fn state(&self) -> Result<Vec<ArrayRef>> {
        self.iter().map(|fit| pack(fit.state()?)).collect()
    }

    fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()> {
        if self.len() != state.len() {
            return Err(not_a_state());
        }
        self.iter_mut().zip(state).try_for_each(|(fit, packed)| unpack_into(fit, Some(packed)))
    }

    fn finish(self) -> Result<Self::Output> {
        self.into_iter().map(Fit::finish).collect()
    }
}

macro_rules! together {
    ($($fit:ident . $index:tt),+) => {
        impl<$($fit: Fit),+> Fit for ($($fit,)+) {
            type Output = ($($fit::Output,)+);

            fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
                $(self.$index.observe(batch)?;)+
                Ok(())
            }

            fn merge(&mut self, other: Self) -> Result<()> {
                $(self.$index.merge(other.$index)?;)+
                Ok(())
            }

            fn state(&self) -> Result<Vec<ArrayRef>> {
                Ok(vec![$(pack(self.$index.state()?)?),+])
            }

            fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()> {
                $(unpack_into(&mut self.$index, state.get($index))?;)+
                Ok(())
            }

            fn finish(self) -> Result<Self::Output> {
                Ok(($(self.$index.finish()?,)+))
            }
        }
    };
}

together!(A.0, B.1);
together!(A.0, B.1, C.2);
together!(A.0, B.1, C.2, D.3);
together!(A.0, B.1, C.2, D.3, E.4);
together!(A.0, B.1, C.2, D.3, E.4, F.5);

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, UInt64Array};
    use arrow::datatypes::{Int64Type, UInt64Type};
    use std::collections::BTreeSet;

    /// Counts rows.
    #[derive(Debug, Default)]
    struct Rows(u64);

    impl Fit for Rows {
        type Output = u64;
        fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
            self.0 += batch.num_rows() as u64;
            Ok(())
        }
        fn merge(&mut self, other: Self) -> Result<()> {
            self.0 += other.0;
            Ok(())
        }
        fn state(&self) -> Result<Vec<ArrayRef>> {
            Ok(vec![Arc::new(UInt64Array::from(vec![self.0]))])
        }
        fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()> {
            self.0 += state[0].as_primitive::<UInt64Type>().values().iter().sum::<u64>();
            Ok(())
        }
        fn finish(self) -> Result<u64> {
            Ok(self.0)
        }
    }

    /// Distinct values; its state is as long as there are values.
    #[derive(Debug, Default)]
    struct Distinct(BTreeSet<i64>);

    impl Fit for Distinct {
        type Output = BTreeSet<i64>;
        fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
            self.0.extend(batch.column(0).as_primitive::<Int64Type>().iter().flatten());
            Ok(())
        }
        fn merge(&mut self, other: Self) -> Result<()> {
            self.0.extend(other.0);
            Ok(())
        }
        fn state(&self) -> Result<Vec<ArrayRef>> {
            Ok(vec![Arc::new(Int64Array::from_iter_values(self.0.iter().copied()))])
        }
        fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()> {
            self.0.extend(state[0].as_primitive::<Int64Type>().iter().flatten());
            Ok(())
        }
        fn finish(self) -> Result<BTreeSet<i64>> {
            Ok(self.0)
        }
    }

    fn batch(values: Vec<i64>) -> RecordBatch {
        RecordBatch::try_from_iter([("x", Arc::new(Int64Array::from(values)) as ArrayRef)]).unwrap()
    }

    #[test]
    fn one_pass_serves_all_and_states_survive_being_appended() {
        let make = || (Rows::default(), Distinct::default(), vec![Rows::default(), Rows::default()]);
        let (mut a, mut b, empty) = (make(), make(), make());
        a.observe(&batch(vec![1, 2, 1])).unwrap();
        b.observe(&batch(vec![2, 3])).unwrap();
        let appended: Vec<ArrayRef> = [a.state().unwrap(), empty.state().unwrap(), b.state().unwrap()]
            .into_iter()
            .reduce(|left, right| {
                left.iter().zip(&right).map(|(l, r)| arrow::compute::concat(&[l.as_ref(), r.as_ref()]).unwrap()).collect()
            })
            .unwrap();
        let mut shipped = make();
        shipped.merge_state(&appended).unwrap();
        a.merge(b).unwrap();
        let expected = (5, BTreeSet::from([1, 2, 3]), vec![5, 5]);
        assert_eq!(shipped.finish().unwrap(), expected);
        assert_eq!(a.finish().unwrap(), expected);
    }

    #[test]
    fn foreign_states_are_refused() {
        let mut pair = (Rows::default(), Distinct::default());
        assert!(pair.merge_state(&[]).is_err());
        assert!(pair.merge_state(&Rows::default().state().unwrap()).is_err());
        assert!(vec![Rows::default()].merge(vec![]).is_err());
        assert!(vec![Rows::default()].merge_state(&[]).is_err());
    }
}
