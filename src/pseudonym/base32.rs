//! Bytes as Base32 of RFC 4648 (section 6), uppercase, without padding.

use super::prf::Token;

/// A token as 26 characters.
#[inline]
pub(super) fn of_token(token: &Token) -> [u8; 26] {
    let mut text = [0; 26];
    for (characters, bytes) in text.as_chunks_mut::<8>().0.iter_mut().zip(token.as_chunks::<5>().0) {
        *characters = group(*bytes);
    }
    let last = group([token[15], 0, 0, 0, 0]);
    text[24..].copy_from_slice(&last[..2]);
    text
}

/// Appends the characters of `bytes`.
pub(super) fn append(text: &mut Vec<u8>, bytes: &[u8]) {
    let (groups, rest) = bytes.as_chunks::<5>();
    for bytes in groups {
        text.extend_from_slice(&group(*bytes));
    }
    let mut last = [0; 5];
    last[..rest.len()].copy_from_slice(rest);
    text.extend_from_slice(&group(last)[..(rest.len() * 8).div_ceil(5)]);
}

/// Appends the bytes that `text` writes; `false` if it is not a text that [`append`] writes.
pub(super) fn decode(text: &[u8], bytes: &mut Vec<u8>) -> bool {
    let mut sound = true;
    for characters in text.chunks(8) {
        let mut word = 0_u64;
        for at in 0..8 {
            let number = characters.get(at).map_or(0, |&character| value(character));
            sound &= number < 32;
            word = (word << 5) | u64::from(number & 31);
        }
        let count = characters.len() * 5 / 8;
        // Lengths 1, 3 and 6 do not occur, and the bits that fill up the last character are zero.
        sound &= !matches!(characters.len(), 1 | 3 | 6) && (count == 5 || word << (24 + 8 * count) == 0);
        bytes.extend_from_slice(&word.to_be_bytes()[3..3 + count]);
    }
    sound
}

/// Five bytes are eight characters, made all at a time in the bytes of one word.
#[inline]
fn group(bytes: [u8; 5]) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut word = [0; 8];
    word[3..].copy_from_slice(&bytes);
    let mut word = u64::from_be_bytes(word);
    // 40 bits fall into halves of 20, these into halves of 10, these into numbers of 5.
    word = ((word >> 20) << 32) | (word & 0xf_ffff);
    word = (((word >> 10) & 0x3ff_0000_03ff) << 16) | (word & 0x3ff_0000_03ff);
    word = (((word >> 5) & 0x001f_001f_001f_001f) << 8) | (word & 0x001f_001f_001f_001f);
    // A number of 26 or more carries into the highest bit of its byte: its character is a digit.
    let digits = ((word + ONES * (128 - 26)) >> 7) & ONES;
    (word + ONES * u64::from(b'A') - digits * u64::from(b'A' + 26 - b'2')).to_be_bytes()
}

/// The number of a character, 255 for one that is not of the alphabet.
#[inline]
fn value(character: u8) -> u8 {
    match character {
        b'A'..=b'Z' => character - b'A',
        b'2'..=b'7' => character - b'2' + 26,
        _ => 255,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(bytes: &[u8]) -> String {
        let mut text = Vec::new();
        append(&mut text, bytes);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn test_vectors_of_rfc_4648() {
        // Section 10, without the padding.
        let vectors =
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI")];
        for (bytes, expected) in vectors {
            assert_eq!(text(bytes.as_bytes()), expected);
        }
    }

    #[test]
    fn what_is_no_such_text_is_noticed() {
        for bad in ["A", "AAA", "AAAAAA", "my", "M0", "M1", "M=", "MZ", "MZXR", "MZXW7", "MZXW6YR", "MZXW6YTBA", "é"] {
            assert!(!decode(bad.as_bytes(), &mut Vec::new()), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn texts_turn_back_and_only_they(bytes in proptest::collection::vec(any::<u8>(), 0..70), other in "[A-Z2-7]{0,20}") {
            let mut back = Vec::new();
            prop_assert!(decode(text(&bytes).as_bytes(), &mut back));
            prop_assert_eq!(&back, &bytes);
            if let Ok(token) = Token::try_from(bytes.get(..16).unwrap_or(&[])) {
                prop_assert_eq!(text(&token), String::from_utf8(of_token(&token).to_vec()).unwrap());
            }
            let mut bytes = Vec::new();
            if decode(other.as_bytes(), &mut bytes) {
                prop_assert_eq!(text(&bytes), other);
            }
        }
    }
}
