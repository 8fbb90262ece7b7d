//! The loss of a pair on a grid, once from above and once from below.
//!
//! *From above* (connect the dots): what lies between two grid points is divided between them so that the probability under P and under Q stays the same. The
//! curve δ(ε), convex in e^ε, becomes its chords between grid points, the smallest majorant that a law on the grid can have.
//!
//! *From below*: pieces of the law are put together on a grid point such that Q/P there is the mean of Q/P over the pieces, or more. Putting together is
//! post-processing, and more of Q only lowers the loss, so the result is dominated. The greedy rule below gives each grid point as much from its far side as
//! balances what it has from its near side: the curve becomes tangents that meet over grid points. It starts from both ends of the law and meets where there is
//! little, since only there something must be rounded down.
//!
//! Both errors are of second order in the width of the grid, without a bias of first order.

use super::pair::{Base, Cell, Direction, Ends, Pair, real, whole};

/// A measure on the points (first + j)·h, and the probability of an infinite loss.
#[derive(Debug, Clone, Default)]
pub(super) struct OnGrid {
    pub(super) first: i64,
    pub(super) mass: Vec<f64>,
    pub(super) infinite: f64,
}

/// How a pair is put on a grid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    /// Width.
    pub(super) h: f64,
    /// Probability that may be cut off at either end of a pair.
    pub(super) tail: f64,
    /// Cells of a continuous pair between grid points.
    pub(super) pieces: u32,
}

/// Sums of probabilities and quadratures are off by less than this part.
const ROUNDING: f64 = 1e-13;
/// A measure that grows downwards.
struct Descending {
    top: Option<i64>,
    mass: Vec<f64>,
}

impl Descending {
    fn add(&mut self, index: i64, mass: f64) {
        if mass <= 0.0 {
            return;
        }
        let top = *self.top.get_or_insert(index);
        let place = usize::try_from(top - index).unwrap_or(0);
        if place >= self.mass.len() {
            self.mass.resize(place + 1, 0.0);
        }
        self.mass[place] += mass;
    }

    fn finish(mut self, infinite: f64, factor: f64) -> OnGrid {
        self.mass.reverse();
        self.mass.iter_mut().for_each(|mass| *mass *= factor);
        let length = i64::try_from(self.mass.len()).unwrap_or(0);
        OnGrid { first: self.top.map_or(0, |top| top + 1 - length), mass: self.mass, infinite }
    }
}

/// A law on the grid whose δ(ε) is nowhere smaller than the pair's, up to a shift of the loss by [`SNAP`](super::pair::SNAP)·h.
pub(super) fn from_above(pair: &Pair, grid: Grid) -> OnGrid {
    // One above the top cell may be needed.
    let mut found = Descending { top: None, mass: Vec::new() };
    let whole_step = -(-grid.h).exp_m1();
    let mut begun = false;
    let ends = pair.cells(grid.h, grid.tail, 1, &mut |cell: Cell| {
        if !begun {
            found.top = Some(cell.index + 1);
            begun = true;
        }
        let up =
            (cell.excess / whole_step * (1.0 + ROUNDING) + ROUNDING * cell.mass * f64::from(u8::from(cell.excess > 0.0))).min(cell.mass);
        found.add(cell.index + 1, up);
        found.add(cell.index, cell.mass - up);
    });
    found.add(ends.below_index, ends.below);
    found.finish((ends.infinite + ends.above) * (1.0 + ROUNDING), 1.0 + ROUNDING)
}

/// A law on the grid, of total mass at most 1, whose δ(ε) is nowhere larger than the pair's, up to the same shift. `weight` is the tilt that says what matters.
pub(super) fn from_below(pair: &Pair, grid: Grid, weight: f64) -> OnGrid {
    let mut pieces = Vec::new();
    let ends: Ends = pair.cells(grid.h, grid.tail, grid.pieces, &mut |cell| {
        if cell.mass > 0.0 {
            let share = (cell.excess / cell.mass).clamp(0.0, 1.0);
            pieces.push(Piece { index: cell.index, mass: cell.mass, share });
        }
    });
    let Some((&first, &last)) = pieces.first().zip(pieces.last()) else {
        return OnGrid { infinite: ends.infinite * (1.0 - ROUNDING), ..OnGrid::default() };
    };
    let length = usize::try_from(first.index - last.index).unwrap_or(0) + 2;
    let mut found = Below { bottom: last.index, mass: vec![0.0; length], h: grid.h, reach: reach(grid.h, weight) };
    let meeting = meeting(pair, &pieces, grid.h * weight);
    let (from_top, from_bottom) = pieces.split_at(meeting);
    found.descend(from_top);
    found.ascend(from_bottom);
    found.mass.iter_mut().for_each(|mass| *mass *= 1.0 - ROUNDING);
    OnGrid { first: found.bottom, mass: found.mass, infinite: ends.infinite * (1.0 - ROUNDING) }
}

