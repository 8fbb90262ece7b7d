//! Maximum distance to average vector: groups of k to 2k − 1 near people.

use super::points::Points;

/// Divides people, who are given in their order, into groups of at least `k`; all of them into one if they are fewer than 2k.
pub(super) fn mdav(points: &Points<'_>, people: &[u32], k: usize) -> Vec<Vec<u32>> {
    let mut left = people.to_vec();
    let mut groups = Vec::with_capacity(left.len() / k.max(1));
    let mut room = Vec::with_capacity(left.len());
    while left.len() >= 3 * k {
        let far = farthest(points, &left, &points.centroid(&left));
        let from = points.of(left[far]).to_vec();
        groups.push(take_nearest(points, &mut left, &from, k, &mut room));
        let other = farthest(points, &left, &from);
        let from = points.of(left[other]).to_vec();
        groups.push(take_nearest(points, &mut left, &from, k, &mut room));
    }
    if left.len() >= 2 * k {
        let far = farthest(points, &left, &points.centroid(&left));
        let from = points.of(left[far]).to_vec();
        groups.push(take_nearest(points, &mut left, &from, k, &mut room));
    }
    if !left.is_empty() {
        groups.push(left);
    }
    groups
}

/// Place of the person farthest from a point, the first of those as far.
fn farthest(points: &Points<'_>, people: &[u32], from: &[f64]) -> usize {
    let mut best = (f64::NEG_INFINITY, 0);
    for (place, &person) in people.iter().enumerate() {
        let distance = points.distance(points.of(person), from);
        if distance > best.0 {
            best = (distance, place);
        }
    }
    best.1
}

/// Takes the `k` people nearest to a point, the first of those as near.
fn take_nearest(points: &Points<'_>, people: &mut Vec<u32>, from: &[f64], k: usize, room: &mut Vec<(f64, u32)>) -> Vec<u32> {
    room.clear();
    room.extend((0_u32..).zip(&*people).map(|(place, &person)| (points.distance(points.of(person), from), place)));
    let order = |one: &(f64, u32), two: &(f64, u32)| one.0.total_cmp(&two.0).then(one.1.cmp(&two.1));
    let k = k.min(people.len());
    if k < room.len() {
        room.select_nth_unstable_by(k, order);
    }
    let mut places: Vec<u32> = room[..k].iter().map(|entry| entry.1).collect();
    places.sort_unstable();
    let group = places.iter().map(|&place| people[place as usize]).collect();
    let (mut place, mut next) = (0, 0);
    people.retain(|_| {
        let taken = places.get(next) == Some(&place);
        next += usize::from(taken);
        place += 1;
        !taken
    });
    group
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anonymity::hierarchy::Hierarchy;
    use crate::anonymity::local::Dimension;
    use arrow::array::{ArrayRef, Int32Array};
    use proptest::prelude::*;
    use std::sync::Arc;

    /// The definition, read out: sets of points, sorted lists, no places.
    #[expect(clippy::cast_precision_loss, reason = "few points")]
    fn plain(numbers: &[(f64, f64)], k: usize) -> Vec<Vec<usize>> {
        let distance = |one: (f64, f64), two: (f64, f64)| (one.0 - two.0) * (one.0 - two.0) + (one.1 - two.1) * (one.1 - two.1);
        let mean = |left: &[usize]| {
            let sum = left.iter().fold((0.0, 0.0), |sum, &point| (sum.0 + numbers[point].0, sum.1 + numbers[point].1));
            (sum.0 / left.len() as f64, sum.1 / left.len() as f64)
        };
        let farthest = |left: &[usize], from: (f64, f64)| {
            let mut sorted = left.to_vec();
            sorted.sort_by(|&one, &two| distance(numbers[two], from).total_cmp(&distance(numbers[one], from)));
            sorted[0]
        };
        let near = |left: &mut Vec<usize>, center: usize| {
            let mut sorted = left.clone();
            sorted.sort_by(|&one, &two| distance(numbers[one], numbers[center]).total_cmp(&distance(numbers[two], numbers[center])));
            sorted.truncate(k);
            left.retain(|point| !sorted.contains(point));
            sorted.sort_unstable();
            sorted
        };
        let mut left: Vec<usize> = (0..numbers.len()).collect();
        let mut groups = Vec::new();
        while left.len() >= 3 * k {
            let one = farthest(&left, mean(&left));
            groups.push(near(&mut left, one));
            let two = farthest(&left, numbers[one]);
            groups.push(near(&mut left, two));
        }
        if left.len() >= 2 * k {
            let one = farthest(&left, mean(&left));
            groups.push(near(&mut left, one));
        }
        if !left.is_empty() {
            groups.push(left);
        }
        groups
    }

    proptest! {
        #[test]
        fn groups_are_those_of_the_definition(rows in prop::collection::vec((0..30_i32, 0..30_i32), 0..40), k in 2..6_usize) {
            let (one, two): (Vec<i32>, Vec<i32>) = rows.iter().copied().unzip();
            let columns = [one, two].map(|numbers| {
                let mut distinct = numbers.clone();
                distinct.sort_unstable();
                distinct.dedup();
                let values: ArrayRef = Arc::new(Int32Array::from(distinct.clone()));
                let hierarchy = Hierarchy::flat("x", values.as_ref(), false).unwrap();
                let dimension = Dimension::new(&hierarchy, &values).unwrap();
                let ranks: Vec<u32> = numbers.iter().map(|number| u32::try_from(distinct.binary_search(number).unwrap()).unwrap()).collect();
                (dimension, ranks)
            });
            let [(first, first_ranks), (second, second_ranks)] = columns;
            let dimensions = [first, second];
            let people: Vec<Vec<u32>> = (0..u32::try_from(rows.len()).unwrap()).map(|row| vec![row]).collect();
            let points = Points::new(&dimensions, &[first_ranks, second_ranks], &people);
            let all: Vec<u32> = (0_u32..).take(rows.len()).collect();
            let coordinates: Vec<(f64, f64)> = all.iter().map(|&person| (points.of(person)[0], points.of(person)[1])).collect();
            let groups: Vec<Vec<usize>> =
                mdav(&points, &all, k).into_iter().map(|group| group.into_iter().map(|person| person as usize).collect()).collect();
            for group in &groups {
                prop_assert!(group.len() < 2 * k && (group.len() >= k || groups.len() == 1));
            }
            prop_assert_eq!(groups, plain(&coordinates, k));
        }
    }
}
