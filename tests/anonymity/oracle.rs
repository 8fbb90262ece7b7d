//! A second implementation, of another shape: rows and label strings, no codes, no tuples.

use super::fit;
use arrow::array::{ArrayRef, AsArray, Int32Array, StringArray};
use backmask::anonymity::hierarchy::Hierarchy;
use backmask::anonymity::models::{KAnonymity, Linkability, Models};
use backmask::anonymity::quality::{Loss, Score};
use backmask::anonymity::search::{Found, Outcome, Problem, allowed_rows, exhaustive};
use backmask::arrow;
use backmask::pipeline::Kernel;
use backmask::policy::{AggregateFunction, HierarchySpec, Quality};
use backmask::units::{K, Share};
use proptest::prelude::*;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Debug, Clone)]
struct Table {
    ages: Vec<Option<i32>>,
    places: Vec<Option<&'static str>>,
    subjects: Option<Vec<String>>,
    k: u64,
    linkability: Linkability,
    limit: f64,
    aggregate: AggregateFunction,
    gs_factor: f64,
}

fn tables() -> impl Strategy<Value = Table> {
    let place = prop::sample::select(vec![None, Some("AA"), Some("AB"), Some("B"), Some("BA")]);
    let row = (prop::option::weighted(0.9, 18..40_i32), place, 0..8_u8);
    let aggregate = prop::sample::select(vec![
        AggregateFunction::Sum,
        AggregateFunction::Maximum,
        AggregateFunction::ArithmeticMean,
        AggregateFunction::GeometricMean,
        AggregateFunction::Rank,
    ]);
    let linkability = prop::sample::select(vec![Linkability::Linked, Linkability::Unlinked]);
    (
        prop::collection::vec(row, 0..24),
        any::<bool>(),
        2..5_u64,
        linkability,
        prop::sample::select(vec![0.0, 0.1, 0.29, 0.5, 1.0]),
        aggregate,
        prop::sample::select(vec![0.0, 0.25, 0.5, 0.75, 1.0]),
    )
        .prop_map(|(rows, people, k, linkability, limit, aggregate, gs_factor)| Table {
            ages: rows.iter().map(|row| row.0).collect(),
            places: rows.iter().map(|row| row.1).collect(),
            subjects: people.then(|| rows.iter().map(|row| format!("person {}", row.2)).collect()),
            k,
            linkability,
            limit,
            aggregate,
            gs_factor,
        })
}

impl Table {
    fn columns(&self) -> Vec<(&'static str, ArrayRef, Option<HierarchySpec>)> {
        vec![
            ("age", Arc::new(Int32Array::from(self.ages.clone())), Some(HierarchySpec::Intervals { widths: vec![5.0, 10.0], origin: 0.0 })),
            ("place", Arc::new(StringArray::from(self.places.clone())), Some(HierarchySpec::Mask(backmask::policy::Direction::Right))),
        ]
    }

    fn search(&self) -> (Outcome, Vec<Hierarchy>) {
        let subjects = self.subjects.as_ref().map(StringArray::from_iter_values);
        let fitted = fit(&self.columns(), subjects.as_ref().map(|subjects| subjects as _));
        let models = Models::new().and(KAnonymity { k: K::new(self.k).unwrap(), linkability: self.linkability });
        let quality = Quality { aggregate: self.aggregate, gs_factor: self.gs_factor, ..Quality::default() };
        let metric = Loss::new(&quality, &["age", "place"]).unwrap();
        let problem = Problem::new(&fitted.tuples, &fitted.hierarchies, &models, &metric, Share::new(self.limit).unwrap()).unwrap();
        let outcome = exhaustive(&problem).unwrap();
        (outcome, fitted.hierarchies)
    }

