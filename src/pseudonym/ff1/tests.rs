//! Against the samples of NIST, against the `fpe` crate, and the two ways against each other.

use super::reciprocal::{Reciprocal, WideReciprocal};
use super::*;
use aes::{Aes128Enc, Aes192Enc};
use fpe::ff1::FlexibleNumeralString;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

/// A string of the digits 0…9, a…z.
fn numerals(text: &str) -> Vec<u16> {
    text.chars().map(|digit| u16::try_from(digit.to_digit(36).unwrap()).unwrap()).collect()
}

const KEY: &str = "2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f7f036d6f04fc6a94";
const DIGITS: &str = "0123456789";
const LETTERS: &str = "0123456789abcdefghi";

/// Bytes of the key, radix, tweak, plaintext, ciphertext: the samples 1–9 that NIST publishes for FF1.
const SAMPLES: [(usize, u32, &str, &str, &str); 9] = [
    (16, 10, "", DIGITS, "2433477484"),
    (16, 10, "39383736353433323130", DIGITS, "6124200773"),
    (16, 36, "3737373770717273373737", LETTERS, "a9tv40mll9kdu509eum"),
    (24, 10, "", DIGITS, "2830668132"),
    (24, 10, "39383736353433323130", DIGITS, "2496655549"),
    (24, 36, "3737373770717273373737", LETTERS, "xbj3kv35jrawxv32ysr"),
    (32, 10, "", DIGITS, "6657667009"),
    (32, 10, "39383736353433323130", DIGITS, "1001623463"),
    (32, 36, "3737373770717273373737", LETTERS, "xs8a0azh2avyalyzuwd"),
];

fn check_sample<C: Permutation + KeyInit>(sample: (usize, u32, &str, &str, &str)) {
    let (bytes, radix, tweak, plaintext, ciphertext) = sample;
    let tweak = unhex(tweak);
    let mode = Mode::new(C::new_from_slice(&unhex(KEY)[..bytes]).unwrap(), radix).unwrap();
    let mut string = numerals(plaintext);
    mode.apply::<true>(&tweak, string.len(), &mut string).unwrap();
    assert_eq!(string, numerals(ciphertext));
    mode.apply::<false>(&tweak, string.len(), &mut string).unwrap();
    assert_eq!(string, numerals(plaintext));
    let shape = mode.shape(&tweak, string.len()).unwrap();
    digits::apply::<true, C>(&mode.cipher, &shape, &mut string);
    assert_eq!(string, numerals(ciphertext));
    digits::apply::<false, C>(&mode.cipher, &shape, &mut string);
    assert_eq!(string, numerals(plaintext));
}

#[test]
fn the_samples_of_nist_both_ways() {
    for sample in SAMPLES {
        match sample.0 {
            16 => check_sample::<Aes128Enc>(sample),
            24 => check_sample::<Aes192Enc>(sample),
            _ => check_sample::<Aes256Enc>(sample),
        }
    }
}

