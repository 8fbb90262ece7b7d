//! Frozen draws: a key stream gives these values, in every version of the crate that does not say otherwise in its changelog.

use super::{gaussian, geometric, laplace, rational, rounded};
use backmask::dp::noise::{Noise, Staircase};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

/// A name, a law, its first six draws, the fingerprint of ten thousand.
type Frozen = (&'static str, Box<dyn Noise>, [i64; 6], u64);

fn first(law: &dyn Noise, length: usize) -> Vec<i64> {
    let mut draws = vec![0; length];
    law.fill(&mut ChaCha20Rng::from_seed([7; 32]), &mut draws);
    draws
}

/// FNV-1a of the little-endian bytes of 10,000 draws: the branches that few draws take are among them.
fn print(law: &dyn Noise) -> u64 {
    first(law, 10_000)
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn draws_are_what_they_were() {
    let laws: [Frozen; 12] = [
        ("discrete Laplace 0.3", Box::new(laplace("0.3")), [0, 0, 0, 0, 0, 0], 0x6bb4_a304_03f2_1e5d),
        ("discrete Laplace 10", Box::new(laplace("10")), [3, -5, -4, 21, -1, 6], 0xba3c_96d0_8adc_1290),
        (
            "discrete Laplace 1e6",
            Box::new(laplace("1e6")),
            [48_158, -137_583, 2_260_390, 662_263, 2_267_576, 4_047_389],
            0x1618_226c_36f3_309a,
        ),
        (
            "discrete Laplace 1e12",
            Box::new(laplace("1e12")),
            [59_087_703_730, -144_266_596_380, 2_370_191_059_529, 668_664_314_321, 2_300_417_247_012, 4_243_995_047_663],
            0x6355_a8f1_42bc_be08,
        ),
        ("discrete Gaussian 1", Box::new(gaussian("1")), [0, -1, 0, 2, 0, 1], 0x0de4_017f_96be_6507),
        ("discrete Gaussian 1000", Box::new(gaussian("1000")), [7, -225, -86, 1_144, -1_102, 263], 0xeb0b_985e_3507_f881),
        (
            "discrete Gaussian 1e12",
            Box::new(gaussian("1e12")),
            [12_363_982_681, -106_493_036_558, 1_189_390_497_060, 626_389_933_288, 1_682_784_568_210, 2_121_997_523_831],
            0xc952_dcb1_da36_f56f,
        ),
        ("rounded Gaussian 0.3", Box::new(rounded("0.3")), [0, 0, 0, 0, -1, 0], 0x4586_04ed_46e6_9d75),
        ("rounded Gaussian 25/3", Box::new(rounded("25/3")), [1, -3, -2, 11, -17, 3], 0x5ec6_3649_2fc5_433d),
        (
            "rounded Gaussian 1e6",
            Box::new(rounded("1e6")),
            [7_695, -93_368, 1_130_195, 613_756, 1_662_172, 2_023_695],
            0x874d_9cd9_ed8b_6c82,
        ),
        ("geometric 5", Box::new(geometric("5")), [1, 2, 1, 10, 0, 2], 0xb47d_e3ea_19d9_a23b),
        ("staircase", Box::new(Staircase::new(&rational("0.5"), 4, 2).unwrap()), [1, -7, -5, 9, -2, -1], 0x35d0_fd64_e3c1_8337),
    ];
    for (what, law, draws, fingerprint) in laws {
        assert_eq!(first(&*law, 6), draws, "{what}");
        assert_eq!(print(&*law), fingerprint, "{what}");
    }
}

#[test]
fn a_generator_is_used_up() {
    // Two calls never see the same words, and two generators of one seed see the same.
    let law = laplace("1e9");
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let (mut once, mut twice) = (vec![0; 600], vec![0; 600]);
    law.fill(&mut rng, &mut once);
    law.fill(&mut rng, &mut twice);
    assert_ne!(once, twice);
    assert!(once.iter().zip(&twice).filter(|(a, b)| a == b).count() < 3);
    assert_eq!(once, first(&law, 600));
    let mut other = ChaCha20Rng::from_seed([8; 32]);
    law.fill(&mut other, &mut twice);
    assert_ne!(once, twice);
}
