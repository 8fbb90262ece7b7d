//! Tests of `anonymity` from outside the crate.

#![expect(clippy::unwrap_used, reason = "a failed step fails its test, in helpers too")]
#![expect(clippy::cast_precision_loss, reason = "the counts of tests are small")]

mod achieved;
mod adult;
mod broken;
mod hierarchies;
mod listeners;
mod local;
mod metric_values;
mod metrics;
mod models;
mod optima;
mod oracle;
mod recount;
mod search;
mod tables;

use arrow::array::{Array, ArrayRef};
use backmask::anonymity::classes::{TupleBuilder, Tuples};
use backmask::anonymity::hierarchy::Hierarchy;
use backmask::arrow;
use backmask::io::table::ColumnInterner;
use backmask::policy::HierarchySpec;

/// Columns fitted and counted: what every search starts from.
struct Fitted {
    hierarchies: Vec<Hierarchy>,
    tuples: Tuples,
}

/// Fits the columns (with or without a declared hierarchy) and counts the tuples of their rows.
fn fit(columns: &[(&str, ArrayRef, Option<HierarchySpec>)], subjects: Option<&dyn Array>) -> Fitted {
    let mut hierarchies = Vec::new();
    let mut all_codes = Vec::new();
    for (name, array, spec) in columns {
        let (values, codes) = intern(name, array.as_ref());
        let nulls = array.logical_null_count() > 0;
        hierarchies.push(match spec {
            Some(spec) => Hierarchy::build(name, spec, values.as_ref(), nulls).unwrap(),
            None => Hierarchy::flat(name, values.as_ref(), nulls).unwrap(),
        });
        all_codes.push(codes);
    }
    let subjects = subjects.map(|subjects| intern("subject", subjects).1);
    let mut builder = TupleBuilder::new(columns.len());
    let codes: Vec<&[u32]> = all_codes.iter().map(Vec::as_slice).collect();
    builder.extend(&codes, subjects.as_deref()).unwrap();
    Fitted { hierarchies, tuples: builder.finish().unwrap() }
}

fn intern(name: &str, array: &dyn Array) -> (ArrayRef, Vec<u32>) {
    let mut interner = ColumnInterner::new(name, array.data_type()).unwrap();
    let mut codes = Vec::new();
    interner.extend(array, &mut codes).unwrap();
    (interner.values().unwrap(), codes)
}