    /// Labels of all rows at one node, a missing value as an unmistakable text.
    fn labels(&self, hierarchies: &[Hierarchy], levels: &[usize]) -> Vec<Vec<String>> {
        let columns: Vec<Vec<String>> = self
            .columns()
            .iter()
            .zip(hierarchies)
            .zip(levels)
            .map(|(((_, array, _), hierarchy), &level)| {
                let labels = hierarchy.kernel(level).unwrap().apply(array.as_ref()).unwrap();
                let labels = arrow::compute::cast(&labels, &arrow::datatypes::DataType::Utf8).unwrap();
                labels.as_string::<i32>().iter().map(|label| label.unwrap_or("\u{0}missing").to_owned()).collect()
            })
            .collect();
        (0..self.ages.len()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect()
    }

    /// Suppressed rows and score of one node.
    fn evaluate(&self, hierarchies: &[Hierarchy], levels: &[usize]) -> (u64, Vec<f64>) {
        let rows = self.labels(hierarchies, levels);
        let raw = self.labels(hierarchies, &[0, 0]);
        let mut classes: BTreeMap<&Vec<String>, Vec<usize>> = BTreeMap::new();
        for (row, labels) in rows.iter().enumerate() {
            classes.entry(labels).or_default().push(row);
        }
        let mut suppressed = BTreeSet::new();
        for members in classes.values() {
            let mut owned: BTreeMap<String, u64> = BTreeMap::new();
            for &row in members {
                let person = self.subjects.as_ref().map_or_else(|| format!("row {row}"), |subjects| subjects[row].clone());
                *owned.entry(person).or_default() += 1;
            }
            let most = owned.values().max().copied().unwrap_or(0);
            let fails =
                (owned.len() as u64) < self.k || (self.linkability == Linkability::Unlinked && most * self.k > members.len() as u64);
            if fails {
                suppressed.extend(members.iter().copied());
            }
        }
        let n = rows.len() as f64;
        let (g, u) = if self.gs_factor <= 0.5 { (1.0, 2.0 * self.gs_factor) } else { (2.0 - 2.0 * self.gs_factor, 1.0) };
        let mut values: Vec<f64> = (0..2)
            .map(|column| {
                let mut leaves: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
                for (labels, raw) in rows.iter().zip(&raw) {
                    leaves.entry(&labels[column]).or_default().insert(&raw[column]);
                }
                let domain = leaves.values().map(BTreeSet::len).sum::<usize>() as f64;
                let sum: f64 = rows
                    .iter()
                    .enumerate()
                    .map(|(row, labels)| {
                        let share = leaves[labels[column].as_str()].len() as f64 / domain;
                        match suppressed.contains(&row) {
                            false => g * share,
                            true if u >= 1.0 => 1.0,
                            true => share + u * (1.0 - share),
                        }
                    })
                    .sum();
                let least = g * n / domain;
                if n == 0.0 || (n - least).abs() < 1e-12 { 0.0 } else { ((sum - least) / (n - least)).max(0.0) }
            })
            .collect();
        let score = match self.aggregate {
            AggregateFunction::Sum => vec![values[0] + values[1]],
            AggregateFunction::Maximum => vec![values[0].max(values[1])],
            AggregateFunction::ArithmeticMean => vec![values.iter().sum::<f64>() / 2.0],
            AggregateFunction::GeometricMean => vec![((1.0 + values[0]) * (1.0 + values[1])).sqrt() - 1.0],
            AggregateFunction::Rank => {
                values.sort_by(|one, other| other.partial_cmp(one).unwrap());
                values
            }
        };
        (suppressed.len() as u64, score)
    }
}

/// Order of scores up to the rounding in which the two implementations differ.
fn order(one: &[f64], other: &[f64]) -> Ordering {
    one.iter()
        .zip(other)
        .find(|(one, other)| (*one - *other).abs() > 1e-8)
        .map_or(Ordering::Equal, |(one, other)| one.partial_cmp(other).unwrap())
}

fn list(score: &Score) -> Vec<f64> {
    match score {
        Score::Number(value) => vec![*value],
        Score::Ranked(values) => values.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_search_finds_what_brute_force_over_rows_finds(table in tables()) {
        let (outcome, hierarchies) = table.search();
        let allowed = allowed_rows(Share::new(table.limit).unwrap(), table.ages.len() as u64);
        let mut nodes = Vec::new();
        for age in 0..=hierarchies[0].height() {
            for place in 0..=hierarchies[1].height() {
                let (suppressed, score) = table.evaluate(&hierarchies, &[age, place]);
                nodes.push((vec![age, place], suppressed, score));
            }
        }
        prop_assert_eq!(outcome.checked, nodes.len() as u64);
        let best = nodes.iter().filter(|node| node.1 <= allowed).min_by(|one, other| order(&one.2, &other.2));
        match (&outcome.found, best) {
            (Found::Transformation(found), Some(best)) => {
                prop_assert!(order(&list(&found.score), &best.2).is_eq(), "{:?} is not {:?}", found, best);
                let same = nodes.iter().find(|node| node.0 == found.levels).unwrap();
                prop_assert_eq!(found.suppressed_rows, same.1);
                prop_assert!(order(&list(&found.score), &same.2).is_eq());
                let kept: u64 = found.classes.iter().map(|class| class.rows).sum();
                prop_assert_eq!(kept + found.suppressed_rows, table.ages.len() as u64);
            }
            (Found::Nothing(miss), None) => {
                prop_assert_eq!(miss.suppressed_rows, nodes.iter().map(|node| node.1).min().unwrap());
                prop_assert!(allowed_rows(miss.passing_limit, miss.rows) >= miss.suppressed_rows);
                let error = miss.clone().into_error("people");
                prop_assert_eq!(error.exit_code(), 3);
            }
            (found, best) => prop_assert!(false, "found {:?}, expected {:?}", found, best),
        }
    }

    #[test]
    fn the_order_of_rows_and_the_codes_of_values_do_not_matter(table in tables(), seed in any::<u64>()) {
        let mut order: Vec<usize> = (0..table.ages.len()).collect();
        order.sort_by_key(|&row| (row as u64 + 1).wrapping_mul(seed | 1).rotate_left(17));
        let mut mixed = table.clone();
        mixed.ages = order.iter().map(|&row| table.ages[row]).collect();
        mixed.places = order.iter().map(|&row| table.places[row]).collect();
        mixed.subjects = table.subjects.as_ref().map(|subjects| order.iter().map(|&row| subjects[row].clone()).collect());
        match (table.search().0.found, mixed.search().0.found) {
            (Found::Transformation(one), Found::Transformation(other)) => {
                prop_assert_eq!(&one.levels, &other.levels);
                prop_assert_eq!(&one.score, &other.score);
                prop_assert_eq!(&one.classes, &other.classes);
                prop_assert_eq!(&one.multisets, &other.multisets);
                prop_assert_eq!(one.suppressed_subjects, other.suppressed_subjects);
            }
            (Found::Nothing(one), Found::Nothing(other)) => prop_assert_eq!(one, other),
            (one, other) => prop_assert!(false, "{:?} and {:?}", one, other),
        }
    }
}
