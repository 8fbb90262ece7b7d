//! Against RFC 5297, against the `aes-siv` crate, and against a forger.

use super::*;
use aes::Aes128Enc;
use aes_siv::siv::Aes256Siv;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

/// AES-128-SIV, with the key of 256 bits that RFC 5297 uses.
fn narrow(key: &str, associated_data: &[&[u8]]) -> Mode<Aes128Enc> {
    let key = unhex(key);
    Mode::new(Aes128Enc::new_from_slice(&key[..16]).unwrap(), Aes128Enc::new_from_slice(&key[16..]).unwrap(), associated_data)
}

struct Vector {
    key: &'static str,
    associated_data: Vec<Vec<u8>>,
    plaintext: Vec<u8>,
    sealed: Vec<u8>,
}

/// RFC 5297, appendices A.1 and A.2.
fn vectors() -> [Vector; 2] {
    [
        Vector {
            key: "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            associated_data: vec![unhex("101112131415161718191a1b1c1d1e1f2021222324252627")],
            plaintext: unhex("112233445566778899aabbccddee"),
            sealed: unhex("85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"),
        },
        Vector {
            key: "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
            associated_data: vec![
                unhex("00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100"),
                unhex("102030405060708090a0"),
                unhex("09f911029d74e35bd84156c5635688c0"),
            ],
            plaintext: b"this is some plaintext to encrypt using SIV-AES".to_vec(),
            sealed: unhex(
                "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d",
            ),
        },
    ]
}

#[test]
fn the_vectors_of_rfc_5297() {
    for vector in vectors() {
        let parts: Vec<&[u8]> = vector.associated_data.iter().map(Vec::as_slice).collect();
        let mode = narrow(vector.key, &parts);
        let mut out = b"before".to_vec();
        mode.seal(&vector.plaintext, &mut out);
        assert_eq!(out[6..], vector.sealed);
        let mut ends = Vec::new();
        out.clear();
        mode.seal_all(&[vector.plaintext.as_slice(); 300], &mut out, &mut ends);
        assert_eq!(out, vector.sealed.repeat(300));
        let mut opened = b"before".to_vec();
        assert!(mode.open(&vector.sealed, &mut opened));
        assert_eq!(opened[6..], vector.plaintext);
    }
}

/// SIV as RFC 5297 writes it down, one line after the other, with the parts that a mistake could leave out.
struct Plain {
    clears_bits: bool,
    adds_to_the_end: bool,
}

impl Plain {
    fn double(block: [u8; 16]) -> [u8; 16] {
        let number = u128::from_be_bytes(block);
        (if number >> 127 == 1 { (number << 1) ^ 0x87 } else { number << 1 }).to_be_bytes()
    }

    fn sum(one: &[u8], other: &[u8]) -> Vec<u8> {
        one.iter().zip(other).map(|(one, other)| one ^ other).collect()
    }

    fn padded(data: &[u8]) -> Vec<u8> {
        let mut padded = data.to_vec();
        padded.push(0x80);
        padded.resize(16, 0);
        padded
    }

    fn cmac(cipher: &Aes128Enc, data: &[u8]) -> [u8; 16] {
        let key = Self::double(cipher.permute([0; 16]));
        let mut blocks: Vec<Vec<u8>> = data.chunks(16).map(<[u8]>::to_vec).collect();
        let last = blocks.pop().unwrap_or_default();
        blocks.push(if last.len() == 16 { Self::sum(&last, &key) } else { Self::sum(&Self::padded(&last), &Self::double(key)) });
        blocks.iter().fold([0; 16], |state, block| cipher.permute(Self::sum(&state, block).try_into().unwrap()))
    }

