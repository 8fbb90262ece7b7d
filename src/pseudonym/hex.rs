//! Bytes as lowercase hexadecimal digits.

use super::prf::Token;

/// A token as 32 digits.
#[inline]
pub(super) fn of_token(token: &Token) -> [u8; 32] {
    let mut text = [0; 32];
    for (digits, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(token) {
        *digits = [digit(byte >> 4), digit(byte & 15)];
    }
    text
}

/// Appends the digits of `bytes`.
pub(super) fn append(text: &mut Vec<u8>, bytes: &[u8]) {
    let (tokens, rest) = bytes.as_chunks::<16>();
    for token in tokens {
        text.extend_from_slice(&of_token(token));
    }
    text.extend(rest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

/// Appends the bytes that `text` writes; `false` if it is not made of pairs of lowercase digits.
pub(super) fn decode(text: &[u8], bytes: &mut Vec<u8>) -> bool {
    let (pairs, rest) = text.as_chunks::<2>();
    let mut sound = rest.is_empty();
    bytes.extend(pairs.iter().map(|pair| {
        let [high, low] = pair.map(value);
        sound &= high < 16 && low < 16;
        (high << 4) | (low & 15)
    }));
    sound
}

/// The token that 32 digits write.
#[inline]
pub(super) fn to_token(text: &[u8; 32]) -> Option<Token> {
    let mut token = [0; 16];
    let mut wrong = 0;
    for (byte, pair) in token.iter_mut().zip(text.as_chunks::<2>().0) {
        let [high, low] = pair.map(value);
        wrong |= high | low;
        *byte = (high << 4) | (low & 15);
    }
    (wrong < 16).then_some(token)
}

/// The digit of a number below 16, without a branch.
#[inline]
fn digit(number: u8) -> u8 {
    number + b'0' + u8::from(number > 9) * (b'a' - b'0' - 10)
}

/// The number of a digit, 255 for any other character.
#[inline]
fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => 255,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_digits() {
        for byte in 0..=255_u8 {
            let expected = format!("{byte:02x}").repeat(16);
            assert_eq!(of_token(&[byte; 16]), expected.as_bytes());
            assert_eq!(to_token(&of_token(&[byte; 16])), Some([byte; 16]));
            for length in 0..40 {
                let (mut text, mut back) = (vec![b'x'], Vec::new());
                append(&mut text, &vec![byte; length]);
                assert_eq!(text[1..], *format!("{byte:02x}").repeat(length).as_bytes());
                assert!(decode(&text[1..], &mut back));
                assert_eq!(back, vec![byte; length]);
            }
        }
    }

    #[test]
    fn what_is_no_text_of_digits_is_noticed() {
        for bad in ["0G", "G0", "AA", "é"] {
            assert_eq!(to_token(format!("{}{bad}", "0".repeat(30)).as_bytes().first_chunk().unwrap()), None, "{bad}");
        }
        for bad in ["0", "0G", "g0", "AB", "0x", " 0", "é", "00 "] {
            assert!(!decode(bad.as_bytes(), &mut Vec::new()), "{bad}");
        }
        assert!(decode(b"", &mut Vec::new()));
    }
}