/// How many grid points away something may be to balance a rounding. Far away it costs more than rounding down: for a distance D about λ D / 2 times as much.
fn reach(h: f64, weight: f64) -> i64 {
    whole(((2.0 / weight.max(2.0)) / h).clamp(4.0, 1e9))
}

/// Where the two halves meet, as a number of pieces from the top.
fn meeting(pair: &Pair, pieces: &[Piece], slope: f64) -> usize {
    match pair.base {
        // Sampled Gaussians have a steep end, which must be a start.
        Base::Gaussian { .. } => {
            if pair.direction == Direction::Remove {
                0
            } else {
                pieces.len()
            }
        }
        // Atoms at both ends.
        Base::Laplace { .. } | Base::DiscreteLaplace { .. } => pieces.len() / 2,
        _ => {
            let top = pieces.first().map_or(0, |piece| piece.index);
            let cost = |piece: &Piece| piece.mass.ln() + slope * real(piece.index - top);
            let least = pieces.iter().enumerate().min_by(|one, other| cost(one.1).total_cmp(&cost(other.1)));
            least.map_or(0, |(place, _)| place)
        }
    }
}

/// A piece of the loss's law on [index·h, (index + 1)·h]; 1 − share is the mean of exp(index·h − loss).
#[derive(Debug, Clone, Copy)]
struct Piece {
    index: i64,
    mass: f64,
    share: f64,
}

impl Piece {
    /// Per unit of mass: mean of exp(point·h − loss) − 1.
    fn lack(&self, point: i64, h: f64) -> f64 {
        let away = real(point - self.index) * h;
        away.exp_m1() - away.exp() * self.share
    }
}

struct Below {
    bottom: i64,
    mass: Vec<f64>,
    h: f64,
    reach: i64,
}

impl Below {
    fn put(&mut self, index: i64, mass: f64) {
        if let Some(place) = usize::try_from(index - self.bottom).ok().and_then(|place| self.mass.get_mut(place)) {
            *place += mass;
        }
    }

    /// From the largest loss down: a point that has something from above takes from below until the mean is right.
    fn descend(&mut self, pieces: &[Piece]) {
        let (mut point, mut surplus) = (i64::MAX, 0.0);
        for piece in pieces {
            let mut rest = piece.mass;
            if surplus > 0.0 && point > piece.index && point - piece.index <= self.reach {
                let lack = piece.lack(point, self.h);
                let most = if lack > 0.0 { surplus * (1.0 - ROUNDING) / lack } else { f64::INFINITY };
                let given = most.min(rest);
                self.put(point, given);
                surplus = if given < rest { 0.0 } else { surplus - given * lack.max(0.0) };
                rest -= given;
            }
            if rest > 0.0 {
                if point != piece.index {
                    (point, surplus) = (piece.index, 0.0);
                }
                self.put(point, rest);
                surplus += rest * piece.share;
            }
        }
    }