    fn seal(&self, key: &[u8], associated_data: &[Vec<u8>], plaintext: &[u8]) -> Vec<u8> {
        let authentication = Aes128Enc::new_from_slice(&key[..16]).unwrap();
        let encryption = Aes128Enc::new_from_slice(&key[16..]).unwrap();
        let mut state = Self::cmac(&authentication, &[0; 16]);
        for part in associated_data {
            state = Self::sum(&Self::double(state), &Self::cmac(&authentication, part)).try_into().unwrap();
        }
        let last = if plaintext.len() >= 16 {
            let (head, end) = plaintext.split_at(if self.adds_to_the_end { plaintext.len() - 16 } else { 0 });
            [head, &Self::sum(end, &state), &end[16..]].concat()
        } else {
            Self::sum(&Self::double(state), &Self::padded(plaintext))
        };
        let vector = Self::cmac(&authentication, &last);
        let mut counter = vector;
        if self.clears_bits {
            counter[8] &= 0x7f;
            counter[12] &= 0x7f;
        }
        let mut sealed = vector.to_vec();
        for block in plaintext.chunks(16) {
            sealed.extend(Self::sum(block, &encryption.permute(counter)));
            counter = (u128::from_be_bytes(counter) + 1).to_be_bytes();
        }
        sealed
    }
}

#[test]
fn the_vectors_catch_what_is_left_out() {
    let right =
        |plain: Plain| vectors().map(|vector| plain.seal(&unhex(vector.key), &vector.associated_data, &vector.plaintext) == vector.sealed);
    assert_eq!(right(Plain { clears_bits: true, adds_to_the_end: true }), [true, true]);
    // The vector of A.1 has one of the two bits and that of A.2 the other; the plaintext of A.2 is long enough for an end.
    assert_eq!(right(Plain { clears_bits: false, adds_to_the_end: true }), [false, false]);
    assert_eq!(right(Plain { clears_bits: true, adds_to_the_end: false }), [true, false]);
}

fn bytes(random: &mut ChaCha8Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    random.fill_bytes(&mut bytes);
    bytes
}

/// All lengths around the borders of blocks and batches, and some long ones.
fn lengths() -> impl Iterator<Item = usize> {
    (0..=150).chain([255, 256, 257, 1_023, 1_024, 1_025, 1_040, 10_240, 10_247, 40_000])
}

#[test]
fn another_implementation_agrees() {
    let mut random = ChaCha8Rng::seed_from_u64(5297);
    for length in lengths().chain(0..=100).chain(0..=100) {
        let key: [u8; 64] = bytes(&mut random, 64).try_into().unwrap();
        let parts: Vec<Vec<u8>> = (0..random.random_range(0..5))
            .map(|_| {
                let length = random.random_range(0..60);
                bytes(&mut random, length)
            })
            .collect();
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let plaintext = bytes(&mut random, length);
        let expected = Aes256Siv::new(&key.into()).encrypt(&parts, &plaintext).unwrap();

        let siv = Siv::new(&key, &slices);
        let mut sealed = Vec::new();
        siv.seal(&plaintext, &mut sealed);
        assert_eq!(sealed, expected, "{length}");
        let mut opened = Vec::new();
        assert!(siv.open(&sealed, &mut opened));
        assert_eq!(opened, plaintext);
    }
}

#[test]
fn at_once_is_the_same_as_one_by_one() {
    let mut random = ChaCha8Rng::seed_from_u64(64);
    let siv = Siv::new(&[3; 64], &[b"column"]);
    for (count, longest) in
        [(0, 1), (1, 40), (2, 40), (127, 40), (128, 40), (129, 40), (1_000, 60), (1_000, 200), (300, 17), (300, 128), (300, 2)]
    {
        let plaintexts: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                let length = random.random_range(0..=longest);
                bytes(&mut random, length)
            })
            .collect();
        let plaintexts: Vec<&[u8]> = plaintexts.iter().map(Vec::as_slice).collect();
        compare(&siv, &plaintexts);
    }
    // Every length beside every other kind of length.
    let text = bytes(&mut random, 40_000);
    let ascending: Vec<&[u8]> = lengths().map(|length| &text[..length]).collect();
    compare(&siv, &ascending);
    let descending: Vec<&[u8]> = ascending.iter().rev().copied().collect();
    compare(&siv, &descending);
    let alternating: Vec<&[u8]> = (0..200).map(|number| if number % 3 == 0 { &text[..500] } else { &text[..number] }).collect();
    compare(&siv, &alternating);
}

