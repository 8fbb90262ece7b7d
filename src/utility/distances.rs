//! How far the figures of a release lie from those of the original data.
//!
//! All functions take counts or samples and know nothing of files. A small distance says that the release looks alike, not that it is safe, and not that it teaches the same.

use crate::error::{Error, Result};
use crate::numeric::real;

/// Total variation distance of two distributions that are given as counts of the same cells: half the sum of the differences of their shares, between 0 and 1.
///
/// For a table of two columns the cells are its pairs. Without any count a distribution is all zeros, and lies 1/2 from every other and 0 from itself.
///
/// # Errors
/// The lists differ in length, or hold a number that is negative or not finite.
///
/// ```
/// use backmask::utility::distances::total_variation;
/// assert_eq!(total_variation(&[3.0, 1.0], &[1.0, 1.0])?, 0.25);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn total_variation(original: &[f64], release: &[f64]) -> Result<f64> {
    let (original, release) = (shares(original, release.len())?, shares(release, original.len())?);
    Ok(original.iter().zip(&release).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0)
}

/// Kullback–Leibler divergence of the original's distribution from the release's, in nats: how much longer a code made for the release is on the original. Half a count is added to
/// every cell of both (the estimate of Krichevsky and Trofimov), so that a cell which the release lacks gives a large number and not infinity.
///
/// # Errors
/// The lists differ in length, are empty, or hold a number that is negative or not finite.
///
/// # References
/// Krichevsky, Trofimov, *The performance of universal encoding*, IEEE Transactions on Information Theory 27(2), 1981.
///
/// ```
/// use backmask::utility::distances::kl_divergence;
/// assert_eq!(kl_divergence(&[2.0, 5.0], &[2.0, 5.0])?, 0.0);
/// assert!(kl_divergence(&[2.0, 5.0], &[2.0, 0.0])? > 0.5);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn kl_divergence(original: &[f64], release: &[f64]) -> Result<f64> {
    if original.is_empty() {
        return Err(Error::Parameter { name: "original", problem: "has no cells".to_owned() });
    }
    let smoothed = |counts: &[f64]| counts.iter().map(|count| count + 0.5).collect::<Vec<f64>>();
    let (original, release) = (shares(&smoothed(original), release.len())?, shares(&smoothed(release), original.len())?);
    Ok(original.iter().zip(&release).map(|(a, b)| a * (a / b).ln()).sum::<f64>().max(0.0))
}

/// Earth mover's distance of two distributions over the cells of a circle, in cells: the hours of the day, where 23 lies beside 0.
///
/// # Errors
/// The lists differ in length, or hold a number that is negative or not finite.
///
/// # References
/// Rabin, Delon, Gousseau, *Transportation distances on the circle*, Journal of Mathematical Imaging and Vision 41, 2011: the best starting point is the median of the
/// differences of the cumulated shares.
///
/// ```
/// use backmask::utility::distances::circular_earth_mover;
/// let at = |hour: usize| (0..24).map(|h| if h == hour { 1.0 } else { 0.0 }).collect::<Vec<f64>>();
/// assert!((circular_earth_mover(&at(23), &at(1))? - 2.0).abs() < 1e-12);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn circular_earth_mover(original: &[f64], release: &[f64]) -> Result<f64> {
    let (original, release) = (shares(original, release.len())?, shares(release, original.len())?);
    let mut sum = 0.0;
    let differences: Vec<f64> = original
        .iter()
        .zip(&release)
        .map(|(a, b)| {
            sum += a - b;
            sum
        })
        .collect();
    let mut sorted = differences.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    Ok(differences.iter().map(|difference| (difference - median).abs()).sum())
}

/// Kolmogorov–Smirnov distance of two samples: the largest difference of their distribution functions, between 0 and 1. For how much each person listens, for how
/// long sessions are. An empty sample lies 1 from every other and 0 from an empty one.
///
/// ```
/// use backmask::utility::distances::kolmogorov_smirnov;
/// assert_eq!(kolmogorov_smirnov(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0]), 0.5);
/// ```
#[must_use]
pub fn kolmogorov_smirnov(original: &[f64], release: &[f64]) -> f64 {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (a, b) = (sorted(original), sorted(release));
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return 0.0,
        (true, false) | (false, true) => return 1.0,
        (false, false) => {}
    }
    let below = |values: &[f64], limit: f64| {
        real(values.partition_point(|value| value.total_cmp(&limit).is_le()) as u64) / real(values.len() as u64)
    };
    a.iter().chain(&b).map(|&limit| (below(&a, limit) - below(&b, limit)).abs()).fold(0.0, f64::max)
}

