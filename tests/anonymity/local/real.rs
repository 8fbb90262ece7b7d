//! Mondrian on the Adult data set.

use super::on;
use crate::real_data::real_data;
use arrow::array::{Array, ArrayRef};
use arrow::compute::concat_batches;
use backmask::anonymity::classes::TupleBuilder;
use backmask::anonymity::hierarchy::Hierarchy;
use backmask::anonymity::local::{Dimension, Found, RowTable, mondrian, mondrian_relaxed};
use backmask::anonymity::models::{KAnonymity, Linkability, Models};
use backmask::arrow;
use backmask::units::K;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::sync::Arc;

/// The measure of the published comparison of Python packages: a numpy Mondrian has .0188 and 1,342 classes, the best package .036.
#[test]
fn adult_is_recoded_as_well_as_by_the_reference() {
    let Some(path) = real_data("adult_is_recoded_as_well_as_by_the_reference", "adult/adult_30k.parquet") else { return };
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap().build().unwrap();
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    let batch = concat_batches(&batches[0].schema(), &batches).unwrap();
    let (mut dimensions, mut codes) = (Vec::new(), Vec::new());
    for name in ["age", "education_num", "marital", "race", "sex"] {
        let array: ArrayRef = Arc::clone(batch.column_by_name(name).unwrap());
        let (values, of_column) = super::intern(name, array.as_ref());
        let hierarchy = Hierarchy::flat(name, values.as_ref(), array.null_count() > 0).unwrap();
        dimensions.push(Dimension::new(&hierarchy, &values).unwrap());
        codes.push(of_column);
    }
    let slices: Vec<&[u32]> = codes.iter().map(Vec::as_slice).collect();
    let models = Models::new().and(KAnonymity { k: K::new(10).unwrap(), linkability: Linkability::Unlinked });
    let mut builder = TupleBuilder::new(5);
    builder.extend(&slices, None).unwrap();
    let Found::Recoding(strict) = mondrian(&builder.finish().unwrap(), &dimensions, &models, on(1)).unwrap() else { panic!() };
    assert!(strict.certainty_penalty() <= 0.019, "{}", strict.certainty_penalty());
    assert!(strict.len() >= 1_342 && strict.smallest_subjects() >= Some(10), "{}", strict.len());
    let mut rows = RowTable::new(5, 0);
    let keys: Vec<u64> = (0..batch.num_rows() as u64).map(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    rows.extend(&slices, &[], None, &keys).unwrap();
    let Found::Recoding(relaxed) = mondrian_relaxed(&rows.finish().unwrap(), &dimensions, &models, on(2)).unwrap() else { panic!() };
    assert!(relaxed.smallest_subjects() >= Some(10));
}
