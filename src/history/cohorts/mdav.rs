//! Maximum distance to average vector: groups of k to 2k − 1 near people.

use super::points::{Points, distance};
use crate::numeric::real;

/// Divides the people of a block into groups of at least `k` and at most 2`k` − 1; all of them into one if they are fewer than 2`k`. Of people who are equally far, the first counts.
///
/// # References
/// Domingo-Ferrer and Torra, "Ordinal, continuous and heterogeneous k-anonymity through microaggregation", Data Mining and Knowledge Discovery 11 (2005), section 2.
pub(super) fn mdav(points: &Points, k: usize) -> Vec<Vec<u32>> {
    let count = points.count();
    let mut left: Vec<u32> = (0..count).collect();
    let mut groups = Vec::with_capacity(left.len() / k.max(1));
    let mut sum = vec![0.0; points.width()];
    for &person in &left {
        add(&mut sum, 1.0, points.of(person));
    }
    let mut room = Vec::with_capacity(left.len());
    let mut take = |left: &mut Vec<u32>, sum: &mut [f64], center: &[f32]| {
        let group = take_nearest(points, left, center, k, &mut room);
        for &person in &group {
            add(sum, -1.0, points.of(person));
        }
        groups.push(group);
    };
    while left.len() >= 3 * k {
        let one = points.of(farthest(points, &left, &mean(&sum, left.len())));
        take(&mut left, &mut sum, one);
        let two = points.of(farthest(points, &left, one));
        take(&mut left, &mut sum, two);
    }
    if left.len() >= 2 * k {
        let one = points.of(farthest(points, &left, &mean(&sum, left.len())));
        take(&mut left, &mut sum, one);
    }
    if !left.is_empty() {
        groups.push(left);
    }
    groups
}

fn add(sum: &mut [f64], sign: f64, point: &[f32]) {
    sum.iter_mut().zip(point).for_each(|(sum, &number)| *sum += sign * f64::from(number));
}

#[expect(clippy::cast_possible_truncation, reason = "a place needs no more than 24 bits")]
fn mean(sum: &[f64], count: usize) -> Vec<f32> {
    sum.iter().map(|sum| (sum / real(count as u64)) as f32).collect()
}

/// The person farthest from a point, the first of those as far.
fn farthest(points: &Points, left: &[u32], from: &[f32]) -> u32 {
    let mut best = (f32::NEG_INFINITY, 0);
    for &person in left {
        let distance = distance(points.of(person), from);
        if distance > best.0 {
            best = (distance, person);
        }
    }
    best.1
}

/// Takes the `k` people nearest to a point, the first of those as near.
fn take_nearest(points: &Points, left: &mut Vec<u32>, from: &[f32], k: usize, room: &mut Vec<(f32, u32)>) -> Vec<u32> {
    room.clear();
    room.extend(left.iter().map(|&person| (distance(points.of(person), from), person)));
    let k = k.min(room.len());
    if k < room.len() {
        room.select_nth_unstable_by(k, |one, two| one.0.total_cmp(&two.0).then(one.1.cmp(&two.1)));
    }
    let mut group: Vec<u32> = room[..k].iter().map(|entry| entry.1).collect();
    group.sort_unstable();
    // Both are in ascending order.
    let mut next = 0;
    left.retain(|person| {
        let taken = group.get(next) == Some(person);
        next += usize::from(taken);
        !taken
    });
    group
}