/// FF1 as the standard writes it down, for halves of at most 100 bits, with the two halves exchanged after every round.
/// `exchanged` takes the modulus of the other half, as a mistake would.
fn written_down(radix: u128, tweak: &[u8], string: &[u16], exchanged: bool) -> Vec<u16> {
    let cipher = Aes256Enc::new_from_slice(&unhex(KEY)).unwrap();
    let number = |half: &[u16]| half.iter().fold(0, |number, &numeral| number * radix + u128::from(numeral));
    let left_length = string.len() / 2;
    let right_length = string.len() - left_length;
    let bits = (radix.pow(u32::try_from(right_length).unwrap()) - 1).ilog2() + 1;
    let bytes = bits.div_ceil(8) as usize;
    let output_bytes = 4 * bytes.div_ceil(4) + 4;
    let mut head = vec![1, 2, 1];
    head.extend(&u32::try_from(radix).unwrap().to_be_bytes()[1..]);
    head.extend([10, u8::try_from(left_length % 256).unwrap()]);
    head.extend(u32::try_from(string.len()).unwrap().to_be_bytes());
    head.extend(u32::try_from(tweak.len()).unwrap().to_be_bytes());
    head.extend(tweak);
    while !(head.len() + 1 + bytes).is_multiple_of(16) {
        head.push(0);
    }
    let (mut one, mut other) = (number(&string[..left_length]), number(&string[left_length..]));
    for round in 0..10 {
        let input = [head.as_slice(), &[round], &other.to_be_bytes()[16 - bytes..]].concat();
        let output = input.chunks(16).fold([0; 16], |state: [u8; 16], block| {
            let block: [u8; 16] = block.try_into().unwrap();
            cipher.permute((u128::from_be_bytes(state) ^ u128::from_be_bytes(block)).to_be_bytes())
        });
        let length = if round.is_multiple_of(2) == exchanged { right_length } else { left_length };
        let modulus = radix.pow(u32::try_from(length).unwrap());
        let added = output[..output_bytes].iter().fold(0, |rest, &byte| (rest * 256 + u128::from(byte)) % modulus);
        (one, other) = (other, (one + added) % modulus);
    }
    let mut result = vec![0; string.len()];
    let (left, right) = result.split_at_mut(left_length);
    for (half, mut number) in [(left, one), (right, other)] {
        for numeral in half.iter_mut().rev() {
            *numeral = u16::try_from(number % radix).unwrap();
            number /= radix;
        }
    }
    result
}

#[test]
fn the_samples_catch_exchanged_halves() {
    for (_, radix, tweak, plaintext, ciphertext) in SAMPLES.into_iter().filter(|sample| sample.0 == 32) {
        let (tweak, plaintext, ciphertext) = (unhex(tweak), numerals(plaintext), numerals(ciphertext));
        assert_eq!(written_down(radix.into(), &tweak, &plaintext, false), ciphertext);
        // Where the halves are equally long, there is nothing to exchange.
        let caught = written_down(radix.into(), &tweak, &plaintext, true) != ciphertext;
        assert_eq!(caught, plaintext.len() % 2 == 1);
    }
}

fn string(random: &mut ChaCha8Rng, radix: u32, length: usize) -> Vec<u16> {
    let largest = u16::try_from(radix - 1).unwrap();
    match random.random_range(0..8) {
        0 => vec![0; length],
        1 => vec![largest; length],
        _ => (0..length).map(|_| random.random_range(0..=largest)).collect(),
    }
}

fn radix(random: &mut ChaCha8Rng) -> u32 {
    match random.random_range(0..4) {
        0 => [2, 3, 10, 16, 26, 36, 62, 64, 100, 255, 256, 257, 999, 1_000, 32_768, 65_535, 65_536][random.random_range(0..17)],
        1 => 1 << random.random_range(1..=16),
        2 => random.random_range(2..100),
        _ => random.random_range(2..=65_536),
    }
}

fn tweak(random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut tweak = vec![0; [0, 0, 1, 8, 12, 13, 16, 40][random.random_range(0..8)]];
    random.fill_bytes(&mut tweak);
    tweak
}

/// Random keys, radices, lengths and tweaks: the `fpe` crate, the way of `apply`, and `digits` all say the same, and decryption undoes it.
fn agree(seed: u64, cases: usize) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut by_integers = 0;
    for _ in 0..cases {
        let mut key = [0; 32];
        random.fill_bytes(&mut key);
        let (radix, tweak) = (radix(&mut random), tweak(&mut random));
        let ff1 = Ff1::new(&key, radix).unwrap();
        let length = ff1.minimum_length() + [random.random_range(0..4), random.random_range(0..60)][random.random_range(0..2)];
        let plaintext = string(&mut random, radix, length);
        let case = format!("radix {radix}, length {length}, tweak of {} bytes", tweak.len());

        let oracle = fpe::ff1::FF1::<aes::Aes256>::new(&key, radix).unwrap();
        let expected: Vec<u16> = oracle.encrypt(&tweak, &FlexibleNumeralString::from(plaintext.clone())).unwrap().into();
        let mut found = plaintext.clone();
        ff1.encrypt(&tweak, &mut found).unwrap();
        assert_eq!(found, expected, "{case}");
        ff1.decrypt(&tweak, &mut found).unwrap();
        assert_eq!(found, plaintext, "{case}");

        let shape = ff1.mode.shape(&tweak, length).unwrap();
        by_integers += usize::from(Integers::new(&ff1.mode.cipher, &shape).is_some());
        digits::apply::<true, _>(&ff1.mode.cipher, &shape, &mut found);
        assert_eq!(found, expected, "{case}");
        digits::apply::<false, _>(&ff1.mode.cipher, &shape, &mut found);
        assert_eq!(found, plaintext, "{case}");
    }
    // Both ways are taken often.
    assert!(by_integers > cases / 10 && by_integers < cases - cases / 10);
}

