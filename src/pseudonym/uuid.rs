//! UUIDs as text: 32 lowercase hexadecimal digits and four hyphens.
//!
//! # References
//! RFC 9562 (2024), section 4. Uppercase digits are refused here, although the RFC lets them be read: the text could not be given back as it was.

use super::hex;
use super::prf::Token;

/// The text of a UUID.
#[inline]
pub(super) fn of_token(token: &Token) -> [u8; 36] {
    let digits = hex::of_token(token);
    let mut text = [b'-'; 36];
    for (to, from) in PARTS {
        text[to..to + 4].copy_from_slice(&digits[from..from + 4]);
    }
    text
}

/// The UUID of a text.
pub(super) fn decode(text: &[u8]) -> Option<Token> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let mut digits = [0; 32];
    for (to, from) in PARTS {
        digits[from..from + 4].copy_from_slice(&text[to..to + 4]);
    }
    if [8, 13, 18, 23].iter().any(|&at| text[at] != b'-') {
        return None;
    }
    hex::to_token(&digits)
}

/// Where in the text every four digits stand, and where among the digits.
const PARTS: [(usize, usize); 8] = [(0, 0), (4, 4), (9, 8), (14, 12), (19, 16), (24, 20), (28, 24), (32, 28)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers() {
        // The example of RFC 9562, appendix A.4.
        let text = b"919108f7-52d1-4320-9bac-f847db4148a8";
        let token = 0x9191_08f7_52d1_4320_9bac_f847_db41_48a8_u128.to_be_bytes();
        assert_eq!(decode(text), Some(token));
        assert_eq!(&of_token(&token), text);
        for bad in [
            "",
            "919108f752d143209bacf847db4148a8",
            "919108F7-52d1-4320-9bac-f847db4148a8",
            "919108f7-52d1-4320-9bac-f847db4148a",
            "919108f7-52d1-4320-9bac-f847db4148a81",
            "919108f7052d1-4320-9bac-f847db4148a8",
            "919108f7-52d1-4320-9bacff847db4148a8",
            "-19108f7-52d1-4320-9bac-f847db4148a8",
            "{19108f7-52d1-4320-9bac-f847db4148a}",
        ] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad}");
        }
    }
}
