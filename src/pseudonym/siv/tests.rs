//! Against RFC 5297, against the `aes-siv` crate, and against a forger.

use super::*;
use aes::Aes128Enc;

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
