//! Against the samples of NIST, against the `fpe` crate, and the two ways against each other.

use super::*;
use aes::{Aes128Enc, Aes192Enc};

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
