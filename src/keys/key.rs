//! A secret key.

use super::derive::Domain;
use rand::{CryptoRng, TryRng, rngs::SysRng};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A 256-bit secret. It cannot be copied, printed or serialized, and its memory is wiped when it is dropped.
///
/// ```
/// use backmask::keys::{Domain, Key};
///
/// let key = Key::forgotten()?;
/// let tokens = key.derive(&Domain { product: "people", ..Domain::of("pseudonym") });
/// assert!(!format!("{tokens:?}").contains("bytes"));
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Security
/// A copy would be one more place to leak from. Its origin can be copied, the key cannot:
/// ```
/// let key = backmask::keys::Key::forgotten().unwrap();
/// let copy = key.origin().clone();
/// ```
/// ```compile_fail,E0599
/// let key = backmask::keys::Key::forgotten().unwrap();
/// let copy = key.clone();
/// ```
/// What is serialized ends up in files that nobody protects:
/// ```
/// let key = backmask::keys::Key::forgotten().unwrap();
/// let text = serde_json::to_string(&key.check_value());
/// ```
/// ```compile_fail,E0277
/// let key = backmask::keys::Key::forgotten().unwrap();
/// let text = serde_json::to_string(&key);
/// ```
/// Nor can a key be read as part of a policy:
/// ```
/// let key: [u8; 0] = serde_json::from_str("[]").unwrap();
/// ```
/// ```compile_fail,E0277
/// let key: backmask::keys::Key = serde_json::from_str("[]").unwrap();
/// ```
/// Comparing keys would take a time that depends on them; their check values are made for it:
/// ```
/// let key = backmask::keys::Key::forgotten().unwrap();
/// let same = key.check_value() == key.check_value();
/// ```
/// ```compile_fail,E0369
/// let key = backmask::keys::Key::forgotten().unwrap();
/// let same = key == key;
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Key {
    // Boxed, so that moving a key moves a pointer: a moved array would stay behind, unwiped, where it was.
    bytes: Box<[u8; 32]>,
    #[zeroize(skip)]
    origin: KeyOrigin,
}

/// Where a key came from; decides what the report may claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyOrigin {
    /// From a key file or a key ring, with this id: tokens can be reproduced by its holder.
    File {
        /// The id.
        id: String,
    },
    /// From a key management service that calls it so: tokens can be reproduced by whoever may ask the service.
    Provider {
        /// The id, a name that is no secret: reports show it.
        id: String,
    },
    /// From random bits that are used and forgotten: tokens cannot be reproduced by anybody.
    Forgotten,
    /// Given by the caller as bytes.
    Given,
}

impl KeyOrigin {
    /// The id, for keys that have one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::File { id } | Self::Provider { id } => Some(id),
            Self::Forgotten | Self::Given => None,
        }
    }
}

