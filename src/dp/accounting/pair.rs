//! Dominating pairs: two laws P, Q of an output such that a mechanism tells neighbouring pools apart at most as well as they are told apart.
//!
//! A pair is seen through its privacy loss ln(P/Q) under P. [`Pair::cells`] cuts it into short intervals of the loss, from the largest down, without losing
//! digits: sums of positive terms, and integrals of positive functions.

use super::gaussian::hockey_stick_any;
use super::normal::{PEAK, cdf, quantile};
use super::quadrature::{FIVE, THREE, nodes};

/// Which pool has the additional person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// P has it: a person is removed.
    Remove,
    /// Q has it: a person is added.
    Add,
}

/// A mechanism on a person who takes part (law P₁) and one who does not (law P₀), by the ratio t = ln(P₁/P₀).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Base {
    /// P₀ = N(0, 1), P₁ the mixture of N(shift, 1) with the given weights; shifts are at least 0.
    Gaussian { components: Vec<(f64, f64)> },
    /// P₀ = Laplace(0), P₁ = Laplace(1) of scale 1/ε.
    Laplace { epsilon: f64 },
    /// Discrete Laplace laws on whole numbers, `sensitivity` apart.
    DiscreteLaplace { scale: f64, sensitivity: f64 },
    /// Discrete Gaussian laws on whole numbers, `sensitivity` apart.
    DiscreteGaussian { sigma: f64, sensitivity: f64 },
    /// Rounded Gaussian laws, `sensitivity` apart (a whole number).
    RoundedGaussian { sigma: f64, sensitivity: f64 },
    /// Values of t with their probabilities under P₀, from the largest t down, and the probability under P₁ of what never happens under P₀.
    Finite { atoms: Vec<(f64, f64)>, infinite: f64 },
}

/// A dominating pair: `base`, in which a person takes part with probability `rate`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub(super) base: Base,
    pub(super) rate: f64,
    pub(super) direction: Direction,
}

/// A piece of the loss's law with index·h ≤ loss ≤ (index + 1)·h.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// Index of the grid point below.
    pub(super) index: i64,
    /// Probability under P.
    pub(super) mass: f64,
    /// `E_P`[1 − exp(index·h − loss)] on the piece.
    pub(super) excess: f64,
}

/// What [`Pair::cells`] did not cut into cells.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ends {
    /// Probability under P of an infinite loss.
    pub(super) infinite: f64,
    /// At most this probability lies above all cells.
    pub(super) above: f64,
    /// At most this probability lies below all cells, where the loss is at most `below_index`·h.
    pub(super) below: f64,
    /// See `below`.
    pub(super) below_index: i64,
}

/// Losses this close to a grid point, in units of h, count as on it; what that shifts is taken into account in [`super::compose`].
pub(super) const SNAP: f64 = 2e-9;

/// ln(1 − q + q eᵗ).
pub(super) fn ln_mixture(rate: f64, t: f64) -> f64 {
    if rate >= 1.0 {
        t
    } else if t > 30.0 {
        t + rate.ln() + ((1.0 - rate) / rate * (-t).exp()).ln_1p()
    } else {
        (rate * t.exp_m1()).ln_1p()
    }
}

/// The inverse of [`ln_mixture`]: −∞ below its range.
fn ln_unmix(rate: f64, value: f64) -> f64 {
    if rate >= 1.0 {
        value
    } else if value > 30.0 {
        value - rate.ln() + (-(1.0 - rate) * (-value).exp()).ln_1p()
    } else {
        let inner = value.exp_m1() / rate;
        if inner <= -1.0 { f64::NEG_INFINITY } else { inner.ln_1p() }
    }
}

impl Pair {
    /// Whether both directions have the same loss; finite pairs are made so that they have.
    pub(super) fn is_symmetric(&self) -> bool {
        match &self.base {
            Base::Gaussian { components } => self.rate >= 1.0 && components.len() == 1,
            _ => self.rate >= 1.0,
        }
    }

