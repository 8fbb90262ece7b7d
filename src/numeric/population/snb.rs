//! The slide negative binomial model.

use super::SampleClasses;
use crate::numeric::real;
use crate::numeric::roots::root;

/// Sizes of the classes of a population as 1 + X, X negative binomial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlideNegativeBinomial {
    /// Estimated classes of the population.
    pub classes: f64,
    /// The shape.
    pub r: f64,
    /// The probability; a class has one person with q^r.
    pub q: f64,
}

impl SlideNegativeBinomial {
    /// The number of classes by Shlosser's estimator, then r and q from the expected numbers of classes of one and of two people in a Bernoulli sample.
    /// `None` where they have no solution.
    ///
    /// With the generating function G(s) = s (q / (1 − (1 − q) s))^r of a class and the sampling fraction π these numbers are K π G′(1 − π) and
    /// K π² G″(1 − π) / 2.
    ///
    /// # References
    /// Chen, Keller-McNulty, *Estimation of identification disclosure risk in microdata*, Journal of Official Statistics 14 (1998); Haas, Stokes, *Estimating the
    /// number of classes in a finite population*, JASA 93 (1998), estimator Sh3.
    #[must_use]
    pub fn fit(sample: &SampleClasses, population: u64) -> Option<Self> {
        let fraction = real(sample.people()) / real(population);
        let classes = shlosser(sample, fraction)?;
        let equations = Equations { classes, fraction, ones: real(sample.uniques()), twos: real(sample.of_size(2)) };
        equations.solve().map(|(q, r)| Self { classes, r, q })
    }

    /// Expected classes of one person in the population.
    #[must_use]
    pub fn uniques(&self) -> f64 {
        self.classes * self.q.powf(self.r)
    }
}

/// Shlosser's estimator of the number of classes, as modified by Haas and Stokes.
fn shlosser(sample: &SampleClasses, fraction: f64) -> Option<f64> {
    let (mut above, mut below, mut missed, mut shown) = (0.0, 0.0, 0.0, 0.0);
    let square = fraction * fraction;
    for (size, classes) in sample.sizes() {
        let (size, classes) = (real(size), real(classes));
        above += classes * size * square * (1.0 - square).powf(size - 1.0);
        // (1 − π)^i ((1 + π)^i − 1)
        below += classes * ((1.0 - square).powf(size) - (1.0 - fraction).powf(size));
        missed += classes * (1.0 - fraction).powf(size);
        shown += classes * size * fraction * (1.0 - fraction).powf(size - 1.0);
    }
    let classes = real(sample.classes()) + real(sample.uniques()) * (above / below) * (missed / shown).powi(2);
    (classes.is_finite() && classes >= real(sample.classes())).then_some(classes)
}

/// Two equations in q and r.
struct Equations {
    classes: f64,
    fraction: f64,
    ones: f64,
    twos: f64,
}

impl Equations {
    /// (ln(q / y), y, (1 − q)(1 − π)) with y = 1 − (1 − q)(1 − π).
    fn parts(&self, q: f64) -> (f64, f64, f64) {
        let rest = (1.0 - q) * (1.0 - self.fraction);
        // y = q + (1 − q) π, so no digits are lost where q is small.
        let y = q + (1.0 - q) * self.fraction;
        ((q / y).ln(), y, rest)
    }

    /// Expected minus counted classes of one person.
    fn first(&self, q: f64, r: f64) -> f64 {
        let (logarithm, y, rest) = self.parts(q);
        self.classes * self.fraction * (r * logarithm).exp() * (1.0 + r * rest / y) - self.ones
    }

    /// Expected minus counted classes of two people.
    fn second(&self, q: f64, r: f64) -> f64 {
        let (logarithm, y, rest) = self.parts(q);
        let scale = self.classes * self.fraction * self.fraction / 2.0;
        scale * (r * logarithm).exp() / (y * y) * r * (1.0 - q) * (2.0 + (r - 1.0) * rest) - self.twos
    }

    /// The r of the first equation for a given q, where its left side falls: the more people in a class, the fewer classes of one person in the sample. For
    /// small r it may rise, because a class of few people is more likely seen than one of one; a solution there would lower the estimate and is not taken.
    fn shape(&self, q: f64) -> Option<f64> {
        let (logarithm, y, rest) = self.parts(q);
        let turn = (-1.0 / logarithm - y / rest).max(0.0);
        root(|r| self.first(q, r), turn, (turn + 1.0) * 1e6)
    }

    /// The solution with the largest q.
    fn solve(&self) -> Option<(f64, f64)> {
        let of_logit = |logit: f64| 1.0 / (1.0 + (-logit).exp());
        let second = |logit: f64| {
            let q = of_logit(logit);
            self.shape(q).map_or(f64::NAN, |r| self.second(q, r))
        };
        let mut before: Option<(f64, f64)> = None;
        for logit in (-120..=120).rev().map(|step| f64::from(step) / 6.0) {
            let value = second(logit);
            if let Some((last, at_last)) = before
                && !value.is_nan()
                && (value > 0.0) != (at_last > 0.0)
                && let Some(logit) = root(second, logit, last)
            {
                let q = of_logit(logit);
                return self.shape(q).map(|r| (q, r));
            }
            before = (!value.is_nan()).then_some((logit, value));
        }
        None
    }
}