#[test]
fn another_implementation_agrees() {
    agree(80_038, 3_000);
}

#[test]
#[ignore = "slow"]
fn slow_tier_another_implementation_agrees_in_100_000_cases() {
    agree(38_800, 100_000);
}

/// The integers against the digits at every modulus: just below and above 2^32 and 2^64, at powers of two, with halves of one length and of two.
#[test]
fn integers_and_digits_agree_at_all_sizes() {
    let mut random = ChaCha8Rng::seed_from_u64(32);
    let radices = [
        2, 3, 4, 5, 7, 10, 11, 15, 16, 17, 32, 36, 62, 85, 128, 138, 139, 255, 256, 257, 565, 566, 1_000, 1_625, 1_626, 2_047, 7_131, 7_132,
    ];
    for radix in radices.into_iter().chain([32_768, 40_000, 65_535, 65_536]) {
        let ff1 = Ff1::new(&[5; 32], radix).unwrap();
        let longest = (1..=64).take_while(|&power| u128::from(radix).pow(power) <= 1 << 64).count() * 2;
        for length in ff1.minimum_length()..=longest {
            let tweak = tweak(&mut random);
            let shape = ff1.mode.shape(&tweak, length).unwrap();
            assert!(Integers::new(&ff1.mode.cipher, &shape).is_some());
            let plaintexts: Vec<Vec<u16>> = (0..10).map(|_| string(&mut random, radix, length)).collect();
            let mut expected = plaintexts.concat();
            expected.chunks_mut(length).for_each(|string| digits::apply::<true, _>(&ff1.mode.cipher, &shape, string));
            let mut found = plaintexts.concat();
            ff1.encrypt_all(&tweak, length, &mut found).unwrap();
            assert_eq!(found, expected, "radix {radix}, length {length}");
            ff1.decrypt_all(&tweak, length, &mut found).unwrap();
            assert_eq!(found, plaintexts.concat(), "radix {radix}, length {length}");
        }
        let shape = ff1.mode.shape(b"", longest + 1).unwrap();
        assert!(Integers::new(&ff1.mode.cipher, &shape).is_none());
    }
}

#[test]
fn at_once_is_the_same_as_one_by_one() {
    let mut random = ChaCha8Rng::seed_from_u64(64);
    for (radix, length) in [(10, 6), (10, 12), (10, 45), (62, 22), (65_536, 2)] {
        let ff1 = Ff1::new(&[5; 32], radix).unwrap();
        for count in [0, 1, 2, 63, 64, 65, 128, 200] {
            let mut at_once: Vec<u16> = (0..count).flat_map(|_| string(&mut random, radix, length)).collect();
            let plaintexts = at_once.clone();
            let mut one_by_one = at_once.clone();
            ff1.encrypt_all(b"tweak", length, &mut at_once).unwrap();
            one_by_one.chunks_mut(length).for_each(|string| ff1.encrypt(b"tweak", string).unwrap());
            assert_eq!(at_once, one_by_one);
            ff1.decrypt_all(b"tweak", length, &mut at_once).unwrap();
            assert_eq!(at_once, plaintexts);
        }
    }
}