    /// The largest and the smallest loss, infinite where there is none.
    pub(super) fn extremes(&self) -> (f64, f64) {
        let (high, low) = match &self.base {
            Base::Gaussian { .. } | Base::DiscreteGaussian { .. } | Base::RoundedGaussian { .. } => (f64::INFINITY, f64::NEG_INFINITY),
            Base::Laplace { epsilon } => (*epsilon, -epsilon),
            Base::DiscreteLaplace { scale, sensitivity } => (sensitivity / scale, -sensitivity / scale),
            Base::Finite { atoms, infinite } => {
                let high = if *infinite > 0.0 { f64::INFINITY } else { atoms.first().map_or(0.0, |atom| atom.0) };
                (high, atoms.last().map_or(0.0, |atom| atom.0))
            }
        };
        match self.direction {
            Direction::Remove => (ln_mixture(self.rate, high), ln_mixture(self.rate, low)),
            Direction::Add => (-ln_mixture(self.rate, low), -ln_mixture(self.rate, high)),
        }
    }

    /// The largest finite loss (infinite if there is none) and the probability of an infinite one.
    pub(super) fn most(&self) -> (f64, f64) {
        match &self.base {
            Base::Finite { atoms, infinite } => (atoms.first().map_or(0.0, |atom| ln_mixture(self.rate, atom.0)), self.rate * infinite),
            _ => (self.extremes().0, 0.0),
        }
    }

    /// Distance of the points on which the losses lie, if they lie on few.
    pub(super) fn lattice(&self) -> Option<f64> {
        if self.rate < 1.0 {
            return None;
        }
        match &self.base {
            Base::Laplace { epsilon } => Some(*epsilon),
            Base::DiscreteLaplace { scale, .. } => Some(1.0 / scale),
            Base::DiscreteGaussian { sigma, sensitivity } => Some(0.5 * sensitivity / (sigma * sigma)),
            Base::Finite { atoms, .. } => atoms.first().map(|atom| atom.0).filter(|&loss| loss > 0.0),
            Base::Gaussian { .. } | Base::RoundedGaussian { .. } => None,
        }
    }

    /// Whether all losses lie on that lattice.
    pub(super) fn is_lattice(&self) -> bool {
        self.lattice().is_some() && !matches!(self.base, Base::Laplace { .. })
    }

    /// Whether a few losses have much of the probability.
    pub(super) fn has_atoms(&self) -> bool {
        !matches!(self.base, Base::Gaussian { .. } | Base::DiscreteGaussian { .. } | Base::RoundedGaussian { .. })
    }

    /// Loss and density factor P/P₀ at t.
    fn at(&self, t: f64) -> (f64, f64) {
        let mixture = ln_mixture(self.rate, t);
        match self.direction {
            Direction::Remove => (mixture, mixture),
            Direction::Add => (-mixture, 0.0),
        }
    }

    /// The smallest δ at ε ≥ 0 of one run.
    pub(super) fn delta(&self, epsilon: f64) -> f64 {
        match &self.base {
            Base::Gaussian { components } if components.len() == 1 => {
                let mu = components[0].1;
                self.sampled(epsilon, |epsilon| hockey_stick_any(epsilon, mu))
            }
            Base::Gaussian { components } => self.mixture_delta(components, epsilon),
            Base::Laplace { epsilon: pure } => self.sampled(epsilon, |epsilon| {
                let positive = |epsilon: f64| -(0.5 * (epsilon - pure)).min(0.0).exp_m1();
                if epsilon >= 0.0 { positive(epsilon) } else { -epsilon.exp_m1() + epsilon.exp() * positive(-epsilon) }
            }),
            _ => {
                let mut sum = 0.0;
                let infinite = self.atoms(f64::MIN_POSITIVE, |mass, loss| {
                    if loss > epsilon {
                        sum -= mass * (epsilon - loss).exp_m1();
                    }
                });
                sum + infinite
            }
        }
    }

