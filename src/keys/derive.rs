//! Subkeys, one for every domain.

use hkdf::Hkdf;
// Not called here: it is named so that its `zeroize` feature is on, and the states inside HKDF are wiped.
use hmac as _;
use sha2::Sha256;
use zeroize::Zeroize;

/// What a subkey is for. Keys of different domains are independent, so what they make cannot be joined.
///
/// # References
/// Krawczyk and Eronen, *HMAC-based Extract-and-Expand Key Derivation Function (HKDF)*, RFC 5869 (2010), sections 2.2 and 2.3.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Domain<'a> {
    /// The use, for example `pseudonym` or `row-order`.
    pub purpose: &'a str,
    /// The recipient of the release.
    pub recipient: &'a str,
    /// The release.
    pub release: &'a str,
    /// The product.
    pub product: &'a str,
    /// The column.
    pub column: &'a str,
    /// The period of time.
    pub period: &'a str,
}

impl<'a> Domain<'a> {
    /// The domain of a purpose, with nothing else set.
    #[must_use]
    pub fn of(purpose: &'a str) -> Self {
        Self { purpose, ..Self::default() }
    }

    /// The bytes that stand for the domain: `backmask/v1`, then every part after its length in bytes (64 bits, little-endian), so that no two domains
    /// have the same. They are the `info` of HKDF, and what a key management service should compute a MAC of: see [`KeyProvider`](super::KeyProvider).
    ///
    /// ```
    /// use backmask::keys::Domain;
    ///
    /// let bytes = Domain { product: "people", ..Domain::of("pseudonym") }.encode();
    /// assert_eq!(bytes.len(), 11 + 6 * 8 + 9 + 6);
    /// assert!(bytes.starts_with(b"backmask/v1\x09\0\0\0\0\0\0\0pseudonym"));
    /// ```
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut info = b"backmask/v1".to_vec();
        for part in [self.purpose, self.recipient, self.release, self.product, self.column, self.period] {
            info.extend_from_slice(&(part.len() as u64).to_le_bytes());
            info.extend_from_slice(part.as_bytes());
        }
        info
    }

    /// HKDF-SHA-256 (RFC 5869) of a key and a salt, with the domain as `info`. The output is written in place, and no copy of it is left on the stack.
    pub(super) fn expand(&self, salt: Option<&[u8; 32]>, key: &[u8; 32], output: &mut [u8; 32]) {
        expand(salt, key, &self.encode(), output);
        scrub_stack();
    }
}

/// A frame of its own, which [`scrub_stack`] writes over afterwards.
#[inline(never)]
fn expand(salt: Option<&[u8; 32]>, key: &[u8; 32], info: &[u8], output: &mut [u8; 32]) {
    let (mut pseudorandom, hkdf) = Hkdf::<Sha256>::extract(salt.map(<[u8; 32]>::as_slice), key);
    pseudorandom.zeroize();
    #[expect(clippy::expect_used, reason = "32 bytes are fewer than HKDF's limit of 255 × 32")]
    hkdf.expand(info, output).expect("32 bytes are within HKDF's limit");
}

