//! The laws: a scale, its sampler, and what is known of it.

use super::strips::{Decay, Sampler, Support};
use super::{Noise, check, moments};
use crate::dp::rational::Rational;
use crate::error::Result;
use rand::CryptoRng;

/// At least so many strips in a scale of an exponential law, as a logarithm to base 2. The tail begins 16 to 32 scales out.
const EXPONENTIAL_FINENESS: u32 = 6;
/// The same for σ. The tail begins 8 to 16 σ out.
const GAUSSIAN_FINENESS: u32 = 7;

macro_rules! law {
    ($(#[$doc:meta])* $name:ident, $parameter:ident, $title:literal, $decay:expr, $support:expr, $fineness:expr,
     $ln_pmf:path, $variance:path, $tail:path, $exact:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            $parameter: Rational,
            sampler: Sampler,
        }

        impl $name {
            /// Prepares the tables of one scale, in about a millisecond.
            ///
            /// # Errors
            /// Outside [2⁻²⁰, 2⁵⁰].
            pub fn new($parameter: &Rational) -> Result<Self> {
                check::scale(stringify!($parameter), $parameter)?;
                Ok(Self { $parameter: $parameter.clone(), sampler: Sampler::new($decay, $support, $parameter, $fineness) })
            }

            /// The parameter, exactly.
            #[must_use]
            pub fn $parameter(&self) -> &Rational {
                &self.$parameter
            }

            /// One draw of the same law by integers of any length, without tables: slow, and what the tables are tested against.
            ///
            /// # Errors
            /// None in practice: the scale was checked.
            pub fn sample_reference(&self, rng: &mut dyn CryptoRng) -> Result<i64> {
                $exact(&self.$parameter, rng)
            }
        }

        impl Noise for $name {
            fn name(&self) -> &'static str {
                $title
            }

            fn fill(&self, rng: &mut dyn CryptoRng, out: &mut [i64]) {
                self.sampler.fill(rng, out);
            }

            fn ln_pmf(&self, x: i64) -> f64 {
                $ln_pmf(self.$parameter.to_f64(), x)
            }

            fn variance(&self) -> f64 {
                $variance(self.$parameter.to_f64())
            }

            fn tail(&self, t: u64) -> f64 {
                $tail(self.$parameter.to_f64(), i64::try_from(t).unwrap_or(i64::MAX))
            }
        }
    };
}

law!(
    /// The discrete Laplace (two-sided geometric) law, P(x) = tanh(1 / 2b) · exp(−|x| / b) on the integers.
    ///
    /// # Guarantee
    /// Integer answers whose L1 distance between neighbours is at most Δ get ε-differential privacy with ε = Δ / b, against an adversary who sees nothing but the result
    /// (see [`Noise`] for what time reveals).
    ///
    /// # References
    /// Ghosh, Roughgarden, Sundararajan: *Universally Utility-Maximizing Privacy Mechanisms* (STOC 2009). Canonne, Kamath, Steinke (2020).
    ///
    /// ```
    /// use backmask::dp::noise::{DiscreteLaplace, Noise};
    /// use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
    ///
    /// let noise = DiscreteLaplace::new(&"0.3".parse()?)?;
    /// let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("the system has random numbers");
    /// let mut draws = [0; 1000];
    /// noise.fill(&mut rng, &mut draws);
    /// assert!(draws.iter().all(|&x| noise.ln_pmf(x) > -100.0));
    /// # Ok::<(), backmask::Error>(())
    /// ```
    DiscreteLaplace, scale, "discrete-laplace", Decay::Exponential, Support::Integers, EXPONENTIAL_FINENESS,
    moments::laplace_ln_pmf, moments::laplace_variance, moments::laplace_tail, super::exact::discrete_laplace
);

law!(
    /// The discrete Gaussian law, P(x) ∝ exp(−x² / 2σ²) on the integers. Its variance is at most σ².
    ///
    /// # Guarantee
    /// Integer answers whose L2 distance between neighbours is at most Δ get Δ² / 2σ² zero-concentrated differential privacy (Canonne, Kamath, Steinke 2020, Theorem 4).
    /// Vectors have only that bound; where exact Gaussian privacy of vectors is wanted, take [`RoundedGaussian`].
    ///
    /// ```
    /// use backmask::dp::noise::{DiscreteGaussian, Noise};
    ///
    /// let noise = DiscreteGaussian::new(&"1".parse()?)?;
    /// assert!((noise.variance() - 0.999_999_788_767_728).abs() < 1e-13);
    /// # Ok::<(), backmask::Error>(())
    /// ```
    DiscreteGaussian, sigma, "discrete-gaussian", Decay::Gaussian, Support::Integers, GAUSSIAN_FINENESS,
    moments::gaussian_ln_pmf, moments::gaussian_variance, moments::gaussian_tail, super::exact::discrete_gaussian
);

law!(
    /// The nearest integer to a normal variable of mean 0 and standard deviation σ, P(x) = Φ((x + ½) / σ) − Φ((x − ½) / σ). Its variance is about σ² + 1/12.
    ///
    /// # Guarantee
    /// For an integer q, q + round(Z) = round(q + Z): the release is a function of the continuous Gaussian mechanism. So vectors of integer answers with L2 distance Δ between
    /// neighbours are exactly Δ/σ-Gaussian differentially private, with no approximation of the continuous law.
    ///
    /// # References
    /// Karney: *Sampling Exactly from the Normal Distribution* (ACM TOMS 42, 2016). Dong, Roth, Su: *Gaussian Differential Privacy* (JRSS B 84, 2022).
    ///
    /// ```
    /// use backmask::dp::noise::{Noise, RoundedGaussian};
    ///
    /// let noise = RoundedGaussian::new(&"12.5".parse()?)?;
    /// assert!((noise.variance() - (156.25 + 1.0 / 12.0)).abs() < 1e-9);
    /// # Ok::<(), backmask::Error>(())
    /// ```
    RoundedGaussian, sigma, "rounded-gaussian", Decay::Gaussian, Support::Rounded, GAUSSIAN_FINENESS,
    moments::rounded_ln_pmf, moments::rounded_variance, moments::rounded_tail, super::exact::rounded_gaussian
);

law!(
    /// The one-sided geometric law, P(x) = (1 − exp(−1 / b)) · exp(−x / b) for x ≥ 0. Alone it is no mechanism: it never lowers an answer.
    ///
    /// ```
    /// use backmask::dp::noise::{Geometric, Noise};
    /// use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
    ///
    /// let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("the system has random numbers");
    /// assert!(Geometric::new(&"7".parse()?)?.sample(&mut rng) >= 0);
    /// # Ok::<(), backmask::Error>(())
    /// ```
    Geometric, scale, "geometric", Decay::Exponential, Support::Naturals, EXPONENTIAL_FINENESS,
    moments::geometric_ln_pmf, moments::geometric_variance, moments::geometric_tail, super::exact::one_sided_geometric
);
