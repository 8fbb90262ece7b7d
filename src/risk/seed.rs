//! Randomness that cannot be rolled again.

/// The seed of a run's attacks, from everything that determines the run: the inputs' commitment, the normalized policy, the version.
///
/// The same run gives the same verdict however often it is repeated, so a refusal cannot be turned by trying again.
/// The parts are length-prefixed: no two lists of parts have the same encoding.
///
/// ```
/// use backmask::risk::attack_seed;
/// assert_eq!(attack_seed(&[b"inputs", b"policy"]), attack_seed(&[b"inputs", b"policy"]));
/// assert_ne!(attack_seed(&[b"inputs", b"policy"]), attack_seed(&[b"inputsp", b"olicy"]));
/// ```
#[must_use]
pub fn attack_seed(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("backmask 2026 attack seed v1");
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// A seed below `seed` for one use and one person.
pub(super) fn stream_seed(seed: &[u8; 32], purpose: &str, numbers: &[u64]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(seed);
    hasher.update(&(purpose.len() as u64).to_le_bytes());
    hasher.update(purpose.as_bytes());
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// A uniform 64-bit number for one use and one person.
pub(super) fn stream_number(seed: &[u8; 32], purpose: &str, numbers: &[u64]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&stream_seed(seed, purpose, numbers)[..8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_purpose_and_person() {
        let base = stream_number(&[0; 32], "a", &[1, 2]);
        for other in [
            stream_number(&[1; 32], "a", &[1, 2]),
            stream_number(&[0; 32], "b", &[1, 2]),
            stream_number(&[0; 32], "a", &[1, 3]),
            stream_number(&[0; 32], "a", &[1]),
        ] {
            assert_ne!(base, other);
        }
        assert_ne!(attack_seed(&[]), attack_seed(&[b""]));
    }
}