impl Key {
    /// A key from given bytes. The caller wipes its own copy of them.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self::copy_of(&Zeroizing::new(bytes), KeyOrigin::Given)
    }

    /// A key from bytes that a key management service gave, and the name that the service has for its key. See [`KeyProvider`](super::KeyProvider).
    ///
    /// ```
    /// use backmask::keys::{Key, KeyOrigin};
    ///
    /// let answer = [7; 32]; // 32 bytes from the service
    /// let key = Key::from_provider(answer, "listening-2026");
    /// assert_eq!(key.origin().id(), Some("listening-2026"));
    /// ```
    #[must_use]
    pub fn from_provider(bytes: [u8; 32], id: impl Into<String>) -> Self {
        Self::copy_of(&Zeroizing::new(bytes), KeyOrigin::Provider { id: id.into() })
    }

    /// A key from the operating system's random bits, to be used once and forgotten.
    ///
    /// # Errors
    /// The system has no random bits.
    pub fn forgotten() -> crate::Result<Self> {
        Self::from_system(KeyOrigin::Forgotten)
    }

    /// A key for tokens that nobody can ever reverse or make again, also not with this key: 256 fresh random bits, which are never written, go into it as the
    /// salt of HKDF.
    ///
    /// ```
    /// use backmask::keys::{Key, KeyOrigin};
    ///
    /// let pool = Key::forgotten()?; // stands for a key file
    /// let (first, second) = (pool.irreversible()?, pool.irreversible()?);
    /// assert_eq!(first.origin(), &KeyOrigin::Forgotten);
    /// assert_ne!(first.check_value(), second.check_value());
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Guarantee
    /// When the returned key is dropped, its tokens are irreversible as long as HMAC-SHA-256 is a pseudorandom function under *either* of its inputs: the random
    /// bits alone hide them from the holder of this key, so the origin is [`KeyOrigin::Forgotten`]. Should the random generator be weak, this key still hides
    /// them from everybody else: a second line that [`Key::forgotten`] does not have.
    ///
    /// # Errors
    /// The system has no random bits.
    ///
    /// # References
    /// RFC 5869, section 3.1 (a salt that is secret and random). Backendal, Bellare, Günther and Scarlata, *When Messages Are Keys: Is HMAC a Dual-PRF?*,
    /// CRYPTO 2023.
    pub fn irreversible(&self) -> crate::Result<Self> {
        Ok(self.irreversible_with(&*random_bytes()?))
    }

    pub(super) fn irreversible_with(&self, salt: &[u8; 32]) -> Self {
        let mut key = Self::blank(KeyOrigin::Forgotten);
        Domain::of("irreversible").expand(Some(salt), &self.bytes, &mut key.bytes);
        key
    }

    /// A copy of bytes that their holder wipes.
    pub(super) fn copy_of(bytes: &[u8; 32], origin: KeyOrigin) -> Self {
        let mut key = Self::blank(origin);
        key.bytes.copy_from_slice(bytes);
        key
    }

    /// A key from the operating system's random bits.
    pub(super) fn from_system(origin: KeyOrigin) -> crate::Result<Self> {
        let mut key = Self::blank(origin);
        fill(&mut *key.bytes)?;
        Ok(key)
    }

    /// The place for a key, to be filled.
    fn blank(origin: KeyOrigin) -> Self {
        Self { bytes: Box::new([0; 32]), origin }
    }

    /// A key from a random generator of the caller's.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut key = Self::blank(KeyOrigin::Given);
        rng.fill_bytes(&mut *key.bytes);
        key
    }

    /// Where it came from.
    #[must_use]
    pub fn origin(&self) -> &KeyOrigin {
        &self.origin
    }

    /// The key of a domain: different domains give independent keys.
    #[must_use]
    pub fn derive(&self, domain: &Domain<'_>) -> Self {
        let mut key = Self::blank(self.origin.clone());
        domain.expand(None, &self.bytes, &mut key.bytes);
        key
    }

    /// Eight bytes by which a file can tell whether it is read with the key that it was made with: keyed BLAKE3 of a fixed text, under a subkey that is used for
    /// nothing else.
    ///
    /// ```
    /// use backmask::keys::Key;
    ///
    /// let written_into_the_file = Key::from_bytes([1; 32]).check_value();
    /// assert_ne!(Key::from_bytes([2; 32]).check_value(), written_into_the_file, "another key");
    /// assert_eq!(Key::from_bytes([1; 32]).check_value(), written_into_the_file);
    /// ```
    ///
    /// # Security
    /// It tells whether two files were made with the same key, and nothing else about a key of 256 random bits. A key made from a pass phrase can be guessed with
    /// it, as with any token. Two different keys have the same check value with probability 2⁻⁶⁴: it notices mistakes, it proves nothing.
    #[must_use]
    pub fn check_value(&self) -> [u8; 8] {
        check_value(&self.derive(&Domain::of(CHECK)))
    }

    /// A second owner of the same secret, for a run inside a run; its memory is wiped too.
    pub(crate) fn duplicate(&self) -> Self {
        Self::copy_of(&self.bytes, self.origin.clone())
    }

    /// The secret itself, for the kernels that use it.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

/// The purpose of the subkey of check values.
pub(super) const CHECK: &str = "key check";