    /// δ at ε of a sampled symmetric pair from that of the pair itself, at any real ε.
    fn sampled(&self, epsilon: f64, base: impl Fn(f64) -> f64) -> f64 {
        let q = self.rate;
        match self.direction {
            Direction::Remove => q * base(ln_unmix(q, epsilon)),
            Direction::Add => {
                // P₀ − e^ε (1 − q) P₀ − e^ε q P₁; 1 − e^ε (1 − q) in a form that keeps the digits of a small q.
                let rest = q * epsilon.exp() - epsilon.exp_m1();
                if rest > 0.0 { rest * base(epsilon + (q / rest).ln()) } else { 0.0 }
            }
        }
    }

    /// δ of a mixture: the test accepts where the loss exceeds ε.
    fn mixture_delta(&self, components: &[(f64, f64)], epsilon: f64) -> f64 {
        let tail = |x: f64, shift: f64| cdf(shift - x);
        match self.direction {
            Direction::Remove => {
                let x = self.position(epsilon);
                let with: f64 = components.iter().map(|(weight, shift)| weight * tail(x, *shift)).sum();
                self.rate * with + (1.0 - self.rate) * tail(x, 0.0) - epsilon.exp() * tail(x, 0.0)
            }
            Direction::Add => {
                let x = self.position(-epsilon);
                let with: f64 = components.iter().map(|(weight, shift)| weight * cdf(x - shift)).sum();
                cdf(x) * (1.0 - epsilon.exp() * (1.0 - self.rate)) - epsilon.exp() * self.rate * with
            }
        }
        .max(0.0)
    }

    /// t at an output x of a continuous base.
    fn ratio(&self, x: f64) -> f64 {
        match &self.base {
            Base::Gaussian { components } => {
                if let [(_, shift)] = components.as_slice() {
                    return shift * (x - 0.5 * shift);
                }
                let exponent = |&(_, shift): &(f64, f64)| shift * (x - 0.5 * shift);
                let largest = components.iter().map(exponent).fold(f64::NEG_INFINITY, f64::max);
                largest + components.iter().map(|part| part.0 * (exponent(part) - largest).exp()).sum::<f64>().ln()
            }
            Base::Laplace { epsilon } => epsilon * (2.0 * x - 1.0),
            _ => 0.0,
        }
    }

    /// The output x of a continuous base at which ln(1 − q + q eᵗ) is `value`.
    fn position(&self, value: f64) -> f64 {
        let t = ln_unmix(self.rate, value);
        match &self.base {
            Base::Gaussian { components } => {
                if let [(_, shift)] = components.as_slice() {
                    t / shift + 0.5 * shift
                } else {
                    let (mut low, mut high) = (-60.0, 60.0);
                    while self.ratio(high) < t {
                        high *= 2.0;
                    }
                    for _ in 0..70 {
                        let middle = f64::midpoint(low, high);
                        if self.ratio(middle) < t { low = middle } else { high = middle }
                    }
                    f64::midpoint(low, high)
                }
            }
            Base::Laplace { epsilon } => (0.5 * (t / epsilon + 1.0)).clamp(0.0, 1.0),
            _ => 0.0,
        }
    }

    /// Probability under P that a continuous base gives more (or, for `false`, less) than x.
    fn tail(&self, x: f64, more: bool) -> f64 {
        let side = |shift: f64| if more { cdf(shift - x) } else { cdf(x - shift) };
        match &self.base {
            Base::Gaussian { components } if self.direction == Direction::Remove => {
                let with: f64 = components.iter().map(|(weight, shift)| weight * side(*shift)).sum();
                self.rate * with + (1.0 - self.rate) * side(0.0)
            }
            _ => side(0.0),
        }
    }

    /// Cuts the pair into cells of a grid of width `h`, from the largest loss down, with at least `pieces` cells between grid points of a continuous pair. At
    /// most about 2·`tail` of the probability is cut off at the ends.
    pub(super) fn cells(&self, h: f64, tail: f64, pieces: u32, visit: &mut impl FnMut(Cell)) -> Ends {
        match &self.base {
            Base::Gaussian { components } => {
                let reach = -quantile(tail.max(1e-300));
                let shift = match self.direction {
                    Direction::Remove => components.iter().fold(0.0, |largest: f64, part| largest.max(part.1)),
                    Direction::Add => 0.0,
                };
                self.continuous(h, -reach, shift + reach, pieces, visit)
            }
            Base::Laplace { epsilon } => {
                let [first, second] = self.laplace_ends(*epsilon);
                visit(atom_cell(first.0, first.1, h));
                self.continuous(h, 0.0, 1.0, pieces, visit);
                visit(atom_cell(second.0, second.1, h));
                Ends::default()
            }
            _ => {
                let mut last = 0;
                let infinite = self.atoms(tail, |mass, loss| {
                    let cell = atom_cell(mass, loss, h);
                    last = cell.index;
                    visit(cell);
                });
                let cut = self.cut(tail);
                Ends { infinite, above: cut, below: cut, below_index: last + 1 }
            }
        }
    }

