//! The figures of models by other formulas than those that chose the release.

use crate::error::{Error, Result};
use crate::numeric::real;
use crate::policy::{Distance, EntropyEstimator};
use std::collections::{BTreeMap, BTreeSet};

/// People by value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares<'a> {
    pub(super) people: &'a BTreeMap<Option<String>, u64>,
    pub(super) total: u64,
}

impl Shares<'_> {
    #[expect(clippy::ref_option, reason = "a key of the map")]
    fn of(&self, value: &Option<String>) -> f64 {
        real(self.people.get(value).copied().unwrap_or(0)) / real(self.total)
    }

    /// Whether everybody has one value.
    fn add_up(&self) -> bool {
        self.people.values().try_fold(0_u64, |sum, &people| sum.checked_add(people)) == Some(self.total)
    }
}

/// Everybody represented by one value, the most frequent first: seats are given out until nobody is left.
pub(super) fn fill(people: impl Iterator<Item = u64>, subjects: u64) -> Vec<u64> {
    let mut sorted: Vec<u64> = people.collect();
    sorted.sort_unstable();
    let mut filled = Vec::new();
    let mut seated = 0;
    while let Some(next) = sorted.pop()
        && seated < subjects
        && next > 0
    {
        let seats = next.min(subjects - seated);
        filled.push(seats);
        seated += seats;
    }
    filled
}

/// The smaller of e^H and the number of values.
pub(super) fn entropy_l(filled: &[u64], estimator: EntropyEstimator) -> f64 {
    let total = real(filled.iter().sum());
    let entropy: f64 = match estimator {
        EntropyEstimator::Shannon => filled.iter().map(|&people| real(people) / total).map(|share| -share * share.ln()).sum(),
        EntropyEstimator::Grassberger => total.ln() - filled.iter().map(|&people| real(people) / total * grassberger(people)).sum::<f64>(),
    };
    entropy.exp().min(real(filled.len() as u64))
}

/// G by its recurrence: G(1) = −γ − ln 2, G(2) = 2 + G(1), G(2m + 2) = G(2m) + 2 / (2m + 1), G(2m + 1) = G(2m).
fn grassberger(count: u64) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    const DIRECT: u64 = 1_000_000;
    let pairs = count / 2;
    // The sum of 2 / (2j − 1) is ln(4m) + γ + 1 / (24 m²) where it is long.
    let sum = if pairs > DIRECT {
        (4.0 * real(pairs)).ln() + EULER + 1.0 / (24.0 * real(pairs).powi(2))
    } else {
        (1..=pairs).rev().map(|pair| 2.0 / (2.0 * real(pair) - 1.0)).sum()
    };
    sum - EULER - std::f64::consts::LN_2
}

/// The largest |log₂(p / q)| over the values of the class.
pub(super) fn disclosure(class: &Shares<'_>, table: &Shares<'_>) -> f64 {
    class.people.keys().map(|value| (class.of(value).ln() - table.of(value).ln()).abs() / std::f64::consts::LN_2).fold(0.0, f64::max)
}

/// The largest (p − q) / q, and whether all are within β, or min(β, −ln q).
pub(super) fn beta_gain(class: &Shares<'_>, table: &Shares<'_>, beta: f64, enhanced: bool) -> (f64, bool) {
    let (mut largest, mut within) = (0.0_f64, true);
    for value in class.people.keys() {
        let gain = class.of(value) / table.of(value) - 1.0;
        largest = largest.max(gain);
        let bound = if enhanced { beta.min(-table.of(value).ln()) } else { beta };
        within &= gain <= bound * (1.0 + 1e-12) + 1e-12;
    }
    (largest, within)
}

/// The distance of a class from the table.
pub(super) fn distance(
    ground: Distance,
    class: &Shares<'_>,
    table: &Shares<'_>,
    numbers: bool,
    tree: &[Vec<Option<String>>],
) -> Result<f64> {
    let values: BTreeSet<&Option<String>> = class.people.keys().chain(table.people.keys()).collect();
    if ground == Distance::Equal || !class.add_up() || !table.add_up() {
        let (mut more, mut less) = (0.0, 0.0);
        for value in values {
            let difference = class.of(value) - table.of(value);
            if difference > 0.0 { more += difference } else { less -= difference }
        }
        return Ok(f64::max(more, less));
    }
    if ground == Distance::Ordered {
        let mut sorted: Vec<&Option<String>> = values.into_iter().collect();
        sorted.sort_by(|one, other| in_order(one, other, numbers));
        let (mut class_below, mut table_below, mut moved) = (0.0, 0.0, 0.0);
        for value in &sorted {
            class_below += class.of(value);
            table_below += table.of(value);
            moved += f64::abs(class_below - table_below);
        }
        return Ok(moved / real((sorted.len() as u64).saturating_sub(1).max(1)));
    }
    // A tree whose edges are 1 / (2 height) long: what flows through every edge is the difference of the shares below it.
    let mut below: BTreeMap<(usize, &[Option<String>]), f64> = BTreeMap::new();
    let mut height = 0;
    for value in values {
        let path = tree
            .iter()
            .find(|path| path.first() == Some(value))
            .ok_or_else(|| Error::Parameter { name: "tree", problem: "lacks a value of the table or of the release".to_owned() })?;
        height = path.len() - 1;
        for level in 0..height {
            // A node is all that is above it.
            *below.entry((level, &path[level..])).or_insert(0.0) += class.of(value) - table.of(value);
        }
    }
    let flow: f64 = below.values().map(|flow| flow.abs()).sum();
    Ok(if height == 0 { 0.0 } else { flow / (2.0 * real(height as u64)) })
}

/// Numbers by size, text by its bytes, missing values last.
#[expect(clippy::ref_option, reason = "keys of a map")]
fn in_order(one: &Option<String>, other: &Option<String>, numbers: bool) -> std::cmp::Ordering {
    let (Some(one), Some(other)) = (one, other) else { return other.is_some().cmp(&one.is_some()) };
    if numbers {
        if let (Ok(one), Ok(other)) = (one.parse::<i128>(), other.parse::<i128>()) {
            return one.cmp(&other);
        }
        if let (Ok(one), Ok(other)) = (one.parse::<f64>(), other.parse::<f64>()) {
            return one.total_cmp(&other);
        }
    }
    one.cmp(other)
}
