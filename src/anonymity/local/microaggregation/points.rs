//! People as points, and the distances between them.

use crate::anonymity::local::dimension::{Dimension, DimensionKind};

/// People with one coordinate a column, in an order that depends on nothing but their rows and keys.
#[derive(Debug)]
pub(super) struct Points<'a> {
    axes: Vec<Axis<'a>>,
    /// One row of coordinates a person.
    coordinates: Vec<f64>,
    /// Whether all axes are of numbers without missing ones.
    plain: bool,
}

/// How coordinates of one column are compared.
#[derive(Debug)]
enum Axis<'a> {
    /// In standard deviations from the mean; missing ones are not numbers, and as far from every number as the farthest two numbers.
    Number { missing: f64 },
    /// Ranks: 0 apart if they are the same, else 1.
    Nominal,
    /// Ranks: level of the lowest common node / height of the tree.
    Tree(&'a Dimension),
}

impl<'a> Points<'a> {
    /// `ranks`: one list a column, one entry a row; `people`: the rows of every person.
    pub(super) fn new(dimensions: &'a [Dimension], ranks: &[Vec<u32>], people: &[Vec<u32>]) -> Self {
        let width = dimensions.len();
        let mut coordinates = vec![0.0; width * people.len()];
        let mut axes = Vec::with_capacity(width);
        let mut plain = true;
        for (column, (dimension, ranks)) in dimensions.iter().zip(ranks).enumerate() {
            let mut of_column: Vec<f64> = people.iter().map(|rows| of_person(dimension, ranks, rows)).collect();
            axes.push(match dimension.kind() {
                DimensionKind::Ordered => {
                    let missing = standardize(&mut of_column);
                    plain &= of_column.iter().all(|coordinate| !coordinate.is_nan());
                    Axis::Number { missing }
                }
                DimensionKind::Categories => Axis::Nominal,
                DimensionKind::Tree => Axis::Tree(dimension),
            });
            plain &= dimension.kind() == DimensionKind::Ordered;
            for (person, coordinate) in of_column.into_iter().enumerate() {
                coordinates[person * width + column] = coordinate;
            }
        }
        Self { axes, coordinates, plain }
    }

    pub(super) fn width(&self) -> usize {
        self.axes.len()
    }

    pub(super) fn of(&self, person: u32) -> &[f64] {
        let start = person as usize * self.width();
        &self.coordinates[start..start + self.width()]
    }

    /// Squared distance of two points.
    pub(super) fn distance(&self, one: &[f64], two: &[f64]) -> f64 {
        if self.plain {
            return one.iter().zip(two).map(|(one, two)| (one - two) * (one - two)).sum();
        }
        self.axes.iter().zip(one.iter().zip(two)).map(|(axis, (&one, &two))| axis.distance(one, two)).sum()
    }

    /// The point in the middle: means of numbers that are not missing, the most frequent of other values, the first of those as frequent.
    pub(super) fn centroid(&self, people: &[u32]) -> Vec<f64> {
        (0..self.width())
            .map(|column| {
                let coordinates = people.iter().map(|&person| self.of(person)[column]);
                match self.axes[column] {
                    Axis::Number { .. } => mean(coordinates),
                    _ => most_frequent(coordinates.collect()),
                }
            })
            .collect()
    }

    /// The axis along which people differ most, if they do: numbers before other values.
    pub(super) fn widest(&self, people: &[u32]) -> Option<usize> {
        let mut best: Option<(f64, usize)> = None;
        for (column, axis) in self.axes.iter().enumerate() {
            let coordinates = people.iter().map(|&person| self.of(person)[column]);
            let (low, high) = coordinates.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), one| (low.min(one), high.max(one)));
            let spread = match axis {
                Axis::Number { .. } => high - low,
                _ if high > low => f64::MIN_POSITIVE,
                _ => 0.0,
            };
            if spread > 0.0 && best.is_none_or(|best| spread > best.0) {
                best = Some((spread, column));
            }
        }
        best.map(|(_, column)| column)
    }
}

impl Axis<'_> {
    #[expect(clippy::float_cmp, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "these coordinates are ranks")]
    #[expect(clippy::cast_precision_loss, reason = "levels are few")]
    fn distance(&self, one: f64, two: f64) -> f64 {
        match self {
            Self::Number { missing } => match (one.is_nan(), two.is_nan()) {
                (false, false) => (one - two) * (one - two),
                (true, true) => 0.0,
                _ => missing * missing,
            },
            Self::Nominal => f64::from(u8::from(one != two)),
            Self::Tree(dimension) => {
                let (one, two) = (one as u32, two as u32);
                let apart = match dimension.missing() {
                    _ if one == two => 0.0,
                    Some(missing) if one == missing || two == missing => 1.0,
                    _ => dimension.common_level(one, two) as f64 / dimension.height().max(1) as f64,
                };
                apart * apart
            }
        }
    }
}

/// One coordinate for all rows of a person: the mean of numbers, the most frequent of other values.
fn of_person(dimension: &Dimension, ranks: &[u32], rows: &[u32]) -> f64 {
    let ranks = rows.iter().map(|&row| ranks[row as usize]);
    match dimension.kind() {
        DimensionKind::Ordered => {
            mean(ranks.map(|rank| if dimension.missing() == Some(rank) { f64::NAN } else { dimension.position(rank) }))
        }
        _ => most_frequent(ranks.map(f64::from).collect()),
    }
}

/// The mean of what is a number; not a number if nothing is.
pub(super) fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = numbers.filter(|number| !number.is_nan()).fold((0.0, 0.0), |(sum, count), number| (sum + number, count + 1.0));
    if count > 0.0 { sum / count } else { f64::NAN }
}

#[expect(clippy::float_cmp, reason = "these coordinates are ranks")]
fn most_frequent(mut ranks: Vec<f64>) -> f64 {
    ranks.sort_unstable_by(f64::total_cmp);
    let mut best = (0, f64::NAN);
    for run in ranks.chunk_by(|one, two| one == two) {
        if run.len() > best.0 {
            best = (run.len(), run[0]);
        }
    }
    best.1
}

/// Subtracts the mean and divides by the standard deviation; gives the range afterwards, or 1 if there is none.
fn standardize(numbers: &mut [f64]) -> f64 {
    let center = mean(numbers.iter().copied());
    let deviation = mean(numbers.iter().map(|number| (number - center) * (number - center))).sqrt();
    let scale = if deviation > 0.0 && deviation.is_finite() { deviation } else { 1.0 };
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for number in numbers.iter_mut() {
        *number = (*number - center) / scale;
        (low, high) = (low.min(*number), high.max(*number));
    }
    if high > low { high - low } else { 1.0 }
}