fn compare(siv: &Siv, plaintexts: &[&[u8]]) {
    let (mut expected, mut expected_ends) = (b"before".to_vec(), vec![6]);
    for plaintext in plaintexts {
        siv.seal(plaintext, &mut expected);
        expected_ends.push(expected.len());
    }
    let (mut sealed, mut ends) = (b"before".to_vec(), vec![6]);
    siv.seal_all(plaintexts, &mut sealed, &mut ends);
    assert_eq!(sealed, expected);
    assert_eq!(ends, expected_ends);

    let values: Vec<&[u8]> = ends.windows(2).map(|bounds| &sealed[bounds[0]..bounds[1]]).collect();
    let (mut opened, mut ends, mut authentic) = (b"before".to_vec(), vec![6], vec![false]);
    siv.open_all(&values, &mut opened, &mut ends, &mut authentic);
    assert!(authentic[1..].iter().all(|&authentic| authentic));
    assert_eq!(authentic.len(), plaintexts.len() + 1);
    let again: Vec<&[u8]> = ends.windows(2).map(|bounds| &opened[bounds[0]..bounds[1]]).collect();
    assert_eq!(again, plaintexts);
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let siv = Siv::new(&[3; 64], &[b"column"]);
    for length in [0, 1, 15, 16, 17, 31, 32, 33, 47, 127, 128, 129, 200] {
        let plaintext: Vec<u8> = (0..length).collect();
        let mut sealed = Vec::new();
        siv.seal(&plaintext, &mut sealed);

        let mut forged: Vec<Vec<u8>> = (0..8 * sealed.len())
            .map(|bit| {
                let mut value = sealed.clone();
                value[bit / 8] ^= 1 << (bit % 8);
                value
            })
            .collect();
        forged.extend((0..sealed.len()).map(|end| sealed[..end].to_vec()));
        forged.extend((1..sealed.len()).map(|start| sealed[start..].to_vec()));
        forged.push([sealed.as_slice(), &[0]].concat());

        for value in &forged {
            let mut out = b"before".to_vec();
            assert!(!siv.open(value, &mut out));
            assert_eq!(out, b"before");
        }
        // An authentic value between any two forged ones is opened all the same.
        let values: Vec<&[u8]> = forged.iter().flat_map(|value| [value.as_slice(), &sealed]).collect();
        let (mut out, mut ends, mut authentic) = (Vec::new(), Vec::new(), Vec::new());
        siv.open_all(&values, &mut out, &mut ends, &mut authentic);
        assert_eq!(authentic, [false, true].repeat(forged.len()));
        assert_eq!(out, plaintext.repeat(forged.len()));
        let expected: Vec<usize> = (0..values.len()).map(|number| number.div_ceil(2) * plaintext.len()).collect();
        assert_eq!(ends, expected);
    }
}

#[test]
fn other_keys_and_other_associated_data_do_not_open() {
    let mut sealed = Vec::new();
    Siv::new(&[3; 64], &[b"one", b"two"]).seal(b"a name", &mut sealed);
    let mut authentication = [3; 64];
    authentication[0] ^= 1;
    let mut encryption = [3; 64];
    encryption[63] ^= 0x80;
    let others = [
        Siv::new(&authentication, &[b"one", b"two"]),
        Siv::new(&encryption, &[b"one", b"two"]),
        Siv::new(&[3; 64], &[b"two", b"one"]),
        Siv::new(&[3; 64], &[b"onetwo"]),
        Siv::new(&[3; 64], &[b"one", b"two", b""]),
        Siv::new(&[3; 64], &[b"one"]),
        Siv::new(&[3; 64], &[]),
    ];
    for other in others {
        let mut out = Vec::new();
        assert!(!other.open(&sealed, &mut out));
        assert!(out.is_empty());
    }
}

#[test]
fn the_key_is_not_printed() {
    assert_eq!(format!("{:?}", Siv::new(&[3; 64], &[])), "Siv(..)");
}