/// For each tenth of the items, from the most to the least popular in the original (ties by code), the share of its popularity that items of the release still have
/// there: 1 where no item was lost. An item of the release counts with its original popularity, so the figures speak of lost items, not of changed counts.
/// A tenth without items has 1.
///
/// # Errors
/// The lists differ in length.
///
/// ```
/// use backmask::utility::distances::kept_by_decile;
/// let original: Vec<f64> = (1..=10).rev().map(f64::from).collect();
/// let mut release = original.clone();
/// release[9] = 0.0; // the rarest item is gone
/// assert_eq!(kept_by_decile(&original, &release)?, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn kept_by_decile(original: &[f64], release: &[f64]) -> Result<[f64; 10]> {
    if original.len() != release.len() {
        return Err(differ());
    }
    let order = super::gram::by_popularity(original);
    let mut kept = [1.0; 10];
    for (decile, kept) in kept.iter_mut().enumerate() {
        let items = &order[order.len() * decile / 10..order.len() * (decile + 1) / 10];
        let sum =
            |keep: &dyn Fn(u32) -> bool| -> f64 { items.iter().filter(|item| keep(**item)).map(|&item| original[item as usize]).sum() };
        let all = sum(&|_| true);
        if all > 0.0 {
            // An empty sum is −0.
            *kept = sum(&|item| release[item as usize] > 0.0).abs() / all;
        }
    }
    Ok(kept)
}

/// Share of a person's listening that is of an item which they had listened to before, over all people; the events of a person are given as (time, item), in any
/// order. 0 without events.
///
/// ```
/// use backmask::utility::distances::repeat_rate;
/// assert_eq!(repeat_rate(&[vec![(1, 7), (2, 7)], vec![(1, 7), (3, 8)]]), 0.25);
/// ```
#[must_use]
pub fn repeat_rate(people: &[Vec<(i64, u32)>]) -> f64 {
    let (mut events, mut distinct) = (0_u64, 0_u64);
    for person in people {
        let mut items: Vec<u32> = person.iter().map(|event| event.1).collect();
        items.sort_unstable();
        items.dedup();
        events += person.len() as u64;
        distinct += items.len() as u64;
    }
    if events == 0 { 0.0 } else { real(events - distinct) / real(events) }
}

/// Numbers of events of all sessions: a session ends where nothing follows for longer than `gap` (in the unit of the times).
///
/// ```
/// use backmask::utility::distances::session_lengths;
/// assert_eq!(session_lengths(&[vec![(0, 1), (100, 1), (5, 2)]], 30), [2.0, 1.0]);
/// ```
#[must_use]
pub fn session_lengths(people: &[Vec<(i64, u32)>], gap: i64) -> Vec<f64> {
    let mut lengths = Vec::new();
    for person in people {
        let mut times: Vec<i64> = person.iter().map(|event| event.0).collect();
        times.sort_unstable();
        let sessions = times.chunk_by(|a, b| b.saturating_sub(*a) <= gap);
        lengths.extend(sessions.map(|session| real(session.len() as u64)));
    }
    lengths
}

/// Numbers of events in each hour of the day (UTC); times in milliseconds since 1970.
///
/// ```
/// use backmask::utility::distances::hours_of_day;
/// assert_eq!(hours_of_day(&[vec![(3_600_000, 1), (-1, 1)]])[1], 1.0);
/// assert_eq!(hours_of_day(&[vec![(-1, 1)]])[23], 1.0);
/// ```
#[must_use]
pub fn hours_of_day(people: &[Vec<(i64, u32)>]) -> [f64; 24] {
    let mut hours = [0.0; 24];
    for &(time, _) in people.iter().flatten() {
        if let Some(count) = usize::try_from(time.div_euclid(3_600_000).rem_euclid(24)).ok().and_then(|hour| hours.get_mut(hour)) {
            *count += 1.0;
        }
    }
    hours
}

fn shares(counts: &[f64], other_length: usize) -> Result<Vec<f64>> {
    if counts.len() != other_length {
        return Err(differ());
    }
    if counts.iter().any(|count| !(count.is_finite() && *count >= 0.0)) {
        return Err(Error::Parameter { name: "counts", problem: "must be finite numbers ≥ 0".to_owned() });
    }
    let sum: f64 = counts.iter().sum();
    Ok(counts.iter().map(|count| if sum > 0.0 { count / sum } else { 0.0 }).collect())
}