/// Writes zeros where the frames of a function were that has returned: `hkdf` and `hmac` wipe their states, but not the blocks that they were made from.
#[inline(never)]
fn scrub_stack() {
    let mut frames = [0_u8; 8192];
    // Not optimized away, unlike an array that is never read.
    frames.zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::Digest;

    /// HMAC-SHA-256 written out after RFC 2104: an oracle that shares nothing with the `hkdf` and `hmac` crates but SHA-256.
    fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
        let mut block = [0; 64];
        if key.len() > 64 {
            block[..32].copy_from_slice(&Sha256::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let inner = Sha256::digest([&block.map(|byte| byte ^ 0x36)[..], message].concat());
        Sha256::digest([&block.map(|byte| byte ^ 0x5c)[..], &inner].concat()).into()
    }

    /// HKDF written out after RFC 5869.
    fn hkdf(salt: &[u8], secret: &[u8], info: &[u8], length: usize) -> Vec<u8> {
        let pseudorandom = hmac(salt, secret);
        let (mut output, mut last) = (Vec::new(), Vec::new());
        for counter in 1.. {
            last = hmac(&pseudorandom, &[&last[..], info, &[counter]].concat()).to_vec();
            output.extend_from_slice(&last);
            if output.len() >= length {
                break;
            }
        }
        output.truncate(length);
        output
    }

    fn hex(digits: &str) -> Vec<u8> {
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }

    /// RFC 5869, appendix A, tests 1 to 3 (SHA-256): the oracle and the crate both give the published output.
    #[test]
    fn known_answers() {
        let range = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
        let cases = [
            (
                vec![0x0b; 22],
                range(0, 12),
                range(0xf0, 0xf9),
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            ),
            (
                range(0, 0x4f),
                range(0x60, 0xaf),
                range(0xb0, 0xff),
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
            ),
            (vec![0x0b; 22], vec![], vec![], "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
        ];
        for (secret, salt, info, expected) in cases {
            let expected = hex(expected);
            assert_eq!(hkdf(&salt, &secret, &info, expected.len()), expected);
            let mut output = vec![0; expected.len()];
            Hkdf::<Sha256>::new(Some(&salt), &secret).expand(&info, &mut output).unwrap();
            assert_eq!(output, expected);
        }
    }

    fn domain(parts: [&str; 6]) -> Domain<'_> {
        let [purpose, recipient, release, product, column, period] = parts;
        Domain { purpose, recipient, release, product, column, period }
    }

    fn expand(domain: &Domain<'_>, key: &[u8; 32]) -> [u8; 32] {
        let mut output = [0; 32];
        domain.expand(None, key, &mut output);
        output
    }

    /// The encoding of a domain, written out a second time.
    fn expected(key: &[u8; 32], parts: [&str; 6]) -> Vec<u8> {
        let mut info = b"backmask/v1".to_vec();
        for part in parts {
            info.extend(u64::try_from(part.len()).unwrap().to_le_bytes());
            info.extend(part.bytes());
        }
        hkdf(&[0; 32], key, &info, 32)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn agrees_with_the_oracle(key: [u8; 32], parts: [String; 6]) {
            let parts = parts.each_ref().map(String::as_str);
            prop_assert_eq!(expand(&domain(parts), &key).to_vec(), expected(&key, parts));
        }

        /// Moving text over the boundary between two parts is another domain.
        #[test]
        fn shifted_boundaries_differ(text in ".{1,8}", first in 0..6_usize, second in 0..6_usize) {
            prop_assume!(first != second);
            prop_assert!(separates_shifts(&text, first, second, |domain| expand(domain, &[7; 32])));
        }
    }

    /// Whether `derive` tells apart all ways to spread `text` over two parts.
    fn separates_shifts(text: &str, first: usize, second: usize, derive: impl Fn(&Domain<'_>) -> [u8; 32]) -> bool {
        let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let outputs: std::collections::HashSet<[u8; 32]> = cuts
            .iter()
            .map(|&cut| {
                let mut parts = [""; 6];
                parts[first] = &text[..cut];
                parts[second] = &text[cut..];
                derive(&domain(parts))
            })
            .collect();
        outputs.len() == cuts.len()
    }

    /// The test above finds a derivation that leaves the lengths out, or parts the texts with a character that they may hold.
    #[test]
    fn a_derivation_without_lengths_is_caught() {
        let broken = |separator: &'static str| {
            move |domain: &Domain<'_>| {
                let parts = [domain.purpose, domain.recipient, domain.release, domain.product, domain.column, domain.period];
                hkdf(&[0; 32], &[7; 32], parts.join(separator).as_bytes(), 32).try_into().unwrap()
            }
        };
        assert!(!separates_shifts("abc", 0, 1, broken("")));
        assert!(!separates_shifts("//", 0, 1, broken("/")));
        assert!(separates_shifts("abc", 0, 1, |domain| expand(domain, &[7; 32])));
        assert!(separates_shifts("//", 0, 1, |domain| expand(domain, &[7; 32])));
    }

    #[test]
    fn every_part_separates() {
        let key = [3; 32];
        let mut outputs = std::collections::HashSet::from([expand(&domain([""; 6]), &key)]);
        for place in 0..6 {
            for text in ["a", "b", "\0", "\u{1}\0\0\0\0\0\0\0a"] {
                let mut parts = [""; 6];
                parts[place] = text;
                outputs.insert(expand(&domain(parts), &key));
            }
        }
        assert_eq!(outputs.len(), 25);
        assert_ne!(expand(&domain(["ab", "c", "", "", "", ""]), &key), expand(&domain(["a", "bc", "", "", "", ""]), &key));
        assert_ne!(expand(&domain([""; 6]), &[1; 32]), expand(&domain([""; 6]), &[2; 32]));
    }

    /// Tokens of earlier releases must stay reproducible: the derivation never changes.
    #[test]
    fn the_derivation_is_frozen() {
        let output = expand(&domain(["pseudonym", "Example", "r1", "people", "subject_id", ""]), &[0x42; 32]);
        assert_eq!(output.to_vec(), hex("70551ce244a41fd0592d237a388399bb6782be3dd9b688e7e540d58dbebc65dd"));
    }
}
