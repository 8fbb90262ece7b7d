//! Which items may be named at all: the optimal rule.

use super::number::{at_least_one, exact};
use crate::dp::event::PrivacyEvent;
use crate::dp::noise::enclosure::{Enclosure, exp_neg};
use crate::dp::rational::Rational;
use crate::error::{Error, Result};
use crate::units::{Delta, Epsilon};
use dashu_int::UBig;
use dashu_int::ops::BitTest;
use rand::CryptoRng;

/// A rule that needs more people than this for certainty is not prepared.
const MOST_PEOPLE: usize = 1 << 20;

/// The probability to keep an item, as a fixed-point interval of 64 bits and as a float.
#[derive(Debug, Clone, Copy)]
struct Keep {
    /// Kept for certain if 64 random bits are below this,
    below: u64,
    /// dropped for certain if they are above this; undecided in between.
    above: u64,
    probability: f64,
}

/// Decides which items are named, from the number of people that have each: no rule that is (ε, δ)-differentially private keeps an item of n people with a higher
/// probability, for any n.
///
/// The probability π(n) is the largest that both neighbours allow: π(0) = 0 and π(n + 1) = min(e^ε π(n) + δ, 1 − e^−ε (1 − π(n) − δ), 1). It is enclosed in integer arithmetic of
/// as many digits as a draw needs, so the draw has exactly this probability.
///
/// ```
/// use backmask::dp::mechanism::TruncatedGeometric;
/// use backmask::units::{Delta, Epsilon};
/// use rand::{SeedableRng, rngs::{ChaCha20Rng, SysRng}};
///
/// // One item of a person counts.
/// let rule = TruncatedGeometric::new(Epsilon::new(1.0)?, Delta::new(1e-5)?, 1)?;
/// assert!((rule.keep_probability(12) - 0.760_310_996_922_627).abs() < 1e-12);
/// let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).expect("random bits");
/// assert_eq!(rule.select(&[0, 1000], &mut rng), [false, true]);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// Promised to every person who has at most `max_items` items: the set of items that are named is (ε, δ)-differentially private. Every item gets (ε, δ) / `max_items`.
/// Only items that somebody has may be asked about; an item that nobody has is never named. What is named are names only: a count beside them needs noise of its own.
///
/// # References
/// Desfontaines, Voss, Gipson, Mandayam, *Differentially private partition selection* (2022), definition 3, theorem 1 (optimality), section 5 (several items).
#[derive(Debug, Clone)]
pub struct TruncatedGeometric {
    epsilon: Rational,
    delta: Rational,
    max_items: u64,
    /// For 1, 2, … people; for more it is certain.
    table: Vec<Keep>,
    precision: usize,
    told: (Epsilon, Delta),
}

impl TruncatedGeometric {
    /// (ε, δ) over all of the at most `max_items` items of a person.
    ///
    /// # Errors
    /// δ is 0 (then no item could ever be named), `max_items` is 0, or ε / `max_items` is so small that more than a million people would be needed.
    pub fn new(epsilon: Epsilon, delta: Delta, max_items: u64) -> Result<Self> {
        at_least_one("max_items", max_items)?;
        if delta.get() <= 0.0 {
            return Err(Error::Parameter { name: "delta", problem: "must lie in (0, 1): with 0 no item can be named".to_owned() });
        }
        let share = Rational::from_ratio(1, max_items)?;
        let (epsilon_each, delta_each) = (exact(epsilon)?.times(&share), Rational::from_shortest_decimal(delta.get())?.times(&share));
        // Enough that what is lost to rounding, which grows like e^(nε) < 1/δ, is far below the smallest probability, δ.
        let bits = |number: &Rational| number.floor_log2().map_or(0, |log| usize::try_from(log.unsigned_abs()).unwrap_or(0)) + 1;
        let magnitude = usize::try_from(epsilon_each.floor().unwrap_or(0)).unwrap_or(0) * 3 / 2;
        let precision = 192 + 2 * bits(&delta_each) + 2 * magnitude;
        let mut table = Vec::new();
        each_probability(&epsilon_each, &delta_each, precision, |keep| {
            table.push(Keep {
                below: u64::try_from(&keep.lower >> (precision - 64)).unwrap_or(u64::MAX),
                above: u64::try_from(&keep.upper >> (precision - 64)).unwrap_or(u64::MAX),
                probability: float(&keep.lower, precision),
            });
            table.len() < MOST_PEOPLE
        });
        if table.len() >= MOST_PEOPLE {
            let problem = "divided by max_items is so small that more than a million people would have to share an item; allow fewer items";
            return Err(Error::Parameter { name: "epsilon", problem: problem.to_owned() });
        }
        Ok(Self { epsilon: epsilon_each, delta: delta_each, max_items, table, precision, told: (epsilon, delta) })
    }