/// The check value under the subkey of [`CHECK`].
pub(super) fn check_value(subkey: &Key) -> [u8; 8] {
    let mut value = [0; 8];
    let mut hasher = blake3::Hasher::new_keyed(subkey.expose());
    hasher.update(b"backmask key check, version 1").finalize_xof().fill(&mut value);
    // It holds the subkey.
    hasher.zeroize();
    value
}

/// Bytes from the operating system's random generator.
pub(super) fn random_bytes<const N: usize>() -> crate::Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    fill(&mut *bytes)?;
    Ok(bytes)
}

fn fill(bytes: &mut [u8]) -> crate::Result<()> {
    SysRng
        .try_fill_bytes(bytes)
        .map_err(|_| crate::Error::Key { problem: "the system gave no random bits".to_owned(), remedy: "try again".to_owned() })
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("origin", &self.origin).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn nothing_that_is_printed_shows_the_secret() {
        let key = Key::from_bytes([0xa7; 32]);
        for text in [format!("{key:?}"), format!("{key:#?}"), format!("{:?}", key.derive(&Domain::of("p")))] {
            assert!(text.starts_with("Key") && text.contains("Given"), "{text}");
            assert!(!text.contains("167") && !text.to_lowercase().contains("a7"), "{text}");
        }
    }

    #[test]
    fn random_keys_differ() {
        let keys: HashSet<[u8; 32]> = (0..100).map(|_| *Key::forgotten().unwrap().expose()).collect();
        assert_eq!(keys.len(), 100);
        assert_eq!(Key::forgotten().unwrap().origin(), &KeyOrigin::Forgotten);
    }

    #[test]
    fn a_wiped_key_is_zero() {
        let mut key = Key::from_bytes([0xa7; 32]);
        key.zeroize();
        assert_eq!(key.expose(), &[0; 32]);
    }

    #[test]
    fn a_derived_key_keeps_its_origin() {
        let key = Key::from_bytes([1; 32]);
        assert_eq!(key.derive(&Domain::of("p")).origin(), &KeyOrigin::Given);
        assert_ne!(key.derive(&Domain::of("p")).expose(), key.expose());
    }

    /// HKDF written out after RFC 5869 for one block of output, and the domain written out a second time.
    fn irreversible_oracle(salt: &[u8; 32], master: &[u8; 32]) -> [u8; 32] {
        use hmac::{Hmac, KeyInit, Mac};
        let hmac =
            |key: &[u8], message: &[u8]| Hmac::<sha2::Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes();
        let info = [b"backmask/v1".as_slice(), &12_u64.to_le_bytes(), b"irreversible", &[0; 40], &[1]].concat();
        hmac(&hmac(salt, master), &info).into()
    }

    #[test]
    fn an_irreversible_key_is_hkdf_with_the_salt() {
        for (salt, master) in [([0; 32], [0; 32]), ([1; 32], [2; 32]), ([0xff; 32], [0x80; 32])] {
            let key = Key::from_bytes(master).irreversible_with(&salt);
            assert_eq!(key.expose(), &irreversible_oracle(&salt, &master));
            assert_eq!(key.origin(), &KeyOrigin::Forgotten);
        }
    }

    /// Whether what is made of a key is the same when it is made again.
    fn is_a_function_of_the_key(make: impl Fn(&Key) -> Key) -> bool {
        (0..20_u8).any(|byte| {
            let master = Key::from_bytes([byte; 32]);
            make(&master).expose() == make(&master).expose()
        })
    }

    #[test]
    fn an_irreversible_key_cannot_be_made_again_from_the_master_key() {
        assert!(!is_a_function_of_the_key(|master| master.irreversible().unwrap()));
        // What the test must catch: no salt, a constant salt, a salt that the key decides.
        assert!(is_a_function_of_the_key(|master| master.derive(&Domain::of("irreversible"))));
        assert!(is_a_function_of_the_key(|master| master.irreversible_with(&[7; 32])));
        assert!(is_a_function_of_the_key(|master| master.irreversible_with(master.expose())));
    }

    /// Of how many of 256 × `pairs.len()` bits the two of each pair differ, in standard deviations from one half.
    fn deviations(pairs: &[([u8; 32], [u8; 32])]) -> f64 {
        let differing: u32 = pairs.iter().flat_map(|(a, b)| a.iter().zip(b)).map(|(a, b)| (a ^ b).count_ones()).sum();
        let bits = 256.0 * f64::from(u32::try_from(pairs.len()).unwrap());
        (f64::from(differing) - bits / 2.0) / (bits / 4.0).sqrt()
    }

    /// Two irreversible keys of one master key differ in half of their bits, and so do those of two master keys under salts and masters that differ in one bit.
    /// Fixed seed; at five standard deviations a sound derivation fails with probability 6e-7 for each of the three.
    #[test]
    fn irreversible_keys_are_unrelated() {
        use rand::{Rng, SeedableRng};
        let mut rng = rand::rngs::ChaCha20Rng::seed_from_u64(7);
        let mut draw = || {
            let mut bytes = [0; 32];
            rng.fill_bytes(&mut bytes);
            bytes
        };
        let (mut salts, mut near_salts, mut near_masters, mut broken) = (vec![], vec![], vec![], vec![]);
        for place in 0..400_usize {
            let (master, salt, other) = (draw(), draw(), draw());
            let flipped = |mut bytes: [u8; 32]| {
                bytes[place % 32] ^= 1 << (place / 32 % 8);
                bytes
            };
            let make = |master: [u8; 32], salt: [u8; 32]| *Key::from_bytes(master).irreversible_with(&salt).expose();
            salts.push((make(master, salt), make(master, other)));
            near_salts.push((make(master, salt), make(master, flipped(salt))));
            near_masters.push((make(master, salt), make(flipped(master), salt)));
            broken.push((make(master, [0; 32]), make(master, [0; 32])));
        }
        for pairs in [salts, near_salts, near_masters] {
            assert!(deviations(&pairs).abs() < 5.0, "{}", deviations(&pairs));
        }
        assert!(deviations(&broken).abs() > 5.0, "a constant salt is caught");
    }

    #[test]
    fn a_check_value_tells_keys_apart_and_is_no_part_of_them() {
        let values: HashSet<[u8; 8]> = (0..100).map(|_| Key::forgotten().unwrap().check_value()).collect();
        assert_eq!(values.len(), 100);
        let key = Key::from_bytes([0x42; 32]);
        assert_eq!(key.check_value(), Key::from_provider([0x42; 32], "kms").check_value(), "the origin does not count");
        assert_eq!(key.check_value(), check_value(&key.derive(&Domain::of("key check"))));
        let subkey = key.derive(&Domain::of("key check"));
        for bytes in [key.expose(), subkey.expose()] {
            assert!(!bytes.windows(8).any(|window| window == key.check_value()), "a part of the key");
        }
        // Whoever knows the fixed text but not the key gets something else.
        assert_ne!(key.check_value(), blake3::hash(b"backmask key check, version 1").as_bytes()[..8]);
    }

    /// Files carry check values: they never change.
    #[test]
    fn check_values_are_frozen() {
        let key = Key::from_bytes([0x42; 32]);
        assert_eq!(key.check_value(), [190, 58, 173, 53, 168, 227, 79, 91]);
        let subkey = key.derive(&Domain::of("key check"));
        assert_eq!(key.check_value(), blake3::keyed_hash(subkey.expose(), b"backmask key check, version 1").as_bytes()[..8]);
    }

    #[test]
    fn ids_are_those_of_files_and_providers() {
        assert_eq!(Key::from_provider([1; 32], "kms/7").origin(), &KeyOrigin::Provider { id: "kms/7".to_owned() });
        assert_eq!(Key::from_provider([1; 32], "kms/7").derive(&Domain::of("p")).origin().id(), Some("kms/7"));
        assert_eq!(KeyOrigin::File { id: "7".to_owned() }.id(), Some("7"));
        assert_eq!((KeyOrigin::Forgotten.id(), KeyOrigin::Given.id()), (None, None));
    }
}
