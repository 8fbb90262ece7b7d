//! Tokens as text.

use super::prf::Token;

const DIGITS: [[u8; 2]; 256] = {
    let digits = *b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// Appends a token as 32 lowercase hexadecimal digits.
#[inline]
pub(super) fn append(text: &mut Vec<u8>, token: &Token) {
    for &byte in token {
        text.extend_from_slice(&DIGITS[usize::from(byte)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_digits() {
        for byte in 0..=255_u8 {
            let mut text = Vec::new();
            append(&mut text, &[byte; 16]);
            assert_eq!(String::from_utf8(text).unwrap(), format!("{byte:02x}").repeat(16));
        }
    }
}