#[test]
fn words_are_strings_of_bits() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let ff1 = Ff1::new(&[5; 32], 2).unwrap();
    for bits in [20, 21, 31, 32, 33, 48, 63, 64] {
        let mut words: Vec<u64> = (0..150).map(|_| random.random_range(0..=u64::MAX >> (64 - bits))).collect();
        words.extend([0, 1, u64::MAX >> (64 - bits)]);
        let plain = words.clone();
        let to_string = |word: u64| (0..bits).rev().map(move |bit| u16::from(word >> bit & 1 == 1));
        let mut strings: Vec<u16> = words.iter().flat_map(|&word| to_string(word)).collect();
        ff1.encrypt_all(b"t", bits as usize, &mut strings).unwrap();
        ff1.encrypt_words(b"t", bits, &mut words).unwrap();
        let found: Vec<u16> = words.iter().flat_map(|&word| to_string(word)).collect();
        assert_eq!(found, strings, "{bits}");
        ff1.decrypt_words(b"t", bits, &mut words).unwrap();
        assert_eq!(words, plain);
    }
}

/// All strings of a domain, encrypted: each of them once.
fn all_strings(radix: u32, length: usize) {
    let size = usize::try_from(u64::from(radix).pow(u32::try_from(length).unwrap())).unwrap();
    let ff1 = Ff1::new(&[5; 32], radix).unwrap();
    let to_string = |number: usize| {
        (0..length).rev().map(move |place| {
            let power = (radix as usize).pow(u32::try_from(place).unwrap());
            u16::try_from(number / power % radix as usize).unwrap()
        })
    };
    let plain: Vec<u16> = (0..size).flat_map(to_string).collect();
    let mut strings = plain.clone();
    ff1.encrypt_all(b"domain", length, &mut strings).unwrap();
    let mut seen = vec![false; size];
    for string in strings.chunks(length) {
        let number = string.iter().fold(0, |number, &numeral| number * radix as usize + usize::from(numeral));
        assert!(!std::mem::replace(&mut seen[number], true));
    }
    assert!(seen.into_iter().all(|seen| seen));
    ff1.decrypt_all(b"domain", length, &mut strings).unwrap();
    assert!(strings == plain);
}

#[test]
#[ignore = "slow"]
fn slow_tier_a_domain_is_permuted() {
    all_strings(10, 6);
    all_strings(1_000, 2);
    all_strings(2, 20);
    all_strings(101, 3);
}

#[test]
fn limits() {
    let problem = |result: Result<()>| result.unwrap_err().to_string();
    for radix in [0, 1, 65_537, u32::MAX] {
        assert_eq!(Ff1::new(&[5; 32], radix).unwrap_err().to_string(), "radix: must lie in 2…65,536");
    }
    // A million strings: 10^6, 1000^2, 100^3 are enough; 999^2, 99^3 and 2^19 are not.
    let lengths = [(2, 20), (3, 13), (10, 6), (36, 4), (62, 4), (99, 4), (100, 3), (999, 3), (1_000, 2), (65_535, 2), (65_536, 2)];
    for (radix, minimum) in lengths {
        let ff1 = Ff1::new(&[5; 32], radix).unwrap();
        assert_eq!(ff1.minimum_length(), minimum);
        ff1.encrypt(b"", &mut vec![1; minimum]).unwrap();
        for short in 0..minimum {
            let expected = format!("length: must be at least {minimum} in radix {radix}");
            assert_eq!(problem(ff1.encrypt(b"", &mut vec![1; short])), expected);
            assert_eq!(problem(ff1.decrypt_all(b"", short, &mut [])), expected);
        }
    }
    let ff1 = Ff1::new(&[5; 32], 10).unwrap();
    let mut numerals = [9, 8, 7, 6, 5, 4, 3, 2, 10, 0, 1, 2];
    let before = numerals;
    assert_eq!(problem(ff1.encrypt_all(b"", 6, &mut numerals)), "numerals: must be less than the radix 10");
    assert_eq!(problem(ff1.decrypt(b"", &mut numerals)), "numerals: must be less than the radix 10");
    assert_eq!(problem(ff1.encrypt_all(b"", 7, &mut numerals)), "length: must divide the number of numerals");
    assert_eq!(numerals, before);
    assert_eq!(problem(ff1.encrypt_words(b"", 32, &mut [1])), "radix: must be 2 for words");

    let ff1 = Ff1::new(&[5; 32], 2).unwrap();
    let mut words = [0, 1 << 32];
    assert_eq!(problem(ff1.encrypt_words(b"", 32, &mut words)), "words: must have at most 32 bits");
    assert_eq!(words, [0, 1 << 32]);
    assert_eq!(problem(ff1.encrypt_words(b"", 65, &mut words)), "bits: must be at most 64");
    assert_eq!(problem(ff1.encrypt_words(b"", 19, &mut words)), "length: must be at least 20 in radix 2");
    assert_eq!(format!("{ff1:?}"), "Ff1 { radix: 2, .. }");
}