    /// Probability under P and loss beyond either centre of a Laplace pair, the larger loss first.
    fn laplace_ends(&self, epsilon: f64) -> [(f64, f64); 2] {
        let end = |log_mass: f64, t: f64| {
            let (loss, factor) = self.at(t);
            (0.5 * (log_mass + factor).exp(), loss)
        };
        let (beyond, before) = (end(-epsilon, epsilon), end(0.0, -epsilon));
        if self.direction == Direction::Remove { [beyond, before] } else { [before, beyond] }
    }

    fn continuous(&self, h: f64, low: f64, high: f64, pieces: u32, visit: &mut impl FnMut(Cell)) -> Ends {
        // As the loss falls, x falls if a person is removed and rises if one is added.
        let falls = self.direction == Direction::Remove;
        let loss = |x: f64| self.at(self.ratio(x)).0;
        let grid = |x: f64| whole((loss(x) / h).floor());
        let (top, bottom) = if falls { (grid(high), grid(low)) } else { (grid(low), grid(high)) };
        let mut from = if falls { high } else { low };
        for index in (bottom..=top).rev() {
            let value = real(index) * h;
            let to = if index == bottom {
                if falls { low } else { high }
            } else {
                self.position(if falls { value } else { -value }).clamp(low, high)
            };
            let (start, end) = if falls { (to, from) } else { (from, to) };
            if end > start {
                self.interval(Span { index, h, start, end, falls }, pieces, visit);
            }
            from = to;
        }
        if matches!(self.base, Base::Laplace { .. }) {
            return Ends::default();
        }
        let (above, below) =
            if falls { (self.tail(high, true), self.tail(low, false)) } else { (self.tail(low, false), self.tail(high, true)) };
        Ends { infinite: 0.0, above, below, below_index: bottom + 1 }
    }

    /// Cells of one interval of the grid.
    fn interval(&self, span: Span, pieces: u32, visit: &mut impl FnMut(Cell)) {
        let Span { index, h, start, end, falls } = span;
        let width = end - start;
        // The logarithms of densities change at most this fast.
        let scale = match &self.base {
            Base::Laplace { epsilon } => 2.0 * epsilon,
            Base::Gaussian { components } => components.iter().fold(start.abs().max(end.abs()).max(1.0), |most, part| most.max(part.1)),
            _ => 1.0,
        };
        let count = (width * scale * 2.0).ceil().max(f64::from(pieces));
        let step = width / count;
        let rule = if step * scale < 0.02 { THREE } else { FIVE };
        let base_loss = real(index) * h;
        let mut done = 0.0;
        while done < count {
            let place = if falls { count - 1.0 - done } else { done };
            let (mut mass, mut excess) = (0.0, 0.0);
            nodes(rule, start + place * step, start + (place + 1.0) * step, |x, weight| {
                let (loss, factor) = self.at(self.ratio(x));
                let log_density = match &self.base {
                    Base::Laplace { epsilon } => -epsilon * x,
                    _ => -0.5 * x * x,
                };
                let part = weight * (log_density + factor).exp();
                mass += part;
                excess -= part * (-(loss - base_loss).clamp(0.0, h)).exp_m1();
            });
            let constant = match &self.base {
                Base::Laplace { epsilon } => 0.5 * epsilon,
                _ => PEAK,
            };
            visit(Cell { index, mass: constant * mass, excess: constant * excess });
            done += 1.0;
        }
    }

