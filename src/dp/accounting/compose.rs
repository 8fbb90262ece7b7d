//! Many runs together: self-composition on a grid by fast Fourier transforms.
//!
//! The law of a sum of losses is a convolution of laws. Before transforming, each law is tilted, p(l) → p(l) e^{λ l} / M, with the λ that puts the mean of the sum
//! where the answer is. The rounding errors of the transforms, which are absolute, then become relative to e^{−λε} M^k, Chernoff's bound of the answer, so a δ of
//! 10⁻³⁰ has as many digits as one of 10⁻³. The tilted sum lies within a few standard deviations, so the grid needs no more points than that.
//!
//! What is added to δ for the bound from above, and subtracted for the one from below:
//! - the probabilities cut off at the ends of each law (from above only; from below they are dropped);
//! - what lies outside the window of the transform and is folded into it, by Chernoff's bound for the laws on the grid;
//! - rounding in the transforms: with unit roundoff u and N points, ‖error‖₂ ≤ Σ kᵢ (12 log₂N ‖pᵢ‖₂ + 4) 2u + 12 log₂N · 2u for tilted laws pᵢ (a transform of N
//!   points errs by less than 12 log₂N · u relative in ‖·‖₂, and a k-th power multiplies an error by k), times the norm of the weights of δ(ε), by Cauchy–Schwarz;
//! - a shift of the loss by [`SNAP`]·h for each run.

use super::grid::{Grid, OnGrid, from_above, from_below};
use super::pair::{Direction, Pair, SNAP, real, whole};
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::sync::Arc;

/// What is run `count` times.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Dominates the mechanism.
    pub(super) above: Option<Pair>,
    /// Is dominated by it.
    pub(super) below: Option<Pair>,
    pub(super) count: u64,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    Epsilon(f64),
    Delta(f64),
}

/// How much finer than needed, at the price of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Precision {
    /// Wanted relative width of the bounds of ε.
    pub(super) relative: f64,
    /// The most points of a grid.
    pub(super) points: u32,
}

impl Default for Precision {
    fn default() -> Self {
        Self { relative: 1e-4, points: 1 << 19 }
    }
}

/// Bounds of the curve δ(ε), close near the target and valid everywhere.
#[derive(Debug)]
pub(super) struct Curves {
    pub(super) above: Curve,
    pub(super) below: Curve,
}

#[derive(Debug)]
struct Sketch {
    count: f64,
    atoms: Vec<(f64, f64)>,
}

impl Sketch {
    /// K(λ) = ln E e^{λL}, K′ and K″.
    fn cumulant(&self, lambda: f64) -> (f64, f64, f64) {
        let shift = self.atoms.iter().map(|&(mass, loss)| mass.ln() + lambda * loss).fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
        for &(mass, loss) in &self.atoms {
            let weight = (mass.ln() + lambda * loss - shift).exp();
            sum += weight;
            first += weight * loss;
        }
        let mean = first / sum;
        for &(mass, loss) in &self.atoms {
            second += (mass.ln() + lambda * loss - shift).exp() * (loss - mean) * (loss - mean);
        }
        (shift + sum.ln(), mean, second / sum)
    }
}

fn cumulant(sketches: &[Sketch], lambda: f64) -> (f64, f64, f64) {
    sketches.iter().fold((0.0, 0.0, 0.0), |sum, sketch| {
        let (value, first, second) = sketch.cumulant(lambda);
        (sum.0 + sketch.count * value, sum.1 + sketch.count * first, sum.2 + sketch.count * second)
    })
}

#[derive(Debug)]
struct Plan {
    lambda: f64,
    /// Where the tilted sum is centred.
    centre: f64,
    grid: Grid,
    /// Index of the first point of the window and the number of points.
    start: i64,
    points: usize,
    /// Tilts at which Chernoff's bound is tried.
    steps: Vec<f64>,
}

