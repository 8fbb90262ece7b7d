//! Balanced blocks of people who stand near each other.

use super::points::Points;
use crate::numeric::real;

/// People whose spread is looked at when a block is cut.
const LOOKED_AT: usize = 8192;
/// Steps of the power iteration for the direction of the largest spread.
const STEPS: usize = 12;

/// Divides people into blocks of at most `largest`, each at least half as large: cut again and again at the median of the direction in which they spread most.
///
/// # References
/// Bentley, "Multidimensional binary search trees used for associative searching", Communications of the ACM 18 (1975), with principal directions (Sproull,
/// Algorithmica 6, 1991).
pub(super) fn blocks(points: &Points, people: Vec<u32>, largest: usize, threads: usize) -> Vec<Vec<u32>> {
    if people.len() <= largest {
        return vec![people];
    }
    let (low, high) = cut(points, people);
    if threads > 1 {
        let (mut first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| blocks(points, low, largest, threads / 2));
            let second = blocks(points, high, largest, threads - threads / 2);
            // A panic of the other thread is passed on.
            (first.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), second)
        });
        first.extend(second);
        first
    } else {
        let mut first = blocks(points, low, largest, 1);
        first.extend(blocks(points, high, largest, 1));
        first
    }
}

/// Halves people at the median; equal places are told apart by the people's numbers. Both halves are in ascending order.
fn cut(points: &Points, people: Vec<u32>) -> (Vec<u32>, Vec<u32>) {
    let direction = principal_direction(points, &people);
    let along = |person: u32| points.of(person).iter().zip(&direction).map(|(&number, &along)| f64::from(number) * along).sum::<f64>();
    let mut ranked: Vec<(f64, u32)> = people.into_iter().map(|person| (along(person), person)).collect();
    let half = ranked.len() / 2;
    ranked.select_nth_unstable_by(half, |one, two| one.0.total_cmp(&two.0).then(one.1.cmp(&two.1)));
    let side = |part: &[(f64, u32)]| {
        let mut side: Vec<u32> = part.iter().map(|entry| entry.1).collect();
        side.sort_unstable();
        side
    };
    (side(&ranked[..half]), side(&ranked[half..]))
}

/// The direction of the largest variance of (at most [`LOOKED_AT`]) people, by power iteration on their covariance.
fn principal_direction(points: &Points, people: &[u32]) -> Vec<f64> {
    let width = points.width();
    let chosen: Vec<u32> = people.iter().copied().step_by(people.len().div_ceil(LOOKED_AT).max(1)).collect();
    let mut mean = vec![0.0; width];
    for &person in &chosen {
        mean.iter_mut().zip(points.of(person)).for_each(|(sum, &number)| *sum += f64::from(number));
    }
    let count = real(chosen.len().max(1) as u64);
    for sum in &mut mean {
        *sum /= count;
    }
    let mut covariance = vec![0.0; width * width];
    let mut centred = vec![0.0; width];
    for &person in &chosen {
        for ((centred, &number), mean) in centred.iter_mut().zip(points.of(person)).zip(&mean) {
            *centred = f64::from(number) - mean;
        }
        for (row, &factor) in covariance.chunks_exact_mut(width).zip(&centred) {
            row.iter_mut().zip(&centred).for_each(|(sum, &number)| *sum += factor * number);
        }
    }
    // From the coordinate that varies most, so that the start is not at right angles to what is sought.
    let widest = (0..width).fold(0, |best, at| if covariance[at * (width + 1)] > covariance[best * (width + 1)] { at } else { best });
    let mut direction = vec![0.0; width];
    direction[widest] = 1.0;
    for _ in 0..STEPS {
        let next: Vec<f64> =
            covariance.chunks_exact(width).map(|row| row.iter().zip(&direction).map(|(one, two)| one * two).sum()).collect();
        let length = next.iter().map(|number| number * number).sum::<f64>().sqrt();
        if length <= f64::MIN_POSITIVE {
            break;
        }
        direction = next.into_iter().map(|number| number / length).collect();
    }
    direction
}