    /// The probability with which an item of so many people is named, rounded down.
    #[must_use]
    pub fn keep_probability(&self, people: u64) -> f64 {
        match usize::try_from(people).ok().and_then(|people| people.checked_sub(1)) {
            None if people == 0 => 0.0,
            at => at.and_then(|at| self.table.get(at)).map_or(1.0, |keep| keep.probability),
        }
    }

    /// From so many people on an item is named for certain.
    #[must_use]
    pub fn certain_from(&self) -> u64 {
        self.table.len() as u64 + 1
    }

    /// How many items of a person may count.
    #[must_use]
    pub fn max_items(&self) -> u64 {
        self.max_items
    }

    /// What it costs, over all items.
    ///
    /// # Errors
    /// The accountant does not know these numbers.
    pub fn event(&self) -> Result<PrivacyEvent> {
        let (epsilon, delta) = self.told;
        let event = PrivacyEvent::TruncatedGeometric { epsilon: epsilon.get(), delta: delta.get(), max_items: self.max_items, count: 1 };
        event.check()?;
        Ok(event)
    }

    /// For every item whether it is named, from the number of different people that have it.
    pub fn select(&self, people: &[u64], rng: &mut dyn CryptoRng) -> Vec<bool> {
        people.iter().map(|people| self.keeps(*people, rng)).collect()
    }

    fn keeps(&self, people: u64, rng: &mut dyn CryptoRng) -> bool {
        let word = rng.next_u64();
        if people == 0 {
            return false;
        }
        let Some(keep) = usize::try_from(people - 1).ok().and_then(|at| self.table.get(at)) else { return true };
        if word < keep.below {
            return true;
        }
        if word > keep.above {
            return false;
        }
        self.decide(people, word, rng)
    }

    /// Draws more digits of the uniform number, and computes as many more of the probability, until they differ. It happens once in 2⁶³ draws.
    #[cold]
    fn decide(&self, people: u64, word: u64, rng: &mut dyn CryptoRng) -> bool {
        let (mut digits, mut length) = (UBig::from(word), 64);
        let mut precision = self.precision;
        loop {
            let mut asked = Enclosure { lower: UBig::ZERO, upper: UBig::ZERO };
            let mut number = 0;
            each_probability(&self.epsilon, &self.delta, precision, |keep| {
                asked.clone_from(keep);
                number += 1;
                number < people
            });
            if number < people {
                // It became certain earlier.
                return true;
            }
            while length < precision {
                (digits, length) = ((digits << 64) + rng.next_u64(), length + 64);
            }
            // The number lies in [digits, digits + 1) / 2^length.
            if digits < (&asked.lower << (length - precision)) {
                return true;
            }
            if digits >= (&asked.upper << (length - precision)) {
                return false;
            }
            precision += 64;
        }
    }
}

/// Visits the enclosures of π(1), π(2), … until one is 1 or the visitor has enough.
fn each_probability(epsilon: &Rational, delta: &Rational, precision: usize, mut visit: impl FnMut(&Enclosure) -> bool) {
    let one = UBig::ONE << precision;
    let minus = |a: &UBig, b: &UBig| if a > b { a - b } else { UBig::ZERO };
    let up = |product: UBig| (product + &one - 1_u8) >> precision;
    let shrink = exp_neg(epsilon.numerator(), epsilon.denominator(), precision);
    let square = &one * &one;
    let grow = Enclosure { lower: &square / &shrink.upper, upper: (&square + &shrink.lower - 1_u8) / &shrink.lower };
    let scaled = delta.numerator() << precision;
    let delta = Enclosure { lower: &scaled / delta.denominator(), upper: (&scaled + delta.denominator() - 1_u8) / delta.denominator() };
    let mut keep = Enclosure { lower: UBig::ZERO, upper: UBig::ZERO };
    loop {
        let grown = Enclosure {
            lower: ((&grow.lower * &keep.lower) >> precision) + &delta.lower,
            upper: up(&grow.upper * &keep.upper) + &delta.upper,
        };
        let left = Enclosure { lower: minus(&one, &(&keep.upper + &delta.upper)), upper: minus(&one, &(&keep.lower + &delta.lower)) };
        let risen = Enclosure {
            lower: minus(&one, &up(&shrink.upper * &left.upper)),
            upper: minus(&one, &((&shrink.lower * &left.lower) >> precision)),
        };
        keep = Enclosure { lower: grown.lower.min(risen.lower), upper: grown.upper.min(risen.upper).min(one.clone()) };
        if keep.lower >= one || !visit(&keep) {
            return;
        }
    }
}