/// Tilts for which the sum reaches the target.
fn tilt(sketches: &[Sketch], target: Target, most: f64) -> f64 {
    let at_epsilon = |epsilon: f64| move |k: (f64, f64, f64), _: f64| k.1 >= epsilon;
    let search = |reached: &dyn Fn((f64, f64, f64), f64) -> bool| {
        if reached(cumulant(sketches, 0.0), 0.0) {
            return 0.0;
        }
        let (mut low, mut high) = ((1e-9 * most).ln(), most.ln());
        let top: f64 =
            sketches.iter().map(|sketch| sketch.count * sketch.atoms.iter().fold(f64::NEG_INFINITY, |top, atom| top.max(atom.1))).sum();
        for _ in 0..40 {
            let middle = f64::midpoint(low, high);
            let lambda = middle.exp();
            let k = cumulant(sketches, lambda);
            // Once the largest losses are all that is left, more of the tilt gains nothing.
            if (top - k.1) * lambda < 0.1 || reached(k, lambda) { high = middle } else { low = middle }
        }
        high.exp()
    };
    match target {
        Target::Epsilon(epsilon) => search(&at_epsilon(epsilon)),
        Target::Delta(delta) => search(&|k, lambda| k.1 >= 0.0 && log_delta(k, lambda) <= delta.ln()),
    }
}

/// ln δ at the saddle point, roughly.
fn log_delta(k: (f64, f64, f64), lambda: f64) -> f64 {
    k.0 - lambda * k.1 - (2.5 * lambda * (lambda + 1.0) * k.2.sqrt()).ln_1p()
}

/// What the pairs of a direction are like.
#[derive(Debug, Default)]
struct Survey {
    sketches: Vec<Sketch>,
    /// The largest and the smallest sum that matters.
    high: f64,
    low: f64,
    /// The longest range of one loss that matters.
    range: f64,
    /// Runs, and how many of them lie on the lattice of the most frequent pair.
    runs: f64,
    exact: f64,
    lattice: Option<f64>,
    /// Ranges of the losses of pairs that have atoms off that lattice, over all their runs.
    atoms: f64,
}

impl Survey {
    /// Losses of less probability than `rough` in all runs are left out.
    fn new(pairs: &[(Pair, f64)], rough: f64) -> Self {
        let mut found = Self::default();
        let (mut lattice_count, mut leader) = (0.0, 0.0);
        for (pair, count) in pairs {
            let count = *count;
            let mut atoms = pair.sketch();
            atoms.retain(|atom| atom.0 > 1e-12 * rough / count);
            if atoms.is_empty() {
                continue;
            }
            let (high, low) = pair.extremes();
            let seen_high = atoms.iter().map(|atom| atom.1).fold(f64::NEG_INFINITY, f64::max);
            let seen_low = atoms.iter().map(|atom| atom.1).fold(f64::INFINITY, f64::min);
            found.high += count * if high.is_finite() { high } else { seen_high };
            found.low += count * if low.is_finite() { low } else { seen_low };
            found.range = found.range.max(seen_high - seen_low);
            found.runs += count;
            let spread = if pair.has_atoms() { count * (seen_high - seen_low) } else { 0.0 };
            if pair.lattice().is_some() && count > lattice_count {
                (found.lattice, lattice_count) = (pair.lattice(), count);
                found.exact = if pair.is_lattice() { count } else { 0.0 };
                found.atoms += leader;
                leader = spread;
            } else {
                found.atoms += spread;
            }
            found.sketches.push(Sketch { count, atoms });
        }
        found
    }
}

