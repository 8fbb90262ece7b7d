//! Tables that are made to break it.

use super::{Asked, Table, WAYS, Way, lenient, on};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, StringArray};
use arrow::datatypes::Float64Type;
use backmask::anonymity::classes::TupleBuilder;
use backmask::anonymity::hierarchy::Hierarchy;
use backmask::anonymity::local::{Dimension, DimensionKind, Found, LocalRecoding, Regions, RowTable, mondrian, mondrian_relaxed};
use backmask::anonymity::models::{KAnonymity, KMap, Linkability, Models};
use backmask::arrow;
use backmask::units::K;
use std::sync::Arc;

fn table(ages: Vec<Option<i32>>) -> Table {
    let rows = ages.len();
    Table {
        places: vec![Some("AA".to_owned()); rows],
        plans: vec![Some("free".to_owned()); rows],
        moods: vec![0; rows],
        people: Vec::new(),
        keys: (0..rows as u64).map(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect(),
        ages,
    }
}

const FIVE: Asked = Asked { k: 5, linkability: Linkability::Unlinked, diversity: None };

fn five() -> Models {
    Models::new().and(KAnonymity { k: K::new(5).unwrap(), linkability: Linkability::Unlinked })
}

fn sound(table: &Table, way: Way, asked: Asked, threads: usize) -> (Box<LocalRecoding>, Vec<u32>) {
    let (found, classes) = table.recode(way, asked.k, &asked.models(), lenient(threads));
    let Found::Recoding(recoding) = found else { panic!("{way:?}: {found:?}") };
    let truthful = matches!(way, Way::Strict | Way::Relaxed | Way::Rounds);
    assert_eq!(table.complaint(&Table::released(&recoding, &classes), asked, truthful), None, "{way:?}");
    (recoding, classes)
}

/// One column on its own.
fn one(values: &ArrayRef, kind: Option<DimensionKind>) -> (Vec<String>, Box<LocalRecoding>) {
    let (distinct, codes) = super::intern("x", values.as_ref());
    let hierarchy = Hierarchy::flat("x", distinct.as_ref(), values.logical_null_count() > 0).unwrap();
    let dimension = match kind {
        Some(kind) => Dimension::with_kind(&hierarchy, &distinct, kind).unwrap(),
        None => Dimension::new(&hierarchy, &distinct).unwrap(),
    };
    let mut builder = TupleBuilder::new(1);
    builder.extend(&[&codes], None).unwrap();
    let Found::Recoding(recoding) = mondrian(&builder.finish().unwrap(), &[dimension], &five(), on(1)).unwrap() else { panic!() };
    let labels = recoding.labels(0).unwrap();
    (labels.as_string::<i32>().iter().map(|label| label.unwrap_or("-").to_owned()).collect(), recoding)
}

#[test]
fn rows_that_are_all_equal_are_one_class() {
    for way in WAYS {
        let (recoding, _) = sound(&table(vec![Some(30); 200]), way, FIVE, 1);
        assert_eq!((recoding.len(), recoding.suppressed_rows()), (1, 0), "{way:?}");
        assert!(recoding.certainty_penalty().abs() < 1e-12, "nothing is lost: {way:?}");
    }
}

#[test]
fn rows_that_are_all_different_are_cut_evenly() {
    for way in [Way::Strict, Way::Relaxed] {
        let (recoding, _) = sound(&table((0..160).map(Some).collect()), way, FIVE, 1);
        assert_eq!(recoding.len(), 32, "five each: {way:?}");
        let label = recoding.labels(0).unwrap();
        assert_eq!(label.as_string::<i32>().value(0), "[0, 4]");
    }
}

#[test]
fn fewer_rows_than_k_are_refused_with_the_nearest_miss() {
    for way in WAYS {
        let (found, _) = table(vec![Some(1); 4]).recode(way, 5, &five(), on(1));
        let Found::Nothing(shortfall) = found else { panic!("{way:?}") };
        let error = shortfall.into_error("people").to_string();
        assert!(error.contains("people") && error.contains('4'), "{error}");
        let (found, _) = table(Vec::new()).recode(way, 5, &five(), on(1));
        let Found::Recoding(nothing) = found else { panic!("an empty table has an empty release: {way:?}") };
        assert!(nothing.is_empty());
    }
}

#[test]
fn missing_values_everywhere_stay_missing() {
    let mut missing = table(vec![None; 30]);
    missing.places = vec![None; 30];
    missing.plans = vec![None; 30];
    for way in WAYS {
        let (recoding, classes) = sound(&missing, way, FIVE, 1);
        assert_eq!(recoding.len(), 1, "{way:?}");
        assert_eq!(Table::released(&recoding, &classes)[0], Some([None, None, None]), "{way:?}");
    }
}

#[test]
fn missing_values_among_others_show() {
    // Two missing values cannot be a class of their own.
    let ages = (0..10).map(|age| Some(20 + age % 3)).chain([None, None]).collect::<Vec<_>>();
    let (labels, recoding) = one(&(Arc::new(Int64Array::from(ages)) as ArrayRef), None);
    assert_eq!(recoding.suppressed_rows(), 0);
    assert!(labels.contains(&"*".to_owned()) || labels.iter().any(|label| label.ends_with("(missing)}")), "{labels:?}");
    let plans: ArrayRef = Arc::new(StringArray::from([vec![Some("a, b"); 3], vec![None; 2], vec![Some("c"); 9]].concat()));
    let (mut labels, _) = one(&plans, None);
    labels.sort();
    assert_eq!(labels, ["c", "{a\\, b, (missing)}"]);
}

#[test]
fn a_person_who_owns_half_of_the_rows_is_not_released_with_few_others() {
    let mut heavy = table((0..40).map(|row| Some(row % 10)).collect());
    heavy.people = (0..40).map(|row| if row % 2 == 0 { 0 } else { row }).collect();
    for way in [Way::Strict, Way::Relaxed, Way::Groups(super::Representative::Interval)] {
        let (found, _) = heavy.recode(way, 5, &five(), on(1));
        let Found::Nothing(shortfall) = found else { panic!("20 of 40 rows are more than a fifth: {way:?}") };
        assert_eq!(shortfall.whole.max_rows_of_a_subject, 20);
        let asked = Asked { k: 2, ..FIVE };
        sound(&heavy, way, asked, 1);
        sound(&heavy, way, Asked { linkability: Linkability::Linked, ..FIVE }, 1);
    }
}

#[test]
fn ties_at_the_median_are_split_only_if_relaxed() {
    let ages: Vec<Option<i32>> = [vec![Some(1); 2], vec![Some(5); 16], vec![Some(9); 2]].concat();
    assert_eq!(sound(&table(ages.clone()), Way::Strict, FIVE, 1).0.len(), 1);
    let (relaxed, classes) = sound(&table(ages), Way::Relaxed, FIVE, 1);
    assert_eq!(relaxed.len(), 3, "[1, 5], 5 and [5, 9]");
    assert_eq!([0, 1, 2].map(|class| classes.iter().filter(|&&other| other == class).count()), [5, 10, 5]);
}

#[test]
fn many_categories_are_cut_into_sets() {
    let names: Vec<String> = (0..300).flat_map(|name| vec![format!("name {name:03}"); 1 + name % 3]).collect();
    let (labels, recoding) = one(&(Arc::new(StringArray::from(names.clone())) as ArrayRef), None);
    assert!(recoding.statistics().iter().all(|class| class.rows >= 5 && class.rows < 15));
    let mut members: Vec<&str> = labels.iter().flat_map(|label| label.trim_matches(['{', '}']).split(", ")).collect();
    members.sort_unstable();
    let mut distinct = names.iter().map(String::as_str).collect::<Vec<_>>();
    distinct.dedup();
    assert_eq!(members, distinct, "every name is in one set");
}

#[test]
fn floats_and_the_ends_of_the_integers_are_ordered_exactly() {
    let floats: ArrayRef = Arc::new(Float64Array::from([vec![-0.0; 3], vec![0.0; 3], vec![1.5; 5], vec![-2.0; 2], vec![-2.5; 4]].concat()));
    assert_eq!(one(&floats, None).0, ["[-2.5, -2]", "0", "1.5"]);
    let far = [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX];
    let whole: ArrayRef = Arc::new(Int64Array::from(far.repeat(5)));
    let labels = one(&whole, None).0;
    assert_eq!(labels, ["-9223372036854775808", "-9223372036854775807", "9223372036854775806", "9223372036854775807"]);
    for strange in [f64::NAN, f64::INFINITY] {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, strange]));
        let hierarchy = Hierarchy::flat("x", values.as_ref(), false).unwrap();
        let error = Dimension::new(&hierarchy, &values).unwrap_err().to_string();
        assert!(error.contains("1 distinct value"), "{error}");
    }
}