/// number / 2^precision, rounded down to 53 bits.
fn float(number: &UBig, precision: usize) -> f64 {
    let length = number.bit_len();
    let drop = length.saturating_sub(53);
    let top = u64::try_from(number >> drop).unwrap_or(0);
    let shift = i32::try_from(drop).unwrap_or(i32::MAX) - i32::try_from(precision).unwrap_or(i32::MAX);
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let top = top as f64;
    // In two steps, so that the power is not rounded to 0 before the product is formed.
    top * f64::exp2(f64::from(shift / 2)) * f64::exp2(f64::from(shift - shift / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::rngs::ChaCha8Rng;
    use rand::{Rng, SeedableRng, TryCryptoRng, TryRng};
    use std::convert::Infallible;

    fn rule(epsilon: f64, delta: f64, items: u64) -> TruncatedGeometric {
        TruncatedGeometric::new(Epsilon::new(epsilon).unwrap(), Delta::new(delta).unwrap(), items).unwrap()
    }

    /// Rows of google/differential-privacy (Go and C++ tests) and of the recurrence at 60 digits.
    #[test]
    fn known_answers() {
        let ln_1_5 = 1.5_f64.ln();
        for (epsilon, delta, items, people, expected, tolerance) in [
            (ln_1_5, 0.1, 1, 1, 0.1, 1e-12),
            (ln_1_5, 0.1, 1, 3, 0.475, 1e-12),
            (ln_1_5, 0.1, 1, 5, 0.877_777_777_778, 1e-11),
            (ln_1_5, 0.1, 1, 7, 1.0, 1e-12),
            (50.0, 1e-200, 1, 2, 5.184_706e-179, 1e-6),
            (50.0, 1e-200, 1, 9, 5.221_47e-27, 1e-6),
            (50.0, 1e-200, 1, 11, 1.0, 1e-12),
            (0.5, 0.02, 1, 8, 0.868_070_806_25, 1e-10),
            (1.0, 1e-5, 1, 5, 0.000_857_910_248_837_216, 1e-13),
            (1.0, 1e-5, 1, 12, 0.760_310_996_922_627, 1e-13),
            (1.0, 1e-5, 1, 20, 0.999_925_411_111_902_7, 1e-13),
            (2.0, 1e-6, 10, 20, 2.420_843_826_813_107e-5, 1e-13),
            (2.0, 1e-6, 10, 70, 0.543_174_481_726_544_3, 1e-13),
            (0.1, 1e-8, 1, 50, 1.401_653_249_775_236e-5, 1e-13),
            (0.1, 1e-8, 1, 150, 0.310_828_928_023_692_2, 1e-13),
        ] {
            let found = rule(epsilon, delta, items).keep_probability(people);
            assert!((found / expected - 1.0).abs() < tolerance, "ε = {epsilon}, δ = {delta:e}, n = {people}: {found:e}");
        }
    }

    /// What makes the rule private, and what makes it optimal: between neighbours one of the three bounds is reached.
    fn check(keep: impl Fn(u64) -> f64, epsilon: f64, delta: f64) -> Result<(), String> {
        let grow = epsilon.exp();
        if keep(0) > 0.0 {
            return Err("names items that nobody has".to_owned());
        }
        for people in 0..2000 {
            let (fewer, more) = (keep(people), keep(people + 1));
            let allowed = (grow * fewer + delta).min(1.0 - (1.0 - fewer - delta) / grow).min(1.0);
            if more > allowed * (1.0 + 1e-9) {
                return Err(format!("too likely at {people}: {more} > {allowed}"));
            }
            if more < allowed * (1.0 - 1e-9) {
                return Err(format!("not optimal at {people}"));
            }
            if more >= 1.0 {
                return Ok(());
            }
        }
        Ok(())
    }

    #[test]
    fn a_rule_that_is_off_is_caught() {
        let rule = rule(1.0, 1e-5, 1);
        check(|people| rule.keep_probability(people), 1.0, 1e-5).unwrap();
        assert!(check(|people| rule.keep_probability(people + 1), 1.0, 1e-5).is_err(), "off by one");
        assert!(check(|people| rule.keep_probability(people), 1.0, 0.9e-5).is_err(), "too large a δ");
        assert!(check(|people| rule.keep_probability(people), 0.9, 1e-5).is_err(), "too large an ε");
        assert!(check(|people| rule.keep_probability(people), 1.1, 1e-5).is_err(), "too small an ε wastes");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_rule_is_private_and_optimal(epsilon in 0.02..8.0_f64, exponent in 1.0..15.0_f64, items in 1..4_u64) {
            let delta = 10.0_f64.powf(-exponent);
            let rule = rule(epsilon, delta, items);
            let share = f64::from(u32::try_from(items).unwrap());
            prop_assert!(check(|people| rule.keep_probability(people), epsilon / share, delta / share).is_ok());
        }
    }

    #[test]
    fn the_share_of_kept_items_is_the_probability() {
        let rule = rule(0.5, 0.02, 1);
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let draws = 40_000_u32;
        for people in [1, 4, 7, 10] {
            let kept = rule.select(&vec![people; draws as usize], &mut rng).into_iter().filter(|kept| *kept).count();
            let (mean, p) = (crate::numeric::real(kept as u64) / f64::from(draws), rule.keep_probability(people));
            // Five standard deviations: a false alarm in 1.7 million.
            assert!((mean - p).abs() < 5.0 * (p * (1.0 - p) / f64::from(draws)).sqrt(), "{people}: {mean} {p}");
        }
        assert!(!rule.select(&[0; 1000], &mut rng).contains(&true));
    }

    /// Gives the words that it was made from, then random ones.
    struct Words(Vec<u64>, ChaCha8Rng);

    impl TryRng for Words {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            unreachable!("whole words are drawn")
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(self.0.pop().unwrap_or_else(|| self.1.next_u64()))
        }
        fn try_fill_bytes(&mut self, _bytes: &mut [u8]) -> Result<(), Infallible> {
            unreachable!("whole words are drawn")
        }
    }

    impl TryCryptoRng for Words {}

    /// A draw whose first 64 bits decide nothing is decided by the next ones, in exact proportion: π(1) = δ = 1/10, whose 64 bits are followed by .6 = 0x99…
    #[test]
    fn undecided_draws_go_on() {
        let rule = rule(1.0, 0.1, 1);
        let first = u64::MAX / 10;
        for (next, kept) in [(0, true), (0x9999_9999_9999_9998, true), (0x9999_9999_9999_999a, false), (u64::MAX, false)] {
            let mut words = Words(vec![next, first], ChaCha8Rng::seed_from_u64(1));
            assert_eq!(rule.select(&[1], &mut words), [kept], "{next:x}");
        }
    }

    #[test]
    fn bad_parameters_are_named() {
        let make =
            |epsilon, delta, items| TruncatedGeometric::new(Epsilon::new(epsilon).unwrap(), Delta::new(delta).unwrap(), items).map(drop);
        for (result, name) in [(make(1.0, 0.0, 1), "delta"), (make(1.0, 0.1, 0), "max_items"), (make(1e-6, 1e-9, 1000), "epsilon")] {
            assert!(result.unwrap_err().to_string().starts_with(name), "{name}");
        }
        // Nothing is kept with probability 1 too early or too late.
        let rule = rule(1.0, 1e-5, 1);
        assert!(rule.keep_probability(rule.certain_from()) >= 1.0 && rule.keep_probability(rule.certain_from() - 1) < 1.0);
        assert!(rule.keep_probability(u64::MAX) >= 1.0 && rule.keep_probability(0) <= 0.0);
    }
}