fn plan(parts: &[Part], direction: Direction, target: Target, precision: Precision) -> Option<Plan> {
    let pairs: Vec<(Pair, f64)> = parts
        .iter()
        .filter_map(|part| Some((directed(part.above.as_ref().or(part.below.as_ref())?, direction), number(part.count))))
        .collect();
    let mut survey = Survey::new(&pairs, 1e-30);
    if survey.sketches.is_empty() || survey.range <= 0.0 {
        return None;
    }
    let mut lambda = tilt(&survey.sketches, target, 1e6 / survey.range);
    let delta = match target {
        Target::Delta(delta) => delta,
        Target::Epsilon(_) => log_delta(cumulant(&survey.sketches, lambda), lambda).exp().clamp(1e-280, 1.0),
    };
    let closer = Survey::new(&pairs, delta);
    if closer.range > 0.0 && closer.sketches.len() == survey.sketches.len() {
        survey = closer;
        lambda = tilt(&survey.sketches, target, 1e6 / survey.range);
    }
    let (sketches, range) = (&survey.sketches, survey.range);
    let k = cumulant(sketches, lambda);
    let centre = match target {
        Target::Epsilon(epsilon) => epsilon.clamp(survey.low, survey.high),
        Target::Delta(_) => k.1,
    };
    let deviation = k.2.sqrt().max(1e-9 * range);
    let steps: Vec<f64> = (-2..=6).map(|power| f64::from(power).exp2() / deviation).collect();
    // Chernoff's bound of either end of the tilted sum is e^(−40).
    let reach = |sign: f64| {
        let ends = steps.iter().map(|step| (40.0 + cumulant(sketches, lambda + sign * step).0 - k.0) / step);
        ends.fold(f64::INFINITY, f64::min)
    };
    let high = reach(1.0).min(survey.high).max(centre);
    let low = (-reach(-1.0)).max(survey.low).min(centre);
    let width = (high - low).max(1e-6 * range) * 1.02;
    let h = width_of_grid(&survey, lambda, centre, deviation, width, precision);
    let points = ((width / h).ceil() + 16.0).log2().ceil().clamp(10.0, f64::from(precision.points).log2() + 1.0).exp2();
    let tail = (1e-9 * delta / survey.runs).clamp(1e-295, 1e-12);
    // The spare points of the window go to both sides.
    let spare = (points * h - (high - low)) / 2.0;
    Some(Plan {
        lambda,
        centre,
        grid: Grid { h, tail, pieces: 4 },
        start: whole(((low - spare) / h).floor()),
        points: usize::try_from(whole(points)).unwrap_or(1024),
        steps,
    })
}

/// A width for which the bounds of ε differ by the wanted part, as far as the number of points allows it: either bound of ln E e^{λL} is off by about
/// h² λ (1 + λ) / 12 for each run of a smooth law.
fn width_of_grid(survey: &Survey, lambda: f64, centre: f64, deviation: f64, width: f64, precision: Precision) -> f64 {
    let smooth = (survey.runs - survey.exact).max(1e-9);
    let scale = centre.abs().max(0.05 * deviation).max(1e-6 * survey.range);
    let wanted = (12.0 * precision.relative * scale / (1.6 * (1.0 + lambda) * smooth)).sqrt().min(deviation.max(1e-3 * width) / 4.0);
    // Atoms between grid points cost an error of first order.
    let wanted = wanted.min(20.0 * precision.relative * scale / ((1.0 + lambda) * survey.atoms).max(1e-300));
    let least = (width / f64::from(precision.points)).max(survey.range / 2.5e5);
    let h = wanted.clamp(least, (width / 1024.0).max(least));
    match survey.lattice {
        // Aligned if the lattice is not finer than the grid may be.
        Some(lattice) if lattice / (lattice / h).ceil() >= least => lattice / (lattice / h).ceil(),
        Some(lattice) if lattice >= least => lattice / (lattice / least).floor(),
        _ => h,
    }
}

pub(super) fn directed(pair: &Pair, direction: Direction) -> Pair {
    let direction = if pair.is_symmetric() { Direction::Remove } else { direction };
    Pair { direction, ..pair.clone() }
}

#[expect(clippy::cast_precision_loss, reason = "counts of runs are at most 10^12")]
fn number(count: u64) -> f64 {
    count as f64
}

/// A tilted law and its logarithmic normalizer.
struct Tilted {
    mass: Vec<f64>,
    log: f64,
}

fn log_moment(law: &OnGrid, h: f64, lambda: f64) -> f64 {
    let exponent = |place: usize| lambda * h * index(place) + law.mass[place].ln();
    let mut top = f64::NEG_INFINITY;
    for place in 0..law.mass.len() {
        top = top.max(exponent(place));
    }
    let sum: f64 = (0..law.mass.len()).map(|place| (exponent(place) - top).exp()).sum();
    top + sum.ln() + lambda * h * real(law.first)
}