#[test]
fn text_can_be_ordered() {
    let texts: ArrayRef = Arc::new(StringArray::from(["é", "b", "a", "z"].map(|text| vec![text; 3]).concat()));
    assert_eq!(one(&texts, Some(DimensionKind::Ordered)).0, ["[a, b]", "[z, é]"]);
}

#[test]
fn threads_do_not_matter() {
    let draw = |row: u32, bound: u32| (u64::from(row).wrapping_mul(0x9e37_79b9_7f4a_7c15 + u64::from(bound)) >> 40) as u32 % bound;
    let rows = 40_000;
    let columns: Vec<Vec<u32>> = [5_000, 90, 30].iter().map(|&bound| (0..rows).map(|row| draw(row, bound)).collect()).collect();
    let values = |bound: u32| Arc::new(Int64Array::from_iter_values((0..bound).map(i64::from))) as ArrayRef;
    let texts = Arc::new(StringArray::from_iter_values((0..30).map(|text| text.to_string()))) as ArrayRef;
    let dimensions: Vec<Dimension> = [values(5_000), values(90), texts]
        .iter()
        .map(|values| Dimension::new(&Hierarchy::flat("x", values.as_ref(), false).unwrap(), values).unwrap())
        .collect();
    let slices: Vec<&[u32]> = columns.iter().map(Vec::as_slice).collect();
    let mut builder = TupleBuilder::new(3);
    builder.extend(&slices, None).unwrap();
    let tuples = builder.finish().unwrap();
    let mut table = RowTable::new(3, 0);
    table.extend(&slices, &[], None, &(0..u64::from(rows)).collect::<Vec<_>>()).unwrap();
    let all = table.finish().unwrap();
    let mut seen = Vec::new();
    for threads in [1, 2, 5] {
        let Found::Recoding(strict) = mondrian(&tuples, &dimensions, &five(), on(threads)).unwrap() else { panic!() };
        let Found::Recoding(relaxed) = mondrian_relaxed(&all, &dimensions, &five(), on(threads)).unwrap() else { panic!() };
        assert!(strict.len() > 2_000 && relaxed.len() > 2_000);
        seen.push((strict.of_units().to_vec(), strict.labels(0).unwrap(), relaxed.of_units().to_vec(), relaxed.labels(2).unwrap()));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn new_rows_fall_into_regions_or_outside() {
    let mut table = table((0..40).map(|age| (age % 9 != 8).then_some(age % 20)).collect());
    table.places = (0..40).map(|row| Some(["AA", "AB", "BA", "BB"][row % 4].to_owned())).collect();
    table.plans = (0..40).map(|row| (row % 5 != 4).then(|| ["solo", "free", "family"][row % 3].to_owned())).collect();
    for way in [Way::Strict, Way::Relaxed, Way::Groups(super::Representative::Interval), Way::Rounds] {
        let (recoding, classes) = sound(&table, way, FIVE, 1);
        let stored = serde_json::to_string(&recoding.regions().unwrap()).unwrap();
        let regions: Regions = serde_json::from_str(&stored).unwrap();
        assert_eq!(regions, recoding.regions().unwrap());
        assert_eq!(regions.columns().collect::<Vec<_>>(), ["age", "place", "plan"]);
        let columns = |ages: Vec<Option<i32>>, places: Vec<Option<&str>>, plans: Vec<Option<&str>>| -> [ArrayRef; 3] {
            [Arc::new(Int32Array::from(ages)), Arc::new(StringArray::from(places)), Arc::new(StringArray::from(plans))]
        };
        let old = columns(
            table.ages.clone(),
            table.places.iter().map(Option::as_deref).collect(),
            table.plans.iter().map(Option::as_deref).collect(),
        );
        // Every old row is placed under labels that are true of it.
        let placed = regions.place(&old).unwrap();
        let labels: Vec<_> = (0..3).map(|column| regions.labels(column, &placed).unwrap()).collect();
        for row in (0..table.len()).filter(|&row| classes[row] != LocalRecoding::SUPPRESSED) {
            assert!(placed[row].is_some(), "{way:?}, row {row}");
            for (column, labels) in labels.iter().enumerate() {
                let labels = labels.as_string::<i32>();
                let label = labels.is_valid(row).then(|| labels.value(row));
                assert!(super::contains(label, table.text(column, row).as_deref()), "{way:?}: {label:?}, row {row}");
            }
        }
        // By looking at every class.
        let fitted = table.fit();
        for (row, placed) in placed.iter().enumerate() {
            let codes: Vec<u32> = fitted.codes.iter().map(|column| column[row]).collect();
            let first = (0..recoding.len()).find(|&class| recoding.covers(class, &codes));
            assert_eq!(placed.map(|class| class as usize), first, "{way:?}");
        }
        let strange = columns(vec![Some(99), Some(-1), Some(3)], vec![Some("AA"), Some("AA"), Some("ZZ")], vec![Some("solo"); 3]);
        if way == Way::Strict {
            assert_eq!(regions.place(&strange).unwrap(), [None; 3]);
        } else {
            assert_eq!(regions.place(&strange).unwrap()[2], None, "a place that was not there");
        }
        assert!(regions.place(&strange[..2]).is_err());
        let text: ArrayRef = Arc::new(StringArray::from(vec!["x"; 3]));
        if way != Way::Rounds {
            assert!(regions.place(&[text, Arc::clone(&strange[1]), Arc::clone(&strange[2])]).is_err(), "an age is a number");
        }
        let broken = stored.replace("\"classes\":", "\"classes\":1");
        assert!(serde_json::from_str::<Regions>(&broken).is_err());
    }
    let (means, _) = sound(&table, Way::Groups(super::Representative::Median), FIVE, 1);
    assert!(means.regions().unwrap_err().to_string().contains("interval"));
}

#[test]
fn means_are_those_of_the_groups() {
    let table = table((0..60).map(|row| Some(row * row % 47)).collect());
    let (recoding, classes) = sound(&table, Way::Groups(super::Representative::Median), FIVE, 2);
    let means = recoding.labels(0).unwrap();
    let means = means.as_primitive::<Float64Type>();
    let mut within = 0.0;
    let all: Vec<f64> = table.ages.iter().map(|age| f64::from(age.unwrap())).collect();
    let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
    let center = mean(&all);
    let variance = mean(&all.iter().map(|age| (age - center) * (age - center)).collect::<Vec<_>>());
    for class in 0..recoding.len() {
        let members: Vec<f64> = (0..60).filter(|&row| classes[row] as usize == class).map(|row| all[row]).collect();
        assert!((means.value(class) - mean(&members)).abs() < 1e-9);
        within += members.iter().map(|age| (age - mean(&members)).powi(2)).sum::<f64>() / variance;
    }
    assert!((recoding.within_class_error().unwrap() - within).abs() < 1e-9 * within.max(1.0));
}

#[test]
fn a_population_is_counted_by_strict_mondrian_only() {
    // Four rows of the value 1 fit 5 people, three of the value 7 fit 4; 4 more people have the value 2.
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 7]));
    let hierarchy = Hierarchy::flat("x", values.as_ref(), false).unwrap();
    let dimension = Dimension::new(&hierarchy, &values).unwrap();
    let mut builder = TupleBuilder::new(1);
    builder.extend(&[&[0, 0, 0, 0, 2, 2, 2]], None).unwrap();
    builder.extend_population(&[&[0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]]).unwrap();
    let tuples = builder.finish().unwrap();
    let map = |k| Models::new().and(KMap { k: K::new(k).unwrap() });
    let classes = |k| match mondrian(&tuples, std::slice::from_ref(&dimension), &map(k), on(1)).unwrap() {
        Found::Recoding(recoding) => recoding.len(),
        Found::Nothing(_) => 0,
    };
    assert_eq!((classes(5), classes(6), classes(13), classes(14)), (2, 1, 1, 0));
    let refused = backmask::anonymity::local::local(
        &tuples,
        &[hierarchy],
        &map(4),
        on(1),
        backmask::units::Share::new(1.0).unwrap(),
        |_, _| panic!(),
    );
    assert!(refused.unwrap_err().to_string().contains("population"));
}
