//! Pseudonyms: keyed tokens that stand for values.
//!
//! A [`Pseudonymizer`] replaces every value of a column by a token that depends on a secret key. [`PseudonymDomain`] decides where the same value gets the same token: keys of different
//! recipients, releases, products, columns or periods are independent, so their tokens cannot be joined.
//!
//! - [`DenseFit`] numbers the distinct values of a column 0…n−1 in a secret random order ([`Dense`]); a [`Codebook`] is the only way back.
//! - [`period_labels`] and [`SessionFit`] say in which calendar period or session a row lies, for tokens that live no longer.
//! - [`InputSpace`] says how many values have the form of a column's: how little a plain hash of them would hide.
//!
//! ```
//! use backmask::arrow::array::{RecordBatch, StringArray, cast::AsArray};
//! use backmask::keys::Key;
//! use backmask::pipeline::{MapColumn, Transform};
//! use backmask::policy::{PseudonymMethod, Scope};
//! use backmask::pseudonym::{PseudonymDomain, Pseudonymizer};
//! use std::sync::Arc;
//!
//! let domain = PseudonymDomain {
//!     scope: Scope::Product,
//!     recipient: "Example AI Inc.",
//!     release: "artist-preferences-2026-11",
//!     product: "tastes",
//!     column: "subject_id",
//!     period: "",
//! };
//! // A forgotten key: nobody can make these tokens again.
//! let tokens = Pseudonymizer::in_domain(PseudonymMethod::Blake3, &Key::forgotten()?, &domain)?;
//! let tokens = MapColumn::new("subject_id", Arc::new(tokens));
//!
//! let batch = RecordBatch::try_from_iter([("subject_id", Arc::new(StringArray::from(vec!["ann", "bob", "ann"])) as _)])?;
//! let released = tokens.apply(&batch)?;
//! let token = released["subject_id"].as_string::<i32>();
//! assert_eq!(token.value(0).len(), 32);
//! assert_eq!(token.value(0), token.value(2));
//! assert_ne!(token.value(0), token.value(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is one value
//! - **Missing values** stay missing, so tokens show where they are; [`Pseudonymizer::with_random_nulls`] gives each a token of its own.
//! - **The empty text** is a value like any other. (FF1 refuses it: it is too short.)
//! - **Texts are their bytes.** Nothing is trimmed, lowercased or normalized: `é` as one character (NFC) and as two (NFD) are two values with two tokens. Normalize before, if the source does not.
//! - **Integers** have the same token in every width, signed or not, except with FF1, whose tokens are integers of the same width. The integer 42 and the text `42` are different.
//! - Floats, dates and timestamps are compared by what they mean: −0 is 0, every NaN is one value, and an instant has one token in every unit and time zone.
//!
//! # What each method hides and shows
//! | method | a token | shows, without the key | two values share a token | the holder of the key |
//! |---|---|---|---|---|
//! | `blake3`, `hmac-sha256` | 128 bits | which rows are equal | with probability n(n − 1) / 2¹²⁹ among n: [`collision_probability`] | finds values by trying all |
//! | `aes-siv` | 32 bytes and more | which rows are equal; the length of the encoded value to within 16 bytes | never | turns tokens back; altered tokens are noticed |
//! | `aes-block` | 128 bits | which rows are equal | never | turns tokens back; altered tokens of integers are noticed |
//! | `ff1` | a value of the same form | which rows are equal; length and alphabet | never, among values of one length | turns tokens back; alterations are not noticed |
//!
//! FF1 is a permutation of a small set. Whoever can have values of their own choice pseudonymized learns which of the remaining tokens are not theirs: in a set of a million texts that
//! is little, but it grows with every value. Take it only where the form must stay.
//!
//! # Security
//! What a token hides, and from whom:
//! - Without the key a token says nothing about the value, not even to somebody who can guess it: all methods are pseudorandom functions or permutations under a 256-bit key.
//! - The holder of the key can find the value of every token, of the hash methods too, by trying all values. **Only a forgotten key makes tokens irreversible.** While the key exists,
//!   and for everybody who can get at it, the data are pseudonymous, not anonymous.
//! - A token hides *who*, not *what*: equal values have equal tokens in their domain, so rows of one person stay together, and what they say
//!   together can single the person out. Pseudonyms alone protect no one who can be recognized by their history; the privacy models are for that.
//! - How often a token occurs is visible. A person who is known to have the most rows is found by counting.
//! - Tokens of different domains cannot be joined by themselves. If the rows behind them are alike, they can be joined by those.
//! - Repeated values of a batch are worked once, so the time that a batch takes tells how many there are. Who sees the tokens sees that as well.

mod alphabet;
mod base32;
mod block;
mod blocks;
mod cipher;
mod codebook;
mod dense;
mod distinct;
mod domain;
mod faults;
#[cfg_attr(not(test), expect(dead_code, reason = "columns are worked many strings at a time"))]
mod ff1;
mod hashed;
mod hex;
mod hmac;
mod input_space;
mod labels;
mod parallel;
mod preserving;
mod prf;
mod pseudonymizer;
mod restore;
mod sealed;
mod sealed_file;
mod sessions;
mod siv;
mod text;
mod uuid;
mod values;

pub use alphabet::Alphabet;
pub use codebook::Codebook;
pub use dense::{Dense, DenseFit};
pub use domain::{PseudonymDomain, subject_key};
pub use input_space::{HASHES_PER_SECOND, InputSpace, InputSpaceEstimate};
pub use labels::period_labels;
pub use parallel::apply_parallel;
pub use pseudonymizer::{Pseudonymizer, collision_probability};
pub(crate) use sealed_file::SealedFile;
pub use sessions::{SessionFit, Sessions};