fn differ() -> Error {
    Error::Parameter { name: "release", problem: "must have as many cells as the original".to_owned() }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "figures that are exact")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The cost of a plan is the sum over the edges of the circle of what crosses them; what crosses the first edge is free to choose. Try every value at which
        /// the optimum can lie.
        #[test]
        fn circles_equal_the_best_of_all_starting_flows(a in proptest::collection::vec(0.0_f64..5.0, 7), b in proptest::collection::vec(0.0_f64..5.0, 7)) {
            prop_assume!(a.iter().sum::<f64>() > 0.1 && b.iter().sum::<f64>() > 0.1);
            let (sum_a, sum_b): (f64, f64) = (a.iter().sum(), b.iter().sum());
            let flow: Vec<f64> = (0..7).map(|cell| a[..=cell].iter().sum::<f64>() / sum_a - b[..=cell].iter().sum::<f64>() / sum_b).collect();
            let best = flow.iter().map(|start| flow.iter().map(|f| (f - start).abs()).sum::<f64>()).fold(f64::INFINITY, f64::min);
            prop_assert!((circular_earth_mover(&a, &b).unwrap() - best).abs() < 1e-9);
            let straight: f64 = flow.iter().map(|flow| flow.abs()).sum();
            prop_assert!(best <= straight + 1e-12, "a line is a circle that nothing may cross");
        }

        #[test]
        fn distances_are_bounded_and_zero_for_the_same(a in proptest::collection::vec(0.0_f64..9.0, 1..12), seed in 0_u64..50) {
            let b: Vec<f64> = a.iter().zip(0_u64..).map(|(a, at)| a + real((seed * (at + 3)) % 7)).collect();
            let distance = total_variation(&a, &b).unwrap();
            prop_assert!((0.0..=1.0).contains(&distance));
            prop_assert!(total_variation(&a, &a).unwrap() < 1e-12 && kl_divergence(&b, &b).unwrap() < 1e-12);
            // Pinsker's inequality, on the smoothed counts.
            let smooth = |counts: &[f64]| counts.iter().map(|count| count + 0.5).collect::<Vec<_>>();
            let smoothed = total_variation(&smooth(&a), &smooth(&b)).unwrap();
            prop_assert!(2.0 * smoothed * smoothed <= kl_divergence(&a, &b).unwrap() + 1e-9);
            prop_assert!((0.0..=1.0).contains(&kolmogorov_smirnov(&a, &b)) && kolmogorov_smirnov(&b, &b) < 1e-12);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_an_error() {
        for bad in [vec![1.0], vec![1.0, -1.0], vec![f64::NAN, 0.0], vec![f64::INFINITY, 0.0]] {
            assert!(total_variation(&[1.0, 1.0], &bad).is_err(), "{bad:?}");
            assert!(kl_divergence(&[1.0, 1.0], &bad).is_err(), "{bad:?}");
            assert!(circular_earth_mover(&bad, &[1.0, 1.0]).is_err(), "{bad:?}");
        }
        assert!(kl_divergence(&[], &[]).is_err() && kept_by_decile(&[1.0], &[]).is_err());
        assert_eq!(total_variation(&[0.0], &[0.0]).unwrap(), 0.0);
    }

    #[test]
    fn ends_of_time_are_no_panics() {
        let people = [vec![(i64::MIN, 0), (i64::MAX, 0), (0, 1)], vec![]];
        assert_eq!(session_lengths(&people, 1_800_000), [1.0, 1.0, 1.0]);
        assert_eq!(hours_of_day(&people).iter().sum::<f64>(), 3.0);
        assert_eq!(repeat_rate(&[]), 0.0);
        assert_eq!(kolmogorov_smirnov(&[], &[1.0]), 1.0);
    }

    #[test]
    fn losing_rare_items_shows_in_the_last_deciles_only() {
        let original: Vec<f64> = (0..100_u32).map(|item| f64::from(100 - item)).collect();
        let release: Vec<f64> = original.iter().map(|&count| if count > 30.0 { 1.0 } else { 0.0 }).collect();
        let kept = kept_by_decile(&original, &release).unwrap();
        assert_eq!(kept, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    }
}
