//! What every hierarchy promises, for every kind: level 0 is the value, levels are nested, the last says nothing.

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, StringArray};
use backmask::anonymity::hierarchy::{Generalize, Hierarchy, Scheme, Unknown};
use backmask::arrow;
use backmask::pipeline::Kernel;
use backmask::policy::{DateUnit, Direction, HierarchySpec, Missing};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

/// Why labels by level and leaf are no hierarchy, if they are not.
fn broken(levels: &[Vec<Option<String>>]) -> Option<String> {
    for (level, pair) in levels.windows(2).enumerate() {
        let mut parents = BTreeMap::new();
        for (low, high) in pair[0].iter().zip(&pair[1]) {
            if parents.entry(low).or_insert(high) != &high {
                return Some(format!("levels {level} and {} are not nested", level + 1));
            }
        }
    }
    if levels.iter().any(|level| level.len() != levels[0].len()) {
        return Some("a leaf has no label".to_owned());
    }
    let last: BTreeSet<_> = levels.last()?.iter().collect();
    (last.len() > 1).then(|| "the last level still tells values apart".to_owned())
}

/// Labels by level and leaf, from the codes.
fn by_codes(hierarchy: &Hierarchy) -> Vec<Vec<Option<String>>> {
    let of_level = |level: &backmask::anonymity::hierarchy::Level| {
        let labels: Vec<Option<&str>> = level.labels().iter().collect();
        level.codes().iter().map(|&code| labels[code as usize].map(str::to_owned)).collect()
    };
    hierarchy.levels().iter().map(of_level).collect()
}

/// The same from applying every level to the values.
fn by_kernel(scheme: &Scheme, values: &dyn Array) -> Vec<Vec<Option<String>>> {
    let of_level = |level| {
        let labels = Generalize::new(scheme.clone(), level).unwrap().apply(values).unwrap();
        labels.as_string::<i32>().iter().map(|label| label.map(str::to_owned)).collect()
    };
    (1..=scheme.height()).map(of_level).collect()
}

fn file(content: &str) -> (tempfile::NamedTempFile, HierarchySpec) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    let path = file.path().to_string_lossy().into_owned();
    (file, HierarchySpec::File { path, delimiter: ';' })
}