    /// What [`Pair::atoms`] may have left out at each end.
    fn cut(&self, tail: f64) -> f64 {
        match self.base {
            Base::DiscreteGaussian { .. } | Base::RoundedGaussian { .. } => tail,
            _ => 0.0,
        }
    }

    /// Calls `visit` with (probability under P, loss) of every atom of a discrete pair, from the largest loss down, and returns the probability of an infinite loss.
    /// At most `tail` is left out at each end.
    pub(super) fn atoms(&self, tail: f64, mut visit: impl FnMut(f64, f64)) -> f64 {
        let remove = self.direction == Direction::Remove;
        let mut atom = |log_mass: f64, t: f64| {
            let (loss, factor) = self.at(t);
            let mass = (log_mass + factor).exp();
            if mass > 0.0 {
                visit(mass, loss);
            }
        };
        // Whole numbers x at which the law centred on 0 or on the sensitivity s is not negligible.
        let mut over = |low: f64, high: f64, step: f64, mut atom_at: Box<dyn FnMut(f64) -> (f64, f64) + '_>| {
            let count = ((high - low) / step).floor();
            let mut done = 0.0;
            while done <= count {
                let (mass, t) = atom_at(if remove { high - done * step } else { low + done * step });
                atom(mass, t);
                done += 1.0;
            }
        };
        match &self.base {
            Base::DiscreteLaplace { scale, sensitivity } => {
                let (b, s) = (*scale, *sensitivity);
                // P₀(0) = tanh(1/2b), and what lies at or beyond s is P₀(s) / (1 − e^(−1/b)).
                let centre = (0.5 / b).tanh().ln();
                let outside = -(-(-1.0 / b).exp_m1()).ln();
                over(
                    0.0,
                    s,
                    1.0,
                    Box::new(move |x| {
                        let ends = if x <= 0.0 || x >= s { outside } else { 0.0 };
                        (centre - x / b + ends, (2.0 * x - s) / b)
                    }),
                );
                0.0
            }
            Base::DiscreteGaussian { sigma, sensitivity } => {
                let (v, s) = (2.0 * sigma * sigma, *sensitivity);
                let total = discrete_gaussian_total(*sigma).ln();
                let reach = (sigma * (1.0 - quantile(tail.clamp(1e-300, 0.1)))).ceil() + 2.0;
                over(-reach, s + reach, 1.0, Box::new(move |x| (-x * x / v - total, s * (2.0 * x - s) / v)));
                0.0
            }
            Base::RoundedGaussian { sigma, sensitivity } => {
                let (mu, s) = (sensitivity / sigma, *sensitivity);
                // Above a thousand cells a standard deviation whole numbers are put together: that is post-processing.
                let group = (sigma / 1000.0).ceil().max(1.0);
                let reach = ((sigma * -quantile(tail.clamp(1e-300, 0.1)) + 1.0) / group).ceil() * group;
                over(
                    -reach,
                    ((s + reach) / group).ceil() * group,
                    group,
                    Box::new(|x| rounded_cell((x - 0.5) / sigma, (x - 0.5 + group) / sigma, mu)),
                );
                0.0
            }
            Base::Finite { atoms, infinite } => {
                if remove {
                    for &(t, mass) in atoms {
                        atom(mass.ln(), t);
                    }
                    self.rate * infinite
                } else {
                    for &(t, mass) in atoms.iter().rev() {
                        atom(mass.ln(), t);
                    }
                    0.0
                }
            }
            Base::Gaussian { .. } | Base::Laplace { .. } => 0.0,
        }
    }

    /// A few hundred weighted losses whose sums come close to expectations under P: for planning, not for bounds.
    pub(super) fn sketch(&self) -> Vec<(f64, f64)> {
        let mut found = Vec::new();
        match &self.base {
            Base::Gaussian { components } => {
                let shift = components.iter().fold(0.0, |largest: f64, part| largest.max(part.1));
                let step = 0.1_f64.max((shift + 76.0) / 4000.0);
                let mut x = -38.0;
                while x < shift + 38.0 {
                    let (loss, factor) = self.at(self.ratio(x));
                    found.push((PEAK * step * (-0.5 * x * x + factor).exp(), loss));
                    x += step;
                }
            }
            Base::Laplace { epsilon } => {
                found.extend(self.laplace_ends(*epsilon));
                for piece in 0..40 {
                    nodes(FIVE, f64::from(piece) / 40.0, f64::from(piece + 1) / 40.0, |x, weight| {
                        let (loss, factor) = self.at(self.ratio(x));
                        found.push((0.5 * epsilon * weight * (-epsilon * x + factor).exp(), loss));
                    });
                }
            }
            _ => {
                let mut atoms = Vec::new();
                self.atoms(1e-30, |mass, loss| atoms.push((mass, loss)));
                let group = atoms.len().div_ceil(2000).max(1);
                for chunk in atoms.chunks(group) {
                    let mass: f64 = chunk.iter().map(|atom| atom.0).sum();
                    if mass > 0.0 {
                        found.push((mass, chunk.iter().map(|atom| atom.0 * atom.1).sum::<f64>() / mass));
                    }
                }
            }
        }
        found.retain(|&(mass, _)| mass > 0.0);
        found
    }
}

