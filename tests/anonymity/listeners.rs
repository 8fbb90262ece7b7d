//! Age, country and gender of real listeners, from the fitted levels to the written table.

use super::{fit, intern};
use crate::real_data::real_data;
use arrow::array::{ArrayRef, BooleanArray, Int32Array, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use backmask::anonymity::models::{KAnonymity, Linkability, Models};
use backmask::anonymity::quality::Loss;
use backmask::anonymity::search::{Found, Problem, exhaustive};
use backmask::anonymity::verify::{Claim, ClassCounter, People};
use backmask::arrow;
use backmask::pipeline::{Fit, Kernel};
use backmask::policy::{HierarchySpec, Quality};
use backmask::units::{K, Share};
use std::sync::Arc;

#[test]
fn twelve_listeners_at_least_share_every_released_row() {
    let Some(path) = real_data("twelve_listeners_at_least_share_every_released_row", "lfm-1b/LFM-1b_users.txt") else { return };
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').from_path(path).unwrap();
    // A part of the people keeps the test fast in debug builds; unknown ages, countries and genders are missing values.
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).take(40_000).collect();
    let text = |index: usize| rows.iter().map(move |row| Some(&row[index]).filter(|value| !value.is_empty()));
    let columns: Vec<(&str, ArrayRef, Option<HierarchySpec>)> = vec![
        ("country", Arc::new(text(1).collect::<StringArray>()), None),
        (
            "age",
            Arc::new(text(2).map(|age| age.and_then(|age| age.parse().ok()).filter(|&age: &i32| age >= 0)).collect::<Int32Array>()),
            Some(HierarchySpec::Intervals { widths: vec![5.0, 10.0, 20.0], origin: 0.0 }),
        ),
        ("gender", Arc::new(text(3).collect::<StringArray>()), None),
    ];
    let users: ArrayRef = Arc::new(text(0).collect::<StringArray>());
    let fitted = fit(&columns, Some(users.as_ref()));
    assert!(fitted.tuples.one_row_each());
    let models = Models::new().and(KAnonymity { k: K::new(12).unwrap(), linkability: Linkability::Linked });
    let metric = Loss::new(&Quality::default(), &["country", "age", "gender"]).unwrap();
    let problem = Problem::new(&fitted.tuples, &fitted.hierarchies, &models, &metric, Share::new(0.05).unwrap()).unwrap();
    let outcome = exhaustive(&problem).unwrap();
    assert_eq!((outcome.nodes, outcome.checked), (20, 20));
    let Found::Transformation(best) = outcome.found else { panic!("{:?}", outcome.found) };
    assert!(best.suppressed_rows <= 2_000 && best.smallest_subjects() >= Some(12));

    // The table as it would be written, and what it shows.
    let codes: Vec<Vec<u32>> = columns.iter().map(|(name, array, _)| intern(name, array.as_ref()).1).collect();
    let kept: BooleanArray = (0..rows.len())
        .map(|row| {
            let tuple: Vec<u32> = codes.iter().map(|codes| codes[row]).collect();
            Some(!best.is_suppressed(fitted.tuples.find(&tuple).unwrap()))
        })
        .collect();
    let generalized = columns
        .iter()
        .zip(&fitted.hierarchies)
        .zip(&best.levels)
        .map(|(((name, array, _), hierarchy), &level)| (*name, hierarchy.kernel(level).unwrap().apply(array.as_ref()).unwrap(), true));
    let table = RecordBatch::try_from_iter_with_nullable(generalized.chain([("token", users, false)])).unwrap();
    let table = filter_record_batch(&table, &kept).unwrap();
    assert_eq!(table.num_rows() as u64, best.rows - best.suppressed_rows);
    let mut counter = ClassCounter::new(["country", "age", "gender"], People::Token("token".into()));
    for start in (0..table.num_rows()).step_by(7_000) {
        counter.observe(&table.slice(start, 7_000.min(table.num_rows() - start))).unwrap();
    }
    let report = counter.finish().unwrap();
    assert_eq!(report.classes, best.classes.len() as u64);
    assert_eq!(report.smallest_subjects, best.smallest_subjects());
    assert_eq!(report.claim(12), Claim::Subject { achieved: best.smallest_subjects().unwrap() });
    let rows_in_classes: u64 = report.class_size_histogram.iter().map(|(size, classes)| size * classes).sum();
    assert_eq!(rows_in_classes, report.rows);
}