fn tilted(law: &OnGrid, h: f64, lambda: f64) -> Tilted {
    let log = log_moment(law, h, lambda);
    let shift = lambda * h * real(law.first) - log;
    let mass = law.mass.iter().enumerate().map(|(place, mass)| mass * (lambda * h * index(place) + shift).exp()).collect();
    Tilted { mass, log }
}

#[expect(clippy::cast_precision_loss, reason = "grids have fewer than 2^53 points")]
fn index(place: usize) -> f64 {
    place as f64
}

/// One side while it is put together.
struct Side {
    spectrum: Vec<Complex<f64>>,
    /// Σ k ln M(λ), and the same at each tilt for Chernoff's bounds: up, down.
    log: f64,
    up: Vec<f64>,
    down: Vec<f64>,
    /// Σ k ln(1 − probability of an infinite loss).
    finite: f64,
    /// In units of 2u.
    rounding: f64,
    /// Relative error of the normalizer and the weights.
    drift: f64,
    runs: f64,
    empty: bool,
}

impl Side {
    fn new(plan: &Plan) -> Self {
        let zeros = vec![0.0; plan.steps.len()];
        Self {
            spectrum: vec![Complex::new(1.0, 0.0); plan.points / 2 + 1],
            log: 0.0,
            up: zeros.clone(),
            down: zeros,
            finite: 0.0,
            rounding: 0.0,
            drift: 0.0,
            runs: 0.0,
            empty: true,
        }
    }

    fn note(&mut self, law: &OnGrid, tilted: Option<&Tilted>, count: f64, plan: &Plan) {
        self.finite += count * (-law.infinite).ln_1p();
        self.runs += count;
        let Some(tilted) = tilted else { return };
        self.empty = false;
        self.log += count * tilted.log;
        for (place, step) in plan.steps.iter().enumerate() {
            self.up[place] += count * log_moment(law, plan.grid.h, plan.lambda + step);
            self.down[place] += count * log_moment(law, plan.grid.h, plan.lambda - step);
        }
        let levels = index(plan.points).log2();
        let norm = tilted.mass.iter().map(|mass| mass * mass).sum::<f64>().sqrt();
        self.rounding += count * (12.0 * levels * norm + 4.0);
        self.drift += count * 4e-16 * (4.0 + plan.lambda * plan.grid.h * index(law.mass.len()));
    }
}

/// Composes what the parts say from above and from below. `None` if there is nothing with a finite loss other than 0.
pub(super) fn compose(parts: &[Part], direction: Direction, target: Target, precision: Precision) -> Option<Curves> {
    let plan = plan(parts, direction, target, precision)?;
    let mut planner = FftPlanner::new();
    let forward = planner.plan_fft_forward(plan.points);
    let inverse = planner.plan_fft_inverse(plan.points);
    let mut above = Side::new(&plan);
    let mut below = Side::new(&plan);
    let mut buffer = vec![Complex::new(0.0, 0.0); plan.points];
    let mut scratch = vec![Complex::new(0.0, 0.0); forward.get_inplace_scratch_len().max(inverse.get_inplace_scratch_len())];
    for part in parts {
        let count = number(part.count);
        buffer.fill(Complex::new(0.0, 0.0));
        let (mut has_above, mut has_below) = (false, false);
        if let Some(pair) = &part.above {
            let law = from_above(&directed(pair, direction), plan.grid);
            has_above = place(&law, &plan, count, &mut above, |point, mass| buffer[point].re += mass);
        }
        if let Some(pair) = &part.below {
            let law = from_below(&directed(pair, direction), plan.grid, plan.lambda);
            has_below = place(&law, &plan, count, &mut below, |point, mass| buffer[point].im += mass);
        }
        if has_above || has_below {
            forward.process_with_scratch(&mut buffer, &mut scratch);
            multiply(&buffer, has_above.then_some(&mut above.spectrum), has_below.then_some(&mut below.spectrum), part.count);
        }
    }
    together(&above.spectrum, &below.spectrum, &mut buffer);
    drop((std::mem::take(&mut above.spectrum), std::mem::take(&mut below.spectrum)));
    transform(&inverse, &mut buffer, &mut scratch);
    drop(scratch);
    let size = index(plan.points);
    // Point number j of the window is the index start + j, which stands at that index modulo the number of points.
    let first = usize::try_from(plan.start.rem_euclid(i64::try_from(plan.points).unwrap_or(1))).unwrap_or(0);
    buffer.rotate_left(first);
    Some(Curves {
        above: Curve::new(&plan, &above, true, buffer.iter().map(|value| value.re / size)),
        below: Curve::new(&plan, &below, false, buffer.iter().map(|value| value.im / size)),
    })
}

