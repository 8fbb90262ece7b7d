//! Tests of the laws as a whole.

use super::*;
use crate::dp::rational::Rational;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

fn rational(text: &str) -> Rational {
    text.parse().unwrap()
}

#[test]
fn moments_of_draws() {
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    for scale in ["0.3", "1", "10", "31.9", "32", "1000", "1e6", "1e12"] {
        let laws: [Box<dyn Noise>; 4] = [
            Box::new(DiscreteLaplace::new(&rational(scale)).unwrap()),
            Box::new(DiscreteGaussian::new(&rational(scale)).unwrap()),
            Box::new(RoundedGaussian::new(&rational(scale)).unwrap()),
            Box::new(Geometric::new(&rational(scale)).unwrap()),
        ];
        for law in laws {
            let mut draws = vec![0; 100_000];
            law.fill(&mut rng, &mut draws);
            let n = draws.len() as f64;
            let mean = draws.iter().map(|&x| x as f64).sum::<f64>() / n;
            let variance = draws.iter().map(|&x| (x as f64 - mean).powi(2)).sum::<f64>() / n;
            println!("{} {scale}: mean/sd {:.4} var ratio {:.4}", law.name(), mean / law.variance().sqrt(), variance / law.variance());
        }
    }
}