fn distinct<T: Ord + Clone>(values: &[T]) -> Vec<T> {
    values.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Values and a hierarchy of some kind over them.
fn kinds() -> impl Strategy<Value = (ArrayRef, HierarchySpec, Vec<u64>)> {
    let numbers = (
        prop::collection::vec(-400..400_i32, 1..30),
        1..8_u32,
        2..5_u32,
        -20..20_i32,
        prop::option::of(-200..0_i32),
        prop::option::of(0..300_i32),
    )
        .prop_map(|(values, width, factor, origin, bottom, top)| {
            let values: Vec<f64> = distinct(&values).into_iter().map(|value| f64::from(value) / 4.0).collect();
            let widths = vec![f64::from(width) / 8.0, f64::from(width * factor) / 8.0, f64::from(width * factor * 3) / 8.0];
            let code = |code: Option<i32>| code.map(|code| f64::from(code) / 8.0);
            let spec = HierarchySpec::BoundedIntervals { widths, origin: f64::from(origin), bottom: code(bottom), top: code(top) };
            (Arc::new(Float64Array::from(values)) as ArrayRef, spec)
        })
        .boxed();
    let texts = prop::collection::vec("[a-cé日*]{0,5}", 1..20).prop_map(|values| distinct(&values));
    let masks = (texts.clone(), any::<bool>())
        .prop_map(|(values, left)| {
            let direction = if left { Direction::Left } else { Direction::Right };
            (Arc::new(StringArray::from(values)) as ArrayRef, HierarchySpec::Mask(direction))
        })
        .boxed();
    let ordered = (texts.clone(), 2..4_usize, 2..4_usize)
        .prop_map(|(values, first, factor)| {
            let list = values.iter().rev().cloned().collect();
            (Arc::new(StringArray::from(values)) as ArrayRef, HierarchySpec::Ordered { values: list, sizes: vec![first, first * factor] })
        })
        .boxed();
    let priority = (texts, 2..20_u64, 1..20_u64)
        .prop_map(|(values, few, more)| (Arc::new(StringArray::from(values)) as ArrayRef, HierarchySpec::Priority(vec![few, few + more])))
        .boxed();
    let units = vec![
        vec![DateUnit::Day, DateUnit::Week],
        vec![DateUnit::Month, DateUnit::Quarter, DateUnit::Year, DateUnit::Decade],
        vec![DateUnit::Day, DateUnit::Month, DateUnit::Decade],
    ];
    let dates = (prop::collection::vec(-200_000..200_000_i32, 1..20), prop::sample::select(units))
        .prop_map(|(values, units)| (Arc::new(Date32Array::from(distinct(&values))) as ArrayRef, HierarchySpec::Dates(units)))
        .boxed();
    (prop_oneof![numbers, masks, ordered, priority, dates], prop::collection::vec(0..40_u64, 40))
        .prop_map(|((values, spec), people)| (values, spec, people))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn levels_are_nested_and_the_last_says_nothing((values, spec, people) in kinds(), has_nulls in any::<bool>()) {
        let hierarchy = Hierarchy::build_with_people("c", &spec, values.as_ref(), &people[..values.len()], has_nulls);
        let hierarchy = match hierarchy {
            Ok(hierarchy) => hierarchy,
            // Names of groups that would be equal are refused.
            Err(error) => {
                prop_assert!(error.to_string().contains("same name"), "{}", error);
                return Ok(());
            }
        };
        let labels = by_codes(&hierarchy);
        prop_assert_eq!(broken(&labels), None);
        prop_assert_eq!(labels[0].iter().collect::<BTreeSet<_>>().len(), hierarchy.leaves(), "level 0 is the value as it is");
        for level in hierarchy.levels() {
            prop_assert_eq!(level.sizes().iter().sum::<u64>(), hierarchy.domain());
        }
        // The stored scheme gives the same labels, missing values included.
        let stored: Scheme = serde_json::from_str(&serde_json::to_string(hierarchy.scheme()).unwrap()).unwrap();
        prop_assert_eq!(&stored, hierarchy.scheme());
        let nulls = arrow::array::new_null_array(values.data_type(), usize::from(has_nulls));
        let all = arrow::compute::concat(&[values.as_ref(), nulls.as_ref()]).unwrap();
        prop_assert_eq!(&by_kernel(&stored, all.as_ref())[..], &labels[1..]);
    }

    #[test]
    fn top_and_bottom_hold_their_values(numbers in prop::collection::vec(-100..100_i64, 1..20), bottom in -50..0_i32, top in 0..50_i32) {
        let numbers = distinct(&numbers);
        let spec = HierarchySpec::BoundedIntervals {
            widths: vec![3.0, 12.0], origin: 1.0, bottom: Some(f64::from(bottom) - 0.5), top: Some(f64::from(top)),
        };
        let hierarchy = Hierarchy::build("c", &spec, &Int64Array::from(numbers.clone()), false).unwrap();
        for level in 1..=2 {
            for (number, label) in numbers.iter().zip(&by_codes(&hierarchy)[level]) {
                let label = label.as_ref().unwrap();
                if *number < i64::from(bottom) {
                    prop_assert_eq!(label, &format!("< {}", f64::from(bottom) - 0.5));
                } else if *number >= i64::from(top) {
                    prop_assert_eq!(label, &format!("≥ {top}"));
                } else {
                    let (low, high) = label.trim_matches(['[', ')']).split_once(", ").unwrap();
                    let (low, high): (f64, f64) = (low.parse().unwrap(), high.parse().unwrap());
                    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                    let number = *number as f64;
                    prop_assert!(low <= number && number < high && low >= f64::from(bottom) - 0.5 && high <= f64::from(top));
                }
            }
        }
    }
}

#[test]
fn what_is_no_hierarchy_is_caught() {
    let levels = |levels: &[&[&str]]| -> Vec<Vec<Option<String>>> {
        levels.iter().map(|level| level.iter().map(|&label| Some(label.to_owned())).collect()).collect()
    };
    assert_eq!(broken(&levels(&[&["a", "b", "c"], &["x", "x", "y"], &["*", "*", "*"]])), None);
    assert!(broken(&levels(&[&["a", "b", "c"], &["x", "x", "y"], &["*", "z", "*"]])).is_some());
    assert!(broken(&levels(&[&["a", "b"], &["x", "x"], &["p", "q"]])).is_some());
    assert!(broken(&levels(&[&["a", "b"], &["x"]])).is_some());
    assert!(broken(&levels(&[&["a", "b"], &["x", "y"]])).is_some());
    // A function that is no hierarchy is refused, without its labels.
    let values = StringArray::from(vec!["a1", "b2"]);
    let error = Hierarchy::from_fn("c", &values, false, |value| vec!["secret".to_owned(), value.to_owned()]).unwrap_err().to_string();
    assert!(error.contains("level 1") && !error.contains("secret"), "{error}");
    assert!(Hierarchy::from_fn("c", &values, false, |value| vec!["x".to_owned(); value.len() + usize::from(value == "a1")]).is_err());
}

#[test]
fn three_hundred_levels_work() {
    let long = StringArray::from(vec!["x".repeat(300), format!("{}y", "x".repeat(299)), "é".repeat(300)]);
    let mask = Hierarchy::build("c", &HierarchySpec::Mask(Direction::Right), &long, true).unwrap();
    assert_eq!(mask.height(), 300);
    assert_eq!(broken(&by_codes(&mask)), None);
    let mut content = String::new();
    for leaf in 0..400_u32 {
        write!(content, "{leaf}").unwrap();
        for level in 1..=300_u32 {
            write!(content, ";{}", if leaf < level { "low".to_owned() } else { leaf.to_string() }).unwrap();
        }
        content.push('\n');
    }
    let (_file, spec) = file(&content);
    let values = Int64Array::from((0..400).collect::<Vec<_>>());
    let hierarchy = Hierarchy::build("c", &spec, &values, false).unwrap();
    assert_eq!(hierarchy.height(), 301);
    assert_eq!(broken(&by_codes(&hierarchy)), None);
    let made = Hierarchy::from_fn("c", &values, false, |value| {
        let leaf: u32 = value.parse().unwrap();
        (1..=300).map(|level| if leaf < level { "low".to_owned() } else { leaf.to_string() }).collect()
    });
    assert_eq!(by_codes(&made.unwrap()), by_codes(&hierarchy));
}

#[test]
fn a_value_is_never_given_the_label_of_another() {
    let known = StringArray::from(vec!["a", "b", "c"]);
    let (_file, from_file) = file("a;x;*\nb;x;*\nc;y;*\n");
    let ordered = HierarchySpec::Ordered { values: vec!["a".into(), "b".into(), "c".into()], sizes: vec![2] };
    let priority = HierarchySpec::Priority(vec![5]);
    let mut all: Vec<Hierarchy> = [from_file, ordered, priority]
        .iter()
        .map(|spec| Hierarchy::build_with_people("c", spec, &known, &[9, 9, 1], false).unwrap())
        .collect();
    all.push(Hierarchy::from_fn("c", &known, false, |value| vec![if value == "c" { "y" } else { "x" }.to_owned()]).unwrap());
    let new = StringArray::from(vec![Some("a"), Some("secret"), None, Some("hidden"), Some("secret")]);
    for hierarchy in all {
        let error = hierarchy.kernel(1).unwrap().apply(&new).unwrap_err().to_string();
        assert!(error.contains("2 distinct values") && !error.contains("secret"), "{error}");
        let scheme = hierarchy.scheme().clone().with_unknown(Unknown::Suppress);
        let scheme: Scheme = serde_json::from_str(&serde_json::to_string(&scheme).unwrap()).unwrap();
        let labels = by_kernel(&scheme, &new);
        let old = by_kernel(hierarchy.scheme(), &known);
        for (new, old) in labels.iter().zip(&old).take(1) {
            assert_eq!(new[0], old[0]);
            assert_eq!((&new[1], &new[2], &new[3]), (&Some("*".to_owned()), &None, &Some("*".to_owned())));
        }
    }
    // Numbers and dates that lie nowhere.
    let intervals =
        Hierarchy::build("c", &HierarchySpec::Intervals { widths: vec![5.0], origin: 0.0 }, &Float64Array::from(vec![1.0]), true);
    let scheme = intervals.unwrap().scheme().clone().with_unknown(Unknown::Suppress);
    let labels = by_kernel(&scheme, &Float64Array::from(vec![f64::NAN, f64::INFINITY, 7.0]));
    assert_eq!(labels[0], ["*", "*", "[5, 10)"].map(|label| Some(label.to_owned())));
}

#[test]
fn missing_values_are_a_leaf_or_an_error() {
    let values = StringArray::from(vec!["a", "b"]);
    let with = |nulls| Hierarchy::build("c", &HierarchySpec::Mask(Direction::Right), &values, nulls).unwrap();
    assert_eq!(with(true).with_missing(Missing::OwnLeaf).unwrap().missing(), Some(2));
    assert!(with(true).with_missing(Missing::Error).is_err());
    let strict = with(false).with_missing(Missing::Error).unwrap();
    let new = StringArray::from(vec![Some("a"), None, None]);
    let stored: Scheme = serde_json::from_str(&serde_json::to_string(strict.scheme()).unwrap()).unwrap();
    for level in 0..=strict.height() {
        let error = Generalize::new(stored.clone(), level).unwrap().apply(&new).unwrap_err().to_string();
        assert!(error.contains('2'), "{error}");
        assert!(with(false).kernel(level).unwrap().apply(&new).is_ok());
    }
}