fn transform(fft: &Arc<dyn Fft<f64>>, buffer: &mut [Complex<f64>], scratch: &mut [Complex<f64>]) {
    fft.process_with_scratch(buffer, scratch);
}

/// Puts the tilted law on the circle; false if it has no finite losses.
fn place(law: &OnGrid, plan: &Plan, count: f64, side: &mut Side, mut put: impl FnMut(usize, f64)) -> bool {
    if law.mass.is_empty() {
        side.note(law, None, count, plan);
        return false;
    }
    let tilted = tilted(law, plan.grid.h, plan.lambda);
    side.note(law, Some(&tilted), count, plan);
    let points = i64::try_from(plan.points).unwrap_or(1);
    let mut point = usize::try_from(law.first.rem_euclid(points)).unwrap_or(0);
    for &mass in &tilted.mass {
        put(point, mass);
        point = (point + 1) % plan.points;
    }
    true
}

/// Multiplies the spectra by the `count`-th powers of those of the real and of the imaginary part.
fn multiply(buffer: &[Complex<f64>], above: Option<&mut Vec<Complex<f64>>>, below: Option<&mut Vec<Complex<f64>>>, count: u64) {
    let size = buffer.len();
    let part = |frequency: usize, real: bool| {
        let (one, other) = (buffer[frequency], buffer[(size - frequency) % size].conj());
        if real { (one + other) * 0.5 } else { (one - other) * Complex::new(0.0, -0.5) }
    };
    for (spectrum, real) in [(above, true), (below, false)] {
        if let Some(spectrum) = spectrum {
            for (frequency, value) in spectrum.iter_mut().enumerate() {
                *value *= power(part(frequency, real), count);
            }
        }
    }
}

fn power(base: Complex<f64>, mut exponent: u64) -> Complex<f64> {
    let (mut square, mut result) = (base, Complex::new(1.0, 0.0));
    loop {
        if exponent & 1 == 1 {
            result *= square;
        }
        exponent >>= 1;
        if exponent == 0 || result == Complex::new(0.0, 0.0) {
            return result;
        }
        square = square * square;
    }
}

/// The spectrum of a complex sequence from those of its real and imaginary parts.
fn together(above: &[Complex<f64>], below: &[Complex<f64>], buffer: &mut [Complex<f64>]) {
    let size = buffer.len();
    let i = Complex::new(0.0, 1.0);
    for frequency in 0..=size / 2 {
        buffer[frequency] = above[frequency] + i * below[frequency];
        buffer[(size - frequency) % size] = above[frequency].conj() + i * below[frequency].conj();
    }
}

/// A bound of δ(ε) on one side.
#[derive(Debug)]
pub(super) struct Curve {
    upper: bool,
    /// Loss at the first point, and the width.
    first: f64,
    h: f64,
    lambda: f64,
    centre: f64,
    /// ln of the factor of everything below.
    log: f64,
    /// δ at the points, without the infinite loss.
    deltas: Vec<f64>,
    /// Sum of the weights of all points.
    total: f64,
    /// To be multiplied by e^{−λ(ε − centre)}: rounding and folding.
    error: f64,
    /// Independent of ε: beyond the window.
    beyond: f64,
    infinite: f64,
    /// Shift of the loss.
    shift: f64,
}

/// Weights grow like e^{λ(centre − ε)}: further down than this they say nothing.
const DEEPEST: f64 = 600.0;

