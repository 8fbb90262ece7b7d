//! Draws a second of every law, and what the time of a single draw says about it.
//!
//! ```text
//! cargo bench --bench noise
//! cargo bench --bench noise -- timing
//! ```
//!
//! The second prints Welch's t between the times of draws that came out small and large, and of blocks that hold one large draw and none (after Reparaz, Balasch and
//! Verbauwhede: *Dude, is my code constant time?*, 2017). |t| > 5 says that time depends on the draws.

use backmask::arrow::array::Int64Array;
use backmask::dp::noise::{DiscreteGaussian, DiscreteLaplace, Geometric, Noise, RoundedGaussian, Staircase, add_noise};
use backmask::dp::rational::Rational;
use criterion::{Criterion, Throughput, criterion_group};
use rand::SeedableRng;
use rand::rngs::{ChaCha12Rng, ChaCha20Rng};
use std::hint::black_box;
use std::time::Instant;

const DRAWS: usize = 1 << 16;

type Laws = Vec<(&'static str, Box<dyn Noise>)>;

fn laws(scale: &str) -> backmask::Result<Laws> {
    let scale: Rational = scale.parse()?;
    Ok(vec![
        ("discrete Laplace", Box::new(DiscreteLaplace::new(&scale)?)),
        ("discrete Gaussian", Box::new(DiscreteGaussian::new(&scale)?)),
        ("rounded Gaussian", Box::new(RoundedGaussian::new(&scale)?)),
        ("geometric", Box::new(Geometric::new(&scale)?)),
    ])
}

fn benchmarks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("noise");
    group.throughput(Throughput::Elements(DRAWS as u64)).sample_size(20);
    let mut out = vec![0; DRAWS];
    for scale in ["0.3", "1", "10", "1000", "1e6", "1e12"] {
        for (name, law) in laws(scale).unwrap_or_default() {
            let mut rng = ChaCha20Rng::from_seed([1; 32]);
            group.bench_function(format!("{name} {scale}, ChaCha20"), |bencher| bencher.iter(|| law.fill(&mut rng, black_box(&mut out))));
        }
    }
    for (name, law) in laws("10").unwrap_or_default() {
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        group.bench_function(format!("{name} 10, ChaCha12"), |bencher| bencher.iter(|| law.fill(&mut rng, black_box(&mut out))));
        if name == "discrete Laplace" {
            let counts = Int64Array::from(vec![1_000; DRAWS]);
            group.bench_function("add_noise", |bencher| bencher.iter(|| add_noise(black_box(&counts), &*law, &mut rng)));
        }
    }
    group.finish();

    let mut group = criterion.benchmark_group("noise, one by one");
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    if let (Ok(scale), Ok(one)) = ("10".parse(), "1".parse()) {
        if let Ok(law) = DiscreteLaplace::new(&scale) {
            group.bench_function("sample", |bencher| bencher.iter(|| law.sample(&mut rng)));
            group.bench_function("reference, discrete Laplace 10", |bencher| bencher.iter(|| law.sample_reference(&mut rng)));
        }
        if let Ok(law) = DiscreteGaussian::new(&scale) {
            group.bench_function("reference, discrete Gaussian 10", |bencher| bencher.iter(|| law.sample_reference(&mut rng)));
        }
        if let Ok(law) = RoundedGaussian::new(&scale) {
            group.bench_function("reference, rounded Gaussian 10", |bencher| bencher.iter(|| law.sample_reference(&mut rng)));
        }
        if let Ok(law) = Staircase::new(&one, 10, 4) {
            group.bench_function("staircase", |bencher| bencher.iter(|| law.sample(&mut rng)));
        }
        group.bench_function("tables of a discrete Laplace law", |bencher| bencher.iter(|| DiscreteLaplace::new(black_box(&scale))));
        group.bench_function("tables of a rounded Gaussian law", |bencher| bencher.iter(|| RoundedGaussian::new(black_box(&scale))));
    }
    group.finish();
}

/// Mean, squared error of the mean and number of what is below the 90th percentile: interrupts are not the sampler's.
fn summary(times: &mut Vec<f64>) -> (f64, f64, f64) {
    times.sort_by(f64::total_cmp);
    times.truncate(times.len() * 9 / 10);
    #[expect(clippy::cast_precision_loss, reason = "a number of measurements")]
    let n = times.len() as f64;
    let mean = times.iter().sum::<f64>() / n;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, variance / n, n)
}

fn report(what: &str, mut ours: Vec<f64>, mut theirs: Vec<f64>) {
    let ((a, error_a, n), (b, error_b, m)) = (summary(&mut ours), summary(&mut theirs));
    println!("{what}: {a:.1} ns ({n}) and {b:.1} ns ({m}), t = {:.1}", (a - b) / (error_a + error_b).sqrt());
}

/// Times of `count` calls, in two classes.
fn timing(count: usize) {
    for scale in ["1", "10", "1000", "1e6"] {
        for (name, law) in laws(scale).unwrap_or_default() {
            let mut rng = ChaCha20Rng::from_seed([2; 32]);
            let spread = law.variance().sqrt();
            #[expect(clippy::cast_precision_loss, reason = "only compared with a standard deviation")]
            let size = |draw: i64| draw.unsigned_abs() as f64;
            let (mut small, mut large) = (Vec::new(), Vec::new());
            for _ in 0..count {
                let start = Instant::now();
                let draw = black_box(law.sample(&mut rng));
                let time = start.elapsed().as_secs_f64() * 1e9;
                if size(draw) > spread { large.push(time) } else { small.push(time) }
            }
            report(&format!("{name} {scale}, one draw within σ and beyond"), small, large);
            let (mut without, mut with) = (Vec::new(), Vec::new());
            let mut block = [0; 512];
            for _ in 0..count / 100 {
                let start = Instant::now();
                law.fill(&mut rng, black_box(&mut block));
                let time = start.elapsed().as_secs_f64() * 1e9;
                if size(block[100]) > 2.0 * spread { with.push(time) } else { without.push(time) }
            }
            report(&format!("{name} {scale}, a block whose 100th draw is within 2 σ and beyond"), without, with);
        }
    }
}

criterion_group!(noise, benchmarks);

fn main() {
    if std::env::args().any(|argument| argument == "timing") {
        timing(2_000_000);
    } else {
        noise();
        Criterion::default().configure_from_args().final_summary();
    }
}