#[test]
fn byte_lengths_are_exact() {
    for radix in (2..300).chain(65_000..=65_536) {
        for length in 1..=7 {
            // Seven numerals of 16 bits fit 128 bits.
            let largest = u128::from(radix).pow(u32::try_from(length).unwrap()) - 1;
            let bytes = (128 - largest.leading_zeros()).div_ceil(8) as usize;
            assert_eq!(digits::byte_length(radix, length), bytes, "{radix}^{length}");
        }
    }
    // 256^n − 1 is the last that fits n bytes.
    for length in [1, 100, 1_000] {
        assert_eq!(digits::byte_length(256, length), length);
        assert_eq!(digits::byte_length(65_536, length), 2 * length);
        assert_eq!(digits::byte_length(257, length), if length == 1 { 2 } else { (length * 8_006).div_ceil(8_000) });
    }
}

#[test]
fn remainders_are_exact() {
    let mut random = ChaCha8Rng::seed_from_u64(96);
    let near = |number: u64| (number.saturating_sub(2)..=number.saturating_add(2)).collect::<Vec<_>>();
    let mut divisors: Vec<u64> =
        [2, 10, 1_000, 1_000_000, 1 << 31, 1 << 32, 1 << 33, 10_u64.pow(12), 10_u64.pow(19), 1 << 62, 1 << 63, u64::MAX]
            .into_iter()
            .flat_map(near)
            .filter(|&divisor| divisor > 0)
            .collect();
    divisors.extend((0..500).map(|_| random.random::<u64>() >> random.random_range(0..60)).filter(|&divisor| divisor > 0));
    for divisor in divisors {
        let reciprocal = Reciprocal::new(divisor);
        let multiples = (0..50).flat_map(|_| near(random.random_range(0..=u64::MAX / divisor) * divisor)).collect::<Vec<_>>();
        let dividends: Vec<u64> = multiples.into_iter().chain(near(0)).chain(near(u64::MAX)).chain(near(divisor)).collect();
        for &dividend in &dividends {
            assert_eq!(reciprocal.divide(dividend), (dividend / divisor, dividend % divisor), "{dividend} / {divisor}");
        }
        if divisor <= 1 << 32 {
            continue;
        }
        let wide = WideReciprocal::new(divisor);
        for &dividend in &dividends {
            // Multiples of the divisor up to 2^96, and their neighbours.
            let whole = u128::from(dividend) * u128::from(divisor) % (1 << 96);
            for dividend in [whole - whole % u128::from(divisor), whole, whole.saturating_sub(1), (1 << 96) - 1, u128::from(dividend)] {
                let upper = u64::try_from(dividend >> 32).unwrap();
                let lower = u32::try_from(dividend & 0xffff_ffff).unwrap();
                assert_eq!(u128::from(wide.remainder(upper, lower)), dividend % u128::from(divisor), "{dividend} mod {divisor}");
            }
        }
    }
}