/// An interval of the grid and of the output.
#[derive(Debug, Clone, Copy)]
struct Span {
    index: i64,
    h: f64,
    start: f64,
    end: f64,
    falls: bool,
}

fn atom_cell(mass: f64, loss: f64, h: f64) -> Cell {
    let place = loss / h;
    let nearest = place.round();
    if (place - nearest).abs() <= SNAP {
        return Cell { index: whole(nearest), mass, excess: 0.0 };
    }
    let below = place.floor();
    Cell { index: whole(below), mass, excess: -mass * (-(loss - below * h).clamp(0.0, h)).exp_m1() }
}

/// The logarithm of the probability under N(0, 1) of [low, high], and that of the ratio of the ones under N(μ, 1) and N(0, 1).
fn rounded_cell(low: f64, high: f64, mu: f64) -> (f64, f64) {
    let scale = low.abs().max(high.abs()).max(1.0);
    let count = ((high - low) * scale * 2.0).ceil().max(1.0);
    let step = (high - low) / count;
    // Exponents at the points of the cell that are nearest to the centres.
    let (near, near_shifted) = (0.0_f64.clamp(low, high), mu.clamp(low, high) - mu);
    let (top, top_shifted) = (-0.5 * near * near, -0.5 * near_shifted * near_shifted);
    let (mut mass, mut gain, mut with, mut done) = (0.0, 0.0, 0.0, 0.0);
    while done < count {
        nodes(FIVE, low + done * step, low + (done + 1.0) * step, |x, weight| {
            let part = weight * (-0.5 * x * x - top).exp();
            mass += part;
            gain += part * (mu * (x - 0.5 * mu)).min(30.0).exp_m1();
            with += weight * (-0.5 * (x - mu) * (x - mu) - top_shifted).exp();
        });
        done += 1.0;
    }
    let ratio = gain / mass;
    let t = if ratio.abs() < 0.5 { ratio.ln_1p() } else { with.ln() + top_shifted - mass.ln() - top };
    (PEAK.ln() + mass.ln() + top, t)
}

/// Σ exp(−x²/2σ²) over whole numbers.
pub(super) fn discrete_gaussian_total(sigma: f64) -> f64 {
    if sigma > 3.0 {
        // Poisson summation: the next term is 2 exp(−2π²σ²).
        return sigma * (2.0 * std::f64::consts::PI).sqrt();
    }
    let (mut sum, mut x) = (0.0, 60.0);
    while x >= 1.0 {
        sum += 2.0 * (-0.5 * x * x / (sigma * sigma)).exp();
        x -= 1.0;
    }
    sum + 1.0
}

/// An index of the grid; grids have fewer than 2⁵³ points.
#[expect(clippy::cast_possible_truncation, reason = "a saturated index is far outside every grid")]
pub(super) fn whole(value: f64) -> i64 {
    value as i64
}

/// An index as a number.
#[expect(clippy::cast_precision_loss, reason = "grids have fewer than 2^53 points")]
pub(super) fn real(index: i64) -> f64 {
    index as f64
}
