//! Texts and bytes of key files and key rings.

use zeroize::{Zeroize, Zeroizing};

/// Lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> Zeroizing<String> {
    let mut digits = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    push_hexadecimal(&mut digits, bytes);
    digits
}

/// Appends lower-case hexadecimal digits. The text must have room for them, or it leaves a copy behind when it moves.
pub(super) fn push_hexadecimal(text: &mut String, bytes: &[u8]) {
    for nibble in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        text.push(char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }));
    }
}

/// The bytes of exactly 2·N lower-case hexadecimal digits.
pub(super) fn bytes_of<const N: usize>(digits: &str) -> Option<Zeroizing<[u8; N]>> {
    if digits.len() != 2 * N {
        return None;
    }
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = Zeroizing::new([0; N]);
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

/// Whether a text has the form of an id: 16 lower-case hexadecimal digits.
pub(super) fn is_id(text: &str) -> bool {
    bytes_of::<8>(text).is_some()
}

/// An id as messages show it. What does not look like one may be anything, a secret too, and is not repeated.
pub(super) fn shown(id: &str) -> String {
    if is_id(id) { format!("the id {id}") } else { "an id that does not have 16 lower-case hexadecimal digits".to_owned() }
}

/// BLAKE3 of lines that are each ended by a line feed, cut to 128 bits.
pub(super) fn checksum<'a>(lines: impl IntoIterator<Item = &'a str>) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for line in lines {
        hasher.update(line.as_bytes()).update(b"\n");
    }
    let mut checksum = [0; 16];
    let mut output = hasher.finalize_xof();
    output.fill(&mut checksum);
    // Its buffer holds the end of what was hashed.
    hasher.zeroize();
    output.zeroize();
    checksum
}

/// Now, to the second, after RFC 3339.
pub(super) fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_the_inverse_of_bytes() {
        let bytes: Vec<u8> = (0..=255).collect();
        for part in bytes.chunks_exact(16) {
            assert_eq!(bytes_of::<16>(&hexadecimal(part)).unwrap().as_slice(), part);
        }
        assert_eq!(*hexadecimal(&[0, 0x9f, 0xa0, 0xff]), "009fa0ff");
    }

    #[test]
    fn only_ids_are_repeated() {
        assert_eq!(shown("0123456789abcdef"), "the id 0123456789abcdef");
        for other in ["", "0123456789ABCDEF", "0123456789abcde", "ann@example.org", &"5a".repeat(32)] {
            assert!(other.is_empty() || !shown(other).contains(other), "{other}");
        }
    }

    #[test]
    fn the_checksum_is_that_of_the_joined_lines() {
        assert_eq!(checksum(["ab", "", "c"]), blake3::hash(b"ab\n\nc\n").as_bytes()[..16]);
        assert_ne!(checksum(["ab", "c"]), checksum(["a", "bc"]));
    }
}