    /// From the smallest loss up: a point that has something from below takes from above until the mean is right; what is left without is rounded down.
    fn ascend(&mut self, pieces: &[Piece]) {
        let (mut point, mut lack) = (i64::MIN, 0.0);
        let mut waiting: Vec<Piece> = Vec::new();
        for piece in pieces.iter().rev() {
            let mut rest = piece.mass;
            if lack > 0.0 && piece.index - point > self.reach {
                self.round_down(point, &mut waiting);
                lack = 0.0;
            }
            if lack > 0.0 && point <= piece.index {
                let surplus = -piece.lack(point, self.h);
                let most = if surplus > 0.0 { lack * (1.0 + ROUNDING) / surplus } else { f64::INFINITY };
                let given = most.min(rest);
                self.put(point, given);
                if given < rest {
                    lack = 0.0;
                    waiting.clear();
                } else {
                    lack -= given * surplus.max(0.0);
                    waiting.push(*piece);
                }
                rest -= given;
            }
            if rest > 0.0 {
                if piece.share == 0.0 {
                    // It lies on a grid point.
                    self.put(piece.index, rest);
                    continue;
                }
                if point != piece.index + 1 {
                    (point, lack) = (piece.index + 1, 0.0);
                    waiting.clear();
                }
                self.put(point, rest);
                waiting.push(Piece { mass: rest, ..*piece });
                lack += rest * piece.lack(point, self.h).max(0.0);
            }
        }
        if lack > 0.0 {
            self.round_down(point, &mut waiting);
        }
    }

    /// Takes the pieces back from `point` and puts each on the grid point below it.
    fn round_down(&mut self, point: i64, waiting: &mut Vec<Piece>) {
        for piece in waiting.drain(..) {
            self.put(point, -piece.mass);
            self.put(piece.index.min(point), piece.mass);
        }
        if let Some(place) = usize::try_from(point - self.bottom).ok().and_then(|place| self.mass.get_mut(place)) {
            *place = place.max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::SNAP;
    use super::super::parts::{approximate, gaussian};
    use super::*;

    fn delta(law: &OnGrid, h: f64, epsilon: f64) -> f64 {
        let finite = law.mass.iter().zip(law.first..).map(|(mass, index)| mass * -(epsilon - real(index) * h).min(0.0).exp_m1());
        law.infinite + finite.sum::<f64>()
    }

    fn pairs() -> Vec<Pair> {
        let mut found = Vec::new();
        let bases = [
            Base::Gaussian { components: vec![(1.0, 1.0)] },
            Base::Gaussian { components: vec![(1.0, 0.05)] },
            Base::Gaussian { components: vec![(1.0, 6.0)] },
            Base::Gaussian { components: vec![(0.2, 0.0), (0.6, 1.0), (0.2, 2.0)] },
            Base::Laplace { epsilon: 0.05 },
            Base::Laplace { epsilon: 2.0 },
            Base::DiscreteLaplace { scale: 2.0, sensitivity: 4.0 },
            Base::DiscreteGaussian { sigma: 1.3, sensitivity: 2.0 },
            Base::RoundedGaussian { sigma: 2.0, sensitivity: 3.0 },
        ];
        for base in bases {
            for rate in [1.0, 0.3, 0.001] {
                for direction in [Direction::Remove, Direction::Add] {
                    found.push(Pair { base: base.clone(), rate, direction });
                }
            }
        }
        found.extend([approximate(0.7, 0.0), approximate(0.7, 1e-3), gaussian(20.0, 0.01)]);
        found
    }

    #[test]
    fn grids_enclose_every_pair_and_close_in() {
        for pair in pairs() {
            for h in [0.1, 0.0037] {
                let grid = Grid { h, tail: 1e-20, pieces: 4 };
                let (above, below) = (from_above(&pair, grid), from_below(&pair, grid, 1.0));
                let total: f64 = below.mass.iter().sum();
                let most = above.mass.iter().sum::<f64>() + above.infinite;
                assert!(total + below.infinite <= 1.0 && most >= 1.0 - 1e-15 && most < 1.0 + 1e-12, "{pair:?} {h}: {total} {most}");
                assert!(below.mass.iter().all(|&mass| mass >= 0.0));
                let largest = pair.extremes().0.min(3.0);
                let mut widest = 0.0_f64;
                for step in 0..12 {
                    let epsilon = largest * f64::from(step) / 12.3;
                    let exact = pair.delta(epsilon);
                    let (high, low) = (delta(&above, h, epsilon - SNAP * h), delta(&below, h, epsilon + SNAP * h));
                    let context = || format!("{pair:?} h {h} epsilon {epsilon}: {low} {exact} {high}");
                    assert!(low <= exact * (1.0 + 1e-11) && exact <= high * (1.0 + 1e-11), "{}", context());
                    widest = widest.max(high - low);
                }
                if std::env::var("SHOW").is_ok() {
                    eprintln!("{pair:?} {h} widest {widest:e}");
                }
            }
        }
    }
}
