//! Draws exact noise on one thread, says how fast, and shows what came.
//!
//! ```text
//! cargo run --release --example noise -- --distribution discrete-laplace --scale 0.3 --count 100000000
//! cargo run --release --example noise -- --distribution rounded-gaussian --scale 1e6 --count 1000000 --json --quiet
//! ```
//!
//! `--scale` is b of the discrete Laplace law and σ of the others: a decimal number (`12`, `0.3`, `2.5e-3`) or a fraction (`2/3`) between 2^-20 and 2^50, taken exactly.
//! The generator is ChaCha20, its key comes from the operating system.
//!
//! With `--json`: `{"distribution", "scale", "count", "seconds", "histogram_seconds", "samples_per_second", "mean", "variance", "histogram": {"-3": n, …}}`. `seconds` is the
//! CPU time of filling slices (preparing the tables included), `histogram_seconds` that of counting. Over 1,000,000 distinct values the keys are ranges `"lo..hi"` with
//! lo <= x < hi, eight to each doubling.

mod common;

use backmask::Error;
use backmask::dp::noise::{DiscreteGaussian, DiscreteLaplace, Noise, RoundedGaussian};
use backmask::dp::rational::Rational;
use rand::SeedableRng;
use rand::rngs::{ChaCha20Rng, SysRng};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::process::ExitCode;

/// Draw exact integer noise on one thread
#[derive(Debug, clap::Parser)]
#[command(name = "noise", version)]
struct Options {
    /// The law
    #[arg(long, value_enum)]
    distribution: Distribution,
    /// b of the discrete Laplace law, σ of the Gaussian ones: any decimal number between 2^-20 and 2^50, taken exactly
    #[arg(long, allow_hyphen_values = true)]
    scale: String,
    /// How many draws
    #[arg(long, allow_hyphen_values = true)]
    count: String,
    #[command(flatten)]
    common: common::Output,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Distribution {
    DiscreteLaplace,
    DiscreteGaussian,
    RoundedGaussian,
}

/// So many draws are made between two looks at the clock.
const SLICE: usize = 1 << 14;
/// Up to so many distinct values the histogram shows each.
const MOST_VALUES: usize = 1_000_000;
/// Values of at most this size are counted by index.
const DENSE: i64 = 1 << 15;
/// Ranges for each doubling, as a logarithm to base 2.
const FINENESS: u32 = 3;

fn main() -> ExitCode {
    common::run(|options: &Options| options.common, |options, console| draw(&options, console))
}

fn draw(options: &Options, console: &common::Console) -> backmask::Result<common::Summary> {
    const RANGE: &str = "must be a decimal number between 2^-20 (9.53674316e-7) and 2^50 (1125899906842624)";
    let bad_scale = |_| Error::Parameter { name: "--scale", problem: RANGE.to_owned() };
    let count = options.count.parse().ok().filter(|&count: &u64| count > 0);
    let count =
        count.ok_or_else(|| Error::Parameter { name: "--count", problem: "must be an integer between 1 and 2^64 - 1".to_owned() })?;
    let scale: Rational = options.scale.parse().map_err(bad_scale)?;

    let mut clock = Clock::start();
    let law: Box<dyn Noise> = match options.distribution {
        Distribution::DiscreteLaplace => Box::new(DiscreteLaplace::new(&scale).map_err(bad_scale)?),
        Distribution::DiscreteGaussian => Box::new(DiscreteGaussian::new(&scale).map_err(bad_scale)?),
        Distribution::RoundedGaussian => Box::new(RoundedGaussian::new(&scale).map_err(bad_scale)?),
    };
    let mut seconds = clock.lap();
    let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng)
        .map_err(|_| Error::data("the operating system", None, "gives no random numbers", "see why getrandom fails"))?;
    let progress = console.progress("drawing", Some(count));
    let mut slice = vec![0; SLICE];
    let mut seen = Seen::new();
    let (mut done, mut counting) = (0, 0.0);
    while done < count {
        let length = usize::try_from(count - done).unwrap_or(SLICE).min(SLICE);
        clock.lap();
        law.fill(&mut rng, &mut slice[..length]);
        seconds += clock.lap();
        slice[..length].iter().for_each(|&draw| seen.add(draw));
        counting += clock.lap();
        done += length as u64;
        progress.advance(length as u64);
    }
    drop(progress);