impl Curve {
    fn new(plan: &Plan, side: &Side, upper: bool, masses: impl DoubleEndedIterator<Item = f64> + ExactSizeIterator) -> Self {
        let (h, lambda, points) = (plan.grid.h, plan.lambda, masses.len());
        let first = real(plan.start) * h;
        let last = first + h * index(points);
        let mut deltas = vec![0.0; points];
        let (mut sum, mut delta) = (0.0, 0.0);
        let (keep, gain) = ((-h).exp(), -(-h).exp_m1());
        for (place, mass) in masses.enumerate().rev() {
            delta = gain * sum + keep * delta;
            deltas[place] = delta;
            let exponent = -lambda * (first + h * index(place) - plan.centre);
            sum += mass.max(0.0) * exponent.min(DEEPEST).exp();
        }
        let least = |moments: &[f64], ends: &dyn Fn(f64) -> f64| {
            let bounds = moments.iter().zip(&plan.steps).map(|(moment, &step)| (moment - side.log - ends(step)).exp());
            bounds.fold(1.0, f64::min)
        };
        let over = least(&side.up, &|step| step * last);
        let under = least(&side.down, &|step| -step * (first - h));
        let unit = 2.0 * f64::EPSILON;
        let rounding = unit * (side.rounding + 12.0 * index(points).log2());
        let weights = if lambda > 0.0 { 1.0 / (2.0 * lambda * (2.0 * lambda + 1.0) * (lambda + 1.0) * h) } else { f64::INFINITY };
        let norm = (weights.min(index(points)) + 1.0).sqrt();
        let sign = if upper { 1.0 } else { -1.0 };
        Self {
            upper,
            first,
            h,
            lambda,
            centre: plan.centre,
            log: side.log - lambda * plan.centre + sign * (1e-11 + side.drift),
            deltas,
            total: sum,
            error: rounding * norm + if upper { 0.0 } else { over + under },
            beyond: over * (-lambda * (last - plan.centre)).exp(),
            infinite: -side.finite.exp_m1(),
            shift: SNAP * h * side.runs + 1e-14 * first.abs().max(last.abs()),
        }
    }

    /// A curve of parts that have no finite loss other than 0.
    pub(super) fn only_infinite(infinite: f64, upper: bool) -> Self {
        let (first, h, lambda, centre) = (0.0, 1.0, 0.0, 0.0);
        Self { upper, first, h, lambda, centre, log: 0.0, deltas: vec![0.0], total: 0.0, error: 0.0, beyond: 0.0, infinite, shift: 0.0 }
    }

    /// The probability of an infinite loss, the infimum of δ(ε).
    pub(super) fn infinite(&self) -> f64 {
        self.infinite
    }

    /// A bound of δ at any ε.
    pub(super) fn delta(&self, epsilon: f64) -> f64 {
        let deepest = self.centre - DEEPEST / self.lambda.max(1e-300);
        let at = if self.upper { epsilon - self.shift } else { (epsilon + self.shift).max(deepest) };
        if self.upper && at < deepest {
            return 1.0;
        }
        let error = self.error * (-self.lambda * (at - self.centre)).exp();
        let value = self.finite(at);
        let factor = self.log.exp();
        if self.upper {
            let last = self.first + self.h * index(self.deltas.len());
            let beyond = if at > last { self.beyond * (-self.lambda * (at - last)).exp() } else { self.beyond };
            (self.infinite + factor * (value + error + beyond)).min(1.0)
        } else {
            (self.infinite + (factor * (value - error)).max(0.0)).min(1.0)
        }
    }

    fn finite(&self, at: f64) -> f64 {
        let place = (at - self.first) / self.h;
        if place < 0.0 {
            let below = (at - self.first).exp_m1();
            return -below * self.total + (1.0 + below) * self.deltas[0];
        }
        let point = usize::try_from(whole(place)).unwrap_or(usize::MAX);
        let (Some(here), next) = (self.deltas.get(point), self.deltas.get(point.saturating_add(1)).copied().unwrap_or(0.0)) else {
            return 0.0;
        };
        let share = ((at - self.first - self.h * index(point)).exp_m1() / self.h.exp_m1()).clamp(0.0, 1.0);
        here * (1.0 - share) + next * share
    }

    /// The furthest ε that the window covers.
    pub(super) fn reach(&self) -> f64 {
        self.first + self.h * index(self.deltas.len()) + self.shift
    }
}