    let (mean, variance) = seen.moments(count);
    let histogram = seen.histogram();
    let speed = real(count) / seconds.max(1e-9);
    let text = format!(
        "{count} draws of {} {scale} in {seconds:.3} s of CPU: {:.1} million a second\nmean {mean}, variance {variance} (the law's: {})\n\
         {} values or ranges in the histogram, counted in {counting:.3} s",
        law.name(),
        speed / 1e6,
        law.variance(),
        histogram.len()
    );
    let answer = json!({
        "distribution": law.name(),
        "scale": scale.to_f64(),
        "count": count,
        "seconds": seconds,
        "histogram_seconds": counting,
        "samples_per_second": speed,
        "mean": mean,
        "variance": variance,
        "histogram": histogram,
    });
    Ok(common::Summary::new(text, answer))
}

#[expect(clippy::cast_precision_loss, reason = "means and variances are floats")]
fn real(count: u64) -> f64 {
    count as f64
}

/// What came so far.
struct Seen {
    dense: Vec<u64>,
    sparse: HashMap<i64, u64>,
    distinct: usize,
    /// Counts of ranges instead, once there are too many values.
    ranges: Option<HashMap<(i64, i64), u64>>,
    sum: i128,
    squares: f64,
}

impl Seen {
    fn new() -> Self {
        let dense = usize::try_from(2 * DENSE + 1).unwrap_or(0);
        Self { dense: vec![0; dense], sparse: HashMap::new(), distinct: 0, ranges: None, sum: 0, squares: 0.0 }
    }

    fn add(&mut self, draw: i64) {
        self.sum += i128::from(draw);
        #[expect(clippy::cast_precision_loss, reason = "a variance is a float")]
        let float = draw as f64;
        self.squares += float * float;
        let index = usize::try_from(draw.saturating_add(DENSE)).ok();
        if let Some(slot) = index.and_then(|index| self.dense.get_mut(index)) {
            self.distinct += usize::from(*slot == 0);
            *slot += 1;
        } else if let Some(ranges) = &mut self.ranges {
            *ranges.entry(range(draw)).or_default() += 1;
        } else {
            let slot = self.sparse.entry(draw).or_default();
            self.distinct += usize::from(*slot == 0);
            *slot += 1;
            if self.distinct > MOST_VALUES {
                let mut ranges = HashMap::new();
                self.sparse.drain().for_each(|(draw, count)| *ranges.entry(range(draw)).or_default() += count);
                self.ranges = Some(ranges);
            }
        }
    }

    fn moments(&self, count: u64) -> (f64, f64) {
        #[expect(clippy::cast_precision_loss, reason = "a mean is a float")]
        let mean = self.sum as f64 / real(count);
        (mean, (self.squares / real(count) - mean * mean).max(0.0))
    }

    fn histogram(self) -> Map<String, Value> {
        let dense = (-DENSE..=DENSE).zip(self.dense).filter(|(_, count)| *count > 0);
        let Some(mut ranges) = self.ranges else {
            let mut values: Vec<(i64, u64)> = dense.chain(self.sparse).collect();
            values.sort_unstable();
            return values.into_iter().map(|(draw, count)| (draw.to_string(), count.into())).collect();
        };
        dense.for_each(|(draw, count)| *ranges.entry(range(draw)).or_default() += count);
        let mut ranges: Vec<_> = ranges.into_iter().collect();
        ranges.sort_unstable();
        ranges.into_iter().map(|((low, high), count)| (format!("{low}..{high}"), count.into())).collect()
    }
}

/// The range [lo, hi) of a draw: eight to each doubling of the size, the negative ones mirrored.
fn range(draw: i64) -> (i64, i64) {
    let size = draw.unsigned_abs().min(i64::MAX.unsigned_abs());
    let step = size.checked_ilog2().unwrap_or(0).saturating_sub(FINENESS);
    let low = i64::try_from(size >> step << step).unwrap_or(i64::MAX);
    let high = low.saturating_add(1 << step);
    if draw < 0 { (1 - high, 1 - low) } else { (low, high) }
}

/// CPU time of this thread; elapsed time where the system has no such clock.
struct Clock {
    last: f64,
    #[cfg(not(unix))]
    start: std::time::Instant,
}

impl Clock {
    #[cfg(unix)]
    fn start() -> Self {
        let mut clock = Self { last: 0.0 };
        clock.lap();
        clock
    }

    #[cfg(not(unix))]
    fn start() -> Self {
        Self { last: 0.0, start: std::time::Instant::now() }
    }

    /// Seconds since the last call.
    fn lap(&mut self) -> f64 {
        let now = self.now();
        let lap = now - self.last;
        self.last = now;
        lap
    }

    #[cfg(unix)]
    #[expect(clippy::unused_self, reason = "elsewhere the clock has a start")]
    fn now(&self) -> f64 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        #[expect(clippy::cast_precision_loss, reason = "seconds of CPU time")]
        let (seconds, nanoseconds) = (time.tv_sec as f64, time.tv_nsec as f64);
        seconds + nanoseconds * 1e-9
    }

    #[cfg(not(unix))]
    fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}
